"""Whatever is sent, the answer is the service's: never a 500, never a traceback, never silence."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local_cloud.batch.rest.handlers import OPERATIONS
from tests.local_cloud.batch.running import Answer, RawClient, running_service

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
IDS = st.sampled_from(["j", "J", "p", "t", "none", "", "x" * 70, "a b", "ü", "..", "%"])
FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


class Conversation:
    """A service whose nodes never come up (so that nothing of this is run), and a client of it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._enter()

    def _enter(self) -> None:
        self._service = running_service(allocation_time=1e6)
        running = self.loop.run_until_complete(self._service.__aenter__())
        self._raw = running.raw()
        self.client: RawClient = self.loop.run_until_complete(self._raw.__aenter__())

    def send(self, *arguments: Any, **options: Any) -> Answer:
        return self.loop.run_until_complete(asyncio.wait_for(self.client.send(*arguments, **options), 20))

    def close(self) -> None:
        self.loop.run_until_complete(self._raw.__aexit__(None, None, None))
        self.loop.run_until_complete(self._service.__aexit__(None, None, None))
        self.loop.close()


@pytest.fixture(scope="module")
def talk() -> Iterator[Conversation]:
    conversation = Conversation()
    conversation.send("POST", "/pools", {"id": "p", "vmSize": "s", "targetDedicatedNodes": 1})
    conversation.send("POST", "/jobs", {"id": "j", "poolInfo": {"poolId": "none"}})
    conversation.send("POST", "/jobs/j/tasks", {"id": "t", "commandLine": "true"})
    yield conversation
    conversation.close()


@pytest.fixture(scope="module")
def judge(schema, conforms):
    """Fails on an answer that is not the service's."""

    def check(answer: Answer, method: str) -> None:
        assert answer.status < 500, answer.raw[:500]
        if answer.status >= 400 and method != "HEAD":
            conforms(answer.body, schema["error"])
            assert answer.body["code"] not in ("", "InternalError")
            assert b"Traceback" not in answer.raw

    return check


def values(schema: dict[str, Any], wanted: dict[str, Any], depth: int = 0) -> st.SearchStrategy[Any]:
    """Values that a schema permits, and now and then something else."""
    if "$ref" in wanted:
        wanted = schema["$defs"][wanted["$ref"].rpartition("/")[2]]
    kind = wanted.get("type")
    if "enum" in wanted:
        good: st.SearchStrategy[Any] = st.sampled_from(wanted["enum"])
    elif kind == "object" and depth < 5:
        good = st.deferred(lambda: objects(schema, wanted, depth + 1))
    elif kind == "array" and depth < 5:
        good = st.lists(values(schema, wanted["items"], depth + 1), max_size=3)
    elif kind == "integer":
        good = st.integers(-2, 3) | st.sampled_from(["1", "x", 2**31, -(2**63), 10**30])
    elif kind == "number":
        good = st.floats()
    elif kind == "boolean":
        good = st.booleans()
    elif "pattern" in wanted:
        good = st.sampled_from(["PT5M", "PT1H", "P1D", "PT", "P1Y", "-PT1S", "2026-11-22T08:00:00Z", "x"])
    else:
        good = IDS | st.text(max_size=30)
    return st.integers(0, 19).flatmap(lambda chance: ANYTHING if chance == 0 else good)


def objects(schema: dict[str, Any], wanted: dict[str, Any], depth: int) -> st.SearchStrategy[Any]:
    properties = wanted.get("properties", {})
    needed = set(wanted.get("required", ()))
    return st.fixed_dictionaries(
        {name: values(schema, properties[name], depth) for name in needed},
        optional={name: values(schema, inner, depth) for name, inner in properties.items() if name not in needed},
    )


def address(template: str, draw: Any) -> str:
    parts = []
    for part in template.strip("/").split("/"):
        parts.append(quote(draw(IDS), safe="") if part.startswith("{") else part)
    return "/" + "/".join(parts)


@FEW
@given(data=st.data())
def test_bodies_by_the_schema_and_beside_it(talk, judge, schema, data):
    """Bodies that nearly follow the schema are done or refused with the service's error."""
    routes = [route for route in schema["routes"] if route["request"] is not None]
    route = data.draw(st.sampled_from(routes))
    body = data.draw(values(schema, route["request"]))
    try:
        raw = json.dumps(body).encode()
    except ValueError:
        raw = b"{}"

    judge(talk.send(route["method"], address(route["path"], data.draw), raw), route["method"])


@FEW
@given(data=st.data())
def test_paths_and_queries(talk, judge, data):
    """Any query on any operation is answered or refused with the service's error."""
    operation = data.draw(st.sampled_from(OPERATIONS))
    names = st.sampled_from([*sorted(operation.query), "api-version", "timeOut", "nonsense"])
    pairs = data.draw(st.dictionaries(names, st.text(max_size=40) | st.integers(-1, 2000).map(str), max_size=4))
    query = "&".join(f"{quote(name)}={quote(text)}" for name, text in {"api-version": "2025-06-01", **pairs}.items())

    judge(talk.send(operation.method, address(operation.path, data.draw), query=query), operation.method)


@FEW
@given(body=st.binary(max_size=200) | st.text(max_size=200).map(str.encode), path=st.sampled_from(["/jobs", "/pools"]))
def test_bytes_that_are_no_json(talk, judge, body, path):
    """Any bytes as a body are refused as no valid request."""
    answer = talk.send("POST", path, body)

    judge(answer, "POST")
    assert answer.status == 400


HEADER = st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=60)


@FEW
@given(
    authorization=HEADER
    | HEADER.map(lambda text: f"SharedKey localbatch:{text}")
    | HEADER.map(lambda text: f"Bearer {text}"),
    date=HEADER,
)
def test_signatures_that_are_none(talk, judge, authorization, date):
    """No made-up credential opens the service."""
    headers = {"authorization": authorization.strip() or "x", "ocp-date": date.strip() or "x"}

    answer = talk.send("GET", "/pools", headers=headers)

    judge(answer, "GET")
    assert answer.code == "AuthenticationFailed"


@FEW
@given(
    name=st.sampled_from(
        ["If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "ocp-range", "client-request-id"]
    ),
    text=HEADER.map(str.strip).filter(bool),
    path=st.sampled_from(["/jobs/j", "/jobs/j/tasks/t", "/pools/p"]),
)
def test_conditions_that_are_none(talk, judge, name, text, path):
    """Any text in a condition header is answered or refused with the service's error."""
    judge(talk.send("GET", path, headers={name: text, "return-client-request-id": "true"}), "GET")


LOCAL = st.sampled_from(
    ["faults", "identities", "pools/p/faults", "pools/none/faults", "pools/p/nodes/x/lose", "token", "nonsense"]
)


@FEW
@given(path=LOCAL, body=ANYTHING, method=st.sampled_from(["GET", "POST", "DELETE", "PUT"]))
def test_the_local_routes_too(talk, judge, path, body, method):
    """The service's own routes refuse what they do not know in the same form."""
    try:
        raw = json.dumps(body, allow_nan=False).encode()
    except ValueError:
        raw = b"nonsense"

    judge(talk.send(method, f"/_local/{path}", raw, signed=False), method)
    talk.send("DELETE", "/_local/faults", signed=False)
