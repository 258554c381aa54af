"""Hypothesis strategies: leaves, operands of a row of the table, expressions, programs and networks.

What a row accepts is read off its domain, and whether it is exact off what it does, so that a new row
needs nothing new here.  A program is a list of instructions on rational numbers, and so its gradient can
be known exactly; it runs on any number type: on Values, on plain fractions, on another engine's scalars.
An expression has every row of the table in it, and floats.

What is drawn shows itself as the call that makes it, so that a failing example runs as pasted after
``from fractions import Fraction`` and ``from tinygrad_bp.testing import Expression, Network, Program``.
"""

from __future__ import annotations

import ast
import math
import operator
import sys
from fractions import Fraction
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from hypothesis import strategies as st

from tinygrad_bp.arithmetic import FLOAT
from tinygrad_bp.errors import ArgumentError, BackpropError, ExpressionError
from tinygrad_bp.network import ACTIVATIONS, Network
from tinygrad_bp.operations import FUNCTIONS
from tinygrad_bp.quoting import quoted
from tinygrad_bp.rules import CONSTANTS, FUNCTION_NAMES, PARAMETERS, RULES, Rule, parse
from tinygrad_bp.value import Value, data_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from tinygrad_bp.kernels import Number

_LARGEST = sys.float_info.max
_NEAR = 9.0
_LEAVES = 3
_FRACTIONS = sorted(
    {Fraction(n, d) for n in range(-9, 10) for d in range(1, 13)},
    key=lambda x: (x.denominator, abs(x), x < 0),
)
EXPONENTS = st.integers(-3, 3).map(Fraction)
"""Small whole numbers."""


# ---- leaves


def numbers(kind: type = float) -> st.SearchStrategy[Number]:
    """Plain numbers of moderate size: ``float``, ``int`` or ``Fraction``."""
    if kind is float:
        return st.floats(-_NEAR, _NEAR)
    if kind is int:
        return st.integers(-9, 9)
    if kind is Fraction:
        return st.sampled_from(_FRACTIONS)
    raise ArgumentError(f"numbers of type float, int or Fraction, not {kind!r}")


def values(kind: type = float) -> st.SearchStrategy[Value]:
    """Leaves of moderate size.

    Args:
        kind: the type of their data: ``float``, ``int`` or ``Fraction``.

    >>> from hypothesis import find
    >>> find(values(Fraction), lambda leaf: leaf > 1)
    Value(data=Fraction(2, 1), grad=0)
    """
    return st.builds(Value, numbers(kind))


# ---- the operands of a row


def operands(rule: Rule) -> st.SearchStrategy[tuple[Any, ...]]:
    """Finite floats at which the operation has a value; lists of one length where it is variadic.

    Small whole numbers, numbers of moderate size and all the others come about equally often.

    >>> from hypothesis import find
    >>> find(operands(RULES["log"]), lambda drawn: True)
    (1.0,)
    """
    names = (PARAMETERS + ("",) * rule.arity)[: rule.arity]
    columns = [_floats(*_bounds(rule.domain, name)) for name in names]
    if rule.variadic:
        rows = st.lists(st.tuples(*columns), min_size=1, max_size=6)
        return rows.map(lambda drawn: tuple(map(list, zip(*drawn, strict=True))))
    return st.tuples(*columns).filter(lambda drawn: FLOAT.in_domain(rule, drawn))


def _floats(low: float, high: float) -> st.SearchStrategy[float]:
    anywhere = st.floats(max(low, -_LARGEST), min(high, _LARGEST))
    near = max(low, -_NEAR), min(high, _NEAR)
    if near[0] > near[1]:
        return anywhere
    whole = st.integers(math.ceil(near[0]), math.floor(near[1])).map(float)
    return whole | st.floats(*near) | anywhere


def _bounds(domain: str, name: str) -> tuple[float, float]:
    """An interval that has in it every value of an operand that the domain allows."""
    if not domain:
        return -math.inf, math.inf
    return _interval(parse(domain, names=(*PARAMETERS, *CONSTANTS), functions=RULES), name)


def _interval(test: ast.expr, name: str) -> tuple[float, float]:
    match test:
        case ast.BoolOp(op=joint, values=parts):
            lows, highs = zip(*(_interval(part, name) for part in parts), strict=True)
            if isinstance(joint, ast.And):
                return max(lows), min(highs)
            return min(lows), max(highs)
        case ast.Compare(left=left, ops=ops, comparators=others):
            sides = [ast.unparse(side) for side in (left, *others)]
            low, high = -math.inf, math.inf
            for a, op, b in zip(sides, ops, sides[1:], strict=False):
                below = isinstance(op, (ast.Lt, ast.LtE, ast.Eq))
                above = isinstance(op, (ast.Gt, ast.GtE, ast.Eq))
                if a == name:
                    low = max(low, _number(b, -math.inf)) if above else low
                    high = min(high, _number(b, math.inf)) if below else high
                if b == name:
                    low = max(low, _number(a, -math.inf)) if below else low
                    high = min(high, _number(a, math.inf)) if above else high
            return low, high
        case _:
            return -math.inf, math.inf


def _number(text: str, otherwise: float) -> float:
    try:
        return float(text)
    except ValueError:  # no constant, so no simple bound
        return otherwise


# ---- programs

OPERATIONS: dict[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
    **{name: FUNCTIONS[name] for name in FUNCTION_NAMES},
    "neg": operator.neg,
    "abs": operator.abs,
}
"""Each operation as a function of Values and plain numbers."""

_SIGNS: dict[str, Any] = {
    op: ast.parse(f"x {op} y", mode="eval").body.op  # type: ignore[attr-defined]  # of a BinOp
    for op, rule in RULES.items()
    if rule.infix
}


def _is_rational(rule: Rule) -> bool:
    """Whether the operation takes rational numbers to rational numbers, as its own results say."""
    try:
        for x in (Fraction(1, 3), Fraction(-1, 3)):
            at = (x, Fraction(2))[: rule.arity]
            OPERATIONS[rule.name](*([[each] for each in at] if rule.variadic else at))
    except BackpropError:  # it is inexact, or not even in the domain
        return False
    return True


RATIONAL = tuple(op for op, rule in RULES.items() if _is_rational(rule))
"""The operations that take rational numbers to rational numbers."""


class Instruction(NamedTuple):
    """One operation of a program.

    Attributes:
        op: its name in the table.
        operands: an ``int`` is the number of a register, a ``Fraction`` a plain number; a tuple of
            these is a list, which `fsum` and `dot` take.
    """

    op: str
    operands: tuple[Any, ...]


class Program(NamedTuple):
    """A straight-line program: register after register, the leaves first.

    Attributes:
        leaves: what the first registers hold.
        instructions: what fills the registers after them, one each.

    >>> one, three = Fraction(1), Fraction(3)
    >>> program = Program((three,), (Instruction("*", (0, 0)), Instruction("-", (one, 1))))
    >>> program
    Program.read('v0 = 3; v1 = v0 * v0; v2 = 1 - v1')
    >>> eval(repr(program)) == program
    True
    >>> program.run(program.leaves)[-1]
    Fraction(-8, 1)
    >>> x = Value(3.0)
    >>> program.run([x])[-1].backward()
    >>> x.grad
    -6.0
    """

    leaves: tuple[Fraction, ...]
    instructions: tuple[Instruction, ...]

    def run(
        self,
        leaves: Sequence[Any],
        *,
        operations: Mapping[str, Callable[..., Any]] = OPERATIONS,
        constant: Callable[[Fraction], Any] = Fraction,
    ) -> list[Any]:
        """Every register, after the program has run.

        Args:
            leaves: the first registers, of any number type.
            operations: how to do each operation.
            constant: what a plain number becomes.
        """
        registers = [*leaves]

        def read(operand: Any) -> Any:
            if isinstance(operand, tuple):
                return [*map(read, operand)]
            return registers[operand] if type(operand) is int else constant(operand)

        for op, operands in self.instructions:
            registers.append(operations[op](*map(read, operands)))
        return registers

    @classmethod
    def read(cls, text: str) -> Program:
        """The program of a text as `str` gives it.

        Args:
            text: assignments as in Python: first the leaves, which are numbers, then one operation each.

        Raises:
            ExpressionError: a line is no such assignment.

        >>> Program.read("x = 3; y = fsum([x, 1/2])").run([2])[-1]
        Fraction(5, 2)
        """
        places: dict[str, int] = {}
        leaves: list[Fraction] = []
        instructions: list[Instruction] = []
        for line in _lines(text):
            match line:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    try:
                        if instructions or _names_in(value):
                            instructions.append(_read_instruction(value, places))
                        else:
                            leaves.append(_read_operand(value, places))
                    except (ValueError, KeyError):
                        raise ExpressionError(f"not an operation: {ast.unparse(line)}") from None
                    places[name] = len(leaves) + len(instructions) - 1
                case _:
                    raise ExpressionError(f"not an assignment: {ast.unparse(line)}")
        return cls(tuple(leaves), tuple(instructions))

    def __str__(self) -> str:
        lines = [f"v{place} = {leaf}" for place, leaf in enumerate(self.leaves)]
        for place, (op, operands) in enumerate(self.instructions, len(lines)):
            shown = [*map(_show, operands)]
            call = f" {op} ".join(shown) if op in _SIGNS else f"{op}({', '.join(shown)})"
            lines.append(f"v{place} = {f'-{shown[0]}' if op == 'neg' else call}")
        return "; ".join(lines)

    def __repr__(self) -> str:
        return f"Program.read({str(self)!r})"


def _show(operand: Any) -> str:
    if isinstance(operand, tuple):
        return f"[{', '.join(map(_show, operand))}]"
    if type(operand) is int:
        return f"v{operand}"
    return f"{operand}" if operand.denominator == 1 and operand >= 0 else f"({operand})"


def _lines(text: str) -> list[ast.stmt]:
    try:
        return ast.parse(text).body
    except SyntaxError as error:
        raise ExpressionError(f"not a program: {quoted(text)} ({error.msg})") from None


def _names_in(tree: ast.expr) -> bool:
    return any(isinstance(node, ast.Name) for node in ast.walk(tree))


def _read_instruction(tree: ast.expr, places: Mapping[str, int]) -> Instruction:
    match tree:
        case ast.BinOp(left=left, op=sign, right=right):
            (op,) = (op for op, each in _SIGNS.items() if type(each) is type(sign))
            operands = [left, right]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            op, operands = "neg", [operand]
        case ast.Call(func=ast.Name(id=op), args=operands) if op in OPERATIONS:
            pass
        case _:
            raise ValueError
    return Instruction(op, tuple(_read_operand(each, places) for each in operands))


def _read_operand(tree: ast.expr, places: Mapping[str, int]) -> Any:
    match tree:
        case ast.Name(id=name):
            return places[name]
        case ast.List(elts=elements):
            return tuple(_read_operand(each, places) for each in elements)
        case _:
            return Fraction(ast.unparse(tree).replace(" ", ""))


def programs(
    operations: Collection[str] = RATIONAL, max_size: int = 10
) -> st.SearchStrategy[Program]:
    """Programs on rational numbers that run without an error, with shared and repeated operands.

    All that is in a program leads to its last register, so that a failing one shrinks to what fails.

    Args:
        operations: those to choose from, by name; all of them are in `RATIONAL`.
        max_size: the largest number of instructions.

    Raises:
        ArgumentError: an operation takes rational numbers to others.

    >>> from hypothesis import find
    >>> find(programs(["neg"]), lambda program: len(program.instructions) == 2)
    Program.read('v0 = 0; v1 = -v0; v2 = -v1')
    """
    for op in operations:
        if op not in RATIONAL:
            raise ArgumentError(
                f"programs have operations that are exact on fractions, not {op!r}: "
                f"{', '.join(RATIONAL)}; expressions() have every operation on numbers"
            )
    # Each instruction is drawn by itself, in a choice or two more than it has operands, and a register
    # is told by how far back it is: so Hypothesis, which tries without a few choices that follow each
    # other, can leave any one out.  Mostly a late register is read, for what nothing leads on from is pruned.
    size = max_size + _LEAVES
    back = st.sampled_from([0, 1] * size + [*range(size)])
    drawn = st.one_of([each for op in operations for each in _instructions(op, back)])
    leaves = st.lists(numbers(Fraction), min_size=1, max_size=_LEAVES)
    some = st.lists(drawn, min_size=1, max_size=max_size)
    return st.tuples(leaves, some).map(lambda parts: _assembled(*parts))


def _instructions(
    op: str, register: st.SearchStrategy[int]
) -> list[st.SearchStrategy[Instruction]]:
    """Instructions that read one register at least: in each operand, and with a number in one."""
    number: st.SearchStrategy[Any] = numbers(Fraction)
    arity = RULES[op].arity
    if op == "**":
        forms: list[tuple[st.SearchStrategy[Any], ...]] = [(register, EXPONENTS)]
    else:
        forms = [(register,) * arity]
        if arity == 2:
            forms += [(register, number), (number, register)]
    each: list[st.SearchStrategy[Any]] = [st.tuples(*form) for form in forms]
    if RULES[op].variadic:
        some = st.lists(st.tuples(*[register | number] * arity), max_size=3)
        each = [
            st.tuples(one, some).map(lambda rows: tuple(zip(rows[0], *rows[1], strict=True)))
            for one in each
        ]
    return [operands.map(partial(Instruction, op)) for operands in each]


def _assembled(leaves: Sequence[Fraction], drawn: Sequence[Instruction]) -> Program:
    """The program of the instructions that have a value, of moderate size."""
    registers = [*leaves]
    instructions = []
    for op, operands in drawn:
        size = len(registers)
        instruction = Instruction(op, _renumbered(operands, partial(_earlier, size)))
        try:
            *_, out = Program((), (instruction,)).run(registers)
        except ZeroDivisionError:
            continue
        if max(abs(out.numerator), out.denominator) < 2**200:  # repeated squares grow fast
            registers.append(out)
            instructions.append(instruction)
    return _pruned(Program(tuple(leaves), tuple(instructions)))


def _pruned(program: Program) -> Program:
    """The program without what its last register does not need."""
    count = len(program.leaves)
    needed = {count + len(program.instructions) - 1}
    for place, instruction in reversed([*enumerate(program.instructions, count)]):
        if place in needed:
            needed |= _registers_in(instruction.operands)
    places = {old: new for new, old in enumerate(sorted(needed))}
    return Program(
        tuple(each for place, each in enumerate(program.leaves) if place in needed),
        tuple(
            Instruction(op, _renumbered(operands, places.__getitem__))
            for place, (op, operands) in enumerate(program.instructions, count)
            if place in needed
        ),
    )


def _registers_in(operands: Iterable[Any]) -> set[int]:
    """The registers among operands, those in lists too."""
    inner = [_registers_in(each) for each in operands if isinstance(each, tuple)]
    return {each for each in operands if type(each) is int}.union(*inner)


def _earlier(size: int, back: int) -> int:
    """Of so many registers the one that lies so far back from the last."""
    return (-1 - back) % size


def _renumbered(operands: tuple[Any, ...], place: Callable[[int], int]) -> tuple[Any, ...]:
    """The operands with other registers."""
    return tuple(
        _renumbered(each, place)
        if isinstance(each, tuple)
        else (place(each) if type(each) is int else each)
        for each in operands
    )


# ---- expressions


class Expression(NamedTuple):
    """An expression as a person types it, and a point at which it has a value.

    Call it with other operands, in the order of ``at``.  The text is Python and what
    ``tinygrad-bp explain`` takes.

    Attributes:
        text: in ordinary notation, with the functions of the table.
        at: a number for each name in it.

    >>> expression = Expression("x * tanh(y)", {"x": 2.0, "y": 0.0})
    >>> expression(3.0, 0.0)
    0.0
    >>> from tinygrad_bp import grad
    >>> grad(expression)(*expression.at.values())
    (0.0, 2.0)
    """

    text: str
    at: dict[str, float]

    def __call__(
        self, *operands: Any, operations: Mapping[str, Callable[..., Any]] = OPERATIONS
    ) -> Any:
        """The expression at these operands.

        Args:
            *operands: one for each name: plain numbers, Values, another engine's scalars.
            operations: how to do each function that it calls.

        Raises:
            ExpressionError: the text is no expression, or there are not as many operands as names.
        """
        if len(operands) != len(self.at):
            names = ", ".join(self.at)
            raise ExpressionError(f"{len(operands)} operands for {names}: give one for each")
        tree = parse(self.text, names=self.at, functions=operations)
        code = compile(ast.Expression(tree), "<expression>", "eval")
        scope = dict(zip(self.at, operands, strict=True))
        return eval(code, {**operations, "__builtins__": {}}, scope)  # noqa: S307 - parsed: nothing but the table


def expressions(
    operations: Collection[str] = (), names: Collection[str] = ("x", "y", "z"), max_leaves: int = 8
) -> st.SearchStrategy[Expression]:
    """Expressions with every operation of the table but those on lists, each within its domain.

    No value on the way, and no local derivative, is beyond 1e9, so that each has a finite gradient; at a
    kink, as that of ``abs(x)`` at 0, it is the convention.

    Args:
        operations: those to choose from, by name; if left out, all.
        names: the variables.  Each expression has one of them at least.
        max_leaves: how many variables and constants there may be, repeated ones counted.

    Raises:
        ArgumentError: an operation is not in the table, or takes a list.

    >>> from hypothesis import find
    >>> find(expressions(names=["x"]), lambda expression: "log(" in expression.text)
    Expression(text='log(x)', at={'x': 1.0})
    """
    chosen = [*operations] or [op for op, rule in RULES.items() if not rule.variadic]
    for op in chosen:
        if op not in RULES or RULES[op].variadic:
            raise ArgumentError(f"expressions have operations of the table on numbers, not {op!r}")
    moderate = _floats(-_NEAR, _NEAR)
    variable = st.sampled_from([*names])
    ops = {arity: [op for op in chosen if RULES[op].arity == arity] for arity in (1, 2)}
    trees: st.SearchStrategy[Any] = st.recursive(
        variable | variable | moderate,
        lambda part: st.one_of(
            [
                st.tuples(st.sampled_from(some), *[part] * arity)
                for arity, some in ops.items()
                if some
            ]
        ),
        max_leaves=max_leaves,
    )
    points = st.fixed_dictionaries(dict.fromkeys(names, moderate))
    return st.builds(_typed, trees, points).filter(lambda expression: bool(expression.at))


_MODERATE = 1e9


def _typed(drawn: Any, point: Mapping[str, float]) -> Expression:
    """The expression of what was drawn, with a value at the point."""
    tree, _ = _within_domains(drawn, point)
    text = ast.unparse(tree)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return Expression(text, {name: x for name, x in point.items() if name in used})


def _within_domains(drawn: Any, point: Mapping[str, float]) -> tuple[ast.expr, Any]:
    """The tree without the operations that have no moderate value at the point, and its value."""
    if isinstance(drawn, str):
        return ast.Name(drawn), Value(point[drawn])
    if isinstance(drawn, float):
        size = ast.Constant(abs(drawn))
        return (ast.UnaryOp(ast.USub(), size) if math.copysign(1.0, drawn) < 0.0 else size), drawn
    op, *parts = drawn
    trees, operands = zip(*(_within_domains(each, point) for each in parts), strict=True)
    try:
        out = OPERATIONS[op](*operands)
    except (BackpropError, ArithmeticError):
        return trees[0], operands[0]
    sizes = [data_of(out), *getattr(out, "local_derivatives", ())]
    if not all(abs(each) <= _MODERATE for each in sizes):  # nan is not, either
        return trees[0], operands[0]
    if op in _SIGNS:
        return ast.BinOp(trees[0], _SIGNS[op], trees[1]), out
    if op == "neg":
        return ast.UnaryOp(ast.USub(), trees[0]), out
    return ast.Call(ast.Name(op), [*trees], []), out


# ---- networks


class _Drawn(Network):
    """A network that shows itself as the call that makes it: a drawn one is small."""

    def __repr__(self) -> str:
        return f"Network({self.weights!r}, {self.biases!r}, {self.activations!r})"


def networks(
    kind: type = float,
    activations: Collection[str] = (),
    *,
    max_layers: int = 3,
    max_nodes: int = 3,
) -> st.SearchStrategy[Network]:
    """Small networks with weights and biases of moderate size.

    Args:
        kind: the type of the weights and biases: ``float``, ``int`` or ``Fraction``.
        activations: those to choose from for each node, by name.  If left out, all that have a value
            everywhere and grow no faster than their operand, so that every input has an output; of
            these the rational ones, unless ``kind`` is ``float``.
        max_layers: how many layers above the input at most.
        max_nodes: how many nodes in each layer, and inputs, at most.

    >>> from hypothesis import find
    >>> find(networks(), lambda net: net.depth == 1)
    Network([[[0.0]]], [[0.0]], [['identity']])
    """
    named = [*activations] or [
        name
        for name in ACTIVATIONS
        if _is_tame(RULES[name]) and (kind is float or name in RATIONAL)
    ]
    simplest_first = sorted(named, key=lambda name: len(str(RULES[name].value)))
    number, activation = numbers(kind), st.sampled_from(simplest_first)

    def of_sizes(sizes: Sequence[int]) -> st.SearchStrategy[Network]:
        weights = [_some(_some(number, below), size) for below, size in pairwise(sizes)]
        biases = [_some(number, size) for size in sizes[1:]]
        names = [_some(activation, size) for size in sizes[1:]]
        layers = (st.tuples(*each).map(list) for each in (weights, biases, names))
        return st.builds(_Drawn, *layers)

    return st.lists(st.integers(1, max_nodes), min_size=2, max_size=max_layers + 1).flatmap(
        of_sizes
    )


def _some(each: st.SearchStrategy[Any], count: int) -> st.SearchStrategy[list[Any]]:
    return st.lists(each, min_size=count, max_size=count)


def _is_tame(rule: Rule) -> bool:
    """Whether the operation has a value everywhere, and none much larger than its operand."""
    return all(
        FLOAT.in_domain(rule, (x,)) and abs(OPERATIONS[rule.name](x)) <= abs(x) + 1.0
        for x in map(float, range(-50, 51))
    )
