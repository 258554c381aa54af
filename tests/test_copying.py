"""Pickle and copy: what was shared stays shared, at any depth, and nothing recurses."""

from __future__ import annotations

import copy
import io
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from itertools import pairwise

import pytest
from depth import depth
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_bp import RULES, Value, dot, flat, fsum, primitive, tanh
from tinygrad_bp.flat import _threads
from tinygrad_bp.graph import topological_order


def twice(x):
    return 2 * x


def two(x, out):
    return 2


DOUBLE = primitive("double", twice, (two,))


def through_pickle(value):
    return pickle.loads(pickle.dumps(value))


WAYS = pytest.mark.parametrize("again", [copy.deepcopy, through_pickle], ids=["deepcopy", "pickle"])


def same(one, other):
    """Whether two graphs hold the same, node by node, shared where the other is."""
    first, second = topological_order(one), topological_order(other)
    places = {node: place for place, node in enumerate(first)}
    twins = {node: place for place, node in enumerate(second)}
    return len(first) == len(second) and all(
        (a.data, a.grad, a.label, a.op, a.local_derivatives)
        == (b.data, b.grad, b.label, b.op, b.local_derivatives)
        and [places[p] for p in a.parents] == [twins[p] for p in b.parents]
        and [o for o in a.operands if not isinstance(o, Value)]
        == [o for o in b.operands if not isinstance(o, Value)]
        for a, b in zip(first, second, strict=True)
    )


@st.composite
def graphs(draw):
    pool = [Value(Fraction(draw(st.integers(-3, 3))), name) for name in ("a", "b")]
    for _ in range(draw(st.integers(1, 12))):
        a, b = draw(st.sampled_from(pool)), draw(st.sampled_from(pool))
        kind = draw(st.sampled_from("+-*cdsu"))
        pool.append(
            {
                "+": lambda a=a, b=b: a + b,
                "-": lambda a=a, b=b: 3 - a,
                "*": lambda a=a, b=b: a * b,
                "c": lambda a=a, b=b: a * 2,
                "d": lambda a=a, b=b: dot([a, b], [2, a]),
                "s": lambda a=a, b=b: fsum([a, b, 1]),
                "u": lambda a=a, b=b: DOUBLE(a),
            }[kind]()
        )
    return pool


@WAYS
@settings(max_examples=depth(60, by_default=15))
@given(pool=graphs())
def test_a_graph_comes_back_the_same(again, pool):
    pool[-1].backward()
    assert same(pool[-1], again(pool[-1]))


@WAYS
@settings(max_examples=depth(60, by_default=15))
@given(pool=graphs(), order=st.randoms())
def test_what_several_results_share_stays_shared(again, pool, order):
    nodes = [*pool, *pool]
    order.shuffle(nodes)
    copied = again(nodes)
    twin = dict(zip(nodes, copied, strict=True))
    assert len({id(each) for each in copied}) == len(pool)
    for node in pool:
        assert twin[node] is not node
        assert [twin[parent] for parent in node.parents] == list(twin[node].parents)
    assert _threads.under_way() is None


@WAYS
def test_a_copy_is_a_graph_of_its_own(again):
    x = Value(3.0, "x")
    e = x * x
    twin = again(e)
    twin.backward()
    assert (x.grad, twin.parents[0].grad) == (0, 6.0)


def test_a_shallow_copy_has_the_same_parents():
    x = Value(3.0, "x")
    e = tanh(x)
    twin = copy.copy(e)
    assert (twin is e, twin.parents, twin.data) == (False, (x,), e.data)
    leaf = copy.copy(x)
    leaf.data = 5.0
    assert (x.data, leaf.label) == (3.0, "x")


# ---- copies inside copies, and other picklings under way


class Careless:
    """It copies without the memo that it is given."""

    def __init__(self, held):
        self.held = held

    def __deepcopy__(self, memo):
        return Careless(copy.deepcopy(self.held))


def chain(length):
    nodes = [Value(1.0)]
    for _ in range(length):
        nodes.append(nodes[-1] * 1.5)
    return nodes


def test_a_copy_within_a_copy_does_not_recurse():
    nodes = chain(3000)
    copied = copy.deepcopy([*nodes, Careless(nodes[-1])])
    assert same(copied[-2], nodes[-1])
    assert same(copied[-1].held, nodes[-1])
    assert copied[-2].parents[0] is copied[-3]


class Counting(dict):
    """A memo that counts how often it is asked."""

    asked = 0

    def __contains__(self, key):
        self.asked += 1
        return super().__contains__(key)


def test_many_nodes_of_a_chain_are_copied_in_linear_time():
    nodes, memo = chain(500), Counting()
    copied = copy.deepcopy(nodes, memo)
    assert copied[1].parents[0] is copied[0]
    assert memo.asked < 10 * len(nodes)


def test_a_leaf_that_holds_its_own_result_is_copied_with_it():
    class Holding(Value):
        pass

    o = Holding(2.0)
    o.result = o * 3.0 * o
    through_result, through_leaf = copy.deepcopy(o.result), copy.deepcopy(o)
    assert through_result.parents[1].result is through_result
    assert through_leaf.result.parents[1] is through_leaf


def test_a_leaf_that_holds_a_deep_result_is_copied_without_recursion():
    class Holding(Value):
        pass

    o = Holding(1.0)
    o.result = o * 1.5
    for _ in range(3000):
        o.result = o.result * 1.5
    for copied in (copy.deepcopy(o.result), copy.deepcopy(o).result):
        assert same(copied, o.result)


def test_an_interrupted_copy_is_taken_up_again_with_its_memo():
    class Stops(Value):
        stop = True

        def __deepcopy__(self, memo):
            if Stops.stop:
                raise KeyboardInterrupt
            return super().__deepcopy__(memo)

    e = chain(3000)[-1] + Stops(1.0)
    memo = {}
    with pytest.raises(KeyboardInterrupt):
        copy.deepcopy(e, memo)
    Stops.stop = False
    assert same(copy.deepcopy(e, memo), e)


class Replaced(Value):
    def __reduce_ex__(self, protocol):
        return Value, (99.0,)


class Strict(Value):
    def __setstate__(self, state):
        raise AssertionError("there is no state")


@WAYS
def test_a_leaf_s_own_way_to_be_copied_is_taken(again):
    assert again(Replaced(1.0)).data == 99.0
    assert again(Strict(2.0)).data == 2.0


def test_a_kept_pickler_is_no_part_of_a_copy():
    nodes = chain(3000)
    kept = pickle.Pickler(io.BytesIO())
    for node in nodes:
        kept.dump(node)
    assert same(copy.deepcopy(nodes[-1]), nodes[-1])


def test_a_pass_between_two_nodes_of_a_pickling_does_not_part_them():
    x = Value(2.0)
    a = x * x
    b = a * 3.0

    class Walks:
        def __reduce__(self):
            b.backward()
            return int, ()

    first, _, last, again = pickle.loads(pickle.dumps([a, Walks(), b, a]))
    assert last.parents[0] is first is again


def test_a_deep_graph_is_pickled_again_beside_a_kept_pickler():
    kept = pickle.Pickler(io.BytesIO())
    kept.dump(Value(1.0) * 2)
    deep = chain(5000)[-1]
    pickle.dumps(deep)
    assert same(through_pickle(deep), deep)


def test_a_deep_copy_has_been_met_by_no_pickler():
    e = Value(1.0)
    for _ in range(5000):
        e = e * 1.5
    kept = pickle.Pickler(io.BytesIO())
    kept.dump(e)
    kept.dump(copy.deepcopy(e))


def test_a_row_of_the_table_is_pickled_by_its_name():
    assert pickle.loads(pickle.dumps(tanh(Value(1.0)))).rule is RULES["tanh"]


def test_many_nodes_of_one_chain_are_copied_in_their_natural_order_at_once():
    chain = [Value(1.0)]
    for _ in range(3000):
        chain.append(chain[-1] * 1.5)
    for again in (copy.deepcopy(chain), pickle.loads(pickle.dumps(chain))):
        assert all(b.parents == (a,) for a, b in pairwise(again))


def test_a_pickler_that_is_kept_does_not_disturb_the_copies_after_it():
    x = Value(2.0, "x")
    e = x * 3.0 * x
    kept = pickle.Pickler(io.BytesIO())
    kept.dump(x * x)
    for _ in range(3):
        for again in (copy.deepcopy(e), pickle.loads(pickle.dumps([e, e * 2.0]))[0]):
            product, right = again.parents
            assert (again.data, product.parents, right.label) == (12.0, (right,), "x")
    kept.dump(e * e)
    assert len(flat._threads.under_way().places) == 4


def test_threads_copy_their_own_graphs():
    failed = []
    kept = pickle.Pickler(io.BytesIO())
    kept.dump(Value(2.0) * 2.0)
    with ThreadPoolExecutor(1) as pool:  # what is under way here is not under way there
        assert (
            pool.submit(lambda: flat._threads.under_way()).result()
            is None
            is not flat._threads.under_way()
        )

    def work():
        try:
            x = Value(2.0)
            e = x * x
            for _ in range(500):
                pickle.loads(pickle.dumps(e))
                copy.deepcopy([e, x])
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not failed


class Named(Value):
    def __init__(self, data, name, *, colour):
        super().__init__(data, name)
        self.colour = colour


def test_a_subclass_keeps_what_is_its_own():
    for again in (
        copy.deepcopy(Named(2.0, "x", colour="red")),
        pickle.loads(pickle.dumps(Named(2.0, "x", colour="red"))),
        copy.copy(Named(2.0, "x", colour="red")),
    ):
        assert (type(again), again.data, again.label, again.colour) == (Named, 2.0, "x", "red")


class Coloured(Value):
    __slots__ = ("colour",)


class Own(Value):
    def __getstate__(self):
        return {"kept": self.extra}

    def __setstate__(self, state):
        self.extra = state["kept"]


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))]
)
def test_the_slots_and_the_state_of_a_subclass_are_copied(again):
    red, own = Coloured(2.0, "r"), Own(3.0)
    red.colour, red.grad, own.extra = "red", 1.5, [7]
    copied = again(red)
    assert (copied.colour, copied.data, copied.grad, copied.label) == ("red", 2.0, 1.5, "r")
    assert again(own).extra == [7]
