"""What users import, by name and signature, as `public_names.txt` lists it: it changes only on purpose.

After such a change, ``python tests/test_public_names.py`` writes the list anew.
"""

from __future__ import annotations

import importlib
import inspect
import pydoc
from pathlib import Path

import pytest

LIST = Path(__file__).with_name("public_names.txt")
MODULES = (
    "tinygrad_bp",
    "tinygrad_bp.testing",
    "tinygrad_bp.note",
    "tinygrad_bp.training",
    "tinygrad_bp.repl",
    "viz",
)


def public():
    """Each public object, by its full name."""
    for module in map(importlib.import_module, MODULES):
        own = [name for name, each in vars(module).items() if is_own(name, each, module)]
        for name in sorted(getattr(module, "__all__", own)):
            yield f"{module.__name__}.{name}", getattr(module, name)


def is_own(name, found, module):
    return not name.startswith("_") and getattr(found, "__module__", "") == module.__name__


def described(name, found):
    """The name and, of what is called, its arguments without their types."""
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError):
        return name
    bare = [each.replace(annotation=each.empty) for each in signature.parameters.values()]
    return f"{name}{inspect.Signature(bare)}"


def listed():
    return "".join(f"{described(name, found)}\n" for name, found in public())


def test_the_public_names_and_their_arguments_are_those_of_the_list():
    assert listed().splitlines() == LIST.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", dict(public()))
def test_help_tells_what_each_is(name):
    found = dict(public())[name]
    told = inspect.getdoc(found) or ""
    assert len(told.splitlines()[0]) > 10, name
    assert told.splitlines()[0] in pydoc.plain(pydoc.render_doc(found))


if __name__ == "__main__":
    LIST.write_text(listed(), encoding="utf-8")
