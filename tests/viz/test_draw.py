"""`viz.draw`: every number in the picture is the engine's, and every edge is there."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction

import pytest
from depth import depth
from hypothesis import given, settings
from hypothesis import strategies as st

import viz
from tinygrad_bp import (
    DrawingError,
    Network,
    Value,
    dot,
    fsum,
    maximum,
    minimum,
    paths,
    primitive,
    tanh,
)
from tinygrad_bp.graph import names, topological_order
from tinygrad_bp.text import format_number
from viz.style import DARK, LIGHT


def single_layer():
    w, x, b, t = Value(0.5, "w"), Value(2.0, "x"), Value(0.1, "b"), Value(1.0, "t")
    return (t - tanh(w * x - b)) ** 2


def diamond():
    a = Value(1.5, "a")
    b = a * a
    return b.sin() * b.exp()


def micrograd_readme():
    a, b = Value(-4.0, "a"), Value(2.0, "b")
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    return g + 10.0 / f


def leaf(e, label):
    return next(node for node in topological_order(e) if node.label == label)


def check_every_number(e, picture, card):
    """Nodes and edges of the picture against the engine's own attributes."""
    order = topological_order(e)
    expected = {}
    for node, name in names(order, root="e").items():
        grad = format_number(node.grad) if e.grad != 0 else "–"
        expected[name] = (format_number(node.data), grad)
    cards = {name: card(texts) for name, texts in picture.nodes.items()}
    assert {each.name: (each.data, each.grad) for each in cards.values()} == expected
    shown = Counter(
        (cards[edge.tail].name, cards[edge.head].name, *edge.texts) for edge in picture.edges
    )
    named = names(order, root="e")
    assert shown == Counter(
        (named[parent], named[node], format_number(local))
        for node in order
        for parent, local in zip(node.parents, node.local_derivatives, strict=True)
    )


@st.composite
def graphs(draw):
    pool = [Value(draw(st.floats(-5, 5)), f"x{place}") for place in range(3)]
    for _ in range(draw(st.integers(1, 8))):
        a, b = draw(st.sampled_from(pool)), draw(st.sampled_from([*pool, 2.5, -1]))
        pool.append(draw(st.sampled_from([a.__add__, a.__mul__, a.__rsub__, a.maximum]))(b))
    return pool[-1]


@settings(max_examples=depth(40, by_default=10))
@given(graphs(), st.booleans())
def test_every_number_is_the_engines(read, card, e, after_backward):
    if after_backward:
        e.backward()
    check_every_number(e, read(viz.draw(e)), card)


@pytest.mark.parametrize("make", [single_layer, diamond, micrograd_readme])
def test_every_number_of_the_examples(read, card, make):
    e = make()
    e.backward()
    check_every_number(e, read(viz.draw(e)), card)


def test_every_number_of_a_graph_too_large_for_labels_with_room(read, card):
    e = fsum((Value(place / 7, f"x{place}") * 3).sin() for place in range(60))
    e.backward()
    picture = viz.draw(e)
    assert len(topological_order(e)) > 120
    assert "xlabel=" in picture.source
    check_every_number(e, read(picture), card)


def test_each_use_of_an_operand_has_its_own_edge_and_number(read):
    x = Value(3.0, "x")
    for e, expected in [
        (x * x, ["3", "3"]),
        (x - x, ["1", "-1"]),
        (x / x, ["0.333333", "-0.333333"]),
    ]:
        edges = read(viz.draw(e)).edges
        assert [(edge.tail, edge.head) for edge in edges] == [("n0", "n1")] * 2
        assert sorted(text for edge in edges for text in edge.texts) == sorted(expected)


def test_numbers_of_parallel_edges_do_not_collide(read):
    x = Value(3.0, "x")
    picture = read(viz.draw(x - x))
    heights = [
        float(text.get("y"))
        for key, group in picture.groups.items()
        if isinstance(key, tuple)
        for text in group.iter("{http://www.w3.org/2000/svg}text")
    ]
    assert abs(heights[0] - heights[1]) > 11.0


def test_edges_run_from_operand_to_result(read):
    w = Value(2.0, "w")
    (edge,) = read(viz.draw(w.tanh())).edges
    assert (edge.tail, edge.head) == ("n0", "n1")


X = Value(3.0, "x")
OPERATIONS = [
    (X * X, "*"),
    (X**2, "** 2"),
    (2**X, "2 **"),
    (X * 3, "* 3"),
    (3 * X, "3 *"),
    (1 - X, "1 -"),
    (X - 1.5, "- 1.5"),
    (10.0 / X, "10 /"),
    (maximum(X, 0), "max(·, 0)"),
    (minimum(7.5, X), "min(7.5, ·)"),
    (-X, "-"),
    (tanh(X), "tanh"),
    (X.sigmoid(), "σ"),
    (fsum([X, X]), "Σ"),
    (fsum([X, 2.0, X]), "fsum([·, 2, ·])"),
    (dot([X, X], [X, X]), "dot"),
    (dot([X, 2.0], [0.5, X]), "dot([·, 2], [0.5, ·])"),
    (primitive("<&>", "x * y", ("y", "x"))(X, 2), "<&> 2"),
    (primitive("cube", "x * x * x", ("3.0 * x * x",))(X), "cube"),
]


@pytest.mark.parametrize(("e", "expected"), OPERATIONS, ids=[each for _, each in OPERATIONS])
def test_plain_numbers_are_part_of_the_operation(read, card, e, expected):
    picture = read(viz.draw(e))
    assert [card(texts).op for texts in picture.nodes.values()] == ["", expected]


def test_gradients_are_absent_before_a_backward_pass_and_not_0(read, card):
    e = single_layer()
    assert {card(texts).grad for texts in read(viz.draw(e)).nodes.values()} == {"–"}
    e.backward()
    assert "–" not in {card(texts).grad for texts in read(viz.draw(e)).nodes.values()}


def test_gradients_of_another_result_are_not_shown_as_this_ones(read, card):
    x = Value(2.0, "x")
    (x * 5).backward()
    assert {card(texts).grad for texts in read(viz.draw(x * 3)).nodes.values()} == {"–"}


def test_a_gradient_that_is_0_is_shown_as_0(read, card):
    x = Value(-2.0, "x")
    e = x.relu() + 1
    e.backward()
    cards = [card(texts) for texts in read(viz.draw(e)).nodes.values()]
    assert [each.grad for each in cards] == ["0", "1", "1"]


def test_exact_numbers_are_shown_exactly(read, card):
    x = Value(Fraction(1, 3), "x")
    e = x * x
    e.backward()
    picture = read(viz.draw(e))
    assert [card(texts).data for texts in picture.nodes.values()] == ["1/3", "1/9"]
    assert [edge.texts for edge in picture.edges] == [["1/3"], ["1/3"]]


def test_symbols_are_shown(read, card):
    sympy = pytest.importorskip("sympy")
    a, b = sympy.symbols("a b")
    e = Value(a, "u") * Value(b, "v")
    e.backward()
    assert [card(texts).grad for texts in read(viz.draw(e)).nodes.values()] == ["b", "a", "1"]


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan, 1e-300, -1e300, 10**30])
def test_extreme_numbers_are_drawn(read, card, number):
    e = Value(number, "x") + 0
    assert card(read(viz.draw(e)).nodes["n0"]).data == format_number(number)


def test_a_leaf_alone_is_drawn(read, card):
    picture = read(viz.draw(Value(4.0, "x")))
    assert [card(texts).name for texts in picture.nodes.values()] == ["x"]
    assert not picture.edges


def test_nodes_with_one_label_are_told_apart(read, card):
    e = Value(1.0, "x") + Value(2.0, "x")
    assert [card(texts).name for texts in read(viz.draw(e)).nodes.values()] == ["x", "x'", "e"]


# ---- highlight


def thick(picture):
    """The edges drawn thick and in colour; the others must be grey."""
    lit = []
    for edge in picture.edges:
        if float(edge.line.get("stroke-width", 1)) > 2:
            assert edge.line["stroke"] == "#0072b2"
            lit.append((edge.tail, edge.head, *edge.texts))
        else:
            assert edge.line["stroke"] == "#d5d8db"
    return lit


def test_highlight_lights_the_path_and_nothing_else(read):
    e = single_layer()
    (path,) = paths(e, leaf(e, "w"))
    assert len(path.nodes) == 6
    picture = read(viz.draw(e, highlight=path))
    lit = thick(picture)
    assert sorted(text for _, _, text in lit) == sorted(map(format_number, path.local_derivatives))
    assert len(picture.edges) - len(lit) == 3


def test_highlight_takes_the_nodes_in_either_direction(read):
    e = single_layer()
    (path,) = paths(e, leaf(e, "b"))
    expected = viz.draw(e, highlight=path).source
    assert viz.draw(e, highlight=path.nodes).source == expected
    assert viz.draw(e, highlight=reversed(path.nodes)).source == expected


def test_highlight_tells_parallel_edges_apart(read):
    x = Value(3.0, "x")
    e = x - x
    first, second = paths(e, x)
    assert thick(read(viz.draw(e, highlight=first))) == [("n0", "n1", "1")]
    assert thick(read(viz.draw(e, highlight=second))) == [("n0", "n1", "-1")]
    both = thick(read(viz.draw(e, highlight=[x, e])))
    assert both == [("n0", "n1", "1"), ("n0", "n1", "-1")]


def test_highlight_may_be_a_part_of_a_path_or_one_node(read):
    e = diamond()
    order = topological_order(e)
    assert thick(read(viz.draw(e, highlight=order[:2]))) == [("n0", "n1", "1.5")] * 2
    assert thick(read(viz.draw(e, highlight=[e]))) == []


def test_highlight_that_is_no_path_is_refused():
    e = diamond()
    a, b, sine, exponential, _ = topological_order(e)
    with pytest.raises(DrawingError, match="not a path of this graph: it has no node Value"):
        viz.draw(e, highlight=[a, Value(1.0)])
    with pytest.raises(DrawingError, match=r"not a path of this graph: it has no node 'a'"):
        viz.draw(e, highlight=["a"])
    with pytest.raises(DrawingError, match="not a path of this graph: v2 was not made of v3"):
        viz.draw(e, highlight=[sine, exponential])
    with pytest.raises(DrawingError, match="v2 was not made of a"):
        viz.draw(e, highlight=[e, sine, a])
    with pytest.raises(DrawingError, match="empty"):
        viz.draw(e, highlight=[])
    (_, path) = paths(b, a)
    with pytest.raises(DrawingError, match="v1 was not made of a there"):
        viz.draw(e, highlight=path._replace(slots=(2,)))


# ---- what is left out


def test_wrt_shows_only_the_paths_to_that_node(read, card):
    e = single_layer()
    picture = read(viz.draw(e, wrt=leaf(e, "w")))
    shown = [card(texts).name for texts in picture.nodes.values()]
    assert shown == ["w", "v1", "v2", "v3", "v4", "e"]
    assert len(picture.edges) == 5


def test_wrt_that_is_no_node_of_the_graph_is_refused():
    with pytest.raises(DrawingError, match="no node of this graph"):
        viz.draw(diamond(), wrt=Value(1.0))


def test_a_graph_above_the_budget_is_refused_with_the_count():
    e = fsum(Value(1.0) for _ in range(10))
    with pytest.raises(DrawingError, match=r"has 11 nodes, more than max_nodes=10: .*max_nodes"):
        viz.draw(e, max_nodes=10)
    assert viz.draw(e, max_nodes=11)
    with pytest.raises(DrawingError, match="more than max_nodes=300"):
        viz.draw(fsum(Value(1.0) for _ in range(300)))


def test_what_is_no_value_is_refused():
    with pytest.raises(TypeError, match=r"draw takes a Value, not float 3\.0"):
        viz.draw(3.0)
    run = Network.random([1, 1], seed=0).forward([1.0], [0.0])
    with pytest.raises(
        TypeError, match=r"not Run .*: give its error, run\.e, or call viz\.network"
    ):
        viz.draw(run)
    with pytest.raises(
        DrawingError, match="highlight takes a path, a list of nodes or a flow, not"
    ):
        viz.draw(run.e, highlight=run.e)


def test_drawing_changes_nothing_in_the_graph():
    e = single_layer()
    before = [(node, node.data, node.grad, node.label) for node in topological_order(e)]
    viz.draw(e, highlight=[e]).pipe(format="svg")
    assert [(node, node.data, node.grad, node.label) for node in topological_order(e)] == before


def test_the_same_graph_gives_the_same_bytes():
    first, second = viz.draw(micrograd_readme()), viz.draw(micrograd_readme())
    assert first.source == second.source
    assert first.pipe(format="svg") == second.pipe(format="svg")
    assert first.pipe(format="png") == second.pipe(format="png")


def test_the_background_is_painted_so_that_any_page_can_show_it(read):
    for theme, expected in (("auto", LIGHT), ("light", LIGHT), ("dark", DARK)):
        picture = read(viz.draw(diamond(), theme=theme))
        polygon = picture.root.find(".//{http://www.w3.org/2000/svg}polygon")
        assert polygon.get("fill") == expected.paper


@pytest.mark.parametrize("stranger", [[1.0], {}, "w", Value(2.0)])
def test_what_paths_are_to_end_in_is_a_node_of_the_graph(stranger):
    x = Value(2.0)
    with pytest.raises(DrawingError, match="is no node of this graph"):
        viz.draw(x * x, wrt=stranger)
