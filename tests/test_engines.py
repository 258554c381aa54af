"""The check of conformance against engines written for it: right ones in many manners, and mutants.

A mutant is the right engine with one planted defect.  By default every fifth defect is tried, on one of the
operations that it is crossed with, and a few of the right engines; with ``--thorough``, all.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from depth import depth
from mutants import MUTANTS, finding, remember_what_is_right
from right import RIGHT
from right_lean import LEAN

from tinygrad_bp.testing import conformance

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
    "engine",
    depth([*RIGHT, *LEAN], by_default=[*RIGHT, *LEAN][2::7]),
    ids=lambda engine: engine.name,
)
def test_a_right_engine_conforms(engine):
    remember_what_is_right()
    report = conformance(engine)
    assert report.holds, report


@pytest.mark.parametrize("mutant", depth(MUTANTS, by_default=one_of_each()[::5]), ids=str)
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
