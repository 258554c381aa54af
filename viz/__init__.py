"""The renderers: pictures of the graph and of the network.

`draw` shows a Value with everything it was made of, `network` the sum over paths in a layered
network, `save` writes either to a file; `explore` makes a page to step through the pass and to
change its leaves.  Importing this package makes Values show themselves as pictures in notebooks.

This package reads the graph and changes nothing in it; `tinygrad_bp` knows nothing of it.

>>> import viz
>>> from tinygrad_bp import Value
>>> w, x = Value(0.5, label="w"), Value(2.0, label="x")
>>> e = (w * x) ** 2
>>> e.backward()
>>> picture = viz.draw(e)
>>> picture.pipe(format="svg")[:5]
b'<?xml'
"""

from viz import notebook
from viz.explorer import Explorer, explore
from viz.frames import Frames, frames
from viz.layered import network
from viz.picture import Picture, check_output, save
from viz.scalar_graph import MAX_NODES, draw

__all__ = [
    "MAX_NODES",
    "Explorer",
    "Frames",
    "Picture",
    "check_output",
    "draw",
    "explore",
    "frames",
    "network",
    "save",
]

notebook.install()
