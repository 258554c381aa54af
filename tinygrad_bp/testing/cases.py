"""What a property is made of: scripts to compare, measures to take, and how much of them is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tinygrad_bp.testing.engines import DOUBLE, OURS
from tinygrad_bp.testing.forms import FORMS, Form, Point, moderate_points
from tinygrad_bp.testing.scripts import Apply, Back, Leaf, Plain, Script, Statement, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NEAR = 1e-9
"""How near a right formula comes at moderate numbers, relatively."""
FAR = 1e-8
"""How near it comes over the whole domain, where a right formula too may lose digits."""
IN_A_GRAPH = " in a graph"
_LARGE = 1e6
_JOINS = ("a + b", "a * b", "a - b", "a / b", "hypot", "logaddexp", "maximum", "arctan2")
_FACTORS = ("a * b", "a * 2", "2 * a", "a / b", "a / 2", "a - b", "2 - a", "-a")


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
        """How near a right formula comes at moderate numbers."""
        return max(NEAR, 1e4 * 2.0**-self.bits)

    def points(self, form: Form, few: int) -> tuple[Point, ...]:
        """Some moderate points, as many as are asked for or eight times as many."""
        return moderate_points(form)[: 8 * few if self.thorough else few]

    def forms(self) -> list[Form]:
        """The forms that hold in a graph."""
        return [form for name, form in FORMS.items() if {name, name + IN_A_GRAPH} <= self.held]

    def joins(self) -> list[Form]:
        """The operations on two nodes that hold in a graph, the plainest first.

        Raises:
            NotTried: there is none.
        """
        held = [FORMS[name] for name in _JOINS if {name, name + IN_A_GRAPH} <= self.held]
        if not held:
            raise NotTried("no operation on two nodes holds in a graph")
        return held

    def factor(self) -> Form:
        """An operation that holds by itself and multiplies the gradient by a number that is not 1.

        Raises:
            NotTried: there is none.
        """
        unary = [name for name, form in FORMS.items() if form.nodes == (True,)]
        for name in (*_FACTORS, *unary):
            if name in self.held and name not in ("identity", "abs", "relu"):
                return FORMS[name]
        raise NotTried("no operation holds that could change a gradient")

    def case(self, script: Script, **settings: Any) -> Iterator[Case]:
        """A case, unless its numbers are outside a domain or too large to be told from one another."""
        try:
            right = run(script, OURS)
        except Exception:  # noqa: BLE001 - outside the domain there is no right answer
            return
        if all(abs(number) < _LARGE for number in (*right.values, *right.gradients.values())):
            yield Case(script, self.near, **settings)


JOINS = tuple(name + end for name in _JOINS for end in ("", IN_A_GRAPH))
"""The properties that say which operations can join two nodes."""
FACTORS = (*_FACTORS, *(name for name, form in FORMS.items() if form.nodes == (True,)))
"""The properties that say which operations can change a gradient."""


class Case(NamedTuple):
    """One script, and how near its answer has to be.

    Attributes:
        script: the statements.
        allowed: how far a number may be off, relatively.
        least: the size that a smaller number is taken to have; ``None`` for the largest of the script.
        inner: whether the gradients of inner nodes count.
        unread: the leaves whose gradient is a convention.
        lenient: whether an error is a refusal of these numbers, and no fault.
        random: whether it may be made smaller, since nobody thought of it.
    """

    script: Script
    allowed: float = NEAR
    least: float | None = None
    inner: bool = False
    unread: frozenset[int] = frozenset()
    lenient: bool = False
    random: bool = False


class Measure(NamedTuple):
    """What is tried without a script.

    Attributes:
        text: Python lines for an engine whose class is ``Value``, as they are shown.
        wanted: what it should come to.
        take: does it and returns what it came to; raises `ValueError` with words that say what is wrong.
    """

    text: str
    wanted: Any
    take: Callable[[], Any]


class Writer:
    """Writes a script, statement by statement, and hands out the registers."""

    def __init__(self, plan: Plan | None = None, join: Form | None = None) -> None:
        self.plan = plan or Plan()
        self.join = join
        self.statements: list[Statement] = []
        self.size = 0

    def add(self, statement: Leaf | Apply) -> int:
        """Any statement that fills a register."""
        self.statements.append(statement)
        self.size += 1
        return self.size - 1

    def leaf(self, number: float) -> int:
        """A leaf."""
        return self.add(Leaf(float(number)))

    def leaves(self, *numbers: float) -> tuple[int, ...]:
        """Several leaves."""
        return tuple(map(self.leaf, numbers))

    def form(self, form: Form, registers: tuple[int, ...], plain: float = 0.0) -> int:
        """An operation as it is written in a form."""
        return self.add(form.apply(registers, plain))

    def apply(self, op: str, *operands: int | Plain) -> int:
        """An operation."""
        return self.add(Apply(op, operands))

    def joined(self, x: int, y: int) -> int:
        """An operation on two nodes that holds: a sum, where sums hold."""
        return self.form(self.join or self.plan.joins()[0], (x, y))

    def scaled(self, x: int, factor: float = 0.7) -> int:
        """An operation on one node that holds and changes the gradient: a product, where products hold."""
        form = self.plan.factor()
        if form.slots == 2:
            k = self.leaf(factor)
            return self.form(form, (k, x) if form.op == "-" else (x, k))
        return self.form(form, (x,), form.plain[0])

    def back(self, register: int) -> None:
        """A pass."""
        self.statements.append(Back(register))

    def to(self, register: int) -> Script:
        """The script with a pass from a register at its end."""
        return (*self.statements, Back(register))
