"""Probes of an image, computed by ilastik and by the engine, and compared."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Sequence

from batch_ops.task import contract
from batch_ops.task.certificate import TOLERANCE
from batch_ops.task.probes import Probe, probes
from batch_ops.task.strict_json import plain_line
from node.compare import Comparison, compare
from node.execution import Execution
from node.files import EXPORTED, open_hdf5
from node.image import LocalImage
from node.process import run_ilastik

FOLDER = "probes"
WITNESS = "PIXEL_ENGINE_WITNESS"  # a file that the engine creates when it starts, whatever it is called
_SEGMENTATION = "Simple Segmentation"
# So many planes are looked at for the faintest and the brightest part; each as blocks of so many pixels.
_PLANES = 16
_BLOCK = 32

Array = Any  # numpy's, whose types Python 3.9 can't all write


@dataclass(frozen=True)
class Probed:
    """What came of the probes. `reason`: why nothing could be compared; `is_engine`: ilastik is the engine itself."""

    compared: Comparison
    probes: int
    tolerance: float
    reason: str = ""
    ilastik_failed: bool = False
    is_engine: bool = False


def probe(
    execution: Execution,
    task: contract.TaskEnvironment,
    image: LocalImage,
    file: Path,
    programs: tuple[str, str],
    command: Callable[[str, Sequence[str], str], list[str]],
) -> Probed:
    """Cut the probes out of `file`, have both programs export them, and compare all of their pixels."""
    folder = execution.root / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        cut = _cut(file, image, folder)
        tolerance = 0.0 if task.export_source == _SEGMENTATION else TOLERANCE
        for number, (name, program) in enumerate(zip(("ilastik", "engine"), programs)):
            witness = folder / f"{name}.witness"
            stem = f"{FOLDER}/{name}/{{nickname}}"
            run_ilastik(execution, task, command(program, cut, stem), {WITNESS: str(witness)})
            if not number and witness.exists():
                return Probed(Comparison(), 0, tolerance, is_engine=True)
            if execution.ilastik_exit_code:
                said = plain_line(execution.log_lines[-1] if execution.log_lines else "", 300)
                reason = f"{'The engine' if number else 'ilastik'} ended with {execution.ilastik_exit_code}: {said}"
                return Probed(Comparison(), 0, tolerance, reason, ilastik_failed=not number)
        compared = Comparison()
        for path in cut:
            stem = Path(path).stem
            results = [_result(folder / name / f"{stem}.h5") for name in ("ilastik", "engine")]
            if results[0] is None:
                return Probed(Comparison(), 0, tolerance, "ilastik left no result of a probe", ilastik_failed=True)
            if results[1] is None:
                return Probed(Comparison(), 0, tolerance, "the engine left no result of a probe")
            compared += compare(results[0], results[1], tolerance)
        return Probed(compared, len(cut), tolerance)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _cut(file: Path, image: LocalImage, folder: Path) -> list[str]:
    """Write the probes as files of the image's own axes and tags; return their paths from the working directory."""
    paths = []
    dataset = image.argument.partition(".h5/")[2]
    axes = image.described.read_as
    with open_hdf5(file, "r") as source:
        data = source[dataset]
        size = dict(zip(axes, map(int, data.shape)))
        for number, one in enumerate(probes(size, _seen(data, axes, size))):
            path = folder / f"p{number:03}.h5"
            with open_hdf5(path, "w") as target:
                made = target.create_dataset("data", data=data[_slices(one, axes)])
                made.attrs["axistags"] = data.attrs["axistags"]
            paths.append(f"{FOLDER}/{path.name}")
    return paths


def _slices(one: Probe, axes: str) -> tuple[slice, ...]:
    bounds = dict(zip("tzyx", zip(one.start, one.stop)))
    return tuple(slice(*bounds[axis]) if axis in bounds else slice(None) for axis in axes)


def _seen(data: Any, axes: str, size: dict[str, int]) -> list[tuple[int, int, int, int]]:
    """Find the faintest and the brightest place (t, z, y, x), by the means of blocks of some planes."""
    import numpy

    times, planes = size.get("t", 1), size.get("z", 1)
    count = min(_PLANES, times * planes)
    places: list[tuple[float, tuple[int, int, int, int]]] = []
    for index in sorted({number * times * planes // count for number in range(count)}):
        t, z = divmod(index, planes)
        at: dict[str, Any] = {"t": t, "z": z, "c": 0}
        for row in range(0, size["y"], _BLOCK):
            at["y"] = slice(row, row + _BLOCK)
            band = numpy.asarray(data[tuple(at.get(axis, slice(None)) for axis in axes)], numpy.float64)
            band = band if axes.index("y") < axes.index("x") else band.T
            means = [float(band[:, x : x + _BLOCK].mean()) for x in range(0, band.shape[1], _BLOCK)]
            places += [(mean, (t, z, row, column * _BLOCK)) for column, mean in enumerate(means) if mean == mean]
    return [min(places)[1], max(places)[1]] if places else []


def _result(path: Path) -> Array:
    if not path.is_file():
        return None
    with open_hdf5(path, "r") as file:
        return file[EXPORTED][()] if EXPORTED in file else None
