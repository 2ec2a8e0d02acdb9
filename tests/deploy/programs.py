"""`az` and `curl` on a PATH of their own: tiny scripts that ask the stand-in for Azure in the test's process."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.deploy.az_cli import run
from tests.deploy.azure import Azure

# Starting a Python for each of a hundred commands would take longer than all else.
_CLIENT = r"""#!/bin/bash
exec 3<>/dev/tcp/127.0.0.1/{port}
words=()
before=
for word in "$@"; do
  # A descriptor of ours means nothing to another process.
  [[ $before != --config ]] || word=$(cat "$word")
  words+=("$word")
  before=$word
done
printf '%s\0' {name} "${{#words[@]}}" "${{words[@]}}" >&3
IFS= read -r -d '' -u 3 code
IFS= read -r -d '' -u 3 out
IFS= read -r -d '' -u 3 err
printf '%s' "$out"
printf '%s' "$err" >&2
exit "$code"
"""


class _Handler(socketserver.StreamRequestHandler):
    server: "_Server"

    def handle(self) -> None:
        name, count = self._word(), int(self._word())
        arguments = [self._word() for _ in range(count)]
        try:
            code, out, err = self.server.answer(name, arguments)
        except Exception as fault:
            # The script must end, and the test must say why.
            code, out, err = 70, "", f"the stand-in failed: {fault!r}\n"
            self.server.faults.append(fault)
        self.wfile.write(f"{code}\0{out}\0{err}\0".encode())

    def _word(self) -> str:
        found = bytearray()
        while (byte := self.rfile.read(1)) not in {b"\0", b""}:
            found += byte
        return found.decode(errors="surrogateescape")


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, azure: Azure) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.azure = azure
        self.faults: list[Exception] = []

    def answer(self, name: str, arguments: list[str]) -> tuple[int, str, str]:
        if name == "curl":
            return self.azure.curl(arguments)
        return run(arguments, self.azure.handle)


@contextmanager
def programs(azure: Azure, folder: Path) -> Iterator[list[Exception]]:
    """Puts `az` and `curl` into `folder`; gives the faults of the stand-in itself."""
    with _Server(azure) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        for name in ("az", "curl"):
            path = folder / name
            path.write_text(_CLIENT.format(port=server.server_address[1], name=name))
            path.chmod(0o755)
        try:
            yield server.faults
        finally:
            server.shutdown()
            thread.join()
