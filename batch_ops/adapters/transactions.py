"""Transactions of Azure Table storage: several rows of one partition, all written or none, in one call.

The SDK's own `submit_transaction` writes and reads the bodies of these calls with Python's library for e-mail, which
takes more CPU time than everything else about them. Here they are written and read as the text they are, and sent by
the SDK's client: its identity, tries and connections.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from azure.core.exceptions import AzureError, HttpResponseError, ODataV4Format
from azure.core.rest import HttpRequest
from azure.data.tables import EdmType, EntityProperty
from azure.data.tables.aio import TableClient

_ACCEPTED = 202
_LINE = "\r\n"
_HEADERS = ("x-ms-version: 2019-02-02", "DataServiceVersion: 3.0", "Accept: application/json;odata=minimalmetadata")
# Status, headers and body of a part; it ends where a line begins with dashes, as boundaries do.
_PART = re.compile(
    rb"^HTTP/1\.[01] (\d{3})[^\r\n]*\r?\n((?:[^\r\n]+\r?\n)*)(.*?)(?=\r?\n--|\Z)", re.MULTILINE | re.DOTALL
)
_XML_CODE = re.compile(rb"<code>(\w+)</code>")
_ETAG = re.compile(rb"^etag:[ \t]*([^\r\n]+)", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Operation:
    """What happens to one row. `version`: the one that must be there; "*" is any, "" does not ask."""

    method: str
    entity: Mapping[str, Any]
    version: str = ""


def insert(entity: Mapping[str, Any]) -> Operation:
    """Write a row where none may be."""
    return Operation("POST", entity)


def replace(entity: Mapping[str, Any], version: str) -> Operation:
    """Write a row over this version of it."""
    return Operation("PUT", entity, version)


def put(entity: Mapping[str, Any]) -> Operation:
    """Write a row over whatever is there."""
    return Operation("PUT", entity)


def merge(entity: Mapping[str, Any], version: str) -> Operation:
    """Change some properties of this version of a row."""
    return Operation("PATCH", entity, version)


def delete(partition: str, key: str, version: str = "*") -> Operation:
    """Remove a row that must be there, in this version of it."""
    return Operation("DELETE", {"PartitionKey": partition, "RowKey": key}, version)


async def submit(table: TableClient, operations: Sequence[Operation]) -> list[str]:
    """Carry out at most a hundred operations on different rows of one partition.

    Returns the versions of what was written, in their order ("" where a row was removed). Raises what the SDK raises:
    `HttpResponseError`, with the code of the operation that failed, if nothing was written.
    """
    batch, changes = f"batch_{uuid4()}", f"changeset_{uuid4()}"
    account = table.url.partition("?")[0].rstrip("/")
    request = HttpRequest(
        "POST",
        f"{account}/$batch",
        headers={
            "Content-Type": f"multipart/mixed; boundary={batch}",
            "x-ms-version": table.api_version,
            "DataServiceVersion": "3.0",
            "MaxDataServiceVersion": "3.0;NetFx",
            "Accept": "application/json",
        },
        content=_body(f"{account}/{table.table_name}", operations, batch, changes),
    )
    # The one thing that the SDK does not offer: to send a request of our own.
    response = await table._client.send_request(request, stream=True)
    content = await response.read()
    if response.status_code != _ACCEPTED:
        code = response.headers.get("x-ms-error-code") or _code_in(content)
        raise _failure(response.status_code, code, response)
    return _versions(content, len(operations))


def _body(address: str, operations: Sequence[Operation], batch: str, changes: str) -> bytes:
    lines = [f"--{batch}", f"Content-Type: multipart/mixed; boundary={changes}", ""]
    for number, operation in enumerate(operations):
        lines += (f"--{changes}", "Content-Type: application/http", "Content-Transfer-Encoding: binary")
        lines += (f"Content-ID: {number}", "", *_lines(address, operation))
    lines += (f"--{changes}--", "", f"--{batch}--", "")
    return _LINE.join(lines).encode()


def _lines(address: str, operation: Operation) -> list[str]:
    """Return an operation as a request of its own."""
    entity = operation.entity
    if operation.method == "POST":
        head = [f"POST {address} HTTP/1.1", *_HEADERS, "Prefer: return-no-content"]
    else:
        keys = f"PartitionKey='{_quoted(entity['PartitionKey'])}',RowKey='{_quoted(entity['RowKey'])}'"
        head = [f"{operation.method} {address}({keys}) HTTP/1.1", *_HEADERS]
    if operation.version:
        head.append(f"If-Match: {operation.version}")
    if operation.method == "DELETE":
        return [*head, "", ""]
    content = _json(entity)
    return [*head, "Content-Type: application/json", f"Content-Length: {len(content)}", "", content]


def _quoted(key: str) -> str:
    return quote(key.replace("'", "''"), safe="")


def _json(entity: Mapping[str, Any]) -> str:
    """Return ASCII, so that characters are bytes. What has no type of its own in JSON is named beside its value."""
    found: dict[str, Any] = {}
    for name, value in entity.items():
        if isinstance(value, EntityProperty):
            found[name], found[f"{name}@odata.type"] = str(value.value), EdmType(value.edm_type).value
        elif isinstance(value, datetime):
            found[name] = f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
            found[f"{name}@odata.type"] = EdmType.DATETIME.value
        else:
            found[name] = value
    return json.dumps(found, allow_nan=False)


def _versions(content: bytes, expected: int) -> list[str]:
    parts = _PART.findall(content)
    for status, _, body in parts:
        if not status.startswith(b"2"):
            raise _failure(int(status), _code_in(body))
    if len(parts) != expected:
        # Whether it was carried out is not known.
        raise AzureError(f"The answer to a transaction of {expected} operations has {len(parts)} parts.")
    found = (_ETAG.search(headers) for _, headers, _ in parts)
    return [version[1].decode().strip() if version else "" for version in found]


def _failure(status: int, code: str, response: Any = None) -> HttpResponseError:
    error = HttpResponseError(f"The transaction failed ({status} {code or 'without a code'}).", response)
    # A proxy or an overloaded front end gives none.
    error.status_code, error.error = status, ODataV4Format({"code": code}) if code else None
    return error


def _code_in(body: bytes) -> str:
    """Return the code of an error, in JSON or, where the service could not read the request, in XML; "" for none."""
    try:
        return str(json.loads(body)["odata.error"]["code"])
    except (ValueError, KeyError, TypeError):
        return code[1].decode() if (code := _XML_CODE.search(body)) else ""
