"""The command line: ``tinygrad-bp explain``, ``draw``, ``train`` and the others; `_build_parser` has all.

Part of the front door: it reads what a person typed, asks the rooms behind it, and prints.  Bad
input ends in one line on standard error and a non-zero exit; nothing else is left behind.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import math
import os
import re
import shlex
import sys
import unicodedata
import warnings
from contextlib import suppress
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tinygrad_bp import __version__
from tinygrad_bp.derivation import TERMS, derivation, forward
from tinygrad_bp.errors import (
    ArgumentError,
    BackpropError,
    DrawingError,
    ExpressionError,
    NetworkError,
)
from tinygrad_bp.exact import ExactLimit
from tinygrad_bp.expressions import names_in, record_expression, statements
from tinygrad_bp.files import check_free, read_whole, write_atomically
from tinygrad_bp.graph import names, topological_order
from tinygrad_bp.network import Network
from tinygrad_bp.paths import flow
from tinygrad_bp.quoting import MESSAGE, first_few, quoted, shortened, visible
from tinygrad_bp.report import (
    Listing,
    Prose,
    html_page,
    latex_document,
    to_html,
    to_latex,
    to_text,
)
from tinygrad_bp.steps import naive, steps
from tinygrad_bp.text import format_number, plain, plain_number, takes_signs
from tinygrad_bp.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from typing import Any, TextIO, TypeVar

    from tinygrad_bp.derivation import Derivation
    from tinygrad_bp.kernels import Number
    from tinygrad_bp.network import Run
    from tinygrad_bp.report import Block, Page
    from tinygrad_bp.samples import Dataset
    from tinygrad_bp.testing.conformance import Suite
    from tinygrad_bp.training import Trainer

    _T = TypeVar("_T")

BAD_INPUT = 2
FAILED = 1
INTERRUPTED = 130
_PAGES = 10_000
"""So many nodes, each page's counted, are worked through unasked: for each page all are done again many times."""
_READ_AGAIN = 5_000
"""So many characters, each page's counted, are read again for every step of a finite difference."""
_OUTPUTS = 4  # of a network, in the heading
_LOGSUMEXP = (
    "logsumexp reckons with distances from its largest operand m, log(Σ exp(v)) = m + log(Σ exp(v − m)): so "
    "no exp overflows, and neither the result nor a gradient changes."
)
_MOST_TERMS = 1_000
_TABLE = 4_000_000  # bytes; a table takes fifty times as much memory
_TREES = (
    500  # of a longer pass a line for each step is printed, and the tree only where it is asked for
)
_TYPED = 16  # numbers, in a command to try
EPILOG = """\
exit codes: 0 done; 1 a file could not be read or written, a picture not be drawn, or a property of an
engine fails; 2 bad input; 130 interrupted"""
EXAMPLE = '"(t - tanh(w*x - b))**2" w=0.5 x=2 b=0.1 t=1'
NETWORK_EXAMPLE = "net.json --input 0.8,-0.5 --target 0.3,-0.2 --weight 1,2,1"


class _Parser(argparse.ArgumentParser):
    """Reports what is wrong in one line."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        sys.exit(_complain(self.prog, f"{message}; see {self.prog} --help", BAD_INPUT))

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        sys.stdout.flush()  # of a help that cannot be written is told as of any other output
        super().exit(status, message)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    _open_streams()
    program = "tinygrad-bp"
    try:
        options = _parse(sys.argv[1:] if arguments is None else arguments)
        program = f"{program} {options.command}"
        code = _run(options)
        sys.stdout.flush()
    except DrawingError as error:
        return _complain(program, error, FAILED)
    except (BackpropError, IndexError, ArithmeticError, ValueError) as error:
        return _complain(program, error, BAD_INPUT)
    except OSError as error:  # of a file, or of the output
        _let_go(sys.stdout)
        if isinstance(error, BrokenPipeError):  # the reader, as `head`, had enough
            return 0
        return _complain(program, error, FAILED)
    except (MemoryError, RecursionError) as error:
        lacking = "memory" if isinstance(error, MemoryError) else "stack"
        return _complain(program, f"this is too large: there is not enough {lacking}", FAILED)
    except KeyboardInterrupt:
        return _complain(program, "interrupted", INTERRUPTED)
    return code


def _open_streams() -> None:
    """Make the streams ready for whatever is said; one that was closed leads nowhere."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            nowhere = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 - while we run
            setattr(sys, name, nowhere)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name may have letters that a terminal has not
            stream.reconfigure(errors="backslashreplace")


def _let_go(stream: TextIO) -> None:
    """Drop what cannot be written: at its end Python would try again, and complain."""
    try:
        stream.flush()
    except OSError:
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _run(options: argparse.Namespace) -> int:
    """Run the command; what it warns of is said on a line of its own, without a place in the code.

    It is said when there is a result that it is about: of what is refused, the error says all.  In a session
    it is said at once.
    """
    held: list[object] = []

    def say(message: object, *_: object, **__: object) -> None:
        _complain(f"tinygrad-bp {options.command}", f"warning: {message}", 0)

    def hold(message: object, *_: object, **__: object) -> None:
        held.append(message)

    with warnings.catch_warnings():
        warnings.showwarning = say if options.command == "repl" else hold
        code: int = options.run(options) or 0
    for each in held:
        say(each)
    return code


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options, with what argparse alone would misread.

    ``-x*y`` and ``-0.5,0.8`` look like options to it, and a NAME=VALUE after an option like nothing
    it knows.
    """
    parser = _build_parser()
    # What begins with a space is never taken for an option.
    protected = {each: f" {each}" for each in arguments if _only_looks_like_an_option(each)}
    options, rest = parser.parse_known_args([protected.get(each, each) for each in arguments])
    strange = [each for each in rest if each.startswith("-") or "values" not in options]
    if strange:
        unknown = [each for each in strange if each.startswith("-")]
        kind = "unknown option" if unknown else "too many arguments:"
        parser.error(f"{kind} {' '.join(unknown or strange)}")
    if rest:
        options.values += rest
    given = {spaced: each for each, spaced in protected.items()}
    for name, value in vars(options).items():
        if isinstance(value, list):
            setattr(options, name, [given.get(each, each) for each in value])
        elif isinstance(value, str):
            setattr(options, name, given.get(value, value))
    return options


def _only_looks_like_an_option(text: str) -> bool:
    return text.startswith("-") and not re.fullmatch(r"-[ho](=.*)?|--|--[a-z][a-z-]+(=.*)?", text)


def _complain(program: str, error: object, code: int) -> int:
    """Say in one line what is wrong; returns the code."""
    message = shortened(visible(" ".join(f"{program}: {error}".split())), MESSAGE)
    with suppress(OSError):
        print(message, file=sys.stderr)
    _let_go(sys.stderr)
    return code


def _build_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="tinygrad-bp",
        description="Back-propagation made visible: gradients as sums over paths.",
        epilog=EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"tinygrad-bp {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(
        name: str, run: Callable[[argparse.Namespace], int | None], what: str, examples: str
    ) -> _Parser:
        command: _Parser = commands.add_parser(
            name,
            help=what,
            description=what[0].upper() + what[1:] + ".",
            epilog=f"examples:\n{examples}\n\n{EPILOG}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.set_defaults(run=run)
        return command

    demo = add(
        "demo",
        _demo,
        "train a small network on Fisher's iris data, explain one weight, write the pictures",
        "  tinygrad-bp demo\n  tinygrad-bp demo -o pictures",
    )
    demo.add_argument(
        "-o", "--output", metavar="FOLDER", help="a new folder; default: tinygrad-bp-demo"
    )
    explain = add(
        "explain",
        _explain,
        "write out the gradients of an expression, or of one weight of a network",
        f"  tinygrad-bp explain {EXAMPLE}\n"
        f"  tinygrad-bp explain {EXAMPLE} --wrt w --landmark v3 --eta 0.1\n"
        f"  tinygrad-bp explain {NETWORK_EXAMPLE} --share 1,1,1\n"
        f"  tinygrad-bp explain {NETWORK_EXAMPLE} -o weight.tex && pdflatex weight.tex\n"
        f"  tinygrad-bp explain {NETWORK_EXAMPLE} -o weight.html",
    )
    draw = add(
        "draw",
        _draw,
        "draw the graph of an expression, or a network with the paths of one weight",
        f"  tinygrad-bp draw {EXAMPLE} -o graph.svg\n"
        f"  tinygrad-bp draw {EXAMPLE} --flow w -o flow.pdf\n"
        f"  tinygrad-bp draw {EXAMPLE} --frames -o pass.gif\n"
        f"  tinygrad-bp draw {NETWORK_EXAMPLE} -o net.svg\n"
        f"  tinygrad-bp draw {NETWORK_EXAMPLE} --theme dark -o net.png",
    )
    step = add(
        "step",
        _step,
        "go through the forward and the backward pass one step at a time",
        f"  tinygrad-bp step {EXAMPLE}\n"
        f"  tinygrad-bp step {EXAMPLE} --eta 0.1 --wrt w,b\n"
        '  tinygrad-bp step "b = a + a; c = b + b" a=1 --naive\n'
        "  tinygrad-bp step net.json --input 0.8,-0.5 --target 0.3,-0.2\n"
        f"  tinygrad-bp step {EXAMPLE} | less",
    )
    explore = add(
        "explore",
        _explore,
        "write a page to step through the pass in a browser, and to change its leaves",
        f"  tinygrad-bp explore {EXAMPLE} -o chain.html\n"
        f"  tinygrad-bp explore {NETWORK_EXAMPLE} -o net.html",
    )
    train = add(
        "train",
        _train,
        "train a network on a table of numbers, by the note's update after each sample",
        "  tinygrad-bp train iris --held-out 0.2 -o net.json\n"
        "  tinygrad-bp train data.csv --hidden 8,4 --activation relu --eta 0.01 --epochs 200\n"
        "  tinygrad-bp train data.csv --inputs a,b --targets sum --hidden none\n"
        "  tinygrad-bp train iris --held-out 0.2 --from net.json -o better.json",
    )
    _add_training(train)
    repl = add(
        "repl",
        _repl,
        "open Python with an expression or a network in it, and a verb for each question",
        f"  tinygrad-bp repl\n  tinygrad-bp repl {EXAMPLE}\n"
        "  tinygrad-bp repl net.json --input 0.8,-0.5 --target 0.3,-0.2",
    )
    repl.add_argument("--plain", action="store_true", help="Python's own prompt, without IPython")
    conformance = add(
        "conformance",
        _conformance,
        "try a scalar autograd engine: each operation in graphs, and named properties of the pass",
        "  tinygrad-bp conformance micrograd.engine:Value\n"
        "  tinygrad-bp conformance scalar:Scalar --grad derivative --json\n"
        '  tinygrad-bp conformance engine:Value --skip "deep graph" --skip "no cycles"',
    )
    _add_conformance(conformance)
    for command in (explain, draw, step, explore, repl):
        command.add_argument(
            "what",
            metavar="EXPR|NETWORK.json",
            help="what to differentiate",
            nargs="?" if command is repl else None,
        )
        command.add_argument(
            "values", nargs="*", metavar="NAME=VALUE", help="a value for each name: 0.5, 2 or 1/3"
        )
        command.add_argument("--input", metavar="X1,X2,...", help="the network's input")
        command.add_argument("--target", metavar="T1,T2,...", help="the network's target")
        if command in (step, repl):
            continue
        which = command.add_mutually_exclusive_group()
        which.add_argument("--weight", metavar="I,J,K", help="layer, node, node below; from 1")
        which.add_argument("--bias", metavar="I,J", help="layer, node; from 1")
    explore.add_argument("-o", "--output", metavar="FILE", required=True, help="a new .html")
    explore.add_argument(
        "--force", "--overwrite", action="store_true", help="replace FILE if it exists"
    )
    step.add_argument("--eta", metavar="NUMBER", help="end with the update, Dw = -eta de/dw")
    step.add_argument(
        "--wrt", metavar="NAME,...", help="what the update is for; default: all names, all weights"
    )
    step.add_argument(
        "--naive", action="store_true", help="show the wrong way, without an order, beside it"
    )
    step.add_argument("--all", action="store_true", help="print all steps, in a terminal too")
    step.add_argument("--brief", action="store_true", help="print one line for each step")
    step.add_argument("--json", action="store_true", help="print the record as JSON")
    _add_explaining(explain)
    draw.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        required=True,
        help=".svg, .png, .pdf, .dot, .html, .gif, .json, .mmd (Mermaid) or .tex (TikZ)",
    )
    seen = draw.add_mutually_exclusive_group()
    seen.add_argument("--flow", metavar="NAME", help="light what all paths to this name carry")
    seen.add_argument(
        "--frames", action="store_true", help="the pass step by step; moves in .gif, .svg and .html"
    )
    draw.add_argument(
        "--theme",
        choices=("auto", "light", "dark"),
        default="auto",
        help="default: auto, an .svg follows the reader's system and others are light",
    )
    draw.add_argument(
        "--max-nodes",
        type=_count,
        metavar="N",
        help="draw graphs of up to N nodes; those not laid out, .dot .json .mmd, have no limit",
    )
    draw.add_argument("--force", action="store_true", help="replace FILE if it exists")
    return parser


def _add_explaining(explain: _Parser) -> None:
    explain.add_argument(
        "--node", metavar="I,J", help="for the output of node J of layer I, or for input J: 0,J"
    )
    explain.add_argument(
        "--share", metavar="I,J,K", help="which deltas another weight shares with this one"
    )
    explain.add_argument(
        "--wrt", metavar="NAME,...", action="append", help="for these names of an expression only"
    )
    explain.add_argument(
        "--landmark",
        metavar="NAME",
        action="append",
        default=[],
        help="a node, as v1, for the product of Jacobians between landmarks; may be repeated",
    )
    explain.add_argument("--eta", metavar="NUMBER", help="the learning rate, for Dw = -eta de/dw")
    explain.add_argument(
        "--terms",
        metavar="N",
        type=_terms,
        default=TERMS,
        help=f"terms to list, up to {_MOST_TERMS}; default: {TERMS}",
    )
    form = explain.add_mutually_exclusive_group()
    for name, what in (
        ("json", "data"),
        ("latex", "a LaTeX document, for pdflatex"),
        ("html", "a page of HTML with MathML"),
    ):
        form.add_argument(f"--{name}", dest="form", action="store_const", const=name, help=what)
    explain.add_argument(
        "-o", "--output", metavar="FILE", help="write there; .tex, .html and .json say the form"
    )
    explain.add_argument("--force", action="store_true", help="replace FILE if it exists")


def _add_training(train: _Parser) -> None:
    train.add_argument(
        "table",
        metavar="FILE.csv|iris",
        help="one sample to a line, with tab, ';', '|', ',' or blanks between columns; or Fisher's iris",
    )
    for name, metavar, what in (
        ("inputs", "NAME,...", "the columns that go in; default: all others"),
        ("targets", "NAME,...", "the columns that should come out; default: the last"),
        ("hidden", "N,...", "the sizes of the hidden layers, or none; default: 5"),
        ("activation", "NAME,...", "one for the hidden layers, or one for each layer"),
    ):
        train.add_argument(f"--{name}", metavar=metavar, help=what)
    train.add_argument(
        "--from",
        dest="start",
        metavar="NETWORK.json",
        help="go on with a saved network; with the same --held-out and --seed, those stay held out",
    )
    train.add_argument("--classes", action="store_true", help="the target's numbers name classes")
    train.add_argument(
        "--header",
        action=argparse.BooleanOptionalAction,
        help="the first line has the names of the columns, or is a sample; needed where it may be both",
    )
    train.add_argument(
        "--delimiter", metavar="SIGN", help="what stands between columns: ',', ';', tab, blank, ..."
    )
    train.add_argument(
        "--skip-missing",
        action="store_true",
        help="leave out the lines where a chosen column has no value: an empty cell, nan, NA, ?, ...",
    )
    train.add_argument(
        "--eta", metavar="NUMBER", default="0.05", help="learning rate; default: 0.05"
    )
    train.add_argument(
        "--epochs",
        metavar="N",
        type=_count,
        default=60,
        help="times through the table; default: 60",
    )
    train.add_argument(
        "--seed", metavar="N", type=_seed, default=0, help="other weights and orders; default: 0"
    )
    train.add_argument(
        "--held-out",
        metavar="SHARE",
        default="0",
        help="of the samples, not trained on; default: 0",
    )
    train.add_argument("-o", "--output", metavar="FILE", help="write the network: a new .json")
    train.add_argument("--force", action="store_true", help="replace FILE if it exists")
    train.add_argument("--json", action="store_true", help="print the errors as JSON")


def _add_conformance(conformance: _Parser) -> None:
    conformance.add_argument(
        "engine",
        metavar="MODULE:NAME",
        help="a class of nodes, or an Engine that says how to use one",
    )
    for name, default, what in (
        ("data", "data", "the attribute with a node's number"),
        ("grad", "grad", "the attribute with its gradient"),
        ("backward", "backward", "the method that runs the pass"),
    ):
        conformance.add_argument(f"--{name}", metavar="NAME", help=f"{what}; default: {default}")
    conformance.add_argument(
        "--bits", metavar="N", type=_count, help="of the engine's floats; default: 53; single: 24"
    )
    conformance.add_argument(
        "--thorough", action="store_true", help="try more numbers and ten times as many programs"
    )
    conformance.add_argument(
        "--examples",
        metavar="N",
        type=_count,
        help="random programs to try; default: 200; thorough: 2000",
    )
    conformance.add_argument(
        "--seed",
        metavar="N",
        type=_seed,
        default=0,
        help="other programs for another N; default: 0",
    )
    conformance.add_argument(
        "--skip",
        metavar="NAME",
        action="append",
        default=[],
        help="leave a property out; may be repeated",
    )
    conformance.add_argument("--json", action="store_true", help="print the report as JSON")


# ---- the commands


def _explain(options: argparse.Namespace) -> None:
    eta = None if options.eta is None else _read_number("--eta", options.eta)
    explain = _explain_network if _is_network(options.what) else _explain_expression
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
        _show(f"wrote {visible(options.output)}")
    else:
        if form == "html":  # whatever the terminal's letters are
            written = written.encode("ascii", "xmlcharrefreplace").decode()
        _show(written)


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
    run, by = _read_run(options)
    derived = derivation(run, *by, **settings)
    pages: list[Page] = [derived]
    data = derived.to_dict()
    if options.share:
        other = derivation(run, *_indices("--share I,J,K", options.share, 3), **settings)
        shared = derived.shared(other)
        pages.append(shared)
        data["shared"] = shared.to_dict()
    return [_heading(run)], pages, data


def _explain_expression(
    options: argparse.Namespace, settings: dict[str, Any]
) -> tuple[list[Block], list[Page], dict[str, Any]]:
    leaves, e = _read_expression(options)
    named = names(topological_order(e), root=_root(leaves))
    nodes = {name: node for node, name in named.items()} | leaves
    wrt = _named("--wrt", options.wrt, nodes) if options.wrt else leaves
    if not options.wrt and len(wrt) > 1 and len(wrt) * len(named) > _PAGES:
        raise ExpressionError(
            f"there would be {len(wrt)} pages about {len(named)} nodes: say for which names, as "
            f"--wrt {shortened(next(iter(wrt)))}"
        )
    landmarks = [*_named("--landmark", options.landmark, nodes).values()] or None
    numbers = {name: leaf.data for name, leaf in leaves.items()}
    # Where a name moves another branch may be taken; but to read a long text again and again takes long.
    branches = re.search(r"\bif\b", options.what) and len(options.what) * len(wrt) <= _READ_AGAIN
    pages = [
        derivation(
            *(e, node),
            landmarks=landmarks,
            again=_again(options.what, numbers, name) if branches and name in leaves else None,
            named=named,
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


def _draw(options: argparse.Namespace) -> None:
    import viz

    viz.check_output(options.output, overwrite=options.force)
    theme = options.theme
    if _is_network(options.what):
        if options.flow is not None or options.frames:
            raise NetworkError("--flow and --frames are for an expression, not for a network")
        run, place = _read_run(options)
        run.e.backward()
        viz.save(
            viz.network(run, weight=place, theme=theme), options.output, overwrite=options.force
        )
    else:
        leaves, e = _read_expression(options)
        if options.frames:
            film = viz.frames(e, theme=theme)
            viz.save(film, options.output, overwrite=options.force)
        else:
            e.backward()
            lit = None
            if options.flow is not None:
                if options.flow not in leaves:
                    raise ExpressionError(
                        f"--flow: {quoted(options.flow)} is none of {first_few(leaves)}"
                    )
                lit = flow(e, leaves[options.flow])
            laid_out = not options.output.lower().endswith((".dot", ".json", ".mmd"))
            limit = options.max_nodes or (viz.MAX_NODES if laid_out else sys.maxsize)
            picture = viz.draw(e, highlight=lit, max_nodes=limit, theme=theme)
            viz.save(picture, options.output, overwrite=options.force)
    _show(f"wrote {visible(options.output)}")


def _step(options: argparse.Namespace) -> None:
    if _is_network(options.what):
        run = _read_forward(options)
        e, named = run.e, names(topological_order(run.e), root="e")
        learning = [leaf for leaf in run.network.parameters() if leaf in named]
    else:
        leaves, e = _read_expression(options)
        named = names(topological_order(e), root=_root(leaves))
        learning = [leaf for leaf in leaves.values() if leaf in named]
    eta = None if options.eta is None else _read_number("--eta", options.eta)
    if options.wrt is not None:
        if eta is None:
            raise ExpressionError("--wrt says what learns: say how fast too, as --eta 0.1")
        learning = _chosen(options.wrt, {named[leaf]: leaf for leaf in learning})
    record = steps(e, eta, wrt=learning, named=named)
    wrong = naive(e, named=named) if options.naive else None
    length = max(len(record), len(wrong or ()))
    many = length > _TREES and not (options.all or sys.stdout.isatty())
    if options.json:
        beside = {"naive": wrong.to_dict()} if wrong else {}
        _show(json.dumps({"expression": options.what, **record.to_dict(), **beside}))
    elif options.brief or many:
        lines = [(wrong or record).to_text(), *([wrong.explain()] if wrong else [])]
        lines += [f"{length} steps: --all draws the tree at each"] * (not options.brief)
        _show("\n".join(lines))
    else:
        from tinygrad_bp.stepper import show_steps

        show_steps(record, wrong, every=options.all)


def _chosen(text: str, learning: Mapping[str, Value]) -> list[Value]:
    """The leaves that are named; a name of a network has commas in it: ``w[1][1,2]``."""
    chosen = re.findall(r"[^,\[]+(?:\[[^\]]*\])*", text)
    unknown = [name for name in chosen if name not in learning]
    if unknown:
        raise ExpressionError(f"--wrt: {quoted(unknown[0])} is none of {first_few(learning)}")
    return [learning[name] for name in chosen]


def _explore(options: argparse.Namespace) -> None:
    import viz

    if _is_network(options.what):
        chosen = options.weight or options.bias
        run, place = _read_run(options) if chosen else (_read_forward(options), None)
        page = viz.explore(run, weight=place)
    else:
        _, e = _read_expression(options)
        page = viz.explore(e, title=options.what)
    page.save(options.output, overwrite=options.force)
    _show(f"wrote {visible(options.output)}")


def _repl(options: argparse.Namespace) -> None:
    from tinygrad_bp import repl

    if options.what is None:
        options.what, *options.values = shlex.split(EXAMPLE)
    if _is_network(options.what):
        run = _read_forward(options)
        x = [run.x(k).data for k in range(1, run.network.sizes[0] + 1)]
        t = [run.t(j).data for j in range(1, run.network.sizes[-1] + 1)]
        session = repl.network_session(options.what, x, t)
    else:
        leaves, _ = _read_expression(options)
        if not leaves:
            raise ExpressionError(
                f"{quoted(options.what)} has no names: there is nothing to differentiate"
            )
        taken = [*leaves, *(name for name, _ in statements(options.what))]
        session = repl.expression_session(options.what, leaves, _root(taken))
    repl.start(session, ipython=not options.plain)


def _conformance(options: argparse.Namespace) -> int:
    from tinygrad_bp.testing.cases import base_of
    from tinygrad_bp.testing.conformance import check_name, suite_of

    named = {name: getattr(options, name) for name in ("data", "grad", "backward", "bits")}
    settings = {name: each for name, each in named.items() if each}
    with suite_of(
        options.engine, options.examples, options.seed, thorough=options.thorough, **settings
    ) as suite:
        for name in options.skip:
            check_name(name)
        skipped = {*options.skip}
        names = tuple(name for name in suite.names if not {name, base_of(name)} & skipped)
        _tell_findings(suite, names, quiet=options.json)
        report = suite.report(names)
    _show(json.dumps(report.to_dict()) if options.json else f"\n{report}")
    return 0 if report.holds else FAILED


def _tell_findings(suite: Suite, names: tuple[str, ...], *, quiet: bool) -> None:
    """Try the properties, with a line for each that fails as soon as it does."""
    for finding in _track(suite.findings(names), "checking", len(names)):
        if finding.verdict == "fails" and not quiet:
            _show(f"FAILS {finding.name}: {finding.found}")


def _train(options: argparse.Namespace) -> int:
    from tinygrad_bp.training import Trainer

    if options.output is not None:
        if not _is_network(options.output):
            raise ArgumentError(f"cannot write {quoted(options.output)}: a network is a .json")
        check_free(options.output, overwrite=options.force)
    if options.start is not None and (options.hidden, options.activation) != (None, None):
        raise ArgumentError("a network of --from has its layers: leave --hidden, --activation out")
    trainer = Trainer(
        _read_table(options),
        None if options.start is None else Network.load(options.start),
        hidden=_read_sizes(options.hidden),
        activation=options.activation or "",
        share=_read_number("--held-out", options.held_out),
        eta=_read_number("--eta", options.eta),
        seed=options.seed,
    )
    learning = trainer.learn(options.epochs)
    if not options.json:
        with suppress(BrokenPipeError):  # the network is still to be learned
            _show(trainer.about() + "\n")
    code = 0
    try:
        for _ in _track(learning, "training", options.epochs):
            pass
    except KeyboardInterrupt:  # what was learned is kept
        code = _complain(
            "tinygrad-bp train", f"interrupted after epoch {trainer.epoch}", INTERRUPTED
        )
    except BackpropError:
        if trainer.rows and not options.json:
            _show(trainer.report())
        raise
    try:
        if options.output is not None:
            trainer.net.save(options.output, overwrite=options.force)
    finally:  # what was learned is told, whether it could be written or not
        trainer.measure()
        _show(json.dumps(trainer.to_dict()) if options.json else trainer.report())
    if options.output is not None and not options.json:
        _show(f"\nwrote {visible(options.output)}{_to_try(trainer, options.output)}")
    return code


def _to_try(trainer: Trainer, file: str) -> str:
    """A command to look at the saved network with, or nothing where it would be too long to type."""
    x, t = trainer.data.rows[0]
    if len(x) + len(t) > _TYPED:
        return ""
    x_typed, t_typed = (",".join(repr(y).removesuffix(".0") for y in each) for each in (x, t))
    where = f"{shlex.quote(file)} --input {x_typed} --target {t_typed}"
    return f"\nlook at its first sample: tinygrad-bp explore {where} -o explorer.html"


def _read_table(options: argparse.Namespace) -> Dataset:
    from tinygrad_bp.delimited import decode
    from tinygrad_bp.samples import iris_text, read_samples

    if options.table == "iris":
        text = iris_text()
    else:
        text = decode(read_whole(options.table, largest=_TABLE), options.table)
    return read_samples(
        text,
        name=options.table,
        inputs=_read_names(options.inputs),
        targets=_read_names(options.targets),
        classes=options.classes,
        header=options.header,
        delimiter={"tab": "\t", "blank": " "}.get(options.delimiter, options.delimiter),
        missing="skip" if options.skip_missing else "refuse",
    )


def _read_names(text: str | None) -> list[str]:
    """Names with commas between; one with a comma in it stands in quotes, as in the table."""
    try:
        lines = [*csv.reader([text or ""], skipinitialspace=True)]
    except csv.Error as error:
        raise ArgumentError(f"{quoted(text)} is no list of names: {error}") from None
    return [each.strip() for line in lines for each in line]


def _read_sizes(text: str | None) -> Sequence[int]:
    from tinygrad_bp.training import HIDDEN

    if text is None:
        return HIDDEN
    if text == "none":
        return ()
    sizes = text.split(",")
    if not all(_few_digits(each.strip()) and int(each) for each in sizes):
        raise ArgumentError(f"--hidden: {quoted(text)} is not none, nor sizes such as 5 or 8,4")
    return tuple(map(int, sizes))


def _demo(options: argparse.Namespace) -> None:
    from tinygrad_bp import demo
    from tinygrad_bp.training import accuracy, predict, train

    if options.output and os.path.lexists(options.output):
        raise FileExistsError(f"{quoted(options.output)} exists already: choose another name")
    iris = demo.load_iris()
    net = demo.untrained()
    _show(
        f"Fisher's iris data: {len(iris.train)} flowers to train on, {len(iris.test)} held out.\n"
        f"A {'-'.join(map(str, net.sizes))} network, e = Σ (t − o)², Δw = −η de/dw, η = {demo.ETA}."
    )
    learning = train(net, iris.train, epochs=demo.EPOCHS, eta=demo.ETA, seed=demo.SEED)
    errors = list(_track(learning, "training", demo.EPOCHS))
    _show(
        f"Mean error {errors[0]:.4f} after the first epoch, {errors[-1]:.4f} after {len(errors)}.\n"
        f"Held-out accuracy: {accuracy(net, iris.test):.3f}\n"
    )
    place = demo.hardest(net, iris.test)
    flower = iris.test[place]
    _show(
        f"The held-out flower with the largest error, number {place + 1}: it is "
        f"{iris.names[flower.t.index(1.0)]}, taken for {iris.names[predict(net, flower.x)]}."
    )
    run, derived = demo.explain(net, flower)
    _show(_about(run, derived) + "\n")
    written = demo.write(demo.new_folder(options.output), run, derived)
    _show("wrote " + "\n      ".join(visible(str(file)) for file in written))


def _track(some: Iterable[_T], doing: str, total: int | None = None) -> Iterable[_T]:
    """The same one by one, with a bar for a person who waits."""
    from rich.console import Console
    from rich.progress import track

    return track(
        some,
        doing,
        total=total,
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )


# ---- reading what was typed


def _is_network(what: str) -> bool:
    return what.lower().endswith(".json")


def _read_forward(options: argparse.Namespace) -> Run:
    for name in ("input", "target"):
        if getattr(options, name) is None:
            raise NetworkError(f"a network needs --{name}: numbers with commas between them")
    if options.values:
        raise NetworkError(
            f"{quoted(options.values[0])}: a network takes --input and --target, not names"
        )
    x = [_read_number("--input", each) for each in options.input.split(",")]
    t = [_read_number("--target", each) for each in options.target.split(",")]
    net = Network.load(options.what)
    with ExactLimit():
        return net.forward(x, t)


def _read_run(options: argparse.Namespace) -> tuple[Run, tuple[Any, ...]]:
    """The run, and for what: the indices of a weight or a bias, or a node."""
    node = getattr(options, "node", None)
    if sum(map(bool, (options.weight, options.bias, node))) != 1:
        raise NetworkError(
            "say which weight, as --weight i,j,k, or which bias, as --bias i,j"
            + (", or which node, as --node i,j" if hasattr(options, "node") else "")
        )
    run = _read_forward(options)
    if node:
        return run, (run.o(*_indices("--node I,J", node, 2)),)
    if options.weight:
        return run, _indices("--weight I,J,K", options.weight, 3)
    return run, _indices("--bias I,J", options.bias, 2)


def _indices(option: str, text: str, size: int) -> tuple[int, ...]:
    try:
        indices = tuple(int(each) for each in text.split(","))
    except ValueError:
        indices = ()
    if len(indices) != size:
        raise NetworkError(
            f"{option} takes {size} whole numbers with commas between, not {quoted(text)}"
        )
    return indices


def _read_expression(options: argparse.Namespace) -> tuple[dict[str, Value], Value]:
    for name in ("input", "target", "weight", "bias"):
        if getattr(options, name, None) is not None:
            raise ExpressionError(f"--{name} is for a network; an expression takes NAME=VALUE")
    values: dict[str, Number] = {}
    for each in options.values:
        name, equals, text = (part.strip() for part in each.partition("="))
        name = unicodedata.normalize("NFKC", name)  # as Python reads it in the expression
        if not equals or not name.isidentifier():
            raise ExpressionError(f"{quoted(each)} is not of the form NAME=VALUE")
        if name in values:
            raise ExpressionError(f"{shortened(name)} is given twice")
        values[name] = _read_number(name, text)
    wanted = names_in(options.what)
    missing = [name for name in wanted if name not in values]
    if missing:
        raise ExpressionError(
            f"no value for {first_few(missing)}: add {shortened(missing[0])}=NUMBER"
            + " and so on" * (len(missing) > 1)
        )
    leaves = {name: Value(number, name) for name, number in values.items()}
    return leaves, record_expression(options.what, leaves)


def _root(leaves: Collection[str]) -> str:
    """A name for the result that no leaf has."""
    names = chain(("e", "out", "result"), map("e{}".format, count(2)))
    return next(name for name in names if name not in leaves)


def _count(text: str) -> int:
    """A whole number above 0, for argparse."""
    if not _few_digits(text) or not int(text):
        raise argparse.ArgumentTypeError(
            f"{quoted(text.strip())} is not a whole number above 0, of up to 9 digits"
        )
    return int(text)


def _few_digits(text: str) -> bool:
    """Whether it is a whole number that nothing here would take too long to count to."""
    return text.isdecimal() and len(text) <= 9


def _terms(text: str) -> int:
    """A number of terms, for argparse."""
    if _count(text) > _MOST_TERMS:
        raise argparse.ArgumentTypeError(f"{text} terms are more than the {_MOST_TERMS} it lists")
    return int(text)


def _seed(text: str) -> int:
    """A whole number from 0, for argparse: ``Random(-5)`` draws as ``Random(5)``."""
    if not _few_digits(text):
        raise argparse.ArgumentTypeError(
            f"{quoted(text.strip())} is not a whole number from 0, of up to 9 digits"
        )
    return int(text)


def _read_number(name: str, text: str) -> Number:
    """A float; or exactly, where a fraction ``p/q`` was written."""
    try:
        if "/" in text:
            from fractions import Fraction

            return Fraction(text.replace(" ", ""))
        number = float(text)
    except (ValueError, ZeroDivisionError):
        raise ExpressionError(
            f"{shortened(name)}: {quoted(text)} is not a number such as 0.5, 2 or 1/3"
        ) from None
    if not math.isfinite(number):
        raise ExpressionError(f"{shortened(name)}: {quoted(text)} is not finite")
    return number


def _again(text: str, numbers: Mapping[str, Number], name: str) -> Callable[[float], float]:
    """The expression's value in floats if one name had another number."""

    def again(number: float) -> float:
        leaves = {each: Value(float(other)) for each, other in {**numbers, name: number}.items()}
        return float(record_expression(text, leaves).data)

    return again


# ---- writing the answer


def _heading(run: Run) -> Prose:
    n = run.network.depth
    outputs = [
        f"o[{n}][{j}] = {format_number(run.o(n, j).data)} (t = {format_number(run.t(j).data)})"
        for j in range(1, run.network.sizes[-1] + 1)
    ]
    shown = [*outputs[:_OUTPUTS], "..."] if len(outputs) > _OUTPUTS else outputs
    return Prose((f"e = Σ (t − o)² = {format_number(run.e.data)}, with {', '.join(shown)}",))


def _about(run: Run, derived: Derivation) -> str:
    return f"{to_text([_heading(run)])}\n\n{derived.to_text()}"


def _show(text: str) -> None:
    """Print at once, with nothing invisible, and signs that the terminal cannot encode spelled out.

    What cannot be printed is so known before the next file is written.
    """
    shown = "\n".join(map(visible, text.split("\n")))
    print(plain(shown, ascii_only=not takes_signs(sys.stdout)), flush=True)
