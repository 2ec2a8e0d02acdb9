"""Records as JSON text for the database, and back."""

from operator import attrgetter
from types import GenericAlias
from typing import Any, get_type_hints

from pydantic import TypeAdapter

from local_cloud.batch.state.model import NEVER_RUN, Execution, Job, Pool, Task
from local_cloud.batch.state.node_records import JobNode, Node

_ADAPTERS: dict[type, TypeAdapter[Any]] = {kind: TypeAdapter(kind) for kind in (Pool, Node, Job, JobNode)}


def encode(record: Any) -> str:
    """Write a record as JSON text."""
    return _ADAPTERS[type(record)].dump_json(record).decode()


def decode[R](kind: type[R], text: str) -> R:
    """Read the record of type `kind` that `encode` wrote."""
    record: R = _ADAPTERS[kind].validate_json(text)
    return record


# What changes of a task is a list, in the order of its fields: there may be 100,000 of them to read at a start.
_STATE = {name: kind for name, kind in get_type_hints(Task).items() if name not in ("job", "key", "seq", "spec")}
_STATE["execution"] = Execution | None  # most have not run
_LIST: Any = GenericAlias(tuple, tuple(_STATE.values()))
_STATES = TypeAdapter(_LIST)
_state_of = attrgetter(*_STATE)
_EXECUTION = list(_STATE).index("execution")


def encode_task(task: Task) -> str:
    """Write what changes of a task."""
    state = list(_state_of(task))
    if task.execution is NEVER_RUN:
        state[_EXECUTION] = None
    return _STATES.dump_json(tuple(state)).decode()


def decode_task(job: str, key: str, seq: int, spec: str, text: str) -> Task:
    """Read the task that `encode_task` wrote."""
    state = dict(zip(_STATE, _STATES.validate_json(text), strict=True))
    state["execution"] = state["execution"] or NEVER_RUN
    return Task(job=job, key=key, seq=seq, spec=spec, **state)
