"""The command line of steering, over the fakes: what people and programs read, exit codes, questions."""

import io
import json
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from batch_ops.domain.batch_task import TaskState
from batch_ops.domain.errors import SettingsError
from batch_ops.domain.file_record import State
from batch_ops.domain.messages import look_again_message
from batch_ops.domain.orders import LookOrder
from batch_ops.files.__main__ import command_line
from batch_ops.files.arguments import parser
from batch_ops.files.commands import Tools, run
from batch_ops.files.console import Console
from batch_ops.files.tables import Column, cut, shown, table, width_of
from batch_ops.settings_file import read_settings
from tests.world import SETTINGS, World

NAME = "fly/a.h5"


@dataclass
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


class Operator:
    """Somebody with a terminal of 100 columns."""

    def __init__(self) -> None:
        self.world = World(replace(SETTINGS, backfill_daily_limit=2))
        self.world.project("fly")
        self.world.project("worm")

    async def types(self, *words: str, answers: str | None = None) -> Answer:
        """A command, and what is answered to its questions (None: nobody is there)."""
        out, err = io.StringIO(), io.StringIO()
        console = Console(io.StringIO(answers or ""), out, err, 100, asks=answers is not None)
        world = self.world
        tools = Tools(world.steering, world.backfiller, world.poison_care)
        code = await run(parser().parse_args(words), tools, console)
        return Answer(code, out.getvalue(), err.getvalue())

    async def begin(self, *names: str) -> None:
        for name in names:
            self.world.drop(name)
            await self.world.start(name)

    async def fail(self, name: str) -> None:
        row = self.world.row(name)
        self.world.batch.run(row.placement.task_id)
        self.world.tell(row.placement.task_id, "DISK_FULL", "The disk is full.", 74)
        self.world.batch.complete(row.placement.task_id, 74)
        await self.world.tick()


@pytest.fixture
def operator() -> Operator:
    return Operator()


# list


async def test_list_is_a_table_for_people(operator):
    """A line a file with state, run, time, name, reason; then how many of each state."""
    await operator.begin("fly/a.h5", "fly/b.h5", "late/x.h5")
    await operator.fail("fly/b.h5")
    answer = await operator.types("list")
    lines = answer.out.splitlines()
    assert lines[0].split() == ["STATE", "RUN", "UPDATED", "(UTC)", "NAME", "REASON"]
    assert [line.split()[0] for line in lines[1:4]] == ["ACTIVE", "FAILED", "WAITING_FOR_PROJECT"]
    assert "The disk is full" in lines[2]
    assert lines[4].startswith("3 files: 1 ")
    assert max(width_of(line) for line in lines) <= 100
    assert answer.code == 0


async def test_list_is_json_lines_for_programs(operator):
    """Each line is a whole row with ISO times and lists for notes; names come back exactly."""
    name = "fly/\u00e4\x1b[31m\n\u4e2d.h5"
    await operator.begin(name, NAME)
    await operator.fail(NAME)
    rows = (await operator.types("list", "--json", "--project", "fly")).json
    assert {row["name"] for row in rows} == {name, NAME}
    failed = next(row for row in rows if row["name"] == NAME)
    assert (failed["state"], failed["kind"], failed["run"]) == ("FAILED", "DISK_FULL", 1)
    assert failed["attempts"][0]["kind"] == "DISK_FULL"
    assert [move["state"] for move in failed["history"]][-1] == "FAILED"
    assert failed["finished_at"].startswith("2026-03-01T12:00:30")


async def test_nothing_that_a_terminal_obeys_is_ever_printed(operator):
    """Names with escape sequences, newlines, reversed text: visible, harmless, one line."""
    await operator.begin("fly/\x1b]0;owned\x07\n\u202eevil.h5")
    for words in (["list"], ["show", "fly/\x1b]0;owned\x07\n\u202eevil.h5"], ["show", "fly/\x1bnone.h5"]):
        answer = await operator.types(*words)
        assert all(char.isprintable() or char == "\n" for char in answer.out + answer.err)
    assert len((await operator.types("list")).out.splitlines()) == 3


async def test_list_stops_at_its_limit_and_says_so(operator):
    """People get a thousand unless they ask for more."""
    await operator.begin(*(f"fly/{n}.h5" for n in range(5)))
    answer = await operator.types("list", "--limit", "3")
    assert len(answer.out.splitlines()) == 1 + 3 + 2
    assert "There are more" in answer.out
    assert len((await operator.types("list", "--json", "--limit", "2")).json) == 2


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["--state", "failed"], ["fly/b.h5"]),
        (["--state", "OPEN"], ["fly/a.h5", "late/x.h5"]),
        (["--state", "active", "--state", "FAILED"], ["fly/a.h5", "fly/b.h5"]),
        (["--prefix", "fly/b"], ["fly/b.h5"]),
        (["--project", "late"], ["late/x.h5"]),
        (["fly/a.h5", "none.h5"], ["fly/a.h5"]),
    ],
)
async def test_list_by_state_prefix_project_and_name(operator, words, names):
    """Words of states in any case; OPEN is all that are not final."""
    await operator.begin("fly/a.h5", "fly/b.h5", "late/x.h5")
    await operator.fail("fly/b.h5")
    assert [row["name"] for row in (await operator.types("list", "--json", *words)).json] == names


async def test_a_name_that_nobody_knows_is_exit_code_1(operator):
    """For list and show alike."""
    assert (await operator.types("list", "none.h5")).code == 1
    answer = await operator.types("show", "none.h5")
    assert (answer.code, answer.out) == (1, "")
    assert "none.h5" in answer.err


# show


async def test_show_tells_all_runs_and_attempts(operator):
    """The row, why attempts failed, and the runs before."""
    await operator.begin(NAME)
    await operator.fail(NAME)
    operator.world.drop(NAME, b"better")
    await operator.world.start(NAME)
    await operator.world.finish(NAME)
    answer = await operator.types("show", NAME)
    assert answer.out.splitlines()[0] == NAME
    assert "SUCCEEDED" in answer.out
    runs = answer.out.partition("\nRuns\n")[2].splitlines()
    assert [line.split()[:2] for line in runs[1:]] == [["1", "FAILED"], ["2", "SUCCEEDED"]]
    [told] = (await operator.types("show", NAME, "--json")).json
    assert [one["state"] for one in told["runs"]] == ["FAILED", "SUCCEEDED"]
    assert told["runs"][0]["attempts"][0]["sentence"] == "The disk is full."


# retry and cancel


async def test_retry_asks_before_many_and_does_it_on_yes(operator):
    """The question says how many in which states; a no, or nobody to ask, leaves all as it is."""
    await operator.begin("fly/a.h5", "fly/b.h5")
    await operator.fail("fly/a.h5")
    await operator.fail("fly/b.h5")
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
    await operator.begin("fly/a.h5", "fly/b.h5")
    await operator.fail("fly/a.h5")
    [told] = (await operator.types("retry", "--json", "fly/a.h5", "fly/b.h5", "none.h5")).json
    assert told == {"chosen": 1, "done": 1, "left": {"at work": 1, "no such file": 1}, "dry_run": False}


async def test_a_dry_run_does_nothing(operator):
    """And needs no yes."""
    await operator.begin(NAME)
    answer = await operator.types("cancel", "--all", "--dry-run")
    assert (answer.code, answer.out) == (0, "1 file would be cancelled (1 ACTIVE).\n")
    assert operator.world.row(NAME).state is State.ACTIVE


async def test_cancel_ends_the_open_files_of_a_project(operator):
    """And only those."""
    await operator.begin("fly/a.h5", "fly/b.h5", "worm/a.h5")
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
    """List tells of the pause while it lasts; resume tells how many it takes up, and what is still paused."""
    await operator.types("pause")
    await operator.types("pause", "--project", "fly")
    await operator.begin(NAME)
    assert "Everything has been paused by an operator since 2026-03-01 12:00 UTC." in (await operator.types("list")).out
    answer = await operator.types("resume")
    assert answer.out == "The system goes on; taken up: 1 file.\nStill paused: the project fly.\n"
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
    assert "The daily limit of 2 spreads their starts over 3 days." in answer.out
    assert len(operator.world.outbox) == 0
    answer = await operator.types("backfill", "fly/", "--yes")
    assert "Asked for 5 files" in answer.out
    await operator.world.deliver()
    states = [row["state"] for row in (await operator.types("list", "--json")).json]
    assert sorted(states) == ["ACTIVE"] * 2 + ["WAITING"] * 3


async def test_backfill_tells_programs_the_same(operator):
    """One object; with --dry-run nothing is asked for."""
    operator.world.drop(NAME, b"x" * 1000)
    [told] = (await operator.types("backfill", "", "--dry-run", "--json", "--slots", "4")).json
    assert (told["files"], told["bytes"], told["slots"], told["days"], told["asked"]) == (1, 1000, 4, 1, 0)
    [told] = (await operator.types("backfill", "worm/", "--json")).json
    assert (told["files"], told["asked"]) == (0, 0)


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
    assert (await operator.types("poison", "drop", "--id", kept, "--yes", "--json")).json == [
        {"action": "drop", "done": 1}
    ]
    assert (await operator.types("poison", "retry")).code == 2


# Words, settings, tables


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["dance"],
        ["list", "--state", "ASLEEP"],
        ["show"],
        ["backfill"],
        ["poison", "eat"],
        ["backfill", "x", "--slots", "0"],
    ],
)
def test_wrong_words_are_exit_code_2(words, capsys):
    """With a hint on the error stream."""
    with pytest.raises(SystemExit) as caught:
        parser().parse_args(words)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--settings", "f", "list"], ["list", "--settings", "f"]])
def test_the_settings_file_is_named_before_or_after_the_command(words):
    """Either is heard."""
    assert parser().parse_args(words).settings == "f"


@pytest.mark.parametrize(
    "content",
    [
        {"IsEncrypted": False, "Values": {"A": "1", "B": "x"}},
        {"A": "1", "B": "x"},
        [{"name": "A", "slotSetting": False, "value": "1"}, {"name": "B", "value": "x"}, {"name": "C", "value": None}],
    ],
)
def test_settings_come_from_a_file(tmp_path, content):
    """A local.settings.json, its values alone, or what the Azure CLI lists of an app."""
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(content))
    assert read_settings(str(file)) == {"A": "1", "B": "x"}


async def test_without_settings_it_says_where_they_may_be():
    """Somebody who named no settings is told how to, besides what is missing."""
    err = io.StringIO()
    console = Console(io.StringIO(), io.StringIO(), err, 100, asks=False)
    assert await command_line(["list"], {}, console) == 3
    assert "BATCH_POOL_ID is missing" in err.getvalue()
    assert "--settings or BATCH_OPS_SETTINGS" in err.getvalue()


def test_a_state_that_does_not_exist_is_answered_with_those_that_do(capsys):
    """The states as one types them, none as Python writes them."""
    with pytest.raises(SystemExit):
        parser().parse_args(["list", "--state", "done"])
    told = capsys.readouterr().err
    assert "'SUCCEEDED'" in told
    assert "<State" not in told


@pytest.mark.parametrize("content", [None, "{", "3", '{"Values": 3}'])
def test_a_bad_settings_file_is_named(tmp_path, content):
    """The sentence has the path in it."""
    file = tmp_path / "settings.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsError, match=r"settings\.json"):
        read_settings(str(file))


@pytest.mark.parametrize(
    ("text", "width", "head", "middle"),
    [
        ("short", 10, "short", "short"),
        ("project/very/long/name.h5", 12, "project/ver\u2026", "projec\u2026me.h5"),
        ("\u4e2d\u6587\u540d\u5b57", 5, "\u4e2d\u6587\u2026", "\u4e2d\u2026\u5b57"),
        ("e\u0301e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301\u2026", "e\u0301\u2026e\u0301"),
    ],
)
def test_what_is_too_wide_is_cut(text, width, head, middle):
    """By the cells of a terminal; names keep their ends, and no mark loses its letter."""
    assert cut(text, width) == head
    assert cut(text, width, keeps_end=True) == middle
    assert width_of(cut(text, width)) <= width


def test_columns_that_stretch_share_what_is_left():
    """One that needs less gives the rest to the other; fixed ones are never cut."""
    columns = (Column("STATE"), Column("NAME", stretches=True, keeps_end=True), Column("REASON", stretches=True))
    lines = table(columns, [("WAITING_FOR_PROJECT", "a" * 60, "why"), ("OK", "b", "x" * 3)], 60)
    assert max(len(line) for line in lines) <= 60
    assert lines[1].startswith("WAITING_FOR_PROJECT  aaa")
    assert lines[1].endswith("  why")
    assert shown("a\tb") == "a\N{REPLACEMENT CHARACTER}b"
