"""The commands of ``tinygrad-bp``, one module for each: its options, and what it does.

A module has ``NAME``, ``WHAT`` in one line, ``EXAMPLES``, ``add_options(parser)`` and ``run(options)``, which
returns the exit code, or None for 0.  What is costly to import is imported in ``run``.
"""

from __future__ import annotations

from tinygrad_bp.terminal.commands import (
    conformance,
    demo,
    draw,
    explain,
    explore,
    repl,
    step,
    train,
)

COMMANDS = (demo, explain, draw, step, explore, train, repl, conformance)
