"""Cards and lines: how the nodes and edges of a scalar graph look, and DOT made of them.

`viz.draw` and `viz.frames` say what stands on each card and which lines are lit; this module puts that
into Graphviz's words, once for Graphviz to find the places and, where more is to be drawn than it can
place, a second time at the places found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tinygrad_bp.numbers.text import format_number
from viz.labels import markup
from viz.layout import PLACE
from viz.picture import Picture
from viz.style import FONT, palette

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tinygrad_bp.numbers.kernels import Number
    from viz.layout import Places
    from viz.sketch import Edge, Node, Sketch

ROOM_FOR_NUMBERS = 120
"""Up to so many nodes Graphviz is asked to keep room for the numbers on edges.

That reads best and takes ten times longer: 0.8 s for the densest graph of 120 nodes, and a minute
for one of 300.  In larger graphs the numbers are put beside the edges afterwards.
"""


class Card(NamedTuple):
    """A node: what it says, and Graphviz's attributes for its looks."""

    node: Node
    label: str
    look: Mapping[str, str]


class Line(NamedTuple):
    """An edge: what it says, its looks, and the colour of its halo where it has one."""

    edge: Edge
    label: str
    look: Mapping[str, str]
    halo: str = ""


def compose(
    sketch: Sketch,
    cards: Sequence[Card],
    lines: Sequence[Line],
    *,
    theme: str,
    at: Places | None = None,
    placed: bool = False,
) -> Picture:
    """The picture, laid out by Graphviz, or with everything pinned where it was before.

    Args:
        sketch: what the picture says.
        cards: operands before results.
        lines: their edges, in the order in which the places were found.
        theme: ``"auto"``, ``"light"`` or ``"dark"``.
        at: where everything is; Graphviz decides if it is left out.
        placed: whether the picture's places will be asked for.
    """
    colours = palette(theme)
    roomy = len(cards) <= ROOM_FOR_NUMBERS
    picture = Picture(
        engine="neato" if at else "dot",
        format="svg",
        graph_attr={
            "rankdir": "LR",
            "bgcolor": colours.paper,
            "nodesep": "0.3",
            "ranksep": "0.5" if roomy else "1.2",
            **({"layout": "nop2", "outputorder": "edgesfirst"} if at else {}),
        },
        node_attr={
            "shape": "box",
            "style": "rounded,filled",
            "fontname": FONT,
            "fontsize": "12",
            "fontcolor": colours.ink,
            "margin": "0.12,0.06",
        },
        edge_attr={
            "fontname": FONT,
            "fontsize": "11",
            "color": colours.grey,
            "fontcolor": colours.blue,
            "arrowsize": "0.6",
        },
    )
    picture.sketch, picture.theme = sketch, theme
    for card in cards:
        pinned = at.nodes[card.node.id] | {"fixedsize": "true"} if at else {}
        picture.node(card.node.id, card.label, **card.look, **pinned)
    again = not at and any(line.halo for line in lines)
    places: Sequence[Mapping[str, str]]
    if at:
        places = at.edges
    else:
        places = [{PLACE: str(number)} if again or placed else {} for number in range(len(lines))]
    if at:
        for line, place in zip(lines, places, strict=True):
            if line.halo:
                behind = {"color": line.halo, "penwidth": f"{line.edge.halo:.2f}"}
                behind |= {"arrowhead": "none", "pos": _without_arrow(place["pos"])}
                picture.edge(line.edge.tail, line.edge.head, **behind)
    for line, place in zip(lines, places, strict=True):
        label = {"label" if roomy else "xlabel": line.label} if line.label else {}
        picture.edge(line.edge.tail, line.edge.head, **label, **line.look, **place)
    if again:
        picture.second = lambda found: compose(sketch, cards, lines, theme=theme, at=found)
    return picture


def _without_arrow(pos: str) -> str:
    """The line alone, led on to the arrow's tip."""
    *_, line = pos.partition(" ") if pos.startswith("e,") else ("", pos)
    return line


def card_label(rows: Iterable[tuple[str, str]], muted: str, extra: str = "") -> str:
    """What a card says, as an HTML-like label: the first row is its name, and is bold.

    Args:
        rows: pairs of texts, flush left and flush right.
        muted: the colour for the left texts but the first.
        extra: a row of Graphviz's own HTML, below the others.
    """
    (name, operation), *others = rows
    lines = [_row(f"<B>{markup(name)}</B>", operation)]
    for key, number in others:
        left = f'<FONT POINT-SIZE="10" COLOR="{muted}">{markup(key)}</FONT>'
        lines.append(_row(left, number))
    return f'<<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="1">{"".join(lines)}{extra}</TABLE>>'


def _row(left: str, right: str) -> str:
    gap = '<TD WIDTH="6"></TD>'
    return f'<TR><TD ALIGN="LEFT">{left}</TD>{gap}<TD ALIGN="RIGHT">{markup(right)}</TD></TR>'


def line_label(rows: Iterable[tuple[str, str]], below: float = 0.0) -> str:
    """The numbers on an edge, each with its colour or none, with room so that no line touches them.

    Args:
        rows: pairs of a number and a colour.
        below: more room below: Graphviz leads a line up to ten points into its own label's.
    """
    cells = "".join(
        f'<TR><TD><FONT COLOR="{colour}">{markup(text)}</FONT></TD></TR>'
        if colour
        else f"<TR><TD>{markup(text)}</TD></TR>"
        for text, colour in rows
    )
    if below:
        cells += f'<TR><TD HEIGHT="{below:.0f}"></TD></TR>'
    return f'<<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="2">{cells}</TABLE>>'


def signed(number: Number, digits: int = 6) -> str:
    """A number with its sign, as sums have it."""
    text = format_number(number, digits)
    return text if text.startswith("-") else f"+{text}"
