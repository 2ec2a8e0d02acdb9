"""The command line and the environment."""

import pytest

from pixel_engine.command import Source, parse_command
from pixel_engine.errors import IlastikError, NotSupportedError, SettingsError, UsageError
from pixel_engine.settings import read_settings

_LEAST = ("--headless", "--project=p.ilp", "a.h5")


def test_the_original_command_is_understood() -> None:
    """The command of the original demonstration: quotes and braces included."""
    command = parse_command(
        [
            *("--headless", "--project=pixelClassification.ilp", "drosophila_00-49.h5"),
            *("--export_source=Simple Segmentation", "--output_filename_format=../out/{nickname}{slice_index}.tiff"),
            "--output_format=multipage tiff sequence",
        ]
    )
    assert str(command.project) == "pixelClassification.ilp"
    assert command.inputs == ("drosophila_00-49.h5",)
    assert command.source is Source.SEGMENTATION
    assert command.output_format == "multipage tiff sequence"
    assert command.filename_format == "../out/{nickname}{slice_index}.tiff"


def test_probabilities_are_the_default() -> None:
    """Without export options, the project decides where, and probabilities are exported."""
    command = parse_command(_LEAST)
    assert command.source is Source.PROBABILITIES
    assert command.output_format is command.filename_format is command.dtype is None


@pytest.mark.parametrize("spelling", ["--ignore_training_axistags", "--ignore-training-axistags"])
def test_both_spellings(spelling: str) -> None:
    """ilastik takes underscores and dashes."""
    assert parse_command([*_LEAST, spelling]).ignore_training_axes


def test_inputs_may_stand_anywhere_and_under_raw_data() -> None:
    """Plain arguments are inputs, before and after options, and so is what follows --raw_data."""
    command = parse_command(["--headless", "--project", "p.ilp", "a.h5", "--readonly", "b.h5/x", "--raw-data", "c.h5"])
    assert set(command.inputs) == {"a.h5", "b.h5/x", "c.h5"}


def test_unknown_options_are_kept_for_a_warning() -> None:
    """An option nobody knows does not end the run."""
    assert parse_command([*_LEAST, "--frobnicate=3", "-q"]).unknown == ("--frobnicate=3", "-q")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--headless", "a.h5"),
        ("--project=p.ilp", "a.h5"),
        (*_LEAST, "--output_format=ome tiff"),
        (*_LEAST, "--export_dtype=int64"),
        (*_LEAST, "--output_format"),
        (*_LEAST, "--input_axes=abc"),
        (*_LEAST, "--input_axes=xxy"),
    ],
)
def test_what_ilastiks_parser_refuses_ends_with_2(arguments: tuple[str, ...]) -> None:
    """Bad arguments have exit code 2."""
    with pytest.raises(UsageError) as caught:
        parse_command(arguments)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "option",
    [
        *("--export_source=Features", "--export_source=labels"),
        *("--output_axis_order=zyx", "--export_drange=(0,255)", "--table_only"),
        *("--retrain", "--tree-count=10", "--prediction_mask=m.h5", "--distributed", "--stack_along=t"),
        *("--new_project=x.ilp", "--preconvert-stacks", "--redirect_output=x", "--configfile=x"),
    ],
)
def test_known_but_unsupported_options_are_refused(option: str) -> None:
    """What ilastik could do and the stand-in cannot is said, and never silently left out."""
    with pytest.raises(NotSupportedError, match="not support") as caught:
        parse_command([*_LEAST, option])
    assert caught.value.exit_code == 1


def test_a_region_may_leave_bounds_to_the_image() -> None:
    """As ilastik reads it: None is the image's own bound."""
    command = parse_command([*_LEAST, "--cutout_subregion=[(0, None, 3), (1, 20, None)]"])
    assert command.subregion == ((0, -1, 3), (1, 20, -1))


@pytest.mark.parametrize("text", ["", "7", "[(0, 1)]", "[(0, 1), (1,)]", "[('a',), ('b',)]", "__import__('os')"])
def test_what_is_no_region_is_refused(text: str) -> None:
    """It is read, never run."""
    with pytest.raises(IlastikError, match="is no region"):
        parse_command([*_LEAST, f"--cutout_subregion={text}"])


def test_nothing_to_do_is_a_failure() -> None:
    """Without an input, ilastik ends with 0 and no output; that is not success."""
    with pytest.raises(IlastikError, match="no input"):
        parse_command(_LEAST[:2])


@pytest.mark.parametrize(
    ("environment", "threads"), [({}, 4), ({"LAZYFLOW_THREADS": "3"}, 3), ({"LAZYFLOW_THREADS": "0"}, 1)]
)
def test_threads(environment: dict[str, str], threads: int) -> None:
    """LAZYFLOW_THREADS counts; without it all cores up to 8."""
    assert read_settings(environment, cores=4).threads == threads
    assert read_settings({}, cores=64).threads == 8


def test_memory_follows_the_limit() -> None:
    """Less memory means smaller chunks; much memory does not mean larger ones than are useful."""
    small = read_settings({"LAZYFLOW_TOTAL_RAM_MB": "500"}, cores=2).work_bytes
    large = read_settings({"LAZYFLOW_TOTAL_RAM_MB": "64000"}, cores=2).work_bytes
    assert small < 500 * 2**20
    assert small <= large == read_settings({}, cores=2).work_bytes


@pytest.mark.parametrize(
    "environment",
    [
        *({"LAZYFLOW_TOTAL_RAM_MB": "499"}, {"LAZYFLOW_TOTAL_RAM_MB": "8 GB"}),
        *({"LAZYFLOW_THREADS": "two"}, {"LAZYFLOW_THREADS": "-1"}),
    ],
)
def test_settings_that_make_no_sense_are_refused(environment: dict[str, str]) -> None:
    """Less than 500 MB is refused as ilastik refuses it, and so is what is no number."""
    with pytest.raises(SettingsError):
        read_settings(environment, cores=2)
