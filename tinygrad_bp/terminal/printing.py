"""How the commands print: results on standard output, what is wrong on standard error; and the exit codes."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from tinygrad_bp.explain.report import Prose
from tinygrad_bp.numbers.text import format_number, plain, takes_signs
from tinygrad_bp.quoting import MESSAGE, shortened, visible

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO, TypeVar

    from tinygrad_bp.network.network import Run

    _T = TypeVar("_T")

BAD_INPUT = 2
FAILED = 1
INTERRUPTED = 130
_OUTPUTS = 4  # of a network, in its heading


def show(text: str) -> None:
    """Print at once, with nothing invisible, and signs that the terminal cannot encode spelled out.

    What cannot be printed is so known before the next file is written.
    """
    shown = "\n".join(map(visible, text.split("\n")))
    print(plain(shown, ascii_only=not takes_signs(sys.stdout)), flush=True)


def complain(program: str, error: object, code: int) -> int:
    """Say in one line what is wrong; returns the code."""
    message = shortened(visible(" ".join(f"{program}: {error}".split())), MESSAGE)
    with suppress(OSError):
        print(message, file=sys.stderr)
    let_go(sys.stderr)
    return code


def let_go(stream: TextIO) -> None:
    """Drop what cannot be written: at its end Python would try again, and complain."""
    try:
        stream.flush()
    except OSError:
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def track(some: Iterable[_T], doing: str, total: int | None = None) -> Iterable[_T]:
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


def run_heading(run: Run) -> Prose:
    """The error of a run, with its outputs and targets."""
    n = run.network.depth
    outputs = [
        f"o[{n}][{j}] = {format_number(run.o(n, j).data)} (t = {format_number(run.t(j).data)})"
        for j in range(1, run.network.sizes[-1] + 1)
    ]
    shown = [*outputs[:_OUTPUTS], "..."] if len(outputs) > _OUTPUTS else outputs
    return Prose((f"e = Σ (t − o)² = {format_number(run.e.data)}, with {', '.join(shown)}",))
