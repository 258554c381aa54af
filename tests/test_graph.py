"""The walk and the names: each node after its parents, once, and never two names alike."""

from __future__ import annotations

import sys

import pytest
from depth import depth
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_bp import Value, dot, fsum, primitive, tanh
from tinygrad_bp.graph import names, topological_order
from tinygrad_bp.testing.strategies import programs

MANY = settings(max_examples=depth(150, by_default=30))


def recursive_order(e):
    """The textbook walk: the oracle."""
    order, seen = [], set()

    def visit(node):
        if node not in seen:
            seen.add(node)
            for parent in node.parents:
                visit(parent)
            order.append(node)

    visit(e)
    return order


@MANY
@given(programs())
def test_the_order_is_that_of_the_recursive_walk(program):
    e = program.run([*map(Value, program.leaves)])[-1]
    assert topological_order(e) == recursive_order(e)


@MANY
@given(programs())
def test_each_node_comes_once_and_after_its_parents_and_the_result_last(program):
    registers = program.run([*map(Value, program.leaves)])
    order = topological_order(registers[-1])
    place = {node: index for index, node in enumerate(order)}
    assert len(place) == len(order)
    assert all(place[parent] < place[node] for node in order for parent in node.parents)
    assert order[-1] is registers[-1]
    assert set(order) <= set(registers)


@MANY
@given(programs())
def test_the_order_is_the_same_on_every_walk_and_in_every_run(program):
    first = program.run([*map(Value, program.leaves)])
    second = program.run([*map(Value, program.leaves)])
    once, again, elsewhere = map(topological_order, (first[-1], first[-1], second[-1]))
    assert once == again
    assert [*map(first.index, once)] == [*map(second.index, elsewhere)]


def test_a_walk_within_a_walk_of_another_graph():
    a = Value(1.0) * 2.0
    b = Value(3.0) * 4.0
    both = a + b
    assert len(topological_order(a)) == len(topological_order(b)) == 2
    assert len(topological_order(both)) == 5


def test_operands_from_left_to_right():
    x, y, z = Value(1.0), Value(2.0), Value(3.0)
    e = (x * y) + z
    assert topological_order(e) == [x, y, e.parents[0], z, e]
    assert topological_order(z - (x * y))[0] is z
    assert topological_order(fsum([z, 1.0, x, z, y])).index(z) == 0
    three = primitive("three", "x + y + z", ("1.0", "1.0", "1.0"))
    node = three(z, 1.0, x)
    assert topological_order(node) == [z, x, node]


def test_a_leaf_is_its_own_order():
    x = Value(1.0)
    assert topological_order(x) == [x]


@MANY
@given(st.data())
def test_lists_within_lists_are_walked_as_the_recursive_walk_does(data):
    pool = [Value(1.0), Value(2.0)]
    nodes = st.lists(st.integers(0, 10**6), min_size=1, max_size=4)
    for _ in range(data.draw(st.integers(1, 10))):
        operands = [pool[place % len(pool)] for place in data.draw(nodes)]
        kind = data.draw(st.sampled_from("fd+"))
        pool.append(
            fsum(operands)
            if kind == "f"
            else dot(operands, [operands[-1], *operands[1:]])
            if kind == "d"
            else 2.0 + operands[0] * operands[-1]
        )
    assert topological_order(pool[-1]) == recursive_order(pool[-1])


def test_a_walk_with_the_mark_of_another_goes_on_where_that_ended():
    x = Value(1.0)
    a = x * 2.0
    b = fsum([x, a, x * a])
    mark = object()
    assert topological_order(a, mark) == [x, a]
    assert topological_order(b, mark) == [b.parents[2], b]
    assert topological_order(b) == [x, a, b.parents[2], b]


# ---- names


@pytest.fixture
def main(monkeypatch):
    """The namespace of ``__main__``, as a REPL has it."""
    module = type(sys)("__main__")
    monkeypatch.setitem(sys.modules, "__main__", module)
    return vars(module)


def test_a_label_comes_before_a_variable_and_a_variable_before_a_number(main):
    main["held"], main["also"] = labelled, plain = Value(1.0, "w"), Value(2.0)
    e = tanh(labelled * plain)
    assert [*names(topological_order(e)).values()] == ["w", "also", "v1", "v2"]
    assert [*names(topological_order(e), root="e").values()] == ["w", "also", "v1", "e"]


def test_the_variable_is_looked_up_by_identity_when_shown(main):
    x = Value(2.0)
    assert names([x])[x] == "v1"
    main["a"] = x
    assert names([x])[x] == "a"
    main["b"] = main.pop("a")
    assert names([x])[x] == "b"
    main["b"] = Value(2.0)  # equal data is another node
    assert names([x])[x] == "v1"


def test_the_first_of_two_variables_names_and_private_ones_do_not(main):
    x = Value(2.0)
    main["_"] = main["__"] = main["first"] = main["second"] = x
    assert names([x])[x] == "first"


def test_the_root_keeps_a_name_of_its_own(main):
    assert [*names([Value(1.0, "loss")], root="e").values()] == ["loss"]
    assert names([]) == {}


@MANY
@given(
    st.lists(st.sampled_from(["", "a", "a'", "v1", "v2", "v1'", "e"]), max_size=8),
    st.sampled_from(["", "e", "v1"]),
)
def test_no_two_names_are_alike(labels, root):
    nodes = [Value(1.0, label) for label in labels]
    given_names = names(nodes, root)
    assert [*given_names] == nodes
    assert len({*given_names.values()}) == len(nodes)
    for node, name in given_names.items():
        assert name
        assert name.startswith(node.label)


def test_names_of_many_nodes_with_one_label_stay_short():
    nodes = [Value(1.0, "w") for _ in range(3000)]
    given = list(names(nodes).values())
    assert given[:5] == ["w", "w'", "w''", "w'3", "w'4"]
    assert given[-1] == "w'2999"
    assert len(set(given)) == 3000
    tricky = [Value(1.0, each) for each in ("w'3", "w", "w", "w", "w", "w'")]
    assert len(set(names(tricky).values())) == 6


def test_a_label_of_its_own_is_kept_whatever_the_others_are():
    nodes = [Value(1.0), *(Value(2.0, label) for label in ("v1", "a", "a", "a'"))]
    assert [*names(nodes).values()] == ["v2", "v1", "a", "a''", "a'"]
