"""The walk over the graph: which nodes a result was made of, in an order that the pass can use.

Nothing here recurses, so a chain of a million nodes is walked like one of ten.  This room knows a
node only by its attributes and imports nothing of `Value`.
"""

from __future__ import annotations

import sys
from itertools import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tinygrad_bp.engine.value import Value


def topological_order(e: Value, mark: object = None) -> list[Value]:
    """Every node that ``e`` was made of, each after all of its parents; ``e`` itself is last.

    The order is that of the recursive depth-first walk with the operands taken from left to right.
    A mark on the node, a new object for each walk, stands for a set of the nodes seen: so two threads
    may walk graphs that share no node, but not the same graph, at one time.

    Args:
        e: the node to begin with.
        mark: that of a walk that goes on from several nodes: what it has seen is left out.

    >>> from tinygrad_bp import Value
    >>> a = Value(2.0, label="a")
    >>> b = a * a
    >>> topological_order(b) == [a, b]
    True
    """
    mark = mark or object()
    order: list[Value] = []
    below: list[Value] = []  # the nodes whose operands are being walked, but for the current one
    rests: list[Iterator[Value]] = []  # of each list of operands among them, what is still to walk
    node = e
    node._mark = mark
    # The two operands are written out one after the other: a loop over them, or a call, would cost
    # more than all the rest of the walk.
    while True:
        if node._dx is not None:
            parent = node._x
            if parent._mark is not mark:
                parent._mark = mark
                if parent._rule is not None:
                    below.append(node)
                    node = parent
                    continue
                order.append(parent)
        elif node._dy is None:
            rests.append(iter(node._x or ()))  # a leaf has none
        while True:  # back from an operand, the first need not be looked at again
            if node._dy is not None:
                parent = node._y
                if parent._mark is not mark:
                    parent._mark = mark
                    if parent._rule is not None:
                        break
                    order.append(parent)
            elif node._dx is None:
                for parent in rests[-1]:
                    if parent._mark is not mark:
                        parent._mark = mark
                        if parent._rule is not None:
                            break
                        order.append(parent)
                else:
                    rests.pop()
                    parent = None
                if parent is not None:
                    break
            order.append(node)
            if not below:
                return order
            node = below.pop()
        below.append(node)
        node = parent


def dependents(order: Iterable[Value], wrt: Iterable[Value]) -> set[Value]:
    """The nodes that were made of any of ``wrt``, and these themselves.

    Args:
        order: the nodes to look at, each after its parents.
        wrt: where paths end.

    >>> from tinygrad_bp import Value
    >>> a, b = Value(2.0), Value(3.0)
    >>> c = a * b
    >>> dependents([a, b, c], [a]) == {a, c}
    True
    """
    found = set(wrt)
    for node in order:
        if not found.isdisjoint(node.parents):
            found.add(node)
    return found


def names(nodes: Iterable[Value], root: str = "") -> dict[Value, str]:
    """A name to show for each node, no two alike.

    In order: its label; the variable in ``__main__`` that holds it now; ``root`` for the last
    node; else ``v1``, ``v2``, ... in the order given.  A name that is taken gets a prime, from the
    fourth of a name on with its number: ``w``, ``w'``, ``w''``, ``w'3``, ``w'4``.

    >>> from tinygrad_bp import Value
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
    unique: dict[str, Value] = {}
    uses: dict[str, int] = {}
    for node, name in zip(nodes, given, strict=True):
        base = chosen = name or next(numbers)
        while chosen in unique or (chosen in taken and chosen != base):
            use = uses[base] = uses.get(base, 0) + 1
            chosen = base + ("'" * use if use < 3 else f"'{use}")
        unique[chosen] = node
    return {node: name for name, node in unique.items()}
