"""Functions that are made by a call, and pickled as that call.

Python pickles a function by its name alone, which a function made by another is not found under.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class MadeFunction:
    """A function as ``make(*arguments)`` returns it: pickled and copied as this call.

    Where its module has it under its own name, as a decorated function, it is pickled by that name.

    Args:
        function: what is called; name, documentation and module are taken from it.
        make: the function that makes it; it is importable.
        arguments: what it was made of.

    >>> from tinygrad_bp import grad, tanh
    >>> import pickle
    >>> pickle.loads(pickle.dumps(grad(tanh)))(0.0)
    1.0
    """

    __qualname__: str

    def __init__(
        self, function: Callable[..., Any], make: Callable[..., Any], *arguments: Any
    ) -> None:
        for name in ("__module__", "__name__", "__qualname__", "__doc__"):
            setattr(self, name, getattr(function, name))
        self.__wrapped__ = function  # where `inspect.signature` looks
        self._made_by = make, arguments

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """What the function returns."""
        return self.__wrapped__(*arguments, **keywords)

    def __get__(self, instance: object, _: type | None = None) -> Any:
        """The bound method, where it is an attribute of a class."""
        from types import MethodType  # for a class alone

        return self if instance is None else MethodType(self, instance)

    def __reduce__(self) -> str | tuple[Any, ...]:
        return self.__qualname__ if is_found(self) else self._made_by

    def __repr__(self) -> str:
        make, arguments = self._made_by
        return f"{make.__name__}({', '.join(map(repr, arguments))})"


def is_found(function: Any) -> bool:
    """Whether its module has it under its name, which is where pickle looks for a function."""
    found = sys.modules.get(function.__module__)
    for name in function.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is function
