"""What deploy.sh needs of the repository, in a folder where its slow parts are quick."""

import shutil
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parents[2]
# The real builder needs the package index; tests/deploy/test_code_package.py proves it.
PACKAGE = """import pathlib, sys
if sys.argv[1] == "--libraries":
    pathlib.Path(sys.argv[2]).mkdir(parents=True)
else:
    pathlib.Path(sys.argv[2]).write_bytes(b"the code")
    print({digest!r})
"""
# The real doctor needs the libraries and a network; tests/deploy/test_deploy_doctor.py runs it. This one notes what it
# was asked and says what its list of exit codes holds next, the last of them for ever.
DOCTOR = """import json, os, pathlib, sys
here = pathlib.Path(__file__).parent
asked = [sys.argv[1:], json.load(open(sys.argv[2])), sys.path[:2], os.environ["AZURE_TOKEN_CREDENTIALS"]]
with open(here / "asked", "a") as notes:
    print(json.dumps(asked), file=notes)
codes = (here / "codes").read_text().split() if (here / "codes").exists() else ["0"]
(here / "codes").write_text(" ".join(codes[1:] or codes))
print("ok    doctor    It was asked.")
sys.exit(int(codes[0]))
"""


def _unneeded(folder: str, names: list[str]) -> set[str]:
    """Name what only the real builder would read; of the product deploy.sh itself runs the doctor alone."""
    if Path(folder) == _REPOSITORY / "batch_ops":
        return set(names) - {"__init__.py", "doctor"}
    return {"__pycache__", *(("node", "engine") if Path(folder) == _REPOSITORY / "deploy/pool" else ())}


def copy(folder: Path) -> None:
    """Copy the repository as it is now; its package is built in no time, and its doctor only notes what it is asked."""
    for part in ("deploy", "batch_ops", "local_cloud/sample_data"):
        shutil.copytree(_REPOSITORY / part, folder / part, ignore=_unneeded)
    for file in ("requirements.txt", "deploy/requirements.lock"):
        shutil.copy(_REPOSITORY / file, folder / file)
    (folder / "deploy/package.py").write_text(PACKAGE.format(digest="1" * 64))
    (folder / "deploy/pool/start_task.sh").write_text("#!/bin/bash\n")
    (folder / "batch_ops/doctor/__main__.py").write_text(DOCTOR)
    # The archive of the stand-in is nobody's.
    (folder / "deploy/ilastik.sha256").write_text("# none\n")
    # Each of the many is uploaded alike: two will do.
    listed = folder / "deploy/pool/task_tools.txt"
    listed.write_text("".join(line for line in listed.read_text().splitlines(keepends=True) if "run_task." in line))
