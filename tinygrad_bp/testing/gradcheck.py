"""The gradient check: whether a gradient is the derivative of the function's own values.

Two numeric opinions are asked.  The complex step is right to the last bits, where the function takes
complex numbers; central differences say themselves how far they may be off, and the complex step has
to agree with them.  No tolerance is a constant: what is allowed is the error of the estimate, so that
a wrong gradient of a small function stands out as much as one of a large function, and where the
values say nothing the verdict is "inconclusive".

This room may not know how the engine finds a gradient: it calls `jacobian`, or what it is given.
"""

from __future__ import annotations

import inspect
import math
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, NamedTuple

from tinygrad_bp.arithmetic import arithmetic_of, check_number
from tinygrad_bp.differences import (
    Estimate,
    coarser_estimates,
    difference_and_step,
    scatter,
    scatter_beside,
)
from tinygrad_bp.differentiate import jacobian
from tinygrad_bp.errors import DataError, GradientError, NumberRangeError
from tinygrad_bp.modules import make_callable
from tinygrad_bp.text import format_number
from tinygrad_bp.value import Value, data_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from tinygrad_bp.kernels import Number

AGREES, DIFFERS, INCONCLUSIVE = "agrees", "differs", "inconclusive"
_BY_STEP, _BY_DIFFERENCES = "complex step", "differences"
_SHARP = 0.01  # an estimate with a larger relative error confirms nothing
_SURE = 6.0  # by how much one number may be off, in scatters of a few
_NO_VALUE = complex(math.nan, math.nan)


# ---- the report


class Check(NamedTuple):
    """One derivative held to its estimate.

    Attributes:
        result: which of the results of the function, from 0.
        argument: the name of the argument; ``"argument 1"`` where it has none.
        at: the argument.
        given: the derivative under test.
        estimate: what the values of the function say.
        error: how far off that may be, and so how far from it the derivative may be.
        method: ``"complex step"`` or ``"differences"``.
        verdict: ``"agrees"`` or ``"differs"``; ``"inconclusive"`` where the error is more than a
            hundredth of the estimate: at a kink, at the edge of the domain, in noise.
    """

    result: int
    argument: str
    at: Number
    given: Number
    estimate: float
    error: float
    method: str
    verdict: str

    @property
    def apart(self) -> float:
        """How far the two are from each other, relative to the larger."""
        given = _float(self.given)
        larger = max(abs(given), abs(self.estimate))
        return abs(given - self.estimate) / larger if larger else 0.0


@dataclass(frozen=True, repr=False)
class Report:
    """What `gradcheck` found; printed, it is a table.

    Attributes:
        name: what was checked.
        rows: one `Check` for each result and argument.
    """

    name: str
    rows: tuple[Check, ...]

    @property
    def verdict(self) -> str:
        """The worst of all: "differs", then "inconclusive", then "agrees"."""
        found = {row.verdict for row in self.rows}
        return next(each for each in (DIFFERS, INCONCLUSIVE, AGREES) if each in found)

    def __str__(self) -> str:
        table = [["result", "argument", "at", "given", "estimate", "by", "verdict"]]
        for row in self.rows:
            estimate = f"{row.estimate:.9g} ± {row.error:.1g}"
            numbers = format_number(row.at), format_number(row.given, 9), estimate
            table.append([str(row.result), row.argument, *numbers, row.method, row.verdict])
        columns = [*zip(*table, strict=True)][0 if self.rows[-1].result else 1 :]
        padded = [[each.ljust(max(map(len, column))) for each in column] for column in columns]
        lines = ["  ".join(line).rstrip() for line in zip(*padded, strict=True)]
        return "\n".join([f"{self.name}: {self.verdict}", *lines])

    __repr__ = __str__


# ---- the check


def gradcheck(
    f: Callable[..., Any],
    *at: Number | Value,
    gradient: Callable[..., Any] | None = None,
    **options: Any,
) -> Report:
    """Hold the gradient of a function to the function's values.

    Args:
        f: takes scalars and returns a number or a sequence of numbers: a list, a tuple, an array of one
            axis.  Without ``gradient`` it is called with Values, as `grad` would, and with complex
            numbers, to see if it takes them.
        *at: the point, a number for each argument.  It is moved by floats, and the estimate is a
            float; a ``Fraction``, ``Decimal`` or ``mpf`` stays of its type, so that ``f`` is as exact
            as it can be.  Symbols have no values to compare.
        gradient: the derivatives by hand, of a function of plain numbers as ``math`` has them: takes
            what ``f`` takes and returns what `grad` would, a number, or a sequence for several
            arguments; or what `jacobian` would, a row for each result, if ``f`` returns a sequence.
            If left out, the engine's own.
        **options: passed on to ``f``, and to ``gradient``, as they are: flags, text, arrays of data.

    Returns:
        The report, where nothing differs.  What is inconclusive is not confirmed: where that matters,
        ask for ``report.verdict == "agrees"``.

    Raises:
        GradientError: a derivative is further from the estimate than the estimate's error and the
            rounding of both explain.  It is an `AssertionError` too, and has the ``report``.
        DataError: an argument, a result or a derivative is no number, or there are not as many as
            there should be.
        NumberRangeError: an argument is too large for a float.

    >>> import math
    >>> from tinygrad_bp import grad, tanh
    >>> gradcheck(lambda x, y: x * tanh(y), 2.0, 0.5).verdict
    'agrees'
    >>> gradcheck(grad(tanh), 0.5).verdict
    'agrees'
    >>> gradcheck(lambda x: math.sin(2.0 * x), 0.3, gradient=lambda x: math.cos(2.0 * x))
    Traceback (most recent call last):
        ...
    tinygrad_bp.errors.GradientError: the derivative of <lambda> for x at x=0.3 is given as ...
    """
    if not at:
        raise DataError("gradcheck needs a point, one number for each argument: gradcheck(f, 2.0)")
    names = _names(f, len(at))
    subject = _Subject(
        partial(f, **options), gradient and partial(gradient, **options), [*map(_number, at)]
    )
    checks = []
    for result, row in enumerate(subject.given):
        differences = [
            difference_and_step(partial(subject.value, result), subject.at, index)
            for index in range(len(row))
        ]
        steps = [step for _, step in differences]
        for index, (given, (by_differences, _)) in enumerate(zip(row, differences, strict=True)):
            estimate, method, verdict = _judged(subject, (result, index), by_differences, steps)
            about = result, names[index], subject.numbers[index], given
            checks.append(Check(*about, *estimate, method=method, verdict=verdict))
    report = Report(getattr(f, "__name__", "the function"), tuple(checks))
    if report.verdict == DIFFERS:
        raise GradientError(_message(report, len(at), by_hand=gradient is not None), report)
    return report


class _Subject:
    """The function and the gradient under test, as functions of floats.

    Attributes:
        numbers: the point, as it was given.
        at: the point in floats.
        given: the derivatives under test, a row for each result.
    """

    def __init__(
        self, f: Callable[..., Any], gradient: Callable[..., Any] | None, numbers: list[Any]
    ) -> None:
        self.f = f
        self.gradient = gradient
        self.numbers = numbers
        self.at = [*map(float, numbers)]
        self.given = self._rows(numbers)
        if not self.given:
            raise DataError("the function returned an empty sequence: return at least one number")
        self._values_at = cache(lambda *at: self._values(self._operands(at)))
        self._rows_at = cache(lambda *at: self._rows(self._operands(at)))

    def value(self, result: int, at: Sequence[float]) -> float:
        """One of the results, at the point moved."""
        return self._values_at(*at)[result]

    def derivative(self, result: int, index: int, at: Sequence[float]) -> float:
        """One of the derivatives under test, at the point moved."""
        return _float(self._rows_at(*at)[result][index])

    def complex_value(self, result: int, index: int, step: float, at: Sequence[float]) -> complex:
        """One of the results, with ``i step`` added to an argument; NaN if ``f`` does not take that."""
        operands = self._operands(at)
        operands[index] = complex(at[index], step)
        try:
            z = _results(self.f(*operands))[result]
        except Exception:  # noqa: BLE001 - whatever it is, the function is not for complex numbers
            return _NO_VALUE
        return z if isinstance(z, complex) else _NO_VALUE

    def _operands(self, at: Sequence[float]) -> list[Any]:
        return [*map(_like, self.numbers, at)]

    def _values(self, operands: list[Any]) -> list[float]:
        returned = self.f(*(map(Value, operands) if self.gradient is None else operands))
        return [*map(_float, _results(returned))]

    def _rows(self, operands: list[Any]) -> tuple[tuple[Any, ...], ...]:
        if self.gradient is None:
            return jacobian(lambda *leaves: _results(self.f(*leaves)))(*operands)
        return _given_rows(self.gradient(*operands), self.f(*operands), len(operands))


def _judged(
    subject: _Subject, place: tuple[int, int], by_differences: Estimate, steps: Sequence[float]
) -> tuple[Estimate, str, str]:
    """The estimate of one derivative, what it was found by, and the verdict."""
    result, index = place
    given = _float(subject.given[result][index])
    estimate, method = _better(_complex_step(subject, place), by_differences)
    estimate = with_rounding(estimate, given, *subject.at)
    verdict = verdict_of(given, estimate)
    if verdict != DIFFERS:
        return estimate, method, verdict
    covered, doubtful = _rounding(subject, place, steps, by_step=method == _BY_STEP)
    value, error = estimate
    if abs(given - value) <= error + covered:
        estimate = Estimate(value, error + covered)
        return estimate, method, verdict_of(given, estimate)
    if abs(given - value) <= error + doubtful:
        return Estimate(value, error + doubtful), method, INCONCLUSIVE
    if _between_jumps(subject, place, estimate, steps[index]):
        return Estimate(value, abs(given - value)), method, INCONCLUSIVE
    return estimate, method, DIFFERS


def _rounding(
    subject: _Subject, place: tuple[int, int], steps: Sequence[float], *, by_step: bool
) -> tuple[float, float]:
    """How far apart a right derivative and its estimate may be because both are rounded.

    The first is how far they may be in any formula that is as good as the function's own values; the
    second, in formulas that lose more digits than these, or where the values tell less than they seem to.
    """
    result, index = place
    at, x, step = subject.at, subject.at[index], steps[index]
    f = partial(subject.value, result)
    derivative = partial(subject.derivative, *place)
    own = scatter(derivative, at, steps)
    if by_step:
        tiny = _tiny(x)
        own += scatter(lambda at: subject.complex_value(*place, tiny, at).imag / tiny, at, steps)
    noise = max(scatter(f, at, steps), math.ulp(f(at)))
    # A constant as 0.1 is off by the same everywhere, which no scatter shows; and of values that are 0
    # all around it is not seen what was lost, and beside what.
    unseen = noise / max(abs(x), step) + (0.0 if f(at) else math.ulp(max(abs(x), 1.0)))
    return _SURE * min(own, noise / step), _SURE * (own + unseen)


def _between_jumps(
    subject: _Subject, place: tuple[int, int], estimate: Estimate, step: float
) -> bool:
    """Whether the derivative is that of larger steps, and the estimate one of a piece between two jumps.

    Then the values that it was found by are right in none of the digits that it is about.
    """
    result, index = place
    f, given = partial(subject.value, result), _float(subject.given[result][index])
    apart = abs(given - estimate.value)
    if not any(
        abs(given - value) <= error <= _SHARP * apart
        for value, error in coarser_estimates(f, subject.at, index, step)
    ):
        return False
    return apart * step <= _SURE * scatter_beside(f, subject.at, index)


def _message(report: Report, arguments: int, *, by_hand: bool) -> str:
    row, *others = (each for each in report.rows if each.verdict == DIFFERS)
    function = f"result {row.result} of {report.name}" if report.rows[-1].result else report.name
    point = ", ".join(f"{each.argument}={each.at!r}" for each in report.rows[:arguments])
    return (
        f"the derivative of {function} for {row.argument} at {point} is given as {row.given!r}, but by "
        f"{row.method} it is {row.estimate!r} ± {row.error:.1g}, and they are {row.apart:.2g} apart "
        f"relative to the larger{f' (and {len(others)} more differ)' if others else ''}: "
        + (
            "mend what gradient returns"
            if by_hand
            else "check the operations of the function alone"
        )
        + "; the error's report has every number"
    )


# ---- what the values say


def _complex_step(subject: _Subject, place: tuple[int, int]) -> Estimate | None:
    """``Im f(x + ih) / h``, which subtracts nothing; ``None`` where ``f`` has no such value.

    How much it varies from step to step, and to the neighbouring floats, is its error.
    """
    result, index = place
    x, real = subject.at[index], subject.value(result, subject.at)
    tiny = _tiny(x)
    slopes = []
    for stretch, end in ((1.0, x), (1.3, x), (1.7, math.inf), (2.3, -math.inf)):
        step, at = stretch * tiny, [*subject.at]
        at[index] = math.nextafter(x, end)
        z = subject.complex_value(*place, step, at)
        if not math.isclose(z.real, real, rel_tol=1e-9, abs_tol=tiny) or step < 1e-290:
            return None
        slopes.append(z.imag / step)
    return Estimate(slopes[0], 2.0 * (max(slopes) - min(slopes)))


def _tiny(x: float) -> float:
    """A step so small that its square is lost beside 1."""
    return (abs(x) or 1.0) * 2.0**-70


def _better(by_step: Estimate | None, by_differences: Estimate) -> tuple[Estimate, str]:
    """The complex step, unless the differences contradict it; else these.

    A function may take complex numbers and be nonsense there, as one with ``abs`` in it.
    """
    value, error = by_differences
    if by_step and abs(by_step.value - value) <= by_step.error + 2.0 * error:
        unseen = error > _SHARP * abs(by_step.value)  # by the differences: it stands alone
        return Estimate(by_step.value, by_step.error + (error if unseen else 0.0)), _BY_STEP
    return or_zero(by_differences), _BY_DIFFERENCES


def or_zero(estimate: Estimate) -> Estimate:
    """0 for a difference that may as well be that.

    >>> or_zero(Estimate(1e-9, 1e-8)), or_zero(Estimate(1e-9, 1e-12)).value
    (Estimate(value=0.0, error=1e-08), 1e-09)
    """
    value, error = estimate
    return Estimate(0.0 if abs(value) <= error else value, error)


def with_rounding(estimate: Estimate, *sizes: float) -> Estimate:
    """The estimate with room for the rounding of the gradient itself.

    Args:
        estimate: what the values of the function say.
        *sizes: of other numbers that the gradient is made of.  The rounded exponent of a power, 1/3, is
            multiplied by the logarithm of its base: the larger or smaller they are, the more room.

    >>> with_rounding(Estimate(1.0, 0.0)).error, with_rounding(Estimate(1.0, 0.0), 1e-30).error
    (2.6645352591003757e-15, 8.970602038971265e-14)
    >>> with_rounding(Estimate(math.nan, math.inf))
    Estimate(value=nan, error=inf)
    """
    value, error = estimate
    if not math.isfinite(value):
        return estimate
    exponent = max(abs(math.frexp(each)[1]) for each in (value, *sizes))
    return Estimate(value, error + (8.0 + 4.0 * exponent) * math.ulp(value))


def verdict_of(given: float, estimate: Estimate) -> str:
    """Whether a derivative is as near to an estimate as that is to the truth.

    >>> verdict_of(2.0, Estimate(2.1, 0.01)), verdict_of(2.0, Estimate(2.1, 1.0))
    ('differs', 'inconclusive')
    """
    value, error = estimate
    size = abs(value) or (abs(given) if math.isfinite(given) else 0.0)
    if not math.isfinite(error) or error > _SHARP * size > 0.0:
        return INCONCLUSIVE
    return AGREES if abs(given - value) <= error else DIFFERS


# ---- reading what is offered


def _number(offered: Any) -> Any:
    """An argument as a plain number: those of NumPy, which may be of single precision, as floats."""
    number = _unwrapped(data_of(offered))
    if _is_sequence(number):
        built, numbers = _one_by_one(number)
        raise DataError(
            f"an argument of gradcheck is {_shown(number)}: give its numbers one by one, as in "
            f"gradcheck(lambda *x: f({built}), *{numbers}), a gradient likewise; or by keyword if it is data"
        )
    check_number(number, where="an argument of gradcheck")
    name = arithmetic_of([number]).name
    if name == "sympy":
        raise DataError(f"gradcheck compares numbers, and {number} is symbolic: use float(...)")
    try:
        as_float = float(number)
    except OverflowError:
        raise NumberRangeError(f"{format_number(number):.60} is too large for a float") from None
    return as_float if name == "numpy" else number


def _one_by_one(sequence: Any) -> tuple[str, str]:
    """How the numbers ``*x`` are made the sequence again, and how they are taken out of it."""
    shape = getattr(sequence, "shape", None)
    if shape is None:
        return f"{'tuple' if isinstance(sequence, tuple) else 'list'}(x)", "numbers"
    if len(shape) == 1:
        return "numpy.array(x)", "array"
    return f"numpy.array(x).reshape{tuple(shape)}", "array.ravel()"


def _like(number: Any, moved: float) -> Any:
    """The moved number as the type of the first that holds it."""
    arithmetic = arithmetic_of([number])
    exact = arithmetic.name in ("Fraction", "Decimal", "mpf")
    return arithmetic.literal(moved) if exact and arithmetic.literal else moved


def _float(result: Any) -> float:
    """A number or Value as a float; that of a complex number, as ``cmath`` returns, if it is real."""
    number = data_of(result)
    if isinstance(number, complex):
        return math.nan if number.imag else number.real
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _is_sequence(returned: Any) -> bool:
    """Whether it is a sequence of numbers: a list, a tuple, an array, unless of no axis, which is a number."""
    if isinstance(returned, (Value, str, dict)) or not hasattr(returned, "__iter__"):
        return False
    return getattr(returned, "shape", None) != ()


def _results(returned: Any) -> list[Any]:
    """The numbers that a function returned, one or several.

    Raises:
        DataError: there are sequences in the sequence.
    """
    results = [*map(_unwrapped, returned if _is_sequence(returned) else [returned])]
    if any(map(_is_sequence, results)):
        raise DataError(
            f"the function returned {_shown(returned)}, a sequence of sequences: return one sequence of "
            "numbers, as an array's .ravel()"
        )
    return results


def _unwrapped(number: Any) -> Any:
    """The number in an array of no axis, or of a type of NumPy's, as Python's own."""
    return number.item() if getattr(number, "shape", None) == () else number


def _given_rows(given: Any, returned: Any, arguments: int) -> tuple[tuple[Any, ...], ...]:
    """The rows of derivatives as `jacobian` has them, when all are numbers."""
    several, count = _is_sequence(returned), len(_results(returned))
    for each in _results(returned):
        if not isinstance(each, complex):
            check_number(each, where="what the function returned")
    listed = [*given] if several and _is_sequence(given) else [given]
    rows = tuple(tuple(map(_unwrapped, row if _is_sequence(row) else [row])) for row in listed)
    numbers = [each for row in rows for each in row]
    if (
        len(rows) != count
        or any(len(row) != arguments for row in rows)
        or any(map(_is_sequence, numbers))
    ):
        wanted = f"{arguments} number{'s' * (arguments > 1)}, one for each argument"
        wanted += f", in a row for each of the {count} results" * several
        raise DataError(f"gradient returned {_shown(given)}: it should return {wanted}")
    for each in numbers:
        check_number(each, where="what gradient returned")
    return rows


def _shown(returned: Any) -> str:
    """What was returned, on one line."""
    return f"{' '.join(repr(returned).split()):.60}"


def _names(f: Callable[..., Any], count: int) -> list[str]:
    """The names of the parameters, and numbers where there are none."""
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        parameters = {}.values()
    named = [
        each.name
        for each in parameters
        if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
    ]
    return [*named[:count], *(f"argument {place + 1}" for place in range(len(named), count))]


make_callable(__name__)
