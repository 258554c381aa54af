"""Tables of text as samples, and the scales that their columns are read by."""

from __future__ import annotations

import csv
import io
import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_bp.errors import SamplesError
from tinygrad_bp.samples import Sample, Scale, iris_text, read_samples, scaled, scales, split

finite = st.floats(allow_nan=False, allow_infinity=False)


@given(
    rows=st.integers(2, 5).flatmap(
        lambda width: st.lists(st.tuples(*[finite] * width), min_size=1, max_size=6)
    ),
    delimiter=st.sampled_from(",;\t"),
    named=st.booleans(),
)
def test_what_was_written_is_read_to_the_last_bit(rows, delimiter, named):
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=delimiter)
    names = [f"column {place}" for place in range(len(rows[0]))]
    writer.writerows([names] * named + [[repr(each) for each in row] for row in rows])
    table = read_samples(file.getvalue())
    assert [(*each.x, *each.t) for each in table.rows] == rows
    assert not table.categorical
    assert (*table.inputs, *table.targets) == (
        tuple(names) if named else tuple(str(place + 1) for place in range(len(names)))
    )


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
    assert read_samples("a,k\n1,1\n2,1.0\n3,0\n", classes=True).targets == ("0", "1")
    assert read_samples("a,k\n1,1_0\n2,1_1\n").targets == ("1_0", "1_1")  # numbers to Python alone
    assert [each.t for each in numbers.rows] == [(0.0, 1.0), (1.0, 0.0)]


@pytest.mark.parametrize(
    ("text", "names", "count"),
    [
        ("country,2019,2020\n1,2,3\n", ("country", "2019", "2020"), 1),  # a word above a number
        ("0,1,kind\n5,6,7\n", ("0", "1", "kind"), 1),
        ("1,u\n2,v\n", ("1", "2"), 2),  # a word above words
        ("1,2\n3,4\n", ("1", "2"), 2),
        ("a,kind\n1,u\n2,v\n", ("a", "kind"), 2),
    ],
)
def test_the_first_line_is_names_where_a_word_stands_above_numbers(text, names, count):
    table = read_samples(text)
    assert (len(table.rows), table.inputs) == (count, names[:-1])
    assert table.categorical or table.targets == names[-1:]


@pytest.mark.parametrize(
    ("text", "inputs"),
    [("1;2\n", ("1",)), ("1\t2\n", ("1",)), ("1,2\n", ("1",)), ('"x;y",b\n1,2\n', ("x;y",))],
)
def test_what_parts_the_columns_is_seen(text, inputs):
    assert read_samples(text).rows == (Sample((1.0,), (2.0,)),)
    assert read_samples(text).inputs == inputs


def test_what_spreadsheets_write_is_read():
    """Blank lines, spaces, quotes, Windows' line ends, a name with a line end in it."""
    text = 'a ,"the\ntarget"\r\n\r\n 1, "2"\r\n,\r\n"3",4\r\n'
    table = read_samples(text)
    assert (table.inputs, table.targets) == (("a",), ("the\ntarget",))
    assert table.rows == (Sample((1.0,), (2.0,)), Sample((3.0,), (4.0,)))


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, "data.csv is empty: it should have a sample on each line"),
        ("\n \n", {}, "data.csv is empty"),
        ("a,b\n", {}, "data.csv has names of columns and no samples below them"),
        ("a,a\n1,2\n", {}, "data.csv has two columns 'a'"),
        ("a,b\n1,2\n1,2,3\n", {}, "data.csv, line 3: 3 columns, where there are 2 above"),
        ("a,b\n\n1,2\nx,2\n", {}, "data.csv, line 4, column a: 'x' is not a finite number"),
        ("a,b\n,2\n", {}, "data.csv, line 2, column a: '' is not a finite number"),
        ("a,b\nnan,2\n", {}, "data.csv, line 2, column a: 'nan' is not a finite number"),
        ("a,b\n1,inf\n", {}, "data.csv, line 2, column b: 'inf' is not a finite number"),
        (
            "a,b\n1,2\n",
            {"targets": ["c"]},
            "data.csv: there is no column 'c'; its columns are a, b",
        ),
        ("a,b\n1,2\n", {"inputs": ["b"]}, "'b' is chosen twice; its columns are a, b"),
        ("a,b\n1,2\n", {"inputs": ["a", "a"]}, "'a' is chosen twice"),
        (",b\n1,2\n", {}, "data.csv: column 1 has no name"),
        ("?,2\n3,4\n", {}, "data.csv, line 1, column 1: '?' is not a finite number"),
        ("1,NA\n3,4\n", {}, "data.csv, line 1, column 2: 'NA' is not a finite number"),
        ("a,k\n1,2_1\n2,3\n", {}, "data.csv, line 2, column k: '2_1' is not a finite number"),
        ("1,1\n2,1.0\n", {"classes": True}, "all are of one class, '1', and nothing is"),
        ("a,b,\n1,2,\n", {}, "data.csv: column 3 has no name"),
        (
            "a,y\n1,13\n2,?\n",
            {},
            "line 3, column y: '?' is not a finite number: leave the line out, or",
        ),
        (
            "a,y\n1,NA\n2,3\n",
            {},
            "line 2, column y: 'NA' is not a finite number: leave the line out, or",
        ),
        (
            "a;y\n1;2,5\n2;3,5\n",
            {},
            "column y: '2,5' is not a finite number: write it with a point",
        ),
        (
            "a;y\n1,5;2\n",
            {},
            "line 2, column a: '1,5' is not a finite number: write it with a point",
        ),
        ("a,b\n1,2\n", {"targets": ["a", "b"]}, "there is no input; its columns are a, b"),
        ("1\n2\n", {}, "there is no input; its columns are 1"),
        ("1,u\n2,u\n", {}, "data.csv, column 2: all are of one class, 'u'"),
        ("1,u\n2,\n", {}, "data.csv, line 2, column 2: there is no class"),
        ("1,2,3\n", {"targets": ["1", "2"], "classes": True}, "classes are of one column, not of"),
        ("a,b,c\n1,2,u\n", {"targets": ["b", "c"]}, "column c: 'u' is not a finite number"),
        ('a,b\n1,"2\n', {}, "data.csv, line 2: unexpected end of data"),
    ],
)
def test_what_is_no_table_of_numbers_is_refused_with_its_place(text, options, message):
    with pytest.raises(SamplesError) as caught:
        read_samples(text, name="data.csv", **options)
    assert message in str(caught.value)


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
