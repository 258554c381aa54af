"""All mutants."""

from __future__ import annotations

import wrong_formulas
import wrong_manners
import wrong_operations
import wrong_passes
from mutation import MUTANTS

__all__ = ["MUTANTS"]
del wrong_formulas, wrong_manners, wrong_operations, wrong_passes
