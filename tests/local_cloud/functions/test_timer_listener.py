"""The timer trigger's rules, on a clock that only moves when the listener waits."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from local_cloud.functions.schedule import Schedule
from local_cloud.functions.stopping import Stopping
from local_cloud.functions.timer_listener import NEVER, TimerListener, TimerStatus, after_run, at_start
from local_cloud.functions.triggers import TimerTrigger

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(text):
    return datetime.fromisoformat(f"2026-01-01T{text}").replace(tzinfo=UTC)


class Clock(Stopping):
    """Time passes only in pauses; stops at `end`."""

    def __init__(self, end):
        super().__init__()
        self.now = START
        self.end = end

    async def pause(self, seconds):
        await asyncio.sleep(0)
        self.now += timedelta(seconds=seconds)
        if self.now >= self.end:
            self.set()


class Store:
    def __init__(self, stored=None):
        self.stored = stored
        self.writes = 0

    async def read(self):
        return self.stored

    async def write(self, status):
        self.stored = status
        self.writes += 1


class Lock:
    """Lost at the given times, and free again at once."""

    def __init__(self, clock, lost_at=(), free_again=True):
        self.clock = clock
        self.free_again = free_again
        self.lost_at = list(lost_at)
        self.taken = 0

    @property
    def held(self):
        return not (self.lost_at and self.clock.now >= self.lost_at[0])

    async def acquire(self):
        if not self.held:
            if not self.free_again:
                return False
            self.lost_at.pop(0)
        self.taken += 1
        return not self.clock


async def run(schedule, end, *, takes=0.0, store=None, lost_at=(), startup=False, fails=False):
    """Runs a listener to `end`; returns [(time, past due)] of its ticks."""
    clock, ticks = Clock(end), []
    inside = 0

    async def handle(tick):
        nonlocal inside
        inside += 1
        assert inside == 1, "two ticks of one timer at once"
        ticks.append((clock.now, tick.past_due))
        clock.now += timedelta(seconds=takes)
        if clock.now >= end:
            clock.set()
        await asyncio.sleep(0)
        inside -= 1
        return not fails

    parsed = Schedule(schedule)
    trigger = TimerTrigger("timer", parsed, startup, not parsed.is_under_a_minute())
    lock = Lock(clock, lost_at)
    await TimerListener(trigger, lock, store or Store(), handle, clock, lambda: clock.now).run()
    return ticks


async def test_it_ticks_on_time():
    """Each time of the schedule is one run, not past due."""
    ticks = await run("*/20 * * * * *", at("00:01:01"))
    assert ticks == [(at("00:00:20"), False), (at("00:00:40"), False), (at("00:01:00"), False)]


async def test_a_long_run_skips_times_and_never_overlaps():
    """While a run lasts no other begins; a frequent timer goes on with the next time after its end."""
    ticks = await run("*/20 * * * * *", at("00:02:01"), takes=30)
    assert [when for when, _ in ticks] == [at("00:00:20"), at("00:01:00"), at("00:01:40")]


async def test_failures_do_not_stop_the_schedule():
    """A timer whose function fails ticks on."""
    assert len(await run("*/20 * * * * *", at("00:01:01"), fails=True)) == 3


async def test_run_on_startup():
    """runOnStartup runs at once and then by the schedule."""
    ticks = await run("*/20 * * * * *", at("00:00:21"), startup=True)
    assert ticks == [(START, False), (at("00:00:20"), False)]


async def test_a_frequent_timer_keeps_no_status():
    """Under a minute nothing is read or written, and nothing is past due."""
    store = Store(TimerStatus(START - timedelta(days=1), START - timedelta(hours=23), START - timedelta(days=1)))
    ticks = await run("*/20 * * * * *", at("00:00:21"), store=store)
    assert ticks == [(at("00:00:20"), False)]
    assert store.writes == 0


async def test_many_missed_runs_are_made_up_for_by_one():
    """A timer that missed hours of minutes runs once, past due, then on time."""
    last = START - timedelta(hours=3)
    store = Store(TimerStatus(last, last + timedelta(minutes=1), last))
    ticks = await run("0 * * * * *", at("00:02:01"), store=store)
    assert ticks == [(START, True), (at("00:01:00"), False), (at("00:02:00"), False)]
    assert store.stored == TimerStatus(at("00:02:00"), at("00:03:00"), at("00:02:00"))


async def test_a_run_longer_than_the_schedule_is_followed_at_once():
    """A timer with status whose next time passed while it ran, runs again when it ends."""
    ticks = await run("0 * * * * *", at("00:04:01"), takes=90)
    assert [when for when, _ in ticks] == [at("00:01:00"), at("00:02:30"), at("00:04:00")]


async def test_a_lost_lock_ends_the_ticking_until_it_is_back():
    """Without the lock nothing runs, as another host may hold it."""
    ticks = await run("*/20 * * * * *", at("00:01:01"), lost_at=[at("00:00:30")])
    assert [when for when, _ in ticks] == [at("00:00:20"), at("00:00:40"), at("00:01:00")]
    clock = Clock(at("00:01:00"))
    lock = Lock(clock, [at("00:00:30")], free_again=False)
    seen = []

    async def handle(tick):
        seen.append(clock.now)
        return True

    trigger = TimerTrigger("timer", Schedule("*/20 * * * * *"), False, False)
    await TimerListener(trigger, lock, Store(), handle, clock, lambda: clock.now).run()
    assert seen == [at("00:00:20")]


EVERY_MINUTE = Schedule("0 * * * * *")


def test_first_start_is_not_past_due():
    """Without a status the first run is the next time of the schedule."""
    assert at_start(None, EVERY_MINUTE, START) == (TimerStatus(NEVER, at("00:01:00"), START), False)


def test_a_changed_schedule_is_not_past_due():
    """A status that another schedule wrote is replaced: its next time means nothing."""
    old = TimerStatus(START - timedelta(hours=5), START - timedelta(hours=4), START - timedelta(hours=5))
    status, past_due = at_start(old, EVERY_MINUTE, START)
    assert (status.next, past_due) == (at("00:01:00"), False)


@pytest.mark.parametrize(("began", "following"), [("00:00:59.990", "00:02:00"), ("00:01:00.010", "00:02:00")])
def test_a_tick_a_moment_early_does_not_come_twice(began, following):
    """A tick that came just before its time counts as that time."""
    status = TimerStatus(NEVER, at("00:01:00"), START)
    assert after_run(status, EVERY_MINUTE, at(began), on_time=True).next == at(following)


def test_a_status_survives_being_written():
    """What is stored is what is read, also .NET's smallest date."""
    status = TimerStatus(NEVER, at("00:01:00"), START)
    assert TimerStatus.from_json(status.as_json()) == status
