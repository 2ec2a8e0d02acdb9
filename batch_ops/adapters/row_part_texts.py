"""Text of a row for the parts of its run: a letter for each part, and what only some of them have.

Of 500 parts that have all failed in several ways it takes less than a property can hold.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from batch_ops.domain.parts import Parts, PartState, PartTask
from batch_ops.domain.prices import NodeKind
from batch_ops.task.failure_kinds import FailureKind
from batch_ops.task.parts import Division, PartsError

_LETTERS = {
    FailureKind.STAGING_IN: "I",
    FailureKind.NODE: "N",
    FailureKind.COMMAND: "C",
    FailureKind.OUT_OF_MEMORY: "M",
    FailureKind.DISK_FULL: "D",
    FailureKind.TIMEOUT: "T",
    FailureKind.STAGING_OUT: "O",
    FailureKind.NO_OUTPUT: "R",
    FailureKind.LOST: "L",
    FailureKind.ENDED: "E",
}
_KINDS = {letter: kind for kind, letter in _LETTERS.items()}

type _Node = tuple[str, int | None]


def text_of_parts(parts: Parts | None) -> str:
    """{"axis": "t", "size": 50, "number": 3, "halo": 0, "states": "ssr", "more": {"3": [2, "N1"]}}, "since", "nodes".

    `more`: of each part with more to say its attempt, tries ("N2" = twice NODE), alone (1), requeues, lost nodes, which
    of `nodes` (1 = the first, [kind, price]), and when it began, is due and went missing, in seconds after `since`; all
    without the zeros at the end.
    """
    if parts is None or parts.unread:
        return parts.unread if parts else ""
    cut = parts.cut
    moments = [_seconds(moment) for part in parts.each for moment in _moments(part) if moment is not None]
    since = min(moments, default=1) - 1
    nodes: list[_Node] = list(dict.fromkeys(node for part in parts.each if (node := _node(part)) is not None))
    more = {str(n): said for n, part in enumerate(parts.each, 1) if (said := _said(part, since, nodes))}
    data: dict[str, Any] = {"axis": cut.axis, "size": cut.size, "number": cut.number, "halo": cut.halo}
    data["states"] = "".join(part.state for part in parts.each)
    data |= {"since": since} if moments else {}
    data |= {"nodes": nodes} if nodes else {}
    data |= {"more": more} if more else {}
    return json.dumps(data, separators=(",", ":"))


def _moments(part: PartTask) -> tuple[datetime | None, ...]:
    return part.started_at, part.not_before, part.missing_since


def _node(part: PartTask) -> _Node | None:
    found = (str(part.node_kind or ""), part.slot_price_micro)
    return None if found == ("", None) else found


def _said(part: PartTask, since: int, nodes: Sequence[_Node]) -> list[int | str]:
    node = _node(part)
    said: list[int | str] = [
        part.attempt if part.attempt > 1 else 0,
        "".join(f"{_LETTERS[kind]}{count}" for kind, count in part.tries) or 0,
        int(part.alone),
        part.requeues,
        part.node_losses,
        0 if node is None else nodes.index(node) + 1,
        *(0 if moment is None else _seconds(moment) - since for moment in _moments(part)),
    ]
    while said and not said[-1]:
        said.pop()
    return said


def parts_of(text: str) -> Parts | None:
    """Read what `text_of_parts` wrote; what only a newer version understands is kept as it is (see `Parts.unread`)."""
    try:
        data = json.loads(text or "null")
        if data is None:
            return None
        cut = Division(data["axis"], data["size"], data["number"], data["halo"])
        more, states = data.get("more", {}), data["states"]
        if len(states) == cut.number:
            return Parts(cut, tuple(_part(PartState(s), more.get(str(n), ()), data) for n, s in enumerate(states, 1)))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError, PartsError):
        pass
    return Parts.not_understood(text)


def _part(state: PartState, said: Sequence[Any], data: Mapping[str, Any]) -> PartTask:
    attempt, tries, alone, requeues, losses, node, *moments = list(said) + [0] * (9 - len(said))
    kind, price = data["nodes"][node - 1] if node else ("", None)
    started, due, missing = (datetime.fromtimestamp(data["since"] + at, UTC) if at else None for at in moments)
    return PartTask(
        state=state,
        attempt=int(attempt or 1),
        tries=tuple((_KINDS[letter], int(count)) for letter, count in re.findall(r"(\D)(\d+)", tries or "")),
        alone=bool(alone),
        requeues=int(requeues),
        node_losses=int(losses),
        node_kind=NodeKind(kind) if kind else None,
        slot_price_micro=price,
        started_at=started,
        not_before=due,
        missing_since=missing,
    )


def _seconds(moment: datetime) -> int:
    """To the second: what is between costs nobody anything."""
    return int(moment.timestamp())
