"""Which Graphviz draws, how long it may take, and what is said where it cannot."""

from __future__ import annotations

import shlex
import time
from importlib import metadata

import pytest

import viz
from tinygrad_bp import DrawingError, Value
from viz import layout


@pytest.fixture
def picture():
    return viz.draw(Value(1.0, "x") + 2)


def test_pip_alone_draws(picture, no_path):
    assert b"</svg>" in picture.pipe(format="svg")
    assert picture.pipe(format="png").startswith(b"\x89PNG")


def test_the_systems_dot_comes_first(picture, fake_dot, graphviz_pure, tmp_path):
    log = tmp_path / "log"
    fake_dot(f'echo "$@" > {shlex.quote(str(log))}; exec {shlex.quote(graphviz_pure)} "$@"')
    assert b"</svg>" in picture.pipe(format="svg")
    assert log.read_text() == "-Kdot -Tsvg\n"  # and no file name is passed to it


def test_graphviz_pure_on_the_path_draws_where_its_distribution_is_unknown(
    picture, graphviz_pure, monkeypatch, tmp_path
):
    (tmp_path / "graphviz-pure").symlink_to(graphviz_pure)
    monkeypatch.setenv("PATH", str(tmp_path))

    def unknown(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "files", unknown)
    assert [str(program) for program in layout.programs()] == [str(tmp_path / "graphviz-pure")]
    assert b"</svg>" in picture.pipe(format="svg")


@pytest.mark.parametrize(
    "script",
    ["exit 1", "echo broken >&2; exit 3", "kill -SEGV $$", "exit 0"],
    ids=["fails", "complains", "crashes", "writes nothing"],
)
def test_a_broken_system_dot_does_not_lose_the_picture(picture, fake_dot, script):
    fake_dot(script)
    assert b"</svg>" in picture.pipe(format="svg")


def test_a_dot_that_is_no_program_does_not_lose_the_picture(picture, fake_dot):
    fake_dot("").write_bytes(b"\x7fELF nothing")
    assert b"</svg>" in picture.pipe(format="svg")


def test_warnings_of_dot_are_not_errors(picture, fake_dot, capfd):
    fake_dot("echo 'Warning: no fonts' >&2; echo '<svg/>'")
    assert picture.pipe(format="svg") == b"<svg/>\n"
    assert capfd.readouterr() == ("", "")


def test_a_layout_that_takes_too_long_is_stopped(picture, fake_dot):
    fake_dot("exec /bin/sleep 60")
    picture.time_limit = 0.2
    start = time.perf_counter()
    with pytest.raises(DrawingError, match=r"dot did not finish within 0\.2 s: draw fewer nodes"):
        picture.pipe(format="svg")
    assert time.perf_counter() - start < 5


def test_there_is_a_time_limit_unless_another_is_set(picture):
    assert picture.time_limit == 30


def test_pdf_without_graphviz_itself_says_what_to_install(picture, no_path):
    with pytest.raises(DrawingError) as error:
        picture.pipe(format="pdf")
    message = str(error.value)
    assert "graphviz-pure cannot write PDF" in message
    assert "install Graphviz" in message
    assert "\n" not in message


def test_pdf_comes_from_the_systems_dot(picture, fake_dot):
    fake_dot("echo '%PDF-1.7'")
    assert picture.pipe(format="pdf") == b"%PDF-1.7\n"


def test_without_any_graphviz_the_error_says_what_to_install(picture, no_graphviz):
    with pytest.raises(DrawingError, match="no Graphviz found: pip install graphviz-pure"):
        picture.pipe(format="svg")


def test_where_all_fail_the_first_ones_complaint_is_shown(picture, fake_dot):
    fake_dot("echo 'Warning: a' >&2; echo 'Error: out of ink' >&2; exit 3")
    with pytest.raises(DrawingError, match=r"dot failed with exit code 3: Error: out of ink$"):
        picture.pipe(format="pdf")


def test_a_wrong_source_is_one_clear_line():
    with pytest.raises(DrawingError, match=r"syntax error in line 1") as error:
        layout.layout("digraph {", "svg")
    assert "\n" not in str(error.value)
