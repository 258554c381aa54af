"""What is timed: each workload is made for a `Value` class and returns one step to run again."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

Step = Callable[[], Any]
Rows = list[tuple[list[Any], Any]]
Product = Callable[[list[Any], list[Any], Any], Any]


def _moons(count: int) -> list[tuple[list[float], int]]:
    rng = random.Random(1337)
    samples = []
    for place in range(count):
        angle = math.pi * rng.random()
        upper = place % 2 == 0
        x = math.cos(angle) if upper else 1 - math.cos(angle)
        y = math.sin(angle) if upper else 0.5 - math.sin(angle)
        samples.append(([x + rng.gauss(0, 0.1), y + rng.gauss(0, 0.1)], 1 if upper else -1))
    return samples


def _layers(value: Any, sizes: list[int]) -> list[Rows]:
    rng = random.Random(1337)
    return [
        [([value(rng.uniform(-1, 1)) for _ in range(below)], value(0.0)) for _ in range(size)]
        for below, size in pairwise(sizes)
    ]


def _demo(
    value: Any,
    product: Product,
    number: Callable[[float], Any] = float,
    layer: Callable[[Rows], Callable[[list[Any]], list[Any]]] | None = None,
) -> Step:
    """Micrograd's demo: hinge loss with L2, and the update, as its users write them.

    Args:
        value: the engine's class.
        product: of two lists, added to a third operand.
        number: what the samples are made of.
        layer: makes the function of a layer from its weights and biases, where it is not by `product`.
    """

    def by_product(rows: Rows) -> Callable[[list[Any]], list[Any]]:
        return lambda x: [product(w, x, b) for w, b in rows]

    rows = _layers(value, [2, 16, 16, 1])
    parameters = [p for each in rows for w, b in each for p in (*w, b)]
    layers = [*map(layer or by_product, rows)]
    samples = [([value(number(each)) for each in x], y) for x, y in _moons(100)]

    def score(x: list[Any]) -> Any:
        for hidden in layers[:-1]:
            x = [each.relu() for each in hidden(x)]
        return layers[-1](x)[0]

    def step() -> Any:
        losses = [(1 + -y * score(x)).relu() for x, y in samples]
        loss = sum(losses) * (1.0 / len(losses)) + 1e-4 * product(parameters, parameters, 0)
        for p in parameters:
            p.grad = 0
        loss.backward()
        for p in parameters:
            p.data -= 0.01 * p.grad
        return loss.data

    return step


def demo(value: Any) -> Step:
    """2-16-16-1, 100 samples, one add and one multiplication for each weight."""
    return _demo(value, _sum_of_products)


def _sum_of_products(w: list[Any], x: list[Any], start: Any) -> Any:
    return sum((wi * xi for wi, xi in zip(w, x)), start)


def demo_numpy(value: Any) -> Step:
    """The same with samples from a NumPy array, as in micrograd's notebook: all but the weights is float64."""
    import numpy as np

    return _demo(value, _sum_of_products, np.float64)


def demo_dot(value: Any) -> Step:
    """The same with one n-ary node for each sum of products, which the peers do not have."""
    from tinygrad_bp import dot

    return _demo(value, lambda w, x, start: dot(w, x) + start)


def demo_neuron(value: Any) -> Step:
    """The same with one n-ary node for each neuron: the bias is the weight of an input that is 1."""
    from tinygrad_bp import dot

    one = value(1.0)

    def layer(rows: Rows) -> Callable[[list[Any]], list[Any]]:
        weights = [[*w, b] for w, b in rows]

        def forward(x: list[Any]) -> list[Any]:
            inputs = [*x, one]
            return [dot(each, inputs) for each in weights]

        return forward

    return _demo(value, lambda w, x, start: dot(w, x) + start, layer=layer)


def demo_dot_paused(value: Any) -> Step:
    """`demo_dot` with the collector paused for each step, as we offer it to users' loops."""
    from tinygrad_bp import collector_paused

    step = demo_dot(value)

    def paused() -> Any:
        with collector_paused():
            return step()

    return paused


def network(value: Any) -> Step:
    """A 3-8-8-2 tanh network of the note, one sample: o = tanh(sum_k w o - b), e = sum (t - o)^2."""
    layers = _layers(value, [3, 8, 8, 2])
    x, t = [value(0.1), value(-0.2), value(0.3)], [value(0.5), value(-0.5)]

    def step() -> Any:
        o = x
        for layer in layers:
            o = [(sum((wi * oi for wi, oi in zip(w, o)), -b)).tanh() for w, b in layer]
        e = sum((ti - oi) ** 2 for ti, oi in zip(t, o))
        e.backward()
        return e.data

    return step


def _chain(length: int) -> Callable[[Any], Step]:
    def chain(value: Any) -> Step:
        a, b = value(1.0000001), value(0.9999999)

        def step() -> Any:
            v = a
            for _ in range(length // 2):
                v = v * b + a
            v.backward()
            return v.data

        return step

    return chain


def random_graph(value: Any) -> Step:
    """A million nodes, each of two earlier ones."""
    rng = random.Random(1)
    size = 1_000_000
    places = [(rng.randrange(max(0, n - 1000), n + 1), rng.randrange(n + 1)) for n in range(size)]
    plus = [rng.random() < 0.5 for _ in range(size)]

    def step() -> Any:
        nodes = [value(0.5)]
        for (x, y), add in zip(places, plus):
            a, b = nodes[x], nodes[y]
            nodes.append(a + b if add else a * b)
        total = nodes[-1]
        for each in nodes[-1000:-1]:
            total = total + each
        total.backward()
        return total.data

    return step


def gpt(value: Any) -> Step:
    """One layer, width 16, four heads, 16 tokens, some 120,000 nodes; written as microgpt is."""
    rng = random.Random(42)
    width, heads, length, vocabulary = 16, 4, 16, 27
    head = width // heads

    def matrix(rows: int, columns: int) -> list[list[Any]]:
        return [[value(rng.gauss(0, 0.1)) for _ in range(columns)] for _ in range(rows)]

    embedding, positions = matrix(vocabulary, width), matrix(length, width)
    wq, wk, wv, wo = (matrix(width, width) for _ in range(4))
    up, down, out = matrix(4 * width, width), matrix(width, 4 * width), matrix(vocabulary, width)
    tokens = [rng.randrange(vocabulary) for _ in range(length + 1)]

    def linear(w: list[list[Any]], x: list[Any]) -> list[Any]:
        return [sum(wi * xi for wi, xi in zip(row, x)) for row in w]

    def norm(x: list[Any]) -> list[Any]:
        scale = (sum(each * each for each in x) * (1.0 / len(x)) + 1e-5) ** -0.5
        return [each * scale for each in x]

    def softmax(x: list[Any]) -> list[Any]:
        largest = max(each.data for each in x)
        exponentials = [(each - largest).exp() for each in x]
        total = sum(exponentials)
        return [each / total for each in exponentials]

    def step() -> Any:
        keys: list[list[Any]] = []
        values: list[list[Any]] = []
        losses = []
        for place in range(length):
            x = norm([a + b for a, b in zip(embedding[tokens[place]], positions[place])])
            residual, x = x, norm(x)
            q = linear(wq, x)
            keys.append(linear(wk, x))
            values.append(linear(wv, x))
            attended = []
            for start in range(0, width, head):
                part = slice(start, start + head)
                scores = softmax(
                    [sum(a * b for a, b in zip(q[part], k[part])) * head**-0.5 for k in keys]
                )
                attended += [
                    sum(s * v[column] for s, v in zip(scores, values))
                    for column in range(start, start + head)
                ]
            x = [a + b for a, b in zip(linear(wo, attended), residual)]
            hidden = [each.relu() ** 2 for each in linear(up, norm(x))]
            x = [a + b for a, b in zip(linear(down, hidden), x)]
            losses.append(-softmax(linear(out, x))[tokens[place + 1]].log())
        loss = sum(losses) * (1.0 / length)
        loss.backward()
        return loss.data

    return step


WORKLOADS = {
    "demo": (demo, 5),
    "demo, NumPy": (demo_numpy, 3),
    "demo, dot": (demo_dot, 20),
    "demo, dot for each neuron": (demo_neuron, 20),
    "demo, dot, paused": (demo_dot_paused, 20),
    "network": (network, 100),
    "chain 1e3": (_chain(1_000), 50),
    "chain 1e5": (_chain(100_000), 3),
    "chain 1e6": (_chain(1_000_000), 1),
    "random 1e6": (random_graph, 1),
    "gpt": (gpt, 2),
}
"""Each workload with the steps to run in one process."""
