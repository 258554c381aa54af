"""The note's rows against each other and against oracles that share no code with them.

Everything but one test is exact: Fraction or sympy, compared with `==`. The oracle for every
gradient is forward mode: the number in question becomes a dual number and the forward row is
evaluated. It uses the activations but never their derivatives, and knows nothing of paths.
"""

import doctest
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from itertools import pairwise, product
from math import prod

import mpmath
import numpy as np
import pytest
import sympy as sp
from depth import depth
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_bp import note

# --- the oracle -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Dual:
    """`value + slope * epsilon`, where `epsilon ** 2` is 0: exact forward-mode differentiation."""

    value: Fraction
    slope: Fraction = Fraction(0)

    @staticmethod
    def of(number):
        return number if isinstance(number, Dual) else Dual(Fraction(number))

    def __add__(self, other):
        other = Dual.of(other)
        return Dual(self.value + other.value, self.slope + other.slope)

    def __mul__(self, other):
        other = Dual.of(other)
        return Dual(self.value * other.value, self.slope * other.value + self.value * other.slope)

    def __truediv__(self, other):
        other = Dual.of(other)
        quotient = self.value / other.value
        return Dual(quotient, (self.slope - quotient * other.slope) / other.value)

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + -Dual.of(other)

    def __rsub__(self, other):
        return -self + other

    def __abs__(self):
        return self if self.value >= 0 else -self

    def __gt__(self, other):
        return self.value > other

    __radd__ = __add__
    __rmul__ = __mul__


def slope_of_error(weights, biases, activations, x, t):
    _, e = note.summation_forward(weights, biases, activations, x, t)
    return Dual.of(e).slope


def seeded(nested, *at):
    """Copy nested lists, with the number at these indices (from 1) made the variable."""
    first, *rest = at
    return [
        item if position != first else seeded(item, *rest) if rest else Dual(Fraction(item), 1)
        for position, item in enumerate(nested, 1)
    ]


def true_weight_gradient(case, i, j, k):
    weights, *rest = case
    return slope_of_error(seeded(weights, i, j, k), *rest)


def true_bias_gradient(case, i, j):
    weights, biases, *rest = case
    return slope_of_error(weights, seeded(biases, i, j), *rest)


def true_node_gradient(case, i, j):
    """Differentiate what stands above layer `i`: a network whose input is that layer's output."""
    weights, biases, activations, _, t = case
    outputs, _ = note.summation_forward(*case)
    return slope_of_error(weights[i:], biases[i:], activations[i:], seeded(outputs[i], j), t)


# --- the cases ------------------------------------------------------------------------------------

IDENTITY = (lambda z: z, lambda _: 1)
SQUARE = (lambda z: z * z, lambda z: 2 * z)
RELU = (lambda z: z if z > 0 else 0 * z, lambda z: 1 if z > 0 else 0)
SOFTSIGN = (lambda z: z / (1 + abs(z)), lambda z: 1 / ((1 + abs(z)) * (1 + abs(z))))


@st.composite
def cases(draw, widths=(1, 3), depths=(1, 4)):
    """Draw `(weights, biases, activations, x, t)` in Fraction, the activation differing by node."""
    sizes = [draw(st.integers(*widths)) for _ in range(draw(st.integers(*depths)) + 1)]
    thirds = st.integers(-6, 6).map(lambda n: Fraction(n, 3))

    def numbers(size):
        return draw(st.lists(thirds, min_size=size, max_size=size))

    kinds = st.sampled_from([IDENTITY, SQUARE, RELU, SOFTSIGN])
    layers = list(zip(sizes[1:], sizes, strict=False))
    weights = [[numbers(below) for _ in range(size)] for size, below in layers]
    biases = [numbers(size) for size, _ in layers]
    activations = [draw(st.lists(kinds, min_size=n, max_size=n)) for n, _ in layers]
    return weights, biases, activations, numbers(sizes[0]), numbers(sizes[-1])


def indices_of(weights):
    return [
        (i, j, k)
        for i, matrix in enumerate(weights, 1)
        for j, row in enumerate(matrix, 1)
        for k, _ in enumerate(row, 1)
    ]


def flattened(case):
    """Make a layered case of widths 1 a scalar one."""
    weights, biases, activations, (x,), (t,) = case
    return [w for ((w,),) in weights], [b for (b,) in biases], [f for (f,) in activations], x, t


# 2-3-2-2, every kind of activation, every number different, and no derivative or output zero.
FIXED = (
    [
        [[Fraction(1, 2), 2], [-1, Fraction(3, 2)], [3, 1]],
        [[1, Fraction(-1, 2), 2], [Fraction(5, 2), 1, -1]],
        [[2, 3], [-2, Fraction(7, 2)]],
    ],
    [[1, -2, Fraction(1, 3)], [Fraction(1, 4), Fraction(-3, 4)], [5, -1]],
    [[SQUARE, IDENTITY, SOFTSIGN], [SOFTSIGN, RELU], [IDENTITY, SQUARE]],
    [1, Fraction(4, 3)],
    [2, 7],
)
N = 3


def test_the_fixed_case_hides_nothing():
    """A zero, or a number twice, could make right and wrong agree."""
    weights, *_ = FIXED
    gradients = [true_weight_gradient(FIXED, *at) for at in indices_of(weights)]
    assert len({abs(gradient) for gradient in gradients} - {0}) == len(gradients)


# --- every form, every weight ---------------------------------------------------------------------

quick = settings(max_examples=depth(80, by_default=20))
etas = st.fractions(-3, 3, max_denominator=9)


@quick
@given(cases())
def test_every_form_is_the_derivative_exactly(case):
    weights, *_ = case
    matrices = [note.matrix_gradient(*case, i) for i, _ in enumerate(weights, 1)]
    for i, j, k in indices_of(weights):
        truth = true_weight_gradient(case, i, j, k)
        assert note.summation_nested(*case, i, j, k) == truth
        assert note.summation_expanded(*case, i, j, k) == truth
        assert note.summation_bracketed(*case, i, j, k) == truth
        assert matrices[i - 1][j - 1][k - 1] == truth


@quick
@given(cases(widths=(1, 1), depths=(1, 1)), etas)
def test_single_layer_rows_are_exact(case, eta):
    (w,), (b,), (activation,), x, t = flattened(case)
    row = w, b, activation, x, t
    truth = true_weight_gradient(case, 1, 1, 1)
    f, _ = activation
    assert note.single_layer_forward(*row) == (f(w * x - b), (t - f(w * x - b)) ** 2)
    assert note.single_layer_gradient(*row) == truth
    assert note.single_layer_update(*row, eta) == -eta * truth


@quick
@given(cases(widths=(1, 1), depths=(2, 2)), etas)
def test_double_layer_rows_are_exact(case, eta):
    truth = true_weight_gradient(case, 1, 1, 1)
    assert note.double_layer_gradient(*flattened(case)) == truth
    assert note.double_layer_update(*flattened(case), eta) == -eta * truth


@quick
@given(cases(widths=(1, 1)), etas)
def test_multi_layer_rows_are_exact(case, eta):
    weights, *_ = case
    for i, _ in enumerate(weights, 1):
        truth = true_weight_gradient(case, i, 1, 1)
        assert note.multi_layer_gradient(*flattened(case), i) == truth
        assert note.multi_layer_update(*flattened(case), i, eta) == -eta * truth


@quick
@given(cases())
def test_matrix_and_summation_forward_agree(case):
    assert note.matrix_forward(*case) == note.summation_forward(*case)


def test_forward_by_hand():
    network = [[[1, 2], [3, 4]], [[5, -1]]], [[1, 2], [3]], [[IDENTITY, SQUARE], [SQUARE]]
    expected = [[1, 10], [20, 41**2], [(5 * 20 - 41**2 - 3) ** 2]], (7 - 1584**2) ** 2
    assert note.summation_forward(*network, [1, 10], [7]) == expected
    assert note.matrix_forward(*network, [1, 10], [7]) == expected


def test_error_is_summed_without_half_or_mean():
    network = [[[1], [1]]], [[0, 0]], [[IDENTITY, IDENTITY]]
    for forward in (note.summation_forward, note.matrix_forward):
        _, e = forward(*network, [1], [4, -4])
        assert e == (4 - 1) ** 2 + (-4 - 1) ** 2


@quick
@given(cases())
def test_bias_gradient_is_the_derivative_exactly(case):
    _, biases, *_ = case
    for i, layer in enumerate(biases, 1):
        for j, _ in enumerate(layer, 1):
            assert note.bias_gradient(*case, i, j) == true_bias_gradient(case, i, j)


@quick
@given(cases())
def test_node_gradient_is_the_derivative_exactly(case):
    outputs, _ = note.summation_forward(*case)
    for i, layer in enumerate(outputs):
        for j, _ in enumerate(layer, 1):
            assert note.node_gradient(*case, i, j) == true_node_gradient(case, i, j)


@quick
@given(cases())
def test_input_gradient_is_the_derivative_exactly(case):
    weights, biases, activations, x, t = case
    for k, _ in enumerate(x, 1):
        truth = slope_of_error(weights, biases, activations, seeded(x, k), t)
        assert note.input_gradient(*case, k) == truth


@quick
@given(cases())
def test_activation_jacobian_is_the_derivative_exactly(case):
    """Column q, from the layer alone: the Jacobian for the net input is minus that for the bias."""
    weights, biases, activations, *_ = case
    outputs, _ = note.summation_forward(*case)
    for i, layer in enumerate(biases, 1):
        jacobian = note.matrix_activation_jacobian(*case, i)
        for q, _ in enumerate(layer, 1):
            ((_, seeded_outputs), _) = note.summation_forward(
                weights[i - 1 : i],
                [seeded(layer, q)],
                activations[i - 1 : i],
                outputs[i - 1],
                [0] * len(layer),
            )
            column = [-Dual.of(o).slope for o in seeded_outputs]
            assert [row[q - 1] for row in jacobian] == column


@quick
@given(cases(), etas)
def test_updates_are_minus_eta_times_the_gradient(case, eta):
    weights, *_ = case
    for i, j, k in indices_of(weights):
        step = -eta * true_weight_gradient(case, i, j, k)
        assert note.summation_update(*case, i, j, k, eta) == step
        assert note.matrix_update(*case, i, eta)[j - 1][k - 1] == step


def test_a_small_update_of_all_weights_lowers_the_error():
    weights, *rest = FIXED
    eta = Fraction(1, 10**6)
    _, before = note.summation_forward(*FIXED)
    moved = [
        [
            [w + note.summation_update(*FIXED, i, j, k, eta) for k, w in enumerate(row, 1)]
            for j, row in enumerate(matrix, 1)
        ]
        for i, matrix in enumerate(weights, 1)
    ]
    _, after = note.summation_forward(moved, *rest)
    assert after < before


# --- the terms ------------------------------------------------------------------------------------


@quick
@given(cases())
def test_terms_are_the_notes(case):
    """Their number, their order, each factor looked up by its indices, and their products."""
    weights, biases, activations, _, t = case
    n = len(weights)
    outputs, _ = note.summation_forward(*case)

    def slope(m, j):
        net = sum(w * o for w, o in zip(weights[m - 1][j - 1], outputs[m - 1], strict=True))
        return activations[m - 1][j - 1][1](net - biases[m - 1][j - 1])

    for i, j, k in indices_of(weights):
        terms = list(note.summation_terms(*case, i, j, k))
        widths = [len(outputs[m]) for m in range(n, i, -1)]
        assert [indices for indices, _, _ in terms] == list(
            product(*(range(1, width + 1) for width in widths))
        )
        assert sum(value for _, _, value in terms) == true_weight_gradient(case, i, j, k)
        for indices, factors, value in terms:
            node = dict(zip(range(n, i - 1, -1), (*indices, j), strict=True))
            expected = [2 * (outputs[n][node[n] - 1] - t[node[n] - 1])]
            for m in range(n, i, -1):
                expected += [slope(m, node[m]), weights[m - 1][node[m] - 1][node[m - 1] - 1]]
            expected += [slope(i, j), outputs[i - 1][k - 1]]
            assert factors == tuple(expected)
            assert value == prod(expected)


def test_terms_by_hand():
    network = (
        [[[2]], [[3], [5]], [[7, 11], [13, 17]]],
        [[0], [0, 0], [0, 0]],
        [[IDENTITY], [IDENTITY, IDENTITY], [IDENTITY, IDENTITY]],
    )
    # o1 = 2, o2 = (6, 10), o3 = (152, 248): errors of 1 and 2, so that 2 (o - t) is 2 and 4.
    assert list(note.summation_terms(*network, [1], [151, 246], 1, 1, 1)) == [
        ((1, 1), (2, 1, 7, 1, 3, 1, 1), 42),
        ((1, 2), (2, 1, 11, 1, 5, 1, 1), 110),
        ((2, 1), (4, 1, 13, 1, 3, 1, 1), 156),
        ((2, 2), (4, 1, 17, 1, 5, 1, 1), 340),
    ]
    assert list(note.summation_terms(*network, [1], [151, 246], 3, 2, 1)) == [((), (4, 1, 6), 24)]


def test_terms_are_lazy_and_brackets_do_not_enumerate():
    """3 ** 40 paths: the first term at once, and the bracketed sum all the same."""
    depth, width = 41, 3
    layer = [[1] * width] * width
    case = (
        [[[1]] * width] + [layer] * (depth - 1),
        [[0] * width] * depth,
        [[IDENTITY] * width] * depth,
        [1],
        [3 ** (depth - 1) - 1] * width,
    )
    indices, factors, value = next(note.summation_terms(*case, 1, 1, 1))
    assert (indices, value) == ((1,) * (depth - 1), 2)
    assert len(factors) == 2 * depth + 1
    assert note.summation_bracketed(*case, 1, 1, 1) == 2 * 3 ** (depth - 1)
    assert note.bias_gradient(*case, 1, 1) == -2 * 3 ** (depth - 1)


# --- the note's own algebra: unknown functions, symbols for every number --------------------------


def unknown(name):
    f = sp.Function(name)
    return f, lambda z: f(z).fdiff()


def vanishes(expression):
    return sp.simplify(sp.expand(expression)) == 0


def test_single_layer_symbolically():
    w, b, x, t, eta = sp.symbols("w b x t eta")
    case = w, b, unknown("f"), x, t
    o = sp.Function("f")(w * x - b)
    e = (t - o) ** 2
    assert note.single_layer_forward(*case) == (o, e)
    assert vanishes(note.single_layer_gradient(*case) - sp.diff(e, w))
    assert vanishes(note.single_layer_gradient(*case) - 2 * (o - t) * sp.diff(o, w))
    assert vanishes(note.single_layer_update(*case, eta) + eta * sp.diff(e, w))


def chain_of_unknowns(n):
    w, b = (sp.symbols(f"{letter}1:{n + 1}") for letter in "wb")
    x, t = sp.symbols("x t")
    names = [f"f{m}" for m in range(1, n + 1)]
    o = x
    for w_m, b_m, name in zip(w, b, names, strict=True):
        o = sp.Function(name)(w_m * o - b_m)
    return (w, b, [unknown(name) for name in names], x, t), (t - o) ** 2


def test_double_layer_symbolically():
    case, e = chain_of_unknowns(2)
    (w1, _), *_ = case
    eta = sp.Symbol("eta")
    assert vanishes(note.double_layer_gradient(*case) - sp.diff(e, w1))
    assert vanishes(note.double_layer_update(*case, eta) + eta * sp.diff(e, w1))


@pytest.mark.parametrize(("n", "i"), [(n, i) for n in range(1, 5) for i in range(1, n + 1)])
def test_multi_layer_symbolically(n, i):
    case, e = chain_of_unknowns(n)
    w, *_ = case
    eta = sp.Symbol("eta")
    assert vanishes(note.multi_layer_gradient(*case, i) - sp.diff(e, w[i - 1]))
    assert vanishes(note.multi_layer_update(*case, i, eta) + eta * sp.diff(e, w[i - 1]))


def test_layered_rows_symbolically():
    """2-2-2 with a different unknown function at each node, differentiated by sympy."""
    weights = [[[sp.Symbol(f"w{i}{j}{k}") for k in (1, 2)] for j in (1, 2)] for i in (1, 2)]
    biases = [[sp.Symbol(f"b{i}{j}") for j in (1, 2)] for i in (1, 2)]
    activations = [[unknown(f"f{i}{j}") for j in (1, 2)] for i in (1, 2)]
    x, t = list(sp.symbols("x1:3")), list(sp.symbols("t1:3"))
    o = x
    for i in (0, 1):
        nets = [weights[i][j][0] * o[0] + weights[i][j][1] * o[1] - biases[i][j] for j in (0, 1)]
        o = [sp.Function(f"f{i + 1}{j + 1}")(nets[j]) for j in (0, 1)]
    e = (t[0] - o[0]) ** 2 + (t[1] - o[1]) ** 2

    case = weights, biases, activations, x, t
    for i, j, k in indices_of(weights):
        truth = sp.diff(e, weights[i - 1][j - 1][k - 1])
        for form in (note.summation_nested, note.summation_expanded, note.summation_bracketed):
            assert vanishes(form(*case, i, j, k) - truth)
        assert vanishes(note.matrix_gradient(*case, i)[j - 1][k - 1] - truth)
        assert vanishes(note.bias_gradient(*case, i, j) - sp.diff(e, biases[i - 1][j - 1]))
    for k in (1, 2):
        assert vanishes(note.input_gradient(*case, k) - sp.diff(e, x[k - 1]))


# --- where the note, read literally, is wrong: note.md, points 1 to 6 -----------------------------


class Literal:
    """What a formula of the note needs of the fixed case, found without the rows under test."""

    def __init__(self):
        self.weights, self.biases, self.activations, self.x, self.t = FIXED
        self.outputs, _ = note.summation_forward(*FIXED)
        self.nets = [
            np.array(w, dtype=object) @ np.array(o, dtype=object) - np.array(b, dtype=object)
            for w, o, b in zip(self.weights, self.outputs, self.biases, strict=False)
        ]

    def nodes(self, m):
        return range(1, len(self.outputs[m]) + 1)

    def error(self, j):
        return self.outputs[N][j - 1] - self.t[j - 1]

    def slope(self, m, j):
        _, df = self.activations[m - 1][j - 1]
        return df(self.nets[m - 1][j - 1])

    def step(self, m, j, k):
        return self.slope(m, j) * self.weights[m - 1][j - 1][k - 1]

    def matrix(self, m):
        return np.array(self.weights[m - 1], dtype=object)

    def slopes(self, m):
        return np.diag([self.slope(m, j) for j in self.nodes(m)])

    def row(self):
        return np.array([2 * self.error(j) for j in self.nodes(N)], dtype=object)


@pytest.mark.parametrize(("i", "j", "k"), indices_of(FIXED[0]))
def test_point_1_a_free_last_sum_overcounts(i, j, k):
    """With `k_i` free the sum takes in paths that end at the other nodes of the weight's layer."""
    literal = Literal()

    def last_sum(k_i_choices):
        return 2 * sum(
            literal.error(path[0])
            * prod(
                literal.step(m, *pair)
                for m, pair in zip(range(N, i, -1), pairwise(path), strict=True)
            )
            * literal.slope(i, j)
            * literal.outputs[i - 1][k - 1]
            for path in product(*(literal.nodes(m) for m in range(N, i, -1)), k_i_choices)
        )

    truth = true_weight_gradient(FIXED, i, j, k)
    free, fixed = last_sum(literal.nodes(i)), last_sum([j])
    assert free != truth
    assert fixed == truth
    for form in (note.summation_nested, note.summation_expanded, note.summation_bracketed):
        assert form(*FIXED, i, j, k) == truth


def test_point_1_by_hand():
    """Two outputs, both wrong by 1: `de/dw_{1,1}` is 2, and the free sum over `k_n` gives 4."""
    case = [[[3], [5]]], [[0, 0]], [[IDENTITY, IDENTITY]], [1], [2, 4]
    free = sum(2 * (o - t) * 1 * 1 for o, t in zip([3, 5], [2, 4], strict=True))
    assert free == 2 * 2
    assert note.summation_nested(*case, 1, 1, 1) == 2
    assert note.summation_expanded(*case, 1, 1, 1) == 2
    assert note.summation_bracketed(*case, 1, 1, 1) == 2
    assert [indices for indices, _, _ in note.summation_terms(*case, 1, 1, 1)] == [()]


@pytest.mark.parametrize(("j", "k"), [(j, k) for i, j, k in indices_of(FIXED[0]) if i == 1])
def test_point_2_brackets_are_nested_and_not_factors(j, k):
    """Each sum taken by itself, over both its indices, with `k_1 = j` fixed as it should be."""
    literal = Literal()
    outer = sum(literal.error(k_n) for k_n in literal.nodes(3))
    upper = sum(literal.step(3, *ends) for ends in product(literal.nodes(3), literal.nodes(2)))
    lower = sum(literal.step(2, k_2, j) for k_2 in literal.nodes(2))
    factorised = 2 * outer * upper * lower * literal.slope(1, j) * literal.outputs[0][k - 1]
    truth = true_weight_gradient(FIXED, 1, j, k)
    assert factorised != truth
    assert note.summation_bracketed(*FIXED, 1, j, k) == truth


def test_point_2_by_hand():
    """Two paths, 1.2 and 3.4: their sum is 14, the product of the sums (1 + 3) (2 + 4) is 24."""
    case = (
        [[[1]], [[2], [4]], [[1, 3]]],
        [[0], [0, 0], [0]],
        [[IDENTITY], [IDENTITY, IDENTITY], [IDENTITY]],
        [1],
        [13],
    )
    assert [value for _, _, value in note.summation_terms(*case, 1, 1, 1)] == [2 * 2, 2 * 12]
    assert note.summation_bracketed(*case, 1, 1, 1) == 2 * 14 != 2 * 24


def test_point_3_the_product_runs_from_the_last_layer_down():
    """In the order written, `k = i+1 .. n`, the shapes of the factors do not fit."""
    literal = Literal()
    factors = [literal.slopes(m) @ literal.matrix(m) for m in (2, 3)]
    with pytest.raises(ValueError, match="mismatch"):
        reduce(np.matmul, [literal.row(), *factors])
    reduce(np.matmul, [literal.row(), *reversed(factors)])


def test_point_3_the_order_matters_where_the_shapes_fit():
    case = (
        [[[1], [2]], [[1, 2], [3, 4]], [[0, 1], [1, 5]]],
        [[0, 0]] * 3,
        [[IDENTITY, IDENTITY]] * 3,
        [1],
        [10, 60],
    )
    o_1 = [1, 2]
    o_2 = [5, 11]
    o_3 = np.array([11, 60])
    assert note.matrix_forward(*case)[0] == [[1], o_1, o_2, o_3.tolist()]
    w_2, w_3 = np.array(case[0][1]), np.array(case[0][2])
    row = 2 * (o_3 - np.array(case[4]))
    ascending = np.outer(row @ w_2 @ w_3, [1])
    descending = np.outer(row @ w_3 @ w_2, [1])
    truth = [[true_weight_gradient(case, 1, j, 1)] for j in (1, 2)]
    assert ascending.tolist() != truth
    assert descending.tolist() == truth == note.matrix_gradient(*case, 1)


def test_point_3_the_gradient_is_an_outer_product():
    """Without it the last factor does not fit, or, where `W_i` is square, leaves a number."""
    literal = Literal()
    row = literal.row() @ literal.slopes(3)
    number = row @ np.array(literal.outputs[2], dtype=object)
    assert np.shape(number) == ()
    first = row @ literal.matrix(3) @ literal.slopes(2) @ literal.matrix(2) @ literal.slopes(1)
    with pytest.raises(ValueError, match="mismatch"):
        first @ np.array(literal.x, dtype=object)
    assert note.matrix_gradient(*FIXED, 3) == np.outer(row, literal.outputs[2]).tolist()
    assert note.matrix_gradient(*FIXED, 1) == np.outer(first, literal.x).tolist()


@pytest.mark.parametrize("i", [1, 2, 3])
def test_point_3_the_gradient_has_the_shape_of_the_weights(i):
    weights, *_ = FIXED
    assert np.shape(note.matrix_gradient(*FIXED, i)) == np.shape(weights[i - 1])
    assert np.shape(note.matrix_update(*FIXED, i, 1)) == np.shape(weights[i - 1])


@pytest.mark.parametrize("i", [1, 2, 3])
def test_point_4_the_derivatives_stand_on_the_diagonal(i):
    """`diag(F)'` as the transpose of `diag(F)`, the values on the diagonal, is another gradient."""
    literal = Literal()
    values = np.diag(np.array(literal.outputs[i], dtype=object))
    assert note.matrix_activation_jacobian(*FIXED, i) == literal.slopes(i).tolist()
    row = literal.row()
    for m in range(N, i, -1):
        row = row @ literal.slopes(m) @ literal.matrix(m)
    wrong, right = (
        np.outer(row @ d, literal.outputs[i - 1]) for d in (values.T, literal.slopes(i))
    )
    assert note.matrix_gradient(*FIXED, i) == right.tolist() != wrong.tolist()


def test_point_5_the_bias_is_subtracted_in_the_matrix_form_too():
    weights, biases, activations, x, t = FIXED
    unbiased = [[0] * len(layer) for layer in biases]
    added = [[-b for b in layer] for layer in biases]
    forward = note.matrix_forward(*FIXED)
    assert forward == note.summation_forward(*FIXED)
    assert forward != note.matrix_forward(weights, unbiased, activations, x, t)
    assert forward != note.matrix_forward(weights, added, activations, x, t)
    case = [[[2]]], [[5]], [[SQUARE]], [3], [0]
    assert note.matrix_forward(*case) == ([[3], [(2 * 3 - 5) ** 2]], 1)


def test_point_6_the_derivative_is_the_one_at_the_weights_own_node():
    """`f'_i`, one for the layer, would give both weights of this layer the same gradient."""
    case = [[[3], [3]]], [[0, 0]], [[IDENTITY, SQUARE]], [1], [2, 8]
    forms = note.summation_nested, note.summation_expanded, note.summation_bracketed
    for form in forms:
        assert [form(*case, 1, j, 1) for j in (1, 2)] == [2, 12]
    assert note.matrix_gradient(*case, 1) == [[2], [12]]


def test_point_6_every_weight_has_its_own_step():
    """`Delta w^(i)`, one for the layer, would move all its weights alike."""
    weights, *_ = FIXED
    steps = [note.summation_update(*FIXED, i, j, k, 1) for i, j, k in indices_of(weights)]
    assert len(set(steps)) == len(steps)
    assert steps == [-true_weight_gradient(FIXED, i, j, k) for i, j, k in indices_of(weights)]


# --- indices, lengths and numbers -----------------------------------------------------------------

# FIXED is 2-3-2-2: layer 1 has 3 rows and 2 columns, layer 2 has 2 rows and 3 columns.
WEIGHT_INDICES = [
    ((0, 1, 1), "i = 0 is not in 1..3"),
    ((-1, 1, 1), "i = -1 is not in 1..3"),
    ((4, 1, 1), "i = 4 is not in 1..3"),
    ((2, 0, 1), "j = 0 is not in 1..2"),
    ((2, -1, 1), "j = -1 is not in 1..2"),
    ((2, 3, 1), "j = 3 is not in 1..2"),
    ((2, 1, 0), "k = 0 is not in 1..3"),
    ((2, 1, -1), "k = -1 is not in 1..3"),
    ((1, 3, 3), "k = 3 is not in 1..2"),
]


@pytest.mark.parametrize(("indices", "message"), WEIGHT_INDICES)
def test_index_errors_of_the_rows_for_a_weight(indices, message):
    rows = (
        note.summation_nested,
        note.summation_terms,
        note.summation_expanded,
        note.summation_bracketed,
        lambda *arguments: note.summation_update(*arguments, 1),
    )
    for row in rows:
        with pytest.raises(IndexError, match=f"^index {message}$"):
            row(*FIXED, *indices)


@pytest.mark.parametrize(("indices", "message"), WEIGHT_INDICES[:6])
def test_index_errors_of_the_bias_gradient(indices, message):
    with pytest.raises(IndexError, match=f"^index {message}$"):
        note.bias_gradient(*FIXED, *indices[:2])


@pytest.mark.parametrize(("indices", "message"), WEIGHT_INDICES[:3])
def test_index_errors_of_the_rows_for_a_layer(indices, message):
    chain = [1, 1, 1], [0, 0, 0], [IDENTITY] * 3, 1, 1
    for row, case, *eta in (
        (note.matrix_activation_jacobian, FIXED),
        (note.matrix_gradient, FIXED),
        (note.matrix_update, FIXED, 1),
        (note.multi_layer_gradient, chain),
        (note.multi_layer_update, chain, 1),
    ):
        with pytest.raises(IndexError, match=f"^index {message}$"):
            row(*case, indices[0], *eta)


@pytest.mark.parametrize(
    ("i", "j", "message"),
    [
        (-1, 1, "i = -1 is not in 0..3"),
        (4, 1, "i = 4 is not in 0..3"),
        (0, 0, "j = 0 is not in 1..2"),
        (1, 4, "j = 4 is not in 1..3"),
        (2, -1, "j = -1 is not in 1..2"),
    ],
)
def test_index_errors_of_the_node_gradient(i, j, message):
    with pytest.raises(IndexError, match=f"^index {message}$"):
        note.node_gradient(*FIXED, i, j)


@pytest.mark.parametrize("k", [0, -1, 3])
def test_index_errors_of_the_input_gradient(k):
    with pytest.raises(IndexError, match=f"^index k = {k} is not in 1..2$"):
        note.input_gradient(*FIXED, k)


@pytest.mark.parametrize("part", range(5))
def test_lengths_that_contradict_each_other_are_refused(part):
    case = list(FIXED)
    case[part] = [*case[part], case[part][-1]]
    rows = (
        note.matrix_forward,
        note.summation_forward,
        lambda *arguments: note.summation_nested(*arguments, 1, 1, 1),
        lambda *arguments: note.matrix_gradient(*arguments, 1),
        lambda *arguments: note.node_gradient(*arguments, 1, 1),
    )
    for row in rows:
        with pytest.raises(ValueError, match="zip"):
            row(*case)


@pytest.mark.parametrize("at", [(0, 1), (0, 1, 0), (1, 1), (2, 1)])
@pytest.mark.parametrize("forward", [note.matrix_forward, note.summation_forward])
def test_lengths_that_contradict_each_other_inside_a_layer_are_refused(at, forward):
    def longer(nested, *at):
        if not at:
            return [*nested, nested[-1]]
        first, *rest = at
        return [longer(item, *rest) if n == first else item for n, item in enumerate(nested)]

    with pytest.raises(ValueError, match="zip"):
        forward(*longer(FIXED, *at))


@pytest.mark.parametrize("part", range(3))
def test_chain_lengths_that_contradict_each_other_are_refused(part):
    case = [[1, 1], [0, 0], [IDENTITY, IDENTITY]]
    case[part] = [*case[part], case[part][-1]]
    for row in (note.double_layer_gradient, lambda *chain: note.multi_layer_gradient(*chain, 1)):
        with pytest.raises(ValueError, match=r"zip|unpack"):
            row(*case, 1, 1)


def test_double_layer_refuses_three():
    with pytest.raises(ValueError, match="unpack"):
        note.double_layer_gradient([1] * 3, [0] * 3, [IDENTITY] * 3, 1, 1)


def every_number(case, eta):
    """Flatten what all the layered rows give."""
    weights, *_ = case
    for forward in (note.matrix_forward, note.summation_forward):
        outputs, e = forward(*case)
        yield from [e, *(o for layer in outputs for o in layer)]
    for i, j, k in indices_of(weights):
        yield note.summation_nested(*case, i, j, k)
        yield note.summation_expanded(*case, i, j, k)
        yield note.summation_bracketed(*case, i, j, k)
        yield note.summation_update(*case, i, j, k, eta)
        yield note.bias_gradient(*case, i, j)
        yield note.node_gradient(*case, i, j)
        yield note.input_gradient(*case, 1)
        yield note.matrix_gradient(*case, i)[j - 1][k - 1]
        yield note.matrix_update(*case, i, eta)[j - 1][k - 1]
        yield note.matrix_activation_jacobian(*case, i)[j - 1][j - 1]


@pytest.mark.parametrize("number", [int, float, Fraction, mpmath.mpf, sp.Integer])
def test_numbers_are_never_converted(number):
    activation = (lambda z: z * z, lambda z: number(2) * z)

    def of(nested):
        return [of(item) for item in nested] if isinstance(nested, list) else number(nested)

    case = (
        of([[[1, 2], [3, 4]], [[5, 6]]]),
        of([[1, 1], [2]]),
        [[activation, activation], [activation]],
        of([1, 2]),
        of([3]),
    )
    numbers = list(every_number(case, number(3)))
    chain = of([2, 3]), of([1, 1]), [activation] * 2, number(3), number(5)
    numbers += [note.double_layer_gradient(*chain), note.double_layer_update(*chain, number(3))]
    numbers += [note.multi_layer_gradient(*chain, 1), note.multi_layer_update(*chain, 2, number(3))]
    single = number(2), number(1), activation, number(3), number(5)
    numbers += [*note.single_layer_forward(*single), note.single_layer_gradient(*single)]
    numbers += [note.single_layer_update(*single, number(3))]
    assert all(isinstance(result, number) for result in numbers)


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.int64])
def test_numpys_whole_numbers_are_read_as_pythons(kind):
    """Each of them holds these numbers, and none but the last holds what is made of them."""

    def of(nested, number):
        return [of(item, number) for item in nested] if isinstance(nested, list) else number(nested)

    def results(number):
        case = (
            of([[[100, 2], [3, 40]], [[50, 6]]], number),
            of([[100, 1], [2]], number),
            [[SQUARE, SQUARE], [SQUARE]],
            of([100, 2], number),
            of([3], number),
        )
        chain = of([20, 3], number), of([1, 1], number), [SQUARE] * 2, number(30), number(5)
        single = number(20), number(1), SQUARE, number(30), number(50)
        eta = number(3)
        yield from every_number(case, eta)
        yield from note.summation_terms(*case, 1, 1, 1)
        yield from (note.double_layer_gradient(*chain), note.double_layer_update(*chain, eta))
        yield from (note.multi_layer_gradient(*chain, 1), note.multi_layer_update(*chain, 2, eta))
        yield from (*note.single_layer_forward(*single), note.single_layer_gradient(*single))
        yield note.single_layer_update(*single, eta=eta)

    assert [*results(kind)] == [*results(int)]
    array = np.array([[[100, 2]]], dtype=kind)
    assert note.matrix_forward(array, [[0]], [[IDENTITY]], np.array([100, 2], kind), [0]) == (
        [[100, 2], [10004]],
        10004**2,
    )


def test_fifty_digits_of_tanh_against_mpmaths_derivative():
    """The one test with a transcendental activation, whose numbers can only be close."""
    tanh = (mpmath.tanh, lambda z: mpmath.sech(z) ** 2)

    def of(nested):
        if isinstance(nested, list):
            return [of(item) for item in nested]
        return mpmath.mpf(nested.numerator) / nested.denominator / 3

    def e(moved, i, j, k):
        weights = of(FIXED[0])
        weights[i - 1][j - 1][k - 1] = moved
        _, error = note.summation_forward(weights, *rest)
        return error

    with mpmath.workdps(50):
        weights, biases, x, t = (of(FIXED[part]) for part in (0, 1, 3, 4))
        rest = biases, [[tanh] * len(layer) for layer in biases], x, t
        for i, j, k in indices_of(weights):
            truth = mpmath.diff(lambda w, at=(i, j, k): e(w, *at), weights[i - 1][j - 1][k - 1])
            for form in (note.summation_nested, note.summation_expanded, note.summation_bracketed):
                result = form(weights, *rest, i, j, k)
                assert abs(result - truth) <= mpmath.mpf(10) ** -45 * abs(truth)


def test_derivatives_below_the_rows_own_layer_are_not_asked_for():
    def undefined(_):
        message = "the derivative of layer 1 is no part of a gradient for layer 2"
        raise AssertionError(message)

    case = [[[3]], [[2]]], [[1], [3]], [[(lambda z: z, undefined)], [SQUARE]], [1], [3]
    assert note.summation_nested(*case, 2, 1, 1) == -2 * 2 * 2 * 2
    assert note.summation_expanded(*case, 2, 1, 1) == -2 * 2 * 2 * 2
    assert note.summation_bracketed(*case, 2, 1, 1) == -2 * 2 * 2 * 2
    assert note.matrix_gradient(*case, 2) == [[-2 * 2 * 2 * 2]]
    assert note.node_gradient(*case, 1, 1) == -2 * 2 * 2 * 2
    assert note.bias_gradient(*case, 2, 1) == 2 * 2 * 2


def test_docstring_examples():
    failed, tried = doctest.testmod(note)
    assert (failed, tried > len(ROWS)) == (0, True)


ROWS = {
    "single_layer_forward",
    "single_layer_gradient",
    "single_layer_update",
    "double_layer_gradient",
    "double_layer_update",
    "multi_layer_gradient",
    "multi_layer_update",
    "matrix_forward",
    "matrix_activation_jacobian",
    "matrix_gradient",
    "matrix_update",
    "summation_forward",
    "summation_nested",
    "summation_terms",
    "summation_expanded",
    "summation_bracketed",
    "summation_update",
    "bias_gradient",
    "input_gradient",
    "node_gradient",
}


def test_the_room_holds_the_rows_and_each_has_an_example():
    own = {
        name: thing
        for name, thing in vars(note).items()
        if getattr(thing, "__module__", None) == note.__name__ and not name.startswith("_")
    }
    assert set(own) == ROWS
    assert all(">>>" in thing.__doc__ for thing in own.values())
