"""``tinygrad-bp explore``: a page to step through the pass in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinygrad_bp.quoting import visible
from tinygrad_bp.terminal.printing import show
from tinygrad_bp.terminal.reading import (
    EXAMPLE,
    NETWORK_EXAMPLE,
    add_output,
    add_place,
    add_what,
    is_network,
    read_expression,
    read_forward,
    read_run,
)

if TYPE_CHECKING:
    import argparse

NAME = "explore"
WHAT = "write a page to step through the pass in a browser, and to change its leaves"
EXAMPLES = (
    f"  tinygrad-bp explore {EXAMPLE} -o chain.html\n"
    f"  tinygrad-bp explore {NETWORK_EXAMPLE} -o net.html"
)


def add_options(command: argparse.ArgumentParser) -> None:
    """What it takes."""
    add_what(command)
    add_place(command)
    add_output(command, "a new .html", required=True)


def run(options: argparse.Namespace) -> None:
    """Write the page."""
    import viz

    if is_network(options.what):
        chosen = options.weight or options.bias
        run, place = read_run(options) if chosen else (read_forward(options), None)
        page = viz.explore(run, weight=place)
    else:
        _, e = read_expression(options)
        page = viz.explore(e, title=options.what)
    page.save(options.output, overwrite=options.force)
    show(f"wrote {visible(options.output)}")
