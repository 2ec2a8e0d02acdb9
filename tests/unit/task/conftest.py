"""What the real ilastik wrote, for the tests that hold the contract against it."""

from pathlib import Path

import pytest

REFERENCE = Path(__file__).resolve().parents[4] / "shared/reference/ilastik"


@pytest.fixture
def reference() -> Path:
    """The folder of ilastik's reference output; without it the test is skipped."""
    if not REFERENCE.exists():
        pytest.skip("the reference output of ilastik is not beside this repository")
    return REFERENCE
