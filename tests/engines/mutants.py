"""All mutants, and whether the check of conformance finds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import wrong_formulas
import wrong_manners
import wrong_operations
import wrong_passes
from mutation import MUTANTS, Mutant

from tinygrad_bp.testing.conformance import Suite

if TYPE_CHECKING:
    from tinygrad_bp.testing.conformance import Finding

FAMILIES = {
    wrong_operations: "one operation, in the pass, beside plain numbers, in place",
    wrong_formulas: "one formula",
    wrong_passes: "the pass and the graph",
    wrong_manners: "what ends the process, hangs, or reaches for what is not its own",
}


def finding(mutant: Mutant, seed: int = 0) -> Finding | None:
    """What fails of the properties that are about a mutant: the first, or nothing if it is missed."""
    suite = Suite(mutant.make(), seed=seed)
    tried = map(suite.check, mutant.properties(suite.names))
    return next((each for each in tried if each.verdict == "fails"), None)


__all__ = ["FAMILIES", "MUTANTS", "Mutant", "finding"]
