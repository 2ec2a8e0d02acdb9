"""A project: its classifier, configuration, counts, cost and pause; and what a back-fill of it would take."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, fields
from datetime import datetime, timedelta

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from batch_ops.domain import naming
from batch_ops.domain.prices import money
from batch_ops.domain.project import Project
from batch_ops.domain.project_config import ProjectConfig
from batch_ops.page import plot, shown, words
from batch_ops.page.rendering import Render
from batch_ops.page.visitors import Visitor
from batch_ops.system import System
from batch_ops.use_cases.backfill import Backfill

# A request has minutes, and a listing of 5,000 images takes a call of the blobs and five of the table.
MOST_IMAGES = 5000


@dataclass(frozen=True, slots=True)
class Projects:
    """The handlers that change nothing."""

    render: Render
    clock: Callable[[], datetime]

    async def project(self, request: Request, system: System, visitor: Visitor) -> Response:
        """One project, at a glance."""
        name = project_of(request, visitor)
        look = await system.project_look(name)
        if not look.is_known:
            raise HTTPException(404)
        currency = system.settings.prices.currency
        classifier = look.classifier if isinstance(look.classifier, Project) else None
        return self.render(
            "project.html",
            visitor,
            look=look,
            classifier=classifier,
            labels=list(_labels(classifier)) if classifier else [],
            config=list(config_lines(classifier.config)) if classifier else [],
            states=shown.by_state(Counter(record.state for record in look.files)),
            over=plot.over_files(look.files),
            sums=[(month, one, shown.sums_cost(one, currency)) for month, one in look.sums],
            is_paused=any(pause.project for pause in look.pauses),
            steers=visitor.steers(name),
            container=system.settings.projects_container,
        )

    async def backfill(self, request: Request, system: System, visitor: Visitor) -> Response:
        """What older images there are that never ran, and what they would take."""
        name = project_of(request, visitor)
        if not visitor.steers(name):
            raise HTTPException(404)
        plan = await system.backfiller.plan(f"{name}/", MOST_IMAGES)
        return self.render("backfill.html", visitor, project=name, plan=plan, foreseen=foreseen(plan))


def project_of(request: Request, visitor: Visitor) -> str:
    """Return the project that is asked for. What is not the visitor's own is answered as what is not there."""
    name = request.query_params.get("project", "")
    if not name or "/" in name or not naming.is_possible(name) or not visitor.sees(name):
        raise HTTPException(404)
    return name


def foreseen(plan: Backfill) -> list[str]:
    """Say in sentences what a back-fill would take."""
    found = [words.BACKFILL_FOUND.format(words.files(len(plan.names)), f"{plan.gigabytes:,.1f}", plan.known)]
    if not plan.is_whole:
        found.append(words.BACKFILL_MORE.format(f"{MOST_IMAGES:,}"))
    if plan.archived:
        found.append(words.BACKFILL_ARCHIVED.format(plan.archived))
    if plan.names:
        samples = plan.pace.samples
        basis = words.ESTIMATED.format(words.files(samples)) if samples else words.GUESSED
        found.append(words.BACKFILL_TIME.format(shown.span(3600 * plan.slot_hours), basis))
        cost = words.COST_UNKNOWN if plan.cost_micro is None else money(plan.cost_micro, plan.currency)
        found.append(f"{words.COST}: {cost}.")
    if plan.days > 1:
        found.append(words.BACKFILL_DAYS.format(f"{plan.daily_limit:,}", plan.days))
    return found


def _labels(project: Project) -> Iterator[tuple[int, str, str]]:
    """Number, name and colour of each label; "" where its colour is not known."""
    colors = project.facts.label_colors
    for place, name in enumerate(project.facts.classes):
        yield place + 1, name, colors[place] if place < len(colors) else ""


def config_lines(config: ProjectConfig) -> Iterator[tuple[str, str]]:
    """Name and value of whatever the configuration says other than the default."""
    for one in fields(config):
        value = getattr(config, one.name)
        if one.default is MISSING or value != one.default:
            yield one.name.replace("_", " "), _text(value)


def _text(value: object) -> str:
    if isinstance(value, timedelta):
        return shown.span(value.total_seconds())
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
