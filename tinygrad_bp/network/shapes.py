"""What a network is made of, as it is given: weights, biases and activations, checked against each other.

This module knows their number and shape alone, and makes no nodes.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from tinygrad_bp.engine.operations import FUNCTIONS
from tinygrad_bp.errors import NetworkError
from tinygrad_bp.numbers.families import whole
from tinygrad_bp.numbers.text import counted
from tinygrad_bp.quoting import quoted
from tinygrad_bp.table.rules import FUNCTION_NAMES, RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeAlias

    from tinygrad_bp.engine.value import Value

    Activation: TypeAlias = str | Callable[[Value], Value]

MOST = 500_000
"""So many weights and biases a network has at most that is drawn at random or read from a file."""
ACTIVATIONS = tuple(
    name for name in FUNCTION_NAMES if RULES[name].arity == 1 and not RULES[name].variadic
)
"""The names an activation may have: every operation of one operand in the table."""


def per_node(activations: Any, sizes: tuple[int, ...]) -> list[list[Activation]]:
    """The activation of every node, from one for all, one for each layer or one for each node."""
    layers = [activations] * (len(sizes) - 1) if _is_one(activations) else list(activations)
    if len(layers) != len(sizes) - 1:
        raise NetworkError(f"{len(layers)} activations for {len(sizes) - 1} layers")
    result = []
    for i, (layer, size) in enumerate(zip(layers, sizes[1:], strict=True), 1):
        nodes = [layer] * size if _is_one(layer) else list(layer)
        if len(nodes) != size:
            raise NetworkError(f"{len(nodes)} activations for the {size} nodes of layer {i}")
        result.append([_name_of(each) for each in nodes])
        for each in result[-1]:
            if isinstance(each, str) and each not in ACTIVATIONS:
                unfit = "no function of one number as" if each in FUNCTION_NAMES else "unknown"
                raise NetworkError(
                    f"{unfit} activation {quoted(each)}; known: {', '.join(ACTIVATIONS)}"
                )
            if not isinstance(each, str) and not callable(each):
                raise NetworkError(f"an activation is a name or a function, not {quoted(each)}")
    return result


def _name_of(activation: Activation) -> Activation:
    """A function of the table by its name, which can be saved."""
    name = getattr(activation, "__name__", "")
    return name if name in FUNCTIONS and FUNCTIONS[name] is activation else activation


def _is_one(activation: Any) -> bool:
    if isinstance(activation, (str, int, float, dict)) or activation is None:
        return True  # what is no name is refused by the caller
    return callable(activation)


def sizes_of(weights: Any, biases: Any) -> tuple[int, ...]:
    """The number of nodes of each layer, the input first, once the shapes fit together."""
    try:
        inputs = len(weights[0][0])
        sizes = (inputs, *(len(layer) for layer in weights))
        shapes = [[len(row) for row in layer] for layer in weights]
        bias_sizes = [len(layer) for layer in biases]
    except (TypeError, IndexError, KeyError):
        raise NetworkError(
            "weights are lists weights[i-1][j-1][k-1] and biases lists biases[i-1][j-1], none empty"
        ) from None
    for i, (shape, below, size) in enumerate(zip(shapes, sizes, sizes[1:], strict=False), 1):
        for j, row in enumerate(shape, 1):
            if row != below:
                raise NetworkError(
                    f"row {j} of the weights of layer {i} has {row} numbers, and layer {i - 1} has "
                    f"{below} nodes"
                )
        if size == 0 or below == 0:
            raise NetworkError(f"layer {i} is empty")
    if bias_sizes != list(sizes[1:]):
        raise NetworkError(
            f"there are biases for layers of {bias_sizes} nodes, and weights for {list(sizes[1:])}"
        )
    return sizes


def check_size(sizes: Sequence[int]) -> None:
    """Refuse a network that would fill the memory, before it is made."""
    count = sum((below + 1) * size for below, size in pairwise(sizes))
    if count > MOST:
        raise NetworkError(
            f"a network of {counted(count, 'weight')} and biases: more than the {MOST} that are taken"
        )


def check_index(what: str, index: int, size: int) -> None:
    """Refuse an index beyond its range, which starts at 1.

    Raises:
        IndexError: naming the index and its range.
    """
    number = whole(index)
    if number is None or not 1 <= number <= size:
        no_number = ", no whole number" * (number is None)
        raise IndexError(
            f"{what} is {quoted(index)}{no_number}: indices start at 1, and this one ends at {size}"
        )
