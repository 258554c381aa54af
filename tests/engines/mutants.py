"""All mutants, and whether the check of conformance finds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import wrong_engines
import wrong_formulas
import wrong_manners
import wrong_operations
import wrong_passes
from mutation import MUTANTS, Mutant

from tinygrad_bp.testing.conformance import TIME_LIMIT, suite_of

if TYPE_CHECKING:
    from tinygrad_bp.testing.conformance import Finding

HANG = 1.0
"""Seconds after which a mutant that never comes back is given up, so that the tests are quick."""


def finding(mutant: Mutant, seed: int = 0) -> Finding | None:
    """What fails of the properties that are about a mutant: the first, or nothing if it is missed."""
    limit = HANG if mutant.hangs else TIME_LIMIT
    with suite_of(mutant.make(), seed=seed, limit=limit) as suite:
        tried = map(suite.check, mutant.properties(suite.names))
        return next((each for each in tried if each.verdict == "fails"), None)


__all__ = ["MUTANTS", "Mutant", "finding"]
del (
    wrong_engines,
    wrong_formulas,
    wrong_manners,
    wrong_operations,
    wrong_passes,
)  # which have added theirs
