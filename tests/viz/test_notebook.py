"""Values and pictures in notebooks: a picture with text beside it, and never an exception."""

from __future__ import annotations

import time

import pytest

import viz
from tinygrad_bp import Network, Value, fsum, path_sum
from viz.notebook import MAX_NODES

TEXT, SVG = "text/plain", "image/svg+xml"


def small():
    return Value(1.0, "x") + 2


def test_a_value_shows_itself_as_a_picture_and_as_text(no_path):
    shown = small()._repr_mimebundle_()
    assert shown[TEXT] == repr(small())
    assert shown[SVG] == viz.draw(small()).pipe(encoding="utf-8")


def test_a_large_graph_shows_itself_as_text():
    at_most = fsum(Value(1.0) for _ in range(MAX_NODES - 1))
    assert SVG in at_most._repr_mimebundle_()
    too_many = fsum(Value(1.0) for _ in range(MAX_NODES))
    assert too_many._repr_mimebundle_() == {TEXT: repr(too_many)}


def test_a_huge_graph_is_not_walked(monkeypatch):
    e = Value(1.0)
    for _ in range(1000):
        e = e + 1
    walked = []
    parents = Value.parents.fget
    monkeypatch.setattr(Value, "parents", property(lambda v: walked.append(v) or parents(v)))
    assert list(e._repr_mimebundle_()) == [TEXT]
    assert len(walked) <= MAX_NODES + 1


def test_what_cannot_be_drawn_is_text(no_graphviz):
    assert small()._repr_mimebundle_() == {TEXT: repr(small())}


def test_a_hanging_graphviz_does_not_hang_the_notebook(fake_dot, monkeypatch):
    monkeypatch.setattr("viz.notebook.TIME_LIMIT", 0.2)
    fake_dot("exec /bin/sleep 10")
    start = time.perf_counter()
    assert list(small()._repr_mimebundle_()) == [TEXT]
    assert time.perf_counter() - start < 5


def test_whatever_goes_wrong_the_text_is_there(monkeypatch):
    def broken(value):
        raise ZeroDivisionError

    monkeypatch.setattr("viz.notebook.draw", broken)
    assert list(small()._repr_mimebundle_()) == [TEXT]


def test_only_what_is_asked_for_is_made():
    assert list(small()._repr_mimebundle_(include=[TEXT])) == [TEXT]
    assert list(small()._repr_mimebundle_(exclude=[SVG])) == [TEXT]
    assert list(small()._repr_mimebundle_(include=[SVG])) == [SVG]


def test_a_picture_shows_itself_without_graphviz_on_the_system(no_path):
    picture = viz.draw(small())
    assert picture._repr_mimebundle_() == {SVG: picture.pipe(encoding="utf-8")}
    assert picture._repr_image_svg_xml() == picture.pipe(encoding="utf-8")


@pytest.fixture
def shell():
    module = pytest.importorskip("IPython.core.interactiveshell")
    shell = module.InteractiveShell.instance()
    yield shell
    module.InteractiveShell.clear_instance()


def test_ipython_shows_both(shell):
    shown, _ = shell.display_formatter.format(small())
    assert set(shown) == {TEXT, SVG}
    shown, _ = shell.display_formatter.format(viz.draw(small()))
    assert set(shown) == {TEXT, SVG}


def test_in_a_terminal_nothing_is_drawn(shell, monkeypatch):
    monkeypatch.setattr("viz.notebook.draw", lambda value: pytest.fail("drawn"))
    shell.display_formatter.active_types = [TEXT]
    shown, _ = shell.display_formatter.format(small())
    assert set(shown) == {TEXT}


# ---- runs


def run_of(*sizes, target=True):
    net = Network.random(sizes, "tanh", seed=3)
    return net.forward([0.5] * sizes[0], [0.1] * sizes[-1] if target else None)


def test_a_run_shows_the_paths_of_the_weight_that_moves_its_error_most():
    run = run_of(2, 3, 2)
    shown = run._repr_mimebundle_()
    assert shown[TEXT] == repr(run)
    places = [(1, j, k) for j in (1, 2, 3) for k in (1, 2)]
    sizes = [abs(path_sum(run.e, run.network.w(*place)).total) for place in places]
    place = places[sizes.index(max(sizes))]
    assert shown[SVG] == viz.network(run, weight=place).pipe(encoding="utf-8")
    assert run.network.w(*place).grad == 0


def test_a_large_run_and_one_without_error_show_themselves_as_text():
    for run in (run_of(2, 9, 2), run_of(*[2] * 10), run_of(2, 2, target=False)):
        assert run._repr_mimebundle_() == {TEXT: repr(run)}


def test_a_run_of_symbols_or_without_graphviz_is_text(no_graphviz):
    sympy = pytest.importorskip("sympy")
    net = Network([[[sympy.Symbol("w")]]], [[0]], "identity")
    for run in (net.forward([1], [2]), run_of(2, 2)):
        assert run._repr_mimebundle_() == {TEXT: repr(run)}


def test_ipython_shows_a_run_and_a_film(shell):
    shown, _ = shell.display_formatter.format(run_of(2, 2))
    assert set(shown) == {TEXT, SVG}
    shown, _ = shell.display_formatter.format(viz.frames(small()))
    assert set(shown) == {TEXT, SVG}
