"""The functions of the table, for Values and plain numbers, and what is composed of them.

Each function of a row is made from the row; see `tinygrad_bp.table.rules` for the list.  Given plain
numbers they return a plain number.
"""

from __future__ import annotations

import math

from tinygrad_bp.engine.operations import FUNCTIONS, as_read, function_of
from tinygrad_bp.engine.value import Value, as_list, data_of, isclose
from tinygrad_bp.errors import ArgumentError, DivisionByZeroError
from tinygrad_bp.numbers.arithmetic import arithmetic_of
from tinygrad_bp.numbers.families import check_number, python_number
from tinygrad_bp.numbers.floats import is_nan
from tinygrad_bp.quoting import quoted
from tinygrad_bp.table.rules import FUNCTION_NAMES, PARAMETERS, RULES, Rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from tinygrad_bp.engine.declarations import *  # noqa: F403 - what the table has
    from tinygrad_bp.numbers.kernels import Number

_ROWS = tuple(name for name in FUNCTION_NAMES if name not in ("abs", "neg"))  # Python's own do

__all__ = ["isclose", "logsumexp", "primitive", "softmax", "where", *_ROWS]  # noqa: PLE0604 - the table has the names

if not TYPE_CHECKING:  # to a type checker every name would then be one of ours

    def __getattr__(name: str) -> Callable[..., Any]:
        if name not in RULES:  # pickle looks here for operators too
            raise AttributeError(f"module {__name__!r} has no attribute {quoted(name)}")
        return FUNCTIONS[name]


def primitive(
    name: str,
    value: str | Callable[..., Any],
    derivatives: Iterable[str | Callable[..., Any]],
    *,
    symbol: str = "",
    latex: str = "",
    domain: str = "",
) -> Callable[..., Any]:
    """An operation of your own, as one row of the table: one node, with its derivatives.

    Args:
        name: what it is called in messages and pictures.
        value: an expression in the table's notation, of ``x, y, z``, or a function of the operands.
        derivatives: one for each operand: an expression, which may use ``out``, or a function of
            the operands and then the output.
        symbol: how pictures show it; the name if left out.
        latex: how formulas show it, in LaTeX (it is the one text not escaped), with ``%s`` where an
            operand goes; the name if left out.
        domain: the condition for having a value, an expression.

    Returns:
        A function of Values or plain numbers.  It is pickled with its row; one that is made of lambdas
        is pickled by its name, as they would be: assign it to this name in its module.

    Raises:
        ExpressionError: an expression is not in the table's notation.
        ArgumentError: an argument is not what it should be, or does not fit the others.

    >>> cube = primitive("cube", "x * x * x", ("3.0 * x * x",))
    >>> cube(Value(2.0)).local_derivatives
    (12.0,)
    >>> half_square = primitive("half_square", lambda x: x * x / 2, (lambda x, out: x,))
    >>> half_square(Value(3.0)).data
    4.5
    """
    if not isinstance(name, str) or not name:
        raise ArgumentError(f"a primitive needs a name to be called by, not {quoted(name)}")
    for what, text in (("symbol", symbol), ("latex form", latex), ("domain", domain)):
        if not isinstance(text, str):
            raise ArgumentError(
                f"primitive {quoted(name)}: the {what} is a text, not {quoted(text)}"
            )
    if isinstance(derivatives, str) or not hasattr(derivatives, "__iter__"):
        raise ArgumentError(
            f"primitive {quoted(name)}: give the derivatives as a tuple, one for each operand"
        )
    derivatives = tuple(derivatives)
    if not derivatives:
        raise ArgumentError(
            f"primitive {quoted(name)} needs one derivative for each operand, and has none"
        )
    arity = len(derivatives)
    if arity > len(PARAMETERS) and any(isinstance(each, str) for each in (value, *derivatives)):
        raise ArgumentError(
            f"primitive {quoted(name)}: give functions where operands are more than 3"
        )
    if latex and latex.count("%s") != arity:
        raise ArgumentError(
            f"primitive {quoted(name)}: the latex form has one %s for each operand: {quoted(latex)} has not {arity}"
        )
    _check_function(name, value, "value", arity)
    for each in derivatives:
        _check_function(name, each, "derivative", arity + 1)
    rule = Rule(
        name,
        value,
        derivatives,
        symbol=symbol,
        latex=latex,
        domain=domain,
    )
    return function_of(rule)


def _check_function(name: str, part: Any, what: str, count: int) -> None:
    """Refuse what is neither an expression nor a function of so many arguments."""
    if isinstance(part, str):
        return
    if not callable(part):
        raise ArgumentError(
            f"primitive {quoted(name)}: {quoted(part)} is neither an expression nor a function"
        )
    import inspect  # costs more than the engine

    try:
        inspect.signature(part).bind(*range(count))
    except TypeError:
        takes = "the operands and the output" if what == "derivative" else "the operands"
        raise ArgumentError(
            f"primitive {quoted(name)}: there are {count - (what == 'derivative')} derivatives, so "
            f"a {what} is a function of {takes}, {count} in all, and {quoted(part)} is not"
        ) from None
    except ValueError:  # a function of C without a signature is believed
        pass


def where(condition: bool, then: Any, otherwise: Any) -> Any:  # noqa: FBT001 - as in NumPy
    """One of two branches, lazily: a branch given as a function is called only if it is taken.

    >>> x = Value(-1.0)
    >>> where(x > 0, lambda: FUNCTIONS["log"](x), 0.0)
    0.0
    """
    taken = then if condition else otherwise
    return python_number(taken() if callable(taken) else taken)


def _listed(values: Iterable[Value | Number], name: str) -> list[Any]:
    """The values as a list, as the exponential reads their numbers where these meet."""
    values = list(as_list(name, values))
    for each in values:
        check_number(data_of(each), where=f"an operand of {name}")
    numbers = [*map(data_of, values)]
    if {*map(type, numbers)} <= {float}:  # nothing to read
        return values
    arithmetic = arithmetic_of(numbers)
    return [as_read(arithmetic, RULES["exp"], each) for each in values]


def _largest(values: list[Any]) -> int | None:
    """The place of the largest, to be taken out of exponentials; None where it cannot be told."""
    numbers = [*map(data_of, values)]
    if not numbers or any(map(is_nan, numbers)):
        return None
    try:
        return max(range(len(numbers)), key=numbers.__getitem__)
    except TypeError:  # symbols cannot be compared
        return None


def logsumexp(values: Iterable[Value | Number]) -> Any:
    """``log(sum(exp(v)))``, without overflow; where all are finite its gradient is `softmax`.

    Where the largest is infinite it is the result, and shares the gradient with its equals, as in
    ``logaddexp``.

    Raises:
        ArgumentError: it is given no list, or an empty one.
        DataError: one of the values is no real number.

    >>> round(logsumexp([Value(1000.0), Value(1000.0)]).data, 4)
    1000.6931
    """
    values = _listed(values, "logsumexp")
    if not values:
        raise ArgumentError("logsumexp of nothing: give at least one value")
    exp, fsum, minus, maximum = map(FUNCTIONS.__getitem__, ("exp", "fsum", "-", "maximum"))
    place = _largest(values)
    if place is None:
        return FUNCTIONS["log"](fsum([exp(each) for each in values]))
    largest = values.pop(place)
    shift = data_of(largest)
    if abs(shift) == math.inf:
        equals = [each for each in values if data_of(each) == shift] + [largest]
        shared = FUNCTIONS["/"](fsum(equals), len(equals))
        others = [each for each in values if isinstance(each, Value)]
        return shared if isinstance(shared, Value) or not others else maximum(shared, others[0])
    rest = fsum([exp(minus(each, shift)) for each in values])
    if "log1p" in arithmetic_of([shift]).own and data_of(rest) < 0.5:  # Decimal has none
        # Where one is far above the others, what they add keeps its digits.
        return FUNCTIONS["log1p"](rest * exp(minus(shift, largest))) + largest
    return FUNCTIONS["log"](rest + exp(minus(largest, shift))) + shift


def _over_half(share: Value | Number) -> bool:
    try:
        return bool(2 * data_of(share) > 1)
    except (TypeError, ArithmeticError):  # sympy's nan and Decimal's cannot be compared
        return False


def softmax(values: Iterable[Value | Number]) -> list[Any]:
    """``exp(v) / sum(exp(v))`` for each of the values, without overflow.

    Where some are ``inf``, they share 1 among them.

    Raises:
        ArgumentError: it is given no list.
        DataError: one of the values is no real number.
        DivisionByZeroError: all values are ``-inf``.

    >>> [p.data for p in softmax([Value(0.0), Value(0.0)])]
    [0.5, 0.5]
    """
    values = _listed(values, "softmax")
    place = _largest(values)
    shift = 0 if place is None else data_of(values[place])
    if shift == -math.inf:
        raise DivisionByZeroError(
            "softmax of values that are all -inf has no value: one at least has to be larger"
        )
    exponentials = [
        FUNCTIONS["exp"](FUNCTIONS["-"](each, shift))
        if data_of(each) != math.inf
        else FUNCTIONS["sigmoid"](each)  # 1, with derivatives of 0
        for each in values
    ]
    total = FUNCTIONS["fsum"](exponentials)
    shares = [FUNCTIONS["/"](each, total) for each in exponentials]
    if place is not None and len(values) > 1 and _over_half(shares[place]):
        # Near 1 its derivative, as that of the quotient, would be a difference without digits.
        largest = values.pop(place)
        others = [FUNCTIONS["exp"](FUNCTIONS["-"](each, largest)) for each in values]
        shares[place] = FUNCTIONS["/"](1, FUNCTIONS["+"](1, FUNCTIONS["fsum"](others)))
    return shares
