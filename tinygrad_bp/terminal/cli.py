"""The command line: finds the command, runs it, and says in one line what went wrong.

Bad input ends in one line on standard error and a non-zero exit code; nothing else is left behind.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tinygrad_bp import __version__
from tinygrad_bp.errors import BackpropError, DrawingError
from tinygrad_bp.terminal.commands import COMMANDS
from tinygrad_bp.terminal.printing import BAD_INPUT, FAILED, INTERRUPTED, complain, let_go

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

EPILOG = """\
exit codes: 0 done; 1 a file could not be read or written, a picture not be drawn, or a property of an
engine fails; 2 bad input; 130 interrupted"""


class _Parser(argparse.ArgumentParser):
    """Reports what is wrong in one line."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the options, and end."""
        sys.exit(complain(self.prog, f"{message}; see {self.prog} --help", BAD_INPUT))

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """End, after a help or a version."""
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
        return complain(program, error, FAILED)
    except (BackpropError, IndexError, ArithmeticError, ValueError) as error:
        return complain(program, error, BAD_INPUT)
    except OSError as error:  # of a file, or of the output
        let_go(sys.stdout)
        if isinstance(error, BrokenPipeError):  # the reader, as `head`, had enough
            return 0
        return complain(program, error, FAILED)
    except (MemoryError, RecursionError) as error:
        lacking = "memory" if isinstance(error, MemoryError) else "stack"
        return complain(program, f"this is too large: there is not enough {lacking}", FAILED)
    except KeyboardInterrupt:
        return complain(program, "interrupted", INTERRUPTED)
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


def _run(options: argparse.Namespace) -> int:
    """Run the command; what it warns of is said on a line of its own, without a place in the code.

    It is said when there is a result that it is about: of what is refused, the error says all.  In a session
    it is said at once.
    """
    held: list[object] = []

    def say(message: object, *_: object, **__: object) -> None:
        complain(f"tinygrad-bp {options.command}", f"warning: {message}", 0)

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


@cache  # for who runs many commands in one process
def _build_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="tinygrad-bp",
        description="Back-propagation made visible: gradients as sums over paths.",
        epilog=EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"tinygrad-bp {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for each in COMMANDS:
        command = commands.add_parser(
            each.NAME,
            help=each.WHAT,
            description=each.WHAT[0].upper() + each.WHAT[1:] + ".",
            epilog=f"examples:\n{each.EXAMPLES}\n\n{EPILOG}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.set_defaults(run=each.run)
        each.add_options(command)
    return parser
