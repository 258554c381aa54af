"""Derivatives by other means: finite differences with an honest error, gradients without effects."""

from __future__ import annotations

import gc
import math
import operator
import sys
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal, localcontext
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
    ArgumentError,
    DataError,
    DomainError,
    StaleGraphError,
    Value,
    arctan,
    dot,
    fsum,
    grad,
    gradients,
    hessian,
    hypot,
    jacobian,
    logaddexp,
    maximum,
    primitive,
    relu,
    sigmoid,
    softplus,
    tanh,
    value_and_grad,
)
from tinygrad_bp.differences import finite_difference
from tinygrad_bp.graph import topological_order
from tinygrad_bp.operations import FUNCTIONS
from tinygrad_bp.rules import Rule
from tinygrad_bp.value import data_of


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
        (math.tanh, lambda x: 1.7e-17, 20.0),
        (math.erf, lambda x: 2 / math.sqrt(math.pi) * math.exp(-25.0), 5.0),
        (math.cos, lambda x: -1e-9, 1e-9),
    ],
)
def test_the_estimate_is_as_good_as_it_says(f, slope, x):
    estimate = finite_difference(lambda at: f(at[0]), [x], 0)
    assert abs(estimate.value - slope(x)) <= estimate.error
    assert estimate.error <= 1e-5 * abs(slope(x)) + 1e-12


@pytest.mark.parametrize("f", [abs, lambda x: max(x, 0.0), lambda x: abs(x) + 0.1 * x])
def test_a_kink_is_inconclusive(f):
    estimate = finite_difference(lambda at: f(at[0]), [0.0], 0)
    assert math.isnan(estimate.value)
    assert finite_difference(lambda at: f(at[0]), [0.5], 0).error < 1e-9


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


# ---- functions of functions


def test_grad_of_one_argument_is_a_number_and_of_more_a_tuple():
    assert grad(lambda x: x**3)(2.0) == 12.0
    assert grad(lambda x, y: x * y)(2.0, 5.0) == (5.0, 2.0)
    assert value_and_grad(lambda x: x * x)(3.0) == (9.0, 6.0)
    assert jacobian(lambda x, y: [x * y, x, 7.0])(2.0, 5.0) == ((5.0, 2.0), (1.0, 0), (0, 0))
    assert hessian(lambda x, y: x * x * y)(2.0, 5.0) == ((10.0, 4.0), (4.0, 0))
    assert hessian(lambda x: x**3)(2.0) == ((12.0,),)
    assert grad(lambda x: 5.0)(2.0) == 0


@pytest.mark.parametrize("result", [None, "a", [1.0], 1j])
def test_a_function_that_returns_no_number_is_refused(result):
    with pytest.raises(DataError, match="what the function returned must be a real number"):
        grad(lambda x: result)(1.0)


def test_called_with_values_they_return_values():
    x = Value(2.0, "x")
    slope = grad(lambda a: a**3)(x)
    slope.backward()
    assert (slope.data, x.grad) == (12.0, 12.0)


RATIONAL = st.recursive(
    st.sampled_from(["x", "n(1)", "n(2)", "n(3)"]),
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*"), inner)
        | st.builds("({} / (1 + {} * {}))".format, inner, inner, inner).filter(
            lambda t: len(t) < 70
        )
    ),
    max_leaves=6,
)


@settings(max_examples=depth(25, by_default=8))
@given(RATIONAL, st.fractions(-2, 2, max_denominator=5))
def test_fifth_derivatives_of_rational_functions_are_sympys_exactly(text, at):
    symbol = sympy.Symbol("x")
    try:
        f = eval(text, {"x": symbol, "n": sympy.Integer})
        truth = sympy.diff(f, symbol, 5).subs(symbol, sympy.Rational(at))
        fifth = lambda x: eval(text, {"x": x, "n": Fraction})  # noqa: E731
        for _ in range(5):
            fifth = grad(fifth)
        found = fifth(at)
    except ZeroDivisionError:
        return
    assert not isinstance(found, float)
    assert found == Fraction(int(truth.p), int(truth.q))


@pytest.mark.parametrize(
    "name", [name for name, rule in RULES.items() if rule.arity == 1 and not rule.variadic]
)
def test_second_and_third_derivatives_of_every_row_of_one_operand(name):
    f = FUNCTIONS[name] if name in FUNCTIONS else {"neg": operator.neg, "abs": abs}[name]
    inside = compared = 0
    for at in (0.3, 0.7, 1.9, -0.4):
        x = Value(at)
        try:
            f(x)
        except DomainError:
            continue
        order = 1
        exact = grad(f)
        inside += 1
        while order < 3:
            estimate = finite_difference(lambda a, exact=exact: exact(a[0]), [at], 0)
            exact = grad(exact)
            order += 1
            if math.isfinite(estimate.value):
                allowed = 1e-6 * abs(estimate.value) + 10 * estimate.error + 1e-9
                assert abs(exact(at) - estimate.value) <= allowed, (name, at, order)
                assert estimate.error <= 1e-4 * abs(estimate.value) + 1e-6, (name, at, order)
                compared += 1
    assert compared >= inside > 0


def test_higher_derivatives_at_a_joint_of_two_branches():
    third = grad(grad(grad(sigmoid)))
    assert third(0.0) == pytest.approx(-0.125, rel=1e-14)
    assert grad(grad(softplus))(0.0) == pytest.approx(0.25, rel=1e-14)
    assert grad(grad(grad(tanh)))(0.0) == pytest.approx(-2.0, rel=1e-14)


def test_a_call_inside_a_call_uses_the_outer_argument():
    inner_constant = grad(lambda x: x * grad(lambda y: x + y)(1.0))
    assert inner_constant(5.0) == 1.0  # the perturbation-confusion example
    assert grad(grad(lambda x: x * grad(lambda y: x * y)(2.0)))(3.0) == 2.0
    w = Value(2.0)
    assert grad(lambda x: w * x)(3.0) == 2.0  # a number, for it was called with one


def test_variadic_operations_are_differentiated_again():
    assert grad(grad(lambda x: dot([x, 2.0], [x, x]) + fsum([x * x, x])))(3.0) == 4.0


def test_a_primitive_of_functions_is_differentiated_again():
    cube = primitive("cube", lambda x: x**3, (lambda x, out: 3 * x**2,))
    assert grad(grad(cube))(2.0) == 12.0


def test_a_stale_recording_is_refused():
    x, y = Value(2.0, "x"), Value(3.0, "y")
    e = tanh(x * y)
    x.data = 5.0
    assert gradients(e, [x])[0] == (1 / math.cosh(6.0)) ** 2 * 3.0  # the recording itself stands
    with pytest.raises(StaleGraphError, match=r"recorded from other data.*x.*record it again"):
        gradients(e, [x], create_graph=True)


def test_no_reference_cycles_are_left_behind():
    def work():
        hessian(lambda x, y: tanh(x * y) / (x + 2))(1.0, 2.0)
        e = tanh(Value(1.0) * 2)
        e.backward()
        gradients(e, e.parents, create_graph=True)

    work()  # compiles the rows that it needs, once
    gc.collect()
    gc.disable()
    try:
        for _ in range(10):
            work()
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_recorded_pass_over_a_long_chain():
    x = Value(1.0)
    v = x
    for _ in range(100_000):
        v = v * 1.00001
    (slope,) = gradients(v, [x], create_graph=True)
    assert slope == pytest.approx(1.00001**100_000)


def test_a_plain_number_has_derivative_0():
    x = Value(2.0)
    (slope,) = gradients(x * 3, [x], create_graph=True)
    assert gradients(slope, [x], create_graph=True) == [0]
    with pytest.raises(DataError, match="what is differentiated must be a real number, not str"):
        gradients("x", [x])


def test_gradients_are_for_values_and_of_any_iterable_of_them():
    x = Value(3.0)
    assert gradients(x * x, (each for each in [x])) == [6.0]
    for wrong in (1.0, None):
        with pytest.raises(DataError, match=r"gradients are for Values, and .* is none"):
            gradients(x * x, [wrong])


@pytest.mark.parametrize("x", [711.0, -745.0, 1e5, -1e300])
def test_the_second_derivative_of_a_saturated_tanh_is_0_and_not_nan(x):
    assert [grad(tanh)(x), grad(grad(tanh))(x), grad(grad(grad(tanh)))(x)] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("x", [0.0, 1.0, -1e3, 1e300])
def test_the_second_derivatives_of_logaddexp_at_equal_operands(x):
    assert hessian(logaddexp)(x, x) == ((0.25, -0.25), (-0.25, 0.25))
    assert grad(logaddexp)(math.inf, math.inf) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("name", "points"),
    [
        ("abs", [0.0]),
        ("relu", [0.0]),
        ("leaky_relu", [0.0]),
        ("sqrt", [0.0]),
        ("cbrt", [0.0]),
        ("arcsin", [1.0, -1.0]),
        ("arccos", [1.0, -1.0]),
        ("arccosh", [1.0]),
    ],
)
def test_at_a_kink_the_derivative_is_a_constant_and_further_ones_are_0(name, points):
    assert all(grad(grad(FUNCTIONS[name]))(x) == 0 for x in points)


def test_symbols_that_leave_a_branch_open_are_differentiated_twice():
    x, y = sympy.symbols("x y", real=True)

    def f(a, b):
        return relu(a * b) * a + abs(a) * b * b + maximum(a, b) ** 3 + (a * a) ** b

    found = hessian(f)(x, y)
    for at in ((1.5, 2.0), (-1.0, 2.0), (3.0, -2.0), (-0.5, 1.5)):
        where = dict(zip((x, y), map(sympy.Rational, at), strict=True))
        for row, numbers in zip(found, hessian(f)(*at), strict=True):
            for formula, number in zip(row, numbers, strict=True):
                assert float(sympy.sympify(formula).subs(where)) == pytest.approx(number, rel=1e-12)


def test_the_derivative_of_a_tanh_of_a_symbol_is_the_formula():
    x = sympy.Symbol("x")
    assert Value(x).tanh().local_derivatives == (1 / sympy.cosh(x) ** 2,)
    assert sympy.simplify(grad(grad(tanh))(x) - sympy.diff(sympy.tanh(x), x, 2)) == 0


# ---- digits at higher orders

SECOND = {  # f, its second derivative
    "tanh": lambda x: -2 * mp.tanh(x) / mp.cosh(x) ** 2,
    "sigmoid": lambda x: -mp.tanh(x / 2) / (4 * mp.cosh(x / 2) ** 2),
    "arcsin": lambda x: x / (1 - x * x) ** mpf(1.5),
    "arccos": lambda x: -x / (1 - x * x) ** mpf(1.5),
    "arctan": lambda x: -2 * x / (1 + x * x) ** 2,
    "arctanh": lambda x: 2 * x / (1 - x * x) ** 2,
}


def nth(f, order):
    for _ in range(order):
        f = grad(f)
    return f


def assert_close(found, truth, ulps):
    assert abs(mpf(found) - truth) <= ulps * mpf(2) ** -52 * abs(truth), (found, truth)


@pytest.mark.parametrize("name", SECOND)
@pytest.mark.parametrize("x", [1e-300, -1e-20, 1e-10, 1e-3, -0.3, 0.49, 0.51, -0.9])
def test_a_second_derivative_near_0_has_its_digits(name, x):
    with mpmath.workdps(50):
        assert_close(nth(FUNCTIONS[name], 2)(x), SECOND[name](mpf(x)), 8)


@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
@pytest.mark.parametrize("x", [1.0, -20.0, 300.0, -350.0])
def test_a_second_derivative_far_out_has_its_digits(name, x):
    with mpmath.workdps(700):
        assert_close(nth(FUNCTIONS[name], 2)(x), SECOND[name](mpf(x)), 8)


def test_the_third_derivative_of_softplus_near_0_has_its_digits():
    with mpmath.workdps(50):
        assert_close(nth(softplus, 3)(1e-20), SECOND["sigmoid"](mpf(1e-20)), 8)


@pytest.mark.parametrize(
    ("order", "x", "truth"),
    [
        (2, 1e81, -2e-243),
        (2, 1e100, -2e-300),
        (3, 1e65, 6e-260),
        (4, 1e55, -2.4e-274),
        (5, 1e47, 1.2e-280),
    ],
)
def test_the_derivatives_of_arctan_far_out_have_their_digits(order, x, truth):
    assert nth(arctan, order)(x) == pytest.approx(truth, rel=1e-14)


@pytest.mark.parametrize(
    ("y", "order", "x"),
    [
        *[(2, 2, 1e-310), (2, 2, 5e-324), (2, 2, -1e-310), (3, 2, 1e206), (3, 2, 1e300)],
        *[(3, 2, 1e-290), (3, 3, 1e-155), (3, 3, 1e206), (4, 4, 1e103), (4, 3, 1e-110)],
        *[(5, 5, 1e-78), (6, 5, -1e-77), (8, 4, 1e45), (10, 3, 1e35), (10, 3, -1e-36)],
        *[(21, 5, -1e-17), (2.5, 2, 1e-300), (2.5, 2, 1e300), (0.3, 3, 1e-80), (-2, 3, 1e50)],
    ],
)
def test_a_derivative_of_a_power_of_any_order_stays_in_range(y, order, x):
    with mpmath.workdps(50):
        truth = mpf(x) ** (mpf(y) - order)
        for step in range(order):
            truth *= mpf(y) - step
        assert_close(nth(lambda x: x**y, order)(x), truth, 4 + 4 * order)


@pytest.mark.parametrize(
    "at",
    [(3.0, 0.0), (0.0, -2.0), (1.0, 1e-9), (1e-20, -1.0), (1e17, 1.0), (-3.0, 4.0), (5.0, 5.0)],
)
def test_the_second_derivatives_of_hypot_have_their_digits(at):
    with mpmath.workdps(50):
        x, y = map(mpf, at)
        cubed = mp.hypot(x, y) ** 3
        truth = ((y * y / cubed, -x * y / cubed), (-x * y / cubed, x * x / cubed))
        for found_row, row in zip(hessian(hypot)(*at), truth, strict=True):
            for found, each in zip(found_row, row, strict=True):
                assert_close(found, each, 8)


def test_nan_goes_through_the_second_derivatives_of_a_power():
    assert math.isnan(nth(lambda x: x**0.5, 2)(math.nan))
    ((xx, xy), (yx, yy)) = hessian(lambda x, y: x**y)(-2.0, 2.0)
    assert xx == 2.0
    assert all(map(math.isnan, (xy, yx, yy)))


@pytest.mark.parametrize("make", [grad, value_and_grad, jacobian, hessian])
def test_what_is_no_function_is_refused_at_once(make):
    name = make.__name__
    with pytest.raises(
        ArgumentError, match=rf"{name} takes a function of plain arguments, not 3.0"
    ):
        make(3.0)
    with pytest.raises(ArgumentError, match=r"of a recorded Value, ask gradients\(e, wrt\)"):
        make(Value(2.0) * 3.0)


def test_the_nodes_to_differentiate_for_are_a_list():
    x = Value(2.0, "x")
    with pytest.raises(
        ArgumentError, match=r"gradients\(e, wrt\) takes a list of values.*put it in a list"
    ):
        gradients(x * x, x)


def test_a_dict_is_no_list_of_results():
    with pytest.raises(DataError, match="returns a list of results"):
        jacobian(lambda x, y: {1: x})(2.0, 1.0)


def test_no_cycles_are_left_behind_by_rows_made_for_undecided_tests():
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            grad(grad(relu))(sympy.Symbol("x"))
            own = primitive("own", lambda x: x * x, (lambda x, out: 2 * x,), domain="x > 0")
            own(Value(Fraction(1, 2)))
        del own
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        assert not [each for each in gc.garbage if isinstance(each, (Rule, Value))]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def test_a_pass_of_a_subclass_s_own_is_not_that_of_gradients():
    class Mine(Value):
        def backward(self):
            raise AssertionError("not asked for")

    x = Mine(1.0)
    assert gradients(x, [x]) == [1.0]


def test_interrupted_gradients_leave_every_grad_as_it_was():
    xs = [Value(2.0) for _ in range(5)]
    e = fsum([x * x for x in xs])
    nodes = topological_order(e)
    for node in nodes:
        node.grad = 7.0
    lines = 0
    stop_at = 0

    def trace(frame, event, _):
        nonlocal lines
        if "tinygrad_bp" in frame.f_code.co_filename and event == "line":
            lines += 1
            if lines == stop_at:
                raise KeyboardInterrupt
        return trace

    def go():
        nonlocal lines
        lines = 0
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            gradients(e, [xs[0]])
        finally:
            sys.settrace(before)

    go()
    kept = 0
    for place in range(1, lines + 1):
        stop_at = place
        with pytest.raises(KeyboardInterrupt):
            go()
        kept += all(node.grad == 7.0 for node in nodes)
        for node in nodes:
            node.grad = 7.0
    # All but the line that puts them back, before it has begun; the last line may be met twice.
    assert kept >= lines - 2


def test_gradients_restore_the_grad_of_a_node_that_the_result_was_not_made_of():
    x, other = Value(2.0), Value(1.0)
    other.grad = 5.0
    assert gradients(x * x, [x, other]) == [4.0, 0]
    assert other.grad == 5.0


def test_jacobian_of_a_generator():
    assert jacobian(lambda x: (x * k for k in (1.0, 2.0)))(3.0) == ((1.0,), (2.0,))


def test_the_seed_is_no_factor_worth_a_node():
    x, y = Value(2.0), Value(3.0)
    assert gradients(x * y, [x], create_graph=True)[0] is y


def test_a_leaf_that_became_no_number_is_stale():
    x = Value(2.0, "x")
    e = x * x
    x.data = None
    with pytest.raises(StaleGraphError):
        gradients(e, [x], create_graph=True)


def test_a_decimal_that_became_nan_is_stale():
    x = Value(Decimal(2))
    e = abs(x)
    x.data = Decimal("nan")
    with pytest.raises(StaleGraphError):
        gradients(e, [x], create_graph=True)


def test_another_precision_of_decimals_is_named_among_the_reasons():
    with localcontext(prec=50):
        x = Value(Decimal(1), "x")
        e = (x / 3) * x
    with pytest.raises(StaleGraphError, match="or at another precision"):
        gradients(e, [x], create_graph=True)


def test_the_recorded_derivative_at_sympy_s_nan_is_nan():
    y = Value(sympy.nan)
    (found,) = gradients(Value(sympy.Rational(-1, 2)) ** y, [y], create_graph=True)
    assert found.data is sympy.nan


@pytest.mark.parametrize("test", ["x > 0.0 and x < 5.0", "x > 0.0 or x < -5.0", "0.0 < x < 5.0"])
def test_joined_tests_of_symbols_are_those_of_numbers(test):
    own = primitive("own", f"x * x if {test} else x", (f"2.0 * x if {test} else 1.0",))
    x = sympy.Symbol("x", real=True)
    for at in (-6, -1, 2, 7):
        second = sympy.sympify(grad(grad(own))(x))
        assert float(second.subs(x, at)) == grad(grad(own))(float(at))


@pytest.mark.parametrize("test", ["x != 0.0 and 1.0 / x > 0.5", "x > 0.0 and log(x) > 0.5"])
def test_what_a_test_guards_is_not_asked_at_any_order(test):
    own = primitive("own", f"x if {test} else 0.0", (f"1.0 if {test} else 0.0",))
    assert grad(own)(0.0) == grad(grad(own))(0.0) == 0.0


def test_second_derivatives_of_a_power_at_the_exponent_0():
    assert hessian(lambda x, y: x**y)(2.0, 0.0)[0] == (0.0, 0.5)


@pytest.mark.parametrize("x", [250.0, 350.0, -350.0])
def test_the_second_derivative_of_tanh_far_out(x):
    with mpmath.workdps(50):
        at = mpmath.mpf(x)
        truth = -2 * mpmath.tanh(at) * mpmath.sech(at) ** 2
        assert abs(grad(grad(tanh))(x) / truth - 1) < 1e-14


@pytest.mark.parametrize(
    ("make", "moved"),
    [
        (lambda x, y: x * x, (-2.0, 3.0)),
        (lambda x, y: x * y, (3.0, 2.0)),
        (lambda x, y: abs(x) * 3.0, (-2.0, 3.0)),
        (lambda x, y: 1.0 / x, (0.0, 3.0)),
        (lambda x, y: tanh(x), (Fraction(1, 2), 3.0)),
    ],
)
def test_a_stale_graph_is_seen_though_its_value_is_the_same(make, moved):
    leaves = Value(2.0, "x"), Value(3.0, "y")
    e = make(*leaves)
    for leaf, data in zip(leaves, moved, strict=True):
        leaf.data = data
    with pytest.raises(StaleGraphError, match="record it again"):
        gradients(e, leaves, create_graph=True)


def test_a_nested_grad_in_another_thread_keeps_the_outer_derivative():
    def outer(x):
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(lambda: grad(lambda y: x * y * y)(2.0)).result()

    assert grad(outer)(3.0) == 4.0


def test_a_grad_inside_two_others_sees_the_outermost():
    def inner(x):
        return grad(lambda y: y * grad(lambda z: x * z)(1.0))(1.0)

    assert grad(inner)(5.0) == 1.0


def test_an_argument_given_twice_is_two_arguments():
    x = Value(3.0)
    assert grad(lambda a: a * x)(x).data == 3.0
    ((xx, xy), _) = hessian(lambda a, b: a * b)(x, x)
    assert (data_of(xx), data_of(xy)) == (0, 1.0)


def test_a_comparison_is_constant_for_numpy_too():
    assert grad(lambda x: x > 0)(1.0) == grad(lambda x: x > 0)(np.float64(1.0)) == 0


def test_a_result_with_constant_derivatives_is_stale_too():
    x = Value(2.0, "x")
    e = (x + 1.0) * 3.0
    x.data = 5.0
    with pytest.raises(StaleGraphError, match=r"operands have now \(x\)"):
        gradients(e, [x], create_graph=True)


def test_what_lies_below_the_node_asked_for_may_be_stale():
    x = Value(1.0)
    y = x * 3.0
    e = y * y
    x.data = 5.0
    (slope,) = gradients(e, [y], create_graph=True)
    assert slope.data == 6.0


def test_a_recording_with_nan_is_not_stale():
    x = Value(math.nan)
    (slope,) = gradients(x * x, [x], create_graph=True)
    assert math.isnan(slope.data)
    d = Value(Decimal("nan"))
    e = d * 2
    d.data = Decimal(2)
    with pytest.raises(StaleGraphError):
        gradients(e * e, [d], create_graph=True)


def test_another_precision_is_named_among_the_reasons():
    with mpmath.workdps(50):
        x = Value(mpmath.mpf(1), "x")
        e = (x / 3) * x
    with pytest.raises(StaleGraphError, match="or at another precision"):
        gradients(e, [x], create_graph=True)


# ---- which arguments are differentiated for


def power(x, n=2, how="plain"):
    return x**n if how == "plain" else -(x**n)


@pytest.mark.parametrize(
    ("f", "at", "named"),
    [
        (power, (2.0,), {"n": 3}),
        (lambda x, flag: power(x, 3) if flag else 0, (2.0, True), {}),
        (lambda x, flag: 0 if flag else power(x, 3), (2.0, np.bool_(False)), {}),
        (lambda how, x: power(x, 3, how), ("plain", 2.0), {}),
        (lambda x, y: power(x, 3) if y is None else 0, (2.0, None), {}),
        (lambda x, f: f(x, 3), (2.0, power), {}),
        (lambda x, kind: x ** kind("3"), (2.0, int), {}),
        (lambda x, n: x ** n[0], (2.0,), {"n": [3]}),
        (lambda x: x**3, (np.array(2.0),), {}),
        (lambda x: np.array(x**3), (2.0,), {}),
    ],
    ids=[
        "keyword",
        "flag",
        "numpy",
        "text",
        "None",
        "function",
        "class",
        "list",
        "array",
        "result",
    ],
)
def test_what_is_no_number_or_comes_by_keyword_is_passed_on_as_it_is(f, at, named):
    assert grad(f)(*at, **named) == 12.0
    assert value_and_grad(f)(*at, **named) == (8.0, 12.0)
    assert hessian(f)(*at, **named) == ((12.0,),)
    assert jacobian(lambda *at, **named: [f(*at, **named)])(*at, **named) == ((12.0,),)


@pytest.mark.parametrize(
    ("argnums", "slope", "rows", "curvature"),
    [
        (None, (12.0, 9.0), ((12.0, 9.0), (1.0, 0)), ((4.0, 6.0), (6.0, 0))),
        (0, 12.0, (12.0, 1.0), 4.0),
        (1, 9.0, (9.0, 0), 0),
        (-2, 12.0, (12.0, 1.0), 4.0),
        (np.int64(1), 9.0, (9.0, 0), 0),
        ((0,), (12.0,), ((12.0,), (1.0,)), ((4.0,),)),
        ((1, 0), (9.0, 12.0), ((9.0, 12.0), (0, 1.0)), ((0, 6.0), (6.0, 4.0))),
        ([0, 1], (12.0, 9.0), ((12.0, 9.0), (1.0, 0)), ((4.0, 6.0), (6.0, 0))),
        ((0, 0), (12.0, 12.0), ((12.0, 12.0), (1.0, 1.0)), ((4.0, 4.0), (4.0, 4.0))),
    ],
)
def test_argnums_say_which_arguments_to_differentiate_for_as_in_jax(
    argnums, slope, rows, curvature
):
    def f(x, y):
        return x * x * y

    assert grad(f, argnums)(3.0, 2.0) == slope
    assert value_and_grad(f, argnums=argnums)(3.0, 2.0) == (18.0, slope)
    assert jacobian(lambda x, y: [f(x, y), x], argnums)(3.0, 2.0) == rows
    assert hessian(f, argnums)(3.0, 2.0) == curvature


def test_argnums_leave_lists_and_numbers_to_the_function_as_they_are():
    def error(w, xs, n):
        assert type(n) is int
        return sum((w * x - 1) ** n for x in xs)

    assert grad(error, 0)(1.0, np.array([1.0, 2.0]), 2) == 4.0
    assert grad(grad(error, 0), 0)(1.0, [1.0, 2.0], 2) == 10.0


def test_values_that_are_passed_on_can_be_differentiated_for():
    y = Value(3.0)
    for slope in (grad(lambda x, n: x * n * n)(2.0, n=y), grad(lambda x, n: x * n * n, 0)(2.0, y)):
        assert gradients(slope, [y]) == [6.0]
    assert grad(lambda k: grad(lambda x, k: x * k * k)(2.0, k=k))(3.0) == 6.0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: grad(power)([1.0]), DataError, r"argument 0 is no number but a list.*\*numbers.*argnums"),
        (lambda: grad(power)(2.0, np.ones(2)), DataError, "argument 1 is no number but a ndarray"),
        (lambda: grad(power, 0)([1.0]), DataError, r"argument 0 is no .* list.*f\(x\)\)\(\*numbers\)$"),
        (lambda: grad(power, 0)("1"), DataError, "argument 0, to differentiate for, must .* str '1'"),
        (lambda: grad(power)("1"), DataError, "an argument to differentiate for must .* str '1'"),
        (lambda: grad(power)(True), DataError, "must be a real number, not bool True: write 1.0"),
        (lambda: grad(power)(2.0, 1j), DataError, "argument 1 must .* complex"),
        (lambda: grad(power)(x=2.0), ArgumentError, "give one by position.*by keyword are passed on"),
        (lambda: grad(power, 1)(2.0, n=3), ArgumentError, "argnums=1.*with 1 argument by position"),
        (lambda: grad(power, -2)(2.0), ArgumentError, "argnums=-2"),
        (lambda: hessian(power, "x"), ArgumentError, "hessian: argnums is the place.*not 'x'"),
        (lambda: jacobian(power, True), ArgumentError, "jacobian: argnums"),
        (lambda: grad(power, ()), ArgumentError, "grad: argnums"),
        (lambda: grad(lambda x: [x])(2.0), DataError, "not list .*: use jacobian"),
        (lambda: grad(lambda x: np.array([x]))(2.0), DataError, "not ndarray .*: use jacobian"),
        (lambda: jacobian(lambda x: np.array(x))(2.0), DataError, "use grad"),
        (lambda: jacobian(lambda x: [[x]])(2.0), DataError, "give all its results in one list"),
        (lambda: Value(np.array(2.0)), DataError, r"ndarray array\(2.\): take .* array.item\(\)"),
    ],
)  # fmt: skip
def test_an_argument_or_result_that_cannot_be_taken_is_refused_with_the_way_out(
    call, error, message
):
    with pytest.raises(error, match=message):
        call()
