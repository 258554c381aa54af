"""The REPL as a person has it: lines at a prompt, in a pseudo-terminal and in a pipe."""

from __future__ import annotations

import doctest
import io
import os
import re
import shlex
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pexpect
import pytest
from hypothesis import given

import viz
from tinygrad_bp import (
    ArgumentError,
    ExpressionError,
    GradientError,
    Network,
    StaleGraphError,
    Value,
    dot,
    maximum,
    primitive,
    relu,
    tanh,
)
from tinygrad_bp.engine.graph import topological_order
from tinygrad_bp.engine.names import names
from tinygrad_bp.terminal import repl
from tinygrad_bp.terminal.cli import main
from tinygrad_bp.terminal.expressions import record_expression
from tinygrad_bp.testing.strategies import programs

COMMAND = [sys.executable, "-m", "tinygrad_bp", "repl"]
NET = Network.random([2, 3, 2], "tanh", seed=7)


def piped(lines, *arguments, **environment):
    return subprocess.run(
        [*COMMAND, *arguments], input="\n".join([*lines, ""]), capture_output=True, text=True,
        encoding="utf-8", env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment}, timeout=60,
    )  # fmt: skip


@pytest.fixture
def piped_network(tmp_path):
    """Runs lines in a session of the saved network."""
    file = str(tmp_path / "net.json")
    NET.save(file)
    options = [file, "--input", "0.8,-0.5", "--target", "0.3,-0.2"]
    return lambda lines: (piped(lines, *options), file)


@pytest.fixture
def terminal(pseudo_terminal, tmp_path):
    def start(*arguments):
        plain = {"TERM": "dumb", "IPYTHONDIR": str(tmp_path), "PROMPT_TOOLKIT_NO_CPR": "1"}
        return pseudo_terminal([*COMMAND, *arguments], cwd=tmp_path, **plain)

    return start


@pytest.fixture
def run():
    for leaf in NET.parameters():
        leaf.grad = 0
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


def test_errors_that_say_what_to_do_are_one_line(piped_network, tmp_path):
    (tmp_path / "there.svg").touch()
    lines = [
        f"draw(run, file={str(tmp_path / 'there.svg')!r})",
        "draw(run, file='/nowhere/e.svg')",
        "terms(run, 9, 1, 1)",
        "explore(run, 1)",
        "why(run)",
        "check(3)",
        "tree(3)",
    ]
    done, _ = piped_network(lines)
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == len(lines)
    assert "explore of a run takes i, j, k of a weight" in done.stderr
    assert "why(e, w) takes a result and a node that it was made of, not nothing" in done.stderr
    assert "check takes a result or a run of a network, not 3" in done.stderr


@pytest.mark.parametrize(
    ("text", "values", "lines"),
    [
        ("b = a + a; c = b + b", ["a=1"], ["b = a + a", "c = b + b", "c.backward()"]),
        ("b = a + a; b * b", ["a=1/3"], ["from fractions import Fraction", 'a = Value(Fraction(1, 3), "a")', "e = b * b"]),
        ("2 * pi * e", ["e=3"], ["from math import pi", "out = 2 * pi * e", "out.backward()"]),
        ("max(a, b)", ["a=2", "b=2"], ["""e = record_expression('max(a, b)', {"a": a, "b": b})"""]),
        ("1/3*x", ["x=0.5"], ["e = 1/3*x"]),
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


@pytest.mark.parametrize(
    "name", ["tanh", "draw", "steps", "Value", "print", "exit", "__builtins__", "Fraction"]
)
def test_a_name_that_would_hide_another_is_refused(name, capsys):
    assert main(["repl", f"x * {name}", "x=1", f"{name}=2"]) == 2
    told = capsys.readouterr().err
    assert told == f"tinygrad-bp repl: {name} has a meaning of its own here: choose another name\n"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a if a == 1 else 5*a", {"a": 1.0}),
        ("x if 0 < x != 1 else 2*x", {"x": 1.0}),
        ("neg(x) + abs(x)", {"x": 2.0}),
        ("b = x*x; 3", {"x": 1.0}),
        ("3 if x > 0 else x", {"x": 1.0}),
        ("e = x*x; e + 1", {"x": 2.0}),
        ("e*out*result*e2", {"e": 1.0, "out": 2.0, "result": 3.0, "e2": 4.0}),
        ("max(a, b) + min(a, b) + pow(a, 2) + fsum(a, b, 1) + logsumexp(a, b)", {"a": 1.0, "b": 1.0}),
        ("max*x", {"max_": 1.0, "x": 1.0, "max": 2.0}),
        ("0 + x", {"x": 1.0}),
        ("b = 2; b*x", {"x": 1.0}),
        ("a*x + pi", {"a": Fraction(1, 3), "x": 1.0}),
        ("sigmoid(softplus(x)) / hypot(x, y) ** 2 - maximum(x, y)", {"x": 0.5, "y": 2.0}),
    ],
)  # fmt: skip
def test_a_session_records_what_the_expression_means(text, values):
    leaves = {name: Value(number, name) for name, number in values.items()}
    try:
        session = repl.expression_session(text, leaves, "e" if "e" not in leaves else "e3")
    except ExpressionError:
        assert "max*x" in text  # a builtin
        return
    namespace = {}
    exec("\n".join(session.lines), namespace)
    recorded = record_expression(text, leaves)
    recorded.backward()
    made = namespace[session.e]
    assert made.data == recorded.data
    assert [node.op for node in topological_order(made)] == [
        node.op for node in topological_order(recorded)
    ]
    assert [namespace[name].grad for name in leaves] == [leaf.grad for leaf in leaves.values()]


def test_the_letter_on_the_keyboard_is_the_letter_of_the_expression():
    done = piped(["µ.grad"], "µ*x", "µ=1", "x=2")
    assert done.returncode == 0, done.stderr
    assert ">>> 2.0\n" in done.stdout


def test_the_main_module_of_others_is_theirs_again_when_the_session_ends(monkeypatch, capsys):
    before = sys.modules["__main__"]
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)  # IPython leaves one of its own
    monkeypatch.setattr(sys, "stdin", io.StringIO("import __main__; __main__.w.data\n"))
    assert main(["repl", "--plain"]) == 0
    assert capsys.readouterr().out.endswith(">>> 0.5\n>>> ")
    assert sys.modules["__main__"] is before


def test_only_a_gradient_that_there_is_is_offered():
    assert "why(e, x)" in piped([], "x*x", "y=1", "x=2").stdout


@pytest.mark.parametrize("closed", ["<&-", ">&-"])
def test_a_session_without_a_terminal_ends(closed):
    command = f"{' '.join(map(shlex.quote, COMMAND))} --plain {closed} 2>&1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stdout + done.stderr


def test_bad_input_is_one_line_and_no_session():
    done = piped(["1"], "x * y", "x=1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "tinygrad-bp repl: no value for y: add y=NUMBER\n"
    done = piped(["1"], "1 + 1")
    assert (done.returncode, done.stdout) == (2, "")
    assert "has no names" in done.stderr


def test_a_network_in_the_session(piped_network):
    lines = [
        "terms(run, 1, 2, 1)",
        "why(run, 2, 1)",
        "run.e.data",
        "check(run, net.w(1, 2, 1)).verdict",
    ]
    done, file = piped_network(lines)
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
    child.expect_exact("0.44744203042057906")
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
    child.sendline("log(-w)")
    child.expect_exact("DomainError: log(-0.5) has no value")
    child.expect("In .*3.*: ")
    assert "Traceback" not in child.before
    child.sendline("exit")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_signs_are_spelled_out_where_the_terminal_has_none():
    done = piped(
        ["tree(e)", "why(e, w)", "steps(e)", "terms(e, w)"], PYTHONIOENCODING="ascii", LC_ALL="C"
    )
    assert done.returncode == 0
    assert done.stdout.isascii()
    assert not re.search(r"\\[ux]", done.stdout)
    assert "`- v4 = t - v3" in done.stdout


# ---- the verbs


def test_the_examples_run():
    assert doctest.testmod(repl).attempted > 10
    assert doctest.testmod(repl).failed == 0


@given(programs(max_size=6))
def test_every_number_of_the_tree_is_the_engines(program):
    registers = program.run([*map(Value, program.leaves)])
    e = registers[-1]
    e.backward()
    named = names(topological_order(e), root="e")
    heading, *lines = repl.tree(e).splitlines()
    ends = [heading.index(each) + len(each) for each in ("data", "grad", "local")]
    expected = []
    pending, seen = [(e, None)], set()
    while pending:
        node, local = pending.pop()
        numbers = ["", ""] if node in seen else [str(node.data), str(node.grad)]
        expected.append([named[node], *map(cut, numbers), "" if local is None else cut(str(local))])
        if node not in seen:
            seen.add(node)
            pending += reversed([*zip(node.parents, node.local_derivatives, strict=True)])
    found = []
    for line in lines[: repl.LIMIT]:
        name = re.match(r"[│├└─ ]*([^\s=(]+)", line)[1]
        cells = [re.search(r"(?:  (\S+))?$", line.ljust(ends[-1])[:end])[1] or "" for end in ends]
        found.append([name, *cells])
    assert found == expected[: repl.LIMIT]


def cut(text):
    return text if len(text) <= 24 else f"{text[:21]}..."


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
    y = Value(-2.0, "y")
    assert repl.terms(y * x * y, x).splitlines()[1].startswith("+4 = -2 · (-2)  ")
    assert repl.terms(x, x).splitlines()[1].startswith("+1 = 1  ")


def test_terms_of_a_network_are_the_notes(run):
    shown = repl.terms(run, 1, 2, 1).splitlines()
    found = run.terms(1, 2, 1)
    assert len(shown) == 1 + len(found)
    values = sorted(float(line.partition(" = ")[0]) for line in shown[1:])
    assert values == pytest.approx(sorted(term.value for term in found), rel=1e-5)
    assert len(repl.terms(run, 1, 2).splitlines()) == 1 + len(run.bias_terms(1, 2))
    assert repl.terms(run, NET.w(1, 2, 1)).splitlines()[0].startswith("2 paths; ")
    assert shown[0] == f"2 terms; total {NET.w(1, 2, 1).grad:.6g}"
    assert repl.terms(run, 1, 2, 1, n=1).splitlines()[2] == "... and 1 more"


@pytest.mark.parametrize("verb", [repl.tree, repl.steps, repl.order, repl.draw, repl.explore])
def test_what_is_no_result_is_refused(verb):
    with pytest.raises(ArgumentError, match="takes a result or a run of a network, not 3"):
        verb(3)


def test_arguments_that_say_nothing_are_refused(run):
    x, y = Value(2.0, "x"), Value(3.0, "y")
    for verb in (repl.terms, repl.why):
        with pytest.raises(ArgumentError, match="takes a result and a node"):
            verb(x * x)
        with pytest.raises(ArgumentError, match="is none of what it was made of; its leaves are x"):
            verb(x * x, y)
    with pytest.raises(ArgumentError, match="is none of what it was made of"):
        repl.check(x * x, y)
    with pytest.raises(ArgumentError, match="takes i, j, k of a weight"):
        repl.terms(run, 1)
    for verb in (repl.draw, repl.explore):
        with pytest.raises(ArgumentError, match="of a result takes nothing more"):
            verb(x * x, x)


def test_check_holds_a_recorded_graph_to_its_values(run):
    a, b = Value(0.5, "a"), Value(2.0, "b")
    e = dot([a, b], [b, 3.0]) * tanh(a) + maximum(a, b) ** 2
    report = repl.check(e)
    assert report.verdict == "agrees"
    assert [row.argument for row in report.rows] == ["a", "b"]
    e.backward()
    assert [row.given for row in report.rows] == [a.grad, b.grad]
    assert len(repl.check(e, a, a).rows) == 1
    assert repl.check(relu(Value(0.0))).verdict == "inconclusive"
    assert repl.check(run).verdict == "agrees"
    assert repl.check(run, 1, 2, 1).rows[0].given == NET.w(1, 2, 1).grad


def test_check_tells_a_wrong_derivative_of_a_recorded_graph():
    wrong = primitive("wrong", lambda x: x * x, (lambda x, out: 3 * x,))
    w = Value(0.5, "w")
    with pytest.raises(GradientError) as caught:
        repl.check(wrong(w) + w)
    assert str(caught.value).startswith(
        "the derivative of e for w is given as 2.5, but by differences it is 2.0"
    )
    assert [row.argument for row in caught.value.report.rows] == ["w"]


def test_check_does_not_speak_of_a_graph_that_no_longer_is():
    w = Value(0.5, "w")
    e = w * w
    w.data = 0.7
    with pytest.raises(
        StaleGraphError, match="e was recorded from other data than its operands have now"
    ):
        repl.check(e)
    net = Network.random([2, 2, 1], "tanh", seed=3)
    run = net.forward([0.5, -0.5], [0.1])
    run.e.backward()
    before = net.w(1, 1, 1).grad
    net.descend(0.1)
    assert repl.check(run, 1, 1, 1).rows[0].given == before
    assert repl.check(run, 1, 1, 1).verdict == "agrees"


def test_labels_cannot_break_the_lines():
    e = Value(2.0, "a\nb") * Value(3.0, "\x1b[31mred")
    for shown in (repl.tree(e), repl.order(e), repl.steps(e), repl.terms(e, e.parents[0])):
        assert "\x1b" not in shown
        assert "aU+000Ab" in shown


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


def test_long_paths_numbers_and_deep_trees_stay_on_the_screen():
    v = x = Value(Fraction(123456789123, 987654321987), "x")
    for _ in range(100):
        v = v * x
    for shown in (repl.tree(v), repl.terms(v, x, n=3)):
        assert max(map(len, shown.splitlines())) < 400
    assert "[level 31] " in repl.tree(v)


def test_a_session_of_an_expression_says_what_it_calls_things():
    session = repl.expression_session("a * a", {"a": Value(2.0)}, "e")
    assert (session.e, session.w) == ("e", "e, a")
    with pytest.raises(ExpressionError, match="tanh has a meaning of its own"):
        repl.expression_session("tanh * 2", {"tanh": Value(2.0)}, "e")


def test_a_picture_is_named_after_what_it_shows(tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    assert repl.draw(run) == "wrote network.svg"
    assert repl.draw(run, 1, 2, 1) == "wrote network-2.svg"
    assert repl.draw(run, NET.w(1, 2, 1), file="network-2.svg", overwrite=True)
    folded, chosen = (
        Path(name).read_text(encoding="utf-8") for name in ("network.svg", "network-2.svg")
    )
    assert folded.count("<title>") < viz.draw(run.e).pipe(format="svg").decode().count("<title>")
    assert folded != chosen
    assert repl.explore(run, 1, 2, 1, file="page.html") == "wrote page.html"
    repl.explore(run, file="plain.html")
    assert Path("plain.html").read_text(encoding="utf-8") != Path("page.html").read_text(
        encoding="utf-8"
    )
    assert repl.draw(Value(2.0, "n" * 300)) == "wrote graph.svg"
    Path("graph.svg").unlink()
    assert repl.draw(Value(2.0, "../up") * 2.0) == "wrote e.svg"
    assert repl.draw(Value(2.0, "../up")) == "wrote graph.svg"
    assert {each.name for each in tmp_path.iterdir()} == {
        *("network.svg", "network-2.svg", "page.html", "plain.html", "e.svg", "graph.svg")
    }


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs /dev/zero")
def test_a_line_without_an_end_is_refused():
    with Path("/dev/zero").open("rb") as endless:
        done = subprocess.run(
            COMMAND, stdin=endless, capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 2
    assert done.stderr == "tinygrad-bp repl: a line of more than 1,000,000 characters\n"
