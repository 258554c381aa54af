"""All mutants, and whether the check of conformance finds them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import wrong_engines
import wrong_formulas
import wrong_manners
import wrong_operations
import wrong_passes
from formulas import FORMULAS
from mutation import MUTANTS, Mutant

from tinygrad_bp.testing.cases import Case, Plan, base_of
from tinygrad_bp.testing.conformance import TIME_LIMIT, suite_of
from tinygrad_bp.testing.engines import OURS
from tinygrad_bp.testing.forms import FORMS
from tinygrad_bp.testing.properties import PROPERTIES
from tinygrad_bp.testing.scripts import right

if TYPE_CHECKING:
    from tinygrad_bp.testing.conformance import Finding

HANG = 1.0
"""Seconds after which a mutant that never comes back is given up, so that the tests are quick."""


def finding(mutant: Mutant, seed: int = 0) -> Finding | None:
    """What fails of the properties that are about a mutant: the first, or nothing if it is missed.

    Those that need few others are tried first.
    """
    remember_what_is_right()
    limit = HANG if mutant.hangs else TIME_LIMIT
    with suite_of(mutant.make(), seed=seed, limit=limit) as suite:
        names = sorted(mutant.properties(suite.names), key=lambda name: len(_below(name)))
        tried = map(suite.check, names)
        return next((each for each in tried if each.verdict == "fails"), None)


@cache
def _below(name: str) -> frozenset[str]:
    """A property, and all that are tried before it."""
    what = PROPERTIES[name]
    needs = [each for need in what.needs for each in ([need] if isinstance(need, str) else need)]
    others = (_below(each) for each in {*needs, *what.uses, *what.spoiled_by})
    return frozenset({name}).union(*others)


@cache
def remember_what_is_right() -> None:
    """Have the right answers in this process, so that they are there in each that is forked from it."""
    plan = Plan(held=frozenset(name for name in PROPERTIES if _is_offered(name)))
    for name in plan.held:
        for each in PROPERTIES[name].tries(plan, OURS):
            if isinstance(each, Case):
                right(each.script, inner=each.inner)


def _is_offered(name: str) -> bool:
    """Whether it is one that most mutants are tried with."""
    base = base_of(name)
    return base not in FORMS or FORMS[base].op in FORMULAS


__all__ = ["MUTANTS", "Mutant", "finding", "remember_what_is_right"]
del (
    wrong_engines,
    wrong_formulas,
    wrong_manners,
    wrong_operations,
    wrong_passes,
)  # which have added theirs
