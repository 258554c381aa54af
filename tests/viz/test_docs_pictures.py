"""The pictures of the documentation are those that the renderers draw."""

from __future__ import annotations

import io
import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def load_build():
    spec = spec_from_file_location("build", DOCS / "build.py")
    build = module_from_spec(spec)
    sys.path.insert(0, str(DOCS))  # as when it is run: it may have neighbours
    try:
        spec.loader.exec_module(build)
    finally:
        sys.path.remove(str(DOCS))
    return build


PICTURES = load_build().pictures()


@pytest.mark.parametrize("name", [name for name in PICTURES if name.endswith(".svg")])
def test_a_picture_is_what_is_drawn_now(name, no_path):
    """Drawn with the Graphviz that comes with pip, which is the same everywhere."""
    svg = (DOCS / "pictures" / name).read_text(encoding="utf-8")
    drawn = PICTURES[name]().content(".svg")
    drawn = drawn if isinstance(drawn, str) else drawn.decode()
    assert texts(svg) == texts(drawn), "run python docs/build.py"


def texts(svg):
    """What is said and shown, but for the last digits of places, which a new release may move."""
    found = re.findall(r">([^<>]*)</text>|stroke=\"([^\"]*)\"|stroke-width=\"([^\"]*)\"", svg)
    return [each for each in found if any(each)]


def test_the_moving_picture_is_small_enough_for_a_readme():
    image = pytest.importorskip("PIL.Image")
    content = (DOCS / "pictures" / "steps.gif").read_bytes()
    assert len(content) < 400_000
    film = PICTURES["steps.gif"]()
    assert image.open(io.BytesIO(content)).n_frames == len(film)


def test_every_picture_is_shown_on_its_page():
    page = (DOCS / "pictures.md").read_text(encoding="utf-8")
    linked = set(re.findall(r"\(pictures/([^)]*)\)", page))
    assert linked | {"steps.gif"} == set(PICTURES)
    assert set(PICTURES) <= {each.name for each in (DOCS / "pictures").iterdir()}
