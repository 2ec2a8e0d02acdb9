"""One run of a command line on a node: fetch its files, start it, watch it, send its output."""

import asyncio
import shlex
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any

from local_cloud.batch.node.blob_access import BlobAccess
from local_cloud.batch.node.node_paths import TaskPaths
from local_cloud.batch.node.process import Program, RunningProgram
from local_cloud.batch.node.staging import UploadHook, disk_full, failure, fetch_resource_files, send_output_files
from local_cloud.batch.state.clock import Clock
from local_cloud.batch.state.model import Failure, Json
from local_cloud.batch.state.store import ProcessRecord, Store
from local_cloud.batch.state.tokens import Tokens

EXIT_CODE = Failure(
    "usererror",
    "FailureExitCode",
    "The task exited with an exit code representing a failure",
    (("Message", "The task process exited with an unexpected exit code"),),
)


class StopReason(Enum):
    """Why a run is ended from outside."""

    TERMINATED = "terminated by a request"
    REQUEUED = "to be run again"
    DELETED = "its task is deleted"
    NODE_GONE = "its node is gone"
    NODE_RECOVERED = "its node recovers and runs it again"
    SHUTDOWN = "the service stops"


class Stop:
    """Asks a run to end; the first reason counts, except that a gone node overrules."""

    def __init__(self) -> None:
        self.reason: StopReason | None = None
        self._event = asyncio.Event()
        self._gone = asyncio.Event()

    def request(self, reason: StopReason) -> None:
        """End the run for this reason."""
        if self.reason is None or reason is StopReason.NODE_GONE:
            self.reason = reason
        self._event.set()
        if reason is not StopReason.TERMINATED:
            self._gone.set()

    async def wait(self) -> None:
        """Return when a stop is requested."""
        await self._event.wait()

    async def wait_beyond_termination(self) -> None:
        """Return when nobody wants the output any more."""
        await self._gone.wait()


@dataclass(frozen=True, slots=True)
class Work:
    """What to run; `time_limit` in seconds from now, for everything up to the program's end.

    `notice` stands at the beginning of stderr.txt. With one, an empty command line is no error: nothing is run.
    """

    command_line: str
    paths: TaskPaths
    environment: Mapping[str, str]
    resource_files: list[Json]
    output_files: list[Json]
    time_limit: float | None = None
    notice: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run has ended; `exit_code` is None when no program ran to its end."""

    exit_code: int | None = None
    failure: Failure | None = None
    stopped: StopReason | None = None
    timed_out: bool = False


@dataclass(frozen=True, slots=True)
class Tools:
    """What a run needs of the world. Memory is watched only when `memory_bytes` is set."""

    clock: Clock
    access: BlobAccess
    kill_grace: float
    memory_bytes: int | None
    memory_interval: float
    store: Store
    tokens: Tokens


async def run(
    work: Work, tools: Tools, stop: Stop, *, disk_is_full: Callable[[], bool], upload_hook: UploadHook
) -> Ended:
    """Run `work` to its end, whatever that is; never raises for what a task can do."""
    stopper = asyncio.ensure_future(stop.wait())
    guards: set[asyncio.Future[Any]] = {stopper}
    if work.time_limit is not None:
        guards.add(asyncio.ensure_future(tools.clock.sleep(work.time_limit)))
    try:
        prepared, problem = await _unless(guards, _prepare(work, tools, disk_is_full))
        if not prepared:
            return Ended(stopped=stop.reason, timed_out=stop.reason is None)
        if problem is not None:
            return Ended(failure=problem)
        exit_code, problem = await _execute(work, tools, stop, guards)
        timed_out = stop.reason is None and any(guard.done() for guard in guards)
        if exit_code is None or stop.reason not in (None, StopReason.TERMINATED):
            return Ended(exit_code=exit_code, failure=problem, stopped=stop.reason, timed_out=timed_out)
        # A terminated task still sends its output; one that is deleted or run again does not.
        guards.add(watched := asyncio.ensure_future(stop.wait_beyond_termination()))
        sending = send_output_files(
            work.output_files, work.paths.working, work.environment, exit_code, tools.access, upload_hook
        )
        sent, problem = await _unless({watched}, sending)
        return Ended(
            exit_code=exit_code,
            failure=problem if sent else None,
            stopped=stop.reason,
            timed_out=timed_out,
        )
    finally:
        for guard in guards:
            guard.cancel()


async def _prepare(work: Work, tools: Tools, disk_is_full: Callable[[], bool]) -> Failure | None:
    try:
        work.paths.make()  # a moment's work: a thread would cost more
    except OSError as exc:
        return failure("ResourceDirectoryCreateFailed", "The task's folders could not be made", str(exc))
    if disk_is_full():
        return disk_full("the task's files")
    return await fetch_resource_files(work.resource_files, work.paths.working, tools.access)


async def _execute(
    work: Work, tools: Tools, stop: Stop, guards: set[asyncio.Future[Any]]
) -> tuple[int | None, Failure | None]:
    try:
        arguments = shlex.split(work.command_line)
    except ValueError as exc:
        return None, failure("CommandLaunchFailed", "The command line can't be split", str(exc))
    if not arguments and work.notice:
        work.paths.stderr.write_text(work.notice)
        work.paths.stdout.touch()
        return 0, None
    if not arguments:
        return None, failure("CommandLaunchFailed", "The command line is empty")
    try:
        program = await RunningProgram.start(
            Program(arguments, work.paths.working, work.environment, work.paths.stdout, work.paths.stderr, work.notice)
        )
    except FileNotFoundError:
        return None, failure("CommandProgramNotFound", "The specified command program is not found", arguments[0])
    except (OSError, ValueError) as exc:
        return None, failure("CommandLaunchFailed", "The command line could not be launched", str(exc))
    tools.store.add_process(ProcessRecord(program.pid, program.started, str(work.paths.root)))
    ending: asyncio.Future[Any] = asyncio.ensure_future(program.wait())
    watching = asyncio.ensure_future(_watch_memory(program, tools)) if tools.memory_bytes else None
    try:
        await asyncio.wait([ending, *guards], return_when=asyncio.FIRST_COMPLETED)
        if not ending.done():
            gentle = stop.reason not in (StopReason.NODE_GONE, StopReason.NODE_RECOVERED)
            await program.end(tools.kill_grace if gentle else 0.0)
        return await ending, None
    finally:
        if watching is not None:
            watching.cancel()
        program.kill()
        tools.store.drop_process(program.pid)


async def _watch_memory(program: RunningProgram, tools: Tools) -> None:
    """End a program that holds more memory than permitted, as a kernel short of memory would."""
    while True:
        await asyncio.sleep(tools.memory_interval)
        if program.resident_bytes() > (tools.memory_bytes or 0):
            program.kill()


async def _unless[R](guards: set[asyncio.Future[Any]], work: Coroutine[Any, Any, R]) -> tuple[bool, R | None]:
    """Return (True, result of `work`), or (False, None) when a guard came first and `work` was cancelled."""
    task: asyncio.Future[Any] = asyncio.ensure_future(work)
    try:
        await asyncio.wait([task, *guards], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return True, task.result()
        return False, None
    finally:
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
