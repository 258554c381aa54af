"""What the properties of conformance are made of: cases, measures, and the writing of scripts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from tinygrad_bp.testing.engines import DOUBLE, is_unimplemented
from tinygrad_bp.testing.forms import FORMS, Form, Point, moderate_points
from tinygrad_bp.testing.scripts import Apply, Back, Leaf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tinygrad_bp.testing.engines import Engine, Spelling
    from tinygrad_bp.testing.scripts import Script, Statement

NEAR = 1e-9
"""How near a right formula comes at moderate numbers, relatively."""
FAR = 1e-8
"""How near it comes over the whole domain, where a right formula too may lose digits."""

IN_A_GRAPH, TAILS = " in a graph", ": tails"
JOINS = tuple(f"a {op} b" for op in "+*-/")
"""The operations of two nodes that graphs are built with: the first that holds."""
SCALES = (
    *("a * b", "a / b", "a * 2", "2 * a", "a / 2", "-a"),
    *(name for name, form in FORMS.items() if name == form.op and form.slots == 1),
)
"""What a node can be multiplied with a number by, or at least changed: the first that holds."""
FACTORS = SCALES[:5]
"""Those that multiply."""


def base_of(name: str) -> str:
    """The name without what is said of the place where an operation is tried.

    >>> base_of("2 - a in a graph")
    '2 - a'
    """
    return name.removesuffix(IN_A_GRAPH).removesuffix(TAILS)


class NotOffered(Exception):  # noqa: N818 - it is no error
    """The engine has not what a property is about."""


class NotTried(Exception):  # noqa: N818 - it is no error
    """A property would tell nothing, because something else fails, or takes too long."""


class Plan(NamedTuple):
    """How much is tried, and what is known by then.

    Attributes:
        held: the names of the properties that hold.
        examples: how many random programs.
        seed: other random programs for another number.
        bits: of the engine's floats.
        thorough: whether each form is tried at more numbers.
    """

    held: frozenset[str] = frozenset()
    examples: int = 200
    seed: int = 0
    bits: int = DOUBLE
    thorough: bool = False

    @property
    def near(self) -> float:
        """How near a right formula comes at moderate numbers with the engine's floats."""
        return max(NEAR, 1e4 * 2.0**-self.bits)

    @property
    def join(self) -> str:
        """The operation of two nodes that graphs are built with, or nothing."""
        return next((FORMS[name].op for name in JOINS if name + IN_A_GRAPH in self.held), "")

    def points(self, form: Form, few: int) -> tuple[Point, ...]:
        """Some moderate points, as many as are asked for or eight times as many."""
        return moderate_points(form, 8 * few if self.thorough else few)

    def forms(self) -> list[Form]:
        """The forms that hold in a graph."""
        return [form for name, form in FORMS.items() if {name, name + IN_A_GRAPH} <= self.held]


class Case(NamedTuple):
    """One script, and how near its answer has to be.

    Attributes:
        script: the statements.
        allowed: how far a number may be off, relatively; 0 for what is usual.
        least: the size that a smaller number is taken to have; ``None`` for the largest of the script.
        inner: whether the gradients of inner nodes count.
        unread: the leaves whose gradient is a convention.
        refused: whether an error is a refusal of these numbers, and no fault.
    """

    script: Script
    allowed: float = 0.0
    least: float | None = None
    inner: bool = False
    unread: frozenset[int] = frozenset()
    refused: Callable[[BaseException], bool] = is_unimplemented


class Measure(NamedTuple):
    """What is tried without a script.

    Attributes:
        text: Python lines to paste, by how the engine is written.
        wanted: what it should come to.
        take: does it and returns what it came to; raises `ValueError` with words that say what is wrong.
    """

    text: Callable[[Spelling], str]
    wanted: Any
    take: Callable[[], Any]


class Property(NamedTuple):
    """What should be true of any scalar engine.

    Attributes:
        name: what it is called.
        statement: what it says.
        tries: the cases for a plan; or the measures for an engine.
        needs: the properties that have to hold for it to tell anything; of several in a tuple, one.
        uses: the properties of which it takes those that hold.
        spoiled_by: the properties without which it would still tell something, but not if they fail.
        offered: a script without a pass that is run once, to see whether the engine has what it is about.
    """

    name: str
    statement: str
    tries: Callable[[Plan, Engine], Iterable[Case | Measure]]
    needs: tuple[str | tuple[str, ...], ...] = ()
    uses: tuple[str, ...] = ()
    spoiled_by: tuple[str, ...] = ()
    offered: Script = ()


class Builder:
    """Writes a script, statement by statement, and hands out the registers.

    Args:
        plan: what holds, and can be used.
        join: the operation of two nodes that it builds graphs with, if not the plan's.
    """

    def __init__(self, plan: Plan, join: str = "") -> None:
        self.plan = plan
        self.join_op = join or plan.join
        self.statements: list[Statement] = []
        self.size = 0

    def add(self, statement: Leaf | Apply) -> int:
        """Add a statement that fills a register."""
        self.statements.append(statement)
        self.size += 1
        return self.size - 1

    def leaf(self, number: float) -> int:
        """A new leaf."""
        return self.add(Leaf(number))

    def leaves(self, *numbers: float) -> tuple[int, ...]:
        """A new leaf for each number."""
        return tuple(map(self.leaf, numbers))

    def apply(self, op: str, *operands: Any) -> int:
        """An operation by its name."""
        return self.add(Apply(op, operands))

    def form(self, form: Form, registers: tuple[int, ...], plain: float = 0.0) -> int:
        """An operation as a form writes it."""
        return self.add(form.apply(registers, plain))

    def join(self, one: int, other: int) -> int:
        """Two nodes in one: their sum, if the engine adds."""
        return self.apply(self.join_op, one, other)

    def times(self, one: int, other: int) -> int:
        """The product of two nodes; joined if the engine does not multiply."""
        op = "*" if {"a * b", "a * b" + IN_A_GRAPH} & self.plan.held else self.join_op
        return self.apply(op, one, other)

    def scale(self, register: int, factor: float) -> int:
        """A node times a number, which is a leaf if the engine multiplies or divides nodes."""
        form = self._scale
        number = 1.0 / factor if form.op == "/" else factor
        if form.slots == 2:
            return self.form(form, (register, self.leaf(number)))
        return self.form(form, (register,), number)

    @property
    def _scale(self) -> Form:
        return FORMS[next(name for name in SCALES if name in self.plan.held)]

    def scales_by(self, factor: float) -> bool:
        """Whether `scale` multiplies by just that number."""
        op = self._scale.op
        return op == "*" or (op == "/" and 0.0 < abs(factor) < math.inf)

    def statement(self, statement: Statement) -> None:
        """Add a statement that fills no register."""
        self.statements.append(statement)

    def to(self, register: int) -> Script:
        """The script with a pass from a register at its end."""
        return (*self.statements, Back(register))

    def case(self, register: int) -> Case:
        """The same as a case."""
        return Case(self.to(register))
