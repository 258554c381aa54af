"""``tinygrad-bp step``: the pass, one step at a time."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING

from tinygrad_bp.engine.tape import Tape
from tinygrad_bp.errors import ExpressionError
from tinygrad_bp.explain.naive import naive_of
from tinygrad_bp.explain.steps import steps_of
from tinygrad_bp.quoting import first_few, quoted
from tinygrad_bp.terminal.printing import show
from tinygrad_bp.terminal.reading import (
    EXAMPLE,
    add_what,
    is_network,
    read_expression,
    read_forward,
    read_number,
    root_name,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from tinygrad_bp.engine.value import Value

NAME = "step"
WHAT = "go through the forward and the backward pass one step at a time"
EXAMPLES = (
    f"  tinygrad-bp step {EXAMPLE}\n"
    f"  tinygrad-bp step {EXAMPLE} --eta 0.1 --wrt w,b\n"
    '  tinygrad-bp step "b = a + a; c = b + b" a=1 --naive\n'
    "  tinygrad-bp step net.json --input 0.8,-0.5 --target 0.3,-0.2\n"
    f"  tinygrad-bp step {EXAMPLE} | less"
)
_TREES = 500
"""Of a longer pass a line for each step is printed, and the tree only where it is asked for."""


def add_options(command: argparse.ArgumentParser) -> None:
    """What it takes."""
    add_what(command)
    command.add_argument("--eta", metavar="NUMBER", help="end with the update, Dw = -eta de/dw")
    command.add_argument(
        "--wrt", metavar="NAME,...", help="what the update is for; default: all names, all weights"
    )
    command.add_argument(
        "--naive", action="store_true", help="show the wrong way, without an order, beside it"
    )
    command.add_argument("--all", action="store_true", help="print all steps, in a terminal too")
    command.add_argument("--brief", action="store_true", help="print one line for each step")
    command.add_argument("--json", action="store_true", help="print the record as JSON")


def run(options: argparse.Namespace) -> None:
    """Show the steps, in whatever form was asked for."""
    if is_network(options.what):
        run = read_forward(options)
        tape = Tape.from_result(run.e)
        learning = [leaf for leaf in run.network.parameters() if leaf in tape.places]
    else:
        leaves, e = read_expression(options)
        tape = Tape.from_result(e, root=root_name(leaves))
        learning = [leaf for leaf in leaves.values() if leaf in tape.places]
    eta = None if options.eta is None else read_number("--eta", options.eta)
    if options.wrt is not None:
        if eta is None:
            raise ExpressionError("--wrt says what learns: say how fast too, as --eta 0.1")
        learning = _chosen(options.wrt, {tape.names[leaf]: leaf for leaf in learning})
    record = steps_of(tape, eta, wrt=learning)
    wrong = naive_of(tape) if options.naive else None
    length = max(len(record), len(wrong or ()))
    many = length > _TREES and not (options.all or sys.stdout.isatty())
    if options.json:
        beside = {"naive": wrong.to_dict()} if wrong else {}
        show(json.dumps({"expression": options.what, **record.to_dict(), **beside}))
    elif options.brief or many:
        lines = [(wrong or record).to_text(), *([wrong.explain()] if wrong else [])]
        lines += [f"{length} steps: --all draws the tree at each"] * (not options.brief)
        show("\n".join(lines))
    else:
        from tinygrad_bp.terminal.stepper import show_steps

        show_steps(record, wrong, every=options.all)


def _chosen(text: str, learning: Mapping[str, Value]) -> list[Value]:
    """The leaves that are named; a name of a network has commas in it: ``w[1][1,2]``."""
    chosen = re.findall(r"[^,\[]+(?:\[[^\]]*\])*", text)
    unknown = [name for name in chosen if name not in learning]
    if unknown:
        raise ExpressionError(f"--wrt: {quoted(unknown[0])} is none of {first_few(learning)}")
    return [learning[name] for name in chosen]
