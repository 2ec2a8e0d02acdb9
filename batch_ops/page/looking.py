"""What can be looked at: the overview, the files, one file, its pictures and results."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from batch_ops.domain import naming
from batch_ops.domain.file_record import FINAL, FileRecord, State
from batch_ops.domain.prices import money
from batch_ops.domain.selection import Selection
from batch_ops.page import plot, shown, words
from batch_ops.page.rendering import Render
from batch_ops.page.taking import LARGEST_DOWNLOAD, name_of
from batch_ops.page.visitors import Visitor
from batch_ops.system import System
from batch_ops.task.warning_kinds import KINDS
from batch_ops.use_cases.file_pages import Wanted
from batch_ops.use_cases.steering import cancel_objection, retry_objection

OPEN = "OPEN"
ANY_WARNING = "any"
_FILTERS = ("project", "state", "prefix", "place", "warning")
_OPEN_STATES = frozenset(State) - FINAL
_LOOKED_THROUGH = 200


@dataclass(frozen=True, slots=True)
class Filter:
    """What the list of files is asked for, as it stands in the address."""

    project: str
    state: str
    prefix: str
    place: str = ""
    warning: str = ""

    @classmethod
    def of(cls, request: Request) -> "Filter":
        """Read the query; an unknown state or warning means any."""
        given = {name: request.query_params.get(name, "") for name in _FILTERS}
        if given["state"] not in {OPEN, *State}:
            given["state"] = ""
        if given["warning"] not in {ANY_WARNING, *KINDS}:
            given["warning"] = ""
        if not naming.is_possible(given["prefix"]) or not naming.is_possible(given["project"]):
            raise HTTPException(404)
        return cls(**given)

    @property
    def states(self) -> frozenset[State]:
        """The states that are meant; none: any."""
        if self.state == OPEN:
            return _OPEN_STATES
        return frozenset({State(self.state)}) if self.state else frozenset()

    @property
    def warnings(self) -> frozenset[str]:
        """The kinds of warnings that are meant; none: whether it has any or not."""
        return warnings_meant(self.warning)

    @property
    def within(self) -> str:
        """The project that all such files belong to; "" for any."""
        return self.project or (naming.project_of(self.prefix) if "/" in self.prefix else "")

    def url(self, **changes: str) -> str:
        """The address of the list with this filter, changed so."""
        given = {name: getattr(self, name) for name in _FILTERS}
        return shown.link("files", **(given | changes))


def warnings_meant(warning: str) -> frozenset[str]:
    """Return the kinds that a filter means by its word; "" and what is unknown: none."""
    return frozenset(KINDS) if warning == ANY_WARNING else frozenset({warning} & set(KINDS))


@dataclass(frozen=True, slots=True)
class Looking:
    """The handlers that change nothing."""

    render: Render
    clock: Callable[[], datetime]

    async def overview(self, _request: Request, system: System, visitor: Visitor) -> Response:
        """Everything at a glance."""
        found = await system.overview(visitor.sees)
        currency = system.settings.prices.currency
        return self.render(
            "overview.html",
            visitor,
            overview=found,
            paused={pause.project for pause in found.pauses},
            opened=shown.by_state(found.opened),
            today=shown.by_state(found.today),
            sums=[(project, one, shown.sums_cost(one, currency)) for project, one in found.sums],
            total_cost=shown.sums_cost(found.total, currency),
            budgets=[
                (
                    use.project,
                    money(use.spent_micro, currency),
                    money(use.limit_micro, currency),
                    min(100, round(100 * use.spent_micro / use.limit_micro)) if use.limit_micro else 100,
                )
                for use in found.budgets
            ],
        )

    async def files(self, request: Request, system: System, visitor: Visitor) -> Response:
        """A page of the files."""
        asked = Filter.of(request)
        if asked.project and not visitor.sees(asked.project):
            raise HTTPException(404)
        # Warnings stand in no index: so many files are looked through, and those that have them are shown.
        most = _LOOKED_THROUGH if asked.warning else Wanted().most
        wanted = Wanted(asked.project, asked.prefix, asked.states, asked.place, most)
        page = await system.file_pages(wanted, visitor.sees)
        found = Selection(warnings=asked.warnings)
        files = [record for record in page.files if found.is_warned(record)]
        now = self.clock()
        return self.render(
            "files.html",
            visitor,
            asked=asked,
            states=[(OPEN, words.OPEN_STATES), *((str(state), words.STATES[state]) for state in State)],
            rows=[shown.FileRow(record, now) for record in files],
            is_live=any(not record.state.is_final for record in page.files),
            warnings=sorted(KINDS),
            looked_through=len(page.files) if asked.warning else 0,
            following=asked.url(place=page.following) if page.following else "",
            first=asked.url(place="") if asked.place else "",
            steers_any=any(visitor.steers(naming.project_of(record.name)) for record in files),
            steers_all=visitor.steers(asked.within)
            and bool(asked.project or asked.prefix or asked.state or asked.warning),
        )

    async def file(self, request: Request, system: System, visitor: Visitor) -> Response:
        """One file: what went in, what came out, and all that happened in between."""
        name = name_of(request, visitor)
        runs = await system.steering.show(name)
        if not runs:
            raise HTTPException(404)
        record = runs[-1]
        listed = await system.published.listed(name) if record.state is State.SUCCEEDED else ()
        if record.state in {State.REJECTED, State.FAILED}:
            listed = (*listed, *await system.published.problem(name))
        return self.render(
            "file.html",
            visitor,
            row=shown.FileRow(record, self.clock()),
            record=record,
            runs=[(run, words.STATES[run.state], words.TONES[run.state]) for run in reversed(runs)],
            pictures=shown.previews(record),
            counted=plot.counted(record),
            steps=shown.steps(record, self.clock()),
            due=shown.due(record),
            crops=[image for image in record.plan.images if image.is_known and image.axes and record.plan.more_images],
            sides=_sides(record),
            can_crop=any(image.is_known and image.axes for image in record.plan.images),
            details=_details(record),
            results=shown.results(record, listed),
            largest=LARGEST_DOWNLOAD,
            folder=naming.results_folder(name),
            container=system.settings.results_container,
            steers=visitor.steers(naming.project_of(name)),
            retries=not retry_objection(record, force=True),
            forces=bool(retry_objection(record, force=False)),
            cancels=not cancel_objection(record),
        )


def _sides(record: FileRecord) -> tuple[int, int]:
    """Return height and width in pixels of the one image of a file, on whose preview a box can be drawn; else zeros."""
    image = record.plan.image
    if record.plan.more_images or not image.is_known or not {"y", "x"} <= set(image.axes):
        return 0, 0
    size = dict(zip(image.axes, image.shape, strict=True))
    return size["y"], size["x"]


def _details(record: FileRecord) -> list[tuple[str, str]]:
    plan, here = record.plan, record.placement
    image = plan.image
    known = {
        "bytes": f"{record.image.length:,}" if record.image.length else "",
        "dataset": image.internal_path,
        "shape": " x ".join(map(str, image.shape)),
        "axes": f"{image.axes} ({image.axes_source})" if image.axes_source else image.axes,
        "values": image.dtype,
        "images": str(len(plan.images)) if plan.more_images else "",
        "tool": plan.tool.title if plan.tool.tool_profile else "",
        "ilastik": plan.tool.ilastik_version,
        "export": plan.tool.export_source,
        "classifier_sha_256": plan.tool.project_digest,
        "foreseen": shown.span(plan.forecast.seconds) if plan.forecast.seconds else "",
        "pool": here.pool_id,
        "machine": " ".join(filter(None, (here.node_size, here.node_kind, here.node_id))),
        "task": here.task_id,
        "machine_time": shown.span(record.node_seconds) if record.node_seconds else "",
        "not_before": shown.moment(record.times.not_before),
        "last_change": shown.moment(record.times.updated_at),
        "correlation_id": record.correlation_id,
    }
    return [(words.TITLES[key], text) for key, text in known.items() if text]
