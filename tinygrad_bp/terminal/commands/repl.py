"""``tinygrad-bp repl``: Python with an expression or a network in it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from tinygrad_bp.errors import ExpressionError
from tinygrad_bp.quoting import quoted
from tinygrad_bp.terminal.expressions import statements
from tinygrad_bp.terminal.reading import (
    EXAMPLE,
    add_what,
    is_network,
    read_expression,
    read_forward,
    root_name,
)

if TYPE_CHECKING:
    import argparse

NAME = "repl"
WHAT = "open Python with an expression or a network in it, and a verb for each question"
EXAMPLES = (
    f"  tinygrad-bp repl\n  tinygrad-bp repl {EXAMPLE}\n"
    "  tinygrad-bp repl net.json --input 0.8,-0.5 --target 0.3,-0.2"
)


def add_options(command: argparse.ArgumentParser) -> None:
    """What it takes."""
    add_what(command, optional=True)
    command.add_argument(
        "--plain", action="store_true", help="Python's own prompt, without IPython"
    )


def run(options: argparse.Namespace) -> None:
    """Open the session."""
    from tinygrad_bp.terminal import repl

    if options.what is None:
        options.what, *options.values = shlex.split(EXAMPLE)
    if is_network(options.what):
        run = read_forward(options)
        x = [run.x(k).data for k in range(1, run.network.sizes[0] + 1)]
        t = [run.t(j).data for j in range(1, run.network.sizes[-1] + 1)]
        session = repl.network_session(options.what, x, t)
    else:
        leaves, _ = read_expression(options)
        if not leaves:
            raise ExpressionError(
                f"{quoted(options.what)} has no names: there is nothing to differentiate"
            )
        taken = [*leaves, *(name for name, _ in statements(options.what))]
        session = repl.expression_session(options.what, leaves, root_name(taken))
    repl.start(session, ipython=not options.plain)
