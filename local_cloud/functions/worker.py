"""Microsoft's worker library, behind the one interface that the host needs: load an app, invoke a function.

The library keeps the app in module state, so a process runs one app. Its handlers have no documented
contract: its version is pinned, and `tests/local_cloud/functions/test_worker_contract.py` holds ours.
"""

import json
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import azure_functions_runtime as runtime

from local_cloud.functions.errors import AppError, BindingError
from local_cloud.functions.messages import PROTOS, Message, ParameterBinding, StatusResult, TypedData
from local_cloud.functions.triggers import Function, Retry, parse_trigger


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an invocation ended; `error` is the exception's text with its traceback, empty on success.

    `answer` is what the function returned, None if nothing.
    """

    ok: bool
    error: str = ""
    answer: TypedData | None = None


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of a function: its trigger's data and metadata, each a TypedData."""

    id: str
    data: TypedData
    metadata: Mapping[str, TypedData]
    retry_count: int = 0
    max_retry_count: int = 0


class Worker:
    """The library with one app loaded."""

    def __init__(self, functions: tuple[Function, ...]) -> None:
        self.functions = functions

    @classmethod
    async def load(cls, app: Path, settings: Mapping[str, str]) -> "Worker":
        """Import and index `app`/function_app.py.

        Raises AppError with the app's own error when that fails, BindingError and SettingsError for
        functions that this host cannot run.
        """
        if not (app / "function_app.py").is_file():
            raise AppError(f"There is no function_app.py in {app}.")
        sys.path.insert(0, str(app))
        request = SimpleNamespace(
            request=SimpleNamespace(
                worker_init_request=SimpleNamespace(capabilities={}, function_app_directory=str(app))
            ),
            properties={"host": "127.0.0.1", "protos": PROTOS},
        )
        answer = await runtime.worker_init_request(request)
        if answer.result.status != StatusResult.Success:
            fault = answer.result.exception
            raise AppError(f"{app / 'function_app.py'} cannot be loaded: {fault.message}\n{fault.stack_trace}")
        if "HttpUri" in answer.capabilities:
            raise BindingError(
                "The app uses streams of HTTP (azurefunctions-extensions-http-...), which this host does not do: use "
                "func.HttpRequest and func.HttpResponse, or Azure Functions Core Tools ('func start')."
            )
        runtime.start_threadpool_executor()
        listing = await runtime.functions_metadata_request(None)
        return cls(tuple(_function(found, settings) for found in listing.function_metadata_results or ()))

    async def invoke(self, function: Function, call: Invocation) -> Outcome:
        """Call the function and wait for its end; what it raises is in the outcome."""
        request = SimpleNamespace(
            invocation_id=call.id,
            function_id=function.id,
            trace_context=SimpleNamespace(trace_parent=_trace_parent(), trace_state="", attributes={}),
            retry_context=SimpleNamespace(
                retry_count=call.retry_count, max_retry_count=call.max_retry_count, exception=None
            ),
            input_data=[ParameterBinding(name=function.trigger.parameter, data=call.data)],
            trigger_metadata=call.metadata,
        )
        # The library tells threads of synchronous functions by this variable; asynchronous ones inherit it.
        token = runtime.invocation_id_cv.set(call.id)
        try:
            answer = await runtime.invocation_request(
                SimpleNamespace(request=SimpleNamespace(invocation_request=request))
            )
        finally:
            runtime.invocation_id_cv.reset(token)
        if answer.result.status == StatusResult.Success:
            return Outcome(True, answer=answer.return_value)
        fault = answer.result.exception
        return Outcome(False, f"{fault.message}\n{fault.stack_trace}".strip())


def running_invocation() -> str | None:
    """Return the id of the invocation that this code runs in, from a task or a thread of the library."""
    found: str | None = runtime.invocation_id_cv.get()
    return found


def _function(found: Any, settings: Mapping[str, str]) -> Function:
    bindings = [json.loads(binding) if isinstance(binding, str) else binding for binding in found.raw_bindings]
    trigger = parse_trigger(found.name, bindings, settings)
    return Function(found.name, found.function_id, trigger, _retry(found.retry_options))


def _retry(options: Message | None) -> Retry | None:
    if options is None:
        return None
    if options.delay_interval is not None:
        return Retry(options.max_retry_count, options.delay_interval.total_seconds())
    return Retry(
        options.max_retry_count,
        None,
        options.minimum_interval.total_seconds(),
        options.maximum_interval.total_seconds(),
    )


def _trace_parent() -> str:
    return f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-00"
