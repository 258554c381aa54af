"""The table of primitive operations: one row each, and the single source for all that knows them.

The operators and methods of `Value`, the functions, the derivative rules, the symbols in the
pictures, the table in the documentation and the domains that the tests draw from are all read off
these rows.  To add an operation is to add a row, and nothing else.

A row is written in ordinary notation: ``x, y, z`` are the operands, ``out`` is the output, ``inf``,
``nan`` and ``pi`` are what they say, and any row's name may be called as a function, as may a few
`HELPERS`.  A number literal is written as a float that binary can hold exactly (``2.0``, ``0.5``); every number type
reads it as its own, so that one row serves ``float`` and ``Fraction`` alike.  ``a if test else b``
joins two branches, which are the same analytic function wherever the function itself is smooth:
then derivatives of any order are right on either side of the joint and at it.

This room may not know any number type, nor `Value`.
"""

from __future__ import annotations

from _thread import allocate_lock

from tinygrad_bp.errors import ExpressionError
from tinygrad_bp.quoting import first_few, quoted

TYPE_CHECKING = False  # typing costs more to import than the whole engine
if TYPE_CHECKING:
    import ast
    from collections.abc import Callable, Collection
    from typing import Any, SupportsIndex

_FILTERS_LOCK = allocate_lock()  # two threads would each put back what the other had set aside

PARAMETERS = ("x", "y", "z")
CONSTANTS = ("inf", "nan", "pi")


class Rule:
    """One primitive operation.

    Attributes:
        name: what it is called, in the table and in code: ``"tanh"``, ``"*"``.
        value: the value, an expression of the operands, or a function of them.
        derivatives: one for each operand, an expression of the operands and ``out``, or a function
            of the operands and then the output.
        meaning: what it is, in a few words.
        symbol: how a picture shows it.
        latex: how a formula shows it, with ``%s`` where an operand goes.
        domain: the condition under which it has a value; empty where it always has.
        needs: the domain in words, where the condition is too long for a message; else empty.
        kink: the condition under which it has no derivative; empty where it always has one.
        convention: what the derivatives are taken to be at the kink, one for each operand.
        bend: the condition under which it has derivatives, and these have none for the operands, if
            none of them is a constant.
        variadic: whether it takes lists.  The value is then a function of whole lists, and the
            derivatives are for one element of each.
        written: whether value and derivatives are all expressions, none a function.
        compiled: what was compiled of it, for whom; it goes when the row does.
    """

    __slots__ = (
        "bend", "compiled", "convention", "derivatives", "domain", "kink", "latex", "meaning", "name", "needs",
        "symbol", "value", "variadic", "written",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        value: str | Callable[..., Any],
        derivatives: tuple[str | Callable[..., Any], ...],
        *,
        meaning: str = "",
        symbol: str = "",
        latex: str = "",
        domain: str = "",
        kink: str = "",
        convention: tuple[str, ...] = (),
        bend: str = "",
        needs: str = "",
        variadic: bool = False,
    ) -> None:
        self.name = name
        self.value = value
        self.derivatives = derivatives
        self.meaning = meaning
        self.symbol = symbol or name
        self.latex = latex  # where there is none, formulas show the name
        self.domain = domain
        self.needs = needs
        self.kink = kink
        self.convention = convention
        self.bend = bend
        self.variadic = variadic
        self.written = all(isinstance(each, str) for each in (value, *derivatives))
        self.compiled: dict[Any, Callable[..., Any]] = {}  # by those who compile it, while it lives

    @property
    def arity(self) -> int:
        """The number of operands, or of lists of operands where the operation is variadic."""
        return len(self.derivatives)

    @property
    def infix(self) -> bool:
        """Whether the symbol stands between its two operands."""
        return self.arity == 2 and not self.variadic and not any(map(str.isalnum, self.symbol))

    @property
    def in_table(self) -> bool:
        """Whether it is the table's row of its name, and not an operation of a user's."""
        return RULES.get(self.name) is self

    @property
    def asks(self) -> frozenset[str]:
        """The operands that the domain is a condition on, and the functions in it."""
        return frozenset(compile(self.domain, "<domain>", "eval").co_names)

    @property
    def condition(self) -> str:
        """The domain as messages have it: ``x > 0`` for ``x > 0.0``."""
        import re  # for an error: it costs more than all else in this room

        return self.needs or re.sub(r"(\d)\.0(?!\d)", r"\1", self.domain)

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        return None, {
            name: getattr(self, name) if name != "compiled" else {} for name in self.__slots__
        }

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        return (_row, (self.name,)) if self.in_table else super().__reduce_ex__(protocol)

    def __copy__(self) -> Rule:
        return self  # a row does not change

    def __deepcopy__(self, memo: object) -> Rule:
        return self

    def __repr__(self) -> str:
        return f"Rule({self.name!r}, {self.value!r}, {self.derivatives!r})"


# fmt: off
_TABLE = (
    # Arithmetic.  `-out / y` and not `-x / y**2`, which overflows where the quotient does not.
    Rule("+",   "x + y",  ("1.0", "1.0"), meaning="the sum",     latex="%s + %s"),
    Rule("-",   "x - y",  ("1.0", "-1.0"), meaning="the difference",    latex="%s - %s"),
    Rule("*",   "x * y",  ("y", "x"), meaning="the product",         latex=r"%s \cdot %s"),
    # A quotient short of digits is not divided again.
    Rule("/",   "x / y",  ("1.0 / y",
                           "-out / y if abs(y) >= 1.0 or normal(out) or out == 0.0 else x * (-1.0 / y / y)"), meaning="the quotient",
                latex=r"\frac{%s}{%s}", domain="y != 0.0"),
    # `y * x**(y - 1)` is exact for whole numbers, and right at every order, but only where `y - 1` is
    # exact: the rounding of the exponent is magnified by log(x).  Elsewhere `y * out / x`.  The
    # corners of 0**y come first.  Half the exponent, twice, stays in range where the power itself
    # runs out of digits; what is left of a base below 0 is its sign.
    Rule("**",  "pow(x, y)", (
                ("0.0 if x == 0.0 and y == 0.0 else inf if x == 0.0 and y < 1.0 else"
                 " y * pow(x, y - 1.0) if x == 0.0 or abs(x) == inf or y >= 0.5 and y - 1.0 + 1.0 == y != y - 1.0"
                 " and (y <= 4.0 or normal(pow(x, y - 1.0)) or abs(pow(x, y - 1.0)) == inf) else"
                 " y * pow(abs(x), (y - 1.0) / 2.0) * pow(abs(x), (y - 1.0) / 2.0) * pow(-1.0 if x < 0.0 else 1.0, y - 1.0)"
                 " if y >= 0.5 and y - 1.0 + 1.0 == y != y - 1.0 else"
                 " y * out / x if normal(out) or abs(x) == inf or abs(y) == inf else"
                 " y * pow(abs(x), y / 2.0) / x * pow(abs(x), y / 2.0) * pow(-1.0 if x < 0.0 else 1.0, y)"),
                ("(out * log(x) if normal(out) else pow(x, y / 2.0) * log(x) * pow(x, y / 2.0))"
                 " if x > 0.0 else 0.0 if x == 0.0 and y >= 0.0 else nan * out")), meaning="x to the power y",
                latex="{%s}^{%s}",
                domain="x > 0.0 or x == 0.0 and y >= 0.0 or x < 0.0 and y % 1.0 == 0.0 or x == -inf or abs(y) == inf",
                needs="a base > 0, or a whole exponent, and no negative exponent at base 0",
                kink="x == 0.0 and 0.0 < y < 1.0", convention=("inf", "0.0"), bend="x == 0.0 and 0.0 <= y <= 1.0"),
    Rule("neg", "-x",     ("-1.0",), meaning="the negative",          symbol="-", latex="-%s"),
    Rule("abs", "abs(x)", ("1.0 if x > 0.0 else -1.0 if x < 0.0 else 0.0 * x",), meaning="the size, without the sign", latex="|%s|",
                kink="x == 0.0", convention=("0.0",)),

    # Powers, exponentials, logarithms.
    Rule("exp",        "exp(x)",   ("out",), meaning="e to the power x",                  latex=r"\exp(%s)"),
    Rule("expm1",      "expm1(x)", ("exp(x)",), meaning="e to the power x, less 1, with its digits near 0",               latex=r"\exp(%s) - 1"),
    Rule("log",        "log(x)",   ("1.0 / x",), meaning="the natural logarithm",              latex=r"\ln %s", domain="x > 0.0"),
    Rule("log1p",      "log1p(x)", ("1.0 / (1.0 + x)",), meaning="the natural logarithm of 1 + x, with its digits near 0",      latex=r"\ln(1 + %s)", domain="x > -1.0"),
    Rule("log2",       "log2(x)",  ("1.0 / log(2.0) / x",), meaning="the logarithm to base 2",   latex=r"\log_2 %s", domain="x > 0.0"),
    Rule("log10",      "log10(x)", ("1.0 / log(10.0) / x",), meaning="the logarithm to base 10",  latex=r"\log_{10} %s", domain="x > 0.0"),
    Rule("sqrt",       "sqrt(x)",  ("0.5 / out if x != 0.0 else inf",), meaning="the square root", symbol="√", latex=r"\sqrt{%s}",
                       domain="x >= 0.0", kink="x == 0.0", convention=("inf",)),
    Rule("cbrt",       "cbrt(x)",  ("inf if x == 0.0 else out / x / 3.0 if normal(x) else 1.0 / (3.0 * out * out)",), meaning="the cube root, of negative numbers too", symbol="∛",
                       latex=r"\sqrt[3]{%s}", kink="x == 0.0", convention=("inf",)),
    Rule("square",     "x * x",    ("2.0 * x",), meaning="the square",              symbol="²", latex="{%s}^2"),
    Rule("reciprocal", "1.0 / x",  ("-out * out",), meaning="1 over x",           symbol="1/", latex=r"\frac{1}{%s}",
                       domain="x != 0.0"),

    # Circular and hyperbolic functions, in forms whose own derivatives have their digits too.
    # `1 - tanh(x)**2` is 0 at x = 20 where the truth is 1.7e-17; `(1 - x) * (1 + x)` is right near 1,
    # but its derivative is 0 near 0.  The product of two sigmoids is right far out, and so are its own
    # derivatives; where one of them runs out of digits, the square of a number that does not.
    Rule("sin",     "sin(x)",     ("cos(x)",), meaning="the sine of x radians",                latex=r"\sin %s", domain="-inf < x < inf"),
    Rule("cos",     "cos(x)",     ("-sin(x)",), meaning="the cosine of x radians",               latex=r"\cos %s", domain="-inf < x < inf"),
    Rule("tan",     "tan(x)",     ("1.0 + out * out",), meaning="the tangent of x radians",       latex=r"\tan %s", domain="-inf < x < inf"),
    Rule("arcsin",  "arcsin(x)",  ("inf if x == -1.0 or x == 1.0 else 1.0 / sqrt(1.0 - x * x if abs(x) < 0.5 else (1.0 - x) * (1.0 + x))",), meaning="the angle in radians whose sine is x",
                    latex=r"\arcsin %s", domain="-1.0 <= x <= 1.0",
                    kink="x == -1.0 or x == 1.0", convention=("inf",)),
    Rule("arccos",  "arccos(x)",  ("-inf if x == -1.0 or x == 1.0 else -1.0 / sqrt(1.0 - x * x if abs(x) < 0.5 else (1.0 - x) * (1.0 + x))",), meaning="the angle in radians whose cosine is x",
                    latex=r"\arccos %s", domain="-1.0 <= x <= 1.0",
                    kink="x == -1.0 or x == 1.0", convention=("-inf",)),
    Rule("arctan",  "arctan(x)",  ("1.0 / (1.0 + x * x) if 1.0 + x * x != x * x else 1.0 / x / x",), meaning="the angle in radians whose tangent is x", latex=r"\arctan %s"),
    Rule("arctan2", "arctan2(x, y)", (
                    ("nan if x == 0.0 and y == 0.0 else"
                     " y / hypot(x, y) / hypot(x, y) if normal(hypot(x, y))"
                     " and (normal(y / hypot(x, y)) or y == 0.0 or hypot(x, y) >= 1.0) else"
                     " 0.0 * out if abs(x) == inf or abs(y) == inf else"
                     " y / hypot(x / 2.0, y / 2.0) / hypot(x / 2.0, y / 2.0) / 4.0 if hypot(x, y) == inf else"
                     " 64.0 * y * (0.125 / hypot(x, y) * (0.125 / hypot(x, y))) if normal(hypot(x, y)) else"
                     " y / sqrt(hypot(x, y)) / hypot(x / sqrt(hypot(x, y)), y / sqrt(hypot(x, y)))"
                     " / hypot(x / sqrt(hypot(x, y)), y / sqrt(hypot(x, y))) / sqrt(hypot(x, y))"),
                    ("nan if x == 0.0 and y == 0.0 else"
                     " -x / hypot(x, y) / hypot(x, y) if normal(hypot(x, y))"
                     " and (normal(x / hypot(x, y)) or x == 0.0 or hypot(x, y) >= 1.0) else"
                     " 0.0 * out if abs(x) == inf or abs(y) == inf else"
                     " -x / hypot(x / 2.0, y / 2.0) / hypot(x / 2.0, y / 2.0) / 4.0 if hypot(x, y) == inf else"
                     " -64.0 * x * (0.125 / hypot(x, y) * (0.125 / hypot(x, y))) if normal(hypot(x, y)) else"
                     " -x / sqrt(hypot(x, y)) / hypot(x / sqrt(hypot(x, y)), y / sqrt(hypot(x, y)))"
                     " / hypot(x / sqrt(hypot(x, y)), y / sqrt(hypot(x, y))) / sqrt(hypot(x, y))")), meaning="the angle in radians of the point at height x and distance y to the right",
                    kink="x == 0.0 and y == 0.0", convention=("nan", "nan")),
    Rule("sinh",    "sinh(x)",    ("cosh(x)",), meaning="the hyperbolic sine",               latex=r"\sinh %s"),
    Rule("cosh",    "cosh(x)",    ("sinh(x)",), meaning="the hyperbolic cosine",               latex=r"\cosh %s"),
    Rule("tanh",    "tanh(x)",    (
                    ("square(1.0 / cosh(x)) if abs(x) < 1.0 else"
                     " 4.0 * sigmoid(2.0 * x) * sigmoid(-2.0 * x) if abs(out) < 1.0 or normal(sigmoid(-2.0 * abs(x)))"
                     " else square(2.0 * exp(-abs(x)))"),), meaning="the hyperbolic tangent", latex=r"\tanh %s"),
    Rule("arcsinh", "arcsinh(x)", ("1.0 / hypot(1.0, x)",), meaning="the inverse of the hyperbolic sine"),
    Rule("arccosh", "arccosh(x)", ("1.0 / sqrt(x - 1.0) / sqrt(x + 1.0) if x != 1.0 else inf",), meaning="the inverse of the hyperbolic cosine",
                    domain="x >= 1.0", kink="x == 1.0", convention=("inf",)),
    Rule("arctanh", "arctanh(x)", ("1.0 / (1.0 - x * x if abs(x) < 0.5 else (1.0 - x) * (1.0 + x))",), meaning="the inverse of the hyperbolic tangent", domain="-1.0 < x < 1.0"),
    # x / hypot(x, y) as the sine or cosine of an angle below 45 degrees: no hypotenuse that overflows
    # or is rounded to a subnormal number, and the derivative has its digits.
    Rule("hypot",   "hypot(x, y)", (
                    ("0.0 if out == 0.0 else sin(arctan2(x, abs(y))) if abs(x) <= abs(y) else"
                     " cos(arctan2(y, x)) if x > 0.0 else -cos(arctan2(y, -x))"),
                    ("0.0 if out == 0.0 else sin(arctan2(y, abs(x))) if abs(y) <= abs(x) else"
                     " cos(arctan2(x, y)) if y > 0.0 else -cos(arctan2(x, -y))")), meaning="the length of the hypotenuse over sides x and y",
                    kink="x == 0.0 and y == 0.0", convention=("0.0", "0.0")),

    # The larger and the smaller.  The last branch is for nan, which is neither.
    Rule("maximum", "x if x >= y else y if x < y else x + y",
                    ("1.0 if x > y else 0.0 if x < y else 0.5 if x == y else nan",
                     "1.0 if x < y else 0.0 if x > y else 0.5 if x == y else nan"), meaning="the larger of two; the derivative of a tie is shared",
                    symbol="max", latex=r"\max(%s, %s)", kink="x == y", convention=("0.5", "0.5")),
    Rule("minimum", "x if x <= y else y if x > y else x + y",
                    ("1.0 if x < y else 0.0 if x > y else 0.5 if x == y else nan",
                     "1.0 if x > y else 0.0 if x < y else 0.5 if x == y else nan"), meaning="the smaller of two; the derivative of a tie is shared",
                    symbol="min", latex=r"\min(%s, %s)", kink="x == y", convention=("0.5", "0.5")),

    # The error function, its density, and the normal distribution function.  The last two are rows
    # because a float exp(-x*x) is wrong by 250 ulps at x = 26, and a float erfc(-x / sqrt(2)) by
    # 1400 at x = -36: each number type brings one that is right.
    Rule("erf",      "erf(x)",      ("2.0 / sqrt(pi) * gaussian(x)",), meaning="the error function"),
    Rule("erfc",     "erfc(x)",     ("-2.0 / sqrt(pi) * gaussian(x)",), meaning="1 less the error function, with its digits in the tail"),
    Rule("gaussian", "gaussian(x)", (
                     ("-2.0 * (x * out) if normal(out) else 0.0 * out if abs(x) == inf else"
                      " x * gaussian(abs(x) - 1.0) * (-2.0 * exp(1.0 - 2.0 * abs(x)))"),), meaning="e to the power -x**2",
                     latex=r"\exp(-{%s}^2)"),
    Rule("ndtr",     "erfc(-x / sqrt(2.0)) / 2.0", ("square(gaussian(x / 2.0)) / sqrt(2.0 * pi)",), meaning="the distribution function of the standard normal distribution",
                     symbol="Φ", latex=r"\Phi(%s)"),

    # Activations.  Where a factor runs out of digits, the parts of the product are taken in such an
    # order that none does; of the tail of `gelu` it is Laplace's continued fraction.
    Rule("identity",   "x",        ("1.0",), meaning="x itself, as a node of its own", symbol="id", latex="%s"),
    Rule("sigmoid",    "1.0 / (1.0 + exp(-x)) if x >= 0.0 else exp(x) / (1.0 + exp(x))",
                       ("square(0.5 / cosh(x / 2.0)) if abs(x) < 1.0 else out * sigmoid(-x)",), meaning="the logistic function, 1 / (1 + exp(-x))", symbol="σ", latex=r"\sigma(%s)"),
    Rule("softplus",   "x + log1p(exp(-x)) if x > 0.0 else log1p(exp(x))", ("sigmoid(x)",), meaning="log(1 + exp(x)), a smooth relu"),
    Rule("relu",       "x if x > 0.0 else 0.0 if x <= 0.0 else x",
                       ("1.0 if x > 0.0 else 0.0 if x <= 0.0 else nan",), meaning="x where it is positive, else 0",
                       kink="x == 0.0", convention=("0.0",)),
    Rule("leaky_relu", "x if x > 0.0 else x / 100.0",
                       ("1.0 if x > 0.0 else 1.0 / 100.0 if x <= 0.0 else nan",), meaning="x where it is positive, else a hundredth of it",
                       kink="x == 0.0", convention=("1.0 / 100.0",)),
    Rule("elu",        "x if x > 0.0 else expm1(x)", ("1.0 if x > 0.0 else exp(x)",), meaning="x where it is positive, else exp(x) - 1",
                       bend="x == 0.0"),
    Rule("silu",       ("x * sigmoid(x) if normal(sigmoid(x)) else"
                        " exp(x) if x == -inf else x * exp(x / 2.0) * exp(x / 2.0)"),
                       (("sigmoid(x) * (1.0 - silu(-x)) if normal(sigmoid(x)) else"
                         " exp(x) if x == -inf else (1.0 + x) * exp(x / 2.0) * exp(x / 2.0)"),), meaning="x times its sigmoid"),
    Rule("gelu",       ("x * ndtr(x) if normal(ndtr(x)) else exp(x) if x == -inf else"
                        " -square(gaussian(x / 2.0)) / sqrt(2.0 * pi)"
                        " * (x / (x + 1.0 / (x + 2.0 / (x + 3.0 / (x + 4.0 / (x + 5.0 / x))))))"),
                       (("ndtr(x) + x * gaussian(x / 2.0) / sqrt(2.0 * pi) * gaussian(x / 2.0)"
                         " if abs(x) < inf else ndtr(x)"),), meaning="x times the normal distribution function of x"),
    Rule("logaddexp",  ("x + (log1p(exp(y - x)) + lost(y, x) * sigmoid(y - x)) if x > y else x + log(2.0) if x == y"
                        " else y + (log1p(exp(x - y)) + lost(x, y) * sigmoid(x - y))"),
                       (("0.5 if x == y and abs(x) == inf else"
                         " sigmoid(x - y) + lost(x, y) * sigmoid(x - y) * sigmoid(y - x)"),
                        ("0.5 if x == y and abs(x) == inf else"
                         " sigmoid(y - x) + lost(y, x) * sigmoid(y - x) * sigmoid(x - y)")), meaning="log(exp(x) + exp(y)), without overflow"),

    # One node for a whole sum: the note's own step, sum_k w_k x_k.
    Rule("fsum", "fsum(x)",   ("1.0",), meaning="the sum of a list, rounded once, as one node",   symbol="Σ", latex=r"\sum %s", variadic=True),
    Rule("dot",  "dot(x, y)", ("y", "x"), meaning="the sum of products of two lists, sum_k x_k y_k, as one node", symbol="·", latex=r"%s \cdot %s", variadic=True),
)
# fmt: on

RULES: dict[str, Rule] = {rule.name: rule for rule in _TABLE}
"""The table, by name."""


def _row(name: str) -> Rule:
    """The table's row, which is pickled by its name."""
    return RULES[name]


FUNCTION_NAMES = tuple(name for name in RULES if name.isidentifier())
"""The rows that can be called by their name."""

HELPERS = {"pow": 2, "normal": 1, "lost": 2}
"""What an expression may call besides, with the number of operands: ``pow(x, y)`` is ``x ** y``;
``normal(x)`` is true unless x is 0, infinite, or a float without all its digits, as one below 2**-1022;
``lost(x, y)`` is what ``x - y`` has lost to rounding."""


def parse(text: str, *, names: Collection[str], functions: Collection[str]) -> ast.expr:
    """The syntax tree of an expression in the table's notation.

    Args:
        text: the expression.
        names: the names that it may use as operands.
        functions: the names that it may call.

    Raises:
        ExpressionError: the text is not an expression, uses more of Python than the notation has,
            or a name in it is unknown.

    >>> parse("2.0 * x", names=["x"], functions=[])  # doctest: +ELLIPSIS
    <ast.BinOp object at ...>
    >>> parse("__import__('os')", names=["x"], functions=["exp"])
    Traceback (most recent call last):
        ...
    tinygrad_bp.errors.ExpressionError: unknown function '__import__'; known: exp
    """
    import ast  # costs as much as the engine, and a first gradient does not need it
    import warnings

    try:
        with _FILTERS_LOCK, warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # 1if x is odd, but it is what was meant
            tree = ast.parse(text.strip(), mode="eval").body
        nodes = list(ast.walk(tree))
    except SyntaxError as error:
        raise ExpressionError(f"not an expression: {quoted(text)} ({error.msg})") from None
    except (RecursionError, MemoryError, ValueError) as error:
        raise ExpressionError(
            f"not an expression that can be read: {quoted(text)} ({str(error) or 'too deeply nested'})"
        ) from None
    called = set()
    for node in nodes:
        match node:
            case ast.Call(func=ast.Name(id=name), keywords=[]):
                called.add(node.func)
                if name not in functions:
                    raise ExpressionError(
                        f"unknown function {quoted(name)}; known: {', '.join(sorted(functions))}"
                    )
            case ast.Name(id=name):
                if node not in called and name not in names:
                    raise ExpressionError(
                        f"unknown name {quoted(name)}; known: {first_few(sorted(names)) or 'none'}"
                    )
            case ast.Constant(value=value):
                if type(value) not in (int, float):
                    raise ExpressionError(f"{quoted(value)} is not a number")
            case (
                ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div() | ast.Pow() | ast.Mod())
                | ast.UnaryOp(op=ast.USub() | ast.UAdd())
                | ast.Compare()
                | ast.BoolOp()
                | ast.IfExp()
                | ast.operator()
                | ast.unaryop()
                | ast.boolop()
                | ast.Lt()
                | ast.LtE()
                | ast.Gt()
                | ast.GtE()
                | ast.Eq()
                | ast.NotEq()
                | ast.Load()
            ):
                pass
            case _:
                what = ast.get_source_segment(text.strip(), node) or type(node).__name__
                raise ExpressionError(
                    f"{quoted(what)} is not allowed in an expression: write numbers, names, "
                    "+ - * / **, parentheses, calls of known functions, and 'a if x > 0 else b'"
                )
    return tree
