"""`viz.network`: the widths, signs and numbers are those of the sum over paths."""

from __future__ import annotations

import math
import re
import time
from fractions import Fraction
from itertools import combinations, pairwise

import pytest
from depth import depth
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import viz
from tinygrad_bp import DrawingError, Network
from tinygrad_bp.errors import NetworkError
from tinygrad_bp.paths import path_sum
from tinygrad_bp.text import format_number
from viz.style import DARK, LIGHT

BLUE, ORANGE, BLACK, GREY = LIGHT.blue, LIGHT.orange, LIGHT.ink, LIGHT.faint
PALE = {LIGHT.pale_blue: BLUE, LIGHT.pale_orange: ORANGE}
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
    """The coloured edges, by the nodes they join; and the halos and grey lines beneath.

    A line with a number is in two parts, which must look the same.
    """
    by_id = {name: node for node, (name, _) in circles(picture).items()}
    above, beneath = {}, {}
    for edge in picture.edges:
        found = above if edge.line["stroke"] in (BLUE, ORANGE, BLACK, LIGHT.muted) else beneath
        if edge.tail in by_id and edge.head in by_id:
            key = by_id[edge.tail], by_id[edge.head]
            found.setdefault(key, []).append(edge.line)
    for found in (above, beneath):
        for key, parts in found.items():
            assert len(parts) <= 2
            assert len({(part["stroke"], width(part)) for part in parts}) == 1
            found[key] = parts[0]
    return above, beneath


def width(line):
    return float(line.get("stroke-width", 1))


def flows(run, i, j, k):
    """Net and gross of every edge, from the recorded graph and not from the terms."""
    w, e, sizes = run.network.w(i, j, k), run.e, run.network.sizes
    found = {}
    for layer in range(i, len(sizes) - 1):
        for a in range(1, sizes[layer] + 1):
            for b in range(1, sizes[layer + 1] + 1):
                lower, upper = run.o(layer, a), run.o(layer + 1, b)
                sums = [path_sum(lower, w), path_sum(upper, lower), path_sum(e, upper)]
                net = math.prod(each.total for each in sums)
                gross = math.prod(each.gross for each in sums)
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
        assert above[edge]["d"] == beneath[edge]["d"]  # exactly beneath
    sizes = run.network.sizes
    assert len({*above, *beneath}) == sum(a * b for a, b in pairwise(sizes)) - 1
    assert all(beneath[edge]["stroke"] == GREY for edge in beneath if edge not in expected)


@settings(max_examples=depth(25, by_default=8))
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


# ---- places

WIDTHS = {**dict.fromkeys("0123456789", 0.556), **dict.fromkeys("+=−<>~", 0.584), ".": 0.278}
WIDTHS |= {"-": 0.333, " ": 0.278, ",": 0.278, "(": 0.333, ")": 0.333, "→": 1.0, "…": 1.0}
WIDTHS |= dict.fromkeys("₀₁₂₃₄₅₆₇₈₉⁰¹²³⁴⁵⁶⁷⁸⁹⁽⁾", 0.36)


def text_box(text):
    """The box around a text: Helvetica's widths, and what its letters have above and below."""
    size = float(text.get("font-size"))
    wide = size * sum(WIDTHS.get(character, 0.6) for character in text.text)
    x, y = float(text.get("x")), float(text.get("y"))
    left = {"start": x, "end": x - wide}.get(text.get("text-anchor"), x - wide / 2)
    return left, y - 0.73 * size, left + wide, y + 0.22 * size


def swept(line):
    """Points along both sides and the middle of a line as it is drawn, with its width."""
    numbers = [float(each) for each in re.findall(r"-?[\d.]+", line["d"])]
    points = list(zip(numbers[::2], numbers[1::2], strict=True))
    for k in range(0, len(points) - 1, 3):
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = points[k : k + 4]
        for step in range(61):
            t, u = step / 60, 1 - step / 60
            x = u**3 * ax + 3 * u * u * t * bx + 3 * u * t * t * cx + t**3 * dx
            y = u**3 * ay + 3 * u * u * t * by + 3 * u * t * t * cy + t**3 * dy
            across = u * u * (bx - ax) + 2 * u * t * (cx - bx) + t * t * (dx - cx)
            down = u * u * (by - ay) + 2 * u * t * (cy - by) + t * t * (dy - cy)
            length = math.hypot(across, down) or 1.0
            for side in (-0.5, 0.0, 0.5):
                offset = side * width(line) / length
                yield x - offset * down, y + offset * across


def collisions(picture):
    """Every pair of things that overlap: texts with texts, with lines and with strangers' circles."""
    boxes = [
        (name, text.text, text_box(text))
        for name, group in picture.groups.items()
        for text in group.iter("{http://www.w3.org/2000/svg}text")
    ]
    title = picture.root.iter("{http://www.w3.org/2000/svg}text")
    inside = {text for group in picture.groups.values() for text in group.iter()}
    boxes += [("title", text.text, text_box(text)) for text in title if text not in inside]
    found = []
    for (owner, text, a), (another, other, b) in combinations(boxes, 2):
        if owner == another:  # lines of one label, or cells of one table
            continue
        if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]:
            found.append((text, other))
    shapes = {name for name, _ in circles(picture).values()}
    shapes |= {name for name, texts in picture.nodes.items() if texts[0][:2] in ("+ ", "−1")}
    for name in shapes:
        group = picture.groups[name]
        left, top, right, bottom = shape_box(group)
        for owner, text, box in boxes:
            if (
                owner != name
                and box[0] < right
                and left < box[2]
                and box[1] < bottom
                and top < box[3]
            ):
                found.append((text, name))
            if owner == name and not (left <= box[0] and box[2] <= right):
                found.append((text, "its own"))
    free = [(text, box) for owner, text, box in boxes if owner not in shapes]
    for edge in picture.edges:
        points = list(swept(edge.line))
        span = min(x for x, _ in points), max(x for x, _ in points)
        for text, (left, top, right, bottom) in free:
            near = [] if span[1] < left or right < span[0] else points
            if any(left < x < right and top < y < bottom for x, y in near):
                found.append((text, edge.tail, edge.head))
    return found


def shape_box(group):
    for circle in group.iter("{http://www.w3.org/2000/svg}ellipse"):
        x, y, r = (float(circle.get(key)) for key in ("cx", "cy", "rx"))
        return x - r, y - r, x + r, y + r
    (path,) = group.iter("{http://www.w3.org/2000/svg}path")
    numbers = [float(each) for each in re.findall(r"-?[\d.]+", path.get("d"))]
    return min(numbers[::2]), min(numbers[1::2]), max(numbers[::2]), max(numbers[1::2])


SHAPES = [
    ((1, 1), (1, 1, 1)),
    ((2, 3, 3, 2), (1, 2, 1)),
    ((2, 3, 3, 2), (3, 1, 2)),
    ((2, 3, 3, 2), (2, 3)),  # a bias
    ((4, 8, 3), (1, 5, 2)),
    ((3, 5, 4, 5, 2), (1, 2, 1)),
    ((8, 8, 8, 8), (2, 8, 8)),
    ((16, 16, 16), (1, 2, 1)),
    ((64, 32, 32, 10), (1, 5, 60)),
    ((64, 32, 32, 10), (3, 2)),
    ((1, 9, 1), (2, 1, 9)),
    ((3,) * 12, (4, 2, 1)),
    ((30,) * 31, (1, 2, 3)),
    ((30,) * 31, (30, 7, 8)),
]


@pytest.mark.parametrize(("sizes", "weight"), SHAPES)
def test_numbers_overlap_neither_edges_nor_nodes_nor_each_other(read, sizes, weight):
    assert collisions(read(viz.network(example(sizes), weight=weight))) == []


@settings(max_examples=12, deadline=None, phases=[Phase.generate])
@given(st.lists(st.integers(1, 10), min_size=2, max_size=6), st.integers(0, 99), st.data())
def test_numbers_overlap_nothing_in_any_network(read, sizes, seed, data):
    i = data.draw(st.integers(1, len(sizes) - 1))
    weight = i, *(data.draw(st.integers(1, size)) for size in (sizes[i], sizes[i - 1]))
    assert collisions(read(viz.network(example(sizes, seed), weight=weight))) == []


def test_a_collision_would_be_seen(read):
    picture = viz.network(example(), weight=(1, 2, 1))
    line = next(line for line in picture.body if "penwidth=4.00" in line)
    points = re.search(r'pos="([^"]+)"', line)[1].split()
    ((ax, ay), (bx, by), (cx, cy), (dx, dy)) = (map(float, each.split(",")) for each in points)
    middle = (ax + 3 * bx + 3 * cx + dx) / 8, (ay + 3 * by + 3 * cy + dy) / 8
    picture.node("n98", "0.5", pos="{:.2f},{:.2f}".format(*middle))
    assert {text for text, *_ in collisions(read(picture))} == {"0.5"}
    picture.node("n99", "0.7", pos=f"{ax},{ay}")  # the line begins in a circle
    assert {text for text, *_ in collisions(read(picture))} >= {"0.5", "0.7"}


def test_every_number_stands_between_the_two_parts_of_its_edge(read):
    run = example()
    picture = read(viz.network(run, weight=(1, 2, 1)))
    ids = {node: name for node, (name, _) in circles(picture).items()}
    found = flows(run, 1, 2, 1)
    assert len(found) == 9
    for (a, b), (net, _) in found.items():
        text = f"{'+' * (net > 0)}{format_number(net, 3)}"
        boxes = [
            text_box(each)
            for name, group in picture.groups.items()
            for each in group.iter("{http://www.w3.org/2000/svg}text")
            if each.text == text
        ]
        parts = [e.line for e in picture.edges if (e.tail, e.head) == (ids[a], ids[b])]
        ends = [list(swept(part)) for part in parts if part["stroke"] in (BLUE, ORANGE)]
        (left, level), (right, other) = ends[0][-2], ends[1][1]
        assert level == pytest.approx(other)
        assert any(left < box[0] and box[2] < right and box[1] < level < box[3] for box in boxes), (
            text
        )


# ---- large networks


def folded(picture):
    """The boxes for the nodes that have no circle: how many they are, and what they carry."""
    return [texts for texts in picture.nodes.values() if re.match(r"\+ \d+ nodes", texts[0])]


def test_a_wide_layer_is_folded_with_its_count_and_its_share(read):
    run = example((64, 32, 32, 10))
    picture = read(viz.network(run, weight=(1, 5, 60)))
    shown = circles(picture)
    assert (0, 60) in shown
    assert (1, 5) in shown
    assert [count for count, _ in folded(picture)] == [
        f"+ {size - sum(layer == m for layer, _ in shown)} nodes"
        for m, size in enumerate((64, 32, 32, 10))
    ]
    terms = run.terms(1, 5, 60)
    gross = sum(abs(term.value) for term in terms)
    for layer, place, (_, share) in ((2, 1, folded(picture)[2]), (3, 0, folded(picture)[3])):
        hidden = [t for t in terms if (layer, t.indices[place]) not in shown]
        assert share == f"{sum(abs(t.value) for t in hidden) / gross:.0%} of the gross"
        carried = {
            node: sum(abs(t.value) for t in terms if t.indices[place] == node)
            for node in range(1, (64, 32, 32, 10)[layer] + 1)
        }
        largest = sorted(carried, key=carried.get)[-5:]
        assert {node for m, node in shown if m == layer} == set(largest)
    assert [share for _, share in folded(picture)[:2]] == ["on no path"] * 2


def test_an_edge_of_a_folded_layer_carries_the_sum(read):
    run = example((2, 3, 20, 2))
    sketch = viz.network(run, weight=(1, 2, 1)).sketch
    facts = {node.id: node.facts for node in sketch.nodes}
    terms, checked = run.terms(1, 2, 1), 0
    for edge in sketch.edges:
        lower, upper = facts[edge.tail], facts[edge.head]
        if upper["layer"] == 3:
            members = lower.get("folded") or [lower["number"]]
            through = [
                t.value for t in terms
                if t.indices[0] == upper["number"] and t.indices[1] in members
            ]  # fmt: skip
            assert edge.facts["net"] == pytest.approx(sum(through))
            assert edge.facts["gross"] == pytest.approx(sum(map(abs, through)))
            checked += "folded" in lower
    assert checked == 2


def test_a_deep_network_is_drawn_without_its_middle(read):
    run = example((3,) * 12)
    picture = viz.network(run, weight=(3, 2, 1))
    shown = read(picture)
    assert {layer for layer, _ in circles(shown)} == {2, 3, 4, 5, 9, 10, 11}
    texts = {text for texts in shown.nodes.values() for text in texts}
    assert "… 3 layers …" in texts
    assert "not drawn: the input and 1 layer" in texts
    # An edge across the middle carries all the paths between its ends.
    terms = run.terms(3, 2, 1)
    facts = {node.id: node.facts for node in picture.sketch.nodes}
    crossing = [e for e in picture.sketch.edges if facts[e.head]["layer"] == 9]
    assert len(crossing) == 9
    for edge in crossing:
        low, high = facts[edge.tail]["number"], facts[edge.head]["number"]
        through = [t.value for t in terms if (t.indices[11 - 9], t.indices[11 - 5]) == (high, low)]
        assert len(through) == 3**6
        assert edge.facts["net"] == pytest.approx(math.fsum(through))
        size = math.fsum(map(abs, through))
        assert edge.facts["gross"] == pytest.approx(size)


def test_thirty_layers_of_thirty_are_drawn_without_listing_their_paths(read):
    start = time.perf_counter()
    run = example((30,) * 31)
    picture = read(viz.network(run, weight=(1, 2, 3)))
    assert time.perf_counter() - start < 20
    assert "sum over 6.9·10⁴² paths j→k₂→k₃→…→k₂₉→k₃₀" in picture.title[0]
    rows = table(picture)
    assert rows[12][0] == "… and 6.9·10⁴² others"
    run.e.backward()
    assert float(rows[-1][1]) == pytest.approx(run.network.w(1, 2, 3).grad, rel=1e-4)
    largest = [term.value for term in run.largest_terms(1, 2, 3, n=12).terms]
    assert [float(text) for _, text in rows[:12]] == pytest.approx(largest, rel=1e-4)


@pytest.mark.parametrize("place", [(1, 2), (2, 1), (3, 2)])
def test_a_bias_is_a_weight_whose_input_is_minus_one(read, place):
    run = example()
    picture = read(viz.network(run, weight=place))
    run.e.backward()
    gradient = run.network.b(*place).grad
    assert float(table(picture)[-1][1]) == pytest.approx(gradient, rel=1e-4)
    values = sorted((term.value for term in run.bias_terms(*place)), key=abs, reverse=True)
    assert [float(text) for _, text in table(picture)[:-1]] == pytest.approx(values, rel=1e-4)
    i, j = place
    name = f"b{j}({i})"
    shown = [texts[0].translate(SMALL) for texts in picture.nodes.values()]
    assert f"{name} = {format_number(run.network.b(i, j).data, 3)}" in shown
    (minus,) = [node for node, texts in picture.nodes.items() if texts == ["−1"]]
    (edge, _) = [edge for edge in picture.edges if edge.tail == minus]
    assert edge.head == circles(picture)[i, j][0]
    assert f"∂e/∂{name}" in picture.title[0].translate(SMALL)


def test_a_composed_activation_counts_as_one_factor(read):
    def swish(z):
        return z * z.sigmoid()

    run = example(activation=swish)
    picture = viz.network(run, weight=(1, 2, 1))
    gross = sum(abs(term.value) for term in run.terms(1, 2, 1))
    facts = {node.id: node.facts for node in picture.sketch.nodes}
    carried = [e.facts["gross"] for e in picture.sketch.edges if facts[e.head]["layer"] == 3]
    assert sum(carried) == pytest.approx(gross)


@pytest.mark.parametrize("weight", [(1, 2), (1, 2, 1)])
def test_what_is_no_weight_is_refused(weight):
    run = example()
    for wrong in ((*weight[:-1], 9), list(weight), (0, *weight[1:]), None, (1,)):
        with pytest.raises(IndexError):
            viz.network(run, weight=wrong)


# ---- themes


@pytest.mark.parametrize("theme", ["light", "dark", "auto"])
@pytest.mark.parametrize("draw", [lambda run, **how: viz.network(run, (1, 2, 1), **how),
                                  lambda run, **how: viz.draw(run.e, **how)])  # fmt: skip
def test_every_colour_of_a_picture_is_of_its_theme(draw, theme):
    svg = draw(example(), theme=theme).pipe(encoding="utf-8")
    drawing = re.sub(r"<style>.*</style>", "", svg)
    used = set(re.findall(r'(?:fill|stroke)="([^"]+)"', drawing)) - {"none", "transparent"}
    assert used <= set(DARK if theme == "dark" else LIGHT)
    assert not re.search(r"<text(?![^>]* fill=)", drawing)  # black would be lost in the dark
    assert ("prefers-color-scheme: dark" in svg) == (theme == "auto")


def test_the_dark_rules_turn_every_light_colour_into_its_dark_one():
    svg = viz.network(example(), (1, 2, 1)).pipe(encoding="utf-8")
    rules = dict(re.findall(r'\[fill="(#\w+)"\]\{fill:(#\w+)\}', svg))
    assert rules == dict(zip(LIGHT, DARK, strict=True))
    rules = dict(re.findall(r'\[stroke="(#\w+)"\]\{stroke:(#\w+)\}', svg))
    assert rules == dict(zip(LIGHT, DARK, strict=True))


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_text_can_be_read_on_its_ground(colours):
    def luminance(code):
        parts = [int(code[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    for ground in (colours.paper, colours.card):
        for ink in (colours.ink, colours.muted, colours.blue):
            light, dark = sorted((luminance(ink), luminance(ground)), reverse=True)
            assert (light + 0.05) / (dark + 0.05) > 4.5, (ink, ground)


def test_another_theme_is_refused():
    for draw in (viz.draw, viz.frames):
        with pytest.raises(DrawingError, match="no theme 'sepia': use one of auto, light, dark"):
            draw(example((1, 1)).e, theme="sepia")
    with pytest.raises(DrawingError, match="no theme"):
        viz.network(example(), (1, 2, 1), theme="sepia")


def test_a_picture_has_a_name_for_those_who_do_not_see_it(read):
    root = read(viz.network(example(), (1, 2, 1))).root
    assert root.get("role") == "img"
    assert root.get("aria-label").startswith("∂e/∂w₂,₁⁽¹⁾ = ")


# ---- words and numbers


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
    assert rows[5][0] == "… and 7 others"
    assert float(rows[5][1]) == pytest.approx(sum(values[5:]), rel=1e-4)
    assert float(rows[6][1]) == pytest.approx(sum(values), rel=1e-4)
    assert len(rows) == 7
    assert len(table(read(viz.network(run, weight=(1, 2, 1), max_terms=12)))) == 13
    for none in (0, -1):
        rows = table(read(viz.network(run, weight=(1, 2, 1), max_terms=none)))
        assert [what for what, _ in rows] == ["… and 12 others", "Σ"]


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


def test_a_wrong_weight_and_a_run_without_target_are_refused():
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
    light = viz.network(example(), weight=(1, 2, 1), theme="light")
    light.sketch = None  # which names the picture
    assert layout(source, "svg", engine="neato") == light.pipe("svg")
