"""The SDKs' errors as the product's own, chosen by the service's error code, never by the SDK's type."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

from batch_ops.domain.errors import IlastikBatchError, NotAllowed, RequestRefused, ServiceFault

_BUSY_STATUS = frozenset({408, 429, 500, 502, 503, 504})
_BUSY_CODES = frozenset({"ServerBusy", "OperationTimedOut", "InternalError", "TooManyRequests"})
# The request is right, but the account is not ready: that passes, or an operator repairs it.
_LATER_STATUS = frozenset({404, 409, 412})

# What a call of an SDK may raise: its own errors, and those of the transport that it does not translate.
SDK_ERRORS = (AzureError, OSError)


@contextmanager
def calls(
    service: str, purpose: str, known: Mapping[str, IlastikBatchError] | None = None, *, ignored: Collection[str] = ()
) -> Iterator[None]:
    """Run calls of an SDK; its errors leave as ours. `purpose` completes "could not ...".

    `known` has the codes with a meaning of their own for this call. An error with one of the `ignored` codes (there is
    nothing, or it is done already) ends the block without an exception.
    """
    try:
        yield
    except SDK_ERRORS as exc:
        if code_of(exc) in ignored:
            return
        raise translated(exc, service, purpose, known) from exc


def translated(
    error: Exception, service: str, purpose: str, known: Mapping[str, IlastikBatchError] | None = None
) -> IlastikBatchError:
    """Return our error for an SDK's error."""
    code = code_of(error)
    if known and code in known:
        return known[code]
    status = error.status_code if isinstance(error, HttpResponseError) else None
    detail = code or str(status or type(error).__name__)
    if status in {401, 403}:
        return NotAllowed(f"{service} does not let this app {purpose} ({detail}); check its role assignments.")
    if isinstance(error, ClientAuthenticationError):
        # That says nothing of what the service would allow.
        return ServiceFault(f"{service} could not be asked to {purpose}: there is no token for it ({detail}).")
    if status is None or status < 400:
        return ServiceFault(f"{service} could not be reached to {purpose} ({detail}).")
    if status in _BUSY_STATUS or code in _BUSY_CODES:
        busy = f"{service} is busy and could not {purpose} ({detail})."
        return ServiceFault(busy, retry_after=_retry_after(error))
    if status in _LATER_STATUS:
        return ServiceFault(f"{service} could not {purpose} now ({detail}).", retry_after=_retry_after(error))
    return RequestRefused(f"{service} refused to {purpose} ({detail}).")


def code_of(error: Exception) -> str:
    """Return the service's error code; empty if there was no answer, or none in it."""
    inner = getattr(error, "error", None)
    code = getattr(error, "error_code", None) or getattr(inner, "code", None)
    if not code:
        response = getattr(error, "response", None)
        code = response.headers.get("x-ms-error-code") if response is not None else None
    return str(getattr(code, "value", code) or "")


def _retry_after(error: Exception) -> timedelta | None:
    response = getattr(error, "response", None)
    headers = response.headers if response is not None else {}
    for name, unit in (("x-ms-retry-after-ms", "milliseconds"), ("retry-after-ms", "milliseconds")):
        if (value := headers.get(name, "")).isdigit():
            return timedelta(**{unit: int(value)})
    value = headers.get("Retry-After", "")
    return timedelta(seconds=int(value)) if value.isdigit() else None
