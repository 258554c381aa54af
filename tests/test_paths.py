"""The gradient as a sum over paths: exact in fractions, on any graph."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_bp import TooManyPathsError, Value, path_count, path_sum, paths
from tinygrad_bp.paths import PathSum, sweep


@st.composite
def graphs(draw):
    """A leaf and a result, with shared nodes, parallel edges and nodes that do not matter."""
    pool = [Value(draw(st.fractions(-3, 3, max_denominator=5))) for _ in range(2)]
    for _ in range(draw(st.integers(1, 7))):
        a, b = draw(st.sampled_from(pool)), draw(st.sampled_from(pool))
        pool.append(draw(st.sampled_from([a.__add__, a.__mul__, a.__sub__]))(b))
    return pool[0], pool[-1]


def all_paths(e, w):
    """By plain recursion: the oracle."""
    if e is w:
        return [()]
    return [
        (local, *rest)
        for parent, local in zip(e.parents, e.local_derivatives, strict=True)
        for rest in all_paths(parent, w)
    ]


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_sum_of_products_equals_grad_exactly(graph):
    w, e = graph
    e.backward()
    expected = all_paths(e, w)
    listed = list(paths(e, w))
    assert [path.local_derivatives for path in listed] == expected
    assert path_count(e, w) == len(expected)
    gross = sum(abs(math.prod(each)) for each in expected)
    assert path_sum(e, w) == PathSum(w.grad, gross, len(expected))
    assert sum(path.product for path in listed) == w.grad
    for path in listed:
        assert (path.nodes[0], path.nodes[-1]) == (e, w)
        for above, below, slot, local in zip(
            path.nodes, path.nodes[1:], path.slots, path.local_derivatives, strict=False
        ):
            assert above.parents[slot] is below
            assert above.local_derivatives[slot] == local


def test_parallel_edges_are_different_paths():
    x = Value(3)
    e = x * x
    assert [path.slots for path in paths(e, x)] == [(0,), (1,)]
    assert path_count(e * e, x) == 4


def test_from_a_node_to_itself_there_is_the_empty_path():
    x = Value(2.0)
    (path,) = paths(x, x)
    assert (path.nodes, path.product, path_count(x, x)) == ((x,), 1, 1)


def test_a_node_that_does_not_matter_has_no_path():
    x, y = Value(2.0), Value(3.0)
    e = x * x
    assert list(paths(e, y)) == []
    assert path_sum(e, y) == PathSum(0, 0, 0)


def test_enumeration_past_the_limit_is_refused_with_the_count():
    x = Value(Fraction(1))
    e = x
    for _ in range(100):
        e = e + e
    assert path_sum(e, x) == PathSum(2**100, 2**100, 2**100)
    with pytest.raises(TooManyPathsError, match=rf"there are {2**100} paths.*path_sum"):
        paths(e, x)


def test_paths_are_listed_lazily():
    x = Value(Fraction(1))
    e = x
    for _ in range(100):
        e = e + e
    first = next(paths(e, x, limit=2**100))
    assert (len(first.nodes), first.product) == (101, 1)


def test_a_long_chain_is_one_path():
    x = Value(1.0)
    e = x
    for _ in range(50_000):
        e = -e
    (path,) = paths(e, x)
    assert len(path.nodes) == 50_001


def test_cancellation_is_gross_over_net():
    x = Value(3.0)
    assert path_sum(x * 5 - x * 3, x).cancellation == 4.0
    assert path_sum(x * 5 - x * 5, x).cancellation == math.inf
    assert path_sum(x * 0, x).cancellation == 1


def test_sweep_stops_where_it_is_told():
    x = Value(3.0)
    y = x * x
    sums = sweep(y * y, stop={y})
    assert sums[y] == 18.0
    assert x not in sums
