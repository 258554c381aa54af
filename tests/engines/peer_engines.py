"""Engines of others that need a word on what their methods are called; imported when they are asked for."""

from __future__ import annotations

from importlib import import_module

from tinygrad_bp import Value
from tinygrad_bp.engine import functions
from tinygrad_bp.table.rules import FUNCTION_NAMES
from tinygrad_bp.testing.conformance import Engine


def omnigrad() -> Engine:
    node = import_module("omnigrad.diffengine").Value
    names = {"log": "ln", "relu": "reLU", "sigmoid": "sigmod", "abs": "abs"}
    return Engine(node, functions={name: getattr(node, theirs) for name, theirs in names.items()})


def pytorch() -> Engine:
    torch = import_module("torch")
    functional = torch.nn.functional
    owners = (torch, torch.special, functional)
    found = {
        name: next((getattr(each, name) for each in owners if hasattr(each, name)), None)
        for name in FUNCTION_NAMES
        if name not in ("neg", "abs", "dot", "fsum")
    }
    return Engine(
        lambda x: torch.tensor(float(x), dtype=torch.float64, requires_grad=True),
        functions={name: function for name, function in found.items() if function},
    )


def ours() -> Engine:
    named = {name for name in FUNCTION_NAMES if name not in ("neg", "abs")}
    return Engine(Value, functions={name: getattr(functions, name) for name in sorted(named)})


def __getattr__(name: str) -> Engine:
    makers = {"OMNIGRAD": omnigrad, "PYTORCH": pytorch, "OURS": ours}
    if name not in makers:
        raise AttributeError(name)
    return makers[name]()
