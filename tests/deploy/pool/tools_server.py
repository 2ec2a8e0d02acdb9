"""A node's metadata service and the container of tools on one port of this machine, with faults on request."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

TOKEN = "eyJ0-the-pools-token"
CLIENT_ID = "6f1a2c4e-0000-4000-8000-000000000001"


@dataclass
class ToolsServer:
    """`blobs` by their name in `tools`. `faults` are statuses that the next requests of a kind ("token" or
    "blob") get instead of an answer; `cut_after` bytes the next transfers break off."""

    port: int = 0
    blobs: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[int]] = field(default_factory=lambda: {"token": [], "blob": []})
    cut_after: list[int] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    tokens: int = 0

    @property
    def metadata_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def tools_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/tools"


class _Handler(BaseHTTPRequestHandler):
    server: "_Server"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/metadata/identity/oauth2/token":
            self._token(parse_qs(parts.query))
        else:
            self._blob(parts.path.removeprefix("/tools/"))

    def log_message(self, *_words: object) -> None:
        pass

    def _token(self, query: dict[str, list[str]]) -> None:
        tools = self.server.tools
        tools.tokens += 1
        if tools.faults["token"]:
            self._answer(tools.faults["token"].pop(0), b'{"error": "as the test wants it"}')
        elif self.headers["Metadata"] != "true" or query.get("resource") != ["https://storage.azure.com/"]:
            self._answer(403, b"")
        elif query.get("client_id") != [CLIENT_ID] or "api-version" not in query:
            self._answer(400, b'{"error": "invalid_request", "error_description": "Identity not found"}')
        else:
            token = {"expires_in": "86399", "access_token": TOKEN, "token_type": "Bearer"}
            self._answer(200, json.dumps(token).encode())

    def _blob(self, name: str) -> None:
        tools = self.server.tools
        tools.ranges.append(self.headers.get("Range", ""))
        content = tools.blobs.get(name)
        if tools.faults["blob"]:
            self._answer(tools.faults["blob"].pop(0), b"")
        elif self.headers["Authorization"] != f"Bearer {TOKEN}" or not self.headers["x-ms-version"]:
            self._answer(401, b"")
        elif content is None:
            self._answer(404, b"")
        else:
            begin = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
            if begin and begin >= len(content):
                self._answer(416, b"")
            else:
                self._answer(206 if begin else 200, content[begin:], begin)

    def _answer(self, status: int, body: bytes, begin: int = 0) -> None:
        self.send_response(status)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{begin + len(body) - 1}/{begin + len(body)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        cut = self.server.tools.cut_after
        self.wfile.write(body[: cut.pop(0)] if status in {200, 206} and len(body) > 1000 and cut else body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, tools: ToolsServer) -> None:
        self.tools = tools
        super().__init__(("127.0.0.1", 0), _Handler)


@contextmanager
def tools_server() -> Iterator[ToolsServer]:
    """Run one on a free port."""
    tools = ToolsServer()
    with _Server(tools) as server:
        tools.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield tools
        finally:
            server.shutdown()
            thread.join()
