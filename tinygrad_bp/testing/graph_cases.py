"""What is tried of graphs, of one pass and of several, and of what happens to nodes besides."""

from __future__ import annotations

from itertools import product
from random import Random
from typing import TYPE_CHECKING

from tinygrad_bp.testing.cases import JOINS, Builder, Case, NotOffered
from tinygrad_bp.testing.engines import told
from tinygrad_bp.testing.forms import FORMS, MODERATE, Form, Point, answer, moderate_points
from tinygrad_bp.testing.scripts import (
    LOOKS,
    Apply,
    Back,
    Clear,
    Leaf,
    Look,
    Move,
    Script,
    registers_of,
    right,
    run,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tinygrad_bp.testing.cases import Plan
    from tinygrad_bp.testing.engines import Engine

# ---- one graph, one pass


def repeated_operand(plan: Plan, _: Engine) -> Iterator[Case]:
    """Both operands are one node: a leaf, and an inner one."""
    ops = [FORMS[name].op for name in JOINS if name in plan.held] or [plan.join]
    for op in ops:
        write = Builder(plan)
        a = write.leaf(3.0)
        out = write.apply(op, a, a)
        yield write.case(out)
        yield write.case(write.scale(out, 0.7))
    write = Builder(plan)
    c = write.scale(write.leaf(3.0), 0.7)
    yield write.case(write.join(c, c))


def shared_node(plan: Plan, _: Engine) -> Iterator[Case]:
    """Inner nodes that several paths lead to, short and long, made early and late.

    No operand is repeated, unless that is known to be right.
    """
    if "repeated operand" in plan.held:
        yield _twice_and_later(Builder(plan))
    for late, turned in product((False, True), repeat=2):
        for build in (_short_and_long, _wide):
            yield from build(_Turned(plan, turned=turned), late=late)


def _twice_and_later(write: Builder) -> Case:
    """A node that one operation has twice, and another, which the pass comes to later, has once."""
    b = write.scale(write.leaf(2.0), 0.7)
    twice = write.join(b, b)
    later = write.scale(write.scale(b, 1.3), 0.6)
    return write.case(write.join(twice, later))


class _Turned(Builder):
    """A builder that may write the operands the other way round."""

    def __init__(self, plan: Plan, *, turned: bool) -> None:
        super().__init__(plan)
        self.turned = turned

    def another(self) -> _Turned:
        return _Turned(self.plan, turned=self.turned)

    def join(self, one: int, other: int) -> int:
        return super().join(*((other, one) if self.turned else (one, other)))

    def times(self, one: int, other: int) -> int:
        return super().times(*((other, one) if self.turned else (one, other)))


def _short_and_long(write: _Turned, *, late: bool) -> Iterator[Case]:
    """A node and what is made of it, joined; the factors are made before it or after it."""
    b = write.scale(write.leaf(2.0), 0.7)
    c = write.scale(b, 1.3)
    yield write.case(write.join(b, c))
    d = write.scale(c, -0.6)
    yield write.case(write.join(b, d))
    yield write.case(write.join(write.times(b, d), c))
    write = write.another()
    a, b, *early = write.leaves(2.0, 0.7, *(() if late else (1.1,)))
    c = write.join(a, b)
    d = write.times(c, early[0] if early else write.leaf(1.1))
    e = write.times(d, c)
    yield write.case(e)
    yield write.case(write.join(write.join(e, d), c))


def _wide(write: _Turned, *, late: bool) -> Iterator[Case]:
    """A node in each of four rungs; and one that is used ten times, early or late in the sum."""
    v, k = write.leaves(0.9, 0.7)
    for _ in range(4):
        v = write.join(write.times(v, k), v)
    yield write.case(v)
    write = write.another()
    b = write.scale(write.leaf(2.0), 0.7)
    total = write.scale(b, 1.3) if late else write.leaf(1.3)
    for _ in range(10):
        total = write.join(total, b)
    yield write.case(total)


def equal_numbers(plan: Plan, _: Engine) -> Iterator[Case]:
    """Leaves and inner nodes that differ in nothing but who they are."""
    for op in {plan.join: None, "*": None} if "a * b" in plan.held else [plan.join]:
        write = Builder(plan)
        a, b = write.leaves(3.0, 3.0)
        out = write.apply(op, a, b)
        yield write.case(out)
        yield write.case(write.join(out, write.scale(b, 0.7)))
    for other in (0.0, 1.0):  # one of which changes nothing
        write = Builder(plan)
        a = write.leaf(3.0)
        b = (
            write.scale(a, 1.0)
            if other
            else write.join(a, write.leaf(0.0 if plan.join in "+-" else 1.0))
        )
        yield write.case(write.times(b, a))
        yield write.case(write.join(b, write.scale(a, 0.7)))
    write = Builder(plan)
    a, b = write.leaves(3.0, 0.7)
    one, two = write.join(a, b), write.join(a, b)
    yield write.case(write.join(write.scale(one, 5.0), two))


_TAME = 50.0


def random_builders(plan: Plan, count: int) -> Iterator[Builder]:
    """Scripts of the forms that hold, with shared registers and unused ones, and moderate numbers."""
    forms = plan.forms()
    if not forms:
        return
    rng = Random(plan.seed)  # noqa: S311 - everyone sees the same
    often = [form for form in forms for _ in range(4 if form.nodes.count(True) == 2 else 1)]
    leaves = [n / 10 for n in range(-29, 30) if n % 5]
    for _ in range(count):
        write = Builder(plan)
        numbers = rng.sample(leaves, rng.randint(1, 3))
        values = [*numbers]
        write.leaves(*numbers)
        for _step in range(rng.randint(2, 10)):
            form = rng.choice(often)
            late = max(0, write.size - 1 - rng.randint(0, 2))
            chosen = (late, *(rng.randrange(write.size) for _ in range(form.slots - 1)))
            plain = rng.choice(form.plain)
            found = answer(form, Point(tuple(values[place] for place in chosen), plain))
            if found is None or not all(0.01 < abs(number) < _TAME for number in found if number):
                continue
            write.form(form, chosen, plain)
            values.append(found[0])
        if write.size > len(numbers):
            yield write


def random_programs(plan: Plan, _: Engine) -> Iterator[Case]:
    """A pass from the last register of random scripts."""
    for write in random_builders(plan, plan.examples):
        case = write.case(write.size - 1)
        if all(abs(slope) < 1e6 for slope in right(case.script).gradients.values()):
            yield case


def inner_gradients(plan: Plan, engine: Engine) -> Iterator[Case]:
    """The gradients of all registers.

    Raises:
        NotOffered: inner nodes have none.
    """
    case = _chain(plan)
    try:
        kept = run(case.script, engine, inner=True).gradients
    except Exception as error:
        raise NotOffered("the gradients of inner nodes cannot be read") from error
    inner = [k for k, each in enumerate(registers_of(case.script)) if isinstance(each, Apply)]
    if not kept[inner[0]]:
        raise NotOffered("inner nodes keep no gradient")
    for each in (case, *shared_node(plan, engine)):
        yield each._replace(inner=True)
    for each in random_programs(plan._replace(examples=20), engine):
        yield each._replace(inner=True)


def _chain(plan: Plan) -> Case:
    """A root of an inner node and a leaf."""
    write = Builder(plan)
    a, b = write.leaves(3.0, 0.7)
    return write.case(write.times(write.times(a, b), b))


# ---- several passes, several graphs


def _several(plan: Plan, engine: Engine) -> Iterator[Script]:
    """Scripts for more than one pass, the simplest first.

    Raises:
        NotOffered: the engine refuses a second pass, as PyTorch does, which frees its graph.
    """
    chain = _chain(plan).script
    try:
        run((*chain, chain[-1]), engine)
    except Exception as error:
        if isinstance(error.__cause__, RuntimeError) and not isinstance(
            error.__cause__, RecursionError
        ):
            raise NotOffered(f"refused: {error}") from error
    yield chain
    for case in (*shared_node(plan, engine), *random_programs(plan._replace(examples=40), engine)):
        yield case.script


def second_pass(plan: Plan, engine: Engine) -> Iterator[Case]:
    """Two passes from the same root."""
    for script in _several(plan, engine):
        yield Case((*script, script[-1]))


def two_results(plan: Plan, engine: Engine) -> Iterator[Case]:
    """A pass from an earlier result, and one from the last."""
    for script in _several(plan, engine):
        inner = _results(script)
        if len(inner) > 1:
            yield Case((*script[:-1], Back(inner[-2]), script[-1]))
            yield Case((*script, Back(inner[-2])))


def continued(plan: Plan, engine: Engine) -> Iterator[Case]:
    """A pass from each result as soon as it is there; and one from the first before the graph goes on."""
    for script in _several(plan, engine):
        inner = _results(script)
        if len(inner) > 1:
            early = registers_of(script)[inner[0]]
            for chosen in ({id(early)}, {id(registers_of(script)[each]) for each in inner[:-1]}):
                written: list[Script] = []
                register = -1
                for each in script:
                    register += isinstance(each, (Leaf, Apply))
                    written.append((each, Back(register)) if id(each) in chosen else (each,))
                yield Case(tuple(each for several in written for each in several))


def _results(script: Script) -> list[int]:
    """The registers that are filled by operations."""
    return [k for k, each in enumerate(registers_of(script)) if isinstance(each, Apply)]


def another_graph(plan: Plan, _: Engine) -> Iterator[Case]:
    """Graphs that share a leaf, or nothing, with the one that has a pass."""
    write = Builder(plan)
    a, b, c = write.leaves(2.0, 0.7, 1.3)
    e = write.times(a, b)
    write.times(a, c)
    yield write.case(e)
    write = Builder(plan)
    a, b, c = write.leaves(2.0, 0.7, 1.3)
    write.join(write.times(a, c), b)
    yield write.case(write.times(a, b))
    for again in (False, True):
        write = Builder(plan)
        a, b = write.leaves(2.0, 0.7)
        write.statement(Back(write.times(a, b)))
        d = write.leaf(1.3)
        x = a if again else write.leaf(1.1)
        yield write.case(write.times(x, d))
        yield write.case(write.times(write.times(x, d), b))
    write = Builder(plan)
    one = write.times(*write.leaves(2.0, 0.7))
    other = write.times(*write.leaves(1.3, 1.1))
    write.statement(Back(other))
    yield write.case(one)


# ---- leaves that are assigned


def assignable(engine: Engine) -> None:
    """Raise `NotOffered` unless data and gradients can be assigned."""
    changes: tuple[tuple[str, Callable[[], None]], ...] = (
        (engine.data, lambda: engine.move(engine.make(2.0), 3.0)),
        (engine.grad, lambda: engine.clear(engine.make(2.0))),
    )
    for what, assign in changes:
        try:
            assign()
        except Exception as error:
            raise NotOffered(f"{what} cannot be assigned: {told(error)}") from error


def training(plan: Plan, engine: Engine) -> Iterator[Case]:
    """A leaf is moved, and its gradient cleared, from pass to pass."""
    assignable(engine)
    for repeated in (False, True) if "repeated operand" in plan.held else (False,):
        write = Builder(plan)
        a, k = write.leaves(8.0, 0.5)
        other = a if repeated else k
        for x in (4.0, 2.0):
            write.statement(Back(write.times(a, other)))
            write.statement(Move(a, x))
            write.statement(Clear(a))
        yield write.case(write.times(a, write.times(a, other)))


def recording(plan: Plan, engine: Engine) -> Iterator[Case]:
    """A leaf is moved after the operation, and before the pass."""
    assignable(engine)
    for form in plan.forms():
        at = moderate_points(form)[0]
        for slot in range(form.slots):
            write = Builder(plan)
            leaves = write.leaves(*at.nodes)
            out = write.form(form, leaves, at.plain)
            write.statement(Move(leaves[slot], _elsewhere(form, at, slot)))
            yield write.case(out)


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
    """What had the name before an operation in place is used after it.

    Raises:
        NotOffered: there is no operation in place.
    """
    forms = [form for form in FORMS.values() if form.in_place and form.name in plan.held]
    if not forms:
        raise NotOffered("nothing is done in place")
    for form in forms:
        at = moderate_points(form)[0]
        write = Builder(plan)
        leaves = write.leaves(*at.nodes)
        yield write.case(write.times(write.form(form, leaves, at.plain), leaves[0]))
        write = Builder(plan)
        leaves = write.leaves(*at.nodes)
        inner = write.scale(leaves[0], 1.0)
        out = write.form(form, (inner, *leaves[1:]), at.plain)
        yield write.case(write.join(out, inner))


# ---- what should change nothing


def looking(plan: Plan, _: Engine) -> Iterator[Case]:
    """Nodes are printed, compared and so on, before and after the pass."""
    for how in LOOKS:
        for after in (False, True):
            write = Builder(plan)
            a, b = write.leaves(2.0, 0.7)
            c = write.times(a, b)
            pairs = ((c, a), (a, b))
            looks = [Look(how, pair[: how.count("{}")]) for pair in pairs]
            if not after:
                write.statements += looks
            root = write.join(c, a)
            yield Case((*write.to(root), *(looks if after else ())))


def gradient_before(plan: Plan, _: Engine) -> Iterator[Case]:
    """No pass, and a pass of a graph that a leaf is not in."""
    write = Builder(plan)
    a = write.leaf(3.0)
    yield Case(tuple(write.statements))
    if "a + b" in plan.held:
        b = write.leaf(2.0)
        write.leaf(0.7)
        yield write.case(write.apply("+", a, b))


def pass_from_a_leaf(plan: Plan, _: Engine) -> Iterator[Case]:
    """A pass that begins where it ends."""
    write = Builder(plan)
    yield write.case(write.leaf(3.0))


BUILTIN_SUM: Script = (Leaf(3.0), Leaf(2.0), Leaf(0.7), Apply("sum", ((0, 1, 2),)))


def builtin_sum(_: Plan, __: Engine) -> Iterator[Case]:
    """Python's own sum of a list."""
    yield Case((*BUILTIN_SUM, Back(3)))
    yield Case((*BUILTIN_SUM[:3], Apply("sum", ((1, 0, 2),)), Back(3)))
    yield Case((*BUILTIN_SUM[:1], Apply("sum", ((0, 0),)), Apply("sum", ((1, 0),)), Back(2)))


def same_every_time(plan: Plan, engine: Engine) -> Iterator[Case]:
    """A few scripts, each again and again."""
    cases = [_chain(plan)]
    if "shared node" in plan.held:
        cases += [*shared_node(plan, engine)][:8]
    for case in cases:
        for _ in range(30):
            yield case
