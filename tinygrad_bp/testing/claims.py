"""What should be true of any scalar engine, case by case, beyond random programs.

The docstring of each property is what it says; it yields cases, and ends where an engine does not
offer what they need.  This room knows an engine by its `Engine` alone.
"""

from __future__ import annotations

import gc
import signal
import threading
import time
from contextlib import contextmanager, redirect_stdout
from functools import partial
from io import StringIO
from typing import TYPE_CHECKING, Any, NamedTuple

from tinygrad_bp.engine.collector import collector_paused
from tinygrad_bp.table.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tinygrad_bp.testing.conformance import Engine

DEPTHS = (100, 1_000, 10_000, 100_000)
PATIENCE = 5.0
"""Seconds that a graph may take before one ten times as deep is not tried."""
TIME_LIMIT = 60.0
"""Seconds after which a program, or one case of a property, is taken not to come to an end."""


class NotOffered(Exception):  # noqa: N818 - it is no error
    """The engine has not what a property is about."""


class NotTried(Exception):  # noqa: N818 - it is no error
    """A property would tell nothing, because something else fails, or takes too long."""


class Broken(Exception):  # noqa: N818 - it is no error of ours
    """What an engine raised, in words."""


class Overdue(BaseException):
    """The engine has not come back; no `Exception`, which the engine itself might catch.

    Attributes:
        example: what it was doing.
    """

    def __init__(self, example: object) -> None:
        super().__init__(f"no answer in {TIME_LIMIT:g} seconds")
        self.example = str(example)


@contextmanager
def guarded(example: object = "") -> Iterator[None]:
    """Whatever an engine raises becomes `Broken`, `SystemExit` too, and what it prints is dropped.

    Args:
        example: what it shall do.

    Raises:
        Broken: the engine raised something.
        Overdue: it did not come back in `TIME_LIMIT` seconds.
        NotImplementedError: so does the engine, which is a refusal and no fault.
    """
    try:
        with redirect_stdout(StringIO()), _time_limit(example):
            yield
    except (NotOffered, NotTried, Broken, Overdue, NotImplementedError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise Broken(told(error)) from error


@contextmanager
def _time_limit(example: object) -> Iterator[None]:
    """Interrupt what takes too long, where the system has a timer and nobody else uses it."""
    main = threading.current_thread() is threading.main_thread()
    if not (main and hasattr(signal, "setitimer")) or signal.getitimer(signal.ITIMER_REAL)[0]:
        yield
        return
    within = True

    def interrupt(*_: object) -> None:
        if within:
            raise Overdue(example)

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        # And again each second, should Python have dropped the error, as it does in finalizers.
        signal.setitimer(signal.ITIMER_REAL, TIME_LIMIT, 1.0)
        try:
            yield
        finally:  # an alarm may still come before this, but not after
            within = False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before or signal.SIG_DFL)


class Claim(NamedTuple):
    """One case of a property.

    Attributes:
        example: what is done.
        wanted: the numbers that it should come to.
        run: does it, and returns the numbers.
    """

    example: str
    wanted: tuple[float, ...]
    run: Callable[[], tuple[float, ...]]


def told(error: BaseException) -> str:
    """An error on one line."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - it is the engine's own class
        text = "an error that cannot be printed"
    return f"{type(error).__name__}: {' '.join(text.split())}"[:200]


def _assign(node: Any, name: str, number: Any) -> None:
    try:
        setattr(node, name, number)
    except Exception as error:
        raise NotOffered(f"{name} cannot be assigned: {told(error)}") from error


def _move(engine: Engine, leaf: Any, x: float) -> None:
    """Give a leaf another number, of the type that the engine makes of it."""
    _assign(leaf, engine.data, getattr(engine.make(x), engine.data))


def _clear(engine: Engine, leaf: Any) -> None:
    """Give a leaf the gradient of a new one."""
    _assign(leaf, engine.grad, getattr(engine.make(0.0), engine.grad))


def repeated_operand(engine: Engine) -> Iterator[Claim]:
    """A node that one operation uses twice counts twice."""
    yield Claim("a + a, at a = 3", (6.0, 2.0), partial(engine.derive, lambda a: a + a, 3.0))
    yield Claim("a * a, at a = 3", (9.0, 6.0), partial(engine.derive, lambda a: a * a, 3.0))


def shared_node(engine: Engine) -> Iterator[Claim]:
    """A node passes its gradient on when all of it has come in."""

    def diamond(a: Any) -> Any:
        b = a + a
        return b + b

    def ladder(a: Any) -> Any:
        for _ in range(4):
            a = a * a + a
        return a

    def fan(a: Any) -> Any:
        b = a * a
        total = b * b
        for _ in range(10):
            total = total + b
        return total

    yield Claim("b = a + a; b + b, at a = 3", (12.0, 4.0), partial(engine.derive, diamond, 3.0))
    value, slope = 1.0, 1.0
    for _ in range(4):
        value, slope = value * value + value, (2.0 * value + 1.0) * slope
    example = "a = a * a + a, four times, at a = 1"
    yield Claim(example, (value, slope), partial(engine.derive, ladder, 1.0))
    example = "b = a * a; e = b * b; e = e + b, ten times, at a = 2"
    yield Claim(example, (56.0, 72.0), partial(engine.derive, fan, 2.0))


def many_paths(engine: Engine) -> Iterator[Claim]:
    """Time grows with the nodes of a graph, and not with the paths in it."""

    def double(times: int, a: Any) -> Any:
        for _ in range(times):
            a = a + a
        return a

    def seconds(times: int) -> float:
        taken = []
        for _ in range(5):  # of which one at least is not disturbed
            start = time.perf_counter()
            engine.derive(partial(double, times), 1.0)
            taken.append(time.perf_counter() - start)
        return min(taken)

    def derive() -> tuple[float, ...]:
        ratio = seconds(16) / seconds(8)
        if ratio > 30.0:  # 2 is right, and 256 what it takes to walk each path
            raise Broken(f"65,536 paths take {ratio:.0f} times as long as 256")
        return engine.derive(partial(double, 16), 1.0)

    yield Claim("a = a + a, 16 times, at a = 1", (65536.0, 65536.0), derive)


def builtin_sum(engine: Engine) -> Iterator[Claim]:
    """Python's own sum works, which begins with 0."""
    total = partial(engine.derive, lambda a, b: sum([a, b, a]), 3.0, 2.0)
    yield Claim("sum([a, b, a]), at a = 3, b = 2", (8.0, 2.0, 1.0), total)


def gradient_before(engine: Engine) -> Iterator[Claim]:
    """A gradient is 0 before a pass, and where no path leads."""
    yield Claim("a new leaf", (0.0,), lambda: (engine.gradient(engine.make(3.0)),))
    other = partial(engine.derive, lambda a, _: a + a, 3.0, 2.0)
    yield Claim("a + a, at a = 3, b = 2", (6.0, 2.0, 0.0), other)


def pass_from_a_leaf(engine: Engine) -> Iterator[Claim]:
    """The derivative of a leaf for itself is 1."""
    yield Claim("a, at a = 3", (3.0, 1.0), partial(engine.derive, lambda a: a, 3.0))


def training(engine: Engine) -> Iterator[Claim]:
    """Data can be moved and gradients set to 0, step after step."""

    def train() -> tuple[float, ...]:
        a = engine.make(8.0)
        for _ in range(3):
            engine.run_back(a * a)
            _move(engine, a, engine.number(a) - 0.25 * engine.gradient(a))
            _clear(engine, a)
        return (engine.number(a),)

    yield Claim(
        "(a * a).backward(); a.data -= a.grad / 4; a.grad = 0; from a = 8, 3 times", (1.0,), train
    )


def recording(engine: Engine) -> Iterator[Claim]:
    """A pass tells of what was computed, though a leaf has moved since."""

    def move() -> tuple[float, ...]:
        a, b = engine.make(3.0), engine.make(5.0)
        e = a * b
        _move(engine, a, 7.0)
        engine.run_back(e)
        return (engine.gradient(b),)

    yield Claim("a.data = 3; e = a * b; a.data = 7; e.backward(); b.grad", (3.0,), move)


def in_place(engine: Engine) -> Iterator[Claim]:
    """+= makes a new node and leaves the old one as it was."""

    def add(a: Any) -> Any:
        b = a
        try:
            b += a
        except RuntimeError as error:  # as PyTorch, for a leaf
            raise NotOffered(f"refused: {told(error)}") from error
        return b * a

    yield Claim("b = a; b += a; b * a, at a = 3", (18.0, 12.0), partial(engine.derive, add, 3.0))


def upstream(engine: Engine) -> Iterator[Claim]:
    """A gradient passes through whatever its size and sign."""

    def times(name: str, factor: float, a: Any) -> Any:
        return engine.operations[name](a) * factor

    for name, x, value, slope in (
        ("neg", 2.0, -2.0, -1.0),
        ("relu", 2.0, 2.0, 1.0),
        ("relu", -2.0, 0.0, 0.0),
        ("abs", 2.0, 2.0, 1.0),
        ("abs", -2.0, 2.0, -1.0),
    ):
        if engine.offers(name):
            for factor in (-3.0, 0.5):
                wanted = value * factor, slope * factor
                run = partial(engine.derive, partial(times, name, factor), x)
                yield Claim(f"{name}(a) * {factor}, at a = {x}", wanted, run)


def kinks(engine: Engine) -> Iterator[Claim]:
    """The derivatives at a kink lie between the slopes beside it."""
    kinked = [name for name in ("relu", "abs", "maximum", "minimum") if engine.offers(name)]
    if not kinked:
        raise NotOffered("none of relu, abs, maximum, minimum")
    for name in kinked:
        count = RULES[name].arity
        low = -1.0 if name == "abs" else 0.0
        value, *slopes = engine.derive(engine.operations[name], *[0.0] * count)
        between = [min(max(slope, low), 1.0) for slope in slopes]
        example = f"{name} at 0: its value, and derivatives from {low:g} to 1"
        yield Claim(example, (0.0, *between), partial(tuple, (value, *slopes)))
        if count == 2:
            yield Claim(
                f"{name} at a tie: the sum of its derivatives",
                (1.0,),
                partial(tuple, [sum(slopes)]),
            )


def powers_of_zero(engine: Engine) -> Iterator[Claim]:
    """0 ** n has its value and derivative, for n = 0, 1, 2, 3."""
    for n, wanted in enumerate([(1.0, 0.0), (0.0, 1.0), (0.0, 0.0), (0.0, 0.0)]):
        yield Claim(f"a ** {n}, at a = 0", wanted, partial(engine.derive, lambda a, n=n: a**n, 0.0))


def deep_graph(engine: Engine) -> Iterator[Claim]:
    """A chain of a hundred thousand operations is differentiated."""

    def derive(depth: int) -> tuple[float, ...]:
        def chain(a: Any) -> Any:
            v = a
            for _ in range(depth):
                v = v + a
            return v

        with collector_paused():
            return engine.derive(chain, 1.0)

    for depth in DEPTHS:
        start = time.monotonic()
        yield Claim(f"v = v + a, {depth:,} times", (depth + 1.0,) * 2, partial(derive, depth))
        if depth < DEPTHS[-1] and (seconds := time.monotonic() - start) > PATIENCE:
            raise NotTried(f"{depth:,} operations take {seconds:.0f} seconds")


def no_cycles(engine: Engine) -> Iterator[Claim]:
    """A graph is freed when it is dropped, without the cyclic collector."""

    def left() -> tuple[float, ...]:
        with collector_paused():
            gc.collect()
            for _ in range(10):
                engine.derive(lambda a: (a * a + a) * a, 2.0)
            return (float(gc.collect()),)

    engine.derive(lambda a: (a * a + a) * a, 2.0)
    yield Claim(
        "(a * a + a) * a, ten times: objects that only the collector can free", (0.0,), left
    )


PROPERTIES = {
    "repeated operand": (repeated_operand, ("a + b", "a * b")),
    "shared node": (shared_node, ("a + b", "a * b")),
    "many paths": (many_paths, ("a + b",)),
    "sum()": (builtin_sum, ("a + b",)),
    "gradient before": (gradient_before, ()),
    "pass from a leaf": (pass_from_a_leaf, ()),
    "training": (training, ("a * b",)),
    "recording": (recording, ("a * b",)),
    "+=": (in_place, ("a + b", "a * b")),
    "upstream gradient": (upstream, ("a * 2",)),
    "kinks": (kinks, ()),
    "powers of 0": (powers_of_zero, ("a ** n",)),
    "deep graph": (deep_graph, ("a + b",)),
    "no cycles": (no_cycles, ("a + b", "a * b")),
}
"""Each property by its name, and the operations that have to hold by themselves for it to tell anything."""
