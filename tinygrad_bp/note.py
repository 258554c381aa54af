"""The note's formulas, evaluated by themselves, without the engine.

One function for each row of "Back Propagation Explanation" (Xing Chao, 2016), named after the row,
so that a reader goes from a formula to the code, and a test can hold the engine to the formula.
That is worth something only while the two share nothing: this module may know neither `Value` nor any
other module of the package. It imports the standard library alone, and no derivative is found here,
only multiplied and added.

A number is whatever has `+ - * /`: int, float, Fraction, mpmath, sympy. Nothing is converted, so
exact numbers give exact gradients and symbols give the formula. NumPy's whole numbers alone, which
go round at the end of their range, are read as Python's.

===============  ==================================================================================
`x`              input; `x_k = o_k^(0)`, layer 0 being the input
`w_{j,k}^(i)`    weight into node `j` of layer `i` from node `k` of layer `i-1`
`b_j^(i)`        bias, SUBTRACTED: the net input is `sum_k w x - b`
`f_{i,j}`        activation, given as the pair `(f, f')` of functions of the net input
`o_j^(i)`        output of node `j` of layer `i`
`t_j`            target
`e`              squared error, `sum_j (t_j - o_j^(n))^2`: no 1/2, no mean
`eta`            learning rate
===============  ==================================================================================

Indices start at 1. An index that is 0, negative or past the end raises IndexError, which names it.

The scalar rows (`single_`, `double_`, `multi_layer_`) have one node in each layer: `weights[i-1]`,
`biases[i-1]` and `activations[i-1]` belong to layer `i`, and `x` and `t` are numbers.

All other rows are layered, and take the same five arguments before their indices:
`weights[i-1][j-1][k-1]`, `biases[i-1][j-1]`, `activations[i-1][j-1]`, `x[k-1]`, `t[j-1]`. Layer `i`
has `N_i` nodes, and `weights[i-1]` is the matrix `W_i`, of `N_i` rows and `N_{i-1}` columns.
Lengths that contradict each other raise ValueError.

Where the note, read literally, is wrong, the function computes what is right, and its docstring
says which line it departs from and why.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce, wraps
from itertools import pairwise, product
from operator import add, mul
from typing import Any, ParamSpec, TypeAlias, TypeVar

# int, float, Fraction, mpf and sympy's Expr have no common type but this one.
Number: TypeAlias = Any
Activation: TypeAlias = tuple[Callable[[Number], Number], Callable[[Number], Number]]

Vector: TypeAlias = Sequence[Number]
Matrix: TypeAlias = Sequence[Vector]
Weights: TypeAlias = Sequence[Matrix]
Biases: TypeAlias = Sequence[Vector]
Activations: TypeAlias = Sequence[Sequence[Activation]]

Term: TypeAlias = tuple[tuple[int, ...], tuple[Number, ...], Number]

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _row(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """The row, with NumPy's whole numbers read as Python's wherever they are in its arguments."""

    @wraps(function)
    def row(*arguments: _P.args, **named: _P.kwargs) -> _R:
        read: Any = function  # what is read has the types that were given
        result: _R = read(*map(_read, arguments), **{n: _read(each) for n, each in named.items()})
        return result

    return row


def _read(given: Any) -> Any:
    if hasattr(given, "__len__"):
        return [*map(_read, given)]
    kind = getattr(getattr(given, "dtype", None), "kind", "")
    return int(given) if kind and kind in "iu" else given


# 1  Scalar f, w and x


@_row
def single_layer_forward(
    w: Number, b: Number, activation: Activation, x: Number, t: Number
) -> tuple[Number, Number]:
    """Give the output and the error, `(o, e)`, of one node with one input.

    Row "single layer, forward" (1.1): `o = f(w x - b)`, `e = (t - o)^2`.

    >>> square = (lambda z: z * z, lambda z: 2 * z)
    >>> single_layer_forward(3, 1, square, 2, 20)
    (25, 25)
    """
    f, _ = activation
    o = f(w * x - b)
    return o, (t - o) * (t - o)


@_row
def single_layer_gradient(
    w: Number, b: Number, activation: Activation, x: Number, t: Number
) -> Number:
    """Give `de/dw` of one node with one input.

    Row "single layer, gradient" (1.1): `do/dw = f' x`, `de/dw = 2 (o - t) f' x`.

    >>> square = (lambda z: z * z, lambda z: 2 * z)
    >>> single_layer_gradient(3, 1, square, 2, 20)  # 2 (25 - 20) . 10 . 2
    200
    """
    f, df = activation
    net = w * x - b
    do_dw = df(net) * x
    return 2 * (f(net) - t) * do_dw


@_row
def single_layer_update(
    w: Number, b: Number, activation: Activation, x: Number, t: Number, eta: Number
) -> Number:
    """Give `Delta w`, what to add to the weight of one node with one input.

    Row "single layer, update" (1.1): `Delta w = -2 eta (o - t) f' x`.

    >>> from fractions import Fraction
    >>> square = (lambda z: z * z, lambda z: 2 * z)
    >>> single_layer_update(3, 1, square, 2, 20, Fraction(1, 100))
    Fraction(-2, 1)
    """
    return -eta * single_layer_gradient(w, b, activation, x, t)


@_row
def double_layer_gradient(
    weights: Vector, biases: Vector, activations: Sequence[Activation], x: Number, t: Number
) -> Number:
    """Give `de/dw1` of two nodes in a chain; each sequence has two items.

    Row "double layer, gradient" (1.2): `de/dw1 = 2 (o2 - t) f2' w2 f1' x`, as the product
    `de/do2 . do2/do1 . do1/dw1`. For `de/dw2` see `multi_layer_gradient`.

    Raises ValueError unless there are two layers.

    >>> line, square = (lambda z: z, lambda z: 1), (lambda z: z * z, lambda z: 2 * z)
    >>> double_layer_gradient([3, 2], [1, 3], [line, square], 1, 3)  # 2 (1 - 3) . 2 . 2 . 1 . 1
    -16
    """
    (w1, w2), (b1, b2), ((f1, df1), (f2, df2)) = weights, biases, activations
    net1 = w1 * x - b1
    net2 = w2 * f1(net1) - b2
    de_do2 = 2 * (f2(net2) - t)
    do2_do1 = df2(net2) * w2
    do1_dw1 = df1(net1) * x
    return de_do2 * do2_do1 * do1_dw1


@_row
def double_layer_update(
    weights: Vector,
    biases: Vector,
    activations: Sequence[Activation],
    x: Number,
    t: Number,
    eta: Number,
) -> Number:
    """Give `Delta w1`, what to add to the first weight of two nodes in a chain.

    Row "double layer, update" (1.2): `Delta w1 = -eta de/dw1`.

    Raises ValueError unless there are two layers.

    >>> line, square = (lambda z: z, lambda z: 1), (lambda z: z * z, lambda z: 2 * z)
    >>> double_layer_update([3, 2], [1, 3], [line, square], 1, 3, 2)
    32
    """
    return -eta * double_layer_gradient(weights, biases, activations, x, t)


@_row
def multi_layer_gradient(
    weights: Vector, biases: Vector, activations: Sequence[Activation], x: Number, t: Number, i: int
) -> Number:
    """Give `de/dw_i` of a chain of `n` nodes, one in each layer.

    Row "multi layer, gradient" (1.3):
    `de/dw_i = 2 (o_n - t) * prod_{k=i+1..n} [f_k' w_k] * f_i' o_{i-1}`.

    Raises IndexError unless `i` is in `1..n`.

    >>> line, square = (lambda z: z, lambda z: 1), (lambda z: z * z, lambda z: 2 * z)
    >>> chain = [3, 2], [1, 3], [line, square], 1, 3
    >>> [multi_layer_gradient(*chain, i) for i in (1, 2)]
    [-16, -16]
    """
    _check("i", i, range(1, len(weights) + 1))
    nets, outputs = [], [x]
    for w, b, (f, _) in zip(weights, biases, activations, strict=True):
        nets.append(w * outputs[-1] - b)
        outputs.append(f(nets[-1]))

    def slope(k: int) -> Number:
        _, df = activations[k - 1]
        return df(nets[k - 1])

    gradient = 2 * (outputs[-1] - t)
    for k in range(len(weights), i, -1):
        gradient = gradient * (slope(k) * weights[k - 1])
    return gradient * slope(i) * outputs[i - 1]


@_row
def multi_layer_update(
    weights: Vector,
    biases: Vector,
    activations: Sequence[Activation],
    x: Number,
    t: Number,
    i: int,
    eta: Number,
) -> Number:
    """Give `Delta w_i`, what to add to one weight of a chain of `n` nodes.

    Row "multi layer, update" (1.3): `Delta w_i = -eta de/dw_i`.

    Raises IndexError unless `i` is in `1..n`.

    >>> line, square = (lambda z: z, lambda z: 1), (lambda z: z * z, lambda z: 2 * z)
    >>> multi_layer_update([3, 2], [1, 3], [line, square], 1, 3, 2, 10)
    160
    """
    return -eta * multi_layer_gradient(weights, biases, activations, x, t, i)


# 2.1  Matrix W, vectors X, O and F


@_row
def matrix_forward(
    weights: Weights, biases: Biases, activations: Activations, x: Vector, t: Vector
) -> tuple[list[list[Number]], Number]:
    """Give every layer's outputs and the error, `(outputs, e)`; `outputs[i]` is `O_i`.

    Row "matrix, forward" (2.1): `O_i = F_i(W_i O_{i-1} - B_i)`, `e = (T - O_n)^T (T - O_n)`.

    The note writes `F_i(W_i O_{i-1})`; this computes `F_i(W_i O_{i-1} - B_i)`, because the note's
    other sections subtract the bias, and without it the two forms describe different networks.

    >>> line = (lambda z: z, lambda z: 1)
    >>> matrix_forward([[[1, 2], [3, 4]]], [[0, 1]], [[line, line]], [1, 1], [5, 5])
    ([[1, 1], [3, 6]], 5)
    """
    outputs = [list(x)]
    for w, b, layer in zip(weights, biases, activations, strict=True):
        products = _matmul(w, _transpose([outputs[-1]]))
        outputs.append([f(wo - b_j) for (wo,), b_j, (f, _) in zip(products, b, layer, strict=True)])
    difference = [[t_j - o_j] for t_j, o_j in zip(t, outputs[-1], strict=True)]
    ((e,),) = _matmul(_transpose(difference), difference)
    return outputs, e


@_row
def matrix_activation_jacobian(
    weights: Weights, biases: Biases, activations: Activations, x: Vector, t: Vector, i: int
) -> list[list[Number]]:
    """Give the Jacobian of `F_i` at layer `i`'s net input, `N_i` x `N_i`.

    Row "matrix, activation Jacobian" (2.1): `dF_i/dX = diag(F_i')`. It does not depend on `t`,
    which is taken so that every layered row can be given the same arguments.

    The note writes `diag(F_k)'` in the gradient; this computes `diag(F_k')`, because the Jacobian
    holds the derivatives on its diagonal: it is neither the derivative nor the transpose of a
    matrix that holds the values. The note has one `f_i` for the layer; here node `j` has its own
    `f_{i,j}`, as in section 2.2.

    Raises IndexError unless `i` is in `1..n`.

    >>> line, square = (lambda z: z, lambda z: 1), (lambda z: z * z, lambda z: 2 * z)
    >>> matrix_activation_jacobian([[[3], [4]]], [[0, 0]], [[line, square]], [1], [0, 0], 1)
    [[1, 0], [0, 8]]
    """
    run = _Pass(weights, biases, activations, x, t)
    run.check(i)
    return run.jacobian(i)


@_row
def matrix_gradient(
    weights: Weights, biases: Biases, activations: Activations, x: Vector, t: Vector, i: int
) -> list[list[Number]]:
    """Give `de/dW_i` as a list of rows, `N_i` x `N_{i-1}`, the shape of `W_i`.

    Row "matrix, gradient" (2.1), with `D_m` for `diag(F_m')`:
    `de/dW_i = ( 2 (O_n - T)^T [D_n W_n] ... [D_{i+1} W_{i+1}] D_i )^T (O_{i-1})^T`.

    The note writes `2 (O_n - T)^T prod_{k=i+1..n} [diag(F_k)' W_k] . diag(F_i') O_{i-1}`; this runs
    the product from `n` down to `i+1`, because matrices do not commute and in the order written the
    shapes do not fit; and it ends in an outer product with `O_{i-1}`, because the gradient for a
    matrix is a matrix, where the note's last factor would leave a number, or no product at all.

    Raises IndexError unless `i` is in `1..n`.

    >>> line = (lambda z: z, lambda z: 1)
    >>> matrix_gradient([[[1, 2], [3, 4]]], [[0, 1]], [[line, line]], [1, 10], [20, 40], 1)
    [[2, 20], [4, 40]]
    """
    run = _Pass(weights, biases, activations, x, t)
    run.check(i)
    row = [run.error_gradient]
    for m in range(run.n, i, -1):
        row = _matmul(row, _matmul(run.jacobian(m), weights[m - 1]))
    row = _matmul(row, run.jacobian(i))
    return _matmul(_transpose(row), [run.outputs[i - 1]])


@_row
def matrix_update(
    weights: Weights,
    biases: Biases,
    activations: Activations,
    x: Vector,
    t: Vector,
    i: int,
    eta: Number,
) -> list[list[Number]]:
    """Give `Delta W_i`, what to add to the matrix `W_i`, as a list of rows, `N_i` x `N_{i-1}`.

    Every entry is the row "summation, update" (2.2): `Delta W_i = -eta de/dW_i`.

    Raises IndexError unless `i` is in `1..n`.

    >>> line = (lambda z: z, lambda z: 1)
    >>> matrix_update([[[1, 2], [3, 4]]], [[0, 1]], [[line, line]], [1, 10], [20, 40], 1, 3)
    [[-6, -60], [-12, -120]]
    """
    gradient = matrix_gradient(weights, biases, activations, x, t, i)
    return [[-eta * de_dw for de_dw in row] for row in gradient]


# 2.2  Summation notation


@_row
def summation_forward(
    weights: Weights, biases: Biases, activations: Activations, x: Vector, t: Vector
) -> tuple[list[list[Number]], Number]:
    """Give every layer's outputs and the error, `(outputs, e)`; `outputs[i][j-1]` is `o_j^(i)`.

    Row "summation, forward" (2.2): `o_j^(i) = f_{i,j}( sum_k w_{j,k}^(i) o_k^(i-1) - b_j^(i) )`,
    and `e = sum_j (t_j - o_j^(n))^2`.

    >>> line = (lambda z: z, lambda z: 1)
    >>> summation_forward([[[1, 2], [3, 4]]], [[0, 1]], [[line, line]], [1, 1], [5, 5])
    ([[1, 1], [3, 6]], 5)
    """
    outputs = _Pass(weights, biases, activations, x, t).outputs
    return outputs, _sum((t_j - o) * (t_j - o) for t_j, o in zip(t, outputs[-1], strict=True))


@_row
def summation_nested(
    weights: Weights,
    biases: Biases,
    activations: Activations,
    x: Vector,
    t: Vector,
    i: int,
    j: int,
    k: int,
) -> Number:
    """Give `de/dw_{j,k}^(i)` by the chain rule, one sum inside the other.

    Row "summation, nested" (2.2):
    `sum_{k_n} de/do_{k_n} sum_{k_{n-1}} do_{k_n}/do_{k_{n-1}} ... do_j^(i)/dw_{j,k}^(i)`.

    The note lets the last sum run over `k_i`; this holds `k_i = j` fixed, because no other output
    of layer `i` depends on `w_{j,k}^(i)`, so that a free `k_i` counts paths that do not pass the
    weight. Where `i = n` it is `k_n = j` that is fixed, and one term is left of the sum.

    Raises IndexError unless `i`, `j`, `k` are in `1..n`, `1..N_i`, `1..N_{i-1}`.

    >>> line = (lambda z: z, lambda z: 1)
    >>> network = [[[1]], [[2], [3]]], [[0], [0, 0]], [[line], [line, line]]
    >>> summation_nested(*network, [1], [1, 1], 1, 1, 1)  # 2 (2 - 1) . 2 + 2 (3 - 1) . 3
    16
    """
    run = _Pass(weights, biases, activations, x, t)
    run.check(i, j, k)

    def nodes(m: int) -> Iterable[int]:
        return (j,) if m == i else run.nodes(m)

    def do_dw(m: int, k_m: int) -> Number:
        if m == i:
            return run.slope(i, j) * run.o(i - 1, k)
        return _sum(run.do_do(m, k_m, below) * do_dw(m - 1, below) for below in nodes(m - 1))

    return _sum(run.de_do(k_n) * do_dw(run.n, k_n) for k_n in nodes(run.n))


@_row
def summation_terms(
    weights: Weights,
    biases: Biases,
    activations: Activations,
    x: Vector,
    t: Vector,
    i: int,
    j: int,
    k: int,
) -> Iterator[Term]:
    """Give the terms of `summation_expanded`, lazily, each as `(indices, factors, value)`.

    There is one for each `indices = (k_n, k_{n-1}, ..., k_{i+1})`, the last index running fastest:
    as many as there are paths from the weight to the error. `factors` are in the note's order,
    `2 (o_{k_n} - t_{k_n})`, `f'_{n,k_n}`, `w_{k_n,k_{n-1}}^(n)`, ..., `f'_{i,j}`, `o_k^(i-1)`, and
    `value` is their product.

    The note gives a `k_i` too; here `k_i = j` is fixed and no index, because no other output of
    layer `i` depends on the weight. Where `i = n` there is one term, and its `indices` are `()`.
    The note writes `f'_i`; this takes `f'_{i,j}`, because the derivative is the one at the weight's
    own node.

    Raises IndexError unless `i`, `j`, `k` are in `1..n`, `1..N_i`, `1..N_{i-1}`.

    >>> line = (lambda z: z, lambda z: 1)
    >>> network = [[[1]], [[2], [3]]], [[0], [0, 0]], [[line], [line, line]]
    >>> for term in summation_terms(*network, [1], [1, 1], 1, 1, 1):
    ...     print(*term)
    (1,) (2, 1, 2, 1, 1) 4
    (2,) (4, 1, 3, 1, 1) 12
    """
    run = _Pass(weights, biases, activations, x, t)
    run.check(i, j, k)
    layers = range(run.n, i, -1)

    def term(indices: tuple[int, ...]) -> Term:
        path = (*indices, j)
        factors = [run.de_do(path[0])]
        for m, (k_m, below) in zip(layers, pairwise(path), strict=True):
            factors += [run.slope(m, k_m), run.w(m, k_m, below)]
        factors += [run.slope(i, j), run.o(i - 1, k)]
        return indices, tuple(factors), reduce(mul, factors)

    # Not itself a generator, so that a wrong index is reported here and not at the first term.
    return map(term, product(*map(run.nodes, layers)))


@_row
def summation_expanded(
    weights: Weights,
    biases: Biases,
    activations: Activations,
    x: Vector,
    t: Vector,
    i: int,
    j: int,
    k: int,
) -> Number:
    """Give `de/dw_{j,k}^(i)` as the sum of `summation_terms`, which says where the note is amended.

    Row "summation, expanded" (2.2): one term for each `(k_n, k_{n-1}, ..., k_{i+1})`,
    `2 (o_{k_n} - t_{k_n}) f'_{n,k_n} w_{k_n,k_{n-1}}^(n) ... f'_{i+1,k_{i+1}} w_{k_{i+1},j}^(i+1)
    f'_{i,j} o_k^(i-1)`. There are `N_n N_{n-1} ... N_{i+1}` terms; `summation_bracketed` sums them
    without visiting each.

    Raises IndexError unless `i`, `j`, `k` are in `1..n`, `1..N_i`, `1..N_{i-1}`.

    >>> line = (lambda z: z, lambda z: 1)
    >>> network = [[[1]], [[2], [3]]], [[0], [0, 0]], [[line], [line, line]]
    >>> summation_expanded(*network, [1], [1, 1], 1, 1, 1)
    16
    """
    terms = summation_terms(weights, biases, activations, x, t, i, j, k)
    return _sum(value for _, _, value in terms)


@_row
def summation_bracketed(
    weights: Weights,
    biases: Biases,
    activations: Activations,
    x: Vector,
    t: Vector,
    i: int,
    j: int,
    k: int,
) -> Number:
    """Give `de/dw_{j,k}^(i)` from the innermost bracket outwards, each bracket evaluated once.

    Row "summation, bracketed" (2.2), the same terms with each sum bracketed around its factor:
    `2 sum_{k_n} (o_{k_n} - t_{k_n}) [ sum_{k_{n-1}} f'_{n,k_n} w_{k_n,k_{n-1}}^(n) [ ... ] ]`, and
    `f'_{i,j} o_k^(i-1)` inside the last.

    The note writes a product of brackets; this nests each bracket in the one before it, because its
    `k_m` is bound by the bracket outside: as a product of independent sums it is another number.
    The note's last bracket sums over `k_i`; here `k_i = j` is fixed, as in `summation_nested`.

    A bracket depends on the `k_m` that binds it and on nothing else outside, so a layer needs one
    for each of its nodes. It equals `do_{k_m}^(m)/dw_{j,k}^(i)`: bracketed in the note's way, the
    sum runs forward through the network, for one weight. `node_gradient` brackets the same terms
    from the other end, where the brackets serve all weights at once: that is back-propagation.

    Raises IndexError unless `i`, `j`, `k` are in `1..n`, `1..N_i`, `1..N_{i-1}`.

    >>> line = (lambda z: z, lambda z: 1)
    >>> network = [[[1]], [[2], [3]]], [[0], [0, 0]], [[line], [line, line]]
    >>> summation_bracketed(*network, [1], [1, 1], 1, 1, 1)
    16
    """
    run = _Pass(weights, biases, activations, x, t)
    run.check(i, j, k)
    brackets = {j: run.slope(i, j) * run.o(i - 1, k)}
    for m in range(i + 1, run.n + 1):
        brackets = {
            k_m: _sum(run.do_do(m, k_m, below) * inner for below, inner in brackets.items())
            for k_m in run.nodes(m)
        }
    return _sum(run.de_do(k_n) * bracket for k_n, bracket in brackets.items())


@_row
def summation_update(
    weights: Weights,
    biases: Biases,
    activations: Activations,
    x: Vector,
    t: Vector,
    i: int,
    j: int,
    k: int,
    eta: Number,
) -> Number:
    """Give `Delta w_{j,k}^(i)`, what to add to one weight.

    Row "summation, update" (2.2): `Delta w_{j,k}^(i) = -eta de/dw_{j,k}^(i)`.

    The note writes `Delta w^(i)`; this computes `Delta w_{j,k}^(i)`, because every weight of the
    layer has a step of its own. `matrix_update` gives those of a layer together.

    Raises IndexError unless `i`, `j`, `k` are in `1..n`, `1..N_i`, `1..N_{i-1}`.

    >>> line = (lambda z: z, lambda z: 1)
    >>> network = [[[1]], [[2], [3]]], [[0], [0, 0]], [[line], [line, line]]
    >>> summation_update(*network, [1], [1, 1], 1, 1, 1, 2)
    -32
    """
    return -eta * summation_bracketed(weights, biases, activations, x, t, i, j, k)


# Beyond the note, in its notation


@_row
def bias_gradient(
    weights: Weights,
    biases: Biases,
    activations: Activations,
    x: Vector,
    t: Vector,
    i: int,
    j: int,
) -> Number:
    """Give `de/db_j^(i)`.

    Not in the note: the sum for `de/dw_{j,k}^(i)` with `-1`, the derivative of the net input for
    the bias that it subtracts, in place of `o_k^(i-1)`: `de/db_j^(i) = de/do_j^(i) f'_{i,j} (-1)`.

    Raises IndexError unless `i`, `j` are in `1..n`, `1..N_i`.

    >>> line = (lambda z: z, lambda z: 1)
    >>> network = [[[1]], [[2], [3]]], [[0], [0, 0]], [[line], [line, line]]
    >>> bias_gradient(*network, [1], [1, 1], 1, 1)
    -16
    """
    run = _Pass(weights, biases, activations, x, t)
    run.check(i, j)
    return run.node_gradients(i)[j - 1] * run.slope(i, j) * -1


@_row
def input_gradient(
    weights: Weights, biases: Biases, activations: Activations, x: Vector, t: Vector, k: int
) -> Number:
    """Give `de/dx_k`.

    Not in the note: as `x_k = o_k^(0)`, it is the gradient for node `k` of layer 0.

    Raises IndexError unless `k` is in `1..N_0`.

    >>> line = (lambda z: z, lambda z: 1)
    >>> network = [[[5]], [[2], [3]]], [[0], [0, 0]], [[line], [line, line]]
    >>> input_gradient(*network, [1], [9, 14], 1)  # 2 (10 - 9) . 2 . 5 + 2 (15 - 14) . 3 . 5
    50
    """
    run = _Pass(weights, biases, activations, x, t)
    _check("k", k, run.nodes(0))
    return run.node_gradients(0)[k - 1]


@_row
def node_gradient(
    weights: Weights,
    biases: Biases,
    activations: Activations,
    x: Vector,
    t: Vector,
    i: int,
    j: int,
) -> Number:
    """Give `de/do_j^(i)`, where `i` may be 0: the input is layer 0.

    Not in the note: `de/do_j^(n) = 2 (o_j^(n) - t_j)`, and below it, with `m = i+1`,
    `de/do_j^(i) = sum_{k_m} de/do_{k_m}^(m) f'_{m,k_m} w_{k_m,j}^(m)`: the terms of the note,
    bracketed from the error downwards, which is back-propagation.

    Raises IndexError unless `i`, `j` are in `0..n`, `1..N_i`.

    >>> line = (lambda z: z, lambda z: 1)
    >>> network = [[[5]], [[2], [3]]], [[0], [0, 0]], [[line], [line, line]]
    >>> node_gradient(*network, [1], [9, 14], 2, 1), node_gradient(*network, [1], [9, 14], 1, 1)
    (2, 10)
    """
    run = _Pass(weights, biases, activations, x, t)
    _check("i", i, range(run.n + 1))
    _check("j", j, run.nodes(i))
    return run.node_gradients(i)[j - 1]


# What the rows share


class _Pass:
    """One forward pass, and its local derivatives, read in the note's letters and indices.

    A class for one reason: so that a row reads as its formula, without the `- 1` of every list.
    """

    def __init__(
        self,
        weights: Weights,
        biases: Biases,
        activations: Activations,
        x: Vector,
        t: Vector,
    ) -> None:
        self.n = len(weights)
        self.weights = weights
        self.activations = activations
        self.nets: list[list[Number]] = []
        self.outputs = [list(x)]
        for w, b, layer in zip(weights, biases, activations, strict=True):
            net = [
                _sum(w_jk * o_k for w_jk, o_k in zip(row, self.outputs[-1], strict=True)) - b_j
                for row, b_j in zip(w, b, strict=True)
            ]
            self.nets.append(net)
            self.outputs.append([f(z) for (f, _), z in zip(layer, net, strict=True)])
        self.error_gradient = [2 * (o - t_j) for o, t_j in zip(self.outputs[-1], t, strict=True)]

    def check(self, i: int, j: int | None = None, k: int | None = None) -> None:
        """Raise IndexError unless `w_{j,k}^(i)` exists; an index that is None is not looked at."""
        _check("i", i, range(1, self.n + 1))
        if j is not None:
            _check("j", j, self.nodes(i))
        if k is not None:
            _check("k", k, self.nodes(i - 1))

    def nodes(self, i: int) -> range:
        return range(1, len(self.outputs[i]) + 1)

    def o(self, i: int, j: int) -> Number:
        return self.outputs[i][j - 1]

    def w(self, i: int, j: int, k: int) -> Number:
        return self.weights[i - 1][j - 1][k - 1]

    def slope(self, i: int, j: int) -> Number:
        """`f'_{i,j}`, evaluated when asked: no row needs the derivatives below its own layer."""
        _, df = self.activations[i - 1][j - 1]
        return df(self.nets[i - 1][j - 1])

    def jacobian(self, i: int) -> list[list[Number]]:
        """`diag(F_i')`."""
        nodes = self.nodes(i)
        return [[self.slope(i, j) if j == k else 0 for k in nodes] for j in nodes]

    def de_do(self, j: int) -> Number:
        """`de/do_j^(n)`."""
        return self.error_gradient[j - 1]

    def do_do(self, i: int, j: int, k: int) -> Number:
        """`do_j^(i)/do_k^(i-1)`."""
        return self.slope(i, j) * self.w(i, j, k)

    def node_gradients(self, i: int) -> list[Number]:
        """`de/do_j^(i)` for every `j`."""
        gradients = self.error_gradient
        for m in range(self.n, i, -1):
            slopes = [self.slope(m, j) for j in self.nodes(m)]
            gradients = [
                _sum(
                    gradient * slope * w
                    for gradient, slope, w in zip(gradients, slopes, column, strict=True)
                )
                for column in _transpose(self.weights[m - 1])
            ]
        return gradients


def _check(name: str, index: int, allowed: range) -> None:
    if index not in allowed:
        message = f"index {name} = {index} is not in {allowed.start}..{allowed.stop - 1}"
        raise IndexError(message)


def _sum(numbers: Iterable[Number]) -> Number:
    # The built-in sum() adds a 0 first, and from Python 3.12 on corrects the rounding of floats:
    # the result would depend on the Python that runs it.
    return reduce(add, numbers)


def _transpose(matrix: Matrix) -> list[list[Number]]:
    return [list(column) for column in zip(*matrix, strict=True)]


def _matmul(left: Matrix, right: Matrix) -> list[list[Number]]:
    columns = _transpose(right)
    return [
        [_sum(a * b for a, b in zip(row, column, strict=True)) for column in columns]
        for row in left
    ]
