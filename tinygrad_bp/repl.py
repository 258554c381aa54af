"""The verbs of the REPL under a short name: ``from tinygrad_bp.repl import *``."""

from __future__ import annotations

from tinygrad_bp.terminal.repl import *  # noqa: F403 - the list is there
