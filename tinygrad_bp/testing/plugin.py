"""The pytest plugin: ``pytest --scalar-engine MODULE:NAME`` tries all properties of conformance.

Each property is a test of its own, ``MODULE:NAME::second pass``; what the engine does not offer is
skipped, as is what would tell nothing.  pytest loads this room at every start, so what it needs is imported when it is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tinygrad_bp.testing.conformance import Finding, Suite


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option, and the same as a setting for ``pyproject.toml``."""
    what = "scalar autograd engine to try the properties of conformance on, as MODULE:NAME"
    group = parser.getgroup("tinygrad-bp")
    group.addoption("--scalar-engine", metavar="MODULE:NAME", action="append", help=what)
    parser.addini("scalar_engine", f"{what}; one on each line", type="linelist")


@pytest.hookimpl(tryfirst=True)  # before -k and --deselect choose among them
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add a test for each property of each engine."""
    asked, folder = config.getoption("--scalar-engine"), config.invocation_params.dir
    if not asked and config.args_source is not pytest.Config.ArgsSource.ARGS:
        asked, folder = config.getini("scalar_engine"), config.rootpath  # unless tests were named
    if not asked:
        return
    try:
        from tinygrad_bp.errors import ArgumentError
        from tinygrad_bp.testing.conformance import Suite, load
    except ModuleNotFoundError as error:
        raise pytest.UsageError(
            f"scalar engine: it needs {error.name}: pip install 'tinygrad-bp[test]'"
        ) from None
    for path in dict.fromkeys(asked):
        try:
            suite = Suite(load(path, folder))
        except ArgumentError as error:
            raise pytest.UsageError(f"scalar engine: {error}") from None
        room = Conformance.from_parent(session, name=path, nodeid=path)
        found = [Property.from_parent(room, name=name, suite=suite) for name in suite.names]
        items += found
        config.hook.pytest_collectreport(
            report=pytest.CollectReport(path, "passed", None, [*found])
        )


class Conformance(pytest.Collector):
    """The properties of one engine."""

    def collect(self) -> list[pytest.Item]:
        """None of its own: they are added to what was collected."""
        return []


class _Fails(Exception):  # noqa: N818 - shown by `repr_failure`
    """A property fails."""


class Property(pytest.Item):
    """One property, as a test."""

    def __init__(self, *, suite: Suite, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.suite = suite

    def runtest(self) -> None:
        """Try it."""
        finding: Finding = self.suite.check(self.name)
        if finding.verdict in ("not offered", "not tried"):
            pytest.skip(f"{finding.verdict}: {finding.found}")
        if finding.verdict == "fails":
            raise _Fails(f"{finding.statement}\n{finding.example}\n{finding.found}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The property and the smallest example, without a traceback."""
        if excinfo.errisinstance(_Fails):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[str, None, str]:
        """Where it stands, for the report."""
        return "conformance", None, f"{self.suite.engine.name}: {self.name}"
