"""`fetch`: which files, what people and programs read, exit codes."""

import pytest

from batch_ops.domain.errors import FolderFault
from tests.world import MINUTE, NAME


@pytest.fixture
async def done(operator):
    """Two files that succeeded in two projects, one that failed."""
    for name in (NAME, "worm/w.h5"):
        await operator.world.begin(name)
        await operator.world.finish(name)
    await operator.world.begin("fly/bad.h5")
    await operator.world.fill_disk("fly/bad.h5")
    await operator.world.deliver(MINUTE)
    return operator


async def test_all_that_succeeded_is_fetched_once(done, tmp_path):
    """Then nothing is, until there is something new."""
    first = await done.types("fetch", "--to", str(tmp_path / "lab"))
    assert first.code == 0
    assert first.out.splitlines()[-1].startswith("Results of 2 files (")
    assert (tmp_path / "lab" / "worm/w.h5/provenance.json").is_file()
    again = await done.types("fetch", "--to", str(tmp_path / "lab"))
    assert again.out == f"Results of 0 files (0 bytes) are now in {tmp_path / 'lab'}; 2 were there already.\n"


async def test_a_selection_is_fetched(done, tmp_path):
    """By project, by the beginning of the name, by the time of the drop."""
    expected = {"--project": ("worm", ["worm"]), "--prefix": ("fly/", ["fly"]), "--since": ("2030-01-01", [])}
    for option, (value, folders) in expected.items():
        to = tmp_path / option
        assert (await done.types("fetch", "--to", str(to), option, value)).code == 0
        assert sorted(path.name for path in to.glob("*")) == folders


async def test_a_named_file_that_has_no_results_is_complained_about(done, tmp_path):
    """Its state is the reason; a name that nobody knows is one, too."""
    answer = await done.types("fetch", "--to", str(tmp_path), "fly/bad.h5", "fly/none.h5")
    assert answer.code == 1
    assert answer.err.splitlines() == [
        "fly/bad.h5 was not fetched: it is FAILED.",
        "Nothing is known about 1 file of those named.",
    ]


async def test_programs_read_a_line_of_json_for_each_file(done, tmp_path):
    """Those that were there have no files."""
    await done.types("fetch", "--to", str(tmp_path), NAME)
    lines = {line["name"]: line for line in (await done.types("fetch", "--json", "--to", str(tmp_path))).json}
    assert lines[NAME] == {"name": NAME, "run": 1, "files": 0, "bytes": 0, "left": None}
    assert lines["worm/w.h5"]["files"] == len(done.world.results("worm/w.h5"))


async def test_a_folder_that_cannot_be_written_ends_the_command(done, tmp_path):
    """With a sentence that names it; nothing is called fetched."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FolderFault, match=r"Could not write .*file"):
        await done.types("fetch", "--to", str(tmp_path / "file"))


async def test_a_file_that_the_disk_cannot_hold_does_not_hold_up_the_others(done, tmp_path):
    """It is named with the reason, and the command goes on."""
    (tmp_path / "fly").write_bytes(b"in the way of a folder")
    answer = await done.types("fetch", "--to", str(tmp_path))
    assert answer.code == 1
    assert f"{NAME} was not fetched: Could not write" in answer.err
    assert (tmp_path / "worm/w.h5/provenance.json").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fly", "worm"]
