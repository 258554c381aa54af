"""Pausing Python's cyclic collector while a large graph is built.

A graph holds no cycles, but every node is an object that the collector looks at again and again
while many are made: on large graphs that is a third of the time.  Reference counting frees nodes
all the same.
"""

from __future__ import annotations

import gc
from _thread import RLock  # threading would double the import's time


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

    _lock = RLock()
    _depth = 0  # of all pauses there are, in whatever thread: the last to end turns it on again
    _was_enabled = False

    def __enter__(self) -> None:
        with collector_paused._lock:
            if not collector_paused._depth:
                collector_paused._was_enabled = gc.isenabled()
                gc.disable()
            collector_paused._depth += 1

    def __exit__(self, *_: object) -> None:
        with collector_paused._lock:
            collector_paused._depth -= 1
            if not collector_paused._depth and collector_paused._was_enabled:
                gc.enable()
