"""What several processes find out together, each thing once: the workers of pytest-xdist share it in a folder."""

from __future__ import annotations

import os
import pickle
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_T = TypeVar("_T")
_POLL = 0.02


class Shelf:
    """Results by number, in files.

    Args:
        folder: where they are; every process that shares them has the same.
        patience: seconds after which another process is taken to have given up.
    """

    def __init__(self, folder: Path, patience: float = 120.0) -> None:
        self.folder = folder
        self.patience = patience

    def find(self, number: int, make: Callable[[], _T]) -> _T:
        """The result of a number: what another process has made or is making, else what this one makes."""
        file = self.folder / f"{number}.pickle"
        try:
            claim = os.open(self.folder / f"{number}.claim", os.O_CREAT | os.O_EXCL)
        except FileExistsError:
            started = time.monotonic()
            while not file.exists():
                if time.monotonic() - started > self.patience:
                    return make()
                time.sleep(_POLL)
            found: Any = pickle.loads(file.read_bytes())  # noqa: S301 - of a process that shares this
            return found  # type: ignore[no-any-return]
        os.close(claim)
        try:
            result = make()
        except BaseException:
            with suppress(OSError):
                (self.folder / f"{number}.claim").unlink()
            raise
        part = self.folder / f"{number}.part"
        part.write_bytes(pickle.dumps(result))
        part.replace(file)
        return result
