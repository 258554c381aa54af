"""Right engines that lack something, take short cuts, or refuse what they do not do."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from right import sorted_topologically

from tinygrad_bp.testing.conformance import Engine


class Lean:
    """The part that they share: leaves add up, inner nodes begin anew."""

    def __init__(self, data, parents=()):
        self.data = data
        self.grad = 0.0
        self.parents = parents  # pairs of a node and the local derivative

    def backward(self):
        order = sorted_topologically(self)
        for node in order:
            if node.parents:
                node.grad = 0.0
        self.grad += 1.0
        for node in reversed(order):
            for parent, local in node.parents:
                parent.grad += local * node.grad


class AddsAndBends(Lean):
    """Nothing but sums, differences and tanh; no plain number, and no operator is reflected."""

    def __add__(self, other):
        return AddsAndBends(self.data + other.data, [(self, 1.0), (other, 1.0)])

    def __sub__(self, other):
        return AddsAndBends(self.data - other.data, [(self, 1.0), (other, -1.0)])

    def tanh(self):
        e = math.exp(-2.0 * abs(self.data))
        return AddsAndBends(math.tanh(self.data), [(self, 4.0 * e / (1.0 + e) ** 2)])


class Multiplies(Lean):
    """Nothing but products and quotients, of which some are with plain numbers."""

    def __mul__(self, other):
        if isinstance(other, Multiplies):
            return Multiplies(self.data * other.data, [(self, other.data), (other, self.data)])
        return Multiplies(self.data * other, [(self, other)])

    def __truediv__(self, other):
        if not isinstance(other, Multiplies):
            return Multiplies(self.data / other, [(self, 1.0 / other)])
        out = self.data / other.data
        return Multiplies(out, [(self, 1.0 / other.data), (other, -out / other.data)])


class NotReflected(Multiplies):
    """Sums and products of nodes, with plain numbers on the right alone."""

    def __add__(self, other):
        if isinstance(other, NotReflected):
            return NotReflected(self.data + other.data, [(self, 1.0), (other, 1.0)])
        return NotReflected(self.data + other, [(self, 1.0)])

    def __mul__(self, other):
        out = super().__mul__(other)
        return NotReflected(out.data, out.parents)

    __truediv__ = None

    def __radd__(self, other):  # for sum() alone
        return self if other == 0 else NotImplemented


class ShortCuts(Lean):
    """Gives back an operand where nothing is to be done, and a constant where nothing depends on one."""

    def __add__(self, other):
        if isinstance(other, ShortCuts):
            return ShortCuts(self.data + other.data, [(self, 1.0), (other, 1.0)])
        return self if other == 0 else ShortCuts(self.data + other, [(self, 1.0)])

    def __mul__(self, other):
        if isinstance(other, ShortCuts):
            return ShortCuts(self.data * other.data, [(self, other.data), (other, self.data)])
        if other == 0:
            return ShortCuts(0.0)
        return self if other == 1 else ShortCuts(self.data * other, [(self, other)])

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + -other

    def __rsub__(self, other):
        return -self + other

    def __pow__(self, n):
        assert isinstance(n, (int, float)), "the exponent is a plain number"
        if n == 0:
            return ShortCuts(1.0)
        return self if n == 1 else ShortCuts(self.data**n, [(self, n * self.data ** (n - 1))])

    __radd__, __rmul__ = __add__, __mul__


class OncePerPass(Lean):
    """Frees its graph in the pass, and says so if there is another."""

    def __add__(self, other):
        return OncePerPass(self.data + other.data, [(self, 1.0), (other, 1.0)])

    def __mul__(self, other):
        return OncePerPass(self.data * other.data, [(self, other.data), (other, self.data)])

    def backward(self):
        order = sorted_topologically(self)
        if any(hasattr(node, "freed") for node in order):
            raise RuntimeError("the graph has had its pass, and was freed")
        super().backward()
        for node in order:
            if node.parents:
                node.parents = ()
                node.freed = True


@dataclass(eq=False, repr=False)
class Recorded:
    """A dataclass; equality is identity, and the gradient comes with the field's default."""

    data: float
    parents: list = field(default_factory=list)
    grad: float = 0.0

    backward = Lean.backward

    def __add__(self, other):
        return Recorded(self.data + other.data, [(self, 1.0), (other, 1.0)])

    def __mul__(self, other):
        return Recorded(self.data * other.data, [(self, other.data), (other, self.data)])

    def __lt__(self, other):
        return self.data < other.data

    def relu(self):
        return Recorded(max(self.data, 0.0), [(self, float(self.data > 0.0))])


class Exact(Lean):
    """Fractions inside; `float` reads them."""

    def __init__(self, data, parents=()):
        super().__init__(Fraction(data) if math.isfinite(data) else math.nan, parents)
        if not math.isfinite(data):
            raise NotImplementedError("a fraction is finite")
        self.grad = Fraction(0)

    def __add__(self, other):
        return Exact(self.data + other.data, [(self, 1), (other, 1)])

    def __mul__(self, other):
        return Exact(self.data * other.data, [(self, other.data), (other, self.data)])


class NoDimension(Lean):
    """Arrays of NumPy without a dimension, which are never changed in place."""

    def __init__(self, data, parents=()):
        super().__init__(np.array(data, dtype=np.float64), parents)
        self.grad = np.zeros(())

    def backward(self):
        order = sorted_topologically(self)
        for node in order:
            node.grad = np.zeros(()) if node.parents else node.grad
        self.grad = self.grad + 1.0
        for node in reversed(order):
            for parent, local in node.parents:
                parent.grad = parent.grad + local * node.grad

    def __add__(self, other):
        return NoDimension(self.data + other.data, [(self, 1.0), (other, 1.0)])

    def __mul__(self, other):
        return NoDimension(self.data * other.data, [(self, other.data), (other, self.data)])

    def exp(self):
        with np.errstate(over="ignore"):
            out = np.exp(self.data)
        return NoDimension(out, [(self, out)])


class FloatsOnly(Lean):
    """Takes floats and says so of anything else."""

    def __init__(self, data, parents=()):
        if not isinstance(data, float):
            raise TypeError(f"a float is needed, not {data!r}")
        super().__init__(data, parents)

    def __add__(self, other):
        return FloatsOnly(self.data + other.data, [(self, 1.0), (other, 1.0)])

    def __mul__(self, other):
        return FloatsOnly(self.data * other.data, [(self, other.data), (other, self.data)])

    def log(self):
        assert self.data > 0.0, "the logarithm of what is positive"
        return FloatsOnly(math.log(self.data), [(self, 1.0 / self.data)])


CLASSES = (
    *(AddsAndBends, Multiplies, NotReflected, ShortCuts, OncePerPass, Recorded, Exact),
    *(NoDimension, FloatsOnly),
)
LEAN = tuple(Engine(each, each.__name__) for each in CLASSES)
