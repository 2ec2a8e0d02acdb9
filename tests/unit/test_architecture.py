"""ARCHITECTURE.md, CONTRIBUTING.md and README.md tell what is so."""

import re
from collections.abc import Iterator
from itertools import pairwise, product
from pathlib import Path

import pytest

from batch_ops.domain.file_record import State
from batch_ops.domain.project_config import ConfigError, parse
from batch_ops.domain.settings import from_mapping
from batch_ops.domain.transitions import ALLOWED
from batch_ops.ports import health, services, tables
from tests.structure import House, drawings
from tests.unit.test_imports import HOUSE

REPOSITORY = Path(__file__).resolve().parents[2]
TEXTS = {name: (REPOSITORY / name).read_text() for name in ("ARCHITECTURE.md", "CONTRIBUTING.md", "README.md")}

PORTS = [
    *(services.BlobStore, services.BatchService, services.Outbox, services.PoisonQueues),
    *(tables.Ledger, tables.Worklist, tables.ProjectNotes, health.StorageHealth, health.BatchHealth),
]


def named_in_the_tree() -> set[str]:
    """The paths of the drawn tree; a line that is indented further goes on with the text of the one before."""
    found: set[str] = set()
    above: list[str] = []
    for line in drawings()[0].splitlines():
        if match := re.match(r"((?:  ){0,2})([\w./-]+)(?:  |$)", line):
            above[len(match[1]) // 2 :] = [match[2].rstrip("/")]
            found.add("/".join(above))
    return found


def folders(*patterns: str) -> set[str]:
    """The folders that hold something of ours."""
    found = (path for pattern in patterns for path in REPOSITORY.glob(pattern) if path.is_dir())
    return {
        path.relative_to(REPOSITORY).as_posix()
        for path in found
        if path.name not in {"__pycache__", "node_modules"} and any(p.suffix != ".pyc" for p in path.iterdir())
    }


def test_what_the_tree_names_exists():
    """No room of the drawing was moved or renamed."""
    assert {path for path in named_in_the_tree() if not (REPOSITORY / path).exists()} == set()


def test_every_room_is_in_the_tree():
    """Every room of the product, of the local cloud and of the tests has its line."""
    rooms = folders("batch_ops/**/", "local_cloud/*/", "local_cloud/batch/*/", "tests/*/")
    files = {path.relative_to(REPOSITORY).as_posix() for path in REPOSITORY.glob("batch_ops/[!_]*.py")}
    assert rooms | files <= named_in_the_tree()


@pytest.mark.parametrize("code", ["batch_ops", "local_cloud"])
def test_tests_mirror_the_code(code):
    """A test of a room is found by the room's name."""
    tests = "unit" if code == "batch_ops" else code
    rooms = {path.removeprefix(f"tests/{tests}/") for path in folders(f"tests/{tests}/**/")} - {f"tests/{tests}"}
    assert {room for room in rooms if not (REPOSITORY / code / room).is_dir()} == set()


# Rooms whose tests lie elsewhere: with both sides of each port.
TESTED_BY = {"ports": "contract"}


def test_every_room_is_tested_in_a_place_of_its_name():
    """Whoever changes a module knows which tests to run."""
    rooms = {path.removeprefix("batch_ops/") for path in folders("batch_ops/*/", "batch_ops/*/*/")}
    tested = {room: f"tests/{TESTED_BY.get(room, f'unit/{room}')}" for room in rooms}
    assert {room for room, place in tested.items() if not any((REPOSITORY / place).glob("test_*.py"))} == set()


@pytest.mark.parametrize("port", PORTS, ids=lambda port: port.__name__)
def test_every_call_of_a_port_has_a_contract(port):
    """The suite that runs on the fake and on the service calls each method; the check of images has its own tests."""
    tests = "".join(path.read_text() for path in (REPOSITORY / "tests" / "contract").glob("*.py"))
    methods = {name for name, member in vars(port).items() if callable(member) and not name.startswith("_")}
    assert {name for name in methods if f".{name}(" not in tests} == set()


def test_the_arrow_has_every_room():
    """And no other; that imports follow it is a test of its own."""
    assert House("batch_ops").rooms.keys() == {room for floor in HOUSE.floors for room in floor}


def test_every_move_between_states_is_in_the_table():
    """The table has the moves of `ALLOWED`, and no others."""
    section = TEXTS["ARCHITECTURE.md"].split("## The states")[1].split("\n## ")[0]
    drawn = set()
    for starts, ends in re.findall(r"^\| (.+?) \| (.+?) \| .+ \|$", section, re.MULTILINE)[1:]:
        before = re.findall(r"`(\w+)`", starts) or [state for state in State if not state.is_final]
        drawn |= set(product(map(State, before), map(State, re.findall(r"`(\w+)`", ends))))
    allowed = {(start, end) for start, ends in ALLOWED.items() for end in ends}
    assert {move for move in drawn ^ allowed if move[0] is not move[1]} == set()


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_paths_that_are_named_exist(text):
    """Links and paths lead somewhere, from the top of the repository, `batch_ops`, `deploy` or `tests`."""
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)\)", text)
    paths = re.findall(r"`(\w[\w.-]*(?:/[\w.-]+)*(?:/|\.(?:py|md|sh|bicep)))`", text)
    homes = [REPOSITORY / home for home in ("", "batch_ops", "deploy", "tests", "deploy/pool/engine/pixel_engine")]
    assert {path for path in links + paths if not any((home / path).exists() for home in homes)} == set()


def test_make_targets_that_are_named_exist():
    """Every `make ...` is a target."""
    targets = set(re.findall(r"^([a-z][a-z-]*):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`?make ([a-z][a-z-]*)", "".join(TEXTS.values()))) <= targets


def promises() -> Iterator[tuple[str, str, list[str]]]:
    """The rows of tests/PROMISES.md: a document, words of it, and tests."""
    for part in (REPOSITORY / "tests/PROMISES.md").read_text().split("\n## ")[1:]:
        document, _, table = part.partition("\n")
        for words, shown in re.findall(r"(?m)^\| (?!it says|-)(.+) \| (.+) \|$", table):
            yield document, words.replace("\\|", "|"), re.findall("`([^`]+)`", shown)


def test_what_is_promised_has_its_test():
    """The words are in the document, the tests are there, and no section of a document is left out."""
    places: dict[str, list[int]] = {}
    missing: list[str] = []
    for document, words, tests in promises():
        text = " ".join((REPOSITORY / document).read_text().split())
        places.setdefault(document, []).append(text.find(words))
        missing += [words] if words not in text else []
        for path, _, name in (test.partition("::") for test in tests):
            file = REPOSITORY / "tests" / path
            missing += [] if file.exists() and f"def test_{name}(" in file.read_text() else [f"{path}::{name}"]
    assert missing == []
    for document, shown in places.items():
        text = " ".join((REPOSITORY / document).read_text().split())
        sections = [*(found.start() for found in re.finditer("(?<!#)## ", text)), len(text)]
        for start, end in pairwise(sections):
            assert any(start < place < end for place in shown), f"{document}: {text[start : start + 40]}"


def test_the_configuration_in_the_readme_is_understood():
    """All of it; and every key that there is stands in the README."""
    [example] = re.findall(r"```json\n(.*?)```", TEXTS["README.md"], re.DOTALL)
    assert parse("p.json", example.encode()).keep_export_settings is False
    with pytest.raises(ConfigError) as refused:
        parse("p.json", b'{"unknown": 1}')
    keys = str(refused.value).rpartition("are ")[2].strip(".").split(", ")
    assert [key for key in keys if f'"{key}"' not in example] == []


class Asked(dict[str, str]):
    """A mapping that remembers which names were asked for."""

    def __init__(self, values: dict[str, str]) -> None:
        super().__init__(values)
        self.names: set[str] = set()

    def get(self, name, default=None):
        self.names.add(name)
        return super().get(name, default)


REQUIRED = {
    "BATCH_ACCOUNT_ENDPOINT": "https://x",
    "BATCH_POOL_ID": "p",
    "BATCH_POOL_IDENTITY": "/i",
    "DATA_STORAGE": "UseDevelopmentStorage=true",
}


def test_every_setting_is_in_the_table():
    """A setting that the app reads stands in the README."""
    values = Asked(REQUIRED)
    from_mapping(values)
    names = values.names - {"WEBSITE_SITE_NAME"}
    assert {name for name in names if f"`{name}`" not in TEXTS["README.md"]} == set()


def test_the_defaults_in_the_table_are_those_of_the_code():
    """Whoever writes them into the app's settings changes nothing."""
    _, _, table = TEXTS["README.md"].partition("## Settings of the function app")
    stated: dict[str, str] = {}
    for names, defaults in re.findall(r"(?m)^\| ([^|]*`[A-Z_]+`[^|]*) \| ([^|]*`[^|]*) \|", table):
        stated |= dict(zip(re.findall("`(.+?)`", names), re.findall("`(.+?)`", defaults), strict=True))
    assert len(stated) > 30
    assert from_mapping(REQUIRED | stated) == from_mapping(REQUIRED)


def test_every_state_is_explained():
    """A state that a row may have stands in the README."""
    assert {state for state in State if f"| `{state}` |" not in TEXTS["README.md"]} == set()
