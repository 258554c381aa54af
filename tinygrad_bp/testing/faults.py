"""Small engines with one fault each, on which scripts are run to see whether they come out as on a real one.

What many engines do wrong, each written as a change of one method of a right interpreter of scripts.
"""

from __future__ import annotations

import math
import struct
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from tinygrad_bp.table.rules import RULES
from tinygrad_bp.testing.engines import OURS
from tinygrad_bp.testing.scripts import (
    Apply,
    Back,
    Clear,
    Leaf,
    Look,
    Move,
    Outcome,
    Plain,
    Script,
    flat,
    registers_of,
    renumbered,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tinygrad_bp.testing.forms import Form
    from tinygrad_bp.testing.scripts import Statement


# ---- an engine that can be given a fault


class _Node:
    def __init__(self, value: float, statement: Apply | None = None) -> None:
        self.value = value
        self.grad = 0.0
        self.statement = statement
        self.parents: list[_Node] = []
        self.local: list[float] = []


class Model:
    """A right engine, as an interpreter of scripts; each fault below changes one of its methods.

    Attributes:
        sentence: what the fault is, in words.
    """

    sentence = "a / b is computed as a * b ** -1, of which a part is lost far out"

    def __init__(self) -> None:
        self.nodes: list[_Node] = []
        self.made: list[_Node] = []

    def run(self, script: Script) -> Outcome:
        """What comes of a script, with the gradients of all registers."""
        values = []
        for statement in script:
            match statement:
                case Leaf(number):
                    self.nodes.append(self.leaf(number))
                    values.append(self.nodes[-1].value)
                case Apply():
                    self.nodes.append(self.apply(statement))
                    values.append(self.nodes[-1].value)
                case Back(register):
                    self.back(self.nodes[register])
                case Move(register, number):
                    self.nodes[register].value = number
                case Clear(register):
                    self.nodes[register].grad = 0.0
                case Look():
                    pass
        data = [node.value for node in self.nodes]
        return Outcome(values, data, {k: node.grad for k, node in enumerate(self.nodes)})

    def leaf(self, number: float) -> _Node:
        """A new leaf."""
        self.made.append(_Node(number))
        return self.made[-1]

    def apply(self, statement: Apply) -> _Node:
        """A new node."""
        node = _Node(0.0, statement)
        node.parents = [self.nodes[each] for each in flat(statement.operands) if type(each) is int]
        node.value, node.local = self.evaluate(node)
        self.made.append(node)
        return node

    def evaluate(self, node: _Node) -> tuple[float, list[float]]:
        """The value of a node and its local derivatives."""
        assert node.statement is not None  # noqa: S101 - no leaf is evaluated
        return evaluated(node.statement, [parent.value for parent in node.parents])

    def back(self, root: _Node) -> None:
        """A pass."""
        order = self.order(root)
        self.begin(order)
        self.seed(root)
        for node in order:
            self.pass_on(node)

    def order(self, root: _Node) -> list[_Node]:
        """The nodes of a pass, each before those that it was made of."""
        found, seen = [], set()

        def visit(node: _Node) -> None:
            if node not in seen:
                seen.add(node)
                for parent in node.parents:
                    visit(parent)
                found.append(node)

        visit(root)
        return found[::-1]

    def begin(self, order: list[_Node]) -> None:
        """What is done before a pass."""
        for node in order:
            if node.parents:
                node.grad = 0.0

    def seed(self, root: _Node) -> None:
        """What the root begins with."""
        root.grad += 1.0

    def pass_on(self, node: _Node) -> None:
        """Give the parents of a node what is theirs."""
        for slot, parent in enumerate(node.parents):
            self.send(node, slot, parent)

    def send(self, node: _Node, slot: int, parent: _Node) -> None:
        """Give one parent what is its."""
        parent.grad += node.grad * node.local[slot]


def evaluated(statement: Apply, numbers: Iterable[float]) -> tuple[float, list[float]]:
    """The value of an operation and its derivatives for the nodes in it, by our engine."""
    value, slopes = _evaluated(statement.op, _shape(statement.operands), tuple(numbers))
    return value, [*slopes]


def _shape(operands: tuple[Any, ...]) -> tuple[Any, ...]:
    """The operands without the numbers of their registers, so that the same is found again."""
    return tuple(
        0 if type(each) is int else _shape(each) if type(each) is tuple else each
        for each in operands
    )


@lru_cache(100_000)  # a fault after another is tried on the same scripts
def _evaluated(
    op: str, shape: tuple[Any, ...], numbers: tuple[float, ...]
) -> tuple[float, tuple[float, ...]]:
    leaves = [*map(OURS.make, numbers)]
    place = iter(leaves)

    def read(operand: Any) -> Any:
        if type(operand) is int:
            return next(place)
        return operand.number if type(operand) is Plain else [*map(read, operand)]

    out = OURS.operations[op](*map(read, shape))
    OURS.run_back(out)
    return out.data, tuple([leaf.grad for leaf in leaves])


# ---- faults of one operation


class Where(NamedTuple):
    """The operations that a fault is in.

    Attributes:
        ops: their names in the table; none for all.
        form: how it has to be written, if that matters.
        in_place: whether it is in these operations only where they are done in place.
    """

    ops: tuple[str, ...] = ()
    form: Form | None = None
    in_place: bool = False

    def covers(self, statement: Apply | None) -> bool:
        """Whether a statement is one of them; a leaf has none."""
        if statement is None or (self.ops and statement.op not in self.ops):
            return False
        if self.form is None:
            return statement.in_place or not self.in_place
        nodes = tuple(type(each) is int for each in statement.operands)
        return self.form.in_place == statement.in_place and (
            not self.form.nodes or nodes == self.form.nodes
        )

    @property
    def arity(self) -> int:
        """The most operands that one of them has."""
        return max((RULES[op].arity for op in self.ops), default=2)

    def __str__(self) -> str:
        if self.form is not None:
            return self.form.name
        ops = [op + "=" * self.in_place for op in self.ops]
        if len(ops) > 1:
            return f"Each of {', '.join(ops[:-1])} and {ops[-1]}"
        return ops[0] if ops else "Each operation"


class _Fault(Model):
    """A model with a fault in some operations."""

    def __init__(self, where: Where, slot: int = -1) -> None:
        super().__init__()
        self.where = where
        self.slot = slot

    def is_wrong(self, node: _Node, slot: int) -> bool:
        """Whether the fault is in one operand of a node."""
        return self.where.covers(node.statement) and self.slot in (-1, slot)


class _Assigns(_Fault):
    sentence = "{where} assigns its gradient{slot} where it should add"

    def send(self, node: _Node, slot: int, parent: _Node) -> None:
        if self.is_wrong(node, slot):
            parent.grad = 0.0
        super().send(node, slot, parent)


class _ForgetsUpstream(_Fault):
    sentence = "{where} forgets to multiply by the gradient that comes from above{slot}"

    def send(self, node: _Node, slot: int, parent: _Node) -> None:
        if self.is_wrong(node, slot):
            parent.grad += node.local[slot]
        else:
            super().send(node, slot, parent)


class _Factor(_Fault):
    factor = 1.0

    def send(self, node: _Node, slot: int, parent: _Node) -> None:
        amount = node.grad * node.local[slot]
        parent.grad += self.factor * amount if self.is_wrong(node, slot) else amount


class _Drops(_Factor):
    sentence = "{where} gives{slot} no gradient"
    factor = 0.0


class _Sign(_Factor):
    sentence = "{where} has the wrong sign in its gradient{slot}"
    factor = -1.0


class _Halves(_Factor):
    sentence = "{where} passes on half of its gradient{slot}"
    factor = 0.5


class _Doubles(_Factor):
    sentence = "{where} passes on twice its gradient{slot}"
    factor = 2.0


class _Only(_Fault):
    sentence = "{where} passes on the gradient from above as it is, without its derivative{slot}"

    def send(self, node: _Node, slot: int, parent: _Node) -> None:
        parent.grad += node.grad * (1.0 if self.is_wrong(node, slot) else node.local[slot])


class _SwapsGradients(_Fault):
    sentence = "{where} gives each of its operands the other's gradient"

    def send(self, node: _Node, slot: int, parent: _Node) -> None:
        local = node.local[::-1] if self.where.covers(node.statement) else node.local
        parent.grad += node.grad * local[slot]


class _CountsOnce(_Fault):
    sentence = "{where} counts an operand that it has twice only once"

    def pass_on(self, node: _Node) -> None:
        seen = set()
        for slot, parent in enumerate(node.parents):
            if parent not in seen or not self.where.covers(node.statement):
                self.send(node, slot, parent)
            seen.add(parent)


class _CountsOnceAssigned(_CountsOnce):
    """Each operand's share replaces that of the same operand before it."""

    def pass_on(self, node: _Node) -> None:
        last = {parent: slot for slot, parent in enumerate(node.parents)}
        for slot, parent in enumerate(node.parents):
            if last[parent] == slot or not self.where.covers(node.statement):
                self.send(node, slot, parent)


class _SwapsOperands(_Fault):
    sentence = "{where} swaps its operands"

    def evaluate(self, node: _Node) -> tuple[float, list[float]]:
        if not self.where.covers(node.statement) or node.statement is None:
            return super().evaluate(node)
        swapped = node.statement._replace(operands=node.statement.operands[::-1])
        value, local = evaluated(swapped, [parent.value for parent in node.parents[::-1]])
        return value, local[::-1]


class _ReadsAgain(_Fault):
    sentence = "{where} reads its operands again during the pass, when they may have changed"

    def send(self, node: _Node, slot: int, parent: _Node) -> None:
        if self.where.covers(node.statement):
            node.local = self.evaluate(node)[1]
        super().send(node, slot, parent)


class _ChangesOld(_Fault):
    sentence = "{where} changes the node itself, which others still use, and makes no new one"

    def apply(self, statement: Apply) -> _Node:
        node = super().apply(statement)
        if not self.where.covers(statement):
            return node
        old = node.parents[0]
        old.value = node.value
        return old


class _Single(_Fault):
    sentence = "{where} has the digits of single precision only"

    def evaluate(self, node: _Node) -> tuple[float, list[float]]:
        value, local = super().evaluate(node)
        return (_single(value), local) if self.where.covers(node.statement) else (value, local)


class _SingleGradient(_Fault):
    sentence = "{where} has its gradient in single precision only"

    def send(self, node: _Node, slot: int, parent: _Node) -> None:
        amount = node.grad * node.local[slot]
        parent.grad += _single(amount) if self.is_wrong(node, slot) else amount


def _single(number: float) -> float:
    try:
        return float(struct.unpack("f", struct.pack("f", number))[0])
    except OverflowError:
        return number


# ---- faults of the pass


class _KeepsInner(Model):
    sentence = "Inner nodes keep the gradient of a former pass, and pass it on again"

    def begin(self, order: list[_Node]) -> None:
        pass

    def seed(self, root: _Node) -> None:
        root.grad = 1.0


class _KeepsAll(_KeepsInner):
    def seed(self, root: _Node) -> None:
        root.grad += 1.0


class _ClearsLeaves(Model):
    sentence = "A pass clears what the leaves have from a former one"

    def begin(self, order: list[_Node]) -> None:
        for node in order:
            node.grad = 0.0


class _ClearsEverything(_ClearsLeaves):
    def begin(self, order: list[_Node]) -> None:
        super().begin([*order, *self.made])


class _NotSeeded(Model):
    sentence = "The root has no gradient of 1 when the pass begins"

    def seed(self, root: _Node) -> None:
        pass


class _SeededByValue(Model):
    sentence = "The pass begins with the root's number, and not with 1"

    def seed(self, root: _Node) -> None:
        root.grad += root.value


ORDER_IS_WRONG = (
    "A node passes its gradient on before all of it has come in: the order of the pass is wrong"
)


class _Order(Model):
    sentence = ORDER_IS_WRONG


class _BreadthFirst(_Order):
    def order(self, root: _Node) -> list[_Node]:
        found = {root: None}
        queue = [root]
        for node in queue:
            for parent in node.parents:
                if parent not in found:
                    found[parent] = None
                    queue.append(parent)
        return [*found]


class _Preorder(_Order):
    turned = False

    def order(self, root: _Node) -> list[_Node]:
        found: dict[_Node, None] = {}
        stack = [root]
        while stack:
            node = stack.pop()
            if node not in found:
                found[node] = None
                stack += node.parents if self.turned else node.parents[::-1]
        return [*found]


class _PreorderTurned(_Preorder):
    turned = True


class _Creation(_Order):
    def order(self, root: _Node) -> list[_Node]:
        inside = {*super().order(root)}
        return [root, *(node for node in self.made if node in inside and node is not root)]


class _EachPath(_Order):
    """What has come in so far is passed on each time that something comes in."""

    def back(self, root: _Node) -> None:
        root.grad = 1.0
        self._push(root)

    def _push(self, node: _Node) -> None:
        for slot, parent in enumerate(node.parents):
            self.send(node, slot, parent)
            self._push(parent)


class _EachPathAtOnce(_EachPath):
    def _push(self, node: _Node) -> None:
        self.pass_on(node)
        for parent in node.parents:
            self._push(parent)


class _FirstVisit(_Order):
    """Each node passes on once, when it is first met."""

    def back(self, root: _Node) -> None:
        root.grad = 1.0
        seen = set()

        def push(node: _Node) -> None:
            if node not in seen:
                seen.add(node)
                self.pass_on(node)
                for parent in node.parents:
                    push(parent)

        push(root)


class _WholeTape(Model):
    sentence = "The tape is never cleared: nodes of former graphs pass on again"

    def back(self, root: _Node) -> None:
        root.grad = 1.0
        for node in self.made[::-1]:
            self.pass_on(node)


class _ClearsOperands(Model):
    sentence = "A new node clears the gradients of the nodes that it is made of"

    def apply(self, statement: Apply) -> _Node:
        node = super().apply(statement)
        for parent in node.parents:
            parent.grad = 0.0
        return node


class _EqualNodes(Model):
    sentence = "Nodes with equal numbers are taken for the same node"

    def known_by(self, node: _Node) -> object:
        """What a node is taken to be."""
        return node.value

    def order(self, root: _Node) -> list[_Node]:
        found: list[_Node] = []
        seen = set()

        def visit(node: _Node) -> None:
            if self.known_by(node) not in seen:
                seen.add(self.known_by(node))
                for parent in node.parents:
                    visit(parent)
                found.append(node)

        visit(root)
        return found[::-1]


class _EqualNodesOfAnOperation(_EqualNodes):
    def known_by(self, node: _Node) -> object:
        return node.value, node.statement and node.statement.op


class _EqualNodesOfAKind(_EqualNodes):
    def known_by(self, node: _Node) -> object:
        return node.value, len(node.parents)


class _EqualLeaves(Model):
    sentence = "Leaves with equal numbers are made one node"

    def leaf(self, number: float) -> _Node:
        for node in self.made:
            if not node.parents and node.value == number:
                return node
        return super().leaf(number)


class _DropsSmall(Model):
    sentence = "Gradients of size {limit:g} or less are dropped"

    def __init__(self, limit: float) -> None:
        super().__init__()
        self.limit = limit

    def send(self, node: _Node, slot: int, parent: _Node) -> None:
        amount = node.grad * node.local[slot]
        if abs(amount) > self.limit:
            parent.grad += amount


class _DropsSmallAbove(_DropsSmall):
    def send(self, node: _Node, slot: int, parent: _Node) -> None:
        if abs(node.grad) > self.limit:
            parent.grad += node.grad * node.local[slot]


class _Clips(_DropsSmall):
    sentence = "Gradients are clipped to {limit:g}"

    def send(self, node: _Node, slot: int, parent: _Node) -> None:
        parent.grad += max(-self.limit, min(self.limit, node.grad * node.local[slot]))


class _NanToZero(Model):
    sentence = "A gradient that is nan is turned into 0"

    def send(self, node: _Node, slot: int, parent: _Node) -> None:
        amount = node.grad * node.local[slot]
        parent.grad += 0.0 if math.isnan(amount) else amount


class _BeginsWith(Model):
    sentence = "A new node has a gradient of {limit:g}, and not of 0"

    def __init__(self, limit: float) -> None:
        super().__init__()
        self.limit = limit

    def leaf(self, number: float) -> _Node:
        node = super().leaf(number)
        node.grad = self.limit
        return node


_OF_AN_OPERATION = (
    *(_Assigns, _ForgetsUpstream, _Only, _Sign, _Drops, _Halves, _Doubles, _SwapsGradients),
    *(_CountsOnce, _CountsOnceAssigned, _SwapsOperands, _ReadsAgain, _ChangesOld),
    *(_Single, _SingleGradient),
)
_BY_SLOT = (_Assigns, _ForgetsUpstream, _Only, _Sign, _Drops, _Halves, _Doubles)
_OF_THE_PASS = (
    *(_KeepsInner, _KeepsAll, _ClearsLeaves, _ClearsEverything, _NotSeeded, _SeededByValue),
    *(
        _BreadthFirst,
        _Preorder,
        _PreorderTurned,
        _Creation,
        _FirstVisit,
        _EachPath,
        _EachPathAtOnce,
    ),
    *(_WholeTape, _ClearsOperands, _NanToZero),
    *(_EqualNodes, _EqualNodesOfAnOperation, _EqualNodesOfAKind, _EqualLeaves),
)
_QUOTIENTS = (None, False, True)
_LOW = tuple(10.0**-n for n in (8, 6, 7, 9, 10, 12, 15, 16, 20, 30))
_HIGH = tuple(10.0**n for n in (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 20))
_SLOTS = (
    {-1: "", 0: " for its first operand", 1: " for its second operand"},
    {-1: " its operands", 0: " its first operand", 1: " its second operand"},
)


class Suspect(NamedTuple):
    """What may be wrong.

    Attributes:
        fault: the model with that fault.
        where: the operations that it is in, if it is a fault of operations.
        slot: the operand that it is in; -1 for all.
        limit: the size of the gradients that it is about, if it is.
        quotients: whether the engine computes quotients in parts, or ``-`` alone; ``None`` for neither.
    """

    fault: type[Model]
    where: Where | None = None
    slot: int = -1
    limit: float | None = None
    quotients: bool | None = None

    @property
    def sentence(self) -> str:
        """What it is, in words."""
        slot = _SLOTS[self.fault is _Drops][self.slot]
        return self.fault.sentence.format(where=self.where, slot=slot, limit=self.limit)

    def is_about(self, script: Script) -> bool:
        """Whether it could show in a script."""
        if self.where is None:
            return True
        return any(
            isinstance(each, Apply) and self.where.covers(each) for each in self._written(script)[0]
        )

    def run(self, script: Script) -> Outcome:
        """What comes of a script with this fault, with the gradients of all registers."""
        written, places = self._written(script)
        make: Callable[..., Model] = self.fault
        if self.where is not None:
            outcome = make(self.where, self.slot).run(written)
        elif self.limit is not None:
            outcome = make(self.limit).run(written)
        else:
            outcome = make().run(written)
        return Outcome(
            [outcome.values[place] for place in places],
            [outcome.data[place] for place in places],
            {k: outcome.gradients[place] for k, place in enumerate(places)},
        )

    def _written(self, script: Script) -> tuple[Script, Sequence[int]]:
        if self.quotients is None:
            return script, range(len(registers_of(script)))
        return in_parts(script, quotients=self.quotients)


IN_PARTS = Suspect(Model, quotients=True)
"""No fault, but a way to compute ``a - b`` and ``a / b``; what is lost by that far out has no other cause."""


def suspects(forms: Sequence[Form], ops: Sequence[str], start: float) -> Iterator[Suspect]:
    """What may be wrong, the narrower first.

    Args:
        forms: the forms that fail.
        ops: the operations in what fails.
        start: the gradient of a new leaf.
    """
    in_place = sorted({form.op for form in forms if form.in_place})
    narrow = [Where((form.op,), form) for form in forms]
    for where in (*narrow, *(Where((op,), in_place=True) for op in in_place)):
        yield from _of_operations(where)
    for op in ops:
        yield from _of_operations(Where((op,)))
    if start:
        yield Suspect(_BeginsWith, limit=start)
    for quotients in _QUOTIENTS:
        for each in (*_of_operations(Where()), *_of_the_pass()):
            yield each._replace(quotients=quotients)


def suspects_in_several(ops: Sequence[str]) -> Iterator[list[Suspect]]:
    """For each fault of an operation, and each way to compute quotients, one suspect for each operation."""
    for quotients in _QUOTIENTS:
        of_each = [_of_operations(Where((op,))) for op in ops if RULES[op].arity == 2]
        for several in zip(*of_each, strict=True):
            yield [each._replace(quotients=quotients) for each in several]


def _of_operations(where: Where) -> Iterator[Suspect]:
    for fault in _OF_AN_OPERATION:
        for slot in (-1, 0, 1) if fault in _BY_SLOT else (-1,):
            if slot < 0 or where.arity > 1:
                yield Suspect(fault, where, slot)


def _of_the_pass() -> Iterator[Suspect]:
    yield from map(Suspect, _OF_THE_PASS)
    for limits, of_size in ((_LOW, (_DropsSmall, _DropsSmallAbove)), (_HIGH, (_Clips,))):
        for limit in limits:
            for sized in of_size:
                yield Suspect(sized, limit=limit)


@lru_cache(10_000)
def in_parts(script: Script, *, quotients: bool) -> tuple[Script, list[int]]:
    """A script with ``a - b`` written as ``a + b * -1``, and where its registers are then.

    Many engines compute differences so, and quotients as ``a * b ** -1``; each part is a node.

    Args:
        script: the statements.
        quotients: whether quotients are written in parts, too.

    >>> in_parts((Leaf(3.0), Leaf(2.0), Apply("-", (0, 1))), quotients=False)[1]
    [0, 1, 3]
    """
    written: list[Statement] = []
    places: list[int] = []
    size = 0

    def add(statement: Leaf | Apply) -> int:
        nonlocal size
        written.append(statement)
        size += 1
        return size - 1

    def part(op: str, operand: Any, number: float) -> Any:
        if isinstance(operand, Plain):
            return Plain(-operand.number if op == "*" else 1.0 / operand.number)
        return add(Apply(op, (operand, Plain(number))))

    for statement in script:
        moved = renumbered(statement, dict(enumerate(places)))
        match moved:
            case Apply("-", (x, y)):
                places.append(add(Apply("+", (x, part("*", y, -1.0)))))
            case Apply("neg", (x,)):
                places.append(add(Apply("*", (x, Plain(-1.0)))))
            case Apply("/", (x, y)) if quotients:
                places.append(add(Apply("*", (x, part("**", y, -1.0)))))
            case Leaf() | Apply():
                places.append(add(moved))
            case _:
                written.append(moved)
    return tuple(written), places
