"""Registrations of apps in Entra, as deploy.sh reaches them through `az rest`."""

import json
import re
import uuid
from pathlib import Path
from typing import Any

from tests.deploy import answers
from tests.deploy.az_cli import Call
from tests.deploy.azure_state import PERSON, State, azure_takes


class Registrations(State):
    """Answers for graph.microsoft.com. `may_register`, `may_see_registrations`: whether this login may."""

    may_register: bool = True
    may_see_registrations: bool = True

    def entra(self, method: str, path: str, call: Call) -> Any:
        """What Graph answers; recorded refusals are raised."""
        body = json.loads(Path(call["--body"].removeprefix("@")).read_text()) if method == "post" else {}
        place = path.removeprefix("/v1.0/").partition("?")[0]
        wanted = "".join(re.findall(r"eq '([^']*)'", path))
        if "applications" in path and not (self.may_see_registrations if method == "get" else self.may_register):
            raise answers.refusal("rest", "Authorization_RequestDenied")
        match place.split("/"):
            case ["applications"] if method == "get":
                return {"value": [_application(key, r) for key, r in self.registrations.items() if wanted in r["tags"]]}
            case ["applications"]:
                # Every test has the same ids.
                made = str(uuid.uuid5(uuid.NAMESPACE_URL, str(len(self.registrations))))
                self.registrations[made] = body | {"credentials": [], "principals": [], "owners": [PERSON]}
                return _application(made, self.registrations[made])
            case [place] if found := re.fullmatch(r"applications\(appId='app-of-(.+)'\)", place):
                if found[1] not in self.registrations:
                    raise answers.refusal("rest", "Request_ResourceNotFound")
                return _application(found[1], self.registrations[found[1]])
            case ["applications", own, "owners"]:
                return {"value": [{"id": owner} for owner in self.registrations[own]["owners"]]}
            case ["applications", own]:
                del self.registrations[own]
            case ["applications", own, "federatedIdentityCredentials"] if method == "get":
                return {"value": self.registrations[own]["credentials"]}
            case ["applications", own, "federatedIdentityCredentials"]:
                taken = {one["name"] for one in self.registrations[own]["credentials"]}
                azure_takes(body["name"] not in taken, "There is a credential of this name.")
                self.registrations[own]["credentials"].append(body | {"id": f"credential-of-{own}"})
                return body
            case ["applications", own, "federatedIdentityCredentials", credential]:
                known = self.registrations[own]["credentials"]
                known[:] = [one for one in known if one["id"] != credential]
            case ["servicePrincipals"]:
                own = (wanted or body["appId"]).removeprefix("app-of-")
                principals = self.registrations[own]["principals"]
                if method == "get":
                    return {"value": principals}
                principals.append({"id": f"principal-of-{own}", "appId": body["appId"]})
                return principals[-1]
            case ["servicePrincipals", own, "appRoleAssignedTo"]:
                assigned = self.registrations[own.removeprefix("principal-of-")].setdefault("assigned", [])
                if method == "get":
                    return {"value": assigned}
                assigned.append(body)
            case _:
                raise AssertionError(f"This stand-in does not know {method} {path}.")
        return None


def _application(own: str, registration: dict[str, Any]) -> dict[str, Any]:
    return {"id": own, "appId": f"app-of-{own}", "displayName": registration["displayName"]}
