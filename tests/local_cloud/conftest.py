"""What the tests of the local cloud share."""

from collections.abc import Awaitable, Callable

import pytest

from tests.local_cloud.waiting import wait_until


@pytest.fixture
def until() -> Callable[..., Awaitable[None]]:
    """`await until(condition)`: see `wait_until`."""
    return wait_until
