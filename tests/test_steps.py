"""The record of the pass: equal to backward to the last bit, and its own numbers add up."""

from __future__ import annotations

import copy
import json
import time
from dataclasses import FrozenInstanceError
from decimal import Decimal
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy
from depth import depth
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_bp
from tinygrad_bp import ArgumentError, DataError, Network, TooManyPathsError, Value, dot, fsum, tanh
from tinygrad_bp.graph import topological_order
from tinygrad_bp.paths import path_count
from tinygrad_bp.steps import Answer, Steps, naive, order, show, steps
from tinygrad_bp.testing.strategies import programs

QUICK = settings(max_examples=depth(40, by_default=10))


@st.composite
def graphs(draw, kind=float):
    """A result of a random program, the leaves' gradients not all 0 before."""
    program = draw(programs(max_size=7))
    leaves = [Value(kind(each), f"x{place}") for place, each in enumerate(program.leaves)]
    try:
        registers = program.run(leaves, constant=kind)
    except (ValueError, ArithmeticError):  # rounding may lead out of a domain
        registers = leaves
    for leaf in leaves:
        leaf.grad = draw(st.sampled_from([0, kind(3) / 7, kind(-2)]))
    return registers[-1]


def note_1_1():
    w, x, b, t = Value(0.5, "w"), Value(2.0, "x"), Value(0.1, "b"), Value(1.0, "t")
    return (t - tanh(w * x - b)) ** 2


def doubled():
    a = Value(1.0, "a")
    b = a + a
    b.label = "b"
    c = b + b
    c.label = "c"
    return a, b, c


# ---- equal to backward


def assert_equal_to_backward(e):
    nodes = topological_order(e)
    before = [node.grad for node in nodes]
    record = steps(e)
    expected = record.grads_after_backward()
    assert list(map(repr, before)) == [repr(node.grad) for node in nodes]
    e.backward()
    assert list(expected) == nodes
    assert [repr(node.grad) for node in nodes] == [repr(each) for each in expected.values()]
    e.backward()  # the record is of one pass, whatever the leaves have by now
    assert [repr(each) for each in steps(e).at(-1).values()] == [
        repr(each) for each in record.at(-1).values()
    ]


@QUICK
@given(graphs())
def test_equal_to_backward_to_the_last_bit(e):
    assert_equal_to_backward(e)


@QUICK
@given(graphs(Fraction))
def test_equal_to_backward_in_fractions(e):
    assert_equal_to_backward(e)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (Decimal("1.3"), Decimal("-0.7")),
        (mpmath.mpf("1.3"), mpmath.mpf("-0.7")),
        (sympy.Symbol("x"), sympy.Symbol("y")),
        (np.float64(1.3), np.float64(-0.7)),
        (2, 3),
        (float("nan"), float("inf")),
    ],
    ids=lambda number: type(number).__name__,
)
def test_every_number_type(x, y):
    x, y = Value(x, "x"), Value(y, "y")
    e = (x * y + x) * (x - y * 3) * fsum([x, y, x]) - dot([x, y], [y, y])
    assert_equal_to_backward(e)
    record = steps(e, eta=x.data)
    json.dumps(record.to_dict(), allow_nan=False)
    assert all(step.text() and step.reason() for step in record)


def test_a_pass_that_cannot_be_formed_fails_as_backward_does():
    e = Value(Decimal(1)) * Decimal(2) * Decimal(3)
    e._dx = 3.0  # a float among Decimals
    for function in (steps, Value.backward):
        with pytest.raises(TypeError):
            function(e)


# ---- its own numbers


@QUICK
@given(graphs(Fraction), st.none() | st.fractions(-2, 2, max_denominator=9))
def test_every_field_says_what_happened(e, eta):
    record = steps(e, eta)
    nodes = topological_order(e)
    inner = [node for node in nodes if node.op]
    edges = sum(len(node.parents) for node in nodes)
    leaves = [node for node in nodes if not node.op]
    updates = [] if eta is None else leaves
    assert [step.kind for step in record] == (
        ["forward"] * len(inner) + ["seed"] + ["backward"] * edges + ["update"] * len(updates)
    )
    assert [step.index for step in record] == list(range(len(record)))
    assert record.seed == len(inner)
    assert [step.node for step in record[: record.seed]] == inner

    sums = dict.fromkeys(nodes, 0)
    counts = dict.fromkeys(nodes, 0)
    final = record.at(-1)
    for step in record:
        if step.kind == "forward":
            assert (step.target, step.data) == (step.node, step.node.data)
            assert (step.parent, step.slot, step.local, step.grad_after) == (None,) * 4
            assert step.operands == tuple(
                each.data if isinstance(each, Value) else each for each in step.node.operands
            )
        elif step.kind == "seed":
            assert (step.node, step.target) == (e, e)
            assert (step.grad_before, step.contribution, step.grad_after) == (0, 1, 1)
            sums[e] = 1
        elif step.kind == "backward":
            assert step.node.parents[step.slot] is step.parent is step.target
            assert step.node.local_derivatives[step.slot] == step.local
            assert step.upstream == sums[step.node] == final[step.node]  # complete
            assert step.contribution == step.upstream * step.local
            assert step.grad_before == sums[step.parent]
            assert step.grad_after == step.grad_before + step.contribution
            assert step.ordinal == counts[step.parent]
            sums[step.parent] = step.grad_after
            counts[step.parent] += 1
        else:
            assert step.node is step.target is updates.pop(0)
            assert step.local == -eta
            assert step.upstream == step.grad_before == step.grad_after == final[step.node]
            assert step.contribution == -eta * final[step.node]
            assert step.operands == (step.node.data,)
            assert step.data == step.node.data + step.contribution
        assert record.at(step.index) == sums
    assert final == sums


@QUICK
@given(graphs(), st.data())
def test_any_step_may_be_asked_for_in_any_order(e, data):
    record = steps(e, 0.1)
    forwards = [(step, dict(record.at(step.index))) for step in record]
    for k in data.draw(st.permutations(range(len(record)))):
        assert repr(record[k]) == repr(forwards[k][0])
        assert repr(dict(record.at(k))) == repr(forwards[k][1])
        assert repr(record[k - len(record)]) == repr(forwards[k][0])
    assert [repr(step) for step in reversed(record)] == [repr(step) for step, _ in forwards][::-1]


def test_going_back_computes_nothing():
    """No product and no sum is formed once the record is there, not even of another number."""

    class Counting(float):
        formed = 0

        def __mul__(self, other):
            Counting.formed += 1
            return Counting(float(self) * other)

        __rmul__ = __mul__

        def __add__(self, other):
            Counting.formed += 1
            return Counting(float(self) + other)

        __radd__ = __add__

    _, b, c = doubled()
    b._dx = b._dy = c._dx = c._dy = Counting(1.0)
    record = steps(c)
    made = Counting.formed
    assert made >= 8
    for k in reversed(range(len(record))):
        assert record[k].index == k
        assert len(dict(record.at(k))) == 3
    assert Counting.formed == made


def test_the_steps_of_the_note_written_out():
    w, x, b, t = Value(0.5, "w"), Value(2.0, "x"), Value(0.1, "b"), Value(1.0, "t")
    o = tanh(w * x - b)
    o.label = "o"
    record = steps((t - o) ** 2, eta=0.1, wrt=[w, b])
    assert record.to_text().splitlines() == [
        "v1 = w * x = 0.5 * 2.0 = 1.0",
        "v2 = v1 - b = 1.0 - 0.1 = 0.9",
        "o = tanh(v2) = tanh(0.9) = 0.716298",
        "v3 = t - o = 1.0 - 0.716298 = 0.283702",
        "e = v3 ** 2 = 0.283702 ** 2 = 0.0804869",
        "e.grad = 1.0",
        "v3.grad: 0 + (1.0 × 0.567404) = 0.567404",
        "t.grad: 0 + (0.567404 × 1.0) = 0.567404",
        "o.grad: 0 + (0.567404 × -1.0) = -0.567404",
        "v2.grad: 0 + (-0.567404 × 0.486917) = -0.276279",
        "v1.grad: 0 + (-0.276279 × 1.0) = -0.276279",
        "b.grad: 0 + (-0.276279 × -1.0) = 0.276279",
        "w.grad: 0 + (-0.276279 × 2.0) = -0.552558",
        "x.grad: 0 + (-0.276279 × 0.5) = -0.138139",
        "w: 0.5 + (-0.1 × -0.552558) = 0.555256",
        "b: 0.1 + (-0.1 × 0.276279) = 0.0723721",
    ]
    assert record.to_text(ascii_only=True).isascii()


def test_the_line_that_the_issue_asks_for():
    a, b, f = Value(2.0, "a"), Value(-3.0, "b"), Value(-2.0, "f")
    record = steps(a * b * f)
    assert "a.grad: 0 + (-2.0 x -3.0) = 6.0" in record.to_text(ascii_only=True).splitlines()
    step = record.into(a)[0]
    assert step.reason() == "v1 → a, as v1 = a * b: v1.grad = -2.0, dv1/da = -3.0"
    assert step.reason(ascii_only=True).isascii()


def test_the_second_contribution_adds_to_the_first():
    a, b, _ = doubled()
    record = steps(b)
    assert [step.text() for step in record.into(a)] == [
        "a.grad: 0 + (1.0 × 1.0) = 1.0",
        "a.grad: 1.0 + (1.0 × 1.0) = 2.0",
    ]
    assert [step.ordinal for step in record.into(a)] == [0, 1]
    assert "db/da[operand 2]" in record[-1].reason()
    assert [step.kind for step in record.into(b)] == ["seed"]
    assert record.into(Value(0.0)) == ()


def test_the_forward_line_writes_constants_lists_and_signs():
    x, y = Value(-2.0, "x"), Value(Fraction(1, 3), "y")
    for e, line in [
        (x - 3, "e = x - 3 = (-2.0) - 3 = -5.0"),
        (1 - x, "e = 1 - x = 1 - (-2.0) = 3.0"),
        (y**2, "e = y ** 2 = (1/3) ** 2 = 1/9"),
        (x.maximum(0.5), "e = maximum(x, 0.5) = maximum(-2.0, 0.5) = 0.5"),
        (dot([x, 2.0], [x, x]), "e = dot([x, 2.0], [x, x]) = dot([-2.0, 2.0], [-2.0, -2.0]) = 0.0"),
        (-x, "e = neg(x) = neg(-2.0) = 2.0"),
        (fsum([x] * 7), f"e = fsum([{'x, ' * 6}... 7 in all]) = fsum([{'-2.0, ' * 6}... 7 in all]) = -14.0"),
    ]:  # fmt: skip
        e.label = "e"
        assert steps(e)[0].text() == line
    assert "... 9 in all" in steps(fsum([x] * 9))[0].reason()


def test_show_looks_as_the_type_does():
    numbers = [2.0, 2, -0.0, 1e300, Fraction(4, 2), Decimal("1.50"), 0.1 + 0.2, float("inf")]
    assert [show(each) for each in numbers] == [
        *("2.0", "2", "-0.0", "1e+300", "2", "1.50", "0.3", "inf")
    ]


def test_updates_are_those_of_descend_to_the_last_bit():
    net = Network.random([2, 3, 2], "tanh", seed=3)
    run = net.forward([0.3, -0.8], [0.1, 0.9])
    run.e.backward()
    updates = [step for step in steps(run.e, 0.3, wrt=net.parameters()) if step.kind == "update"]
    net.descend(0.3)
    assert {step.node: step.data for step in updates} == {
        leaf: leaf.data for leaf in net.parameters()
    }


def test_what_learns_is_looked_up_once():
    """Not once for each leaf: with as many leaves that took minutes."""
    weights = [Value(1.0) for _ in range(40_000)]
    began = time.perf_counter()
    assert len(steps(fsum(weights), 0.1, wrt=weights)) == 1 + 1 + 40_000 + 40_000
    assert time.perf_counter() - began < 5


def test_a_record_does_not_change_when_a_leaf_learns():
    e = note_1_1()
    (w,) = [node for node in topological_order(e) if node.label == "w"]
    record = steps(e, 0.1)
    text = record.to_text()
    w.data = 7.0
    w.grad = 5.0
    assert record.to_text() == text
    late = steps(e)
    assert late[0].text() == "v1 = w * x = 1.0"  # 7.0 * 2.0 would not be
    assert "other data" in late[0].reason()
    assert late.to_text().splitlines()[1:] == text.splitlines()[1:14]


def test_new_data_outside_the_domain_is_not_shown_as_an_operand():
    x = Value(2.0, "x")
    e = x.log()
    x.data = -1.0
    assert steps(e)[0].text() == "e = log(x) = 0.693147"


def test_a_leaf_alone_is_seeded_and_learns():
    x = Value(2.0, "x")
    record = steps(x, 0.5)
    assert [step.text() for step in record] == ["x.grad = 1.0", "x: 2.0 + (-0.5 × 1.0) = 1.5"]
    assert record.grads_after_backward() == {x: 1}


def test_it_is_an_immutable_sequence():
    record = steps(note_1_1())
    assert isinstance(record, Steps)
    assert len(record[2:5]) == 3
    assert record[2:5] == tuple(record)[2:5]
    assert record[0] == record[0]
    for index in (len(record), -len(record) - 1):
        with pytest.raises(IndexError, match="14 steps"):
            record[index]
        with pytest.raises(IndexError):
            record.at(index)
    for ask in (record.__getitem__, record.at):
        for index in (1.0, "1", None):
            with pytest.raises(TypeError):
                ask(index)
    assert type(record[np.int64(1)].index) is int
    with pytest.raises(FrozenInstanceError):
        record[0].data = 1
    with pytest.raises(TypeError):
        record[0] = record[1]
    with pytest.raises(TypeError):
        record.at(0)[record.e] = 1
    with pytest.raises(KeyError):
        record.at(0)[Value(1.0)]
    assert repr(record) == "<Steps: 5 forward, the seed, 8 backward>"
    assert "'w': 0.0" in repr(record.at(0))
    assert "names" not in repr(record[0])


def test_eta_is_a_number():
    with pytest.raises(DataError, match="learning rate"):
        steps(note_1_1(), "0.1")


@pytest.mark.parametrize("ask", [steps, order, naive])
def test_what_is_no_node_is_named(ask):
    for what in (3.0, "x", None, [Value(1.0)]):
        with pytest.raises(TypeError, match=f"e must be a Value, .* not {type(what).__name__}"):
            ask(what)


def test_the_module_and_the_call_are_one():
    assert tinygrad_bp.steps(note_1_1())[0].kind == "forward"
    assert tinygrad_bp.naive is naive
    assert tinygrad_bp.order is order


def test_as_json_it_has_every_field_and_the_texts():
    record = steps(note_1_1(), 0.1)
    told = json.loads(json.dumps(record.to_dict()))
    assert told["of"] == "e"
    assert [each["name"] for each in told["nodes"]] == list(record.names.values())
    assert [each["text"] for each in told["steps"]] == record.to_text().splitlines()
    for step, each in zip(record, told["steps"], strict=True):
        assert {"kind", "node", "parent", "slot", "local", "upstream", "contribution"} <= {*each}
        assert (each["grad_before"], each["grad_after"]) == (step.grad_before, step.grad_after)


def test_names_may_be_given():
    x = Value(2.0)
    e = x * x
    assert steps(e, named={x: "in", e: "out"})[0].text() == "out = in * in = 2.0 * 2.0 = 4.0"


# ---- the order


@QUICK
@given(graphs())
def test_every_node_waits_for_all_that_used_it(e):
    turns = order(e)
    nodes = topological_order(e)
    assert [turn.node for turn in turns] == nodes[::-1]
    done = []
    for node, waited_for in turns:
        assert set(waited_for) == {user for user in nodes if node in user.parents}
        assert list(waited_for) == [each for each in done if each in waited_for]
        done.append(node)


def test_the_order_of_a_doubled_node():
    a, b, c = doubled()
    assert order(c) == [(c, ()), (b, (c,)), (a, (b,))]


# ---- the wrong way


def recursively(e):
    """As a beginner writes it."""
    grads = dict.fromkeys(topological_order(e), 0)
    grads[e] = 1
    edges = []

    def backward(node):
        for parent, local in zip(node.parents, node.local_derivatives, strict=True):
            grads[parent] += grads[node] * local
            edges.append((node, parent, grads[parent]))
            backward(parent)

    backward(e)
    return grads, edges


@QUICK
@given(graphs(Fraction))
def test_naive_is_what_the_recursion_does(e):
    grads, edges = recursively(e)
    record = naive(e)
    assert record.at(-1) == grads
    backward = [step for step in record if step.kind == "backward"]
    assert [(step.node, step.parent, step.grad_after) for step in backward] == edges
    assert len(backward) == sum(path_count(e, node) for node in topological_order(e)) - 1
    right = steps(e)
    assert repr(record.right) == repr(right)
    for leaf, found, true, wrong in record.answers:
        assert (found, true) == (grads[leaf], right.at(-1)[leaf])
        assert wrong == (found != true)
    shared = {each for each in topological_order(e) if each.op and len(right.into(each)) > 1}
    if record.first_wrong is None:
        assert all(not each.wrong for each in record.answers)
    else:
        step = record[record.first_wrong]
        assert step.node in shared
        come = [each for each in record.into(step.node) if each.index < step.index]
        assert len(come) < len(record.right.into(step.node))
        for earlier in record[record.seed + 1 : record.first_wrong]:  # nothing before was early
            come = [each for each in record.into(earlier.node) if each.index < earlier.index]
            assert len(come) == len(record.right.into(earlier.node))
    if not shared:
        assert record.first_wrong is None


def test_the_wrong_way_on_a_doubled_node():
    """``b`` passes on 1 when its first contribution comes, and then 2 instead of the 1 that is new."""
    a, b, c = doubled()
    record = naive(c)
    assert record.answers == (Answer(a, naive=6.0, right=4.0, wrong=True),)
    assert [step.text() for step in record[2:]] == [
        "c.grad = 1.0",
        "b.grad: 0 + (1.0 × 1.0) = 1.0",
        "a.grad: 0 + (1.0 × 1.0) = 1.0",
        "a.grad: 1.0 + (1.0 × 1.0) = 2.0",
        "b.grad: 1.0 + (1.0 × 1.0) = 2.0",
        "a.grad: 2.0 + (2.0 × 1.0) = 4.0",
        "a.grad: 4.0 + (2.0 × 1.0) = 6.0",
    ]
    assert record.first_wrong == 4
    assert record[4].node is b
    assert record.explain() == (
        "step 5 goes wrong: b passes on 1.0, but its gradient is 2.0: 1 of its 2 contributions "
        "has not come\na.grad = 6.0 is wrong: 4.0 is right"
    )
    c.backward()
    assert a.grad == 4.0
    told = json.loads(json.dumps(record.to_dict()))
    assert told["answers"] == [{"leaf": "a", "naive": 6.0, "right": 4.0, "wrong": True}]
    assert told["first_wrong"] == 4


def test_where_nothing_is_shared_the_wrong_way_is_right():
    record = naive(note_1_1())
    assert record.first_wrong is None
    assert not any(each.wrong for each in record.answers)
    assert "nothing goes wrong here" in record.explain()


def test_rounding_alone_is_not_wrong():
    """A leaf may be used often; only the order of its own sum changes."""
    x = Value(0.1, "x")
    e = (x * 0.1 + x * 0.7) + (x * 0.3 + x * 1e-3)
    record = naive(e)
    ((_, found, right, wrong),) = record.answers
    assert found == pytest.approx(right)
    assert (wrong, record.first_wrong) == (False, None)


def test_passing_on_early_to_no_effect_is_not_wrong():
    x = Value(0.1, "x")
    y = (x * 0.1).relu() * 0.0
    assert naive(y + y).first_wrong is None


def test_symbols_are_compared_as_formulas():
    x = Value(sympy.Symbol("x"), "x")
    y = x * x
    assert [each.wrong for each in naive(y * x).answers] == [False]
    assert [each.wrong for each in naive(y + y).answers] == [True]


def test_too_many_steps_of_the_wrong_way_are_refused_with_their_number():
    y = Value(1.0, "x")
    for _ in range(40):
        y = y + y
    with pytest.raises(TooManyPathsError, match=str(2**41 - 2)):
        naive(y)
    for _ in range(400):
        y = y + y
    with pytest.raises(TooManyPathsError, match=r"more than 10\*\*100"):
        naive(y)
    _, _, c = doubled()
    assert len(naive(c, limit=6)) == 9
    with pytest.raises(TooManyPathsError, match="raise limit="):
        naive(c, limit=5)


# ---- size


def test_a_long_chain_needs_no_stack():
    x = Value(1.0, "x")
    y = x
    for _ in range(10_000):
        y = y * 1.0
    record = steps(y)
    assert len(record) == 20_001
    assert record.at(-1)[x] == 1.0
    assert record.at(15_000)[x] == 0
    assert record[-1].parent is x
    assert order(y)[-1].node is x
    assert naive(y, limit=10_000).first_wrong is None


def test_the_graph_may_be_copied_after_the_record():
    e = note_1_1()
    record = steps(e)
    assert steps(copy.deepcopy(e)).to_text() == record.to_text()


def test_a_label_breaks_no_line_and_moves_no_cursor():
    w, x = Value(1.0, "a\nb\x1b[31m\u202e"), Value(2.0, "x")
    record = steps(w * x)
    shown = record.to_text() + "".join(step.reason() for step in record)
    assert len(record.to_text().splitlines()) == len(record)
    assert not {*"\x1b\u202e"} & {*shown}
    assert "aU+000AbU+001B[31mU+202E.grad: 0 + (1.0 × 2.0) = 2.0" in shown


def test_what_cannot_be_updated_is_named():
    with pytest.raises(DataError, match=r"the update of x: .*give eta the leaf's number type"):
        steps(Value(Decimal(2), "x") * 3, eta=0.1).to_text()


def test_one_value_where_a_list_is_meant_is_named():
    x = Value(2.0)
    with pytest.raises(ArgumentError, match=r"steps\(e, wrt=\) takes a list of values"):
        steps(x * 3, eta=0.1, wrt=x)


def test_a_whole_number_of_numpy_is_written_out():
    assert "123456789 * 2" in steps(Value(np.int64(123456789), "n") * 2).to_text()


@pytest.mark.parametrize("stranger", [1, "w", None])
def test_what_learns_is_a_node(stranger):
    w = Value(2.0)
    with pytest.raises(ArgumentError, match="one of wrt"):
        steps(w * w, eta=0.1, wrt=[w, stranger])
