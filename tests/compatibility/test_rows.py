"""The rows of the version before are read as what they are, and rows written now are such that it can read them."""

from collections import defaultdict
from dataclasses import replace

from batch_ops.adapters.ledger import TableLedger
from batch_ops.adapters.project_notes import TableProjectNotes
from batch_ops.adapters.worklist import TableWorklist
from batch_ops.domain import naming
from batch_ops.domain.file_record import State
from batch_ops.files.records import as_json
from batch_ops.image.facts import ProjectFacts
from tests.compatibility.stored import by_key, contents, read

NAMES = sorted({entity["name"] for entity in read("files.json")})


def test_every_state_is_among_the_rows():
    """The fixture has a file in every state, and the rows of runs that ended in every way."""
    found = defaultdict(set)
    for entity in read("files.json"):
        found[entity["is_file"]].add(entity["state"])
    assert found[True] | {"SUPERSEDED"} == set(State)
    assert found[False] == {state for state in State if state.is_final}


async def test_files_show_what_they_showed(table):
    """`files show --json` of every file and run tells the same, whatever it tells beside."""
    ledger, shown = TableLedger(await table("files.json")), read("shown.json")
    told = {name: [as_json(record) for record in await ledger.runs(name)] for name in NAMES}
    known = {name: [{key: run[key] for key in shown[name][0]} for run in runs] for name, runs in told.items()}
    assert known == shown


async def test_lists_and_the_sweep_find_every_file(table):
    """The files of a project by state, and the versions that the sweep compares with the containers."""
    ledger = TableLedger(await table("files.json"))
    for wire in (entity for entity in read("files.json") if entity["is_file"]):
        [listed] = [r async for r in ledger.files(wire["project"], wire["name"], [State(wire["state"])])]
        assert listed == (await ledger.get(wire["name"])).record
        stand = (await ledger.stands(wire["project"], [wire["name"]]))[wire["name"]]
        assert (stand.image.etag, stand.image.length, stand.image.md5, stand.state) == (
            wire.get("etag", ""),
            int(wire["length"]),
            wire.get("md5"),
            wire["state"],
        )


async def test_a_row_is_written_as_it_was_read(table):
    """A file's row in any state, and the row of any run that is over: the same properties of the same types.

    One is added: where the file's copies in the index stand, which the version before passes over.
    """
    old, before = TableLedger(await table("files.json")), by_key(read("files.json"))
    # A run over the next one is refused: each number has a table.
    tables = [await table() for _ in range(4)]
    for name in NAMES:
        for record in await old.runs(name):
            await TableLedger(tables[record.run]).claim(record, None)
    written = [entity for client in tables for entity in [e async for e in contents(client)]]
    rows = {key: entity for key, entity in by_key(written).items() if key in before}
    for entity in rows.values():
        assert bool(entity.pop("indexed", "")) == entity["is_file"]
    assert rows == before


async def test_a_row_that_moves_on_loses_nothing(table):
    """A file's row that is replaced, in the table where it stands."""
    client = await table("files.json")
    ledger = TableLedger(client)
    for name in NAMES:
        entry = await ledger.get(name)
        assert entry
        await ledger.advance(entry, entry.record)
    after = by_key([entity async for entity in contents(client)])
    assert after == by_key(read("files.json"))


async def test_the_worklist_is_written_as_it_was_read(table):
    """Intents, jobs, sweeps, pauses, turns, rejected images and cached projects: the same entities again."""
    before, client = await table("work.json"), await table()
    old, new, wires = TableWorklist(before), TableWorklist(client), read("work.json")
    old_notes, new_notes = TableProjectNotes(before), TableProjectNotes(client)
    board = await old.board()
    for intent in board.intents:
        await new.add(intent)
    for job in board.jobs:
        await new.note_job(job.job_id)
    versions = {job.job_id: job.version for job in (await new.board()).jobs}
    for job in board.jobs:
        await new.save_job(replace(job, version=versions[job.job_id]))
    for sweep in board.sweeps:
        await new.save_sweep(replace(sweep, version=""))
    for pause in await old.pauses():
        await new.pause(pause)
    turns = await old.turns()
    assert turns
    await new.save_turns(replace(turns, version=""))
    for project in sorted({naming.project_of(name) for name in NAMES}):
        for name in await old_notes.rejected(project):
            await new_notes.note_rejected(project, name)
    for wire in (entity for entity in wires if entity["PartitionKey"] == "projects"):
        known = await old_notes.project(wire["project"], wire["project_etag"])
        assert known
        await new_notes.save_project(wire["project"], wire["project_etag"], known)
    assert by_key([entity async for entity in contents(client)]) == by_key(wires)


async def test_the_facts_of_a_project_are_still_valid(table):
    """The facts of a cached classifier are read, and are written as the same text; a refusal keeps its sentence."""
    notes = TableProjectNotes(await table("work.json"))
    refused = []
    for wire in (entity for entity in read("work.json") if entity["PartitionKey"] == "projects"):
        known = await notes.project(wire["project"], wire["project_etag"])
        assert known
        if sentence := known.get("refused"):
            refused.append(sentence)
            continue
        assert len(known["digest"]) == 64
        assert ProjectFacts.from_json(known["facts"]).to_json() == known["facts"]
    assert refused == ["strict.ilp is not an HDF5 file; upload the .ilp that ilastik saved."]
