"""The pixel engine through the whole cloud: proven by the first file, used for the next, told in the provenance.

ilastik is played by the plain formulas, which share no code with the engine.
"""

import json
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest

from batch_ops.task.certificate import Certificate
from tests.acceptance.lab import REPOSITORY, SETTINGS, laboratory, volume
from tests.deploy.pool.engine.made_up import Recipe, write_project

PROGRAM = """#!/bin/sh
export PLAIN_ILASTIK_NOTES={notes} PYTHONPATH={repository}
exec {python} -m tests.deploy.pool.engine.plain_ilastik "$@"
"""
SHAPE = (2, 12, 40, 44, 1)


@pytest.mark.slow
def test_the_first_file_proves_the_engine_for_the_next(tmp_path: Path) -> None:
    """ilastik computes the probes of the first file, and nothing of the second."""
    home, notes = tmp_path / "ilastik", tmp_path / "notes"
    (home / "bin").mkdir(parents=True)
    (home / "VERSION").write_text("1.4.2")
    words = {"notes": notes, "repository": REPOSITORY, "python": sys.executable}
    program = home / "run_ilastik.sh"
    program.write_text(PROGRAM.format(**{name: shlex.quote(str(word)) for name, word in words.items()}))
    program.chmod(0o755)
    project = tmp_path / "p.ilp"
    ticked = [(feature, scale) for feature in (0, 1, 2) for scale in (1, 3)]
    recipe = Recipe(ticked, in_2d=[False] * 7, depth=4, seed=3, lane=("tzyxc", SHAPE))
    write_project(project, recipe, volume(1, "tzyxc", SHAPE)[0].astype(np.float32))

    with laboratory(tmp_path, SETTINGS, home) as lab:
        lab.project("sure", project, engine="certified")
        for number, name in enumerate(("sure/a.h5", "sure/b.h5")):
            lab.image(name, number, axes="tzyxc", shape=SHAPE)
            assert lab.wait(name, seconds=90)["state"] == "SUCCEEDED"
        told = [json.loads(lab.results(name)["provenance.json"])["engine"] for name in ("sure/a.h5", "sure/b.h5")]
        frozen = lab.blobs.get_container_client("frozen")
        (stored,) = [blob.name for blob in frozen.list_blobs() if "/certificate-" in blob.name]
        certificate = Certificate.parse(frozen.download_blob(stored).readall())

    assert notes.read_text().splitlines() == ["hdf5"]
    assert [one["computed_by"] for (one,) in told] == ["re-implementation, certified against ilastik 1.4.2"] * 2
    assert {one["certificate"] for (one,) in told} == {stored}
    assert (certificate.is_equal, certificate.voxels) == (True, int(np.prod(SHAPE)))
