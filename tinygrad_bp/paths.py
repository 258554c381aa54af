"""The gradient as what it is: a sum over all paths from the result to a node.

Along a path the local derivatives multiply; ``de/dw`` is the sum of these products.  Two edges
between the same nodes are two paths: ``x * x`` has two.  Counts, totals and gross sums come from
one sweep over the graph, however many paths there are; only `paths` lists them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from tinygrad_bp.errors import TooManyPathsError
from tinygrad_bp.graph import dependents, topological_order
from tinygrad_bp.modules import make_callable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from tinygrad_bp.arithmetic import Number
    from tinygrad_bp.value import Value

LIMIT = 100_000
"""More paths or terms than this are not listed unasked."""


class Path(NamedTuple):
    """One path from the result down to a node.

    Attributes:
        nodes: from ``e`` to ``w``, both included.
        slots: for each step, which of the upper node's `parents` was taken.
        local_derivatives: for each step, that of the upper node for the lower.
    """

    nodes: tuple[Value, ...]
    slots: tuple[int, ...]
    local_derivatives: tuple[Number, ...]

    @property
    def product(self) -> Number:
        """What this path adds to the gradient: the product of its local derivatives."""
        return math.prod(self.local_derivatives)


@dataclass(frozen=True)
class PathSum:
    """All paths together.

    Attributes:
        total: the sum of their products, which is ``de/dw``.
        gross: the sum of the sizes of their products.
        count: how many there are.
    """

    total: Number
    gross: Number
    count: int

    @property
    def cancellation(self) -> Number:
        """How much larger the gross sum is than the total: 1 where nothing cancels."""
        return self.gross / abs(self.total) if self.total else math.inf if self.gross else 1


def sweep(
    e: Value,
    *,
    through: Callable[[Number], Number] = lambda local: local,
    stop: Collection[Value] = (),
) -> dict[Value, Number]:
    """The sum over all paths from ``e`` to each node, without touching any ``grad``.

    Args:
        e: where the paths begin.
        through: what a local derivative counts as: itself for the gradient, its size for the gross
            sum, 1 for the number of paths.
        stop: nodes at which paths end.

    >>> from tinygrad_bp import Value
    >>> x = Value(3.0)
    >>> sweep(x * x)[x]
    6.0
    """
    sums: dict[Value, Number] = {e: 1}
    for node in reversed(topological_order(e)):
        if node in sums and (node not in stop or node is e):
            above = sums[node]
            for parent, local in zip(node.parents, node.local_derivatives, strict=True):
                sums[parent] = sums.get(parent, 0) + above * through(local)
    return sums


def path_count(e: Value, w: Value) -> int:
    """How many paths lead from ``e`` to ``w``: exact, and never by listing them.

    >>> from tinygrad_bp import Value
    >>> x = Value(1.0)
    >>> y = x
    >>> for _ in range(200):
    ...     y = y * y
    >>> path_count(y, x) == 2**200
    True
    """
    return int(sweep(e, through=lambda _: 1).get(w, 0))


def path_sum(e: Value, w: Value) -> PathSum:
    """The total over all paths from ``e`` to ``w``, their gross sum and their number.

    >>> from tinygrad_bp import Value
    >>> x = Value(3.0)
    >>> path_sum(x * x - x * 5.0, x)
    PathSum(total=1.0, gross=11.0, count=3)
    """
    return PathSum(sweep(e).get(w, 0), sweep(e, through=abs).get(w, 0), path_count(e, w))


def paths(e: Value, w: Value, limit: int = LIMIT) -> Iterator[Path]:
    """Every path from ``e`` to ``w``, one by one, operands from left to right.

    Raises:
        TooManyPathsError: there are more than ``limit``.

    >>> from tinygrad_bp import Value
    >>> x = Value(3.0)
    >>> [path.product for path in paths(x * x, x)]
    [3.0, 3.0]
    """
    count = path_count(e, w)
    if count > limit:
        raise TooManyPathsError(
            f"there are {count} paths, more than the limit of {limit}: path_sum(e, w) has their "
            f"total without listing them; limit={count} lists them all the same"
        )
    return _walk(e, w)


def _walk(e: Value, w: Value) -> Iterator[Path]:
    reaching = dependents(topological_order(e), [w])
    if e not in reaching:
        return
    nodes, slots, locals_ = [e], [-1], [1]
    if e is w:
        yield Path((e,), (), ())
        return
    while nodes:
        node = nodes[-1]
        slots[-1] += 1
        if node is w or slots[-1] == len(node.parents):
            nodes.pop(), slots.pop(), locals_.pop()
            continue
        parent = node.parents[slots[-1]]
        if parent in reaching:
            nodes.append(parent)
            locals_.append(node.local_derivatives[slots[-1]])
            slots.append(-1)
            if parent is w:
                yield Path(tuple(nodes), tuple(slots[:-1]), tuple(locals_[1:]))


make_callable(__name__)
