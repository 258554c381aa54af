"""Samples to train on: an input and a target each, read from a table of text.

This module knows nothing of networks.
"""

from __future__ import annotations

import math
import random
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, NamedTuple

from tinygrad_bp.errors import SamplesError
from tinygrad_bp.network.delimited import (
    Grid,
    called,
    is_infinite,
    is_missing,
    is_number,
    listed_lines,
    looks_like_a_number,
    meant_by_commas,
)
from tinygrad_bp.numbers.families import check_number, python_number, whole_number
from tinygrad_bp.numbers.text import counted, to_float
from tinygrad_bp.quoting import quoted, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Literal

    from tinygrad_bp.network.delimited import Line, Table

_SAY_DELIMITER = "for another say --delimiter (in Python delimiter=...)"
_SAY_HEADER = "say --header or --no-header (in Python header=True or header=False)"

MOST_CLASSES = 1_000
"""A column of more different words names the samples, and no classes of them."""


class Sample(NamedTuple):
    """One sample: what goes into a network, and what should come out."""

    x: tuple[float, ...]
    t: tuple[float, ...]


@dataclass(frozen=True)
class Dataset:
    r"""A table's rows as samples, and how the table was read.

    Attributes:
        inputs: the names of the columns that ``x`` has.
        targets: what ``t`` has: the names of columns, or of the classes of one column.
        categorical: whether ``t`` is 1 for the class of the sample and 0 for the others.
        rows: the samples, in the order of the table.
        header: whether the first line has the names of the columns.
        delimiter: what stands between columns.
        left_out: the numbers of the lines that were left out, because a value is missing there.
        ignored: in words, what else of the table was not read, as comments.

    >>> table = read_samples("# by hand\na;b\n1;2\n?;3\n", missing="skip")
    >>> table.rows, table.left_out, table.ignored
    ((Sample(x=(1.0,), t=(2.0,)),), (4,), ('comments in line 1',))
    """

    inputs: tuple[str, ...]
    targets: tuple[str, ...]
    categorical: bool
    rows: tuple[Sample, ...]
    header: bool = True
    delimiter: str = ","
    left_out: tuple[int, ...] = ()
    ignored: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        r"""For each class the number of its samples; empty where targets are numbers.

        >>> read_samples("5.1,setosa\n6.3,virginica\n5.0,setosa\n").counts
        {'setosa': 2, 'virginica': 1}
        """
        if not self.categorical:
            return {}
        counts = Counter(each.t.index(1) for each in self.rows)
        return {name: counts[place] for place, name in enumerate(self.targets)}

    def reading(self) -> str:
        r"""How the table was read, and what of it was not, in words.

        >>> read_samples("1|u\n2|v\n1|u\n").reading()
        "read with '|' between columns, which are numbered; the first line is a sample"
        """
        names = "named by the first line" if self.header else "numbered; the first line is a sample"
        ignored = [*self.ignored]
        if self.left_out:
            ignored.append(f"{listed_lines(self.left_out)}, where a value is missing")
        rest = f"; ignored: {'; '.join(ignored)}" if ignored else ""
        return f"read with {called(self.delimiter)} between columns, which are {names}{rest}"


def read_samples(
    text: str,
    *,
    name: str = "the table",
    inputs: Sequence[str] = (),
    targets: Sequence[str] = (),
    classes: bool = False,
    header: bool | None = None,
    delimiter: str | None = None,
    missing: Literal["refuse", "skip"] = "refuse",
) -> Dataset:
    r"""Read a table of numbers, one sample to a line; what may be read in two ways is refused.

    Numbers are decimal numbers in ASCII, as ``-1.5e3``, and become the nearest float.  A column of targets
    where no cell looks like a number is of classes, at most `MOST_CLASSES`: there is one number of ``t`` for
    each class, in the order of their names, or of their numbers if all are numbers.  Classes are text and are compared as
    text: ``1`` and ``1.0`` are two.  Blanks at the ends of a cell are not part of it.

    Lines with nothing in them are ignored; so are, and `Dataset.ignored` tells it, lines that begin with
    ``#``, a first line ``sep=;``, columns that are empty in every line, and a first column without a name
    that numbers the lines, as pandas writes it.

    Args:
        text: the table.
        name: what messages call it, as its file.
        inputs: the columns of ``x``; without them, all that are no targets.
        targets: the columns of ``t``; without them, the last.
        classes: read the target as a class whatever is in it.
        header: whether the first line has the names of the columns; where it has not, they are numbered 1,
            2, ....  None: what is possible.  A word above numbers is a name, and a column that is chosen by
            name has one.
        delimiter: what stands between columns.  None: the first of tab, semicolon, ``|``, comma and blanks
            that parts all lines alike.
        missing: ``"refuse"``, or ``"skip"`` the lines where a chosen column has no value: an empty cell,
            nan, NA, null, none, ``?``, ``-`` and the like.

    Raises:
        SamplesError: naming the line and the column of what cannot be read, or the column that the table
            does not have; or the first line may be names or a sample, and ``header`` does not say which.

    >>> table = read_samples("a,b,sum\n1,2,3\n0.5,0.5,1\n")
    >>> table.inputs, table.targets, table.rows[0]
    (('a', 'b'), ('sum',), Sample(x=(1.0, 2.0), t=(3.0,)))
    >>> read_samples("5.1,setosa\n6.3,virginica\n").rows[1]
    Sample(x=(6.3,), t=(0.0, 1.0))
    >>> read_samples("0,1,label\n5.1,3.5,setosa\n6.3,3.3,virginica\n", header=True).inputs
    ('0', '1')
    """
    if missing not in ("refuse", "skip"):
        raise SamplesError(f"missing is 'refuse' or 'skip', not {missing!r}")
    if not isinstance(text, str):
        raise SamplesError(f"read_samples takes the text of a table, not {quoted(text)}")
    for what, columns in (("inputs", inputs), ("targets", targets)):
        if isinstance(columns, str) or not all(isinstance(each, str) for each in columns):
            raise SamplesError(f"{what} is a list of names of columns, not {quoted(columns)}")
    choice = _Choice(tuple(inputs), tuple(targets), classes, skip=missing == "skip")
    grid = Grid.read(text, name, delimiter)
    if header is None:
        return _read_if_clear(grid, choice)
    return choice.read(grid.table(header=header))


def _read_if_clear(grid: Grid, choice: _Choice) -> Dataset:
    """With names in the first line or without, where only one of them is possible."""
    asked = {*choice.inputs, *choice.targets} & {*grid.lines[0].cells}
    if grid.is_headed() or not all(map(str.isdecimal, asked)):
        return choice.read(grid.table(header=True))
    may_be_headed = grid.may_be_headed()
    try:
        dataset = choice.read(grid.table(header=False))
    except SamplesError as error:
        if may_be_headed and grid.begins_with_words():
            return choice.read(grid.table(header=True))
        try:
            choice.read(grid.table(header=True))
        except SamplesError as other:
            unnamed = (
                may_be_headed and not grid.lines[0].cells[0]
            )  # the corner above numbers of lines
            raise (other if unnamed else error) from None
        raise SamplesError(f"{error}; if the first line has names, {_SAY_HEADER}") from None
    if may_be_headed:
        line = grid.lines[0].number
        raise SamplesError(
            f"{grid.name}, line {line}: names of columns or a sample, both are possible: {_SAY_HEADER}"
        )
    return dataset


class _Choice(NamedTuple):
    """What to read of a table."""

    inputs: tuple[str, ...]
    targets: tuple[str, ...]
    classes: bool
    skip: bool

    def read(self, table: Table) -> Dataset:
        """Its samples."""
        x_columns, t_columns = self._columns(table)
        table, left_out = self._complete(table, (*x_columns, *t_columns))
        way_out = "choose other inputs with --inputs (in Python inputs=[...])"
        x = [_numbers(table, each, way_out) for each in x_columns]
        one = len(t_columns) == 1
        categorical = self.classes or (
            one and not any(map(looks_like_a_number, table.cells(t_columns[0])))
        )
        if categorical:
            t_columns, t = _one_hot(table, t_columns[0])
        else:
            way_out = "choose other targets with --targets (in Python targets=[...])"
            if one:
                way_out = "if it names a class, say --classes (in Python classes=True)"
            t = [*zip(*(_numbers(table, each, way_out) for each in t_columns), strict=True)]
        rows = tuple(map(Sample, zip(*x, strict=True), t))
        return Dataset(
            x_columns, t_columns, categorical, rows,
            table.header, table.delimiter, left_out, table.ignored,
        )  # fmt: skip

    def _columns(self, table: Table) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Those of inputs and of targets."""
        for column in (*self.inputs, *self.targets):
            if column not in table.columns:
                raise table.error(f"there is no column {visible(column)!r}")
        targets = self.targets or (next(reversed(table.columns)),)
        others = table.columns.keys() - targets
        inputs = self.inputs or tuple(each for each in table.columns if each in others)
        if not inputs:
            between = f"with {called(table.delimiter)} between columns"
            raise table.error(f"there is no input, {between}: {_SAY_DELIMITER}")
        chosen = Counter((*inputs, *targets))
        if twice := next((each for each, count in chosen.items() if count > 1), None):
            raise table.error(f"{visible(twice)!r} is chosen twice")
        if self.classes and len(targets) > 1:
            raise table.error(
                f"classes are of one column, not of {', '.join(map(visible, targets))}"
            )
        return inputs, targets

    def _complete(self, table: Table, columns: Sequence[str]) -> tuple[Table, tuple[int, ...]]:
        """The table of the lines that have a value in each of the columns; the numbers of the others."""
        places = [(each, table.columns[each]) for each in columns]
        lines: list[Line] = []
        left_out: list[int] = []
        for line in table.lines:
            missing = [column for column, place in places if is_missing(line.cells[place])]
            if missing and not self.skip:
                raise table.error_at(
                    line,
                    missing[0],
                    "is a missing value: leave such lines out with --skip-missing "
                    "(in Python missing='skip')",
                )
            if missing:
                left_out.append(line.number)
            else:
                lines.append(line)
        if not lines:
            raise table.error("a value is missing in every line")
        return table._replace(lines=lines), tuple(left_out)


def _numbers(table: Table, column: str, way_out: str) -> list[float]:
    numbers = []
    for line, cell in zip(table.lines, table.cells(column), strict=True):
        if not is_number(cell):
            raise table.error_at(line, column, _why_no_number(cell, table.delimiter, way_out))
        try:
            numbers.append(to_float(cell))
        except ValueError as error:
            raise table.error_at(line, column, f"would be changed: {error}; {way_out}") from None
    return numbers


def _why_no_number(cell: str, delimiter: str, way_out: str) -> str:
    if is_infinite(cell):
        return "is not a finite number: leave the line out"
    if meant := meant_by_commas(cell):
        return f"is not a finite number: if {' or '.join(meant)} is meant, write that"
    if {*cell} & {*"\t;|,"}:
        way_out += f"; this is with {called(delimiter)} between columns: {_SAY_DELIMITER}"
    return f"is not a finite number as 1234.5 or 1e-3: write it so, or {way_out}"


def _one_hot(table: Table, column: str) -> tuple[tuple[str, ...], list[tuple[float, ...]]]:
    """The classes by name, or by number, and for each line the ones and zeros, of which a class has one list."""
    cells = table.cells(column)
    for line, cell in zip(table.lines, cells, strict=True):
        if is_infinite(cell):
            raise table.error_at(
                line, column, "is no class: leave the line out, or use another word"
            )
    classes = sorted({*cells})
    if len(classes) < 2:
        raise SamplesError(
            f"{table.name}, column {visible(column)}: all are of one class, "
            f"{visible(classes[0])!r:.60}, and nothing is to be told apart"
        )
    if len(classes) > MOST_CLASSES:
        raise table.error(
            f"column {visible(column)} has {len(classes)} different words, and there are at most "
            f"{MOST_CLASSES} classes: choose another target with --targets (in Python targets=[...])"
        )
    if all(map(is_number, classes)):
        classes.sort(key=float)
    size = len(classes)
    ones = {
        each: tuple(map(float, map(place.__eq__, range(size))))
        for place, each in enumerate(classes)
    }
    return tuple(classes), [ones[cell] for cell in cells]


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
    check_number(share, where="the share to hold out")
    if not 0 <= share < 1:
        raise SamplesError(f"the share to hold out is at least 0 and less than 1, not {share}")
    shuffle = random.Random(whole_number("seed", seed)).shuffle  # noqa: S311 - a split, not a secret
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
            SamplesError: the numbers are too large to add or subtract them, or are not finite.
        """
        column = [*map(python_number, column)]
        least, most = min(column), max(column)
        with suppress(OverflowError):
            mean = fmean(column)
            if math.isfinite(mean) and math.isfinite(most - least):
                std = pstdev(column)
                return cls(mean, std if std >= sys.float_info.min else 1.0)
        raise SamplesError(
            f"numbers from {least} to {most} cannot be scaled: give them in another unit"
        )

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
