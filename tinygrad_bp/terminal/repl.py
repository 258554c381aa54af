"""The REPL: a Python session with an expression or a network in it, and one verb for each question.

A verb answers with text that shows itself at the prompt, or writes a file and says which.  So ``steps``
and ``order`` are texts here, and records in `tinygrad_bp`.  What a verb tells is
found out by the modules behind it.
"""

from __future__ import annotations

import builtins
import code
import keyword
import math
import os
import re
import sys
import traceback
from dataclasses import replace
from itertools import chain, count, islice
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len

import tinygrad_bp
from tinygrad_bp.engine.differentiate import check_fresh
from tinygrad_bp.engine.graph import topological_order
from tinygrad_bp.engine.names import names
from tinygrad_bp.engine.tape import Tape
from tinygrad_bp.engine.value import Value
from tinygrad_bp.errors import ArgumentError, BackpropError, ExpressionError, GradientError
from tinygrad_bp.explain.differences import Estimate
from tinygrad_bp.explain.paths import largest_paths, path_sum
from tinygrad_bp.explain.steps import order as turns_of
from tinygrad_bp.explain.steps import steps_of
from tinygrad_bp.network.derivation import derivation, derivation_of
from tinygrad_bp.network.network import Run
from tinygrad_bp.numbers.text import format_number, takes_signs
from tinygrad_bp.quoting import MESSAGE, first_few, quoted, shortened, visible
from tinygrad_bp.terminal.expressions import record_expression, statements
from tinygrad_bp.terminal.stepper import branches, row_name, spelled
from tinygrad_bp.terminal.stepper import tree as rows_of
from tinygrad_bp.testing.gradcheck import (
    Check,
    Report,
    gradcheck,
    or_zero,
    verdict_of,
    with_rounding,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from tinygrad_bp.numbers.kernels import Number

__all__ = ["check", "draw", "explore", "order", "steps", "terms", "tree", "why"]

LIMIT = 200
"""So many lines a verb answers with at most; it says how many there are."""

CHECKED = 50
"""So many leaves `check` moves unasked."""

_DEEP = 30  # so many levels of a tree are drawn, and below them only the level is told
_LONG = 10  # so many factors, or nodes of a path, are shown
_WIDE = 24  # characters of a number
_LONGEST_LINE = 1_000_000  # characters that are read from what is no terminal


class Shown(str):
    """A text that shows itself as it is at a prompt, spelled out where a terminal has no UTF-8."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self) if takes_signs(sys.stdout) else spelled(self)


# ---- the verbs


def draw(what: Value | Run, *by: Value | int, file: str = "", overwrite: bool = False) -> Shown:
    """Write a picture of the graph; of a run, of the network, with the paths of one weight if it is named.

    Args:
        what: a result, or a run of a network with a target.
        *by: of a run, ``i, j, k`` of a weight, ``i, j`` of a bias, or one of these leaves.
        file: where to write; by default an ``.svg`` with a name that is still free.
        overwrite: whether an existing file may be replaced.

    Returns:
        Which file was written.
    """
    import viz

    if by:
        picture = viz.network(_run("draw", what), weight=_place("draw", by))
    else:
        picture = viz.draw(_result("draw", what), fold=what if isinstance(what, Run) else None)
    file = file or _free_name(what, ".svg")
    viz.save(picture, file, overwrite=overwrite)
    return Shown(visible(f"wrote {file}"))


def explore(what: Value | Run, *by: Value | int, file: str = "", overwrite: bool = False) -> Shown:
    """Write a page to step through the pass in a browser, and to change leaves.

    Args:
        what: a result, or a run of a network with a target.
        *by: of a run, the weight or bias to begin with, as for `draw`.
        file: where to write; by default an ``.html`` with a name that is still free.
        overwrite: whether an existing file may be replaced.

    Returns:
        Which file was written.
    """
    import viz

    _result("explore", what)
    run = _run("explore", what) if by else what
    file = file or _free_name(what, ".html")
    viz.explore(run, file, weight=_place("explore", by) if by else None, overwrite=overwrite)
    return Shown(visible(f"wrote {file}"))


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
    e = _result("tree", what)
    named = _tape(e).names
    rows = rows_of(e)
    table = [("node", "data", "grad", "local")]
    for row in rows[:LIMIT]:
        node = row.node
        numbers = ("", "") if row.again else (_short(node.data), _short(node.grad))
        local = rows[row.above].node.local_derivatives[row.slot] if row.above >= 0 else None
        above = branches(rows, row) if row.depth <= _DEEP else f"[level {row.depth}] "
        table.append(
            (
                above + visible(row_name(row, named)),
                *numbers,
                "" if local is None else _short(local),
            )
        )
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
    record = steps_of(_tape(_result("steps", what)))
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
    e = _result("order", what)
    named = _tape(e).names
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
    if isinstance(what, Run) and by:
        return Shown(derivation(what, *by).to_text())
    tape = _tape(_result("why", what))
    return Shown(derivation_of(tape, _node("why", tape, by)).to_text())


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
        return _network_terms(what, _place("terms", by), n)
    e = _result("terms", what)
    tape = _tape(e)
    w, named = _node("terms", tape, by), tape.names
    rows = [
        (
            f"{_signed(path.product)} = {_factors(path.local_derivatives)}",
            " → ".join(_elided([named[node] for node in path.nodes])),
        )
        for path in largest_paths(e, w, n)
    ]
    total = path_sum(e, w)
    return Shown(
        "\n".join([_clipped(str(total)), *_two_columns(rows), *_rest(total.count, len(rows))])
    )


def _network_terms(run: Run, place: tuple[int, ...], n: int) -> Shown:
    largest = run.largest_terms(place[0], place[1], place[2] if len(place) == 3 else None, n)
    rows = [
        (f"{_signed(term.value)} = {_factors(term.factors)}", str(term.indices).replace(",)", ")"))
        for term in largest.terms
    ]
    heading = f"{largest.count} terms; total {_short(largest.total)}"
    return Shown("\n".join([heading, *_two_columns(rows), *_rest(largest.count, len(rows))]))


def check(what: Value | Run | Callable[..., Any], *rest: Value | Number) -> Report:
    """Hold a gradient to the values of what was recorded, or of a function as `gradcheck` does.

    Args:
        what: a result or a run, whose leaves are moved; or a function.
        *rest: for which nodes, by default all leaves; of a run the indices of a weight will do; of a
            function, the point.

    Raises:
        GradientError: the two differ.
        StaleGraphError: leaves have been given other data since.

    >>> x = Value(3.0, "x")
    >>> check(x * x).verdict
    'agrees'
    >>> check(lambda x: x**3, 2.0).verdict
    'agrees'
    """
    if callable(what) and not isinstance(what, (Value, Run)):
        return gradcheck(what, *rest)
    tape = _tape(_result("check", what))
    named = tape.names
    if isinstance(what, Run) and rest and not any(isinstance(each, Value) for each in rest):
        i, j, *k = _place("check", rest)
        rest = ((what.network.w(i, j, *k) if k else what.network.b(i, j)),)
    wrt = [*dict.fromkeys(rest)] or [node for node in named if node.rule is None]
    if len(wrt) > CHECKED and not rest:
        raise ArgumentError(f"there are {len(wrt)} leaves: say which, as check(e, w, b)")
    wrt = [_node("check", tape, (each,)) for each in wrt]
    if isinstance(what, Value):
        for node, name in named.items():
            check_fresh(node, name)
    rows = [_check(what, tape, w) for w in wrt]
    report = Report(named[tape.e], tuple(rows))
    if report.verdict == "differs":
        row = next(row for row in rows if row.verdict == "differs")
        raise GradientError(
            f"the derivative of {report.name} for {row.argument} is given as {row.given!r}, but by "
            f"differences it is {row.estimate!r} ± {row.error:.1g}",
            report,
        )
    return report


def _check(what: Value | Run, tape: Tape, w: Value) -> Check:
    is_run = isinstance(what, Run)
    derived = derivation(what, w, terms=1) if is_run else derivation_of(tape, w, terms=1)
    estimate = with_rounding(or_zero(derived.estimate or Estimate(math.nan, math.inf)))
    given = float(derived.gradient)
    about = 0, tape.names[w], w.data, derived.gradient
    return Check(*about, *estimate, method="differences", verdict=verdict_of(given, estimate))


# ---- what the verbs share


def _result(verb: str, what: Value | Run) -> Value:
    if isinstance(what, Run):
        return what.e
    if not isinstance(what, Value):
        raise ArgumentError(f"{verb} takes a result or a run of a network, not {quoted(what)}")
    return what


def _run(verb: str, what: Value | Run) -> Run:
    if not isinstance(what, Run):
        raise ArgumentError(f"{verb} of a result takes nothing more; a run takes a weight, i, j, k")
    return what


def _node(verb: str, tape: Tape, by: Sequence[Any]) -> Value:
    """The one node that a verb was asked about, which the result was made of."""
    if len(by) != 1 or not isinstance(by[0], Value):
        given = ", ".join(f"{quoted(each)}" for each in by) or "nothing"
        raise ArgumentError(
            f"{verb}(e, w) takes a result and a node that it was made of, not {given}"
        )
    if by[0] not in tape.places:
        known = first_few(tape.names[leaf] for leaf in tape.nodes if leaf.rule is None)
        raise ArgumentError(
            f"{quoted(by[0], 160)} is none of what it was made of; its leaves are {known}"
        )
    return by[0]


def _place(verb: str, by: Sequence[Any]) -> tuple[int, ...]:
    """The indices of a weight or a bias, which may be given as the leaf itself."""
    if len(by) == 1 and isinstance(by[0], Value) and re.fullmatch(r"[wb]\[[\d,\[\]]+", by[0].label):
        return tuple(map(int, re.findall(r"\d+", by[0].label)))
    if len(by) not in (2, 3) or not all(type(each) is int for each in by):
        given = ", ".join(f"{quoted(each)}" for each in by) or "nothing"
        raise ArgumentError(
            f"{verb} of a run takes i, j, k of a weight, i, j of a bias, or that leaf, not {given}"
        )
    return tuple(by)


def _tape(e: Value) -> Tape:
    tape = Tape.from_result(e)
    return replace(tape, names={node: visible(name) for node, name in tape.names.items()})


def _free_name(what: Value | Run, suffix: str) -> str:
    """A name for a file, after the variable, that no file has yet."""
    named = "network" if isinstance(what, Run) else names([what], root="e")[what]
    base = named if named.isidentifier() and named.isascii() and len(named) < 60 else "graph"
    tries = chain([f"{base}{suffix}"], (f"{base}-{n}{suffix}" for n in count(2)))
    return next(name for name in tries if not os.path.lexists(name))


def _short(number: Number) -> str:
    text = format_number(number)
    return text if len(text) <= _WIDE else f"{text[: _WIDE - 3]}..."


def _clipped(line: str) -> str:
    return shortened(line, 200)


def _elided(shown: list[str]) -> list[str]:
    half = _LONG // 2
    return shown if len(shown) <= _LONG else [*shown[:half], "...", *shown[-half:]]


def _signed(number: Number) -> str:
    text = _short(number)
    return text if text.startswith("-") else f"+{text}"


def _factors(factors: Iterable[Number]) -> str:
    shown = [
        f"({text})" if text.startswith("-") and place else text
        for place, text in enumerate(map(_short, factors))
    ]
    return " · ".join(_elided(shown)) or "1"


def _two_columns(rows: list[tuple[str, str]]) -> list[str]:
    left = max((cell_len(first) for first, _ in rows), default=0)
    return [f"{first}{' ' * (left - cell_len(first))}  {second}" for first, second in rows]


def _rest(count: int, shown: int) -> list[str]:
    return [f"... and {count - shown} more"] if count > shown else []


def _more(count: int, what: str) -> list[str]:
    return [f"... {count} {what} in all"] if count > LIMIT else []


# ---- the session

_PLAIN = (OSError, IndexError, ValueError)
"""Python's own errors that our modules raise for a person."""


def _says_what_to_do(error: BaseException) -> bool:
    """Whether an error was raised by us for a person, and needs no traceback."""
    if isinstance(error, BackpropError):
        return True
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    module = frames[-1].f_globals.get("__name__", "") if frames else ""
    return isinstance(error, _PLAIN) and module.partition(".")[0] in ("tinygrad_bp", "viz")


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {shortened(visible(' '.join(str(error).split())), MESSAGE)}"


class _Console(code.InteractiveConsole):
    """Python's prompt; of an error that says what to do it shows one line."""

    def raw_input(self, prompt: str = "") -> str:
        """The next line; one without an end, as in ``/dev/zero``, is refused.

        Raises:
            EOFError: there is none.
            ExpressionError: it is too long.
        """
        if sys.stdin.isatty():
            return super().raw_input(prompt)
        print(prompt, end="", flush=True)
        line = sys.stdin.readline(_LONGEST_LINE)
        if not line:
            raise EOFError
        if len(line) == _LONGEST_LINE:
            raise ExpressionError(f"a line of more than {_LONGEST_LINE:,} characters")
        return line.removesuffix("\n")

    def showtraceback(self) -> None:
        """The error, as Python shows it if it is none of ours."""
        error = sys.exc_info()[1]
        if error is not None and _says_what_to_do(error):
            self.write(f"{_one_line(error)}\n")
        else:
            super().showtraceback()


def shorten_errors(shell: Any) -> None:
    """The same for IPython's prompt."""

    def show(shell: Any, kind: type, error: BaseException, tb: Any, tb_offset: Any = None) -> None:
        if _says_what_to_do(error):
            print(_one_line(error), file=sys.stderr)
        else:
            shell.showtraceback((kind, error, tb), tb_offset=tb_offset)

    shell.set_custom_exc((BackpropError, *_PLAIN), show)


_QUESTIONS = (
    (("draw({d})", "a picture"), ("tree({e})", "the graph as text")),
    (("steps({e})", "the pass, step by step"), ("order({e})", "what each node waits for")),
    (("why({w})", "the gradient, written out"), ("terms({w})", "its path terms")),
    (("check({e})", "against differences"), ("explore({e})", "a page to step through")),
)
_IMPORTS = ("from tinygrad_bp import *", "from tinygrad_bp.repl import *")


class Session(NamedTuple):
    """What a session begins with.

    Attributes:
        lines: statements that are run first.
        e: what they call the result, or the run.
        w: the arguments that ask for one gradient.
        d: those that ask for a picture.
    """

    lines: tuple[str, ...]
    e: str
    w: str
    d: str


def expression_session(text: str, leaves: Mapping[str, Value], root: str) -> Session:
    """The statements that record an expression.

    Args:
        text: the expression, which may name its parts.
        leaves: a leaf for each of its names.
        root: what to call the result, if the expression has no name for it.

    Raises:
        ExpressionError: a name would hide one of Python's, or of what the session is for.

    >>> expression_session("b = a * a; b + b", {"a": Value(2.0)}, "e").lines[2:]
    ('a = Value(2.0, "a")', 'b = a * a', 'e = b + b', 'e.backward()')
    """
    parts = statements(text)
    for name in (*leaves, *(name for name, _ in parts if name)):
        if keyword.iskeyword(name) or name.startswith("__") or name in _TAKEN:
            raise ExpressionError(
                f"{shortened(name)} has a meaning of its own here: choose another name"
            )
    recorded = record_expression(text, leaves)
    numbers = [leaf.data for leaf in leaves.values()]
    lines = [*_IMPORTS]
    lines += ["from fractions import Fraction"] * any(not isinstance(x, float) for x in numbers)
    lines += [f'{name} = Value({leaf.data!r}, "{name}")' for name, leaf in leaves.items()]
    e = parts[-1][0] or root
    as_python = ["from math import pi"] * bool(re.search(r"\bpi\b", text))
    as_python += [f"{name or e} = {part}" for name, part in parts]
    if not _records(as_python, leaves, e, recorded):
        operands = ", ".join(f'"{name}": {name}' for name in leaves)
        as_python = [
            "from tinygrad_bp.terminal.expressions import record_expression",
            f"{e} = record_expression({text!r}, {{{operands}}})",
        ]
    within = topological_order(recorded)
    asked = next((name for name, leaf in leaves.items() if leaf in within), next(iter(leaves)))
    return Session((*lines, *as_python, f"{e}.backward()"), e, f"{e}, {asked}", e)


def _records(lines: Sequence[str], leaves: Mapping[str, Value], e: str, recorded: Value) -> bool:
    """Whether statements, as Python has them, record the same: ``==`` and ``max`` are others there."""
    namespace: dict[str, Any] = {}
    try:
        exec("\n".join(_IMPORTS), namespace)  # noqa: S102 - they are ours
        namespace |= leaves
        exec("\n".join(lines), namespace)  # noqa: S102 - the expression was parsed before
        made = topological_order(namespace[e])
    except Exception:  # noqa: BLE001 - then it is no Python
        return False
    wanted = topological_order(recorded)
    return [(node.op, node.data) for node in made] == [(node.op, node.data) for node in wanted]


_TAKEN = {*__all__, *tinygrad_bp.__all__, *dir(builtins), "Fraction", "record_expression"}


def network_session(file: str, x: Sequence[Number], t: Sequence[Number]) -> Session:
    """The statements that run a saved network.

    >>> network_session("net.json", [0.5], [1.0]).lines[2:]
    ("net = Network.load('net.json')", 'run = net.forward([0.5], [1.0])', 'run.e.backward()')
    """
    exact = any(not isinstance(number, float) for number in (*x, *t))
    lines = ["from fractions import Fraction"] * exact
    lines += [f"net = Network.load({file!r})", f"run = net.forward({[*x]}, {[*t]})"]
    return Session((*_IMPORTS, *lines, "run.e.backward()"), "run", *["run, 1, 1, 1"] * 2)


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
        if sys.stdin is None or sys.stdout is None:  # there is nobody
            return
        if not (ipython and sys.stdin.isatty() and _ipython(vars(main))):
            _complete(vars(main))
            _Console(vars(main)).interact(banner="", exitmsg="")
    finally:
        sys.modules["__main__"] = before


def _questions(session: Session) -> list[str]:
    asked = [
        [(call.format(e=session.e, w=session.w, d=session.d), what) for call, what in row]
        for row in _QUESTIONS
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
    shorten = "from tinygrad_bp.terminal.repl import shorten_errors; shorten_errors(get_ipython())"
    IPython.start_ipython(
        argv=["--no-banner", "--no-confirm-exit", f"--InteractiveShellApp.exec_lines={shorten}"],
        user_ns=namespace,
    )
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
