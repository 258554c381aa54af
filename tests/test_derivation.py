"""Derivations: every form says what the engine computed, for every kind of gradient, at any size."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
import sympy
from depth import depth
from hostile import TEX
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_bp import Network, NetworkError, Value, gradients, note, primitive, steps, tanh
from tinygrad_bp.chain import multiplications
from tinygrad_bp.derivation import derivation
from tinygrad_bp.expressions import record_expression
from tinygrad_bp.formula import (
    Name,
    Operation,
    Quantity,
    Vector,
    atoms_latex,
    atoms_mathml,
    number_latex,
    number_mathml,
)
from tinygrad_bp.graph import topological_order
from tinygrad_bp.report import html_page, latex_document
from tinygrad_bp.rules import RULES
from tinygrad_bp.testing.strategies import programs

SQUARE = (lambda z: z * z, lambda z: 2 * z)
CUBE = (lambda z: z**3, lambda z: 3 * z**2)
LINE = (lambda z: z * 1, lambda z: 1)
FUNCTIONS = {"square": SQUARE, "cube": CUBE, "line": LINE}
SMALL = st.fractions(-3, 3, max_denominator=4)


@st.composite
def cases(draw, depth=3, width=3):
    """A network of fractions, as the note's rows take it, its run, and the place of a weight."""
    sizes = draw(st.lists(st.integers(1, width), min_size=2, max_size=depth + 1))
    weights = [
        [[draw(SMALL) for _ in range(below)] for _ in range(size)]
        for below, size in pairwise(sizes)
    ]
    biases = [[draw(SMALL) for _ in range(size)] for size in sizes[1:]]
    functions = [
        [FUNCTIONS[draw(st.sampled_from([*FUNCTIONS]))] for _ in range(size)] for size in sizes[1:]
    ]
    x, t = ([draw(SMALL) for _ in range(size)] for size in (sizes[0], sizes[-1]))
    i = draw(st.integers(1, len(sizes) - 1))
    j, k = draw(st.integers(1, sizes[i])), draw(st.integers(1, sizes[i - 1]))
    net = Network(weights, biases, [[f for f, _ in layer] for layer in functions])
    return net.forward(x, t), (weights, biases, functions, x, t), (i, j, k)


def everything(run, i, j, k):
    """A derivation of each kind, by its name."""
    net = run.network
    return {
        "weight": derivation(run, i, j, k),
        "bias": derivation(run, i, j),
        "input": derivation(run, run.x(1)),
        "node": derivation(run, run.o(i, j)),
        "net input": derivation(run, run.z(i, j)),
        "target": derivation(run, run.t(1)),
        "weight as a Value": derivation(run, net.w(i, j, k)),
        "bias as a Value": derivation(run, net.b(i, j)),
    }


def evaluate(line):
    """The value of a line of text, its numbers read as exact."""
    line = line.replace("·", "*").replace("[", "(").replace("]", ")").replace("−", "-")
    assert re.fullmatch(r"[\d\s*+\-/().e]+", line), line
    return eval(re.sub(r"\d+(\.\d+)?(e[+-]?\d+)?", r"Fraction('\g<0>')", line))  # a test's own text


def net_of(*sizes, seed=7):
    net = Network.random([*sizes], "tanh", seed=seed)
    run = net.forward([math.sin(k + 1) for k in range(sizes[0])], [0.1] * sizes[-1])
    return net, run


# ---- what it computes


@settings(max_examples=10)
@given(cases())
def test_every_kind_is_the_notes_formula_exactly(case):
    run, given_, (i, j, k) = case
    found = everything(run, i, j, k)
    assert found["weight"].total == note.summation_expanded(*given_, i, j, k)
    assert found["bias"].total == note.bias_gradient(*given_, i, j)
    assert found["input"].total == note.input_gradient(*given_, 1)
    assert found["node"].total == note.node_gradient(*given_, i, j)
    assert found["target"].total == 2 * (run.t(1).data - run.o(run.network.depth, 1).data)
    assert found["weight as a Value"].total == found["weight"].total
    assert found["bias as a Value"].total == found["bias"].total
    for name, derived in found.items():
        assert derived.kind == name.removesuffix(" as a Value")
        assert derived.total == derived.gradient
    assert all(leaf.grad == 0 for leaf in run.network.parameters())


@settings(max_examples=8)
@given(cases(), st.integers(1, 5))
def test_the_terms_and_the_rest_are_the_total_exactly(case, most):
    run, _, place = case
    derived = derivation(run, *place, terms=most)
    every = run.terms(*place)
    assert derived.count == len(every)
    assert len(derived.terms) == min(most, len(every))
    assert sum(term.value for term in derived.terms) + derived.rest == derived.total
    sizes = sorted((abs(term.value) for term in every), reverse=True)
    assert [abs(term.value) for term in derived.terms] == sizes[:most]
    by_indices = {term.indices: term for term in every}
    for term in derived.terms:
        assert term.factors == by_indices[term.indices].factors


@settings(max_examples=8)
@given(cases())
def test_the_nested_brackets_with_numbers_evaluate_to_the_gradient_exactly(case):
    run, _, (i, j, k) = case
    for derived in everything(run, i, j, k).values():
        line = derived.to_dict()["numbers"]
        if "≈" not in line:
            assert evaluate(line) == derived.gradient


@settings(max_examples=8)
@given(cases())
def test_brackets_and_deltas_are_what_they_are_said_to_be(case):
    run, given_, (i, j, k) = case
    derived = derivation(run, i, j, k)
    nodes = [(i, j)] + [
        (m, v)
        for m in range(i + 1, run.network.depth + 1)
        for v in range(1, run.network.sizes[m] + 1)
    ]
    leaf = run.network.w(i, j, k)
    assert set(derived.deltas) == set(derived.brackets) == {f"o[{m}][{v}]" for m, v in nodes}
    for m, v in nodes:
        assert derived.deltas[f"o[{m}][{v}]"] == note.node_gradient(*given_, m, v)
        assert derived.brackets[f"o[{m}][{v}]"] == gradients(run.o(m, v), [leaf])[0]


@st.composite
def graphs(draw):
    """A program's graph with a leaf, and some of its nodes as landmarks."""
    program = draw(programs(["+", "*", "-", "square", "fsum", "dot"], max_size=9))
    registers = program.run([Value(each) for each in program.leaves])
    nodes = [each for each in registers if isinstance(each, Value)]
    order = topological_order(nodes[-1])  # what the result was made of, so that there are paths
    chosen = draw(st.lists(st.sampled_from(order), max_size=6))
    return nodes[-1], draw(st.sampled_from(order[: len(program.leaves) + 1])), chosen


@settings(max_examples=depth(60, by_default=15))
@given(graphs())
def test_the_product_of_jacobians_is_the_gradient_exactly_whatever_the_landmarks(graph):
    e, w, landmarks = graph
    derived = derivation(e, w, landmarks=landmarks)
    (gradient,) = gradients(e, [w])
    assert derived.total == derived.gradient == gradient
    product = [[Fraction(1)]] if derived.count else [[Fraction(0)]]
    for matrix in derived.jacobians:
        product = [
            [
                sum(a * b for a, b in zip(row, column, strict=True))
                for column in zip(*matrix, strict=True)
            ]
            for row in product
        ]
    assert product == [[gradient]]
    json.dumps(derived.to_dict())
    line = derived.to_dict()["numbers"]
    if "≈" not in line:
        assert evaluate(line) == gradient


@settings(max_examples=10)
@given(graphs())
def test_without_landmarks_the_terms_are_the_paths(graph):
    e, w, _ = graph
    derived = derivation(e, w, terms=5)
    assert derived.total == gradients(e, [w])[0]
    assert sum(term.value for term in derived.terms) + derived.rest == derived.total


def test_what_bypasses_landmarks_is_carried_along_and_said():
    w, x = Value(Fraction(1, 3), "w"), Value(Fraction(2), "x")
    h = w * x
    h.label = "h"
    e = h * h + w
    derived = derivation(e, w, landmarks=[h, x])
    assert derived.jacobians == [[[Fraction(4, 3), 1]], [[2], [1]]]
    assert "What bypasses landmarks is in the sum: de/dw = 1." in derived.to_text()
    assert "x is on no path from e to w, and is left out." in derived.to_text().replace("\n", " ")
    assert "de/dw = de/d(h, w) · d(h, w)/dw" in derived.to_text()


def test_any_number_of_landmarks_in_a_level_as_lists_or_not():
    net, run = net_of(3, 4, 4, 2)
    levels = [[run.o(m, j) for j in range(1, net.sizes[m] + 1)] for m in (3, 2)]
    derived = derivation(run.e, net.w(1, 2, 1), landmarks=levels)
    assert [(len(each), len(each[0])) for each in derived.jacobians] == [(1, 2), (2, 4), (4, 1)]
    flat = derivation(run.e, net.w(1, 2, 1), landmarks=[each for level in levels for each in level])
    assert flat.jacobians == derived.jacobians
    assert derived.jacobians[1][1][2] == gradients(run.o(3, 2), [run.o(2, 3)])[0]


def test_a_value_in_several_places_of_a_run_is_counted_in_all():
    shared = Value(Fraction(2), "s")
    net = Network([[[1, 2]], [[3]]], [[0], [1]], "square")
    run = net.forward([shared, shared], [shared])
    derived = derivation(run, shared)
    assert derived.total == derived.gradient == gradients(run.e, [shared])[0]


def test_what_is_asked_wrongly_is_refused():
    net, run = net_of(2, 2)
    other, _ = net_of(2, 2)
    with pytest.raises(IndexError, match="indices start at 1"):
        derivation(run, 0, 1, 1)
    with pytest.raises(NetworkError, match="no part of"):
        derivation(run, other.w(1, 1, 1))
    with pytest.raises(NetworkError, match="no error"):
        derivation(net.forward([1.0, 2.0]), 1, 1, 1)
    with pytest.raises(TypeError, match="for a weight"):
        derivation(run, "w")
    with pytest.raises(TypeError, match="a landmark must be a Value"):
        derivation(run.e, net.w(1, 1, 1), landmarks=["h"])
    with pytest.raises(TypeError, match=r"a landmark must be a Value, .* not int 1"):
        derivation(run.e, net.w(1, 1, 1), landmarks=[1])
    with pytest.raises(TypeError, match=r"not Network .*: give net\.forward\(x, t\)"):
        derivation(net, 1, 1, 1)
    with pytest.raises(TypeError, match="the node to differentiate for, not nothing"):
        derivation(run.e)
    with pytest.raises(TypeError, match=r"not Run .*: give its error, run\.e"):
        steps(run)
    with pytest.raises(TypeError, match="of a Run or a Value"):
        derivation(3.0, net.w(1, 1, 1))


# ---- the second opinion, and the update


def test_a_finite_difference_stands_beside_every_kind():
    _, run = net_of(2, 3, 2)
    for derived in everything(run, 1, 2, 1).values():
        assert derived.estimate.value == pytest.approx(derived.gradient, rel=1e-8)


def test_no_finite_difference_of_a_recording_that_its_leaves_have_left():
    w = Value(2.0, "w")
    e = w * w
    assert derivation(e, w).estimate is not None
    w.data = 3.0
    assert derivation(e, w).estimate is None
    assert "finite difference" not in derivation(e, w).to_text()


def test_the_update_is_minus_eta_times_the_gradient():
    net = Network([[[2]], [[3]]], [[1], [0]], "identity")
    run = net.forward([5], [26])
    derived = derivation(run, 1, 1, 1, eta=Fraction(1, 10))
    assert derived.update == -3
    assert "-1/10 · 30 = -3; w[1][1,1] becomes -1" in derived.to_text(100)
    assert derivation(run, 1, 1, 1).update is None
    assert "Δw[1][1,1] = −η de/dw[1][1,1] = -30 · η" in derivation(run, 1, 1, 1).to_text()
    assert "update" not in derivation(run, run.o(1, 1), eta=1).to_text()


# ---- why back-propagation is cheap


class Counting(Fraction):
    """A number that counts how often it is multiplied."""

    count = 0

    def __mul__(self, other):
        Counting.count += 1
        return Counting(Fraction(self) * Fraction(other))


def test_multiplications_are_counted_as_a_number_counts_them():
    net, run = net_of(2, 3, 3, 2)
    every = multiplications(net.sizes)
    one_by_one = 0
    products: dict = {}
    apart = 0
    for i in range(1, 4):
        for j in range(1, net.sizes[i] + 1):
            for k in range(1, net.sizes[i - 1] + 1):
                derived = derivation(run, i, j, k)
                Counting.count = 0
                for term in run.terms(i, j, k):
                    math.prod(map(Counting, term.factors[1:]), start=Counting(term.factors[0]))
                assert derived.multiplications()[0] == Counting.count
                one_by_one += Counting.count
                chain = derived._chain
                Counting.count = 0
                sums = [Counting(0)] * (len(chain.edges.nodes) - 1) + [1]
                columns = zip(chain.edges.above, chain.edges.below, chain.edges.locals, strict=True)
                for above, below, local in columns:
                    share = local if above == len(sums) - 1 else sums[above] * local
                    sums[below] = Counting(sums[below] + Counting(share))
                assert derived.multiplications()[1] == Counting.count
                apart += derived.multiplications()[1]
                products |= chain.products()
    assert every == (
        sum(a * b for a, b in [(2, 3), (3, 3), (3, 2)]),
        one_by_one,
        apart,
        len(products),
    )
    assert every.together < every.apart < every.one_by_one


def test_two_weights_share_the_deltas_above_both():
    _, run = net_of(2, 3, 3, 2)
    same_node = derivation(run, 1, 1, 1).shared(derivation(run, 1, 1, 2))
    assert [*same_node.deltas] == [
        *("o[3][1]", "o[3][2]", "o[2][1]", "o[2][2]", "o[2][3]", "o[1][1]")
    ]
    other_layer = derivation(run, 1, 1, 1).shared(derivation(run, 2, 3, 1))
    assert [*other_layer.deltas] == ["o[3][1]", "o[3][2]", "o[2][3]"]
    for shared in (same_node, other_layer):
        assert shared.together < shared.apart < shared.one_by_one
        text = shared.to_text()
        for name, delta in shared.deltas.items():
            assert f"de/d{name}  {delta:.4g}" in text
        assert str(shared.together) in text
        assert json.loads(json.dumps(shared.to_dict()))["deltas"] == shared.deltas


# ---- the forms


def numbers_in(text):
    return [float(each) for each in re.findall(r"(?<![\w\[.])-?\d+\.?\d*(?:e[+-]\d+)?", text)]


def test_text_shows_the_numbers_of_the_engine():
    _, run = net_of(2, 3, 3, 2)
    derived = derivation(run, 1, 2, 1)
    text = derived.to_text()
    assert max(map(len, text.splitlines())) <= 80
    nested = text.split("bracket by bracket:\n\n")[1].split("\n\n")[0]
    head, *_, total = nested.replace("\n", " ").split(" = ")
    assert head.strip() == "de/dw[1][2,1]"
    value = float(evaluate(" ".join(nested.replace("\n", " ").split(" = ")[1:-1])))
    assert value == pytest.approx(derived.gradient, rel=2e-3)  # factors of four digits
    assert float(total) == pytest.approx(derived.gradient, rel=1e-5)
    for term in derived.terms:
        (row,) = re.findall(
            rf"^  \({', '.join(map(str, term.indices))}\) +(\S+) .*\n +(= .*)$", text, re.MULTILINE
        )
        assert float(row[0]) == pytest.approx(term.value, rel=1e-5)
        assert numbers_in(row[1].replace("(", " ")) == pytest.approx(term.factors, rel=1e-3)


def test_bars_go_left_where_a_term_takes_away_and_are_as_long_as_its_share():
    _, run = net_of(2, 3, 3, 2)
    derived = derivation(run, 1, 2, 1)
    largest = max(abs(term.value) for term in derived.terms)
    bars = re.findall(r"(█*)│(█*)", derived.to_text())
    assert len(bars) == len(derived.terms)
    for (left, right), term in zip(bars, derived.terms, strict=True):
        length = max(1, round(12 * abs(term.value) / largest))
        assert (len(left), len(right)) == ((length, 0) if term.value < 0 else (0, length))


@settings(max_examples=6)
@given(cases(), st.integers(60, 100))
def test_ascii_is_ascii_and_within_the_width(case, width):
    run, _, place = case
    derived = derivation(run, *place)
    text = derived.to_text(width, ascii=True)
    assert text.isascii()
    lines = text.splitlines()
    assert max(map(len, lines)) <= width + 12  # a number that is long by itself


def test_no_line_of_a_float_network_is_longer_than_the_terminal():
    for sizes in ((2, 3, 3, 2), (4, 9, 8, 7, 6), (1,) * 12):
        _, run = net_of(*sizes)
        for form in ({}, {"ascii": True}):
            assert max(map(len, derivation(run, 1, 1, 1).to_text(**form).splitlines())) <= 80


def mathml_value(element):
    """The number that an element shows."""
    text = "".join(element.itertext()).replace("−", "-").replace("+", "")
    if element.find(".//mfrac") is not None or element.tag == "mfrac":
        above, below = (Fraction(each.text) for each in element.iter("mn"))
        return -above / below if text.startswith("-") else above / below
    mantissa, _, power = text.partition("×10")
    return Fraction(mantissa) * Fraction(10) ** int(power or 0)


@given(st.one_of(SMALL, st.floats(-1e6, 1e6), st.floats(-1e-6, 1e-6), st.integers()), st.booleans())
def test_numbers_in_mathml_and_latex_read_back(number, signed):
    quantity = Quantity(number, 6, signed)
    near = pytest.approx(float(number), rel=1e-5, abs=1e-300)
    element = ET.fromstring(number_mathml(quantity))
    if "≈" not in "".join(element.itertext()):
        assert float(mathml_value(element)) == near
    latex = number_latex(quantity)
    if r"\approx" not in latex:
        plain = re.sub(r"\\tfrac\{(\d+)\}\{(\d+)\}", r"\1/\2", latex)
        plain = re.sub(r"\\times 10\^\{(-?\d+)\}", r"e\1", plain)
        assert float(Fraction(plain)) == near


def test_html_is_well_formed_and_its_terms_read_back():
    _, run = net_of(2, 3, 3, 2)
    derived = derivation(run, 1, 2, 1)
    tree = ET.fromstring(derived.to_html())
    assert tree.tag == "section"
    rows = [row for row in tree.iter("tr") if len(row) == 5][1:]
    for row, term in zip(rows, derived.terms, strict=True):
        assert row[0].text == f"({', '.join(map(str, term.indices))})"
        assert float(mathml_value(row[1][0])) == pytest.approx(term.value, rel=1e-5)
        assert numbers_in(row[4].text.replace("(", " ")) == pytest.approx(term.factors, rel=1e-3)
    assert all(each.tag != "script" for each in tree.iter())
    assert not re.search(r"(src|href|url\()", derived.to_html())


X, Y, V4 = Name("x"), Name("y"), Name("v4")


@pytest.mark.parametrize(
    ("op", "operands", "latex", "mathml"),
    [
        ("+", (X, Quantity(-2.0)), r"x + \left(-2\right)", "x+(−2)"),
        ("*", (Quantity(Fraction(1, 3)), V4), r"\left(\tfrac{1}{3}\right) \cdot v_{4}", "(13)·v4"),
        ("/", (V4, Quantity(-2.0)), r"\frac{v_{4}}{-2}", "v4−2"),
        ("**", (V4, Quantity(-3.0)), "{v_{4}}^{-3}", "v4−3"),
        ("**", (Quantity(-3.0), X), r"{\left(-3\right)}^{x}", "(−3)x"),
        ("neg", (X,), "-x", "−x"),
        ("tanh", (V4,), r"\tanh v_{4}", "tanh(v4)"),
        ("sqrt", (X,), r"\sqrt{x}", "sqrt(x)"),
        ("maximum", (X, Quantity(-1.0)), r"\max(x, -1)", "maximum(x,−1)"),
        ("fsum", (Vector((X, Y)),), r"\sum (x, y)", "fsum(x,y)"),
        ("dot", (Vector((X, Y)), Vector((V4, X))), r"(x, y) \cdot (v_{4}, x)", "dot((x,y),(v4,x))"),
    ],
)
def test_an_operation_is_written_by_its_row_with_brackets_where_a_number_needs_them(
    op, operands, latex, mathml
):
    operation = Operation(RULES[op], operands, "")
    assert atoms_latex([operation]) == latex
    assert "".join(ET.fromstring(atoms_mathml([operation])).itertext()) == mathml


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.name)
def test_every_row_has_its_latex_and_mathml_with_each_operand_once(rule):
    names = (Name("p1"), Name("q2"))[: rule.arity]
    operation = Operation(rule, names, "")
    latex = atoms_latex([operation])
    assert [latex.count(each) for each in ("p_{1}", "q_{2}")[: rule.arity]] == [1] * rule.arity
    depth = 0
    for each in re.sub(r"\\[{}]", "", latex):
        depth += (each == "{") - (each == "}")
        assert depth >= 0
    assert depth == 0
    assert len([*ET.fromstring(atoms_mathml([operation])).iter("msub")]) == rule.arity


def test_names_are_written_as_latex_knows_them():
    assert atoms_latex([Name("λ")]) == r"\lambda"
    assert atoms_latex([Name("Ω")]) == r"\Omega"
    assert atoms_latex([Name("x٣")]).isascii()  # a digit, but none of LaTeX's
    leaky = Operation(RULES["leaky_relu"], (Name("x"),), "")
    assert atoms_latex([leaky]) == r"\operatorname{leaky\_relu}(x)"
    assert RULES["exp"].latex == r"\exp(%s)"  # e is the error


def test_symbols_with_names_that_could_be_markup_are_shown_as_text():
    name = r"\input{x}</mi><script>"
    number = Quantity(sympy.Symbol(name) + 1)
    assert r"\input" not in number_latex(number)
    assert "<script>" not in number_mathml(number)


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no pdflatex on the PATH")
def test_three_derivations_compile(tmp_path):
    w = Value(2.0, "w")
    net, run = net_of(2, 3, 3, 2)
    e = (w * 3.0 + w) ** 2
    hostile = [Value(2.0, label) for label in TEX]
    bodies = [
        *(derivation(each * each, each).to_latex() for each in hostile),
        derivation(run, 1, 2, 1, eta=0.1).to_latex(),
        derivation(e, w).to_latex(),
        derivation(run.e, net.w(1, 1, 1), landmarks=[run.o(1, 1), run.o(2, 1)]).to_latex(),
        symbolic_chain(2)[-1].to_latex(),
    ]
    (tmp_path / "d.tex").write_text(latex_document(bodies), encoding="ascii")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "d.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "d.pdf").stat().st_size > 10_000


def test_latex_is_balanced_and_whole():
    _, run = net_of(2, 3, 3, 2)
    body = derivation(run, 1, 2, 1).to_latex()
    for opened, closed in (("{", "}"), (r"\mathopen{[}", r"\mathclose{]}")):
        assert body.count(opened) == body.count(closed)
    assert re.findall(r"\\begin\{(.*?)\}", body) == re.findall(r"\\end\{(.*?)\}", body)
    assert derivation(run, 1, 2, 1).to_latex(document=True).startswith("\\documentclass")


def test_notebooks_show_it_by_themselves():
    _, run = net_of(2, 2)
    derived = derivation(run, 1, 1, 1)
    assert derived._repr_html_() == derived.to_html()
    assert derived._repr_latex_().startswith("$$\\begin{aligned}")
    assert str(derived) == derived.to_text()
    assert repr(derived).startswith("<Derivation de/dw[1][1,1] = ")
    assert "<!DOCTYPE html>" in html_page("t", [derived.to_html()])


def test_data_is_complete():
    _, run = net_of(2, 3, 3, 2)
    derived = derivation(run, 1, 2, 1, eta=0.5, terms=4)
    data = json.loads(json.dumps(derived.to_dict(), allow_nan=False))
    assert data["gradient"] == derived.gradient
    assert data["total"] == derived.total
    assert data["count"] == 6
    assert data["rest"] == {"count": 2, "value": derived.rest}
    assert data["update"] == -0.5 * derived.gradient
    assert data["deltas"] == derived.deltas
    assert data["brackets"] == derived.brackets
    assert data["formula"] == derived.formula
    for row, term in zip(data["terms"], derived.terms, strict=True):
        assert row["indices"] == [*term.indices]
        assert row["factors"] == [*term.factors]
        assert row["value"] == term.value
        assert len(row["symbols"]) == len(term.factors)


# ---- large


@pytest.mark.parametrize("sizes", [(64, 32, 32, 10), (30,) * 31, (1,) * 300])
def test_large_networks_are_written_at_once_and_never_endlessly(sizes):
    _, run = net_of(*sizes)
    start = time.perf_counter()
    derived = derivation(run, 1, 1, 1)
    texts = [derived.to_text(), derived.to_latex(), derived.to_html()]
    assert time.perf_counter() - start < 15  # a hundredth of it on a quiet machine
    assert derived.count == math.prod(sizes[2:])
    assert all(text.count("\n") < 260 for text in texts)
    assert max(map(len, texts[0].splitlines())) <= 90
    size = run.largest_terms(1, 1, 1, 12)
    assert derived.total == pytest.approx(size.total, rel=1e-9)
    assert [term.indices for term in derived.terms] == [term.indices for term in size.terms]


def test_a_long_chain_of_values_is_written_with_dots():
    x = Value(0.5, "x")
    y = x
    for _ in range(20_000):
        y = tanh(y)
    derived = derivation(y, x)
    assert derived.count == 1
    assert "⋯" in derived.to_text()
    assert len(derived.to_text()) < 3000
    assert derived.total == pytest.approx(gradients(y, [x])[0])


def test_many_paths_are_never_listed():
    x = Value(Fraction(1), "x")
    y = x
    for _ in range(100):
        y = y * y
    derived = derivation(y, x)
    assert derived.count == derived.total == 2**100
    assert derived.rest == 2**100 - 12
    assert derived.to_text().count("\n") < 100


# ---- in symbols: rows 1.1 to 2.2, derived by the engine


def symbolic_chain(depth, **settings_):
    w, b = sympy.symbols(f"w1:{depth + 1}"), sympy.symbols(f"b1:{depth + 1}")
    x, t = sympy.symbols("x t")
    activations, pairs = [], []
    for layer in range(1, depth + 1):
        f, slope = sympy.Function(f"f{layer}"), sympy.Function(f"f{layer}'")
        activations.append(primitive(f"f{layer}", f, (lambda z, out, slope=slope: slope(z),)))
        pairs.append((f, slope))
    net = Network([[[each]] for each in w], [[each] for each in b], activations)
    return w, b, x, t, pairs, derivation(net.forward([x], [t]), 1, 1, 1, **settings_)


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_rows_1_1_to_1_3_are_rederived(depth):
    w, b, x, t, pairs, derived = symbolic_chain(depth)
    expected = note.multi_layer_gradient(w, b, pairs, x, t, 1)
    for found in (derived.total, derived.gradient, math.prod(derived.terms[0].factors)):
        assert sympy.expand(found - expected) == 0
    assert derived.estimate is None
    eta = sympy.Symbol("eta")
    updated = symbolic_chain(depth, eta=eta)[-1]
    assert sympy.expand(updated.update + eta * expected) == 0
    for form in (derived.to_text(), derived.to_latex(), derived.to_html()):
        assert "f" in form
    ET.fromstring(derived.to_html())


def test_rows_2_1_and_2_2_are_rederived():
    symbols = iter(sympy.symbols("s1:40"))
    weights = [[[next(symbols) for _ in range(2)] for _ in range(2)] for _ in range(3)]
    biases = [[next(symbols) for _ in range(2)] for _ in range(3)]
    x, t = [next(symbols), next(symbols)], [next(symbols), next(symbols)]
    pairs, activations = [], []
    for layer in (1, 2, 3):
        f, slope = sympy.Function(f"f{layer}"), sympy.Function(f"f{layer}'")
        pairs.append([(f, slope)] * 2)
        activations.append(primitive(f"f{layer}", f, (lambda z, out, slope=slope: slope(z),)))
    run = Network(weights, biases, activations).forward(x, t)
    derived = derivation(run, 1, 2, 1)
    given_ = (weights, biases, pairs, x, t)
    for row in (note.summation_nested, note.summation_expanded, note.summation_bracketed):
        assert sympy.expand(derived.total - row(*given_, 1, 2, 1)) == 0
    assert sympy.expand(derived.total - note.matrix_gradient(*given_, 1)[1][0]) == 0
    assert len(derived.terms) == 4
    ET.fromstring(derived.to_html())


def test_the_lines_in_symbols_are_the_notes():
    _, run = net_of(2, 3, 3, 2)
    chain, expanded, bracketed = derivation(run, 1, 2, 1).to_dict()["lines"]
    assert chain == (
        "Σ_k3 de/do[3][k3] · Σ_k2 do[3][k3]/do[2][k2] · do[2][k2]/do[1][2] · do[1][2]/dw[1][2,1]"
    )
    assert expanded == (
        "Σ_k3 Σ_k2 2(o[3][k3] − t[k3]) · f'[3][k3] · w[3][k3,k2] · f'[2][k2] · w[2][k2,2] · "
        "f'[1][2] · x[1]"
    )
    assert bracketed == (
        "Σ_k3 2(o[3][k3] − t[k3]) · [Σ_k2 f'[3][k3] · w[3][k3,k2] · [f'[2][k2] · w[2][k2,2] · "
        "[f'[1][2] · x[1]]]]"
    )
    assert derivation(run, 3, 2).formula == "2(o[3][2] − t[2]) · f'[3][2] · (-1)"
    assert derivation(run, run.o(3, 1)).formula == "2(o[3][1] − t[1])"
    assert derivation(run, run.t(2)).formula == "2(t[2] − o[3][2])"


@settings(max_examples=8)
@given(cases())
def test_the_lines_in_symbols_evaluate_to_the_gradient(case):
    """Each symbol read off the run, each sum carried out: the lines say what they mean."""
    run, _, (i, j, k) = case
    for derived in everything(run, i, j, k).values():
        _, expanded, bracketed = derived.to_dict()["lines"]
        assert summed(expanded, run) == summed(bracketed, run) == derived.gradient


def summed(line, run):
    """The value of a line of symbols: each sum over what stands behind it in its bracket."""
    net = run.network
    symbols = {
        "o": lambda i, j: run.o(i, j).data,
        "x": lambda k: run.x(k).data,
        "t": lambda j: run.t(j).data,
        "w": lambda i, j, k: net.w(i, j, k).data,
        "f": lambda i, j: gradients(run.o(i, j), [run.z(i, j)])[0],
    }
    line = re.sub(r"Σ_k(\d+) ", r"SUM\1 ", line)
    line = re.sub(r"(f'|[otwx])\[([\w,]+)\](?:\[([\w,]+)\])?", r"\1<\2,\3>", line)
    line = line.replace("f'", "f").replace(",>", ">").replace("[", "(").replace("]", ")")
    line = line.replace("<", "(").replace(">", ")").replace("·", "*").replace("−", "-")
    line = line.replace("2(", "2*(")
    while found := re.search(r"SUM(\d+) (?!.*SUM)", line):  # the last one holds no other
        start, depth, end = found.end(), 0, len(line)
        for place in range(start, len(line)):
            depth += (line[place] == "(") - (line[place] == ")")
            if depth < 0:
                end = place
                break
        layer = int(found[1])
        body = f"sum(({line[start:end]}) for k{layer} in range(1, {net.sizes[layer] + 1}))"
        line = line[: found.start()] + body + line[end:]
    return eval(line, symbols)


def test_landmarks_of_a_typed_expression():
    leaves = {name: Value(number, name) for name, number in (("w", 0.5), ("x", 2.0), ("b", 0.1))}
    e = record_expression("tanh(w*x - b)**2 + w", leaves)
    derived = derivation(e, leaves["w"], landmarks=[e.parents[0]])
    assert derived.total == pytest.approx(gradients(e, [leaves["w"]])[0], rel=1e-15)


# ---- the documentation, and the command line


def test_the_page_on_the_note_and_the_three_derivations_are_what_is_computed(monkeypatch):
    docs = Path(__file__).parent.parent / "docs"
    monkeypatch.syspath_prepend(docs)
    import build
    import departures

    for example in departures.examples():
        assert example.literal != pytest.approx(example.right, rel=1e-3)
        assert example.right == pytest.approx(example.difference, rel=1e-7)
    assert (docs / "note.md").read_text(encoding="utf-8") == build.note()
    assert (docs / "derivations.tex").read_text(encoding="utf-8") == build.derivations()
    for module in ("build", "departures"):
        sys.modules.pop(module)


def command(*arguments):
    program = [sys.executable, "-m", "tinygrad_bp", "explain", *map(str, arguments)]
    return subprocess.run(program, capture_output=True, text=True, timeout=60)


def test_explain_writes_every_form(tmp_path):
    file = tmp_path / "net.json"
    net, _ = net_of(2, 3, 2)
    net.save(file)
    given_ = (file, "--input", "0.5,-1", "--target", "0,1", "--weight", "1,2,1")
    run = net.forward([0.5, -1.0], [0.0, 1.0])
    derived = derivation(run, 1, 2, 1, eta=0.5, terms=1)
    done = command(*given_, "--eta", "0.5", "--terms", "1", "--share", "1,1,1")
    assert derived.to_text() in done.stdout
    assert derived.shared(derivation(run, 1, 1, 1)).to_text() in done.stdout
    for suffix, inner in ((".tex", derived.to_latex()), (".html", derived.to_html())):
        written = tmp_path / f"weight{suffix}"
        done = command(*given_, "--eta", "0.5", "--terms", "1", "-o", written)
        assert (done.returncode, done.stdout) == (0, f"wrote {written}\n"), done.stderr
        assert inner in written.read_text(encoding="utf-8")
    again = command(*given_, "-o", written)
    assert again.returncode == 1
    assert "exists already" in again.stderr
    data = json.loads(command(*given_, "--json").stdout)
    assert data["gradient"] == derived.gradient
    node = json.loads(command(*given_[:5], "--node", "0,2", "--json").stdout)
    assert (node["kind"], node["gradient"]) == ("input", derivation(run, run.x(2)).gradient)


def test_explain_takes_landmarks_and_says_what_is_wrong():
    given_ = ("(t - tanh(w*x - b))**2", "w=0.5", "x=2", "b=0.1", "t=1")
    done = command(*given_, "--wrt", "w", "--landmark", "v3", "--landmark", "v1")
    assert "de/dw = de/dv3 · dv3/dv1 · dv1/dw" in done.stdout
    assert "de/dx" not in done.stdout
    for options, message in (
        (("--landmark", "nowhere"), "--landmark: 'nowhere' is none of"),
        (("--terms", "0"), "is not a whole number above 0"),
        (("--eta", "much"), "--eta: 'much' is not a number"),
        (("--json", "--html"), "not allowed with"),
    ):
        done = command(*given_, *options)
        assert done.returncode == 2
        assert message in done.stderr
        assert done.stderr.count("\n") == 1


def test_a_node_that_the_result_was_not_made_of_keeps_its_own_name():
    w, x = Value(0.5, "w"), Value(2.0, "x")
    d, other = w * x, x * 3.0
    text = str(derivation(d, other))
    assert "d/dw" not in text
    assert "e does not depend on v2" in text  # and not on w, of which it was made
    assert "e does not depend on x'" in str(derivation(d, Value(1.0, "x")))
