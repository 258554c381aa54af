"""Derivatives by other means: finite differences with an honest error, gradients without effects."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_bp import Value, tanh
from tinygrad_bp.differentiate import finite_difference, gradients


@pytest.mark.parametrize(
    ("f", "slope", "x"),
    [
        (math.exp, math.exp, 1.0),
        (math.exp, math.exp, -20.0),
        (math.sin, math.cos, 100.0),
        (math.log, lambda x: 1 / x, 1e-6),
        (math.log, lambda x: 1 / x, 1e6),
        (math.sqrt, lambda x: 0.5 / math.sqrt(x), 1e-9),
        (math.tanh, lambda x: 1 / math.cosh(x) ** 2, 0.0),
        (lambda x: x**7, lambda x: 7 * x**6, -1.5),
        (lambda x: 4e-7 * x * x, lambda x: 8e-7 * x, 3.0),
        (lambda x: 1 / x, lambda x: -1 / x**2, 1e-3),
        (lambda x: 3.0, lambda x: 0.0, 5.0),
    ],
)
def test_the_estimate_is_as_good_as_it_says(f, slope, x):
    estimate = finite_difference(lambda at: f(at[0]), [x], 0)
    assert estimate.value == pytest.approx(slope(x), rel=1e-7, abs=1e-12)
    assert abs(estimate.value - slope(x)) <= 100 * estimate.error + 1e-9 * abs(slope(x))


def test_of_several_arguments_only_one_moves():
    estimate = finite_difference(lambda at: at[0] * at[1] ** 2, [5.0, 3.0], 1)
    assert estimate.value == pytest.approx(30.0, rel=1e-10)


def test_where_there_is_no_value_around_it_says_so():
    estimate = finite_difference(lambda at: math.log(-1.0), [1.0], 0)
    assert math.isnan(estimate.value)
    assert estimate.error == math.inf


@given(st.floats(-3, 3), st.floats(-3, 3))
def test_gradients_are_backwards_to_the_bit_and_touch_no_grad(a, b):
    x, y = Value(a), Value(b)
    z = x * y
    e = tanh(z) * x + z
    other = Value(1.0)
    x.grad, z.grad = 7.0, 8.0
    found = gradients(e, [x, y, z, other, e])
    assert (x.grad, y.grad, z.grad, e.grad) == (7.0, 0, 8.0, 0)
    x.grad = 0
    e.backward()
    assert found == [x.grad, y.grad, z.grad, 0, 1]
