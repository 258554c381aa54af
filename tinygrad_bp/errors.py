"""Every error that the package raises on purpose, under one base class, and its warnings.

A message names the operation, the operands and the way out.  Past the end of what is indexed there is
Python's own ``IndexError`` or ``KeyError``; and `tinygrad_bp.note`, which knows nothing of the package,
has Python's errors alone.  This module knows nothing of the others, so that each of them may raise what
it needs.
"""

from __future__ import annotations


class BackpropError(Exception):
    """The base of every error of this package: ``except BackpropError`` catches them all."""


class DataError(BackpropError, TypeError):
    """What was offered is no real number, or does not go with the others, as ``Decimal`` with ``float``."""


class ArgumentError(BackpropError, TypeError, ValueError):
    """A call has arguments that do not fit it: too many, too few, of the wrong kind or length."""


class GraphLostError(BackpropError, TypeError):
    """A conversion would have dropped the graph silently, as ``float(v)`` or ``math.exp(v)``."""


class DomainError(BackpropError, ValueError):
    """An operation has no value at its operands: ``log(-1)``, ``(-2) ** 0.5``."""


class DivisionByZeroError(DomainError, ZeroDivisionError):
    """A division by zero: a `DomainError` that ``except ZeroDivisionError`` catches as well."""


class NumberRangeError(BackpropError, OverflowError):
    """A whole number or a fraction is too large for the float that an operation needs."""


class ExactnessError(BackpropError, TypeError):
    """A number type cannot do an operation exactly, as ``exp`` of a ``Fraction``."""


class KinkWarning(UserWarning):
    """A derivative was made of the convention that the table has at a kink, and need not be right."""


class NumberRangeWarning(RuntimeWarning):
    """A derivative is nan, though all that went in is finite: on the way numbers were out of range."""


class StaleGraphError(BackpropError, RuntimeError):
    """A recording was asked for something that its leaves' new data no longer fit."""


class ExpressionError(BackpropError, ValueError):
    """An expression is not written in the table's notation, or a name in it has no meaning."""


class NetworkError(BackpropError, ValueError):
    """The weights, biases, activations, input or target of a network do not fit together."""


class SamplesError(BackpropError, ValueError):
    """Samples cannot be read, split or scaled as asked, or there are none; the message has line and column."""


class TooManyPathsError(BackpropError, ValueError):
    """A list of paths would be longer than its limit; the message has the count."""


class DrawingError(BackpropError, RuntimeError):
    """A picture cannot be laid out or written."""


class GradientError(BackpropError, AssertionError):
    """A gradient is not the derivative of the function's values; ``report`` has every number."""

    def __init__(self, message: str, report: object = None) -> None:
        super().__init__(message)
        self.report = report
