"""Faults on demand: what is armed, and who takes it. Nothing here happens by itself."""

import json
import random
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from local_cloud.batch.state.errors import ServiceError

LATENCY = "latency"
DROP = "drop"  # apply the request, then cut the connection


@dataclass(frozen=True, slots=True)
class HttpFault:
    """A fault of the front door, for requests whose `METHOD /path` begins with `match`.

    `kind` is `error` (answer `code` with `status` instead of doing anything), `drop` (do it, then cut the
    connection) or `latency` (wait `seconds`, then do it). It happens at `rate`, at most `count` times.
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid", strict=True)

    kind: Literal["error", "drop", "latency"]
    match: str = ""
    rate: Annotated[float, Field(ge=0, le=1)] = 1.0
    count: Annotated[int | None, Field(ge=1, le=10**9)] = None
    code: str = "ServerBusy"
    status: Annotated[int, Field(ge=400, le=599)] = 503
    retry_after: Annotated[float | None, Field(ge=0, le=86_400, alias="retryAfter")] = None
    seconds: Annotated[float, Field(ge=0, le=86_400)] = 0.0


@dataclass(slots=True)
class NodeFaults:
    """What is armed for the nodes of one pool: each number is how many times it still happens."""

    start_task: int = 0
    resize: int = 0
    resize_code: str = "AllocationFailed"
    upload: int = 0
    upload_code: str = "FileUploadMiscError"
    lose_during_upload: int = 0
    disk_full: set[str] = field(default_factory=set)


class Faults:
    """Everything armed at present."""

    def __init__(self, seed: int | None = None) -> None:
        self.http: list[HttpFault] = []
        self._pools: dict[str, NodeFaults] = {}
        self._random = random.Random(seed)

    def pool(self, pool_key: str) -> NodeFaults:
        """Return the faults of a pool's nodes."""
        return self._pools.setdefault(pool_key, NodeFaults())

    def clear(self) -> None:
        """Disarm everything."""
        self.http.clear()
        self._pools.clear()

    def take_http(self, method: str, path: str) -> list[HttpFault]:
        """Return the faults that happen to this request; each is used up a little."""
        line = f"{method} {path}"
        taken = []
        for position, fault in enumerate(self.http):
            if not line.startswith(fault.match) and not path.startswith(fault.match):
                continue
            if fault.count == 0 or self._random.random() >= fault.rate:
                continue
            if fault.count is not None:
                self.http[position] = replace(fault, count=fault.count - 1)
            taken.append(fault)
            if fault.kind != LATENCY:
                break  # the others wait for the next request
        self.http = [fault for fault in self.http if fault.count != 0]
        return taken

    def take(self, pool_key: str, name: str) -> bool:
        """Say whether the named fault of a pool happens now; it is used up a little."""
        armed = self.pool(pool_key)
        left: int = getattr(armed, name)
        if left == 0:
            return False
        setattr(armed, name, left - 1 if left > 0 else left)
        return True


_HTTP_FAULT = TypeAdapter(HttpFault)


def parse_http_fault(body: dict[str, Any]) -> HttpFault:
    """Read a front-door fault from its JSON form."""
    try:
        return _HTTP_FAULT.validate_json(json.dumps(body))
    except ValidationError as exc:
        wrong = exc.errors()[0]
        name = ".".join(map(str, wrong["loc"]))
        raise ServiceError("InvalidRequestBody", f"There is no such fault: {name}: {wrong['msg']}.") from exc
