"""Delimited text, as CSV, as a table: bytes to text, text to cells, cells to named columns.

Nothing is guessed that could be read in two ways, and what is left out is listed in ``ignored``.  What a
cell means (a number, a missing value, a word) is said here too; the samples are made in
`tinygrad_bp.network.samples`.
"""

from __future__ import annotations

import codecs
import csv
import io
import math
import re
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from tinygrad_bp.errors import SamplesError
from tinygrad_bp.numbers.text import counted
from tinygrad_bp.quoting import first_few, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DELIMITERS = "\t;|, "
"""What may stand between columns, in the order in which it is looked for.

The comma is among the last, for it may stand in a number, and the blank is the last, for it may stand in a
name.
"""

_MISSING = frozenset(
    (
        "", "na", "n/a", "<na>", "nan", "-nan", "+nan", "nat", "null", "none", "nil", "\\n",
        "#n/a", "#n/a n/a", "#na", "#null!", "#num!", "#value!", "#ref!", "#name?", "#div/0!",
        "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan",
    )
)  # fmt: skip
"""How tables say that there is no value; so do cells of nothing but dashes, points and question marks."""

_BYTE_ORDER_MARKS = (  # that of UTF-32 begins with that of UTF-16
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


# ---- what a cell means


def is_number(cell: str) -> bool:
    """Whether it is a decimal number in ASCII: digits with a point, a sign and an exponent as they come.

    >>> [is_number(cell) for cell in ("5", "-.5e3", "1_000", "0x10", "nan", "1,5")]
    [True, True, False, False, False, False]
    """
    return bool(re.fullmatch(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?", cell))


def is_missing(cell: str) -> bool:
    """Whether it says that there is no value.

    >>> [is_missing(cell) for cell in ("", "NaN", "n/a", "?", "--", "0", "unknown")]
    [True, True, True, True, True, False, False]
    """
    return cell.lower() in _MISSING or not cell.strip("-–—.?")


def is_infinite(cell: str) -> bool:
    """Whether it is a number that no float can hold, or the word for one: ``1e400``, ``-inf``."""
    word = cell.lower().lstrip("+-") in ("inf", "infinity")
    return word or (is_number(cell) and math.isinf(float(cell)))


def looks_like_a_number(cell: str) -> bool:
    """Whether it begins as a number does, be it one or not: ``10%``, ``$5``, ``2020-01-01``, ``1_000``.

    >>> [looks_like_a_number(cell) for cell in ("5 kg", "US$ 5", "-inf", "x1", "Q1 2020", "%")]
    [True, True, True, False, False, False]
    """
    first = next(filter(str.isalnum, cell), "a")
    return (
        not first.isalpha()
        or is_infinite(cell)
        or bool(re.search(r"([$€£¥]|USD|EUR|GBP|CHF|JPY|Rs\.?)\s?\d", cell))
    )


def is_word(cell: str) -> bool:
    """Whether it is neither a number nor like one, nor missing."""
    return not (looks_like_a_number(cell) or is_missing(cell))


def meant_by_commas(cell: str) -> list[str]:
    """The numbers that somebody may have meant who wrote a comma or blank into one.

    >>> meant_by_commas("1,5"), meant_by_commas("1,234"), meant_by_commas("1,234,567.8")
    (['1.5'], ['1.234', '1234'], ['1234567.8'])
    >>> meant_by_commas("1.234,5"), meant_by_commas("1 234"), meant_by_commas("1,2,3")
    (['1234.5'], ['1234'], [])
    """
    sign, digits = ("-", cell[1:]) if cell[:1] in ("-", "−") else ("", cell.removeprefix("+"))
    meant = []
    if re.fullmatch(r"([0-9]+|[0-9]{1,3}([. '’][0-9]{3})+),[0-9]+", digits.replace("\xa0", " ")):
        meant.append(re.sub(r"[^0-9,]", "", digits).replace(",", "."))
    if re.fullmatch(r"[1-9][0-9]{0,2}([,\s'’][0-9]{3})+(\.[0-9]*)?", digits):
        meant.append(re.sub(r"[^0-9.]", "", digits))
    return [sign + each for each in meant]


# ---- a table


class Line(NamedTuple):
    """One line's cells, without blanks at their ends, and its number in the file, from 1."""

    number: int
    cells: list[str]


class Table(NamedTuple):
    """Columns with names, and the lines below the names.

    Attributes:
        name: what messages call it, as its file.
        columns: by the name of each column, or its number where ``header`` is false, its place.
        lines: the samples.
        header: whether the first line has the names.
        delimiter: what stands between columns.
        ignored: in words, what was not read.
    """

    name: str
    columns: dict[str, int]
    lines: list[Line]
    header: bool
    delimiter: str
    ignored: tuple[str, ...]

    def cells(self, column: str) -> list[str]:
        """The column's cells."""
        place = self.columns[column]
        return [line.cells[place] for line in self.lines]

    def error(self, what: str) -> SamplesError:
        """An error that tells the columns."""
        columns = first_few(self.columns)
        ignored = f"; ignored: {'; '.join(self.ignored)}" if self.ignored else ""
        return SamplesError(f"{self.name}: {what}; its columns are {columns}{ignored}")

    def error_at(self, line: Line, column: str, what: str) -> SamplesError:
        """An error that shows a cell."""
        cell = visible(line.cells[self.columns[column]])
        return SamplesError(
            f"{self.name}, line {line.number}, column {visible(column)}: {cell!r:.60} {what}"
        )


class Grid(NamedTuple):
    """The lines of a table, of the same length, before it is known whether the first has the names."""

    name: str
    lines: list[Line]
    delimiter: str
    first: int
    ignored: tuple[str, ...]

    @classmethod
    def read(cls, text: str, name: str, delimiter: str | None) -> Grid:
        """The lines that are neither empty nor comments; ``first`` is the number of the first column.

        Raises:
            SamplesError: there are none; they are of different lengths; or a comment may have the names.
        """
        if delimiter is not None and not re.fullmatch(r'[^\w"\r\n]', delimiter):
            raise SamplesError(f"a delimiter is one sign, as ';', not {delimiter!r}")
        text = text.lstrip("\ufeff")
        if "\0" in text:
            raise SamplesError(f"{name} is not text: it has NUL characters")
        text, said, ignored = _without_sep(text)
        delimiter = delimiter or said or _delimiter(text)
        every = list(_lines(text, name, delimiter))
        lines = [line for line in every if not _is_comment(line)]
        if not lines:
            raise SamplesError(f"{name} is empty: it should have a sample on each line")
        _check_lengths(lines, name, delimiter)
        if comments := [line for line in every if _is_comment(line)]:
            _check_comments(comments, lines[0], name)
            ignored.append("comments in " + listed_lines([line.number for line in comments]))
        first, last = _outer_columns(lines)
        empty = [*range(1, first), *range(last + 1, len(lines[0].cells) + 1)]
        ignored += [f"column {place}, which is empty in every line" for place in empty]
        lines = [Line(number, cells[first - 1 : last]) for number, cells in lines]
        return cls(name, lines, delimiter, first, tuple(ignored))

    def table(self, *, header: bool) -> Table:
        """The table with the names of the first line, or with numbers for names.

        A first column without a name numbers or names the lines, as pandas and R write it, and is ignored:
        its cells all differ, and they are no decimals.

        Raises:
            SamplesError: there is no line below the names, or one is missing or twice there.
        """
        lines, ignored = self.lines, self.ignored
        if not header:
            numbers = {str(self.first + place): place for place in range(len(lines[0].cells))}
            return Table(self.name, numbers, lines, header, self.delimiter, ignored)
        columns, lines = tuple(lines[0].cells), lines[1:]
        if not lines:
            raise SamplesError(f"{self.name} has names of columns and no samples below them")
        if not columns[0] and _names_lines([line.cells[0] for line in lines]):
            ignored += (f"column {self.first}, which has no name and one for each line",)
            columns = columns[1:]
            lines = [Line(number, cells[1:]) for number, cells in lines]
        if "" in columns:
            place = self.lines[0].cells.index("", len(self.lines[0].cells) - len(columns))
            raise SamplesError(
                f"{self.name}: column {self.first + place} has no name: give it one in the first line"
            )
        if twice := next((each for each, count in Counter(columns).items() if count > 1), None):
            raise SamplesError(
                f"{self.name} has two columns {visible(twice)!r}: call one otherwise"
            )
        places = {name: place for place, name in enumerate(columns)}
        return Table(self.name, places, lines, header, self.delimiter, ignored)

    def is_headed(self) -> bool:
        """Whether the first line is no sample for sure: a word stands above a column of numbers.

        So it does where files were joined and the names come again; then that line is the one to refuse.
        """
        first = self.lines[0].cells
        others = (line.cells for line in self.lines if line.cells != first)
        columns = zip(first, *others, strict=True)
        return any(
            is_word(first) and all(map(is_number, present))
            for first, *below in columns
            if (present := [cell for cell in below if not is_missing(cell)])
        )

    def begins_with_words(self) -> bool:
        """Whether there is a word in the first line, and no value is missing there."""
        first = self.lines[0].cells
        return any(map(is_word, first)) and not any(map(is_missing, first))

    def may_be_headed(self) -> bool:
        """Whether the first line may have the names, by its form alone.

        Names differ, and are words or whole numbers.  A word that comes again below it is no name but a
        class.  Whole numbers alone may be names where they count 0, 1, 2, ... or years and no line below
        does so, or where there are no whole numbers below.
        """
        first, *below = (line.cells for line in self.lines)
        names = first[not first[0] :]  # the corner above numbers of lines has no name
        if len({*names}) < len(names) or not all(
            is_word(each) or each.isdecimal() for each in names
        ):
            return False
        words = [place for place, cell in enumerate(first) if is_word(cell)]
        if words:
            return not any(cells[place] == first[place] for cells in below for place in words)
        if _are_counted(names):
            return not any(_are_counted(cells[-len(names) :]) for cells in below)
        return bool(below) and not any(_is_whole(cell) for cells in below for cell in cells)


def decode(data: bytes, name: str) -> str:
    r"""The text of a file in UTF-8, or in what its byte order mark says.

    Raises:
        SamplesError: it is not text, naming the line.

    >>> decode("a,b\n1,2\n".encode("utf-16"), "data.csv")
    'a,b\n1,2\n'
    """
    mark, encoding = next(
        (each for each in _BYTE_ORDER_MARKS if data.startswith(each[0])), (b"", "utf-8")
    )
    try:
        return data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, len(mark) + error.start) + 1
        raise SamplesError(
            f"{name!r} is not text in {encoding.upper()}: save the table as CSV in UTF-8 "
            f"(line {line})"
        ) from None


def called(delimiter: str) -> str:
    """How messages call a delimiter.

    >>> called(";"), called(" ")
    ("';'", 'blanks')
    """
    return {"\t": "tabs", " ": "blanks"}.get(delimiter, f"'{delimiter}'")


def listed_lines(numbers: Sequence[int]) -> str:
    """Some numbers of lines, in words.

    >>> listed_lines([3]), listed_lines([*range(3, 15)])
    ('line 3', 'lines 3, 4, 5, 6, 7, 8, 9, 10, ... (12 lines)')
    """
    if len(numbers) == 1:
        return f"line {numbers[0]}"
    some = ", ".join(map(str, numbers[:8]))
    return f"lines {some}" + f", ... ({counted(len(numbers), 'line')})" * (len(numbers) > 8)


# ---- from text to lines


def _without_sep(text: str) -> tuple[str, str | None, list[str]]:
    """The text without a first line ``sep=;``, as Excel writes it; the delimiter there; what is ignored."""
    said = re.match(r'(\s*)"?sep=([^\w"\r\n])"?[ \t]*(?=[\r\n]|$)', text, re.IGNORECASE)
    if not said:
        return text, None, []
    # The end of the line stays, so that the others keep their numbers.
    return said[1] + text[said.end() :], said[2], [f"the line {said[0].strip()!r}"]


def _delimiter(text: str) -> str:
    """The first of `DELIMITERS` that parts all lines alike; if none does, the first that parts the first line.

    Not by likelihood, as ``csv.Sniffer`` does it, which takes the comma for ``1,5;2,5``: lines that are not
    parted alike are refused.
    """
    text = re.sub(r"[\r\n]{2,}", "\n", text).lstrip(
        "\n"
    )  # a file may be of empty lines, read again and again
    parting = [each for each in DELIMITERS if next(_sizes(text, each), 0) > 1]
    if len(parting) > 1:
        parting = [each for each in parting if each != " "]
    return next((each for each in parting if len({*_sizes(text, each)}) == 1), (*parting, ",")[0])


def _sizes(text: str, delimiter: str) -> Iterator[int]:
    """The numbers of cells of the lines; no more where the text is not written with this delimiter."""
    with suppress(SamplesError):
        for line in _lines(text, "", delimiter):
            if not _is_comment(line):
                yield len(line.cells)


def _lines(text: str, name: str, delimiter: str) -> Iterator[Line]:
    """The lines with something in them."""
    file = io.StringIO(text, newline="")
    reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True, strict=True)
    number = 1
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells] if cells else cells
            while delimiter == " " and stripped and not stripped[-1]:
                stripped.pop()  # blanks at the end of a line part nothing
            if any(stripped):
                yield Line(number, stripped)
            number = reader.line_num + 1
    except csv.Error as error:
        raise SamplesError(
            f"{name}, line {number}: {error}; a cell in quotes ends with one, and writes one in it twice"
        ) from None


def _is_comment(line: Line) -> bool:
    return line.cells[0].startswith("#") and not is_missing(line.cells[0])


def _check_lengths(lines: Sequence[Line], name: str, delimiter: str) -> None:
    size = len(lines[0].cells)
    for number, cells in lines:
        if len(cells) != size:
            one_more = all(len(line.cells) == size + 1 for line in lines[1:])
            last = ", the last of them empty" * (len(cells) == size + 1 and not cells[-1])
            way_out = "; if the first numbers the lines, give it a name too" * (
                one_more and not last
            )
            raise SamplesError(
                f"{name}, line {number}: {counted(len(cells), 'column')}{last}, where there are {size} "
                f"above, with {called(delimiter)} between them{way_out}"
            )


def _check_comments(comments: Sequence[Line], first: Line, name: str) -> None:
    """A comment above the table may have its names, as ``numpy.savetxt`` writes them."""
    for number, cells in comments:
        if number < first.number and len(cells) == len(first.cells):
            raise SamplesError(
                f"{name}, line {number}: this may be a comment, or the names of the columns: leave the "
                "line out, or write the names without #"
            )


def _outer_columns(lines: Sequence[Line]) -> tuple[int, int]:
    """The numbers of the first and the last column with something in it; there is one, in each line."""
    filled = [
        number
        for number, cells in enumerate(zip(*(line.cells for line in lines), strict=True), 1)
        if any(cells)
    ]
    return filled[0], filled[-1]


def _names_lines(cells: Sequence[str]) -> bool:
    """Whether there is one of them for each line, as numbers of lines, names and dates; decimals are data."""
    decimal = all(map(is_number, cells)) and not all(map(_is_whole, cells))
    return len({*cells}) == len(cells) and not decimal


def _is_whole(cell: str) -> bool:
    return bool(re.fullmatch("[-+]?[0-9]+", cell))


def _are_counted(cells: Sequence[str]) -> bool:
    """Whether they are 0, 1, 2, ... or years one after the other, as names of columns are."""
    if len(cells) < 2 or not all(re.fullmatch("[0-9]{1,4}", cell) for cell in cells):
        return False
    start = int(cells[0])
    counted_on = [*map(int, cells)] == [*range(start, start + len(cells))]
    return counted_on and (start == 0 or 1900 <= start < 2100)
