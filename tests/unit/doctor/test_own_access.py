"""The doctor asks the app to try its own roles; the app answers, and the doctor judges."""

import asyncio
from contextlib import suppress

import pytest

from batch_ops.doctor import own_access
from batch_ops.doctor.findings import Level, exit_code
from batch_ops.domain.errors import BadMessage, NotAllowed
from batch_ops.domain.messages import look_again_message
from batch_ops.ports.health import Access, Health, ProbeOutcome, ProbeResult, Resource
from batch_ops.system import assemble
from batch_ops.use_cases.access_test import AccessTest, read_answer
from tests.world import World


class Storage:
    """Lets the app do what it must be able to do, but for `refused`."""

    def __init__(self, *refused):
        self.refused = refused

    async def run(self, probes):
        def allowed(probe):
            return probe.allowed and (probe.resource, probe.access) not in self.refused

        outcomes = {True: ProbeOutcome.DONE, False: ProbeOutcome.REFUSED}
        return [ProbeResult(probe, outcomes[allowed(probe)]) for probe in probes]

    async def queue(self, name, *, poison):
        raise NotImplementedError


class Batch:
    """Has no pool yet, or does not let the app look."""

    def __init__(self, *, refuses=False):
        self.refuses = refuses

    async def pool(self, pool_id):
        if self.refuses:
            raise NotAllowed("Azure Batch does not let the app look at the pool.")

    async def active_jobs(self):
        raise NotImplementedError


def app(world, health):
    """An app with this health, or one that knows nothing of the doctor's order."""
    test = AccessTest(health, world.blobs, world.settings) if health else None
    return assemble(world.ports, world.settings, world.cloud.clock, lambda: "id", test)


async def examined(world, health=None):
    """What the doctor says while an app takes its message, twice."""
    patience = 5 if health else 0.02
    asking = asyncio.create_task(own_access.look(world.blobs, world.outbox, "frozen", patience, 0))
    # The message comes before the first look for an answer.
    await asyncio.sleep(0)
    for order in world.outbox.looks() * 2:
        await app(world, health).inbox.blob_created(look_again_message(order).encode(), 1)
    return own_access.judge(await asking)


@pytest.mark.parametrize(
    ("health", "level", "sentence", "remedy"),
    [
        (Health(Storage(), Batch(), None), Level.OK, "With the app's identity the pool and a single node can be", ""),
        (
            Health(Storage((Resource.TABLE, Access.WRITE)), Batch(), None),
            Level.FAIL,
            "Storage does not let the app's identity write the table 'files'",
            "--wide-roles true",
        ),
        (
            Health(Storage(), Batch(refuses=True), None),
            Level.WARN,
            "could not look at the pool and its nodes: Azure Batch does not let the app",
            "--wide-roles true",
        ),
        (None, Level.WARN, "The app did not answer", "run the doctor again"),
    ],
)
async def test_the_app_s_own_identity_makes_the_very_calls(health, level, sentence, remedy):
    """What it is refused is a fault, though operators may do it; no answer is no verdict. Nothing is left behind."""
    world = World()
    findings = await examined(world, health)
    (found,) = [finding for finding in findings if finding.sentence.count(sentence)]
    assert (found.level, remedy in found.remedy) == (level, True)
    assert exit_code(findings) == {Level.OK: 0, Level.WARN: 1, Level.FAIL: 2}[level]
    assert [name for name in world.blobs.names("frozen", "") if "probe" in name] == []


async def test_only_the_doctor_s_order_makes_the_app_try():
    """A blob of such a name, which anybody who uploads can make, does not."""
    world = World()
    asked = []

    class Recording(Storage):
        async def run(self, probes):
            asked.append(probes)
            return await super().run(probes)

    inbox = app(world, Health(Recording(), Batch(), None)).inbox
    name = "doctor-probe-" + "0" * 32
    for fields in (f'"{name}", "container": "input"', f'"{name}/x.h5"', '"doctor-probe-"'):
        with suppress(BadMessage):
            await inbox.blob_created(f'{{"look_again": {fields}, "correlation_id": "c"}}'.encode(), 1)
    assert asked == []


@pytest.mark.parametrize("data", [b"", b"[]", b'{"storage": [["table"]], "no_pool": ""}', b'{"storage": []}', b"\xff"])
def test_an_answer_of_another_shape_is_none(data):
    """It is told as it came, and nothing is made of it."""
    with pytest.raises(BadMessage):
        read_answer(data)
