"""Expressions that a person types: parsed in the table's notation, and recorded as a graph.

Nothing is evaluated as Python: the syntax tree is walked, and only what the table knows is done.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from tinygrad_bp.engine.functions import logsumexp
from tinygrad_bp.engine.operations import FUNCTIONS
from tinygrad_bp.engine.value import Value, data_of
from tinygrad_bp.errors import ExactnessError, ExpressionError
from tinygrad_bp.numbers.exact import ExactLimit
from tinygrad_bp.numbers.text import to_float
from tinygrad_bp.quoting import first_few, quoted, shortened
from tinygrad_bp.table.expression import parse
from tinygrad_bp.table.rules import ARITIES, FUNCTION_NAMES, RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from tinygrad_bp.numbers.kernels import Number

_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_SPREAD: dict[str, Callable[..., Any]] = {"fsum": FUNCTIONS["fsum"], "logsumexp": logsumexp}
"""Functions of one list, which in an expression take their elements: ``fsum(a, b, c)``."""

CALLABLE = {
    **{name: FUNCTIONS[name] for name in FUNCTION_NAMES if not RULES[name].variadic},
    **{name: lambda *xs, each=each: each(xs) for name, each in _SPREAD.items()},
    "max": FUNCTIONS["maximum"],
    "min": FUNCTIONS["minimum"],
    "pow": FUNCTIONS["**"],
}
"""The functions that an expression may call."""
_ARITIES = {name: ARITIES.get(name) for name in CALLABLE} | {"max": 2, "min": 2}


LONGEST = 10_000
"""So many characters an expression may have: what is longer is a program's, and Python records it."""


def record_expression(text: str, operands: Mapping[str, Value]) -> Value:
    """The graph of an expression.

    Args:
        text: in ordinary notation: numbers, names, ``+ - * / **``, the functions of the table,
            ``pi``, and ``a if x > 0 else b``, of which only the branch taken is recorded.  Parts may
            be named before they are used, also more than once: ``b = a + a; b * b``.
        operands: a leaf for each name.

    Raises:
        ExpressionError: the text is no such expression, or a name has no value.
        DomainError: an operation has no value at its operands.

    >>> x = Value(3.0, "x")
    >>> record_expression("x * x + 1", {"x": x}).data
    10.0
    >>> record_expression("y = x * x; y + y", {"x": x}).parents[0].label
    'y'
    """
    scope = dict(operands)
    for name, part in statements(text):
        if name in scope:
            raise ExpressionError(
                f"{shortened(name)} has a value already, and is defined in {quoted(text)}"
            )
        result = _record(part, scope)
        if name:
            result.label = result.label or name
            scope[name] = result
    return result


def statements(text: str) -> list[tuple[str, str]]:
    """The parts between semicolons, each with its name; an expression alone has none.

    Raises:
        ExpressionError: a part has no name and is not the last, so that nothing can use it; or the text
            is longer than `LONGEST`.

    >>> statements("b = a + a; b * b")
    [('b', 'a + a'), ('', 'b * b')]
    """
    if len(text) > LONGEST:
        raise ExpressionError(
            f"an expression has at most {LONGEST} characters, and {quoted(text)} has {len(text)}"
        )
    parts = []
    for each in text.rstrip("; ").split(";"):
        definition = re.fullmatch(r"\s*([^\W\d]\w*)\s*=(?!=)(.*)", each, re.DOTALL)
        parts.append((definition[1], definition[2].strip()) if definition else ("", each.strip()))
    for name, part in parts[:-1]:
        if part and not name:
            raise ExpressionError(
                f"{quoted(part)} is used by nothing: name it, as in b = {shortened(part)}; only the "
                "last needs no name"
            )
    return parts


def _record(text: str, operands: Mapping[str, Value]) -> Value:
    tree, names = _parsed(text)
    unknown = [name for name in names if name not in operands]
    if unknown:
        raise ExpressionError(
            f"unknown name {quoted(unknown[0])} in {quoted(text)}; known: {first_few(operands) or 'none'}"
        )
    try:
        with ExactLimit():
            result = _evaluate(tree, {"pi": math.pi, **operands})
    except TypeError as error:
        decimals = "; here, give decimals, as 0.5 for 1/2" * isinstance(error, ExactnessError)
        raise ExpressionError(f"{quoted(text)}: {error}{decimals}") from None
    if isinstance(result, bool):
        raise ExpressionError(f"{quoted(text)} is true or false, not a number")
    return result if isinstance(result, Value) else Value(result)


def names_in(text: str) -> list[str]:
    """The names that an expression needs values for, in the order in which they come.

    >>> names_in("(t - tanh(w * x - b)) ** 2")
    ['t', 'w', 'x', 'b']
    >>> names_in("b = a + a; b * c")
    ['a', 'c']
    """
    wanted: dict[str, None] = {}
    defined = set()
    for name, part in statements(text):
        wanted |= dict.fromkeys(each for each in _parsed(part)[1] if each not in defined)
        defined.add(name)
    return list(wanted)


@lru_cache(maxsize=LONGEST)
def _parsed(text: str) -> tuple[ast.expr, tuple[str, ...]]:
    """The tree of an expression, and the names that it needs values for; parsed once."""
    no_remainder = "% is not among the operations: + - * / **"
    tree = parse(text, names=_AnyName(), functions=_ARITIES, remainder=no_remainder)
    nodes = [*ast.walk(tree)]
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            _check_literal(node, node.value, text.strip())
    called = {node.func for node in nodes if isinstance(node, ast.Call)}
    found = [node for node in nodes if isinstance(node, ast.Name) and node not in called]
    found.sort(key=lambda node: (node.lineno, node.col_offset))
    return tree, tuple(name for name in dict.fromkeys(node.id for node in found) if name != "pi")


def _check_literal(node: ast.Constant, value: float, text: str) -> None:
    """Refuse a float that is not what was written: ``1e400`` would be infinite, and ``1e-400`` 0."""
    if 0 < value < 2**53:  # quickly; elsewhere, what was written decides
        return
    written = ast.get_source_segment(text, node) or ""
    try:
        to_float(written)
    except ValueError as error:
        raise ExpressionError(f"{shortened(written)} would be changed: {error}") from None


class _AnyName(frozenset[str]):
    """A set in which every name is found."""

    def __contains__(self, name: object) -> bool:
        return True


def _evaluate(tree: ast.expr, operands: Mapping[str, Any]) -> Any:
    """Walk the tree with a stack of its own, for an expression may be nested deep."""
    results: list[Any] = []
    pending: list[ast.expr | Callable[[], None]] = [tree]

    def after(count: int, function: Callable[..., Any], *parts: ast.expr) -> None:
        def reduce() -> None:
            arguments = results[len(results) - count :]
            del results[len(results) - count :]
            results.append(function(*arguments))

        pending.append(reduce)
        pending.extend(reversed(parts))

    while pending:
        node = pending.pop()
        match node:
            case ast.Constant(value=value):
                results.append(value)
            case ast.Name(id=name):
                results.append(operands[name])
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
                results.append(-value)
            case ast.UnaryOp(op=op, operand=operand):
                after(1, _plus if isinstance(op, ast.UAdd) else FUNCTIONS["neg"], operand)
            case ast.BinOp(left=left, op=op, right=right):
                after(2, FUNCTIONS[_OPERATORS[type(op)]], left, right)
            case ast.Compare(left=left, ops=ops, comparators=others):
                after(len(others) + 1, _comparison(ops), left, *others)
            case ast.BoolOp(op=op, values=values):
                every = isinstance(op, ast.And)
                after(
                    len(values), lambda *each, every=every: (all if every else any)(each), *values
                )
            case ast.Call(func=ast.Name(id=name), args=arguments):
                after(len(arguments), CALLABLE[name], *arguments)
            case ast.IfExp(test=test, body=body, orelse=orelse):

                def choose(body: ast.expr = body, orelse: ast.expr = orelse) -> None:
                    pending.append(body if results.pop() else orelse)

                pending.append(choose)
                pending.append(test)
            case _ if callable(node):
                node()
    return results.pop()


def _plus(operand: Any) -> Any:
    """What a plus sign does to a number: nothing."""
    return operand if isinstance(operand, Value) else FUNCTIONS["identity"](operand)


def _comparison(ops: list[ast.cmpop]) -> Callable[..., bool]:
    def compare(*sides: Value | Number) -> bool:
        numbers = [*map(data_of, sides)]
        return all(_compare(op, a, b) for op, a, b in zip(ops, numbers, numbers[1:], strict=False))

    return compare


def _compare(op: ast.cmpop, a: Number, b: Number) -> bool:
    if isinstance(op, (ast.Eq, ast.NotEq)):
        return bool((a == b) is isinstance(op, ast.Eq))
    return _COMPARISONS[type(op)](a, b)
