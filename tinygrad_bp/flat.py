"""A graph as flat lists: the form in which it is pickled and copied, whatever its depth.

This room knows a node only by its attributes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakSet

from tinygrad_bp.collector import collector_paused
from tinygrad_bp.graph import topological_order
from tinygrad_bp.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tinygrad_bp.value import Value


class Flat:
    """The inner nodes that a result was made of, in order: the form in which they are pickled.

    Pickle and deepcopy meet one such object for all of its nodes, so that what was shared is shared
    again; and it holds lists, so that they need not follow a chain of operands.
    """

    __slots__ = ("__weakref__", "nodes", "places")

    def __init__(self, nodes: list[Value]) -> None:
        self.nodes = nodes
        self.places = {id(node): place for place, node in enumerate(nodes)}

    def node(self, place: int) -> Value:
        """The node at a place."""
        return self.nodes[place]

    def __reduce__(self) -> tuple[Callable[..., Flat], tuple[Any, ...]]:
        outside: list[Value] = []  # leaves, and nodes that were met before
        places = dict(self.places)
        for node in self.nodes:
            for parent in node.parents:
                if id(parent) not in places:
                    outside.append(parent)
                    places[id(parent)] = -len(outside)
        with collector_paused():
            rows = [_row(node, places) for node in self.nodes]
        return _unflatten, (type(self.nodes[0]), outside, rows)

    def __deepcopy__(self, memo: dict[int, Any]) -> Flat:
        from copy import deepcopy

        kind, outside, rows = self.__reduce__()[1]
        return _unflatten(kind, deepcopy(outside, memo), rows)  # numbers and rules do not change


_met: WeakSet[Flat] = WeakSet()
"""The flat forms that a pickling or copying under way has met: it alone keeps them alive."""


def flatten(e: Value) -> tuple[Flat, int]:
    """The flat form that holds ``e``, and its place there: a new one, if none is under way."""
    met = [flat.places for flat in _met]
    for flat in _met:
        if id(e) in flat.places:
            return flat, flat.places[id(e)]
    inner = [node for node in topological_order(e) if node._rule is not None]
    nodes = [node for node in inner if not any(id(node) in places for places in met)]
    flat = Flat(nodes)
    _met.add(flat)
    return flat, len(nodes) - 1


def _row(node: Value, places: dict[int, int]) -> tuple[Any, ...]:
    """All that a node holds, its parents by their places."""
    rule, x, dx, y, dy = node.rule, node._x, node._dx, node._y, node._dy
    named = rule.name if rule and RULES.get(rule.name) is rule else rule
    if dx is not None:
        x = places[id(x)]
    if dy is not None:
        y = places[id(y)]
    if isinstance(y, tuple):
        x = [places[id(parent)] for parent in x]
    return named, node.data, node.grad, node.label, x, dx, y, dy


def _unflatten(kind: type[Value], outside: list[Value], rows: list[tuple[Any, ...]]) -> Flat:
    nodes: list[Value] = []

    def at(place: int) -> Value:
        return outside[-1 - place] if place < 0 else nodes[place]

    with collector_paused():
        for named, data, grad, label, x, dx, y, dy in rows:
            node = kind.__new__(kind)
            node._rule = RULES[named] if isinstance(named, str) else named
            node.data, node.grad, node.label, node._mark = data, grad, label, 0
            node._x = at(x) if dx is not None else x
            node._y = at(y) if dy is not None else y
            node._dx, node._dy = dx, dy
            if isinstance(y, tuple):
                node._x = tuple(map(at, x))
            nodes.append(node)
    return Flat(nodes)
