"""The host's HTTP interface: its status, and starting a function by hand.

GET  /                              200: it answers
GET  /admin/host/status             {"id": ..., "state": "Running", ...}
GET  /admin/functions               the functions and their triggers
POST /admin/functions/{name}        {"input": "..."}: run it now; 202 at once, or 404

All below /admin ask for the host's master key in the header `x-functions-key`, as in Azure: 401 without.
"""

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from local_cloud.doors import why_closed

type Start = Callable[[str], Awaitable[Any]]


class Admin:
    """`starters` run one function each, given the request's input; `key` is the host's master key."""

    def __init__(self, host_id: str, key: str, triggers: Mapping[str, str], starters: Mapping[str, Start]) -> None:
        self._host_id = host_id
        self._key = key
        self._triggers = triggers
        self._starters = starters
        self._began = time.monotonic()
        self._runs: set[asyncio.Task[Any]] = set()
        self.state = "Running"
        self._server: web.AppRunner | None = None

    async def start(self, port: int) -> int:
        """Listen on this machine only; return the port, a free one for 0. Raises OSError when it is taken."""
        app = web.Application(middlewares=[self._guard])
        app.add_routes(
            [
                web.get("/", self._answers),
                web.get("/admin/host/status", self._status),
                web.get("/admin/functions", self._list),
                web.post("/admin/functions/{name}", self._run),
            ]
        )
        self._server = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await self._server.setup()
        site = web.TCPSite(self._server, "127.0.0.1", port)
        await site.start()
        chosen: int = self._server.addresses[0][1]
        return chosen

    async def stop(self) -> None:
        """Wait for the runs started by hand, then close."""
        if self._runs:
            await asyncio.wait(self._runs)
        if self._server is not None:
            await self._server.cleanup()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if closed := why_closed(request.headers.get("Host"), request.headers.get("Origin")):
            return web.Response(status=403, text=closed)
        given = request.headers.get("x-functions-key", "")
        if request.path != "/" and not hmac.compare_digest(given.encode(), self._key.encode()):
            return web.Response(status=401)
        return await handler(request)

    async def _answers(self, _request: web.Request) -> web.Response:
        return web.Response(text="The function host answers.\n")

    async def _status(self, _request: web.Request) -> web.Response:
        uptime = round((time.monotonic() - self._began) * 1000)
        return web.json_response({"id": self._host_id, "state": self.state, "processUptime": uptime})

    async def _list(self, _request: web.Request) -> web.Response:
        return web.json_response([{"name": name, "trigger": kind} for name, kind in self._triggers.items()])

    async def _run(self, request: web.Request) -> web.Response:
        start = self._starters.get(request.match_info["name"])
        if start is None or self.state != "Running":
            return web.Response(status=404)
        try:
            content = await request.json() if await request.read() else {}
            given = content.get("input") or ""
        except (ValueError, AttributeError):
            return web.Response(status=400, text='The body must be a JSON object such as {"input": ""}.')
        task = asyncio.ensure_future(start(str(given)))
        self._runs.add(task)
        task.add_done_callback(self._runs.discard)
        return web.Response(status=202)
