"""Networks to and from PyTorch and scikit-learn: the same numbers, the signs of the biases turned."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tinygrad_bp import Network, NetworkError, square


class Rows(list):
    """What stands for a tensor or an array where only its numbers are read."""

    def tolist(self):
        return list(self)

    def __neg__(self):
        return Rows(-each for each in self)

    @property
    def T(self):  # noqa: N802 - NumPy's name
        return Rows(map(list, zip(*self, strict=True)))


def module(name, *children, **attributes):
    made = type(name, (), {"children": lambda self: children, **attributes})
    return made()


def test_from_torch_reads_layers_and_turns_the_biases():
    first = module("Linear", weight=Rows([[1.0, 2.0]]), bias=Rows([0.5]))
    last = module("Linear", weight=Rows([[3.0]]), bias=None)
    net = Network.from_torch(
        module("Sequential", module("Sequential", first, module("Tanh")), last)
    )
    assert (net.weights, net.biases) == ([[[1.0, 2.0]], [[3.0]]], [[-0.5], [0.0]])
    assert net.activations == [["tanh"], ["identity"]]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (module("Sequential", module("Tanh")), "does not follow a Linear"),
        (module("Sequential"), "no Linear layer"),
        (module("Conv2d"), "does not follow"),
        (
            module(
                "Sequential",
                module("Linear", weight=Rows([[1.0]]), bias=None),
                module("LeakyReLU", negative_slope=0.2),
            ),
            "only negative_slope=0.01",
        ),
        (
            module(
                "Sequential", module("Linear", weight=Rows([[1.0]]), bias=None), module("Softmax")
            ),
            "Softmax is no layer",
        ),
    ],
)
def test_from_torch_refuses_what_the_note_has_not(model, message):
    with pytest.raises(NetworkError, match=message):
        Network.from_torch(model)


def test_from_sklearn_reads_layers_and_turns_the_biases():
    model = SimpleNamespace(
        coefs_=[Rows([[1.0], [2.0]]), Rows([[3.0]])],
        intercepts_=[Rows([0.5]), Rows([-1.0])],
        activation="logistic",
        out_activation_="identity",
    )
    net = Network.from_sklearn(model)
    assert (net.weights, net.biases) == ([[[1.0, 2.0]], [[3.0]]], [[-0.5], [1.0]])
    assert net.activations == [["sigmoid"], ["identity"]]
    model.out_activation_ = "softmax"
    with pytest.raises(NetworkError, match="softmax"):
        Network.from_sklearn(model)
    with pytest.raises(NetworkError, match="not fitted"):
        Network.from_sklearn(SimpleNamespace())


def test_torch_gives_the_same_outputs_and_gradients():
    torch = pytest.importorskip("torch")
    for name in ("tanh", "sigmoid", "relu", "leaky_relu", "elu", "silu", "gelu", "softplus"):
        net = Network.random([3, 4, 2], [name, "identity"], seed=3)
        x, t = [0.3, -0.7, 1.1], [0.5, -0.5]
        run = net.forward(x, t)
        run.e.backward()
        model = net.to_torch()
        e = ((torch.tensor(t, dtype=torch.float64) - model(torch.tensor(x).double())) ** 2).sum()
        e.backward()
        assert run.e.data == pytest.approx(e.item(), rel=1e-6)
        for i, linear in ((1, model[0]), (2, model[2])):
            for j, row in enumerate(linear.weight.grad.tolist(), 1):
                assert [net.w(i, j, k).grad for k in range(1, len(row) + 1)] == pytest.approx(
                    row, rel=1e-6
                )
                assert net.b(i, j).grad == pytest.approx(-linear.bias.grad[j - 1].item(), rel=1e-6)
        assert Network.from_torch(model).weights == net.weights
        assert Network.from_torch(model).biases == net.biases


def test_to_torch_refuses_what_torch_has_not():
    pytest.importorskip("torch")
    for activation in (square, "arctan", [["tanh", "relu"]]):
        with pytest.raises(NetworkError, match="no module in PyTorch"):
            Network.random([1, 2], activation, seed=0).to_torch()


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_sklearn_gives_the_same_outputs():
    network = pytest.importorskip("sklearn.neural_network")
    model = network.MLPRegressor(
        hidden_layer_sizes=[4], activation="tanh", max_iter=50, random_state=0
    )
    x = [[0.1, 0.2], [0.3, -0.5], [1.0, 0.4]]
    model.fit(x, [1.0, 2.0, 3.0])
    net = Network.from_sklearn(model)
    for row, expected in zip(x, model.predict(x), strict=True):
        assert net.forward(row).o(2, 1).data == pytest.approx(expected, rel=1e-12)
