"""Plants bugs one after the other in copies of the tree, and sees whether their tests notice."""

import asyncio
import json
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory

from local_cloud.azurite.server import Azurite
from tests.mutants.mutant import REPOSITORY, Mutant
from tests.mutants.warm import KILLED

# What set-up has installed, which copies share; and what lies in the tree of a developer besides.
_INSTALLED = (".venv", "local_cloud/node_modules")
_LEFT_OUT = shutil.ignore_patterns(
    *(".git", ".venv", "node_modules", ".*_cache", ".hypothesis", ".demo", ".local_cloud"),
)
_LINE_LIMIT = 1 << 26
_FAILED, _PASSED = 1, 0


class Fate(StrEnum):
    """What became of a planted bug."""

    KILLED = "killed"
    SURVIVED = "SURVIVED"
    # The test never ended, or never began: that says nothing.
    HUNG = "HUNG"
    UNTESTED = "UNTESTED"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`printed`: what pytest said."""

    mutant: Mutant
    fate: Fate
    seconds: float
    printed: str


class HuntError(Exception):
    """The tests do not even pass where nothing is planted."""


async def hunt(chosen: Sequence[Mutant], at_once: int, told: Callable[[Verdict], None]) -> Sequence[Verdict]:
    """Return a verdict on each, in their order. Raises `HuntError`."""
    verdicts: dict[str, Verdict] = {}
    todo = iter(chosen)
    tests = sorted({mutant.test for mutant in chosen})

    async def work(number: int) -> None:
        async with _grounds() as ground:
            code, printed = await ground.run(tests[number::at_once]) if tests[number::at_once] else (_PASSED, "")
            if code != _PASSED:
                raise HuntError(f"Where nothing is planted, their tests should pass, but pytest says:\n{printed}")
            for mutant in todo:
                verdicts[mutant.name] = verdict = await ground.judge(mutant)
                told(verdict)

    async with _storage(tests):
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(at_once):
                    group.create_task(work(number))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from errors
    return [verdicts[mutant.name] for mutant in chosen]


@dataclass(frozen=True, slots=True)
class _Ground:
    """A copy of the tree, and a process that runs tests there."""

    root: Path
    process: asyncio.subprocess.Process

    async def run(self, tests: Sequence[str]) -> tuple[int, str]:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(list(tests)).encode() + b"\n")
        answer = await self.process.stdout.readline()
        if not answer:
            raise HuntError("The process that runs the tests has ended.")
        code, printed = json.loads(answer)
        return code, printed

    async def judge(self, mutant: Mutant) -> Verdict:
        started = time.monotonic()
        with self._planted(mutant):
            code, printed = await self.run([mutant.test])
        fates = {_FAILED: Fate.KILLED, _PASSED: Fate.SURVIVED, KILLED: Fate.HUNG}
        fate = Fate.HUNG if "Failed: Timeout" in printed else fates.get(code, Fate.UNTESTED)
        return Verdict(mutant, fate, time.monotonic() - started, printed)

    @contextmanager
    def _planted(self, mutant: Mutant) -> Iterator[None]:
        path, kept = self.root / mutant.file, self.root / "kept"
        if fault := mutant.fault(self.root):
            raise HuntError(f"{mutant.name}: {fault}.")
        shutil.copy2(path, kept)
        try:
            mutant.plant(self.root)
            # Modules are compiled anew when their time differs.
            os.utime(path, (0, 0))
            yield
        finally:
            kept.replace(path)


@asynccontextmanager
async def _grounds() -> AsyncIterator[_Ground]:
    with TemporaryDirectory(prefix="mutants-") as folder:
        root = Path(folder) / "tree"
        await asyncio.to_thread(shutil.copytree, REPOSITORY, root, ignore=_LEFT_OUT)
        for installed in _INSTALLED:
            (root / installed).symlink_to(REPOSITORY / installed)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.mutants.warm"),
            cwd=root,
            # There, what a test lacks is a failure: a test that is skipped notices nothing.
            env={**os.environ, "CI": "true"},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LINE_LIMIT,
        )
        try:
            yield _Ground(root, process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


@asynccontextmanager
async def _storage(tests: Sequence[str]) -> AsyncIterator[None]:
    """One Azurite for all, as each run of tests would start one of its own."""
    if not any("contract" in test or "azurite" in test for test in tests):
        yield
        return
    with TemporaryDirectory(prefix="mutants-azurite-") as folder:
        server = Azurite(Path(folder))
        await server.start()
        os.environ["AZURITE_CONNECTION"] = server.connection_string
        try:
            yield
        finally:
            await server.stop()
