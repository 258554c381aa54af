"""The wrong way: a pass that goes down without an order, and what comes out of it."""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

from tinygrad_bp.engine.tape import Tape
from tinygrad_bp.errors import TooManyPathsError
from tinygrad_bp.explain.paths import LIMIT, check_value
from tinygrad_bp.explain.steps import LISTED, Steps, show, steps_of
from tinygrad_bp.numbers.families import whole_number
from tinygrad_bp.numbers.text import plain, plain_number
from tinygrad_bp.quoting import visible

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from tinygrad_bp.engine.value import Value
    from tinygrad_bp.numbers.kernels import Number


_COUNTED = 10**100
"""Counting the steps of the wrong way stops here: it may have more digits than there is memory."""


class Answer(NamedTuple):
    """What the wrong way makes of one leaf's gradient.

    Attributes:
        leaf: the leaf.
        naive: what comes out.
        right: the gradient.
        wrong: whether they differ by more than rounding.
    """

    leaf: Value
    naive: Number
    right: Number
    wrong: bool


class Naive(Steps):
    """The record of a pass without an order, and what comes of it.

    Attributes:
        right: the record of the right pass.
        answers: for each leaf, what comes out and what is right.
        first_wrong: the index of the first step that passes on a gradient which is not complete
            yet, where that leads to a wrong answer; otherwise ``None``.
    """

    right: Steps
    answers: tuple[Answer, ...]
    first_wrong: int | None

    def explain(self, *, ascii_only: bool = False) -> str:
        """Where it first goes wrong, and what comes of it.

        >>> from tinygrad_bp import Value
        >>> a = Value(1.0, "a")
        >>> b = a + a
        >>> b.label = "b"
        >>> print(naive(b + b).explain())
        step 5 goes wrong: b passes on 1.0, but its gradient is 2.0: 1 of its 2 contributions has not come
        a.grad = 6.0 is wrong: 4.0 is right
        """
        if self.first_wrong is None:
            return (
                "nothing goes wrong here: the order makes a difference only where an inner node is "
                "used more than once"
            )
        step = self[self.first_wrong]
        name = self.names[step.node]
        due = self.right.received(step.node)[1]
        come = self.received(step.node, step.index)[0]
        missing = f"{due - come} of its {due} contributions {'has' if due - come == 1 else 'have'}"
        where = f"step {step.index + 1} goes wrong: {name} passes on {show(step.upstream)}"
        lines = [
            f"{where}, but its gradient is {show(self.right.at(-1)[step.node])}: {missing} not come"
        ]
        wrong = [each for each in self.answers if each.wrong]
        lines += [
            f"{self.names[each.leaf]}.grad = {show(each.naive)} is wrong: {show(each.right)} is right"
            for each in wrong[:LISTED]
        ]
        lines += [f"and {len(wrong) - LISTED} more are wrong"] * (len(wrong) > LISTED)
        return plain("\n".join(map(visible, lines)), ascii_only=ascii_only)

    def to_dict(self) -> dict[str, Any]:
        """The record as data that JSON can hold, with the answers."""
        answers = [
            {
                "leaf": self.names[leaf],
                "naive": plain_number(found),
                "right": plain_number(right),
                "wrong": wrong,
            }
            for leaf, found, right, wrong in self.answers
        ]
        return {**super().to_dict(), "answers": answers, "first_wrong": self.first_wrong}


def naive(e: Value, *, named: Mapping[Value, str] | None = None, limit: int = LIMIT) -> Naive:
    """The pass as a beginner writes it: by recursion, in no order.  It is wrong.

    Whenever a node is given a contribution, it adds it and passes its whole sum on at once::

        def backward(node):
            for parent, local in zip(node.parents, node.local_derivatives):
                parent.grad += node.grad * local
                backward(parent)

    A node that is used twice so passes its first contribution on twice.  The right pass waits until
    all have come, and that is what the order is for.

    Args:
        e: the result.
        named: a name for each node, if not those of `tinygrad_bp.engine.names.names`.
        limit: how many steps it may take, which grow as the number of paths.

    Raises:
        TooManyPathsError: it would take more.
        ArgumentError: ``e`` is not a Value.

    >>> from tinygrad_bp import Value
    >>> a = Value(1.0, "a")
    >>> b = a + a
    >>> naive(b + b).answers
    (Answer(leaf=Value(data=1.0, grad=0, label='a'), naive=6.0, right=4.0, wrong=True),)
    """
    check_value("e", e)
    return naive_of(Tape.from_result(e, named), limit)


def naive_of(tape: Tape, limit: int = LIMIT) -> Naive:
    """`naive` of the result of a tape."""
    count = _visits(tape)
    if count > whole_number("limit", limit):
        raise TooManyPathsError(
            f"the naive pass would take {f'{count}' if count < _COUNTED else 'more than 10**100'} "
            f"steps, more than the limit of {limit}, for it goes down every path: steps(e) takes one "
            "for each edge; take a smaller graph, or raise limit="
        )
    right = steps_of(tape)
    edges = tape.edges
    visited: list[int] = []
    pending = [iter(edges.out_of(len(tape.nodes) - 1))]  # the recursion, with a stack of its own
    while pending:
        edge = next(pending[-1], None)
        if edge is None:
            pending.pop()
        else:
            visited.append(edge)
            pending.append(iter(edges.out_of(edges.below[edge])))
    record = Naive(tape, visited)
    record.right = right
    found = record.at(-1), right.at(-1)
    triples = [(leaf, *(sums[leaf] for sums in found)) for leaf in tape.nodes if not leaf.rule]
    early = _first_early(record)
    record.answers = tuple(
        Answer(leaf, sum_, due, early is not None and not _same(sum_, due))
        for leaf, sum_, due in triples
    )
    record.first_wrong = early if any(answer.wrong for answer in record.answers) else None
    return record


def _visits(tape: Tape) -> int:
    """How many edges the recursion goes down: the number of paths to each node, all together."""
    paths = [0] * len(tape.nodes)
    paths[-1] = 1
    total = 0
    for above, below in zip(tape.edges.above, tape.edges.below, strict=True):
        paths[below] += paths[above]
        total += paths[above]
        if total > _COUNTED:
            break
    return total


def _first_early(record: Naive) -> int | None:
    """The first step at which a node passes on before it has got all contributions."""
    edges, due = record._tape.edges, record.right._grown
    for k, edge in enumerate(record._visited, record.seed + 1):
        above = edges.above[edge]
        if bisect_left(record._grown[above], k) < len(due[above]):
            return k
    return None


def _same(one: Number, other: Number) -> bool:
    """Whether two sums of the same terms, in another order perhaps, are the same number."""
    if one == other or (one != one and other != other):  # noqa: PLR0124 - nan
        return True
    if hasattr(one, "equals"):  # a symbol's: the same formula, however written
        return bool(one.equals(other))
    exact = hasattr(one, "numerator") and hasattr(other, "numerator")
    return not exact and math.isclose(one, other, rel_tol=1e-9)
