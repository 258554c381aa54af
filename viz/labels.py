"""Text for pictures: whatever a label holds, it is shown, and never read as markup.

Everything that a picture says goes through `markup` (for Graphviz's HTML-like labels) or `plain`
(for its ordinary ones).  This module knows neither layout nor colours.
"""

from __future__ import annotations

from tinygrad_bp import Value, quoting
from tinygrad_bp.explain.escaping import for_html
from tinygrad_bp.numbers.text import format_number
from tinygrad_bp.table.notation import in_text, lists

LIMIT = 40
"""The longest text shown, in characters."""

LINE = 200
"""The longest sentence shown: a title, or a step in words."""

HOLE = "·"
"""Stands for an operand that is a node, where the others are written out."""


def shown(text: str, limit: int = LIMIT) -> str:
    r"""The text as a picture shows it: one line, nothing invisible, not too long.

    >>> shown("a\nb\u202ec")
    'aU+000AbU+202Ec'
    >>> shown("weight", limit=4)
    'wei…'
    """
    return quoting.shown(text, limit)


def markup(text: str, limit: int = LIMIT) -> str:
    r"""The text as `shown`, for the inside of an HTML-like label.

    Graphviz replaces ``\N`` and its kin there too, so that a backslash is doubled.

    >>> markup(r"<b> & \N")
    '&lt;b&gt; &amp; \\\\N'
    """
    return for_html(text, limit).replace("\\", r"\\")


def plain(*lines: str, left: bool = False, limit: int = LIMIT) -> str:
    r"""The lines, each as `shown`, for an ordinary label, centred or flush left.

    Graphviz reads entities there as well.  Each line is ended, the last one too: the Python wrapper
    takes a label for HTML that begins with ``<`` and ends with ``>``.

    >>> plain("<b>", r"\l &amp;")
    '<b>\\n\\\\l &amp;amp;\\n'
    """
    end = r"\l" if left else r"\n"
    escaped = (shown(line, limit).replace("\\", r"\\").replace("&", "&amp;") for line in lines)
    return "".join(line + end for line in escaped)


def operation(node: Value) -> str:
    """The operation's symbol, with the operands that are plain numbers in their places.

    >>> x = Value(3.0)
    >>> [operation(each) for each in (x, x * x, x**2, 1 - x, x.maximum(0.0))]
    ['', '*', '** 2', '1 -', 'max(·, 0)']
    """
    rule = node.rule
    if rule is None:
        return ""
    symbol = rule.name if rule.symbol == HOLE else rule.symbol
    operands = [HOLE if isinstance(each, Value) else format_number(each) for each in node.operands]
    if all(isinstance(each, Value) for each in node.operands):
        return symbol
    if rule.variadic:
        return in_text(rule).on([f"[{', '.join(each)}]" for each in lists(rule, operands)])
    beside = ["" if each == HOLE else each for each in operands]
    return in_text(rule, symbol).on(operands, beside).strip()
