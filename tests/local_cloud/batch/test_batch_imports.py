"""Dependencies point one way in the local Batch service: every room stands on those before it."""

import pytest

from tests.structure import House, circles, floors, imports, is_within

HOUSE = House(
    "local_cloud.batch",
    floors(
        "state",
        "node",
        "scheduling",
        "service",
        "rest",
        "rest.handlers",
        "front",
        "server",
        "exports",
        "cli",
    ),
)


def test_a_module_stands_on_lower_floors_and_its_own_room():
    """Never on a floor above."""
    assert not {module: wrong for module in HOUSE.modules if (wrong := HOUSE.wrong_imports(module))}


def test_no_module_depends_on_itself():
    """There are no cycles."""
    assert not circles(HOUSE.files)


@pytest.mark.parametrize(
    ("library", "room"),
    [
        ("uvicorn", "server"),
        ("starlette", "front"),
        ("azure", "node.blob_access"),
        ("psutil", "node"),
        ("sqlite3", "state.store"),
    ],
)
def test_each_library_has_its_own_importers(library, room):
    """HTTP, storage, processes and the database each stop at one room."""
    users = {module for module, path in HOUSE.modules.items() for name in imports(path) if is_within(name, library)}
    assert users
    assert all(is_within(user, room) for user in users)
