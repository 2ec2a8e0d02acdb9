"""Of the shim: where Microsoft's tests send their requests to a recording proxy, these go to the local service."""

from typing import Any

from local_account import current


def get_test_id() -> str:
    return "local"


def start_record_or_playback(test_id: str) -> tuple[str, dict[str, str]]:
    return "local", {}


def stop_record_or_playback(test_id: str, recording_id: str, variables: Any) -> None:
    """Nothing was recorded."""


def transform_request(request: Any, recording_id: str) -> None:
    """Send a request to the local service; its old target stays in the header that the tests read."""
    scheme, _, rest = request.url.partition("://")
    host, _, path = rest.partition("/")
    if not request.url.startswith(current().endpoint):
        request.headers["x-recording-upstream-base-uri"] = f"{scheme}://{host}"
        request.url = f"{current().endpoint}/{path}"
    else:
        request.headers["x-recording-upstream-base-uri"] = current().endpoint
