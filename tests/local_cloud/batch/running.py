"""For tests: a Batch service in this process on a free port, clients for it, and a way to wait."""

import asyncio
import contextlib
import inspect
import io
import json
import shlex
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from azure.batch.aio import BatchClient
from azure.batch.models import (
    BatchJobCreateOptions,
    BatchNode,
    BatchPool,
    BatchPoolCreateOptions,
    BatchPoolInfo,
    BatchPoolResizeOptions,
    BatchTask,
    BatchTaskCreateOptions,
)
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncHTTPPolicy
from azure.core.polling import AsyncLROPoller
from azure.core.rest import AsyncHttpResponse, HttpRequest
from yarl import URL

from local_cloud.batch.rest.auth import Authenticator, string_to_sign
from local_cloud.batch.server import serving
from local_cloud.batch.service import BatchService
from local_cloud.batch.state.clock import Clock, SystemClock
from local_cloud.batch.state.settings import Settings
from local_cloud.batch.state.times import http_date

API_VERSION = "2025-06-01"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a raw request got: `body` is parsed where it is JSON; header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def code(self) -> str:
        """The error code of the answer."""
        return str(self.body["code"])


@dataclass(frozen=True, slots=True)
class RawClient:
    """Sends signed requests as they are: for what the SDK can't be made to send."""

    endpoint: str
    account: str
    key: str
    session: aiohttp.ClientSession

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: str = f"api-version={API_VERSION}",
        headers: Mapping[str, str] | None = None,
        signed: bool = True,
    ) -> Answer:
        """One request; `path` and `query` are sent as they are, a `body` that is no bytes as JSON."""
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        sent = {
            "ocp-date": http_date(SystemClock().now()),
            "content-type": "application/json; odata=minimalmetadata" if data is not None else "",
            "content-length": str(len(data)) if data is not None else "",
            **{name.lower(): text for name, text in (headers or {}).items()},
        }
        sent = {name: text for name, text in sent.items() if text}
        if signed and "authorization" not in sent:
            text = string_to_sign(method, path, query, sent, self.account, False)
            signature = Authenticator(self.account, self.key).sign(text)
            sent["authorization"] = f"SharedKey {self.account}:{signature}"
        url = URL(f"{self.endpoint}{path}" + (f"?{query}" if query else ""), encoded=True)
        async with self.session.request(method, url, data=data and io.BytesIO(data), headers=sent) as answer:
            names = {name.lower(): text for name, text in answer.headers.items()}
            return Answer(answer.status, names, await answer.read())

    async def follow(self, link: str) -> Answer:
        """GET an `odata.nextLink`."""
        parts = urlsplit(link)
        return await self.send("GET", parts.path, query=parts.query)


class RefusalsRead(AsyncHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """Reads the body of every refused download.

    The SDK leaves it unread: its error then has no code, and the connection stays open until the garbage
    collector warns of it, in whatever test that happens to be.
    """

    async def send(self, request: PipelineRequest[HttpRequest]) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
        """Send the request, and read a refusal to its end."""
        response = await self.next.send(request)
        if response.http_response.status_code >= 400 and request.context.options.get("stream"):
            await response.http_response.read()
        return response


class Client(BatchClient):
    """The SDK's client, with what nearly every test does: jobs, and their tasks, are `j` on the default pool."""

    def __init__(self, endpoint: str, account: str, key: str, **options: Any) -> None:
        super().__init__(
            endpoint, AzureNamedKeyCredential(account, key), per_retry_policies=[RefusalsRead()], **options
        )
        self._jobs: set[str] = set()

    async def new_job(self, job: str = "j", pool: str = "ilastik", **fields: Any) -> None:
        """Make a job."""
        await self.create_job(BatchJobCreateOptions(id=job, pool_info=BatchPoolInfo(pool_id=pool), **fields))
        self._jobs.add(job)

    async def new_task(self, task: str, command: str, job: str = "j", **fields: Any) -> None:
        """Make a task; its job is made where no test of this client has."""
        if job not in self._jobs:
            await self.new_job(job)
        await self.create_task(job, BatchTaskCreateOptions(id=task, command_line=command, **fields))

    async def finished(self, task: str = "t", job: str = "j", seconds: float = 20) -> Any:
        """The task once it is completed."""
        return await task_in(self, "completed", task, job, seconds)

    async def run(self, task: str, command: str, job: str = "j", **fields: Any) -> Any:
        """Make a task; it, once it is completed."""
        await self.new_task(task, command, job, **fields)
        return await self.finished(task, job)

    async def put_job(self, job: str = "j", **fields: Any) -> None:
        """Replace a job by itself with other fields."""
        shown = await self.get_job(job)
        for name, value in fields.items():
            setattr(shown, name, value)
        await self.replace_job(job, shown)

    async def resize(self, pool: str = "p", **fields: Any) -> None:
        """Resize a pool, and wait until it is steady."""
        await done(self.begin_resize_pool(pool, BatchPoolResizeOptions(**fields), polling_interval=0))

    async def text_of(self, task: str, name: str = "stdout.txt", job: str = "j") -> str:
        """A file of a task."""
        return await text_from(self.download_task_file(job, task, name))


@dataclass(frozen=True, slots=True)
class RunningService:
    """A service that runs, and what a client needs to know of it."""

    endpoint: str
    account: str
    key: str
    service: BatchService

    def client(self, **options: Any) -> Client:
        """The SDK's asynchronous client for it."""
        return Client(self.endpoint, self.account, self.key, **options)

    @contextlib.asynccontextmanager
    async def raw(self) -> AsyncIterator[RawClient]:
        """A client for raw requests."""
        async with aiohttp.ClientSession(skip_auto_headers=("Content-Type",)) as session:
            yield RawClient(self.endpoint, self.account, self.key, session)

    async def local(self, method: str, path: str, body: Any = None) -> Any:
        """A request below `/_local`; what it answers."""
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                method, f"{self.endpoint}/_local/{path}", json=body, headers={"x-local-key": self.key}
            ) as answer,
        ):
            text = await answer.text()
            if answer.status >= 400:
                raise ValueError(f"{method} /_local/{path} answered {answer.status}: {text}")
            return json.loads(text) if text else None


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


async def eventually(look: Callable[[], Any], seconds: float = 60.0, every: float = 0.02) -> Any:
    """What `look`, plain or asynchronous, gives as soon as it is true; TimeoutError after `seconds`."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not (found := await answer if inspect.isawaitable(answer := look()) else answer):
        if loop.time() > end:
            raise TimeoutError(f"this did not come true in {seconds:g} s; the last look gave {found!r}")
        await asyncio.sleep(every)
    return found


def pool_of(pool_id: str = "p", **fields: Any) -> BatchPoolCreateOptions:
    """A pool to be made, of one node unless its size is given."""
    sizes = {} if {"target_low_priority_nodes", "enable_auto_scale"} & fields.keys() else {"target_dedicated_nodes": 1}
    return BatchPoolCreateOptions(id=pool_id, vm_size="STANDARD_D4S_V5", **{**sizes, **fields})


async def task_in(client: BatchClient, state: str, task: str = "t", job: str = "j", seconds: float = 60.0) -> Any:
    """The task once it is in this state."""

    async def look() -> BatchTask | None:
        found = await client.get_task(job, task)
        return found if found.state == state else None

    return await eventually(look, seconds)


async def nodes_in(client: BatchClient, state: str, count: int = 1, pool: str = "p") -> Any:
    """The nodes of a pool in this state, once there are so many."""

    async def look() -> list[BatchNode] | None:
        found = [node async for node in client.list_nodes(pool) if node.state == state]
        return found if len(found) == count else None

    return await eventually(look)


async def pool_with(client: BatchClient, pool: str = "p", **fields: object) -> Any:
    """The pool once its fields have these values."""

    async def look() -> BatchPool | None:
        found = await client.get_pool(pool)
        return found if all(getattr(found, name) == value for name, value in fields.items()) else None

    return await eventually(look)


async def done(beginning: Awaitable[AsyncLROPoller[None]]) -> None:
    """Begin one of the SDK's long operations, and wait until it has ended."""
    await (await beginning).result()


async def text_from(download: Awaitable[AsyncIterator[bytes]]) -> str:
    """What the SDK downloads, as text."""
    return b"".join([chunk async for chunk in await download]).decode()


def shell(script: str) -> str:
    """The command line that runs a script in a shell."""
    return f"/bin/sh -c {shlex.quote(script)}"


@contextlib.contextmanager
def refused(code: str, status: int | None = None) -> Iterator[None]:
    """The block must end in an error of the service with this code (and status)."""
    try:
        yield
    except HttpResponseError as error:
        found = error.error.code if error.error else None
        if found != code or (status is not None and error.status_code != status):
            raise AssertionError(f"{code} was expected, not {error.status_code} {found}") from error
        return
    raise AssertionError(f"{code} was expected, but nothing was refused")
