"""Names to show for the nodes of a graph: labels, the user's variables, and numbers for the rest."""

from __future__ import annotations

import sys
from itertools import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeVar

    from tinygrad_bp.engine.node import Node

    _Node = TypeVar("_Node", bound=Node)


def names(nodes: Iterable[_Node], root: str = "") -> dict[_Node, str]:
    """A name to show for each node, no two alike.

    In order: its label; the variable in ``__main__`` that holds it now; ``root`` for the last
    node; else ``v1``, ``v2``, ... in the order given.  A name that is taken gets a prime, from the
    fourth of a name on with its number: ``w``, ``w'``, ``w''``, ``w'3``, ``w'4``.

    >>> from tinygrad_bp import Value
    >>> from tinygrad_bp.engine.graph import topological_order
    >>> a = Value(2.0, label="a")
    >>> e = (a * a) ** 2
    >>> list(names(topological_order(e), root="e").values())
    ['a', 'v1', 'e']
    """
    nodes = list(nodes)
    variables = {
        id(held): name
        for name, held in reversed(list(vars(sys.modules["__main__"]).items()))
        if not name.startswith("_")
    }
    given = [node.label or variables.get(id(node), "") for node in nodes]
    if root and nodes and not given[-1]:
        given[-1] = root
    taken = set(given)
    numbers = (name for name in map("v{}".format, count(1)) if name not in taken)
    unique: dict[str, _Node] = {}
    uses: dict[str, int] = {}
    for node, name in zip(nodes, given, strict=True):
        base = chosen = name or next(numbers)
        while chosen in unique or (chosen in taken and chosen != base):
            use = uses[base] = uses.get(base, 0) + 1
            chosen = base + ("'" * use if use < 3 else f"'{use}")
        unique[chosen] = node
    return {node: name for name, node in unique.items()}
