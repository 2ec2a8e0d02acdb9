"""The host's HTTP interface: its status, and starting a function by hand.

GET  /admin/host/status             {"id": ..., "state": "Running", ...}
GET  /admin/functions               the functions and their triggers
POST /admin/functions/{name}        {"input": "..."}: run it now; 202 at once, or 404
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

type Start = Callable[[str], Awaitable[Any]]


class Admin:
    """`starters` run one function each, given the request's input."""

    def __init__(self, host_id: str, triggers: Mapping[str, str], starters: Mapping[str, Start]) -> None:
        self._host_id = host_id
        self._triggers = triggers
        self._starters = starters
        self._began = time.monotonic()
        self._runs: set[asyncio.Task[Any]] = set()
        self.state = "Running"
        self._server: web.AppRunner | None = None

    async def start(self, port: int) -> int:
        """Listen on this machine only; return the port, a free one for 0. Raises OSError when it is taken."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/", self._status),
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
