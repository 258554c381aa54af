"""Formulas as small trees, laid out in lines, and written as text.

A formula is a `Sum`, a `Product` or a `Bracket` of formulas, or an atom.  `layout` breaks it into
lines that are not too long, brackets opened and closed on lines of their own; a writer turns the
atoms of a line into what it shows: here text, in `latex` and `mathml` the others.  So a formula is laid
out once, and is the same in all three.

Names and labels are data and never markup: each writer shows them by `tinygrad_bp.explain.escaping`.  This
module knows nothing of graphs and networks.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from tinygrad_bp.explain.escaping import LONGEST
from tinygrad_bp.numbers.text import format_number, plain
from tinygrad_bp.quoting import shown, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from decimal import Decimal
    from typing import Any

    from tinygrad_bp.numbers.kernels import Number
    from tinygrad_bp.table.rules import Rule

DIGITS = 4
"""So many significant digits has a factor; a result has more."""

LONGEST_VECTOR = 5
"""A vector of more nodes is shown with dots."""

LONGEST_EXPRESSION = 160
"""And an expression in symbols longer than this."""


# ---- the tree


class Name(NamedTuple):
    """What somebody called a node."""

    text: str


class Symbol(NamedTuple):
    """A letter of the note with its layer and indices: ``w[i][j,k]``; ``f'`` has a prime."""

    letter: str
    layer: int | str = ""
    indices: tuple[int | str, ...] = ()


class Quantity(NamedTuple):
    """A number, shown to so many digits; exact ones are shown exactly; a plus sign if wanted."""

    value: Number
    digits: int = DIGITS
    signed: bool = False


class Vector(NamedTuple):
    """Several nodes together."""

    parts: tuple[Name | Symbol | Quantity, ...]


class Derivative(NamedTuple):
    """``dof/dby``; ``note`` says which, where there are several of the same name."""

    of: Name | Symbol | Vector
    by: Name | Symbol | Vector
    note: str = ""


class Over(NamedTuple):
    """A sum sign with its index, ``k_m`` from 1 to the last; it stands before what is summed."""

    symbol: str
    last: int | str


class Words(NamedTuple):
    """Words where a formula might stand."""

    text: str


class Operation(NamedTuple):
    r"""An operation of the table on its operands.

    Attributes:
        rule: its row.
        operands: what the row is a function of; of a list a `Vector`.
        plain: how text has it.

    >>> from tinygrad_bp.explain.latex import atoms_latex
    >>> from tinygrad_bp.table.rules import RULES
    >>> print(atoms_latex([Operation(RULES["sqrt"], (Name("x"),), "sqrt(x)")]))
    \sqrt{x}
    """

    rule: Rule
    operands: tuple[Atom, ...]
    plain: str


class Sign(NamedTuple):
    """An operator, a bracket or three dots."""

    text: str


class Sum(NamedTuple):
    """Formulas with plus signs between, or minus signs before those that begin with one."""

    parts: tuple[Formula, ...]


class Product(NamedTuple):
    """Formulas with dots between, or another sign."""

    parts: tuple[Formula, ...]
    sign: str = "·"


class Minus(NamedTuple):
    """What a sum subtracts."""

    inner: Formula


class Joined(NamedTuple):
    """Formulas side by side with nothing between: ``2(o − t)``."""

    parts: tuple[Formula, ...]


class Bracket(NamedTuple):
    """A formula in square brackets, or in round ones, which are never broken."""

    inner: Formula
    signs: str = "[]"


DOTS = Sign("⋯")

Atom: TypeAlias = Name | Symbol | Vector | Quantity | Derivative | Over | Words | Operation | Sign
Formula: TypeAlias = Atom | Sum | Product | Minus | Joined | Bracket


class Line(NamedTuple):
    """A line of a formula: how far it is indented, and its atoms."""

    depth: int
    atoms: tuple[Atom, ...]


# ---- one line, or several


def flatten(formula: Formula) -> tuple[Atom, ...]:
    """The atoms of a formula from left to right."""
    if isinstance(formula, Sum):
        atoms: list[Atom] = []
        for sign, part in _signed_parts(formula):
            atoms += [Sign(sign)] * bool(sign) + [*flatten(part)]
        return tuple(atoms) or (Quantity(0),)
    if isinstance(formula, Product):
        found: list[Atom] = []
        for part in formula.parts:
            found += _factor(part, found, formula.sign)
        return tuple(found) or (Quantity(1),)
    if isinstance(formula, Joined):
        return tuple(atom for part in formula.parts for atom in flatten(part))
    if isinstance(formula, Minus):
        return (Sign("−"), *flatten(formula.inner))
    if isinstance(formula, Bracket):
        return (Sign(formula.signs[0]), *flatten(formula.inner), Sign(formula.signs[1]))
    return (formula,)


def _factor(part: Formula, before: Sequence[Atom], sign: str) -> tuple[Atom, ...]:
    """A factor with the sign before it, if one is needed after the atoms before."""
    first = not before or isinstance(before[-1], Over)
    if before and (isinstance(part, Over) or isinstance(before[-1], Over)):  # Σ ⋯ Σ
        first = first or DOTS in (part, before[-1])
    if isinstance(part, (Sum, Minus)) or (
        isinstance(part, Quantity) and _needs_brackets(part, first=not before)
    ):
        part = Bracket(part, "()")
    return flatten(part) if first else (Sign(sign), *flatten(part))


def _needs_brackets(number: Quantity, *, first: bool) -> bool:
    shown = number_text(number)
    return (shown.startswith("-") and not first) or bool(re.search(r"(?<=.)[ +-](?!\d+$)", shown))


def _signed_parts(formula: Sum) -> Iterable[tuple[str, Formula]]:
    for place, part in enumerate(formula.parts):
        if isinstance(part, Minus):
            yield "−", part.inner
            continue
        product = part if isinstance(part, Product) and part.parts else Product((part,))
        first, *others = product.parts
        if place and isinstance(first, Quantity) and number_text(first).startswith("-"):
            positive = first._replace(value=-first.value)
            if not number_text(positive).startswith("-"):  # an expression may keep its sign
                yield "-", product._replace(parts=(positive, *others))
                continue
        yield "+" if place else "", part


def layout(formula: Formula, width: int, lead: tuple[Atom, ...] = (), depth: int = 0) -> list[Line]:
    """The formula in lines of at most ``width`` characters of text, where brackets allow it.

    >>> nested = Product((Symbol("a"), Bracket(Sum((Symbol("b"), Symbol("c"))))))
    >>> [write_text(line) for line in layout(nested, 80, (Sign("="),))]
    ['= a · [b + c]']
    >>> [write_text(line) for line in layout(nested, 8, (Sign("="),))]
    ['= a · [', '  b + c', ']']
    """
    return _lines(formula, width, depth, lead)


def _lines(
    formula: Formula, width: int, depth: int, lead: tuple[Atom, ...], tail: tuple[Atom, ...] = ()
) -> list[Line]:
    whole = Line(depth, (*lead, *flatten(formula), *tail))
    if len(write_text(whole)) <= width:
        return [whole]
    if isinstance(formula, Sum) and formula.parts:
        lines: list[Line] = []
        for sign, part in _signed_parts(formula):
            before = (*lead, Sign(sign)) if sign and not lines else (Sign(sign),) if sign else lead
            lines += _lines(part, width, depth, before)
        lines[-1] = lines[-1]._replace(atoms=lines[-1].atoms + tail)
        return lines
    if isinstance(formula, Bracket) and formula.signs == "[]":
        inner = _lines(formula.inner, width, depth + 1, ())
        return [
            Line(depth, (*lead, Sign("["))),
            *inner,
            Line(depth, (Sign("]"), *tail)),
        ]
    if isinstance(formula, Product):
        *others, last = formula.parts
        if isinstance(last, Bracket) and last.signs == "[]":
            *filled, start = _filled(formula._replace(parts=tuple(others)), width, depth, lead)
            dot = (Sign(formula.sign),) * bool(others and not isinstance(others[-1], Over))
            return filled + _lines(last, width, start.depth, (*start.atoms, *dot), tail)
        return _filled(formula, width, depth, lead, tail)
    return [whole]


def _filled(
    product: Product,
    width: int,
    depth: int,
    lead: tuple[Atom, ...],
    tail: tuple[Atom, ...] = (),
) -> list[Line]:
    """The factors, as many on a line as have room."""
    lines = [Line(depth, lead)]
    so_far: list[Atom] = []
    for place, part in enumerate(product.parts):
        atoms = _factor(part, so_far, product.sign)
        so_far += atoms
        longer = lines[-1]._replace(atoms=lines[-1].atoms + atoms)
        if place and len(write_text(longer)) > width:
            lines.append(Line(depth + 2, atoms))
        else:
            lines[-1] = longer
    lines[-1] = lines[-1]._replace(atoms=lines[-1].atoms + tail)
    return lines


_CLOSING, _OPENING = {")", "]", ","}, {"(", "["}


def _pairs(atoms: Sequence[Atom]) -> Iterable[tuple[Atom, bool]]:
    """Each atom, and whether a space stands before it."""
    before: Atom | None = None
    for atom in atoms:
        close = isinstance(atom, Sign) and atom.text in _CLOSING
        opened = isinstance(before, Sign) and before.text in _OPENING
        call = isinstance(before, Quantity) and isinstance(atom, Sign) and atom.text == "("
        yield atom, not (before is None or close or opened or call)
        before = atom


# ---- what is shown of numbers


def number_text(number: Quantity) -> str:
    """The number as text; an exact one that is very long is rounded, and marked as such.

    >>> from fractions import Fraction
    >>> number_text(Quantity(0.123456)), number_text(Quantity(Fraction(1, 3)))
    ('0.1235', '1/3')
    >>> number_text(Quantity(Fraction(10**60, 3 * 10**60 + 1)))
    '≈0.3333'
    >>> number_text(Quantity(2**5001)), number_text(Quantity(Fraction(-1, 2**5001)))
    ('≈2.825e+1505', '≈-3.540e-1506')
    """
    text = format_number(number.value, number.digits)
    text = "0" if text == "-0" else text
    plus = "+" if number.signed and not text.startswith("-") else ""
    if len(text) <= (LONGEST_EXPRESSION if is_symbolic(number.value) else LONGEST):
        return plus + text
    try:
        return f"≈{_rounded(number.value, number.digits):{plus}.{number.digits}g}"
    except (TypeError, ValueError, OverflowError):  # symbols
        return shown(text, LONGEST_EXPRESSION)


def _rounded(number: Any, digits: int) -> float | Decimal:
    """The number to some digits; a whole number or a fraction may lie beyond all floats."""
    from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal  # few numbers need it
    from numbers import Rational

    if not isinstance(number, Rational):
        return float(number)
    context = Context(prec=digits + 2, Emax=MAX_EMAX, Emin=MIN_EMIN)
    return context.divide(Decimal(int(number.numerator)), Decimal(int(number.denominator)))


# ---- text


def write_text(line: Line) -> str:
    """The line as text, two spaces for each step of its indentation."""
    return "  " * line.depth + atoms_text(line.atoms)


def atoms_text(atoms: Sequence[Atom]) -> str:
    """Atoms as text, spaces between."""
    return "".join(" " * space + _atom_text(atom) for atom, space in _pairs(atoms))


def text(formula: Formula) -> str:
    """A formula on one line of text.

    >>> text(Product((Over("k2", 3), Symbol("f'", 2, ("k2",)), Symbol("w", 2, ("k2", 1)))))
    "Σ_k2 f'[2][k2] · w[2][k2,1]"
    """
    return atoms_text(flatten(formula))


def _atom_text(atom: Atom) -> str:
    match atom:
        case Name(name):
            return shown(name, LONGEST)
        case Words(words):
            return visible(words)
        case Symbol(letter, layer, index):
            inner = ",".join(map(str, index))
            return letter + (f"[{layer}]" if layer != "" else "") + (f"[{inner}]" if inner else "")
        case Quantity():
            return number_text(atom)
        case Derivative(of, by, note):
            which = f"[{shown(note, LONGEST)}]" if note else ""
            return f"d{_atom_text(of)}/d{_atom_text(by)}{which}"
        case Vector(parts):
            return f"({', '.join(_atom_text(each) for each in ends(parts))})"
        case Over(index, _):
            return f"Σ_{index}"
        case Operation():
            return visible(atom.plain)
        case Sign(sign):
            return sign


def ends(parts: Sequence[Name | Symbol | Quantity]) -> Sequence[Atom]:
    """The parts of a vector, with dots for the middle of a long one."""
    return parts if len(parts) <= LONGEST_VECTOR else (*parts[:2], Sign("⋯"), parts[-1])


# ---- what all writers need


def with_brackets(
    operation: Operation, write: Callable[[Atom], str], bracket: Callable[[str], str]
) -> tuple[list[str], list[str]]:
    """The operands as they are, and in brackets where they are numbers with a sign or of several parts."""
    plain = [*map(write, operation.operands)]
    bracketed = [
        shown if _is_simple(operand) else bracket(shown)
        for operand, shown in zip(operation.operands, plain, strict=True)
    ]
    return plain, bracketed


def _is_simple(operand: Atom) -> bool:
    """Whether an operand needs no brackets: it is no number with a sign or of several parts."""
    return not isinstance(operand, Quantity) or bool(re.fullmatch(r"[\d.]+", number_text(operand)))


def places(
    letter: str, layer: int | str, index: Sequence[int | str], write: Callable[[int | str], str]
) -> tuple[str, str]:
    """What stands below the letter and above it: the note has an activation's layer below."""
    inner = [write(each) for each in index]
    if letter.startswith("f"):
        return ",".join([write(layer)] * (layer != "") + inner), ""
    return ",".join(inner), write(layer) if layer != "" else ""


# ---- symbols


def is_symbolic(number: Number) -> bool:
    """Whether a number is an expression of sympy, with symbols in it or without."""
    return hasattr(number, "free_symbols")


def symbolic_markup(number: Number, shown: str, form: str) -> str:
    """What sympy writes; nothing where it was shortened, or has names that could be markup."""
    names = {str(each) for each in number.free_symbols} | {
        str(each.func) for each in number.atoms() | number.find(lambda part: part.is_Function)
    }
    inert = all(re.fullmatch(r"[A-Za-z][\w']*|<class '[\w.]+'>", each) for each in names)
    if not inert or "…" in shown:
        return ""
    import sympy

    if form == "latex":
        return str(sympy.latex(number))
    written = str(sympy.printing.mathml(number, printer="presentation"))
    return re.sub(r"&(?!lt;|gt;|amp;|quot;)\w+;", lambda entity: html.unescape(entity[0]), written)


def to_ascii(text: str) -> str:
    """Text with its signs spelled out, and other letters as Python escapes them."""
    spelled = (
        plain(text, ascii_only=True)
        .replace("…", "...")
        .replace("⋯", "...")
        .replace("≈", "~")
        .replace("│", "|")
    )
    return spelled.encode("ascii", "backslashreplace").decode()
