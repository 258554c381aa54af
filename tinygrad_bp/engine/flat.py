"""Graphs pickled and copied without recursion, whatever their depth.

Deepcopy tells with its memo which copying a node belongs to, and the copies are made one by one, each
after its parents.  Pickle tells nothing, and meets flat lists instead.

This module knows a node only by its attributes.
"""

from __future__ import annotations

import threading
from itertools import count, repeat
from typing import TYPE_CHECKING, cast
from weakref import ref

from tinygrad_bp.engine.collector import collector_paused
from tinygrad_bp.engine.graph import (
    node_of,
    row_of,
    topological_order,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tinygrad_bp.engine.node import Node


class Flat:
    """Inner nodes that results were made of, in order: the form in which they are pickled.

    It is no `Tape`, for it may be of a part of a graph, of which another form has the rest, and nodes
    come back from their own slots sooner than from operands and derivatives.

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
        outside: list[Node] = []  # leaves, and nodes of another flat form
        places = {id(node): place for place, node in enumerate(self.nodes)}
        for node in self.nodes:
            for parent in node.parents:
                if id(parent) not in places:
                    outside.append(parent)
                    places[id(parent)] = -len(outside)
        with collector_paused():
            rows = [row_of(node, places) for node in self.nodes]
        return _unflatten, (type(self.nodes[0]), outside, rows)


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


def _unflatten(kind: type[Node], outside: list[Node], rows: list[tuple[Any, ...]]) -> Flat:
    nodes: list[Node] = []

    def at(place: int) -> Node:
        return outside[-1 - place] if place < 0 else nodes[place]

    with collector_paused():
        for row in rows:
            nodes.append(node_of(kind, row, at))  # noqa: PERF401 - each is made of those before
    return Flat(nodes)


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
                memo[id(node)] = node_of(type(node), row_of(node, memo), lambda copied: copied)
    copied: Node = memo[id(e)]
    return copied


def copy_leaf(leaf: Node, memo: dict[int, Any]) -> Any:
    """A copy of a leaf, with what a subclass has beside."""
    from copy import deepcopy

    make, parts, *rest = cast("tuple[Any, ...]", leaf.__reduce_ex__(4))
    copied = memo[id(leaf)] = make(*deepcopy(parts, memo))
    state: Any = deepcopy(rest[0], memo) if rest else None
    if hasattr(copied, "__setstate__") and state is not None:
        copied.__setstate__(state)
        return copied
    for attributes in state if isinstance(state, tuple) else (state,):
        for name, each in (attributes or {}).items():
            setattr(copied, name, each)
    return copied
