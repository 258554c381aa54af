"""Running Graphviz: which program, for how long, and what to say where it fails.

The system's ``dot`` comes first, as it can do most; the one that pip installs draws where there is
none.  The source goes in on standard input and the picture comes back on standard output, so that
no file name is ever passed.  This module knows nothing of Values, and DOT is only text to it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from tinygrad_bp.errors import DrawingError

TIME_LIMIT = 30.0
"""Seconds that a layout may take."""

_PIP = "graphviz-pure"
_INSTALL = "install Graphviz (https://graphviz.org/download)"


def programs() -> list[Path]:
    """The Graphviz programs of this machine, the one to use first."""
    found = [shutil.which("dot"), _from_pip(), shutil.which(_PIP)]
    return [Path(each) for each in dict.fromkeys(found) if each]


def _from_pip() -> str | None:
    """The program of the installed distribution, whose folder may well not be on the PATH."""
    try:
        files = metadata.files(_PIP) or []
    except metadata.PackageNotFoundError:
        return None
    paths = (Path(str(file.locate())).resolve() for file in files if file.stem == _PIP)
    return next((str(path) for path in paths if path.is_file()), None)


def layout(
    source: str, output: str, *flags: str, engine: str = "dot", time_limit: float = TIME_LIMIT
) -> bytes:
    """The picture that Graphviz makes of a DOT source.

    Where a program fails the next one is tried; one that runs out of time is not followed by
    another, which would take as long.

    Args:
        source: the graph in DOT.
        output: ``"svg"``, ``"png"``, or another of Graphviz's formats.
        flags: more of its flags.
        engine: which of its layouts: ``"dot"``, ``"neato"`` ...
        time_limit: seconds.

    Raises:
        DrawingError: there is no Graphviz, it failed, cannot write this format, or took too long.

    >>> layout("digraph { a -> b }", "svg")[:5]
    b'<?xml'
    """
    failures = []
    for program in programs():
        command = [str(program), f"-K{engine}", f"-T{output}", *flags]
        try:
            done = subprocess.run(  # noqa: S603 - a fixed program, no shell, no file names
                command, input=source.encode(), capture_output=True, timeout=time_limit, check=False
            )
        except subprocess.TimeoutExpired:
            raise DrawingError(
                f"{program.name} did not finish within {time_limit:g} s: draw fewer nodes, or "
                "raise the picture's time_limit"
            ) from None
        except OSError as error:
            failures.append(f"{program} does not run: {error.strerror}")
            continue
        if done.returncode == 0 and done.stdout:
            return done.stdout
        said = done.stderr.decode(errors="replace").split("\n")
        failures.append(_reason(program, output, done.returncode, said))
    if not failures:
        raise DrawingError(f"no Graphviz found: pip install {_PIP}, or {_INSTALL}")
    raise DrawingError(failures[0])


PLACE = "place"
"""An attribute that means nothing to Graphviz, and comes back with the edge."""


class Places(NamedTuple):
    """Where Graphviz put things, in DOT's own words, so that they can be pinned there.

    Attributes:
        nodes: for each node its attributes ``pos``, ``width`` and ``height``.
        edges: for each edge its ``pos`` and that of its label, in the order of the numbers that the
            source gives as their attribute `PLACE`, for Graphviz has an order of its own.
        box: the corners of the whole: left, bottom, right, top.
    """

    nodes: dict[str, dict[str, str]]
    edges: list[dict[str, str]]
    box: tuple[float, float, float, float]


def places(source: str, *, engine: str = "dot", time_limit: float = TIME_LIMIT) -> Places:
    """Lay a graph out, and say where everything is.

    Raises:
        DrawingError: as for `layout`.

    >>> places("digraph { a -> b }").nodes["a"]["width"]
    '0.75'
    """
    drawn = json.loads(layout(source, "json0", engine=engine, time_limit=time_limit))
    nodes = {each["name"]: each for each in drawn.get("objects", ())}
    edges = sorted(drawn.get("edges", ()), key=lambda edge: int(edge.get(PLACE, 0)))
    return Places(
        {name: _only(each, "pos", "width", "height") for name, each in nodes.items()},
        [_only(each, "pos", "lp", "xlp") for each in edges],
        _corners(drawn["bb"]),
    )


def _corners(text: str) -> tuple[float, float, float, float]:
    left, bottom, right, top = map(float, text.split(","))
    return left, bottom, right, top


def _only(attributes: dict[str, str], *names: str) -> dict[str, str]:
    return {name: attributes[name] for name in names if name in attributes}


def _reason(program: Path, output: str, code: int, said: list[str]) -> str:
    if any("not recognized" in line for line in said):
        return (
            f"{program.name} cannot write {output.upper()}: {_INSTALL}, whose dot can, or save as "
            ".svg or .png"
        )
    errors = [line.strip() for line in said if line.strip() and "warning" not in line.lower()]
    return f"{program} failed with exit code {code}: {[*errors, 'it said nothing'][0]:.200}"
