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


@pytest.mark.parametrize("evil", ["a\n2026-01-01 ERROR forged", "a\rb", "a\x1b[2Jb", "a\u2028b", "a\x00b"])
def test_a_line_stays_one_line(logger, caplog, evil):
    """Names, ids and messages of others forge no line and steer no terminal."""
    logger.info("Looking at %s.", evil, extra={"correlation_id": evil, "file": evil})
    (message,) = caplog.messages
    assert message.isprintable()
    assert message.count("a\N{REPLACEMENT CHARACTER}") == 3
