"""Ours beside its peers: ``python benchmarks/run.py``, as a table of ratios.

Each engine runs each workload in a process of its own, in turn, several times; what is printed is the
median of the process time for one step, and ours over each peer's, with the spread of the ratio over
the rounds.  The cyclic collector is as Python has it, or off for all with ``--collector off``.  Peers
that are not installed are named.
"""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import time
from statistics import median

from engines import ENGINES
from workloads import WORKLOADS

OURS = "tinygrad_bp"


def measure(engine: str, workload: str, collector: str) -> float:
    """Milliseconds of process time for one step, in this process."""
    make, steps = WORKLOADS[workload]
    step = make(ENGINES[engine]())
    if steps > 1:
        step()
    gc.collect()
    if collector == "off":
        gc.disable()
    start = time.process_time()
    for _ in range(steps):
        step()
    return (time.process_time() - start) / steps * 1e3


def in_a_process(engine: str, workload: str, collector: str) -> float | str:
    """The same in a process of its own, or why it could not be."""
    command = [sys.executable, __file__, "--one", engine, workload, "--collector", collector]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "crashed"
        return last.partition(":")[0]
    return float(json.loads(done.stdout))


def first_gradient(engine: str) -> float | str:
    """Milliseconds from the start of Python to a first gradient, elapsed."""
    code = {
        "tinygrad_bp": "from tinygrad_bp import Value; x = Value(3.0); (x * x).backward()",
        "micrograd": "from micrograd.engine import Value; x = Value(3.0); (x * x).backward()",
        "bare Python": "pass",
    }.get(engine)
    if code is None:
        return "-"
    cached = {name: each for name, each in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False, env=cached
    )
    return (time.perf_counter() - start) * 1e3 if done.returncode == 0 else "missing"


def bytes_per_operation() -> float:
    """Memory of one of our nodes, data and gradient included, from a chain after its pass."""
    import tracemalloc

    from tinygrad_bp import Value

    count = 100_000
    a, v = Value(1.0000001), Value(1.5)
    tracemalloc.start()
    for _ in range(count):
        v = v * a
    v.backward()
    gc.collect()
    return tracemalloc.get_traced_memory()[0] / count


def show(found: float | str) -> str:
    """Milliseconds with three digits, or the reason for having none."""
    return found if isinstance(found, str) else f"{found:.3g}"


def row(name: str, rounds: list[dict[str, float | str]], peers: list[str]) -> str:
    """One workload: our median, and for each peer its median and our ratio with its spread."""
    ours = [each[OURS] for each in rounds]
    cells = [name, show(median(ours))]
    for peer in peers:
        theirs = [each[peer] for each in rounds]
        if any(isinstance(each, str) for each in theirs):
            cells.append(next(str(each) for each in theirs if isinstance(each, str)))
            continue
        ratios = sorted(a / b for a, b in zip(ours, theirs, strict=True))
        spread = f"{ratios[0]:.3f}-{ratios[-1]:.3f}"
        cells.append(f"{show(median(theirs))}: {median(ratios):.3f} ({spread})")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--collector", choices=["on", "off"], default="on")
    parser.add_argument("--workload", action="append", choices=WORKLOADS)
    parser.add_argument("--one", nargs=2, metavar=("ENGINE", "WORKLOAD"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(*options.one, options.collector)))
        return
    peers, missing = [], []
    for name, load in ENGINES.items():
        try:
            load()
        except ImportError:
            missing.append(name)
        else:
            peers += [name] * (name != OURS)
    installed = [peer for peer in peers if peer != "microgpt_manner"]
    versions = ", ".join(f"{peer} {importlib.metadata.version(peer)}" for peer in installed)
    print(
        f"CPython {platform.python_version()}, {versions}; collector {options.collector}; "
        f"median of {options.rounds} rounds, ms of process time for one step; ours / theirs (spread)"
    )
    if missing:
        print(f"not installed, left out: {', '.join(missing)}")
    print(f"\n| workload | {OURS} | {' | '.join(peers)} |")
    print("| --- " * (len(peers) + 2) + "|")
    for workload in options.workload or WORKLOADS:
        rounds: list[dict[str, float | str]] = []
        for _ in range(options.rounds):
            ours_only = {OURS: in_a_process(OURS, workload, options.collector)}
            if workload.startswith("demo, dot"):  # against the peers' only way of writing it
                others = {peer: in_a_process(peer, "demo", options.collector) for peer in peers}
            else:
                others = {peer: in_a_process(peer, workload, options.collector) for peer in peers}
            rounds.append(ours_only | others)
        print(row(workload, rounds, peers), flush=True)
    if not options.workload:
        starts = {
            name: median(first_gradient(name) for _ in range(options.rounds * 4))
            for name in ("bare Python", *installed, OURS)
        }
        print("\nfrom start to a first gradient, ms elapsed: " + ", ".join(f"{k} {show(v)}" for k, v in starts.items()))  # fmt: skip
        print(f"bytes for each operation, data and gradient included: {bytes_per_operation():.0f}")


if __name__ == "__main__":
    main()
