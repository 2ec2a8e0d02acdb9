"""The ledger of commit 1179139 itself, out of its zip, over rows of today's, and today's over what that left behind."""

import asyncio
import json
import os
import subprocess
import sys

from batch_ops.adapters.file_index import TableFileIndex
from batch_ops.adapters.ledger import TableLedger
from batch_ops.domain.blob import ImageVersion
from batch_ops.domain.file_index import spans
from batch_ops.domain.file_record import FINAL, FileRecord, State
from batch_ops.domain.record_parts import Times
from tests.compatibility.stored import APP
from tests.fakes.cloud import START

# Tells what it sees of the project `p`, then ends one file and starts the other one again.
PROGRAM = """
import asyncio, json, os, sys
from dataclasses import replace
from azure.data.tables.aio import TableServiceClient
from batch_ops.model import State
from batch_ops.table_ledger import TableLedger

async def main():
    async with TableServiceClient.from_connection_string(os.environ["STORAGE"]) as service:
        ledger = TableLedger(service.get_table_client(sys.argv[1]))
        listed = [[file.name, file.state] async for file in ledger.files("p")]
        stands = {name: stand.state for name, stand in (await ledger.stands("p", ["p/a.h5", "p/b.h5"])).items()}
        runs = [[run.run, run.state] for run in await ledger.runs("p/b.h5")]
        a, b = await ledger.get("p/a.h5"), await ledger.get("p/b.h5")
        await ledger.advance(a, replace(a.record, state=State.FAILED))
        await ledger.claim(replace(b.record, state=State.WAITING, run=2), b)
        print(json.dumps([listed, stands, runs]))

asyncio.run(main())
"""


async def test_either_version_goes_on_where_the_other_has_written(table, azurite):
    """Copies and sums are no files to the older one; what it leaves out of date in the index is mended by a fill."""
    client = await table()
    ledger, index = TableLedger(client), TableFileIndex(client)
    for name, state in (("p/a.h5", State.RUNNING), ("p/b.h5", State.FAILED), ("p/c.h5", State.SUCCEEDED)):
        times = Times(dropped_at=START, updated_at=START)
        await ledger.claim(FileRecord(name, 1, state, ImageVersion("e", 1), "c", times=times), None)
    assert await index.confirm("p")
    told = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", PROGRAM, client.table_name],
        env=os.environ | {"PYTHONPATH": str(APP), "STORAGE": azurite},
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
        cwd="/",
    )
    listed, stands, runs = json.loads(told.stdout)
    assert listed == [["p/a.h5", "RUNNING"], ["p/b.h5", "FAILED"], ["p/c.h5", "SUCCEEDED"]]
    assert stands == {"p/a.h5": "RUNNING", "p/b.h5": "FAILED"}
    assert runs == [[1, "FAILED"]]

    again = await ledger.get("p/b.h5")
    assert again
    assert (again.record.run, again.record.state, again.indexed) == (2, State.WAITING, "")
    await ledger.advance(again, again.record.to(State.REJECTED, START, "No."))
    assert await index.fill("p") == 2
    found = {
        (record.name, record.state)
        for states in (State, FINAL)
        for part in spans(states)
        for record in (await index.page("p", part)).files
    }
    assert found == {("p/a.h5", "FAILED"), ("p/b.h5", "REJECTED"), ("p/c.h5", "SUCCEEDED")}
    assert (await ledger.sums("p", f"{START:%Y-%m}")).rejected == 1
