"""The colours and the font that all pictures share.

Blue and orange are Okabe and Ito's, told apart by colour-blind readers; still no sign is ever shown
by colour alone.  The background is white, not transparent, so that ink is read on dark pages too.
"""

from __future__ import annotations

FONT = "Helvetica"
"""Graphviz knows its widths, and writes it to SVG with ``sans-serif`` behind it."""

WHITE = "#FFFFFF"
PALE = "#F3F6F9"
FAINT = "#D5D8DB"
GREY = "#8C9196"
MUTED = "#646A70"
INK = "#1F2328"

BLUE = "#0072B2"
ORANGE = "#D55E00"
PALE_BLUE = "#CCE3F0"
PALE_ORANGE = "#F7DFCC"
