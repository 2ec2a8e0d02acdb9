"""The rules of what is noted of projects, on the fake and on Table storage."""

from dataclasses import replace

from batch_ops.domain.worklist import FolderContrast
from batch_ops.task.pictures import Contrast

NAMES = ["p/a.h5", "p/A.h5", "p/\u00e4 'x' #?/\\\n.h5", "\U0001f9ea" * 500 + ".h5"]


async def test_only_the_newest_version_of_a_project_is_known(notes):
    """The facts of an older version are no longer returned."""
    name = "p \u00e4/#?" * 100
    assert await notes.project(name, "0x1") is None
    await notes.save_project(name, "0x1", {"digest": "one", "facts": ""})
    assert await notes.project(name, "0x1") == {"digest": "one", "facts": ""}
    await notes.save_project(name, "0x2", {"digest": "two"})
    assert await notes.project(name, "0x1") is None
    assert await notes.project(name, "0x2") == {"digest": "two"}
    assert await notes.project(name.upper(), "0x2") is None


async def test_facts_longer_than_a_property_are_kept_whole(notes):
    """A property holds 32 Ki characters; a project's facts may be more."""
    values = {"facts": "\u00e4\U0001f9ea'\"\\" * 20_000}
    await notes.save_project("p", "0x1", values)
    assert await notes.project("p", "0x1") == values
    await notes.save_project("p", "0x2", {})
    assert await notes.project("p", "0x2") == {}


async def test_rejected_images_are_remembered_by_project(notes):
    """Each once, until forgotten; the name of one project may begin with another's."""
    for name in [*NAMES, NAMES[0]]:
        await notes.note_rejected("p", name)
    await notes.note_rejected("p p", "p p/x.h5")
    assert sorted(await notes.rejected("p")) == sorted(NAMES)
    for name in NAMES[1:]:
        await notes.forget_rejected("p", name)
        await notes.forget_rejected("p", name)
    assert list(await notes.rejected("p")) == NAMES[:1]
    assert list(await notes.rejected("p p")) == ["p p/x.h5"]
    assert list(await notes.rejected("none")) == []


async def test_an_answer_is_kept_by_project_and_kind(notes):
    """The last one counts; the name of one project may begin with another's."""
    for project, kind, axes in (("p", "n x n x n", "zyx"), ("p", "n x n x 3", "yxc"), ("p p", "n x n x n", "xyz")):
        await notes.answer(project, kind, axes)
    await notes.answer("p", "n x n x n", "tyx")
    assert dict(await notes.answers("p")) == {"n x n x n": "tyx", "n x n x 3": "yxc"}
    assert dict(await notes.answers("none")) == {}


async def test_the_first_contrast_of_a_folder_stays_until_it_is_forgotten(notes):
    """By the folder's whole name, of any characters."""
    first = FolderContrast("p \u00e4/#?/x", Contrast("uint16", ((0.5, 4095.0), (-3.0, 1e300))), "p \u00e4/#?/x/a.h5")
    assert await notes.contrast(first.folder) is None
    await notes.keep_contrast(first)
    await notes.keep_contrast(replace(first, chosen_by="another"))
    for folder in ("", "p \u00e4/#?/X", "p \u00e4/#?", "p \u00e4/#?/x/y"):
        assert await notes.contrast(folder) is None
        await notes.keep_contrast(FolderContrast(folder, Contrast("uint8", ((0.0, 1.0),)), "other"))
    assert await notes.contrast(first.folder) == first
    assert [await notes.forget_contrast(first.folder) for _ in range(2)] == [True, False]
    assert await notes.contrast(first.folder) is None
    assert await notes.contrast("") == FolderContrast("", Contrast("uint8", ((0.0, 1.0),)), "other")


async def test_the_first_stray_of_a_folder_and_suffix_stays(notes):
    """By the whole names of both, of any characters."""
    await notes.note_stray("p \u00e4/#?", ".txt", "p \u00e4/#?/a.txt")
    await notes.note_stray("p \u00e4/#?", ".txt", "p \u00e4/#?/b.txt")
    for folder, suffix in (("p \u00e4/#?", ""), ("p \u00e4", ".txt"), ("", ".txt"), ("P \u00e4/#?", ".txt")):
        assert await notes.stray(folder, suffix) == ""
    await notes.note_stray("", "", "README")
    assert await notes.stray("p \u00e4/#?", ".txt") == "p \u00e4/#?/a.txt"
    assert await notes.stray("", "") == "README"
