"""``tinygrad-bp explain``: the gradients, written out; as text, LaTeX, HTML or data."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tinygrad_bp.engine.tape import Tape
from tinygrad_bp.engine.value import Value
from tinygrad_bp.errors import ExpressionError, NetworkError
from tinygrad_bp.explain.forward import forward
from tinygrad_bp.explain.report import (
    Listing,
    Prose,
    html_page,
    latex_document,
    to_html,
    to_latex,
    to_text,
)
from tinygrad_bp.files import write_atomically
from tinygrad_bp.network.derivation import derivation, derivation_of
from tinygrad_bp.network.derivation_page import TERMS
from tinygrad_bp.numbers.text import format_number, plain_number, takes_signs
from tinygrad_bp.quoting import first_few, quoted, shortened, visible
from tinygrad_bp.terminal.expressions import record_expression
from tinygrad_bp.terminal.printing import run_heading, show
from tinygrad_bp.terminal.reading import (
    EXAMPLE,
    NETWORK_EXAMPLE,
    add_output,
    add_place,
    add_what,
    count_of,
    is_network,
    read_expression,
    read_indices,
    read_number,
    read_run,
    root_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from tinygrad_bp.explain.report import Block, Page
    from tinygrad_bp.numbers.kernels import Number

NAME = "explain"
WHAT = "write out the gradients of an expression, or of one weight of a network"
EXAMPLES = (
    f"  tinygrad-bp explain {EXAMPLE}\n"
    f"  tinygrad-bp explain {EXAMPLE} --wrt w --landmark v3 --eta 0.1\n"
    f"  tinygrad-bp explain {NETWORK_EXAMPLE} --share 1,1,1\n"
    f"  tinygrad-bp explain {NETWORK_EXAMPLE} -o weight.tex && pdflatex weight.tex\n"
    f"  tinygrad-bp explain {NETWORK_EXAMPLE} -o weight.html"
)
_PAGES = 10_000
"""So many nodes, each page's counted, are worked through unasked: for each page all are done again many times."""
_PAGE = 20
"""So many nodes' work a page is at least."""
_READ_AGAIN = 5_000
"""So many characters, each page's counted, are read again for every step of a finite difference."""
_LOGSUMEXP = (
    "logsumexp reckons with distances from its largest operand m, log(Σ exp(v)) = m + log(Σ exp(v − m)): so "
    "no exp overflows, and neither the result nor a gradient changes."
)
_MOST_TERMS = 1_000


def add_options(command: argparse.ArgumentParser) -> None:
    """What it takes."""
    add_what(command)
    add_place(command)
    command.add_argument(
        "--node", metavar="I,J", help="for the output of node J of layer I, or for input J: 0,J"
    )
    command.add_argument(
        "--share", metavar="I,J,K", help="which deltas another weight shares with this one"
    )
    command.add_argument(
        "--wrt", metavar="NAME,...", action="append", help="for these names of an expression only"
    )
    command.add_argument(
        "--landmark",
        metavar="NAME",
        action="append",
        default=[],
        help="a node, as v1, for the product of Jacobians between landmarks; may be repeated",
    )
    command.add_argument("--eta", metavar="NUMBER", help="the learning rate, for Dw = -eta de/dw")
    command.add_argument(
        "--terms",
        metavar="N",
        type=_terms,
        default=TERMS,
        help=f"terms to list, up to {_MOST_TERMS}; default: {TERMS}",
    )
    form = command.add_mutually_exclusive_group()
    for name, what in (
        ("json", "data"),
        ("latex", "a LaTeX document, for pdflatex"),
        ("html", "a page of HTML with MathML"),
    ):
        form.add_argument(f"--{name}", dest="form", action="store_const", const=name, help=what)
    add_output(command, "write there; .tex, .html and .json say the form")


def run(options: argparse.Namespace) -> None:
    """Write out the gradients."""
    eta = None if options.eta is None else read_number("--eta", options.eta)
    explain = _explain_network if is_network(options.what) else _explain_expression
    heading, pages, data = explain(options, {"eta": eta, "terms": options.terms})
    form = _form(options)
    if form == "json":
        written = json.dumps(data)
    elif form == "latex":
        written = latex_document([to_latex(heading), *(each.to_latex() for each in pages)])
    elif form == "html":
        fragments = [to_html(heading), *(each.to_html() for each in pages)]
        written = html_page(f"tinygrad-bp explain {options.what}", fragments)
    else:
        ascii_only = not (options.output or takes_signs(sys.stdout))
        texts = [to_text(heading, ascii=ascii_only)]
        texts += [each.to_text(ascii=ascii_only) for each in pages]
        written = "\n\n".join(texts)
    if options.output:
        write_atomically(options.output, written.rstrip("\n") + "\n", overwrite=options.force)
        show(f"wrote {visible(options.output)}")
    else:
        if form == "html":  # whatever the terminal's letters are
            written = written.encode("ascii", "xmlcharrefreplace").decode()
        show(written)


def _form(options: argparse.Namespace) -> str:
    """The form that an option names, or the suffix of the file."""
    suffixes = {".tex": "latex", ".html": "html", ".htm": "html", ".json": "json"}
    suffix = Path(options.output or "").suffix.lower()
    return options.form or suffixes.get(suffix, "text")


def _explain_network(
    options: argparse.Namespace, settings: dict[str, Any]
) -> tuple[list[Block], list[Page], dict[str, Any]]:
    for name in ("wrt", "landmark"):
        if getattr(options, name):
            raise NetworkError(f"--{name} is for an expression; a network takes --weight i,j,k")
    run, by = read_run(options)
    derived = derivation(run, *by, **settings)
    pages: list[Page] = [derived]
    data = derived.to_dict()
    if options.share:
        other = derivation(run, *read_indices("--share I,J,K", options.share, 3), **settings)
        shared = derived.shared(other)
        pages.append(shared)
        data["shared"] = shared.to_dict()
    return [run_heading(run)], pages, data


def _explain_expression(
    options: argparse.Namespace, settings: dict[str, Any]
) -> tuple[list[Block], list[Page], dict[str, Any]]:
    leaves, e = read_expression(options)
    tape = Tape.from_result(e, root=root_name(leaves))
    named = tape.names
    nodes = {name: node for node, name in named.items()} | leaves
    wrt = _named("--wrt", options.wrt, nodes) if options.wrt else leaves
    if not options.wrt and len(wrt) > 1 and len(wrt) * max(len(named), _PAGE) > _PAGES:
        raise ExpressionError(
            f"there would be {len(wrt)} pages about {len(named)} nodes: say for which names, as "
            f"--wrt {shortened(next(iter(wrt)))}"
        )
    landmarks = [*_named("--landmark", options.landmark, nodes).values()] or None
    numbers = {name: leaf.data for name, leaf in leaves.items()}
    # Where a name moves another branch may be taken; but to read a long text again and again takes long.
    branches = re.search(r"\bif\b", options.what) and len(options.what) * len(wrt) <= _READ_AGAIN
    pages = [
        derivation_of(
            *(tape, node),
            landmarks=landmarks,
            again=_again(options.what, numbers, name) if branches and name in leaves else None,
            **settings,
        )
        for name, node in wrt.items()
    ]
    data = {
        "expression": options.what,
        "value": plain_number(e.data),
        "gradients": [each.to_dict() for each in pages],
    }
    named_already = re.match(r"\s*\w+\s*=(?!=)", options.what)  # as b = a + a; b * b
    told = options.what if named_already else f"{named[e]} = {options.what}"
    heading: list[Block] = [Listing((f"{told} = {format_number(e.data)}",))]
    if e.op:
        heading.append(forward(named))
    if re.search(r"\blogsumexp\(", options.what):
        heading.append(Prose((_LOGSUMEXP,)))
    return heading, [*pages], data


def _named(option: str, wanted: Iterable[str], nodes: Mapping[str, Value]) -> dict[str, Value]:
    chosen = [name.strip() for each in wanted for name in each.split(",")]
    unknown = [name for name in chosen if name not in nodes]
    if unknown:
        raise ExpressionError(f"{option}: {quoted(unknown[0])} is none of {first_few(nodes)}")
    return {name: nodes[name] for name in chosen}


def _again(text: str, numbers: Mapping[str, Number], name: str) -> Callable[[float], float]:
    """The expression's value in floats if one name had another number."""

    def again(number: float) -> float:
        leaves = {each: Value(float(other)) for each, other in {**numbers, name: number}.items()}
        return float(record_expression(text, leaves).data)

    return again


def _terms(text: str) -> int:
    """A number of terms, for argparse."""
    if count_of(text) > _MOST_TERMS:
        raise argparse.ArgumentTypeError(f"{text} terms are more than the {_MOST_TERMS} it lists")
    return int(text)
