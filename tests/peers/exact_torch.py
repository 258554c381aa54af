"""An oracle for micrograd's tests: the few calls they make of torch, in exact arithmetic.

`Tensor` is one number, a `Fraction`, with its exact derivative for each leaf, carried forward
(dual numbers).  It shares nothing with the engine under test, nor with torch: no floats, no graph,
no backward pass.
"""

from __future__ import annotations

from fractions import Fraction


class Tensor:
    """One number and its exact derivatives.

    >>> x = Tensor([3.0]).double()
    >>> x.requires_grad = True
    >>> y = (1 - x) ** 2 / x
    >>> y.backward()
    >>> y.data.item(), x.grad.item() == 1 - 1 / 9
    (1.3333333333333333, True)
    """

    def __init__(self, data):
        (number,) = data
        self.number = Fraction(number)
        self.slopes = {}  # of this number, for each leaf that it depends on
        self.grad = None

    @property
    def requires_grad(self):
        return bool(self.slopes)

    @requires_grad.setter
    def requires_grad(self, wanted):
        self.slopes = {self: Fraction(1)} if wanted else {}

    def double(self):
        return self

    @property
    def data(self):
        return self

    def item(self):
        return float(self.number)

    def backward(self):
        for leaf, slope in self.slopes.items():
            leaf.grad = Tensor([slope])

    def __add__(self, other):
        return result(number(self) + number(other), (self, 1), (other, 1))

    def __mul__(self, other):
        return result(number(self) * number(other), (self, number(other)), (other, number(self)))

    def __pow__(self, n):
        return result(self.number**n, (self, n * self.number ** (n - 1)))

    def relu(self):
        return self if self.number > 0 else result(Fraction(0))

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + other * -1

    def __rsub__(self, other):
        return -self + other

    def __truediv__(self, other):
        return self * (other**-1 if isinstance(other, Tensor) else 1 / Fraction(other))

    def __rtruediv__(self, other):
        return self**-1 * other

    __radd__ = __add__
    __rmul__ = __mul__


def number(operand):
    """The number of an operand that may be a plain one."""
    return operand.number if isinstance(operand, Tensor) else Fraction(operand)


def result(value, *operands):
    """What an operation gives: its value, and by the chain rule its slopes.

    Args:
        value: the value.
        operands: pairs of an operand and the derivative for it.
    """
    made = Tensor([value])
    for operand, derivative in operands:
        if isinstance(operand, Tensor):
            for leaf, slope in operand.slopes.items():
                made.slopes[leaf] = made.slopes.get(leaf, 0) + derivative * slope
    return made
