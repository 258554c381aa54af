"""What a type checker knows of the package, as a user's editor asks it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import tinygrad_bp
from tinygrad_bp import RULES, Value
from tinygrad_bp.engine import functions
from tinygrad_bp.table.rules import FUNCTION_NAMES

ROOT = Path(tinygrad_bp.__file__).parent.parent

PROGRAM = """
import tinygrad_bp
from tinygrad_bp import Value, dot, exp, maximum, where
from tinygrad_bp import tahn  # error: attr-defined
from tinygrad_bp import *
v = Value(1.0)
reveal_type(exp(v))  # note: Value
reveal_type(exp(1.0))  # note: Any
reveal_type(maximum(v, 2.0))  # note: Value
reveal_type(maximum(2.0, v))  # note: Value
reveal_type(dot([v, 1.0], (2.0, v)))  # note: Any
reveal_type(tinygrad_bp.sigmoid(v))  # note: Value
reveal_type(cos(v))  # note: Value
reveal_type(v.relu())  # note: Value
reveal_type(v.maximum(0.0))  # note: Value
reveal_type(abs(2.0 * v - 1.0) ** 2)  # note: Value
exp()  # error: call-overload
exp(v, v)  # error: call-overload
dot([v])  # error: call-arg
v.tahn()  # error: attr-defined
v.maximum()  # error: call-arg
tinygrad_bp.sigmiod(v)  # error: attr-defined
"""


def test_the_public_names_are_written_out():
    assert {*functions.__all__} <= {*tinygrad_bp.__all__}
    assert {*FUNCTION_NAMES} - {*tinygrad_bp.__all__} == {"abs", "neg"}
    assert all(hasattr(tinygrad_bp, name) for name in tinygrad_bp.__all__)


def test_every_declared_method_is_there():
    for name in FUNCTION_NAMES:
        assert hasattr(Value, name) == (not RULES[name].variadic), name


@pytest.mark.skipif(
    find_spec("mypy") is None and not os.environ.get("CI"), reason="needs mypy: pip install mypy"
)
def test_a_type_checker_knows_every_function_and_no_other(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "program.py"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT)},  # an editable install is not seen
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    error = r"^program.py:(\d+): (error): .*\[([\w-]+)\]$"
    revealed = r"^program.py:(\d+): (note): Revealed .*?(\w+)\"$"
    found = re.findall(error, done.stdout, re.MULTILINE) + re.findall(
        revealed, done.stdout, re.MULTILINE
    )
    lines = enumerate(PROGRAM.splitlines(), 1)
    said = [(n, re.search(r"# (error|note): (\S+)$", line)) for n, line in lines]
    assert {*found} == {(str(n), *match.groups()) for n, match in said if match}, done.stdout
