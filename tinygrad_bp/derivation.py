"""A gradient written out: the formula, the same with this run's numbers, the terms, the total.

`derivation` is for a weight of a network, `chain` for a leaf of any graph.  Both put the backward
pass's own value and a finite difference beside the total, so that a reader need not believe it.
Nothing here touches a ``grad``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from tinygrad_bp.arithmetic import format_number, plain_number
from tinygrad_bp.differentiate import Estimate, finite_difference, gradients
from tinygrad_bp.errors import BackpropError
from tinygrad_bp.graph import names, topological_order
from tinygrad_bp.modules import make_callable
from tinygrad_bp.network import Network, Run
from tinygrad_bp.paths import path_sum, paths

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from tinygrad_bp.arithmetic import Number
    from tinygrad_bp.network import Term
    from tinygrad_bp.paths import Path, PathSum
    from tinygrad_bp.value import Value

SHOWN = 24
"""So many terms or paths are written out; the rest are summed in one line."""


class Chain(NamedTuple):
    """The gradient of ``e`` for one node of any graph, path by path.

    Attributes:
        e: the result's name.
        w: the node's name.
        paths: the paths that are written out: all of them, or the first few.
        sum: the total over all paths, their gross sum and number.
        gradient: what the backward pass gives.
        estimate: a finite difference, where the expression can be evaluated again.
        names: a name for each node.
    """

    e: str
    w: str
    paths: list[Path]
    sum: PathSum
    gradient: Number
    estimate: Estimate | None
    names: Mapping[Value, str]

    def to_text(self) -> str:
        """The derivation in lines: symbols, numbers, product, finite difference."""
        head = f"d{self.e}/d{self.w}"
        indent = " " * len(head)
        if not self.sum.count:
            return f"{head} = 0: {self.e} does not depend on {self.w}"
        lines = []
        for path in self.paths:
            factors = [format_number(each) for each in path.local_derivatives] or ["1"]
            lines += [
                " · ".join(self._symbols(path)) or "1",
                " × ".join(f"({each})" if each.startswith("-") else each for each in factors),
                format_number(path.product),
            ]
        if self.sum.count == 1:
            text = f"\n{indent} = ".join([head, *lines]).replace(f"{head}\n{indent}", head, 1)
        else:
            triples = zip(lines[::3], lines[1::3], lines[2::3], strict=True)
            rows = [
                f"  {symbols}\n      = {numbers} = {value}" for symbols, numbers, value in triples
            ]
            if self.sum.count > len(self.paths):
                rows.append(f"  ... and {self.sum.count - len(self.paths)} more paths")
            total = f"  sum = {format_number(self.sum.total)}"
            text = "\n".join([f"{head} = Σ over {self.sum.count} paths", *rows, total])
        text += f"\n{indent}   backward: {format_number(self.gradient)}"
        if self.estimate:
            text += (
                f"\n{indent}   finite difference: {_show_estimate(self.estimate, format_number)}"
            )
        return text

    def to_dict(self) -> dict[str, Any]:
        """The derivation as data that JSON can hold."""
        return {
            "of": self.e,
            "for": self.w,
            "gradient": plain_number(self.gradient),
            "total": plain_number(self.sum.total),
            "gross": plain_number(self.sum.gross),
            "path_count": self.sum.count,
            "paths": [
                {
                    "nodes": [self.names[node] for node in path.nodes],
                    "local_derivatives": [plain_number(each) for each in path.local_derivatives],
                    "product": plain_number(path.product),
                }
                for path in self.paths
            ],
            "finite_difference": _estimate_dict(self.estimate),
        }

    def _symbols(self, path: Path) -> list[str]:
        """``dabove/dbelow`` for each step; of parallel edges, which one is said."""
        steps = []
        for above, below, slot in zip(path.nodes, path.nodes[1:], path.slots, strict=False):
            which = f"[operand {slot + 1}]" if above.parents.count(below) > 1 else ""
            steps.append(f"d{self.names[above]}/d{self.names[below]}{which}")
        return steps


def chain(
    e: Value,
    w: Value,
    *,
    again: Callable[[float], float] | None = None,
    named: Mapping[Value, str] | None = None,
) -> Chain:
    """The gradient of ``e`` for one node, as the sum over its paths of products along the chain.

    Args:
        e: the result.
        w: a leaf or an inner node.
        again: gives ``e`` for another value of ``w``, for the finite difference.
        named: a name for each node of the graph, if not those of `tinygrad_bp.graph.names`.

    >>> from tinygrad_bp import Value
    >>> w, x = Value(0.5, "w"), Value(2.0, "x")
    >>> print(chain((w * x) ** 2, w).to_text())
    de/dw = de/dv1 · dv1/dw
          = 2 × 2
          = 4
            backward: 4
    """
    named = named or names(topological_order(e), root="e")
    total = path_sum(e, w)
    listed = []
    for path in paths(e, w, limit=total.count):
        listed.append(path)
        if len(listed) == SHOWN:
            break
    estimate = again and _estimate(again, w.data)
    gradient = gradients(e, [w])[0]
    return Chain(named[e], named.get(w, w.label or "w"), listed, total, gradient, estimate, named)


class Derivation(NamedTuple):
    """The gradient of a network's error for one weight or bias, term by term.

    Attributes:
        name: the weight's name, ``w[i][j,k]``.
        place: ``(i, j, k)``, or ``(i, j)`` for a bias.
        formula: row "summation, expanded" of the note, for this weight.
        symbols: the indices that the sum runs over, ``k_n, ..., k_{i+1}``.
        terms: one for each choice of them, the largest first.
        total: their sum.
        gradient: what the backward pass gives.
        estimate: a finite difference.
    """

    name: str
    place: tuple[int, ...]
    formula: str
    symbols: tuple[str, ...]
    terms: list[Term]
    total: Number
    gradient: Number
    estimate: Estimate

    def to_text(self, width: int = 24) -> str:
        """The derivation in lines, the terms with bars of at most ``width`` signs."""
        head = f"de/d{self.name}"
        lines = [f"{head} = {self.formula}", ""]
        shown = self.terms[:SHOWN]
        keys = [_tuple(term.indices) for term in shown]
        values = [_signed(term.value) for term in shown]
        largest = max((abs(term.value) for term in shown), default=0)
        key_width = max([len(_tuple(self.symbols)), *map(len, keys)])
        value_width = max(map(len, values), default=0)
        lines.append(f"  {_tuple(self.symbols):{key_width}}   term, and its factors")
        for term, key, value in zip(shown, keys, values, strict=True):
            bar = _bar(term.value, largest, width)
            factors = " · ".join(map(_factor, term.factors))
            lines.append(f"  {key:{key_width}}   {value:{value_width}}  {bar:{width}}  = {factors}")
        if len(self.terms) > SHOWN:
            rest = sum(term.value for term in self.terms[SHOWN:])
            lines.append(f"  ... and {len(self.terms) - SHOWN} more, together {_signed(rest)}")
        lines += [
            "",
            f"  {'sum of the terms':18} {_signed(self.total)}",
            f"  {'backward':18} {_signed(self.gradient)}",
            f"  {'finite difference':18} {_show_estimate(self.estimate, _signed)}",
        ]
        return "\n".join(line.rstrip() for line in lines)

    def to_dict(self) -> dict[str, Any]:
        """The derivation as data that JSON can hold."""
        return {
            "of": "e",
            "for": self.name,
            "formula": self.formula,
            "gradient": plain_number(self.gradient),
            "total": plain_number(self.total),
            "indices": list(self.symbols),
            "terms": [
                {
                    "indices": list(term.indices),
                    "factors": [plain_number(each) for each in term.factors],
                    "value": plain_number(term.value),
                }
                for term in self.terms
            ],
            "finite_difference": _estimate_dict(self.estimate),
        }


def derivation(run: Run, i: int, j: int, k: int | None = None) -> Derivation:
    """One weight's gradient written out as the note has it; a bias's where ``k`` is left out.

    Raises:
        IndexError: an index is 0 or past the end.
        NetworkError: the run has no target.

    >>> net = Network([[[2.0]], [[3.0]]], [[1.0], [0.0]], "identity")
    >>> derived = derivation(net.forward([5.0], [26.0]), 1, 1, 1)
    >>> print(derived.formula)
    Σ_k2 2(o[2][k2] − t[k2]) · f'[2][k2] · w[2][k2,1] · f'[1][1] · x[1]
    >>> derived.total, derived.gradient
    (30.0, 30.0)
    """
    net = run.network
    terms = run.bias_terms(i, j) if k is None else run.terms(i, j, k)
    leaf = net.b(i, j) if k is None else net.w(i, j, k)
    weights, biases = run.recorded()
    recorded = biases[i - 1][j - 1] if k is None else weights[i - 1][j - 1][k - 1]
    symbols = tuple(f"k{m}" for m in range(net.depth, i, -1))
    return Derivation(
        name=leaf.label,
        place=(i, j) if k is None else (i, j, k),
        formula=_formula(net.depth, i, j, k),
        symbols=symbols,
        terms=sorted(terms, key=lambda term: -abs(term.value)),
        total=sum(term.value for term in terms),
        gradient=gradients(run.e, [leaf])[0],
        estimate=_estimate(lambda w: _error_with(run, w, i, j, k), recorded),
    )


def _formula(n: int, i: int, j: int, k: int | None) -> str:
    nodes = [f"k{m}" for m in range(n, i, -1)] + [str(j)]
    factors = [f"2(o[{n}][{nodes[0]}] − t[{nodes[0]}])"]
    for m, above, below in zip(range(n, i, -1), nodes, nodes[1:], strict=False):
        factors += [f"f'[{m}][{above}]", f"w[{m}][{above},{below}]"]
    factors.append(f"f'[{i}][{j}]")
    factors.append("(−1)" if k is None else f"o[{i - 1}][{k}]" if i > 1 else f"x[{k}]")
    sums = "".join(f"Σ_{symbol} " for symbol in nodes[:-1])
    return sums + " · ".join(factors)


def _error_with(run: Run, number: float, i: int, j: int, k: int | None) -> float:
    """The run's error if one weight or bias were another number, in floats.

    The other numbers are those that were recorded, for the network may have learned since.
    """
    recorded_weights, recorded_biases = run.recorded()
    weights = [[[float(w) for w in row] for row in layer] for layer in recorded_weights]
    biases = [[float(b) for b in layer] for layer in recorded_biases]
    if k is None:
        biases[i - 1][j - 1] = number
    else:
        weights[i - 1][j - 1][k - 1] = number
    net = run.network
    moved = Network(weights, biases, net.activations)
    x = [float(run.x(place).data) for place in range(1, net.sizes[0] + 1)]
    t = [float(run.t(place).data) for place in range(1, net.sizes[-1] + 1)]
    return float(moved.forward(x, t).e.data)


def _estimate(f: Callable[[float], float], at: Number) -> Estimate:
    try:
        return finite_difference(lambda numbers: f(numbers[0]), [float(at)], 0)
    except (TypeError, ArithmeticError, BackpropError):  # a symbol, or one too large for a float
        return Estimate(float("nan"), float("inf"))


def _bar(number: Number, largest: Number, width: int) -> str:
    """A bar as long as the number's share of the largest; none where that is no finite number."""
    share = float(abs(number) / largest) if number else 0.0
    return "█" * max(1, round(share * width)) if share and math.isfinite(share) else ""


def _tuple(each: Sequence[object]) -> str:
    return f"({', '.join(map(str, each))})"


def _factor(number: Number) -> str:
    text = format_number(number, 4)
    return f"({text})" if text.startswith("-") else text


def _signed(number: Number) -> str:
    text = format_number(number)
    return text if text.startswith("-") else f"+{text}"


def _show_estimate(estimate: Estimate, show: Callable[[Number], str]) -> str:
    if math.isnan(estimate.value):
        return "inconclusive: a kink, or no finite values around"
    return f"{show(estimate.value)} ± {format_number(estimate.error, 1)}"


def _estimate_dict(estimate: Estimate | None) -> dict[str, Any] | None:
    return estimate._asdict() if estimate and math.isfinite(estimate.value) else None


make_callable(__name__)
