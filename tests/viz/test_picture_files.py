"""`viz.save` and `Picture.render`: whole files or none, and never over another unasked."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import graphviz
import pytest

import viz
from tinygrad_bp import DrawingError, Value


@pytest.fixture
def picture():
    return viz.draw(Value(1.0, "x") + 2)


STARTS = {".svg": b"<?xml", ".png": b"\x89PNG", ".dot": b"digraph {"}


@pytest.mark.parametrize("suffix", STARTS)
def test_the_suffix_says_the_format(picture, tmp_path, listing, suffix):
    viz.save(picture, tmp_path / f"a{suffix}")
    viz.save(picture, str(tmp_path / f"b{suffix.upper()}"))
    assert (tmp_path / f"a{suffix}").read_bytes().startswith(STARTS[suffix])
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix.upper()}").read_bytes()
    assert len(listing()) == 2


def test_pdf_where_there_is_a_graphviz_that_can(picture, tmp_path, fake_dot):
    fake_dot("echo '%PDF-1.7'")
    viz.save(picture, tmp_path / "a.pdf")
    assert (tmp_path / "a.pdf").read_bytes() == b"%PDF-1.7\n"


def test_dot_needs_no_graphviz(picture, tmp_path, no_graphviz):
    viz.save(picture, tmp_path / "a.dot")
    assert (tmp_path / "a.dot").read_text(encoding="utf-8") == picture.source


@pytest.mark.parametrize("name", ["a.bmp", "a", "a.svgz", ".svg", "a.dot.txt", ""])
def test_another_suffix_is_refused_with_the_list(picture, tmp_path, listing, name):
    with pytest.raises(DrawingError, match=r"use one of \.svg \.png \.pdf \.dot .* \.tex$"):
        viz.save(picture, tmp_path / name)
    assert listing() == []


def test_an_existing_file_is_kept(picture, tmp_path, listing):
    file = tmp_path / "a.svg"
    file.write_text("mine")
    with pytest.raises(FileExistsError, match=r"a\.svg' exists already"):
        viz.save(picture, file)
    assert file.read_text() == "mine"
    viz.save(picture, file, overwrite=True)
    assert file.read_text().startswith("<?xml")
    assert listing() == ["a.svg"]


def test_a_dangling_link_is_kept(picture, tmp_path):
    (tmp_path / "a.svg").symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileExistsError):
        viz.save(picture, tmp_path / "a.svg")
    assert (tmp_path / "a.svg").is_symlink()


def test_a_file_that_appears_meanwhile_is_kept(picture, tmp_path, listing, monkeypatch):
    file = tmp_path / "a.svg"

    def slow(*args, **kwargs):
        file.write_text("another's")
        return b"<svg/>"

    monkeypatch.setattr(viz.Picture, "pipe", slow)
    with pytest.raises(FileExistsError, match="exists already"):
        viz.save(picture, file)
    assert file.read_text() == "another's"
    assert listing() == ["a.svg"]


def test_a_missing_folder_is_named_before_any_work(picture, tmp_path, monkeypatch):
    monkeypatch.setattr(viz.Picture, "pipe", lambda *args, **kwargs: pytest.fail("drawn"))
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*missing'"):
        viz.save(picture, tmp_path / "missing" / "a.svg")


def test_nothing_is_left_where_the_layout_fails(picture, tmp_path, listing, no_graphviz):
    with pytest.raises(DrawingError):
        viz.save(picture, tmp_path / "a.svg")
    assert listing() == []


@pytest.mark.parametrize(("call", "overwrite"), [("link", False), ("replace", True)])
def test_nothing_is_left_where_writing_fails(
    picture, tmp_path, listing, monkeypatch, call, overwrite
):
    def fail(*args, **kwargs):
        assert len(listing()) == 1  # the temporary file lies beside the name it is to have
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OSError, match="No space left"):
        viz.save(picture, tmp_path / "a.svg", overwrite=overwrite)
    assert listing() == []


def test_an_old_file_survives_a_failure(picture, tmp_path, listing, no_graphviz):
    (tmp_path / "a.svg").write_text("mine")
    with pytest.raises(DrawingError):
        viz.save(picture, tmp_path / "a.svg", overwrite=True)
    assert (tmp_path / "a.svg").read_text() == "mine"
    assert listing() == ["a.svg"]


def test_permissions_are_those_of_any_new_file(picture, tmp_path):
    viz.save(picture, tmp_path / "a.svg")
    (tmp_path / "plain").write_text("")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a.svg", "plain")}
    assert len(modes) == 1


@pytest.mark.parametrize("name", ["-o.svg", "--help.svg", "-Tpng.svg", "; rm x.svg", "é\n.svg"])
def test_a_name_is_only_a_name(picture, tmp_path, monkeypatch, listing, name):
    monkeypatch.chdir(tmp_path)
    viz.save(picture, name)
    assert listing() == [name]
    assert (tmp_path / name).read_bytes().startswith(b"<?xml")


def test_a_name_that_climbs_leads_where_it_says(picture, tmp_path, monkeypatch, listing):
    inner = tmp_path / "inner"
    inner.mkdir()
    monkeypatch.chdir(inner)
    viz.save(picture, "../a..b.svg")
    assert listing() == ["a..b.svg", "inner"]
    assert listing(inner) == []


def test_any_digraph_can_be_saved(tmp_path):
    graph = graphviz.Digraph()
    graph.edge("a", "b")
    viz.save(graph, tmp_path / "a.dot")
    assert (tmp_path / "a.dot").read_text() == graph.source


def test_check_output_says_beforehand_what_save_would_say(tmp_path):
    viz.check_output(tmp_path / "a.svg")
    (tmp_path / "a.svg").write_text("mine")
    with pytest.raises(FileExistsError):
        viz.check_output(tmp_path / "a.svg")
    viz.check_output(tmp_path / "a.svg", overwrite=True)
    with pytest.raises(DrawingError):
        viz.check_output(tmp_path / "a.bmp")
    with pytest.raises(FileNotFoundError):
        viz.check_output(tmp_path / "b" / "a.svg")


def test_what_is_no_picture_is_refused_and_the_way_out_named(tmp_path):
    file = tmp_path / "e.svg"
    with pytest.raises(
        DrawingError, match=r"not Value Value\(data=4.0.*: viz\.save\(viz\.draw\(e\)"
    ):
        viz.save(Value(2.0) * 2.0, file)
    assert not file.exists()


# ---- the wrapper's own interface


def test_a_picture_is_a_digraph_of_the_wrapper(picture):
    assert isinstance(picture, graphviz.Digraph)
    assert str(picture) == picture.source


def test_pipe_gives_bytes_or_text(picture, no_path):
    assert picture.pipe() == picture.pipe("svg")
    assert picture.pipe(encoding="utf-8") == picture.pipe().decode()
    assert picture.pipe(engine="neato") != picture.pipe()
    with pytest.raises(DrawingError, match="cannot write SVG:CAIRO"):
        picture.pipe("svg", renderer="cairo")


def test_render_writes_source_and_picture(picture, tmp_path, listing, no_path):
    result = picture.render("a.gv", directory=tmp_path)
    assert result == str(tmp_path / "a.gv.svg")
    assert (tmp_path / "a.gv").read_text() == picture.source
    assert Path(result).read_bytes() == picture.pipe()
    picture.render("a.gv", directory=tmp_path)  # as in the wrapper, over what is there
    assert listing() == ["a.gv", "a.gv.svg"]


def test_render_to_a_file_of_any_name(picture, tmp_path, listing, no_path):
    result = picture.render(outfile=tmp_path / "b.png", cleanup=True)
    assert result == str(tmp_path / "b.png")
    assert Path(result).read_bytes().startswith(b"\x89PNG")
    assert listing() == ["b.png"]


def test_render_does_not_write_over_a_result_where_asked_not_to(picture, tmp_path, no_path):
    (tmp_path / "b.svg").write_text("mine")
    with pytest.raises(FileExistsError):
        picture.render(outfile=tmp_path / "b.svg", raise_if_result_exists=True)
    assert (tmp_path / "b.svg").read_text() == "mine"


def test_render_writes_nothing_where_it_cannot_draw(picture, tmp_path, listing, no_graphviz):
    with pytest.raises(DrawingError):
        picture.render("a.gv", directory=tmp_path)
    assert listing() == []


def test_render_opens_a_viewer_only_when_asked(picture, tmp_path, monkeypatch, no_path):
    opened = []
    monkeypatch.setattr(graphviz, "view", lambda file, quiet=False: opened.append((file, quiet)))
    picture.render("a.gv", directory=tmp_path)
    assert opened == []
    picture.render("a.gv", directory=tmp_path, view=True)
    picture.view("a.gv", directory=tmp_path, quiet_view=True)
    assert opened == [(tmp_path / "a.gv.svg", False), (tmp_path / "a.gv.svg", True)]


def test_a_copy_draws_too(picture, no_path):
    assert picture.copy().pipe() == picture.pipe()


def test_a_png_has_enough_pixels_for_todays_screens(picture):
    width = int.from_bytes(picture.pipe("png")[16:20], "big")
    points = float(picture.pipe(encoding="utf-8").partition('width="')[2].partition("pt")[0])
    assert width / points == pytest.approx(2, rel=0.05)
