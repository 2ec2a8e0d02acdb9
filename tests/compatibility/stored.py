"""What the version before wrote, read from `data/`; entities as the JSON of Table storage."""

import json
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from azure.data.tables import EdmType, EntityProperty
from azure.data.tables.aio import TableClient

DATA = Path(__file__).parent / "data"
BEFORE = DATA / "1179139"
APP = DATA / "app-1179139.zip"
_TYPE = "@odata.type"


def read(name: str) -> Any:
    """A JSON file of what the version before wrote."""
    return json.loads((BEFORE / name).read_bytes())


def as_entity(wire: Mapping[str, Any]) -> dict[str, Any]:
    """An entity for the SDK."""
    entity: dict[str, Any] = {}
    for name, value in wire.items():
        match wire.get(name + _TYPE):
            case "Edm.Int64":
                entity[name] = EntityProperty(int(value), EdmType.INT64)
            case "Edm.DateTime":
                entity[name] = datetime.fromisoformat(value)
            case _ if not name.endswith(_TYPE):
                entity[name] = value
    return entity


def as_wire(entity: Mapping[str, Any]) -> dict[str, Any]:
    """The reverse of `as_entity`, of what the SDK read."""
    wire: dict[str, Any] = {}
    for name, value in entity.items():
        if isinstance(value, EntityProperty):
            wire[name + _TYPE], wire[name] = str(EdmType(value.edm_type).value), str(value.value)
        elif isinstance(value, datetime):
            wire[name + _TYPE], wire[name] = "Edm.DateTime", value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        else:
            wire[name] = value
    return wire


async def fill(table: TableClient, name: str) -> None:
    """Put a file's entities into a table."""
    for wire in read(name):
        await table.create_entity(as_entity(wire))


async def contents(table: TableClient) -> AsyncIterator[dict[str, Any]]:
    """Every entity of a table."""
    async for entity in table.list_entities():
        yield as_wire(entity)


def by_key(entities: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """Entities by partition and row key."""
    return {(entity["PartitionKey"], entity["RowKey"]): entity for entity in entities}
