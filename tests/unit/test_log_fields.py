"""Log lines keep their fields in their text."""

import logging

import pytest

from batch_ops.log_fields import install


@pytest.fixture
def logger(caplog: pytest.LogCaptureFixture) -> logging.Logger:
    """A logger of the test's own."""
    logger = logging.getLogger("test_log_text")
    install(logger)
    install(logger)
    caplog.set_level(logging.INFO, logger.name)
    return logger


def test_fields_stand_behind_the_sentence(logger, caplog):
    """A search for the correlation id or the file's name finds the line; percent signs in names do no harm."""
    logger.info("%s: %s", "FAILED", "No.", extra={"correlation_id": "c-1", "file": "100%s.h5", "task_id": ""})
    assert caplog.messages == ["FAILED: No. (file=100%s.h5, correlation_id=c-1)"]


def test_a_line_without_fields_stays_as_it_is(logger, caplog):
    """Nothing is added where nothing is known."""
    logger.info("A tick.")
    assert caplog.messages == ["A tick."]
