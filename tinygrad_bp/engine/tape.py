"""A recorded graph as one flat tape, made once from a result and handed on to all that read it.

A graph is nodes that refer to each other.  Sweeps, records of steps, pages and files want the same as
lists: the operations in order, operands by their places, the local derivatives edge by edge.  `Tape` is
that form.  It is a recording of a recording: what happens to leaves afterwards does not change it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Generic, TypeVar

from tinygrad_bp.engine.graph import edges_of, is_node, topological_order
from tinygrad_bp.engine.names import names
from tinygrad_bp.numbers.families import python_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from tinygrad_bp.engine.value import Value
    from tinygrad_bp.numbers.kernels import Number

_Node = TypeVar("_Node")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Tape:
    """All that a result was made of, in lists; made by `Tape.from_result`, outside the pass itself.

    Attributes:
        nodes: every node, each after its operands; the result is last.  A node's place in this list is
            its number in all others.
        places: the place of each node.
        data: the number of each node when the tape was made; NumPy's whole numbers in leaves are read
            as Python's.
        edges: one for each use of a node, in the order of the backward pass, with its local derivative.
        names: a name to show for each node, no two alike; looked up when the first of them is shown.
    """

    nodes: tuple[Value, ...]
    places: dict[Value, int]
    data: list[Number]
    edges: Edges[Value]
    names: Mapping[Value, str]

    @classmethod
    def from_result(
        cls, e: Value, named: Mapping[Value, str] | None = None, root: str = "e"
    ) -> Tape:
        """The tape of a result, from one walk over its graph.

        Args:
            e: the result.
            named: a name for each node, if not those of `tinygrad_bp.engine.names.names`.
            root: the name of the result, where it has none.

        >>> from tinygrad_bp import Value
        >>> x = Value(3.0, "x")
        >>> tape = Tape.from_result(x * x * 2.0)
        >>> tape.data, tape.edges.above, tape.edges.below, tape.edges.locals
        ([3.0, 9.0, 18.0], [2, 1, 1], [1, 0, 0], [2.0, 3.0, 3.0])
        """
        places, *columns = edges_of(topological_order(e))
        nodes = (*places,)
        data = [node.data if node.rule else python_number(node.data) for node in nodes]
        named = _Names(nodes, root) if named is None else named
        return cls(nodes, places, data, Edges(nodes, *columns), named)

    @property
    def e(self) -> Value:
        """The result."""
        return self.nodes[-1]

    def operands(self) -> tuple[list[tuple[int, ...]], list[Number]]:
        """For each node the places of its operands, and the plain numbers among all operands.

        These have their places from the end backwards: ``numbers[-1]`` is the first of them.  So that
        in ``[*tape.data, *numbers]`` every place of an operand has its number.

        >>> from tinygrad_bp import Value
        >>> x = Value(3.0)
        >>> Tape.from_result(x * 2.0 - 1.0).operands()
        ([(), (0, -1), (1, -2)], [1.0, 2.0])
        """
        numbers: list[Number] = []

        def place(operand: Value | Number) -> int:
            if is_node(operand):
                return self.places[operand]
            numbers.append(operand)
            return -len(numbers)

        return [tuple(map(place, node.operands)) for node in self.nodes], numbers[::-1]


class _Names(Mapping["Value", str]):
    """The names of the nodes, looked up when the first of them is shown."""

    def __init__(self, nodes: Sequence[Value], root: str) -> None:
        self._nodes, self._root = nodes, root

    @cached_property
    def _named(self) -> dict[Value, str]:
        return names(self._nodes, self._root)

    def __getitem__(self, node: Value) -> str:
        return self._named[node]

    def __iter__(self) -> Iterator[Value]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)


class Edges(Generic[_Node]):
    """Columns with an entry for each edge, in the backward pass's order.

    They are those of a whole tape, or what lies between two nodes, or those of a graph of something
    else, such as a network's neurons.  Between two nodes only those on a path from the upper to the
    lower are in it: none, if there is no path.

    Attributes:
        nodes: numbered from 0, each after all below it; the upper node is the last, and between two
            nodes the lower is the first.
        above: for each edge, the number of its upper node.
        below: the number of its lower node.
        slots: which of the upper node's operands it leads to.
        locals: its local derivative.
    """

    def __init__(
        self,
        nodes: Sequence[_Node],
        above: list[int],
        below: list[int],
        slots: list[int],
        locals_: list[Number],
    ) -> None:
        self.nodes, self.above, self.below, self.slots = nodes, above, below, slots
        self.locals = locals_
        self._ends: list[int] = []

    def reaching(self, places: Iterable[int]) -> bytearray:
        """For each node, 1 if it is or was made of one in these places, else 0."""
        found = bytearray(len(self.nodes))
        for place in places:
            found[place] = 1
        for above, below in zip(reversed(self.above), reversed(self.below), strict=True):
            if found[below]:
                found[above] = 1
        return found

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


def edges_between(order: Sequence[Value], w: Value) -> Edges[Value]:
    """The edges on the paths from the last of the nodes to another, whatever else there is."""
    numbers, *columns = edges_of(order, w)
    nodes = [*numbers]
    return Edges(nodes, *columns) if nodes[-1] is order[-1] else Edges([], [], [], [], [])
