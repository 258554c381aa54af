"""micrograd's own test suite, with this engine in the place of its own; see docs/peers.md.

Its tests compare with torch.  The exact oracle of `exact_torch` always stands in for it, and torch
itself takes a second turn where it is installed.
"""

from __future__ import annotations

import exact_torch
import pytest
from shims import StandIn, cases_of, load

from tinygrad_bp import Value

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
