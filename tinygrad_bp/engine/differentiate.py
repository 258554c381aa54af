"""Derivatives as functions, to any order.

`grad`, `value_and_grad`, `jacobian` and `hessian` make functions of functions; `gradients` is the
backward pass that touches no ``grad`` and can itself be recorded, by the same rows of the table, so
that it can be differentiated again.
"""

from __future__ import annotations

import operator
from collections import deque
from functools import cache, wraps
from itertools import chain, repeat
from typing import TYPE_CHECKING

from tinygrad_bp.engine.graph import backward, topological_order
from tinygrad_bp.engine.kinks import ChainRule, at_bend, warn_of_constants
from tinygrad_bp.engine.made import MadeFunction
from tinygrad_bp.engine.operations import FUNCTIONS, apply, arguments_of, as_read
from tinygrad_bp.engine.refusals import raise_named
from tinygrad_bp.engine.value import Value, as_list, data_of, record
from tinygrad_bp.errors import ArgumentError, BackpropError, DataError, StaleGraphError
from tinygrad_bp.numbers.arithmetic import arithmetic_of, meeting
from tinygrad_bp.numbers.families import (
    PLAIN,
    TRUTH_VALUES,
    check_number,
    is_number,
    python_number,
    whole,
)
from tinygrad_bp.numbers.floats import is_nan
from tinygrad_bp.numbers.kernels import Arithmetic
from tinygrad_bp.numbers.text import counted
from tinygrad_bp.table.rules import CONSTANTS, FUNCTION_NAMES, RULES, Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any, TypeAlias

    from tinygrad_bp.numbers.kernels import Number

    Places: TypeAlias = int | tuple[int, ...] | None

# ---- functions of functions


def grad(f: Callable[..., Any], argnums: Places = None) -> Callable[..., Any]:
    """The function that gives the derivative of ``f`` for each of its arguments.

    Of one argument it returns a number, of more a tuple in their order.  Called with Values it
    returns Values, so that it nests to any order.  It can be pickled where ``f`` can.

    Args:
        f: a function of numbers.  Flags, text, None and other objects that are no numbers are passed
            on to it as they are, and so is whatever is given by keyword.
        argnums: the place of the argument to differentiate for, counted from 0, or a tuple of places,
            as in JAX; all other arguments are then passed on as they are.  A single place gives the
            derivative itself, a tuple gives a tuple.  Without it, ``f`` is differentiated for all
            numbers given by position.

    Raises:
        ArgumentError: ``f`` is no function, or ``argnums`` are no places; or, when called, there is no
            such argument.
        DataError: when called: an argument to differentiate for, or what ``f`` returns, is no real
            number.

    >>> grad(lambda x: x**3)(2.0)
    12.0
    >>> grad(grad(lambda x: x**3))(2.0)
    12.0
    >>> grad(lambda x, y: x * y)(2.0, 5.0)
    (5.0, 2.0)
    >>> grad(lambda x, y: x * y, argnums=1)(2.0, 5.0)
    2.0
    >>> grad(lambda x, how, n=1: x**n if how == "power" else n * x)(2.0, "power", n=3)
    12.0
    """
    argnums = _checked("grad", f, argnums)
    both = value_and_grad(f, argnums)

    def gradient(*at: Any, **options: Any) -> Any:
        return both(*at, **options)[1]

    return _made(gradient, grad, f, argnums)


def value_and_grad(f: Callable[..., Any], argnums: Places = None) -> Callable[..., tuple[Any, Any]]:
    """The function that gives the value of ``f`` together with what `grad` gives.

    Args:
        f: a function of numbers, and of what else `grad` passes on.
        argnums: the places of the arguments to differentiate for, as in `grad`.

    Raises:
        ArgumentError: as in `grad`.
        DataError: as in `grad`.

    >>> value_and_grad(lambda x: x * x)(3.0)
    (9.0, 6.0)
    >>> value_and_grad(lambda x, n: x**n, argnums=0)(3.0, 2)
    (9.0, 6.0)
    """
    argnums = _checked("value_and_grad", f, argnums)

    def both(*at: Any, **options: Any) -> tuple[Any, Any]:
        (value,), (row,) = _differentiate(_as_list(f), argnums, at, options)
        single = len(row) == 1 and not isinstance(argnums, tuple)
        return value, row[0] if single else row

    return _made(both, value_and_grad, f, argnums)


def jacobian(
    f: Callable[..., Sequence[Any]], argnums: Places = None
) -> Callable[..., tuple[Any, ...]]:
    """The function that gives, for each of the results of ``f``, a row of its derivatives.

    Args:
        f: a function that returns a list of results, of numbers and of what else `grad` passes on.
        argnums: the places of the arguments to differentiate for, as in `grad`.  Of a single place,
            there is a number in place of each row.

    Raises:
        ArgumentError: as in `grad`.
        DataError: when called: ``f`` returns no list, or there or among the arguments to differentiate
            for is what is no real number.

    >>> jacobian(lambda x, y: [x * y, x + y])(2.0, 5.0)
    ((5.0, 2.0), (1.0, 1.0))
    >>> jacobian(lambda x, y: [x * y, x + y], argnums=0)(2.0, 5.0)
    (5.0, 1.0)
    """
    argnums = _checked("jacobian", f, argnums)

    def rows(*at: Any, **options: Any) -> tuple[Any, ...]:
        found = _differentiate(f, argnums, at, options)[1]
        return tuple(row[0] for row in found) if isinstance(argnums, int) else found

    return _made(rows, jacobian, f, argnums)


def hessian(f: Callable[..., Any], argnums: Places = None) -> Callable[..., Any]:
    """The function that gives the second derivatives of ``f``, a row for each argument.

    Args:
        f: a function of numbers, and of what else `grad` passes on.
        argnums: the places of the arguments to differentiate for, as in `grad`.  Of a single place,
            the second derivative is a number.

    Raises:
        ArgumentError: as in `grad`.
        DataError: as in `grad`.

    >>> hessian(lambda x, y: x * x * y)(2.0, 5.0)
    ((10.0, 4.0), (4.0, 0))
    >>> hessian(lambda x, y: x * x * y, argnums=0)(2.0, 5.0)
    10.0
    """
    argnums = _checked("hessian", f, argnums)

    def gradient(*at: Any, **options: Any) -> tuple[Any, ...]:
        return _differentiate(_as_list(f), argnums, at, options)[1][0]

    def rows(*at: Any, **options: Any) -> Any:
        found = _differentiate(gradient, argnums, at, options)[1]
        return found[0][0] if isinstance(argnums, int) else found

    return _made(rows, hessian, f, argnums)


def _checked(name: str, f: object, argnums: Any) -> Places:
    """The places as integers, once it is known that they are some, and ``f`` a function."""
    if not callable(f):
        way_out = " (of a recorded Value, ask gradients(e, wrt))" * isinstance(f, Value)
        raise ArgumentError(f"{name} takes a function of plain arguments, not {f!r:.60}{way_out}")
    if argnums is None:
        return None
    several = isinstance(argnums, (tuple, list))
    given = argnums if several else (argnums,)
    places = tuple(number for number in map(whole, given) if number is not None)
    if not places or len(places) < len(given):
        raise ArgumentError(
            f"{name}: argnums is the place of an argument, counted from 0, or a tuple of places, not "
            f"{argnums!r:.60}"
        )
    return places if several else places[0]


def _made(
    function: Callable[..., Any], make: Callable[..., Any], f: Callable[..., Any], argnums: Places
) -> Callable[..., Any]:
    """The function as ``make`` returns it: with the name of ``f``, its signature and documentation."""
    wraps(f, updated=())(function)
    function.__doc__ = f"{make.__name__} of {function.__name__}: see `{make.__name__}`."
    if documentation := getattr(f, "__doc__", ""):
        function.__doc__ += f"\n\n{documentation}"
    return MadeFunction(function, make, f, *([] if argnums is None else [argnums]))


def _as_list(f: Callable[..., Any]) -> Callable[..., list[Any]]:
    """The function with its one result in a list, as of a function of several."""

    def listed(*arguments: Any, **options: Any) -> list[Any]:
        result = _scalar(f(*arguments, **options))
        _check_single(result, "use jacobian")
        return [result]

    return listed


def _check_single(result: Any, way_out: str) -> None:
    if hasattr(result, "__iter__") and not isinstance(result, str):
        raise DataError(
            f"what the function returned must be a real number, not {type(result).__name__} "
            f"{result!r:.60}: {way_out}"
        )


def _scalar(each: Any) -> Any:
    """The number in an array without dimensions; all else as it is."""
    return each[()] if type(each).__name__ == "ndarray" and each.ndim == 0 else each


def _places(argnums: Places, at: Sequence[Any]) -> list[int]:
    """The places of the arguments to differentiate for.

    Raises:
        ArgumentError: there is no such argument.
        DataError: an argument may be or hold numbers, and is none; or none of them is one.
    """
    if argnums is None:
        places = [place for place, each in enumerate(at) if _is_differentiated(place, each)]
        if at and not places:
            check_number(at[0], where="an argument to differentiate for")
    else:
        places = [argnums] if isinstance(argnums, int) else [*argnums]
        for place in places:
            if not -len(at) <= place < len(at):
                raise ArgumentError(
                    f"argnums={argnums!r}, counted from 0, of a call with {counted(len(at), 'argument')} by "
                    "position; those by keyword are passed on as they are"
                )
    if not places:
        raise ArgumentError(
            "there is no argument to differentiate for: give one by position, for those by keyword are "
            "passed on as they are"
        )
    return [place % len(at) for place in places]


def _is_differentiated(place: int, each: Any) -> bool:
    """Whether an argument is a number, where nothing else was said; flags and text are none."""
    if isinstance(each, Value) or is_number(each):
        return True
    if isinstance(each, (str, bytes, type)) or type(each).__name__ in TRUTH_VALUES:
        return False
    _check_no_list(place, each, "; if not, say so with argnums=, or give it by keyword")
    if hasattr(each, "__complex__"):  # a number of another kind
        check_number(each, where=f"argument {place}")
    return False


def _check_no_list(place: int, each: Any, otherwise: str = "") -> None:
    if hasattr(each, "__iter__") and not isinstance(each, (str, Value)):
        raise DataError(
            f"argument {place} is no number but a {type(each).__name__}: to differentiate for what is in "
            f"it, give each number as an argument of its own, grad(lambda *x: f(x))(*numbers){otherwise}"
        )


_under_way: set[Value] = set()
"""The arguments of the calls under way, in whatever thread: a function may use those of the calls around it."""


def _differentiate(
    f: Callable[..., Sequence[Any]], argnums: Places, at: Sequence[Any], options: dict[str, Any]
) -> tuple[tuple[Any, ...], tuple[tuple[Any, ...], ...]]:
    """The results of ``f`` and their rows of derivatives: Values where an outer call needs them."""
    arguments = [*map(_scalar, at)]
    places = _places(argnums, arguments)
    nested = any(isinstance(each, Value) for each in (*arguments, *options.values()))
    # A Value is seen through a node of its own: what else depends on it is not this call's.
    for place in {*places}:
        number = arguments[place]
        if not isinstance(number, Value):
            _check_no_list(place, number)
            check_number(number, where=f"argument {place}, to differentiate for,")
            number = Value(number)
        arguments[place] = FUNCTIONS["identity"](number)
    leaves = [arguments[place] for place in places]
    _under_way.update(leaves)
    try:
        results = _scalar(f(*arguments, **options))
        if isinstance(results, (Value, dict)) or not hasattr(results, "__iter__"):
            raise DataError(
                f"jacobian is for a function that returns a list of results, not {results!r:.60}: "
                "use grad"
            )
        results = [*map(_scalar, results)]
    finally:
        _under_way.difference_update(leaves)
    for each in results:
        _check_single(each, "give all its results in one list")
        if type(each).__name__ not in TRUTH_VALUES:  # they are as constant as any number
            check_number(data_of(each), where="what the function returned")
    recorded = [each for each in results if isinstance(each, Value)]
    nested = nested or any(
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
    reaching = {*wrt}
    for node in order:
        if not reaching.isdisjoint(node.parents):
            reaching.add(node)
    sums: dict[Value, Any] = {e: 1}
    kinks = []
    chain_rule = ChainRule()
    for node in reversed(order):
        if node.rule is None or node not in sums or reaching.isdisjoint(node.parents):
            continue
        check_fresh(node)
        try:
            found = _recorded_derivatives(node, node.rule, reaching)
        except Exception as error:
            raise_named(error, node.rule, node.operands)
            raise
        if at_bend(node):
            kinks.append(node)
        with meeting(lambda: f"gradients of {e!r:.160}"):
            for parent, local in found:
                upstream = sums[node]
                zero = chain_rule.vanishes(node, data_of(upstream), parent, data_of(local))
                share = 0 if zero else _product(upstream, local)
                sums[parent] = sums[parent] + share if parent in sums else share
    warn_of_constants(kinks)
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
    plain = {*map(type, numbers)} <= PLAIN
    read = operands if plain else [as_read(arithmetic, rule, each) for each in operands]
    if rule.variadic:
        columns = arguments_of(rule, read)
        derivatives = [_on_values(arithmetic).derivative(rule, k) for k in range(rule.arity)]
        found = [*chain(*(derivative(*columns, node) for derivative in derivatives))]
        return [(operands[slot], found[slot]) for slot in wanted]
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
    numbers = [*map(python_number, numbers)]
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
