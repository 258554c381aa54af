"""`viz.network`: the widths, signs and numbers are those of the sum over paths."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import viz
from tinygrad_bp import DrawingError, Network, TooManyPathsError
from tinygrad_bp.arithmetic import format_number
from tinygrad_bp.errors import NetworkError
from tinygrad_bp.paths import sweep

BLUE, ORANGE, BLACK, GREY = "#0072b2", "#d55e00", "#1f2328", "#d5d8db"
PALE = {"#cce3f0": BLUE, "#f7dfcc": ORANGE}
SMALL = str.maketrans("₀₁₂₃₄₅₆₇₈₉⁰¹²³⁴⁵⁶⁷⁸⁹⁽⁾", "01234567890123456789()")


def example(sizes=(2, 3, 3, 2), seed=3, activation="tanh"):
    net = Network.random(sizes, activation, seed)
    x = [0.8 - 0.7 * place for place in range(sizes[0])]
    t = [0.3 - 0.4 * place for place in range(sizes[-1])]
    return net.forward(x, t)


def circles(picture):
    """The circles by what they are: ``(layer, number)`` to the id and the number shown."""
    found = {}
    for name, texts in picture.nodes.items():
        if len(texts) == 2 and re.match(r"^[ox][₀-₉]", texts[0]):
            kind, number, layer = re.match(
                r"^([ox])(\d+)(?:\((\d+)\))?$", texts[0].translate(SMALL)
            ).groups()
            found[int(layer or 0), int(number)] = name, texts[1]
            assert (kind == "x") == (layer is None)
    return found


def lines(picture):
    """The coloured edges, by the nodes they join; and the halos beneath, by the same."""
    by_id = {name: node for node, (name, _) in circles(picture).items()}
    twins = sorted(
        {name for edge in picture.edges for name in (edge.tail, edge.head)} - set(by_id),
        key=lambda name: int(name[1:]),
    )
    by_twin = {f"n{place}": node for place, node in enumerate(sorted(by_id.values()))}
    assert set(twins) <= set(by_twin)
    above, beneath = {}, {}
    for edge in picture.edges:
        if edge.tail in by_id:
            key, found = (by_id[edge.tail], by_id[edge.head]), above
        else:
            key, found = (by_twin[edge.tail], by_twin[edge.head]), beneath
        assert key not in found
        found[key] = edge.line
    return above, beneath


def coordinates(line):
    return [float(each) for each in re.findall(r"-?[\d.]+", line["d"])]


def width(line):
    return float(line.get("stroke-width", 1))


def flows(run, i, j, k):
    """Net and gross of every edge, from the recorded graph and not from the terms."""
    w, e, sizes = run.network.w(i, j, k), run.e, run.network.sizes
    size = {"through": abs}
    found = {}
    for layer in range(i, len(sizes) - 1):
        for a in range(1, sizes[layer] + 1):
            for b in range(1, sizes[layer + 1] + 1):
                lower, upper = run.o(layer, a), run.o(layer + 1, b)
                net, gross = (
                    sweep(lower, **way).get(w, 0)
                    * sweep(upper, stop={lower}, **way).get(lower, 0)
                    * sweep(e, stop={upper}, **way).get(upper, 0)
                    for way in ({}, size)
                )
                if gross:
                    found[(layer, a), (layer + 1, b)] = net, gross
    return found


def table(picture):
    """The rows of the table: what and how much."""
    (texts,) = [texts for texts in picture.nodes.values() if texts[:2] == ["path", "term"]]
    return list(zip(texts[2::2], texts[3::2], strict=True))


@pytest.mark.parametrize("weight", [(1, 2, 1), (2, 3, 2), (3, 1, 3)])
@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
def test_widths_colours_and_dashes_are_those_of_the_sum(read, weight, activation):
    run = example(activation=activation, seed=5)
    picture = read(viz.network(run, weight=weight))
    above, beneath = lines(picture)
    i, j, k = weight
    chosen = above.pop(((i - 1, k), (i, j)))
    assert chosen["stroke"] == BLACK
    expected = flows(run, *weight)
    assert set(above) == set(expected)
    largest = max((gross for _, gross in expected.values()), default=1)
    for edge, (net, gross) in expected.items():
        assert above[edge]["stroke"] == (BLUE if net > 0 else ORANGE)
        assert ("stroke-dasharray" in above[edge]) == (net < 0)  # never by colour alone
        assert width(above[edge]) == pytest.approx(1.2 + 12.8 * abs(net) / largest, abs=0.01)
        assert PALE[beneath[edge]["stroke"]] == above[edge]["stroke"]
        assert width(beneath[edge]) == pytest.approx(3.2 + 12.8 * gross / largest, abs=0.01)
        ends = zip(*(coordinates(found[edge]) for found in (above, beneath)), strict=True)
        assert all(abs(a - b) < 1 for a, b in ends)  # exactly beneath
    sizes = run.network.sizes
    assert len(beneath) == sum(a * b for a, b in pairwise(sizes))
    assert all(beneath[edge]["stroke"] == GREY for edge in beneath if edge not in expected)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=2, max_size=5), st.integers(0, 9), st.data())
def test_every_number_is_the_engines(read, sizes, seed, data):
    run = example(sizes, seed)
    i = data.draw(st.integers(1, len(sizes) - 1))
    weight = i, *(data.draw(st.integers(1, size)) for size in (sizes[i], sizes[i - 1]))
    picture = read(viz.network(run, weight=weight))
    shown = circles(picture)
    assert set(shown) == {(m, n) for m, size in enumerate(sizes) for n in range(1, size + 1)}
    for node, (_, text) in shown.items():
        assert text == format_number(run.o(*node).data, 3)
    run.e.backward()
    gradient = run.network.w(*weight).grad
    rows = table(picture)
    assert rows[-1][0] == "Σ"
    assert float(rows[-1][1]) == pytest.approx(gradient, rel=1e-4)
    assert f"= {rows[-1][1]} =" in picture.title[0]
    terms = {
        "→".join(map(str, [weight[1], *reversed(term.indices)])): term.value
        for term in run.terms(*weight)
    }
    for path, text in rows[:12]:
        if path in terms:
            assert float(text) == pytest.approx(terms[path], rel=1e-4)
            assert text.startswith("-" if terms[path] < 0 else "+")
    texts = {text for texts in picture.nodes.values() for text in texts}
    for j in range(1, sizes[-1] + 1):
        error = 2 * (run.o(len(sizes) - 1, j).data - run.t(j).data)
        assert f"2(o−t) = {'+' * (error > 0)}{format_number(error, 3)}" in texts


def test_numbers_stand_on_their_edges(read, box_of):
    run = example()
    picture = read(viz.network(run, weight=(1, 2, 1)))
    where = circles(picture)
    middles = {node: middle(box_of(picture.groups[name])) for node, (name, _) in where.items()}
    for (a, b), (net, _) in flows(run, 1, 2, 1).items():
        text = f"{'+' * (net > 0)}{format_number(net, 3)}"
        boxes = [box_of(picture.groups[n]) for n, texts in picture.nodes.items() if texts == [text]]
        (x0, y0), (x1, y1) = middles[a], middles[b]
        distances = [abs(y0 + (y1 - y0) * (x - x0) / (x1 - x0) - y) for x, y in map(middle, boxes)]
        assert min(distances) < 0.5


def middle(box):
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


@pytest.mark.parametrize("sizes", [(2, 3, 3, 2), (4, 8, 3), (3, 5, 4, 5, 2), (16, 16, 16)])
def test_numbers_cover_neither_nodes_nor_each_other(read, box_of, sizes):
    picture = read(viz.network(example(sizes), weight=(1, 2, 1)))
    numbers = [
        box_of(picture.groups[name])
        for name, texts in picture.nodes.items()
        if len(texts) == 1 and not texts[0].startswith("2(")
    ]
    nodes = [box_of(picture.groups[name]) for name, _ in circles(picture).values()]
    assert len(numbers) > sizes[2] / 2
    for a, b in [*combinations(numbers, 2), *((a, b) for a in numbers for b in nodes)]:
        assert a[2] <= b[0] + 0.1 or b[2] <= a[0] + 0.1 or a[3] <= b[1] + 0.1 or b[3] <= a[1] + 0.1


def test_a_number_covers_no_more_than_one_other_edge_of_the_sum(read, box_of):
    run = example((3, 5, 4, 5, 2))
    picture = read(viz.network(run, weight=(1, 2, 1)))
    where = circles(picture)
    middles = {node: middle(box_of(picture.groups[name])) for node, (name, _) in where.items()}
    edges = [(*middles[a], *middles[b]) for a, b in flows(run, 1, 2, 1)]
    numbers = [
        box_of(picture.groups[name])
        for name, texts in picture.nodes.items()
        if len(texts) == 1 and texts[0][0] in "+-"
    ]
    assert len(numbers) > 20
    for x0, y0, x1, y1 in numbers:
        covered = 0
        for left, start, right, end in edges:
            inside = [x for x in range(int(x0), int(x1) + 2) if left <= x <= right and x0 < x < x1]
            heights = [start + (end - start) * (x - left) / (right - left) for x in inside]
            covered += any(y0 < y < y1 for y in heights)
        assert covered <= 2  # its own and one more


def test_the_weight_is_named_with_its_value(read):
    run = example()
    picture = read(viz.network(run, weight=(2, 3, 1)))
    value = format_number(run.network.w(2, 3, 1).data, 3)
    assert [f"w₃,₁⁽²⁾ = {value}"] in picture.nodes.values()


def test_the_picture_is_of_the_run_whatever_became_of_the_network(read):
    run = example()
    before = viz.network(run, weight=(2, 3, 1)).source
    run.e.backward()
    run.network.descend(0.1)
    assert viz.network(run, weight=(2, 3, 1)).source == before


def test_the_title_and_the_key_say_what_is_seen(read):
    run = example()
    title, *key = read(viz.network(run, weight=(1, 2, 1))).title
    total = sum(term.value for term in run.terms(1, 2, 1))
    assert title == f"∂e/∂w₂,₁⁽¹⁾ = {format_number(total, 5)} = sum over 6 paths j→k₂→k₃"
    assert "blue, solid: raises e" in key
    assert "orange, dashed: lowers e" in key


def test_the_terms_are_sorted_by_size_and_the_rest_is_summed(read):
    run = example((2, 4, 4, 3))
    values = sorted((term.value for term in run.terms(1, 2, 1)), key=abs, reverse=True)
    rows = table(read(viz.network(run, weight=(1, 2, 1), max_terms=5)))
    assert [float(text) for _, text in rows[:5]] == pytest.approx(values[:5], rel=1e-4)
    assert rows[5][0] == "… and 7 more"
    assert float(rows[5][1]) == pytest.approx(sum(values[5:]), rel=1e-4)
    assert float(rows[6][1]) == pytest.approx(sum(values), rel=1e-4)
    assert len(rows) == 7
    assert len(table(read(viz.network(run, weight=(1, 2, 1), max_terms=12)))) == 13
    for none in (0, -1):
        rows = table(read(viz.network(run, weight=(1, 2, 1), max_terms=none)))
        assert [what for what, _ in rows] == ["… and 12 more", "Σ"]


def test_bars_are_as_long_as_the_terms(read):
    run = example()
    picture = read(viz.network(run, weight=(1, 2, 1)))
    (name,) = [name for name, texts in picture.nodes.items() if texts[0] == "path"]
    bars = []
    for polygon in picture.groups[name].iter("{http://www.w3.org/2000/svg}polygon"):
        if polygon.get("fill") in (BLUE, ORANGE):
            xs = [float(point.partition(",")[0]) for point in polygon.get("points").split()]
            bars.append((max(xs) - min(xs), min(xs), polygon.get("fill")))
    values = [float(text) for what, text in table(picture) if what != "Σ"]
    assert [colour for _, _, colour in bars] == [BLUE if v > 0 else ORANGE for v in values]
    assert len({round(start, 1) for _, start, _ in bars}) == 1
    lengths = [length / bars[0][0] for length, _, _ in bars]
    assert lengths == pytest.approx([abs(v / values[0]) for v in values], abs=0.03)


def test_a_weight_of_the_last_layer_has_one_path(read):
    run = example()
    picture = read(viz.network(run, weight=(3, 2, 1)))
    above, _ = lines(picture)
    assert [line["stroke"] for line in above.values()] == [BLACK]
    assert picture.title[0].endswith("= one path")
    assert [what for what, _ in table(picture)] == ["2", "Σ"]


def test_exact_numbers_are_shown_exactly_where_they_fit(read):
    half = Fraction(1, 2)
    net = Network([[[half]], [[Fraction(3, 4)]]], [[0], [Fraction(1, 3)]], "identity")
    picture = read(viz.network(net.forward([3], [half]), weight=(1, 1, 1)))
    assert circles(picture)[1, 1][1] == "3/2"
    assert ["w₁,₁⁽¹⁾ = 1/2"] in picture.nodes.values()
    assert table(picture)[-1] == ("Σ", "+21/16")


def test_exact_numbers_that_do_not_fit_are_rounded(read):
    weight = Fraction(123456789, 987654322)
    net = Network([[[weight]]], [[0]], "identity")
    picture = read(viz.network(net.forward([3], [0]), weight=(1, 1, 1)))
    assert ["w₁,₁⁽¹⁾ = 0.125"] in picture.nodes.values()


def test_a_sum_that_cancels_has_a_halo_and_no_colour(read):
    net = Network([[[1]], [[1]], [[1], [1]]], [[0], [0], [0, 0]], "identity")
    above, beneath = lines(read(viz.network(net.forward([1], [0, 2]), weight=(1, 1, 1))))
    edge = (1, 1), (2, 1)
    assert above[edge]["stroke"] not in (BLUE, ORANGE)
    assert width(above[edge]) < 2
    assert width(beneath[edge]) > 14


def test_a_gradient_that_is_0_everywhere_is_drawn(read):
    net = Network([[[-1.0]], [[1.0]]], [[0.0], [0.0]], "relu")
    picture = read(viz.network(net.forward([1.0], [1.0]), weight=(1, 1, 1)))
    assert table(picture) == [("1→1", "0"), ("Σ", "0")]


def test_an_infinite_term_does_not_hide_the_others(read):
    net = Network([[[1.0]], [[math.inf], [1.0]]], [[0.0], [0.0, 0.0]], "identity")
    above, _ = lines(read(viz.network(net.forward([1.0], [1.0, 2.0]), weight=(1, 1, 1))))
    assert width(above[(1, 1), (2, 1)]) == width(above[(1, 1), (2, 2)]) == 14


def test_numbers_beyond_floats_are_drawn(read):
    net = Network([[[Fraction(10) ** 400]], [[-1]]], [[0], [0]], "identity")
    picture = read(viz.network(net.forward([1], [1]), weight=(1, 1, 1)))
    assert table(picture)[-1] == ("Σ", "+inf")


@pytest.mark.parametrize("number", [math.inf, math.nan, 1e308, 1e-320])
def test_extreme_numbers_are_drawn(read, number):
    net = Network([[[number]], [[1.0], [0.5]]], [[0.0], [0.0, 0.0]], "identity")
    picture = read(viz.network(net.forward([1.0], [1.0, 2.0]), weight=(1, 1, 1)))
    assert circles(picture)[1, 1][1] == format_number(number, 3)


def test_symbols_are_refused():
    sympy = pytest.importorskip("sympy")
    net = Network([[[sympy.Symbol("w")]]], [[0]], "identity")
    with pytest.raises(DrawingError, match="numbers, not symbols"):
        viz.network(net.forward([1], [2]), weight=(1, 1, 1))


def test_a_network_too_wide_to_read_is_refused():
    run = example((17, 2))
    with pytest.raises(DrawingError, match=r"a layer of 17 nodes cannot be read: .*16"):
        viz.network(run, weight=(1, 1, 1))


def test_too_many_terms_a_wrong_weight_and_a_run_without_target_are_refused():
    with pytest.raises(TooManyPathsError, match="1048576 terms"):
        viz.network(example((2, *[16] * 6)), weight=(1, 1, 1))
    with pytest.raises(IndexError, match="layer i is 4"):
        viz.network(example(), weight=(4, 1, 1))
    run = Network.random((2, 1), seed=1).forward([1.0, 2.0])
    with pytest.raises(NetworkError, match="target"):
        viz.network(run, weight=(1, 1, 1))


def test_the_picture_needs_no_backward_pass_and_leaves_no_trace():
    run = example()
    before = viz.network(run, weight=(1, 2, 1)).source
    assert run.network.w(1, 2, 1).grad == 0
    run.e.backward()
    assert viz.network(run, weight=(1, 2, 1)).source == before


def test_the_same_run_gives_the_same_bytes_in_every_format():
    first, second = (viz.network(example(), weight=(1, 2, 1)) for _ in range(2))
    assert first.pipe("svg") == second.pipe("svg")
    assert first.pipe("png") == second.pipe("png")


def test_the_saved_source_draws_the_same_picture_by_itself(tmp_path):
    from viz.layout import layout

    picture = viz.network(example(), weight=(1, 2, 1))
    viz.save(picture, tmp_path / "a.dot")
    source = (tmp_path / "a.dot").read_text(encoding="utf-8")
    assert layout(source, "svg", engine="neato") == picture.pipe("svg")
