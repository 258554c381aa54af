"""How Hypothesis runs, and terminals for the tests that need one.

The same examples everywhere, so that a run says something of the code alone;
``pytest --hypothesis-profile=search`` looks for new ones instead.
"""

import os
import signal

import pexpect
import pytest
from hypothesis import settings

settings.register_profile("same", deadline=None, derandomize=True, database=None)
settings.register_profile("search", deadline=None)
settings.load_profile("same")


os.environ.setdefault("FUZZ_SEED", "1986")


def pytest_terminal_summary(terminalreporter):
    """Say with which seed test_fuzz.py drew its inputs, however the processes share the work."""
    reports = [each for some in terminalreporter.stats.values() for each in some]
    if any("test_fuzz.py" in getattr(each, "nodeid", "") for each in reports):
        seed = os.environ["FUZZ_SEED"]
        terminalreporter.write_line(f"inputs of test_fuzz.py drawn with FUZZ_SEED={seed}")


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
