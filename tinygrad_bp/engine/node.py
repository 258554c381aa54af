"""What the walk, the pass and the tape ask of a node, for type checkers; `Value` is the one there is.

Nothing is loaded from here when the package runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from tinygrad_bp.numbers.kernels import Number
    from tinygrad_bp.table.rules import Rule


class Node(Protocol):
    """A leaf, or the result of one operation: what it shows to all, and how it holds its operands."""

    data: Number
    grad: Number
    label: str
    _rule: Rule | None
    _x: Any
    _y: Any
    _dx: Any
    _dy: Any
    _mark: object

    @property
    def op(self) -> str:
        """The operation's name in the table; empty for a leaf."""

    @property
    def rule(self) -> Rule | None:
        """The operation's row in the table; ``None`` for a leaf."""

    @property
    def operands(self) -> tuple[Any, ...]:
        """Nodes and plain numbers, in order."""

    @property
    def parents(self) -> tuple[Any, ...]:
        """The operands that are nodes, in order, repeats kept."""

    @property
    def local_derivatives(self) -> tuple[Number, ...]:
        """One for each of the parents."""
