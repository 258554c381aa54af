"""Conformance: whether a scalar autograd engine, of whatever make, gives the right gradients.

Each operation that the engine offers is tried by itself, inside graphs and over its whole domain;
then named properties of graphs and passes.  The engine runs in a process of its own.  The report
says first what is likely to be wrong, and shows for it the smallest script that runs as pasted.
What an engine does not offer is told too, and not held against it.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from itertools import islice
from textwrap import indent, wrap
from typing import TYPE_CHECKING, Any, NamedTuple

from tinygrad_bp.errors import ArgumentError
from tinygrad_bp.testing.cases import IN_A_GRAPH, TAILS, NotOffered, NotTried, Plan, base_of
from tinygrad_bp.testing.causes import Cause, Tried, diagnose
from tinygrad_bp.testing.engines import OURS, Engine, check_nodes, check_path
from tinygrad_bp.testing.forms import FORMS
from tinygrad_bp.testing.modules import make_callable
from tinygrad_bp.testing.properties import PROPERTIES
from tinygrad_bp.testing.shelf import Shelf
from tinygrad_bp.testing.trial import (
    FAILS,
    HOLDS,
    NOT_OFFERED,
    NOT_TRIED,
    Answer,
    Failure,
    shown_lost,
    try_property,
)
from tinygrad_bp.testing.worker import Greeting, Lost, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["Cause", "Engine", "Finding", "Report", "Suite", "conformance", "suite_of"]

EXAMPLES = 200
THOROUGH = 2_000
TIME_LIMIT = 10.0
"""Seconds after which a script is taken not to come to an end."""
_GREETING = -1
"""Where on a shelf the greeting is; a property is where it is in the list of all."""
_HANGS = 3
_LOSSES = 12
_WIDTH = 98


# ---- the report


class Finding(NamedTuple):
    """What one property came to.

    Attributes:
        name: of the property.
        statement: what it says.
        verdict: ``"holds"`` or ``"fails"``; ``"not offered"`` where the engine has nothing to try it on,
            ``"not tried"`` where that would tell nothing.
        example: the smallest script for which it fails, as Python to paste.
        found: what is wrong there; or why the property could not be tried.
        cause: what is likely to be wrong, in one sentence, if that could be confirmed.
    """

    name: str
    statement: str
    verdict: str
    example: str = ""
    found: str = ""
    cause: str = ""


@dataclass(frozen=True, repr=False)
class Report:
    """What `conformance` found; printed, it says first what is wrong.

    Attributes:
        engine: its name.
        findings: one for each property.
        causes: what is likely to be wrong, with the properties that each explains.
        notices: what is worth knowing besides.
    """

    engine: str
    findings: tuple[Finding, ...]
    causes: tuple[Cause, ...] = ()
    notices: tuple[str, ...] = ()

    def having(self, verdict: str) -> list[Finding]:
        """The findings with one verdict."""
        return [each for each in self.findings if each.verdict == verdict]

    @property
    def holds(self) -> bool:
        """Whether nothing failed, and something was tried."""
        return bool(self.having(HOLDS)) and not self.having(FAILS)

    @property
    def ok(self) -> bool:
        """The same as `holds`."""
        return self.holds

    def __str__(self) -> str:
        counts = ", ".join(
            f"{len(found)} {words}"
            for verdict, words in (
                (HOLDS, "hold"),
                (FAILS, "fail"),
                (NOT_TRIED, "not tried"),
                (NOT_OFFERED, "not offered"),
            )
            if (found := self.having(verdict)) or verdict in (HOLDS, FAILS)
        )
        lines = [f"{self.engine}: {counts}"]
        explained = {name for cause in self.causes for name in cause.explains}
        for cause in self.causes:
            lines += ["", cause.sentence, indent(cause.example, "    ")]
            confirmed = f", confirmed by {cause.confirmed} more scripts" if cause.confirmed else ""
            lines += _listed(f"explains{confirmed}", cause.explains)
        for finding in self.having(FAILS):
            if finding.name not in explained:
                lines += ["", f"{finding.name} fails: {finding.statement}"]
                lines += [indent(finding.example or f"# {finding.found}", "    ")]
        lines += ["", *_listed("holds", _folded([each.name for each in self.having(HOLDS)]))]
        reasons: dict[str, list[str]] = {}
        for finding in self.having(NOT_TRIED):
            reasons.setdefault(finding.found, []).append(finding.name)
        for reason, names in reasons.items():
            lines += _listed(f"not tried, since {reason}", _folded(names))
        lines += _listed("not offered", self._absent())
        return "\n".join([*lines, *self.notices])

    __repr__ = __str__

    def _absent(self) -> list[str]:
        """What is not offered, each once."""
        names = [each.name for each in self.having(NOT_OFFERED)]
        return [name for name in names if not name.endswith((IN_A_GRAPH, TAILS))]

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data, for JSON."""
        return {
            "engine": self.engine,
            "holds": self.holds,
            "causes": [each._asdict() for each in self.causes],
            "findings": [each._asdict() for each in self.findings],
            "notices": [*self.notices],
        }


def _folded(names: list[str]) -> list[str]:
    """The names, with what was tried of one operation told together."""
    present = {*names}
    folded = []
    for name in names:
        base = base_of(name)
        if base != name and base in present:
            continue
        more = [
            end.strip(" :") for end in (IN_A_GRAPH, TAILS) if base + end in present and base == name
        ]
        folded.append(
            f"{name} (also {' and in its '.join(more)})".replace("also tails", "also in its tails")
            if more
            else name
        )
    return folded


def _listed(what: str, names: list[str] | tuple[str, ...]) -> list[str]:
    if not names:
        return []
    whole = (name.replace(" ", "\N{NO-BREAK SPACE}") for name in names)
    lines = wrap(f"{what}: {', '.join(whole)}", _WIDTH, subsequent_indent="  ")
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


# ---- the properties, tried


def check_name(name: str) -> None:
    """Raise `ArgumentError` unless there is a property of that name."""
    if name not in PROPERTIES:
        others = [each for each, what in PROPERTIES.items() if base_of(each) not in FORMS]
        raise ArgumentError(
            f"{name!r} is no property: those of an operation are called as 'a + b', "
            f"'a + b{IN_A_GRAPH}' and 'a + b{TAILS}', the others {', '.join(others)}"
        )


class Suite:
    """All properties, to be tried on one engine, each by its name.

    Args:
        engine: the engine under test: its path as ``"module:name"``, an `Engine`, or a class of nodes.
        examples: how many random programs to try.
        seed: other random programs for another number.
        thorough: try more of everything.
        limit: seconds that one script may take.
        folder: where the module of a path is looked for, too.
        shared: a folder in which other processes that try the same leave what they find.
        **settings: of the `Engine` at a path, as ``grad="derivative"``.

    An engine that is given by its path is imported in a process of its own and nowhere else.  One that is
    given as a Python object runs in a forked copy of this process; where the system has no fork, it runs
    here, and then what ends this process, or never comes back, takes the report with it.

    Raises:
        ArgumentError: there are no examples, or the path is not of the form ``module:name``.

    >>> from tinygrad_bp import Value
    >>> suite = Suite(Value)
    >>> suite.check("second pass").verdict
    'holds'
    """

    def __init__(
        self,
        engine: Engine | Callable[[float], Any] | str,
        examples: int | None = None,
        seed: int = 0,
        *,
        thorough: bool = False,
        limit: float = TIME_LIMIT,
        folder: Path | None = None,
        shared: Path | None = None,
        **settings: Any,
    ) -> None:
        if examples is None:
            examples = THOROUGH if thorough else EXAMPLES
        if examples < 1:
            raise ArgumentError(f"there have to be examples, not {examples}")
        if isinstance(engine, str):
            check_path(engine)
        elif not isinstance(engine, Engine):
            engine = Engine(engine, **settings)
        self._plan = Plan(examples=examples, seed=seed, thorough=thorough)
        self._engine = engine
        here = isinstance(engine, Engine) and not hasattr(os, "fork")
        self._worker = None if here else Worker(engine, limit, folder, settings)
        self._found: dict[str, Finding] = {}
        self._tried: dict[str, Tried] = {}
        self._hangs = self._losses = 0
        self._shelf = Shelf(shared) if shared else None

    @property
    def name(self) -> str:
        """What the engine is called."""
        return self._engine if isinstance(self._engine, str) else self.greeting.name

    @property
    def greeting(self) -> Greeting:
        """The engine's name and how it is written.

        Raises:
            ArgumentError: there is no such engine, or it makes no node with a number, a gradient and a pass.
        """
        if self._worker is not None:
            greet = self._worker.greet
            greeting = self._shelf.find(_GREETING, greet) if self._shelf else greet()
        else:
            assert isinstance(self._engine, Engine)  # noqa: S101 - a path has a worker
            check_nodes(self._engine)
            greeting = Greeting(self._engine.name, self._engine.spelling, self._engine.bits)
        return greeting._replace(name=greeting.name or greeting.spelling.make)

    @property
    def names(self) -> tuple[str, ...]:
        """The properties, by name."""
        return tuple(PROPERTIES)

    def check(self, name: str) -> Finding:
        """Try one property; what was found once is kept.

        Raises:
            ArgumentError: there is none of that name, or no such engine.
        """
        check_name(name)
        if name not in self._found:
            statement = PROPERTIES[name].statement
            try:
                self._need(name)
                answer = self._try(name)
            except NotOffered as reason:
                answer = Answer(NOT_OFFERED, str(reason))
            except NotTried as reason:
                answer = Answer(NOT_TRIED, str(reason))
            if answer.failures:
                first = answer.failures[0]
                found = Finding(name, statement, FAILS, first.text, first.found)
            else:
                found = Finding(name, statement, answer.verdict, found=answer.reason)
            self._found[name] = found
        return self._found[name]

    def _need(self, name: str) -> None:
        """Go on only if what a property needs holds; and try what it uses.

        Raises:
            NotOffered: the engine has not one of them.
            NotTried: one of them fails.
        """
        for need in PROPERTIES[name].needs:
            self._need_one((need,) if isinstance(need, str) else need)
        for each in PROPERTIES[name].spoiled_by:
            if self.check(each).verdict == FAILS:
                raise NotTried(f"{each} fails")
        for used in PROPERTIES[name].uses:
            self.check(used)

    def _need_one(self, names: tuple[str, ...]) -> None:
        """Go on only if one of some properties holds.

        Raises:
            NotOffered: the engine has none of them.
            NotTried: those that it has fail.
        """
        found = []
        for each in names:
            found.append(self.check(each))
            if found[-1].verdict == HOLDS:
                return
        offered = [each for each in found if each.verdict != NOT_OFFERED]
        if not offered:
            raise NotOffered(f"there is no {names[0]}")
        first = offered[0]
        raise NotTried(f"{first.name} fails" if first.verdict == FAILS else first.found)

    def _try(self, name: str) -> Answer:
        if self._hangs >= _HANGS:
            raise NotTried(f"nothing came back {_HANGS} times in a row")
        if self._losses >= _LOSSES:
            raise NotTried(f"the process was lost {_LOSSES} times in a row")
        what = PROPERTIES[name]
        known = {*what.uses}.union(
            *({need} if isinstance(need, str) else need for need in what.needs)
        )
        found = [self._found[each] for each in known if each in self._found]
        held = frozenset(each.name for each in found if each.verdict == HOLDS)
        plan = self._plan._replace(held=held, bits=self.greeting.bits)
        if self._shelf is None:
            answer = self._answer(name, plan)
        else:
            place = self.names.index(name)
            answer = self._shelf.find(place, lambda: self._answer(name, plan))
        self._tried[name] = Tried(plan, answer)
        return answer

    def _answer(self, name: str, plan: Plan) -> Answer:
        if self._worker is None:
            assert isinstance(self._engine, Engine)  # noqa: S101 - a path has a worker
            with redirect_stdout(StringIO()):
                return try_property(PROPERTIES[name], self._engine, plan)
        answer = self._worker.try_property(name, plan)
        if isinstance(answer, Lost):
            self._losses += 1
            self._hangs = self._hangs + 1 if answer.hangs else 0
            return Answer(FAILS, failures=(self._lost(name, plan, answer),))
        self._hangs = self._losses = 0
        return answer

    def _lost(self, name: str, plan: Plan, lost: Lost) -> Failure:
        """The script that the process was lost with."""
        each = next(islice(PROPERTIES[name].tries(plan, OURS), lost.case, None), None)
        case, text = shown_lost(each, self.greeting.spelling, lost.place, lost.why)
        error = "hang" if lost.hangs else "end"
        return Failure(case, text, lost.why, error=error, place=lost.place)

    def findings(self, names: tuple[str, ...] | None = None) -> Iterator[Finding]:
        """Try some properties, or all, one after another."""
        yield from map(self.check, names or self.names)

    def report(self, names: tuple[str, ...] | None = None) -> Report:
        """Try some properties, or all, and say what is wrong.

        Raises:
            ArgumentError: there is no such engine, or it makes no node with a number, a gradient and a pass.
        """
        found = tuple(self.findings(names))
        name = self.greeting.name
        failing = [each.name for each in found if each.verdict == FAILS]
        causes = diagnose(self._tried, failing)
        sentences = {name: cause.sentence for cause in causes for name in cause.explains}
        found = tuple(each._replace(cause=sentences.get(each.name, "")) for each in found)
        return Report(name, found, causes, self._notices())

    def _notices(self) -> tuple[str, ...]:
        if self._worker is None:
            return ()
        notices = []
        if self._worker.reads_input:
            notices.append("the engine reads standard input, where it finds nothing")
        output = self._worker.output
        if output.lines:
            first = "\n".join(f"  {line}" for line in output.first)
            lines = "1 line" if output.lines == 1 else f"{output.lines:,} lines"
            notices.append(
                f"the engine wrote {lines}, which are left out here; the first:\n{first}"
            )
        return tuple(notices)

    def close(self) -> None:
        """End the process of the engine."""
        if self._worker is not None:
            self._worker.close()


@contextmanager
def suite_of(*arguments: Any, **keywords: Any) -> Iterator[Suite]:
    """A `Suite`, closed at the end."""
    suite = Suite(*arguments, **keywords)
    try:
        yield suite
    finally:
        suite.close()


def conformance(
    engine: Engine | Callable[[float], Any] | str,
    examples: int | None = None,
    seed: int = 0,
    *,
    thorough: bool = False,
) -> Report:
    """Try all properties on a scalar engine.

    Args:
        engine: a class of nodes, which is called with a float and whose nodes have ``data``, ``grad``
            and ``backward()``; or an `Engine`, which says how else they are called; or the path of either,
            as ``"micrograd.engine:Value"``.
        examples: how many random programs to try.
        seed: other random programs for another number.
        thorough: try more of everything.

    Returns:
        The report; `Report.holds` tells whether nothing failed.

    Raises:
        ArgumentError: there is no such engine, or it makes no such nodes.

    >>> from tinygrad_bp import Value
    >>> from tinygrad_bp.testing import conformance
    >>> conformance(Value, examples=10).holds
    True
    """
    with suite_of(engine, examples, seed, thorough=thorough) as suite:
        return suite.report()


make_callable(__name__)
