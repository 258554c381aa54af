"""What an operation refuses, in words: operands, domains, sizes, and the errors of number types.

Each message names the operation on its operands.  This module may not know how a row is computed.
"""

from __future__ import annotations

from tinygrad_bp.engine.value import Value, data_of
from tinygrad_bp.errors import (
    BackpropError,
    DataError,
    DivisionByZeroError,
    DomainError,
    ExactnessError,
    NumberRangeError,
)
from tinygrad_bp.numbers.arithmetic import trapped
from tinygrad_bp.numbers.exact import current
from tinygrad_bp.numbers.families import check_number
from tinygrad_bp.numbers.text import printed
from tinygrad_bp.quoting import shortened, visible
from tinygrad_bp.table.notation import call, in_text, lists
from tinygrad_bp.table.rules import PARAMETERS, Rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from tinygrad_bp.numbers.kernels import Arithmetic, Number


def check_operands(rule: Rule, operands: tuple[Value | Number, ...]) -> None:
    """Refuse what is no real number.

    Raises:
        DataError: one of the operands is none.
    """
    for operand in operands:
        where = f"an operand of {rule.name}"
        if isinstance(operand, Value):
            where = f"the data of {_short_label(operand) or 'a Value'}, {where},"
        check_number(data_of(operand), where=where)


_EXACT = ("int", "Fraction")


def check_size(
    arithmetic: Arithmetic,
    rule: Rule,
    operands: tuple[Value | Number, ...],
    numbers: Sequence[Number],
) -> None:
    """Refuse an exact result of more digits than the `ExactLimit` that there is.

    Raises:
        NumberRangeError: it would have more.
    """
    limit = current()
    if not limit or arithmetic.name not in _EXACT:
        return
    columns = lists(rule, numbers) if rule.variadic else [[each] for each in numbers]
    if not limit.admits(rule.name, columns):
        raise NumberRangeError(
            f"{call_of(rule, operands)} would be exact with thousands of digits: {_DECIMALS}"
        )


def check_derivatives(
    arithmetic: Arithmetic,
    rule: Rule,
    operands: tuple[Value | Number, ...],
    derivatives: Sequence[Number],
) -> None:
    """Count the digits of exact derivatives, whose products the gradients will be.

    Raises:
        NumberRangeError: they are more than the `ExactLimit` that there is admits.
    """
    limit = current()
    if limit and arithmetic.name in _EXACT and not limit.admits_derivatives(derivatives):
        raise NumberRangeError(
            f"{call_of(rule, operands)}: gradients could be exact with tens of thousands of digits: {_DECIMALS}"
        )


_DECIMALS = "give decimals, as 9.0 for 9 or 0.5 for 1/2"


def refuse_outside(rule: Rule, operands: tuple[Value | Number, ...]) -> NoReturn:
    """Say which condition of the row's domain the operands do not meet.

    Raises:
        DomainError: always; a `DivisionByZeroError` where it is a division.
    """
    to_a_power = rule.name == "**" and data_of(operands[0]) == 0
    divides = rule.in_table and (to_a_power or rule.domain.endswith("!= 0.0"))
    error = DivisionByZeroError if divides else DomainError
    raise error(
        f"{call_of(rule, operands)} has no value: {rule.name} needs {_condition(rule, operands)}"
    )


def raise_named(error: Exception, rule: Rule, operands: tuple[Value | Number, ...]) -> None:
    """Raise ours for an error of a number type's own arithmetic, naming operation and operands.

    An error that says it already is left to be raised as it is, as one in a user's primitive.
    """
    shown = call_of(rule, operands)
    if isinstance(error, ExactnessError):
        raise ExactnessError(f"{shown}: {error}") from None
    if isinstance(error, BackpropError):
        return
    if not rule.written:  # it is the user's own
        error.add_note(f"in the primitive {shown}")
        return
    if isinstance(error, FloatingPointError):
        raise NumberRangeError(
            f"{shown}: {error}, which numpy.errstate makes an error: allow it there"
        ) from None
    if isinstance(error, OverflowError):
        raise NumberRangeError(f"{shown}: {error}; use floats, or smaller exact numbers") from None
    if type(error).__module__ == "decimal" and type(error).__name__ != "InvalidOperation":
        raise trapped(error, shown) from None
    if isinstance(error, (TypeError, AttributeError)):  # NumPy has either for a Decimal
        raise DataError(f"{shown}: {error}; give it numbers of one type") from None
    if isinstance(error, (ArithmeticError, ValueError)):
        reason = type(error).__name__ if type(error).__module__ == "decimal" else error
        raise DomainError(f"{shown} has no value: {reason}") from None


def call_of(rule: Rule, operands: tuple[Value | Number, ...]) -> str:
    """The operation on its operands as a person would write it; of many, the first few."""
    shown = [
        f"{_short_label(each)}={_short(each.data)}"
        if isinstance(each, Value) and each.label
        else _short(data_of(each))
        for each in operands[:6]
    ]
    shown += ["..."] * (len(operands) > len(shown))
    if rule.variadic or len(shown) != rule.arity:
        return call(rule.name, len(shown)).on(shown)
    bracketed = [f"({each})" if each.startswith("-") or "=" in each else each for each in shown]
    return in_text(rule).on(shown, bracketed)


def _short(number: Number) -> str:
    return shortened(printed(number))


def _short_label(node: Value) -> str:
    """The label on one line, whatever is in it."""
    return shortened(visible(node.label))


def _condition(rule: Rule, operands: tuple[Value | Number, ...]) -> str:
    if rule.needs:
        return rule.needs
    where = ", ".join(
        f"{parameter} is {_short(data_of(operand))}"
        for parameter, operand in zip(PARAMETERS, operands, strict=False)
        if parameter in rule.domain_operands
    )
    return f"{rule.condition}, and {where}"
