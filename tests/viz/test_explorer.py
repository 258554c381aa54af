"""The explorer: what the page says is what the engine says, at every step and after every edit."""

from __future__ import annotations

import itertools
import json
import math
import random
import re
from base64 import b64encode
from contextlib import contextmanager
from fractions import Fraction
from functools import cache
from hashlib import sha256
from html.parser import HTMLParser

import numpy as np
import pytest
from depth import depth
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import viz
from tinygrad_bp import (
    DrawingError,
    Network,
    NetworkError,
    StaleGraphError,
    Value,
    fsum,
    log,
    primitive,
    tanh,
)
from tinygrad_bp.engine.graph import topological_order
from tinygrad_bp.engine.operations import FUNCTIONS, apply
from tinygrad_bp.explain.naive import naive
from tinygrad_bp.explain.steps import steps
from tinygrad_bp.numbers.of_python import FLOAT
from tinygrad_bp.numbers.text import format_number
from tinygrad_bp.table.rules import RULES
from tinygrad_bp.terminal import demo
from tinygrad_bp.testing.strategies import RATIONAL, programs
from viz.explorer import MAX_SIZE, explore

FEW = settings(
    max_examples=depth(6, by_default=2), phases=[Phase.generate]
)  # a browser is slow, and shrinking slower
VIEWS = ("network", "graph", "why")


# ---- reading the page

READ = """
() => {
  const full = (element) => element && Number(element.getAttribute("value") ?? element.dataset.value);
  const text = (selector) => document.querySelector(selector).textContent;
  const each = (selector, read, root = document) => [...root.querySelectorAll(selector)].map(read);
  const number = (element) => element && [full(element).toString(), element.textContent];
  return {
    count: text("#count"), statement: text("#statement"), reason: text("#reason"),
    result: number(document.querySelector("#result data")),
    sum: number(document.querySelector("#sum-of data")), of: text("#sum-of"),
    rows: each("#picture details tbody tr", (row) => [
      row.cells[0].textContent, number(row.cells[2].querySelector("data")), number(row.cells[3].querySelector("data")),
    ]),
    cards: each("#picture .card", (card) => [
      Number(card.dataset.node), ...["data", "grad"].map((key) => number(card.querySelector(`[data-key=${key}][data-value]`))),
    ]),
    locals: each("#picture .local", (label) => [label.dataset.local, ...number(label)]),
    segments: each("#segments tbody tr", (row) => ({
      path: row.cells[0].textContent, adds: number(row.cells[1].querySelector("data")),
      factors: [...row.cells[3].querySelectorAll("data")].map(number), isNew: row.className.includes("new"),
    })),
    terms: each("#terms [data-term]", (row) => [
      row.dataset.term, number(row.cells[1].querySelector("data")), [...row.cells[3].querySelectorAll("data")].map(number),
    ]),
    sums: Object.fromEntries(each("#terms [data-sum]", (row) => [row.dataset.sum, number(row.querySelector("data"))])),
    brackets: each("#brackets li", (line) => number(line.querySelector(":scope > .close data, :scope > button .worth data"))),
    flows: each("#picture .amount", (label) => [label.dataset.flow, ...number(label)]),
    circles: each("#picture .circle", (circle) => [
      Number(circle.dataset.node), ...["data", "grad"].map((key) => number(circle.querySelector(`[data-key=${key}][data-value]`))),
    ]),
    leaves: each("#leaf-list li", (row) => [row.children[0].textContent, row.children[1].value, number(row.querySelector("data"))]),
    refused: text("#refused"),
  };
}
"""

EVERY_STEP = f"""
() => {{
  const read = {READ};
  const seen = [];
  document.querySelector("#first").click();
  for (;;) {{
    seen.push(read());
    if (document.querySelector("#next").disabled) return seen;
    document.querySelector("#next").click();
  }}
}}
"""

TYPE = """
([leaf, text]) => {
  const select = document.querySelector("#leaf");
  const option = [...select.options].find((each) => each.textContent === leaf);
  select.value = option.value;
  select.dispatchEvent(new Event("change"));
  const row = [...document.querySelectorAll("#leaf-list li")].find((each) => each.children[0].textContent === leaf);
  row.children[1].value = text;
  row.children[1].dispatchEvent(new Event("input"));
}
"""

PICK = """
(name) => {
  const select = document.querySelector("#node");
  select.value = [...select.options].find((each, place) => place > 0 && each.textContent === name).value;
  select.dispatchEvent(new Event("change"));
}
"""

TYPE_PICK_READ = (
    f"([typed, name]) => {{ typed.forEach({TYPE}); ({PICK})(name); return ({READ})(); }}"
)


@pytest.fixture(scope="session")
def opened(browser, tmp_path_factory):
    """Open a page from disk; afterwards nothing may have gone wrong in it, nor left it."""
    folder = tmp_path_factory.mktemp("explorer")
    numbers = itertools.count()
    asked, said = [], []

    @cache
    def page_with(look):
        page = browser.new_page(**{"viewport": {"width": 1280, "height": 900}, **json.loads(look)})
        page.set_default_timeout(5_000)
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(dialog.message) or dialog.dismiss())
        return page

    @contextmanager
    def open_page(explorer, view=None, **look):
        file = folder / f"{next(numbers)}.html"
        explorer.save(file)
        page = page_with(json.dumps(look))
        asked.clear(), said.clear()
        page.goto(file.as_uri())
        if view:
            page.click(f"#tab-{view}")
        yield page
        assert asked == [file.as_uri()]
        assert said == []

    return open_page


def is_number(found, value, *, signed=False, digits=6):
    """Whether a number on the page is the engine's, to the last bit, and its text the same rounded."""
    full, text = found
    value = float(value)
    assert float(full.replace("Infinity", "inf")) == value or value != value, (full, value)
    rounded = float(format_number(value, digits))
    assert float(text) == rounded or (math.isnan(rounded) and text == "nan"), (text, value)
    if signed:
        assert text.startswith("+") == (value > 0)


def two(number):
    """As JavaScript writes it: -0 is 0."""
    return number + 0.0


# ---- every step


def chain():
    """Row 1.1 of the note."""
    w, x, b, t = Value(0.5, "w"), Value(2.0, "x"), Value(0.1, "b"), Value(1.0, "t")
    return (t - tanh(w * x - b)) ** 2


def recorded(program):
    leaves = [Value(float(leaf), f"x{place}") for place, leaf in enumerate(program.leaves)]
    return program.run(leaves, constant=float)[-1]


def check_every_step(page, e):
    record = steps(e)
    seen = page.evaluate(EVERY_STEP)
    assert len(seen) == len(record)
    places = {node: place for place, node in enumerate(record.nodes)}
    made = {node for node in record.nodes if node.rule is None}
    for step, found in zip(record, seen, strict=True):
        if step.kind == "forward":
            made.add(step.node)
        grads = record.at(step.index)
        reached = {each.target for each in record[: step.index + 1] if each.kind != "forward"}
        assert found["count"] == f"step {step.index + 1} of {len(record)}"
        assert found["statement"] == step.text()
        assert found["reason"] == step.reason()
        is_number(found["result"], e.data)
        assert [row[0] for row in found["rows"]] == [record.names[node] for node in record.nodes]
        for node, (_, data, grad), (place, *card) in zip(
            record.nodes, found["rows"], found["cards"], strict=True
        ):
            assert places[node] == place
            assert card == [data, grad]
            assert (data is not None) == (node in made)
            assert (grad is not None) == (node in reached)
            if data:
                is_number(data, node.data)
            if grad:
                is_number(grad, grads[node])
        for at, full, text in found["locals"]:
            place, slot = map(int, at.split(":"))
            assert record.nodes[place] in made
            is_number((full, text), record.nodes[place].local_derivatives[slot])
        arrived = [segment["adds"] for segment in found["segments"]]
        if step.target in reached:
            is_number(found["sum"], grads[step.target])
            total = sum(float(full) for full, _ in arrived)
            size = sum(abs(float(full)) for full, _ in arrived)
            assert total == pytest.approx(float(grads[step.target]), abs=1e-12 * size)
        else:
            assert (found["sum"], arrived) == (None, [])
        for segment in found["segments"]:
            product = math.prod(float(full) for full, _ in segment["factors"])
            assert product == pytest.approx(float(segment["adds"][0]), rel=1e-12)
        if step.kind == "backward":
            new = [float(each["adds"][0]) for each in found["segments"] if each["isNew"]]
            assert sum(new) == pytest.approx(
                step.contribution, rel=1e-9, abs=1e-12 * sum(map(abs, new))
            )


def test_every_step_of_the_notes_first_row(opened):
    with opened(explore(chain())) as page:
        check_every_step(page, chain())


@FEW
@given(program=programs(max_size=7))
def test_every_step_of_any_program_says_what_the_record_says(opened, program):
    e = recorded(program)
    with opened(explore(e)) as page:
        check_every_step(page, e)


def test_steps_go_back_as_they_went_on(opened):
    with opened(explore(chain())) as page:
        there = page.evaluate(EVERY_STEP)
        back = []
        while True:
            back.append(page.evaluate(READ))
            if page.locator("#back").is_disabled():
                break
            page.click("#back")
        assert back[::-1] == there


def test_a_segment_for_each_path(opened):
    a = Value(3.0, "a")
    e = a * a + a
    with opened(explore(e)) as page:
        found = page.evaluate(READ)["segments"]
    assert [(each["path"], each["adds"][0]) for each in found] == [
        ("e → a", "1"),
        ("e → v1 → a", "3"),
        ("e → v1 → a", "3"),
    ]


def test_where_there_are_many_paths_a_segment_for_each_contribution(opened):
    x = Value(1.5, "x")
    e = x
    for _ in range(6):
        e = e * e
    with opened(explore(e)) as page:
        found = page.evaluate(READ)["segments"]
    assert [each["path"] for each in found] == ["32 paths through v1"] * 2
    assert sum(float(each["adds"][0]) for each in found) == steps(e).at(-1)[x]


def test_numbers_of_every_size_are_written_as_python_writes_them(opened):
    sizes = [m * 10.0**n for m in (1.0, -1.23456789, 9.9999949, 9.9999951) for n in range(-8, 9)]
    leaves = [Value(x, f"x{place}") for place, x in enumerate([0.0, -0.0, 1e300, 5e-324, *sizes])]
    for start in range(0, len(leaves), 40):
        with opened(explore(fsum(leaves[start : start + 40]))) as page:
            rows = page.evaluate(READ)["rows"][:-1]
        expected = [format_number(leaf.data) for leaf in leaves[start : start + 40]]
        assert [data[1] for _, data, _ in rows] == expected


# ---- changed leaves


@FEW
@given(
    program=programs(sorted({*RATIONAL} - {"**"}), max_size=6),
    edits=st.lists(st.floats(-9, 9).map(lambda x: round(x, 3)), min_size=2, max_size=4),
)
def test_a_changed_leaf_recalculates_everything_as_python_does(opened, program, edits):
    e = recorded(program)
    used = {node.label for node in topological_order(e)}
    leaves = [float(leaf) for leaf in program.leaves]
    with opened(explore(e)) as page:
        before = page.evaluate(EVERY_STEP)
        for turn, number in enumerate(edits):
            place = turn % len(leaves)
            if f"x{place}" not in used:
                continue
            page.evaluate(TYPE, [f"x{place}", repr(number)])
            try:
                moved = [*leaves]
                moved[place] = number
                again = program.run(
                    [Value(leaf, f"x{k}") for k, leaf in enumerate(moved)], constant=float
                )[-1]
            except ArithmeticError:
                found = page.evaluate(READ)
                assert "has no value" in found["refused"]
                is_number(found["result"], e.data)
                continue
            assert page.evaluate(READ)["refused"] == ""
            leaves, e = moved, again
            check_every_step(page, e)
        page.evaluate("document.querySelector('#reset').click()")
        assert page.evaluate(EVERY_STEP) == before


def one_of_each_row(at):
    """One graph with a node of each row of the table, and the leaves of each."""
    leaves = {
        name: [Value(x, f"{name} {place}") for place, x in enumerate(numbers)]
        for name, numbers in at.items()
    }
    nodes = {name: of_row(RULES[name], leaves[name]) for name in at}
    for name, node in nodes.items():
        node.label = f"{name} out"
    return fsum(nodes.values()), nodes


def of_row(rule, leaves):
    size = len(leaves) // rule.arity
    lists = [leaves[place * size : (place + 1) * size] for place in range(rule.arity)]
    return FUNCTIONS[rule.name](*lists) if rule.variadic else apply(rule, *leaves)


def moderate_points(rule):
    """Endless points of moderate size at which the row has a value and finite derivatives."""
    draw = random.Random(rule.name)
    size = 3 * rule.arity if rule.variadic else rule.arity
    while True:
        at = [draw.choice([draw.uniform(-9, 9), draw.uniform(0.01, 0.99)]) for _ in range(size)]
        if rule.variadic or FLOAT.in_domain(rule, tuple(at)):
            node = of_row(rule, [Value(x) for x in at])
            if all(map(math.isfinite, (node.data, *node.local_derivatives))):
                yield at


def test_every_row_of_the_table_recalculates_as_in_python(opened):
    points = {name: moderate_points(rule) for name, rule in RULES.items()}
    e, _ = one_of_each_row({name: next(at) for name, at in points.items()})
    with opened(explore(e), view="graph") as page:
        for name, rule in RULES.items():
            at = next(points[name])
            typed = [[f"{name} {place}", repr(number)] for place, number in enumerate(at)]
            found = page.evaluate(TYPE_PICK_READ, [typed, f"{name} out"])
            assert found["refused"] == ""
            node = of_row(rule, [Value(x) for x in at])
            rows = {row[0]: row[1:] for row in found["rows"]}
            assert float(rows[f"{name} out"][0][0]) == pytest.approx(node.data, rel=4e-15), name
            for place, local in enumerate(node.local_derivatives):
                grad = float(rows[f"{name} {place}"][1][0])
                assert grad == pytest.approx(local, rel=4e-15), name


@pytest.mark.parametrize(
    ("e", "text", "said"),
    [
        (
            lambda x: log(x),
            "-1",
            "log(x = -1) has no value: log needs x > 0. The page keeps x = 2.",
        ),
        (lambda x: 1.0 / (x - 3.0), "3", "1.0 / (v1 = 0) has no value: / needs v1 != 0."),
        (lambda x: x**0.5, "-4", "(x = -4) ** 0.5 has no value: ** needs a base > 0, or a whole"),
        (lambda x: x * x, "abc", "“abc” is not a number such as 0.5, -2 or 1/3"),
        (lambda x: x * x, "", "“” is not a number"),
        (lambda x: x * x, "1/0", "“1/0” is not a number"),
    ],
)
def test_what_cannot_be_taken_is_said_and_nothing_is_lost(opened, e, text, said):
    with opened(explore(e(Value(2.0, "x")))) as page:
        before = page.evaluate(EVERY_STEP)
        page.fill("#leaf-list input[type=text]", text)
        assert said in page.inner_text("#refused")
        assert page.locator("#refused").get_attribute("role") == "alert"
        assert page.locator("#leaf-list input[type=text]").get_attribute("aria-invalid") is not None
        after = page.evaluate(EVERY_STEP)
        for was, found in zip(before, after, strict=True):
            assert {**found, "refused": "", "leaves": was["leaves"]} == was
        page.fill("#leaf-list input[type=text]", "2")
        assert page.evaluate(EVERY_STEP) == before


def test_a_fraction_may_be_typed(opened):
    with opened(explore(Value(2.0, "x") * 3.0)) as page:
        page.fill("#leaf-list input[type=text]", "-1/4")
        is_number(page.evaluate(READ)["result"], -0.75)


def test_dragging_recalculates_while_it_goes_on(opened):
    with opened(explore(chain())) as page:
        row = page.locator("#leaf-list li", has_text="w").first
        row.locator("input[type=range]").focus()
        seen = {page.inner_text("#result")}
        for _ in range(3):
            page.keyboard.press("ArrowRight")
            seen.add(page.inner_text("#result"))
        assert len(seen) == 4
        w = float(row.locator("input[type=text]").input_value())
        found = float(page.evaluate(READ)["result"][0])
        assert found == pytest.approx((1.0 - math.tanh(w * 2.0 - 0.1)) ** 2, rel=1e-14)


def test_a_primitive_of_the_user_recalculates_where_it_is_an_expression(opened):
    cube = primitive("cube", "x * x * x", ("3.0 * x * x",))
    with opened(explore(cube(Value(2.0, "x")))) as page:
        page.fill("#leaf-list input[type=text]", "3")
        found = page.evaluate(READ)
        is_number(found["result"], 27.0)
        is_number(found["leaves"][0][2], 27.0, signed=True, digits=4)


def test_a_primitive_of_functions_is_shown_and_said_to_be_fixed(opened):
    twice = primitive("twice", lambda x: x * 2, (lambda x, out: 2.0,))
    e = twice(Value(2.0, "x")) + 1.0
    with opened(explore(e)) as page:
        check_every_step(page, e)
        assert "'twice' cannot be recalculated" in page.inner_text("#fixed")
        assert page.locator("#leaf-list input").first.is_disabled()


# ---- the network

NETWORKS = [
    (
        Network.random([2, 3, 3, 2], ["tanh", "sigmoid", "identity"], seed=1),
        [0.8, -0.5],
        [0.3, -0.2],
    ),
    (Network.random([1, 1], "softplus", seed=2), [0.5], [1.0]),
    (
        Network.random([3, 2, 1], [[lambda z: tanh(z) * z + z, "relu"], "sin"], seed=5),
        *([0.1, 0.0, -2.0], [0.7]),
    ),
]
CHOOSE = """
([i, j, k]) => [["i", i], ["j", j], ["k", k]].forEach(([name, value]) => {
  const select = document.querySelector(`#target-${name}`);
  select.value = value;
  select.dispatchEvent(new Event("change"));
})
"""


@pytest.mark.parametrize(("net", "x", "t"), NETWORKS, ids=["2-3-3-2", "1-1", "3-2-1"])
def test_every_weight_has_its_terms_brackets_and_flow(opened, net, x, t):
    run = net.forward(x, t)
    record = steps(run.e)
    total = record.at(-1)
    with opened(explore(run)) as page:
        for i in range(1, net.depth + 1):
            for j in range(1, net.sizes[i] + 1):
                for k in range(net.sizes[i - 1] + 1):
                    page.evaluate(CHOOSE, [i, j, k])
                    terms = run.terms(i, j, k) if k else run.bias_terms(i, j)
                    gradient = total[net.w(i, j, k) if k else net.b(i, j)]
                    check_terms(page.evaluate(READ), terms, gradient, (i, j, k), net.depth)


def check_terms(found, terms, gradient, place, n):
    gross = sum(abs(term.value) for term in terms)
    near = {"rel": 1e-12, "abs": 1e-13 * gross}
    by_indices = {",".join(map(str, term.indices)): term for term in terms}
    assert {row[0] for row in found["terms"]} == {*by_indices}
    sizes = [abs(float(value)) for _, (value, _), _ in found["terms"]]
    assert sizes == sorted(sizes, reverse=True)
    for indices, (value, text), factors in found["terms"]:
        term = by_indices[indices]
        assert float(value) == pytest.approx(term.value, **near)
        assert float(text) == pytest.approx(term.value, rel=1e-5)
        assert text.startswith("+") == (float(value) > 0)
        for (full, rounded), factor in zip(factors, term.factors, strict=True):
            assert float(full) == pytest.approx(factor, rel=1e-13, abs=1e-15)
            assert float(rounded.strip("()")) == pytest.approx(factor, rel=1e-3, abs=1e-15)
    is_number(found["sums"]["backward"], gradient, signed=True)
    assert float(found["sums"]["total"][0]) == pytest.approx(gradient, **near)
    assert float(found["brackets"][0][0]) == pytest.approx(gradient, **near)
    i, j, k = place
    flows = {at: float(full) for at, full, _ in found["flows"]}
    flows.pop(f"{i}:{j}:{k}", None)
    for at, value in flows.items():
        layer, above, below = map(int, at.split(":"))
        assert value == pytest.approx(
            sum(term.value for term in terms if crosses(term, j, i, n, layer, above, below)), **near
        )


def test_lines_are_as_wide_as_the_sum_and_halos_as_the_sizes_of_the_terms(opened):
    net, x, t = NETWORKS[0]
    run = net.forward(x, t)
    with opened(explore(run, weight=(1, 2, 1))) as page:
        drawn = page.locator("#picture [data-crossing]").evaluate_all(
            "(lines) => lines.map((line) => [line.dataset.crossing, line.classList[0], "
            "Number(line.getAttribute('stroke-width'))])"
        )
    crossing = {}
    for at, *_ in drawn:
        layer, above, below = map(int, at.split(":"))
        crossing[at] = [
            term.value for term in run.terms(1, 2, 1) if crosses(term, 2, 1, 3, layer, above, below)
        ]
    largest = max(sum(map(abs, values)) for values in crossing.values())
    assert len(drawn) == 2 * len(crossing) == 2 * (3 + 6 + 2)
    for at, kind, width in drawn:
        net_sum, gross = abs(sum(crossing[at])), sum(map(abs, crossing[at]))
        shown_size = 1.5 + 12 * (gross if kind == "halo" else net_sum) / largest
        assert width == pytest.approx(shown_size + (3 if kind == "halo" else 0), rel=1e-12)


def crosses(term, j, i, n, layer, above, below):
    nodes = dict(zip(range(i, n + 2), [j, *reversed(term.indices), 1], strict=True))
    return nodes[layer] == above and nodes[layer - 1] == below


def test_brackets_both_ways_are_the_nested_sums(opened):
    net, x, t = NETWORKS[0]
    run = net.forward(x, t)
    deltas = steps(run.e).at(-1)
    with opened(explore(run, weight=(1, 2, 1))) as page:
        page.check("#way-weight")
        found = [float(each[0]) for each in page.evaluate(READ)["brackets"]]
        formula = page.inner_text("#formula")
        page.check("#way-output")
        other = page.inner_text("#formula")
    kept = [w * f * deltas[run.o(2, a)] for a, w, f in _into_layer_2(run)]
    for value in kept:
        assert any(each == pytest.approx(value, rel=1e-12) for each in found)
    assert formula == (
        "∂e/∂w[1][2,1] = x[1] f'[1][2] [ Σ_k2 w[2][k2,2] f'[2][k2] "
        "[ Σ_k3 w[3][k3,k2] f'[3][k3] [ 2(o[3][k3] − t[k3]) ] ] ]"
    )
    assert other == (
        "∂e/∂w[1][2,1] = Σ_k3 2(o[3][k3] − t[k3]) f'[3][k3] "
        "[ Σ_k2 w[3][k3,k2] f'[2][k2] [ w[2][k2,2] f'[1][2] x[1] ] ]"
    )


def _into_layer_2(run):
    for a in (1, 2, 3):
        (slope,) = run.o(2, a).local_derivatives
        yield a, run.network.w(2, a, 2).data, slope


LIT = "() => [...document.querySelectorAll('#picture .link.lit')].map((each) => each.dataset.edge).sort()"
LIT_TERMS = (
    "() => [...document.querySelectorAll('#terms tr.lit')].map((each) => each.dataset.term).sort()"
)
LIT_BRACKETS = "() => document.querySelectorAll('#brackets button.lit').length"


def test_a_term_or_a_bracket_lights_its_edges_and_an_edge_lights_them(opened):
    net, x, t = NETWORKS[0]
    with opened(explore(net.forward(x, t), weight=(1, 2, 1))) as page:
        page.focus('[data-term="2,3"] button')  # k3 = 2, k2 = 3
        assert page.evaluate(LIT) == ["1:2:1", "2:3:2", "3:2:3", "4:1:2"]
        assert page.evaluate(LIT_TERMS) == ["2,3"]
        assert page.evaluate(LIT_BRACKETS) == 0
        page.focus("#brackets > ul > li > ul > li:nth-child(1) > button")  # k3 = 1, all k2
        through = [f"2:{k}:2" for k in (1, 2, 3)] + [f"3:1:{k}" for k in (1, 2, 3)]
        assert page.evaluate(LIT) == sorted(["1:2:1", *through, "4:1:1"])
        page.hover("#brackets > ul > li > ul > li:nth-child(2) > ul > li:nth-child(1) > button")
        assert page.evaluate(LIT) == ["1:2:1", "2:1:2", "3:2:1", "4:1:2"]
        page.locator('[data-edge="3:2:1"] .hit').dispatch_event("pointerover", {"bubbles": True})
        assert page.evaluate(LIT_TERMS) == ["2,1"]
        assert page.evaluate(LIT_BRACKETS) == 1
        page.locator('[data-edge="2:1:2"] .hit').dispatch_event("pointerover", {"bubbles": True})
        assert page.evaluate(LIT_TERMS) == ["1,1", "2,1"]
        assert page.evaluate(LIT_BRACKETS) == 2
        page.hover("h1")
        assert page.evaluate(LIT) == page.evaluate(LIT_TERMS) == []


def test_a_segment_lights_its_path_in_the_graph(opened):
    x = Value(2.0, "x")
    with opened(explore((x * x) + x)) as page:
        for place, lit in enumerate([1, 2, 2]):
            page.focus(f'[data-segment="{place}"] button')
            assert page.locator("#picture path.lit").count() == lit


def test_a_line_is_clicked_and_a_node_stands_for_its_bias(opened):
    net, x, t = NETWORKS[0]
    run = net.forward(x, t)
    with opened(explore(run)) as page:
        page.locator('[data-edge="2:3:1"] .hit').dispatch_event("click")
        assert page.inner_text("#gradient-of").startswith("∂e/∂w[2][3,1] = ")
        page.locator(".circle").nth(2 + 1).dispatch_event("click")
        assert page.inner_text("#gradient-of").startswith("∂e/∂b[1][2] = ")


def test_a_changed_input_changes_terms_and_flow(opened):
    net, x, t = NETWORKS[0]
    with opened(explore(net.forward(x, t), weight=(1, 2, 1))) as page:
        page.evaluate(TYPE, ["x[1]", "-0.3"])
        moved = net.forward([-0.3, x[1]], t)
        found = page.evaluate(READ)
        gradient = steps(moved.e).at(-1)[net.w(1, 2, 1)]
        assert float(found["sums"]["backward"][0]) == pytest.approx(gradient, rel=1e-12)
        found["sums"]["backward"][0] = repr(gradient)
        check_terms(found, moved.terms(1, 2, 1), gradient, (1, 2, 1), net.depth)
        for place, (data, _), _ in found["circles"]:
            node = topological_order(moved.e)[place]
            assert float(data) == pytest.approx(node.data, rel=1e-12)


def test_what_was_recorded_is_shown_though_the_network_has_learned_since(opened):
    net = Network.random([2, 2, 1], seed=3)
    run = net.forward([0.4, -0.6], [0.2])
    gradient = steps(run.e).at(-1)[net.w(1, 1, 1)]
    was = net.w(1, 1, 1).data
    run.e.backward()
    net.descend(0.5)
    with opened(explore(run)) as page:
        found = page.evaluate(READ)
    is_number(found["sums"]["backward"], gradient, signed=True)
    assert found["leaves"][0][:2] == ["w[1][1,1]", repr(was)]


# ---- why this order


@FEW
@given(program=programs(sorted({*RATIONAL} - {"**"}), max_size=5))
def test_the_pass_without_an_order_is_replayed_beside_the_right_one(opened, program):
    e = recorded(program)
    wrong = naive(e, limit=3000)
    with opened(explore(e), view="why") as page:
        if wrong.first_wrong is not None:
            assert page.inner_text("#count").startswith(f"step {wrong.first_wrong + 1} of ")
            first = (
                wrong.explain()
                .splitlines()[0]
                .replace(f"step {wrong.first_wrong + 1} goes", "This step goes")
            )
            assert first in page.inner_text(".verdict")
        else:
            assert "nothing goes wrong" in page.inner_text(".verdict")
        page.focus("#slider")
        page.keyboard.press("Home")
        assert page.evaluate(READ)["statement"] == wrong[wrong.seed].text()
        for step in wrong[wrong.seed + 1 :][:40]:
            page.click("#next")
            found = page.evaluate(READ)
            assert found["statement"] == step.text()
            sums = wrong.at(step.index)
            is_number(found["sum"], sums[step.target])
            right = wrong.right[min(step.index, len(wrong.right) - 1)]
            lines = page.locator(".half .line").all_inner_texts()
            assert lines[0] == step.text()
            assert lines[1] == ("done" if step.index >= len(wrong.right) else right.text())
        rows = page.locator("#picture > .scroll tbody tr").evaluate_all(
            "(rows) => rows.map((row) => [...row.cells].map((cell) => cell.firstChild?.value ?? cell.textContent))"
        )
        answers = {wrong.names[each.leaf]: each for each in wrong.answers}
        for name, found, right, verdict in rows:
            assert float(found) == two(answers[name].naive)
            assert float(right) == two(answers[name].right)
            assert verdict == ("wrong" if answers[name].wrong else "the same")


def test_the_reason_for_the_order_in_one_picture(opened):
    a = Value(1.0, "a")
    b = a + a
    b.label = "b"
    with opened(explore(b + b), view="why") as page:
        assert page.inner_text(".verdict") == (
            "This step goes wrong: b passes on 1.0, but its gradient is 2.0: 1 of its 2 "
            "contributions has not come."
        )
        assert page.locator(".half svg").count() == 2


def test_a_pass_too_long_without_an_order_is_not_replayed(opened):
    e = Value(1.0, "x")
    for _ in range(40):
        e = e * e
    with opened(explore(e), view="why") as page:
        assert "more than 3000 steps" in page.inner_text("#picture")
        assert "in order it takes 80" in page.inner_text("#picture")


# ---- keyboard, screen reader, looks


def test_everything_by_keyboard(opened):
    net, x, t = NETWORKS[0]
    with opened(explore(net.forward(x, t))) as page:
        press = page.keyboard.press

        def step():
            return page.inner_text("#count").split()[1]

        last = step()
        press("Home")
        assert step() == "1"
        press("ArrowRight"), press("ArrowRight"), press("ArrowLeft")
        assert step() == "2"
        press("End")
        assert step() == last
        tab_to(page, "tab-network")
        press("ArrowRight")
        assert focused(page) == "tab-graph"
        assert page.locator("#picture .card").count() > 5
        press("End")
        assert focused(page) == "tab-why"
        press("ArrowRight")
        assert focused(page) == "tab-network"
        tab_to(page, "target-k")
        press("ArrowDown")
        assert page.inner_text("#gradient-of").startswith("∂e/∂w[1][1,2] = ")
        assert focused(page) == "target-k"
        for _ in range(6):
            press("Tab")
            if page.evaluate(LIT):
                break
        assert len(page.evaluate(LIT)) == 4
        press("Escape")


def test_space_plays_and_stops(opened):
    with opened(explore(chain())) as page:
        page.keyboard.press(" ")
        assert page.inner_text("#play") == "Pause"
        assert page.inner_text("#count").startswith("step 1 ")
        assert page.locator("#statement").get_attribute("aria-live") == "off"
        page.locator("#count", has_text="step 2 ").wait_for()
        page.keyboard.press(" ")
        assert page.inner_text("#play") == "Play"
        assert page.locator("#statement").get_attribute("aria-live") == "polite"


def tab_to(page, name):
    for _ in range(200):
        page.keyboard.press("Tab")
        if focused(page) == name:
            return
    raise AssertionError(f"Tab never comes to {name}")


def focused(page):
    return page.evaluate("document.activeElement.id")


def test_the_focus_stays_where_it_was_while_stepping(opened):
    with opened(explore(chain())) as page:
        page.focus("[data-segment] button")
        key = page.evaluate("document.activeElement.dataset.key")
        page.keyboard.press("ArrowLeft")
        assert page.evaluate("document.activeElement.dataset.key") == key


SCHEMES = ("light", "dark")


@pytest.mark.parametrize(
    ("scheme", "width", "views"),
    [
        ("light", 1280, depth(VIEWS, by_default=VIEWS[:1])),
        ("dark", 360, depth(VIEWS, by_default=VIEWS[1:])),
    ],
    ids=SCHEMES,
)
def test_axe_finds_nothing_to_mend(opened, axe, scheme, width, views):
    net, x, t = NETWORKS[0]
    look = {"color_scheme": scheme, "viewport": {"width": width, "height": 800}}
    with opened(explore(net.forward(x, t)), bypass_csp=True, **look) as page:
        page.evaluate(axe)
        for view in views:
            page.click(f"#tab-{view}")
            if view == "graph":
                page.click("summary")
            found = page.evaluate("axe.run().then(({violations}) => violations)")
            assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []


@pytest.mark.parametrize(
    "make", [lambda: chain(), lambda: NETWORKS[0][0].forward(*NETWORKS[0][1:])]
)
def test_a_phone_needs_no_sideways_scrolling(opened, make):
    with opened(explore(make()), viewport={"width": 360, "height": 740}) as page:
        for view in VIEWS:
            if page.locator(f"#tab-{view}").is_visible():
                page.click(f"#tab-{view}")
                assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_dark_is_dark_and_light_is_light(opened):
    tones = []
    for scheme in SCHEMES:
        with opened(explore(chain()), color_scheme=scheme) as page:
            tone = page.evaluate("getComputedStyle(document.body).backgroundColor")
            tones.append(sum(map(int, re.findall(r"\d+", tone))))
    assert tones[0] > 700
    assert tones[1] < 100


def test_with_reduced_motion_nothing_moves_by_itself(opened):
    moving = "() => [...document.querySelectorAll('*')].filter((each) => getComputedStyle(each).transitionDuration !== '0s').length"
    for motion, some in (("reduce", False), ("no-preference", True)):
        with opened(explore(chain()), reduced_motion=motion) as page:
            assert bool(page.evaluate(moving)) is some


def test_a_sign_is_never_shown_by_colour_alone(opened):
    net, x, t = NETWORKS[0]
    with opened(explore(net.forward(x, t), weight=(1, 2, 1))) as page:
        dashes = "(each) => getComputedStyle(each).strokeDasharray !== 'none'"
        for line in page.locator("#picture line.flow").all():
            assert line.evaluate(dashes) == ("lowers" in line.get_attribute("class"))
        for text in page.locator("#picture .amount.raises, #picture .amount.lowers").all():
            sign = "+" if "raises" in text.get_attribute("class") else "-"
            assert text.text_content().startswith(sign)


def test_a_screen_reader_is_told_what_the_picture_shows(opened):
    with opened(explore(chain())) as page:
        image = page.locator("#picture svg[role=img]")
        described = image.get_attribute("aria-describedby")
        assert "9 nodes" in page.locator(f"#{described}").text_content()
        assert page.inner_text("#statement") in page.locator(f"#{described}").text_content()
        assert page.locator("#statement[role=status]").count() == 1
        assert page.locator("main, header, footer").count() == 3
        assert page.locator("#slider").get_attribute("aria-valuetext").startswith("step 14 of 14: ")


# ---- size


def test_a_large_graph_opens_folded_and_says_what_is_not_drawn(opened):
    x = Value(0.3, "x")
    e = x
    for _ in range(2000):
        e = (e * 1.01).sin()
    with opened(explore(e)) as page:
        drawn = page.locator("#picture .card").count()
        assert drawn == 18
        assert f"+{4001 - drawn} nodes not drawn." in page.inner_text("#picture")
        page.keyboard.press("Home")
        assert page.evaluate(READ)["statement"] == steps(e)[0].text()


def test_a_wide_network_says_what_is_not_drawn_and_sums_the_other_terms(opened):
    net = Network.random([64, 32, 32, 10], seed=1)
    run = net.forward([0.02 * k - 0.5 for k in range(64)], [0.1] * 10)
    gradient = steps(run.e).at(-1)[net.w(1, 3, 5)]
    with opened(explore(run, weight=(1, 3, 5))) as page:
        assert "98 nodes are not drawn" in page.inner_text("#picture")
        assert "+54" in page.locator("#picture svg[role=img]").text_content()
        found = page.evaluate(READ)
        largest = sorted((term.value for term in run.terms(1, 3, 5)), key=abs, reverse=True)[:12]
        shown_terms = [float(value) for _, (value, _), _ in found["terms"]]
        assert shown_terms == pytest.approx(largest, rel=1e-12)
        assert float(found["sums"]["rest"][0]) == pytest.approx(gradient - sum(largest), rel=1e-9)
        assert page.inner_text("#gradient-of").endswith("a sum of 320 terms")


def test_a_graph_beyond_the_budget_is_refused_with_its_size():
    e = Value(1.0)
    for _ in range(MAX_SIZE // 2):
        e = -e
    with pytest.raises(DrawingError, match=rf"has {MAX_SIZE // 2 + 1} nodes.*{MAX_SIZE} in all"):
        explore(e)


def test_the_demos_page_is_small():
    run = demo.untrained().forward([0.1, 0.2, 0.3, 0.4], [1.0, 0.0, 0.0])
    assert len(explore(run).html.encode()) < 200_000


# ---- what the page may run


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found, self.texts = [], {}

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_data(self, text):
        tag, attributes = self.found[-1] if self.found else ("", {})
        self.texts.setdefault((tag, attributes.get("type", "")), text)


def test_the_policy_allows_this_script_and_this_style_and_nothing_else():
    page = _Tags()
    page.feed(explore(chain()).html)

    def hash_of(text):
        return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"

    policy = next(each["content"] for _, each in page.found if "http-equiv" in each)
    rules = dict(each.strip().split(" ", 1) for each in policy.split(";"))
    assert rules == {
        "default-src": "'none'",
        "script-src": hash_of(page.texts["script", ""]),
        "style-src": hash_of(page.texts["style", ""]),
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    names = {name for _, attributes in page.found for name in attributes}
    assert not {name for name in names if name.startswith("on") or name in ("style", "src")}


def test_the_policy_holds(browser, tmp_path):
    explore(chain(), tmp_path / "page.html")
    page = browser.new_page()
    asked = []
    page.goto((tmp_path / "page.html").as_uri())
    page.on("requestfinished", lambda request: asked.append(request.url))
    page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.hacked = 1";
          const style = document.createElement("style");
          style.textContent = "h1 { color: rgb(1, 2, 3) }";
          const image = document.createElement("img");
          image.src = "https://example.org/x.png";
          document.body.append(script, style, image);
        }"""
    )
    assert page.evaluate("window.hacked") is None
    assert page.locator("h1").evaluate("(h) => getComputedStyle(h).color") != "rgb(1, 2, 3)"
    assert page.evaluate("fetch('https://example.org').then(() => 'gone', () => 'kept')") == "kept"
    assert asked == []
    page.close()


# ---- files, notebooks, errors


def test_the_page_is_written_whole_and_over_nothing(tmp_path, listing):
    file = tmp_path / "page.html"
    explorer = explore(chain(), file)
    assert file.read_text(encoding="utf-8") == explorer.html
    with pytest.raises(FileExistsError):
        explore(Value(1.0), file)
    assert file.read_text(encoding="utf-8") == explorer.html
    explore(Value(1.0), file, overwrite=True)
    assert file.read_text(encoding="utf-8") != explorer.html
    with pytest.raises(DrawingError, match=r"use \.html"):
        explore(chain(), tmp_path / "page.svg")
    with pytest.raises(FileNotFoundError):
        explore(chain(), tmp_path / "none" / "page.html")
    assert listing() == ["page.html"]


def test_the_same_graph_gives_the_same_page():
    assert explore(chain()).html == explore(chain()).html


def test_it_touches_no_gradient():
    e = chain()
    explore(e)
    assert {node.grad for node in topological_order(e)} == {0}


def test_a_notebook_embeds_it(opened, browser, tmp_path):
    explorer = explore(chain())
    shown_html = explorer._repr_html_()
    file = tmp_path / "notebook.html"
    file.write_text(f"<!DOCTYPE html><title>notebook</title>{shown_html}", encoding="utf-8")
    page = browser.new_page()
    page.goto(file.as_uri())
    frame = page.frame_locator("iframe")
    assert frame.locator("#statement").inner_text() == steps(chain())[-1].text()
    frame.locator("#first").click()
    assert frame.locator("#statement").inner_text() == steps(chain())[0].text()
    page.close()
    assert repr(explorer).startswith("<Explorer of The gradient of e: ")


def test_fractions_are_shown_as_floats_and_the_page_says_so(opened):
    x = Value(Fraction(1, 3), "x")
    with opened(explore(x * x)) as page:
        assert "Recorded with numbers of type Fraction" in page.inner_text("#notes")
        found = page.evaluate(READ)
        is_number(found["result"], 1 / 9)
        assert found["leaves"][0][1] == repr(1 / 3)


def test_a_whole_number_that_is_no_float_is_said_or_refused(opened):
    x = Value(2**53 + 1, "x")
    with opened(explore(x + 0)) as page:
        assert "Recorded with numbers of type int" in page.inner_text("#notes")
    with pytest.raises(DrawingError, match="too large for a float"):
        explore(Value(10**400) + 1)


def test_infinities_and_nan_are_numbers_of_the_page(opened):
    x, y = Value(1e308, "x"), Value(math.inf, "y")
    with opened(explore(x * 10.0 - y)) as page:
        assert page.evaluate(READ)["result"] == ["NaN", "nan"]
        rows = {row[0]: row[1] for row in page.evaluate(READ)["rows"]}
        assert rows["v1"] == ["Infinity", "inf"]


def test_a_single_leaf_is_a_graph_too(opened):
    with opened(explore(Value(3.0, "x"))) as page:
        assert page.inner_text("#statement") == "x.grad = 1.0"
        page.fill("#leaf-list input[type=text]", "4")
        is_number(page.evaluate(READ)["result"], 4.0)


@pytest.mark.parametrize("what", [3.0, "x", None, [Value(1.0)], Network.random([1, 1], seed=1)])
def test_what_is_no_value_and_no_run_is_refused(what):
    with pytest.raises(TypeError, match="a Value or a run of a network"):
        explore(what)


def test_refusals():
    sympy = pytest.importorskip("sympy")
    with pytest.raises(DrawingError, match="is a symbol"):
        explore(Value(sympy.Symbol("x")) * 2)
    net = Network.random([1, 1], seed=1)
    with pytest.raises(NetworkError, match="give forward a target"):
        explore(net.forward([1.0]))
    still = Network([[[1.0]], [[1.0]]], [[0.0], [0.0]], ["tanh", lambda z: Value(1.0)])
    with pytest.raises(DrawingError, match=r"does not reach the error.*run\.e"):
        explore(still.forward([1.0], [2.0]))
    with pytest.raises(IndexError):
        explore(net.forward([1.0], [2.0]), weight=(2, 1, 1))
    with pytest.raises(TypeError, match="weight="):
        explore(chain(), weight=(1, 1, 1))
    x = Value(2.0, "x")
    y = x * x
    x.data = 3.0
    with pytest.raises(StaleGraphError, match="record it again"):
        explore(y)


def test_viz_offers_it():
    assert viz.explore is explore
    assert json.loads("[1]") == [1]


def test_a_network_of_numpy_integers_is_explored_as_one_of_whole_numbers():
    def page(number):
        net = Network([[[number(200), number(3)]], [[number(100)]]], [[1], [number(3)]], "identity")
        return explore(net.forward([number(9), number(200)], [number(255)])).html

    assert page(np.uint8) == page(int)
