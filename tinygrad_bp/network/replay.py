"""The operations of a tape done again in floats, for a finite difference."""

from __future__ import annotations

import math
from operator import itemgetter
from typing import TYPE_CHECKING

from tinygrad_bp.numbers.of_python import FLOAT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tinygrad_bp.engine.tape import Tape
    from tinygrad_bp.engine.value import Value
    from tinygrad_bp.table.rules import Rule


_REPLAYED = 100_000  # operands that a finite difference evaluates again at each of its steps


def replay(tape: Tape, w: Value) -> Callable[[float], float] | None:
    """The recorded operations done again in floats, for another value of one node."""
    top, bottom = len(tape.nodes) - 1, tape.places.get(w)
    moving = tape.edges.reaching([] if bottom is None else [bottom])
    if bottom is None or not moving[top]:
        return lambda _: float(tape.e.data)
    rows, constants = tape.operands()
    steps = [place for place, row in enumerate(rows) if row and moving[place] and place != bottom]
    if sum(len(rows[place]) for place in steps) > _REPLAYED:
        return None
    recorded_numbers = [*tape.data, *constants]
    numbers = [math.nan] * len(recorded_numbers)
    for place in {bottom}.union(*(rows[place] for place in steps)):
        if place == bottom or place < 0 or not moving[place]:
            numbers[place] = float(recorded_numbers[place])
    program = [
        (_float_operation(rule, rows[place]), place)
        for place in steps
        if (rule := tape.nodes[place].rule)
    ]

    def f(number: float) -> float:
        numbers[bottom] = number
        for operation, place in program:
            numbers[place] = operation(numbers)
        return numbers[top]

    found, recorded = f(numbers[bottom]), float(tape.e.data)
    moved = math.isfinite(recorded) and not math.isclose(
        found, recorded, rel_tol=1e-6, abs_tol=1e-9
    )
    return None if moved else f


def _float_operation(rule: Rule, row: Sequence[int]) -> Callable[[list[float]], float]:
    """An operation in floats on numbers that stand at these places of a list."""
    kernel = FLOAT.kernel(rule, ())
    if rule.variadic:
        size = len(row) // rule.arity
        columns = [row[start : start + size] for start in range(0, len(row), size)]
        gather = [itemgetter(*column) for column in columns]
        if size == 1:
            return lambda numbers: kernel(*([each(numbers)] for each in gather))[0]
        return lambda numbers: kernel(*[[*each(numbers)] for each in gather])[0]
    gather_row = itemgetter(*row)
    if len(row) == 1:
        return lambda numbers: kernel(gather_row(numbers))[0]
    return lambda numbers: kernel(*gather_row(numbers))[0]
