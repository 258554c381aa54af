"""What each number type can do, and how types meet.

Data is never coerced: a ``Fraction`` stays one, and where a type cannot do an operation exactly it is
refused.  Third-party modules are imported only where the data already comes from them.

This room may not know `Value` or the graph.
"""

from __future__ import annotations

import math

from tinygrad_bp.errors import (
    ArgumentError,
    BackpropError,
    DataError,
    DomainError,
    ExactnessError,
    NumberRangeError,
)
from tinygrad_bp.floats import BARE, EXTENDED, dot, ieee_sum, is_nan, lost, named, nearer_root
from tinygrad_bp.kernels import Arithmetic
from tinygrad_bp.quoting import quoted
from tinygrad_bp.rules import RULES, Rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from typing import Any

    from tinygrad_bp.kernels import Number

PLAIN = {float, int}
"""The types of nearly all numbers there are, which need no further look."""

_EXACT = {
    "inf": math.inf,
    "nan": math.nan,
    "abs": abs,
    "normal": lambda x: x not in (0, -math.inf, math.inf),  # elsewhere no digits are lost
    "lost": lambda x, y: 0,  # noqa: ARG005
    "fsum": sum,
    "dot": dot,
}


def _whole(literal: float) -> float:
    return int(literal) if float(literal).is_integer() else literal


def _exact_power(base: Number, exponent: Number) -> Number:
    power = base**exponent
    if isinstance(power, float):
        raise ExactnessError("it has no exact value: use a whole exponent, or float(...)")
    return power


BARE_FLOAT = Arithmetic("float", BARE)
"""Floats through ``math`` alone, which raises at every corner: the quick way through a row."""


def _knows_all_types(rule: Rule) -> bool:
    """Whether the operation itself knows how types meet, as the operators of Python do."""
    exact = rule.exact and rule.name != "**"
    return exact or rule.variadic or not rule.written


def _float_reads(rule: Rule) -> Callable[[Number], bool] | None:
    if _knows_all_types(rule):
        return None
    return lambda operand: not isinstance(operand, (float, int))


FLOAT = Arithmetic("float", EXTENDED, reads=_float_reads, convert=float)

INT = Arithmetic(
    "int",
    {**EXTENDED, "fsum": sum, "pow": pow},
    literal=_whole,
    derivatives={  # of numbers that may be too large for a float, in quotients of whole numbers
        "/": ("1.0 / y", "-x / (y * y)"),
        "log2": ("1.0 / x / log(2.0)",),
        "log10": ("1.0 / x / log(10.0)",),
    },
)


def _fraction() -> Arithmetic:
    from fractions import Fraction

    return Arithmetic("Fraction", {**_EXACT, "pow": _exact_power}, literal=Fraction)


def _decimal() -> Arithmetic:
    from decimal import Decimal

    own = {
        **_EXACT,
        "inf": Decimal("inf"),
        "nan": Decimal("nan"),
        "exp": lambda x: Decimal(x).exp(),
        "log": lambda x: Decimal(x).ln(),
        "log10": lambda x: Decimal(x).log10(),
        "sqrt": lambda x: Decimal(x).sqrt(),
        "pow": lambda x, y: x**y if x != 0 or y != 0 else Decimal(1),  # as all other types have it
    }

    def reads(rule: Rule) -> Callable[[Number], bool] | None:
        if rule.variadic or not rule.written:
            return None
        return lambda operand: isinstance(operand, int)

    def missing(number: Number) -> bool:
        return number.is_nan() if isinstance(number, Decimal) else is_nan(number)

    derivatives = {"sigmoid": ("out * sigmoid(-x)",)}  # there is no cosh
    return Arithmetic(
        "Decimal",
        own,
        literal=Decimal.from_float,  # Decimal(0.5) is an error where the user's context traps floats
        reads=reads,
        convert=Decimal,
        missing=missing,
        derivatives=derivatives,
    )


def _mpf(number: Any) -> Number:
    from mpmath import mp

    return mp.convert(number)


def _mpmath() -> Arithmetic:
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
        **_EXACT,
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


def _sympy() -> Arithmetic:
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
        **_EXACT,
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
        if _knows_all_types(rule):
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


def _numpy_kind(kinds: Iterable[type]) -> Any:
    """The type that NumPy's floats among these meet in; a plain number adapts itself to it."""
    import numpy as np

    return np.result_type(*(kind for kind in kinds if issubclass(kind, np.floating))).type


def _numpy(real: Any) -> Arithmetic:
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
        fractions_too = not _knows_all_types(rule)

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


# The later a type stands here, the more of the others it takes into itself.
_LOADERS: dict[str, Callable[..., Arithmetic]] = {
    "int": lambda: INT,
    "fractions": _fraction,
    "float": lambda: FLOAT,
    "decimal": _decimal,
    "numpy": _numpy,
    "mpmath": _mpmath,
    "sympy": _sympy,
}
_RANKS = {name: rank for rank, name in enumerate(_LOADERS)}
_LOADED: dict[tuple[Any, ...], Arithmetic] = {}
_MET: dict[frozenset[type], Arithmetic] = {}  # in which the types met that were seen so far
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


def arithmetic_of(numbers: tuple[Number, ...] | list[Number]) -> Arithmetic:
    """The arithmetic in which numbers of these types meet, as they would in Python itself.

    >>> arithmetic_of([1, 2.0]).name, arithmetic_of([1, 2]).name
    ('float', 'int')
    """
    kinds = frozenset(map(type, numbers))
    if kinds not in _MET:
        families = {*map(family_of, kinds)}
        family = max(families, key=_RANKS.__getitem__)
        of = (_numpy_kind(kinds),) if family == "numpy" else ()
        if (family, *of) not in _LOADED:
            _LOADED[family, *of] = _LOADERS[family](*of)
        _MET[kinds] = _LOADED[family, *of]
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
