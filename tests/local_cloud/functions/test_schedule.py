"""NCRONTAB schedules."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from local_cloud.functions.schedule import Schedule


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "after", "following"),
    [
        ("*/30 * * * * *", "2026-01-01T00:00:00", "2026-01-01T00:00:30"),
        ("*/2 * * * * *", "2026-01-01T00:00:01.5", "2026-01-01T00:00:02"),
        ("0 */5 * * * *", "2026-01-01T00:00:00", "2026-01-01T00:05:00"),
        ("5,8 0 3 * * *", "2026-01-01T03:00:05", "2026-01-01T03:00:08"),
        ("0 30 9 * Jan Mon", "2026-01-01T00:00:00", "2026-01-05T09:30:00"),
        ("*/5 * * * *", "2026-01-01T00:00:00", "2026-01-01T00:05:00"),  # five fields: at second 0
        ("0 0 0 13 * Fri", "2026-01-01T00:00:00", "2026-02-13T00:00:00"),  # both days must match
    ],
)
def test_next_time(schedule, after, following):
    """Six fields with seconds first; day of month and day of week must both match."""
    assert Schedule(schedule).next_after(at(after)) == at(following)


def test_the_next_time_is_in_utc_whatever_the_zone_asked_in():
    """Function apps on Linux keep their schedules in UTC."""
    east = at("2026-01-01T00:00:00").astimezone(timezone(timedelta(hours=9)))
    assert Schedule("0 0 3 * * *").next_after(east) == at("2026-01-01T03:00:00")


@pytest.mark.parametrize(
    ("schedule", "frequent"),
    [("*/30 * * * * *", True), ("0,59 * * * * *", True), ("0 * * * * *", False), ("0 0 3 1 1 *", False)],
)
def test_under_a_minute(schedule, frequent):
    """Timers with less than a minute between two runs are told apart: they keep no status."""
    assert Schedule(schedule).is_under_a_minute() is frequent


@pytest.mark.parametrize("text", ["", "* * *", "@hourly", "61 * * * * *", "* * * * * * *", "00:00:05", "x y z a b c"])
def test_what_is_no_schedule_is_refused(text):
    """A schedule without meaning is an error, not a timer that never runs."""
    with pytest.raises(ValueError, match=r"must have six fields|not an NCRONTAB"):
        Schedule(text)
