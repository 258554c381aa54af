"""The front of the pytest plugin: the option, and no more until an engine is asked for.

pytest loads it at every start, in projects too that have nothing to do with engines, so it stands by
itself: a module of the package would load the package.  What it does then is in `tinygrad_bp.testing.plugin`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

_IS_ID = re.compile(r"[A-Za-z_][\w.]+:[\w.]+::.+")
"""How the plugin calls its tests: ``engine:Value::second pass``; two letters at least, a drive has one."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option, and the same as a setting for ``pyproject.toml``."""
    what = "scalar autograd engine to try the properties of conformance on, as MODULE:NAME"
    group = parser.getgroup("tinygrad-bp")
    group.addoption("--scalar-engine", metavar="MODULE:NAME", action="append", help=what)
    parser.addini("scalar_engine", f"{what}; one on each line", type="linelist")


def pytest_configure(config: pytest.Config) -> None:
    """Load the plugin itself where an engine is asked for, or a test by the name that it has printed."""
    asked = config.getoption("--scalar-engine") or config.getini("scalar_engine")
    ids = [each for each in config.args if _IS_ID.fullmatch(each)]
    if asked or ids:
        from tinygrad_bp.testing.plugin import Conformance

        config.pluginmanager.register(Conformance(config, ids))
