"""Which numbers there are: each type belongs to a family, known by its name without importing it.

Data is never coerced; what is no real number is refused, and told what to do instead.
"""

from __future__ import annotations

from tinygrad_bp.errors import ArgumentError, DataError
from tinygrad_bp.quoting import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from tinygrad_bp.numbers.kernels import Number

PLAIN = {float, int}
"""The types of nearly all numbers there are, which need no further look."""

_BASES = {
    ("builtins", "float"): "float",
    ("builtins", "int"): "int",
    ("numpy", "integer"): "int",
    ("numpy", "floating"): "numpy",
    ("fractions", "Fraction"): "fractions",
    ("decimal", "Decimal"): "decimal",
    ("mpmath", "mpf"): "mpmath",
    ("mpmath", "constant"): "mpmath",
    ("sympy", "Expr"): "sympy",
}
"""The number types by package and name: they need not be imported to be known."""

_REFUSED = ("bool", "timedelta64", "AccumulationBounds", "Order")  # derived from one, and no number
_FAMILY: dict[type, str] = {float: "float", int: "int"}
_NUMBERS: set[type] = {*_FAMILY}  # all of whose instances are real numbers, of those seen so far


def family_of(kind: type) -> str:
    """The key of the number type in the table of loaders; empty where it is no number."""
    if kind not in _FAMILY:
        bases = [(str(base.__module__).partition(".")[0], base.__name__) for base in kind.__mro__]
        known = [_BASES[base] for base in bases if base in _BASES]
        _FAMILY[kind] = known[0] if known and kind.__name__ not in _REFUSED else ""
        if _FAMILY[kind] not in ("", "sympy"):  # a sympy expression may be anything
            _NUMBERS.add(kind)
    return _FAMILY[kind]


def python_number(number: Number) -> Number:
    """A whole number of NumPy's as Python's, which has room for every result; any other as it is.

    >>> import numpy
    >>> python_number(numpy.uint8(3)) - 5, python_number(0.5)
    (-2, 0.5)
    """
    return int(number) if family_of(type(number)) == "int" else number


TRUTH_VALUES = ("bool", "bool_", "BooleanTrue", "BooleanFalse")
"""The types of comparisons, by their names: NumPy's and sympy's need not be imported to be known."""


def is_number(data: object) -> bool:
    """Whether it can be the data of a Value, or a plain operand: a real number of a known type.

    >>> is_number(0.5), is_number(1), is_number(True), is_number("1"), is_number(1j)
    (True, True, False, False, False)
    """
    if family_of(type(data)) == "sympy":
        return data.is_extended_real is not False and data.is_commutative is True  # type: ignore[attr-defined]
    return type(data) in _NUMBERS


def whole(number: object) -> int | None:
    """The whole number as Python's own, be it NumPy's; ``None`` of what is none, as of a truth value.

    >>> whole(3), whole(3.0), whole(True)
    (3, None, None)
    """
    from operator import index

    if type(number).__name__ in TRUTH_VALUES:
        return None
    try:
        return index(number)  # type: ignore[arg-type]
    except TypeError:
        return None


def whole_number(what: str, number: object) -> int:
    """The whole number as Python's own, where one is asked for.

    Args:
        what: it is, for the message.
        number: what was given.

    Raises:
        ArgumentError: it is none.

    >>> whole_number("epochs", "3")
    Traceback (most recent call last):
        ...
    tinygrad_bp.errors.ArgumentError: epochs is a whole number, not '3'
    """
    found = whole(number)
    if found is None:
        raise ArgumentError(f"{what} is a whole number, not {quoted(number)}")
    return found


def are_numbers(data: Collection[object]) -> bool:
    """Whether each of them `is_number`.

    >>> are_numbers([0.5, 1]), are_numbers([0.5, "1"])
    (True, False)
    """
    return {*map(type, data)} <= _NUMBERS or all(map(is_number, data))


def check_number(data: object, *, where: str) -> None:
    """Refuse what is no real number, and say what to do instead.

    Raises:
        DataError: always naming ``where`` it was offered.
    """
    if is_number(data):
        return
    kind = type(data).__name__
    way_out = {
        "str": "convert it first, as in float(text)",
        "NoneType": "a missing value has no gradient",
        "bool": "write 1.0 or 0.0",
        "bool_": "write 1.0 or 0.0",
        "BooleanTrue": "write 1.0 or 0.0",
        "BooleanFalse": "write 1.0 or 0.0",
        "complex": "take the real and the imaginary part as two Values",
        "ImaginaryUnit": "take the real and the imaginary part as two Values",
        "mpc": "take the real and the imaginary part as two Values",
        "Add": "take the real and the imaginary part as two Values",
        "Mul": "take the real and the imaginary part as two Values",
        "ndarray": "make one Value for each entry",
        "list": "make one Value for each entry",
        "tuple": "make one Value for each entry",
        "Value": "it is a Value already",
    }.get(kind, "use float, int, Fraction, Decimal, or a NumPy, mpmath or sympy number")
    if kind == "ndarray" and data.ndim == 0:  # type: ignore[attr-defined]
        way_out = "take the number in it, array.item()"
    raise DataError(f"{where} must be a real number, not {kind} {data!r:.60}: {way_out}")
