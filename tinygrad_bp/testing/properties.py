"""What is tried on a scalar engine: each property by its name, in the order in which it is tried.

The right answer to a script is that of our own engine.  Properties of one operation come from the
table of rules, the same for each row.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from tinygrad_bp.testing import contexts, graphs, measures
from tinygrad_bp.testing.cases import FACTORS, FAR, IN_A_GRAPH, JOINS, Case, Measure, Plan
from tinygrad_bp.testing.contexts import FORM_NAMES
from tinygrad_bp.testing.forms import FORMS, Form

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tinygrad_bp.testing.engines import Engine

TAILS = ": tails"
SHAPES = ("repeated operand", "shared node", "equal numbers")
"""The properties of graphs that all that are larger depend on."""


class Property(NamedTuple):
    """What should be true of any scalar engine.

    Attributes:
        name: what it is called.
        statement: what it says.
        tries: the cases and measures, for a plan and an engine.
        needs: the properties that have to hold for it to tell anything.
        uses: the properties of which it takes those that hold.
        form: the form that it is about; tried once to see whether it is offered.
    """

    name: str
    statement: str
    tries: Callable[[Plan, Engine], Iterable[Case | Measure]]
    needs: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    form: Form | None = None


def _alone(form: Form) -> Property:
    needs = (form.name.replace("=", ""),) if form.in_place else ()
    statement = "Value and derivatives are right"
    return Property(form.name, statement, partial(contexts.alone, form), needs, form=form)


def _in_a_graph(form: Form, uses: tuple[str, ...]) -> Property:
    statement = "So they are with a gradient from above, beside other uses, and twice in a row"
    tries = partial(contexts.in_a_graph, form)
    return Property(form.name + IN_A_GRAPH, statement, tries, (form.name,), uses)


def _tails(form: Form) -> Property:
    statement = f"So they are, to {FAR:.0e}, over the whole domain"
    needs = (form.name, "tiny gradients", "huge gradients")
    return Property(form.name + TAILS, statement, partial(contexts.far, form), needs)


_BASIC = ("a + b", "a * b", "a - b", "a / b")
_SIZES = {
    "tiny gradients": (1e-6, 1e-9, 1e-12, 1e-30, 1e-100, 1e-200),
    "huge gradients": (1e6, 1e12, 1e30, 1e100, 1e200),
    "zero gradients": (0.0,),
    "infinite gradients": (math.inf, -math.inf),
    "nan gradients": (math.nan,),
}
_CONSTANTS = ("a * 2", "2 + a", "2 - a")
_OF_GRAPHS = (
    Property(
        "repeated operand",
        "A node that one operation uses twice counts twice",
        graphs.repeated_operand,
        uses=(*JOINS, *FACTORS),
    ),
    Property(
        "shared node",
        "A node passes its gradient on when all of it has come in",
        graphs.shared_node,
        uses=(*JOINS, *FACTORS),
    ),
    Property(
        "equal numbers",
        "Nodes with equal numbers are different nodes",
        graphs.equal_numbers,
        uses=(*JOINS, *FACTORS),
    ),
    Property(
        "same every time",
        "The same script gives the same again and again",
        graphs.same_every_time,
        ("shared node",),
        (*JOINS, *FACTORS),
    ),
)
_OF_PASSES = (
    Property(
        "random programs",
        "Random programs of all operations that hold are right",
        graphs.random_programs,
        SHAPES,
        FORM_NAMES,
    ),
    Property(
        "another graph",
        "A pass reaches its own graph alone",
        graphs.another_graph,
        uses=(*JOINS, *FACTORS),
    ),
    Property(
        "second pass",
        "A second pass adds exactly the same to the leaves",
        graphs.second_pass,
        SHAPES,
        FORM_NAMES,
    ),
    Property(
        "two results",
        "Passes from two results of one graph add up in the leaves",
        graphs.two_results,
        SHAPES,
        FORM_NAMES,
    ),
    Property(
        "inner gradients",
        "After a pass inner nodes have their gradients too",
        graphs.inner_gradients,
        SHAPES,
        FORM_NAMES,
    ),
    *(
        Property(
            name,
            "They pass through each operation as they are",
            partial(contexts.sizes, factors),
            ("a * b", "a + b" + IN_A_GRAPH) if 0.0 in factors else ("a * b",),
            FORM_NAMES,
        )
        for name, factors in _SIZES.items()
    ),
    Property(
        "sum()",
        "Python's own sum works, which begins with 0",
        graphs.builtin_sum,
        ("a + b", "2 + a"),
    ),
    Property(
        "training",
        "Data can be moved and gradients set to 0, step after step",
        graphs.training,
        uses=("repeated operand", *JOINS, *FACTORS),
    ),
    Property(
        "recording",
        "A pass tells of what was computed, though a leaf has moved since",
        lambda plan, engine: graphs.check_assignable(engine) or contexts.recording(plan, engine),
        uses=FORM_NAMES,
    ),
    Property(
        "old name",
        "After a += b, what had the name before is as it was",
        contexts.old_name,
        ("a * b", "a + b"),
        tuple(name for name, form in FORMS.items() if form.in_place),
    ),
    Property(
        "kinks",
        "The derivatives at a kink lie between the slopes beside it",
        measures.kinks,
        uses=tuple(measures.KINKED),
    ),
    Property(
        "powers of 0",
        "0 ** n has its value and derivative, for n = 0, 1, 2, 3",
        contexts.powers_of_zero,
        ("a ** n",),
        ("a ** b",),
    ),
    Property(
        "exponent 0", "a ** 0 is 1, and its derivative 0", contexts.exponent_zero, ("a ** n",)
    ),
    Property(
        "negative base",
        "Whole powers of negative numbers are right",
        contexts.negative_base,
        ("a ** n",),
        ("a ** b",),
    ),
    Property(
        "looking",
        "Printing, comparing and reading nodes changes nothing",
        measures.looking,
        uses=JOINS,
    ),
    Property(
        "many paths",
        "Time grows with the nodes of a graph, and not with the paths in it",
        measures.many_paths,
        ("repeated operand",),
        JOINS,
    ),
    Property(
        "deep graph",
        "A chain of a hundred thousand operations is differentiated",
        measures.deep_graph,
        uses=JOINS,
    ),
    Property(
        "memory",
        "Graphs that are dropped leave no memory behind",
        measures.memory,
        uses=FORM_NAMES,
    ),
    Property(
        "no cycles",
        "A graph is freed when it is dropped, without the cyclic collector",
        measures.no_cycles,
        uses=JOINS,
    ),
)


def _all() -> Iterator[Property]:
    """Each property once, what others need or use before them."""
    yield Property(
        "gradient before",
        "A gradient is 0 before a pass, and where no path leads",
        graphs.gradient_before,
        uses=("a + b",),
    )
    yield Property("pass from a leaf", "The derivative of a leaf for itself is 1", graphs.pass_from_a_leaf)  # fmt: skip
    yield from map(_alone, FORMS.values())
    joins = [FORMS[name] for name in JOINS if name in FORMS]
    for place, form in enumerate(joins):
        before = tuple(each.name + IN_A_GRAPH for each in joins[:place])
        yield _in_a_graph(form, (*before, *JOINS[::2], *FACTORS, *_CONSTANTS))
    yield from _OF_GRAPHS
    for form in FORMS.values():
        if form not in joins:
            yield _in_a_graph(form, (*SHAPES, *JOINS, *FACTORS, *_CONSTANTS))
    yield from _OF_PASSES
    for form in FORMS.values():
        if not form.in_place:
            yield _tails(form)


PROPERTIES: dict[str, Property] = {each.name: each for each in _all()}
"""Each property by its name, in the order in which they are tried."""
