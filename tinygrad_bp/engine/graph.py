"""The recorded graph: the walk over its nodes, its edges, and the backward pass.

How a node holds its operands is known here and where nodes are made (`Value`, `operations`), and
nowhere else: all others ask it for its ``parents``, ``local_derivatives`` and ``operands``.  Nothing
here recurses, so a chain of a million nodes is walked like one of ten.  This module knows a node only
by its attributes and imports nothing of `Value`.
"""

from __future__ import annotations

from operator import ne

from tinygrad_bp.numbers.arithmetic import arithmetic_of
from tinygrad_bp.numbers.families import PLAIN, check_number, python_number
from tinygrad_bp.numbers.floats import is_nan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any, TypeAlias, TypeVar

    from tinygrad_bp.engine.node import Node
    from tinygrad_bp.numbers.kernels import Number

    _Node = TypeVar("_Node", bound=Node)

    Columns: TypeAlias = tuple[dict[_Node, int], list[int], list[int], list[int], list[Number]]

# ---- the walk


def topological_order(e: _Node, mark: object = None) -> list[_Node]:
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
    order: list[_Node] = []
    below: list[_Node] = []  # the nodes whose operands are being walked, but for the current one
    rests: list[Iterator[_Node]] = []  # of each list of operands among them, what is still to walk
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


# ---- the edges


def edges_of(order: Iterable[_Node], w: _Node | None = None) -> Columns[_Node]:
    """The edges among nodes, or those on paths to one of them, in the order of the backward pass.

    Args:
        order: the nodes, each after its parents, which are all among them.
        w: where the paths end; without it every edge is wanted.

    Returns:
        The number of each node, in order; and four columns: the number of the upper node, that of the
        lower one, which of the upper node's `parents` that is, and the local derivative.  Of nodes from
        which no path leads to ``w`` there is nothing.

    >>> from tinygrad_bp import Value
    >>> x, y = Value(3.0), Value(2.0)
    >>> edges_of([x, y, x * y])[1:]
    ([2, 2], [0, 1], [0, 1], [2.0, 3.0])
    >>> edges_of([x, y, x * y], y)[1:]
    ([1], [0], [1], [3.0])
    """
    numbers = {} if w is None else {w: 0}
    find = numbers.get
    above: list[int] = []
    below: list[int] = []
    slots: list[int] = []
    locals_: list[Number] = []
    for node in order:
        dx, dy = node._dx, node._dy
        found = 0
        if dy is not None:
            number = find(node._y)
            if number is not None:
                below.append(number)
                slots.append(0 if dx is None else 1)
                locals_.append(dy)
                found = 1
        if dx is not None:
            number = find(node._x)
            if number is not None:
                below.append(number)
                slots.append(0)
                locals_.append(dx)
                found += 1
        elif dy is None and node._y is not None:
            numbered = [*map(find, node._x)]
            if numbered.count(None) < len(numbered):
                for slot in range(len(numbered) - 1, -1, -1):
                    number = numbered[slot]
                    if number is not None:
                        below.append(number)
                        slots.append(slot)
                        locals_.append(node._y[slot])
                        found += 1
        if found:
            number = numbers[node] = len(numbers)
            above.append(number)
            if found > 1:
                above.extend([number] * (found - 1))
        elif w is None:
            numbers[node] = len(numbers)
    for column in (above, below, slots, locals_):
        column.reverse()
    return numbers, above, below, slots, locals_


def is_node(operand: object) -> bool:
    """Whether an operand is a node of the graph, and no plain number."""
    return hasattr(operand, "_mark")


def row_of(node: Node, known: Mapping[int, Any]) -> tuple[Any, ...]:
    """All that an inner node holds, with what is known, by id, of each parent in the parent's stead."""
    x, dx, y, dy = node._x, node._dx, node._y, node._dy
    if dx is not None:
        x = known[id(x)]
    if dy is not None:
        y = known[id(y)]
    elif dx is None:
        x = tuple([known[id(parent)] for parent in x])
    return node._rule, node.data, node.grad, node.label, x, dx, y, dy


def node_of(kind: type[Node], row: tuple[Any, ...], parent: Callable[[Any], Node]) -> Node:
    """The node of a row of `row_of`, where a function gives the parent for what was known of it."""
    node = kind.__new__(kind)
    node._mark = 0
    node._rule, node.data, node.grad, node.label, x, dx, y, dy = row
    node._dx, node._dy = dx, dy
    node._x = parent(x) if dx is not None else x
    node._y = parent(y) if dy is not None else y
    if dx is None and dy is None:
        node._x = tuple(map(parent, x))
    return node


# ---- the backward pass


def backward(e: Node) -> None:
    """Add ``de/dv`` to the ``grad`` of every leaf ``v``, and set it for every inner node.

    It is the chain rule, once for each edge: a node passes its gradient on only after everything that
    used it has added its share, which is what the reversed topological order is for.

    The gradients of one pass are summed by themselves and added to a leaf once, so that a second
    pass adds exactly as much as the first.  If a product or a sum cannot be formed (a ``Decimal``
    and a ``float``), or the pass is interrupted, the leaves keep what they had.
    """
    order = topological_order(e)
    zero = 0.0 if isinstance(e.data, float) else 0  # to float + float Python has a short way
    leaves = []
    try:
        for node in order:
            if node._rule is None:
                leaves.append((node, node.grad))
            node.grad = zero
        e.grad = zero + 1
        try:
            _pass_down(order, zero)
        except ArithmeticError:  # a Decimal has no product of 0 and infinity
            _pass_through_kinks(order, zero)
        if not {type(before) for _, before in leaves} <= PLAIN:
            leaves = [(leaf, python_number(before)) for leaf, before in leaves]
        totals = [before + leaf.grad for leaf, before in leaves]
        kinds = {*map(type, totals)}
        if not kinds <= PLAIN:
            for (leaf, _), total in zip(leaves, totals, strict=True):
                check_number(total, where=f"the grad of {leaf.label or 'a leaf'}")
        if is_nan(sum(totals)) if kinds == {float} else _any_nan(totals):
            _pass_through_kinks(order, zero)
            totals = [before + leaf.grad for leaf, before in leaves]
        for (leaf, _), total in zip(leaves, totals, strict=True):
            leaf.grad = total
    except BaseException:
        for leaf, before in leaves:
            leaf.grad = before
        raise


def _pass_down(order: list[Node], zero: Number) -> None:
    for node in reversed(order):
        grad = node.grad
        derivative = node._dx
        if derivative is not None:
            node._x.grad += grad * derivative
            derivative = node._dy
            if derivative is not None:
                node._y.grad += grad * derivative
        elif node._dy is not None:
            node._y.grad += grad * node._dy
        elif node._y is not None and (grad or not _passes_nothing_on(grad, node, zero)):
            for parent, derivative in zip(node._x, node._y):  # noqa: B905 - plain numbers follow
                parent.grad += grad * derivative


def _any_nan(numbers: list[Number]) -> bool:
    if any(map(ne, numbers, numbers)):
        return True
    missing = arithmetic_of(numbers).missing  # sympy's nan is equal to itself
    return missing is not None and any(map(missing, numbers))


def _pass_through_kinks(order: list[Node], zero: Number) -> None:
    """The pass once more, with the conventions of infinite slopes at kinks, if there are any."""
    from tinygrad_bp.engine.kinks import ChainRule, warn_of_nan, warn_of_zeros  # hardly ever

    rule = ChainRule()
    for node in order:
        node.grad = zero
    order[-1].grad = zero + 1
    for node in reversed(order):
        for parent, derivative in zip(node.parents, node.local_derivatives, strict=True):
            parent.grad += rule.product(node, node.grad, parent, derivative)
    warn_of_zeros(rule.kinks)
    if _any_nan([node.grad for node in order if node._rule is None]):
        warn_of_nan(order)


def _passes_nothing_on(grad: Number, node: Node, zero: Number) -> bool:
    """Whether a gradient of 0, as that of a relu that is off, times each derivative is but ``zero``.

    It is not where a derivative is infinite or nan, and their sum tells so quicker than the products.
    """
    total = sum(node._y[: len(node._x)])
    return type(zero) is type(grad) is type(total) and total - total == 0


def zero_grad(e: Node) -> None:
    """Set the ``grad`` of every node that ``e`` was made of to 0."""
    for node in topological_order(e):
        node.grad = 0
