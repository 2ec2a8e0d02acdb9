"""NCRONTAB schedules: six fields, seconds first; five mean that seconds are 0."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from croniter import CroniterBadCronError, croniter

_FIELD = re.compile(r"[0-9A-Za-z*/,-]+")


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a timer runs, in UTC (the time zone of function apps on Linux).

    A day must match both the day of the month and the day of the week. Raises ValueError with a sentence.
    """

    text: str

    def __post_init__(self) -> None:
        fields = self.text.split()
        if len(fields) not in (5, 6) or not all(_FIELD.fullmatch(field) for field in fields):
            raise ValueError("it must have six fields, '{second} {minute} {hour} {day} {month} {day of week}'.")
        try:
            self.next_after(datetime(2024, 1, 1, tzinfo=UTC))
        except (CroniterBadCronError, ValueError, KeyError) as exc:
            raise ValueError(f"it is not an NCRONTAB expression ({exc}).") from exc

    def next_after(self, when: datetime) -> datetime:
        """Return the first time of the schedule after `when` (aware)."""
        six = self.text if len(self.text.split()) == 6 else f"0 {self.text}"
        cron = croniter(six, when.astimezone(UTC), second_at_beginning=True, day_or=False)
        following: datetime = cron.get_next(datetime)
        return following

    def is_under_a_minute(self) -> bool:
        """Say whether some of the next times are less than a minute apart; such timers keep no status."""
        last = self.next_after(datetime(2024, 1, 1, tzinfo=UTC))
        for _ in range(5):
            following = self.next_after(last)
            if following - last < timedelta(minutes=1):
                return True
            last = following
        return False
