"""The check of conformance against engines written for it: right ones in many manners, and mutants.

A mutant is the right engine with one planted defect.  By default each defect is tried on one of the
operations that it is crossed with; where CI is set, on all.
"""

from __future__ import annotations

import os

import pytest
from mutants import MUTANTS, finding
from right import RIGHT

from tinygrad_bp.testing import conformance


def chosen():
    """All mutants in CI, else one for each defect, on this or that operation."""
    if os.environ.get("CI"):
        return MUTANTS
    by_defect = {}
    for mutant in MUTANTS:
        by_defect.setdefault(mutant.defect, []).append(mutant)
    return [each[place % len(each)] for place, each in enumerate(by_defect.values())]


@pytest.mark.parametrize("engine", RIGHT, ids=lambda engine: engine.name)
def test_a_right_engine_conforms(engine):
    report = conformance(engine)
    assert report.holds, report


@pytest.mark.parametrize("mutant", chosen(), ids=str)
def test_a_mutant_is_found_by_a_property_that_is_about_it(mutant):
    assert finding(mutant)


def test_there_are_mutants_of_every_operation():
    names = [str(mutant) for mutant in MUTANTS]
    assert len(names) == len({*names})
    assert len(names) > 600
