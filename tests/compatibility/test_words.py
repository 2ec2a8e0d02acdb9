"""Messages, tasks, a task's files, provenance and run keys of the version before: read the same, written the same."""

from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from azure.data.tables import UpdateMode

from batch_ops.adapters.ledger import TableLedger
from batch_ops.domain import messages, project_config
from batch_ops.domain.orders import CollectOrder, LookOrder
from batch_ops.domain.project import Project
from batch_ops.domain.provenance import provenance
from batch_ops.domain.run_key import run_key
from batch_ops.domain.settings import from_mapping
from batch_ops.domain.task_spec import task_spec
from batch_ops.image.facts import ProjectFacts
from batch_ops.task.contract import TaskEnvironment
from batch_ops.task.manifest import Manifest
from batch_ops.task.report import Report
from tests import fakes
from tests.compatibility.stored import BEFORE, as_entity, read


@pytest.mark.parametrize("message", read("messages.json")["blob-created"])
def test_messages_in_blob_created(message):
    """Event Grid's events and the app's own orders mean what they meant; the orders are written as they were."""
    order = message["order"] and LookOrder(**message["order"])
    assert messages.look_order(message["text"].encode()) == order
    if message["written"]:
        assert messages.look_again_message(order) == message["text"]


@pytest.mark.parametrize("message", read("messages.json")["collect"])
def test_messages_in_collect(message):
    """An order to collect, tried again or not."""
    order = CollectOrder(**message["order"])
    assert messages.collect_order(message["text"].encode()) == order
    assert messages.collect_message(order) == message["text"]


async def test_the_task_of_a_row(table):
    """Id, command line, environment and files of a row's task are what they were, but for what the app reads now."""
    ledger, written = TableLedger(await table("files.json")), read("tasks.json")
    settings = from_mapping(written["settings"])
    made = [
        task_spec((await ledger.get(one["name"])).record, settings, fakes.FakeBlobs().url) for one in written["tasks"]
    ]
    now = ("ILASTIK_TASK_MANIFEST_SCHEMA", "8")
    assert all(now in spec.environment for spec in made)
    before = [replace(spec, environment=tuple(pair for pair in spec.environment if pair != now)) for spec in made]
    assert [_as_json(spec) for spec in before] == [one["task"] for one in written["tasks"]]


def _as_json(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, list | tuple):
        return [_as_json(item) for item in value]
    if isinstance(value, dict):
        return {key: _as_json(item) for key, item in value.items()}
    return value if isinstance(value, str | int | bool) else _as_json(asdict(value))


@pytest.mark.parametrize(
    ("kind", "name"), [(Manifest, "good-manifest"), (Report, "good-outcome"), (Report, "failed-outcome")]
)
def test_what_a_task_leaves_behind(kind, name):
    """A manifest or an outcome of the older task script is read, and written to the same bytes."""
    content = (BEFORE / f"node/{name}.json").read_bytes()
    assert kind.parse(content).to_json() == content


def test_the_environment_of_a_task():
    """The environment of a task that the version before created."""
    environment = read("node/environment.json")
    assert TaskEnvironment.from_env(environment).to_env() == environment


@pytest.mark.parametrize("one", read("provenance.json"), ids=lambda one: one["row"]["name"])
async def test_provenance(table, one):
    """provenance.json of a run that the version before began, byte for byte."""
    client = await table()
    await client.create_entity(as_entity(one["row"]))
    entry = await TableLedger(client).get(one["row"]["name"])
    manifest, now = Manifest.parse(one["manifest"].encode()), datetime.fromisoformat(one["now"])
    assert provenance(entry.record, manifest, has_log=one["has_log"], now=now).decode() == one["provenance"]


async def test_run_keys(table):
    """The same image, classifier and settings have the key that they had: nothing that is done runs again."""
    written, client = read("run_keys.json"), await table()
    rows = {wire["name"]: wire for wire in read("files.json") if wire["is_file"]}
    images = {}
    for name, has_md5 in {(one["image"], one["md5"]) for one in written["keys"]}:
        wire = rows[name] if has_md5 else {key: value for key, value in rows[name].items() if key != "md5"}
        await client.upsert_entity(as_entity(wire), mode=UpdateMode.REPLACE)
        images[name, has_md5] = (await TableLedger(client).get(name)).record
    facts = ProjectFacts(**written["facts"] | {"classes": tuple(written["facts"]["classes"])})
    for one in written["keys"]:
        config = project_config.parse("default.json", one["config"].encode())
        project = Project("default", "0x1", one["digest"], facts, config)
        settings = from_mapping(written["settings"] | one["settings"])
        assert run_key(images[one["image"], one["md5"]], project, settings) == one["key"], one
