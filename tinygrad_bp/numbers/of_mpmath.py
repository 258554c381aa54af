"""mpmath's numbers; imported only where one of them was given."""

from __future__ import annotations

from tinygrad_bp.numbers.floats import (
    lost,
    named,
)
from tinygrad_bp.numbers.kernels import Arithmetic
from tinygrad_bp.numbers.of_python import EXACT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tinygrad_bp.numbers.kernels import Number
    from tinygrad_bp.table.rules import Rule


def _mpf(number: Any) -> Number:
    from mpmath import mp

    return mp.convert(number)


def mpmath_numbers() -> Arithmetic:
    """The arithmetic of mpmath's numbers, with the digits that mpmath works with."""
    from mpmath import mp
    from mpmath.libmp import mpf_erfc

    def arctan2(x: Any, y: Any) -> Any:  # of infinity and nan mpmath has a number
        return mp.nan if mp.isnan(x) or mp.isnan(y) else mp.atan2(x, y)

    def erfc(x: Any) -> Any:  # far out mpmath's series overflows, and of nan it has 0
        if mp.isnan(x):
            return x
        return mp.erfc(x) if abs(x) < 2**64 else mp.mpf(2 if x < 0 else 0)

    def power(x: Any, y: Any) -> Any:  # of an infinite base, and of nan, not the complex one
        out = x**y
        if isinstance(out, mp.mpf):
            return out
        return mp.nan if mp.isnan(x) or mp.isnan(y) else abs(x) ** y

    def ndtr(x: Any) -> Any:
        if not -(2**64) < x < 0:
            return erfc(-x / mp.sqrt(2)) / 2
        # The tail magnifies the rounding of its operand x*x times.  To raise mpmath's precision for a
        # moment would raise it in all threads.
        more = mp.prec + 2 * max(0, mp.mag(x)) + 20
        operand = mp.fdiv(-x, mp.sqrt(2, prec=more), prec=more)
        return mp.make_mpf(mpf_erfc(operand._mpf_, mp.prec, "n")) / 2

    def arccosh(x: Any) -> Any:  # of nan not the complex one, and with its digits near 1
        if mp.isnan(x):
            return x
        return mp.log1p((x - 1) + mp.sqrt((x - 1) * (x + 1))) if x < 2 else mp.acosh(x)

    own = {
        **EXACT,
        "inf": mp.inf,
        "nan": mp.nan,
        "pi": mp.pi,
        "pow": power,
        **named(
            mp,
            "exp expm1 log log1p log10 sqrt sin cos tan arcsin arccos arctan "
            "sinh cosh tanh arcsinh arctanh hypot erf",
        ),
        "arctan2": arctan2,
        "arccosh": arccosh,
        "log2": lambda x: mp.log(x, 2),
        "cbrt": lambda x: mp.cbrt(x) if x >= 0 else -mp.cbrt(-x),  # not the complex one
        "gaussian": lambda x: mp.exp(mp.fmul(-x, x, exact=True)),
        "lost": lost,
        "ndtr": ndtr,
        "fsum": mp.fsum,
        "dot": mp.fdot,
        "erfc": erfc,
    }

    def reads(rule: Rule) -> Callable[[Number], bool] | None:
        return None if rule.variadic else lambda operand: type(operand) is not mp.mpf

    return Arithmetic("mpf", own, literal=mp.convert, reads=reads, convert=_mpf)
