"""A laid-out picture as a LaTeX document drawn with TikZ.

It is translated from Graphviz's own SVG, so that it is the same picture.  This module knows the few
elements that Graphviz writes, and TeX; nothing in a text is taken for a command.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from tinygrad_bp.explain.escaping import LONGEST_PROSE, for_latex

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = r"""%% Compiles by itself with pdflatex; or copy the colours and the tikzpicture into your document.
\documentclass{article}
\usepackage[paperwidth=%.2fbp,paperheight=%.2fbp,margin=0bp]{geometry}
\usepackage{tikz}
\renewcommand{\familydefault}{\sfdefault}
\pagestyle{empty}
\begin{document}"""


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
    words = for_latex(element.text or "", LONGEST_PROSE)
    return (
        rf"\node[anchor={anchor},text={colour}] at {place} "
        rf"{{\fontsize{{{size:g}bp}}{{{size:g}bp}}\selectfont{weight} {words}}};"
    )
