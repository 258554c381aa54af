"""A derivative from differences of values: the second opinion beside a gradient.

This room may not know the graph: a function of floats is all that it is given.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_SHRINK = 1.9  # of the steps; were it 2, their roundings would be alike
_STEPS = 52  # from a quarter of the argument down to its last few bits
_COLUMNS = 7
_ORDER = 6  # of the differences in which only the scatter is left
_PARTS = 4.0, 10.0, 25.0  # of a step, into which it is divided: at one alone roundings may be alike


class Estimate(NamedTuple):
    """A derivative from differences, with the error that the differences themselves show."""

    value: float
    error: float


_UNKNOWN = Estimate(math.nan, math.inf)


def finite_difference(
    f: Callable[[Sequence[float]], float], at: Sequence[float], index: int
) -> Estimate:
    """The derivative of ``f`` for one of its arguments, from central differences.

    Ridders' method: differences over ever smaller steps, extrapolated to a step of zero.  How the
    slopes to the right and to the left differ is extrapolated as well, and would be zero: what is left
    of it is the noise of ``f``, or a kink within the step, and counts as error.  Of the estimates that
    no smaller step contradicts it is the one of the smallest error.

    Args:
        f: takes the list of arguments and returns a float.
        at: the arguments, as floats.
        index: which argument to move, from 0.

    Returns:
        The estimate and its error; ``nan`` and ``inf`` where ``f`` has no finite values around, a
        kink, of which a central difference would give the mean of two slopes, or noise as large as
        the slopes.

    >>> estimate = finite_difference(lambda at: at[0] ** 3, [2.0], 0)
    >>> abs(estimate.value - 12.0) < 1e-9
    True
    """
    return difference_and_step(f, at, index)[0]


def difference_and_step(
    f: Callable[[Sequence[float]], float], at: Sequence[float], index: int
) -> tuple[Estimate, float]:
    """What `finite_difference` gives, and the step it took: ``f`` is smooth within; 0 if it is nowhere."""
    x, value = at[index], _along(f, at, index)
    unknown = _UNKNOWN, 0.0
    if not math.isfinite(x) or not math.isfinite(value(x)):
        return unknown
    (best, step), smooth = unknown, False
    for scale in _scales(x):
        for estimate, step_there, smooth_there in _estimates(value, x, scale):
            if abs(estimate.value - best.value) > estimate.error + best.error:
                break
            if estimate.error < best.error:
                best, step, smooth = estimate, step_there, smooth_there
    return (best, step) if smooth else unknown


def coarser_estimates(
    f: Callable[[Sequence[float]], float], at: Sequence[float], index: int, step: float
) -> Iterator[Estimate]:
    """The estimates that `finite_difference` has from larger steps than this one."""
    value = _along(f, at, index)
    for scale in _scales(at[index]):
        yield from (each for each, wider, _ in _estimates(value, at[index], scale) if wider > step)


def scatter_beside(f: Callable[[Sequence[float]], float], at: Sequence[float], index: int) -> float:
    """How far rounding moves the values of ``f`` on either side of the point.

    Where a sum has lost its digits, as in ``(exp(x) - 1) / x`` near 0, values lie on smooth pieces
    between jumps, and the piece on which the point is shows none.  There are jumps on both sides, and
    seen from further away they are of one size, which no kink and no bend is.

    >>> scatter_beside(lambda at: (math.exp(at[0]) - 1.0) / at[0], [1e-14], 0) > 1e-3
    True
    >>> scatter_beside(lambda at: math.tanh(1e8 * at[0]), [1e-9], 0) < 1e-6
    True
    """
    x = at[index]
    rest = [0.0] * len(at)
    largest = before = 0.0
    wide = max(abs(x), 1.0) * 2.0**-20  # within it what varies is not what was written
    while wide > 16.0 * math.ulp(x):
        sides = (
            scatter(
                f,
                [*at[:index], x + side * wide, *at[index + 1 :]],
                [*rest[:index], wide, *rest[index + 1 :]],
            )
            for side in (-3.0, 3.0)
        )
        here = min(sides)
        largest, before, wide = max(largest, min(before, here)), here, wide / 4.0
    return largest


def scatter(
    f: Callable[[Sequence[float]], float], at: Sequence[float], steps: Sequence[float]
) -> float:
    """How far rounding moves the values of ``f`` off a smooth curve.

    Sixth differences of values along a line: of a curve that is smooth within the steps they are next
    to nothing, and so they show the rounding alone, as in the method of Moré and Wild.

    Args:
        f: takes the list of arguments and returns a float.
        at: the arguments, as floats.
        steps: for each argument, the step within which ``f`` is smooth; 0 where it may not be moved.

    Returns:
        The largest deviation that was found; 0 where ``f`` has no finite values.

    >>> scatter(lambda at: 1.0 - math.exp(-at[0]), [30.0], [0.01]) > 1e-17  # exp(-30) is 9.4e-14
    True
    >>> scatter(lambda at: math.exp(-at[0]), [30.0], [0.01]) < 1e-27
    True
    """
    # Further away than its own size, an argument is where the rounding is another.
    near = [min(step, abs(x) / 4.0 or step) for x, step in zip(at, steps, strict=True)]
    return max(_sixth_difference(f, at, [step / part for step in near]) for part in _PARTS)


def _sixth_difference(
    f: Callable[[Sequence[float]], float], at: Sequence[float], steps: Sequence[float]
) -> float:
    """The largest of those of values that lie these steps apart, in units of the values' own scatter."""
    # No two arguments move alike: hardly a function of several stays as it is along such a line.
    strides = [
        (x + (-1) ** place * step / (1.0 + place / 16.0) - x) or (math.ulp(x) if step else 0.0)
        for place, (x, step) in enumerate(zip(at, steps, strict=True))
    ]
    row = [
        _value_or_nan(f, [x + half / 2.0 * stride for x, stride in zip(at, strides, strict=True)])
        for half in range(
            -19, 20, 2
        )  # the point itself is left out: a convention there is no scatter
    ]
    for _ in range(_ORDER):
        row = [ahead - behind for behind, ahead in pairwise(row)]
    found = max((abs(each) for each in row if math.isfinite(each)), default=0.0)
    return found / math.sqrt(math.comb(2 * _ORDER, _ORDER))


def _along(
    f: Callable[[Sequence[float]], float], at: Sequence[float], index: int
) -> Callable[[float], float]:
    """``f`` as a function of one of its arguments; nan where it has no value."""
    return lambda moved: _value_or_nan(f, [*at[:index], moved, *at[index + 1 :]])


def _scales(x: float) -> list[float]:
    """A small argument may be near 0 by chance, or say how fine ``f`` is there: both are tried."""
    return sorted({abs(x), max(abs(x), 0.01)} - {0.0})


def _value_or_nan(f: Callable[[Sequence[float]], float], at: Sequence[float]) -> float:
    try:
        return f(at)
    except (ValueError, ArithmeticError):
        return math.nan


def _estimates(
    value: Callable[[float], float], x: float, scale: float
) -> Iterator[tuple[Estimate, float, bool]]:
    """The best estimate of each step, the smallest step first, and whether ``f`` is smooth within."""
    middle = value(x)
    sides: list[tuple[float, float, float]] = []
    table: list[list[float]] = []
    for halving in range(_STEPS):
        step = x + scale / 4.0 / _SHRINK**halving - x  # one by which x moves without rounding
        if step == math.inf:
            continue
        if step <= 0.0:
            break
        right, left = value(x + step) - middle, middle - value(x - step)
        row = [right / step / 2.0 + left / step / 2.0]
        for column, before in enumerate(table[-1][:_COLUMNS] if table else ()):
            shrunk = _SHRINK ** (2 * column + 2)
            row.append(row[column] + (row[column] - before) / (shrunk - 1.0))
        sides.append((step, right, left))
        table.append(row)
    noise = max(_jitter(value, x), _jump(value, x, [step for step, *_ in sides]))
    q = _SHRINK**2
    for place in reversed(range(3, len(sides))):
        row, above = table[place], table[place - 1]
        step, right, left = sides[place]
        wide, narrower, bend = (ahead - behind for _, ahead, behind in sides[place - 2 : place + 1])
        even = abs(wide - (q + q * q) * narrower + q**3 * bend) / q**3
        odd = abs(row[2] - above[2]) * step
        size = max(abs(right), abs(left))
        rounding = math.ulp(abs(middle) + size)
        if not math.isfinite(even + odd + rounding):
            continue
        noise = max(noise, even, odd)
        spread, estimate = min(
            (max(abs(each - row[max(c - 1, 0)]), abs(each - above[max(c - 1, 0)])), each)
            for c, each in enumerate(row)
        )
        moved = math.ulp(x) / step * (abs(estimate) + abs(bend) / step)
        error = spread + (noise + rounding) / step + moved
        yield Estimate(estimate, error), step, noise <= max(4.0 * rounding, 0.1 * size)


def _jitter(value: Callable[[float], float], x: float) -> float:
    """How far ``f`` is from a straight line on the floats next to ``x``."""
    near = [value(x + place * math.ulp(x)) for place in range(-6, 7)]
    bends = (abs(a - 2.0 * b + c) for a, b, c in zip(near, near[1:], near[2:], strict=False))
    return max((each for each in bends if math.isfinite(each)), default=0.0)


def _jump(value: Callable[[float], float], x: float, steps: Sequence[float]) -> float:
    """How far ``f`` jumps where it first moves, if it does not move at the smallest step.

    At the end of a stretch on which it is constant it moves on gradually; but where rounding only
    makes it seem so, it jumps.
    """
    middle = value(x)

    def moved(step: float) -> float:
        ends = [abs(value(each) - middle) for each in (x + step, x - step)]
        return max((each for each in ends if math.isfinite(each)), default=0.0)

    if not steps or moved(steps[-1]):
        return 0.0
    stays, moves = steps[-1], 2.0 * steps[-1]
    while not moved(moves):
        stays, moves = moves, 2.0 * moves
        if not moves < min(2.0**60 * steps[0], math.inf):
            return 0.0
    far = moved(2.0 * moves)
    while stays < (half := (stays + moves) / 2.0) < moves and x + half != x + stays:
        stays, moves = (stays, half) if moved(half) else (half, moves)
    jump = moved(moves)
    return jump if jump > 0.01 * far else 0.0
