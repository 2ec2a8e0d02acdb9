"""Answers calls of the Azure CLI from a process that has loaded it already: its own code, in a third of the time.

Each call is a fork, with the environment, folder and files of whoever called; nothing of an earlier call is in it.
Run by the CLI's own Python: `python -P warm_cli.py SOCKET`.
"""

import contextlib
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

# What stands in the place of `az`: started by a Python that is quick to start.
_CLIENT = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as line:
    line.connect({path!r})
    call = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(line, [len(call).to_bytes(4, "big")], [0, 1, 2])
    line.sendall(call)
    code = line.recv(1)
sys.exit(code[0] if code else 70)
"""
# What nearly every command needs, and the modules that deploy.sh asks; an older version lacks some.
_LOADED = (
    *("azure.cli.core.commands.client_factory", "azure.cli.core.aaz", "azure.cli.core._profile", "azure.mgmt.core"),
    *("azure.cli.core.auth.identity", "azure.core.pipeline", "requests", "msal", "msal_extensions", "jmespath"),
)
_MODULES = ("appservice", "batch", "eventgrid", "monitor", "profile", "resource", "role", "storage", "util", "vm")
_START_SECONDS = 60


@contextlib.contextmanager
def running(azure_cli: Path, folder: Path, environment: dict[str, str]) -> Iterator[Path]:
    """Such a process; gives what stands in the place of `az`."""
    path, client = folder / "warm", folder / "warm-az"
    client.write_text(_CLIENT.format(python=sys.executable, path=str(path)))
    client.chmod(0o755)
    command = [str(azure_cli.parent / "python"), "-P", __file__, str(path)]
    with subprocess.Popen(command, env=environment) as server:
        try:
            end = time.monotonic() + _START_SECONDS
            while not path.exists():
                assert server.poll() is None, "The Azure CLI could not be loaded."
                assert time.monotonic() < end, "The Azure CLI is not loaded yet."
                time.sleep(0.1)
            yield client
        finally:
            server.terminate()


def load() -> None:
    """Import what takes long; importing does nothing else."""
    names = [f"azure.cli.command_modules.{name}{part}" for name in _MODULES for part in ("", ".commands", "._params")]
    for name in (*_LOADED, *names):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def run(line: socket.socket) -> None:
    """One call, in a process of its own; tells the exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, files, _, _ = socket.recv_fds(line, 4, 3)
    text = b""
    while len(text) < int.from_bytes(size, "big"):
        text += line.recv(1 << 16)
    words, folder, environment = json.loads(text)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["az", *words]
    code: object = 0
    try:
        runpy.run_module("azure.cli", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        line.sendall(bytes([code if isinstance(code, int) else int(code is not None)]))


def serve(path: str) -> None:
    """Fork for each call, for ever."""
    load()
    # Nobody waits for the forks.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{path}.tmp")
        server.listen(16)
        Path(f"{path}.tmp").rename(path)
        while True:
            line, _ = server.accept()
            if os.fork() == 0:
                try:
                    server.close()
                    run(line)
                finally:
                    os._exit(0)
            line.close()


if __name__ == "__main__":
    serve(sys.argv[1])
