"""Singular points: what is made of a convention is right, or it is said, and names the operation."""

from __future__ import annotations

import math
import warnings
from decimal import Decimal
from fractions import Fraction
from functools import reduce

import mpmath
import numpy as np
import pytest
import sympy

from tinygrad_bp import (
    KinkWarning,
    NumberRangeWarning,
    Value,
    arccos,
    arccosh,
    arcsin,
    arctan2,
    cbrt,
    cos,
    elu,
    exp,
    grad,
    gradients,
    hessian,
    hypot,
    jacobian,
    leaky_relu,
    log,
    logaddexp,
    logsumexp,
    maximum,
    minimum,
    path_sum,
    paths,
    relu,
    sigmoid,
    softmax,
    softplus,
    sqrt,
    steps,
    tanh,
)

INF = math.inf


def told(function, *at):
    """What a function gives, and the texts of the warnings on the way."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = function(*at)
    return found, [f"{each.category.__name__}: {each.message}" for each in said]


# ---- second derivatives through a convention


@pytest.mark.parametrize(
    ("f", "at", "named"),
    [
        (lambda x, y: hypot(x, y) ** 2, (0.0, 0.0), "hypot(0.0, 0.0)"),
        (lambda x: abs(x) ** 2, (0.0,), "abs(0.0)"),
        (lambda x: cos(abs(x)), (0.0,), "abs(0.0)"),
        (lambda x: maximum(x, -x) ** 2, (0.0,), "maximum(0.0, -0.0)"),
        (lambda x, y: minimum(x, y) * x, (3.0, 3.0), "minimum(3.0, 3.0)"),
        (lambda x: relu(x - 1.0), (1.0,), "relu(0.0)"),
        (lambda x: relu(x) * x, (Fraction(0),), "relu(Fraction(0, 1))"),
        (leaky_relu, (0.0,), "leaky_relu(0.0)"),
        (elu, (0.0,), "elu(0.0)"),
        (sqrt, (0.0,), "sqrt(0.0)"),
        (cbrt, (-0.0,), "cbrt(-0.0)"),
        (lambda x: x**0.5, (0.0,), "**(0.0, 0.5)"),
        (lambda x, y: x**y, (0.0, 0.5), "**(0.0, 0.5)"),
        (lambda x, y: x**y, (0.0, 1.0), "**(0.0, 1.0)"),
        (lambda x, y: x**y, (0.0, 0.0), "**(0.0, 0.0)"),
        (arcsin, (1.0,), "arcsin(1.0)"),
        (arccos, (-1.0,), "arccos(-1.0)"),
        (arccosh, (1.0,), "arccosh(1.0)"),
        (arctan2, (0.0, 0.0), "arctan2(0.0, 0.0)"),
        (abs, (np.float64(0.0),), "abs(np.float64(0.0))"),
        (abs, (np.int64(0),), "abs(0)"),
        (abs, (mpmath.mpf(0),), "abs(mpf('0.0'))"),
        (abs, (Decimal(0),), "abs(Decimal('0'))"),
        (abs, (sympy.Integer(0),), "abs(0)"),
    ],
)
def test_a_second_derivative_through_a_convention_is_said_and_names_the_operation(f, at, named):
    for derive in (hessian(f), jacobian(grad(f)) if len(at) > 1 else grad(grad(f))):
        _, (said,) = told(derive, *at)
        assert said.startswith(f"KinkWarning: no second derivative at {named}: ")
    _, first = told(grad(f), *at)
    assert first == []  # the table has the convention


@pytest.mark.parametrize(
    ("f", "at", "second"),
    [
        (abs, (1e-300,), ((0,),)),
        (relu, (5e-324,), ((0,),)),
        (lambda x: x**2, (0.0,), ((2.0,),)),
        (lambda x: x**1, (0.0,), ((0.0,),)),
        (lambda x: x**1.5, (0.0,), ((INF,),)),
        (lambda x, y: x**y, (0.0, 2.0), ((2.0, 0.0), (0, 0))),
        (lambda x, y: maximum(x, y) ** 2, (3.0, 2.0), ((2.0, 0), (0, 0))),
        (lambda x, y: hypot(x, y) ** 2, (3.0, 0.0), ((2.0, 0.0), (0.0, 2.0))),
        (lambda x: arcsin(x) * 2.0, (0.0,), ((0.0,),)),
        (sigmoid, (0.0,), ((0.0,),)),
        (tanh, (0.0,), ((0.0,),)),
        (softplus, (0.0,), ((0.25,),)),
        (abs, (math.nan,), ((0,),)),
        (abs, (sympy.Symbol("x", real=True),), ((0,),)),
    ],
)
def test_beside_a_kink_nothing_is_said(f, at, second):
    found, said = told(hessian(f), *at)
    assert said == []
    assert np.allclose(np.array(found, float), np.array(second, float), rtol=1e-14)


def test_every_derivative_of_a_polynomial_at_0_is_silent():
    derivative, factorial = (lambda x: x**4), [0, 0, 0, 24, 0, 0]
    for expected in factorial:
        derivative = grad(derivative)
        assert told(derivative, 0.0) == (expected, [])


def test_a_recorded_pass_says_it_once_with_the_labels():
    x, y = Value(0.0, "x"), Value(-0.0)
    e = abs(x) + relu(x) + abs(x) + sqrt(x) + relu(y) + elu(x)
    _, (said,) = told(lambda: gradients(e, [x, y], create_graph=True))
    assert "at elu(x=0.0), relu(-0.0), sqrt(x=0.0), 2 more: " in said
    assert told(lambda: gradients(e, [x, y]))[1] == []
    with pytest.warns(KinkWarning) as caught:
        gradients(e, [x], create_graph=True)
    assert caught[0].filename == __file__  # the line of the user's


def test_what_is_not_differentiated_for_is_not_said():
    x, y = Value(0.0), Value(2.0)
    assert told(lambda: gradients(abs(x) * y * y, [y], create_graph=True))[1] == []


# ---- an infinite slope times 0


def norm(*numbers):
    return np.linalg.norm(np.array(numbers))


@pytest.mark.parametrize("kind", [float, np.float64, np.float32, mpmath.mpf, sympy.Integer])
@pytest.mark.parametrize("f", [norm, lambda *xs: norm(*xs) ** 2], ids=["norm", "norm squared"])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_the_norm_and_its_square_have_the_gradient_0_at_0(f, kind):
    found, said = told(grad(f), kind(0), kind(0))
    assert found == (0, 0)
    assert [each for each in said if "KinkWarning: infinite slope at sqrt(" in each]


@pytest.mark.parametrize(
    ("f", "at", "named"),
    [
        (lambda x: x * sqrt(x), 0.0, "sqrt(0.0)"),
        (lambda x: sqrt(x) * 0.0, 0.0, "sqrt(0.0)"),
        (lambda x: sqrt(x**3), 0.0, "sqrt(0.0)"),
        (lambda x: cbrt(x) ** 4, 0.0, "cbrt(0.0)"),
        (lambda x: (x * x) ** 0.75, 0.0, "**(0.0, 0.75)"),
        (lambda x: sqrt(x * x) ** 2, Decimal(0), "sqrt(Decimal('0'))"),
        (lambda x: arccosh(x) * (x - 1.0), 1.0, "arccosh(1.0)"),
        (lambda x: arcsin(x) * 0.0, -1.0, "arcsin(-1.0)"),
    ],
)
def test_an_infinite_slope_that_meets_a_0_is_no_nan_and_it_is_said(f, at, named):
    found, (said,) = told(grad(f), at)
    assert found == 0  # as is the truth
    assert said.startswith(f"KinkWarning: infinite slope at {named}: ")


def test_every_reader_of_the_pass_has_the_same_convention():
    x, y = Value(0.0, "x"), Value(0.0, "y")
    e = norm(x, y) ** 2
    _, (said,) = told(e.backward)
    assert "sqrt(0.0)" in said
    record = steps(e)
    assert [record.at(-1)[leaf] for leaf in (x, y)] == [x.grad, y.grad] == [0.0, 0.0]
    assert path_sum(e, x).total == path_sum(e, x).gross == 0.0
    assert [path.product for path in paths(e, x)] == [0.0, 0.0]
    _, (said,) = told(lambda: gradients(e, [x], create_graph=True))
    assert "no second derivative at sqrt(0.0)" in said


def test_a_nan_that_is_none_of_a_kink_s_stays_and_is_said():
    found, (said,) = told(grad(lambda x: log(exp(x))), 1000.0)
    assert math.isnan(found)
    assert said.startswith("NumberRangeWarning: a derivative is nan, for at exp(1000.0) ")
    # what is nan from the start, and the convention at a kink, need no word
    assert told(grad(lambda x: x * x), math.nan)[1] == []
    assert told(grad(lambda x: x * math.nan), 1.0)[1] == []
    assert told(grad(arctan2), 0.0, 0.0)[1] == []
    assert told(grad(lambda y: (-2.0) ** y), 3.0)[1] == []


def test_a_pass_through_kinks_is_repeated_exactly():
    x = Value(0.0)
    x.grad = 2.0
    e = x * sqrt(x) + 3.0 * x
    with pytest.warns(KinkWarning):
        e.backward()
    with pytest.warns(KinkWarning):
        e.backward()
    assert x.grad == 2.0 + 3.0 + 3.0


# ---- infinities in what is composed


@pytest.mark.parametrize("kind", [float, np.float64, np.float32, mpmath.mpf, Decimal])
@pytest.mark.parametrize(
    ("values", "shares"),
    [
        ([-INF, 0.0], [0.0, 1.0]),
        ([INF, 0.0], [1.0, 0.0]),
        ([0.0, INF, -INF], [0.0, 1.0, 0.0]),
        ([INF, 1.0, INF], [0.5, 0.0, 0.5]),
        ([-INF, -INF, 2.0], [0.0, 0.0, 1.0]),
    ],
)
def test_softmax_and_logsumexp_have_their_limits_at_infinities(values, shares, kind):
    at = [*map(kind, values)]
    zeros = tuple((0,) * len(at) for _ in at)
    (found, rows), said = told(lambda: (softmax(at), jacobian(lambda *xs: softmax(xs))(*at)))
    assert (found, rows, said) == (shares, zeros, [])
    assert logsumexp(at) == max(values)
    assert grad(lambda *xs: logsumexp(xs))(*at) == tuple(shares)
    if kind is float:
        for place in range(len(at)):
            assert hessian(lambda *xs, place=place: softmax(xs)[place])(*at) == zeros
        assert hessian(lambda *xs: logsumexp(xs))(*at) == zeros


@pytest.mark.parametrize("far", [-INF, INF])
def test_logaddexp_has_its_limits_at_an_infinity(far):
    shares = (0.0, 1.0) if far < 0 else (1.0, 0.0)
    assert grad(logaddexp)(far, 0.0) == shares
    assert hessian(logaddexp)(far, 0.0) == ((0.0, 0.0), (0.0, 0.0))


# ---- beyond the range of floats


def third(f, slots, at):
    def derivative(f, slot):
        return lambda *xs: grad(f)(*xs)[slot]

    return reduce(derivative, slots, f)(*at)


X, Y = sympy.symbols("x y", real=True)


@pytest.mark.parametrize("slots", [(0, 0, 0), (0, 0, 1), (0, 1, 1), (1, 1, 1)], ids=str)
@pytest.mark.parametrize("size", [1e-170, 1e-160, 1e-100])
@pytest.mark.parametrize(
    ("f", "formula"), [(arctan2, sympy.atan2(X, Y)), (hypot, sympy.sqrt(X * X + Y * Y))]
)
def test_third_derivatives_of_tiny_operands_are_right_or_said(f, formula, size, slots):
    exact = sympy.lambdify((X, Y), sympy.diff(formula, *[(X, Y)[slot] for slot in slots]), "mpmath")
    with mpmath.workdps(40):
        truth = exact(mpmath.mpf(size), mpmath.mpf(size))
        assert mpmath.almosteq(third(f, slots, [mpmath.mpf(size)] * 2), truth, 1e-30)
    found, said = told(third, f, slots, (size, size))
    if math.isnan(found):
        assert [each for each in said if each.startswith("NumberRangeWarning: ")]
    else:
        assert found == pytest.approx(float(truth), rel=1e-13)


def test_the_warnings_can_be_made_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error", KinkWarning)
        warnings.simplefilter("error", NumberRangeWarning)
        with pytest.raises(KinkWarning):
            hessian(abs)(0.0)
        x = Value(0.0)
        x.grad = 1.0
        with pytest.raises(KinkWarning):
            (sqrt(x) * x).backward()
        assert x.grad == 1.0
