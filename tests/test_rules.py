"""Every row of the table against mpmath at 50 digits, sympy and exact fractions, row by row.

The oracles in `tinygrad_bp.testing.oracles` are written from the mathematics and share nothing with
the table.
"""

from __future__ import annotations

import ast
import itertools
import math
import sys
from decimal import Decimal
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy as sp
from depth import depth
from hypothesis import HealthCheck, Phase, assume, find, given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from tinygrad_bp import (
    RULES,
    DomainError,
    ExactnessError,
    Value,
    arctan2,
    gaussian,
    gelu,
    logaddexp,
    silu,
)
from tinygrad_bp.arithmetic import FLOAT, arithmetic_of
from tinygrad_bp.operations import function_of
from tinygrad_bp.rules import CONSTANTS, HELPERS, PARAMETERS, Rule, parse
from tinygrad_bp.testing.oracles import DIGITS, HARD, ORACLES, Oracle, hard_points, results
from tinygrad_bp.testing.strategies import OPERATIONS, numbers, operands

ROWS = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
SCALAR_ROWS = pytest.mark.parametrize(
    "rule", [rule for rule in RULES.values() if not rule.variadic], ids=lambda rule: rule.name
)
NAN, INF = math.nan, math.inf


@pytest.fixture(autouse=True)
def fifty_digits():
    with mpmath.workdps(DIGITS):
        yield


# ---- the oracles


def check(rule: Rule, drawn: tuple[Any, ...], oracle: Oracle | None = None) -> None:
    """Hold a row's value and derivatives at some floats to its oracle."""
    oracle = oracle or ORACLES[rule.name]
    if not rule.variadic:
        drawn = tuple(x + 0.0 for x in drawn)  # mpmath has no -0.0
    for result in results(rule, drawn, oracle):
        assert result.slot or type(result.got) is float
        what = f"derivative {result.slot - 1}" if result.slot else "value"
        assert result.off <= oracle.ulps[result.slot], (
            f"{what} of {rule.name} at {drawn}: {result.got!r}, {result.off:.3g} ulps off "
            f"{mp.nstr(result.truth, 20)}"
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
    max_examples=depth(120, by_default=20),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)


@ROWS
@ACCURACY
@given(data=st.data())
def test_value_and_derivatives_are_right_to_a_few_ulps(rule, data):
    check(rule, data.draw(operands(rule)))


@ROWS
def test_hard_points(rule):
    inside = hard_points(rule)
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
        settings=settings(phases=[Phase.generate], max_examples=100),
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


@pytest.mark.parametrize("name", KINKS)
def test_a_kink_is_known_for_one(name):
    points, _ = KINKS[name]
    assert all(FLOAT.at_kink(RULES[name], at) for at in points)
    beside = (0.5, 0.25)[: RULES[name].arity]
    assert not FLOAT.at_kink(RULES[name], beside)


def test_an_operation_without_a_kink_is_never_at_one():
    assert not FLOAT.at_kink(RULES["tanh"], (0.0,))


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
    everywhere = FINITE | st.sampled_from([INF, -INF])
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


@pytest.mark.parametrize(
    "rule",
    [r for r in RULES.values() if r.arity == 1 and r.derivatives[0] not in ("1.0", "-1.0")],
    ids=lambda rule: rule.name,
)
def test_the_derivative_at_nan_is_nan_unless_it_is_constant(rule):
    (derivative,) = function_of(rule)(Value(NAN)).local_derivatives
    assert math.isnan(derivative)


def symbol_of(x):
    return {INF: sp.oo, -INF: -sp.oo}.get(x, sp.nan if math.isnan(x) else sp.Rational(x))


@pytest.mark.parametrize("kind", [mpf, Decimal, np.float64, symbol_of])
@pytest.mark.parametrize("rule", [r for r in RULES.values() if r.arity == 1 and not r.variadic])
def test_every_type_is_at_infinity_and_nan_what_floats_are(rule, kind):
    for at in (INF, -INF, NAN):
        try:
            node = OPERATIONS[rule.name](Value(kind(at)))
        except ExactnessError:
            continue
        except DomainError:
            with pytest.raises(DomainError):
                OPERATIONS[rule.name](Value(at))
            continue
        if at == at:
            truth = OPERATIONS[rule.name](Value(at))
            assert same(float(node.data), truth.data)
            assert same(float(node.local_derivatives[0]), truth.local_derivatives[0])
        else:
            assert math.isnan(node.data)


@pytest.mark.parametrize("x", [INF, -INF, 1.5, -0.0])
@pytest.mark.parametrize("y", [INF, -INF, -2.0, 0.0])
def test_arctan2_is_flat_at_infinity(x, y):
    if math.isinf(x) or math.isinf(y):
        assert OPERATIONS["arctan2"](Value(x), Value(y)).local_derivatives == (0.0, 0.0)


def test_cbrt_is_flat_at_infinity():
    assert OPERATIONS["cbrt"](Value(-INF)).local_derivatives == (0.0,)


# ---- the notation

TEXTS = [
    (name, text)
    for name, rule in RULES.items()
    for text in (rule.value, *rule.derivatives, rule.domain, rule.kink, *rule.convention)
    if text
]


@pytest.mark.parametrize(("name", "text"), TEXTS)
def test_rows_are_written_in_the_notation_with_literals_that_binary_holds(name, text):
    tree = parse(text, names=(*PARAMETERS, "out", *CONSTANTS), functions={*RULES, *HELPERS})
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            assert type(node.value) is float, "an int literal would make exact types inexact"
            assert Fraction(ast.get_source_segment(text, node)) == Fraction(node.value)


@ROWS
def test_latex_has_a_place_for_each_operand(rule):
    assert not rule.latex or rule.latex.count("%s") == rule.arity
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
@settings(max_examples=depth(60, by_default=10))
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


@settings(max_examples=depth(60, by_default=15))
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
@settings(max_examples=depth(40, by_default=8))
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
    max_examples=depth(25, by_default=6),
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
        # at infinity, what C's pow has
        (0.0, INF, 0.0, NAN, 0.0),
        (0.0, -INF, INF, INF, NAN),
        (-1.0, INF, 1.0, -INF, NAN),
        (-3.0, INF, INF, -INF, NAN),
        (-3.0, -INF, 0.0, NAN, NAN),
        (-INF, 0.5, INF, 0.0, NAN),
        (-INF, -3.0, 0.0, 0.0, NAN),
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
    assert same(*constant_exponent.local_derivatives, dx)
    if isinstance(x, Fraction) and sys.version_info < (3, 13):
        return  # there Fraction ** Value asks float(Fraction) ** Value, and not Value
    exponent = Value(y)
    constant_base = x**exponent
    assert constant_base.data == value
    assert constant_base.parents == (exponent,)
    assert same(*constant_base.local_derivatives, dy)


CORNERS = (*(sign * x for x in (0.0, 0.5, 1.0, 2.0, 3.0, INF) for sign in (1.0, -1.0)), NAN)


@pytest.mark.parametrize(("x", "y"), [*itertools.product(CORNERS, repeat=2)])
def test_a_power_has_a_value_where_the_domain_says_so_on_the_quick_way_too(x, y):
    inside = FLOAT.in_domain(RULES["**"], (x, y))
    for make in (lambda: Value(x) ** Value(y), lambda: Value(x) ** y, lambda: x ** Value(y)):
        if inside:
            assert same(make().data, math.pow(x, y))
        else:
            with pytest.raises(DomainError):
                make()


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


@pytest.mark.parametrize("x", [math.inf, -math.inf])
@pytest.mark.parametrize("y", [5e-324, 1e-20, 0.1, 0.25, 0.3, 0.5, 0.75, 0.999])
def test_the_derivative_of_a_root_of_infinity_is_flat_however_the_exponent_rounds(x, y):
    assert (Value(x) ** y).local_derivatives == (0.0,)


@pytest.mark.parametrize("y", [1.5, 3.0, 1e16, 1e17, 1e300, math.inf])
def test_the_derivative_of_a_power_of_infinity_is_infinite_however_the_exponent_rounds(y):
    assert (Value(math.inf) ** y).local_derivatives == (math.inf,)


@pytest.mark.parametrize(
    ("function", "at", "value", "derivative"),
    [
        (silu, -INF, 0.0, 0.0),
        (silu, INF, INF, 1.0),
        (gelu, -INF, 0.0, 0.0),
        (gelu, INF, INF, 1.0),
        (gaussian, INF, 0.0, 0.0),
    ],
)
def test_the_limits_at_infinity(function, at, value, derivative):
    node = function(Value(at))
    assert (node.data, *node.local_derivatives) == (value, derivative)


def test_no_derivative_is_lost_where_a_factor_is_subnormal():
    assert silu(Value(-748.0)).data != 0.0
    assert gelu(Value(-38.52)).data != 0.0
    assert (Value(0.9999999999999999) ** Value(6.9e18)).local_derivatives[0] != 0.0
    assert arctan2(Value(1e-317), Value(1e-313)).local_derivatives[1] != 0.0
    small = Value(-1e-312) / Value(-0.003)
    assert small.local_derivatives[1] == pytest.approx(1e-312 / 0.003 / 0.003, rel=1e-8)


def test_logaddexp_knows_what_its_difference_lost():
    dx, _ = logaddexp(Value(-306.7508882420615), Value(306.75092480961695)).local_derivatives
    with mpmath.workdps(50):
        gap = mpmath.mpf(306.75092480961695) - mpmath.mpf(-306.7508882420615)
        assert abs(dx * (1 + mpmath.exp(gap)) - 1) < 1e-15
