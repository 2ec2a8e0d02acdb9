"""Answers requests by the HTTP functions of the app: route, key, call, answer.

No route, or none for this method: 404. A missing or wrong key: 401. A function that fails: 500. None of these has a
body, as with the real host.
"""

import hmac
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cmp_to_key

from aiohttp import web

from local_cloud.functions.http_messages import as_message, as_response
from local_cloud.functions.messages import TypedData
from local_cloud.functions.routes import Route
from local_cloud.functions.sign_in import SignIn
from local_cloud.functions.triggers import AuthLevel, Function, HttpTrigger
from local_cloud.functions.worker import Outcome

KEY_HEADER = "x-functions-key"
_KEY_IN_QUERY = "code"

type Call = Callable[[Function, TypedData, str], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class Keys:
    """The master key opens every function, the host's key those of level `function`."""

    master: str
    host: str

    def open(self, level: AuthLevel, request: web.Request) -> bool:
        """Say whether a request may call a function; a key in the header goes before one in the query."""
        if level is AuthLevel.ANONYMOUS:
            return True
        given = request.headers.get(KEY_HEADER, request.query.get(_KEY_IN_QUERY, ""))
        fitting = (self.master,) if level is AuthLevel.ADMIN else (self.master, self.host)
        return any(is_key(given, key) for key in fitting)


def is_key(given: str, key: str) -> bool:
    """Compare in a time that tells nothing of the key."""
    return hmac.compare_digest(given.encode(errors="surrogateescape"), key.encode())


type _Routed = tuple[Route, Function, HttpTrigger]


def _compare(one: _Routed, other: _Routed) -> int:
    return other[0].goes_before(one[0]) - one[0].goes_before(other[0])


class HttpListener:
    """The HTTP functions of an app, in the order in which their routes are tried."""

    def __init__(self, functions: Sequence[Function], prefix: str, keys: Keys, sign_in: SignIn, call: Call) -> None:
        """Raises BindingError for a route that this host does not know."""
        routes: list[_Routed] = []
        for function in functions:
            if isinstance(function.trigger, HttpTrigger):
                routes.append((function.trigger.route(function.name, prefix), function, function.trigger))
        self._routes = sorted(routes, key=cmp_to_key(_compare))
        self._keys = keys
        self._sign_in = sign_in
        self._call = call

    async def answer(self, request: web.Request) -> web.Response | None:
        """Answer a request; None where no function has this route and method."""
        if (answer := self._sign_in.answer(request)) is not None:
            return answer
        for route, function, trigger in self._routes:
            if trigger.methods and request.method not in trigger.methods:
                continue
            if (parameters := route.match(request.rel_url.raw_path)) is not None:
                if (headers := self._sign_in.headers(request)) is None:
                    return web.Response(status=401, text="Sign in first: open the link that `up` prints.\n")
                if not self._keys.open(trigger.level, request):
                    return web.Response(status=401)
                message = await as_message(request, headers, parameters)
                outcome = await self._call(function, message, f"{request.method} {request.rel_url.raw_path}")
                return as_response(outcome.answer) if outcome.ok else web.Response(status=500)
        return None
