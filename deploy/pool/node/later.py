"""ilastik on a node that does without it as long as the pixel engine computes: it is installed when a task needs it.

The start task leaves `later/install.sh` in the node's shared folder (`deploy/pool/start_task.sh`); what that installs
goes to `later/installed`. Of several tasks at a time one installs it, and the others wait for that one.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from batch_ops.task import contract
from batch_ops.task.strict_json import plain_line
from node.execution import INSTALLER, Execution
from node.files import refuse, say

_PROGRAM = "run_ilastik.sh"
_LAST_WORDS = 500


def need_ilastik(execution: Execution, home: Path) -> None:
    """Install ilastik in `home` where it was left for later; refuse with the code of a bad node where that fails."""
    installer = home.parent.parent / INSTALLER
    if (home / _PROGRAM).is_file() or not installer.is_file():
        return
    say("This task needs ilastik, and this node has none yet: it is installed now.")
    with execution.step("install"):
        done = subprocess.run(
            ["/bin/bash", str(installer)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
    said = done.stdout.decode("utf-8", "replace").strip()
    for line in said.splitlines():
        say(f"   {plain_line(line, _LAST_WORDS)}")
    if done.returncode or not (home / _PROGRAM).is_file():
        last = plain_line(said.splitlines()[-1] if said else "", _LAST_WORDS)
        refuse(contract.EXIT_NODE, f"ilastik can't be installed on this node (exit code {done.returncode}): {last}")
