"""Which files an operator means: by name, prefix, project or state. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from batch_ops.domain import naming
from batch_ops.domain.file_record import FileRecord, State


@dataclass(frozen=True, slots=True)
class Selection:
    """All of what is given must hold; what is empty does not matter."""

    names: tuple[str, ...] = ()
    prefix: str = ""
    project: str = ""
    states: frozenset[State] = frozenset()

    @property
    def is_everything(self) -> bool:
        """Nothing was given."""
        return not (self.names or self.prefix or self.project or self.states)

    def names_it(self, name: str) -> bool:
        """Whether a file of this name may be meant."""
        return (
            (not self.names or name in self.names)
            and name.startswith(self.prefix)
            and self.project in {"", naming.project_of(name)}
        )

    def matches(self, record: FileRecord) -> bool:
        """Whether a file is meant."""
        return self.names_it(record.name) and (not self.states or record.state in self.states)

    def projects(self, known: Iterable[str]) -> tuple[str, ...]:
        """The projects, of those that are known, in which such files may be."""
        if self.project:
            return (self.project,)
        if "/" in self.prefix:
            return (naming.project_of(self.prefix),)
        # Files at the root belong to the default project, whatever their name begins with.
        found = {project for project in known if project.startswith(self.prefix)}
        return tuple(sorted(found | {naming.DEFAULT_PROJECT}))
