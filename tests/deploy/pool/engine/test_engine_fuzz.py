"""No broken project or image leads the kernel outside of what is its own, nor ends in anything but a sentence."""

import os
import shutil
from pathlib import Path

import pytest

from tests.deploy.pool.engine.fuzz import found, sanitized, sanitizer

# One plane too many is read and written.
MISTAKE = ("presmooth.c", "for (int z = z0; z < z1; z++) {", "for (int z = z0; z <= z1; z++) {")


@pytest.fixture
def compiler() -> tuple[str, Path]:
    """Find a compiler with the address sanitizer, and the sanitizer's library."""
    program = shutil.which("gcc") or ""
    library = sanitizer(program) if program else None
    if library is None:
        assert not os.environ.get("CI"), "In continuous integration there has to be a compiler with the sanitizer."
        pytest.skip("there is no gcc with the address sanitizer here")
    return program, library


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_broken_files_end_in_pixels_or_a_sentence(tmp_path: Path, compiler: tuple[str, Path]) -> None:
    """A hundred of them; `make fuzz` tries ten thousand."""
    program, library = compiler
    assert found(sanitized(tmp_path, program), library, 100, 7) == ""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_step_outside_is_seen(tmp_path: Path, compiler: tuple[str, Path]) -> None:
    """The search is worth something: a kernel that goes one plane too far does not get through ten cases."""
    program, library = compiler
    said = found(sanitized(tmp_path, program, MISTAKE), library, 10, 7)
    assert "AddressSanitizer: heap-buffer-overflow" in said
    assert "presmooth_planes" in said
