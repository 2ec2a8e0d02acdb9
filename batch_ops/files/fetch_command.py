"""`fetch`: the results of files that succeeded, in a folder of this machine."""

from argparse import Namespace
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

from attrs import define, field

from batch_ops.concurrency import for_all
from batch_ops.domain.errors import FolderFault
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.selection import Selection
from batch_ops.files.console import Console
from batch_ops.files.records import files
from batch_ops.files.text_table import shown
from batch_ops.ports.folder import Folder
from batch_ops.use_cases.fetching import Fetched, Fetching
from batch_ops.use_cases.steering import Steering
from batch_ops.wiring import local_folder

_AT_ONCE = 4
_PROBE = (".probe",)
_ROWS_AT_ONCE = 64


async def run(args: Namespace, steering: Steering, fetching: Fetching, console: Console) -> int:
    """Run the command and return its exit code. Raises `ServiceFault`, and `FolderFault` for a disk that can't."""
    # Files that are named one by one are looked up in any state, to say which it is.
    states = frozenset[State]() if args.names else frozenset({State.SUCCEEDED})
    wanted = Selection(tuple(args.names), args.prefix, args.project, states, args.since, newest=False)
    bring = _Bring(fetching, local_folder(args.to), console, as_json=args.json)
    rows: list[FileRecord] = []
    async for record in steering.select(wanted):
        rows.append(record)
        if len(rows) == _ROWS_AT_ONCE:
            await for_all(rows, bring.one, _AT_ONCE)
            rows.clear()
    await for_all(rows, bring.one, _AT_ONCE)
    if not args.json:
        bring.sum_up(args.to)
    unknown = len(set(args.names)) - bring.number.total() if args.names else 0
    if unknown:
        console.complain(f"Nothing is known about {files(unknown)} of those named.")
    return 1 if unknown or bring.number["left"] else 0


@define(eq=False)
class _Bring:
    """Brings file after file, and says so."""

    _fetching: Fetching
    _folder: Folder
    _console: Console
    _as_json: bool = field(kw_only=True)
    number: Counter[str] = field(factory=Counter, init=False)
    _bytes: int = field(default=0, init=False)

    async def one(self, record: FileRecord) -> None:
        done = await self._fetched(record) if record.state is State.SUCCEEDED else Fetched(left=f"it is {record.state}")
        self.number["left" if done.left else "fetched" if done.files else "kept"] += 1
        self._bytes += done.length
        if self._as_json:
            counts = {"files": done.files, "bytes": done.length, "left": done.left or None}
            self._console.say_json({"name": record.name, "run": record.run, **counts})
        elif done.left:
            self._console.complain(f"{shown(record.name)} was not fetched: {done.left}.")
        elif done.files:
            self._console.say(f"{shown(record.name)}: {files(done.files)}, {done.length:,} bytes")

    async def _fetched(self, record: FileRecord) -> Fetched:
        """Fetch one file; one that the disk can't hold does not hold up the others, a disk that holds nothing does."""
        try:
            return await self._fetching.fetch(record, self._folder)
        except FolderFault as fault:
            await self._folder.write(_PROBE, _nothing(), length=0, md5=None)
            await self._folder.remove(_PROBE)
            return Fetched(left=str(fault).removesuffix("."))

    def sum_up(self, folder: Path) -> None:
        """Say what was done in all."""
        fetched, kept, left = (self.number[what] for what in ("fetched", "kept", "left"))
        sentence = f"Results of {files(fetched)} ({self._bytes:,} bytes) are now in {shown(str(folder))}"
        self._console.say(
            f"{sentence}; {kept:,} were there already{f', {left:,} could not be fetched' if left else ''}."
        )


async def _nothing() -> AsyncIterator[bytes]:
    yield b""
