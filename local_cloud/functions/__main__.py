"""python -m local_cloud.functions --app DIR --settings local.settings.json --port N [--host-id ID]"""

import argparse
import asyncio
import logging
import os
import signal
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from local_cloud.doors import kept_key
from local_cloud.functions.app_settings import effective, read_values
from local_cloud.functions.errors import HostError
from local_cloud.functions.host import Host, Surroundings
from local_cloud.functions.host_identity import HostIdentity, default_host_id
from local_cloud.functions.host_json import read_host_json
from local_cloud.functions.http_listener import Keys
from local_cloud.functions.log_lines import configure
from local_cloud.functions.running import Runner
from local_cloud.functions.sign_in import ENABLED, SignIn
from local_cloud.functions.stopping import Stopping
from local_cloud.functions.worker import Worker, running_invocation

_log = logging.getLogger("Host.General")


def main() -> int:
    arguments = _arguments()
    try:
        return asyncio.run(_run(arguments))
    except (HostError, OSError) as exc:
        print(f"The function host cannot run: {exc}", file=sys.stderr)
        return 1


async def _run(arguments: argparse.Namespace) -> int:
    app = arguments.app.resolve()
    state = arguments.state.resolve()
    key = _key(arguments.key_env, state)
    sign_in = SignIn(os.environ.pop(arguments.sign_in_env, "") if arguments.sign_in_env else "")
    values = read_values(arguments.settings) if arguments.settings else {}
    os.environ.update(effective(values, os.environ))  # the app reads its settings from the environment
    os.environ[ENABLED] = str(bool(sign_in))  # nobody else may say it
    settings = dict(os.environ)
    options = read_host_json(app / "host.json", settings)

    names: dict[str, str] = {}

    def invocation() -> tuple[str, str] | None:
        found = running_invocation()
        return (found, names.get(found, "?")) if found else None

    configure(logging.StreamHandler(sys.stdout), options.log_levels, invocation)
    os.chdir(app)  # as in Azure
    worker = await Worker.load(app, settings)
    stopping = Stopping()
    runner = Runner(worker, options.function_timeout, stopping)
    names = runner.names
    _stop_on_signals(stopping)
    with HostIdentity(arguments.host_id or default_host_id(app), state) as identity:
        around = Surroundings(
            settings=settings,
            options=options,
            identity=identity,
            now=lambda: datetime.now(UTC),
            port=arguments.port,
            sign_in=sign_in,
            keys=Keys(master=key, host=kept_key(state / "host.key")),
            stop_seconds=arguments.stop_seconds,
        )
        host = Host(worker.functions, runner, stopping, around)
        left = await host.run(
            lambda port: _log.info("Host '%s' listens on http://127.0.0.1:%d", identity.host_id, port)
        )
    if left:
        # A thread of a synchronous function cannot be ended; the interpreter would wait for it for ever.
        _log.warning("%d invocations did not end; the process ends without them.", left)
        logging.shutdown()
        os._exit(1)
    return 0


def _key(variable: str | None, state: Path) -> str:
    """Return the master key; the app does not see it. Raises HostError, OSError: without one every door is open."""
    if variable is None:
        return kept_key(state / "master.key")
    if not (key := os.environ.pop(variable, "")):
        raise HostError(f"The environment has no master key in {variable}.")
    return key


def _stop_on_signals(stopping: Stopping) -> None:
    def stop() -> None:
        if stopping:
            os._exit(1)  # asked twice
        _log.info("The host stops: no new work, what runs may end.")
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local_cloud.functions", description=__doc__)
    parser.add_argument("--app", type=Path, default=Path(), help="folder of function_app.py and host.json")
    parser.add_argument("--settings", type=Path, help="local.settings.json; the environment wins over it")
    parser.add_argument("--port", type=int, default=7071, help="of the status page on this machine; 0 for any")
    parser.add_argument("--host-id", help="names leases and timer status; default: from machine and folder")
    parser.add_argument(
        "--state",
        type=Path,
        default=Path(tempfile.gettempdir()) / f"functions-host-{os.getuid()}",
        help="folder in which a host remembers its leases, so that a restarted one takes over at once",
    )
    parser.add_argument(
        "--key-env",
        metavar="NAME",
        help="environment variable that holds the master key; default: the one kept in master.key of --state",
    )
    parser.add_argument(
        "--sign-in-env",
        metavar="NAME",
        help="environment variable with a token: whoever calls functions by HTTP has to sign in with it; default: no "
        "sign-in",
    )
    parser.add_argument(
        "--stop-seconds", type=float, default=20.0, help="how long running functions may go on after SIGTERM"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
