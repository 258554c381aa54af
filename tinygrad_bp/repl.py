"""The verbs of the REPL under a short name: ``from tinygrad_bp.repl import *``."""

from __future__ import annotations

from tinygrad_bp.terminal.repl import (
    check,
    draw,
    explore,
    order,
    steps,
    terms,
    tree,
    why,
)

__all__ = ["check", "draw", "explore", "order", "steps", "terms", "tree", "why"]
