"""A laid-out picture as a LaTeX document drawn with TikZ.

It is translated from Graphviz's own list of what to draw, so that it is the same picture.  This room
knows that list and TeX; text is data, and nothing in it is taken for a command.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

_HEAD = r"""% Compiles by itself with pdflatex, lualatex or xelatex; or copy the tikzpicture.
\documentclass[tikz,border=2bp]{standalone}
\usepackage[T1]{fontenc}
\usepackage{amsmath}
\usepackage[scaled]{helvet}
\renewcommand{\familydefault}{\sfdefault}
"""

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    '"': r"\textquotedbl{}",
    "|": r"\textbar{}",
    **{character: f"\\{character}" for character in "{}$&#%_"},
    **{character: f"{{{character}}}" for character in "-`',<>?![]"},  # which would join or open
}
_SIGNS = {
    "∂": r"\partial", "…": r"\dots", "·": r"\cdot", "×": r"\times", "→": r"\to", "−": "-",
    "±": r"\pm", "∞": r"\infty", "√": r"\surd", "≤": r"\leq", "≥": r"\geq", "≠": r"\neq",
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
    "°": r"\textdegree",
}
_ACCENTS = dict(zip("\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327\u0328",
                    "`'^~=u.\"rHvck", strict=True))  # fmt: skip
# The Greek letters that TeX writes as Latin ones.
_LATIN = dict(
    zip(
        [
            "ALPHA",
            "BETA",
            "EPSILON",
            "ZETA",
            "ETA",
            "IOTA",
            "KAPPA",
            "MU",
            "NU",
            "OMICRON",
            "RHO",
            "TAU",
            "CHI",
        ],
        "ABEZHIKMNOPTX",
        strict=True,
    )
)


def escaped(text: str) -> str:
    r"""The text for TeX; a character that its usual fonts have not is written ``U+XXXX``.

    >>> print(escaped(r"50% \input{x} é ∂ 日"))
    50\% \textbackslash{}input\{x\} \'{e} \ensuremath{\partial} U+65E5
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


def tikz(drawn: dict[str, Any]) -> str:
    r"""The document, from what Graphviz writes as ``json``.

    >>> print(tikz({"bb": "0,0,9,9"}).splitlines()[-1])
    \end{document}
    """
    pen = _Pen()
    things = sorted(drawn.get("edges", ()), key=lambda each: each["_gvid"])
    things = [drawn, *things, *drawn.get("objects", ())]
    keys = ("_draw_", "_hdraw_", "_tdraw_", "_ldraw_")
    body = [line for each in things for key in keys if key in each for line in pen.lines(each[key])]
    colours = [
        rf"\definecolor{{{name}}}{{HTML}}{{{colour}}}" for colour, name in pen.colours.items()
    ]
    return "\n".join(
        [
            _HEAD + r"\begin{document}",
            *colours,
            r"\begin{tikzpicture}[x=1bp,y=1bp,inner sep=0,outer sep=0]",
            *body,
            r"\end{tikzpicture}",
            r"\end{document}",
            "",
        ]
    )


class _Pen:
    """Turns Graphviz's drawing operations into TikZ, with the state that they share."""

    def __init__(self) -> None:
        self.colours: dict[str, str] = {}
        self.reset()

    def reset(self) -> None:
        self.line = self.fill = ""
        self.width, self.dash, self.size, self.bold = 1.0, "", 10.0, False

    def lines(self, operations: Iterable[dict[str, Any]]) -> Iterator[str]:
        self.reset()
        for each in operations:
            kind = each["op"]
            if kind == "c":
                self.line = self.colour(each["color"])
            elif kind == "C":
                self.fill = self.colour(each["color"])
            elif kind == "S":
                self.style(each["style"])
            elif kind == "F":
                self.size, self.bold = each["size"], "Bold" in each["face"]
            elif kind == "t":
                self.bold = bool(each["fontchar"] & 1)
            elif kind in "eEpPbBL":
                yield from self.shape(kind, each)
            elif kind == "T":
                yield self.text(each)

    def colour(self, text: str) -> str:
        """The name of a colour; the empty text for one that cannot be seen."""
        if len(text) == 9 and text.endswith("00"):
            return ""
        digits = text[1:7].upper()
        return self.colours.setdefault(digits, f"g{len(self.colours)}")

    def style(self, text: str) -> None:
        if text.startswith("setlinewidth("):
            self.width = float(text[13:-1])
        elif text in ("solid", "dashed", "dotted"):
            self.dash = {"dashed": "5bp off 2bp", "dotted": "1bp off 4bp"}.get(text, "")

    def shape(self, kind: str, each: dict[str, Any]) -> Iterator[str]:
        options = []
        if self.line:
            options.append(f"draw={self.line},line width={self.width:g}bp")
        if self.dash:
            options.append(f"dash pattern=on {self.dash}")
        if kind in "EPB" and self.fill:
            options.append(f"fill={self.fill}")
        if options:
            yield rf"\path[{','.join(options)}] {self.way(kind, each)};"

    @staticmethod
    def way(kind: str, each: dict[str, Any]) -> str:
        if kind in "eE":
            x, y, width, height = each["rect"]
            return f"({x:.2f},{y:.2f}) ellipse ({width:.2f} and {height:.2f})"
        points = [f"({x:.2f},{y:.2f})" for x, y, *_ in each["points"]]
        if kind in "bB":
            curves = zip(points[1::3], points[2::3], points[3::3], strict=True)
            return points[0] + "".join(f" .. controls {a} and {b} .. {c}" for a, b, c in curves)
        return " -- ".join(points) + (" -- cycle" if kind in "pP" else "")

    def text(self, each: dict[str, Any]) -> str:
        anchor = {"l": "base west", "c": "base", "r": "base east"}[each["align"]]
        x, y = each["pt"]
        bold = r"\bfseries" if self.bold else ""
        size = rf"\fontsize{{{self.size:g}bp}}{{{self.size:g}bp}}\selectfont"
        return (
            rf"\node[anchor={anchor},text={self.line}] at ({x:.2f},{y:.2f}) "
            rf"{{{size}{bold} {escaped(each['text'])}}};"
        )
