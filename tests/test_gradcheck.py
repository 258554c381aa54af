"""The gradient check is itself checked: it finds wrong gradients, and never doubts a right one."""

from __future__ import annotations

import cmath
import doctest
import math
import operator
import pickle
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
from tinygrad_bp.engine.graph import topological_order
from tinygrad_bp.engine.operations import function_of
from tinygrad_bp.engine.value import data_of
from tinygrad_bp.numbers.of_python import FLOAT
from tinygrad_bp.table.rules import Rule
from tinygrad_bp.testing.gradcheck import gradcheck
from tinygrad_bp.testing.strategies import operands, programs

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
                assert bad.verdict == "differs" or bad.error > 0.01 * larger, (derivatives, bad)


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
