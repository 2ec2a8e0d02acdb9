"""The app registration of the page: what deploy.sh asks Microsoft Graph to make, and what Graph answered.

JSON on standard input where something was answered; JSON, or words, on the output.
"""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

# As batch_ops/page/visitors.py reads them.
ROLES = {
    "viewer": "Sees the files of the projects of their groups.",
    "owner": "Also runs them again, cancels them and pauses these projects.",
    "operator": "Sees and steers all files.",
    "admin": "As operator.",
}
AUDIENCE = "api://AzureADTokenExchange"
_CREDENTIAL = "ilastik-batch"
_MOST = 10
# Ids of roles follow from the deployment's mark, so that they are known without asking.
_NAMESPACE = uuid.UUID("5f2a1c0e-6f0b-4a53-9d0f-8a7d1c4e2b10")


def role_id(mark: str, role: str) -> str:
    """The id of an app role of this deployment."""
    return str(uuid.uuid5(_NAMESPACE, f"{mark}/{role}"))


def registration(mark: str, group: str, app: str) -> dict[str, Any]:
    """The application: of this tenant alone, with the roles of the page and people's groups in its tokens."""
    address = f"https://{app}.azurewebsites.net"
    return {
        "displayName": f"ilastik-batch page ({group})",
        "signInAudience": "AzureADMyOrg",
        "tags": [f"ilastik-batch-{mark}"],
        "groupMembershipClaims": "SecurityGroup",
        "web": {
            "homePageUrl": f"{address}/page/",
            "redirectUris": [f"{address}/.auth/login/aad/callback"],
            "implicitGrantSettings": {"enableIdTokenIssuance": True},
        },
        "appRoles": [
            {
                "id": role_id(mark, role),
                "value": role,
                "displayName": role.capitalize(),
                "description": meaning,
                "allowedMemberTypes": ["User"],
                "isEnabled": True,
            }
            for role, meaning in ROLES.items()
        ],
    }


def credential(issuer: str, subject: str) -> dict[str, Any]:
    """What lets the app's identity stand in the place of a client secret."""
    return {"name": _CREDENTIAL, "issuer": issuer, "subject": subject, "audiences": [AUDIENCE]}


def known_credential(answer: Mapping[str, Any], subject: str) -> str:
    """`same` where the identity has its credential, the id of one for another identity, or nothing."""
    own = [one for one in answer["value"] if one["name"] == _CREDENTIAL]
    if any(one["subject"] == subject for one in own):
        return "same"
    return str(own[0]["id"]) if own else ""


def owned(answer: Mapping[str, Any], person: str) -> str:
    """`alone` where nobody but this person, or app, owns a registration; otherwise `no`."""
    return "alone" if [str(one["id"]).lower() for one in answer["value"]] == [person.lower()] else "no"


def main(arguments: Sequence[str]) -> int:
    command, *rest = arguments
    if command == "registration":
        print(json.dumps(registration(*rest)))
    elif command == "new-credential":
        print(json.dumps(credential(*rest)))
    elif command == "service-principal":
        # Nobody without a role gets a token; the tag shows it under Enterprise applications.
        tags = ["WindowsAzureActiveDirectoryIntegratedApp"]
        print(json.dumps({"appId": rest[0], "appRoleAssignmentRequired": True, "tags": tags}))
    elif command == "assignment":
        mark, person, resource = rest
        print(json.dumps({"principalId": person, "resourceId": resource, "appRoleId": role_id(mark, "admin")}))
    elif command == "credential":
        print(known_credential(json.load(sys.stdin), rest[0]))
    elif command == "owned":
        print(owned(json.load(sys.stdin), rest[0]))
    elif command == "assigned":
        print("somebody" if json.load(sys.stdin)["value"] else "nobody")
    elif command == "remembered":
        print((json.load(sys.stdin) or {}).get("madeClientId", ""))
    elif command == "forget":
        print(json.dumps({"madeClientId": rest[0]} if rest[0] else None))
    elif command == "found":
        # Whoever gives our tag to many shall not keep anybody waiting.
        for one in json.load(sys.stdin)["value"][:_MOST]:
            print(one["id"], one[rest[0]])
    elif command == "one":
        one = json.load(sys.stdin)
        print(one["id"], one[rest[0]])
    else:
        raise ValueError(f"There is no command {command}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
