"""Derivatives as functions, to any order.

`grad`, `value_and_grad`, `jacobian` and `hessian` make functions of functions; `gradients` is the
backward pass that touches no ``grad`` and can itself be recorded, by the same rows of the table, so
that it can be differentiated again.
"""

from __future__ import annotations

import operator
from collections import deque
from functools import cache
from itertools import chain, repeat
from typing import TYPE_CHECKING

from tinygrad_bp.arithmetic import (
    PLAIN,
    TRUTH_VALUES,
    arithmetic_of,
    check_number,
    is_number,
    meeting,
)
from tinygrad_bp.backward import backward
from tinygrad_bp.errors import ArgumentError, BackpropError, DataError, StaleGraphError
from tinygrad_bp.expression import CONSTANTS
from tinygrad_bp.floats import is_nan
from tinygrad_bp.graph import dependents, topological_order
from tinygrad_bp.kernels import Arithmetic
from tinygrad_bp.operations import (
    FUNCTIONS,
    apply,
    arguments_of,
    as_list,
    as_read,
    converted,
    raise_named,
)
from tinygrad_bp.rules import FUNCTION_NAMES, RULES, Rule
from tinygrad_bp.value import Value, data_of, record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from tinygrad_bp.kernels import Number

# ---- functions of functions


def grad(f: Callable[..., Any]) -> Callable[..., Any]:
    """The function that gives the derivative of ``f`` for each of its arguments.

    Of one argument it returns a number, of more a tuple in their order.  Called with Values it
    returns Values, so that it nests to any order.

    Raises:
        ArgumentError: ``f`` is no function.
        DataError: when called: an argument, or what ``f`` returns, is no real number.

    >>> grad(lambda x: x**3)(2.0)
    12.0
    >>> grad(grad(lambda x: x**3))(2.0)
    12.0
    >>> grad(lambda x, y: x * y)(2.0, 5.0)
    (5.0, 2.0)
    """
    _check_function("grad", f)

    def gradient(*at: Number | Value) -> Any:
        return value_and_grad(f)(*at)[1]

    return gradient


def value_and_grad(f: Callable[..., Any]) -> Callable[..., tuple[Any, Any]]:
    """The function that gives the value of ``f`` together with what `grad` gives.

    Raises:
        ArgumentError: ``f`` is no function.
        DataError: when called: an argument, or what ``f`` returns, is no real number.

    >>> value_and_grad(lambda x: x * x)(3.0)
    (9.0, 6.0)
    """
    _check_function("value_and_grad", f)

    def both(*at: Number | Value) -> tuple[Any, Any]:
        (value,), (row,) = _differentiate(lambda *leaves: [f(*leaves)], at)
        return value, row[0] if len(at) == 1 else row

    return both


def jacobian(f: Callable[..., Sequence[Any]]) -> Callable[..., tuple[tuple[Any, ...], ...]]:
    """The function that gives, for each of the results of ``f``, a row of its derivatives.

    Raises:
        ArgumentError: ``f`` is no function.
        DataError: when called: ``f`` returns no list, or there or among the arguments is what is no
            real number.

    >>> jacobian(lambda x, y: [x * y, x + y])(2.0, 5.0)
    ((5.0, 2.0), (1.0, 1.0))
    """
    _check_function("jacobian", f)

    def rows(*at: Number | Value) -> tuple[tuple[Any, ...], ...]:
        return _differentiate(f, at)[1]

    return rows


def hessian(f: Callable[..., Any]) -> Callable[..., tuple[tuple[Any, ...], ...]]:
    """The function that gives the second derivatives of ``f``, a row for each argument.

    Raises:
        ArgumentError: ``f`` is no function.
        DataError: when called: an argument, or what ``f`` returns, is no real number.

    >>> hessian(lambda x, y: x * x * y)(2.0, 5.0)
    ((10.0, 4.0), (4.0, 0))
    """
    _check_function("hessian", f)

    def gradient(*at: Value) -> tuple[Any, ...]:
        return _differentiate(lambda *leaves: [f(*leaves)], at)[1][0]

    return jacobian(gradient)


def _check_function(name: str, f: object) -> None:
    if not callable(f):
        way_out = " (of a recorded Value, ask gradients(e, wrt))" * isinstance(f, Value)
        raise ArgumentError(f"{name} takes a function of plain arguments, not {f!r:.60}{way_out}")


_under_way: set[Value] = set()
"""The arguments of the calls under way, in whatever thread: a function may use those of the calls around it."""


def _differentiate(
    f: Callable[..., Sequence[Any]], at: Sequence[Number | Value]
) -> tuple[tuple[Any, ...], tuple[tuple[Any, ...], ...]]:
    """The results of ``f`` and their rows of derivatives: Values where an outer call needs them."""
    # A Value is seen through a node of its own: what else depends on it is not this call's.
    leaves = [
        FUNCTIONS["identity"](each if isinstance(each, Value) else Value(each)) for each in at
    ]
    _under_way.update(leaves)
    try:
        results = f(*leaves)
        if isinstance(results, (Value, dict)) or not hasattr(results, "__iter__"):
            raise DataError(
                f"jacobian is for a function that returns a list of results, not {results!r:.60}: "
                "use grad"
            )
        results = list(results)
    finally:
        _under_way.difference_update(leaves)
    for each in results:
        if type(each).__name__ not in TRUTH_VALUES:  # they are as constant as any number
            check_number(data_of(each), where="what the function returned")
    recorded = [each for each in results if isinstance(each, Value)]
    nested = any(isinstance(each, Value) for each in at) or any(
        not _under_way.isdisjoint(topological_order(each)) for each in recorded if _under_way
    )
    rows = tuple(
        tuple(gradients(each, leaves, create_graph=nested))
        if isinstance(each, Value)
        else (0,) * len(leaves)
        for each in results
    )
    return tuple(each if nested else data_of(each) for each in results), rows


# ---- the pass without side effects


def gradients(e: Value | Number, wrt: Iterable[Value], *, create_graph: bool = False) -> list[Any]:
    """``de/dv`` for each of the nodes, by the backward pass, leaving every ``grad`` as it was before.

    Args:
        e: the result.  Of a plain number, which depends on nothing, every derivative is 0.
        wrt: the nodes, leaves or inner ones.
        create_graph: record the pass, and return Values (plain numbers where a derivative does not
            depend on any) that can be differentiated again.

    Raises:
        ArgumentError: ``wrt`` is no list.
        DataError: ``e`` is neither a Value nor a number, or one of ``wrt`` is no Value; or numbers
            cannot be multiplied or added.
        NumberRangeError: an exact number is too large for the float that it meets.
        StaleGraphError: with ``create_graph``, where a leaf has been given new data since ``e`` was
            recorded: the derivatives would be of another function than the recorded one.

    >>> x, y = Value(3.0), Value(2.0)
    >>> gradients(x * x * y, [x, y])
    [12.0, 9.0]
    >>> dx, dy = gradients(x * x * y, [x, y], create_graph=True)
    >>> gradients(dx, [x, y])
    [4.0, 6.0]
    >>> x.grad
    0
    """
    wrt = as_list("gradients(e, wrt)", wrt)
    for each in wrt:
        if not isinstance(each, Value):
            raise DataError(
                f"gradients are for Values, and {each!r:.60} is none: make it Value(...)"
            )
    if not isinstance(e, Value):
        check_number(e, where="what is differentiated")
        return [0] * len(wrt)
    if create_graph:
        return _recorded_gradients(e, wrt)
    nodes = [*topological_order(e), *wrt]
    before = [node.grad for node in nodes]
    try:
        for node in nodes:
            node.grad = 0
        with meeting(lambda: f"gradients of {e!r:.160}"):
            backward(e)
        return [node.grad for node in wrt]
    finally:  # in C from end to end, where no interrupt comes between one node and the next
        deque(map(setattr, nodes, repeat("grad"), before), maxlen=0)


def _recorded_gradients(e: Value, wrt: Sequence[Value]) -> list[Any]:
    order = topological_order(e)
    reaching = dependents(order, wrt)
    sums: dict[Value, Any] = {e: 1}
    for node in reversed(order):
        if node.rule is None or node not in sums or reaching.isdisjoint(node.parents):
            continue
        check_fresh(node)
        try:
            found = _recorded_derivatives(node, node.rule, reaching)
        except Exception as error:
            raise_named(error, node.rule, node.operands)
            raise
        with meeting(lambda: f"gradients of {e!r:.160}"):
            for parent, local in found:
                share = _product(sums[node], local)
                sums[parent] = sums[parent] + share if parent in sums else share
    return [sums.get(node, 0) for node in wrt]


def _product(upstream: Any, local: Any) -> Any:
    """The chain rule's product; the seed is no factor worth a node."""
    return local if type(upstream) is int and upstream == 1 else upstream * local


def _recorded_derivatives(node: Value, rule: Rule, reaching: set[Value]) -> list[tuple[Value, Any]]:
    """The parents that matter, each with the node's derivative for it as a graph of its own."""
    operands = node.operands
    numbers = [data_of(each) for each in operands]
    arithmetic = arithmetic_of(numbers)
    wanted = [slot for slot, v in enumerate(operands) if isinstance(v, Value) and v in reaching]
    if rule.variadic:
        columns = arguments_of(rule, operands)
        derivatives = [_on_values(arithmetic).derivative(rule, k) for k in range(rule.arity)]
        found = [*chain(*(derivative(*columns, node) for derivative in derivatives))]
        return [(operands[slot], found[slot]) for slot in wanted]
    plain = {*map(type, numbers)} <= PLAIN
    read = operands if plain else [as_read(arithmetic, rule, each) for each in operands]
    recorded = []
    for slot in wanted:
        try:
            derivative = _on_values(arithmetic).derivative(rule, slot)(*read, node)
        except (BackpropError, TypeError, ArithmeticError):
            if not arithmetic.at_nan(rule, numbers):
                raise
            nan = arithmetic.own["nan"]  # and so are its own derivatives
            derivative = record(RULES["fsum"], nan, node.parents, None, (nan,) * len(node.parents))
        if not isinstance(derivative, Value):
            check_number(derivative, where=f"what a derivative of {rule.name} returns")
        recorded.append((operands[slot], derivative))
    return recorded


def still_gives(node: Value, numbers: Sequence[Number]) -> bool:
    """Whether a node's row has, at these operands, the value and derivatives that were recorded.

    They differ where a leaf was given other data after the recording.

    >>> x = Value(2.0)
    >>> still_gives(x * x, [2.0, 2.0]), still_gives(x * x, [-2.0, -2.0])
    (True, False)
    """
    rule, operands = node.rule, node.operands
    if rule is None:
        return True
    recorded = [slot for slot, each in enumerate(operands) if isinstance(each, Value)]
    wrt = range(rule.arity) if rule.variadic else recorded
    if not all(map(is_number, numbers)):
        return False
    arithmetic = arithmetic_of(list(numbers))
    try:
        out, *found = arithmetic.kernel(rule, tuple(wrt))(*arguments_of(rule, numbers))
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return arithmetic.at_nan(rule, numbers) and arithmetic.at_nan(rule, [node.data])
    if rule.variadic:
        every = [*chain(*found)]
        found = [every[slot] for slot in recorded]
    return all(map(_same, (out, *found), (node.data, *node.local_derivatives)))


def _same(a: Number, b: Number) -> bool:
    return bool(a == b or (is_nan(a) and is_nan(b)))


def check_fresh(node: Value, name: str = "") -> None:
    """Refuse a node whose leaves were given other data after it was recorded.

    Args:
        node: looked at by itself, not through what it was made of.
        name: what the message calls it; its repr without one.

    Raises:
        StaleGraphError: it was recorded from other data than its operands have now.
    """
    if not still_gives(node, [data_of(each) for each in node.operands]):
        shown = ", ".join(each.label or repr(each) for each in dict.fromkeys(node.parents))
        precise = any(type(data_of(each)).__name__ in ("Decimal", "mpf") for each in node.operands)
        raise StaleGraphError(
            f"{name or repr(node)} was recorded from other data than its operands have now ({shown})"
            f"{', or at another precision' * precise}: record it again, or take the gradients "
            "before the leaves are given new data"
        )


def _choosing(choose: Callable[..., Any] | None) -> Callable[..., Any]:
    """The branch taken; where symbols leave that open, both, joined by a row made for this test."""

    def chosen(test: Any, body: Callable[[], Any], orelse: Callable[[], Any]) -> Any:
        if choose is None or test in (True, False):
            return body() if test else orelse()

        def joined(one: Any, other: Any, *_: Any) -> Any:
            return choose(test, lambda: one, lambda: other)

        rule = Rule("choose", joined, (lambda *_: joined(1, 0), lambda *_: joined(0, 1)))
        return apply(rule, body(), orelse())

    return chosen


def _comparing(compare: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *operands: compare(*map(data_of, operands))


_TESTS: dict[str, Callable[[Any, Any], Any]] = {
    "Gt": operator.gt,
    "GtE": operator.ge,
    "Lt": operator.lt,
    "LtE": operator.le,
    "Eq": operator.eq,
    "NotEq": operator.ne,
}


@cache
def _on_values(numbers: Arithmetic) -> Arithmetic:
    """The rows of the table read as operations on Values: a derivative is then a graph of its own."""
    own = {
        **{name: numbers.own[name] for name in CONSTANTS if name in numbers.own},
        "pow": lambda x, y: apply(RULES["**"], x, y),
        **{name: _comparing(numbers.own[name]) for name in ("normal", "lost")},
        "real": lambda v: converted(numbers, v, numbers.own["real"](data_of(v))),
        "choose": _choosing(numbers.own.get("choose")),
        "And": numbers.own.get("And", lambda *tests: all(test() for test in tests)),
        "Or": numbers.own.get("Or", lambda *tests: any(test() for test in tests)),
        **{name: _comparing(numbers.own.get(name, test)) for name, test in _TESTS.items()},
        **{name: FUNCTIONS[name] for name in FUNCTION_NAMES},
    }
    return Arithmetic(
        f"Value of {numbers.name}",
        own,
        literal=numbers.literal,
        derivatives=numbers.derivatives,
        symbolic=True,
    )
