"""How a mutant is made: the right engine with one planted defect.

A mutation is a function from the name of an operation to an engine, and is crossed with all operations that
it applies to.  Each mutant is named by a property of the check of conformance, or by several, of which one
has to fail.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from formulas import ARITHMETIC, FORMULAS, FUNCTIONS
from right import Scalar

from tinygrad_bp.testing.conformance import Engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Mutant(NamedTuple):
    """An engine with one planted defect.

    Attributes:
        defect: what is wrong.
        op: of which operation; empty where it is none's own.
        make: gives the engine, a new one at each call.
        found_by: the properties that are about it, by how their names begin; one at least has to fail.
        hangs: whether it never comes back.
    """

    defect: str
    op: str
    make: Callable[[], Engine]
    found_by: tuple[str, ...]
    hangs: bool = False

    def __str__(self) -> str:
        return f"{self.op}: {self.defect}" if self.op else self.defect

    def properties(self, names: Iterable[str]) -> list[str]:
        """Those of some properties that are about it, the likeliest first."""
        names = [*names]
        return [
            name
            for prefix in self.found_by
            for name in names
            if name == prefix or name.startswith((f"{prefix} in ", f"{prefix}:", f"{prefix}("))
        ]


MUTANTS: list[Mutant] = []

TWO_OPERANDS = (*ARITHMETIC, "maximum", "minimum", "hypot", "logaddexp")
ONE_OPERAND = tuple(op for op in FORMULAS if op not in TWO_OPERANDS)
PIECEWISE = ("relu", "leaky_relu", "maximum", "minimum")
SMOOTH = tuple(op for op in FUNCTIONS if op not in PIECEWISE)
CURVED = ("*", "/", "**", *SMOOTH)
"""The operations whose derivatives depend on the operands."""


def forms_of(op: str) -> tuple[str, ...]:
    """How an operation is written, which is what the properties about it are called."""
    if op == "**":
        return ("a ** n", "a ** b", "a ** 0.5", "2 ** a")
    if op in ARITHMETIC:
        return (f"a {op} b", f"a {op} 2", f"2 {op} a")
    return ("-a",) if op == "neg" else (op,)


def mutation(
    defect: str, over: Iterable[str] = ("",), *, found_by: Iterable[str] = (), hangs: bool = False
) -> Callable[[Callable[[str], type[Scalar]]], Callable[[str], type[Scalar]]]:
    """Add a mutant for each operation; the decorated function makes its class.

    Args:
        defect: what is wrong.
        over: the operations; an empty name where the defect is none's own.
        found_by: the properties that are about it, beside that of the operation.
        hangs: whether it never comes back.
    """

    def add(make: Callable[[str], type[Scalar]]) -> Callable[[str], type[Scalar]]:
        for op in over:
            properties = (*(forms_of(op) if op else ()), *found_by)
            name = f"{op}: {defect}" if op else defect
            engine = partial(_engine, make, op, name)
            MUTANTS.append(Mutant(defect, op, engine, properties, hangs))
        return make

    return add


def _engine(make: Callable[[str], type[Scalar]], op: str, name: str) -> Engine:
    return Engine(make(op), name)


def where(op: str, **changed: Callable[..., object]) -> type[Scalar]:
    """A Scalar some of whose methods are changed, for the nodes of one operation."""

    def chosen(name: str, wrong: Callable[..., object]) -> Callable[..., object]:
        right = getattr(Scalar, name)
        return lambda self, *args: (wrong if self.op == op else right)(self, *args)

    return scalar(**{name: chosen(name, wrong) for name, wrong in changed.items()})


def scalar(**changed: object) -> type[Scalar]:
    """A Scalar some of whose attributes are changed."""
    return type("Scalar", (Scalar,), changed)
