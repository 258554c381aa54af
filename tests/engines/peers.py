"""Print the page of engines that exist, `docs/engines.md`: ``python tests/engines/peers.py [NAME ...]``.

Each is installed from PyPI into a folder of its own and tried by the command, in its default depth.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
OURS = "tinygrad-bp"


class Peer(NamedTuple):
    """An engine that exists.

    Attributes:
        distribution: its name on PyPI.
        version: the one that is tried.
        engine: where its nodes are, and options of the command.
    """

    distribution: str
    version: str
    engine: tuple[str, ...]


PEERS = (
    Peer("micrograd", "0.1.0", ("micrograd.engine:Value",)),
    Peer("deep-autograd", "0.0.2", ("deep_autograd.engine:Value",)),
    Peer("learngrad", "0.2.1", ("learngrad.engine:Value",)),
    Peer("femtograd", "0.0.5", ("femtograd.femtograd:value",)),
    Peer("tonygrad", "2.0.0", ("tonygrad.engine:Value",)),
    Peer("scalargrad", "1.0.5", ("scalargrad.core:Scalar",)),
    Peer("propgrad", "0.1.1", ("propgrad.engine:Value",)),
    Peer("omnigrad", "0.2.3", ("peer_engines:OMNIGRAD",)),
    Peer("lilgrad", "0.6.0", ("micrograd.engine:Value",)),
    Peer("coregrad", "0.1.0", ("coregrad.engine:Scalar",)),
    Peer("nanograd-bgriebel", "0.1.4", ("nanograd_bgriebel:Value", "--backward", "backwards")),
    Peer("torch", "2.13.0", ("peer_engines:PYTORCH",)),
    Peer(OURS, "of this folder", ("peer_engines:OURS",)),
)


PAGE = """\
# Engines that exist

Made by `python tests/engines/peers.py`: scalar engines from PyPI, and ours, each tried by `tinygrad-bp
conformance` as it comes.  **Operations and graphs** is what most people ask for: values and gradients of one
pass, of each operation by itself, in graphs and in random programs, at numbers of moderate size.  The other
columns are what a right one may still get wrong:

- **tails**: very large and very small numbers, where a formula overflows or loses its digits on the way
- **edges**: powers of 0, ties and kinks
- **second pass**: a second `backward()`, or one from another result of the same graph, adds up
- **recording**: a pass tells of what was computed, though a leaf has been assigned since
- **deep graph**: chains of up to 100,000 operations; graphs with many paths
- **memory**: what is dropped is freed, and without the collector

The seconds are those of the whole
command, the import of the engine included.
"""

COLUMNS = {
    "operations and graphs": None,  # all that is in no other column
    "tails": lambda name: name.endswith(": tails"),
    "edges": ("kinks", "powers of 0", "exponent 0", "negative base").__contains__,
    "second pass": ("second pass", "two results").__contains__,
    "recording": ("recording", "training", "old name").__contains__,
    "deep graph": ("deep graph", "many paths").__contains__,
    "memory": ("memory", "no cycles").__contains__,
}


def report(peer: Peer, folder: Path) -> tuple[dict[str, Any], float]:
    """What the command finds, and the seconds that it takes; the engine is installed unless it is there."""
    if not folder.exists() and peer.distribution != OURS:
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder)]
        alone = ["--no-deps"] if peer.distribution != "torch" else []
        subprocess.run([*install, *alone, f"{peer.distribution}=={peer.version}"], check=True)
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "tinygrad_bp", "conformance", *peer.engine, "--json"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(folder), str(HERE)))},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return json.loads(done.stdout), time.monotonic() - start


def column_of(name: str) -> str:
    """The column of a property."""
    others = next(iter(COLUMNS))
    return next((column for column, has in COLUMNS.items() if has and has(name)), others)


def row(peer: Peer, found: dict[str, Any], seconds: float) -> str:
    """One line of the table."""
    verdicts: dict[str, list[str]] = {column: [] for column in COLUMNS}
    failing: dict[str, list[str]] = {column: [] for column in COLUMNS}
    for each in found["findings"]:
        column = column_of(each["name"])
        verdicts[column].append(each["verdict"])
        if each["verdict"] == "fails":
            failing[column].append(f"`{each['name'].removesuffix(': tails')}`")
    holding = sum(each.count("holds") for each in verdicts.values())
    cells = [
        ", ".join(failing[column]) or ("right" if "holds" in verdicts[column] else "not offered")
        for column in COLUMNS
    ]
    what = f"{peer.distribution} {peer.version}"
    return f"| {what} | {holding} | {' | '.join(cells)} | {seconds:.0f} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python tests/engines/peers.py", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--folder", type=Path, help="where the engines are kept")
    asked = parser.parse_args()
    print(PAGE)
    print(f"| engine | hold | {' | '.join(COLUMNS)} | seconds |\n|{' --- |' * (len(COLUMNS) + 3)}")
    with tempfile.TemporaryDirectory() as passing:
        for peer in PEERS:
            if not asked.names or peer.distribution in asked.names:
                folder = (asked.folder or Path(passing)) / peer.distribution
                print(row(peer, *report(peer, folder)), flush=True)


if __name__ == "__main__":
    main()
