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
from typing import TYPE_CHECKING

from tinygrad_bp.engine.differentiate import gradients
from tinygrad_bp.engine.functions import fsum
from tinygrad_bp.engine.tape import Tape
from tinygrad_bp.engine.value import Value
from tinygrad_bp.errors import ArgumentError, BackpropError
from tinygrad_bp.explain.differences import Estimate, finite_difference
from tinygrad_bp.explain.formula import (
    is_symbolic,
)
from tinygrad_bp.network.network import Run, recorded_tape
from tinygrad_bp.numbers.arithmetic import meeting
from tinygrad_bp.numbers.families import check_number, python_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tinygrad_bp.numbers.kernels import Number


from tinygrad_bp.network.by_landmarks import Parts, of_graph
from tinygrad_bp.network.by_neurons import of_network, of_run_as_graph
from tinygrad_bp.network.derivation_page import TERMS, Derivation
from tinygrad_bp.network.replay import replay


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
        named: a name for each node of the graph, if not those of `tinygrad_bp.engine.names.names`.

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
        made = of_network(of, tape, by) if landmarks is None else None
        return _derive(made or of_run_as_graph(of, tape, by, landmarks), eta, terms, again)
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
        made = of_graph(tape, w, landmarks)
    return _derive(made, eta, terms, again)


def _derive(
    made: Parts, eta: Number | None, most: int, again: Callable[[float], float] | None
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


def _estimate(made: Parts, at: Number, again: Callable[[float], float] | None) -> Estimate | None:
    """A finite difference; none of symbols, nor where the graph is too large or its leaves have moved."""
    if made.chain.symbolic or is_symbolic(at):
        return None
    try:
        f = again or replay(made.tape, made.w)
        return f and finite_difference(lambda numbers: f(numbers[0]), [float(at)], 0)
    except (TypeError, ArithmeticError, BackpropError):  # a symbol, or one too large for a float
        return Estimate(math.nan, math.inf)
