"""COVERAGE.md and README.md are true."""

import pytest

from local_cloud.batch.rest.fields import Support
from local_cloud.batch.rest.versions import RETIRED_OF_POOLS
from tests.local_cloud.batch.coverage import TESTS, documents, fields_done, fields_shown, records

# Gone from the published API, still sent by older clients.
OLDER = {
    "BatchTaskCreateOptions.authenticationTokenSettings",
    "BatchPoolReplaceOptions.targetNodeCommunicationMode",
    *(
        f"{record}.{field}"
        for record in ("BatchPoolCreateOptions", "BatchPoolUpdateOptions", "BatchPoolSpecification")
        for field in RETIRED_OF_POOLS
    ),
}


def test_every_field_marked_done_is_shown_to_have_an_effect():
    """Each field marked done names a test that shows its effect, and no test claims a field that is not."""
    assert fields_done() - fields_shown(TESTS).keys() == set()
    assert fields_shown(TESTS).keys() - fields_done() == set()


@pytest.mark.parametrize("name", sorted(records()))
def test_every_published_field_is_declared(schema, name):
    """Every property that the API publishes for a request's body is done, ignored, refused or read-only."""
    record, published = records()[name], schema["$defs"][name]["properties"].keys()
    declared = record.fields.keys()

    assert published - declared - record.read_only == set()
    assert {f"{name}.{field}" for field in declared - published} <= OLDER


def test_every_published_body_is_declared(schema):
    """Every request body of an operation that is done is read by a declared record."""
    from local_cloud.batch.rest.handlers import OPERATIONS

    bodies = {(route["method"], route["path"]): route["request"] for route in schema["routes"]}
    for entry in OPERATIONS:
        if entry.before is not None:
            continue
        published = bodies[entry.method, entry.published_path]
        if entry.support is Support.DONE:
            wanted = None if published is None else published["$ref"].rpartition("/")[2]
            assert (entry.body and entry.body.name) == wanted, entry.path


def test_the_documents_are_up_to_date():
    """What is written by the code in COVERAGE.md and README.md is what the code says.

    `python -m tests.local_cloud.batch.coverage` renews it.
    """
    assert {path: path.read_text(encoding="utf-8") for path in documents()} == documents()


def test_every_refused_operation_says_why():
    """A reader of the table learns what is missing."""
    from local_cloud.batch.rest.handlers import OPERATIONS

    refused = [entry for entry in OPERATIONS if entry.support is not Support.DONE]
    assert [entry.path for entry in refused if not entry.reason] == []
