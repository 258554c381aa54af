"""Back-propagation made visible: a minimal scalar autograd engine, and what explains it."""

from __future__ import annotations

from tinygrad_bp import functions
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
from tinygrad_bp.rules import RULES
from tinygrad_bp.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tinygrad_bp import note
    from tinygrad_bp.collector import collector_paused
    from tinygrad_bp.declarations import *  # noqa: F403 - the functions of the table
    from tinygrad_bp.derivation import derivation
    from tinygrad_bp.differentiate import grad, gradients, hessian, jacobian, value_and_grad
    from tinygrad_bp.functions import isclose, logsumexp, primitive, softmax, where
    from tinygrad_bp.network import Network
    from tinygrad_bp.paths import contract, flow, largest_paths, path_count, path_sum, paths
    from tinygrad_bp.steps import naive, order, steps

_LATER = {
    "Network": "network",
    "collector_paused": "collector",
    "contract": "paths",
    "derivation": "derivation",
    "flow": "paths",
    "grad": "differentiate",
    "gradients": "differentiate",
    "hessian": "differentiate",
    "jacobian": "differentiate",
    "largest_paths": "paths",
    "note": "note",
    "naive": "steps",
    "order": "steps",
    "path_count": "paths",
    "path_sum": "paths",
    "paths": "paths",
    "steps": "steps",
    "value_and_grad": "differentiate",
    **dict.fromkeys(functions.__all__, "functions"),
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
