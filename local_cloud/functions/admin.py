"""The host's HTTP interface: its status, starting a function by hand, and the app's own HTTP functions.

GET  /                              200: it answers, where no function does
GET  /admin/host/status             {"id": ..., "state": "Running", ...}
GET  /admin/host/keys               {"keys": [{"name": "default", "value": ...}]}: opens functions of level `function`
GET  /admin/functions               the functions and their triggers
POST /admin/functions/{name}        {"input": "..."}: run it now; 202 at once, or 404

All below /admin ask for the host's master key in the header `x-functions-key`, as in Azure: 401 without.
All else is for the functions of the app.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from local_cloud.doors import why_closed
from local_cloud.functions.http_listener import KEY_HEADER, HttpListener, Keys, is_key

# As the real host: more is answered by 413.
_LARGEST_BODY = 100 * 2**20

type Start = Callable[[str], Awaitable[Any]]


class Admin:
    """`starters` run one function each, given the request's input; `http` answers what is not for the host."""

    def __init__(
        self,
        host_id: str,
        keys: Keys,
        triggers: Mapping[str, str],
        starters: Mapping[str, Start],
        http: HttpListener,
    ) -> None:
        self._host_id = host_id
        self._keys = keys
        self._http = http
        self._triggers = triggers
        self._starters = starters
        self._began = time.monotonic()
        self._runs: set[asyncio.Task[Any]] = set()
        self.state = "Running"
        self._server: web.AppRunner | None = None

    async def start(self, port: int) -> int:
        """Listen on this machine only; return the port, a free one for 0. Raises OSError when it is taken."""
        app = web.Application(middlewares=[self._guard], client_max_size=_LARGEST_BODY)
        app.add_routes(
            [
                web.get("/admin/host/status", self._status),
                web.get("/admin/host/keys", self._list_keys),
                web.get("/admin/functions", self._list),
                web.post("/admin/functions/{name}", self._run),
                web.route("*", "/admin{rest:(/.*)?}", self._nothing),
                web.route("*", "/{rest:.*}", self._call),
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
        is_for_host = request.path.lower() == "/admin" or request.path.lower().startswith("/admin/")
        if is_for_host and not is_key(request.headers.get(KEY_HEADER, ""), self._keys.master):
            return web.Response(status=401)
        return await handler(request)

    async def _nothing(self, _request: web.Request) -> web.Response:
        return web.Response(status=404)

    async def _call(self, request: web.Request) -> web.Response:
        if self.state == "Running" and (answer := await self._http.answer(request)) is not None:
            return answer
        if request.path == "/":
            return web.Response(text="The function host answers.\n")
        return web.Response(status=404 if self.state == "Running" else 503)

    async def _list_keys(self, _request: web.Request) -> web.Response:
        return web.json_response({"keys": [{"name": "default", "value": self._keys.host}], "links": []})

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
