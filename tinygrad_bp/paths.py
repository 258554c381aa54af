"""The gradient as what it is: a sum over all paths from the result to a node.

Along a path the local derivatives multiply; ``de/dw`` is the sum of these products.  Two edges
between the same nodes are two paths: ``x * x`` has two.

What lies between ``e`` and ``w`` is read off the graph once, as a list of edges in the order of the
backward pass (`Edges`).  Counts, totals, flows and the largest paths are sweeps over that list,
however many paths there are; only `paths` lists them.  The nodes of the list need not be Values: a
network's neurons make one too.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from heapq import heapify, heappop, heappush
from itertools import chain, count, repeat
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from tinygrad_bp.arithmetic import arithmetic_of, meeting, whole_number
from tinygrad_bp.collector import collector_paused
from tinygrad_bp.errors import ArgumentError, DataError, TooManyPathsError
from tinygrad_bp.floats import is_nan
from tinygrad_bp.graph import dependents, topological_order
from tinygrad_bp.kinks import ChainRule
from tinygrad_bp.modules import make_callable
from tinygrad_bp.operations import as_list
from tinygrad_bp.quoting import quoted
from tinygrad_bp.text import counted, format_number, printed
from tinygrad_bp.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from tinygrad_bp.kernels import Number

LIMIT = 100_000
"""More paths or terms than this are not listed unasked."""

_Node = TypeVar("_Node")


# ---- what is asked


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
        """What this path adds to the gradient: the product of its local derivatives.

        Floats are multiplied from ``e`` down; where that underflows or overflows on the way and
        the product itself does not, it is the product all the same.
        """
        with meeting(lambda: f"the product of a path from {self.nodes[0]!r:.160}"):
            product = multiply(self.local_derivatives)
            if not is_nan(product):
                return product
            rule, product = ChainRule(), 1
            for upper, lower, local in zip(
                self.nodes, self.nodes[1:], self.local_derivatives, strict=False
            ):
                product = rule.product(upper, product, lower, local)
            return product


class DeadEdge(NamedTuple):
    """An edge whose local derivative is 0, and how many paths it makes 0.

    Attributes:
        node: the upper node.
        slot: which of its `parents` the edge leads to.
        paths: how many paths cross it.
    """

    node: Value
    slot: int
    paths: int

    def __str__(self) -> str:
        parents = self.node.parents
        text = f"{self.node.op} {quoted(self.node.label)}" if self.node.label else self.node.op
        if len(parents) == 1:
            return f"{text} has slope 0"
        return f"{text} has slope 0 for {parents[self.slot].label or f'operand {self.slot + 1}'}"


@dataclass(frozen=True)
class PathSum:
    """All paths together; as a text, one line that says how many there are and what cancels.

    Attributes:
        total: the sum of their products, which is ``de/dw``.
        gross: the sum of the sizes of their products.
        count: how many there are.
        dead: how many of them have a factor 0.
        dead_edges: where: every edge on a path whose local derivative is 0, the one with the most
            paths first.  A path with two such edges counts at both.
    """

    total: Number
    gross: Number
    count: int
    dead: int = field(default=0, compare=False)
    dead_edges: tuple[DeadEdge, ...] = field(default=(), compare=False)

    @property
    def cancellation(self) -> Number:
        """How much larger the gross sum is than the total: 1 where nothing cancels."""
        return self.gross / abs(self.total) if self.total else math.inf if self.gross else 1

    def __repr__(self) -> str:
        shown = (f"{name}={printed(getattr(self, name))}" for name in ("total", "gross", "count"))
        return f"PathSum({', '.join(shown)})"

    def __str__(self) -> str:
        if not self.count:
            return "no paths: the derivative is 0"
        text = counted(self.count, "path")
        if self.dead:
            shown = [str(each) for each in self.dead_edges[:_SHOWN]]
            if len(self.dead_edges) > _SHOWN:
                shown.append(f"and {len(self.dead_edges) - _SHOWN} more edges")
            text += f", {printed(self.dead)} dead ({', '.join(shown)})"
        text += f"; total {format_number(self.total)}, gross {format_number(self.gross)}"
        share = cancelled(self.total, self.gross)
        return f"{text}: {share}" if share else text


_SHOWN = 3  # dead edges in a line of text


class EdgeFlow(NamedTuple):
    """All paths through one edge together: the sum of their products, and that of the sizes."""

    signed: Number
    gross: Number


class Flow(Mapping[tuple[Value, int], EdgeFlow]):
    """What `flow` gives: an `EdgeFlow` for each edge ``(node, slot)``, in the backward pass's order."""

    def __init__(self, edges: Edges[Value], signed: list[Number], gross: list[Number]) -> None:
        self._edges, self._signed, self._gross = edges, signed, gross

    @cached_property
    def _flows(self) -> dict[tuple[Value, int], EdgeFlow]:  # takes longer than all the sums
        with collector_paused():
            upper = map(self._edges.nodes.__getitem__, self._edges.above)
            edges = zip(upper, self._edges.slots, strict=True)
            return dict(zip(edges, map(EdgeFlow, self._signed, self._gross), strict=True))

    def __getitem__(self, edge: tuple[Value, int]) -> EdgeFlow:
        return self._flows[edge]

    def __iter__(self) -> Iterator[tuple[Value, int]]:
        return iter(self._flows)

    def __len__(self) -> int:
        return len(self._signed)

    def __repr__(self) -> str:
        return f"<Flow over {counted(len(self), 'edge')}>"


def path_count(e: Value, w: Value) -> int:
    """How many paths lead from ``e`` to ``w``: exact, and never by listing them.

    Raises:
        ArgumentError: ``e`` or ``w`` is not a Value.

    >>> from tinygrad_bp import Value
    >>> x = Value(1.0)
    >>> y = x
    >>> for _ in range(200):
    ...     y = y * y
    >>> path_count(y, x) == 2**200
    True
    """
    return int(between(e, w).total(repeat(1)))


def path_sum(e: Value, w: Value) -> PathSum:
    """The total over all paths from ``e`` to ``w``, their gross sum, their number, and the dead ones.

    The total is to the last bit what ``e.backward()`` gives ``w``; where exact numbers meet floats, it
    is exact as long as the local derivatives are.

    Raises:
        ArgumentError: ``e`` or ``w`` is not a Value.

    >>> from tinygrad_bp import Value, relu
    >>> x = Value(3.0)
    >>> path_sum(x * x - x * 5.0, x)
    PathSum(total=1.0, gross=11.0, count=3)
    >>> print(path_sum(x * x - x * 5.0 + relu(-x), x))
    4 paths, 1 dead (relu has slope 0); total 1, gross 11: 91% cancels
    """
    edges = between(e, w)
    if not edges.nodes:
        return PathSum(0, 0, 0)
    with meeting(lambda: f"path_sum from {e!r:.160}"):
        total = edges.total(edges.locals)
        gross = edges.total(map(abs, edges.locals))
        if is_nan(total):
            total = _total_through_kinks(edges, edges.locals)
            gross = _total_through_kinks(edges, [*map(abs, edges.locals)])
    if all(edges.locals):
        return PathSum(total, gross, edges.total(repeat(1)))
    live = edges.total([1 if local else 0 for local in edges.locals])
    counts = edges.down(repeat(1))
    below = edges.up([1] * len(edges.below))
    dead_edges = [
        DeadEdge(edges.nodes[a], slot, counts[a] * below[b])
        for a, b, slot, local in zip(
            edges.above, edges.below, edges.slots, edges.locals, strict=True
        )
        if not local
    ]
    dead_edges.sort(key=lambda edge: -edge.paths)
    return PathSum(total, gross, counts[0], counts[0] - live, tuple(dead_edges))


def _total_through_kinks(edges: Edges[Value], factors: Sequence[Number]) -> Number:
    """`Edges.total` with the conventions of the pass, where an infinite slope meets a 0."""
    rule, nodes = ChainRule(), edges.nodes
    sums: list[Any] = [0] * (len(nodes) - 1) + [1]
    for above, below, factor in zip(edges.above, edges.below, factors, strict=True):
        sums[below] += rule.product(nodes[above], sums[above], nodes[below], factor)
    return sums[0]


def flow(e: Value, w: Value) -> Flow:
    """For every edge between ``e`` and ``w``, the sum of the products of all paths through it.

    The two sums of an edge are what comes down to it, times its local derivative, times what goes on
    from it down to ``w``; so two sweeps have them all.  The sums of the edges of ``e``, or of those
    into ``w``, add up to ``de/dw``.

    Returns:
        A mapping from each edge to its `EdgeFlow`, ``signed`` and ``gross``.  An edge is
        ``(node, slot)``: that from ``node`` to ``node.parents[slot]``.  They are in the order of the
        backward pass; one that no path from ``e`` to ``w`` crosses is not in it.

    Raises:
        ArgumentError: ``e`` or ``w`` is not a Value.

    Exact numbers give exact sums.  In floats what comes down to an edge, or what goes on from it, may
    by itself overflow or underflow, and then so do the edge's sums; where only their product does on
    the way, it is as of numbers without limits.

    >>> from tinygrad_bp import Value
    >>> x = Value(3.0)
    >>> e = x * 5.0 - x * x
    >>> flow(e, x)[e, 1]
    EdgeFlow(signed=-6.0, gross=6.0)
    """
    edges = between(e, w)
    with meeting(lambda: f"flow from {e!r:.160}"):
        signed = _through(edges, edges.locals)
        gross = _through(edges, [*map(abs, edges.locals)])
    return Flow(edges, signed, gross)


def largest_paths(e: Value, w: Value, n: int = 20) -> list[Path]:
    """The ``n`` paths with the largest products, whatever their sign, the largest first.

    They are found without listing the others: each node's paths downwards are drawn from its
    operands' only as far as they are needed.  Paths of equal size stand as `paths` lists them,
    operands from left to right.  Sizes are compared as if no float could overflow or underflow.
    Paths with a factor 0 come last; before all others come those with a factor that is infinite or
    nan and none that is 0; both again as `paths` lists them.

    Args:
        e: where the paths begin.
        w: where they end.
        n: how many; there may be fewer.  For 0 and below there are none.

    Raises:
        DataError: the local derivatives are symbols, which have no size; or they cannot be
            multiplied, as ``Decimal`` and ``float``.
        NumberRangeError: an exact number is too large for the float that it meets.
        ArgumentError: ``e`` or ``w`` is not a Value, or ``n`` not a whole number.

    >>> from tinygrad_bp import Value
    >>> x = Value(3.0)
    >>> [path.product for path in largest_paths(x * 5.0 - x * x * x, x, 2)]
    [-9.0, -9.0]
    """
    edges = between(e, w)
    with meeting(lambda: f"largest_paths from {e!r:.160}"):
        return [_path(edges, path) for path in largest(edges, n)]


def paths(e: Value, w: Value, limit: int = LIMIT) -> Iterator[Path]:
    """Every path from ``e`` to ``w``, one by one, operands from left to right.

    Raises:
        TooManyPathsError: there are more than ``limit``.
        ArgumentError: ``e`` or ``w`` is not a Value, or ``limit`` not a whole number.

    >>> from tinygrad_bp import Value
    >>> x = Value(3.0)
    >>> [path.product for path in paths(x * x, x)]
    [3.0, 3.0]
    """
    edges = between(e, w)
    number = edges.total(repeat(1))
    if number > whole_number("limit", limit):
        raise TooManyPathsError(
            f"there are {printed(number)} paths, more than the limit of {limit}: "
            f"largest_paths(e, w, 20) lists the largest, and path_sum(e, w) has the total of all; "
            f"limit={printed(number)} lists them all the same"
        )
    return (_path(edges, path) for path in listed(edges))


def contract(e: Value, landmarks: Iterable[Value]) -> dict[Value, dict[Value, Number]]:
    """The graph with nothing left of it but ``e`` and the landmarks, and an edge for each sum of paths.

    From ``e`` and from each landmark that it was made of, the derivative for each landmark that can
    be reached without passing another: the sum over the paths in between, by the chain rule.  So
    the derivative of ``e`` is the product of these along the contracted graph's paths, summed; and
    where ``e`` has an edge to a lower landmark, that much bypasses those in between.

    Returns:
        For each node that is left, ``e`` first and each after all that use it, its derivative for
        each of the next landmarks; empty for the last ones.  A landmark that ``e`` was not made of
        is absent.

    Raises:
        ArgumentError: ``e`` or a landmark is not a Value.

    >>> from tinygrad_bp import Value
    >>> x = Value(3.0)
    >>> y = x * x
    >>> e = y * y + x
    >>> contract(e, [x, y]) == {e: {y: 18.0, x: 1.0}, y: {x: 6.0}, x: {}}
    True
    """
    check_value("e", e)
    kept = {e}
    for landmark in as_list("contract(e, landmarks)", landmarks):
        check_value("a landmark", landmark)
        kept.add(landmark)
    order = topological_order(e)
    reaching = dependents(order, kept - {e}) | {e}
    nodes = [node for node in reversed(order) if node in reaching]
    places = {node: place for place, node in enumerate(nodes)}
    with meeting(lambda: f"contract of {e!r:.160}"):
        return {node: _next_below(node, kept, nodes, places) for node in nodes if node in kept}


def _next_below(
    top: Value, kept: set[Value], nodes: list[Value], places: dict[Value, int]
) -> dict[Value, Number]:
    """A row of `contract`: the backward pass from one node, as far as the next that are kept."""
    sums: dict[Value, Number] = {top: 1}
    row = {}
    waiting = [places[top]]  # in the order of the whole pass, and nothing but what is reached
    while waiting:
        node = nodes[heappop(waiting)]
        if node in kept and node is not top:
            row[node] = sums[node]
            continue
        for parent, local in zip(node.parents, node.local_derivatives, strict=True):
            if parent in places:
                if parent not in sums:
                    sums[parent] = 0
                    heappush(waiting, places[parent])
                sums[parent] += sums[node] * local
    return row


# ---- the edges between two nodes


class Edges(Generic[_Node]):
    """What lies between two nodes: columns with an entry for each edge, in the backward pass's order.

    Only nodes on a path from the upper to the lower node are in it: none, if there is no path.

    Attributes:
        nodes: numbered from the lower node, 0, to the upper one, the last; each after all below it.
        above: for each edge, the number of its upper node.
        below: the number of its lower node.
        slots: which of the upper node's operands it leads to.
        locals: its local derivative.
    """

    def __init__(
        self,
        nodes: list[_Node],
        above: list[int],
        below: list[int],
        slots: list[int],
        locals_: list[Number],
    ) -> None:
        self.nodes, self.above, self.below, self.slots = nodes, above, below, slots
        self.locals = locals_
        self._ends: list[int] = []

    @classmethod
    def of(cls, rows: dict[_Node, list[tuple[_Node, Number]]]) -> Edges[_Node]:
        """From each node's edges, as pairs of a lower node and a local derivative.

        Args:
            rows: the upper node first, the lower one last, each after all that lead to it; every
                node is on some path between the two.
        """
        nodes = [*reversed(rows)]
        numbers = {node: number for number, node in enumerate(nodes)}
        columns = [
            (numbers[node], numbers[lower], slot, local)
            for node, row in rows.items()
            for slot, (lower, local) in enumerate(row)
        ]
        above, below, slots, locals_ = map(list, zip(*columns, strict=True))
        return cls(nodes, above, below, slots, locals_)

    def out_of(self, node: int) -> range:
        """The edges that lead down from a node, operands from left to right."""
        if not self._ends:  # the upper a node, the earlier its edges
            self._ends = ends = [0] * (len(self.nodes) + 1)
            for above in self.above:
                ends[above] += 1
            for place in range(len(self.nodes) - 1, -1, -1):
                ends[place] += ends[place + 1]
        return range(self._ends[node + 1], self._ends[node])

    def down(self, factors: Iterable[Number]) -> list[Any]:
        """For each node, the sum over the paths from the top to it of the products of the factors."""
        sums: list[Any] = [0] * len(self.nodes)
        sums[-1:] = [1] * bool(sums)
        for above, below, factor in zip(self.above, self.below, factors, strict=False):
            sums[below] += sums[above] * factor
        return sums

    def total(self, factors: Iterable[Number]) -> Any:
        """The sum over all paths from the top to the bottom, and 0 if there is none.

        A node's sum is let go when it has been passed on: those of a million nodes may be numbers of
        hundreds of thousands of digits.
        """
        sums: list[Any] = [0] * len(self.nodes)
        sums[-1:] = [1] * bool(sums)
        upper, incoming = -1, 0
        for above, below, factor in zip(self.above, self.below, factors, strict=False):
            if above != upper:
                upper, incoming, sums[above] = above, sums[above], 0
            sums[below] += incoming * factor
        return sums[0] if sums else 0

    def up(self, factors: Sequence[Number]) -> list[Any]:
        """For each node, the sum over the paths from it to the bottom."""
        sums: list[Any] = [0] * len(self.nodes)
        sums[:1] = [1] * bool(sums)
        columns = map(reversed, (self.above, self.below, factors))
        for above, below, factor in zip(*columns, strict=True):
            sums[above] += factor * sums[below]
        return sums


def between(e: Value, w: Value) -> Edges[Value]:
    """The edges on the paths from ``e`` to ``w``.

    Raises:
        ArgumentError: ``e`` or ``w`` is not a Value.
    """
    check_value("e", e)
    check_value("w", w)
    order = topological_order(e)
    numbers = {w: 0}
    find = numbers.get
    nodes = [w]
    above: list[int] = []
    below: list[int] = []
    slots: list[int] = []
    locals_: list[Number] = []
    # Every node of the graph comes by here, so that operands are looked at in place, as the pass does.
    for node in order:
        dx, dy = node._dx, node._dy
        found = 0
        if dy is not None:
            number = find(node._y)
            if number is not None:
                below.append(number)
                slots.append(0 if dx is None else 1)
                locals_.append(dy)
                found = 1
        if dx is not None:
            number = find(node._x)
            if number is not None:
                below.append(number)
                slots.append(0)
                locals_.append(dx)
                found += 1
        elif dy is None and node._y is not None:
            numbered = [*map(find, node._x)]
            if numbered.count(None) < len(numbered):
                for slot in range(len(numbered) - 1, -1, -1):
                    number = numbered[slot]
                    if number is not None:
                        below.append(number)
                        slots.append(slot)
                        locals_.append(node._y[slot])
                        found += 1
        if found:
            number = numbers[node] = len(nodes)
            nodes.append(node)
            above.append(number)
            if found > 1:
                above.extend([number] * (found - 1))
    if nodes[-1] is not e:
        return Edges([], [], [], [], [])
    for column in (above, below, slots, locals_):
        column.reverse()
    return Edges(nodes, above, below, slots, locals_)


def check_value(name: str, node: object) -> None:
    """Refuse what is no node of a graph.

    Raises:
        ArgumentError: naming what it was offered as.
    """
    if not isinstance(node, Value):
        way_out = ": give its error, run.e" * (type(node).__name__ == "Run")
        raise ArgumentError(
            f"{name} must be a Value, a node of a graph, not {type(node).__name__} {node!r:.60}{way_out}"
        )


def _path(edges: Edges[Value], path: list[int]) -> Path:
    nodes = [edges.nodes[-1], *(edges.nodes[edges.below[edge]] for edge in path)]
    slots, locals_ = edges.slots, edges.locals
    return Path(
        tuple(nodes), tuple([slots[edge] for edge in path]), tuple([locals_[edge] for edge in path])
    )


# ---- lists of paths: each path is the list of its edges, from the top down


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


# ---- numbers


def multiply(factors: Sequence[Number]) -> Number:
    """The product from left to right; of floats also where it leaves their range on the way.

    >>> multiply([1e-200, 1e-200, 1e300])
    1e-100
    """
    product = math.prod(factors)
    if not isinstance(product, float) or (product and math.isfinite(product)):
        return product
    if not all(map(math.isfinite, factors)) or not all(factors):
        return product
    mantissa, exponent = 1.0, 0
    for factor in factors:
        part, shift = math.frexp(factor)
        mantissa, carry = math.frexp(mantissa * part)
        exponent += shift + carry
    try:
        return math.ldexp(mantissa, exponent)
    except OverflowError:
        return math.copysign(math.inf, mantissa)


def _through(edges: Edges[Any], factors: Sequence[Number]) -> list[Number]:
    """For each edge, the sum over all paths through it of the products of the factors."""
    above, below = edges.down(factors), edges.up(factors)
    products = [
        above[a] * factor * below[b]
        for a, factor, b in zip(edges.above, factors, edges.below, strict=True)
    ]
    if {*map(type, products)} == {float}:
        for edge, product in enumerate(products):
            if not product or not math.isfinite(product):
                a, factor, b = above[edges.above[edge]], factors[edge], below[edges.below[edge]]
                if a and factor and b:
                    products[edge] = multiply((a, factor, b))
    return products


NOTHING_CANCELS = "nothing cancels"


def cancelled(total: Number, gross: Number) -> str:
    """How much of the gross sum cancels, in words; empty where that cannot be said."""
    if not gross:
        return ""
    try:
        share = 1.0 - float(abs(total) / gross)
    except (TypeError, ArithmeticError):  # symbols
        return ""
    if math.isnan(share):
        return ""
    if abs(share) < 1e-9:
        return NOTHING_CANCELS
    percent = f"{share:.0%}"
    if percent == "0%":
        percent = "under 1%"
    elif percent == "100%" and total:
        percent = "over 99%"
    return f"{percent} cancels"


make_callable(__name__)
