"""Microsoft Graph: who is behind an id, and until when the certificates of an app hold.

Fields as in the examples of https://learn.microsoft.com/graph/api/serviceprincipal-get, .../application-get and
.../directoryobject-getbyids.
"""

import re
from collections.abc import Iterator
from typing import Any

from tests.azure.entra import APP, PERSON, claims
from tests.azure.front import Answer, Refusal, Request
from tests.azure.world import Document, World

HOST = "graph.microsoft.com"
_CONTEXT = "https://graph.microsoft.com/v1.0/$metadata"


def _service_principal(object_id: str, app_id: str, name: str, kind: str) -> Document:
    return {
        "@odata.type": "#microsoft.graph.servicePrincipal",
        "id": object_id,
        "appId": app_id,
        "displayName": name,
        "accountEnabled": True,
        "servicePrincipalNames": [app_id],
        "servicePrincipalType": kind,
        "keyCredentials": [],
        "passwordCredentials": [],
    }


def _application() -> Document:
    """An instrument's: its certificate is the app's."""
    certificate = {
        "customKeyIdentifier": "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B",
        "displayName": "CN=microscope-1",
        "endDateTime": "2027-11-28T08:00:00Z",
        "key": None,
        "keyId": "f0b0b335-1d71-4883-8f98-567911bfdca6",
        "startDateTime": "2026-11-28T08:00:00Z",
        "type": "AsymmetricX509Cert",
        "usage": "Verify",
    }
    own = {"id": "77777777-0000-4000-8000-000000000002", "appId": APP.name, "displayName": "microscope-1"}
    return {**own, "keyCredentials": [certificate], "passwordCredentials": []}


class Graph:
    """Answers for graph.microsoft.com about the app, the person and the identities of a subscription."""

    def __init__(self, world: World) -> None:
        self.world = world

    def answer(self, request: Request) -> Answer:
        """Raises `Refusal`; NotImplementedError for what Graph knows and this does not."""
        if claims(request).get("aud", "").rstrip("/") != f"https://{HOST}":
            raise Refusal(401, "InvalidAuthenticationToken", "Access token validation failure. Invalid audience.")
        path = request.path.removeprefix("/v1.0/")
        if path == "directoryObjects/getByIds":
            wanted = set(request.json()["ids"])
            return _many("directoryObjects", [found for found in self._everybody() if found["id"] in wanted])
        kind, _, name = path.partition("/")
        if request.method != "GET" or kind not in {"servicePrincipals", "applications"}:
            raise NotImplementedError(f"{request.method} {request.path}")
        known = [_application()] if kind == "applications" else list(self._service_principals())
        if not name:
            values = re.findall(r"eq '([^']*)'", request.query["$filter"])
            return _many(kind, [found for found in known if found["appId"] in values])
        for found in known:
            if found["id"] == name:
                return Answer(200, {"@odata.context": f"{_CONTEXT}#{kind}/$entity", **found})
        message = f"Resource '{name}' does not exist or one of its queried reference-property objects are not present."
        raise Refusal(404, "Request_ResourceNotFound", message)

    def _service_principals(self) -> Iterator[Document]:
        yield _service_principal(APP.object_id, APP.name, "microscope-1", "Application")
        for identity in self.world.of_type("Microsoft.ManagedIdentity/userAssignedIdentities"):
            ids = identity["properties"]
            yield _service_principal(ids["principalId"], ids["clientId"], identity["name"], "ManagedIdentity")

    def _everybody(self) -> Iterator[Document]:
        yield from self._service_principals()
        yield {
            "@odata.type": "#microsoft.graph.user",
            "id": PERSON.object_id,
            "displayName": "Ada",
            "userPrincipalName": PERSON.name,
        }


def _many(kind: str, found: list[Any]) -> Answer:
    return Answer(200, {"@odata.context": f"{_CONTEXT}#{kind}", "value": found})
