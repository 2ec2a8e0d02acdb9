"""What was found out about projects, in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from batch_ops.domain import naming
from batch_ops.domain.worklist import FolderContrast
from tests.fakes.cloud import Cloud, call
from tests.fakes.table import check_key


@dataclass(frozen=True, slots=True)
class _Known:
    etag: str
    values: tuple[tuple[str, str], ...]


class FakeProjectNotes:
    """Port `ProjectNotes`."""

    # It is the same table that is out.
    service = "worklist"

    def __init__(self, cloud: Cloud | None = None) -> None:
        self.cloud = cloud or Cloud()
        self._rejected: dict[str, dict[str, str]] = {}
        self._answers: dict[str, dict[str, str]] = {}
        self._contrasts: dict[str, FolderContrast] = {}
        self._strays: dict[tuple[str, str], str] = {}
        self._projects: dict[str, _Known] = {}

    @call()
    def project(self, name: str, etag: str) -> Mapping[str, str] | None:
        self.cloud.examined["work"] += 1
        known = self._projects.get(naming.partition_key(name))
        return dict(known.values) if known and known.etag == etag else None

    @call()
    def save_project(self, name: str, etag: str, values: Mapping[str, str]) -> None:
        key = naming.partition_key(name)
        check_key(key)
        self._projects[key] = _Known(etag, tuple(values.items()))

    @call()
    def note_rejected(self, project: str, name: str) -> None:
        self._rejected.setdefault(project, {})[naming.file_hash(name)] = name

    @call()
    def rejected(self, project: str) -> Sequence[str]:
        found = self._rejected.get(project, {})
        self.cloud.examined["work"] += max(len(found), 1)
        return [found[key] for key in sorted(found)]

    @call()
    def forget_rejected(self, project: str, name: str) -> None:
        self._rejected.get(project, {}).pop(naming.file_hash(name), None)

    @call()
    def answers(self, project: str) -> Mapping[str, str]:
        found = self._answers.get(project, {})
        self.cloud.examined["work"] += max(len(found), 1)
        return dict(found)

    @call()
    def answer(self, project: str, kind: str, axes: str) -> None:
        self._answers.setdefault(project, {})[kind] = axes

    @call()
    def contrast(self, folder: str) -> FolderContrast | None:
        return self._contrasts.get(folder)

    @call()
    def keep_contrast(self, kept: FolderContrast) -> None:
        self._contrasts.setdefault(kept.folder, kept)

    @call(cost=2)
    def forget_contrast(self, folder: str) -> bool:
        return self._contrasts.pop(folder, None) is not None

    @call()
    def stray(self, folder: str, suffix: str) -> str:
        return self._strays.get((folder, suffix), "")

    @call()
    def note_stray(self, folder: str, suffix: str, name: str) -> None:
        self._strays.setdefault((folder, suffix), name)
