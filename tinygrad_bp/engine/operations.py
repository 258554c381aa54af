"""From a row of the table to an operation on Values: the operators, the methods and the functions.

`apply` is the engine: the way of every operation for any number type, which needs nothing of `quick`, the
quicker way for floats.  This module may not know the networks, the pictures or the command line.
"""

from __future__ import annotations

from itertools import chain, compress

from tinygrad_bp.engine import quick
from tinygrad_bp.engine.made import MadeFunction, is_found
from tinygrad_bp.engine.refusals import (
    call_of,
    check_derivatives,
    check_operands,
    check_size,
    raise_named,
    refuse_outside,
)
from tinygrad_bp.engine.value import Value, as_list, data_of, record
from tinygrad_bp.errors import (
    ArgumentError,
)
from tinygrad_bp.numbers.arithmetic import arithmetic_of
from tinygrad_bp.numbers.families import (
    TRUTH_VALUES,
    are_numbers,
    check_number,
    is_number,
    python_number,
)
from tinygrad_bp.table.notation import call, in_text, lists
from tinygrad_bp.table.rules import FUNCTION_NAMES, PARAMETERS, RULES, Rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from tinygrad_bp.numbers.kernels import Arithmetic, Number


def apply(rule: Rule, *operands: Value | Number) -> Any:
    """The operation on operands of any number type: a node, or a number if no operand is a Value.

    Raises:
        DataError: an operand is no real number, or a user's primitive returned none; or the types of
            the operands do not go together, as ``Decimal`` and ``float``.
        DomainError: the operation has no value there.
        ExactnessError: the number type cannot do it exactly.
        NumberRangeError: an exact number is too large for the float that it meets, or for the `ExactLimit`
            that there is.
        ArgumentError: there are more operands or fewer than the row has.
    """
    if len(operands) != rule.arity:
        raise ArgumentError(f"{rule.name} takes {rule.arity} operands, not {len(operands)}")
    data = tuple(map(data_of, operands))
    if not are_numbers(data):
        check_operands(rule, operands)
    operands = _with_numbers(operands, data)
    arithmetic = arithmetic_of(data)
    wrt = tuple([slot for slot, each in enumerate(operands) if isinstance(each, Value)])
    try:
        if not arithmetic.in_domain(rule, data):
            refuse_outside(rule, operands)
        check_size(arithmetic, rule, operands, data)
        try:
            out, *derivatives = arithmetic.kernel(rule, wrt)(*data)
        except (TypeError, ArithmeticError):
            if not arithmetic.at_nan(rule, data):
                raise
            out, *derivatives = [arithmetic.own["nan"]] * (1 + len(wrt))
    except Exception as error:
        raise_named(error, rule, operands)
        raise
    if not are_numbers((out, *derivatives)):
        check_number(out, where=f"what {call_of(rule, operands)} returns")
        for number in derivatives:
            check_number(number, where=f"what a derivative of {call_of(rule, operands)} returns")
    if not rule.written:  # a user's function may return NumPy's
        out, *derivatives = map(python_number, (out, *derivatives))
    check_derivatives(arithmetic, rule, operands, derivatives)
    return _record(rule, out, operands, wrt, derivatives)


def _with_numbers(operands: tuple[Any, ...], data: Sequence[Number]) -> tuple[Any, ...]:
    """The operands, the plain numbers among them as they were read."""
    return tuple(
        [
            operand if isinstance(operand, Value) else number
            for operand, number in zip(operands, data, strict=True)
        ]
    )


def as_read(arithmetic: Arithmetic, rule: Rule, operand: Value | Number) -> Any:
    """The operand as the row reads its number among others of that type: a Value by a node of its own."""
    number = data_of(operand)
    try:
        read = arithmetic.reader(rule)(number)
    except Exception as error:
        raise_named(error, rule, (operand,))
        raise
    if not isinstance(operand, Value):
        return read
    if read is number or arithmetic.conversion is None:
        return operand
    return apply(arithmetic.conversion, operand)


def _record(
    rule: Rule,
    out: Number,
    operands: tuple[Any, ...],
    wrt: tuple[int, ...],
    derivatives: list[Number],
) -> Any:
    """The node of an operation, with the derivatives for the operands in the slots of ``wrt``."""
    if not wrt:
        return out
    if rule.arity == 1:
        return record(rule, out, *operands, *derivatives)
    if rule.arity == 2:
        dx = derivatives[0] if wrt[0] == 0 else None
        dy = derivatives[-1] if wrt[-1] == 1 else None
        return record(rule, out, operands[0], dx, operands[1], dy)
    each = iter(derivatives)
    local = [next(each) if slot in wrt else None for slot in range(rule.arity)]
    return _record_list(rule, out, operands, local)


def apply_lists(rule: Rule, *columns: tuple[Any, ...]) -> Any:
    """`apply` for a variadic row, whose operands come as one list or as two of one length.

    Raises:
        ArgumentError: the lists are not of one length.
    """
    if len(columns[0]) != len(columns[-1]):
        raise ArgumentError(
            f"{rule.name} takes lists of one length, not of length {' and '.join(map(str, map(len, columns)))}"
        )
    operands: tuple[Any, ...] = sum(columns, ())
    if not operands:
        return 0
    numbers = [*map(data_of, operands)]
    if not are_numbers(numbers):
        check_operands(rule, operands)
    operands = _with_numbers(operands, numbers)
    try:
        arithmetic = arithmetic_of(numbers)
        check_size(arithmetic, rule, operands, numbers)
        kernel = arithmetic.kernel(rule, tuple(range(rule.arity)))
        out, *derivatives = kernel(*arguments_of(rule, numbers))
    except Exception as error:
        raise_named(error, rule, operands)
        raise
    listed = [*chain(*derivatives)]
    check_derivatives(arithmetic, rule, operands, listed)
    return _record_list(rule, out, operands, listed)


def arguments_of(rule: Rule, operands: Sequence[Any]) -> Sequence[Any]:
    """What the row is a function of: the operands, or the lists of them."""
    if not rule.variadic:
        return operands
    return [*map(list, lists(rule, operands))]


def _record_list(
    rule: Rule, out: Number, operands: tuple[Any, ...], derivatives: list[Number | None]
) -> Any:
    """The node of an operation on a list of operands; the plain number if no operand is a Value."""
    nodes = [isinstance(each, Value) for each in operands]
    if all(nodes):
        return record(rule, out, operands, None, tuple(derivatives))
    if not any(nodes):
        return out
    constants = [None if node else each for node, each in zip(nodes, operands, strict=True)]
    local = (*compress(derivatives, nodes), tuple(constants))
    return record(rule, out, tuple(compress(operands, nodes)), None, local)


# ---- from a row of the table to a function


def _ways(rule: Rule, otherwise: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """The row's ``function`` and, of an operator, what stands to the ``left`` and ``right`` of its operand.

    Where the row has a quick way for floats, it comes first, and leaves to ``otherwise`` what it does not take.
    """
    if fast := quick.ways(rule, otherwise):
        return fast

    def function(*operands: Any) -> Any:
        if rule.variadic:
            operands = tuple(as_list(rule.name, each) for each in operands)
        return otherwise(rule, *operands)

    def right(b: Any, a: Any) -> Any:
        return otherwise(rule, a, b)

    return {"function": function, "left": function, "right": right}


def function_of(rule: Rule) -> Callable[..., Any]:
    """The function that a row describes, named and documented from it.

    It can be pickled where its row can: that of the table by its name, one of a user's with its row.
    Functions that have no name to be pickled by, as lambdas, leave it to the name that it has itself.
    """
    own = rule.in_table
    function = _ways(rule, apply_lists if rule.variadic else apply)["function"]
    function.__name__ = function.__qualname__ = rule.name
    function.__doc__ = _document(rule)
    function.__module__ = "tinygrad_bp.engine.functions"
    if own:
        return function
    for part in (rule.value, *rule.derivatives):
        if hasattr(part, "__code__") and not is_found(part):
            function.__module__ = part.__module__
            return function
    return MadeFunction(function, function_of, rule)


def _document(rule: Rule) -> str:
    few = rule.arity <= len(PARAMETERS)
    form = in_text(rule) if few else call(rule.name, 1)
    shown = form.on(PARAMETERS[: rule.arity] if few else ["..."])
    lines = [f"{shown}: {rule.meaning or 'a primitive of the user'}.", ""]
    if isinstance(rule.value, str):
        lines += [f"Value: {rule.value}."]
    lines += [
        f"Derivative for {operand}: {derivative}."
        for operand, derivative in zip(PARAMETERS, rule.derivatives, strict=False)
        if isinstance(derivative, str)
    ]
    if rule.domain:
        lines += [f"Raises DomainError unless {rule.domain}."]
    if rule.kink:
        lines += [f"Where {rule.kink} the derivative is taken to be {', '.join(rule.convention)}."]
    return "\n".join(lines)


def _operate(rule: Rule, a: Any, b: Any) -> Any:
    """What an operator does off the quick way: Python asks the other operand where we know it not."""
    if not (isinstance(a, Value) and isinstance(b, Value)):
        a, b = [int(bool(each)) if type(each).__name__ in TRUTH_VALUES else each for each in (a, b)]
        if not all(isinstance(each, Value) or is_number(each) for each in (a, b)):
            return NotImplemented
    return apply(rule, a, b)


class _Functions(dict[str, "Callable[..., Any]"]):
    """The function of each row by name, made when it is first asked for: most programs use few."""

    def __missing__(self, name: str) -> Callable[..., Any]:
        function = self[name] = function_of(RULES[name])
        return function


FUNCTIONS = _Functions()


def _operator(symbol: str, side: str, name: str) -> Callable[..., Any]:
    """The method that Python calls for an operator with a Value to the left, or to the right."""
    method = _ways(RULES[symbol], _operate)[side]
    if name == "__radd__":
        add = method

        def method(self: Value, other: Any) -> Any:  # sum() begins with 0
            return self if type(other) is int and other == 0 else add(self, other)

    method.__name__ = name
    method.__qualname__ = f"Value.{name}"
    method.__module__ = Value.__module__
    method.__doc__ = _document(RULES[symbol])
    return method


class _Method:
    """A method of Value that is made when it is first asked for."""

    def __init__(self, name: str, make: Callable[..., Callable[..., Any]], *of: str) -> None:
        self.name = name
        self.make = make
        self.of = of

    def __get__(self, node: Value | None, _: type[Value]) -> Any:
        method = self.make(*self.of)
        setattr(Value, self.name, method)
        # Not by its name, of which a subclass may have its own.
        return method if node is None else method.__get__(node)


_OPERATORS = {"+": "add", "-": "sub", "*": "mul", "/": "truediv", "**": "pow"}

for _method in (
    # the functions of numbers too: NumPy's ufuncs call them on arrays of Values
    *(
        _Method(name, FUNCTIONS.__getitem__, name)
        for name in FUNCTION_NAMES
        if not RULES[name].variadic
    ),
    *(_Method(f"__{name}__", FUNCTIONS.__getitem__, name) for name in ("neg", "abs")),
    *(
        _Method(f"__{name}__", _operator, symbol, "left", f"__{name}__")
        for symbol, name in _OPERATORS.items()
    ),
    *(
        _Method(f"__r{name}__", _operator, symbol, "right", f"__r{name}__")
        for symbol, name in _OPERATORS.items()
    ),
):
    setattr(Value, _method.name, _method)
