"""Mermaid, TikZ, JSON and GIF: the graph's numbers are in them."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess

import pytest
from depth import depth
from hostile import TEX
from hypothesis import given, settings
from hypothesis import strategies as st
from readers import decoded, read_mermaid

import viz
from tinygrad_bp import DrawingError, Network, Value, tanh
from tinygrad_bp.escaping import for_latex
from tinygrad_bp.graph import names, topological_order
from tinygrad_bp.paths import flow
from tinygrad_bp.text import format_number
from viz.labels import shown
from viz.mermaid import escaped as mermaid_escaped
from viz.style import LIGHT


def example():
    w, x, b, t = Value(0.5, "w"), Value(2.0, "x"), Value(0.1, "b"), Value(1.0, "t")
    e = (t - tanh(w * x - b)) ** 2
    e.backward()
    return e, w


def run_of():
    net = Network.random([2, 3, 3, 2], "tanh", seed=7)
    return net.forward([0.8, -0.5], [0.3, -0.2])


# ---- Mermaid


def test_mermaid_has_every_node_and_every_edge_with_its_number():
    e, _ = example()
    nodes, edges = read_mermaid(viz.draw(e).content(".mmd"))
    order = topological_order(e)
    named = names(order, root="e")
    ids = {node: f"n{place}" for place, node in enumerate(order)}
    for node in order:
        name, data, grad = nodes[ids[node]]
        assert name.split()[0] == named[node]
        assert (data, grad) == (
            f"data {format_number(node.data)}",
            f"grad {format_number(node.grad)}",
        )
    assert edges == [
        (ids[parent], ids[node], format_number(local))
        for node in order
        for parent, local in zip(node.parents, node.local_derivatives, strict=True)
    ]


def test_mermaid_shows_widths_signs_and_dashes_of_a_network():
    picture = viz.network(run_of(), (1, 2, 1))
    source = picture.content(".mmd")
    _, edges = read_mermaid(source)
    assert len(edges) == 6 + 9 + 6
    looks = {}
    for numbers, look in re.findall(r"linkStyle ([\d,]+) (.*)", source):
        looks |= {int(number): look for number in numbers.split(",")}
    for place, edge in enumerate(picture.sketch.edges):
        if edge.dim:
            assert LIGHT.grey in looks[place]
        elif "net" in edge.facts:
            colour, dash = (LIGHT.blue, False) if edge.net > 0 else (LIGHT.orange, True)
            assert looks[place].startswith(f"stroke:{colour},stroke-width:{edge.width:.1f}px")
            assert ("dasharray" in looks[place]) == dash


@settings(max_examples=depth(200, by_default=40))
@given(st.text(st.characters(codec=None), max_size=40))
def test_any_text_is_inert_in_mermaid(text):
    written = mermaid_escaped(text)
    assert decoded(written) == shown(text)
    assert not set('"<>[]{}()|`\\&*_\n') & set(written)
    assert not re.search(r"[.+-](?![0-9])", written)


# ---- TeX


def test_tikz_has_every_text_of_the_picture():
    e, w = example()
    source = viz.draw(e, highlight=flow(e, w)).content(".tex")
    texts = re.findall(r"\\selectfont(?:\\bfseries)? (.*)\};", source)
    order = topological_order(e)
    for node in order:
        for number in (node.data, node.grad, *node.local_derivatives):
            assert for_latex(format_number(number)) in texts
    colours = dict(re.findall(r"\\definecolor\{(\w+)\}\{HTML\}\{(\w+)\}", source))
    assert LIGHT.orange[1:].upper() in colours.values()
    assert "dash pattern=on 5bp off 2bp" in source


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no pdflatex on the PATH")
def test_tikz_compiles(tmp_path):
    kpsewhich = subprocess.run(["kpsewhich", "tikz.sty"], capture_output=True, check=False)
    if not kpsewhich.stdout:
        pytest.skip("TeX has no TikZ here")
    e, w = example()
    x = Value(1.0, "x")
    for label in TEX:
        x = x * Value(2.0, label)
    run = run_of()
    pictures = {
        "flow": viz.draw(e, highlight=flow(e, w)),
        "hostile": viz.draw(x),
        "network": viz.network(run, (1, 2, 1)),
    }
    for name, picture in pictures.items():
        viz.save(picture, tmp_path / f"{name}.tex")
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape"]
        done = subprocess.run(
            [*command, f"{name}.tex"], cwd=tmp_path, capture_output=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
        assert b"1 page" in done.stdout
        assert (tmp_path / f"{name}.pdf").read_bytes().startswith(b"%PDF")


# ---- JSON


def test_json_has_the_graph_with_all_its_digits():
    e, w = example()
    data = json.loads(viz.draw(e, highlight=flow(e, w)).content(".json"))
    order = topological_order(e)
    ids = {node: f"n{place}" for place, node in enumerate(order)}
    assert (data["format"], data["version"]) == ("tinygrad-bp graph", 1)
    assert [(n["id"], n["data"], n["grad"], n["op"]) for n in data["nodes"]] == [
        (ids[node], node.data, node.grad, node.op) for node in order
    ]
    carried = flow(e, w)
    expected = []
    for node in order:
        uses = zip(node.parents, node.local_derivatives, strict=True)
        for slot, (parent, local) in enumerate(uses):
            entry = {"from": ids[parent], "to": ids[node], "slot": slot, "local_derivative": local}
            if (node, slot) in carried:
                entry["net"], entry["gross"] = carried[node, slot]
            expected.append(entry)
    assert data["edges"] == expected


def test_json_of_a_network_has_its_terms():
    run = run_of()
    data = json.loads(viz.network(run, (1, 2, 1), max_terms=4).content(".json"))
    largest = run.largest_terms(1, 2, 1, n=4)
    assert data["place"] == [1, 2, 1]
    assert data["gradient"] == largest.total
    assert data["path_count"] == 6
    assert data["terms"] == [
        {"indices": list(term.indices), "value": term.value} for term in largest.terms
    ]
    assert data["rest"] == {"count": 2, "value": largest.rest}
    for node in data["nodes"]:
        assert node["data"] == run.o(node["layer"], node["number"]).data


@pytest.mark.parametrize("number", [float("inf"), float("nan"), 10**400])
def test_json_is_json_whatever_the_numbers(number):
    x = Value(number, "x")
    refuse = {"parse_constant": lambda text: pytest.fail(text)}
    assert json.loads(viz.draw(x * x).content(".json"), **refuse)["nodes"][0]["name"] == "x"


# ---- GIF


def test_a_still_picture_is_a_gif_of_one_frame():
    image = pytest.importorskip("PIL.Image")
    still = image.open(io.BytesIO(viz.draw(example()[0]).content(".gif")))
    assert still.n_frames == 1


def test_formats_without_layout_need_no_graphviz(no_graphviz, tmp_path):
    e, w = example()
    run = run_of()
    pictures = (viz.draw(e), viz.draw(e, highlight=flow(e, w)), viz.draw(run.e, fold=run))
    for picture in (*pictures, viz.network(run, (1, 2, 1))):
        for suffix in (".dot", ".json", ".mmd"):
            assert picture.content(suffix)
        with pytest.raises(DrawingError, match="no Graphviz found"):
            picture.content(".tex")


def test_a_picture_made_by_hand_has_no_graph_to_write():
    with pytest.raises(DrawingError, match=r"only what viz\.draw or viz\.network made .* \.mmd"):
        viz.Picture().content(".mmd")


def test_a_copy_is_written_as_its_original():
    picture = viz.network(run_of(), (1, 2, 1))
    for suffix in (".json", ".svg", ".mmd"):
        assert picture.copy().content(suffix) == picture.content(suffix)
