"""`network`: a layered network with the paths that make up one weight's gradient.

The places are computed here and pinned, and Graphviz draws: so SVG, PNG and PDF come from one
source.  Lengths are in points, and y points up.  This room reads a run's Values and terms; it
neither differentiates nor knows how a backward pass is done.
"""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import count, pairwise
from typing import TYPE_CHECKING, NamedTuple

from tinygrad_bp import DrawingError
from tinygrad_bp.arithmetic import format_number
from viz.labels import markup, plain
from viz.picture import Picture
from viz.style import BLUE, FAINT, FONT, GREY, INK, MUTED, ORANGE, PALE_BLUE, PALE_ORANGE, WHITE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TypeAlias

    from tinygrad_bp.arithmetic import Number
    from tinygrad_bp.network import Run, Term

    Weight: TypeAlias = tuple[int, int, int]  # layer, node, node below, as in the note
    Node: TypeAlias = tuple[int, int]  # layer, node
    Edge: TypeAlias = tuple[Node, Node]  # the lower layer first

MAX_WIDTH = 16
"""The widest layer whose nodes and numbers can still be read."""

MAX_TERMS = 12
"""So many terms have a row of their own."""

_RADIUS = 26.0
_THINNEST, _WIDEST = 1.2, 14.0  # edges
_LINE, _DIGIT = 14.0, 5.8  # text of size 10: the height of a line, the width of a digit
_BAR = 110  # the longest in the table
_ERROR = 96.0  # the room for "2(o−t) = ..." beside an output
_GAP = '<TD WIDTH="14"></TD>'  # between texts: where Helvetica is missing they run wider
_PLACES = sorted((place / 40 for place in range(6, 35)), key=lambda place: abs(place - 0.5))

_SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def network(run: Run, weight: Weight, *, max_terms: int = MAX_TERMS) -> Picture:
    """The network with the sum over paths that is the gradient for one weight.

    Each circle shows a node's output, the column on the left the input.  The chosen weight is
    black.  Every edge that a path of the sum crosses is as wide as the sum of those paths' terms:
    blue and solid where a larger weight raises ``e`` along it, orange and dashed where it lowers
    it.  The halo behind it is as wide as the sum of the terms' sizes, so that terms which cancel
    are seen.  The number on it is left out where it would cover others.  The table beside it has
    the terms, the largest first, and their total.

    Args:
        run: a forward pass with a target, ``net.forward(x, t)``; it needs no backward pass.
        weight: ``(i, j, k)``, the weight into node j of layer i from node k of the layer below.
        max_terms: how many terms have a row of their own; the rest share one.

    Returns:
        A `graphviz.Digraph` that draws itself with whatever Graphviz there is.

    Raises:
        DrawingError: a layer is too wide to be read, or the numbers have no size (symbols).
        IndexError: the network has no such weight.
        NetworkError: the run has no target.
        TooManyPathsError: there are too many terms to list.

    >>> from tinygrad_bp import Network
    >>> net = Network.random([2, 3, 3, 2], seed=1)
    >>> picture = network(net.forward([0.8, -0.5], [0.3, -0.2]), weight=(1, 2, 1))
    >>> "sum over 6 paths" in picture.source
    True
    """
    i, j, k = weight
    sizes = run.network.sizes
    if max(sizes) > MAX_WIDTH:
        raise DrawingError(
            f"a layer of {max(sizes)} nodes cannot be read: networks are drawn up to {MAX_WIDTH} "
            "nodes wide"
        )
    terms = run.terms(i, j, k)
    rows = _rows(terms, j, max(max_terms, 0))
    drawing = _Drawing(run, ((i - 1, k), (i, j)), _flows(terms, (i, j)))
    drawing.picture.graph_attr["label"] = _heading(weight, terms, len(sizes) - 1)
    drawing.add_edges()
    # The weight that was recorded, which the network's own may have left meanwhile: the node
    # dot(w, o) has first the outputs for derivatives, then the weights.
    value = run.z(i, j).parents[0].local_derivatives[sizes[i - 1] + k - 1]
    drawing.add_numbers(f"{_weight_name(weight)} = {_rounded(value, 3)}")
    drawing.add_errors()
    drawing.add_table(rows)
    return drawing.picture


class _Flow(NamedTuple):
    """What crosses an edge: the sum of the terms, and the sum of their sizes."""

    net: Number
    gross: float


def _flows(terms: Iterable[Term], start: Node) -> dict[Edge, _Flow]:
    """What the terms carry over each edge above the weight, but for edges that carry only 0."""
    flows: dict[Edge, _Flow] = defaultdict(lambda: _Flow(0, 0.0))
    for term in terms:
        for edge in pairwise([start, *enumerate(reversed(term.indices), start[0] + 1)]):
            net, gross = flows[edge]
            flows[edge] = _Flow(net + term.value, gross + _size(term.value))
    return {edge: flow for edge, flow in flows.items() if flow.gross}


# ---- numbers


def _float(number: Number) -> float:
    try:
        return float(number)
    except OverflowError:  # a whole number or a fraction beyond all floats
        return math.inf if number > 0 else -math.inf
    except TypeError:
        raise DrawingError(
            f"{format_number(number):.60} has no size: a network is drawn with numbers, not symbols"
        ) from None


def _size(number: Number) -> float:
    """The number's size; what is not a number counts as infinite."""
    size = abs(_float(number))
    return math.inf if math.isnan(size) else size


def _share(size: float, largest: float) -> float:
    """How large it is beside the largest finite one, from 0 to 1."""
    return 1.0 if math.isinf(size) else size / largest if largest else 0.0


def _rounded(number: Number, digits: int) -> str:
    """The number with so many digits, an exact one too where it would be much longer."""
    text = format_number(number + 0, digits)  # -0.0 + 0 is 0.0
    return text if len(text) <= digits + 6 else format_number(_float(number), digits)


def _signed(number: Number, digits: int) -> str:
    return "+" * bool(number > 0) + _rounded(number, digits)


def _colour(number: Number) -> str:
    return BLUE if number > 0 else ORANGE if number < 0 else MUTED


# ---- words


def _sub(number: int) -> str:
    return str(number).translate(_SUBSCRIPT)


def _sup(layer: int) -> str:
    return f"⁽{str(layer).translate(_SUPERSCRIPT)}⁾"


def _weight_name(weight: Weight) -> str:
    i, j, k = weight
    return f"w{_sub(j)},{_sub(k)}{_sup(i)}"


def _node_name(node: Node) -> str:
    layer, number = node
    return f"o{_sub(number)}{_sup(layer)}" if layer else f"x{_sub(number)}"


def _heading(weight: Weight, terms: Sequence[Term], depth: int) -> str:
    """The title and the key, as an HTML-like label."""
    total = _signed(sum(term.value for term in terms), 5)
    indices = "→".join(["j", *(f"k{_sub(layer)}" for layer in range(weight[0] + 1, depth + 1))])
    paths = f"sum over {len(terms)} paths {indices}" if len(terms) > 1 else "one path"
    title = markup(f"∂e/∂{_weight_name(weight)} = {total} = {paths}", limit=200)
    key = {
        "blue, solid: raises e": BLUE,
        "orange, dashed: lowers e": ORANGE,
        "width: size of the sum of the terms crossing the edge; halo: sum of their sizes": MUTED,
    }
    cell = '<TD ALIGN="LEFT"><FONT COLOR="{}">{}</FONT></TD>'
    cells = _GAP.join(cell.format(colour, text) for text, colour in key.items())
    return (
        '<<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="3">'
        f'<TR><TD ALIGN="LEFT" COLSPAN="5"><FONT POINT-SIZE="16"><B>{title}</B></FONT></TD></TR>'
        f"<TR>{cells}</TR></TABLE>>"
    )


class _Row(NamedTuple):
    """A line of the table of terms."""

    what: str
    value: Number


def _rows(terms: Sequence[Term], j: int, max_terms: int) -> list[_Row]:
    """The largest terms, what the others add up to, and the total."""
    ranked = sorted(terms, key=lambda term: _size(term.value), reverse=True)
    rows = [
        _Row("→".join(map(str, (j, *reversed(term.indices)))), term.value)
        for term in ranked[:max_terms]
    ]
    rest = [term.value for term in ranked[max_terms:]]
    if rest:
        rows.append(_Row(f"… and {len(rest)} more", sum(rest)))
    return [*rows, _Row("Σ", sum(term.value for term in terms))]


def _line(
    texts: tuple[str, str],
    colour: str,
    widths: Sequence[float],
    *,
    share: float | None = None,
    bold: bool = False,
) -> str:
    """One line of the table, with a bar where there is a share, in Graphviz's HTML."""
    what, value = (f"<B>{markup(text)}</B>" if bold else markup(text) for text in texts)
    bar = ""
    if share is not None:
        drawn = max(1, round(share * _BAR))
        cell = '<TD FIXEDSIZE="TRUE" HEIGHT="11" WIDTH="{}"{}></TD>'
        cells = cell.format(drawn, f' BGCOLOR="{colour}"')
        if drawn < _BAR:  # Graphviz would centre the bar
            cells += cell.format(_BAR - drawn, "")
        table = '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">'
        bar = f"{table}<TR>{cells}</TR></TABLE>"
    first, second = (f"{width:.0f}" for width in widths)
    return (
        f'<TR><TD ALIGN="LEFT" WIDTH="{first}">{what}</TD>'
        f'<TD ALIGN="RIGHT" WIDTH="{second}"><FONT COLOR="{colour}">{value}</FONT></TD>'
        f'{_GAP}<TD ALIGN="LEFT" WIDTH="{_BAR}">{bar}</TD></TR>'
    )


# ---- places


class _Box(NamedTuple):
    """Where a number would stand: its middle, its width and height."""

    x: float
    y: float
    width: float
    height: float

    def overlaps(self, other: _Box) -> bool:
        return (
            abs(self.x - other.x) < (self.width + other.width) / 2
            and abs(self.y - other.y) < (self.height + other.height) / 2
        )

    def meets(self, start: tuple[float, float], end: tuple[float, float]) -> bool:
        """Whether a line that begins left of the box and ends right of it goes through it."""
        slope = (end[1] - start[1]) / (end[0] - start[0])
        over_middle = start[1] + slope * (self.x - start[0]) - self.y
        return abs(over_middle) < self.height / 2 + abs(slope) * self.width / 2


class _Drawing:
    """The picture while it is made: first the nodes, then whatever is asked for.

    Args:
        run: the forward pass.
        chosen: the edge of the weight.
        flows: what crosses the edges above it.
    """

    def __init__(self, run: Run, chosen: Edge, flows: dict[Edge, _Flow]) -> None:
        self.run = run
        self.chosen = chosen
        self.flows = flows
        self.largest = max(
            (flow.gross for flow in flows.values() if math.isfinite(flow.gross)), default=0.0
        )
        self.sizes = run.network.sizes
        self.row = min(92.0, max(58.0, 420.0 / max(self.sizes)))
        self.column = max(200.0, 0.35 * self.row * max(self.sizes))
        self.nodes = [(i, j) for i, size in enumerate(self.sizes) for j in range(1, size + 1)]
        self.edges = [(a, b) for a in self.nodes for b in self.nodes if b[0] == a[0] + 1]
        self.ids = map("n{}".format, count())
        self.picture = Picture(
            engine="neato",
            format="svg",
            graph_attr={
                "layout": "neato",
                "inputscale": "72",
                "splines": "line",
                "overlap": "true",
                "outputorder": "edgesfirst",
                "bgcolor": WHITE,
                "pad": "0.15",
                "fontname": FONT,
                "fontsize": "11",
                "labelloc": "t",
                "labeljust": "l",
            },
            node_attr={"shape": "plain", "fontname": FONT, "fontsize": "10", "fontcolor": INK},
            edge_attr={"arrowhead": "none"},
        )
        # Graphviz bends two edges between the same nodes apart, so that what shall lie exactly
        # beneath an edge joins invisible twins: these come first, and their edges are drawn first.
        diameter = 2 * _RADIUS, 2 * _RADIUS
        self.twins = {
            node: self.add(self.at(node), "", diameter, shape="circle", style="invis")
            for node in self.nodes
        }
        concerned = {node for edge in (chosen, *flows) for node in edge}
        self.circles = {
            node: self.add(
                self.at(node),
                plain(_node_name(node), _rounded(run.o(*node).data, 3)),
                diameter,
                shape="circle",
                style="filled",
                fillcolor=WHITE,
                color=INK if node in concerned else GREY,
                penwidth="1.5" if node in concerned else "1",
            )
            for node in self.nodes
        }

    def at(self, node: Node) -> tuple[float, float]:
        layer, number = node
        return layer * self.column, ((self.sizes[layer] + 1) / 2 - number) * self.row

    def add(
        self,
        place: tuple[float, float],
        label: str,
        size: tuple[float, float] | None = None,
        **look: str,
    ) -> str:
        """A pinned node, of just this size if one is given, else of the size of its label."""
        if size:
            width, height = (f"{length / 72:.4f}" for length in size)
            look |= {"width": width, "height": height, "fixedsize": "true"}
        name = next(self.ids)
        self.picture.node(name, label, pos=f"{place[0]:.2f},{place[1]:.2f}!", **look)
        return name

    def width(self, edge: Edge) -> float:
        if edge == self.chosen:
            return 4.0
        share = _share(_size(self.flows[edge].net), self.largest)
        return _THINNEST + (_WIDEST - _THINNEST) * share

    def add_edges(self) -> None:
        """The grey edges, the edges of the sum with their halos, and the weight's."""
        draw, twins, circles = self.picture.edge, self.twins, self.circles
        for a, b in self.edges:
            if (a, b) not in self.flows:
                draw(twins[a], twins[b], color=FAINT)
        for (a, b), (net, gross) in self.flows.items():
            halo = 2.0 + _THINNEST + (_WIDEST - _THINNEST) * _share(gross, self.largest)
            pale = PALE_BLUE if net > 0 else PALE_ORANGE if net < 0 else FAINT
            draw(twins[a], twins[b], color=pale, penwidth=f"{halo:.2f}")
            style = "solid" if net > 0 else "dashed" if net < 0 else "dotted"
            width = f"{self.width((a, b)):.2f}"
            draw(circles[a], circles[b], color=_colour(net), style=style, penwidth=width)
        a, b = self.chosen
        draw(circles[a], circles[b], color=INK, penwidth=f"{self.width(self.chosen):.2f}")

    def add_numbers(self, weight: str) -> None:
        """A number on each edge of the sum, the widest first, as long as there is room."""
        texts = {edge: _signed(flow.net, 3) for edge, flow in self.flows.items()}
        taken: list[_Box] = []
        for edge in [self.chosen, *sorted(texts, key=self.width, reverse=True)]:
            text = texts.get(edge, weight)
            boxes = (self.box(edge, place, text) for place in _PLACES)
            free = {box: self.covered(box, edge) for box in boxes if self.is_free(box, edge, taken)}
            box = min(free, key=free.__getitem__, default=None)
            if box is None or (free[box][0] > 1 and edge != self.chosen):
                continue
            taken.append(box)
            self.add(
                (box.x, box.y),
                plain(text),
                (box.width, box.height),
                shape="plaintext",
                style="filled",
                fillcolor=WHITE,
                fontcolor=_colour(self.flows[edge].net) if edge in self.flows else INK,
            )

    def box(self, edge: Edge, place: float, text: str) -> _Box:
        (x0, y0), (x1, y1) = map(self.at, edge)
        small = sum(not letter.isascii() for letter in text)  # sub- and superscripts
        width = _DIGIT * (len(text) - 0.4 * small) + 4.0
        return _Box(x0 + place * (x1 - x0), y0 + place * (y1 - y0), width, _LINE)

    def is_free(self, box: _Box, edge: Edge, taken: Iterable[_Box]) -> bool:
        """Whether a number there would cover no node and no other number."""
        margin = box.width / 2 + _RADIUS
        beside = margin <= box.x - self.at(edge[0])[0] <= self.column - margin
        return beside and not any(map(box.overlaps, taken))

    def covered(self, box: _Box, own: Edge) -> tuple[int, int]:
        """How many other edges of the sum, and how many grey ones, a number there would cover."""
        covered = [
            edge in self.flows or edge == self.chosen
            for edge in self.edges
            if edge[0][0] == own[0][0] and edge != own
            if box.meets(self.at(edge[0]), self.at(edge[1]))
        ]
        return sum(covered), len(covered) - sum(covered)

    def add_errors(self) -> None:
        """``2 (o - t)`` beside each output: the first factor of each of its terms."""
        last = len(self.sizes) - 1
        for number in range(1, self.sizes[last] + 1):
            error = 2 * (self.run.o(last, number).data - self.run.t(number).data)
            x, y = self.at((last, number))
            self.add(
                (x + _RADIUS + 6.0 + _ERROR / 2, y),
                plain(f"2(o−t) = {_signed(error, 3)}", left=True),
                (_ERROR, _LINE),
                shape="plaintext",
                margin="0",
            )

    def add_table(self, rows: Sequence[_Row]) -> None:
        """The terms beside the network, each with a bar."""
        texts = [("path", "term"), *((row.what, _signed(row.value, 5)) for row in rows)]
        columns = zip(*texts, strict=True)
        widths = [1.1 * _DIGIT * max(map(len, column)) + 8.0 for column in columns]
        largest = max(_size(row.value) for row in rows[:-1])
        header, *terms, total = texts
        lines = [_line(header, INK, widths, bold=True)]
        for text, row in zip(terms, rows, strict=False):
            share = _share(_size(row.value), largest)
            lines.append(_line(text, _colour(row.value), widths, share=share))
        lines += ["<HR/>", _line(total, INK, widths, bold=True)]
        table = '<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="3">'
        left = self.at((len(self.sizes) - 1, 1))[0] + _RADIUS + 6.0 + _ERROR + 12.0
        middle = left + (sum(widths) + _BAR + 14.0 + 24.0) / 2
        self.add((middle, 0.0), f"<{table}{''.join(lines)}</TABLE>>", fontsize="11")
