"""The colours and the font that all pictures share, light and dark.

Blue and orange are Okabe and Ito's, told apart by colour-blind readers; still no sign is ever shown
by colour alone.  The background is painted, not transparent, so that ink is read on any page.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, NamedTuple

from tinygrad_bp.errors import DrawingError

if TYPE_CHECKING:
    from tinygrad_bp.numbers.kernels import Number

FONT = "Helvetica"
"""Graphviz knows its widths, and writes it to SVG with ``sans-serif`` behind it."""


def sign(number: Number) -> int:
    """1, -1 or 0; a symbol has none, and neither has nan."""
    try:
        return bool(number > 0) - bool(number < 0)
    except (TypeError, ArithmeticError):  # ArithmeticError: the nan of a Decimal
        return 0


class Palette(NamedTuple):
    """What each colour is for; no two of a palette are the same."""

    paper: str
    card: str
    faint: str
    grey: str
    muted: str
    ink: str
    blue: str
    orange: str
    pale_blue: str
    pale_orange: str

    def of(self, number: Number) -> str:
        """Blue for what raises, orange for what lowers."""
        return (self.muted, self.blue, self.orange)[sign(number)]

    def halo(self, number: Number) -> str:
        """The same, pale."""
        return (self.faint, self.pale_blue, self.pale_orange)[sign(number)]


# No entry is a colour that Graphviz has a name for, so that it writes them as they are here.
LIGHT = Palette(
    paper="#fefefe",
    card="#f3f6f9",
    faint="#d5d8db",
    grey="#8c9196",
    muted="#646a70",
    ink="#1f2328",
    blue="#0072b2",
    orange="#d55e00",
    pale_blue="#cce3f0",
    pale_orange="#f7dfcc",
)
DARK = Palette(
    paper="#14181d",
    card="#222830",
    faint="#3a424b",
    grey="#7d868f",
    muted="#9aa4ae",
    ink="#e6eaee",
    blue="#58b4e9",
    orange="#f59b4c",
    pale_blue="#1b4059",
    pale_orange="#573417",
)
THEMES = ("auto", "light", "dark")


def palette(theme: str) -> Palette:
    """The colours of a theme; ``"auto"`` is drawn light, and `adapt` has the dark ones.

    Raises:
        DrawingError: there is no such theme.

    >>> palette("dark").ink
    '#e6eaee'
    """
    if theme not in THEMES:
        raise DrawingError(f"there is no theme {theme!r:.40}: use one of {', '.join(THEMES)}")
    return DARK if theme == "dark" else LIGHT


def stroke(number: Number) -> str:
    """How the line of a sum is drawn, so that its sign is seen without colour."""
    return ("dotted", "solid", "dashed")[sign(number)]


def dark_css() -> str:
    """Rules that turn a light picture dark: attributes are matched, never text."""
    rules = (
        f'[{attribute}="{light}"]{{{attribute}:{dark}}}'
        for light, dark in zip(LIGHT, DARK, strict=True)
        for attribute in ("fill", "stroke")
    )
    return "".join(rules)


def adapt(svg: str) -> str:
    """The light picture, which a reader's system may ask to be dark.

    >>> adapt('<svg><path fill="#fefefe"/></svg>')[:50]
    '<svg><style>@media (prefers-color-scheme: dark){[f'
    """
    style = f"<style>@media (prefers-color-scheme: dark){{{dark_css()}}}</style>"
    return re.sub(r"<svg\b[^>]*(?<!/)>", lambda tag: tag[0] + style, svg, count=1)


def share(size: float, largest: float) -> float:
    """How large a size is beside the largest finite one, from 0 to 1: what is not a number counts as 1."""
    if not size < math.inf:
        return 1.0
    return min(size / largest, 1.0) if largest else 0.0
