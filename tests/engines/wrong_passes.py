"""Mutants of the pass and of the graph: order, seed, what is kept, what is taken for the same node."""

from __future__ import annotations

import itertools
import math
import random
import sys
from functools import lru_cache

from mutation import mutation, scalar
from right import Scalar, sorted_topologically
from wrong_operations import to_single

IN_A_GRAPH = ("a + b in a graph", "a * b in a graph")
ORDER = (*IN_A_GRAPH, "repeated operand", "shared node", "equal numbers", "random programs")
SECOND = ("second pass", "two results", "continued graph", "another graph")
ANY = ("a + b", "a * b", "same every time", *ORDER)
LOOKING = ("looking", *ANY)
GRADIENTS = ("tiny gradients", "huge gradients", "infinite gradients", "nan gradients", *ANY)


def parents_of(node):
    return [parent for parent, _ in node.parents]


def descending(key):
    """An order that takes the nodes with the highest key first in the pass."""
    return lambda self: sorted(sorted_topologically(self), key=key)


# ---- order


@mutation("visits breadth first", found_by=ORDER)
def breadth_first(_):
    def order(self):
        found = {self: None}
        for node in nodes_from(self, found):
            found[node] = None
        return [*found][::-1]

    def nodes_from(root, found):
        queue = [root]
        for node in queue:
            fresh = [each for each in dict.fromkeys(parents_of(node)) if each not in found]
            found.update(dict.fromkeys(fresh))
            queue += fresh
        return queue

    return scalar(order=order)


@mutation("takes a node before its parents have come, depth first", found_by=ORDER)
def preorder(_):
    def order(self):
        found, stack = {}, [self]
        while stack:
            node = stack.pop()
            if node not in found:
                found[node] = None
                stack += parents_of(node)
        return [*found][::-1]

    return scalar(order=order)


def with_depth(best):
    class Depth(Scalar):
        def __init__(self, data, op="", parents=()):
            super().__init__(data, op, parents)
            self.depth = best([node.depth + 1 for node, _ in parents], default=0)

        order = descending(lambda node: node.depth)

    return Depth


@mutation("orders by the shortest way from a leaf", found_by=ORDER)
def by_shortest_way(_):
    return with_depth(min)


@mutation("orders by the depth at which a node is first met", found_by=ORDER)
def by_depth_first_met(_):
    def order(self):
        depth, stack = {self: 0}, [self]
        while stack:
            node = stack.pop()
            for parent in parents_of(node):
                if parent not in depth:
                    depth[parent] = depth[node] + 1
                    stack.append(parent)
        return sorted(depth, key=depth.get, reverse=True)

    return scalar(order=order)


@mutation("orders by address", found_by=ORDER)
def by_address(_):
    return scalar(order=descending(id))


@mutation("orders by value", found_by=ORDER)
def by_value(_):
    return scalar(order=descending(lambda node: node.data))


def numbered(restart_after_pass=False, restart_at=math.inf, backwards=False):
    class Numbered(Scalar):
        numbers = 0

        def __init__(self, data, op="", parents=()):
            super().__init__(data, op, parents)
            self.number = Numbered.numbers
            Numbered.numbers = (Numbered.numbers + 1) % restart_at

        def order(self):
            nodes = sorted(sorted_topologically(self), key=lambda node: node.number)
            return nodes[::-1] if backwards else nodes

        def backward(self):
            super().backward()
            if restart_after_pass:
                Numbered.numbers = 0

    return Numbered


@mutation("orders by creation, oldest first", found_by=ORDER)
def oldest_first(_):
    return numbered(backwards=True)


@mutation("orders by creation, in numbers that begin again after a pass", found_by=SECOND)
def numbers_begin_again(_):
    return numbered(restart_after_pass=True)


@mutation("orders by creation, in numbers of one byte", found_by=ORDER)
def numbers_of_one_byte(_):
    return numbered(restart_at=256)


@mutation("orders the nodes at random", found_by=ORDER)
def random_order(_):
    def order(self):
        nodes = sorted_topologically(self)
        return random.sample(nodes, len(nodes))

    return scalar(order=order)


@mutation("recurses without an order", found_by=ORDER)
def no_order(_):
    def backward(self):
        self.grad += 1.0
        push(self)

    def push(node):
        for parent, local in node.parents:
            parent.grad += local * node.grad
            push(parent)

    return scalar(backward=backward)


@mutation("walks each path by itself", found_by=["many paths"])
def each_path(_):
    def backward(self):
        walk(self, 1.0)

    def walk(node, grad):
        node.grad += grad
        for parent, local in node.parents:
            walk(parent, grad * local)

    return scalar(backward=backward)


def recursive_order(self):
    nodes, seen = [], set()

    def visit(node):
        if node not in seen:
            seen.add(node)
            for parent, _ in node.parents:
                visit(parent)
            nodes.append(node)

    visit(self)
    return nodes


@mutation("recurses", found_by=["deep graph"])
def recurses(_):
    return scalar(order=recursive_order)


@mutation("recurses, with a limit of 20,000", found_by=["deep graph"])
def recurses_with_a_limit(_):
    def order(self):
        before = sys.getrecursionlimit()
        sys.setrecursionlimit(20_000)
        try:
            return recursive_order(self)
        finally:
            sys.setrecursionlimit(before)

    return scalar(order=order)


@mutation("stops after 50 levels", found_by=["deep graph", "random programs"])
def stops_at_depth(_):
    class Depth(with_depth(max)):
        def order(self):
            return [node for node in sorted_topologically(self) if node.depth >= self.depth - 50]

    return Depth


@mutation("stops after 5,000 nodes", found_by=["deep graph"])
def stops_at_size(_):
    return scalar(order=lambda self: sorted_topologically(self)[-5_000:])


@mutation("ignores the fifth use of a node, and all after it", found_by=ORDER)
def fifth_use(_):
    def backward(self):
        for node in sorted_topologically(self):
            node.begin()
        self.seed()
        uses = {}
        for node in reversed(sorted_topologically(self)):
            for parent, local in node.parents:
                uses[parent] = uses.get(parent, 0) + 1
                if uses[parent] < 5:
                    parent.grad += local * node.grad

    return scalar(backward=backward)


# ---- which nodes are the same


class EqualByValue(Scalar):
    def __eq__(self, other):
        return self.data == (other.data if isinstance(other, Scalar) else other)

    def __hash__(self):
        return hash(self.data)


@mutation("visits nodes by equality, which is that of their values", found_by=ORDER)
def visited_by_equality(_):
    return type("ByEquality", (EqualByValue,), {"order": recursive_order})


@mutation("visits nodes by their value", found_by=ORDER)
def visited_by_value(_):
    def order(self):
        return [*{node.data: node for node in sorted_topologically(self)}.values()]

    return scalar(order=order)


@mutation("visits nodes by their value and operation", found_by=ORDER)
def visited_by_value_and_operation(_):
    def order(self):
        return [*{(node.data, node.op): node for node in sorted_topologically(self)}.values()]

    return scalar(order=order)


@mutation("makes equal leaves one node", found_by=ANY)
def equal_leaves(_):
    class Interned(Scalar):
        leaves = {}

        def __new__(cls, data, op="", parents=()):
            if parents:
                return super().__new__(cls)
            return cls.leaves.setdefault(data, super().__new__(cls))

    return Interned


@mutation("makes results of equal operands one node", found_by=ANY)
def equal_results(_):
    class Cached(EqualByValue):
        order = recursive_order

        @classmethod
        @lru_cache
        def apply(cls, op, *operands):
            return super().apply(op, *operands)

    return Cached


@mutation("keeps gradients by address, for ever", found_by=["gradient before", *ANY])
def gradients_by_address(_):
    class Kept(Scalar):
        grads = {}

        def __init__(self, data, op="", parents=()):
            self.data, self.op, self.parents = data, op, parents

        grad = property(
            lambda self: self.grads.get(id(self), 0.0),
            lambda self, number: self.grads.__setitem__(id(self), number),
        )

    return Kept


# ---- the seed, and what a pass leaves behind


@mutation("does not seed the root", found_by=["a + b", "pass from a leaf"])
def no_seed(_):
    return scalar(seed=lambda self: None)


@mutation("seeds the root with its value", found_by=ANY)
def seeded_with_value(_):
    return scalar(seed=lambda self: setattr(self, "grad", self.data))


@mutation("does not seed a root that is a leaf", found_by=["pass from a leaf"])
def leaf_not_seeded(_):
    return scalar(seed=lambda self: setattr(self, "grad", 1.0 if self.parents else 0.0))


@mutation("fails from a leaf", found_by=["pass from a leaf"])
def leaf_fails(_):
    return scalar(seed=lambda self: setattr(self, "grad", 1.0 + 0 * len(self.parents[0])))


@mutation("keeps the gradients of inner nodes", found_by=SECOND)
def keeps_inner(_):
    return scalar(begin=lambda self: None, seed=lambda self: setattr(self, "grad", 1.0))


@mutation("keeps the gradient of the root", found_by=SECOND)
def keeps_root(_):
    class Kept(Scalar):
        last = 0.0

        def seed(self):
            self.grad += 1.0 + self.last
            self.last = self.grad

    return Kept


@mutation("clears the leaves before a pass", found_by=SECOND)
def clears_leaves(_):
    return scalar(begin=lambda self: setattr(self, "grad", 0.0))


@mutation("clears the operands' gradients as it computes", found_by=SECOND)
def clears_operands(_):
    class Clearing(Scalar):
        @classmethod
        def apply(cls, op, *operands):
            for each in operands:
                if isinstance(each, Scalar):
                    each.grad = 0.0
            return super().apply(op, *operands)

    return Clearing


def marked(forget):
    """A Scalar that marks the nodes that it has visited, and perhaps forgets to take the marks away."""

    class Marked(Scalar):
        marked = False

        def order(self):
            nodes = [node for node in sorted_topologically(self) if not node.marked]
            for node in nodes:
                node.marked = forget(node)
            return nodes

    return Marked


@mutation("leaves its marks on the nodes that it has visited", found_by=SECOND)
def leaves_marks(_):
    return marked(lambda node: True)


@mutation("leaves its marks on the inner nodes that it has visited", found_by=SECOND)
def leaves_marks_on_inner(_):
    return marked(lambda node: bool(node.parents))


@mutation("drops the graph in its pass, in silence", found_by=SECOND)
def drops_graph(_):
    class Dropping(Scalar):
        def backward(self):
            order = sorted_topologically(self)
            super().backward()
            for node in order:
                node.parents = ()

    return Dropping


def taped(*, clear_before=False, clear_after=False, whole=True):
    """A Scalar with one tape for all graphs, which a pass plays backwards."""

    class Taped(Scalar):
        tape = []

        def __init__(self, data, op="", parents=()):
            super().__init__(data, op, parents)
            self.tape.append(self)

        def backward(self):
            end = len(self.tape) if whole else self.tape.index(self) + 1
            for node in self.tape:
                node.begin()
            self.seed()
            for node in reversed(self.tape[:end]):
                node.pass_on()
            if clear_after:
                self.tape.clear()

    return Taped


@mutation("never clears its tape, and seeds all that is on it", found_by=SECOND)
def tape_seeded(_):
    class Seeding(taped()):
        roots = []

        def seed(self):
            self.roots.append(self)
            for root in self.roots:
                root.grad += 1.0

    return Seeding


@mutation("never clears its tape, and keeps the gradients on it", found_by=SECOND)
def tape_kept(_):
    class Kept(taped()):
        def begin(self):
            pass

    return Kept


@mutation("clears its tape after a pass, with what other graphs need", found_by=SECOND)
def tape_cleared(_):
    return taped(clear_after=True)


@mutation("has one tape that keeps every node", found_by=["memory", "no cycles"])
def tape_leaks(_):
    class Leaking(Scalar):
        tape = []

        def __init__(self, data, op="", parents=()):
            super().__init__(data, op, parents)
            self.tape.append(self)

    return Leaking


@mutation("keeps the results of a node for ever", found_by=["memory", "no cycles"])
def leaf_keeps_results(_):
    class Keeping(Scalar):
        def __init__(self, data, op="", parents=()):
            super().__init__(data, op, parents)
            self.results = []
            for parent, _ in parents:
                parent.results.append(self)

    return Keeping


@mutation("has a reference to itself", found_by=["memory", "no cycles"])
def cycle(_):
    class Cyclic(Scalar):
        def __init__(self, data, op="", parents=()):
            super().__init__(data, op, parents)
            self.me = self

    return Cyclic


@mutation("keeps a log of its passes", found_by=["memory", "no cycles"])
def keeps_log(_):
    class Logging(Scalar):
        log = []

        def pass_on(self):
            self.log.append((self.op, self.grad))
            super().pass_on()

    return Logging


@mutation(
    "waits for all uses of a node, those of other graphs too", found_by=["shared node", *SECOND]
)
def waits_for_others(_):
    class Waiting(Scalar):
        def __init__(self, data, op="", parents=()):
            super().__init__(data, op, parents)
            self.uses = 0
            for parent, _ in parents:
                parent.uses += 1

        def backward(self):
            for node in sorted_topologically(self):
                node.begin()
                node.pending = node.uses
            self.seed()
            ready = [self]
            while ready:
                node = ready.pop()
                node.pass_on()
                for parent, _ in node.parents:
                    parent.pending -= 1
                    if not parent.pending:
                        ready.append(parent)

    return Waiting


# ---- gradients on the way


def giving(change):
    """A Scalar that changes each part of a gradient on its way."""

    def give(self, parent, part):
        parent.grad += change(part)

    return scalar(give=give)


@mutation("adds gradients in single precision", found_by=ANY)
def single_gradients(_):
    def give(self, parent, part):
        parent.grad = to_single(parent.grad + part)

    return scalar(give=give)


@mutation("rounds gradients to 8 places", found_by=GRADIENTS)
def rounds(_):
    return giving(lambda part: round(part, 8) if math.isfinite(part) else part)


@mutation("drops gradients that are at most 1e-8", found_by=GRADIENTS)
def drops_tiny(_):
    return giving(lambda part: 0.0 if abs(part) <= 1e-8 else part)


@mutation("drops gradients that are at most 1e-150", found_by=GRADIENTS)
def drops_tiniest(_):
    return giving(lambda part: 0.0 if abs(part) <= 1e-150 else part)


@mutation("drops negative gradients", found_by=ANY)
def drops_negative(_):
    return giving(lambda part: max(part, 0.0))


@mutation("turns gradients that are nan into 0", found_by=GRADIENTS)
def nan_to_zero(_):
    return giving(lambda part: 0.0 if math.isnan(part) else part)


@mutation("turns infinite gradients into the largest float", found_by=GRADIENTS)
def infinite_to_large(_):
    return giving(lambda part: max(-sys.float_info.max, min(part, sys.float_info.max)))


@mutation("clips gradients to between -10 and 10", found_by=GRADIENTS)
def clips(_):
    return giving(lambda part: max(-10.0, min(part, 10.0)))


@mutation("clips gradients to between -1e6 and 1e6", found_by=GRADIENTS)
def clips_high(_):
    return giving(lambda part: max(-1e6, min(part, 1e6)))


@mutation("halves the gradients of inner nodes after the pass", found_by=["inner gradients"])
def halves_inner(_):
    class Halving(Scalar):
        def backward(self):
            super().backward()
            for node in sorted_topologically(self):
                if node.parents and node is not self:
                    node.grad /= 2

    return Halving


@mutation(
    "leaves the last part alone as the gradient of an inner node", found_by=["inner gradients"]
)
def last_part_alone(_):
    class Last(Scalar):
        def backward(self):
            super().backward()
            for node in sorted_topologically(self):
                for parent, local in node.parents:
                    if parent.parents:
                        parent.grad = local * node.grad

    return Last


@mutation("halves the gradients that pass through inner nodes", found_by=ANY)
def halves_through_inner(_):
    def give(self, parent, part):
        parent.grad += part / 2 if parent.parents else part

    return scalar(give=give)


# ---- what changes from one time to another


@mutation("has the sign wrong at random, once in 20 times", found_by=ANY)
def random_sign(_):
    return giving(lambda part: part if random.random() > 0.05 else -part)


@mutation("drops gradients at random, once in 20 times", found_by=ANY)
def random_drop(_):
    return giving(lambda part: part if random.random() > 0.05 else 0.0)


@mutation("adds noise to gradients", found_by=ANY)
def noise(_):
    return giving(lambda part: part * (1 + 1e-6 * random.random()))


@mutation("is wrong in every 97th operation", found_by=ANY)
def every_97th(_):
    class Counting(Scalar):
        numbers = itertools.count(1)

        def pass_on(self):
            if next(self.numbers) % 97:
                super().pass_on()

    return Counting


@mutation("is right the first time alone", found_by=ANY)
def right_once(_):
    class Once(Scalar):
        passes = 0

        def seed(self):
            Once.passes += 1
            self.grad += 1.0 if Once.passes == 1 else 2.0

    return Once


@mutation("takes the first slopes of an operation for all with the same result", found_by=ANY)
def cached_slopes(_):
    first = {}

    def pass_on(self):
        slopes = first.setdefault((self.op, self.data), [local for _, local in self.parents])
        for (parent, _), local in zip(self.parents, slopes, strict=False):
            self.give(parent, local * self.grad)

    return scalar(pass_on=pass_on)


@mutation("skips nodes with a value of 0 in its pass", found_by=ANY)
def skips_zero_nodes(_):
    def pass_on(self):
        if self.data:
            Scalar.pass_on(self)

    return scalar(pass_on=pass_on)


@mutation("gives nothing to operands with a value of 0", found_by=ANY)
def skips_zero_parents(_):
    def give(self, parent, part):
        if parent.data:
            parent.grad += part

    return scalar(give=give)


@mutation("leaves out local derivatives of 1", found_by=ANY)
def skips_slope_one(_):
    def pass_on(self):
        for parent, local in self.parents:
            if local != 1.0:
                self.give(parent, local * self.grad)

    return scalar(pass_on=pass_on)


# ---- data


@mutation("changes the value of the root in its pass", found_by=ANY)
def moves_root(_):
    class Moving(Scalar):
        def backward(self):
            super().backward()
            self.data += 1.0

    return Moving


@mutation("moves the leaves in its pass, as training does", found_by=ANY)
def moves_leaves(_):
    class Moving(Scalar):
        def backward(self):
            super().backward()
            for node in sorted_topologically(self):
                if not node.parents:
                    node.data -= 0.1 * node.grad

    return Moving


@mutation("has data in single precision", found_by=ANY)
def single_data(_):
    class Single(Scalar):
        def __init__(self, data, op="", parents=()):
            super().__init__(to_single(data), op, parents)

    return Single


@mutation("begins with a gradient of 1", found_by=["gradient before", *ANY])
def begins_with_one(_):
    class One(Scalar):
        def __init__(self, data, op="", parents=()):
            super().__init__(data, op, parents)
            self.grad = 1.0

    return One


@mutation("takes leaves for whole numbers", found_by=ANY)
def whole_leaves(_):
    class Whole(Scalar):
        def __init__(self, data, op="", parents=()):
            super().__init__(data if parents else float(int(data)), op, parents)

    return Whole


# ---- looking


@mutation("doubles the gradient when it is read", found_by=LOOKING)
def reading_doubles(_):
    class Reading(Scalar):
        def __init__(self, data, op="", parents=()):
            self.data, self.op, self.parents, self.kept = data, op, parents, 0.0

        def read(self):
            self.kept *= 2
            return self.kept / 2

        grad = property(read, lambda self, number: setattr(self, "kept", number))

    return Reading


@mutation("clears the gradient when it is printed", found_by=LOOKING)
def printing_clears(_):
    def represent(self):
        self.grad = 0.0
        return f"Value(data={self.data}, grad={self.grad})"

    return scalar(__repr__=represent)


@mutation("changes its value when it is compared", found_by=LOOKING)
def comparing_moves(_):
    def less(self, other):
        self.data += 1.0
        return self.data < (other.data if isinstance(other, Scalar) else other)

    return scalar(__lt__=less, __gt__=less)
