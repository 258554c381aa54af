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

import json
import math
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from tinygrad_bp.errors import ExpressionError
from tinygrad_bp.quoting import quoted
from tinygrad_bp.table.expression import (
    AND,
    ATOM,
    CHOICE,
    COMPARISON,
    OR,
    PYTHON,
    Dialect,
)
from tinygrad_bp.table.rules import CONSTANTS, PARAMETERS, RULES, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from tinygrad_bp.table.expression import Form

_NAMES = dict(zip(CONSTANTS, ("Infinity", "NaN", "Math.PI"), strict=True))
_ANY = (CHOICE, CHOICE)
_FORMS: dict[str, Form] = PYTHON | {
    "IfExp": ("{} ? {} : {}", CHOICE, (OR, OR, CHOICE)),
    "And": ("{} && {}", AND, (AND, COMPARISON)),
    "Or": ("{} || {}", OR, (OR, AND)),
    "Mod": ("modulo({}, {})", ATOM, _ANY),
}
_WORD = re.compile(r"[A-Za-z_]\w*")
_RAISING = "raising_"
"""Before the name of a function that raises where Python's does."""


def _literal(number: float) -> str:
    try:
        return repr(float(number)) if float(number) < math.inf else "Infinity"
    except OverflowError:
        raise ExpressionError("a whole number in it is too large for a float") from None


def _name(name: str) -> str:
    return _NAMES.get(name, name)


JAVASCRIPT = Dialect(_FORMS, number=_literal, name=_name)
"""JavaScript, with the same operations in the same order.

>>> tree = RULES["maximum"].tree("1.0 if x > y else 0.0 if x < y else 0.5 * x**2")
>>> JAVASCRIPT.text(tree)
'x > y ? 1.0 : x < y ? 0.0 : 0.5 * pow(x, 2.0)'
"""
RAISING = Dialect(
    _FORMS
    | {"Div": ("divide({}, {})", ATOM, _ANY), "Pow": (f"{_RAISING}pow({{}}, {{}})", ATOM, _ANY)},
    number=_literal,
    name=_name,
    function=f"{_RAISING}{{}}".format,
)
"""JavaScript that throws a ``RangeError`` where Python would raise, in a division or a function."""


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
    r"""The JavaScript that defines ``engine`` for some rows; this module's docstring describes it.

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
    dialect = JAVASCRIPT if ours else RAISING
    operands = ", ".join(PARAMETERS[: rule.arity])
    _check_written(rule)
    if ours and rule.name in _written_out():
        value = f"{rule.name}({operands})"
    else:
        value = _body(rule, rule.brief_value, dialect)
    derivatives = [_derivative(rule, slot, dialect) for slot in range(rule.arity)]
    conditions = [_domain(rule)] if rule.domain else []
    if not ours:  # the user may have given no domain
        conditions.append(f"answers(() => {value})")
    domain = " && ".join(conditions) or "true"
    kink = JAVASCRIPT.text(rule.tree(rule.kink, "condition")) if rule.kink else "false"
    convention = ", ".join(
        JAVASCRIPT.text(rule.tree(each, "convention")) for each in rule.convention
    )
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


def _body(rule: Rule, text: Any, dialect: Dialect, part: str = "value") -> str:
    """What an arrow function has to its right: an expression, or what it shares with others before it."""
    shared = [f"const {name} = {dialect.text(rule.tree(each))}; " for name, each in rule.lets(text)]
    answer = dialect.text(rule.tree(text, part))
    return f"{{ {''.join(shared)}return {answer}; }}" if shared else answer


def _check_written(rule: Rule) -> None:
    if not rule.written:
        what = "derivative" if isinstance(rule.value, str) else "value"
        raise ExpressionError(
            f"{quoted(rule.name)} cannot be recalculated in a page: its {what} is a function of "
            "Python; write an expression"
        )


def _derivative(rule: Rule, slot: int, dialect: Dialect) -> str:
    names = PARAMETERS[: rule.arity]
    each = _body(rule, rule.brief_derivatives[slot], dialect, "derivative")
    if not rule.variadic or each in names:  # the other list, as it is
        return each
    elements = ", ".join(f"{name}[place]" for name in names)
    return f"x.map((_, place) => (({', '.join(names)}, out) => {each})({elements}, out))"


def _domain(rule: Rule) -> str:
    """The condition as `tinygrad_bp.numbers.kernels` has it: nan meets it, and one that raises is not met."""
    missing = "".join(f"Number.isNaN({name}) || " for name in rule.domain_operands)
    tree = rule.tree(rule.domain, "condition")
    if rule.in_table:
        return f"({missing}{JAVASCRIPT.text(tree)})"
    return f"({missing}holds(() => {RAISING.text(tree)}))"


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
    operands = ", ".join(PARAMETERS[: rule.arity])
    body = _body(rule, rule.brief_value, JAVASCRIPT if name == called else RAISING)
    return f"const {name} = ({operands}) => {body};"
