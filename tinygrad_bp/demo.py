"""The demonstration: a small network learns Fisher's iris data by the note's error and update.

The data are the 150 flowers of R. A. Fisher, "The use of multiple measurements in taxonomic
problems", Annals of Eugenics 7 (1936), 179-188, in centimetres; ``iris.csv`` holds them as Fisher
printed them.  This room is part of the front door: it may draw.
"""

from __future__ import annotations

import csv
import random
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from shutil import rmtree
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, NamedTuple

import viz
from tinygrad_bp.derivation import derivation
from tinygrad_bp.network import Network

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tinygrad_bp.derivation import Derivation
    from tinygrad_bp.network import Run

HIDDEN = 5
EPOCHS = 60
ETA = 0.05
SEED = 1936


class Flower(NamedTuple):
    """One flower: its four measures, standardised, and which of the three species it is."""

    x: tuple[float, ...]
    species: int

    @property
    def t(self) -> list[float]:
        """The target: 1 for its species, 0 for the others."""
        return [float(each == self.species) for each in range(3)]


class Iris(NamedTuple):
    """The flowers, four fifths to train on and one fifth held out, alike for each species."""

    names: list[str]
    train: list[Flower]
    test: list[Flower]


def load_iris(seed: int = SEED) -> Iris:
    """Fisher's flowers, shuffled and split with a fixed seed, measures standardised on the training part.

    >>> iris = load_iris()
    >>> len(iris.train), len(iris.test), iris.names
    (120, 30, ['setosa', 'versicolor', 'virginica'])
    """
    text = files("tinygrad_bp").joinpath("iris.csv").read_text(encoding="utf-8")
    rows = list(csv.reader(text.splitlines()))[1:]
    names = list(dict.fromkeys(row[-1] for row in rows))
    shuffle = random.Random(seed).shuffle  # noqa: S311 - a split, not a secret
    train, test = [], []
    for name in names:
        flowers = [row for row in rows if row[-1] == name]
        shuffle(flowers)
        train += flowers[10:]
        test += flowers[:10]
    columns = [[float(row[place]) for row in train] for place in range(4)]
    scales = [(fmean(column), pstdev(column)) for column in columns]

    def flower(row: list[str]) -> Flower:
        x = [(float(each) - mean) / sd for each, (mean, sd) in zip(row, scales, strict=False)]
        return Flower(tuple(x), names.index(row[-1]))

    return Iris(names, [flower(row) for row in train], [flower(row) for row in test])


def train(
    net: Network,
    flowers: Sequence[Flower],
    *,
    epochs: int = EPOCHS,
    eta: float = ETA,
    seed: int = SEED,
) -> Iterator[float]:
    """Descend the note's error flower by flower; yields the mean error of each epoch as it ends."""
    flowers = list(flowers)
    shuffle = random.Random(seed).shuffle  # noqa: S311
    for _ in range(epochs):
        shuffle(flowers)
        error = 0.0
        for flower in flowers:
            e = net.forward(flower.x, flower.t).e
            net.zero_grad()
            e.backward()
            net.descend(eta)
            error += e.data
        yield error / len(flowers)


def accuracy(net: Network, flowers: Sequence[Flower]) -> float:
    """The share of the flowers whose species has the largest output."""
    return fmean(guess(net, flower) == flower.species for flower in flowers)


def guess(net: Network, flower: Flower) -> int:
    """The species whose output is largest, from 0."""
    run = net.forward(flower.x)
    outputs = [run.o(run.network.depth, j).data for j in (1, 2, 3)]
    return outputs.index(max(outputs))


def untrained(seed: int = SEED) -> Network:
    """The network before training: 4 measures, `HIDDEN` tanh nodes, 3 sigmoid outputs."""
    return Network.random([4, HIDDEN, 3], ["tanh", "sigmoid"], seed)


def hardest(net: Network, flowers: Sequence[Flower]) -> int:
    """The place of the flower with the largest error, from 0."""
    errors = [net.forward(flower.x, flower.t).e.data for flower in flowers]
    return errors.index(max(errors))


def explain(net: Network, flower: Flower) -> tuple[Run, Derivation]:
    """The run on one flower, and the gradient of the first-layer weight that moves its error most."""
    run = net.forward(flower.x, flower.t)
    net.zero_grad()
    run.e.backward()
    places = [(1, j, k) for j in range(1, net.sizes[1] + 1) for k in range(1, net.sizes[0] + 1)]
    return run, derivation(run, *max(places, key=lambda place: abs(net.w(*place).grad)))


def new_folder(name: str | None = None) -> Path:
    """A folder that did not exist: the name; or, without one, the default with the next free number.

    Raises:
        FileExistsError: the name is taken.
    """
    if name:
        Path(name).mkdir(parents=True)
        return Path(name)
    taken = (
        Path("tinygrad-bp-demo" + (f"-{number}" if number else ""))
        for number in (0, *range(2, 10_000))
    )
    for folder in taken:
        with suppress(FileExistsError):
            folder.mkdir()
            return folder
    raise FileExistsError("there are too many folders tinygrad-bp-demo-...: name one with -o")


def write(folder: Path, run: Run, derived: Derivation) -> list[Path]:
    """The trained network, the derivation's text, its two pictures and the explorer; returns the files.

    The folder is new, and goes again where one of them cannot be written.
    """
    i, j, k = derived.place
    names = ("network.json", "weight.txt", "graph.svg", "network.svg", "explorer.html")
    written = [folder / name for name in names]
    try:
        run.network.save(written[0])
        written[1].write_text(derived.to_text() + "\n", encoding="utf-8")
        viz.save(viz.draw(run.e, wrt=run.network.w(i, j, k)), written[2])
        viz.save(viz.network(run, weight=(i, j, k)), written[3])
        viz.explore(run, written[4], weight=(i, j, k), title="A held-out iris flower")
    except BaseException:
        rmtree(folder, ignore_errors=True)
        raise
    return written
