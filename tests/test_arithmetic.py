"""What each number type can do, how types meet, and the functions that each brings of its own."""

from __future__ import annotations

import decimal
import math
from decimal import Decimal, localcontext
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy as sp
from depth import depth
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

import tinygrad_bp
from tinygrad_bp import RULES, DataError, ExactnessError, Value, cbrt, exp, gelu, ndtr, sqrt, tanh
from tinygrad_bp.arithmetic import FLOAT, arithmetic_of, check_number, is_number
from tinygrad_bp.floats import gaussian
from tinygrad_bp.text import format_number

NUMBERS = {
    "int": 2,
    "Fraction": Fraction(2),
    "float": 2.0,
    "Decimal": Decimal(2),
    "numpy": np.float64(2),
    "mpf": mpf(2),
    "sympy": sp.Integer(2),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_each_type_has_its_arithmetic(name):
    assert arithmetic_of([NUMBERS[name]]).name == name
    assert is_number(NUMBERS[name])
    check_number(NUMBERS[name], where="here")


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("int", "Fraction", "Fraction"),
        ("int", "float", "float"),
        ("Fraction", "float", "float"),
        ("int", "Decimal", "Decimal"),
        ("float", "numpy", "numpy"),
        ("float", "mpf", "mpf"),
        ("int", "sympy", "sympy"),
        ("Fraction", "sympy", "sympy"),
    ],
)
def test_types_meet_as_they_do_in_python(one, other, together):
    a, b = NUMBERS[one], NUMBERS[other]
    for pair in ([a, b], [b, a]):
        assert arithmetic_of(pair).name == together
        assert type((Value(pair[0]) * pair[1]).data) is type(pair[0] * pair[1])


@pytest.mark.parametrize(
    "data",
    [
        *("1", None, True, 1j, [1], object(), Value, np.ones(1), np.True_, mpmath.mpc(1), sp.true),
        # of the packages whose numbers are known, and no number: a call that was forgotten, say
        *(np.exp, np.random.default_rng(), np.finfo(float), np.timedelta64(1), np.float64),
        *(mpmath.mp, mpmath.iv.mpf(1), mpmath.exp, sp.sin, sp.Symbol, sp.S.EmptySet, sp.I),
        *(decimal.getcontext(), decimal.Decimal, Fraction),
    ],
    ids=lambda data: f"{type(data).__name__} {data!r:.20}",
)
def test_what_is_no_real_number(data):
    assert not is_number(data)
    with pytest.raises(DataError, match=r"^here must be a real number, not"):
        check_number(data, where="here")


def test_a_refusal_is_short_whatever_the_number():
    with pytest.raises(ExactnessError, match="exp has no exact value of type Fraction") as caught:
        exp(Value(Fraction(10**3000, 7)))
    assert len(str(caught.value)) < 250


def test_the_size_of_a_number_too_long_to_print_has_its_sign():
    assert repr(Value(-(10**5000))) == "Value(data=<exact number of size -1e5000>, grad=0)"


def test_a_subclass_is_of_its_base_s_family():
    class Metres(float):
        pass

    assert arithmetic_of([Metres(1.0)]).name == "float"
    assert Value(Metres(2.0)).data == 2.0


def test_a_kernel_is_compiled_once():
    assert FLOAT.kernel(RULES["tanh"], (0,)) is FLOAT.kernel(RULES["tanh"], (0,))
    assert FLOAT.kernel(RULES["*"], (0,)) is not FLOAT.kernel(RULES["*"], (1,))


# ---- the functions of our own


def ulps(got, truth):
    return abs(mpf(got) - truth) / mpf(math.ulp(float(truth)))


@settings(max_examples=depth(300, by_default=50))
@given(st.floats(-26.5, 26.5))
def test_gaussian_is_right_where_exp_of_the_square_is_not(x):
    with mpmath.workdps(50):
        assert ulps(gaussian(x), mp.exp(-(mpf(x) ** 2))) < 2


def test_the_naive_gaussian_would_fail():
    with mpmath.workdps(50):
        assert ulps(math.exp(-26.3 * 26.3), mp.exp(-(mpf(26.3) ** 2))) > 50


@settings(max_examples=depth(300, by_default=50))
@given(st.floats(-37.5, 8.0))
def test_ndtr_and_gelu_are_right_in_the_tail(x):
    with mpmath.workdps(50):
        truth = mp.erfc(-mpf(x) / mp.sqrt(2)) / 2
        assert ulps(ndtr(x), truth) < 5
        if abs(x) > 1e-300:
            assert ulps(gelu(x), x * truth) < 7


@settings(max_examples=depth(300, by_default=50))
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_cbrt_is_right_to_an_ulp(x):
    with mpmath.workdps(50):
        truth = mp.sign(x) * mp.root(abs(mpf(x)), 3)
        assert ulps(cbrt(x), truth) < 1


@given(st.integers(-(10**5), 10**5))
def test_the_root_of_a_cube_is_exact(n):
    assert cbrt(float(n**3)) == n


def test_cbrt_of_a_negative_number_is_real_in_every_type():
    assert cbrt(-8.0) == cbrt(-8) == -2.0
    assert cbrt(mpf(-8)) == -2
    assert cbrt(sp.Integer(-8)) == -2
    assert cbrt(np.float64(-8.0)) == pytest.approx(-2.0, rel=1e-15)


# ---- exact types


def test_a_refusal_says_what_to_do():
    with pytest.raises(ExactnessError) as caught:
        exp(Value(Fraction(1, 2), "w"))
    assert str(caught.value) == (
        "exp(w=Fraction(1, 2)): exp has no exact value of type Fraction: "
        "use float(...) or an mpmath or sympy number"
    )
    assert isinstance(caught.value, TypeError)


def test_decimals_do_what_their_type_can():
    with localcontext() as context:
        context.prec = 40
        two = Value(Decimal(2))
        node = sqrt(two)
        assert node.data == Decimal(2).sqrt()
        assert node.local_derivatives == (Decimal("0.5") / Decimal(2).sqrt(),)
        assert exp(two).data == Decimal(2).exp()
        assert (two**3).local_derivatives == (Decimal(12),)
        with pytest.raises(ExactnessError, match=r"cosh|tanh"):
            tanh(two)


def test_mpmath_works_at_the_precision_of_the_moment():
    with mpmath.workdps(60):
        node = tanh(Value(mpf(20)))
        assert abs(node.data - mp.tanh(20)) < mpf(10) ** -58
        assert mp.almosteq(node.local_derivatives[0], mp.sech(20) ** 2, 1e-57)


def test_numpy_scalars_stay_in_numpy():
    node = tanh(Value(np.float32(0.5)))
    assert type(node.data) is np.float32
    assert type(node.local_derivatives[0]) is np.float32


def test_floats_follow_ieee_754_where_math_raises():
    assert exp(Value(1000.0)).data == math.inf
    assert (Value(-1e200) ** 3).data == -math.inf
    assert (Value(-1e200) ** 2).data == math.inf
    from tinygrad_bp import cosh, fsum, sinh

    assert sinh(Value(-1000.0)).data == -math.inf
    assert cosh(Value(-1000.0)).data == math.inf
    assert math.isnan(fsum([Value(math.inf), Value(-math.inf)]).data)


# ---- numbers as a person reads them


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.1 + 0.2, "0.3"),
        (1e-17 / 3, "3.33333e-18"),
        (12, "12"),
        (Fraction(2, 6), "1/3"),
        (Decimal("0.123456789"), "0.123457"),
        (np.float64(0.5), "0.5"),
        (mpf(1) / 3, "0.333333"),
        (sp.Symbol("x") ** 2, "x**2"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
    ],
)
def test_format_number(number, text):
    assert format_number(number) == text


def test_format_number_takes_the_digits_asked_for():
    assert format_number(2 / 3, 3) == "0.667"
    assert format_number(Fraction(2, 3), 3) == "2/3"


def test_whole_numbers_too_large_go_to_inf_in_functions_and_are_named_in_operators():
    assert tinygrad_bp.exp(Value(1000)).data == math.inf
    with pytest.raises(tinygrad_bp.NumberRangeError, match=r"\* 0.5: int too large"):
        Value(10**400) * 0.5
    assert (Value(10**400) + 1).data == 10**400 + 1


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "abs", "maximum", "minimum", "elu"])
def test_kinks_of_symbols_are_piecewise(name):
    x, y = sp.symbols("x y", real=True)
    operands = [Value(x), Value(y)][: tinygrad_bp.RULES[name].arity]
    node = abs(operands[0]) if name == "abs" else getattr(tinygrad_bp, name)(*operands)
    derivative = node.local_derivatives[0]
    assert derivative.has(sp.Piecewise)
    f = getattr(tinygrad_bp, name, abs)
    for at in (-1.5, 0.7):
        numbers = {x: sp.Float(at), y: sp.Float(0.2)}
        leaves = [Value(at), Value(0.2)][: len(operands)]
        expected = f(*leaves)
        assert float(node.data.subs(numbers)) == pytest.approx(expected.data, rel=1e-12)
        assert float(derivative.subs(numbers)) == pytest.approx(expected.local_derivatives[0])
