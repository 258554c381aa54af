"""Derivatives without side effects, and by other means than the recorded pass.

`gradients` is the backward pass that touches no ``grad``.  `finite_difference` is the second opinion
that stands beside a gradient wherever one is explained.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from tinygrad_bp.backward import backward
from tinygrad_bp.graph import topological_order

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tinygrad_bp.arithmetic import Number
    from tinygrad_bp.value import Value


class Estimate(NamedTuple):
    """A derivative from differences, with the error that the extrapolation itself estimates."""

    value: float
    error: float


def finite_difference(
    f: Callable[[Sequence[float]], float], at: Sequence[float], index: int
) -> Estimate:
    """The derivative of ``f`` for one of its arguments, from central differences.

    Ridders' method: differences over shrinking steps, extrapolated to a step of zero, and of all
    of these the one whose neighbours agree best.

    Args:
        f: takes the list of arguments and returns a float.
        at: the arguments, as floats.
        index: which argument to move, from 0.

    Returns:
        The estimate and its error; ``nan`` and ``inf`` where ``f`` has no finite values around.

    >>> estimate = finite_difference(lambda at: at[0] ** 3, [2.0], 0)
    >>> abs(estimate.value - 12.0) < 1e-9
    True
    """
    x = at[index]

    def difference(step: float) -> float:
        above, below = x + step, x - step
        try:
            rise = f([*at[:index], above, *at[index + 1 :]]) - f([*at[:index], below, *at[index + 1 :]])
        except (ValueError, ArithmeticError):
            return math.nan
        return rise / (above - below)

    step = 0.1 * max(abs(x), 0.1)
    while not math.isfinite(difference(step)):
        step /= 4.0
        if x + step == x:
            return Estimate(math.nan, math.inf)
    shrink = 1.4
    best = Estimate(math.nan, math.inf)
    previous = [difference(step)]
    for _ in range(12):
        step /= shrink
        row = [difference(step)]
        factor = shrink**2
        for column, before in enumerate(previous):
            row.append((row[column] * factor - before) / (factor - 1.0))
            factor *= shrink**2
            error = max(abs(row[-1] - row[-2]), abs(row[-1] - before))
            if error <= best.error:
                best = Estimate(row[-1], error)
        if abs(row[-1] - previous[-1]) >= 2.0 * best.error and len(row) > 3:
            break  # rounding has taken over
        previous = row
    return best


def gradients(e: Value, wrt: Sequence[Value]) -> list[Number]:
    """``de/dv`` for each of the nodes, by the backward pass, leaving every ``grad`` as it was.

    >>> from tinygrad_bp import Value
    >>> x, y = Value(3.0), Value(2.0)
    >>> gradients(x * x * y, [x, y])
    [12.0, 9.0]
    >>> x.grad
    0
    """
    nodes = [*topological_order(e), *wrt]
    before = [node.grad for node in nodes]
    try:
        for node in nodes:
            node.grad = 0
        backward(e)
        return [node.grad for node in wrt]
    finally:
        for node, grad in zip(nodes, before, strict=True):
            node.grad = grad
