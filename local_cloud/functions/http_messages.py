"""HTTP requests as the worker library takes them, and its answers as HTTP; both as the real host translates them."""

from collections.abc import Iterable
from urllib.parse import quote

from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from local_cloud.functions.messages import NO_DATA, Message, TypedData

# What the server itself says of the connection.
_OWN_HEADERS = frozenset({"content-length", "transfer-encoding", "connection"})
_SAME_SITE = {1: "Lax", 2: "Strict", 3: "None"}

type Headers = CIMultiDictProxy[str] | CIMultiDict[str]


class RpcHttp(Message):
    """A request, as the library reads it."""


async def as_message(request: web.Request, headers: Headers, parameters: dict[str, str]) -> TypedData:
    """Translate a request, with these headers instead of its own.

    Header names are in lower case; what stands several times is joined by commas; empty values of the query and a
    body without a stated length are left out.
    """
    body = await request.read() if request.content_length else b""
    return TypedData(
        http=RpcHttp(
            method=request.method,
            url=f"{request.scheme}://{request.host}{request.rel_url.raw_path_qs}",
            headers=_joined((name.lower(), value) for name, value in headers.items()),
            query={name: value for name, value in _joined(request.query.items()).items() if value},
            params=parameters,
            body=TypedData(bytes=body) if body else NO_DATA,
        )
    )


def as_response(answer: TypedData | None) -> web.Response:
    """Translate what a function returned: an `HttpResponse`, a text, or nothing (204)."""
    if answer is None:
        return web.Response(status=204)
    if answer.http is None:
        return web.Response(text=str(answer.string or answer.json or ""))
    http = answer.http
    headers = CIMultiDict((name, value) for name, value in http.headers.items() if name.lower() not in _OWN_HEADERS)
    for cookie in http.cookies or ():
        headers.add("Set-Cookie", _cookie(cookie))
    body = http.body.bytes if http.body.bytes is not None else str(http.body.string or http.body.json or "").encode()
    return web.Response(status=int(http.status_code), headers=headers, body=body)


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def _cookie(cookie: Message) -> str:
    """Write a cookie; its value is percent-encoded, as ASP.NET does it."""
    parts = [f"{cookie.name}={quote(str(cookie.value), safe='')}"]
    if cookie.max_age is not None:
        parts.append(f"Max-Age={cookie.max_age.value:.0f}")
    parts += [
        f"{title}={part.value}"
        for title, part in (("Domain", cookie.domain), ("Path", cookie.path))
        if part and part.value
    ]
    if cookie.secure and cookie.secure.value:
        parts.append("Secure")
    if cookie.same_site in _SAME_SITE:
        parts.append(f"SameSite={_SAME_SITE[cookie.same_site]}")
    if cookie.http_only and cookie.http_only.value:
        parts.append("HttpOnly")
    return "; ".join(parts)
