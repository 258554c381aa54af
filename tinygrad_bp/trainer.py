"""`tinygrad-bp train`: a network that learns a table, and how far it has come.

Part of the front door; it prints nothing itself.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from tinygrad_bp.errors import NetworkError
from tinygrad_bp.network import Network
from tinygrad_bp.samples import scaled, scales, split
from tinygrad_bp.text import format_number, plain_number, visible
from tinygrad_bp.training import accuracy, mean_error, rescaled, train

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tinygrad_bp.samples import Samples

_NAMED = 8  # columns or classes, in the heading
_TYPED = 16  # numbers, in a command to try


def untrained(table: Samples, hidden: Sequence[int], activation: str | None, seed: int) -> Network:
    """A network of random weights whose input and output fit the table.

    Args:
        table: what it shall learn.
        hidden: the sizes of the layers between.
        activation: names with commas between: one for the hidden layers, tanh without it, or one for each
            layer.  The last is sigmoid for classes and identity for numbers, where none is given for it.
        seed: of the weights.
    """
    names = [each.strip() for each in (activation or ("tanh" if hidden else "")).split(",")]
    last = "sigmoid" if table.classes else "identity"
    if not activation and not hidden:
        names = [last]
    elif len(names) == 1 and hidden:
        names = [*names * len(hidden), last]
    return Network.random([len(table.inputs), *hidden, len(table.targets)], names, seed)


class Trainer:
    """A network while it learns a table.

    It learns from numbers of mean 0 and deviation 1, those that come out too where the last layer passes on
    what it sums; ``net`` takes and gives the table's own.

    Args:
        net: a network to go on with, for the table's numbers; or an untrained one, for standardised ones.
        table: the samples.
        held_out: the share of them that is not trained on.
        eta: the learning rate, for standardised numbers.
        seed: of what is held out, and of the order of the samples.
        fresh: whether ``net`` is untrained.

    Attributes:
        net: the network as it is after ``epoch``.
        epoch: how often it has seen all the samples.
        rows: what was measured, by epoch.

    Raises:
        NetworkError: the network does not fit the table, or ``eta`` is not above 0.
        SamplesError: the share is out of range, or leaves none to train on.
    """

    def __init__(
        self, net: Network, table: Samples, *, held_out: float, eta: float, seed: int, fresh: bool
    ) -> None:
        shape = (len(table.inputs), len(table.targets))
        if (net.sizes[0], net.sizes[-1]) != shape:
            raise NetworkError(f"{net!r} does not fit {shape[0]} inputs and {shape[1]} targets")
        if not eta > 0:
            raise NetworkError(f"the learning rate eta is above 0, not {eta}")
        self.table = table
        self.fitting, self.held_out = split(table.rows, held_out, seed, by_target=table.classes)
        self._x = scales(each.x for each in self.fitting)
        numbers = all(each == "identity" for each in net.activations[-1])
        self._t = scales(each.t for each in self.fitting) if numbers else []
        if not fresh:
            net = rescaled(net, [s.inverse for s in self._x], [s.inverse for s in self._t])
        self._eta, self._seed = eta, seed
        self._learner = net
        self.net = rescaled(net, self._x, self._t)
        self.epoch = 0
        self.rows: dict[int, list[float]] = {}

    def learn(self, epochs: int) -> Iterator[int]:
        """Go through the samples so often; yields the number of each epoch as it ends.

        It is measured before the first, and after those whose number is 1, 2 or 5 and zeros.
        """
        self.measure()
        samples = scaled(self.fitting, self._x, self._t)
        for _ in train(self._learner, samples, epochs=epochs, eta=self._eta, seed=self._seed):
            self.net = rescaled(self._learner, self._x, self._t)
            self.epoch += 1
            if re.fullmatch("[125]0*", str(self.epoch)):
                self.measure()
            yield self.epoch

    def measure(self) -> None:
        """Add what the network does now to ``rows``, if it is not there: a number for each of `columns`."""
        if self.epoch in self.rows:
            return
        parts = [self.fitting, self.held_out] if self.held_out else [self.fitting]
        kinds = [mean_error, accuracy] if self.table.classes else [mean_error]
        self.rows[self.epoch] = [kind(self.net, part) for kind in kinds for part in parts]

    @property
    def columns(self) -> list[str]:
        """What is measured: the mean of ``e``, and of classes how many are told right."""
        parts = ["", " held out"] if self.held_out else [""]
        kinds = ["mean e", "accuracy"] if self.table.classes else ["mean e"]
        return [kind + part for kind in kinds for part in parts]

    def about(self) -> str:
        """What is learned, and how."""
        table = self.table
        kind = "class" if table.classes else "target"
        rest = f", {len(self.held_out)} held out" if self.held_out else ""
        sizes = "-".join(map(str, self.net.sizes))
        layers = ", ".join("/".join(dict.fromkeys(map(str, each))) for each in self.net.activations)
        return (
            f"{_counted(len(self.fitting), 'sample')} to train on{rest}\n"
            f"{_counted(len(table.inputs), 'input')}: {_listed(table.inputs)}\n"
            f"{_counted(len(table.targets), kind)}: {_listed(table.targets)}\n"
            f"a {sizes} network: {layers}; e = Σ (t − o)², Δw = −η de/dw after each sample, "
            f"η = {format_number(self._eta)}"
        )

    def report(self) -> str:
        """The rows as a table of text."""
        head = ["epoch", *self.columns]
        cells = [[str(epoch), *map("{:.4g}".format, row)] for epoch, row in self.rows.items()]
        widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
        return "\n".join(
            "  ".join(map(str.rjust, line, widths)).rstrip() for line in (head, *cells)
        )

    def to_dict(self) -> dict[str, object]:
        """The same as data for JSON."""
        return {
            "sizes": self.net.sizes,
            "activations": self.net.activations,
            "inputs": self.table.inputs,
            "targets": self.table.targets,
            "classes": self.table.classes,
            "samples": len(self.fitting),
            "held_out": len(self.held_out),
            "eta": plain_number(self._eta),
            "epochs": [
                {"epoch": epoch, **dict(zip(self.columns, map(plain_number, row), strict=True))}
                for epoch, row in self.rows.items()
            ],
        }

    def to_try(self, file: str) -> str:
        """A command to look at the saved network with, or nothing where it would be too long to type."""
        x, t = self.table.rows[0]
        if len(x) + len(t) > _TYPED:
            return ""
        x_typed, t_typed = (",".join(repr(y).removesuffix(".0") for y in each) for each in (x, t))
        where = f"{shlex.quote(file)} --input {x_typed} --target {t_typed}"
        return f"tinygrad-bp explore {where} -o explorer.html"


def _counted(count: int, what: str) -> str:
    plural = what + ("es" if what.endswith("s") else "s")
    return f"{count} {what if count == 1 else plural}"


def _listed(names: Sequence[str]) -> str:
    shown = [visible(each) for each in names[:_NAMED]]
    return ", ".join(shown + ["..."] * (len(names) > _NAMED))
