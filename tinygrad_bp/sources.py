"""The text of generated code, where debuggers, tracebacks and `inspect` look for it: in `linecache`.

To import that takes nearly as long as the engine, and most runs never ask.  So what is generated before
anyone has imported it is kept, and handed over when they do.

This module knows nothing of the others.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

_kept: dict[str, Any] = {}


def file_name(source: str, title: str) -> str:
    """A name to compile some source under, by which its lines are found afterwards.

    Args:
        source: the text.
        title: what it is, on one line.  It names the first of several texts that have it.

    >>> import linecache
    >>> file = file_name("x = 1", "an example")
    >>> file, linecache.getline(file, 1)
    ('<an example>', 'x = 1')
    """
    linecache = sys.modules.get("linecache")
    cache = linecache.cache if linecache else _kept
    if linecache is None and not _kept:
        sys.meta_path.insert(0, _Handover())
    lines = source.splitlines(keepends=True)
    name = f"<{title}>"
    other = hash(source) & 0xFFFFFFFF
    while cache.setdefault(name, (len(source), None, lines, name))[2] != lines:
        name = f"<{title}, {other:08x}>"
        other += 1
    return name


class _Handover:
    """Finds `linecache` as it is found without us, and gives it the texts that were kept for it."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != "linecache":
            return None
        from importlib.machinery import PathFinder

        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path, target)
        if spec and spec.loader:
            execute = spec.loader.exec_module

            def execute_and_fill(module: ModuleType) -> None:
                execute(module)
                module.cache.update(_kept)  # before anyone has seen it

            spec.loader.exec_module = execute_and_fill  # type: ignore[method-assign]
        return spec
