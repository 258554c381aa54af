"""``tinygrad-bp conformance``: is an engine right?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tinygrad_bp.terminal.printing import FAILED, show, track
from tinygrad_bp.terminal.reading import count_of, seed_of

if TYPE_CHECKING:
    import argparse

    from tinygrad_bp.testing.conformance import Suite

NAME = "conformance"
WHAT = "try a scalar autograd engine: each operation in graphs, and named properties of the pass"
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
        "--thorough", action="store_true", help="try more numbers and ten times as many programs"
    )
    command.add_argument(
        "--examples",
        metavar="N",
        type=count_of,
        help="random programs to try; default: 200; thorough: 2000",
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
    show(json.dumps(report.to_dict()) if options.json else f"\n{report}")
    return 0 if report.holds else FAILED


def _tell_findings(suite: Suite, names: tuple[str, ...], *, quiet: bool) -> None:
    """Try the properties, with a line for each that fails as soon as it does."""
    for finding in track(suite.findings(names), "checking", len(names)):
        if finding.verdict == "fails" and not quiet:
            show(f"FAILS {finding.name}: {finding.found}")
