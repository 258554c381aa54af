"""Property-based tests of gradients, for users and for ourselves; needs ``tinygrad-bp[test]``.

`gradcheck` alone needs nothing but the engine.  The strategies, and the classes of what they draw, are
in `strategies`, and here by the same names.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:  # the rooms are callable, and importing one from here loads it
    from typing import Any

    from tinygrad_bp.network import Network as Network
    from tinygrad_bp.testing.conformance import conformance as conformance
    from tinygrad_bp.testing.gradcheck import gradcheck as gradcheck
    from tinygrad_bp.testing.strategies import Expression as Expression
    from tinygrad_bp.testing.strategies import Program as Program
    from tinygrad_bp.testing.strategies import expressions as expressions
    from tinygrad_bp.testing.strategies import networks as networks
    from tinygrad_bp.testing.strategies import programs as programs
    from tinygrad_bp.testing.strategies import values as values

_STRATEGIES = ("Expression", "Network", "Program", "expressions", "networks", "programs", "values")


def __getattr__(name: str) -> "Any":
    """What is in `strategies`, which needs Hypothesis and so is loaded only when it is asked for."""
    if name not in _STRATEGIES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tinygrad_bp.testing import strategies

    return getattr(strategies, name)
