"""ilastik headless: its command line, and the environment it runs in.

Pure and stdlib only, for Python 3.9 and newer: the node builds both from what the task brought (contract.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from batch_ops.task.contract import TaskEnvironment
from batch_ops.task.export_plan import HDF5, ExportPlan


def command(
    program: str,
    project: str,
    image: str,
    output_stem: str,
    export_source: str,
    plan: ExportPlan,
    *,
    ignore_training_axes: bool = False,
) -> list[str]:
    """Return the arguments of one headless run, for an exec without a shell; paths are relative to its directory.

    `image` is `<file>.h5/<dataset>`, `output_stem` folder and name without number and suffix.
    `ignore_training_axes` makes ilastik believe the image's own axistags where the project's differ.
    """
    number = "{slice_index}" if plan.is_sequence else ""
    name = f"{output_stem}.h5" if plan.export_format == HDF5 else f"{output_stem}{number}.tiff"
    return [
        program,
        "--headless",
        "--readonly",
        f"--project={project}",
        image,
        f"--export_source={export_source}",
        f"--output_format={plan.export_format}",
        f"--output_filename_format={name}",
        *(["--ignore_training_axistags"] if ignore_training_axes else []),
    ]


def probe_command(
    program: str,
    project: str,
    images: Sequence[str],
    output_stem: str,
    export_source: str,
    *,
    ignore_training_axes: bool = False,
) -> list[str]:
    """Return the arguments that export so many small images to HDF5; `images` are files of one dataset each."""
    return [
        program,
        "--headless",
        "--readonly",
        f"--project={project}",
        *images,
        f"--export_source={export_source}",
        "--output_format=hdf5",
        f"--output_filename_format={output_stem}.h5",
        *(["--ignore_training_axistags"] if ignore_training_axes else []),
    ]


def ilastik_environment(base: Mapping[str, str], threads: int, ram_mb: int, home: str) -> dict[str, str]:
    """Return the node's environment without this task's values, Python's settings and Batch's token.

    `home` is a folder of the task's own: ilastik writes there, and reads settings that nobody should have left.
    """
    dropped = (TaskEnvironment.PREFIX, "PYTHON", "LAZYFLOW_", "AZ_BATCH_AUTHENTICATION_TOKEN")
    kept = {name: value for name, value in base.items() if not name.startswith(dropped)}
    return {**kept, "HOME": home, "LAZYFLOW_THREADS": str(threads), "LAZYFLOW_TOTAL_RAM_MB": str(ram_mb)}
