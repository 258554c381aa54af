"""Samples to train on: an input and a target each, read from a table of text.

This room knows nothing of networks.
"""

from __future__ import annotations

import csv
import io
import math
import random
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, NamedTuple

from tinygrad_bp.errors import SamplesError
from tinygrad_bp.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any


_MISSING = ("na", "n/a", "null", "none")
"""How tables say that there is no number."""


class Sample(NamedTuple):
    """One sample: what goes into a network, and what should come out."""

    x: tuple[float, ...]
    t: tuple[float, ...]


@dataclass(frozen=True)
class Dataset:
    """A table's rows as samples.

    Attributes:
        inputs: the names of the columns that ``x`` has.
        targets: what ``t`` has: the names of columns, or of the classes of one column.
        categorical: whether ``t`` is 1 for the class of the sample and 0 for the others.
        rows: the samples, in the order of the table.
    """

    inputs: tuple[str, ...]
    targets: tuple[str, ...]
    categorical: bool
    rows: tuple[Sample, ...]


def read_samples(
    text: str,
    *,
    name: str = "the table",
    inputs: Sequence[str] = (),
    targets: Sequence[str] = (),
    classes: bool = False,
) -> Dataset:
    r"""Read a table of numbers, one sample to a line, with commas, semicolons or tabs between.

    The first line names the columns if it has words above numbers; else they are named 1, 2, ....  A
    target that is a number in no line is a class, and there is one number of ``t`` for each class, in the
    order of their names.

    Args:
        text: the table.
        name: what messages call it, as its file.
        inputs: the columns of ``x``; without them, all that are no targets.
        targets: the columns of ``t``; without them, the last.
        classes: read the target as a class whatever is in it.

    Raises:
        SamplesError: naming the line and the column of what is no finite number, or the column that the
            table does not have; or a target is a number in some lines and not in others.

    >>> table = read_samples("a,b,sum\n1,2,3\n0.5,0.5,1\n")
    >>> table.inputs, table.targets, table.rows[0]
    (('a', 'b'), ('sum',), Sample(x=(1.0, 2.0), t=(3.0,)))
    >>> read_samples("5.1,setosa\n6.3,virginica\n").rows[1]
    Sample(x=(6.3,), t=(0.0, 1.0))
    """
    table = _Table.read(text, name)
    for column in (*inputs, *targets):
        if column not in table.columns:
            raise table.error(f"there is no column {column!r}")
    t_columns = tuple(targets) or table.columns[-1:]
    x_columns = tuple(inputs) or tuple(each for each in table.columns if each not in t_columns)
    if not x_columns:
        raise table.error("there is no input")
    chosen = (*x_columns, *t_columns)
    if twice := [each for each in chosen if chosen.count(each) > 1]:
        raise table.error(f"{twice[0]!r} is chosen twice")
    one = len(t_columns) == 1
    if classes and not one:
        raise table.error(f"classes are of one column, not of {', '.join(t_columns)}")
    way_out = "leave the line out, or say which columns are inputs"
    x = [table.numbers(each, way_out) for each in x_columns]
    if classes or (one and not any(map(_is_numeric, table.cells(t_columns[0])))):
        names, t = table.one_hot(t_columns[0])
        return Dataset(x_columns, names, categorical=True, rows=_rows(x, t))
    way_out = "leave the line out" + ", or say that the targets are classes" * one
    t = [table.numbers(each, way_out) for each in t_columns]
    return Dataset(x_columns, t_columns, categorical=False, rows=_rows(x, t))


def _rows(x: Iterable[Sequence[float]], t: Iterable[Sequence[float]]) -> tuple[Sample, ...]:
    return tuple(map(Sample, zip(*x, strict=True), zip(*t, strict=True)))


def iris_text() -> str:
    """The table of Fisher's 150 flowers in centimetres, as he printed them.

    R. A. Fisher, "The use of multiple measurements in taxonomic problems", Annals of Eugenics 7
    (1936), 179-188.

    >>> read_samples(iris_text()).targets
    ('setosa', 'versicolor', 'virginica')
    """
    return files("tinygrad_bp").joinpath("iris.csv").read_text(encoding="utf-8")


def split(
    samples: Sequence[Sample], share: float, seed: int, *, by_target: bool
) -> tuple[list[Sample], list[Sample]]:
    """Those to train on and those held out, drawn with a seed.

    Args:
        samples: all of them.
        share: of them, to hold out, from 0 to less than 1.
        seed: of the draw.
        by_target: hold out that share of each target, as of each class, to one sample; one of each is
            always trained on.

    Raises:
        SamplesError: the share is out of range, or none could be held out, as of a single sample.

    >>> rows = [Sample((float(k),), (float(k % 2),)) for k in range(10)]
    >>> train, test = split(rows, 0.2, seed=0, by_target=True)
    >>> len(train), sorted(each.t for each in test)
    (8, [(0.0,), (1.0,)])
    """
    if not 0 <= share < 1:
        raise SamplesError(f"the share to hold out is at least 0 and less than 1, not {share}")
    shuffle = random.Random(seed).shuffle  # noqa: S311 - a split, not a secret
    train: list[Sample] = []
    test: list[Sample] = []
    seen = 0
    for target in dict.fromkeys(each.t for each in samples) if by_target else (None,):
        alike = [each for each in samples if target in (None, each.t)]
        shuffle(alike)
        # What rounding takes from one target it gives to the next.
        count = round(share * (seen + len(alike))) - round(share * seen)
        seen += len(alike)
        count = min(count, len(alike) - 1)
        test += alike[:count]
        train += alike[count:]
    if share and not test:
        raise SamplesError(f"a share of {share} holds out none of {counted(len(train), 'sample')}")
    return train, test


class Scale(NamedTuple):
    """A column read as ``(x - mean) / std``.

    >>> scale = Scale.of([1.0, 3.0, 5.0, 7.0])
    >>> scale.mean, scale(4.0), scale.inverse(scale(7.0))
    (4.0, 0.0, 7.0)
    """

    mean: float
    std: float

    @classmethod
    def of(cls, column: Sequence[float]) -> Scale:
        """That by mean and standard deviation; by the mean alone where the numbers do not vary.

        Raises:
            SamplesError: the numbers are too large to add them.
        """
        try:
            std = pstdev(column)
            return cls(fmean(column), std if std >= sys.float_info.min else 1.0)
        except OverflowError:
            raise SamplesError(
                f"numbers from {min(column)} to {max(column)} cannot be scaled: give them in another unit"
            ) from None

    def __call__(self, number: float) -> float:
        """The number as this scale reads it."""
        return (number - self.mean) / self.std

    @property
    def inverse(self) -> Scale:
        """The scale that goes back."""
        return Scale(-self.mean / self.std, 1 / self.std)


def scales(rows: Iterable[Sequence[float]]) -> list[Scale]:
    """The scale of each column.

    >>> scales([(1.0, 5.0), (3.0, 5.0)])
    [Scale(mean=2.0, std=1.0), Scale(mean=5.0, std=1.0)]
    """
    return [Scale.of(column) for column in zip(*rows, strict=True)]


def scaled(samples: Iterable[Sample], x: Sequence[Scale], t: Sequence[Scale] = ()) -> list[Sample]:
    """The samples as a scale for each input, and for each target if there are any, reads them.

    >>> scaled([Sample((3.0,), (1.0,))], [Scale(2.0, 2.0)])
    [Sample(x=(0.5,), t=(1.0,))]
    """
    return [Sample(_read(each.x, x), _read(each.t, t) if t else each.t) for each in samples]


def _read(numbers: Sequence[float], by: Sequence[Scale]) -> tuple[float, ...]:
    return tuple(scale(number) for scale, number in zip(by, numbers, strict=True))


class _Table(NamedTuple):
    """A table of text: what it is called, its columns, and its lines, each with its number in the file."""

    name: str
    columns: tuple[str, ...]
    lines: list[tuple[int, list[str]]]

    @classmethod
    def read(cls, text: str, name: str) -> _Table:
        """The lines that are not empty, and from the first of them, or by number, the columns."""
        lines = list(_lines(text, _delimiter(text), name))
        if not lines:
            raise SamplesError(f"{name} is empty: it should have a sample on each line")
        columns, size = tuple(lines[0][1]), len(lines[0][1])
        for number, cells in lines:
            if len(cells) != size:
                raise SamplesError(
                    f"{name}, line {number}: {len(cells)} columns, where there are {size} above"
                )
        if not _are_names(columns, [cells for _, cells in lines[1:]]):
            return cls(name, tuple(map(str, range(1, size + 1))), lines)
        if len(lines) == 1:
            raise SamplesError(f"{name} has names of columns and no samples below them")
        if "" in columns:
            raise SamplesError(f"{name}: column {columns.index('') + 1} has no name")
        if twice := [each for each in columns if columns.count(each) > 1]:
            raise SamplesError(f"{name} has two columns {twice[0]!r}: call one otherwise")
        return cls(name, columns, lines[1:])

    def error(self, what: str) -> SamplesError:
        return SamplesError(f"{self.name}: {what}; its columns are {', '.join(self.columns)}")

    def cells(self, column: str) -> list[str]:
        place = self.columns.index(column)
        return [cells[place] for _, cells in self.lines]

    def numbers(self, column: str, way_out: str) -> list[float]:
        cells = self.cells(column)
        for (line, _), cell in zip(self.lines, cells, strict=True):
            if not _is_numeric(cell) or not math.isfinite(float(cell)):
                if _is_numeric(cell.replace(",", ".")):
                    way_out = "write it with a point"
                raise SamplesError(
                    f"{self.name}, line {line}, column {column}: {cell!r:.60} is not a finite number: "
                    f"{way_out}"
                )
        return [*map(float, cells)]

    def one_hot(self, column: str) -> tuple[tuple[str, ...], list[list[float]]]:
        """The classes by name, or by number, and for each of them the column of ones and zeros."""
        cells = self.cells(column)
        if "" in cells:
            line, _ = self.lines[cells.index("")]
            raise SamplesError(f"{self.name}, line {line}, column {column}: there is no class")
        numeric = all(map(_is_numeric, cells))
        if not numeric and all(_is_numeric(cell.replace(",", ".")) for cell in cells):
            self.numbers(column, "")  # they have decimal commas
        kinds: list[Any] = [*map(float, cells)] if numeric else cells  # 1 and 1.0 are one class
        names = dict(zip(reversed(kinds), reversed(cells), strict=True))
        if len(names) < 2:
            raise SamplesError(
                f"{self.name}, column {column}: all are of one class, {cells[0]!r:.60}, and nothing is "
                "to be told apart"
            )
        classes = sorted(names)
        return tuple(map(names.__getitem__, classes)), [
            [float(kind == each) for kind in kinds] for each in classes
        ]


def _delimiter(text: str) -> str:
    """What parts the first line; a comma only if nothing else does, for it may be in a number."""
    for each in "\t;":
        file = io.StringIO(text.lstrip("\r\n"), newline="")
        lines = csv.reader(file, delimiter=each, strict=True)
        with suppress(csv.Error, StopIteration):
            if len(next(lines)) > 1:
                return each
    return ","


def _are_names(first: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    """Whether a first line names the columns: a word stands above numbers, or there is no number at all."""
    above = (
        all(_is_numeric(cells[place]) for cells in others)
        for place, cell in enumerate(first)
        if any(map(str.isalpha, cell)) and cell.lower() not in _MISSING and not _is_numeric(cell)
    )
    return not any(map(_is_numeric, first)) or (bool(others) and any(above))


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


def _is_numeric(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell  # 2020_01 is a number to Python alone
