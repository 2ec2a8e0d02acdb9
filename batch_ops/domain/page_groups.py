"""Which projects belong to which groups of people, for the page. Frozen."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from batch_ops.domain import naming

_FORM = 'it must be JSON such as {"<object id of a group>": ["embryos", "wings"]}'


@dataclass(frozen=True, slots=True)
class PageGroups:
    """Groups by the object ids that Entra gives them, in lower case, each with its projects by their composed names."""

    owned: tuple[tuple[str, frozenset[str]], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the setting. Raises ValueError with what is wrong, as the end of a sentence."""
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as exc:
            raise ValueError(_FORM) from exc
        if not isinstance(found, dict) or not all(
            isinstance(projects, list) and all(isinstance(one, str) and one for one in projects)
            for projects in found.values()
        ):
            raise ValueError(_FORM)
        return cls(
            tuple((group.lower(), frozenset(map(naming.composed, projects))) for group, projects in found.items())
        )

    def projects_of(self, groups: Iterable[str]) -> frozenset[str]:
        """Return the projects of these groups."""
        mine = {group.lower() for group in groups}
        return frozenset(project for group, projects in self.owned if group in mine for project in projects)


NO_GROUPS = PageGroups()
