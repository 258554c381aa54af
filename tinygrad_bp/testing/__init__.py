"""Property-based tests of gradients, for users and for ourselves; needs ``tinygrad-bp[test]``.

`gradcheck` alone needs nothing but the engine.  The strategies, and the classes of what they draw, are
in `strategies`, and here by the same names.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:  # the modules are callable, and importing one from here loads it
    from typing import Any

    from tinygrad_bp.network.network import Network as Network
    from tinygrad_bp.testing.conformance import conformance as conformance
    from tinygrad_bp.testing.gradcheck import gradcheck as gradcheck
    from tinygrad_bp.testing.strategies import Expression as Expression
    from tinygrad_bp.testing.strategies import Program as Program
    from tinygrad_bp.testing.strategies import expressions as expressions
    from tinygrad_bp.testing.strategies import networks as networks
    from tinygrad_bp.testing.strategies import programs as programs
    from tinygrad_bp.testing.strategies import values as values

__all__ = [
    "Expression",
    "Network",
    "Program",
    "conformance",
    "expressions",
    "gradcheck",
    "networks",
    "programs",
    "values",
]


def __getattr__(name: str) -> "Any":
    """Each when it is first asked for; the strategies need Hypothesis."""
    from importlib import import_module

    if name in ("conformance", "gradcheck"):
        return import_module(f"{__name__}.{name}")
    if name in __all__:
        return getattr(import_module(f"{__name__}.strategies"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
