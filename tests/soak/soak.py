"""One soak: a cloud of its own, uploads and trouble side by side, then rest, then the rules."""

import dataclasses
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from azure.core.exceptions import AzureError

from batch_ops.domain import naming
from tests.acceptance.lab import REPOSITORY, Lab, laboratory
from tests.soak import books, soak_rules
from tests.soak.microscope import Microscope, client, insist
from tests.soak.plan import LATE, UNTAGGED, Fault, Plan
from tests.soak.trouble import Trouble

SETTINGS = {
    "GRACE_SECONDS": "5",
    "PROJECT_POLL_SECONDS": "1",
    "RECHECK_SECONDS": "20",
    "SWEEP_HOURS": "0.005",
    "RECONCILE_SCHEDULE": "*/2 * * * * *",
}
# A killed host leaves the messages that it held unseen for ten minutes; the sweep is there sooner, as a rule.
_SECONDS_TO_SETTLE = 900.0
_LOOK_EVERY = 2.0


@dataclass(frozen=True, slots=True)
class Report:
    """How a soak went; `work` are figures by what they count."""

    complaints: list[str]
    ends: Counter[str]
    faults: Counter[Fault]
    work: dict[str, int]


def soak(plan: Plan, folder: Path, say: Callable[[str], None], *, line_every: float = 60.0) -> Report:
    """Run it in `folder`, which keeps everything."""
    home = folder / "ilastik"
    notes = books.noting_ilastik(home, REPOSITORY / "local_cloud/ilastik")
    with laboratory(folder, SETTINGS, home) as usual:
        connection = usual.exports["AZURE_STORAGE_CONNECTION_STRING"]
        with client(connection) as blobs:
            lab = dataclasses.replace(usual, blobs=blobs)
            return _Soak(plan, lab, notes, say, line_every).run()


class _Soak:
    def __init__(self, plan: Plan, lab: Lab, notes: Path, say: Callable[[str], None], line_every: float) -> None:
        self._plan, self._lab, self._notes, self._say, self._line_every = plan, lab, notes, say, line_every
        self._names = [file.name for file in plan.files]
        self._microscope = Microscope(lab.blobs, lab.tmp)
        self._began = 0.0

    def run(self) -> Report:
        """Uploads and trouble, each in a thread of its own, while this one tells how it goes."""
        plan, lab, stop = self._plan, self._lab, threading.Event()
        lab.project("default")
        lab.project(UNTAGGED, axes="txyzc")
        self._began = time.monotonic()
        trouble = Trouble(lab, self._began)
        with ThreadPoolExecutor(3) as threads:
            works: list[Future[None]] = [
                threads.submit(self._microscope.run, plan.steps, self._began, stop),
                threads.submit(trouble.run, plan.strikes, stop),
                threads.submit(self._late_project, stop),
            ]
            try:
                self._tell_until(lambda: all(work.done() for work in works), trouble, None)
            finally:
                stop.set()
            for work in works:
                work.result()
        self._say(f"{self._clock()}  the faults are over; waiting until all has settled")
        rest = time.monotonic()
        self._tell_until(self._is_settled, trouble, rest + _SECONDS_TO_SETTLE)
        return self._judge(trouble, time.monotonic() - rest)

    def _late_project(self, stop: threading.Event) -> None:
        stop.wait(max(0.0, self._began + self._plan.late_at - time.monotonic()))
        insist(lambda: self._lab.project(LATE))

    def _tell_until(self, done: Callable[[], bool], trouble: Trouble, deadline: float | None) -> None:
        line = time.monotonic() + self._line_every
        while not done() and (deadline is None or time.monotonic() < deadline):
            if not self._lab.folder.env.exists():
                log = self._lab.folder.log("cloud").read_text(errors="replace")
                raise AssertionError(f"The cloud has ended. The end of what it said:\n{log[-2000:]}")
            if time.monotonic() >= line:
                line += self._line_every
                self._say(self._line(trouble))
            time.sleep(_LOOK_EVERY)

    def _line(self, trouble: Trouble) -> str:
        try:
            states = books.states(self._lab)
        except AzureError:
            states = Counter({"(storage does not answer)": 1})
        counts = ", ".join(f"{state} {count}" for state, count in states.most_common())
        struck = ", ".join(f"{fault} {count}" for fault, count in trouble.count.items())
        return f"{self._clock()}  {self._microscope.done}/{len(self._plan.steps)} uploads; {counts}; {struck}"

    def _clock(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        return f"{minutes:02}:{seconds:02}"

    def _is_settled(self) -> bool:
        files = {file.name: file for file in self._plan.files}
        left = books.settled(self._lab, self._names, lambda name, row, blob: soak_rules.is_done(files[name], row, blob))
        return not left and not books.intents(self._lab)

    def _judge(self, trouble: Trouble, settled_after: float) -> Report:
        found = books.read(self._lab, self._names, self._notes)
        results = self._lab.blobs.get_container_client("results")

        def read(name: str, leaf: str) -> bytes:
            return results.download_blob(naming.results_folder(name) + leaf).readall()

        complaints = soak_rules.complaints(self._plan.files, found, read)
        rows = [found.rows.get(file.name) for file in self._plan.files]
        tasks = [task for several in found.tasks.values() for task in several]
        return Report(
            complaints=complaints,
            ends=Counter(row["state"] if row else "no row" for row in rows),
            faults=trouble.count,
            work={
                "tasks created": len(tasks),
                "segmentations that came to their end": sum(found.ran.values()),
                "put back into the queue by Batch": sum(books.put_back(task) for task in tasks),
                "further attempts": sum(row["attempt"] - 1 for row in rows if row and row.get("attempt", 0) > 1),
                "seconds until all had settled": round(settled_after),
            },
        )
