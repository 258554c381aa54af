"""The backward pass: the chain rule, once for each edge, from the result to the leaves.

A node passes its gradient on only after everything that used it has added its share, which is what
the reversed topological order is for.  This room knows a node only by its attributes.
"""

from __future__ import annotations

from operator import ne

from tinygrad_bp.arithmetic import PLAIN, arithmetic_of, check_number, python_number
from tinygrad_bp.floats import is_nan
from tinygrad_bp.graph import topological_order

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tinygrad_bp.kernels import Number
    from tinygrad_bp.value import Value


def backward(e: Value) -> None:
    """Add ``de/dv`` to the ``grad`` of every leaf ``v``, and set it for every inner node.

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


def _pass_down(order: list[Value], zero: Number) -> None:
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


def _pass_through_kinks(order: list[Value], zero: Number) -> None:
    """The pass once more, with the conventions of infinite slopes at kinks, if there are any."""
    from tinygrad_bp.kinks import ChainRule, warn_of_nan, warn_of_zeros  # hardly ever

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


def _passes_nothing_on(grad: Number, node: Value, zero: Number) -> bool:
    """Whether a gradient of 0, as that of a relu that is off, times each derivative is but ``zero``.

    It is not where a derivative is infinite or nan, and their sum tells so quicker than the products.
    """
    total = sum(node._y[: len(node._x)])
    return type(zero) is type(grad) is type(total) and total - total == 0


def zero_grad(e: Value) -> None:
    """Set the ``grad`` of every node that ``e`` was made of to 0."""
    for node in topological_order(e):
        node.grad = 0
