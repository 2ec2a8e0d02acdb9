"""Log lines that keep their fields: the Functions worker passes on only a record's text."""

import logging

from batch_ops.domain.file_record import FileRecord
from batch_ops.task.plain_text import plain

_LONGEST = 16_000  # characters; Application Insights cuts a message at 32,768

FIELDS = ("file", "correlation_id", "task_id", "run", "state")


def fields(record: FileRecord) -> dict[str, str]:
    """Return the structured part of a log line about a file."""
    return {
        "correlation_id": record.correlation_id,
        "file": record.name,
        "state": str(record.state),
        "run": str(record.run),
        "task_id": record.placement.task_id,
    }


class FieldsInText(logging.Filter):
    """Appends the fields given by `extra=` to the sentence, as `sentence (file=..., correlation_id=...)`.

    So a search for a file's name or correlation id finds every line about it. The whole is one line of printable
    characters, whatever names and messages from outside hold: nobody forges a line of the log.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Append the fields; keep every record."""
        given = [(name, str(record.__dict__.pop(name))) for name in FIELDS if name in record.__dict__]
        shown = ", ".join(f"{name}={value}" for name, value in given if value)
        text = f"{record.getMessage()} ({shown})" if shown else record.getMessage()
        record.msg, record.args = plain(text, _LONGEST), ()
        return True


def install(logger: logging.Logger) -> None:
    """Make a logger keep fields in its text; repeating it is harmless."""
    if not any(isinstance(known, FieldsInText) for known in logger.filters):
        logger.addFilter(FieldsInText())
