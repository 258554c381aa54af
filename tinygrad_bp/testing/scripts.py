"""Small programs on the nodes of an engine: they run on any engine, and are printed as Python to paste.

A script is a list of statements.  Each leaf and each operation fills the next register; the
registers are called ``a, b, c, ...`` when it is printed.
"""

from __future__ import annotations

import operator
from collections import Counter
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from tinygrad_bp.table.rules import RULES
from tinygrad_bp.testing.engines import COMPARISONS, IN_PLACE, OURS, place_of, told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tinygrad_bp.testing.engines import Engine, Spelling


class Plain(NamedTuple):
    """A plain number as an operand."""

    number: float


class Leaf(NamedTuple):
    """Make a leaf of a number."""

    number: float


class Apply(NamedTuple):
    """Do an operation.

    Attributes:
        op: its name in the table.
        operands: an ``int`` is a register, a `Plain` a number, a tuple a list of these.
        in_place: whether the first operand's name is bound to the result, as by ``a -= b``.
    """

    op: str
    operands: tuple[Any, ...]
    in_place: bool = False


class Back(NamedTuple):
    """Run the pass from a register."""

    register: int


class Move(NamedTuple):
    """Assign a number to a leaf's data."""

    register: int
    number: float


class Clear(NamedTuple):
    """Set a leaf's gradient to 0."""

    register: int


class Look(NamedTuple):
    """Do what should change nothing.

    Attributes:
        how: one of `LOOKS`.
        registers: at what.
    """

    how: str
    registers: tuple[int, ...]


LOOKS: dict[str, Callable[..., Any]] = {
    "repr({})": repr,
    "str({})": str,
    "format({})": format,
    "hash({})": hash,
    "bool({})": bool,
    "float({})": float,
    **{f"{{}} {sign} {{}}": compare for sign, compare in COMPARISONS.items()},
    "{} == {}": operator.eq,
    "{} != {}": operator.ne,
}
"""What can be done with a node, or with two, that should change nothing; the engine need not offer it."""

Statement: TypeAlias = Leaf | Apply | Back | Move | Clear | Look
Script: TypeAlias = tuple[Statement, ...]


class Outcome(NamedTuple):
    """What came of a script.

    Attributes:
        values: each register when it was made.
        data: each register at the end.
        gradients: each leaf's gradient at the end, by its register; those of inner nodes if asked for.
    """

    values: list[float]
    data: list[float]
    gradients: dict[int, float]


class Broken(Exception):  # noqa: N818 - it is no error of ours
    """What an engine raised, in words.

    Attributes:
        place: of the statement that raised it.
        error: the engine's own.
        where: in the engine's file.
    """

    def __init__(self, error: BaseException, place: int | None = None) -> None:
        super().__init__(told(error))
        self.place = place
        self.error = error
        self.where = place_of(error)


def run(
    script: Script,
    engine: Engine,
    *,
    inner: bool = False,
    announce: Callable[[int], None] = lambda _: None,
) -> Outcome:
    """Run a script on an engine.

    Args:
        script: the statements.
        engine: the engine.
        inner: whether the gradients of inner nodes are read too.
        announce: told the place of each statement before it is done.

    Raises:
        Broken: the engine raised something, `SystemExit` too.

    >>> from tinygrad_bp.testing.engines import OURS
    >>> run((Leaf(3.0), Apply("*", (0, 0)), Back(1)), OURS)
    Outcome(values=[3.0, 9.0], data=[3.0, 9.0], gradients={0: 6.0})
    """
    place: int | None = 0
    try:
        registers: list[Any] = []
        values, leaves = [], []
        for place, statement in enumerate(script):
            announce(place)
            match statement:
                case Leaf(number):
                    leaves.append(len(registers))
                    registers.append(engine.make(number))
                    values.append(engine.number(registers[-1]))
                case Apply():
                    registers.append(_apply(statement, registers, engine))
                    values.append(engine.number(registers[-1]))
                case Back(register):
                    engine.run_back(registers[register])
                case Move(register, number):
                    engine.move(registers[register], number)
                case Clear(register):
                    engine.clear(registers[register])
                case Look(how, looked_at):
                    with suppress(Exception):
                        LOOKS[how](*(registers[each] for each in looked_at))
        place = None
        if inner:  # of registers with a node of their own: 0 + a may be a
            times = Counter(map(id, registers))
            leaves += [
                k for k, node in enumerate(registers) if times[id(node)] == 1 and k not in leaves
            ]
        return Outcome(
            values,
            [engine.number(node) for node in registers],
            {register: engine.gradient(registers[register]) for register in sorted(leaves)},
        )
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise Broken(error, place) from error


@lru_cache(100_000)  # the same scripts are tried on one engine after another
def right(script: Script, *, inner: bool = False) -> Outcome:
    """What should come of a script: what our own engine makes of it.

    Args:
        script: the statements.
        inner: whether the gradients of inner nodes are read too.

    Raises:
        Broken: it leads out of a domain.
    """
    return run(script, OURS, inner=inner)


def _apply(statement: Apply, registers: Sequence[Any], engine: Engine) -> Any:
    def read(operand: Any) -> Any:
        if type(operand) is int:
            return registers[operand]
        return operand.number if type(operand) is Plain else [*map(read, operand)]

    table = IN_PLACE if statement.in_place else engine.operations
    return table[statement.op](*map(read, statement.operands))


# ---- as text


def name_of(register: int) -> str:
    """What a register is called.

    >>> name_of(0), name_of(25), name_of(26)
    ('a', 'z', 'v26')
    """
    return chr(ord("a") + register) if register < 26 else f"v{register}"


def source(script: Script, spelling: Spelling) -> list[str]:
    """The lines of a script as Python, one for each statement, and first its import.

    >>> from tinygrad_bp.testing.engines import OURS
    >>> script = (Leaf(3.0), Apply("-", (Plain(2), 0)), Apply("*", (0, 1), True), Back(2))
    >>> for line in source(script, OURS.spelling):
    ...     print(line)
    from tinygrad_bp import Value
    a = Value(3.0)
    b = 2 - a
    c = a; c *= b
    c.backward()
    """
    lines, register = [spelling.imports], 0
    if any(number in repr(script) for number in ("number=inf", "number=-inf", "number=nan")):
        lines[0] += "\nfrom math import inf, nan"
    for statement in script:
        match statement:
            case Leaf(number):
                lines.append(f"{name_of(register)} = {spelling.make}({number!r})")
            case Apply(op, operands, in_place):
                lines.append(
                    _assignment(name_of(register), op, operands, spelling, in_place=in_place)
                )
            case Back(at):
                lines.append(f"{name_of(at)}.{spelling.backward}()")
            case Move(at, number):
                lines.append(f"{name_of(at)}.{spelling.data} = {number!r}")
            case Clear(at):
                lines.append(f"{name_of(at)}.{spelling.grad} = 0")
            case Look(how, several):
                lines.append(how.format(*map(name_of, several)))
        register += isinstance(statement, (Leaf, Apply))
    return lines


def _assignment(
    name: str, op: str, operands: tuple[Any, ...], spelling: Spelling, *, in_place: bool
) -> str:
    if in_place:
        first, second = map(_operand, operands)
        return f"{name} = {first}; {name} {op}= {second}"
    return f"{name} = {_call(op, operands, spelling)}"


def _call(op: str, operands: tuple[Any, ...], spelling: Spelling) -> str:
    shown = [*map(_operand, operands)]
    if op in spelling.functions:
        return f"{spelling.functions[op]}({', '.join(shown)})"
    if op == "neg":
        return f"-{shown[0]}"
    if op in ("abs", "sum"):
        return f"{op}({shown[0]})"
    if RULES[op].infix:
        return f"{shown[0]} {op} {shown[1]}"
    return f"{shown[0]}.{op}({', '.join(shown[1:])})"


def _operand(operand: Any) -> str:
    if type(operand) is int:
        return name_of(operand)
    if type(operand) is Plain:
        return repr(operand.number) if operand.number >= 0 else f"({operand.number!r})"
    return f"[{', '.join(map(_operand, operand))}]"


# ---- made smaller


def registers_of(script: Script) -> list[Leaf | Apply]:
    """What fills each register."""
    return [each for each in script if isinstance(each, (Leaf, Apply))]


def pruned(script: Script, keep: Iterable[int] = ()) -> Script:
    """The script without the registers that no later statement needs.

    Args:
        script: the statements.
        keep: registers that are needed besides.

    >>> pruned((Leaf(3.0), Apply("neg", (0,)), Apply("*", (0, 0)), Back(2)))
    (Leaf(number=3.0), Apply(op='*', operands=(0, 0), in_place=False), Back(register=1))
    """
    needed, register = {*keep}, len(registers_of(script))
    for statement in reversed(script):
        if isinstance(statement, (Leaf, Apply)):
            register -= 1
            if register in needed and isinstance(statement, Apply):
                needed.update(_registers(statement.operands))
        elif isinstance(statement, Look):
            needed.update(statement.registers)
        else:
            needed.add(statement.register)
    kept: list[Statement] = []
    places: dict[int, int] = {}
    register = 0
    for statement in script:
        if isinstance(statement, (Leaf, Apply)):
            if register in needed:
                places[register] = len(places)
                kept.append(renumbered(statement, places))
            register += 1
        else:
            kept.append(renumbered(statement, places))
    return tuple(kept)


def smaller(script: Script) -> Iterator[Script]:
    """The scripts with one register less, where another can stand in its place.

    For an operation that is one of its operands, for a leaf an earlier one; and those with a
    simpler number in a leaf, or with one thing less that should change nothing.
    """
    for place, each in enumerate(script):
        if isinstance(each, Look):
            yield script[:place] + script[place + 1 :]
    filled = registers_of(script)
    for left_out, what in enumerate(filled):
        others = (
            _registers(what.operands)
            if isinstance(what, Apply)
            else {*range(left_out)} - {left_out}
        )
        for other in sorted(others):
            if isinstance(filled[other], Apply) and isinstance(what, Leaf):
                continue
            places = {old: old - (old > left_out) for old in range(len(filled))}
            places[left_out] = places[other]
            yield tuple(renumbered(each, places) for each in script if each is not what)
    for simple in (2.0, 3.0, -2.0):
        for what in filled:
            if isinstance(what, Leaf) and what.number not in (2.0, 3.0):
                yield tuple(Leaf(simple) if each is what else each for each in script)


def numbers_of(script: Script) -> list[Leaf | Plain]:
    """The numbers that are written in a script."""
    plain = [each for what in registers_of(script) for each in _plain(what)]
    return [*(each for each in script if isinstance(each, Leaf)), *plain]


def _plain(what: Leaf | Apply) -> list[Plain]:
    return (
        [each for each in what.operands if isinstance(each, Plain)]
        if isinstance(what, Apply)
        else []
    )


def flat(operands: Iterable[Any]) -> Iterator[Any]:
    """The operands, and those in lists."""
    for each in operands:
        if type(each) is tuple:
            yield from flat(each)
        else:
            yield each


def _registers(operands: Iterable[Any]) -> set[int]:
    return {each for each in flat(operands) if type(each) is int}


def renumbered(statement: Statement, places: dict[int, int]) -> Statement:
    """A statement for registers in other places."""
    if isinstance(statement, Leaf):
        return statement
    if isinstance(statement, Apply):
        return statement._replace(operands=_renumber(statement.operands, places))
    if isinstance(statement, Look):
        return statement._replace(registers=_renumber(statement.registers, places))
    return statement._replace(register=places[statement.register])


def _renumber(operands: tuple[Any, ...], places: dict[int, int]) -> tuple[Any, ...]:
    return tuple(
        places[each]
        if type(each) is int
        else _renumber(each, places)
        if type(each) is tuple
        else each
        for each in operands
    )
