"""Samples to train on: an input and a target each, read from a table of text.

This room knows nothing of networks.
"""

from __future__ import annotations

import csv
import io
import math
import random
from dataclasses import dataclass
from importlib.resources import files
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, NamedTuple

from tinygrad_bp.errors import SamplesError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


class Sample(NamedTuple):
    """One sample: what goes into a network, and what should come out."""

    x: tuple[float, ...]
    t: tuple[float, ...]


@dataclass(frozen=True)
class Samples:
    """A table's rows as samples.

    Attributes:
        inputs: the names of the columns that ``x`` has.
        targets: what ``t`` has: the names of columns, or of the classes of one column.
        classes: whether ``t`` is 1 for the class of the sample and 0 for the others.
        rows: the samples, in the order of the table.
    """

    inputs: tuple[str, ...]
    targets: tuple[str, ...]
    classes: bool
    rows: tuple[Sample, ...]


def read_samples(
    text: str,
    *,
    name: str = "the table",
    inputs: Sequence[str] = (),
    targets: Sequence[str] = (),
    classes: bool = False,
) -> Samples:
    r"""Read a table of numbers, one sample to a line, with commas, semicolons or tabs between.

    A first line without any number names the columns; else they are named 1, 2, ....  A target that is
    no number in some line is a class, and there is one number of ``t`` for each class.

    Args:
        text: the table.
        name: what messages call it, as its file.
        inputs: the columns of ``x``; without them, all that are no targets.
        targets: the columns of ``t``; without them, the last.
        classes: read the target as a class even if it is a number everywhere.

    Raises:
        SamplesError: naming the line and the column of what is no finite number, or the column that the
            table does not have.

    >>> table = read_samples("a,b,sum\n1,2,3\n0.5,0.5,1\n")
    >>> table.inputs, table.targets, table.rows[0]
    (('a', 'b'), ('sum',), Sample(x=(1.0, 2.0), t=(3.0,)))
    >>> read_samples("5.1,setosa\n6.3,virginica\n").rows[1]
    Sample(x=(6.3,), t=(0.0, 1.0))
    """
    names, lines = _columns(text, name)
    for column in (*inputs, *targets):
        if column not in names:
            raise SamplesError(f"{name} has no column {column!r}: it has {', '.join(names)}")
    targets = tuple(targets) or names[-1:]
    inputs = tuple(inputs) or tuple(each for each in names if each not in targets)
    twice = {each for each in inputs if each in targets}
    if twice or not inputs:
        which = f"{min(twice)!r} is both input and target" if twice else "there is no input"
        raise SamplesError(f"{name}: {which}; its columns are {', '.join(names)}")
    x_columns = [_numbers(column, names, lines, name) for column in inputs]
    place = names.index(targets[0])
    if len(targets) == 1 and (classes or any(_number(line[place]) is None for _, line in lines)):
        targets, t_columns = _classes(targets[0], place, lines, name)
        classes = True
    elif classes:
        raise SamplesError(f"{name}: classes are of one column, not of {', '.join(targets)}")
    else:
        t_columns = [_numbers(column, names, lines, name) for column in targets]
    pairs = zip(zip(*x_columns, strict=True), zip(*t_columns, strict=True), strict=True)
    return Samples(inputs, targets, classes, tuple(Sample(x, t) for x, t in pairs))


def iris_text() -> str:
    """The table of Fisher's 150 flowers in centimetres, as he printed them.

    R. A. Fisher, "The use of multiple measurements in taxonomic problems", Annals of Eugenics 7
    (1936), 179-188.

    >>> read_samples(iris_text()).targets
    ('setosa', 'versicolor', 'virginica')
    """
    return files("tinygrad_bp").joinpath("iris.csv").read_text(encoding="utf-8")


def split(
    samples: Sequence[Sample], held_out: float, seed: int, *, by_target: bool
) -> tuple[list[Sample], list[Sample]]:
    """Those to train on and those held out, drawn with a seed.

    Args:
        samples: all of them.
        held_out: the share to hold out, from 0 to less than 1.
        seed: of the draw.
        by_target: hold out that share of each target, as of each class.

    Raises:
        SamplesError: the share is out of range, or leaves none to train on.

    >>> rows = [Sample((float(k),), (float(k % 2),)) for k in range(10)]
    >>> train, test = split(rows, 0.2, seed=0, by_target=True)
    >>> len(train), sorted(each.t for each in test)
    (8, [(0.0,), (1.0,)])
    """
    if not 0 <= held_out < 1:
        raise SamplesError(f"the share to hold out is at least 0 and less than 1, not {held_out}")
    shuffle = random.Random(seed).shuffle  # noqa: S311 - a split, not a secret
    train, test = [], []
    for target in dict.fromkeys(each.t for each in samples) if by_target else (None,):
        alike = [each for each in samples if target in (None, each.t)]
        shuffle(alike)
        count = round(held_out * len(alike))
        test += alike[:count]
        train += alike[count:]
    if not train:
        raise SamplesError(f"no sample is left to train on: all {len(test)} are held out")
    return train, test


class Scale(NamedTuple):
    """A column read as ``(x - mean) / deviation``.

    >>> Scale.of([1.0, 3.0])
    Scale(mean=2.0, deviation=1.0)
    """

    mean: float
    deviation: float

    @classmethod
    def of(cls, column: Sequence[float]) -> Scale:
        """That which gives the column mean 0 and deviation 1; only the mean where it does not vary."""
        return cls(fmean(column), pstdev(column) or 1.0)

    def __call__(self, number: float) -> float:
        """The number as this scale reads it."""
        return (number - self.mean) / self.deviation

    @property
    def inverse(self) -> Scale:
        """The scale that goes back."""
        return Scale(-self.mean / self.deviation, 1 / self.deviation)


def scales(rows: Iterable[Sequence[float]]) -> list[Scale]:
    """The scale of each column."""
    return [Scale.of(column) for column in zip(*rows, strict=True)]


def scaled(samples: Iterable[Sample], x: Sequence[Scale], t: Sequence[Scale] = ()) -> list[Sample]:
    """The samples as a scale for each input, and for each target if there are any, reads them."""
    return [Sample(_read(each.x, x), _read(each.t, t) if t else each.t) for each in samples]


def _read(numbers: Sequence[float], by: Sequence[Scale]) -> tuple[float, ...]:
    return tuple(scale(number) for scale, number in zip(by, numbers, strict=True))


def _columns(text: str, name: str) -> tuple[tuple[str, ...], list[tuple[int, list[str]]]]:
    """The names of the columns, and the cells of each line that is not empty with its number."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",;\t", key=first.count)
    lines = list(_lines(text, delimiter, name))
    if not lines:
        raise SamplesError(f"{name} is empty")
    names = tuple(lines[0][1])
    if any(_number(cell) is not None for cell in names):
        names = tuple(str(place) for place in range(1, len(names) + 1))
    else:
        del lines[0]
    if len(set(names)) < len(names):
        twice = next(each for each in names if names.count(each) > 1)
        raise SamplesError(f"{name} has two columns {twice!r}")
    if not lines:
        raise SamplesError(f"{name} has names of columns and no rows")
    for number, cells in lines:
        if len(cells) != len(names):
            raise SamplesError(
                f"{name}, line {number}: {len(cells)} columns, where there are {len(names)} above"
            )
    return names, lines


def _lines(text: str, delimiter: str, name: str) -> Iterator[tuple[int, list[str]]]:
    file = io.StringIO(text, newline="")
    reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                yield reader.line_num, stripped
    except csv.Error as error:
        raise SamplesError(f"{name}, line {reader.line_num}: {error}") from None


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _numbers(
    column: str, names: tuple[str, ...], lines: list[tuple[int, list[str]]], name: str
) -> list[float]:
    place = names.index(column)
    numbers = []
    for line, cells in lines:
        number = _number(cells[place])
        if number is None or not math.isfinite(number):
            raise SamplesError(
                f"{name}, line {line}, column {column}: {cells[place]!r:.60} is not a finite number; "
                "leave the line out, or say which columns are inputs"
            )
        numbers.append(number)
    return numbers


def _classes(
    column: str, place: int, lines: list[tuple[int, list[str]]], name: str
) -> tuple[tuple[str, ...], list[list[float]]]:
    """The classes in the order of the table, and for each of them the column of ones and zeros."""
    cells = [line[place] for _, line in lines]
    found = tuple(dict.fromkeys(cells))
    if "" in found:
        line = next(number for number, line in lines if not line[place])
        raise SamplesError(f"{name}, line {line}, column {column}: there is no class")
    if len(found) < 2:
        raise SamplesError(f"{name}, column {column}: all are of one class, {found[0]!r:.60}")
    return found, [[float(cell == each) for cell in cells] for each in found]
