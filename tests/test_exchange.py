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


def linear():
    return module("Linear", weight=Rows([[1.0]]), bias=None)


def test_a_module_that_comes_twice_is_read_twice():
    tanh = module("Tanh")
    layers = [linear(), tanh, linear(), tanh]
    once = dict.fromkeys(layers)  # as children() of PyTorch has them
    sequential = module("Sequential", *once, __iter__=lambda self: iter(layers))
    assert Network.from_torch(sequential).activations == [["tanh"], ["tanh"]]


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
        (module("Sequential", linear(), module("Tanh"), module("ReLU")), "ReLU does not follow"),
        (module("Conv2d"), "Conv2d is no layer of the note's network: give a torch.nn.Sequential"),
        (module("Sequential", module("Flatten"), linear()), "Flatten is no layer.*leave it out"),
        (module("Sequential", linear(), module("Dropout")), "Dropout.*leave it out: once trained"),
        (module("Sequential", linear(), module("BatchNorm1d")), "fold it into its Linear layer"),
        (module("MyNet", linear()), "MyNet is no layer.*give a torch.nn.Sequential of Linear, Id"),
        ({"0.weight": Rows([[1.0]])}, "dict is no.*no activations: load it into a Sequential"),
        (Rows([[1.0]]), "Rows is no layer"),
        (None, "NoneType is no layer"),
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
    with pytest.raises(NetworkError, match=r"softmax.*one-hot targets"):
        Network.from_sklearn(model)
    model.out_activation_ = "cube"
    with pytest.raises(NetworkError, match="'cube' is not in the table; known: identity, logistic"):
        Network.from_sklearn(model)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_from_sklearn_says_what_a_model_is_and_where_its_network_is_to_be_had():
    pytest.importorskip("sklearn")
    from sklearn.linear_model import LinearRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.tree import DecisionTreeRegressor

    x, y = [[0.0], [1.0], [2.0], [3.0]], [0.0, 1.0, 2.0, 3.0]

    def net():
        return MLPRegressor(hidden_layer_sizes=[2], max_iter=2, random_state=0)

    grid = {"alpha": [0.1]}
    for model, message in [
        (net(), "^MLPRegressor is not fitted: call its fit first$"),
        (MLPRegressor, "not the class MLPRegressor: make one"),
        (
            LinearRegression().fit(x, y),
            r"not a LinearRegression: a linear model is Network\(\[coef",
        ),
        (DecisionTreeRegressor().fit(x, y), "not a DecisionTreeRegressor: .*build"),
        (make_pipeline(net()).fit(x, y), r"not a Pipeline: give its last step, model\[-1\]"),
        (GridSearchCV(net(), grid, cv=2).fit(x, y), "not a GridSearchCV: give its best_estimator_"),
        (GridSearchCV(net(), grid, cv=2, refit=False).fit(x, y), "once fitted with refit=True"),
        (None, "not a NoneType"),
    ]:
        with pytest.raises(NetworkError, match=message):
            Network.from_sklearn(model)
    for inside in (
        make_pipeline(net()).fit(x, y)[-1],
        GridSearchCV(net(), grid, cv=2).fit(x, y).best_estimator_,
    ):  # the ways out are ways out
        assert Network.from_sklearn(inside).sizes == (1, 2, 1)


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
    for activation, message in [
        (square, "'square', has no module in PyTorch; those that have: identity"),
        ("arctan", "'arctan', has no module in PyTorch"),
        ([["tanh", "relu"]], "one for all nodes of a layer"),
    ]:
        with pytest.raises(NetworkError, match=message):
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
