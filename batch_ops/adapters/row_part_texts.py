"""Text of a row for the parts of its run: a letter for each part, and what only some of them have.

Of 500 parts that run at the same time it takes a third of what a property can hold.
"""

import json
from datetime import UTC, datetime
from typing import Any

from batch_ops.domain.parts import Parts, PartState, PartTask
from batch_ops.domain.prices import NodeKind
from batch_ops.task.failure_kinds import FailureKind
from batch_ops.task.parts import Division, PartsError


def text_of_parts(parts: Parts | None) -> str:
    """{"axis": "t", "size": 50, "number": 3, "halo": 0, "states": "ssr", "more": {"3": {"n": 2, "at": 1795945951}}}."""
    if parts is None:
        return ""
    cut = parts.cut
    more = {str(number): said for number, part in enumerate(parts.each, start=1) if (said := _said(part))}
    data: dict[str, Any] = {"axis": cut.axis, "size": cut.size, "number": cut.number, "halo": cut.halo}
    data["states"] = "".join(part.state for part in parts.each)
    return json.dumps({**data, "more": more} if more else data, separators=(",", ":"))


def _said(part: PartTask) -> dict[str, Any]:
    said = {
        "n": part.attempt if part.attempt > 1 else 0,
        "tries": {str(kind): count for kind, count in part.tries},
        "alone": int(part.alone),
        "requeues": part.requeues,
        "lost": part.node_losses,
        "kind": str(part.node_kind or ""),
        "at": _seconds(part.started_at),
        "due": _seconds(part.not_before),
        "missing": _seconds(part.missing_since),
    }
    return {name: value for name, value in said.items() if value}


def parts_of(text: str) -> Parts | None:
    """Read what `text_of_parts` wrote; None for what no version up to this one writes."""
    try:
        data = json.loads(text or "null")
        if data is None:
            return None
        cut = Division(data["axis"], data["size"], data["number"], data["halo"])
        more = data.get("more", {})
        each = tuple(_part(state, more.get(str(number), {})) for number, state in enumerate(data["states"], start=1))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, PartsError):
        return None
    return Parts(cut, each) if len(each) == cut.number else None


def _part(state: str, said: dict[str, Any]) -> PartTask:
    return PartTask(
        state=PartState(state),
        attempt=int(said.get("n", 1)),
        tries=tuple((FailureKind(kind), int(count)) for kind, count in said.get("tries", {}).items()),
        alone=bool(said.get("alone", 0)),
        requeues=int(said.get("requeues", 0)),
        node_losses=int(said.get("lost", 0)),
        node_kind=NodeKind(said["kind"]) if "kind" in said else None,
        started_at=_moment(said.get("at")),
        not_before=_moment(said.get("due")),
        missing_since=_moment(said.get("missing")),
    )


def _seconds(moment: datetime | None) -> int:
    """To the second: what is between costs nobody anything."""
    return 0 if moment is None else round(moment.timestamp())


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
