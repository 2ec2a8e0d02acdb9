"""The composition root at the end of its process."""

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
# Nobody listens there: sessions are opened all the same.
NOWHERE = "http://127.0.0.1:9/devstoreaccount1"
SETTINGS = {
    "DATA_STORAGE": f"AccountName=devstoreaccount1;AccountKey=a2V5;BlobEndpoint={NOWHERE};QueueEndpoint={NOWHERE};"
    f"TableEndpoint={NOWHERE};",
    "BATCH_ACCOUNT_ENDPOINT": "http://127.0.0.1:9",
    "BATCH_ACCOUNT_NAME": "account",
    "BATCH_ACCOUNT_KEY": "a2V5",
    "BATCH_POOL_ID": "pool",
    "BATCH_POOL_IDENTITY": "identity",
    "BLOB_CREATED_QUEUE": "blob-created",
    "COLLECT_QUEUE": "collect",
}
# As a worker runs an app: functions are called in a loop that ends without a word to them.
WORKER = """
import asyncio
from batch_ops import wiring

asyncio.run(wiring.system())
"""


def test_clients_are_closed_when_the_loop_ends():
    """An app gets no notice when its process ends; still nothing is left open."""
    ended = subprocess.run(
        [sys.executable, "-W", "always::ResourceWarning", "-c", WORKER],
        cwd=REPOSITORY,
        env=os.environ | SETTINGS,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    assert "nclosed" not in ended.stderr
