"""What is tried on a scalar engine: each property by its name, as a list of scripts.

The right answer to a script is that of our own engine.  What no script can say, as how long a pass
takes and what memory it leaves, is a `Measure`, written out as Python text that is run as it is shown.
"""

from __future__ import annotations

import gc
import math
import sys
import time
from functools import partial
from itertools import product
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from tinygrad_bp.engine.collector import collector_paused
from tinygrad_bp.testing.engines import DOUBLE, OURS
from tinygrad_bp.testing.forms import (
    FORMS,
    MODERATE,
    Form,
    Point,
    answer,
    far_points,
    moderate_points,
)
from tinygrad_bp.testing.scripts import Apply, Back, Clear, Leaf, Move, Plain, Script, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeAlias

    from tinygrad_bp.testing.engines import Engine
    from tinygrad_bp.testing.scripts import Statement

    _Context: TypeAlias = Callable[[Form, Point, str, "Plan"], Iterator["Case"]]

NEAR = 1e-9
"""How near a right formula comes at moderate numbers, relatively."""
FAR = 1e-8
"""How near it comes over the whole domain, where a right formula too may lose digits."""

IN_A_GRAPH, TAILS = " in a graph", ": tails"
SHAPES = ("repeated operand", "shared node", "equal numbers")
"""The properties of graphs that all that are larger depend on."""


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
        allowed: how far a number may be off, relatively.
        least: the size that a smaller number is taken to have; ``None`` for the largest of the script.
        inner: whether the gradients of inner nodes count.
        unread: the leaves whose gradient is a convention.
        lenient: whether an error is a refusal of these numbers, and no fault.
    """

    script: Script
    allowed: float = NEAR
    least: float | None = None
    inner: bool = False
    unread: frozenset[int] = frozenset()
    lenient: bool = False


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


class Property(NamedTuple):
    """What should be true of any scalar engine.

    Attributes:
        name: what it is called.
        statement: what it says.
        tries: the cases for a plan; or the measures for an engine.
        needs: the properties that have to hold for it to tell anything.
        uses: the properties of which it takes those that hold.
        form: the form that it is about; tried once to see whether it is offered.
    """

    name: str
    statement: str
    tries: Callable[[Plan, Engine], Iterable[Case | Measure]]
    needs: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    form: Form | None = None


class _Builder:
    """Writes a script, statement by statement, and hands out the registers."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []
        self.size = 0

    def add(self, statement: Leaf | Apply) -> int:
        self.statements.append(statement)
        self.size += 1
        return self.size - 1

    def leaf(self, number: float) -> int:
        return self.add(Leaf(float(number)))

    def apply(self, op: str, *operands: Any) -> int:
        return self.add(Apply(op, operands))

    def form(self, form: Form, registers: tuple[int, ...], plain: float = 0.0) -> int:
        return self.add(form.apply(registers, plain))

    def back(self, register: int) -> None:
        self.statements.append(Back(register))

    @property
    def script(self) -> Script:
        return tuple(self.statements)

    def to(self, register: int) -> Script:
        """The script with a pass from a register at its end."""
        return (*self.statements, Back(register))


def near(bits: int) -> float:
    """How near a right formula comes at moderate numbers with floats of so many bits."""
    return max(NEAR, 1e4 * 2.0**-bits)


# ---- one form


def _alone(form: Form, plan: Plan, _: Engine) -> Iterator[Case]:
    for at in plan.points(form, 12):
        write = _Builder()
        leaves = tuple(map(write.leaf, at.nodes))
        yield Case(write.to(write.form(form, leaves, at.plain)), near(plan.bits), 1e-3)


def _tails(form: Form, plan: Plan, _: Engine) -> Iterator[Case]:
    if plan.bits < DOUBLE:
        raise NotOffered("single precision has another range")
    for at in far_points(form):
        write = _Builder()
        leaves = tuple(map(write.leaf, at.nodes))
        yield Case(write.to(write.form(form, leaves, at.plain)), FAR, 0.0)


def _in_a_graph(form: Form, plan: Plan, _: Engine) -> Iterator[Case]:
    """The form between others, which are products at the root and sums, or products where sums fail."""
    joins = [op for op in "+*" if f"a {op} b" + IN_A_GRAPH in plan.held or form.name == f"a {op} b"]
    if not joins:
        raise NotTried("neither a + b nor a * b holds in a graph")
    for at in plan.points(form, 3):
        for write_context in _USES:
            yield from write_context(form, at, joins[0], plan)
        for name, contexts in (
            ("repeated operand", (_equal_operands, _result_twice)),
            ("shared node", (_inner_operand,)),
            ("equal numbers", (_equal_leaves, _two_alike)),
        ):
            if name in plan.held:
                for write_more in contexts:
                    yield from write_more(form, at, joins[0], plan)


def _case(plan: Plan, write: _Builder, root: int) -> Iterator[Case]:
    """A case, unless its numbers have grown too large to be told from one another."""
    script = write.to(root)
    try:
        right = run(script, OURS)
    except Exception:  # noqa: BLE001 - outside the domain there is no right answer
        return
    numbers = [*right.values, *right.gradients.values()]
    if all(abs(number) < 1e6 for number in numbers):
        yield Case(script, near(plan.bits))


def _upstream(form: Form, at: Point, _: str, plan: Plan) -> Iterator[Case]:
    """A factor after it, and one before it."""
    for factor in (-3.0, 0.5):
        write = _Builder()
        leaves = tuple(map(write.leaf, at.nodes))
        out, k = write.form(form, leaves, at.plain), write.leaf(factor)
        yield from _case(plan, write, write.apply("*", *((out, k) if factor < 0 else (k, out))))


def _beside(order: str, form: Form, at: Point, join: str, plan: Plan) -> Iterator[Case]:
    """Another use of an operand, made before or after, and added before or after, or on both sides."""
    for slot in range(form.slots):
        write = _Builder()
        leaves = tuple(map(write.leaf, at.nodes))
        k = write.leaf(5.0)

        made: dict[str, int] = {}
        for what in dict.fromkeys(order):
            if what == "f":
                made["f"] = write.form(form, leaves, at.plain)
            else:
                factor = k if what == "p" else write.leaf(7.0)
                made[what] = write.apply("*", leaves[slot], factor)
        root = made[order[0]]
        for what in order[1:]:
            root = write.apply(join, root, made[what])
        yield from _case(plan, write, root)


def _beside_turned(order: str, form: Form, at: Point, join: str, plan: Plan) -> Iterator[Case]:
    """The same with two parts, of which the second made comes first in the sum."""
    for slot in range(form.slots):
        write = _Builder()
        leaves = tuple(map(write.leaf, at.nodes))
        k = write.leaf(5.0)
        if order == "pf":
            p, f = write.apply("*", leaves[slot], k), write.form(form, leaves, at.plain)
            root = write.apply(join, f, p)
        else:
            f, p = write.form(form, leaves, at.plain), write.apply("*", leaves[slot], k)
            root = write.apply(join, p, f)
        yield from _case(plan, write, root)


def _twice_in_a_row(form: Form, at: Point, _: str, plan: Plan) -> Iterator[Case]:
    write = _Builder()
    first, *others = map(write.leaf, at.nodes)
    for _again in range(2):
        first = write.form(form, (first, *others), at.plain)
    yield from _case(plan, write, first)
    write = _Builder()
    *others, last = map(write.leaf, at.nodes)
    for _again in range(2 if others else 0):
        last = write.form(form, (*others, last), at.plain)
    yield from _case(plan, write, last) if others else ()


def _two_alike(form: Form, at: Point, join: str, plan: Plan) -> Iterator[Case]:
    """Two nodes of the same operands; their numbers are equal."""
    write = _Builder()
    leaves = tuple(map(write.leaf, at.nodes))
    one, two = (write.form(form, leaves, at.plain) for _ in range(2))
    k = write.leaf(3.5)
    yield from _case(plan, write, write.apply(join, one, write.apply("*", two, k)))


def _beside_constants(form: Form, at: Point, _: str, plan: Plan) -> Iterator[Case]:
    write = _Builder()
    leaves = tuple(map(write.leaf, at.nodes))
    out = write.form(form, leaves, at.plain)
    for name, op, operands in (
        ("a * 2", "*", (out, Plain(3))),
        ("2 + a", "+", (Plain(1), -1)),
        ("2 - a", "-", (Plain(2.5), -1)),
    ):
        if name in plan.held:
            out = write.apply(op, *(out if each == -1 else each for each in operands))
    yield from _case(plan, write, out)


_USES: tuple[_Context, ...] = (
    _upstream,
    partial(_beside, "pf"),
    partial(_beside, "fp"),
    partial(_beside_turned, "pf"),
    partial(_beside_turned, "fp"),
    partial(_beside, "pfq"),
    _twice_in_a_row,
    _beside_constants,
)


def _equal_operands(form: Form, at: Point, _: str, plan: Plan) -> Iterator[Case]:
    if form.slots < 2:
        return
    write = _Builder()
    x = write.leaf(at.nodes[0])
    out, k = write.form(form, (x,) * form.slots, at.plain), write.leaf(3.0)
    yield from _case(plan, write, write.apply("*", out, k))


def _result_twice(form: Form, at: Point, _: str, plan: Plan) -> Iterator[Case]:
    write = _Builder()
    leaves = tuple(map(write.leaf, at.nodes))
    out = write.form(form, leaves, at.plain)
    yield from _case(plan, write, write.apply("*", out, out))


def _inner_operand(form: Form, at: Point, join: str, plan: Plan) -> Iterator[Case]:
    """An operand that is no leaf, by itself and with another use before and after it."""
    for slot in range(form.slots):
        for uses in ("f", "fp", "pf"):
            write = _Builder()
            leaves = [*map(write.leaf, at.nodes)]
            zero, k = write.leaf(0.0), write.leaf(-2.0)
            inner = write.apply("+", leaves[slot], zero) if join == "+" else leaves[slot]
            operands = tuple(inner if place == slot else leaf for place, leaf in enumerate(leaves))
            made = [
                write.form(form, operands, at.plain) if use == "f" else write.apply("*", inner, k)
                for use in uses
            ]
            yield from _case(plan, write, write.apply(join, *made) if len(made) == 2 else made[0])


def _equal_leaves(form: Form, at: Point, _: str, plan: Plan) -> Iterator[Case]:
    if form.slots < 2 or form.op in ("maximum", "minimum"):  # a tie is a convention
        return
    write = _Builder()
    leaves = tuple(write.leaf(at.nodes[0]) for _ in at.nodes)
    out, k = write.form(form, leaves, at.plain), write.leaf(3.0)
    yield from _case(plan, write, write.apply("*", out, k))


# ---- gradients of every size on the way


_OUT_OF_SINGLE = (1e-200, 1e-100, 1e100, 1e200)


def _sizes(factors: tuple[float, ...], plan: Plan, _: Engine) -> Iterator[Case]:
    if plan.bits < DOUBLE:
        factors = tuple(each for each in factors if abs(each) not in _OUT_OF_SINGLE)
    for factor in factors:
        for form in plan.forms():
            at = _telling(form)
            if at is None:
                continue
            write = _Builder()
            leaves = tuple(map(write.leaf, at.nodes))
            out, k = write.form(form, leaves, at.plain), write.leaf(factor)
            if factor:
                root = write.apply("*", out, k)
                found = answer(form, at) or ()
                unread = frozenset(n for n, slope in enumerate(found[1:]) if slope == 0.0)
                special = not math.isfinite(factor)
                yield Case(write.to(root), near(plan.bits), 0.0, unread=unread, lenient=special)
            else:
                zero = write.apply("*", out, k)
                root = write.apply("+", zero, write.apply("*", leaves[0], write.leaf(5.0)))
                yield Case(write.to(root), near(plan.bits), 1.0)


def _telling(form: Form) -> Point | None:
    """A point where value and derivative are not 0."""
    for at in moderate_points(form):
        found = answer(form, at)
        if found and found[0] and any(found[1:]):
            return at
    return None


# ---- graphs


def _repeated_operand(plan: Plan, _: Engine) -> Iterator[Case]:
    for op in "+*":
        write = _Builder()
        a = write.leaf(3.0)
        yield Case(write.to(write.apply(op, a, a)), near(plan.bits))
        k = write.leaf(0.7)
        yield Case(write.to(write.apply("*", write.apply(op, a, a), k)), near(plan.bits))
    write = _Builder()
    a, b = write.leaf(3.0), write.leaf(0.7)
    c = write.apply("*", a, b)
    yield Case(write.to(write.apply("+", c, c)), near(plan.bits))


def _shared_node(plan: Plan, _: Engine) -> Iterator[Case]:
    """Inner nodes that several paths lead to, short and long, made early and late; no operand is repeated."""
    for late, turned in product((False, True), repeat=2):

        def pair(x: int, y: int, turned: bool = turned) -> tuple[int, int]:  # noqa: FBT001
            return (y, x) if turned else (x, y)

        write = _Builder()
        a, k = write.leaf(2.0), write.leaf(0.7)
        b = write.apply("*", a, k)
        c = write.apply("*", b, write.leaf(1.3))
        yield Case(write.to(write.apply("+", *pair(b, c))), near(plan.bits))
        d = write.apply("*", c, write.leaf(-0.6))
        yield Case(write.to(write.apply("+", *pair(b, d))), near(plan.bits))
        e = write.apply("*", *pair(b, d))
        yield Case(write.to(write.apply("+", *pair(e, c))), near(plan.bits))
        write = _Builder()
        a, b = write.leaf(2.0), write.leaf(0.7)
        early = write.leaf(1.1)
        c = write.apply("+", *pair(a, b))
        d = write.apply("*", *pair(c, write.leaf(1.1) if late else early))
        e = write.apply("*", *pair(d, c))
        yield Case(write.to(e), near(plan.bits))
        f = write.apply("+", *pair(e, d))
        yield Case(write.to(write.apply("+", *pair(f, c))), near(plan.bits))
        write = _Builder()
        v, k = write.leaf(0.9), write.leaf(0.7)
        for _step in range(4):
            v = write.apply("+", *pair(write.apply("*", *pair(v, k)), v))
        yield Case(write.to(v), near(plan.bits))
        write = _Builder()
        b = write.apply("*", write.leaf(2.0), write.leaf(0.7))
        total = write.apply("*", b, write.leaf(1.3))
        for _step in range(10):
            total = write.apply("+", *pair(total, b))
        yield Case(write.to(total), near(plan.bits))


def _equal_numbers(plan: Plan, _: Engine) -> Iterator[Case]:
    def cases() -> Iterator[tuple[_Builder, int]]:
        for op in "*+":
            write = _Builder()
            a, b, k = write.leaf(3.0), write.leaf(3.0), write.leaf(0.7)
            yield write, write.apply("+", write.apply(op, a, b), write.apply("*", b, k))
        write = _Builder()
        a, zero = write.leaf(3.0), write.leaf(0.0)
        yield write, write.apply("*", write.apply("+", a, zero), a)
        write = _Builder()
        a, one = write.leaf(3.0), write.leaf(1.0)
        b = write.apply("*", a, one)
        yield write, write.apply("+", b, write.apply("*", a, write.leaf(0.7)))
        write = _Builder()
        a, b = write.leaf(3.0), write.leaf(0.7)
        one, two = write.apply("*", a, b), write.apply("*", a, b)
        yield write, write.apply("+", write.apply("*", one, write.leaf(5.0)), two)
        write = _Builder()
        a, b = write.leaf(3.0), write.leaf(3.0)
        yield write, write.apply("*", a, b)

    for write, root in cases():
        yield Case(write.to(root), near(plan.bits))


_TAME = 50.0


def random_scripts(forms: list[Form], count: int, seed: int) -> Iterator[_Builder]:
    """Scripts of some forms, with shared registers and unused ones, and moderate numbers."""
    rng = Random(seed)  # noqa: S311 - everyone sees the same
    often = [form for form in forms for _ in range(4 if form.nodes.count(True) == 2 else 1)]
    leaves = [n / 10 for n in range(-29, 30) if n % 5]
    for _ in range(count):
        write = _Builder()
        numbers = rng.sample(leaves, rng.randint(1, 3))
        registers = [OURS.make(number) for number in numbers]
        for number in numbers:
            write.leaf(number)
        for _step in range(rng.randint(2, 10)):
            form = rng.choice(often)
            late = max(0, write.size - 1 - rng.randint(0, 2))
            chosen = (late, *(rng.randrange(write.size) for _ in range(form.slots - 1)))
            plain = rng.choice(form.plain)
            at = Point(tuple(registers[place].data for place in chosen), plain)
            found = answer(form, at)
            if found is None or not all(0.01 < abs(number) < _TAME for number in found if number):
                continue
            write.form(form, chosen, plain)
            registers.append(OURS.make(found[0]))
        if write.size > len(numbers):
            yield write


def _random_programs(plan: Plan, _: Engine) -> Iterator[Case]:
    for write in random_scripts(plan.forms(), plan.examples, plan.seed):
        yield from _case(plan, write, write.size - 1)


def _last(script: Script) -> int:
    back = script[-1]
    assert isinstance(back, Back)  # noqa: S101 - so they are all built
    return back.register


def _passes(plan: Plan, engine: Engine, *, same: bool) -> Iterator[Case]:
    """Two passes: from the same register twice, or from an earlier one first."""
    cube: Script = (Leaf(3.0), Leaf(0.7), Apply("*", (0, 1)), Apply("*", (2, 1)), Back(3))
    programs = [cube]
    programs += [each.script for each in _shared_node(plan, engine)]
    programs += [each.script for each in _random_programs(plan._replace(examples=40), engine)]
    try:
        run((*cube, Back(3)), engine)
    except Exception as error:
        if "RuntimeError" in str(error):  # as PyTorch, which frees its graph
            raise NotOffered(f"refused: {error}") from error
    for script in programs:
        last = _last(script)
        applied = [k for k, each in enumerate(_filled(script)) if isinstance(each, Apply)]
        first = last if same else applied[max(0, len(applied) - 2)]
        if same or first != last:
            yield Case((*script[:-1], Back(first), Back(last)), near(plan.bits))


def _filled(script: Script) -> list[Statement]:
    return [each for each in script if isinstance(each, (Leaf, Apply))]


def _another_graph(plan: Plan, _: Engine) -> Iterator[Case]:
    write = _Builder()
    a, b, c = write.leaf(2.0), write.leaf(0.7), write.leaf(1.3)
    e = write.apply("*", a, b)
    write.apply("*", a, c)
    yield Case(write.to(e), near(plan.bits))
    write = _Builder()
    a, b, c = write.leaf(2.0), write.leaf(0.7), write.leaf(1.3)
    unused = write.apply("*", a, c)
    write.apply("+", unused, b)
    yield Case(write.to(write.apply("*", a, b)), near(plan.bits))
    for again in (False, True):
        write = _Builder()
        a, b = write.leaf(2.0), write.leaf(0.7)
        write.back(write.apply("*", a, b))
        d = write.leaf(1.3)
        x = a if again else write.leaf(1.1)
        yield Case(write.to(write.apply("*", x, d)), near(plan.bits))
        yield Case(write.to(write.apply("*", write.apply("*", x, d), b)), near(plan.bits))


def _inner_gradients(plan: Plan, engine: Engine) -> Iterator[Case]:
    script: Script = (Leaf(2.0), Leaf(0.7), Apply("*", (0, 1)), Apply("*", (2, 1)), Back(3))
    try:
        kept = run(script, engine, inner=True).gradients
    except Exception as error:
        raise NotOffered("the gradients of inner nodes cannot be read") from error
    if not kept[2]:
        raise NotOffered("inner nodes keep no gradient")
    yield Case(script, near(plan.bits), inner=True)
    for case in _shared_node(plan, engine):
        yield case._replace(inner=True)
    for case in _random_programs(plan._replace(examples=20), engine):
        yield case._replace(inner=True)


def _same_every_time(plan: Plan, engine: Engine) -> Iterator[Case]:
    scripts = (
        [case.script for case in _shared_node(plan, engine)][:8]
        if "shared node" in plan.held
        else []
    )
    scripts.append((Leaf(2.0), Leaf(0.7), Apply("*", (0, 1)), Apply("+", (2, 0)), Back(3)))
    for script in scripts:
        for _ in range(30):
            yield Case(script, near(plan.bits))


def _gradient_before(plan: Plan, _: Engine) -> Iterator[Case]:
    yield Case((Leaf(3.0),))
    if "a + b" in plan.held:
        yield Case((Leaf(3.0), Leaf(2.0), Leaf(0.7), Apply("+", (0, 1)), Back(3)))


def _pass_from_a_leaf(_: Plan, __: Engine) -> Iterator[Case]:
    yield Case((Leaf(3.0), Back(0)))


def _builtin_sum(plan: Plan, engine: Engine) -> Iterator[Case]:
    if "+" in engine.functions:
        raise NotOffered("+ is no operator")
    for places in ((0, 1, 2), (1, 0, 2)):
        leaves = tuple(map(Leaf, (3.0, 2.0, 0.7)))
        yield Case((*leaves, Apply("sum", (places,)), Back(3)), near(plan.bits))


def _training(plan: Plan, engine: Engine) -> Iterator[Case]:
    _assignable(engine)
    write = _Builder()
    a, k = write.leaf(8.0), write.leaf(0.5)
    for x in (4.0, 2.0):
        write.back(write.apply("*", a, k))
        write.statements += [Move(a, x), Clear(a)]
    yield Case(write.to(write.apply("*", a, write.apply("*", a, k))), near(plan.bits))
    if "repeated operand" in plan.held:
        write = _Builder()
        a = write.leaf(8.0)
        for x in (4.0, 2.0):
            write.back(write.apply("*", a, a))
            write.statements += [Move(a, x), Clear(a)]
        yield Case(write.to(write.apply("*", a, a)), near(plan.bits))


def _assignable(engine: Engine) -> None:
    for what, assign in ((engine.data, engine.move), (engine.grad, engine.clear)):
        try:
            assign(engine.make(2.0), 3.0) if assign == engine.move else engine.clear(
                engine.make(2.0)
            )
        except Exception as error:
            raise NotOffered(
                f"{what} cannot be assigned: {type(error).__name__}: {error}"
            ) from error


def _recording(plan: Plan, engine: Engine) -> Iterator[Case]:
    _assignable(engine)
    for form in plan.forms():
        at = moderate_points(form)[0]
        for slot in range(form.slots):
            write = _Builder()
            leaves = tuple(map(write.leaf, at.nodes))
            out = write.form(form, leaves, at.plain)
            write.statements.append(Move(leaves[slot], _elsewhere(form, at, slot)))
            yield Case(write.to(out), near(plan.bits))


def _elsewhere(form: Form, at: Point, slot: int) -> float:
    """A number for one operand with which the derivatives are others."""
    here = answer(form, at) or ()
    for other in MODERATE:
        nodes = (*at.nodes[:slot], other, *at.nodes[slot + 1 :])
        there = answer(form, Point(nodes, at.plain)) or here
        if any(abs(one - two) > 0.01 for one, two in zip(here[1:], there[1:], strict=True)):
            return other
    return 3.0


def _old_name(plan: Plan, _: Engine) -> Iterator[Case]:
    """What was called by the old name is as it was."""
    if not any(form.in_place and form.name in plan.held for form in FORMS.values()):
        raise NotOffered("nothing is done in place")
    for form in FORMS.values():
        if form.in_place and form.name in plan.held:
            at = moderate_points(form)[0]
            write = _Builder()
            leaves = tuple(map(write.leaf, at.nodes))
            out = write.form(form, leaves, at.plain)
            yield Case(write.to(write.apply("*", out, leaves[0])), near(plan.bits))
            write = _Builder()
            leaves = tuple(map(write.leaf, at.nodes))
            inner = write.apply("*", leaves[0], write.leaf(1.0))
            out = write.form(form, (inner, *leaves[1:]), at.plain)
            yield Case(write.to(write.apply("+", out, inner)), near(plan.bits))


def _powers_of_zero(plan: Plan, _: Engine) -> Iterator[Case]:
    for whole in (0, 1, 2, 3):
        yield Case((Leaf(0.0), Apply("**", (0, Plain(whole))), Back(1)), near(plan.bits), 1.0)
    for n in (1.0, 2.0, 3.0) if "a ** b" in plan.held else ():
        script: Script = (Leaf(0.0), Leaf(n), Apply("**", (0, 1)), Back(2))
        yield Case(script, near(plan.bits), 1.0, unread=frozenset({1}))


def _exponent_zero(plan: Plan, _: Engine) -> Iterator[Case]:
    for x in (2.0, 0.7, -1.3):
        yield Case((Leaf(x), Apply("**", (0, Plain(0))), Back(1)), near(plan.bits), 1.0)


def _negative_base(plan: Plan, _: Engine) -> Iterator[Case]:
    for x, whole in product((-2.0, -0.7, -1.3), (2, 3, -1, -2, 1)):
        yield Case((Leaf(x), Apply("**", (0, Plain(whole))), Back(1)), near(plan.bits), 1e-3)
    for x, n in product((-2.0, -0.7), (2.0, 3.0)) if "a ** b" in plan.held else ():
        script: Script = (Leaf(x), Leaf(n), Apply("**", (0, 1)), Back(2))
        yield Case(script, near(plan.bits), 1e-3, unread=frozenset({1}), lenient=True)


# ---- measures


def _kinks(plan: Plan, engine: Engine) -> Iterator[Measure]:
    kinked = [name for name in _KINKED if name in plan.held]
    if not kinked:
        raise NotOffered("none of relu, abs, leaky_relu, maximum, minimum")

    def between(name: str, count: int) -> str:
        leaves = [engine.make(0.0) for _ in range(count)]
        out = engine.operations[name](*leaves)
        engine.run_back(out)
        value, slopes = engine.number(out), [*map(engine.gradient, leaves)]
        low = {"abs": -1.0, "leaky_relu": 0.01}.get(name, 0.0)
        if abs(value) > 1e-12:
            raise ValueError(f"the value is {value!r}, and should be 0.0")
        if not all(low - 1e-9 <= slope <= 1 + 1e-9 for slope in slopes):
            raise ValueError(f"the gradients are {slopes}, and each should be from {low:g} to 1")
        if count == 2 and abs(sum(slopes) - 1) > 1e-9:
            raise ValueError(f"the gradients at a tie are {slopes}, and should add up to 1")
        return "between"

    for name in kinked:
        count = FORMS[name].slots
        made = "a = Value(0.0)" if count == 1 else "a = Value(0.0)\nb = Value(0.0)"
        call = "abs(a)" if name == "abs" else f"a.{name}({'b' * (count - 1)})"
        text = f"{made}\nc = {call}\nc.backward()\nprint(c.data, a.grad{', b.grad' * (count - 1)})"
        yield Measure(text, "between", partial(between, name, count))


def _many_paths(_: Plan, engine: Engine) -> Iterator[Measure]:
    add = engine.operations["+"]

    def derive(times: int) -> float:
        a: Any = engine.make(1.0)
        v = a
        for _ in range(times):
            v = add(v, v)
        engine.run_back(v)
        return engine.gradient(a)

    def seconds(times: int) -> float:
        taken = []
        for _ in range(5):  # of which one at least is not disturbed
            start = time.perf_counter()
            derive(times)
            taken.append(time.perf_counter() - start)
        return min(taken)

    def take() -> float:
        ratio = seconds(16) / seconds(8)
        if ratio > 30.0:  # 2 is right, and 256 what it takes to walk each path
            raise ValueError(f"65,536 paths take {ratio:.0f} times as long as 256")
        return derive(16)

    text = "a = Value(1.0)\nv = a\nfor _ in range(16):\n    v = v + v\nv.backward()\nprint(a.grad)"
    yield Measure(text, 65536.0, take)


DEPTHS = (100, 1_000, 10_000, 100_000)
PATIENCE = 4.0
"""Seconds that a deep graph may be expected to take."""


def _deep_graph(_: Plan, engine: Engine) -> Iterator[Measure]:
    add = engine.operations["+"]

    def derive(depth: int) -> float:
        with collector_paused():
            a = engine.make(1.0)
            v = a
            for _ in range(depth):
                v = add(v, a)
            engine.run_back(v)
            return engine.gradient(a)

    before = None
    for depth in DEPTHS:
        text = f"a = Value(1.0)\nv = a\nfor _ in range({depth:_}):\n    v = v + a\nv.backward()\nprint(a.grad)"
        start = time.process_time()  # others may use the machine
        yield Measure(text, depth + 1.0, partial(derive, depth))
        taken = time.process_time() - start
        growth = max(10.0, taken / before) if before else 10.0
        if depth < DEPTHS[-1] and taken * growth > PATIENCE:
            raise NotTried(f"{depth:,} operations take {taken:.1f} seconds")
        before = taken


def _graphs(plan: Plan) -> list[Script]:
    """A graph with each operation that holds, as far as there are any in it."""
    scripts: list[Script] = [
        (Leaf(2.0), Leaf(0.7), Apply("*", (0, 1)), Apply("+", (2, 0)), Apply("*", (3, 2)), Back(4))
    ]
    for form in plan.forms():
        case = next(iter(_alone(form, plan, OURS)), None)
        if case is not None:
            scripts.append(case.script)
    return scripts


_ROUNDS = 40


def _memory(plan: Plan, engine: Engine) -> Iterator[Measure]:
    def left(script: Script) -> float:
        def grown() -> int:
            for _ in range(_ROUNDS):
                run(script, engine)
            gc.collect()
            return _blocks()

        grown()
        before = grown()
        return min(grown() - before, grown() - before)

    def take(script: Script) -> str:
        kept = left(script)
        if kept >= _ROUNDS and left(script) >= _ROUNDS:
            raise ValueError(f"{_ROUNDS} graphs leave {kept:.0f} blocks of memory behind")
        return "nothing"

    for script in _graphs(plan):
        yield Measure(_repeated_text(script, engine), "nothing", partial(take, script))


def _blocks() -> int:
    """The pieces of memory that Python has given out."""
    count = getattr(sys, "getallocatedblocks", None)
    return count() if count else len(gc.get_objects())


def _repeated_text(script: Script, engine: Engine) -> str:
    from tinygrad_bp.testing.scripts import source

    body = "\n".join(f"    {line}" for line in source(script, engine.spelling)[1:])
    return (
        f"import gc, sys\ndef graph():\n{body}\nfor _ in range(3):\n"
        f"    for _ in range({_ROUNDS}):\n        graph()\n"
        "    gc.collect()\n    print(sys.getallocatedblocks())"
    )


def _no_cycles(_: Plan, engine: Engine) -> Iterator[Measure]:
    add, multiply = engine.operations["+"], engine.operations["*"]

    def derive() -> None:
        a = engine.make(2.0)
        engine.run_back(multiply(add(multiply(a, a), a), a))

    def left() -> float:
        with collector_paused():
            derive()
            gc.collect()
            for _ in range(10):
                derive()
            return float(gc.collect())

    text = (
        "import gc\ngc.disable()\nfor _ in range(10):\n    a = Value(2.0)\n    b = (a * a + a) * a\n"
        "    b.backward()\ndel a, b\nprint(gc.collect())"
    )
    yield Measure(text, 0.0, left)


# ---- the list


def _all() -> Iterator[Property]:
    named = Property
    yield named(
        "gradient before",
        "A gradient is 0 before a pass, and where no path leads",
        _gradient_before,
        uses=("a + b",),
    )
    yield named("pass from a leaf", "The derivative of a leaf for itself is 1", _pass_from_a_leaf)
    for form in FORMS.values():
        needs: tuple[str, ...] = (form.name.replace("=", ""),) if form.in_place else ()
        yield named(
            form.name, "Value and derivatives are right", partial(_alone, form), needs, form=form
        )
    for op in "+*":
        yield _in_graph(FORMS[f"a {op} b"], uses=("a + b" + IN_A_GRAPH,) * (op == "*"))
    yield named(
        "repeated operand",
        "A node that one operation uses twice counts twice",
        _repeated_operand,
        _BASIC,
    )
    yield named(
        "shared node",
        "A node passes its gradient on when all of it has come in",
        _shared_node,
        _BASIC,
    )
    yield named(
        "equal numbers", "Nodes with equal numbers are different nodes", _equal_numbers, _BASIC
    )
    yield named(
        "same every time",
        "The same script gives the same again and again",
        _same_every_time,
        _BASIC,
        ("shared node",),
    )
    for form in FORMS.values():
        if form.name not in ("a + b", "a * b"):
            yield _in_graph(form, (*_BASIC, *SHAPES, "a * 2", "2 + a", "2 - a"))
    shapes = (*_BASIC, *SHAPES)
    yield named(
        "random programs",
        "So they are in random programs of all that holds",
        _random_programs,
        shapes,
        _ALL_FORMS,
    )
    yield named(
        "another graph", "A pass reaches its own graph alone", _another_graph, ("a + b", "a * b")
    )
    yield named(
        "second pass",
        "A second pass adds exactly the same to the leaves",
        partial(_passes, same=True),
        shapes,
        _ALL_FORMS,
    )
    yield named(
        "two results",
        "Passes from two results of one graph add up in the leaves",
        partial(_passes, same=False),
        shapes,
        _ALL_FORMS,
    )
    yield named(
        "inner gradients",
        "After a pass inner nodes have their gradients too",
        _inner_gradients,
        shapes,
        _ALL_FORMS,
    )
    for name, factors in _GRADIENTS.items():
        needs = ("a * b", "a + b" + IN_A_GRAPH) if 0.0 in factors else ("a * b",)
        yield named(
            name,
            "They pass through each operation as they are",
            partial(_sizes, factors),
            needs,
            _ALL_FORMS,
        )
    yield named("sum()", "Python's own sum works, which begins with 0", _builtin_sum, ("a + b",))
    yield named(
        "training",
        "Data can be moved and gradients set to 0, step after step",
        _training,
        ("a * b",),
        ("repeated operand",),
    )
    yield named(
        "recording",
        "A pass tells of what was computed, though a leaf has moved since",
        _recording,
        ("a * b",),
        _ALL_FORMS,
    )
    yield named(
        "old name",
        "After a += b, what had the name before is as it was",
        _old_name,
        ("a * b", "a + b"),
        tuple(name for name, form in FORMS.items() if form.in_place),
    )
    yield named(
        "kinks", "The derivatives at a kink lie between the slopes beside it", _kinks, uses=_KINKED
    )
    yield named(
        "powers of 0",
        "0 ** n has its value and derivative, for n = 0, 1, 2, 3",
        _powers_of_zero,
        ("a ** n",),
        ("a ** b",),
    )
    yield named("exponent 0", "a ** 0 is 1, and its derivative 0", _exponent_zero, ("a ** n",))
    yield named(
        "negative base",
        "Whole powers of negative numbers are right",
        _negative_base,
        ("a ** n",),
        ("a ** b",),
    )
    yield named(
        "many paths",
        "Time grows with the nodes of a graph, and not with the paths in it",
        _many_paths,
        ("a + b", "repeated operand"),
    )
    yield named(
        "deep graph",
        "A chain of a hundred thousand operations is differentiated",
        _deep_graph,
        ("a + b",),
    )
    yield named(
        "memory",
        "Graphs that are dropped leave no memory behind",
        _memory,
        ("a + b", "a * b"),
        _ALL_FORMS,
    )
    yield named(
        "no cycles",
        "A graph is freed when it is dropped, without the cyclic collector",
        _no_cycles,
        ("a + b", "a * b"),
    )
    for form in FORMS.values():
        if not form.in_place:
            needs = (form.name, "tiny gradients", "huge gradients")
            yield named(
                form.name + TAILS,
                f"So they are, to {FAR:.0e}, over the whole domain",
                partial(_tails, form),
                needs,
            )


def _in_graph(form: Form, uses: tuple[str, ...]) -> Property:
    statement = "So they are with a gradient from above, beside other uses, and twice in a row"
    needs = (form.name, *(("a * b",) if form.name != "a * b" else ()))
    return Property(form.name + IN_A_GRAPH, statement, partial(_in_a_graph, form), needs, uses)


_BASIC = ("a + b" + IN_A_GRAPH, "a * b" + IN_A_GRAPH)
_ALL_FORMS = tuple(name + end for end in ("", IN_A_GRAPH) for name in FORMS)
_KINKED = ("relu", "abs", "leaky_relu", "maximum", "minimum")
_GRADIENTS = {
    "tiny gradients": (1e-6, 1e-9, 1e-12, 1e-30, 1e-100, 1e-200),
    "huge gradients": (1e6, 1e12, 1e30, 1e100, 1e200),
    "zero gradients": (0.0,),
    "infinite gradients": (math.inf, -math.inf),
    "nan gradients": (math.nan,),
}
PROPERTIES: dict[str, Property] = {each.name: each for each in _all()}
"""Each property by its name, in the order in which they are tried: what others need comes first."""
