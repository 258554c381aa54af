"""Print the table of mutants, and which property finds each: ``python tests/engines [WORD ...]``.

It is `docs/mutants.md`.  With words, only mutants that have one of them in their names are tried.
The exit code is 1 if one is missed.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from mutants import MUTANTS, Mutant, finding


def main() -> int:
    """Try the mutants and print the page."""
    parser = argparse.ArgumentParser(prog="python tests/engines", description=__doc__)
    parser.add_argument("words", nargs="*", metavar="WORD")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    places = [
        place
        for place, mutant in enumerate(MUTANTS)
        if not asked.words or any(word in str(mutant) for word in asked.words)
    ]
    with ProcessPoolExecutor(asked.processes) as pool:
        names = [*pool.map(_found_by, places, [asked.seed] * len(places))]
    tried = [MUTANTS[place] for place in places]
    print(page(dict(zip(tried, names, strict=True))))
    return int("" in names)


def _found_by(place: int, seed: int) -> str:
    """The property that finds a mutant; a function of plain values, which a process can be sent."""
    found = finding(MUTANTS[place], seed)
    return found.name if found else ""


def page(found_by: dict[Mutant, str]) -> str:
    """The page, from the property that found each mutant; empty for what was missed."""
    missed = [str(mutant) for mutant, name in found_by.items() if not name]
    rows = {}
    for mutant, name in found_by.items():
        rows.setdefault(mutant.defect, []).append((mutant.op, name))
    lines = [
        "# Planted defects",
        "",
        "Made by `python tests/engines`: one right engine, with one defect planted in it, and crossed with all",
        "the operations that it applies to.  Each has to be found by a property that is about it, at every run.",
        "",
        f"{len(found_by)} mutants, {len(missed)} missed.",
        *(f"- missed: {each}" for each in missed),
        "",
        "| defect | of | found by |",
        "| --- | --- | --- |",
        *(_row(defect, mutants) for defect, mutants in rows.items()),
    ]
    return "\n".join(lines)


def _row(defect: str, mutants: list[tuple[str, str]]) -> str:
    ops = [f"`{op}`" for op, _ in mutants if op]
    of = ", ".join(ops) if len(ops) <= 5 else f"{len(ops)} operations"
    counts = Counter(name or "**missed**" for _, name in mutants)
    names = [f"{name} ({count})" if count > 1 else name for name, count in counts.most_common()]
    shown = names if len(names) <= 5 else [*names[:3], f"and {len(names) - 3} more"]
    return f"| {defect} | {of} | {', '.join(shown)} |"


if __name__ == "__main__":
    sys.exit(main())
