"""Descending on samples: each update is the note's, and a scale is but another way to write a network."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_bp import Network, note
from tinygrad_bp.errors import DataError, NetworkError, SamplesError
from tinygrad_bp.network.samples import Sample, Scale, read_samples, scaled, scales
from tinygrad_bp.training import Trainer, accuracy, mean_error, predict, rescaled, train

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


def test_weights_that_grow_beyond_all_bounds_are_told_with_the_rate():
    message = r"in epoch 1 weights grow beyond all bounds: eta = 1e\+300 is too large here"
    net = Network([[[1.0]]], [[0.0]], "identity")
    with pytest.raises(NetworkError, match=message):
        [*train(net, [Sample((1e10,), (0.0,))], epochs=1, eta=1e300, seed=0)]


def test_an_error_beyond_all_numbers_is_told_with_another_way_out():
    net = Network([[[1.0]]], [[0.0]], "tanh")
    with pytest.raises(
        NetworkError, match="in epoch 1 the error is inf: give the targets in another"
    ):
        [*train(net, [Sample((1.0,), (1e200,))], epochs=1, eta=1e-300, seed=0)]


@pytest.mark.parametrize("eta", [0, -0.1, math.nan])
def test_what_is_no_rate_is_refused_at_once(eta):
    with pytest.raises(NetworkError, match="the learning rate eta is above 0, not"):
        train(Network([[[1.0]]], [[0.0]]), [Sample((1.0,), (1.0,))], epochs=1, eta=eta, seed=0)


def test_no_samples_are_refused_by_name():
    net = Network([[[1.0]]], [[0.0]])
    for call in (mean_error, accuracy, lambda *given: train(*given, epochs=1, eta=1, seed=0)):
        with pytest.raises(SamplesError, match="there are no samples"):
            call(net, [])


@pytest.mark.parametrize("strange", [math.nan, math.inf, -math.inf])
def test_a_sample_that_is_not_finite_is_told_and_no_rate_is_blamed(strange):
    samples = [Sample((1.0,), (1.0,)), Sample((1.0,), (strange,))]
    with pytest.raises(SamplesError, match=f"sample 2 has {strange}, which is not finite"):
        train(Network([[[1.0]]], [[0.0]]), samples, epochs=1, eta=0.1, seed=0)


def test_how_the_table_was_read_is_told_with_the_classes_and_their_counts():
    table = read_samples("# x\na;k\n1;u\n2;v\n3;u\n?;v\n", missing="skip")
    about, said = Trainer(table).about(), Trainer(table).to_dict()
    assert "2 classes: u (2), v (1)\n" in about
    assert (
        "read with ';' between columns, which are named by the first line; ignored: comments in line 1; "
        "line 6, where a value is missing\n"
    ) in about
    assert (said["header"], said["delimiter"], said["left_out"]) == (True, ";", (6,))
    assert (said["counts"], said["ignored"]) == ({"u": 2, "v": 1}, ("comments in line 1",))


@pytest.mark.parametrize(
    "samples", [3, [1.0], [((1.0,), (2.0,))], read_samples("1,2\n3,4\n", header=False)]
)
def test_what_is_no_list_of_samples_is_refused_by_what_it_is(samples):
    net = Network([[[1.0]]], [[0.0]])
    for call in (mean_error, accuracy, lambda *given: train(*given, epochs=1, eta=1, seed=0)):
        with pytest.raises(
            SamplesError, match=r"samples are a list of Sample\(x, t\), as the rows"
        ):
            call(net, samples)


def test_what_a_trainer_cannot_take_is_refused_by_what_it_is():
    with pytest.raises(
        SamplesError, match="a Trainer takes a Dataset, as of read_samples, not '1,2'"
    ):
        Trainer("1,2")
    with pytest.raises(NetworkError, match=r"sizes of layers in a list: \(3,\)"):
        Trainer(read_samples("1,2\n3,4\n", header=False), hidden=3)
    with pytest.raises(DataError, match="the learning rate eta must be a real number, not str"):
        train(Network([[[1.0]]], [[0.0]]), [], epochs=1, eta="1", seed=0)


def test_an_activation_that_has_no_value_is_told_with_its_epoch():
    net = Network([[[1.0]]], [[0.0]], "log")
    samples = [Sample((1.0,), (-9.0,))]
    with pytest.raises(NetworkError, match=r"in epoch [2-9]: log\(-.*\) has no value"):
        [*train(net, samples, epochs=9, eta=0.2, seed=0)]


def test_a_value_that_is_missing_because_weights_grew_is_told_as_that():
    net = Network([[[1.0]]], [[0.0]], "sin")  # which has none at infinity
    samples = [Sample((1e10,), (9.0,))] * 2
    with pytest.raises(NetworkError, match="in epoch 1 weights grow beyond all bounds"):
        [*train(net, samples, epochs=1, eta=1e300, seed=0)]


def test_errors_and_accuracy_are_those_of_the_network_as_it_is():
    net = Network([[[1.0], [-1.0]]], [[0.0, 0.0]], "identity")
    samples = [Sample((2.0,), (1.0, 0.0)), Sample((1.0,), (0.0, 1.0))]
    assert mean_error(net, samples) == ((1 + 4) + (1 + 4)) / 2
    assert [predict(net, each.x) for each in samples] == [0, 0]
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


def test_scales_that_do_not_fit_are_refused():
    net = Network([[[1.0, 2.0]]], [[0.0]], "tanh")
    one = Scale(0.0, 2.0)
    with pytest.raises(
        NetworkError, match="1 scales of inputs and 0 of outputs do not fit <Network 2-1>"
    ):
        rescaled(net, [one])
    with pytest.raises(NetworkError, match="2 scales of inputs and 2 of outputs do not fit"):
        rescaled(net, [one, one], [one, one])
    with pytest.raises(NetworkError, match="scaled only where its activation is identity"):
        rescaled(net, [one, one], [one])


XOR = "a,b,xor\n0,0,0\n0,1,1\n1,0,1\n1,1,0\n"


def trainer(text, net=None, *, hidden=(4,), **options):
    return Trainer(read_samples(text), net, hidden=hidden, **options)


def test_a_trainer_learns_xor_and_its_network_takes_the_table_s_numbers():
    xor = trainer(XOR)
    assert [*xor.learn(200)] == [*range(1, 201)]
    assert [*xor.rows] == [0, 1, 2, 5, 10, 20, 50, 100, 200]
    assert xor.rows[200]["mean e"] < 1e-6 < xor.rows[0]["mean e"]
    for a, b, out in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0)):
        assert xor.net.forward([a, b]).o(2, 1).data == pytest.approx(out, abs=1e-3)


def test_going_on_is_learning_in_one():
    """But for rounding: what was saved was scaled and is scaled back."""
    whole = trainer(XOR)
    [*whole.learn(1)]
    saved = Network(whole.net.weights, whole.net.biases, whole.net.activations)
    again = trainer(XOR, saved)
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
    with pytest.raises(NetworkError, match=r"Network 3-1> does not fit 2 inputs and 1 target"):
        trainer(XOR, Network.random([3, 1]))
    with pytest.raises(SamplesError, match=r"a share of 0\.9 holds out none of 1 sample"):
        trainer("1,2\n", share=0.9)


FLOWERS = "".join(f"{k},{k * k % 7},{'uv'[k % 3 == 0]}\n" for k in range(24))


def test_what_is_held_out_is_neither_learned_from_nor_scaled_by_and_measured_by_itself():
    some = trainer(FLOWERS, share=0.25, seed=3)
    [*some.learn(1)]
    assert sorted(some.fitting + some.held_out) == sorted(some.data.rows)
    for seed in range(5):
        held = trainer(FLOWERS, share=0.25, seed=seed).held_out
        assert [sum(each.t == t for each in held) for t in ((1.0, 0.0), (0.0, 1.0))] == [4, 2]
    assert some._x == scales(each.x for each in some.fitting)
    assert some._x != scales(each.x for each in some.data.rows)
    assert some.rows[1] == {
        "mean e": mean_error(some.net, some.fitting),
        "mean e held out": mean_error(some.net, some.held_out),
        "accuracy": accuracy(some.net, some.fitting),
        "accuracy held out": accuracy(some.net, some.held_out),
    }


def test_targets_that_are_numbers_are_scaled_by_what_is_learned_from():
    line = trainer("".join(f"{k},{k * k}\n" for k in range(9)), share=0.4)
    assert line._t == scales(each.t for each in line.fitting)
    assert line._t != scales(each.t for each in line.data.rows)


def test_another_seed_is_other_weights_another_draw_and_another_order():
    first, same, other = (trainer(FLOWERS, seed=seed) for seed in (0, 0, 1))
    assert first.net.weights == same.net.weights != other.net.weights
    draws = [trainer(FLOWERS, share=0.25, seed=seed).held_out for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]
    start = Network.random([2, 4, 2], ["tanh", "sigmoid"], seed=9)
    going_on = trainer(FLOWERS, start, seed=1)
    [*going_on.learn(1)]
    learned = []
    for seed in (0, 0, 1):
        net = rescaled(start, [each.inverse for each in going_on._x])
        samples = scaled(going_on.fitting, going_on._x)
        [*train(net, samples, epochs=1, eta=going_on.eta, seed=seed)]
        learned.append(rescaled(net, going_on._x).weights)
    assert learned[0] == learned[1] != learned[2] == going_on.net.weights


def test_a_sample_for_which_an_activation_has_no_value_is_told_with_the_epoch():
    rows = "".join(f"{k},{k + 1}\n" for k in (5, 6, 7, 8, 9, 10, -5000))
    for seed in range(20):
        log = trainer(rows, Network([[[1.0]]], [[0.0]], "log"), share=0.2, seed=seed)
        if log.held_out[0].x[0] < 0:
            break
    with pytest.raises(
        NetworkError, match=r"measured after epoch 0: log\(-5000\.0.*\) has no value"
    ):
        [*log.learn(1)]


@pytest.mark.parametrize(
    ("text", "hidden", "activation", "expected"),
    [
        (XOR, (3,), None, ["tanh", "identity"]),
        (XOR, (), None, ["identity"]),
        (XOR, (3, 2), "relu", ["relu", "relu", "identity"]),
        (XOR, (3,), "relu,tanh", ["relu", "tanh"]),
        (XOR, (), "tanh", ["tanh"]),
        ("a,k\n1,u\n2,v\n", (3,), None, ["tanh", "sigmoid"]),
        ("a,k\n1,u\n2,v\n", (), None, ["sigmoid"]),
    ],
)
def test_the_last_layer_is_what_the_target_needs_unless_it_is_named(
    text, hidden, activation, expected
):
    net = trainer(text, hidden=hidden, activation=activation or "").net
    assert [layer[0] for layer in net.activations] == expected
    assert net.sizes[1:-1] == hidden
