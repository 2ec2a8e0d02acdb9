"""A Python that starts in no time: deploy.sh starts one dozens of times, mostly to import the standard library.

Run as a program it waits for command lines on a port of its own, which it prints, and runs the very script or code that
each names, where the modules are there already: the scripts of deploy.sh in this process, one after the other, as they
leave nothing behind; anything else in a fork of it.
"""

import contextlib
import io
import os
import select
import socket
import subprocess
import sys
import traceback
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# What stands before a script or `-c` in the lines of deploy.sh; in a fork they have no meaning.
_FLAGS = {"-IS", "-I"}
# The scripts of deploy.sh by their text: each run would compile them dozens of times.
_COMPILED: dict[str, types.CodeType] = {}


def client(port: int, python: str) -> str:
    """A program to be put on a PATH. Only what reads its input is given any: it belongs to the caller's script."""
    return f"""#!/bin/bash
input=
[[ $* != *answers.py* && $* != *machines.py* &&
  ! $* =~ sign_in.py\\ (found|one|owned|assigned|remembered|credential) ]] || input=$(cat)
exec 3<>/dev/tcp/127.0.0.1/{port} || exec {python} "$@"
printf '%s\\0' "$PWD" "$AZURE_TOKEN_CREDENTIALS" "$input" "$#" "$@" >&3
IFS= read -r -d '' -u 3 code
IFS= read -r -d '' -u 3 out
IFS= read -r -d '' -u 3 err
printf '%s' "$out"
printf '%s' "$err" >&2
exit "$code"
"""


@contextlib.contextmanager
def running(python: str) -> Iterator[str]:
    """Such a process of this Python; gives its client."""
    command = [python, "-I", str(Path(__file__))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin
        assert server.stdout
        try:
            yield client(int(server.stdout.readline()), python)
        finally:
            server.stdin.close()


def run(words: list[str], given: str) -> tuple[int, str, str]:
    """(exit code, output, errors) of a command line such as `-IS script.py words` or `-ISc code words`."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    first, *rest = words
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        sys.stdin = io.StringIO(given)
        try:
            if first.startswith("-") and first.endswith("c"):
                sys.argv = ["-c", *rest[1:]]
                exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102 - that is what -c is
            else:
                sys.argv = rest if first in _FLAGS else words
                _run_script(Path(sys.argv[0]))
        except SystemExit as end:
            code = int(end.code) if isinstance(end.code, int) else int(end.code is not None)
            if isinstance(end.code, str):
                print(end.code, file=sys.stderr)
        except BaseException:
            code = 1
            traceback.print_exc()
    return code, out.getvalue(), err.getvalue()


def _run_script(script: Path) -> None:
    """Run a script as the main module, compiled before if its text is one of those."""
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    main.__file__ = str(script)
    sys.path.insert(0, str(script.parent))
    text = script.read_text(encoding="utf-8")
    exec(_COMPILED.get(text) or compile(text, str(script), "exec"), vars(main))  # noqa: S102 - as Python would


@dataclass(frozen=True)
class _Order:
    """A command line, the folder and the kind of login it is given with, and its input."""

    words: list[str]
    folder: str
    login: str
    given: str

    @property
    def leaves_nothing(self) -> bool:
        """Whether it is one of the scripts that were compiled before."""
        if len(self.words) < 2 or self.words[0] not in _FLAGS or "/deploy/lib/" not in self.words[1]:
            return False
        script = Path(self.folder, self.words[1])
        return script.is_file() and script.read_text(encoding="utf-8") in _COMPILED

    def answer(self, stream: io.BufferedRWPair) -> None:
        """Do it."""
        os.chdir(self.folder)
        if self.login:
            os.environ["AZURE_TOKEN_CREDENTIALS"] = self.login
        code, out, err = run(self.words, self.given)
        stream.write(f"{code}\0{out}\0{err}\0".encode(errors="surrogateescape"))

    def answer_here(self, stream: io.BufferedRWPair) -> None:
        """Do it in this process, and leave that as it was."""
        main, stdin, path = sys.modules["__main__"], sys.stdin, list(sys.path)
        try:
            self.answer(stream)
        finally:
            sys.modules["__main__"], sys.stdin, sys.path[:] = main, stdin, path
            os.environ.pop("AZURE_TOKEN_CREDENTIALS", None)
            os.chdir("/")


def _order(stream: io.BufferedRWPair) -> _Order | None:
    heard = b""
    while heard.count(b"\0") < 4 or heard.count(b"\0") < 4 + int(heard.split(b"\0")[3]):
        more = stream.read1(1 << 16)
        if not more:
            return None
        heard += more
    folder, login, given, _, *words = heard.decode(errors="surrogateescape").split("\0")[:-1]
    return _Order(words, folder, login, given)


def _serve(server: socket.socket) -> None:
    connection, _ = server.accept()
    # Whoever is killed meanwhile wants no answer.
    with contextlib.suppress(OSError), connection, connection.makefile("rwb") as stream:
        order = _order(stream)
        if order is None:
            return
        if order.leaves_nothing:
            order.answer_here(stream)
        elif os.fork() == 0:
            try:
                server.close()
                order.answer(stream)
                stream.flush()
            finally:
                os._exit(0)


def main() -> None:
    """Serve until the parent closes our input."""
    import argparse, base64, dataclasses, fnmatch, hashlib, importlib.util, ipaddress, json, platform, re, runpy  # noqa: E401, F401, I001
    import sysconfig, tempfile, typing, urllib.parse, uuid  # noqa: E401, F401

    for script in Path(__file__).parents[2].glob("deploy/lib/*.py"):
        text = script.read_text(encoding="utf-8")
        _COMPILED[text] = compile(text, str(script), "exec")
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        print(server.getsockname()[1], flush=True)
        while sys.stdin not in select.select([server, sys.stdin], [], [])[0]:
            _serve(server)
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


if __name__ == "__main__":
    main()
