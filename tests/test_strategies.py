"""What the strategies draw: within the domains, shown as the call that makes it, and shrunk to little."""

from __future__ import annotations

import ast
import math
import random
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from depth import depth
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st

import tinygrad_bp
from tinygrad_bp import RULES, Value, gradients
from tinygrad_bp.engine.graph import topological_order
from tinygrad_bp.engine.value import data_of
from tinygrad_bp.errors import ArgumentError, ExactnessError, ExpressionError
from tinygrad_bp.numbers.of_python import FLOAT
from tinygrad_bp.terminal.expressions import record_expression
from tinygrad_bp.testing import (
    Expression,
    Network,
    Program,
    expressions,
    gradcheck,
    networks,
    programs,
    values,
)
from tinygrad_bp.testing.strategies import OPERATIONS, RATIONAL, Instruction, numbers, operands

PAGE = Path(__file__).parent.parent / "docs" / "strategies.md"
IMPORTS = """
from fractions import Fraction
from tinygrad_bp.testing import Expression, Network, Program
"""


def pasted(shown):
    """What a text means after the two lines of imports, and nothing else."""
    scope = {}
    exec(IMPORTS, scope)
    return eval(shown, scope)


def size(program):
    return len(program.instructions)


# ---- programs


@settings(max_examples=depth(200, by_default=30))
@given(programs())
def test_a_program_runs_as_pasted(program):
    assert pasted(repr(program)) == program
    assert Program.read(str(program)) == program
    last = program.run(program.leaves)[-1]
    assert last == pasted(repr(program)).run(program.leaves)[-1]
    scope = {**OPERATIONS, "Fraction": Fraction}
    exec(re.sub(r"(?<![v\d])\d+", r"Fraction(\g<0>)", str(program)), scope)  # as Python
    assert scope[f"v{len(program.leaves) + size(program) - 1}"] == last


@settings(max_examples=depth(200, by_default=30))
@given(programs())
def test_everything_in_a_program_leads_to_its_last_register(program):
    leaves = [*map(Value, program.leaves)]
    registers = program.run(leaves)
    needed = topological_order(registers[-1])
    assert all(each in needed for each in registers)


def test_each_rational_operation_is_drawn_with_registers_and_numbers():
    drawn = set()

    @settings(max_examples=depth(600, by_default=200))
    @given(programs())
    def draw(program):
        for op, read in program.instructions:
            for slot, each in enumerate(read):
                drawn.update((op, slot, type(x)) for x in (each if type(each) is tuple else [each]))

    draw()
    for op in RATIONAL:
        for slot in range(RULES[op].arity):
            assert (op, slot, int) in drawn or (op, slot) == ("**", 1)
            assert (
                (op, slot, Fraction) in drawn
                or (RULES[op].arity == 1 and op != "fsum")
                or (op, slot) == ("**", 0)
            )


def test_a_row_is_rational_if_it_leaves_fractions_fractions():
    for op in RATIONAL:
        at = ([Fraction(2)],) if op == "fsum" else ([Fraction(2)],) * 2 if op == "dot" else None
        out = OPERATIONS[op](*(at or (Fraction(2),) * RULES[op].arity))
        assert isinstance(out, (Fraction, int)), op


@pytest.mark.parametrize("op", [op for op in RULES if op not in RATIONAL])
def test_a_row_that_is_not_rational_refuses_a_fraction(op):
    at = Fraction(1, 3) if op != "elu" else Fraction(-1, 3)
    with pytest.raises((ExactnessError, ValueError)):
        OPERATIONS[op](*(at,) * RULES[op].arity)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("v0 = 3; v0 * v0", "not an assignment: v0 \\* v0"),
        ("v0 = 3; v1 = v2 + 1", "not an operation: v1 = v2 \\+ 1"),
        ("v0 = 3; v1 = exit(v0)", "not an operation"),
        ("v0 = 3; v1 = +v0", "not an operation"),
        ("v0 = 3; v1 = v0 % 2", "not an operation"),
        ("v0 = three", "not an operation"),
        ("v0 = 'three'", "not an operation"),
        ("v0 =", "not a program"),
    ],
)
def test_a_text_that_is_no_program_is_refused(text, message):
    with pytest.raises(ExpressionError, match=message):
        Program.read(text)


def test_a_text_may_be_typed_by_a_person():
    typed = Program.read("x = 3; x = x * x\ny = -x")
    assert typed == Program((Fraction(3),), (Instruction("*", (0, 0)), Instruction("neg", (1,))))
    assert str(typed) == "v0 = 3; v1 = v0 * v0; v2 = -v1"


@pytest.mark.parametrize("op", ["tanh", "spam"])
def test_operations_that_are_not_exact_are_refused(op):
    with pytest.raises(ArgumentError, match="programs have operations that are exact on fractions"):
        programs(["+", op])


# ---- shrinking


def passes(program):
    """The gradients of a right pass, and the nodes of the program's graph."""
    leaves = [*map(Value, program.leaves)]
    out = program.run(leaves)[-1]
    return leaves, topological_order(out), gradients(out, leaves)


def wrong_pass(program, contribution):
    """Whether a pass with this contribution for each edge gives other gradients."""
    leaves, order, right = passes(program)
    grads = dict.fromkeys(order, Fraction(0))
    grads[order[-1]] = Fraction(1)
    for node in reversed(order):
        for slot, (parent, local) in enumerate(
            zip(node.parents, node.local_derivatives, strict=True)
        ):
            grads[parent] = contribution(node, slot, grads[parent], grads[node], local)
    return [grads.get(leaf, 0) for leaf in leaves] != right


def forgets_upstream(op):
    return lambda node, slot, have, up, local: have + (local if node.op == op else up * local)


DEFECTS = {
    "assigns": (lambda node, slot, have, up, local: up * local, 1),
    "relu lets all through": (
        lambda node, slot, have, up, local: have + (up if node.op == "relu" else up * local),
        1,
    ),
    "sign of the divisor": (
        lambda node, slot, have, up, local: (
            have + (-up * local if node.op == "/" and slot else up * local)
        ),
        1,
    ),
    "a square counted once": (
        lambda node, slot, have, up, local: (
            have if node.op == "*" and slot and node.parents[0] is node.parents[1] else have + up * local
        ),
        1,
    ),
    "square forgets upstream": (forgets_upstream("square"), 2),
    "reciprocal forgets upstream": (forgets_upstream("reciprocal"), 2),
    "dot forgets upstream": (forgets_upstream("dot"), 2),
}  # fmt: skip


@pytest.mark.parametrize("seed", range(depth(2, by_default=1)))
@pytest.mark.parametrize("defect", DEFECTS)
def test_a_failing_program_shrinks_to_a_few_instructions_in_hundreds_of_calls(defect, seed):
    contribution, fewest = DEFECTS[defect]
    calls = 0

    def fails(program):
        nonlocal calls
        calls += 1
        return wrong_pass(program, contribution)

    found = find(
        programs(),
        fails,
        random=random.Random(seed),
        settings=settings(database=None, max_examples=2000, suppress_health_check=[*HealthCheck]),
    )
    assert fewest <= size(found) <= fewest + 1
    assert len(found.leaves) <= 2
    assert calls < 2500


def test_a_pass_that_recurses_without_an_order_is_shown_by_two_instructions():
    def fails(program):
        leaves, order, right = passes(program)
        grads = dict.fromkeys(order, Fraction(0))

        def recurse(node, up):
            grads[node] += up
            for parent, local in zip(node.parents, node.local_derivatives, strict=True):
                recurse(parent, grads[node] * local)

        recurse(order[-1], Fraction(1))
        return [grads.get(leaf, 0) for leaf in leaves] != right

    assert size(find(programs(["+", "*", "neg"]), fails)) == 2


# ---- expressions


@settings(max_examples=depth(200, by_default=30))
@given(expressions())
def test_an_expression_runs_as_pasted_and_in_the_terminals_notation(expression):
    assert pasted(repr(expression)) == expression
    point = [*expression.at.values()]
    leaves = [Value(x, name) for name, x in expression.at.items()]
    value = data_of(expression(*leaves))
    assert value == data_of(record_expression(expression.text, dict(zip(expression.at, leaves))))  # noqa: B905
    assert math.isfinite(value)
    assert len(point) == len({*expression.at})
    assert expression.at


@settings(max_examples=depth(200, by_default=30))
@given(expressions())
def test_no_local_derivative_in_an_expression_is_large(expression):
    out = expression(*map(Value, expression.at.values()))
    for node in topological_order(out):
        assert all(abs(each) <= 1e9 for each in (node.data, *node.local_derivatives))


def test_every_row_on_numbers_is_drawn_and_no_other():
    drawn = set()

    @settings(max_examples=depth(1000, by_default=100))
    @given(expressions())
    def draw(expression):
        out = expression(*map(Value, expression.at.values()))
        drawn.update(node.op for node in topological_order(out) if node.op)

    draw()
    on_numbers = {op for op, rule in RULES.items() if not rule.variadic}
    assert drawn <= on_numbers
    for op in on_numbers - drawn:  # by chance
        find(
            expressions([op]),
            lambda expression: expression.text not in expression.at,
            settings=settings(max_examples=1000),
        )


@settings(max_examples=depth(60, by_default=20), suppress_health_check=[*HealthCheck])
@given(expressions(max_leaves=4))
def test_no_gradient_of_an_expression_is_wrong(expression):
    point = [*expression.at.values()]
    out = expression(*map(Value, point))
    at_kinks = [
        node
        for node in topological_order(out)
        if node.op and FLOAT.at_kink(node.rule, tuple(map(data_of, node.operands)))
    ]
    if not at_kinks:  # conventions at several are no derivative
        gradcheck(expression, *point)


@settings(max_examples=depth(50, by_default=20))
@given(expressions(["+", "tanh"], names=["w", "b"], max_leaves=3))
def test_operations_and_names_are_those_asked_for(expression):
    assert {*expression.at} <= {"w", "b"}
    calls = [node for node in ast.walk(ast.parse(expression.text)) if isinstance(node, ast.Call)]
    assert all(call.func.id == "tanh" for call in calls)


@pytest.mark.parametrize("op", ["dot", "fsum", "spam"])
def test_operations_on_lists_and_unknown_ones_are_refused(op):
    with pytest.raises(ArgumentError, match="expressions have operations of the table on numbers"):
        expressions([op])


def test_operands_are_counted():
    with pytest.raises(ExpressionError, match="1 operands for x, y: give one for each"):
        Expression("x * y", {"x": 1.0, "y": 2.0})(3.0)


def test_an_expression_shrinks_to_the_operation_that_fails():
    found = find(expressions(names=["x"]), lambda expression: "softplus(" in expression.text)
    assert found == Expression("softplus(x)", {"x": 0.0})


def test_an_expression_evaluates_nothing_but_the_table():
    with pytest.raises(ExpressionError):
        Expression("__import__('os')", {"x": 1.0})(1.0)


# ---- networks


@pytest.mark.parametrize("kind", [float, int, Fraction])
def test_a_network_runs_as_pasted_and_every_input_has_an_output(kind):
    @settings(max_examples=depth(100, by_default=20), suppress_health_check=[*HealthCheck])
    @given(networks(kind), st.data())
    def runs(net, data):
        again = pasted(repr(net))
        assert type(again) is Network
        assert (again.weights, again.biases) == (net.weights, net.biases)
        assert again.activations == net.activations
        assert {type(w) for layer in net.weights for row in layer for w in row} == {kind}
        x = data.draw(st.tuples(*[numbers(kind)] * net.sizes[0]))
        run = net.forward(x, [kind(1)] * net.sizes[-1])
        run.e.backward()
        assert all(math.isfinite(leaf.grad) for leaf in net.parameters())
        if kind is Fraction:
            total = sum(term.value for term in run.terms(1, 1, 1))
            assert total == net.w(1, 1, 1).grad

    runs()


def test_sizes_and_activations_are_those_asked_for():
    @settings(max_examples=depth(50, by_default=20))
    @given(networks(activations=["tanh"], max_layers=2, max_nodes=4))
    def holds(net):
        assert net.depth <= 2
        assert max(net.sizes) <= 4
        assert {name for layer in net.activations for name in layer} == {"tanh"}

    holds()
    assert find(networks(), lambda net: net.depth == 3).sizes == (1, 1, 1, 1)


# ---- the package


def test_the_names_are_in_the_package_and_hypothesis_is_loaded_only_for_them():
    code = (
        "import sys, tinygrad_bp.testing as t; t.gradcheck; from tinygrad_bp.testing import gradcheck;"
        "assert 'hypothesis' not in sys.modules; t.expressions, t.networks, t.programs, t.values;"
        "assert 'hypothesis' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code.replace("t.gradcheck; ", "")], check=True)
    with pytest.raises(AttributeError, match="has no attribute 'spam'"):
        tinygrad_bp.testing.spam  # noqa: B018


@settings(max_examples=20)
@given(values(Fraction), operands(RULES["arcsin"]))
def test_leaves_and_operands_lie_in_their_ranges(leaf, at):
    assert isinstance(leaf.data, Fraction)
    assert -9 <= leaf.data <= 9
    assert -1.0 <= at[0] <= 1.0


def test_a_program_made_by_hand_shows_itself_too():
    program = Program((Fraction(-1, 2),), (Instruction("dot", ((0, Fraction(-2, 3)), (0, 0))),))
    assert str(program) == "v0 = -1/2; v1 = dot([v0, (-2/3)], [v0, v0])"
    assert pasted(repr(program)) == program


def test_the_page_runs_as_printed():
    # In a process of its own, for what is drawn here depends on the seed of the run; settled as in conftest.py.
    program = (
        "import doctest; from hypothesis import Phase, settings;"
        "settings.register_profile('quick', deadline=None, phases={*Phase} - {Phase.explain});"
        "settings.load_profile('quick');"
        f"print(doctest.testfile({str(PAGE)!r}, False, optionflags=doctest.ELLIPSIS))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert re.search(r"failed=0, attempted=[1-9]\d", done.stdout), done.stdout
