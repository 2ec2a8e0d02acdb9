"""Proxies in front of the services that write down every request and pass it on as it is."""

import contextlib
import re
import socket
import socketserver
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BufferedIOBase


@dataclass(frozen=True)
class Request:
    """An HTTP request; `service` is blob, queue, table or batch, headers have lower-case names."""

    service: str
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Recorder:
    """`targets`: service -> port on 127.0.0.1. While `running`, `ports` has the port of each one's proxy."""

    targets: Mapping[str, int]
    ports: dict[str, int] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    @contextlib.contextmanager
    def running(self) -> Iterator["Recorder"]:
        """The proxies run in threads of their own."""
        with contextlib.ExitStack() as stack:
            for service in self.targets:
                server = stack.enter_context(_Proxy(self, service))
                thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
                thread.start()
                stack.callback(thread.join)
                stack.callback(server.shutdown)
                self.ports[service] = server.server_address[1]
            yield self

    def for_nodes(self, body: bytes) -> bytes:
        """Nodes go to storage themselves; both ports have five digits, so that a length stays what it was signed as."""
        proxy, blobs = (f"http://127.0.0.1:{ports['blob']}/".encode() for ports in (self.ports, self.targets))
        assert len(proxy) == len(blobs)
        return body.replace(proxy, blobs)


class _Proxy(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, recorder: Recorder, service: str) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.recorder, self.service = recorder, service


class _Connection(socketserver.StreamRequestHandler):
    """One request a connection: the answer ends with it."""

    server: _Proxy

    def handle(self) -> None:
        # A side that closes, as all do at the end of a test, ends this exchange only.
        with contextlib.suppress(ConnectionError, TimeoutError):
            self._pass_on()

    def _pass_on(self) -> None:
        first = self.rfile.readline().decode("latin-1")
        if not first:
            return
        method, path, _ = first.split(" ")
        lines = list(iter(self.rfile.readline, b"\r\n"))
        pairs = (line.decode("latin-1").partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        body = _body(self.rfile, headers)
        if self.server.service == "batch":
            body = self.server.recorder.for_nodes(body)
        self.server.recorder.requests.append(Request(self.server.service, method, path, headers, body))
        kept = [line for line in lines if not re.match(rb"(?i)(connection|transfer-encoding|content-length):", line)]
        head = [first.encode("latin-1"), *kept, b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body)]
        port = self.server.recorder.targets[self.server.service]
        with socket.create_connection(("127.0.0.1", port), timeout=60) as target:
            target.sendall(b"".join(head) + body)
            while data := target.recv(1 << 16):
                self.wfile.write(data)


def _body(stream: BufferedIOBase, headers: Mapping[str, str]) -> bytes:
    if "chunked" not in headers.get("transfer-encoding", ""):
        return stream.read(int(headers.get("content-length", "0")))
    body = b""
    while size := int(stream.readline().split(b";")[0], 16):
        body += stream.read(size)
        stream.readline()
    stream.readline()
    return body
