"""Reads what stands behind the options of the command line; argparse reports what is wrong."""

import argparse
from datetime import UTC, datetime, timedelta

_MOST_DAYS = 36_500


def blob_name(text: str) -> str:
    """Read the name of a blob, or how it begins: Azure stores a backslash as a slash."""
    return text.replace("\\", "/")


def moment(text: str) -> datetime:
    """Read a date or a time; one without a zone is UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no time such as 2026-03-01 or 2026-03-01T14:30") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def month(text: str) -> str:
    """Read a month such as 2026-03."""
    try:
        return f"{datetime.strptime(text, '%Y-%m'):%Y-%m}"
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no month such as 2026-03") from None


def days(text: str) -> timedelta:
    """Read a number of days such as 90d."""
    number = text.removesuffix("d")
    if not (number.isascii() and number.isdigit()) or not 1 <= int(number) <= _MOST_DAYS:
        raise argparse.ArgumentTypeError(f"{text} is no number of days such as 90d")
    return timedelta(days=int(number))


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number
