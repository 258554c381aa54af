"""The demonstration: a small network learns Fisher's iris data by the note's error and update.

It draws, as all of `tinygrad_bp.terminal` may.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, NamedTuple

import viz
from tinygrad_bp.network import samples
from tinygrad_bp.network.derivation import derivation
from tinygrad_bp.network.network import Network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinygrad_bp.network.derivation_page import Derivation
    from tinygrad_bp.network.network import Run
    from tinygrad_bp.network.samples import Sample

HIDDEN = 5
EPOCHS = 60
ETA = 0.05
SEED = 1936


class Iris(NamedTuple):
    """The flowers, four fifths to train on and one fifth held out, alike for each species."""

    names: tuple[str, ...]
    train: list[Sample]
    test: list[Sample]


def load_iris(seed: int = SEED) -> Iris:
    """Fisher's flowers, shuffled and split with a fixed seed, measures standardised on the training part.

    >>> iris = load_iris()
    >>> len(iris.train), len(iris.test), iris.names
    (120, 30, ('setosa', 'versicolor', 'virginica'))
    """
    iris = samples.read_samples(samples.iris_text())
    train, test = samples.split(iris.rows, 0.2, seed, by_target=True)
    scales = samples.scales(each.x for each in train)
    return Iris(iris.targets, samples.scaled(train, scales), samples.scaled(test, scales))


def untrained(seed: int = SEED) -> Network:
    """The network before training: 4 measures, `HIDDEN` tanh nodes, 3 sigmoid outputs."""
    return Network.random([4, HIDDEN, 3], ["tanh", "sigmoid"], seed)


def hardest(net: Network, flowers: Sequence[Sample]) -> int:
    """The place of the flower with the largest error, from 0."""
    errors = [net.forward(flower.x, flower.t).e.data for flower in flowers]
    return errors.index(max(errors))


def explain(net: Network, flower: Sample) -> tuple[Run, Derivation]:
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
