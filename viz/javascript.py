"""The table as JavaScript, for a page that recalculates by itself.

The contract with the page.  `source` returns statements that define one constant::

    const engine = (() => { ... })();   // {rules, evaluate}, frozen

``engine.rules[key]`` is a row, ``key`` being what `keys` gives for it (the row's own name, for a row
of the table; a prototype's names, as ``toString``, are no keys)::

    {
      name: "tanh", symbol: "tanh", arity: 1, variadic: false,
      value: (x) => number,                    // one parameter for each operand
      derivatives: [(x, out) => number],       // for each operand: all operands, then the value
      domain: (x) => boolean,                  // whether there is a value; nan meets every condition
      condition: "",                           // the domain as the table writes it, for a message
      kink: (x) => boolean,                    // whether the derivative there is a convention
      convention: [],                          // and which, a number for each operand
    }

Call ``value`` and ``derivatives`` only where ``domain`` is true.  Of a variadic row the operands are
arrays, one for each of ``arity``, all of one length (of ``dot``, the first half of the node's operands
and the second); so is what a derivative returns.  A page need not know that::

    engine.evaluate(row, operands, wanted)     // {data, derivatives}, or null: no value there

takes the node's operands in one flat array, gives a derivative for each, and asks no derivative where
``wanted[place]`` is false (an operand that is a plain number; left out: all are wanted), as Python does
not.  All numbers are floats: a graph of fractions is recalculated as one of floats.

A row whose value or derivatives are functions of Python cannot be translated; `obstacle` says so.
Whatever comes from a user passes the table's own parser, or is quoted as JSON, with ``<`` escaped, so
that the text can stand in a ``<script>``.

The functions that ``Math`` lacks, or has otherwise than Python, are written out in ``engine.js``.
"""

from __future__ import annotations

import ast
import json
import math
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from tinygrad_bp.errors import ExpressionError
from tinygrad_bp.quoting import quoted
from tinygrad_bp.rules import CONSTANTS, FUNCTION_NAMES, HELPERS, PARAMETERS, RULES, Rule, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_NAMES = dict(zip(CONSTANTS, ("Infinity", "NaN", "Math.PI"), strict=True))
_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
# `==` and not `===`: 1 equals true in both languages, and there is nothing else than these
_COMPARISONS = dict(
    zip(
        (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq),
        ("<", "<=", ">", ">=", "==", "!="),
        strict=True,
    )
)
_OPERANDS = (*PARAMETERS, "out")
_WORD = re.compile(r"[A-Za-z_]\w*")
_RAISING = "raising_"
"""Before the name of a function that raises where Python's does."""


@cache
def expression(text: str, names: tuple[str, ...] = _OPERANDS, *, raising: bool = False) -> str:
    """An expression of the table in JavaScript, with the same operations in the same order.

    Args:
        text: the expression.
        names: what it may use; by default ``x, y, z`` and ``out``.
        raising: throw a ``RangeError`` where Python would raise, in a division or a function.

    Raises:
        ExpressionError: it is not in the table's notation, or not to be said in JavaScript.

    >>> expression("1.0 if x > y else 0.0 if x < y else 0.5 * x**2")
    '(x > y) ? 1.0 : ((x < y) ? 0.0 : (0.5 * pow(x, 2.0)))'
    """
    return _translated(text, names, _Translator(raising=raising).visit)


def _condition(text: str, names: Iterable[str]) -> str:
    """An expression that is only asked whether it is true."""
    return _translated(text, names, _Translator(raising=False).test)


def _translated(text: str, names: Iterable[str], translate: Callable[[ast.expr], str]) -> str:
    tree = parse(text, names=(*names, *CONSTANTS), functions=(*FUNCTION_NAMES, *HELPERS))
    try:
        return _bare(translate(tree))
    except RecursionError:
        raise ExpressionError(f"too deeply nested to be translated: {text[:60]!r}...") from None


class _Translator(ast.NodeVisitor):
    """From the table's notation to JavaScript: atoms, calls, and everything else in parentheses."""

    def __init__(self, *, raising: bool) -> None:
        self._raising = raising
        self._middles = 0

    def visit(self, node: ast.AST) -> str:
        return super().visit(node)  # type: ignore[no-any-return]

    def visit_Name(self, node: ast.Name) -> str:
        return _NAMES.get(node.id, node.id)

    def visit_Constant(self, node: ast.Constant) -> str:
        try:
            number = float(node.value)  # type: ignore[arg-type]
        except OverflowError:
            raise ExpressionError("a whole number in it is too large for a float") from None
        return repr(number) if number < math.inf else "Infinity"

    def visit_Call(self, node: ast.Call) -> str:
        name = node.func.id  # type: ignore[attr-defined]
        if name in RULES and RULES[name].variadic:
            raise ExpressionError(f"{name} takes lists, and there are none in an expression")
        arity = RULES[name].arity if name in RULES else HELPERS[name]
        if len(node.args) != arity:
            raise ExpressionError(f"{name} takes {arity} operands, not {len(node.args)}")
        return self._call(_RAISING * self._raising + name, *node.args)

    def _call(self, name: str, *operands: ast.expr) -> str:
        return f"{name}({', '.join(_bare(self.visit(each)) for each in operands)})"

    def visit_UnaryOp(self, node: ast.UnaryOp) -> str:
        return f"({'-' if isinstance(node.op, ast.USub) else '+'}{self.visit(node.operand)})"

    def visit_BinOp(self, node: ast.BinOp) -> str:
        if isinstance(node.op, ast.Mod):
            return self._call("modulo", node.left, node.right)
        if isinstance(node.op, ast.Pow):
            return self._call("power" if self._raising else "pow", node.left, node.right)
        if isinstance(node.op, ast.Div) and self._raising:
            return self._call("divide", node.left, node.right)
        sign = _OPERATORS[type(node.op)]
        return f"({self.visit(node.left)} {sign} {self.visit(node.right)})"

    def visit_IfExp(self, node: ast.IfExp) -> str:
        test = self.test(node.test)
        return f"({test} ? {self.visit(node.body)} : {self.visit(node.orelse)})"

    def visit_BoolOp(self, node: ast.BoolOp) -> str:
        if all(map(_is_truth, node.values)):
            return self.test(node)
        *first, last = node.values  # Python's `and` and `or` give back an operand
        both = "both" if isinstance(node.op, ast.And) else "either"
        found = self.visit(last)
        for each in reversed(first):
            found = f"{both}({_bare(self.visit(each))}, () => {found})"
        return found

    def visit_Compare(self, node: ast.Compare) -> str:
        """A chain: each operand is evaluated once, and only if the tests before it held."""
        left, tests, close = self.visit(node.left), "", ""
        for place, (operator, operand) in enumerate(
            zip(node.ops, node.comparators, strict=True), 1
        ):
            right = self.visit(operand)
            sign = _COMPARISONS[type(operator)]
            if place < len(node.ops) and not isinstance(operand, (ast.Name, ast.Constant)):
                self._middles += 1
                middle = f"m{self._middles}"
                tests += f"(({middle}) => {left} {sign} {middle}"
                close = f")({_bare(right)}){close}"
                right = middle
            else:
                tests += f"{left} {sign} {right}"
            tests += " && " * (place < len(node.ops))
            left = right
        return f"({tests}{close})"

    def test(self, node: ast.expr) -> str:
        """A condition.  NaN is true in Python, as every number but 0."""
        if isinstance(node, ast.BoolOp):
            sign = " && " if isinstance(node.op, ast.And) else " || "
            return f"({sign.join(map(self.test, node.values))})"
        return self.visit(node) if _is_truth(node) else f"({self.visit(node)} != 0.0)"


def _is_truth(node: ast.expr) -> bool:
    return isinstance(node, ast.Compare) or (
        isinstance(node, ast.BoolOp) and all(map(_is_truth, node.values))
    )


def _bare(text: str) -> str:
    """Without its outermost parentheses, if they belong together."""
    if not text.startswith("("):
        return text
    depth = 0
    for place, each in enumerate(text):
        depth += (each == "(") - (each == ")")
        if depth == 0:
            return text[1:-1] if place == len(text) - 1 else text
    return text


# ---- rows


def obstacle(rule: Rule) -> str:
    """Why a row cannot be translated; empty where it can.

    >>> obstacle(RULES["tanh"])
    ''
    >>> obstacle(Rule("half", lambda x: x / 2, ("0.5",)))
    "'half' cannot be recalculated in a page: its value is a function of Python; write an expression"
    """
    try:
        _row(rule, rule.name)
    except ExpressionError as error:
        return str(error)
    return ""


def keys(rules: Iterable[Rule]) -> dict[Rule, str]:
    """What each row is called in the page: by its name, and a user's by a number where that is taken.

    Rows that can be translated are named first, so that `source` of them alone has the same keys.

    >>> keys([RULES["tanh"], Rule("tanh", "x", ("1.0",)), Rule("cube", "x**3", ("3*x**2",))]).values()
    dict_values(['tanh', 'tanh (2)', 'cube'])
    """
    named: dict[Rule, str] = {}
    taken = set(RULES)
    for rule in sorted(dict.fromkeys(rules), key=lambda rule: obstacle(rule) != ""):
        key = rule.name
        number = 1
        while key in taken and not rule.in_table:
            number += 1
            key = f"{rule.name} ({number})"
        taken.add(key)
        named[rule] = key
    return named


def source(rules: Iterable[Rule] = RULES.values()) -> str:
    r"""The JavaScript that defines ``engine`` for some rows; this room's docstring describes it.

    Args:
        rules: the rows, of the table or of a user.

    Raises:
        ExpressionError: a row cannot be translated.

    >>> print(source([RULES["square"]]))  # doctest: +ELLIPSIS
    const engine = (() => {
    "use strict";
    ...
      ["square"]: {
        name: "square", symbol: "\u00b2", arity: 1, variadic: false,
        value: (x) => x * x,
        derivatives: [(x, out) => 2.0 * x],
        domain: (x) => true,
        condition: "",
        kink: (x) => false,
        convention: [],
      },
    ...
    """
    rows = {key: _row(rule, key) for rule, key in keys(rules).items()}
    listed = "\n".join(row for _, row in rows.values())
    called = "\n".join(code for code, _ in rows.values())
    helpers = "\n\n".join(_needed(f"{called}\nevaluate"))
    return (
        f'const engine = (() => {{\n"use strict";\n\n{helpers}\n\n'
        f"const rules = {{\n  __proto__: null,\n{listed}\n}};\n"
        "for (const row of Object.values(rules)) Object.freeze(row);\n"
        "return Object.freeze({ rules: Object.freeze(rules), evaluate });\n})();\n"
    )


def _row(rule: Rule, key: str) -> tuple[str, str]:
    """A row's expressions by themselves, and the row as a member of ``rules``."""
    ours = rule.in_table
    names = PARAMETERS[: rule.arity]
    operands = ", ".join(names)
    value, *derivatives = _expressions(rule)
    if ours and rule.name in _written_out():
        value = f"{rule.name}({operands})"
    else:
        value = expression(value, names, raising=not ours)
    derivatives = [_derivative(rule, each, raising=not ours) for each in derivatives]
    conditions = [_domain(rule)] if rule.domain else []
    if not ours:  # the user may have given no domain
        conditions.append(f"answers(() => {value})")
    domain = " && ".join(conditions) or "true"
    kink = _condition(rule.kink, names) if rule.kink else "false"
    convention = ", ".join(expression(each, ()) for each in rule.convention)
    backward = ", ".join(f"({operands}, out) => {each}" for each in derivatives)
    row = f"""\
  [{_quoted(key)}]: {{
    name: {_quoted(rule.name)}, symbol: {_quoted(rule.symbol)}, arity: {rule.arity}, \
variadic: {json.dumps(rule.variadic)},
    value: ({operands}) => {value},
    derivatives: [{backward}],
    domain: ({operands}) => {domain},
    condition: {_quoted(rule.domain)},
    kink: ({operands}) => {kink},
    convention: [{convention}],
  }},"""
    return "\n".join([value, *derivatives, domain, kink, convention]), row


def _expressions(rule: Rule) -> list[str]:
    """The value and the derivatives."""
    texts = []
    for what, each in [("value", rule.value), *(("derivative", each) for each in rule.derivatives)]:
        if not isinstance(each, str):
            raise ExpressionError(
                f"{quoted(rule.name)} cannot be recalculated in a page: its {what} is a function of "
                "Python; write an expression"
            )
        texts.append(each)
    return texts


def _derivative(rule: Rule, text: str, *, raising: bool) -> str:
    names = PARAMETERS[: rule.arity]
    each = expression(text, (*names, "out"), raising=raising)
    if not rule.variadic or text in names:  # the other list, as it is
        return each
    elements = ", ".join(f"{name}[place]" for name in names)
    return f"x.map((_, place) => (({', '.join(names)}, out) => {each})({elements}, out))"


def _domain(rule: Rule) -> str:
    """The condition, which nan meets: as `tinygrad_bp.arithmetic` has it."""
    names = PARAMETERS[: rule.arity]
    missing = [f"Number.isNaN({name})" for name in names if name in rule.domain]
    return f"({' || '.join([*missing, f'({_condition(rule.domain, names)})'])})"


def _quoted(text: str) -> str:
    return json.dumps(text).replace("<", "\\u003c")


# ---- the functions that rows call


@cache
def _written_out() -> dict[str, str]:
    """The declarations of ``engine.js`` by name, in order."""
    text = files("viz").joinpath("engine.js").read_text(encoding="utf-8")
    start = r"(?:const|function) (\w+)"
    found = re.finditer(rf"(?ms)^(?://[^\n]*\n)*{start}.*?(?=^//|^const|^function|\Z)", text)
    return {each[1]: each[0].rstrip() for each in found}


def _needed(code: str) -> list[str]:
    """The declarations that some code needs, and those that these need, each after what it needs."""
    needed: dict[str, str] = {}
    pending = [code]
    while pending:
        words = {*_WORD.findall(pending.pop())}  # a comment's too, which does no harm
        new = {name: _declaration(name) for name in words - needed.keys()}
        needed |= new
        pending += filter(None, new.values())
    known = dict.fromkeys(("compensated", *_written_out(), *RULES))
    order = {
        name: place for place, name in enumerate([*known, *(_RAISING + each for each in known)])
    }
    return [needed[name] for name in sorted(order.keys() & needed.keys(), key=order.__getitem__)]


def _declaration(name: str) -> str:
    """The declaration of a function, written out or read off its row; empty for any other word."""
    written = _written_out()
    if name == "compensated":  # as `sum` is from Python 3.12 on
        return f"const compensated = {json.dumps(sum([1.0, 1e100, 1.0, -1e100]) == 2.0)};"
    if name in written:
        return written[name]
    called = name.removeprefix(_RAISING)
    if name != called and called in written:
        return f"const {name} = raising({called});"
    if called not in RULES:
        return ""
    rule = RULES[called]
    value, *_ = _expressions(rule)
    operands = ", ".join(PARAMETERS[: rule.arity])
    return f"const {name} = ({operands}) => {expression(value, raising=name != called)};"
