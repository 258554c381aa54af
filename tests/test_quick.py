"""The quick way for floats: the engine gives the same without it, and its generated code can be read."""

from __future__ import annotations

import inspect
import math
import traceback

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_bp import RULES, Value
from tinygrad_bp.engine import quick
from tinygrad_bp.engine.operations import function_of
from tinygrad_bp.testing.strategies import operands

SCALARS = [rule for rule in RULES.values() if not rule.variadic]
LISTS = [rule for rule in RULES.values() if rule.variadic]


def without_the_quick_way(rule):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quick, "ways", lambda *_: {})
        return function_of(rule)


def recorded(function, given):
    """What is in the node, types included."""
    node = function(*given)
    numbers = [node.data, *node.local_derivatives]
    places = [id(each) if isinstance(each, Value) else repr(each) for each in node.operands]
    return node.rule.name, places, [(type(number), repr(number)) for number in numbers]


@pytest.mark.parametrize("rule", SCALARS, ids=lambda rule: rule.name)
@pytest.mark.parametrize("kind", [float, np.float64])
def test_each_row_gives_the_same_without_it(rule, kind):
    slow, fast = without_the_quick_way(rule), function_of(rule)

    @settings(max_examples=25, deadline=None)
    @given(operands(rule), st.integers(1, 2**rule.arity - 1))
    def both(numbers, nodes):
        given = [kind(number) for number in numbers]
        given = [Value(n) if nodes >> k & 1 else n for k, n in enumerate(given)]
        if all(math.isfinite(number) for number in numbers):
            assert recorded(fast, given) == recorded(slow, given)

    both()


@pytest.mark.parametrize("rule", LISTS, ids=lambda rule: rule.name)
@pytest.mark.parametrize("size", [1, 2, 3, 70])
def test_each_operation_on_lists_gives_the_same_without_it(rule, size):
    slow, fast = without_the_quick_way(rule), function_of(rule)
    nodes = [Value(k / 7.0) for k in range(size)]
    plain = [k / 3.0 for k in range(size)]
    mixed = [*nodes[::2], *plain[::2]]
    columns = [nodes, mixed] if rule.arity == 1 else [nodes, plain]
    for column in columns:
        lists = [column] if rule.arity == 1 else [nodes, column]
        assert recorded(fast, lists) == recorded(slow, lists)


def test_the_generated_code_is_found_by_inspect_and_by_tracebacks():
    assert "def left(a, b)" in inspect.getsource(Value.__mul__)
    assert "def function(a)" in inspect.getsource(function_of(RULES["square"]))
    with pytest.raises(AttributeError) as raised:
        Value.__mul__(3.0, 2.0)  # no Value to the left
    assert any("a.data" in line for line in traceback.format_exception(raised.value))
