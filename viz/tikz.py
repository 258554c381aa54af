"""A laid-out picture as a LaTeX document drawn with TikZ.

It is translated from Graphviz's own SVG, so that it is the same picture.  This room knows the few
elements that Graphviz writes, and TeX; text is data, and nothing in it is taken for a command.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = r"""%% Compiles by itself with pdflatex; or copy the colours and the tikzpicture into your document.
\documentclass{article}
\usepackage[paperwidth=%.2fbp,paperheight=%.2fbp,margin=0bp]{geometry}
\usepackage{tikz}
\renewcommand{\familydefault}{\sfdefault}
\pagestyle{empty}
\begin{document}"""

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    '"': r"\textquotedblright{}",
    "|": r"\textbar{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "$": r"\ensuremath{\mathdollar}",
    "{": r"\ensuremath{\lbrace}",
    "}": r"\ensuremath{\rbrace}",
    **{character: f"\\{character}" for character in "&#%_"},
    **{character: f"{{{character}}}" for character in "-`',?![]"},  # which would join or open
}
_SIGNS = {
    "∂": r"\partial", "…": r"\dots", "·": r"\cdot", "×": r"\times", "→": r"\to", "−": "-",
    "°": r"^{\circ}", "±": r"\pm", "∞": r"\infty", "√": r"\surd", "≤": r"\leq", "≥": r"\geq", "≠": r"\neq",
    "≈": r"\approx", "∏": r"\prod", "∑": r"\sum", "⁽": "^{(}", "⁾": "^{)}", "′": "'", "∇": r"\nabla",
    **{sign: f"^{{{place}}}" for place, sign in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
    **{sign: f"_{{{place}}}" for place, sign in enumerate("₀₁₂₃₄₅₆₇₈₉")},
}  # fmt: skip
_LETTERS = {
    "ß": r"\ss",
    "æ": r"\ae",
    "Æ": r"\AE",
    "ø": r"\o",
    "Ø": r"\O",
    "œ": r"\oe",
    "Œ": r"\OE",
    "ł": r"\l",
    "Ł": r"\L",
    "–": r"\textendash",
    "—": r"\textemdash",
}
_ACCENTS = dict(zip("\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327",
                    "`'^~=u.\"rHvc", strict=True))  # fmt: skip
# The Greek letters that TeX writes as Latin ones.
_LATIN = {
    "ALPHA": "A", "BETA": "B", "EPSILON": "E", "ZETA": "Z", "ETA": "H", "IOTA": "I", "KAPPA": "K",
    "MU": "M", "NU": "N", "OMICRON": "O", "RHO": "P", "TAU": "T", "CHI": "X",
}  # fmt: skip


def escaped(text: str) -> str:
    r"""The text for TeX; a character that its usual fonts have not is written ``U+XXXX``.

    >>> print(escaped(r"50% \input{x} é ∂ 日"))
    50\% \textbackslash{}input\ensuremath{\lbrace}x\ensuremath{\rbrace} \'{e} \ensuremath{\partial} U+65E5
    """
    return "".join(map(_escaped, unicodedata.normalize("NFC", text)))


def _escaped(character: str) -> str:
    if character in _SPECIAL:
        return _SPECIAL[character]
    if " " <= character <= "~":
        return character
    if character in _SIGNS:
        return rf"\ensuremath{{{_SIGNS[character]}}}"
    if character in _LETTERS:
        return f"{_LETTERS[character]}{{}}"
    if character == "\xa0":  # Graphviz writes it for a second space
        return "~"
    parts = unicodedata.normalize("NFD", character)
    if len(parts) == 2 and parts[0].isascii() and parts[0].isalpha() and parts[1] in _ACCENTS:
        return f"\\{_ACCENTS[parts[1]]}{{{parts[0]}}}"
    return _greek(character) or f"U+{ord(character):04X}"


def _greek(character: str) -> str:
    words = unicodedata.name(character, "").split()
    if len(words) == 4 and words[0] == "GREEK" and words[2] == "LETTER":
        small, name = words[1] == "SMALL", words[3].replace("LAMDA", "LAMBDA")
        if small and name == "OMICRON":
            return "o"
        if not small and name in _LATIN:
            return _LATIN[name]
        return rf"\ensuremath{{\{name.lower() if small else name.capitalize()}}}"
    return ""


def tikz(svg: str) -> str:
    r"""The document, from the SVG that Graphviz writes.

    >>> svg = '<svg viewBox="0 0 9 9"><g transform="scale(1 1) rotate(0) translate(4 8)"/></svg>'
    >>> print(tikz(svg).splitlines()[-1])
    \end{document}
    """
    root = ET.fromstring(svg)  # noqa: S314 - Graphviz wrote it, not a stranger
    colours: dict[str, str] = {}
    body = [line for each in root.iter() for line in _drawn(each, colours)]
    _, _, width, height = _numbers(root.get("viewBox", ""))
    *_, across, down = _numbers(next(root.iterfind(_tag("g"))).get("transform", ""))
    # SVG counts from the top down, TeX from the bottom up.
    box = f"({-across:.2f},{down - height:.2f}) rectangle ({width - across:.2f},{down:.2f})"
    return "\n".join(
        [
            _HEAD % (width + 1, height + 1),
            *(f"\\definecolor{{{name}}}{{HTML}}{{{code}}}" for code, name in colours.items()),
            r"\noindent\begin{tikzpicture}[x=1bp,y=1bp,inner sep=0,outer sep=0]",
            rf"\useasboundingbox {box};",
            *body,
            r"\end{tikzpicture}",
            r"\end{document}",
            "",
        ]
    )


def _tag(name: str) -> str:
    return f"{{*}}{name}"


def _numbers(text: str) -> list[float]:
    return [float(each) for each in re.findall(r"-?\d+(?:\.\d+)?", text)]


def _points(text: str) -> list[str]:
    values = _numbers(text)
    return [f"({x:.2f},{-y:.2f})" for x, y in zip(values[::2], values[1::2], strict=True)]


def _drawn(element: ET.Element, colours: dict[str, str]) -> Iterator[str]:
    """What an element draws: nothing, for most."""
    kind = element.tag.rpartition("}")[2]
    if kind == "text":
        yield _text(element, colours)
    if kind not in ("path", "polygon", "polyline", "ellipse"):
        return
    options = []
    for key, option in (("stroke", "draw"), ("fill", "fill")):
        colour = _colour(element.get(key, "none"), colours)
        if colour:
            options.append(f"{option}={colour}")
    if element.get("stroke-dasharray"):
        on, off = _numbers(element.get("stroke-dasharray", ""))
        options.append(f"dash pattern=on {on:g}bp off {off:g}bp")
    if options:
        options.append(f"line width={float(element.get('stroke-width', 1)):g}bp")
        yield rf"\path[{','.join(options)}] {_way(kind, element)};"


def _colour(code: str, colours: dict[str, str]) -> str:
    """The name of a colour; the empty text for one that cannot be seen."""
    if not code.startswith("#"):
        return "" if code in ("none", "transparent") else code
    return colours.setdefault(code[1:7].upper(), f"colour{len(colours)}")


def _way(kind: str, element: ET.Element) -> str:
    if kind == "ellipse":
        x, y, width, height = (float(element.get(key, 0)) for key in ("cx", "cy", "rx", "ry"))
        return f"({x:.2f},{-y:.2f}) ellipse ({width:.2f} and {height:.2f})"
    if kind == "path":  # Graphviz's are all of curves: M, then C with three points for each
        start, *points = _points(element.get("d", ""))
        curves = zip(points[::3], points[1::3], points[2::3], strict=True)
        return start + "".join(f" .. controls {a} and {b} .. {c}" for a, b, c in curves)
    return " -- ".join(_points(element.get("points", ""))) + " -- cycle" * (kind == "polygon")


def _text(element: ET.Element, colours: dict[str, str]) -> str:
    anchor = {"start": "base west", "end": "base east"}.get(element.get("text-anchor", ""), "base")
    (place,) = _points(f"{element.get('x')},{element.get('y')}")
    size = float(element.get("font-size", 10))
    weight = r"\bfseries" if element.get("font-weight") == "bold" else ""
    colour = _colour(element.get("fill", "black"), colours)
    return (
        rf"\node[anchor={anchor},text={colour}] at {place} "
        rf"{{\fontsize{{{size:g}bp}}{{{size:g}bp}}\selectfont{weight} {escaped(element.text or '')}}};"
    )
