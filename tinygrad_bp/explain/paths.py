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
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from heapq import heappop, heappush
from itertools import repeat
from typing import TYPE_CHECKING, NamedTuple

from tinygrad_bp.engine.collector import collector_paused
from tinygrad_bp.engine.graph import topological_order
from tinygrad_bp.engine.kinks import ChainRule
from tinygrad_bp.engine.tape import Edges, Tape, edges_between
from tinygrad_bp.engine.value import Value, as_list
from tinygrad_bp.errors import ArgumentError, TooManyPathsError
from tinygrad_bp.explain.largest_paths import largest, listed
from tinygrad_bp.numbers.arithmetic import meeting
from tinygrad_bp.numbers.families import whole_number
from tinygrad_bp.numbers.floats import is_nan
from tinygrad_bp.numbers.text import counted, format_number, printed
from tinygrad_bp.quoting import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from tinygrad_bp.numbers.kernels import Number

LIMIT = 100_000
"""More paths or terms than this are not listed unasked."""

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
    return contracted(Tape.from_result(e), landmarks)


def contracted(tape: Tape, landmarks: Iterable[Value]) -> dict[Value, dict[Value, Number]]:
    """`contract` of the result of a tape."""
    top, nodes, edges = len(tape.nodes) - 1, tape.nodes, tape.edges
    kept = {top}
    for landmark in as_list("contract(e, landmarks)", landmarks):
        check_value("a landmark", landmark)
        kept.add(tape.places.get(landmark, top))
    reaching = edges.reaching(kept - {top})
    with meeting(lambda: f"contract of {tape.e!r:.160}"):
        return {
            nodes[place]: _next_below(edges, place, kept, reaching)
            for place in sorted(kept, reverse=True)
        }


def _next_below(
    edges: Edges[Value], top: int, kept: set[int], reaching: bytearray
) -> dict[Value, Number]:
    """A row of `contract`: the backward pass from one node, as far as the next that are kept."""
    sums: dict[int, Number] = {top: 1}
    row = {}
    waiting = [-top]  # in the order of the whole pass, and nothing but what is reached
    while waiting:
        place = -heappop(waiting)
        if place in kept and place != top:
            row[edges.nodes[place]] = sums[place]
            continue
        for edge in edges.out_of(place):
            below = edges.below[edge]
            if reaching[below]:
                if below not in sums:
                    sums[below] = 0
                    heappush(waiting, -below)
                sums[below] += sums[place] * edges.locals[edge]
    return row


# ---- the edges between two nodes


def between(e: Value, w: Value) -> Edges[Value]:
    """The edges on the paths from ``e`` to ``w``.

    Raises:
        ArgumentError: ``e`` or ``w`` is not a Value.
    """
    check_value("e", e)
    check_value("w", w)
    return edges_between(topological_order(e), w)  # a tape would hold all other edges too


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
