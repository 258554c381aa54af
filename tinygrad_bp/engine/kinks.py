"""Kinks: the points where a row of the table has no derivative, and its convention stands in for one.

A first derivative at a kink is the row's convention, and no more is said: the table has it.  What is
made of a convention beyond that cannot be relied on, and is said with a `KinkWarning` that names the
operations:

- A further derivative takes the convention for a constant.  So that of ``abs(x)**2`` at 0 comes out as
  0, where it is 2.
- An infinite slope times 0 is taken to be 0.  So the gradient of ``sqrt(x*x + y*y)**2`` at 0 comes out
  as 0, which is right, and that of ``sqrt(x)**2`` as well, where it is 1.

This module knows a node only by its attributes.
"""

from __future__ import annotations

import math
import sys

from tinygrad_bp.errors import KinkWarning, NumberRangeWarning
from tinygrad_bp.numbers.arithmetic import arithmetic_of
from tinygrad_bp.numbers.families import python_number
from tinygrad_bp.numbers.floats import is_nan
from tinygrad_bp.numbers.text import printed
from tinygrad_bp.quoting import visible
from tinygrad_bp.table.notation import call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tinygrad_bp.engine.node import Node
    from tinygrad_bp.numbers.kernels import Number


def at_kink(node: Node) -> bool:
    """Whether the node's derivatives are conventions, at the data that its operands have now."""
    rule = node.rule
    if rule is None or not rule.kink:
        return False
    numbers = _numbers(node)
    return arithmetic_of(numbers).at_kink(rule, numbers)


def at_bend(node: Node) -> bool:
    """Whether the node's second derivatives would be conventions, at the data that its operands have now."""
    rule = node.rule
    if rule is None or not rule.bend or len(node.parents) < rule.arity:
        return at_kink(node)
    numbers = _numbers(node)
    return at_kink(node) or arithmetic_of(numbers).at_bend(rule, numbers)


def _numbers(node: Node) -> tuple[Number, ...]:
    return tuple([python_number(each.data if _is_node(each) else each) for each in node.operands])


class ChainRule:
    """The products of one pass, in which an infinite slope at a kink times 0 is 0.

    Attributes:
        kinks: the nodes whose infinite slope met a 0.
    """

    def __init__(self) -> None:
        self.kinks: dict[Node, None] = {}
        self._under: dict[
            Node, Node
        ] = {}  # a node with an infinite gradient, and the kink above it

    def product(self, node: Node, upstream: Number, parent: Node, local: Number) -> Number:
        """What a node passes on to one of its parents."""
        if self.vanishes(node, upstream, parent, local):
            return upstream if upstream == 0 else local
        return upstream * local

    def vanishes(self, node: Node, upstream: Number, parent: Node, local: Number) -> bool:
        """Whether what a node passes on to one of its parents is 0 times an infinite slope at a kink."""
        if not (_infinite(upstream) or _infinite(local)):
            return False
        kink = self._under.get(node)
        if kink is None and _infinite(local) and at_kink(node):
            kink = node
        if kink is None:
            return False
        if upstream == 0 or local == 0:
            self.kinks[kink] = None
            return True
        self._under[parent] = kink
        return False


def _is_node(operand: Node | Number) -> bool:
    return hasattr(operand, "local_derivatives")


def _is_nan(number: Number) -> bool:
    missing = arithmetic_of([number]).missing or is_nan  # sympy's nan is equal to itself
    return missing(number)


def _finite(number: Number) -> bool:
    return not (_is_nan(number) or _infinite(number))


def _infinite(number: Number) -> bool:
    return bool(number in (math.inf, -math.inf))


def warn_of_zeros(kinks: Collection[Node]) -> None:
    """Say at which nodes an infinite slope times 0 was taken to be 0."""
    _warn(
        kinks,
        "infinite slope at {}: where it met a 0, the product was taken to be 0, which need not be "
        "right; take the derivative beside the kink, or write the function without it",
    )


def warn_of_constants(kinks: Collection[Node]) -> None:
    """Say at which nodes a pass that is recorded took a convention for a constant."""
    _warn(
        kinks,
        "no second derivative at {}: the derivative there is a convention, and was taken for a "
        "constant, which need not be right; take the derivatives beside the kink, or write the "
        "function without it",
    )


def warn_of_nan(order: Sequence[Node]) -> None:
    """Say where a nan came from, if all that a result was made of is finite.

    Args:
        order: the nodes, each after its parents.
    """
    leaves = [node.data for node in order if node.rule is None]
    constants = [each for node in order for each in node.operands if not _is_node(each)]
    if not all(map(_finite, leaves + constants)):
        return
    for node in order:
        if any(map(_is_nan, (node.data, *node.local_derivatives))):
            if all(map(_finite, (node.data, *_numbers(node)))):
                return  # the row has no derivative there, as a negative base for its exponent
            break
    else:  # it is a product or a sum of the pass
        lower = next(node for node in reversed(order) if _is_nan(node.grad))
        above = [node for node in order if lower in node.parents]
        node = next((node for node in above if not _finite(node.grad)), above[-1])
    _warn(
        [node],
        "a derivative is nan, for at {} numbers are beyond the range of their type; take numbers of "
        "another size, or of a type without limits, as mpmath's",
        NumberRangeWarning,
    )


_NAMED = 3
_PACKAGE = __name__.partition(".")[0]


def _warn(kinks: Collection[Node], message: str, category: type[Warning] = KinkWarning) -> None:
    if not kinks:
        return
    import warnings

    named = [*dict.fromkeys(map(_name, kinks))]
    more = [f"{len(named) - _NAMED} more"] * (len(named) > _NAMED)
    depth, frame = 1, sys._getframe()
    while frame.f_back and frame.f_globals["__name__"].partition(".")[0] == _PACKAGE:
        depth, frame = depth + 1, frame.f_back
    listed = ", ".join(named[:_NAMED] + more)
    warnings.warn(message.format(listed), category, stacklevel=depth)


def _name(node: Node) -> str:
    """The operation and its operands: ``abs(x=0.0)``."""
    operands = [
        f"{visible(each.label)}={printed(each.data)}"
        if _is_node(each) and each.label
        else printed(number)
        for each, number in zip(node.operands, _numbers(node), strict=True)
    ]
    return call(node.op, len(operands)).on([f"{each:.60}" for each in operands])
