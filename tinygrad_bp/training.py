"""Descending the note's error on samples, one after the other, in numbers of size 1.

`train` does so on a network as it is.  A `Trainer` standardises a data set, and turns the scales into
weights and biases again, so that its network takes and gives the numbers of the data set.  This module may
not know where samples come from, nor how progress is shown.
"""

from __future__ import annotations

import math
import random
import re
import warnings
from statistics import fmean
from typing import TYPE_CHECKING

from tinygrad_bp.errors import (
    DomainError,
    NetworkError,
    NumberRangeError,
    NumberRangeWarning,
    SamplesError,
)
from tinygrad_bp.network.network import Network
from tinygrad_bp.network.samples import Dataset, read_samples, scaled, scales, split
from tinygrad_bp.numbers.families import check_number, whole_number
from tinygrad_bp.numbers.text import counted, format_number, plain_number
from tinygrad_bp.quoting import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tinygrad_bp.network.samples import Sample, Scale

__all__ = [
    "Dataset",
    "Trainer",
    "accuracy",
    "mean_error",
    "predict",
    "read_samples",
    "rescaled",
    "scaled",
    "scales",
    "split",
    "train",
]

HIDDEN = (5,)
ETA = 0.05
_NAMED = 8  # columns or classes, in the heading


def train(
    net: Network, samples: Sequence[Sample], *, epochs: int, eta: float, seed: int
) -> Iterator[float]:
    """The note's update, ``Delta w = -eta de/dw``, after each sample; each epoch as it ends.

    Args:
        net: the network, which learns.
        samples: gone through in a new order in each epoch.
        epochs: how often to go through all of them.
        eta: the learning rate, above 0.
        seed: of the orders.

    Returns:
        For each epoch the mean of the errors, each before its update.

    Raises:
        NetworkError: ``eta`` is not above 0; or, when an epoch is asked for, weights or errors have grown
            beyond all numbers, or an activation has no value where the network has come.
        SamplesError: there are no samples, or one has a number that is not finite.

    >>> from tinygrad_bp import Network
    >>> from tinygrad_bp.network.samples import Sample
    >>> net = Network([[[0.0]]], [[0.0]], "identity")
    >>> [*train(net, [Sample((1.0,), (1.0,))], epochs=3, eta=0.125, seed=0)]
    [1.0, 0.25, 0.0625]
    """
    epochs = whole_number("epochs", epochs)
    check_number(eta, where="the learning rate eta")
    if not eta > 0:
        raise NetworkError(f"the learning rate eta is above 0, not {eta}")
    samples = _checked(samples)
    for place, each in enumerate(samples, 1):
        if strange := [number for number in (*each.x, *each.t) if number - number != 0]:
            raise SamplesError(
                f"sample {place} has {strange[0]}, which is not finite: leave it out"
            )
    return _epochs(net, samples, epochs, eta, random.Random(whole_number("seed", seed)))  # noqa: S311 - orders, not secrets


def _epochs(
    net: Network, samples: list[Sample], epochs: int, eta: float, rng: random.Random
) -> Iterator[float]:
    for epoch in range(1, epochs + 1):
        rng.shuffle(samples)
        error = 0.0
        try:
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore", NumberRangeWarning
                )  # the weights are looked at below
                for sample in samples:
                    e = net.forward(sample.x, sample.t).e
                    net.zero_grad()
                    e.backward()
                    net.descend(eta)
                    error += e.data
        except (DomainError, NumberRangeError) as reason:
            if _is_finite(net):
                raise NetworkError(f"in epoch {epoch}: {reason}") from None
        if not _is_finite(net):
            raise NetworkError(
                f"in epoch {epoch} weights grow beyond all bounds: eta = {eta} is too large here"
            )
        if not math.isfinite(error):
            raise NetworkError(
                f"in epoch {epoch} the error is {error}: give the targets in another unit"
            )
        yield error / len(samples)


def _is_finite(net: Network) -> bool:
    return all(math.isfinite(leaf.data) for leaf in net.parameters())


def _checked(samples: Iterable[Sample]) -> list[Sample]:
    """The samples, once it is known that they are some.

    Raises:
        SamplesError: they are none.
    """
    listed = [*samples] if hasattr(samples, "__iter__") else []
    if not hasattr(samples, "__iter__") or not all(
        hasattr(each, "x") and hasattr(each, "t") for each in listed
    ):
        raise SamplesError(
            f"samples are a list of Sample(x, t), as the rows of a data set are, not {samples!r:.60}"
        )
    if not listed:
        raise SamplesError("there are no samples")
    return listed


def mean_error(net: Network, samples: Sequence[Sample]) -> float:
    """The mean of ``e`` over the samples, as the network is now.

    Raises:
        SamplesError: there are no samples.

    >>> from tinygrad_bp.network.samples import Sample
    >>> net = Network([[[2.0]]], [[0.0]], "identity")
    >>> mean_error(net, [Sample((1.0,), (2.0,)), Sample((1.0,), (5.0,))])
    4.5
    """
    samples = _checked(samples)
    return fmean(net.forward(each.x, each.t).e.data for each in samples)


def accuracy(net: Network, samples: Sequence[Sample]) -> float:
    """The share of the samples whose largest output is where their target is largest.

    Raises:
        SamplesError: there are no samples.

    >>> from tinygrad_bp.network.samples import Sample
    >>> net = Network([[[1.0], [-1.0]]], [[0.0, 0.0]], "identity")
    >>> accuracy(net, [Sample((3.0,), (1.0, 0.0)), Sample((4.0,), (0.0, 1.0))])
    0.5
    """
    samples = _checked(samples)
    return fmean(predict(net, each.x) == each.t.index(max(each.t)) for each in samples)


def predict(net: Network, x: Sequence[float]) -> int:
    """The place of the largest output, from 0: the class, where there is one output for each.

    >>> predict(Network([[[1.0], [-1.0]]], [[0.0, 0.0]], "identity"), [-3.0])
    1
    """
    run = net.forward(x)
    outputs = [run.o(net.depth, j).data for j in range(1, net.sizes[-1] + 1)]
    return outputs.index(max(outputs))


def rescaled(net: Network, x: Sequence[Scale], t: Sequence[Scale] = ()) -> Network:
    """The network that gives for plain numbers what the given one gives for scaled ones.

    A scale of an input goes into the weights and biases of the first layer, one of an output into those of
    the last.

    Args:
        net: takes ``x(number)`` for each input, and gives ``t(number)`` for each output.
        x: one scale for each input.
        t: one for each output, whose activation is then ``identity``; or none.

    Raises:
        NetworkError: the scales do not fit the network.

    >>> from tinygrad_bp.network.samples import Scale
    >>> net = Network([[[2.0]]], [[0.0]], "identity")
    >>> plain = rescaled(net, [Scale(100.0, 10.0)], [Scale(1000.0, 50.0)])
    >>> plain.forward([110.0]).o(1, 1).data  # the input 1 gives 2, which is 2 * 50 + 1000
    1100.0
    """
    if len(x) != net.sizes[0] or len(t) not in (0, net.sizes[-1]):
        raise NetworkError(f"{len(x)} scales of inputs and {len(t)} of outputs do not fit {net!r}")
    if t and not _passes_sums_on(net):
        raise NetworkError("an output is scaled only where its activation is identity")
    weights, biases = net.weights, net.biases
    for j, row in enumerate(weights[0]):
        biases[0][j] -= sum(w * each(0) for w, each in zip(row, x, strict=True))
        weights[0][j] = [w / each.std for w, each in zip(row, x, strict=True)]
    for j, each in enumerate(t):
        weights[-1][j] = [w * each.std for w in weights[-1][j]]
        biases[-1][j] = biases[-1][j] * each.std - each.mean
    return Network(weights, biases, net.activations)


def _passes_sums_on(net: Network) -> bool:
    return all(each == "identity" for each in net.activations[-1])


class Trainer:
    r"""A network while it learns a data set.

    It learns from numbers of mean 0 and deviation 1, those that come out too where the last layer's
    activation is ``identity``; ``net`` takes and gives the data's own.

    Args:
        data: the samples.
        net: a network to go on with; without one, that begins with random weights, and has the layers
            that follow.
        hidden: the sizes of the layers between input and output.
        activation: names with commas between: one for the hidden layers, or one for each layer.  Where
            none is given, it is tanh for hidden layers, and for the last sigmoid for classes and identity
            for numbers.
        share: of the samples, held out: not learned from.
        eta: the learning rate, for standardised numbers.
        seed: of the weights, of what is held out, and of the order of the samples.

    Attributes:
        data: the samples.
        fitting: those that it learns from.
        held_out: the others.
        eta: the learning rate.
        net: the network as it is after ``epoch``.
        epoch: how often it has gone through all of ``fitting``.
        rows: what was measured, by epoch: the mean of ``e``, and of classes the share that is told right.

    Raises:
        NetworkError: the network does not fit the data, or its layers do not fit together.
        SamplesError: the share is out of range, or none could be held out.

    >>> line = Trainer(read_samples("1,50\n2,70\n3,90\n"), hidden=(), eta=0.1)
    >>> for epoch in line.learn(50): pass
    >>> round(line.net.forward([4.0]).o(1, 1).data, 6)
    110.0
    """

    def __init__(
        self,
        data: Dataset,
        net: Network | None = None,
        *,
        hidden: Sequence[int] = HIDDEN,
        activation: str = "",
        share: float = 0.0,
        eta: float = ETA,
        seed: int = 0,
    ) -> None:
        if not isinstance(data, Dataset):
            raise SamplesError(f"a Trainer takes a Dataset, as of read_samples, not {data!r:.60}")
        if isinstance(hidden, int):
            raise NetworkError(f"hidden are the sizes of layers in a list: ({hidden},)")
        sizes = [len(data.inputs), *hidden, len(data.targets)]
        learner = net or Network.random(sizes, _activations(data, hidden, activation), seed)
        if (learner.sizes[0], learner.sizes[-1]) != (sizes[0], sizes[-1]):
            what = f"{counted(sizes[0], 'input')} and {counted(sizes[-1], 'target')}"
            raise NetworkError(f"{net!r} does not fit {what}")
        self.data = data
        self.fitting, self.held_out = split(data.rows, share, seed, by_target=data.categorical)
        self._x = scales(each.x for each in self.fitting)
        self._t = scales(each.t for each in self.fitting) if _passes_sums_on(learner) else []
        if net:
            back = [[each.inverse for each in some] for some in (self._x, self._t)]
            learner = rescaled(net, *back)
        self.eta, self._seed = eta, seed
        self._learner = learner
        self.net = rescaled(learner, self._x, self._t)
        self.epoch = 0
        self.rows: dict[int, dict[str, float]] = {}

    def learn(self, epochs: int) -> Iterator[int]:
        """Go through the samples so often; the number of each epoch as it ends.

        It is measured before the first, and after those whose number is 1, 2 or 5 and zeros.

        Raises:
            NetworkError: as `train` raises it.
        """
        samples = scaled(self.fitting, self._x, self._t)
        learning = train(self._learner, samples, epochs=epochs, eta=self.eta, seed=self._seed)
        return self._learn(learning)

    def _learn(self, learning: Iterator[float]) -> Iterator[int]:
        self.measure()
        for _ in learning:
            self.net = rescaled(self._learner, self._x, self._t)
            self.epoch += 1
            if re.fullmatch("[125]0*", str(self.epoch)):
                self.measure()
            yield self.epoch

    def measure(self) -> None:
        """Add what the network does now to ``rows``.

        Raises:
            NetworkError: an activation has no value for a sample, as one that was held out.
        """
        parts = {"": self.fitting, " held out": self.held_out}
        kinds = {"mean e": mean_error} | ({"accuracy": accuracy} if self.data.categorical else {})
        try:
            self.rows[self.epoch] = {
                kind + part: measured(self.net, samples)
                for kind, measured in kinds.items()
                for part, samples in parts.items()
                if samples
            }
        except (DomainError, NumberRangeError) as reason:
            raise NetworkError(f"measured after epoch {self.epoch}: {reason}") from None

    def about(self) -> str:
        """What is learned, and how."""
        data, rest = self.data, f", {len(self.held_out)} held out" if self.held_out else ""
        targets = counted(
            len(data.targets), *(("class", "classes") if data.categorical else ("target",))
        )
        sizes = "-".join(map(str, self.net.sizes))
        layers = ", ".join(
            "/".join(dict.fromkeys(visible(str(f)) for f in each)) for each in self.net.activations
        )
        return (
            f"{counted(len(self.fitting), 'sample')} to train on{rest}\n"
            f"{counted(len(data.inputs), 'input')}: {_listed(data.inputs)}\n"
            f"{targets}: {_listed(data.targets, data.counts)}\n"
            f"{data.reading()}\n"
            f"a {sizes} network: {layers}; e = Σ (t − o)², Δw = −η de/dw after each sample, "
            f"η = {format_number(self.eta)}"
        )

    def report(self) -> str:
        """The rows as a table of text; nothing before there is one."""
        if not self.rows:
            return ""
        head = ["epoch", *next(iter(self.rows.values()))]
        cells = [
            [str(epoch), *map("{:.4g}".format, row.values())] for epoch, row in self.rows.items()
        ]
        widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
        return "\n".join("  ".join(map(str.rjust, line, widths)) for line in (head, *cells))

    def to_dict(self) -> dict[str, object]:
        """The same as data for JSON."""
        return {
            "sizes": self.net.sizes,
            "activations": self.net.activations,
            "inputs": self.data.inputs,
            "targets": self.data.targets,
            "classes": self.data.categorical,
            "counts": self.data.counts,
            "header": self.data.header,
            "delimiter": self.data.delimiter,
            "left_out": self.data.left_out,
            "ignored": self.data.ignored,
            "samples": len(self.fitting),
            "held_out": len(self.held_out),
            "eta": plain_number(self.eta),
            "epochs": [
                {"epoch": epoch, **{name: plain_number(each) for name, each in row.items()}}
                for epoch, row in self.rows.items()
            ],
        }


def _activations(data: Dataset, hidden: Sequence[int], activation: str) -> list[str]:
    """One for each layer."""
    names = [each.strip() for each in activation.split(",")] if activation else ["tanh"]
    if not activation or (len(names) == 1 and hidden):
        return [*names * len(hidden), "sigmoid" if data.categorical else "identity"]
    return names


def _listed(names: Sequence[str], counts: Mapping[str, int] | None = None) -> str:
    """The first of the names, with how many there are of each if that is counted."""
    shown = [visible(each) + (f" ({counts[each]})" if counts else "") for each in names[:_NAMED]]
    return ", ".join(shown + ["..."] * (len(names) > _NAMED))
