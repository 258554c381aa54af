"""Descending on samples: each update is the note's, and a scale is but another way to write a network."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_bp import Network, note
from tinygrad_bp.errors import NetworkError, SamplesError
from tinygrad_bp.samples import Sample, Scale, read_samples
from tinygrad_bp.trainer import Trainer, untrained
from tinygrad_bp.training import accuracy, guess, mean_error, rescaled, train

small = st.fractions(-3, 3, max_denominator=4)
scale = st.builds(Scale, small, small.filter(bool))


def exact_network(activations, numbers):
    """A 2-3-2 network of these fractions."""
    each = iter(numbers)
    weights = [
        [[next(each) for _ in range(below)] for _ in range(size)]
        for below, size in ((2, 3), (3, 2))
    ]
    return Network(weights, [[next(each) for _ in range(size)] for size in (3, 2)], activations)


networks = st.lists(small, min_size=17, max_size=17)
pairs = st.tuples(small, small)
SQUARE, LINE = (lambda z: z * z, lambda z: 2 * z), (lambda z: z, lambda z: 1)


@given(networks, pairs, pairs)
def test_an_update_is_the_note_s_for_every_weight_and_bias(numbers, x, t):
    eta = Fraction(1, 8)
    net, before = (exact_network(["square", "identity"], numbers) for _ in range(2))
    (error,) = train(net, [Sample(x, t)], epochs=1, eta=eta, seed=0)
    assert error == float(before.forward(x, t).e.data)
    pictured = (before.weights, before.biases, [[SQUARE] * 3, [LINE] * 2], x, t)
    for i, j, k in ((1, 1, 1), (1, 3, 2), (2, 2, 3), (2, 1, 1)):
        step = note.summation_update(*pictured, i, j, k, eta)
        assert net.w(i, j, k).data == before.w(i, j, k).data + step
        step = -eta * note.bias_gradient(*pictured, i, j)
        assert net.b(i, j).data == before.b(i, j).data + step


def test_the_samples_of_an_epoch_follow_each_other_in_an_order_of_the_seed():
    samples = [Sample((float(k),), (1.0,)) for k in range(1, 8)]
    nets = [Network([[[0.1]]], [[0.2]], "tanh") for _ in range(2)]
    errors = [*train(nets[0], samples, epochs=2, eta=0.1, seed=5)]
    order, shuffle = list(samples), random.Random(5).shuffle
    for epoch in range(2):
        shuffle(order)
        error = 0.0
        for sample in order:
            e = nets[1].forward(sample.x, sample.t).e
            e.backward()
            nets[1].descend(0.1)
            nets[1].zero_grad()
            error += e.data
        assert errors[epoch] == error / 7
    assert nets[0].weights == nets[1].weights
    assert samples[0].x == (1.0,)  # the caller's list keeps its order
    other = Network([[[0.1]]], [[0.2]], "tanh")
    assert [*train(other, samples, epochs=2, eta=0.1, seed=6)] != errors


@pytest.mark.parametrize("t", [3.0, 1e200])
def test_errors_that_grow_beyond_all_bounds_are_told_with_the_rate(t):
    net = Network([[[1.0]]], [[0.0]], "identity")
    with pytest.raises(NetworkError, match=r"in epoch \d+ numbers grow beyond .*eta = 9\.0 is too"):
        [*train(net, [Sample((2.0,), (t,))], epochs=900, eta=9.0, seed=0)]


def test_an_activation_that_has_no_value_is_told_with_its_epoch():
    net = Network([[[1.0]]], [[0.0]], "log")
    samples = [Sample((1.0,), (-9.0,))]
    with pytest.raises(NetworkError, match=r"in epoch [2-9]: log\(-.*\) has no value"):
        [*train(net, samples, epochs=9, eta=0.2, seed=0)]


def test_errors_and_accuracy_are_those_of_the_network_as_it_is():
    net = Network([[[1.0], [-1.0]]], [[0.0, 0.0]], "identity")
    samples = [Sample((2.0,), (1.0, 0.0)), Sample((1.0,), (0.0, 1.0))]
    assert mean_error(net, samples) == ((1 + 4) + (1 + 4)) / 2
    assert [guess(net, each) for each in samples] == [0, 0]
    assert accuracy(net, samples) == 0.5


@given(networks, pairs, st.tuples(scale, scale), st.tuples(scale, scale))
def test_a_rescaled_network_is_the_same_function_of_plain_numbers(numbers, x, x_scales, t_scales):
    net = exact_network(["square", "identity"], numbers)
    plain = rescaled(net, x_scales, t_scales)
    read = [by(number) for by, number in zip(x_scales, x, strict=True)]
    inner, outer = net.forward(read), plain.forward(x)
    for j in (1, 2):
        assert t_scales[j - 1](outer.o(2, j).data) == inner.o(2, j).data
        assert outer.o(1, j).data == inner.o(1, j).data
    back = rescaled(plain, [s.inverse for s in x_scales], [s.inverse for s in t_scales])
    assert (back.weights, back.biases) == (net.weights, net.biases)


def test_one_layer_may_be_scaled_on_both_sides():
    net = Network([[[Fraction(2)]]], [[Fraction(3)]], "identity")
    x, t = (Scale(*map(Fraction, each)) for each in ((5, 7), (11, 13)))
    plain = rescaled(net, [x], [t])
    run = plain.forward([Fraction(4)])
    assert t(run.o(1, 1).data) == 2 * Fraction(4 - 5, 7) - 3


XOR = "a,b,xor\n0,0,0\n0,1,1\n1,0,1\n1,1,0\n"


def trainer(text, hidden=(4,), *, fresh=True, net=None, held_out=0, eta=0.05, seed=0):
    table = read_samples(text)
    net = net or untrained(table, hidden, None, seed)
    return Trainer(net, table, held_out=held_out, eta=eta, seed=seed, fresh=fresh)


def test_a_trainer_learns_xor_and_its_network_takes_the_table_s_numbers():
    xor = trainer(XOR)
    assert [*xor.learn(200)] == [*range(1, 201)]
    assert [*xor.rows] == [0, 1, 2, 5, 10, 20, 50, 100, 200]
    assert xor.rows[200][0] < 1e-6 < xor.rows[0][0]
    for a, b, out in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0)):
        assert xor.net.forward([a, b]).o(2, 1).data == pytest.approx(out, abs=1e-3)


def test_going_on_is_learning_in_one():
    """But for rounding: what was saved was scaled and is scaled back."""
    whole = trainer(XOR)
    [*whole.learn(1)]
    saved = Network(whole.net.weights, whole.net.biases, whole.net.activations)
    again = trainer(XOR, net=saved, fresh=False)
    [*again.learn(0)]
    assert again.rows[0] == pytest.approx(whole.rows[1], rel=1e-13)
    for one, other in zip(again._learner.parameters(), whole._learner.parameters(), strict=True):
        assert one.data == pytest.approx(other.data, rel=1e-12)


def test_numbers_far_from_1_are_learned_as_well():
    """A straight line through thousands: without scales the first step would leave all bounds."""
    rows = "".join(f"{1000 + 10 * k},{50000 - 300 * k}\n" for k in range(20))
    line = trainer(rows, hidden=())
    [*line.learn(200)]
    assert line.net.weights[0][0][0] == pytest.approx(-30.0, rel=1e-9)
    assert line.net.biases[0][0] == pytest.approx(-80000.0, rel=1e-9)  # subtracted
    assert line.net.forward([1000]).o(1, 1).data == pytest.approx(50000.0, rel=1e-9)


def test_a_network_that_does_not_fit_is_refused():
    with pytest.raises(NetworkError, match=r"Network 3-1> does not fit 2 inputs and 1 targets"):
        trainer(XOR, net=Network.random([3, 1]), fresh=False)
    with pytest.raises(SamplesError, match=r"a share of 0\.9 holds out none of 1 samples"):
        trainer("1,2\n", held_out=0.9)
    with pytest.raises(NetworkError, match="the learning rate eta is above 0, not -1"):
        trainer(XOR, eta=-1)


@pytest.mark.parametrize(
    ("text", "hidden", "activation", "expected"),
    [
        (XOR, (3,), None, ["tanh", "identity"]),
        (XOR, (), None, ["identity"]),
        (XOR, (3, 2), "relu", ["relu", "relu", "identity"]),
        (XOR, (3,), "relu,tanh", ["relu", "tanh"]),
        (XOR, (), "tanh", ["tanh"]),
        ("1,u\n2,v\n", (3,), None, ["tanh", "sigmoid"]),
        ("1,u\n2,v\n", (), None, ["sigmoid"]),
    ],
)
def test_the_last_layer_is_what_the_target_needs_unless_it_is_named(
    text, hidden, activation, expected
):
    net = untrained(read_samples(text), hidden, activation, 0)
    assert [layer[0] for layer in net.activations] == expected
    assert net.sizes[1:-1] == hidden
