"""What counts as a complete execution of a task, and what of a file's runs is cleared."""

from collections.abc import Mapping

import pytest

from batch_ops.containers.staging import Staging
from batch_ops.domain import naming
from batch_ops.task.failure_kinds import FailureKind
from batch_ops.task.manifest import ManifestImage
from batch_ops.task.run_plan import RunWarning
from batch_ops.task.strict_json import MAX_BYTES
from tests.executions import Staged, manifest, md5, output
from tests.fakes import FakeBlobs
from tests.world import NAME

TASK = naming.task_id(NAME, 1, 1)
FIRST, SECOND = "20260301T120000Z-00000001", "20260301T120500Z-00000002"
WHOLE: Mapping[str, bytes] = {"a0.tiff": b"pixels"}


@pytest.fixture
def blobs() -> FakeBlobs:
    """Nothing in staging yet."""
    return FakeBlobs()


@pytest.fixture
def staging(blobs) -> Staging:
    return Staging(blobs, "staging")


def stage(blobs: FakeBlobs, execution: str, files: Mapping[str, bytes], named: str = "") -> None:
    """Files of an execution, with a manifest of WHOLE that says it is the execution `named`."""
    for path, data in files.items():
        blobs.upload("staging", f"{TASK}/{execution}/{path}", data)
    image = ManifestImage(NAME, "0x1", 5, md5(b"image"))
    outputs = tuple(output(path, len(data), md5(data)) for path, data in WHOLE.items())
    text = manifest(TASK, named or execution.partition("/")[0], image, outputs)
    blobs.upload("staging", f"{TASK}/{execution}/manifest.json", text)


@pytest.mark.parametrize(
    ("execution", "files", "named"),
    [
        (FIRST, {}, ""),
        (FIRST, {"a0.tiff": b"pixe"}, ""),
        (FIRST, WHOLE, SECOND),
        (f"{FIRST}/folder", WHOLE, FIRST),
    ],
    ids=["without its output", "cut off", "of another execution", "not where a manifest belongs"],
)
async def test_half_an_execution_is_none(blobs, staging, execution, files, named):
    """Every output is there with its length, and the manifest says of which execution it is."""
    stage(blobs, execution, files, named)
    blobs.upload("staging", f"{TASK}/{SECOND}/a0.tiff", b"pixels")
    assert await staging.execution(TASK) is None
    stage(blobs, SECOND, WHOLE)
    assert (await staging.execution(TASK)).id == SECOND


async def test_the_first_complete_execution_stays_the_first(blobs, staging):
    """Two handlers must not take two."""
    stage(blobs, SECOND, WHOLE)
    stage(blobs, FIRST, WHOLE)
    assert (await staging.execution(TASK)).id == FIRST


async def test_what_is_longer_than_any_manifest_is_not_read(blobs, staging):
    """It is none, and would take the memory of everything else."""
    blobs.upload("staging", f"{TASK}/{FIRST}/manifest.json", b" " * (MAX_BYTES + 1))
    assert await staging.execution(TASK) is None
    assert blobs.cloud.calls["blobs.read"] == 0


async def test_the_last_execution_tells_why_it_failed(blobs, staging):
    """What an earlier one said is out of date."""
    Staged(blobs, TASK, SECOND).outcome("OUT_OF_MEMORY", "The second.", 137)
    Staged(blobs, TASK, FIRST).outcome("COMMAND", "The first.", 1)
    cause = await staging.cause(TASK)
    assert (cause.kind, cause.sentence) == (FailureKind.OUT_OF_MEMORY, "The second.")


@pytest.mark.parametrize(
    "content", [None, b"", b'{"warnings": [{"code": "memory", "sentence": "\\n"}]}', b'{"warnings": 1}']
)
async def test_what_a_failed_execution_was_warned_of_is_kept(blobs, staging, content):
    """In a file that apps of before pass over; one that no script can have written says nothing."""
    warnings = (RunWarning("axes-assumed", "It is taken for zyx."),)
    Staged(blobs, TASK, FIRST).outcome("COMMAND", "The first.", 1, warnings=warnings)
    if content is not None:
        blobs.upload("staging", f"{TASK}/logs/{FIRST}/warnings.json", content)
    cause = await staging.cause(TASK)
    assert (cause.sentence, cause.warnings) == ("The first.", () if content is not None else warnings)
    Staged(blobs, TASK, SECOND).outcome("COMMAND", "The second.", 1)
    assert (await staging.cause(TASK)).warnings == ()


async def test_runs_are_cleared_up_to_one(blobs, staging):
    """All attempts of this run and of older ones; a newer run and other files keep theirs."""
    kept = [naming.task_id(NAME, 3, 1), naming.task_id("fly/b.h5", 1, 1)]
    gone = [TASK, naming.task_id(NAME, 2, 1), naming.task_id(NAME, 2, 12)]
    for task in kept + gone:
        blobs.upload("staging", f"{task}/{FIRST}/a0.tiff", b"pixels")
    await staging.clear(NAME, 2)
    assert {name.partition("/")[0] for name in blobs.names("staging")} == set(kept)
