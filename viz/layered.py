"""`network`: a layered network with the paths that make up one weight's gradient.

The places are computed here and pinned, edges and all, and Graphviz draws: so SVG, PNG and PDF come
from one source.  Where an edge has a number it is interrupted, and the numbers of all edges into a
node stand in a stack before it: so no line can cross a number, however dense the network.  Lengths
are in points, and y points up.  This module reads a run's Values, terms and contracted derivatives; it
neither differentiates nor knows how a backward pass is done.
"""

from __future__ import annotations

import math
from itertools import count, pairwise
from typing import TYPE_CHECKING, NamedTuple

from tinygrad_bp import DrawingError
from tinygrad_bp.engine.value import data_of
from tinygrad_bp.explain.paths import contract, multiply
from tinygrad_bp.numbers.families import whole_number
from tinygrad_bp.numbers.text import format_number, plain_number
from viz.labels import LINE, markup, plain
from viz.picture import Picture
from viz.sketch import Edge, Node, Sketch
from viz.style import FONT, palette, stroke

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import TypeAlias

    from tinygrad_bp.engine.value import Value
    from tinygrad_bp.network.network import LargestTerms, Run, Term
    from tinygrad_bp.numbers.kernels import Number
    from viz.style import Palette

    Weight: TypeAlias = tuple[int, ...]  # layer, node, node below; or layer, node for a bias
    Neuron: TypeAlias = tuple[int, int]  # layer, node
    Point: TypeAlias = tuple[float, float]

MAX_TERMS = 12
"""So many terms have a row of their own."""

MAX_WIDTH = 8
"""A wider layer is folded: the nodes that carry most have a circle, the others one box."""

MAX_LAYERS = 8
"""Of more layers than this, those far from the weight and from the error are left out."""

_CIRCLES, _BYSTANDERS = 5, 3  # of a folded layer: where paths lead on, and where none does
_NUMBERS = 24  # between two layers, as many edges have their number beside them
_RADIUS = 26.0
_FOLDED = 96.0, 40.0  # the box for the other nodes
_THINNEST, _WIDEST = 1.2, 14.0  # edges
_LINE, _DIGIT = 13.0, 5.8  # text of size 10: the height of a line, the width of a digit
_CURVES, _FUNNEL = 84.0, 24.0  # where edges run free, and from the numbers to the circles
_BAR = 110  # the longest in the table
_ERROR = 96.0  # the room for "2(o−t) = ..." beside an output
_GAP = '<TD WIDTH="14"></TD>'  # between texts: where Helvetica is missing they run wider

_SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def network(
    run: Run, weight: Weight, *, max_terms: int = MAX_TERMS, theme: str = "auto"
) -> Picture:
    """The network with the sum over paths that is the gradient for one weight or bias.

    Each circle shows a node's output, the first column the input.  The chosen weight is black.
    Every edge that a path of the sum crosses is as wide as the sum of those paths' terms, and has
    it for its number: blue and solid where a larger weight raises ``e`` along it, orange and dashed
    where it lowers it.  The halo behind it is as wide as the sum of the terms' sizes, so that terms
    which cancel are seen.  The table beside it has the terms, the largest first, and their total.

    A layer of more than `MAX_WIDTH` nodes is folded: those that carry most are drawn, the others are
    one box with their number and their share.  A network of more than `MAX_LAYERS` layers is drawn
    without those in the middle; an edge across them stands for all paths between its ends.

    Args:
        run: a forward pass with a target, ``net.forward(x, t)``; it needs no backward pass.
        weight: ``(i, j, k)``, the weight into node j of layer i from node k of the layer below; or
            ``(i, j)``, the bias of that node.
        max_terms: how many terms have a row of their own; the rest share one.
        theme: ``"light"``, ``"dark"``, or ``"auto"``: an SVG follows the reader's system, and other
            formats are light.

    Returns:
        A `graphviz.Digraph` that draws itself with whatever Graphviz there is.

    Raises:
        DrawingError: the numbers have no size (symbols), or there is no such theme.
        IndexError: the network has no such weight.
        NetworkError: the run has no target, or it or the input was made from the weights.

    >>> from tinygrad_bp import Network
    >>> net = Network.random([2, 3, 3, 2], seed=1)
    >>> picture = network(net.forward([0.8, -0.5], [0.3, -0.2]), weight=(1, 2, 1))
    >>> "sum over 6 paths" in picture.source
    True
    """
    if not isinstance(weight, tuple) or len(weight) not in (2, 3):
        raise IndexError(f"weight is (i, j, k), or (i, j) for a bias, not {weight!r:.60}")
    run.network.check_indices(*weight)
    colours = palette(theme)
    for number in (run.e.data, *(run.o(run.network.depth, 1).local_derivatives)):
        _float(number)  # symbols are refused before they are compared
    i, j, *k = weight
    terms = run.largest_terms(
        i, j, k[0] if k else None, max(whole_number("max_terms", max_terms), 0)
    )
    drawing = _Drawing(run, weight, _kept_layers(weight[0], run.network.depth), theme)
    heading = _heading(weight, terms, run.network.depth)
    drawing.sketch.title = heading
    drawing.picture.graph_attr["label"] = _title(heading, colours)
    drawing.draw()
    drawing.add_table(_rows(terms, weight[1], drawing.kept), terms)
    return drawing.picture


# ---- what flows


class _Flow(NamedTuple):
    """What crosses an edge: the sum of the terms, and the sum of their sizes."""

    net: Number
    gross: Number


def _flows(run: Run, weight: Weight, kept: Sequence[int]) -> dict[tuple[Neuron, Neuron], _Flow]:
    """What all paths carry between the layers that are drawn, but for pairs where it is only 0.

    The graph is contracted to the network's outputs, and these to the layers that are drawn, once for
    the sums and once for the sizes; two sweeps over what is left have each edge's share of all paths.
    """
    i, j, *_ = weight
    leaf = run.network.w(*weight) if len(weight) == 3 else run.network.b(*weight)
    sizes = run.network.sizes
    neurons: dict[Value, Neuron] = {
        run.o(m, node): (m, node)
        for m in range(i, len(sizes))
        for node in ([j] if m == i else range(1, sizes[m] + 1))
    }
    contracted = contract(run.e, [*neurons, leaf])
    drawn = {run.e, leaf, *(node for node, (layer, _) in neurons.items() if layer in kept)}
    flows: dict[tuple[Neuron, Neuron], list[Number]] = {}
    for size in (False, True):
        rows = {
            node: _next_drawn(node, contracted, drawn, size) for node in contracted if node in drawn
        }
        above: dict[Value, Number] = {run.e: 1}
        for node, row in rows.items():
            for lower, factor in row.items():
                above[lower] = above.get(lower, 0) + above.get(node, 0) * factor
        below: dict[Value, Number] = {leaf: 1}
        for node, row in reversed(rows.items()):
            if node is not leaf:
                below[node] = sum(factor * below.get(lower, 0) for lower, factor in row.items())
        for node, row in rows.items():
            for lower, factor in row.items():
                if node in neurons and lower in neurons:
                    carried = multiply([above.get(node, 0), factor, below.get(lower, 0)])
                    flows.setdefault((neurons[lower], neurons[node]), []).append(carried)
    found = {edge: _Flow(net, gross) for edge, (net, gross) in flows.items()}
    return {edge: flow for edge, flow in found.items() if flow.gross}


def _next_drawn(
    top: Value,
    rows: Mapping[Value, Mapping[Value, Number]],
    drawn: set[Value],
    size: bool,  # noqa: FBT001 - which of the two sums it is
) -> dict[Value, Number]:
    """From a node to the next that are drawn: the sum over the paths between, or that of the sizes."""
    found: dict[Value, Number] = {}
    level: dict[Value, Number] = {top: 1}
    while level:
        lower_level: dict[Value, Number] = {}
        for node, above in level.items():
            for lower, local in rows[node].items():
                sums = found if lower in drawn else lower_level
                sums[lower] = sums.get(lower, 0) + above * (abs(local) if size else local)
        level = lower_level
    return found


def _kept_layers(i: int, depth: int) -> list[int]:
    """The layers that are drawn: all, or those around the weight and before the error."""
    if depth < MAX_LAYERS:
        return [*range(depth + 1)]
    wanted = {i - 1, i, i + 1, i + 2, depth - 2, depth - 1, depth}
    return sorted(layer for layer in wanted if 0 <= layer <= depth)


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
    return 1.0 if math.isinf(size) else min(size / largest, 1.0) if largest else 0.0


def _rounded(number: Number, digits: int) -> str:
    """The number with so many digits, an exact one too where it would be much longer."""
    text = format_number(number + 0, digits)  # -0.0 + 0 is 0.0
    return text if len(text) <= digits + 6 else format_number(_float(number), digits)


def _signed(number: Number, digits: int) -> str:
    return "+" * bool(number > 0) + _rounded(number, digits)


def _counted(number: int, what: str) -> str:
    """``6 paths``; a number of many digits in powers of ten."""
    if number < 10**9:
        return f"{number} {what}{'s' * (number != 1)}"
    exponent = int(math.log10(number)) if number < 10**300 else len(str(number)) - 1
    return f"{number / 10**exponent:.2g}·10{str(exponent).translate(_SUPERSCRIPT)} {what}s"


# ---- words


def _sub(number: int) -> str:
    return str(number).translate(_SUBSCRIPT)


def _sup(layer: int) -> str:
    return f"⁽{str(layer).translate(_SUPERSCRIPT)}⁾"


def _weight_name(weight: Weight) -> str:
    i, *nodes = weight
    return f"{'w' if len(nodes) == 2 else 'b'}{','.join(map(_sub, nodes))}{_sup(i)}"


def _neuron_name(neuron: Neuron) -> str:
    layer, number = neuron
    return f"o{_sub(number)}{_sup(layer)}" if layer else f"x{_sub(number)}"


def _heading(weight: Weight, terms: LargestTerms, depth: int) -> str:
    total = _signed(terms.total, 5)
    layers = [*range(weight[0] + 1, depth + 1)]
    names = [f"k{_sub(layer)}" for layer in layers]
    if len(names) > 6:
        names[2:-2] = ["…"]
    indices = "→".join(["j", *names])
    paths = f"sum over {_counted(terms.count, 'path')} {indices}" if layers else "one path"
    return f"∂e/∂{_weight_name(weight)} = {total} = {paths}"


def _title(heading: str, colours: Palette) -> str:
    """The title and the key, as an HTML-like label."""
    key = {
        "blue, solid: raises e": colours.blue,
        "orange, dashed: lowers e": colours.orange,
        "width: the sum of the terms crossing the edge; halo: the sum of their sizes": colours.muted,
    }
    cell = '<TD ALIGN="LEFT"><FONT COLOR="{}">{}</FONT></TD>'
    cells = _GAP.join(cell.format(colour, text) for text, colour in key.items())
    title = markup(heading, LINE)
    return (
        '<<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="3">'
        f'<TR><TD ALIGN="LEFT" COLSPAN="5"><FONT POINT-SIZE="16" COLOR="{colours.ink}">'
        f"<B>{title}</B></FONT></TD></TR><TR>{cells}</TR></TABLE>>"
    )


class _Row(NamedTuple):
    """A line of the table of terms."""

    what: str
    value: Number


def _rows(terms: LargestTerms, j: int, kept: Sequence[int]) -> list[_Row]:
    """The largest terms, what the others add up to, and the total."""
    rows = [_Row(_path(term, j, kept), term.value) for term in terms.terms]
    if terms.rest_count:
        rows.append(_Row(f"… and {_counted(terms.rest_count, 'other')}", terms.rest))
    return [*rows, _Row("Σ", terms.total)]


def _path(term: Term, j: int, kept: Sequence[int]) -> str:
    """The nodes of a path from the weight on; for layers that are not drawn, three points."""
    nodes = [j, *reversed(term.indices)]
    first = kept[-1] - len(nodes) + 1
    shown: list[str] = []
    for layer, node in enumerate(nodes, first):
        if layer in kept:
            shown.append(str(node))
        elif shown[-1] != "…":
            shown.append("…")
    return "→".join(shown)


def _line(
    texts: tuple[str, str],
    colours: tuple[str, str],
    widths: Sequence[float],
    *,
    share: float | None = None,
    bold: bool = False,
) -> str:
    """One line of the table, with a bar where there is a share, in Graphviz's HTML."""
    what, value = (f"<B>{markup(text)}</B>" if bold else markup(text) for text in texts)
    ink, colour = colours
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
        f'<TR><TD ALIGN="LEFT" WIDTH="{first}"><FONT COLOR="{ink}">{what}</FONT></TD>'
        f'<TD ALIGN="RIGHT" WIDTH="{second}"><FONT COLOR="{colour}">{value}</FONT></TD>'
        f'{_GAP}<TD ALIGN="LEFT" WIDTH="{_BAR}">{bar}</TD></TR>'
    )


# ---- places


class _Group:
    """One circle of a column, or the box for all the nodes of a layer that have none.

    Attributes:
        layer: its layer.
        members: the numbers of its nodes; none for the -1 that a bias is multiplied with.
        share: how much of the gross sum it carries.
        slots: the edges that lead into it, from the top down.
        x: its middle.
        y: its middle.
        id: Graphviz's name for it.
    """

    def __init__(self, layer: int, members: Sequence[int], share: float = 0.0) -> None:
        self.layer, self.members, self.share = layer, tuple(members), share
        self.slots: list[_Slot] = []
        self.x = self.y = 0.0
        self.id = ""

    @property
    def folded(self) -> bool:
        return len(self.members) > 1

    @property
    def width(self) -> float:
        return _FOLDED[0] if self.folded else 2 * _RADIUS

    @property
    def height(self) -> float:
        """Its own, or that of the stack of numbers before it."""
        stack = sum(slot.height for slot in self.slots)
        return max(stack, _FOLDED[1] if self.folded else 2 * _RADIUS)


class _Slot:
    """An edge's place in the stack before its upper end."""

    def __init__(self, lower: _Group, upper: _Group, flow: _Flow | None, *, chosen: bool) -> None:
        self.lower, self.upper, self.flow, self.chosen = lower, upper, flow, chosen
        self.text = ""
        self.width = self.halo = 1.0
        self.y = 0.0  # of its place in the stack
        self.start = self.end = 0.0  # its heights within the two circles

    @property
    def height(self) -> float:
        return max(_LINE if self.text else 0.0, self.halo + 2.0, 4.0)


class _Drawing:
    """The picture while it is made.

    Args:
        run: the forward pass.
        weight: the weight or bias.
        kept: the layers that are drawn.
        theme: the colours.
    """

    def __init__(self, run: Run, weight: Weight, kept: Sequence[int], theme: str) -> None:
        self.run, self.weight, self.kept = run, weight, kept
        self.colours = palette(theme)
        self.ids = map("n{}".format, count())
        self.flows = _flows(run, weight, kept)
        self.sketch = Sketch("network", "")
        self.picture = Picture(
            engine="neato",
            format="svg",
            graph_attr={
                "layout": "nop2",
                "outputorder": "edgesfirst",
                "bgcolor": self.colours.paper,
                "pad": "0.15",
                "fontname": FONT,
                "fontsize": "11",
                "labelloc": "t",
                "labeljust": "l",
            },
            node_attr={
                "shape": "plain",
                "fontname": FONT,
                "fontsize": "10",
                "fontcolor": self.colours.ink,
            },
            edge_attr={"arrowhead": "none"},
        )
        self.picture.theme, self.picture.sketch = theme, self.sketch
        self.columns = [self.groups(layer) for layer in kept]
        self.add_slots()
        self.place()

    # -- what there is

    def groups(self, layer: int) -> list[_Group]:
        """The circles of a layer, and the box for the others, from the top down."""
        size = self.run.network.sizes[layer]
        i, j, *k = self.weight
        carried = dict.fromkeys(range(1, size + 1), 0.0)
        for (lower, upper), flow in self.flows.items():
            for end in (lower,) if lower[0] == layer else (upper,) if upper[0] == layer else ():
                carried[end[1]] += _size(flow.gross)
        first = {i: j, i - 1: k[0] if k else 0}.get(layer, 0)
        ranked = sorted(carried, key=lambda node: (node != first, -carried[node], node))
        folded = _CIRCLES if layer > i else _BYSTANDERS
        own = folded if size > MAX_WIDTH else size
        groups = [_Group(layer, [node]) for node in sorted(ranked[:own])]
        if size > own:
            total = sum(carried.values())
            rest = sum(carried[node] for node in ranked[own:])
            share = rest / total if total and math.isfinite(total) else 0.0
            groups.append(_Group(layer, sorted(ranked[own:]), share))
        if layer == i - 1 and not k:
            groups.append(_Group(layer, []))
        return groups

    def add_slots(self) -> None:
        """The edges between neighbouring columns, and which of them have their number written."""
        i, j, *k = self.weight
        for lowers, uppers in pairwise(self.columns):
            between = self.summed(lowers, uppers)
            for upper in uppers:
                for lower in lowers:
                    chosen = (lower.layer, upper.layer, upper.members) == (i - 1, i, (j,)) and (
                        lower.members == tuple(k)
                    )
                    if lower.members or chosen:
                        flow = between.get((lower, upper))
                        upper.slots.append(_Slot(lower, upper, flow, chosen=chosen))
            carrying = [slot for upper in uppers for slot in upper.slots if slot.flow]
            carrying.sort(key=lambda slot: _size(slot.flow.gross), reverse=True)  # type: ignore[union-attr]
            for slot in carrying[:_NUMBERS]:
                slot.text = _signed(slot.flow.net, 3)  # type: ignore[union-attr]
        slots = [slot for column in self.columns for group in column for slot in group.slots]
        sizes = [_size(slot.flow.gross) for slot in slots if slot.flow]
        largest = max((size for size in sizes if math.isfinite(size)), default=0.0)
        for slot in slots:
            if slot.chosen:
                slot.text = f"{_weight_name(self.weight)} = {_rounded(self.value, 3)}"
                slot.width = slot.halo = 4.0
            elif slot.flow:
                net, gross = (_share(_size(each), largest) for each in slot.flow)
                slot.width = _THINNEST + (_WIDEST - _THINNEST) * net
                slot.halo = 2.0 + _THINNEST + (_WIDEST - _THINNEST) * gross

    def summed(
        self, lowers: Iterable[_Group], uppers: Iterable[_Group]
    ) -> dict[tuple[_Group, _Group], _Flow]:
        """The flows between groups: the sums of those between their members."""
        ends = {
            (group.layer, node): group for group in (*lowers, *uppers) for node in group.members
        }
        found: dict[tuple[_Group, _Group], _Flow] = {}
        for (lower, upper), flow in self.flows.items():
            if lower in ends and upper in ends:
                pair = ends[lower], ends[upper]
                net, gross = found.get(pair, _Flow(0, 0))
                found[pair] = _Flow(net + flow.net, gross + flow.gross)
        return found

    @property
    def value(self) -> Number:
        """The weight that was recorded, which the network's own may have left meanwhile."""
        i, j, *k = self.weight
        weights, biases = self.run.recorded()
        return weights[i - 1][j - 1][k[0] - 1] if k else biases[i - 1][j - 1]

    # -- where it is

    def place(self) -> None:
        """Middles for the groups, column by column, and heights for the slots within the stacks."""
        x = 0.0
        heights = [
            sum(group.height for group in column) + 18.0 * (len(column) - 1)
            for column in self.columns
        ]
        self.top = max(heights) / 2
        for column, height in zip(self.columns, heights, strict=True):
            widest = max(group.width for group in column) / 2
            x += widest
            y = height / 2
            for group in column:
                group.x, group.y = x, y - group.height / 2
                y -= group.height + 18.0
                self.stack(group)
            x += widest + self.room_after(column)
        for column in self.columns:
            for group in column:
                self.spread(group)
        self.right = self.columns[-1][0].x + max(each.width for each in self.columns[-1]) / 2

    def stack(self, group: _Group) -> None:
        y = group.y + sum(slot.height for slot in group.slots) / 2
        half = (y - group.y) or 1.0
        reach = 0.3 * (_FOLDED[1] if group.folded else 2 * _RADIUS)
        for slot in group.slots:
            slot.y = y - slot.height / 2
            y -= slot.height
            slot.end = group.y + (slot.y - group.y) * min(1.0, reach / half)

    def spread(self, group: _Group) -> None:
        """Heights at which edges leave a group, in the order of their upper ends."""
        leaving = [
            slot for column in self.columns for upper in column for slot in upper.slots
            if slot.lower is group
        ]  # fmt: skip
        reach = 0.3 * (_FOLDED[1] if group.folded else 2 * _RADIUS)
        for place, slot in enumerate(leaving):
            share = 1.0 - 2.0 * (place + 0.5) / len(leaving)
            slot.start = group.y + reach * share

    def room_after(self, column: Sequence[_Group]) -> float:
        """For the edges to run, the numbers and the way from them to the next column."""
        place = self.columns.index(list(column)) + 1
        if place == len(self.columns):
            return 0.0
        return _CURVES + 0.25 * self.top + self.numbers_width(place) + _FUNNEL

    def numbers_width(self, place: int) -> float:
        """How wide the widest number before a column is; 0 where there is none."""
        texts = [slot.text for group in self.columns[place] for slot in group.slots if slot.text]
        return max(map(_text_width, texts), default=0.0)

    # -- drawing it

    def add(
        self, place: Point, label: str, size: Point | None = None, name: str = "", **look: str
    ) -> str:
        """A pinned node, of just this size if one is given, else of the size of its label."""
        if size:
            width, height = (f"{length / 72:.4f}" for length in size)
            look |= {"width": width, "height": height, "fixedsize": "true"}
        name = name or next(self.ids)
        self.picture.node(name, label, pos=f"{place[0]:.2f},{place[1]:.2f}", **look)
        return name

    def draw(self) -> None:
        """Everything but the table."""
        for group in (group for column in self.columns for group in column):
            group.id = next(self.ids)
        slots = [slot for column in self.columns for group in column for slot in group.slots]
        faint = [slot for slot in slots if not slot.flow and not slot.chosen]
        carrying = sorted((slot for slot in slots if slot.flow), key=lambda slot: slot.width)
        for slot in faint:
            self.draw_line(slot, color=self.colours.faint)
        for slot in reversed(carrying):
            look = {"color": self.colours.halo(slot.flow.net), "penwidth": f"{slot.halo:.2f}"}  # type: ignore[union-attr]
            self.draw_line(slot, **look)
        for slot in reversed(carrying):
            net = slot.flow.net  # type: ignore[union-attr]
            look = {"color": self.colours.of(net), "style": stroke(net)}
            self.draw_line(slot, **look, penwidth=f"{slot.width:.2f}")
        for slot in slots:
            if slot.chosen:
                self.draw_line(slot, color=self.colours.ink, penwidth=f"{slot.width:.2f}")
        concerned = {
            end for slot in slots if slot.flow or slot.chosen for end in (slot.lower, slot.upper)
        }
        for group in (group for column in self.columns for group in column):
            self.draw_group(group, lit=group in concerned)
        for slot in slots:
            self.draw_number(slot)
            self.sketch.edges.append(self.sketched(slot))
        self.draw_headings()
        self.draw_errors()

    def stack_at(self, slot: _Slot) -> Point:
        """Where the numbers before a slot's upper end begin and end, from left to right."""
        place = next(p for p, column in enumerate(self.columns) if slot.upper in column)
        right = slot.upper.x - max(group.width for group in self.columns[place]) / 2 - _FUNNEL
        return right - self.numbers_width(place), right

    def draw_line(self, slot: _Slot, **look: str) -> None:
        """From circle to circle, with a gap for the number; the circles will hide the ends."""
        left, right = self.stack_at(slot)
        start, end = (slot.lower.x, slot.start), (slot.upper.x, slot.end)
        ways = [[*_curve(start, (left, slot.y)), *_curve((left, slot.y), (right, slot.y))[1:]]]
        rest = _curve((right, slot.y), (end[0] - slot.upper.width / 2, end[1]))
        rest += _curve(rest[-1], end)[1:]
        if slot.text:
            middle = left + _text_width(slot.text) + 2.0
            ways = [
                _curve(start, (left - 4.0, slot.y)),
                [*_curve((middle, slot.y), (right, slot.y))],
            ]
        ways[-1] += rest[1:]
        for way in ways:
            pos = " ".join(f"{x:.2f},{y:.2f}" for x, y in way)
            self.picture.edge(slot.lower.id, slot.upper.id, pos=pos, **look)

    def draw_number(self, slot: _Slot) -> None:
        if slot.text:
            left, _ = self.stack_at(slot)
            width = _text_width(slot.text)
            colour = self.colours.of(slot.flow.net) if slot.flow else self.colours.ink
            place = left + width / 2 - 1.0, slot.y
            self.add(
                place, plain(slot.text), (width - 4.0, _LINE), fontcolor=colour, shape="plaintext"
            )

    def draw_group(self, group: _Group, *, lit: bool) -> None:
        texts, facts = self.said(group)
        look = {
            "shape": "box" if group.folded else "circle",
            "style": "filled,rounded,dashed" if group.folded else "filled",
            "fillcolor": self.colours.paper,
            "color": self.colours.ink if lit else self.colours.grey,
            "penwidth": "1.5" if lit else "1",
        }
        size = _FOLDED if group.folded else (2 * _RADIUS, 2 * _RADIUS)
        self.add((group.x, group.y), plain(*texts), size, group.id, **look)
        layer = f"layer {group.layer}" if group.layer else "input"
        self.sketch.nodes.append(Node(group.id, texts, facts, layer, lit))

    def said(self, group: _Group) -> tuple[tuple[str, ...], dict[str, object]]:
        """What a group says, as texts and as data."""
        facts: dict[str, object] = {"layer": group.layer}
        if not group.members:
            return ("−1",), facts | {"name": "-1", "data": -1}
        if group.folded:
            total = self.layer_total(group.layer)
            share = f"{group.share:.0%} of the gross" if total else "on no path"
            facts |= {"folded": list(group.members), "share_of_gross": group.share}
            return (f"+ {len(group.members)} nodes", share), facts
        neuron = group.layer, group.members[0]
        data = self.run.o(*neuron).data
        facts |= {"number": neuron[1], "name": _neuron_name(neuron), "data": plain_number(data)}
        return (_neuron_name(neuron), _rounded(data, 3)), facts

    def layer_total(self, layer: int) -> bool:
        """Whether anything crosses a layer beside the weight's own node."""
        return any(layer in (lower[0], upper[0]) for lower, upper in self.flows) and (
            layer > self.weight[0]
        )

    def sketched(self, slot: _Slot) -> Edge:
        facts: dict[str, object] = {}
        if slot.chosen:
            facts = {"chosen": _weight_name(self.weight), "data": plain_number(self.value)}
        elif slot.flow:
            facts = {"net": plain_number(slot.flow.net), "gross": plain_number(slot.flow.gross)}
        return Edge(
            slot.lower.id,
            slot.upper.id,
            slot.text,
            facts,
            net=slot.flow.net if slot.flow else 1 if slot.chosen else None,
            width=slot.width,
            halo=slot.halo if slot.flow else 0.0,
            dim=not slot.flow and not slot.chosen,
        )

    def draw_headings(self) -> None:
        """Over each column its layer, and between two what was left out."""
        sizes = self.run.network.sizes
        y = self.top + 14.0
        for layer, column in zip(self.kept, self.columns, strict=True):
            name = f"layer {layer}" if layer else "input"
            folded = f": {sizes[layer]} nodes" if any(group.folded for group in column) else ""
            self.muted((column[0].x, y), name + folded)
        for (low, lows), (high, highs) in pairwise(zip(self.kept, self.columns, strict=True)):
            if high - low > 1:
                self.muted(
                    ((lows[0].x + highs[0].x) / 2, y), f"… {_counted(high - low - 1, 'layer')} …"
                )
        if self.kept[0]:
            lower = f" and {_counted(self.kept[0] - 1, 'layer')}" if self.kept[0] > 1 else ""
            place = self.columns[0][0].x + 30.0, -self.top - 14.0
            self.muted(place, f"not drawn: the input{lower}")

    def muted(self, place: Point, text: str) -> None:
        size = _text_width(text), _LINE
        self.add(place, plain(text), size, fontcolor=self.colours.muted, shape="plaintext")

    def draw_errors(self) -> None:
        """``2 (o - t)`` beside each output: the first factor of each of its terms."""
        for group in self.columns[-1]:
            if not group.folded:
                o, t = self.run.o(group.layer, group.members[0]), self.run.t(group.members[0])
                self.add(
                    (self.right + 6.0 + _ERROR / 2, group.y),
                    plain(f"2(o−t) = {_signed(2 * (data_of(o) - data_of(t)), 3)}", left=True),
                    (_ERROR, _LINE),
                    shape="plaintext",
                    margin="0",
                )

    def add_table(self, rows: Sequence[_Row], terms: LargestTerms) -> None:
        """The terms beside the network, each with a bar."""
        texts = [("path", "term"), *((row.what, _signed(row.value, 5)) for row in rows)]
        columns = zip(*texts, strict=True)
        widths = [1.1 * _DIGIT * max(map(len, column)) + 8.0 for column in columns]
        sizes = [_size(row.value) for row in rows[:-1]]
        largest = max((size for size in sizes if math.isfinite(size)), default=0.0)
        ink = self.colours.ink
        header, *others, total = texts
        lines = [_line(header, (ink, ink), widths, bold=True)]
        for text, row in zip(others, rows, strict=False):
            share = _share(_size(row.value), largest)
            lines.append(_line(text, (ink, self.colours.of(row.value)), widths, share=share))
        lines += ["<HR/>", _line(total, (ink, ink), widths, bold=True)]
        table = f'<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="3" COLOR="{ink}">'
        middle = self.right + 18.0 + _ERROR + (sum(widths) + _BAR + 38.0) / 2
        self.add((middle, 0.0), f"<{table}{''.join(lines)}</TABLE>>", fontsize="11")
        self.sketch.facts = {
            "of": "e",
            "for": _weight_name(self.weight),
            "place": list(self.weight),
            "gradient": plain_number(terms.total),
            "path_count": terms.count,
            "terms": [
                {"indices": list(term.indices), "value": plain_number(term.value)}
                for term in terms.terms
            ],
            "rest": {"count": terms.rest_count, "value": plain_number(terms.rest)},
            "sizes": list(self.run.network.sizes),
            "layers_drawn": list(self.kept),
        }


def _curve(start: Point, end: Point) -> list[Point]:
    """A curve that leaves and arrives level, so that it never leaves the heights of its ends."""
    middle = (start[0] + end[0]) / 2
    return [start, (middle, start[1]), (middle, end[1]), end]


def _text_width(text: str) -> float:
    small = sum(not letter.isascii() for letter in text)  # sub- and superscripts
    return _DIGIT * (len(text) - 0.4 * small) + 8.0
