"""Terminals for the tests that need one."""

import os
import signal

import pexpect
import pytest

_THEIRS = ("COLUMNS", "LINES", "NO_COLOR")  # of the terminal in which the tests run


@pytest.fixture
def pseudo_terminal():
    """Starts commands, each in a terminal of its own, which is closed when the test ends."""
    children = []

    def start(command, *, rows=40, columns=100, cwd=None, **environment):
        inherited = {name: each for name, each in os.environ.items() if name not in _THEIRS}
        child = pexpect.spawn(
            command[0],
            command[1:],
            encoding="utf-8",
            timeout=30,
            dimensions=(rows, columns),
            cwd=cwd,
            env={**inherited, "LC_ALL": "C.UTF-8", **environment},
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # jobs may ignore it
        )
        children.append(child)
        return child

    yield start
    for child in children:
        child.close(force=True)
