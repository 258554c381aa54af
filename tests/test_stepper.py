"""The terminal stepper as a person has it: keys in a pseudo-terminal, all steps in a pipe."""

from __future__ import annotations

import doctest
import io
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import commands
import pexpect
import pytest
from depth import depth
from hypothesis import given, settings
from rich.cells import cell_len

from tinygrad_bp import Network, Value, stepper
from tinygrad_bp.cli import main
from tinygrad_bp.graph import topological_order
from tinygrad_bp.stepper import Screen, tree
from tinygrad_bp.steps import naive, show, steps
from tinygrad_bp.testing.strategies import programs

COMMAND = [*commands.PROGRAM, "step"]
SHARED = ["b = a * x; c = b * b + tanh(b)", "a=-2", "x=-3"]
DOUBLED = ["b = a + a; c = b + b", "a=1"]
DOCS = Path(__file__).parent.parent / "docs" / "steps.md"


def run(*arguments, **environment):
    return commands.run("step", *arguments, **environment)


@pytest.fixture
def terminal(pseudo_terminal):
    def start(*arguments, **settings):
        return pseudo_terminal([*COMMAND, *arguments], **{"TERM": "xterm-256color", **settings})

    return start


def press(child, keys, *expected):
    """Press keys, and read on until each of the texts has come; what came is given back."""
    child.send(keys)
    seen = ""
    for text in (*expected, "q quit"):
        child.expect_exact(text)
        seen += child.before + child.after
    return seen


def ended(child):
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus


# ---- the tree


@settings(max_examples=depth(25, by_default=8))
@given(programs(max_size=6))
def test_the_tree_has_one_row_for_each_edge_and_each_node_once(program):
    e = program.run([Value(each) for each in program.leaves])[-1]
    if not isinstance(e, Value):
        return
    rows = tree(e)
    nodes = topological_order(e)
    edges = [(node, slot) for node in nodes for slot in range(len(node.parents))]
    assert {(rows[row.above].node, row.slot) for row in rows[1:]} == set(edges)
    assert len(rows) == len(edges) + 1
    assert sorted([row.node for row in rows if not row.again], key=id) == sorted(nodes, key=id)
    for row in rows[1:]:
        assert rows[row.above].node.parents[row.slot] is row.node
        assert row.depth == rows[row.above].depth + 1
        assert row.last == (row.slot == len(rows[row.above].node.parents) - 1)
        assert not rows[row.above].again


@settings(max_examples=15)
@given(programs(max_size=6))
def test_every_screen_shows_the_numbers_of_its_step(program):
    e = program.run([Value(each, f"x{k}") for k, each in enumerate(program.leaves)])[-1]
    if not isinstance(e, Value):
        return
    record = steps(e, 0.5)
    screen = Screen(record)
    assert len(screen) == len(record)
    for step in record:
        lines = [line.plain for line in screen.lines(step.index)]
        assert lines[1] == step.text()
        (marked,) = [line for line in lines if line.startswith("▶")]
        name = re.escape(record.names[step.target])
        assert re.search(rf"[ ─]{name}( |$)", marked)
        if step.grad_after is not None:
            assert f" {show(step.grad_after)}" in marked.split(name, 1)[-1]


def test_a_long_chain_is_shown_through_a_window():
    x = Value(1.0, "x")
    y = x
    for _ in range(4_000):
        y = y * 1.0
    screen = Screen(steps(y))
    lines = [line.plain for line in screen.lines(6_000, width=60, height=20)]
    assert len(lines) <= 20
    assert all(cell_len(line) <= 60 for line in lines)
    (said,) = [line for line in lines if "not shown" in line]
    above, below = map(int, re.findall(r"\d+", said))
    rows = lines.index(said) - next(k for k, line in enumerate(lines) if "node" in line) - 1
    assert above + below + rows == 4_001
    assert any(line.startswith("▶") for line in lines)


@pytest.mark.parametrize("width", [8, 20, 40, 60, 80])
@pytest.mark.parametrize("height", [1, 3, 8, 24])
def test_nothing_is_wider_or_higher_than_the_terminal(width, height):
    e = Network.random([2, 3, 2], "tanh", seed=1).forward([0.3, 0.4], [0.1, 0.2]).e
    for screen in (Screen(steps(e, 0.1)), Screen(steps(e), naive(e))):
        for k in range(0, len(screen), 7):
            lines = screen.lines(k, width=width, height=height)
            assert 1 <= len(lines) <= height
            assert all(line.cell_len <= width for line in lines)


def test_rows_far_apart_in_depth_are_not_as_wide_as_that():
    """The last row of a deep operand stands beside the first of a shallow one."""
    x, z = Value(1.0, "x"), Value(2.0, "z")
    y = x
    for _ in range(4_000):
        y = y * 1.0
    screen = Screen(steps(y + z))
    (z_at,) = [step.index for step in steps(y + z) if step.target is z]
    lines = [line.plain for line in screen.lines(z_at)]
    assert any(re.search(r"─ x +1.0", line) for line in lines)
    assert any(re.match(r"▶ +z +2.0 +1.0", line) for line in lines)
    assert max(map(cell_len, lines)) < 200


def test_a_node_is_found_by_its_name_as_it_is_shown():
    odd = Value(2.0, "x\n[Δ]")
    record = steps(odd * odd)
    assert record[Screen(record).find("xU+000A[Δ]", 0)].target is odd
    assert record[Screen(record).find("x\n[Δ]", 0)].target is odd
    assert record[Screen(record, ascii_only=True).find("xU+000A[D]", 0)].target is odd


def test_labels_cannot_move_the_cursor():
    x = Value(2.0, "x\x1b[2J\n\u202e[red]")
    text = "\n".join(line.plain for line in Screen(steps(x * x)).lines(0))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "xU+001B[2JU+000AU+202E[red]" in text


# ---- in a pipe


def test_piped_it_prints_every_step_with_its_tree():
    done = run(*SHARED, "--eta", "0.1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    a, x = Value(-2.0, "a"), Value(-3.0, "x")
    b = a * x
    b.label = "b"
    c = b * b + b.tanh()
    c.label = "c"
    record = steps(c, 0.1)
    screens = re.split(r"\n\n(?=Step )", done.stdout.rstrip("\n"))
    assert len(screens) == len(record) == 14
    for step, screen in zip(record, screens, strict=True):
        lines = screen.splitlines()
        assert lines[0].startswith(f"Step {step.index + 1} of 14: {step.kind}")
        assert lines[1:3] == [step.text(), step.reason()]
        assert sum(line.startswith("▶") for line in lines) == 1
        assert "q quit" not in screen


def test_accumulators_grow_one_bar_for_each_contribution():
    done = run("b = a * 1.0; c = b * 2 + b * 1 - b * 1", "a=3")
    grown = re.findall(r"b = a \* 1.0 +3.0 +(\S+) +(\d of 3)(.*)", done.stdout)
    sums = [(grad, got) for grad, got, _ in grown]
    assert list(dict.fromkeys(sums)) == [
        *(("0.0", "0 of 3"), ("-1.0", "1 of 3"), ("0.0", "2 of 3"), ("2.0", "3 of 3"))
    ]
    assert grown[-1][2].split() == ["-████", "+████", "+████████"]


def test_brief_is_one_line_for_each_step():
    a, b, f = Value(2.0, "a"), Value(-3.0, "b"), Value(-2.0, "f")
    done = run("a * b * f", "a=2", "b=-3", "f=-2", "--brief", PYTHONIOENCODING="ascii")
    e = a * b * f
    assert done.stdout == steps(e).to_text(ascii_only=True) + "\n"
    assert "a.grad: 0 + (-2.0 x -3.0) = 6.0" in done.stdout


def test_json_is_the_record():
    told = json.loads(run(*DOUBLED, "--json", "--naive", "--eta", "1/2").stdout)
    assert [each["kind"] for each in told["steps"]].count("backward") == 4
    assert told["steps"][-1]["data"] == -1.0
    assert told["naive"]["answers"] == [{"leaf": "a", "naive": 6.0, "right": 4.0, "wrong": True}]


def test_the_wrong_way_stands_beside_the_right_one():
    done = run(*DOUBLED, "--naive")
    assert (done.returncode, done.stderr) == (0, "")
    screens = re.split(r"\n\n(?=Step )", done.stdout.rstrip("\n"))
    assert len(screens) == 9
    fifth = screens[4].splitlines()
    assert fifth[1:4] == [
        "wrong: a.grad: 0 + (1.0 × 1.0) = 1.0",
        "right: b.grad: 1.0 + (1.0 × 1.0) = 2.0",
        "step 5 goes wrong: b passes on 1.0, but its gradient is 2.0: 1 of its 2 contributions has not come",
    ]
    assert "a.grad = 6.0 is wrong: 4.0 is right" in screens[-1]
    assert re.search(r"─ a +1.0 +6.0 +4.0 +<- wrong", screens[-1])
    assert "goes wrong" not in "".join(screens[:4] + screens[5:-1])
    assert "nothing goes wrong" in run("x * y", "x=1", "y=2", "--naive").stdout


def test_exact_numbers_stay_exact():
    done = run("a * x", "a=1/2", "x=2/3", "--brief", "--eta", "1/10")
    assert "a.grad: 0 + (1 × 2/3) = 2/3" in done.stdout
    assert "a: 1/2 + (-1/10 × 2/3) = 13/30" in done.stdout


def test_plain_ascii_where_the_terminal_has_no_utf8():
    for environment in ({"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}):  # fmt: skip
        done = run(*SHARED, "--eta", "0.1", **environment)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.isascii()
        assert ">  |  |  |- a" in done.stdout
        assert "Da = -eta * a.grad" in done.stdout


def test_no_colour_where_none_is_wanted():
    assert "\x1b[" in run(*SHARED, FORCE_COLOR="1", TERM="xterm-256color").stdout
    coloured = run(*SHARED, FORCE_COLOR="1", NO_COLOR="1", TERM="xterm-256color").stdout
    assert not re.search(r"\x1b\[[0-9;]*3\d", coloured)
    said = re.sub(r"\x1b\[[0-9;]*m", "", run(*SHARED, FORCE_COLOR="1", TERM="xterm").stdout)
    assert said == run(*SHARED).stdout


def test_a_narrow_pipe_is_kept_to_its_columns():
    done = run(*SHARED, COLUMNS="30")
    assert max(map(cell_len, done.stdout.splitlines())) <= 30


def test_a_reader_that_has_had_enough_is_no_error():
    shell = f"{' '.join(COMMAND)} 'x*x*x' x=2 | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "Step 1 of 7: forward 1 of 2\n"


@pytest.fixture
def net(tmp_path):
    file = tmp_path / "net.json"
    Network.random([2, 3, 2], "tanh", seed=7).save(file)
    return [str(file), "--input", "0.8,-0.5", "--target", "0.3,-0.2"]


def test_a_network_is_stepped_through_and_only_its_weights_learn(net):
    done = run(*net, "--eta", "0.1", "--brief")
    assert (done.returncode, done.stderr) == (0, "")
    network = Network.load(net[0])
    forward = network.forward([0.8, -0.5], [0.3, -0.2])
    record = steps(forward.e, 0.1, wrt=network.parameters())
    assert done.stdout == record.to_text() + "\n"
    one = run(*net, "--eta", "0.1", "--wrt", "w[1][2,1],b[2][1]", "--brief").stdout.splitlines()
    assert [line.split(":")[0] for line in one[-2:]] == ["w[1][2,1]", "b[2][1]"]
    assert len(one) == len(record) - len(network.parameters()) + 2
    assert "─ w[1][2,1] " in run(*net).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a*b", "a=1"], "no value for b"),
        (["b = a + a; b * b", "a=1", "b=2"], "b has a value already"),
        (["b = a; b = a * a; b", "a=1"], "b has a value already"),
        (["b = b + a", "a=1"], "no value for b"),
        (["b = ; a", "a=1"], "not an expression"),
        (["a * a", "a=1", "--eta", "x"], "is not a number"),
        (["a * a", "a=1", "--wrt", "a"], "--eta"),
        (["a * a", "a=1", "--wrt", "b", "--eta", "1"], "'b' is none of a"),
        (["a * a", "a=1", "--input", "1"], "--input is for a network"),
        (["none.json", "--input", "1"], "needs --target"),
        (["none.json", "--input", "1", "--target", "1"], "cannot read 'none.json': No such file"),
        (["a * a", "a=1", "--weight", "1,1,1"], "unknown option"),
    ],
)
def test_bad_input_is_one_clear_line(arguments, message):
    done = run(*arguments)
    assert done.returncode in (1, 2)
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr


def test_the_wrong_way_of_a_deep_graph_is_refused():
    chain = "; ".join(f"x{k + 1} = x{k} + x{k}" for k in range(40))
    done = run(chain, "x0=1", "--naive")
    assert done.returncode == 2
    assert str(2**41 - 2) in done.stderr
    assert run(chain, "x0=1").returncode == 0


# ---- keys


def test_keys_go_on_back_to_a_step_and_to_a_node(terminal):
    child = terminal(*SHARED, "--eta", "0.1")
    press(child, "", "Step 1 of 14: forward 1 of 4", "b = a * x = (-2.0) * (-3.0) = 6.0")
    press(child, "n", "Step 2 of 14")
    press(child, " ", "Step 3 of 14")
    press(child, "\r", "Step 4 of 14", "c = v1 + v2")
    press(child, "\x1b[C", "Step 5 of 14: seed", "c.grad = 1.0")
    press(child, "\x1b[C\x1bOC", "Step 6 of 14", "Step 7 of 14")
    press(child, "\x1b[D", "Step 6 of 14")
    press(child, "b", "Step 5 of 14")
    press(child, "p\x7f", "Step 4 of 14", "Step 3 of 14")
    press(child, "j12\r", "jump to step: 12", "Step 12 of 14", "x.grad: 0 + ", "▶", "x")
    press(child, "1\x7f7\r", "Step 7 of 14")
    press(child, "j99\r", "no step '99': they go from 1 to 14")
    press(child, "jx\r", "no step 'x'")
    press(child, "0\r", "no step '0'")
    press(child, "f", "Step 1 of 14")
    press(child, "b", "this is the first step")
    press(child, "rb\r", "run to node: b", "Step 8 of 14", "b.grad: 0 + (1.0 ×")
    press(child, "rb\r", "Step 9 of 14", "b.grad: ")
    press(child, "ra\r", "Step 11 of 14", "a.grad: 0 + (12")
    press(child, "ra\r", "Step 13 of 14: update 1 of 2", "Δa = −η · a.grad")
    press(child, "ra\r", "no later step gives a anything")
    press(child, "rq\r", "no node is called 'q'")
    press(child, "r\x1b", "Step 13 of 14")
    press(child, "fr b \r", "Step 8 of 14")
    press(child, "13\r", "Step 13 of 14")
    press(child, "\x1b[F", "Step 14 of 14")
    press(child, "n", "this is the last step")
    press(child, "\x1b[H", "Step 1 of 14")
    press(child, "l", "Step 14 of 14")
    press(child, "h", "run to node: type a name")
    press(child, "h", "Step 14 of 14")
    press(child, "z", "no key 'z': h for help")
    press(child, "é", "no key 'é'")
    press(child, "\x1b[15~", "no such key")
    child.send("q")
    assert ended(child) == 0


@pytest.mark.parametrize("key", ["q", "\x1b", "\x04"])
def test_the_terminal_is_as_it_was_after(terminal, key):
    shell = f"stty -a; {' '.join(COMMAND)} 'x*x' x=2; echo code $?; stty -a"
    child = terminal()
    child.close(force=True)
    child = pexpect.spawn("bash", ["-c", shell], encoding="utf-8", timeout=20, dimensions=(30, 80))
    child.expect("Step 1 of 4")
    child.send(key)
    child.expect_exact("code 0")
    rest = child.read()
    assert re.search(r"(?<!-)icanon", rest)
    assert re.search(r"(?<!-)echo ", rest)


def test_interrupted_it_leaves_the_terminal_as_it_was(terminal):
    shell = f"trap : INT; {' '.join(COMMAND)} 'x*x' x=2; echo code $?; stty -a"
    child = pexpect.spawn(
        "bash",
        ["-c", shell],
        encoding="utf-8",
        timeout=20,
        dimensions=(30, 80),
        preexec_fn=lambda: signal.signal(
            signal.SIGINT, signal.SIG_DFL
        ),  # tests in the background ignore it
    )
    child.expect("q quit")
    child.sendintr()
    child.expect_exact("step: interrupted")
    child.expect_exact("code 130")
    rest = child.read()
    assert "Traceback" not in rest
    assert re.search(r"(?<!-)icanon", rest)
    assert re.search(r"(?<!-)echo ", rest)


def test_stopped_and_woken_it_draws_again():
    child = pexpect.spawn(
        "bash", ["--norc", "--noprofile", "-i"], encoding="utf-8", timeout=20, dimensions=(30, 90)
    )
    child.sendline(f"{' '.join(COMMAND)} '{DOUBLED[0]}' {DOUBLED[1]}")
    child.expect_exact("Step 1 of 7")
    press(child, "n", "Step 2 of 7")
    child.sendcontrol("z")
    child.expect_exact("Stopped")
    child.sendline("stty -a")
    child.expect(r"(?<!-)icanon")
    child.sendline("fg")
    press(child, "", "Step 2 of 7")
    press(child, "n", "Step 3 of 7")
    child.send("q")
    child.sendline("exit")
    child.expect(pexpect.EOF)
    child.close()


def test_end_of_input_quits(terminal):
    shell = f"{' '.join(COMMAND)} 'x*x' x=2"
    child = pexpect.spawn("bash", ["-c", shell], encoding="utf-8", timeout=20, dimensions=(30, 80))
    child.expect("Step 1 of 4")
    child.sendeof()
    assert ended(child) == 0


def test_a_dumb_terminal_gets_text_and_nothing_else(terminal):
    child = terminal(*SHARED, TERM="dumb")
    seen = press(child, "nb", "Step 1", "Step 2", "Step 1")
    child.send("q")
    assert "\x1b" not in seen + child.read()


def test_no_color_in_a_terminal(terminal):
    child = terminal(*SHARED, NO_COLOR="1")
    seen = press(child, "l", "Step 12 of 12")
    assert not re.search(r"\x1b\[[0-9;]*3\dm", seen)
    child.send("q")
    child = terminal(*SHARED)
    assert re.search(r"\x1b\[[0-9;]*3\dm", press(child, "l", "Step 12 of 12"))


def test_a_small_terminal_is_never_overfull(terminal):
    child = terminal(*SHARED, rows=8, columns=24)
    for key, text in (
        ("", "Step 1 of"),
        ("l", "Step 12 of"),
        ("b", "Step 11 of"),
        ("h", "next step"),
    ):
        press(child, key, text.split()[0])
    child.send("q")
    assert ended(child) == 0


@pytest.mark.parametrize(("rows", "columns"), [(6, 20), (4, 30), (3, 16)])
def test_in_a_tiny_terminal_the_step_comes_before_the_keys(terminal, rows, columns):
    child = terminal(*SHARED, rows=rows, columns=columns)
    press(child, "", "Step 1 of 12")
    press(child, "l", "Step 12 of 12")
    child.send("q")
    assert ended(child) == 0


def test_ascii_in_a_terminal_without_utf8(terminal):
    child = terminal(*SHARED, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert press(child, "l", "Step 12 of 12").isascii()
    child.send("q")
    assert ended(child) == 0


def test_the_wrong_way_in_a_terminal(terminal):
    child = terminal(*DOUBLED, "--naive")
    press(child, "5\r", "step 5 goes wrong: b passes on 1.0")
    press(child, "l", "a.grad = 6.0 is wrong: 4.0 is right")


def test_all_steps_at_once_in_a_terminal_too(terminal):
    child = terminal(*DOUBLED, "--all")
    child.expect_exact("Step 7 of 7")
    assert ended(child) == 0


# ---- without single keys, and from Python


class _Stream(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def test_where_keys_cannot_be_read_one_by_one_lines_are(monkeypatch, capsys):
    monkeypatch.setattr(stepper, "termios", None)
    monkeypatch.setattr(sys, "stdin", _Stream("n\n\nj 6\n3\nr a\nj\n2\nb\nzz\nq\n"))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    assert main(["step", *DOUBLED]) == 0
    out = capsys.readouterr().out
    assert [int(each) for each in re.findall(r"Step (\d+) of 7", out)] == [
        1,
        2,
        3,
        6,
        3,
        6,
        2,
        1,
        1,
    ]
    assert "no key 'z'" in out


def test_lines_may_end(monkeypatch, capsys):
    monkeypatch.setattr(stepper, "termios", None)
    monkeypatch.setattr(sys, "stdin", _Stream(""))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["step", *DOUBLED]) == 0


def test_from_python_it_prints_every_step(capsys):
    a = Value(1.0, "a")
    b = a + a
    stepper.step(b + b, wrong=True)
    assert "a.grad = 6.0 is wrong: 4.0 is right" in capsys.readouterr().out
    stepper.step(b + b, 0.5)
    assert "a: 1.0 + (-0.5 × 4.0) = -1.0" in capsys.readouterr().out
    assert a.grad == 0


# ---- the guide


def test_the_guide_shows_what_is_printed(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    shown = re.findall(r"\$ tinygrad-bp step (.*)\n((?:.*\n)*?)```", DOCS.read_text("utf-8"))
    assert len(shown) >= 3
    for command, printed in shown:
        arguments = [each.strip('"') for each in re.findall(r'"[^"]*"|\S+', command)]
        assert main(["step", *arguments]) == 0
        found = capsys.readouterr().out
        for part in printed.split("...\n"):
            assert part in found


def test_the_sessions_of_the_guide_run_as_printed():
    text = "\n".join(re.findall(r"```python\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL))
    test = doctest.DocTestParser().get_doctest(text, {}, "steps", "steps.md", 0)
    results = doctest.DocTestRunner().run(test)
    assert results.attempted > 10
    assert results.failed == 0
