"""Which numbers there are, and in which type they meet.

Data is never coerced: a ``Fraction`` stays one, and where a type cannot do an operation exactly it is
refused.  Third-party modules are imported only where the data already comes from them.

This module may not know `Value` or the graph.
"""

from __future__ import annotations

from tinygrad_bp.errors import (
    BackpropError,
    DataError,
    DomainError,
    ExactnessError,
    NumberRangeError,
)
from tinygrad_bp.numbers.families import family_of
from tinygrad_bp.numbers.of_python import FLOAT, INT, decimal, fraction

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from tinygrad_bp.numbers.kernels import Arithmetic, Number


def _load(family: str) -> Arithmetic:
    if family == "mpmath":
        from tinygrad_bp.numbers.of_mpmath import mpmath_numbers

        return mpmath_numbers()
    if family == "sympy":
        from tinygrad_bp.numbers.of_sympy import sympy_numbers

        return sympy_numbers()
    return fraction() if family == "fractions" else decimal()


_FAMILIES = ("int", "fractions", "float", "decimal", "numpy", "mpmath", "sympy")
"""The later a type stands here, the more of the others it takes into itself."""

_LOADED = {"int": INT, "float": FLOAT}
_MET: dict[frozenset[type], Arithmetic] = {}  # in which the types met that were seen so far


def arithmetic_of(numbers: tuple[Number, ...] | list[Number]) -> Arithmetic:
    """The arithmetic in which numbers of these types meet, as they would in Python itself.

    >>> arithmetic_of([1, 2.0]).name, arithmetic_of([1, 2]).name
    ('float', 'int')
    """
    kinds = frozenset(map(type, numbers))
    if kinds not in _MET:
        families = {*map(family_of, kinds)}
        family = max(families, key=_FAMILIES.index)
        if family == "numpy":
            from tinygrad_bp.numbers.of_numpy import numpy_numbers

            _MET[kinds] = numpy_numbers(kinds)
        else:
            if family not in _LOADED:
                _LOADED[family] = _load(family)
            _MET[kinds] = _LOADED[family]
    return _MET[kinds]


class meeting:  # noqa: N801 - read as a verb
    """Errors of plain numbers that cannot be multiplied or added come out as ours, for a block.

    Args:
        what: what is being done; asked for only where it fails.
        way_out: what to do instead, where types do not go together.

    >>> with meeting(lambda: "the sum"):
    ...     0.5 + 10**400
    Traceback (most recent call last):
        ...
    tinygrad_bp.errors.NumberRangeError: the sum: int too large to convert to float; use floats, or smaller exact numbers
    """

    __slots__ = ("way_out", "what")

    def __init__(
        self,
        what: Callable[[], str],
        way_out: str = "give the leaves numbers of one type, and a grad of 0 to start from",
    ) -> None:
        self.what = what
        self.way_out = way_out

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, BackpropError):
            return
        if isinstance(error, TypeError):
            raise DataError(f"{self.what()}: {error}; {self.way_out}") from None
        if isinstance(error, ArithmeticError):
            if type(error).__module__ == "decimal":
                raise trapped(error, self.what()) from None
            raise NumberRangeError(
                f"{self.what()}: {error}; use floats, or smaller exact numbers"
            ) from None


def trapped(error: BaseException, what: str) -> BackpropError:
    """Our error for a signal of the decimal module: what it means, and the way out."""
    signal = type(error).__name__
    kinds = {"Overflow": NumberRangeError, "Inexact": ExactnessError, "Rounded": ExactnessError}
    return kinds.get(signal, DomainError)(
        f"{what}: decimal's context traps {signal}; give it other limits, as in "
        "decimal.localcontext(), or use mpmath"
    )
