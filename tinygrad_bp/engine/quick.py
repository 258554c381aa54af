"""The quick way for floats: for each row functions with the row and the making of the node written into them.

The engine works without it: `operations` asks it for a row's functions, and takes `apply` where there are
none.  The code that it generates is visible to debuggers and to `inspect`.
"""

from __future__ import annotations

import sys

from tinygrad_bp.engine.value import Value, as_list, new
from tinygrad_bp.numbers.families import PLAIN
from tinygrad_bp.numbers.kernels import made_by
from tinygrad_bp.numbers.of_python import BARE_FLOAT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from tinygrad_bp.table.rules import Rule


def ways(rule: Rule, otherwise: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """The functions of a row that take floats at once; none where the row has no quick way.

    What a user's own functions return has to be looked at, and where they have a value: those have none.

    Args:
        rule: the row.
        otherwise: called with the rule and the operands where these are not plain floats.

    Returns:
        ``function`` of the operands; of a row with two also ``left`` of a Value and the other operand, and
        ``right`` of a Value and the operand to the left of it.
    """
    if rule.variadic:
        return _define(_LIST if rule.arity == 1 else _TWO_LISTS, rule, otherwise)
    if rule.arity == 1 and rule.written and (rule.in_table or not rule.domain):
        return _define(_UNARY, rule, otherwise)
    return _define(_BINARY, rule, otherwise) if rule.arity == 2 and rule.in_table else {}


# Most of all time goes into making nodes.  For floats the row is therefore written into the function
# that makes its nodes, and so is `record`: calling them would cost half as much again.
_NODE = (
    "node = new(Value); node.data = {data}; node._x = {x}; node._dx = {dx}; node._y = {y}; "
    "node._dy = {dy}; node._rule = rule; node.grad = node._mark = 0; return node"
)

_UNARY = """
def function(a):
    try:
        if type(a) is Value:
            x = {read_x}
            if type(x) is float:
                {value}
                dx = {dx}
                if {unary_checked}:
                    {unary}
    except (ValueError, ArithmeticError):
        pass
    return otherwise(rule, a)
"""

_BINARY = """
def left(a, b):
    try:
        x = {read_x}
        if type(x) is float:
            if type(b) is Value:
                y = {read_y}
                if type(y) is float or type(y) is int:
                    {binary}
            elif {plain_b}:
                y = {constant_b}
                {left}
    except (ValueError, ArithmeticError):
        pass
    return otherwise(rule, a, b)

def right(b, a):
    try:
        if {plain_a}:
            x, y = {constant_a}, {read_y}
            if type(y) is float:
                {right}
    except (ValueError, ArithmeticError):
        pass
    return otherwise(rule, a, b)

def function(a, b):
    if type(a) is Value:
        return left(a, b)
    return right(b, a) if type(b) is Value else otherwise(rule, a, b)
"""

# A list is of one type nearly always, which its first number tells.  Without that look, NumPy's whole
# numbers, which go another way, would be multiplied here first, and warn that they go round.
_LIST = """
def function(a):
    a = tuple(a) if type(a) is list else as_list(rule.name, a)
    try:
        x = reader[len(a)](a)
        if type(x[0]) not in plain:
            raise TypeError
        {value}
        if type(out) is float:
            {list}
    except (AttributeError, LookupError, TypeError, ValueError, ArithmeticError):
        pass
    return otherwise(rule, a)
"""

_TWO_LISTS = """
def function(a, b):
    if type(a) is not list:
        a = [*as_list(rule.name, a)]
    if type(b) is not list:
        b = [*as_list(rule.name, b)]
    try:
        if len(a) == len(b):
            read = reader[len(a)]
            x, y = read(a), read(b)
            if not (type(x[0]) in plain and type(y[0]) in plain):
                raise TypeError
            {value}
            if type(out) is float:
                {two_lists}
    except AttributeError:
        return beside_numbers(a, b)
    except (LookupError, TypeError, ValueError, ArithmeticError):
        pass
    return otherwise(rule, tuple(a), tuple(b))

def beside_numbers(a, b):
    try:
        if {{*map(type, b)}} <= plain:
            x, y = reader[len(a)](a), {constants_b}
            if type(x[0]) not in plain:
                raise TypeError
            {value}
            if type(out) is float:
                {left_list}
        elif {{*map(type, a)}} <= plain:
            x, y = {constants_a}, reader[len(b)](b)
            if type(y[0]) not in plain:
                raise TypeError
            {value}
            if type(out) is float:
                {right_list}
    except (AttributeError, LookupError, TypeError, ValueError, ArithmeticError):
        pass
    return otherwise(rule, tuple(a), tuple(b))
"""

# How the templates read an operand: as it is; or, of NumPy's float64, as the float that it is.
_READ = {
    "read_x": "a.data",
    "read_y": "b.data",
    "plain_a": "type(a) is float or type(a) is int",
    "plain_b": "type(b) is float or type(b) is int",
    **dict.fromkeys(("constant_a", "constants_a"), "a"),
    **dict.fromkeys(("constant_b", "constants_b"), "b"),
}
_REAL = "(float(number) if type(number := {}) is float64 else number)"
_READ_FLOAT64 = {
    "read_x": _REAL.format("a.data"),
    "read_y": _REAL.format("b.data"),
    "plain_a": "type(a) in plain",
    "plain_b": "type(b) in plain",
    "constant_a": _REAL.format("a"),
    "constant_b": _REAL.format("b"),
    "constants_a": f"[{_REAL.format('v')} for v in a]",
    "constants_b": f"[{_REAL.format('v')} for v in b]",
}


class _Readers(dict[int, "Callable[..., Any]"]):
    """The function that reads the numbers of a list of Values, for each length: made when first asked for.

    With every entry written out it takes half the time of a loop; and of an operation on a short list,
    reading is the greater part.

    Args:
        entry: how one of them is read, by a name to be filled in.
        float64: NumPy's, if that is what is read.
    """

    LONGEST = 64
    """A longer list takes a loop hardly more, and writing its entries out takes milliseconds."""

    def __init__(self, entry: str, float64: Any = None) -> None:
        self.entry = entry
        self.names = {"float64": float64}

    def __missing__(self, size: int) -> Callable[..., Any]:
        if size > self.LONGEST:
            return self[-1]  # which reads a list of any length
        entries = [f"v{k}" for k in range(size)]
        numbers = [f"{self.entry.format(each)}," for each in entries]
        written_out = f"[{', '.join(entries)}] = a; return ({' '.join(numbers)})"
        loop = f"return tuple([{self.entry.format('v')} for v in a])"
        source = f"def read(a): {loop if size < 0 else written_out}"
        read = self[size] = BARE_FLOAT.define(source, self.names, title=f"a list of {size}")["read"]
        return read


_READERS = _Readers("{}._number")


def _define(
    template: str, rule: Rule, otherwise: Callable[..., Any], float64: Any = None
) -> dict[str, Callable[..., Any]]:
    """The functions of a template, by name, with the row written into them.

    Args:
        template: the text of their definitions.
        rule: a row of the table.
        otherwise: called with the rule and the operands where these are not plain floats.
        float64: NumPy's, for the functions that take its numbers, and floats among them; their results
            and derivatives are of that type.
    """

    def kept(text: str) -> str:
        """A derivative as it is put into the node."""
        return made_by("float64", text) if float64 else text

    def not_finite() -> NoReturn:
        raise ValueError  # NumPy may have something to say to that

    def node(**parts: str | None) -> str:
        data = "float64(out) if out - out == 0.0 else not_finite()" if float64 else "out"
        return _NODE.format(data=data, **{"dx": None, "dy": None, **parts})

    shared, value, chosen = BARE_FLOAT.source(rule, tuple(range(rule.arity)))
    dx, dy = (*chosen, "")[:2]
    value = "; ".join([*shared, f"out = {value}"])
    listed = "(*map(float64, {}),)" if float64 else "{}"
    dxs, dys = listed.format(dx), listed.format(dy)
    both = f"{value}; "
    parts = {
        **(_READ_FLOAT64 if float64 else _READ),
        "value": value,
        "dx": dx,
        "unary": node(x="a", dx="dx" if kept(dx) == dx else kept("dx"), y=None),
        # x ** 0.5 of a user's may be complex
        "unary_checked": rule.in_table or "type(out) is float is type(dx)",
        "binary": both + node(x="a", dx=kept(dx), y="b", dy=kept(dy)),
        "left": both + node(x="a", dx=kept(dx), y="b"),
        "right": both + node(x="a", y="b", dy=kept(dy)),
        "list": node(x="a", y=f"tuple({dxs})"),
        "two_lists": node(x="tuple(a + b)", y=f"{dxs} + {dys}"),
        "left_list": node(x="(*a,)", y=f"(*{dxs}, (*[None] * len(a), *b))"),
        "right_list": node(x="(*b,)", y=f"(*{dys}, (*a, *[None] * len(b)))"),
    }
    names = {
        "Value": Value,
        "new": new,
        "as_list": as_list,
        "plain": PLAIN | {float64},
        "float64": float64,
        "not_finite": not_finite,
        "rule": rule,
        "reader": _Readers(_REAL.format("{}._number"), float64) if float64 else _READERS,
        "otherwise": otherwise if float64 else _after_floats(template, otherwise),
    }
    title = rule.name + " of float64" * bool(float64)
    return BARE_FLOAT.define(template.format_map(parts), names, title=title)


def _after_floats(template: str, otherwise: Callable[..., Any]) -> Callable[..., Any]:
    """What the quick way for floats leaves: NumPy's float64 has one too, made when it is first asked for."""
    quick: Callable[..., Any] | None = None

    def next_way(rule: Rule, *operands: Any) -> Any:
        nonlocal quick
        if quick is None:
            float64 = getattr(sys.modules.get("numpy"), "float64", None)
            if float64 is None or not rule.in_table:
                return otherwise(rule, *operands)
            quick = _define(template, rule, otherwise, float64)["function"]
        return quick(*operands)

    return next_way
