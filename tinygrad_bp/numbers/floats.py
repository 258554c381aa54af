"""The functions of floats that the table names: those of ``math``, and those that it has not.

Some of them are nearer to the truth than what the library of C has.  What ``math`` refuses because it
is too large is an infinity in `EXTENDED`, as IEEE 754 has it.  This module may not know any other number
type, nor the table.
"""

from __future__ import annotations

import math
from operator import mul

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any


def gaussian(x: float) -> float:
    """``exp(-x*x)`` to the last place: the rounding of ``x*x`` would be magnified ``x*x`` times.

    >>> gaussian(26.5) == 1.0392022621430825e-305
    True
    """
    if not abs(x) < 28.0:  # the result is 0, or nan
        return math.exp(-x * x)
    head = round(x * 2.0**20) / 2.0**20  # few enough bits for head * head to be exact
    near = math.exp(-head * head)
    return near + near * math.expm1(-(x - head) * (x + head))


def ndtr(x: float) -> float:
    """``erfc(-x / sqrt(2)) / 2`` to the last places.

    The tail magnifies the rounding of its operand ``x*x`` times, so what was rounded off there is
    put back, by the derivative.

    >>> math.isclose(ndtr(-36.0), 4.182624065797283e-284, rel_tol=1e-15)
    True
    """
    root, root_low = 1.4142135679721832, -5.599088178737374e-09  # sqrt(2), the first in 26 bits
    z = -x / math.sqrt(2.0)
    if not 1.0 < z < 28.0:
        return math.erfc(z) / 2.0
    head = round(z * 2.0**20) / 2.0**20  # few enough bits for head * root to be exact
    rest = (-x - head * root - (z - head) * root - z * root_low) / math.sqrt(2.0)
    return math.erfc(z) / 2.0 - rest * gaussian(z) / math.sqrt(math.pi)


def cbrt(x: float) -> float:
    """The cube root: `math.cbrt`, which on some systems is off by 3 ulps, and a step of Newton's.

    >>> cbrt(-27.0), cbrt(-0.0)
    (-3.0, -0.0)
    """
    return float(nearer_root(math.cbrt(x), x))


def nearer_root(root: Any, x: Any) -> Any:
    """A step of Newton's from a cube root that is near, in the type of the numbers."""
    if not 0.0 < abs(root) < math.inf:
        return root
    return root - (root - x / root / root) / 3.0


def normal(x: float) -> bool:
    """Whether a float has all its digits: it is neither subnormal nor 0, infinite or nan.

    >>> normal(2.0**-1022), normal(2.0**-1023), normal(0.0), normal(math.inf)
    (True, False, False, False)
    """
    return 2.0**-1022 <= abs(x) < math.inf


def lost(x: float, y: float) -> float:
    """What ``x - y`` loses to rounding, exactly: Knuth's two-sum.

    >>> lost(1.0, 2.0**-60) == -(2.0**-60)
    True
    """
    difference = x - y
    back = difference - x
    if not abs(back) < math.inf:  # nor is it of two numbers next to overflow
        return 0.0
    return (x - (difference - back)) - (y + back)


def is_nan(x: Any) -> bool:
    """Whether a number of any type is nan, which alone is not itself.

    >>> is_nan(math.nan), is_nan(math.inf)
    (True, False)
    """
    return bool(x != x)  # noqa: PLR0124


def dot(w: Sequence[Any], x: Sequence[Any]) -> Any:
    """``sum_k w_k x_k``, in the type of the numbers."""
    return sum(map(mul, w, x))


_SPELT = {"arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctan2": "atan2", "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh"}  # fmt: skip


def named(module: Any, names: str) -> dict[str, Any]:
    """A module's functions by the names of the table, which spells some of them as NumPy does."""
    return {name: getattr(module, _SPELT.get(name, name)) for name in names.split()}


_MATH = named(
    math,
    "exp expm1 log log1p log2 log10 sqrt pow sin cos tan arcsin arccos arctan arctan2 "
    "sinh cosh tanh arcsinh arccosh arctanh hypot erf erfc",
)
"""Those of ``math`` as they are: they raise at every corner."""

_OURS = {
    "inf": math.inf,
    "nan": math.nan,
    "pi": math.pi,
    "abs": abs,
    "normal": normal,
    "lost": lost,
    "cbrt": cbrt,
    "gaussian": gaussian,
    "ndtr": ndtr,
    "dot": dot,
}
"""What ``math`` has not, or not so near to the truth."""


def _ieee(function: Callable[..., float]) -> Callable[..., float]:
    """The function with the infinity that IEEE 754 has where ``math`` raises for a result too large."""

    def extended(*operands: float) -> float:
        try:
            return function(*operands)
        except OverflowError:
            x, *rest = map(float, operands)  # a whole number too large for that stays an error
            odd = function is math.sinh or (rest and rest[0] % 2.0 == 1.0)
            return -math.inf if odd and x < 0.0 else math.inf

    return extended


def ieee_sum(numbers: list[float]) -> float:
    """The sum rounded once, also where it is too large on the way, or infinite or nan in the end."""
    try:
        return math.fsum(numbers)
    except OverflowError:  # too large on the way, and perhaps not in the end
        return _exact_sum(numbers)
    except ValueError:  # inf - inf
        return math.nan


def _exact_sum(numbers: list[float]) -> float:
    from fractions import Fraction

    numbers = [*map(float, numbers)]  # a whole number too large for that stays an error
    if not all(map(math.isfinite, numbers)):
        return sum(each for each in numbers if not math.isfinite(each))
    total = sum(map(Fraction, numbers))
    try:
        return float(total)
    except OverflowError:
        return math.inf if total > 0 else -math.inf


def _sum_of_floats(numbers: Sequence[float]) -> float:
    """The sum rounded once.

    Raises:
        TypeError: not all of them are floats.
    """
    if {*map(type, numbers)} != {float}:
        raise TypeError("math.fsum would make floats of them")
    return math.fsum(numbers)


BARE = {**_MATH, **_OURS, "fsum": _sum_of_floats}
"""All of them, for floats away from the corners, where they raise."""

EXTENDED = {**{name: _ieee(each) for name, each in _MATH.items()}, **_OURS, "fsum": ieee_sum}
"""All of them, for every float there is."""
