"""Runs Microsoft's tests statement by statement: what fails is written down, and the test goes on.

`python -m statements TESTS WORK` writes the tests of an sdist into WORK with every statement of a test's body watched;
as a plugin of pytest (`-p statements`) it gives each test an account of its own, sends its requests there, and writes
a line of JSON for each statement into `$STATEMENTS`. Runs in the environment of the client.
"""

import ast
import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CLIENT = "client."
FOUND = "statements.json"
PATIENCE = 20.0  # seconds that one statement may wait
LONGEST_BODY = 1500  # characters of a body that are kept
LONGEST_PAUSE = 0.1  # seconds; the tests pause for 5 and 10, as is right for machines that boot


def call_of(statement: ast.stmt) -> str:
    """The call of the client within a statement, as `pool.add`; none for a loop that only waits."""
    if isinstance(statement, ast.While):
        return ""
    dotted = (ast.unparse(node) for node in ast.walk(statement) if isinstance(node, ast.Attribute))
    return next((name.removeprefix(CLIENT) for name in dotted if name.startswith(CLIENT)), "")


def tests_of(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The tests of a module's classes."""
    for case in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        for test in case.body:
            if isinstance(test, ast.FunctionDef | ast.AsyncFunctionDef) and test.name.startswith("test_"):
                yield test


def prepare(tests: Path, work: Path) -> None:
    """Write the tests of an sdist, watched, and what they import of their own, into a new folder."""
    work.mkdir(parents=True)
    for file in tests.glob("*.py"):
        if not file.name.startswith("test_"):
            (work / file.name).write_bytes(file.read_bytes())
    tree = ast.parse((tests / "test_batch.py").read_text(encoding="utf-8"))
    found = {test.name: [(line.lineno, call_of(line)) for line in test.body] for test in tests_of(tree)}
    for test in tests_of(tree):
        test.body = [_within(test.name, line) for line in test.body]
    text = "from statements import statement as __statement__\n" + ast.unparse(ast.fix_missing_locations(tree))
    (work / "test_batch.py").write_text(text, encoding="utf-8")
    (work / FOUND).write_text(json.dumps(found), encoding="utf-8")


def _within(test: str, line: ast.stmt) -> ast.stmt:
    arguments: list[ast.expr] = [ast.Constant(value) for value in (test, line.lineno, call_of(line))]
    return ast.With([ast.withitem(ast.Call(ast.Name("__statement__"), arguments, []))], [line])


_deadline = [0.0]


@contextlib.contextmanager
def statement(test: str, line: int, call: str) -> Iterator[None]:
    """Watch one statement: what it raises is written down and goes no further."""
    from local_account import current

    current().requests.clear()
    _deadline[0] = time.monotonic() + PATIENCE
    error = ""
    try:
        yield
    except Exception as exc:
        error = f"{type(exc).__name__}: {exc}"
    except BaseException as exc:  # pytest.fail
        if type(exc).__name__ != "Failed":
            raise
        error = str(exc)
    write(test=test, line=line, call=call, error=error, requests=current().requests[-3:] if error else [])


_running = [""]


def write(**entry: Any) -> None:
    """Write a line about the test that runs."""
    with open(os.environ["STATEMENTS"], "a", encoding="utf-8") as out:  # noqa: PTH123 - short
        out.write(json.dumps({"node": _running[0], **entry}) + "\n")


def pytest_runtest_setup(item: Any) -> None:
    """Give the test an account of its own."""
    from local_account import next_account

    next_account()
    _running[0] = item.name


def pytest_runtest_logreport(report: Any) -> None:
    """Write down all statements of a test whose preparation failed: none of them ran."""
    if report.failed:
        test = _running[0].partition("[")[0]
        error = f"the preparation failed: {report.longreprtext[-2000:]}"
        for line, call in json.loads(Path(FOUND).read_text(encoding="utf-8"))[test]:
            write(test=test, line=line, call=call, error=error, requests=[])


def pytest_configure(config: Any) -> None:
    config.addinivalue_line("markers", "live_test_only: of Microsoft's repository")
    _be_impatient()
    _send_to_the_local_service()


def _be_impatient() -> None:
    really, really_async = time.sleep, asyncio.sleep

    def sleep(seconds: float) -> None:
        if time.monotonic() > _deadline[0]:
            raise TimeoutError(f"this did not come true in {PATIENCE:g} s")
        really(min(seconds, LONGEST_PAUSE))

    async def sleep_async(seconds: float, *args: Any) -> Any:
        if time.monotonic() > _deadline[0]:
            raise TimeoutError(f"this did not come true in {PATIENCE:g} s")
        return await really_async(min(seconds, LONGEST_PAUSE), *args)

    time.sleep = sleep  # type: ignore[assignment]
    asyncio.sleep = sleep_async  # type: ignore[assignment]


def _send_to_the_local_service() -> None:
    """Send what `requests` sends to any `https:` host, and note every exchange."""
    import requests.adapters
    from local_account import current

    send = requests.adapters.HTTPAdapter.send

    def local(adapter: Any, request: Any, **options: Any) -> Any:
        scheme, _, rest = request.url.partition("://")
        if scheme == "https":
            request.url = f"{current().endpoint}/{rest.partition('/')[2]}"
        answer = send(adapter, request, **options)
        text = answer.text if answer.status_code >= 400 else ""
        body = (request.body or b"")[:LONGEST_BODY]
        current().requests.append(f"{request.method} {request.url} {body!r} -> {answer.status_code} {text}")
        return answer

    requests.adapters.HTTPAdapter.send = local  # type: ignore[method-assign, assignment]
    with contextlib.suppress(ImportError):
        from azure.core.pipeline.transport import AioHttpTransport

        send_async = AioHttpTransport.send

        async def local_async(transport: Any, request: Any, **options: Any) -> Any:
            answer = await send_async(transport, request, **options)
            current().requests.append(
                f"{request.method} {request.url} {str(request.content)[:LONGEST_BODY]} -> {answer.status_code}"
            )
            return answer

        AioHttpTransport.send = local_async


if __name__ == "__main__":
    prepare(Path(sys.argv[1]), Path(sys.argv[2]))
