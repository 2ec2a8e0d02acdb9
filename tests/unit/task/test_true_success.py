"""When a run of ilastik was a success, and what is said where it was not."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batch_ops.task import contract
from batch_ops.task.export_plan import export_plan
from batch_ops.task.failure_kinds import FailureKind
from batch_ops.task.outputs import PlannedOutput, Role, planned_outputs
from batch_ops.task.true_success import FoundFile, complaint, is_evidence, is_noise, outcome_of, size

OUTPUTS = planned_outputs("a", "Simple Segmentation", export_plan("txyzc", (2, 4, 5, 3, 1)))
GOOD = (FoundFile("a0.tiff", 900, 3, (5, 4)), FoundFile("a1.tiff", 900, 3, (5, 4)))
PLENTY = 10**12
# As ilastik 1.4.2 prints it.
RETRAINED = (
    "/x.py:9: UserWarning: Wasn't able to deserialize the saved classifier. It will need to be retrainied\n  warn(",
    "WARNING a.b: Your project file has no classifier.  A new classifier will be trained for this run.\nINFO bye",
)
CRASHED = """DEBUG lazyflow.operators: Features took 0.3 seconds.
Fatal Python error: Segmentation fault

Current thread 0x00007f3b2e7fc640 (most recent call first):
  File "lazyflow/classifiers/parallelVigraRfLazyflowClassifier.py", line 268 in predict_probabilities

Extension modules: numpy.core._multiarray_umath, h5py._errors, vigra.vigranumpycore (total: 161)"""


def test_success_is_exit_0_and_every_planned_tiff():
    """The one case that counts as success."""
    outcome = outcome_of(0, GOOD, "INFO Completed Batch Processing", OUTPUTS, PLENTY)
    assert (outcome.kind, outcome.exit_code, outcome.succeeded) == (None, 0, True)


@example(0, set(GOOD), "Unhandled exception")
@given(st.integers(-64, 255), st.sets(st.sampled_from(GOOD)), st.sampled_from(["", "Unhandled exception", "ok"]))
def test_nothing_else_is_success(exit_code, found, log):
    """Success exactly if exit 0, complete output and no unhandled exception; the exit code agrees with it."""
    outcome = outcome_of(exit_code, sorted(found, key=str), log, OUTPUTS, PLENTY)
    assert outcome.succeeded == (exit_code == 0 and len(found) == 2 and "Unhandled" not in log)
    assert outcome.succeeded == (outcome.exit_code == 0)
    assert 0 <= outcome.exit_code <= 255
    if not outcome.succeeded and exit_code > 0 and exit_code not in contract.RESERVED_EXITS:
        assert outcome.exit_code == exit_code


@pytest.mark.parametrize(
    ("exit_code", "log", "kind", "code", "message"),
    [
        (-9, "", FailureKind.OUT_OF_MEMORY, 137, "more memory"),
        (137, "", FailureKind.OUT_OF_MEMORY, 137, "more memory"),
        (-11, "Segmentation fault", FailureKind.COMMAND, 139, "crashed"),
        (1, "MemoryError: Unable to allocate 9 GiB", FailureKind.OUT_OF_MEMORY, 1, "9 GiB"),
        (1, "OSError: [Errno 28] No space left on device", FailureKind.DISK_FULL, 82, "are free"),
        (0, "errno = 28, error message = 'x'", FailureKind.DISK_FULL, 82, "are free"),
        (81, "", FailureKind.COMMAND, 1, "printed nothing"),
        (1, "lazyflow.X.ReadError: bad\nmore of it\nINFO bye", FailureKind.COMMAND, 1, "ReadError: bad more of it"),
        (1, "ValueError: first\nTypeError: second", FailureKind.COMMAND, 1, "TypeError: second"),
        (2, "usage\nilastik: error: bad option", FailureKind.COMMAND, 2, "ilastik: error: bad option"),
        (0, RETRAINED[0], FailureKind.COMMAND, 84, "but trained another one: /x.py:9: UserWarning: Wasn't able"),
        (0, RETRAINED[1], FailureKind.COMMAND, 84, "but trained another one: WARNING a.b: Your project file"),
        (-11, CRASHED, FailureKind.COMMAND, 139, "exit code 139: Fatal Python error: Segmentation fault"),
    ],
)
def test_each_failure_has_its_kind_code_and_sentence(exit_code, log, kind, code, message):
    """ilastik's own codes pass, reserved ones don't, signals are 128 + N, the cause is in the sentence."""
    outcome = outcome_of(exit_code, (), log, OUTPUTS, PLENTY)
    assert (outcome.kind, outcome.exit_code) == (kind, code)
    assert message in outcome.sentence


@pytest.mark.parametrize(
    ("length", "message"),
    [(0, "0 bytes"), (999, "999 bytes"), (1_500, "1.5 kB"), (4_294_967_296, "4.29 GB"), (2e15, "2000 TB")],
)
def test_sizes_are_reported_in_units_that_people_read(length, message):
    """Three digits and a unit."""
    assert size(length) == message


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ((), "2 of 2 TIFF files are missing, the first is a0.tiff"),
        ((GOOD[0], FoundFile("a1.tiff", 0)), "a1.tiff is empty"),
        ((GOOD[0], FoundFile("a1.tiff", 9, 3, (5, 4), "cut")), "a1.tiff is damaged: cut"),
        ((GOOD[0], FoundFile("a1.tiff", 9, 2, (5, 4))), "a1.tiff has 2 pages instead of 3"),
        ((GOOD[0], FoundFile("a1.tiff", 9, 3, (4, 5))), "4 x 5 pixels instead of 5 x 4"),
        ((*GOOD, FoundFile("a2.tiff", 9, 3, (5, 4))), "an unexpected file, 'a2.tiff'"),
    ],
)
def test_output_that_is_not_the_plan_is_no_output(found, message):
    """Each deviation is reported by file; on a disk without room it is the disk's fault."""
    outcome = outcome_of(0, found, "", OUTPUTS, PLENTY)
    assert (outcome.kind, outcome.exit_code) == (FailureKind.NO_OUTPUT, contract.EXIT_NO_OUTPUT)
    assert message in outcome.sentence
    assert outcome_of(0, found, "", OUTPUTS, 1000).kind is FailureKind.DISK_FULL


def test_every_output_that_was_promised_counts():
    """A table beside the TIFFs: it has to be there, and nobody looks for pages in it."""
    promised = (*OUTPUTS, PlannedOutput(Role.TABLE, "tables/objects.csv", "text/csv"))
    whole = (*GOOD, FoundFile("tables/objects.csv", 7))
    assert outcome_of(0, whole, "", promised, PLENTY).succeeded
    sentence = outcome_of(0, GOOD, "", promised, PLENTY).sentence
    assert "1 of 1 files of the table are missing, the first is tables/objects.csv" in sentence


@pytest.mark.parametrize("name", ["thin_z", "no_axistags", "two_datasets_no_internal_path", "wrong_export_source"])
def test_real_logs_give_a_sentence_that_helps(reference, name):
    """From ilastik's own failures the error line is taken, not the end of a traceback's frames."""
    message = complaint((reference / "edge" / f"{name}.log").read_text())
    expected = {
        "thin_z": "FeatureSelectionConstraintError",
        "no_axistags": "AttributeError: 'NoneType' object has no attribute 'get'",
        "two_datasets_no_internal_path": "you must append the hdf5 internal path",
        "wrong_export_source": "Valid options are",
    }
    assert expected[name] in message


def test_a_crash_is_told_by_its_own_words():
    """Neither by the calls that led to it, nor by the modules that were loaded."""
    outcome = outcome_of(-11, (), CRASHED, OUTPUTS, PLENTY)
    assert outcome.sentence == "ilastik crashed with exit code 139: Fatal Python error: Segmentation fault"
    shown = [line for line in CRASHED.splitlines() if not is_noise(line)]
    assert not [line for line in shown if "Features took" in line or "vigranumpycore" in line]
    assert is_evidence("Fatal Python error: Segmentation fault")


def test_no_log_of_a_good_run_looks_like_a_failure(reference):
    """The marks of failures stand in no log of a run that exited 0."""
    for log in reference.glob("*/console.log"):
        assert not [line for line in log.read_text().splitlines() if is_evidence(line)], log
