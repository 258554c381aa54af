"""The tape: what the nodes say of themselves, in lists; and nothing that happens afterwards."""

from __future__ import annotations

import pickle

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_bp import Network, Value, steps
from tinygrad_bp.engine.graph import topological_order
from tinygrad_bp.engine.tape import Tape, edges_between
from tinygrad_bp.network.network import recorded_tape
from tinygrad_bp.testing.strategies import programs

MANY = settings(max_examples=150, deadline=None)


def recorded(program):
    return program.run([*map(Value, program.leaves)])[-1]


@MANY
@given(programs())
def test_it_says_of_each_node_what_the_node_says(program):
    e = recorded(program)
    tape = Tape.from_result(e)
    assert list(tape.nodes) == topological_order(e) == [*tape.places]
    assert [*tape.places.values()] == [*range(len(tape.nodes))]
    assert tape.e is e
    operands, constants = tape.operands()
    values = [*tape.nodes, *constants]
    numbers = [*tape.data, *constants]
    for place, node in enumerate(tape.nodes):
        for each, operand in zip(operands[place], node.operands, strict=True):
            assert values[each] is operand
            assert numbers[each] is (operand.data if isinstance(operand, Value) else operand)
    expected = [
        (tape.places[node], tape.places[parent], slot, local)
        for node in reversed(tape.nodes)
        for slot, (parent, local) in enumerate(
            zip(node.parents, node.local_derivatives, strict=True)
        )
    ]
    edges = tape.edges
    found = [*zip(edges.above, edges.below, edges.slots, edges.locals, strict=True)]
    assert [row[:3] for row in found] == [row[:3] for row in expected]
    assert all(a[3] is b[3] for a, b in zip(found, expected, strict=True))


@MANY
@given(programs(), st.data())
def test_the_edges_between_two_nodes_are_those_of_the_tape_on_a_path(program, data):
    tape = Tape.from_result(recorded(program))
    w = data.draw(st.sampled_from(tape.nodes))
    from_w = {w}
    for node in tape.nodes:
        if not from_w.isdisjoint(node.parents):
            from_w.add(node)
    reaching = tape.edges.reaching([tape.places[w]])
    assert [node in from_w for node in tape.nodes] == [*map(bool, reaching)]
    part, edges = edges_between(tape.nodes, w), tape.edges
    assert part.nodes == [node for node in tape.nodes if node in from_w]
    columns = zip(edges.above, edges.below, edges.slots, strict=True)
    assert [
        (part.nodes[a], part.nodes[b], slot)
        for a, b, slot in zip(part.above, part.below, part.slots, strict=True)
    ] == [(tape.nodes[a], tape.nodes[b], slot) for a, b, slot in columns if tape.nodes[b] in from_w]


def test_what_no_path_leads_to_has_no_edges():
    e = Value(2.0) * 3.0
    assert edges_between(Tape.from_result(e).nodes, Value(1.0)).nodes == []


def test_what_happens_afterwards_does_not_change_it():
    x = Value(np.int64(3), "x")
    tape = Tape.from_result(x * x)
    x.data = 7.0
    assert (tape.data[0], type(tape.data[0])) == (3, int)
    assert tape.edges.locals == [3, 3]


def test_it_is_pickled_with_its_record():
    record = steps((Value(2.0, "x") * 3.0) ** 2)
    again = pickle.loads(pickle.dumps(record))
    assert again.to_dict() == record.to_dict()


def test_the_tape_of_a_run_has_the_weights_as_they_were():
    net = Network.random([2, 3, 1], seed=1)
    weights, biases = net.weights, net.biases
    run = net.forward([0.5, -0.5], [1.0])
    run.e.backward()
    net.descend(0.1)
    tape = recorded_tape(run)
    assert tape.data[tape.places[net.w(1, 2, 1)]] == weights[0][1][0] != net.w(1, 2, 1).data
    bias = tape.data[tape.places[net.b(2, 1)]]
    assert abs(bias - biases[1][0]) < 1e-15 < abs(bias - net.b(2, 1).data)
