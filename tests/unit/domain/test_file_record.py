"""How a record moves, and what it remembers of its way."""

from datetime import UTC, datetime, timedelta

from batch_ops.domain.attempts import Attempt, Tries
from batch_ops.domain.blob import ImageVersion
from batch_ops.domain.file_record import HISTORY_LENGTH, FileRecord, Move, State
from batch_ops.task.failure_kinds import FailureKind

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
NEW = FileRecord("fly/a.h5", 1, State.WAITING, ImageVersion("0x1", 5), "c")


def test_a_move_notes_its_time_and_staying_does_not():
    """To the second; what was said last is the reason."""
    waiting = NEW.to(State.WAITING, NOW, "Paused.").to(State.WAITING, NOW + timedelta(hours=1), "Still paused.")
    assert waiting.history == (Move(State.WAITING, NOW.replace(microsecond=0)),)
    assert (waiting.reason, waiting.times.updated_at) == ("Still paused.", NOW + timedelta(hours=1))


def test_only_a_final_state_has_a_time_of_its_end():
    """It is the time of the move."""
    assert NEW.to(State.ACTIVE, NOW).times.finished_at is None
    assert NEW.to(State.FAILED, NOW).times.finished_at == NOW


def test_the_last_moves_are_kept():
    """A row has room for so many."""
    record = NEW
    for minute in range(HISTORY_LENGTH + 5):
        state = State.RUNNING if minute % 2 else State.ACTIVE
        record = record.to(state, NOW + timedelta(minutes=minute))
    assert len(record.history) == HISTORY_LENGTH
    assert record.history[-1].at == NOW.replace(microsecond=0) + timedelta(minutes=HISTORY_LENGTH + 4)


def test_every_failure_is_counted_and_the_last_twelve_are_remembered():
    """The oldest first, with what fits a row of their sentences; counts stand in the order of their names."""
    tries = Tries()
    for number in range(1, 15):
        kind = FailureKind.NODE if number % 2 else FailureKind.LOST
        tries = tries.plus(Attempt(number, f"t-{number}", kind, "x" * 400, "n", NOW))
    assert tries.counts == ((FailureKind.LOST, 7), (FailureKind.NODE, 7))
    assert tries.of(FailureKind.COMMAND) == 0
    assert [attempt.number for attempt in tries.attempts] == list(range(3, 15))
    assert {(len(attempt.sentence), attempt.at.microsecond) for attempt in tries.attempts} == {(300, 0)}
