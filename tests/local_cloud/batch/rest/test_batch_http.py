"""What holds for every request: versions, limits, conditions, identifiers, errors."""

import asyncio
import json
from urllib.parse import quote

import pytest

JOB = {"id": "j", "poolInfo": {"poolId": "none"}}


async def make_job(raw):
    answer = await raw.send("POST", "/jobs", JOB)
    assert answer.status == 201
    return answer


async def test_an_answer_waits_for_no_acknowledgement(raw):
    """The fastest answers on a connection take a few milliseconds, not the 40 that small packets held back cost."""
    loop = asyncio.get_running_loop()
    took = []
    for _ in range(50):  # a new connection is acknowledged at once for a while
        began = loop.time()
        await raw.send("GET", "/pools")
        took.append(loop.time() - began)

    assert min(took[30:]) < 0.03


async def test_an_error_has_the_services_envelope(raw):
    """An error is code, message in a language and values, with the ids of the request in the message."""
    answer = await raw.send("POST", "/jobs", {"id": "j"})

    assert (answer.status, answer.headers["content-type"]) == (400, "application/json; odata=minimalmetadata")
    assert answer.body["code"] == "MissingRequiredProperty"
    assert answer.body["message"]["lang"] == "en-US"
    assert answer.body["message"]["value"].startswith("A required property was not specified in the request body.\n")
    assert f"RequestId:{answer.headers['request-id']}\nTime:" in answer.body["message"]["value"]
    assert {"key": "PropertyName", "value": "poolInfo"} in answer.body["values"]


async def test_the_callers_id_comes_back_when_asked_for(raw):
    """client-request-id is answered when return-client-request-id is true, and not otherwise."""
    ids = {"client-request-id": "9c4d50ee-2d56-4cd3-8152-34347dc9f2b0"}

    silent = await raw.send("GET", "/jobs", headers=ids)
    asked = await raw.send("GET", "/jobs", headers={**ids, "return-client-request-id": "true"})

    assert "client-request-id" not in silent.headers
    assert asked.headers["client-request-id"] == ids["client-request-id"]
    assert asked.headers["request-id"] != silent.headers["request-id"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "MissingRequiredQueryParameter"),
        ("api-version=2010-01-01", "UnsupportedRequestVersion"),
        ("api-version=2025-06-01&nonsense=1", "UnsupportedQueryParameter"),
        ("api-version=2025-06-01&maxresults=0", "OutOfRangeQueryParameterValue"),
        ("api-version=2025-06-01&maxresults=1001", "OutOfRangeQueryParameterValue"),
        ("api-version=2025-06-01&maxresults=ten", "InvalidQueryParameterValue"),
        ("api-version=2025-06-01&$filter=nonsense%20eq%201", "InvalidQueryParameterValue"),
        ("api-version=2025-06-01&$expand=everything", "InvalidQueryParameterValue"),
        ("api-version=2025-06-01&$skiptoken=x", "InvalidQueryParameterValue"),
        ("api-version=2025-06-01&$select=,", "InvalidQueryParameterValue"),
    ],
)
async def test_a_query_that_is_wrong_says_how(raw, query, code):
    """Missing, unknown and malformed query parameters are 400 with the service's code."""
    answer = await raw.send("GET", "/jobs", query=query)

    assert (answer.status, answer.code) == (400, code)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nonsense", 400, "InvalidUri"),
        ("PUT", "/jobs", 405, "UnsupportedHttpVerb"),
        ("GET", "/jobs/none", 404, "JobNotFound"),
        ("GET", "/jobs/none/tasks", 404, "JobNotFound"),
        ("GET", "/jobs/none/tasks/t", 404, "JobNotFound"),
        ("GET", "/pools/none", 404, "PoolNotFound"),
        ("GET", "/pools/none/nodes/n", 404, "PoolNotFound"),
        ("GET", "/pools/ilastik/nodes/n", 404, "NodeNotFound"),
        ("GET", "/jobschedules/s", 404, "JobScheduleNotFound"),
        ("GET", "/applications/a", 404, "ApplicationNotFound"),
    ],
)
async def test_what_is_not_there_says_so(raw, method, path, status, code):
    """Every missing resource has its own code."""
    answer = await raw.send(method, path)

    assert (answer.status, answer.code) == (status, code)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b'{"id": NaN}', b'{"id": "\\ud800"}', b"[" * 100_000],
)
async def test_a_body_that_is_no_json_object_is_refused(raw, body):
    """A body that is not a JSON object is InvalidRequestBody."""
    answer = await raw.send("POST", "/jobs", body)

    assert (answer.status, answer.code) == (400, "InvalidRequestBody")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"nonsense": 1}, "InvalidRequestBody"),
        ({"priority": 1001}, "InvalidPropertyValue"),
        ({"priority": "high"}, "InvalidRequestBody"),
        ({"priority": True}, "InvalidRequestBody"),
        ({"id": "with space"}, "InvalidPropertyValue"),
        ({"id": "x" * 65}, "InvalidPropertyValue"),
        ({"id": ""}, "InvalidPropertyValue"),
        ({"maxParallelTasks": 0}, "InvalidPropertyValue"),
        ({"onAllTasksComplete": "explode"}, "InvalidPropertyValue"),
        ({"constraints": {"maxWallClockTime": "an hour"}}, "InvalidRequestBody"),
        ({"constraints": []}, "InvalidRequestBody"),
        ({"poolInfo": {"autoPoolSpecification": {}}}, "MissingRequiredProperty"),
        ({"jobManagerTask": {"id": "x", "commandLine": "x"}}, "UnsupportedProperty"),
    ],
)
async def test_a_property_that_is_wrong_is_named(raw, change, code):
    """A property that is unknown, of a wrong type, out of range or not done is refused by its name."""
    answer = await raw.send("POST", "/jobs", {**JOB, **change})

    assert (answer.status, answer.code) == (400, code)
    named = {entry["value"] for entry in answer.body["values"] if entry["key"] == "PropertyName"}
    assert any(name.split(".")[0] in change for name in named)


async def test_integers_may_be_strings_and_words_in_any_case(raw):
    """Numbers written as strings and words in other case, as some clients send them, are understood."""
    answer = await raw.send("POST", "/jobs", {**JOB, "priority": "12", "onAllTasksComplete": "NoAction"})
    assert answer.status == 201

    job = (await raw.send("GET", "/jobs/j")).body

    assert (job["priority"], job["onAllTasksComplete"]) == (12, "noaction")


async def test_nulls_are_as_if_absent(raw):
    """A property that is null counts as not given."""
    assert (await raw.send("POST", "/jobs", {**JOB, "priority": None, "displayName": None})).status == 201


async def test_bodies_above_one_megabyte_are_refused(raw):
    """A body above 1 MB is 413 RequestBodyTooLarge; one just below is taken."""
    await make_job(raw)
    room = (1 << 20) - len(json.dumps({"id": "t", "commandLine": ""})) - 100
    pieces = [{"name": f"v{n}", "value": "x" * 30_000} for n in range(30)]

    fits = await raw.send("POST", "/jobs/j/tasks", {"id": "t", "commandLine": "x", "environmentSettings": pieces})
    over = await raw.send("POST", "/jobs/j/tasks", b" " * (room + 200) + b'{"id": "u", "commandLine": "x"}')
    far_over = await raw.send("POST", "/jobs/j/tasks", b"x" * (5 << 20))

    assert fits.status == 201
    assert (over.status, over.code) == (413, "RequestBodyTooLarge")
    assert (far_over.status, far_over.code) == (413, "RequestBodyTooLarge")


async def test_a_collection_holds_at_most_a_hundred_tasks(raw):
    """101 tasks in one request are refused, and none of them is added."""
    await make_job(raw)
    tasks = [{"id": f"t{n}", "commandLine": "x"} for n in range(101)]

    answer = await raw.send("POST", "/jobs/j/addtaskcollection", {"value": tasks})

    assert (answer.status, answer.code) == (400, "InvalidPropertyValue")
    assert (await raw.send("GET", "/jobs/j/tasks")).body["value"] == []


async def test_an_etag_guards_a_change(raw):
    """If-Match with an old ETag is 412, with the present one or * it passes; the ETag is in body and header."""
    await make_job(raw)
    read = await raw.send("GET", "/jobs/j")
    tag = read.headers["etag"]
    assert tag == read.body["eTag"]

    first = await raw.send("PATCH", "/jobs/j", {"priority": 1}, headers={"If-Match": tag})
    stale = await raw.send("PATCH", "/jobs/j", {"priority": 2}, headers={"If-Match": tag})
    quoted = await raw.send("PATCH", "/jobs/j", {"priority": 2}, headers={"If-Match": f'"{first.headers["etag"]}"'})
    anyone = await raw.send("PATCH", "/jobs/j", {"priority": 3}, headers={"If-Match": "*"})

    assert (first.status, quoted.status, anyone.status) == (200, 200, 200)
    assert (stale.status, stale.code) == (412, "ConditionNotMet")
    assert first.headers["etag"] != tag
    assert (await raw.send("GET", "/jobs/j")).body["priority"] == 3


async def test_conditions_of_a_read(raw):
    """If-None-Match and If-Modified-Since answer 304 without a body when nothing has changed."""
    await make_job(raw)
    read = await raw.send("GET", "/jobs/j")
    tag, modified = read.headers["etag"], read.headers["last-modified"]

    same = await raw.send("GET", "/jobs/j", headers={"If-None-Match": tag})
    unchanged = await raw.send("GET", "/jobs/j", headers={"If-Modified-Since": modified})
    older = await raw.send("GET", "/jobs/j", headers={"If-Modified-Since": "Mon, 01 Jan 2024 00:00:00 GMT"})
    both = await raw.send("GET", "/jobs/j", headers={"If-None-Match": tag, "If-Match": tag})
    no_date = await raw.send("GET", "/jobs/j", headers={"If-Modified-Since": "yesterday"})
    gone_by = await raw.send("DELETE", "/jobs/j", headers={"If-Unmodified-Since": "Mon, 01 Jan 2024 00:00:00 GMT"})

    assert [(answer.status, answer.raw) for answer in (same, unchanged)] == [(304, b"")] * 2
    assert older.status == 200
    assert (both.status, both.code) == (400, "MultipleConditionHeadersNotSupported")
    assert (no_date.status, no_date.code) == (400, "InvalidHeaderValue")
    assert (gone_by.status, gone_by.code) == (412, "ConditionNotMet")


async def test_pages_end_without_a_link(raw):
    """odata.nextLink is there as long as something follows, and carries filter and selection along."""
    for n in range(5):
        await raw.send("POST", "/jobs", {"id": f"j{n}", "poolInfo": {"poolId": "none"}})
    wanted = quote("startswith(id,'J') and state eq 'active'")
    answer = await raw.send("GET", "/jobs", query=f"api-version=2025-06-01&maxresults=2&$select=id&$filter={wanted}")
    pages = [answer.body["value"]]
    while "odata.nextLink" in answer.body:
        answer = await raw.follow(answer.body["odata.nextLink"])
        pages.append(answer.body["value"])

    assert pages == [[{"id": "j0"}, {"id": "j1"}], [{"id": "j2"}, {"id": "j3"}], [{"id": "j4"}]]


async def test_what_is_not_done_answers_as_the_service_would(raw):
    """Operations that are not done have an error or an empty list of the service's own."""
    await make_job(raw)
    nodes = (await raw.send("GET", "/pools/ilastik/nodes")).body["value"]
    node = f"/pools/ilastik/nodes/{nodes[0]['id']}"

    assert (await raw.send("POST", f"{node}/reimage", {})).code == "OperationNotValidOnNode"
    assert (await raw.send("GET", f"{node}/extensions")).body["value"] == []
    assert (await raw.send("GET", f"{node}/extensions/x")).code == "ResourceNotFound"
    assert (await raw.send("POST", "/jobschedules", {})).code == "OperationInvalidForCurrentState"
    assert (await raw.send("GET", "/jobschedules")).body["value"] == []
