"""The commands of `tinygrad-bp`: as programs, or in this process, which takes a tenth of the time."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from unittest import mock

from depth import depth

from tinygrad_bp import cli

PROGRAM = [sys.executable, "-m", "tinygrad_bp"]
OF_THE_TERMINAL = {"COLUMNS", "LINES"}  # in which the tests run


def run_program(*arguments, cwd=None, **environment):
    """Run a command as a person does; what it prints is kept."""
    inherited = {name: each for name, each in os.environ.items() if name not in OF_THE_TERMINAL}
    return subprocess.run(
        [*PROGRAM, *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=cwd,
        env={**inherited, "PYTHONIOENCODING": "utf-8", **environment},
        timeout=60,
    )


def run_here(*arguments, cwd=None, **environment):
    """The same in this process, unless Python has to start with another environment."""
    if environment:
        return run_program(*arguments, cwd=cwd, **environment)
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2)]
    with (
        contextlib.redirect_stdout(streams[0]),
        contextlib.redirect_stderr(streams[1]),
        contextlib.chdir(cwd or "."),
        mock.patch.dict(os.environ),
        mock.patch("sys.stdin", io.StringIO()),
    ):
        for name in OF_THE_TERMINAL:
            os.environ.pop(name, None)
        try:
            code = cli.main(arguments)
        except SystemExit as ended:
            code = ended.code
    for stream in streams:
        stream.flush()
    out, err = (stream.buffer.getvalue().decode() for stream in streams)
    return subprocess.CompletedProcess([*PROGRAM, *arguments], code, out, err)


run = depth(run_program, by_default=run_here)
"""How most tests run a command."""
