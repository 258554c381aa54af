"""A scalar autograd engine under test: how to talk to it, where to find it, how to write for it."""

from __future__ import annotations

import importlib
import operator
import sys
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from opcode import opmap
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tinygrad_bp.engine.operations import FUNCTIONS
from tinygrad_bp.engine.value import Value
from tinygrad_bp.errors import ArgumentError
from tinygrad_bp.table.rules import FUNCTION_NAMES, RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DOUBLE = 53
"""The bits of a float of double precision."""
_FEWEST = 8

OPERATORS: dict[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
    "neg": operator.neg,
    "abs": operator.abs,
}
"""The rows of the table that Python has an operator or a function of its own for."""
IN_PLACE: dict[str, Callable[..., Any]] = {
    "+": operator.iadd,
    "-": operator.isub,
    "*": operator.imul,
    "/": operator.itruediv,
    "**": operator.ipow,
}
COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
"""The order of numbers; equality may be that of nodes."""
_METHODS = {"+": "__add__", "-": "__sub__", "*": "__mul__", "/": "__truediv__", "**": "__pow__", "neg": "__neg__", "abs": "__abs__"}  # fmt: skip


class Spelling(NamedTuple):
    """How an engine's nodes are written in a script.

    Attributes:
        imports: the line that imports what is used.
        make: what is called with a number for a leaf.
        data: the attribute that has a node's number.
        grad: the attribute that has its gradient.
        backward: the method that runs the pass.
        functions: the operations that are no methods, and how they are called.
    """

    imports: str
    make: str
    data: str = "data"
    grad: str = "grad"
    backward: str = "backward"
    functions: Mapping[str, str] = {}


@dataclass(frozen=True, eq=False)
class Engine:
    """How to talk to a scalar engine.

    Attributes:
        make: a leaf of a float: for most engines the class itself.
        name: what to call it.
        data: the attribute that has a node's number.
        grad: the attribute that has its gradient after a pass; ``None`` there counts as 0.
        backward: the method that runs the pass.
        functions: operations by their names in our table, where they are no methods of a node.
        bits: of its floats: 53, or 24 if they are of single precision.

    Numbers are read with `float`, so that a tensor of no dimension will do.

    Raises:
        ArgumentError: a function has a name that our table has not, or there are too few or too many bits.

    >>> engine = Engine(Value, functions={"square": lambda a: a * a})
    >>> a = engine.make(3.0)
    >>> engine.run_back(engine.operations["square"](a))
    >>> engine.gradient(a)
    6.0
    """

    make: Callable[[float], Any]
    name: str = ""
    data: str = "data"
    grad: str = "grad"
    backward: str = "backward"
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    bits: int = DOUBLE

    def __post_init__(self) -> None:
        unknown = [name for name in self.functions if name not in RULES]
        if unknown:
            raise ArgumentError(f"{unknown[0]!r} is none of {', '.join(FUNCTION_NAMES)}")
        if not _FEWEST <= self.bits <= DOUBLE:
            raise ArgumentError(f"the bits of a float are {_FEWEST} to {DOUBLE}, not {self.bits}")

    @cached_property
    def operations(self) -> dict[str, Callable[..., Any]]:
        """Each operation of our table, and ``sum``: as an operator, as a method of a node, or as it was given."""
        methods = {
            name: partial(_call_method, name) for name in FUNCTION_NAMES if not RULES[name].variadic
        }
        return {**methods, **OPERATORS, "sum": sum, **self.functions}

    def number(self, node: Any) -> float:
        """The number of a node."""
        return float(getattr(node, self.data))

    def gradient(self, node: Any) -> float:
        """The gradient of a node."""
        grad = getattr(node, self.grad)
        return 0.0 if grad is None else float(grad)

    def run_back(self, node: Any) -> None:
        """The pass from a node."""
        getattr(node, self.backward)()

    def move(self, leaf: Any, x: float) -> None:
        """Give a leaf another number, of the type that the engine makes of it."""
        setattr(leaf, self.data, getattr(self.make(x), self.data))

    def clear(self, leaf: Any) -> None:
        """Give a leaf the gradient of a new one."""
        setattr(leaf, self.grad, getattr(self.make(0.0), self.grad))

    def offers(self, op: str) -> bool:
        """Whether there is a function, a method or an operator for an operation of our table."""
        if op in self.functions:
            return True
        method = _METHODS.get(op, op)
        return op in self.operations and callable(getattr(self.make(2.0), method, None))

    @property
    def spelling(self) -> Spelling:
        """How its nodes are written in a script."""
        module, _, name = self.name.partition(":")
        first = name.partition(".")[0]
        names = self.data, self.grad, self.backward
        if name and isinstance(_found(module, name), Engine):
            functions = {each: f'{name}.functions["{each}"]' for each in self.functions}
            return Spelling(f"from {module} import {first}", f"{name}.make", *names, functions)
        if name:
            return Spelling(f"from {module} import {first}", name, *names)
        make, of = getattr(self.make, "__qualname__", "make"), getattr(self.make, "__module__", "")
        make = make.rpartition("<locals>.")[2].replace("<lambda>", "make")
        return Spelling(f"from {of} import {make.partition('.')[0]}", make, *names)


def _call_method(name: str, node: Any, *others: Any) -> Any:
    return getattr(node, name)(*others)


def _found(module: str, name: str) -> Any:
    found: Any = sys.modules.get(module)
    for each in name.split("."):
        found = getattr(found, each, None)
    return found


OURS = Engine(
    lambda x: Value(float(x)),
    "tinygrad_bp:Value",
    functions={name: FUNCTIONS[name] for name in FUNCTION_NAMES},
)
"""The engine of this package, which gives the right answers."""


# ---- what an engine raises


def told(error: BaseException) -> str:
    """An error on one line."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - it is the engine's own class
        text = "an error that cannot be printed"
    return f"{type(error).__name__}: {' '.join(text.split())}".removesuffix(": ")[:200]


def place_of(error: BaseException) -> str:
    """The file and line where an error came about, of what is not ours; empty if it is not in a file.

    That it came from too deep a recursion is not said: it comes about anywhere.
    """
    found = ""
    trace = error.__traceback__
    while trace and not isinstance(error, RecursionError):
        file = Path(trace.tb_frame.f_code.co_filename)
        if file.parent != Path(__file__).parent and file.suffix == ".py":
            found = f"{file.name}, line {trace.tb_lineno}, in {trace.tb_frame.f_code.co_name}"
        trace = trace.tb_next
    return found


def is_unimplemented(error: BaseException) -> bool:
    """Whether an error says that something is not there."""
    return isinstance(error, NotImplementedError)


def is_any(_: BaseException) -> bool:
    """Whether it is an error."""
    return True


def is_refusal(error: BaseException) -> bool:
    """Whether an engine says in words of its own that it has not such an operation, or not for such operands.

    It raises `NotImplementedError`, or has a ``raise`` or ``assert`` for a type; or Python finds no operator.
    An error that comes about by itself is a fault.
    """
    if isinstance(error, NotImplementedError):
        return True
    if not isinstance(error, (TypeError, AssertionError)):
        return False
    if told(error).startswith(("TypeError: unsupported operand", "TypeError: bad operand")):
        return True
    trace = error.__traceback__
    if trace is None:
        return False
    while trace.tb_next:
        trace = trace.tb_next
    return trace.tb_frame.f_code.co_code[trace.tb_lasti] == opmap["RAISE_VARARGS"]


# ---- where it is found


def check_path(path: str) -> None:
    """Raise `ArgumentError` unless a path is of the form ``module:name``."""
    module, _, name = path.partition(":")
    if not all(each.isidentifier() for each in (*module.split("."), *name.split("."))):
        raise ArgumentError(f"{path!r} is not of the form MODULE:NAME, as micrograd.engine:Value")


def load(path: str, folder: Path | None = None, **settings: Any) -> Engine:
    """The engine at ``module:name``: a class of nodes, or an `Engine`.

    Args:
        path: where it is, as ``micrograd.engine:Value``.
        folder: where modules are looked for, too: by default where this was started.
        **settings: of the `Engine`, as ``grad="derivative"``.

    Raises:
        ArgumentError: there is none.

    >>> load("tinygrad_bp:Value").name
    'tinygrad_bp:Value'
    """
    check_path(path)
    module, _, name = path.partition(":")
    here = str(folder or Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # what a module does when it is imported is anything
        raise ArgumentError(f"{module} cannot be imported: {told(error)}") from error
    for each in name.split("."):
        if not hasattr(found, each):
            raise ArgumentError(f"{module} has no {name}")
        found = getattr(found, each)
    if isinstance(found, Engine):
        return replace(found, name=path, **settings)
    if not callable(found):
        raise ArgumentError(f"{path} is {found!r:.60}, and neither a class of nodes nor an Engine")
    return Engine(found, path, **settings)


def check_nodes(engine: Engine) -> None:
    """Raise `ArgumentError` unless an engine makes a node with a number, a gradient and a pass."""
    try:
        leaf = engine.make(2.0)
        engine.number(leaf), engine.gradient(leaf), getattr(leaf, engine.backward)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise ArgumentError(
            f"{engine.name or engine.spelling.make} makes no node of a float with a number in {engine.data!r}, its gradient in "
            f"{engine.grad!r} and a method {engine.backward!r}: {told(error)}; say what they are called, "
            "or write an Engine"
        ) from error
