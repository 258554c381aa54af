"""One operation by itself, between others in a graph, with every size of gradient, and far out."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from tinygrad_bp.testing.cases import FAR, IN_A_GRAPH, Case, NotOffered, NotTried, Plan, Writer
from tinygrad_bp.testing.engines import DOUBLE
from tinygrad_bp.testing.forms import FORMS, MODERATE, Form, Point, answer, far_points, moderate_points
from tinygrad_bp.testing.scripts import Move, Plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tinygrad_bp.testing.engines import Engine


def alone(form: Form, plan: Plan, _: Engine) -> Iterator[Case]:
    """The operation as the root, on leaves."""
    for at in plan.points(form, 24):
        write = Writer()
        yield Case(write.to(write.form(form, write.leaves(*at.nodes), at.plain)), plan.near, 1e-3)


def far(form: Form, plan: Plan, _: Engine) -> Iterator[Case]:
    """The same on a geometric grid over its whole domain."""
    if plan.bits < DOUBLE:
        raise NotOffered("single precision has another range")
    for at in far_points(form):
        write = Writer()
        yield Case(write.to(write.form(form, write.leaves(*at.nodes), at.plain)), FAR, 0.0)


# ---- in a graph


class _Around(Writer):
    """A script around one operation.

    Args:
        form: the operation.
        at: its numbers.
        slot: the operand that has other uses too.
        plan: what holds.
        join: an operation on two nodes.
    """

    def __init__(self, form: Form, at: Point, slot: int, plan: Plan, join: Form | None) -> None:
        super().__init__(plan, join)
        self.tested = form
        self.at = at
        self.slot = slot
        self.operands = self.leaves(*at.nodes)

    @property
    def operand(self) -> int:
        """The operand that has other uses."""
        return self.operands[self.slot]

    def f(self, operand: int | None = None) -> int:
        """The operation, with another operand in the slot if one is given."""
        operands = [*self.operands]
        operands[self.slot] = self.operand if operand is None else operand
        return self.form(self.tested, tuple(operands), self.at.plain)

    def other(self, factor: float = 5.0) -> int:
        """Another use of the operand."""
        return self.scaled(self.operand, factor)

    def joined(self, x: int, y: int) -> int:
        if self.join is None:
            raise NotTried("no operation on two nodes holds in a graph")
        return super().joined(x, y)

    def inner(self) -> int:
        """An operand that is no leaf, of the same number."""
        if self.join is None or self.join.op != "+":
            raise NotTried("without sums")
        self.operands = (*self.operands,)
        return self.joined(self.operand, self.leaf(0.0))

    def both(self, operand: int, order: str) -> int:
        """The operation and another use of one inner node, in an order."""
        made = [self.f(operand) if each == "f" else self.scaled(operand, -2.0) for each in order]
        return self.joined(*made)

    def with_constants(self) -> int:
        """The operation and then some on plain numbers."""
        out = self.f()
        for name, plain in (("a * 2", 3), ("2 + a", 1), ("2 - a", 2.5)):
            if name in self.plan.held:
                out = self.form(FORMS[name], (out,), plain)
        return out


def _turned(write: _Around, x: int, y: int) -> int:
    return write.joined(y, x)


_Context = "Callable[[_Around], int]"
_CONTEXTS: tuple[Callable[[_Around], int], ...] = (
    lambda w: w.scaled(w.f(), -3.0),
    lambda w: w.scaled(w.f(), 0.5),
    lambda w: w.joined(w.other(), w.f()),  # arguments are made from left to right
    lambda w: w.joined(w.f(), w.other()),
    lambda w: _turned(w, w.other(), w.f()),
    lambda w: _turned(w, w.f(), w.other()),
    lambda w: w.joined(w.joined(w.other(), w.f()), w.other(7.0)),
    lambda w: w.joined(w.f(), w.scaled(w.f(), 3.5)),
    lambda w: w.f(w.f()),
    lambda w: w.scaled(w.f(w.f()), 3.0),
    lambda w: w.with_constants(),
    lambda w: w.scaled(w.f(w.scaled(w.operand, 1.1)), 3.0),
)
_SHARED: tuple[Callable[[_Around], int], ...] = (
    lambda w: w.scaled(w.f(w.inner()), 3.0),
    lambda w: w.both(w.inner(), "fp"),
    lambda w: w.both(w.inner(), "pf"),
    lambda w: _of_its_own(w, w.f()),
)
_REPEATED: tuple[Callable[[_Around], int], ...] = (lambda w: _squared(w, w.f()),)


def _of_its_own(write: _Around, out: int) -> int:
    """The result with itself changed: both ways lead through it."""
    return write.joined(write.scaled(out, 3.5), out)


def _squared(write: _Around, out: int) -> int:
    return write.joined(out, out)


def in_a_graph(form: Form, plan: Plan, _: Engine) -> Iterator[Case]:
    """The form between others: what is larger is tried only where the shapes in it hold."""
    try:
        join: Form | None = plan.joins()[0]
    except NotTried:
        join = form if form.slots == 2 and form.nodes else None
    contexts = [*_CONTEXTS]
    contexts += _SHARED if "shared node" in plan.held else ()
    contexts += _REPEATED if "repeated operand" in plan.held else ()
    for at in plan.points(form, 3):
        for slot in range(form.slots):
            for write_context in contexts:
                write = _Around(form, at, slot, plan, join)
                try:
                    yield from plan.case(write.to(write_context(write)))
                except NotTried:
                    continue
        if form.slots > 1:
            yield from _equal(form, at, plan)


def _equal(form: Form, at: Point, plan: Plan) -> Iterator[Case]:
    """Operands that are the same node, and operands of the same number."""
    if "repeated operand" in plan.held:
        write = Writer(plan)
        x = write.leaf(at.nodes[0])
        yield from plan.case(write.to(write.scaled(write.form(form, (x,) * form.slots), 3.0)))
    if "equal numbers" in plan.held and form.op not in ("maximum", "minimum"):  # a tie
        write = Writer(plan)
        leaves = write.leaves(*[at.nodes[0]] * form.slots)
        yield from plan.case(write.to(write.scaled(write.form(form, leaves), 3.0)))


# ---- gradients of every size on the way


def sizes(factors: tuple[float, ...], plan: Plan, _: Engine) -> Iterator[Case]:
    """The operation below a product with a leaf of each size."""
    for factor in factors:
        if plan.bits < DOUBLE and factor and 30.0 < abs(math.log10(abs(factor))) < math.inf:
            continue
        for form in plan.forms():
            at = _telling(form)
            if at is not None:
                yield from (_zero(form, at, plan) if not factor else _sized(form, at, factor, plan))


def _sized(form: Form, at: Point, factor: float, plan: Plan) -> Iterator[Case]:
    write = Writer()
    out = write.form(form, write.leaves(*at.nodes), at.plain)
    script = write.to(write.apply("*", out, write.leaf(factor)))
    slopes = (answer(form, at) or ())[1:]
    unread = frozenset(place for place, slope in enumerate(slopes) if slope == 0.0)
    yield Case(script, plan.near, 0.0, unread=unread, lenient=not math.isfinite(factor))


def _zero(form: Form, at: Point, plan: Plan) -> Iterator[Case]:
    write = Writer()
    leaves = write.leaves(*at.nodes)
    zero = write.apply("*", write.form(form, leaves, at.plain), write.leaf(0.0))
    other = write.apply("*", leaves[0], write.leaf(5.0))
    yield Case(write.to(write.apply("+", zero, other)), plan.near, 1.0)


def _telling(form: Form) -> Point | None:
    """A point where the value and a derivative are not 0."""
    for at in moderate_points(form):
        found = answer(form, at)
        if found and found[0] and any(found[1:]):
            return at
    return None


# ---- with what has moved


def recording(plan: Plan, _: Engine) -> Iterator[Case]:
    """Each form, with an operand that is moved between the operation and its pass."""
    for form in plan.forms():
        at = moderate_points(form)[0]
        for slot in range(form.slots):
            write = Writer()
            leaves = write.leaves(*at.nodes)
            out = write.form(form, leaves, at.plain)
            write.statements.append(Move(leaves[slot], _elsewhere(form, at, slot)))
            yield Case(write.to(out), plan.near)


def _elsewhere(form: Form, at: Point, slot: int) -> float:
    """A number for one operand with which the derivatives are others."""
    here = answer(form, at) or ()
    for other in MODERATE:
        nodes = (*at.nodes[:slot], other, *at.nodes[slot + 1 :])
        there = answer(form, Point(nodes, at.plain)) or here
        if any(abs(one - two) > 0.01 for one, two in zip(here[1:], there[1:], strict=True)):
            return other
    return 3.0


def old_name(plan: Plan, _: Engine) -> Iterator[Case]:
    """What was called by the name before an operation in place, used again after it."""
    forms = [form for name, form in FORMS.items() if form.in_place and name in plan.held]
    if not forms:
        raise NotOffered("nothing is done in place")
    for form in forms:
        at = moderate_points(form)[0]
        write = Writer()
        leaves = write.leaves(*at.nodes)
        out = write.form(form, leaves, at.plain)
        yield Case(write.to(write.apply("*", out, leaves[0])), plan.near)
        write = Writer()
        leaves = write.leaves(*at.nodes)
        inner = write.apply("*", leaves[0], write.leaf(1.0))
        out = write.form(form, (inner, *leaves[1:]), at.plain)
        yield Case(write.to(write.apply("+", out, inner)), plan.near)


# ---- powers


def _power(x: float, n: float, plan: Plan, least: float) -> Case:
    write = Writer()
    return Case(write.to(write.apply("**", write.leaf(x), Plain(n))), plan.near, least)


def powers_of_zero(plan: Plan, _: Engine) -> Iterator[Case]:
    """0 to whole powers, which are plain numbers or nodes."""
    for n in (0, 1, 2, 3):
        yield _power(0.0, n, plan, 1.0)
    for n in (1.0, 2.0, 3.0) if "a ** b" in plan.held else ():
        write = Writer()
        script = write.to(write.apply("**", write.leaf(0.0), write.leaf(n)))
        yield Case(script, plan.near, 1.0, unread=frozenset({1}))


def exponent_zero(plan: Plan, _: Engine) -> Iterator[Case]:
    """Numbers to the power 0."""
    for x in (2.0, 0.7, -1.3):
        yield _power(x, 0, plan, 1.0)


def negative_base(plan: Plan, _: Engine) -> Iterator[Case]:
    """Negative numbers to whole powers, which are plain numbers or nodes."""
    for x in (-2.0, -0.7, -1.3):
        for n in (2, 3, -1, -2, 1):
            yield _power(x, n, plan, 1e-3)
        for n in (2.0, 3.0) if "a ** b" in plan.held else ():
            write = Writer()
            script = write.to(write.apply("**", write.leaf(x), write.leaf(n)))
            yield Case(script, plan.near, 1e-3, unread=frozenset({1}), lenient=True)


FORM_NAMES = tuple(name + end for end in ("", IN_A_GRAPH) for name in FORMS)
"""The properties of each form, by itself and in a graph."""
trials = partial  # a property is one of these functions with its first arguments
