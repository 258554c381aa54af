"""Generated code is found by `inspect`, by tracebacks and by debuggers."""

from __future__ import annotations

import inspect
import linecache
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

import tinygrad_bp
from tinygrad_bp import RULES, DataError, DomainError, Value, primitive, tanh
from tinygrad_bp.engine.operations import FUNCTIONS
from tinygrad_bp.sources import file_name


def test_the_source_of_an_operator_can_be_read():
    source = inspect.getsource(Value.__mul__)
    assert source.startswith("def left(a, b):")
    assert "out = x * y" in source
    assert inspect.getsource(Value.__rmul__).startswith("def right(b, a):")


@pytest.mark.parametrize("name", RULES)
def test_the_source_of_every_row_can_be_read(name):
    source = inspect.getsource(FUNCTIONS[name])
    assert source.startswith("def function(a")
    if name in ("exp", "sinh", "square"):
        assert RULES[name].derivatives[0] in source


def lines_through(call):
    """The lines of the traceback of an error, with those of generated code."""
    with pytest.raises((DataError, DomainError)) as caught:
        call()
    return [
        (frame.filename, frame.line)
        for frame in traceback.extract_tb(caught.tb)
        if frame.filename.startswith("<")
    ]


def test_a_traceback_shows_the_line_of_generated_code():
    (file, line), *_ = lines_through(lambda: tanh("no number"))
    assert file.startswith("<float: tanh")
    assert line == "return otherwise(rule, a)"
    (_, line), *_ = lines_through(lambda: Value(1.0) / 0.0)
    assert line == "return otherwise(rule, a, b)"
    own = primitive("own\nname\0", "x * x", ("2.0 * x",), domain="x > 0.0")
    assert own(Value(1.0)).data == 1.0
    files = [file for file in linecache.cache if "ownU+000AnameU+0000" in file]
    assert {linecache.getline(file, 2).strip() for file in files} == {
        "return x > 0.0",
        "out = x * x",
    }


def test_an_error_within_a_row_s_own_code_shows_its_expression():
    broken = primitive("broken", "x * y", ("y", "x"))

    class Strange(float):
        def __mul__(self, other):
            raise RuntimeError("strange")

    with pytest.raises(RuntimeError) as caught:
        broken(Value(Strange(2.0)), Value(3.0))
    last = [each for each in traceback.extract_tb(caught.tb) if each.filename.startswith("<")][-1]
    assert (last.filename, last.line) == ("<float: broken>", "out = x * y")


def test_a_text_has_one_name_and_another_text_another():
    one, two = "def f(): return 1\n", "def f(): return 2\n"
    names = [file_name(text, "a test of names") for text in (one, two, one, two)]
    assert names[0] == names[2] == "<a test of names>"
    assert names[1] == names[3] != names[0]
    assert linecache.getlines(names[0]) == [one]
    assert linecache.getlines(names[1]) == [two]


LATER = """
import sys
sys.path.insert(0, {path!r})
from tinygrad_bp import Value
x = Value(3.0)
(x * x).backward()
assert "linecache" not in sys.modules
import inspect
print(inspect.getsource(Value.__mul__))
assert not [each for each in sys.meta_path if "sources" in type(each).__module__]
"""


def test_what_was_made_before_anyone_could_ask_is_found_too():
    program = LATER.format(path=str(Path(tinygrad_bp.__file__).parent.parent))
    command = [sys.executable, "-I", "-S", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "out = x * y" in done.stdout
