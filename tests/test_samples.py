"""Tables of text as samples, and the scales that their columns are read by."""

from __future__ import annotations

import codecs
import csv
import io
import re
import time
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_bp.errors import SamplesError
from tinygrad_bp.network.delimited import decode, is_infinite, is_missing
from tinygrad_bp.network.samples import (
    MOST_CLASSES,
    Sample,
    Scale,
    iris_text,
    read_samples,
    scaled,
    scales,
    split,
)

finite = st.floats(allow_nan=False, allow_infinity=False)
BOTH = "line 1: names of columns or a sample, both are possible: say --header or --no-header"


def written(rows, **dialect):
    """The rows as text in a dialect of ``csv``."""
    file = io.StringIO(newline="")
    csv.writer(file, **dialect).writerows(rows)
    return file.getvalue()


DIALECTS = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from(",;\t| "),
        "quoting": st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
        "lineterminator": st.sampled_from(["\n", "\r\n", "\r"]),
    }
)


def rows_of(cells, least=2):
    return st.integers(least, 5).flatmap(
        lambda width: st.lists(st.tuples(*[cells] * width), min_size=1, max_size=6)
    )


@given(rows_of(finite), DIALECTS, st.booleans(), st.sampled_from(["", "\ufeff"]))
def test_what_was_written_is_read_to_the_last_bit(rows, dialect, named, mark):
    names = [f"column {place}" for place in range(len(rows[0]))]
    text = written([names] * named + [[repr(each) for each in row] for row in rows], **dialect)
    table = read_samples(mark + text)
    assert [(*each.x, *each.t) for each in table.rows] == rows
    assert not table.categorical
    assert (table.header, table.delimiter) == (named, dialect["delimiter"])
    assert (*table.inputs, *table.targets) == (
        tuple(names) if named else tuple(str(place + 1) for place in range(len(names)))
    )


@given(st.lists(st.tuples(finite, st.text(max_size=5)), min_size=1, max_size=6), DIALECTS)
def test_classes_are_the_text_that_was_written_or_refused(rows, dialect):
    text = written([("x", "y"), *((repr(x), label) for x, label in rows)], **dialect)
    options = {"header": True, "delimiter": dialect["delimiter"], "classes": True}
    labels = [label.strip() for _, label in rows]
    if any(map(is_missing, labels)) or any(map(is_infinite, labels)) or "\0" in text:
        with pytest.raises(SamplesError):
            read_samples(text, **options)
        return
    if len({*labels}) == 1:
        with pytest.raises(SamplesError, match="all are of one class"):
            read_samples(text, **options)
        return
    table = read_samples(text, **options)
    assert {*table.targets} == {*labels}
    assert [(*each.x, table.targets[each.t.index(1)]) for each in table.rows] == [
        (x, label) for (x, _), label in zip(rows, labels, strict=True)
    ]
    assert table.counts == Counter(labels)


MARKERS = ["nan", "NA", "?", "-", "null"]
LIKE_NUMBERS = ["1,5", "1,234", "10%", "$1", "2020-01-01", "5kg", "0x10", "1_000", "1e400", "-inf"]
NUMBERS = ["0", "1", "2", "2019", "-3", "0.5", "1e3"]


@given(
    rows_of(st.sampled_from([*NUMBERS, *NUMBERS, *MARKERS, *LIKE_NUMBERS, "u", "v", "a b"])),
    st.sampled_from([None, None, True, False]),
    st.booleans(),
    st.booleans(),
)
def test_each_line_is_its_sample_or_left_out_where_asked_or_the_table_is_refused(
    rows, header, skip, classes
):
    options = {"header": header, "classes": classes, "missing": "skip" if skip else "refuse"}
    try:
        table = read_samples(written(rows), delimiter=",", **options)
    except SamplesError:
        return
    assert table.header == header or header is None
    lines = dict(enumerate(rows, 1))
    if table.header:
        assert (*table.inputs, *table.targets) == lines.pop(1) or table.categorical
    left_out = [number for number, row in lines.items() if {*row} & {*MARKERS}]
    assert [*table.left_out] == left_out
    assert skip or not left_out
    kept = [row for number, row in lines.items() if number not in left_out]
    if table.categorical:
        assert classes or not {cells[-1] for cells in kept} & {*NUMBERS, *LIKE_NUMBERS}
        t = [tuple(float(row[-1] == each) for each in table.targets) for row in kept]
    else:
        t = [(float(row[-1]),) for row in kept]
    assert [*table.rows] == [
        Sample(tuple(map(float, row[:-1])), t) for row, t in zip(kept, t, strict=True)
    ]


def test_columns_are_chosen_by_name_in_the_order_asked_for():
    text = "id,a,b,c\n7,1,2,3\n8,4,5,6\n"
    table = read_samples(text, inputs=["c", "a"], targets=["b"])
    assert table.rows == (Sample((3.0, 1.0), (2.0,)), Sample((6.0, 4.0), (5.0,)))
    both = read_samples(text, targets=["b", "a"])
    assert (both.inputs, both.rows[1]) == (("id", "c"), Sample((8.0, 6.0), (5.0, 4.0)))


def test_classes_are_in_the_order_of_their_names_and_one_each():
    """Whatever the order of the rows: a network that was saved is of use for them in another."""
    table = read_samples("1,dog\n2,cat\n3,dog\n")
    assert (table.targets, table.categorical) == (("cat", "dog"), True)
    assert [each.t for each in table.rows] == [(0.0, 1.0), (1.0, 0.0), (0.0, 1.0)]
    numbers = read_samples("a,kind\n1,10\n2,9\n", classes=True)
    assert numbers.targets == ("9", "10")
    assert [each.t for each in numbers.rows] == [(0.0, 1.0), (1.0, 0.0)]


@pytest.mark.parametrize(
    "labels",
    [
        ("0", "1", "1.0"),
        ("9007199254740992", "9007199254740993"),
        ("01", "1"),
        ("1_0", "10"),
        ("Setosa", "setosa"),
        ("1e-400", "0"),
        ("\u00e9", "e\u0301"),
    ],
)
def test_classes_are_compared_as_text(labels):
    table = read_samples("a,k\n" + "".join(f"1,{each}\n" for each in labels), classes=True)
    assert {*table.targets} == {*labels}
    assert table.counts == dict.fromkeys(table.targets, 1)


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "nan",
        "NaN",
        "-nan",
        "NA",
        "n/a",
        "<NA>",
        "#N/A",
        "null",
        "None",
        "?",
        "-",
        "--",
        ".",
        "NaT",
    ],
)
@pytest.mark.parametrize("column", ["a", "k"])
@pytest.mark.parametrize("classes", [True, False])
def test_what_is_missing_is_refused_with_its_line_or_left_out_where_asked(cell, column, classes):
    lines = ["0,0", f"{cell},1" if column == "a" else f"1,{cell}", "2,1"]
    text = "b,a,k\n" + "".join(f"7,{line}\n" for line in lines)
    with pytest.raises(
        SamplesError, match=f"line 3, column {column}: .* is a missing value: leave"
    ):
        read_samples(text, classes=classes)
    table = read_samples(text, classes=classes, missing="skip")
    assert table.left_out == (3,)
    assert [each.x for each in table.rows] == [(7.0, 0.0), (7.0, 2.0)]
    assert table.targets == (("0", "1") if classes else ("k",))
    assert table.reading().endswith("ignored: line 3, where a value is missing")
    other = "k" if column == "a" else "a"  # in a column that is not chosen nothing is missing
    assert len(read_samples(text, inputs=["b"], targets=[other]).rows) == 3


@pytest.mark.parametrize("cell", ["inf", "-Infinity", "1e400"])
def test_what_is_beyond_all_numbers_is_no_class(cell):
    with pytest.raises(SamplesError, match=rf"line 3, column k: '{cell}' is no class"):
        read_samples(f"a,k\n1,u\n2,{cell}\n", classes=True)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("9007199254740993", "no float is this whole number: the nearest is 9007199254740992"),
        ("-9007199254740993.0", "the nearest is -9007199254740992"),
        ("1" + "0" * 400, "it is beyond the largest float"),
        ("1e400", "it is beyond the largest float"),
        ("-0.1e-400", "it is below the smallest float"),
    ],
)
def test_a_number_that_a_float_would_change_is_refused(cell, reason):
    with pytest.raises(SamplesError, match=f"line 3, column a: .* would be changed: .*{reason}"):
        read_samples(f"a,y\n1,2\n{cell},3\n")


def test_decimals_are_the_nearest_float_as_everywhere():
    cells = [
        "0.1",
        "3.14159265358979323846264338327950288",
        "1e23",
        "0e-999",
        "-0.0",
        "007",
        "5.",
        "+.5",
    ]
    table = read_samples("a,y\n" + "".join(f"{cell},0\n" for cell in cells))
    assert [each.x[0] for each in table.rows] == [*map(float, cells)]


# ---- names or a sample


@pytest.mark.parametrize(
    "text",
    [
        "0,1,label\n5.1,3.5,setosa\n6.3,3.3,virginica\n",
        "0,1,label\n5.1,3.5,setosa\n4.9,3.0,setosa\n",
        "400,410,kind\n0.1,0.2,u\n0.3,0.4,v\n",
        "1,u\n2,v\n",
        "2019,2020,2021\n1,2,3\n4,5,6\n",
        "0,1,2,3\n5.1,3.5,1.4,0\n4.9,3.0,1.4,1\n",
        "400,410\n0.1,0.2\n0.3,0.4\n",
        "# a comment\n\n0,1\n5.1,3.5\n",
    ],
)
def test_where_the_first_line_may_be_both_it_is_said_or_refused(text):
    with pytest.raises(
        SamplesError,
        match=r"line \d: names of columns or a sample, both are possible: say --header or --no-header",
    ):
        read_samples(text)
    first = next(line for line in text.splitlines() if line[:1] not in ("", "#")).split(",")
    if text != "1,u\n2,v\n" and "4.9,3.0,setosa" not in text:  # one class is left
        assert [*read_samples(text, header=True).inputs] == first[:-1]
    sample = read_samples(text, header=False)
    assert sample.rows[0].x == tuple(map(float, first[:-1]))
    assert not sample.header


@pytest.mark.parametrize(
    "first",
    [
        *(
            '"1,5","2,5"',
            '"1,234","2,345"',
            "1 234,5 678",
            "10%,20%",
            "$1,$2",
            "US$1,US$2",
            "€ 5,€ 6",
        ),
        *("2020-01-01,2020-01-02", "12:30,13:00", "5kg,6kg", "1st,2nd", "½,¼", "１,２", "−1,−2"),
        *("0x10,0x20", "1_000,2_000", "1d5,2d5", "inf,-inf", "1e400,2", "nan,NA", "5,NA"),
    ],
)
def test_a_first_line_that_may_be_a_sample_is_not_lost_to_names(first):
    text = f"{first}\n3,4\n5,7\n"
    with pytest.raises(SamplesError, match=r"^d.csv, line 1, column \d: .*--header or --no-header"):
        read_samples(text, name="d.csv")
    assert len(read_samples(text, header=True).rows) == 2
    with pytest.raises(SamplesError, match=r"^d.csv, line 1, column"):
        read_samples(text, name="d.csv", header=False)


@pytest.mark.parametrize(
    ("text", "names", "count"),
    [
        ("country,2019,2020\n1,2,3\n", ("country", "2019", "2020"), 1),  # a word above a number
        ("0,1,kind\n5,6,7\n", ("0", "1", "kind"), 1),
        ("Na,RI\n1,2\n", ("Na", "RI"), 1),  # sodium
        ("x,10%\n1,2\n", ("x", "10%"), 1),
        ("a,kind\n1,u\n2,v\n", ("a", "kind"), 2),
        ("a,kind\n?,3\n2,4\n", ("a", "kind"), 1),
        ("1,2\n3,4\n", ("1", "2"), 2),
        ("1,2\n2,4\n3,6\n", ("1", "2"), 3),
        ("0,0,0\n0,1,1\n", ("1", "2", "3"), 2),
        ("5.1,u\n4.9,v\n", ("1", "2"), 2),  # 5.1 is no name
        ("1,u\n2,v\n3,u\n", ("1", "2"), 3),  # u is a class
    ],
)
def test_the_first_line_is_names_or_a_sample_where_only_one_is_possible(text, names, count):
    table = read_samples(text, missing="skip")
    assert (len(table.rows), table.inputs) == (count, names[:-1])
    assert table.categorical or table.targets == names[-1:]
    assert table.header == (names[0] != "1")


def test_a_column_that_is_asked_for_by_name_has_one():
    text = "10%,20%\n3,4\n5,6\n"
    assert read_samples(text, inputs=["10%"]).rows[0] == Sample((3.0,), (4.0,))


# ---- what stands between columns


@pytest.mark.parametrize(
    ("text", "delimiter", "inputs"),
    [
        ("1;2\n", ";", ("1",)),
        ("1\t2\n", "\t", ("1",)),
        ("1,2\n", ",", ("1",)),
        ("1 | 2\n", "|", ("1",)),
        ("  1   2 \n", " ", ("1",)),
        ("a b\n1 2  \n", " ", ("a",)),  # blanks at the end of one line
        ("a b\n 1  2\n", " ", ("a",)),
        ('"x;y",b\n1,2\n', ",", ("x;y",)),
        ("x;y,b\n1,2\n", ",", ("x;y",)),  # a semicolon in a name parts no other line
        ("petal length,petal width\n1,2\n", ",", ("petal length",)),
        ("sep=;\na,1;b\n1;2\n", ";", ("a,1",)),
        ('\ufeff"SEP=|"\r\na|b\r\n1|2\r\n', "|", ("a",)),
        ("sep=\t\n1\t2\n", "\t", ("1",)),
    ],
)
def test_what_parts_the_columns_is_seen(text, delimiter, inputs):
    table = read_samples(text)
    assert table.rows == (Sample((1.0,), (2.0,)),)
    assert (table.inputs, table.delimiter) == (inputs, delimiter)


def test_what_parts_the_columns_is_said():
    text = "1,a;b\n2,a;b\n3,c;d\n"
    with pytest.raises(
        SamplesError, match=r"'1,a' is not .* with ';' between columns: .* --delimiter"
    ):
        read_samples(text)
    assert read_samples(text, delimiter=",").targets == ("a;b", "c;d")
    assert read_samples("sep=;\na:b\n1:2\n", delimiter=":").inputs == ("a",)
    for strange in ("", "ab", "1", '"', "\n"):
        with pytest.raises(SamplesError, match="a delimiter is one sign"):
            read_samples(text, delimiter=strange)


@pytest.mark.parametrize(
    ("text", "ignored"),
    [
        ("sep=,\na,b\n1,2\n3,4\n", "the line 'sep=,'"),
        ("a,b,\n1,2,\n3,4,\n", "column 3, which is empty in every line"),
        (
            "| a | b |\n| 1 | 2 |\n| 3 | 4 |\n",
            "column 1, which is empty in every line; column 4, which",
        ),
        ("# by hand\na,b\n1,2\n#5,6\n3,4\n", "comments in lines 1, 4"),
        (",a,b\n0,1,2\n1,3,4\n", "column 1, which has no name and one for each line"),
        (",a,b\n7,1,2\n-3,3,4\n", "column 1, which has no name and one for each line"),
        ('"",a,b\n"one",1,2\n"two",3,4\n', "column 1, which has no name and one for each line"),
        (",a,b\n2024-01-01,1,2\n2024-01-02,3,4\n", "column 1, which has no name and one"),
    ],
)
def test_what_is_ignored_is_told(text, ignored):
    table = read_samples(text)
    assert table.inputs == ("a",)
    assert table.rows == (Sample((1.0,), (2.0,)), Sample((3.0,), (4.0,)))
    assert f"ignored: {ignored}" in table.reading()


@pytest.mark.parametrize(
    "text",
    [
        ",a,b\n3.2,1,2\n1.7,3,4\n",  # decimals measure something
        ",a,b\n0,1,2\n1.5,3,4\n",
        ",a,b\n0,1,2\n0,3,4\n",
    ],
)
def test_a_column_of_data_is_not_ignored_for_want_of_a_name(text):
    with pytest.raises(SamplesError, match="column 1 has no name: give it one"):
        read_samples(text)
    assert read_samples("c" + text).inputs == ("c", "a")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # As R writes them: write.csv2, and write.table with its names of rows.
        ('"";"a";"b"\n"1";1,5;2,5\n"2";3,5;4,5\n', "line 2, column a: '1,5' .*if 1.5 is meant"),
        ('"a" "b"\n"1" 1 2\n"2" 3 4\n', "line 2: 3 columns, .* 2 above.*give it a name too"),
        ('a,k\n1,"x\\"y"\n2,z\n', "line 2: .* a cell in quotes ends with one"),
        ('a,k\n"1,2\n', "line 2: .* a cell in quotes ends with one"),
    ],
)
def test_what_other_programs_write_is_refused_with_the_true_reason(text, message):
    with pytest.raises(SamplesError, match=message):
        read_samples(text)


def test_names_of_samples_are_no_classes():
    """They would take a number for each pair of lines: of a file of some megabytes, all memory."""
    lines = [f"{place},n{place}\n" for place in range(MOST_CLASSES)]
    table = read_samples("a,k\n" + "".join(lines))
    assert len(table.targets) == MOST_CLASSES
    assert {sum(each.t) for each in table.rows} == {1.0}
    assert all(table.targets[each.t.index(1.0)] == f"n{each.x[0]:.0f}" for each in table.rows)
    with pytest.raises(SamplesError, match=r"column k has 1001 different words, .*--targets"):
        read_samples("a,k\n" + "".join(lines) + "0,another\n")


@pytest.mark.parametrize(
    "text",
    [
        ",".join(f"c{place}" for place in range(50_000)) + "\n" + "1," * 49_999 + "1\n",
        "\n" * 2_000_000 + "1,2\n",
    ],
    ids=["columns", "empty lines"],
)
def test_a_large_table_is_read_in_time(text):
    before = time.process_time()
    assert len(read_samples(text).rows) == 1
    assert time.process_time() - before < 5  # it was a minute


def test_columns_keep_their_numbers_where_outer_ones_are_empty():
    assert read_samples(",5,6\n,7,9\n").inputs == ("2",)


@pytest.mark.parametrize(
    "text",
    [
        ",0,1\n0,5.1,3.5\n1,4.9,3.0\n",  # as pandas writes a table of NumPy
        ",0,label\n0,5.1,u\n1,4.9,v\n",
    ],
)
def test_an_empty_cell_in_the_corner_may_be_an_index_or_missing(text):
    for missing in ("refuse", "skip"):
        with pytest.raises(SamplesError, match="--header or --no-header"):
            read_samples(text, missing=missing)
    assert [each.x for each in read_samples(text, header=True).rows] == [(5.1,), (4.9,)]


def test_what_spreadsheets_write_is_read():
    """Blank lines, spaces, quotes, Windows' line ends, a name with a line end in it."""
    text = 'a ,"the\ntarget"\r\n\r\n 1, "2"\r\n,\r\n"3",4\r\n'
    table = read_samples(text)
    assert (table.inputs, table.targets) == (("a",), ("the\ntarget",))
    assert table.rows == (Sample((1.0,), (2.0,)), Sample((3.0,), (4.0,)))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_file_is_decoded_by_its_byte_order_mark(encoding):
    assert decode("a,größe\n1,2\n".encode(encoding), "data.csv") == "a,größe\n1,2\n"
    assert decode(codecs.BOM_UTF16_BE + "a".encode("utf-16-be"), "data.csv") == "a"


def test_a_file_that_is_no_text_is_refused_with_its_line():
    message = r"^'data.csv' is not text in UTF-8: save the table as CSV in UTF-8 \(line 2\)$"
    with pytest.raises(SamplesError, match=message):
        decode("a\ngröße\n".encode("latin-1"), "data.csv")
    with pytest.raises(SamplesError, match="is not text: it has NUL characters"):
        read_samples("a,b\n1,2\n".encode("utf-16-le").decode())


@pytest.mark.parametrize(
    ("cell", "advice"),
    [
        ("1,5", "if 1.5 is meant, write that"),
        ("1,234", "if 1.234 or 1234 is meant, write that"),
        ("0,234", "if 0.234 is meant, write that"),
        ("-1,234,567.5", "if -1234567.5 is meant, write that"),
        ("1.234,5", "if 1234.5 is meant, write that"),
        ("1 234", "if 1234 is meant, write that"),
        ("1\xa0234,5", "if 1234.5 is meant, write that"),
        ("1\u202f234", "if 1234 is meant, write that"),
        ("1'234", "if 1234 is meant, write that"),
        ("inf", "leave the line out"),
        ("1,2,3", "write it so, or choose other inputs with --inputs"),
        ("1,,5", "write it so, or choose"),
        ("2020-01-01", "write it so, or choose"),
        ("0x10", "write it so, or choose"),
        ("1_000", "write it so, or choose"),
        ("१", "write it so, or choose"),
        ("x", "write it so, or choose"),
    ],
)
def test_advice_names_every_number_that_may_be_meant_and_no_other(cell, advice):
    with pytest.raises(SamplesError, match=r"^d.csv, line 2, column a: ") as caught:
        read_samples(f"a\ty\n{cell}\t3\n", name="d.csv")
    assert re.search(rf"is not a finite number[^:]*: {re.escape(advice)}", str(caught.value))


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, "data.csv is empty: it should have a sample on each line"),
        ("\n \n", {}, "data.csv is empty"),
        ("sep=;\n", {}, "data.csv is empty"),
        ("# nothing\n", {}, "data.csv is empty"),
        ("a,b\n", {}, "data.csv has names of columns and no samples below them"),
        ("a,a\n1,2\n", {}, "data.csv has two columns 'a'"),
        (
            "a,b\n1,2\n1,2,3\n",
            {},
            "data.csv, line 3: 3 columns, where there are 2 above, with ',' between them",
        ),
        ("a,b\n1,2,\n", {}, "line 2: 3 columns, the last of them empty, where there are 2 above"),
        ("\n\nsep=;\n\na;b\nx;2\n", {}, "data.csv, line 6, column a: 'x' is not"),
        ("a, b\n1, 2,\n", {}, "line 2: 3 columns, .* where there are 2 above, with ',' between"),
        ("a b\n1 2 3\n", {}, "line 2: 3 columns, where there are 2 above, with blanks between"),
        ("a,y\n1,2\na,y\n3,4\n", {}, "data.csv, line 3, column a: 'a' is not a finite number"),
        ("# a,b\n1,2\n", {}, "line 1: this may be a comment, or the names of the columns"),
        ("a,b\n\n1,2\nx,2\n", {}, "data.csv, line 4, column a: 'x' is not a finite number"),
        (
            'a,b\n1,2\n3,"x\ny"\n',
            {},
            "data.csv, line 3, column b: 'xU+000Ay' is not a finite number",
        ),
        (
            "a,b\n1,2\n",
            {"targets": ["c"]},
            "data.csv: there is no column 'c'; its columns are a, b",
        ),
        ("a,b\n1,2\n", {"inputs": ["b"]}, "'b' is chosen twice; its columns are a, b"),
        ("a,b\n1,2\n", {"inputs": ["a", "a"]}, "'a' is chosen twice"),
        (
            ",b\n1,2\n",
            {},
            "there is no input, .*; its columns are b; ignored: column 1",
        ),
        (",a,b\n5,1,2\n5,3,4\n", {}, "data.csv: column 1 has no name"),
        ("a,,b\n1,2,3\n", {}, "data.csv: column 2 has no name"),
        (",,b\n1,2,3\n", {}, "data.csv: column 2 has no name"),
        ("a,k\n1,2_1\n2,3\n", {}, "data.csv, line 2, column k: '2_1' is not a finite number"),
        ("a,k\n1,10%\n2,20%\n", {}, "column k: '10%' is not .* if it names a class, say --classes"),
        ("a,k\n1,u\n2,3\n", {}, "column k: 'u' is not .* if it names a class, say --classes"),
        ("a,b\n?,1\n1,NA\n", {"missing": "skip"}, "data.csv: a value is missing in every line"),
        ("a,b\n1,2\n", {"targets": ["a", "b"]}, "there is no input, .* its columns are a, b"),
        ("1\n2\n", {}, "there is no input, with ',' between columns: .*; its columns are 1"),
        ("1,u\n2,u\n", {}, "data.csv, column 2: all are of one class, 'u'"),
        ("1,2,3\n", {"targets": ["1", "2"], "classes": True}, "classes are of one column, not of"),
        ("a,b,c\n1,2,u\n", {"targets": ["b", "c"]}, "column c: 'u' is not .* choose other targets"),
        ('a,b\n1,"2\n', {}, "data.csv, line 2: unexpected end of data"),
        ("a,b\n1,2\n", {"missing": "drop"}, "missing is 'refuse' or 'skip', not 'drop'"),
    ],
)
def test_what_is_no_table_of_numbers_is_refused_with_its_place(text, options, message):
    with pytest.raises(SamplesError, match=message.replace("+", r"\+")):
        read_samples(text, name="data.csv", **options)


def test_fisher_s_flowers_are_as_he_printed_them():
    table = read_samples(iris_text())
    assert len(table.rows) == 150
    # Fisher's table I: the first flower of each species
    assert [table.rows[place].x for place in (0, 50, 100)] == [
        (5.1, 3.5, 1.4, 0.2),
        (7.0, 3.2, 4.7, 1.4),
        (6.3, 3.3, 6.0, 2.5),
    ]


@given(
    counts=st.lists(st.integers(1, 30), min_size=1, max_size=4),
    share=st.floats(0.01, 0.99),
    seed=st.integers(0, 99),
    by_target=st.booleans(),
)
def test_a_split_holds_out_the_share_and_trains_on_some_of_each_target(
    counts, share, seed, by_target
):
    rows = [
        Sample((float(k),), (float(kind),))
        for kind, count in enumerate(counts)
        for k in range(count)
    ]
    try:
        train, test = split(rows, share, seed, by_target=by_target)
    except SamplesError:
        parts = counts if by_target else [len(rows)]
        assert all(share * count <= 1 or count == 1 for count in parts)
        return
    assert sorted(train + test) == sorted(rows)
    assert (train, test) == split(rows, share, seed, by_target=by_target)
    if not by_target:
        assert len(test) == min(round(share * len(rows)), len(rows) - 1)
        return
    for kind, count in enumerate(counts):
        out = sum(each.t == (kind,) for each in test)
        assert out < count
        assert abs(out - share * count) <= 1


def test_a_split_is_drawn_and_another_for_another_seed():
    rows = [Sample((float(k),), (0.0,)) for k in range(40)]
    draws = [split(rows, 0.5, seed, by_target=False) for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]
    assert draws[0][1] != rows[:20]


def test_numbers_that_cannot_be_added_cannot_be_scaled():
    message = "numbers from -1e+308 to 1.5e+308 cannot be scaled: give them in another unit"
    with pytest.raises(SamplesError, match=re.escape(message)):
        scales([[1e308], [1.5e308], [-1e308]])


@pytest.mark.parametrize(
    "column", [[1.7e308, 1.7e308, -1.7e308], [float("inf"), 1.0], [1.0, float("nan")]]
)
def test_numbers_whose_distance_is_no_float_cannot_be_scaled(column):
    with pytest.raises(SamplesError, match="cannot be scaled"):
        Scale.of(column)


@pytest.mark.parametrize("share", [-0.1, 1, 1.5, float("nan")])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(SamplesError, match="at least 0 and less than 1"):
        split([Sample((1.0,), (1.0,))] * 3, share, 0, by_target=False)


@given(st.tuples(*[st.fractions()] * 3))
def test_a_scale_and_its_inverse_give_the_number_back(numbers):
    number, mean, std = numbers
    scale = Scale(mean, abs(std) + 1)
    assert scale.inverse(scale(number)) == scale(scale.inverse(number)) == number
    assert scale.inverse.inverse == scale
    assert scale(number) == Fraction(number - mean, abs(std) + 1)


def test_scaled_columns_have_mean_0_and_deviation_1_and_a_constant_one_stays_finite():
    rows = [Sample((1.0, 5.0), (10.0,)), Sample((3.0, 5.0), (30.0,))]
    x, t = scales(each.x for each in rows), scales(each.t for each in rows)
    assert scaled(rows, x, t) == [Sample((-1.0, 0.0), (-1.0,)), Sample((1.0, 0.0), (1.0,))]
    assert scaled(rows, x) == [Sample((-1.0, 0.0), (10.0,)), Sample((1.0, 0.0), (30.0,))]
    assert Scale.of([0.0, 1e-323]).std == 1.0  # one over it would be no number


@pytest.mark.parametrize("text", [3, None, b"1,2\n3,4\n", ["1,2"]])
def test_what_is_no_text_is_refused_as_no_table(text):
    with pytest.raises(SamplesError, match=r"^read_samples takes the text of a table, not "):
        read_samples(text)


@pytest.mark.parametrize("which", ["inputs", "targets"])
@pytest.mark.parametrize("columns", ["ab", [1], [None]])
def test_columns_are_chosen_by_a_list_of_names(which, columns):
    with pytest.raises(SamplesError, match=f"^{which} is a list of names of columns, not "):
        read_samples("a,b\n1,2\n3,4\n", **{which: columns})


def test_scales_of_numpy_integers_are_those_of_whole_numbers():
    columns = [(200, 100, 7), (255, 255, 0)]
    numpys = [tuple(map(np.uint8, column)) for column in columns]
    assert scales(zip(*numpys, strict=True)) == scales(zip(*columns, strict=True))
