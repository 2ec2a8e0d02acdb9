"""The language of $filter and $select, and what each list permits."""

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_cloud.batch.rest.handlers import account, files, jobs, nodes, pools, tasks
from local_cloud.batch.rest.odata import ORDER, PREFIX, Property, Type, parse_filter, parse_select
from local_cloud.batch.state.errors import ServiceError


@dataclass
class Thing:
    id: str
    state: str = "active"
    born: datetime | None = None
    code: int | None = None
    good: bool = False


PROPERTIES = {
    "id": Property[Thing](lambda thing: thing.id, operators=PREFIX | ORDER),
    "state": Property[Thing](lambda thing: thing.state),
    "info/born": Property[Thing](lambda thing: thing.born, Type.MOMENT, ORDER),
    "info/code": Property[Thing](lambda thing: thing.code, Type.NUMBER, ORDER),
    "good": Property[Thing](lambda thing: thing.good, Type.BOOLEAN),
}
THINGS = [
    Thing("Alpha", "active", datetime(2026, 11, 22, 8, tzinfo=UTC), 0),
    Thing("beta", "completed", datetime(2026, 11, 22, 9, tzinfo=UTC), 137, good=True),
    Thing("Gamma", "running"),
    Thing("it's", "running", datetime(2026, 11, 23, tzinfo=UTC), -1),
]


def chosen(text):
    test = parse_filter(text, PROPERTIES)
    return [thing.id for thing in THINGS if test(thing)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("state eq 'active'", ["Alpha"]),
        ("state eq 'ACTIVE'", ["Alpha"]),
        ("state ne 'running'", ["Alpha", "beta"]),
        ("startswith(id,'AL')", ["Alpha"]),
        ("startswith(id, '')", ["Alpha", "beta", "Gamma", "it's"]),
        ("id eq 'it''s'", ["it's"]),
        ("id gt 'alpha' and id lt 'h'", ["beta", "Gamma"]),
        ("info/born ge DateTime'2026-11-22T09:00:00Z'", ["beta", "it's"]),
        ("info/born ge datetime'2026-11-22T09:00:00.0000000Z'", ["beta", "it's"]),
        ("info/born lt DateTime'Sun, 22 Nov 2026 08:30:00 GMT'", ["Alpha"]),
        ("info/born lt DateTime'2026-11-22T09:30:00+01:00'", ["Alpha"]),
        ("info/code gt 0", ["beta"]),
        ("info/code lt 0", ["it's"]),
        ("info/code ne 137", ["Alpha", "Gamma", "it's"]),
        ("good eq true", ["beta"]),
        ("state eq 'active' or state eq 'completed' and info/code eq 0", ["Alpha"]),
        ("(state eq 'active' or state eq 'completed') and info/code eq 137", ["beta"]),
        ("((state eq 'running'))and(good eq false)", ["Gamma", "it's"]),
        ("state eq 'active' OR state eq 'running'", ["Alpha", "Gamma", "it's"]),
    ],
)
def test_a_filter_chooses(text, expected):
    """and binds more than or; words and values ignore case; dates may be W3C or RFC 1123."""
    assert chosen(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "state",
        "state eq",
        "state eq active",
        "state gt 'active'",
        "State eq 'active'",
        "nothing eq 1",
        "info/code eq '137'",
        "info/born eq '2026-11-22'",
        "info/born ge DateTime'soon'",
        "info/born ge DateTime'0001-01-01T00:00:00+23:00'",
        "good eq 'true'",
        "good startswith 'x'",
        "startswith(state,'a')",
        "startswith(id)",
        "startswith(id,'a'",
        "startswith id,'a'",
        "contains(id,'a')",
        "not (state eq 'active')",
        "state eq 'active' and",
        "and state eq 'active'",
        "state eq 'active' state eq 'active'",
        "(state eq 'active'",
        "state eq 'active')",
        "state eq 'unclosed",
        "'active' eq state",
        "(" * 60 + "state eq 'active'" + ")" * 60,
        "state eq 'a' ; drop",
    ],
)
def test_what_a_list_does_not_allow_is_refused(text):
    """Unknown properties, operators that are not allowed, wrong types and broken text are 400."""
    with pytest.raises(ServiceError) as refusal:
        parse_filter(text, PROPERTIES)
    assert (refusal.value.status, refusal.value.code) == (400, "InvalidQueryParameterValue")


@given(st.text(alphabet=st.sampled_from("stateidand or()',eqgx0.5-/\x00é "), max_size=60))
def test_any_text_is_a_filter_or_refused(text):
    """No text makes the parser fail in another way than by refusing it."""
    try:
        test = parse_filter(text, PROPERTIES)
    except ServiceError:
        return
    for thing in THINGS:
        assert test(thing) in (True, False)


@given(st.lists(st.sampled_from(["active", "running", "completed"]), min_size=1, max_size=5))
def test_or_is_a_union(states):
    """Conditions joined by or choose what any of them chooses."""
    text = " or ".join(f"state eq '{state}'" for state in states)

    assert chosen(text) == [thing.id for thing in THINGS if thing.state in states]


@pytest.mark.parametrize(
    ("properties", "allowed", "forbidden"),
    [
        (tasks.FILTERS, "executionInfo/exitCode ge 1", "displayName eq 'x'"),
        (tasks.FILTERS, "startswith(id,'x')", "id eq 'x'"),
        (jobs.FILTERS, "startswith(executionInfo/poolId,'x')", "priority eq 1"),
        (pools.FILTERS, "enableAutoScale eq true", "targetDedicatedNodes eq 1"),
        (nodes.FILTERS, "startTaskInfo/exitCode ne 0", "id eq 'x'"),
        (nodes.FILTERS, "startTaskInfo/state eq 'running'", "startTaskInfo/state ne 'running'"),
        (files.FILTERS, "startswith(name,'wd')", "name eq 'wd'"),
        (nodes.NODE_COUNT_FILTERS, "poolId eq 'p'", "poolId ne 'p'"),
        (account.IMAGE_FILTERS, "osType ne 'windows'", "capabilities eq 'x'"),
    ],
)
def test_each_list_has_its_own_properties(properties, allowed, forbidden):
    """Each list allows its own properties and operators and no others."""
    assert callable(parse_filter(allowed, properties))
    with pytest.raises(ServiceError):
        parse_filter(forbidden, properties)


def test_a_selection_keeps_what_it_names():
    """$select keeps whole properties or parts of them; unknown names select nothing."""
    view = {"id": "t", "state": "active", "info": {"code": 1, "text": "x"}}

    assert parse_select("id, info/code")(view) == {"id": "t", "info": {"code": 1}}
    assert parse_select("info")(view) == {"info": {"code": 1, "text": "x"}}
    assert parse_select("nothing")(view) == {}
    assert parse_select(None)(view) == view
