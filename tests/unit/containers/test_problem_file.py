"""PROBLEM.txt tells why there are no results, and only where there are none."""

from dataclasses import replace

import pytest

from batch_ops.containers.problem_file import ProblemFile
from batch_ops.containers.results import PROBLEM, PROVENANCE
from batch_ops.containers.staging import Staging
from batch_ops.domain.blob import ImageVersion
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.task.run_plan import RunPlan, RunWarning
from tests.fakes import FakeBlobs, When
from tests.unit.containers.test_results import author
from tests.world import NAME


def record(state: State, run: int = 2) -> FileRecord:
    return FileRecord(NAME, run, state, ImageVersion("0x1", 5), "correlation", reason="It is too thin.")


def published(blobs: FakeBlobs, run: int, *leaves: str) -> None:
    """What a run has put into the folder."""
    for leaf in (PROVENANCE, *leaves):
        blobs.upload("results", f"{NAME}/{leaf}", b"{}", metadata=author(run).metadata())


def names(blobs: FakeBlobs) -> list[str]:
    return [name.removeprefix(f"{NAME}/") for name in blobs.names("results")]


@pytest.fixture
def blobs() -> FakeBlobs:
    """No results yet."""
    return FakeBlobs()


@pytest.fixture
def problem(blobs) -> ProblemFile:
    return ProblemFile(blobs, "results", Staging(blobs, "staging"))


@pytest.mark.parametrize(
    ("state", "left"),
    [(State.REJECTED, [PROBLEM]), (State.FAILED, [PROBLEM]), (State.WAITING, [PROBLEM, "a0.tiff", PROVENANCE])],
)
async def test_the_end_of_a_run_takes_older_results_away(blobs, problem, state, left):
    """They are of another version; while the file waits they are still the newest that there are."""
    published(blobs, 1, "a0.tiff")
    await problem.report(record(state))
    assert names(blobs) == left


async def test_a_failed_run_tells_what_was_noticed_before(blobs, problem):
    """Once: the warnings of check and node may say why it failed; those of other ends are no news."""
    warned = RunPlan(warnings=(RunWarning("axes-assumed", "It is taken for zyx."),))
    for state, told in ((State.FAILED, 1), (State.CANCELLED, 0)):
        await problem.report(replace(record(state), plan=warned), ["Warning: It is taken for zyx."] * told)
        text = blobs.content("results", f"{NAME}/{PROBLEM}")
        assert (text.count(b"It is taken for zyx."), b"of the log" in text) == (told, False)


@pytest.mark.parametrize("run", [2, 3])
async def test_results_of_this_run_or_a_newer_one_stand(blobs, problem, run):
    """Whoever stood still before he wrote has nothing to say any more."""
    published(blobs, run, "a0.tiff")
    await problem.report(record(State.FAILED))
    assert names(blobs) == ["a0.tiff", PROVENANCE]


@pytest.mark.parametrize("run", [2, 3])
async def test_results_that_come_at_the_same_time_stand(blobs, problem, run):
    """A publisher writes, then looks at the folder, and so does this: one of them sees the other."""

    async def publish(call: str, when: When) -> None:
        if call == "blobs.put" and when is When.BEFORE:
            blobs.cloud.hook = None
            published(blobs, run)

    blobs.cloud.hook = publish
    await problem.report(record(State.WAITING))
    assert names(blobs) == [PROVENANCE]


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.CANCELLED])
async def test_a_run_without_a_problem_has_no_text(blobs, problem, state):
    """A late writer's text goes; results stay."""
    published(blobs, 2, PROBLEM)
    await problem.settle(record(state))
    assert names(blobs) == [PROVENANCE]
