"""Labels are data in every format: what they hold is shown, and never read, run or fetched.

Every writer is a line of `WRITERS`: what it writes for a label, and the reader of its format, which
refuses what we never write.  A new format joins by a line of its own.
"""

from __future__ import annotations

import html
import json
import unicodedata
from functools import cache
from typing import TYPE_CHECKING, NamedTuple
from xml.etree import ElementTree as ET

import pytest
import sympy
from depth import depth
from hostile import LABELS
from hypothesis import given, settings
from hypothesis import strategies as st
from readers import (
    read_dot,
    read_html,
    read_image,
    read_json,
    read_mermaid_texts,
    read_terminal,
    read_tex,
    read_tex_words,
    read_xml,
    spelled,
)

import viz
from tinygrad_bp import Network, Value, fsum, primitive, repl, tanh
from tinygrad_bp.cli import main
from tinygrad_bp.derivation import derivation, forward
from tinygrad_bp.escaping import for_html, for_latex
from tinygrad_bp.formula import Words
from tinygrad_bp.graph import names, topological_order
from tinygrad_bp.paths import flow
from tinygrad_bp.report import (
    Facts,
    Listing,
    Prose,
    html_page,
    latex_document,
    to_html,
    to_latex,
    to_text,
)
from tinygrad_bp.samples import Dataset, Sample
from tinygrad_bp.stepper import show_steps
from tinygrad_bp.steps import naive, steps
from tinygrad_bp.training import Trainer
from viz.labels import shown

if TYPE_CHECKING:
    from collections.abc import Callable

# ---- what has a label


def graph(label):
    """A leaf, an inner node, an operation and the result, all of one name."""
    leaf = Value(2.0, label)
    inner = primitive(label, "2.0 * x", ("2.0",), symbol=label)(leaf)
    e = inner * leaf
    inner.label = e.label = label
    e.backward()
    return e


def product(label):
    """As few steps as there can be."""
    e = Value(2.0, label) * 3.0
    e.label = label
    return e


def leaf_of(e):
    return topological_order(e)[0]


def leaf(label):
    return Value(2.0, label)


def leaves(labels):
    return fsum([leaf(label) for label in labels])


def run(label):
    """A network whose activation gives its nodes a name."""

    def activation(z):
        o = tanh(z)
        o.label = label
        return o

    net = Network([[[0.5]], [[0.25]]], [[0.1], [0.2]], activation)
    return net.forward([1.0], [0.5])


def derivations(label):
    """Derivations by landmarks, and path by path."""
    e = graph(label)
    w, inner, _ = topological_order(e)
    return [derivation(e, w, landmarks=[inner], eta=0.1), derivation(e, w, eta=0.1)]


def symbols(label):
    """A graph of symbols, one of which has the name."""
    x = Value(sympy.Symbol(label), "x")
    return x * x * 3


def blocks(label):
    """The forward pass with its numbers, and a name wherever words may stand."""
    e = graph(label)
    words = [Listing((label,)), Prose((label, Words(label))), Facts(((label, (label,)),))]
    return [forward(names(topological_order(e))), *words]


def learned(label):
    """What learns from a table whose column and classes have a name."""
    rows = (Sample((1.0,), (1.0, 0.0)), Sample((2.0,), (0.0, 1.0)))
    trainer = Trainer(Dataset((label,), (label, label + "2"), True, rows), hidden=())
    for _ in trainer.learn(1):
        pass
    return trainer


# ---- the writers


def start(label):
    """How every text that shows the label begins."""
    return shown(label, 40).removesuffix("…")


def start_of_symbol(label):
    """A number is on one line, whatever breaks it, and may be shortened in an expression."""
    return start(" ".join(label.split()) or label)[:24]


def start_in_tex(label):
    return spelled(unicodedata.normalize("NFC", start(label)))


class Writer(NamedTuple):
    """What is written for a label, and how to read it.

    Attributes:
        write: gives the content of a file, or what a terminal is given.
        read: gives its texts.
        wanted: what of the label is among them.
        suffix: of the file, where a browser opens it.
    """

    write: Callable[[str], str]
    read: Callable[[str], list[str]]
    wanted: Callable[[str], str] = start
    suffix: str = ""


def told(label):
    """What the terminal tells of a graph."""
    e = graph(label)
    record = steps(e, eta=0.1)
    told = [record.to_text(), naive(e).explain(), *(step.reason() for step in record), repr(e)]
    told += map(str, (repl.tree(e), repl.steps(e), repl.order(e), repl.check(e)))
    told += map(str, (repl.why(e, leaf_of(e)), repl.terms(e, leaf_of(e))))
    return "\n".join(told)


WRITERS = {
    "dot": Writer(lambda label: viz.draw(graph(label)).content(".dot"), read_dot),
    "dot, a flow": Writer(
        lambda label: viz.draw(e := graph(label), highlight=flow(e, leaf_of(e))).content(".dot"),
        read_dot,
    ),
    "dot, folded": Writer(
        lambda label: viz.draw(e := graph(label), fold={label: leaf_of(e)}).content(".dot"),
        read_dot,
    ),
    "svg": Writer(lambda label: viz.draw(graph(label)).content(".svg"), read_xml, suffix=".svg"),
    "svg, a network": Writer(
        lambda label: viz.draw((made := run(label)).e, fold=made).content(".svg"), read_xml
    ),
    "moving svg": Writer(
        lambda label: viz.frames(product(label)).content(".svg"), read_xml, suffix=".svg"
    ),
    "html": Writer(
        lambda label: viz.draw(graph(label)).content(".html"), read_html, suffix=".html"
    ),
    "moving html": Writer(
        lambda label: viz.frames(leaf(label)).content(".html"), read_html, suffix=".html"
    ),
    "explorer": Writer(lambda label: viz.explore(graph(label), title=label).html, read_html),
    "explorer, a network": Writer(lambda label: viz.explore(run(label)).html, read_html),
    "mermaid": Writer(lambda label: viz.draw(graph(label)).content(".mmd"), read_mermaid_texts),
    "tikz": Writer(lambda label: viz.draw(graph(label)).content(".tex"), read_tex, start_in_tex),
    "json": Writer(lambda label: viz.draw(graph(label)).content(".json"), read_json, str),
    "json, steps": Writer(lambda label: json.dumps(steps(graph(label)).to_dict()), read_json, str),
    "json, learned": Writer(lambda label: json.dumps(learned(label).to_dict()), read_json, str),
    "json, a derivation": Writer(
        lambda label: json.dumps([each.to_dict() for each in derivations(label)]), read_json
    ),
    "mathml": Writer(
        lambda label: "".join(
            ["<div>", *(each.to_html() for each in derivations(label)), "</div>"]
        ),
        read_xml,
    ),
    "mathml, blocks": Writer(lambda label: to_html(blocks(label)), read_xml),
    "html, a derivation": Writer(
        lambda label: html_page(label, [each.to_html() for each in derivations(label)]),
        read_html,
        suffix=".html",
    ),
    "latex": Writer(
        lambda label: latex_document([each.to_latex() for each in derivations(label)]),
        read_tex,
        start_in_tex,
    ),
    "latex, blocks": Writer(
        lambda label: latex_document([to_latex(blocks(label))]), read_tex, start_in_tex
    ),
    "text, a derivation": Writer(
        lambda label: "\n".join(each.to_text() for each in derivations(label)), read_terminal
    ),
    "text, blocks": Writer(lambda label: to_text(blocks(label)), read_terminal),
    "text, steps": Writer(told, read_terminal),
    "text, a network": Writer(lambda label: str(repl.order(run(label))), read_terminal),
    "text, symbols": Writer(
        lambda label: f"{steps(e := symbols(label)).to_text()}\n{repl.tree(e)}\n{e!r}",
        read_terminal,
        start_of_symbol,
    ),
    "mermaid, symbols": Writer(
        lambda label: viz.draw(symbols(label)).content(".mmd"), read_mermaid_texts, start_of_symbol
    ),
    "mathml, symbols": Writer(
        lambda label: derivation(e := symbols(label), leaf_of(e)).to_html(),
        read_xml,
        start_of_symbol,
    ),
    "latex, symbols": Writer(
        lambda label: latex_document([derivation(e := symbols(label), leaf_of(e)).to_latex()]),
        read_tex,
        lambda label: "" if label.isidentifier() else start_in_tex(start_of_symbol(label)),
    ),
    "text, learned": Writer(
        lambda label: f"{(trainer := learned(label)).about()}\n{trainer.report()}", read_terminal
    ),
}


@cache
def written(name, label):
    """What a writer writes; the browser opens the same."""
    content = WRITERS[name].write(label)
    return content if isinstance(content, str) else content.decode()


def squeezed(text):
    """Without spaces, which formats write in several ways."""
    return "".join(text.split())


@pytest.mark.parametrize("name", WRITERS)
def test_a_label_is_shown_and_nothing_more(name):
    writer = WRITERS[name]
    for label in LABELS:
        try:
            text = "".join(writer.read(written(name, label)))
            assert squeezed(writer.wanted(label)) in squeezed(text)
        except Exception as error:
            error.add_note(f"the label is {label!a}")
            raise


@pytest.mark.parametrize("suffix", [".png", ".gif"])
def test_an_image_shows_labels_as_their_visible_text(suffix):
    def image(labels):
        picture = viz.draw(leaves(labels))
        picture.dpi = 36
        return picture.content(suffix)

    for start in range(0, len(LABELS), 25):
        labels = LABELS[start : start + 25]
        read_image(image(labels))
        assert image(labels) == image([shown(label) for label in labels])


def test_a_moving_image_is_whole_whatever_the_label():
    for label in LABELS:
        read_image(viz.frames(leaf(label)).content(".gif"))


def test_text_in_ascii_is_ascii():
    assert [
        label
        for label in LABELS
        for each in derivations(label)
        if not each.to_text(ascii=True).isascii()
    ] == []


def test_a_long_label_makes_no_wide_film():
    wide, short = (viz.frames(leaf("x" * size))[0].source for size in (10**6, 300))
    assert len(wide) == len(short)


# ---- the terminal


def test_the_stepper_prints_nothing_unseen(capsys):
    for label in LABELS:
        show_steps(steps(graph(label)))
    assert read_terminal(capsys.readouterr().out)


FILES = [
    label for label in LABELS if "/" not in label and "\0" not in label and len(label.encode("utf-8", "replace")) < 200
]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "read"),
    [
        ([], read_terminal),
        (["--html"], read_html),
        (["--latex"], lambda text: text.encode("ascii") and read_tex(text)),
        (["--json"], read_json),
    ],
    ids=["text", "html", "latex", "json"],
)
def test_a_file_of_any_name_is_explained(arguments, read, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    net = Network([[[0.5]]], [[0.1]], "tanh")
    for label in FILES:
        file = f"./{label}.json"
        try:
            net.save(file)
        except (UnicodeEncodeError, OSError):  # no name for a file on this system
            continue
        given = [file, "--input", "1", "--target", "0", "--weight", "1,1,1"]
        assert main(["explain", *given, *arguments]) == 0
        read(capsys.readouterr().out)
        if not arguments:
            assert main(["draw", *given, "-o", f"./{label}.mmd"]) == 0
            wrote = read_terminal(capsys.readouterr().out)
            assert squeezed(start(label)) in squeezed("".join(wrote))
            begun = repl.network_session(file, [1.0], [0.0]).lines
            read_terminal("\n".join(begun))


# ---- a browser


@pytest.fixture(scope="module")
def page(browser):
    """A page that tells what it asked for, and what went wrong in it: scripts, dialogs, the console."""
    page = browser.new_page()
    page.asked, page.said = set(), []
    page.on("request", lambda request: page.asked.add(request.url))
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("dialog", lambda dialog: page.said.append(dialog.message) or dialog.dismiss())
    yield page
    page.close()


@pytest.mark.parametrize("name", [name for name, writer in WRITERS.items() if writer.suffix])
def test_nothing_runs_in_a_browser(page, tmp_path, name):
    files = {
        tmp_path / f"{place}{WRITERS[name].suffix}": label for place, label in enumerate(LABELS)
    }
    for file, label in files.items():
        file.write_text(written(name, label), encoding="utf-8")
    everything = tmp_path / "everything.html"
    everything.write_text("".join(f'<iframe hidden src="{file.name}"></iframe>' for file in files))
    page.asked.clear()
    page.goto(everything.as_uri())
    assert page.asked == {file.as_uri() for file in (everything, *files)}
    shows = {
        each.url: each.evaluate("document.documentElement.textContent") for each in page.frames
    }
    for file, label in files.items():
        assert squeezed(start(label)) in squeezed(shows[file.as_uri()]), ascii(label)
    assert page.said == []


@pytest.mark.parametrize("place", range(0, len(LABELS), 60))
def test_nothing_runs_in_the_explorer(page, tmp_path, place):
    labels = LABELS[place : place + 60]
    operations = [
        primitive(label, "2.0 * x", ("2.0",), symbol=label, domain="x < 3.0") for label in labels
    ]
    e = fsum([f(leaf(label)) for f, label in zip(operations, labels, strict=True)])
    e.label = labels[0]
    file = tmp_path / "explorer.html"
    viz.explore(e, file, title=labels[0])
    page.asked.clear()
    page.goto(file.as_uri())
    for view in ("graph", "why"):
        page.click(f"#tab-{view}")
        text = squeezed(page.evaluate("document.body.innerText"))
        text += squeezed(page.evaluate("document.querySelector('#picture').textContent"))
        assert [label for label in labels if squeezed(start(label)) not in text] == []
        assert (
            page.locator("body :is(img, b, a, iframe, object, embed, link, base, meta)").count()
            == 0
        )
    page.fill("#leaf-list input[type=text] >> nth=0", "4")
    refused = page.inner_text("#refused")
    assert "needs" in refused
    assert squeezed(start(labels[0])) in squeezed(refused.rpartition(": ")[2])
    read_terminal(refused + page.evaluate("document.documentElement.textContent"))
    assert page.asked == {file.as_uri()}
    assert page.said == []


# ---- the two that make text safe


@settings(max_examples=depth(300, by_default=50))
@given(st.text(st.characters(codec=None), max_size=40))
def test_any_text_is_read_back_from_latex(text):
    written = for_latex(text)
    assert written.isascii()
    wanted = unicodedata.normalize("NFC", shown(text, 48))
    assert spelled(read_tex_words(written)) == spelled(wanted)


@settings(max_examples=depth(300, by_default=50))
@given(st.text(st.characters(codec=None), max_size=40))
def test_any_text_is_read_back_from_html_and_xml(text):
    written = for_html(text)
    element = ET.fromstring(f'<b title="{written}">{written}</b>')
    assert (element.text or "") == element.get("title") == html.unescape(written) == shown(text, 48)
