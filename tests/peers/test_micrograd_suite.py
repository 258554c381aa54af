"""micrograd's own test suite, with this engine in the place of its own; see docs/peers.md.

Its tests compare with torch.  The exact oracle of `exact_torch` always stands in for it, and torch
itself takes a second turn where it is installed.
"""

from __future__ import annotations

import exact_torch
import pytest
from depth import depth
from hypothesis import assume, given, settings
from shims import StandIn, cases_of, load

from tinygrad_bp import Value
from tinygrad_bp.testing.strategies import OPERATIONS, programs

NAMES = ("test_sanity_check", "test_more_ops")


@pytest.fixture(params=["exact_torch", "torch"])
def torch(request):
    if request.param == "exact_torch":
        return exact_torch
    return pytest.importorskip("torch", reason="torch is not installed; exact_torch stands in")


def suite(source, engine, torch):
    """The tests of micrograd, of this engine against this torch."""
    modules = {
        "micrograd": StandIn("micrograd"),
        "micrograd.engine": StandIn("micrograd.engine", Value=engine),
        "torch": torch,
    }
    return cases_of(load(source / "test" / "test_engine.py", "micrograd_test_engine", modules))


@pytest.mark.parametrize("name", NAMES)
def test_micrograd(micrograd_source, torch, name):
    suite(micrograd_source, Value, torch)[name]()


def test_every_test_of_theirs_is_run(micrograd_source):
    assert [file.name for file in sorted((micrograd_source / "test").glob("*.py"))] == [
        "test_engine.py"
    ]
    assert set(suite(micrograd_source, Value, exact_torch)) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_oracle_accepts_their_own_engine(micrograd_source, name):
    engine = load(micrograd_source / "micrograd" / "engine.py", "micrograd_engine", {})
    suite(micrograd_source, engine.Value, exact_torch)[name]()


@pytest.mark.parametrize("name", NAMES)
def test_the_oracle_refuses_an_engine_whose_gradient_is_wrong(micrograd_source, monkeypatch, name):
    backward = Value.backward

    def twice(self):
        backward(self)
        backward(self)

    monkeypatch.setattr(Value, "backward", twice)
    with pytest.raises(AssertionError):
        suite(micrograd_source, Value, exact_torch)[name]()


# ---- their engine beside ours on programs drawn at random

SHARED = ("+", "-", "*", "/", "**", "neg", "relu")


def test_agrees_with_micrograd_on_random_programs(micrograd_source):
    engine = load(micrograd_source / "micrograd" / "engine.py", "micrograd_engine", {})

    def scalar(number):
        return number if isinstance(number, engine.Value) else engine.Value(number)

    operations = {
        **OPERATIONS,
        "/": lambda a, b: a * scalar(b) ** -1,  # its own has no `other**-1` for a Fraction
        "**": lambda a, n: a ** int(n),
        "relu": lambda a: a.relu(),
    }

    @settings(max_examples=depth(120, by_default=25))
    @given(programs(SHARED))
    def agrees(program):
        # at a power of 0 it divides by the base
        assume(all(op != "**" or operands[1] != 0 for op, operands in program.instructions))
        theirs = [*map(engine.Value, program.leaves)]
        their_result = program.run(theirs, operations=operations)[-1]
        their_result.backward()
        ours = [*map(Value, program.leaves)]
        e = program.run(ours)[-1]
        e.backward()
        assert e.data == their_result.data
        assert [leaf.grad for leaf in ours] == [leaf.grad for leaf in theirs]

    agrees()
