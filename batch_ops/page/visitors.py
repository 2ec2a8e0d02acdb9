"""Who visits the page, as App Service authentication says it, and what they may see and steer. Pure.

App Service puts `X-MS-CLIENT-PRINCIPAL` into each request of somebody who has signed in, and takes it out of what comes
from outside: the claims of the token, as JSON in base64. The app roles of the app registration give the role, groups
the projects that are theirs.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from batch_ops.domain import naming
from batch_ops.domain.page_groups import PageGroups
from batch_ops.task.plain_text import plain

PRINCIPAL = "x-ms-client-principal"
# Of another provider, whose claims somebody else decides, nobody has a role.
_ENTRA = "aad"
_ROLE_CLAIMS = frozenset({"roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"})
_GROUP_CLAIM = "groups"
_ID_CLAIMS = ("http://schemas.microsoft.com/identity/claims/objectidentifier", "oid")
_NAME_CLAIMS = ("preferred_username", "name", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name")
# Real ones have a few kilobytes; groups beyond 200 come as a link.
_LONGEST = 64 * 1024


class AppRole(IntEnum):
    """What somebody may do, each also what those before it may; the names are those of the app roles in lower case."""

    VIEWER = 1
    OWNER = 2
    OPERATOR = 3
    ADMIN = 4


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody with a role. Viewers and owners have the projects of their groups, the others all."""

    id: str
    name: str
    role: AppRole
    projects: frozenset[str] = frozenset()

    @property
    def label(self) -> str:
        """Who this is, for rows and logs."""
        return self.name if self.name == self.id or not self.id else f"{self.name} ({self.id})"

    def sees(self, project: str) -> bool:
        """Whether the project's files are shown; project "": whether all are."""
        return self.role >= AppRole.OPERATOR or (bool(project) and naming.composed(project) in self.projects)

    @property
    def steers_some(self) -> bool:
        """Whether there is anything that they may steer, and drop files into."""
        return self.role >= AppRole.OPERATOR or (self.role >= AppRole.OWNER and bool(self.projects))

    def steers(self, project: str) -> bool:
        """Whether its files may be run again or cancelled, and it may be paused; project "": all at once."""
        return self.role >= AppRole.OWNER and self.sees(project)


def visitor_of(header: str | None, groups: PageGroups) -> Visitor | None:
    """Read the header; None for somebody without a role, and for what can't be read."""
    claims = _claims(header or "")
    if claims is None:
        return None
    roles = [AppRole[value.upper()] for value in _values(claims, _ROLE_CLAIMS) if value.upper() in AppRole.__members__]
    if not roles:
        return None
    mine = groups.projects_of(_values(claims, {_GROUP_CLAIM}))
    who = next(iter(_first(claims, _ID_CLAIMS)), "")
    name = next(iter(_first(claims, _NAME_CLAIMS)), who)
    return Visitor(plain(who), plain(name), max(roles), mine)


def _claims(header: str) -> list[tuple[str, str]] | None:
    if not 0 < len(header) <= _LONGEST:
        return None
    try:
        principal: Mapping[str, Any] = json.loads(base64.b64decode(header, validate=True))
        if principal["auth_typ"] != _ENTRA:
            return None
        return [(str(claim["typ"]), str(claim["val"])) for claim in principal["claims"]]
    except (binascii.Error, ValueError, KeyError, TypeError, RecursionError):
        return None


def _values(claims: Iterable[tuple[str, str]], kinds: Iterable[str]) -> list[str]:
    wanted = frozenset(kinds)
    return [value for kind, value in claims if kind in wanted]


def _first(claims: Iterable[tuple[str, str]], kinds: Iterable[str]) -> list[str]:
    found = dict(reversed(list(claims)))
    return [found[kind] for kind in kinds if found.get(kind)]
