"""How large exact numbers may grow where the expression or the network comes from others.

Whole numbers and fractions have no largest one: 28 squarings of 1/3 fill the memory.  In Python that is
its author's affair; what is typed or read from a file is recorded within an `ExactLimit`, which knows the
size of a result before it is computed.  This module may not know any number type but by its attributes.
"""

from __future__ import annotations

from contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextvars import Token
    from typing import Any

RESULT = 14_000
"""So many bits a result may have, numerator and denominator together: Python prints 4300 digits."""

DERIVATIVES = 200_000
"""So many bits the local derivatives of a graph may have in all; none of its gradients has more."""

_LIMIT: ContextVar[ExactLimit | None] = ContextVar("limit", default=None)


class ExactLimit:
    """Within the block, exact numbers that would be too large are refused before they are computed.

    A gradient is a sum of products of local derivatives, each of one edge of every node on its way.  So its
    size is at most that of all of them together, and to limit these limits every number of a backward pass.

    >>> from tinygrad_bp import Value
    >>> with ExactLimit():
    ...     Value(7, "x") ** 1000000000
    Traceback (most recent call last):
        ...
    tinygrad_bp.errors.NumberRangeError: (x=7) ** 1000000000 would be exact with thousands of digits: give decimals, as 9.0 for 9 or 0.5 for 1/2
    """

    __slots__ = ("_outside", "left")

    _outside: Token[ExactLimit | None]

    def __init__(self) -> None:
        self.left = DERIVATIVES

    def __enter__(self) -> None:
        self._outside = _LIMIT.set(self)

    def __exit__(self, *_: object) -> None:
        _LIMIT.reset(self._outside)

    def admits(self, operation: str, operands: Sequence[Sequence[Any]]) -> bool:
        """Whether the result is small enough.

        Args:
            operation: the name of its row in the table.
            operands: the numbers, each operand a list of them.
        """
        size = _size(operands)
        if operation == "square":
            size *= 2
        elif operation == "**":
            base, (exponent,) = operands
            whole = exponent.denominator == 1  # else the power is a float, or refused
            size = _size([base]) * abs(exponent.numerator) if whole else 0
        return size <= RESULT

    def admits_derivatives(self, derivatives: Sequence[Any]) -> bool:
        """Whether there is room for the local derivatives of one more node, which then is taken."""
        exact = [each for each in derivatives if not isinstance(each, float)]
        self.left -= _size([exact])
        return self.left >= 0


def current() -> ExactLimit | None:
    """The limit of the innermost block, if there is one."""
    return _LIMIT.get()


def _size(operands: Sequence[Sequence[Any]]) -> int:
    """At least as many bits as a sum or a product of the operands has, numerator and denominator together.

    The denominator is a product of theirs, and one that is there twice is taken once.
    """
    denominators = {each.denominator for numbers in operands for each in numbers}
    largest = [max(map(_bits, numbers), default=0) for numbers in operands]
    count = max(map(len, operands))
    return sum(map(_bits, denominators)) + sum(largest) + (count - 1).bit_length()


def _bits(number: Any) -> int:
    """The binary logarithm of a numerator or a denominator, rounded up."""
    return int(abs(number.numerator) - 1).bit_length() if number else 0
