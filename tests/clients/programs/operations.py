"""What the clients' programs share: each operation is tried by itself, and a line says what became of it."""

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

ENDPOINT = os.environ["AZURE_BATCH_ENDPOINT"]
ACCOUNT = os.environ["AZURE_BATCH_ACCOUNT"]
KEY = os.environ["AZURE_BATCH_ACCESS_KEY"]


@contextlib.contextmanager
def operation(name: str) -> Iterator[None]:
    """Try one operation; print a line of JSON with its name and, if it failed, why."""
    error = None
    try:
        yield
    except Exception as exc:
        said = getattr(exc, "error", None)
        error = f"{type(exc).__name__}: {getattr(said, 'code', '')} {getattr(said, 'message', exc)}"
    print(json.dumps({"operation": name, "error": error and error[:600]}), flush=True)


def until(look: Callable[[], Any], seconds: float = 20) -> Any:
    """What `look` gives as soon as it is true; TimeoutError after so many seconds."""
    end = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > end:
            raise TimeoutError(f"this did not come true in {seconds:g} s; the last look gave {found!r}")
        time.sleep(0.05)
    return found
