"""App Service authentication's part: it passes who has signed in to the app in headers that nobody else can set.

There is no identity provider here. Whoever has the token of this host may be anybody:

GET /.auth/login/local?token=T[&role=R][&group=G][&name=N][&post_login_redirect_uri=/P]     a session, and on to /P
GET /.auth/logout                                                                         the session ends
GET /.auth/me                                                                             what the app is given

Roles and groups may stand several times; without a role it is `admin`. Sessions end with the token.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from multidict import CIMultiDict

from local_cloud.functions.http_messages import Headers

ENABLED = "WEBSITE_AUTH_ENABLED"
_OWN_HEADERS = "x-ms-client-principal"
_COOKIE = "AppServiceAuthSession"
_PROVIDER = "aad"
_NAME, _ROLES = "preferred_username", "roles"


def without_principal(headers: Headers) -> CIMultiDict[str]:
    """Return the headers without those that only the sign-in may set."""
    return CIMultiDict((name, value) for name, value in headers.items() if not name.lower().startswith(_OWN_HEADERS))


class SignIn:
    """Signs people in who have the `token`; without one there is no sign-in, and the app hears of nobody."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __bool__(self) -> bool:
        """Whether people have to sign in."""
        return bool(self._token)

    def answer(self, request: web.Request) -> web.Response | None:
        """Answer what is below /.auth; None for all else, and where there is no sign-in."""
        if not self._token or not request.path.startswith("/.auth/"):
            return None
        match request.path:
            case "/.auth/login/local":
                return self._login(request)
            case "/.auth/logout":
                gone = web.Response(text="You have signed out.\n")
                gone.del_cookie(_COOKIE)
                return gone
            case "/.auth/me":
                claims = self._session(request)
                return web.json_response([_principal(claims)] if claims else [], status=200 if claims else 401)
        return web.Response(status=404)

    def headers(self, request: web.Request) -> CIMultiDict[str] | None:
        """Return the request's headers as the app gets them; None for somebody who has to sign in first."""
        headers = without_principal(request.headers)
        if not self._token:
            return headers
        claims = self._session(request)
        if claims is None:
            return None
        name = next((claim["val"] for claim in claims if claim["typ"] == _NAME), "")
        text = json.dumps(_principal(claims)).encode()
        headers["X-MS-CLIENT-PRINCIPAL"] = base64.b64encode(text).decode()
        headers["X-MS-CLIENT-PRINCIPAL-NAME"] = name
        headers["X-MS-CLIENT-PRINCIPAL-ID"] = _id_of(name)
        headers["X-MS-CLIENT-PRINCIPAL-IDP"] = _PROVIDER
        return headers

    def _login(self, request: web.Request) -> web.Response:
        if not hmac.compare_digest(request.query.get("token", "").encode(), self._token.encode()):
            return web.Response(
                status=401, text="This link is not, or no longer, good: take the one that `up` prints.\n"
            )
        name = request.query.get("name", "somebody")
        claims = [
            {"typ": "http://schemas.microsoft.com/identity/claims/objectidentifier", "val": _id_of(name)},
            {"typ": _NAME, "val": name},
            *({"typ": _ROLES, "val": role} for role in request.query.getall("role", ["admin"])),
            *({"typ": "groups", "val": group} for group in request.query.getall("group", [])),
        ]
        target = request.query.get("post_login_redirect_uri", "/")
        if not target.startswith("/") or target.startswith(("//", "/\\")):
            target = "/"
        answer = web.Response(status=302, headers={"Location": target, "Cache-Control": "no-store"})
        payload = json.dumps(claims).encode().hex()
        answer.set_cookie(_COOKIE, f"{payload}.{self._seal(payload)}", httponly=True, samesite="Lax", path="/")
        return answer

    def _session(self, request: web.Request) -> list[dict[str, str]] | None:
        payload, _, seal = request.cookies.get(_COOKIE, "").partition(".")
        if not payload or not hmac.compare_digest(seal.encode(errors="replace"), self._seal(payload).encode()):
            return None
        claims: list[dict[str, str]] = json.loads(bytes.fromhex(payload))
        return claims

    def _seal(self, payload: str) -> str:
        return hmac.new(self._token.encode(), payload.encode(errors="replace"), hashlib.sha256).hexdigest()


def _principal(claims: list[dict[str, str]]) -> Mapping[str, Any]:
    return {"auth_typ": _PROVIDER, "claims": claims, "name_typ": _NAME, "role_typ": _ROLES}


def _id_of(name: str) -> str:
    digest = hashlib.sha256(name.encode(errors="replace")).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"
