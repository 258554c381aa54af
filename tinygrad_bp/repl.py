"""The REPL: a Python session with an expression or a network in it, and one verb for each question.

A verb answers with text that shows itself at the prompt, or writes a file and says which.  Part of the
front door: what it tells is found out by the rooms behind it.
"""

from __future__ import annotations

import code
import keyword
import re
import sys
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len

import tinygrad_bp
from tinygrad_bp.derivation import derivation
from tinygrad_bp.errors import ArgumentError, BackpropError, ExpressionError
from tinygrad_bp.expressions import statements
from tinygrad_bp.graph import names, topological_order
from tinygrad_bp.network import Run
from tinygrad_bp.operations import apply, apply_lists, arguments_of
from tinygrad_bp.paths import largest_paths, path_sum
from tinygrad_bp.stepper import branches, row_name, spelled
from tinygrad_bp.stepper import tree as rows_of
from tinygrad_bp.steps import order as turns_of
from tinygrad_bp.steps import steps as record_of
from tinygrad_bp.testing.gradcheck import Report, gradcheck
from tinygrad_bp.text import format_number, takes_signs
from tinygrad_bp.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from tinygrad_bp.kernels import Number

__all__ = ["check", "draw", "explore", "order", "steps", "terms", "tree", "why"]

LIMIT = 200
"""So many lines a verb answers with at most; it says how many there are."""

CHECKED = 50
"""So many leaves `check` moves unasked."""


class Shown(str):
    """A text that shows itself as it is at a prompt, spelled out where a terminal has no UTF-8."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self) if takes_signs(sys.stdout) else spelled(self)


# ---- the verbs


def draw(what: Value | Run, *weight: int, file: str = "") -> Shown:
    """Write a picture of the graph; of a run, of the network, with the paths of one weight if it is named.

    Args:
        what: a result, or a run of a network with a target.
        *weight: ``i, j, k`` of a weight or ``i, j`` of a bias, of a run.
        file: where to write; by default an ``.svg`` with a name that is still free.

    Returns:
        Which file was written.
    """
    import viz

    if isinstance(what, Run) and weight:
        picture = viz.network(what, weight=weight)
    else:
        picture = viz.draw(_result(what), fold=what if isinstance(what, Run) else None)
    file = file or _free_name(what, ".svg")
    viz.save(picture, file)
    return Shown(f"wrote {file}")


def explore(what: Value | Run, *weight: int, file: str = "") -> Shown:
    """Write a page to step through the pass in a browser, and to change leaves.

    Args:
        what: a result, or a run of a network with a target.
        *weight: of a run, the weight or bias to begin with.
        file: where to write; by default an ``.html`` with a name that is still free.

    Returns:
        Which file was written.
    """
    import viz

    file = file or _free_name(what, ".html")
    viz.explore(what, file, weight=weight or None)
    return Shown(f"wrote {file}")


def tree(what: Value | Run) -> Shown:
    """The graph as a tree: each node with its number and gradient, each edge with its local derivative.

    >>> x = Value(3.0, "x")
    >>> y = x * x
    >>> y.backward()
    >>> print(tree(y))
    node              data  grad  local
    e = x * x            9     1
    ├─ x                 3     6      3
    └─ x (see above)                  3
    """
    e = _result(what)
    named = _names(e)
    rows = rows_of(e)
    table = [("node", "data", "grad", "local")]
    for row in rows[:LIMIT]:
        node = row.node
        numbers = ("", "") if row.again else (format_number(node.data), format_number(node.grad))
        local = rows[row.above].node.local_derivatives[row.slot] if row.above >= 0 else None
        told = branches(rows, row) + row_name(row, named)
        table.append((told, *numbers, "" if local is None else format_number(local)))
    left, *widths = (max(map(cell_len, column)) for column in zip(*table, strict=True))
    lines = []
    for name, *cells in table:
        padded = [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]
        lines.append("  ".join([name + " " * (left - cell_len(name)), *padded]).rstrip())
    return Shown("\n".join(lines + _more(len(rows), "rows")))


def steps(what: Value | Run) -> Shown:
    """The pass, forward and back, one line for each step.

    >>> x = Value(3.0, "x")
    >>> print(steps(x * x))
    e = x * x = 3.0 * 3.0 = 9.0
    e.grad = 1.0
    x.grad: 0 + (1.0 × 3.0) = 3.0
    x.grad: 3.0 + (1.0 × 3.0) = 6.0
    """
    e = _result(what)
    record = record_of(e, named=_names(e))
    lines = [step.text() for step in islice(record, LIMIT)]
    return Shown("\n".join(lines + _more(len(record), "steps")))


def order(what: Value | Run) -> Shown:
    """The order in which nodes pass their gradients on, and what each had to wait for.

    >>> a = Value(1.0, "a")
    >>> b = a + a
    >>> print(order(b * a))
    1  e
    2  v1  waits for e
    3  a   waits for e, v1
    """
    e = _result(what)
    named = _names(e)
    turns = turns_of(e)
    left = max(cell_len(named[turn.node]) for turn in turns[:LIMIT])
    lines = []
    for place, (node, waited) in enumerate(turns[:LIMIT], 1):
        name = named[node]
        told = f"  waits for {', '.join(named[each] for each in waited)}" if waited else ""
        number = str(place).rjust(len(str(min(len(turns), LIMIT))))
        lines.append(f"{number}  {name}{' ' * (left - cell_len(name))}{told}".rstrip())
    return Shown("\n".join(lines + _more(len(turns), "nodes")))


def why(what: Value | Run, *by: Value | int) -> Shown:
    """Why a gradient is that number: the formula, the same with numbers, the terms, a second opinion.

    Args:
        what: a result, or a run of a network with a target.
        *by: for which node; of a run ``i, j, k`` of a weight or ``i, j`` of a bias will do.
    """
    if isinstance(what, Value):
        return Shown(derivation(what, *by, named=_names(what)).to_text())
    return Shown(derivation(what, *by).to_text())


def terms(what: Value | Run, *by: Value | int, n: int = 20) -> Shown:
    """The gradient as its list of path terms, the largest first.

    Args:
        what: a result, or a run of a network with a target.
        *by: for which node; of a run ``i, j, k`` of a weight or ``i, j`` of a bias will do.
        n: how many terms; that there are more is said.

    >>> x = Value(3.0, "x")
    >>> print(terms(x * x - 5.0 * x, x))
    3 paths; total 1, gross 11: 91% cancels
    -5 = -1 · 5  e → v2 → x
    +3 = 1 · 3   e → v1 → x
    +3 = 1 · 3   e → v1 → x
    """
    if isinstance(what, Run) and not any(isinstance(each, Value) for each in by):
        return _network_terms(what, by, n)  # type: ignore[arg-type]
    e = _result(what)
    if len(by) != 1 or not isinstance(by[0], Value):
        raise ArgumentError("terms(e, w) takes a result and one node that it was made of")
    named = _names(e)
    found = largest_paths(e, by[0], n)
    rows = [
        (
            f"{_signed(path.product)} = {_factors(path.local_derivatives)}",
            " → ".join(named[node] for node in path.nodes),
        )
        for path in found
    ]
    total = path_sum(e, by[0])
    return Shown("\n".join([str(total), *_two_columns(rows), *_rest(total.count, len(rows))]))


def _network_terms(run: Run, by: tuple[int, ...], n: int) -> Shown:
    if len(by) not in (2, 3):
        raise ArgumentError("terms(run, i, j, k) takes the indices of a weight, or i, j of a bias")
    largest = run.largest_terms(by[0], by[1], by[2] if len(by) == 3 else None, n)
    rows = [
        (f"{_signed(term.value)} = {_factors(term.factors)}", str(term.indices).replace(",)", ")"))
        for term in largest.terms
    ]
    heading = f"{largest.count} terms; total {format_number(largest.total)}"
    return Shown("\n".join([heading, *_two_columns(rows), *_rest(largest.count, len(rows))]))


def check(what: Value | Run | Callable[..., Any], *rest: Value | Number) -> Report:
    """Hold the gradient to the values of the function, as `gradcheck` does.

    Args:
        what: a result or a run, whose leaves are moved; or a function.
        *rest: the leaves to move, by default all; of a function, the point.

    Raises:
        GradientError: the two differ.

    >>> x = Value(3.0, "x")
    >>> check(x * x).verdict
    'agrees'
    >>> check(lambda x: x**3, 2.0).verdict
    'agrees'
    """
    if not isinstance(what, (Value, Run)):
        return gradcheck(what, *rest)
    e = _result(what)
    nodes = topological_order(e)
    leaves = [*rest] or [node for node in nodes if node.rule is None]
    if not rest and len(leaves) > CHECKED:
        raise ArgumentError(f"there are {len(leaves)} leaves: say which, as check(e, w, b)")
    missing = [leaf for leaf in leaves if leaf not in nodes]
    if missing:
        raise ArgumentError(f"the result was not made of {missing[0]!r:.160}")

    def again(*numbers: Any) -> Any:
        made: dict[Any, Any] = dict(zip(leaves, numbers, strict=True))
        for node in nodes:
            if node in made:
                continue
            if node.rule is None:
                made[node] = node.data
                continue
            operands = [made[each] if isinstance(each, Value) else each for each in node.operands]
            given = arguments_of(node.rule, operands)
            made[node] = (
                apply_lists(node.rule, *map(tuple, given))
                if node.rule.variadic
                else apply(node.rule, *given)
            )
        return made[e]

    named = _names(e)
    again.__name__ = named[e]
    report = gradcheck(again, *[leaf.data for leaf in leaves])
    rows = [
        row._replace(argument=named[leaf]) for row, leaf in zip(report.rows, leaves, strict=True)
    ]
    return Report(report.name, tuple(rows))


# ---- what the verbs share


def _result(what: Value | Run) -> Value:
    if isinstance(what, Run):
        return what.e
    if not isinstance(what, Value):
        raise ArgumentError(f"it takes a result or a run of a network, not {what!r:.60}")
    return what


def _names(e: Value) -> Mapping[Value, str]:
    return names(topological_order(e), root="e")


def _free_name(what: Value | Run, suffix: str) -> str:
    """A name for a file, after the variable, that no file has yet."""
    named = "network" if isinstance(what, Run) else names([_result(what)], root="e")[what]
    base = named if named.isidentifier() and named.isascii() else "graph"
    tries = (f"{base}{n}{suffix}" for n in ("", *(f"-{count}" for count in range(2, 10_000))))
    return next(name for name in tries if not Path(name).exists())


def _signed(number: Number) -> str:
    text = format_number(number)
    return text if text.startswith("-") else f"+{text}"


def _factors(factors: Iterable[Number]) -> str:
    return (
        " · ".join(
            f"({text})" if text.startswith("-") and place else text
            for place, text in enumerate(map(format_number, factors))
        )
        or "1"
    )


def _two_columns(rows: list[tuple[str, str]]) -> list[str]:
    left = max((cell_len(first) for first, _ in rows), default=0)
    return [f"{first}{' ' * (left - cell_len(first))}  {second}" for first, second in rows]


def _rest(count: int, shown: int) -> list[str]:
    return [f"... and {count - shown} more"] if count > shown else []


def _more(count: int, what: str) -> list[str]:
    return [f"... {count} {what} in all"] if count > LIMIT else []


# ---- the session


class _Console(code.InteractiveConsole):
    """Python's prompt; of our own errors it shows the message alone."""

    def showtraceback(self) -> None:
        """The error in one line, if it is one of ours, which say what to do."""
        error = sys.exc_info()[1]
        if isinstance(error, BackpropError):
            self.write(f"{type(error).__name__}: {error}\n")
        else:
            super().showtraceback()


_QUESTIONS = (
    (("draw({e})", "the graph as a picture"), ("tree({e})", "the same as text")),
    (("steps({e})", "the pass, step by step"), ("order({e})", "what each node waits for")),
    (("why({w})", "the gradient, written out"), ("terms({w})", "its path terms")),
    (("check({e})", "against differences"), ("explore({e})", "a page to step through")),
)
_IMPORTS = ("from tinygrad_bp import *", "from tinygrad_bp.repl import *")
_SPREAD = {"fsum", "logsumexp", "max", "min", "pow"}
"""What an expression calls otherwise than Python does."""


class Session(NamedTuple):
    """What a session begins with.

    Attributes:
        lines: statements that are run first.
        e: what they call the result, or the run.
        w: the arguments that ask for one gradient.
    """

    lines: tuple[str, ...]
    e: str
    w: str


def expression_session(text: str, leaves: Mapping[str, Value], root: str) -> Session:
    """The statements that record an expression.

    Args:
        text: the expression, which may name its parts.
        leaves: a leaf for each of its names.
        root: what to call the result, if the expression has no name for it.

    Raises:
        ExpressionError: a name would hide one of Python's words, or of what the session is for.

    >>> expression_session("b = a * a; b + b", {"a": Value(2.0)}, "e").lines[2:]
    ('a = Value(2.0, "a")', 'b = a * a', 'e = b + b', 'e.backward()')
    """
    parts = statements(text)
    taken = [*leaves, *(name for name, _ in parts if name)]
    for name in taken:
        if keyword.iskeyword(name) or name in {*__all__, *tinygrad_bp.__all__}:
            raise ExpressionError(
                f"{name} has a meaning of its own in the session: choose another name"
            )
    words = set(re.findall(r"[^\W\d]\w*", text))
    numbers = [leaf.data for leaf in leaves.values()]
    lines = [*_IMPORTS]
    lines += ["from math import pi"] * ("pi" in words - leaves.keys())
    lines += ["from fractions import Fraction"] * any(not isinstance(x, float) for x in numbers)
    lines += [f'{name} = Value({leaf.data!r}, "{name}")' for name, leaf in leaves.items()]
    e = parts[-1][0] or root
    if words & _SPREAD:
        lines.append("from tinygrad_bp.expressions import record_expression")
        operands = ", ".join(f'"{name}": {name}' for name in leaves)
        lines.append(f"{e} = record_expression({text!r}, {{{operands}}})")
    else:
        lines += [f"{name or e} = {part}" for name, part in parts]
    return Session((*lines, f"{e}.backward()"), e, f"{e}, {next(iter(leaves))}")


def network_session(file: str, x: Sequence[Number], t: Sequence[Number]) -> Session:
    """The statements that run a saved network.

    >>> network_session("net.json", [0.5], [1.0]).lines[2:]
    ("net = Network.load('net.json')", 'run = net.forward([0.5], [1.0])', 'run.e.backward()')
    """
    exact = any(not isinstance(number, float) for number in (*x, *t))
    lines = ["from fractions import Fraction"] * exact
    lines += [f"net = Network.load({file!r})", f"run = net.forward({[*x]}, {[*t]})"]
    return Session((*_IMPORTS, *lines, "run.e.backward()"), "run", "run, 1, 1, 1")


def start(session: Session, *, ipython: bool = True) -> None:
    """Run the statements, show them, and leave the rest to a person.

    Args:
        session: what to begin with.
        ipython: whether to use IPython, if it is installed and there is a terminal.
    """
    main = ModuleType("__main__")  # names are looked up there, and none of this program's are in it
    before, sys.modules["__main__"] = sys.modules["__main__"], main
    try:
        for line in session.lines:
            # An expression was parsed before, and has nothing in it but the table's notation.
            exec(compile(line, "<repl>", "exec"), vars(main))  # noqa: S102
        told = [*(f">>> {line}" for line in session.lines), "", *_questions(session)]
        print(repr(Shown("\n".join(told))), flush=True)
        if not (ipython and sys.stdin.isatty() and _ipython(vars(main))):
            _complete(vars(main))
            _Console(vars(main)).interact(banner="", exitmsg="")
    finally:
        sys.modules["__main__"] = before


def _questions(session: Session) -> list[str]:
    asked = [
        [(call.format(e=session.e, w=session.w), what) for call, what in row] for row in _QUESTIONS
    ]
    left, right = (max(len(call) for call, _ in column) for column in zip(*asked, strict=True))
    return [
        f"{f'{one:{left}}  {what}':{left + 29}}{other:{right}}  {same}"
        for (one, what), (other, same) in asked
    ]


def _ipython(namespace: dict[str, Any]) -> bool:
    """Hand over to IPython; false if it is not installed."""
    try:
        import IPython
    except ImportError:
        return False
    IPython.start_ipython(argv=["--no-banner", "--no-confirm-exit"], user_ns=namespace)
    return True


def _complete(namespace: dict[str, Any]) -> None:
    """Complete names with the tabulator, where Python has a line editor."""
    try:
        import readline
        import rlcompleter
    except ImportError:
        return
    readline.set_completer(rlcompleter.Completer(namespace).complete)
    readline.parse_and_bind("tab: complete")
