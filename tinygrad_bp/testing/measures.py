"""What no script can say: kinks, the time and depth of a pass, the memory that it leaves, and looking on."""

from __future__ import annotations

import gc
import sys
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from tinygrad_bp.collector import collector_paused
from tinygrad_bp.testing.cases import Measure, NotOffered, NotTried, Plan, Writer
from tinygrad_bp.testing.contexts import alone
from tinygrad_bp.testing.engines import OURS
from tinygrad_bp.testing.forms import FORMS
from tinygrad_bp.testing.scripts import run, source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tinygrad_bp.testing.engines import Engine
    from tinygrad_bp.testing.scripts import Script

KINKED = {"relu": 0.0, "abs": -1.0, "leaky_relu": 0.01, "maximum": 0.0, "minimum": 0.0}
"""The functions with a kink at 0, and the smaller of the slopes beside it; the larger is 1."""
DEPTHS = (100, 1_000, 10_000, 100_000)
PATIENCE = 4.0
"""Seconds that a deep graph may be expected to take."""
_ROUNDS = 40
_SLIGHTLY = 1e-9


def kinks(plan: Plan, engine: Engine) -> Iterator[Measure]:
    """Each function at its kink."""
    kinked = [name for name in KINKED if name in plan.held]
    if not kinked:
        raise NotOffered(f"none of {', '.join(KINKED)}")
    for name in kinked:
        two = FORMS[name].slots == 2
        made = "a = Value(0.0)" + "\nb = Value(0.0)" * two
        call = "abs(a)" if name == "abs" else f"a.{name}({'b' * two})"
        text = f"{made}\nc = {call}\nc.backward()\nprint(c.data, a.grad{', b.grad' * two})"
        yield Measure(text, "between", partial(_at_kink, name, engine))


def _at_kink(name: str, engine: Engine) -> str:
    leaves = [engine.make(0.0) for _ in range(FORMS[name].slots)]
    out = engine.operations[name](*leaves)
    engine.run_back(out)
    value, slopes, low = engine.number(out), [*map(engine.gradient, leaves)], KINKED[name]
    if value:
        raise ValueError(f"the value is {value!r}, and should be 0.0")
    if not all(low - _SLIGHTLY <= slope <= 1 + _SLIGHTLY for slope in slopes):
        raise ValueError(f"gradients {slopes}, and each should be from {low:g} to 1")
    if len(slopes) == 2 and abs(sum(slopes) - 1) > _SLIGHTLY:
        raise ValueError(f"gradients {slopes} at a tie, and they should add up to 1")
    return "between"


def _sum_or_product(plan: Plan) -> str:
    """What doubles and what makes a chain: where a leaf is 1, a sum and a product have the same gradients."""
    for form in plan.joins():
        if form.op in ("+", "*"):
            return form.op
    raise NotTried("neither a + b nor a * b holds in a graph")


def many_paths(plan: Plan, engine: Engine) -> Iterator[Measure]:
    """Sixteen doublings, which have 65,536 paths, beside eight."""
    op = _sum_or_product(plan)
    double = engine.operations[op]

    def derive(times: int) -> float:
        v = a = engine.make(1.0)
        for _ in range(times):
            v = double(v, v)
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

    text = f"a = Value(1.0)\nv = a\nfor _ in range(16):\n    v = v {op} v\nv.backward()\nprint(a.grad)"
    yield Measure(text, 65536.0, take)


def deep_graph(plan: Plan, engine: Engine) -> Iterator[Measure]:
    """Chains, each ten times as deep as the one before."""
    op = _sum_or_product(plan)
    longer = engine.operations[op]

    def derive(depth: int) -> float:
        with collector_paused():
            v = a = engine.make(1.0)
            for _ in range(depth):
                v = longer(v, a)
            engine.run_back(v)
            return engine.gradient(a)

    before = 0.0
    for depth in DEPTHS:
        start = time.monotonic()
        text = f"a = Value(1.0)\nv = a\nfor _ in range({depth:_}):\n    v = v {op} a\nv.backward()\nprint(a.grad)"
        yield Measure(text, depth + 1.0, partial(derive, depth))
        taken = time.monotonic() - start
        growth = max(10.0, taken / before) if before else 10.0
        if depth < DEPTHS[-1] and taken * growth > PATIENCE:
            raise NotTried(f"{depth:,} operations take {taken:.1f} seconds")
        before = taken


def memory(plan: Plan, engine: Engine) -> Iterator[Measure]:
    """A graph with each operation that holds, made and dropped again and again."""
    write = Writer(plan)
    a, b = write.leaves(2.0, 0.7)
    scripts = [write.to(write.joined(write.scaled(a), b))]
    for form in plan.forms():
        scripts += [case.script for case in alone(form, plan._replace(thorough=False), OURS)][:1]
    for script in scripts:
        yield Measure(_repeated(script, engine), "nothing", partial(_kept, script, engine))


def _kept(script: Script, engine: Engine) -> str:
    def blocks() -> int:
        for _ in range(_ROUNDS):
            run(script, engine)
        gc.collect()
        return _blocks()

    blocks()
    for _ in range(3):  # of which one at least is not disturbed
        kept = blocks() - blocks()
        if -kept < _ROUNDS:
            return "nothing"
    raise ValueError(f"{_ROUNDS} graphs leave {-kept} blocks of memory behind")


def _blocks() -> int:
    """The pieces of memory that Python has given out."""
    count = getattr(sys, "getallocatedblocks", None)
    return count() if count else len(gc.get_objects())


def _repeated(script: Script, engine: Engine) -> str:
    body = "\n".join(f"    {line}" for line in source(script, engine.spelling)[1:])
    return (
        f"import gc, sys\ndef graph():\n{body}\nfor _ in range(3):\n"
        f"    for _ in range({_ROUNDS}):\n        graph()\n"
        "    gc.collect()\n    print(sys.getallocatedblocks())"
    )


def no_cycles(plan: Plan, engine: Engine) -> Iterator[Measure]:
    """What only the cyclic collector can free, of ten graphs."""
    op = _sum_or_product(plan)
    join = engine.operations[op]

    def derive() -> None:
        a = engine.make(2.0)
        engine.run_back(join(join(a, a), a))

    def left() -> int:
        with collector_paused():
            derive()
            gc.collect()
            for _ in range(10):
                derive()
            return gc.collect()

    text = (
        f"import gc\ngc.disable()\nfor _ in range(10):\n    a = Value(2.0)\n    b = a {op} a {op} a\n"
        "    b.backward()\ndel a, b\nprint(gc.collect())"
    )
    yield Measure(text, 0, left)


def looking(plan: Plan, engine: Engine) -> Iterator[Measure]:
    """A graph whose nodes are printed, compared, hashed and read before its pass and after."""
    op = _sum_or_product(plan)
    join = engine.operations[op]

    def derive(*, look: bool) -> tuple[float, ...]:
        a, b = engine.make(3.0), engine.make(2.0)
        c = join(a, b)
        d = join(c, a)
        nodes = (a, b, c, d)
        if look:
            _look(nodes, engine)
        engine.run_back(d)
        if look:
            _look(nodes, engine)
        return (*map(engine.number, nodes), *map(engine.gradient, (a, b)))

    text = (
        f"a = Value(3.0)\nb = Value(2.0)\nc = a {op} b\nd = c {op} a\nd.backward()\n"
        "for node in (a, b, c, d):\n    repr(node), str(node), node == a, node != a, hash(node), node.grad\n"
        "    node < a, node > a, node <= 2.0, node >= 2.0\n"
        "print(a.data, b.data, c.data, d.data, a.grad, b.grad)"
    )
    yield Measure(text, derive(look=False), partial(derive, look=True))


def _look(nodes: tuple[Any, ...], engine: Engine) -> None:
    first = nodes[0]
    for node in nodes:
        for look in (
            *(repr, str, hash, bool, float, dir, engine.number, engine.gradient),
            *(first.__eq__, first.__ne__, first.__hash__ and hash),
            *(lambda x: x < first, lambda x: x > first, lambda x: x <= 2.0, lambda x: x >= 2.0),
        ):
            with suppress(Exception):  # not every engine compares
                look(node)
