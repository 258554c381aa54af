"""Pausing Python's cyclic collector while a large graph is built.

A graph holds no cycles, but every node is an object that the collector looks at again and again
while many are made: on large graphs that is a third of the time.  Reference counting frees nodes
all the same.
"""

from __future__ import annotations

import gc


class collector_paused:  # noqa: N801 - read as a verb, and contextlib would double the import's time
    """Turn the cyclic collector off for a block, and on again after it if it was on.

    For a training loop of your own; nothing in the package leaves the setting changed.  It is the
    whole process's, so that other threads are without the collector for that time too.

    >>> import gc
    >>> with collector_paused():
    ...     gc.isenabled()
    False
    >>> gc.isenabled()
    True
    """

    def __init__(self) -> None:
        self._were_enabled: list[bool] = []  # it may be entered again inside

    def __enter__(self) -> None:
        self._were_enabled.append(gc.isenabled())
        gc.disable()

    def __exit__(self, *_: object) -> None:
        if self._were_enabled.pop():
            gc.enable()
