"""The weights, biases and activations of models of PyTorch and scikit-learn, and back.

They add biases where the note subtracts them, so the signs turn.  A model is read by its attributes:
only `to_torch` imports anything.  This module knows no `Network`: it deals in plain lists.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinygrad_bp.errors import NetworkError
from tinygrad_bp.quoting import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, TypeAlias

    Lists: TypeAlias = tuple[list[list[list[float]]], list[list[float]], list[str]]
    """Weights, biases and the activation of each layer, as `Network` takes them."""

# PyTorch's module, our name, and the settings with which the two are the same function.
_TORCH: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("Identity", "identity", {}),
    ("Tanh", "tanh", {}),
    ("Sigmoid", "sigmoid", {}),
    ("ReLU", "relu", {}),
    ("LeakyReLU", "leaky_relu", {"negative_slope": 0.01}),
    ("ELU", "elu", {"alpha": 1.0}),
    ("SiLU", "silu", {}),
    ("GELU", "gelu", {"approximate": "none"}),
    ("Softplus", "softplus", {"beta": 1, "threshold": 20}),
)
_WAYS_OUT = {
    "Dropout": "leave it out: once trained, it changes nothing",
    "Flatten": "leave it out, and give every input as one list of numbers",
    "BatchNorm1d": "fold it into its Linear layer, by torch.nn.utils.fusion.fuse_linear_bn_eval",
    "Softmax": "leave it out, and read the outputs before it",
    "LogSoftmax": "leave it out, and read the outputs before it",
    "dict": "it has no activations: load it into a Sequential, by load_state_dict, and give that",
    "OrderedDict": "it has no activations: load it into a Sequential, by load_state_dict, and give that",
}
_SKLEARN = {
    "identity": "identity",
    "logistic": "sigmoid",
    "tanh": "tanh",
    "relu": "relu",
    "exp": "exp",
}


_INSTEAD = {  # what a model has, and the way out
    "mro": "make one, and call its fit",
    "steps": "give its last step, model[-1], and inputs as the steps before it make them",
    "coef_": "a linear model is Network([coef_], [-intercept_], activation), with coef_ as rows",
    "refit": "give its best_estimator_, which it has once fitted with refit=True",
}


def from_torch(model: Any) -> Lists:
    """What is in a ``torch.nn.Sequential`` of linear layers with activations between them.

    Args:
        model: ``Linear`` layers, each followed by an activation or none; a layer without an
            activation is linear, one without a bias has bias 0.

    Raises:
        NetworkError: it is no such model; or there is another kind of layer, or an activation with
            settings that the table lacks.
    """
    weights: list[list[list[float]]] = []
    biases: list[list[float]] = []
    activations: list[str] = []
    for layer in _layers(model):
        kind = type(layer).__name__
        if kind == "Linear":
            weights.append(layer.weight.tolist())
            size = len(weights[-1])
            biases.append([0.0] * size if layer.bias is None else [-b for b in layer.bias.tolist()])
            activations.append("identity")
        else:
            activation = _from_torch_activation(kind, layer)
            if not weights or activations[-1] != "identity":
                raise NetworkError(f"{kind} does not follow a Linear layer: there is none between")
            activations[-1] = activation
    if not weights:
        raise NetworkError(f"{type(model).__name__} has no Linear layer")
    return weights, biases, activations


def _layers(model: Any) -> Iterator[Any]:
    if type(model).__name__ == "Sequential":
        # children() has a module once that comes several times, as one Tanh after each layer
        for child in model if hasattr(model, "__iter__") else model.children():
            yield from _layers(child)
    else:
        yield model


def _from_torch_activation(kind: str, layer: Any) -> str:
    for name, ours, settings in _TORCH:
        if kind == name:
            for setting, value in settings.items():
                if getattr(layer, setting) != value:
                    raise NetworkError(f"{quoted(layer)}: only {setting}={value!r} is in the table")
            return ours
    known = ", ".join(name for name, _, _ in _TORCH)
    way_out = _WAYS_OUT.get(kind, f"give a torch.nn.Sequential of Linear, {known}")
    raise NetworkError(f"{kind} is no layer of the note's network: {way_out}")


def to_torch(
    weights: list[list[list[Any]]], biases: list[list[Any]], activations: list[list[Any]]
) -> Any:
    """The same network as a ``torch.nn.Sequential`` in double precision.

    Raises:
        NetworkError: a layer's nodes have different activations, or one PyTorch has no module for.
        ModuleNotFoundError: PyTorch is not installed.
    """
    try:
        import torch
    except ModuleNotFoundError:
        raise ModuleNotFoundError("to_torch needs PyTorch: pip install torch") from None

    modules: list[Any] = []
    for i, (rows, offsets, names) in enumerate(zip(weights, biases, activations, strict=True), 1):
        first = names[0]
        if any(name != first for name in names):
            raise NetworkError(
                f"the activations of layer {i}, {quoted(names)}, have no module in PyTorch, which has one for "
                "all nodes of a layer"
            )
        found = [(kind, settings) for kind, ours, settings in _TORCH if ours == first]
        if not found:
            known = ", ".join(ours for _, ours, _ in _TORCH)
            raise NetworkError(
                f"the activation of layer {i}, {quoted(first)}, has no module in PyTorch; those that have: {known}"
            )
        linear = torch.nn.Linear(len(rows[0]), len(rows), dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(
                torch.tensor([[float(w) for w in row] for row in rows], dtype=torch.float64)
            )
            linear.bias.copy_(torch.tensor([-float(b) for b in offsets], dtype=torch.float64))
        kind, settings = found[0]
        modules += [linear, getattr(torch.nn, kind)(**settings)]
    return torch.nn.Sequential(*modules)


def from_sklearn(model: Any) -> Lists:
    """What is in a fitted ``MLPRegressor`` or ``MLPClassifier``.

    Raises:
        NetworkError: the model is another one, or is not fitted; or its output is a softmax, as of an
            ``MLPClassifier`` of three classes or more, which is no function of one node.
    """
    if not hasattr(model, "coefs_"):
        raise NetworkError(_no_perceptron(model))
    if model.out_activation_ == "softmax":
        raise NetworkError(
            "the output is a softmax, which is no function of one node: fit an MLPClassifier to one-hot "
            "targets, which gives every class a sigmoid of its own"
        )
    for name in (model.activation, model.out_activation_):
        if name not in _SKLEARN:
            raise NetworkError(
                f"the activation {quoted(name)} is not in the table; known: {', '.join(_SKLEARN)}"
            )
    weights = [matrix.T.tolist() for matrix in model.coefs_]
    biases = [(-bias).tolist() for bias in model.intercepts_]
    hidden = [_SKLEARN[model.activation]] * (len(weights) - 1)
    return weights, biases, [*hidden, _SKLEARN[model.out_activation_]]


def _no_perceptron(model: Any) -> str:
    """What a model is instead of a fitted multilayer perceptron, and where one is to be had."""
    kind = type(model).__name__
    if hasattr(model, "hidden_layer_sizes") and not isinstance(model, type):
        return f"{kind} is not fitted: call its fit first"
    ways_out = [way_out for has, way_out in _INSTEAD.items() if hasattr(model, has)]
    other = (
        "give the one that is in it, or build a network with Network(weights, biases, activations)"
    )
    given = f"the class {model.__name__}" if isinstance(model, type) else f"a {kind}"
    way_out = ways_out[0] if ways_out else other
    return f"from_sklearn reads a fitted MLPRegressor or MLPClassifier, not {given}: {way_out}"
