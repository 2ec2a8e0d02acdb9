"""The error tree is whole: whatever the product raises of its own hangs from one root and is drawn there."""

import importlib
import inspect
import re

from batch_ops.domain import errors
from batch_ops.domain.errors import IlastikBatchError
from tests.structure import is_within
from tests.unit.test_imports import MODULES


def own_errors() -> dict[type[Exception], str]:
    """Every exception class of the product, and the module that it lives in."""
    modules = (importlib.import_module(f"batch_ops.{name}") for name in MODULES)
    classes = (kind for module in modules for _, kind in inspect.getmembers(module, inspect.isclass))
    return {
        kind: kind.__module__.removeprefix("batch_ops.")
        for kind in classes
        if issubclass(kind, Exception) and kind.__module__.startswith("batch_ops.")
    }


ERRORS = own_errors()
ROOT = IlastikBatchError.__name__
TREE, _, BELOW = (errors.__doc__ or "").partition("outside the tree")
DRAWN = dict(re.findall(r"── (\w+) +(?:([a-z_.]+):)?", TREE))


def test_nothing_is_drawn_that_is_not_there():
    """The drawing holds what exists, and names the module of what lives elsewhere."""
    lives = {kind.__name__: module for kind, module in ERRORS.items()}
    assert {name: module or "domain.errors" for name, module in DRAWN.items()}.items() <= lives.items()


def test_every_error_hangs_from_the_root_and_is_drawn():
    """What travels to the node stands below the root; a class with an underscore never leaves its module."""
    travels = {kind for kind, module in ERRORS.items() if is_within(module, "task") or is_within(module, "image")}
    stays = ERRORS.keys() - travels
    assert not [kind for kind in travels if not issubclass(kind, ValueError)]
    assert not [kind for kind in travels if not kind.__name__.startswith("_") and f"`{kind.__name__}`" not in BELOW]
    assert not [kind for kind in stays if not issubclass(kind, IlastikBatchError)]
    assert not {kind.__name__ for kind in stays if not kind.__name__.startswith("_")} - DRAWN.keys() - {ROOT}


def test_an_error_says_what_it_means():
    """Its docstring, which is its text where it is raised without one."""
    assert not [kind for kind in ERRORS if not kind.__doc__]
    silent = [kind for kind in ERRORS if kind.__init__ is IlastikBatchError.__init__]
    assert silent
    assert not [kind for kind in silent if (str(kind()), str(kind("Why."))) != (kind.__doc__, "Why.")]
