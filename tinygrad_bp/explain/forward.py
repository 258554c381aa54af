"""The forward pass written out with its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinygrad_bp.engine.value import Value
from tinygrad_bp.explain.chain import RESULT
from tinygrad_bp.explain.formula import (
    Name,
    Operation,
    Quantity,
    Vector,
)
from tinygrad_bp.explain.report import (
    Record,
)
from tinygrad_bp.explain.steps import written
from tinygrad_bp.table.notation import lists

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinygrad_bp.table.rules import Rule


def forward(named: Mapping[Value, str]) -> Record:
    """The forward pass with its numbers: a line for each operation among the nodes, in their order.

    Args:
        named: the nodes with their names; every parent of a node is among them.

    >>> from tinygrad_bp.explain.report import to_text
    >>> x = Value(3.0, "x")
    >>> print(to_text([forward({x: "x", x * x: "e"})]))
      e = x * x = 9
    """
    return Record(
        tuple(
            (Name(name), _operation(node, node.rule, named), Quantity(node.data, RESULT))
            for node, name in named.items()
            if node.rule
        )
    )


def _operation(node: Value, rule: Rule, named: Mapping[Value, str]) -> Operation:
    operands = [
        Name(named[each]) if isinstance(each, Value) else Quantity(each, RESULT)
        for each in node.operands
    ]
    if rule.variadic:
        vectors = [Vector(tuple(each)) for each in lists(rule, operands)]
        return Operation(rule, tuple(vectors), written(node, named))
    return Operation(rule, tuple(operands), written(node, named))
