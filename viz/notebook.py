"""Values and runs that show themselves in notebooks: a picture, with the text of the repr beside it.

This module sets one hook on `Value` and on `Run`; what the picture looks like is the business of others.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tinygrad_bp import Value
from tinygrad_bp.engine.differentiate import gradients
from tinygrad_bp.network.network import Run
from viz.layered import MAX_LAYERS, MAX_WIDTH, network
from viz.scalar_graph import draw

if TYPE_CHECKING:
    from collections.abc import Iterable

    from viz.picture import Picture

MAX_NODES = 80
"""A larger graph is shown as text: nobody asked for a picture, so none may be in the way."""

TIME_LIMIT = 5.0

TEXT, SVG = "text/plain", "image/svg+xml"


def install() -> None:
    """Make Values and runs show themselves."""
    for kind in (Value, Run):
        setattr(kind, "_repr_mimebundle_", mimebundle)  # noqa: B010 - neither class has it


def mimebundle(
    thing: Value | Run,
    include: Iterable[str] | None = None,
    exclude: Iterable[str] | None = None,
    **_: object,
) -> dict[str, str]:
    """A Value or a run as text, and as a picture if it is small; never an exception.

    A run is shown with the paths of the first-layer weight that moves its error most; without a target
    it has no error, and is text.

    >>> sorted(mimebundle(Value(1.0) + 2.0))
    ['image/svg+xml', 'text/plain']
    """
    shown = {TEXT: repr(thing)}
    try:
        if SVG in include if include else _takes_pictures():
            picture = _picture(thing)
            if picture is not None:
                picture.time_limit = TIME_LIMIT
                shown[SVG] = picture.pipe(format="svg", encoding="utf-8")
    except Exception:  # noqa: BLE001, S110 - a display that fails would hide the value itself
        pass
    wanted = set(include or shown).difference(exclude or ())
    return {kind: content for kind, content in shown.items() if kind in wanted}


def _picture(thing: Value | Run) -> Picture | None:
    """What to show, if it is small enough to be shown unasked."""
    if isinstance(thing, Value):
        return draw(thing) if _is_small(thing) else None
    net = thing.network
    if max(net.sizes) > MAX_WIDTH or net.depth >= MAX_LAYERS:
        return None
    places = [(1, j, k) for j in range(1, net.sizes[1] + 1) for k in range(1, net.sizes[0] + 1)]
    sizes = map(abs, gradients(thing.e, [net.w(*place) for place in places]))
    _, place = max(zip(sizes, places, strict=True), key=lambda pair: pair[0])
    return network(thing, weight=place)


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
