"""An image in parts where something goes wrong: with one of them, with what joins them, or between two versions."""

from dataclasses import replace
from datetime import timedelta

import pytest

from batch_ops.domain.errors import RequestRefused
from batch_ops.domain.file_record import State
from batch_ops.domain.orders import LookOrder
from batch_ops.domain.parts import Parts
from batch_ops.task import contract
from batch_ops.use_cases.steering import Chosen
from tests.fakes import When
from tests.unit.use_cases.test_parts import alive, done, finish, letters
from tests.world import NAME, World


async def test_what_is_said_of_a_failed_part_is_by_its_own_task(parted: World) -> None:
    """The last lines of its log and its id: the task that would have joined the parts never existed."""
    own = (await parted.begin(NAME)).placement.task_id
    parted.batch.run(f"{own}-p3")
    parted.tell(f"{own}-p3", "DISK_FULL", "The disk is too small.", contract.EXIT_DISK_TOO_SMALL, "No space left.")
    parted.batch.complete(f"{own}-p3", contract.EXIT_DISK_TOO_SMALL)
    await parted.tick()
    text = parted.results(NAME)["PROBLEM.txt"].decode()

    assert f"task {own}-p3." in text
    assert "    No space left." in text


async def test_where_one_part_is_refused_no_other_is_left(parted: World) -> None:
    """All are there, or refused, before the run ends with them; and they are ended once more, later."""
    refused = RequestRefused("Batch refuses it.")
    parted.cloud.fail("batch.create_task", refused, when=When.AFTER)
    row = await parted.begin(NAME)

    assert row.state is State.FAILED
    assert alive(parted) == []
    assert len(parted.tasks()) == 4


async def test_a_part_created_while_its_run_failed_is_ended_later(parted: World) -> None:
    """Whoever created it does not know any more that nobody wants it."""
    own = (await parted.begin(NAME)).placement.task_id
    spec = parted.tasks()[0][1]
    parted.batch.run(f"{own}-p3")
    parted.tell(f"{own}-p3", "DISK_FULL", "The disk is too small.", contract.EXIT_DISK_TOO_SMALL)
    parted.batch.complete(f"{own}-p3", contract.EXIT_DISK_TOO_SMALL)
    await parted.tick()
    await parted.batch.delete_task(parted.row(NAME).placement.job_id, spec.id)
    await parted.batch.create_task(parted.row(NAME).placement.job_id, spec)
    assert alive(parted) == [spec.id]
    for _ in range(3):
        await parted.tick(timedelta(days=4))

    assert alive(parted) == []


async def test_parts_of_a_newer_version_are_left_alone(parted: World) -> None:
    """Neither begun anew nor joined nor lost, until that version is back; a cancel is obeyed."""
    await parted.begin(NAME)
    entry = parted.ledger.entry(NAME)
    assert entry is not None
    newer = replace(entry.record, parts=Parts.not_understood('{"states":"??"}'))
    for state in (State.ACTIVE, State.RUNNING, State.SUBMITTING):
        entry = await parted.ledger.advance(entry, replace(newer, state=state))
        before = alive(parted)
        for _ in range(3):
            await parted.tick(timedelta(minutes=11))
        await parted.look(LookOrder(NAME, "event"))

        assert parted.ledger.entry(NAME) == entry
        assert alive(parted) == before
    await parted.steering.cancel([Chosen(NAME, 1)])
    assert parted.row(NAME).state is State.CANCELLED


async def test_parts_of_a_run_that_an_older_version_took_for_one_task_are_ended(parted: World) -> None:
    """It knew of no parts: nobody waits for their tasks any more."""
    own = (await parted.begin(NAME)).placement.task_id
    entry = parted.ledger.entry(NAME)
    assert entry is not None
    await parted.ledger.advance(entry, replace(entry.record, parts=None))
    for number in (1, 2, 3, 4):
        parted.batch.run(f"{own}-p{number}")
    await parted.tick()

    assert [task for task in alive(parted) if "-p" in task] == []


@pytest.mark.parametrize("said", ["not all results", "Of part 2 of 4 (z 2 to 3) not all results reached the node."])
async def test_a_part_that_can_not_be_joined_is_computed_again(parted: World, said: str) -> None:
    """Its results are gone from staging, or damaged there; those of the others are used as they are."""
    own = (await parted.begin(NAME)).placement.task_id
    done(parted, *alive(parted))
    await parted.tick()
    if not said.startswith("Of"):
        for blob in parted.blobs.names("staging", f"{own}-p2/"):
            await parted.blobs.delete("staging", blob)
    parted.batch.run(own)
    parted.tell(own, "STAGING_IN", said, contract.EXIT_STAGING_IN)
    parted.batch.complete(own, contract.EXIT_STAGING_IN)
    for _ in range(3):
        await parted.tick(timedelta(minutes=1))

    assert letters(parted) == "sass"
    assert alive(parted) == [f"{own.removesuffix('-1')}-2-p2"]
    assert (await finish(parted)).state is State.SUCCEEDED
