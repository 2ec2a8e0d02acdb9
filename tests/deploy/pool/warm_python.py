"""A Python for tasks that has loaded its libraries already: most of what a task's script takes is to import them.

Run as a program it waits at a socket for command lines. Each is answered by a fork of this process, with the folder,
environment and files of whoever asked; it is the leader of a session of its own, and does not outlive who asked.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_LIBRARIES = ("ctypes", "h5py", "json", "numpy", "scipy.sparse.csgraph", "subprocess", "tifffile", "typing")
# What stands in the place of such a Python: it ends as the fork does, by exit code or by signal.
_CLIENT = """#!{python} -IS
import os, socket, sys
with socket.socket(socket.AF_UNIX) as line:
    line.connect({path!r})
    variables = [f"{{name}}={{value}}" for name, value in os.environ.items()]
    asked = "\\0".join([os.getcwd(), str(len(variables)), *variables, *sys.argv[1:]]).encode("utf-8", "surrogateescape")
    socket.send_fds(line, [len(asked).to_bytes(4, "big")], [0, 1, 2])
    line.sendall(asked)
    ended = int.from_bytes(line.recv(2) or b"\\0\\x46", "big", signed=True)
if ended < 0:
    os.kill(os.getpid(), -ended)
sys.exit(ended)
"""


@contextlib.contextmanager
def warm_python(python: Path, folder: Path) -> Iterator[Path]:
    """Start it for a Python; gives a folder to stand in the place of that Python's own: it has bin/python."""
    path, client = folder / "line", folder / "python/bin/python"
    client.parent.mkdir(parents=True)
    client.write_text(_CLIENT.format(python=sys.executable, path=str(path)), encoding="utf-8")
    client.chmod(0o755)
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [str(python), "-E", "-s", "-X", "utf8", "-u", __file__, str(path), str(client)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **one_thread}
    ) as server:
        assert server.stdin
        assert server.stdout
        try:
            assert server.stdout.readline() == b"ready\n"
            yield client.parents[1]
        finally:
            server.stdin.close()


def main(path: str, client: str) -> None:
    """Serve until the parent closes our input."""
    for library in _LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(library)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(64)
        print("ready")
        while sys.stdin not in select.select([server, sys.stdin], [], [])[0]:
            line, _ = server.accept()
            with line:
                if os.fork() == 0:
                    try:
                        server.close()
                        _attend(line, client)
                    finally:
                        os._exit(0)
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def _attend(line: socket.socket, client: str) -> None:
    """Run a command line in a child, tell how it ended, and end it if nobody waits any more."""
    size, files, _, _ = socket.recv_fds(line, 4, 3)
    heard = b""
    while len(heard) < int.from_bytes(size, "big"):
        heard += line.recv(1 << 16)
    child = os.fork()
    if child == 0:
        line.close()
        _run(heard.decode("utf-8", "surrogateescape").split("\0"), files, client)
    for file in files:
        os.close(file)
    ended = os.pidfd_open(child)
    if ended not in select.select([line.fileno(), ended], [], [])[0]:
        os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    with contextlib.suppress(OSError):
        code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        line.sendall(code.to_bytes(2, "big", signed=True))


def _run(texts: list[str], files: list[int], client: str) -> None:
    """Become the Python of that command line; never returns."""
    os.setsid()
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    folder, count, *rest = texts
    variables, words = rest[: int(count)], rest[int(count) :]
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(text.partition("=")[::2] for text in variables)
    sys.executable = client
    code: object = 1
    try:
        _execute(words)
        code = 0
    except SystemExit as end:
        code = end.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def _execute(words: list[str]) -> None:
    """Do what `python [-E -s -u -P -X option] script words` or `... -m module words` does."""
    flags = set()
    while words[0].startswith("-") and words[0] != "-m":
        flags.add(words.pop(0))
        if "-X" in flags:
            words.pop(0)
            flags.remove("-X")
    more = [] if "-E" in flags else [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    if words[0] == "-m":
        sys.path[:1] = [*([] if "-P" in flags else [str(Path.cwd())]), *more]
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.path[:1] = [str(Path(words[0]).resolve().parent), *more]
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
