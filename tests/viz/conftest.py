"""Reading pictures back: what an SVG says, node by node and edge by edge."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest

from viz.layout import _from_pip

SVG = "{http://www.w3.org/2000/svg}"


def _texts(group):
    """The texts of a group; Graphviz writes every second space of a row as a no-break space."""
    return [text.text.replace("\xa0", " ") for text in group.iter(f"{SVG}text")]


def _read(svg):
    root = ET.fromstring(svg)
    graph = root.find(f"{SVG}g")
    found = SimpleNamespace(root=root, title=_texts_of_own(graph), nodes={}, edges=[], groups={})
    for group in graph.findall(f"{SVG}g"):
        name = group.find(f"{SVG}title").text
        if group.get("class") == "node":
            found.nodes[name] = _texts(group)
            found.groups[name] = group
        else:
            shape = group.find(f"{SVG}path")
            line = None if shape is None else dict(shape.attrib)
            tail, head = name.split("->")
            found.edges.append(
                SimpleNamespace(tail=tail, head=head, texts=_texts(group), line=line)
            )
            found.groups[name, len(found.edges)] = group
    found.nodes = {name: found.nodes[name] for name in sorted(found.nodes, key=_number)}
    return found


def _number(name):
    return int(name[1:]) if name[1:].isdigit() else 0


def _texts_of_own(graph):
    return [text.text.replace("\xa0", " ") for text in graph.findall(f"{SVG}text")]


@pytest.fixture(scope="session")
def read():
    """The picture as an SVG reader sees it."""
    return lambda picture: _read(picture.pipe(format="svg"))


@pytest.fixture(scope="session")
def card():
    """A node of `viz.draw` from its texts: name, operation, data, gradient."""

    def card(texts):
        place = len(texts) - 4
        assert texts[place] == "data", texts
        assert texts[place + 2] == "grad", texts
        name, *operation = texts[:place]
        return SimpleNamespace(
            name=name, op="".join(operation), data=texts[place + 1], grad=texts[place + 3]
        )

    return card


@pytest.fixture(scope="session")
def graphviz_pure():
    """The program that pip installed."""
    return _from_pip()


@pytest.fixture
def fake_dot(tmp_path, monkeypatch):
    """Put a script named ``dot`` on an otherwise empty PATH."""
    folder = tmp_path / "bin"

    def install(script):
        folder.mkdir()
        program = folder / "dot"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))
        return program

    return install


@pytest.fixture
def no_path(monkeypatch, tmp_path):
    """No program on the PATH."""
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))


@pytest.fixture
def no_graphviz(no_path, monkeypatch):
    """No Graphviz at all."""
    monkeypatch.setattr("viz.layout._from_pip", lambda: None)


def numbers(text):
    return [float(each) for each in re.findall(r"-?[\d.]+(?:e-?\d+)?", text)]


@pytest.fixture(scope="session")
def box_of():
    """The box around a group's shapes: left, bottom, right, top."""

    def box_of(group):
        xs, ys = [], []
        for polygon in group.iter(f"{SVG}polygon"):
            points = numbers(polygon.get("points"))
            xs += points[::2]
            ys += points[1::2]
        for circle in group.iter(f"{SVG}ellipse"):
            x, y, r = (float(circle.get(key)) for key in ("cx", "cy", "rx"))
            xs += [x - r, x + r]
            ys += [y - r, y + r]
        return min(xs), min(ys), max(xs), max(ys)

    return box_of


@pytest.fixture
def listing(tmp_path):
    """The names of all files in the folder, hidden ones too."""
    return lambda folder=tmp_path: sorted(each.name for each in Path(folder).iterdir())


# ---- a browser


def missing(what):
    """Skip, and say why; but CI has all that a test needs, so there it is a failure."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def browser():
    """Chromium, without a window and without the network; one for the whole session."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("no playwright: pip install '.[browser]'")
    program = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if program is None:
        missing("no Chromium on the PATH")
    quiet = ("background-networking", "component-update", "sync", "gpu")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", *(f"--disable-{each}" for each in quiet)]
        )
        yield started
        started.close()


@pytest.fixture(scope="session")
def axe():
    """The accessibility checker's source, as npm installs it beside the environment."""
    file = Path(sys.prefix, "node_modules", "axe-core", "axe.min.js")
    if not file.is_file():
        missing(f"no axe-core: npm install --prefix {Path(sys.prefix).name} axe-core")
    return file.read_text(encoding="utf-8")
