"""One expression tree for the table's rows, and one printer with a dialect for each language.

`parse` reads ordinary notation into a syntax tree of a narrow grammar::

    number = literal | name | call | -number | +number | number (+ - * / % **) number
           | number if test else number
    test   = number (< <= > >= == !=) number ... | test and test | test or test | normal(number)

A test stands only where the grammar has one, and a number only where it has a number, so that a tree
means the same in every language.  The tree consists of Python's own node classes.

A `Dialect` prints a tree as text of one language: Python for floats, Python with each choice made by
a function (for symbols and for Values), JavaScript.  This module may not know the rows of the table,
nor any number type.
"""

from __future__ import annotations

import _ast as ast  # the classes alone: the module `ast` takes longer to import than the engine
from _thread import allocate_lock

from tinygrad_bp.errors import ExpressionError
from tinygrad_bp.quoting import first_few, quoted, shortened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from typing import Any

    Tree = ast.expr

TESTS = ("normal",)
"""The functions that are tests."""

_FILTERS_LOCK = allocate_lock()  # two threads would each put back what the other had set aside
_ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Mod, ast.Pow)
_COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)


# ---- from text to a tree


def parse(
    text: str,
    *,
    names: Collection[str],
    functions: Mapping[str, int | None],
    condition: bool = False,
    remainder: str = "",
    deepest: int | None = None,
) -> Tree:
    """The syntax tree of an expression in the table's notation.

    Args:
        text: the expression.
        names: the names that it may use.
        functions: what it may call, each with the number of its operands; None for any number.
        condition: whether the whole of it is a test.
        remainder: why a remainder ``x % y`` may not stand in it; empty where it may.
        deepest: so deep it may be nested; None for any depth.

    Raises:
        ExpressionError: the text is not in the notation, a name in it is unknown, a function has
            too many or too few operands, or it is nested too deep.

    >>> parse("2.0 * x", names=["x"], functions={})  # doctest: +ELLIPSIS
    <ast.BinOp object at ...>
    >>> parse("__import__('os')", names=["x"], functions={"exp": 1})
    Traceback (most recent call last):
        ...
    tinygrad_bp.errors.ExpressionError: unknown function '__import__'; known: exp
    >>> parse("x > 2.0", names=["x"], functions={})
    Traceback (most recent call last):
        ...
    tinygrad_bp.errors.ExpressionError: 'x > 2.0' is true or false, and a number is needed there
    """
    text = text.strip()
    tree = _read(text)
    pending = [(tree, condition, 0)]
    while pending:  # without recursion: what a person types may be nested deep
        node, is_test, depth = pending.pop()
        parts = _parts(node)
        if parts is None:
            raise ExpressionError(
                f"{quoted(_part(text, node))} is not allowed in an expression: write numbers, names, "
                "+ - * / **, parentheses, calls of known functions, and 'a if x > 0 else b'"
            )
        match node:
            case ast.Name(id=name) if name not in names:
                known = first_few(sorted(names)) or "none"
                raise ExpressionError(f"unknown name {quoted(name)}; known: {known}")
            case ast.Call(func=ast.Name(id=name), args=operands):
                count = functions.get(name)
                if name not in functions:
                    known = ", ".join(sorted(functions))
                    raise ExpressionError(f"unknown function {quoted(name)}; known: {known}")
                if count not in (None, len(operands)):
                    call = shortened(_part(text, node))
                    raise ExpressionError(f"{name} takes {count} operands: {call}")
            case ast.Constant(value=value) if type(value) not in (int, float):
                raise ExpressionError(f"{quoted(value)} is not a number")
            case ast.BinOp(op=ast.Mod()) if remainder:
                raise ExpressionError(f"{quoted(_part(text, node))}: {remainder}")
        if is_test and not _is_test(node):
            part = _part(text, node)
            raise ExpressionError(
                f"{quoted(part)} is no test: write a comparison, as {shortened(part)} != 0"
            )
        if not is_test and _is_test(node):
            raise ExpressionError(
                f"{quoted(_part(text, node))} is true or false, and a number is needed there"
            )
        if deepest is not None and depth > deepest:
            raise ExpressionError(f"nested too deep, more than {deepest} times: {quoted(text)}")
        pending += [(part, tests, depth + 1) for part, tests in reversed(parts)]
    return tree


def _read(text: str) -> Tree:
    import warnings

    try:
        with _FILTERS_LOCK, warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # 1if x is odd, but it is what was meant
            read: Any = compile(text, "<expression>", "eval", ast.PyCF_ONLY_AST)
    except SyntaxError as error:
        # Python's words on a long number are on its own settings, with an advice that is no use here.
        too_long = "a whole number in it has thousands of digits" * ("digits" in error.msg)
        why = too_long or error.msg
        raise ExpressionError(f"not an expression: {quoted(text)} ({why})") from None
    except (RecursionError, MemoryError, ValueError) as error:
        raise ExpressionError(
            f"not an expression that can be read: {quoted(text)} ({str(error) or 'too deeply nested'})"
        ) from None
    tree: Tree = read.body
    return tree


def _part(text: str, node: ast.AST) -> str:
    """The part of the text that a node was read from."""
    from ast import get_source_segment  # for a message alone: it costs as much as the engine

    return get_source_segment(text, node) or type(node).__name__


def _parts(node: ast.AST) -> list[tuple[Tree, bool]] | None:
    """What a node is made of, each part with whether it is a test; None of a node without a meaning."""
    match node:
        case ast.Constant() | ast.Name():
            return []
        case ast.Call(func=ast.Name(), args=operands, keywords=[]):
            return [(each, False) for each in operands]
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            return [(operand, False)]
        case ast.BinOp(left=left, op=op, right=right) if isinstance(op, _ARITHMETIC):
            return [(left, False), (right, False)]
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return [(test, True), (body, False), (orelse, False)]
        case ast.Compare(left=left, ops=ops, comparators=others) if all(
            isinstance(op, _COMPARISONS) for op in ops
        ):
            return [(each, False) for each in (left, *others)]
        case ast.BoolOp(values=values):
            return [(each, True) for each in values]
    return None


def _is_test(node: Tree) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in TESTS
    if isinstance(node, ast.BoolOp):
        return all(map(_is_test, node.values))
    return isinstance(node, ast.Compare)


def names_in(tree: Tree) -> list[str]:
    """The names and the functions that a tree uses, once each, a power as the function ``pow``.

    >>> names_in(parse("x**2.0 if x < y else exp(x)", names="xy", functions={"exp": 1}))
    ['x', 'y', 'pow', 'exp']
    """
    return list(dict.fromkeys(_names(tree)))


def _names(tree: Tree) -> Iterator[str]:
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Name):
            yield node.id
        if isinstance(node, ast.Call):
            pending.append(node.func)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            yield "pow"
        parts = _parts(node) or []
        pending += [part for part, _ in reversed(parts)]


# ---- from a tree to text

CHOICE, OR, AND, COMPARISON, SUM, PRODUCT, SIGN, ATOM = range(8)
"""How tightly the parts of an expression bind, loosest first."""

Form = tuple[str, int, tuple[int, ...]]
"""How an operation is written: the text with a place for each operand, how tightly it binds, and how
tightly an operand must bind to stand there without parentheses."""

PYTHON: dict[str, Form] = {
    "Add": ("{} + {}", SUM, (SUM, PRODUCT)),
    "Sub": ("{} - {}", SUM, (SUM, PRODUCT)),
    "Mult": ("{} * {}", PRODUCT, (PRODUCT, SIGN)),
    "Div": ("{} / {}", PRODUCT, (PRODUCT, SIGN)),
    "Mod": ("{} % {}", PRODUCT, (PRODUCT, SIGN)),
    "Pow": ("pow({}, {})", ATOM, (CHOICE, CHOICE)),  # each type has a function for powers
    "USub": ("-{}", SIGN, (ATOM,)),
    "Lt": ("{} < {}", COMPARISON, (SUM, SUM)),
    "LtE": ("{} <= {}", COMPARISON, (SUM, SUM)),
    "Gt": ("{} > {}", COMPARISON, (SUM, SUM)),
    "GtE": ("{} >= {}", COMPARISON, (SUM, SUM)),
    "Eq": ("{} == {}", COMPARISON, (SUM, SUM)),
    "NotEq": ("{} != {}", COMPARISON, (SUM, SUM)),
    "And": ("{} and {}", AND, (AND, COMPARISON)),
    "Or": ("{} or {}", OR, (OR, AND)),
    "IfExp": ("{1} if {0} else {2}", CHOICE, (OR, OR, CHOICE)),  # the test comes first
}
"""Ordinary Python."""

DEFERRED: dict[str, Form] = PYTHON | {
    "And": ("And(lambda: {}, lambda: {})", ATOM, (CHOICE, CHOICE)),
    "Or": ("Or(lambda: {}, lambda: {})", ATOM, (CHOICE, CHOICE)),
    "IfExp": ("choose({}, lambda: {}, lambda: {})", ATOM, (CHOICE, CHOICE, CHOICE)),
    **{
        name.__name__: (f"{name.__name__}({{}}, {{}})", ATOM, (CHOICE, CHOICE))
        for name in _COMPARISONS
    },
}
"""Python in which every comparison is a call and every choice is made by a function: for numbers whose
comparisons may stay undecided, as those of symbols do."""


class Dialect:
    """How one language writes an expression.

    Args:
        forms: how it writes each operation.
        number: how it writes a literal.
        name: how it writes a name.
        function: how it writes the name of a function in a call.
        parts: what stands in the place of some names.
    """

    def __init__(
        self,
        forms: Mapping[str, Form] = PYTHON,
        *,
        number: Callable[[float], str] = repr,
        name: Callable[[str], str] = str,
        function: Callable[[str], str] = str,
        parts: Mapping[str, Tree] | None = None,
    ) -> None:
        self.forms = forms
        self.number = number
        self.name = name
        self.function = function
        self.parts = parts or {}

    def text(self, tree: Tree) -> str:
        """The expression in this language, with the same operations in the same order.

        Raises:
            ExpressionError: it is nested too deep.

        >>> tree = parse("(1 - x) * (1 + x)**2", names="x", functions={})
        >>> Dialect().text(tree)
        '(1 - x) * pow(1 + x, 2)'
        >>> in_c = Dialect({**PYTHON, "IfExp": ("{} ? {} : {}", CHOICE, (OR, OR, CHOICE))}, number="{:.17g}".format)
        >>> in_c.text(parse("x if x > 0.5 else 0.0", names="x", functions={}))
        'x > 0.5 ? x : 0'
        """
        try:
            return self._written(tree)[0]
        except RecursionError:
            raise ExpressionError("too deeply nested to be translated") from None

    def _written(self, node: ast.AST) -> tuple[str, int]:
        """The text of a part, and how tightly it binds."""
        match node:
            case ast.Constant(value=value):
                return self.number(value), ATOM  # type: ignore[arg-type]
            case ast.Name(id=name):
                if name in self.parts:
                    return self._written(self.parts[name])
                return self.name(name), ATOM
            case ast.Call(func=ast.Name(id=name), args=operands):
                listed = ", ".join([self._written(each)[0] for each in operands])
                return f"{self.function(name)}({listed})", ATOM
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self._written(operand)
            case ast.UnaryOp(operand=operand):
                return self._formed("USub", self._written(operand))
            case ast.BinOp(left=left, op=op, right=right):
                return self._formed(type(op).__name__, self._written(left), self._written(right))
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self._formed("IfExp", *map(self._written, (test, body, orelse)))
            case ast.Compare(left=left, ops=ops, comparators=others):
                sides = [*map(self._written, (left, *others))]
                tests = [
                    self._formed(type(op).__name__, *sides[place : place + 2])
                    for place, op in enumerate(ops)
                ]
                return self._joined("And", tests)
            case ast.BoolOp(op=op, values=values):
                return self._joined(type(op).__name__, [*map(self._written, values)])
        raise ExpressionError(f"{type(node).__name__} has no translation")

    def _joined(self, name: str, parts: list[tuple[str, int]]) -> tuple[str, int]:
        first, *others = parts
        for each in others:
            first = self._formed(name, first, each)
        return first

    def _formed(self, name: str, *operands: tuple[str, int]) -> tuple[str, int]:
        form, binding, least = self.forms[name]
        texts = [
            text if bound >= needed else f"({text})"
            for (text, bound), needed in zip(operands, least, strict=True)
        ]
        return form.format(*texts), binding
