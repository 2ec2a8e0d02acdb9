"""The rules for images are tried on the files and projects that the inspection's tests are tried on."""

from tests.unit.inspection.conftest import h5  # noqa: F401
