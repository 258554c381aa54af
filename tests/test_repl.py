"""The REPL as a person has it: lines at a prompt, in a pseudo-terminal and in a pipe."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from fractions import Fraction

import pexpect
import pytest
from hypothesis import given

from tinygrad_bp import (
    ArgumentError,
    ExpressionError,
    Network,
    Value,
    dot,
    maximum,
    relu,
    repl,
    tanh,
)
from tinygrad_bp.cli import main
from tinygrad_bp.graph import names, topological_order
from tinygrad_bp.testing.strategies import programs

COMMAND = [sys.executable, "-m", "tinygrad_bp", "repl"]
NET = Network.random([2, 3, 2], "tanh", seed=7)


def piped(lines, *arguments, **environment):
    return subprocess.run(
        [*COMMAND, *arguments], input="\n".join([*lines, ""]), capture_output=True, text=True,
        encoding="utf-8", env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment}, timeout=60,
    )  # fmt: skip


def answers(done):
    """What each line was answered with."""
    return done.stdout.split(">>> ")[
        len(re.findall(r"^>>> ", done.stdout.split("\n\n")[0], re.MULTILINE)) :
    ]


@pytest.fixture
def terminal(tmp_path):
    children = []

    def start(*arguments, **environment):
        child = pexpect.spawn(
            COMMAND[0], [*COMMAND[1:], *arguments], encoding="utf-8", timeout=30,
            dimensions=(40, 100), cwd=tmp_path,
            env={**os.environ, "TERM": "dumb", "LC_ALL": "C.UTF-8", "IPYTHONDIR": str(tmp_path),
                 "PROMPT_TOOLKIT_NO_CPR": "1", **environment},
        )  # fmt: skip
        children.append(child)
        return child

    yield start
    for child in children:
        child.close(force=True)


@pytest.fixture
def run():
    made = NET.forward([0.8, -0.5], [0.3, -0.2])
    made.e.backward()
    return made


# ---- the session


def test_the_lines_that_it_ran_are_printed_first_and_can_be_pasted_elsewhere():
    done = piped(["e.data, w.grad"])
    assert done.returncode == 0, done.stderr
    heading = done.stdout.partition("\n\n")[0]
    assert heading.splitlines() == [
        ">>> from tinygrad_bp import *",
        ">>> from tinygrad_bp.repl import *",
        '>>> w = Value(0.5, "w")',
        '>>> x = Value(2.0, "x")',
        '>>> b = Value(0.1, "b")',
        '>>> t = Value(1.0, "t")',
        ">>> e = (t - tanh(w*x - b))**2",
        ">>> e.backward()",
    ]
    namespace = {}
    exec("\n".join(line.removeprefix(">>> ") for line in heading.splitlines()), namespace)
    assert f"({namespace['e'].data}, {namespace['w'].grad})" in done.stdout


def test_every_question_that_it_offers_has_an_answer(tmp_path):
    offered = piped([]).stdout
    asked = re.findall(r"(\w+\(e[^)]*\))", offered.partition("\n\n")[2])
    assert {each.partition("(")[0] for each in asked} == {*repl.__all__}
    done = subprocess.run(
        COMMAND, input="\n".join([*asked, ""]), capture_output=True, text=True, cwd=tmp_path,
        encoding="utf-8", env={**os.environ, "PYTHONIOENCODING": "utf-8"}, timeout=60,
    )  # fmt: skip
    assert "Error" not in done.stderr
    assert {each.name for each in tmp_path.iterdir()} == {"e.svg", "e.html"}


def test_names_are_those_of_the_variables_in_the_session():
    done = piped(["c = w * x", "d = c * c", "tree(d)"])
    assert "d = c * c" in done.stdout
    assert "├─ c = w * x" in done.stdout


def test_our_errors_are_one_line_and_others_are_as_in_python():
    done = piped(["log(-w)", "1 / 0", "w.grad"])
    assert "DomainError: log(-0.5) has no value: log needs x > 0, and x is -0.5\n" in done.stderr
    assert done.stderr.count("Traceback") == 1
    assert "ZeroDivisionError: division by zero" in done.stderr
    assert "-0.5525579695794209" in done.stdout


@pytest.mark.parametrize(
    ("text", "values", "lines"),
    [
        ("b = a + a; c = b + b", ["a=1"], ["b = a + a", "c = b + b", "c.backward()"]),
        ("b = a + a; b * b", ["a=1/3"], ["from fractions import Fraction", 'a = Value(Fraction(1, 3), "a")', "e = b * b"]),
        ("2 * pi * e", ["e=3"], ["from math import pi", "out = 2 * pi * e", "out.backward()"]),
        ("max(a, b)", ["a=2", "b=2"], ["""e = record_expression('max(a, b)', {"a": a, "b": b})"""]),
        ("a if a > 0 else -a", ["a=-2"], ["e = a if a > 0 else -a"]),
    ],
)  # fmt: skip
def test_an_expression_becomes_statements(text, values, lines):
    done = piped(["print(steps)"], text, *values)
    assert done.returncode == 0
    for line in lines:
        assert f">>> {line}\n" in done.stdout
    if "max" in text:  # Python's own picks one of them, and a tie is shared
        assert "[0.5, 0.5]" in piped(["[a.grad, b.grad]"], text, *values).stdout


@pytest.mark.parametrize("name", ["lambda", "tanh", "draw", "steps", "Value"])
def test_a_name_that_would_hide_another_is_refused(name, capsys):
    assert main(["repl", f"x * {name}" if name != "lambda" else "x", "x=1", f"{name}=2"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("tinygrad-bp repl: ")
    assert told.count("\n") == 1


def test_bad_input_is_one_line_and_no_session():
    done = piped(["1"], "x * y", "x=1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "tinygrad-bp repl: no value for y: add y=NUMBER\n"
    done = piped(["1"], "1 + 1")
    assert (done.returncode, done.stdout) == (2, "")
    assert "has no names" in done.stderr


def test_a_network_in_the_session(tmp_path):
    NET.save(tmp_path / "net.json")
    lines = [
        "terms(run, 1, 2, 1)",
        "why(run, 2, 1)",
        "run.e.data",
        "check(run, net.w(1, 2, 1)).verdict",
    ]
    file = str(tmp_path / "net.json")
    done = piped(lines, file, "--input", "0.8,-0.5", "--target", "0.3,-0.2")
    assert done.returncode == 0, done.stderr
    assert f">>> net = Network.load({file!r})\n" in done.stdout
    assert ">>> run = net.forward([0.8, -0.5], [0.3, -0.2])\n" in done.stdout
    assert "why(run, 1, 1, 1)" in done.stdout
    assert "2 terms; total " in done.stdout
    assert "de/db[2][1]" in done.stdout
    assert repr(NET.forward([0.8, -0.5], [0.3, -0.2]).e.data) in done.stdout
    assert "'agrees'" in done.stdout


# ---- in a terminal


def test_names_are_completed_with_the_tabulator(terminal):
    child = terminal("--plain")
    child.delaybeforesend = 0.2
    child.expect(">>> $")
    child.sendline("w.gra\t + 1")
    child.expect_exact(["0.4474420304205791", "0.44744203042057"])
    child.expect(">>> $")
    child.sendeof()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_pictures_are_written_beside_one_another(terminal, tmp_path):
    child = terminal("--plain")
    for line, answer in (("draw(e)", "e.svg"), ("draw(e)", "e-2.svg"), ("explore(e)", "e.html")):
        child.expect(">>> $")
        child.sendline(line)
        child.expect_exact(f"wrote {answer}")
    child.expect(">>> $")
    child.sendline("exit()")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert "<svg" in (tmp_path / "e-2.svg").read_text(encoding="utf-8")


def test_an_interrupt_ends_the_line_and_not_the_session(terminal):
    child = terminal("--plain")
    child.expect(">>> $")
    child.sendline("import time; print('be' + 'gun'); time.sleep(60)")
    child.expect_exact("begun")
    child.sendintr()
    child.expect_exact("KeyboardInterrupt")
    child.expect(">>> $")
    child.sendline("w.data")
    child.expect_exact("0.5")


def test_ipython_is_used_where_it_is_installed(terminal):
    pytest.importorskip("IPython")
    child = terminal()
    child.delaybeforesend = 0.5
    child.expect("In .*1.*: ")
    child.sendline("tree(e)")
    child.expect_exact("└─ v4 = t - v3")
    child.expect("In .*2.*: ")
    child.sendline("exit")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_signs_are_spelled_out_where_the_terminal_has_none():
    done = piped(["tree(e)", "why(e, w)", "steps(e)"], PYTHONIOENCODING="ascii", LC_ALL="C")
    assert done.returncode == 0
    assert done.stdout.isascii()
    assert "`- v4 = t - v3" in done.stdout


# ---- the verbs


def test_the_examples_run():
    assert doctest.testmod(repl).attempted > 10
    assert doctest.testmod(repl).failed == 0


@given(programs())
def test_every_number_of_the_tree_is_the_engines(program):
    registers = program.run([*map(Value, program.leaves)])
    e = registers[-1]
    e.backward()
    named = names(topological_order(e), root="e")
    by_name = {name: node for node, name in named.items()}
    lines = repl.tree(e).splitlines()[1:]
    uses = 0
    for line in lines[: repl.LIMIT]:
        name = re.match(r"[│├└─ ]*([^\s=(]+)", line)[1]
        numbers = re.findall(r"(?<=  )-?\d+(?:/\d+)?(?=  |$)", line)
        node = by_name[name]
        if "(see above)" not in line:
            grads = [Fraction(each) for each in numbers[-3:]]
            assert grads[:2] == [node.data, node.grad] or grads[-2:] == [node.data, node.grad]
        uses += line != lines[0]
    if len(lines) < repl.LIMIT:
        assert uses == sum(len(node.parents) for node in named)


def test_terms_of_a_graph_are_its_paths_and_the_number_of_others_is_said():
    x = Value(2.0, "x")
    v = x
    for _ in range(5):
        v = v * v
    shown = repl.terms(v, x, n=3).splitlines()
    assert shown[0].startswith("32 paths; total ")
    assert len(shown) == 5
    assert shown[-1] == "... and 29 more"
    assert shown[1].startswith("+2.14748e+09 = 65536 · 256 · 16 · 4 · 2  ")
    assert repl.terms(x, x).splitlines()[1].startswith("+1 = 1  ")


def test_terms_of_a_network_are_the_notes(run):
    shown = repl.terms(run, 1, 2, 1).splitlines()
    found = run.terms(1, 2, 1)
    assert len(shown) == 1 + len(found)
    values = sorted(float(line.partition(" = ")[0]) for line in shown[1:])
    assert values == pytest.approx(sorted(term.value for term in found), rel=1e-5)
    assert len(repl.terms(run, 1, 2).splitlines()) == 1 + len(run.bias_terms(1, 2))
    assert repl.terms(run, NET.w(1, 2, 1)).splitlines()[0].startswith("2 paths; ")


@pytest.mark.parametrize("verb", [repl.tree, repl.steps, repl.order, repl.draw, repl.explore])
def test_what_is_no_result_is_refused(verb):
    with pytest.raises(ArgumentError, match="it takes a result or a run of a network, not 3"):
        verb(3)


def test_arguments_that_say_nothing_are_refused(run):
    x = Value(2.0)
    with pytest.raises(ArgumentError, match="takes a result and one node"):
        repl.terms(x * x)
    with pytest.raises(ArgumentError, match="takes the indices of a weight"):
        repl.terms(run, 1)
    with pytest.raises(ArgumentError, match="was not made of"):
        repl.check(x * x, Value(3.0))


def test_check_holds_a_recorded_graph_to_its_values(run):
    a, b = Value(0.5, "a"), Value(2.0, "b")
    e = dot([a, b], [b, 3.0]) * tanh(a) + maximum(a, b) ** 2
    report = repl.check(e)
    assert report.verdict == "agrees"
    assert [row.argument for row in report.rows] == ["a", "b"]
    e.backward()
    assert [row.given for row in report.rows] == pytest.approx([a.grad, b.grad], rel=1e-14)
    assert repl.check(relu(Value(0.0))).verdict == "inconclusive"
    assert repl.check(run).verdict == "agrees"


def test_check_of_many_leaves_asks_which():
    leaves = [Value(float(n)) for n in range(60)]
    e = sum(leaf * leaf for leaf in leaves)
    with pytest.raises(ArgumentError, match=r"there are 60 leaves: say which, as check\(e, w, b\)"):
        repl.check(e)
    assert repl.check(e, leaves[3]).rows[0].given == 6.0


def test_large_graphs_are_cut_and_their_size_is_said():
    v = x = Value(1.0)
    for _ in range(500):
        v = v + x
    for verb, what in ((repl.tree, "rows"), (repl.steps, "steps"), (repl.order, "nodes")):
        lines = verb(v).splitlines()
        assert len(lines) <= repl.LIMIT + 2
        assert re.fullmatch(rf"\.\.\. [\d,]+ {what} in all", lines[-1])


def test_a_session_of_an_expression_says_what_it_calls_things():
    session = repl.expression_session("a * a", {"a": Value(2.0)}, "e")
    assert (session.e, session.w) == ("e", "e, a")
    with pytest.raises(ExpressionError, match="tanh has a meaning of its own"):
        repl.expression_session("tanh * 2", {"tanh": Value(2.0)}, "e")


def test_a_picture_is_named_after_what_it_shows(tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    assert repl.draw(run) == "wrote network.svg"
    assert repl.draw(run, 1, 2, 1) == "wrote network-2.svg"
    assert repl.explore(run, 1, 2, 1, file="page.html") == "wrote page.html"
    assert repl.draw(Value(2.0, "../up") * 2.0) == "wrote e.svg"
    assert repl.draw(Value(2.0, "../up")) == "wrote graph.svg"
    assert {each.name for each in tmp_path.iterdir()} == {
        *("network.svg", "network-2.svg", "page.html", "e.svg", "graph.svg")
    }
