"""What is tried of one operation: by itself, inside graphs, over its whole domain, with any gradient from above."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from tinygrad_bp.testing.cases import FAR, IN_A_GRAPH, JOINS, Builder, Case, NotOffered, NotTried
from tinygrad_bp.testing.engines import DOUBLE, is_any, is_refusal, is_unimplemented
from tinygrad_bp.testing.forms import FORMS, Form, Point, answer, far_points, moderate_points
from tinygrad_bp.testing.scripts import Plain, right

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from tinygrad_bp.testing.cases import Plan
    from tinygrad_bp.testing.engines import Engine

    _Context: TypeAlias = Callable[[Form, Point, Builder], Iterator[Case]]

_LARGE = 1e6
_MODERATE_POINTS = 24


def alone(form: Form, plan: Plan, _: Engine) -> Iterator[Case]:
    """The form on leaves, as the root, at moderate numbers."""
    for at in plan.points(form, _MODERATE_POINTS):
        write = Builder(plan)
        out = write.form(form, write.leaves(*at.nodes), at.plain)
        yield Case(write.to(out), least=1e-3, refused=is_refusal)


def tails(form: Form, plan: Plan, _: Engine) -> Iterator[Case]:
    """The same over the whole domain.

    Raises:
        NotOffered: the engine's floats have another range.
    """
    if plan.bits < DOUBLE:
        raise NotOffered("single precision has another range")
    for at in far_points(form):
        write = Builder(plan)
        out = write.form(form, write.leaves(*at.nodes), at.plain)
        yield Case(write.to(out), FAR, 0.0, refused=is_refusal)


def whole_numbers(plan: Plan, _: Engine) -> Iterator[Case]:
    """Each form on leaves that are made of an ``int``."""
    for form in plan.forms():
        at = next((at for at in moderate_points(form) if all(x == int(x) for x in at.nodes)), None)
        if at is not None:
            write = Builder(plan)
            out = write.form(form, write.leaves(*map(int, at.nodes)), at.plain)
            yield write.case(write.scale(out, 0.7))


# ---- in graphs


def in_a_graph(form: Form, plan: Plan, _: Engine) -> Iterator[Case]:
    """The form between others: below a factor, beside other uses of its operands, twice in a row.

    Raises:
        NotTried: there is nothing to build a graph with.
    """
    join = plan.join or (form.op if form.name in JOINS else "")
    if not join:
        raise NotTried(f"neither {', '.join(JOINS)} holds{IN_A_GRAPH}")
    contexts = [*_USES]
    for name, more in _SHAPED.items():
        contexts += more if name in plan.held else ()
    for at in plan.points(form, 3):
        for context in contexts:
            for case in context(form, at, Builder(plan, join)):
                if _is_moderate(case):
                    yield case


def _is_moderate(case: Case) -> bool:
    """Whether its numbers can be told from one another, and are in the domain."""
    try:
        wanted = right(case.script)
    except Exception:  # noqa: BLE001 - outside the domain there is no right answer
        return False
    return all(abs(number) < _LARGE for number in (*wanted.values, *wanted.gradients.values()))


def _below_a_factor(form: Form, at: Point, write: Builder) -> Iterator[Case]:
    plan, join = write.plan, write.join_op
    out = write.form(form, write.leaves(*at.nodes), at.plain)
    yield write.case(write.scale(out, -3.0))
    write = Builder(plan, join)
    out, k = write.form(form, write.leaves(*at.nodes), at.plain), write.leaf(0.5)
    yield write.case(write.times(k, out))


def _beside(order: str, form: Form, at: Point, write: Builder) -> Iterator[Case]:
    """Another use of an operand, made before or after, and added before or after.

    Args:
        order: in which the form, ``f``, and the other uses, ``p`` and ``q``, are made; after a comma, the
            order in which they are joined, if it is another.
        form: the form.
        at: where it is tried.
        write: for the first operand; the others have builders of their own.
    """
    made_in, _, joined_in = order.partition(",")
    plan, join = write.plan, write.join_op
    for slot in range(form.slots):
        write = Builder(plan, join)
        leaves = write.leaves(*at.nodes)
        made = {}
        for what in made_in:
            if what == "f":
                made[what] = write.form(form, leaves, at.plain)
            else:
                made[what] = write.scale(leaves[slot], 5.0 if what == "p" else 7.0)
        root, *others = (made[what] for what in joined_in or made_in)
        for other in others:
            root = write.join(root, other)
        yield write.case(root)


def _twice_in_a_row(form: Form, at: Point, write: Builder) -> Iterator[Case]:
    plan, join = write.plan, write.join_op
    first, *others = write.leaves(*at.nodes)
    for _again in range(2):
        first = write.form(form, (first, *others), at.plain)
    yield write.case(first)
    if others:
        write = Builder(plan, join)
        *others, last = write.leaves(*at.nodes)
        for _again in range(2):
            last = write.form(form, (*others, last), at.plain)
        yield write.case(last)


def _beside_constants(form: Form, at: Point, write: Builder) -> Iterator[Case]:
    out = write.form(form, write.leaves(*at.nodes), at.plain)
    for name, number in (("a * 2", 3), ("2 + a", 1), ("2 - a", 2.5)):
        if name in write.plan.held:
            out = write.form(FORMS[name], (out,), number)
    yield write.case(out)


_USES: tuple[_Context, ...] = (
    _below_a_factor,
    partial(_beside, "pf"),
    partial(_beside, "fp"),
    partial(_beside, "pf,fp"),
    partial(_beside, "fp,pf"),
    partial(_beside, "pfq"),
    _twice_in_a_row,
    _beside_constants,
)


def _equal_operands(form: Form, at: Point, write: Builder) -> Iterator[Case]:
    if form.slots > 1:
        x = write.leaf(at.nodes[0])
        yield write.case(write.scale(write.form(form, (x,) * form.slots, at.plain), 3.0))


def _result_twice(form: Form, at: Point, write: Builder) -> Iterator[Case]:
    out = write.form(form, write.leaves(*at.nodes), at.plain)
    yield write.case(write.times(out, out))


def _inner_operand(form: Form, at: Point, write: Builder) -> Iterator[Case]:
    """An operand that is no leaf, by itself and with another use before and after it."""
    plan, join = write.plan, write.join_op
    for slot in range(form.slots):
        for uses in ("f", "fp", "pf"):
            write = Builder(plan, join)
            leaves = [*write.leaves(*at.nodes)]
            zero = 0.0 if join in "+-" else 1.0
            leaves[slot] = inner = write.join(leaves[slot], write.leaf(zero))
            made = [
                write.form(form, tuple(leaves), at.plain)
                if use == "f"
                else write.scale(inner, -2.0)
                for use in uses
            ]
            yield write.case(write.join(*made) if len(made) == 2 else made[0])


def _equal_leaves(form: Form, at: Point, write: Builder) -> Iterator[Case]:
    """Operands with equal numbers, except where a tie is a convention."""
    if form.slots > 1 and form.op not in ("maximum", "minimum"):
        leaves = tuple(write.leaf(at.nodes[0]) for _ in at.nodes)
        yield write.case(write.scale(write.form(form, leaves, at.plain), 3.0))


def _two_alike(form: Form, at: Point, write: Builder) -> Iterator[Case]:
    """Two nodes of the same operands; their numbers are equal."""
    leaves = write.leaves(*at.nodes)
    one, two = (write.form(form, leaves, at.plain) for _ in range(2))
    yield write.case(write.join(one, write.scale(two, 3.5)))


_SHAPED: dict[str, tuple[_Context, ...]] = {
    "repeated operand": (_equal_operands, _result_twice),
    "shared node": (_inner_operand,),
    "equal numbers": (_equal_leaves, _two_alike),
}
"""Contexts for what holds of graphs in general."""


# ---- gradients of every size on the way


GRADIENTS = {
    "tiny gradients": (3e-5, 3e-6, 3e-7, 3e-8, 3e-9, 3e-10, 3e-12, 1e-16, 1e-30, 1e-100, 1e-200),
    "huge gradients": (50.0, 500.0, 5e3, 5e4, 5e6, 1e12, 1e30, 1e100, 1e200),
    "zero gradients": (0.0,),
    "infinite gradients": (math.inf, -math.inf),
    "nan gradients": (math.nan,),
}
_OUT_OF_SINGLE = (1e-200, 1e-100, 1e100, 1e200)


def sizes(factors: tuple[float, ...], plan: Plan, _: Engine) -> Iterator[Case]:
    """Each form below a factor of any size; below 0 it is added to something that has a gradient."""
    for factor in factors:
        if (plan.bits < DOUBLE and factor in _OUT_OF_SINGLE) or not Builder(plan).scales_by(factor):
            continue
        for form in plan.forms():
            at = _telling(form)
            if at is None:
                continue
            write = Builder(plan)
            leaves = write.leaves(*at.nodes)
            root = write.scale(write.form(form, leaves, at.plain), factor)
            if factor:
                found = answer(form, at) or ()
                unread = frozenset(n for n, slope in enumerate(found[1:]) if slope == 0.0)
                refused = is_unimplemented if math.isfinite(factor) else is_any
                yield Case(write.to(root), least=0.0, unread=unread, refused=refused)
            else:
                root = write.join(root, write.scale(leaves[0], 5.0))
                yield Case(write.to(root), least=1.0)


def _telling(form: Form) -> Point | None:
    """A point where value and derivative are not 0."""
    for at in moderate_points(form):
        found = answer(form, at)
        if found and found[0] and any(found[1:]):
            return at
    return None


# ---- powers


def powers_of_zero(plan: Plan, _: Engine) -> Iterator[Case]:
    """0 to whole powers, which are plain numbers or nodes; the derivative by the exponent is a convention."""
    for whole in (0, 1, 2, 3):
        write = Builder(plan)
        yield Case(write.to(write.apply("**", write.leaf(0.0), Plain(whole))), least=1.0)
    for n in (1.0, 2.0, 3.0) if "a ** b" in plan.held else ():
        write = Builder(plan)
        out = write.apply("**", *write.leaves(0.0, n))
        yield Case(write.to(out), least=1.0, unread=frozenset({1}))


def exponent_zero(plan: Plan, _: Engine) -> Iterator[Case]:
    """Numbers to the power of 0."""
    for x in (2.0, 0.7, -1.3):
        write = Builder(plan)
        yield Case(write.to(write.apply("**", write.leaf(x), Plain(0))), least=1.0)


def negative_base(plan: Plan, _: Engine) -> Iterator[Case]:
    """Negative numbers to whole powers, as for 0."""
    for x in (-2.0, -0.7, -1.3):
        for whole in (2, 3, -1, -2, 1):
            write = Builder(plan)
            yield Case(write.to(write.apply("**", write.leaf(x), Plain(whole))), least=1e-3)
    for x in (-2.0, -0.7) if "a ** b" in plan.held else ():
        for n in (2.0, 3.0):
            write = Builder(plan)
            out = write.apply("**", *write.leaves(x, n))
            yield Case(write.to(out), least=1e-3, unread=frozenset({1}), refused=is_any)
