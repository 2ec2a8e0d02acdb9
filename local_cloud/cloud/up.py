"""`python -m local_cloud up`: the whole cloud, until Ctrl-C or `down`."""

import argparse
import asyncio
import json
import os
import random
import secrets
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from local_cloud.azurite.server import Azurite
from local_cloud.azurite.server import Ports as StoragePorts
from local_cloud.cloud.folder import (
    CloudIdentity,
    DataFolder,
    hold,
    load_or_make_identity,
    port_is_free,
    write_atomically,
    write_exports,
)
from local_cloud.cloud.leash import adopt_orphans, call_when_closed, end_descendants
from local_cloud.cloud.provision import ensure_pool, pool, provision_storage, task_tools
from local_cloud.cloud.services import ProgramPart
from local_cloud.cloud.stack import (
    ENGINE,
    NODE_PYTHON,
    REPOSITORY,
    STAND_IN,
    SUBSCRIPTIONS,
    TOOLS,
    CloudOptions,
    app_settings,
    batch_program,
    connection_string,
    exports,
    functions_program,
)
from local_cloud.cloud.supervisor import OwnPart, Supervisor, together
from local_cloud.events import EventGrid, FileControl


def parse(argv: Sequence[str]) -> tuple[DataFolder, CloudOptions, bool]:
    parser = argparse.ArgumentParser(
        prog="python -m local_cloud up",
        description="Start storage, events, function app and Batch service here and keep them running.",
    )
    parser.add_argument("--data", type=Path, default=REPOSITORY / ".local_cloud", help="where everything is kept")
    parser.add_argument("--nodes", type=int, default=2, help="nodes of the pool (default: 2)")
    parser.add_argument(
        "--setting",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of the function app; repeatable",
    )
    parser.add_argument("--app", type=Path, default=REPOSITORY, help="folder of the function app (default: this one)")
    parser.add_argument("--attached", action="store_true", help="end when standard input closes")
    given = parser.parse_args(argv)
    if wrong := [text for text in given.setting if "=" not in text]:
        parser.error(f"--setting takes NAME=VALUE, not '{wrong[0]}'.")
    if given.nodes < 1:
        parser.error("--nodes must be at least 1.")
    settings = dict(text.partition("=")[::2] for text in given.setting)
    home = Path(os.environ.get("ILASTIK_HOME") or STAND_IN).resolve()
    if not (home / "run_ilastik.sh").is_file():
        parser.error(f"ILASTIK_HOME is {home}, but there is no run_ilastik.sh in it.")
    if not (NODE_PYTHON / "bin/python").is_file():
        parser.error(f"There is no Python for tasks in {NODE_PYTHON}: run 'make setup' first.")
    options = CloudOptions(given.nodes, given.app.resolve(), home, settings)
    return DataFolder(given.data.resolve()), options, given.attached


def main(argv: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT. Raises CloudError when it cannot run."""
    folder, options, attached = parse(argv)
    os.umask(0o077)  # whatever this cloud writes is its owner's alone
    with hold(folder):
        adopt_orphans()
        try:
            asyncio.run(_run(folder, options, attached=attached))
        finally:
            folder.env.unlink(missing_ok=True)
            for left in end_descendants():
                print(f"Ended a process that was left: {left}", file=sys.stderr)
    return 0


async def _run(folder: DataFolder, options: CloudOptions, *, attached: bool) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup means it
            loop.add_signal_handler(number, stop.set)
    if attached:
        call_when_closed(loop, sys.stdin.fileno(), stop.set)

    supervisor = Supervisor(say=lambda text: print(text, flush=True))
    work = asyncio.create_task(_bring_up(folder, options, supervisor))
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((work, stopped), return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
    finally:
        work.cancel()
        stopped.cancel()
        await asyncio.gather(work, stopped, return_exceptions=True)
        folder.env.unlink(missing_ok=True)
        await supervisor.stop()
    print("Everything has ended.", flush=True)


async def _bring_up(folder: DataFolder, options: CloudOptions, supervisor: Supervisor) -> None:
    """Start and prepare everything, say so, and wait for ever; raises when a part keeps ending."""
    identity = load_or_make_identity(folder, is_free=port_is_free, choose=random.Random())
    settings = {"IsEncrypted": False, "Values": app_settings(identity, options)}
    write_atomically(folder.app_settings, json.dumps(settings, indent=2))
    _point_to(folder.ilastik, options.ilastik_home)
    _point_to(folder.python, NODE_PYTHON)
    _point_to(folder.engine, ENGINE)
    _point_to(folder.tools, TOOLS)
    await _start_platform(folder, identity, options, supervisor)
    token = secrets.token_urlsafe(32)
    await supervisor.start([ProgramPart(functions_program(folder, identity, options, token))])
    values = exports(identity, token)
    write_exports(folder.env, values)
    print(f"The cloud is ready. In another terminal: source {folder.env}", flush=True)
    print(f"Its page, until it ends: {values['PAGE_URL']}", flush=True)
    await supervisor.until_broken()


async def _start_platform(
    folder: DataFolder, identity: CloudIdentity, options: CloudOptions, supervisor: Supervisor
) -> None:
    ports = identity.ports
    azurite = Azurite(
        folder.storage, ports=StoragePorts(ports.blob, ports.queue, ports.table), key=identity.storage_key
    )
    connection = connection_string(identity)
    events = EventGrid(azurite.journal, connection, SUBSCRIPTIONS, FileControl(folder.events_control))
    # The storage ends last: Batch and the functions may still have something to write.
    await supervisor.start([OwnPart("Azurite", azurite)], [ProgramPart(batch_program(folder, identity))])
    wanted = pool(options.nodes, folder.ilastik, folder.python, folder.engine, folder.tools)
    await together(
        asyncio.to_thread(provision_storage, connection, task_tools(REPOSITORY)),
        asyncio.to_thread(ensure_pool, identity, wanted),
    )
    await supervisor.start([OwnPart("Event Grid", events)])


def _point_to(link: Path, home: Path) -> None:
    """Let nodes made by an earlier start find the programs of this one."""
    partial = link.with_name(link.name + ".partial")
    partial.unlink(missing_ok=True)
    partial.symlink_to(home)
    partial.replace(link)
