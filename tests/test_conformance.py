"""Conformance: a right engine conforms, and each kind of wrong one is found by the property of its name."""

from __future__ import annotations

import doctest
import json
import math
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from depth import depth
from hypothesis import given

from tinygrad_bp import ArgumentError, Value, functions
from tinygrad_bp.cli import main
from tinygrad_bp.rules import FUNCTION_NAMES
from tinygrad_bp.testing import claims, conformance
from tinygrad_bp.testing.conformance import Engine, Suite, load
from tinygrad_bp.testing.exact import FORMS, exact_answer, exact_programs, pruned, smaller
from tinygrad_bp.testing.strategies import Instruction, Program


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
        return self.result(
            out, (self, 1.0 / math.cosh(self.data) ** 2 if abs(self.data) < 300 else 0.0)
        )

    def log(self):
        return self.result(math.log(self.data), (self, 1.0 / self.data))

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + (-self.of(other))

    def __rsub__(self, other):
        return self.of(other) - self

    def __truediv__(self, other):
        return self * self.of(other) ** -1

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


NAMED = {name: getattr(functions, name) for name in FUNCTION_NAMES if name not in ("neg", "abs")}
OURS = Engine(Value, "ours", functions=NAMED)


# ---- right engines


def verdicts(report):
    return {each.name: each.verdict for each in report.findings}


def test_a_right_engine_conforms():
    report = conformance(Scalar, examples=depth(60, by_default=15))
    assert report.holds, report
    found = verdicts(report)
    for name in ("a / b", "2 / a", "relu", "kinks", "tanh", "tanh, everywhere", "random programs"):
        assert found[name] == "holds"
    for name in ("second pass", "two results", "recording", "training", "deep graph", "no cycles"):
        assert found[name] == "holds"
    for name in ("abs", "exp", "exp, everywhere", "a ** b", "2 ** a", "dot"):
        assert found[name] == "not offered"


def test_ours_conforms_in_every_property():
    report = conformance(OURS, examples=depth(20, by_default=8))
    assert {*verdicts(report).values()} == {"holds"}, report


PAGE = (Path(__file__).parent.parent / "docs" / "conformance.md").read_text(encoding="utf-8")


def test_micrograd_as_the_page_has_it():
    engine = Engine(pytest.importorskip("micrograd.engine").Value, "micrograd.engine:Value")
    report = conformance(engine)
    heading, *lines = str(report).splitlines()
    of_python = ("RecursionError", "should give 0.0")  # which versions say and count differently
    assert heading in PAGE
    assert all(line in PAGE for line in lines if not line.strip().startswith(of_python))
    assert {each.name for each in report.having("fails")} == {
        *("second pass", "two results", "recording", "powers of 0", "deep graph", "no cycles"),
    }


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


def test_programs_are_exact_in_whatever_order_an_engine_adds():
    suite = Suite(Shuffled, examples=depth(150, by_default=30))
    assert suite.check("random programs").verdict == "holds"
    assert suite.check("second pass").verdict == "holds"


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
    suite = Suite(Engine(Single, bits=24), examples=depth(120, by_default=30))
    for name in ("random programs", "second pass", "a / b", "tanh", "log"):
        assert suite.check(name).verdict == "holds", suite.check(name)
    assert suite.check("tanh, everywhere").verdict == "not offered"
    assert Suite(Single).check("tanh").verdict == "fails"


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
    ParentsInASet: {"repeated operand", "random programs"},
    NoOrder: {"shared node", "random programs"},
    Overwrites: {"repeated operand", "shared node", "random programs", "second pass"},
    KeepsInnerGradients: {"second pass", "two results"},
    ClearsLeaves: {"second pass", "two results"},
    BreadthFirst: {"shared node", "random programs"},
    WrongReflected: {"2 - a"},
    WrongDivisor: {"a / b", "2 / a"},
    WrongPower: {"a ** n", "a / b"},
    WrongRelu: {"relu"},
    WrongAtTheKink: {"kinks"},
    WrongTanh: {"tanh"},
    AlmostTanh: {"tanh"},
    NaiveTanh: {"tanh, everywhere"},
    Recurses: {"deep graph", "no cycles"},
    ReadsTheLeavesAgain: {"recording"},
    MovesItsData: {"a + b", "a * b"},
    StartsWithFive: {"gradient before"},
    NoSum: {"2 + a"},
    ZeroToThePower: {"powers of 0"},
    LeafPassFails: {"pass from a leaf"},
    KeepsPositiveGradients: {"upstream gradient", "random programs"},
    DropsTheFifthUse: {"shared node"},
    AddsInPlace: {"+="},
    Misspelt: {"relu", "a * b"},
    Exits: {"random programs"},
    Unprintable: {"relu"},
    RoundsToSingle: {"a * b"},
    WrongFractionalPower: {"a ** 0.5"},
}


@pytest.mark.parametrize("engine", FAULTS, ids=[each.__name__ for each in FAULTS])
def test_each_kind_of_wrong_engine_is_found_by_the_property_of_its_name(engine):
    suite = Suite(engine, examples=100)
    for name in FAULTS[engine]:
        assert suite.check(name).verdict == "fails", suite.check(name)


def test_a_fault_is_found_only_where_it_is():
    suite = Suite(WrongReflected, examples=40)
    for name in ("2 - a", "a - b", "a - 2", "2 + a", "random programs", "shared node"):
        assert suite.check(name).verdict == ("fails" if name == "2 - a" else "holds")


def test_the_smallest_program_is_told():
    finding = Suite(NoOrder, examples=100).check("random programs")
    assert finding.example == "v0 = 0; v1 = v0 + v0; v2 = v1 + v1"
    finding = Suite(KeepsInnerGradients).check("second pass")
    assert finding.example == "v0 = 0; v1 = v0 + v0; v2 = v1 + v0"
    assert finding.found == (
        "after the pass from v2 and then from v2 the gradient of v0 is 6; the engine has 8.0"
    )
    finding = Suite(NaiveTanh).check("tanh, everywhere")
    assert finding.example == "tanh(a), at a = 12.0: the value and the derivatives"
    assert finding.found.startswith("should give 0.999999999924497")


def test_a_pass_that_moves_data_is_told():
    finding = Suite(MovesItsData).check("a + b")
    assert finding.found == "after the pass v2 is 0; the engine has 1.0"


def test_a_second_pass_may_be_refused():
    class Frees(Scalar):
        def backward(self):
            if self.parents is None:
                raise RuntimeError("backward through the graph a second time")
            super().backward()
            self.parents = None

    finding = Suite(Frees, examples=20).check("second pass")
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
    finding = Suite(FailsSometimes).check("relu")
    assert finding.verdict == "fails"
    assert "relu(v0)" in finding.example


class BreaksOnTheWay(Scalar):
    def backward(self):
        if self.data == 27.0:
            raise KeyError("27")
        super().backward()


def test_an_error_on_the_way_to_a_property_is_a_failure_and_no_crash():
    finding = Suite(BreaksOnTheWay, examples=10).check("second pass")
    assert finding[2:] == ("fails", "v0 = 3; v1 = v0 * v0; v2 = v1 * v0", "KeyError: '27'")


def hang():
    """For ever, as people write it who want to go on whatever happens."""
    while True:
        with suppress(Exception):
            time.sleep(0.01)


class NeverComesBack(Scalar):
    def backward(self):
        if self.data == 27.0 or len({id(parent) for parent, _ in self.parents}) < len(self.parents):
            hang()
        super().backward()

    def relu(self):
        return hang()

    def tanh(self):
        return hang() if self.data < 0.0 else super().tanh()


@pytest.mark.parametrize(
    ("name", "example"),
    [
        ("second pass", "v0 = 3; v1 = v0 * v0; v2 = v1 * v0"),
        ("random programs", "v0 = "),
        ("repeated operand", "a + a, at a = 3"),
        ("relu", "relu"),
        ("tanh", "tanh(a), at a = -"),
    ],
)
def test_what_never_comes_back_is_stopped_and_told(name, example, monkeypatch):
    monkeypatch.setattr(claims, "TIME_LIMIT", 0.2)
    before = signal.getsignal(signal.SIGALRM)
    finding = Suite(NeverComesBack, examples=20).check(name)
    assert (finding.verdict, finding.found) == ("fails", "no answer in 0.2 seconds")
    assert finding.example.startswith(example)
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_hangs_is_stopped_though_python_drops_the_first_interrupt(monkeypatch):
    """In a finalizer no error can be raised."""

    class Finalized:
        def __del__(self):
            hang()

    class HangsTwice(Scalar):
        def relu(self):
            Finalized()
            return hang()

    monkeypatch.setattr(claims, "TIME_LIMIT", 0.2)
    finding = Suite(HangsTwice, examples=20).check("relu")
    assert finding[2:] == ("fails", "relu", "no answer in 0.2 seconds")


def test_another_s_timer_and_another_thread_are_left_alone(monkeypatch):
    monkeypatch.setattr(claims, "TIME_LIMIT", 0.05)
    rang = []
    before = signal.signal(signal.SIGALRM, lambda *_: rang.append(True))
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with claims.guarded():
            time.sleep(0.3)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert rang
    slow = threading.Thread(target=lambda: rang.append(Suite(Sleeps, 5).check("relu").verdict))
    slow.start()
    slow.join()
    assert rang[1:] == ["holds"]


class Sleeps(Scalar):
    def relu(self):
        time.sleep(0.06)
        return super().relu()


def test_an_alarm_at_the_very_end_leaves_no_timer_behind(monkeypatch):
    set_timer = signal.setitimer

    def at_the_end(which, seconds, *again):
        if not seconds:
            os.kill(os.getpid(), signal.SIGALRM)
        return set_timer(which, seconds, *again)

    monkeypatch.setattr(signal, "setitimer", at_the_end)
    before = signal.getsignal(signal.SIGALRM)
    with claims.guarded():
        pass
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_slow_engine_is_given_its_time_for_each_case(monkeypatch):
    monkeypatch.setattr(claims, "TIME_LIMIT", 0.4)
    assert Suite(Sleeps, 5).check("upstream gradient").verdict == "holds"  # of ten cases


def test_what_would_tell_nothing_is_not_tried():
    suite = Suite(Misspelt, examples=10)
    finding = suite.check("second pass")
    assert (finding.verdict, finding.found) == ("not tried", "a * b fails")
    assert "not tried: " in str(suite.report())


@pytest.mark.parametrize("examples", [1, 2])
def test_nothing_holds_for_want_of_examples(examples):
    assert Suite(WrongRelu, examples).check("relu").verdict in ("not tried", "fails")


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

    suite = Suite(OnlyPositivePowers, examples=40)
    for name, verdict in (("a ** n", "holds"), ("a / b", "holds"), ("powers of 0", "not offered")):
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

    suite = Suite(Other, examples=60)
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

    assert Suite(Exact, examples=20).check("training").verdict == "holds"


def test_what_an_engine_prints_is_dropped(capsys):
    class Prints(Scalar):
        def backward(self):
            print("backward!")
            super().backward()

    assert Suite(Prints, examples=10).check("a + b").verdict == "holds"
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
        Suite(Scalar, 0)


def test_a_function_is_first_tried_where_it_has_a_value():
    class Asserts(Scalar):
        def arcsin(self):
            assert abs(self.data) <= 1, "out of the domain"
            slope = 1.0 / math.sqrt((1.0 - self.data) * (1.0 + self.data))
            return self.result(math.asin(self.data), (self, slope))

    assert Suite(Asserts).check("arcsin").verdict == "holds"
    assert Suite(Asserts).check("arcsin, everywhere").verdict == "holds"


def test_data_that_cannot_be_assigned_is_not_offered():
    class Fixed(Scalar):
        def __setattr__(self, name, value):
            if name == "data" and hasattr(self, "data"):
                raise AttributeError("data is read-only")
            super().__setattr__(name, value)

    suite = Suite(Fixed, examples=20)
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
    suite = Suite(engine, examples=40)
    for name in ("a * b", "exp", "exp, everywhere", "random programs", "gradient before"):
        assert suite.check(name).verdict == "holds", suite.check(name)


# ---- the exact programs


@given(exact_programs(FORMS))
def test_a_program_without_what_it_does_not_need_gives_the_same(program):
    answer = exact_answer(program, [-1])
    if answer is None:
        return
    small = pruned(program, [-1])
    found = exact_answer(small, [-1])
    assert found.values[-1] == answer.values[-1]
    assert [each for each in found.gradients if each] == [each for each in answer.gradients if each]
    assert pruned(small, [-1]) == small


@given(exact_programs(FORMS))
def test_a_smaller_program_has_one_register_less_and_none_that_dangles(program):
    for less in smaller(program):
        assert (
            len(less.instructions) + len(less.leaves)
            == len(program.instructions) + len(program.leaves) - 1
        )
        size = len(less.leaves)
        for instruction in less.instructions:
            flat = [
                x
                for each in instruction.operands
                for x in (each if isinstance(each, tuple) else [each])
            ]
            assert all(0 <= each < size for each in flat if type(each) is int)
            size += 1


def test_a_plain_number_is_no_register_when_programs_are_pruned():
    one = Fraction(1)
    program = Program((one, one), (Instruction("neg", (0,)), Instruction("+", (1, one))))
    assert str(pruned(program, [-1])) == "v0 = 1; v1 = v0 + 1"


def test_answers_that_floats_do_not_hold_are_not_asked_for():
    third = Program((Fraction(3),), (Instruction("*", (0, Fraction(1, 4))),))
    assert exact_answer(third, [-1]).gradients == [Fraction(1, 4)]
    squares = tuple(Instruction("square", (place,)) for place in range(6))
    assert exact_answer(Program((Fraction(3),), squares), [-1]) is None
    assert exact_answer(Program((Fraction(2),), ()), [-2]) is None
    for op, operands in (
        ("/", (0, Fraction(3))),
        ("/", (0, Fraction(0))),
        ("**", (1, Fraction(0))),
        ("relu", (1,)),
    ):
        program = Program((Fraction(6), Fraction(0)), (Instruction(op, operands),))
        assert exact_answer(program, [-1]) is None


@pytest.mark.parametrize(
    ("leaves", "lines", "bits"),
    [
        # of each pair the first is held and the second is just beyond
        ([5000], [("*", (0, 0))], 53),
        ([5000], [("*", (0, 0))], 24),
        ([1], [("*", (0, Fraction(1, 2**20))), ("*", (0, Fraction(2**20))), ("+", (1, 2))], 53),
        ([1], [("*", (0, Fraction(1, 2**30))), ("*", (0, Fraction(2**22))), ("+", (1, 2))], 53),
        ([0], [("*", (0, Fraction(1, 2**20))), ("*", (0, Fraction(2**20))), ("+", (1, 2))], 53),
        ([0], [("*", (0, Fraction(1, 2**30))), ("*", (0, Fraction(2**22))), ("+", (1, 2))], 53),
        ([2**40, 1], [("dot", ((0, 1), (1, 1)))], 53),
        ([2**49, -(2**49), Fraction(1, 4)], [("fsum", ((0, 1, 2),))], 53),
    ],
)  # fmt: skip
def test_a_program_is_held_or_not_by_its_bits(leaves, lines, bits, request):
    program = Program(tuple(map(Fraction, leaves)), tuple(Instruction(*each) for each in lines))
    held = request.node.callspec.indices["leaves"] % 2 == 0
    assert (exact_answer(program, [-1], bits) is not None) == held


def test_a_division_is_asked_for_only_where_an_engine_may_multiply_by_the_reciprocal():
    for divisor, held in ((2, True), (3, False)):
        for operands in ((0, 1), (Fraction(9), 1)):
            program = Program((Fraction(9), Fraction(divisor)), (Instruction("/", operands),))
            assert (exact_answer(program, [-1]) is not None) == held


def test_a_leaf_is_no_result():
    suite = Suite(LeafPassFails, examples=60)
    assert suite.check("random programs").verdict == "holds"
    assert suite.check("two results").verdict == "holds"


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
        Suite(Fraction)
    assert str(caught.value) == (
        "Fraction makes no node of a float with a number in 'data', its gradient in 'grad' and a "
        "method 'backward': AttributeError: 'Fraction' object has no attribute 'data'; say what they "
        "are called, or write an Engine"
    )
    with pytest.raises(ArgumentError, match="'speed' is none of a \\+ b, "):
        Suite(Value).check("speed")


@pytest.fixture
def rooms(monkeypatch):
    """Modules with a right and a wrong engine, for the command to load."""
    room = ModuleType("engines_of_this_test")
    room.Right, room.Wrong = Scalar, WrongReflected
    monkeypatch.setitem(sys.modules, room.__name__, room)
    return room.__name__


def test_the_command_prints_the_table_and_its_exit_code_tells(rooms, capsys):
    assert main(["conformance", f"{rooms}:Right", "--examples", "4"]) == 0
    assert f"{rooms}:Right: " in capsys.readouterr().out
    assert main(["conformance", f"{rooms}:Wrong", "--examples", "40"]) == 1
    printed = capsys.readouterr().out
    assert "\n  2 - a                   FAILS  Value and derivatives are exact\n" in printed
    assert "v0 = 0; v1 = 0 - v0\n" in printed
    assert "  not offered: abs, square, " in printed


def test_the_command_gives_json(rooms, capsys):
    assert main(["conformance", f"{rooms}:Wrong", "--examples", "40", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["engine"] == f"{rooms}:Wrong"
    (finding,) = [each for each in found["findings"] if each["verdict"] == "fails"]
    assert finding == {
        "name": "2 - a",
        "statement": "Value and derivatives are exact",
        "verdict": "fails",
        "example": "v0 = 0; v1 = 0 - v0",
        "found": "after the pass from v1 the gradient of v0 is -1; the engine has 1.0",
    }


def test_a_property_can_be_skipped(rooms, capsys):
    command = ["conformance", f"{rooms}:Wrong", "--examples", "20", "--seed", "1"]
    assert main([*command, "--skip", "2 - a"]) == 0
    assert "2 - a" not in capsys.readouterr().out
    assert main([*command, "--skip", "speed"]) == 2
    assert "--skip: 'speed' is none of a + b, " in capsys.readouterr().err


def test_bad_input_to_the_command_is_one_line(capsys):
    assert main(["conformance", "math:sqrt", "--grad", "slope"]) == 2
    told = capsys.readouterr().err
    assert told.startswith(
        "tinygrad-bp conformance: math:sqrt makes no node of a float with a number in 'data', "
    )
    assert "'slope'" in told
    assert told.count("\n") == 1


def test_without_hypothesis_the_way_out_is_said(rooms, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    for name in [name for name in sys.modules if name.startswith("tinygrad_bp.testing.")]:
        monkeypatch.delitem(sys.modules, name)
    assert main(["conformance", f"{rooms}:Right"]) == 2
    assert "it needs hypothesis: pip install 'tinygrad-bp[test]'" in capsys.readouterr().err


# ---- the plugin


ENGINE = """
from tinygrad_bp import Value

class Wrong(Value):
    def relu(self):
        return self * 1.0
"""


def pytest_on(folder, *options):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, *options], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_plugin_tries_each_property_as_a_test(tmp_path):
    (tmp_path / "mine.py").write_text(ENGINE)
    done = pytest_on(tmp_path, "--scalar-engine=mine:Wrong", "-k", "relu or dot or shared", "-rfs")
    assert done.returncode == 1, done.stdout
    assert "1 failed, 3 passed, 1 skipped" in done.stdout
    assert "FAILED mine:Wrong::relu - Value and derivatives are exact" in done.stdout
    assert "v0 = -1; v1 = relu(v0)\nv1 is 0; the engine has -1.0\n" in done.stdout
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
    assert re.search(r"collected \d+ items / \d+ deselected / 3 selected", done.stdout)
    assert "1 passed" in pytest_on(inner, "test_one.py").stdout


def test_the_plugin_says_what_is_wrong_with_an_engine(tmp_path):
    done = pytest_on(tmp_path, "--scalar-engine=math:pi")
    assert done.returncode == 4
    assert "scalar engine: math:pi is 3.14" in done.stderr


def test_the_plugin_does_nothing_unless_asked(tmp_path):
    (tmp_path / "test_one.py").write_text("def test_one():\n    pass\n")
    assert "1 passed" in pytest_on(tmp_path).stdout
