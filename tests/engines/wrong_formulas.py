"""Mutants with a wrong formula: overflow on the way, lost tails, kinks, the edges of a domain."""

from __future__ import annotations

import math

from formulas import FORMULAS, divide, exp, power, sign
from mutation import mutation, scalar


def value(f):
    return {"value": f}


def slope(*derivatives):
    return {"derivatives": derivatives}


def both(f, *derivatives):
    return {"value": f, "derivatives": derivatives}


def by_base(f):
    """Another derivative of a power by its base."""
    return slope(f, FORMULAS["**"].derivatives[1])


def by_exponent(f):
    """Another derivative of a power by its exponent."""
    return slope(FORMULAS["**"].derivatives[0], f)


def slope_of_sigmoid(x):
    return FORMULAS["sigmoid"].derivatives[0](x, None)


TAILS = {
    "tanh": {
        "has 1 - out * out for its derivative": slope(lambda x, out: 1 - out * out),
        "clamps its operand at 10": both(
            lambda x: math.tanh(max(-10.0, min(x, 10.0))), lambda x, out: 1 - out * out
        ),
        "overflows in exp(2x)": value(lambda x: 1 - 2 / (math.exp(2 * x) + 1)),
        "has exp(x) - exp(-x) over their sum": value(
            lambda x: (math.exp(x) - math.exp(-x)) / (math.exp(x) + math.exp(-x))
        ),
        "loses small operands": value(lambda x: 1 - 2 / (exp(2 * x) + 1)),
        "has no derivative beyond 20": slope(
            lambda x, out: 4 * slope_of_sigmoid(2 * x) if abs(x) < 20 else 0.0
        ),
    },
    "sigmoid": {
        "overflows in exp(-x)": value(lambda x: 1 / (1 + math.exp(-x))),
        "is 0 below -50": value(lambda x: FORMULAS["sigmoid"].value(x) if x > -50 else 0.0),
        "has out * (1 - out) for its derivative": slope(lambda x, out: out * (1 - out)),
        "clamps its operand at 30": value(
            lambda x: FORMULAS["sigmoid"].value(max(-30.0, min(x, 30.0)))
        ),
    },
    "exp": {
        "clamps its operand at 60": value(lambda x: exp(min(x, 60.0))),
        "clamps its operand at -60": value(lambda x: exp(max(x, -60.0))),
        "has no derivative beyond 100": slope(lambda x, out: out if x < 100 else 0.0),
    },
    "expm1": {
        "is exp(x) - 1": value(lambda x: exp(x) - 1),
        "has out + 1 for its derivative": slope(lambda x, out: out + 1),
    },
    "log": {
        "adds 1e-12 to its operand": value(lambda x: math.log(x + 1e-12)),
        "takes at least 1e-7": value(lambda x: math.log(max(x, 1e-7))),
        "adds 1e-8 to its divisor": slope(lambda x, out: 1 / (x + 1e-8)),
    },
    "log1p": {"is log(1 + x)": value(lambda x: math.log(1 + x))},
    "sqrt": {
        "adds 1e-8 to its divisor": slope(lambda x, out: 0.5 / (out + 1e-8)),
        "takes at least 1e-12": value(lambda x: math.sqrt(max(x, 1e-12))),
    },
    "softplus": {
        "overflows in exp(x)": value(lambda x: math.log(1 + math.exp(x))),
        "is 0 below -30": value(lambda x: FORMULAS["softplus"].value(x) if x > -30 else 0.0),
        "is x above 5": both(
            lambda x: x if x > 5 else FORMULAS["softplus"].value(x),
            lambda x, out: 1.0 if x > 5 else FORMULAS["sigmoid"].value(x),
        ),
    },
    "logaddexp": {
        "overflows in exp(x)": value(lambda x, y: math.log(math.exp(x) + math.exp(y))),
    },
    "hypot": {"squares its operands": value(lambda x, y: math.sqrt(x * x + y * y))},
    "sinh": {"loses small operands": value(lambda x: (exp(x) - exp(-x)) / 2)},
    "elu": {
        "has out + 1 for its derivative": slope(lambda x, out: 1.0 if x > 0 else out + 1),
        "is exp(x) - 1": value(lambda x: x if x > 0 else exp(x) - 1),
    },
    "erf": {
        "has no derivative beyond 3": slope(
            lambda x, out: FORMULAS["erf"].derivatives[0](x, out) if abs(x) < 3 else 0.0
        ),
    },
    "sin": {"reduces by 6.2832": value(lambda x: math.sin(math.fmod(x, 6.2832)))},
    "cos": {"reduces by 6.2832": value(lambda x: math.cos(math.fmod(x, 6.2832)))},
    "arctan": {"overflows in x ** 2": slope(lambda x, out: 1 / (1 + float(x) ** 2))},
    "reciprocal": {
        "adds 1e-8 to its divisor": value(lambda x: 1 / (x + 1e-8)),
    },
    "/": {
        "has y * y for its divisor": slope(
            lambda x, y, out: divide(1.0, y), lambda x, y, out: divide(-x, y * y)
        ),
        "overflows in y ** -2": slope(
            lambda x, y, out: divide(1.0, y), lambda x, y, out: -x * float(y) ** -2
        ),
        "adds 1e-8 to its divisor": value(lambda x, y: divide(x, y + 1e-8)),
        "takes no divisor below 1e-12": value(lambda x, y: divide(x, y) if abs(y) > 1e-12 else 0.0),
    },
    "relu": {
        "ends at 6": both(lambda x: max(0.0, min(x, 6.0)), lambda x, out: float(0 < x < 6)),
        "has no derivative below 1e-6": slope(lambda x, out: float(x > 1e-6)),
    },
}

KINKS = {
    "relu": {
        "has a derivative of 2 at 0": slope(lambda x, out: 1.0 + (x == 0) if x >= 0 else 0.0),
        "has a derivative of 1 for any sign": slope(lambda x, out: float(out >= 0)),
        "has a derivative wherever its operand is not 0": slope(lambda x, out: float(x != 0)),
        "has a slope of 0.01 below 0": value(lambda x: x if x > 0 else 0.01 * x),
    },
    "leaky_relu": {
        "has a derivative of -0.01 below 0": slope(lambda x, out: 1.0 if x > 0 else -0.01),
        "has no derivative below 0": slope(lambda x, out: float(x > 0)),
    },
    "elu": {"has a derivative of 1 below 0": slope(lambda x, out: 1.0)},
    "abs": {
        "divides by 0 at 0": slope(lambda x, out: x / out),
        "is nan at 0": slope(lambda x, out: sign(x) if x else math.nan),
        "has a derivative of 2 at 0": slope(lambda x, out: sign(x) if x else 2.0),
        "has a derivative of 1 for any sign": slope(lambda x, out: 1.0),
    },
    "maximum": {
        "gives all to both at a tie": slope(
            lambda x, y, out: float(x == out), lambda x, y, out: float(y == out)
        ),
        "gives nothing at a tie": slope(
            lambda x, y, out: float(x > y), lambda x, y, out: float(y > x)
        ),
        "gives all to the first": slope(lambda x, y, out: 1.0, lambda x, y, out: 0.0),
    },
    "minimum": {
        "gives all to both at a tie": slope(
            lambda x, y, out: float(x == out), lambda x, y, out: float(y == out)
        ),
        "gives nothing at a tie": slope(
            lambda x, y, out: float(x < y), lambda x, y, out: float(y < x)
        ),
        "is the maximum for negative numbers": value(
            lambda x, y: max(x, y) if x < 0 and y < 0 else min(x, y)
        ),
    },
}

POWERS = {
    "**": {
        "has a positive value for any base": value(lambda x, y: power(abs(x), y)),
        "has a derivative by the base's size": by_base(lambda x, y, out: y * power(abs(x), y - 1)),
        "takes the logarithm of its base": value(lambda x, y: exp(y * math.log(x))),
        "divides by its base": by_base(lambda x, y, out: y * out / x),
        "divides by 0 at an exponent of 0": by_base(lambda x, y, out: y * float(x) ** (y - 1)),
        "has a derivative of 1 at an exponent of 0": by_base(
            lambda x, y, out: y * power(x, y - 1) if y else 1.0
        ),
        "has no derivative at a base of 0": by_base(
            lambda x, y, out: y * power(x, y - 1) if x and y else 0.0
        ),
        "does not lower the exponent": by_base(lambda x, y, out: y * out),
        "does not multiply by the exponent": by_base(lambda x, y, out: power(x, y - 1)),
        "has the exponent's size for a factor": by_base(
            lambda x, y, out: abs(y) * power(x, y - 1) if y else 0.0
        ),
        "truncates its exponent": value(lambda x, y: power(x, int(y))),
        "is a square for any exponent": by_base(lambda x, y, out: 2 * x),
    },
}

EXPONENTS = {
    "has no derivative by its exponent": by_exponent(lambda x, y, out: 0.0),
    "has a derivative by its exponent without the logarithm": by_exponent(lambda x, y, out: out),
    "has the base 10 in the derivative by its exponent": by_exponent(
        lambda x, y, out: out * math.log10(x) if x > 0 else 0.0
    ),
}

WRONG = {
    "sin": {"has -cos(x) for its derivative": slope(lambda x, out: -math.cos(x))},
    "cos": {"has sin(x) for its derivative": slope(lambda x, out: math.sin(x))},
    "tan": {"has 1 - out * out for its derivative": slope(lambda x, out: 1 - out * out)},
    "tanh": {
        "has 1 - x * x for its derivative": slope(lambda x, out: 1 - x * x),
        "has 1 - out for its derivative": slope(lambda x, out: 1 - out),
        "is off by 1e-7": slope(lambda x, out: 4 * slope_of_sigmoid(2 * x) * (1 + 1e-7)),
    },
    "sigmoid": {"has x * (1 - x) for its derivative": slope(lambda x, out: x * (1 - x))},
    "exp": {
        "has its operand for its derivative": slope(lambda x, out: x),
        "has x * exp(x - 1) for its derivative": slope(lambda x, out: x * exp(x - 1)),
    },
    "log": {
        "has 1 / out for its derivative": slope(lambda x, out: divide(1.0, out)),
        "is the logarithm to the base 10": value(math.log10),
    },
    "sqrt": {"has 2 / out for its derivative": slope(lambda x, out: divide(2.0, out))},
    "cosh": {"has -sinh(x) for its derivative": slope(lambda x, out: -math.sinh(x))},
    "arctan": {"has 1 / (1 - x * x) for its derivative": slope(lambda x, out: 1 / (1 - x * x))},
    "erf": {"has half its derivative": slope(lambda x, out: exp(-x * x) / math.sqrt(math.pi))},
    "/": {
        "has the sign wrong for its divisor": slope(
            lambda x, y, out: divide(1.0, y), lambda x, y, out: divide(out, y)
        ),
        "has no derivative by its divisor": slope(
            lambda x, y, out: divide(1.0, y), lambda x, y, out: 0.0
        ),
    },
    "*": {
        "has its own operand for each derivative": slope(lambda x, y, out: x, lambda x, y, out: y),
    },
    "-": {
        "has the sign wrong for its second operand": slope(
            lambda x, y, out: 1.0, lambda x, y, out: 1.0
        ),
    },
}


def plant(table, *found_by):
    """A mutant for each wrong formula, named by the property of its operation."""
    for op, defects in table.items():
        for defect, change in defects.items():
            formulas = {**FORMULAS, op: FORMULAS[op]._replace(**change)}
            mutation(defect, [op], found_by=found_by)(
                lambda _, formulas=formulas: scalar(formulas=formulas)
            )


plant(TAILS)
plant(KINKS, "kinks")
plant(POWERS, "powers of 0", "exponent 0", "negative base")
plant({"**": EXPONENTS}, "powers of 0")
plant(WRONG)
