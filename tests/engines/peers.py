"""Print the table of engines that exist: ``python tests/engines/peers.py [NAME ...]``.

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


COLUMNS = {
    "operations and graphs": None,  # all that is in no other column
    "tails": lambda name: name.endswith(": tails"),
    "edges": ("kinks", "powers of 0", "exponent 0", "negative base").__contains__,
    "second pass": ("second pass", "two results", "another graph").__contains__,
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


def row(peer: Peer, found: dict[str, Any], seconds: float) -> str:
    """One line of the table."""
    verdicts = {each["name"]: each["verdict"] for each in found["findings"]}
    holding = [*verdicts.values()].count("holds")
    cells: dict[str, list[str]] = {column: [] for column in COLUMNS}
    for name in (name for name, verdict in verdicts.items() if verdict == "fails"):
        column = next((each for each, has in COLUMNS.items() if has and has(name)), None)
        cells[column or next(iter(COLUMNS))].append(name.removesuffix(": tails"))
    shown = [", ".join(f"`{each}`" for each in names) or "right" for names in cells.values()]
    return (
        f"| {peer.distribution} {peer.version} | {holding} | {' | '.join(shown)} | {seconds:.0f} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python tests/engines/peers.py", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--folder", type=Path, help="where the engines are kept")
    asked = parser.parse_args()
    print(f"| engine | hold | {' | '.join(COLUMNS)} | seconds |\n|{' --- |' * (len(COLUMNS) + 3)}")
    with tempfile.TemporaryDirectory() as passing:
        for peer in PEERS:
            if not asked.names or peer.distribution in asked.names:
                folder = (asked.folder or Path(passing)) / peer.distribution
                print(row(peer, *report(peer, folder)), flush=True)


if __name__ == "__main__":
    main()
