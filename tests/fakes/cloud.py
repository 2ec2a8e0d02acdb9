"""What the fakes of one test share: a virtual clock, counters, injected faults, and a hook around every call."""

from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import wraps
from itertools import count
from typing import Any, Concatenate, Protocol

START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


class When(StrEnum):
    """Whether something happens before a call takes effect, or after it but before its answer is heard."""

    BEFORE = "before"
    AFTER = "after"


class TakesEffectLate(Exception):
    """Raised where a call begins: it fails now with this error, and takes effect when `later` has it done."""

    def __init__(self, error: Exception, later: Callable[[Callable[[], object]], object]) -> None:
        super().__init__(error)
        self.error, self.later = error, later


type Hook = Callable[[str, When], Awaitable[None]]


class Cloud:
    """`calls` counts calls by `service.method`, `requests` what the real adapter would send, `examined` table rows.

    `hook` is awaited before and after every call with its name: it may wait (to interleave), raise (to crash), or
    look. Times move by `advance` alone.
    """

    def __init__(self, start: datetime = START) -> None:
        self.now = start
        self.calls: Counter[str] = Counter()
        self.requests: Counter[str] = Counter()
        self.examined: Counter[str] = Counter()
        self.hook: Hook | None = None
        self._faults: dict[tuple[str, When], deque[BaseException]] = {}
        self._numbers = count(1)

    def clock(self) -> datetime:
        """The time, for whoever takes a clock."""
        return self.now

    def advance(self, span: timedelta = timedelta(seconds=1)) -> datetime:
        """Let time pass."""
        self.now += span
        return self.now

    def fail(self, call: str, error: BaseException, *, times: int = 1, when: When = When.BEFORE) -> None:
        """Have the next calls of a method (`"ledger.claim"`) raise an error."""
        self._faults.setdefault((call, When(when)), deque()).extend([error] * times)

    def heal(self) -> None:
        """Forget the faults that did not happen yet."""
        self._faults.clear()

    def reset_counters(self) -> None:
        """Count from nothing again."""
        for counter in (self.calls, self.requests, self.examined):
            counter.clear()

    def number(self) -> int:
        """A number that never recurs: versions, ids."""
        return next(self._numbers)

    def enter(self, call: str, cost: int) -> Awaitable[None] | None:
        """A call begins; what it has to wait for."""
        self.calls[call] += 1
        self.requests[call] += cost
        if self.hook is not None:
            return self._hooked(call, When.BEFORE)
        if self._faults:
            self._raise(call, When.BEFORE)
        return None

    def leave(self, call: str) -> Awaitable[None] | None:
        """A call took effect; what its answer has to wait for."""
        if self._faults:
            self._raise(call, When.AFTER)
        return self.hook(call, When.AFTER) if self.hook is not None else None

    async def _hooked(self, call: str, when: When) -> None:
        assert self.hook is not None
        await self.hook(call, when)
        if self._faults:
            self._raise(call, when)

    def _raise(self, call: str, when: When) -> None:
        if queue := self._faults.get((call, when)):
            raise queue.popleft()


class Service(Protocol):
    """What a fake has for `call`."""

    service: str
    cloud: Cloud


def call[S: Service, **P, R](
    cost: int = 1,
) -> Callable[[Callable[Concatenate[S, P], R]], Callable[Concatenate[S, P], Coroutine[Any, Any, R]]]:
    """Make a plain method a call of its service: counted, and open to faults before and after its effect."""

    def decorate(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], Coroutine[Any, Any, R]]:
        name = method.__name__.strip("_")

        @wraps(method)
        async def called(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
            label = f"{self.service}.{name}"
            # Most calls have nothing to wait for; a coroutine for each would cost a quarter of a simulation's time.
            try:
                if (waiting := self.cloud.enter(label, cost)) is not None:
                    await waiting
            except TakesEffectLate as late:
                late.later(lambda: method(self, *args, **kwargs))
                raise late.error from None
            result = method(self, *args, **kwargs)
            if (waiting := self.cloud.leave(label)) is not None:
                await waiting
            return result

        return called

    return decorate
