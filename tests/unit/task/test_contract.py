"""What ilastik will write, how it is called, and when that was a success."""

import ast
import dataclasses
import json
import math
import sys
from pathlib import Path

import h5py
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_ops.task import contract
from batch_ops.task.contract import TaskEnvironment
from batch_ops.task.export_plan import SEQUENCE, ExportPlan, PlanError, export_plan
from batch_ops.task.failure_kinds import FailureKind
from batch_ops.task.true_success import FoundTiff, complaint, is_evidence, outcome_of, size

REPOSITORY = Path(__file__).resolve().parents[3]
REFERENCE = REPOSITORY.parent / "shared/reference/ilastik"
# Files of the repository that run on a node, with their names there.
TOOLS = (REPOSITORY / "deploy/pool/task_tools.txt").read_text().splitlines()
TRAVELLERS = dict(line.split() for line in TOOLS if ".py" in line)

PLAN = export_plan("txyzc", (2, 4, 5, 3, 1))
GOOD = (FoundTiff("a0.tiff", 900, 3, (5, 4)), FoundTiff("a1.tiff", 900, 3, (5, 4)))
PLENTY = 10**12

TASK = TaskEnvironment(
    nickname="nuclei",
    internal_path="volume/data",
    axes="",
    export_source="Simple Segmentation",
    image_name='lab/it\'s "α".h5',
    image_etag='"0x8D"',
    image_length=10,
    project_digest="ab" * 32,
    correlation_id="c",
    task_id="t-1",
    run=1,
    attempt=2,
    threads=4,
    ram_mb=4096,
)


@pytest.mark.parametrize("case", ["nuclei3d", "stack2dfeatures", "cells2d"])
def test_the_plan_is_what_ilastik_really_wrote(case):
    """Names, pages, page shape of ilastik's own TIFFs; the estimate of a file's length is above, by < 5 %."""
    if not REFERENCE.exists():
        pytest.skip("the reference output of ilastik is not beside this repository")
    info = json.loads((REFERENCE / case / "expected_tiff_info.json").read_text())
    with h5py.File(REFERENCE / case / "input.h5") as file:
        dataset = file["volume/data"]
        axes = "".join(axis["key"] for axis in json.loads(dataset.attrs["axistags"])["axes"])
        plan = export_plan(axes, dataset.shape)

    assert plan.file_names("input") == tuple(tiff["name"] for tiff in info)
    for tiff in info:
        assert plan.pages_per_file == tiff["pages"]
        assert plan.page_shape == tuple(tiff["page_shape"])
        assert tiff["bytes"] <= plan.bytes_per_file <= 1.05 * tiff["bytes"]


@pytest.mark.parametrize(
    ("axes", "shape", "expected"),
    [
        ("yx", (5, 4), ("multipage tiff", 1, 1, (5, 4))),
        ("xyc", (5, 4, 3), ("multipage tiff", 1, 1, (4, 5))),
        ("zyx", (3, 5, 4), ("multipage tiff", 1, 3, (5, 4))),
        ("tyx", (6, 5, 4), ("multipage tiff", 1, 6, (5, 4))),
        ("txyzc", (1, 4, 5, 3, 1), ("multipage tiff", 1, 3, (5, 4))),
        ("txyzc", (2, 4, 5, 1, 1), ("multipage tiff", 1, 2, (5, 4))),
        ("txyzc", (2, 1, 5, 3, 1), ("multipage tiff", 1, 6, (5, 1))),
        ("txyzc", (2, 4, 5, 3, 1), ("multipage tiff sequence", 2, 3, (5, 4))),
        ("tzyx", (2, 3, 5, 4), ("multipage tiff sequence", 2, 3, (5, 4))),
        ("ctzyx", (3, 2, 3, 5, 4), ("multipage tiff sequence", 2, 3, (5, 4))),
        # ilastik steps along the first long axis: here that would be one file a z or x, not a t.
        ("ztyx", (3, 2, 5, 4), ("multipage tiff", 1, 6, (5, 4))),
        ("xyzt", (4, 5, 3, 2), ("multipage tiff", 1, 6, (5, 4))),
    ],
)
def test_a_sequence_needs_four_long_axes_of_which_t_is_the_first(axes, shape, expected):
    """Everything else becomes one file with a page for each t and z; the image's channels do not count."""
    plan = export_plan(axes, shape)
    assert (plan.output_format, plan.files, plan.pages_per_file, plan.page_shape) == expected


def test_probabilities_have_a_page_for_each_class():
    """Channels of the export multiply the pages, and four bytes a value the length."""
    plan = export_plan("txyzc", (2, 400, 500, 3, 1), channels=2, bytes_per_value=4)
    assert (plan.files, plan.pages_per_file) == (2, 6)
    assert plan.bytes_per_file == pytest.approx(6 * 400 * 500 * 4, rel=0.01)


@pytest.mark.parametrize("files", [1, 2, 9, 10, 99, 100, 999, 1000, 12345])
def test_numbers_have_as_many_digits_as_ilastik_gives_them(files):
    """Zero-padded to ceil(log10(T + 1)) digits, so that names sort in the order of time."""
    names = ExportPlan(SEQUENCE, files, 2, (2, 2), 8).file_names("n")
    digits = math.ceil(math.log10(files + 1))
    assert names[0] == f"n{'0' * digits}.tiff"
    assert list(names) == sorted(names)
    assert len(set(names)) == files


@given(st.permutations("tzyxc"), st.lists(st.integers(1, 6), min_size=5, max_size=5))
def test_a_plan_accounts_for_every_pixel_once(axes, shape):
    """Files x pages x page = t x z x y x x, whatever the order of the axes."""
    plan = export_plan("".join(axes), shape)
    sizes = {axis: shape[index] for index, axis in enumerate(axes)}
    rows, columns = plan.page_shape
    assert plan.files * plan.pages_per_file * rows * columns == math.prod(shape) // sizes["c"]
    assert plan.is_sequence == (len(plan.file_names("n")) > 1)


@pytest.mark.parametrize(
    ("axes", "shape"),
    [("zyx", (5, 4)), ("yxx", (5, 4, 3)), ("zx", (5, 4)), ("yxq", (5, 4, 3)), ("yx", (0, 4)), ("", ())],
)
def test_axes_that_describe_no_image_are_refused(axes, shape):
    """Unknown, repeated or missing letters, wrong number, empty images."""
    with pytest.raises(PlanError):
        export_plan(axes, shape)


def test_classic_tiff_ends_at_four_gigabytes():
    """The plan says whether a file fits into 32-bit offsets with room for its tags."""
    assert export_plan("zyx", (2000, 1000, 2000)).fits_classic_tiff
    assert not export_plan("zyx", (2150, 1000, 2000)).fits_classic_tiff


def test_the_environment_arrives_as_it_was_sent():
    """to_env and from_env are each other's reverse; foreign variables don't matter."""
    environ = TASK.to_env()
    assert all(name.startswith("ILASTIK_TASK_") for name in environ)
    assert TaskEnvironment.from_env({**environ, "HOME": "/", "ILASTIK_TASK_OTHER": "x"}) == TASK


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0")), st.integers(1, 2**50))
def test_any_blob_name_and_length_survives_the_environment(name, length):
    """Names from outside are data: whatever they hold, they come back unchanged."""
    task = dataclasses.replace(TASK, image_name=name, image_length=length)
    assert TaskEnvironment.from_env(task.to_env()) == task


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"nickname": ""}, "nickname"),
        ({"nickname": "a/b"}, "nickname"),
        ({"nickname": ".."}, "nickname"),
        ({"nickname": "-rf"}, "nickname"),
        ({"nickname": "a" * 65}, "nickname"),
        ({"nickname": "ä"}, "nickname"),
        ({"nickname": "a\n"}, "nickname"),
        ({"axes": "tzyxq"}, "axes"),
        ({"export_source": "Features"}, "export source"),
        ({"project_digest": "AB" * 32}, "digest"),
        ({"image_length": 0}, "length"),
        ({"threads": 0}, "threads"),
        ({"ram_mb": 499}, "ram_mb"),
        ({"image_name": "a\0b"}, "null"),
    ],
)
def test_values_that_a_node_would_refuse_are_never_sent(change, told):
    """The rules are checked on both sides, before the task exists and on the node."""
    with pytest.raises(contract.TaskEnvironmentError, match=told):
        dataclasses.replace(TASK, **change).to_env()


def test_all_missing_and_unreadable_values_are_told_at_once():
    """One failed task is enough to learn of every fault."""
    environ = TASK.to_env()
    del environ["ILASTIK_TASK_NICKNAME"]
    environ |= {"ILASTIK_TASK_RUN": "x", "ILASTIK_TASK_THREADS": "-1"}
    with pytest.raises(contract.TaskEnvironmentError, match=r"NICKNAME is missing.*RUN is not.*THREADS is not"):
        TaskEnvironment.from_env(environ)


def test_the_command_is_that_of_the_reference_runs():
    """Argument for argument what the reference output was made with, for a sequence and for one file."""
    assert contract.command("ilastik", "project.ilp", "input.h5", "out/input", "Simple Segmentation", PLAN) == [
        "ilastik",
        "--headless",
        "--readonly",
        "--project=project.ilp",
        "input.h5",
        "--export_source=Simple Segmentation",
        "--output_format=multipage tiff sequence",
        "--output_filename_format=out/input{slice_index}.tiff",
    ]
    flat = contract.command("i", "p", "x.h5", "o/x", "S", export_plan("yx", (5, 4)), ignore_training_axes=True)
    assert flat[-3:] == [
        "--output_format=multipage tiff",
        "--output_filename_format=o/x.tiff",
        "--ignore_training_axistags",
    ]


def test_success_is_exit_0_and_every_planned_tiff():
    """The one case that counts as success."""
    outcome = outcome_of(0, GOOD, "INFO Completed Batch Processing", PLAN, "a", PLENTY)
    assert (outcome.kind, outcome.exit_code, outcome.succeeded) == (None, 0, True)


@given(st.integers(-64, 255), st.sets(st.sampled_from(GOOD)), st.sampled_from(["", "Unhandled exception", "ok"]))
def test_nothing_else_is_success(exit_code, found, log):
    """Success exactly if exit 0, complete output and no unhandled exception; the exit code agrees with it."""
    outcome = outcome_of(exit_code, sorted(found, key=str), log, PLAN, "a", PLENTY)
    assert outcome.succeeded == (exit_code == 0 and len(found) == 2 and "Unhandled" not in log)
    assert outcome.succeeded == (outcome.exit_code == 0)
    assert 0 <= outcome.exit_code <= 255
    if not outcome.succeeded and exit_code > 0 and not 81 <= exit_code <= 87:
        assert outcome.exit_code == exit_code


@pytest.mark.parametrize(
    ("exit_code", "log", "kind", "code", "told"),
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
    ],
)
def test_each_failure_has_its_kind_code_and_sentence(exit_code, log, kind, code, told):
    """ilastik's own codes pass, reserved ones don't, signals are 128 + N, the cause is in the sentence."""
    outcome = outcome_of(exit_code, (), log, PLAN, "a", PLENTY)
    assert (outcome.kind, outcome.exit_code) == (kind, code)
    assert told in outcome.sentence


@pytest.mark.parametrize(
    ("length", "told"),
    [(0, "0 bytes"), (999, "999 bytes"), (1_500, "1.5 kB"), (4_294_967_296, "4.29 GB"), (2e15, "2000 TB")],
)
def test_sizes_are_told_in_units_that_people_read(length, told):
    """Three digits and a unit."""
    assert size(length) == told


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ((), "2 of 2 TIFF files are missing, the first is a0.tiff"),
        ((GOOD[0], FoundTiff("a1.tiff", 0)), "a1.tiff is empty"),
        ((GOOD[0], FoundTiff("a1.tiff", 9, 3, (5, 4), "cut")), "a1.tiff is damaged: cut"),
        ((GOOD[0], FoundTiff("a1.tiff", 9, 2, (5, 4))), "a1.tiff has 2 pages instead of 3"),
        ((GOOD[0], FoundTiff("a1.tiff", 9, 3, (4, 5))), "4 x 5 pixels instead of 5 x 4"),
        ((*GOOD, FoundTiff("a2.tiff", 9, 3, (5, 4))), "nobody expects, 'a2.tiff'"),
    ],
)
def test_output_that_is_not_the_plan_is_no_output(found, told):
    """Each deviation is told by file; on a disk without room it is the disk's fault."""
    outcome = outcome_of(0, found, "", PLAN, "a", PLENTY)
    assert (outcome.kind, outcome.exit_code) == (FailureKind.NO_OUTPUT, contract.EXIT_NO_OUTPUT)
    assert told in outcome.sentence
    assert outcome_of(0, found, "", PLAN, "a", 1000).kind is FailureKind.DISK_FULL


@pytest.mark.parametrize("name", ["thin_z", "no_axistags", "two_datasets_no_internal_path", "wrong_export_source"])
def test_real_logs_give_a_sentence_that_helps(name):
    """From ilastik's own failures the error line is taken, not the end of a traceback's frames."""
    log = REFERENCE / "edge" / f"{name}.log"
    if not log.exists():
        pytest.skip("the reference output of ilastik is not beside this repository")
    told = complaint(log.read_text())
    expected = {
        "thin_z": "FeatureSelectionConstraintError",
        "no_axistags": "AttributeError: 'NoneType' object has no attribute 'get'",
        "two_datasets_no_internal_path": "you must append the hdf5 internal path",
        "wrong_export_source": "Valid options are",
    }
    assert expected[name] in told


def test_no_log_of_a_good_run_looks_like_a_failure():
    """The marks of failures stand in no log of a run that exited 0."""
    if not REFERENCE.exists():
        pytest.skip("the reference output of ilastik is not beside this repository")
    for log in REFERENCE.glob("*/console.log"):
        assert not [line for line in log.read_text().splitlines() if is_evidence(line)], log


@pytest.mark.parametrize("file", TRAVELLERS)
def test_what_travels_to_the_node_is_plain_old_python(file):
    """Syntax of Python 3.9, no dataclass with slots, and nothing of the product but what travels too."""
    text = (REPOSITORY / file).read_text()
    tree = ast.parse(text, feature_version=(3, 9))
    imported = {
        name
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [f"{node.module}.{alias.name}" for alias in node.names]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    own = {name for name in imported if name.split(".")[0] in {"batch_ops", "node"}}
    there = {name.removesuffix(".py").replace("/", ".") for name in TRAVELLERS.values()}
    assert not {name for name in own if name not in there and name.rpartition(".")[0] not in there}
    roots = {name.split(".")[0] for name in imported - own}
    # These two ship with ilastik; the product's modules, which any Python of the app imports too, do without.
    shipped = {"h5py", "tifffile"} if file.startswith("deploy/") else set()
    assert roots <= sys.stdlib_module_names | shipped
    assert "slots=True" not in text


def test_all_that_runs_on_a_node_travels_there():
    """The list of files has every module of the node's package, and what it names exists."""
    modules = {path.relative_to(REPOSITORY).as_posix() for path in (REPOSITORY / "deploy/pool/node").glob("*.py")}
    assert modules <= set(TRAVELLERS)
    assert not [file for file in TRAVELLERS if not (REPOSITORY / file).is_file()]
