"""`draw`: the graph of a Value, each node with its numbers, each edge with its local derivative.

This module reads Values and says what is to be seen; `viz.cards` puts it into Graphviz's words.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import compress, pairwise
from typing import TYPE_CHECKING, NamedTuple

from tinygrad_bp import ArgumentError, DrawingError, Value
from tinygrad_bp.engine.tape import Tape
from tinygrad_bp.numbers.families import whole_number
from tinygrad_bp.numbers.text import format_number, plain_number
from tinygrad_bp.quoting import quoted
from viz.cards import Card, Line, card_label, compose, line_label, signed
from viz.folding import fold_graph
from viz.labels import operation, shown
from viz.sketch import Edge, Node, Sketch
from viz.style import palette, share, stroke

if TYPE_CHECKING:
    from typing import Any

    from tinygrad_bp.explain.paths import EdgeFlow
    from viz.picture import Picture
    from viz.style import Palette

MAX_NODES = 300
"""Measured: the densest graph of so many nodes takes Graphviz some five seconds."""

_THINNEST, _WIDEST = 1.0, 10.0  # edges of a flow


def draw(
    e: Value,
    *,
    highlight: Any = None,
    wrt: Value | None = None,
    fold: Any = None,
    max_nodes: int = MAX_NODES,
    theme: str = "auto",
) -> Picture:
    """The graph of a Value: every node it was made of, every edge with its local derivative.

    A node shows its name, its operation (plain numbers are part of it, as in ``** 2``), its data
    and its gradient.  As long as no backward pass has reached ``e`` the gradients are shown as
    absent, not as 0.  An operand used twice has two edges, each with its own number.

    Args:
        e: the result.
        highlight: a path to be lit: a `tinygrad_bp.explain.paths.Path`, or its nodes in either direction.
            Given as nodes, all parallel edges between two of them are lit.  Or a flow,
            ``tinygrad_bp.flow(e, w)``: each edge is as wide as the sum of the paths through it (the
            second number beside it), blue and solid where that raises ``e``, orange and dashed where
            it lowers it, with a halo as wide as the sum of their sizes.
        wrt: show only what lies between this node and ``e``: the paths that ``de/dwrt`` sums over.
        fold: show only these nodes, with the derivative by the chain rule on each edge between
            them: Values; or a mapping from a name to a Value or several, which are then one card; or
            a network's run, for its neurons, or for its layers where these are too many.
        max_nodes: refuse a larger graph.
        theme: ``"light"``, ``"dark"``, or ``"auto"``: an SVG follows the reader's system, and other
            formats are light.

    Returns:
        A `graphviz.Digraph` that draws itself with whatever Graphviz there is.

    Raises:
        DrawingError: the graph has too many nodes, or ``highlight``, ``wrt`` or ``fold`` is not in
            it, or there is no such theme.
        ArgumentError: ``e`` is not a Value.

    >>> x = Value(3.0, label="x")
    >>> e = x * x
    >>> draw(e).source.count("n0 -> n1")
    2
    """
    if not isinstance(e, Value):
        way_out = ": give its error, run.e, or call viz.network" * (type(e).__name__ == "Run")
        raise ArgumentError(f"draw takes a Value, not {type(e).__name__} {e!r:.60}{way_out}")
    max_nodes = whole_number("max_nodes", max_nodes)
    tape = Tape.from_result(e)
    drawn = bytearray([1]) * len(tape.nodes)
    if wrt is not None:
        there = isinstance(wrt, Value) and wrt in tape.places
        drawn = tape.edges.reaching([tape.places[wrt]] if there else [])
        if not drawn[-1]:
            raise DrawingError(f"wrt={quoted(wrt)} is no node of this graph")
    if fold is not None:
        if highlight is not None:
            raise DrawingError("a folded graph has other edges: give fold or highlight, not both")
        return fold_graph(tape, fold, wrt=wrt, max_nodes=max_nodes, theme=theme)
    if sum(drawn) > max_nodes:
        raise DrawingError(
            f"the graph has {sum(drawn)} nodes, more than max_nodes={max_nodes}: fold it, as in "
            "draw(run.e, fold=run) or draw(e, fold=[some of its nodes]), draw an inner node, or "
            "raise max_nodes (the layout may take long; saving as .dot does without)"
        )
    ids = {node: f"n{place}" for place, node in enumerate(compress(tape.nodes, drawn))}
    lit: _Lit | _Carried | None = None
    if isinstance(highlight, Mapping):
        lit = _carried(highlight, ids)
    elif highlight is not None:
        lit = _lit(highlight, ids, tape.names)
    return _picture(tape, ids, lit, theme)


class _Lit(NamedTuple):
    """What is highlighted: nodes, and edges as an upper node and a place in its parents."""

    nodes: set[Value]
    edges: set[tuple[Value, int]]


def _lit(highlight: Any, there: Mapping[Value, str], named: Mapping[Value, str]) -> _Lit:
    slots = getattr(highlight, "slots", None)
    nodes = getattr(highlight, "nodes", highlight)
    if not hasattr(nodes, "__iter__"):
        raise DrawingError(f"highlight takes a path, a list of nodes or a flow, not {nodes!r:.60}")
    nodes = list(nodes)
    strangers = [node for node in nodes if not isinstance(node, Value) or node not in there]
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
                f"{shown(named[above])} was not made of {shown(named[below])} there"
            )
        lit.edges.update((above, slot) for slot in uses)
    return lit


class _Carried(NamedTuple):
    """A flow: what each edge carries, the nodes that it joins, and the largest gross sum."""

    edges: Mapping[tuple[Value, int], EdgeFlow]
    nodes: set[Value]
    largest: float


def _carried(flow: Mapping[Any, Any], there: Mapping[Value, str]) -> _Carried:
    """The flow, but for edges through which only 0 passes."""
    edges, nodes = {}, set()
    for key, carried in flow.items():
        try:
            (node, slot), (_, gross) = key, carried
            parent = node.parents[slot]
        except (TypeError, ValueError, AttributeError, IndexError):
            raise DrawingError(
                f"highlight is no flow: {key!r:.60} is not (node, slot), or {carried!r:.60} not "
                "(signed, gross), as flow(e, w) has them"
            ) from None
        if node not in there or parent not in there:
            raise DrawingError(f"highlight is not a flow of this graph: it has no edge {key!r:.60}")
        if gross != 0:
            edges[key] = carried
            nodes |= {node, parent}
    largest = max((_size(gross) for _, gross in edges.values()), default=0.0)
    return _Carried(edges, nodes, largest)


def _size(number: Any) -> float:
    try:
        return float(abs(number))
    except OverflowError:  # a fraction or a whole number beyond all floats
        return float("inf")
    except TypeError:
        raise DrawingError(f"{number!s:.60} has no size: a flow is drawn with numbers") from None


def _picture(
    tape: Tape, ids: Mapping[Value, str], lit: _Lit | _Carried | None, theme: str
) -> Picture:
    colours, named, root = palette(theme), tape.names, tape.e
    reached = bool(root.grad != 0)
    sketch = Sketch("graph", f"{named[root]} = {format_number(root.data)}")
    cards = []
    for node in ids:
        card = node_card(node, ids[node], named[node], colours, reached=reached, root=root)
        if lit:
            look = (
                {"color": colours.blue if isinstance(lit, _Lit) else colours.ink, "penwidth": "2"}
                if node in lit.nodes
                else {"color": colours.faint, "fontcolor": colours.muted}
            )
            card = card._replace(look={**card.look, **look})
        cards.append(card)
        sketch.nodes.append(card.node)
    lines = []
    for node in ids:
        uses = zip(node.parents, node.local_derivatives, strict=True)
        for slot, (parent, local) in enumerate(uses):
            if parent in ids:
                facts = {"slot": slot, "local_derivative": plain_number(local)}
                text = format_number(local)
                edge = Edge(ids[parent], ids[node], text, facts)
                lines.append(_line((node, slot), edge, lit, colours))
                sketch.edges.append(lines[-1].edge)
    return compose(sketch, cards, lines, theme=theme)


def node_card(
    node: Value, name_: str, shown: str, colours: Palette, *, reached: bool, root: Value
) -> Card:
    """A node as `draw` shows it, if nothing is lit."""
    data = format_number(node.data)
    gradient = format_number(node.grad) if reached else "–"
    symbol = operation(node)
    rows = [(shown, symbol), ("data", data), ("grad", gradient)]
    facts = {
        "name": shown,
        "op": node.op,
        "operation": symbol,
        "data": plain_number(node.data),
        "grad": plain_number(node.grad) if reached else None,
    }
    texts = (f"{shown}  {symbol}".strip(), f"data {data}", f"grad {gradient}")
    look = {
        "fillcolor": colours.card if node.op else colours.paper,
        "color": colours.ink if node is root else colours.grey,
    }
    return Card(Node(name_, texts, facts), card_label(rows, colours.muted), look)


def _line(
    key: tuple[Value, int], edge: Edge, lit: _Lit | _Carried | None, colours: Palette
) -> Line:
    """An edge as it looks where something is lit, or nothing."""
    if lit is None:
        return Line(edge, line_label([(edge.text, "")]), {})
    if key not in lit.edges:
        faint = {"color": colours.faint, "fontcolor": colours.grey}
        return Line(Edge(edge.tail, edge.head, edge.text, edge.facts, dim=True),
                    line_label([(edge.text, "")]), faint)  # fmt: skip
    if isinstance(lit, _Lit):
        edge = Edge(edge.tail, edge.head, edge.text, edge.facts, net=1, width=2.5)
        look = {"color": colours.blue, "penwidth": "2.5"}
        return Line(edge, line_label([(edge.text, "")]), look)
    net, gross = lit.edges[key]
    widths = [
        _THINNEST + (_WIDEST - _THINNEST) * share(_size(each), lit.largest) for each in (net, gross)
    ]
    edge = Edge(
        edge.tail,
        edge.head,
        f"{edge.text} / {signed(net)}",
        {**edge.facts, "net": plain_number(net), "gross": plain_number(gross)},
        net=net,
        width=widths[0],
        halo=widths[1] + 2.0,
    )
    look = {"color": colours.of(net), "style": stroke(net), "penwidth": f"{widths[0]:.2f}"}
    look["arrowsize"] = "0.6" if widths[0] < 4.0 else "0.3"
    rows = [
        (format_number(key[0].local_derivatives[key[1]]), colours.muted),
        (signed(net), colours.of(net)),
    ]
    return Line(edge, line_label(rows, 8.0 + edge.halo / 2), look, colours.halo(net))
