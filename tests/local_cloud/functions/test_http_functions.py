"""HTTP functions through the host and Microsoft's libraries: what reaches them, and what comes of their answers."""

import json
from urllib.parse import quote

from tests.local_cloud.functions.conftest import KEY

ASGI_APP = """
import azure.functions as func

async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            await send({"type": f"{kind}.complete"})
            if kind == "lifespan.shutdown":
                return
    body = (await receive())["body"]
    told = f"{scope['method']} {scope['path']} ? {scope['query_string'].decode()} {body!r}".encode()
    await send({"type": "http.response.start", "status": 418, "headers": [(b"content-type", b"text/tea")]})
    await send({"type": "http.response.body", "body": told, "more_body": True})
    await send({"type": "http.response.body", "body": b" <end>"})

app = func.AsgiFunctionApp(asgi, http_auth_level=func.AuthLevel.ANONYMOUS)
"""


async def test_a_request_reaches_its_function_whole_and_its_answer_comes_back(start_host):
    """Method, URL, query, route, headers and binary body arrive; status, headers and cookies of the answer too."""
    host = await start_host()
    _, keys = await host.request("/admin/host/keys")
    key = {"x-functions-key": json.loads(keys)["keys"][0]["value"]}
    path = "/api/things/abc/x%20y/z?q=1&q=2&none=&u=%C3%A4"
    status, headers, body = await host.answer(key | {"X-Mine": "a"}, "PUT", path, bytes(range(256)))
    told = json.loads(body)
    assert (status, headers["X-Own"], headers["Content-Type"]) == (201, "1", "application/json")
    assert headers.getall("Set-Cookie") == [
        "a=b%2Fc; Max-Age=60; Path=/; Secure; SameSite=Strict; HttpOnly",
        "d=e",
    ]
    assert (told["method"], told["url"]) == ("PUT", host.url + path)
    assert told["params"] == {"q": "1,2", "u": "ä"}
    assert told["route"] == {"kind": "abc", "rest": "x y/z"}
    assert told["headers"]["x-mine"] == "a"
    assert bytes(told["bytes"]) == bytes(range(256))
    assert await host.request_as({}, "GET", "/api/binary") == (200, bytes(range(256)))
    assert await host.request_as({}, "HEAD", "/api/binary") == (200, b"")
    assert await host.request("/api/plain") == (200, b"plain")


async def test_who_may_not_and_what_is_not_there(start_host):
    """401 without the level's key, 404 without a route or for another method, 500 where it fails: never with a word."""
    host = await start_host()
    _, keys = await host.request("/admin/host/keys")
    own = json.loads(keys)["keys"][0]["value"]
    code = quote(own, safe="")
    for headers, method, path, status in [
        ({}, "GET", "/api/things/abc", 401),
        ({"x-functions-key": "wrong"}, "GET", f"/api/things/abc?code={code}", 401),
        ({}, "GET", f"/api/things/abc?code={code}", 201),
        ({"x-functions-key": KEY}, "GET", "/api/things/abc", 201),
        ({"x-functions-key": own}, "GET", "/api/plain", 401),
        ({}, "DELETE", f"/api/things/abc?code={code}", 404),
        ({}, "GET", f"/api/things/1?code={code}", 404),
        ({}, "GET", "/binary", 404),
        ({}, "GET", "/api/things/fail", 500),
        ({}, "GET", "/admin/host/keys", 401),
        ({"x-functions-key": own}, "GET", "/ADMIN/host/keys", 401),
        ({"Origin": "http://evil.example"}, "GET", "/api/binary", 403),
        ({"Host": "evil.example"}, "GET", "/api/binary", 403),
    ]:
        found, content = await host.request_as(headers, method, path)
        assert found == status, (method, path)
        assert status not in (401, 404, 500) or content == b""
    await host.line("ValueError: not for strangers")


async def test_an_asgi_app_gets_every_path(start_host, tmp_path):
    """Microsoft's AsgiFunctionApp: start-up, path, query and body; an answer in pieces comes back whole."""
    app = tmp_path / "app"
    app.mkdir()
    (app / "function_app.py").write_text(ASGI_APP)
    (app / "host.json").write_text('{"version": "2.0", "extensions": {"http": {"routePrefix": ""}}}')
    host = await start_host(app=app)
    status, headers, body = await host.answer({}, "POST", "/a/b%20c?d=%3C", b"\x00")
    assert (status, headers["Content-Type"], body) == (418, "text/tea", b"POST /a/b c ? d=%3C b'\\x00' <end>")
    assert (await host.request_as({}, "GET", "/"))[0] == 418
    assert (await host.request("/admin/host/status"))[0] == 200
