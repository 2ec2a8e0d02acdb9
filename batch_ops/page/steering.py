"""Steering from the page, through the very use cases of the command: run again, cancel, pause, resume.

Whatever means more than one file asks first. A form is taken only from the page itself: it carries the word that the
page keeps in a cookie, and the browser says that it comes from here.
"""

import hmac
import logging
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from batch_ops.domain import naming
from batch_ops.domain.file_record import FINAL, State
from batch_ops.domain.selection import Selection
from batch_ops.page import shown, words
from batch_ops.page.looking import OPEN, warnings_meant
from batch_ops.page.projects import MOST_IMAGES
from batch_ops.page.rendering import Render
from batch_ops.page.visitors import Visitor
from batch_ops.system import System
from batch_ops.use_cases.steering import Plan

log = logging.getLogger("batch_ops")

COOKIE = "page-form"
_WORD = re.compile(r"[\w-]{43}", re.ASCII)
_LARGEST_FORM = 512 * 1024
_MOST_FIELDS = 1000
_USUAL = frozenset({State.FAILED, State.CANCELLED})
_OPEN_STATES = frozenset(State) - FINAL


def word_of(request: Request) -> tuple[str, bool]:
    """Return the word of this browser's forms, and whether it is new."""
    kept = request.cookies.get(COOKIE, "")
    return (kept, False) if _WORD.fullmatch(kept) else (secrets.token_urlsafe(32), True)


def keep_word(request: Request, response: Response, word: str) -> None:
    """Have the browser keep it: for the page alone, and out of reach of scripts."""
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, word, path=shown.ROOT, secure=secure, httponly=True, samesite="strict")


@dataclass(frozen=True, slots=True)
class Form:
    """What was sent: the action, and the files by name or by a filter. `sure`: whether it was asked already."""

    fields: tuple[tuple[str, str], ...]

    @classmethod
    async def of(cls, request: Request) -> "Form":
        """Read the form. Raises HTTPException for one that is too large, or does not come from the page."""
        body = await request.body()
        if len(body) > _LARGEST_FORM:
            raise HTTPException(413)
        try:
            fields = parse_qsl(body.decode("ascii"), True, max_num_fields=_MOST_FIELDS, errors="surrogatepass")
        except ValueError as exc:
            raise HTTPException(400) from exc
        form = cls(tuple(fields))
        insist_on_page(request, form.one("word"))
        return form

    def one(self, name: str) -> str:
        """The first value of a field; "" if it is not there."""
        return next((value for field, value in self.fields if field == name), "")

    @property
    def names(self) -> tuple[str, ...]:
        """The files that were chosen one by one."""
        return tuple(dict.fromkeys(value for field, value in self.fields if field == "name"))


def insist_on_page(request: Request, given: str) -> None:
    """Raise HTTPException for what does not come from the page itself; `given` is the word that came with it."""
    word, is_new = word_of(request)
    if is_new or not hmac.compare_digest(given.encode(errors="replace"), word.encode()) or not _is_from_here(request):
        raise HTTPException(403)


def _is_from_here(request: Request) -> bool:
    """Whether the browser says so: by Sec-Fetch-Site, or the Origin where it is older."""
    if site := request.headers.get("sec-fetch-site"):
        return site == "same-origin"
    return urlsplit(request.headers.get("origin", "")).netloc == request.headers.get("host", "-")


@dataclass(frozen=True, slots=True)
class Steers:
    """The handlers that change something."""

    render: Render

    async def files(self, request: Request, system: System, visitor: Visitor) -> Response:
        """Run files again, or cancel them."""
        form = await Form.of(request)
        action = form.one("action")
        if action not in words.ACTIONS:
            raise HTTPException(400)
        what, _, scope = action.partition("-")
        selection = self._all(form, what, visitor) if scope == "all" else self._chosen(form, visitor)
        force = bool(form.one("force"))
        steering = system.steering
        if what == "retry":
            plan = await steering.plan_retry(selection, force=force)
        else:
            plan = await steering.plan_cancel(selection)
        if not form.one("sure") and plan.chosen and (len(plan.chosen) > 1 or scope == "all" or force):
            return self._ask(request, visitor, form, words.QUESTIONS[what].format(words.files(len(plan.chosen))), plan)
        missed: Mapping[str, int] = {}
        if plan.chosen and what == "retry":
            await steering.retry(plan.chosen, visitor.label)
        elif plan.chosen:
            missed = await steering.cancel(plan.chosen, by=visitor.label)
        done = len(plan.chosen) - sum(missed.values())
        log.info("%s: %s of %d files.", visitor.label, what, done)
        left = dict(plan.left)
        for why, number in missed.items():
            left[why] = left.get(why, 0) + number
        return self._done(visitor, words.DONE_WITH[what].format(words.files(done)), left, form)

    async def pause(self, request: Request, system: System, visitor: Visitor) -> Response:
        """Hold back new runs of a project or of all, or let them begin."""
        form = await Form.of(request)
        project, what = form.one("project"), form.one("action")
        if what not in {"pause", "resume"} or not naming.is_possible(project):
            raise HTTPException(400)
        if not visitor.steers(project):
            raise HTTPException(404)
        scope = project or words.ALL_PROJECTS
        if not form.one("sure"):
            return self._ask(request, visitor, form, words.QUESTIONS[what].format(scope), Plan())
        if what == "pause":
            await system.steering.pause(project, visitor.label)
        else:
            await system.steering.resume(project)
        log.info("%s: %s of %s.", visitor.label, what, scope)
        return self._done(visitor, words.DONE_WITH[what].format(scope), {}, form)

    async def backfill(self, request: Request, system: System, visitor: Visitor) -> Response:
        """Order the older images of a project that never ran."""
        form = await Form.of(request)
        project = form.one("project")
        if form.one("action") != "backfill" or not project or "/" in project or not naming.is_possible(project):
            raise HTTPException(400)
        if not visitor.steers(project):
            raise HTTPException(404)
        plan = await system.backfiller.plan(f"{project}/", MOST_IMAGES)
        number = words.files(len(plan.names))
        if not form.one("sure"):
            return self._ask(request, visitor, form, words.QUESTIONS["backfill"].format(number), Plan())
        await system.backfiller.ask(plan)
        log.info("%s: backfill of %d files of %s.", visitor.label, len(plan.names), project)
        return self._done(visitor, words.DONE_WITH["backfill"].format(number), {}, form)

    def _chosen(self, form: Form, visitor: Visitor) -> Selection:
        """Select the files that were named. What is not the visitor's own is answered as what is not there."""
        for name in form.names:
            if naming.fault_of(name) or not naming.is_possible(name) or not visitor.steers(naming.project_of(name)):
                raise HTTPException(404)
        if not form.names:
            raise HTTPException(400)
        return Selection(names=form.names)

    def _all(self, form: Form, what: str, visitor: Visitor) -> Selection:
        """Select all that the filter has, on all pages."""
        project, prefix, state = form.one("project"), form.one("prefix"), form.one("state")
        within = project or (naming.project_of(prefix) if "/" in prefix else "")
        if not visitor.steers(within):
            raise HTTPException(404)
        states = _USUAL if what == "retry" else _OPEN_STATES
        if state == OPEN:
            states = _OPEN_STATES
        elif state in set(State):
            states = frozenset({State(state)})
        warnings = warnings_meant(warning := form.one("warning"))
        if warning and not warnings:
            # Never more than was meant.
            raise HTTPException(400)
        return Selection(prefix=prefix, project=project, states=states, warnings=warnings)

    def _ask(self, request: Request, visitor: Visitor, form: Form, question: str, plan: Plan) -> Response:
        fields = [(field, value) for field, value in form.fields if field != "sure"]
        return self.render(
            "sure.html",
            visitor,
            question=question,
            fields=fields,
            names=[one.name for one in plan.chosen[:50]],
            more=max(0, len(plan.chosen) - 50),
            left=_sentences(plan.left),
            place=request.url.path,
            back=_back(form),
        )

    def _done(self, visitor: Visitor, said: str, left: Mapping[str, int], form: Form) -> Response:
        return self.render("done.html", visitor, said=said, left=_sentences(left), back=_back(form))


def _sentences(left: Mapping[str, int]) -> Sequence[str]:
    return [words.LEFT_ALONE.format(words.files(number), why) for why, number in sorted(left.items())]


def _back(form: Form) -> str:
    """Return where the form was: built anew, never an address from outside."""
    if form.one("from") == "overview":
        return shown.link("")
    if form.one("from") == "project":
        return shown.link("project", project=form.one("project"))
    if form.one("from") == "file" and form.names:
        return shown.link("file", name=form.names[0])
    return shown.link("files", **{name: form.one(name) for name in ("project", "state", "prefix", "warning")})
