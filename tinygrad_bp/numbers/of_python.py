"""Python's own types: ``float``, ``int``, ``Fraction`` and ``Decimal``."""

from __future__ import annotations

import math

from tinygrad_bp.errors import ExactnessError
from tinygrad_bp.numbers.floats import (
    BARE,
    EXTENDED,
    dot,
    is_nan,
)
from tinygrad_bp.numbers.kernels import Arithmetic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from tinygrad_bp.numbers.kernels import Number
    from tinygrad_bp.table.rules import Rule

EXACT = {
    "inf": math.inf,
    "nan": math.nan,
    "abs": abs,
    "normal": lambda x: x not in (0, -math.inf, math.inf),  # elsewhere no digits are lost
    "lost": lambda x, y: 0,  # noqa: ARG005
    "fsum": sum,
    "dot": dot,
}


def whole_literal(literal: float) -> float:
    """A number of the table as whole numbers take it."""
    return int(literal) if float(literal).is_integer() else literal


def _exact_power(base: Number, exponent: Number) -> Number:
    power = base**exponent
    if isinstance(power, float):
        raise ExactnessError("it has no exact value: use a whole exponent, or float(...)")
    return power


BARE_FLOAT = Arithmetic("float", BARE)
"""Floats through ``math`` alone, which raises at every corner: the quick way through a row."""


def knows_all_types(rule: Rule) -> bool:
    """Whether the operation itself knows how types meet, as the operators of Python do."""
    exact = rule.exact and rule.name != "**"
    return exact or rule.variadic or not rule.written


def _float_reads(rule: Rule) -> Callable[[Number], bool] | None:
    if knows_all_types(rule):
        return None
    return lambda operand: not isinstance(operand, (float, int))


FLOAT = Arithmetic("float", EXTENDED, reads=_float_reads, convert=float)

INT = Arithmetic(
    "int",
    {**EXTENDED, "fsum": sum, "pow": pow},
    literal=whole_literal,
    derivatives={  # of numbers that may be too large for a float, in quotients of whole numbers
        "/": ("1.0 / y", "-x / (y * y)"),
        "log2": ("1.0 / x / log(2.0)",),
        "log10": ("1.0 / x / log(10.0)",),
    },
)


def fraction() -> Arithmetic:
    """The arithmetic of fractions, exact or refused."""
    from fractions import Fraction

    return Arithmetic("Fraction", {**EXACT, "pow": _exact_power}, literal=Fraction)


def decimal() -> Arithmetic:
    """The arithmetic of decimals, with the digits of the context."""
    from decimal import Decimal

    own = {
        **EXACT,
        "inf": Decimal("inf"),
        "nan": Decimal("nan"),
        "exp": lambda x: Decimal(x).exp(),
        "log": lambda x: Decimal(x).ln(),
        "log10": lambda x: Decimal(x).log10(),
        "sqrt": lambda x: Decimal(x).sqrt(),
        "pow": lambda x, y: x**y if x != 0 or y != 0 else Decimal(1),  # as all other types have it
    }

    def reads(rule: Rule) -> Callable[[Number], bool] | None:
        if rule.variadic or not rule.written:
            return None
        return lambda operand: isinstance(operand, int)

    def missing(number: Number) -> bool:
        return number.is_nan() if isinstance(number, Decimal) else is_nan(number)

    derivatives = {"sigmoid": ("out * sigmoid(-x)",)}  # there is no cosh
    return Arithmetic(
        "Decimal",
        own,
        literal=Decimal.from_float,  # Decimal(0.5) is an error where the user's context traps floats
        reads=reads,
        convert=Decimal,
        missing=missing,
        derivatives=derivatives,
    )
