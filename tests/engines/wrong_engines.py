"""Wrong engines in manners of their own: dataclasses, tapes, arrays, weak references, generators, flags.

Each has one defect that goes with its manner, and is written out, as people write them.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from functools import lru_cache
from weakref import WeakSet, ref

import numpy as np
from mutation import mutation
from right import sorted_topologically

GRAPH = ("a + b in a graph", "a * b in a graph", "repeated operand", "shared node", "equal numbers")
ANY = ("a + b", "a * b", *GRAPH, "random programs")
SECOND = ("second pass", "two results", "continued graph", "another graph")


class Node:
    """A node with sums, differences, products, whole powers and two functions; right as it stands."""

    def __init__(self, data, parents=()):
        self.data = float(data)
        self.grad = 0.0
        self.parents = parents

    @classmethod
    def node(cls, other):
        return other if isinstance(other, Node) else cls(other)

    def __add__(self, other):
        other = self.node(other)
        return type(self)(self.data + other.data, [(self, 1.0), (other, 1.0)])

    def __mul__(self, other):
        other = self.node(other)
        return type(self)(self.data * other.data, [(self, other.data), (other, self.data)])

    def __neg__(self):
        return type(self)(-self.data, [(self, -1.0)])

    def __sub__(self, other):
        other = self.node(other)
        return type(self)(self.data - other.data, [(self, 1.0), (other, -1.0)])

    def __rsub__(self, other):
        return self.node(other) - self

    def __pow__(self, n):
        if not isinstance(n, (int, float)):
            raise TypeError("the exponent is a plain number")
        return type(self)(self.data**n, [(self, n * self.data ** (n - 1) if n else 0.0)])

    def relu(self):
        return type(self)(max(self.data, 0.0), [(self, float(self.data > 0))])

    def exp(self):
        out = math.exp(self.data) if self.data < 709.5 else math.inf
        return type(self)(out, [(self, out)])

    def __radd__(self, other):
        return self + other

    def __rmul__(self, other):
        return self * other

    def begin(self):
        if self.parents:
            self.grad = 0.0

    def backward(self):
        order = sorted_topologically(self)
        for node in order:
            node.begin()
        self.grad += 1.0
        for node in reversed(order):
            node.pass_on()

    def pass_on(self):
        for parent, local in self.parents:
            parent.grad += local * self.grad


def engine(defect, *found_by):
    """Add a class of nodes as a mutant."""

    def add(make):
        mutation(defect, found_by=found_by)(lambda _: make())
        return make

    return add


@engine("is a dataclass that is compared by its fields, and looks for nodes in a list", *ANY)
def compared_by_fields():
    @dataclass
    class Fields:
        data: float
        parents: list = field(default_factory=list, compare=False)
        grad: float = 0.0

        def order(self, seen):
            if self not in seen:
                for parent, _ in self.parents:
                    parent.order(seen)
                seen.append(self)
            return seen

        def __add__(self, other):
            return Fields(self.data + other.data, [(self, 1.0), (other, 1.0)])

        def __mul__(self, other):
            return Fields(self.data * other.data, [(self, other.data), (other, self.data)])

        def backward(self):
            order = self.order([])
            for node in order:
                node.grad = 0.0 if node.parents else node.grad
            self.grad += 1.0
            for node in reversed(order):
                for parent, local in node.parents:
                    parent.grad += local * node.grad

    return Fields


@engine("drops parents that are false, as 0 is", *ANY)
def drops_false():
    class DropsFalse(Node):
        def __init__(self, data, parents=()):
            super().__init__(data, [pair for pair in parents if pair[0]])

        def __bool__(self):
            return self.data != 0

    return DropsFalse


@engine("takes the gradient's array for that of an operand, and adds to it in place", *ANY)
def shares_arrays():
    class Arrays(Node):
        def __init__(self, data, parents=()):
            super().__init__(data, parents)
            self.grad = None

        def begin(self):
            if self.parents:
                self.grad = None

        def backward(self):
            order = sorted_topologically(self)
            for node in order:
                node.begin()
            self.grad = np.ones(()) if self.grad is None else self.grad + 1.0
            for node in reversed(order):
                for parent, local in node.parents:
                    part = node.grad if local == 1.0 else np.array(local * node.grad)
                    if parent.grad is None:
                        parent.grad = part
                    else:
                        parent.grad += part

    return Arrays


@engine("keeps its parents by weak references alone", "unnamed nodes")
def weak_parents():
    class Weak(Node):
        def __init__(self, data, parents=()):
            super().__init__(data)
            self.weak = [(ref(parent), local) for parent, local in parents]

        @property
        def parents(self):
            found = ((parent(), local) for parent, local in getattr(self, "weak", ()))
            return [(parent, local) for parent, local in found if parent is not None]

        @parents.setter
        def parents(self, _):
            pass

    return Weak


@engine(
    "visits by addresses that it keeps, though they are used again",
    *SECOND,
    "random programs",
    *ANY,
)
def keeps_addresses():
    class Addresses(Node):
        seen = set()

        def backward(self):
            order = [node for node in sorted_topologically(self) if id(node) not in self.seen]
            self.seen.update(id(node) for node in order if node.parents)
            self.grad += 1.0
            for node in reversed(order):
                node.pass_on()

    return Addresses


@engine("needs a gradient only where all operands do", *ANY, "a * 2", "2 - a")
def flag_of_all():
    class Flagged(Node):
        def __init__(self, data, parents=(), *, requires=True):
            super().__init__(data, parents)
            self.requires = all(parent.requires for parent, _ in parents) and requires

        @classmethod
        def node(cls, other):
            return other if isinstance(other, Node) else cls(other, requires=False)

        def pass_on(self):
            if self.requires:
                super().pass_on()

    return Flagged


@engine("needs a gradient where the first operand does", "2 + a", "2 * a", "2 - a", *ANY)
def flag_of_first():
    class Flagged(Node):
        def __init__(self, data, parents=(), *, requires=True):
            super().__init__(data, parents)
            self.requires = parents[0][0].requires if parents else requires

        @classmethod
        def node(cls, other):
            return other if isinstance(other, Node) else cls(other, requires=False)

        def __radd__(self, other):
            return self.node(other) + self

        def __rmul__(self, other):
            return self.node(other) * self

        def pass_on(self):
            if self.requires:
                super().pass_on()

    return Flagged


@engine("counts the uses of a node by the nodes that use it, and waits for as many", *GRAPH)
def waits_for_users():
    class Kahn(Node):
        def backward(self):
            order = sorted_topologically(self)
            uses = dict.fromkeys(order, 0)
            for node in order:
                node.begin()
                for parent, _ in node.parents:
                    uses[parent] += 1
            for node in order:
                for parent in {parent for parent, _ in node.parents}:
                    uses[parent] -= len([each for each, _ in node.parents if each is parent]) - 1
            self.grad += 1.0
            ready = deque([self])
            while ready:
                node = ready.popleft()
                for parent, local in node.parents:
                    parent.grad += local * node.grad
                    uses[parent] -= 1
                    if uses[parent] == 0:
                        ready.append(parent)

    return Kahn


@engine("changes the sign of its second operand as it subtracts", "a - b", "a - 2", "2 - a")
def subtracts_in_place():
    class Negating(Node):
        def __sub__(self, other):
            other = self.node(other)
            other.data = -other.data
            return self + other

    return Negating


@engine("has one list of parents for all leaves", *SECOND, *ANY, "memory")
def shared_default():
    class Shared(Node):
        def __init__(self, data, parents=[]):  # noqa: B006 - the defect
            self.data = float(data)
            self.grad = 0.0
            self.parents = parents

        def __add__(self, other):
            out = Shared(self.data + self.node(other).data)
            out.parents += [(self, 1.0), (self.node(other), 1.0)]
            return out

    return Shared


@engine("has the slopes of an operand for its own, and adds to them", *ANY)
def shares_slopes():
    class Dual:
        def __init__(self, data, slopes=None):
            self.data, self.grad, self.slopes = data, 0.0, slopes

        def all_slopes(self):
            return {self: 1.0} if self.slopes is None else self.slopes

        def combined(self, data, own, other, others):
            slopes = self.all_slopes()
            for leaf in slopes:
                slopes[leaf] *= own
            for leaf, slope in other.all_slopes().items():
                slopes[leaf] = slopes.get(leaf, 0.0) + others * slope
            return Dual(data, slopes)

        def __add__(self, other):
            return self.combined(self.data + other.data, 1.0, other, 1.0)

        def __mul__(self, other):
            return self.combined(self.data * other.data, other.data, other, self.data)

        def backward(self):
            for leaf, slope in self.all_slopes().items():
                leaf.grad += slope

    return Dual


@engine("remembers slopes by rounded numbers", *ANY)
def rounded_slopes():
    @lru_cache(None)
    def slopes(x, y):
        return y, x

    class Rounded(Node):
        def __mul__(self, other):
            other = self.node(other)
            x, y = slopes(round(self.data, 1), round(other.data, 1))
            return Rounded(self.data * other.data, [(self, x), (other, y)])

    return Rounded


@engine("is reflected for sum() alone", "2 + a")
def reflected_for_sum():
    return type("ForSum", (Node,), {"__radd__": lambda self, other: self})


@engine("multiplies as often as the exponent says", "a ** n", "a ** 0.5", "negative base")
def repeated_product():
    class Repeated(Node):
        def __pow__(self, n):
            out = Repeated(1.0)
            for _ in range(int(n)):
                out = out * self
            return out

    return Repeated


@engine("passes on what is positive alone through relu", "relu")
def guided():
    class Guided(Node):
        def relu(self):
            out = Guided(max(self.data, 0.0), [(self, float(self.data > 0))])
            out.guided = True
            return out

        def pass_on(self):
            for parent, local in self.parents:
                part = local * self.grad
                parent.grad += max(part, 0.0) if hasattr(self, "guided") else part

    return Guided


@engine("has a closure over a name that is bound again", *ANY)
def late_closure():
    class Late(Node):
        rules = []

        def __add__(self, other):
            other = self.node(other)
            out = Late(self.data + other.data, [(self, 1.0), (other, 1.0)])
            Late.last = self
            return out

        def pass_on(self):
            if len(self.parents) == 2 and self.parents[0][1] == self.parents[1][1] == 1.0:
                self.parents[1][0].grad += self.grad
                Late.last.grad += self.grad
            else:
                super().pass_on()

    return Late


@engine("clears every node that is alive before a pass", *SECOND)
def clears_all_alive():
    class Alive(Node):
        alive = WeakSet()

        def __init__(self, data, parents=()):
            super().__init__(data, parents)
            self.alive.add(self)

        def backward(self):
            for node in self.alive:
                node.grad = 0.0
            super().backward()

    return Alive


@engine("makes leaves of small whole numbers one node", *ANY, "whole numbers")
def interned():
    class Interned(Node):
        small = {}

        def __new__(cls, data, parents=()):
            if parents or data != int(data) or not 0 <= data < 10:
                return super().__new__(cls)
            return cls.small.setdefault(int(data), super().__new__(cls))

    return Interned


@engine("has whole numbers inside where it was given them", "whole numbers")
def whole_arrays():
    class Whole(Node):
        def __init__(self, data, parents=()):
            self.data = data
            self.grad = np.zeros_like(data)
            self.parents = parents

        def begin(self):
            if self.parents:
                self.grad = np.zeros_like(self.data)

        def pass_on(self):
            for parent, local in self.parents:
                parent.grad += np.asarray(local * self.grad).astype(parent.grad.dtype)

    return Whole


@engine("takes the larger of two nodes to be less", "comparisons")
def compared_wrongly():
    return type("Compared", (Node,), {"__lt__": lambda self, other: self.data > other.data})


@engine("forgets its parents when it is a key", "looking")
def forgets_when_hashed():
    class Hashed(Node):
        def __hash__(self):
            self.parents = [(parent, 0.0) for parent, _ in self.parents]
            return id(self)

        def backward(self):
            order, seen, stack = [], [], [(self, iter(self.parents))]
            while stack:
                node, rest = stack[-1]
                for parent, _ in rest:
                    if not any(parent is each for each in seen):
                        seen.append(parent)
                        stack.append((parent, iter(parent.parents)))
                        break
                else:
                    order.append(node)
                    stack.pop()
            for node in order:
                node.begin()
            self.grad += 1.0
            for node in reversed(order):
                node.pass_on()

    return Hashed


@engine("takes the product with 1 for its operand, in the pass too", *ANY, "a * 2", "2 * a")
def skips_factor_one():
    class Skips(Node):
        def __mul__(self, other):
            other = self.node(other)
            if other.data == 1.0:
                return self
            return super().__mul__(other)

    return Skips


@engine("passes on what has come in so far, and then only the rest", *SECOND, *GRAPH)
def passes_on_the_rest():
    class Rest(Node):
        def backward(self):
            self.grad += 1.0
            stack = [(self, 1.0)]
            while stack:
                node, part = stack.pop()
                for parent, local in node.parents:
                    parent.grad += local * part
                    stack.append((parent, local * part if len(stack) < 6 else 0.0))

    return Rest


@engine("marks the nodes whose gradient is there, and never again", *SECOND, "training")
def done_for_ever():
    class Done(Node):
        done = False

        def pass_on(self):
            if not self.done:
                self.done = bool(self.parents)
                super().pass_on()

    return Done
