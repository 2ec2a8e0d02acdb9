"""Of the shim: names, and whether a proxy records."""

import uuid


def resource_name(prefix: str) -> str:
    return f"{prefix}{uuid.uuid4().hex[:8]}"


def is_live_and_not_recording() -> bool:
    """Say no, so that each request passes through `transform_request`."""
    return False
