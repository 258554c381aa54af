"""`viz.draw` with a flow, and folded: every number parsed back and compared with the engine."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from depth import depth
from hypothesis import given, settings

import viz
from tinygrad_bp import DrawingError, Network, Value, fsum, gradients, paths, tanh
from tinygrad_bp.graph import topological_order
from tinygrad_bp.paths import flow
from tinygrad_bp.text import format_number
from viz.style import LIGHT

from hypothesis import strategies as st  # isort: skip


def mixed():
    w, x = Value(0.5, "w"), Value(2.0, "x")
    v = tanh(w * x)
    return v * w - 3 * v + x, w


@st.composite
def graphs(draw):
    pool = [Value(draw(st.floats(-3, 3)), f"x{place}") for place in range(2)]
    for _ in range(draw(st.integers(1, 6))):
        a, b = draw(st.sampled_from(pool)), draw(st.sampled_from([*pool, 2.5]))
        pool.append(draw(st.sampled_from([a.__add__, a.__mul__, a.__rsub__]))(b))
    return pool[-1]


def signed(number):
    text = format_number(number)
    return text if text.startswith("-") else f"+{text}"


def drawn(picture):
    """Each edge's lines: the halo if it has one, and the line with its texts."""
    halos, lines = [], []
    for edge in picture.edges:
        (lines if edge.texts else halos).append(edge)
    return halos, lines


@settings(max_examples=depth(25, by_default=8))
@given(graphs())
def test_widths_signs_and_numbers_are_those_of_the_flow(read, e):
    order = topological_order(e)
    carried = flow(e, order[0])
    live = {key: each for key, each in carried.items() if each.gross}
    halos, lines = drawn(read(viz.draw(e, highlight=carried)))
    largest = max((gross for _, gross in live.values()), default=1)
    ids = {node: f"n{place}" for place, node in enumerate(order)}
    expected = []
    for node in order:
        for slot, (parent, local) in enumerate(
            zip(node.parents, node.local_derivatives, strict=True)
        ):
            net, gross = live.get((node, slot), (None, 0))
            texts = [format_number(local)] + ([] if net is None else [signed(net)])
            expected.append((ids[parent], ids[node], texts, net, gross))
    found = [(line.tail, line.head, line.texts) for line in lines]
    assert sorted(found) == sorted((a, b, texts) for a, b, texts, _, _ in expected)
    assert len(halos) == len(live)
    by_texts = {(a, b, tuple(texts)): (net, gross) for a, b, texts, net, gross in expected}
    for line in lines:
        net, _ = by_texts[line.tail, line.head, tuple(line.texts)]
        colour = LIGHT.faint if net is None else LIGHT.of(net)
        assert line.line["stroke"] == colour
        dashes = {"1,5": "dotted", "5,2": "dashed"}.get(line.line.get("stroke-dasharray"), "solid")
        assert net is None or dashes == ("solid" if net > 0 else "dashed" if net < 0 else "dotted")
        if net is not None:
            width = float(line.line.get("stroke-width", 1))
            assert width == pytest.approx(1 + 9 * abs(net) / largest, abs=0.02)
    widths = sorted(float(halo.line["stroke-width"]) for halo in halos)
    sizes = sorted(gross for *_, gross in expected if gross)
    assert widths == pytest.approx([3 + 9 * gross / largest for gross in sizes], abs=0.02)


def test_a_halo_lies_exactly_beneath_its_line(read):
    e, w = mixed()
    halos, lines = drawn(read(viz.draw(e, highlight=flow(e, w))))
    starts = {line.line["d"].partition("C")[0] for line in lines}
    assert halos
    assert {halo.line["d"].partition("C")[0] for halo in halos} <= starts


def test_numbers_of_a_flow_stand_clear_of_its_lines(read):
    e, w = mixed()
    picture = read(viz.draw(e, highlight=flow(e, w)))
    namespace = "{http://www.w3.org/2000/svg}"
    boxes = []
    for key, group in picture.groups.items():
        if isinstance(key, tuple):
            for text in group.iter(f"{namespace}text"):
                x, y = float(text.get("x")), float(text.get("y"))
                half = 3.2 * len(text.text)
                boxes.append((x - half, y - 8, x + half, y + 2.5))
    for edge in picture.edges:
        numbers = [float(each) for each in re.findall(r"-?[\d.]+", edge.line["d"])]
        for k in range(0, len(numbers) - 7, 6):
            a, b, c, d = (numbers[k + 2 * m : k + 2 * m + 2] for m in range(4))
            for step in range(31):
                t, u = step / 30, 1 - step / 30
                x, y = (
                    u**3 * a[m] + 3 * u * u * t * b[m] + 3 * u * t * t * c[m] + t**3 * d[m]
                    for m in (0, 1)
                )
                half = float(edge.line.get("stroke-width", 1)) / 2
                for left, top, right, bottom in boxes:
                    assert not (left < x < right and top - half < y < bottom + half)


def test_a_flow_with_exact_numbers_is_shown_exactly(read):
    x = Value(Fraction(1, 3), "x")
    e = x * x
    _, lines = drawn(read(viz.draw(e, highlight=flow(e, x))))
    assert [line.texts for line in lines] == [["1/3", "+1/3"]] * 2


@pytest.mark.parametrize("number", [float("inf"), float("nan"), 1e308, 1e-320])
def test_extreme_flows_are_drawn(read, number):
    x, y = Value(number, "x"), Value(2.0, "y")
    e = x * y + y
    assert len(drawn(read(viz.draw(e, highlight=flow(e, y))))[1]) == 4


def test_the_source_of_a_flow_needs_no_layout(no_graphviz):
    e, w = mixed()
    assert "penwidth=" in viz.draw(e, highlight=flow(e, w)).source


def test_what_is_no_flow_of_this_graph_is_refused():
    e, _ = mixed()
    other = Value(1.0) * 2
    for wrong in ({other: 1}, {(e, 9): (1, 1)}, {(e, 0): 3}, {e: (1, 1)}):
        with pytest.raises(DrawingError, match="highlight is no flow"):
            viz.draw(e, highlight=wrong)
    with pytest.raises(DrawingError, match="not a flow of this graph"):
        viz.draw(e, highlight=flow(other, other.parents[0]))


def test_a_flow_without_size_is_refused():
    sympy = pytest.importorskip("sympy")
    x = Value(sympy.Symbol("x"), "x")
    e = x * x
    with pytest.raises(DrawingError, match="drawn with numbers"):
        viz.draw(e, highlight=flow(e, x))


# ---- folded


def example(sizes=(2, 3, 3, 2), seed=3):
    net = Network.random(sizes, "tanh", seed)
    return net.forward([0.8 - 0.3 * p for p in range(sizes[0])], [0.3] * sizes[-1])


def cards(picture, card):
    return {name: card(texts) for name, texts in picture.nodes.items()}


def test_a_network_is_folded_to_its_neurons_with_composed_derivatives(read, card):
    run = example()
    run.e.backward()
    picture = read(viz.draw(run.e, fold=run))
    shown = cards(picture, card)
    labels = {f"o[{i}][{j}]": run.o(i, j) for i in (1, 2, 3) for j in (1, 2, 3) if (i, j) != (3, 3)}
    labels |= {"x[1]": run.x(1), "x[2]": run.x(2), "e": run.e}
    assert {each.name: (each.data, each.grad) for each in shown.values()} == {
        name: (format_number(node.data), format_number(node.grad)) for name, node in labels.items()
    }
    assert len(picture.edges) == 6 + 9 + 6 + 2
    for edge in picture.edges:
        low, high = labels[shown[edge.tail].name], labels[shown[edge.head].name]
        if high is run.e:
            (expected,) = gradients(run.e, [low])
        else:  # f'(z) w: for tanh, the derivative of the node for the one below
            (expected,) = gradients(high, [low])
        assert edge.texts == [format_number(expected)]


def test_the_edges_of_a_folded_graph_multiply_to_the_gradient():
    run = example((2, 4, 3, 2))
    data = viz.draw(run.e, fold=run).sketch.to_dict()
    names = {node["id"]: node["name"] for node in data["nodes"]}
    sums = dict.fromkeys(names.values(), 0) | {"e": 1}
    order = list(names.values())
    edges = sorted(data["edges"], key=lambda edge: -order.index(names[edge["to"]]))
    for edge in edges:
        sums[names[edge["from"]]] += sums[names[edge["to"]]] * edge["derivative"]
    (gradient,) = gradients(run.e, [run.x(1)])
    assert sums["x[1]"] == pytest.approx(gradient)


def test_a_larger_network_is_folded_to_its_layers(read, card):
    run = example((16, 10, 8, 2))
    run.e.backward()
    picture = viz.draw(run.e, fold=run)
    shown = cards(read(picture), card)
    assert [each.name for each in shown.values()] == ["input", "layer 1", "layer 2", "layer 3", "e"]
    assert [each.op for each in shown.values()][:2] == ["16 nodes", "10 nodes"]
    edges = {(edge.tail, edge.head): edge for edge in picture.sketch.edges}
    matrix = edges["n1", "n2"].facts["derivative"]
    assert [len(row) for row in matrix] == [10] * 8
    for j in (1, 5, 8):
        expected = gradients(run.o(2, j), [run.o(1, k) for k in range(1, 11)])
        assert matrix[j - 1] == pytest.approx(expected)
    assert edges["n1", "n2"].text == "8 × 10 derivatives"
    assert edges["n3", "n4"].facts["derivative"] == [
        pytest.approx(gradients(run.e, [run.o(3, 1), run.o(3, 2)]))
    ]


def test_a_million_paths_and_three_thousand_nodes_are_folded_quickly(read):
    run = example((30,) * 12)
    assert len(read(viz.draw(run.e, fold=run)).nodes) == 13


def test_values_may_be_kept_and_bypasses_are_seen(read, card):
    a = Value(3.0, "a")
    b = a * a
    c = b.sin()
    e = c * b + a
    b.label = "b"
    picture = read(viz.draw(e, fold=[a, b]))
    names = {name: each.name for name, each in cards(picture, card).items()}
    found = {(names[edge.tail], names[edge.head]): edge.texts for edge in picture.edges}
    (to_b,) = gradients(e, [b])
    assert found == {("a", "b"): ["6"], ("b", "e"): [format_number(to_b)], ("a", "e"): ["1"]}


def test_several_nodes_may_share_a_card(read, card):
    x, y = Value(2.0, "x"), Value(3.0, "y")
    u, v = x * y, x + y
    e = u * v
    picture = viz.draw(e, fold={"inputs": [x, y], "middle": [u, v]})
    facts = {(edge.tail, edge.head): edge.facts["derivative"] for edge in picture.sketch.edges}
    assert facts == {("n0", "n1"): [[3.0, 2.0], [1, 1]], ("n1", "n2"): [[5.0, 6.0]]}
    assert [edge.texts for edge in read(picture).edges] == [["3, 2", "1, 1"], ["5, 6"]]
    assert [each.name for each in cards(read(picture), card).values()] == ["inputs", "middle", "e"]


def test_wrt_keeps_what_depends_on_it(read, card):
    run = example()
    w = run.network.w(1, 2, 1)
    shown = cards(read(viz.draw(run.e, fold=run, wrt=w)), card)
    names = {each.name for each in shown.values()}
    assert names == {"w[1][2,1]", "o[1][2]", *(f"o[2][{j}]" for j in (1, 2, 3)), "o[3][1]", "o[3][2]", "e"}  # fmt: skip


def test_what_cannot_be_folded_is_refused():
    e, w = mixed()
    with pytest.raises(DrawingError, match="no node of this graph"):
        viz.draw(e, fold=[Value(1.0)])
    with pytest.raises(DrawingError, match="no node of this graph"):
        viz.draw(e, fold={"a": ["w"]})
    with pytest.raises(DrawingError, match="given twice"):
        viz.draw(e, fold={"a": [w], "b": w})
    with pytest.raises(DrawingError, match="has no nodes"):
        viz.draw(e, fold={"a": []})
    with pytest.raises(DrawingError, match="fold takes"):
        viz.draw(e, fold=3)
    with pytest.raises(DrawingError, match="not both"):
        viz.draw(e, fold=[w], highlight=next(iter(paths(e, w))))
    with pytest.raises(DrawingError, match="folded to 3 cards, more than max_nodes=2"):
        viz.draw(e, fold=[w, e.parents[0]], max_nodes=2)


def test_a_graph_too_large_says_how_to_fold_it():
    e = fsum(Value(1.0) for _ in range(400))
    with pytest.raises(
        DrawingError, match=r"has 401 nodes.* fold it, as in draw\(run\.e, fold=run\)"
    ):
        viz.draw(e)
