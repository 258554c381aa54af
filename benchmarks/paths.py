"""The sum over paths beside a backward pass of the same graph: ``python benchmarks/paths.py``.

Networks of 30 layers, 30 wide, have 30**29 paths from the error to a weight of the first layer.  Each
question about them is timed in turn with ``backward()``, several rounds; what is printed is the
median of the ratios, with their spread.
"""

from __future__ import annotations

import argparse
import platform
import random
import time
from statistics import median
from typing import TYPE_CHECKING

from tinygrad_bp import Network, Value, flow, largest_paths, path_count, path_sum, tanh

if TYPE_CHECKING:
    from collections.abc import Callable

WIDTH = DEPTH = 30

QUESTIONS: dict[str, Callable[[Value, Value], object]] = {
    "count": path_count,
    "total, gross, dead": path_sum,
    "flow": flow,
    "flow, every edge read": lambda e, w: [*flow(e, w).values()],
    "20 largest": lambda e, w: largest_paths(e, w, 20),
}


def with_dot() -> tuple[Value, Value]:
    """The error and a first weight of a network of the note: each node is ``f(dot(w, o) - b)``."""
    net = Network.random([WIDTH] * (DEPTH + 1), "tanh", seed=1)
    run = net.forward([0.5] * WIDTH, [0.1] * WIDTH)
    return run.e, net.w(1, 1, 1)


def with_plus_and_times() -> tuple[Value, Value]:
    """The same of ``+`` and ``*`` alone."""
    draw = random.Random(1).uniform
    o = [Value(0.5) for _ in range(WIDTH)]
    weights = []
    for _ in range(DEPTH):
        layer = []
        for _ in range(WIDTH):
            z = Value(draw(-0.3, 0.3))
            for below in o:
                weights.append(Value(draw(-0.3, 0.3)))
                z = z + weights[-1] * below
            layer.append(tanh(z))
        o = layer
    return sum((each - 0.1) ** 2 for each in o), weights[0]


GRAPHS = {"dot": with_dot, "+ and *": with_plus_and_times}


def seconds(work: Callable[[], object]) -> float:
    """Process time of one call, what it returns kept until the clock has stopped."""
    start = time.process_time()
    kept = work()
    took = time.process_time() - start
    del kept
    return took


def row(name: str, e: Value, w: Value, rounds: int) -> str:
    """One graph: a pass in milliseconds, then each question as a ratio to it."""
    passes, cells = [], []
    for ask in QUESTIONS.values():
        ratios = []
        for _ in range(rounds + 1):  # the first warms up
            passes.append(seconds(e.backward))
            ratios.append(seconds(lambda ask=ask: ask(e, w)) / passes[-1])
        ratios = sorted(ratios[1:])
        cells.append(f"{median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})")
    return f"| {name} | {median(passes) * 1e3:.0f} | {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    print(
        f"CPython {platform.python_version()}; {DEPTH} layers, {WIDTH} wide; ratios of process time "
        f"to that of backward(), median of {options.rounds} (spread)"
    )
    print(f"\n| nodes of | backward, ms | {' | '.join(QUESTIONS)} |")
    print("| --- " * (len(QUESTIONS) + 2) + "|")
    for name, make in GRAPHS.items():
        e, w = make()
        if path_count(e, w) != WIDTH ** (DEPTH - 1):
            raise SystemExit(f"{name}: not the {WIDTH}**{DEPTH - 1} paths that were meant")
        print(row(name, e, w, options.rounds), flush=True)


if __name__ == "__main__":
    main()
