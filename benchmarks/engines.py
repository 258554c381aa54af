"""The engines that are timed, each as a `Value` class with the same few operations.

`microgpt_manner` is a Value written for this benchmark in the manner of microgpt's: slots, a tuple of
children and a tuple of local derivatives, whole numbers for constants, a recursive walk with a set.
"""

from __future__ import annotations

import math
from typing import Any


class MicrogptManner:
    """Slots and two tuples: what a careful micrograd becomes."""

    __slots__ = ("children", "data", "grad", "local")

    def __init__(self, data: float, children: tuple[Any, ...] = (), local: tuple[float, ...] = ()):
        self.data = data
        self.grad = 0
        self.children = children
        self.local = local

    def __add__(self, other: Any) -> MicrogptManner:
        other = other if isinstance(other, MicrogptManner) else MicrogptManner(other)
        return MicrogptManner(self.data + other.data, (self, other), (1, 1))

    def __mul__(self, other: Any) -> MicrogptManner:
        other = other if isinstance(other, MicrogptManner) else MicrogptManner(other)
        return MicrogptManner(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, power: float) -> MicrogptManner:
        return MicrogptManner(self.data**power, (self,), (power * self.data ** (power - 1),))

    def exp(self) -> MicrogptManner:
        """The exponential."""
        out = math.exp(self.data)
        return MicrogptManner(out, (self,), (out,))

    def log(self) -> MicrogptManner:
        """The logarithm."""
        return MicrogptManner(math.log(self.data), (self,), (1 / self.data,))

    def tanh(self) -> MicrogptManner:
        """The hyperbolic tangent."""
        out = math.tanh(self.data)
        return MicrogptManner(out, (self,), (1.0 - out * out,))

    def relu(self) -> MicrogptManner:
        """The positive part."""
        return MicrogptManner(max(0, self.data), (self,), (float(self.data > 0),))

    def __neg__(self) -> MicrogptManner:
        return self * -1

    def __radd__(self, other: Any) -> MicrogptManner:
        return self + other

    def __sub__(self, other: Any) -> MicrogptManner:
        return self + (-other)

    def __rsub__(self, other: Any) -> MicrogptManner:
        return other + (-self)

    def __rmul__(self, other: Any) -> MicrogptManner:
        return self * other

    def __truediv__(self, other: Any) -> MicrogptManner:
        return self * other**-1

    def __rtruediv__(self, other: Any) -> MicrogptManner:
        return self**-1 * other

    def __gt__(self, other: Any) -> bool:
        return bool(self.data > (other.data if isinstance(other, MicrogptManner) else other))

    def backward(self) -> None:
        """The pass, over a recursive topological order."""
        order: list[MicrogptManner] = []
        visited: set[MicrogptManner] = set()

        def build(v: MicrogptManner) -> None:
            if v not in visited:
                visited.add(v)
                for child in v.children:
                    build(child)
                order.append(v)

        build(self)
        self.grad = 1
        for v in reversed(order):
            for child, local in zip(v.children, v.local):
                child.grad += local * v.grad


def tinygrad_bp() -> Any:
    """Ours."""
    from tinygrad_bp import Value

    return Value


def micrograd() -> Any:
    """Micrograd from PyPI, with the functions that its users add to it."""
    from micrograd.engine import Value as Micrograd

    def function(name: str, value: Any, slope: Any) -> Any:
        def method(self: Any) -> Any:
            out = Micrograd(value(self.data), (self,), name)

            def _backward() -> None:
                self.grad += slope(self.data, out.data) * out.grad

            out._backward = _backward
            return out

        return method

    Micrograd.exp = function("exp", math.exp, lambda x, out: out)
    Micrograd.log = function("log", math.log, lambda x, out: 1.0 / x)
    Micrograd.tanh = function("tanh", math.tanh, lambda x, out: 1.0 - out * out)
    return Micrograd


def microgpt_manner() -> Any:
    """The Value above."""
    return MicrogptManner


ENGINES = {"tinygrad_bp": tinygrad_bp, "micrograd": micrograd, "microgpt_manner": microgpt_manner}
