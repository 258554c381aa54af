"""Values that show themselves in notebooks: a picture, with the text of the repr beside it.

This room sets one hook on `Value`; what the picture looks like is the business of others.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tinygrad_bp import Value
from viz.scalar_graph import draw

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_NODES = 80
"""A larger graph is shown as text: nobody asked for a picture, so none may be in the way."""

TIME_LIMIT = 5.0

TEXT, SVG = "text/plain", "image/svg+xml"


def install() -> None:
    """Make Values show themselves."""
    Value._repr_mimebundle_ = mimebundle  # type: ignore[attr-defined]


def mimebundle(
    value: Value,
    include: Iterable[str] | None = None,
    exclude: Iterable[str] | None = None,
    **_: object,
) -> dict[str, str]:
    """The Value as text, and as a picture if its graph is small; never an exception.

    >>> sorted(mimebundle(Value(1.0) + 2.0))
    ['image/svg+xml', 'text/plain']
    """
    shown = {TEXT: repr(value)}
    try:
        if (SVG in include if include else _takes_pictures()) and _is_small(value):
            picture = draw(value)
            picture.time_limit = TIME_LIMIT
            shown[SVG] = picture.pipe(format="svg", encoding="utf-8")
    except Exception:  # noqa: BLE001, S110 - a display that fails would hide the value itself
        pass
    wanted = set(include or shown).difference(exclude or ())
    return {kind: content for kind, content in shown.items() if kind in wanted}


def _takes_pictures() -> bool:
    """Whether the front end shows pictures: in a terminal IPython asks for all, and shows text."""
    ipython = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    return not shell or SVG in shell.display_formatter.active_types


def _is_small(value: Value) -> bool:
    """Whether the graph is within the budget; it looks no further than that."""
    seen, pending = {value}, [value]
    while pending and len(seen) <= MAX_NODES:
        new = set(pending.pop().parents) - seen
        seen |= new
        pending += new
    return len(seen) <= MAX_NODES
