"""An operator who steers from the page instead of by a command: its forms, sent to the page's own app."""

from collections.abc import Callable
from urllib.parse import urlencode

from batch_ops.page.app import page_app
from batch_ops.runs.shared import Clock
from batch_ops.system import System
from tests.unit.page.browser import principal

_WORD = "x" * 43


class PageVisitor:
    """Somebody whom the page knows as an operator, with the word of their browser's forms."""

    def __init__(self, system: System, clock: Clock, unforeseen: Callable[[], int]) -> None:
        """`unforeseen`: how often something happened so far that nobody thought of."""

        async def opened() -> System:
            return system

        self._unforeseen = unforeseen
        self._app = page_app(opened, clock)

    async def send(self, place: str, *fields: tuple[str, str]) -> None:
        """Send a form as one who is sure; an answer other than that it was done is a failure of the page."""
        body = urlencode([("word", _WORD), ("sure", "1"), *fields], errors="surrogatepass").encode()
        headers = {
            "host": "page.example",
            "cookie": f"page-form={_WORD}",
            "sec-fetch-site": "same-origin",
            "content-type": "application/x-www-form-urlencoded",
            "x-ms-client-principal": principal("operator"),
        }
        scope = {
            "type": "http",
            "method": "POST",
            "scheme": "https",
            "path": f"/page/{place}",
            "raw_path": f"/page/{place}".encode(),
            "root_path": "",
            "query_string": b"",
            "http_version": "1.1",
            "server": ("page.example", 443),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        statuses: list[int] = []
        before = self._unforeseen()

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def answered(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start":
                statuses.append(int(str(message["status"])))

        await self._app(scope, receive, answered)  # type: ignore[arg-type]
        # 503: a service was out of reach, which a person sees, and may try again.
        known = [[200], [503], [500]] if self._unforeseen() > before else [[200], [503]]
        assert statuses in known, f"{place} answered {statuses}"
