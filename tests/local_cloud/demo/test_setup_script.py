"""local_cloud/setup.sh: what it says when something is missing, and what it skips."""

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
NEEDED = (
    "local_cloud/setup.sh",
    "deploy/pool/install_python.py",
    "deploy/pool/node-requirements.txt",
    "local_cloud/package.json",
    "local_cloud/package-lock.json",
    "local_cloud/requirements.lock",
)
TOOLS = ("bash", "dirname", "cksum", "cat", "grep", "tail", "mktemp", "rm", "env", "mkdir", "chmod")


class Machine:
    """A clone of the files that set-up needs, on a machine that has only the programs put into `bin`."""

    def __init__(self, root: Path) -> None:
        self.clone, self.bin = root / "clone", root / "bin"
        self.bin.mkdir(parents=True)
        for name in NEEDED:
            target = self.clone / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, target)
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found is not None
            (self.bin / tool).symlink_to(found)

    def add(self, name: str, script: str, folder: Path | None = None) -> Path:
        path = (folder or self.bin) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!{self.bin}/bash\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    def set_up(self, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.bin / "bash"), "local_cloud/setup.sh"],
            cwd=self.clone,
            env={"PATH": str(self.bin), "HOME": str(self.clone)} | env,
            capture_output=True,
            text=True,
            timeout=60,
        )


# A Python that can do all that set-up asks of one, and writes down what was asked.
FAKE_PYTHON = """
case "$1 $2" in
  "-c "*) exit 0 ;;
  "--version ") echo "Python 3.13.99" ;;
  "-m venv") mkdir -p "${@: -1}/bin"; cat "$0" >"${@: -1}/bin/python"; chmod +x "${@: -1}/bin/python" ;;
  "-I deploy/pool/install_python.py") mkdir -p "$4/bin"; : >"$4/bin/python"; chmod +x "$4/bin/python" ;;
esac
echo "$@" >>"$HOME/asked"
"""
FAKE_NPM = """
mkdir -p local_cloud/node_modules/.bin
: >local_cloud/node_modules/.bin/azurite
chmod +x local_cloud/node_modules/.bin/azurite
echo "npm $*" >>"$HOME/asked"
"""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    made.add("node", "echo v20.1.0")
    made.add("npm", FAKE_NPM)
    return made


def asked(machine: Machine) -> list[str]:
    path = machine.clone / "asked"
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.parametrize(
    ("programs", "environment", "words"),
    [
        pytest.param({"node": None}, {}, ["Node.js 20 or newer with npm is needed"], id="no Node.js"),
        pytest.param({"node": "echo v16.20.2"}, {}, ["'node' is 16.20.2"], id="an old Node.js"),
        pytest.param(
            # A shim that chooses another Python does not count.
            {"python3.13": "echo 'pyenv: python3.13: command not found' >&2; exit 127", "python3": "exit 1"},
            {},
            ["Python 3.13 is needed", "uv python install 3.13"],
            id="no Python",
        ),
        pytest.param(
            {"python3.13": FAKE_PYTHON},
            {"PYTHON": "/nowhere/python"},
            ["'/nowhere/python'"],
            id="none where PYTHON says",
        ),
    ],
)
def test_what_is_missing_is_named(
    machine: Machine, programs: dict[str, str | None], environment: dict[str, str], words: list[str]
) -> None:
    """Set-up fails at once, and says what is needed, what was found instead and how to get it."""
    for name, script in programs.items():
        if script is None:
            (machine.bin / name).unlink()
        else:
            machine.add(name, script)
    ended = machine.set_up(**environment)
    assert ended.returncode == 1
    for word in words:
        assert word in ended.stderr


@pytest.mark.parametrize("manager", ["path", "pyenv", "uv"])
def test_python_is_found_by_all_its_managers(machine: Machine, manager: str) -> None:
    """python3.13 in the PATH, a version in pyenv that is not chosen, and uv's own all do."""
    hidden = machine.clone / "hidden"
    if manager == "path":
        machine.add("python3.13", FAKE_PYTHON)
    elif manager == "pyenv":
        machine.add("python", FAKE_PYTHON, hidden)
        found = f'[[ "$PYENV_VERSION" == 3.13.1 ]] && echo {hidden}/python'
        versions = "printf '3.12.1\\n3.13.0\\n3.13.1\\n3.13t-dev\\n'"
        machine.add("pyenv", f'case "$1" in versions) {versions} ;; which) {found} ;; esac')
    else:
        machine.add("python", FAKE_PYTHON, hidden)
        machine.add("uv", f"echo {hidden}/python")
    ended = machine.set_up()
    assert ended.returncode == 0, ended.stderr
    assert any(line.startswith("-m pip install") for line in asked(machine))


def test_second_run_does_nothing(machine: Machine) -> None:
    """When nothing changed pip and npm are not asked; the build step looks by itself; changes are done again."""
    machine.add("python3.13", FAKE_PYTHON)
    assert machine.set_up().returncode == 0
    first = asked(machine)
    again = machine.set_up()
    assert (again.returncode, again.stdout) == (0, "")
    assert asked(machine)[len(first) :] == ["-m pixel_engine.build"]
    first = asked(machine)

    with (machine.clone / "local_cloud/requirements.lock").open("a") as file:
        file.write("# changed\n")
    assert machine.set_up().returncode == 0
    new = asked(machine)[len(first) :]
    assert any("pip install" in line for line in new)
    assert not any(line.startswith(("npm", "deploy/package.py")) for line in new)
    first = asked(machine)

    with (machine.clone / "deploy/pool/node-requirements.txt").open("a") as file:
        file.write("# changed\n")
    assert machine.set_up().returncode == 0
    new = asked(machine)[len(first) :]
    assert [line.split()[0] for line in new] == ["deploy/package.py", "-I", "-m"]


def test_failed_npm_fails_set_up(machine: Machine) -> None:
    """npm's own message is shown, set-up fails, and the next run tries again."""
    machine.add("python3.13", FAKE_PYTHON)
    machine.add("npm", "echo 'npm error network'; exit 1")
    ended = machine.set_up()
    assert ended.returncode == 1
    assert "npm error network" in ended.stderr
    machine.add("npm", FAKE_NPM)
    assert machine.set_up().returncode == 0


def pinned(path: str) -> dict[str, str]:
    """The versions in a list, by the name that the package index has."""
    found = re.findall(r"(?m)^([\w.-]+)==([^\s;]+)", (REPOSITORY / path).read_text())
    return {re.sub("[-_.]+", "-", name).lower(): version for name, version in found}


@pytest.mark.parametrize(
    ("lock", "asked"),
    [
        (
            "local_cloud/requirements.lock",
            ("requirements.txt", "local_cloud/requirements.txt", "tests/requirements.txt"),
        ),
        ("deploy/requirements.lock", ("requirements.txt",)),
        ("local_cloud/tools.lock", ("local_cloud/tools.txt",)),
    ],
)
def test_locks_hold_what_is_asked_for(lock: str, asked: tuple[str, ...]) -> None:
    """Only locked packages are installed: whoever changes a requirement runs `make lock`. No index is named."""
    locked = pinned(lock)
    for name, version in [entry for path in asked for entry in pinned(path).items()]:
        assert locked.get(name) == version, f"{name} {version} is not what {lock} has: run `make lock`"
    text = (REPOSITORY / lock).read_text()
    entries = re.split(r"(?m)^(?=[a-z])", text)[1:]
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in text


def test_the_app_runs_with_the_versions_that_were_tested() -> None:
    """What goes to Azure is a part of what runs here."""
    assert pinned("deploy/requirements.lock").items() <= pinned("local_cloud/requirements.lock").items()


def test_scripts_are_executable() -> None:
    """A fresh clone can run its scripts."""
    for name in ("local_cloud/setup.sh", ".ci/run"):
        assert os.access(REPOSITORY / name, os.X_OK), name
