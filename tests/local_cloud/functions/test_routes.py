"""Which route answers to a path."""

import pytest

from local_cloud.functions.errors import BindingError
from local_cloud.functions.routes import parse_route


def route(template, prefix="api"):
    return parse_route("f", template, prefix)


@pytest.mark.parametrize(
    ("template", "path", "parameters"),
    [
        ("things", "/API/Things/", {}),
        ("things", "/api/things/1", None),
        ("things", "/things", None),
        ("{a}/{b?}", "/api/x", {"a": "x"}),
        ("{a}/{b?}", "/api/x/y%20z", {"a": "x", "b": "y z"}),
        ("{a}/{b}", "/api/x", None),
        ("{id:int}", "/api/12", {"id": "12"}),
        ("{id:int}", "/api/99999999999", None),
        ("{id:guid}", "/api/not", None),
        ("{on:bool}", "/api/True", {"on": "True"}),
        ("{id:long}", "/api/99999999999", {"id": "99999999999"}),
        ("{kind:alpha}/{*rest}", "/api/x/a%2fb/%C3%A4", {"kind": "x", "rest": "a%2Fb/ä"}),
        ("{*rest}", "/api", {}),
    ],
)
def test_a_path_and_its_parameters(template, path, parameters):
    """Literals ignore case, parameters are decoded but for slashes, the rest of a path may be empty."""
    assert route(template).match(path) == parameters


def test_a_route_at_the_top_takes_everything():
    """Without a prefix, as an app around one ASGI app has it."""
    assert route("/{*route}", "").match("/") == {}


@pytest.mark.parametrize(
    ("first", "second"),
    [("a/b", "{x}/b"), ("{x:int}", "{x}"), ("a/{*rest}", "a"), ("a/b/c", "a/b"), ("a", "b"), ("x", "{*rest}")],
)
def test_the_more_particular_route_is_tried_first(first, second):
    """Literals before parameters, constrained before free ones, long before short."""
    assert route(first).goes_before(route(second))
    assert not route(second).goes_before(route(first))


@pytest.mark.parametrize(
    ("template", "prefix"),
    [("{a}.html", "api"), ("{a:regex(x)}", "api"), ("{a=1}", "api"), ("{*a}/b", "api"), ("x", "admin"), ("{a", "api")],
)
def test_what_the_host_does_not_know_is_refused(template, prefix):
    """A template that would be understood wrongly stops the start; so does one where the host itself answers."""
    with pytest.raises(BindingError, match="'f'"):
        route(template, prefix)
