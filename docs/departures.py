"""The page on the note: its rows derived by the engine in symbols, and where it cannot be read literally.

``note_page`` is written by ``docs/build.py``; every number in it is computed here, when it is built.
"""

from __future__ import annotations

import math
from functools import reduce
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

from tinygrad_bp import Network, note, primitive
from tinygrad_bp.network.derivation import derivation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinygrad_bp.network.network import Run

    Matrix = Sequence[Sequence[float]]


class Example(NamedTuple):
    """One departure in numbers, each for one weight."""

    title: str
    text: str
    weight: str
    literal: float
    right: float
    difference: float


class _Reading:
    """What the note's formulas need of a run, in its letters."""

    def __init__(self, run: Run) -> None:
        self.run, self.net = run, run.network
        self.n = self.net.depth

    def nodes(self, m: int) -> range:
        return range(1, self.net.sizes[m] + 1)

    def o(self, m: int, j: int) -> float:
        return float(self.run.o(m, j).data)

    def error(self, j: int) -> float:
        return self.o(self.n, j) - float(self.run.t(j).data)

    def slope(self, m: int, j: int) -> float:
        return float(self.run.o(m, j).local_derivatives[0])

    def step(self, m: int, j: int, k: int) -> float:
        return self.slope(m, j) * float(self.net.w(m, j, k).data)

    def steps(self, m: int) -> list[list[float]]:
        """``diag(F_m') W_m``."""
        return [[self.step(m, j, k) for k in self.nodes(m - 1)] for j in self.nodes(m)]

    def row(self) -> list[list[float]]:
        """``2 (O_n - T)^T``."""
        return [[2 * self.error(j) for j in self.nodes(self.n)]]

    def example(self, title: str, text: str, place: tuple[int, ...], literal: float) -> Example:
        found = derivation(self.run, *place)
        difference = found.estimate.value if found.estimate else math.nan
        return Example(title, text, found.name, literal, found.total, difference)


def _times(left: Matrix, right: Matrix) -> list[list[float]]:
    columns = [*zip(*right, strict=True)]
    return [
        [math.fsum(a * b for a, b in zip(row, column, strict=True)) for column in columns]
        for row in left
    ]


def _run(sizes: Sequence[int], activations: Any = "tanh") -> Run:
    net = Network.random([*sizes], activations, seed=2016)
    x = [math.sin(k) for k in range(1, sizes[0] + 1)]
    return net.forward(x, [math.cos(j) for j in range(1, sizes[-1] + 1)])


def examples() -> list[Example]:
    """The six departures, each with the number of the literal reading and the right one."""
    return [_last_sum(), _factorised(), *_matrix_order(), _diagonal(), _bias(), *_own_node()]


def _last_sum() -> Example:
    r = _Reading(_run([3, 4, 5, 2]))
    j, k = 2, 2
    free = sum(2 * r.error(k_n) * r.slope(3, j) * r.o(2, k) for k_n in r.nodes(3))
    return r.example(
        "The last sum.",
        "The note's product runs over a sum over `k_i` as well; but `o_{k_i}^(i)` depends on "
        "`w_{j,k}^(i)` only where `k_i = j`.  The right sum has `k_i = j` fixed, and where `i = n` "
        "there is one term.  (`note.summation_expanded`)",
        (3, j, k),
        free,
    )


def _factorised() -> Example:
    r = _Reading(_run([3, 4, 5, 2]))
    j, k = 1, 1
    outer = sum(r.error(k_3) for k_3 in r.nodes(3))
    upper = sum(r.step(3, *ends) for ends in product(r.nodes(3), r.nodes(2)))
    lower = sum(r.step(2, k_2, j) for k_2 in r.nodes(2))
    return r.example(
        "The brackets are nested.",
        "Each bracket's `k_m` is bound by the bracket outside it; multiplied as independent sums "
        "they give a different number.  (`note.summation_bracketed`)",
        (1, j, k),
        2 * outer * upper * lower * r.slope(1, j) * r.o(0, k),
    )


def _matrix_order() -> list[Example]:
    r = _Reading(_run([2, 2, 2, 2]))
    ascending = reduce(_times, [r.row(), r.steps(2), r.steps(3)])[0]
    descending = reduce(_times, [r.row(), r.steps(3), r.steps(2)])[0]
    inner = sum(descending[j - 1] * r.slope(1, j) * r.o(0, j) for j in r.nodes(1))
    text = (
        "`prod_{k=i+1..n}` is ordered from `n` down to `i+1`, or the shapes do not fit; where they "
        "do, as here with two nodes in every layer, it is another number.  (`note.matrix_gradient`)"
    )
    outer = (
        "And the gradient for `W_i` is an outer product, of the shape of `W_i`; as it is written, a "
        "row times a column, it is one number for all weights, where the shapes fit at all."
    )
    return [
        r.example(
            "The matrix product is ordered.",
            text,
            (1, 1, 1),
            ascending[0] * r.slope(1, 1) * r.o(0, 1),
        ),
        r.example("", outer, (1, 1, 1), inner),
    ]


def _diagonal() -> Example:
    r = _Reading(_run([3, 4, 5, 2]))
    j, k = 1, 1
    rows = [[r.o(3, a) * float(r.net.w(3, a, b).data) for b in r.nodes(2)] for a in r.nodes(3)]
    literal = _times(_times(r.row(), rows), [[r.step(2, b, j)] for b in r.nodes(2)])[0][0]
    return r.example(
        "The derivatives stand on the diagonal.",
        "`diag(F_k)'` means `diag(F_k')`: not the matrix of the values, transposed.  The literal "
        "number has it so for `k = n`.  (`note.matrix_activation_jacobian`)",
        (1, j, k),
        literal * r.slope(1, j) * r.o(0, k),
    )


def _bias() -> Example:
    run = _run([3, 4, 5, 2])
    without = Network(
        run.network.weights, [[0.0] * size for size in run.network.sizes[1:]], "tanh"
    ).forward([run.x(k).data for k in (1, 2, 3)], [run.t(j).data for j in (1, 2)])
    return _Reading(run).example(
        "The matrix section leaves the bias out.",
        "Here `O_i = F_i(W_i O_{i-1} - B_i)`; the literal number is that of the network without its "
        "biases.  (`note.matrix_forward`)",
        (1, 1, 1),
        float(derivation(without, 1, 1, 1).total),
    )


def _own_node() -> list[Example]:
    run = _run([3, 4, 2], [["tanh", "sigmoid", "softplus", "arctan"], "tanh"])
    r = _Reading(run)
    j, k = 2, 1
    delta = float(derivation(run, run.o(1, j)).total)
    step = float(derivation(run, 1, 1, 1).total)
    return [
        r.example(
            "`f'_i` stands for `f'_{i,j}`,",
            "the derivative at the weight's own node; read as one derivative for the layer, here "
            "that of its first node, it is another number.  (`note.summation_update`)",
            (1, j, k),
            delta * r.slope(1, 1) * r.o(0, k),
        ),
        r.example(
            "",
            "And `Delta w^(i)` stands for `Delta w_{j,k}^(i)`: each weight has a step of its own; the "
            "literal number is the gradient for `w[1][1,1]`, taken for the whole layer.",
            (1, 2, 2),
            step,
        ),
    ]


# ---- the rows, derived by the engine


def rows_in_symbols() -> list[tuple[str, str, str]]:
    """Each row with what the engine derives for it, held to the note's own formula.

    Raises:
        AssertionError: the engine derives something else.
    """
    import sympy

    def activation(layer: int) -> Any:
        f, slope = sympy.Function(f"f{layer}"), sympy.Function(f"f{layer}'")
        return primitive(f"f{layer}", f, (lambda z, out: slope(z),)), (f, slope)  # noqa: ARG005

    def same(found: Any, expected: Any) -> str:
        if sympy.expand(found - expected) != 0:
            raise AssertionError(f"{found} is not {expected}")
        return str(found)

    eta = sympy.Symbol("eta")
    found = []
    for depth, name in ((1, "single"), (2, "double"), (3, "multi")):
        w, b = sympy.symbols(f"w1:{depth + 1}"), sympy.symbols(f"b1:{depth + 1}")
        x, t = sympy.symbols("x t")
        activations, pairs = zip(*map(activation, range(1, depth + 1)), strict=True)
        run = Network([[[each]] for each in w], [[each] for each in b], activations).forward(
            [x], [t]
        )
        derived = derivation(run, 1, 1, 1, eta=eta)
        if depth == 1:
            expected = note.single_layer_gradient(w[0], b[0], pairs[0], x, t)
        elif depth == 2:
            expected = note.double_layer_gradient(w, b, pairs, x, t)
        else:
            expected = note.multi_layer_gradient(w, b, pairs, x, t, 1)
        found.append(
            (f"1.{depth} {name} layer, gradient", derived.formula, same(derived.total, expected))
        )
        found.append(
            (f"1.{depth} {name} layer, update", "−η de/dw", same(derived.update, -eta * expected))
        )
    # 2.1 and 2.2: two nodes in each of two layers
    names = iter("pqrsuvyz")
    weights = [[[sympy.Symbol(next(names)) for _ in range(2)] for _ in range(2)] for _ in range(2)]
    biases = [[0, 0], [0, 0]]
    x, t = [*sympy.symbols("x1:3")], [*sympy.symbols("t1:3")]
    activations, pairs = zip(*map(activation, (1, 2)), strict=True)
    run = Network(weights, biases, activations).forward(x, t)
    derived = derivation(run, 1, 2, 1, eta=eta)
    case = (weights, biases, [[pair] * 2 for pair in pairs], x, t)
    for form in ("nested", "expanded", "bracketed"):
        same(derived.total, getattr(note, f"summation_{form}")(*case, 1, 2, 1))
    same(derived.update, note.summation_update(*case, 1, 2, 1, eta))
    same(derived.total, note.matrix_gradient(*case, 1)[1][0])
    lines = derived.to_dict()["lines"]
    found += [
        ("2.2 summation, nested", lines[0], ""),
        ("2.2 summation, expanded", lines[1], str(derived.total)),
        ("2.2 summation, bracketed", lines[2], ""),
        ("2.1 matrix, gradient", "entry (2, 1) of `de/dW_1`", "the same"),
    ]
    return found


def note_page(kept: str) -> str:
    """The page on the note: what was written by hand, then the rows in symbols and the departures."""
    rows = "\n".join(
        f"| {name} | {formula.replace('|', '')} | {f'`{found}`' if found else 'the same'} |"
        for name, formula, found in rows_in_symbols()
    )
    departures, number = [], 0
    for each in examples():
        number += bool(each.title)
        start = f"{number}. **{each.title}**  " if each.title else "   "
        departures.append(
            f"{start}{each.text}\n\n"
            "   | for | read literally | right | finite difference |\n   | --- | --- | --- | --- |\n"
            f"   | `{each.weight}` | {each.literal:.6g} | {each.right:.6g} | {each.difference:.6g} |\n"
        )
    return f"""\
{kept.rstrip()}

## The rows in symbols

A network of sympy symbols, with activations `f1`, `f2`, ... of which nothing is known, goes through
the engine; `derivation(run, i, j, k)` then has the note's formula, and `total` is it multiplied out.
Each was held to the note's row when this page was built.  The network of 2.1 and 2.2 has two nodes in
each of two layers, and no biases so that its formula fits here.

| row | formula | what the engine derives |
| --- | --- | --- |
{rows}

## Where the note, read literally, is wrong

Computed when this page was built: the number that the line gives as it is written, the right one,
and a finite difference.

{chr(10).join(departures)}
`tests/test_note.py` has a test for each, with the literal reading beside the right one.
"""
