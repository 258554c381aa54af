"""The backward pass told as data: what `backward` does in a loop, one `Step` for each thing it does.

`steps` is the record, `order` says what each node had to wait for, and `naive` tells the same for
the wrong way round.  Terminal, pictures and tests read this one record, and compute nothing again.
Nothing here touches a ``grad``: ``x.grad`` in a text is the sum that the pass keeps for ``x``, which
starts at 0.  `backward` adds it to what a leaf had before; `Steps.grads_after_backward` says to what.
"""

from __future__ import annotations

import operator
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, overload

from tinygrad_bp.engine.collector import collector_paused
from tinygrad_bp.engine.differentiate import still_gives
from tinygrad_bp.engine.kinks import ChainRule
from tinygrad_bp.engine.tape import Tape
from tinygrad_bp.engine.value import Value, as_list
from tinygrad_bp.explain.paths import check_value
from tinygrad_bp.numbers.arithmetic import meeting
from tinygrad_bp.numbers.families import check_number, python_number
from tinygrad_bp.numbers.text import format_number, plain, plain_number
from tinygrad_bp.quoting import visible
from tinygrad_bp.table.notation import in_text, lists

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from typing import Any

    from tinygrad_bp.numbers.kernels import Number


LISTED = 6
"""So many operands of a list, and wrong answers, are written out."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that the pass does.

    Attributes:
        kind: ``"forward"``, a node is computed; ``"seed"``, the result's gradient is set to 1;
            ``"backward"``, one edge is gone down; ``"update"``, a leaf learns.
        index: its place in the record.
        node: the node computed, seeded or updated; of an edge, the upper end.
        parent: the lower end of the edge, to which the contribution goes.
        slot: which of the node's `parents` that is: it may be there twice.
        local: the local derivative, frozen in the forward pass; for an update, ``-eta``.
        upstream: the gradient of the node as it is passed on; for an update, that of the leaf.
        contribution: ``upstream * local``; for an update, the note's ``Delta w``.
        grad_before: the target's sum before the step: the pass's own, which starts at 0.
        grad_after: the same after it.
        ordinal: how many contributions the parent had had before, so that each can have a colour.
        data: the number that the forward step or the update gives the node.
        operands: the numbers that it was made of: those of the operands, or what the leaf had.
        names: a name for each node of the graph.

    What a kind of step has no use for is ``None``.
    """

    kind: str
    index: int
    node: Value
    parent: Value | None = None
    slot: int | None = None
    local: Number | None = None
    upstream: Number | None = None
    contribution: Number | None = None
    grad_before: Number | None = None
    grad_after: Number | None = None
    ordinal: int | None = None
    data: Number | None = None
    operands: tuple[Number, ...] = ()
    names: Mapping[Value, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def target(self) -> Value:
        """The node that the step gives something: of an edge, the lower end."""
        return self.node if self.parent is None else self.parent

    def text(self, *, ascii_only: bool = False) -> str:
        """The step in one line, with the numbers in it.

        >>> from tinygrad_bp import Value
        >>> a, x = Value(2.0, "a"), Value(-3.0, "x")
        >>> for step in steps(a * x):
        ...     print(step.text())
        e = a * x = 2.0 * (-3.0) = -6.0
        e.grad = 1.0
        a.grad: 0 + (1.0 × -3.0) = -3.0
        x.grad: 0 + (1.0 × 2.0) = 2.0
        """
        name = self.names[self.target]
        if self.kind == "forward":
            numbers = _operation(self.node, [_operand(self.node, each) for each in self.operands])
            how = written(self.node, self.names)
            how = f"{how} = {numbers}" if self.fresh else how
            text = f"{name} = {how} = {show(self.data)}"
        elif self.kind == "seed":
            text = f"{name}.grad = {show(self.grad_after)}"
        elif self.kind == "update":
            change = _product(self.local, self.upstream)
            text = f"{name}: {show(self.operands[0])} + ({change}) = {show(self.data)}"
        else:
            before = show(self.grad_before) if self.ordinal else "0"
            text = (
                f"{name}.grad: {before} + ({_product(self.upstream, self.local)})"
                f" = {show(self.grad_after)}"
            )
        return plain(visible(text), ascii_only=ascii_only)

    def reason(self, *, ascii_only: bool = False) -> str:
        """Where the step's numbers come from, in one more line.

        >>> from tinygrad_bp import Value
        >>> a, x = Value(2.0, "a"), Value(-3.0, "x")
        >>> for step in steps(a * x):
        ...     print(step.reason())
        kept for the way back: de/da = -3.0, de/dx = 2.0
        de/de = 1.0: here the pass starts
        e → a, as e = a * x: e.grad = 1.0, de/da = -3.0
        e → x, as e = a * x: e.grad = 1.0, de/dx = 2.0
        """
        node, name = self.node, self.names[self.node]
        if self.kind == "forward":
            slots = [*enumerate(node.local_derivatives)]
            kept = [f"{self._derivative(slot)} = {show(local)}" for slot, local in slots[:LISTED]]
            text = f"kept for the way back: {_elided(kept, len(slots))}"
            if not self.fresh:
                text = "a leaf has been given other data since; what was recorded stays"
        elif self.kind == "seed":
            text = f"d{name}/d{name} = {show(self.grad_after)}: here the pass starts"
        elif self.kind == "update":
            text = f"Δ{name} = −η · {name}.grad = {show(self.contribution)}"
        else:
            below = self.names[self.target]
            rule = node.rule
            how = f"as {name} = {written(node, self.names)}"
            if rule and rule.variadic:
                how = f"by {rule.name}"
            text = (
                f"{name} → {below}, {how}: "
                f"{name}.grad = {show(self.upstream)}, "
                f"{self._derivative(self.slot or 0)} = {show(self.local)}"
            )
        return plain(visible(text), ascii_only=ascii_only)

    @property
    def fresh(self) -> bool:
        """Whether the numbers of a forward step still give what was recorded.

        They do not where a leaf was given other data between the recording and `steps`.
        """
        return self.kind != "forward" or still_gives(self.node, self.operands)

    def to_dict(self) -> dict[str, Any]:
        """The step as data that JSON can hold; nodes by name."""
        numbers = ("local", "upstream", "contribution", "grad_before", "grad_after", "data")
        return {
            "kind": self.kind,
            "index": self.index,
            "node": self.names[self.node],
            "parent": None if self.parent is None else self.names[self.parent],
            "slot": self.slot,
            **{name: _plain_or_none(getattr(self, name)) for name in numbers},
            "ordinal": self.ordinal,
            "operands": [plain_number(each) for each in self.operands],
            "text": self.text(),
            "reason": self.reason(),
        }

    def _derivative(self, slot: int) -> str:
        """``dabove/dbelow``; of parallel edges, which one is said."""
        parents = self.node.parents
        which = f"[operand {slot + 1}]" if parents.count(parents[slot]) > 1 else ""
        return f"d{self.names[self.node]}/d{self.names[parents[slot]]}{which}"


class Steps(Sequence[Step]):
    """The record of one pass: a sequence of `Step` that does not change.

    Every sum is kept, so that going back is as quick as going on, and neither computes anything.

    Attributes:
        e: the result.
        nodes: all nodes that it was made of, each after its parents.
        names: a name for each of them.
        seed: the index of the seed; the forward steps are before it, the backward steps after it.
        edges: the number of backward steps.
    """

    e: Value
    nodes: tuple[Value, ...]
    names: Mapping[Value, str]
    seed: int
    edges: int

    def __init__(
        self,
        tape: Tape,
        visited: Sequence[int],
        eta: Number | None = None,
        wrt: Collection[Value] | None = None,
    ) -> None:
        self.e, self.nodes, self.names = tape.e, tape.nodes, tape.names
        self._tape = tape
        self._computed = tuple(node for node in tape.nodes if node.rule is not None)
        self.seed = len(self._computed)
        self._visited = visited
        self.edges = len(visited)
        self._zero = 0.0 if isinstance(self.e.data, float) else 0  # as `backward` has it
        with collector_paused(), meeting(lambda: f"steps from {self.e!r:.160}"):
            self._contributions, self._sums = self._go_down()
        self._eta: Number = eta
        leaves = [node for node in tape.nodes if node.rule is None]
        chosen = leaves if wrt is None else as_list("steps(e, wrt=)", wrt)
        for each in chosen:
            check_value("one of wrt", each)
        learning = set(chosen)
        self._updated = tuple(leaf for leaf in leaves if eta is not None and leaf in learning)

    def _go_down(self) -> tuple[list[Number], list[Number]]:
        """For each edge that is visited, what it adds to the lower node's gradient, and that after it."""
        nodes, edges, rule = self.nodes, self._tape.edges, ChainRule()
        grads: list[Number] = [self._zero] * len(nodes)
        grads[-1] = self._zero + 1
        contributions, sums = [], []
        for edge in self._visited:
            above, below = edges.above[edge], edges.below[edge]
            share = rule.product(nodes[above], grads[above], nodes[below], edges.locals[edge])
            grads[below] += share
            contributions.append(share)
            sums.append(grads[below])
        return contributions, sums

    def __len__(self) -> int:
        return self.seed + 1 + self.edges + len(self._updated)

    @overload
    def __getitem__(self, index: int) -> Step: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Step, ...]: ...
    def __getitem__(self, index: int | slice) -> Step | tuple[Step, ...]:
        if isinstance(index, slice):
            return tuple(self[each] for each in range(*index.indices(len(self))))
        k = self._place(index)
        if k < self.seed:
            node = self._computed[k]
            numbers = tuple(self.number(each) for each in node.operands)
            return Step("forward", k, node, data=node.data, operands=numbers, names=self.names)
        if k == self.seed:
            return Step(
                "seed",
                k,
                self.e,
                contribution=self._zero + 1,
                grad_before=self._zero,
                grad_after=self._zero + 1,
                names=self.names,
            )
        number = k - self.seed - 1
        if number >= self.edges:
            return self._update(k, self._updated[number - self.edges])
        edges, edge = self._tape.edges, self._visited[number]
        above, below = edges.above[edge], edges.below[edge]
        return Step(
            "backward",
            k,
            self.nodes[above],
            self.nodes[below],
            slot=edges.slots[edge],
            local=edges.locals[edge],
            upstream=self._sum(above, k - 1),
            contribution=self._contributions[number],
            grad_before=self._sum(below, k - 1),
            grad_after=self._sums[number],
            ordinal=bisect_left(self._grown[below], k),
            names=self.names,
        )

    def __iter__(self) -> Iterator[Step]:
        return map(self.__getitem__, range(len(self)))

    def __repr__(self) -> str:
        parts = [f"{self.seed} forward, the seed, {self.edges} backward"]
        updates = len(self._updated)
        parts += [f"{updates} update{'s' * (updates > 1)}"] * bool(updates)
        return f"<{type(self).__name__}: {', '.join(parts)}>"

    def at(self, index: int) -> Mapping[Value, Number]:
        """The gradient of each node as far as it has been summed after a step.

        >>> from tinygrad_bp import Value
        >>> x = Value(3.0, "x")
        >>> record = steps(x * x)
        >>> [record.at(k)[x] for k in range(len(record))]
        [0.0, 0.0, 3.0, 6.0]
        """
        return _Sums(self, self._place(index))

    def received(self, node: Value, index: int = -1) -> tuple[int, int]:
        """How many contributions a node has had after a step, and how many it gets in all.

        >>> from tinygrad_bp import Value
        >>> x = Value(3.0, "x")
        >>> record = steps(x * x)
        >>> record.received(x, 1), record.received(x, 2), record.received(x)
        ((0, 2), (1, 2), (2, 2))
        """
        grown = self._growing(node)
        return bisect_right(grown, self._place(index)), len(grown)

    def into(self, node: Value, which: slice = slice(None)) -> tuple[Step, ...]:
        """The steps that give a node its gradient, in order: the seed, or its contributions.

        Args:
            node: the node.
            which: of these steps, where not all are wanted.
        """
        return tuple(self[k] for k in self._growing(node)[which])

    def grads_after_backward(self) -> dict[Value, Number]:
        """What each node's ``grad`` would be after ``e.backward()``, if it were called now.

        >>> from tinygrad_bp import Value
        >>> x = Value(3.0, "x")
        >>> y = x * x
        >>> y.backward()
        >>> record = steps(y)
        >>> record.at(-1)[x], record.grads_after_backward()[x], x.grad
        (6.0, 12.0, 6.0)
        """
        return {
            node: total if node.rule else node.grad + total for node, total in self.at(-1).items()
        }

    def to_text(self, *, ascii_only: bool = False) -> str:
        """Every step in one line."""
        return "\n".join(step.text(ascii_only=ascii_only) for step in self)

    def to_dict(self) -> dict[str, Any]:
        """The record as data that JSON can hold; nodes by name."""
        return {
            "of": self.names[self.e],
            "nodes": [
                {
                    "name": self.names[node],
                    "op": node.op,
                    "data": plain_number(self.number(node)),
                    "parents": [self.names[parent] for parent in node.parents],
                    "local_derivatives": [plain_number(each) for each in node.local_derivatives],
                    "gradient": plain_number(gradient),
                }
                for node, gradient in self.at(-1).items()
            ],
            "steps": [step.to_dict() for step in self],
        }

    def _place(self, index: int) -> int:
        index = operator.index(index)
        if not -len(self) <= index < len(self):
            raise IndexError(f"there are {len(self)} steps, and no step {index}")
        return index % len(self)

    def number(self, operand: Value | Number) -> Number:
        """The number of a node when the record was made; a plain number is itself."""
        if not isinstance(operand, Value):
            return operand
        return self._tape.data[self._tape.places[operand]]

    def _update(self, k: int, leaf: Value) -> Step:
        gradient, before = self.at(-1)[leaf], self.number(leaf)
        with meeting(
            lambda: f"the update of {self.names[leaf]}", "give eta the leaf's number type"
        ):
            change = self._eta * gradient
            data = before - change
        return Step(
            "update",
            k,
            leaf,
            local=-self._eta,
            upstream=gradient,
            contribution=-change,
            grad_before=gradient,
            grad_after=gradient,
            data=data,
            operands=(before,),
            names=self.names,
        )

    @cached_property
    def _grown(self) -> dict[int, list[int]]:
        """For each node, by its place, the steps at which its sum grows."""
        grown = {len(self.nodes) - 1: [self.seed]}
        below = self._tape.edges.below
        for k, edge in enumerate(self._visited, self.seed + 1):
            grown.setdefault(below[edge], []).append(k)
        return grown

    def _growing(self, node: Value) -> list[int]:
        place = self._tape.places.get(node, -1)
        return self._grown.get(place, [])

    def _sum(self, place: int, index: int) -> Number:
        """A node's gradient as far as it has been summed after a step: looked up, not summed."""
        grown = self._grown.get(place, [])
        before = bisect_right(grown, index)
        if not before:
            return self._zero
        k = grown[before - 1]
        return self._zero + 1 if k == self.seed else self._sums[k - self.seed - 1]


class _Sums(Mapping["Value", "Number"]):
    """The sum of each node after one step."""

    def __init__(self, record: Steps, index: int) -> None:
        self._record = record
        self._index = index

    def __getitem__(self, node: Value) -> Number:
        return self._record._sum(self._record._tape.places[node], self._index)

    def __iter__(self) -> Iterator[Value]:
        return iter(self._record.nodes)

    def __len__(self) -> int:
        return len(self._record.nodes)

    def __repr__(self) -> str:
        return repr({self._record.names[node]: grad for node, grad in self.items()})


def steps(
    e: Value,
    eta: Number | None = None,
    *,
    wrt: Collection[Value] | None = None,
    named: Mapping[Value, str] | None = None,
) -> Steps:
    """The pass of ``e.backward()`` as a record, touching no ``grad``.

    One forward step for each node computed; the seed; one backward step for each edge, an upper node
    only after all that used it; and where ``eta`` is given, one update for each leaf.

    Args:
        e: the result.
        eta: the learning rate of the note's update, ``Delta w = -eta de/dw``.
        wrt: the leaves that learn: all of them if left out.
        named: a name for each node, if not those of `tinygrad_bp.engine.names.names`.

    Raises:
        DataError: ``eta`` is no real number.
        ArgumentError: ``e`` or one of ``wrt`` is not a Value.

    >>> from tinygrad_bp import Value
    >>> w, x = Value(0.5, "w"), Value(2.0, "x")
    >>> record = steps((w * x) ** 2, eta=0.1, wrt=[w])
    >>> record
    <Steps: 2 forward, the seed, 3 backward, 1 update>
    >>> print(record.to_text())
    v1 = w * x = 0.5 * 2.0 = 1.0
    e = v1 ** 2 = 1.0 ** 2 = 1.0
    e.grad = 1.0
    v1.grad: 0 + (1.0 × 2.0) = 2.0
    w.grad: 0 + (2.0 × 2.0) = 4.0
    x.grad: 0 + (2.0 × 0.5) = 1.0
    w: 0.5 + (-0.1 × 4.0) = 0.1
    >>> w.grad, w.data
    (0, 0.5)
    """
    check_value("e", e)
    return steps_of(Tape.from_result(e, named), eta, wrt)


def steps_of(tape: Tape, eta: Number | None = None, wrt: Collection[Value] | None = None) -> Steps:
    """`steps` of the result of a tape."""
    if eta is not None:
        check_number(eta, where="the learning rate eta")
        eta = python_number(eta)
    return Steps(tape, range(len(tape.edges.above)), eta, wrt)


# ---- the order


class Turn(NamedTuple):
    """A node's turn to pass its gradient on.

    Attributes:
        node: the node.
        waited_for: the nodes that it was used in, in the order in which they had theirs.
    """

    node: Value
    waited_for: tuple[Value, ...]


def order(e: Value) -> list[Turn]:
    """The order in which the nodes pass their gradients on, and what each had to wait for.

    Raises:
        ArgumentError: ``e`` is not a Value.

    >>> from tinygrad_bp import Value
    >>> a = Value(1.0, "a")
    >>> b = a + a
    >>> c = b * a
    >>> [(turn.node is a, turn.waited_for == (c, b)) for turn in order(c)][-1]
    (True, True)
    """
    check_value("e", e)
    tape = Tape.from_result(e)
    users: list[list[int]] = [[] for _ in tape.nodes]
    for above, below in zip(tape.edges.above, tape.edges.below, strict=True):
        if users[below][-1:] != [above]:  # the edges of one node come one after the other
            users[below].append(above)
    turns = [
        Turn(node, tuple([tape.nodes[user] for user in waited_for]))
        for node, waited_for in zip(tape.nodes, users, strict=True)
    ]
    return turns[::-1]


# ---- the wrong way


# ---- numbers and operations in texts


def show(number: Number) -> str:
    """A number to six digits that looks as its type does: ``2.0`` for a float, ``2`` for an int."""
    text = format_number(number)
    whole = isinstance(number, float) and text.lstrip("-").isdigit()
    return f"{text}.0" if whole else text


def written(node: Value, named: Mapping[Value, str]) -> str:
    """A node's operation with the names of its operands; empty for a leaf.

    >>> x = Value(3.0)
    >>> written(x * 2.0, {x: "x"})
    'x * 2.0'
    """
    operands = node.operands
    return _operation(
        node,
        [named[each] if isinstance(each, Value) else _operand(node, each) for each in operands],
    )


def _product(a: Number, b: Number) -> str:
    return " × ".join(f"({text})" if " " in text else text for text in (show(a), show(b)))


def _operand(node: Value, number: Number) -> str:
    text = show(number)
    misread = " " in text or "/" in text or text.startswith("-")
    return f"({text})" if misread and _is_infix(node) else text


def _is_infix(node: Value) -> bool:
    return node.rule is not None and node.rule.infix


def _operation(node: Value, operands: Sequence[str]) -> str:
    """The operation on operands that are written already; of a long list, the first few."""
    rule = node.rule
    if rule is None:
        return ""
    if rule.variadic:
        columns = lists(rule, operands)
        operands = [f"[{_elided(each[:LISTED], len(each))}]" for each in columns]
    return in_text(rule).on(operands)


def _elided(shown: Sequence[str], size: int) -> str:
    more = [f"... {size} in all"] * (size > len(shown))
    return ", ".join([*shown, *more])


def _plain_or_none(number: Number | None) -> Any:
    return None if number is None else plain_number(number)
