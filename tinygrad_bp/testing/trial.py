"""Trying one property on one engine, in whatever process: what fails, and the script that shows it."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from tinygrad_bp.table.rules import FUNCTION_NAMES, RULES
from tinygrad_bp.testing.cases import Case, Measure, NotOffered, NotTried, Plan, Property
from tinygrad_bp.testing.engines import is_refusal, told
from tinygrad_bp.testing.scripts import (
    Apply,
    Back,
    Broken,
    Outcome,
    Plain,
    Script,
    Statement,
    name_of,
    numbers_of,
    pruned,
    registers_of,
    right,
    run,
    smaller,
    source,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tinygrad_bp.testing.engines import Engine, Spelling

_T = TypeVar("_T")

HOLDS, FAILS, NOT_OFFERED, NOT_TRIED = "holds", "fails", "not offered", "not tried"
ENOUGH = 60
"""So many failures of one property tell as much as more of them."""
SAMPLE = 12
"""So many scripts of a property tell what is right with it, or how it is wrong."""
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
        reading: the number that is wrong, if it came to one.
        outcome: what the engine made of it, if it came to an end.
        error: the name of what the engine raised; ``"hang"`` or ``"end"`` if it never came back.
        place: of the statement at which that happened.
        where: in the engine's file.
        steady: whether it does the same each time.
    """

    case: Case | None
    text: str
    found: str
    reading: Reading | None = None
    outcome: Outcome | None = None
    error: str = ""
    place: int | None = None
    where: str = ""
    steady: bool = True


class Answer(NamedTuple):
    """What came of trying a property.

    Attributes:
        verdict: as in a `Finding`.
        reason: why it is not offered or not tried.
        failures: the most telling first.
        passed: some of the cases that the engine gets right, with what came of them.
    """

    verdict: str
    reason: str = ""
    failures: tuple[Failure, ...] = ()
    passed: tuple[tuple[Case, Outcome], ...] = ()


NOWHERE = -1
"""Instead of a place in a script: between scripts, or in one that has no places."""


def _hush(_: int, __: int) -> None:
    """Announce nothing."""


def try_property(
    what: Property, engine: Engine, plan: Plan, announce: Callable[[int, int], None] = _hush
) -> Answer:
    """Try a property on an engine.

    Args:
        what: the property.
        engine: the engine.
        plan: how much is tried, and what holds.
        announce: told the number of each case, and the place of each statement in it, before it is done.
    """
    failures: list[Failure] = []
    passed: list[tuple[Case, Outcome]] = []
    number = holding = 0
    try:
        if what.offered:
            _require(what.offered, engine)
        for number, each in enumerate(what.tries(plan, engine)):
            announce(number, NOWHERE)
            if isinstance(each, Measure):
                failure = _measured(each, engine)
            else:
                case = each._replace(allowed=each.allowed or plan.near)
                wanted = right(case.script, inner=case.inner)
                try:
                    failure = failure_of(case, wanted, engine, partial(announce, number))
                except NotImplementedError:
                    continue
                if not failure:
                    passed.append((case, wanted))
            if failure:
                failures.append(failure)
            holding += not failure
            if len(failures) == ENOUGH or (failure and isinstance(each, Measure)):
                break
    except NotOffered as reason:
        return Answer(NOT_OFFERED, str(reason))
    except NotTried as reason:
        if not failures:
            return Answer(NOT_TRIED, str(reason))
    if failures:
        told = _told(failures, engine, lambda: announce(number, NOWHERE))
        return Answer(FAILS, "", told, sample(passed))
    if not holding:
        return Answer(NOT_TRIED, "the engine refuses all of its numbers")
    return Answer(HOLDS, passed=sample(passed))


def sample(several: Sequence[_T]) -> tuple[_T, ...]:
    """A few of several things, from all over; the first is among them."""
    return tuple(several[:: -(-len(several) // SAMPLE) or 1])


def _told(failures: list[Failure], engine: Engine, tick: Callable[[], None]) -> tuple[Failure, ...]:
    """The failures, the simplest first, which is made smaller and run again."""
    failures.sort(key=_ease)
    first = failures[0]
    if first.case is not None:
        first = _smallest(first, engine, tick)
        first = first._replace(steady=_is_steady(first, engine, tick))
    return (first, *failures[1:])


def _ease(failure: Failure) -> tuple[bool, int, float, int]:
    """Wrong numbers are told before errors, then short scripts, usual operations, and numbers near 1.

    What counts is the part of a script that is shown: for a wrong value there is no pass in it.
    """
    script = failure.case.script if failure.case else ()
    if failure.reading is not None:
        script, _ = _telling(script, failure.reading)
    return bool(failure.error), sum(map(_weight, script)), _farness(script), len(failure.text)


def _weight(statement: Statement) -> int:
    if isinstance(statement, Apply):
        return 1 + (statement.op not in "+*") + 2 * statement.in_place
    return 1


def _farness(script: Script) -> float:
    """How far its numbers are from the most telling, which are 2 and 3: orders of magnitude, and fractions."""
    sizes = (abs(each.number) for each in numbers_of(script))
    return sum(abs(math.log10(x / 2.5)) + (x % 1 > 0) if 0.0 < x < math.inf else 1.0 for x in sizes)


def _require(script: Script, engine: Engine) -> None:
    """Try an operation once.

    Raises:
        NotOffered: the engine has it not, or says so.
    """
    last = script[-1]
    try:
        if isinstance(last, Apply) and last.op in RULES:
            first = last.operands[0]
            if not isinstance(first, Plain) and not engine.offers(last.op):
                raise NotOffered(f"there is no {last.op}")
        run(script, engine)
    except Broken as broken:
        error = broken.error
        refused = is_refusal(error)
        if isinstance(last, Apply) and last.in_place:  # as PyTorch, for a leaf
            refused |= isinstance(error, RuntimeError)
        elif (
            isinstance(last, Apply)
            and last.op in FUNCTION_NAMES
            and Plain in map(type, last.operands)
        ):
            refused |= isinstance(error, (TypeError, AttributeError))  # it takes nodes only
        if refused or (_asks_a_number(error) and not _takes_floats(script, engine)):
            raise NotOffered(f"refused: {broken}") from error


def _asks_a_number(error: BaseException) -> bool:
    """Whether an engine that knows nothing but nodes has looked for what is in one in a plain number."""
    return isinstance(error, AttributeError) and type(error.obj) in (int, float)


def _takes_floats(script: Script, engine: Engine) -> bool:
    """Whether an operation works with floats for its plain numbers; then it should with whole ones."""
    floats = [
        each._replace(operands=tuple(_to_float(operand) for operand in each.operands))
        if isinstance(each, Apply)
        else each
        for each in script
    ]
    try:
        run(tuple(floats), engine)
    except Broken:
        return False
    return True


def _to_float(operand: object) -> object:
    return Plain(float(operand.number)) if isinstance(operand, Plain) else operand


# ---- one case


def failure_of(
    case: Case, wanted: Outcome, engine: Engine, announce: Callable[[int], None] = lambda _: None
) -> Failure | None:
    """What the engine does wrong with a script.

    Raises:
        NotImplementedError: it refuses these numbers.
    """
    try:
        outcome = run(case.script, engine, inner=case.inner, announce=announce)
    except Broken as broken:
        if case.refused(broken.error):
            raise NotImplementedError from broken
        text = shown_broken(case.script, engine.spelling, broken.place, str(broken))
        error = type(broken.error).__name__
        return Failure(case, text, str(broken), error=error, place=broken.place, where=broken.where)
    wrong = wrong_reading(case, wanted, outcome)
    if wrong is None:
        return None
    return Failure(case, _shown(case.script, engine.spelling, wrong), _found(wrong), wrong, outcome)


def wrong_reading(case: Case, wanted: Outcome, outcome: Outcome) -> Reading | None:
    """The first number of an outcome that is too far from the right one."""
    least = case.least
    if least is None:
        sizes = [abs(x) for x in (*wanted.values, *wanted.gradients.values())]
        least = max((x for x in sizes if x < math.inf), default=1.0)
    for kind, wants, had in (
        ("value", enumerate(wanted.values), outcome.values),
        ("data", enumerate(wanted.data), outcome.data),
        ("gradient", wanted.gradients.items(), outcome.gradients),
    ):
        for register, want in wants:
            if kind == "gradient" and register not in outcome.gradients:
                continue
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


def _is_steady(failure: Failure, engine: Engine, tick: Callable[[], None]) -> bool:
    """Whether a script comes to the same each time."""
    outcomes = {failure.error or repr(failure.outcome)}
    case = failure.case
    for _ in range(_AGAIN if case else 0):
        assert case is not None  # noqa: S101 - it is asked above
        tick()
        try:
            outcomes.add(repr(run(case.script, engine, inner=case.inner)))
        except Broken as broken:
            outcomes.add(type(broken.error).__name__)
    return len(outcomes) == 1


def _smallest(failure: Failure, engine: Engine, tick: Callable[[], None]) -> Failure:
    """The same failure in a script that is easier to read, for as long as there is one."""
    while True:
        case = failure.case
        assert case is not None  # noqa: S101 - a measure is not made smaller
        for script in (pruned(case.script), *map(pruned, smaller(case.script))):
            if script == case.script or _roots(script) != _roots(case.script):
                continue
            tick()
            try:
                less = case._replace(script=script, unread=frozenset())
                wanted = right(script, inner=case.inner)
                other = None if case.unread else failure_of(less, wanted, engine)
            except Exception:  # noqa: BLE001, S112 - outside the domain
                continue
            if other and _ease(other) < _ease(failure):
                failure = other
                break
        else:
            return failure


def _roots(script: Script) -> list[bool]:
    """Of each pass, whether it begins at an operation."""
    filled = registers_of(script)
    return [isinstance(filled[e.register], Apply) for e in script if isinstance(e, Back)]


def _measured(measure: Measure, engine: Engine) -> Failure | None:
    try:
        got = measure.take()
    except KeyboardInterrupt:
        raise
    except NotImplementedError:
        return None
    except BaseException as error:  # noqa: BLE001 - an engine may raise anything
        found = str(error) if type(error) is ValueError else told(error)
        name = "" if type(error) is ValueError else type(error).__name__
    else:
        if got == measure.wanted:
            return None
        found, name = f"should be {measure.wanted!r}, is {got!r}", ""
    return Failure(None, f"{measure.text(engine.spelling)}  # {found}", found, error=name)


# ---- shown


def _found(wrong: Reading) -> str:
    what = {"value": "data", "data": "data", "gradient": "grad"}[wrong.kind]
    after = " at the end" * (wrong.kind == "data")
    return f"{name_of(wrong.register)}.{what}{after} should be {wrong.want!r}, is {wrong.have!r}"


def _telling(script: Script, wrong: Reading) -> tuple[Script, int]:
    """The part of a script that a wrong number needs, and the register of the number in it."""
    if wrong.kind != "value":
        return script, wrong.register
    filled = registers_of(script)[wrong.register]  # nothing after it matters
    end = next(k for k, each in enumerate(script) if each is filled)
    short = pruned(script[: end + 1], [wrong.register])
    return short, len(registers_of(short)) - 1


def _shown(script: Script, spelling: Spelling, wrong: Reading) -> str:
    script, register = _telling(script, wrong)
    attribute = spelling.grad if wrong.kind == "gradient" else spelling.data
    lines = source(script, spelling)
    comment = f"# should be {wrong.want!r}, is {wrong.have!r}"
    return "\n".join([*lines, f"print({name_of(register)}.{attribute})  {comment}"])


def shown_broken(script: Script, spelling: Spelling, place: int | None, why: str) -> str:
    """A script as far as it came, with what happened there in a comment."""
    lines = source(script if place is None else script[: place + 1], spelling)
    lines[-1] += f"  # {why}"
    return "\n".join(lines)


def shown_lost(
    each: Case | Measure | None, spelling: Spelling, place: int, why: str
) -> tuple[Case | None, str]:
    """The case with which a process was lost, if it is one, and the script."""
    if isinstance(each, Measure):
        return None, f"{each.text(spelling)}  # {why}"
    if each is None:
        return None, ""
    return each, shown_broken(each.script, spelling, None if place == NOWHERE else place, why)
