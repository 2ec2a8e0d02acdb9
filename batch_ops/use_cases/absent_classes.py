"""Warns of a class that a file lacks although the other files of its folder have it."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from attrs import define, field

from batch_ops.domain import naming
from batch_ops.domain.errors import ServiceFault
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.task.run_plan import RunWarning
from batch_ops.task.warning_kinds import ABSENT_CLASS
from batch_ops.use_cases.newest_files import NewestFiles

_FRESH = timedelta(minutes=1)
# Of the newest files of the project so many are looked at, for as many of the same folder.
_LOOKED_AT, _COMPARED = 500, 50
_FEWEST = 3
# More of them than this share must have the class.
_MOST = 0.75
_KNOWN_FOLDERS = 1_000

type _Key = tuple[str, str]


@define(kw_only=True, eq=False)
class AbsentClasses:
    """Costs nothing where a file has every class; else a look into the index, at most one a minute for each folder."""

    _newest: NewestFiles
    _clock: Callable[[], datetime]
    _seen: dict[_Key, tuple[datetime, list[tuple[str, tuple[int, ...]]]]] = field(factory=dict, init=False)

    async def __call__(self, record: FileRecord, class_pixels: Sequence[int]) -> tuple[RunWarning, ...]:
        """Compare the pixels of each class (1 first) with those of files of the same folder and classifier."""
        absent = [index for index, pixels in enumerate(class_pixels) if not pixels]
        if not absent or not any(class_pixels):
            return ()
        try:
            others = [pixels for name, pixels in await self._others(record) if name != record.name]
        except ServiceFault:
            # What nobody can say now is no reason to wait.
            return ()
        if len(others) < _FEWEST:
            return ()
        found = []
        for index in absent:
            having = sum(pixels[index] > 0 for pixels in others if index < len(pixels))
            if having > _MOST * len(others):
                found.append(
                    RunWarning(
                        ABSENT_CLASS,
                        f"No pixel is of class {index + 1}, which {having} of the newest {len(others)} other files of "
                        "its folder have: compare the image with theirs.",
                    )
                )
        return tuple(found)

    async def _others(self, record: FileRecord) -> list[tuple[str, tuple[int, ...]]]:
        folder, digest = naming.folder_of(record.name), record.plan.tool.project_digest
        until, known = self._seen.get((folder, digest), (None, []))
        if until is not None and self._clock() < until:
            return known
        files = await self._newest.indexed(naming.project_of(record.name), {State.SUCCEEDED})
        known = []
        looked_at = 0
        if files is not None:
            async for other in files:
                looked_at += 1
                same = naming.folder_of(other.name) == folder and other.plan.tool.project_digest == digest
                if same and other.published.class_pixels:
                    known.append((other.name, other.published.class_pixels))
                if looked_at == _LOOKED_AT or len(known) == _COMPARED:
                    break
        if len(self._seen) >= _KNOWN_FOLDERS:
            self._seen.clear()
        self._seen[folder, digest] = (self._clock() + _FRESH, known)
        return known
