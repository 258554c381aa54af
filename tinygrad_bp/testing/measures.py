"""What no script of operations can say: kinks, comparisons, how long a pass takes, what memory it leaves.

Each `Measure` is written out as Python text, and does the same when it is taken.
"""

from __future__ import annotations

import gc
import sys
import time
from functools import partial
from textwrap import indent
from typing import TYPE_CHECKING, Any

from tinygrad_bp.engine.collector import collector_paused
from tinygrad_bp.testing.cases import Builder, Measure, NotOffered, NotTried
from tinygrad_bp.testing.engines import COMPARISONS, OURS
from tinygrad_bp.testing.form_cases import alone
from tinygrad_bp.testing.forms import FORMS
from tinygrad_bp.testing.scripts import name_of, run, source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tinygrad_bp.testing.cases import Plan
    from tinygrad_bp.testing.engines import Engine, Spelling
    from tinygrad_bp.testing.scripts import Script

KINKED = ("relu", "abs", "leaky_relu", "maximum", "minimum")


def kinks(plan: Plan, engine: Engine) -> Iterator[Measure]:
    """Derivatives at 0, and at ties of two leaves and of one with itself.

    Raises:
        NotOffered: nothing that the engine has, has a kink.
    """
    kinked = [name for name in KINKED if name in plan.held]
    if not kinked:
        raise NotOffered(f"none of {', '.join(KINKED)}")
    for name in kinked:
        for places in ((0,),) if FORMS[name].slots == 1 else ((0, 1), (0, 0)):
            write = Builder(plan)
            leaves = write.leaves(*(0.0 for _ in {*places}))
            out = write.form(FORMS[name], tuple(leaves[place] for place in places))
            text = partial(_shown_at_kink, write.to(out), out)
            yield Measure(text, "between", partial(_between, engine, name, places))


def _shown_at_kink(script: Script, out: int, spelling: Spelling) -> str:
    grads = ", ".join(f"{name_of(leaf)}.{spelling.grad}" for leaf in range(out))
    shown = f"print({name_of(out)}.{spelling.data}, {grads})"
    return "\n".join([*source(script, spelling), shown])


def _between(engine: Engine, name: str, places: tuple[int, ...]) -> str:
    leaves = [engine.make(0.0) for _ in {*places}]
    out = engine.operations[name](*(leaves[place] for place in places))
    engine.run_back(out)
    value, slopes = engine.number(out), [*map(engine.gradient, leaves)]
    low = {"abs": -1.0, "leaky_relu": 0.01}.get(name, 0.0)
    if not abs(value) <= 1e-12:
        raise ValueError(f"the value is {value!r}, and should be 0.0")
    if not all(low - 1e-9 <= slope <= 1 + 1e-9 for slope in slopes):
        raise ValueError(f"the gradients are {slopes}, and each should be from {low:g} to 1")
    if len(places) == 2 and abs(sum(slopes) - 1) > 1e-9:
        raise ValueError(f"the gradients at a tie are {slopes}, and should add up to 1")
    return "between"


def comparisons(_: Plan, engine: Engine) -> Iterator[Measure]:
    """What the engine says of two numbers, if it can say something.

    Raises:
        NotOffered: it compares nothing.
    """
    offered = False
    for sign, compare in COMPARISONS.items():
        for x, y in ((2.0, 3.0), (3.0, 2.0), (-1.3, 0.7), (2.0, 2.0)):
            try:
                compare(engine.make(x), engine.make(y))
            except Exception:  # noqa: BLE001 - the engine has it not
                take: Callable[[], bool] = partial(compare, x, y)
            else:
                offered = True
                take = partial(_compared, engine, compare, x, y)
            text = partial(spelled, f"print(Value({x}) {sign} Value({y}))")
            yield Measure(text, compare(x, y), take)
    if not offered:
        raise NotOffered("nodes are not compared")


def _compared(engine: Engine, compare: Callable[[Any, Any], Any], x: float, y: float) -> bool:
    return bool(compare(engine.make(x), engine.make(y)))


def unnamed_nodes(plan: Plan, engine: Engine) -> Iterator[Measure]:
    """A graph of which no name holds more than its leaves and its root."""
    join, times = plan.join, "*" if "a * b in a graph" in plan.held else plan.join

    def derive(engine: Engine) -> float:
        a, b = map(engine.make, (2.0, 3.0))
        v = engine.operations[times](a, b)
        for _ in range(3):
            v = engine.operations[join](v, a)
        engine.run_back(v)
        return engine.gradient(a)

    text = (
        f"a = Value(2.0)\nb = Value(3.0)\nv = a {times} b\nfor _ in range(3):\n"
        f"    v = v {join} a\nv.backward()\nprint(a.grad)"
    )
    yield Measure(partial(spelled, text), derive(OURS), partial(derive, engine))


def spelled(text: str, spelling: Spelling) -> str:
    """Lines for an engine, that are written for nodes made by ``Value``."""
    for ours, theirs in (
        ("Value(", f"{spelling.make}("),
        (".data", f".{spelling.data}"),
        (".grad", f".{spelling.grad}"),
        (".backward()", f".{spelling.backward}()"),
    ):
        text = text.replace(ours, theirs)
    return f"{spelling.imports}\n{text}"


# ---- time


def many_paths(plan: Plan, engine: Engine) -> Iterator[Measure]:
    """16 doublings, which take twice as long as 8, or 256 times."""
    op = "+" if "a + b" in plan.held else "*"
    apply = engine.operations[op]

    def derive(times: int) -> float:
        a = engine.make(1.0)
        v: Any = a
        for _ in range(times):
            v = apply(v, v)
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
        if ratio > 30.0:
            raise ValueError(f"65,536 paths take {ratio:.0f} times as long as 256")
        return derive(16)

    text = (
        f"a = Value(1.0)\nv = a\nfor _ in range(16):\n    v = v {op} v\nv.backward()\nprint(a.grad)"
    )
    yield Measure(partial(spelled, text), 65536.0, take)


DEPTHS = (100, 1_000, 10_000, 100_000)
PATIENCE = 4.0
"""Seconds that a deep graph may be expected to take."""


def deep_graph(plan: Plan, engine: Engine) -> Iterator[Measure]:
    """Chains, each ten times as long as the one before it.

    Raises:
        NotTried: the next one would take too long.
    """
    op = "+" if "a + b" in plan.held else "*"
    apply = engine.operations[op]

    def derive(depth: int) -> float:
        with collector_paused():
            a = engine.make(1.0)
            v = engine.make(1.0)
            for _ in range(depth):
                v = apply(v, a)
            engine.run_back(v)
            return engine.gradient(a)

    before = None
    for depth in DEPTHS:
        loop = f"for _ in range({depth:_}):\n    v = v {op} a"
        text = f"a = Value(1.0)\nv = Value(1.0)\n{loop}\nv.backward()\nprint(a.grad)"
        start = time.process_time()  # others may use the machine
        yield Measure(partial(spelled, text), float(depth), partial(derive, depth))
        taken = time.process_time() - start
        growth = max(10.0, taken / before) if before else 10.0
        if depth < DEPTHS[-1] and taken * growth > PATIENCE:
            raise NotTried(f"{depth:,} operations take {taken:.1f} seconds")
        before = taken


# ---- memory

_ROUNDS = 40


def memory(plan: Plan, engine: Engine) -> Iterator[Measure]:
    """Each operation that holds, in a graph that is dropped again and again."""
    write = Builder(plan)
    b = write.times(*write.leaves(2.0, 0.7))
    scripts = [write.to(write.times(write.join(b, 0), b))]
    for form in plan.forms():
        case = next(alone(form, plan, engine), None)
        if case is not None:
            scripts.append(case.script)
    for script in scripts:
        yield Measure(
            partial(_shown_repeated, script), "nothing", partial(_leaves_nothing, script, engine)
        )


def _shown_repeated(script: Script, spelling: Spelling) -> str:
    imports, *lines = source(script, spelling)
    body = indent("\n".join(lines), "    ")
    return (
        f"{imports}\nimport gc, sys\ndef graph():\n{body}\nfor _ in range(3):\n"
        f"    for _ in range({_ROUNDS}):\n        graph()\n"
        "    gc.collect()\n    print(sys.getallocatedblocks())"
    )


def _leaves_nothing(script: Script, engine: Engine) -> str:
    kept = _left(script, engine)
    if kept >= _ROUNDS and _left(script, engine) >= _ROUNDS:
        raise ValueError(f"{_ROUNDS} graphs leave {kept} blocks of memory behind")
    return "nothing"


def _left(script: Script, engine: Engine) -> int:
    """How many pieces of memory some graphs leave behind."""

    def grown() -> int:
        for _ in range(_ROUNDS):
            run(script, engine)
        gc.collect()
        return _blocks()

    grown()
    before = grown()
    return min(grown() - before, grown() - before)


def _blocks() -> int:
    """The pieces of memory that Python has given out."""
    count: Callable[[], int] | None = getattr(sys, "getallocatedblocks", None)
    return count() if count else len(gc.get_objects())


def no_cycles(plan: Plan, engine: Engine) -> Iterator[Measure]:
    """What the collector finds after graphs were dropped."""
    add, multiply = ("+", "*") if {"a + b", "a * b"} <= plan.held else (plan.join, plan.join)

    def derive() -> None:
        a = engine.make(2.0)
        join, times = engine.operations[add], engine.operations[multiply]
        engine.run_back(times(join(times(a, a), a), a))

    def left() -> float:
        with collector_paused():
            derive()
            gc.collect()
            for _ in range(10):
                derive()
            return float(gc.collect())

    text = (
        "import gc\ngc.disable()\nfor _ in range(10):\n    a = Value(2.0)\n"
        f"    b = (a {multiply} a {add} a) {multiply} a\n"
        "    b.backward()\ndel a, b\nprint(gc.collect())"
    )
    yield Measure(partial(spelled, text), 0.0, left)
