"""The measurement of accuracy: the bounds hold, and a row made wrong is told."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from depth import depth

from tinygrad_bp import RULES
from tinygrad_bp.rules import Rule
from tinygrad_bp.testing import accuracy
from tinygrad_bp.testing.accuracy import fair, main, measure, peer_results, points, summary, worst
from tinygrad_bp.testing.oracles import ORACLES

ROWS = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
DOCS = Path(__file__).parent.parent / "docs"


@ROWS
def test_every_bound_holds(rule):
    for each in worst(rule, measure(rule, depth(100, by_default=25))):
        assert each.off <= each.bound, str(each)


@ROWS
def test_a_bound_over_the_default_has_a_reason(rule):
    oracle = ORACLES[rule.name]
    beyond = any(oracle.unit) or any(
        bound > default for bound, default in zip(oracle.ulps, (2, 4, 4), strict=False)
    )
    assert beyond == bool(oracle.reason)


@ROWS
def test_the_points_are_always_the_same(rule):
    assert points(rule, 50) == points(rule, 50)


def test_the_points_reach_from_subnormals_to_overflow_and_both_signs():
    sizes = [abs(x) for (x,) in points(RULES["tanh"], 600) if x]
    assert min(sizes) < 1e-320
    assert max(sizes) > 1e307
    assert {x > 0 for (x,) in points(RULES["tanh"], 600)} == {True, False}


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "tinygrad_bp.testing.accuracy", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
    )


def rows_of(text):
    return set(re.findall(r"^\| `(\S+)` +\| (value|d/d[xy])", text, re.MULTILINE))


EVERY_RESULT = {
    (name, result)
    for name, rule in RULES.items()
    for result in ("value", "d/dx", "d/dy")[: rule.arity + 1]
}


def test_the_command_prints_every_row_and_its_reasons():
    done = command("--points", "20")
    assert (done.returncode, done.stderr) == (0, "")
    assert rows_of(done.stdout) == EVERY_RESULT
    for name, oracle in ORACLES.items():
        assert not oracle.reason or re.search(
            rf"^- `{re.escape(name)}` \(", done.stdout, re.MULTILINE
        )


def test_a_reader_that_has_had_enough_is_no_error():
    asked = [sys.executable, "-m", "tinygrad_bp.testing.accuracy", "--points", "5", "--row", "+"]
    with subprocess.Popen(asked, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        running.stdout.close()
        complaints = running.stderr.read()
    assert (running.returncode, complaints) == (0, b"")


def test_one_row_alone():
    done = command("--points", "20", "--row", "tanh")
    assert rows_of(done.stdout) == {("tanh", "value"), ("tanh", "d/dx")}


@pytest.mark.parametrize(
    ("name", "value", "derivative", "told"),
    [
        ("tanh", "tanh(x)", "1.0 - out * out", "tanh, d/dx: "),
        ("softplus", "log(1.0 + exp(x))", "sigmoid(x)", "softplus, value: "),
    ],
)
def test_a_row_made_wrong_breaks_its_bound(name, value, derivative, told, monkeypatch, capsys):
    monkeypatch.setitem(RULES, name, Rule(name, value, (derivative,)))
    assert main(["--points", "20", "--row", name]) == 1
    printed = capsys.readouterr()
    assert "BROKEN" in printed.out
    assert told in printed.err


def test_missing_peers_are_named(monkeypatch, capsys):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(accuracy.importlib, "import_module", missing)
    assert main(["--points", "5", "--row", "exp", "--peers"]) == 0
    told = capsys.readouterr().out
    assert "PyTorch is not installed." in told
    assert "JAX is not installed." in told


def test_a_peer_is_measured_at_the_same_points_and_what_it_lost_is_said():
    rule = RULES["tanh"]
    measured = fair(rule, measure(rule, 20))

    def naive(rule, at):
        return [[0.0, float("nan")] for _ in at]

    theirs = peer_results(naive, rule, measured)
    assert [at for at, _ in theirs] == [at for at, _ in measured]
    assert re.fullmatch(r"0 at \S+", summary(theirs, 0))
    assert re.fullmatch(r"nan at \S+", summary(theirs, 1))


def test_a_peer_without_the_row_is_a_dash():
    def nothing(rule, at):
        raise LookupError(rule.name)

    assert peer_results(nothing, RULES["ndtr"], measure(RULES["ndtr"], 1)) is None


def test_no_comparison_at_a_kink_or_at_a_subnormal_operand():
    rule = RULES["maximum"]
    ours = [((1.0, 1.0), []), ((1.0, 2.0), []), ((5e-324, 1.0), []), ((0.0, 1.0), [])]
    assert [at for at, _ in fair(rule, ours)] == [(1.0, 2.0), (0.0, 1.0)]


def test_the_page_has_every_row_measured_and_compared():
    page = (DOCS / "accuracy.md").read_text(encoding="utf-8")
    measured, compared, _ = page.split("\n\n| row")[1:]
    assert rows_of(measured) == rows_of(compared) == EVERY_RESULT
    assert "BROKEN" not in page
