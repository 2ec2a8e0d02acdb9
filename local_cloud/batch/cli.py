"""The command: `python -m local_cloud.batch` (or `python -m local_cloud batch`)."""

import argparse
import asyncio
import base64
import binascii
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from local_cloud.batch.exports import exports
from local_cloud.batch.server import serving
from local_cloud.batch.state.errors import ConfigurationError
from local_cloud.batch.state.settings import DEFAULT_ACCOUNT, DEFAULT_PATH, Settings
from local_cloud.doors import kept_key

KEY_FILE = "account.key"  # in the data folder


def argument_parser() -> argparse.ArgumentParser:
    """Declare the command's options."""
    parser = argparse.ArgumentParser(
        prog="python -m local_cloud batch",
        description="An Azure Batch service on this machine: its REST API, with tasks as real processes.",
    )
    add = parser.add_argument
    add("--port", type=int, default=0, help="port on 127.0.0.1; 0 (the default) takes a free one")
    add("--data", type=Path, help="folder for state and nodes; without it everything is forgotten at the end")
    add("--nodes", type=int, default=0, help="make a pool with this many nodes")
    add("--pool", default="ilastik", help="id of that pool (default: %(default)s)")
    add("--task-slots", type=int, default=1, help="task slots of each of its nodes (default: %(default)s)")
    add("--latency-ms", type=float, default=0, help="wait before every answer")
    add("--account", default=DEFAULT_ACCOUNT, help="account name (default: %(default)s)")
    add(
        "--key-env",
        metavar="NAME",
        help="environment variable that holds the account key, base64 (default: one kept in account.key of --data)",
    )
    add(
        "--storage-connection-string-env",
        metavar="NAME",
        help="environment variable that holds the connection string which managed identities open",
    )
    add("--pool-identity", action="append", default=[], metavar="ID", help="grant this identity to all nodes")
    add(
        "--node-env",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a variable for every process on a node, as its image would",
    )
    add("--node-start-seconds", type=float, default=0.1, help="time from allocation to the start task")
    add(
        "--containers-on-host",
        action="store_true",
        help="run the commands of tasks that ask for a container on this machine instead, with a warning in stderr.txt",
    )
    add("--task-memory-mb", type=int, help="end a task that holds more memory (ours; Azure has no limit)")
    return parser


def settings_from(arguments: argparse.Namespace, environment: Mapping[str, str], data: Path) -> Settings:
    """Make settings from parsed arguments. Raises ConfigurationError for values that can't be used."""
    try:
        key = _variable(environment, arguments.key_env) or kept_key(data / KEY_FILE)
    except OSError as exc:
        raise ConfigurationError(f"There is no key for the account: {exc}") from exc
    try:
        base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise ConfigurationError(
            "The account key is not base64: give one with --key-env, or remove account.key from --data."
        ) from exc
    node_environment = {"PATH": DEFAULT_PATH}
    for setting in arguments.node_env:
        name, equals, value = setting.partition("=")
        if not name or not equals:
            raise ConfigurationError(f"--node-env takes NAME=VALUE, not '{setting}'.")
        node_environment[name] = value
    return Settings(
        data=data,
        account=arguments.account,
        key=key,
        port=arguments.port,
        nodes=arguments.nodes,
        pool=arguments.pool,
        task_slots=arguments.task_slots,
        latency=arguments.latency_ms / 1000,
        storage_connection_string=_variable(environment, arguments.storage_connection_string_env),
        pool_identities=tuple(arguments.pool_identity),
        node_environment=node_environment,
        allocation_time=arguments.node_start_seconds / 2,
        boot_time=arguments.node_start_seconds / 2,
        containers_on_host=arguments.containers_on_host,
        task_memory_bytes=arguments.task_memory_mb and arguments.task_memory_mb << 20,
    )


def _variable(environment: Mapping[str, str], name: str | None) -> str | None:
    if name is None:
        return None
    if name not in environment:
        raise ConfigurationError(f"The environment has no variable {name}.")
    return environment[name]


async def serve(settings: Settings, key_variable: str | None = None) -> None:
    """Serve until SIGTERM or SIGINT; `key_variable` is the environment variable that has the key, if one has."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, ended.set)
    async with serving(settings) as service:
        print(f"Batch service ready: {service.endpoint} (account {settings.account})", flush=True)
        key = key_variable or (settings.data / KEY_FILE).absolute()
        print(exports(settings.account, service.endpoint, key), flush=True)
        await ended.wait()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 after a clean end, 1 when the service can't be started."""
    arguments = argument_parser().parse_args(argv)
    os.umask(0o077)  # state, tasks and their output are their owner's alone
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        if arguments.data is not None:
            asyncio.run(serve(settings_from(arguments, os.environ, arguments.data), arguments.key_env))
        else:
            with tempfile.TemporaryDirectory(prefix="local-batch-") as folder:
                settings = settings_from(arguments, os.environ, Path(folder))
                asyncio.run(serve(settings, arguments.key_env))
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 1
    return 0
