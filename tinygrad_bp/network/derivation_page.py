"""What a derivation shows: its equations, its table of terms, and why back-propagation is cheap.

The gradient comes worked out; this module only says it, as text, LaTeX, HTML and data.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tinygrad_bp.explain.chain import RESULT, Chain, Summand, elided, multiplications, size_of
from tinygrad_bp.explain.formula import (
    Derivative,
    Name,
    Product,
    Quantity,
    Sign,
    Symbol,
    Words,
    text,
)
from tinygrad_bp.explain.paths import NOTHING_CANCELS, cancelled
from tinygrad_bp.explain.report import (
    Equation,
    Facts,
    Grid,
    MatrixProduct,
    Page,
    Prose,
    Row,
    Table,
)
from tinygrad_bp.numbers.text import format_number, plain_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from tinygrad_bp.explain.differences import Estimate
    from tinygrad_bp.explain.formula import Formula
    from tinygrad_bp.explain.report import Block
    from tinygrad_bp.numbers.kernels import Number


TERMS = 12
"""So many terms are written out; the rest are summed in one line."""
_SIDE = 6  # the largest matrix that is shown whole


_DELTAS = (
    "Back-propagation brackets the same sum from the other end.  Its brackets are the deltas de/do; "
    "each is worked out once, kept, and serves every weight below it:"
)


@dataclass(frozen=True, eq=False, repr=False)
class Derivation(Page):
    """A gradient, term by term; shows itself in notebooks, and ``print`` writes it out.

    Attributes:
        kind: ``"weight"``, ``"bias"``, ``"input"``, ``"node"``, ``"net input"`` or ``"target"`` of a
            network; ``"landmarks"`` or ``"paths"`` of another graph.
        of: what is differentiated, ``e``.
        by: for what, ``w``.
        place: its indices in a network, ``(i, j, k)``; else empty.
        lines: the note's lines in symbols: chain rule, expanded, bracketed; of another graph the
            chain of Jacobians, where there are landmarks.
        symbols: the indices that the sum runs over, ``k_n, ..., k_{i+1}``.
        terms: the largest, the largest first; of symbols, which have no size, the first.
        count: how many terms there are.
        rest: the sum of those that are not in ``terms``.
        total: the sum of all.
        gross: the sum of their sizes; ``None`` of symbols.
        gradient: what the backward pass gives.
        estimate: a finite difference; ``None`` where none was taken.
        eta: the learning rate; ``None`` if it is to stay a letter.
        update: ``-eta de/dw``; ``None`` without a number for eta, and where nothing is learned.
        notes: what else is to be said.
    """

    kind: str
    of: Name | Symbol
    by: Name | Symbol
    place: tuple[int, ...]
    lines: tuple[Formula, ...]
    symbols: tuple[str, ...]
    terms: list[Summand]
    count: int
    rest: Number
    total: Number
    gross: Number | None
    gradient: Number
    estimate: Estimate | None
    eta: Number | None
    update: Number | None
    notes: tuple[str, ...]
    _chain: Chain = field(repr=False)
    _at: Number = field(repr=False)
    _learns: bool = field(repr=False)
    _sizes: tuple[int, ...] = field(repr=False)

    @property
    def name(self) -> str:
        """What the gradient is for, ``w[i][j,k]``."""
        return text(self.by)

    @property
    def formula(self) -> str:
        """The sum in symbols, as a line of text: row "summation, expanded" for a network."""
        return text(self.lines[1] if len(self.lines) > 1 else self.lines[0])

    @property
    def deltas(self) -> dict[str, Number]:
        """``de/do`` of every node on the way, by its name: the brackets that back-propagation keeps."""
        return self._chain.named(self._chain.down)

    @property
    def brackets(self) -> dict[str, Number]:
        """``do/dw`` of every node on the way, by its name: the brackets of the note's last form."""
        return self._chain.named(self._chain.up)

    @property
    def jacobians(self) -> list[list[list[Number]]]:
        """The matrices between the levels of landmarks, from the result down; their product is the gradient.

        A node that is used above its own level is carried along, with a 1 in the matrices between.
        """
        return [matrix for _, _, matrix in self._chain.jacobians()]

    def multiplications(self) -> tuple[int, int]:
        """How many multiplications the terms take one by one, and by brackets."""
        return self._chain.one_by_one(), len(self._chain.products())

    def shared(self, other: Derivation) -> Shared:
        """Which of the deltas two gradients have in common, and what that saves.

        >>> from tinygrad_bp import Network, derivation
        >>> run = Network.random([2, 3, 2], seed=1).forward([1.0, 2.0], [0.0, 0.0])
        >>> shared = derivation(run, 1, 1, 1).shared(derivation(run, 1, 1, 2))
        >>> [*shared.deltas], shared.together < shared.apart < shared.one_by_one
        (['o[2][1]', 'o[2][2]', 'o[1][1]'], True)
        """
        ours, theirs = self._chain, other._chain
        common = ours.products().keys() & theirs.products().keys()
        deltas = {name: self.deltas[name] for name in self.deltas if name in other.deltas}
        same = set(ours.edges.nodes) & set(theirs.edges.nodes)
        names_of_same = {text(ours.labels[node]) for node in same if node in ours.labels}
        return Shared(
            self,
            other,
            {name: delta for name, delta in deltas.items() if name in names_of_same},
            ours.one_by_one() + theirs.one_by_one(),
            len(ours.products()) + len(theirs.products()),
            len(ours.products()) + len(theirs.products()) - len(common),
        )

    # ---- the page

    def blocks(self) -> Iterator[Block]:
        """What there is to read: see `to_text`, `to_latex`, `to_html`."""
        head = Derivative(self.of, self.by)
        if not self.count:
            yield Equation(head, (Quantity(0),))
            yield Prose((self.of, " does not depend on ", self.by))
        elif self.kind == "paths" and self.count == 1:
            yield self._single_path(head)
        else:
            yield from self._in_symbols(head)
            yield from self._in_numbers(head)
            yield self._table()
        yield from (Prose((note,)) for note in self.notes)
        yield self._facts(head)
        if self.count and self._sizes:
            yield from self._why_cheap(head)

    def _single_path(self, head: Derivative) -> Equation:
        (term,) = self.terms
        if len(term.factors) <= 1:
            return Equation(head, (Quantity(term.value, RESULT),), aligned=True)
        numbers = tuple(Quantity(each, RESULT) for each in term.factors)
        return Equation(
            head,
            (
                Product(elided(term.symbols)),
                Product(elided(numbers), "×"),
                Quantity(term.value, RESULT),
            ),
            aligned=True,
        )

    def _in_symbols(self, head: Derivative) -> Iterator[Block]:
        if self.kind == "paths":
            yield Equation(head, (Words(f"Σ over {_many(self.count, 'path')}"),), aligned=True)
        elif self.kind == "landmarks":
            yield Equation(head, self.lines, aligned=True)
            yield MatrixProduct(tuple(_grid(each) for each in self.jacobians))
        else:
            chain, expanded, bracketed = self.lines
            yield Equation(head, (expanded, bracketed, chain))

    def _in_numbers(self, head: Derivative) -> Iterator[Block]:
        words = (
            "The same with the numbers of this run" if self._sizes else "The same multiplied out"
        )
        closed = (
            ""
            if self.count == len(self.terms)
            else "; of each only the largest summand is opened, and the smallest are added up"
        )
        yield Prose((f"{words}, bracket by bracket{closed}:",))
        nested = self._chain.nested(len(self.terms))
        total = () if self._chain.symbolic else (Quantity(self.total, RESULT),)
        yield Equation(head, (nested, *total), aligned=not self._sizes)

    def _table(self) -> Table:
        sizes = [size_of(term.value) for term in self.terms]
        finite = [each for each in sizes if math.isfinite(each)]
        largest_size = max(finite, default=0.0) or 1.0
        rows = tuple(
            Row(
                _key(term.indices, network=bool(self._sizes)),
                self._chain.shown_value(term.value),
                math.copysign(size, -1.0 if _is_negative(term.value) else 1.0) / largest_size,
                Product(elided(tuple(map(self._chain.shown, term.factors, term.symbols)))),
            )
            for term, size in zip(self.terms, sizes, strict=True)
        )
        left = self.count - len(self.terms)
        rest = (
            f"... and {_many(left, 'other')}, together",
            Quantity(self.rest, RESULT, signed=True),
        )
        header = _key(self.symbols, network=True) if self._sizes else "through"
        return Table(header, rows, rest if left else None)

    def _why_cheap(self, head: Derivative) -> Iterator[Block]:
        yield Prose(
            (
                "Each bracket is the derivative for ",
                self.by,
                " of the output before it: worked out upwards, it serves this gradient alone.  ",
                _DELTAS,
            )
        )
        yield Facts(tuple(self._deltas()))
        last = [
            edge
            for edge in range(len(self._chain.edges.above))
            if not self._chain.edges.below[edge]
        ]
        if len(last) == 1 and self.kind in ("weight", "bias"):
            symbols, numbers = self._chain.last_step()
            yield Equation(head, (symbols, numbers))
        one_by_one, brackets = self.multiplications()
        every = multiplications(self._sizes)
        cost = (
            f"Multiplications: {_power(one_by_one)} for the {_many(self.count, 'term')} one by one, "
            f"{brackets} by brackets.  For all {every.weights} weights of the network: "
            f"{_power(every.one_by_one)} term by term, {every.apart} by brackets for each weight "
            f"anew, {every.together} with the deltas kept."
        )
        yield Prose((cost,))

    def _deltas(self) -> Iterator[tuple[str, tuple[str | Formula, ...]]]:
        layers: dict[int, list[tuple[int, Number]]] = {}
        for node, delta in zip(self._chain.edges.nodes, self._chain.down, strict=True):
            if node[0] == "o" and node != self._chain.edges.nodes[0]:
                layers.setdefault(node[1], []).append((node[2], delta))
        for layer, found in sorted(layers.items(), reverse=True)[:_SIDE]:
            row: list[str | Formula] = []
            for place, (node, delta) in enumerate(sorted(found)[:_SIDE]):
                row += [", " * bool(place), f"{node}: ", Quantity(delta)]
            row += [f" ... ({len(found)} nodes)"] * (len(found) > _SIDE)
            yield f"de/do[{layer}]", tuple(row)
        if len(layers) > _SIDE:
            yield "...", (f"({len(layers)} layers)",)

    def _facts(self, head: Derivative) -> Facts:
        single = self.kind == "paths" and self.count <= 1
        signed = not single
        rows: list[tuple[str, tuple[str | Formula, ...]]] = []
        if not single:
            rows.append(("sum of the terms", (Quantity(self.total, RESULT, signed=True),)))
            words = cancelled(self.total, self.gross)
            if words and words != NOTHING_CANCELS:
                rows.append(("sum of the sizes", (Quantity(self.gross, RESULT), f": {words}")))
        rows.append(("backward", (Quantity(self.gradient, RESULT, signed),)))
        if self.estimate is not None:
            rows.append(("finite difference", _difference(self.estimate, signed=signed)))
        if self._learns:
            rows.append(("update", self._update(head)))
        # Beneath a single line the facts stand as they do beside a sum in a textbook.
        return Facts(tuple(rows), indent=len(text(head)) + 3 if single and self.count else 0)

    def _update(self, head: Derivative) -> tuple[str | Formula, ...]:
        start: tuple[str | Formula, ...] = ("Δ", self.by, " = −η ", head, " = ")
        if self.eta is None or self.update is None:
            return (*start, Product((Quantity(-self.gradient, RESULT), Name("η"))))
        product = Product((Quantity(-self.eta), Quantity(self.gradient, RESULT)))
        moved = self._at + self.update
        return (
            *(*start, product, " = ", Quantity(self.update, RESULT), "; "),
            *(self.by, " becomes ", Quantity(moved, RESULT)),
        )

    def to_dict(self) -> dict[str, Any]:
        """The derivation as data that JSON can hold: numbers, and text for what is none there."""
        chain = self._chain
        one_by_one, brackets = self.multiplications()
        data: dict[str, Any] = {
            "of": text(self.of),
            "for": self.name,
            "kind": self.kind,
            "place": list(self.place),
            "formula": self.formula,
            "lines": [text(each) for each in self.lines],
            "numbers": text(chain.nested(len(self.terms))) if self.count else "0",
            "indices": list(self.symbols),
            "gradient": plain_number(self.gradient),
            "total": plain_number(self.total),
            "gross": None if self.gross is None else plain_number(self.gross),
            "count": self.count,
            "terms": [
                {
                    "indices": list(term.indices),
                    "symbols": [text(each) for each in term.symbols],
                    "factors": [plain_number(each) for each in term.factors],
                    "value": plain_number(term.value),
                }
                for term in self.terms
            ],
            "rest": {"count": self.count - len(self.terms), "value": plain_number(self.rest)},
            "finite_difference": _estimate_dict(self.estimate),
            "eta": None if self.eta is None else plain_number(self.eta),
            "update": None if self.update is None else plain_number(self.update),
            "deltas": {name: plain_number(each) for name, each in self.deltas.items()},
            "brackets": {name: plain_number(each) for name, each in self.brackets.items()},
            "multiplications": {"one_by_one": one_by_one, "brackets": brackets},
            "notes": list(self.notes),
        }
        if self.kind == "landmarks":
            data["jacobians"] = [
                {
                    "of": [text(chain.labels[node]) for node in upper],
                    "for": [text(chain.labels[node]) for node in lower],
                    "rows": [[plain_number(each) for each in row] for row in matrix],
                }
                for upper, lower, matrix in chain.jacobians()
            ]
        return data

    def __repr__(self) -> str:
        head = text(Derivative(self.of, self.by))
        return f"<Derivation {head} = {format_number(self.total)}, {_many(self.count, 'term')}>"


@dataclass(frozen=True, eq=False, repr=False)
class Shared(Page):
    """What two gradients have in common: why back-propagation is cheap.

    Attributes:
        first: one derivation.
        second: the other.
        deltas: the brackets that both need, ``de/do`` by the node's name.
        one_by_one: how many multiplications the terms of both take.
        apart: how many by brackets, for each of the two by itself.
        together: how many if what they share is worked out once.
    """

    first: Derivation
    second: Derivation
    deltas: dict[str, Number]
    one_by_one: int
    apart: int
    together: int

    def blocks(self) -> Iterator[Block]:
        """What there is to read: see `to_text`, `to_latex`, `to_html`."""
        first, second = self.first, self.second
        yield Prose((f"Deltas that {first.name} and {second.name} share:",))
        shown = [*self.deltas.items()]
        rows: list[tuple[str, tuple[str | Formula, ...]]] = [
            (f"d{text(first.of)}/d{name}", (Quantity(delta),)) for name, delta in shown[:TERMS]
        ]
        if len(shown) > TERMS:
            rows.append(("...", (f"{len(shown)} in all",)))
        yield Facts(tuple(rows)) if rows else Prose(("none",))
        cost = (
            f"Multiplications for both gradients: {_power(self.one_by_one)} term by term, "
            f"{self.apart} by brackets for each by itself, {self.together} with what they share "
            "worked out once."
        )
        yield Prose((cost,))

    def to_dict(self) -> dict[str, Any]:
        """The same as data that JSON can hold."""
        return {
            "first": self.first.name,
            "second": self.second.name,
            "deltas": {name: plain_number(each) for name, each in self.deltas.items()},
            "multiplications": {
                "one_by_one": self.one_by_one,
                "apart": self.apart,
                "together": self.together,
            },
        }

    def __repr__(self) -> str:
        return f"<Shared {self.first.name} and {self.second.name}: {len(self.deltas)} deltas>"


# ---- how things are shown


def _grid(matrix: Sequence[Sequence[Number]]) -> Grid:
    """A matrix, with dots for the middle of a large one."""
    rows = [_dotted([Quantity(each) for each in row]) for row in matrix]
    if len(rows) > _SIDE:
        rows = [*rows[:3], tuple(Sign("⋯") for _ in rows[0]), rows[-1]]
    return Grid(tuple(rows))


def _dotted(cells: Sequence[Formula]) -> tuple[Formula, ...]:
    return tuple(cells) if len(cells) <= _SIDE else (*cells[:3], Sign("⋯"), cells[-1])


def _key(indices: tuple[int | str, ...], *, network: bool) -> str:
    names = [text(Name(str(each))) for each in indices]
    if len(names) > _SIDE + 2:
        names = [*names[: _SIDE - 1], "...", *names[-2:]]
    if network:
        return f"({', '.join(names)})" if names else "one term"
    return " → ".join(names) or "(direct)"


def _is_negative(number: Number) -> bool:
    try:
        return bool(number < 0)
    except TypeError:
        return False


def _many(number: int, what: str) -> str:
    return f"{_power(number)} {what}{'' if number == 1 else 's'}"


def _power(number: int) -> str:
    """A whole number, or how long it is."""
    shown = format_number(number)
    return shown if len(shown) <= 24 else f"{shown[0]}.{shown[1:4]}e+{len(shown) - 1}"


def _difference(estimate: Estimate, *, signed: bool) -> tuple[str | Formula, ...]:
    if math.isnan(estimate.value):
        return ("inconclusive: a kink, or no finite values around",)
    return Quantity(estimate.value, RESULT, signed), " ± ", Quantity(estimate.error, 1)


def _estimate_dict(estimate: Estimate | None) -> dict[str, Any] | None:
    return estimate._asdict() if estimate and math.isfinite(estimate.value) else None
