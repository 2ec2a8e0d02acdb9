"""Who visits, and what is theirs."""

import base64
import json

import pytest

from batch_ops.domain.page_groups import NO_GROUPS, PageGroups
from batch_ops.page.visitors import AppRole, visitor_of
from tests.unit.page.browser import principal

GROUPS = PageGroups.parse('{"G1": ["fly", "a\\u0308"], "g2": ["worm"]}')


def test_a_member_sees_and_steers_by_role_and_group():
    """Viewers and owners have what is their groups'; owners steer it; operators and admins have everything."""
    viewer = visitor_of(principal("viewer", groups=("g1",)), GROUPS)
    owner = visitor_of(principal("Viewer", "owner", groups=("g1", "G2")), GROUPS)
    operator = visitor_of(principal("operator"), GROUPS)
    assert (viewer.role, viewer.name, viewer.id) == (AppRole.VIEWER, "ada@lab", "0000-1")
    assert [viewer.sees(one) for one in ("fly", "\u00e4", "worm", "")] == [True, True, False, False]
    assert not viewer.steers("fly")
    assert [owner.steers(one) for one in ("fly", "worm", "other", "")] == [True, True, False, False]
    assert all((operator.sees(""), operator.steers("anything"), operator.steers("")))
    assert not visitor_of(principal("viewer", groups=("g1",)), NO_GROUPS).sees("fly")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        principal(),
        principal("reader"),
        principal("admin", by="github"),
        "no base64!",
        base64.b64encode(b"[1]").decode(),
        base64.b64encode(b"{" * 3).decode(),
        base64.b64encode(json.dumps({"auth_typ": "aad", "claims": [{"typ": "roles"}]}).encode()).decode(),
        base64.b64encode(b"[" * 30_000).decode(),
        "A" * 70_000,
    ],
)
def test_no_role_no_visitor(header):
    """Nor anybody whose header can't be read."""
    assert visitor_of(header, GROUPS) is None


@pytest.mark.parametrize("text", ["", "[]", '{"g": "fly"}', '{"g": [""]}', '{"g": [1]}'])
def test_groups_that_mean_nothing_are_refused(text):
    """The end of the sentence shows what is meant."""
    with pytest.raises(ValueError, match="it must be JSON such as"):
        PageGroups.parse(text)
