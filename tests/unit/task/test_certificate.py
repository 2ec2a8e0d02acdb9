"""Certificates, and who computes."""

from dataclasses import asdict, replace

import pytest

from batch_ops.task.certificate import (
    Certificate,
    Combination,
    EngineRole,
    EngineStep,
    EngineUse,
    depth_of,
    name_of,
    next_step,
)
from batch_ops.task.strict_json import ManifestError

COMBINATION = Combination(
    project_sha256="a" * 64,
    export_source="Simple Segmentation",
    dtype="uint8",
    axes="tzyxc",
    channels=1,
    depth=36,
    ilastik_version="1.4.2",
    engine_version="1.0.0+0123456789abcdef",
    level="avx2",
)
EQUAL = Certificate(
    combination=COMBINATION,
    voxels=2_000_000,
    probes=11,
    differing=0,
    largest_difference=0.0,
    tolerance=0.0,
    made="2026-11-29T12:00:00Z",
    task_id="nuclei-1-1",
    image="lab/nuclei.h5",
)
DIFFERENT = replace(EQUAL, differing=1)
UNKNOWN = replace(EQUAL, voxels=0, probes=0, reason="The engine ended with -9.")
OTHER_LEVEL = replace(EQUAL, combination=replace(COMBINATION, level="portable"))
OTHER_TYPE = replace(EQUAL, combination=replace(COMBINATION, dtype="uint16"))


@pytest.mark.parametrize("name", asdict(COMBINATION))
def test_whatever_could_change_a_pixel_makes_another_combination(name):
    """No certificate holds for another project, image, version or processor."""
    value = getattr(COMBINATION, name)
    other = value - 1 if name == "depth" else value + 1 if isinstance(value, int) else value.replace(value[-1], "b")
    changed = Combination(**{**asdict(COMBINATION), name: other})
    assert changed.key != COMBINATION.key
    assert replace(COMBINATION).key == COMBINATION.key


def test_thick_stacks_are_alike():
    """No filter reaches further than so many planes; a plane alone is something else."""
    assert [depth_of({"z": z}) for z in (1, 35, 36, 400)] == [1, 35, 36, 36]
    assert depth_of({}) == 1


@pytest.mark.parametrize(
    ("role", "known", "step"),
    [
        (EngineRole.NONE, [EQUAL], EngineStep.ILASTIK),
        (EngineRole.USER, [], EngineStep.ILASTIK),
        (EngineRole.USER, [OTHER_TYPE], EngineStep.ILASTIK),
        (EngineRole.USER, [OTHER_TYPE, EQUAL], EngineStep.ENGINE),
        (EngineRole.USER, [OTHER_LEVEL], EngineStep.PROBE),
        (EngineRole.USER, [DIFFERENT], EngineStep.ILASTIK),
        (EngineRole.PROBER, [], EngineStep.PROBE),
        (EngineRole.PROBER, [EQUAL], EngineStep.ENGINE),
        (EngineRole.PROBER, [DIFFERENT], EngineStep.ILASTIK),
        (EngineRole.AUDITOR, [EQUAL], EngineStep.PROBE),
        (EngineRole.AUDITOR, [], EngineStep.PROBE),
        (EngineRole.AUDITOR, [DIFFERENT, OTHER_LEVEL], EngineStep.ILASTIK),
        (EngineRole.USER, [UNKNOWN], EngineStep.ILASTIK),
        (EngineRole.PROBER, [UNKNOWN], EngineStep.PROBE),
        (EngineRole.AUDITOR, [UNKNOWN], EngineStep.PROBE),
    ],
)
def test_who_computes(role, known, step):
    """The engine only by a certificate for this very combination; a difference is the end of it."""
    assert next_step(role, COMBINATION, known) is step


@pytest.mark.parametrize(
    ("role", "known", "step"),
    [
        (EngineRole.NONE, [EQUAL], EngineStep.ILASTIK),
        (EngineRole.USER, [], EngineStep.PROBE),
        (EngineRole.USER, [EQUAL], EngineStep.ENGINE),
        (EngineRole.USER, [DIFFERENT], EngineStep.ILASTIK),
    ],
)
def test_what_ilastik_cannot_compute_waits_for_no_other_prober(role, known, step):
    """ilastik computes the probes of such an image, never the whole of it; a difference is still the end of it."""
    assert next_step(role, COMBINATION, known, beyond=True) is step


@pytest.mark.parametrize("certificate", [EQUAL, DIFFERENT, replace(EQUAL, voxels=0, probes=0, reason="It ended.")])
def test_a_certificate_is_read_as_it_was_written(certificate):
    """Beside the project, and in the manifest."""
    assert Certificate.parse(certificate.to_json()) == certificate
    assert name_of(COMBINATION.key) == f"certificate-{COMBINATION.key}.json"
    use = EngineUse("1.0.0", certificate.is_equal, COMBINATION.key, certificate)
    assert EngineUse.read(asdict(use)) == use


@pytest.mark.parametrize("certificate", [DIFFERENT, replace(EQUAL, voxels=0), replace(EQUAL, reason="It ended.")])
def test_nothing_but_equality_is_equal(certificate):
    """One pixel is a difference, and so is nothing compared at all."""
    assert not certificate.is_equal
    with pytest.raises(ManifestError):
        EngineUse("1.0.0", True, COMBINATION.key, certificate)


@pytest.mark.parametrize(
    "change",
    [
        {"differing": 2_000_001},
        {"voxels": -1},
        {"tolerance": -1.0},
        {"largest_difference": float("nan")},
        {"made": "yesterday"},
        {"schema": 2},
        {"combination": {}},
        {"more": 1},
    ],
)
def test_what_no_task_wrote_is_refused(change):
    """Certificates come from machines that ran other people's data."""
    with pytest.raises(ManifestError):
        Certificate.read({**asdict(EQUAL), **change})


@pytest.mark.parametrize(
    ("values", "computed"),
    [({}, True), ({"certificate": "b" * 32, "made": EQUAL}, True), ({"certificate": "short"}, False)],
)
def test_the_engine_never_computes_without_its_certificate(values, computed):
    """Neither without one, nor with that of another combination."""
    with pytest.raises(ManifestError):
        EngineUse("1.0.0", computed, **values)
