"""For tests: a Batch service in this process, on a free port."""

import contextlib
import json
import tempfile
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_cloud.batch.clock import Clock
from local_cloud.batch.server import serving
from local_cloud.batch.service import BatchService
from local_cloud.batch.settings import Settings


@dataclass(frozen=True, slots=True)
class RunningService:
    """A service that runs, and what a client needs to know of it."""

    endpoint: str
    account: str
    key: str
    service: BatchService

    def local(self, method: str, path: str, body: Any = None) -> Any:
        """A request below `/_local` (blocking: call it in a thread)."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.endpoint}/_local/{path}", data=data, method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            raw = answer.read()
        return json.loads(raw) if raw else None


@contextlib.asynccontextmanager
async def running_service(
    data: Path | None = None, *, clock: Clock | None = None, **settings: Any
) -> AsyncIterator[RunningService]:
    """Run a service in this event loop; `settings` are fields of `Settings`.

    Without `data` its folder is temporary.
    """
    with contextlib.ExitStack() as stack:
        folder = data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="local-batch-")))
        chosen = Settings(data=folder, **settings)
        async with serving(chosen, clock) as service:
            yield RunningService(service.endpoint, chosen.account, chosen.key, service)
