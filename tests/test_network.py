"""The network against the note: exactly in fractions, to rounding in floats, and in symbols."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import mpmath
import numpy as np
import pytest
import sympy
from depth import depth
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_bp import (
    DataError,
    Network,
    NetworkError,
    NumberRangeError,
    TooManyPathsError,
    Value,
    maximum,
    note,
    path_count,
    path_sum,
    paths,
    primitive,
    relu,
    softmax,
    square,
    tanh,
)
from tinygrad_bp.derivation import derivation

# Each activation as the engine takes it and, beside it, as the note's pair (f, f').
RATIONAL = {
    "x": (lambda z: z, (lambda z: z, lambda z: 1)),
    "x^2": (square, (lambda z: z * z, lambda z: 2 * z)),
    "relu": (relu, (lambda z: z if z > 0 else 0 * z, lambda z: 1 if z > 0 else 0)),
    "x/(1+|x|)": (
        lambda z: z / (1 + abs(z)),
        (lambda z: z / (1 + abs(z)), lambda z: 1 / (1 + abs(z)) ** 2),
    ),
}
FRACTIONS = st.fractions(-3, 3, max_denominator=7)


@st.composite
def layered(draw, numbers, activations, max_depth=4, max_width=3):
    """Sizes, weights, biases, the name of each node's activation, input and target."""
    sizes = draw(st.lists(st.integers(1, max_width), min_size=2, max_size=max_depth + 1))

    def rows(count, width):
        return [[draw(numbers) for _ in range(width)] for _ in range(count)]

    weights = [rows(size, below) for below, size in pairwise(sizes)]
    biases = [rows(1, size)[0] for size in sizes[1:]]
    names = [[draw(st.sampled_from(activations)) for _ in range(size)] for size in sizes[1:]]
    return sizes, weights, biases, names, rows(1, sizes[0])[0], rows(1, sizes[-1])[0]


def places(sizes):
    return [
        (i, j, k)
        for i in range(1, len(sizes))
        for j in range(1, sizes[i] + 1)
        for k in range(1, sizes[i - 1] + 1)
    ]


@settings(max_examples=depth(60, by_default=15))
@given(layered(FRACTIONS, sorted(RATIONAL)))
def test_engine_equals_terms_equals_closed_forms_exactly(case):
    sizes, weights, biases, names, x, t = case
    net = Network(weights, biases, [[RATIONAL[name][0] for name in layer] for layer in names])
    pairs = [[RATIONAL[name][1] for name in layer] for layer in names]
    layers = (weights, biases, pairs, x, t)
    run = net.forward(x, t)
    run.e.backward()
    outputs, e = note.summation_forward(*layers)
    assert run.e.data == e
    assert [run.o(len(sizes) - 1, j).data for j in range(1, sizes[-1] + 1)] == outputs[-1]
    matrices = {i: note.matrix_gradient(*layers, i) for i in range(1, len(sizes))}
    for i, j, k in places(sizes):
        gradient = net.w(i, j, k).grad
        terms = run.terms(i, j, k)
        assert gradient == sum(term.value for term in terms)
        assert [tuple(term) for term in terms] == [
            tuple(term) for term in note.summation_terms(*layers, i, j, k)
        ]
        assert gradient == note.summation_expanded(*layers, i, j, k)
        assert gradient == note.summation_nested(*layers, i, j, k)
        assert gradient == note.summation_bracketed(*layers, i, j, k)
        assert gradient == matrices[i][j - 1][k - 1]
        assert gradient == sum(path.product for path in paths(run.e, net.w(i, j, k)))
        bias_terms = run.bias_terms(i, j)
        assert net.b(i, j).grad == sum(term.value for term in bias_terms)
        assert net.b(i, j).grad == note.bias_gradient(*layers, i, j)
        assert [term.factors[-1] for term in bias_terms] == [-1] * len(bias_terms)
        assert run.o(i, j).grad == note.node_gradient(*layers, i, j)
    for k in range(1, sizes[0] + 1):
        assert run.x(k).grad == note.input_gradient(*layers, k)


@settings(max_examples=depth(30, by_default=10))
@given(layered(FRACTIONS, sorted(RATIONAL)), FRACTIONS)
def test_descend_is_the_notes_update_exactly(case, eta):
    sizes, weights, biases, names, x, t = case
    net = Network(weights, biases, [[RATIONAL[name][0] for name in layer] for layer in names])
    layers = (weights, biases, [[RATIONAL[name][1] for name in layer] for layer in names], x, t)
    net.forward(x, t).e.backward()
    net.descend(eta)
    for i, j, k in places(sizes):
        moved = weights[i - 1][j - 1][k - 1] + note.summation_update(*layers, i, j, k, eta)
        assert net.weights[i - 1][j - 1][k - 1] == moved
        moved = biases[i - 1][j - 1] - eta * note.bias_gradient(*layers, i, j)
        assert net.biases[i - 1][j - 1] == moved


SMOOTH = {
    "tanh": (mpmath.tanh, lambda z: mpmath.sech(z) ** 2),
    "sigmoid": (
        lambda z: 1 / (1 + mpmath.exp(-z)),
        lambda z: mpmath.exp(-z) / (1 + mpmath.exp(-z)) ** 2,
    ),
}
UNIT_ROUNDOFF = 2.0**-53
PASS_BOUND = 16
"""The pass's own rounding, in units of the roundoff times the gross path sum: against the recorded
local derivatives, multiplied and summed at 50 digits.  The largest of 40,000 networks was 4.7."""

ROUNDING_BOUND = 32
"""The rounding of forward and backward together, in the same units, against the note's closed form at
50 digits.  Weights and inputs are positive, biases negative and targets outside the outputs' range:
where a net input or t - o cancels, the forward rounding is magnified, and no bound in the gross sum
of the paths can hold for any engine.  The largest of 20,000 networks was 16.4."""


def magnitudes(smallest):
    return st.floats(smallest, 1.5)  # far from underflow, where roundoff is not relative


@settings(max_examples=depth(60, by_default=15))
@given(layered(magnitudes(1e-3) | magnitudes(1e-3).map(lambda x: -x), sorted(SMOOTH)))
def test_the_pass_is_within_rounding_of_its_paths_at_50_digits(case):
    _sizes, weights, biases, names, x, t = case
    net = Network(weights, biases, names)
    run = net.forward(x, t)
    run.e.backward()
    with mpmath.workdps(50):
        for leaf in net.parameters():
            products = [
                mpmath.fprod(map(mpmath.mpf, path.local_derivatives)) for path in paths(run.e, leaf)
            ]
            gross = path_sum(run.e, leaf).gross
            assert abs(leaf.grad - mpmath.fsum(products)) <= PASS_BOUND * UNIT_ROUNDOFF * gross


@settings(max_examples=depth(60, by_default=15))
@given(
    layered(magnitudes(1e-3), sorted(SMOOTH)), st.lists(st.sampled_from([-1.5, 2.5]), min_size=3)
)
def test_floats_are_within_rounding_of_50_digits(case, targets):
    sizes, weights, biases, names, x, _ = case
    biases = [[-b for b in layer] for layer in biases]
    t = targets[: sizes[-1]]
    net = Network(weights, biases, names)
    run = net.forward(x, t)
    run.e.backward()
    with mpmath.workdps(50):
        exact = [_to_mpf(each) for each in (weights, biases)]
        pairs = [[SMOOTH[name] for name in layer] for layer in names]
        for i, j, k in places(sizes):
            truth = note.summation_bracketed(*exact, pairs, _to_mpf(x), _to_mpf(t), i, j, k)
            gross = path_sum(run.e, net.w(i, j, k)).gross
            bound = ROUNDING_BOUND * UNIT_ROUNDOFF * gross
            assert abs(net.w(i, j, k).grad - truth) <= bound
            assert abs(math.fsum(term.value for term in run.terms(i, j, k)) - truth) <= bound
        for i in range(1, len(sizes)):
            for j in range(1, sizes[i] + 1):
                truth = note.bias_gradient(*exact, pairs, _to_mpf(x), _to_mpf(t), i, j)
                gross = path_sum(run.e, net.b(i, j)).gross
                assert abs(net.b(i, j).grad - truth) <= ROUNDING_BOUND * UNIT_ROUNDOFF * gross


def _to_mpf(numbers):
    if isinstance(numbers, list):
        return [_to_mpf(each) for each in numbers]
    return mpmath.mpf(numbers)


# ---- rows 1.1 to 1.3 in symbols, with an activation of which nothing is known


def unknown_function(layer):
    """An activation f_i with derivative f_i', both unknown: as a primitive, and as sympy has them."""
    slope = sympy.Function(f"f{layer}'")

    class Unknown(sympy.Function):
        def fdiff(self, argindex=1):
            return slope(*self.args)

    Unknown.__name__ = f"f{layer}"
    return primitive(f"f{layer}", Unknown, (lambda z, out: slope(z),)), Unknown, slope


def chain_of(depth):
    """A network of one node a layer, all symbols, run on symbols."""
    w = sympy.symbols(f"w1:{depth + 1}")
    b = sympy.symbols(f"b1:{depth + 1}")
    x, t = sympy.symbols("x t")
    unknown = [unknown_function(layer) for layer in range(1, depth + 1)]
    net = Network([[[each]] for each in w], [[each] for each in b], [each[0] for each in unknown])
    run = net.forward([x], [t])
    run.e.backward()
    return w, b, x, t, unknown, net, run


def test_row_1_1_single_layer_in_symbols():
    (w,), (b,), x, t, ((_, f, df),), net, run = chain_of(1)
    o = f(w * x - b)
    assert run.e.data == (t - o) ** 2
    assert run.o(1, 1).data == o
    right_hand_side = 2 * (o - t) * df(w * x - b) * x
    assert sympy.simplify(net.w(1, 1, 1).grad - right_hand_side) == 0
    assert sympy.simplify(right_hand_side - sympy.diff((t - o) ** 2, w)) == 0
    assert note.single_layer_gradient(w, b, (f, df), x, t) == right_hand_side
    eta = sympy.Symbol("eta")
    net.descend(eta)
    assert sympy.simplify(net.w(1, 1, 1).data - (w - 2 * eta * (o - t) * df(w * x - b) * x)) == 0


def test_row_1_2_double_layer_in_symbols():
    (w1, w2), (b1, b2), x, t, ((_, f1, df1), (_, f2, df2)), net, _run = chain_of(2)
    z1 = w1 * x - b1
    z2 = w2 * f1(z1) - b2
    right_hand_side = 2 * (f2(z2) - t) * df2(z2) * w2 * df1(z1) * x
    assert sympy.simplify(net.w(1, 1, 1).grad - right_hand_side) == 0
    assert sympy.simplify(right_hand_side - sympy.diff((t - f2(z2)) ** 2, w1)) == 0
    eta = sympy.Symbol("eta")
    net.descend(eta)
    assert sympy.simplify(net.w(1, 1, 1).data - (w1 - eta * right_hand_side)) == 0


@pytest.mark.parametrize("depth", [3, 4])
def test_row_1_3_multi_layer_in_symbols(depth):
    w, b, x, t, unknown, net, run = chain_of(depth)
    outputs, net_inputs = [x], []
    for each, bias, (_, f, _) in zip(w, b, unknown, strict=True):
        net_inputs.append(each * outputs[-1] - bias)
        outputs.append(f(net_inputs[-1]))
    slopes = [df(z) for (_, _, df), z in zip(unknown, net_inputs, strict=True)]
    e = (t - outputs[-1]) ** 2
    eta = sympy.Symbol("eta")
    sides = []
    for i in range(1, depth + 1):
        bracket = math.prod(slopes[k - 1] * w[k - 1] for k in range(i + 1, depth + 1))
        right_hand_side = 2 * (outputs[-1] - t) * bracket * slopes[i - 1] * outputs[i - 1]
        sides.append(right_hand_side)
        assert sympy.simplify(net.w(i, 1, 1).grad - right_hand_side) == 0
        assert sympy.simplify(right_hand_side - sympy.diff(e, w[i - 1])) == 0
        assert sympy.simplify(sum(term.value for term in run.terms(i, 1, 1)) - right_hand_side) == 0
    net.descend(eta)
    for i, right_hand_side in enumerate(sides, 1):
        assert sympy.simplify(net.w(i, 1, 1).data - (w[i - 1] - eta * right_hand_side)) == 0


def test_terms_hold_symbolically_in_a_wide_network():
    symbols = iter(sympy.symbols("s1:40"))
    weights = [[[next(symbols) for _ in range(2)] for _ in range(2)] for _ in range(3)]
    biases = [[next(symbols) for _ in range(2)] for _ in range(3)]
    x, t = [next(symbols), next(symbols)], [next(symbols), next(symbols)]
    unknown = [unknown_function(layer) for layer in (1, 2, 3)]
    net = Network(weights, biases, [each[0] for each in unknown])
    run = net.forward(x, t)
    run.e.backward()
    pairs = [[(f, df)] * 2 for _, f, df in unknown]
    closed = note.summation_expanded(weights, biases, pairs, x, t, 1, 2, 1)
    assert sympy.expand(net.w(1, 2, 1).grad - closed) == 0
    assert sympy.expand(sum(term.value for term in run.terms(1, 2, 1)) - closed) == 0


# ---- the graph that a run records


def test_every_edge_carries_exactly_one_factor_of_the_note():
    net = Network([[[2.0, 3.0]]], [[0.5]], "square")
    run = net.forward([5.0, 7.0], [1.0])
    z = run.z(1, 1)
    weighted, bias = z.parents
    assert (weighted.op, z.op, run.o(1, 1).op) == ("dot", "-", "square")
    assert z.local_derivatives == (1.0, -1.0)
    assert bias is net.b(1, 1)
    assert weighted.parents == (net.w(1, 1, 1), net.w(1, 1, 2), run.x(1), run.x(2))
    assert weighted.local_derivatives == (5.0, 7.0, 2.0, 3.0)
    assert run.o(1, 1).local_derivatives == (2 * (2 * 5 + 3 * 7 - 0.5),)


def test_error_is_the_sum_of_squares_without_a_half():
    run = Network([[[1.0]], [[1.0], [1.0]]], [[0.0], [0.0, 1.0]], "identity").forward(
        [3.0], [1.0, 5.0]
    )
    assert run.e.data == (1 - 3) ** 2 + (5 - 2) ** 2
    assert run.e.op == "fsum"


def test_an_activation_of_many_nodes_counts_as_one_factor():
    def softsign(z):
        return z / (1 + abs(z))

    net = Network([[[Fraction(1)]], [[Fraction(2)]]], [[Fraction(0)], [Fraction(0)]], softsign)
    run = net.forward([Fraction(1)], [Fraction(0)])
    (term,) = run.terms(1, 1, 1)
    o = Fraction(1, 2)
    assert term.factors == (2 * o, Fraction(1, 4), 2, Fraction(1, 4), 1)
    assert path_count(run.e, net.w(1, 1, 1)) > 1


COMPOSED = {
    "itself": lambda z: z,
    "many uses": lambda z: z * z * z - z / (1 + abs(z)) + z,
    "leaves of its own": lambda z: z * Value(Fraction(2, 3)) - Value(Fraction(1)) * z * z,
    "no use": lambda z: Value(Fraction(1, 2)),
    "a slope of 0": lambda z: z * 0 + 1,
    "relu": relu,
}


@settings(max_examples=depth(40, by_default=10))
@given(layered(FRACTIONS, sorted(COMPOSED), max_depth=3), st.data())
def test_terms_are_the_recorded_paths_grouped_by_the_outputs_they_pass(case, data):
    sizes, weights, biases, names, x, t = case
    net = Network(weights, biases, [[COMPOSED[name] for name in layer] for layer in names])
    run = net.forward(x, t)
    i, j, k = data.draw(st.sampled_from(places(sizes)))
    for leaf, terms in ((net.w(i, j, k), run.terms(i, j, k)), (net.b(i, j), run.bias_terms(i, j))):
        grouped = dict.fromkeys((term.indices for term in terms), Fraction(0))
        assert len(grouped) == len(terms) == math.prod(sizes[i + 1 :])
        for path in paths(run.e, leaf):
            passed = tuple(
                next(j for j in range(1, sizes[m] + 1) if run.o(m, j) in path.nodes)
                for m in range(len(sizes) - 1, i, -1)
            )
            grouped[passed] += path.product
        assert {term.indices: term.value for term in terms} == grouped
        assert all(math.prod(term.factors) == term.value for term in terms)


@settings(max_examples=depth(40, by_default=10))
@given(layered(FRACTIONS, sorted(COMPOSED)), st.integers(-1, 30), st.data())
def test_largest_terms_and_the_rest_are_all_terms_exactly(case, n, data):
    sizes, weights, biases, names, x, t = case
    net = Network(weights, biases, [[COMPOSED[name] for name in layer] for layer in names])
    run = net.forward(x, t)
    i, j, k = data.draw(st.sampled_from(places(sizes)))
    run.e.backward()
    for leaf, terms, largest in (
        (net.w(i, j, k), run.terms(i, j, k), run.largest_terms(i, j, k, n=n)),
        (net.b(i, j), run.bias_terms(i, j), run.largest_terms(i, j, n=n)),
    ):
        assert largest.terms == sorted(terms, key=lambda term: -abs(term.value))[: max(n, 0)]
        assert (
            largest.total == leaf.grad == largest.rest + sum(each.value for each in largest.terms)
        )
        assert largest.count == len(terms) == len(largest.terms) + largest.rest_count


def test_a_large_network_gives_its_largest_terms_and_the_rest_at_once():
    net = Network.random([30] * 31, "tanh", seed=2)
    run = net.forward([0.2] * 30, [0.1] * 30)
    run.e.backward()
    largest = run.largest_terms(1, 2, 3)
    assert (len(largest.terms), largest.count, largest.rest_count) == (20, 30**29, 30**29 - 20)
    assert largest.total == net.w(1, 2, 3).grad
    sizes = [abs(term.value) for term in largest.terms]
    assert sizes == sorted(sizes, reverse=True)
    assert len({term.indices for term in largest.terms}) == 20
    shown = math.fsum(term.value for term in largest.terms)
    assert largest.rest == pytest.approx(largest.total - shown, rel=1e-9)
    with pytest.raises(TooManyPathsError, match=rf"{30**29} terms.*largest_terms\(i, j, k, n\)"):
        run.terms(1, 2, 3)


def test_nothing_is_left_where_every_term_is_shown():
    run = Network.random([2, 3, 2], seed=1).forward([0.3, 0.4], [0.1, 0.2])
    largest = run.largest_terms(1, 1, 1, n=2)
    assert (largest.rest, largest.rest_count) == (0, 0)


def test_symbols_have_terms_but_no_largest_ones():
    run = chain_of(2)[-1]
    assert len(run.terms(1, 1, 1)) == 1
    with pytest.raises(DataError, match="no size to compare"):
        run.largest_terms(1, 1, 1)


def test_terms_are_refused_where_an_activation_uses_other_nodes():
    earlier = []

    def residual(z):
        earlier.append(z)
        return z + earlier[0]

    net = Network.random([1, 1, 1], residual, seed=1)
    run = net.forward([1.0], [0.0])
    for ask in (run.terms, run.largest_terms):
        with pytest.raises(NetworkError, match="other nodes of the network than its own"):
            ask(1, 1, 1)


def test_activations_per_layer_and_per_node():
    net = Network.random([2, 2, 1], ["tanh", ["sigmoid"]], seed=1)
    assert net.activations == [["tanh", "tanh"], ["sigmoid"]]
    net = Network.random([2, 2, 1], [["relu", square], "identity"], seed=1)
    run = net.forward([1.0, 2.0])
    assert [run.o(1, 1).op, run.o(1, 2).op, run.o(2, 1).op] == ["relu", "square", "identity"]


def test_labels_are_the_notes():
    net = Network.random([2, 3, 1], seed=0)
    run = net.forward([1.0, 2.0], [0.0])
    assert net.w(1, 3, 2).label == "w[1][3,2]"
    assert net.b(2, 1).label == "b[2][1]"
    assert (run.x(2).label, run.t(1).label, run.o(1, 3).label, run.e.label) == (
        "x[2]",
        "t[1]",
        "o[1][3]",
        "e",
    )
    assert run.o(0, 2) is run.x(2)


def test_input_may_be_values_of_a_larger_graph():
    x = Value(3.0)
    net = Network([[[2.0]]], [[0.0]], "identity")
    net.forward([x * x], [0.0]).e.backward()
    assert x.grad == 2 * 18 * 2 * 6


def test_random_is_reproducible():
    assert Network.random([3, 2], seed=4).weights == Network.random([3, 2], seed=4).weights
    assert Network.random([3, 2], seed=4).weights != Network.random([3, 2], seed=5).weights


# ---- what is refused


@pytest.mark.parametrize(
    ("i", "j", "k"),
    [(0, 1, 1), (1, 0, 1), (1, 1, 0), (3, 1, 1), (1, 4, 1), (1, 1, 3), (-1, 1, 1), (True, 1, 1)],
)
def test_index_zero_or_past_the_end_is_refused(i, j, k):
    net = Network.random([2, 3, 1], seed=0)
    run = net.forward([1.0, 2.0], [0.0])
    for ask in (net.w, run.terms):
        with pytest.raises(IndexError, match="indices start at 1"):
            ask(i, j, k)


def test_bias_and_node_indices_are_refused():
    net = Network.random([2, 3, 1], seed=0)
    run = net.forward([1.0, 2.0])
    for ask in (lambda: net.b(1, 4), lambda: run.o(2, 2), lambda: run.x(0), lambda: run.z(0, 1)):
        with pytest.raises(IndexError, match="start at 1"):
            ask()
    with pytest.raises(NetworkError, match="no error: give forward a target"):
        _ = run.e
    with pytest.raises(NetworkError, match="no target"):
        run.t(1)


@pytest.mark.parametrize(
    ("weights", "biases", "activations", "message"),
    [
        (
            [[[1.0, 2.0], [3.0]]],
            [[0.0, 0.0]],
            "tanh",
            "row 2 of the weights of layer 1 has 1 numbers",
        ),
        ([[[1.0]], [[1.0, 2.0]]], [[0.0], [0.0]], "tanh", "layer 1 has 1 nodes"),
        ([[[1.0]]], [[0.0, 0.0]], "tanh", "biases for layers of"),
        ([[[1.0]]], [], "tanh", "biases for layers of"),
        ([], [], "tanh", "none empty"),
        ([[]], [[]], "tanh", "none empty"),
        ([[[]]], [[0.0]], "tanh", "layer 1 is empty"),
        (1.0, 2.0, "tanh", "weights are lists"),
        ([[[1.0]]], [[0.0]], "tan_h", "unknown activation 'tan_h'"),
        ([[[1.0]]], [[0.0]], ["tanh", "tanh"], "2 activations for 1 layers"),
        ([[[1.0]]], [[0.0]], [["tanh", "tanh"]], "2 activations for the 1 nodes of layer 1"),
        (
            [[[1.0]]],
            [[0.0]],
            maximum,
            "no function of one number as activation 'maximum'; known: neg",
        ),
        ([[[1.0]]], [[0.0]], None, "an activation is a name or a function"),
        ([[[1.0]]], [[0.0]], 3, "an activation is a name or a function"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(weights, biases, activations, message):
    with pytest.raises(NetworkError, match=message):
        Network(weights, biases, activations)


def test_what_is_no_number_is_refused():
    with pytest.raises(DataError, match="must be a real number"):
        Network([[["1"]]], [[0.0]])
    with pytest.raises(NetworkError, match="the input has 1 numbers, and the network takes 2"):
        Network.random([2, 1], seed=0).forward([1.0])
    with pytest.raises(NetworkError, match="the target has 2 numbers"):
        Network.random([2, 1], seed=0).forward([1.0, 2.0], [1.0, 2.0])
    with pytest.raises(NetworkError, match=r"the input is a list of numbers, not 1\.0: \[1\.0\]"):
        Network.random([1, 1], seed=0).forward(1.0)
    with pytest.raises(NetworkError, match=r"the target is a list of numbers, not 0\.5: \[0\.5\]"):
        Network.random([1, 1], seed=0).forward([1.0], 0.5)
    with pytest.raises(NetworkError, match=r"that of o\[1\]\[1\] is none: softmax takes a list"):
        Network([[[1.0]]], [[0.0]], softmax).forward([1.0])
    with pytest.raises(NetworkError, match="not a Value"):
        Network([[[1.0]]], [[0.0]], lambda z: 3.0).forward([1.0])
    with pytest.raises(DataError, match="eta"):
        Network.random([1, 1], seed=0).descend("0.1")
    for sizes in ([2], [2, 0], [2, 1.0], [2, True]):
        with pytest.raises(NetworkError, match="sizes"):
            Network.random(sizes)


def test_too_many_terms_are_refused_with_the_count():
    net = Network.random([1, 10, 10, 10, 10], seed=0)
    run = net.forward([1.0], [0.0] * 10)
    with pytest.raises(TooManyPathsError, match=r"1000 terms.*path_sum"):
        run.terms(1, 1, 1, limit=999)
    assert len(run.terms(1, 1, 1, limit=1000)) == 1000


def test_whole_numbers_of_numpy_are_sizes_and_indices():
    net = Network.random(np.array([2, 1]), seed=0)
    assert net.sizes == (2, 1)
    assert net.w(np.int64(1), np.uint8(1), 2) is net.w(1, 1, 2)
    run = net.forward([1.0, 2.0], [0.5])
    assert run.terms(np.int64(1), 1, 1) == run.terms(1, 1, 1)
    assert derivation(run, np.int64(1), 1, 1).place == (1, 1, 1)
    with pytest.raises(IndexError, match=r"layer i is 1\.0, no whole number: indices start at 1"):
        net.w(1.0, 1, 1)


# ---- saving and loading


def test_save_and_load_keep_every_number_exactly(tmp_path):
    file = tmp_path / "net.json"
    net = Network([[[Fraction(1, 3), 0.1]]], [[2]], "relu")
    net.save(file)
    again = Network.load(file)
    assert (again.weights, again.biases, again.activations) == (
        net.weights,
        net.biases,
        net.activations,
    )
    assert type(again.w(1, 1, 1).data) is Fraction
    with pytest.raises(FileExistsError, match="exists already"):
        net.save(file)
    net.save(file, overwrite=True)
    assert [each.name for each in tmp_path.iterdir()] == ["net.json"]


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "{}", "null", '"x"', "\xff",
        '{"format": "other"}',
        '{"format": "tinygrad-bp network", "version": 2}',
        '{"format": "tinygrad-bp network", "version": 1, "weights": [[[1]]]}',
        '{"format": "tinygrad-bp network", "version": 1, "weights": [[[1, 2]], [[1, 2]]], "biases": [[1], [1]], "activations": "tanh"}',
        '{"format": "tinygrad-bp network", "version": 1, "weights": [[[NaN]]], "biases": [[1]], "activations": "tanh"}',
        '{"format": "tinygrad-bp network", "version": 1, "weights": [[["1/0"]]], "biases": [[1]], "activations": "tanh"}',
        '{"format": "tinygrad-bp network", "version": 1, "weights": [[[true]]], "biases": [[1]], "activations": "tanh"}',
        '{"format": "tinygrad-bp network", "version": 1, "weights": [[[null]]], "biases": [[1]], "activations": "tanh"}',
        '{"format": "tinygrad-bp network", "version": 1, "weights": {"a": 1}, "biases": [[1]], "activations": "tanh"}',
        '{"format": "tinygrad-bp network", "version": 1, "weights": [[[1]]], "biases": [[1]], "activations": "no"}',
        '{"format": "tinygrad-bp network", "version": 1, "weights": [[[1]]], "biases": [[1]], "activations": {"a": 2}}',
        '{"format": "tinygrad-bp network", "version": 1, "weights": [[["1e999999999"]]], "biases": [[1]], "activations": "tanh"}',
        '{"format": "tinygrad-bp network", "version": 1, "weights": [[[1e999]]], "biases": [[1]], "activations": "tanh"}',
        *(
            f'{{"format": "tinygrad-bp network", "version": 1, "weights": [[[{number}]]], "biases": [[1]], "activations": "tanh"}}'
            for number in ("1e-400", "-9007199254740993.0")
        ),
        "[" * 100_000,
    ],
    ids=range(23),
)  # fmt: skip
def test_a_file_that_is_no_network_is_refused_by_name(tmp_path, text):
    file = tmp_path / "bad.json"
    file.write_text(text, encoding="latin-1")
    with pytest.raises(NetworkError, match=r"bad\.json' is not a network"):
        Network.load(file)


@pytest.mark.parametrize(
    ("number", "back"),
    [
        (0.1, 0.1),
        (-0.0, -0.0),
        (5e-324, 5e-324),
        (-(10**4000 - 1), -(10**4000 - 1)),
        (Fraction(2), Fraction(2)),
        (Fraction(-1, 10**4000 - 1), Fraction(-1, 10**4000 - 1)),
        *((kind(200), 200) for kind in (np.uint8, np.int16, np.int64, np.uint64)),
        (np.float64(0.1), 0.1),
        (np.float32(0.1), 0.10000000149011612),
        (np.float16(0.1), 0.0999755859375),
        (np.longdouble(0.1), 0.1),
    ],
    ids=lambda number: f"{type(number).__name__}",
)
def test_a_number_comes_back_from_a_file_equal_and_as_it_is_said(tmp_path, number, back):
    net = Network([[[number]]], [[number]], "identity")
    net.save(tmp_path / "net.json")
    again = Network.load(tmp_path / "net.json")
    for read in (again.w(1, 1, 1).data, again.b(1, 1).data):
        assert (read, type(read), str(read)) == (back, type(back), str(back))
        assert read == number


def test_a_function_of_the_table_is_saved_and_taken_to_others_by_its_name(tmp_path):
    net = Network([[[1.0]], [[1.0]]], [[0.0], [0.0]], [tanh, [relu]])
    assert net.activations == [["tanh"], ["relu"]]
    net.save(tmp_path / "net.json")
    assert Network.load(tmp_path / "net.json").activations == net.activations


def test_what_json_cannot_hold_is_not_saved(tmp_path):
    file = tmp_path / "net.json"
    for net, message in [
        (Network([[[1.0]]], [[0.0]], lambda z: z * 2), "only names can be saved; give one of neg"),
        (Network([[[math.inf]]], [[0.0]]), r"w\[1\]\[1,1\] = inf is not finite"),
        (Network([[[1.0]]], [[np.float32("nan")]]), r"b\[1\]\[1\] = .* is not finite"),
        (Network([[[sympy.Symbol("w")]]], [[0.0]]), "= w is of type Symbol.*as with float"),
        (Network([[[sympy.Rational(1, 3)]]], [[0.0]]), "is of type Rational"),
        (Network([[[Decimal("0.1")]]], [[0.0]]), r"Decimal\('0.1'\) is of type Decimal"),
        (Network([[[mpmath.mpf(1)]]], [[0.0]]), "is of type mpf"),
        (Network([[[np.longdouble(1) / 3]]], [[0.0]]), "has more digits than a float"),
        (Network([[[10**4000]]], [[0]]), "has more than 4000 digits"),
        (Network([[[Fraction(1, 10**4000)]]], [[0]]), "has more than 4000 digits"),
    ]:
        with pytest.raises(NetworkError, match=message):
            net.save(file)
    assert list(tmp_path.iterdir()) == []


def test_saved_file_says_its_format(tmp_path):
    Network.random([1, 1], seed=0).save(tmp_path / "net.json")
    content = json.loads((tmp_path / "net.json").read_text())
    assert (content["format"], content["version"]) == ("tinygrad-bp network", 1)


# ---- the derivation


@settings(max_examples=depth(25, by_default=8))
@given(layered(FRACTIONS, sorted(RATIONAL)))
def test_derivation_total_is_backwards_value_exactly(case):
    sizes, weights, biases, names, x, t = case
    net = Network(weights, biases, [[RATIONAL[name][0] for name in layer] for layer in names])
    run = net.forward(x, t)
    for i, j, k in places(sizes):
        for place in ((i, j, k), (i, j)):
            derived = derivation(run, *place)
            assert derived.total == derived.gradient
            sizes_of_terms = [abs(term.value) for term in derived.terms]
            assert sizes_of_terms == sorted(sizes_of_terms, reverse=True)
    assert all(leaf.grad == 0 for leaf in net.parameters())


def test_derivation_is_of_the_recording_whatever_the_network_has_learned_since():
    net = Network.random([2, 2], seed=1)
    run = net.forward([1.0, 2.0], [0.0, 0.0])
    before = derivation(run, 1, 1, 1)
    run.e.backward()
    net.descend(1.0)
    after = derivation(run, 1, 1, 1)
    assert (after.total, after.gradient) == (before.total, before.gradient)
    assert after.estimate.value == pytest.approx(after.total, rel=1e-9)


def test_terms_are_refused_where_the_target_was_made_from_the_weights():
    net = Network.random([2, 2], seed=1)
    first = net.forward([1.0, 2.0])
    run = net.forward([1.0, 2.0], [first.o(1, 1) * 0.5, 0.0])
    with pytest.raises(NetworkError, match="made from the network's own weights"):
        run.terms(1, 1, 1)


def test_numbers_too_large_for_a_float_are_said_to_be():
    with pytest.raises(NumberRangeError, match="too large"):
        Network([[[10**400]]], [[0.5]], "tanh").forward([1.0])
    derived = derivation(Network([[[1e308]]], [[0.0]], "identity").forward([1e10], [0.0]), 1, 1, 1)
    assert "sum of the terms" in derived.to_text()


def test_derivation_text_has_formula_terms_total_and_both_opinions():
    net = Network([[[0.5]], [[2.0], [-1.0]]], [[0.1], [0.0, 0.2]], ["tanh", "identity"])
    run = net.forward([2.0], [1.0, 0.0])
    derived = derivation(run, 1, 1, 1)
    text = derived.to_text(width=90)
    assert (
        "de/dw[1][1,1] = Σ_k2 2(o[2][k2] − t[k2]) · f'[2][k2] · w[2][k2,1] · f'[1][1] · x[1]"
        in text
    )
    for term in run.terms(1, 1, 1):
        assert f"({term.indices[0]})" in text
        assert f"{term.value:+.6g}" in text
    for opinion in ("sum of the terms", "backward", "finite difference"):
        assert re.search(
            rf"^  {opinion} +{re.escape(f'{derived.gradient:+.6g}')}", text, re.MULTILINE
        )
    assert derived.estimate.value == pytest.approx(derived.gradient, rel=1e-9)
    assert derived.to_dict()["gradient"] == derived.gradient
