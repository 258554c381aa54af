"""A graph folded to some of its nodes, with the derivative by the chain rule on each edge left.

The derivatives are those of `tinygrad_bp.explain.paths.contract`: sums over all paths that pass no other node
that is shown.  Several nodes may share a card, as the neurons of a layer do; then an edge has a
matrix of derivatives.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from tinygrad_bp import DrawingError, Value
from tinygrad_bp.explain.paths import contracted
from tinygrad_bp.numbers.text import format_number, plain_number
from viz.cards import Card, Line, card_label, compose, line_label
from viz.labels import operation
from viz.sketch import Edge, Node, Sketch
from viz.style import palette

if TYPE_CHECKING:
    from typing import Any

    from tinygrad_bp.engine.tape import Tape
    from tinygrad_bp.network.network import Run
    from tinygrad_bp.numbers.kernels import Number
    from viz.picture import Picture
    from viz.style import Palette

MAX_NEURONS = 24
"""A network of more neurons is folded to its layers."""

_ENTRIES = 9
"""A larger matrix of derivatives is described, and not written out."""


class _Group(NamedTuple):
    """What has a card of its own."""

    id: str
    name: str
    nodes: tuple[Value, ...]


def fold_graph(tape: Tape, fold: Any, *, wrt: Value | None, max_nodes: int, theme: str) -> Picture:
    """The picture of the folded graph: see `viz.draw`.

    Raises:
        DrawingError: a node is not in the graph or is given twice, or there are too many.
    """
    e, named, places = tape.e, tape.names, tape.places
    kept = _kept(fold, named)
    taken = {node for nodes in kept.values() for node in nodes}
    rest = [each for each in (wrt, e) if each is not None and each not in taken]
    kept |= {named.get(node, "?"): (node,) for node in rest}
    if len(kept) > max_nodes:
        raise DrawingError(
            f"the graph is folded to {len(kept)} cards, more than max_nodes={max_nodes}: keep "
            "fewer nodes, let several share a name, or raise max_nodes"
        )
    _check(kept, places)
    rows = contracted(tape, [node for nodes in kept.values() for node in nodes])
    sorted_ = sorted(kept.items(), key=lambda item: max(places[node] for node in item[1]))
    if wrt is not None:
        reaching = _reaching(wrt, rows)
        sorted_ = [(name, nodes) for name, nodes in sorted_ if reaching.intersection(nodes)]
    groups = [_Group(f"n{place}", name, nodes) for place, (name, nodes) in enumerate(sorted_)]
    return _picture(e, groups, rows, theme)


def _kept(fold: Any, named: Mapping[Value, str]) -> dict[str, tuple[Value, ...]]:
    """The nodes that have a card, by the card's name."""
    if hasattr(fold, "network"):
        return _neurons_or_layers(fold)
    if isinstance(fold, Value):
        fold = [fold]
    if isinstance(fold, Mapping):
        return {
            str(name): (nodes,) if isinstance(nodes, Value) else tuple(nodes)
            for name, nodes in fold.items()
        }
    if not isinstance(fold, Iterable):
        raise DrawingError(f"fold takes Values, a mapping or a run, not {fold!r:.60}")
    nodes = list(dict.fromkeys(fold))
    return {named.get(node, f"{node!r:.60}"): (node,) for node in nodes}


def _neurons_or_layers(run: Run) -> dict[str, tuple[Value, ...]]:
    sizes = run.network.sizes
    layers = [
        [run.o(layer, number) for number in range(1, size + 1)] for layer, size in enumerate(sizes)
    ]
    if sum(sizes) <= MAX_NEURONS:
        return {
            node.label or f"o[{layer}][{number}]": (node,)
            for layer, nodes in enumerate(layers)
            for number, node in enumerate(nodes, 1)
        }
    return {
        f"layer {layer}" if layer else "input": tuple(nodes) for layer, nodes in enumerate(layers)
    }


def _check(kept: Mapping[str, tuple[Value, ...]], there: Mapping[Value, int]) -> None:
    seen = set()
    for name, nodes in kept.items():
        if not nodes:
            raise DrawingError(f"fold: {name!r:.60} has no nodes")
        for node in nodes:
            if not isinstance(node, Value) or node not in there:
                raise DrawingError(f"fold: {name!r:.60} has {node!r:.60}, no node of this graph")
            if node in seen:
                raise DrawingError(f"fold: {node!r:.60} is given twice")
            seen.add(node)


def _reaching(wrt: Value, rows: Mapping[Value, Mapping[Value, Number]]) -> set[Value]:
    reaching = {wrt}
    for node, row in reversed([*rows.items()]):
        if not reaching.isdisjoint(row):
            reaching.add(node)
    return reaching


def _picture(
    e: Value, groups: list[_Group], rows: Mapping[Value, Mapping[Value, Number]], theme: str
) -> Picture:
    colours = palette(theme)
    reached = bool(e.grad != 0)
    sketch = Sketch("graph", f"{groups[-1].name} = {format_number(e.data)}")
    sketch.facts = {"folded": True}
    cards = [_card(group, colours, reached=reached, root=e in group.nodes) for group in groups]
    sketch.nodes = [card.node for card in cards]
    lines = []
    for upper in groups:
        for lower in groups:
            line = None if lower is upper else _line(lower, upper, rows)
            if line:
                lines.append(line)
                sketch.edges.append(line.edge)
    return compose(sketch, cards, lines, theme=theme)


def _card(group: _Group, colours: Palette, *, reached: bool, root: bool) -> Card:
    data = _span([node.data for node in group.nodes])
    gradient = _span([node.grad for node in group.nodes]) if reached else "–"
    alone = len(group.nodes) == 1
    what = operation(group.nodes[0]) if alone else f"{len(group.nodes)} nodes"
    rows = [(group.name, what), ("data", data), ("grad", gradient)]
    numbers = [plain_number(node.data) for node in group.nodes]
    gradients = [plain_number(node.grad) for node in group.nodes] if reached else None
    facts = {
        "name": group.name,
        "nodes": len(group.nodes),
        "data": numbers[0] if alone else numbers,
        "grad": gradients and (gradients[0] if alone else gradients),
    }
    look = {
        "fillcolor": colours.card if group.nodes[0].op else colours.paper,
        "color": colours.ink if root else colours.grey,
    }
    texts = (f"{group.name}  {what}".strip(), f"data {data}", f"grad {gradient}")
    return Card(Node(group.id, texts, facts), card_label(rows, colours.muted), look)


def _span(numbers: list[Number]) -> str:
    """One number, or the smallest and the largest."""
    if len(numbers) == 1:
        return format_number(numbers[0])
    try:
        return f"{format_number(min(numbers), 3)} … {format_number(max(numbers), 3)}"
    except TypeError:  # symbols are in no order
        return "…"


def _line(
    lower: _Group, upper: _Group, rows: Mapping[Value, Mapping[Value, Number]]
) -> Line | None:
    """The derivatives of the one's nodes for the other's, if there are any."""
    matrix = [[rows.get(node, {}).get(below) for below in lower.nodes] for node in upper.nodes]
    entries = [each for row in matrix for each in row if each is not None]
    if not entries:
        return None
    if len(upper.nodes) == len(lower.nodes) == 1:
        shown, text = [(format_number(entries[0]), "")], format_number(entries[0])
    elif len(upper.nodes) * len(lower.nodes) <= _ENTRIES:
        texts = [", ".join(format_number(each or 0, 4) for each in row) for row in matrix]
        shown, text = [(each, "") for each in texts], "; ".join(texts)
    else:
        text = f"{len(upper.nodes)} × {len(lower.nodes)} derivatives"
        shown = [(text, ""), (f"{_span(entries)}", "")]
    exact = [[plain_number(0 if each is None else each) for each in row] for row in matrix]
    single = len(upper.nodes) == len(lower.nodes) == 1
    facts = {"derivative": exact[0][0] if single else exact}
    return Line(Edge(lower.id, upper.id, text, facts), line_label(shown), {})
