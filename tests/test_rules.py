"""Every row of the table against mpmath at 50 digits, sympy and exact fractions, row by row.

The oracles below are written from the mathematics and share nothing with the table.  Errors are
counted in ulps; where a row cannot keep the default bound its own stands in its oracle, with the
reason beside it.
"""

from __future__ import annotations

import ast
import itertools
import math
import sys
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import mpmath
import pytest
import sympy as sp
from hypothesis import HealthCheck, Phase, assume, find, given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from tinygrad_bp import RULES, DomainError, ExactnessError, Value
from tinygrad_bp.arithmetic import FLOAT, arithmetic_of
from tinygrad_bp.rules import CONSTANTS, PARAMETERS, Rule, parse
from tinygrad_bp.testing.strategies import OPERATIONS, numbers, operands
from tinygrad_bp.value import function_of

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
SCALAR_ROWS = pytest.mark.parametrize(
    "rule", [rule for rule in RULES.values() if not rule.variadic], ids=lambda rule: rule.name
)
NAN, INF = math.nan, math.inf
TINY = mpf(2) ** -1074  # the smallest float: below 2**-1022 a rounding is of this size
EPS = mpf(2) ** -52
LARGEST = mpf(2) ** 1024


@pytest.fixture(autouse=True)
def fifty_digits():
    with mpmath.workdps(50):
        yield


# ---- the oracles


class Oracle(NamedTuple):
    """What a row should give, and how near it must come.

    Attributes:
        value: the function.
        derivatives: its derivative for each operand, by a formula of its own.
        ulps: how far the value, and each derivative, may be off.
        unit: for the value and each derivative, what counts as one ulp where that is larger than
            the result's own: where the row loses digits for a reason, stated beside it.
    """

    value: Callable[..., Any]
    derivatives: tuple[Callable[..., Any], ...]
    ulps: tuple[float, ...] = (2, 4, 4)
    unit: tuple[Callable[..., Any] | None, ...] = (None, None, None)


def one(*_):
    return mpf(1)


def minus_one(*_):
    return mpf(-1)


def sigmoid(x):
    return 1 / (1 + mp.exp(-x))


def bell(x):
    return mp.exp(-(x**2))


def erfc(x):
    if x > 1000:  # mpmath overflows in its series; the factor left out does not reach a float
        return bell(x)
    return mp.erfc(x) if x > -1000 else mpf(2)


def normal(x):
    return erfc(-x / mp.sqrt(2)) / 2


def density(x):
    return bell(x / mp.sqrt(2)) / mp.sqrt(2 * mp.pi)


def cube_root(x):
    return mp.sign(x) * mp.root(abs(x), 3)


def step(x):
    return (1 + mp.sign(x)) / 2


def power_dx(x, y):
    if y == 0:
        return mpf(0)
    if x == 0:
        return mpf(1) if y == 1 else mpf(0) if y > 1 else mp.inf
    return y * mp.power(x, y) / x


def power_dy(x, y):
    if x == 0:
        return mpf(0)
    return mp.power(x, y) * mp.log(x) if x > 0 else mp.nan


def at_the_edge(edge, inside, limit):
    return lambda x: limit if abs(x) == edge else inside(x)


def pythagoras(x, y):
    return mp.sqrt(x**2 + y**2)


def by_hypot(x, y):
    """A hypotenuse or quotient that is subnormal is rounded by TINY before hypot divides it.

    Above half the largest float nothing is promised: CPython's hypot may overflow there already.
    """
    hypotenuse = pythagoras(x, y)
    return INF if hypotenuse > LARGEST / 2 else TINY / hypotenuse if hypotenuse else 0


def over_pythagoras(number):
    return lambda x, y: number(x, y) / pythagoras(x, y) if x or y else mpf(0)


def turning(number):
    return lambda x, y: number(x, y) / (x**2 + y**2) if x or y else mp.nan


def exact_sum(terms):
    with mpmath.workprec(6000):  # from the smallest product of floats to the largest
        return sum(terms, mpf(0))


def exact_dot(w, x):
    with mpmath.workprec(6000):
        return exact_sum(a * b for a, b in zip(w, x, strict=True))


def logaddexp(x, y):
    return max(x, y) + mp.log1p(mp.exp(-abs(x - y)))


ORACLES = {
    "+": Oracle(lambda x, y: x + y, (one, one)),
    "-": Oracle(lambda x, y: x - y, (one, minus_one)),
    "*": Oracle(lambda x, y: x * y, (lambda x, y: y, lambda x, y: x)),
    # The quotient, where it is subnormal, is rounded by TINY; division by a small y magnifies that.
    "/": Oracle(
        lambda x, y: x / y,
        (lambda x, y: 1 / y, lambda x, y: -x / y**2),
        unit=(None, None, lambda x, y: TINY / abs(y)),
    ),
    # So it is with a subnormal power, which is multiplied by y, y/x or log(x).  x**(y - 1) may
    # overflow where y is a fraction and y times it would not: x is then subnormal, or nearly so.
    "**": Oracle(
        mp.power,
        (power_dx, power_dy),
        unit=(
            None,
            lambda x, y: (
                INF
                if 0 < abs(x) < 1e-307 and 0 < abs(y) < 1
                else TINY * abs(y) * max(1, 1 / abs(x) if x else 0)
            ),
            lambda x, y: TINY * abs(mp.log(abs(x))) if x else 0,
        ),
    ),
    "neg": Oracle(lambda x: -x, (minus_one,)),
    "abs": Oracle(abs, (mp.sign,)),
    "exp": Oracle(mp.exp, (mp.exp,)),
    "expm1": Oracle(mp.expm1, (mp.exp,)),
    "log": Oracle(mp.log, (lambda x: 1 / x,)),
    "log1p": Oracle(mp.log1p, (lambda x: 1 / (1 + x),)),
    "log2": Oracle(lambda x: mp.log(x) / mp.log(2), (lambda x: 1 / (x * mp.log(2)),)),
    "log10": Oracle(lambda x: mp.log(x) / mp.log(10), (lambda x: 1 / (x * mp.log(10)),)),
    "sqrt": Oracle(mp.sqrt, (at_the_edge(0, lambda x: 1 / (2 * mp.sqrt(x)), mp.inf),)),
    "cbrt": Oracle(  # the square doubles the root's rounding, below a power of two twice over
        cube_root, (at_the_edge(0, lambda x: 1 / (3 * cube_root(x) ** 2), mp.inf),), ulps=(2, 5)
    ),
    "square": Oracle(lambda x: x**2, (lambda x: 2 * x,)),
    "reciprocal": Oracle(lambda x: 1 / x, (lambda x: -1 / x**2,)),
    "sin": Oracle(mp.sin, (mp.cos,)),
    "cos": Oracle(mp.cos, (lambda x: -mp.sin(x),)),
    "tan": Oracle(mp.tan, (lambda x: mp.sec(x) ** 2,)),
    "arcsin": Oracle(mp.asin, (at_the_edge(1, lambda x: 1 / mp.sqrt(1 - x**2), mp.inf),)),
    "arccos": Oracle(mp.acos, (at_the_edge(1, lambda x: -1 / mp.sqrt(1 - x**2), -mp.inf),)),
    "arctan": Oracle(mp.atan, (lambda x: 1 / (1 + x**2),), ulps=(2, 5)),  # a square, as in cbrt
    "arctan2": Oracle(
        mp.atan2,
        (turning(lambda x, y: y), turning(lambda x, y: -x)),
        unit=(None, by_hypot, by_hypot),
    ),
    "sinh": Oracle(mp.sinh, (mp.cosh,), ulps=(3, 4)),  # the libraries of C allow themselves 2
    "cosh": Oracle(mp.cosh, (mp.sinh,), ulps=(3, 4)),
    # The square doubles the two roundings of 1/cosh(x), the library's among them.
    "tanh": Oracle(mp.tanh, (lambda x: mp.sech(x) ** 2,), ulps=(3, 6)),
    "arcsinh": Oracle(mp.asinh, (lambda x: 1 / mp.sqrt(1 + x**2),)),
    "arccosh": Oracle(mp.acosh, (at_the_edge(1, lambda x: 1 / mp.sqrt(x**2 - 1), mp.inf),)),
    "arctanh": Oracle(mp.atanh, (lambda x: 1 / (1 - x**2),)),
    "hypot": Oracle(
        pythagoras,
        (over_pythagoras(lambda x, y: x), over_pythagoras(lambda x, y: y)),
        unit=(lambda x, y: INF if pythagoras(x, y) > LARGEST / 2 else 0, by_hypot, by_hypot),
    ),
    "maximum": Oracle(max, (lambda x, y: step(x - y), lambda x, y: step(y - x))),
    "minimum": Oracle(min, (lambda x, y: step(y - x), lambda x, y: step(x - y))),
    "erf": Oracle(
        lambda x: mp.erf(x) if abs(x) < 1000 else mp.sign(x),
        (lambda x: 2 / mp.sqrt(mp.pi) * bell(x),),
    ),
    # erfc of the C library is off by up to 4.
    "erfc": Oracle(erfc, (lambda x: -2 / mp.sqrt(mp.pi) * bell(x),), ulps=(4, 4)),
    "gaussian": Oracle(bell, (lambda x: -2 * x * bell(x),), unit=(None, lambda x: TINY * abs(x))),
    "ndtr": Oracle(normal, (density,), ulps=(5, 6)),  # erfc's 4; twice gaussian's 2
    "identity": Oracle(lambda x: x, (one,)),
    # Three roundings near 1/x each; the derivative is a product of two of them.
    "sigmoid": Oracle(sigmoid, (lambda x: sigmoid(x) * sigmoid(-x),), ulps=(3, 5)),
    "softplus": Oracle(lambda x: max(x, 0) + mp.log1p(mp.exp(-abs(x))), (sigmoid,)),
    "relu": Oracle(lambda x: max(x, mpf(0)), (lambda x: mpf(x > 0),)),
    "leaky_relu": Oracle(lambda x: max(x, x / 100), (lambda x: 1 if x > 0 else mpf(1) / 100,)),
    "elu": Oracle(lambda x: x if x > 0 else mp.expm1(x), (lambda x: 1 if x > 0 else mp.exp(x),)),
    # A subnormal sigmoid or ndtr is rounded by TINY and multiplied by x.  The derivative is 0 at
    # -1.278 and at -0.752, as a difference of two terms: its error is small beside these.
    "silu": Oracle(
        lambda x: x * sigmoid(x),
        (lambda x: sigmoid(x) * (1 + x * sigmoid(-x)),),
        ulps=(5, 5),
        unit=(
            lambda x: TINY * abs(x),
            lambda x: TINY * abs(x) + EPS * sigmoid(x) * (1 + abs(x) * sigmoid(-x)),
        ),
    ),
    "gelu": Oracle(
        lambda x: x * normal(x),
        (lambda x: normal(x) + x * density(x),),
        ulps=(6, 8),
        unit=(
            lambda x: TINY * abs(x),
            lambda x: TINY * abs(x) + EPS * (normal(x) + abs(x) * density(x)),
        ),
    ),
    # x - y is rounded, and exp magnifies that by |x - y|.  Where the value is near 0 it is the
    # difference of the larger operand and the logarithm: its error is small beside these.
    "logaddexp": Oracle(
        logaddexp,
        (lambda x, y: sigmoid(x - y), lambda x, y: sigmoid(y - x)),
        ulps=(4, 5, 5),
        unit=(
            lambda x, y: EPS * (abs(max(x, y)) + (1 + abs(x - y)) * mp.log1p(mp.exp(-abs(x - y)))),
            lambda x, y: EPS * (1 + abs(x - y)) * sigmoid(x - y),
            lambda x, y: EPS * (1 + abs(x - y)) * sigmoid(y - x),
        ),
    ),
    # In one rounding, but a total that overflows on the way may not come back.
    "fsum": Oracle(
        exact_sum,
        (lambda x: [mpf(1)] * len(x),),
        ulps=(1, 0),
        unit=(lambda x: INF if sum(map(abs, x)) >= LARGEST else 0, None),
    ),
    # A chain of products and sums, as long as the lists, each rounded at the size of the whole.
    "dot": Oracle(
        exact_dot,
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
    ),
}


def as_mpf(operand):
    return [*map(mpf, operand)] if isinstance(operand, list) else mpf(operand)


def ulps_off(got, truth, unit=0.0):
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


def flat(results):
    return [number for each in results for number in (each if isinstance(each, list) else [each])]


def check(rule: Rule, drawn: tuple[Any, ...], oracle: Oracle | None = None) -> None:
    """Hold a row's value and derivatives at some floats to its oracle."""
    oracle = oracle or ORACLES[rule.name]
    if not rule.variadic:
        drawn = tuple(x + 0.0 for x in drawn)  # mpmath has no -0.0
    leaves = [[*map(Value, each)] if rule.variadic else Value(each) for each in drawn]
    node = function_of(rule)(*leaves)
    assert type(node.data) is float
    size = len(drawn[0]) if rule.variadic else 1
    exact = [*map(as_mpf, drawn)]
    truths = [oracle.value(*exact), *flat(each(*exact) for each in oracle.derivatives)]
    got = [node.data, *node.local_derivatives]
    assert len(got) == len(truths)
    for place, (number, truth) in enumerate(zip(got, truths, strict=True)):
        slot = (place + size - 1) // size
        unit = oracle.unit[slot]
        off = ulps_off(number, truth, unit(*exact) if unit else 0.0)
        what = f"derivative {slot - 1}" if slot else "value"
        assert off <= oracle.ulps[slot], (
            f"{what} of {rule.name} at {drawn}: {number!r}, {off:.3g} ulps off {mp.nstr(truth, 20)}"
        )


def test_every_row_has_an_oracle():
    assert ORACLES.keys() == RULES.keys()
    for name, oracle in ORACLES.items():
        assert len(oracle.derivatives) == RULES[name].arity
        assert len(oracle.ulps) > RULES[name].arity


GRID = (-2.3, -0.7, 0.4, 0.9, 1.7, 3.1)


@SCALAR_ROWS
def test_the_oracles_derivatives_are_those_of_its_value(rule):
    oracle = ORACLES[rule.name]
    checked = 0
    for at in itertools.product(GRID, repeat=rule.arity):
        if not FLOAT.in_domain(rule, at) or len({*at}) < rule.arity:
            continue
        for slot, derivative in enumerate(oracle.derivatives):
            expected = derivative(*map(mpf, at))
            if mp.isnan(expected):  # a negative base has no derivative for its exponent
                continue
            order = tuple(int(place == slot) for place in range(rule.arity))
            by_differences = mp.diff(oracle.value, tuple(map(mpf, at)), order)
            assert mp.almosteq(expected, by_differences, 1e-20, 1e-20), (at, slot)
            checked += 1
    assert checked >= 2 * rule.arity


# ---- accuracy

ACCURACY = settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)


@ROWS
@ACCURACY
@given(data=st.data())
def test_value_and_derivatives_are_right_to_a_few_ulps(rule, data):
    check(rule, data.draw(operands(rule)))


SMALL = (5e-324, 2.2e-308, 1e-300, 1e-160, 1e-17)
EVERYWHERE = [sign * size for size in SMALL for sign in (1.0, -1.0)] + [0.0, 1.0, -1.0, 1e15, 1e308]

HARD = {
    "/": [(1.0, 5e-324), (1e-300, 1e-300), (1e308, 1e308), (1e-308, 1e300), (1.0, 1e-200)],
    "**": [
        *[(2.0, 1023.5), (2.0, -1074.0), (1.0000000000000002, 1e16), (0.9999999999999999, 1e17)],
        *[(1e300, 1.02), (1e-300, 0.1), (1e-300, -0.5), (3.0, 0.1), (1e308, 0.3), (7.0, 2.5)],
        *[(-3.0, 3.0), (-3.0, -2.0), (-0.5, 1023.0), (1e-307, 0.5), (5e-324, 1.0), (2.0, 1e-20)],
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
    "arctan2": [(1e200, 1e200), (1e-200, -1e-200), (1e300, 1e-300), (-1.0, -1e-9)],
    "sinh": [(710.4,), (-710.4,), (710.5,), (1e-9,)],
    "cosh": [(710.4,), (-710.4,), (710.5,), (1e-9,)],
    "tanh": [(20.0,), (-20.0,), (300.0,), (355.0,), (372.0,), (400.0,), (1e-9,), (0.01,)],
    "arcsinh": [(1e200,), (-1e200,), (1e-9,)],
    "arccosh": [(1.0000000000000002,), (1.5,), (1e300,)],
    "arctanh": [(0.9999999999999999,), (-0.9999999999999999,), (1e-9,)],
    "hypot": [(3.0, 4.0), (1e200, 1e200), (1e-200, 1e-200), (1e300, 1e-300)],
    "erf": [(1e-9,), (0.01,), (6.0,), (26.0,), (27.0,)],
    "erfc": [(26.0,), (27.0,), (-6.0,), (0.5,)],
    "gaussian": [(26.0,), (-26.5,), (27.2,), (1.44e308,), (0.1,)],
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


@ROWS
def test_hard_points(rule):
    points = list(HARD.get(rule.name, ()))
    if not rule.variadic:
        points += itertools.product(EVERYWHERE, repeat=rule.arity)
    inside = [at for at in points if rule.variadic or FLOAT.in_domain(rule, at)]
    assert len(inside) >= len(HARD.get(rule.name, ()))
    for at in inside:
        check(rule, at)


ODD = ("sin", "tan", "arcsin", "arctan", "sinh", "tanh", "arcsinh", "arctanh", "expm1", "cbrt")


@pytest.mark.parametrize("name", [*ODD, "log1p", "sqrt", "identity", "erf"])
def test_zeros_keep_their_sign(name):
    for zero in (0.0, -0.0):
        assert math.copysign(1.0, OPERATIONS[name](Value(zero)).data) == math.copysign(1.0, zero)


# ---- the test of the tests


def passes(rule: Rule, drawn: tuple[Any, ...], slot: int) -> bool:
    try:
        check(rule, drawn)
    except AssertionError as error:
        return f"derivative {slot} of" not in str(error)
    return True


def with_derivatives(rule: Rule, derivatives: list[str]) -> Rule:
    return Rule(
        rule.name, rule.value, tuple(derivatives), domain=rule.domain, variadic=rule.variadic
    )


def assert_caught(wrong: Rule, rule: Rule, slot: int) -> None:
    find(
        operands(rule),
        lambda drawn: not passes(wrong, drawn, slot),
        settings=settings(phases=[Phase.generate], database=None, deadline=None),
    )


SLOTS = [(rule, slot) for rule in RULES.values() for slot in range(rule.arity)]


@pytest.mark.parametrize(("rule", "slot"), SLOTS, ids=lambda part: getattr(part, "name", part))
def test_a_flipped_derivative_is_caught(rule, slot):
    wrong = [*rule.derivatives]
    wrong[slot] = f"-({wrong[slot]})"
    assert_caught(with_derivatives(rule, wrong), rule, slot)


@pytest.mark.parametrize(("rule", "slot"), SLOTS, ids=lambda part: getattr(part, "name", part))
def test_a_derivative_off_by_a_millionth_is_caught(rule, slot):
    wrong = [*rule.derivatives]
    wrong[slot] = f"({wrong[slot]}) * (1.0 + 0.00000095367431640625)"
    assert_caught(with_derivatives(rule, wrong), rule, slot)


@pytest.mark.parametrize(
    "rule",
    [rule for rule in RULES.values() if rule.arity == 2 and len({*rule.derivatives}) == 2],
    ids=lambda rule: rule.name,
)
def test_swapped_derivatives_are_caught(rule):
    assert_caught(with_derivatives(rule, [*reversed(rule.derivatives)]), rule, 0)


# ---- kinks

KINKS = {
    "**": ([(0.0, 0.5), (0.0, 0.25)], (INF, 0.0)),
    "abs": ([(0.0,), (-0.0,)], (0.0,)),
    "sqrt": ([(0.0,)], (INF,)),
    "cbrt": ([(0.0,)], (INF,)),
    "arcsin": ([(1.0,), (-1.0,)], (INF,)),
    "arccos": ([(1.0,), (-1.0,)], (-INF,)),
    "arctan2": ([(0.0, 0.0)], (NAN, NAN)),
    "arccosh": ([(1.0,)], (INF,)),
    "hypot": ([(0.0, 0.0)], (0.0, 0.0)),
    "maximum": ([(2.0, 2.0), (-0.5, -0.5), (0.0, -0.0)], (0.5, 0.5)),
    "minimum": ([(2.0, 2.0), (-0.5, -0.5), (0.0, -0.0)], (0.5, 0.5)),
    "relu": ([(0.0,), (-0.0,)], (0.0,)),
    "leaky_relu": ([(0.0,), (-0.0,)], (0.01,)),
}


def same(a, b):
    return a == b or (math.isnan(a) and math.isnan(b))


def test_every_kink_has_a_test():
    assert KINKS.keys() == {name for name, rule in RULES.items() if rule.kink}
    for rule in RULES.values():
        assert len(rule.convention) == (rule.arity if rule.kink else 0)


@pytest.mark.parametrize("name", KINKS)
def test_the_derivative_at_a_kink_is_the_convention(name):
    rule, (points, truth) = RULES[name], KINKS[name]
    constants = {"inf": INF, "nan": NAN}
    stated = [eval(each, constants) for each in rule.convention]
    assert all(map(same, stated, truth))
    for at in points:
        assert eval(rule.kink, dict(zip(PARAMETERS, at, strict=False)))
        node = OPERATIONS[name](*map(Value, at))
        assert all(map(same, node.local_derivatives, truth)), at


@pytest.mark.parametrize("name", ["abs", "maximum", "minimum", "relu", "leaky_relu"])
def test_the_convention_holds_in_fractions_too(name):
    points, truth = KINKS[name]
    exact = {0.01: Fraction(1, 100), 0.5: Fraction(1, 2), 0.0: Fraction(0)}
    for at in points:
        node = OPERATIONS[name](*(Value(Fraction(x)) for x in at))
        assert node.local_derivatives == tuple(exact[each] for each in truth)


# ---- domain

FINITE = st.sampled_from([0.0, -1.0, 1.0, 0.5, -2.5]) | st.floats(
    allow_nan=False, allow_infinity=False
)


@pytest.mark.parametrize(
    "rule", [rule for rule in RULES.values() if rule.domain], ids=lambda rule: rule.name
)
@ACCURACY
@given(data=st.data())
def test_outside_the_domain_is_a_domain_error_that_names_operation_operand_and_label(rule, data):
    everywhere = st.sampled_from([INF, -INF]) if "inf" in rule.domain else FINITE
    drawn = data.draw(st.tuples(*[everywhere] * rule.arity))
    assume(not FLOAT.in_domain(rule, drawn))
    labels = [f"operand{place}" for place in range(rule.arity)]
    for make in (
        lambda: function_of(rule)(*map(Value, drawn, labels)),
        lambda: function_of(rule)(*drawn),
    ):
        with pytest.raises(DomainError) as caught:
            make()
        message = str(caught.value)
        assert rule.name in message
        assert all(repr(number) in message for number in drawn)
        assert isinstance(caught.value, ValueError)
    with pytest.raises(DomainError) as caught:
        function_of(rule)(*map(Value, drawn, labels))
    assert all(
        f"{label}={x!r}" in str(caught.value) for label, x in zip(labels, drawn, strict=True)
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: OPERATIONS["log"](Value(-1.0, "w")),
            "log(w=-1.0) has no value: log needs x > 0, and x is -1.0",
        ),
        (lambda: 1 / Value(0.0, "q"), "1 / (q=0.0) has no value: / needs y != 0, and y is 0.0"),
        (
            lambda: Value(-2.0) ** 0.5,
            (
                "(-2.0) ** 0.5 has no value: ** needs a base > 0, or a whole exponent, "
                "and no negative exponent at base 0"
            ),
        ),
        (
            lambda: OPERATIONS["arcsin"](2.0),
            "arcsin(2.0) has no value: arcsin needs -1 <= x <= 1, and x is 2.0",
        ),
    ],
)  # fmt: skip
def test_the_text_of_a_domain_error(make, message):
    with pytest.raises(DomainError) as caught:
        make()
    assert str(caught.value) == message


def test_a_division_by_zero_is_a_zero_division_error_too():
    for make in (
        lambda: Value(1.0) / 0,
        lambda: 1 / Value(0),
        lambda: OPERATIONS["reciprocal"](0.0),
    ):
        with pytest.raises(ZeroDivisionError) as caught:
            make()
        assert isinstance(caught.value, DomainError)


# ---- nan and inf

SPECIAL = (NAN, INF, -INF, 0.0, 1.0, -2.5)
IEEE = {  # where IEEE 754 has a number although an operand is nan
    "**": lambda x, y: x == 1.0 or y == 0.0,
    "hypot": lambda x, y: math.isinf(x) or math.isinf(y),
}


@ROWS
def test_nan_and_inf_raise_nothing_but_domain_errors_and_nan_propagates(rule):
    for at in itertools.product(SPECIAL, repeat=rule.arity):
        drawn = [[each, 1.0] for each in at] if rule.variadic else at
        leaves = [[*map(Value, each)] if rule.variadic else Value(each) for each in drawn]
        has_nan = any(map(math.isnan, at))
        try:
            node = function_of(rule)(*leaves)
        except DomainError:
            assert not has_nan or rule.name == "/"  # as in Python, nan / 0 has no value
            with pytest.raises(DomainError):
                function_of(rule)(*drawn)
            continue
        if not rule.variadic and FLOAT.in_domain(rule, at):
            assert same(function_of(rule)(*drawn), node.data)
        assert all(type(each) is float for each in (node.data, *node.local_derivatives))
        if has_nan and not IEEE.get(rule.name, lambda *_: False)(*at):
            assert math.isnan(node.data), at


@SCALAR_ROWS
def test_the_derivative_at_nan_is_nan_unless_it_is_constant(rule):
    if rule.arity > 1 or rule.derivatives[0] in ("1.0", "-1.0"):
        return
    (derivative,) = function_of(rule)(Value(NAN)).local_derivatives
    assert math.isnan(derivative)


# ---- the notation

TEXTS = [
    (name, text)
    for name, rule in RULES.items()
    for text in (rule.value, *rule.derivatives, rule.domain, rule.kink, *rule.convention)
    if text
]


@pytest.mark.parametrize(("name", "text"), TEXTS)
def test_rows_are_written_in_the_notation_with_literals_that_binary_holds(name, text):
    tree = parse(text, names=(*PARAMETERS, "out", *CONSTANTS), functions={*RULES, "pow"})
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            assert type(node.value) is float, "an int literal would make exact types inexact"
            assert Fraction(ast.get_source_segment(text, node)) == Fraction(node.value)


@ROWS
def test_latex_has_a_place_for_each_operand(rule):
    assert rule.latex.count("%s") == rule.arity
    assert rule.symbol


# ---- the other number types

F = Fraction


def leaf_exact(rule, drawn):
    return [[*map(Value, each)] if rule.variadic else Value(each) for each in drawn]


def sympy_sign_step(x, y):
    return sp.Rational(1 + sp.sign(x - y), 2)


EXACT = {  # rows that are closed on the rational numbers: value and derivatives in sympy
    "+": (lambda x, y: x + y, lambda x, y: [1, 1]),
    "-": (lambda x, y: x - y, lambda x, y: [1, -1]),
    "*": (lambda x, y: x * y, lambda x, y: [y, x]),
    "/": (lambda x, y: x / y, lambda x, y: [1 / y, -x / y**2]),
    "neg": (lambda x: -x, lambda x: [-1]),
    "abs": (sp.Abs, lambda x: [sp.sign(x)]),
    "square": (lambda x: x**2, lambda x: [2 * x]),
    "reciprocal": (lambda x: 1 / x, lambda x: [-1 / x**2]),
    "maximum": (sp.Max, lambda x, y: [sympy_sign_step(x, y), sympy_sign_step(y, x)]),
    "minimum": (sp.Min, lambda x, y: [sympy_sign_step(y, x), sympy_sign_step(x, y)]),
    "identity": (lambda x: x, lambda x: [1]),
    "relu": (lambda x: sp.Max(x, 0), lambda x: [1 if x > 0 else 0]),
    "leaky_relu": (
        lambda x: sp.Max(x, x / 100),
        lambda x: [1 if x > 0 else sp.Rational(1, 100)],
    ),
    "fsum": (lambda x: sp.Add(*x), lambda x: [1] * len(x)),
    "dot": (lambda w, x: sp.Add(*map(sp.Mul, w, x)), lambda w, x: [*x, *w]),
}


def exact_operands(rule, kind):
    one_of_them = numbers(kind)
    if rule.variadic:
        rows = st.lists(st.tuples(*[one_of_them] * rule.arity), min_size=1, max_size=5)
        return rows.map(lambda drawn: tuple(map(list, zip(*drawn, strict=True))))
    return st.tuples(*[one_of_them] * rule.arity).filter(lambda drawn: FLOAT.in_domain(rule, drawn))


def rational(number):
    return [*map(rational, number)] if isinstance(number, list) else sp.Rational(str(number))


def fraction(number):
    number = sp.Rational(number)
    return Fraction(int(number.p), int(number.q))


@ROWS
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_fraction_is_exact_or_refused_never_a_float(rule, data):
    drawn = data.draw(exact_operands(rule, Fraction))
    if rule.name in EXACT:
        node = function_of(rule)(*leaf_exact(rule, drawn))
        value, derivatives = EXACT[rule.name]
        exact = [*map(rational, drawn)]
        assert node.data == fraction(value(*exact))
        assert [*node.local_derivatives] == [*map(fraction, derivatives(*exact))]
        assert {type(each) for each in (node.data, *node.local_derivatives)} == {Fraction}
        assert type(function_of(rule)(*drawn)) is Fraction
        return
    closed = (rule.name == "elu" and drawn[0] > 0) or (rule.name == "**" and drawn[1] % 1 == 0)
    if closed:
        assert type(function_of(rule)(*drawn)) is Fraction
        return
    for operand in (leaf_exact(rule, drawn), drawn):
        with pytest.raises(ExactnessError, match=r"use (a whole exponent, or )?float"):
            function_of(rule)(*operand)


@settings(max_examples=60, deadline=None)
@given(numbers(Fraction), st.integers(-6, 6))
def test_a_whole_power_of_a_fraction_is_exact(x, n):
    assume(x != 0 or n >= 0)
    for exponent in (n, Fraction(n)):
        node = Value(x) ** exponent
        assert node.data == fraction(rational(x) ** n)
        assert [*node.local_derivatives] == [fraction(n * rational(x) ** (n - 1)) if n else 0]
        assert type(node.data) is type(node.local_derivatives[0]) is Fraction


CLOSED_ON_INTS = {
    *("+", "-", "*", "neg", "abs", "square", "maximum", "minimum", "identity", "relu", "fsum"),
    "dot",
}


@ROWS
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_an_int_stays_an_int_where_python_keeps_it(rule, data):
    drawn = data.draw(exact_operands(rule, int))
    node = function_of(rule)(*leaf_exact(rule, drawn))
    if rule.name in CLOSED_ON_INTS:
        assert type(node.data) is int
        assert node.data == EXACT[rule.name][0](*map(rational, drawn))
    elif rule.name == "**":
        assert type(node.data) is type(drawn[0] ** drawn[1])
        assert node.data == drawn[0] ** drawn[1]
    elif type(node.data) is float:  # as float(x) would have it
        floats = [float(each) for each in drawn]
        assert same(node.data, function_of(rule)(*floats))


SLOW_TO_OVERFLOW = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)


@SCALAR_ROWS
@SLOW_TO_OVERFLOW
@given(data=st.data())
def test_the_row_in_mpmath_and_in_floats_agree(rule, data):
    drawn = data.draw(operands(rule))
    assume(all(abs(each) < 60.0 for each in drawn))
    exact = [mpf(each) + 0 for each in drawn]
    wrt = tuple(range(rule.arity))
    precise = arithmetic_of(exact).kernel(rule, wrt)(*exact)
    assert all(isinstance(each, mpf) or math.isinf(each) or math.isnan(each) for each in precise)
    value, *derivatives = [lambda *_, each=each: each for each in precise]
    given_by_the_row = ORACLES[rule.name]._replace(value=value, derivatives=tuple(derivatives))
    check(rule, drawn, given_by_the_row)


@SCALAR_ROWS
def test_the_row_in_sympy_derives_its_own_formula(rule):
    symbols = sp.symbols("x y", real=True)[: rule.arity]
    node = function_of(rule)(*map(Value, symbols))
    checked = 0
    for at in itertools.product(
        map(sp.Rational, ("-7/3", "-2/7", "3/8", "19/10")), repeat=rule.arity
    ):
        where = dict(zip(symbols, at, strict=True))
        if not FLOAT.in_domain(rule, tuple(map(float, at))) or len({*at}) < rule.arity:
            continue
        for symbol, derivative in zip(symbols, node.local_derivatives, strict=True):
            truth = sp.diff(node.data, symbol).subs(where).doit()
            got = sp.sympify(derivative).subs(where)
            if got is sp.nan:  # a negative base has no derivative for its exponent
                assert rule.name == "**"
                continue
            assert abs(sp.N(got - truth, 40, maxn=400)) < sp.Float("1e-30"), (at, symbol)
            checked += 1
    assert checked


# ---- the corners of **, written out


@pytest.mark.parametrize(
    ("x", "y", "value", "dx", "dy"),
    [
        # 0**0 is 1, as in Python; x**0 is 1 for every x, 0**y is 0 for every y > 0
        (0.0, 0.0, 1.0, 0.0, 0.0),
        (0.0, 0.5, 0.0, INF, 0.0),
        (0.0, 1.0, 0.0, 1.0, 0.0),
        (0.0, 1.5, 0.0, 0.0, 0.0),
        (0.0, 2.0, 0.0, 0.0, 0.0),
        (2.0, 0.0, 1.0, 0.0, math.log(2.0)),
        (1.0, 5.0, 1.0, 5.0, 0.0),
        (1.0, -5.0, 1.0, -5.0, 0.0),
        (2.0, 3.0, 8.0, 12.0, 8.0 * math.log(2.0)),
        (2.0, -1.0, 0.5, -0.25, 0.5 * math.log(2.0)),
        (4.0, 0.5, 2.0, 0.25, 2.0 * math.log(4.0)),
        # a negative base has no derivative for the exponent
        (-2.0, 0.0, 1.0, 0.0, NAN),
        (-2.0, 2.0, 4.0, -4.0, NAN),
        (-2.0, 3.0, -8.0, 12.0, NAN),
        (-2.0, -1.0, -0.5, -0.25, NAN),
        (2, 3, 8, 12, 8 * math.log(2)),
        (0, 0, 1, 0, 0),
        (-2, 2, 4, -4, NAN),
        (2, -2, 0.25, -0.25, 0.25 * math.log(2)),
        (F(0), F(0), F(1), F(0), F(0)),
        (F(0), F(2), F(0), F(0), F(0)),
        (F(-2, 3), F(2), F(4, 9), F(-4, 3), NAN),
    ],
)
def test_the_corners_of_power(x, y, value, dx, dy):
    both = Value(x) ** Value(y)
    assert both.data == value
    assert type(both.data) is type(value)
    assert all(map(same, both.local_derivatives, (dx, dy)))
    base = Value(x)
    constant_exponent = base**y
    assert constant_exponent.data == value
    assert constant_exponent.parents == (base,)
    assert constant_exponent.local_derivatives == (dx,)
    if isinstance(x, Fraction) and sys.version_info < (3, 13):
        return  # there Fraction ** Value asks float(Fraction) ** Value, and not Value
    exponent = Value(y)
    constant_base = x**exponent
    assert constant_base.data == value
    assert constant_base.parents == (exponent,)
    assert same(*constant_base.local_derivatives, dy)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        *[(0.0, -1.0), (0.0, -0.5), (-2.0, 0.5), (-2.0, -1.5)],
        *[(0, -1), (-8, 1 / 3), (F(0), -1), (F(-2), 0.5)],
    ],
)
def test_powers_without_a_value(x, y):
    for make in (lambda: Value(x) ** y, lambda: x ** Value(y), lambda: Value(x) ** Value(y)):
        with pytest.raises(DomainError, match="a base > 0, or a whole exponent"):
            make()


def test_a_power_of_a_fraction_that_is_no_fraction_is_refused():
    for make in (lambda: Value(F(2)) ** F(1, 2), lambda: Value(F(4)) ** Value(F(1, 2))):
        with pytest.raises(ExactnessError, match="use a whole exponent, or float"):
            make()
    with pytest.raises(ExactnessError, match="log has no exact value"):
        Value(F(2)) ** Value(F(2))  # its derivative for the exponent is 4 log 2
