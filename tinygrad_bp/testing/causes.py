"""What is likely to be wrong, from the scripts that an engine gets wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tinygrad_bp.testing.engines import Spelling
    from tinygrad_bp.testing.trial import Failure


class Cause(NamedTuple):
    """What is likely to be wrong.

    Attributes:
        sentence: what it is.
        example: the smallest script that shows it.
        explains: the properties that fail because of it.
    """

    sentence: str
    example: str
    explains: tuple[str, ...]


def diagnose(failures: Mapping[str, tuple[Failure, ...]], spelling: Spelling) -> Iterator[Cause]:
    """The likeliest causes."""
    return iter(())
