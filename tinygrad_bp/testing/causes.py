"""What is likely to be wrong, from the scripts that an engine gets wrong.

Each cause is a small engine with one fault, on which the same scripts are run.  It is told where it
makes of every script that failed just what the engine under test has made of it: the first of them
suggests it, and the others confirm it.
"""

from __future__ import annotations

import math
import struct
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from tinygrad_bp.table.rules import RULES
from tinygrad_bp.testing.engines import OURS
from tinygrad_bp.testing.forms import FORMS, Form
from tinygrad_bp.testing.properties import IN_A_GRAPH, TAILS, base_of
from tinygrad_bp.testing.scripts import Apply, Back, Leaf, Move, Outcome, Plain, Script
from tinygrad_bp.testing.trial import is_near

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tinygrad_bp.testing.trial import Failure


class Cause(NamedTuple):
    """What is likely to be wrong.

    Attributes:
        sentence: what it is.
        example: the smallest script that shows it.
        explains: the properties that fail because of it.
        confirmed: by how many scripts besides that one, which come out just as they would with this fault.
    """

    sentence: str
    example: str
    explains: tuple[str, ...]
    confirmed: int = 0


# ---- an engine that can be given a fault


class _Node:
    def __init__(self, value: float, statement: Apply | None = None) -> None:
        self.value = value
        self.grad = 0.0
        self.statement = statement
        self.parents: list[_Node] = []
        self.local: list[float] = []


class Model:
    """A right engine, as an interpreter of scripts; each fault below changes one of its methods."""

    def __init__(self) -> None:
        self.nodes: list[_Node] = []
        self.made: list[_Node] = []

    def run(self, script: Script) -> Outcome:
        """What comes of a script."""
        values, leaves = [], []
        for statement in script:
            match statement:
                case Leaf(number):
                    leaves.append(len(self.nodes))
                    self.nodes.append(self.leaf(number))
                    values.append(self.nodes[-1].value)
                case Apply():
                    self.nodes.append(self.apply(statement))
                    values.append(self.nodes[-1].value)
                case Back(register):
                    self.back(self.nodes[register])
                case Move(register, number):
                    self.nodes[register].value = number
                case _:
                    self.nodes[statement.register].grad = 0.0
        data = [node.value for node in self.nodes]
        return Outcome(values, data, {place: self.nodes[place].grad for place in leaves})

    def leaf(self, number: float) -> _Node:
        """A new leaf."""
        self.made.append(_Node(number))
        return self.made[-1]

    def apply(self, statement: Apply) -> _Node:
        """A new node."""
        node = _Node(0.0, statement)
        node.parents = [self.nodes[each] for each in _flat(statement.operands) if type(each) is int]
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


def evaluated(statement: Apply, numbers: Sequence[float]) -> tuple[float, list[float]]:
    """The value of an operation and its derivatives for the nodes in it, by our engine."""
    leaves = [*map(OURS.make, numbers)]
    place = iter(leaves)

    def read(operand: Any) -> Any:
        if type(operand) is int:
            return next(place)
        return operand.number if type(operand) is Plain else [*map(read, operand)]

    out = OURS.operations[statement.op](*map(read, statement.operands))
    slopes = {id(leaf): 0.0 for leaf in leaves}
    for parent, slope in zip(out.parents, out.local_derivatives, strict=True):
        slopes[id(parent)] += slope
    if out in leaves:  # 0 + a is a
        slopes[id(out)] = 1.0
    return out.data, [slopes[id(leaf)] for leaf in leaves]


def _flat(operands: Iterable[Any]) -> Iterator[Any]:
    for each in operands:
        if type(each) is tuple:
            yield from _flat(each)
        else:
            yield each


# ---- faults of one operation


class Where(NamedTuple):
    """The operations that a fault is in.

    Attributes:
        op: the name in the table; empty for all.
        form: how it has to be written, if that matters.
    """

    op: str = ""
    form: Form | None = None

    def covers(self, statement: Apply | None) -> bool:
        """Whether a statement is one of them; a leaf has none."""
        if not isinstance(statement, Apply):
            return False
        if self.form is None:
            return self.op in ("", statement.op)
        nodes = tuple(type(each) is int for each in statement.operands)
        form = self.form
        return (form.op, form.in_place) == (statement.op, statement.in_place) and (
            not form.nodes or nodes == form.nodes
        )

    def __str__(self) -> str:
        if self.form is not None:
            return self.form.name
        return self.op or "each operation"


class _Fault(Model):
    """A model with a fault in some operations."""

    sentence = ""

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


class _Order(Model):
    sentence = (
        "A node passes its gradient on before all of it has come in: the order of the pass is wrong"
    )


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


class _EqualNodes(Model):
    sentence = "Nodes with equal numbers are taken for the same node"

    def order(self, root: _Node) -> list[_Node]:
        found: list[_Node] = []
        seen: list[float] = []

        def visit(node: _Node) -> None:
            if node.value not in seen:
                seen.append(node.value)
                for parent in node.parents:
                    visit(parent)
                found.append(node)

        visit(root)
        return found[::-1]


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
    *(_WholeTape, _EqualNodes, _EqualLeaves, _NanToZero),
)
_LIMITS = tuple(10.0**-n for n in (6, 7, 8, 9, 10, 12, 15, 16, 20, 30))
_HIGH = tuple(10.0**n for n in (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 20))


class _Candidate(NamedTuple):
    sentence: str
    make: Callable[[], Model]
    where: Where | None = None


def _candidates(failures: Mapping[str, tuple[Failure, ...]]) -> Iterator[_Candidate]:
    """What may be wrong: of the operations that are in scripts that fail, the narrower first."""
    forms = [form for name, form in FORMS.items() if name in {base_of(each) for each in failures}]
    statements = {
        statement
        for several in failures.values()
        for failure in several[:1]
        for statement in (failure.case.script if failure.case else ())
        if isinstance(statement, Apply)
    }
    ops = sorted({form.op for form in forms} | {each.op for each in statements if each.op in RULES})
    for where in (*(Where(form.op, form) for form in forms), *map(Where, ops), Where()):
        for fault in _OF_AN_OPERATION:
            slots = (-1, 0, 1) if fault in _BY_SLOT else (-1,)
            for slot in slots:
                if slot >= 0 and where.op and RULES[where.op].arity < 2:
                    continue
                sentence = fault.sentence.format(where=where, slot=_SLOTS[fault is _Drops][slot])
                yield _Candidate(sentence, partial(fault, where, slot), where)
    for model in _OF_THE_PASS:
        yield _Candidate(model.sentence, model)
    for limits, of_size in ((_LIMITS, (_DropsSmall, _DropsSmallAbove)), (_HIGH, (_Clips,))):
        for limit in limits:
            for sized in of_size:
                yield _Candidate(sized.sentence.format(limit=limit), partial(sized, limit))


_SLOTS = (
    {-1: "", 0: " for its first operand", 1: " for its second operand"},
    {-1: " its operands", 0: " its first operand", 1: " its second operand"},
)


def _share(candidate: _Candidate, failures: Sequence[Failure]) -> float:
    """Of how many of some failures a fault makes what the engine has made, as a share."""
    told = [each for each in failures if each.case is not None and each.outcome is not None]
    if not told or len(told) < len(failures) / 2:
        return 0.0
    if not _predicts(candidate, told[0]):
        return 0.0
    return sum(_predicts(candidate, each) for each in told) / len(told)


def _predicts(candidate: _Candidate, failure: Failure) -> bool:
    case, outcome = failure.case, failure.outcome
    if case is None or outcome is None:
        return False
    try:
        predicted = candidate.make().run(case.script)
    except Exception:  # noqa: BLE001 - a fault may lead out of a domain
        return False
    sizes = [abs(x) for x in (*predicted.values, *predicted.gradients.values())]
    least = max(sizes, default=1.0) if case.least is None else case.least
    pairs = [
        *zip(predicted.values, outcome.values, strict=True),
        *((number, outcome.gradients[place]) for place, number in predicted.gradients.items()),
    ]
    return all(is_near(want, have, 1e-9, least) for want, have in pairs)


# ---- the diagnosis


def diagnose(failures: Mapping[str, tuple[Failure, ...]]) -> Iterator[Cause]:
    """The likeliest causes of what fails, the one that explains most first; then what has no known cause.

    Args:
        failures: of each property that fails, the scripts.
    """
    left = dict(failures)
    for several in failures.values():
        if several and not several[0].steady:
            explains = tuple(each for each, other in left.items() if not other[0].steady)
            yield Cause(_UNSTEADY, several[0].text, explains)
            left = {each: other for each, other in left.items() if each not in explains}
            break
    while left:
        best: tuple[float, list[str], _Candidate] | None = None
        for candidate in _candidates(left):
            explained = [name for name, several in left.items() if _share(candidate, several) > 0.9]
            if explained and (best is None or len(explained) > best[0]):
                best = len(explained), explained, candidate
        if best is None:
            break
        _, explained, candidate = best
        first = min((left[name][0] for name in explained), key=lambda each: len(each.text))
        more = sum(len(left[name]) for name in explained) - 1
        yield Cause(candidate.sentence, first.text, tuple(explained), more)
        left = {name: several for name, several in left.items() if name not in explained}
    yield from _plain_causes(left)


_UNSTEADY = (
    "The engine is not deterministic: the same script comes out differently from time to time"
)


def _plain_causes(left: Mapping[str, tuple[Failure, ...]]) -> Iterator[Cause]:
    """What is known of a failure without a model of it, properties with the same sentence together."""
    by_sentence: dict[str, list[str]] = {}
    for name, several in left.items():
        by_sentence.setdefault(_sentence(name, several[0]), []).append(name)
    for sentence, names in by_sentence.items():
        yield Cause(sentence, left[names[0]][0].text, tuple(names))


def _sentence(name: str, failure: Failure) -> str:
    form = base_of(name)
    where = form if form in FORMS else "the engine"
    if failure.error == "RecursionError":
        return "The pass, or what builds or frees a graph, calls itself for each node, and a deep graph is too deep"
    if failure.error in ("hang", "end"):
        return f"{where} does not come back: {failure.found}"
    if failure.error:
        return f"{where} raises {failure.found}" + " far out" * name.endswith(TAILS)
    if name in _SENTENCES:
        return _SENTENCES[name]
    what = "value" if ".data" in failure.found else "derivative"
    if name.endswith(TAILS):
        return f"The {what} of {form} is right at moderate numbers, and loses its digits far out"
    if form in FORMS:
        return f"The {what} of {form} is wrong" + " within a graph" * name.endswith(IN_A_GRAPH)
    return f"{name} fails: {failure.found}"


_SENTENCES = {
    "no cycles": "Nodes are parts of reference cycles, which the cyclic collector alone can free",
    "memory": "Graphs that were dropped are kept: something refers to their nodes for ever",
    "many paths": "The pass walks along each path, and takes a time that doubles with each shared node",
    "gradient before": "A gradient is not 0 before a pass, or where no path leads",
    "shared node": _Order.sentence,
}
