"""The layered network in the note's notation, and the terms of its gradients.

Indices start at 1, biases are subtracted, and ``e`` is the squared error without a half: see the
table of symbols in the documentation's page on the note.  Each node is ``f(dot(w, o) - b)``, so that
every edge of the recorded graph carries exactly one factor of the note's formula.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, pairwise
from typing import TYPE_CHECKING, NamedTuple

from tinygrad_bp.engine.functions import dot, fsum
from tinygrad_bp.engine.graph import topological_order
from tinygrad_bp.engine.operations import FUNCTIONS
from tinygrad_bp.engine.tape import Edges, Tape
from tinygrad_bp.engine.value import Value, data_of
from tinygrad_bp.errors import ArgumentError, BackpropError, NetworkError, TooManyPathsError
from tinygrad_bp.explain.largest_paths import largest, listed
from tinygrad_bp.explain.paths import LIMIT, contract, multiply, path_sum
from tinygrad_bp.files import read_whole, write_atomically
from tinygrad_bp.network import exchange
from tinygrad_bp.network.network_file import from_text, to_text
from tinygrad_bp.network.shapes import (
    check_index,
    check_size,
    per_node,
    sizes_of,
)
from tinygrad_bp.numbers.families import check_number, whole, whole_number
from tinygrad_bp.quoting import quoted

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, TypeAlias

    from tinygrad_bp.network.shapes import Activation
    from tinygrad_bp.numbers.kernels import Number

    _Place: TypeAlias = tuple[str, int, int]  # e, o, z or w; layer; node


class Term(NamedTuple):
    """One summand of a gradient: one choice of a node in each layer above the weight's.

    Attributes:
        indices: ``(k_n, ..., k_{i+1})``, empty where the weight is in the last layer.
        factors: ``2 (o - t), f'_n, w_n, ..., f'_i`` and then ``o_k`` for a weight, ``-1`` for a bias.
        value: their product.
    """

    indices: tuple[int, ...]
    factors: tuple[Number, ...]
    value: Number


@dataclass(frozen=True)
class LargestTerms:
    """The largest terms of a gradient, and all the others in one number.

    Attributes:
        terms: the largest, whatever their sign, the largest first.
        rest: the sum of all the others: ``total`` less the sum of ``terms``, exact for exact numbers.
        rest_count: how many others there are.
        total: the sum of all terms: to the last bit what the backward pass gives.
        count: how many terms there are altogether.
    """

    terms: list[Term]
    rest: Number
    rest_count: int
    total: Number
    count: int


class Network:
    """A layered network, with weights and biases that are leaf Values.

    Args:
        weights: ``weights[i-1][j-1][k-1]`` leads into node ``j`` of layer ``i`` from node ``k`` of
            the layer below; plain numbers.
        biases: ``biases[i-1][j-1]``, subtracted.
        activations: one for all nodes, or one for each layer, or for each node of each layer: a name
            of a function in the table or any function of a Value.

    Raises:
        NetworkError: the shapes do not fit together, or an activation is unknown.
        DataError: a weight or bias is no real number.

    >>> net = Network([[[2.0]]], [[1.0]], "identity")
    >>> run = net.forward([3.0], [4.0])
    >>> run.o(1, 1).data, run.e.data
    (5.0, 1.0)
    >>> run.e.backward()
    >>> net.w(1, 1, 1).grad
    6.0
    """

    def __init__(
        self,
        weights: Sequence[Sequence[Sequence[Number]]],
        biases: Sequence[Sequence[Number]],
        activations: Activation | Sequence[Activation | Sequence[Activation]] = "tanh",
    ) -> None:
        self.sizes = sizes_of(weights, biases)
        self._w = [
            [
                [Value(w, f"w[{i}][{j},{k}]") for k, w in enumerate(row, 1)]
                for j, row in enumerate(layer, 1)
            ]
            for i, layer in enumerate(weights, 1)
        ]
        self._b = [
            [Value(b, f"b[{i}][{j}]") for j, b in enumerate(layer, 1)]
            for i, layer in enumerate(biases, 1)
        ]
        self.activations = per_node(activations, self.sizes)
        self._f = [[_function(each) for each in layer] for layer in self.activations]

    @classmethod
    def random(
        cls,
        sizes: Sequence[int],
        activation: Activation | Sequence[Activation | Sequence[Activation]] = "tanh",
        seed: int | None = None,
    ) -> Network:
        """A network of these sizes, input first, with small random weights and biases.

        Weights and biases of a layer are uniform within ``sqrt(6 / (inputs + outputs))``, as Glorot
        and Bengio have it.

        Raises:
            NetworkError: the sizes are no whole numbers above 0, or make more than `MOST` weights and
                biases.

        >>> Network.random([2, 3, 1], seed=1).sizes
        (2, 3, 1)
        """
        layers = [whole(size) or 0 for size in sizes] if hasattr(sizes, "__iter__") else []
        if len(layers) < 2 or min(layers) < 1:
            raise NetworkError(
                f"sizes {quoted(sizes)}: give the input and at least one layer, as whole numbers > 0"
            )
        check_size(layers)
        draw = random.Random(seed if seed is None else whole_number("seed", seed)).uniform  # noqa: S311 - weights, not secrets
        weights, biases = [], []
        for below, size in pairwise(layers):
            bound = math.sqrt(6.0 / (below + size))
            weights.append([[draw(-bound, bound) for _ in range(below)] for _ in range(size)])
            biases.append([draw(-bound, bound) for _ in range(size)])
        return cls(weights, biases, activation)

    @property
    def depth(self) -> int:
        """``n``, the number of layers; the input is not one."""
        return len(self.sizes) - 1

    @property
    def weights(self) -> list[list[list[Number]]]:
        """The weights now, as plain numbers."""
        return [[[w.data for w in row] for row in layer] for layer in self._w]

    @property
    def biases(self) -> list[list[Number]]:
        """The biases now, as plain numbers."""
        return [[b.data for b in layer] for layer in self._b]

    def w(self, i: int, j: int, k: int) -> Value:
        """The weight into node ``j`` of layer ``i`` from node ``k`` of the layer below.

        Raises:
            IndexError: an index is 0 or past the end.
        """
        self.check_indices(i, j, k)
        return self._w[i - 1][j - 1][k - 1]

    def b(self, i: int, j: int) -> Value:
        """The bias of node ``j`` of layer ``i``, which is subtracted.

        Raises:
            IndexError: an index is 0 or past the end.
        """
        self.check_indices(i, j)
        return self._b[i - 1][j - 1]

    def check_indices(self, i: int, j: int, k: int | None = None) -> None:
        """Refuse a layer or a node that the network does not have.

        Raises:
            IndexError: naming the index and its range.
        """
        check_index("layer i", i, self.depth)
        check_index(f"node j of layer {i}", j, self.sizes[i])
        if k is not None:
            check_index(f"node k of layer {i - 1}", k, self.sizes[i - 1])

    def parameters(self) -> list[Value]:
        """Every weight and bias, layer by layer."""
        return [
            leaf
            for layer, biases in zip(self._w, self._b, strict=True)
            for leaf in (*(w for row in layer for w in row), *biases)
        ]

    def zero_grad(self) -> None:
        """Set the gradient of every weight and bias to 0."""
        for leaf in self.parameters():
            leaf.grad = 0

    def descend(self, eta: Number) -> None:
        """The note's update, ``Delta w = -eta de/dw``, for every weight and bias.

        The gradients stay; call `zero_grad` before the next pass.

        >>> net = Network([[[2.0]]], [[1.0]], "identity")
        >>> net.forward([3.0], [4.0]).e.backward()
        >>> net.descend(0.5)
        >>> net.w(1, 1, 1).data
        -1.0
        """
        check_number(eta, where="the learning rate eta")
        for leaf in self.parameters():
            leaf.data = data_of(leaf) - data_of(eta) * leaf.grad

    def forward(
        self, x: Sequence[Number | Value], t: Sequence[Number | Value] | None = None
    ) -> Run:
        """Record the network's output for one input, and its error where there is a target.

        Args:
            x: the input, one number for each node of layer 0.
            t: the target, one number for each node of the last layer.

        Raises:
            NetworkError: ``x`` or ``t`` has not as many numbers as there are nodes, or an activation
                did not return a Value.
        """
        return Run(self, x, t)

    def save(self, file: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the network as JSON, with every number exactly as it is.

        An ``int``, ``float`` or ``Fraction`` comes back as it was, the fraction by way of a string
        ``"p/q"``.  NumPy's integers come back as ``int``, its floats as the ``float`` that is the same
        number.

        Raises:
            NetworkError: an activation is a function of your own; or a number is infinite, nan, of
                another type or too long, or a NumPy ``longdouble`` with more digits than a float.
            FileExistsError: the file exists and ``overwrite`` is false.
        """
        text = to_text(self._w, self._b, self.activations)
        write_atomically(file, text, overwrite=overwrite)

    @classmethod
    def load(cls, file: str | os.PathLike[str]) -> Network:
        """Read a network that `save` wrote.

        Raises:
            NetworkError: the file is not such JSON, is of a newer version, its shapes do not fit, or it
                has more than `MOST` weights and biases.
            OSError: the file cannot be read.
        """
        try:
            weights, biases, activations = from_text(read_whole(file))
            check_size(sizes_of(weights, biases))
            return cls(weights, biases, activations)
        except (BackpropError, ValueError, RecursionError) as error:
            raise NetworkError(f"{quoted(str(file))} is not a network: {error}") from None

    @classmethod
    def from_torch(cls, model: Any) -> Network:
        """A network from a ``torch.nn.Sequential``: see `tinygrad_bp.network.exchange.from_torch`."""
        return cls(*exchange.from_torch(model))

    def to_torch(self) -> Any:
        """The network as a ``torch.nn.Sequential``: see `tinygrad_bp.network.exchange.to_torch`."""
        return exchange.to_torch(self.weights, self.biases, self.activations)

    @classmethod
    def from_sklearn(cls, model: Any) -> Network:
        """A network from a fitted ``MLPRegressor``: see `tinygrad_bp.network.exchange.from_sklearn`."""
        return cls(*exchange.from_sklearn(model))

    def __repr__(self) -> str:
        return f"<Network {'-'.join(map(str, self.sizes))}>"


class Run:
    """One recorded forward pass: the Values of every node, and of the error.

    Attributes:
        network: the network that was run.
    """

    def __init__(
        self, network: Network, x: Sequence[Number | Value], t: Sequence[Number | Value] | None
    ) -> None:
        self.network = network
        below = self._x = _leaves(x, "x", network.sizes[0], "input")
        self._t = None if t is None else _leaves(t, "t", network.sizes[-1], "target")
        self._z: list[list[Value]] = []
        self._o: list[list[Value]] = []
        for i, (rows, biases, functions) in enumerate(
            zip(network._w, network._b, network._f, strict=True), 1
        ):
            z = [dot(row, below) - b for row, b in zip(rows, biases, strict=True)]
            below = [
                _activate(f, each, f"o[{i}][{j}]")
                for j, (f, each) in enumerate(zip(functions, z, strict=True), 1)
            ]
            self._z.append(z)
            self._o.append(below)
        self._e = None if self._t is None else _error(self._t, below)

    @property
    def e(self) -> Value:
        """The squared error, ``sum_j (t_j - o_j)^2``.

        Raises:
            NetworkError: the run has no target.
        """
        if self._e is None:
            raise NetworkError("this run has no error: give forward a target, net.forward(x, t)")
        return self._e

    def x(self, k: int) -> Value:
        """Input ``k``."""
        check_index("input k", k, self.network.sizes[0])
        return self._x[k - 1]

    def t(self, j: int) -> Value:
        """Target ``j``."""
        if self._t is None:
            raise NetworkError("this run has no target: net.forward(x, t)")
        check_index("target j", j, self.network.sizes[-1])
        return self._t[j - 1]

    def o(self, i: int, j: int) -> Value:
        """The output of node ``j`` of layer ``i``; layer 0 is the input."""
        if i == 0:
            return self.x(j)
        self.network.check_indices(i, j)
        return self._o[i - 1][j - 1]

    def z(self, i: int, j: int) -> Value:
        """The net input of node ``j`` of layer ``i``: ``sum_k w o - b``."""
        self.network.check_indices(i, j)
        return self._z[i - 1][j - 1]

    def recorded(self) -> tuple[list[list[list[Number]]], list[list[Number]]]:
        """The weights and biases with which the run was made, whatever the network has learned since."""
        weights = [
            [each.parents[0].local_derivatives[below:] for each in layer]
            for below, layer in zip(self.network.sizes, self._z, strict=False)
        ]
        biases = [[each.parents[0].data - each.data for each in layer] for layer in self._z]
        return [[list(row) for row in layer] for layer in weights], biases

    def terms(self, i: int, j: int, k: int, limit: int = LIMIT) -> list[Term]:
        """The gradient of ``e`` for one weight, term by term: row "summation, expanded" of the note.

        One term for each ``(k_n, ..., k_{i+1})``, in the note's order; their values add up to what
        ``e.backward()`` gives the weight.  The factors are read from the recorded graph: an
        activation of many nodes counts as one factor, the sum over its paths.

        Raises:
            IndexError: an index is 0 or past the end.
            TooManyPathsError: there are more than ``limit`` terms.
            NetworkError: the run has no target, or its input or target was made from the weights.

        >>> net = Network([[[2.0]], [[3.0]]], [[1.0], [0.0]], "identity")
        >>> net.forward([5.0], [26.0]).terms(1, 1, 1)
        [Term(indices=(1,), factors=(2.0, 1.0, 3.0, 1.0, 5.0), value=30.0)]
        """
        self.network.check_indices(i, j, k)
        return self._terms(i, j, k, limit)

    def bias_terms(self, i: int, j: int, limit: int = LIMIT) -> list[Term]:
        """The gradient of ``e`` for one bias, term by term: the same sum with -1 for ``o_k``.

        Raises:
            IndexError: an index is 0 or past the end.
            TooManyPathsError: there are more than ``limit`` terms.
        """
        self.network.check_indices(i, j)
        return self._terms(i, j, None, limit)

    def largest_terms(self, i: int, j: int, k: int | None = None, n: int = 20) -> LargestTerms:
        """The ``n`` largest terms of the gradient for one weight, and all the others as one number.

        For networks of any size: the others are never listed.

        Args:
            i: the layer.
            j: the node in it.
            k: the node of the layer below; left out for the bias.
            n: how many terms; there may be fewer.  Equal sizes stand in the order of `terms`.

        Raises:
            IndexError: an index is 0 or past the end.
            DataError: the numbers are symbols, which have no size.
            NetworkError: the run has no target, or its input or target was made from the weights.

        >>> net = Network.random([30] * 31, seed=1)
        >>> largest = net.forward([0.5] * 30, [0.0] * 30).largest_terms(1, 1, 1, n=3)
        >>> len(largest.terms), largest.count == 30**29, largest.rest_count == 30**29 - 3
        (3, True, True)
        """
        self.network.check_indices(i, j, k)
        edges = self._neurons(i, j, k)
        terms = [self._term(edges, path) for path in largest(edges, n)]
        leaf = self.network.b(i, j) if k is None else self.network.w(i, j, k)
        total = path_sum(self.e, leaf).total
        number = math.prod(self.network.sizes[i + 1 :])
        rest = fsum([total, *(-term.value for term in terms)]) if number > len(terms) else 0
        return LargestTerms(terms, rest, number - len(terms), total, number)

    def _terms(self, i: int, j: int, k: int | None, limit: int) -> list[Term]:
        number = math.prod(self.network.sizes[i + 1 :])
        if number > whole_number("limit", limit):
            raise TooManyPathsError(
                f"there are {number} terms, more than the limit of {limit}: run.largest_terms(i, j, "
                "k, n) has the largest and the sum of the others, and path_sum(run.e, w) the total, "
                "without listing them"
            )
        edges = self._neurons(i, j, k)
        return [self._term(edges, path) for path in listed(edges)]

    def _term(self, edges: Edges[_Place], path: list[int]) -> Term:
        indices = [edges.nodes[edges.below[edge]][2] for edge in path[:-3:2]]
        factors = [edges.locals[edge] for edge in path]
        return Term(tuple(indices), tuple(factors), multiply(factors))

    def _neurons(self, i: int, j: int, k: int | None) -> Edges[_Place]:
        """From the error down to one weight or bias, with one edge for each factor of the note.

        The error leads to the outputs of the last layer, an output to its net input, and a net
        input to the outputs of the layer below.
        """
        self._check_ends()
        n, sizes = self.network.depth, self.network.sizes
        layers = {m: [j] if m == i else range(1, sizes[m] + 1) for m in range(i, n + 1)}
        errors = self._contracted[self.e]
        rows: dict[_Place, list[tuple[_Place, Number]]] = {
            ("e", 0, 0): [(("o", n, node), errors.get(self.o(n, node), 0)) for node in layers[n]]
        }
        for m in range(n, i - 1, -1):
            for node in layers[m]:
                rows["o", m, node] = [(("z", m, node), self._slope(m, node))]
            for node in layers[m]:
                if m == i:
                    last = self._last_factor(i, j, k)
                    rows["z", m, node] = [(("w", 0, 0), last)]
                else:
                    weights = self._weighted(m, node).local_derivatives[sizes[m - 1] :]
                    rows["z", m, node] = [
                        (("o", m - 1, lower), weights[lower - 1]) for lower in layers[m - 1]
                    ]
        rows["w", 0, 0] = []
        return Edges.of(rows)

    def _check_ends(self) -> None:
        """Refuse an input or target that was itself made from the network's weights.

        Then there are paths through it, and the note's terms are not the whole gradient.
        """
        for end in (*self._x, *(self._t or ())):
            if end.rule and not set(self.network.parameters()).isdisjoint(topological_order(end)):
                raise NetworkError(
                    f"{quoted(end)} was made from the network's own weights, so the note's terms are not "
                    "the whole gradient: list it with paths(run.e, w), or pass its data"
                )

    def _weighted(self, i: int, j: int) -> Value:
        """The node ``dot(w, o)``: its derivatives are first the outputs below, then the weights."""
        return self.z(i, j).parents[0]

    def _last_factor(self, i: int, j: int, k: int | None) -> Number:
        """What the net input has for the weight, ``o_k`` of the layer below, or for the bias, -1."""
        if k is None:
            return self.z(i, j).local_derivatives[1]
        return self._weighted(i, j).local_derivatives[k - 1]

    @cached_property
    def _contracted(self) -> dict[Value, dict[Value, Number]]:
        """The graph with nothing but the error, the outputs and the net inputs left of it.

        Raises:
            NetworkError: an activation uses more of the network than its own net input.
        """
        layers = [*zip(self._z, self._o, strict=True)]
        rows = contract(self.e, [each for z_and_o in layers for each in chain(*z_and_o)])
        for below, (z, o) in zip([[], *self._o], layers, strict=False):
            pairs = [(net_input, below) for net_input in z]
            pairs += [(o_j, [z_j]) for o_j, z_j in zip(o, z, strict=True) if o_j is not z_j]
            for node, expected in pairs:
                if not {*expected}.issuperset(rows.get(node, ())):
                    raise NetworkError(
                        f"{quoted(node)} depends on other nodes of the network than its own net input, so "
                        "the note's terms are not the whole gradient: list it with paths(run.e, w)"
                    )
        return rows

    def _slope(self, i: int, j: int) -> Number:
        """``f'_{i,j}`` as recorded: the sum over the paths through the activation."""
        o, z = self.o(i, j), self.z(i, j)
        if o is z:
            return 1
        rows = self._contracted if o in self._contracted else contract(o, [z])
        return rows[o].get(z, 0)

    def __repr__(self) -> str:
        error = "" if self._e is None else f" e={self._e.data!r}"
        return f"<Run of {self.network!r}{error}>"


def recorded_tape(run: Run, named: Mapping[Value, str] | None = None) -> Tape:
    """The tape of a run's error, with the weights and biases as they were when the run was made.

    Args:
        run: the run.
        named: a name for each node, if not those of `tinygrad_bp.engine.names.names`.

    Raises:
        NetworkError: the run has no target.
    """
    net, tape = run.network, Tape.from_result(run.e, named or None)
    weights, biases = run.recorded()
    data = [*tape.data]
    for i, (rows, numbers) in enumerate(zip(weights, biases, strict=True), 1):
        for j, (row, number) in enumerate(zip(rows, numbers, strict=True), 1):
            z, bias = run.z(i, j), net.b(i, j)
            # A bias is read off a difference, which rounds; what has not moved is exact.
            moved = z.parents[0].data - data_of(bias) != z.data
            leaves = [(net.w(i, j, k), each) for k, each in enumerate(row, 1)]
            for leaf, each in [*leaves, (bias, number)] if moved else leaves:
                if leaf in tape.places:
                    data[tape.places[leaf]] = each
    return replace(tape, data=data)


def _error(targets: list[Value], outputs: list[Value]) -> Value:
    squares = [(t - o) ** 2 for t, o in zip(targets, outputs, strict=True)]
    e: Value = squares[0] if len(squares) == 1 else fsum(squares)
    e.label = "e"
    return e


def _leaves(numbers: Sequence[Any], name: str, size: int, what: str) -> list[Value]:
    try:
        numbers = list(numbers)
    except TypeError:
        raise NetworkError(
            f"the {what} is a list of numbers, not {numbers!r:.60}: [{numbers!s:.20}]"
        ) from None
    if len(numbers) != size:
        raise NetworkError(f"the {what} has {len(numbers)} numbers, and the network takes {size}")
    return [
        each if isinstance(each, Value) else Value(each, f"{name}[{place}]")
        for place, each in enumerate(numbers, 1)
    ]


def _activate(f: Callable[[Value], Value], z: Value, label: str) -> Value:
    try:
        o = f(z)
    except ArgumentError as error:  # as of softmax, which takes a list
        raise NetworkError(
            f"an activation is a function of one Value, and that of {label} is none: {error}"
        ) from None
    if not isinstance(o, Value):
        raise NetworkError(
            f"the activation of {label} returned {quoted(o)}, not a Value: use the functions of "
            "tinygrad_bp and operators on the Value it is given"
        )
    o.label = o.label or label
    return o


def _function(activation: Activation) -> Callable[[Value], Value]:
    return FUNCTIONS[activation] if isinstance(activation, str) else activation
