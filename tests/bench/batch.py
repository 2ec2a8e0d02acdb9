"""The local Batch service at 100,000 tasks.

Each measure starts a service of its own as a process and drives it with the SDK. Times on a busy machine say little:
CPU time is reported beside them.
"""

import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from azure.batch import BatchClient, models
from azure.core.credentials import AzureNamedKeyCredential

from local_cloud.batch.cli import KEY_FILE
from local_cloud.batch.node.process import ROOT_VARIABLE
from local_cloud.batch.state.settings import DEFAULT_ACCOUNT
from tests.bench.measure import Spent, resident, spent
from tests.bench.report import Report
from tests.waiting import wait_until

_PATIENCE = 180.0  # seconds after which a measure has failed


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured figure and what it should be at most (or at least)."""

    name: str
    value: float
    unit: str
    target: float
    at_least: bool = False
    note: str = ""

    @property
    def met(self) -> bool:
        return self.value >= self.target if self.at_least else self.value <= self.target

    def row(self) -> tuple[str, ...]:
        """A line of the table."""
        target = f"{'>=' if self.at_least else '<='} {self.target:g} {self.unit}".rstrip()
        return self.name, target, f"{self.value:.4g} {self.unit}".rstrip(), self.note, "yes" if self.met else "NO"


class ServiceProcess:
    """A service as a process of its own."""

    def __init__(self, data: Path, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "local_cloud.batch", "--data", str(data), *arguments],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if "ready:" not in line:
            raise RuntimeError(f"The service did not start: {line!r}")
        self.endpoint = line.split()[3]
        self.info = psutil.Process(self._process.pid)
        self.client = BatchClient(
            self.endpoint, AzureNamedKeyCredential(DEFAULT_ACCOUNT, (data / KEY_FILE).read_text())
        )

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._close()

    def stop(self) -> None:
        """End it cleanly."""
        self._process.terminate()
        self._close()

    def _close(self) -> None:
        self._process.wait(30)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self.client.close()


@contextlib.contextmanager
def _service(*arguments: str) -> Iterator[tuple[ServiceProcess, Path]]:
    with tempfile.TemporaryDirectory(prefix="batch-bench-") as folder:
        running = ServiceProcess(Path(folder), *arguments)
        try:
            yield running, Path(folder)
        finally:
            running.stop()


def _job(client: BatchClient, job: str, pool: str = "ilastik") -> None:
    info = models.BatchPoolInfo(pool_id=pool)
    client.create_job(models.BatchJobCreateOptions(id=job, pool_info=info))


def _task(task_id: str, command: str) -> models.BatchTaskCreateOptions:
    """A task as the product makes it: with some variables and files."""
    settings = [models.EnvironmentSetting(name=f"SETTING_{n}", value=f"value {n}") for n in range(8)]
    return models.BatchTaskCreateOptions(id=task_id, command_line=command, environment_settings=settings)


def _wait(what: Callable[[], bool]) -> None:
    wait_until(what, _PATIENCE, lambda: "The measure took too long.")


def measure_large_job(tasks: int = 100_000) -> list[Figure]:
    """A job of many tasks: adding, listing, memory, idling."""
    with _service() as (service, _):
        client = service.client
        _job(client, "big", "none")
        chunk = 10_000
        creating, listing = [], []
        for start in range(0, tasks, chunk):
            group = [
                _task(f"{'wanted' if n % (tasks // 100) == 0 else 'task'}-{n:06d}", "true")
                for n in range(start, start + chunk)
            ]
            with spent(service.info) as took:
                client.create_tasks("big", group, max_concurrency=2)
            creating.append(took)
        for _ in range(5):
            with spent(service.info) as took:
                found = list(client.list_tasks("big", filter="startswith(id,'wanted') and state eq 'active'"))
            assert len(found) == 100
            listing.append(took)
        memory = resident(service.info) / 2**20
        with spent(service.info) as idling:
            time.sleep(10)
        worst, (used, own) = max(took.wall for took in creating), _cpu(creating, max)
        middle, (list_used, list_own) = statistics.median(took.wall for took in listing), _cpu(listing, statistics.mean)
        return [
            Figure("create_tasks of 10,000", worst, "s", 10, note=f"CPU: service {used:.2f} s, client {own:.2f} s"),
            Figure(
                "filtered list, 100 of 100,000",
                middle,
                "s",
                0.3,
                note=f"CPU: service {list_used:.3f} s, client {list_own:.3f} s",
            ),
            Figure("memory with 100,000 tasks", memory, "MB", 400),
            Figure("idle CPU", 100 * idling.cpu / idling.wall, "%", 2),
        ]


def _cpu(several: Sequence[Spent], summary: Callable[[list[float]], float]) -> tuple[float, float]:
    return summary([took.cpu for took in several]), summary([took.own for took in several])


def measure_throughput(tasks: int = 500) -> list[Figure]:
    """Trivial tasks on two slots, from the first start to the last end."""
    with _service("--nodes", "2") as (service, _):
        client = service.client
        _job(client, "many")
        with spent(service.info) as took:
            client.create_tasks("many", [_task(f"t{n}", "true") for n in range(tasks)])
            _wait(lambda: client.get_job_task_counts("many").task_counts.completed == tasks)
        runs = [task.execution_info for task in client.list_tasks("many")]
        starts = [run.start_time for run in runs if run and run.start_time]
        ends = [run.end_time for run in runs if run and run.end_time]
        rate = tasks / (max(ends) - min(starts)).total_seconds()
        note = f"service's CPU {1000 * took.cpu / tasks:.1f} ms a task"
        return [Figure("trivial tasks on 2 slots", rate, "tasks/s", 50, at_least=True, note=note)]


def measure_kill(tasks: int = 200) -> list[Figure]:
    """SIGKILL with many running tasks, then a start on the same data."""
    with tempfile.TemporaryDirectory(prefix="batch-bench-") as folder:
        data = Path(folder)
        arguments = ("--nodes", "2", "--task-slots", str(tasks // 2))
        first = ServiceProcess(data, *arguments)
        _job(first.client, "j")
        line = "/bin/sh -c 'echo x >> $AZ_BATCH_NODE_SHARED_DIR/$AZ_BATCH_TASK_ID; sleep 8'"
        first.client.create_tasks("j", [_task(f"t{n}", line) for n in range(tasks)])
        _wait(lambda: len(list(data.glob("nodes/*/*/root/shared/*"))) == tasks)
        before = _processes_of(data)
        first.kill()
        second = ServiceProcess(data, *arguments)
        try:
            with spent() as ending:
                _wait(lambda: not before & _processes_of(data))
            client = second.client
            _wait(lambda: client.get_job_task_counts("j").task_counts.completed == tasks)
            runs = [task.execution_info for task in client.list_tasks("j")]
            good = sum(run is not None and run.exit_code == 0 and run.requeue_count <= 1 for run in runs)
        finally:
            second.stop()
        left = len(_processes_of(data))
        return [
            Figure("orphans ended after a restart", ending.wall, "s", 2, note=f"{len(before)} processes"),
            Figure("tasks completed after SIGKILL", good, f"of {tasks}", tasks, at_least=True),
            Figure("processes left at the end", left, "", 0),
        ]


def _processes_of(data: Path) -> set[int]:
    root = str(data.resolve() / "nodes")
    found = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(ROOT_VARIABLE, "").startswith(root):
                found.add(process.pid)
    return found


def batch(report: Report, only: str | None, tasks: int) -> None:
    """One part or all three; a missed target makes the report a bad one."""
    parts = {"large": lambda: measure_large_job(tasks), "throughput": measure_throughput, "kill": measure_kill}
    figures = [figure for name, measure in parts.items() if only in {None, name} for figure in measure()]
    report.table(("measure", "target", "measured", "note", "target met"), [figure.row() for figure in figures])
    report.is_good = all(figure.met for figure in figures)
