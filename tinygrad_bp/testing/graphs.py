"""Shapes of graphs, passes over them, and random programs.

The shapes are written with an operation on two nodes and one on a single node, whichever hold:
sums and products where they do.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from random import Random
from typing import TYPE_CHECKING

from tinygrad_bp.testing.cases import Case, NotOffered, Plan, Writer
from tinygrad_bp.testing.engines import OURS
from tinygrad_bp.testing.forms import Point, answer
from tinygrad_bp.testing.scripts import Apply, Back, Broken, Clear, Leaf, Move, registers_of, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tinygrad_bp.testing.engines import Engine
    from tinygrad_bp.testing.forms import Form
    from tinygrad_bp.testing.scripts import Script

_TAME = 50.0

# ---- shapes


def repeated_operand(plan: Plan, _: Engine) -> Iterator[Case]:
    """One node as both operands, of each operation on two nodes."""
    for join in plan.joins()[:2]:
        for scale, inner in product((False, True), repeat=2):
            write = Writer(plan, join)
            a = write.leaf(3.0)
            x = write.scaled(a) if inner else a
            out = write.joined(x, x)
            yield from plan.case(write.to(write.scaled(out) if scale else out))


def _chain(write: Writer, length: int, start: int) -> list[int]:
    """A node, what was made of it, and so on."""
    made = [start]
    for k in range(length):
        made.append(write.scaled(made[-1], (1.3, -0.6, 0.7)[k % 3]))
    return made


def shared_node(plan: Plan, _: Engine) -> Iterator[Case]:
    """Inner nodes that several paths lead to, short and long, made early and late; no operand is repeated."""
    for join in plan.joins()[:2]:
        for turned in (False, True):
            for shape in (_short_and_long, _both_sides, _late_leaf, _ladder, _fan):
                write = Writer(plan, join)

                def pair(x: int, y: int, write: Writer = write, turned: bool = turned) -> int:  # noqa: FBT001
                    return write.joined(y, x) if turned else write.joined(x, y)

                for root in shape(write, pair):
                    yield from plan.case(write.to(root))


_Pair = Callable[[int, int], int]


def _short_and_long(write: Writer, pair: _Pair) -> Iterator[int]:
    _, b, c, d = _chain(write, 3, write.leaf(2.0))
    yield pair(b, c)
    yield pair(b, d)
    yield pair(pair(b, d), c)


def _both_sides(write: Writer, pair: _Pair) -> Iterator[int]:
    c = pair(*write.leaves(2.0, 0.7))
    left, right = _chain(write, 2, c)[-1], write.scaled(c, 1.1)
    yield pair(left, right)
    yield pair(pair(left, right), c)


def _late_leaf(write: Writer, pair: _Pair) -> Iterator[int]:
    a, b = write.leaves(2.0, 0.7)
    c = pair(a, b)
    late = write.leaf(1.1)
    d = pair(c, late)
    yield pair(d, c)
    yield pair(pair(d, c), late)
    yield pair(pair(a, c), pair(b, d))


def _ladder(write: Writer, pair: _Pair) -> Iterator[int]:
    v = write.leaf(0.9)
    for _ in range(4):
        v = pair(write.scaled(v), v)
    yield v


def _fan(write: Writer, pair: _Pair) -> Iterator[int]:
    b = write.scaled(write.leaf(1.1))
    total = write.scaled(b, 1.3)
    for _ in range(10):
        total = pair(total, b)
    yield total


def equal_numbers(plan: Plan, _: Engine) -> Iterator[Case]:
    """Leaves and inner nodes of equal numbers, which are different nodes."""
    for join in plan.joins()[:2]:
        write = Writer(plan, join)
        a, b = write.leaves(3.0, 3.0)
        yield from plan.case(write.to(write.joined(a, b)))
        yield from plan.case(write.to(write.joined(write.joined(a, b), write.scaled(b))))
        write = Writer(plan, join)
        a = write.leaf(3.0)
        same = write.form(join, (a, write.leaf(1.0 if join.op in "*/" else 0.0)))
        yield from plan.case(write.to(write.joined(same, write.scaled(a))))
        yield from plan.case(write.to(write.joined(same, a)))
        write = Writer(plan, join)
        a, b = write.leaves(3.0, 0.7)
        one, two = write.joined(a, b), write.joined(a, b)
        yield from plan.case(write.to(write.joined(write.scaled(one, 5.0), two)))


def same_every_time(plan: Plan, engine: Engine) -> Iterator[Case]:
    """Some shapes again and again."""
    for case in [*shared_node(plan, engine)][:8]:
        for _ in range(30):
            yield case


def another_graph(plan: Plan, _: Engine) -> Iterator[Case]:
    """What does not lead to the root; and what had a pass of its own before."""
    write = Writer(plan)
    a, b, c = write.leaves(2.0, 0.7, 1.3)
    root = write.joined(write.scaled(a), b)
    write.joined(write.scaled(root), c)
    yield from plan.case(write.to(root))
    write = Writer(plan)
    a, b, c = write.leaves(2.0, 0.7, 1.3)
    write.joined(write.joined(a, c), b)
    yield from plan.case(write.to(write.joined(write.scaled(a), b)))
    for again in (False, True):
        write = Writer(plan)
        a, b = write.leaves(2.0, 0.7)
        write.back(write.joined(write.scaled(a), b))
        x, d = a if again else write.leaf(1.1), write.leaf(1.3)
        root = write.joined(write.scaled(x), d)
        yield from plan.case(write.to(root))
        yield from plan.case(write.to(write.joined(root, b)))


# ---- random programs


def random_writers(forms: list[Form], count: int, seed: int) -> Iterator[Writer]:
    """Scripts of some forms, with shared registers and unused ones, and moderate numbers."""
    rng = Random(seed)  # noqa: S311 - everyone sees the same
    often = [form for form in forms for _ in range(4 if form.nodes.count(True) == 2 else 1)]
    numbers = [n / 10 for n in range(-29, 30) if n % 5]
    for _ in range(count if forms else 0):
        write = Writer()
        leaves = write.leaves(*rng.sample(numbers, rng.randint(1, 3)))
        values = [each.number for each in write.statements if isinstance(each, Leaf)]
        for _step in range(rng.randint(2, 10)):
            form = rng.choice(often)
            late = max(0, write.size - 1 - rng.randint(0, 2))
            chosen = (late, *(rng.randrange(write.size) for _ in range(form.slots - 1)))
            plain = rng.choice(form.plain)
            found = answer(form, Point(tuple(values[place] for place in chosen), plain))
            if found and all(0.01 < abs(number) < _TAME for number in found if number):
                write.form(form, chosen, plain)
                values.append(found[0])
        if write.size > len(leaves):
            yield write


def random_programs(plan: Plan, _: Engine) -> Iterator[Case]:
    """Random programs of all forms that hold."""
    for write in random_writers(plan.forms(), plan.examples, plan.seed):
        yield from plan.case(write.to(write.size - 1), random=True)


# ---- passes


def _programs(plan: Plan, engine: Engine, count: int) -> Iterator[Case]:
    """Programs with a pass: a square, then the shapes, then random ones."""
    write = Writer(plan)
    a = write.leaf(3.0)
    b = write.scaled(a)
    yield from plan.case(write.to(write.joined(b, a)))
    yield from shared_node(plan, engine)
    yield from random_programs(plan._replace(examples=count), engine)


def second_pass(plan: Plan, engine: Engine) -> Iterator[Case]:
    """Two passes from the same root."""
    for case in _programs(plan, engine, 40):
        _check_second(case.script, engine)
        yield case._replace(script=(*case.script, case.script[-1]))


def two_results(plan: Plan, engine: Engine) -> Iterator[Case]:
    """Passes from two nodes of a graph, of which one leads to the other; and a graph that grows after a pass."""
    for case in _programs(plan, engine, 40):
        filled = registers_of(case.script)
        applied = [place for place, each in enumerate(filled) if isinstance(each, Apply)]
        _check_second(case.script, engine)
        if len(applied) > 1:
            first, last = Back(applied[-2]), Back(applied[-1])
            yield case._replace(script=(*case.script[:-1], first, last))
    for length in (1, 2):
        write = Writer(plan)
        b = _chain(write, length, write.leaf(2.0))[-1]
        write.back(b)
        yield from plan.case(write.to(write.joined(write.scaled(b), b)), lenient=True)


def _check_second(script: Script, engine: Engine) -> None:
    """Raise `NotOffered` where a second pass is refused."""
    try:
        run((*script, script[-1]), engine)
    except Broken as broken:
        if isinstance(broken.error, RuntimeError) and not isinstance(broken.error, RecursionError):
            raise NotOffered(f"refused: {broken}") from broken  # as PyTorch, which frees its graph


def inner_gradients(plan: Plan, engine: Engine) -> Iterator[Case]:
    """The gradients of inner nodes after a pass, if they have any."""
    write = Writer(plan)
    a, b = write.leaves(2.0, 0.7)
    inner = write.joined(write.scaled(a), b)
    script = write.to(write.joined(inner, b))
    try:
        kept = run(script, engine, inner=True).gradients
    except Broken as broken:
        raise NotOffered("the gradients of inner nodes cannot be read") from broken
    if not kept[inner]:
        raise NotOffered("inner nodes keep no gradient")
    yield from plan.case(script, inner=True)
    for case in _programs(plan, engine, 20):
        yield case._replace(inner=True)


# ---- leaves


def gradient_before(plan: Plan, _: Engine) -> Iterator[Case]:
    """A leaf before any pass, and one that a pass does not reach."""
    yield Case((Leaf(3.0),))
    if "a + b" in plan.held:
        yield Case((Leaf(3.0), Leaf(2.0), Leaf(0.7), Apply("+", (0, 1)), Back(3)))


def pass_from_a_leaf(_: Plan, __: Engine) -> Iterator[Case]:
    """A pass from a leaf."""
    yield Case((Leaf(3.0), Back(0)))


def builtin_sum(plan: Plan, engine: Engine) -> Iterator[Case]:
    """Python's own sum of three leaves."""
    if "+" in engine.functions:
        raise NotOffered("+ is no operator")
    for places in ((0, 1, 2), (1, 0, 2)):
        yield Case((*map(Leaf, (3.0, 2.0, 0.7)), Apply("sum", (places,)), Back(3)), plan.near)


def training(plan: Plan, engine: Engine) -> Iterator[Case]:
    """Leaves that are moved, and whose gradients are set to 0, between passes."""
    check_assignable(engine)
    write = Writer(plan)
    a = write.leaf(8.0)
    for x in (4.0, 2.0):
        write.back(write.scaled(a, 0.5))
        write.statements += [Move(a, x), Clear(a)]
    yield Case(write.to(write.scaled(write.scaled(a, 0.5))), plan.near)
    if "repeated operand" in plan.held:
        write = Writer(plan)
        a = write.leaf(8.0)
        for x in (4.0, 2.0):
            write.back(write.joined(write.scaled(a, 0.5), a))
            write.statements += [Move(a, x), Clear(a)]
        yield Case(write.to(write.joined(write.scaled(a, 0.5), a)), plan.near)


def check_assignable(engine: Engine) -> None:
    """Raise `NotOffered` where data or gradients cannot be assigned."""
    for attribute, assign in (
        (engine.data, lambda leaf: engine.move(leaf, 3.0)),
        (engine.grad, engine.clear),
    ):
        try:
            assign(engine.make(2.0))
        except Exception as error:
            raise NotOffered(f"{attribute} cannot be assigned: {error}") from error
