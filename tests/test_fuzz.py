"""Whatever is typed, and whatever is in a file: a value, or one line and exit code 1 or 2.

Within two seconds and 500 MB, with nothing on the terminal that cannot be seen.  The inputs are drawn from a
seed and a number, so that each can be drawn again: ``python -P tests/test_fuzz.py SEED NUMBER`` tries one alone.
``FUZZ_SEED`` and ``FUZZ_INPUTS`` choose others, and more of them; without them, `conftest.py` does.
"""

from __future__ import annotations

import contextlib
import faulthandler
import io
import itertools
import json
import os
import random
import re
import resource
import shlex
import signal
import subprocess
import sys
import tempfile
import traceback
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

SEED = os.environ.get("FUZZ_SEED", "")  # conftest.py sets both
INPUTS = int(os.environ.get("FUZZ_INPUTS", "0"))
SHARDS = 4  # for as many processes of pytest-xdist
SECONDS = 2.0
MEGABYTES = 500
MESSAGE = 600


class Case(NamedTuple):
    """A command, and the files that it finds."""

    arguments: list[str]
    files: dict[str, bytes] = {}  # noqa: RUF012 - never changed


# ---- what is typed: expressions by grammar and by bytes

HOSTILE = (
    *("\x00", "\x07", "\x1b[2J", "\x1b]0;title\x07", "\r", "\n", "\t", "\x7f", "\x85", "\x9b31m"),
    *("\u202e", "\u2066", "\u200b", "\ufeff", "\u2028", "\u2029", "\udc80", "\ud800", "\U000e0041"),
    *("\\x1b", "\\", "\\1", "%s", "{x}", "<script>", "&lt;", '"', "'", "`", "$(x)", "é", "名", "ﬁ", "x" * 5000),
)  # fmt: skip
NAMES = ("x", "y", "z", "w", "e", "é", "名", "ﬁ", "long_name_" * 30)
UNARY = [
    "abs",
    "exp",
    "expm1",
    "log",
    "log1p",
    "log2",
    "log10",
    "sqrt",
    "cbrt",
    "square",
    "reciprocal",
    "sin",
    "cos",
    "tan",
    "arcsin",
    "arccos",
    "arctan",
    "sinh",
    "cosh",
    "tanh",
    "arcsinh",
    "arccosh",
    "arctanh",
    "erf",
    "erfc",
    "sigmoid",
    "softplus",
    "relu",
    "leaky_relu",
    "elu",
    "silu",
    "gelu",
    "gaussian",
    "ndtr",
    "identity",
]
BINARY = ["arctan2", "hypot", "maximum", "minimum", "logaddexp", "max", "min", "pow"]
NUMBERS = ("1", "2", "3", "7", "0", "10", "0.5", "2.5", "pi", "-1", "(1/3)")
ODD_NUMBERS = (
    *("1e308", "5e-324", "1e999", "0x10", "1_000", "1j", "01", "1000000000", "2**64", "9**9**9"),
    *("9" * 50, "9" * 4000, "9" * 5000),
)
VALUES = ("1", "2", "0.5", "0.25", "1/3", "7/2", "3", "0", "-1", "-0.7")
ODD_VALUES = (
    *(
        "1e308",
        "-1e-320",
        "10000000000/1",
        "1/0",
        "0/5",
        "inf",
        "nan",
        "1e400",
        "",
        "x",
        "1/" + "3" * 4000,
    ),
    *("9" * 4000 + "/7", "9" * 5000, "٣", "1 / 3", "0x1p3", "--1", "1,5"),
)


def picked(
    rng: random.Random, usual: Sequence[Any], odd: Sequence[Any], share: float = 0.03
) -> Any:
    """One of the usual ones, and now and then an odd one."""
    return rng.choice(odd if rng.random() < share else usual)


def value(rng: random.Random, share: float = 0.03) -> str:
    return picked(rng, VALUES, ODD_VALUES, share)


def grown(rng: random.Random, depth: int) -> str:
    """An expression by the grammar; now and then it is none after all."""
    if depth <= 0 or rng.random() < 0.1:
        if rng.random() < 0.6:
            return picked(rng, NAMES[:4], NAMES)
        return picked(rng, NUMBERS, ODD_NUMBERS)
    a, b, c, d = (grown(rng, depth - 1 - rng.randrange(2)) for _ in range(4))
    shape = rng.randrange(12)
    if shape < 5:
        return f"({a} {picked(rng, ['+', '-', '*', '/', '**'], ['%', '//', '@'], 0.01)} {b})"
    if shape < 8:
        return f"{picked(rng, UNARY, ['nothing', '', 'exp.exp'], 0.01)}({a})"
    if shape == 8:
        return f"{rng.choice(BINARY)}({a}, {b})"
    if shape == 9:
        return f"({a} if {b} {rng.choice(['<', '<=', '==', '!='])} {c} else {d})"
    if shape == 10:
        return f"{picked(rng, ['fsum', 'logsumexp'], ['dot', 'exp'])}({', '.join([a, b, c, d][: rng.randrange(5)])})"
    return f"-{a}"


def expression(rng: random.Random) -> str:
    text = grown(rng, rng.randrange(1, 7))
    kind = rng.randrange(8)
    if kind == 0:  # the same again and again
        text = f"a0 = {text}; " + "; ".join(
            f"a{k + 1} = a{k} {rng.choice('+-*/')} a{k}" for k in range(rng.randrange(60))
        )
    elif kind == 1:  # deep
        call = rng.choice(["(", "-(", "square(", "exp(", "2**(", "x*(", "[", "1/("])
        times = rng.choice([5, 28, 90, 250, 2000])
        text = call * times + text + ")" * times
    elif kind == 2:  # long
        text = rng.choice(["+", "*", "-", "**", "/", " if x else ", "<", ","]).join(
            [text] * rng.choice([3, 30, 300, 3000])
        )
    elif kind == 3:  # large
        text = f"({text}) ** {rng.choice(['1000000000', 'y', '(-10**9)', '5000', '0.5'])}"
    return text


def mutated(rng: random.Random, text: str) -> str:
    """The text with a few places cut out, doubled, or taken by what nobody would type."""
    for _ in range(rng.choice([1, 1, 2, 5])):
        start = rng.randrange(len(text) + 1)
        end = min(len(text), start + rng.choice([0, 1, 1, 3, 20]))
        middle = rng.choice([
            "", rng.choice(HOSTILE), text[start:end] * rng.randrange(2, 9),
            chr(rng.choice([rng.randrange(32, 127), rng.randrange(0x11_0000)])),
        ])  # fmt: skip
        text = text[:start] + middle + text[end:]
    return text


def typed(rng: random.Random) -> str:
    """By grammar, or by bytes."""
    kind = rng.randrange(10)
    if kind < 5:
        return expression(rng)
    if kind < 8:
        return mutated(rng, expression(rng))
    alphabet = rng.choice(["xy01.()+-*/% ", "x()[]{}=;:,'\"\\#@!~^&|<>?\n\t ", "".join(HOSTILE)])
    if kind == 8:
        return "".join(rng.choices(alphabet, k=rng.choice([1, 5, 20, 300])))
    return rng.randbytes(rng.choice([1, 5, 20, 300])).decode("utf-8", "surrogateescape")


def expression_case(rng: random.Random) -> Case:
    text = typed(rng)
    names = {each for each in NAMES if re.search(rf"\b{each}\b", text)}
    values = [f"{name}={value(rng)}" for name in sorted(names) if rng.random() < 0.98]
    if rng.random() < 0.05:
        values.append(f"{rng.choice((*NAMES, *HOSTILE))}={value(rng, 0.5)}")
    name = picked(rng, [*sorted(names)] or ["v1"], ["v1", "e", *HOSTILE], 0.15)
    command, options = rng.choice([
        ("explain", []), ("explain", ["--json"]), ("explain", ["--latex"]), ("explain", ["--html"]),
        ("explain", ["--wrt", name, "--terms", picked(rng, ["1", "3", "1000"], ["0", "9" * 50])]),
        ("explain", ["--landmark", name, "--eta", value(rng)]),
        ("explain", ["-o", "out.html"]),
        ("step", ["--brief"]), ("step", ["--json"]), ("step", ["--brief", "--naive"]), ("step", []),
        ("step", ["--eta", value(rng), "--wrt", name, "--brief"]),
        ("draw", ["-o", picked(rng, ["a.dot", "a.json", "a.mmd"], [f"{each}.dot" for each in HOSTILE], 0.2)]), ("draw", ["--flow", name, "-o", "a.dot"]),
        ("explore", ["-o", "a.html"]),
    ])  # fmt: skip
    return Case([command, text, *values, *options])


# ---- what is in a file: networks and tables


def network_case(rng: random.Random) -> Case:
    sizes = [rng.choice([1, 2, 3]) for _ in range(rng.choice([2, 3, 4]))]
    number = rng.choice([
        lambda: rng.uniform(-2, 2), lambda: rng.randrange(-3, 4), lambda: f"{rng.randrange(9)}/{rng.randrange(1, 9)}",
    ])  # fmt: skip
    layers = [*itertools.pairwise(sizes)]
    names = ["tanh", "relu", "sigmoid", "square", "identity", "exp", "log", "reciprocal"]
    content = {
        "format": "tinygrad-bp network",
        "version": 1,
        "activations": [[rng.choice(names)] * size for _, size in layers],
        "weights": [[[number() for _ in range(k)] for _ in range(j)] for k, j in layers],
        "biases": [[number() for _ in range(j)] for _, j in layers],
    }
    kind = rng.randrange(6)  # some are left as they are
    if kind == 0:
        spoil(rng, content)
    text = json.dumps(content)
    if kind == 1:
        text = mutated(rng, text)
    data = text.encode("utf-8", "surrogatepass")
    if kind == 2:
        data = (
            data[: rng.randrange(len(data))] + rng.randbytes(3) + data[rng.randrange(len(data)) :]
        )
    x, t = (
        ",".join(value(rng, 0.01) for _ in range(size))
        for size in (sizes[0], sizes[-1])
    )  # fmt: skip
    where = picked(rng, ["1,1,1"], ["1,2,1", "2,1,2", "0,9,x", "1" * 50 + ",1,1"], 0.2)
    command, options = rng.choice([
        ("explain", ["--weight", where]), ("explain", ["--weight", where, "--json"]),
        ("explain", ["--bias", where[:3], "--eta", "1/10"]), ("step", ["--brief"]), ("step", ["--json"]),
        ("train", []),
    ])  # fmt: skip
    if command == "train":
        table = f"{x}\n".replace("/", ".").encode()
        return Case(
            ["train", "t.csv", "--from", "net.json", "--epochs", "1"],
            {"net.json": data, "t.csv": table},
        )
    return Case([command, "net.json", "--input", x, "--target", t, *options], {"net.json": data})


def spoil(rng: random.Random, content: dict) -> None:
    """Put something else somewhere into the content."""
    other = rng.choice([
        None, True, {}, [], "", "1/0", "tangent", -1, 10**400, 1e308, [[]], {"a": 1}, "9" * 5000 + "/1",
        rng.choice(HOSTILE), [rng.choice(HOSTILE)] * 50, [0] * 1000, "1e5", "1/" + "7" * 3000,
    ])  # fmt: skip
    key = rng.choice([*content])
    place = content
    while isinstance(place[key], list) and place[key] and rng.random() < 0.8:
        place, key = place[key], rng.randrange(len(place[key]))
    if rng.random() < 0.1:
        del place[key]
    else:
        place[key] = other


def table_case(rng: random.Random) -> Case:
    columns, lines = picked(rng, [2, 3, 4], [1], 0.1), picked(rng, [3, 5, 12], [0, 1, 2], 0.2)
    separator = picked(rng, [",", ";", "\t"], ["|", " ", ", "], 0.2)
    cells = ["1", "2.5", "-3", "0", "1e3", "7", "12"]
    odd = [
        "nan",
        "NA",
        "",
        "inf",
        "1e400",
        "1,5",
        '"1,234"',
        "?",
        "2020-01-01",
        "10%",
        "setosa",
        *HOSTILE,
    ]
    header = [
        picked(rng, "abcdxy", HOSTILE, 0.2) + str(k) * (rng.random() < 0.9) for k in range(columns)
    ]
    rows = [header] * (rng.random() < 0.7)
    rows += [[picked(rng, cells, odd, 0.01) for _ in range(columns)] for _ in range(lines)]
    text = picked(rng, ["\n"], ["\r\n", "\r"], 0.2).join(separator.join(row) for row in rows)
    text = mutated(rng, text) if rng.random() < 0.3 else text
    data = text.encode("utf-8", "surrogatepass")
    if rng.random() < 0.05:
        data = rng.choice([b"\xef\xbb\xbf", b"\xff\xfe", b"\x89PNG", b"sep=;\n"]) + data
    options = rng.choice([
        [], ["--classes"], ["--inputs", header[0]], ["--targets", header[-1]], ["--hidden", "none"],
        ["--hidden", picked(rng, ["3", "2,2"], ["0", "x", "20000000", "9" * 50, "1" * 5000], 0.3)],
        ["--held-out", picked(rng, ["0.2", "1/3"], ["1", "-1", "x"])],
        ["--activation", picked(rng, ["relu"], HOSTILE)],
        ["--eta", value(rng)], ["--seed", value(rng, 0.5)], ["--json"], ["-o", "out.json"],
    ])  # fmt: skip
    return Case(["train", "t.csv", "--epochs", rng.choice(["1", "2"]), *options], {"t.csv": data})


# ---- names, options, and labels given in Python


def option_case(rng: random.Random) -> Case:
    """Options that are none, or have what is none of theirs."""
    odd = [
        *HOSTILE,
        *ODD_VALUES,
        "-" + rng.choice(HOSTILE),
        "--" + rng.choice(HOSTILE),
        "--no-such",
        "/dev/zero",
        ".",
    ]
    command = rng.choice(["explain", "draw", "step", "explore", "train", rng.choice(HOSTILE)])
    usual = [
        "x*y",
        "x=1",
        "y=2",
        "net.json",
        "--json",
        "-o",
        "--wrt",
        "--flow",
        "--eta",
        "--theme",
        "--input",
        "--target",
        "--weight",
        "--max-nodes",
        "--terms",
        "--node",
        "--share",
        "--epochs",
        "--seed",
        "--inputs",
    ]
    some = [picked(rng, usual, odd, 0.2) for _ in range(rng.randrange(6))]
    some.insert(rng.randrange(len(some) + 1), rng.choice(odd))
    return Case([command, *some])


def endless_case(rng: random.Random) -> Case:
    """What has no end, or is far too large."""
    return Case(
        rng.choice([
            ["train", "/dev/zero"],
            ["train", "iris", "--hidden", "20000000"],
            ["explain", f"fsum({'x*x, ' * 30_000}x)", "x=1"],
            ["explain", "+".join(f"x{k}" for k in range(400)), *[f"x{k}=1" for k in range(400)]],
            ["step", "+".join(["x"] * 900), "x=1"],
        ])
    )  # fmt: skip


CASES = (
    *[expression_case] * 10,
    *[network_case] * 4,
    *[table_case] * 4,
    *[option_case] * 2,
    endless_case,
)


def drawn(seed: str, number: int) -> Case:
    rng = random.Random(f"{seed}/{number}")
    return rng.choice(CASES)(rng)


def labelled(seed: str, number: int) -> str | None:
    """What is wrong with what is said of Values whose labels are hostile; ``None`` where nothing is."""
    from tinygrad_bp import Value, log, steps, tanh
    from tinygrad_bp.derivation import derivation
    from tinygrad_bp.errors import BackpropError
    from tinygrad_bp.repl import order, terms, tree

    rng = random.Random(f"{seed}/label {number}")
    a, b = (Value(rng.uniform(-2, 2), mutated(rng, rng.choice(HOSTILE))) for _ in "ab")
    try:
        e = rng.choice([lambda: log(a) * b, lambda: tanh(a * b) ** 2 - a / b, lambda: a**b])()
        e.label = rng.choice(HOSTILE)
        e.backward()
        say = rng.choice([
            lambda: steps(e).to_text(), lambda: derivation(e, a).to_text(), lambda: tree(e), lambda: order(e),
            lambda: terms(e, a), lambda: terms(e, Value(1.0, b.label)), lambda: float(a),
        ])  # fmt: skip
        return seen(str(say()))
    except (BackpropError, LookupError) as error:
        return seen(str(error)) or (
            f"a message of {len(str(error))}" if len(str(error)) > MESSAGE else None
        )


# ---- the promise


def seen(text: str) -> str | None:
    """What of it a terminal would obey, or not show."""
    for each in set(text) - {"\n"}:
        if unicodedata.category(each)[0] == "C" or unicodedata.category(each) in ("Zl", "Zp"):
            return f"U+{ord(each):04X} reaches the terminal"
    return None


def broken(case: Case, code: object, out: str, err: str) -> str | None:
    """Which promise is broken; ``None`` where none is."""
    if code not in (0, 1, 2):
        return f"exit code {code}"
    if "Traceback" in out + err:
        return "a trace"
    if code == 0 and not all(": warning: " in line for line in err.splitlines()):
        return "something on standard error, and exit code 0"
    if code and (
        err.count("\n") != 1 or not err.endswith("\n") or not err.startswith("tinygrad-bp")
    ):
        return "not one line of what is wrong"
    if len(err) > MESSAGE + 1:
        return f"a message of {len(err)} characters"
    if "not enough memory" in err:
        return "memory is filled"
    if code and out and case.arguments[0] != "train":
        return "results, and an error"
    if code == 0 and "--json" in case.arguments and "-o" not in case.arguments:
        json.loads(out)
    return seen(out) or seen(err)


class TooSlowError(BaseException):
    """Raised where the time is over; no command catches it."""


def too_slow(*_: object) -> None:
    raise TooSlowError


@contextlib.contextmanager
def folder_with(files: dict[str, bytes]):
    """A new current folder with these files in it."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for name, data in files.items():
            Path(name).write_bytes(data)
        yield


def attempt(case: Case) -> str | None:
    """Run a case in this process; which promise is broken."""
    from tinygrad_bp import cli

    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2)]
    with folder_with(case.files):
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
                code: object = cli.main(case.arguments)
        except SystemExit as ended:
            code = ended.code
        except TooSlowError:
            return f"more than {SECONDS} s:\n{traceback.format_exc(limit=-6)}"
        except BaseException:  # noqa: BLE001 - whatever it is, it is reported
            return traceback.format_exc(limit=-6)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        left = {each.name for each in Path.cwd().iterdir()} - {*case.files}
    for stream in streams:
        stream.flush()
    out, err = (stream.buffer.getvalue().decode() for stream in streams)
    if code and left:
        return f"an error, and yet {left}"
    return broken(case, code, out, err)


def work(seed: str, first: int, past: int) -> None:
    """Try cases one after the other, and print what is wrong as JSON."""
    resource.setrlimit(resource.RLIMIT_AS, (MEGABYTES * 2**20,) * 2)
    signal.signal(signal.SIGPROF, too_slow)
    for number in range(first, past):
        faulthandler.dump_traceback_later(
            10 * SECONDS, exit=True
        )  # within C no signal comes through
        case = drawn(seed, number)
        wrong = attempt(case) or labelled(seed, number)
        if wrong:
            print(json.dumps([number, wrong, shlex.join(case.arguments)[:300]]), flush=True)
    print(json.dumps("done"), flush=True)


def run_work(first: int, past: int) -> None:
    command = [sys.executable, "-P", __file__, SEED, str(first), str(past)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    *wrong, end = map(json.loads, done.stdout.splitlines() or ['""'])
    told = "".join(f"\n{number}: {what}\n    {typed}" for number, what, typed in wrong)
    assert end == "done", f"it hangs, or is killed: {done.stderr[-3000:]}{told}\n{end}"
    assert not wrong, (
        f"python -P {Path(__file__).name} {SEED} NUMBER tries one of these again:{told}"
    )


_LONGEST_ARGUMENT = 100_000
"""Bytes: past 128 KiB Linux starts no program."""

BY_SHARDS = pytest.mark.parametrize("shard", range(SHARDS))


@BY_SHARDS
def test_in_one_process(shard):
    run_work(shard * INPUTS // SHARDS, (shard + 1) * INPUTS // SHARDS)


@BY_SHARDS
def test_as_programs(shard):
    """Some of them as a person runs them, with a program's start and end."""
    for number in range(shard * INPUTS // SHARDS, (shard + 1) * INPUTS // SHARDS, 100):
        case = drawn(SEED, number)
        try:
            arguments = [os.fsencode(each) for each in case.arguments]
        except UnicodeEncodeError:  # a lone surrogate, which no system passes on
            continue
        if any(b"\0" in each or len(each) > _LONGEST_ARGUMENT for each in arguments):  # nor these
            continue
        with folder_with(case.files):
            done = subprocess.run(
                [sys.executable, "-m", "tinygrad_bp", *arguments],
                capture_output=True,
                env={**os.environ, "PYTHONUTF8": "1"},
                stdin=subprocess.DEVNULL,
                timeout=30 * SECONDS,  # on a busy machine
                check=False,
            )
        wrong = broken(case, done.returncode, done.stdout.decode(), done.stderr.decode())
        assert not wrong, (number, wrong, case)


if __name__ == "__main__":
    work(
        sys.argv[1],
        int(sys.argv[2]),
        int(sys.argv[3] if len(sys.argv) > 3 else sys.argv[2]) + (len(sys.argv) == 3),
    )
