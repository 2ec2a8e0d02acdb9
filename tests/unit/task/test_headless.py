"""The command line of ilastik: rules."""

from batch_ops.task import headless
from batch_ops.task.export_plan import export_plan


def test_the_command_is_that_of_the_reference_runs():
    """Argument for argument what the reference output was made with, for a sequence and one file; HDF5 beyond 4 GB."""
    plan = export_plan("txyzc", (2, 4, 5, 3, 1))
    assert headless.command("ilastik", "project.ilp", "input.h5", "out/input", "Simple Segmentation", plan) == [
        "ilastik",
        "--headless",
        "--readonly",
        "--project=project.ilp",
        "input.h5",
        "--export_source=Simple Segmentation",
        "--output_format=multipage tiff sequence",
        "--output_filename_format=out/input{slice_index}.tiff",
    ]
    large = headless.command("i", "p", "x.h5", "o/x", "S", export_plan("tzyx", (2, 5000, 1000, 1000)))
    assert large[-2:] == ["--output_format=hdf5", "--output_filename_format=o/x.h5"]
    flat = headless.command("i", "p", "x.h5", "o/x", "S", export_plan("yx", (5, 4)), ignore_training_axes=True)
    assert flat[-3:] == [
        "--output_format=multipage tiff",
        "--output_filename_format=o/x.tiff",
        "--ignore_training_axistags",
    ]
