"""The way in: a proxy for HTTPS that answers in the place of Azure's hosts, under their own names.

Programs find it by HTTPS_PROXY, so that they need no other addresses than Azure's. The user name with which they
greet the proxy says who asks: a call of the Azure CLI, say. A host that nobody plays does not exist.
"""

import base64
import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.azure.authority import Authority


@dataclass(frozen=True)
class Request:
    """One request; header names are in small letters, `query` has the first value of each name."""

    caller: str
    method: str
    host: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query, True).items()}

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What goes back. `body` is JSON unless it is bytes; None is no body at all."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    """An error as an answer, in the words of the service that gives it."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(str(answer))
        self.answer = answer


class Refusal(Refused):
    """An error as most of Azure's services write it: a status, a code, a message."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(Answer(status, {"error": {"code": code, "message": message}}, headers or {}))


class Dropped(Exception):
    """The connection ends without an answer."""


type Site = Callable[[Request], Answer]


@dataclass
class Front:
    """`sites`: begins or ends of host names -> who answers; longer ones first. `disturb` may answer before them, `lose`
    after them, `knows` tells whether there is such a host."""

    authority: Authority
    sites: dict[str, Site] = field(default_factory=dict)
    disturb: Callable[[Request], None] = lambda request: None
    lose: Callable[[Request], None] = lambda request: None
    knows: Callable[[str], bool] = lambda host: True
    log: list[tuple[Request, int]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    port: int = 0

    @contextlib.contextmanager
    def running(self) -> Iterator["Front"]:
        """Serve on a free port of this machine; each connection has a thread."""
        with _Server(self) as server:
            self.port = server.server_address[1]
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
            thread.start()
            try:
                yield self
            finally:
                server.shutdown()
                thread.join()

    def site(self, host: str) -> Site | None:
        """Who answers for a host."""
        named = sorted(self.sites, key=len, reverse=True)
        return next((self.sites[name] for name in named if host == name or host.endswith(f".{name}")), None)

    def answer(self, request: Request) -> Answer:
        """Ask the host's site; what it cannot do is a fault of the stand-in, and an error for the client."""
        site = self.site(request.host)
        try:
            self.disturb(request)
            assert site, f"nobody plays {request.host}"
            answer = site(request)
            self.lose(request)
        except Refused as refusal:
            answer = refusal.answer
        except Dropped:
            self.log.append((request, 0))
            raise
        except Exception as fault:
            self.faults.append(f"{request.method} {request.host}{request.target}: {fault!r}")
            answer = Answer(501, {"error": {"code": "NotPlayed", "message": self.faults[-1]}})
        self.log.append((request, answer.status))
        return answer


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, front: Front) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.front = front

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up in the middle is no concern of ours."""


class _Connection(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    host = caller = ""

    def do_CONNECT(self) -> None:
        self.host = self.path.rpartition(":")[0].lower()
        _, _, word = self.headers.get("Proxy-Authorization", "").partition(" ")
        self.caller = base64.b64decode(word).decode().partition(":")[0]
        if self.server.front.site(self.host) is None or not self.server.front.knows(self.host):
            self.send_error(502, f"There is no host {self.host}")
            return
        self.send_response(200)
        self.end_headers()
        context = self.server.front.authority.context(self.host)
        self.connection = self.request = context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", 0)
        self.close_connection = False

    def _serve(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        if headers.get("expect", "").lower() == "100-continue" and self.request_version < "HTTP/1.1":
            self.send_response_only(100)
        request = Request(self.caller, self.command, self.host, self.path, headers, self._body(headers))
        try:
            answer = self.server.front.answer(request)
        except Dropped:
            self.close_connection = True
            return
        body = answer.body if isinstance(answer.body, bytes) else b"" if answer.body is None else _text(answer.body)
        self.send_response(answer.status)
        kind = {"content-type": "application/json; charset=utf-8"} if body else {}
        # A HEAD tells the length of what it does not send.
        given = {name.lower(): value for name, value in answer.headers.items()}
        for name, value in {**kind, "content-length": str(len(body)), **given}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = _serve

    def _body(self, headers: Mapping[str, str]) -> bytes:
        if "chunked" not in headers.get("transfer-encoding", ""):
            return self.rfile.read(int(headers.get("content-length", "0")))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def finish(self) -> None:
        super().finish()
        # The server closes the connection that it knows; this one may have become another.
        self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet: `Front.log` has it all."""


def _text(value: Any) -> bytes:
    return json.dumps(value).encode()
