"""What is likely to be wrong, from the scripts that an engine gets wrong and those that it gets right.

A fault is told where it makes of the scripts that failed just what the engine under test has made of
them, and leaves those right that were right: the first that failed suggests it, the others confirm it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from tinygrad_bp.table.rules import RULES
from tinygrad_bp.testing.cases import IN_A_GRAPH, TAILS, Case, Plan, base_of
from tinygrad_bp.testing.faults import (
    IN_PARTS,
    ORDER_IS_WRONG,
    Where,
    suspects,
    suspects_in_several,
)
from tinygrad_bp.testing.forms import FORMS
from tinygrad_bp.testing.scripts import Apply, Back, Outcome
from tinygrad_bp.testing.trial import is_near, sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tinygrad_bp.testing.faults import Suspect
    from tinygrad_bp.testing.trial import Answer, Failure

_CONFIRMING = 0.9
"""The share of the scripts of a property that a fault has to explain."""


class Cause(NamedTuple):
    """What is likely to be wrong.

    Attributes:
        sentence: what it is.
        example: the smallest script that shows it.
        explains: the properties that fail because of it.
        confirmed: by how many scripts besides that one, which come out just as they would with this fault.
    """

    sentence: str
    example: str
    explains: tuple[str, ...]
    confirmed: int = 0


class Tried(NamedTuple):
    """What came of trying a property.

    Attributes:
        plan: with which it was tried.
        answer: what came of it.
    """

    plan: Plan
    answer: Answer

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The scripts that failed, the most telling first."""
        return self.answer.failures


def diagnose(tried: Mapping[str, Tried], names: Sequence[str]) -> tuple[Cause, ...]:
    """The likeliest causes of what fails, the one that explains most first, what is about tails last.

    Args:
        tried: all that was tried.
        names: the properties that fail, and are to be explained.
    """

    def rank(cause: Cause) -> tuple[bool, bool, int]:
        far = all(name.endswith(TAILS) for name in cause.explains)
        return cause.sentence != _UNSTEADY, far, -len(cause.explains)

    causes: dict[str, Cause] = {}
    for cause in _causes(tried, names):
        known = causes.setdefault(cause.sentence, cause)
        if known is not cause:
            causes[cause.sentence] = known._replace(
                explains=known.explains + cause.explains,
                confirmed=known.confirmed + cause.confirmed + 1,
            )
    return tuple(sorted(causes.values(), key=rank))


def _causes(tried: Mapping[str, Tried], names: Sequence[str]) -> Iterator[Cause]:
    left = {name: tried[name].failures for name in names}
    unsteady = [name for name, several in left.items() if not several[0].steady]
    if unsteady:
        yield Cause(_UNSTEADY, left[unsteady[0]][0].text, tuple(unsteady))
        left = {name: several for name, several in left.items() if name not in unsteady}
    passed = [pair for each in tried.values() for pair in each.answer.passed]
    for search in (_of_parts, _of_one, _of_several):
        known = {name: several for name, several in left.items() if _is_told(several)}
        for suspect, explained in _convicted(search(known), passed):
            shown = min((left[name][0] for name in explained), key=lambda each: len(each.text))
            more = sum(len(left[name]) for name in explained) - 1
            yield Cause(suspect.sentence, shown.text, tuple(explained), more)
            left = {name: several for name, several in left.items() if name not in explained}
    yield from _without_a_model(left)


def _is_told(failures: Sequence[Failure]) -> bool:
    """Whether most of what failed came to an end, and is a script."""
    told = [each for each in failures if each.case is not None and each.outcome is not None]
    return failures[0] in told and len(told) >= len(failures) / 2


# ---- faults that explain what fails


_Failures: TypeAlias = "Mapping[str, Sequence[Failure]]"
_Found: TypeAlias = "list[tuple[Suspect, list[str]]]"


def _of_parts(failures: _Failures) -> _Found:
    """What is lost by the way in which quotients are computed."""
    far = {name: several for name, several in failures.items() if name.endswith(TAILS)}
    return _found([IN_PARTS], far)


def _of_one(failures: _Failures) -> _Found:
    """What a fault of one operation, of all, or of the pass explains."""
    forms = [form for name, form in FORMS.items() if name in {*map(base_of, failures)}]
    first = failures["gradient before"][0].reading if "gradient before" in failures else None
    start = first.have if first else 0.0
    return _found(suspects(forms, _ops(failures), start), failures)


def _of_several(failures: _Failures) -> _Found:
    """What a fault explains that several operations have, but not all."""
    told = [each for several in failures.values() for each in several]
    together = []
    for several in suspects_in_several(_ops(failures)):
        guilty = [each for each in several if any(_predicts(each, failure) for failure in told)]
        ops = tuple(op for each in guilty if each.where for op in each.where.ops)
        if len(ops) > 1:
            together.append(guilty[0]._replace(where=Where(ops)))
    return _found(together, failures)


def _ops(failures: _Failures) -> list[str]:
    """The operations in what fails."""
    scripts = [each.case.script for several in failures.values() for each in several if each.case]
    ops = {each.op for script in scripts for each in script if isinstance(each, Apply)}
    return sorted(ops & {*RULES})


def _found(several: Iterable[Suspect], failures: _Failures) -> _Found:
    """Those suspects that explain something, with what they do."""
    found = []
    for suspect in several:
        explained = [name for name, several in failures.items() if _explains(suspect, several)]
        if explained:
            found.append((suspect, explained))
    return found


def _convicted(
    found: _Found, passed: Sequence[tuple[Case, Outcome]]
) -> Iterator[tuple[Suspect, list[str]]]:
    """One suspect after another, the one that explains most of what is left, with what it explains."""
    while found:
        found.sort(key=lambda pair: -len(pair[1]))  # which keeps the narrower first
        suspect, explained = found.pop(0)
        if all(_comes_to(suspect, *each) for each in passed if suspect.is_about(each[0].script)):
            yield suspect, explained
            left = (
                (each, [name for name in names if name not in explained]) for each, names in found
            )
            found = [pair for pair in left if pair[1]]


def _explains(suspect: Suspect, failures: Sequence[Failure]) -> bool:
    told = [each for each in failures if each.outcome is not None]
    some = sample(told)  # among them the first, which is the simplest
    if not _predicts(suspect, some[0]):
        return False
    wrong = 0
    for each in some[1:]:
        wrong += not _predicts(suspect, each)
        if wrong > (1 - _CONFIRMING) * len(some):
            return False
    return True


def _predicts(suspect: Suspect, failure: Failure) -> bool:
    case, outcome = failure.case, failure.outcome
    return case is not None and outcome is not None and _comes_to(suspect, case, outcome)


def _comes_to(suspect: Suspect, case: Case, outcome: Outcome) -> bool:
    """Whether an engine with a fault would make this of a script."""
    if not suspect.is_about(case.script):
        return False
    try:
        predicted = suspect.run(case.script)
    except Exception:  # noqa: BLE001 - a fault may lead out of a domain
        return False
    sizes = [abs(x) for x in (*predicted.values, *predicted.gradients.values())]
    least = max(sizes, default=1.0) if case.least is None else case.least
    pairs = [
        *zip(predicted.values, outcome.values, strict=True),
        *zip(predicted.data, outcome.data, strict=True),
        *((predicted.gradients[place], number) for place, number in outcome.gradients.items()),
    ]
    return all(is_near(want, have, case.allowed, least) for want, have in pairs)


# ---- what is known without a model


_UNSTEADY = (
    "The engine is not deterministic: the same script comes out differently from time to time, "
    "or after others"
)


def _without_a_model(left: Mapping[str, Sequence[Failure]]) -> Iterator[Cause]:
    """What can be said of each failure by itself; those of which the same is said, together."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for name, several in left.items():
        alike.setdefault(_kind(name, several[0]), []).append(name)
    for names in alike.values():
        first = left[names[0]][0]
        yield Cause(_sentence(names, first, left[names[0]]), first.text, tuple(names))


def _kind(name: str, failure: Failure) -> tuple[str, ...]:
    """What is the same of failures that one sentence is said of."""
    if failure.error:
        return failure.error, failure.found, failure.where
    if failure.reading is not None and failure.reading.kind == "data":
        return ("data",)
    if name in _SENTENCES:
        return (_SENTENCES[name],)
    if base_of(name) in FORMS:
        form = FORMS[base_of(name)]
        return form.op, form.in_place * "=", name.removeprefix(form.name), _number(failure)
    return (name,)


def _sentence(names: Sequence[str], failure: Failure, failures: Sequence[Failure]) -> str:
    name = names[0]
    form = base_of(name)
    if failure.error == "RecursionError":
        return "The pass, or what builds or frees a graph, calls itself for each node, and a deep graph is too deep"
    if failure.error:
        where = f" ({failure.where})" * bool(failure.where)
        far = " far out" * all(each.endswith(TAILS) for each in names)
        does = {"hang": "does not come back", "end": "ends the process"}.get(
            failure.error, "raises"
        )
        return f"{_doer(names, failure)} {does}{far}: {failure.found}{where}"
    if failure.reading is not None and failure.reading.kind == "data":
        return "The number of a node is changed after it was made"
    if name in _SENTENCES:
        return _SENTENCES[name]
    if form in FORMS:
        *others, last = map(base_of, names)
        several = f"s of {', '.join(others)} and {last} are" if others else f" of {last} is"
        said = f"The {_number(failure)}{several}"
        if name.endswith(TAILS):
            return f"{said} right at moderate numbers, and {_far_out(failures)} far out"
        return f"{said} wrong" + " within a graph" * name.endswith(IN_A_GRAPH)
    return f"{name} fails: {failure.found}"


def _number(failure: Failure) -> str:
    """Which number of an operation is wrong."""
    reading = failure.reading
    return "derivative" if reading is not None and reading.kind == "gradient" else "value"


def _doer(names: Sequence[str], failure: Failure) -> str:
    """What raises an error, or never comes back."""
    forms = sorted({*map(base_of, names)} & {*FORMS})
    script = failure.case.script if failure.case else ()
    if failure.place is not None and 0 <= failure.place < len(script):
        statement = script[failure.place]
        if isinstance(statement, Back):
            return f"The pass of {forms[0]}" if len(forms) == 1 else "The pass"
        if isinstance(statement, Apply):
            ops = {FORMS[form].op for form in forms}
            return forms[0] if len(forms) == 1 else ops.pop() if len(ops) == 1 else "The engine"
    return forms[0] if len(forms) == 1 else "The engine"


def _far_out(failures: Sequence[Failure]) -> str:
    """What becomes of a number far out."""
    had = {_digits(each.reading.have) for each in failures if each.reading is not None}
    return had.pop() if len(had) == 1 else "short of digits"


def _digits(number: float) -> str:
    if number == 0.0:
        return "0"
    return "short of digits" if abs(number) < float("inf") else "infinite or nan"


_SENTENCES = {
    "no cycles": "Nodes are parts of reference cycles, which the cyclic collector alone can free",
    "memory": "Graphs that were dropped are kept: something refers to their nodes for ever",
    "many paths": "The pass walks along each path, and takes a time that doubles with each shared node",
    "pass from a leaf": "A pass from a leaf does not give it a gradient of 1",
    "another graph": "What is done in one graph changes the gradients of another",
    "inner gradients": "Inner nodes have not their own gradients after a pass",
    "gradient before": "A gradient is not 0 before a pass, or where no path leads",
    "shared node": ORDER_IS_WRONG,
    "repeated operand": "An operand that one operation has twice is not counted twice",
    "equal numbers": "Nodes with equal numbers are taken for one another",
    "unnamed nodes": "A node is lost when no name holds it, though others are made of it",
    "looking": "A node is changed by what should only look at it",
    "continued graph": "A graph that goes on after a pass has wrong gradients in the next",
}
