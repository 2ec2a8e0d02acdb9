"""The socket: the service behind uvicorn, from its first moment to a clean end."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import uvicorn

from local_cloud.batch.front import Front
from local_cloud.batch.service import BatchService
from local_cloud.batch.state.clock import Clock, SystemClock
from local_cloud.batch.state.errors import ConfigurationError
from local_cloud.batch.state.settings import Settings


class _Server(uvicorn.Server):
    """Leaves the process's signals alone: who runs the service decides what ends it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def serving(settings: Settings, clock: Clock | None = None) -> AsyncIterator[BatchService]:
    """Serve until the block is left; the service's `endpoint` says where."""
    listening = _listen(settings.host, settings.port)
    service: BatchService | None = None
    try:
        endpoint = f"http://{settings.host}:{listening.getsockname()[1]}"
        service = BatchService(settings, clock or SystemClock(), endpoint)
        await service.start()
        server = _Server(
            uvicorn.Config(
                Front(service, lambda client: _cut(server, client), SystemClock()),
                log_level="warning",
                access_log=False,
                server_header=False,
                date_header=False,
                lifespan="off",
                timeout_graceful_shutdown=2,
                timeout_keep_alive=60,
            )
        )
        running = asyncio.create_task(server.serve(sockets=[listening]), name="server")
        try:
            while not server.started and not running.done():  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.005)
            yield service
        finally:
            server.should_exit = True
            # Whoever still waits for an answer is let go: the service is going away.
            for connection in list(server.server_state.connections):
                _abort_idle(connection)
            await running
    finally:
        if service is not None:
            await service.stop()
        listening.close()


def _listen(host: str, port: int) -> socket.socket:
    # With its protocol named, or asyncio leaves Nagle on: each answer then waits 40 ms for an acknowledgement.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as exc:
        listening.close()
        raise ConfigurationError(
            f"The Batch service can't listen on {host}:{port} ({exc.strerror}): name another --port."
        ) from exc
    return listening


def _cut(server: uvicorn.Server, client: Any) -> None:
    for connection in list(server.server_state.connections):
        if getattr(connection, "client", None) == tuple(client):
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()


def _abort_idle(connection: Any) -> None:
    cycle = getattr(connection, "cycle", None)
    if cycle is None or cycle.response_complete:
        connection.transport.close()
