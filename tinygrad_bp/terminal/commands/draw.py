"""``tinygrad-bp draw``: a picture of the graph, of the pass, or of a network."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tinygrad_bp.errors import ExpressionError, NetworkError
from tinygrad_bp.explain.paths import flow
from tinygrad_bp.quoting import first_few, quoted, visible
from tinygrad_bp.terminal.printing import show
from tinygrad_bp.terminal.reading import (
    EXAMPLE,
    NETWORK_EXAMPLE,
    add_output,
    add_place,
    add_what,
    count_of,
    is_network,
    read_expression,
    read_run,
)

if TYPE_CHECKING:
    import argparse

NAME = "draw"
WHAT = "draw the graph of an expression, or a network with the paths of one weight"
EXAMPLES = (
    f"  tinygrad-bp draw {EXAMPLE} -o graph.svg\n"
    f"  tinygrad-bp draw {EXAMPLE} --flow w -o flow.pdf\n"
    f"  tinygrad-bp draw {EXAMPLE} --frames -o pass.gif\n"
    f"  tinygrad-bp draw {NETWORK_EXAMPLE} -o net.svg\n"
    f"  tinygrad-bp draw {NETWORK_EXAMPLE} --theme dark -o net.png"
)


def add_options(command: argparse.ArgumentParser) -> None:
    """What it takes."""
    add_what(command)
    add_place(command)
    add_output(
        command,
        ".svg, .png, .pdf, .dot, .html, .gif, .json, .mmd (Mermaid) or .tex (TikZ)",
        required=True,
    )
    seen = command.add_mutually_exclusive_group()
    seen.add_argument("--flow", metavar="NAME", help="light what all paths to this name carry")
    seen.add_argument(
        "--frames", action="store_true", help="the pass step by step; moves in .gif, .svg and .html"
    )
    command.add_argument(
        "--theme",
        choices=("auto", "light", "dark"),
        default="auto",
        help="default: auto, an .svg follows the reader's system and others are light",
    )
    command.add_argument(
        "--max-nodes",
        type=count_of,
        metavar="N",
        help="draw graphs of up to N nodes; those not laid out, .dot .json .mmd, have no limit",
    )


def run(options: argparse.Namespace) -> None:
    """Write the picture."""
    import viz

    viz.check_output(options.output, overwrite=options.force)
    theme = options.theme
    if is_network(options.what):
        if options.flow is not None or options.frames:
            raise NetworkError("--flow and --frames are for an expression, not for a network")
        run, place = read_run(options)
        run.e.backward()
        viz.save(
            viz.network(run, weight=place, theme=theme), options.output, overwrite=options.force
        )
    else:
        leaves, e = read_expression(options)
        if options.frames:
            film = viz.frames(e, theme=theme)
            viz.save(film, options.output, overwrite=options.force)
        else:
            e.backward()
            lit = None
            if options.flow is not None:
                if options.flow not in leaves:
                    raise ExpressionError(
                        f"--flow: {quoted(options.flow)} is none of {first_few(leaves)}"
                    )
                lit = flow(e, leaves[options.flow])
            laid_out = not options.output.lower().endswith((".dot", ".json", ".mmd"))
            limit = options.max_nodes or (viz.MAX_NODES if laid_out else sys.maxsize)
            picture = viz.draw(e, highlight=lit, max_nodes=limit, theme=theme)
            viz.save(picture, options.output, overwrite=options.force)
    show(f"wrote {visible(options.output)}")
