"""What is timed does the same work in every engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def engines(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import engines

    return engines.ENGINES


@pytest.mark.parametrize(
    ("workload", "peers_workload"),
    [
        ("demo", "demo"),
        ("demo, dot", "demo"),
        ("demo, dot for each neuron", "demo"),
        ("network", "network"),
        ("gpt", "gpt"),
    ],
)
def test_the_losses_are_those_of_the_peer(engines, workload, peers_workload):
    from workloads import WORKLOADS

    ours = WORKLOADS[workload][0](engines["tinygrad_bp"]())
    theirs = WORKLOADS[peers_workload][0](engines["microgpt_manner"]())
    for _ in range(2):  # the second after an update
        assert ours() == pytest.approx(theirs(), rel=1e-12)


def test_the_command_prints_a_row_of_ratios():
    command = [sys.executable, BENCHMARKS / "run.py", "--rounds", "1", "--workload", "network"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    *_, head, _, row = done.stdout.splitlines()
    assert head.startswith("| workload | tinygrad_bp |")
    assert row.startswith("| network | ")
    assert "ours / theirs" in done.stdout
