"""Expressions that a person types: what they mean, and that they are never run as Python."""

from __future__ import annotations

import ast
import math
import re
import time
from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_bp import (
    RULES,
    DomainError,
    ExactnessError,
    ExpressionError,
    NumberRangeError,
    Value,
)
from tinygrad_bp.engine.operations import FUNCTIONS
from tinygrad_bp.numbers.exact import RESULT, ExactLimit
from tinygrad_bp.terminal.expressions import CALLABLE, names_in, record_expression

NUMBERS = st.integers(-9, 9).map(Fraction)
EXPRESSIONS = st.recursive(
    st.sampled_from(["x", "y", "2", "3"]),
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*"), inner)
        | st.builds("(-{})".format, inner)
        | st.builds("({} if {} > {} else {})".format, inner, inner, inner, inner)
        | st.builds("max({}, abs({}))".format, inner, inner)
    ),
    max_leaves=12,
)


@given(EXPRESSIONS, NUMBERS, NUMBERS)
def test_an_expression_means_what_it_means_in_python(text, x, y):
    result = record_expression(text, {"x": Value(x), "y": Value(y)})
    assert result.data == eval(text, {"x": x, "y": y})


def test_the_graph_of_the_note_s_first_row():
    leaves = {
        name: Value(number, name) for name, number in zip("twxb", (1.0, 0.5, 2.0, 0.1), strict=True)
    }
    e = record_expression("(t - tanh(w*x - b))**2", leaves)
    assert e.data == (1.0 - math.tanh(0.5 * 2.0 - 0.1)) ** 2
    assert [e.op, e.parents[0].op, e.operands[1]] == ["**", "-", 2]


def test_only_the_branch_taken_is_recorded():
    x = Value(-1.0)
    assert record_expression("log(x) if x > 0 else 2 * x", {"x": x}).data == -2.0
    with pytest.raises(DomainError):
        record_expression("log(x) if x < 0 else 2 * x", {"x": x})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 < x < 3", None),
        ("x if 1 < x <= 2 and x == 2 else 0", 2.0),
        ("x if x != 2 or x >= 3 else -x", -2.0),
        ("+x", 2.0),
        ("-2 ** 2 * x", -8.0),
        ("2 ** -1 * x", 1.0),
        ("2 ** 3 ** 2 * x", 1024.0),
        ("pi * x", 2 * math.pi),
        ("fsum(x, x, 1)", 5.0),
        ("min(x, 1)", 1.0),
        ("pow(x, 3)", 8.0),
        ("arctan2(x, 1)", math.atan2(2.0, 1.0)),
        ("  x  ", 2.0),
        ("1e3 * x", 2000.0),
    ],
)
def test_notation(text, value):
    x = Value(2.0)
    if value is None:
        with pytest.raises(ExpressionError, match="true or false"):
            record_expression(text, {"x": x})
    else:
        assert record_expression(text, {"x": x}).data == value


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("1e400", "beyond the largest float"),
        ("1_0.5E+999", "beyond the largest float"),
        ("1e-400", "below the smallest float"),
        (".0000_1e-320", "below the smallest float"),
        ("9007199254740993.0", "no float is this whole number: the nearest is 9007199254740992"),
    ],
)
@pytest.mark.parametrize("text", ["{} * x", "x + min(2, {})", "(x\n - {})", "x if x < {} else 2"])
def test_a_number_that_a_float_would_change_is_refused(text, written, why):
    with pytest.raises(ExpressionError, match=f"^{re.escape(written)} would be changed: .*{why}"):
        record_expression(text.format(written), {"x": Value(2.0)})


@pytest.mark.parametrize(
    "written",
    ["0.0", "0e400", ".0", "1.7976931348623157e308", "5e-324", "1e23", "9007199254740992.0"],
)
def test_a_number_is_the_nearest_float(written):
    assert record_expression(f"x1e400 + {written}", {"x1e400": Value(0.0)}).data == float(written)
    assert record_expression("9007199254740993 + 0*x", {"x": Value(0)}).data == 2**53 + 1


@pytest.mark.parametrize("text", ["-" * 9000 + "x", "**".join(["x"] * 3000)])
def test_what_is_nested_too_deep_is_refused_with_a_reason(text):
    with pytest.raises(
        ExpressionError, match=r"^not an expression that can be read: .* \([^)]+\)$"
    ):
        names_in(text)


def test_what_has_no_exact_value_is_refused_with_the_way_out_of_an_expression():
    with pytest.raises(ExpressionError, match=r"here, give decimals, as 0\.5 for 1/2"):
        record_expression("exp(x)", {"x": Value(Fraction(1, 3))})


def test_every_function_of_the_table_can_be_called():
    assert {name for name in RULES if name.isidentifier()} <= {*CALLABLE, "dot"}


def test_names_come_in_the_order_of_the_text():
    assert names_in("exp(b) + a * b - pi + max(c, a)") == ["b", "a", "c"]
    assert names_in("exp + exp(1)") == ["exp"]


def test_a_part_that_nothing_uses_is_refused():
    x = Value(3.0)
    for text in ("x + 1; x", "y = x; x * y; y", "x; x"):
        with pytest.raises(ExpressionError, match="is used by nothing: name it"):
            record_expression(text, {"x": x})
    assert record_expression("y = x * x;", {"x": x}).data == 9.0
    with pytest.raises(ExpressionError, match="not an expression"):
        record_expression("; x", {"x": x})


def test_a_long_sum_and_a_deep_nest():
    x = Value(Fraction(1))
    assert record_expression("+".join(["x"] * 500), {"x": x}).data == 500
    with pytest.raises(ExpressionError):
        record_expression("+".join(["x"] * 100_000), {"x": x})
    with pytest.raises(ExpressionError):
        record_expression("(" * 300 + "x" + ")" * 300, {"x": x})


def squared(times):
    return f"{'square(' * times}x{')' * times}"


def named_squares(times):
    return "; ".join(["a0 = x", *(f"a{k + 1} = a{k} * a{k}" for k in range(times))])


@pytest.mark.parametrize(
    "text",
    [
        "x**1000000000",
        "x**-1000000000",
        "pow(x, 1000000000)",
        "x**y",
        "pow(x, -y)",
        "7**y * x",
        "x * 9**9**9",
        "(9**999)**999 * x",
        "max(x, 9**9**9)",
        "x if 9**9**9 > 1 else y",
        "(x**1000)**(y - 9999990000)",
        squared(28),
        named_squares(28),
        "*".join([squared(9)] * 20),
        "fsum(" + ",".join(f"x**{k}/(x**{k} + {k})" for k in range(1, 200)) + ")",
        "+".join(f"1/(x + {10**60 + k})" for k in range(300)),
        "; ".join(["a0 = x - 1/3 * 0", *(f"a{k + 1} = (a{k} / a{k})**7**4900" for k in range(99))]),
    ],
)
def test_exact_numbers_do_not_grow_without_end(text):
    leaves = {"x": Value(Fraction(1, 3), "x"), "y": Value(Fraction(10**10), "y")}
    begun = time.process_time()
    with pytest.raises(
        (NumberRangeError, ExpressionError), match=r"thousands of digits: give decimals|at most"
    ) as refused:
        record_expression(text, leaves)
    assert time.process_time() - begun < 1
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2**5001 * x / 2**5001", Fraction(1, 3)),
        ("x**3000", Fraction(1, 3**3000)),
        ("(x - x + 1)**1000000000", 1),
        ("(x - x - 1)**1000000001", -1),
        ("0**1000000000 + x", Fraction(1, 3)),
        ("fsum(" + ",".join(["x"] * 3000) + ")", 1000),
        ("+".join(f"1/(x + {k})" for k in range(100)), sum(1 / Fraction(3 * k + 1, 3) for k in range(100))),
    ],
)  # fmt: skip
def test_what_is_not_too_large_is_exact(text, value):
    result = record_expression(text, {"x": Value(Fraction(1, 3), "x")}).data
    assert (result, type(result)) == (value, Fraction)


@given(
    st.lists(st.sampled_from(["+", "-", "*", "/", "**"]), min_size=1, max_size=8),
    st.lists(st.fractions(max_denominator=10**6) | st.integers(-9, 10**9), min_size=9, max_size=9),
)
def test_the_size_of_a_result_is_known_before(operations, numbers):
    result = Value(numbers[0])
    for operation, number in zip(operations, numbers[1:], strict=False):
        number = number if operation != "**" else int(abs(number)) % 50
        limit = ExactLimit()
        operands = [[result.data], [number]]
        with suppress(DomainError, ExactnessError, NumberRangeError):
            admitted = limit.admits(operation, operands)
            result = FUNCTIONS[operation](result, number)
            if type(result.data) is float:
                return
            size = sum(abs(each).bit_length() for each in result.data.as_integer_ratio())
            assert not admitted or size <= RESULT + 2


def test_in_python_numbers_grow_as_they_do_in_python():
    assert (Value(7) ** 100_000).data == 7**100_000


ALLOWED = (
    ast.BinOp, ast.UnaryOp, ast.Compare, ast.BoolOp, ast.IfExp, ast.Call, ast.Name, ast.Constant,
    ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.expr_context,
)  # fmt: skip


@given(st.text("xy0123456789.()[]{}+-*/%<>=!,:'\"\\ _abcdefilmnoprst@&|^~\n", max_size=25))
def test_whatever_is_typed_is_an_expression_or_refused(text):
    try:
        result = record_expression(text, {"x": Value(1.5), "y": Value(2.5)})
    except (ExpressionError, DomainError, ArithmeticError):
        return
    assert isinstance(result, Value)
    tree = ast.parse(text.strip(), mode="eval").body
    assert all(isinstance(node, ALLOWED) for node in ast.walk(tree))


def test_a_number_of_thousands_of_digits_is_refused_in_our_words():
    with pytest.raises(ExpressionError, match="a whole number in it has thousands of digits"):
        record_expression(f"x * 1{'0' * 4400}", {"x": Value(1.0)})
