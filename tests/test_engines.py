"""The check of conformance against engines written for it: right ones in many manners, and mutants.

A mutant is the right engine with one planted defect.  By default each defect is tried on one of the
operations that it is crossed with, and a few of the right engines; where CI is set, all.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from mutants import MUTANTS, finding
from right import RIGHT
from right_lean import LEAN

from tinygrad_bp.testing import conformance

ALL = bool(os.environ.get("CI"))
PAGE = (Path(__file__).parent.parent / "docs" / "mutants.md").read_text(encoding="utf-8")


def by_defect():
    mutants = {}
    for mutant in MUTANTS:
        mutants.setdefault(mutant.defect, []).append(mutant)
    return mutants


def one_of_each():
    """One mutant for each defect, of this or that operation."""
    return [each[place % len(each)] for place, each in enumerate(by_defect().values())]


@pytest.mark.parametrize(
    "engine", [*(RIGHT if ALL else RIGHT[1::5]), *LEAN], ids=lambda engine: engine.name
)
def test_a_right_engine_conforms(engine):
    report = conformance(engine)
    assert report.holds, report


@pytest.mark.parametrize("mutant", MUTANTS if ALL else one_of_each(), ids=str)
def test_a_mutant_is_found_by_a_property_that_is_about_it(mutant):
    assert finding(mutant)


def test_the_page_has_all_mutants():
    assert f"\n{len(MUTANTS)} mutants, 0 missed.\n" in PAGE
    rows = [
        line.split(" | ")[0].removeprefix("| ") for line in PAGE.splitlines() if line[:1] == "|"
    ]
    assert rows[2:] == [*by_defect()]


def test_mutants_have_names_of_their_own():
    assert len({str(mutant) for mutant in MUTANTS}) == len(MUTANTS)
