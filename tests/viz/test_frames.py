"""`viz.frames`: every picture shows its step, everything stays in its place, and the film moves."""

from __future__ import annotations

import io
import re
import sys
from fractions import Fraction
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import viz
from tinygrad_bp import DrawingError, Network, Value, tanh
from tinygrad_bp.graph import topological_order
from tinygrad_bp.steps import steps
from tinygrad_bp.text import format_number
from viz.style import LIGHT

SVG = "{http://www.w3.org/2000/svg}"


def example():
    a, b = Value(2.0, "a"), Value(-3.0, "b")
    c = a * b
    return (c + a) * c


@st.composite
def graphs(draw):
    pool = [Value(draw(st.floats(-3, 3)), f"x{place}") for place in range(2)]
    for _ in range(draw(st.integers(1, 3))):
        a, b = draw(st.sampled_from(pool)), draw(st.sampled_from([*pool, 2.5]))
        pool.append(draw(st.sampled_from([a.__add__, a.__mul__, a.__rsub__]))(b))
    return pool[-1]


@settings(max_examples=6)
@given(graphs())
def test_every_number_of_every_frame_is_that_of_the_record(read, card, e):
    film, record = viz.frames(e), steps(e)
    assert film.texts == [step.text() for step in record]
    for k, step in enumerate(record):
        picture = read(film[k])
        assert picture.nodes["caption14"] == [step.text()]
        assert picture.nodes["caption11"] == [f"{k + 1} / {len(record)}"]
        computed = {s.node for s in record[: k + 1] if s.kind == "forward"}
        for place, node in enumerate(topological_order(e)):
            texts = [text for text in picture.nodes[f"n{place}"] if text not in ("+", "−")]
            if node.op in ("+", "*"):  # its sign was taken for a segment's, or is after its name
                texts = [text for text in texts if text != node.op]
            shown = card(texts)
            known = not node.op or node in computed
            assert shown.data == (format_number(node.data) if known else "–")
            grad = format_number(record.at(k)[node]) if k >= record.seed else "–"
            assert shown.grad == grad


def test_the_edge_that_is_gone_down_is_lit_and_no_other(read):
    e = example()
    film = viz.frames(e)
    ids = {node: f"n{place}" for place, node in enumerate(topological_order(e))}
    for step in film.steps:
        picture = read(film[step.index])
        lit = [edge for edge in picture.edges if float(edge.line.get("stroke-width", 1)) == 4]
        if step.kind != "backward":
            assert lit == []
            continue
        (edge,) = lit
        assert (edge.tail, edge.head) == (ids[step.parent], ids[step.node])
        assert edge.line["stroke"] == (LIGHT.blue if step.contribution > 0 else LIGHT.orange)
        assert ("stroke-dasharray" in edge.line) == (step.contribution < 0)


def bars(picture, name):
    """The segments of a card's bar: width and colour."""
    found = []
    for polygon in picture.groups[name].iter(f"{SVG}polygon"):
        if polygon.get("fill") in (LIGHT.blue, LIGHT.orange):
            xs = [float(each.partition(",")[0]) for each in polygon.get("points").split()]
            found.append((max(xs) - min(xs), polygon.get("fill")))
    return found


def test_a_sum_grows_by_one_segment_for_each_contribution(read):
    a = Value(2.0, "a")
    e = a * 3 - a * a
    film = viz.frames(e)
    grown = [bars(read(picture), "n0") for picture in film]
    into = film.steps.into(a)
    assert [len(each) for each in grown] == [
        sum(step.index <= k for step in into) for k in range(len(film))
    ]
    last = grown[-1]
    assert [colour for _, colour in last] == [
        LIGHT.blue if step.contribution > 0 else LIGHT.orange for step in into
    ]
    gross = sum(abs(step.contribution) for step in into)
    for (width, _), step in zip(last, into, strict=True):
        assert width == pytest.approx(96 * abs(step.contribution) / gross, abs=2)


def test_everything_stays_where_it_is(read):
    film = viz.frames(tanh(example() / 7) ** 2)
    pictures = [read(picture) for picture in film]
    sizes = {(picture.root.get("width"), picture.root.get("viewBox")) for picture in pictures}
    assert len(sizes) == 1

    def places(picture):
        names = [
            text.text for group in picture.groups.values() for text in group.iter(f"{SVG}title")
        ]
        shapes = [
            re.sub(r"(-?\d+\.\d)\d*", r"\1", shape.get("d") or "")
            for key, group in picture.groups.items()
            for shape in group.findall(f"{SVG}path")
        ]
        return names, shapes

    assert all(places(picture) == places(pictures[0]) for picture in pictures)


def test_the_update_is_shown_where_asked_for(read, card):
    w = Value(3.0, "w")
    film = viz.frames(w * w, eta=0.5)
    texts = read(film[-1]).nodes["n0"]
    assert "0" in texts
    assert film.texts[-1].startswith("w: 3.0 + (-0.5 × 6.0) = 0.0")


def test_exact_numbers_stay_exact(read):
    x = Value(Fraction(1, 3), "x")
    assert "2/3" in read(viz.frames(x * x)[-1]).nodes["n0"]


def test_symbols_infinities_and_zeros_are_shown():
    sympy = pytest.importorskip("sympy")
    for number in (sympy.Symbol("s"), float("inf"), float("nan"), 0.0, Fraction(10) ** 400):
        x = Value(number, "x")
        assert b"</svg>" in viz.frames(x * x + x)[-1].pipe("svg")


def test_a_leaf_alone_has_a_film_of_its_seed():
    film = viz.frames(Value(1.0, "x"))
    assert film.texts == [film.steps[0].text()]
    assert "</svg>" in film.content(".svg")


def test_no_gradient_is_touched():
    e = example()
    viz.frames(e).content(".svg")
    assert {node.grad for node in topological_order(e)} == {0}


def test_a_pass_too_long_to_be_watched_is_refused():
    with pytest.raises(DrawingError, match="has 10 steps, more than max_steps=9"):
        viz.frames(example(), max_steps=9)
    with pytest.raises(TypeError, match="frames takes a Value"):
        viz.frames(3.0)
    with pytest.raises(TypeError, match=r"not Run .*: give its error, run\.e"):
        viz.frames(Network.random([1, 1], seed=0).forward([1.0], [0.0]))


# ---- moving


def test_the_moving_svg_shows_one_frame_at_a_time_and_the_last_where_nothing_moves():
    film = viz.frames(example())
    svg = film.content(".svg")
    root = ET.fromstring(svg)
    frames = [group for group in root if "frame" in group.get("class", "")]
    assert len(frames) == len(film)
    total = sum(film.durations)
    style = "".join(each.text for each in root.iter(f"{SVG}style"))
    start = 0
    for frame, duration, text in zip(frames, film.durations, film.texts, strict=True):
        assert frame.get("style") == f"animation-delay:{start - total}ms"
        start += duration
        _, name, *_ = frame.get("class").split()
        share = re.search(rf"@keyframes {name}\{{0%\{{visibility:visible\}}([\d.]+)%", style)[1]
        assert float(share) == pytest.approx(100 * duration / total, abs=0.001)
        assert f".{name}{{animation:{name} {total}ms step-end infinite}}" in style
        assert text in [each.text.replace("\xa0", " ") for each in frame.iter(f"{SVG}text")]
    assert [frame.get("class").endswith("last") for frame in frames] == [False] * 9 + [True]
    assert ".frame{visibility:hidden}.last{visibility:visible}" in style
    assert "@media (prefers-reduced-motion: reduce){.frame{animation:none}}" in style
    assert "prefers-color-scheme: dark" in style
    assert "<script" not in svg
    ids = re.findall(r'\bid="', svg)
    assert ids == []
    assert root.get("aria-label") == "The backward pass of e, step by step"


def test_the_gif_has_every_frame_with_its_time():
    image = pytest.importorskip("PIL.Image")
    film = viz.frames(example())
    content = film.content(".gif")
    assert content.startswith(b"GIF89a")
    assert len(content) < 100_000
    moving = image.open(io.BytesIO(content))
    assert moving.n_frames == len(film)
    assert moving.info["loop"] == 0
    durations, pictures = [], set()
    for k in range(moving.n_frames):
        moving.seek(k)
        durations.append(moving.info["duration"])
        pictures.add(moving.convert("RGB").tobytes())
    assert durations == film.durations
    assert len(pictures) == len(film)


def test_a_gif_without_pillow_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(DrawingError, match=r"pip install 'tinygrad-bp\[gif\]', or save as \.svg"):
        viz.frames(example()).content(".gif")


def test_frames_are_saved_by_suffix_and_one_by_one(tmp_path, listing):
    film = viz.frames(example())
    viz.save(film, tmp_path / "a.svg")
    viz.save(film, tmp_path / "a.html")
    viz.save(film[3], tmp_path / "b.png")
    assert "animation" in (tmp_path / "a.html").read_text(encoding="utf-8")
    for suffix in (".png", ".dot", ".json", ".mmd", ".tex", ".pdf"):
        with pytest.raises(DrawingError, match=r"frames move in \.gif \.svg \.html"):
            viz.save(film, tmp_path / f"c{suffix}")
    assert listing() == ["a.html", "a.svg", "b.png"]
    assert [len(film[1:3]), len(list(film))] == [2, 10]
    with pytest.raises(IndexError):
        film[10]
