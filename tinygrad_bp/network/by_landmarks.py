"""The gradient in any graph as a sum over paths, or as a product of Jacobians between landmarks.

This module knows no network.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from tinygrad_bp.engine.names import names
from tinygrad_bp.engine.tape import Edges, Tape, edges_between
from tinygrad_bp.engine.value import Value
from tinygrad_bp.explain.chain import Chain, elided
from tinygrad_bp.explain.formula import (
    Derivative,
    Name,
    Product,
    Quantity,
    Symbol,
    Vector,
    text,
)
from tinygrad_bp.explain.paths import contracted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from tinygrad_bp.explain.formula import Formula


_SIDE = 6  # the largest matrix that is shown whole


class Parts(NamedTuple):
    """What a derivation is made of, once its edges are found.

    Attributes:
        kind: as that of the `Derivation`, and so are ``by``, ``of``, ``place``, ``lines``, ``symbols``
            and ``notes``.
        tape: of the result.
        w: the node to differentiate for.
        chain: the edges, each with its factor.
        sizes: of the layers of a network; else empty.
    """

    kind: str
    tape: Tape
    w: Value
    by: Name | Symbol
    of: Name | Symbol
    place: tuple[int, ...]
    chain: Chain
    lines: tuple[Formula, ...]
    symbols: tuple[str, ...]
    sizes: tuple[int, ...]
    notes: tuple[str, ...]


def of_graph(tape: Tape, w: Value, landmarks: Iterable[Value | Iterable[Value]] | None) -> Parts:
    """The sum over paths, or the product of Jacobians where there are landmarks."""
    e, named = tape.e, tape.names
    of = Name(named.get(e, e.label or "e"))
    by = Name(named.get(w) or names([*tape.nodes, w])[w])
    notes: list[str] = []
    if landmarks is None:
        edges = edges_between(tape.nodes, w)
        labels = {node: Name(named[node]) for node in edges.nodes}
        chain = Chain(edges, labels)
        return Parts("paths", tape, w, by, of, (), chain, (Derivative(of, by),), (), (), ())
    marks = [*_flat(landmarks)]
    rows = contracted(tape, [*marks, w])
    reaching = {w} if w in rows else set()
    for node in reversed(rows):
        if not reaching.isdisjoint(rows[node]) and node is not w:
            reaching.add(node)
    kept = {
        node: [*row.items()] if node is not w else []
        for node, row in rows.items()
        if node in reaching
    }
    # A node below another comes after it; w is below everything that leads to it.
    kept = {node: kept[node] for node in kept if node is not w} | ({w: []} if kept else {})
    kept = {node: [pair for pair in row if pair[0] in reaching] for node, row in kept.items()}
    empty: Edges[Value] = Edges([], [], [], [], [])
    alone: Edges[Value] = Edges([e], [], [], [], [])
    edges = alone if e is w else Edges.of(kept) if e in reaching else empty
    labels = {node: Name(named[node]) for node in edges.nodes}
    chain = Chain(edges, labels, order=marks)
    outside = [each for each in marks if each not in reaching and each is not e]
    for each in dict.fromkeys(outside):
        name = text(Name(named.get(each, each.label or repr(each))))
        notes.append(f"{name} is on no path from {text(of)} to {text(by)}, and is left out.")
    notes += _bypass_notes(chain)
    return Parts(
        "landmarks", tape, w, by, of, (), chain, _jacobian_lines(chain), (), (), tuple(notes)
    )


def _flat(landmarks: Iterable[Any]) -> Iterator[Value]:
    for each in [landmarks] if isinstance(landmarks, Value) else landmarks:
        if isinstance(each, (Value, str)) or not hasattr(
            each, "__iter__"
        ):  # contract refuses what is no Value
            yield each
        else:
            yield from each


def _jacobian_lines(chain: Chain) -> tuple[Formula, ...]:
    """``de/dw`` as the product of the Jacobians between the levels of landmarks, in symbols."""
    levels = [
        _vector([chain.labels[chain.edges.nodes[v]] for v in level]) for level in chain.levels()
    ]
    steps = tuple(Derivative(a, b) for a, b in pairwise(levels))
    return (Product(elided(steps)) if steps else Quantity(1 if chain.edges.nodes else 0),)


def _vector(labels: Sequence[Name | Symbol]) -> Name | Symbol | Vector:
    return labels[0] if len(labels) == 1 else Vector(tuple(labels))


def _bypass_notes(chain: Chain) -> Iterator[str]:
    skipping = chain.bypasses()
    if not skipping:
        return
    shown = [
        f"{text(chain.symbol(edge))} = {text(Quantity(chain.edges.locals[edge]))}"
        for edge in skipping[:_SIDE]
    ]
    more = [f"and {len(skipping) - _SIDE} more"] * (len(skipping) > _SIDE)
    yield (
        f"What bypasses landmarks is in the sum: {', '.join([*shown, *more])}. In the matrices the "
        "lower node of such a step is carried along, with a 1, to its own level."
    )
