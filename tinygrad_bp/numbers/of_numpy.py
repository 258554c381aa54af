"""NumPy's floats; imported only where one of them was given."""

from __future__ import annotations

from tinygrad_bp.errors import ExactnessError
from tinygrad_bp.numbers.families import family_of
from tinygrad_bp.numbers.floats import (
    EXTENDED,
    ieee_sum,
    nearer_root,
)
from tinygrad_bp.numbers.kernels import Arithmetic
from tinygrad_bp.numbers.of_python import knows_all_types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from tinygrad_bp.numbers.kernels import Number
    from tinygrad_bp.table.rules import Rule

_LOADED: dict[Any, Arithmetic] = {}


def numpy_numbers(kinds: Iterable[type]) -> Arithmetic:
    """The arithmetic of the type that NumPy's floats among these meet in; a plain number adapts itself to it."""
    import numpy as np

    real = np.result_type(*(kind for kind in kinds if issubclass(kind, np.floating))).type
    if real not in _LOADED:
        _LOADED[real] = _numbers(real)
    return _LOADED[real]


def _numbers(real: Any) -> Arithmetic:
    """NumPy's floats that meet in one of their types: all are read as that."""
    import numpy as np

    def typed(name: str) -> Callable[..., Any]:
        """NumPy's function, or that of floats made to keep the type; plain numbers stay plain.

        Of float64 it is always that of floats: its last bits are then those that the tests measure.
        """
        plain_one: Any = EXTENDED[name]
        numpys = getattr(np, name, None)

        def function(*operands: Number) -> Number:
            if not any(isinstance(each, np.generic) for each in operands):
                return plain_one(*operands)
            if isinstance(numpys, np.ufunc) and real is not np.float64:
                return numpys(*operands)
            if np.finfo(real).nmant > np.finfo(float).nmant:
                raise ExactnessError(
                    f"{name} of {real.__name__} is known to the digits of a float only: use float(...) "
                    "or an mpmath number"
                )
            if not all(isinstance(each, (np.generic, float, int)) for each in operands):
                raise TypeError("they are no floats")
            return real(plain_one(*map(float, operands)))

        return function

    def added(numbers: list[Number]) -> Number:
        if {*map(type, numbers)} <= {np.float64, float}:
            return np.float64(ieee_sum(numbers))
        return sum(numbers)

    largest = int(np.finfo(real).max)

    def reads(rule: Rule) -> Callable[[Number], bool]:
        fractions_too = not knows_all_types(rule)

        def read(operand: Number) -> bool:
            """A narrow operand would make the derivatives narrow, where the result is not."""
            if isinstance(operand, np.floating):
                return type(operand) is not real
            family = family_of(type(operand))
            if family in ("int", "fractions") and abs(operand) > largest:  # NumPy makes it inf
                raise OverflowError(
                    f"{type(operand).__name__} too large to convert to {real.__name__}"
                )
            return fractions_too and family == "fractions"

        return read

    def has_digits(x: Any) -> bool:
        tiniest = np.finfo(getattr(x, "dtype", float)).smallest_normal
        return bool(tiniest <= abs(x) < np.inf)

    def nearer_cbrt(x: Number) -> Number:
        root = numpys_cbrt(x)
        return root if real is np.float64 or not isinstance(x, np.generic) else nearer_root(root, x)

    numpys_cbrt = typed("cbrt")
    of_any_type = ("inf", "nan", "pi", "abs", "lost", "dot")
    own = {
        **{name: each if name in of_any_type else typed(name) for name, each in EXTENDED.items()},
        "cbrt": nearer_cbrt,
        "normal": has_digits,
        "relu": lambda x: type(x)(0) if x <= 0 else x,
        "fsum": added,
        "pow": pow,
    }
    return Arithmetic("numpy", own, reads=reads, convert=real, result=real)
