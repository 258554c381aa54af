"""The largest paths of a graph, found without listing the others.

Each path is the list of its edges, from the top down.  Knows edges and their numbers, not nodes.
"""

from __future__ import annotations

import math
import operator
from heapq import heapify, heappop, heappush
from itertools import chain, count
from typing import TYPE_CHECKING, NamedTuple

from tinygrad_bp.engine.collector import collector_paused
from tinygrad_bp.errors import DataError
from tinygrad_bp.numbers.arithmetic import arithmetic_of
from tinygrad_bp.numbers.families import whole_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from tinygrad_bp.engine.tape import Edges
    from tinygrad_bp.numbers.kernels import Number


def listed(
    edges: Edges[Any], kept: Sequence[bool] | None = None, marked: Sequence[bool] | None = None
) -> Iterator[list[int]]:
    """Every path, one by one, operands from left to right.

    Args:
        edges: the graph.
        kept: for each edge, whether paths may cross it.
        marked: for each edge, whether it is one of those of which a path must cross one at least.
    """
    if not edges.nodes:
        return
    everything = [True] * len(edges.above)
    kept = kept or everything
    open_ = edges.up(kept)  # so many paths go on from each node
    unmarked = (
        edges.up([k and not m for k, m in zip(kept, marked, strict=True)])
        if marked
        else [0] * len(open_)
    )
    marked = marked or everything
    if len(edges.nodes) == 1:
        if marked is everything:
            yield []
        return
    path: list[int] = []
    rests = [iter(edges.out_of(len(edges.nodes) - 1))]
    met = [False]  # whether the path so far has crossed a marked edge
    while rests:
        for edge in rests[-1]:
            node = edges.below[edge]
            meets = met[-1] or marked[edge]
            if not kept[edge] or open_[node] - (0 if meets else unmarked[node]) == 0:
                continue
            path.append(edge)
            if node:
                rests.append(iter(edges.out_of(node)))
                met.append(meets)
                break
            yield path[:]
            path.pop()
        else:
            rests.pop()
            met.pop()
            if path:
                path.pop()


def largest(edges: Edges[Any], n: int) -> list[list[int]]:
    """The ``n`` paths with the largest products: see `largest_paths`.

    Raises:
        DataError: the local derivatives are symbols, which have no size.
        ArgumentError: ``n`` is not a whole number.
    """
    n = whole_number("n", n)
    if n <= 0 or not edges.nodes:
        return []
    if len(edges.nodes) == 1:
        return [[]]
    locals_ = edges.locals
    with collector_paused():  # as many tuples as edges, and no cycles
        measure = _measure(locals_)
        streams: list[Iterable[list[int]]] = [_largest_live(edges, measure, n)]
        if None in measure.sizes:
            live, dead = [*map(bool, locals_)], [not local for local in locals_]
            pairs = zip(measure.sizes, live, strict=True)
            endless = [size is None and nonzero for size, nonzero in pairs]
            streams = [listed(edges, live, endless), *streams, listed(edges, None, dead)]
        return [path for _, path in zip(range(n), chain.from_iterable(streams), strict=False)]


class _Measure(NamedTuple):
    """Sizes that can be multiplied without over- or underflow, and compared.

    What is ordered is a cost, less for a larger product, so that it can be kept in a heap.
    """

    sizes: list[Any]  # of each edge; None where it is 0 or not finite
    times: Callable[[Any, Any], Any]  # a size and a cost
    one: Any  # the cost of the product of nothing
    near: Callable[[Any, Any], bool] | None  # whether a cost is the other but for rounding


def _measure(locals_: list[Number]) -> _Measure:
    name = arithmetic_of(locals_).name
    if name in ("float", "numpy"):  # mantissa and exponent: no float is too large or too small
        sizes: list[Any] = [*map(math.frexp, map(abs, locals_))]
        if not (all(locals_) and all(map(math.isfinite, locals_))):
            sizes = [size if 0.0 < size[0] < 1.0 else None for size in sizes]
        exact = all(size is None or size[0] == 0.5 for size in sizes)  # powers of 2 are not rounded
        return _Measure(sizes, _scaled_times, (-1, -0.5), None if exact else _scaled_near)
    for each in locals_:
        if not getattr(each, "is_number", True):
            raise DataError(
                f"{each!s:.60} has no size to compare: put numbers in for the symbols, or list all "
                "paths with paths(e, w)"
            )
    sizes = [abs(each) if each and _is_finite(each) else None for each in locals_]
    exact = name in ("int", "Fraction")
    return _Measure(sizes, operator.mul, -1, None if exact else _near)


def _scaled_times(size: tuple[float, int], cost: tuple[int, float]) -> tuple[int, float]:
    mantissa = size[0] * cost[1]
    if mantissa > -0.5:
        return cost[0] - size[1] + 1, mantissa + mantissa
    return cost[0] - size[1], mantissa


def _scaled_near(cost: tuple[int, float], other: tuple[int, float]) -> bool:
    shift = cost[0] - other[0]
    return abs(shift) < 2 and _near(cost[1] * 2.0**-shift, other[1])


def _near(cost: Number, other: Number) -> bool:
    """Whether two costs differ by no more than rounding may, were their factors in another order."""
    return bool(abs(cost - other) * 2**30 < abs(other))


def _is_finite(number: Number) -> bool:
    try:
        return bool(number - number == 0)
    except ArithmeticError:  # Decimal("Infinity")
        return False


def _largest_live(edges: Edges[Any], measure: _Measure, n: int) -> Iterator[list[int]]:
    """The ``n`` largest products without a factor that is 0, infinite or nan.

    `_ranked` multiplies from below, `Path.product` from above; where rounding may tell the two
    orders apart, a few more are drawn and sorted again.
    """
    sizes, times, one, near = measure
    found: list[tuple[Any, list[int]]] = []
    for path in _ranked(edges, measure):
        cost = one
        for edge in path:
            cost = times(sizes[edge], cost)
        if len(found) >= n and not (near and near(cost, found[n - 1][0])):
            break
        found.append((cost, path))
        if len(found) == (3 * n + _SPARE if near else n):
            break
    found.sort()  # of equal costs, the path that is further left where they part
    yield from (path for _, path in found)


_SPARE = 50  # so many more at least, where all are equal but for rounding


def _ranked(edges: Edges[Any], measure: _Measure) -> Iterator[list[int]]:
    """Every path of finite factors other than 0, the largest product first.

    Every node keeps its paths downwards, best first, as far as they have been asked for, each as
    the edge it begins with and the rank of the rest among the lower node's.  After its best path a
    node's next is the best of: that edge with the next of the lower node's paths, or another edge.
    So a further path asks each node on the last one for one more, and no others.
    """
    sizes, times, one, _ = measure
    below, top = edges.below, len(edges.nodes) - 1
    costs: list[Any] = [None] * (top + 1)
    costs[0] = one
    first = [-1] * (top + 1)
    for edge in range(len(below) - 1, -1, -1):
        rest = costs[below[edge]]
        if rest is not None and sizes[edge] is not None:
            node = edges.above[edge]
            cost = times(sizes[edge], rest)
            if first[node] < 0 or cost <= costs[node]:  # the leftmost of equal ones
                costs[node] = cost
                first[node] = edge
    if costs[top] is None:
        return
    drawn: dict[int, list[tuple[Any, int, int]]] = {}  # cost, edge, rank of the rest
    waiting: dict[int, list[tuple[Any, int, int]]] = {}
    exhausted: set[int] = {0}  # from the bottom there is one path, the empty one

    def draw_another() -> None:
        """One more path for each node on the last one drawn, as far as it needs one."""
        asked = []
        node = top
        while True:
            if node not in drawn:
                drawn[node] = [(costs[node], first[node], 0)]
                waiting[node] = [
                    (times(sizes[edge], costs[below[edge]]), edge, 0)
                    for edge in edges.out_of(node)
                    if edge != first[node] and sizes[edge] is not None
                    if costs[below[edge]] is not None
                ]
                heapify(waiting[node])
            asked.append(node)
            _, edge, rank = drawn[node][-1]
            node = below[edge]
            if node in exhausted or len(drawn.get(node, ())) > rank + 1:
                break
        for node in reversed(asked):
            _, edge, rank = drawn[node][-1]
            rests = drawn.get(below[edge], ())
            if len(rests) > rank + 1:
                cost = times(sizes[edge], rests[rank + 1][0])
                heappush(waiting[node], (cost, edge, rank + 1))
            if waiting[node]:
                drawn[node].append(heappop(waiting[node]))
            else:
                exhausted.add(node)

    for rank in count():
        if rank:
            draw_another()
            if top in exhausted:
                return
        path = []
        node, place = top, rank
        while node:
            edge, place = drawn[node][place][1:] if node in drawn else (first[node], 0)
            path.append(edge)
            node = below[edge]
        yield path
