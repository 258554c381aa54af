"""Trying one property on one engine, in whatever process: what fails, and the script that shows it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from tinygrad_bp.table.rules import RULES
from tinygrad_bp.testing.engines import OURS, is_refusal, told
from tinygrad_bp.testing.properties import Case, Measure, NotOffered, NotTried, Plan, Property
from tinygrad_bp.testing.scripts import (
    Apply,
    Back,
    Broken,
    Leaf,
    Outcome,
    Script,
    name_of,
    pruned,
    registers_of,
    run,
    smaller,
    source,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinygrad_bp.testing.engines import Engine, Spelling
    from tinygrad_bp.testing.forms import Form

HOLDS, FAILS, NOT_OFFERED, NOT_TRIED = "holds", "fails", "not offered", "not tried"
ENOUGH = 60
"""So many failures of one property tell as much as more of them."""
_AGAIN = 8


class Reading(NamedTuple):
    """A number that is wrong.

    Attributes:
        kind: ``"value"`` when the register was made, ``"data"`` or ``"gradient"`` at the end.
        register: of which register.
        want: what it should be.
        have: what the engine has.
    """

    kind: str
    register: int
    want: float
    have: float


class Failure(NamedTuple):
    """A script that an engine gets wrong.

    Attributes:
        case: the script, if it is one.
        text: the same as Python to paste, with what is wrong in a comment.
        found: what is wrong, on one line.
        outcome: what the engine made of it, if it came to an end.
        error: the name of what the engine raised.
        steady: whether it does the same each time.
    """

    case: Case | None
    text: str
    found: str
    outcome: Outcome | None = None
    error: str = ""
    steady: bool = True


class Answer(NamedTuple):
    """What came of trying a property.

    Attributes:
        verdict: as in a `Finding`.
        reason: why it is not offered or not tried.
        failures: the most telling first.
    """

    verdict: str
    reason: str = ""
    failures: tuple[Failure, ...] = ()


def try_property(
    what: Property, engine: Engine, plan: Plan, announce: Callable[[int], None] = lambda _: None
) -> Answer:
    """Try a property on an engine.

    Args:
        what: the property.
        engine: the engine.
        plan: how much is tried, and what holds.
        announce: told the number of each case before it is tried.
    """
    failures: list[Failure] = []
    compared = 0
    try:
        if what.form is not None:
            _require(what.form, engine)
        for number, each in enumerate(what.tries(plan, engine)):
            announce(number)
            if isinstance(each, Measure):
                failure = _measured(each, engine)
                compared += 1
            else:
                right = run(each.script, OURS, inner=each.inner)
                try:
                    failure = failure_of(each, right, engine)
                    compared += 1
                except NotImplementedError:
                    continue
            if failure:
                failures.append(failure)
            if len(failures) == ENOUGH or (failure and isinstance(each, Measure)):
                break
    except NotOffered as reason:
        return Answer(NOT_OFFERED, str(reason))
    except NotTried as reason:
        return Answer(NOT_TRIED, str(reason)) if not failures else _failed(failures, engine)
    if failures:
        return _failed(failures, engine)
    return Answer(HOLDS) if compared else Answer(NOT_TRIED, "the engine refuses all of its numbers")


def _failed(failures: list[Failure], engine: Engine) -> Answer:
    failures.sort(key=_ease)
    first = failures[0]
    if first.case is not None:
        first = _smallest(first, engine)
        first = first._replace(steady=_is_steady(first.case, engine)) if first.case else first
    return Answer(FAILS, failures=(first, *failures[1:]))


def _ease(failure: Failure) -> tuple[bool, int, int]:
    """Short scripts are told first, and wrong numbers before errors."""
    length = len(failure.case.script) if failure.case else 0
    return bool(failure.error), length, len(failure.text)


def _require(form: Form, engine: Engine) -> None:
    """Try an operation once.

    Raises:
        NotOffered: the engine has it not, or says so.
    """
    from tinygrad_bp.testing.forms import moderate_points

    at = moderate_points(form)[0]
    try:
        if (not form.nodes or form.nodes[0]) and not engine.offers(form.op):
            raise NotOffered(f"there is no {form.op}")
        script: list[Leaf | Apply] = [Leaf(x) for x in at.nodes]
        run((*script, form.apply(tuple(range(len(at.nodes))), at.plain)), engine)
    except Broken as broken:
        error = broken.error
        own = form.name not in RULES and form.name.endswith(")")  # a method with a plain number
        in_place = form.in_place and isinstance(error, RuntimeError)  # as PyTorch, for a leaf
        if (
            is_refusal(error)
            or in_place
            or (own and isinstance(error, (TypeError, AttributeError)))
        ):
            raise NotOffered(f"refused: {broken}") from error


# ---- one case


def failure_of(case: Case, right: Outcome, engine: Engine) -> Failure | None:
    """What the engine does wrong with a script.

    Raises:
        NotImplementedError: it refuses these numbers.
    """
    try:
        outcome = run(case.script, engine, inner=case.inner)
    except Broken as broken:
        if case.lenient or isinstance(broken.error, NotImplementedError):
            raise NotImplementedError from broken
        text = _shown_broken(case.script, engine.spelling, broken)
        return Failure(case, text, str(broken), error=type(broken.error).__name__)
    wrong = wrong_reading(case, right, outcome)
    if wrong is None:
        return None
    return Failure(case, _shown(case.script, engine.spelling, wrong), _found(wrong), outcome)


def wrong_reading(case: Case, right: Outcome, outcome: Outcome) -> Reading | None:
    """The first number of an outcome that is too far from the right one."""
    least = case.least
    if least is None:
        sizes = [abs(x) for x in (*right.values, *right.gradients.values())]
        least = max((x for x in sizes if x < math.inf), default=1.0)
    for kind, wanted, had in (
        ("value", enumerate(right.values), outcome.values),
        ("data", enumerate(right.data), outcome.data),
        ("gradient", right.gradients.items(), outcome.gradients),
    ):
        for register, want in wanted:
            have = had[register]
            unread = kind == "gradient" and register in case.unread
            if not unread and not is_near(want, have, case.allowed, least):
                return Reading(kind, register, want, have)
    return None


def is_near(want: float, have: float, allowed: float, least: float) -> bool:
    """Whether a number is as near to the right one as is asked for; nan is near to nan alone."""
    if want == have or (math.isnan(want) and math.isnan(have)):
        return True
    floor = 1e-15 if want == 0.0 == least else 0.0
    return abs(have - want) <= max(allowed * max(abs(want), least), floor) < math.inf


def _is_steady(case: Case, engine: Engine) -> bool:
    """Whether a script comes to the same each time."""
    outcomes = set()
    for _ in range(_AGAIN):
        try:
            outcomes.add(repr(run(case.script, engine, inner=case.inner)))
        except Broken as broken:
            outcomes.add(type(broken.error).__name__)
    return len(outcomes) == 1


def _smallest(failure: Failure, engine: Engine) -> Failure:
    """The same failure with a register less, for as long as there is one."""
    while True:
        case = failure.case
        assert case is not None  # noqa: S101 - a measure is not made smaller
        for script in (pruned(case.script), *map(pruned, smaller(case.script))):
            if script == case.script or _roots(script) != _roots(case.script):
                continue
            try:
                less = case._replace(script=script, unread=frozenset())
                right = run(script, OURS, inner=case.inner)
                other = None if case.unread else failure_of(less, right, engine)
            except Exception:  # noqa: BLE001, S112 - outside the domain
                continue
            if other and bool(other.error) <= bool(failure.error):
                failure = other
                break
        else:
            return failure


def _roots(script: Script) -> list[bool]:
    """Of each pass, whether it begins at an operation."""
    filled = registers_of(script)
    return [isinstance(filled[e.register], Apply) for e in script if isinstance(e, Back)]


def _measured(measure: Measure, engine: Engine) -> Failure | None:
    text = spelled(measure.text, engine.spelling)
    try:
        got = measure.take()
    except KeyboardInterrupt:
        raise
    except NotImplementedError:
        return None
    except BaseException as error:  # noqa: BLE001 - an engine may raise anything
        found = str(error) if type(error) is ValueError else told(error)
        name = "" if type(error) is ValueError else type(error).__name__
        return Failure(None, f"{text}  # {found}", found, error=name)
    if got == measure.wanted:
        return None
    found = f"should be {measure.wanted!r}, is {got!r}"
    return Failure(None, f"{text}  # {found}", found)


# ---- shown


def spelled(text: str, spelling: Spelling) -> str:
    """A measure's text for an engine."""
    for ours, theirs in (
        ("Value(", f"{spelling.make}("),
        (".data", f".{spelling.data}"),
        (".grad", f".{spelling.grad}"),
        (".backward()", f".{spelling.backward}()"),
    ):
        text = text.replace(ours, theirs)
    return f"{spelling.imports}\n{text}"


def _found(wrong: Reading) -> str:
    what = {"value": "data", "data": "data", "gradient": "grad"}[wrong.kind]
    after = " at the end" * (wrong.kind == "data")
    return f"{name_of(wrong.register)}.{what}{after} should be {wrong.want!r}, is {wrong.have!r}"


def _shown(script: Script, spelling: Spelling, wrong: Reading) -> str:
    register = wrong.register
    if wrong.kind == "value":  # nothing after it matters
        filled = registers_of(script)[register]
        end = next(k for k, each in enumerate(script) if each is filled)
        short = pruned(script[: end + 1], [register])
        register, script = len(registers_of(short)) - 1, short
    attribute = spelling.grad if wrong.kind == "gradient" else spelling.data
    lines = source(script, spelling)
    comment = f"# should be {wrong.want!r}, is {wrong.have!r}"
    return "\n".join([*lines, f"print({name_of(register)}.{attribute})  {comment}"])


def _shown_broken(script: Script, spelling: Spelling, broken: Broken) -> str:
    end = len(script) if broken.place is None else broken.place + 1
    lines = source(script[:end], spelling)
    lines[-1] += f"  # {broken}"
    return "\n".join(lines)


def shown_unfinished(each: Case | Measure, spelling: Spelling, why: str) -> str:
    """A script that did not come to an end."""
    if isinstance(each, Measure):
        return f"{spelled(each.text, spelling)}  # {why}"
    return "\n".join([*source(each.script, spelling), f"# {why}"])
