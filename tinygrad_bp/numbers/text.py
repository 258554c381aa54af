"""Numbers and signs as people read them, in messages, in terminals and in JSON."""

from __future__ import annotations

import math

from tinygrad_bp.numbers.families import family_of, python_number
from tinygrad_bp.quoting import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tinygrad_bp.numbers.kernels import Number


def printed(number: Number, how: Callable[[Number], str] = repr) -> str:
    """The number's text on one line; of a whole number or fraction too long for Python to print, its size."""
    try:
        text = how(number)
        return visible(" ".join(text.split()) or text)  # a symbol's name may be of spaces
    except ValueError:
        if not hasattr(number, "numerator"):  # a formula
            return f"<{type(number).__name__} of numbers too long to print>"
        digits = (number.numerator.bit_length() - number.denominator.bit_length()) * 0.30103
        return f"<exact number of size {'-' * bool(number < 0)}1e{digits:.0f}>"


def format_number(number: Number, digits: int = 6) -> str:
    """A number as a person reads it: floats to ``digits`` significant digits, exact ones exactly.

    >>> from fractions import Fraction
    >>> format_number(0.1 + 0.2), format_number(Fraction(2, 6)), format_number(1e-17 / 3)
    ('0.3', '1/3', '3.33333e-18')
    """
    family = family_of(type(number))
    if family == "mpmath":
        import mpmath

        return str(mpmath.nstr(number, digits))
    if family in ("int", "fractions", "sympy", ""):
        return printed(number, str)
    return f"{number:.{digits}g}"


def to_float(text: str) -> float:
    """The float nearest to a number, which is the usual way to read decimals such as 0.1.

    Raises:
        ValueError: it is no number; or that would change more than its last digits: it is beyond the
            largest float or below the smallest, or it is a whole number and the float is another one.

    >>> to_float("0.1"), to_float("9007199254740992"), to_float("1e23")
    (0.1, 9007199254740992.0, 1e+23)
    >>> to_float("9007199254740993")
    Traceback (most recent call last):
        ...
    ValueError: no float is this whole number: the nearest is 9007199254740992
    """
    number = float(text)
    digits, power, _ = text.strip().lower().partition("e")
    whole, _, decimals = digits.partition(".")
    if math.isinf(number):
        raise ValueError("it is beyond the largest float, 1.8e308: give it in another unit")
    if not number and _is_not_0(digits):
        raise ValueError("it is below the smallest float, 4.9e-324: give it in another unit")
    if abs(number) >= 2**53 and not power and not _is_not_0(decimals) and int(whole) != number:
        raise ValueError(f"no float is this whole number: the nearest is {number:.0f}")
    return number


def _is_not_0(digits: str) -> bool:
    return any(map(int, filter(str.isdecimal, digits)))


def plain_number(number: Number) -> Any:
    """A number as JSON has it; what JSON has not, as text: fractions, symbols, inf and nan."""
    number = python_number(number)
    plain_one = isinstance(number, int) or (isinstance(number, float) and math.isfinite(number))
    return number if plain_one else format_number(number, 17)


def counted(count: int, what: str, several: str = "") -> str:
    """So many of what it is; ``several`` where its plural has more than an s.

    >>> counted(1, "path"), counted(2, "path"), counted(3, "class", "classes")
    ('1 path', '2 paths', '3 classes')
    """
    return f"{printed(count)} {what if count == 1 else several or what + 's'}"


_ASCII = str.maketrans({"Δ": "D", "η": "eta", "²": "^2", "Σ": "sum", "·": "*", "×": "x", "−": "-", "±": "+-", "█": "#", "→": "->"})  # fmt: skip


def plain(text: str, *, ascii_only: bool) -> str:
    """The text with its few signs beyond ASCII spelled out, where a terminal cannot show them.

    >>> plain("Σ 2 · 3", ascii_only=True)
    'sum 2 * 3'
    """
    return text.translate(_ASCII) if ascii_only else text


def takes_signs(stream: object) -> bool:
    """Whether a stream takes what is beyond ASCII, so that `plain` need not spell it out."""
    encoding = (getattr(stream, "encoding", None) or "ascii").lower().replace("-", "")
    return encoding.startswith("utf")
