"""The pixel engine in the place of ilastik: only where both gave the same pixels of this very image.

The other side is made of the plain formulas, which share no code with the engine.
"""

import json
import shlex
import subprocess
import sys

import h5py
import numpy as np
import pytest
import tifffile

from batch_ops.task import contract
from batch_ops.task.certificate import name_of
from tests.deploy.pool.conftest import REPOSITORY, STAND_IN
from tests.deploy.pool.engine.made_up import Recipe, write_image, write_project
from tests.deploy.pool.engine.plain_pixels import classify
from tests.deploy.pool.task.conftest import TaskFolder

ENGINE = REPOSITORY / "deploy/pool/engine/pixel_engine"
SHAPE = (2, 9, 41, 45, 1)
# ilastik's command line by the plain formulas, each export noted.
PLAIN = f"""
os.environ["PLAIN_ILASTIK_NOTES"] = "exports"
sys.path.insert(0, {str(REPOSITORY)!r})
from tests.deploy.pool.engine.plain_ilastik import main
sys.exit(main(sys.argv[1:]))
"""
# The engine, but for one pixel of the first image of an export to HDF5.
FAULTY = """import glob, os, subprocess, sys
import h5py
ended = subprocess.call([{real!r}, *sys.argv[1:]])
stem = next((a.split("=", 1)[1] for a in sys.argv if a.startswith("--output_filename_format")), "")
for name in sorted(glob.glob(stem.replace("{{nickname}}", "*")))[:1] if stem.endswith(".h5") else []:
    with h5py.File(name, "a") as file:
        pixels = file["exported_data"]
        pixels[1, 8, 40, 44, 0] += pixels.dtype.type({off})
sys.exit(ended)
"""


@pytest.fixture
def certified(folder: TaskFolder) -> TaskFolder:
    """A task that may use the engine, on a node with an ilastik of plain formulas and the engine."""
    image = np.random.default_rng(8).integers(0, 250, SHAPE).astype(np.uint8)
    ticked = [(feature, scale) for feature in (0, 1, 2) for scale in (1, 3)]
    recipe = Recipe(ticked, in_2d=[False] * 7, depth=4, seed=3, lane=("tzyxc", SHAPE))
    write_project(folder.project, recipe, image[0].astype(np.float32))
    folder.image.unlink()
    write_image(folder.image, image, "tzyxc")
    folder.check()
    folder.ilastik(PLAIN)
    (folder.home / "VERSION").write_text("1.4.2")
    folder.extra = {"PIXEL_ENGINE_HOME": str(ENGINE)}
    folder.own = (*folder.own, "exports", "frozen")
    return replace_values(folder, engine="prober")


def replace_values(folder: TaskFolder, **values: object) -> TaskFolder:
    """Change what the task is told."""
    folder.values = {**folder.values, **values}
    return folder


def exports(folder: TaskFolder) -> list[str]:
    """The formats of ilastik's exports, one after the other."""
    notes = folder.wd / "exports"
    return notes.read_text().split("\n")[:-1] if notes.exists() else []


def spoil(folder: TaskFolder, off: object) -> None:
    """Let the engine err in one pixel."""
    home = folder.home.parent / "faulty"
    home.mkdir()
    (home / "faulty.py").write_text(FAULTY.format(real=str(ENGINE / "run_ilastik.sh"), off=off))
    program = home / "run_ilastik.sh"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$(dirname "$0")/faulty.py" "$@"\n')
    program.chmod(0o755)
    folder.extra = {**folder.extra, "PIXEL_ENGINE_HOME": str(home)}


def pixels(folder: TaskFolder) -> np.ndarray:
    return np.stack([tifffile.imread(path) for path in folder.tiffs()])


def expected(folder: TaskFolder) -> np.ndarray:
    with h5py.File(folder.image) as file:
        return classify(folder.project, file["volume/data"][()])[0]


def test_the_engine_computes_once_both_gave_the_same(certified: TaskFolder) -> None:
    """ilastik computes the probes alone; the certificate comes with the manifest, and holds for the next task."""
    ended = certified.run()

    assert ended.code == 0, ended.printed
    assert exports(certified) == ["hdf5"]
    (use,) = certified.manifest().engines
    assert (use.computed, use.made.is_equal, use.made.voxels) == (True, True, int(np.prod(SHAPE)))
    assert (use.made.combination.ilastik_version, use.made.image) == ("1.4.2", "lab/nuclei.h5")
    assert "give the same in 33,210 voxels" in ended.printed
    assert np.array_equal(pixels(certified), expected(certified))

    stored = certified.wd / "frozen" / use.made.combination.project_sha256 / name_of(use.certificate)
    stored.parent.mkdir(parents=True)
    stored.write_bytes(use.made.to_json())
    again = replace_values(certified, engine="user").run()
    assert again.code == 0, again.printed
    assert exports(certified) == ["hdf5"]


# As the start task leaves it: what it installs lies beside it, and each installation is noted.
INSTALLER = """#!/bin/sh
here=$(dirname "$0")
echo "Installing" | tee -a "$here/installations"
[ ! -f "$here/broken" ] || { echo "It has not the SHA-256." ; exit 94; }
mkdir -p "$here/installed" && cp -r "$here/archive" "$here/installed/ilastik"
"""


def test_a_node_has_no_ilastik_until_a_probe_needs_it(certified: TaskFolder) -> None:
    """Its version is known before. With a certificate, a node does without; one that can't install it is a bad node."""
    later = certified.home.parent / "later"
    later.mkdir()
    (later / "install.sh").write_text(INSTALLER)
    (later / "VERSION").write_text("1.4.2")
    certified.home.rename(later / "archive")
    (later / "broken").touch()
    ended = certified.run()
    assert (ended.code, "It has not the SHA-256." in ended.printed) == (contract.EXIT_NODE, True), ended.printed
    (later / "broken").unlink()

    ended = certified.run()
    assert ended.code == 0, ended.printed
    (use,) = certified.manifest().engines
    assert (use.computed, use.made.is_equal, use.made.combination.ilastik_version) == (True, True, "1.4.2")
    assert "install" in certified.manifest().seconds

    (later / "installed").rename(later / "gone")
    stored = certified.wd / "frozen" / use.made.combination.project_sha256 / name_of(use.certificate)
    stored.parent.mkdir(parents=True)
    stored.write_bytes(use.made.to_json())
    ended = replace_values(certified, engine="user").run()
    assert ended.code == 0, ended.printed
    assert certified.manifest().ilastik_version == "1.4.2"
    assert (later / "installations").read_text() == "Installing\n" * 2


def test_one_wrong_pixel_leaves_ilastik_at_work(certified: TaskFolder) -> None:
    """The difference comes with the manifest; the results are ilastik's, and the next prober does not try again."""
    spoil(certified, 1)
    ended = certified.run()

    assert ended.code == 0, ended.printed
    assert exports(certified) == ["hdf5", "multipage tiff sequence"]
    (use,) = certified.manifest().engines
    assert (use.computed, use.made.is_equal, use.made.differing) == (False, False, 1)
    assert "differ in 1 of 33,210 voxels" in use.reason
    assert np.array_equal(pixels(certified), expected(certified))

    stored = certified.wd / "frozen" / use.made.combination.project_sha256 / name_of(use.certificate)
    stored.parent.mkdir(parents=True)
    stored.write_bytes(use.made.to_json())
    assert certified.run().code == 0
    assert exports(certified) == ["hdf5", "multipage tiff sequence", "multipage tiff sequence"]


@pytest.mark.slow
def test_a_page_that_ilastik_has_no_room_for_is_proven_by_crops_and_computed_by_the_engine(
    certified: TaskFolder,
) -> None:
    """Whoever else is the prober: ilastik computes the crops alone."""
    image = np.random.default_rng(4).integers(0, 250, (1, 1, 3400, 3300, 1)).astype(np.uint8)
    recipe = Recipe([(feature, 3) for feature in (0, 1, 2, 3, 5)], in_2d=[True] * 7, seed=3, lane=("yx", (3400, 3300)))
    write_project(certified.project, recipe, image[0, :, :256, :256].astype(np.float32))
    certified.image.unlink()
    write_image(certified.image, image, "yx")
    certified.check()
    replace_values(certified, engine="user", ram_mb=500)
    ended = certified.run()

    assert ended.code == 0, ended.printed
    assert set(exports(certified)) == {"hdf5"}
    (use,) = certified.manifest().engines
    assert (use.computed, use.made.is_equal, use.made.probes > 10, use.made.voxels >= 2_000_000) == (True,) * 4


@pytest.mark.parametrize(
    "why", ["nobody asked", *(pytest.param(why, marks=pytest.mark.slow) for why in ("others probe", "no engine"))]
)
def test_without_a_certificate_ilastik_computes_it_all(certified: TaskFolder, why: str) -> None:
    """Nothing is probed by tasks that are not to do so, nor on nodes without the engine."""
    if why == "no engine":
        certified.extra = {**certified.extra, "PIXEL_ENGINE_HOME": "/nowhere"}
    if why in {"nobody asked", "others probe"}:
        replace_values(certified, engine="" if why == "nobody asked" else "user")

    assert certified.run().code == 0
    assert exports(certified) == ["multipage tiff sequence"]


def test_an_ilastik_that_is_the_engine_certifies_nothing(certified: TaskFolder) -> None:
    """A machine without ilastik: agreeing with itself is no proof, and the run says so."""
    certified.extra = {**certified.extra, "ILASTIK_HOME": str(STAND_IN), "LOCAL_CLOUD_PYTHON": sys.executable}

    ended = certified.run()

    assert ended.code == 0, ended.printed
    (use,) = certified.manifest().engines
    assert (use.computed, use.made, use.certificate) == (False, None, "")
    assert "is the pixel engine itself" in use.reason


@pytest.mark.slow
def test_an_engine_that_fails_leaves_ilastik_at_work(certified: TaskFolder) -> None:
    """Whatever it ends with; the reason is kept, and no certificate is made of it."""
    spoil(certified, "'x'")
    ended = certified.run()

    assert ended.code == 0, ended.printed
    (use,) = certified.manifest().engines
    assert (use.computed, use.made, "The engine ended with 1" in use.reason) == (False, None, True)


def test_the_engine_says_who_it_is() -> None:
    """Version with the digest of all that computes, and the level of this processor."""
    command = [str(ENGINE / "run_ilastik.sh"), "--identity"]
    environment = {"PATH": "/usr/bin:/bin", "PIXEL_ENGINE_PYTHON": sys.executable, "PIXEL_ENGINE_LEVEL": "portable"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    told = json.loads(done.stdout)
    assert (set(told), told["level"]) == ({"version", "level"}, "portable")
