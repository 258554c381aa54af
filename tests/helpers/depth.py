"""How deep a test goes: all the way with ``pytest --thorough``, and less far by default.

>>> depth(10**6, by_default=10**5)
100000
"""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")

THOROUGH = False
"""Whether the option was given; `conftest.py` sets it before the tests are loaded."""


def depth(thorough: T, *, by_default: T) -> T:
    """The number of examples, the size or the cases for this run.

    Args:
        thorough: what ``pytest --thorough`` takes, as the project's own checks do.
        by_default: what ``pytest`` takes, so that all tests together are done in two minutes.
    """
    return thorough if THOROUGH else by_default
