"""`Picture`: a Graphviz graph that draws itself with whatever Graphviz there is, and `save`.

This room knows DOT and files; it knows nothing of Values.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import graphviz

from tinygrad_bp.errors import DrawingError
from tinygrad_bp.files import write_atomically
from viz.layout import TIME_LIMIT, layout

if TYPE_CHECKING:
    from typing import Any

SUFFIXES = (".svg", ".png", ".pdf", ".dot")
"""What `save` can write."""


class Picture(graphviz.Digraph):  # type: ignore[misc] # the wrapper has no types
    """A `graphviz.Digraph` that needs no Graphviz on the system: the one from pip draws as well.

    Everything of the wrapper works: ``source``, ``pipe``, ``render``, the display in notebooks.

    Attributes:
        time_limit: seconds that a layout may take.

    >>> picture = Picture(format="svg")
    >>> picture.edge("n0", "n1")
    >>> "<svg" in picture.pipe(encoding="utf-8")
    True
    """

    time_limit: float = TIME_LIMIT

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
        flags = ["-Gdpi=144"] if output.startswith("png") else []  # pixels for today's screens
        if neato_no_op:
            flags.append(f"-n{neato_no_op:d}")
        drawn = layout(
            self.source, output, *flags, engine=engine or self.engine, time_limit=self.time_limit
        )
        return drawn.decode(encoding) if encoding else drawn

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
    tinygrad_bp.errors.DrawingError: cannot write 'picture.bmp': use one of .svg .png .pdf .dot
    """
    path = Path(file)
    if path.suffix.lower() not in SUFFIXES:
        raise DrawingError(f"cannot write {str(path)!r}: use one of {' '.join(SUFFIXES)}")
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"cannot write {str(path)!r}: there is no folder {str(path.parent)!r}"
        )
    if not overwrite and os.path.lexists(path):
        raise FileExistsError(
            f"{str(path)!r} exists already: choose another name, or allow overwriting"
        )


def save(
    picture: graphviz.Digraph, file: str | os.PathLike[str], *, overwrite: bool = False
) -> None:
    """Write a picture whole or not at all, in the format that the file's suffix says.

    Args:
        picture: what `draw` or `network` returned.
        file: ``.svg``, ``.png``, ``.pdf`` (where Graphviz itself is installed) or ``.dot``, which
            needs no layout and so has no limit of size or time.
        overwrite: whether an existing file may be replaced.

    Raises:
        DrawingError: another suffix, or the picture cannot be laid out.
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
    check_output(file, overwrite=overwrite)
    suffix = Path(file).suffix.lower()
    content = picture.source if suffix == ".dot" else picture.pipe(format=suffix[1:])
    write_atomically(file, content, overwrite=overwrite)
