"""The edges between a result and a node, with names: what a derivation writes out.

A `Chain` has the terms of the sum, the brackets with numbers in them, the matrices between levels,
and the count of multiplications.  The edges may be of neurons or of Values; this module knows neither
networks nor pages.
"""

from __future__ import annotations

import math
from collections import deque
from itertools import islice, pairwise, repeat
from typing import TYPE_CHECKING, NamedTuple

from tinygrad_bp.engine.functions import fsum
from tinygrad_bp.explain.formula import (
    Bracket,
    Derivative,
    Product,
    Quantity,
    Sign,
    Sum,
    is_symbolic,
    text,
)
from tinygrad_bp.explain.largest_paths import largest, listed
from tinygrad_bp.explain.paths import multiply
from tinygrad_bp.numbers.text import format_number

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from tinygrad_bp.engine.tape import Edges
    from tinygrad_bp.explain.formula import Formula, Name, Symbol
    from tinygrad_bp.numbers.kernels import Number

RESULT = 6
"""Significant digits of a term and of a total; factors have fewer."""

_FACTORS = 24  # more factors than these on a line are shown with dots
_OPENED, _DEEPEST = 48, 10  # so many brackets are opened where all terms are shown, so deep
_OPENED_OF_MANY, _SUMMANDS_OF_MANY = 8, 4  # and so many, of so many summands each, where not
_LONG = 40  # an expression in symbols longer than this gives way to the symbol of its factor


class Summand(NamedTuple):
    """One term of the sum.

    Attributes:
        indices: of a network ``(k_n, ..., k_{i+1})``; else the names of the nodes on the way.
        factors: the numbers that are multiplied, from the result down.
        value: their product.
        symbols: what each factor is called.
    """

    indices: tuple[int | str, ...]
    factors: tuple[Number, ...]
    value: Number
    symbols: tuple[Formula, ...]


class Chain:
    """The edges of a derivation, with a name for each node and a symbol for each factor."""

    def __init__(
        self,
        edges: Edges[Any],
        labels: Mapping[Any, Name | Symbol],
        symbol: Callable[[Any, Any], Formula] | None = None,
        order: Iterable[Any] = (),
    ) -> None:
        self.edges = edges
        self.labels = labels
        self.is_network = symbol is not None
        self._symbol = symbol
        self._order = {node: place for place, node in reversed([*enumerate(order)])}
        self.down: list[Any] = edges.down(edges.locals)
        self.up: list[Any] = edges.up(edges.locals)
        self.symbolic = any(map(is_symbolic, edges.locals))

    def symbol(self, edge: int) -> Formula:
        """What a factor is called; of two edges between the same nodes, which one is said."""
        edges = self.edges
        above, below = edges.nodes[edges.above[edge]], edges.nodes[edges.below[edge]]
        if self._symbol:
            return self._symbol(above, below)
        beside = [edges.below[each] for each in edges.out_of(edges.above[edge])]
        which = f"operand {edges.slots[edge] + 1}" if beside.count(edges.below[edge]) > 1 else ""
        return Derivative(self.labels[above], self.labels[below], which)

    def shown(self, number: Number, symbol: Formula) -> Formula:
        """The factor as a number, or, where that is a long expression, as its symbol."""
        return symbol if _is_long(number) else Quantity(number)

    def shown_value(self, number: Number) -> Formula:
        """A term's value with its sign; a long expression is left to the factors beside it."""
        return Sign("⋯") if _is_long(number) else Quantity(number, RESULT, signed=True)

    def named(self, numbers: Sequence[Number]) -> dict[str, Number]:
        """Numbers of the nodes by their names, from the top; the two ends are none."""
        inner = range(len(self.edges.nodes) - 2, 0, -1)
        nodes = self.edges.nodes
        return {text(self.labels[nodes[v]]): numbers[v] for v in inner if nodes[v] in self.labels}

    def count(self) -> int:
        """How many terms there are."""
        return int(self.edges.down(repeat(1))[0]) if self.edges.nodes else 0

    def terms(self, most: int) -> list[Summand]:
        """The largest terms; of symbols, the first."""
        edges = self.edges
        found = islice(listed(edges), most) if self.symbolic else largest(edges, most)
        return [self._term(path) for path in found]

    def _term(self, path: list[int]) -> Summand:
        edges = self.edges
        inner = [edges.nodes[edges.below[edge]] for edge in path[:-1]]
        indices: list[int | str]
        if self.is_network:
            # The node of the weight's own layer is fixed, and no index.
            bottom = edges.nodes[0]
            inner = [node for node in inner if node[0] == "o"]
            indices = [node[2] for node in (inner if bottom[0] == "o" else inner[:-1])]
        else:
            indices = [text(self.labels[node]) for node in inner]
        factors = tuple(edges.locals[edge] for edge in path)
        return Summand(
            tuple(indices), factors, multiply(factors), tuple(self.symbol(edge) for edge in path)
        )

    # ---- counts

    def one_by_one(self) -> int:
        """The multiplications of all terms: one less for each than it has factors."""
        edges = self.edges
        ones = [1] * len(edges.above)
        down, up = edges.down(ones), edges.up(ones)
        crossed = sum(down[a] * up[b] for a, b in zip(edges.above, edges.below, strict=True))
        return int(crossed - (down[0] if down else 0))

    def products(self) -> dict[tuple[Hashable, Hashable, int], Number]:
        """The products that the pass forms: one for each edge but the first ones, where the seed is 1."""
        edges = self.edges
        top = len(edges.nodes) - 1
        columns = zip(edges.above, edges.below, edges.slots, edges.locals, strict=True)
        return {
            (edges.nodes[above], edges.nodes[below], 0 if self.is_network else slot): local
            for above, below, slot, local in columns
            if above != top
        }

    # ---- the brackets, with numbers

    def nested(self, terms: int) -> Formula:
        """The sum bracketed as in the note, with its numbers.

        Where there are many terms a bracket shows its largest summands and the sum of the others,
        and of these the largest one's bracket is opened; one that stays closed shows its value.

        Args:
            terms: where there are more, there are many.
        """
        if not self._top:
            return Quantity(1)
        if self.count() > terms:
            return self._bracket(self._top, (), self._opened_downwards(), _SUMMANDS_OF_MANY)
        return self._bracket(self._top, (), self._opened(), len(self.edges.above))

    def _bracket(
        self, node: int, path: tuple[int, ...], opened: set[tuple[int, ...]], cap: int
    ) -> Formula:
        parts: list[Formula] = []
        summands = self._summands(node)
        shown = {each for _, each in self._by_size(summands)[:cap]}
        for edges, below in (each for each in summands if each in shown):
            factors: list[Formula] = [
                self.shown(self.edges.locals[edge], self.symbol(edge)) for edge in edges
            ]
            longer = path + edges
            if below and longer in opened:
                inner = self._bracket(below, longer, opened, cap)
                bare = not self.is_network and not isinstance(inner, Sum)
                factors += inner.parts if bare and isinstance(inner, Product) else [Bracket(inner)]
            elif below:
                factors.append(Bracket(Quantity(self.up[below])))
            elif self.is_network and len(factors) > 2 and node == len(self.edges.nodes) - 1:
                factors = [factors[0], Bracket(Product(tuple(factors[1:])))]
            parts.append(Product(elided(tuple(factors))))
        if len(shown) < len(summands):
            others = [self._contribution(each) for each in summands if each not in shown]
            parts.append(Quantity(fsum(others)))
        return parts[0] if len(parts) == 1 else Sum(tuple(parts))

    def _summands(self, node: int) -> list[tuple[tuple[int, ...], int]]:
        """What a bracket adds: the factors of each summand, and the node whose bracket follows.

        A net input is no node of its own here, nor is one that is made in one way only: its factor
        stands among the others.
        """
        found = []
        start = reversed(self.edges.out_of(node))
        waiting: list[tuple[tuple[int, ...], int]] = []
        waiting += (((edge,), self.edges.below[edge]) for edge in start)
        while waiting:
            path, below = waiting.pop()
            if below and self._is_passed(below):
                further = [((*path, e), self.edges.below[e]) for e in self.edges.out_of(below)]
                waiting += further[::-1]
            else:
                found.append((path, below))
        return found

    def _is_passed(self, node: int) -> bool:
        if self.is_network:
            return bool(self.edges.nodes[node][0] == "z")
        return len(self.edges.out_of(node)) == 1

    def _contribution(self, summand: tuple[tuple[int, ...], int]) -> Number:
        edges, below = summand
        return multiply([*(self.edges.locals[edge] for edge in edges), self.up[below]])

    def _by_size(
        self, summands: Iterable[tuple[tuple[int, ...], int]]
    ) -> list[tuple[float, tuple[tuple[int, ...], int]]]:
        """The summands with the sizes of what they contribute, the largest first."""
        sized = [(size_of(self._contribution(each)), each) for each in summands]
        return sorted(sized, key=lambda pair: -pair[0])

    def _opened(self) -> set[tuple[int, ...]]:
        """The brackets to open, each by the edges that lead to it: all, or those nearest the top."""
        opened: set[tuple[int, ...]] = set()
        waiting: deque[tuple[tuple[int, ...], int, int]] = deque([((), self._top, 0)])
        while waiting and len(opened) < _OPENED:
            path, node, depth = waiting.popleft()
            opened.add(path)
            if depth < _DEEPEST:
                for edges, below in self._summands(node):
                    waiting += [(path + edges, below, depth + 1)] * bool(below)
        return opened

    def _opened_downwards(self) -> set[tuple[int, ...]]:
        """Of each bracket its largest summand's, down to the node or as far as can be read."""
        path: tuple[int, ...] = ()
        node = self._top
        opened = {path}
        while node and len(opened) < _OPENED_OF_MANY:
            (_, (edges, node)), *_ = self._by_size(self._summands(node))
            path += edges
            opened.add(path)
        return opened

    @property
    def _top(self) -> int:
        return len(self.edges.nodes) - 1

    def last_step(self) -> tuple[Formula, Formula]:
        """The gradient as the delta of the weight's own node times what is below it."""
        edges = self.edges
        (last,) = (edge for edge in range(len(edges.above)) if not edges.below[edge])
        (before,) = (e for e in range(len(edges.above)) if edges.below[e] == edges.above[last])
        o = edges.above[before]
        delta = Derivative(self.labels[edges.nodes[-1]], self.labels[edges.nodes[o]])
        numbers = [self.shown(self.down[o], delta)]
        numbers += [self.shown(edges.locals[e], self.symbol(e)) for e in (before, last)]
        return Product((delta, self.symbol(before), self.symbol(last))), Product(tuple(numbers))

    # ---- the matrices between levels

    def levels(self) -> list[list[int]]:
        """The nodes of each level, the top first, in their order; those carried along to a lower one too.

        A node's own level is its longest distance from the top.
        """
        edges = self.edges
        own = [0] * len(edges.nodes)
        first = [len(edges.nodes)] * len(edges.nodes)
        for above, below in zip(edges.above, edges.below, strict=True):
            own[below] = max(own[below], own[above] + 1)
        for above, below in zip(edges.above, edges.below, strict=True):
            first[below] = min(first[below], own[above] + 1)
        first[-1:] = [0] * bool(first)
        last = len(self._order)
        nodes = sorted(range(len(edges.nodes)), key=lambda v: self._order.get(edges.nodes[v], last))
        depth = own[0] + 1 if own else 0
        return [[v for v in nodes if first[v] <= level <= own[v]] for level in range(depth)]

    def jacobians(self) -> Iterator[tuple[list[Any], list[Any], list[list[Number]]]]:
        """Between two levels: the nodes above, the nodes below, and the matrix."""
        edges = self.edges
        levels = self.levels()
        for upper, lower in pairwise(levels):
            carried = set(upper) & set(lower)
            columns = {node: place for place, node in enumerate(lower)}
            matrix: list[list[Number]] = []
            for above in upper:
                row: list[Number] = [0] * len(lower)
                if above in carried:
                    row[columns[above]] = 1
                else:
                    for edge in edges.out_of(above):
                        row[columns[edges.below[edge]]] += edges.locals[edge]
                matrix.append(row)
            yield [edges.nodes[v] for v in upper], [edges.nodes[v] for v in lower], matrix

    def bypasses(self) -> list[int]:
        """The edges that skip a level."""
        level_of: dict[int, int] = {}
        for place, level in enumerate(self.levels()):
            level_of.update(dict.fromkeys(level, place))
        edges = self.edges
        return [
            edge
            for edge in range(len(edges.above))
            if level_of[edges.below[edge]] > level_of[edges.above[edge]] + 1
        ]


class Multiplications(NamedTuple):
    """How many multiplications the gradients of all weights of a network take.

    Attributes:
        weights: how many weights there are.
        one_by_one: if every term of every weight is multiplied out.
        apart: if each weight's sum is bracketed, by itself.
        together: if the deltas are kept: back-propagation.
    """

    weights: int
    one_by_one: int
    apart: int
    together: int


def multiplications(sizes: Sequence[int]) -> Multiplications:
    """How many multiplications the gradients of all weights take, counted exactly.

    A factor ``2 (o - t)`` counts as one number, given; so do each ``f'``, weight and output.

    >>> multiplications([1, 1, 1])
    Multiplications(weights=2, one_by_one=6, apart=6, together=5)
    """
    n = len(sizes) - 1
    one_by_one = apart = together = 0
    for i in range(1, n + 1):
        weights = sizes[i] * sizes[i - 1]
        above = sizes[i + 1 :]
        one_by_one += weights * math.prod(above) * (2 * (n - i) + 2)
        between_layers = sum(a * b for a, b in pairwise(above))
        apart += weights * (sum(above) + between_layers + sum(above[:1]) + 2)
        together += sizes[i] + weights * (2 if i > 1 else 1)
    return Multiplications(sum(a * b for a, b in pairwise(sizes)), one_by_one, apart, together)


# ---- how things are shown


def _is_long(number: Number) -> bool:
    return is_symbolic(number) and len(format_number(number)) > _LONG


def elided(factors: Sequence[Formula]) -> tuple[Formula, ...]:
    """The factors, with dots for the middle where there are many."""
    if len(factors) <= _FACTORS:
        return tuple(factors)
    return (*factors[: _FACTORS - 8], Sign("⋯"), *factors[-7:])


def size_of(number: Number) -> float:
    """How large a number is; of symbols, and of what is too large for a float, nothing is known."""
    try:
        return abs(float(number))
    except (TypeError, ValueError, OverflowError):
        return math.inf if isinstance(number, int) or hasattr(number, "numerator") else 0.0
