"""How accurate every row of the table is: ``python -m tinygrad_bp.testing.accuracy``.

Each row's value and derivatives are computed in floats at a fixed set of points, over the whole
domain from subnormals to overflow, and held to the oracles in mpmath at 50 digits.  The table names
the worst error with its point and the bound; where a bound is broken the exit code is 1.  With
``--peers`` PyTorch and JAX stand beside ours at the same points.  ``docs/accuracy.md`` keeps what
this prints.
"""

from __future__ import annotations

import argparse
import importlib
import math
import os
import platform
import random
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import mpmath

from tinygrad_bp.numbers.of_python import FLOAT
from tinygrad_bp.table.rules import PARAMETERS, RULES, Rule
from tinygrad_bp.testing.oracles import INF, ORACLES, Result, hard_points, results, ulps_off

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeAlias

    from tinygrad_bp.testing.oracles import Operands

    Peer: TypeAlias = Callable[[Rule, list[Operands]], list[list[float]]]
    Measured: TypeAlias = list[tuple[Operands, list[Result]]]

SMALLEST_NORMAL = sys.float_info.min


# ---- the points

EDGES = (0.0, 0.5, 1.0, 2.0, math.e, math.pi / 2, math.pi, 20.0, 36.7, 709.78, 745.13)


def points(rule: Rule, count: int) -> list[Operands]:
    """The points at which a row is measured: always the same for the same count.

    They are the hard points of the row, and ``count`` more in its domain: for one operand, two
    thirds of them on a logarithmic and a uniform grid; the rest, and all for several operands, drawn
    with a fixed seed.

    Args:
        rule: the row.
        count: how many besides the hard points.

    >>> len(points(RULES["tanh"], 30)) - len(hard_points(RULES["tanh"]))
    30
    """
    candidates = _candidates(rule, count)
    chosen: list[Operands] = []
    while len(chosen) < count:
        at = next(candidates)
        if rule.variadic or FLOAT.in_domain(rule, at):
            chosen.append(at)
    return hard_points(rule) + chosen


def _candidates(rule: Rule, count: int) -> Iterator[Operands]:
    draw = random.Random(rule.name)  # noqa: S311 - no secret
    if rule.arity == 1 and not rule.variadic:
        steps = range(max(count // 6, 1))
        for step in steps:
            for sign in (1.0, -1.0):
                yield (sign * 2.0 ** (-1074.0 + 2097.99 * step / len(steps)),)
                yield (sign * 50.0 * step / len(steps),)
    while True:
        if rule.variadic:
            rows = [_several(draw, rule.arity) for _ in range(draw.randrange(1, 7))]
            yield tuple(map(list, zip(*rows, strict=True)))
        else:
            yield _several(draw, rule.arity)


def _several(draw: random.Random, arity: int) -> Operands:
    """Operands by themselves; or, of two, near each other, or so that the power is a float."""
    x = _anywhere(draw)
    kind = draw.randrange(3)
    if arity == 1 or kind == 0:
        return (x, *(_anywhere(draw) for _ in range(arity - 1)))
    if kind == 1:
        return x, draw.choice((1.0, -1.0)) * _near(draw, x)
    scale = abs(math.log(abs(x))) if x else 0.0
    y = draw.uniform(-745.0, 710.0) / scale if scale else draw.uniform(-3.0, 3.0)
    return x, (y if x > 0.0 else float(round(y)))


def _anywhere(draw: random.Random) -> float:
    sign = draw.choice((1.0, -1.0))
    kind = draw.randrange(5)
    if kind == 0:
        return sign * math.ldexp(1.0 + draw.random(), draw.randrange(-1074, 1024))
    if kind == 1:
        return sign * _near(draw, draw.choice(EDGES))
    return sign * draw.random() * (1.0, 10.0, 800.0)[kind - 2]


def _near(draw: random.Random, x: float) -> float:
    moved = x + draw.choice((1.0, -1.0)) * math.ldexp(x or 1.0, -draw.randrange(1, 54))
    return moved if math.isfinite(moved) else x


# ---- the measurement


class Worst(NamedTuple):
    """The worst error of one result of a row: of its value, or of a derivative.

    Attributes:
        rule: the row.
        slot: 0 for the value, and from 1 on for the derivatives.
        ulps: the error in ulps of the result.
        at: where that is.
        off: the worst error in the row's own unit, which is larger than an ulp for a reason.
        off_at: where that is.
    """

    rule: Rule
    slot: int
    ulps: float
    at: Operands
    off: float
    off_at: Operands

    @property
    def bound(self) -> float:
        """How large ``off`` may be."""
        return ORACLES[self.rule.name].ulps[self.slot]

    @property
    def has_unit(self) -> bool:
        """Whether the row has a unit of its own here."""
        return ORACLES[self.rule.name].unit[self.slot] is not None

    def __str__(self) -> str:
        where = f"{self.off:.3g} ulps at {show(self.off_at)}, and the bound is {self.bound:g}"
        return f"{self.rule.name}, {result_name(self.slot)}: {where}"


def measure(rule: Rule, count: int) -> Measured:
    """Every result of a row beside the truth, at all its points."""
    return [(at, results(rule, at)) for at in points(rule, count)]


def worst(rule: Rule, measured: Measured) -> list[Worst]:
    """The worst error of the value, and of each derivative."""
    found = []
    for slot in range(rule.arity + 1):
        errors = [
            (ulps_off(result.got, result.truth), result.off, at)
            for at, given in measured
            for result in given
            if result.slot == slot and result.unit != INF  # where something is promised
        ]
        ulps, _, at = max(errors, key=lambda each: each[0])
        _, off, off_at = max(errors, key=lambda each: each[1])
        found.append(Worst(rule, slot, ulps, at, off, off_at))
    return found


# ---- the peers

SPELLING = {
    "+": "add",
    "-": "subtract",
    "*": "multiply",
    "/": "divide",
    "**": "pow",
    "neg": "negative",
    "fsum": "sum",
}


def torch_peer() -> tuple[str, Peer]:
    """PyTorch by ``torch.autograd.grad`` in float64.

    Raises:
        ImportError: it is not installed.
    """
    torch = importlib.import_module("torch")
    modules = (torch, torch.special, torch.nn.functional)

    def run(rule: Rule, at: list[Operands]) -> list[list[float]]:
        function = _peers_own(rule, modules)
        columns = [
            torch.tensor(each, dtype=torch.float64, requires_grad=True) for each in _columns(at)
        ]
        out = function(*columns)
        return _rows(out.detach(), torch.autograd.grad(out, columns, torch.ones_like(out)))

    return f"PyTorch {torch.__version__}", run


def jax_peer() -> tuple[str, Peer]:
    """JAX by ``jax.grad`` with ``jax_enable_x64``.

    Raises:
        ImportError: it is not installed.
    """
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)  # noqa: FBT003 - JAX's own
    modules = (jax.nn, jax.numpy, jax.scipy.special)

    def run(rule: Rule, at: list[Operands]) -> list[list[float]]:
        function = _peers_own(rule, modules)
        both = jax.value_and_grad(function, tuple(range(rule.arity)))
        columns = [jax.numpy.array(each, dtype="float64") for each in _columns(at)]
        return _rows(*(both if rule.variadic else jax.vmap(both))(*columns))

    return f"JAX {jax.__version__}", run


def _peers_own(rule: Rule, modules: Iterable[Any]) -> Callable[..., Any]:
    """The peer's function for a row.

    Raises:
        LookupError: it has none.
    """
    name = SPELLING.get(rule.name, rule.name)
    for module in modules:
        if function := getattr(module, name, None):
            if name == "gelu" and module.__name__.startswith(
                "jax"
            ):  # whose own is the tanh formula
                return lambda x: function(x, approximate=False)
            return function  # type: ignore[no-any-return]
    raise LookupError(f"{rule.name} is not in {modules}")


def _columns(at: list[Operands]) -> list[list[float]]:
    """The points as one list for each operand; for a row that takes lists, its one point's own."""
    lists = isinstance(at[0][0], list)
    return list(at[0]) if lists else [*map(list, zip(*at, strict=True))]


def _rows(out: Any, gradients: Iterable[Any]) -> list[list[float]]:
    """For each point the value and its derivatives."""
    values, *columns = (each.tolist() for each in (out, *gradients))
    if isinstance(values, float):  # of lists
        return [[values, *(number for column in columns for number in column)]]
    return [[*row] for row in zip(values, *columns, strict=True)]


def installed_peers() -> tuple[dict[str, Peer], list[str]]:
    """The peers that are there, and the names of those that are not."""
    there: dict[str, Peer] = {}
    missing = []
    for name, load in (("PyTorch", torch_peer), ("JAX", jax_peer)):
        try:
            there.update([load()])
        except ImportError:
            missing.append(name)
    return there, missing


def peer_results(peer: Peer, rule: Rule, measured: Measured) -> Measured | None:
    """What a peer gives at the same points, beside the same truths; None where it has no such row."""
    at = [at for at, _ in measured]
    try:
        rows = [peer(rule, [one])[0] for one in at] if rule.variadic else peer(rule, at)
    except LookupError:
        return None
    return [
        (at, [ours._replace(got=got) for ours, got in zip(given, row, strict=True)])
        for (at, given), row in zip(measured, rows, strict=True)
    ]


def fair(rule: Rule, measured: Measured) -> Measured:
    """Where engines can be compared: no kink, and the operands are normal floats or 0.

    Conventions differ at a kink, and a compiler may take subnormal numbers for 0.
    """
    return [
        (at, given)
        for at, given in measured
        if not FLOAT.at_kink(rule, at) and all(map(_is_normal, _flat(at)))
    ]


def _is_normal(number: float) -> bool:
    return number == 0.0 or SMALLEST_NORMAL <= abs(number) < INF


def _flat(at: Operands) -> list[float]:
    return [number for each in at for number in (each if isinstance(each, list) else [each])]


def summary(measured: Measured, slot: int) -> str:
    """The worst error in ulps where the truth is a normal float, and what was lost altogether.

    >>> summary([((20.0,), [Result(1, 0.0, mpmath.mpf(1.7e-17), 0.0)])], 1)
    '0 at 20.0'
    """
    lost: dict[str, Operands] = {}
    errors = []
    for at, given in measured:
        for result in given:
            if (
                result.slot != slot
                or not SMALLEST_NORMAL <= abs(result.truth) <= sys.float_info.max
            ):
                continue
            if result.got == 0.0 or not math.isfinite(result.got):
                lost.setdefault(f"{abs(result.got):.0f}", at)
            else:
                errors.append(ulps_off(result.got, result.truth))
    numbers = [f"{max(errors):.2g}"] if errors else []
    return ", ".join([*numbers, *(f"{word} at {show(at)}" for word, at in lost.items())]) or "-"


TELLING: tuple[tuple[str, int, Operands], ...] = (
    *(("tanh", 1, (x,)) for x in (19.0, 20.0, 300.0)),
    *(("sigmoid", 1, (x,)) for x in (36.0, 40.0, -40.0)),
    *(("softplus", 0, (x,)) for x in (21.0, -40.0)),
    *(("softplus", 1, (x,)) for x in (21.0, -40.0)),
    *(("log1p", slot, (x,)) for slot, x in ((0, 1e-10), (1, -0.9999999999999999))),
    *(("/", 2, at) for at in ((1e-300, 1e-300), (1e-200, 1e-170), (1e308, 1e200))),
    *(("gelu", slot, (-20.0,)) for slot in (0, 1)),
    *(("erf", 1, (x,)) for x in (5.0, 10.0, 20.0, 26.0, 26.1)),
    *((name, 1, (-38.0,)) for name in ("expm1", "elu")),
    ("arctan", 1, (1e160,)),
    ("arcsinh", 1, (1e160,)),
    ("arccosh", 1, (1e160,)),
    ("arctan2", 1, (1e160, 1e160)),
    *(("hypot", slot, (1e200, 1e200)) for slot in (0, 1)),
    *(("logaddexp", slot, (0.0, -40.0)) for slot in (0, 1, 2)),
    *(("**", 1, (0.0, y)) for y in (0.0, 1.0, 2.0)),
    *(("**", 2, (0.0, y)) for y in (0.0, 2.0)),
)
"""Points that tell engines apart: row, result, operands."""


# ---- the tables

ABOUT_REASONS = """\
Why a bound is over 2 ulps for a value or 4 for a derivative, and why an error is held to it in a unit
larger than the result's own ulp:"""
ABOUT_PEERS = """\
The worst error in ulps of every engine at the same points, where the true result and the operands
are normal floats (or operands are 0) and there is no kink; `0 at`, `inf at` and `nan at` name the
first point at which that came out instead of a finite number other than 0; `-` where there is no such
function, or no such point:"""
ABOUT_TELLING = "The numbers themselves at points that tell the engines apart:"


def show(at: Operands) -> str:
    """A point as the tables have it."""
    return ", ".join(map(repr, at))


def result_name(slot: int) -> str:
    """``value``, ``d/dx``, ``d/dy``."""
    return f"d/d{PARAMETERS[slot - 1]}" if slot else "value"


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table that a terminal and Markdown both show.

    >>> print(table(["row", "ulps"], [["tanh", "1"]]))
    | row    | ulps |
    | ------ | ---- |
    | `tanh` | 1    |
    """
    rows = [[f"`{first}`", *rest] for first, *rest in rows]
    widths = [min(max(map(len, column)), 48) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join(
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))} |"
        for line in lines
    )


def accuracy_table(found: list[Worst]) -> str:
    """Worst error, bound and point of every result."""
    return table(
        ["row", "result", "ulps", "bound", "in its unit", "at", "in its unit at"],
        [
            [
                each.rule.name,
                result_name(each.slot),
                f"{each.ulps:.3g}",
                f"{each.bound:g}" + (" BROKEN" if each.off > each.bound else ""),
                f"{each.off:.3g}" if each.has_unit else "",
                show(each.at) if each.ulps else "",
                show(each.off_at) if each.off_at != each.at else "",
            ]
            for each in found
        ],
    )


def reasons(rules: Iterable[Rule]) -> str:
    """Why some bounds are larger, or counted in a larger unit than the result's own ulp."""
    lines = []
    for rule in rules:
        oracle = ORACLES[rule.name]
        if oracle.reason:
            bounds = "/".join(f"{bound:g}" for bound in oracle.ulps[: rule.arity + 1])
            lines.append(f"- `{rule.name}` ({bounds}): {oracle.reason}.")
    return "\n".join(lines)


def telling_table(rules: Iterable[Rule], peers: dict[str, Peer]) -> str:
    """The numbers themselves at the points that tell engines apart."""
    rows = []
    names = {rule.name for rule in rules}
    for name, slot, at in TELLING:
        if name not in names:
            continue
        rule = RULES[name]
        ours: Measured = [(at, results(rule, at))]
        theirs = [peer_results(peer, rule, ours) for peer in peers.values()]
        cells = [repr(each[0][1][slot].got) if each else "-" for each in (ours, *theirs)]
        truth = mpmath.nstr(ours[0][1][slot].truth, 17, min_fixed=-4, max_fixed=6)
        rows.append([name, result_name(slot), show(at), truth, *cells])
    return table(["row", "result", "at", "truth", "ours", *peers], rows)


def peer_table(rules: list[Rule], measured: list[Measured], peers: dict[str, Peer]) -> str:
    """The worst error of every engine at the same points."""
    rows = []
    for rule, ours in zip(rules, (map(fair, rules, measured)), strict=True):
        theirs = [peer_results(peer, rule, ours) for peer in peers.values()]
        rows += [
            [
                rule.name,
                result_name(slot),
                *(summary(each, slot) if each else "-" for each in (ours, *theirs)),
            ]
            for slot in range(rule.arity + 1)
        ]
    return table(["row", "result", "ours", *peers], rows)


# ---- the command


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser("python -m tinygrad_bp.testing.accuracy", description=__doc__)
    parser.add_argument(
        "--points", type=int, default=2000, help="for each row besides the hard ones; 2000"
    )
    parser.add_argument("--row", action="append", choices=RULES, metavar="NAME", help="only this")
    parser.add_argument("--peers", action="store_true", help="PyTorch and JAX beside ours")
    options = parser.parse_args(arguments)
    rules = [RULES[name] for name in options.row or RULES]
    measured = [measure(rule, options.points) for rule in _progress(rules)]
    found = [each for rule, its in zip(rules, measured, strict=True) for each in worst(rule, its)]
    broken = [each for each in found if each.off > each.bound]
    print(
        f"Python {platform.python_version()}, {' '.join(platform.libc_ver())}, "
        f"{platform.system()} {platform.machine()}, mpmath {mpmath.__version__}: "
        f"{sum(map(len, measured))} points\n"
    )
    print(accuracy_table(found))
    if why := reasons(rules):
        print(f"\n{ABOUT_REASONS}\n\n{why}")
    if options.peers:
        peers, missing = installed_peers()
        for name in missing:
            print(f"\n{name} is not installed.")
        if peers:
            print(f"\n{ABOUT_PEERS}\n\n{peer_table(rules, measured, peers)}")
            print(f"\n{ABOUT_TELLING}\n\n{telling_table(rules, peers)}")
    for each in broken:
        print(each, file=sys.stderr)
    return 1 if broken else 0


def _progress(rules: list[Rule]) -> Iterable[Rule]:
    """The rows, with a progress bar on a terminal."""
    if not sys.stderr.isatty():
        return rules
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(rules, "measuring", console=console, transient=True)


def _run() -> int:
    try:
        code = main()
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, as `head`, had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


if __name__ == "__main__":
    sys.exit(_run())
