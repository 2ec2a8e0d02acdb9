"""The figures of the Batch service: `python -m tests.bench.bench_batch`.

Each measure starts a service of its own as a process, drives it with the SDK and prints one line with the
figure, its target and whether it is met. Times on a busy machine say little: CPU time is printed beside them.
"""

import argparse
import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
from azure.batch import BatchClient, models
from azure.core.credentials import AzureNamedKeyCredential

from local_cloud.batch.node.orphans import ROOT_VARIABLE
from local_cloud.batch.state.settings import DEFAULT_ACCOUNT, DEFAULT_KEY

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

    def line(self) -> str:
        """One line for people."""
        sign = ">=" if self.at_least else "<="
        verdict = "ok  " if self.met else "MISS"
        note = f"  ({self.note})" if self.note else ""
        return f"{verdict} {self.name}: {self.value:.4g} {self.unit} (target {sign} {self.target:g}){note}"


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
        self.client = BatchClient(self.endpoint, AzureNamedKeyCredential(DEFAULT_ACCOUNT, DEFAULT_KEY))

    def cpu(self) -> float:
        """CPU seconds of the service itself so far."""
        times = self.info.cpu_times()
        return float(times.user + times.system)

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
    end = time.monotonic() + _PATIENCE
    while not what():
        if time.monotonic() > end:
            raise RuntimeError("The measure took too long.")
        time.sleep(0.05)


def measure_large_job(tasks: int = 100_000) -> list[Figure]:
    """A job of many tasks: adding, listing, memory, idling."""
    with _service() as (service, _):
        client = service.client
        _job(client, "big", "none")
        chunk = 10_000
        durations, used, client_used = [], [], []
        for start in range(0, tasks, chunk):
            group = [
                _task(f"{'wanted' if n % (tasks // 100) == 0 else 'task'}-{n:06d}", "true")
                for n in range(start, start + chunk)
            ]
            began, cpu, own = time.monotonic(), service.cpu(), time.process_time()
            client.create_tasks("big", group, max_concurrency=2)
            durations.append(time.monotonic() - began)
            used.append(service.cpu() - cpu)
            client_used.append(time.process_time() - own)
        listing, found, cpu, own = [], 0, service.cpu(), time.process_time()
        for _ in range(5):
            began = time.monotonic()
            found = len(list(client.list_tasks("big", filter="startswith(id,'wanted') and state eq 'active'")))
            listing.append(time.monotonic() - began)
        assert found == 100
        listing_cpu = (service.cpu() - cpu) / len(listing)
        listing_own = (time.process_time() - own) / len(listing)
        memory = service.info.memory_info().rss / (1 << 20)
        cpu, began = service.cpu(), time.monotonic()
        time.sleep(10)
        idle = 100 * (service.cpu() - cpu) / (time.monotonic() - began)
        worst = max(durations)
        return [
            Figure(
                "create_tasks of 10,000",
                worst,
                "s",
                10,
                note=f"CPU: service {max(used):.2f} s, client {max(client_used):.2f} s",
            ),
            Figure(
                "filtered list, 100 of 100,000",
                statistics.median(listing),
                "s",
                0.3,
                note=f"CPU: service {listing_cpu:.3f} s, client {listing_own:.3f} s",
            ),
            Figure("memory with 100,000 tasks", memory, "MB", 400),
            Figure("idle CPU", idle, "%", 2),
        ]


def measure_throughput(tasks: int = 500) -> list[Figure]:
    """Trivial tasks on two slots, from the first start to the last end."""
    with _service("--nodes", "2") as (service, _):
        client = service.client
        _job(client, "many")
        cpu = service.cpu()
        client.create_tasks("many", [_task(f"t{n}", "true") for n in range(tasks)])
        _wait(lambda: client.get_job_task_counts("many").task_counts.completed == tasks)
        runs = [task.execution_info for task in client.list_tasks("many")]
        starts = [run.start_time for run in runs if run and run.start_time]
        ends = [run.end_time for run in runs if run and run.end_time]
        rate = tasks / (max(ends) - min(starts)).total_seconds()
        note = f"service's CPU {1000 * (service.cpu() - cpu) / tasks:.1f} ms a task"
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
        restarted = time.monotonic()
        try:
            _wait(lambda: not before & _processes_of(data))
            ended = time.monotonic() - restarted
            client = second.client
            _wait(lambda: client.get_job_task_counts("j").task_counts.completed == tasks)
            runs = [task.execution_info for task in client.list_tasks("j")]
            good = sum(run is not None and run.exit_code == 0 and run.requeue_count <= 1 for run in runs)
        finally:
            second.stop()
        left = len(_processes_of(data))
        return [
            Figure("orphans ended after a restart", ended, "s", 2, note=f"{len(before)} processes"),
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


def main() -> int:
    """Print all figures; 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bench_batch", description=__doc__)
    parser.add_argument(
        "--only", choices=("large", "throughput", "kill"), help="measure one thing instead of all three"
    )
    parser.add_argument("--tasks", type=int, default=100_000, help="tasks of the large job")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", "datetime.datetime.utcnow", DeprecationWarning)
    figures: list[Figure] = []
    measures: dict[str, Callable[[], list[Figure]]] = {
        "large": partial(measure_large_job, arguments.tasks),
        "throughput": measure_throughput,
        "kill": measure_kill,
    }
    for name, measure in measures.items():
        if arguments.only not in (None, name):
            continue
        for figure in measure():
            print(figure.line(), flush=True)
            figures.append(figure)
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
