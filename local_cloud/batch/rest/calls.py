"""A request as handlers see it, and what they answer."""

import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from local_cloud.batch.rest.fields import Record
from local_cloud.batch.rest.odata import Properties, parse_filter, parse_select
from local_cloud.batch.state.errors import ServiceError
from local_cloud.batch.state.model import Json
from local_cloud.batch.state.times import etag, http_date, parse_moment

MOST_RESULTS = 1000


class Versioned(Protocol):
    """A record that has an ETag."""

    @property
    def revision(self) -> int: ...
    @property
    def modified(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: JSON, a stream of bytes, or nothing but a status."""

    status: int = 200
    body: Json | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    stream: AsyncIterator[bytes] | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A request that has passed the front door; query names are lower-case.

    `base` is the service's address as the caller knows it, `version` the date of the api-version.
    """

    method: str
    base: str
    version: str
    path: str
    parts: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw: bytes
    record: Record | None = None
    optional: bool = False

    def body(self) -> Json:
        """Read the body as its operation declares it; an absent one, where permitted, is an empty object."""
        assert self.record is not None
        if not self.raw.strip() and self.optional:
            return self.record.read({})
        return self.record.read(parse_json(self.raw))

    def number(self, name: str, lowest: int, highest: int) -> int | None:
        """Read an integer of the query."""
        text = self.query.get(name)
        if text is None:
            return None
        if not text.isascii() or not text.isdigit() or len(text) > 9:
            raise _bad_query(name, text, "it must be a whole number")
        if not lowest <= int(text) <= highest:
            raise ServiceError(
                "OutOfRangeQueryParameterValue",
                f"'{name}' must be from {lowest} to {highest}.",
                QueryParameterName=name,
                QueryParameterValue=text,
                MinimumAllowed=lowest,
                MaximumAllowed=highest,
            )
        return int(text)

    def flag(self, name: str) -> bool:
        """Read a boolean of the query; false when it is absent."""
        text = self.query.get(name, "false").lower()
        if text not in ("true", "false"):
            raise _bad_query(name, text, "it must be true or false")
        return text == "true"

    def select(self) -> Callable[[Json], Json]:
        """Return the choice that `$select` makes of an object's properties; check `$expand` as well."""
        if self.query.get("$expand", "stats").strip().lower() not in ("", "stats"):
            raise _bad_query("$expand", self.query["$expand"], "only stats can be expanded")
        return parse_select(self.query.get("$select"))

    def check_conditions(self, revision: int, modified: datetime) -> None:
        """Hold the request's condition headers against a resource; ConditionNotMet otherwise."""
        match, none_match = self.headers.get("if-match"), self.headers.get("if-none-match")
        since, unmodified = self.headers.get("if-modified-since"), self.headers.get("if-unmodified-since")
        if (match and none_match) or (since and unmodified):
            raise ServiceError("MultipleConditionHeadersNotSupported")
        current = etag(revision)
        reading = self.method in ("GET", "HEAD")
        failed = 304 if reading else 412
        if match is not None and not _names(match, current):
            raise ServiceError("ConditionNotMet")
        if none_match is not None and _names(none_match, current):
            raise ServiceError("ConditionNotMet", status=failed)
        whole = modified.replace(microsecond=0)
        if since is not None and whole <= _header_date("If-Modified-Since", since):
            raise ServiceError("ConditionNotMet", status=failed)
        if unmodified is not None and whole > _header_date("If-Unmodified-Since", unmodified):
            raise ServiceError("ConditionNotMet")

    def url(self) -> str:
        """Return the address of this request, without its query."""
        return f"{self.base}{quote(self.path)}"


def parse_json(raw: bytes) -> Any:
    """Parse a body's JSON; InvalidRequestBody when it is none, or text that is no Unicode."""
    try:
        value = json.loads(raw.decode("utf-8-sig"), parse_constant=_no_constant)
        if b"\\u" in raw:
            json.dumps(value, ensure_ascii=False).encode()  # halves of surrogate pairs
    except (ValueError, RecursionError) as exc:
        raise ServiceError("InvalidRequestBody", "The body is not valid JSON.", Reason=str(exc)[:200]) from exc
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _names(header: str, current: str) -> bool:
    tags = [tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")]
    return "*" in tags or current in tags


def _header_date(name: str, text: str) -> datetime:
    try:
        return parse_moment(text)
    except ValueError as exc:
        raise ServiceError(
            "InvalidHeaderValue", f"The header {name} is no date.", HeaderName=name, HeaderValue=text
        ) from exc


def _bad_query(name: str, text: str, reason: str) -> ServiceError:
    return ServiceError(
        "InvalidQueryParameterValue",
        f"'{name}' can't be taken: {reason}.",
        QueryParameterName=name,
        QueryParameterValue=text[:500],
        Reason=reason,
    )


def versioned(record: Versioned, url: str | None = None) -> dict[str, str]:
    """Make the headers of a resource that has an ETag."""
    headers = {"ETag": etag(record.revision), "Last-Modified": http_date(record.modified)}
    return headers if url is None else {**headers, "DataServiceId": url}


def changed(call: Call, record: Versioned, status: int = 200) -> Reply:
    """Answer a request that has changed a resource."""
    return Reply(status, headers=versioned(record, call.url()))


def created(call: Call, record: Versioned, path: str) -> Reply:
    """Answer a request that has made the resource at `path`."""
    url = f"{call.base}/{path}"
    return Reply(201, headers={**versioned(record, url), "Location": url})


def listing[R](
    call: Call,
    kind: str,
    items: Iterable[R],
    view: Callable[[R], Json],
    token: Callable[[R], str],
    filters: Properties[R] | None = None,
    most: int = MOST_RESULTS,
) -> Reply:
    """Answer one page of `items` and the link to the next.

    The items begin after the request's `$skiptoken`; those that its `$filter` refuses are left out.
    """
    if filters is not None and "$filter" in call.query:
        items = filter(parse_filter(call.query["$filter"], filters), items)
    limit = call.number("maxresults", 1, most) or most
    choose = call.select()
    page: list[Json] = []
    last: R | None = None
    body: Json = {"odata.metadata": f"{call.base}/$metadata#{kind}", "value": page}
    for item in items:
        if len(page) == limit:
            assert last is not None
            query = {**call.query, "$skiptoken": token(last)}
            body["odata.nextLink"] = f"{call.url()}?{urlencode(query, quote_via=quote)}"
            break
        page.append(choose(view(item)))
        last = item
    return Reply(body=body)


def empty_listing(call: Call, kind: str) -> Reply:
    """Answer a list that never has an entry."""
    return listing(call, kind, list[Json](), dict, str)


def numeric_token(call: Call) -> int:
    """Read the request's `$skiptoken` where it is a number; -1 for the first page."""
    text = call.query.get("$skiptoken")
    if text is None:
        return -1
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise _bad_query("$skiptoken", text, "it is none of this service's")
    return int(text)


def one(call: Call, kind: str, view: Json, headers: Mapping[str, str] | None = None) -> Reply:
    """Answer a single resource."""
    body = {"odata.metadata": f"{call.base}/$metadata#{kind}/@Element", **call.select()(view)}
    return Reply(body=body, headers=headers or {})
