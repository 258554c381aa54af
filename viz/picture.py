"""`Picture`: a Graphviz graph that draws itself with whatever Graphviz there is, and `save`.

This module knows DOT, formats and files; it knows nothing of Values.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import graphviz

from tinygrad_bp.errors import DrawingError
from tinygrad_bp.explain.escaping import for_html
from tinygrad_bp.files import check_free, write_atomically
from tinygrad_bp.quoting import quoted
from viz.labels import LINE
from viz.layout import TIME_LIMIT, Places, layout, places
from viz.mermaid import mermaid
from viz.style import DARK, LIGHT, adapt
from viz.tikz import tikz

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from viz.sketch import Sketch

    class Content(Protocol):
        """What can be saved: something that has a content for each suffix."""

        def content(self, suffix: str) -> str | bytes:
            """What a file of this suffix holds."""
            ...


SUFFIXES = (".svg", ".png", ".pdf", ".dot", ".html", ".gif", ".json", ".mmd", ".tex")
"""What `save` can write."""

WITHOUT_LAYOUT = (".dot", ".json", ".mmd")
"""What it writes without asking Graphviz, so that no size is too large for it."""


class Picture(graphviz.Digraph):  # type: ignore[misc] # the wrapper has no types
    """A `graphviz.Digraph` that needs no Graphviz on the system: the one from pip draws as well.

    Everything of the wrapper works: ``source``, ``pipe``, ``render``, the display in notebooks.

    Attributes:
        time_limit: seconds that a layout may take.
        dpi: the dots to an inch of a PNG.
        theme: ``"auto"`` adds to an SVG the colours for readers whose system is dark.
        sketch: what the picture says, for formats that lay it out themselves.
        second: the same picture once the places are known, if more can be drawn then.

    >>> picture = Picture(format="svg")
    >>> picture.edge("n0", "n1")
    >>> "<svg" in picture.pipe(encoding="utf-8")
    True
    """

    time_limit: float = TIME_LIMIT
    dpi: int = 144  # today's screens
    theme: str = "light"
    sketch: Sketch | None = None
    second: Callable[[Places], Picture] | None = None

    def copy(self) -> Picture:
        """An equal picture, which can be added to."""
        copied: Picture = super().copy()
        for name in ("time_limit", "dpi", "theme", "sketch", "second"):
            setattr(copied, name, getattr(self, name))
        return copied

    def pipe(
        self,
        format: str | None = None,  # noqa: A002 - the wrapper's name
        renderer: str | None = None,
        formatter: str | None = None,
        neato_no_op: bool | int | None = None,  # noqa: FBT001 - as in the wrapper
        quiet: bool = False,  # noqa: ARG002, FBT001, FBT002 - nothing is ever written to stderr
        *,
        engine: str | None = None,
        encoding: str | None = None,
    ) -> Any:
        """The picture as bytes, or as text where an encoding is given, as in the wrapper.

        Raises:
            DrawingError: it cannot be laid out, or not in this format.
        """
        output = ":".join(filter(None, (format or self.format, renderer, formatter)))
        flags = [f"-Gdpi={self.dpi}"] if output.startswith("png") else []
        if neato_no_op:
            flags.append(f"-n{neato_no_op:d}")
        used = engine or self.engine
        source = self.source
        if self.second:
            found = places(source, engine=used, time_limit=self.time_limit)
            source, used = self.second(found).source, "neato"
        drawn = layout(source, output, *flags, engine=used, time_limit=self.time_limit)
        if output == "svg":
            title = self.sketch.title if self.sketch else ""
            drawn = dressed(drawn.decode(), title, self.theme).encode()
        return drawn.decode(encoding) if encoding else drawn

    def content(self, suffix: str) -> str | bytes:
        """The picture as a file of this suffix holds it.

        Raises:
            DrawingError: it cannot be laid out, or not in this format.
        """
        if suffix == ".dot":
            return str(self.source)
        if suffix == ".tex":
            return tikz(self.pipe("svg", encoding="utf-8"))
        if suffix == ".html":
            return page(
                self.sketch.title if self.sketch else "", self.pipe("svg", encoding="utf-8")
            )
        if suffix == ".gif":
            from viz.gif import gif

            return gif([self.pipe("png")], [0])
        if suffix in (".json", ".mmd"):
            if not self.sketch:
                raise DrawingError(f"only what viz.draw or viz.network made is written as {suffix}")
            return self.sketch.to_json() if suffix == ".json" else mermaid(self.sketch)
        drawn: bytes = self.pipe(format=suffix[1:])
        return drawn

    def render(
        self,
        filename: str | os.PathLike[str] | None = None,
        directory: str | os.PathLike[str] | None = None,
        view: bool = False,  # noqa: FBT001, FBT002 - as in the wrapper
        cleanup: bool = False,  # noqa: FBT001, FBT002
        format: str | None = None,  # noqa: A002
        *,
        outfile: str | os.PathLike[str] | None = None,
        raise_if_result_exists: bool = False,
        **options: Any,
    ) -> str:
        """Write the source and the picture, as the wrapper does, and return the picture's name.

        As in the wrapper an existing file is written over; `save` does not do that unasked.

        Args:
            filename: the source's name; the picture's is the same with the format added.
            directory: the folder, made if it is missing.
            view: open the picture in the system's viewer.
            cleanup: delete the source afterwards.
            format: ``"svg"``, ``"png"`` ...
            outfile: the picture's name; its suffix is then the format.
            raise_if_result_exists: refuse to write over a picture.
            options: as for `pipe`.

        Raises:
            DrawingError: it cannot be laid out, or not in this format; nothing is written then.
            FileExistsError: the picture exists, and ``raise_if_result_exists`` is set.
        """
        if outfile is not None:
            format = format or Path(outfile).suffix[1:].lower()  # noqa: A001
            filename = filename or Path(outfile).with_suffix(".gv")
            result = Path("" if directory else self.directory, outfile)
        else:
            folder = self.directory if directory is None else directory
            result = Path(folder, f"{os.fspath(filename or self.filename)}.{format or self.format}")
        quiet_view = options.pop("quiet_view", False)
        drawn = self.pipe(format, **options)
        source = self.save(filename, directory=directory)
        write_atomically(result, drawn, overwrite=not raise_if_result_exists)
        if cleanup:
            Path(source).unlink()
        if view or quiet_view:
            graphviz.view(result, quiet=quiet_view)
        return str(result)


def check_output(file: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Refuse a file that `save` could not write, before any work is done for it.

    Raises:
        DrawingError: the suffix is not one of `SUFFIXES`.
        FileExistsError: the file exists and ``overwrite`` is false.
        FileNotFoundError: there is no such folder.

    >>> check_output("picture.bmp")
    Traceback (most recent call last):
        ...
    tinygrad_bp.errors.DrawingError: cannot write 'picture.bmp': use one of .svg .png .pdf .dot .html .gif .json .mmd .tex
    """
    path = Path(file)
    if path.suffix.lower() not in SUFFIXES:
        raise DrawingError(f"cannot write {quoted(str(path))}: use one of {' '.join(SUFFIXES)}")
    check_free(path, overwrite=overwrite)


def save(
    picture: Content | graphviz.Digraph,
    file: str | os.PathLike[str],
    *,
    overwrite: bool = False,
) -> None:
    """Write a picture whole or not at all, in the format that the file's suffix says.

    ``.svg``, ``.png`` and ``.html`` show it; ``.gif`` needs Pillow, ``.pdf`` Graphviz itself.
    ``.tex`` is a LaTeX document of its own, drawn with TikZ.  ``.mmd`` (a Mermaid flowchart), ``.json``
    (the graph as data) and ``.dot`` need no layout and so have no limit of size or time.

    Args:
        picture: what `draw`, `network` or `frames` returned; frames move in ``.gif``, ``.svg`` and
            ``.html``, and are written in no other format.
        file: where to write.
        overwrite: whether an existing file may be replaced.

    Raises:
        DrawingError: it is no picture, the suffix is another, or the picture cannot be laid out.
        FileExistsError: the file exists and ``overwrite`` is false.
        OSError: the folder is missing or cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "picture.dot")
    ...     save(Picture(), file)
    ...     print(file.read_text())
    digraph {
    }
    <BLANKLINE>
    """
    if not isinstance(picture, graphviz.Digraph) and not hasattr(picture, "content"):
        raise DrawingError(
            f"save writes what draw, network or frames returned, not {type(picture).__name__} "
            f"{picture!r:.60}: viz.save(viz.draw(e), {quoted(str(file))})"
        )
    check_output(file, overwrite=overwrite)
    suffix = Path(file).suffix.lower()
    if isinstance(picture, graphviz.Digraph) and not isinstance(picture, Picture):
        content = picture.source if suffix == ".dot" else picture.pipe(format=suffix[1:])
    else:
        content = picture.content(suffix)
    write_atomically(file, content, overwrite=overwrite)


def dressed(svg: str, title: str, theme: str) -> str:
    """The SVG with a name for those who do not see it, and with its dark colours.

    >>> dressed("<svg />", "<e>", "light")
    '<svg role="img" aria-label="&lt;e&gt;" />'
    """
    if title:
        name = for_html(title, LINE)
        svg = svg.replace("<svg ", f'<svg role="img" aria-label="{name}" ', 1)
    return adapt(svg) if theme == "auto" else svg


def page(title: str, svg: str) -> str:
    """A page of its own around an SVG: it loads nothing and runs nothing."""
    drawing = svg[svg.index("<svg") :]
    background = f"body{{margin:1em;background:{LIGHT.paper}}}svg{{max-width:100%;height:auto}}"
    dark = (
        f"@media (prefers-color-scheme: dark){{body{{background:{DARK.paper}}}}}"
        if "prefers-color-scheme" in drawing
        else ""
    )
    return f"""\
<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>{for_html(title, LINE)}</title>
<style>{background}{dark}</style>
{drawing}
</html>
"""
