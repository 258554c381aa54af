"""`Value`: a number that records how it was made.

`record` makes the node of one operation.  The operators and methods of the table are put in by
``operations.py``.  This module may not know how a row is computed.
"""

from __future__ import annotations

import math

from tinygrad_bp.engine.graph import backward, zero_grad
from tinygrad_bp.errors import ArgumentError, GraphLostError
from tinygrad_bp.numbers.arithmetic import meeting
from tinygrad_bp.numbers.families import TRUTH_VALUES, check_number, python_number
from tinygrad_bp.numbers.text import printed
from tinygrad_bp.quoting import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn, SupportsIndex

    from tinygrad_bp.engine.declarations import Methods
    from tinygrad_bp.numbers.kernels import Number
    from tinygrad_bp.table.rules import Rule
else:
    Methods = object  # the functions as methods: operations.py puts them in, type checkers see them declared


class Value(Methods):
    """A scalar in a graph: a leaf, or the result of one operation on other Values.

    Args:
        data: the number: ``float``, ``int``, ``Fraction``, ``Decimal``, or a NumPy, mpmath or sympy
            number.  It is kept as it is.
        label: a name for messages and pictures.

    Attributes:
        data: the number.  That of a leaf may be assigned; what was recorded before stays as it was.
        grad: ``de/dself`` after ``e.backward()``; 0 before.
        label: the name.

    Raises:
        DataError: the data is no real number.
        ArgumentError: the label is no text.

    The example is row 1.1 of the note, ``o = f(w x - b)``, ``e = (t - o)^2``:

    >>> from tinygrad_bp import tanh
    >>> w, x, b, t = Value(0.5, "w"), Value(2.0, "x"), Value(0.1, "b"), Value(1.0, "t")
    >>> o = tanh(w * x - b)
    >>> e = (t - o) ** 2
    >>> e.backward()
    >>> w.grad == 2 * (o.data - t.data) * o.local_derivatives[0] * x.data
    True
    """

    # One object a node and no tuple: up to two operands and their derivatives lie in the node itself,
    # and an operand that is a plain number has no derivative.  Of a list of operands, the parents lie
    # in _x and their derivatives in _y, with no _dx and _dy; where plain numbers are among the operands,
    # _y ends with a list of these, None for each parent.  A leaf has neither rule nor operands.
    __slots__ = (
        "__weakref__",  # as a parameter is a key of an optimiser's
        "_dx",
        "_dy",
        "_label",
        "_mark",
        "_rule",
        "_x",
        "_y",
        "data",
        "grad",
    )

    # Over that of a NumPy scalar, which then leaves the operator to the Value as it is and does not
    # turn into a float; under that of an array, which goes through its elements.
    __array_priority__ = -1.0

    # A sympy number on the left of an operator, or of ==, then leaves it to the Value as well.
    __sympy__ = False

    _rule: Rule | None
    _x: Any
    _y: Any
    _dx: Any
    _dy: Any
    _mark: object
    _label: str
    data: Number
    grad: Number

    def __init__(self, data: Number, label: str = "") -> None:
        if type(data) is not float:
            check_number(data, where="the data of a Value")
        self.data = data
        self.grad = 0
        if type(label) is str:
            self._label = label
        else:
            self.label = label
        self._rule = self._x = self._y = self._dx = self._dy = None
        self._mark = 0

    @property
    def label(self) -> str:
        """The name; empty where none was given.  Most nodes have none, and so no room is filled for it."""
        return getattr(self, "_label", "")

    @label.setter
    def label(self, label: str) -> None:
        if not isinstance(label, str):
            raise ArgumentError(f"a label is a str, not {type(label).__name__} {quoted(label)}")
        self._label = label

    # ---- what was recorded

    @property
    def op(self) -> str:
        """The operation's name in the table; empty for a leaf."""
        return self._rule.name if self._rule else ""

    @property
    def rule(self) -> Rule | None:
        """The operation's row in the table; ``None`` for a leaf."""
        return self._rule

    @property
    def operands(self) -> tuple[Value | Number, ...]:
        """The operands in order, the plain numbers among them too."""
        if self._rule is None:
            return ()
        if isinstance(self._y, tuple):
            if len(self._y) == len(self._x):
                return tuple(self._x)
            parents = iter(self._x)
            return tuple([next(parents) if each is None else each for each in self._y[-1]])
        return (self._x,) if self._rule.arity == 1 else (self._x, self._y)

    @property
    def parents(self) -> tuple[Value, ...]:
        """The operands that are Values, in order, repeats kept: ``(x, x)`` for ``x * x``."""
        if isinstance(self._y, tuple):
            return tuple(self._x)
        if self._dx is None:
            return () if self._dy is None else (self._y,)
        return (self._x,) if self._dy is None else (self._x, self._y)

    @property
    def local_derivatives(self) -> tuple[Number, ...]:
        """The derivative of this node for each of its `parents`, frozen when it was recorded."""
        if isinstance(self._y, tuple):
            return self._y[: len(self._x)]
        return tuple([each for each in (self._dx, self._dy) if each is not None])

    def __repr__(self) -> str:
        fields = [f"data={printed(self.data)}", f"grad={printed(self.grad)}"]
        fields += [f"op={self.op!r}"] * bool(self.op) + [f"label={self.label!r}"] * bool(self.label)
        return f"Value({', '.join(fields)})"

    def __format__(self, spec: str) -> str:
        return format(self.data, spec) if spec else repr(self)

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        if self._rule is None:
            return _leaf, (type(self), self.data, self.grad, self.label), self._own_state()
        from tinygrad_bp.engine.flat import Flat, flatten

        return Flat.node, flatten(self)

    def __copy__(self) -> Value:
        copied = new(type(self))
        state: Any = object.__getstate__(self)  # of a class with slots it is a pair
        for name, each in (state[1] | (state[0] or {})).items():
            setattr(copied, name, each)
        copied._mark = 0
        return copied

    def __deepcopy__(self, memo: dict[Any, Any]) -> Value:
        from tinygrad_bp.engine.flat import copy_leaf, deep_copy

        copied: Value = (deep_copy if self._rule else copy_leaf)(self, memo)
        return copied

    def _own_state(self) -> Any:
        """What a subclass has beyond a leaf's data, grad and label, in the form that pickle knows."""
        state: Any = self.__getstate__()
        if type(self).__getstate__ is not object.__getstate__:
            return state
        attributes, slots = state
        own = {name: each for name, each in slots.items() if name not in Value.__slots__}
        return (attributes, own) if own else attributes

    # ---- gradients

    def backward(self) -> None:
        """Add ``dself/dleaf`` to the ``grad`` of every leaf, and set that of every inner node.

        Raises:
            DataError: gradients cannot be multiplied or added, as ``Decimal`` and ``float``; or a
                ``grad`` was set to what is no number.
            NumberRangeError: an exact number is too large for the float that it meets.

        >>> x = Value(3.0)
        >>> y = x * x
        >>> y.backward()
        >>> x.grad
        6.0
        """
        with meeting(lambda: f"backward from {self!r:.160}"):
            backward(self)

    def zero_grad(self) -> None:
        """Set the ``grad`` of every node that this one was made of, and its own, to 0.

        >>> x = Value(3.0)
        >>> y = x * x
        >>> y.backward()
        >>> y.zero_grad()
        >>> x.grad
        0
        """
        zero_grad(self)

    # ---- as a number: comparisons are of data; == and hash are identity

    def __lt__(self, other: Value | Number) -> bool:
        return data_of(self) < data_of(other)  # type: ignore[no-any-return]

    def __le__(self, other: Value | Number) -> bool:
        return data_of(self) <= data_of(other)  # type: ignore[no-any-return]

    def __gt__(self, other: Value | Number) -> bool:
        return data_of(self) > data_of(other)  # type: ignore[no-any-return]

    def __ge__(self, other: Value | Number) -> bool:
        return data_of(self) >= data_of(other)  # type: ignore[no-any-return]

    def isclose(self, other: Value | Number, rel_tol: float = 1e-9, abs_tol: float = 0.0) -> bool:
        """Whether the data is close to the other's, as `math.isclose` has it: both read as floats.

        Raises:
            DataError: there is a symbol, or what is no number.
            NumberRangeError: a number is too large for a float, or as small as that of 0.

        >>> (Value(0.1) + 0.2).isclose(0.3)
        True
        """
        return isclose(self, other, rel_tol, abs_tol)

    def __bool__(self) -> NoReturn:
        raise GraphLostError(
            f"{quoted(self)} is neither true nor false: compare it (v > 0), or ask its data (v.data != 0)"
        )

    def __float__(self) -> NoReturn:
        self._refuse("float")

    def __int__(self) -> NoReturn:
        self._refuse("int")

    def __complex__(self) -> NoReturn:
        self._refuse("complex")

    def __round__(self, digits: int | None = None) -> NoReturn:
        self._refuse("round")

    def __trunc__(self) -> NoReturn:
        self._refuse("math.trunc")

    def __floor__(self) -> NoReturn:
        self._refuse("math.floor")

    def __ceil__(self) -> NoReturn:
        self._refuse("math.ceil")

    def _refuse(self, conversion: str) -> NoReturn:
        raise GraphLostError(
            f"{conversion}({quoted(self)}) would drop the graph: use v.data for the number, or the "
            "functions of tinygrad_bp (tinygrad_bp.exp, not math.exp)"
        )

    def __pos__(self) -> Value:
        return self

    def conjugate(self) -> Value:
        """Itself, as of every real number: NumPy asks for it in ``np.var`` and ``np.vdot``."""
        return self

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if (cls.__eq__, cls.__hash__) != (object.__eq__, object.__hash__):
            raise ArgumentError(
                f"{cls.__name__}: == and hash of a Value are identity, for it is a key in graphs: "
                "leave them as they are, and compare data"
            )

    if TYPE_CHECKING:  # assigned in operations.py, from the table

        def __add__(self, other: Value | Number) -> Value: ...
        def __radd__(self, other: Number) -> Value: ...
        def __sub__(self, other: Value | Number) -> Value: ...
        def __rsub__(self, other: Number) -> Value: ...
        def __mul__(self, other: Value | Number) -> Value: ...
        def __rmul__(self, other: Number) -> Value: ...
        def __truediv__(self, other: Value | Number) -> Value: ...
        def __rtruediv__(self, other: Number) -> Value: ...
        def __pow__(self, other: Value | Number) -> Value: ...
        def __rpow__(self, other: Number) -> Value: ...
        def __neg__(self) -> Value: ...
        def __abs__(self) -> Value: ...


def _leaf(kind: type[Value], data: Number, grad: Number, label: str) -> Value:
    leaf = new(kind)  # a subclass may want other arguments
    Value.__init__(leaf, data, label)
    leaf.grad = grad
    return leaf


def isclose(
    a: Value | Number, b: Value | Number, rel_tol: float = 1e-9, abs_tol: float = 0.0
) -> bool:
    """Whether two numbers, or the data of Values, are close, as `math.isclose` has it: read as floats.

    Raises:
        DataError: there is a symbol, or what is no number.
        NumberRangeError: a number is too large for a float, or as small as that of 0.

    >>> isclose(Value(0.1) + 0.2, 0.3)
    True
    """
    numbers = data_of(a), data_of(b)
    for each in numbers:
        if type(each).__name__ not in TRUTH_VALUES:  # they count as 0 and 1
            check_number(each, where="an operand of isclose")
    with meeting(lambda: f"isclose({a!r:.60}, {b!r:.60})", "compare what float() takes"):
        floats = [*map(float, numbers)]
        for number, read in zip(numbers, floats, strict=True):
            if abs(read) in (0.0, math.inf) and read != number:
                raise OverflowError(f"{printed(number):.60} is beyond the range of a float")
        return math.isclose(*floats, rel_tol=rel_tol, abs_tol=abs_tol)


def data_of(operand: Value | Number) -> Number:
    """The number of an operand, which may be a plain one; NumPy's whole numbers are read as Python's."""
    number = operand.data if isinstance(operand, Value) else operand
    return number if type(number) is float else python_number(number)


def as_list(name: str, operands: Any) -> tuple[Any, ...]:
    """The operands of an operation on a list.

    Raises:
        ArgumentError: they are no list.
    """
    if isinstance(operands, Value) or not hasattr(operands, "__iter__"):
        way_out = ": put it in a list" * isinstance(operands, Value)
        raise ArgumentError(f"{name} takes a list of values, not {quoted(operands)}{way_out}")
    return tuple(operands)


new = Value.__new__
"""A node with nothing in it."""


# The data by a name that no other class has: to read it is to see that it is a Value's, which in a
# list of operands costs less than to ask each for its type.
setattr(Value, "_number", vars(Value)["data"])  # noqa: B010 - mypy holds it to the slots


def record(rule: Rule, data: Number, x: Any, dx: Any, y: Any = None, dy: Any = None) -> Value:
    """A new node: the result of one operation, its operands and its local derivatives."""
    node = new(Value)
    node.data = data
    node.grad = 0
    node._rule = rule
    node._x = x
    node._dx = dx
    node._y = y
    node._dy = dy
    node._mark = 0
    return node
