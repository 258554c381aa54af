"""Labels are data: whatever they hold is shown, and nothing of it becomes markup."""

from __future__ import annotations

import time
import unicodedata

import pytest
from depth import depth
from hostile import LABELS
from hypothesis import example, given, settings
from hypothesis import strategies as st

import viz
from tinygrad_bp import Value
from viz.labels import LIMIT, plain, shown
from viz.style import dark_css

anything = st.text(st.characters(codec=None), max_size=60) | st.lists(
    st.sampled_from(LABELS), max_size=3
).map("".join)


def one_row(text):
    """The text with the spaces as they are, which Graphviz writes in two ways."""
    return text.replace("\xa0", " ")


def check(svg, expected):
    assert one_row(svg.nodes["n0"][0]) == one_row(expected)
    assert list(svg.nodes) == ["n0"]
    assert not svg.edges
    tags = {element.tag.rpartition("}")[2] for element in svg.root.iter()}
    assert tags <= {"svg", "g", "title", "polygon", "path", "text", "style"}
    (style,) = svg.root.iter("{http://www.w3.org/2000/svg}style")
    assert style.text == f"@media (prefers-color-scheme: dark){{{dark_css()}}}"
    attributes = {key for element in svg.root.iter() for key in element.attrib}
    assert not {key for key in attributes if "href" in key or key.startswith("on")}
    for element in svg.root.iter():
        if element.get("class"):
            assert element.get("class") in ("graph", "node", "edge")
            assert element.get("id") in ("graph0", "node1")


@settings(max_examples=depth(300, by_default=50))
@given(anything.filter(bool))
def test_any_label_is_shown_and_nothing_more(read, text):
    picture = viz.draw(Value(1.0, text))
    picture.source.encode()
    check(read(picture), shown(text))


@settings(max_examples=depth(200, by_default=40))
@given(anything)
@example("<b>")
@example("&amp;")
@example(r"\N\l")
def test_any_text_of_an_ordinary_label_is_shown_and_nothing_more(read, text):
    picture = viz.Picture()
    picture.node("n0", plain(f"|{text}"))
    svg = read(picture)
    assert [one_row(each) for each in svg.nodes["n0"]] == [one_row(shown(f"|{text}"))]


def test_each_line_of_an_ordinary_label_is_a_line(read):
    picture = viz.Picture()
    picture.node("n0", plain("<a", r"b\n>"))
    assert read(picture).nodes["n0"] == ["<a", r"b\n>"]


@given(anything)
def test_nothing_invisible_is_shown(text):
    for character in shown(text):
        assert unicodedata.category(character)[0] != "C"
        assert unicodedata.category(character) not in ("Zl", "Zp")
    assert len(shown(text)) <= LIMIT


@given(st.text(st.characters(categories=["L", "M", "N", "P", "S", "Zs"]), max_size=LIMIT))
def test_ordinary_text_is_shown_as_it_is(text):
    assert shown(text) == text


@given(st.text(st.characters(categories=["L", "N", "P"]), min_size=LIMIT + 1))
def test_long_text_is_cut_where_it_can_be_seen(text):
    assert shown(text) == text[: LIMIT - 1] + "…"


@pytest.mark.parametrize(
    "character",
    [
        *"\0\x1b\x7f\x85\n\t\u061c\u200e\u200f\u2028\u2029\ud800\udfff\ufffe\uffff",
        *map(chr, range(0x202A, 0x202F)),
        *map(chr, range(0x2066, 0x206A)),
    ],
    ids=ascii,
)
def test_control_and_bidirectional_characters_are_named(character):
    assert shown(f"a{character}b") == f"aU+{ord(character):04X}b"


def test_a_named_character_is_not_cut_in_two():
    for room in range(3, 30):
        cut = shown("\0" * 10, limit=room)
        assert cut.rstrip("…").replace("U+0000", "") == ""
        assert len(cut) <= room


def test_an_astronomically_long_label_costs_nothing():
    e = Value(1.0, "x\0" * 10_000_000)
    start = time.perf_counter()
    assert len(viz.draw(e).source) < 2000
    assert time.perf_counter() - start < 1
