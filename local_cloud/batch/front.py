"""The front door: every request passes here, and every answer leaves here in the service's form."""

import asyncio
import json
import logging
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from starlette.routing import compile_path
from starlette.types import Receive, Scope, Send

from local_cloud.batch.rest.auth import Authenticator
from local_cloud.batch.rest.calls import Call, Reply
from local_cloud.batch.rest.handlers import OPERATIONS
from local_cloud.batch.rest.local_routes import LOCAL_PREFIX, LocalRoutes
from local_cloud.batch.rest.operations import Operation
from local_cloud.batch.rest.versions import parse_version
from local_cloud.batch.service import BatchService
from local_cloud.batch.state.clock import Clock
from local_cloud.batch.state.errors import ServiceError
from local_cloud.batch.state.faults import DROP, LATENCY
from local_cloud.batch.state.times import http_date, iso
from local_cloud.doors import why_closed

_log = logging.getLogger(__name__)
LARGEST_BODY = 1 << 20  # bytes, as the service has it
_DRAINED = 64 << 20  # bytes of a body that is too large that are read, so that the answer arrives
_EVERYWHERE = frozenset({"api-version", "timeout"})
_CONTENT_TYPE = "application/json; odata=minimalmetadata"


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    raw_path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    too_large: bool
    scheme: str

    @property
    def base(self) -> str:
        """The service's address as the caller knows it."""
        return f"{self.scheme}://{self.headers['host']}"


class Front:
    """The ASGI application."""

    def __init__(self, service: BatchService, cut: Callable[[Any], None], wall: Clock) -> None:
        self._service = service
        self._wall = wall  # the callers' time, which is not the service's where that is turned by hand
        self._cut = cut
        self._authenticator = Authenticator(service.settings.account, service.settings.key)
        self._calls: Counter[str] = Counter()
        self._local = LocalRoutes(service, self._authenticator, self._calls, wall)
        self._routes = [(compile_path(entry.path)[0], entry) for entry in OPERATIONS]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = await _read(scope, receive)
        request_id = str(uuid.uuid4())
        dropped = False
        try:
            if closed := why_closed(request.headers.get("host"), request.headers.get("origin")):
                raise ServiceError("AuthenticationFailed", closed)
            if request.path.startswith(LOCAL_PREFIX):
                reply = self._local.answer(request.method, request.path, request.headers, request.body)
            else:
                dropped, reply = await self._answer(request)
        except ServiceError as error:
            reply = self._error(error, request_id)
        except Exception:
            _log.exception("%s %s has failed", request.method, request.path)
            reply = self._error(ServiceError("InternalError"), request_id)
        self._service.store.flush()
        if dropped:
            self._cut(scope["client"])
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        await self._send(send, request, reply, request_id)

    def _error(self, error: ServiceError, request_id: str) -> Reply:
        if error.status == 304:
            return Reply(304)
        return Reply(
            error.status, error.body(request_id, iso(self._service.account.clock.now())), headers=error.headers
        )

    async def _answer(self, request: _Request) -> tuple[bool, Reply]:
        """Answer a request; the first value says whether to cut the connection instead."""
        service = self._service
        faults = service.faults.take_http(request.method, request.path)
        wait = service.settings.latency + sum(fault.seconds for fault in faults if fault.kind == LATENCY)
        if wait > 0:
            await asyncio.sleep(wait)
        for fault in faults:
            if fault.kind == "error":
                after = fault.retry_after
                headers = {} if after is None else {"Retry-After": f"{after:g}"}
                message = "A fault was asked for."
                raise ServiceError(fault.code, message, status=fault.status, headers=headers)
        reply = await self._handle(request)
        return any(fault.kind == DROP for fault in faults), reply

    async def _handle(self, request: _Request) -> Reply:
        if request.too_large:
            raise ServiceError("RequestBodyTooLarge", MaxLimit=LARGEST_BODY)
        self._authenticator.check(request.method, request.raw_path, request.query, request.headers, self._wall.now())
        operation, parts = self._match(request)
        self._calls[f"{operation.method} {operation.path}"] += 1
        query = _query(request.query, operation)
        version = _version(query, operation)
        call = Call(
            method=request.method,
            base=request.base,
            version=version,
            path=request.path,
            parts=parts,
            query=query,
            headers=request.headers,
            raw=request.body,
            record=operation.body,
            optional=operation.optional,
        )
        answer = operation.handler(self._service, call)
        return await answer if isinstance(answer, Awaitable) else answer

    def _match(self, request: _Request) -> tuple[Operation, dict[str, str]]:
        known = False
        for pattern, operation in self._routes:
            match = pattern.match(request.path)
            if match is None:
                continue
            known = True
            if operation.method == request.method:
                return operation, match.groupdict()
        if known:
            raise ServiceError("UnsupportedHttpVerb", Verb=request.method)
        raise ServiceError("InvalidUri", f"'{request.path}' names no resource of Batch.")

    async def _send(self, send: Send, request: _Request, reply: Reply, request_id: str) -> None:
        headers = {
            "Server": "local-batch",
            "Date": http_date(self._service.account.clock.now()),
            "request-id": request_id,
            "DataServiceVersion": "3.0",
        }
        client_id = request.headers.get("client-request-id")
        if client_id and request.headers.get("return-client-request-id", "").lower() == "true":
            headers["client-request-id"] = client_id[:200]
        body = b""
        if reply.body is not None:
            body = json.dumps(reply.body, ensure_ascii=False).encode()
            headers["Content-Type"] = _CONTENT_TYPE
        if reply.status not in (204, 304):
            headers["Content-Length"] = str(len(body))
        headers |= reply.headers
        raw = [(name.encode("latin-1"), text.encode("latin-1", "replace")) for name, text in headers.items()]
        await send({"type": "http.response.start", "status": reply.status, "headers": raw})
        if request.method == "HEAD" or reply.status in (204, 304):
            body = b""
        elif reply.stream is not None:
            async for chunk in reply.stream:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": body})


def _query(text: str, operation: Operation) -> dict[str, str]:
    query: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        lowered = name.lower()
        if lowered not in operation.query and lowered not in _EVERYWHERE:
            raise ServiceError(
                "UnsupportedQueryParameter",
                f"'{name}' is not supported here.",
                QueryParameterName=name,
                QueryParameterValue=value[:500],
            )
        query[lowered] = value
    return query


def _version(query: Mapping[str, str], operation: Operation) -> str:
    if not query.get("api-version"):
        raise ServiceError("MissingRequiredQueryParameter", QueryParameterName="api-version")
    version = parse_version(query["api-version"])
    if operation.before is not None and version >= operation.before:
        raise ServiceError("InvalidUri", f"Api-versions since {operation.before} have no {operation.path}.")
    return version


async def _read(scope: Scope, receive: Receive) -> _Request:
    headers = {name.decode("latin-1").lower(): text.decode("latin-1") for name, text in scope["headers"]}
    chunks, size, more = [], 0, True
    while more and size <= _DRAINED:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= LARGEST_BODY:
            chunks.append(chunk)
        more = message.get("more_body", False)
    raw_path = scope.get("raw_path") or scope["path"].encode()
    return _Request(
        method=scope["method"],
        path=unquote(raw_path.decode("latin-1").split("?")[0]),
        raw_path=raw_path.decode("latin-1").split("?")[0],
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        body=b"" if size > LARGEST_BODY else b"".join(chunks),
        too_large=size > LARGEST_BODY,
        scheme=scope.get("scheme", "http"),
    )
