"""Property-based tests of gradients, for users and for ourselves; needs ``tinygrad-bp[test]``.

`gradcheck` alone needs nothing but the engine.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:  # the rooms are callable, and importing one from here loads it
    from tinygrad_bp.testing.conformance import conformance as conformance
    from tinygrad_bp.testing.gradcheck import gradcheck as gradcheck
