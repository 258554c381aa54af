"""The gradient check is itself checked: it finds wrong gradients, and never doubts a right one."""

from __future__ import annotations

import cmath
import doctest
import math
import operator
import pickle
import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
import pytest
import sympy
from depth import depth
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tinygrad_bp import (
    RULES,
    BackpropError,
    DataError,
    DomainError,
    GradientError,
    NumberRangeError,
    Value,
    grad,
    hessian,
    maximum,
    primitive,
    relu,
    sqrt,
    tanh,
)
from tinygrad_bp.arithmetic import FLOAT
from tinygrad_bp.graph import topological_order
from tinygrad_bp.operations import function_of
from tinygrad_bp.rules import Rule
from tinygrad_bp.testing.gradcheck import gradcheck
from tinygrad_bp.testing.strategies import operands, programs
from tinygrad_bp.value import data_of

ROWS = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
PAGE = Path(__file__).parent.parent / "docs" / "gradcheck.md"


def report(f, *at, gradient=None):
    """The report, also where something differs."""
    try:
        return gradcheck(f, *at, gradient=gradient)
    except GradientError as error:
        return error.report


def verdicts(f, *at, gradient=None):
    return [row.verdict for row in report(f, *at, gradient=gradient).rows]


# ---- the rows of the table


def flat(drawn):
    """The operands of a row, those in lists too, as arguments."""
    return [x for each in drawn for x in (each if isinstance(each, list) else [each])]


def on_arguments(rule, derivatives=None):
    """A row as a function of plain arguments, with other derivatives if asked."""
    if derivatives and not rule.variadic:
        return primitive(rule.name, rule.value, derivatives, domain=rule.domain)
    made = Rule(rule.name, rule.value, derivatives or rule.derivatives, variadic=rule.variadic)
    function = function_of(made if derivatives else rule)
    if not rule.variadic:
        return function

    def f(*arguments):
        size = len(arguments) // rule.arity
        return function(*(arguments[k * size : (k + 1) * size] for k in range(rule.arity)))

    return f


@ROWS
@settings(max_examples=depth(60, by_default=10), suppress_health_check=[*HealthCheck])
@given(data=st.data())
def test_a_right_row_never_differs_over_its_whole_domain(rule, data):
    at = flat(data.draw(operands(rule)))
    # beyond, floats lie further apart than the waves, and may well look like another function
    assume(rule.name not in ("sin", "cos", "tan") or abs(at[0]) < 2.0**50)
    for row in report(on_arguments(rule), *at).rows:
        # that of a power for its exponent is nan by convention where the base is negative
        assert row.verdict != "differs" or (rule.name == "**" and math.isnan(row.given)), row


def wrongs(rule):
    """Its derivatives, each made wrong in turn, and both exchanged."""
    for slot in range(rule.arity):
        for wrong in ("-({})", "({}) * (1.0 + 1.0 / 131072.0)", "0.0 * ({})"):
            derivatives = [*rule.derivatives]
            derivatives[slot] = wrong.format(derivatives[slot])
            yield tuple(derivatives)
    if rule.arity == 2:
        yield tuple(reversed(rule.derivatives))


@ROWS
@settings(max_examples=depth(12, by_default=4), suppress_health_check=[*HealthCheck])
@given(data=st.data())
def test_a_wrong_row_differs_wherever_the_values_can_tell(rule, data):
    at = flat(data.draw(operands(rule)))
    assume(all(abs(x) < 9.0 for x in at))
    right = report(on_arguments(rule), *at).rows
    for derivatives in wrongs(rule):
        for good, bad in zip(right, report(on_arguments(rule, derivatives), *at).rows, strict=True):
            larger = max(abs(good.given), abs(bad.given))
            if good.verdict == "agrees" and abs(bad.given - good.given) > 3.0 * good.error:
                told = bad.verdict == "differs"
                apart = abs(bad.given - good.given)
                assert told or bad.error > min(0.01 * larger, apart), (derivatives, bad)


@pytest.mark.parametrize("place", range(3))
@ROWS
def test_each_kind_of_wrong_row_is_found_at_an_ordinary_point(rule, place):
    at = [(0.6, 0.8), (0.3, -0.4), (1.7, 0.9)][place]
    at = at * 2 if rule.variadic else at[: rule.arity]
    try:
        right = report(on_arguments(rule), *at)
    except DomainError:
        return
    assert right.verdict == "agrees" or (rule.name == "**" and at[0] < 0.0)
    for derivatives in wrongs(rule):
        made = report(on_arguments(rule, derivatives), *at)
        same = [a.given == b.given for a, b in zip(right.rows, made.rows, strict=True)]
        assert all(same) or made.verdict == "differs", derivatives


# ---- programs


def at_a_kink(e):
    """Whether an operation in the graph stands at its kink, where its derivative is a convention."""
    return any(
        node.rule and FLOAT.at_kink(node.rule, tuple(map(data_of, node.operands)))
        for node in topological_order(e)
    )


def test_conventions_at_two_kinks_that_make_a_smooth_function_differ():
    assert verdicts(lambda x: relu(x) - relu(-x), 0.0) == ["differs"]  # it is x, and they give 0


@settings(max_examples=depth(200, by_default=40), suppress_health_check=[*HealthCheck])
@given(programs())
def test_no_program_differs_and_its_gradient_made_wrong_does(program):
    assume(program.instructions)
    at = [float(each) for each in program.leaves]

    def f(*leaves):
        return program.run(leaves, constant=float)[-1]

    try:
        found = report(f, *at)
    except ZeroDivisionError:
        return  # in floats it is one
    out = f(*map(Value, at))
    assert found.verdict != "differs" or at_a_kink(out), found
    wrong = [row.given * (1.0 + 1e-5) or 1e-3 for row in found.rows]
    for row, again in zip(
        found.rows, report(f, *at, gradient=lambda *_: tuple(wrong)).rows, strict=True
    ):
        if row.verdict == "agrees" and row.error < 3e-6 * abs(row.given or 1.0):
            assert again.verdict == "differs", again


# ---- wrong by little, in one place only, or in a manner that people err in


def sigmoid(x):
    return 1.0 / (1.0 + math.exp(-x))


def powers(x, y):
    return x**y


def layer(x, y, z):
    """Three outputs of a layer with weights of its own."""
    return [math.tanh(x - 2.0 * y), math.tanh(y * z), x * y * z]


def jacobian_of_layer(x, y, z, wrong=0.0, row=0, column=0):
    a, b = 1.0 / math.cosh(x - 2.0 * y) ** 2, 1.0 / math.cosh(y * z) ** 2
    rows = [[a, -2.0 * a, 0.0], [0.0, z * b, y * b], [y * z, x * z, x * y]]
    rows[row][column] = rows[row][column] * (1.0 + wrong) or wrong
    return rows


WRONG = [
    ("off by a millionth", math.sin, (0.7,), lambda x: math.cos(x) * (1.0 + 1e-6)),
    ("off by 1e-7", math.exp, (-20.0,), lambda x: math.exp(x) * (1.0 - 1e-7)),
    ("off by 1e-8", math.log, (3.0,), lambda x: (1.0 + 1e-8) / x),
    ("off by 1e-9", lambda x: x**3, (1.7,), lambda x: 3.0 * x * x * (1.0 + 1e-9)),
    ("off by 1e-9 in millions", lambda x: x**3, (1e6,), lambda x: 3.0 * x * x * (1.0 - 1e-9)),
    ("zero", lambda x: 4e-7 * x**2, (3.0,), lambda x: 0.0),
    ("all below 1e-8 dropped", lambda x: 1e-9 * x, (2.0,), lambda x: 0.0),
    ("a tail cut off", sigmoid, (-60.0,), lambda x: 0.0 if x < -50.0 else sigmoid(x) * sigmoid(-x)),
    ("a tail held", math.exp, (65.0,), lambda x: math.exp(min(x, 60.0))),
    ("a tail that cancels", lambda x: math.tanh(x) + 1.0, (-8.0,), lambda x: 4.0 * math.exp(2.0 * x)
     * (1.0 + 1e-2)),
    ("the sign below 0", abs, (-2.0,), lambda x: 1.0),
    ("the sign in one region", lambda x: x * abs(x), (-1.5,), lambda x: 2.0 * x),
    ("half of a tie near it", lambda x: max(x, 1.0), (1.0 + 1e-9,), lambda x: 0.5),
    ("the other branch near a kink", lambda x: max(x, 0.0), (-1e-12,), lambda x: 1.0),
    ("leak forgotten", lambda x: x if x > 0.0 else 0.01 * x, (-1e-3,), lambda x: 0.0),
    ("upstream forgotten", lambda x: math.sin(x * x), (0.9,), lambda x: math.cos(x * x)),
    ("one use of two", lambda x: x * math.tanh(x), (0.9,), math.tanh),
    ("a sum halved", lambda x, y: (x - y) ** 2, (3.0, 1.0), lambda x, y: (x - y, y - x)),
    ("operands exchanged", powers, (2.0, 3.0), lambda x, y: (x**y * math.log(x), y * x ** (y - 1.0))),
    ("exponent off by one", powers, (2.0, 3.0), lambda x, y: (y * x**y, x**y * math.log(x))),
    ("sign of the divisor", lambda x, y: x / y, (2.0, 3.0), lambda x, y: (1.0 / y, x / (y * y))),
    ("divisor squared to 0", lambda x, y: x / y, (1e-170, 2e-170),
     lambda x, y: (1.0 / y, -x / max(y * y, 5e-324))),
    ("one entry of many", layer, (0.3, 0.8, -1.2),
     lambda *at: jacobian_of_layer(*at, wrong=1e-7, row=1, column=2)),
    ("one entry that is 0", layer, (0.3, 0.8, -1.2),
     lambda *at: jacobian_of_layer(*at, wrong=1e-9, row=0, column=2)),
    ("transposed", layer, (0.3, 0.8, -1.2),
     lambda *at: [*zip(*jacobian_of_layer(*at), strict=True)]),
    ("nan", math.sin, (0.7,), lambda x: math.nan),
    ("infinite", math.sqrt, (1e-300,), lambda x: math.inf),
]  # fmt: skip


@pytest.mark.parametrize(
    ("f", "at", "gradient"), [each[1:] for each in WRONG], ids=[each[0] for each in WRONG]
)
def test_none_of_the_usual_wrong_gradients_is_accepted(f, at, gradient):  # fmt: skip
    with pytest.raises(GradientError):
        gradcheck(f, *at, gradient=gradient)


def test_the_layer_itself_is_right():
    assert gradcheck(layer, 0.3, 0.8, -1.2, gradient=jacobian_of_layer).verdict == "agrees"


# ---- right, and rounded


def by_horner(coefficients):
    def f(x):
        total = 0.0 * x
        for each in coefficients:
            total = total * x + each
        return total

    return f


def expanded(coefficients):
    return lambda x: sum(each * x**power for power, each in enumerate(reversed(coefficients)))


def derived(coefficients):
    degree = len(coefficients) - 1
    return [each * (degree - place) for place, each in enumerate(coefficients[:-1])]


def e_to(x):
    return math.e**x  # takes complex numbers, where math.exp does not


def cancelling(x):
    """The derivative of ``(exp(x) - 1) / x``, from its series near 0."""
    if abs(x) > 0.1:
        return (x * math.exp(x) - math.expm1(x)) / x**2
    return sum(k * x ** (k - 1) / math.factorial(k + 1) for k in range(1, 12))


POLYNOMIALS = [
    [1.0, -3.0, 3.0, -1.0],
    [1.0, -6.0, 11.0, -6.0],
    [1.0, -5.0, 10.0, -10.0, 5.0, -1.0],
    [0.1, -0.3, 0.3, -0.1],
]

RIGHT = [
    *((f"cube root at {x}", lambda x: x ** (1 / 3), lambda x: x ** (-2 / 3) / 3.0, x) for x in (1e-30, 1e-300, 8.0, 1e200)),
    *((f"sigmoid at {x}", lambda x: 1.0 / (1.0 + e_to(-x)), lambda x: sigmoid(x) * (1.0 - sigmoid(x)), x)
      for x in (-30.0, -8.0, 0.0, 8.0, 15.0, 30.0, 36.0, 40.0)),
    *((f"softplus at {x}", lambda x: math.log(1.0 + math.exp(x)), sigmoid, x) for x in (-40.0, -30.0, -10.0, 0.0, 36.0)),
    *((f"tanh at {x}", cmath.tanh, lambda x: 1.0 - math.tanh(x) ** 2, x) for x in (-20.0, 1.0, 10.0, 18.0, 20.0)),
    *((f"tanh from powers of e at {x}", lambda x: (e_to(2.0 * x) - 1.0) / (e_to(2.0 * x) + 1.0),
       lambda x: 1.0 / math.cosh(x) ** 2, x) for x in (1e-9, 8.0, 15.0, 20.0)),
    *((f"(e**x - 1) / x at {x}", lambda x: (e_to(x) - 1.0) / x, cancelling, x) for x in (1e-3, -1e-5, 1e-8, 1.2e-14, -9e-13)),
    *((f"expm1(x) / x at {x}", lambda x: math.expm1(x) / x, cancelling, x) for x in (1e-3, -1e-5, 1e-8, 1.2e-14)),
    *((f"log(1 + x) at {x}", lambda x: cmath.log(1.0 + x), lambda x: 1.0 / (1.0 + x), x) for x in (1e-4, -1e-8, 1e-12, 1e-16)),
    *((f"(1 - cos x) / x**2 at {x}", lambda x: (1.0 - math.cos(x)) / x**2, lambda x: -x / 12.0, x)
      for x in (1e-4, 1e-7, 5.7e-8, -2e-7)),
    *((f"{name} {coefficients} at {x}", form(coefficients), slope(derived(coefficients)), x)
      for coefficients in POLYNOMIALS for x in (1.0 + 1e-3, 1.0 + 1e-7, 2.00001, 0.5)
      for name, form, slope in (("expanded", expanded, expanded), ("Horner", by_horner, by_horner),
                                ("expanded, by Horner", expanded, by_horner))),
]  # fmt: skip


@pytest.mark.parametrize(
    ("f", "gradient", "x"), [each[1:] for each in RIGHT], ids=[each[0] for each in RIGHT]
)
def test_no_right_gradient_is_called_wrong_because_it_is_rounded(f, gradient, x):  # fmt: skip
    gradcheck(f, x, gradient=gradient)


@pytest.mark.parametrize("at", [(2.0, 30.0), (-5.0, 40.0), (0.0, 37.0), (300.0, 1.0)])
def test_no_right_gradient_of_logsumexp_is_called_wrong(at):
    def softmax(x, y):
        return 1.0 / (1.0 + math.exp(y - x)), 1.0 / (1.0 + math.exp(x - y))

    gradcheck(lambda x, y: cmath.log(e_to(x) + e_to(y)), *at, gradient=softmax)
    gradcheck(lambda x, y: math.log(math.exp(x) + math.exp(y)), *at, gradient=softmax)


@pytest.mark.parametrize(
    "at", [(2.0, 3.0), (1e-5, 3.0), (2.5, -7.3), (1e5, 20.0), (1.0001, 1e4), (1e-30, 1 / 3)]
)
def test_a_power_agrees_for_both_operands(at):  # fmt: skip
    def by_hand(x, y):
        return y * x ** (y - 1.0), x**y * math.log(x)

    assert report(powers, *at, gradient=by_hand).verdict == "agrees"
    assert report(powers, *at).verdict == "agrees"


@settings(max_examples=25)
@given(st.floats(-15.5, -2.0), st.sampled_from([1.0, -1.0]))
def test_where_a_sum_loses_its_digits_a_right_gradient_is_never_wrong(exponent, sign):
    gradcheck(lambda x: (math.exp(x) - 1.0) / x, sign * 10.0**exponent, gradient=cancelling)


@pytest.mark.parametrize(
    ("f", "x", "wrong"),
    [
        (lambda x: math.tanh(1e8 * x), 1e-9, 0.0),
        (lambda x: x + 1e-9 * math.tanh((x - 1.0) * 1e12), 1.0, 1.0),
        (lambda x: x + 1e-6 * math.tanh((x - 1.0) * 1e6), 1.0, 1.0),
        (lambda x: x + max(0.0, x - 1.0), 1.0 + 1e-9, 1.5),
        (lambda x: math.sin(1e8 * x), 1e-9, 0.9e8),
    ],
)
def test_what_a_function_does_within_little_is_not_taken_for_rounding(f, x, wrong):
    assert verdicts(f, x, gradient=lambda x: wrong) == ["differs"]


# ---- small, zero, and near a kink


@pytest.mark.parametrize("scale", [4e-7, 1e-30, 1e-200, 1e200])
@pytest.mark.parametrize("wrong", [0.0, 1.0 + 1e-6, -1.0, 2.0])
def test_a_wrong_gradient_is_caught_whatever_its_size(scale, wrong):
    def f(x):
        return scale * x**2

    assert verdicts(f, 3.0, gradient=lambda x: 2.0 * scale * x) == ["agrees"]
    with pytest.raises(GradientError):
        gradcheck(f, 3.0, gradient=lambda x: wrong * 2.0 * scale * x)
    with pytest.raises(GradientError):  # with no complex numbers to help
        gradcheck(lambda x: scale * abs(x) ** 2, 3.0, gradient=lambda x: wrong * 2.0 * scale * x)


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (lambda x: x**2, 0.0),
        (lambda x: (x - 0.3) ** 2, 0.3),
        (lambda x: 5.0 + 0.0 * x, 2.0),
        (lambda x: relu(x), -4.0),
        (lambda x: relu(x - 3.0) + 7.0, 1.0),
        (lambda x: maximum(x, 2.0), 1.0),
    ],
)
def test_a_derivative_of_zero_passes_and_another_does_not(f, x):
    assert verdicts(f, x) == ["agrees"]
    assert verdicts(f, x, gradient=lambda x: 0.0) == ["agrees"]
    assert verdicts(f, x, gradient=lambda x: 1e-6) == ["differs"]


@pytest.mark.parametrize("gradient", [0.0, 0.5, 1.0, -1.0, 7.0])
@pytest.mark.parametrize(
    ("f", "x"), [(relu, 0.0), (abs, 0.0), (lambda x: maximum(x, 2.0), 2.0), (sqrt, 0.0), (math.cbrt, 0.0)]
)  # fmt: skip
def test_at_a_kink_it_is_inconclusive(f, x, gradient):
    assert verdicts(f, x, gradient=lambda x: gradient) == ["inconclusive"]


@pytest.mark.parametrize("near", [1e-3, 1e-6, 1e-9, 1e-12, 1e-100, 1e-300])
@pytest.mark.parametrize("f", [relu, abs, lambda x: maximum(x, 0.0), lambda x: relu(x) - x])
def test_near_a_kink_the_right_gradient_agrees_and_a_wrong_one_differs(f, near):
    for x in (near, -near):
        right = grad(f)(x)
        assert verdicts(f, x) == ["agrees"]
        assert verdicts(f, x, gradient=lambda x, right=right: right + 0.5) == ["differs"]


def test_near_a_kink_that_is_not_at_zero():
    for x in (1.0 + 1e-9, 1.0 - 1e-9):
        assert verdicts(lambda x: relu(x - 1.0) + x, x) == ["agrees"]
        assert verdicts(lambda x: relu(x - 1.0) + x, x, gradient=lambda x: 1.5) == ["differs"]


@pytest.mark.parametrize(
    "f",
    [
        lambda x: (x + 1e16) - 1e16,  # rounding hides what it does
        lambda x: (x + 1e15) - 1e15,
        lambda x: tanh(x + 19.0),
        lambda x: 0.1 * x + 0.2 * x - 0.2 * x - 0.1 * x,
        lambda x: math.inf,
        lambda x: 1.0 if x == 1.0 else math.nan,
        lambda x: math.sin(1e22 * x),
    ],
)
def test_where_the_values_say_nothing_it_is_inconclusive(f):
    assert verdicts(f, 1.0, gradient=lambda x: 1e-17) == ["inconclusive"]


def test_a_gradient_that_is_not_finite_differs_where_there_is_a_derivative():
    for wrong in (math.nan, math.inf, -math.inf):
        assert verdicts(math.exp, 1.0, gradient=lambda x, wrong=wrong: wrong) == ["differs"]
        assert verdicts(lambda x: 3.0, 1.0, gradient=lambda x, wrong=wrong: wrong) == ["differs"]


# ---- the two methods


def test_the_complex_step_is_taken_where_the_function_allows_it():
    assert report(lambda x: x**3 / (1.0 + x), 0.7).rows[0].method == "complex step"
    assert report(tanh, 0.7).rows[0].method == "differences"
    by_hand = report(cmath.sin, 0.7, gradient=cmath_free_cos)
    assert (by_hand.verdict, by_hand.rows[0].method) == ("agrees", "complex step")


def cmath_free_cos(x):
    return math.cos(x)


@pytest.mark.parametrize(
    ("f", "nonsense"),
    [
        (lambda z: abs(z) * z, abs),
        (lambda z: z * z.conjugate(), lambda x: 0.0),
        (lambda z: z.real * 3.0 + 0j, lambda x: 0.0),
        (lambda z: (z + 1.0) * (3.0 if isinstance(z, complex) else 2.0), lambda x: 3.0),
    ],
)
def test_a_function_that_takes_complex_numbers_but_is_not_analytic_is_not_believed(f, nonsense):
    (row,) = report(f, 1.5, gradient=nonsense).rows
    assert (row.method, row.verdict) == ("differences", "differs")


# ---- functions of several arguments, several results, and of higher order


def test_each_result_and_argument_has_its_row():
    found = gradcheck(lambda x, y, *rest: [x * y, tanh(y) + rest[0], 7.0], 2.0, 5.0, 1.0)
    assert [row.result for row in found.rows] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert [row.argument for row in found.rows[:3]] == ["x", "y", "argument 3"]
    assert found.verdict == "agrees"


@settings(max_examples=depth(20, by_default=8))
@given(st.floats(0.2, 2.0), st.floats(-2.0, 2.0))
def test_it_nests(x, y):
    def f(x, y):
        return tanh(x * y) / x

    assert gradcheck(grad(lambda x: x**3), x).verdict == "agrees"
    assert gradcheck(grad(f), x, y).verdict != "differs"
    assert gradcheck(grad(grad(tanh)), x).verdict != "differs"
    assert gradcheck(lambda a: hessian(f)(a, y)[0][1], x).verdict != "differs"


def test_a_rule_wrong_in_its_second_derivative_only():
    wrong = primitive(
        "wrong", lambda x: x * x, (lambda x, out: x * 2.0 if isinstance(x, float) else x * 2.001,)
    )
    assert gradcheck(wrong, 1.5, gradient=lambda x: 3.0).verdict == "agrees"
    second = primitive(
        "half_known", lambda x: x**3, (lambda x, out: 3.0 * getattr(x, "data", x) * x,)
    )
    assert gradcheck(second, 1.5).verdict == "agrees"
    with pytest.raises(GradientError):
        gradcheck(grad(second), 1.5)


def test_no_grad_is_touched_and_values_are_read():
    x, w = Value(2.0), Value(3.0)
    x.grad = w.grad = 7.0
    assert gradcheck(lambda a: a * w, x).verdict == "agrees"
    assert (x.grad, w.grad) == (7.0, 7.0)


def test_methods_of_values_may_be_called():
    assert gradcheck(lambda x: x.tanh() * x, 0.5).verdict == "agrees"
    assert gradcheck(lambda x: np.tanh(x) * np.float64(2.0), np.float32(0.5)).verdict == "agrees"


# ---- arrays

W = np.array([[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize(
    ("f", "right", "wrong"),
    [
        (lambda *x: W @ np.array(x), lambda *x: W, lambda *x: W.T),
        (lambda *x: np.array(x) @ W @ np.array(x), lambda *x: (W + W.T) @ np.array(x), lambda *x: 2.0 * W @ np.array(x)),
        (lambda x, y: np.array([x * y, x - y]), lambda x, y: np.array([[y, x], [1.0, -1.0]]), lambda x, y: [[y, x], [1.0, 1.0]]),
        (lambda *x: np.sum(np.tanh(np.array(x))), lambda *x: 1.0 - np.tanh(np.array(x)) ** 2, lambda *x: np.tanh(np.array(x))),
        (lambda x, y: (x * y, [3.0 * x][0]), lambda x, y: ((y, x), (3.0, 0.0)), lambda x, y: ((y, x), (0.0, 3.0))),
    ],
)  # fmt: skip
def test_functions_that_return_arrays_get_right_verdicts(f, right, wrong):
    at = 0.5, -1.5
    assert gradcheck(f, *at).verdict == "agrees"
    assert gradcheck(f, *at, gradient=right).verdict == "agrees"
    with pytest.raises(GradientError) as caught:
        gradcheck(f, *at, gradient=wrong)
    assert "np." not in str(caught.value)


@pytest.mark.parametrize(
    ("argument", "f", "spread"),
    [
        (np.array([1.0, 2.0]), lambda x: (x**2).sum(), "lambda *x: f(numpy.array(x)), *array)"),
        (W, lambda x: (x @ x).sum(), "f(numpy.array(x).reshape(2, 2)), *array.ravel())"),
        ([1.0, 2.0], lambda x: x[0] * x[1], "f(list(x)), *numbers)"),
        ((1.0, 2.0), lambda x: x[0] * x[1], "f(tuple(x)), *numbers)"),
    ],
)
def test_an_array_as_an_argument_is_refused_with_the_call_that_works(argument, f, spread):
    with pytest.raises(DataError) as caught:
        gradcheck(f, argument)
    assert spread in str(caught.value)
    call = re.search(r"gradcheck\(lambda .*?\), \*[\w.]+(\(\))?\)", str(caught.value))[0]
    scope = {"gradcheck": gradcheck, "f": f, "numpy": np, "array": argument, "numbers": argument}
    assert eval(call, scope).verdict == "agrees"


# ---- number types


@pytest.mark.parametrize(
    "x", [Fraction(1, 3), Decimal("1.1"), mpmath.mpf("1.1"), 3, np.float64(0.5)]
)
def test_every_number_type_is_moved_as_itself(x):
    kind = type(x) if isinstance(x, (Fraction, Decimal)) else float

    def f(a):
        return a * a * a + kind(1) / kind(3)

    assert gradcheck(f, x).verdict == "agrees"
    with pytest.raises(GradientError):
        gradcheck(f, x, gradient=lambda a: a * a * 2)


@pytest.mark.parametrize("x", [sympy.Symbol("x"), sympy.Rational(1, 3)])
def test_symbols_are_refused(x):
    with pytest.raises(DataError, match="gradcheck compares numbers"):
        gradcheck(lambda a: a * a, x)


# ---- what it says


def test_the_error_says_what_differs_and_has_the_report():
    def area(width, height):
        return width * height

    with pytest.raises(AssertionError) as caught:
        gradcheck(area, 2.0, 5.0, gradient=lambda w, h: (h, 2.0 * w))
    error = caught.value
    assert isinstance(error, GradientError)
    assert isinstance(error, BackpropError)
    for part in ("area", "height", "width=2.0, height=5.0", "4.0", "2.0 ±", "0.5 apart", "mend"):
        assert part in str(error)
    assert [row.verdict for row in error.report.rows] == ["agrees", "differs"]
    assert error.report.rows[1].apart == 0.5
    assert pickle.loads(pickle.dumps(error)).report == error.report


def test_a_report_is_a_table():
    found = gradcheck(lambda x: [relu(x), 2.0 * x], 0.0)
    assert str(found) == repr(found)
    head, names, *lines = str(found).splitlines()
    assert head == "<lambda>: inconclusive"
    assert names.split() == ["result", "argument", "at", "given", "estimate", "by", "verdict"]
    assert [line.split()[-1] for line in lines] == ["inconclusive", "agrees"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gradcheck(tanh), "gradcheck needs a point"),
        (lambda: gradcheck(tanh, "1"), "an argument of gradcheck must be a real number, not str"),
        (lambda: gradcheck(tanh, True), "not bool"),
        (lambda: gradcheck(lambda x: None, 1.0), "what the function returned must be a real number"),
        (lambda: gradcheck(lambda x: None, 1.0, gradient=tanh), "what the function returned"),
        (lambda: gradcheck(lambda x: [], 1.0), "returned an empty sequence"),
        (lambda: gradcheck(lambda x: [], 1.0, gradient=lambda x: ()), "returned an empty sequence"),
        (lambda: gradcheck(tanh, 1.0, gradient=lambda x: None), "what gradient returned must be"),
        (lambda: gradcheck(tanh, 1.0, gradient=lambda x: (1.0, 2.0)), r"gradient returned \(1.0, 2.0\)"),
        (lambda: gradcheck(operator.mul, 1.0, 2.0, gradient=lambda x, y: 2.0), "should return 2 numbers, one for each argument"),
        (lambda: gradcheck(lambda x: [x, x], 1.0, gradient=lambda x: 2.0), "in a row for each of the 2 results"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_with_a_reason(call, message):
    with pytest.raises(DataError, match=message):
        call()


def test_errors_of_the_function_at_the_point_are_its_own():
    with pytest.raises(DomainError):
        gradcheck(sqrt, -1.0)
    with pytest.raises(NumberRangeError, match="too large for a float"):
        gradcheck(lambda x: x, 10**400)


def test_it_can_be_imported_from_the_room_above():
    from tinygrad_bp.testing import gradcheck as room

    assert room(tanh, 0.5) == gradcheck(tanh, 0.5)


def test_the_page_runs_as_printed():
    found = doctest.testfile(str(PAGE), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert found.attempted > 8
    assert found.failed == 0
