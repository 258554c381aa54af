"""A gradient written out: the formula, the same with this run's numbers, the terms, the total.

``derivation(run, i, j, k)`` is for a weight of a network, in the note's notation;
``derivation(e, w)`` for a node of any graph, path by path; ``derivation(e, w, landmarks=[...])`` for
the same as a product of Jacobians between nodes that somebody named.  All three read one thing: the
edges of a graph, of neurons or of Values, each with its factor.  The backward pass's own value and a
finite difference stand beside the total, so that a reader need not believe it.  Nothing here touches
a ``grad``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from tinygrad_bp.engine.differentiate import gradients
from tinygrad_bp.engine.functions import fsum
from tinygrad_bp.engine.names import names
from tinygrad_bp.engine.tape import Edges, Tape, edges_between
from tinygrad_bp.engine.value import Value
from tinygrad_bp.errors import ArgumentError, BackpropError, NetworkError
from tinygrad_bp.explain.chain import RESULT, Chain, Summand, elided, multiplications, size_of
from tinygrad_bp.explain.differences import Estimate, finite_difference
from tinygrad_bp.explain.formula import (
    Bracket,
    Derivative,
    Joined,
    Minus,
    Name,
    Operation,
    Over,
    Product,
    Quantity,
    Sign,
    Sum,
    Symbol,
    Vector,
    Words,
    is_symbolic,
    text,
)
from tinygrad_bp.explain.paths import NOTHING_CANCELS, cancelled, contracted
from tinygrad_bp.explain.report import (
    Equation,
    Facts,
    Grid,
    MatrixProduct,
    Page,
    Prose,
    Record,
    Row,
    Table,
)
from tinygrad_bp.explain.steps import written
from tinygrad_bp.network.network import Run, recorded_tape
from tinygrad_bp.numbers.arithmetic import meeting
from tinygrad_bp.numbers.families import check_number, python_number, whole
from tinygrad_bp.numbers.of_python import FLOAT
from tinygrad_bp.numbers.text import format_number, plain_number
from tinygrad_bp.quoting import quoted
from tinygrad_bp.table.notation import lists

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from tinygrad_bp.explain.formula import Formula
    from tinygrad_bp.explain.report import Block
    from tinygrad_bp.numbers.kernels import Number
    from tinygrad_bp.table.rules import Rule

TERMS = 12
"""So many terms are written out; the rest are summed in one line."""


_LAYERS = 4  # more sums than these are written with dots, as the note has them
_SIDE = 6  # the largest matrix that is shown whole
_REPLAYED = 100_000  # operands that a finite difference evaluates again at each of its steps


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

        >>> from tinygrad_bp import Network
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


# ---- the call


def derivation(
    of: Run | Value,
    *by: int | Value,
    landmarks: Iterable[Value | Iterable[Value]] | None = None,
    eta: Number | None = None,
    terms: int = TERMS,
    again: Callable[[float], float] | None = None,
    named: Mapping[Value, str] | None = None,
) -> Derivation:
    """A gradient written out, with the numbers in it: as text, LaTeX, HTML and data.

    Args:
        of: a network's run, or the result of any graph.
        by: for a run the indices of a weight ``i, j, k`` or of a bias ``i, j``, or one of its
            Values: ``run.x(k)``, ``run.o(i, j)``, ``run.z(i, j)``, ``run.t(j)``, ``net.w(i, j, k)``,
            ``net.b(i, j)``.  For another graph the leaf or inner node ``w``.
        landmarks: nodes between the result and ``w``, in any order, or in lists: the gradient is
            then the product of the Jacobians between their levels.  What bypasses them is carried
            along exactly, and said.
        eta: the learning rate, for the update as a number.
        terms: how many terms are written out; all the others are one number.
        again: gives the result for another value of ``w``, for the finite difference; without it the
            recorded operations are done again.
        named: a name for each node of the graph, if not those of `tinygrad_bp.engine.graph.names`.

    Raises:
        IndexError: an index is 0 or past the end.
        NetworkError: the run has no target, or the Value is none of its own.
        ArgumentError: what to differentiate for is neither indices nor a Value.
        DataError: the local derivatives cannot be multiplied, as ``Decimal`` and ``float``.
        NumberRangeError: an exact number is too large for the float that it meets.

    >>> from tinygrad_bp import Network
    >>> net = Network([[[2.0]], [[3.0]]], [[1.0], [0.0]], "identity")
    >>> derived = derivation(net.forward([5.0], [26.0]), 1, 1, 1)
    >>> print(derived.formula)
    Σ_k2 2(o[2][k2] − t[k2]) · f'[2][k2] · w[2][k2,1] · f'[1][1] · x[1]
    >>> derived.total, derived.gradient
    (30.0, 30.0)

    >>> w, x = Value(0.5, "w"), Value(2.0, "x")
    >>> print(derivation((w * x) ** 2, w, again=lambda w: (w * 2.0) ** 2))  # doctest: +ELLIPSIS
    de/dw = de/dv1 · dv1/dw
          = 2 × 2
          = 4
            backward: 4
            finite difference: 4 ± ...
            update: Δw = −η de/dw = -4 · η
    """
    if isinstance(of, Run):
        tape = recorded_tape(of, named)
        made = _of_network(of, tape, by) if landmarks is None else None
        return _derive(made or _of_run_as_graph(of, tape, by, landmarks), eta, terms, again)
    if not isinstance(of, Value):
        way_out = ": give net.forward(x, t)" * (type(of).__name__ == "Network")
        raise ArgumentError(
            f"derivation is of a Run or a Value, not {type(of).__name__} {of!r:.60}{way_out}"
        )
    if len(by) != 1 or not isinstance(by[0], Value):
        given = ", ".join(map(repr, by)) or "nothing"
        raise ArgumentError(
            f"derivation(e, w) takes the node to differentiate for, not {given:.160}"
        )
    tape = Tape.from_result(of, named or None)
    return derivation_of(tape, by[0], landmarks=landmarks, eta=eta, terms=terms, again=again)


def derivation_of(
    tape: Tape,
    w: Value,
    *,
    landmarks: Iterable[Value | Iterable[Value]] | None = None,
    eta: Number | None = None,
    terms: int = TERMS,
    again: Callable[[float], float] | None = None,
) -> Derivation:
    """`derivation` of the result of a tape."""
    with meeting(lambda: f"derivation of {tape.e!r:.160}"):
        made = _of_graph(tape, w, landmarks)
    return _derive(made, eta, terms, again)


def forward(named: Mapping[Value, str]) -> Record:
    """The forward pass with its numbers: a line for each operation among the nodes, in their order.

    Args:
        named: the nodes with their names; every parent of a node is among them.

    >>> from tinygrad_bp.explain.report import to_text
    >>> x = Value(3.0, "x")
    >>> print(to_text([forward({x: "x", x * x: "e"})]))
      e = x * x = 9
    """
    return Record(
        tuple(
            (Name(name), _operation(node, node.rule, named), Quantity(node.data, RESULT))
            for node, name in named.items()
            if node.rule
        )
    )


def _operation(node: Value, rule: Rule, named: Mapping[Value, str]) -> Operation:
    operands = [
        Name(named[each]) if isinstance(each, Value) else Quantity(each, RESULT)
        for each in node.operands
    ]
    if rule.variadic:
        vectors = [Vector(tuple(each)) for each in lists(rule, operands)]
        return Operation(rule, tuple(vectors), written(node, named))
    return Operation(rule, tuple(operands), written(node, named))


class _Made(NamedTuple):
    """What a derivation is made of, once its edges are found."""

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


def _derive(
    made: _Made, eta: Number | None, most: int, again: Callable[[float], float] | None
) -> Derivation:
    if eta is not None:
        check_number(eta, where="the learning rate eta")
        eta = python_number(eta)
    chain, tape = made.chain, made.tape
    number = chain.count()
    terms = chain.terms(most) if number else []
    gradient = gradients(tape.e, [made.w])[0]
    values = [term.value for term in terms]
    if number > len(terms):
        rest = fsum([chain.down[0], *(-value for value in values)])
        total = chain.down[0]
    else:
        rest, total = 0, fsum(values) if values else 0
    at = tape.data[tape.places[made.w]] if made.w in tape.places else made.w.data
    learns = made.w.rule is None and made.kind not in ("input", "target")
    gross = None if chain.symbolic else chain.edges.down([*map(abs, chain.edges.locals)])
    return Derivation(
        kind=made.kind,
        of=made.of,
        by=made.by,
        place=made.place,
        lines=made.lines,
        symbols=made.symbols,
        terms=terms,
        count=number,
        rest=rest,
        total=total,
        gross=gross if gross is None else gross[0] if gross else 0,
        gradient=gradient,
        estimate=_estimate(made, at, again),
        eta=eta,
        update=-eta * gradient if eta is not None and learns else None,
        notes=made.notes,
        _chain=chain,
        _at=at,
        _learns=learns,
        _sizes=made.sizes,
    )


# ---- a network


def _of_network(run: Run, tape: Tape, by: tuple[int | Value, ...]) -> _Made | None:
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
    return _Made(
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


def _of_run_as_graph(
    run: Run,
    tape: Tape,
    by: tuple[int | Value, ...],
    landmarks: Iterable[Value | Iterable[Value]] | None,
) -> _Made:
    """A run as any other graph: what stands in several places of it, or is asked for with landmarks."""
    kind, place = _find(run, tape, by)
    w = _value(run, kind, place) if kind else next(each for each in by if isinstance(each, Value))
    net = run.network
    if landmarks is None:
        landmarks = [
            [run.o(m, j) for j in range(1, net.sizes[m] + 1)] for m in range(1, net.depth + 1)
        ]
    return _of_graph(tape, w, landmarks)


# ---- any other graph


def _of_graph(tape: Tape, w: Value, landmarks: Iterable[Value | Iterable[Value]] | None) -> _Made:
    e, named = tape.e, tape.names
    of = Name(named.get(e, e.label or "e"))
    by = Name(named.get(w) or names([*tape.nodes, w])[w])
    notes: list[str] = []
    if landmarks is None:
        edges = edges_between(tape.nodes, w)
        labels = {node: Name(named[node]) for node in edges.nodes}
        chain = Chain(edges, labels)
        return _Made("paths", tape, w, by, of, (), chain, (Derivative(of, by),), (), (), ())
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
    return _Made(
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


# ---- a second opinion


def _estimate(made: _Made, at: Number, again: Callable[[float], float] | None) -> Estimate | None:
    """A finite difference; none of symbols, nor where the graph is too large or its leaves have moved."""
    if made.chain.symbolic or is_symbolic(at):
        return None
    try:
        f = again or _replay(made.tape, made.w)
        return f and finite_difference(lambda numbers: f(numbers[0]), [float(at)], 0)
    except (TypeError, ArithmeticError, BackpropError):  # a symbol, or one too large for a float
        return Estimate(math.nan, math.inf)


def _replay(tape: Tape, w: Value) -> Callable[[float], float] | None:
    """The recorded operations done again in floats, for another value of one node."""
    top, bottom = len(tape.nodes) - 1, tape.places.get(w)
    moving = tape.edges.reaching([] if bottom is None else [bottom])
    if bottom is None or not moving[top]:
        return lambda _: float(tape.e.data)
    rows, constants = tape.operands()
    steps = [place for place, row in enumerate(rows) if row and moving[place] and place != bottom]
    if sum(len(rows[place]) for place in steps) > _REPLAYED:
        return None
    recorded_numbers = [*tape.data, *constants]
    numbers = [math.nan] * len(recorded_numbers)
    for place in {bottom}.union(*(rows[place] for place in steps)):
        if place == bottom or place < 0 or not moving[place]:
            numbers[place] = float(recorded_numbers[place])
    program = [
        (_float_operation(rule, rows[place]), place)
        for place in steps
        if (rule := tape.nodes[place].rule)
    ]

    def f(number: float) -> float:
        numbers[bottom] = number
        for operation, place in program:
            numbers[place] = operation(numbers)
        return numbers[top]

    found, recorded = f(numbers[bottom]), float(tape.e.data)
    moved = math.isfinite(recorded) and not math.isclose(
        found, recorded, rel_tol=1e-6, abs_tol=1e-9
    )
    return None if moved else f


def _float_operation(rule: Rule, row: Sequence[int]) -> Callable[[list[float]], float]:
    """An operation in floats on numbers that stand at these places of a list."""
    kernel = FLOAT.kernel(rule, ())
    if rule.variadic:
        size = len(row) // rule.arity
        columns = [row[start : start + size] for start in range(0, len(row), size)]
        gather = [itemgetter(*column) for column in columns]
        if size == 1:
            return lambda numbers: kernel(*([each(numbers)] for each in gather))[0]
        return lambda numbers: kernel(*[[*each(numbers)] for each in gather])[0]
    gather_row = itemgetter(*row)
    if len(row) == 1:
        return lambda numbers: kernel(gather_row(numbers))[0]
    return lambda numbers: kernel(*gather_row(numbers))[0]


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
