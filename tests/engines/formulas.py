"""Values and derivatives of the functions that the engines have, accurate over their whole domains.

They are written with `math` alone, so that they owe nothing to the table of rules.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Formula(NamedTuple):
    """A function of one or two numbers.

    Attributes:
        value: a function of the operands.
        derivatives: one function for each operand, of the operands and the output.
    """

    value: Callable[..., float]
    derivatives: tuple[Callable[..., float], ...]


def divide(x: float, y: float) -> float:
    """The quotient, infinite or nan where Python raises an error."""
    if y:
        return x / y
    return x * math.copysign(math.inf, y)


def exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def log(x: float) -> float:
    return math.log(x) if x else -math.inf


def power(x: float, y: float) -> float:
    """The power, infinite where it overflows and at 0 ** -1.

    Raises:
        ValueError: of a negative number a power that is not whole.
    """
    if x == 0 and y < 0:
        return math.inf
    if x < 0 and y != int(y):
        raise ValueError(f"({x}) ** {y} is not real")
    try:
        return float(x) ** y
    except OverflowError:
        return math.inf if x > 0 or y % 2 == 0 else -math.inf


def power_by_base(x: float, y: float, _: float) -> float:
    return y * power(x, y - 1) if y else 0.0


def power_by_exponent(x: float, y: float, out: float) -> float:
    if x == 0:
        return 0.0 if y > 0 else -math.inf
    return out * log(x)


def sigmoid(x: float) -> float:
    e = exp(-abs(x))
    return 1 / (1 + e) if x >= 0 else e / (1 + e)


def sigmoid_slope(x: float) -> float:
    e = exp(-abs(x))
    return e / (1 + e) ** 2


def softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(exp(-abs(x)))


def sinh(x: float) -> float:
    return math.sinh(x) if abs(x) < 710 else math.copysign(math.inf, x)


def cosh(x: float) -> float:
    return math.cosh(x) if abs(x) < 710 else math.inf


def logaddexp(x: float, y: float) -> float:
    return max(x, y) + math.log1p(exp(-abs(x - y)))


def sign(x: float) -> float:
    return math.copysign(1.0, x) if x else x


def share(x: float, y: float) -> float:
    """The part of x in the derivative of a maximum; a tie is shared in halves."""
    return 0.5 if x == y else float(x > y)


def gaussian(x: float) -> float:
    return exp(-x * x)


ARITHMETIC = {
    "+": Formula(lambda x, y: x + y, (lambda x, y, out: 1.0, lambda x, y, out: 1.0)),
    "-": Formula(lambda x, y: x - y, (lambda x, y, out: 1.0, lambda x, y, out: -1.0)),
    "*": Formula(lambda x, y: x * y, (lambda x, y, out: y, lambda x, y, out: x)),
    "/": Formula(divide, (lambda x, y, out: divide(1.0, y), lambda x, y, out: divide(-out, y))),
    "**": Formula(power, (power_by_base, power_by_exponent)),
}
"""The operators of two operands."""

SIGNS = {
    "neg": Formula(lambda x: -x, (lambda x, out: -1.0,)),
    "abs": Formula(abs, (lambda x, out: sign(x),)),
}
"""The operators of one operand."""

FUNCTIONS = {
    "exp": Formula(exp, (lambda x, out: out,)),
    "expm1": Formula(lambda x: math.expm1(x) if x < 709 else exp(x), (lambda x, out: exp(x),)),
    "log": Formula(log, (lambda x, out: divide(1.0, x),)),
    "log1p": Formula(math.log1p, (lambda x, out: 1 / (1 + x),)),
    "sqrt": Formula(math.sqrt, (lambda x, out: divide(0.5, out),)),
    "square": Formula(lambda x: x * x, (lambda x, out: 2 * x,)),
    "reciprocal": Formula(lambda x: divide(1.0, x), (lambda x, out: divide(-out, x),)),
    "sin": Formula(math.sin, (lambda x, out: math.cos(x),)),
    "cos": Formula(math.cos, (lambda x, out: -math.sin(x),)),
    "tan": Formula(math.tan, (lambda x, out: 1 + out * out,)),
    "arctan": Formula(math.atan, (lambda x, out: 1 / (1 + x * x),)),
    "sinh": Formula(sinh, (lambda x, out: cosh(x),)),
    "cosh": Formula(cosh, (lambda x, out: sinh(x),)),
    "tanh": Formula(math.tanh, (lambda x, out: 4 * sigmoid_slope(2 * x),)),
    "sigmoid": Formula(sigmoid, (lambda x, out: sigmoid_slope(x),)),
    "softplus": Formula(softplus, (lambda x, out: sigmoid(x),)),
    "relu": Formula(lambda x: max(x, 0.0), (lambda x, out: float(x > 0),)),
    "leaky_relu": Formula(
        lambda x: x if x > 0 else 0.01 * x, (lambda x, out: 1.0 if x > 0 else 0.01,)
    ),
    "elu": Formula(
        lambda x: x if x > 0 else math.expm1(x), (lambda x, out: 1.0 if x > 0 else exp(x),)
    ),
    "erf": Formula(math.erf, (lambda x, out: 2 / math.sqrt(math.pi) * gaussian(x),)),
    "maximum": Formula(max, (lambda x, y, out: share(x, y), lambda x, y, out: share(y, x))),
    "minimum": Formula(min, (lambda x, y, out: share(y, x), lambda x, y, out: share(x, y))),
    "hypot": Formula(
        math.hypot, (lambda x, y, out: divide(x, out), lambda x, y, out: divide(y, out))
    ),
    "logaddexp": Formula(
        logaddexp, (lambda x, y, out: sigmoid(x - y), lambda x, y, out: sigmoid(y - x))
    ),
}
"""The functions, by their names in our table."""

FORMULAS = {**ARITHMETIC, **SIGNS, **FUNCTIONS}
