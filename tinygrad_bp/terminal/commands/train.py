"""``tinygrad-bp train``: a network learns from a table."""

from __future__ import annotations

import argparse
import csv
import json
import shlex
from contextlib import suppress
from typing import TYPE_CHECKING

from tinygrad_bp.errors import ArgumentError, BackpropError
from tinygrad_bp.files import check_free, read_whole
from tinygrad_bp.network.network import Network
from tinygrad_bp.quoting import quoted, visible
from tinygrad_bp.terminal.printing import INTERRUPTED, complain, show, track
from tinygrad_bp.terminal.reading import (
    add_output,
    count_of,
    is_countable,
    is_network,
    read_number,
    seed_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinygrad_bp.network.samples import Dataset
    from tinygrad_bp.training import Trainer

NAME = "train"
WHAT = "train a network on a table of numbers, by the note's update after each sample"
EXAMPLES = (
    "  tinygrad-bp train iris --held-out 0.2 -o net.json\n"
    "  tinygrad-bp train data.csv --hidden 8,4 --activation relu --eta 0.01 --epochs 200\n"
    "  tinygrad-bp train data.csv --inputs a,b --targets sum --hidden none\n"
    "  tinygrad-bp train iris --held-out 0.2 --from net.json -o better.json"
)
_TABLE = 4_000_000  # bytes; a table takes fifty times as much memory
_TYPED = 16  # numbers, in a command to try


def add_options(command: argparse.ArgumentParser) -> None:
    """What it takes."""
    command.add_argument(
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
        command.add_argument(f"--{name}", metavar=metavar, help=what)
    command.add_argument(
        "--from",
        dest="start",
        metavar="NETWORK.json",
        help="go on with a saved network; with the same --held-out and --seed, those stay held out",
    )
    command.add_argument("--classes", action="store_true", help="the target's numbers name classes")
    command.add_argument(
        "--header",
        action=argparse.BooleanOptionalAction,
        help="the first line has the names of the columns, or is a sample; needed where it may be both",
    )
    command.add_argument(
        "--delimiter", metavar="SIGN", help="what stands between columns: ',', ';', tab, blank, ..."
    )
    command.add_argument(
        "--skip-missing",
        action="store_true",
        help="leave out the lines where a chosen column has no value: an empty cell, nan, NA, ?, ...",
    )
    command.add_argument(
        "--eta", metavar="NUMBER", default="0.05", help="learning rate; default: 0.05"
    )
    command.add_argument(
        "--epochs",
        metavar="N",
        type=count_of,
        default=60,
        help="times through the table; default: 60",
    )
    command.add_argument(
        "--seed", metavar="N", type=seed_of, default=0, help="other weights and orders; default: 0"
    )
    command.add_argument(
        "--held-out",
        metavar="SHARE",
        default="0",
        help="of the samples, not trained on; default: 0",
    )
    add_output(command, "write the network: a new .json")
    command.add_argument("--json", action="store_true", help="print the errors as JSON")


def run(options: argparse.Namespace) -> int:
    """Train, save and tell; returns the exit code."""
    from tinygrad_bp.training import Trainer

    if options.output is not None:
        if not is_network(options.output):
            raise ArgumentError(f"cannot write {quoted(options.output)}: a network is a .json")
        check_free(options.output, overwrite=options.force)
    if options.start is not None and (options.hidden, options.activation) != (None, None):
        raise ArgumentError("a network of --from has its layers: leave --hidden, --activation out")
    trainer = Trainer(
        _read_table(options),
        None if options.start is None else Network.load(options.start),
        hidden=_read_sizes(options.hidden),
        activation=options.activation or "",
        share=read_number("--held-out", options.held_out),
        eta=read_number("--eta", options.eta),
        seed=options.seed,
    )
    learning = trainer.learn(options.epochs)
    if not options.json:
        with suppress(BrokenPipeError):  # the network is still to be learned
            show(trainer.about() + "\n")
    code = 0
    try:
        for _ in track(learning, "training", options.epochs):
            pass
    except KeyboardInterrupt:  # what was learned is kept
        code = complain(
            "tinygrad-bp train", f"interrupted after epoch {trainer.epoch}", INTERRUPTED
        )
    except BackpropError:
        if trainer.rows and not options.json:
            show(trainer.report())
        raise
    try:
        if options.output is not None:
            trainer.net.save(options.output, overwrite=options.force)
    finally:  # what was learned is told, whether it could be written or not
        trainer.measure()
        show(json.dumps(trainer.to_dict()) if options.json else trainer.report())
    if options.output is not None and not options.json:
        show(f"\nwrote {visible(options.output)}{_to_try(trainer, options.output)}")
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
    from tinygrad_bp.network.delimited import decode
    from tinygrad_bp.network.samples import iris_text, read_samples

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
    if not all(is_countable(each.strip()) and int(each) for each in sizes):
        raise ArgumentError(f"--hidden: {quoted(text)} is not none, nor sizes such as 5 or 8,4")
    return tuple(map(int, sizes))
