"""`Value`: a number that records how it was made.

Every operation is read off the table of rules: `record` makes the node, `apply` is the way through
a row for any number type, and `function_of` puts a quick way for floats before it.
This room may not know the networks, the pictures or the command line.
"""

from __future__ import annotations

import math
from itertools import chain, compress

from tinygrad_bp.arithmetic import (
    BARE_FLOAT,
    TRUTH_VALUES,
    arithmetic_of,
    check_number,
    is_number,
    meeting,
    printed,
    trapped,
)
from tinygrad_bp.backward import backward, zero_grad
from tinygrad_bp.errors import (
    ArgumentError,
    BackpropError,
    DataError,
    DivisionByZeroError,
    DomainError,
    ExactnessError,
    GraphLostError,
    NumberRangeError,
)
from tinygrad_bp.rules import FUNCTION_NAMES, PARAMETERS, RULES, Rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn, SupportsIndex

    from tinygrad_bp.arithmetic import Arithmetic, Number


class Value:
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
    # in _x and their derivatives in _y, with no _dx and _dy.  A leaf has neither rule nor operands.
    __slots__ = ("_dx", "_dy", "_label", "_mark", "_rule", "_x", "_y", "data", "grad")

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
            raise ArgumentError(f"a label is a str, not {type(label).__name__} {label!r:.60}")
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
        if isinstance(self._y, PartlyConstant):
            parents, constants = iter(self._x), self._y.constants
            slots = range(len(self._x) + len(constants))
            return tuple([constants[i] if i in constants else next(parents) for i in slots])
        if isinstance(self._y, tuple):
            return self._x  # type: ignore[no-any-return]
        return (self._x,) if self._rule.arity == 1 else (self._x, self._y)

    @property
    def parents(self) -> tuple[Value, ...]:
        """The operands that are Values, in order, repeats kept: ``(x, x)`` for ``x * x``."""
        if isinstance(self._y, tuple):
            return self._x  # type: ignore[no-any-return]
        if self._dx is None:
            return () if self._dy is None else (self._y,)
        return (self._x,) if self._dy is None else (self._x, self._y)

    @property
    def local_derivatives(self) -> tuple[Number, ...]:
        """The derivative of this node for each of its `parents`, frozen when it was recorded."""
        if isinstance(self._y, tuple):
            return tuple(self._y)
        return tuple([each for each in (self._dx, self._dy) if each is not None])

    def __repr__(self) -> str:
        fields = [f"data={printed(self.data)}", f"grad={printed(self.grad)}"]
        fields += [f"op={self.op!r}"] * bool(self.op) + [f"label={self.label!r}"] * bool(self.label)
        return f"Value({', '.join(' '.join(field.split()) for field in fields)})"

    def __format__(self, spec: str) -> str:
        return format(self.data, spec) if spec else repr(self)

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        if self._rule is None:
            return _leaf, (type(self), self.data, self.grad, self.label), self._own_state()
        from tinygrad_bp.flat import Flat, flatten

        return Flat.node, flatten(self)

    def __copy__(self) -> Value:
        copied = _new(type(self))
        state: Any = object.__getstate__(self)  # of a class with slots it is a pair
        for name, each in (state[1] | (state[0] or {})).items():
            setattr(copied, name, each)
        copied._mark = 0
        return copied

    def __deepcopy__(self, memo: dict[Any, Any]) -> Value:
        if self._rule is not None:
            from tinygrad_bp.flat import deep_copy

            return deep_copy(self, memo)
        from copy import deepcopy

        make, parts, *rest = self.__reduce_ex__(4)
        leaf: Value = make(*deepcopy(parts, memo))
        memo[id(self)] = leaf
        state = deepcopy(rest[0], memo) if rest else None
        if hasattr(leaf, "__setstate__") and state is not None:
            leaf.__setstate__(state)
        else:
            for attributes in state if isinstance(state, tuple) else (state,):
                for name, each in (attributes or {}).items():
                    setattr(leaf, name, each)
        return leaf

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
        return self.data < data_of(other)  # type: ignore[no-any-return]

    def __le__(self, other: Value | Number) -> bool:
        return self.data <= data_of(other)  # type: ignore[no-any-return]

    def __gt__(self, other: Value | Number) -> bool:
        return self.data > data_of(other)  # type: ignore[no-any-return]

    def __ge__(self, other: Value | Number) -> bool:
        return self.data >= data_of(other)  # type: ignore[no-any-return]

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
            f"{self!r} is neither true nor false: compare it (v > 0), or ask its data (v.data != 0)"
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
            f"{conversion}({self!r}) would drop the graph: use v.data for the number, or the "
            "functions of tinygrad_bp (tinygrad_bp.exp, not math.exp)"
        )

    def __pos__(self) -> Value:
        return self

    def conjugate(self) -> Value:
        """Itself, as of every real number: NumPy asks for it in ``np.var`` and ``np.vdot``."""
        return self

    def __init_subclass__(cls) -> None:
        if (cls.__eq__, cls.__hash__) != (object.__eq__, object.__hash__):
            raise ArgumentError(
                f"{cls.__name__}: == and hash of a Value are identity, for it is a key in graphs: "
                "leave them as they are, and compare data"
            )

    if TYPE_CHECKING:  # assigned below, from the table

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
        def __getattr__(self, name: str) -> Callable[..., Value]: ...


def _leaf(kind: type[Value], data: Number, grad: Number, label: str) -> Value:
    leaf = _new(kind)  # a subclass may want other arguments
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
    with meeting(lambda: f"isclose({a!r:.60}, {b!r:.60})", "compare what float() takes"):
        floats = [*map(float, numbers)]
        for number, read in zip(numbers, floats, strict=True):
            if abs(read) in (0.0, math.inf) and read != number:
                raise OverflowError(f"{_short(number)} is beyond the range of a float")
        return math.isclose(*floats, rel_tol=rel_tol, abs_tol=abs_tol)


def data_of(operand: Value | Number) -> Number:
    """The number of an operand, which may be a plain one."""
    return operand.data if isinstance(operand, Value) else operand


_new = Value.__new__

# The data by a name that no other class has: to read it is to see that it is a Value's, which in a
# list of operands costs less than to ask each for its type.
setattr(Value, "_number", vars(Value)["data"])  # noqa: B010 - mypy holds it to the slots


def record(rule: Rule, data: Number, x: Any, dx: Any, y: Any = None, dy: Any = None) -> Value:
    """A new node: the result of one operation, its operands and its local derivatives."""
    node = _new(Value)
    node.data = data
    node.grad = 0
    node._rule = rule
    node._x = x
    node._dx = dx
    node._y = y
    node._dy = dy
    node._mark = 0
    return node


def apply(rule: Rule, *operands: Value | Number) -> Any:
    """The operation on operands of any number type: a node, or a number if no operand is a Value.

    Raises:
        DataError: an operand is no real number, or a user's primitive returned none; or the types of
            the operands do not go together, as ``Decimal`` and ``float``.
        DomainError: the operation has no value there.
        ExactnessError: the number type cannot do it exactly.
        NumberRangeError: an exact number is too large for the float that it meets.
        ArgumentError: there are more operands or fewer than the row has.
    """
    if len(operands) != rule.arity:
        raise ArgumentError(f"{rule.name} takes {rule.arity} operands, not {len(operands)}")
    data = tuple(map(data_of, operands))
    if not all(map(is_number, data)):
        for operand in operands:
            _check_operand(rule, operand)
    arithmetic = arithmetic_of(data)
    wrt = tuple(slot for slot, operand in enumerate(operands) if isinstance(operand, Value))
    with naming(rule, operands):
        if not arithmetic.in_domain(rule, data):
            error = DivisionByZeroError if rule.domain.endswith("!= 0.0") else DomainError
            raise error(
                f"{_call(rule, operands)} has no value: {rule.name} needs {_condition(rule, operands)}"
            )
        try:
            out, *derivatives = arithmetic.kernel(rule, wrt)(*data)
        except (TypeError, ArithmeticError):
            if not arithmetic.at_nan(rule, data):
                raise
            out, *derivatives = [arithmetic.own["nan"]] * (1 + len(wrt))
    if not all(map(is_number, (out, *derivatives))):
        check_number(out, where=f"what {_call(rule, operands)} returns")
        for number in derivatives:
            check_number(number, where=f"what a derivative of {_call(rule, operands)} returns")
    return _record(rule, out, operands, wrt, derivatives)


def _check_operand(rule: Rule, operand: Value | Number) -> None:
    where = f"an operand of {rule.name}"
    if isinstance(operand, Value):
        where = f"the data of {_short_label(operand) or 'a Value'}, {where},"
    check_number(data_of(operand), where=where)


def as_read(arithmetic: Arithmetic, rule: Rule, operand: Value | Number) -> Any:
    """The operand as the row reads its number among others of that type: a Value by a node of its own."""
    number = data_of(operand)
    with naming(rule, (operand,)):
        read = arithmetic.read(rule, number)
    if read is number or arithmetic.conversion is None:
        return operand
    return apply(arithmetic.conversion, operand) if isinstance(operand, Value) else read


def _record(
    rule: Rule,
    out: Number,
    operands: tuple[Any, ...],
    wrt: tuple[int, ...],
    derivatives: list[Number],
) -> Any:
    """The node of an operation, with the derivatives for the operands in the slots of ``wrt``."""
    if not wrt:
        return out
    slots: dict[int, Number] = dict(zip(wrt, derivatives, strict=True))
    if rule.arity > 2:
        return _record_list(rule, out, operands, [*map(slots.get, range(rule.arity))])
    x, y = (*operands, None)[:2]
    return record(rule, out, x, slots.get(0), y, slots.get(1))


class naming:  # noqa: N801 - read as a verb
    """Errors of a number type's own arithmetic come out as ours, naming operation and operands."""

    __slots__ = ("operands", "rule")

    def __init__(self, rule: Rule, operands: tuple[Value | Number, ...]) -> None:
        self.rule = rule
        self.operands = operands

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ExactnessError):
            raise ExactnessError(f"{_call(self.rule, self.operands)}: {error}") from None
        if isinstance(error, BackpropError) or error is None:
            return
        if not self.rule.written:  # it is the user's own
            error.add_note(f"in the primitive {_call(self.rule, self.operands)}")
            return
        if isinstance(error, OverflowError):
            raise NumberRangeError(
                f"{_call(self.rule, self.operands)}: {error}; use floats, or smaller exact numbers"
            ) from None
        if type(error).__module__ == "decimal" and type(error).__name__ != "InvalidOperation":
            raise trapped(error, _call(self.rule, self.operands)) from None
        if isinstance(error, (TypeError, AttributeError)):  # NumPy has either for a Decimal
            raise DataError(
                f"{_call(self.rule, self.operands)}: {error}; give it numbers of one type"
            ) from None
        if isinstance(error, (ArithmeticError, ValueError)):
            reason = type(error).__name__ if type(error).__module__ == "decimal" else error
            raise DomainError(f"{_call(self.rule, self.operands)} has no value: {reason}") from None


def _call(rule: Rule, operands: tuple[Value | Number, ...]) -> str:
    """The operation on its operands as a person would write it; of many, the first few."""
    shown = [
        f"{_short_label(each)}={_short(each.data)}"
        if isinstance(each, Value) and each.label
        else _short(data_of(each))
        for each in operands[:6]
    ]
    shown += ["..."] * (len(operands) > len(shown))
    if rule.infix:
        return f" {rule.symbol} ".join(
            f"({each})" if each.startswith("-") or "=" in each else each for each in shown
        )
    return f"{rule.name}({', '.join(shown)})"


def _short(number: Number) -> str:
    text = " ".join(printed(number).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def _short_label(node: Value) -> str:
    """The label on one line, whatever is in it."""
    label = node.label if len(node.label) <= 60 else f"{node.label[:57]}..."
    return "".join([each if each.isprintable() else repr(each)[1:-1] for each in label])


def _condition(rule: Rule, operands: tuple[Value | Number, ...]) -> str:
    if rule.needs:
        return rule.needs
    where = ", ".join(
        f"{parameter} is {_short(data_of(operand))}"
        for parameter, operand in zip(PARAMETERS, operands, strict=False)
        if parameter in rule.asks
    )
    return f"{rule.condition}, and {where}"


def as_list(name: str, operands: Any) -> tuple[Any, ...]:
    """The operands of an operation on a list.

    Raises:
        ArgumentError: they are no list.
    """
    if isinstance(operands, Value) or not hasattr(operands, "__iter__"):
        raise ArgumentError(f"{name} takes a list of values, not {operands!r:.60}")
    return tuple(operands)


def apply_lists(rule: Rule, *columns: tuple[Any, ...]) -> Any:
    """`apply` for a variadic row, whose operands come as one list or as two of one length.

    Raises:
        ArgumentError: the lists are not of one length.
    """
    if len(columns[0]) != len(columns[-1]):
        raise ArgumentError(
            f"{rule.name} takes lists of one length, not of length {' and '.join(map(str, map(len, columns)))}"
        )
    operands: tuple[Any, ...] = sum(columns, ())
    if not operands:
        return 0
    numbers = [each.data if isinstance(each, Value) else each for each in operands]
    if not ({*map(type, numbers)} <= {float, int} or all(map(is_number, numbers))):
        for operand in operands:
            _check_operand(rule, operand)
    lists = [[*each] for each in zip(*[iter(numbers)] * len(columns[0]), strict=True)]
    with naming(rule, operands):
        arithmetic = arithmetic_of(numbers)
        out, *derivatives = arithmetic.kernel(rule, tuple(range(rule.arity)))(*lists)
    return _record_list(rule, out, operands, [*chain(*derivatives)])


def _record_list(
    rule: Rule, out: Number, operands: tuple[Any, ...], derivatives: list[Number | None]
) -> Any:
    """The node of an operation on a list of operands; the plain number if no operand is a Value."""
    nodes = [isinstance(each, Value) for each in operands]
    if all(nodes):
        return record(rule, out, operands, None, tuple(derivatives))
    if not any(nodes):
        return out
    local = PartlyConstant(compress(derivatives, nodes))
    local.constants = {slot: each for slot, each in enumerate(operands) if not nodes[slot]}
    return record(rule, out, tuple(compress(operands, nodes)), None, local)


class PartlyConstant(tuple[object, ...]):
    """The local derivatives of a list of operands, and those operands that are plain numbers, by slot."""

    constants: dict[int, Number]


# ---- from a row of the table to a function

# Most of all time goes into making nodes.  For floats the row is therefore written into the function
# that makes its nodes, and so is `record`: calling them would cost half as much again.
_NODE = (
    "node = new(Value); node.data = out = {value}; node._x = {x}; node._dx = {dx}; node._y = {y}; "
    "node._dy = {dy}; node._rule = rule; node.grad = node._mark = 0; return node"
)

_UNARY = """
def function(a):
    try:
        if type(a) is Value:
            x = a.data
            if type(x) is float:
                out = {value}
                dx = {dx}
                if {unary_checked}:
                    {unary}
    except (ValueError, ArithmeticError):
        pass
    return otherwise(rule, a)
"""

_BINARY = """
def left(a, b):
    try:
        x = a.data
        if type(x) is float:
            if type(b) is Value:
                y = b.data
                if type(y) is float:
                    {binary}
            elif type(b) is float or type(b) is int:
                y = b
                {left}
    except (ValueError, ArithmeticError):
        pass
    return otherwise(rule, a, b)

def right(b, a):
    try:
        if type(a) is float or type(a) is int:
            x, y = a, b.data
            if type(y) is float:
                {right}
    except (ValueError, ArithmeticError):
        pass
    return otherwise(rule, a, b)

def function(a, b):
    if type(a) is Value:
        return left(a, b)
    return right(b, a) if type(b) is Value else otherwise(rule, a, b)
"""

_LIST = """
def function(a):
    a = tuple(a) if type(a) is list else as_list(rule.name, a)
    try:
        x = [v._number for v in a]
        out = {value}
        if type(out) is float:
            {list}
    except (AttributeError, TypeError, ValueError, ArithmeticError):
        pass
    return otherwise(rule, a)
"""

_TWO_LISTS = """
def function(a, b):
    if type(a) is not list:
        a = as_list(rule.name, a)
    if type(b) is not list:
        b = as_list(rule.name, b)
    try:
        if len(a) == len(b):
            x = [v._number for v in a]
            y = [v._number for v in b]
            out = {value}
            if type(out) is float:
                {two_lists}
    except (AttributeError, TypeError, ValueError, ArithmeticError):
        pass
    return otherwise(rule, tuple(a), tuple(b))
"""


def _define(
    template: str, rule: Rule, otherwise: Callable[..., Any]
) -> dict[str, Callable[..., Any]]:
    """The functions of a template, by name, with the row written into them.

    Args:
        template: the text of their definitions.
        rule: a row of the table.
        otherwise: called with the rule and the operands where these are not plain floats.
    """
    value = BARE_FLOAT.value_of(rule)
    dx, dy = (*(BARE_FLOAT.derivative_of(rule, slot) for slot in range(rule.arity)), None)[:2]
    parts = {
        "value": value,
        "dx": dx,
        "unary": _NODE.format(value="out", x="a", dx="dx", y=None, dy=None),
        # x ** 0.5 of a user's may be complex
        "unary_checked": rule.in_table or "type(out) is float is type(dx)",
        "binary": _NODE.format(value=value, x="a", dx=dx, y="b", dy=dy),
        "left": _NODE.format(value=value, x="a", dx=dx, y="b", dy=None),
        "right": _NODE.format(value=value, x="a", dx=None, y="b", dy=dy),
        "list": _NODE.format(value="out", x="a", dx=None, y=f"tuple({dx})", dy=None),
        "two_lists": _NODE.format(value="out", x="(*a, *b)", dx=None, y=f"(*{dx}, *{dy})", dy=None),
    }
    names = {"Value": Value, "new": _new, "as_list": as_list, "rule": rule, "otherwise": otherwise}
    return BARE_FLOAT.define(template.format_map(parts), names, title=rule.name)


def function_of(rule: Rule) -> Callable[..., Any]:
    """The function that a row describes, named and documented from it."""
    own = rule.in_table
    function: Callable[..., Any]
    if rule.variadic:
        template = _LIST if rule.arity == 1 else _TWO_LISTS
        function = _define(template, rule, apply_lists)["function"]
    elif rule.arity == 1 and rule.written and (own or not rule.domain):
        function = _define(_UNARY, rule, apply)["function"]
    elif rule.arity == 2 and own:
        function = _define(_BINARY, rule, apply)["function"]
    else:  # what a user's own functions return has to be looked at, and where they have a value

        def function(*operands: Any) -> Any:
            return apply(rule, *operands)

    function.__name__ = function.__qualname__ = rule.name
    function.__doc__ = _document(rule)
    return function


def _document(rule: Rule) -> str:
    lines = [
        f"{rule.name}: {rule.value if isinstance(rule.value, str) else 'a primitive of the user'}."
    ]
    lines += [
        f"Derivative for {operand}: {derivative}."
        for operand, derivative in zip(PARAMETERS, rule.derivatives, strict=False)
        if isinstance(derivative, str)
    ]
    if rule.domain:
        lines += [f"Raises DomainError unless {rule.domain}."]
    if rule.kink:
        lines += [f"Where {rule.kink} the derivative is taken to be {', '.join(rule.convention)}."]
    return "\n".join(lines)


def _operate(rule: Rule, a: Any, b: Any) -> Any:
    """What an operator does off the quick way: Python asks the other operand where we know it not."""
    a, b = (int(bool(each)) if type(each).__name__ in TRUTH_VALUES else each for each in (a, b))
    if all(isinstance(each, Value) or is_number(each) for each in (a, b)):
        return apply(rule, a, b)
    return NotImplemented


class _Functions(dict[str, "Callable[..., Any]"]):
    """The function of each row by name, made when it is first asked for: most programs use few."""

    def __missing__(self, name: str) -> Callable[..., Any]:
        function = self[name] = function_of(RULES[name])
        return function


FUNCTIONS = _Functions()


def _operator(symbol: str, side: str, name: str) -> Callable[..., Any]:
    """The method that Python calls for an operator with a Value to the left, or to the right."""
    method = _define(_BINARY, RULES[symbol], _operate)[side]
    if name == "__radd__":
        add = method

        def method(self: Value, other: Any) -> Any:  # sum() begins with 0
            return self if type(other) is int and other == 0 else add(self, other)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = _document(RULES[symbol])
    return method


class _Method:
    """A method of Value that is made when it is first asked for."""

    def __init__(self, name: str, make: Callable[..., Callable[..., Any]], *of: str) -> None:
        self.name = name
        self.make = make
        self.of = of

    def __get__(self, node: Value | None, _: type[Value]) -> Any:
        method = self.make(*self.of)
        setattr(Value, self.name, method)
        # Not by its name, of which a subclass may have its own.
        return method if node is None else method.__get__(node)


_OPERATORS = {"+": "add", "-": "sub", "*": "mul", "/": "truediv", "**": "pow"}

for _method in (
    # the functions of numbers too: NumPy's ufuncs call them on arrays of Values
    *(
        _Method(name, FUNCTIONS.__getitem__, name)
        for name in FUNCTION_NAMES
        if not RULES[name].variadic
    ),
    *(_Method(f"__{name}__", FUNCTIONS.__getitem__, name) for name in ("neg", "abs")),
    *(
        _Method(f"__{name}__", _operator, symbol, "left", f"__{name}__")
        for symbol, name in _OPERATORS.items()
    ),
    *(
        _Method(f"__r{name}__", _operator, symbol, "right", f"__r{name}__")
        for symbol, name in _OPERATORS.items()
    ),
):
    setattr(Value, _method.name, _method)
