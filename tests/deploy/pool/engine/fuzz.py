"""Broken projects and images through the pixel engine: `make fuzz SEED=0 CASES=10000`.

Its kernel is compiled with the address and the undefined behaviour sanitizer, so that a read or a write outside of what
is its own ends the process, which names the case. Each case has to end with pixels or with a sentence, within a minute.
Ends with 1 if any does not.
"""

import argparse
import faulthandler
import os
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from pixel_engine import build
from pixel_engine.stored_export import computed_order
from tests.deploy.pool.engine.made_up import Ilastik, Recipe, write_image, write_project
from tests.deploy.pool.engine.prove import SOURCES
from tests.deploy.pool.engine.random_cases import cases

PACKAGE = Path(build.__file__).parent
REPOSITORY = Path(__file__).resolve().parents[4]
SECONDS = 60
# A process that ends early costs the rest of its cases.
_AT_ONCE = 250
_SANITIZED = "-fsanitize=address,undefined -fno-sanitize-recover=undefined -g"
_EXTREMES = (-1, 0, 1, 2, 255, 256, 2**15, 2**31 - 1, -(2**31), 2**40, -(2**62), np.nan, np.inf, -np.inf, 1e38, 1e-40)


@dataclass
class Tally:
    """What became of the cases."""

    done: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def sanitizer(compiler: str) -> Path | None:
    """Return the library that has to be loaded before everything else; None where the compiler has none."""
    said = subprocess.run([compiler, "-print-file-name=libasan.so"], capture_output=True, text=True, check=False)
    found = Path(said.stdout.strip())
    return found.resolve() if found.is_absolute() else None


def sanitized(folder: Path, compiler: str, mistake: tuple[str, str, str] | None = None) -> Path:
    """Make a copy of the engine there whose kernel has sanitizers; return what goes into PYTHONPATH.

    `mistake`: a file of the kernel, a text of it, and what takes its place.
    """
    shutil.copytree(PACKAGE, folder / "pixel_engine", ignore=shutil.ignore_patterns("build", "__pycache__"))
    if mistake is not None:
        file = folder / "pixel_engine/native" / mistake[0]
        assert mistake[1] in file.read_text()
        file.write_text(file.read_text().replace(*mistake[1:]))
    wrapper = folder / "cc"
    wrapper.write_text(f'#!/bin/sh\nexec {compiler} {_SANITIZED} "$@" -O1\n')
    wrapper.chmod(0o755)
    build.build(str(wrapper), folder / "pixel_engine/native")
    return folder


def damage(path: Path, dice: np.random.Generator) -> str:
    """Break a file of HDF5 in one way, or not at all; return how."""
    how = str(dice.choice(["not", "bytes", "end", "value", "value", "value", "shape"]))
    if how == "bytes":
        content = bytearray(path.read_bytes())
        for at in dice.integers(0, len(content), dice.integers(1, 9)):
            content[at] = dice.integers(0, 256)
        path.write_bytes(content)
    elif how == "end":
        path.write_bytes(path.read_bytes()[: int(dice.integers(1, path.stat().st_size))])
    elif how in ("value", "shape"):
        with h5py.File(path, "a") as file:
            names: list[str] = []
            file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
            name = str(dice.choice(sorted(names)))
            values = np.array(file[name][()])
            attributes = dict(file[name].attrs)
            if how == "shape":
                values = np.resize(values, tuple(dice.integers(0, 9, dice.integers(0, 3))))
            elif values.size and values.dtype.kind in "iuf":
                with np.errstate(all="ignore"):
                    extreme = np.array(dice.choice(np.array(_EXTREMES))).astype(values.dtype)
                values.reshape(-1)[dice.integers(0, values.size)] = extreme
            elif values.dtype.kind in "SO":
                values = np.array(b"\xff{}" * int(dice.integers(0, 40)))
            del file[name]
            made = file.create_dataset(name, data=values)
            for key, value in attributes.items():
                made.attrs[key] = value
            how = f"{how} of {name}"
    return how


def one(tally: Tally, folder: Path, case: tuple[Recipe, np.ndarray, str], number: int) -> None:
    """Try one broken case; what it is stands in a file for whoever finds the process dead."""
    recipe, image, order = case
    dice = np.random.default_rng(number)
    for path in folder.iterdir():
        path.unlink()
    project, file = write_project(folder / "p.ilp", recipe, image), write_image(folder / "i.h5", image, order)
    broken = {path.name: damage(path, dice) for path in (project, file) if dice.random() < 0.5}
    options = ["--ignore_training_axistags"] if dice.random() < 0.9 else []
    if dice.random() < 0.3:
        sizes = dict(zip("tzyxc", image.shape, strict=True))
        size = len(computed_order(sizes)) if dice.random() < 0.8 else int(dice.integers(0, 6))
        start, stop = (tuple(map(int, dice.integers(low, low + 5, size))) for low in (-3, 2))
        options.append(f"--cutout_subregion=[{start}, {stop}]")
    source = str(dice.choice(SOURCES))
    what = f"{number}: {recipe}, {image.dtype} {image.shape} as {order}, {source}, {options}, broken: {broken}"
    (folder / "case.txt").write_text(what)
    ilastik = Ilastik(folder, int(dice.integers(1, 4)), int(dice.choice([2**16, 2**19, 2**28])))
    faulthandler.dump_traceback_later(SECONDS, exit=True)
    tally.done += 1
    try:
        ended = ilastik(
            *("--headless", "--project=p.ilp", "i.h5/volume/data", f"--export_source={source}"),
            *("--output_format=hdf5", "--output_filename_format=o.h5", *options),
        )
        if ended.exit_code:
            tally.refused[ended.said.splitlines()[-1][:60]] += 1
        elif not (folder / "o.h5").exists():
            tally.faults.append(f"no result and no sentence: {what}")
    except MemoryError:
        tally.refused["There is not enough memory"] += 1
    except Exception:  # any of them is what is looked for
        tally.faults.append(f"{traceback.format_exc(limit=-2)}{what}")
    finally:
        faulthandler.cancel_dump_traceback_later()


def inside(count: int, first: int, folder: Path) -> int:
    """Be the process with the sanitizers."""
    tally = Tally()

    @seed(first)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases(), number=st.integers(0, 2**62))
    def run(case: tuple[Recipe, np.ndarray, str], number: int) -> None:
        one(tally, folder, case, number)

    run()
    print(f"{tally.done} cases, {sum(tally.refused.values())} refused.")
    print("\n\n".join(tally.faults))
    return 1 if tally.faults else 0


def found(path: Path, library: Path, count: int, first: int) -> str:
    """Run so many cases in a process with the sanitizers; return what was wrong, "" for nothing."""
    work = path / "work"
    work.mkdir(exist_ok=True)
    environment = {
        **os.environ,
        "PYTHONPATH": f"{path}:{REPOSITORY}",
        "LD_PRELOAD": str(library),
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:halt_on_error=1",
    }
    command = [sys.executable, "-m", "tests.deploy.pool.engine.fuzz", str(count), str(first), "--inside", str(work)]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    if done.returncode == 0 and f"{count} cases, " in done.stdout:
        return ""
    case = (work / "case.txt").read_text() if (work / "case.txt").exists() else "before the first case"
    return f"{done.stdout}Ended with {done.returncode}, at: {case}\n{done.stderr[:4000]}"


def main() -> int:
    """Run the cases in processes of their own; return the exit code."""
    parser = argparse.ArgumentParser(description="Breaks projects and images, and has the pixel engine read them.")
    parser.add_argument("cases", type=int, nargs="?", default=10_000)
    parser.add_argument("seed", type=int, nargs="?", default=0)
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.inside:
        return inside(chosen.cases, chosen.seed, chosen.inside)
    compiler = next(filter(None, map(shutil.which, ("gcc", "clang"))), "")
    library = sanitizer(compiler) if compiler else None
    if library is None:
        print("There is no compiler with the address sanitizer here.", file=sys.stderr)
        return 2
    faults = 0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
        path = sanitized(Path(place), compiler)
        for number, begin in enumerate(range(0, chosen.cases, _AT_ONCE)):
            said = found(path, library, min(_AT_ONCE, chosen.cases - begin), chosen.seed + number)
            faults += bool(said)
            print(f"{min(begin + _AT_ONCE, chosen.cases)} cases; {faults} processes found a fault. {said}", flush=True)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
