"""``tinygrad-bp demo``: a small network learns Fisher's iris data."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tinygrad_bp.explain.report import to_text
from tinygrad_bp.quoting import quoted, visible
from tinygrad_bp.terminal.printing import run_heading, show, track

if TYPE_CHECKING:
    import argparse

    from tinygrad_bp.network.derivation_page import Derivation
    from tinygrad_bp.network.network import Run

NAME = "demo"
WHAT = "train a small network on Fisher's iris data, explain one weight, write the pictures"
EXAMPLES = "  tinygrad-bp demo\n  tinygrad-bp demo -o pictures"


def add_options(command: argparse.ArgumentParser) -> None:
    """What it takes."""
    command.add_argument(
        "-o", "--output", metavar="FOLDER", help="a new folder; default: tinygrad-bp-demo"
    )


def run(options: argparse.Namespace) -> None:
    """Train, explain and draw."""
    from tinygrad_bp.terminal import demo
    from tinygrad_bp.training import accuracy, predict, train

    if options.output and os.path.lexists(options.output):
        raise FileExistsError(f"{quoted(options.output)} exists already: choose another name")
    iris = demo.load_iris()
    net = demo.untrained()
    show(
        f"Fisher's iris data: {len(iris.train)} flowers to train on, {len(iris.test)} held out.\n"
        f"A {'-'.join(map(str, net.sizes))} network, e = Σ (t − o)², Δw = −η de/dw, η = {demo.ETA}."
    )
    learning = train(net, iris.train, epochs=demo.EPOCHS, eta=demo.ETA, seed=demo.SEED)
    errors = list(track(learning, "training", demo.EPOCHS))
    show(
        f"Mean error {errors[0]:.4f} after the first epoch, {errors[-1]:.4f} after {len(errors)}.\n"
        f"Held-out accuracy: {accuracy(net, iris.test):.3f}\n"
    )
    place = demo.hardest(net, iris.test)
    flower = iris.test[place]
    show(
        f"The held-out flower with the largest error, number {place + 1}: it is "
        f"{iris.names[flower.t.index(1.0)]}, taken for {iris.names[predict(net, flower.x)]}."
    )
    run, derived = demo.explain(net, flower)
    show(_about(run, derived) + "\n")
    written = demo.write(demo.new_folder(options.output), run, derived)
    show("wrote " + "\n      ".join(visible(str(file)) for file in written))


def _about(run: Run, derived: Derivation) -> str:
    return f"{to_text([run_heading(run)])}\n\n{derived.to_text()}"
