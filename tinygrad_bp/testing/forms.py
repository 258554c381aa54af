"""How each row of the table can be written on nodes, and at which numbers it is tried.

A form is an operation with its operands told apart: ``a - b``, ``a - 2`` and ``2 - a`` are three
forms of one row, and ``a -= b`` is a fourth.  The numbers are a fixed grid, the same at every run.
"""

from __future__ import annotations

import math
import sys
from functools import cache
from itertools import islice, product
from typing import TYPE_CHECKING, Any, NamedTuple

from tinygrad_bp.errors import BackpropError
from tinygrad_bp.numbers.of_python import FLOAT
from tinygrad_bp.table.rules import RULES
from tinygrad_bp.testing.engines import OURS
from tinygrad_bp.testing.scripts import Apply, Plain

if TYPE_CHECKING:
    from collections.abc import Iterator

MODERATE = (2.0, 0.7, -1.3, 3.0, -0.6, 0.0, 0.3, 1.1, -2.7)
"""Where a straightforward formula has its digits; few are floats of single precision."""
EXPONENTS = (2, 3, -1, -2, 1)
FRACTIONAL = (0.5, 1.5, -0.5)
_CONSTANTS = (3, -2, 0.7, 0, 1, -1)
_POSITIVE = (2, 0.7, 3, 1)
_FAR_EXPONENTS = (2.0, 3.0, -1.0, -2.0, 0.5, -0.5, 10.0, 0.001)
_SIZES = (
    *(1e-300, 1e-200, 1e-160, 1e-100, 1e-30, 1e-16, 1e-12, 1e-8, 1e-4, 0.01, 0.9999, 1.0001),
    *(5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 40.0, 61.0, 100.0, 300.0, 500.0, 700.0, 709.0),
    *(1e4, 1e8, 1e16, 1e30, 1e100, 1e155, 1e200, 1e300),
)
_PAIR_SIZES = (1e-300, 1e-170, 1e-100, 1e-30, 1e-8, 1.0, 30.0, 300.0, 1e8, 1e30, 1e100, 1e170, 1e300)  # fmt: skip
_LARGE = 1e3  # beyond it a moderate case has lost its moderation


class Form(NamedTuple):
    """An operation, and which of its operands are nodes and no plain numbers.

    Attributes:
        name: as it is written: ``"2 - a"``.
        op: its name in the table.
        nodes: one for each operand; empty for an operation on lists.
        in_place: whether it is written with ``+=`` and the like.
        plain: what stands where no node does.
    """

    name: str
    op: str
    nodes: tuple[bool, ...]
    in_place: bool = False
    plain: tuple[float, ...] = _CONSTANTS

    @property
    def slots(self) -> int:
        """How many nodes it takes; an operation on lists is tried with two in each."""
        return self.nodes.count(True) or 2 * RULES[self.op].arity

    def apply(self, registers: tuple[int, ...], plain: float = 0.0) -> Apply:
        """The statement, for some registers and the plain number beside them."""
        place = iter(registers)
        operands: tuple[Any, ...]
        if self.nodes:
            operands = tuple([next(place) if node else Plain(plain) for node in self.nodes])
        else:
            operands = tuple([(next(place), next(place)) for _ in range(RULES[self.op].arity)])
        return Apply(self.op, operands, self.in_place)


def _forms() -> Iterator[Form]:
    both, left, right = (True, True), (True, False), (False, True)
    for op, rule in RULES.items():
        if op == "**":
            yield Form("a ** b", op, both)
            yield Form("a ** n", op, left, plain=EXPONENTS)
            yield Form("a ** 0.5", op, left, plain=FRACTIONAL)
            yield Form("2 ** a", op, right, plain=_POSITIVE)
            yield Form("a **= n", op, left, in_place=True, plain=EXPONENTS)
        elif rule.infix:
            for text, nodes in (("a {} b", both), ("a {} 2", left), ("2 {} a", right)):
                yield Form(text.format(op), op, nodes)
            for text, nodes in (("a {}= b", both), ("a {}= 2", left)):
                yield Form(text.format(op), op, nodes, in_place=True)
        elif rule.variadic:
            yield Form(op, op, ())
        elif rule.arity == 2:
            yield Form(op, op, both)
            yield Form(f"{op}(a, 2)", op, left)
        else:
            yield Form("-a" if op == "neg" else op, op, (True,))


FORMS: dict[str, Form] = {
    form.name: form for form in sorted(_forms(), key=lambda form: form.in_place)
}
"""Every form of every row, by its name."""


class Point(NamedTuple):
    """Numbers for a form.

    Attributes:
        nodes: of its nodes.
        plain: of the plain operand, if there is one.
    """

    nodes: tuple[float, ...]
    plain: float = 0.0


def _operands(form: Form, at: Point) -> tuple[float, ...]:
    place = iter(at.nodes)
    return tuple([next(place) if node else float(at.plain) for node in form.nodes])


def _is_smooth(form: Form, at: Point) -> bool:
    """Whether the operation has a value there, and a derivative that is no convention."""
    if not form.nodes:
        return True
    rule, operands = RULES[form.op], _operands(form, at)
    if form.op == "**" and operands[0] <= 0.0:  # properties of their own
        return False
    return bool(FLOAT.in_domain(rule, operands)) and not FLOAT.at_kink(rule, operands)


def answer(form: Form, at: Point) -> tuple[float, ...] | None:
    """The value there and the derivative for each node, or ``None`` where there is none."""
    if not _is_smooth(form, at):
        return None
    leaves = [*map(OURS.make, at.nodes)]
    place = iter(leaves)
    try:
        if form.nodes:
            given = [next(place) if node else at.plain for node in form.nodes]
        else:
            given = [[next(place), next(place)] for _ in range(RULES[form.op].arity)]
        out = OURS.operations[form.op](*given)
    except (BackpropError, ArithmeticError):
        return None
    return out.data, *out.local_derivatives


@cache
def moderate_points(form: Form, count: int = 24) -> tuple[Point, ...]:
    """Points of moderate numbers, all different in one point, the simplest first."""
    return tuple(islice(_moderate_points(form), count))


def _moderate_points(form: Form) -> Iterator[Point]:
    plains = (0.0,) if all(form.nodes) else form.plain
    if form.slots == 1:
        drawn = sorted(product(MODERATE, plains), key=lambda pair: sum(_rank(pair, plains)))
        candidates = [Point((x,), plain) for x, plain in drawn]
    elif form.slots == 2:
        ranked = sorted(
            product(enumerate(MODERATE), repeat=2), key=lambda pair: pair[0][0] + pair[1][0]
        )
        candidates = [Point((x, y)) for (_, x), (_, y) in ranked if x != y]
    else:
        candidates = [Point(tuple((MODERATE * 2)[k : k + form.slots])) for k in range(8)]
    for at in candidates:
        found = answer(form, at)
        if found and all(number == 0.0 or 1e-6 < abs(number) < _LARGE for number in found):
            yield at


def _rank(pair: tuple[float, float], plains: tuple[float, ...]) -> tuple[int, int]:
    return MODERATE.index(pair[0]), plains.index(pair[1])


@cache
def far_points(form: Form) -> tuple[Point, ...]:
    """A geometric grid over the whole domain, where truth is a float with all its digits."""
    return tuple(_far_points(form))


def _far_points(form: Form) -> Iterator[Point]:
    sizes = _SIZES if form.slots == 1 and all(form.nodes) else _PAIR_SIZES
    signed = [sign * size for size in sizes for sign in (1.0, -1.0)]
    exponents = _FAR_EXPONENTS if form.op == "**" else signed
    if form.slots == 1 and form.nodes and all(form.nodes):
        points = [Point((x,)) for x in signed]
    elif form.op == "**" and form.nodes == (False, True):
        points = [Point((x,), base) for base in _POSITIVE for x in _SIZES]
        points += [Point((-x,), base) for base in _POSITIVE for x in _SIZES]
    elif form.slots == 1 and form.nodes:
        plains = exponents
        if form.op == "**" and form.nodes[0]:
            plains = [e for e in exponents if (e == round(e)) == (form.plain == EXPONENTS)]
        first = form.nodes[0]
        points = [Point((x,), plain) for x in (signed if first else exponents) for plain in (plains if first else signed)]  # fmt: skip
    elif form.slots == 2 and form.nodes:
        points = [Point((x, y)) for x in signed for y in exponents]
    elif form.op == "fsum":
        points = [Point((x, y)) for x in signed for y in signed if x != -y]
    else:
        points = [Point((x, 1.0, y, 0.0)) for x in signed for y in signed]
    for at in points:
        found = answer(form, at)
        if found and all(map(_is_normal, found)):
            yield at


def _is_normal(number: Any) -> bool:
    return bool(number == 0.0 or sys.float_info.min <= abs(number) < math.inf)
