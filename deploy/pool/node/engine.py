"""Which program computes an image: ilastik, or the pixel engine where it is certified to give the same pixels.

The rules are those of `batch_ops/task/certificate.py`; here they meet the image, the node and its certificates, which
lie below `frozen/` as the resource files brought them. Whatever keeps a certificate from being made leaves ilastik at
work: the engine computes only by a certificate of equality.
"""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Sequence

from batch_ops.task import contract
from batch_ops.task.certificate import Certificate, Combination, EngineRole, EngineStep, EngineUse, depth_of, next_step
from batch_ops.task.strict_json import ManifestError, plain_line
from node.execution import Execution, ilastik_version
from node.files import say
from node.image import LINK, LocalImage
from node.later import need_ilastik
from node.probing import probe

CERTIFICATES = "frozen"  # below the working directory
PROGRAM = "run_ilastik.sh"
_SECONDS_TO_ANSWER = 60


@dataclass(frozen=True)
class Chosen:
    """The program that computes, and what the manifest says of the engine; None where nobody asked for it."""

    program: str
    use: EngineUse | None = None

    @property
    def is_engine(self) -> bool:
        return self.use is not None and self.use.computed


@dataclass(frozen=True)
class _Engine:
    program: str
    version: str
    level: str


def choose(
    execution: Execution,
    task: contract.TaskEnvironment,
    home: Path,
    image: LocalImage,
    *,
    changed: bool,
    beyond: bool,
    command: Callable[[str, Sequence[str], str], list[str]],
) -> Chosen:
    """Choose the program; probe the image by both where the task's role asks for it.

    `home`: of ilastik. `changed`: the export is changed by what the project stores. `beyond`: a page of the image needs
    more memory than there is for ilastik, so that it is probed whoever else does. `command(program, images, stem)`:
    the arguments that export so many images to HDF5.
    """
    ilastik = str(home / PROGRAM)
    if task.role is EngineRole.NONE:
        return Chosen(ilastik)
    engine = _installed()
    if engine is None:
        return Chosen(ilastik, EngineUse("none", False, reason="The pixel engine is not installed on this node."))
    if changed:
        sentence = "With the export settings that the project stores, nothing is certified."
        return Chosen(ilastik, EngineUse(engine.version, False, reason=sentence))
    size = dict(zip(image.described.read_as, image.described.shape_read))
    combination = Combination(
        project_sha256=task.project_digest,
        export_source=task.export_source,
        dtype=image.described.dtype,
        axes=image.described.read_as,
        channels=size.get("c", 1),
        depth=depth_of(size),
        ilastik_version=ilastik_version(home, task),
        engine_version=engine.version,
        level=engine.level,
    )
    key = combination.key
    step = next_step(task.role, combination, certificates(execution.root, task.project_digest), beyond=beyond)
    if step is EngineStep.ENGINE:
        return Chosen(engine.program, EngineUse(engine.version, True, key))
    if step is EngineStep.ILASTIK:
        sentence = "There is no certificate for this kind of image yet, or one of a difference."
        return Chosen(ilastik, EngineUse(engine.version, False, reason=sentence))
    need_ilastik(execution, home)
    with execution.step("certify"):
        found = probe(execution, task, image, execution.root / LINK, (ilastik, engine.program), command)
    if found.is_engine:
        sentence = "The ilastik of this node is the pixel engine itself: nothing is certified."
        say(sentence)
        return Chosen(ilastik, EngineUse(engine.version, False, reason=sentence))
    made = Certificate(
        combination=combination,
        voxels=found.compared.pixels,
        probes=found.probes,
        differing=found.compared.differing,
        largest_difference=found.compared.largest,
        tolerance=found.tolerance,
        made=f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%dT%H:%M:%SZ}",
        task_id=task.task_id,
        image=task.image_name,
        reason=found.reason,
    )
    say(made.sentence)
    if found.ilastik_failed or not made.is_known:
        # Of the pixels that says nothing, as whatever ended a probe may pass: the next prober tries again.
        return Chosen(ilastik, EngineUse(engine.version, False, reason=plain_line(made.sentence, 800)))
    if not made.is_equal:
        return Chosen(ilastik, EngineUse(engine.version, False, key, made, plain_line(made.sentence, 800)))
    return Chosen(engine.program, EngineUse(engine.version, True, key, made))


def certificates(root: Path, project_digest: str) -> list[Certificate]:
    """Return what the resource files brought for this project; what can't be read counts for nothing."""
    found = []
    for path in sorted((root / CERTIFICATES / project_digest).glob("certificate-*.json")):
        with suppress(ManifestError, OSError):
            found.append(Certificate.parse(path.read_bytes()))
    return found


def _installed() -> _Engine | None:
    """Ask the engine that the start task installed who it is; None where there is none that works."""
    shared = os.environ.get("AZ_BATCH_NODE_SHARED_DIR", "")
    place = os.environ.get("PIXEL_ENGINE_HOME") or (f"{shared}/engine/pixel_engine" if shared else "")
    program = Path(place, PROGRAM)
    if not place or not program.is_file():
        return None
    # Wherever it lies: the Python that has what it needs is the one that runs this.
    os.environ.setdefault("PIXEL_ENGINE_PYTHON", sys.executable)
    try:
        done = subprocess.run(
            [str(program), "--identity"], stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS_TO_ANSWER
        )
        identity = json.loads(done.stdout)
        return _Engine(str(program), str(identity["version"]), str(identity["level"]))
    except (OSError, ValueError, KeyError, TypeError, subprocess.TimeoutExpired) as exc:
        say(f"The pixel engine on this node does not say who it is: {type(exc).__name__}: {exc}")
        return None
