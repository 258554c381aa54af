"""How an operation is written on its operands: as text, in formulas, in pictures and on pages.

Each language has a `Form` for a row; all are put together in the one way that a form has.  This module
knows the rows, and neither graphs nor numbers.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeVar

    from tinygrad_bp.table.rules import Rule

    T = TypeVar("T")


class Form:
    """What stands before, between and after the operands of an operation.

    Args:
        pieces: these texts, one more than there are operands.
        enclosed: for each operand, whether they hold it together, so that it needs no brackets.

    >>> Form(("", " + ", ""), (False, False)).on(["a", "-1"], ["a", "(-1)"])
    'a + (-1)'
    """

    __slots__ = ("enclosed", "pieces")

    def __init__(self, pieces: Sequence[str], enclosed: Sequence[bool]) -> None:
        self.pieces = pieces
        self.enclosed = enclosed

    def on(self, operands: Sequence[str], bracketed: Sequence[str] | None = None) -> str:
        """The operation on operands that are written already.

        Args:
            operands: how each is written.
            bracketed: and how, where the form does not enclose it; the same if left out.
        """
        chosen = [
            free if enclosed else kept
            for free, kept, enclosed in zip(
                operands, bracketed or operands, self.enclosed, strict=True
            )
        ]
        after = [operand + piece for operand, piece in zip(chosen, self.pieces[1:], strict=True)]
        return "".join([self.pieces[0], *after])


def infix(symbol: str) -> Form:
    """A sign between two operands."""
    return Form(("", f" {symbol} ", ""), (False, False))


def call(name: str, count: int) -> Form:
    """A function of so many operands.

    >>> call("f", 2).on(["a", "-1"])
    'f(a, -1)'
    """
    return Form((f"{name}(", *[", "] * (count - 1), ")"), (True,) * count)


def in_text(rule: Rule, name: str = "") -> Form:
    """The form of a row in text: a sign between its operands, or a call by its name or another."""
    return infix(rule.symbol) if rule.infix else call(name or rule.name, rule.arity)


def lists(rule: Rule, operands: Sequence[T]) -> list[Sequence[T]]:
    """The operands of a node as the lists that a variadic row takes.

    >>> from tinygrad_bp.table.rules import RULES
    >>> lists(RULES["dot"], ["v", "w", "x", "y"])
    [['v', 'w'], ['x', 'y']]
    """
    size = len(operands) // rule.arity
    return [operands[start : start + size] for start in range(0, len(operands), size)]
