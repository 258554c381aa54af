"""Write what is built from what runs: ``python docs/build.py``.

``operations.md``, and the package's declarations for type checkers, come from the table of rules, the
pictures from the renderers.  Tests hold the first two to the table, and the pictures to what the renderers
draw now.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import departures

from tinygrad_bp import RULES, Network, Value, cos, elu, exp, grad, hessian, log, relu, sqrt, tanh
from tinygrad_bp.engine import functions
from tinygrad_bp.explain.paths import flow
from tinygrad_bp.explain.report import latex_document
from tinygrad_bp.network.derivation import derivation
from tinygrad_bp.table.rules import FUNCTION_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinygrad_bp.network.network import Run
    from viz.picture import Content

DOCS = Path(__file__).parent


def operations() -> str:
    """The page of operations, from the table."""
    rows = [
        "| operation | what it is | value | derivatives | computed as | domain | at a kink |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for rule in RULES.values():
        textbook = ", ".join(f"`{each}`" for each in rule.textbook)
        computed = ", ".join(f"`{each}`" for each in rule.derivatives)
        derivatives = f"{textbook} | {computed if computed != textbook else ''}"
        kink = f"`{rule.kink}`: {', '.join(rule.convention)}" if rule.kink else ""
        bend = f"second derivatives: `{rule.bend}`" if rule.bend else ""
        domain = f"`{rule.domain}`" if rule.domain else ""
        what = f"`{rule.name}` | {rule.meaning} | `{rule.value}`"
        rows.append(
            f"| {what} | {derivatives} | {domain} | {'; '.join(filter(None, (kink, bend)))} |"
        )
    return f"""\
# The operations

Built from the table in `tinygrad_bp/table/rules.py` by `python docs/build.py`: one row each, and nothing
else in the project knows an operation.  `x` and `y` are the operands, `out` is the output.  The
derivatives are those of a textbook; beside them stands the form in which they are computed, where it is
another one: right to the last places, and without overflow on the way.  Outside the domain there is a
`DomainError`; at a kink the derivative is what the last column says: see
[singular points](#singular-points).  `fsum` and `dot` take lists; their derivatives are those for one element.
`normal(x)` is true unless `x` is 0, infinite, or a float short of digits (subnormal), and `lost(x, y)` is
what `x - y` has lost to rounding: they keep floats right to the last places.  For symbols some rows have
the plain formula instead, as in a textbook.

{chr(10).join(rows)}

## Singular points

Where a row has no derivative, its convention stands in for one, and a first derivative is that without
a word.  What is made of a convention beyond that need not be right, and is said once for each pass, with
a `KinkWarning` that names the operations:

- A second derivative takes the convention for a constant.  Some rows have a first derivative where they
  have no second one; the last column has that too, for operands that are no constants.
- An infinite slope times 0 is taken to be 0, whichever of the two comes first on the way down.

A derivative that is nan though all that went in is finite, as numbers on the way were beyond the range of
their type, is said with a `NumberRangeWarning`.  To have either as an error, write
`warnings.simplefilter("error", KinkWarning)`.

| derivative | is taken to be | the truth | said |
| --- | --- | --- | --- |
{chr(10).join(singular_points())}

Of equals that are infinite, `logaddexp`, `logsumexp` and `softmax` take equal shares: `softmax` of
`[inf, inf, 0]` is `[0.5, 0.5, 0]`, and of `[-inf, 0]` it is `[0, 1]`, with derivatives of 0.
"""


def singular_points() -> list[str]:
    """What the engine makes of some singular points, as rows of a table."""
    cases: list[tuple[str, str, Callable[[], object]]] = [
        ("`abs(x)` at 0", "none", lambda: grad(abs)(0.0)),
        ("`relu(x)` at 0", "none", lambda: grad(relu)(0.0)),
        ("`sqrt(x)` at 0", "inf", lambda: grad(sqrt)(0.0)),
        ("`abs(x)**2` at 0, second", "2", lambda: hessian(lambda x: abs(x) ** 2)(0.0)[0][0]),
        ("`cos(abs(x))` at 0, second", "-1", lambda: hessian(lambda x: cos(abs(x)))(0.0)[0][0]),
        ("`relu(x)` at 0, second", "none", lambda: hessian(relu)(0.0)[0][0]),
        ("`elu(x)` at 0, second", "none", lambda: hessian(elu)(0.0)[0][0]),
        ("`sqrt(x*x)**2` at 0", "0", lambda: grad(lambda x: sqrt(x * x) ** 2)(0.0)),
        ("`sqrt(x*x)` at 0", "none", lambda: grad(lambda x: sqrt(x * x))(0.0)),
        ("`x * sqrt(x)` at 0", "0", lambda: grad(lambda x: x * sqrt(x))(0.0)),
        ("`sqrt(x)**2` at 0", "1", lambda: grad(lambda x: sqrt(x) ** 2)(0.0)),
        ("`log(exp(x))` at 1000", "1", lambda: grad(lambda x: log(exp(x)))(1000.0)),
    ]
    rows = []
    for name, truth, derive in cases:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            found = derive()
        kinds = " ".join(f"`{each.category.__name__}`" for each in said)
        rows.append(f"| {name} | {found:g} | {truth} | {kinds} |")
    return rows


def declarations() -> str:
    """The functions of the table, and the methods of Value, for type checkers."""
    of_numbers, of_lists = {1: "Unary", 2: "Binary"}, {1: "List", 2: "TwoLists"}
    kinds = {
        name: (of_lists if RULES[name].variadic else of_numbers)[RULES[name].arity]
        for name in FUNCTION_NAMES
    }
    operands = {"Unary": "self", "Binary": "self, y: Value | Number, /"}
    methods = [
        f"    def {name}({operands[kind]}) -> Value: ..."
        for name, kind in kinds.items()
        if kind in operands
    ]
    names = [name for name in kinds if name in functions.__all__]
    return f"""\
# The functions of the table for type checkers, which cannot read it: built by `python docs/build.py`.

from collections.abc import Iterable
from typing import Any, Protocol, overload

from tinygrad_bp.engine.value import Value
from tinygrad_bp.numbers.kernels import Number

class _Unary(Protocol):
    @overload
    def __call__(self, x: Value, /) -> Value: ...
    @overload
    def __call__(self, x: Number, /) -> Number: ...

class _Binary(Protocol):
    @overload
    def __call__(self, x: Value, y: Value | Number, /) -> Value: ...
    @overload
    def __call__(self, x: Number, y: Value, /) -> Value: ...
    @overload
    def __call__(self, x: Number, y: Number, /) -> Number: ...

class _List(Protocol):
    def __call__(self, x: Iterable[Value | Number], /) -> Any: ...

class _TwoLists(Protocol):
    def __call__(self, x: Iterable[Value | Number], y: Iterable[Value | Number], /) -> Any: ...

class Methods:
{chr(10).join(methods)}

{chr(10).join(f"{name}: _{kinds[name]}" for name in names)}
"""


def chain() -> tuple[Value, Value]:
    """The note's single layer: its error, and its weight."""
    w, x, b, t = Value(0.5, "w"), Value(2.0, "x"), Value(0.1, "b"), Value(1.0, "t")
    e = (t - tanh(w * x - b)) ** 2
    e.label = "e"
    e.backward()
    return e, w


def shared() -> tuple[Value, Value]:
    """A graph in which paths meet: the smallest that shows sums growing and terms cancelling."""
    a, b = Value(2.0, "a"), Value(-3.0, "b")
    c = a * b
    c.label = "c"
    e = (c + a) * c
    e.backward()
    return e, a


def layered(*sizes: int) -> Run:
    """A run of a network of these sizes."""
    net = Network.random(sizes, "tanh", seed=7)
    x = [0.8, -0.5] if sizes[0] == 2 else [0.8 - 0.03 * k for k in range(sizes[0])]
    t = [0.3, -0.2] if sizes[-1] == 2 else [0.3 - 0.1 * j for j in range(sizes[-1])]
    run = net.forward(x, t)
    run.e.backward()
    return run


def _with_flow(e: Value, w: Value) -> Content:
    import viz

    return viz.draw(e, highlight=flow(e, w))


def _folded(run: Run) -> Content:
    import viz

    return viz.draw(run.e, fold=run)


def pictures() -> dict[str, Callable[[], Content]]:
    """What to draw for each file of the folder ``pictures``."""
    import viz

    return {
        "chain.svg": lambda: viz.draw(chain()[0]),
        "flow.svg": lambda: _with_flow(*shared()),
        "folded.svg": lambda: _folded(layered(2, 3, 3, 2)),
        "network.svg": lambda: viz.network(layered(2, 3, 3, 2), weight=(1, 2, 1)),
        "network-wide.svg": lambda: viz.network(layered(64, 32, 32, 10), weight=(1, 5, 60)),
        "network-deep.svg": lambda: viz.network(layered(*[30] * 31), weight=(3, 4, 5)),
        "steps.svg": lambda: viz.frames(shared()[0]),
        "steps.gif": lambda: viz.frames(shared()[0]),
    }


def note() -> str:
    """The page on the note: its first part is written by hand, the rest is computed."""
    page = (DOCS / "note.md").read_text(encoding="utf-8")
    return departures.note_page(page.partition("## The rows in symbols")[0])


def derivations() -> str:
    """Three derivations as a LaTeX document, which ``pdflatex docs/derivations.tex`` compiles."""
    w, x, b, t = Value(0.5, "w"), Value(2.0, "x"), Value(0.1, "b"), Value(1.0, "t")
    net = Network.random([2, 3, 3, 2], "tanh", seed=7)
    run = net.forward([0.8, -0.5], [0.3, -0.2])
    hidden = [run.o(1, j) for j in (1, 2, 3)] + [run.o(2, j) for j in (1, 2, 3)]
    three = (
        derivation((t - tanh(w * x - b)) ** 2, w, eta=0.1),
        derivation(run, 1, 2, 1, eta=0.1),
        derivation(run.e, net.w(1, 2, 1), landmarks=hidden),
    )
    return latex_document(each.to_latex() for each in three)


def main() -> None:
    """Write everything."""
    import viz

    (DOCS / "operations.md").write_text(operations(), encoding="utf-8")
    package = Path(functions.__file__).parent
    (package / "declarations.pyi").write_text(declarations(), encoding="utf-8")
    (DOCS / "note.md").write_text(note(), encoding="utf-8")
    (DOCS / "derivations.tex").write_text(derivations(), encoding="utf-8")
    folder = DOCS / "pictures"
    folder.mkdir(exist_ok=True)
    for name, draw in pictures().items():
        viz.save(draw(), folder / name, overwrite=True)


if __name__ == "__main__":
    main()
