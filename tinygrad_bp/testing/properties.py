"""What is tried on a scalar engine: each property by its name, in the order in which they are tried.

The right answer to a script is that of our own engine; what no script can say is a measure.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tinygrad_bp.testing import form_cases, graph_cases, measures
from tinygrad_bp.testing.cases import FACTORS, FAR, IN_A_GRAPH, JOINS, SCALES, TAILS, Property
from tinygrad_bp.testing.forms import FORMS, Form, moderate_points
from tinygrad_bp.testing.scripts import Leaf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tinygrad_bp.testing.scripts import Script

_JOINED = tuple(name + IN_A_GRAPH for name in JOINS)
_SHAPES = ("repeated operand", "shared node", "equal numbers", "unnamed nodes")
"""The properties of graphs that all that are larger depend on."""
_GRAPHS = (_JOINED, SCALES)
_LARGE_GRAPHS = (*_GRAPHS, *_SHAPES)
_PARTS = (*JOINS, *_JOINED, *SCALES)
"""What graphs are built of, as far as it holds."""
_ALL_FORMS = tuple(name + end for end in ("", IN_A_GRAPH) for name in FORMS)
_IN_PLACE = tuple(name for name, form in FORMS.items() if form.in_place)


def _properties() -> Iterator[Property]:
    yield from _of_leaves()
    for form in FORMS.values():
        yield _alone(form)
    for place, name in enumerate(JOINS):
        yield _in_a_graph(FORMS[name], (*_JOINED[:place], *SCALES))
    yield from _of_graphs()
    for form in FORMS.values():
        if form.name not in JOINS:
            yield _in_a_graph(form, (*_PARTS, *_SHAPES, "2 + a", "2 - a"))
    yield from _of_large_graphs()
    yield from _of_gradients()
    yield from _of_the_rest()
    for form in FORMS.values():
        if not form.in_place:
            yield _tails(form)


def _alone(form: Form) -> Property:
    at = moderate_points(form)[0]
    offered: Script = (*map(Leaf, at.nodes), form.apply(tuple(range(len(at.nodes))), at.plain))
    needs = (form.name.replace("=", ""),) if form.in_place else ()
    tries = partial(form_cases.alone, form)
    return Property(form.name, "Value and derivatives are right", tries, needs, offered=offered)


def _in_a_graph(form: Form, uses: tuple[str, ...]) -> Property:
    statement = "So they are with a gradient from above, beside other uses, and twice in a row"
    tries = partial(form_cases.in_a_graph, form)
    return Property(form.name + IN_A_GRAPH, statement, tries, (form.name, SCALES), uses)


def _tails(form: Form) -> Property:
    statement = f"So they are, to {FAR:.0e}, over the whole domain"
    tries = partial(form_cases.tails, form)
    sizes = ("tiny gradients", "huge gradients")
    return Property(form.name + TAILS, statement, tries, (form.name,), spoiled_by=sizes)


def _of_leaves() -> Iterator[Property]:
    yield Property(
        "gradient before",
        "A gradient is 0 before a pass, and where no path leads",
        graph_cases.gradient_before,
        uses=("a + b",),
    )
    yield Property(
        "pass from a leaf",
        "The derivative of a leaf for itself is 1",
        graph_cases.pass_from_a_leaf,
    )


def _of_graphs() -> Iterator[Property]:
    yield Property(
        "repeated operand",
        "A node that one operation uses twice counts twice",
        graph_cases.repeated_operand,
        _GRAPHS,
        _PARTS,
    )
    yield Property(
        "shared node",
        "A node passes its gradient on when all of it has come in",
        graph_cases.shared_node,
        _GRAPHS,
        (*_PARTS, "repeated operand"),
    )
    yield Property(
        "equal numbers",
        "Nodes with equal numbers are different nodes",
        graph_cases.equal_numbers,
        _GRAPHS,
        _PARTS,
    )
    yield Property(
        "unnamed nodes",
        "A node counts though no name holds it any more",
        measures.unnamed_nodes,
        _GRAPHS,
        _PARTS,
    )


def _of_large_graphs() -> Iterator[Property]:
    yield Property(
        "random programs",
        "So they are in random programs of all that holds",
        graph_cases.random_programs,
        _LARGE_GRAPHS,
        _ALL_FORMS,
    )
    yield Property(
        "another graph",
        "A pass reaches its own graph alone",
        graph_cases.another_graph,
        _GRAPHS,
        _PARTS,
    )
    yield Property(
        "second pass",
        "A second pass adds exactly the same to the leaves",
        graph_cases.second_pass,
        _LARGE_GRAPHS,
        _ALL_FORMS,
    )
    yield Property(
        "two results",
        "Passes from two results of one graph add up in the leaves",
        graph_cases.two_results,
        _LARGE_GRAPHS,
        _ALL_FORMS,
    )
    yield Property(
        "continued graph",
        "A graph can go on after a pass, and have another one",
        graph_cases.continued,
        _LARGE_GRAPHS,
        _ALL_FORMS,
    )
    yield Property(
        "inner gradients",
        "After a pass inner nodes have their gradients too",
        graph_cases.inner_gradients,
        _LARGE_GRAPHS,
        _ALL_FORMS,
    )


def _of_gradients() -> Iterator[Property]:
    for name, factors in form_cases.GRADIENTS.items():
        yield Property(
            name,
            "They pass through each operation as they are",
            partial(form_cases.sizes, factors),
            (FACTORS, _JOINED),
            _ALL_FORMS,
        )


def _of_the_rest() -> Iterator[Property]:
    yield Property(
        "sum()",
        "Python's own sum works, which begins with 0",
        graph_cases.builtin_sum,
        ("a + b",),
        spoiled_by=("2 + a", "unnamed nodes"),
        offered=graph_cases.BUILTIN_SUM,
    )
    yield Property(
        "whole numbers",
        "Leaves that are made of whole numbers are like others",
        form_cases.whole_numbers,
        _GRAPHS,
        _ALL_FORMS,
        offered=(Leaf(3),),
    )
    yield Property(
        "training",
        "Data can be moved and gradients set to 0, step after step",
        graph_cases.training,
        _GRAPHS,
        (*_PARTS, "repeated operand"),
    )
    yield Property(
        "recording",
        "A pass tells of what was computed, though a leaf has moved since",
        graph_cases.recording,
        (JOINS,),
        _ALL_FORMS,
    )
    yield Property(
        "old name",
        "After a += b, what had the name before is as it was",
        graph_cases.old_name,
        _GRAPHS,
        (*_PARTS, *_IN_PLACE),
    )
    yield Property(
        "looking",
        "To print or to compare nodes changes nothing",
        graph_cases.looking,
        _GRAPHS,
        _PARTS,
    )
    yield Property(
        "comparisons",
        "Nodes are compared as their numbers are",
        measures.comparisons,
    )
    yield Property(
        "kinks",
        "The derivatives at a kink lie between the slopes beside it",
        measures.kinks,
        uses=measures.KINKED,
    )
    yield Property(
        "powers of 0",
        "0 ** n has its value and derivative, for n = 0, 1, 2, 3",
        form_cases.powers_of_zero,
        ("a ** n",),
        ("a ** b",),
    )
    yield Property(
        "exponent 0",
        "a ** 0 is 1, and its derivative 0",
        form_cases.exponent_zero,
        ("a ** n",),
    )
    yield Property(
        "negative base",
        "Whole powers of negative numbers are right",
        form_cases.negative_base,
        ("a ** n",),
        ("a ** b",),
    )
    yield Property(
        "many paths",
        "Time grows with the nodes of a graph, and not with the paths in it",
        measures.many_paths,
        (("a + b", "a * b"), "repeated operand"),
        ("a + b", "a * b"),
        ("unnamed nodes",),
    )
    yield Property(
        "deep graph",
        "A chain of a hundred thousand operations is differentiated",
        measures.deep_graph,
        (("a + b in a graph", "a * b in a graph"),),
        ("a + b", "a * b"),
        ("unnamed nodes",),
    )
    yield Property(
        "same every time",
        "The same script gives the same again and again",
        graph_cases.same_every_time,
        _GRAPHS,
        (*_PARTS, "shared node"),
    )
    yield Property(
        "memory",
        "Graphs that are dropped leave no memory behind",
        measures.memory,
        _GRAPHS,
        (*_PARTS, *_ALL_FORMS),
    )
    yield Property(
        "no cycles",
        "A graph is freed when it is dropped, without the cyclic collector",
        measures.no_cycles,
        _GRAPHS,
        _PARTS,
    )


PROPERTIES: dict[str, Property] = {each.name: each for each in _properties()}
"""Each property by its name, in the order in which they are tried: what others need comes first."""
