"""Graphs pickled and copied without recursion, whatever their depth.

Deepcopy tells with its memo which copying a node belongs to, and the copies are made one by one, each
after its parents.  Pickle tells nothing, and meets flat lists instead.

This module knows a node only by its attributes.
"""

from __future__ import annotations

import threading
from itertools import chain, count, islice, repeat
from typing import TYPE_CHECKING
from weakref import ref

from tinygrad_bp.engine.collector import collector_paused
from tinygrad_bp.engine.graph import is_node, operands_of, rebuilt, topological_order

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tinygrad_bp.engine.node import Node
    from tinygrad_bp.numbers.kernels import Number


class Flat:
    """Inner nodes that results were made of, in order: the form in which they are pickled.

    Pickle meets one such object for all of its nodes, so that what was shared is shared again; and it
    holds lists, so that it need not follow a chain of operands.
    """

    __slots__ = ("__weakref__", "nodes", "under_way")

    def __init__(self, nodes: list[Node], under_way: UnderWay | None = None) -> None:
        self.nodes = nodes
        self.under_way = under_way

    def __del__(self) -> None:
        if self.under_way is not None:
            self.under_way.forget(self.nodes)

    def node(self, place: int) -> Node:
        """The node at a place."""
        return self.nodes[place]

    def __reduce__(self) -> tuple[Callable[..., Flat], tuple[Any, ...]]:
        nodes = self.nodes
        places = _Places(zip(nodes, count()))
        with collector_paused():
            operands, numbers = operands_of(nodes, places)
            outside = [*islice(places, len(nodes), None)]  # leaves, and nodes of other forms
            columns = (
                [node.rule for node in nodes],
                [node.data for node in nodes],
                [node.grad for node in nodes],
                [node.label for node in nodes],
            )
            locals_ = [*chain.from_iterable([node.local_derivatives for node in nodes])]
            sizes = [*map(len, operands)]
        places_of_operands = [*chain.from_iterable(operands)]
        return _unflatten, (
            *(type(nodes[0]), outside, columns),
            *(sizes, places_of_operands, numbers, locals_),
        )


class _Places(dict["Node", int]):
    """Places of nodes, in which one that has none is given the next."""

    def __missing__(self, node: Node) -> int:
        place = self[node] = len(self)
        return place


class UnderWay:
    """The picklings under way in a thread: where each node is that they have met.

    Its flat forms keep it alive, and what pickles keeps those.  It may be that one goes on while others
    come and go, as with a ``Pickler`` that is kept.
    """

    def __init__(self) -> None:
        self.mark = object()
        self.places: dict[int, tuple[ref[Flat], int]] = {}

    def flatten(self, e: Node) -> tuple[Flat, int]:
        """The flat form that holds a node, and its place there: a new one, if none does."""
        met, place = self.places.get(id(e), (None, 0))
        flat = met() if met else None
        if flat is None:
            nodes = [
                node
                for node in topological_order(e, self.mark)
                if node.rule and id(node) not in self.places
            ]
            flat = Flat(nodes, self)
            self.places.update(zip(map(id, nodes), zip(repeat(ref(flat)), count()), strict=False))
            place = len(nodes) - 1
        return flat, place

    def forget(self, nodes: list[Node]) -> None:
        """Take the nodes of a flat form that is no more for ones that were never met."""
        for node in nodes:
            self.places.pop(id(node), None)
        self.mark = object()  # they still carry the old one


class _Threads(threading.local):
    """What is under way in each thread; the flat forms alone keep it alive."""

    under_way: Callable[[], UnderWay | None] = staticmethod(lambda: None)


_threads = _Threads()


def flatten(e: Node) -> tuple[Flat, int]:
    """The flat form that holds ``e``, and its place there, of the pickling under way."""
    under_way = _threads.under_way()
    if under_way is None:
        under_way = UnderWay()
        _threads.under_way = ref(under_way)
    return under_way.flatten(e)


def _unflatten(
    kind: type[Node],
    outside: list[Node],
    columns: tuple[list[Any], ...],
    sizes: list[int],
    places: list[int],
    numbers: list[Number],
    locals_: list[Number],
) -> Flat:
    nodes: list[Any] = [None] * len(sizes) + outside
    place, local = iter(places), iter(locals_)
    with collector_paused():
        rows = zip(*columns, strict=True)
        for number, (row, size) in enumerate(zip(rows, sizes, strict=True)):
            operands = [nodes[k] if k >= 0 else numbers[k] for k in islice(place, size)]
            nodes[number] = rebuilt(kind, row, operands, local)
    return Flat(nodes[: len(sizes)])


# ---- deepcopy


def deep_copy(e: Node, memo: dict[int, Any]) -> Any:
    """A copy of the inner node ``e`` and of all that it was made of, but for what the memo has."""
    from copy import deepcopy

    waiting = [e]
    with collector_paused():
        while waiting:
            node = waiting[-1]
            if id(node) in memo:
                waiting.pop()
            elif node.rule is None:
                memo[id(node)] = deepcopy(node, memo)
            elif missing := [v for v in node.parents if id(v) not in memo]:
                waiting += missing
            else:
                row = node.rule, node.data, node.grad, node.label
                operands = [memo[id(each)] if is_node(each) else each for each in node.operands]
                memo[id(node)] = rebuilt(type(node), row, operands, iter(node.local_derivatives))
    return memo[id(e)]
