"""`frames`: the backward pass as a film, one picture for each step of the record.

The graph is laid out once, with the longest numbers that each card will ever show, and everything
stays where it is; sums grow on the cards, and the edge that is gone down is lit.  The steps are those
of `tinygrad_bp.steps`; nothing is computed here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

from tinygrad_bp import ArgumentError, DrawingError, Value
from tinygrad_bp.explain.steps import steps
from tinygrad_bp.numbers.families import whole_number
from tinygrad_bp.numbers.text import format_number, plain_number
from viz.cards import Card, Line, card_label, compose, line_label
from viz.gif import gif
from viz.labels import LINE, operation, plain, shown
from viz.layout import places
from viz.picture import dressed, page
from viz.sketch import Edge, Node, Sketch
from viz.style import palette, sign, stroke

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from tinygrad_bp.explain.steps import Step, Steps
    from tinygrad_bp.numbers.kernels import Number
    from viz.layout import Places
    from viz.picture import Picture

MAX_STEPS = 150
"""A longer pass is no film to be watched."""

DURATIONS = {"forward": 900, "seed": 1200, "backward": 1600, "update": 1200}
"""How long a step is shown, in milliseconds."""

_LAST = 3000  # the last one is looked at a little longer
_BAR = 96  # points: the bar of a sum whose terms are all there
_WAITING = "–"
_SUFFIXES = (".gif", ".svg", ".html")


class Frames(Sequence["Picture"]):
    """The pictures of a pass, in order; `viz.save` makes them move.

    Attributes:
        steps: the record that they show.
        texts: what each says.
        durations: how long each is shown, in milliseconds.
    """

    def __init__(self, record: Steps, theme: str) -> None:
        self.steps, self.theme = record, theme
        self.texts = [step.text() for step in record]
        self.durations = [DURATIONS[step.kind] for step in record]
        self.durations[-1] = _LAST
        self._film = _Film(record, theme)

    def __len__(self) -> int:
        return len(self.steps)

    @overload
    def __getitem__(self, index: int) -> Picture: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Picture]: ...
    def __getitem__(self, index: int | slice) -> Picture | Sequence[Picture]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        return self._film.picture(self.steps[index])

    def content(self, suffix: str) -> str | bytes:
        """The moving pictures as a file of this suffix holds them.

        Raises:
            DrawingError: nothing moves in such a file, or it cannot be drawn.
        """
        if suffix == ".gif":
            pictures = list(self)
            for picture in pictures:
                picture.dpi = 96
            return gif([picture.pipe("png") for picture in pictures], self.durations)
        if suffix in (".svg", ".html"):
            moving = self._moving()
            return moving if suffix == ".svg" else page(self._title, moving)
        raise DrawingError(
            f"frames move in {' '.join(_SUFFIXES)}, not in {suffix}: save one of them, frames[k]"
        )

    def _repr_svg_(self) -> str:
        return self._moving()

    @property
    def _title(self) -> str:
        return f"The backward pass of {self.steps.names[self.steps.e]}, step by step"

    def _moving(self) -> str:
        """One SVG with all pictures on top of each other, of which a style sheet shows one at a time.

        Where motion is not wanted, or not understood, the last one is seen.
        """
        pictures = list(self)
        for picture in pictures:  # they are dressed once, together
            picture.sketch, picture.theme = None, "light"
        drawn = [picture.pipe("svg", encoding="utf-8") for picture in pictures]
        total = sum(self.durations)
        start, frames = 0, []
        shares: dict[int, str] = {}
        for number, (svg, duration) in enumerate(zip(drawn, self.durations, strict=True)):
            inner = svg[svg.index("<g ") : svg.rindex("</svg>")]
            inner = re.sub(r' id="[^"]*"', "", inner)
            name = shares.setdefault(duration, f"d{len(shares)}")
            last = " last" if number == len(drawn) - 1 else ""
            frames.append(
                f'<g class="frame {name}{last}" style="animation-delay:{start - total}ms">'
                f"{inner}</g>"
            )
            start += duration
        keyframes = "".join(
            f"@keyframes {name}{{0%{{visibility:visible}}{100 * duration / total:.4f}%,100%"
            f"{{visibility:hidden}}}}.{name}{{animation:{name} {total}ms step-end infinite}}"
            for duration, name in shares.items()
        )
        style = (
            f"<style>.frame{{visibility:hidden}}.last{{visibility:visible}}{keyframes}"
            "@media (prefers-reduced-motion: reduce){.frame{animation:none}}</style>"
        )
        head = drawn[-1][drawn[-1].index("<svg ") : drawn[-1].index("<g ")]
        svg = f"{head}{style}{''.join(frames)}</svg>\n"
        return dressed(svg, self._title, self.theme)


def frames(
    e: Value, *, eta: Number | None = None, max_steps: int = MAX_STEPS, theme: str = "auto"
) -> Frames:
    """The steps of the pass as pictures: forward, the seed, and each edge on the way back.

    Every picture is laid out alike.  A card shows its data once it is computed, and its gradient as
    far as it has been summed, with a bar that has one segment for each contribution; the edge that
    is gone down is lit, and the step is written out above, with its numbers.

    Args:
        e: the result; no ``grad`` is touched.
        eta: the learning rate, to see the leaves' update at the end.
        max_steps: refuse a longer pass.
        theme: ``"light"``, ``"dark"``, or ``"auto"``: an SVG follows the reader's system, and other
            formats are light.

    Returns:
        A sequence of `Picture`: ``viz.save(frames(e), "pass.gif")``, or ``.svg`` or ``.html``, makes
        them move, and ``viz.save(frames(e)[3], "step.png")`` writes one.

    Raises:
        DrawingError: there are too many steps, or there is no such theme.
        ArgumentError: ``e`` is not a Value.

    >>> w, x = Value(0.5, "w"), Value(2.0, "x")
    >>> film = frames((w * x) ** 2)
    >>> len(film), film.texts[-1]
    (6, 'x.grad: 0 + (2.0 × 0.5) = 1.0')
    """
    if not isinstance(e, Value):
        way_out = ": give its error, run.e" * (type(e).__name__ == "Run")
        raise ArgumentError(f"frames takes a Value, not {type(e).__name__} {e!r:.60}{way_out}")
    palette(theme)
    record = steps(e, eta)
    if len(record) > whole_number("max_steps", max_steps):
        raise DrawingError(
            f"the pass has {len(record)} steps, more than max_steps={max_steps}: take an inner node, "
            "raise max_steps, or read them in the terminal, tinygrad-bp step"
        )
    return Frames(record, theme)


class _Film:
    """Makes the pictures of a record, with everything in the places found for the first."""

    def __init__(self, record: Steps, theme: str) -> None:
        self.record, self.theme, self.colours = record, theme, palette(theme)
        self.ids = {node: f"n{place}" for place, node in enumerate(record.nodes)}
        self.computed = {step.node: step.index for step in record if step.kind == "forward"}
        self.updated = {step.node: step for step in record if step.kind == "update"}
        self.into = {node: record.into(node) for node in record.nodes}
        self.edge_steps = {
            (step.node, step.slot): step.index for step in record if step.kind == "backward"
        }
        self.texts = [shown(step.text(), LINE) for step in record]
        self._at: Places | None = None

    @property
    def at(self) -> Places:
        """Where everything is, once the widest texts have been laid out."""
        if self._at is None:
            widest = compose(
                Sketch("graph", ""),
                [self.card(node, None) for node in self.record.nodes],
                self.lines(None),
                theme=self.theme,
                placed=True,
            )
            self._at = places(widest.source)
        return self._at

    def picture(self, step: Step) -> Picture:
        """The picture of one step."""
        cards = [self.card(node, step) for node in self.record.nodes]
        lines = self.lines(step)
        text = self.texts[step.index]
        sketch = Sketch("graph", text, [card.node for card in cards], [line.edge for line in lines])
        sketch.facts = {"step": step.to_dict()}
        at = self.at
        picture = compose(sketch, cards, lines, theme=self.theme, at=at)
        self.add_caption(picture, text, step.index, at)
        return picture

    def add_caption(self, picture: Picture, text: str, index: int, at: Places) -> None:
        """The step in words above the graph; the corners keep every picture the same size."""
        left, bottom, right, top = at.box
        counter = f"{index + 1} / {len(self.texts)}"
        width = max(right - left, 8.2 * max(map(len, self.texts)) + 60.0)
        look = {"shape": "plaintext", "style": "", "fixedsize": "true", "margin": "0"}
        for words, offset, size, colour in (
            (text, 44.0, "14", self.colours.ink),
            (counter, 22.0, "11", self.colours.muted),
        ):
            picture.node(
                f"caption{size}",
                plain(words, left=True, limit=LINE),
                pos=f"{left + width / 2:.2f},{top + offset:.2f}",
                width=f"{width / 72:.4f}",
                height="0.3",
                fontsize=size,
                fontcolor=colour,
                **look,
            )
        for name, x, y in (("corner1", left, bottom), ("corner2", left + width, top + 60.0)):
            look = {"shape": "point", "style": "invis", "width": "0.01", "height": "0.01"}
            picture.node(name, "", pos=f"{x:.2f},{y:.2f}", **look)

    def card(self, node: Value, step: Step | None) -> Card:
        """A node after a step; with the widest it will ever show where there is none."""
        into = self.into[node]
        if step is None:
            data, grown = self.data(node, None), into
            sums = [format_number(each.grad_after) for each in into]
            gradient = max([_WAITING, *sums], key=len)
        else:
            known = node not in self.computed or self.computed[node] <= step.index
            data = self.data(node, step) if known else _WAITING
            grown = tuple(each for each in into if each.index <= step.index)
            reached = step.index >= self.record.seed
            gradient = format_number(self.record.at(step.index)[node]) if reached else _WAITING
        name = self.record.names[node]
        rows = [(name, operation(node)), ("data", data), ("grad", gradient)]
        bar = self.bar(into, grown) if into else ""
        label = card_label(rows, self.colours.muted, bar)
        facts: dict[str, Any] = {"name": name, "op": node.op, "data": data, "grad": gradient}
        lit = step is not None and step.target is node
        look = {
            "fillcolor": self.colours.card if node.op else self.colours.paper,
            "color": self.colours.ink if lit else self.colours.grey,
            "penwidth": "2.5" if lit else "1",
        }
        texts = (f"{name}  {operation(node)}".strip(), f"data {data}", f"grad {gradient}")
        return Card(Node(self.ids[node], texts, facts, lit=lit), label, look)

    def data(self, node: Value, step: Step | None) -> str:
        """The node's number as the record has it: before its update, or after."""
        update = self.updated.get(node)
        if update is None:
            return format_number(node.data)
        before, after = format_number(update.operands[0]), format_number(update.data)
        if step is None:
            return max(before, after, key=len)
        return after if step.index >= update.index else before

    def bar(self, into: Sequence[Step], grown: Sequence[Step]) -> str:
        """The sum as far as it has grown, one segment for each contribution, with its sign."""
        try:
            sizes = [abs(float(each.contribution)) for each in into]  # type: ignore[arg-type]
        except (TypeError, OverflowError):  # symbols, or exact numbers beyond all floats
            sizes = [1.0] * len(into)
        total = sum(sizes)
        if not 0.0 < total < float("inf"):
            sizes, total = [1.0] * len(into), float(len(into))
        cell = '<TD FIXEDSIZE="TRUE" HEIGHT="9" WIDTH="{}"{}>{}</TD>'
        cells, used = "", 0
        for each, size in zip(grown, sizes, strict=False):
            width = max(2, round(_BAR * size / total))
            colour = self.colours.of(each.contribution)
            plus = ("", "+", "−")[sign(each.contribution)]
            text = f'<FONT POINT-SIZE="8" COLOR="{self.colours.paper}">{plus}</FONT>'
            cells += cell.format(width, f' BGCOLOR="{colour}"', text if width >= 8 and plus else "")
            used += width + 1
        if used < _BAR:
            cells += cell.format(_BAR - used, "", "")
        table = '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="1" CELLPADDING="0">'
        return f'<TR><TD COLSPAN="3" ALIGN="LEFT">{table}<TR>{cells}</TR></TABLE></TD></TR>'

    def lines(self, step: Step | None) -> list[Line]:
        """Every edge after a step; with its number where there is none."""
        return [
            self.line(node, slot, parent, local, step)
            for node in self.record.nodes
            for slot, (parent, local) in enumerate(
                zip(node.parents, node.local_derivatives, strict=True)
            )
        ]

    def line(self, node: Value, slot: int, parent: Value, local: Number, step: Step | None) -> Line:
        number = format_number(local)
        facts: Mapping[str, Any] = {"slot": slot, "local_derivative": plain_number(local)}
        known = step is None or self.computed[node] <= step.index
        label = line_label([(number, "")]) if known else ""
        edge = Edge(self.ids[parent], self.ids[node], number if known else "", dict(facts))
        if step is None:
            return Line(edge, label, {})
        if step.kind == "backward" and (step.node, step.slot) == (node, slot):
            change = step.contribution
            edge = Edge(edge.tail, edge.head, edge.text, edge.facts, net=change, width=4.0)
            look = {"color": self.colours.of(change), "style": stroke(change), "penwidth": "4"}
            return Line(edge, label, look | {"fontcolor": self.colours.ink})
        if step.kind == "forward" and step.node is node:
            return Line(edge, label, {"color": self.colours.ink, "penwidth": "2"})
        done = self.edge_steps.get((node, slot), len(self.texts)) < step.index
        return Line(edge, label, {"color": self.colours.ink if done else self.colours.grey})
