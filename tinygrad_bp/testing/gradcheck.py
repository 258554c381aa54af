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
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from tinygrad_bp.arithmetic import arithmetic_of, check_number
from tinygrad_bp.differences import Estimate, finite_difference
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
_SHARP = 0.01  # an estimate with a larger relative error confirms nothing


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
    f: Callable[..., Any], *at: Number | Value, gradient: Callable[..., Any] | None = None
) -> Report:
    """Hold the gradient of a function to the function's values.

    Args:
        f: takes scalars and returns a number or a sequence of numbers.  Without ``gradient`` it is
            called with Values, as `grad` would, and with complex numbers, to see if it takes them.
        *at: the point, a number for each argument.  It is moved by floats, and the estimate is a
            float; a ``Fraction``, ``Decimal`` or ``mpf`` stays of its type, so that ``f`` is as exact
            as it can be.  Symbols have no values to compare.
        gradient: the derivatives by hand, of a function of plain numbers as ``math`` has them: takes
            what ``f`` takes and returns what `grad` would, a number, or a tuple for several arguments;
            or what `jacobian` would, if ``f`` returns a sequence.  If left out, the engine's own.

    Returns:
        The report, where nothing differs.  What is inconclusive is not confirmed: where that matters,
        ask for ``report.verdict == "agrees"``.

    Raises:
        GradientError: a derivative is further from the estimate than the estimate's error.  It is an
            `AssertionError` too, and has the ``report``.
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
    numbers = [*map(_number, at)]
    if gradient is None:
        rows = jacobian(lambda *leaves: _results(f(*leaves)))(*numbers)
    else:
        rows = _rows(gradient(*numbers), f(*numbers), len(numbers))
    if not rows:
        raise DataError("the function returned an empty sequence: return at least one number")
    floats, names = [*map(float, numbers)], _names(f, len(numbers))

    @cache
    def values(*moved: float) -> list[float]:
        operands = map(_like, numbers, moved)
        returned = f(*(map(Value, operands) if gradient is None else operands))
        return [*map(_float, _results(returned))]

    def check(result: int, index: int, given: Number) -> Check:
        def value(moved: Sequence[float]) -> float:
            return values(*moved)[result]

        def on_complex(z: complex) -> Any:
            return _results(f(*numbers[:index], z, *numbers[index + 1 :]))[result]

        by_differences = finite_difference(value, floats, index)
        by_step = _complex_step(on_complex, floats[index], lambda: value(floats))
        (found, error), method = _better(by_step, by_differences)
        estimate = with_rounding(Estimate(found, error))
        verdict = verdict_of(_float(given), estimate)
        about = result, names[index], numbers[index], given
        return Check(*about, *estimate, method=method, verdict=verdict)

    checks = [
        check(result, index, given)
        for result, row in enumerate(rows)
        for index, given in enumerate(row)
    ]
    report = Report(getattr(f, "__name__", "the function"), tuple(checks))
    if report.verdict == DIFFERS:
        raise GradientError(_message(report, len(at), by_hand=gradient is not None), report)
    return report


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


def _complex_step(
    f: Callable[[complex], Any], x: float, real: Callable[[], float]
) -> Estimate | None:
    """``Im f(x + ih) / h``, which subtracts nothing; ``None`` where ``f`` has no such value.

    How much it varies from step to step, and to the neighbouring floats, is its error.
    """
    tiny = (abs(x) or 1.0) * 2.0**-70
    slopes = []
    for stretch, end in ((1.0, x), (1.3, x), (1.7, math.inf), (2.3, -math.inf)):
        step = stretch * tiny
        try:
            z = f(complex(math.nextafter(x, end), step))
            taken = isinstance(z, complex) and math.isclose(
                z.real, real(), rel_tol=1e-9, abs_tol=tiny
            )
        except Exception:  # noqa: BLE001 - whatever it is, the function is not for complex numbers
            return None
        if not taken or step < 1e-290:
            return None
        slopes.append(z.imag / step)
    return Estimate(slopes[0], 2.0 * (max(slopes) - min(slopes)))


def _better(by_step: Estimate | None, by_differences: Estimate) -> tuple[Estimate, str]:
    """The complex step, unless the differences contradict it; else these.

    A function may take complex numbers and be nonsense there, as one with ``abs`` in it.
    """
    value, error = by_differences
    if by_step and abs(by_step.value - value) <= by_step.error + 2.0 * error:
        unseen = error > _SHARP * abs(by_step.value)  # by the differences: it stands alone
        return Estimate(by_step.value, by_step.error + (error if unseen else 0.0)), "complex step"
    return or_zero(by_differences), "differences"


def or_zero(estimate: Estimate) -> Estimate:
    """0 for a difference that may as well be that.

    >>> or_zero(Estimate(1e-9, 1e-8)), or_zero(Estimate(1e-9, 1e-12)).value
    (Estimate(value=0.0, error=1e-08), 1e-09)
    """
    value, error = estimate
    return Estimate(0.0 if abs(value) <= error else value, error)


def with_rounding(estimate: Estimate) -> Estimate:
    """The estimate with room for the rounding of the gradient itself.

    >>> with_rounding(Estimate(math.nan, math.inf))
    Estimate(value=nan, error=inf)
    """
    value, error = estimate
    return Estimate(value, error + 8.0 * math.ulp(value)) if math.isfinite(value) else estimate


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
    number = data_of(offered)
    check_number(number, where="an argument of gradcheck")
    name = arithmetic_of([number]).name
    if name == "sympy":
        raise DataError(f"gradcheck compares numbers, and {number} is symbolic: use float(...)")
    try:
        as_float = float(number)
    except OverflowError:
        raise NumberRangeError(f"{format_number(number):.60} is too large for a float") from None
    return as_float if name == "numpy" else number


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


def _results(returned: Any) -> list[Any]:
    return [*returned] if isinstance(returned, (list, tuple)) else [returned]


def _rows(given: Any, returned: Any, arguments: int) -> tuple[tuple[Any, ...], ...]:
    """The rows of derivatives as `jacobian` has them, when all are numbers."""
    for each in _results(returned):
        if not isinstance(each, complex):
            check_number(each, where="what the function returned")
    rows = given if isinstance(returned, (list, tuple)) else (given,)
    rows = tuple(tuple(_results(row)) for row in _results(rows))
    if len(rows) != len(_results(returned)) or any(len(row) != arguments for row in rows):
        raise DataError(
            f"gradient returned {given!r:.60}, and there should be a number for each of the "
            f"{arguments} argument(s), in a row for each result where the function returns several"
        )
    for each in (number for row in rows for number in row):
        check_number(each, where="what gradient returned")
    return rows


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
