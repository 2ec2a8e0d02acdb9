"""Entra ID: addresses, tokens and who has them. Microsoft's own description of each answer is named beside it.

https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc, .../v2-oauth2-client-creds-grant-flow,
.../v2-oauth2-device-code, .../access-token-claims-reference.
"""

import base64
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from tests.azure.front import Answer, Request

TENANT = "72f988bf-0000-4000-8000-2d7cd011db47"
HOST = "login.microsoftonline.com"
_HOUR = 3600


@dataclass(frozen=True)
class Principal:
    """Somebody with a login: a person, or an app with a secret."""

    object_id: str
    name: str
    is_app: bool = False


PERSON = Principal("99999999-0000-4000-8000-000000000001", "ada@lab.example")
APP = Principal("99999999-0000-4000-8000-000000000002", "88888888-0000-4000-8000-000000000002", is_app=True)


@dataclass
class Entra:
    """`unknown_audiences`: resources that this tenant does not know."""

    principals: list[Principal] = field(default_factory=lambda: [PERSON, APP])
    unknown_audiences: set[str] = field(default_factory=set)

    def answer(self, request: Request) -> Answer:
        """Answer for login.microsoftonline.com."""
        path = request.path
        if path.endswith("/.well-known/openid-configuration"):
            return Answer(200, _metadata())
        if path == "/common/discovery/instance":
            return Answer(200, _instances())
        if path.endswith("/oauth2/v2.0/devicecode"):
            return Answer(200, _device_code(_form(request)["scope"]))
        if path.endswith("/oauth2/v2.0/token"):
            return self._token(_form(request))
        raise NotImplementedError(path)

    def _token(self, form: dict[str, str]) -> Answer:
        # A device's code is answered with whatever it was asked for.
        scopes = form.get("scope", form.get("device_code", "")).split()
        resource = next((s.removesuffix("/.default").rstrip("/") for s in scopes if s.endswith("/.default")), "")
        if resource in self.unknown_audiences:
            text = f"AADSTS500011: The resource principal named {resource} was not found in the tenant named lab."
            return Answer(400, {"error": "invalid_resource", "error_description": text, "error_codes": [500011]})
        if form["grant_type"] == "client_credentials":
            return Answer(200, {"token_type": "Bearer", "expires_in": _HOUR, "access_token": token(APP, resource)})
        now = int(time.time())
        identity = {
            "aud": form["client_id"],
            "iss": f"https://{HOST}/{TENANT}/v2.0",
            "iat": now,
            "nbf": now,
            "exp": now + _HOUR,
            "oid": PERSON.object_id,
            "preferred_username": PERSON.name,
            "tid": TENANT,
            "sub": PERSON.object_id,
            "name": "Ada",
            "ver": "2.0",
        }
        owner = {"uid": PERSON.object_id, "utid": TENANT}
        found = {
            "token_type": "Bearer",
            "scope": " ".join(scopes),
            "expires_in": _HOUR,
            "ext_expires_in": _HOUR,
            "access_token": token(PERSON, resource),
            "refresh_token": "0.refresh",
            "id_token": _signed(identity),
            "client_info": _part(owner),
        }
        return Answer(200, found)


def unable(status: int) -> Answer:
    """What it says when it can't answer now.

    429: https://github.com/AzureAD/microsoft-authentication-library-for-dotnet/issues/2855, where it asks to wait for a
    minute, for which the CLI keeps the answer and asks nobody. Others:
    https://learn.microsoft.com/entra/identity-platform/reference-error-codes.
    """
    if status == 429:
        return Answer(status, b"Too Many Requests", {"Retry-After": "0", "Content-Type": "text/plain"})
    text = "AADSTS90033: The Microsoft Online Directory Service (MSODS) isn't available. Please try again later."
    body = {"error": "temporarily_unavailable", "error_description": text, "error_codes": [90033]}
    return Answer(status, body, {"Retry-After": "0"})


def token(principal: Principal, resource: str) -> str:
    """An access token of version 1.0, as Azure Resource Manager and storage get them."""
    now = int(time.time())
    claims = {
        "aud": resource,
        "iss": f"https://sts.windows.net/{TENANT}/",
        "iat": now,
        "nbf": now,
        "exp": now + _HOUR,
        "oid": principal.object_id,
        "sub": principal.object_id,
        "tid": TENANT,
        "ver": "1.0",
        **({"appid": principal.name, "idtyp": "app"} if principal.is_app else {"upn": principal.name}),
    }
    return _signed(claims)


def claims(request: Request) -> dict[str, Any]:
    """What the bearer token of a request says; nothing where there is none."""
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return {}
    payload = text.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _signed(value: dict[str, Any]) -> str:
    return f"{_part({'alg': 'RS256', 'typ': 'JWT', 'kid': '1'})}.{_part(value)}.c2lnbmVk"


def _metadata() -> dict[str, Any]:
    base = f"https://{HOST}/{TENANT}"
    return {
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "jwks_uri": f"{base}/discovery/v2.0/keys",
        "issuer": f"{base}/v2.0",
        "tenant_region_scope": "EU",
        "cloud_instance_name": "microsoftonline.com",
    }


def _instances() -> dict[str, Any]:
    names = [HOST, "login.windows.net", "login.microsoft.com", "sts.windows.net"]
    return {
        "tenant_discovery_endpoint": f"https://{HOST}/common/v2.0/.well-known/openid-configuration",
        "api-version": "1.1",
        "metadata": [{"preferred_network": HOST, "preferred_cache": "login.windows.net", "aliases": names}],
    }


def _form(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.body.decode()).items()}


def _device_code(scope: str) -> dict[str, Any]:
    return {
        "user_code": "A1B2C3D4E",
        "device_code": scope,
        "verification_uri": "https://microsoft.com/devicelogin",
        "expires_in": 900,
        "interval": 1,
        "message": "To sign in, open the page and enter the code A1B2C3D4E.",
    }
