"""What a completed task asks for: whether those that depend on it may run, and what becomes of its job."""

from collections.abc import Iterator
from dataclasses import dataclass

from local_cloud.batch.state.model import Failure, Json, Result, Task, TaskState

TASK_ENDED = "TaskEnded"  # the failure of a task that was ended by a request or ran out of time
ENDED_BY_USER = Failure("usererror", TASK_ENDED, "Task Was Ended by User Request")


@dataclass(frozen=True, slots=True)
class ExitOptions:
    """What follows from the way a task has ended: `job_action` is none, disable or terminate."""

    satisfies: bool
    job_action: str


def exit_options(task: Task) -> ExitOptions:
    """Say what follows from a completed task, by its exit conditions and the service's defaults.

    Whoever ends a task by a request does not mean its job.
    """
    good = task.execution.result is Result.SUCCESS
    harmless = good or task.execution.failure == ENDED_BY_USER
    given: Json = {}
    if '"exitConditions"' in task.spec:
        given = next(_fitting(task, task.body()["exitConditions"]), {})
    satisfies = given.get("dependencyAction", "satisfy" if good else "block") == "satisfy"
    return ExitOptions(satisfies, given.get("jobAction", "none" if harmless else "terminate"))


def _fitting(task: Task, conditions: Json) -> Iterator[Json]:
    """Yield the exit options that fit, what counts first coming first.

    Success without an exit code or range of its own has none of them, the default included.
    """
    code, failure = task.execution.exit_code, task.execution.failure
    if code is not None:
        yield from (entry["exitOptions"] for entry in conditions.get("exitCodes", []) if entry["code"] == code)
        for entry in conditions.get("exitCodeRanges", []):
            if entry["start"] <= code <= entry["end"]:
                yield entry["exitOptions"]
    if failure is None:
        return
    if failure.code.startswith("FileUpload"):
        named = "fileUploadError"
    elif code is None and failure.code != TASK_ENDED:
        named = "preProcessingError"
    else:
        named = "default"
    for name in (named, "default"):
        if name in conditions:
            yield conditions[name]


def satisfies(task: Task) -> bool:
    """Say whether the tasks that depend on this one need not wait for it any longer."""
    return task.state is TaskState.COMPLETED and exit_options(task).satisfies
