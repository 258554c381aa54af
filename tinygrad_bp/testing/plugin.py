"""The pytest plugin: ``pytest --scalar-engine MODULE:NAME`` tries all properties of conformance.

Each property is a test of its own, ``MODULE:NAME::second pass``, and can be asked for by that name;
what the engine does not offer is skipped, as is what would tell nothing.
"""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tinygrad_bp.errors import ArgumentError
from tinygrad_bp.testing.conformance import Suite
from tinygrad_bp.testing.trial import FAILS, HOLDS

if TYPE_CHECKING:
    from collections.abc import Collection

    from tinygrad_bp.testing.conformance import Finding


_SHARED = "tinygrad_bp_shared"


class Conformance:
    """The engines that are asked for, and their properties as tests.

    Args:
        config: pytest's; tests of engines that are named there are taken from its arguments.
        ids: the arguments that have the form of these tests' names.
    """

    def __init__(self, config: pytest.Config, ids: Collection[str]) -> None:
        engines: list[str] = config.getoption("--scalar-engine") or []
        settings: list[str] = config.getini("scalar_engine")
        self.named = [
            each
            for each in config.args
            if each in ids or each.partition("::")[0] in (*engines, *settings)
        ]
        self._paths = [each.partition("::")[0] for each in self.named]
        config.args[:] = [each for each in config.args if each not in self.named]
        if not engines and (self.named or config.args_source is not pytest.Config.ArgsSource.ARGS):
            engines = settings  # unless other tests were named
        worker = getattr(config, "workerinput", {})
        shared = Path(worker[_SHARED]) if _SHARED in worker else None
        self.folder: tempfile.TemporaryDirectory[str] | None = None
        self.ended = threading.Event()
        if not worker and getattr(config.option, "dist", "no") != "no":
            self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
            shared = Path(self.folder.name)
            for number in range(len({*engines, *self._paths})):
                (shared / str(number)).mkdir()
        self.suites = {
            path: Suite(
                path,
                folder=config.rootpath if path in settings else config.invocation_params.dir,
                shared=shared and shared / str(number),
            )
            for number, path in enumerate(dict.fromkeys([*engines, *self._paths]))
        }

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Let the workers of pytest-xdist share what is found, so that nothing is tried twice."""
        if self.folder is not None:
            node.workerinput[_SHARED] = self.folder.name

    @pytest.hookimpl(trylast=True)  # the workers of pytest-xdist start meanwhile
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Say at once, and once, that an engine cannot be tried."""
        if hasattr(session.config, "workerinput"):
            return
        for suite in self.suites.values():
            try:
                suite.greeting  # noqa: B018 - it starts the engine
            except ArgumentError as error:
                raise pytest.UsageError(f"scalar engine: {error}") from None
        if self.folder is not None:
            threading.Thread(target=self._begin, daemon=True).start()

    def _begin(self) -> None:
        """Try the properties for the workers of pytest-xdist, which take a while to start."""
        for suite in self.suites.values():
            for name in suite.names:
                if self.ended.is_set():
                    return
                suite.check(name)

    @pytest.hookimpl(tryfirst=True)  # before -k and --deselect choose among them
    def pytest_collection_modifyitems(
        self, session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Add a test for each property of each engine."""
        for path, suite in self.suites.items():
            engine = Properties.from_parent(session, name=path, nodeid=path)
            names = [name for name in suite.names if self._is_asked_for(path, name)]
            found = [Property.from_parent(engine, name=name, suite=suite) for name in names]
            items += found
            config.hook.pytest_collectreport(
                report=pytest.CollectReport(path, "passed", None, [*found])
            )

    def _is_asked_for(self, path: str, name: str) -> bool:
        return not self.named or path in self.named or f"{path}::{name}" in self.named

    def pytest_sessionfinish(self) -> None:
        """End the processes of the engines."""
        self.ended.set()
        for suite in self.suites.values():
            suite.close()
        if self.folder is not None:
            self.folder.cleanup()


class Properties(pytest.Collector):
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
        if finding.verdict == FAILS:
            cause = self.suite.report((self.name,)).findings[0].cause
            raise _Fails(f"{cause or finding.statement}\n{finding.example}\n{finding.found}")
        if finding.verdict != HOLDS:
            pytest.skip(f"{finding.verdict}: {finding.found}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The property and the smallest example, without a traceback."""
        if excinfo.errisinstance((_Fails, ArgumentError)):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[str, None, str]:
        """Where it stands, for the report."""
        return "conformance", None, self.nodeid
