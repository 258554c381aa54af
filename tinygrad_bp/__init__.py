"""Back-propagation made visible: a minimal scalar autograd engine, and what explains it."""

from __future__ import annotations

from tinygrad_bp.engine import functions
from tinygrad_bp.engine.value import Value
from tinygrad_bp.errors import (
    ArgumentError,
    BackpropError,
    DataError,
    DivisionByZeroError,
    DomainError,
    DrawingError,
    ExactnessError,
    ExpressionError,
    GradientError,
    GraphLostError,
    KinkWarning,
    NetworkError,
    NumberRangeError,
    NumberRangeWarning,
    SamplesError,
    StaleGraphError,
    TooManyPathsError,
)
from tinygrad_bp.table.rules import RULES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tinygrad_bp import note
    from tinygrad_bp.engine.collector import collector_paused
    from tinygrad_bp.engine.declarations import *  # noqa: F403 - the functions of the table
    from tinygrad_bp.engine.differentiate import grad, gradients, hessian, jacobian, value_and_grad
    from tinygrad_bp.engine.functions import isclose, logsumexp, primitive, softmax, where
    from tinygrad_bp.explain.naive import naive
    from tinygrad_bp.explain.paths import contract, flow, largest_paths, path_count, path_sum, paths
    from tinygrad_bp.explain.steps import order, steps
    from tinygrad_bp.network.derivation import derivation
    from tinygrad_bp.network.network import Network

_LATER = {
    "Network": "network.network",
    "collector_paused": "engine.collector",
    "contract": "explain.paths",
    "derivation": "network.derivation",
    "flow": "explain.paths",
    "grad": "engine.differentiate",
    "gradients": "engine.differentiate",
    "hessian": "engine.differentiate",
    "jacobian": "engine.differentiate",
    "largest_paths": "explain.paths",
    "note": "note",
    "naive": "explain.naive",
    "order": "explain.steps",
    "path_count": "explain.paths",
    "path_sum": "explain.paths",
    "paths": "explain.paths",
    "steps": "explain.steps",
    "value_and_grad": "engine.differentiate",
    **dict.fromkeys(functions.__all__, "engine.functions"),
}  # the engine alone is loaded at once, and of the functions none is made before it is asked for


if not TYPE_CHECKING:  # to a type checker every name would then be one of ours

    def __getattr__(name: str) -> object:
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        module = import_module(f"{__name__}.{_LATER[name]}")
        return globals().setdefault(name, getattr(module, name, module))


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})


__version__ = "0.1.0"
__all__ = [
    "RULES",
    "ArgumentError",
    "BackpropError",
    "DataError",
    "DivisionByZeroError",
    "DomainError",
    "DrawingError",
    "ExactnessError",
    "ExpressionError",
    "GradientError",
    "GraphLostError",
    "KinkWarning",
    "Network",
    "NetworkError",
    "NumberRangeError",
    "NumberRangeWarning",
    "SamplesError",
    "StaleGraphError",
    "TooManyPathsError",
    "Value",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "cbrt",
    "collector_paused",
    "contract",
    "cos",
    "cosh",
    "derivation",
    "dot",
    "elu",
    "erf",
    "erfc",
    "exp",
    "expm1",
    "flow",
    "fsum",
    "gaussian",
    "gelu",
    "grad",
    "gradients",
    "hessian",
    "hypot",
    "identity",
    "isclose",
    "jacobian",
    "largest_paths",
    "leaky_relu",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "logsumexp",
    "maximum",
    "minimum",
    "naive",
    "ndtr",
    "note",
    "order",
    "path_count",
    "path_sum",
    "paths",
    "primitive",
    "reciprocal",
    "relu",
    "sigmoid",
    "silu",
    "sin",
    "sinh",
    "softmax",
    "softplus",
    "sqrt",
    "square",
    "steps",
    "tan",
    "tanh",
    "value_and_grad",
    "where",
]
