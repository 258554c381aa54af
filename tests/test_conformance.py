"""Conformance: a right engine conforms, and each kind of wrong one is found by the property of its name."""

from __future__ import annotations

import doctest
import json
import math
import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from depth import depth

from tinygrad_bp import ArgumentError, Value
from tinygrad_bp.terminal.cli import main
from tinygrad_bp.testing import conformance
from tinygrad_bp.testing.conformance import Engine, Suite
from tinygrad_bp.testing.engines import OURS, load

SUITES = []


def opened(*arguments, **settings):
    """A suite, whose process is ended with the test."""
    SUITES.append(Suite(*arguments, **settings))
    return SUITES[-1]


@pytest.fixture(autouse=True)
def _closed():
    yield
    while SUITES:
        SUITES.pop().close()


class Scalar:
    """A scalar engine as people write them, right in all that is tried; each fault below changes one thing."""

    __slots__ = ("data", "grad", "parents")

    def __init__(self, data, parents=()):
        self.data = data
        self.grad = 0.0
        self.parents = parents  # pairs of a parent and the local derivative

    @classmethod
    def of(cls, other):
        return other if isinstance(other, Scalar) else cls(float(other))

    def result(self, data, *parents):
        return type(self)(data, parents)

    def __add__(self, other):
        other = self.of(other)
        return self.result(self.data + other.data, (self, 1.0), (other, 1.0))

    def __mul__(self, other):
        other = self.of(other)
        return self.result(self.data * other.data, (self, other.data), (other, self.data))

    def __pow__(self, n):
        if not isinstance(n, (int, float)):
            raise NotImplementedError("a plain number")
        slope = n * self.data ** (n - 1) if n else 0.0
        return self.result(float(self.data) ** n, (self, slope))

    def relu(self):
        return self.result(max(self.data, 0.0), (self, float(self.data > 0)))

    def tanh(self):
        out = math.tanh(self.data)
        e = math.exp(-2.0 * abs(self.data))
        return self.result(out, (self, 4.0 * e / (1.0 + e) ** 2))

    def log(self):
        return self.result(math.log(self.data), (self, 1.0 / self.data))

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + (-self.of(other))

    def __rsub__(self, other):
        return self.of(other) - self

    def __truediv__(self, other):
        other = self.of(other)
        out = self.data / other.data
        return self.result(out, (self, 1.0 / other.data), (other, -out / other.data))

    def __rtruediv__(self, other):
        return self.of(other) / self

    __radd__ = __add__
    __rmul__ = __mul__

    def order(self):
        order, seen, stack = [], {id(self)}, [(self, iter(self.parents))]
        while stack:
            node, rest = stack[-1]
            for parent, _ in rest:
                if id(parent) not in seen:
                    seen.add(id(parent))
                    stack.append((parent, iter(parent.parents)))
                    break
            else:
                order.append(node)
                stack.pop()
        return order

    def backward(self):
        order = self.order()
        for node in order:
            node.begin()
        self.grad += 1.0
        for node in reversed(order):
            node.pass_on()

    def begin(self):
        if self.parents:
            self.grad = 0.0

    def pass_on(self):
        for parent, local in self.parents:
            parent.grad += self.grad * local


def exp_of(node):
    out = math.exp(node.data) if node.data < 700 else float(np.exp(np.float64(node.data)))
    return node.result(out, (node, out))


# ---- right engines


def verdicts(report):
    return {each.name: each.verdict for each in report.findings}


def test_a_right_engine_conforms():
    report = conformance(Scalar, examples=depth(60, by_default=15))
    assert report.holds, report
    found = verdicts(report)
    for name in ("a / b", "2 / a", "relu", "kinks", "tanh", "tanh: tails", "random programs"):
        assert found[name] == "holds"
    for name in ("second pass", "two results", "recording", "training", "deep graph", "no cycles"):
        assert found[name] == "holds"
    for name in ("abs", "exp", "exp: tails", "a ** b", "2 ** a", "dot"):
        assert found[name] == "not offered"


def test_ours_conforms_in_every_property():
    report = conformance(OURS)
    assert {*verdicts(report).values()} == {"holds"}, report


PAGE = (Path(__file__).parent.parent / "docs" / "conformance.md").read_text(encoding="utf-8")


def test_micrograd_as_the_page_has_it():
    pytest.importorskip("micrograd.engine")
    of_python = ("RecursionError", "should be 0.0")  # which versions say and count differently
    for line in str(conformance("micrograd.engine:Value")).splitlines():
        assert line in PAGE or any(each in line for each in of_python), line


def test_the_session_on_the_page_runs_as_printed():
    test = doctest.DocTestParser().get_doctest(PAGE, {}, "conformance", "conformance.md", 0)
    results = doctest.DocTestRunner().run(test)
    assert results.attempted > 5
    assert results.failed == 0


class Shuffled(Scalar):
    """Adds up in any order: each node collects what comes in."""

    def backward(self):
        order = self.order()
        coming = {id(node): [] for node in order}
        coming[id(self)] = [1.0]
        rng = random.Random(len(order))
        for node in reversed(order):
            rng.shuffle(coming[id(node)])
            grad = sum(coming[id(node)])
            node.grad = grad if node.parents else node.grad + grad
            for parent, local in node.parents:
                coming[id(parent)].append(grad * local)


def test_the_order_in_which_an_engine_adds_does_not_matter():
    suite = opened(Shuffled)
    for name in ("random programs", "second pass"):
        assert suite.check(name).verdict == "holds", suite.check(name)


def single(x):
    return float(np.float32(x))


class Single(Scalar):
    """An engine with floats of single precision."""

    def result(self, data, *parents):
        kept = [(parent, single(local)) for parent, local in parents]
        return type(self)(single(data), kept)

    def pass_on(self):
        for parent, local in self.parents:
            parent.grad = single(parent.grad + single(self.grad * local))


def test_an_engine_of_single_precision_conforms_with_its_bits_and_not_without():
    suite = opened(Engine(Single, bits=24), examples=depth(120, by_default=30))
    for name in ("random programs", "second pass", "a / b", "tanh", "log"):
        assert suite.check(name).verdict == "holds", suite.check(name)
    assert suite.check("tanh: tails").verdict == "not offered"
    assert opened(Single).check("tanh").verdict == "fails"


# ---- wrong engines


class ParentsInASet(Scalar):
    def pass_on(self):
        for parent, local in dict(self.parents).items():
            parent.grad += self.grad * local


class NoOrder(Scalar):
    def backward(self):
        self.grad = 1.0
        self.push()

    def push(self):
        for parent, local in self.parents:
            parent.grad += self.grad * local
            NoOrder.push(parent)


class Overwrites(Scalar):
    def pass_on(self):
        for parent, local in self.parents:
            parent.grad = self.grad * local


class KeepsInnerGradients(Scalar):
    def backward(self):
        self.grad = 0.0
        super().backward()

    def begin(self):
        pass


class ClearsLeaves(Scalar):
    def begin(self):
        self.grad = 0.0


class BreadthFirst(Scalar):
    def order(self):
        order = [self]
        for node in order:
            order += [parent for parent, _ in node.parents if parent not in order]
        return order[::-1]


class WrongReflected(Scalar):
    def __rsub__(self, other):
        return self - other


class WrongDivisor(Scalar):
    def __truediv__(self, other):
        other = self.of(other)
        slope = self.data / other.data**2  # the sign
        return self.result(self.data / other.data, (self, 1 / other.data), (other, slope))


class WrongPower(Scalar):
    def __pow__(self, n):
        return self.result(float(self.data) ** n, (self, n * self.data**n if n else 0.0))


class WrongRelu(Scalar):
    def relu(self):
        return self.result(max(self.data, 0.0), (self, 1.0))


class WrongAtTheKink(Scalar):
    def relu(self):
        slope = 2.0 if self.data == 0 else float(self.data > 0)
        return self.result(max(self.data, 0.0), (self, slope))


class WrongTanh(Scalar):
    def tanh(self):
        return self.result(math.tanh(self.data), (self, 1.0 - self.data**2))


class AlmostTanh(Scalar):
    def tanh(self):
        out = math.tanh(self.data)
        return self.result(out, (self, (1.0 - out**2) * (1.0 + 1e-7)))


class NaiveTanh(Scalar):
    def tanh(self):
        up, down = math.exp(self.data), math.exp(-self.data)
        out = (up - down) / (up + down)
        return self.result(out, (self, 1.0 - out**2))


class Recurses(Scalar):
    def order(self):
        order, seen = [], set()

        def visit(node):
            if id(node) not in seen:
                seen.add(id(node))
                for parent, _ in node.parents:
                    visit(parent)
                order.append(node)

        visit(self)
        return order


class ReadsTheLeavesAgain(Scalar):
    def __mul__(self, other):
        other = self.of(other)
        return self.result(self.data * other.data, (self, None), (other, None))

    def backward(self):
        for node in self.order():
            if len(node.parents) == 2 and node.parents[0][1] is None:
                (a, _), (b, _) = node.parents
                node.parents = ((a, b.data), (b, a.data))
        super().backward()


class MovesItsData(Scalar):
    def backward(self):
        super().backward()
        self.data += 1.0


class StartsWithFive(Scalar):
    def __init__(self, data, parents=()):
        super().__init__(data, parents)
        self.grad = 5.0


class NoSum(Scalar):
    def __radd__(self, other):
        return self.of(other) * 1.5 + self


class ZeroToThePower(Scalar):
    def __pow__(self, n):
        return self.result(float(self.data) ** n, (self, n * float(self.data) ** (n - 1)))


class LeafPassFails(Scalar):
    def backward(self):
        self.parents[0]
        super().backward()


class KeepsPositiveGradients(Scalar):
    """Guided back-propagation: a relu passes on only what is above 0."""

    def relu(self):
        return Relu(max(self.data, 0.0), [(self, float(self.data > 0))])


class Relu(KeepsPositiveGradients):
    def result(self, data, *parents):
        return KeepsPositiveGradients(data, parents)

    def pass_on(self):
        for parent, local in self.parents:
            parent.grad += max(self.grad * local, 0.0)


class DropsTheFifthUse(Scalar):
    def backward(self):
        order = self.order()
        uses = {id(node): 0 for node in order}
        for node in order:
            if node.parents:
                node.grad = 0.0
        self.grad += 1.0
        for node in reversed(order):
            for parent, local in node.parents:
                uses[id(parent)] += 1
                if not parent.parents or uses[id(parent)] < 5:
                    parent.grad += node.grad * local


class AddsInPlace(Scalar):
    def __iadd__(self, other):
        self.data += self.of(other).data
        return self


class Misspelt(Scalar):
    def relu(self):
        return self.result(max(self.dta, 0.0), (self, 1.0))

    def __mul__(self, other):
        return self.result(self.data * self.of(other).dat, (self, 1.0))

    __rmul__ = __mul__


class Exits(Scalar):
    def backward(self):
        if len(self.order()) > 5:
            sys.exit(0)
        super().backward()


class Unprintable(Scalar):
    def relu(self):
        class UnprintableError(Exception):
            def __str__(self):
                raise ValueError("bad str")

        raise UnprintableError


class RoundsToSingle(Scalar):
    def result(self, data, *parents):
        return type(self)(float(np.float32(data)), parents)


class WrongFractionalPower(Scalar):
    def __pow__(self, n):
        slope = 1.0 if n != round(n) else n * self.data ** (n - 1) if n else 0.0
        return self.result(float(self.data) ** n, (self, slope))


class EachPathByItself(Scalar):
    """Right, but without an order each node is walked as often as there are paths to it."""

    def backward(self):
        def walk(node, grad):
            node.grad += grad
            for parent, local in node.parents:
                walk(parent, grad * local)

        walk(self, 1.0)


FAULTS = {
    EachPathByItself: {"many paths"},
    ParentsInASet: {"repeated operand"},
    NoOrder: {"shared node"},
    Overwrites: {"a + b in a graph", "a * b in a graph"},
    KeepsInnerGradients: {"second pass", "two results"},
    ClearsLeaves: {"second pass", "two results"},
    BreadthFirst: {"shared node"},
    WrongReflected: {"2 - a"},
    WrongDivisor: {"a / b", "2 / a"},
    WrongPower: {"a ** n"},
    WrongRelu: {"relu"},
    WrongAtTheKink: {"kinks"},
    WrongTanh: {"tanh"},
    AlmostTanh: {"tanh"},
    NaiveTanh: {"tanh: tails"},
    Recurses: {"deep graph", "no cycles"},
    ReadsTheLeavesAgain: {"recording"},
    MovesItsData: {"a + b", "a * b"},
    StartsWithFive: {"gradient before"},
    NoSum: {"2 + a"},
    ZeroToThePower: {"powers of 0"},
    LeafPassFails: {"pass from a leaf"},
    KeepsPositiveGradients: {"relu in a graph"},
    DropsTheFifthUse: {"shared node"},
    AddsInPlace: {"a += b", "a += 2"},
    Misspelt: {"relu", "a * b"},
    Exits: {"a + b in a graph"},
    Unprintable: {"relu"},
    RoundsToSingle: {"a * b"},
    WrongFractionalPower: {"a ** 0.5"},
}


@pytest.mark.parametrize("engine", FAULTS, ids=[each.__name__ for each in FAULTS])
def test_each_kind_of_wrong_engine_is_found_by_the_property_of_its_name(engine):
    suite = opened(engine, examples=100)
    for name in FAULTS[engine]:
        assert suite.check(name).verdict == "fails", suite.check(name)


def test_a_fault_is_found_only_where_it_is():
    suite = opened(WrongReflected, examples=40)
    for name in ("2 - a", "a - b", "a - 2", "2 + a", "random programs", "shared node"):
        assert suite.check(name).verdict == ("fails" if name == "2 - a" else "holds")


def printed_by(script):
    """What a script prints when it is pasted, and what its comment says it does."""
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(
        command, env={**os.environ, **path}, capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr, script.rpartition("is ")[2]


@pytest.mark.parametrize(
    ("engine", "name", "lines"),
    [
        (NoOrder, "shared node", 6),
        (KeepsInnerGradients, "second pass", 7),
        (NaiveTanh, "tanh: tails", 5),
        (WrongReflected, "2 - a", 4),
        (StartsWithFive, "gradient before", 3),
        (ReadsTheLeavesAgain, "recording", 7),
    ],
)
def test_the_smallest_script_is_told_and_runs_as_pasted(engine, name, lines):
    finding = opened(Engine(engine, f"{__name__}:{engine.__name__}")).check(name)
    assert len(finding.example.splitlines()) <= lines, finding.example
    printed, said = printed_by(finding.example)
    assert printed.strip() == said


def test_a_pass_that_moves_data_is_told():
    finding = opened(MovesItsData).check("a + b")
    assert finding.found == "b.data at the end should be 4.0, is 5.0"


def test_a_second_pass_may_be_refused():
    class Frees(Scalar):
        def backward(self):
            if self.parents is None:
                raise RuntimeError("backward through the graph a second time")
            super().backward()
            self.parents = None

    finding = opened(Frees, examples=20).check("second pass")
    assert (finding.verdict, finding.found) == (
        "not offered",
        "refused: RuntimeError: backward through the graph a second time",
    )


class FailsSometimes(Scalar):
    count = 0

    def relu(self):
        FailsSometimes.count += 1
        return self.result(max(self.data, 0.0), (self, float(FailsSometimes.count % 3)))


def test_an_engine_that_is_wrong_only_sometimes_is_found_all_the_same():
    finding = opened(FailsSometimes).check("relu")
    assert finding.verdict == "fails"
    assert ".relu()" in finding.example


class BreaksOnTheWay(Scalar):
    def backward(self):
        self.seen = getattr(self, "seen", 0) + 1
        if self.seen == 2:
            raise KeyError("again")
        super().backward()

    __slots__ = ("seen",)


def test_an_error_on_the_way_to_a_property_is_a_failure_and_no_crash():
    finding = opened(BreaksOnTheWay).check("second pass")
    assert (finding.verdict, finding.found) == ("fails", "KeyError: 'again'")
    assert finding.example.endswith(".backward()  # KeyError: 'again'")


def hang():
    """For ever, as people write it who want to go on whatever happens."""
    while True:
        with suppress(Exception):
            time.sleep(0.01)


class NeverComesBack(Scalar):
    def backward(self):
        if len({id(parent) for parent, _ in self.parents}) < len(self.parents):
            hang()
        super().backward()

    def relu(self):
        return hang()

    def tanh(self):
        return hang() if self.data < 0.0 else super().tanh()


class Finalized:
    def __del__(self):  # in which Python drops what is raised
        hang()


class HangsTwice(Scalar):
    def relu(self):
        Finalized()
        return hang()


@pytest.mark.parametrize(
    ("engine", "name", "last"),
    [
        (NeverComesBack, "repeated operand", "b.backward()"),
        (NeverComesBack, "relu", "b = a.relu()"),
        (NeverComesBack, "tanh", "b = a.tanh()"),
        (HangsTwice, "relu", "b = a.relu()"),
    ],
)
def test_what_never_comes_back_is_stopped_and_told(engine, name, last):
    before = signal.getsignal(signal.SIGALRM)
    finding = opened(engine, limit=0.2).check(name)
    assert (finding.verdict, finding.found) == ("fails", "no answer in 0.2 seconds")
    assert f"{last}" in finding.example
    assert "no answer in 0.2 seconds" in finding.example
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_an_engine_can_be_tried_in_another_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(opened(Scalar).check("relu").verdict))
    thread.start()
    thread.join()
    assert found == ["holds"]


class Sleeps(Scalar):
    def relu(self):
        time.sleep(0.06)
        return super().relu()


def test_a_slow_engine_is_given_its_time_for_each_case():
    assert opened(Sleeps, limit=0.5).check("relu").verdict == "holds"  # of twelve cases


def test_what_would_tell_nothing_is_not_tried():
    suite = opened(Misspelt, examples=10)
    finding = suite.check("a * b in a graph")
    assert (finding.verdict, finding.found) == ("not tried", "a * b fails")
    assert "\nnot tried, since a * b fails: " in str(suite.report())


def test_a_refusal_of_some_operands_is_not_held_against_an_engine():
    class OnlyPositivePowers(Scalar):
        def __pow__(self, n):
            if n < 1:
                raise NotImplementedError("powers from 1 on")
            return super().__pow__(n)

        def __truediv__(self, other):
            other = self.of(other)
            slopes = 1.0 / other.data, -self.data / other.data**2
            return self.result(self.data / other.data, (self, slopes[0]), (other, slopes[1]))

    suite = opened(OnlyPositivePowers, examples=40)
    for name, verdict in (("a ** n", "holds"), ("a / b", "holds"), ("powers of 0", "holds")):
        assert suite.check(name).verdict == verdict, suite.check(name)


def test_right_formulas_of_other_kinds_hold():
    class Other(Scalar):
        def __pow__(self, n):
            return (n * self.log()).exp() if isinstance(n, Scalar) else super().__pow__(n)

        def __rpow__(self, base):
            return (self * self.of(base).log()).exp()

        def exp(self):
            return exp_of(self)

        def sin(self):
            return self.result(math.sin(self.data), (self, math.cos(self.data)))

        def cos(self):
            return (self + math.pi / 2).sin()

    suite = opened(Other, examples=60)
    for name in ("a ** b", "2 ** a", "cos", "sin"):
        assert suite.check(name).verdict == "holds", suite.check(name)


def test_an_engine_with_numbers_of_its_own_trains():
    class Exact(Scalar):
        def __init__(self, data, parents=()):
            super().__init__(Fraction(data), parents)
            self.grad = Fraction(0)

        def backward(self):
            self.grad += 1
            for node in reversed(self.order()):
                for parent, local in node.parents:
                    parent.grad += node.grad * Fraction(local)

    assert opened(Exact, examples=20).check("training").verdict == "holds"


def test_what_an_engine_prints_is_dropped(capsys):
    class Prints(Scalar):
        def backward(self):
            print("backward!")
            super().backward()

    assert opened(Prints, examples=10).check("a + b").verdict == "holds"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"functions": {"sigmiod": exp_of}}, "'sigmiod' is none of "),
        ({"bits": 2}, "the bits of a float are 8 to 53, not 2"),
        ({"bits": 64}, "the bits of a float are 8 to 53, not 64"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, message):
    with pytest.raises(ArgumentError, match=message):
        Engine(Scalar, **settings)
    with pytest.raises(ArgumentError, match="there have to be examples, not 0"):
        opened(Scalar, 0)


def test_a_function_is_first_tried_where_it_has_a_value():
    class Asserts(Scalar):
        def arcsin(self):
            assert abs(self.data) <= 1, "out of the domain"
            slope = 1.0 / math.sqrt((1.0 - self.data) * (1.0 + self.data))
            return self.result(math.asin(self.data), (self, slope))

    assert opened(Asserts).check("arcsin").verdict == "holds"
    assert opened(Asserts).check("arcsin: tails").verdict == "holds"


def test_data_that_cannot_be_assigned_is_not_offered():
    class Fixed(Scalar):
        def __setattr__(self, name, value):
            if name == "data" and hasattr(self, "data"):
                raise AttributeError("data is read-only")
            super().__setattr__(name, value)

    suite = opened(Fixed, examples=20)
    for name in ("training", "recording"):
        assert suite.check(name).verdict == "not offered"
        assert "data is read-only" in suite.check(name).found


def test_other_names_and_functions_are_said_with_an_engine():
    class Node(Scalar):
        value = property(lambda self: self.data)
        derivative = property(lambda self: self.grad or None)
        run = Scalar.backward

    engine = Engine(
        Node, "node", data="value", grad="derivative", backward="run", functions={"exp": exp_of}
    )
    suite = opened(engine, examples=40)
    for name in ("a * b", "exp", "exp: tails", "random programs", "gradient before"):
        assert suite.check(name).verdict == "holds", suite.check(name)


def test_a_leaf_is_no_result():
    suite = opened(LeafPassFails)
    for name in ("random programs", "two results"):
        assert suite.check(name).verdict == "holds", suite.check(name)


# ---- loading, and the command


def test_the_engine_is_loaded_from_the_folder_in_which_it_was_started(tmp_path, monkeypatch):
    (tmp_path / "my_engine.py").write_text(
        "from tinygrad_bp import Value\n"
        "from tinygrad_bp.testing.conformance import Engine\n"
        "class Inner:\n    V = Value\n"
        "engine = Engine(Value, bits=24)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert load("my_engine:Inner.V").make is Value
    assert load("my_engine:engine").bits == 24
    assert load("my_engine:engine").name == "my_engine:engine"
    assert load("my_engine:engine", bits=53, grad="slope").grad == "slope"
    sys.modules.pop("my_engine")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("math", "'math' is not of the form MODULE:NAME, as micrograd.engine:Value"),
        ("no_such_room:Value", "no_such_room cannot be imported: ModuleNotFoundError: No module named 'no_such_room'"),
        ("math:Value", "math has no Value"),
        ("math:pi", "math:pi is 3.141592653589793, and neither a class of nodes nor an Engine"),
    ],
)  # fmt: skip
def test_what_cannot_be_loaded_is_said(path, message):
    with pytest.raises(ArgumentError) as caught:
        load(path)
    assert str(caught.value) == message


def test_what_makes_no_nodes_is_said():
    with pytest.raises(ArgumentError) as caught:
        opened(Fraction).check("a + b")
    assert str(caught.value) == (
        "Fraction makes no node of a float with a number in 'data', its gradient in 'grad' and a "
        "method 'backward': AttributeError: 'Fraction' object has no attribute 'data'; say what they "
        "are called, or write an Engine"
    )
    with pytest.raises(ArgumentError, match="'speed' is no property: "):
        opened(Value).check("speed")


ENGINES = """
from wrong_engines import Node

class Right(Node):
    pass

class Wrong(Right):
    def __rsub__(self, other):
        return self - other
"""


@pytest.fixture
def engines(tmp_path, monkeypatch):
    """The name of a module with a right and a wrong engine, for the command to load."""
    (tmp_path / "two_engines.py").write_text(ENGINES)
    monkeypatch.chdir(tmp_path)
    return "two_engines"


def test_the_command_prints_what_is_wrong_and_its_exit_code_tells(engines, capsys):
    assert main(["conformance", f"{engines}:Right", "--examples", "4"]) == 0
    assert f"{engines}:Right: " in capsys.readouterr().out
    assert main(["conformance", f"{engines}:Wrong", "--examples", "40"]) == 1
    printed = capsys.readouterr().out
    assert "FAILS 2 - a: b.data should be 1.0, is -1.0\n" in printed
    assert (
        "2 - a swaps its operands\n"
        "    from two_engines import Wrong\n"
        "    a = Wrong(2.0)\n"
        "    b = 3 - a\n"
        "    print(b.data)  # should be 1.0, is -1.0\n"
    ) in printed
    assert "\nnot offered: " in printed


def test_the_command_gives_json(engines, capsys):
    assert main(["conformance", f"{engines}:Wrong", "--examples", "40", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["engine"] == f"{engines}:Wrong"
    (finding,) = [each for each in found["findings"] if each["verdict"] == "fails"]
    assert finding == {
        "name": "2 - a",
        "statement": "Value and derivatives are right",
        "verdict": "fails",
        "example": (
            "from two_engines import Wrong\na = Wrong(2.0)\nb = 3 - a\n"
            "print(b.data)  # should be 1.0, is -1.0"
        ),
        "found": "b.data should be 1.0, is -1.0",
        "cause": "2 - a swaps its operands",
    }


def test_a_property_can_be_skipped(engines, capsys):
    command = ["conformance", f"{engines}:Wrong", "--examples", "20", "--skip", "2 - a"]
    assert main(command) == 0
    assert "2 - a" not in capsys.readouterr().out
    assert main([*command, "--skip", "speed"]) == 2
    assert ": 'speed' is no property: " in capsys.readouterr().err


def test_bad_input_to_the_command_is_one_line(capsys):
    assert main(["conformance", "math:sqrt", "--grad", "slope"]) == 2
    told = capsys.readouterr().err
    assert told.startswith(
        "tinygrad-bp conformance: math:sqrt makes no node of a float with a number in 'data', "
    )
    assert "'slope'" in told
    assert told.count("\n") == 1


def test_nothing_but_the_standard_library_is_needed():
    script = (
        "import sys; from tinygrad_bp import Value; from tinygrad_bp.testing.conformance import Suite; "
        "assert Suite(Value).check('random programs').verdict == 'holds'; print({*sys.modules} & {'hypothesis', 'pytest', 'numpy'})"
    )
    assert printed_by(script)[0] == "set()\n"


# ---- the plugin


ENGINE = """
from tinygrad_bp import Value

class Wrong(Value):
    def relu(self):
        return self * 1.0
"""


def pytest_on(folder, *options, alone=True):
    """What pytest says in a folder; with our plugin alone it starts quickly."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    environment = {**os.environ}
    if alone:
        command += ["-p", "pytest_tinygrad_bp"]
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return subprocess.run(
        [*command, *options],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_plugin_tries_each_property_as_a_test(tmp_path):
    (tmp_path / "mine.py").write_text(ENGINE)
    done = pytest_on(tmp_path, "--scalar-engine=mine:Wrong", "-k", "relu or dot or shared", "-rfs")
    assert done.returncode == 1, done.stdout
    assert "1 failed, 4 passed, 5 skipped" in done.stdout
    assert "FAILED mine:Wrong::relu - " in done.stdout
    assert "a = Wrong(-2.0)\nb = a.relu()\nprint(b.data)  # should be 0.0, is -2.0" in done.stdout
    assert "not offered: there is no dot" in done.stdout


def test_the_plugin_takes_engines_from_the_settings(tmp_path):
    (tmp_path / "mine.py").write_text(ENGINE)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nscalar_engine =\n    mine:Wrong\n    mine:Value\n"
    )
    done = pytest_on(tmp_path, "-k", "sum or a_leaf")
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_the_settings_are_those_of_the_root_and_leave_named_tests_alone(tmp_path):
    (tmp_path / "mine.py").write_text(ENGINE)
    (tmp_path / "pytest.ini").write_text("[pytest]\nscalar_engine = mine:Value\n")
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "test_one.py").write_text("def test_one():\n    pass\n")
    done = pytest_on(inner, "-k", "sum or test_one")
    assert "2 passed" in done.stdout, done.stdout
    assert "1 passed" in pytest_on(inner, "test_one.py").stdout


def test_the_plugin_says_what_is_wrong_with_an_engine(tmp_path):
    done = pytest_on(tmp_path, "--scalar-engine=math:pi")
    assert done.returncode == 4
    assert "scalar engine: math:pi is 3.14" in done.stderr


def test_the_plugin_does_nothing_unless_asked(tmp_path):
    (tmp_path / "test_one.py").write_text("def test_one():\n    pass\n")
    assert "1 passed" in pytest_on(tmp_path, alone=False).stdout
