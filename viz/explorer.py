"""`explore`: one HTML page in which a pass is stepped through, and its leaves changed.

The page is a file by itself: it asks for nothing on the network and needs no server.  What it says is
the record of `tinygrad_bp.steps`; what it recalculates, it does by the rows of the table, which
`viz.javascript` translates.  This module writes the data and puts the page together; how it looks and
what it does is in ``viz/page``.
"""

from __future__ import annotations

import html
import json
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from tinygrad_bp import ArgumentError, DrawingError, StaleGraphError, TooManyPathsError, Value
from tinygrad_bp.engine.differentiate import still_gives
from tinygrad_bp.engine.tape import Tape
from tinygrad_bp.engine.value import data_of
from tinygrad_bp.explain.escaping import for_html
from tinygrad_bp.explain.naive import naive_of
from tinygrad_bp.explain.steps import show, steps_of
from tinygrad_bp.files import write_atomically
from tinygrad_bp.network.network import Run, recorded_tape
from tinygrad_bp.numbers.text import format_number
from tinygrad_bp.quoting import quoted
from tinygrad_bp.table.notation import call, infix
from viz.javascript import keys, obstacle, source
from viz.labels import LINE, operation, shown

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from typing import Any

    from tinygrad_bp.explain.steps import Steps
    from tinygrad_bp.numbers.kernels import Number
    from tinygrad_bp.table.rules import Rule

MAX_SIZE = 60_000
"""So many nodes and edges a page recalculates while a leaf is dragged."""

NAIVE_STEPS = 3000
"""A longer pass without an order is not replayed."""

HEIGHT = 860
"""Of the page in a notebook, in pixels."""

_SCRIPTS = ("pass.js", "network.js", "layout.js", "drawing.js", "panels.js", "page.js")
"""The page's own code, in the order in which one needs the other."""


class Explorer:
    """A page: show it in a notebook by itself, or `save` it.

    Attributes:
        html: the whole page.
    """

    def __init__(self, page: str, what: str) -> None:
        self.html = page
        self._what = what

    def save(self, file: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the page whole or not at all.

        Raises:
            DrawingError: the suffix is not ``.html``.
            FileExistsError: the file exists and ``overwrite`` is false.
            OSError: the folder is missing or cannot be written.
        """
        if Path(file).suffix.lower() not in (".html", ".htm"):
            raise DrawingError(
                f"cannot write {quoted(str(file))}: the explorer is a page, use .html"
            )
        write_atomically(file, self.html, overwrite=overwrite)

    def _repr_html_(self) -> str:
        """The page in a frame of its own, so that neither it nor the notebook disturbs the other."""
        return (
            f'<iframe title="Explorer of {for_html(self._what, LINE)}" sandbox="allow-scripts" '
            f'width="100%" height="{HEIGHT}" srcdoc="{html.escape(self.html)}"></iframe>'
        )

    def __repr__(self) -> str:
        return f"<Explorer of {self._what}: {len(self.html.encode()) / 1000:.0f} kB>"


def explore(
    what: Value | Run,
    file: str | os.PathLike[str] | None = None,
    *,
    weight: Sequence[int] | None = None,
    title: str = "",
    overwrite: bool = False,
) -> Explorer:
    """A page in which the pass is stepped through, forward and back, and any leaf can be changed.

    Every step shows its product written out and the sum it adds to, path by path.  Of a run of a
    network a weight is chosen, and its gradient stands there term by term, the formula with its
    brackets and the edges that contribute.  A changed leaf recalculates everything at once, in
    floats, whatever the number type of the recording.

    Args:
        what: a Value, or a run of a network with a target; neither needs a backward pass.
        file: where to write the page, ``.html``; left out, it is only returned, and shows itself in
            a notebook.
        weight: of a run, the weight ``(i, j, k)`` or the bias ``(i, j)`` to begin with.
        title: what the page is called.
        overwrite: whether an existing file may be replaced.

    Raises:
        DrawingError: the graph is too large, is of symbols, a part of the network does not reach the
            error, or the suffix is not ``.html``.
        FileExistsError: the file exists and ``overwrite`` is false.
        IndexError: the network has no such weight.
        NetworkError: the run has no target.
        OSError: the file cannot be written.
        StaleGraphError: leaves have been given other data since the graph was recorded.
        ArgumentError: ``what`` is neither a Value nor a run.

    >>> w, x = Value(0.5, label="w"), Value(2.0, label="x")
    >>> explore((w * x) ** 2).html[:15]
    '<!DOCTYPE html>'
    """
    if isinstance(what, Run):
        tape = recorded_tape(what)
    elif isinstance(what, Value):
        tape = Tape.from_result(what)
        if weight is not None:
            raise ArgumentError("weight= is for a run of a network")
    else:
        raise ArgumentError(
            f"explore takes a Value or a run of a network, net.forward(x, t), not {type(what).__name__} "
            f"{what!r:.60}"
        )
    operands, constants = tape.operands()
    size = len(operands) + sum(map(len, operands))
    if size > MAX_SIZE:
        raise DrawingError(
            f"the graph has {len(operands)} nodes and {size - len(operands)} operands, more than a page "
            f"recalculates at once ({MAX_SIZE} in all): explore an inner node, or a smaller network"
        )
    if isinstance(what, Run):
        tape = replace(tape, names=_names(what, tape))
    numbers = [*tape.data, *constants]
    _check_fresh(tape, operands, numbers)
    data = _data(tape, operands, numbers)
    if isinstance(what, Run):
        try:
            data["network"] = _network(what, tape, tuple(weight or (1, 1, 1)))
        except KeyError as error:
            raise DrawingError(
                f"{error.args[0]!r:.60} does not reach the error, as an activation does not depend on "
                "its operand: explore run.e, which is drawn as a graph"
            ) from None
    named = shown(title, LINE) or (
        f"Network {'-'.join(map(str, what.network.sizes))}"
        if isinstance(what, Run)
        else f"The gradient of {shown(tape.names[tape.e])}"
    )
    page = Explorer(_page(named, data, [node.rule for node in tape.nodes if node.rule]), named)
    if file is not None:
        page.save(file, overwrite=overwrite)
    return page


# ---- the data


def _names(run: Run, tape: Tape) -> dict[Value, str]:
    """The names of the nodes; those of the net inputs and weighted sums say whose they are."""
    named = dict(tape.names)
    for i, size in enumerate(run.network.sizes[1:], 1):
        for j in range(1, size + 1):
            z = run.z(i, j)
            for node, name in ((z, "z"), (z.parents[0], "Σwo")):
                if not node.label:
                    named[node] = f"{name}[{i}][{j}]"
    return named


def _data(
    tape: Tape, operands: Sequence[tuple[int, ...]], numbers: Sequence[Number]
) -> dict[str, Any]:
    """The graph and the schedule of its passes, as the page's ``pass.js`` describes them."""
    rules = keys(node.rule for node in tape.nodes if node.rule)
    nodes = [
        {
            "name": shown(tape.names[node]),
            "row": rules[node.rule] if node.rule else "",
            "shown": shown(operation(node)),
            "operands": [
                each
                if each >= 0
                else {"number": _float(numbers[each]), "text": shown(show(numbers[each]))}
                for each in row
            ],
            "data": _float(number),
            "locals": [_float(each) for each in node.local_derivatives],
        }
        for node, row, number in zip(tape.nodes, operands, tape.data, strict=True)
    ]
    obstacles = [text for text in map(obstacle, rules) if text]
    record = steps_of(tape)
    data: dict[str, Any] = {
        "nodes": nodes,
        "rows": {key: _row(rule) for rule, key in rules.items()},
        "schedule": _schedule(tape, record),
        "naive": _naive(tape, record),
        "notes": _notes(tape),
        "network": None,
    }
    if obstacles:
        data["fixed"] = shown(f"No leaf can be changed here: {obstacles[0]}", 300)
    return data


def _row(rule: Rule) -> dict[str, Any]:
    name = shown(rule.symbol if rule.infix else rule.name)
    form = infix(name) if rule.infix else call(name, rule.arity)
    return {
        "name": name,
        "pieces": form.pieces,
        "enclosed": form.enclosed[0],
        "variadic": rule.variadic,
        "arity": rule.arity,
        "needs": shown(rule.condition, LINE),
    }


def _schedule(tape: Tape, record: Steps) -> list[tuple[Any, ...]]:
    return [(step.kind, tape.places[step.node], step.slot) for step in record]


def _naive(tape: Tape, record: Steps) -> dict[str, Any]:
    try:
        return {"schedule": _schedule(tape, naive_of(tape, NAIVE_STEPS))}
    except TooManyPathsError:
        return {
            "schedule": None,
            "refused": f"Here it takes more than {NAIVE_STEPS} steps, as it goes down every path "
            f"again, and is not replayed; in order it takes {record.edges}.",
        }


def _notes(tape: Tape) -> list[str]:
    """What a reader should know about the numbers."""
    numbers = [*map(data_of, tape.nodes), *tape.edges.locals]
    kinds = {
        type(each).__name__
        for each in numbers
        if not (isinstance(each, float) or (isinstance(each, int) and _float(each) == each))
    }
    return [
        f"Recorded with numbers of type {shown(kind)}: this page shows and recalculates them as floats."
        for kind in sorted(kinds)
    ]


def _network(run: Run, tape: Tape, weight: tuple[int, ...]) -> dict[str, Any]:
    """Where the network's nodes and leaves are in the graph."""
    i, j, *k = weight
    net = run.network
    run.network.check_indices(i, j, *k)
    run.largest_terms(i, j, k[0] if k else None, 1)  # refuses an input made from the weights
    places, sizes = tape.places, net.sizes

    def layers(of: Any) -> list[list[int]]:
        return [
            [places[of(i, j)] for j in range(1, size + 1)] for i, size in enumerate(sizes[1:], 1)
        ]

    return {
        "sizes": sizes,
        "x": [places[run.x(k)] for k in range(1, sizes[0] + 1)],
        "t": [places[run.t(j)] for j in range(1, sizes[-1] + 1)],
        "w": [
            [[places[net.w(i, j, k)] for k in range(1, below + 1)] for j in range(1, size + 1)]
            for i, (below, size) in enumerate(pairwise(sizes), 1)
        ],
        "b": layers(net.b),
        "z": layers(run.z),
        "o": layers(run.o),
        "target": {"i": i, "j": j, "k": k[0] if k else 0},
    }


def _check_fresh(
    tape: Tape, operands: Sequence[tuple[int, ...]], numbers: Sequence[Number]
) -> None:
    """Refuse a graph whose leaves have moved: what they were when it was recorded is not known."""
    for node, row in zip(tape.nodes, operands, strict=True):
        if not still_gives(node, [numbers[each] for each in row]):
            raise StaleGraphError(
                f"{shown(tape.names[node])} was recorded from other data than its leaves have now: "
                "record it again, and explore that"
            )


def _float(number: Number) -> float | str:
    """The number as JSON has it; inf and nan, which it has not, as JavaScript writes them."""
    try:
        found = float(number)
    except OverflowError:
        raise DrawingError(
            f"{format_number(number):.60} is too large for a float: the page calculates with floats"
        ) from None
    except TypeError:
        raise DrawingError(
            f"{format_number(number):.60} is a symbol: the page recalculates numbers"
        ) from None
    if found != found:  # noqa: PLR0124
        return "NaN"
    return found if abs(found) != float("inf") else str(found).replace("inf", "Infinity")


# ---- the page


def _page(title: str, data: Mapping[str, Any], rules: Sequence[Rule]) -> str:
    def read(name: str) -> str:
        return files("viz").joinpath("page", name).read_text(encoding="utf-8")

    engine = source(rule for rule in rules if not obstacle(rule))
    code = "\n".join(['"use strict";', engine, *map(read, _SCRIPTS)])
    script = f"(() => {{\n{code}\n}})();"
    style = read("page.css")
    # Within a script nothing but `<` can end it or begin a comment.
    graph = json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", r"\u003c")
    return Template(read("page.html")).substitute(
        title=for_html(title, LINE),
        style=style,
        script=script,
        graph=graph,
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def _hash(text: str) -> str:
    """What the page's policy knows a script or a style by."""
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
