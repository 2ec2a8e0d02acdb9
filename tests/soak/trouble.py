"""Does what a plan says to the processes of a cloud."""

import json
import signal
import threading
import time
from collections import Counter

import psutil

from tests.acceptance.lab import Lab
from tests.soak.plan import Fault, Strike
from tests.waiting import wait_until

_SECONDS_TO_COME_BACK = 60
_EVENTS = {
    Fault.EVENTS_LOST: {"copies": 0},
    Fault.EVENTS_DOUBLED: {"copies": 3},
    Fault.EVENTS_LATE: {"delay_seconds": 6},
}
_MODULES = {Fault.KILL_HOST: "local_cloud.functions", Fault.KILL_BATCH: "local_cloud.batch"}


class Trouble:
    """Strikes one after the other; whatever lasts is over when `run` returns."""

    def __init__(self, lab: Lab, began: float) -> None:
        self._lab = lab
        self._began = began
        self._storage = _azurite(lab)
        self.count: Counter[Fault] = Counter()

    def run(self, strikes: tuple[Strike, ...], stop: threading.Event) -> None:
        """Wait for each strike's second; `stop` ends it early."""
        ends: list[tuple[float, Fault]] = []
        try:
            for strike in [*strikes, None]:
                at = strike.at if strike else max((end for end, _ in ends), default=0.0)
                while ends and min(ends)[0] <= at:
                    end = min(ends)
                    ends.remove(end)
                    self._wait(end[0], stop)
                    if not any(fault is end[1] for _, fault in ends):
                        self._over(end[1])
                if strike is None or self._wait(at, stop):
                    return
                self._strike(strike.fault)
                self.count[strike.fault] += 1
                if strike.seconds:
                    ends.append((time.monotonic() - self._began + strike.seconds, strike.fault))
        finally:
            self._over(Fault.PAUSE_STORAGE)
            self._over(Fault.EVENTS_LOST)

    def _wait(self, at: float, stop: threading.Event) -> bool:
        return stop.wait(max(0.0, self._began + at - time.monotonic()))

    def _strike(self, fault: Fault) -> None:
        match fault:
            case Fault.KILL_HOST | Fault.KILL_BATCH:
                self._running(_MODULES[fault]).kill()
            case Fault.PAUSE_STORAGE:
                self._storage.send_signal(signal.SIGSTOP)
            case Fault.CUT_STORAGE:
                self._storage.send_signal(signal.SIGUSR2)
            case _:
                control = self._lab.folder.events_control
                partial = control.with_suffix(".partial")
                partial.write_text(json.dumps(_EVENTS[fault]))
                partial.replace(control)

    def _over(self, fault: Fault) -> None:
        if fault is Fault.PAUSE_STORAGE:
            self._storage.send_signal(signal.SIGCONT)
        else:
            self._lab.folder.events_control.unlink(missing_ok=True)

    def _running(self, module: str) -> psutil.Process:
        """The part's process; the supervisor may be about to start it."""

        def found() -> psutil.Process | None:
            try:
                return self._lab.process(module)
            except (LookupError, psutil.Error):
                return None

        return wait_until(found, _SECONDS_TO_COME_BACK, lambda: f"Nobody started {module} again.")


def _azurite(lab: Lab) -> psutil.Process:
    place = str(lab.folder.storage)
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if place in line and any(word.endswith("azurite.js") for word in line):
            return process
    raise LookupError("No Azurite runs for this cloud.")
