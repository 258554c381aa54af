"""Traps that a review of the engine met, each with its name."""

from __future__ import annotations

import copy
import gc
import inspect
import io
import math
import pickle
import re
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import mpmath
import numpy as np
import pytest
import sympy

from tinygrad_bp import (
    ArgumentError,
    BackpropError,
    DataError,
    DomainError,
    ExactnessError,
    ExpressionError,
    NumberRangeError,
    StaleGraphError,
    Value,
    arctan2,
    collector_paused,
    contract,
    derivation,
    dot,
    flat,
    fsum,
    gaussian,
    gelu,
    grad,
    gradients,
    hessian,
    jacobian,
    largest_paths,
    logaddexp,
    maximum,
    ndtr,
    path_sum,
    paths,
    primitive,
    reciprocal,
    relu,
    sigmoid,
    silu,
    steps,
    tanh,
)
from tinygrad_bp.backward import backward as backward_function
from tinygrad_bp.operations import FUNCTIONS, _Method, _operator
from tinygrad_bp.rules import RULES
from tinygrad_bp.value import data_of

INF = math.inf


# ---- number types


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


# ---- digits, and limits


def test_second_derivatives_of_a_power_at_the_exponent_0():
    assert hessian(lambda x, y: x**y)(2.0, 0.0)[0] == (0.0, 0.5)


@pytest.mark.parametrize("x", [250.0, 350.0, -350.0])
def test_the_second_derivative_of_tanh_far_out(x):
    with mpmath.workdps(50):
        at = mpmath.mpf(x)
        truth = -2 * mpmath.tanh(at) * mpmath.sech(at) ** 2
        assert abs(grad(grad(tanh))(x) / truth - 1) < 1e-14


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


def test_a_sum_too_large_on_the_way_is_exact():
    assert fsum([Value(x) for x in (1e308, 1e308, -1e308, -1e308, 5e-324)]).data == 5e-324


# ---- recordings


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


def every_pass(e, a):
    """All that multiplies the local derivatives between two nodes, to be called."""
    return (
        e.backward,
        lambda: path_sum(e, a),
        lambda: steps(e),
        lambda: contract(e, [a]),
        lambda: derivation(e, a),
        lambda: largest_paths(e, a),
        lambda: [path.product for path in paths(e, a)],
    )


def test_an_exact_number_too_large_for_the_float_it_meets_is_named_by_every_pass():
    a = Value(1, "a")
    e = (Value(0.5) + (a * 10**400 - 10**400)) * 0.5
    for ask in every_pass(e, a):
        with pytest.raises(NumberRangeError, match="use floats, or smaller exact numbers"):
            ask()
    with pytest.raises(NumberRangeError, match="use floats, or smaller exact numbers"):
        gradients(e, [a], create_graph=True)


def test_derivatives_that_cannot_be_multiplied_are_named_by_every_pass():
    tenth = primitive("tenth", lambda x: Decimal(1), (lambda x, out: Decimal("0.1"),))
    a = Value(2.0, "a")
    e = tenth(a * 3.0)
    for ask in every_pass(e, a):
        with pytest.raises(
            DataError, match=r"'tenth'.*Decimal.*give the leaves numbers of one type"
        ):
            ask()


# ---- copies


def test_many_nodes_of_one_chain_are_copied_in_their_natural_order_at_once():
    chain = [Value(1.0)]
    for _ in range(3000):
        chain.append(chain[-1] * 1.5)
    for again in (copy.deepcopy(chain), pickle.loads(pickle.dumps(chain))):
        assert all(b.parents == (a,) for a, b in pairwise(again))


def test_a_pickler_that_is_kept_does_not_disturb_the_copies_after_it():
    x = Value(2.0, "x")
    e = x * 3.0 * x
    kept = pickle.Pickler(io.BytesIO())
    kept.dump(x * x)
    for _ in range(3):
        for again in (copy.deepcopy(e), pickle.loads(pickle.dumps([e, e * 2.0]))[0]):
            product, right = again.parents
            assert (again.data, product.parents, right.label) == (12.0, (right,), "x")
    kept.dump(e * e)
    assert len(flat._threads.under_way().places) == 4


def test_threads_copy_their_own_graphs():
    failed = []
    kept = pickle.Pickler(io.BytesIO())
    kept.dump(Value(2.0) * 2.0)
    with ThreadPoolExecutor(1) as pool:  # what is under way here is not under way there
        assert (
            pool.submit(lambda: flat._threads.under_way()).result()
            is None
            is not flat._threads.under_way()
        )

    def work():
        try:
            x = Value(2.0)
            e = x * x
            for _ in range(500):
                pickle.loads(pickle.dumps(e))
                copy.deepcopy([e, x])
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not failed


class Named(Value):
    def __init__(self, data, name, *, colour):
        super().__init__(data, name)
        self.colour = colour


def test_a_subclass_keeps_what_is_its_own():
    for again in (
        copy.deepcopy(Named(2.0, "x", colour="red")),
        pickle.loads(pickle.dumps(Named(2.0, "x", colour="red"))),
        copy.copy(Named(2.0, "x", colour="red")),
    ):
        assert (type(again), again.data, again.label, again.colour) == (Named, 2.0, "x", "red")


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


# ---- primitives


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


# ---- subclasses


def test_the_first_call_of_a_method_through_super_is_one_call():
    class Loud(Value):
        def __mul__(self, other):
            return 2 * super().__mul__(other)

        def softplus(self):
            return 2 * super().softplus()

    held = {name: vars(Value)[name] for name in ("__mul__", "softplus")}
    for name, make, of in (
        ("__mul__", _operator, ("*", "left", "__mul__")),
        ("softplus", FUNCTIONS.__getitem__, ("softplus",)),
    ):
        setattr(Value, name, _Method(name, make, *of))  # as before anything has asked for it
    try:
        assert [(Loud(3.0) * 5.0).data for _ in range(2)] == [30.0, 30.0]
        assert Loud(0.0).softplus().data == Loud(0.0).softplus().data
    finally:
        for name, method in held.items():
            setattr(Value, name, method)


class Coloured(Value):
    __slots__ = ("colour",)


class Own(Value):
    def __getstate__(self):
        return {"kept": self.extra}

    def __setstate__(self, state):
        self.extra = state["kept"]


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))]
)
def test_the_slots_and_the_state_of_a_subclass_are_copied(again):
    red, own = Coloured(2.0, "r"), Own(3.0)
    red.colour, red.grad, own.extra = "red", 1.5, [7]
    copied = again(red)
    assert (copied.colour, copied.data, copied.grad, copied.label) == ("red", 2.0, 1.5, "r")
    assert again(own).extra == [7]


# ---- lists of operands


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
    assert fsum([Value(1e308), 1e308, 1e308, -INF]).data == -INF
    assert fsum([1e308, 1e308, 1e308, -INF]) == -INF


# ---- the pass


@pytest.mark.parametrize(
    "stop", ["node.grad = zero", "node._x.grad += grad * derivative", "leaf.grad = total"]
)
def test_an_interrupted_pass_leaves_the_leaves_what_they_had(stop):
    a, b = Value(2.0), Value(3.0)
    e = a * b
    e = e * a
    a.grad = b.grad = 5.0
    source, first = inspect.getsourcelines(backward_function)
    (line,) = [first + place for place, text in enumerate(source) if text.strip() == stop]

    def interrupt(frame, event, _):
        if event == "line" and frame.f_lineno == line and (a.grad, b.grad) != (5.0, 5.0):
            raise KeyboardInterrupt
        return interrupt

    before = sys.gettrace()
    sys.settrace(interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            e.backward()
    finally:
        sys.settrace(before)
    assert (a.grad, b.grad) == (5.0, 5.0)


@pytest.mark.parametrize("grad", [1j, "1", None, Value(1.0)])
def test_a_grad_that_is_no_number_is_refused(grad):
    x = Value(2.0)
    x.grad = grad
    with pytest.raises(DataError, match="grad of"):
        (x * x).backward()
    assert x.grad is grad


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


# ---- staleness


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


# ---- primitives


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


# ---- messages


@pytest.mark.parametrize(
    "call",
    [
        lambda v: jacobian(lambda x: x * x)(1.0),
        lambda v: gradients(v, v),
        lambda v: Value(1.0, 5),
        lambda v: dot([v], [v, v]),
        lambda v: path_sum(1.0, v),
        lambda v: FUNCTIONS["neg"](v) if v.data < 0 else primitive("", "x", ("1.0",)),
    ],
)
def test_a_call_that_does_not_fit_is_an_error_of_ours(call):
    with pytest.raises(BackpropError):
        call(Value(2.0, "v"))


def test_a_label_stays_on_its_line_and_is_cut():
    with pytest.raises(DomainError, match=r"^log\(aU\+000AbU\+001B=-1.0\) has no value"):
        FUNCTIONS["log"](Value(-1.0, "a\nb\x1b"))
    with pytest.raises(DomainError, match=r"^log\(θ{57}\.\.\.=-1.0\)"):
        FUNCTIONS["log"](Value(-1.0, "θ" * 1000))


def test_data_that_became_a_value_is_named_by_its_label():
    p = Value(2.0, "p")
    p.data = Value(1.0)
    with pytest.raises(
        DataError, match=r"the data of p, an operand of \*, must be a real number, not Value"
    ):
        _ = p * p


def test_a_decimal_s_trap_is_named_by_the_pass():
    x, a, b = Value(Decimal("1e-999999")), Value(Decimal("1e999990")), Value(Decimal("1e999990"))
    with pytest.raises(
        NumberRangeError, match="decimal's context traps Overflow; give it other limits"
    ):
        ((x * a) * b).backward()


def test_a_pause_within_the_same_pause_ends_with_the_outer_one():
    paused = collector_paused()
    assert gc.isenabled()
    with paused:
        with paused:
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
