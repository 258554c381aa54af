"""What each number type can do, and how a row of the table is turned into code for it.

An `Arithmetic` gives one number type's own functions and its own reading of the literals in the
table; `Arithmetic.kernel` compiles a row for it.  Data is never coerced: a ``Fraction`` stays one,
and where a type cannot do an operation exactly it is refused.  Third-party modules are imported
only where the data already comes from them.

Floats follow IEEE 754 where Python's ``math`` raises: a result too large is ``inf``.

This room may not know `Value` or the graph.
"""

from __future__ import annotations

import math
from operator import mul

from tinygrad_bp.errors import (
    BackpropError,
    DataError,
    DomainError,
    ExactnessError,
    ExpressionError,
    NumberRangeError,
)
from tinygrad_bp.rules import CONSTANTS, FUNCTION_NAMES, HELPERS, PARAMETERS, RULES, Rule, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from collections.abc import Callable, Iterable, Mapping
    from types import CodeType
    from typing import Any, TypeAlias

    Number: TypeAlias = Any
    """Anything that behaves as a real number: the types are open, so no closed union says it."""


def _one(*_: object) -> int:
    """The derivative of a conversion; pickle finds it by its name."""
    return 1


class Arithmetic:
    """One number type: its functions, its literals, and the rows compiled for it.

    Args:
        name: the type, as a message names it.
        own: its own functions and constants, by the names that the table uses.
        literal: reads a float literal of the table as this type; ``None`` leaves it a float.
        reads: for a row, whether it takes an operand that meets this type as one of this type.  The
            answer may not hold on to the row, whose compiled form holds the answer.
        convert: makes one of this type of it; a function that pickle finds by its name.
        missing: whether a number is a nan that refuses to be compared.
        derivatives: those of some rows as this type has them, without the branches that keep floats
            in range; by the name of the row.
        symbolic: comparisons may stay undecided, as those of symbols do.
    """

    def __init__(
        self,
        name: str,
        own: Mapping[str, Any],
        *,
        literal: Callable[[float], Number] | None = None,
        reads: Callable[[Rule], Callable[[Number], bool]] | None = None,
        convert: Callable[[Any], Number] | None = None,
        missing: Callable[[Number], bool] | None = None,
        derivatives: Mapping[str, tuple[str, ...]] | None = None,
        symbolic: bool = False,
    ) -> None:
        self.name = name
        self.symbolic = symbolic
        self.own = own
        self.literal = literal
        self.conversion = Rule("identity", convert, (_one,)) if convert else None
        self._reads = reads
        self._convert = convert
        self.missing = missing
        self.derivatives = derivatives or {}
        self._namespace: dict[str, Any] = {"zip": zip}

    def kernel(self, rule: Rule, wrt: tuple[int, ...]) -> Callable[..., tuple[Number, ...]]:
        """The row as one function of the operands: the value, then the derivatives asked for.

        Args:
            rule: a row of the table, or a user's own.
            wrt: the operands to differentiate for, by position.  For a variadic row the operands
                are whole lists, and so are the derivatives.

        Raises:
            ExactnessError: when called, where this type cannot do the operation.
        """
        try:
            return rule.compiled[self, wrt]
        except KeyError:
            kernel = rule.compiled[self, wrt] = self._reading(rule, self._build(rule, wrt))
            return kernel

    def _reading(self, rule: Rule, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, given each of its operands as this type reads it."""
        conversion = rule.derivatives == (_one,)  # reads for itself
        if self._reads is None or self._convert is None or rule.variadic or conversion:
            return function
        reads, convert = self._reads(rule), self._convert
        return lambda *operands: function(
            *[convert(each) if reads(each) else each for each in operands]
        )

    def read(self, rule: Rule, operand: Number) -> Number:
        """The operand as an operation in this type takes it: of this type, where that is needed."""
        if self._reads is None or self._convert is None or not self._reads(rule)(operand):
            return operand
        return self._convert(operand)

    def at_nan(self, rule: Rule, numbers: Iterable[Number]) -> bool:
        """Whether an operand is a nan that the row could not compare."""
        return self.missing is not None and rule.written and any(map(self.missing, numbers))

    def _build(self, rule: Rule, wrt: tuple[int, ...]) -> Callable[..., tuple[Number, ...]]:
        parameters = PARAMETERS[: rule.arity]
        value = self.value_of(rule)
        chosen = [self.derivative_of(rule, slot) for slot in wrt]
        if all(isinstance(each, str) for each in (value, *chosen)):
            body = ", ".join([f"(out := ({value}))", *(f"({each})" for each in chosen)])
            return self._function(parameters, f"({body},)")
        function = self._callable(value, parameters)
        derivatives = [self.derivative(rule, slot) for slot in wrt]

        def kernel(*operands: Number) -> tuple[Number, ...]:
            out = function(*operands)
            return (out, *[derivative(*operands, out) for derivative in derivatives])

        return kernel

    def value_of(self, rule: Rule) -> str | Callable[..., Any]:
        """The row's value, or a call of this type's own function of that name, which knows better."""
        if rule.name in self.own and rule.in_table:
            return f"{rule.name}({', '.join(PARAMETERS[: rule.arity])})"
        return rule.value

    def derivative_of(self, rule: Rule, slot: int) -> str | Callable[..., Any]:
        """The row's derivative for an operand, or this type's own.

        That of a variadic row, written for one element, becomes one of whole lists.
        """
        listed = (rule.in_table and self.derivatives.get(rule.name)) or rule.derivatives
        derivative, parameters = listed[slot], PARAMETERS[: rule.arity]
        if not rule.variadic or derivative in parameters:  # a parameter is a list as it is
            return derivative
        each = ", ".join(parameters)
        return f"[{derivative} for {each} in {f'zip({each})' if rule.arity > 1 else each}]"

    def derivative(self, rule: Rule, slot: int) -> Callable[..., Any]:
        """One derivative of the row, as a function of the operands and then the output.

        For a variadic row the operands are whole lists, and so is the derivative.
        """
        if (self, slot) not in rule.compiled:
            parameters = (*PARAMETERS[: rule.arity], "out")
            rule.compiled[self, slot] = self._callable(self.derivative_of(rule, slot), parameters)
        return rule.compiled[self, slot]

    def in_domain(self, rule: Rule, operands: tuple[Number, ...]) -> bool:
        """Whether the operation has a value at the operands; nan meets every condition on it."""
        if not rule.domain:
            return True
        if (self, "domain") not in rule.compiled:
            parameters = tuple(name for name in PARAMETERS if name in rule.asks)
            places = [*map(PARAMETERS.index, parameters)]
            domain = self._reading(rule, self._function(parameters, rule.domain))
            missing = self.missing or (lambda x: x != x)  # noqa: PLR0124 - nan
            rule.compiled[self, "domain"] = lambda *given: (
                any(missing(given[k]) for k in places) or domain(*[given[k] for k in places])
            )
        try:
            inside = rule.compiled[self, "domain"](*operands)
        except ZeroDivisionError:  # in the condition itself
            return False
        return bool(inside) if not self.symbolic else inside != False  # noqa: E712 - undecided is inside

    def _callable(
        self, text: str | Callable[..., Any], parameters: tuple[str, ...]
    ) -> Callable[..., Any]:
        return self._function(parameters, text) if isinstance(text, str) else text

    def _function(self, parameters: tuple[str, ...], text: str) -> Callable[..., Any]:
        """Compile an expression of the table; its names are looked up in this type's functions."""
        source: Any = f"lambda {', '.join(parameters)}: {text}"
        if self.literal or self.symbolic:
            source = self._translate(source)
        code = compile(source, f"<{self.name}: {text}>", "eval")
        for name in _global_names(code):
            if name not in self._namespace:
                self._namespace[name] = self._lookup(name)
        return eval(code, self._namespace)  # type: ignore[no-any-return]  # noqa: S307 - a row, or a primitive its user wrote

    def define(
        self, source: str, names: Mapping[str, Any], *, title: str
    ) -> dict[str, Callable[..., Any]]:
        """Compile definitions of functions in which a row is written out; the functions by name.

        Args:
            source: the text of the definitions.
            names: what they refer to beyond Python's own names and this type's functions.
            title: what a traceback calls them.
        """
        code = compile(source, f"<{self.name}: {title}>", "exec")
        namespace = dict(names)
        for name in _global_names(code) & (self.own.keys() | RULES.keys()):
            namespace[name] = self._lookup(name)
        exec(code, namespace)  # noqa: S102 - as eval below
        return namespace

    def _lookup(self, name: str) -> Any:
        if name in self.own:
            return self.own[name]
        rule = RULES.get(name)
        if rule and isinstance(rule.value, str) and not rule.value.startswith(f"{name}("):
            return self._function(PARAMETERS[: rule.arity], rule.value)

        def refused(*_: Number) -> Number:
            raise ExactnessError(
                f"{name} has no exact value of type {self.name}: use float(...) or an mpmath or "
                "sympy number"
            )

        return refused

    def _translate(self, source: str) -> ast.Expression:
        """The expression with its literals read as this type; for symbols, undecided tests stay."""
        import ast  # a first gradient in floats does not need it

        arithmetic = self

        class Translate(ast.NodeTransformer):
            def visit_Constant(self, node: ast.Constant) -> ast.expr:
                if arithmetic.literal is None:
                    return node
                name = repr(node.value)
                arithmetic._namespace[name] = arithmetic.literal(node.value)  # type: ignore[arg-type]
                return ast.Name(name, ast.Load())

            def visit_Name(self, node: ast.Name) -> ast.expr:
                refused = node.id in CONSTANTS and node.id not in arithmetic.own
                return self._call(node.id) if refused else node

            def _call(self, name: str, *arguments: ast.expr) -> ast.expr:
                return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])

            def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
                self.generic_visit(node)
                if not arithmetic.symbolic:
                    return node
                nothing = ast.arguments([], [], None, [], [], None, [])
                branches = (ast.Lambda(nothing, each) for each in (node.body, node.orelse))
                return self._call("choose", node.test, *branches)

            def visit_Compare(self, node: ast.Compare) -> ast.expr:
                self.generic_visit(node)
                if not arithmetic.symbolic:
                    return node
                sides = [node.left, *node.comparators]
                tests = [
                    self._call(type(test).__name__, *sides[place : place + 2])
                    for place, test in enumerate(node.ops)
                ]
                return tests[0] if len(tests) == 1 else self._call("And", *tests)

            def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
                self.generic_visit(node)
                if not arithmetic.symbolic:
                    return node
                return self._call(type(node.op).__name__, *node.values)

        tree = Translate().visit(ast.parse(source, mode="eval"))
        return ast.fix_missing_locations(tree)  # type: ignore[no-any-return]


def _global_names(code: CodeType) -> set[str]:
    inner = (each for each in code.co_consts if hasattr(each, "co_names"))
    return set(code.co_names).union(*map(_global_names, inner))


def gaussian(x: float) -> float:
    """``exp(-x*x)`` to the last place: the rounding of ``x*x`` would be magnified ``x*x`` times.

    >>> gaussian(26.5) == 1.0392022621430825e-305
    True
    """
    if not abs(x) < 28.0:  # the result is 0, or nan
        return math.exp(-x * x)
    head = round(x * 64.0) / 64.0  # few enough bits for head * head to be exact
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
    return float(_nearer_root(math.cbrt(x), x))


def _nearer_root(root: Any, x: Any) -> Any:
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
    if not abs(difference) < math.inf:
        return 0.0
    back = difference - x
    if not abs(back) < math.inf:  # of two numbers next to overflow
        return 0.0
    return (x - (difference - back)) - (y + back)


def _dot(w: list[Number], x: list[Number]) -> Number:
    return sum(map(mul, w, x))


_SPELT = {"arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctan2": "atan2", "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh"}  # fmt: skip


def _named(module: Any, names: str) -> dict[str, Any]:
    """A module's functions by the names of the table, which spells some of them as NumPy does."""
    return {name: getattr(module, _SPELT.get(name, name)) for name in names.split()}


_MATH = _named(
    math,
    "exp expm1 log log1p log2 log10 sqrt pow sin cos tan arcsin arccos arctan arctan2 "
    "sinh cosh tanh arcsinh arccosh arctanh hypot erf erfc",
)

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
    "dot": _dot,
}

_EXACT = {
    "inf": math.inf,
    "nan": math.nan,
    "abs": abs,
    "normal": lambda x: x not in (0, -math.inf, math.inf),  # elsewhere no digits are lost
    "lost": lambda x, y: 0,  # noqa: ARG005
    "fsum": sum,
    "dot": _dot,
}


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


def _ieee_sum(numbers: list[float]) -> float:
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


def _whole(literal: float) -> float:
    return int(literal) if float(literal).is_integer() else literal


def _exact_power(base: Number, exponent: Number) -> Number:
    power = base**exponent
    if isinstance(power, float):
        raise ExactnessError("it has no exact value: use a whole exponent, or float(...)")
    return power


_EXTENDED = {**{name: _ieee(each) for name, each in _MATH.items()}, **_OURS, "fsum": _ieee_sum}


def _sum_of_floats(numbers: list[float]) -> float:
    if {*map(type, numbers)} != {float}:
        raise TypeError("math.fsum would make floats of them")
    return math.fsum(numbers)


BARE_FLOAT = Arithmetic("float", {**_MATH, **_OURS, "fsum": _sum_of_floats})
"""Floats through ``math`` alone, which raises at every corner: the quick way through a row."""

_WHOLE = frozenset(
    ["+", "-", "*", "/", "**", "neg", "abs", "square", "maximum", "minimum", "identity", "relu"]
)
"""The rows that are the same operation on exact numbers, and leave them exact where they can."""


def _keeps_exact(rule: Rule) -> bool:
    return rule.in_table and rule.name in _WHOLE


def _none(_: Number) -> bool:
    return False


def _float_reads(rule: Rule) -> Callable[[Number], bool]:
    if not rule.written or (_keeps_exact(rule) and rule.name != "**"):
        return _none
    return lambda operand: not isinstance(operand, (float, int))


FLOAT = Arithmetic("float", _EXTENDED, reads=_float_reads, convert=float)

INT = Arithmetic("int", {**_EXTENDED, "fsum": sum, "pow": pow}, literal=_whole)


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

    def reads(rule: Rule) -> Callable[[Number], bool]:
        if not rule.written:
            return _none
        return lambda operand: _family(type(operand)) in ("int", "numpy integer")

    def missing(number: Number) -> bool:
        return bool(number.is_nan() if isinstance(number, Decimal) else number != number)  # noqa: PLR0124

    derivatives = {"sigmoid": ("out * sigmoid(-x)",)}  # there is no cosh
    return Arithmetic(
        "Decimal",
        own,
        literal=Decimal.from_float,  # Decimal(0.5) is an error where the user's context traps floats
        reads=reads,
        convert=_whole_decimal,
        missing=missing,
        derivatives=derivatives,
    )


def _whole_decimal(number: Any) -> Number:
    from decimal import Decimal

    return Decimal(int(number))


def _mpf(number: Any) -> Number:
    from mpmath import mp

    return mp.convert(number)


def _mpmath() -> Arithmetic:
    from mpmath import mp

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
        with mp.extraprec(50):  # the tail magnifies the rounding of its operand x*x times
            tail = erfc(-x / mp.sqrt(2)) / 2
        return +tail

    own = {
        **_EXACT,
        "inf": mp.inf,
        "nan": mp.nan,
        "pi": mp.pi,
        "pow": power,
        **_named(
            mp,
            "exp expm1 log log1p log10 sqrt sin cos tan arcsin arccos arctan "
            "sinh cosh tanh arcsinh arctanh hypot erf",
        ),
        "arctan2": arctan2,
        "arccosh": lambda x: x if mp.isnan(x) else mp.acosh(x),  # of nan not the complex one
        "log2": lambda x: mp.log(x, 2),
        "cbrt": lambda x: mp.cbrt(x) if x >= 0 else -mp.cbrt(-x),  # not the complex one
        "gaussian": lambda x: mp.exp(mp.fmul(-x, x, exact=True)),
        "ndtr": ndtr,
        "fsum": mp.fsum,
        "dot": mp.fdot,
        "erfc": erfc,
    }

    def reads(_: Rule) -> Callable[[Number], bool]:
        return lambda operand: type(operand) is not mp.mpf

    return Arithmetic("mpf", own, literal=mp.convert, reads=reads, convert=_mpf)


def _sympy() -> Arithmetic:
    import sympy

    def choose(test: Any, body: Callable[[], Any], orelse: Callable[[], Any]) -> Any:
        if test in (True, False):
            return body() if test else orelse()
        return sympy.Piecewise((body(), test), (orelse(), True))

    def less(a: Any, b: Any) -> Any:
        """Whether it is less; a symbol stands for a finite number."""
        a, b = map(sympy.sympify, (a, b))
        finite = (a == -sympy.oo and not b.is_number) or (b == sympy.oo and not a.is_number)
        return sympy.true if finite else sympy.Lt(a, b)

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
        "And": sympy.And,
        "Or": sympy.Or,
        **_EXACT,
        "inf": sympy.oo,
        "nan": sympy.nan,
        "pi": sympy.pi,
        "abs": sympy.Abs,
        "pow": pow,
        **_named(
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
        "dot": _dot,
    }

    def reads(rule: Rule) -> Callable[[Number], bool]:
        """Not by the operators, which know themselves how types meet."""
        if not rule.written or (_keeps_exact(rule) and rule.name != "**"):
            return _none
        known = ("sympy", "mpmath") if _keeps_exact(rule) else ("sympy",)
        return lambda operand: _family(type(operand)) not in known

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
        missing=lambda x: x is sympy.nan or x != x,  # noqa: PLR0124 - or another type's
        derivatives=derivatives,
        symbolic=True,
    )


def _numpy() -> Arithmetic:
    import numpy as np

    def typed(name: str) -> Callable[..., Any]:
        """NumPy's function, or one of floats made to keep the type; plain numbers stay plain."""
        plain_one: Any = _EXTENDED[name]
        numpys = getattr(np, name, None)

        def function(*operands: Number) -> Number:
            if not any(isinstance(each, np.generic) for each in operands):
                return plain_one(*operands)
            if isinstance(numpys, np.ufunc):  # of a uint8 it would be one in half precision
                return numpys(
                    *[np.float64(x) if isinstance(x, np.integer) else x for x in operands]
                )
            floats: list[Any] = [float(each) for each in operands]
            return np.result_type(*operands).type(plain_one(*floats))

        return function

    def added(numbers: list[Number]) -> Number:
        if {*map(type, numbers)} <= {np.float64, float}:
            return np.float64(_ieee_sum(numbers))
        return sum(numbers)

    def reads(rule: Rule) -> Callable[[Number], bool]:
        """A function of a whole number or a fraction is one of floats: a uint8 has no negative."""
        if _keeps_exact(rule):
            return (lambda each: _family(type(each)) == "fractions") if rule.name == "**" else _none
        return lambda operand: _family(type(operand)) in ("numpy integer", "fractions")

    def has_digits(x: Any) -> bool:
        if isinstance(x, np.integer):
            return bool(x != 0)
        tiniest = np.finfo(getattr(x, "dtype", float)).smallest_normal
        return bool(tiniest <= abs(x) < np.inf)

    def nearer_cbrt(x: Number) -> Number:
        root = functions["cbrt"](x)
        return _nearer_root(root, x) if isinstance(x, np.generic) else root

    functions = {name: typed(name) for name in _EXTENDED if callable(_EXTENDED[name])}
    own = {
        **_EXTENDED,
        **functions,
        "cbrt": nearer_cbrt,
        "abs": abs,
        "normal": has_digits,
        "lost": lost,
        "relu": lambda x: type(x)(0) if x <= 0 else x,
        "dot": _dot,
        "fsum": added,
        "pow": pow,
    }
    return Arithmetic("numpy", own, reads=reads, convert=np.float64)


# The later a type stands here, the more of the others it takes into itself.
_LOADERS: dict[str, Callable[[], Arithmetic]] = {
    "int": lambda: INT,
    "numpy integer": _numpy,
    "fractions": _fraction,
    "float": lambda: FLOAT,
    "decimal": _decimal,
    "numpy": _numpy,
    "mpmath": _mpmath,
    "sympy": _sympy,
}
_RANKS = {name: rank for rank, name in enumerate(_LOADERS)}
_LOADED: dict[str, Arithmetic] = {}
_BASES = {
    ("builtins", "float"): "float",
    ("builtins", "int"): "int",
    ("numpy", "integer"): "numpy integer",
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


def _family(kind: type) -> str:
    """The key of the number type in the table of loaders; empty where it is no number."""
    if kind not in _FAMILY:
        bases = [(str(base.__module__).partition(".")[0], base.__name__) for base in kind.__mro__]
        known = [_BASES[base] for base in bases if base in _BASES]
        _FAMILY[kind] = known[0] if known and kind.__name__ not in _REFUSED else ""
    return _FAMILY[kind]


TRUTH_VALUES = ("bool", "bool_", "BooleanTrue", "BooleanFalse")
"""The types of comparisons, by their names: NumPy's and sympy's need not be imported to be known."""


def is_number(data: object) -> bool:
    """Whether it can be the data of a Value, or a plain operand: a real number of a known type.

    >>> is_number(0.5), is_number(1), is_number(True), is_number("1"), is_number(1j)
    (True, True, False, False, False)
    """
    family = _family(type(data))
    if family == "sympy":  # whose expressions may be anything
        return data.is_extended_real is not False and data.is_commutative is True  # type: ignore[attr-defined]
    return family != ""


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
    raise DataError(f"{where} must be a real number, not {kind} {data!r:.60}: {way_out}")


def arithmetic_of(numbers: tuple[Number, ...] | list[Number]) -> Arithmetic:
    """The arithmetic in which numbers of these types meet, as they would in Python itself.

    >>> arithmetic_of([1, 2.0]).name, arithmetic_of([1, 2]).name
    ('float', 'int')
    """
    families = {_family(kind) for kind in {*map(type, numbers)}}
    family = max(families, key=_RANKS.__getitem__)
    if family == "float" and "numpy integer" in families:
        family = "numpy"
    if family not in _LOADED:
        _LOADED[family] = _LOADERS[family]()
    return _LOADED[family]


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


def notation(text: str, parameters: tuple[str, ...], *, condition: bool = False) -> str:
    """A user's expression in the table's own notation: a power is ``pow(x, y)``, which each type has.

    Args:
        text: the expression.
        parameters: the operands, and what else it may name.
        condition: whether it is one on the operands, where a remainder may stand.

    Raises:
        ExpressionError: naming the part that is not in the notation.

    >>> notation("2 * x**0.5", ("x",))
    '2 * pow(x, 0.5)'
    """
    import ast

    counts = HELPERS | {
        name: RULES[name].arity for name in FUNCTION_NAMES if not RULES[name].variadic
    }
    tree = parse(text, names=(*parameters, *CONSTANTS), functions=counts)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and len(node.args) != counts[ast.unparse(node.func)]:
            name = ast.unparse(node.func)
            raise ExpressionError(f"{name} takes {counts[name]} operands: {ast.unparse(node)}")
        if isinstance(node, ast.Mod) and not condition:
            raise ExpressionError(f"{text!r}: % is for a domain only; give functions instead")
        if isinstance(node, ast.IfExp) and not _is_test(node.test):
            test = ast.unparse(node.test)
            raise ExpressionError(f"{test!r} is no test: write a comparison, as {test} != 0")

    class Powers(ast.NodeTransformer):
        def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
            self.generic_visit(node)
            if not isinstance(node.op, ast.Pow):
                return node
            return ast.Call(ast.Name("pow", ast.Load()), [node.left, node.right], [])

    return ast.unparse(Powers().visit(tree)) if "**" in text else text


def _is_test(node: ast.expr) -> bool:
    import ast

    if isinstance(node, ast.BoolOp):
        return all(map(_is_test, node.values))
    return isinstance(node, ast.Compare) or ast.unparse(node).startswith("normal(")


def printed(number: Number, how: Callable[[Number], str] = repr) -> str:
    """The number's text; of a whole number or fraction too long for Python to print, its size."""
    try:
        return how(number)
    except ValueError:
        digits = (number.numerator.bit_length() - number.denominator.bit_length()) * 0.30103
        return f"<exact number of size {'-' * (number < 0)}1e{digits:.0f}>"


def format_number(number: Number, digits: int = 6) -> str:
    """A number as a person reads it: floats to ``digits`` significant digits, exact ones exactly.

    >>> from fractions import Fraction
    >>> format_number(0.1 + 0.2), format_number(Fraction(2, 6)), format_number(1e-17 / 3)
    ('0.3', '1/3', '3.33333e-18')
    """
    family = _family(type(number))
    if family == "mpmath":
        import mpmath

        return str(mpmath.nstr(number, digits))
    if family in ("int", "fractions", "sympy", ""):
        return " ".join(printed(number, str).split())
    return f"{number:.{digits}g}"


def plain_number(number: Number) -> Any:
    """A number as JSON has it; what JSON has not, as text: fractions, symbols, inf and nan."""
    plain_one = isinstance(number, int) or (isinstance(number, float) and math.isfinite(number))
    return number if plain_one else format_number(number, 17)


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
