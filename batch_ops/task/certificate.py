"""Certificates: for which classifier, kind of image and machine the pixel engine gives ilastik's very pixels.

A task that may not yet use the engine computes probes of its image by both, and compares them. What it found is a
certificate: of equality, or of a difference, after which ilastik computes. It comes back with the manifest, lies
beside the frozen project (`name_of`), and holds for its combination alone: whatever could change a pixel is part of it.

Pure and stdlib only, for Python 3.9 and newer (see contract.py).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from batch_ops.task import strict_json
from batch_ops.task.strict_json import check_number, check_text, refuse

# Of a probability, between the two: both round to 24 bits, but not every sum in the same order.
TOLERANCE = 1e-5
# From so many planes on, more of them change nothing: no filter reaches further.
DEEP = 36

_SHA256 = re.compile(r"[0-9a-f]{64}")
_KEY = re.compile(r"[0-9a-f]{32}")
_WORD = re.compile(r"[A-Za-z0-9 ._+()-]{1,100}")
_MAX_PROBES = 1_000
_SCHEMA = 1


CERTIFIED = "certified"
ENGINES = ("ilastik", CERTIFIED)
"""Which programs a project may be computed by: ilastik alone, or the engine as well where it is certified."""


class EngineRole(str, Enum):  # noqa: UP042 - Python 3.9 has no StrEnum
    """What a task may do about the engine."""

    NONE = ""  # ilastik computes
    USER = "user"  # the engine computes where a certificate says so
    PROBER = "prober"  # ... and this task is to make one where there is none
    AUDITOR = "auditor"  # ... and this task compares once more, whatever there is

    def __str__(self) -> str:
        return str(self.value)


class EngineStep(Enum):
    """Who computes: ilastik, the engine, or both the probes first."""

    ILASTIK = "ilastik"
    ENGINE = "engine"
    PROBE = "probe"


@dataclass(frozen=True)
class Combination:
    """Everything that could make the engine's pixels differ from ilastik's.

    `depth`: planes along z, at most `DEEP`: filters go over to two dimensions in thin stacks. `engine_version` has
    the digest of its code and library; `level` is that of the processor.
    """

    project_sha256: str
    export_source: str
    dtype: str
    axes: str
    channels: int
    depth: int
    ilastik_version: str
    engine_version: str
    level: str

    def __post_init__(self) -> None:
        check_text(self.project_sha256, "the project's SHA-256", 64, _SHA256)
        for name in ("export_source", "dtype", "axes", "ilastik_version", "engine_version", "level"):
            check_text(getattr(self, name), name, 100, _WORD)
        check_number(self.channels, "the channels", 1, 2**20)
        check_number(self.depth, "the depth", 1, DEEP)

    @property
    def key(self) -> str:
        """A name for just this combination."""
        return hashlib.sha256(json.dumps(dataclasses.asdict(self), sort_keys=True).encode()).hexdigest()[:32]

    def is_like(self, other: Combination) -> bool:
        """Return whether another differs in the processor alone."""
        return dataclasses.replace(self, level=other.level) == other


@dataclass(frozen=True)
class Certificate:
    """What was compared, when, by which task, and what came of it.

    `voxels` were compared in `probes` crops; `differing` of them have another label, or a probability that is off by
    more than `tolerance` (0 for a segmentation); `largest_difference` is the greatest of probabilities. `reason`: why
    nothing could be compared, "" where it was. `revokes`: the time of the certificate whose place this
    takes.
    """

    combination: Combination
    voxels: int
    probes: int
    differing: int
    largest_difference: float
    tolerance: float
    made: str
    task_id: str
    image: str
    reason: str = ""
    revokes: str = ""
    schema: int = _SCHEMA

    def __post_init__(self) -> None:
        if not isinstance(self.combination, Combination):
            refuse("the combination is not described")
        check_number(self.voxels, "the voxels", 0, 2**53)
        check_number(self.probes, "the probes", 0, _MAX_PROBES)
        check_number(self.differing, "the differing voxels", 0, self.voxels)
        for number in (self.largest_difference, self.tolerance):
            if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 <= number <= 1e9:
                refuse("a difference is out of range")
        check_text(self.made, "the time of the certificate", 20, strict_json.UTC)
        check_text(self.task_id, "the task id", 64)
        check_text(self.image, "the image of the certificate", 1024)
        check_text(self.reason, "the reason", 800)
        if self.revokes:
            check_text(self.revokes, "the time of what is revoked", 20, strict_json.UTC)
        check_number(self.schema, "the schema of the certificate", _SCHEMA, _SCHEMA)

    @property
    def is_equal(self) -> bool:
        """Whether the engine may compute for this combination."""
        return self.voxels > 0 and not self.differing and not self.reason

    @property
    def is_different(self) -> bool:
        """Whether the engine was found to differ. What could not be compared is neither equal nor different."""
        return self.differing > 0

    @property
    def is_known(self) -> bool:
        """Whether it says anything: older versions stored what could not be compared, too."""
        return self.is_equal or self.is_different

    @property
    def sentence(self) -> str:
        """Say what was found, for people."""
        where = f"{self.voxels:,} voxels in {self.probes} parts of the image"
        if self.reason:
            return f"The pixel engine could not be compared with ilastik: {self.reason}"
        if self.is_equal:
            return f"The pixel engine and ilastik {self.combination.ilastik_version} give the same in {where}."
        return (
            f"The pixel engine and ilastik {self.combination.ilastik_version} differ in {self.differing:,} of {where}; "
            "ilastik computes the images of this project."
        )

    def to_json(self) -> bytes:
        return strict_json.dump(dataclasses.asdict(self))

    @classmethod
    def parse(cls, content: bytes) -> Certificate:
        """Read what `to_json` wrote; raises ManifestError for anything else."""
        return cls.read(strict_json.load(content, "the certificate"))

    @classmethod
    def read(cls, value: object) -> Certificate:
        """Read what `asdict` makes of it; raises ManifestError for anything else."""
        data = strict_json.fields(cls, value, "the certificate")
        combination = strict_json.fields(Combination, data["combination"], "the combination")
        return cls(**{**data, "combination": Combination(**combination)})


@dataclass(frozen=True)
class EngineUse:
    """What a run says of the engine: which, whether it computed, by which certificate (its key), made here or before.

    `reason`: why ilastik computed instead, as a sentence.
    """

    version: str
    computed: bool
    certificate: str = ""
    made: Certificate | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        check_text(self.version, "the engine's version", 100)
        if not isinstance(self.computed, bool):
            refuse("whether the engine computed is neither yes nor no")
        if self.certificate:
            check_text(self.certificate, "the key of the certificate", 32, _KEY)
        elif self.computed:
            refuse("the engine computed without a certificate")
        if self.made is not None and self.made.combination.key != self.certificate:
            refuse("the certificate is not the one that it is called")
        if self.computed and self.made is not None and not self.made.is_equal:
            refuse("the engine computed although it differs")
        check_text(self.reason, "why the engine did not compute", 800)

    @classmethod
    def read(cls, value: object) -> EngineUse:
        """Read what `asdict` makes of it; raises ManifestError for anything else."""
        data = strict_json.fields(cls, value, "what is said of the engine")
        made = data["made"]
        return cls(**{**data, "made": None if made is None else Certificate.read(made)})


def name_of(key: str) -> str:
    """Return the name of a certificate below the folder of its frozen project."""
    return f"certificate-{key}.json"


def next_step(
    role: EngineRole, combination: Combination, known: Sequence[Certificate], *, beyond: bool = False
) -> EngineStep:
    """Decide who computes. `known`: the certificates of the project, of any combination.

    `beyond`: ilastik can't compute the image as a whole, only probes of it, so that it can't wait for other probers.
    """
    found = next((one for one in known if one.combination == combination and one.is_known), None)
    if role is EngineRole.NONE or (found is not None and not found.is_equal):
        return EngineStep.ILASTIK
    if role is EngineRole.AUDITOR:
        return EngineStep.PROBE
    if found is not None:
        return EngineStep.ENGINE
    # Who was made the prober knew nothing of processors: one of another level is proven by whoever meets it first.
    other_level = any(one.is_equal and one.combination.is_like(combination) for one in known)
    return EngineStep.PROBE if beyond or role is EngineRole.PROBER or other_level else EngineStep.ILASTIK


def depth_of(size: Mapping[str, int]) -> int:
    """Return the depth of an image for its combination; `size` by axis."""
    return min(size.get("z", 1), DEEP)
