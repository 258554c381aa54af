"""Programs that floats hold to the last bit, and their exact answers, for engines of any make.

Every register, every local derivative, and every sum of a pass, in whatever order it is added, is a
float.  So an engine's answer is right or wrong, and no tolerance is asked for.  Our own engine finds
the answers, in fractions.
"""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from hypothesis import strategies as st

from tinygrad_bp.arithmetic import arithmetic_of
from tinygrad_bp.differentiate import gradients
from tinygrad_bp.rules import RULES
from tinygrad_bp.testing.strategies import EXPONENTS, RATIONAL, Instruction, Program
from tinygrad_bp.value import Value, data_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

DOUBLE = 53
"""The bits of a float."""

_SMALL = st.builds(Fraction, st.integers(-9, 9), st.sampled_from([1, 2, 4]))
# Of products of wide numbers single precision loses digits.
_DYADIC = _SMALL | _SMALL | st.integers(-9999, 9999).map(Fraction)


class Form(NamedTuple):
    """An operation, and which of its operands are nodes and no plain numbers.

    Attributes:
        name: as it is written: ``"2 - a"``.
        op: its name in the table.
        nodes: one for each operand; empty for an operation on lists.
    """

    name: str
    op: str
    nodes: tuple[bool, ...]

    @classmethod
    def of(cls, op: str) -> Form:
        """An operation with nodes alone, by its name."""
        rule = RULES[op]
        return cls(op, op, () if rule.variadic else (True,) * rule.arity)


FORMS = (
    *(
        Form(text.format(op), op, nodes)
        for op in ("+", "-", "*", "/")
        for text, nodes in (
            ("a {} b", (True, True)),
            ("a {} 2", (True, False)),
            ("2 {} a", (False, True)),
        )
    ),
    Form("a ** n", "**", (True, False)),
    Form("-a", "neg", (True,)),
    *(Form.of(op) for op in RATIONAL if op.isidentifier() and op not in ("neg", "leaky_relu")),
)
"""The operations on rational numbers, but for a slope of 0.01, which is no float."""


@st.composite
def exact_programs(draw: st.DrawFn, forms: Sequence[Form], max_size: int = 10) -> Program:
    """Programs of some operations, whose registers and local derivatives are floats.

    Args:
        draw: given by Hypothesis.
        forms: the operations.
        max_size: the largest number of instructions.

    >>> from hypothesis import find
    >>> find(exact_programs(FORMS), lambda program: len(program.instructions) == 2)
    Program.read('v0 = 0; v1 = v0 + v0; v2 = v1 + v0')
    """
    leaves = tuple(draw(st.lists(_DYADIC, min_size=1, max_size=3)))
    registers = [*map(Value, leaves)]
    instructions = []
    # What makes a graph of a chain is operations on several nodes.
    often = [form for form in forms for _ in range(1 if form.nodes.count(True) == 1 else 4)]
    for form in draw(st.lists(st.sampled_from(often), min_size=1, max_size=max_size)):
        instruction = Instruction(form.op, draw(_operands(form, len(registers))))
        out = _exact(instruction, registers)
        if out is not None:
            registers.append(out)
            instructions.append(instruction)
    return Program(leaves, tuple(instructions))


@st.composite
def single_operations(draw: st.DrawFn, form: Form) -> Program:
    """Programs of one operation on nodes that are all different; empty where it is not exact.

    >>> from hypothesis import find
    >>> plus = find(single_operations(FORMS[0]), lambda program: program.instructions)
    >>> len(plus.leaves), plus.instructions[0].operands
    (2, (0, 1))
    """
    arity = RULES[form.op].arity
    leaves = tuple(draw(st.tuples(*[_DYADIC] * (sum(form.nodes) or 2 * arity))))
    place = iter(range(len(leaves)))
    operands: tuple[Any, ...]
    if form.nodes:
        operands = tuple([next(place) if node else draw(_plain(form)) for node in form.nodes])
    else:
        operands = tuple([(next(place), next(place)) for _ in range(arity)])
    instruction = Instruction(form.op, operands)
    out = _exact(instruction, [*map(Value, leaves)])
    return Program(leaves, () if out is None else (instruction,))


for _strategy in (exact_programs, single_operations):  # pickle looks there, as for `programs`
    _strategy.__qualname__ = _strategy.__name__


def _operands(form: Form, size: int) -> st.SearchStrategy[tuple[Any, ...]]:
    """Operands for the next register after ``size`` others; the first node is a late one.

    So most registers are used, and often again: of operands drawn from all alike, few lead to the end.
    """
    late = st.integers(0, min(1, size - 1)).map(lambda back: size - 1 - back)
    any_one = st.integers(0, size - 1)
    if not form.nodes:
        arity = RULES[form.op].arity
        rows = st.tuples(
            st.tuples(late, *[any_one] * (arity - 1)),
            st.lists(st.tuples(*[any_one] * arity), max_size=2),
        )
        return rows.map(lambda drawn: tuple(zip(drawn[0], *drawn[1], strict=True)))
    first = form.nodes.index(True)
    return st.tuples(
        *(
            (late if place == first else any_one) if node else _plain(form)
            for place, node in enumerate(form.nodes)
        )
    )


def _plain(form: Form) -> st.SearchStrategy[Fraction]:
    return EXPONENTS if form.op == "**" else _DYADIC


def _exact(instruction: Instruction, registers: Sequence[Value]) -> Value | None:
    """What it makes, if number and derivatives are floats, and no conventions."""
    try:
        out: Value = Program((), (instruction,)).run(registers)[-1]
    except (ZeroDivisionError, OverflowError):
        return None
    if not all(float(number) == number for number in (out.data, *out.local_derivatives)):
        return None
    if out.rule is None or out.rule.variadic:  # 0 + v is v
        return out
    at = tuple(map(data_of, out.operands))
    # Many an engine divides by multiplying, and by 0 in a power of 0, which is a property of its own.
    reciprocal = 1 / Fraction(at[1]) if out.op == "/" else Fraction(1)
    convention = arithmetic_of(at).at_kink(out.rule, at) or (out.op == "**" and at[0] == 0)
    return None if convention or float(reciprocal) != reciprocal else out


class Answer(NamedTuple):
    """What a program comes to.

    Attributes:
        values: every register.
        gradients: for each leaf, the sum over the results of which a pass is made.
    """

    values: list[Any]
    gradients: list[Any]


def exact_answer(program: Program, results: Iterable[int], bits: int = DOUBLE) -> Answer | None:
    """The answer, after passes from some of the registers.

    Args:
        program: the program.
        results: the registers, by number; negative ones from the last.
        bits: of an engine's floats.

    Returns:
        The answer; ``None`` where these floats do not hold every number on the way, where it is a
        convention, or there is no such register.

    >>> square = Program((Fraction(3),), (Instruction("*", (0, 0)),))
    >>> exact_answer(square, [-1])
    Answer(values=[Fraction(3, 1), Fraction(9, 1)], gradients=[Fraction(6, 1)])
    """
    leaves = [Value(number) for number in program.leaves]
    registers = [*leaves]
    for instruction in program.instructions:
        out = _exact(instruction, registers)
        if out is None:
            return None
        registers.append(out)
    found = [Fraction(0)] * len(leaves)
    for place in results:
        if not -len(registers) <= place < len(registers):
            return None
        if not _pass_is_held(registers, registers[place], bits):
            return None
        for slot, gradient in enumerate(gradients(registers[place], leaves)):
            found[slot] += gradient
    return Answer([node.data for node in registers], found)


def _pass_is_held(registers: Sequence[Value], e: Value, bits: int) -> bool:
    """Whether floats hold every number of the pass from ``e``, in whatever order it adds them.

    All registers count, whether they lead to ``e`` or not: so two passes have one grid, and their sum too.
    The sizes of all that is added to a gradient are summed, and how fine it can be is followed; the
    terms of an operation on lists likewise.
    """

    def held(gross: Fraction, finest: int) -> bool:
        return gross * finest < 1 << bits - 3  # which leaves room for several passes

    gross = defaultdict(Fraction, {e: Fraction(1)})
    finest: defaultdict[Value, int] = defaultdict(lambda: 1)
    for node in reversed(dict.fromkeys(registers)):
        terms = [Fraction(node.data)]
        for parent, derivative in zip(node.parents, node.local_derivatives, strict=True):
            local = Fraction(derivative)
            gross[parent] += gross[node] * abs(local)
            finest[parent] = max(finest[parent], finest[node] * local.denominator)
            if node.rule and node.rule.variadic:
                terms.append(local * parent.data)
        if not held(Fraction(sum(map(abs, terms))), max(each.denominator for each in terms)):
            return False
    return all(held(size, finest[node]) for node, size in gross.items())


def pruned(program: Program, results: Iterable[int]) -> Program:
    """The program without what the results do not need.

    >>> two = Program((Fraction(3),), (Instruction("neg", (0,)), Instruction("square", (0,))))
    >>> pruned(two, [-1])
    Program.read('v0 = 3; v1 = square(v0)')
    """
    count = len(program.leaves)
    size = count + len(program.instructions)
    needed = {range(size)[place] for place in results if -size <= place < size}
    for place in reversed(range(count, size)):
        if place in needed:
            needed.update(_registers(program.instructions[place - count].operands))
    places = {old: new for new, old in enumerate(sorted(needed))}
    leaves = tuple(each for place, each in enumerate(program.leaves) if place in needed)
    kept = [each for place, each in enumerate(program.instructions, count) if place in needed]
    return _renumbered(leaves, kept, places)


def smaller(program: Program) -> Iterator[Program]:
    """The programs with one register less, where another can stand in its place.

    For an instruction that is one of its operands, for a leaf an earlier one of the same number.

    >>> one, two = Fraction(1), Instruction("+", (0, 1))
    >>> [str(each) for each in smaller(Program((one, one), (two,)))]
    ['v0 = 1; v1 = v0 + v0', 'v0 = 1; v1 = 1', 'v0 = 1; v1 = 1']
    """
    leaves, instructions = program
    size = len(leaves) + len(instructions)
    for left_out in range(size):
        place = left_out - len(leaves)
        others = (
            {leaves.index(leaves[left_out])} - {left_out}
            if place < 0
            else _registers(instructions[place].operands)
        )
        places = {old: old - (old > left_out) for old in range(size)}
        for other in sorted(others):
            yield _renumbered(
                tuple(each for k, each in enumerate(leaves) if k != left_out),
                [each for k, each in enumerate(instructions) if k != place],
                {**places, left_out: other},
            )


def _renumbered(
    leaves: tuple[Fraction, ...], kept: Iterable[Instruction], places: Mapping[int, int]
) -> Program:
    return Program(leaves, tuple(Instruction(op, _renumber(given, places)) for op, given in kept))


def _registers(operands: Iterable[Any]) -> set[int]:
    inner = [_registers(each) for each in operands if isinstance(each, tuple)]
    return {each for each in operands if type(each) is int}.union(*inner)


def _renumber(operands: tuple[Any, ...], places: Mapping[int, int]) -> tuple[Any, ...]:
    return tuple(
        _renumber(each, places)
        if isinstance(each, tuple)
        else (places[each] if type(each) is int else each)  # Fraction(1) is a key like 1
        for each in operands
    )
