"""The commands of steering: what people and programs read, exit codes, questions."""

from datetime import timedelta

import pytest

from batch_ops.domain.batch_task import TaskState
from batch_ops.domain.file_record import State
from batch_ops.domain.messages import look_again_message
from batch_ops.domain.orders import LookOrder
from batch_ops.files.text_table import width_of
from batch_ops.task.run_plan import RunWarning
from tests.world import MINUTE, NAME

# list


async def test_list_is_a_table_for_people(operator):
    """A line a file with state, run, time, name, reason; then how many of each state."""
    await operator.world.begin("fly/a.h5", "fly/b.h5", "late/x.h5")
    await operator.world.fill_disk("fly/b.h5")
    answer = await operator.types("list")
    lines = answer.out.splitlines()
    assert lines[0].split() == ["STATE", "RUN", "UPDATED", "(UTC)", "NAME", "REASON", "WARNINGS"]
    assert [line.split()[0] for line in lines[1:4]] == ["ACTIVE", "FAILED", "WAITING_FOR_PROJECT"]
    assert "The disk is too small" in lines[2]
    assert lines[4].startswith("3 files: 1 ")
    assert max(width_of(line) for line in lines) <= 100
    assert answer.code == 0


async def test_list_is_json_lines_for_programs(operator):
    """Each line is a whole row with ISO times and lists for notes; names come back exactly."""
    name = "fly/\u00e4\x1b[31m\n\u4e2d.h5"
    await operator.world.begin(name, NAME)
    await operator.world.fill_disk(NAME)
    rows = (await operator.types("list", "--json", "--project", "fly")).json
    assert {row["name"] for row in rows} == {name, NAME}
    failed = next(row for row in rows if row["name"] == NAME)
    assert (failed["state"], failed["kind"], failed["run"]) == ("FAILED", "DISK_FULL", 1)
    assert failed["attempts"][0]["kind"] == "DISK_FULL"
    assert [move["state"] for move in failed["history"]][-1] == "FAILED"
    assert failed["finished_at"].startswith("2026-03-01T12:00:30")


async def test_nothing_that_a_terminal_obeys_is_ever_printed(operator):
    """Names with escape sequences, newlines, reversed text: visible, harmless, one line."""
    await operator.world.begin("fly/\x1b]0;owned\x07\n\u202eevil.h5")
    for words in (["list"], ["show", "fly/\x1b]0;owned\x07\n\u202eevil.h5"], ["show", "fly/\x1bnone.h5"]):
        answer = await operator.types(*words)
        assert all(char.isprintable() or char == "\n" for char in answer.out + answer.err)
    assert len((await operator.types("list")).out.splitlines()) == 3


@pytest.mark.parametrize("how", [[], ["--state", "succeeded"], ["fly/a.h5", "fly/b.h5"]])
async def test_files_are_found_by_the_kind_of_their_warnings(operator, how):
    """By name, by time or of whole projects; the sentence stands in `show`."""
    await operator.world.begin("fly/a.h5", "fly/b.h5")
    await operator.world.compute("fly/a.h5", warnings=(RunWarning("saturation", "It is too bright."),))
    await operator.world.finish("fly/b.h5")
    for kind, found in (("saturation", ["fly/a.h5"]), ("any", ["fly/a.h5"]), ("pixel-size", [])):
        rows = (await operator.types("list", "--json", *how, "--warning", kind)).json
        assert [row["name"] for row in rows] == found
    assert "It is too bright. (saturation)" in (await operator.types("show", "fly/a.h5")).out


async def test_list_stops_at_its_limit_and_says_so(operator):
    """People get a thousand unless they ask for more."""
    await operator.world.begin(*(f"fly/{n}.h5" for n in range(5)))
    answer = await operator.types("list", "--limit", "3")
    assert len(answer.out.splitlines()) == 1 + 3 + 2
    assert "There are more" in answer.out
    assert len((await operator.types("list", "--json", "--limit", "2")).json) == 2


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ([], ["root.h5", "fly/a.h5", "fly/b/c.h5", "late/x.h5", "worm/a.h5"]),
        (["--state", "failed"], ["fly/b/c.h5"]),
        (["--state", "OPEN"], ["root.h5", "late/x.h5", "fly/a.h5"]),
        (["--state", "waiting_for_project"], ["root.h5", "late/x.h5"]),
        (["--state", "succeeded"], ["worm/a.h5"]),
        (["--state", "active", "--state", "FAILED"], ["fly/b/c.h5", "fly/a.h5"]),
        (["--state", "active", "--state", "SUCCEEDED", "--prefix", "worm/"], ["worm/a.h5"]),
        (["--state", "waiting_for_project", "--prefix", "late/"], ["late/x.h5"]),
        (["--prefix", "fly/b"], ["fly/b/c.h5"]),
        (["--prefix", "f"], ["fly/a.h5", "fly/b/c.h5"]),
        (["--prefix", "r"], ["root.h5"]),
        (["--project", "fly"], ["fly/a.h5", "fly/b/c.h5"]),
        (["--project", "default"], ["root.h5"]),
        (["fly/a.h5", "none/at/all.h5"], ["fly/a.h5"]),
        (["worm/a.h5", "--project", "fly"], []),
        (["--newest"], ["root.h5", "late/x.h5", "worm/a.h5", "fly/b/c.h5", "fly/a.h5"]),
        (["--newest", "--project", "fly"], ["fly/b/c.h5", "fly/a.h5"]),
        (["--newest", "--limit", "2"], ["root.h5", "late/x.h5"]),
        (["--newest", "--prefix", "fly/a"], ["fly/a.h5"]),
        (["--since", "2026-03-01T12:03"], ["root.h5", "late/x.h5"]),
        (["--since", "2026-03-01T14:02+02:00", "--state", "succeeded"], ["worm/a.h5"]),
        (["fly/a.h5", "root.h5", "--since", "2026-03-01T12:03"], ["root.h5"]),
    ],
)
async def test_list_by_state_prefix_project_and_name(operator, words, names):
    """By name, with states by time. Words of states in any case; OPEN is all that are not final."""
    for name in ("fly/a.h5", "fly/b/c.h5", "worm/a.h5", "late/x.h5", "root.h5"):
        await operator.world.begin(name)
        operator.world.cloud.advance(MINUTE)
    await operator.world.finish("worm/a.h5")
    await operator.world.fill_disk("fly/b/c.h5")
    assert [row["name"] for row in (await operator.types("list", "--json", *words)).json] == names


async def test_the_index_is_filled_by_a_command(operator):
    """Project by project, however often; then lists rely on it."""
    await operator.world.begin("fly/a.h5", "fly/b.h5")
    operator.world.ledger.forget_index("fly/a.h5")
    answer = await operator.types("index")
    assert "The index of the project 'fly' is complete; 1 file put into it." in answer.out.splitlines()
    assert (await operator.types("index", "--json", "--project", "fly")).json == [{"project": "fly", "filled": 0}]
    assert operator.world.ledger.misindexed() == []
    operator.world.cloud.reset_counters()
    assert len((await operator.types("list", "--json", "--newest", "--project", "fly")).json) == 2
    assert sum(operator.world.cloud.requests.values()) == 1


async def test_a_name_that_nobody_knows_is_exit_code_1(operator):
    """For list and show alike."""
    assert (await operator.types("list", "none.h5")).code == 1
    answer = await operator.types("show", "none.h5")
    assert (answer.code, answer.out) == (1, "")
    assert "none.h5" in answer.err


# show


async def test_show_tells_all_runs_and_attempts(operator):
    """The row, why attempts failed, and the runs before."""
    await operator.world.begin(NAME)
    await operator.world.fill_disk(NAME)
    operator.world.drop(NAME, b"better")
    await operator.world.start(NAME)
    await operator.world.finish(NAME)
    answer = await operator.types("show", NAME)
    assert answer.out.splitlines()[0] == NAME
    assert "SUCCEEDED" in answer.out
    runs = answer.out.partition("\nRuns\n")[2].splitlines()
    assert [line.split()[:2] for line in runs[1:]] == [["1", "FAILED"], ["2", "SUCCEEDED"]]
    [report] = (await operator.types("show", NAME, "--json")).json
    assert [one["state"] for one in report["runs"]] == ["FAILED", "SUCCEEDED"]
    assert report["runs"][0]["attempts"][0]["sentence"] == "The disk is too small."
    for title in ("memory, foreseen", "seconds, foreseen", "dropped", "task started", "finished", "planned"):
        assert f" {title} " in answer.out


# retry and cancel


async def test_retry_asks_before_many_and_does_it_on_yes(operator):
    """The question says how many in which states; a no, or nobody to ask, leaves all as it is."""
    await operator.world.begin("fly/a.h5", "fly/b.h5")
    await operator.world.fill_disk("fly/a.h5")
    await operator.world.fill_disk("fly/b.h5")
    answer = await operator.types("retry", "--project", "fly", answers="n\n")
    assert answer.code == 1
    assert "2 files will be run again (2 FAILED)" in answer.err
    answer = await operator.types("retry", "--project", "fly")
    assert answer.code == 1
    assert "--yes" in answer.err
    assert len(operator.world.outbox) == 0
    answer = await operator.types("retry", "--project", "fly", answers="y\n")
    assert (answer.code, answer.out) == (0, "2 files run again (2 FAILED).\n")
    await operator.world.deliver()
    assert operator.world.row("fly/a.h5").run == 2


async def test_a_named_file_is_retried_without_a_question(operator):
    """Whoever types a name means it; what is left alone is said."""
    await operator.world.begin("fly/a.h5", "fly/b.h5")
    await operator.world.fill_disk("fly/a.h5")
    [report] = (await operator.types("retry", "--json", "fly/a.h5", "fly/b.h5", "none.h5")).json
    assert report == {"chosen": 1, "done": 1, "left": {"running already": 1, "no such file": 1}, "dry_run": False}


async def test_a_dry_run_does_nothing(operator):
    """And needs no yes."""
    await operator.world.begin(NAME)
    answer = await operator.types("cancel", "--all", "--dry-run")
    assert (answer.code, answer.out) == (0, "1 file would be cancelled (1 ACTIVE).\n")
    assert operator.world.row(NAME).state is State.ACTIVE


async def test_cancel_ends_the_open_files_of_a_project(operator):
    """And only those."""
    await operator.world.begin("fly/a.h5", "fly/b.h5", "worm/a.h5")
    await operator.world.finish("fly/b.h5")
    answer = await operator.types("cancel", "--project", "fly", "--yes")
    assert answer.out == "1 file cancelled (1 ACTIVE).\n"
    assert operator.world.row("fly/a.h5").state is State.CANCELLED
    assert operator.world.row("worm/a.h5").state is State.ACTIVE
    assert len(operator.world.tasks(TaskState.COMPLETED)) == 2
    assert (await operator.types("cancel", "--project", "fly", "--yes")).out == "There is nothing to do.\n"


@pytest.mark.parametrize("command", ["retry", "cancel"])
async def test_everything_must_be_said_aloud(operator, command):
    """Without a word about which files nothing is touched: exit code 2."""
    answer = await operator.types(command, "--yes")
    assert answer.code == 2
    assert "--all" in answer.err


# pause and resume


async def test_pause_and_resume(operator):
    """List shows the pause while it lasts; resume says how many files it looks at, and what is still paused."""
    await operator.types("pause")
    await operator.types("pause", "--project", "fly")
    await operator.world.begin(NAME)
    assert "Everything has been paused by an operator since 2026-03-01 12:00 UTC." in (await operator.types("list")).out
    answer = await operator.types("resume")
    assert answer.out == "The system is no longer paused; looking at 1 file now.\nStill paused: the project fly.\n"
    assert (await operator.types("resume", "--project", "fly", "--json")).json == [{"resumed": "fly", "taken_up": 1}]
    operator.world.cloud.advance(timedelta(seconds=6))
    await operator.world.deliver()
    assert operator.world.row(NAME).state is State.ACTIVE


# backfill


async def test_backfill_counts_asks_and_enqueues(operator):
    """Files, GB, hours and days first; nothing happens before the yes."""
    for n in range(5):
        operator.world.drop(f"fly/{n}.h5", b"x" * 1000)
    answer = await operator.types("backfill", "fly/", answers="\n")
    assert answer.code == 1
    assert "5 files whose names begin with 'fly/', 0.0 GB" in answer.out
    assert "hours with 10 task slots" in answer.out
    assert "What they will cost is not known: NODE_PRICES names no price." in answer.out
    assert "The daily limit of 2 spreads their starts over 3 days." in answer.out
    assert len(operator.world.outbox) == 0
    answer = await operator.types("backfill", "fly/", "--yes")
    assert "Enqueued 5 files" in answer.out
    await operator.world.deliver()
    states = [row["state"] for row in (await operator.types("list", "--json")).json]
    assert sorted(states) == ["ACTIVE"] * 2 + ["WAITING"] * 3


async def test_backfill_tells_programs_the_same(operator):
    """One object; with --dry-run nothing is asked for."""
    operator.world.drop(NAME, b"x" * 1000)
    [report] = (await operator.types("backfill", "", "--dry-run", "--json", "--slots", "4")).json
    assert (report["files"], report["bytes"], report["slots"], report["days"], report["asked"]) == (1, 1000, 4, 1, 0)
    [report] = (await operator.types("backfill", "worm/", "--json")).json
    assert (report["files"], report["asked"]) == (0, 0)


# contrast


async def test_the_contrast_of_a_folder_is_shown_and_reset(operator):
    """Who chose it, and what follows."""
    assert (await operator.types("contrast", "fly")).code == 1
    operator.world.drop(NAME)
    await operator.world.start(NAME)
    await operator.world.finish(NAME)
    shown = await operator.types("contrast", "fly/")
    assert (shown.code, f"as {NAME} is" in shown.out) == (0, True)
    [kept] = (await operator.types("contrast", "fly", "--json")).json
    assert (kept["folder"], kept["chosen_by"], kept["contrast"]["dtype"]) == ("fly", NAME, "uint8")
    assert "no contrast any more" in (await operator.types("contrast", "fly", "--reset")).out
    assert [(await operator.types("contrast", "fly", "--reset", "--json")).json] == [
        [{"folder": "fly", "reset": False}]
    ]


# poison


async def test_poison_is_listed_put_back_and_dropped(operator):
    """A table with the file that each is about; retry needs no question, drop does."""
    operator.world.drop(NAME)
    operator.world.poison.add("blob-created", look_again_message(LookOrder(NAME, "c")))
    kept = operator.world.poison.add("collect", "\x1bstrange")
    answer = await operator.types("poison", "list")
    assert NAME in answer.out
    assert "2 messages could not be handled (1 of blob-created, 1 of collect)." in answer.out
    assert "\x1b" not in answer.out
    assert (await operator.types("poison", "retry", "--prefix", "fly/")).out == "1 message put back.\n"
    await operator.world.deliver()
    assert operator.world.row(NAME).state is State.ACTIVE
    assert [row["id"] for row in (await operator.types("poison", "list", "--json")).json] == [kept]
    assert (await operator.types("poison", "drop", "--all", answers="no\n")).code == 1
    other = operator.world.poison.add("collect", "another")
    [done] = (await operator.types("poison", "drop", "--id", kept, "--yes", "--json")).json
    assert done == {"action": "drop", "done": 1}
    assert (await operator.types("poison", "retry", "--queue", "blob-created")).out == "0 messages put back.\n"
    assert [row["id"] for row in (await operator.types("poison", "list", "--json")).json] == [other]
    assert (await operator.types("poison", "retry")).code == 2


# confirm


async def test_confirm_says_for_what_it_counts(operator):
    """Or why it can't; as JSON for programs."""
    operator.world.drop(NAME, b"UNSAID")
    answer = await operator.types("confirm", NAME, "--axes", "zyx")
    assert (answer.code, answer.err) == (1, f"Nothing is known about a file '{NAME}'.\n")
