"""Names derived from blob names: safe, unique, stable."""

import re
import unicodedata
from datetime import UTC, datetime

from hypothesis import assume, given
from hypothesis import strategies as st

from batch_ops.domain import naming
from batch_ops.task.plain_text import plain

NAMES = st.text(min_size=1, max_size=1024).filter(lambda name: "\x00" not in name)
HOSTILE = [
    "A.h5",
    "a.h5",
    "default/a.h5",
    "x.H5",
    "../../etc/passwd.h5",
    'plate 1/it\'s "quoted".h5',
    "$(reboot).h5",
    "a;b`c`.h5",
    "Zellkerne/größe µm 細胞.h5",
    # The same to the eye: macOS writes an accent by itself.
    unicodedata.normalize("NFD", "Zellkerne/größe µm 細胞.h5"),
    "line\nbreak.h5",
    "-rf.h5",
    "h5/" + "n" * 1000 + ".h5",
    ".h5",
]


@given(NAMES, st.integers(1, 9_999_999), st.integers(1, 999))
def test_task_ids_are_batch_ids(name, run, attempt):
    """A task id has at most 64 characters of Batch's alphabet, in lower case, and tells its file and run."""
    task = naming.task_id(name, run, attempt)
    assert re.fullmatch(r"[a-z0-9-]{1,64}", task)
    assert naming.file_of_task(task) == naming.file_hash(name)
    assert naming.run_of_task(task) == run
    assert task.startswith(naming.file_prefix(name))


@given(NAMES, NAMES)
def test_two_names_never_share_a_task_id(one, other):
    """Different names have different task ids even where case is ignored."""
    assume(one != other)
    assert naming.task_id(one, 1, 1).lower() != naming.task_id(other, 1, 1).lower()


def test_hostile_names_have_distinct_names_everywhere():
    """Names that differ by case, folder or hostile characters never meet in an id, a key or a folder."""
    for derive in (
        lambda name: naming.task_id(name, 1, 1),
        lambda name: naming.partition_key(naming.project_of(name)) + naming.file_key(name),
        naming.results_folder,
    ):
        assert len({derive(name) for name in HOSTILE}) == len(HOSTILE)


def test_somebody_elses_task_is_not_ours():
    """A task id that is not of our making names no file."""
    for task in ("by-hand", "image-1-1", f"image-{'a' * 25}-1-1", f"image-{'A' * 26}-1-1", f"image-{'a' * 26}-x-1"):
        assert naming.file_of_task(task) is None
        assert naming.run_of_task(task) is None


@given(NAMES, NAMES)
def test_key_safe_keeps_order_and_identity(one, other):
    """Encoded texts sort as their UTF-8 bytes do, and only equal texts encode alike."""
    a, b = (text.encode("utf-8", "surrogatepass") for text in (one, other))
    assert (naming.key_safe(one) < naming.key_safe(other)) == (a < b)
    assert (naming.key_safe(one) == naming.key_safe(other)) == (a == b)


@given(NAMES, st.integers(1, 10**8 - 1))
def test_table_keys_fit_the_service(name, run):
    """Keys hold none of the characters that Table storage refuses and stay below 512 of them."""
    for key in (
        naming.partition_key(naming.project_of(name)),
        naming.file_key(name),
        naming.run_row_key(name, run),
    ):
        assert len(key) <= 512
        assert not re.search(r"[/\\#?\x00-\x1f\x7f-\x9f]", key)
        assert key.isascii()


@given(NAMES, st.integers(1, 10**7), st.integers(1, 10**7))
def test_run_keys_sort_by_run(name, one, other):
    """The run rows of a file stand in the order of their numbers."""
    assert (naming.run_row_key(name, one) < naming.run_row_key(name, other)) == (one < other)


@given(NAMES)
def test_nicknames_are_harmless(name):
    """A nickname is a plain file name that no program takes for an option or a hidden file."""
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,59}", naming.nickname(name))


def test_nicknames_keep_what_people_know():
    """An ordinary name stays as it is, an accent becomes its letter, a suffix in capitals goes too."""
    assert naming.nickname("fly/drosophila_00-49.h5") == "drosophila_00-49"
    assert naming.nickname("Größe.H5") == "Groe"
    assert naming.nickname("plate/é b.H5") == "e_b"
    assert naming.nickname("細胞.h5") == "image"


@given(NAMES)
def test_results_folders_leave_room_for_results(name):
    """A result's name fits into the 1,024 characters of a blob name."""
    assert len(naming.results_folder(name) + "x" * 80) <= 1024


def test_projects_are_first_folders():
    """The first folder is the project; at the root it is `default`."""
    assert naming.project_of("fly/a/b.h5") == "fly"
    assert naming.project_of("b.h5") == "default"
    assert naming.project_of("/b.h5") == "default"


def test_suffix_ignores_case():
    """Any way of writing .h5 counts."""
    assert naming.is_image("x.H5")
    assert not naming.is_image("x.h5.tmp")


def test_images_of_one_stem_share_nothing_but_their_nickname():
    """Which is only a name on a node: each has its results, its row, its tasks."""
    names = ("fly/a.h5", "fly/a.hdf5", "fly/a.ims", "fly/a.H5")
    for derived in (naming.results_folder, naming.file_key, naming.file_hash, lambda name: naming.task_id(name, 1, 1)):
        assert len({derived(name) for name in names}) == len(names)
    assert {naming.nickname(name) for name in names} == {"a"}


def test_jobs_are_monthly():
    """One job a month and pool; a generation follows one that was closed early."""
    now = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
    assert naming.job_id("ilastik", "p 1", now) == "ilastik-p-1-2026-11"
    for generation in (0, 7, 12):
        job_id = naming.job_id("ilastik", "p-2026-10-3", now, generation)
        assert naming.generation_of(job_id) == ("ilastik-p-2026-10-3-2026-11", generation)
    assert naming.job_id("ilastik", "p" * 100, now, 7).endswith("-2026-11-7")
    assert len(naming.job_id("ilastik", "p" * 100, now, 7)) <= 64


def test_plain_shows_no_control_characters():
    """What stands in a sentence is printable and short."""
    shown = plain("a\nb\x1b[31m" + "c" * 500)
    assert shown.isprintable()
    assert len(shown) == 200
