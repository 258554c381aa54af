"""The table of primitive operations: one row each, and the single source for all that knows them.

The operators and methods of `Value`, the functions, the derivative rules, the symbols in the
pictures, the table in the documentation and the domains that the tests draw from are all read off
these rows.  To add an operation is to add a row, and nothing else.

A row is written in the notation of `tinygrad_bp.table.expression`: ``x, y, z`` are the operands, ``out`` is
the output, ``inf``, ``nan`` and ``pi`` are what they say, and any row's name may be called as a
function, as may a few `HELPERS`.  A number literal is written as a float that binary can hold exactly
(``2.0``, ``0.5``); every number type reads it as its own, so that one row serves ``float`` and
``Fraction`` alike.  ``a if test else b`` joins two branches, which are the same analytic function
wherever the function itself is smooth: then derivatives of any order are right on either side of the
joint and at it.

This module may not know any number type, nor `Value`.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing costs more to import than the whole engine
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, SupportsIndex

    from tinygrad_bp.table.expression import Tree

PARAMETERS = ("x", "y", "z")
CONSTANTS = ("inf", "nan", "pi")
DEEPEST = 150
"""So deep an expression may be nested: far deeper Python itself refuses what is printed of it."""


class Rule:
    """One primitive operation.

    Attributes:
        name: what it is called, in the table and in code: ``"tanh"``, ``"*"``.
        value: the value, an expression of the operands, or a function of them.
        derivatives: one for each operand, an expression of the operands and ``out``, or a function
            of the operands and then the output.
        textbook: the derivatives as a textbook has them, where they are computed in another form; by
            default the same as ``derivatives``.
        let: names for parts that value and derivatives share, each with its expression of the
            operands and of the names before it.
        brief_value, brief_derivatives: value and derivatives in these names, as the row is given; the
            attributes ``value`` and ``derivatives`` have each part written out.
        exact: whether it takes rational numbers to rational numbers, as whole powers do, by Python's own
            operators alone.  Exact numbers that meet floats in it are then left as they are.  Where
            a row does not say, it is so if its expressions are made of such operations alone.
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

    Raises:
        ExpressionError: an expression is not in the notation.

    >>> Rule("f", "x > 2.0", ("2.0",))
    Traceback (most recent call last):
        ...
    tinygrad_bp.errors.ExpressionError: 'x > 2.0' is true or false, and a number is needed there
    """

    __slots__ = (
        "_exact", "bend", "brief_derivatives", "brief_value", "compiled", "convention", "domain", "kink",
        "latex", "let", "meaning", "name", "needs", "symbol", "textbook", "variadic", "written",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913 - a row has so many columns
        self,
        name: str,
        value: str | Callable[..., Any],
        derivatives: tuple[str | Callable[..., Any], ...],
        *,
        textbook: tuple[str, ...] = (),
        let: Mapping[str, str] | None = None,
        exact: bool | None = None,
        meaning: str = "",
        symbol: str = "",
        latex: str = "",
        domain: str = "",
        kink: str = "",
        convention: tuple[str, ...] = (),
        bend: str = "",
        needs: str = "",
        variadic: bool = False,
        lazy: bool = False,  # whether an expression is parsed when it is first used
    ) -> None:
        self.name = name
        self.brief_value = value
        self.brief_derivatives = derivatives
        self.textbook = textbook or derivatives
        self.let = let or {}
        self._exact = exact
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
        self.compiled: dict[Any, Any] = {}  # by those who compile it, while it lives
        if not lazy:
            self.parse_all()

    @property
    def value(self) -> str | Callable[..., Any]:
        """The value, an expression of the operands alone, or a function of them."""
        return self._written_out(self.brief_value)

    @property
    def derivatives(self) -> tuple[str | Callable[..., Any], ...]:
        """One for each operand: see the class."""
        return (*map(self._written_out, self.brief_derivatives),)

    def _written_out(self, part: str | Callable[..., Any]) -> str | Callable[..., Any]:
        if not self.let or not isinstance(part, str):
            return part
        from tinygrad_bp.table.expression import Dialect

        parts = {name: self.tree(text) for name, text in self.let.items()}
        return Dialect(parts=parts).text(self.tree(part, "derivative"))

    @property
    def arity(self) -> int:
        """The number of operands, or of lists of operands where the operation is variadic."""
        return len(self.brief_derivatives)

    @property
    def infix(self) -> bool:
        """Whether the symbol stands between its two operands."""
        return self.arity == 2 and not self.variadic and not any(map(str.isalnum, self.symbol))

    @property
    def in_table(self) -> bool:
        """Whether it is the table's row of its name, and not an operation of a user's."""
        return RULES.get(self.name) is self

    @property
    def exact(self) -> bool:
        """Whether exact numbers are left as they are: see the class."""
        if self._exact is None:
            texts = (*self.let.values(), self.brief_value, *self.brief_derivatives)
            trees = [self.tree(each, "derivative") for each in texts if isinstance(each, str)]
            names = {name for tree in trees for name in _names_in(tree)}
            others = names - {*PARAMETERS, *self.let, "out", "inf", "nan", "normal", "lost"}
            self._exact = self.written and all(
                name in RULES and name != self.name and RULES[name].exact for name in others
            )
        return self._exact

    @property
    def domain_operands(self) -> tuple[str, ...]:
        """The operands that the domain is a condition on."""
        names = _names_in(self.tree(self.domain, "condition")) if self.domain else ()
        return tuple([each for each in PARAMETERS if each in names])

    @property
    def condition(self) -> str:
        """The domain as messages have it: ``x > 0`` for ``x > 0.0``."""
        import re  # for an error: it costs more than all else in this module

        return self.needs or re.sub(r"(\d)\.0(?!\d)", r"\1", self.domain)

    def tree(self, text: str, part: str = "value") -> Tree:
        """The tree of one of the row's expressions, which is parsed once.

        Args:
            text: the expression.
            part: what it is of the row: a "value" or a shared part, made of the operands and the shared
                parts; a "derivative", of the output too; a "condition", which is a test on the
                operands; or a "convention", which is a constant.

        Raises:
            ExpressionError: it is not in the notation.
        """
        if (text, part) not in self.compiled:
            from tinygrad_bp.table.expression import (
                parse,  # a first gradient in floats does not need it
            )

            names = (
                *CONSTANTS,
                *PARAMETERS[: self.arity] * (part != "convention"),
                *[*self.let] * (part in ("value", "derivative")),
                *["out"] * (part == "derivative"),
            )
            functions = {**ARITIES, self.name: self.arity} if self.variadic else ARITIES
            self.compiled[text, part] = parse(
                text,
                names=names,
                functions=functions,
                condition=part == "condition",
                remainder="% is for a domain only; give functions instead" * (part != "condition"),
                deepest=DEEPEST,
            )
        tree: Tree = self.compiled[text, part]
        return tree

    def lets(self, *texts: str) -> list[tuple[str, str]]:
        """The shared parts that some expressions of the row use, each after those that it uses itself.

        >>> RULES["arctan2"].lets("x / s")
        [('r', 'hypot(x, y)'), ('s', 'sqrt(r)')]
        """
        if not self.let:
            return []
        used = {name for text in texts for name in _names_in(self.tree(text, "derivative"))}
        found = []
        for name, text in reversed([*self.let.items()]):
            if name in used:
                found.append((name, text))
                used.update(_names_in(self.tree(text)))
        return found[::-1]

    def parse_all(self) -> None:
        """Parse every expression of the row.

        Raises:
            ExpressionError: one of them is not in the notation.
        """
        parts = {
            "value": (*self.let.values(), self.brief_value),
            "derivative": (*self.brief_derivatives, *self.textbook),
            "condition": filter(None, (self.domain, self.kink, self.bend)),
            "convention": self.convention,
        }
        for part, texts in parts.items():
            for text in texts:
                if isinstance(text, str):
                    self.tree(text, part)

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        return None, {
            name: getattr(self, name) if name != "compiled" else {} for name in self.__slots__
        }

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        return (_named, (self.name,)) if self.in_table else super().__reduce_ex__(protocol)

    def __copy__(self) -> Rule:
        return self  # a row does not change

    def __deepcopy__(self, memo: object) -> Rule:
        return self

    def __repr__(self) -> str:
        return f"Rule({self.name!r}, {self.value!r}, {self.derivatives!r})"


def _names_in(tree: Tree) -> list[str]:
    from tinygrad_bp.table.expression import names_in  # a first gradient in floats does not need it

    return names_in(tree)


def _row(
    name: str, value: str, derivatives: tuple[str, ...], *, exact: bool = False, **rest: Any
) -> Rule:
    """A row of the table: a test parses its expressions, so that importing the engine need not."""
    return Rule(name, value, derivatives, exact=exact, lazy=True, **rest)


# fmt: off
_TABLE = (
    # Arithmetic.  `-out / y` and not `-x / y**2`, which overflows where the quotient does not.
    _row("+", "x + y", ("1.0", "1.0"), exact=True, meaning="the sum", latex="%s + %s"),
    _row("-", "x - y", ("1.0", "-1.0"), exact=True, meaning="the difference", latex="%s - %s"),
    _row("*", "x * y", ("y", "x"), exact=True, meaning="the product", latex=r"%s \cdot %s"),
    # A quotient short of digits is not divided again.
    _row("/", "x / y",
         ("1.0 / y",
          "-out / y if abs(y) >= 1.0 or normal(out) or out == 0.0 else x * (-1.0 / y / y)"),
         textbook=("1 / y", "-x / y**2"), exact=True, meaning="the quotient", latex=r"\frac{%s}{%s}",
         domain="y != 0.0"),
    # `y * x**(y - 1)` is exact for whole numbers, and right at every order, but only where `y - 1` is
    # exact: the rounding of the exponent is magnified by log(x).  Elsewhere `y * out / x`.  The
    # corners of 0**y come first.  Half the exponent, twice, stays in range where the power itself
    # runs out of digits; what is left of a base below 0 is its sign.
    _row("**", "pow(x, y)",
         (("0.0 if x == 0.0 and y == 0.0 else inf if x == 0.0 and y < 1.0 else"
          " y * pow(x, y - 1.0) if x == 0.0 or abs(x) == inf"
          " or y >= 0.5 and y - 1.0 + 1.0 == y != y - 1.0"
          " and (y <= 4.0 or normal(pow(x, y - 1.0)) or abs(pow(x, y - 1.0)) == inf) else"
          " y * pow(abs(x), (y - 1.0) / 2.0) * pow(abs(x), (y - 1.0) / 2.0)"
          " * pow(-1.0 if x < 0.0 else 1.0, y - 1.0)"
          " if y >= 0.5 and y - 1.0 + 1.0 == y != y - 1.0 else"
          " y * out / x if normal(out) or abs(x) == inf or abs(y) == inf else"
          " y * pow(abs(x), y / 2.0) / x * pow(abs(x), y / 2.0) * pow(-1.0 if x < 0.0 else 1.0, y)"),
          ("(out * log(x) if normal(out) else pow(x, y / 2.0) * log(x) * pow(x, y / 2.0))"
          " if x > 0.0 else 0.0 if x == 0.0 and y >= 0.0 else nan * out")),
         textbook=("y * x**(y - 1)", "out * log(x)"), exact=True, meaning="x to the power y",
         latex="{%s}^{%s}",
         domain="x > 0.0 or x == 0.0 and y >= 0.0 or x < 0.0 and y % 1.0 == 0.0 or x == -inf or abs(y) == inf",
         needs="a base > 0, or a whole exponent, and no negative exponent at base 0",
         kink="x == 0.0 and 0.0 < y < 1.0", convention=("inf", "0.0"), bend="x == 0.0 and 0.0 <= y <= 1.0"),
    _row("neg", "-x", ("-1.0",), exact=True, meaning="the negative", symbol="-", latex="-%s"),
    _row("abs", "abs(x)", ("1.0 if x > 0.0 else -1.0 if x < 0.0 else 0.0 * x",),
         textbook=("1 if x > 0 else -1",), exact=True, meaning="the size, without the sign", latex="|%s|",
         kink="x == 0.0", convention=("0.0",)),

    # Powers, exponentials, logarithms.
    _row("exp", "exp(x)", ("out",), meaning="e to the power x", latex=r"\exp(%s)"),
    _row("expm1", "expm1(x)", ("exp(x)",), latex=r"\exp(%s) - 1",
         meaning="e to the power x, less 1, with its digits near 0"),
    _row("log", "log(x)", ("1.0 / x",), meaning="the natural logarithm", latex=r"\ln %s",
         domain="x > 0.0"),
    _row("log1p", "log1p(x)", ("1.0 / (1.0 + x)",), latex=r"\ln(1 + %s)", domain="x > -1.0",
         meaning="the natural logarithm of 1 + x, with its digits near 0"),
    _row("log2", "log2(x)", ("1.0 / log(2.0) / x",), textbook=("1 / (x * log(2))",),
         meaning="the logarithm to base 2", latex=r"\log_2 %s", domain="x > 0.0"),
    _row("log10", "log10(x)", ("1.0 / log(10.0) / x",), textbook=("1 / (x * log(10))",),
         meaning="the logarithm to base 10", latex=r"\log_{10} %s", domain="x > 0.0"),
    _row("sqrt", "sqrt(x)", ("0.5 / out if x != 0.0 else inf",), textbook=("1 / (2 * out)",),
         meaning="the square root", symbol="√", latex=r"\sqrt{%s}", domain="x >= 0.0",
         kink="x == 0.0", convention=("inf",)),
    _row("cbrt", "cbrt(x)",
         ("inf if x == 0.0 else out / x / 3.0 if normal(x) else 1.0 / (3.0 * out * out)",),
         textbook=("1 / (3 * out**2)",), meaning="the cube root, of negative numbers too", symbol="∛",
         latex=r"\sqrt[3]{%s}", kink="x == 0.0", convention=("inf",)),
    _row("square", "x * x", ("2.0 * x",), exact=True, meaning="the square", symbol="²",
         latex="{%s}^2"),
    _row("reciprocal", "1.0 / x", ("-out * out",), textbook=("-1 / x**2",), exact=True,
         meaning="1 over x", symbol="1/", latex=r"\frac{1}{%s}", domain="x != 0.0"),

    # Circular and hyperbolic functions, in forms whose own derivatives have their digits too.
    # `1 - tanh(x)**2` is 0 at x = 20 where the truth is 1.7e-17; `(1 - x) * (1 + x)` is right near 1,
    # but its derivative is 0 near 0.  The product of two sigmoids is right far out, and so are its own
    # derivatives; where one of them runs out of digits, the square of a number that does not.
    _row("sin", "sin(x)", ("cos(x)",), meaning="the sine of x radians", latex=r"\sin %s",
         domain="-inf < x < inf"),
    _row("cos", "cos(x)", ("-sin(x)",), meaning="the cosine of x radians", latex=r"\cos %s",
         domain="-inf < x < inf"),
    _row("tan", "tan(x)", ("1.0 + out * out",), textbook=("1 + out**2",),
         meaning="the tangent of x radians", latex=r"\tan %s", domain="-inf < x < inf"),
    _row("arcsin", "arcsin(x)",
         (("inf if x == -1.0 or x == 1.0 else"
          " 1.0 / sqrt(1.0 - x * x if abs(x) < 0.5 else (1.0 - x) * (1.0 + x))"),),
         textbook=("1 / sqrt(1 - x**2)",), meaning="the angle in radians whose sine is x",
         latex=r"\arcsin %s", domain="-1.0 <= x <= 1.0", kink="x == -1.0 or x == 1.0",
         convention=("inf",)),
    _row("arccos", "arccos(x)",
         (("-inf if x == -1.0 or x == 1.0 else"
          " -1.0 / sqrt(1.0 - x * x if abs(x) < 0.5 else (1.0 - x) * (1.0 + x))"),),
         textbook=("-1 / sqrt(1 - x**2)",), meaning="the angle in radians whose cosine is x",
         latex=r"\arccos %s", domain="-1.0 <= x <= 1.0", kink="x == -1.0 or x == 1.0",
         convention=("-inf",)),
    _row("arctan", "arctan(x)", ("1.0 / (1.0 + x * x) if 1.0 + x * x != x * x else 1.0 / x / x",),
         textbook=("1 / (1 + x**2)",), meaning="the angle in radians whose tangent is x",
         latex=r"\arctan %s"),
    # y / r**2 with r = hypot(x, y), in such an order that nothing overflows or runs out of digits.
    _row("arctan2", "arctan2(x, y)",
         (("nan if x == 0.0 and y == 0.0 else"
          " y / r / r if normal(r) and (normal(y / r) or y == 0.0 or r >= 1.0) else"
          " 0.0 * out if abs(x) == inf or abs(y) == inf else"
          " y / hypot(x / 2.0, y / 2.0) / hypot(x / 2.0, y / 2.0) / 4.0 if r == inf else"
          " 64.0 * y * (0.125 / r * (0.125 / r)) if normal(r) else"
          " y / s / hypot(x / s, y / s) / hypot(x / s, y / s) / s"),
          ("nan if x == 0.0 and y == 0.0 else"
          " -x / r / r if normal(r) and (normal(x / r) or x == 0.0 or r >= 1.0) else"
          " 0.0 * out if abs(x) == inf or abs(y) == inf else"
          " -x / hypot(x / 2.0, y / 2.0) / hypot(x / 2.0, y / 2.0) / 4.0 if r == inf else"
          " -64.0 * x * (0.125 / r * (0.125 / r)) if normal(r) else"
          " -x / s / hypot(x / s, y / s) / hypot(x / s, y / s) / s")),
         let={"r": "hypot(x, y)", "s": "sqrt(r)"},
         textbook=("y / (x**2 + y**2)", "-x / (x**2 + y**2)"),
         meaning="the angle in radians of the point at height x and distance y to the right",
         kink="x == 0.0 and y == 0.0", convention=("nan", "nan")),
    _row("sinh", "sinh(x)", ("cosh(x)",), meaning="the hyperbolic sine", latex=r"\sinh %s"),
    _row("cosh", "cosh(x)", ("sinh(x)",), meaning="the hyperbolic cosine", latex=r"\cosh %s"),
    _row("tanh", "tanh(x)",
         (("square(1.0 / cosh(x)) if abs(x) < 1.0 else"
          " 4.0 * sigmoid(2.0 * x) * sigmoid(-2.0 * x)"
          " if abs(out) < 1.0 or normal(sigmoid(-2.0 * abs(x))) else"
          " square(2.0 * exp(-abs(x)))"),),
         textbook=("1 - out**2",), meaning="the hyperbolic tangent", latex=r"\tanh %s"),
    _row("arcsinh", "arcsinh(x)", ("1.0 / hypot(1.0, x)",), textbook=("1 / sqrt(1 + x**2)",),
         meaning="the inverse of the hyperbolic sine"),
    _row("arccosh", "arccosh(x)", ("1.0 / sqrt(x - 1.0) / sqrt(x + 1.0) if x != 1.0 else inf",),
         textbook=("1 / sqrt(x**2 - 1)",), meaning="the inverse of the hyperbolic cosine",
         domain="x >= 1.0", kink="x == 1.0", convention=("inf",)),
    _row("arctanh", "arctanh(x)", ("1.0 / (1.0 - x * x if abs(x) < 0.5 else (1.0 - x) * (1.0 + x))",),
         textbook=("1 / (1 - x**2)",), meaning="the inverse of the hyperbolic tangent",
         domain="-1.0 < x < 1.0"),
    # x / hypot(x, y) as the sine or cosine of an angle below 45 degrees: no hypotenuse that overflows
    # or is rounded to a subnormal number, and the derivative has its digits.
    _row("hypot", "hypot(x, y)",
         (("0.0 if out == 0.0 else sin(arctan2(x, abs(y))) if abs(x) <= abs(y) else"
          " cos(arctan2(y, x)) if x > 0.0 else -cos(arctan2(y, -x))"),
          ("0.0 if out == 0.0 else sin(arctan2(y, abs(x))) if abs(y) <= abs(x) else"
          " cos(arctan2(x, y)) if y > 0.0 else -cos(arctan2(x, -y))")),
         textbook=("x / out", "y / out"), meaning="the length of the hypotenuse over sides x and y",
         kink="x == 0.0 and y == 0.0", convention=("0.0", "0.0")),

    # The larger and the smaller.  The last branch is for nan, which is neither.
    _row("maximum", "x if x >= y else y if x < y else x + y",
         ("1.0 if x > y else 0.0 if x < y else 0.5 if x == y else nan",
          "1.0 if x < y else 0.0 if x > y else 0.5 if x == y else nan"),
         textbook=("1 if x > y else 0", "1 if y > x else 0"), exact=True,
         meaning="the larger of two; the derivative of a tie is shared", symbol="max",
         latex=r"\max(%s, %s)", kink="x == y", convention=("0.5", "0.5")),
    _row("minimum", "x if x <= y else y if x > y else x + y",
         ("1.0 if x < y else 0.0 if x > y else 0.5 if x == y else nan",
          "1.0 if x > y else 0.0 if x < y else 0.5 if x == y else nan"),
         textbook=("1 if x < y else 0", "1 if y < x else 0"), exact=True,
         meaning="the smaller of two; the derivative of a tie is shared", symbol="min",
         latex=r"\min(%s, %s)", kink="x == y", convention=("0.5", "0.5")),

    # The error function, its density, and the normal distribution function.  The last two are rows
    # because a float exp(-x*x) is wrong by 250 ulps at x = 26, and a float erfc(-x / sqrt(2)) by
    # 1400 at x = -36: each number type brings one that is right.
    _row("erf", "erf(x)", ("2.0 / sqrt(pi) * gaussian(x)",), textbook=("2 / sqrt(pi) * exp(-x**2)",),
         meaning="the error function"),
    _row("erfc", "erfc(x)", ("-2.0 / sqrt(pi) * gaussian(x)",),
         textbook=("-2 / sqrt(pi) * exp(-x**2)",),
         meaning="1 less the error function, with its digits in the tail"),
    _row("gaussian", "gaussian(x)",
         (("-2.0 * (x * out) if normal(out) else 0.0 * out if abs(x) == inf else"
          " x * gaussian(abs(x) - 1.0) * (-2.0 * exp(1.0 - 2.0 * abs(x)))"),),
         textbook=("-2 * x * out",), meaning="e to the power -x**2", latex=r"\exp(-{%s}^2)"),
    _row("ndtr", "erfc(-x / sqrt(2.0)) / 2.0", ("square(gaussian(x / 2.0)) / sqrt(2.0 * pi)",),
         textbook=("exp(-x**2 / 2) / sqrt(2 * pi)",), symbol="Φ", latex=r"\Phi(%s)",
         meaning="the distribution function of the standard normal distribution"),

    # Activations.  Where a factor runs out of digits, the parts of the product are taken in such an
    # order that none does; of the tail of `gelu` it is Laplace's continued fraction.
    _row("identity", "x", ("1.0",), exact=True, meaning="x itself, as a node of its own", symbol="id",
         latex="%s"),
    _row("sigmoid", "1.0 / (1.0 + exp(-x)) if x >= 0.0 else exp(x) / (1.0 + exp(x))",
         ("square(0.5 / cosh(x / 2.0)) if abs(x) < 1.0 else out * sigmoid(-x)",),
         textbook=("out * (1 - out)",), meaning="the logistic function, 1 / (1 + exp(-x))", symbol="σ",
         latex=r"\sigma(%s)"),
    _row("softplus", "x + log1p(exp(-x)) if x > 0.0 else log1p(exp(x))", ("sigmoid(x)",),
         meaning="log(1 + exp(x)), a smooth relu"),
    _row("relu", "x if x > 0.0 else 0.0 if x <= 0.0 else x",
         ("1.0 if x > 0.0 else 0.0 if x <= 0.0 else nan",),
         textbook=("1 if x > 0 else 0",), exact=True, meaning="x where it is positive, else 0",
         kink="x == 0.0", convention=("0.0",)),
    _row("leaky_relu", "x if x > 0.0 else x / 100.0",
         ("1.0 if x > 0.0 else 1.0 / 100.0 if x <= 0.0 else nan",),
         textbook=("1 if x > 0 else 1 / 100",), exact=True,
         meaning="x where it is positive, else a hundredth of it",
         kink="x == 0.0", convention=("1.0 / 100.0",)),
    _row("elu", "x if x > 0.0 else expm1(x)", ("1.0 if x > 0.0 else exp(x)",),
         textbook=("1 if x > 0 else exp(x)",), meaning="x where it is positive, else exp(x) - 1",
         bend="x == 0.0"),
    _row("silu", "x * s if normal(s) else exp(x) if x == -inf else x * exp(x / 2.0) * exp(x / 2.0)",
         (("s * (1.0 - silu(-x)) if normal(s) else"
          " exp(x) if x == -inf else (1.0 + x) * exp(x / 2.0) * exp(x / 2.0)"),),
         let={"s": "sigmoid(x)"}, textbook=("sigmoid(x) * (1 + x * (1 - sigmoid(x)))",),
         meaning="x times its sigmoid"),
    _row("gelu",
         "x * p if normal(p) else exp(x) if x == -inf else"
         " -square(gaussian(x / 2.0)) / sqrt(2.0 * pi)"
         " * (x / (x + 1.0 / (x + 2.0 / (x + 3.0 / (x + 4.0 / (x + 5.0 / x))))))",
         ("p + x * gaussian(x / 2.0) / sqrt(2.0 * pi) * gaussian(x / 2.0) if abs(x) < inf else p",),
         let={"p": "ndtr(x)"}, textbook=("ndtr(x) + x * exp(-x**2 / 2) / sqrt(2 * pi)",),
         meaning="x times the normal distribution function of x"),
    _row("logaddexp",
         "x + (log1p(exp(y - x)) + lost(y, x) * sigmoid(y - x)) if x > y else"
         " x + log(2.0) if x == y else"
         " y + (log1p(exp(x - y)) + lost(x, y) * sigmoid(x - y))",
         (("0.5 if x == y and abs(x) == inf else"
          " sigmoid(x - y) + lost(x, y) * sigmoid(x - y) * sigmoid(y - x)"),
          ("0.5 if x == y and abs(x) == inf else"
          " sigmoid(y - x) + lost(y, x) * sigmoid(y - x) * sigmoid(x - y)")),
         textbook=("exp(x - out)", "exp(y - out)"),
         meaning="log(exp(x) + exp(y)), without overflow"),

    # One node for a whole sum: the note's own step, sum_k w_k x_k.
    _row("fsum", "fsum(x)", ("1.0",), exact=True, symbol="Σ", latex=r"\sum %s", variadic=True,
         meaning="the sum of a list, rounded once, as one node"),
    _row("dot", "dot(x, y)", ("y", "x"), exact=True, symbol="·", latex=r"%s \cdot %s", variadic=True,
         meaning="the sum of products of two lists, sum_k x_k y_k, as one node"),
)
# fmt: on

RULES: dict[str, Rule] = {rule.name: rule for rule in _TABLE}
"""The table, by name."""


def _named(name: str) -> Rule:
    """The table's row of a name, by which it is pickled."""
    return RULES[name]


FUNCTION_NAMES = tuple(name for name in RULES if name.isidentifier())
"""The rows that can be called by their name."""

HELPERS = {"pow": 2, "normal": 1, "lost": 2}
"""What an expression may call besides, with the number of operands: ``pow(x, y)`` is ``x ** y``;
``normal(x)`` is true unless x is 0, infinite, or a float without all its digits, as one below 2**-1022;
``lost(x, y)`` is what ``x - y`` has lost to rounding."""

ARITIES: Mapping[str, int | None] = HELPERS | {
    name: RULES[name].arity for name in FUNCTION_NAMES if not RULES[name].variadic
}
"""All that an expression may call, with the number of operands."""
