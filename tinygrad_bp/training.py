"""Descending the note's error on samples, one after the other.

This room may not know where samples come from, nor how progress is shown.
"""

from __future__ import annotations

import math
import random
from statistics import fmean
from typing import TYPE_CHECKING

from tinygrad_bp.errors import DomainError, NetworkError, NumberRangeError
from tinygrad_bp.network import Network

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tinygrad_bp.samples import Sample, Scale


def train(
    net: Network, samples: Sequence[Sample], *, epochs: int, eta: float, seed: int
) -> Iterator[float]:
    """The note's update, ``Delta w = -eta de/dw``, after each sample; each epoch as it ends.

    Args:
        net: the network, which learns.
        samples: gone through in a new order in each epoch.
        epochs: how often to go through all of them.
        eta: the learning rate.
        seed: of the orders.

    Yields:
        The mean of the errors of the epoch, each before its update.

    Raises:
        NetworkError: errors or weights grow beyond all numbers, which a smaller ``eta`` prevents; or an
            activation has no value where the network has come.

    >>> from tinygrad_bp import Network
    >>> from tinygrad_bp.samples import Sample
    >>> net = Network([[[0.0]]], [[0.0]], "identity")
    >>> [*train(net, [Sample((1.0,), (1.0,))], epochs=3, eta=0.125, seed=0)]
    [1.0, 0.25, 0.0625]
    """
    samples = list(samples)
    shuffle = random.Random(seed).shuffle  # noqa: S311 - an order, not a secret
    for epoch in range(1, epochs + 1):
        shuffle(samples)
        error = 0.0
        try:
            for sample in samples:
                e = net.forward(sample.x, sample.t).e
                net.zero_grad()
                e.backward()
                net.descend(eta)
                error += e.data
        except (DomainError, NumberRangeError) as reason:
            if _is_finite(net):
                raise NetworkError(f"in epoch {epoch}: {reason}") from None
        if not (_is_finite(net) and math.isfinite(error)):
            raise NetworkError(
                f"in epoch {epoch} numbers grow beyond all bounds: eta = {eta} is too large here"
            )
        yield error / len(samples)


def _is_finite(net: Network) -> bool:
    return all(math.isfinite(leaf.data) for leaf in net.parameters())


def mean_error(net: Network, samples: Sequence[Sample]) -> float:
    """The mean of ``e`` over the samples, as the network is now."""
    return fmean(net.forward(each.x, each.t).e.data for each in samples)


def accuracy(net: Network, samples: Sequence[Sample]) -> float:
    """The share of the samples whose largest output is where their target is largest."""
    return fmean(guess(net, each) == each.t.index(max(each.t)) for each in samples)


def guess(net: Network, sample: Sample) -> int:
    """The place of the largest output, from 0: the class, where there is one output for each."""
    run = net.forward(sample.x)
    outputs = [run.o(net.depth, j).data for j in range(1, net.sizes[-1] + 1)]
    return outputs.index(max(outputs))


def rescaled(net: Network, x: Sequence[Scale], t: Sequence[Scale] = ()) -> Network:
    """The network that gives for plain numbers what the given one gives for scaled ones.

    A scale of an input goes into the weights and biases of the first layer, one of an output into those of
    the last, so that learning sees numbers of size 1 and the saved network those of the file.

    Args:
        net: takes ``x(number)`` for each input, and gives ``t(number)`` for each output.
        x: one scale for each input.
        t: one for each output; the last layer's activations must then be ``identity``.

    >>> from tinygrad_bp import Network
    >>> from tinygrad_bp.samples import Scale
    >>> net = Network([[[2.0]]], [[0.0]], "identity")
    >>> plain = rescaled(net, [Scale(100.0, 10.0)], [Scale(1000.0, 50.0)])
    >>> plain.forward([110.0]).o(1, 1).data  # the input 1 gives 2, which is 2 * 50 + 1000
    1100.0
    """
    weights, biases = net.weights, net.biases
    for j, row in enumerate(weights[0]):
        biases[0][j] -= sum(w * each(0) for w, each in zip(row, x, strict=True))
        weights[0][j] = [w / each.deviation for w, each in zip(row, x, strict=True)]
    for j, each in enumerate(t):
        weights[-1][j] = [w * each.deviation for w in weights[-1][j]]
        biases[-1][j] = biases[-1][j] * each.deviation - each.mean
    return Network(weights, biases, net.activations)
