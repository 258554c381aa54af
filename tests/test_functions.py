"""What is composed of rows, and the operations that users add."""

from __future__ import annotations

import gc
import math
import operator
import pickle
import re
import sys
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from decimal import Decimal
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy
from depth import depth
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

import tinygrad_bp
from tinygrad_bp import (
    RULES,
    ArgumentError,
    DataError,
    DomainError,
    ExactnessError,
    ExpressionError,
    NumberRangeError,
    Value,
    contract,
    dot,
    fsum,
    functions,
    grad,
    gradients,
    hessian,
    isclose,
    log,
    logaddexp,
    logsumexp,
    path_count,
    primitive,
    softmax,
    steps,
    where,
)
from tinygrad_bp.value import data_of

LISTS = st.lists(st.floats(-600.0, 600.0), min_size=1, max_size=5)
EPS = 2.0**-52


def test_every_row_with_a_name_is_a_function_of_the_package():
    named = {name for name in RULES if name.isidentifier()} - {"abs", "neg"}
    assert named <= {*functions.__all__}
    assert all(getattr(tinygrad_bp, name) is getattr(functions, name) for name in named)
    assert not {"abs", "neg"} & {*functions.__all__}  # Python has them


# ---- primitive


def test_the_primitive_of_the_design():
    square = primitive("square", lambda x: x * x, (lambda x, out: 2 * x,))
    x = Value(3.0)
    node = square(x)
    assert (node.data, node.op, node.parents, node.local_derivatives) == (
        9.0,
        "square",
        (x,),
        (6.0,),
    )
    assert square(3.0) == 9.0
    assert square(Value(Fraction(1, 3))).local_derivatives == (Fraction(2, 3),)
    assert square.__name__ == "square"


def test_a_primitive_of_strings_serves_every_number_type():
    cube = primitive("cube", "x * x * x", ("3.0 * x * x",), symbol="³", latex="{%s}^3")
    assert cube(Value(2.0)).local_derivatives == (12.0,)
    assert cube(Value(Fraction(1, 2))).local_derivatives == (Fraction(3, 4),)
    assert cube(2) == 8
    assert cube(Value(2.0)).rule.symbol == "³"
    assert cube(Value(2.0)).rule.latex == "{%s}^3"
    assert "cube" not in RULES


def test_a_primitive_of_strings_may_use_its_output_and_the_rows():
    logistic = primitive("logistic", "1.0 / (1.0 + exp(-x))", ("out * (1.0 - out)",))
    node = logistic(Value(0.0))
    assert (node.data, node.local_derivatives) == (0.5, (0.25,))


def test_primitives_of_two_and_three_operands():
    for arity, make in (
        (2, primitive("two", "x * y", ("y", "x"))),
        (2, primitive("two", lambda x, y: x * y, (lambda x, y, out: y, lambda x, y, out: x))),
        (3, primitive("three", "x * y + z", ("y", "x", "1.0"))),
    ):
        leaves = [*map(Value, (2.0, 5.0, 7.0))][:arity]
        node = make(*leaves)
        assert node.parents == tuple(leaves)
        assert node.local_derivatives == (5.0, 2.0, 1.0)[:arity]
        node.backward()
        assert [leaf.grad for leaf in leaves] == [5.0, 2.0, 1.0][:arity]
        mixed = make(2.0, leaves[1], *[7.0] * (arity - 2))
        assert mixed.parents == (leaves[1],)
        assert mixed.local_derivatives == (2.0,)
        assert mixed.operands[0] == 2.0


def test_a_primitive_of_more_operands_is_made_of_functions():
    four = primitive("four", lambda *v: sum(v), tuple((lambda *v, n=n: float(n)) for n in range(4)))
    leaves = [*map(Value, (1.0, 2.0, 3.0, 4.0))]
    node = four(*leaves)
    assert node.data == 10.0
    assert node.local_derivatives == (0.0, 1.0, 2.0, 3.0)
    with pytest.raises(TypeError, match="give functions where operands are more than 3"):
        primitive("four", "x", ("1.0",) * 4)


def test_only_the_derivatives_that_are_needed_are_asked_for():
    def refuse(x, y, out):
        raise AssertionError

    half = primitive("half", lambda x, y: x * y, (lambda x, y, out: y, refuse))
    assert half(Value(2.0), 3.0).local_derivatives == (3.0,)


def test_a_wrong_number_of_operands():
    two = primitive("two", lambda x, y: x * y, (lambda x, y, out: y, lambda x, y, out: x))
    with pytest.raises(TypeError, match="two takes 2 operands, not 1"):
        two(Value(1.0))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("f", "x", ()), TypeError, "needs one derivative for each operand, and has none"),
        (("f", "x", "1.0"), TypeError, "give the derivatives as a tuple"),
        (("f", "x", abs), TypeError, "give the derivatives as a tuple"),
        (("f", 3, ("1.0",)), TypeError, "3 is neither an expression nor a function"),
        (("f", "x", (None,)), TypeError, "None is neither an expression nor a function"),
        (("f", "x * y", ("y",)), ExpressionError, "unknown name 'y'"),
        (("f", "x", ("grad",)), ExpressionError, "unknown name 'grad'"),
        (("f", "out", ("1.0",)), ExpressionError, "unknown name 'out'"),
        (("f", "sine(x)", ("1.0",)), ExpressionError, "unknown function 'sine'; known: abs, "),
        (("f", "x.real", ("1.0",)), ExpressionError, "'x.real' is not allowed in an expression"),
        (("f", "x +", ("1.0",)), ExpressionError, "not an expression: 'x \\+'"),
        (("f", "'a'", ("1.0",)), ExpressionError, "'a' is not a number"),
        (("f", "__import__('os')", ("1.0",)), ExpressionError, "unknown function '__import__'"),
        (("f", "(lambda: x)()", ("1.0",)), ExpressionError, "is not allowed in an expression"),
    ],
    ids=str,
)
def test_what_is_no_primitive_is_refused_when_it_is_made(arguments, error, message):
    with pytest.raises(error, match=message):
        primitive(*arguments)


def test_the_domain_of_a_primitive_is_kept_on_every_way():
    for value, derivative in (("x * x", "2.0 * x"), (lambda x: x * x, lambda x, out: 2 * x)):
        positive = primitive("positive", value, (derivative,), domain="x > 0.0")
        assert positive(Value(2.0)).local_derivatives == (4.0,)
        for operand in (Value(-1.0, "w"), Value(-1), Value(Fraction(-1)), -1.0):
            with pytest.raises(DomainError, match="positive needs x > 0, and x is"):
                positive(operand)
    with pytest.raises(ExpressionError, match="unknown name 'out'"):
        primitive("positive", "x", ("1.0",), domain="out > 0.0")


@pytest.mark.parametrize("wrong", [None, [1.0], "1.0", 1j, True], ids=repr)
def test_a_primitive_that_returns_no_number_is_an_error_that_names_it(wrong):
    by_value = primitive("wrong", lambda x: wrong, (lambda x, out: 1.0,))
    by_derivative = primitive("wrong", lambda x: x, (lambda x, out: wrong,))
    for make in (by_value, by_derivative):
        with pytest.raises(
            DataError,
            match=r"what (a derivative of )?wrong\(.*\) returns must be a real number, not",
        ):
            make(Value(1.0))
    with pytest.raises(
        DataError, match=r"what (a derivative of )?wrong\(.*\) returns must be a real number, not"
    ):
        by_value(1.0)


def test_a_primitive_that_returns_an_array_is_told_what_to_do():
    import numpy as np

    wrong = primitive("wrong", lambda x: np.ones(2) * x, (lambda x, out: 1.0,))
    with pytest.raises(DataError, match="make one Value for each entry"):
        wrong(Value(1.0))


# ---- where


def test_where_is_lazy():
    x = Value(-1.0)
    assert where(x > 0, lambda: log(x), lambda: x * 2.0).data == -2.0
    assert where(x < 0, 1.0, lambda: log(x)) == 1.0
    y = Value(2.0)
    assert where(x < 0, x, y) is x


def test_where_asks_for_a_comparison():
    with pytest.raises(tinygrad_bp.GraphLostError):
        where(Value(1.0), 1.0, 2.0)


# ---- softmax and logsumexp


def exact_softmax(xs):
    weights = [mp.exp(mpf(x)) for x in xs]
    return [each / sum(weights) for each in weights]


def near(got, truth, spread):
    """To a few ulps, and one more for each unit by which exp magnifies the rounding of v - max."""
    return abs(mpf(got) - truth) <= (8 + spread) * EPS * truth + mpf(2) ** -1074


@settings(max_examples=depth(80, by_default=20))
@given(LISTS)
def test_the_gradient_of_logsumexp_is_softmax(xs):
    with mpmath.workdps(50):
        leaves = [*map(Value, xs)]
        e = logsumexp(leaves)
        e.backward()
        truth = mp.log(sum(mp.exp(mpf(x)) for x in xs))
        assert abs(mpf(e.data) - truth) <= 4 * EPS * (len(xs) + abs(max(xs)))
        for x, leaf, share in zip(xs, leaves, exact_softmax(xs), strict=True):
            assert near(leaf.grad, share, max(xs) - x)


@settings(max_examples=depth(80, by_default=20))
@given(LISTS)
def test_softmax_and_its_gradient(xs):
    with mpmath.workdps(50):
        leaves = [*map(Value, xs)]
        shares = softmax(leaves)
        truth = exact_softmax(xs)
        for x, share, true in zip(xs, shares, truth, strict=True):
            assert near(share.data, true, max(xs) - x)
        shares[0].backward()
        for place, leaf in enumerate(leaves):
            slope = truth[0] * ((place == 0) - truth[place])
            bound = (20 + max(xs) - min(xs)) * EPS * truth[0]
            assert abs(mpf(leaf.grad) - slope) <= bound + mpf(2) ** -1074


def test_neither_overflows():
    leaves = [*map(Value, (1e300, 1e300, -1e300))]
    e = logsumexp(leaves)
    e.backward()
    assert e.data == 1e300
    assert [leaf.grad for leaf in leaves] == [0.5, 0.5, 0.0]
    assert [each.data for each in softmax(leaves)] == [0.5, 0.5, 0.0]


@pytest.mark.parametrize("largest", [math.inf, -math.inf])
@pytest.mark.parametrize("kind", [float, mpf])
def test_the_logsumexp_of_infinities_shares_as_logaddexp_does(largest, kind):
    leaves = [Value(kind(largest)), Value(kind(largest)), Value(kind(-math.inf))]
    pair = leaves[:2]
    e, both = logsumexp(pair), logaddexp(*pair)
    assert e.data == both.data == largest
    assert gradients(e, pair) == gradients(both, pair) == [0.5, 0.5]
    shares = [1.0 / 3.0] * 3 if largest < 0 else [0.5, 0.5, 0.0]
    assert [float(each) for each in gradients(logsumexp(leaves), leaves)] == shares


def test_nan_beside_an_infinity_is_nan_in_either_order():
    for pair in ([math.inf, math.nan], [math.nan, math.inf], [-math.inf, math.nan]):
        assert math.isnan(logsumexp(pair))


def test_logsumexp_of_a_plain_infinity_and_a_value_is_a_value():
    for values in ([math.inf, Value(1.0)], [Value(1.0), math.inf]):
        e = logsumexp(values)
        e.backward()
        assert e.data == math.inf
        assert [each.grad for each in values if isinstance(each, Value)] == [0.0]
    assert logsumexp([Decimal("Infinity"), Value(Decimal(1))]).data == Decimal("Infinity")


@pytest.mark.parametrize("count", [3, 100, 10_000])
def test_logsumexp_of_equals_shares_exactly(count):
    leaves = [Value(0.3) for _ in range(count)]
    e = logsumexp(leaves)
    e.backward()
    assert e.data == pytest.approx(0.3 + math.log(count), rel=4e-16)
    assert {leaf.grad for leaf in leaves} == {1.0 / count}
    assert path_count(e, leaves[-1]) == 1


def test_a_value_far_below_the_largest_is_not_lost():
    tail = 4.248354255291589e-18  # exp(-40)
    assert logsumexp([0.0, -40.0]) == logsumexp([-40.0, 0.0]) == tail
    assert grad(lambda x, y: logsumexp([x, y]))(0.0, -40.0) == (1.0, tail)
    assert hessian(lambda x, y: logsumexp([x, y]))(0.0, -40.0)[0] == (tail, -tail)


def test_a_distribution_over_nothing_finite_has_no_value():
    with pytest.raises(DomainError):
        softmax([-math.inf, -math.inf])


def test_of_plain_numbers_generators_and_nothing():
    assert logsumexp([0.0, 0.0]) == math.log(2.0)
    assert softmax(x for x in (0.0, 0.0)) == [0.5, 0.5]
    assert logsumexp(iter([Value(3.0)])).data == 3.0
    assert softmax([]) == []
    with pytest.raises(ValueError, match="logsumexp of nothing: give at least one value"):
        logsumexp([])


def test_softmax_of_symbols_sums_to_one():
    import sympy as sp

    x, y = sp.symbols("x y")
    assert sp.simplify(sum(each.data for each in softmax([Value(x), Value(y)]))) == 1


# ---- fsum and dot


def test_fsum_is_one_node():
    a, b = Value(1.0), Value(2.0)
    node = fsum([a, 10.0, b, a])
    assert (node.op, node.data) == ("fsum", 14.0)
    assert node.parents == (a, b, a)
    assert node.operands == (a, 10.0, b, a)
    assert node.local_derivatives == (1.0, 1.0, 1.0)


def test_dot_is_one_node_with_the_notes_factors():
    w, x = [*map(Value, (2.0, 3.0))], [*map(Value, (5.0, 7.0))]
    node = dot(w, x)
    assert (node.op, node.data) == ("dot", 31.0)
    assert node.parents == (*w, *x)
    assert node.local_derivatives == (5.0, 7.0, 2.0, 3.0)
    assert dot(w, [5.0, 7.0]).parents == tuple(w)
    assert dot([2.0, 3.0], x).local_derivatives == (2.0, 3.0)


@pytest.mark.parametrize("number", [float, np.float64])
@pytest.mark.parametrize("size", [1, 2, 3, 63, 64, 65, 200])
def test_lists_of_every_length_are_read_entry_by_entry(size, number):
    ws, xs = ([number(1 / (k + start)) for k in range(size)] for start in (3, 0.5))
    w, x = [*map(Value, ws)], [*map(Value, xs)]
    products = sum(map(operator.mul, map(float, ws), map(float, xs)))  # as this Python adds floats
    for node in (dot(w, x), dot(tuple(w), tuple(x))):
        assert node.data == products
        assert node.parents == (*w, *x)
        assert node.local_derivatives == (*xs, *ws)
    for node, parents, derivatives in ((dot(w, xs), w, xs), (dot(ws, x), x, ws)):
        assert (node.data, node.parents) == (products, (*parents,))
        assert node.local_derivatives == (*derivatives,)
    total = fsum(w)
    assert (total.data, total.parents) == (math.fsum(ws), (*w,))
    assert {*map(type, (total.data, node.data, *node.local_derivatives))} == {number}
    with pytest.raises(ArgumentError, match=f"of length {size} and {size + 1}"):
        dot(w, [*x, w[0]])


def test_dot_with_mixed_constants_keeps_the_order():
    w, x = Value(2.0), Value(7.0)
    node = dot([w, 3.0], [5.0, x])
    assert node.parents == (w, x)
    assert node.local_derivatives == (5.0, 3.0)
    assert node.operands == (w, 3.0, 5.0, x)


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("numbers", [[5.0, 7.0], [5, 7], [5.0, 7], (5.0, 7.0), [Fraction(5), 7.0]])
def test_dot_with_a_list_of_plain_numbers_is_what_it_is_among_values(numbers, swapped):
    def of(numbers):
        w = [*map(Value, (2.0, -3.0))]
        node = dot(numbers, w) if swapped else dot(w, numbers)
        node.backward()
        return node, [each.grad for each in w]

    given = type(numbers)(numbers)
    node, gradients = of(given)
    among_values, expected = of([*map(Value, numbers)])
    assert (type(node.data), node.data) == (float, among_values.data)
    assert gradients == expected == [5.0, 7.0]
    assert [data_of(each) for each in node.operands] == [data_of(v) for v in among_values.operands]
    assert [type(each) for each in node.operands if each not in node.parents] == [
        *map(type, numbers)
    ]
    if type(given) is list:
        given[0] = 0.0
    twin = pickle.loads(pickle.dumps(deepcopy(node)))
    assert [data_of(each) for each in twin.operands] == [data_of(each) for each in node.operands]
    assert gradients == [5.0, 7.0] == [*node.local_derivatives]


def test_dot_refuses_in_a_list_of_plain_numbers_what_it_refuses_elsewhere():
    w = [*map(Value, (2.0, -3.0))]
    with pytest.raises(DataError, match="an operand of dot must be a real number, not str"):
        dot(w, [1.0, "2"])
    with pytest.raises(DataError, match="an operand of dot must be a real number, not bool"):
        dot([True, 2.0], w)
    with pytest.raises(NumberRangeError, match=r"dot\(2.0, -3.0, 10.*too large"):
        dot(w, [10**400, 1])


def test_of_exact_numbers_they_are_exact():
    thirds = [Value(Fraction(1, 3)) for _ in range(3)]
    assert fsum(thirds).data == 1
    assert type(dot(thirds, [3, 2, 1]).data) is Fraction
    assert dot([Value(2)], [3]).data == 6
    assert type(fsum([Value(2), 3]).data) is int
    assert fsum([Value(0.1)] * 10).data == 1.0  # in one rounding


def test_of_generators_and_of_nothing():
    assert fsum(Value(float(n)) for n in range(4)).data == 6.0
    assert dot(iter([Value(2.0)]), (x for x in [3.0])).data == 6.0
    assert fsum([]) == 0
    assert dot([], []) == 0
    assert fsum([1.0, 2.0]) == 3.0
    assert dot([1, 2], [3, 4]) == 11


def test_lists_of_unequal_lengths_are_refused():
    with pytest.raises(ValueError, match="of one length, not of length 2 and 1"):
        dot([Value(1.0), 2.0], [3.0])
    with pytest.raises(TypeError, match=r"dot\(\) missing 1 required positional argument"):
        dot([Value(1.0)])


def test_isclose():
    assert isclose(Value(1.0), 1.0 + 1e-12)
    assert isclose(1.0, Value(1.1), rel_tol=0.2)
    assert not isclose(Value(1.0), Value(1.1))
    assert isclose(Value(0.0), 1e-12, abs_tol=1e-9)
    assert isclose(0.1 + 0.2, 0.3)
    assert isclose(True, 1.0)
    assert not isclose(math.nan, Value(math.nan))


def test_isclose_of_what_is_no_float_is_named():
    with pytest.raises(NumberRangeError, match=r"isclose\(10.*\): int too large .* use floats"):
        isclose(10**400, Value(1.5))
    with pytest.raises(DataError, match=r"isclose\(Value\(data=2.0, grad=0\), x\): Cannot convert"):
        Value(2.0).isclose(sympy.Symbol("x"))


def test_a_primitive_needs_a_name():
    with pytest.raises(TypeError, match="needs a name"):
        primitive("", "x", ("1.0",))


def test_a_written_primitive_without_a_domain_says_where_it_has_no_value():
    inverse = primitive("inverse", "1.0 / x", ("-out / x",))
    with pytest.raises(DomainError, match=r"inverse\(x=0.0\) has no value"):
        inverse(Value(0.0, "x"))
    logarithm = primitive("ln", "log(x)", ("1.0 / x",))
    with pytest.raises(DomainError, match=r"ln\(-1.0\) has no value"):
        logarithm(Value(-1.0))
    assert primitive("growth", "exp(x)", ("out",))(Value(1000.0)).data == math.inf


@pytest.mark.parametrize(
    ("value", "derivatives", "at"),
    [
        ("x ** 0.5", ("1.0",), (-2.0,)),
        ("x", ("x ** 0.5",), (-2.0,)),
        ("x > 0", ("1.0",), (2.0,)),
        ("x ** y", ("y", "x"), (-2.0, 0.5)),
    ],
)
def test_a_written_primitive_may_not_return_a_complex_number_or_a_truth_value(
    value, derivatives, at
):
    with pytest.raises(
        (DataError, DomainError),
        match=r"what odd\(.*\) returns must be a real number, not bool|odd\(.*has no value",
    ):
        primitive("odd", value, derivatives)(*map(Value, at))


def test_a_domain_that_divides_by_zero_is_not_met_there():
    inverse = primitive("inverse", "1.0 / x", ("-out / x",), domain="1 / x > 0")
    assert inverse(Value(2.0)).data == 0.5
    with pytest.raises(
        DomainError, match=r"inverse\(x=0.0\) has no value: inverse needs 1 / x > 0"
    ):
        inverse(Value(0.0, "x"))
    with pytest.raises(ExactnessError, match=r"^f\(Fraction\(1, 2\)\): log has no exact value"):
        primitive("f", "x", ("1.0",), domain="log(x) > 0.0")(Fraction(1, 2))


@pytest.mark.parametrize("compose", [softmax, logsumexp])
@pytest.mark.parametrize("wrong", ["a", None, 1j])
def test_what_is_no_number_is_refused_in_lists_too(compose, wrong):
    with pytest.raises(DataError, match=f"an operand of {compose.__name__} must be a real number"):
        compose([Value(1.0), wrong])


def test_a_dot_does_not_stand_between_two_operands():
    assert not RULES["dot"].infix
    assert RULES["*"].infix


@pytest.mark.parametrize("gap", [1.0, 20.0, 36.0, 37.0, 40.0, 700.0])
def test_the_derivatives_of_softmax_have_their_digits_where_one_is_above_all_others(gap):
    values = [Value(0.0), Value(gap), Value(0.5)]
    with mp.workdps(400):
        shares = [mp.exp(each.data) for each in values]
        shares = [each / mp.fsum(shares) for each in shares]
    for i, share in enumerate(softmax(values)):
        assert abs(share.data - shares[i]) <= 4 * EPS * shares[i]
        for j, got in enumerate(gradients(share, values)):
            with mp.workdps(400):
                truth = shares[i] * ((i == j) - shares[j])
                assert abs(got - truth) <= 16 * EPS * abs(truth) + 5e-324, (i, j)


def test_softmax_of_one_value_is_a_value():
    x = Value(3.0)
    (share,) = softmax([x])
    assert (share.data, gradients(share, [x])) == (1.0, [0.0])


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("y", [4.78726926492992e307, 8.9e307, 1e308, 1.0])
def test_logaddexp_next_to_overflow(y, sign):
    largest = sign * sys.float_info.max
    node = logaddexp(Value(sign * y), Value(largest))
    assert node.data == max(sign * y, largest)
    assert node.local_derivatives == ((0.0, 1.0) if sign > 0 else (1.0, 0.0))


@pytest.mark.parametrize("expression", ["x * (x % 2.0)", "x % 2.0"])
def test_a_remainder_is_for_a_domain_only(expression):
    with pytest.raises(ExpressionError, match="% is for a domain only; give functions instead"):
        primitive("q", expression, ("1.0",))
    with pytest.raises(ExpressionError, match="% is for a domain only"):
        primitive("q", "x", (expression,))
    whole = primitive("whole", "x * x", ("2.0 * x",), domain="x % 1.0 == 0.0")
    assert grad(grad(whole))(3.0) == 2.0
    with pytest.raises(DomainError):
        whole(Value(0.5))


def test_a_number_is_no_test():
    with pytest.raises(ExpressionError, match="'x' is no test: write a comparison, as x != 0"):
        primitive("q", "x * x if x else 0.0", ("2.0 * x",))
    with pytest.raises(ExpressionError, match="'x > 0 and x' is no test"):
        primitive("q", "x * x if x > 0 and x else 0.0", ("2.0 * x",))
    with pytest.raises(ExpressionError, match=r"'normal\(x\) - 1' is no test"):
        primitive("q", "x * x if normal(x) - 1 else 0.0", ("2.0 * x",))
    fine = primitive("q", "x * x if x > 0.0 and normal(x) else 0.0", ("2.0 * x",))
    assert grad(fine)(3.0) == 6.0


@pytest.mark.parametrize("call", [dot, lambda a, b: fsum([*a, *b])], ids=["dot", "fsum"])
def test_plain_numbers_among_the_operands_change_neither_value_nor_derivatives(call):
    w = [Value(0.5), Value(-1.25), Value(2.0)]
    plain = [0.1, 7, -3.0]
    among = call(w, plain)
    alone = call(w, [Value(float(each)) for each in plain])
    assert among.data == alone.data
    assert among.parents == tuple(w)
    assert among.operands == (*w, *plain)
    assert gradients(among, w) == gradients(alone, w)
    assert call(plain, w).operands == (*plain, *w)


def test_of_nothing_the_sum_is_a_whole_number():
    assert type(fsum([])) is type(dot([], [])) is int


def test_of_many_operands_an_error_shows_the_first_six():
    with pytest.raises(DataError, match=r"^fsum\(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, \.\.\.\)"):
        fsum([Value(float(k)) for k in range(1, 8)] + [Decimal(1)])


def test_a_comment_in_a_primitive_s_text_is_none():
    product = primitive("product", "x * y  # the area", ("y", "x  # and so"))
    assert product(Value(2.0), Value(3.0)).local_derivatives == (3.0, 2.0)


@pytest.mark.parametrize(
    ("name", "symbol", "infix"), [("pair", "_", True), ("_soft", "", False), ("pair", "⊕", True)]
)
def test_a_primitive_stands_between_its_operands_where_its_symbol_is_no_word(name, symbol, infix):
    own = primitive(name, "x * y", ("y", "x"), symbol=symbol)
    e = own(Value(2.0, "a"), Value(3.0, "b"))
    assert e.rule.infix is infix
    shown = f"a {symbol} b" if infix else f"{name}(a, b)"
    assert shown in steps(e).to_text()


def test_the_error_of_a_user_s_domain_does_not_depend_on_how_it_is_spelt():
    for condition in ("x != 0", "x != 0.0"):
        own = primitive("own", "log(abs(x))", ("1.0 / x",), domain=condition)
        with pytest.raises(DomainError) as caught:
            own(Value(0.0))
        assert type(caught.value) is DomainError


def test_primitives_in_threads_leave_the_warnings_filters_as_they_were():
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        [*pool.map(lambda n: primitive(f"own{n}", "x * x", ("2 * x",)), range(400))]
    assert list(warnings.filters) == before


def test_a_sum_too_large_on_the_way_is_exact():
    assert fsum([Value(x) for x in (1e308, 1e308, -1e308, -1e308, 5e-324)]).data == 5e-324


def test_a_primitive_that_is_dropped_takes_what_was_compiled_with_it():
    class Held:
        pass

    held = Held()
    operation = primitive("held", lambda x, held=held: x, (lambda x, out: 1.0,))
    assert operation(Value(1.0)).data == 1.0
    seen = weakref.ref(held)
    del held, operation
    gc.collect()
    assert seen() is None


@pytest.mark.parametrize(
    ("value", "derivatives"),
    [
        (lambda x, y: x, (lambda x, out: 1.0,)),
        (lambda x: x, (lambda x: 1.0,)),
        (lambda x: x, (lambda x, out: 1.0, lambda x, out: 1.0)),
        (lambda x: x, None),
        (lambda x: x, 5.0),
    ],
)
def test_a_primitive_with_the_wrong_number_of_derivatives_is_refused_when_it_is_made(
    value, derivatives
):
    with pytest.raises(ArgumentError, match="primitive 'odd'"):
        primitive("odd", value, derivatives)


def test_a_derivative_that_returns_no_number_for_a_value_is_named():
    odd = primitive("odd", lambda q: q * q, (lambda q, out: None if type(q) is Value else 1.0,))
    x = Value(1.0)
    with pytest.raises(DataError, match="what a derivative of odd returns"):
        gradients(odd(x), [x], create_graph=True)


def test_the_error_of_a_user_s_own_function_tells_the_operation():
    odd = primitive("odd", lambda q: q / 0, (lambda q, out: 1.0,))
    with pytest.raises(ZeroDivisionError) as caught:
        odd(Value(1.0, "x"))
    assert caught.value.__notes__ == ["in the primitive odd(x=1.0)"]


def test_a_written_power_is_as_exact_as_the_operator():
    root = primitive("root", "x**0.5", ("0.5 / out",))
    with pytest.raises(ExactnessError, match="root"):
        root(Value(Fraction(2)))
    with pytest.raises(DomainError, match="root"):
        root(Value(-1.0))


class Once:
    """It has a length, and can be gone through once."""

    def __init__(self, values):
        self.left = list(values)

    def __len__(self):
        return len(self.left)

    def __iter__(self):
        while self.left:
            yield self.left.pop(0)


@pytest.mark.parametrize(
    "kind", [Once, iter, tuple, lambda values: dict.fromkeys(values), np.array]
)
def test_dot_goes_through_its_lists_once(kind):
    v, w = Value(2.0), Value(3.0)
    for make in (lambda: dot(kind([v, w]), [w, v]), lambda: dot([w, v], kind([v, w]))):
        e = make()
        assert (len(e.parents), gradients(e, [v, w])) == (4, [6.0, 4.0])


@pytest.mark.parametrize(
    "call",
    [
        lambda v: fsum(v),
        lambda v: fsum(5),
        lambda v: dot(v, [v]),
        lambda v: dot([v], None),
        lambda v: gradients(v, None),
        lambda v: contract(v * v, v),
    ],
)
def test_what_is_no_list_is_named(call):
    with pytest.raises(ArgumentError, match="takes a list of values, not"):
        call(Value(2.0))


def test_an_infinity_among_numbers_that_overflow_is_the_sum():
    assert fsum([Value(1e308), 1e308, 1e308, -math.inf]).data == -math.inf
    assert fsum([1e308, 1e308, 1e308, -math.inf]) == -math.inf


def test_a_domain_is_a_condition_on_the_operands_that_it_names():
    four = primitive(
        "four", lambda a, b, c, d: a + b + c + d, (lambda *_: 1.0,) * 4, domain="x > 0.0"
    )
    assert four(Value(1.0), 1.0, 1.0, 1.0).data == 4.0
    with pytest.raises(DomainError, match=r"four needs x > 0, and x is -1.0$"):
        four(Value(-1.0), 1.0, 1.0, 1.0)
    product = primitive("product", "x*y", ("y", "x"), domain="exp(y) < 2.0")
    with pytest.raises(DomainError, match=r"product needs exp\(y\) < 2, and y is 5.0$"):
        product(Value(math.nan), 5.0)


@pytest.mark.parametrize(
    ("domain", "shown"),
    [
        ("x > 1.05", "x > 1.05"),
        ("0.05 < x", "0.05 < x"),
        ("x > 10.0 and x < 20.025", "x > 10 and x < 20.025"),
    ],
)
def test_the_bounds_of_a_domain_are_shown_as_they_are(domain, shown):
    bounded = primitive("bounded", "x", ("1.0",), domain=domain)
    with pytest.raises(DomainError, match=f"bounded needs {re.escape(shown)}, and x is -1.0"):
        bounded(Value(-1.0))


@pytest.mark.parametrize("wrong", [{"domain": lambda x: x > 0}, {"symbol": 5}, {"latex": 5}])
def test_the_texts_of_a_primitive_are_texts(wrong):
    with pytest.raises(ArgumentError, match=r"is a text, not"):
        primitive("odd", "x", ("1.0",), **wrong)


@pytest.mark.parametrize("latex", ["nothing", "%s + %s"])
def test_the_latex_form_of_a_primitive_has_a_place_for_each_operand(latex):
    with pytest.raises(ArgumentError, match="primitive 'odd': the latex form has one %s for each"):
        primitive("odd", "x", ("1.0",), latex=latex)


@pytest.mark.parametrize("value", ["fsum(x)", "dot(x, x)", "lost(x)", "exp(x, x)"])
def test_a_call_in_a_primitive_has_its_operands(value):
    with pytest.raises(ExpressionError):
        primitive("odd", value, ("1.0",))


def test_the_error_of_a_user_s_own_derivative_stays_what_it_is_at_every_order():
    odd = primitive("odd", lambda x: 1.0, (lambda x, out: x % 2,))
    x = Value(3.0)
    with pytest.raises(TypeError, match="unsupported operand") as caught:
        gradients(odd(x), [x], create_graph=True)
    assert caught.value.__notes__ == ["in the primitive odd(3.0)"]
    stopped = primitive(
        "stopped", lambda x: 1.0, (lambda x, out: next(iter(())) if type(x) is Value else 1.0,)
    )
    with pytest.raises(StopIteration):
        gradients(stopped(x), [x], create_graph=True)
    with pytest.raises(OverflowError, match="math range error"):
        primitive("boom", lambda x: math.exp(x), (lambda x, out: out,))(Value(1000.0))


def test_a_literal_of_a_primitive_is_the_same_at_every_precision():
    tenth = primitive("tenth", "0.1*x", ("0.1",))
    with mpmath.workdps(3):
        tenth(mpmath.mpf(1))
    with mpmath.workdps(30):
        assert tenth(mpmath.mpf(1)) == mpmath.mpf(0.1)
