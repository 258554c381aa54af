"""Modules that are named after the function in them: ``tinygrad_bp.testing.gradcheck`` is a module and a call.

Python binds a submodule's name in the package as soon as anything imports it, so the package cannot
keep that name for the function.  The module itself is made callable instead, and both ways of
importing work, in any order.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class _CallableModule(ModuleType):
    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return getattr(self, self.__name__.rpartition(".")[2])(*arguments, **keywords)

    def __reduce__(self) -> tuple[Any, ...]:
        """As functions are pickled: by name."""
        return import_module, (self.__name__,)


def make_callable(name: str) -> None:
    """Let a call of the module be a call of the function of the same name in it."""
    sys.modules[name].__class__ = _CallableModule
