"""Conformance: whether a scalar autograd engine, of whatever make, gives the right gradients.

Random programs are run on it and compared with exact answers, and named properties are tried: shared
nodes, second passes, deep graphs.  For what fails, the smallest program is told.  What an engine does
not offer is told too, and not held against it.

This room knows the engine under test by an `Engine` alone.
"""

from __future__ import annotations

import importlib
import math
import sys
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property, partial
from pathlib import Path
from random import Random
from textwrap import wrap
from typing import TYPE_CHECKING, Any, NamedTuple

from hypothesis import HealthCheck, Phase, find, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky, NoSuchExample

from tinygrad_bp.arithmetic import FLOAT
from tinygrad_bp.errors import ArgumentError
from tinygrad_bp.modules import make_callable
from tinygrad_bp.notation import in_text
from tinygrad_bp.rules import FUNCTION_NAMES, RULES
from tinygrad_bp.testing.claims import (
    PROPERTIES,
    Broken,
    Claim,
    NotOffered,
    NotTried,
    Overdue,
    guarded,
)
from tinygrad_bp.testing.exact import (
    DOUBLE,
    FORMS,
    Form,
    exact_answer,
    exact_programs,
    pruned,
    single_operations,
    smaller,
)
from tinygrad_bp.testing.strategies import OPERATIONS, Instruction, Program, operands
from tinygrad_bp.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import TypeVar

    _Example = TypeVar("_Example")

HOLDS, FAILS, NOT_OFFERED, NOT_TRIED = "holds", "fails", "not offered", "not tried"
EXAMPLES = 200

_METHODS = {"+": "__add__", "-": "__sub__", "*": "__mul__", "/": "__truediv__", "**": "__pow__", "neg": "__neg__", "abs": "__abs__"}  # fmt: skip
"""The operators of our table, and what Python calls them."""
_ROUNDED = (
    Form("a ** b", "**", (True, True)),
    Form("a ** 0.5", "**", (True, False)),
    Form("2 ** a", "**", (False, True)),
    *map(Form.of, (name for name in FUNCTION_NAMES if name not in {form.op for form in FORMS})),
)
"""The operations whose results are no fractions, and so have to be rounded."""

_ROUNDING = 1e-15  # absolute, where the truth is 0
_CUBE = Program((Fraction(3),), (Instruction("*", (0, 0)), Instruction("*", (1, 0))))
_FAR = 1e-6  # over the whole domain, where a right formula too may lose digits
_FEWEST = 8
_MODERATE = st.integers(-24, 24).map(lambda n: n / 8.0)
_EVERYWHERE = ", everywhere"


# ---- the engine under test


@dataclass(frozen=True, eq=False)
class Engine:
    """How to talk to a scalar engine.

    Attributes:
        make: a leaf of a float: for most engines the class itself.
        name: what to call it.
        data: the attribute that has a node's number.
        grad: the attribute that has its gradient after a pass; ``None`` there counts as 0.
        backward: the method that runs the pass.
        functions: operations by their names in our table, where they are no methods of a node.
        bits: of its floats: 53, or 24 if they are of single precision.

    Numbers are read with `float`, so that a tensor of no dimension will do.

    Raises:
        ArgumentError: a function has a name that our table has not, or there are too few or too many bits.

    >>> engine = Engine(Value, functions={"square": lambda a: a * a})
    >>> engine.derive(engine.operations["square"], 3.0)
    (9.0, 6.0)
    """

    make: Callable[[float], Any]
    name: str = ""
    data: str = "data"
    grad: str = "grad"
    backward: str = "backward"
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    bits: int = DOUBLE

    def __post_init__(self) -> None:
        unknown = [name for name in self.functions if name not in RULES]
        if unknown:
            raise ArgumentError(f"{unknown[0]!r} is none of {', '.join(FUNCTION_NAMES)}")
        if not _FEWEST <= self.bits <= DOUBLE:
            raise ArgumentError(f"the bits of a float are {_FEWEST} to {DOUBLE}, not {self.bits}")

    @cached_property
    def operations(self) -> dict[str, Callable[..., Any]]:
        """Each operation of our table: as an operator, as a method of a node, or as it was given."""
        methods = {
            name: partial(_call_method, name) for name in FUNCTION_NAMES if not RULES[name].variadic
        }
        return {**methods, **{op: OPERATIONS[op] for op in _METHODS}, **self.functions}

    def number(self, node: Any) -> float:
        """The number of a node."""
        return float(getattr(node, self.data))

    def gradient(self, node: Any) -> float:
        """The gradient of a node."""
        grad = getattr(node, self.grad)
        return 0.0 if grad is None else float(grad)

    def run_back(self, node: Any) -> None:
        """The pass from a node."""
        getattr(node, self.backward)()

    def offers(self, op: str) -> bool:
        """Whether there is a function, a method or an operator for an operation of our table."""
        if op in self.functions:
            return True
        method = _METHODS.get(op, op)
        return op in self.operations and callable(getattr(self.make(2.0), method, None))

    def derive(self, f: Callable[..., Any], *at: float) -> tuple[float, ...]:
        """The value of a function of nodes, and its derivative for each of them."""
        leaves = [*map(self.make, at)]
        out = f(*leaves)
        self.run_back(out)
        return self.number(out), *map(self.gradient, leaves)


def _call_method(name: str, node: Any, *others: Any) -> Any:
    return getattr(node, name)(*others)


def load(path: str, folder: Path | None = None, **settings: Any) -> Engine:
    """The engine at ``module:name``: a class of nodes, or an `Engine`.

    Args:
        path: where it is, as ``micrograd.engine:Value``.
        folder: where modules are looked for, too: by default where this was started.
        **settings: of the `Engine`, as ``grad="derivative"``.

    Raises:
        ArgumentError: there is none.

    >>> load("tinygrad_bp:Value").name
    'tinygrad_bp:Value'
    """
    module, _, name = path.partition(":")
    if not all(each.isidentifier() for each in (*module.split("."), *name.split("."))):
        raise ArgumentError(f"{path!r} is not of the form MODULE:NAME, as micrograd.engine:Value")
    here = str(folder or Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        with guarded():
            found: Any = importlib.import_module(module)
    except (Broken, Overdue, NotImplementedError) as error:
        raise ArgumentError(f"{module} cannot be imported: {error}") from error
    for each in name.split("."):
        if not hasattr(found, each):
            raise ArgumentError(f"{module} has no {name}")
        found = getattr(found, each)
    if isinstance(found, Engine):
        return replace(found, name=found.name or path, **settings)
    if not callable(found):
        raise ArgumentError(f"{path} is {found!r:.60}, and neither a class of nodes nor an Engine")
    return Engine(found, path, **settings)


# ---- the report


class Finding(NamedTuple):
    """What one property came to.

    Attributes:
        name: of the property.
        statement: what it says.
        verdict: ``"holds"`` or ``"fails"``; ``"not offered"`` where the engine has nothing to try it on,
            ``"not tried"`` where that would tell nothing.
        example: the smallest program, or call, for which it fails.
        found: what is wrong there; or why the property could not be tried.
    """

    name: str
    statement: str
    verdict: str
    example: str = ""
    found: str = ""


@dataclass(frozen=True, repr=False)
class Report:
    """What `conformance` found; printed, it is a table.

    Attributes:
        engine: its name.
        findings: one for each property.
    """

    engine: str
    findings: tuple[Finding, ...]

    def having(self, verdict: str) -> list[Finding]:
        """The findings with one verdict."""
        return [each for each in self.findings if each.verdict == verdict]

    @property
    def holds(self) -> bool:
        """Whether nothing failed."""
        return not self.having(FAILS)

    def __str__(self) -> str:
        held, failed = self.having(HOLDS), self.having(FAILS)
        missing, untried = (
            [each for each in self.having(verdict) if not each.name.endswith(_EVERYWHERE)]
            for verdict in (NOT_OFFERED, NOT_TRIED)  # what holds nowhere is told once
        )
        counts = f"{len(held)} hold, {len(failed)} fail"
        counts += f", {len(untried)} not tried" * bool(untried) + f", {len(missing)} not offered"
        lines = [f"{self.engine}: {counts}"]
        width = max(len(each.name) for each in self.findings)
        for finding in self.findings:
            if finding.verdict in (HOLDS, FAILS):
                verdict = finding.verdict.upper() if finding.verdict == FAILS else finding.verdict
                lines.append(f"  {finding.name:{width}}  {verdict}  {finding.statement}")
            if finding.verdict == FAILS:
                lines += [f"  {'':{width}}    {each}" for each in (finding.example, finding.found)]
        for what, names in (
            ("not tried", [f"{each.name} ({each.found})" for each in untried]),
            ("not offered", [each.name for each in missing]),
        ):
            if names:
                whole = (name.replace(" ", "\N{NO-BREAK SPACE}") for name in names)
                wrapped = wrap(f"{what}: {', '.join(whole)}", 98, subsequent_indent="  ")
                lines += [f"  {line}".replace("\N{NO-BREAK SPACE}", " ") for line in wrapped]
        return "\n".join(lines)

    __repr__ = __str__

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data, for JSON."""
        return {"engine": self.engine, "findings": [each._asdict() for each in self.findings]}


# ---- the properties


class _Failure(NamedTuple):
    example: str
    found: str


class _VoidError(Exception):
    """An example has nothing to compare."""


_REFUSALS = (
    *("TypeError: unsupported operand", "TypeError: bad operand", "TypeError: can only"),
    "AssertionError",
)
"""What an operator raises that is not there, or not for such operands."""


class Suite:
    """All properties, to be tried on one engine, each by its name.

    Args:
        engine: the engine under test; a class of nodes will do.
        examples: how many programs to try for each property.
        seed: other examples for another number.

    Raises:
        ArgumentError: it makes no node with a number, a gradient and a pass, or there are no examples.

    >>> suite = Suite(Value, examples=20)
    >>> suite.check("second pass").verdict
    'holds'
    """

    def __init__(
        self, engine: Engine | Callable[[float], Any], examples: int = EXAMPLES, seed: int = 0
    ) -> None:
        if not isinstance(engine, Engine):
            engine = Engine(engine, getattr(engine, "__qualname__", repr(engine)))
        if examples < 1:
            raise ArgumentError(f"there have to be examples, not {examples}")
        try:
            with guarded():
                leaf = engine.make(2.0)
                engine.number(leaf), engine.gradient(leaf), getattr(leaf, engine.backward)
        except (Broken, Overdue, NotImplementedError) as error:
            raise ArgumentError(
                f"{engine.name} makes no node of a float with a number in {engine.data!r}, its gradient in "
                f"{engine.grad!r} and a method {engine.backward!r}: {error}; say what they are called, "
                "or write an Engine"
            ) from error
        self.engine = engine
        self.examples = examples
        self.seed = seed
        self._found: dict[str, Finding] = {}
        self._properties = self._by_name()

    def _by_name(self) -> dict[str, tuple[str, Callable[[], _Failure | None]]]:
        """For each property what it says, and what looks for a failure."""
        properties: dict[str, tuple[str, Callable[[], _Failure | None]]] = {
            form.name: ("Value and derivatives are exact", partial(self._operation, form))
            for form in FORMS
        }
        properties["random programs"] = (
            "So they are in programs of several operations",
            self._programs,
        )
        properties["second pass"] = (
            "A second pass adds exactly the same to the leaves",
            partial(self._passes, -1, -1),
        )
        properties["two results"] = (
            "Passes from two results of one graph add up in the leaves",
            partial(self._passes, -2, -1),
        )
        for name, (claims, needs) in PROPERTIES.items():
            said = (claims.__doc__ or "").rstrip(".")
            properties[name] = said, partial(self._claims, claims, needs)
        for form in _ROUNDED:
            near = f"Value and derivatives are right to {_nearness(self.engine):.0e}"
            far = f"So they are, to {_FAR:.0e}, in the tails and at the edges"
            properties[form.name] = near, partial(self._function, form)
            if form.nodes != (True, False):  # of huge exponents even the sign is lost to rounding
                properties[form.name + _EVERYWHERE] = far, partial(self._everywhere, form)
        return properties

    @property
    def names(self) -> tuple[str, ...]:
        """The properties, by name."""
        return tuple(self._properties)

    def check(self, name: str) -> Finding:
        """Try one property; what was found once is kept.

        Raises:
            ArgumentError: there is none of that name.
        """
        if name not in self._properties:
            raise ArgumentError(f"{name!r} is none of {', '.join(self._properties)}")
        if name not in self._found:
            statement, look = self._properties[name]
            try:
                failure = look()
            except (NotOffered, NotImplementedError) as reason:
                self._found[name] = Finding(name, statement, NOT_OFFERED, found=str(reason))
            except NotTried as reason:
                self._found[name] = Finding(name, statement, NOT_TRIED, found=str(reason))
            except Overdue as reason:
                self._found[name] = Finding(name, statement, FAILS, reason.example, str(reason))
            else:
                verdict = FAILS if failure else HOLDS
                self._found[name] = Finding(name, statement, verdict, *(failure or ()))
        return self._found[name]

    def report(self) -> Report:
        """Try them all."""
        return Report(self.engine.name, tuple(map(self.check, self._properties)))

    # ---- what is offered, and what holds by itself

    def _require(self, form: Form) -> None:
        """Try an operation once.

        Raises:
            NotOffered: the engine has it not, or says so.
        """
        rule, make = RULES[form.op], self.engine.make
        x = 2.0 if FLOAT.in_domain(rule, (2.0,) * rule.arity) else 0.5
        try:
            with guarded(form.name):
                if not (form.nodes and form.nodes[0] is False) and not self.engine.offers(form.op):
                    raise NotOffered(f"there is no {form.op}")
                lists = [[make(x)] for _ in range(rule.arity)]
                given = lists if rule.variadic else _given(form, make, (x,) * rule.arity)
                self.engine.operations[form.op](*given)
        except Broken as error:
            if str(error).startswith(_REFUSALS) and form.op in _METHODS:
                raise NotOffered(str(error)) from error

    def _need(self, *names: str) -> None:
        """Go on only if some operations hold by themselves.

        Raises:
            NotOffered: the engine has not one of them.
            NotTried: one of them fails.
        """
        for name in names:
            verdict = self.check(name).verdict
            if verdict == NOT_OFFERED:
                raise NotOffered(f"there is no {name}")
            if verdict != HOLDS:
                raise NotTried(f"{name} fails" if verdict == FAILS else f"{name} is {verdict}")

    # ---- programs

    def _failure(self, program: Program, results: Sequence[int]) -> _Failure | None:
        """What the engine does wrong with a program, and passes from some of its registers.

        Raises:
            _VoidError: there is nothing to compare.
        """
        engine = self.engine
        answer = exact_answer(program, results, engine.bits)
        if answer is None or len(program.instructions) < -min(results):  # a leaf is no result
            raise _VoidError
        try:
            with guarded(program):
                leaves = [engine.make(float(each)) for each in program.leaves]
                registers = program.run(leaves, operations=engine.operations, constant=_plain)
                values = [*map(engine.number, registers)]
                for place in results:
                    engine.run_back(registers[place])
                after = [*map(engine.number, registers)]
                found = [*map(engine.gradient, leaves)]
        except NotImplementedError:  # a refusal of these operands
            raise _VoidError from None
        except Broken as error:
            return _Failure(str(program), str(error))
        passes = " and then from ".join(f"v{range(len(registers))[place]}" for place in results)
        for what, wanted, got in (
            ("v{place} is", answer.values, values),
            ("after the pass v{place} is", answer.values, after),
            (
                f"after the pass from {passes} the gradient of v{{place}} is",
                answer.gradients,
                found,
            ),
        ):
            for place, (want, have) in enumerate(zip(wanted, got, strict=True)):
                if want != have:
                    wrong = f"{what.format(place=place)} {want}; the engine has {have!r}"
                    return _Failure(str(program), wrong)
        return None

    def _one_pass_too_many(self, program: Program, results: Sequence[int]) -> _Failure | None:
        """What is wrong after several passes where each by itself is right."""
        found = self._failure(program, results)
        if found and any(self._failure(program, [place]) for place in {*results}):
            return None
        return found

    def _smallest(
        self,
        strategy: st.SearchStrategy[_Example],
        failure: Callable[[_Example], _Failure | None],
        examples: int,
    ) -> tuple[_Example, _Failure] | None:
        """The smallest example for which anything fails, and what does.

        Raises:
            NotTried: no example had anything to compare.
        """
        failures: list[tuple[_Example, _Failure]] = []
        compared = 0

        def fails(example: _Example) -> bool:
            nonlocal compared
            try:
                found = failure(example)
            except _VoidError:
                return False
            compared += 1
            if found is not None:
                failures.append((example, found))
            return found is not None

        try:
            find(
                strategy,
                fails,
                settings=settings(
                    max_examples=examples,
                    phases=[Phase.generate, Phase.shrink],
                    deadline=None,
                    database=None,
                    suppress_health_check=[*HealthCheck],
                ),
                random=Random(self.seed),  # noqa: S311 - everyone sees the same
            )
        except NoSuchExample:
            if not compared:
                raise NotTried("none of the examples is exact") from None
            return None
        except Flaky:
            example, (told_as, found) = failures[-1]
            return example, _Failure(told_as, f"{found}; and another time not")
        return failures[-1]  # find tries the smallest once more at the end

    def _operation(self, form: Form) -> _Failure | None:
        self._require(form)
        few = self.examples // 2 + 1  # of programs of one operation most are soon alike
        smallest = self._smallest(
            single_operations(form), partial(self._failure, results=[-1]), few
        )
        return smallest and smallest[1]

    def _held(self) -> list[Form]:
        """The operations that hold by themselves, so that what fails is not they.

        Raises:
            NotOffered: none does.
        """
        held = [form for form in FORMS if self.check(form.name).verdict == HOLDS]
        if not held:
            raise NotOffered("no operation holds by itself")
        return held

    def _programs(self) -> _Failure | None:
        return self._smallest_program(partial(self._failure, results=[-1]), [-1])

    def _passes(self, *results: int) -> _Failure | None:
        self._need("a * b")
        engine, cube = self.engine, _CUBE
        first, second = results
        try:
            with guarded(cube):
                registers = cube.run([engine.make(3.0)], operations=engine.operations)
                engine.run_back(registers[first])
        except Broken as error:
            return _Failure(str(cube), str(error))
        try:
            with guarded(cube):
                engine.run_back(registers[second])
        except Broken as error:
            if str(error).startswith("RuntimeError"):  # as PyTorch, which frees its graph
                raise NotOffered(f"refused: {error}") from error
            return _Failure(str(cube), str(error))
        return self._smallest_program(partial(self._one_pass_too_many, results=results), results)

    def _smallest_program(
        self, failure: Callable[[Program], _Failure | None], results: Sequence[int]
    ) -> _Failure | None:
        """What fails in the smallest program of the operations that hold by themselves."""
        smallest = self._smallest(exact_programs(self._held()), failure, self.examples)
        while smallest:
            program, found = smallest
            smallest = None
            for each in (program, *smaller(program)):
                less = pruned(each, results)
                with suppress(_VoidError):
                    if less != program and (other := failure(less)):
                        smallest = less, other
                        break
            if smallest is None:
                return found
        return None

    def _claims(
        self, claims: Callable[[Engine], Iterator[Claim]], needs: tuple[str, ...]
    ) -> _Failure | None:
        """The first claim that is not true."""
        self._need(*needs)
        cases, example = claims(self.engine), "on the way"
        try:
            while True:
                with guarded(example):
                    case = next(cases, None)
                if case is None:
                    return None
                example, wanted, run = case
                with guarded(example):
                    got = run()
                if got != wanted:
                    found = f"should give {_listed(wanted)}; gives {_listed(got)}"
                    return _Failure(example, found)
        except Broken as error:
            return _Failure(example, str(error))

    # ---- functions

    def _function(self, form: Form) -> _Failure | None:
        self._require(form)
        points = st.tuples(*[_MODERATE] * RULES[form.op].arity)
        return self._point(form, points, _nearness(self.engine), 1e-3)

    def _everywhere(self, form: Form) -> _Failure | None:
        self._need(form.name)
        if self.engine.bits < DOUBLE:
            raise NotOffered("single precision has another range")
        return self._point(form, operands(RULES[form.op]), _FAR, 0.0)

    def _point(
        self, form: Form, points: st.SearchStrategy[Any], allowed: float, least: float
    ) -> _Failure | None:
        """The simplest point at which an operation is off by more than is allowed.

        Args:
            form: the operation.
            points: where to try it.
            allowed: relative to the truth,
            least: or to this number, if the truth is nearer to 0.
        """
        rule = RULES[form.op]

        def failure(at: tuple[float, ...]) -> _Failure | None:
            if not FLOAT.in_domain(rule, at) or FLOAT.at_kink(rule, at):
                raise _VoidError
            if form.op == "**" and at[0] == 0.0:  # a property of its own
                raise _VoidError
            true = OPERATIONS[form.op](*_given(form, Value, at))
            wanted = true.data, *true.local_derivatives
            if not all(map(_is_normal, (*at, *wanted))):
                raise _VoidError
            engine = self.engine
            example = f"{_call(form, at)}: the value and the derivatives"
            try:
                with guarded(example):
                    given = _given(form, engine.make, at)
                    out = engine.operations[form.op](*given)
                    engine.run_back(out)
                    nodes = [each for each, node in zip(given, form.nodes, strict=True) if node]
                    got = engine.number(out), *map(engine.gradient, nodes)
            except NotImplementedError:
                raise _VoidError from None
            except Broken as error:
                return _Failure(example, str(error))
            near = [
                abs(have - want) <= max(allowed * max(abs(want), least), _ROUNDING * (want == 0.0))
                for want, have in zip(wanted, got, strict=True)
            ]
            found = f"should give {_listed(wanted)}; gives {_listed(got)}"
            return None if all(near) else _Failure(example, found)

        smallest = self._smallest(points, failure, self.examples)
        return smallest and smallest[1]


def _call(form: Form, at: Sequence[float]) -> str:
    """The operation, and where: ``0.5 ** a, at a = 2.0``."""
    names = [name if node else repr(x) for name, x, node in zip("ab", at, form.nodes, strict=False)]
    call = in_text(RULES[form.op]).on(names)
    where = ", ".join(f"{name} = {x}" for name, x in zip(names, at, strict=True) if name in "ab")
    return f"{call}, at {where}"


def _nearness(engine: Engine) -> float:
    """How near a right formula comes at moderate operands, relatively; a wrong one not at all of them."""
    return max(1e-9, 1e4 * 2.0**-engine.bits)


def _plain(number: Fraction) -> int | float:
    return number.numerator if number.denominator == 1 else float(number)


def _given(form: Form, make: Callable[[float], Any], at: Sequence[float]) -> list[Any]:
    return [make(x) if node else x for x, node in zip(at, form.nodes, strict=True)]


def _is_normal(number: float) -> bool:
    return number == 0.0 or sys.float_info.min <= abs(number) < math.inf


def _listed(numbers: tuple[float, ...]) -> str:
    return ", ".join(map(repr, numbers))


# ---- the check


def conformance(
    engine: Engine | Callable[[float], Any], examples: int = EXAMPLES, seed: int = 0
) -> Report:
    """Try all properties on a scalar engine.

    Args:
        engine: a class of nodes, which is called with a float and whose nodes have ``data``, ``grad``
            and ``backward()``; or an `Engine`, which says how else they are called.
        examples: how many programs, or points, to try for each property.
        seed: other examples for another number.

    Returns:
        The report; `Report.holds` tells whether nothing failed.

    Raises:
        ArgumentError: it makes no such nodes.

    >>> from tinygrad_bp.testing import conformance
    >>> conformance(Value, examples=10).holds
    True
    """
    return Suite(engine, examples, seed).report()


make_callable(__name__)
