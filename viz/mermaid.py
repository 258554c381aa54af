"""A `Sketch` as a Mermaid flowchart, which GitHub and many wikis draw from its text.

This module writes text from a sketch; Mermaid lays it out.  Labels are data: whatever could mean
something to Mermaid or to HTML is written as its ``#number;`` code.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from viz.labels import LINE, shown
from viz.style import LIGHT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from viz.sketch import Edge, Node, Sketch

# A point or a sign within a number stands for itself; before a space it would begin a list.
_PLAIN = re.compile(r"[^\W_]|[ ,=]|[.+-](?=[0-9])")


def escaped(text: str) -> str:
    """The text as `shown`, for the inside of a quoted label.

    >>> escaped('<b> "0.5"; end')
    '#60;b#62; #34;0.5#34;#59; end'
    """
    text = shown(text)
    return "".join(
        text[place] if _PLAIN.match(text, place) else f"#{ord(text[place])};"
        for place in range(len(text))
    )


def mermaid(sketch: Sketch) -> str:
    """The flowchart.

    >>> from viz.sketch import Edge, Node, Sketch
    >>> nodes = [Node("n0", ("w", "0.5"), {}), Node("n1", ("e", "1"), {})]
    >>> print(mermaid(Sketch("graph", "e", nodes, [Edge("n0", "n1", "2", {})])), end="")
    ---
    title: "e"
    ---
    flowchart LR
      n0("w<br/>0.5")
      n1("e<br/>1")
      n0 -->|"2"| n1
    """
    title = json.dumps(shown(sketch.title, LINE), ensure_ascii=False)
    lines = ["---", f"title: {title}", "---", "flowchart LR"]
    groups = list(dict.fromkeys(node.group for node in sketch.nodes))
    for place, group in enumerate(groups):
        members = [_node(node, sketch.kind) for node in sketch.nodes if node.group == group]
        if group:
            members = [f'subgraph g{place}["{escaped(group)}"]', *members, "end"]
        lines += [f"  {each}" for each in members]
    arrow = "-->" if sketch.kind == "graph" else "---"
    for edge in sketch.edges:
        text = f'|"{escaped(edge.text)}"|' if edge.text else ""
        lines.append(f"  {edge.tail} {arrow}{text} {edge.head}")
    lines += [f"  {each}" for each in _looks(sketch)]
    return "\n".join(lines) + "\n"


def _node(node: Node, kind: str) -> str:
    text = "<br/>".join(map(escaped, node.texts))
    return f'{node.id}(("{text}"))' if kind == "network" else f'{node.id}("{text}")'


def _looks(sketch: Sketch) -> Iterable[str]:
    """The lines that say how nodes and edges look, equal ones together."""
    looks: dict[str, list[int]] = {}
    for place, edge in enumerate(sketch.edges):
        looks.setdefault(_look(edge), []).append(place)
    for look, places in looks.items():
        if look:
            yield f"linkStyle {','.join(map(str, places))} {look}"
    lit = [node.id for node in sketch.nodes if node.lit]
    if lit:
        yield "classDef lit stroke-width:3px"
        yield f"class {','.join(lit)} lit"


def _look(edge: Edge) -> str:
    if edge.dim:
        return f"stroke:{LIGHT.grey},stroke-width:1px,opacity:0.5"
    if edge.net is None:
        return ""
    colour = LIGHT.ink if edge.facts.get("chosen") else LIGHT.of(edge.net)
    dash = ",stroke-dasharray:6 4" if edge.net < 0 and not edge.facts.get("chosen") else ""
    return f"stroke:{colour},stroke-width:{max(edge.width, 1.0):.1f}px{dash}"
