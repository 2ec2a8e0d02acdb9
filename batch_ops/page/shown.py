"""Values as the page shows them. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from batch_ops.domain import naming
from batch_ops.domain.cost_text import cost_text
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.foreground import what_counts_are
from batch_ops.domain.month_sums import MonthSum
from batch_ops.domain.prices import money
from batch_ops.domain.publication import Listed
from batch_ops.page import words
from batch_ops.task.outputs import ZARR
from batch_ops.task.pictures import OVERLAY, PREVIEW, SMALL

ROOT = "/page"
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def link(place: str, /, **query: str) -> str:
    """Make an address of the page, without what is empty. Names stand in the query, where they mean nothing else."""
    given = {name: value for name, value in query.items() if value}
    return f"{ROOT}/{place}{'?' + urlencode(given, errors='surrogatepass') if given else ''}"


def moment(at: datetime | None) -> str:
    """2026-03-01 12:00:00."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if at else ""


def results(record: FileRecord, listed: Iterable[Listed]) -> list[tuple[str, int | None, str]]:
    """List results as (path, bytes, address to take it from); a Zarr is one folder, which no browser can take."""
    found: dict[str, tuple[int | None, str]] = {}
    for file in listed:
        above, mark, _ = file.path.partition(f"{ZARR}/")
        if mark:
            folder = above + mark
            found[folder] = ((found.get(folder, (0, ""))[0] or 0) + (file.length or 0), "")
        else:
            found[file.path] = (file.length, link("result", name=record.name, path=file.path, run=str(record.run)))
    return [(path, length, address) for path, (length, address) in found.items()]


def span(seconds: float) -> str:
    """Write a length of time in its two largest units."""
    whole = max(0, round(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def age(at: datetime | None, now: datetime) -> str:
    """Say how long ago something was, in its largest unit."""
    if at is None:
        return ""
    seconds = (now - at).total_seconds()
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= unit:
            return f"{int(seconds // unit)} {name} {words.AGO}"
    return words.JUST_NOW


def sums_cost(sums: MonthSum, currency: str) -> str:
    """Say what a month's runs have cost; "at least" where the price of some is not known."""
    if not sums.node_seconds:
        return ""
    if not sums.priced_seconds:
        return words.COST_UNKNOWN
    cost = money(sums.cost_micro, currency)
    return f"{words.COST_AT_LEAST} {cost}" if sums.unpriced_seconds else cost


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture in the results of a file: where it is, of which image, and the words for whoever can't see it."""

    url: str
    folder: str
    alternative: str


def pictures(record: FileRecord, path: str, title: str) -> Iterator[Picture]:
    """List the pictures of one kind: one for each image of the file, if any were drawn."""
    if record.state is State.SUCCEEDED and record.plan.pictures is not None:
        undrawn = {"no-pictures"} <= {warning.code for warning in record.plan.warnings}
        for image in record.plan.images if not undrawn or record.plan.more_images else ():
            inner = f"{image.folder}/{path}" if image.folder else path
            of = f"{record.name}, {image.folder}" if image.folder else record.name
            # A file that is dropped anew after its removal counts its runs from 1 again.
            ended = f"{record.times.finished_at:%Y%m%dT%H%M%S%f}" if record.times.finished_at else ""
            url = link("picture", name=record.name, path=inner, run=str(record.run), ended=ended)
            yield Picture(url, image.folder, f"{title}: {of}")


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file as a line of the list."""

    record: FileRecord
    now: datetime

    @property
    def url(self) -> str:
        """Its own page."""
        return link("file", name=self.record.name)

    @property
    def project(self) -> str:
        """The project that it belongs to."""
        return naming.project_of(self.record.name)

    @property
    def state(self) -> str:
        """Its state in plain words."""
        return words.STATES[self.record.state]

    @property
    def tone(self) -> str:
        """How the state is coloured."""
        return words.TONES[self.record.state]

    @property
    def counts(self) -> str:
        """What was counted."""
        found = self.record.published.all_counts
        return "; ".join(
            f"{one.folder}: {one.counts.sentence()}" if one.folder else one.counts.sentence() for one in found
        )

    @property
    def counts_are(self) -> str:
        """What was counted as an object."""
        plan = self.record.plan
        return what_counts_are(plan, plan.warnings) if self.counts else ""

    @property
    def cost(self) -> str:
        """What it has cost."""
        return cost_text(self.record)

    @property
    def dropped(self) -> str:
        """When it was dropped."""
        return moment(self.record.times.dropped_at)

    @property
    def age(self) -> str:
        """How long ago that was."""
        return age(self.record.times.dropped_at, self.now)

    @property
    def small(self) -> Picture | None:
        """The small picture of its first image."""
        return next(pictures(self.record, SMALL, words.OVERLAY_OF), None)

    @property
    def warnings(self) -> tuple[str, ...]:
        """The kinds of its warnings."""
        return tuple(dict.fromkeys(warning.code for warning in self.record.plan.warnings))


def previews(record: FileRecord) -> list[tuple[Picture, Picture]]:
    """Pair what went in with what came out, for each image."""
    before, after = pictures(record, PREVIEW, words.PREVIEW), pictures(record, OVERLAY, words.OVERLAY)
    return list(zip(before, after, strict=True))


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the time that a run took: `share` in percent, after `before`, as the bar shows it."""

    name: str
    took: str
    share: int
    before: int
    style: int


def steps(record: FileRecord, now: datetime) -> list[Stretch]:
    """Divide the time of a run: waiting for its task, for a machine, computing, collecting."""
    times = record.times
    end = times.finished_at or now
    marks = [
        ("waiting", times.dropped_at),
        ("starting", times.submitted_at),
        ("computing", times.task_started_at),
        ("collecting", times.task_ended_at),
    ]
    known = [(name, at) for name, at in marks if at is not None]
    lengths: dict[str, timedelta] = {}
    for number, (name, at) in enumerate(known):
        until = known[number + 1][1] if number + 1 < len(known) else end
        lengths[name] = max(timedelta(), until - at)
    whole, passed, found = sum(lengths.values(), timedelta()), timedelta(), []
    for name, length in lengths.items():
        share, before = (round(100 * (part / whole)) if whole else 0 for part in (length, passed))
        style = list(words.STEPS).index(name)
        found.append(Stretch(words.STEPS[name], span(length.total_seconds()), share, before, style))
        passed += length
    return found


def due(record: FileRecord) -> str:
    """Say when an open run is foreseen to be done: by the clock once it computes. "" where nothing is foreseen."""
    seconds = record.plan.forecast.seconds
    if not seconds or record.state.is_final or record.state is State.COLLECTING:
        return ""
    begun = record.times.task_started_at
    if record.state is State.RUNNING and begun is not None:
        return words.DUE.format(moment(begun + timedelta(seconds=seconds)), span(seconds))
    return words.DUE_ONCE.format(span(seconds))


def by_state(counts: Mapping[State, int]) -> list[tuple[State, str, str, int]]:
    """List states in their order: state, words, tone, number."""
    return [(state, words.STATES[state], words.TONES[state], counts[state]) for state in State if counts.get(state)]
