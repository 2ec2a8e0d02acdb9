"""Drops the files and looks at their rows until nothing more will happen."""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from azure.core.exceptions import AzureError

from local_cloud.cloud.errors import CloudError
from local_cloud.demo.dropped import DroppedFile, FileRow, FileState
from local_cloud.demo.progress import Show, lines

_LOOK_EVERY = 0.25  # seconds
# How long a project may be looked at again and again before it is believed to be of no use.
_SECONDS_FOR_A_PROJECT = 10.0


class _Cloud(Protocol):
    def has_ended(self) -> bool: ...


class _Storage(Protocol):
    def drop(self, file: DroppedFile) -> None: ...
    def rows(self, files: Sequence[DroppedFile]) -> dict[str, FileRow]: ...
    def given_up(self) -> int: ...


def watch(
    cloud: _Cloud,
    storage: _Storage,
    files: Sequence[DroppedFile],
    show: Show,
    time_limit: float | None,
    log: Path,
    patience: float = _SECONDS_FOR_A_PROJECT,
) -> dict[str, FileRow]:
    """Drop the files and show them until all have come to an end, or the time is over. Raises CloudError.

    `patience`: seconds after which files that wait for another project have come to their end, too.
    """
    uploaded: dict[str, datetime] = {}
    rows: dict[str, FileRow] = {}
    given_up = 0
    stuck: float | None = None
    deadline = None if time_limit is None else time.monotonic() + time_limit
    with _storage_errors_as_sentences():
        for file in files:
            storage.drop(file)
            uploaded[file.name] = datetime.now(UTC)
            show(lines(files, rows, uploaded, datetime.now(UTC)))
        while True:
            with contextlib.suppress(AzureError):  # storage may be started again; that a cloud has ended is seen below
                rows = storage.rows(files)
                given_up = storage.given_up()
            show(lines(files, rows, uploaded, datetime.now(UTC)))
            if len(rows) == len(files) and all(row.state.is_end for row in rows.values()):
                return rows
            stuck = (stuck or time.monotonic()) if _needs_another_project(rows, files) else None
            if stuck is not None and time.monotonic() - stuck > patience:
                return rows
            if deadline is not None and time.monotonic() > deadline:
                return rows
            if cloud.has_ended():
                raise CloudError("The cloud ended before the files did; its log is in the folder logs.")
            if given_up:
                raise CloudError(
                    f"The function app failed on {given_up} messages, which lie in its poison queues now. "
                    f"Why stands in {log}."
                )
            time.sleep(_LOOK_EVERY)


def _needs_another_project(rows: Mapping[str, FileRow], files: Sequence[DroppedFile]) -> bool:
    """Say whether nothing more will happen, because the demo's project can't be used and stays as it is."""
    waits = FileState.WAITING_FOR_PROJECT
    return len(rows) == len(files) and all(row.state.is_end or row.state is waits for row in rows.values())


@contextlib.contextmanager
def _storage_errors_as_sentences() -> Iterator[None]:
    try:
        yield
    except AzureError as exc:
        raise CloudError(f"The storage of the cloud does not answer: {exc.message.splitlines()[0]}") from exc
