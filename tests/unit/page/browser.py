"""Visits the page through Microsoft's own middleware, as the host does, with somebody's principal."""

import base64
import json
import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import azure.functions as func

from batch_ops.page.app import page_app
from tests.world import World

HOST = "http://page.example"


def principal(*roles: str, groups: tuple[str, ...] = (), name: str = "ada@lab", by: str = "aad") -> str:
    """X-MS-CLIENT-PRINCIPAL as App Service writes it for an Entra token."""
    claims = [
        {"typ": "http://schemas.microsoft.com/identity/claims/objectidentifier", "val": "0000-1"},
        {"typ": "preferred_username", "val": name},
        *({"typ": "roles", "val": role} for role in roles),
        *({"typ": "groups", "val": group} for group in groups),
    ]
    told = {"auth_typ": by, "claims": claims, "name_typ": "name", "role_typ": "roles"}
    return base64.b64encode(json.dumps(told).encode()).decode()


class Seen(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attributes) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str, attribute: str) -> list[str]:
        """The values of an attribute."""
        return [found[attribute] or "" for name, found in self.tags if name == tag and attribute in found]


class Browser:
    """Somebody with these roles and groups; the cookies that the page sets are sent back."""

    def __init__(self, world: World, *roles: str, groups: tuple[str, ...] = ()) -> None:
        async def system():
            return world.system

        self._visit(page_app(system, world.cloud.clock), *roles, groups=groups)

    @classmethod
    def of(cls, app: Any, *roles: str) -> "Browser":
        """Somebody who visits this very app."""
        browser = cls.__new__(cls)
        browser._visit(app, *roles)
        return browser

    def _visit(self, app: Any, *roles: str, groups: tuple[str, ...] = ()) -> None:
        self.app = func.AsgiMiddleware(app)
        self.headers = {"host": "page.example"}
        if roles:
            self.headers["x-ms-client-principal"] = principal(*roles, groups=groups)

    async def get(self, place: str, /, method: str = "GET", **query: str) -> func.HttpResponse:
        """The answer to a request."""
        asked = f"?{urlencode(query, errors='surrogatepass')}" if query else ""
        return await self._send(method, place + asked, b"", {})

    async def see(self, place: str, /, **query: str) -> Seen:
        """A page that is there."""
        answer = await self.get(place, **query)
        assert answer.status_code == 200, answer.get_body().decode()
        return Seen(answer.get_body().decode())

    async def post(self, place: str, fields: list[tuple[str, str]], **headers: str) -> func.HttpResponse:
        """Send a form from the page itself, unless `headers` say otherwise."""
        given = {"content-type": "application/x-www-form-urlencoded", "origin": HOST, **headers}
        return await self._send("POST", place, urlencode(fields, errors="surrogatepass").encode(), given)

    async def send(self, place: str, body: bytes, query: dict[str, str], **headers: str) -> func.HttpResponse:
        """Send bytes, as a script of the page does, unless `headers` say otherwise."""
        given = {"content-type": "application/octet-stream", "sec-fetch-site": "same-origin", **headers}
        return await self._send("POST", f"{place}?{urlencode(query)}", body, given)

    async def _send(self, method: str, place: str, body: bytes, headers: dict[str, str]) -> func.HttpResponse:
        request = func.HttpRequest(method, f"{HOST}/page/{place}", headers={**self.headers, **headers}, body=body)
        answer: func.HttpResponse = await self.app.handle_async(request)
        if match := re.match(r"([\w-]+=[^;]*)", answer.headers.get("set-cookie", "")):
            self.headers["cookie"] = match[1]
        return answer
