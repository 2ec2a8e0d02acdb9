"""Log lines that keep their fields wherever they go: the Functions worker hands on a record's text alone."""

import logging

from batch_ops.domain import naming
from batch_ops.domain.file_record import FileRecord

FIELDS = ("file", "correlation_id", "task_id", "run", "state")


def fields(record: FileRecord) -> dict[str, str]:
    """The structured part of a log line about a file."""
    return {
        "correlation_id": record.correlation_id,
        "file": naming.plain(record.name, 1100),
        "state": str(record.state),
        "run": str(record.run),
        "task_id": record.placement.task_id,
    }


class FieldsInText(logging.Filter):
    """Puts the fields given by `extra=` behind the sentence, as `sentence (file=..., correlation_id=...)`.

    So a search for a file's name or correlation id finds every line about it.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Never drops a record."""
        given = [(name, str(record.__dict__.pop(name))) for name in FIELDS if name in record.__dict__]
        shown = ", ".join(f"{name}={value}" for name, value in given if value)
        if shown:
            record.msg, record.args = f"{record.getMessage()} ({shown})", ()
        return True


def install(logger: logging.Logger) -> None:
    """Have a logger keep fields in its text; once is enough."""
    if not any(isinstance(known, FieldsInText) for known in logger.filters):
        logger.addFilter(FieldsInText())
