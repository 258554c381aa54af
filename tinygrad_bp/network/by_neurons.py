"""The gradient in a network as the note's sum over neurons, from a run's graph."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tinygrad_bp.engine.differentiate import gradients
from tinygrad_bp.engine.tape import Edges, Tape
from tinygrad_bp.engine.value import Value
from tinygrad_bp.errors import ArgumentError, NetworkError
from tinygrad_bp.explain.chain import Chain
from tinygrad_bp.explain.formula import (
    Bracket,
    Derivative,
    Joined,
    Minus,
    Over,
    Product,
    Quantity,
    Sign,
    Sum,
    Symbol,
)
from tinygrad_bp.explain.paths import contracted
from tinygrad_bp.numbers.families import whole
from tinygrad_bp.quoting import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from tinygrad_bp.explain.formula import Formula
    from tinygrad_bp.network.network import Run
    from tinygrad_bp.numbers.kernels import Number


from tinygrad_bp.network.by_landmarks import Parts, of_graph

_LAYERS = 4  # more sums than these are written with dots, as the note has them


def of_network(run: Run, tape: Tape, by: tuple[int | Value, ...]) -> Parts | None:
    """The sum over neurons; nothing where the Value stands in several places of the run."""
    net = run.network
    kind, place = _find(run, tape, by)
    if not kind:
        return None
    run._check_ends()
    n, sizes, top = net.depth, net.sizes, ("e", 0, 0)
    i, j, *rest = place
    w = _value(run, kind, place)
    layers = {m: [*range(1, sizes[m] + 1)] for m in range(i + 1, n + 1)}
    layers[i] = [j]
    labels: dict[Any, Symbol] = {top: Symbol("e")}
    labels |= {("o", m, node): _o(m, node) for m in layers for node in layers[m]}
    bottom: tuple[Any, ...] = {
        "weight": ("w", *place),
        "bias": ("b", *place),
        "target": ("t", n, j),
    }.get(kind, ("z" if kind == "net input" else "o", i, j))
    labels[bottom] = _leaf_symbol(kind, place)
    local = contracted(
        tape, [each(m, v) for m in layers if m for v in layers[m] for each in (run.o, run.z)]
    )

    def slope(m: int, node: int) -> Number:
        o, z = run.o(m, node), run.z(m, node)
        return 1 if o is z else local.get(o, {}).get(z, 0)

    rows: dict[Any, list[tuple[Any, Number]]]
    if kind == "target":
        rows = {top: [(bottom, gradients(run.e, [w])[0])], bottom: []}
    else:
        rows = {top: [(("o", n, v), local[run.e].get(run.o(n, v), 0)) for v in layers[n]]}
        for m in range(n, max(i, 1) - 1, -1):
            if ("o", m, layers[m][0]) != bottom:
                rows |= {("o", m, v): [(("z", m, v), slope(m, v))] for v in layers[m]}
            if m == i:
                break
            for v in layers[m]:
                weights = run.z(m, v).parents[0].local_derivatives[sizes[m - 1] :]
                rows["z", m, v] = [(("o", m - 1, b), weights[b - 1]) for b in layers[m - 1]]
        if kind in ("weight", "bias"):
            z = run.z(i, j)
            last = z.parents[0].local_derivatives[rest[0] - 1] if rest else z.local_derivatives[1]
            rows["z", i, j] = [(bottom, last)]
        rows[bottom] = []

    symbol = partial(_factor, n, kind == "target")  # which can be pickled, as a closure cannot
    return Parts(
        kind,
        tape,
        w,
        labels[bottom],
        labels[top],
        place
        if kind in ("weight", "bias")
        else place[1:]
        if kind in ("input", "target")
        else place,
        Chain(Edges.of(rows), labels, symbol),
        _note_lines(n, sizes, i, j, kind, labels[bottom], symbol, bottom),
        tuple(f"k{m}" for m in range(n, i, -1)) if kind != "target" else (),
        sizes,
        (),
    )


def _factor(n: int, target: bool, above: tuple[Any, ...], below: tuple[Any, ...]) -> Formula:  # noqa: FBT001
    """The symbol of the factor between two places of a network with ``n`` layers."""
    if above[0] == "e":
        return _twice(below[2], n, target=target)
    if above[0] == "o":
        return Symbol("f'", above[1], (above[2],))
    if below[0] == "w":
        return _o(below[1] - 1, below[3])
    return Quantity(-1) if below[0] == "b" else Symbol("w", above[1], (above[2], below[2]))


def _find(run: Run, tape: Tape, by: tuple[int | Value, ...]) -> tuple[str, tuple[int, ...]]:
    """What kind of thing is meant, and its place; no kind where it has several places or is inner."""
    net = run.network
    indices = tuple(number for number in map(whole, by) if number is not None)
    if len(indices) == len(by) and len(by) in (2, 3):
        net.check_indices(*indices)
        return ("bias" if len(by) == 2 else "weight"), indices
    if len(by) != 1 or not isinstance(by[0], Value):
        raise ArgumentError(
            "derivation(run, i, j, k) is for a weight, (run, i, j) for a bias, and (run, value) for "
            f"one of the run's Values; not {', '.join(map(repr, by)) or 'nothing'}"
        )
    (value,) = by
    n, sizes = net.depth, net.sizes
    places: list[tuple[str, tuple[int, ...]]] = []
    for m in range(n + 1):
        for j in range(1, sizes[m] + 1):
            if run.o(m, j) is value:
                places.append(("node", (m, j)) if m else ("input", (0, j)))
            if m and run.z(m, j) is value and run.o(m, j) is not value:
                places.append(("net input", (m, j)))
            if m and net.b(m, j) is value:
                places.append(("bias", (m, j)))
            if m == n and run.t(j) is value:
                places.append(("target", (n, j)))
            if m:
                row = range(1, sizes[m - 1] + 1)
                places += [("weight", (m, j, k)) for k in row if net.w(m, j, k) is value]
    if len(places) == 1:
        return places[0]
    if not places and value not in tape.places:
        raise NetworkError(
            f"{quoted(value, 160)} is no part of {run!r}: give one of its own Values"
        )
    return "", ()


def _value(run: Run, kind: str, place: tuple[int, ...]) -> Value:
    net = run.network
    if kind == "weight":
        return net.w(*place)
    if kind == "bias":
        return net.b(*place)
    if kind == "target":
        return run.t(place[1])
    return run.z(*place) if kind == "net input" else run.o(*place)


def _o(layer: int, node: int | str) -> Symbol:
    return Symbol("o", layer, (node,)) if layer else Symbol("x", "", (node,))


def _leaf_symbol(kind: str, place: tuple[int, ...]) -> Symbol:
    i, *indices = place
    if kind in ("node", "input"):
        return _o(i, indices[0])
    if kind == "target":
        return Symbol("t", "", (indices[0],))
    return Symbol({"weight": "w", "bias": "b", "net input": "z"}[kind], i, tuple(indices))


def _twice(node: int | str, n: int, *, target: bool = False) -> Formula:
    """``2(o − t)``, or the other way round for the target."""
    o, t = Symbol("o", n, (node,)), Symbol("t", "", (node,))
    return Joined((Quantity(2), Bracket(Sum((t, Minus(o)) if target else (o, Minus(t))), "()")))


def _note_lines(
    n: int,
    sizes: Sequence[int],
    i: int,
    j: int,
    kind: str,
    by: Symbol,
    symbol: Callable[[Any, Any], Formula],
    bottom: tuple[Any, ...],
) -> tuple[Formula, ...]:
    """The note's lines: the chain rule, the same expanded, the same in brackets."""
    e = Symbol("e")
    if kind == "target":
        return (Derivative(e, by), symbol(("e", 0, 0), bottom), symbol(("e", 0, 0), bottom))
    nodes: list[int | str] = [*(f"k{m}" for m in range(n, i, -1)), j]
    sums = [Over(f"k{m}", sizes[m]) for m in range(n, i, -1)]
    tail: list[Formula] = []
    if kind in ("weight", "bias", "net input"):
        tail.append(Symbol("f'", i, (j,)))
    if kind in ("weight", "bias"):
        tail.append(symbol(("z", i, j), bottom))
    pairs = [
        (Symbol("f'", m, (above,)), Symbol("w", m, (above, below)))
        for m, above, below in zip(range(n, i, -1), nodes, nodes[1:], strict=False)
    ]
    steps = [
        Derivative(_o(m, above), _o(m - 1, below))
        for m, above, below in zip(range(n, i, -1), nodes, nodes[1:], strict=False)
    ]
    first = Derivative(e, _o(n, nodes[0]))
    end = [Derivative(_o(i, j), by)] if tail else []
    chain: list[Formula] = [*sums[:1], first]
    for place, step in enumerate(steps):
        chain += [*sums[place + 1 : place + 2], step]
    far = len(pairs) > _LAYERS
    dots: list[Formula] = [Sign("⋯")]
    if far:
        chain = [*chain[:4], *dots, steps[-1]]
    factors: list[Formula] = [each for pair in pairs for each in pair]
    inner: Formula | None = Bracket(Product(tuple(tail))) if tail else None
    kept = [*range(2), *range(len(pairs) - 2, len(pairs))] if far else range(len(pairs))
    for place in reversed(kept):
        if far and place == 1:
            inner = Bracket(Product((Sign("⋯"), *([inner] if inner else []))))
        over = sums[place + 1 : place + 2]
        parts = (*over, *pairs[place], *([inner] if inner else []))
        inner = Bracket(Product(parts))
    outer = (*sums[:1], _twice(nodes[0], n), *([inner] if inner else []))
    return (
        Product((*chain, *end)),
        Product(
            (
                *(sums if not far else [*sums[:2], *dots, sums[-1]]),
                _twice(nodes[0], n),
                *(factors if not far else [*factors[:4], *dots, *factors[-2:]]),
                *tail,
            )
        ),
        Product(outer),
    )


def of_run_as_graph(
    run: Run,
    tape: Tape,
    by: tuple[int | Value, ...],
    landmarks: Iterable[Value | Iterable[Value]] | None,
) -> Parts:
    """A run as any other graph: what stands in several places of it, or is asked for with landmarks."""
    kind, place = _find(run, tape, by)
    w = _value(run, kind, place) if kind else next(each for each in by if isinstance(each, Value))
    net = run.network
    if landmarks is None:
        landmarks = [
            [run.o(m, j) for j in range(1, net.sizes[m] + 1)] for m in range(1, net.depth + 1)
        ]
    return of_graph(tape, w, landmarks)
