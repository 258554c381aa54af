"""Hypothesis strategies: leaves, the operands of a row of the table, and whole programs.

What a row accepts is read off its domain, so that a new row needs nothing new here.  A program is a
list of instructions on rational numbers, and so its gradient can be known exactly; it runs on any
number type: on Values, on plain fractions, on another engine's scalars.
"""

from __future__ import annotations

import ast
import math
import operator
import sys
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from hypothesis import strategies as st

from tinygrad_bp.arithmetic import FLOAT
from tinygrad_bp.errors import ArgumentError
from tinygrad_bp.notation import in_text
from tinygrad_bp.operations import FUNCTIONS
from tinygrad_bp.rules import FUNCTION_NAMES, PARAMETERS, RULES, Rule
from tinygrad_bp.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from tinygrad_bp.kernels import Number

_LARGEST = sys.float_info.max
_NEAR = 9.0
EXPONENTS = st.integers(-3, 3).map(Fraction)
"""Small whole numbers."""


# ---- leaves


def numbers(kind: type = float) -> st.SearchStrategy[Number]:
    """Plain numbers of moderate size: ``float``, ``int`` or ``Fraction``."""
    if kind is float:
        return st.floats(-_NEAR, _NEAR)
    if kind is int:
        return st.integers(-9, 9)
    if kind is Fraction:
        return st.fractions(-9, 9, max_denominator=12)
    raise ArgumentError(f"numbers of type float, int or Fraction, not {kind!r}")


def values(kind: type = float) -> st.SearchStrategy[Value]:
    """Leaves of moderate size.

    Args:
        kind: the type of their data: ``float``, ``int`` or ``Fraction``.

    >>> from hypothesis import find
    >>> find(values(Fraction), lambda leaf: leaf > 1)
    Value(data=Fraction(2, 1), grad=0)
    """
    return st.builds(Value, numbers(kind))


# ---- the operands of a row


def operands(rule: Rule) -> st.SearchStrategy[tuple[Any, ...]]:
    """Finite floats at which the operation has a value; lists of one length where it is variadic.

    Small whole numbers, numbers of moderate size and all the others come about equally often.

    >>> from hypothesis import find
    >>> find(operands(RULES["log"]), lambda drawn: True)
    (1.0,)
    """
    names = (PARAMETERS + ("",) * rule.arity)[: rule.arity]
    columns = [_floats(*_bounds(rule, name)) for name in names]
    if rule.variadic:
        rows = st.lists(st.tuples(*columns), min_size=1, max_size=6)
        return rows.map(lambda drawn: tuple(map(list, zip(*drawn, strict=True))))
    return st.tuples(*columns).filter(lambda drawn: FLOAT.in_domain(rule, drawn))


def _floats(low: float, high: float) -> st.SearchStrategy[float]:
    anywhere = st.floats(max(low, -_LARGEST), min(high, _LARGEST))
    near = max(low, -_NEAR), min(high, _NEAR)
    if near[0] > near[1]:
        return anywhere
    whole = st.integers(math.ceil(near[0]), math.floor(near[1])).map(float)
    return whole | st.floats(*near) | anywhere


def _bounds(rule: Rule, name: str) -> tuple[float, float]:
    """An interval that has in it every value of an operand that the domain allows."""
    if not rule.domain:
        return -math.inf, math.inf
    return _interval(rule.tree(rule.domain, "condition"), name)


def _interval(test: ast.expr, name: str) -> tuple[float, float]:
    match test:
        case ast.BoolOp(op=joint, values=parts):
            lows, highs = zip(*(_interval(part, name) for part in parts), strict=True)
            if isinstance(joint, ast.And):
                return max(lows), min(highs)
            return min(lows), max(highs)
        case ast.Compare(left=left, ops=ops, comparators=others):
            sides = [ast.unparse(side) for side in (left, *others)]
            low, high = -math.inf, math.inf
            for a, op, b in zip(sides, ops, sides[1:], strict=False):
                below = isinstance(op, (ast.Lt, ast.LtE, ast.Eq))
                above = isinstance(op, (ast.Gt, ast.GtE, ast.Eq))
                if a == name:
                    low = max(low, _number(b, -math.inf)) if above else low
                    high = min(high, _number(b, math.inf)) if below else high
                if b == name:
                    low = max(low, _number(a, -math.inf)) if below else low
                    high = min(high, _number(a, math.inf)) if above else high
            return low, high
        case _:
            return -math.inf, math.inf


def _number(text: str, otherwise: float) -> float:
    try:
        return float(text)
    except ValueError:  # no constant, so no simple bound
        return otherwise


# ---- programs

RATIONAL = tuple(name for name, rule in RULES.items() if rule.exact and name != "identity")
"""The operations that take rational numbers to rational numbers, but for the one that does nothing."""

OPERATIONS: dict[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
    **{name: FUNCTIONS[name] for name in FUNCTION_NAMES},
    "neg": operator.neg,
    "abs": operator.abs,
}
"""Each operation as a function of Values and plain numbers."""


class Instruction(NamedTuple):
    """One operation of a program.

    Attributes:
        op: its name in the table.
        operands: an ``int`` is the number of a register, a ``Fraction`` a plain number; a tuple of
            these is a list, which `fsum` and `dot` take.
    """

    op: str
    operands: tuple[Any, ...]


class Program(NamedTuple):
    """A straight-line program: register after register, the leaves first.

    Attributes:
        leaves: what the first registers hold.
        instructions: what fills the registers after them, one each.

    >>> one, three = Fraction(1), Fraction(3)
    >>> program = Program((three,), (Instruction("*", (0, 0)), Instruction("-", (one, 1))))
    >>> program
    Program(v0 = 3; v1 = v0 * v0; v2 = 1 - v1)
    >>> program.run(program.leaves)[-1]
    Fraction(-8, 1)
    >>> x = Value(3.0)
    >>> program.run([x])[-1].backward()
    >>> x.grad
    -6.0
    """

    leaves: tuple[Fraction, ...]
    instructions: tuple[Instruction, ...]

    def run(
        self,
        leaves: Sequence[Any],
        *,
        operations: Mapping[str, Callable[..., Any]] = OPERATIONS,
        constant: Callable[[Fraction], Any] = Fraction,
    ) -> list[Any]:
        """Every register, after the program has run.

        Args:
            leaves: the first registers, of any number type.
            operations: how to do each operation.
            constant: what a plain number becomes.
        """
        registers = [*leaves]

        def read(operand: Any) -> Any:
            if isinstance(operand, tuple):
                return [*map(read, operand)]
            return registers[operand] if type(operand) is int else constant(operand)

        for op, operands in self.instructions:
            registers.append(operations[op](*map(read, operands)))
        return registers

    def __str__(self) -> str:
        lines = [f"v{place} = {leaf}" for place, leaf in enumerate(self.leaves)]
        for place, (op, operands) in enumerate(self.instructions, len(lines)):
            lines.append(f"v{place} = {in_text(RULES[op]).on([*map(_show, operands)])}")
        return "; ".join(lines)

    def __repr__(self) -> str:
        return f"Program({self})"


def _show(operand: Any) -> str:
    if isinstance(operand, tuple):
        return f"[{', '.join(map(_show, operand))}]"
    if type(operand) is int:
        return f"v{operand}"
    return f"{operand}" if operand.denominator == 1 and operand >= 0 else f"({operand})"


@st.composite
def programs(
    draw: st.DrawFn, operations: Collection[str] = RATIONAL, max_size: int = 10
) -> Program:
    """Programs on rational numbers that run without an error, with shared and repeated operands.

    Args:
        draw: given by Hypothesis.
        operations: those to choose from, by name.
        max_size: the largest number of instructions.

    >>> from hypothesis import find
    >>> find(programs(["neg"]), lambda program: len(program.instructions) == 2)
    Program(v0 = 0; v1 = neg(v0); v2 = neg(v0))
    """
    leaves = tuple(draw(st.lists(numbers(Fraction), min_size=1, max_size=3)))
    registers = [*leaves]
    instructions = []
    for _ in range(draw(st.integers(1, max_size))):
        instruction = draw(_instructions(draw(st.sampled_from([*operations])), len(registers)))
        try:
            *_, out = Program((), (instruction,)).run(registers)
        except ZeroDivisionError:
            continue
        if max(abs(out.numerator), out.denominator) < 2**200:  # repeated squares grow fast
            registers.append(out)
            instructions.append(instruction)
    return Program(leaves, tuple(instructions))


programs.__qualname__ = (
    "programs"  # pickle looks there, and Hypothesis names a function within its own
)


def _instructions(op: str, size: int) -> st.SearchStrategy[Instruction]:
    """Instructions for the next register after ``size`` others, one of which at least they read."""
    register = st.integers(0, size - 1)
    operand = register | numbers(Fraction)
    if op == "**":
        return st.builds(Instruction, st.just(op), st.tuples(register, EXPONENTS))
    arity = RULES[op].arity
    some = st.tuples(*[operand] * arity)
    one: st.SearchStrategy[Any] = st.one_of(
        [
            st.tuples(*(register if place == slot else operand for place in range(arity)))
            for slot in range(arity)
        ]
    )
    if RULES[op].variadic:
        few = st.lists(some, max_size=2)
        rows = st.tuples(few, one, few).map(lambda rows: (*rows[0], rows[1], *rows[2]))
        one = rows.map(lambda rows: tuple(zip(*rows, strict=True)))
    return st.builds(Instruction, st.just(op), one)
