"""Formulas in MathML: each atom of a line, and a line as the inside of a ``math`` element."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from tinygrad_bp.explain.escaping import LONGEST_PROSE, for_html
from tinygrad_bp.table.notation import Form

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinygrad_bp.table.rules import Rule
from tinygrad_bp.explain.formula import (
    LONGEST_EXPRESSION,
    Atom,
    Derivative,
    Line,
    Name,
    Operation,
    Over,
    Quantity,
    Sign,
    Symbol,
    Vector,
    Words,
    ends,
    is_symbolic,
    number_text,
    places,
    symbolic_markup,
    with_brackets,
)


def write_mathml(line: Line) -> str:
    """The atoms of the line as the inside of a ``math`` element; indenting is the page's business."""
    return atoms_mathml(line.atoms)


def atoms_mathml(atoms: Sequence[Atom]) -> str:
    """Atoms as MathML."""
    return "".join(_atom_mathml(atom) for atom in atoms)


def _atom_mathml(atom: Atom) -> str:
    match atom:
        case Name(name):
            simple = re.fullmatch(r"([A-Za-z])([0-9]+)", name)
            if simple:
                return f"<msub><mi>{simple[1]}</mi><mn>{simple[2]}</mn></msub>"
            return f"<mi>{for_html(name)}</mi>"
        case Words(words):
            return f"<mtext>{for_html(words, LONGEST_PROSE)}</mtext>"
        case Symbol(letter, layer, index):
            below, above = places(letter, layer, index, _index_mathml)
            base = f"<mi>{html.escape(letter.removesuffix(chr(39)))}</mi>"
            below = below.replace(",", "<mo>,</mo>")
            above = f"<mo>(</mo>{above}<mo>)</mo>" if above else ""
            above += "<mo>′</mo>" * letter.endswith("'")
            if below and above:
                return f"<msubsup>{base}<mrow>{below}</mrow><mrow>{above}</mrow></msubsup>"
            return f"<msub>{base}<mrow>{below}</mrow></msub>" if below else base
        case Quantity():
            return number_mathml(atom)
        case Derivative(of, by, note):
            upper, lower = (f"<mrow><mi>∂</mi>{_atom_mathml(each)}</mrow>" for each in (of, by))
            fraction = f"<mfrac>{upper}{lower}</mfrac>"
            return f"<msub>{fraction}<mtext>{for_html(note)}</mtext></msub>" if note else fraction
        case Vector(parts):
            inner = "<mo>,</mo>".join(_atom_mathml(each) for each in ends(parts))
            return f"<mrow><mo>(</mo>{inner}<mo>)</mo></mrow>"
        case Over(index, last):
            low = f"<mrow>{_index_mathml(index)}<mo>=</mo><mn>1</mn></mrow>"
            return f"<munderover><mo>∑</mo>{low}<mrow>{_index_mathml(last)}</mrow></munderover>"
        case Operation():
            return _operation_mathml(atom)
        case Sign(sign):
            stretch = ' stretchy="false"' if sign in "[]()" else ""
            return f"<mo{stretch}>{html.escape(sign.replace('-', '−'))}</mo>"


def _operation_mathml(operation: Operation) -> str:
    """The operation by its row."""
    alone = len(operation.operands) == 1 and isinstance(operation.operands[0], Vector)
    form = _form_in_mathml(operation.rule, has_brackets=alone)
    return form.on(
        *with_brackets(operation, _atom_mathml, "<mrow><mo>(</mo>{}<mo>)</mo></mrow>".format)
    )


def _form_in_mathml(rule: Rule, *, has_brackets: bool) -> Form:
    """A fraction, a power, a sign between operands, or a call."""
    if rule.name == "/":
        return Form(("<mfrac>", "", "</mfrac>"), (True, True))
    if rule.name == "**":
        return Form(("<msup>", "", "</msup>"), (False, True))
    symbol = f"<mo>{for_html({'-': '−', '*': '·'}.get(rule.symbol, rule.symbol))}</mo>"
    if rule.infix:
        return Form(("<mrow>", symbol, "</mrow>"), (False, False))
    if rule.name == "neg":
        return Form((f"<mrow>{symbol}", "</mrow>"), (False,))
    opening, closing = ("", "") if has_brackets else ("<mo>(</mo>", "<mo>)</mo>")
    commas = ["<mo>,</mo>"] * (rule.arity - 1)
    name = f"<mrow><mi>{for_html(rule.name)}</mi>"
    return Form((f"{name}{opening}", *commas, f"{closing}</mrow>"), (True,) * rule.arity)


def _index_mathml(index: int | str) -> str:
    shown = str(index)
    if parts := re.fullmatch(r"([A-Za-z])(.+)", shown):
        below = "".join(
            f"<mn>{each}</mn>"
            if each.isdigit()
            else f"<mo>{each}</mo>"
            if each in "+-"
            else f"<mi>{each}</mi>"
            for each in re.findall(r"\d+|.", html.escape(parts[2]))
        )
        return f"<msub><mi>{parts[1]}</mi><mrow>{below}</mrow></msub>"
    return f"<mn>{shown}</mn>" if shown.isdigit() else f"<mi>{html.escape(shown)}</mi>"


def number_mathml(number: Quantity) -> str:
    """A number as MathML.

    >>> from fractions import Fraction
    >>> number_mathml(Quantity(Fraction(-1, 3)))
    '<mrow><mo form="prefix">−</mo><mfrac><mn>1</mn><mn>3</mn></mfrac></mrow>'
    """
    shown = number_text(number)
    if is_symbolic(number.value):
        inert = f"<mtext>{for_html(shown, LONGEST_EXPRESSION)}</mtext>"
        return symbolic_markup(number.value, shown, "mathml") or inert
    found = re.fullmatch(r"(≈?)([+-]?)(?:(\d+)/(\d+)|([\d.]+)(?:e([+-]\d+))?|(inf))", shown)
    if not found:
        return f"<mtext>{for_html(shown)}</mtext>"
    almost, sign, above, below, decimal, power, infinite = found.groups()
    if above:
        inner = f"<mfrac><mn>{above}</mn><mn>{below}</mn></mfrac>"
    elif infinite:
        inner = "<mi>∞</mi>"
    else:
        inner = f"<mn>{decimal}</mn>"
        if power:
            exponent = str(int(power)).replace("-", "−")
            inner += f"<mo>×</mo><msup><mn>10</mn><mn>{exponent}</mn></msup>"
    before = "<mo>≈</mo>" * bool(almost)
    before += f'<mo form="prefix">{sign.replace("-", "−")}</mo>' * bool(sign)
    return f"<mrow>{before}{inner}</mrow>" if before or power else inner
