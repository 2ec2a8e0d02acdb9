"""Which files an operator selects: by name, prefix, project or state. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from batch_ops.domain import naming
from batch_ops.domain.file_record import FINAL, FileRecord, State


@dataclass(frozen=True, slots=True)
class Selection:
    """Every field that is given must match; empty fields do not matter.

    `since`: dropped then or later. `newest`: to be listed by the time of their drop, the newest first. `warnings`:
    kinds of which a file must have at least one.
    """

    names: tuple[str, ...] = ()
    prefix: str = ""
    project: str = ""
    states: frozenset[State] = frozenset()
    since: datetime | None = None
    newest: bool = False
    warnings: frozenset[str] = frozenset()

    @property
    def by_time(self) -> bool:
        """Whether the files are listed by the time of their drop; else by name."""
        by_state = bool(self.states) and (not self.prefix or FINAL.isdisjoint(self.states))
        return self.newest or self.since is not None or by_state

    def names_it(self, name: str) -> bool:
        """Return whether a file of this name may be selected."""
        return (
            (not self.names or name in self.names)
            and name.startswith(self.prefix)
            and self.project in {"", naming.project_of(name)}
        )

    def matches(self, record: FileRecord) -> bool:
        """Return whether a file is selected."""
        dropped = record.times.dropped_at
        return (
            self.names_it(record.name)
            and (not self.states or record.state in self.states)
            and (self.since is None or (dropped is not None and dropped >= self.since))
            and self.is_warned(record)
        )

    def is_warned(self, record: FileRecord) -> bool:
        """Return whether a file has the warnings that are asked for."""
        return not self.warnings or not self.warnings.isdisjoint(warning.code for warning in record.plan.warnings)

    def projects(self, known: Iterable[str]) -> tuple[str, ...]:
        """Return those of the known projects that may have such files."""
        if self.project:
            return (self.project,)
        if "/" in self.prefix:
            return (naming.project_of(self.prefix),)
        # Files at the root belong to the default project, whatever their name begins with.
        found = {project for project in known if project.startswith(self.prefix)}
        return tuple(sorted(found | {naming.DEFAULT_PROJECT}))
