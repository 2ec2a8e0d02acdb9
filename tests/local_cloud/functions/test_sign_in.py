"""App Service authentication's part of the host: who has signed in, and that nobody says so for himself."""

import base64
import json
from urllib.parse import urlencode

APP = """
import json
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route("who")
def who(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(json.dumps({k: v for k, v in req.headers.items() if k.startswith("x-ms-client")}))
"""
FORGED = {"X-MS-CLIENT-PRINCIPAL": "e30=", "x-ms-client-principal-name": "root"}


def app_in(folder):
    app = folder / "app"
    app.mkdir()
    (app / "function_app.py").write_text(APP)
    (app / "host.json").write_text('{"version": "2.0"}')
    return app


async def test_who_has_the_token_is_told_to_the_app(start_host, tmp_path, monkeypatch):
    """By the headers of App Service, with the roles and groups of the link; for one session, by no other way."""
    monkeypatch.setenv("TOKEN", "secret")
    host = await start_host("--sign-in-env", "TOKEN", app=app_in(tmp_path))
    assert (await host.request_as(FORGED, "GET", "/api/who"))[0] == 401
    assert (await host.request_as({}, "GET", "/"))[0] == 200
    assert (await host.request_as({}, "GET", "/.auth/login/local?token=wrong"))[0] == 401
    asked = [
        ("token", "secret"),
        ("role", "owner"),
        ("group", "g1"),
        ("name", "ada"),
        ("post_login_redirect_uri", "/x?y=1"),
    ]
    status, headers, _ = await host.answer({}, "GET", f"/.auth/login/local?{urlencode(asked)}")
    assert (status, headers["Location"]) == (302, "/x?y=1")
    session = {"Cookie": headers["Set-Cookie"].split(";")[0]}
    assert "HttpOnly" in headers["Set-Cookie"]
    told = json.loads((await host.request_as(session | FORGED, "GET", "/api/who"))[1])
    assert told["x-ms-client-principal-name"] == "ada"
    principal = json.loads(base64.b64decode(told["x-ms-client-principal"]))
    claims = {(claim["typ"], claim["val"]) for claim in principal["claims"]}
    assert {("roles", "owner"), ("groups", "g1"), ("preferred_username", "ada")} < claims
    assert (principal["auth_typ"], principal["role_typ"]) == ("aad", "roles")
    changed = {"Cookie": session["Cookie"].replace("=5b", "=5c")}
    assert (await host.request_as(changed, "GET", "/api/who"))[0] == 401
    away = await host.answer({}, "GET", "/.auth/login/local?token=secret&post_login_redirect_uri=//evil.example")
    assert away[1]["Location"] == "/"


async def test_without_sign_in_nobody_is_told(start_host, tmp_path):
    """Whatever a request says of itself."""
    host = await start_host(app=app_in(tmp_path))
    assert await host.request_as(FORGED, "GET", "/api/who") == (200, b"{}")
    assert (await host.request_as({}, "GET", "/.auth/me"))[0] == 404
