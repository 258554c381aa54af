"""How a row of the table is turned into code for a number type.

An `Arithmetic` is one number type's functions and its reading of the literals in the table;
`Arithmetic.kernel` compiles a row for it.  This module may not know any number type.
"""

from __future__ import annotations

from tinygrad_bp.errors import ExactnessError
from tinygrad_bp.numbers.floats import is_nan
from tinygrad_bp.quoting import visible
from tinygrad_bp.table.rules import CONSTANTS, HELPERS, PARAMETERS, RULES, Rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import CodeType
    from typing import Any, TypeAlias

    from tinygrad_bp.table.expression import Dialect

    Number: TypeAlias = Any
    """Anything that behaves as a real number: the types are open, so no closed union says it."""


def _one(*_: object) -> int:
    """The derivative of a conversion; pickle finds it by its name."""
    return 1


def _as_it_is(operand: Number) -> Number:
    return operand


class Arithmetic:
    """One number type: its functions, its literals, and the rows compiled for it.

    Args:
        name: the type, as a message names it.
        own: its own functions and constants, by the names that the table uses.
        literal: reads a float literal of the table as this type; ``None`` leaves it a float.
        reads: for a row, which operands that meet this type it takes as one of this type; ``None`` if
            it takes all as they are.  The answer may not hold on to the row, whose compiled form
            holds the answer.
        convert: makes one of this type of it; a function that pickle finds by its name.
        result: makes one of this type of what comes out, where plain numbers might; a literal of the
            table stays as it is.
        missing: whether a number is a nan that refuses to be compared.
        derivatives: those of some rows as this type has them, without the branches that keep floats
            in range; by the name of the row.
        symbolic: comparisons may stay undecided, as those of symbols do.
    """

    def __init__(
        self,
        name: str,
        own: Mapping[str, Any],
        *,
        literal: Callable[[float], Number] | None = None,
        reads: Callable[[Rule], Callable[[Number], bool] | None] | None = None,
        convert: Callable[[Any], Number] | None = None,
        result: Callable[[Any], Number] | None = None,
        missing: Callable[[Number], bool] | None = None,
        derivatives: Mapping[str, tuple[str, ...]] | None = None,
        symbolic: bool = False,
    ) -> None:
        self.name = name
        self.symbolic = symbolic
        self.own = own
        self.literal = literal
        self.conversion = Rule("identity", convert, (_one,)) if convert else None
        self._reads = reads
        self._convert = convert
        self.missing = missing
        self.derivatives = derivatives or {}
        # The notation is Python, so that the table's texts are code for a type that reads them as floats do.
        self._reads_texts = not literal and not symbolic and own.keys() >= {*CONSTANTS}
        self._own_dialect: Dialect | None = None
        self._result = result
        self._namespace: dict[str, Any] = {"zip": zip, "result": result}

    def kernel(self, rule: Rule, wrt: tuple[int, ...]) -> Callable[..., tuple[Number, ...]]:
        """The row as one function of the operands: the value, then the derivatives asked for.

        Args:
            rule: a row of the table, or a user's own.
            wrt: the operands to differentiate for, by position.  For a variadic row the operands
                are whole lists, and so are the derivatives.

        Raises:
            ExactnessError: when called, where this type cannot do the operation.
        """
        if (self, wrt) not in rule.compiled:
            rule.compiled[self, wrt] = self._reading(rule, self._build(rule, wrt))
        kernel: Callable[..., tuple[Number, ...]] = rule.compiled[self, wrt]
        return kernel

    def _reading(self, rule: Rule, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, given each of its operands as this type reads it."""
        read = self.reader(rule)
        if read is _as_it_is:
            return function
        if rule.variadic:
            return lambda *columns: function(*([*map(read, column)] for column in columns))
        return lambda *operands: function(*map(read, operands))

    def reader(self, rule: Rule) -> Callable[[Number], Number]:
        """How an operation in this type takes an operand: as one of this type, where that is needed."""
        convert, conversion = self._convert, rule.brief_derivatives == (_one,)  # reads for itself
        reads = self._reads(rule) if self._reads and not conversion else None
        if convert is None or reads is None:
            return _as_it_is
        return lambda operand: convert(operand) if reads(operand) else operand

    def at_nan(self, rule: Rule, numbers: Iterable[Number]) -> bool:
        """Whether an operand is a nan that the row could not compare."""
        return self.missing is not None and rule.written and any(map(self.missing, numbers))

    def _build(self, rule: Rule, wrt: tuple[int, ...]) -> Callable[..., tuple[Number, ...]]:
        if rule.written:
            shared, value, chosen = self.source(rule, wrt)
            if self._result:
                value = made_by("result", value)
                lists = rule.variadic
                chosen = [
                    f"[*map(result, {each})]" if lists else made_by("result", each)
                    for each in chosen
                ]
            found = ", ".join(["out", *(f"({each})" for each in chosen)])
            return self._function(rule, (*shared, f"out = {value}", f"return ({found},)"))
        function = self._value(rule)
        derivatives = [self.derivative(rule, slot) for slot in wrt]

        def kernel(*operands: Number) -> tuple[Number, ...]:
            out = function(*operands)
            return (out, *[derivative(*operands, out) for derivative in derivatives])

        return kernel

    def source(self, rule: Rule, wrt: tuple[int, ...]) -> tuple[list[str], str, list[str]]:
        """A written row in Python: statements for what is shared, the value, derivatives for operands.

        The value is a call of this type's own function of that name, where it has one, which knows
        better.  Of a variadic row a derivative is that of the whole list.
        """
        texts = [self._derivative_of(rule, slot) for slot in wrt]
        derivatives = [self._of_lists(rule, self._text(rule, each, "derivative")) for each in texts]
        if rule.name in self.own and rule.in_table:
            value = f"{rule.name}({', '.join(PARAMETERS[: rule.arity])})"
        else:
            texts.append(rule.brief_value)
            value = self._text(rule, rule.brief_value)
        return self._shared(rule, *texts), value, derivatives

    @property
    def _dialect(self) -> Dialect:
        if self._own_dialect is None:
            from tinygrad_bp.table.expression import DEFERRED, PYTHON, Dialect

            self._own_dialect = Dialect(
                DEFERRED if self.symbolic else PYTHON,
                number=self._literal if self.literal else repr,
                name=self._constant,
            )
        return self._own_dialect

    def _text(self, rule: Rule, text: Any, part: str = "value") -> str:
        """An expression of the row in Python: as it stands, or else printed from its tree."""
        if self._reads_texts and rule.in_table:
            return str(text)
        return self._dialect.text(rule.tree(text, part))

    def _shared(self, rule: Rule, *texts: str) -> list[str]:
        """Statements for the parts that some expressions share."""
        return [f"{name} = {self._text(rule, part)}" for name, part in rule.lets(*texts)]

    def _derivative_of(self, rule: Rule, slot: int) -> Any:
        """The row's derivative for an operand, or this type's own."""
        own = self.derivatives.get(rule.name) if rule.in_table else None
        return (own or rule.brief_derivatives)[slot]

    def _of_lists(self, rule: Rule, derivative: str) -> str:
        """That of a variadic row, written for one element, as one of whole lists."""
        parameters = PARAMETERS[: rule.arity]
        if not rule.variadic or derivative in parameters:  # a parameter is a list as it is
            return derivative
        each = ", ".join(parameters)
        return f"[{derivative} for {each} in {f'zip({each})' if rule.arity > 1 else each}]"

    def _value(self, rule: Rule) -> Callable[..., Any]:
        value = rule.brief_value
        if not isinstance(value, str):
            return value
        answer = f"return {self._text(rule, value)}"
        return self._function(rule, (*self._shared(rule, value), answer))

    def derivative(self, rule: Rule, slot: int) -> Callable[..., Any]:
        """One derivative of the row, as a function of the operands and then the output.

        For a variadic row the operands are whole lists, and so is the derivative.
        """
        if (self, slot) not in rule.compiled:
            rule.compiled[self, slot] = self._derivative(rule, slot)
        function: Callable[..., Any] = rule.compiled[self, slot]
        return function

    def _derivative(self, rule: Rule, slot: int) -> Callable[..., Any]:
        derivative: Callable[..., Any] | str = self._derivative_of(rule, slot)
        if not isinstance(derivative, str):
            return derivative
        answer = f"return {self._of_lists(rule, self._text(rule, derivative, 'derivative'))}"
        return self._function(rule, (*self._shared(rule, derivative), answer), "out")

    def in_domain(self, rule: Rule, operands: tuple[Number, ...]) -> bool:
        """Whether the operation has a value at the operands; nan meets every condition on it."""
        if not rule.domain:
            return True
        if (self, "domain") not in rule.compiled:
            rule.compiled[self, "domain"] = self._domain(rule)
        try:
            met = rule.compiled[self, "domain"](*operands)
        except OverflowError:  # of an exact number that is too large, whatever the condition
            raise
        except (ArithmeticError, ValueError):
            if (
                rule.in_table
            ):  # it is the number type that cannot say, as a Decimal of its remainder
                raise
            return False  # a condition of the user's that cannot be asked is not met
        return bool(met) if not self.symbolic else met != False  # noqa: E712 - undecided is inside

    def _domain(self, rule: Rule) -> Callable[..., Any]:
        test, missing = self._condition(rule, rule.domain), self.missing or is_nan
        asked = rule.domain_operands
        places = [place for place, name in enumerate(PARAMETERS) if name in asked]
        return lambda *given: any(missing(given[k]) for k in places) or test(*given)

    def at_kink(self, rule: Rule, operands: tuple[Number, ...]) -> bool:
        """Whether the derivatives at the operands are but a convention."""
        return self._holds(rule, rule.kink, operands)

    def at_bend(self, rule: Rule, operands: tuple[Number, ...]) -> bool:
        """Whether the derivatives at the operands have no derivatives themselves."""
        return self._holds(rule, rule.bend, operands)

    def _holds(self, rule: Rule, condition: str, operands: tuple[Number, ...]) -> bool:
        """Whether a condition holds for certain; of nan none does."""
        if not condition or any(map(self.missing or is_nan, operands)):
            return False
        return bool(self._condition(rule, condition)(*operands) == True)  # noqa: E712 - not undecided

    def _condition(self, rule: Rule, text: str) -> Callable[..., Any]:
        """A test on the operands."""
        if (self, text) not in rule.compiled:
            function = self._function(rule, (f"return {self._text(rule, text, 'condition')}",))
            rule.compiled[self, text] = self._reading(rule, function)
        test: Callable[..., Any] = rule.compiled[self, text]
        return test

    def _function(self, rule: Rule, body: Iterable[str], *more: str) -> Callable[..., Any]:
        """A function of the row's operands: its names are looked up in this type's functions."""
        others = ["*_"] * (rule.arity > len(PARAMETERS))
        parameters = ", ".join((*PARAMETERS[: rule.arity], *others, *more))
        source = f"def function({parameters}):\n    " + "\n    ".join(body)
        found: dict[str, Callable[..., Any]] = {}
        self._run(source, self._namespace, rule.name, found)
        return found["function"]

    def define(
        self, source: str, names: Mapping[str, Any], *, title: str
    ) -> dict[str, Callable[..., Any]]:
        """Compile definitions of functions in which a row is written out; the functions by name.

        Args:
            source: the text of the definitions.
            names: what they refer to beyond Python's own names and this type's functions.
            title: what a traceback calls them.
        """
        namespace = dict(names)
        self._run(source, namespace, title, namespace)
        return namespace

    def _run(
        self, source: str, namespace: dict[str, Any], title: str, found: dict[str, Any]
    ) -> None:
        """Execute definitions in a namespace, which gets what they call of this type's functions."""
        from tinygrad_bp.sources import file_name  # when a row is first used

        file = file_name(
            source, f"{self.name}: {visible(title)}"
        )  # compile refuses NUL and surrogates
        code = compile(source, file, "exec")
        known = self.own.keys() | RULES.keys() | HELPERS.keys() | {*CONSTANTS}
        for name in _global_names(code) & known - namespace.keys():
            namespace[name] = self._lookup(name)
        exec(code, namespace, found)  # noqa: S102 - a row, or a primitive its user wrote

    def _lookup(self, name: str) -> Any:
        if name in self.own:
            return self.own[name]
        rule = RULES.get(name)
        if rule and rule.brief_value != f"{name}({', '.join(PARAMETERS[: rule.arity])})":
            return self._value(rule)

        def refused(*_: Number) -> Number:
            raise ExactnessError(
                f"{name} has no exact value of type {self.name}: use float(...) or an mpmath or "
                "sympy number"
            )

        return refused

    def _literal(self, number: float) -> str:
        """A name for the literal as this type reads it, which is read but once."""
        name = f"n{number!r}".translate(_IN_NAMES)
        if name not in self._namespace:
            self._namespace[name] = self.literal(number)  # type: ignore[misc]
        return name

    def _constant(self, name: str) -> str:
        """A constant that this type has not is called, and so refused, where it is used."""
        return f"{name}()" if name in CONSTANTS and name not in self.own else name


_IN_NAMES = str.maketrans(".+-", "_pm")


def made_by(kind: str, text: str) -> str:
    """A result as one of a kind of numbers; a literal is left to be a float, which it is for every type.

    >>> made_by("float64", "1.0 / x"), made_by("float64", "-1.0")
    ('float64(1.0 / x)', '-1.0')
    """
    return f"{kind}({text})" if text.strip("-.0123456789") else text


def _global_names(code: CodeType) -> set[str]:
    inner = (each for each in code.co_consts if hasattr(each, "co_names"))
    return set(code.co_names).union(*map(_global_names, inner))
