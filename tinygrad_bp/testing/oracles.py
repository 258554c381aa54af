"""What every row of the table should give, and how near it must come: written from the mathematics.

The oracles share nothing with the table.  They are evaluated in mpmath at 50 digits, and errors are
counted in ulps: the spacing of floats at the true result.  Where a row cannot keep the default
bound, 2 ulps for a value and 4 for a derivative, its own stands in its oracle with the reason.
The tests of the table and the command that measures it both read them here.
"""

# ruff: noqa: ARG005 - an oracle is a function of all the operands, whichever it uses

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import mpmath
from mpmath import mp, mpf

from tinygrad_bp.engine.operations import function_of
from tinygrad_bp.engine.value import Value
from tinygrad_bp.numbers.of_python import FLOAT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    from tinygrad_bp.table.rules import Rule

    Function: TypeAlias = Callable[..., Any]
    Operands: TypeAlias = tuple[Any, ...]

DIGITS = 50
INF = math.inf
TINY = mpf(2) ** -1074  # the smallest float: below 2**-1022 a rounding is of this size
EPS = mpf(2) ** -52
LARGEST = mpf(2) ** 1024


class Oracle(NamedTuple):
    """What a row should give, and how near it must come.

    Attributes:
        value: the function.
        derivatives: its derivative for each operand, by a formula of its own.
        ulps: how far the value, and each derivative, may be off.
        unit: for the value and each derivative, what counts as one ulp where that is larger than
            the result's own: where the row loses digits for a reason.  Infinite where nothing is
            promised.
        reason: why the row cannot keep the default bound, or needs a unit.
    """

    value: Function
    derivatives: tuple[Function, ...]
    ulps: tuple[float, ...] = (2, 4, 4)
    unit: tuple[Function | None, ...] = (None, None, None)
    reason: str = ""


# ---- the mathematics


def _one(*_: Any) -> Any:
    return mpf(1)


def _minus_one(*_: Any) -> Any:
    return mpf(-1)


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


def _bell(x: Any) -> Any:
    return mp.exp(-(x**2))


def _erfc(x: Any) -> Any:
    if x > 1000:  # mpmath overflows in its series; the factor left out does not reach a float
        return _bell(x)
    return mp.erfc(x) if x > -1000 else mpf(2)


def _normal(x: Any) -> Any:
    return _erfc(-x / mp.sqrt(2)) / 2


def _density(x: Any) -> Any:
    return _bell(x / mp.sqrt(2)) / mp.sqrt(2 * mp.pi)


def _cube_root(x: Any) -> Any:
    return mp.sign(x) * mp.root(abs(x), 3)


def _step(x: Any) -> Any:
    return (1 + mp.sign(x)) / 2


def _power_dx(x: Any, y: Any) -> Any:
    if y == 0:
        return mpf(0)
    if x == 0:
        return mpf(1) if y == 1 else mpf(0) if y > 1 else mp.inf
    return y * mp.power(x, y) / x


def _power_dy(x: Any, y: Any) -> Any:
    if x == 0:
        return mpf(0)
    return mp.power(x, y) * mp.log(x) if x > 0 else mp.nan


def _at_the_edge(edge: float, inside: Function, limit: Any) -> Function:
    return lambda x: limit if abs(x) == edge else inside(x)


def _pythagoras(x: Any, y: Any) -> Any:
    return mp.sqrt(x**2 + y**2)


def _over_pythagoras(number: Function) -> Function:
    return lambda x, y: number(x, y) / _pythagoras(x, y) if x or y else mpf(0)


def _turning(number: Function) -> Function:
    return lambda x, y: number(x, y) / (x**2 + y**2) if x or y else mp.nan


def _exact_sum(terms: Any) -> Any:
    with mpmath.workprec(6000):  # from the smallest product of floats to the largest
        return sum(terms, mpf(0))


def _exact_dot(w: Any, x: Any) -> Any:
    with mpmath.workprec(6000):
        return _exact_sum(a * b for a, b in zip(w, x, strict=True))


def _logaddexp(x: Any, y: Any) -> Any:
    return max(x, y) + mp.log1p(mp.exp(-abs(x - y)))


_LIBRARY = "the libraries of C allow themselves 2 ulps here, and a rounding comes on top"
ORACLES: dict[str, Oracle] = {
    "+": Oracle(lambda x, y: x + y, (_one, _one)),
    "-": Oracle(lambda x, y: x - y, (_one, _minus_one)),
    "*": Oracle(lambda x, y: x * y, (lambda x, y: y, lambda x, y: x)),
    "/": Oracle(
        lambda x, y: x / y,
        (lambda x, y: 1 / y, lambda x, y: -x / y**2),
    ),
    "**": Oracle(
        mp.power,
        (_power_dx, _power_dy),
    ),
    "neg": Oracle(lambda x: -x, (_minus_one,)),
    "abs": Oracle(abs, (mp.sign,)),
    "exp": Oracle(mp.exp, (mp.exp,)),
    "expm1": Oracle(mp.expm1, (mp.exp,)),
    "log": Oracle(mp.log, (lambda x: 1 / x,)),
    "log1p": Oracle(mp.log1p, (lambda x: 1 / (1 + x),)),
    "log2": Oracle(lambda x: mp.log(x) / mp.log(2), (lambda x: 1 / (x * mp.log(2)),)),
    "log10": Oracle(lambda x: mp.log(x) / mp.log(10), (lambda x: 1 / (x * mp.log(10)),)),
    "sqrt": Oracle(mp.sqrt, (_at_the_edge(0, lambda x: 1 / (2 * mp.sqrt(x)), mp.inf),)),
    "cbrt": Oracle(
        _cube_root,
        (_at_the_edge(0, lambda x: 1 / (3 * _cube_root(x) ** 2), mp.inf),),
    ),
    "square": Oracle(lambda x: x**2, (lambda x: 2 * x,)),
    "reciprocal": Oracle(lambda x: 1 / x, (lambda x: -1 / x**2,)),
    "sin": Oracle(mp.sin, (mp.cos,)),
    "cos": Oracle(mp.cos, (lambda x: -mp.sin(x),)),
    "tan": Oracle(mp.tan, (lambda x: mp.sec(x) ** 2,)),
    "arcsin": Oracle(mp.asin, (_at_the_edge(1, lambda x: 1 / mp.sqrt(1 - x**2), mp.inf),)),
    "arccos": Oracle(mp.acos, (_at_the_edge(1, lambda x: -1 / mp.sqrt(1 - x**2), -mp.inf),)),
    "arctan": Oracle(
        mp.atan,
        (lambda x: 1 / (1 + x**2),),
    ),
    "arctan2": Oracle(
        mp.atan2,
        (_turning(lambda x, y: y), _turning(lambda x, y: -x)),
        ulps=(2, 8, 8),
        reason="subnormal operands are brought into range by the root of their hypotenuse, in whatever "
        "type, and back by the same: eight roundings",
    ),
    "sinh": Oracle(mp.sinh, (mp.cosh,), ulps=(3, 4), reason=_LIBRARY),
    "cosh": Oracle(mp.cosh, (mp.sinh,), ulps=(3, 4), reason=_LIBRARY),
    "tanh": Oracle(
        mp.tanh,
        (lambda x: mp.sech(x) ** 2,),
        ulps=(3, 5),
        reason=_LIBRARY + "; the derivative is a product of two sigmoids, of three roundings each",
    ),
    "arcsinh": Oracle(mp.asinh, (lambda x: 1 / mp.sqrt(1 + x**2),)),
    "arccosh": Oracle(mp.acosh, (_at_the_edge(1, lambda x: 1 / mp.sqrt(x**2 - 1), mp.inf),)),
    "arctanh": Oracle(mp.atanh, (lambda x: 1 / (1 - x**2),)),
    "hypot": Oracle(
        _pythagoras,
        (_over_pythagoras(lambda x, y: x), _over_pythagoras(lambda x, y: y)),
    ),
    "maximum": Oracle(max, (lambda x, y: _step(x - y), lambda x, y: _step(y - x))),
    "minimum": Oracle(min, (lambda x, y: _step(y - x), lambda x, y: _step(x - y))),
    "erf": Oracle(
        lambda x: mp.erf(x) if abs(x) < 1000 else mp.sign(x),
        (lambda x: 2 / mp.sqrt(mp.pi) * _bell(x),),
    ),
    "erfc": Oracle(
        _erfc,
        (lambda x: -2 / mp.sqrt(mp.pi) * _bell(x),),
        ulps=(4, 4),
        reason="the C library's erfc is off by up to 4",
    ),
    "gaussian": Oracle(
        _bell,
        (lambda x: -2 * x * _bell(x),),
    ),
    "ndtr": Oracle(
        _normal,
        (_density,),
        ulps=(5, 6),
        reason="the C library's erfc is off by up to 4; in the derivative the square doubles "
        "gaussian's 2",
    ),
    "identity": Oracle(lambda x: x, (_one,)),
    "sigmoid": Oracle(
        _sigmoid,
        (lambda x: _sigmoid(x) * _sigmoid(-x),),
        ulps=(3, 5),
        reason="three roundings; the derivative is a product of two such values",
    ),
    "softplus": Oracle(lambda x: max(x, 0) + mp.log1p(mp.exp(-abs(x))), (_sigmoid,)),
    "relu": Oracle(lambda x: max(x, mpf(0)), (lambda x: mpf(x > 0),)),
    "leaky_relu": Oracle(lambda x: max(x, x / 100), (lambda x: 1 if x > 0 else mpf(1) / 100,)),
    "elu": Oracle(lambda x: x if x > 0 else mp.expm1(x), (lambda x: 1 if x > 0 else mp.exp(x),)),
    "silu": Oracle(
        lambda x: x * _sigmoid(x),
        (lambda x: _sigmoid(x) * (1 + x * _sigmoid(-x)),),
        ulps=(4, 4),
        unit=(None, lambda x: EPS * _sigmoid(x) * (1 + abs(x) * _sigmoid(-x))),
        reason="the roundings of sigmoid and of the product; "
        "the derivative is a difference of two terms, 0 at -1.278, "
        "and its error is small beside these",
    ),
    "gelu": Oracle(
        lambda x: x * _normal(x),
        (lambda x: _normal(x) + x * _density(x),),
        ulps=(6, 8),
        unit=(None, lambda x: EPS * (_normal(x) + abs(x) * _density(x))),
        reason="the roundings of ndtr and of the product; "
        "the derivative is a difference of two terms, 0 at -0.752, "
        "and its error is small beside these",
    ),
    "logaddexp": Oracle(
        _logaddexp,
        (lambda x, y: _sigmoid(x - y), lambda x, y: _sigmoid(y - x)),
        ulps=(2, 4, 4),
        unit=(lambda x, y: EPS * (abs(max(x, y)) + mp.log1p(mp.exp(-abs(x - y)))), None, None),
        reason="a value near 0 is the difference of the larger operand and the logarithm, and its "
        "error is small beside these",
    ),
    "fsum": Oracle(
        _exact_sum,
        (lambda x: [mpf(1)] * len(x),),
        ulps=(1, 0),
    ),
    "dot": Oracle(
        _exact_dot,
        (lambda w, x: x, lambda w, x: w),
        ulps=(1, 0, 0),
        unit=(
            lambda w, x: (
                INF
                if (gross := sum(abs(mpf(a) * b) for a, b in zip(w, x, strict=True))) >= LARGEST
                else len(w) * (EPS * gross + TINY)
            ),
            None,
            None,
        ),
        reason="a chain of products and sums, as long as the lists, each rounded at the size of the "
        "whole; nothing is promised where the sum of the sizes overflows",
    ),
}


# ---- ulps


def ulps_off(got: float, truth: Any, unit: Any = 0.0) -> float:
    """How many ulps a float is away from the truth; infinity is one past the largest float."""
    if unit == INF:  # nothing is promised
        return 0.0
    if mp.isnan(truth):
        return 0.0 if math.isnan(got) else INF
    if math.isnan(got):
        return INF
    if mp.isinf(truth):
        return 0.0 if got == truth else INF
    edge = LARGEST if abs(truth) >= LARGEST else None
    if edge:
        truth = edge if truth > 0 else -edge
    ulp = mpf(2) ** 971 if edge else mpf(math.ulp(float(truth)))
    if mp.isinf(ulp):  # rounds up to the edge
        ulp = mpf(2) ** 971
    if math.isinf(got):
        got = math.copysign(1, got) * LARGEST
    return float(abs(mpf(got) - truth) / max(ulp, unit))


class Result(NamedTuple):
    """One of the numbers that a row gave, beside the truth.

    Attributes:
        slot: 0 for the value, and from 1 on for the derivatives.
        got: the number.
        truth: what it should be, to 50 digits.
        unit: what counts as one ulp where that is larger than the truth's own.
    """

    slot: int
    got: float
    truth: Any
    unit: Any

    @property
    def off(self) -> float:
        """The error, in the larger of the oracle's unit and an ulp."""
        return ulps_off(self.got, self.truth, self.unit)


def results(rule: Rule, at: Operands, oracle: Oracle | None = None) -> list[Result]:
    """The value of a row at some floats, then its derivatives, each beside the truth.

    Args:
        rule: the row.
        at: the operands; lists where the row takes lists, which have a derivative for each element.
        oracle: the truth; the row's own by default.

    >>> from tinygrad_bp.table.rules import RULES
    >>> [result.off < 1 for result in results(RULES["tanh"], (20.0,))]
    [True, True]
    """
    oracle = oracle or ORACLES[rule.name]
    leaves = [[*map(Value, each)] if rule.variadic else Value(each) for each in at]
    node = function_of(rule)(*leaves)
    size = len(at[0]) if rule.variadic else 1
    with mpmath.workdps(DIGITS):
        exact = [_exact(each) for each in at]
        truths = [oracle.value(*exact), *_flat(each(*exact) for each in oracle.derivatives)]
        units = [unit(*exact) if unit else 0.0 for unit in oracle.unit]
    slots = [(place + size - 1) // size for place in range(len(truths))]
    return [
        Result(slot, got, truth, units[slot])
        for slot, got, truth in zip(
            slots, [node.data, *node.local_derivatives], truths, strict=True
        )
    ]


def _exact(operand: Any) -> Any:
    return [*map(mpf, operand)] if isinstance(operand, list) else mpf(operand)


def _flat(numbers: Iterable[Any]) -> list[Any]:
    return [one for each in numbers for one in (each if isinstance(each, list) else [each])]


# ---- hard points

SMALL = (5e-324, 2.2e-308, 1e-300, 1e-160, 1e-17)
EVERYWHERE = [sign * size for size in SMALL for sign in (1.0, -1.0)] + [0.0, 1.0, -1.0, 1e15, 1e308]

HARD: dict[str, list[Operands]] = {
    "/": [(1.0, 5e-324), (1e-300, 1e-300), (1e308, 1e308), (1e-308, 1e300), (1.0, 1e-200)],
    "**": [
        *[(2.0, 1023.5), (2.0, -1074.0), (1.0000000000000002, 1e16), (0.9999999999999999, 1e17)],
        *[(1e300, 1.02), (1e-300, 0.1), (1e-300, -0.5), (3.0, 0.1), (1e308, 0.3), (7.0, 2.5)],
        *[(-3.0, 3.0), (-3.0, -2.0), (-0.5, 1023.0), (1e-307, 0.5), (5e-324, 1.0), (2.0, 1e-20)],
        *[
            (1e-310, 2.0**-20),
            (5e-324, 0.99),
            (5e-324, 0.25),
            (1.42e229, -1.379),
            (1.0001, 7098200.0),
            (1.3805992383354621e-46, 7.925433408156325),
        ],
        # from 2**53 on, y - 1 is not a float, and its parity says nothing
        *[(-0.9999999999999999, 2.0**53 + 2.0), (-1.0, 2.0**54), (-7e-12, -2.8106880000220428e16)],
        *[(0.0, 1e17), (0.0, 2.0**53), (1.5, 3.0), (1.1, 300.0)],
    ],
    "exp": [(709.7,), (709.8,), (-745.1,), (-746.0,), (-708.5,)],
    "expm1": [(709.8,), (-745.0,), (1e-10,), (-1e-10,)],
    "log": [(1.0,), (0.9999999999999999,), (1.0000000000000002,), (0.9999,), (1.0001,)],
    "log1p": [(1e-10,), (-1e-10,), (-0.9999999999999999,), (-0.5,)],
    "log2": [(1.0,), (0.9999999999999999,), (1.0000000000000002,), (8.0,), (5e-309,)],
    "log10": [(1.0,), (0.9999999999999999,), (1.0000000000000002,), (1000.0,), (5e-309,)],
    "cbrt": [(0.9999999999999998,), (-27.0,), (1.8438967064920561e-159,)],
    "sin": [(1e22,), (3.141592653589793,), (1e308,)],
    "cos": [(1e22,), (1.5707963267948966,), (1e308,)],
    "tan": [(1e22,), (1.5707963267948966,), (3.141592653589793,)],
    "arcsin": [(0.9999999999999999,), (-0.9999999999999999,), (1e-9,)],
    "arccos": [(0.9999999999999999,), (-0.9999999999999999,), (1e-9,)],
    "arctan": [(1e200,), (-1e200,), (1e-9,)],
    "arctan2": [
        (1.5e308, 1.5e308),
        (1.7e308, -1e300),
        (1e200, 1e200),
        (1e-200, -1e-200),
        (1e300, 1e-300),
        (-1.0, -1e-9),
        (6.576e-321, -6.10976365e-315),
        (-2.147079825e-314, 4.634e-321),
    ],
    "sinh": [(710.4,), (-710.4,), (710.5,), (1e-9,)],
    "cosh": [(710.4,), (-710.4,), (710.5,), (1e-9,)],
    "tanh": [(20.0,), (-20.0,), (300.0,), (355.0,), (372.0,), (400.0,), (1e-9,), (0.01,)],
    "arcsinh": [(1e200,), (-1e200,), (1e-9,)],
    "arccosh": [(1.0000000000000002,), (1.5,), (1e300,)],
    "arctanh": [(0.9999999999999999,), (-0.9999999999999999,), (1e-9,)],
    "hypot": [
        (3.0, 4.0),
        (1.5e308, -1.5e308),
        (5e-324, 5e-324),
        (1e-3, -1.0),
        (2.0, -1e-9),
        (1e200, 1e200),
        (1e-200, 1e-200),
        (1e300, 1e-300),
    ],
    "erf": [(1e-9,), (0.01,), (6.0,), (26.0,), (27.0,)],
    "erfc": [(26.0,), (27.0,), (-6.0,), (0.5,)],
    "gaussian": [
        (24.600046872598053,),
        (26.0,),
        (-26.5,),
        (26.640767740354836,),
        (27.2,),
        (1.44e308,),
        (0.1,),
    ],
    "ndtr": [(-36.0,), (-37.5,), (-38.0,), (8.0,), (-1.5,), (-1e5,)],
    "sigmoid": [(700.0,), (-700.0,), (-745.0,), (36.0,), (-36.0,)],
    "softplus": [(1000.0,), (-1000.0,), (-745.0,), (36.0,), (-36.0,)],
    "elu": [(-1e-9,), (-745.0,), (1e-300,)],
    "silu": [(700.0,), (-700.0,), (-1.2784645427610738,), (-745.0,), (-1e5,)],
    "gelu": [(-36.0,), (-0.7517915246935645,), (-37.5,), (-38.1,), (8.0,), (-1e5,)],
    "logaddexp": [
        *[(1000.0, 1000.0), (-1000.0, -1000.0), (1000.0, -1000.0), (0.0, -40.0), (1e308, 1e308)],
        *[(-0.6931471805599453, -0.6931471805599453), (-1000.0, 1000.0), (0.0, 1e-17)],
    ],
    "fsum": [([1e16, 1.0, -1e16],), ([0.1] * 10,), ([1e308, 1e308, -1e308],), ([5e-324],)],
    "dot": [([1e8, 1.0], [1e8, 1.0]), ([0.1, 0.2], [0.3, -0.15]), ([1e308], [10.0])],
}


def hard_points(rule: Rule) -> list[Operands]:
    """The points at which a row is most likely to be wrong, as far as they are in its domain."""
    points = [*HARD.get(rule.name, ())]
    if not rule.variadic:
        points += itertools.product(EVERYWHERE, repeat=rule.arity)
    return [at for at in points if rule.variadic or FLOAT.in_domain(rule, at)]
