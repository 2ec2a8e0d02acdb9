"""Microsoft Graph: who is behind an id, until when the certificates of an app hold, and registrations of apps.

Fields as in the examples of https://learn.microsoft.com/graph/api/serviceprincipal-get, .../application-get and
.../directoryobject-getbyids.
"""

import re
import uuid
from collections.abc import Iterator
from typing import Any

from tests.azure.entra import APP, PERSON, claims
from tests.azure.front import Answer, Refusal, Request
from tests.azure.world import Document, World

HOST = "graph.microsoft.com"
_NOW = "2026-11-29T12:00:00Z"
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


def _person() -> Document:
    own = {"id": PERSON.object_id, "displayName": "Ada", "userPrincipalName": PERSON.name}
    return {"@odata.type": "#microsoft.graph.user", **own}


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
        if keyed := re.fullmatch(r"applications\(appId='([^']*)'\)", path):
            return self._by_app_id(keyed[1])
        kind, _, name = path.partition("/")
        if kind not in {"servicePrincipals", "applications"}:
            raise NotImplementedError(f"{request.method} {request.path}")
        allowed = self.world.may_see_applications and (request.method == "GET" or self.world.may_change_applications)
        if kind == "applications" and not allowed:
            raise _denied()
        if request.method == "POST" or "/" in name or request.method == "DELETE":
            return self._change(request, kind, name)
        if request.method != "GET":
            raise NotImplementedError(f"{request.method} {request.path}")
        known = [_application(), *self._applications()] if kind == "applications" else [*self._service_principals()]
        if not name:
            values = re.findall(r"eq '([^']*)'", request.query["$filter"])
            if request.query["$filter"].startswith("tags/any("):
                return _many(kind, [found for found in known if {*found.get("tags", ())} & {*values}])
            return _many(kind, [found for found in known if found["appId"] in values])
        for found in known:
            if found["id"] == name:
                return Answer(200, {"@odata.context": f"{_CONTEXT}#{kind}/$entity", **found})
        raise _missing(name)

    def _by_app_id(self, app_id: str) -> Answer:
        """An alternate key: https://learn.microsoft.com/graph/api/application-get."""
        if not self.world.may_see_applications:
            raise _denied()
        for found in self._applications():
            if found["appId"] == app_id:
                return Answer(200, {"@odata.context": f"{_CONTEXT}#applications/$entity", **found})
        raise _missing(app_id)

    def _change(self, request: Request, kind: str, name: str) -> Answer:
        """Registrations, as .../application-post-applications, .../application-post-federatedidentitycredentials,
        .../serviceprincipal-post-serviceprincipals and .../serviceprincipal-post-approleassignedto have them;
        .../application-list-owners and .../serviceprincipal-list-approleassignedto."""
        own, _, part = name.partition("/")
        part, _, inner = part.partition("/")
        made = str(uuid.uuid4())
        if kind == "applications" and not own:
            document = {"id": made, "appId": str(uuid.uuid4()), "createdDateTime": _NOW, **request.json()}
            self.world.applications[made] = {**document, "credentials": [], "owners": [_person()]}
            return Answer(201, {"@odata.context": f"{_CONTEXT}#applications/$entity", **document})
        if kind == "servicePrincipals" and not own:
            asked = request.json()
            if asked["appId"] not in {found["appId"] for found in self.world.applications.values()}:
                text = f"The appId '{asked['appId']}' does not reference a valid application object."
                raise Refusal(400, "Request_BadRequest", text)
            name = next(a["displayName"] for a in self.world.applications.values() if a["appId"] == asked["appId"])
            document = _service_principal(made, asked["appId"], name, "Application") | asked
            self.world.principals[made] = document
            return Answer(201, {"@odata.context": f"{_CONTEXT}#servicePrincipals/$entity", **document})
        if kind == "servicePrincipals" and part == "appRoleAssignedTo":
            if own not in self.world.principals:
                raise _missing(own)
            if request.method == "GET":
                place = f"servicePrincipals('{own}')/appRoleAssignedTo"
                return _many(place, self.world.principals[own].get("assigned", []))
            assigned = {"id": made, "createdDateTime": _NOW, "principalType": "User", **request.json()}
            self.world.principals[own].setdefault("assigned", []).append(assigned)
            return Answer(201, {"@odata.context": f"{_CONTEXT}#appRoleAssignments/$entity", **assigned})
        if kind != "applications" or own not in self.world.applications:
            raise _missing(own)
        application = self.world.applications[own]
        if request.method == "DELETE" and not part:
            del self.world.applications[own]
            gone = [i for i, found in self.world.principals.items() if found["appId"] == application["appId"]]
            for principal in gone:
                del self.world.principals[principal]
            return Answer(204)
        if part == "owners" and request.method == "GET":
            return _many("directoryObjects", application["owners"])
        if part != "federatedIdentityCredentials":
            raise NotImplementedError(f"{request.method} {request.path}")
        if request.method == "DELETE":
            application["credentials"] = [found for found in application["credentials"] if found["id"] != inner]
            return Answer(204)
        if request.method == "GET":
            return _many(f"applications('{own}')/federatedIdentityCredentials", application["credentials"])
        document = {"id": made, "description": None, **request.json()}
        application["credentials"].append(document)
        return Answer(201, {"@odata.context": f"{_CONTEXT}#applications('{own}')/$entity", **document})

    def _applications(self) -> Iterator[Document]:
        for found in self.world.applications.values():
            yield {name: value for name, value in found.items() if name not in {"credentials", "owners"}}

    def _service_principals(self) -> Iterator[Document]:
        yield _service_principal(APP.object_id, APP.name, "microscope-1", "Application")
        for identity in self.world.of_type("Microsoft.ManagedIdentity/userAssignedIdentities"):
            ids = identity["properties"]
            yield _service_principal(ids["principalId"], ids["clientId"], identity["name"], "ManagedIdentity")
        for found in self.world.principals.values():
            yield {name: value for name, value in found.items() if name != "assigned"}

    def _everybody(self) -> Iterator[Document]:
        yield from self._service_principals()
        yield _person()


def _denied() -> Refusal:
    return Refusal(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")


def _missing(name: str) -> Refusal:
    message = f"Resource '{name}' does not exist or one of its queried reference-property objects are not present."
    return Refusal(404, "Request_ResourceNotFound", message)


def _many(kind: str, found: list[Any]) -> Answer:
    return Answer(200, {"@odata.context": f"{_CONTEXT}#{kind}", "value": found})
