"""Transactions of rows, beside the SDK's own: the same requests are sent, the same answers understood."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from attrs import define, field
from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError
from azure.data.tables import EdmType, EntityProperty, UpdateMode
from azure.data.tables.aio import TableClient, TableServiceClient
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_ops.adapters import transactions
from batch_ops.adapters.sdk_errors import calls, code_of
from batch_ops.adapters.transactions import Operation
from batch_ops.domain.errors import ServiceFault

ETAG = "W/\"datetime'2026-03-01T12%3A00%3A00.0000001Z'\""
WRITTEN = f"HTTP/1.1 204 No Content\r\nCache-Control: no-cache\r\nETag: {ETAG}\r\n\r\n\r\n"
REMOVED = "HTTP/1.1 204 No Content\r\nX-Content-Type-Options: nosniff\r\n\r\n\r\n"
# As the service has it: its text quotes what was sent.
CHANGED = (
    "HTTP/1.1 412 Precondition Failed\r\nDataServiceVersion: 3.0;\r\nContent-Type: application/json;charset=utf-8\r\n"
    '\r\n{"odata.error":{"code":"UpdateConditionNotSatisfied","message":{"lang":"en-US","value":'
    '"1:HTTP/1.1 204 No Content\\nRequestId:0"}}}\r\n'
)
UNREADABLE = (
    "HTTP/1.1 400 Bad Request\r\nDataServiceVersion: 1.0;\r\nContent-Type: application/xml;charset=utf-8\r\n\r\n"
    '<?xml version="1.0" encoding="utf-8"?><error xmlns="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"'
    '><code>InvalidInput</code><message xml:lang="en-US">An error.\nRequestId:0</message></error>\r\n'
)
REPLACE: dict[str, Any] = {"mode": UpdateMode.REPLACE}
GUARD: dict[str, Any] = {"etag": ETAG, "match_condition": MatchConditions.IfNotModified}

type Rows = Sequence[dict[str, Any]]


def ours(rows: Rows) -> list[Operation]:
    new, old, any_, part, gone = rows
    return [
        transactions.insert(new),
        transactions.replace(old, ETAG),
        transactions.put(any_),
        transactions.merge(part, ETAG),
        transactions.delete(gone["PartitionKey"], gone["RowKey"]),
    ]


def the_sdks(rows: Rows) -> list[Any]:
    new, old, any_, part, gone = rows
    return [
        ("create", new),
        ("update", old, {**REPLACE, **GUARD}),
        ("upsert", any_, REPLACE),
        ("update", part, {"mode": UpdateMode.MERGE, **GUARD}),
        ("delete", {"PartitionKey": gone["PartitionKey"], "RowKey": gone["RowKey"]}),
    ]


@define
class Service:
    """Keeps the last request, and gives the answer it is told to."""

    status: int = 202
    parts: Sequence[str] = (*[WRITTEN] * 4, REMOVED)
    refusal: str = '{"odata.error": {"code": "AuthorizationFailure"}}'
    asked: dict[str, Any] = field(factory=dict, init=False)
    table: TableClient = field(init=False)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked = {"type": request.headers["Content-Type"], "body": await request.read()}
        if self.status != 202:
            return web.Response(text=self.refusal, status=self.status, content_type="application/json")
        head = "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        inner = "".join(f"--changesetresponse_1\r\n{head}{part}" for part in self.parts)
        text = f"--batchresponse_1\r\nContent-Type: multipart/mixed; boundary=changesetresponse_1\r\n\r\n{inner}"
        body = f"{text}--changesetresponse_1--\r\n--batchresponse_1--\r\n".encode()
        return web.Response(
            status=202, body=body, headers={"Content-Type": "multipart/mixed; boundary=batchresponse_1"}
        )

    def requests(self) -> list[tuple[bytes, str | None, Any]]:
        """What was asked, part by part: first line, If-Match, properties. Text is text, whether or not this is said."""
        outer: Any = message_from_bytes(
            b"Content-Type: %b\r\n\r\n%b" % (self.asked["type"].encode(), self.asked["body"])
        )
        found = []
        for part in outer.get_payload()[0].get_payload():
            line, _, rest = part.get_payload(decode=True).partition(b"\r\n")
            request: Any = message_from_bytes(rest)
            body = request.get_payload().strip()
            if body:
                assert int(request["Content-Length"]) == len(body.encode())
            told = json.loads(body).items() if body else ()
            found.append((line, request["If-Match"], sorted(one for one in told if one[1] != "Edm.String")))
        return found


@asynccontextmanager
async def service(*parts: str, status: int = 202) -> AsyncIterator[Service]:
    there = Service(status, parts) if parts else Service(status)
    app = web.Application()
    app.router.add_post("/account/$batch", there.answer)
    async with TestServer(app) as server:
        text = f"DefaultEndpointsProtocol=http;AccountName=account;AccountKey=a2V5;TableEndpoint={server.make_url('/')}"
        async with TableServiceClient.from_connection_string(f"{text}account", retry_total=0) as tables:
            there.table = tables.get_table_client("files")
            yield there


key_characters = st.characters(exclude_characters="/\\#?", categories=("L", "N", "P", "S", "Z"))
keys = st.text(key_characters, min_size=1, max_size=20)
values = st.one_of(
    st.text(max_size=40),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1).map(lambda number: EntityProperty(number, EdmType.INT64)),
    st.datetimes(datetime(1900, 1, 1), timezones=st.sampled_from([UTC, timezone(timedelta(hours=2))])),
)
entities = st.dictionaries(st.from_regex(r"[a-z_]{1,9}", fullmatch=True), values, max_size=4)
rows_of_a_partition = st.builds(
    lambda partition, keys, entities: [
        {"PartitionKey": partition, "RowKey": key, **entity} for key, entity in zip(keys, entities, strict=True)
    ],
    keys,
    st.lists(keys, min_size=5, max_size=5, unique=True),
    st.lists(entities, min_size=5, max_size=5),
)


@settings(max_examples=30)
@given(rows_of_a_partition)
async def test_requests_are_those_of_the_sdk(rows):
    """Method, address, condition and properties of every operation, whatever keys and texts hold."""
    async with service() as there:
        versions = await transactions.submit(there.table, ours(rows))
        sent = there.requests()
        answers = await there.table.submit_transaction(the_sdks(rows))
        assert sent == there.requests()
        assert versions == [answer.get("etag") or "" for answer in answers] == [ETAG] * 4 + [""]


@pytest.mark.parametrize(
    ("status", "part", "code"),
    [
        (202, CHANGED, "UpdateConditionNotSatisfied"),
        pytest.param(
            *(202, UNREADABLE, "InvalidInput"),
            marks=pytest.mark.filterwarnings("ignore:Testing an element:DeprecationWarning"),
        ),
        (403, "", "AuthorizationFailure"),
    ],
)
async def test_failures_are_told_as_the_sdk_tells_them(status, part, code):
    """By the code of the operation that failed, or of the whole request; texts that quote a request change nothing."""
    rows = [{"PartitionKey": "p", "RowKey": str(number)} for number in range(5)]
    async with service(part, status=status) as there:
        with pytest.raises(HttpResponseError) as by_us:
            await transactions.submit(there.table, ours(rows))
        with pytest.raises(HttpResponseError) as by_the_sdk:
            await there.table.submit_transaction(the_sdks(rows))
        assert code_of(by_us.value) == code_of(by_the_sdk.value) == code
        assert by_us.value.status_code == by_the_sdk.value.status_code


@pytest.mark.parametrize(
    ("status", "part"),
    [
        (503, ""),
        (202, "HTTP/1.1 500 Internal Server Error\r\n\r\n\r\n"),
        (202, "HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain\r\n\r\nbusy\r\nHTTP/1.1 204 No\r\n\r\n"),
    ],
)
async def test_a_failure_without_a_code_is_a_fault_that_passes(status, part):
    """As a proxy gives it, or a front end that is out of breath; with the SDK's own call as with ours."""
    rows = [{"PartitionKey": "p", "RowKey": str(number)} for number in range(5)]
    async with service(part, status=status) as there:
        there.refusal = "upstream is busy"
        with pytest.raises(ServiceFault), calls("Table storage", "write"):
            await transactions.submit(there.table, ours(rows))
        with pytest.raises(ServiceFault), calls("Table storage", "write"):
            await there.table.submit_transaction(the_sdks(rows))


async def test_a_code_is_read_from_any_line():
    """Of JSON that is written for people."""
    rows = [{"PartitionKey": "p", "RowKey": str(number)} for number in range(5)]
    body = json.dumps({"odata.error": {"code": "UpdateConditionNotSatisfied"}}, indent=1).replace("\n", "\r\n")
    async with service(
        f"HTTP/1.1 412 Precondition Failed\r\nContent-Type: application/json\r\n\r\n{body}\r\n"
    ) as there:
        with pytest.raises(HttpResponseError) as failed:
            await transactions.submit(there.table, ours(rows))
        assert code_of(failed.value) == "UpdateConditionNotSatisfied"


async def test_an_answer_that_lacks_parts_is_no_success():
    """Whether the rows were written is not known, so no version of them is made up."""
    async with service(WRITTEN) as there:
        with pytest.raises(AzureError, match="has 1 parts"):
            await transactions.submit(there.table, [transactions.put({"PartitionKey": "p", "RowKey": "1"})] * 2)
