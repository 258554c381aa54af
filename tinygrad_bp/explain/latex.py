"""Formulas in LaTeX: each atom of a line in math mode."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

from tinygrad_bp.explain.escaping import LONGEST_PROSE, for_latex, greek
from tinygrad_bp.table.notation import Form, call

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

_TEX_SIGNS = {"·": r"\cdot", "−": "-", "⋯": r"\cdots", "×": r"\times", "→": r"\to", "η": r"\eta"}


def write_latex(line: Line) -> str:
    """The line in LaTeX's math mode, a quad for each step of its indentation."""
    return rf"\hspace{{{line.depth}em}}" * bool(line.depth) + atoms_latex(line.atoms)


def atoms_latex(atoms: Sequence[Atom]) -> str:
    """Atoms in LaTeX's math mode."""
    return " ".join(_atom_latex(atom) for atom in atoms)


def _atom_latex(atom: Atom) -> str:
    match atom:
        case Name(name):
            simple = re.fullmatch(r"[A-Za-z]|([A-Za-z])([0-9]+)", name)
            if simple:
                return f"{simple[1]}_{{{simple[2]}}}" if simple[1] else name
            return greek(name) or rf"\mathrm{{\text{{{for_latex(name)}}}}}"
        case Words(words):
            return rf"\text{{{for_latex(words, LONGEST_PROSE)}}}"
        case Symbol(letter, layer, index):
            below, above = places(letter, layer, index, _index_latex)
            letter = greek(letter) or letter
            return (
                letter + (f"_{{{below}}}" if below else "") + (f"^{{({above})}}" if above else "")
            )
        case Quantity():
            return number_latex(atom)
        case Derivative(of, by, note):
            which = rf"_{{\text{{{for_latex(note)}}}}}" if note else ""
            upper, lower = _atom_latex(of), _atom_latex(by)
            return rf"\frac{{\partial {upper}}}{{\partial {lower}}}{which}"
        case Vector(parts):
            return f"({', '.join(_atom_latex(each) for each in ends(parts))})"
        case Over(index, last):
            return rf"\sum_{{{_index_latex(index)}=1}}^{{{_index_latex(last)}}}"
        case Operation():
            return _operation_latex(atom)
        case Sign(sign):
            brackets = {"[": r"\mathopen{[}", "]": r"\mathclose{]}"}
            return brackets.get(sign) or _TEX_SIGNS.get(sign, sign)


def _operation_latex(operation: Operation) -> str:
    """The operation by its row; a number with a sign in brackets, unless it is enclosed as it is."""
    return _form_in_latex(operation.rule).on(
        *with_brackets(operation, _atom_latex, r"\left({}\right)".format)
    )


def _form_in_latex(rule: Rule) -> Form:
    """As the row says, or a call by its name."""
    if not rule.latex:
        name = for_latex(rule.name)
        if not re.fullmatch(r"(\w|\\_)+", name):
            name = rf"\text{{{name}}}"
        return call(rf"\operatorname{{{name}}}", rule.arity)
    pieces = rule.latex.split("%s")
    enclosed = [
        bool(re.search(r"[{(|,] ?$", before) and re.match(r"}(?!\^)|[)|,]", after))
        for before, after in itertools.pairwise(pieces)
    ]
    return Form(pieces, enclosed)


def _index_latex(index: int | str) -> str:
    return re.sub(r"^([A-Za-z])(.+)$", r"\1_{\2}", str(index))


def number_latex(number: Quantity) -> str:
    r"""A number in LaTeX's math mode.

    >>> from fractions import Fraction
    >>> print(number_latex(Quantity(Fraction(-1, 3))), number_latex(Quantity(1.5e-7)))
    -\tfrac{1}{3} 1.5\times 10^{-7}
    """
    shown = number_text(number)
    if is_symbolic(number.value):
        inert = rf"\text{{{for_latex(shown, LONGEST_EXPRESSION)}}}"
        return symbolic_markup(number.value, shown, "latex") or inert
    if fraction := re.fullmatch(r"([+-]?)(\d+)/(\d+)", shown):
        return rf"{fraction[1]}\tfrac{{{fraction[2]}}}{{{fraction[3]}}}"
    if power := re.fullmatch(r"(≈?)([+-]?[\d.]+)e([+-]\d+)", shown):
        almost = r"\approx " if power[1] else ""
        return rf"{almost}{power[2]}\times 10^{{{int(power[3])}}}"
    if re.fullmatch(r"≈?[+-]?[\d.]+", shown):
        return shown.replace("≈", r"\approx ")
    return {"inf": r"\infty", "+inf": r"+\infty", "-inf": r"-\infty"}.get(
        shown, rf"\text{{{for_latex(shown)}}}"
    )
