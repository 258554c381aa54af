"""Property-based tests of gradients, for users and for ourselves; needs ``tinygrad-bp[test]``."""
