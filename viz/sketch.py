"""What a picture says, without where it stands: its nodes, its edges, their texts and numbers.

`viz.draw` and `viz.network` fill in a `Sketch` beside the picture that Graphviz lays out; the formats
that lay themselves out or are only data (Mermaid, JSON) are read from it.  This module knows numbers
and text, and neither Values nor colours.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from tinygrad_bp.numbers.kernels import Number

VERSION = 1


@dataclass(frozen=True)
class Node:
    """A node.

    Attributes:
        id: unlike all others, ``n<int>``.
        texts: what is written in it, line by line.
        facts: the same as data.
        group: what it belongs to, a layer for example; the empty text is no group.
        lit: whether it matters here: ``None`` where nothing is lit.
    """

    id: str
    texts: tuple[str, ...]
    facts: dict[str, Any]
    group: str = ""
    lit: bool | None = None


@dataclass(frozen=True)
class Edge:
    """An edge, from an operand to what was made of it.

    Attributes:
        tail: the id of the operand.
        head: the id of the result.
        text: the number beside it, if any.
        facts: its numbers as data.
        net: the number that it carries, whose sign is shown; ``None`` where nothing is lit.
        width: how wide its line is.
        halo: how wide the line behind it is; 0 is none.
        dim: whether it is drawn faintly, so that others are seen.
    """

    tail: str
    head: str
    text: str
    facts: dict[str, Any]
    net: Number | None = None
    width: float = 1.0
    halo: float = 0.0
    dim: bool = False


@dataclass
class Sketch:
    """What a picture says.

    Attributes:
        kind: ``"graph"`` or ``"network"``.
        title: in one line.
        nodes: operands before results.
        edges: one for each use.
        facts: what else there is to know, as data.

    >>> Sketch("graph", "e").to_dict()["nodes"]
    []
    """

    kind: str
    title: str
    nodes: list[Node] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Everything as data that JSON can hold."""
        return {
            "format": f"tinygrad-bp {self.kind}",
            "version": VERSION,
            "title": self.title,
            **self.facts,
            "nodes": [{"id": each.id, **each.facts} for each in self.nodes],
            "edges": [{"from": each.tail, "to": each.head, **each.facts} for each in self.edges],
        }

    def to_json(self) -> str:
        """The same as text; ASCII, so that nothing in a label is lost or taken for something else."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n"
