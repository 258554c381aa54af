"""A derivation as a page: paragraphs, equations, matrices, a table with bars and a list of facts.

The blocks say what there is to read, once; `to_text`, `to_latex` and `to_html` write them.  What
the blocks are about is the business of whoever makes them.
"""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from tinygrad_bp.explain.escaping import LONGEST_PROSE, for_html, for_latex
from tinygrad_bp.explain.formula import (
    Formula,
    Line,
    Name,
    Operation,
    Quantity,
    Sign,
    Sum,
    atoms_text,
    flatten,
    layout,
    text,
    to_ascii,
    write_text,
)
from tinygrad_bp.explain.latex import atoms_latex, write_latex
from tinygrad_bp.explain.mathml import atoms_mathml, write_mathml
from tinygrad_bp.quoting import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

WIDTH = 80
"""Of a terminal, and of the lines of an equation."""

BAR = 12
"""Signs that the longest bar may have, to either side."""

_LONGEST_LINE = 200  # of a listing, of a title, and of an expression in symbols


# ---- the blocks


class Prose(NamedTuple):
    """A paragraph; formulas may stand in it."""

    parts: tuple[str | Formula, ...]


class Equation(NamedTuple):
    """What is derived, and what it equals, step by step; the equals signs indented, or aligned."""

    head: Formula
    sides: tuple[Formula, ...]
    aligned: bool = False


class Grid(NamedTuple):
    """A matrix, row by row; what it is of, for each row and each column."""

    rows: tuple[tuple[Formula, ...], ...]


class MatrixProduct(NamedTuple):
    """A product of matrices, after the sign that it equals what was said before."""

    matrices: tuple[Grid, ...]


class Row(NamedTuple):
    """A row of a table: a key, a value, its share of the largest from -1 to 1, and its factors."""

    key: str
    value: Formula
    share: float
    factors: Formula


class Table(NamedTuple):
    """Terms with bars, to the right where they add and to the left where they take away."""

    key: str
    rows: tuple[Row, ...]
    rest: tuple[str, Quantity] | None = None


class Facts(NamedTuple):
    """Names, and what is to be said of each; in text aligned, or one by one at an indentation."""

    rows: tuple[tuple[str, tuple[str | Formula, ...]], ...]
    indent: int = 0


class Record(NamedTuple):
    """What was computed, a line for each node: its name, the operation, what it came to; not empty."""

    rows: tuple[tuple[Name, Operation, Quantity], ...]


class Listing(NamedTuple):
    """Lines of text as they stand."""

    lines: tuple[str, ...]


Block: TypeAlias = Prose | Listing | Record | Equation | MatrixProduct | Table | Facts


class Page:
    """What can be read as blocks, and writes itself: as text, LaTeX and HTML, in notebooks too."""

    def blocks(self) -> Iterator[Block]:
        """What there is to read."""
        raise NotImplementedError

    def to_text(self, width: int = WIDTH, *, ascii: bool = False) -> str:  # noqa: A002
        """Plain text of at most ``width`` columns, where numbers and names allow it.

        Args:
            width: of the terminal.
            ascii: whether to spell out what is beyond ASCII.
        """
        return to_text(self.blocks(), width, ascii=ascii)

    def to_latex(self, *, document: bool = False) -> str:
        """LaTeX, for a document that uses the package ``amsmath``; or a whole such document."""
        body = to_latex(self.blocks())
        return latex_document([body]) if document else body

    def to_html(self, *, page: bool = False) -> str:
        """A fragment of HTML with MathML, that needs nothing from elsewhere; or a whole page."""
        fragment = to_html(self.blocks())
        return html_page(repr(self).strip("<>"), [fragment]) if page else fragment

    def __str__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        return self.to_html()

    def _repr_latex_(self) -> str:
        """The first equation, for a front end that shows no HTML."""
        for block in self.blocks():
            if isinstance(block, Equation):
                inner = equation_latex(block.head, block.sides)
                return f"$$\\begin{{aligned}}\n{inner}\n\\end{{aligned}}$$"
        return ""

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: FBT001 - IPython's
        printer.text("..." if cycle else self.to_text())


# ---- text


def to_text(blocks: Iterable[Block], width: int = WIDTH, *, ascii: bool = False) -> str:  # noqa: A002
    """The blocks as text of at most ``width`` columns, as far as its numbers and names allow.

    What belongs to the line above it, as the facts under a single line, has no empty line before.

    >>> print(to_text([Facts((("sum", (Quantity(0.5, 6, signed=True),)),))]))
      sum  +0.5
    """
    blocks = [*blocks]
    if ascii:  # signs spelled out are longer: lines are broken earlier until they have room
        for narrower in range(width, width // 2, -2):
            written = to_ascii(to_text(blocks, narrower))
            if max(map(len, written.splitlines()), default=0) <= width:
                break
        return written
    written = ""
    for block in blocks:
        close = isinstance(block, Facts) and block.indent
        written += ("\n" if close else "\n\n") * bool(written)
        written += "\n".join(map(visible, _block_text(block, width)))
    return "\n".join(line.rstrip() for line in written.splitlines())


def _block_text(block: Block, width: int) -> Iterator[str]:
    match block:
        case Prose(parts):
            yield from textwrap.wrap(
                _joined(parts), width, break_long_words=False, break_on_hyphens=False
            )
        case Listing(rows_of_text):
            yield from rows_of_text
        case Record():
            left, middle = (max(len(text(row[place])) for row in block.rows) for place in (0, 1))
            for node, how, result in block.rows:
                shown = f"{text(how):{middle}} {_equals(result)}{text(result)}"
                yield f"  {text(node):{left}} = {shown}"
        case Equation():
            yield from map(write_text, equation_lines(block, width))
        case MatrixProduct(matrices):
            yield from _matrices_text(matrices, width)
        case Table():
            yield from _table_text(block, width)
        case Facts(rows, indent) if indent:
            for name, parts in rows:
                yield f"{' ' * indent}{name}: {_joined(parts)}"
        case Facts(rows):
            widest = max(len(name) for name, _ in rows)
            for name, parts in rows:
                lines = textwrap.wrap(
                    _joined(parts),
                    max(20, width - widest - 4),
                    break_long_words=False,
                    break_on_hyphens=False,
                )
                for place, line in enumerate(lines or [""]):
                    yield f"  {'' if place else name:{widest}}  {line}"


def _equals(number: Quantity) -> str:
    """The sign before a number, unless that says itself that it is rounded."""
    return "" if text(number).startswith("≈") else "= "


def _joined(parts: Iterable[str | Formula]) -> str:
    return "".join(each if isinstance(each, str) else text(each) for each in parts)


def equation_lines(equation: Equation, width: int) -> list[Line]:
    """An equation in lines; each side begins one with its equals sign."""
    start = flatten(equation.head)
    indent = (len(atoms_text(start)) + 1) // 2 if equation.aligned else 1
    lines: list[Line] = []
    for side in equation.sides:
        found = layout(
            side, width, (Sign("="),) if lines else (*start, Sign("=")), indent * bool(lines)
        )
        if not lines and len(found) > 1 and isinstance(side, Sum):
            found = [Line(0, start), *layout(side, width, (Sign("="),), indent)]
        lines += found
    return lines


def _matrices_text(matrices: Sequence[Grid], width: int) -> Iterator[str]:
    """The matrices side by side, in as many rows of them as they need."""
    lines: list[str] = []
    for matrix in matrices:
        drawn = _grid_text(matrix)
        sign = " = " if not lines else " · "
        height = max(len(lines), len(drawn))
        joined = _pad(lines, height)
        drawn = _pad(drawn, height)
        together = [
            a + (sign if place == (height - 1) // 2 else "   ") + b
            for place, (a, b) in enumerate(zip(joined, drawn, strict=True))
        ]
        if lines and len(together[0]) > width:
            yield from lines
            lines = ["      " + each for each in _grid_text(matrix)]
            lines[(len(lines) - 1) // 2] = "    · " + lines[(len(lines) - 1) // 2][6:]
        else:
            lines = together
    yield from lines


def _grid_text(matrix: Grid) -> list[str]:
    cells = [[text(each) for each in row] for row in matrix.rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    inner = [
        "  ".join(f"{cell:>{size}}" for cell, size in zip(row, widths, strict=True))
        for row in cells
    ]
    return [f"( {line} )" for line in inner]


def _pad(lines: Sequence[str], height: int) -> list[str]:
    """The lines in the middle of a block of this height, all of one length."""
    size = max(map(len, lines), default=0)
    above = (height - len(lines)) // 2
    rows = [""] * above + [*lines] + [""] * (height - len(lines) - above)
    return [f"{row:{size}}" for row in rows]


def _table_text(table: Table, width: int) -> Iterator[str]:
    keys = [table.key, *(row.key for row in table.rows)]
    key_width = min(max(map(len, keys)), width // 2)
    values = [text(row.value) for row in table.rows]
    value_width = max([len("term"), *map(len, values)])
    mixed = any(row.share < 0 for row in table.rows)
    bar_width = 2 * BAR + 1 if mixed else BAR + 1
    yield f"  {table.key:{key_width}}  {'term':{value_width}}  {'−' if mixed else '':{bar_width // 2}}{'+':>{bar_width - bar_width // 2}}".rstrip()
    for row, value in zip(table.rows, values, strict=True):
        line = f"  {row.key:{key_width}}  {value:{value_width}}  {_bar(row.share, mixed=mixed)}"
        factors = f"  = {text(row.factors)}"
        if len(line) + len(factors) <= width:
            yield line + factors
        else:
            yield line
            for each in layout(row.factors, width, (Sign("="),), 3):
                yield write_text(each)
    if table.rest:
        name, value_of_rest = table.rest
        yield f"  {name}  {text(value_of_rest)}"


def _bar(share: float, *, mixed: bool) -> str:
    """A bar to the right of the axis or, where it takes away, to the left."""
    size = max(1, round(abs(share) * BAR)) if share and math.isfinite(share) else 0
    left = f"{'█' * size if share < 0 else '':>{BAR}}" if mixed else ""
    right = f"{'█' * size if share > 0 else '':{BAR}}"
    return f"{left}│{right}"


# ---- LaTeX


def to_latex(blocks: Iterable[Block]) -> str:
    """The blocks as the body of a LaTeX document; it needs the package ``amsmath`` and no other."""
    return "\n\n".join("\n".join(_block_latex(block)) for block in blocks)


def latex_document(bodies: Iterable[str]) -> str:
    """A whole document, which `pdflatex` compiles, of bodies that `to_latex` wrote."""
    inner = "\n\n\\bigskip\\hrule\\bigskip\n\n".join(bodies)
    return f"""\
\\documentclass[10pt,a4paper]{{article}}
\\usepackage{{amsmath}}
\\usepackage[margin=20mm]{{geometry}}
\\allowdisplaybreaks
\\setlength{{\\parindent}}{{0pt}}
\\begin{{document}}

{inner}

\\end{{document}}
"""


def _block_latex(block: Block) -> Iterator[str]:
    match block:
        case Prose(parts):
            yield _prose_latex(parts) + r"\par"
        case Listing(lines):
            for line in lines:
                yield rf"\texttt{{{for_latex(line, _LONGEST_LINE).replace(' ', '~')}}}\par"
        case Record(nodes):
            yield r"\begin{align*}"
            yield " \\\\\n".join(
                f"{atoms_latex([node])} &= {atoms_latex([how])} &&{_equals(result)}{atoms_latex([result])}"
                for node, how, result in nodes
            )
            yield r"\end{align*}"
        case Equation(head, sides):
            yield r"\begin{align*}"
            yield equation_latex(head, sides)
            yield r"\end{align*}"
        case MatrixProduct(matrices):
            yield r"\begin{gather*}"
            yield "= " + r" \\ \cdot ".join(
                r" \cdot ".join(map(_grid_latex, group)) for group in _grouped(matrices)
            )
            yield r"\end{gather*}"
        case Table():
            yield from _table_latex(block)
        case Facts(rows):
            yield r"\medskip{\renewcommand{\arraystretch}{1.4}%"
            yield r"\begin{tabular}{@{}l@{\quad}p{0.75\linewidth}@{}}"
            for name, parts in rows:
                yield rf"{for_latex(name, LONGEST_PROSE)} & {_prose_latex(parts)} \\"
            yield r"\end{tabular}}\par"


def equation_latex(head: Formula, sides: Sequence[Formula]) -> str:
    """The lines of an equation, aligned at the equals signs."""
    rows = []
    for place, side in enumerate(sides):
        for number, line in enumerate(layout(side, WIDTH, (Sign("="),))):
            start = atoms_latex(flatten(head)) if place == number == 0 else ""
            rows.append(f"{start} &{'' if number == 0 else chr(92) + 'quad '}{write_latex(line)}")
    return " \\\\\n".join(rows)


def _prose_latex(parts: Iterable[str | Formula]) -> str:
    return "".join(
        for_latex(each, LONGEST_PROSE) if isinstance(each, str) else _inline_latex(each)
        for each in parts
    )


def _inline_latex(formula: Formula) -> str:
    """A formula within words; a long expression in symbols as text, which can be broken."""
    if isinstance(formula, Quantity) and len(text(formula)) > WIDTH:
        broken = for_latex(text(formula), _LONGEST_LINE).replace("*", r"\allowbreak *")
        return rf"\texttt{{{broken}}}"
    return f"${atoms_latex(flatten(formula))}$"


def _grid_latex(matrix: Grid) -> str:
    rows = r" \\ ".join(
        " & ".join(atoms_latex(flatten(each)) for each in row) for row in matrix.rows
    )
    columns = max(len(row) for row in matrix.rows)
    if columns <= 10:  # what amsmath's matrices have room for
        return rf"\begin{{pmatrix}} {rows} \end{{pmatrix}}"
    return rf"\left(\begin{{array}}{{{'c' * columns}}} {rows} \end{{array}}\right)"


def _grouped(matrices: Sequence[Grid]) -> list[list[Grid]]:
    """The matrices, as many on a line as have room."""
    groups: list[list[Grid]] = []
    room = 0
    for matrix in matrices:
        size = len(_grid_text(matrix)[0]) + 3
        if not groups or size > room:
            groups.append([])
            room = WIDTH
        groups[-1].append(matrix)
        room -= size
    return groups


def _table_latex(table: Table) -> Iterator[str]:
    yield r"\medskip{\footnotesize\renewcommand{\arraystretch}{1.4}%"
    yield r"\begin{tabular}{@{}l r @{\quad}r@{\,}|@{\,}l p{0.42\linewidth}@{}}"
    yield rf"{for_latex(table.key)} & term & $-$ & $+$ & \\ \hline"
    for row in table.rows:
        length = round(20 * abs(row.share), 2) if math.isfinite(row.share) else 0
        # A rule for what adds, a frame for what takes away: told apart without colour.
        left = (
            rf"\framebox[{max(length, 0.5):g}mm]{{\rule{{0pt}}{{0.4ex}}}}" if row.share < 0 else ""
        )
        right = rf"\rule{{{max(length, 0.3):g}mm}}{{1.2ex}}" if row.share > 0 else ""
        small = rf"{{\fboxsep0pt{left}}}" if left else ""
        value = atoms_latex(flatten(row.value))
        yield rf"{for_latex(row.key, LONGEST_PROSE)} & ${value}$ & {small} & {right} & $= {atoms_latex(flatten(row.factors))}$ \\"
    if table.rest:
        name, value_of_rest = table.rest
        yield rf"\multicolumn{{5}}{{@{{}}l@{{}}}}{{{for_latex(name, LONGEST_PROSE)} ${atoms_latex(flatten(value_of_rest))}$}} \\"
    yield r"\end{tabular}}\par"


# ---- HTML

_STYLE = """\
.tinygrad-derivation{font:14px/1.5 system-ui,sans-serif;max-width:60rem;overflow-x:auto;--more:#0072b2;--less:#d55e00}
.tinygrad-derivation .eq{overflow-x:auto;margin:.8em 0}
.tinygrad-derivation pre{overflow-x:auto}
.tinygrad-derivation .line{white-space:nowrap;padding:.15em 0}
.tinygrad-derivation math{font-size:1.1em}
.tinygrad-derivation table{border-collapse:collapse;margin:.8em 0;font-variant-numeric:tabular-nums}
.tinygrad-derivation th,.tinygrad-derivation td{padding:.15em .6em;text-align:left;border:0;
background:none;vertical-align:top}
.tinygrad-derivation th{font-weight:600}
.tinygrad-derivation .value{text-align:right;white-space:nowrap}
.tinygrad-derivation .left{width:7rem;text-align:right;padding-right:0;border-right:1px solid}
.tinygrad-derivation .right{width:7rem;padding-left:0}
.tinygrad-derivation .bar{display:inline-block;height:.75em;min-width:2px;background:var(--more)}
.tinygrad-derivation .left .bar{background:repeating-linear-gradient(135deg,var(--less) 0 4px,
transparent 4px 6px);outline:1px solid var(--less);outline-offset:-1px}
@media (prefers-color-scheme:dark){.tinygrad-derivation{--more:#56b4e9;--less:#f0914a}}"""


def to_html(blocks: Iterable[Block]) -> str:
    """The blocks as a fragment of HTML with MathML: no script, and nothing that is fetched."""
    inner = "\n".join(line for block in blocks for line in _block_html(block))
    return (
        f'<section class="tinygrad-derivation">\n<style>\n{_STYLE}\n</style>\n{inner}\n</section>'
    )


def html_page(title: str, fragments: Iterable[str]) -> str:
    """A whole page of fragments that `to_html` wrote, for light and dark screens."""
    inner = "\n<hr>\n".join(fragments)
    return f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{for_html(title, _LONGEST_LINE)}</title>
<style>body{{margin:1.5rem auto;padding:0 1rem;max-width:60rem}}</style>
</head>
<body>
{inner}
</body>
</html>
"""


def _block_html(block: Block) -> Iterator[str]:
    match block:
        case Prose(parts):
            yield f"<p>{_prose_html(parts)}</p>"
        case Listing(lines):
            shown = (for_html(line, _LONGEST_LINE) for line in lines)
            yield f"<pre>{chr(10).join(shown)}</pre>"
        case Record(nodes):
            yield "<table>"
            for node, how, result in nodes:
                cells = "".join(
                    f"<td>{sign}<math>{atoms_mathml([each])}</math></td>"
                    for sign, each in (("= ", how), (_equals(result), result))
                )
                yield f'<tr><th scope="row"><math>{atoms_mathml([node])}</math></th>{cells}</tr>'
            yield "</table>"
        case Equation():
            yield '<div class="eq">'
            for line in equation_lines(block, WIDTH + 10):
                yield _line_html(line.depth, write_mathml(line))
            yield "</div>"
        case MatrixProduct(matrices):
            yield '<div class="eq">'
            for place, group in enumerate(_grouped(matrices)):
                sign = "<mo>=</mo>" if place == 0 else "<mo>·</mo>"
                yield _line_html(1, sign + "<mo>·</mo>".join(map(_grid_mathml, group)))
            yield "</div>"
        case Table():
            yield from _table_html(block)
        case Facts(rows):
            yield "<table>"
            for name, parts in rows:
                named = for_html(name, LONGEST_PROSE)
                yield f'<tr><th scope="row">{named}</th><td>{_prose_html(parts)}</td></tr>'
            yield "</table>"


def _line_html(depth: int, mathml: str) -> str:
    return f'<div class="line" style="padding-left:{depth}em"><math displaystyle="true">{mathml}</math></div>'


def _prose_html(parts: Iterable[str | Formula]) -> str:
    return "".join(
        for_html(each, LONGEST_PROSE)
        if isinstance(each, str)
        else f"<math>{atoms_mathml(flatten(each))}</math>"
        for each in parts
    )


def _grid_mathml(matrix: Grid) -> str:
    rows = "".join(
        "<mtr>" + "".join(f"<mtd>{atoms_mathml(flatten(each))}</mtd>" for each in row) + "</mtr>"
        for row in matrix.rows
    )
    return f"<mrow><mo>(</mo><mtable>{rows}</mtable><mo>)</mo></mrow>"


def _table_html(table: Table) -> Iterator[str]:
    yield "<table>"
    yield (
        f'<tr><th scope="col">{for_html(table.key)}</th><th scope="col" class="value">term</th>'
        '<th class="left" aria-label="takes away">−</th><th class="right" aria-label="adds">+</th>'
        '<th scope="col">its factors</th></tr>'
    )
    for row in table.rows:
        size = 100 * abs(row.share) if math.isfinite(row.share) else 0
        bar = f'<span class="bar" style="width:{size:.2f}%"></span>' if size else ""
        left, right = (bar, "") if row.share < 0 else ("", bar)
        yield (
            f'<tr><th scope="row">{for_html(row.key, LONGEST_PROSE)}</th>'
            f'<td class="value"><math>{atoms_mathml(flatten(row.value))}</math></td>'
            f'<td class="left" aria-hidden="true">{left}</td>'
            f'<td class="right" aria-hidden="true">{right}</td>'
            f"<td>= {for_html(text(row.factors), LONGEST_PROSE)}</td></tr>"
        )
    if table.rest:
        name, value = table.rest
        shown = atoms_mathml(flatten(value))
        yield f'<tr><td colspan="5">{for_html(name, LONGEST_PROSE)} <math>{shown}</math></td></tr>'
    yield "</table>"
