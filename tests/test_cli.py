"""The command line as a person has it: run as a program, in a terminal and in a pipe."""

from __future__ import annotations

import html
import json
import os
import re
import shlex
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from fractions import Fraction

import pexpect
import pytest
from commands import PROGRAM, run
from depth import depth

from tinygrad_bp import Network, Value, cli, tanh
from tinygrad_bp.quoting import MESSAGE

NOTE_1_1 = ["(t - tanh(w*x - b))**2", "w=0.5", "x=2", "b=0.1", "t=1"]


@pytest.fixture
def net(tmp_path):
    file = tmp_path / "net.json"
    Network.random([2, 3, 3, 2], "tanh", seed=7).save(file)
    return file


NETWORK_OPTIONS = ["--input", "0.8,-0.5", "--target", "0.3,-0.2", "--weight", "1,2,1"]


# ---- explain


def test_explain_prints_each_gradient_as_its_product_along_the_chain():
    done = run("explain", *NOTE_1_1)
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("w", "x", "b", "t"):
        block = re.search(
            rf"^de/d{name} = .*?(?=\n\n|\Z)", done.stdout, re.MULTILINE | re.DOTALL
        ).group()
        symbols, numbers, product, backward, difference, update = block.splitlines()
        assert symbols.count("·") == numbers.count("×") >= 1
        factors = [float(each.strip("() ")) for each in numbers.split("=")[1].split("×")]
        value = 1.0
        for factor in factors:
            value *= factor
        shown = float(product.split("=")[1])
        assert value == pytest.approx(shown, rel=1e-4)  # of numbers shown to six digits
        assert float(backward.split(":")[1]) == shown
        assert float(difference.split(":")[1].split("±")[0]) == pytest.approx(shown, rel=1e-5)
        assert update.strip() == f"update: Δ{name} = −η de/d{name} = {-shown:.6g} · η"


def test_explain_as_json_agrees_with_the_engine():
    done = run("explain", *NOTE_1_1, "--json")
    answer = json.loads(done.stdout)
    assert [each["for"] for each in answer["gradients"]] == ["w", "x", "b", "t"]
    for each in answer["gradients"]:
        assert each["total"] == pytest.approx(each["gradient"], rel=1e-14)
        assert each["finite_difference"]["value"] == pytest.approx(each["gradient"], rel=1e-8)
        (term,) = each["terms"]
        assert term["value"] == pytest.approx(each["gradient"], rel=1e-14)


@pytest.mark.parametrize("form", ["--latex", "--html"])
def test_explain_writes_the_forward_pass_as_formulas_whose_numbers_are_the_engine_s(form):
    done = run("explain", *NOTE_1_1, form)
    w, x, b, t = map(Value, (0.5, 2.0, 0.1, 1.0))
    o = tanh(w * x - b)
    nodes = (w * x, w * x - b, o, t - o, (t - o) ** 2)
    if form == "--latex":
        (block,) = re.findall(r"\\begin{align\*}\n(v_.*?)\n\\end", done.stdout, re.DOTALL)
        rows = [re.split(" &+= ", line.removesuffix(r" \\")) for line in block.splitlines()]
        written = [r"w \cdot x", "v_{1} - b", r"\tanh v_{2}", "t - v_{3}", "{v_{4}}^{2}"]
    else:
        (table,) = re.findall(r"</pre>\n(<table>.*?</table>)", done.stdout, re.DOTALL)
        rows = [
            ["".join(cell.itertext()).removeprefix("= ") for cell in row]
            for row in ET.fromstring(table)
        ]
        written = ["w·x", "v1−b", "tanh(v2)", "t−v3", "v42"]
    assert [row[1] for row in rows] == written
    assert [row[2] for row in rows] == [f"{node.data:.6g}" for node in nodes]


def test_html_on_a_terminal_of_other_letters_is_the_same_page(tmp_path):
    pages = [
        run("explain", "λ*y", "λ=1", "y=2", "--html", PYTHONIOENCODING=encoding).stdout
        for encoding in ("utf-8", "cp1252", "ascii")
    ]
    assert pages[0] == pages[1] == pages[2]
    assert run("explain", "λ*y", "λ=1", "y=2", "-o", "p.html", cwd=tmp_path).returncode == 0
    written = (tmp_path / "p.html").read_text("utf-8")
    assert html.unescape(written).strip() == html.unescape(pages[0]).strip()


def test_a_result_that_is_rounded_says_so_once():
    big = f"{10**30}/{10**29 + 7}"
    for form, sign in (("--latex", r"\approx"), ("--html", "≈"), ("--terms=1", "≈")):
        shown = html.unescape(run("explain", "x*x*x*x", f"x={big}", form).stdout)
        assert sign in shown
        assert not re.search(
            r"= *(<math>(<mrow>)?)?(<mo>)?(≈|\\approx)",
            shown.partition("de/dx")[0].partition(r"\frac{\partial")[0].partition("<hr>")[0],
        )


def test_explain_lists_every_path_where_there_are_several():
    done = run("explain", "x*x + x", "x=1/3")
    assert "Σ over 3 paths" in done.stdout
    assert "sum of the terms   +5/3" in done.stdout
    assert json.loads(run("explain", "x*x + x", "x=1/3", "--json").stdout)["value"] == str(
        Fraction(4, 9)
    )


def test_explain_says_what_logsumexp_does_to_its_operands():
    done = run("explain", "logsumexp(a, b)", "a=1", "b=2")
    assert "v1 = a - 2.0" in done.stdout
    assert "logsumexp reckons with distances from its largest operand m" in done.stdout
    assert "logsumexp" not in run("explain", "log(exp(a) + exp(b))", "a=1", "b=2").stdout


def test_explain_says_where_the_result_does_not_depend_on_a_name():
    assert "de/dy = 0\n\ne does not depend on y" in run("explain", "x*2", "x=1", "y=2").stdout


def test_explain_names_the_result_otherwise_where_e_is_taken():
    assert "dout/de = " in run("explain", "e*e", "e=3").stdout


def test_explain_of_a_bare_name_and_of_a_number():
    assert "dx" in run("explain", "x", "x=3").stdout
    done = run("explain", "2 + 3")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("b = a+a; c = b*b", "b = a+a; c = b*b = 4"),
        ("b = a+a; b*b", "b = a+a; b*b = 4"),
        ("c = a*2", "c = a*2 = 2"),
        ("a*a if a == 1 else a", "e = a*a if a == 1 else a = 1"),
    ],
)
def test_explain_names_no_result_that_has_its_name_already(text, first):
    assert run("explain", text, "a=1").stdout.splitlines()[0] == first


def test_explain_network_prints_formula_terms_total_and_both_opinions(net):
    done = run("explain", str(net), *NETWORK_OPTIONS)
    assert (done.returncode, done.stderr) == (0, "")
    expected = Network.load(net)
    forward = expected.forward([0.8, -0.5], [0.3, -0.2])
    forward.e.backward()
    text = done.stdout
    assert "Σ_k3 Σ_k2 2(o[3][k3] − t[k3]) · f'[3][k3] · w[3][k3,k2]" in text
    for term in forward.terms(1, 2, 1):
        assert f"({term.indices[0]}, {term.indices[1]})" in text
        assert f"{term.value:+.6g}" in text
    for opinion in ("sum of the terms", "backward", "finite difference"):
        grad = re.escape(f"{expected.w(1, 2, 1).grad:+.6g}")
        assert re.search(rf"^  {opinion} +{grad}", text, re.MULTILINE)


def test_explain_network_takes_a_bias_and_json(net):
    done = run("explain", str(net), *NETWORK_OPTIONS[:4], "--bias", "2,1", "--json")
    answer = json.loads(done.stdout)
    assert answer["for"] == "b[2][1]"
    assert [term["factors"][-1] for term in answer["terms"]] == [-1.0, -1.0]


def test_what_looks_like_an_option_but_is_none(net):
    assert "de/dx = de/dv1" in run("explain", "-x*y", "x=-1", "y=-2").stdout
    done = run("explain", str(net), "--input", "-0.5,0.8", "--target", "-1,-2", "--weight", "1,1,1")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("text", ["-hypot(x,y)", "-o*x", "--x*y", "-x-y", "1if x>0else 2*y"])
def test_expressions_that_begin_like_options_or_run_words_together(text):
    done = run("explain", text, "x=-1", "y=2", "o=3")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"e = {text} = ")


def test_an_expression_may_be_long_or_named_as_a_file(tmp_path):
    (tmp_path / "x").write_text("a file")
    assert run("explain", "x", "x=2", cwd=tmp_path).returncode == 0
    assert "de/dx = Σ over 300 paths" in run("explain", "+".join(["x"] * 300), "x=1").stdout


def test_infinite_results_are_no_error_and_proper_json():
    done = run("explain", "exp(x)", "x=1000", "--json")
    assert json.loads(done.stdout, parse_constant=pytest.fail)["value"] == "inf"
    assert "inconclusive" in run("explain", "exp(1000)*x", "x=1").stdout


def test_what_is_made_of_a_kink_s_convention_is_said_on_one_line():
    done = run("explain", "sqrt(x*x)**2", "x=0.0")
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert line.startswith("tinygrad-bp explain: warning: infinite slope at sqrt(0.0): ")
    assert run("explain", "relu(x)", "x=0").stderr == ""


def test_a_kink_is_inconclusive_not_wrong():
    assert "finite difference: inconclusive: a kink" in run("explain", "relu(x)", "x=0").stdout


def test_letters_that_the_terminal_has_not_are_spelled_out():
    done = run("explain", "x*é", "x=1", "é=2", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert r"x * \xe9" in done.stdout


def through_shell(arguments, redirected, cwd=None):
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{shlex.join([*PROGRAM, *arguments])} {redirected}"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=cwd,
        env={**os.environ, "PYTHONUNBUFFERED": ""},  # as a person has it
    )


COMMANDS = [
    ["explain", *NOTE_1_1],
    ["step", *NOTE_1_1],
    ["step", *NOTE_1_1, "--json"],
    ["draw", *NOTE_1_1, "-o", "a.dot"],
    ["explore", *NOTE_1_1, "-o", "a.html"],
    ["train", "iris", "--epochs", "1"],
    ["repl", *NOTE_1_1, "--plain"],
    ["explain", "--help"],
]
EVERY_COMMAND = pytest.mark.parametrize(
    "arguments", depth(COMMANDS, by_default=COMMANDS[::3]), ids=" ".join
)


@EVERY_COMMAND
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_a_stream_that_is_closed_leads_nowhere(arguments, closed, tmp_path):
    done = through_shell(arguments, closed, tmp_path)
    assert done.returncode == 0
    assert done.stderr.replace(">>> ", "").strip() == ""  # where Python prompts
    assert bool(done.stdout) is (">&-" not in closed.replace("2>&-", ""))


@EVERY_COMMAND
def test_an_output_that_is_full_is_told_in_one_line(arguments, tmp_path):
    done = through_shell([*arguments], "> /dev/full < /dev/null", tmp_path)
    assert done.returncode == 1
    assert done.stderr.endswith("No space left on device\n")
    assert done.stderr.count("\n") == 1


@EVERY_COMMAND
def test_a_reader_that_had_enough_is_no_error(arguments, tmp_path):
    done = through_shell(arguments, "< /dev/null | head -c 1", tmp_path)
    assert (done.returncode, done.stderr.replace(">>> ", "").strip()) == (0, "")


@pytest.mark.parametrize(
    "arguments", [["explain", "1+"], ["step"], ["train", "none.csv"], ["--no"]]
)
def test_an_error_is_never_among_the_results(arguments):
    done = through_shell(arguments, "2>&-")
    assert (done.returncode in (1, 2), done.stdout, done.stderr) == (True, "", "")
    assert through_shell(arguments, "2> /dev/full").returncode in (1, 2)


def test_a_warning_is_no_second_line_of_an_error(tmp_path):
    arguments = ["draw", "max(x, y) ** (-10**9)", "x=-0.7", "y=0.25", "-o", "a.dot"]
    warned = run(*arguments, cwd=tmp_path)
    assert (warned.returncode, warned.stderr.count(": warning: ")) == (0, 1)
    refused = run(*arguments, "--flow", "none", "--force", cwd=tmp_path)
    message = "tinygrad-bp draw: --flow: 'none' is none of x, y\n"
    assert (refused.returncode, refused.stderr) == (2, message)


@pytest.mark.parametrize(
    "error", [MemoryError(), RecursionError("maximum recursion depth exceeded")]
)
def test_what_is_too_large_is_told_in_one_line(error, monkeypatch, capsys):
    def fail(*_):
        raise error

    monkeypatch.setattr(cli, "record_expression", fail)
    assert cli.main(["explain", "x", "x=1"]) == 1
    out, err = capsys.readouterr()
    lacking = "memory" if type(error) is MemoryError else "stack"
    assert (out, err) == (
        "",
        f"tinygrad-bp explain: this is too large: there is not enough {lacking}\n",
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "/dev/zero"], "cannot read '/dev/zero': it is larger than 4 MB"),
        (
            ["train", "iris", "--hidden", "20000000"],
            "a network of 160000003 weights and biases: more",
        ),
        (
            ["train", "iris", "--epochs", "9" * 50],
            "is not a whole number above 0, of up to 9 digits",
        ),
        (["explain", "zero.json"], "cannot read 'zero.json': it is larger than 16 MB"),
        (["explain", "folder.json"], "cannot read 'folder.json': Is a directory"),
        (["explain", "pipe.json"], "'pipe.json' is not a network: Expecting value"),
        (
            ["explain", "deep.json"],
            "'deep.json' is not a network: maximum recursion depth exceeded",
        ),
        (["explain", "bytes.json"], "'bytes.json' is not a network: 'utf-8' codec can't decode"),
        (["explain", "wide.json"], "a network of 1000002 weights and biases: more than the 500000"),
    ],
)
def test_files_and_networks_without_end_are_refused_at_once(arguments, message, tmp_path):
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "bytes.json").write_bytes(b"\x99\xff\x00")
    row = ",".join(["0"] * 1_000_001)
    (tmp_path / "wide.json").write_text(
        '{"format": "tinygrad-bp network", "version": 1, "activations": "tanh", '
        f'"weights": [[[{row}]]], "biases": [[0]]}}'
    )
    if arguments[0] == "explain":
        arguments = [*arguments, "--input=1", "--target=1", "--weight=1,1,1"]
    done = run(*arguments, cwd=tmp_path)
    assert_refused(done)
    assert message in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["explain", "x" * 9_000],
        ["explain", "x" * 90_000],
        ["explain", "x*y", "x" * 9_000],
        ["explain", "x*y", "x" * 9_000 + "=1", "x" * 9_000 + "=1"],
        ["explain", "x", "x=" + "1" * 9_000 + "y"],
        ["explain", "+".join(f"x{k}" for k in range(900))],
        ["explain", "x", "x=1", "--wrt", "\x1b[2J\u202e" * 900],
        ["explain", "x", "x=1", "--\x1b[2J\u202e"],
        ["explain", "x\x1b[2J", "x=1"],
        ["explain", "x", "x=1\x9b31m"],
        ["explain", "x" * 9_000 + ".json", "--input=1", "--target=1", "--weight=1,1,1"],
        ["explain", "x", "x=1", "-o", "x" * 9_000],
        ["step", "x*y", "x=1", "y=2", "--eta", "1", "--wrt", "z" * 9_000],
        ["draw", "x", "x=1", "-o", "a." + "x" * 9_000],
        ["explore", "x", "x=1", "-o", "a." + "x" * 9_000],
        ["train", "x" * 9_000],
        ["train", "iris", "--activation", "\x1b[2J" * 9_000],
        ["train", "iris", "--inputs", "\x1b[2J" * 9_000],
        ["train", "iris", "--hidden", "1" * 9_000],
        ["train", "iris", "--seed", "1" * 9_000],
        ["\x1b[2J" * 9_000],
        ["train", "iris", "\x1b[2J" * 9_000],
        ["conformance", "\x1b[2J" * 9_000],
        ["conformance", "os:" + "x" * 9_000],
        ["conformance", "tinygrad_bp:Value", "--skip", "x" * 9_000],
    ],
    ids=lambda arguments: ascii(" ".join(arguments))[:40],
)
def test_what_was_given_is_shown_shortened_and_visible(arguments, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        code = cli.main(arguments)
    except SystemExit as ended:
        code = ended.code
    out, err = capsys.readouterr()
    assert code in (1, 2)
    assert (out, err.count("\n")) == ("", 1)
    assert err.strip("\n").isprintable()
    assert len(err) <= MESSAGE + 1


def test_a_long_pass_is_a_line_for_each_step_unless_all_is_asked_for():
    long = "+".join(["x"] * 200)
    lines = run("step", long, "x=1").stdout.splitlines()
    assert lines[-1] == "598 steps: --all draws the tree at each"
    assert lines[:-1] == run("step", long, "x=1", "--brief").stdout.splitlines()
    assert "Step 598 of 598: " in run("step", long, "x=1", "--all").stdout


def test_names_may_stand_after_an_option():
    assert run("explain", "x*y", "x=1", "--json", "y=2").returncode == 0


# ---- what is refused: one line, a code, and nothing left behind


BAD = {
    "unknown name": ["w * q", "w=1"],
    "missing value": ["w * x", "w=1"],
    "division by zero": ["w / x", "w=1", "x=0"],
    "constant division by zero": ["w * (1 / 0)", "w=1"],
    "import": ["__import__('os').system('true')"],
    "attribute": ["w.data", "w=1"],
    "lambda": ["(lambda: 1)()"],
    "string": ["'a' * w", "w=1"],
    "unknown function": ["eval(w)", "w=1"],
    "keyword argument": ["exp(x=w)", "w=1"],
    "too many arguments": ["exp(w, w)", "w=1"],
    "starred": ["exp(*w)", "w=1"],
    "index": ["w[0]", "w=1"],
    "walrus": ["(w := 3)"],
    "power sign": ["w ^ 2", "w=1"],
    "remainder": ["w % 2", "w=1"],
    "syntax": ["w +", "w=1"],
    "empty": [""],
    "comparison": ["w > 1", "w=1"],
    "domain": ["log(w)", "w=-1"],
    "complex power": ["w ** 0.5", "w=-2"],
    "exactness": ["exp(w)", "w=1/3"],
    "no number": ["w", "w=abc"],
    "no value": ["w", "w="],
    "no name": ["w", "=1"],
    "not finite": ["w", "w=inf"],
    "nan": ["w", "w=nan"],
    "fraction by zero": ["w", "w=1/0"],
    "below the smallest float": ["w", "w=1e-400"],
    "no float is this": ["w - 9007199254740992", "w=9007199254740993"],
    "infinite in the expression": ["1e400 * w / 1e400", "w=1"],
    "twice": ["w", "w=1", "w=2"],
    "no equals": ["w", "1"],
    "complex": ["w * 1j", "w=1"],
    "deep": ["(" * 500 + "w" + ")" * 500, "w=1"],
    "too large": ["10**400 * w", "w=1"],
    "power without end": ["w ** 1000000", "w=1/3"],
    "sign of a comparison": ["-(w > 1)", "w=1"],
    "network option": ["w", "w=1", "--weight", "1,1,1"],
}


def assert_refused(done, folder=None):
    assert done.returncode in (1, 2)
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("tinygrad-bp")


def test_more_pages_than_can_be_read_are_refused(tmp_path):
    many = [f"w{place}=1" for place in range(1000)]
    assert_refused(run("explain", "w", "w=1", *many, cwd=tmp_path))


@pytest.mark.parametrize("case", BAD)
def test_bad_expression_is_one_clear_line(case, tmp_path):
    for command in (["explain"], ["draw", "-o", "new.svg"]):
        done = run(*command, *BAD[case], cwd=tmp_path)
        assert_refused(done)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--weight", "0,1,1"], "layer i is 0"),
        (["--weight", "4,1,1"], "layer i is 4"),
        (["--weight", "1,4,1"], "node j of layer 1 is 4"),
        (["--weight", "1,1,3"], "node k of layer 0 is 3"),
        (["--weight", "1,1"], "takes 3 whole numbers"),
        (["--weight", "a,b,c"], "takes 3 whole numbers"),
        (["--bias", "1,0"], "node j of layer 1 is 0"),
        ([], "say which weight"),
        (["--weight", "1,1,1", "--bias", "1,1"], "not allowed with"),
        (["w=1", "--weight", "1,1,1"], "not names"),
    ],
)
def test_bad_weight_index_is_one_clear_line(net, arguments, message):
    done = run("explain", str(net), "--input", "1,2", "--target", "1,2", *arguments)
    assert_refused(done)
    assert message in done.stderr


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        (["--input", "1", "--target", "1,2"], "the input has 1 numbers"),
        (["--input", "1,2", "--target", "1"], "the target has 1 numbers"),
        (["--input", "1,x", "--target", "1,2"], "is not a number"),
        (["--target", "1,2"], "needs --input"),
        (["--input", "1,2"], "needs --target"),
    ],
)
def test_bad_input_or_target_is_one_clear_line(net, numbers, message):
    done = run("explain", str(net), *numbers, "--weight", "1,1,1")
    assert_refused(done)
    assert message in done.stderr


@pytest.mark.parametrize("text", ["{", "[]", '{"format": "tinygrad-bp network", "version": 1}', ""])
def test_bad_json_is_one_clear_line(tmp_path, text):
    file = tmp_path / "bad.json"
    file.write_text(text)
    for command in (["explain"], ["draw", "-o", str(tmp_path / "new.svg")]):
        done = run(*command, str(file), *NETWORK_OPTIONS)
        assert_refused(done)
        assert "is not a network" in done.stderr
    assert list(tmp_path.iterdir()) == [file]


def test_a_missing_network_is_one_clear_line(tmp_path):
    done = run("explain", str(tmp_path / "none.json"), *NETWORK_OPTIONS)
    assert_refused(done)
    assert "none.json': No such file" in done.stderr


def test_no_command_and_unknown_command_are_one_line():
    for arguments in (
        [],
        ["fly"],
        ["explain"],
        ["draw", "x", "x=1"],
        ["demo", "x"],
        ["explain", "x", "x=1", "--fly"],
    ):
        done = run(*arguments)
        assert_refused(done)
        assert done.returncode == 2


# ---- draw


@pytest.mark.parametrize("suffix", ["svg", "png", "dot"])
def test_draw_writes_the_picture(tmp_path, suffix):
    done = run("draw", *NOTE_1_1, "-o", f"graph.{suffix}", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"wrote graph.{suffix}\n", "")
    start = {"svg": b"<?xml", "png": b"\x89PNG", "dot": b"digraph"}[suffix]
    assert start in (tmp_path / f"graph.{suffix}").read_bytes()[:200]


def test_draw_a_network(tmp_path, net):
    file = tmp_path / "net.svg"
    done = run("draw", str(net), *NETWORK_OPTIONS, "-o", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert "<svg" in file.read_text()


@pytest.mark.parametrize("suffix", ["html", "json", "mmd", "tex"])
def test_draw_writes_other_formats(tmp_path, suffix):
    assert run("draw", *NOTE_1_1, "-o", f"a.{suffix}", cwd=tmp_path).returncode == 0
    assert (tmp_path / f"a.{suffix}").read_text(encoding="utf-8")


def test_draw_a_flow_in_the_dark(tmp_path):
    done = run("draw", *NOTE_1_1, "--flow", "w", "--theme", "dark", "-o", "a.svg", cwd=tmp_path)
    assert done.returncode == 0
    svg = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert svg.count("stroke-dasharray") == 5
    assert "prefers-color-scheme" not in svg
    for wrong in ("q", "w,x", ""):
        assert_refused(run("draw", *NOTE_1_1, f"--flow={wrong}", "-o", "b.svg", cwd=tmp_path))


def test_draw_the_pass_step_by_step(tmp_path):
    done = run("draw", *NOTE_1_1, "--frames", "-o", "a.svg", cwd=tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "a.svg").read_text(encoding="utf-8").count('class="frame') == 14
    done = run("draw", *NOTE_1_1, "--frames", "-o", "a.png", cwd=tmp_path)
    assert done.returncode == 1
    assert "frames move in .gif .svg .html" in done.stderr


def test_draw_the_paths_of_a_bias(tmp_path, net):
    options = ["--input", "0.8,-0.5", "--target", "0.3,-0.2"]
    file = tmp_path / "bias.json"
    done = run("draw", str(net), *options, "--bias", "1,2", "-o", str(file))
    assert done.returncode == 0
    assert json.loads(file.read_text(encoding="utf-8"))["place"] == [1, 2]
    done = run("draw", str(net), *options, "--bias", "1,2", "--frames", "-o", "b.gif")
    assert done.returncode == 2


def test_draw_refuses_an_existing_file_unless_forced(tmp_path):
    file = tmp_path / "graph.svg"
    file.write_text("mine")
    done = run("draw", *NOTE_1_1, "-o", str(file))
    assert_refused(done)
    assert "exists already" in done.stderr
    assert file.read_text() == "mine"
    assert run("draw", *NOTE_1_1, "-o", str(file), "--force").returncode == 0
    assert "<svg" in file.read_text()


@pytest.mark.parametrize("name", ["graph.bmp", "graph", "none/graph.svg", ".", "graph.svg/x.svg"])
def test_draw_refuses_what_it_cannot_write(tmp_path, name):
    done = run("draw", *NOTE_1_1, "-o", name, cwd=tmp_path)
    assert_refused(done)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_draw_refuses_a_folder_it_may_not_write(tmp_path):
    tmp_path.chmod(0o500)
    assert_refused(run("draw", *NOTE_1_1, "-o", "graph.svg", cwd=tmp_path))


def test_draw_takes_odd_names_as_names(tmp_path):
    assert run("draw", "x*x", "x=1", "-o=-x.svg", cwd=tmp_path).returncode == 0
    assert run("draw", "x*x", "x=1", "-o", "-y.svg", cwd=tmp_path).returncode == 0
    assert sorted(each.name for each in tmp_path.iterdir()) == ["-x.svg", "-y.svg"]


def test_draw_refuses_a_large_graph_but_not_as_dot(tmp_path):
    large = "+".join(["x"] * 400)
    done = run("draw", large, "x=1", "-o", "large.svg", cwd=tmp_path)
    assert_refused(done)
    assert "400 nodes" in done.stderr
    assert run("draw", large, "x=1", "-o", "large.dot", cwd=tmp_path).returncode == 0
    assert (
        run("draw", "x*x*x", "x=1", "-o", "x.svg", "--max-nodes", "2", cwd=tmp_path).returncode == 1
    )


# ---- the terminal


def test_demo_in_a_terminal_shows_progress_accuracy_and_where(tmp_path):
    child = pexpect.spawn(
        PROGRAM[0], [*PROGRAM[1:], "demo"], cwd=tmp_path, encoding="utf-8", timeout=60,
        dimensions=(50, 160), env={**os.environ, "TERM": "xterm", "LANG": "C.UTF-8"},
    )  # fmt: skip
    child.expect("120 flowers to train on, 30 held out")
    child.expect("training")
    child.expect("100%")
    child.expect(r"Held-out accuracy: (\d\.\d+)")
    assert float(child.match.group(1)) >= 0.9
    child.expect(r"de/dw\[1\]\[\d,\d\] = Σ_k2")
    child.expect("sum of the terms +([+-][0-9.e-]+)")
    total = child.match.group(1)
    child.expect("backward +([+-][0-9.e-]+)")
    assert child.match.group(1) == total
    child.expect("finite difference +([+-][0-9.e-]+)")
    assert float(child.match.group(1)) == pytest.approx(float(total), rel=1e-5)
    child.expect("wrote tinygrad-bp-demo")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    written = sorted(each.name for each in (tmp_path / "tinygrad-bp-demo").iterdir())
    assert written == ["explorer.html", "graph.svg", "network.json", "network.svg", "weight.txt"]


def test_demo_in_a_pipe_is_reproducible_and_overwrites_nothing(tmp_path):
    first, second = run("demo", cwd=tmp_path), run("demo", cwd=tmp_path)
    assert (first.returncode, first.stderr) == (0, "")
    assert second.stdout.replace("tinygrad-bp-demo-2", "tinygrad-bp-demo") == first.stdout
    folders = [tmp_path / "tinygrad-bp-demo", tmp_path / "tinygrad-bp-demo-2"]
    for one, other in zip(*(sorted(each.iterdir()) for each in folders), strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_demo_refuses_a_name_that_is_taken_and_leaves_nothing_when_it_cannot_write(tmp_path):
    (tmp_path / "taken").write_text("mine")
    assert_refused(run("demo", "-o", "taken", cwd=tmp_path))
    shell = f"{sys.executable} -m tinygrad_bp demo -o out > /dev/full"
    buffered = {**os.environ, "PYTHONUNBUFFERED": ""}
    done = subprocess.run(
        ["bash", "-c", shell], capture_output=True, text=True, cwd=tmp_path, env=buffered
    )
    assert done.returncode != 0
    assert [each.name for each in tmp_path.iterdir()] == ["taken"]


def test_the_demos_network_can_be_explained(tmp_path):
    assert run("demo", "-o", "out", cwd=tmp_path).returncode == 0
    done = run(
        "explain", "out/network.json", "--input", "1,0,1,1", "--target", "0,0,1", "--weight", "2,1,1",
        cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


# ---- train

XOR = "a,b,xor\n0,0,0\n0,1,1\n1,0,1\n1,1,0\n"


@pytest.fixture
def table(tmp_path):
    (tmp_path / "xor.csv").write_text(XOR)
    return tmp_path


def test_train_prints_what_it_learned_and_its_network_gives_the_errors_that_were_printed(table):
    done = run("train", "xor.csv", "--hidden", "4", "--epochs", "70", "-o", "net.json", cwd=table)
    assert (done.returncode, done.stderr) == (0, "")
    about, rows, end = done.stdout.split("\n\n")
    assert about.splitlines()[:3] == ["4 samples to train on", "2 inputs: a, b", "1 target: xor"]
    assert "a 2-4-1 network: tanh, identity; e = Σ (t − o)²" in about
    assert rows.splitlines()[0].split() == ["epoch", "mean", "e"]
    numbers = {int(line.split()[0]): line.split()[1] for line in rows.splitlines()[1:]}
    assert [*numbers] == [0, 1, 2, 5, 10, 20, 50, 70]
    net = Network.load(table / "net.json")
    errors = [
        net.forward([a, b], [t]).e.data for a, b, t in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0))
    ]
    assert numbers[70] == f"{sum(errors) / 4:.4g}"
    wrote, hint = end.splitlines()
    assert wrote == "wrote net.json"
    command = hint.removeprefix("look at its first sample: tinygrad-bp ").split()
    assert command[:6] == ["explore", "net.json", "--input", "0,0", "--target", "0"]
    assert run(*command, cwd=table).returncode == 0
    assert (table / "explorer.html").exists()


def test_train_as_json_is_the_same_again_and_goes_on_from_what_was_saved(table):
    options = ["--held-out", "0.2", "--epochs", "10", "--json"]
    first, second = (
        run("train", "iris", *options, "-o", name, cwd=table) for name in ("a.json", "b.json")
    )
    assert (first.returncode, first.stderr, first.stdout) == (0, "", second.stdout)
    assert (table / "a.json").read_bytes() == (table / "b.json").read_bytes()
    said = json.loads(first.stdout)
    assert (said["samples"], said["held_out"], said["sizes"]) == (120, 30, [4, 5, 3])
    assert said["targets"] == ["setosa", "versicolor", "virginica"]
    last = said["epochs"][-1]
    assert last["epoch"] == 10
    assert last["accuracy held out"] > 0.9
    again = json.loads(run("train", "iris", "--from", "a.json", *options, cwd=table).stdout)
    for name, number in again["epochs"][0].items():
        assert name == "epoch" or number == pytest.approx(last[name], rel=1e-12)
    other = run("train", "iris", *options, "--seed", "1", cwd=table)
    assert json.loads(other.stdout)["epochs"] != said["epochs"]


def test_train_of_chosen_columns_and_of_numbers_that_are_classes(table):
    (table / "data.csv").write_text("id;a;b;kind\n1;2;3;0\n2;3;5;1\n3;4;4;0\n")
    done = run(
        "train",
        "data.csv",
        "--inputs",
        "a, b",
        "--targets",
        "kind",
        "--classes",
        "--json",
        cwd=table,
    )
    said = json.loads(done.stdout)
    assert (said["inputs"], said["targets"], said["classes"]) == (["a", "b"], ["0", "1"], True)
    assert [*said["epochs"][0]] == ["epoch", "mean e", "accuracy"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["missing.csv"],
            "tinygrad-bp train: cannot read 'missing.csv': No such file or directory",
        ),
        (["picture.csv"], "'picture.csv' is not text in UTF-8: save the table as CSV in UTF-8"),
        (
            ["xor.csv", "--targets", "c"],
            "xor.csv: there is no column 'c'; its columns are a, b, xor",
        ),
        (["xor.csv", "--hidden", "4,x"], "--hidden: '4,x' is not none, nor sizes such as 5 or 8,4"),
        (["xor.csv", "--hidden", "0"], "--hidden: '0' is not none"),
        (["xor.csv", "--activation", "tangent"], "unknown activation 'tangent'; known: "),
        (["xor.csv", "--activation", "tanh,tanh,tanh"], "3 activations for 2 layers"),
        (["xor.csv", "--eta", "fast"], "--eta: 'fast' is not a number"),
        (["xor.csv", "--held-out", "1"], "at least 0 and less than 1, not 1.0"),
        (["xor.csv", "--from", "xor.csv"], "'xor.csv' is not a network: "),
        (
            ["xor.csv", "--from", "net.json"],
            "<Network 2-3-3-2> does not fit 2 inputs and 1 target",
        ),
        (["xor.csv", "--from", "net.json", "--hidden", "3"], "leave --hidden, --activation out"),
        (["xor.csv", "-o", "net.json"], "'net.json' exists already"),
        (["xor.csv", "-o", "no/net.json"], "cannot write 'no/net.json': there is no folder 'no'"),
        (["xor.csv", "-o", "xor.csv", "--force"], "cannot write 'xor.csv': a network is a .json"),
        (["xor.csv", "-o", ""], "cannot write '': a network is a .json"),
        (["xor.csv", "--hidden", ""], "--hidden: '' is not none, nor sizes"),
        (["xor.csv", "--from", ""], "Is a directory"),
        (["xor.csv", "--eta", "-1"], "the learning rate eta is above 0, not -1.0"),
        (["xor.csv", "--seed", "-5"], "'-5' is not a whole number from 0"),
        (["xor.csv", "--epochs", "-1"], "'-1' is not a whole number above 0"),
        (["xor.csv", "more"], "too many arguments: more"),
        (["xor.csv", "--held-out", "0.01"], "a share of 0.01 holds out none of 4 samples"),
    ],
)
def test_train_refuses_in_one_line_and_writes_nothing(table, net, arguments, message):
    (table / "picture.csv").write_bytes(b"\x89PNG\xff\xfe")
    before = sorted(each.name for each in table.iterdir())
    output = [] if "-o" in arguments else ["-o", "new.json"]
    done = run("train", *arguments, *output, cwd=table)
    assert_refused(done)
    assert message in done.stderr
    assert sorted(each.name for each in table.iterdir()) == before


def test_train_says_that_a_rate_is_too_large_and_writes_nothing(table):
    done = run("train", "xor.csv", "--eta", "50", "-o", "net.json", cwd=table)
    assert done.returncode == 2
    assert re.fullmatch(r"tinygrad-bp train: in epoch \d+ .*\n", done.stderr)
    assert not (table / "net.json").exists()


def test_an_interrupt_of_train_keeps_what_was_learned(table, pseudo_terminal):
    child = pseudo_terminal(
        [*PROGRAM, "train", "xor.csv", "--epochs", "1000000", "-o", "net.json"], cwd=table
    )
    child.expect("training .*[1-9][0-9]*%|0:0[0-9]")
    time.sleep(1)
    child.sendintr()
    child.expect(r"interrupted after epoch (\d+)")
    assert int(child.match.group(1)) > 0
    child.expect(r"epoch +mean e")
    child.expect("wrote net.json")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 130
    assert Network.load(table / "net.json").sizes == (2, 5, 1)


def test_what_was_learned_before_an_error_is_printed(table):
    """A square that is driven below its least value: its weights grow, and then leave all bounds."""
    (table / "square.csv").write_text("1,-9\n2,-9\n3,-9\n")
    options = ["--hidden", "none", "--activation", "square", "--eta", "0.05", "--epochs", "500"]
    done = run("train", "square.csv", *options, "-o", "net.json", cwd=table)
    assert done.returncode == 2
    learned = re.findall(r"^ *(\d+) +\d", done.stdout.partition("mean e")[2], re.MULTILINE)
    assert [*map(int, learned)][:2] == [0, 1]
    assert re.fullmatch(
        r"tinygrad-bp train: in epoch \d+ .* another unit\n|.*too large here\n", done.stderr
    )
    assert not (table / "net.json").exists()


def test_a_reader_that_has_had_enough_does_not_stop_the_training(table):
    shell = f"{sys.executable} -m tinygrad_bp train xor.csv --epochs 20 -o net.json | true"
    subprocess.run(["bash", "-c", shell], cwd=table, capture_output=True, timeout=60, check=True)
    assert Network.load(table / "net.json").sizes == (2, 5, 1)


def test_train_as_json_holds_only_what_json_has(table):
    (table / "huge.csv").write_text("1e200,1e200\n2e200,3e200\n5e200,4e200\n")
    done = run("train", "huge.csv", "--epochs", "1", "--eta", "1/3", "--json", cwd=table)
    said = json.loads(done.stdout, parse_constant=pytest.fail)
    assert (said["eta"], said["epochs"][0]["mean e"]) == ("1/3", "inf")


def test_train_says_how_it_read_the_table_and_reads_it_as_it_is_told(table):
    (table / "data.csv").write_bytes("0;1;kind\n1;2;u\n2;?;v\n3;4;v\n".encode("utf-16"))
    done = run("train", "data.csv", "--skip-missing", cwd=table)
    assert_refused(done)
    assert (
        "data.csv, line 1: names of columns or a sample, both are possible: say --header or"
        in done.stderr
    )
    named = run("train", "data.csv", "--header", "--skip-missing", "--epochs", "1", cwd=table)
    assert "2 inputs: 0, 1\n2 classes: u (1), v (1)\nread with ';' between columns" in named.stdout
    assert "named by the first line; ignored: line 3, where a value is missing\n" in named.stdout
    numbered = run("train", "data.csv", "--no-header", "--skip-missing", "--json", cwd=table)
    said = json.loads(numbered.stdout)
    assert said["counts"] == {"kind": 1, "u": 1, "v": 1}
    assert (said["header"], said["delimiter"], said["left_out"]) == (False, ";", [3])
    for sign, delimiter in (("tab", "\t"), ("blank", " "), (":", ":")):
        (table / "data.csv").write_text(f"a{delimiter}b\n1{delimiter}2\n3{delimiter}5\n")
        done = run("train", "data.csv", "--delimiter", sign, "--epochs", "1", "--json", cwd=table)
        assert json.loads(done.stdout)["delimiter"] == delimiter


def test_names_with_commas_are_chosen_in_quotes(table):
    (table / "data.csv").write_text('"a, first",b,y\n1,2,3\n2,3,4\n')
    done = run("train", "data.csv", "--inputs", 'b, "a, first"', "--json", cwd=table)
    assert json.loads(done.stdout)["inputs"] == ["b", "a, first"]


def test_names_in_a_table_cannot_move_the_terminal_s_cursor(table):
    (table / "evil.csv").write_text("a\x1b[2J,b\n1,2\n3,4\n")
    done = run("train", "evil.csv", "--epochs", "1", cwd=table)
    assert done.returncode == 0
    assert "aU+001B[2J" in done.stdout
    assert "\x1b" not in done.stdout


def test_plain_ascii_where_the_terminal_has_no_utf8():
    done = run("explain", "x*x + x", "x=2", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()
    assert "sum over 3 paths" in done.stdout


def test_a_reader_that_has_had_enough_is_no_error():
    shell = f"{sys.executable} -m tinygrad_bp explain 'x*x' x=2 | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", [[], ["demo"], ["explain"], ["draw"]])
def test_help_has_what_it_does_examples_and_exit_codes(command):
    done = run(*command, "--help")
    assert done.returncode == 0
    assert "exit codes" in done.stdout
    assert not command or "examples:" in done.stdout


def test_version():
    assert re.fullmatch(r"tinygrad-bp \d+\.\d+\.\d+\n", run("--version").stdout)
