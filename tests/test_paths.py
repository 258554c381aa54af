"""The gradient as a sum over paths: exact in fractions, on any graph, at any size."""

from __future__ import annotations

import math
import tracemalloc
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import mpmath
import numpy as np
import pytest
import sympy
from depth import depth
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import viz
from tinygrad_bp import (
    ArgumentError,
    DataError,
    Network,
    TooManyPathsError,
    Value,
    contract,
    dot,
    flow,
    fsum,
    gradients,
    largest_paths,
    naive,
    path_count,
    path_sum,
    paths,
    relu,
    sqrt,
    tanh,
)
from tinygrad_bp.graph import topological_order
from tinygrad_bp.paths import LIMIT, EdgeFlow, PathSum, multiply
from tinygrad_bp.samples import Sample, split
from tinygrad_bp.testing.strategies import programs
from tinygrad_bp.training import train

_RUN = Network([[[2.0]], [[3.0]]], [[1.0], [0.0]], "identity").forward([5.0], [26.0])
_SAMPLES = [Sample((1.0,), (1.0,))]

# ---- graphs, and the oracle


@st.composite
def recorded(draw, convert=lambda number: number):
    """Two nodes of a random program's graph, the second perhaps not made of the first."""
    program = draw(programs(max_size=7))
    leaves = [Value(convert(leaf)) for leaf in program.leaves]
    pool = [each for each in program.run(leaves, constant=convert) if isinstance(each, Value)]
    w = draw(st.sampled_from(leaves) | st.sampled_from(pool))
    e = draw(st.sampled_from(pool[-3:]))
    assume(path_count(e, w) <= 300)
    return e, w


def weighted(weights, max_size=6):
    """Graphs with any local derivatives: each node is a sum of earlier ones, with weights."""
    return (
        st.lists(
            st.lists(st.tuples(st.integers(0, 9), weights), min_size=1, max_size=4),
            min_size=1,
            max_size=max_size,
        )
        .map(build)
        .filter(lambda graph: path_count(*graph) <= 200)
    )


def build(rows):
    pool = [Value(1), Value(1)]
    for row in rows:
        row = [(place % len(pool), weight) for place, weight in row]
        pool.append(dot([pool[place] for place, _ in row], [weight for _, weight in row]))
    return pool[-1], pool[0]


def every_path(e, w):
    """Slots and local derivatives of each path, by plain recursion, operands from left to right."""
    if e is w:
        return [((), ())]
    return [
        ((slot, *slots), (local, *locals_))
        for slot, (parent, local) in enumerate(zip(e.parents, e.local_derivatives, strict=True))
        for slots, locals_ in every_path(parent, w)
    ]


def edges_of(e, slots):
    """The edges ``(node, slot)`` of a path."""
    edges = []
    for slot in slots:
        edges.append((e, slot))
        e = e.parents[slot]
    return edges


def products_past_none(e, w, landmarks):
    """The products of the paths that meet no landmark on the way."""
    for slots, locals_ in every_path(e, w):
        passed = [node for node, _ in edges_of(e, slots)[1:]]
        if not {*passed}.intersection(landmarks):
            yield math.prod(locals_)


def by_size(found, size=lambda locals_: abs(math.prod(locals_))):
    """The paths sorted by size; equal ones stay in order."""
    return sorted(found, key=lambda path: -size(path[1]))


# ---- against the oracle, exactly


@settings(max_examples=depth(60, by_default=15))
@given(recorded())
def test_sum_of_products_equals_grad_exactly(graph):
    e, w = graph
    (gradient,) = gradients(e, [w])
    assert sum(path.product for path in paths(e, w)) == gradient
    assert path_sum(e, w).total == gradient


@settings(max_examples=depth(60, by_default=15))
@given(recorded())
def test_count_total_gross_and_dead_equal_every_path(graph):
    e, w = graph
    expected = every_path(e, w)
    products = [math.prod(locals_) for _, locals_ in expected]
    total = path_sum(e, w)
    assert path_count(e, w) == total.count == len(expected)
    assert (total.total, total.gross) == (sum(products), sum(map(abs, products)))
    assert total.dead == sum(0 in locals_ for _, locals_ in expected)
    crossed = [
        edge
        for slots, locals_ in expected
        for edge, local in zip(edges_of(e, slots), locals_, strict=True)
        if local == 0
    ]
    assert {(each.node, each.slot): each.paths for each in total.dead_edges} == {
        edge: crossed.count(edge) for edge in crossed
    }
    counts = [each.paths for each in total.dead_edges]
    assert counts == sorted(counts, reverse=True)


@settings(max_examples=depth(60, by_default=15))
@given(recorded())
def test_paths_are_listed_operands_from_left_to_right(graph):
    e, w = graph
    found = list(paths(e, w))
    assert [(path.slots, path.local_derivatives) for path in found] == every_path(e, w)
    for path in found:
        assert (path.nodes[0], path.nodes[-1]) == (e, w)
        for (above, below), slot in zip(pairwise(path.nodes), path.slots, strict=True):
            assert above.parents[slot] is below


@settings(max_examples=depth(60, by_default=15))
@given(recorded())
def test_flow_equals_every_path_through_each_edge_exactly(graph):
    e, w = graph
    expected = {}
    for slots, locals_ in every_path(e, w):
        product = math.prod(locals_)
        for edge in edges_of(e, slots):
            signed, gross = expected.get(edge, (0, 0))
            expected[edge] = EdgeFlow(signed + product, gross + abs(product))
    found = flow(e, w)
    assert found == expected
    assert len(found) == len(expected)
    if e is not w:
        out_of_e = [each.signed for (node, _), each in found.items() if node is e]
        into_w = [each.signed for (node, slot), each in found.items() if node.parents[slot] is w]
        assert sum(out_of_e) == sum(into_w) == path_sum(e, w).total


@settings(max_examples=depth(60, by_default=15))
@given(recorded(), st.integers(0, 40))
def test_largest_paths_equal_the_sorted_list_exactly(graph, n):
    e, w = graph
    found = [(path.slots, path.local_derivatives) for path in largest_paths(e, w, n)]
    assert found == by_size(every_path(e, w))[:n]


EXACT = st.sampled_from([Fraction(0), Fraction(1), Fraction(-1), Fraction(1, 3), Fraction(2)])


@settings(max_examples=depth(150, by_default=30))
@given(weighted(EXACT | st.integers(-2, 2)), st.integers(1, 40))
def test_ties_and_zeros_stand_in_the_order_of_paths(graph, n):
    e, w = graph
    found = [path.slots for path in largest_paths(e, w, n)]
    assert found == [slots for slots, _ in by_size(every_path(e, w))][:n]


# ---- in floats


@settings(max_examples=depth(60, by_default=15))
@given(recorded(float))
def test_total_is_to_the_last_bit_what_backward_gives(graph):
    e, w = graph
    e.backward()
    total = path_sum(e, w).total
    assert total == w.grad or total != total != w.grad != w.grad


def test_total_is_to_the_last_bit_what_backward_gives_in_networks():
    net = Network.random([3, 5, 4, 2], "tanh", seed=3)
    e = net.forward([0.3, -0.7, 0.9], [0.2, -0.4]).e
    e.backward()
    assert all(path_sum(e, leaf).total == leaf.grad != 0 for leaf in net.parameters())


MODERATE = st.floats(1e-3, 1e3) | st.sampled_from([0.1, 0.3, 0.7, 1.1, 3.0, 1.0])


@settings(max_examples=depth(150, by_default=30))
@given(weighted(MODERATE | MODERATE.map(lambda x: -x)), st.integers(1, 30))
def test_largest_products_in_floats_are_those_of_the_sorted_list(graph, n):
    e, w = graph
    expected = by_size(every_path(e, w))[:n]
    found = largest_paths(e, w, n)
    assert [abs(path.product) for path in found] == [abs(math.prod(each)) for _, each in expected]
    assert [path.slots for path in found] == [slots for slots, _ in expected]


def test_products_equal_but_for_rounding_stand_as_their_products_do():
    """0.1 * 0.3 * 0.7 differs in the last place from 0.7 * 0.3 * 0.1."""
    x = Value(1.0)
    factors = [(0.1, 0.3, 0.7), (0.7, 0.3, 0.1), (0.3, 0.1, 0.7), (0.7, 0.1, 0.3)]
    branches = [((x * c) * b) * a for a, b, c in factors]
    e = dot(branches, [1.0] * len(branches))
    products = [path.product for path in paths(e, x)]
    assert len({*products}) > 1
    for n in range(1, 5):
        best = sorted(products, reverse=True)[:n]
        assert [path.product for path in largest_paths(e, x, n)] == best


EXTREME = st.sampled_from([1e-300, 1e-200, -1e-100, 5e-324, 1.0, 1e100, -1e200, 1.7e308, 0.0])


@settings(max_examples=depth(150, by_default=30))
@given(weighted(EXTREME), st.integers(1, 30))
def test_sizes_beyond_the_range_of_floats_are_in_the_true_order(graph, n):
    e, w = graph

    def size(locals_):
        return abs(math.prod(map(Fraction, locals_)))

    expected = [size(locals_) for _, locals_ in by_size(every_path(e, w), size)][:n]
    found = [size(path.local_derivatives) for path in largest_paths(e, w, n)]
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert abs(one - other) <= other * Fraction(1, 2**40)


def scaled(x, *factors):
    for factor in factors:
        x = x * factor
    return x


def test_a_product_that_underflows_on_the_way_is_ranked_by_what_it_is():
    x = Value(1.0)
    e = fsum(
        [scaled(x, 1e-120), scaled(x, 1e300, 1e-200, 1e-200), scaled(x, 1e-200, 1e-200, 1e-200)]
    )
    found = largest_paths(e, x, 5)
    assert [path.slots[0] for path in found] == [1, 0, 2]
    assert [path.product for path in found] == [
        pytest.approx(1e-100, rel=1e-15, abs=0.0),
        1e-120,
        0.0,
    ]
    over = fsum([scaled(x, 1e250), scaled(x, 1e-200, 1e200, 1e200), scaled(x, 1e300, 1e300)])
    assert [path.slots[0] for path in largest_paths(over, x)] == [2, 0, 1]


def test_what_is_not_finite_comes_first_and_zero_last():
    x = Value(0.0)
    e = fsum([x * 0.0, x * 5.0, sqrt(x), x * math.nan, x * 7.0])
    assert [path.slots[0] for path in largest_paths(e, x)] == [2, 3, 4, 1, 0]
    total = path_sum(e, x)
    assert (total.count, total.dead) == (5, 1)
    assert math.isnan(total.total)
    assert str(total).endswith("total nan, gross nan")


def test_a_zero_times_an_infinity_is_dead():
    x = Value(0.0)
    e = fsum([x * 1.0, sqrt(x) * 0.0])
    first, last = largest_paths(e, x)
    assert first.product == 1.0
    assert last.product == 0.0  # an infinite slope at a kink times 0
    assert (path_sum(e, x).total, path_sum(e, x).dead) == (1.0, 1)


@pytest.mark.parametrize(
    ("factors", "product"),
    [
        ((1e-200, 1e-200, 1e300), 1e-100),
        ((-1e200, 1e200, 1e-300), -1e100),
        ((1e200, 1e200), math.inf),
        ((-1e200, 1e200), -math.inf),
        ((1e-200, -1e-200), 0.0),
        ((1e200, 1e200, 0.0), math.nan),
        ((0.0, 1e200), 0.0),
        ((2, Fraction(1, 3)), Fraction(2, 3)),
        ((), 1),
        ((5e-324, 5e-324, 1.7e308, 1.7e308), (5e-324 * 1.7e308) ** 2),
    ],
)
def test_multiply_leaves_the_range_of_floats_only_at_the_end(factors, product):
    assert multiply(factors) == pytest.approx(product, rel=1e-15, abs=0.0, nan_ok=True)


def test_flow_of_a_product_that_underflows_on_the_way():
    x = Value(1.0)
    first, second, third = flow(scaled(x, 1e300, 1e-200, 1e-200), x).values()
    assert [*first, *second] == pytest.approx([1e-100] * 4, rel=1e-15, abs=0.0)
    assert third == (0.0, 0.0)  # what comes down to it has underflowed by itself


# ---- of any number type


KINDS = {
    "int": int,
    "Fraction": lambda n: Fraction(n, 3),
    "float": lambda n: n / 3,
    "Decimal": lambda n: Decimal(n) / 3,
    "mpmath": lambda n: mpmath.mpf(n) / 3,
    "numpy": lambda n: np.float64(n) / 3,
    "sympy": lambda n: sympy.Rational(n, 3),
    "root": lambda n: n * sympy.sqrt(2),
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=[*KINDS])
def test_every_number_type_has_its_largest_paths_and_flow(kind):
    rows = [
        [(0, kind(2)), (1, kind(5)), (0, kind(-7))],
        [(2, kind(3)), (0, kind(-4)), (2, kind(0))],
        [(3, kind(2)), (2, kind(-3)), (1, kind(1))],
        [(4, kind(1)), (3, kind(-1)), (4, kind(2)), (2, kind(5))],
    ]
    e, w = build(rows)
    expected = every_path(e, w)
    for n in (1, 5, 100):
        found = largest_paths(e, w, n)
        assert [path.slots for path in found] == [slots for slots, _ in by_size(expected)][:n]
    total = path_sum(e, w)
    assert total.total == gradients(e, [w])[0]
    assert total.dead == sum(0 in locals_ for _, locals_ in expected) > 0
    assert str(total).startswith(f"{len(expected)} paths, {total.dead} dead")
    assert len(flow(e, w)) == 11


def test_symbols_have_totals_and_flow_but_no_largest_paths():
    a, b, x = sympy.symbols("a b x")
    leaf = Value(x)
    e = leaf * a * leaf - leaf * b
    assert sympy.expand(path_sum(e, leaf).total) == 2 * a * x - b
    assert sum(each.signed for (node, _), each in flow(e, leaf).items() if node is e) == (
        sympy.expand(2 * a * x - b)
    )
    assert "total" in str(path_sum(e, leaf))
    with pytest.raises(DataError, match=r"has no size to compare.*paths\(e, w\)"):
        largest_paths(e, leaf)


def test_infinities_of_other_number_types_come_first_too():
    for infinity in (mpmath.inf, Decimal("Infinity"), sympy.oo, sympy.nan, Decimal("NaN")):
        x = Value(1)
        e = dot([x, x, x], [1, infinity, 2])
        assert [path.slots for path in largest_paths(e, x)] == [(1,), (2,), (0,)]


# ---- corners


def test_parallel_edges_are_different_paths():
    x = Value(3)
    e = x * x
    assert [path.slots for path in paths(e, x)] == [(0,), (1,)]
    assert [path.slots for path in largest_paths(e, x)] == [(0,), (1,)]
    assert flow(e, x) == {(e, 0): (3, 3), (e, 1): (3, 3)}
    assert path_count(e * e, x) == 4


def test_a_plain_operand_takes_no_slot():
    x, y = Value(3.0), Value(4.0)
    e = dot([2.0, x, y], [5.0, 6.0, x])
    assert e.parents == (x, y, x)
    assert [path.slots for path in paths(e, x)] == [(0,), (2,)]
    assert [(path.slots, path.product) for path in paths(1.0 - y, y)] == [((0,), -1.0)]
    assert [*flow(e, y)] == [(e, 1)]


def test_from_a_node_to_itself_there_is_the_empty_path():
    x = Value(2.0)
    for node in (x, x * x):
        (path,) = paths(node, node)
        assert (path.nodes, path.product, path_count(node, node)) == ((node,), 1, 1)
        assert largest_paths(node, node) == [path]
        assert path_sum(node, node) == PathSum(1, 1, 1)
        assert flow(node, node) == {}


def test_a_node_that_does_not_matter_has_no_path():
    x, y = Value(2.0), Value(3.0)
    e = x * x
    for other in (y, e * 2.0):
        assert list(paths(e, other)) == largest_paths(e, other) == []
        assert path_sum(e, other) == PathSum(0, 0, 0)
        assert path_count(e, other) == 0
        assert flow(e, other) == {}
    assert str(path_sum(e, y)) == "no paths: the derivative is 0"


@pytest.mark.parametrize("ask", [path_count, path_sum, paths, flow, largest_paths])
def test_what_is_no_node_is_named(ask):
    with pytest.raises(TypeError, match=r"w must be a Value, .* not float 2\.0"):
        ask(Value(1.0), 2.0)
    with pytest.raises(TypeError, match=r"e must be a Value, .* not str 'x'"):
        ask("x", Value(1.0))


def test_a_number_of_paths_is_whole():
    x = Value(2.0)
    assert largest_paths(x * x, x, 0) == largest_paths(x * x, x, -1) == []
    assert len(largest_paths(x * x, x, np.int64(1))) == 1
    assert len(largest_paths(x * x, x, 10**30)) == 2
    with pytest.raises(TypeError, match=r"n is a whole number, not 2\.0"):
        largest_paths(x * x, x, 2.0)


def doubled(x, times):
    for _ in range(times):
        x = x + x
    return x


def test_enumeration_past_the_limit_is_refused_with_the_count_and_the_call_to_use():
    x = Value(Fraction(1))
    e = doubled(x, 100)
    assert path_sum(e, x) == PathSum(2**100, 2**100, 2**100)
    with pytest.raises(
        TooManyPathsError,
        match=rf"there are {2**100} paths.*limit of {LIMIT}: largest_paths\(e, w, 20\).*path_sum",
    ):
        paths(e, x)
    assert len(list(paths(doubled(x, 3), x, limit=8))) == 8
    with pytest.raises(TooManyPathsError, match="there are 8 paths"):
        paths(doubled(x, 3), x, limit=7)


def test_a_count_too_long_to_print_is_refused_all_the_same():
    x = Value(1.0)
    e = doubled(x, 20_000)
    with pytest.raises(TooManyPathsError, match="exact number of size 1e6021"):
        paths(e, x)
    assert "paths" in str(path_sum(e, x))
    shown = "PathSum(total=inf, gross=inf, count=<exact number of size 1e6021>)"
    assert repr(path_sum(e, x)) == shown


def test_paths_are_listed_lazily():
    x = Value(Fraction(1))
    first = next(paths(doubled(x, 100), x, limit=2**100))
    assert (len(first.nodes), first.product) == (101, 1)


def test_largest_of_astronomically_many_equal_paths_are_the_first_in_order():
    x = Value(1.0)
    e = doubled(x, 100)
    listed = paths(e, x, limit=2**100)
    assert largest_paths(e, x, 5) == [next(listed) for _ in range(5)]


def test_dead_paths_of_a_large_graph_are_drawn_one_by_one():
    x = Value(1.0)
    e = fsum([doubled(x, 100) * 0.0, doubled(x, 2) * 3.0])
    found = largest_paths(e, x, 6)
    assert [path.product for path in found] == [3.0] * 4 + [0.0] * 2
    assert [path.slots[0] for path in found] == [1] * 4 + [0] * 2
    total = path_sum(e, x)
    assert (total.count, total.dead) == (2**100 + 4, 2**100)
    (edge,) = total.dead_edges
    assert (edge.node, edge.paths) == (e.parents[0], 2**100)


# ---- size


def chain(x, size):
    for _ in range(size):
        x = x * 0.9999999
    return x


def comb(x, size):
    v = x
    for _ in range(size):
        v = v * 0.5 + x
    return v


def test_a_long_chain_is_one_path():
    x = Value(1.0)
    size = 100_000
    e = chain(x, size)
    (listed,) = paths(e, x)
    (largest,) = largest_paths(e, x)
    assert listed == largest
    assert len(listed.nodes) == size + 1
    assert listed.product == path_sum(e, x).total
    assert len(flow(e, x)) == path_count(e, x) * size


def test_a_long_comb_has_its_shortest_teeth_largest():
    x = Value(1.0)
    size = 50_000
    e = comb(x, size)
    assert path_count(e, x) == size + 1
    assert [path.product for path in largest_paths(e, x, 3)] == [1.0, 0.5, 0.25]
    assert path_sum(e, x).gross == flow(e, x)[e, 0].gross + 1.0 == 2.0
    for a_tie in (lambda v: v + x, lambda v: x - v):
        v = x
        for _ in range(2_000):
            v = a_tie(v)
        assert largest_paths(v, x, 2) == sorted(paths(v, x), key=lambda path: path.slots)[:2]


def layered(width, depth, seed=7):
    """A network of plain + and *, its inputs, and its first weight."""
    draw = np.random.default_rng(seed).uniform
    o = [Value(draw(0.1, 1)) for _ in range(width)]
    first = None
    for _ in range(depth):
        layer = []
        for _ in range(width):
            z = Value(draw(-1, 1))
            for below in o:
                w = Value(draw(-1, 1))
                first = w if first is None else first
                z = z + w * below
            layer.append(tanh(z))
        o = layer
    return sum((each - 0.5) ** 2 for each in o), first


def test_largest_paths_of_a_network_equal_the_sorted_list():
    for e, w in (layered(5, 4), layered(2, 7)):
        expected = by_size(every_path(e, w))
        assert len(expected) in (5**3, 2**6)
        for n in (1, 10, 200):
            found = [(path.slots, path.local_derivatives) for path in largest_paths(e, w, n)]
            assert found == expected[:n]


def test_thirty_layers_thirty_wide_have_their_count_flow_and_largest_paths_at_once():
    net = Network.random([30] * 31, "tanh", seed=1)
    w = net.w(1, 1, 1)
    e = net.forward([0.1] * 30, [0.5] * 30).e
    total = path_sum(e, w)
    assert total.count == path_count(e, w) == 30**29
    (gradient,) = gradients(e, [w])
    assert total.total == gradient
    top = largest_paths(e, w, 20)
    sizes = [abs(path.product) for path in top]
    assert sizes == sorted(sizes, reverse=True)
    assert len({path.slots for path in top}) == 20
    assert sizes[0] == pytest.approx(best_product(e, w), rel=1e-12)
    flows = flow(e, w)
    into_w = [each for (node, slot), each in flows.items() if node.parents[slot] is w]
    assert math.fsum(each.signed for each in into_w) == pytest.approx(total.total, rel=1e-12)
    assert math.fsum(each.gross for each in into_w) == pytest.approx(total.gross, rel=1e-12)


def best_product(e, w):
    """The size of the largest product, by the recursion for the best alone."""
    best = {w: 1.0}
    from tinygrad_bp.graph import topological_order

    for node in topological_order(e):
        pairs = zip(node.parents, node.local_derivatives, strict=True)
        below = [abs(local) * best[parent] for parent, local in pairs if parent in best]
        if below:
            best[node] = max(below)
    return best[e]


# ---- what is said


def test_cancellation_is_gross_over_net():
    x = Value(3.0)
    assert path_sum(x * 5 - x * 3, x).cancellation == 4.0
    assert path_sum(x * 5 - x * 5, x).cancellation == math.inf
    assert path_sum(x * 0, x).cancellation == 1


@pytest.mark.filterwarnings("error")
def test_a_path_sum_is_a_line_that_a_student_can_read():
    x = Value(0.5, "x")
    o = relu(-x)
    o.label = "o"
    assert str(path_sum(fsum([x * 5.0, x * -4.0, o * o]), x)) == (
        "4 paths, 2 dead (relu 'o' has slope 0, * has slope 0 for o, * has slope 0 for o)"
        "; total 1, gross 9: 89% cancels"
    )
    assert str(path_sum(x * 5, x)) == "1 path; total 5, gross 5: nothing cancels"
    assert str(path_sum(x * 5 - x * 5, x)).endswith("total 0, gross 10: 100% cancels")
    assert str(path_sum(x * 5e6 - x * 5e6 + x, x)).endswith("over 99% cancels")
    assert str(path_sum(x * 5e6 - x, x)).endswith("under 1% cancels")
    assert str(path_sum(x * 0, x)) == "1 path, 1 dead (* has slope 0); total 0, gross 0"
    v = Value(np.float64(3.0))  # NumPy would warn of a division by zero
    assert str(path_sum(v * np.float64(0.0), v)).endswith("gross 0")
    many = path_sum(fsum([x * 0.0 for _ in range(7)]), x)
    assert str(many).startswith(
        "7 paths, 7 dead (* has slope 0, * has slope 0, * has slope 0, and 4"
    )


# ---- contraction


@settings(max_examples=depth(60, by_default=15))
@given(recorded(), st.data())
def test_contracted_paths_give_the_gradient_exactly(graph, data):
    e, w = graph
    nodes = topological_order(e)
    landmarks = [w, *data.draw(st.lists(st.sampled_from(nodes), max_size=4))]
    contracted = contract(e, landmarks)
    assert {*contracted} == {each for each in (e, *landmarks) if each in nodes}
    sums = {e: 1}
    for node, row in contracted.items():
        for lower, local in row.items():
            sums[lower] = sums.get(lower, 0) + sums[node] * local
        assert row == {
            lower: sum(direct)
            for lower in landmarks
            if (direct := [*products_past_none(node, lower, landmarks)]) and lower is not node
        }
    assert sums.get(w, 0) == gradients(e, [w])[0]


def test_what_bypasses_a_landmark_has_an_edge_of_its_own():
    x = Value(3.0)
    y = x * x
    e = y * y + x * 5.0
    assert contract(e, [y, x]) == {e: {y: 18.0, x: 5.0}, y: {x: 6.0}, x: {}}
    assert contract(e, []) == {e: {}}
    assert contract(e, [e, Value(1.0)]) == {e: {}}
    assert [*contract(e, [x, y])] == [e, y, x]
    with pytest.raises(TypeError, match=r"a landmark must be a Value, .* not float 2\.0"):
        contract(e, [2.0])


def test_a_long_chain_is_contracted_to_its_ends():
    x = Value(1.0)
    middle = chain(x, 20_000)
    e = chain(middle, 20_000)
    rows = contract(e, [middle, x])
    assert rows[e][middle] * rows[middle][x] == pytest.approx(path_sum(e, x).total, rel=1e-12)


def test_counts_of_many_digits_are_let_go_on_the_way():
    x = Value(1.0)
    a = b = x
    for _ in range(20_000):
        a, b = b, a + b
    tracemalloc.start()
    try:
        count = path_count(b, x)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    p = q = 1
    for _ in range(20_000):
        p, q = q, p + q
    assert count == q
    assert path_sum(b, x).count == q
    # The counts of all nodes together are 17 MB; the columns of the graph some 5.
    assert peak < 10_000_000


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("limit", lambda e, n: paths(e, e, limit=n)),
        ("n", lambda e, n: largest_paths(e, e, n)),
        ("limit", lambda e, n: naive(e, limit=n)),
        ("limit", lambda e, n: _RUN.terms(1, 1, 1, limit=n)),
        ("limit", lambda e, n: _RUN.bias_terms(1, 1, limit=n)),
        ("n", lambda e, n: _RUN.largest_terms(1, 1, 1, n=n)),
        ("max_nodes", lambda e, n: viz.draw(e, max_nodes=n)),
        ("max_steps", lambda e, n: viz.frames(e, max_steps=n)),
        ("max_terms", lambda e, n: viz.network(_RUN, (1, 1, 1), max_terms=n)),
        ("seed", lambda e, n: Network.random([1, 1], seed=n)),
        ("seed", lambda e, n: split([], 0.5, n, by_target=False)),
        ("seed", lambda e, n: train(_RUN.network, _SAMPLES, epochs=1, eta=1.0, seed=n)),
        ("epochs", lambda e, n: train(_RUN.network, _SAMPLES, epochs=n, eta=1.0, seed=0)),
    ],
)
@pytest.mark.parametrize("number", ["3", 2.0, True, [1]])
def test_what_counts_is_a_whole_number_wherever_it_is_asked_for(name, call, number):
    x = Value(2.0)
    with pytest.raises(ArgumentError, match=f"^{name} is a whole number, not "):
        call(x * x, number)
