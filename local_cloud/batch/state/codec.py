"""Records as JSON text for the database, and back."""

import json
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from local_cloud.batch.state.model import NEVER_RUN, Execution, Failure, Result, Task, TaskState


def encode(record: Any) -> str:
    """Write a record as JSON text."""
    return json.dumps(_plain(record), ensure_ascii=False, separators=(",", ":"))


def decode[R](kind: type[R], text: str) -> R:
    """Read the record of type `kind` that `encode` wrote."""
    record: R = _restore(kind, json.loads(text))
    return record


_NAMES: dict[type, tuple[str, ...]] = {}  # fields() is slow, and records are written often


def _names(kind: type) -> tuple[str, ...]:
    if kind not in _NAMES:
        _NAMES[kind] = tuple(entry.name for entry in fields(kind)) if is_dataclass(kind) else ()
    return _NAMES[kind]


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int | dict):
        return value
    names = _names(type(value))
    if names:
        return {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    return value


def _restore(kind: Any, value: Any) -> Any:
    if value is None or kind is Any:
        return value
    if isinstance(kind, UnionType):
        kind = next(part for part in get_args(kind) if part is not NoneType)
    if get_origin(kind) is tuple:
        parts = get_args(kind)
        if parts[-1] is Ellipsis:
            return tuple(_restore(parts[0], entry) for entry in value)
        return tuple(_restore(part, entry) for part, entry in zip(parts, value, strict=True))
    if isinstance(kind, type) and is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{name: _restore(hints[name], entry) for name, entry in value.items() if name in hints})
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind(value)
    if kind is datetime:
        return datetime.fromisoformat(value)
    if kind is timedelta:
        return timedelta(seconds=value)
    return value


def encode_task(task: Task) -> str:
    """Write what changes of a task as a JSON list: there may be 100,000 of them to read at a start."""
    execution = None if task.execution is NEVER_RUN else _plain(task.execution)
    return json.dumps(
        [
            task.id,
            task.revision,
            task.created.isoformat(),
            task.modified.isoformat(),
            task.state,
            task.state_since.isoformat(),
            task.slots,
            task.previous_state,
            task.previous_since and task.previous_since.isoformat(),
            execution,
            task.pool,
            task.node,
        ],
        ensure_ascii=False,
        separators=(",", ":"),
    )


def decode_task(job: str, key: str, seq: int, spec: str, text: str) -> Task:
    """Read the task that `encode_task` wrote."""
    moment = datetime.fromisoformat
    # fmt: off
    (id_, revision, created, modified, state, since, slots, previous, previous_since,
     execution, pool, node) = json.loads(text)
    # fmt: on
    return Task(
        job=job,
        key=key,
        id=id_,
        seq=seq,
        spec=spec,
        revision=revision,
        created=moment(created),
        modified=moment(modified),
        state=TaskState(state),
        state_since=moment(since),
        slots=slots,
        previous_state=previous and TaskState(previous),
        previous_since=previous_since and moment(previous_since),
        execution=NEVER_RUN if execution is None else _execution(execution),
        pool=pool,
        node=node,
    )


def _execution(value: dict[str, Any]) -> Execution:
    def moment(name: str) -> datetime | None:
        return value[name] and datetime.fromisoformat(value[name])

    failure = value["failure"]
    return Execution(
        start=moment("start"),
        end=moment("end"),
        exit_code=value["exit_code"],
        failure=failure
        and Failure(
            failure["category"],
            failure["code"],
            failure["message"],
            tuple((name, text) for name, text in failure["details"]),
        ),
        result=value["result"] and Result(value["result"]),
        retries=value["retries"],
        last_retry=moment("last_retry"),
        requeues=value["requeues"],
        last_requeue=moment("last_requeue"),
    )
