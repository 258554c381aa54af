"""Numbers of two types in one operation, to any order, and what each type has that floats have not."""

from __future__ import annotations

import copy
import decimal
import itertools
import math
import pickle
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal, FloatOperation, localcontext
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy
from depth import depth
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from tinygrad_bp import (
    RULES,
    BackpropError,
    DataError,
    ExactnessError,
    Network,
    NumberRangeError,
    Value,
    arccos,
    arccosh,
    arcsin,
    arctan,
    arctan2,
    cbrt,
    derivation,
    dot,
    erf,
    erfc,
    fsum,
    gaussian,
    gelu,
    grad,
    gradients,
    hessian,
    hypot,
    log2,
    log10,
    logaddexp,
    logsumexp,
    maximum,
    ndtr,
    path_sum,
    primitive,
    reciprocal,
    relu,
    sigmoid,
    silu,
    softmax,
    sqrt,
    steps,
    tanh,
    where,
)
from tinygrad_bp.differentiate import still_gives
from tinygrad_bp.graph import topological_order
from tinygrad_bp.operations import FUNCTIONS
from tinygrad_bp.testing.strategies import OPERATIONS, operands
from tinygrad_bp.value import data_of

X = sympy.Symbol("x", real=True)

# ---- whole numbers of NumPy, which are read as Python's

INTEGERS = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64]


def outcome(function, *operands):
    """What comes of it, with the types of the numbers; or the error."""
    try:
        return repr(function(*operands))
    except BackpropError as error:
        return repr(error)


def recorded(function):
    def record(*operands):
        node = function(*map(Value, operands))
        return node.data, node.local_derivatives

    return record


@pytest.mark.parametrize("derive", [recorded, grad, hessian], ids=lambda each: each.__name__)
@pytest.mark.parametrize("rule", [r for r in RULES.values() if not r.variadic], ids=str)
def test_every_row_takes_a_numpy_integer_for_the_whole_number_that_it_is(rule, derive):
    function = derive(OPERATIONS[rule.name])
    for kind in INTEGERS:
        info = np.iinfo(kind)
        numbers = {info.min, info.max, info.max // 2, 0, 1, 3}
        for at in itertools.product(numbers, repeat=rule.arity):
            if rule.name != "**" or at[1] <= 127:  # a larger power takes long to write down
                with warnings.catch_warnings():
                    warnings.filterwarnings("error", "overflow|invalid|divide")  # NumPy's
                    assert outcome(function, *map(kind, at)) == outcome(function, *at)


def test_differences_of_small_integers_do_not_go_round():
    three, five = Value(np.uint8(3)), Value(np.uint8(5))
    assert relu(three - five).data == 0
    assert grad(lambda x, y: relu(x - y))(np.uint8(3), np.uint8(5)) == (0, 0)
    assert grad(lambda x, y: (x - y) ** 2)(np.uint8(3), np.uint8(5)) == (-4, 4)
    assert (Value(np.uint8(200)) ** 3).data == 8_000_000
    assert (Value(np.int64(100)) ** 10).data == 10**20
    assert (np.uint8(3) - five).data == -2


def test_lists_constants_and_comparisons_take_numpy_integers_for_whole_numbers():
    x, y = Value(np.uint8(200)), Value(np.uint8(100))
    for product in (dot([x, y], [np.uint8(2), np.uint8(3)]), dot([np.uint8(2), 3], [x, y])):
        assert (product.data, product.local_derivatives) == (700, (2, 3))
        assert {type(each) for each in product.operands if not isinstance(each, Value)} == {int}
    assert fsum([x, np.uint8(200)]).data == 400
    assert np.prod(np.array([x, y])).data == 20_000
    assert (np.array([200, 2], dtype=np.uint8) @ np.array([x, y])).data == 40_200
    assert type((x ** np.int64(2)).operands[1]) is int
    assert Value(np.int64(2**53 + 1)) > 2.0**53  # NumPy compares them as floats
    assert x > -1
    assert where(x < y, x, np.uint8(1)) - 2 == -1


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.int64])
def test_lists_of_numpy_integers_are_not_computed_with_before_they_are_read(kind):
    """NumPy would warn of what goes round in it, though nothing of that is in the result."""
    most = np.iinfo(kind).max
    x = Value(kind(most))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for product in (dot([x], [x]), dot([x], [int(most)]), dot([kind(most)], [x])):
            assert product.data == int(most) ** 2
        assert dot([x, Value(2)], [Value(2), x]).data == 4 * int(most)
        assert fsum([x, x]).data == 2 * int(most)
    assert (dot([], []), fsum([])) == (0, 0)


def test_a_primitive_of_functions_may_return_numpy_integers():
    constant = primitive("constant", lambda x: np.uint8(200), (lambda x, out: np.uint8(200),))
    node = constant(Value(3.0))
    assert (node.data * 2, node.local_derivatives[0] * 2) == (400, 400)


def test_a_network_of_numpy_integers_has_the_error_of_whole_numbers_and_learns():
    def network(number):
        net = Network([[[number(3), number(4)]]], [[number(9)]], "identity")
        run = net.forward([number(1), number(1)], [number(17)])
        run.e.backward()
        record = steps(run.e, eta=number(1), wrt=net.parameters())
        told = derivation(run, 1, 1, 1, eta=number(1)).update, record[-1].data
        net.descend(number(1))
        return run.e.data, net.weights, net.biases, told

    assert network(np.uint8) == network(int) == (361, [[[41, 42]]], [[-29]], (38, -29))


def test_what_a_gradient_is_added_to_may_be_a_numpy_integer():
    x = Value(3.0)
    x.grad = np.uint8(250)
    (x * 1000).backward()
    assert (type(x.grad), x.grad) == (float, 1250.0)


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.int16, np.int64])
@pytest.mark.parametrize("rule", [r for r in RULES.values() if r.arity == 1 and not r.variadic])
def test_a_second_derivative_at_a_small_integer_is_that_at_the_float(rule, kind):
    f = OPERATIONS[rule.name]
    at = 3 if rule.name not in ("arcsin", "arccos", "arctanh") else 0
    found, truth = grad(grad(f))(kind(at)), grad(grad(f))(float(at))
    assert float(found) == pytest.approx(float(truth), rel=4e-16, abs=0.0)


@pytest.mark.parametrize("rule", [r for r in RULES.values() if r.arity == 2 and not r.variadic])
@pytest.mark.parametrize("other", [np.uint8, float, np.float64, np.int64])
def test_a_gradient_for_a_small_integer_and_another_number_is_that_for_floats(rule, other):
    f = OPERATIONS[rule.name]
    a, b = Value(np.uint8(3)), Value(other(2))
    node, truth = f(a, b), f(Value(3.0), Value(2.0))
    assert node.data == pytest.approx(truth.data, rel=4e-16)
    assert node.local_derivatives == pytest.approx(truth.local_derivatives, rel=4e-16)
    recorded = [
        each.data if isinstance(each, Value) else each
        for each in gradients(node, [a, b], create_graph=True)
    ]
    assert recorded == pytest.approx(truth.local_derivatives, rel=4e-16)
    assert np.allclose(hessian(f)(np.uint8(3), other(2)), hessian(f)(3.0, 2.0), rtol=1e-15)


def test_a_distribution_over_small_integers_does_not_wrap():
    pair = [Value(np.uint8(1)), Value(np.uint8(2))]
    assert [each.data for each in softmax(pair)] == [
        each.data for each in softmax([Value(1.0), Value(2.0)])
    ]
    assert logsumexp(pair).data == logsumexp([1.0, 2.0])
    softmax(pair)[0].backward()
    assert pair[0].grad == pytest.approx(sigmoid(1.0) * sigmoid(-1.0), rel=1e-15)


def test_powers_of_whole_numbers_of_numpy_stay_whole():
    for power in (2 ** Value(np.int64(3)), Value(np.int64(2)) ** Value(np.int64(3))):
        assert (type(power.data), power.data) == (int, 8)
        assert power.local_derivatives[-1] == pytest.approx(8 * math.log(2), rel=1e-15)


@pytest.mark.parametrize("kind", [float, np.float16, np.float32, np.float64, np.longdouble])
def test_a_float_beside_a_whole_number_of_numpy_keeps_its_type(kind):
    whole, half = Value(np.int64(2)), kind(1.5)
    for node in (whole * half, half - whole, half**whole, hypot(whole, half), dot([whole], [half])):
        assert type(node.data) is kind


@pytest.mark.parametrize(
    "make",
    [
        lambda: Value(np.float16(1)) + 100_000,
        lambda: np.float16(1) * Value(np.int64(100_000)),
        lambda: Value(np.float32(1)) * 10**40,
        lambda: Value(np.float32(1)) * Fraction(10**40),
        lambda: hypot(Value(np.float32(1)), 10**40),
        lambda: dot([Value(np.float32(1))], [10**40]),
        lambda: fsum([Value(np.float32(1)), 10**40]),
        lambda: Value(np.float64(1)) * 10**400,
        lambda: Value(1.0) * 10**400,
    ],
)
def test_a_whole_number_beyond_the_float_that_it_meets_is_refused(make):
    with pytest.raises(NumberRangeError, match="too large to convert to"):
        make()


def test_relu_keeps_the_type_of_numpy_floats():
    for kind in (np.float16, np.float32, np.longdouble):
        assert type(relu(Value(kind(-1))).data) is type(relu(kind(-1))) is kind


# ---- two types in one power


def test_the_second_derivative_of_a_constant_to_a_power_has_all_digits():
    with mpmath.workdps(50):
        assert grad(grad(lambda v: 2**v))(mpf(3)) == 8 * mp.log(2) ** 2
        ((_, across), (back, last)) = hessian(lambda a, b: a**b)(2, mpf(3))
        assert across == back == 4 + 12 * mp.log(2)
        assert last == 8 * mp.log(2) ** 2
    assert grad(grad(lambda v: 2**v))(X) == 2**X * sympy.log(2) ** 2
    assert grad(grad(lambda v: 2**v))(Decimal(3)) == 8 * Decimal(2).ln() * Decimal(2).ln()
    assert hessian(lambda v, w: v**w)(Fraction(1, 2), 2.0) == hessian(lambda v, w: v**w)(0.5, 2.0)


def test_a_fraction_among_mpmath_s_numbers_is_read_at_every_order():
    third = Fraction(1, 3)
    assert hessian(lambda v, w: v / w)(mpf(1), third)[1] == (mpf(-9), mpf(54))
    assert grad(grad(grad(lambda v: v**third)))(mpf(2)) == pytest.approx(10 / 27 * 2 ** (-8 / 3))
    assert grad(grad(lambda v: maximum(v, third) * v))(mpf(2)) == 2


def test_a_power_of_a_decimal_0():
    assert (Value(Decimal(0)) ** 1).local_derivatives == (1,)
    assert hessian(lambda v: v**2)(Decimal(0)) == ((2,),)


def test_a_power_of_a_symbolic_0():
    zero = sympy.Integer(0)
    assert (Value(zero) ** 0).data == 1
    assert (Value(zero) ** sympy.Rational(1, 2)).local_derivatives == (sympy.oo,)
    assert hessian(lambda v: v**1)(zero) == ((0,),)
    v, w = Value(zero), Value(2)
    assert gradients(v**w, [v, w]) == [0, 0]
    assert (Value(sympy.Integer(-2)) ** Value(zero)).local_derivatives == (0, sympy.nan)


def test_a_decimal_and_a_whole_number_of_numpy():
    assert (Value(Decimal("1.5")) ** np.int64(2)).data == Decimal("2.25")
    assert (np.int64(2) ** Value(Decimal(2))).data == Decimal(4)


# ---- functions of two types


def test_a_fraction_and_a_float_of_numpy():
    assert hypot(Fraction(3), np.float64(4)) == 5.0
    assert hypot(Value(Fraction(3)), np.float64(4)).local_derivatives == pytest.approx(
        (0.6,), rel=1e-15
    )
    assert (Value(np.longdouble(4)) ** Fraction(1, 2)).data == 2
    with pytest.raises(DataError, match="give it numbers of one type"):
        hypot(Decimal(3), np.float64(4))


def test_a_whole_number_of_numpy_among_symbols():
    assert hypot(Value(np.int8(100)), sympy.Integer(3)).data == sympy.sqrt(10009)
    assert arctan2(Value(np.int64(2)), X).data == sympy.atan2(2, X)


def test_a_distribution_over_symbols_is_exact():
    e = sympy.E
    assert softmax([Value(X), Value(1)])[1].data == e / (sympy.exp(X) + e)
    assert logsumexp([Value(X), 2]).data == sympy.log(sympy.exp(X) + e**2)


# ---- nan, inf and pi of a type's own


@pytest.mark.parametrize("nan", [Decimal("nan"), sympy.nan, mpf("nan")])
@pytest.mark.parametrize("f", [relu, abs, sigmoid, lambda v: maximum(v, 1), lambda v: v**3])
def test_nan_goes_through_every_order(f, nan):
    if f is sigmoid and isinstance(nan, Decimal):
        nan = mpf("nan")
    assert math.isnan(grad(f)(nan))
    second = grad(grad(f))
    assert math.isnan(second(nan)) or not math.isnan(second(math.nan))
    assert math.isnan(logsumexp([Value(nan), 1]).data)
    assert math.isnan(softmax([Value(nan), 1])[1].data)


@pytest.mark.parametrize("f", [erfc, ndtr, gelu, gaussian])
def test_nan_of_mpmath_is_no_tail(f):
    node = f(Value(mpf("nan")))
    assert mp.isnan(node.data)
    assert mp.isnan(node.local_derivatives[0])


def test_an_infinite_slope_is_of_the_operand_s_type():
    x = Value(Decimal(0))
    y = Decimal(2) * sqrt(x)
    y.backward()
    assert x.grad == Decimal("inf")


def test_pi_has_no_exact_value():
    area = primitive("area", "pi*x*x", ("2*pi*x",))
    for number in (Fraction(1, 2), Decimal(2)):
        with pytest.raises(
            ExactnessError, match=r"area\(.*pi has no exact value .* use float\(\.\.\.\)"
        ):
            area(Value(number))
    assert area(Value(sympy.Rational(1, 2))).local_derivatives == (sympy.pi,)


def test_a_whole_literal_of_a_primitive_takes_an_int():
    third = primitive("third", "x/3", ("1/3",))
    assert third(Value(6)).data == 2
    assert third(6) == 2


# ---- digits of a type's own


@pytest.mark.parametrize("x", [-37.0, -100.0, -1000.3, 26.3])
@pytest.mark.parametrize("f", [ndtr, gelu, gaussian, erf, silu])
def test_mpmath_s_tails_have_all_digits(f, x):
    node = f(Value(mpf(x)))
    with mpmath.workdps(60):
        truth = f(Value(mpf(x)))
        for found, exact in zip(
            (node.data, *node.local_derivatives),
            (truth.data, *truth.local_derivatives),
            strict=True,
        ):
            assert abs(found - exact) <= 16 * mpf(2) ** -53 * abs(exact)


# ---- what has no business with a type


def test_decimals_make_no_floats_for_a_context_that_traps_them():
    with localcontext() as context:
        context.traps[FloatOperation] = True
        for f in (relu, sqrt, sigmoid, lambda v: v**3):
            assert f(Value(Decimal(1))).data > 0


def test_a_derivation_and_a_picture_in_decimals():
    a, b = Value(Decimal("0.1"), "a"), Value(Decimal("-0.3"), "b")
    e = a * b + a * a + b
    assert "60% cancels" not in str(derivation(e, b))
    assert str(derivation(e, a)).startswith("de/da = Σ over 3 paths")


def test_an_indexed_symbol_is_a_number():
    element = sympy.IndexedBase("a")[0]
    assert (Value(element) * 2).data == 2 * element
    with pytest.raises(DataError):
        Value(sympy.MatrixSymbol("A", 2, 2))


# ---- conversions where types meet

PAIRS = [
    (1, mpf(2)),
    (1, Decimal(2)),
    (1, X),
    (Fraction(1, 2), 2.5),
    (np.int8(1), np.uint8(3)),
    (np.uint8(1), 2.5),
]


@pytest.mark.parametrize(("one", "other"), PAIRS, ids=str)
def test_a_graph_of_two_types_is_pickled_and_copied(one, other):
    leaves = [Value(one), Value(other)]
    results = [logsumexp(leaves), *softmax(leaves)]
    if not isinstance(other, Decimal):
        results += gradients(hypot(*leaves), leaves, create_graph=True)
    for again in (copy.deepcopy(results), pickle.loads(pickle.dumps(results))):
        assert [each.data for each in again] == [each.data for each in results]
        assert gradients(again[0], [again[0]]) == [1]


def test_numbers_of_one_type_are_read_without_a_node():
    class Real(float):
        pass

    for numbers in ((1.0, 2.0), (1, 2.0), (Real(1.0), 2.0), (Fraction(1), 2), (mpf(1), mpf(2))):
        leaves = [*map(Value, numbers)]
        order = topological_order(maximum(*leaves) ** 2)
        (slope,) = gradients(order[-1], [leaves[1]], create_graph=True)
        assert "identity" not in {node.op for node in (*order, *topological_order(slope))}


def test_a_conversion_that_fails_names_the_operation():
    for numbers in ((10**400, 1.0), (Fraction(10**400, 3), 1.0)):
        for f in (logsumexp, softmax):
            with pytest.raises(NumberRangeError, match="use floats, or smaller exact numbers"):
                f([*map(Value, numbers)])
    with pytest.raises(DataError, match="give it numbers of one type"):
        logsumexp([Decimal("0.5"), Value(1.0)])


def test_a_huge_whole_exponent_is_not_stale():
    a = Value(0.9999999999999922)
    (slope,) = gradients(a ** (2**53 + 1), [a], create_graph=True)
    assert [slope.data] == gradients(a ** (2**53 + 1), [a])


def test_arctan_far_out_has_the_digits_of_each_type():
    for digits in (15, 50):
        with mpmath.workdps(digits):
            for x in (mpf(2) ** 27, mpf(10) ** 10, mpf(10) ** 60):
                (slope,) = arctan(Value(x)).local_derivatives
                assert abs(slope * (1 + x * x) - 1) <= 4 * mp.eps
    with np.errstate(over="ignore"):  # x * x, on the way
        (half,) = arctan(Value(np.float16(300))).local_derivatives
    assert half == np.float16(1 / 90001)
    (long,) = arctan(Value(np.longdouble(2**27))).local_derivatives
    assert long == 1 / (1 + np.longdouble(2) ** 54)


def test_the_corners_of_a_symbol_s_own_derivatives():
    one = sympy.Integer(1)
    assert (
        arcsin(Value(one)).local_derivatives == arcsin(Value(-one)).local_derivatives == (sympy.oo,)
    )
    assert arccos(Value(one)).local_derivatives == (-sympy.oo,)
    assert grad(hypot)(sympy.oo, 3) == (1, 0)
    assert grad(hypot)(sympy.Integer(0), 0) == (0, 0)


@pytest.mark.parametrize("nan", [Decimal("nan"), sympy.nan, mpf("nan")])
def test_constant_derivatives_stay_what_they_are_at_nan(nan):
    two = type(nan)(2) if nan is not sympy.nan else sympy.Integer(2)
    assert grad(lambda x, y: x + y)(nan, two) == (1, 1)
    ((xx, xy), (yx, yy)) = hessian(lambda x, y: x * y)(nan, two)
    assert (xx, xy, yx, yy) == (0, 1, 1, 0)
    ((_, xy), (yx, yy)) = hessian(lambda x, y: x / y)(nan, two)
    assert xy == yx == -two / 8
    assert math.isnan(yy)


def test_a_primitive_that_takes_nan_is_asked_at_nan():
    to_zero = primitive("to_zero", lambda x: 0 * x if x == x else 0, (lambda x, out: 1,))
    for nan in (Decimal("nan"), sympy.nan, mpf("nan")):
        x = Value(nan)
        assert gradients(to_zero(x), [x], create_graph=True) == gradients(to_zero(x), [x]) == [1]


def test_a_nan_exponent_of_a_symbolic_0():
    for power in (sympy.Integer(0) ** Value(math.nan), Value(sympy.oo) ** mpf("nan")):
        assert math.isnan(power.data)


def test_a_primitive_with_the_name_of_a_row_is_its_own():
    square = primitive("square", "x*y", ("y", "x"))
    assert square(Value(np.uint8(200)), np.uint8(2)).data == 400.0
    product = primitive("product", lambda x: x * x, (lambda x, out: 2 * x,))
    assert product(Value(np.int8(100))).local_derivatives == (200.0,)


def test_a_comparison_of_symbols_is_constant():
    assert grad(lambda v: v > 0)(sympy.Integer(1)) == 0


def test_a_whole_number_of_numpy_is_read_by_another_type_as_it_is():
    n = 2**53 + 1  # a float has no room for it
    with mp.workdps(40):
        row = grad(lambda a, b: logsumexp([a, b]))(np.int64(n), mpf(n + 1))
        assert row == grad(lambda a, b: logsumexp([a, b]))(n, mpf(n + 1))
        assert abs(row[1] - 1 / (1 + mp.exp(-1))) < mpf(10) ** -38
    x = sympy.Symbol("x")
    assert logsumexp([Value(np.int64(2)), Value(x)]).data == sympy.log(sympy.exp(2) + sympy.exp(x))


def test_a_primitive_of_functions_is_given_the_same_number_at_every_order():
    cube = primitive("cube", lambda x: x * x * x, (lambda x, out: 3 * x * x,))
    v = Value(np.int8(7))
    assert gradients(cube(v), [v]) == [147.0]
    (recorded,) = gradients(cube(v), [v], create_graph=True)
    assert recorded.data == 147.0
    assert hessian(cube)(np.int8(100)) == ((600.0,),)


@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_arctan2_stays_in_the_range_of_small_floats(kind):
    assert grad(arctan2)(kind(1), kind(0)) == (0.0, -1.0)
    assert grad(arctan2)(kind(0), kind(2)) == (0.5, 0.0)
    assert hessian(hypot)(kind(3), kind(0)) == ((0.0, 0.0), (0.0, kind(1) / kind(3)))
    info = np.finfo(kind)
    exponents = np.linspace(np.log2(float(info.smallest_subnormal)), np.log2(float(info.max)), 24)
    for x, y in itertools.product([kind(2.0**each) for each in exponents[:-1]], repeat=2):
        length = Fraction(float(x)) ** 2 + Fraction(float(y)) ** 2
        truths = (Fraction(float(y)) / length, -Fraction(float(x)) / length)
        for got, truth in zip(grad(arctan2)(x, y), truths, strict=True):
            nearest = kind(float(truth)) if abs(truth) < float(info.max) else kind(np.inf)
            if np.isfinite(nearest):
                ulp = abs(float(np.spacing(nearest)))
                assert abs(Fraction(float(got)) - truth) <= 5 * Fraction(ulp), (x, y)


@pytest.mark.parametrize("x", [-67108863.999999985, 27.0, 1e-320, -1.770302727358865e-308])
def test_the_cube_root_of_a_numpy_float_is_as_near_as_that_of_a_float(x):
    ours, numpys = cbrt(Value(x)), cbrt(Value(np.float64(x)))
    assert type(numpys.data) is np.float64
    assert (numpys.data, numpys.local_derivatives) == (ours.data, ours.local_derivatives)


def test_a_power_of_mpmath_that_is_no_real_number_is_nan_or_as_of_floats():
    assert mp.isnan((Value(mpf(-1)) ** Value(mpf("nan"))).data)
    assert mp.isnan((Value(mpf("nan")) ** mpf("0.5")).data)
    assert (Value(mpf("-inf")) ** mpf("2.5")).data == mp.inf
    assert (Value(mpf("-inf")) ** mpf("-2.5")).data == 0


@pytest.mark.parametrize("x", ["2e6", "1e12", "1e18"])
def test_the_tails_of_mpmath_do_not_vanish(x):
    x = mpf(x)
    with mp.workdps(60):
        far = mp.exp(-x * x) / x / mp.sqrt(mp.pi)  # to one part in x * x
    assert abs(erfc(Value(x)).data / far - 1) < mpf("1e-10")
    assert ndtr(Value(-x)).data > 0


def test_logsumexp_of_decimals_makes_no_floats_for_a_context_that_traps_them():
    with localcontext() as context:
        context.traps[FloatOperation] = True
        together = logsumexp([Value(Decimal(1)), Value(Decimal(2))])
        assert abs(together.data - (1 + (1 + Decimal(1).exp()).ln())) < Decimal("1e-26")
        shares = softmax([Value(Decimal(9)), Value(Decimal(0))])
        assert abs(shares[0].data * (1 + Decimal(-9).exp()) - 1) < Decimal("1e-26")


def test_a_signal_of_decimal_is_the_same_error_of_ours_forward_and_back():
    with localcontext() as context:
        context.prec = 4
        x = Value(Decimal("1.234"))
        e = x * Decimal("1.111") * Decimal("1.111")
        context.traps[decimal.Inexact] = True
        with pytest.raises(ExactnessError, match=r"Decimal.*traps Inexact"):
            x * Decimal("1.001")
        with pytest.raises(ExactnessError, match=r"backward from .*traps Inexact"):
            e.backward()
        with pytest.raises(ExactnessError, match=r"gradients of .*traps Inexact"):
            gradients(e, [x])


# ---- NumPy's numbers among others


def passes(f, at):
    """The derivative of f, by every pass there is."""
    x = Value(at)
    e = f(x)
    e.backward()
    (recorded,) = gradients(e, [x], create_graph=True)
    total = path_sum(e, x).total
    return [x.grad, *gradients(e, [x]), data_of(recorded), grad(f)(at), total]


@pytest.mark.parametrize(
    ("f", "derivative"),
    [
        (lambda w: 3 * (w * np.uint8(200)), 600.0),
        (lambda w: w * np.int8(100) * np.int8(2), 200.0),
        (lambda w: w * np.int64(2**40) * np.int64(2**40), 2.0**80),
        (lambda w: dot([w, w], [np.uint8(200), np.uint8(100)]), 300.0),
        (lambda w: dot([np.uint8(200), np.uint8(100)], [w, w]), 300.0),
        (lambda w: (w * np.uint8(200)) * -1, -200.0),
        (lambda w: w * Value(np.uint8(200)) * Value(np.uint8(2)), 400.0),
    ],
)
def test_a_numpy_integer_as_a_factor_does_not_go_round(f, derivative):
    assert passes(f, 0.5) == [derivative] * 5
    w = Value(0.5)
    for e in (f(w), f(w)):
        e.backward()
    assert w.grad == 2 * derivative


def test_derivatives_of_numpy_integers_alone_do_not_go_round():
    x, y, z = (Value(np.uint8(each)) for each in (0, 200, 200))
    e = x * y * z
    e.backward()
    assert (e.data, x.grad) == (0, 40000)
    second = hessian(lambda a, b: a * b * b)(np.uint8(3), np.uint8(200))
    assert second == ((0, 400.0), (400.0, 6.0))


@pytest.mark.parametrize(
    ("f", "derivative"),
    [
        (lambda x: x * np.float16(300) * np.float16(300), 90000.0),
        (lambda x: dot([x, x], [np.float16(60000)] * 2), 120000.0),
        (lambda x: dot([x, x], [np.float32(2**24), np.float32(1)]), 2.0**24 + 1.0),
        (lambda x: x / np.float16(3), 1.0 / 3.0),
        (lambda x: x * Value(np.float16(300)) * Value(np.float16(300)), 90000.0),
    ],
)
def test_a_narrow_operand_does_not_make_the_derivative_of_a_wide_one_narrow(f, derivative):
    found = passes(f, np.float64(0.5))
    assert found == [derivative] * 5
    assert {*map(type, found)} == {np.float64}


@pytest.mark.parametrize("function", [erf, erfc, ndtr, gaussian, gelu])
def test_what_has_the_digits_of_a_float_only_is_refused_for_a_longdouble(function):
    with pytest.raises(ExactnessError, match="use float"):
        function(Value(np.longdouble("1e-400")))


def test_what_numpy_s_errstate_makes_an_error_is_named():
    with np.errstate(all="raise"), pytest.raises(NumberRangeError, match=r"numpy\.errstate"):
        tanh(Value(np.float32(400.0)))


# ---- sympy's 0.0, which does not equal 0


@pytest.mark.parametrize("zero", [sympy.Float(0.0), sympy.Integer(0)])
@pytest.mark.parametrize(
    ("exponent", "derivatives"),
    [(0.5, (math.inf, 0.0)), (1.0, (1.0, 0.0)), (0.0, (0.0, 0.0)), (3.0, (0.0, 0.0))],
)
def test_powers_of_sympy_s_zero_have_the_corners_of_floats(zero, exponent, derivatives):
    node = Value(zero) ** Value(sympy.Float(exponent))
    assert tuple(map(float, node.local_derivatives)) == derivatives
    assert (Value(0.0) ** Value(exponent)).local_derivatives == derivatives


def test_second_derivatives_at_sympy_s_zero():
    assert grad(grad(lambda x: x**1.5))(sympy.Float(0.0)) == sympy.oo


def test_softmax_with_a_symbolic_infinity():
    shares = softmax([Value(sympy.oo), Value(sympy.Integer(1))])
    assert [each.data for each in shares] == [1, 0]


# ---- mpmath's last digits


def ulps(found, make):
    with mp.workprec(4 * mp.prec):
        truth = make()
    return abs(found - truth) / abs(truth) / mp.eps


@pytest.mark.parametrize("digits", [15, 40])
def test_logaddexp_of_mpmath_knows_what_its_difference_lost(digits):
    with mp.workdps(digits):
        a, b = mpf(1.4454853162459949), mpf(592.0318460223896)
        (da, _) = logaddexp(Value(a), Value(b)).local_derivatives
        assert ulps(da, lambda: 1 / (1 + mp.exp(b - a))) < 4


@pytest.mark.parametrize("digits", [15, 50])
@pytest.mark.parametrize("above", ["1e-45", "1e-10", "0.3", "0.9", "1.5", "1e30"])
def test_arccosh_of_mpmath_has_its_digits_near_1(digits, above):
    with mp.workdps(digits):
        x = 1 + mpf(above)
        if x > 1:
            assert ulps(arccosh(Value(x)).data, lambda: mp.acosh(x)) < 4


@pytest.mark.parametrize("x", ["-0.3", "-3", "-37", "-1500", "-1e5", "-1e12", "2"])
def test_ndtr_of_mpmath_has_its_digits_in_the_tail(x):
    x = mpf(x)
    assert ulps(ndtr(Value(x)).data, lambda: mp.erfc(-x / mp.sqrt(2)) / 2) < 4


def test_mpmath_keeps_its_precision_whatever_threads_do():
    before, interval = mp.prec, sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            found = {*pool.map(lambda _: gelu(Value(mpf(-1.5))).data, range(400))}
    finally:
        sys.setswitchinterval(interval)
    assert (len(found), mp.prec) == (1, before)


# ---- whole numbers beyond the floats


def test_whole_numbers_too_large_for_a_float_have_the_derivatives_of_their_quotients():
    large, less = Value(10**400), Value(10**399)
    assert ((large / less).data, (large / less).local_derivatives) == (10.0, (0.0, -0.0))
    assert (Value(1) / large).local_derivatives == (0.0, -0.0)
    assert (Value(7) / Value(3)).local_derivatives == (1 / 3, -7 / 9)
    assert log2(large).data == math.log2(10**400)
    assert log10(large).data == 400.0
    assert log10(large).local_derivatives == log2(large).local_derivatives == (0.0,)


# ---- NumPy's float64, which is a float


@given(st.data())
@settings(max_examples=depth(60, by_default=15))
def test_a_graph_of_numpy_s_float64_is_that_of_floats_in_its_type(data):
    rule = data.draw(st.sampled_from([r for r in RULES.values() if not r.variadic]))
    at = data.draw(operands(rule))
    kinds = data.draw(st.permutations([np.float64, float][: rule.arity]))
    function = OPERATIONS[rule.name]
    ours = function(*map(Value, at))
    with np.errstate(all="ignore"):  # what overflows NumPy tells as well
        numpys = function(*[Value(kind(x)) for kind, x in zip(kinds, at, strict=True)])
    assert type(numpys.data) is np.float64
    for found, truth in zip(
        (numpys.data, *numpys.local_derivatives), (ours.data, *ours.local_derivatives), strict=True
    ):
        assert repr(float(found)) == repr(float(truth))
    assert {*map(type, numpys.local_derivatives)} <= {np.float64, float}
    assert still_gives(numpys, [data_of(each) for each in numpys.operands])


def test_derivatives_of_numpy_s_float64_are_of_its_type():
    x, w = Value(np.float64(0.5), "x"), Value(2.0, "w")
    for node in (
        x * w,
        w * x,
        x * 2.0,
        2.0 / x,
        w ** np.float64(2),
        tanh(x),
        np.float64(3) - w / x,
    ):
        kinds = {type(each) for each in node.local_derivatives if each not in (1.0, -1.0)}
        assert kinds <= {np.float64}
    e = tanh(x * w) * w
    e.backward()
    assert {type(x.grad), type(w.grad)} == {np.float64}


def test_lists_of_numpy_s_float64_are_lists_of_floats_in_its_type():
    w, x = [0.1, -0.7, 3.0], [0.3, 1.1, -2.0]
    truth = dot([*map(Value, w)], [*map(Value, x)])
    for node in (
        dot([*map(Value, w)], [*map(Value, map(np.float64, x))]),
        dot([*map(Value, w)], np.array(x)),
        dot(np.array(w), [*map(Value, x)]),
    ):
        assert (type(node.data), node.data) == (np.float64, truth.data)
        assert {*node.local_derivatives} <= {*truth.local_derivatives}
        assert {*map(type, node.local_derivatives)} == {np.float64}
    total = fsum([Value(np.float64(each)) for each in w])
    assert (type(total.data), total.data) == (np.float64, fsum(w))
    mixed = dot([Value(0.5)] * 2, [np.float64(2), np.uint8(200)])
    assert mixed.local_derivatives == (2.0, 200.0)


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.longdouble, np.int64])
def test_grad_takes_a_numpy_scalar(kind):
    assert grad(lambda x: x * x)(kind(2)) == 4
    assert grad(grad(lambda x: x * x * x))(kind(2)) == 12


@pytest.mark.parametrize("name", [n for n, r in RULES.items() if r.arity == 1 and n.isidentifier()])
@pytest.mark.parametrize("kind", [np.float64, np.float32, np.longdouble])
def test_a_function_of_a_numpy_float_keeps_its_type(name, kind):
    at = kind(1.5 if name == "arccosh" else 0.5)
    operand = [Value(at)] if RULES[name].variadic else Value(at)
    if kind is np.longdouble and name in ("erf", "erfc", "gaussian", "ndtr", "gelu"):
        with pytest.raises(ExactnessError, match="known to the digits of a float only: use float"):
            FUNCTIONS[name](operand)
        return
    node = FUNCTIONS[name](operand)
    assert type(node.data) is kind


@pytest.mark.parametrize(
    ("function", "at"),
    [(reciprocal, np.int64(4)), (sigmoid, np.uint8(3)), (silu, np.uint8(2)), (ndtr, np.int16(-2))],
)
def test_a_function_of_a_numpy_integer_is_that_of_the_float(function, at):
    assert function(Value(at)).data == pytest.approx(function(float(at)), rel=1e-15)


def test_a_sum_of_mixed_numbers_is_what_python_adds():
    assert fsum([Value(Decimal(1)), Value(np.int64(1))]).data == Decimal(2)
    assert fsum([Value(np.int64(2**53 + 1)), Value(np.int64(0))]).data == 2**53 + 1
    with pytest.raises(DataError):
        fsum([Value(Decimal(1)), Value(np.float64(0.5))])


@pytest.mark.parametrize("function", [relu, abs, sigmoid, silu, tanh])
def test_nan_of_sympy_propagates(function):
    node = function(Value(sympy.nan))
    assert (node.data, *node.local_derivatives) == (sympy.nan, sympy.nan)


@pytest.mark.parametrize("make", [relu, abs, lambda x: maximum(x, 1), lambda x: x**2])
def test_nan_of_decimal_propagates(make):
    node = make(Value(Decimal("NaN")))
    assert node.data.is_nan()
    assert all(each.is_nan() for each in node.local_derivatives)


@pytest.mark.parametrize(
    "number",
    [1 + sympy.I, sympy.Symbol("A", commutative=False), mpmath.iv.mpf([1, 2])],
    ids=str,
)
def test_what_is_no_real_number_is_refused(number):
    with pytest.raises(DataError):
        Value(number)


def test_a_symbol_s_power_and_tanh_have_the_plain_formula():
    x, y = sympy.symbols("x y")
    power = Value(x) ** Value(y)
    assert power.local_derivatives == (y * x ** (y - 1), x**y * sympy.log(x))
    assert tanh(Value(x)).local_derivatives == (1 / sympy.cosh(x) ** 2,)


def test_a_power_of_mpmath_and_a_fraction_or_a_sympy_number():
    assert (Value(mpmath.mpf(4)) ** Fraction(1, 2)).data == 2
    assert (Value(mpmath.mpf(4)) ** Value(sympy.Rational(1, 2))).data == 2


def test_a_decimal_s_trap_is_named_by_the_pass():
    x, a, b = Value(Decimal("1e-999999")), Value(Decimal("1e999990")), Value(Decimal("1e999990"))
    with pytest.raises(
        NumberRangeError, match="decimal's context traps Overflow; give it other limits"
    ):
        ((x * a) * b).backward()
