"""sympy's numbers and symbols; imported only where one of them was given."""

from __future__ import annotations

from tinygrad_bp.numbers.families import family_of
from tinygrad_bp.numbers.floats import (
    dot,
    is_nan,
    named,
)
from tinygrad_bp.numbers.kernels import Arithmetic
from tinygrad_bp.numbers.of_python import EXACT, knows_all_types
from tinygrad_bp.table.rules import RULES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tinygrad_bp.numbers.kernels import Number
    from tinygrad_bp.table.rules import Rule


def sympy_numbers() -> Arithmetic:
    """The arithmetic of sympy's numbers and symbols."""
    import sympy

    def choose(test: Any, body: Callable[[], Any], orelse: Callable[[], Any]) -> Any:
        if test in (True, False):
            return body() if test else orelse()
        return sympy.Piecewise((body(), test), (orelse(), True))

    def joined(join: Callable[..., Any], *, settled: bool) -> Callable[..., Any]:
        def tested(*tests: Callable[[], Any]) -> Any:
            met: list[Any] = []
            for test in tests:
                met.append(test())
                if met[-1] == settled:  # as in Python, what comes after it is not asked
                    break
            return join(*met)

        return tested

    def less(a: Any, b: Any) -> Any:
        """Whether it is less; a symbol stands for a finite number."""
        a, b = map(sympy.sympify, (a, b))
        finite = (a == -sympy.oo and not b.is_number) or (b == sympy.oo and not a.is_number)
        return sympy.true if finite else sympy.Lt(a, b)

    def normal(x: Any) -> bool:  # by what it is: Float(0.0) == 0 is False
        x = sympy.sympify(x)
        return not (x.is_zero or x.is_infinite)

    def log(x: Any) -> Any:  # of a negative number not the complex one
        x = sympy.sympify(x)
        return sympy.nan if x.is_number and x.is_negative else sympy.log(x)

    own = {
        "choose": choose,
        "Gt": sympy.Gt,
        "GtE": sympy.Ge,
        "Lt": less,
        "LtE": sympy.Le,
        "Eq": sympy.Eq,
        "NotEq": sympy.Ne,
        "And": joined(sympy.And, settled=False),
        "Or": joined(sympy.Or, settled=True),
        **EXACT,
        "inf": sympy.oo,
        "nan": sympy.nan,
        "pi": sympy.pi,
        "abs": sympy.Abs,
        "normal": normal,
        "pow": pow,
        **named(
            sympy,
            "exp sqrt sin cos tan arcsin arccos arctan arctan2 "
            "sinh cosh tanh arcsinh arccosh arctanh erf erfc",
        ),
        "expm1": lambda x: sympy.exp(x) - 1,
        "log1p": lambda x: sympy.log(1 + x),
        "log2": lambda x: sympy.log(x, 2),
        "cbrt": lambda x: sympy.sign(x) * sympy.cbrt(sympy.Abs(x)),  # not the complex one
        "log": log,
        "log10": lambda x: sympy.log(x, 10),
        "hypot": lambda x, y: sympy.sqrt(x * x + y * y),
        "gaussian": lambda x: sympy.exp(-x * x),
        "sigmoid": lambda x: 1 / (1 + sympy.exp(-x)),
        "softplus": lambda x: sympy.log(1 + sympy.exp(x)),
        "fsum": lambda x: sympy.Add(*x),
        "dot": dot,
    }

    def reads(rule: Rule) -> Callable[[Number], bool] | None:
        if knows_all_types(rule):
            return None
        known = ("sympy", "mpmath") if rule.exact else ("sympy",)
        return lambda operand: family_of(type(operand)) not in known

    # Only a number that is 0 or infinite is known not to be normal, and is treated as in the table.
    base, exponent = RULES["**"].derivatives
    derivatives = {
        "**": (
            f"y * pow(x, y - 1.0) if normal(x) else {base}",
            f"out * log(x) if normal(x) else {exponent}",
        ),
        "arcsin": ("1.0 / sqrt(1.0 - square(x)) if normal(1.0 - square(x)) else inf",),
        "arccos": ("-1.0 / sqrt(1.0 - square(x)) if normal(1.0 - square(x)) else -inf",),
        "arctan": ("1.0 / (1.0 + square(x))",),
        "arctanh": ("1.0 / (1.0 - square(x))",),
        "tanh": ("square(1.0 / cosh(x))",),
        "hypot": tuple(
            f"{name} / out if normal(out) else {listed}"
            for name, listed in zip("xy", RULES["hypot"].derivatives, strict=True)
        ),
        "sigmoid": ("out * sigmoid(-x)",),
    }
    return Arithmetic(
        "sympy",
        own,
        literal=sympy.Rational,
        reads=reads,
        convert=sympy.sympify,
        missing=lambda x: x is sympy.nan or is_nan(x),  # or another type's
        derivatives=derivatives,
        symbolic=True,
    )
