"""The page as one ASGI app: who may come in, which handler answers, and what every answer carries.

Every name from outside stands in the query and is escaped by the templates. No answer leads to another host.
"""

import logging
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from batch_ops.domain.errors import BlobMissing, ServiceFault
from batch_ops.page import plot, shown, words
from batch_ops.page.dropping import Drops
from batch_ops.page.looking import Looking
from batch_ops.page.projects import Projects
from batch_ops.page.steering import Steers, keep_word, word_of
from batch_ops.page.taking import Taking
from batch_ops.page.visitors import PRINCIPAL, Visitor, visitor_of
from batch_ops.system import System
from batch_ops.task.plain_text import plain

log = logging.getLogger("batch_ops")

# Of the request that is being answered.
_word: ContextVar[str] = ContextVar("word", default="")

_HERE = Path(__file__).parent
# Nothing but what this app itself sends; no script or style within the HTML.
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # With "no-referrer" browsers would not say of a form that it comes from the page.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_STATIC = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "drop.js": "text/javascript; charset=utf-8",
    "page.svg": "image/svg+xml",
}

type Handler = Callable[[Request, System, Visitor], Awaitable[Response]]


def _printable(value: Any) -> Any:
    """Take from texts what is not to be seen and could turn or hide what is, such as marks of direction."""
    return plain(value, len(value)) if isinstance(value, str) and not isinstance(value, Markup) else value


class Page:
    """Wraps handlers; `system` gives the process's one system, `clock` the time."""

    def __init__(self, system: Callable[[], Awaitable[System]], clock: Callable[[], datetime]) -> None:
        self._system = system
        self._templates = Environment(
            finalize=_printable,
            loader=FileSystemLoader(_HERE),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals |= {"w": words, "link": shown.link, "moment": shown.moment, "span": shown.span}
        self._templates.globals |= {"plot_width": plot.WIDTH, "plot_height": plot.HEIGHT}
        self._templates.globals["exact"] = escape
        looking, projects, steers = Looking(self.render, clock), Projects(self.render, clock), Steers(self.render)
        drops, taking = Drops(self.render), Taking(self.render)
        self.app = Starlette(
            routes=[
                Route(f"{shown.ROOT}/static/{{name}}", self._static),
                Route(f"{shown.ROOT}/", self._guarded(looking.overview)),
                Route(shown.ROOT, self._guarded(looking.overview)),
                Route(f"{shown.ROOT}/files", self._guarded(looking.files)),
                Route(f"{shown.ROOT}/file", self._guarded(looking.file)),
                Route(f"{shown.ROOT}/project", self._guarded(projects.project)),
                Route(f"{shown.ROOT}/backfill", self._guarded(projects.backfill)),
                Route(f"{shown.ROOT}/backfill", self._guarded(steers.backfill), methods=["POST"]),
                Route(f"{shown.ROOT}/picture", self._guarded(taking.picture)),
                Route(f"{shown.ROOT}/crop", self._guarded(taking.crop)),
                Route(f"{shown.ROOT}/result", self._guarded(taking.result)),
                Route(f"{shown.ROOT}/steer", self._guarded(steers.files), methods=["POST"]),
                Route(f"{shown.ROOT}/pause", self._guarded(steers.pause), methods=["POST"]),
                Route(f"{shown.ROOT}/drop", self._guarded(drops.page)),
                Route(f"{shown.ROOT}/drop/look", self._guarded(drops.look)),
                Route(f"{shown.ROOT}/drop/block", self._guarded(drops.block), methods=["POST"]),
                Route(f"{shown.ROOT}/drop/finish", self._guarded(drops.finish), methods=["POST"]),
            ],
            exception_handlers={HTTPException: self._refused, BlobMissing: self._refused},
        )

    def render(self, template: str, visitor: Visitor | None, status: int = 200, **values: Any) -> Response:
        """Make an answer from a template, whose forms carry the word of this browser."""
        text = self._templates.get_template(template).render(visitor=visitor, word=_word.get(), **values)
        return HTMLResponse(text, status, headers=_HEADERS)

    def _guarded(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            try:
                system = await self._system()
                if not system.settings.signs_in:
                    return self._told(403, words.NO_ROLE_TITLE, words.NO_SIGN_IN)
                visitor = visitor_of(request.headers.get(PRINCIPAL), system.settings.page_groups)
                if visitor is None:
                    return self._told(403, words.NO_ROLE_TITLE, words.NO_ROLE)
                word, is_new = word_of(request)
                _word.set(word)
                found = await handler(request, system, visitor)
                if is_new:
                    keep_word(request, found, word)
            except ServiceFault as fault:
                log.warning("The page could not be made: %s", fault)
                return self._told(503, words.NO_ANSWER_TITLE, words.NO_ANSWER)
            except (HTTPException, BlobMissing):
                raise
            except Exception:
                # Passed on, it would end as an answer without a word.
                log.exception("The page failed.")
                return self._told(500, words.FAULT_TITLE, words.FAULT)
            for name, value in _HEADERS.items():
                found.headers.setdefault(name, value)
            return found

        return answer

    async def _static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _STATIC:
            raise HTTPException(404)
        content = (_HERE / name).read_bytes()
        headers = {**_HEADERS, "Cache-Control": "max-age=3600"}
        return Response(content, media_type=_STATIC[name], headers=headers)

    async def _refused(self, _request: Request, fault: Exception) -> Response:
        status = fault.status_code if isinstance(fault, HTTPException) else 404
        said = {400: words.WRONG_METHOD, 403: words.NOT_FROM_HERE, 405: words.WRONG_METHOD, 413: words.WRONG_METHOD}
        return self._told(
            status, words.NOT_FOUND_TITLE if status == 404 else words.REFUSED_TITLE, said.get(status, words.NOT_FOUND)
        )

    def _told(self, status: int, title: str, text: str) -> Response:
        return self.render("message.html", None, status, title=title, text=text)


def page_app(system: Callable[[], Awaitable[System]], clock: Callable[[], datetime]) -> Starlette:
    """Make the app; nothing is called before the first request."""
    return Page(system, clock).app
