"""`draw`: the graph of a Value, each node with its numbers, each edge with its local derivative.

This room reads Values and writes DOT; text goes through `viz.labels`, layout is Graphviz's.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from tinygrad_bp import DrawingError, Value
from tinygrad_bp.arithmetic import format_number
from tinygrad_bp.graph import dependents, names, topological_order
from viz.labels import markup, operation
from viz.picture import Picture
from viz.style import BLUE, FAINT, FONT, GREY, INK, MUTED, PALE, WHITE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from tinygrad_bp.arithmetic import Number

MAX_NODES = 300
"""Measured: the densest graph of so many nodes takes Graphviz some five seconds."""

_ROOM_FOR_NUMBERS = 120
"""Up to so many nodes Graphviz is asked to keep room for the numbers on edges.

That reads best and takes ten times longer: 0.8 s for the densest graph of 120 nodes, and a minute
for one of 300.  In larger graphs the numbers are put beside the edges afterwards.
"""


def draw(
    e: Value,
    *,
    highlight: Iterable[Value] | Any = None,
    wrt: Value | None = None,
    max_nodes: int = MAX_NODES,
) -> Picture:
    """The graph of a Value: every node it was made of, every edge with its local derivative.

    A node shows its name, its operation (plain numbers are part of it, as in ``** 2``), its data
    and its gradient.  As long as no backward pass has reached ``e`` the gradients are shown as
    absent, not as 0.  An operand used twice has two edges, each with its own number.

    Args:
        e: the result.
        highlight: a path to be lit: a `tinygrad_bp.paths.Path`, or its nodes in either direction.
            Given as nodes, all parallel edges between two of them are lit.
        wrt: show only what lies between this node and ``e``: the paths that ``de/dwrt`` sums over.
        max_nodes: refuse a larger graph.

    Returns:
        A `graphviz.Digraph` that draws itself with whatever Graphviz there is.

    Raises:
        DrawingError: the graph has too many nodes, or ``highlight`` or ``wrt`` is not in it.
        TypeError: ``e`` is not a Value.

    >>> x = Value(3.0, label="x")
    >>> e = x * x
    >>> draw(e).source.count("n0 -> n1")
    2
    """
    if not isinstance(e, Value):
        raise TypeError(f"draw takes a Value, not {type(e).__name__} {e!r:.60}")
    order = everything = topological_order(e)
    if wrt is not None:
        order = _between(wrt, everything)
    if len(order) > max_nodes:
        raise DrawingError(
            f"the graph has {len(order)} nodes, more than max_nodes={max_nodes}: draw an inner "
            "node, or raise max_nodes (the layout may take long; saving as .dot does without)"
        )
    named = names(everything, root="e")
    lit = None if highlight is None else _lit(highlight, order, named)
    return _picture(order, named, lit)


class _Lit(NamedTuple):
    """What is highlighted: nodes, and edges as an upper node and a place in its parents."""

    nodes: set[Value]
    edges: set[tuple[Value, int]]


def _between(wrt: Value, order: Sequence[Value]) -> list[Value]:
    """The nodes on the paths from ``wrt`` to the last node, in order."""
    reaching = dependents(order, [wrt])
    if wrt not in order or order[-1] not in reaching:
        raise DrawingError(f"wrt={wrt!r} is no node of this graph")
    return [node for node in order if node in reaching]


def _lit(highlight: Any, order: Sequence[Value], named: Mapping[Value, str]) -> _Lit:
    slots = getattr(highlight, "slots", None)
    nodes = list(getattr(highlight, "nodes", highlight))
    strangers = [node for node in nodes if not isinstance(node, Value) or node not in order]
    if strangers or not nodes:
        raise DrawingError(
            f"highlight is not a path of this graph: it has no node {strangers[0]!r:.60}"
            if strangers
            else "highlight is empty: give the nodes of a path"
        )
    if len(nodes) > 1 and nodes[0] in nodes[1].parents:
        nodes.reverse()
    lit = _Lit(set(nodes), set())
    for step, (above, below) in enumerate(pairwise(nodes)):
        uses = [slot for slot, parent in enumerate(above.parents) if parent is below]
        if slots is not None:
            uses = [slot for slot in uses if slot == slots[step]]
        if not uses:
            raise DrawingError(
                f"highlight is not a path of this graph: "
                f"{named[above]} was not made of {named[below]} there"
            )
        lit.edges.update((above, slot) for slot in uses)
    return lit


def _picture(order: Sequence[Value], named: Mapping[Value, str], lit: _Lit | None) -> Picture:
    roomy = len(order) <= _ROOM_FOR_NUMBERS
    picture = Picture(
        format="svg",
        graph_attr={
            "rankdir": "LR",
            "bgcolor": WHITE,
            "nodesep": "0.3",
            "ranksep": "0.5" if roomy else "1.2",
        },
        node_attr={
            "shape": "box",
            "style": "rounded,filled",
            "fontname": FONT,
            "fontsize": "12",
            "margin": "0.12,0.06",
        },
        edge_attr={
            "fontname": FONT,
            "fontsize": "11",
            "color": GREY,
            "fontcolor": BLUE,
            "arrowsize": "0.6",
        },
    )
    root = order[-1]
    ids = {node: f"n{place}" for place, node in enumerate(order)}
    reached = bool(root.grad != 0)
    for node in order:
        gradient = format_number(node.grad) if reached else "–"
        label = _card(named[node], operation(node), format_number(node.data), gradient)
        look = {"fillcolor": PALE if node.op else WHITE, "color": INK if node is root else GREY}
        if lit and node in lit.nodes:
            look |= {"color": BLUE, "penwidth": "2"}
        elif lit:
            look |= {"color": FAINT, "fontcolor": MUTED}
        picture.node(ids[node], label, **look)
    for node in order:
        uses = zip(node.parents, node.local_derivatives, strict=True)
        for slot, (parent, local) in enumerate(uses):
            look = {"label" if roomy else "xlabel": _number(local)}
            if lit and (node, slot) in lit.edges:
                look |= {"color": BLUE, "penwidth": "2.5"}
            elif lit:
                look |= {"color": FAINT, "fontcolor": GREY}
            if parent in ids:
                picture.edge(ids[parent], ids[node], **look)
    return picture


def _card(name: str, operation: str, data: str, gradient: str) -> str:
    """What a node says, as an HTML-like label: name and operation, data, gradient."""
    rows = [_row(f"<B>{markup(name)}</B>", operation)]
    for key, number in (("data", data), ("grad", gradient)):
        rows.append(_row(f'<FONT POINT-SIZE="10" COLOR="{MUTED}">{key}</FONT>', number))
    return f'<<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="1">{"".join(rows)}</TABLE>>'


def _row(left: str, right: str) -> str:
    gap = '<TD WIDTH="6"></TD>'
    return f'<TR><TD ALIGN="LEFT">{left}</TD>{gap}<TD ALIGN="RIGHT">{markup(right)}</TD></TR>'


def _number(local: Number) -> str:
    """An edge's number, with room around it, so that a thick line does not touch it."""
    cell = f"<TR><TD>{markup(format_number(local))}</TD></TR>"
    return f'<<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="2">{cell}</TABLE>>'
