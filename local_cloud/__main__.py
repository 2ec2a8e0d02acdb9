"""The commands of the local cloud: `python -m local_cloud up|down|demo|batch|autoscale ...`."""

import importlib
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import cast

# command: the module whose main(argv) does it, and what it is for
_COMMANDS = {
    "up": ("local_cloud.cloud.up", "start the whole cloud and keep it running"),
    "down": ("local_cloud.cloud.down", "end the cloud of a data folder"),
    "demo": ("local_cloud.demo.main", "start everything, drop images, show what becomes of them"),
    "batch": ("local_cloud.batch.cli", "run the Batch service alone"),
    "autoscale": ("local_cloud.autoscale.command", "simulate a pool that an autoscale formula steers"),
}


def main(argv: Sequence[str]) -> int:
    """Run one command; expected trouble ends as one sentence and exit code 1."""
    if not argv or argv[0] not in _COMMANDS:
        asked = bool(argv) and argv[0] in ("-h", "--help")
        commands = "\n".join(f"  {name:<10} {purpose}" for name, (_, purpose) in _COMMANDS.items())
        print(
            f"usage: python -m local_cloud COMMAND ...\n\n{commands}\n\nCOMMAND --help says more.",
            file=sys.stdout if asked else sys.stderr,
        )
        return 0 if asked else 2
    try:
        # A command is imported only when it is asked for: the imports of some take a second.
        command = cast(Callable[[Sequence[str]], int], importlib.import_module(_COMMANDS[argv[0]][0]).main)
        return command(argv[1:])
    except Exception as exc:
        from local_cloud.cloud.errors import CloudError

        if not isinstance(exc, CloudError):
            raise
        print(exc, file=sys.stderr)
        return 1


def _end_in_order(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    # So that whatever was begun is ended: `finally` runs for SystemExit, but not for a bare SIGTERM.
    signal.signal(signal.SIGTERM, _end_in_order)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup means it
        signal.signal(signal.SIGHUP, _end_in_order)
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        sys.exit(130)
