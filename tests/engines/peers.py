"""Print the table of engines that exist: ``python tests/engines/peers.py [NAME ...]``.

Each is installed from PyPI into a folder of its own and tried by the command, in its default depth.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent


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
)


def report(peer: Peer, folder: str) -> tuple[dict[str, Any], float]:
    """What the command finds, and the seconds that it takes."""
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--target", folder]
    alone = ["--no-deps"] if peer.distribution != "torch" else []
    subprocess.run([*install, *alone, f"{peer.distribution}=={peer.version}"], check=True)
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "tinygrad_bp", "conformance", *peer.engine, "--json"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join((folder, str(HERE)))},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return json.loads(done.stdout), time.monotonic() - start


def row(peer: Peer, found: dict[str, Any], seconds: float) -> str:
    """One line of the table."""
    verdicts = [each["verdict"] for each in found["findings"]]
    failing = [each["name"] for each in found["findings"] if each["verdict"] == "fails"]
    holds, fails = verdicts.count("holds"), verdicts.count("fails")
    what = f"{peer.distribution} {peer.version}"
    return f"| {what} | {holds} | {fails} | {', '.join(failing)} | {seconds:.1f} |"


def main(names: list[str]) -> None:
    """Print the table."""
    print("| engine | hold | fail | what fails | seconds |\n| --- | --- | --- | --- | --- |")
    for peer in PEERS:
        if not names or peer.distribution in names:
            with tempfile.TemporaryDirectory() as folder:
                print(row(peer, *report(peer, folder)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
