"""The program as others start it: the shell script, the Python beside it, the build."""

import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from pixel_engine import build as building
from pixel_engine.build import build, library_path
from pixel_engine.errors import NotBuiltError
from pixel_engine.native import processor_levels
from tests.deploy.pool.engine.made_up import Ilastik, Recipe, write_image, write_project

_HOME = Path(building.__file__).resolve().parents[1]
_PLAIN = {"PATH": "/usr/bin:/bin", "PIXEL_ENGINE_PYTHON": sys.executable}


def start(program: Path | str, *arguments: str, directory: Path, **changed: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a nearly empty environment."""
    environment = {**_PLAIN, **changed}
    command = [str(program), *arguments]
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=110)


@pytest.mark.parametrize(
    ("arguments", "environment", "code"),
    [
        (("--headless",), {}, 2),
        (("--headless", "--project=none.ilp", "x.h5"), {}, 1),
        (("--headless", "--project=none.ilp", "x.h5"), {"LAZYFLOW_TOTAL_RAM_MB": "100"}, 1),
        (("--headless", "--project=none.ilp", "x.h5", "--logfile=no/such/folder.log"), {}, 1),
    ],
)
def test_errors_are_sentences_with_exit_codes(
    arguments: tuple[str, ...], environment: dict[str, str], code: int, tmp_path: Path
) -> None:
    """A failure is one line on stderr, never a traceback."""
    done = start(_HOME / "pixel_engine/run_ilastik.sh", *arguments, directory=tmp_path, **environment)
    assert done.returncode == code
    assert "ERROR: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("output_format", ["hdf5", "multipage tiff"])
def test_a_full_disk_is_a_sentence(samples: Path, tmp_path: Path, output_format: str) -> None:
    """Without room for the result: exit code 1, one sentence, nothing left; HDF5 does not crash at the end."""
    case = samples / "cells2d"
    limited = 'ulimit -f 32; exec "$@"'  # 32 units of 512 or 1024 bytes a file: what a full disk answers as well
    done = start(
        Path("/bin/sh"),
        *(
            "-c",
            limited,
            "sh",
            str(_HOME / "pixel_engine/run_ilastik.sh"),
            "--headless",
            f"--project={case / 'project.ilp'}",
        ),
        *(str(case / "input.h5"), "--export_source=Probabilities", f"--output_format={output_format}"),
        f"--output_filename_format={tmp_path}/out/r",
        directory=tmp_path,
    )
    assert done.returncode == 1, done.stderr
    assert "ERROR: The results cannot be written to " in done.stderr
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "out").iterdir()) == []


@pytest.fixture(scope="module")
def long_work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a project `p.ilp` and an image `i.h5` that take a few seconds."""
    folder = tmp_path_factory.mktemp("long")
    image = np.random.default_rng(3).integers(0, 250, (12, 40, 120, 120, 1)).astype(np.uint8)
    ticked = [(feature, scale) for feature in range(6) for scale in range(4)]
    write_project(folder / "p.ilp", Recipe(ticked, forests=(50,)), image[0, :, :30, :30].astype(np.float32))
    write_image(folder / "i.h5", image, "tzyxc")
    return folder


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_stopped_leaves_nothing(long_work: Path, tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C, a polite end and a closed terminal end a run with a sentence and without half a result."""
    out = tmp_path / "out"
    with subprocess.Popen(
        [
            *(
                str(_HOME / "pixel_engine/run_ilastik.sh"),
                "--headless",
                f"--project={long_work / 'p.ilp'}",
                str(long_work / "i.h5"),
            ),
            *("--export_source=Simple Segmentation", "--output_format=hdf5", f"--output_filename_format={out}/r"),
        ],
        env=_PLAIN,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever starts the tests in the background hands down that some signals are ignored.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    ) as running:
        while "% of i.h5" not in running.stderr.readline():
            assert running.poll() is None
        assert [file.suffix for file in out.iterdir()] == [".partial"]
        running.send_signal(number)
        said = running.stderr.readlines()
    assert running.returncode == 128 + number
    assert said[-1].endswith(f"ERROR: Stopped by {number.name}. What was not finished is removed.\n")
    assert list(out.iterdir()) == []


def test_help_is_offered(tmp_path: Path) -> None:
    """--help explains the options and is no failure."""
    done = start(_HOME / "pixel_engine/run_ilastik.sh", "--help", directory=tmp_path)
    assert done.returncode == 0
    assert "--output_filename_format" in done.stdout


def test_building_twice_does_nothing_the_second_time() -> None:
    """The library of this source is made once."""
    first = build()
    made = first.stat().st_mtime_ns
    assert build(compiler="no-such-compiler") == first
    assert first.stat().st_mtime_ns == made


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """Return a copy of the engine without a compiled kernel."""
    ignored = shutil.ignore_patterns("build", "__pycache__")
    shutil.copytree(_HOME / "pixel_engine", tmp_path / "copy/pixel_engine", ignore=ignored)
    return tmp_path / "copy"


def test_two_builds_at_once_are_harmless(tmp_path: Path) -> None:
    """Two processes that build at the same time both end well, and leave one library and nothing else."""
    (tmp_path / "level.c").write_text("int answer(void) { return 42; }")
    code = f"""
from pathlib import Path
from pixel_engine.build import build
build(source=Path({str(tmp_path)!r}))
"""

    def run_build(_: int) -> subprocess.CompletedProcess[str]:
        return start(sys.executable, "-c", code, directory=_HOME)

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(run_build, range(4)))
    assert [result.returncode for result in results] == [0] * 4, results
    assert list((tmp_path / "build").iterdir()) == [library_path(tmp_path)]


@pytest.mark.parametrize(("path", "words"), [("", "C compiler"), ("bin", "could not compile")])
def test_a_machine_without_a_working_compiler_is_reported(elsewhere: Path, path: str, words: str) -> None:
    """No compiler, or one that fails: a message that says what to install, no traceback."""
    fake = elsewhere / "bin" / "cc"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\nexit 1\n")
    fake.chmod(0o755)
    changed = {"PYTHONPATH": str(elsewhere), "PATH": str(elsewhere / path)}
    done = start(sys.executable, "-m", "pixel_engine.build", directory=elsewhere, **changed)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_kernel_is_never_made_at_run_time(elsewhere: Path, samples: Path, tmp_path: Path) -> None:
    """A run without the compiled kernel says how to make it; it does not start a compiler."""
    case = samples / "cells2d"
    done = start(
        *(sys.executable, "-m", "pixel_engine", "--headless", f"--project={case / 'project.ilp'}"),
        *(str(case / "input.h5"), "--output_format=hdf5", f"--output_filename_format={tmp_path}/r.h5"),
        directory=elsewhere,
        PYTHONPATH=str(elsewhere),
    )
    assert done.returncode == 1
    assert "pixel_engine.build" in done.stderr
    assert not (tmp_path / "r.h5").exists()
    assert not (elsewhere / "pixel_engine/native/build").exists()


@pytest.mark.parametrize("in_2d", [False, True])
def test_the_pixels_are_the_same_on_every_level_of_processors(in_2d: bool, tmp_path: Path, ilastik: Ilastik) -> None:
    """Each level that works here gives the very probabilities and labels of the portable one, in 2D and in 3D."""
    image = np.random.default_rng(5).integers(0, 250, (1, 15, 41, 83, 1)).astype(np.uint8)
    ticked = [(feature, scale) for feature in range(6) for scale in (0, 2, 3)]
    recipe = Recipe(ticked, in_2d=[in_2d] * 7, pure=False, depth=5, seed=3, lane=("zyxc", (15, 41, 83, 1)))
    write_project(tmp_path / "p.ilp", recipe, image[0].astype(np.float32))
    file = write_image(tmp_path / "i.h5", image, "zyxc")
    known = processor_levels()
    assert known[0] == "portable"
    for source in ("Probabilities", "Simple Segmentation"):
        results = []
        for level in known:
            replace(ilastik, level=level).export(file, f"{level}.h5", source=source)
            with h5py.File(tmp_path / f"{level}.h5") as made:
                results.append(made["exported_data"][()])
        assert len(np.unique(results[0])) > 1
        assert all(np.array_equal(results[0], other) for other in results[1:])


def test_a_level_that_does_not_work_here_is_refused(tmp_path: Path, samples: Path) -> None:
    """PIXEL_ENGINE_LEVEL names one of those that do, or nothing."""
    case = samples / "cells2d"
    done = start(
        *(
            _HOME / "pixel_engine/run_ilastik.sh",
            "--headless",
            f"--project={case / 'project.ilp'}",
            str(case / "input.h5"),
        ),
        *("--output_format=hdf5", f"--output_filename_format={tmp_path}/r"),
        directory=tmp_path,
        PIXEL_ENGINE_LEVEL="sse9",
    )
    assert done.returncode == 1
    assert "only: portable" in done.stderr


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Where the library cannot be written, the message names the folder."""
    blocked = tmp_path / "native"
    blocked.mkdir()
    (blocked / "a.c").write_text("int a;")
    (blocked / "build").write_text("in the way")
    with pytest.raises(NotBuiltError, match="cannot be written"):
        build(source=blocked)
