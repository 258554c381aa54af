"""What was typed, as the engine takes it: numbers, an expression, a saved network, places in it.

The options of what several commands take stand here too, beside what reads them.
"""

from __future__ import annotations

import argparse
import math
import unicodedata
from itertools import chain, count
from typing import TYPE_CHECKING

from tinygrad_bp.engine.value import Value
from tinygrad_bp.errors import ExpressionError, NetworkError
from tinygrad_bp.network.network import Network
from tinygrad_bp.numbers.exact import ExactLimit
from tinygrad_bp.numbers.text import to_float
from tinygrad_bp.quoting import first_few, quoted, shortened
from tinygrad_bp.terminal.expressions import names_in, record_expression

if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

    from tinygrad_bp.network.network import Run
    from tinygrad_bp.numbers.kernels import Number

EXAMPLE = '"(t - tanh(w*x - b))**2" w=0.5 x=2 b=0.1 t=1'
NETWORK_EXAMPLE = "net.json --input 0.8,-0.5 --target 0.3,-0.2 --weight 1,2,1"


def add_what(command: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """The options for an expression with its numbers, or a saved network with its input and target."""
    command.add_argument(
        "what",
        metavar="EXPR|NETWORK.json",
        help="what to differentiate",
        nargs="?" if optional else None,
    )
    command.add_argument(
        "values", nargs="*", metavar="NAME=VALUE", help="a value for each name: 0.5, 2 or 1/3"
    )
    command.add_argument("--input", metavar="X1,X2,...", help="the network's input")
    command.add_argument("--target", metavar="T1,T2,...", help="the network's target")


def add_place(command: argparse.ArgumentParser) -> None:
    """The options for one weight or one bias of a network."""
    which = command.add_mutually_exclusive_group()
    which.add_argument("--weight", metavar="I,J,K", help="layer, node, node below; from 1")
    which.add_argument("--bias", metavar="I,J", help="layer, node; from 1")


def add_output(command: argparse.ArgumentParser, what: str, *, required: bool = False) -> None:
    """The options for a file to write."""
    command.add_argument("-o", "--output", metavar="FILE", required=required, help=what)
    command.add_argument(
        "--force", "--overwrite", action="store_true", help="replace FILE if it exists"
    )


def is_network(what: str) -> bool:
    """Whether it names a file with a network, not an expression."""
    return what.lower().endswith(".json")


def read_forward(options: argparse.Namespace) -> Run:
    """The forward pass of the saved network with the input and the target that were given."""
    for name in ("input", "target"):
        if getattr(options, name) is None:
            raise NetworkError(f"a network needs --{name}: numbers with commas between them")
    if options.values:
        raise NetworkError(
            f"{quoted(options.values[0])}: a network takes --input and --target, not names"
        )
    x = [read_number("--input", each) for each in options.input.split(",")]
    t = [read_number("--target", each) for each in options.target.split(",")]
    net = Network.load(options.what)
    with ExactLimit():
        return net.forward(x, t)


def read_run(options: argparse.Namespace) -> tuple[Run, tuple[Any, ...]]:
    """The run, and for what: the indices of a weight or a bias, or a node."""
    node = getattr(options, "node", None)
    if sum(map(bool, (options.weight, options.bias, node))) != 1:
        raise NetworkError(
            "say which weight, as --weight i,j,k, or which bias, as --bias i,j"
            + (", or which node, as --node i,j" if hasattr(options, "node") else "")
        )
    run = read_forward(options)
    if node:
        return run, (run.o(*read_indices("--node I,J", node, 2)),)
    if options.weight:
        return run, read_indices("--weight I,J,K", options.weight, 3)
    return run, read_indices("--bias I,J", options.bias, 2)


def read_indices(option: str, text: str, size: int) -> tuple[int, ...]:
    """So many whole numbers, as of a weight; ``option`` is named where they are not."""
    try:
        indices = tuple(int(each) for each in text.split(","))
    except ValueError:
        indices = ()
    if len(indices) != size:
        raise NetworkError(
            f"{option} takes {size} whole numbers with commas between, not {quoted(text)}"
        )
    return indices


def read_expression(options: argparse.Namespace) -> tuple[dict[str, Value], Value]:
    """The leaves by their names, and the result of the expression."""
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
        values[name] = read_number(name, text)
    wanted = names_in(options.what)
    missing = [name for name in wanted if name not in values]
    if missing:
        raise ExpressionError(
            f"no value for {first_few(missing)}: add {shortened(missing[0])}=NUMBER"
            + " and so on" * (len(missing) > 1)
        )
    leaves = {name: Value(number, name) for name, number in values.items()}
    return leaves, record_expression(options.what, leaves)


def root_name(leaves: Collection[str]) -> str:
    """A name for the result that no leaf has."""
    names = chain(("e", "out", "result"), map("e{}".format, count(2)))
    return next(name for name in names if name not in leaves)


def read_number(name: str, text: str) -> Number:
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
        beyond = any(each in "123456789" for each in text)
        reason = "beyond the range of a float" if beyond else "not finite"
        raise ExpressionError(f"{shortened(name)}: {quoted(text)} is {reason}")
    try:
        return to_float(text)
    except ValueError as error:
        raise ExpressionError(
            f"{shortened(name)}: {quoted(text)} would be changed: {error}; a fraction, as 2/1, is exact"
        ) from None


def count_of(text: str) -> int:
    """A whole number above 0, for argparse."""
    if not is_countable(text) or not int(text):
        raise argparse.ArgumentTypeError(
            f"{quoted(text.strip())} is not a whole number above 0, of up to 9 digits"
        )
    return int(text)


def is_countable(text: str) -> bool:
    """Whether it is a whole number that nothing here would take too long to count to."""
    return text.isdecimal() and len(text) <= 9


def seed_of(text: str) -> int:
    """A whole number from 0, for argparse: ``Random(-5)`` draws as ``Random(5)``."""
    if not is_countable(text):
        raise argparse.ArgumentTypeError(
            f"{quoted(text.strip())} is not a whole number from 0, of up to 9 digits"
        )
    return int(text)
