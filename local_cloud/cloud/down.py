"""`python -m local_cloud down`: end the cloud of a data folder from anywhere."""

import argparse
import contextlib
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from local_cloud.cloud.errors import CloudError
from local_cloud.cloud.folder import DataFolder, is_held, read_owner
from local_cloud.cloud.stack import REPOSITORY

_SECONDS_TO_STOP = 60.0


def main(argv: Sequence[str]) -> int:
    """End the cloud and wait for it; that none runs is no error. Raises CloudError."""
    parser = argparse.ArgumentParser(
        prog="python -m local_cloud down", description="End the cloud that runs in a folder; its state stays."
    )
    parser.add_argument("--data", type=Path, default=REPOSITORY / ".local_cloud", help="the folder given to `up`")
    folder = DataFolder(parser.parse_args(argv).data.resolve())
    owner = read_owner(folder)
    if owner is None or not is_held(folder):
        print(f"No cloud is running in {folder.root}.")
        return 0
    with contextlib.suppress(ProcessLookupError):
        os.kill(owner, signal.SIGTERM)
    deadline = time.monotonic() + _SECONDS_TO_STOP
    while is_held(folder):
        if time.monotonic() > deadline:
            raise CloudError(f"The cloud in {folder.root} (process {owner}) did not end within {_SECONDS_TO_STOP:g} s.")
        time.sleep(0.1)
    print(f"The cloud in {folder.root} has ended; its state stays there.")
    return 0
