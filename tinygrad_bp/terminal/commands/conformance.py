"""``tinygrad-bp conformance``: is an engine right?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tinygrad_bp.errors import ArgumentError
from tinygrad_bp.quoting import quoted
from tinygrad_bp.terminal.printing import FAILED, show, track
from tinygrad_bp.terminal.reading import count_of, seed_of

if TYPE_CHECKING:
    import argparse

NAME = "conformance"
WHAT = "try a scalar autograd engine on random programs with exact answers, and on named properties"
EXAMPLES = (
    "  tinygrad-bp conformance micrograd.engine:Value\n"
    "  tinygrad-bp conformance scalar:Scalar --grad derivative --json\n"
    '  tinygrad-bp conformance engine:Value --skip "deep graph" --skip "no cycles"'
)


def add_options(command: argparse.ArgumentParser) -> None:
    """What it takes."""
    command.add_argument(
        "engine",
        metavar="MODULE:NAME",
        help="a class of nodes, or an Engine that says how to use one",
    )
    for name, default, what in (
        ("data", "data", "the attribute with a node's number"),
        ("grad", "grad", "the attribute with its gradient"),
        ("backward", "backward", "the method that runs the pass"),
    ):
        command.add_argument(f"--{name}", metavar="NAME", help=f"{what}; default: {default}")
    command.add_argument(
        "--bits", metavar="N", type=count_of, help="of the engine's floats; default: 53; single: 24"
    )
    command.add_argument(
        "--examples",
        metavar="N",
        type=count_of,
        help="programs to try for each property; default: 200",
    )
    command.add_argument(
        "--seed",
        metavar="N",
        type=seed_of,
        default=0,
        help="other programs for another N; default: 0",
    )
    command.add_argument(
        "--skip",
        metavar="NAME",
        action="append",
        default=[],
        help="leave a property out; may be repeated",
    )
    command.add_argument("--json", action="store_true", help="print the report as JSON")


def run(options: argparse.Namespace) -> int:
    """Print the report; returns 1 where a property fails."""
    try:
        from tinygrad_bp.testing.conformance import EXAMPLES, Report, Suite, load
    except ModuleNotFoundError as error:
        raise ArgumentError(f"it needs {error.name}: pip install 'tinygrad-bp[test]'") from None
    named = {name: getattr(options, name) for name in ("data", "grad", "backward", "bits")}
    engine = load(options.engine, **{name: each for name, each in named.items() if each})
    suite = Suite(engine, options.examples or EXAMPLES, options.seed)
    unknown = [name for name in options.skip if name not in suite.names]
    if unknown:
        raise ArgumentError(f"--skip: {quoted(unknown[0])} is none of {', '.join(suite.names)}")
    names = [name for name in suite.names if name not in options.skip]
    report = Report(engine.name, tuple(map(suite.check, track(names, "checking"))))
    show(json.dumps(report.to_dict()) if options.json else str(report))
    return 0 if report.holds else FAILED
