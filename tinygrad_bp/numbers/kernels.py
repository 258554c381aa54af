"""How a row of the table is turned into code for a number type.

An `Arithmetic` is one number type's functions and its reading of the literals in the table;
`Arithmetic.kernel` compiles a row for it.  This room may not know any number type.
"""

from __future__ import annotations

from tinygrad_bp.errors import ExactnessError, ExpressionError
from tinygrad_bp.numbers.floats import is_nan
from tinygrad_bp.quoting import quoted, shortened, visible
from tinygrad_bp.table.rules import (
    CONSTANTS,
    FUNCTION_NAMES,
    HELPERS,
    PARAMETERS,
    RULES,
    Rule,
    parse,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from collections.abc import Callable, Iterable, Mapping
    from types import CodeType
    from typing import Any, TypeAlias

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
        self._namespace: dict[str, Any] = {"zip": zip}

    def kernel(self, rule: Rule, wrt: tuple[int, ...]) -> Callable[..., tuple[Number, ...]]:
        """The row as one function of the operands: the value, then the derivatives asked for.

        Args:
            rule: a row of the table, or a user's own.
            wrt: the operands to differentiate for, by position.  For a variadic row the operands
                are whole lists, and so are the derivatives.

        Raises:
            ExactnessError: when called, where this type cannot do the operation.
        """
        try:
            return rule.compiled[self, wrt]
        except KeyError:
            kernel = rule.compiled[self, wrt] = self._reading(rule, self._build(rule, wrt))
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
        convert, conversion = self._convert, rule.derivatives == (_one,)  # reads for itself
        reads = self._reads(rule) if self._reads and not conversion else None
        if convert is None or reads is None:
            return _as_it_is
        return lambda operand: convert(operand) if reads(operand) else operand

    def at_nan(self, rule: Rule, numbers: Iterable[Number]) -> bool:
        """Whether an operand is a nan that the row could not compare."""
        return self.missing is not None and rule.written and any(map(self.missing, numbers))

    def _build(self, rule: Rule, wrt: tuple[int, ...]) -> Callable[..., tuple[Number, ...]]:
        parameters = PARAMETERS[: rule.arity]
        value = self.value_of(rule)
        chosen = [self.derivative_of(rule, slot) for slot in wrt]
        if all(isinstance(each, str) for each in (value, *chosen)):
            body = ", ".join([f"(out := ({value}))", *(f"({each})" for each in chosen)])
            return self._function(parameters, f"({body},)")
        function = self._callable(value, parameters)
        derivatives = [self.derivative(rule, slot) for slot in wrt]

        def kernel(*operands: Number) -> tuple[Number, ...]:
            out = function(*operands)
            return (out, *[derivative(*operands, out) for derivative in derivatives])

        return kernel

    def value_of(self, rule: Rule) -> str | Callable[..., Any]:
        """The row's value, or a call of this type's own function of that name, which knows better."""
        if rule.name in self.own and rule.in_table:
            return f"{rule.name}({', '.join(PARAMETERS[: rule.arity])})"
        return rule.value

    def derivative_of(self, rule: Rule, slot: int) -> str | Callable[..., Any]:
        """The row's derivative for an operand, or this type's own.

        That of a variadic row, written for one element, becomes one of whole lists.
        """
        listed = (rule.in_table and self.derivatives.get(rule.name)) or rule.derivatives
        derivative, parameters = listed[slot], PARAMETERS[: rule.arity]
        if not rule.variadic or derivative in parameters:  # a parameter is a list as it is
            return derivative
        each = ", ".join(parameters)
        return f"[{derivative} for {each} in {f'zip({each})' if rule.arity > 1 else each}]"

    def derivative(self, rule: Rule, slot: int) -> Callable[..., Any]:
        """One derivative of the row, as a function of the operands and then the output.

        For a variadic row the operands are whole lists, and so is the derivative.
        """
        if (self, slot) not in rule.compiled:
            parameters = (*PARAMETERS[: rule.arity], "out")
            rule.compiled[self, slot] = self._callable(self.derivative_of(rule, slot), parameters)
        return rule.compiled[self, slot]

    def in_domain(self, rule: Rule, operands: tuple[Number, ...]) -> bool:
        """Whether the operation has a value at the operands; nan meets every condition on it."""
        if not rule.domain:
            return True
        if (self, "domain") not in rule.compiled:
            parameters = tuple(name for name in PARAMETERS if name in rule.asks)
            places = [*map(PARAMETERS.index, parameters)]
            domain = self._reading(rule, self._function(parameters, rule.domain))
            missing = self.missing or is_nan
            rule.compiled[self, "domain"] = lambda *given: (
                any(missing(given[k]) for k in places) or domain(*[given[k] for k in places])
            )
        try:
            inside = rule.compiled[self, "domain"](*operands)
        except ZeroDivisionError:  # in the condition itself
            return False
        return bool(inside) if not self.symbolic else inside != False  # noqa: E712 - undecided is inside

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
        if (self, condition) not in rule.compiled:
            function = self._function(PARAMETERS[: rule.arity], condition)
            rule.compiled[self, condition] = self._reading(rule, function)
        return bool(rule.compiled[self, condition](*operands) == True)  # noqa: E712 - not undecided

    def _callable(
        self, text: str | Callable[..., Any], parameters: tuple[str, ...]
    ) -> Callable[..., Any]:
        return self._function(parameters, text) if isinstance(text, str) else text

    def _function(self, parameters: tuple[str, ...], text: str) -> Callable[..., Any]:
        """Compile an expression of the table; its names are looked up in this type's functions."""
        source: Any = f"lambda {', '.join(parameters)}: {text}"
        if self.literal or self.symbolic:
            source = self._translate(source)
        code = compile(source, f"<{self.name}: {text}>", "eval")
        for name in _global_names(code):
            if name not in self._namespace:
                self._namespace[name] = self._lookup(name)
        function: Callable[..., Any] = eval(code, self._namespace)  # noqa: S307 - a row, or a primitive its user wrote
        return function

    def define(
        self, source: str, names: Mapping[str, Any], *, title: str
    ) -> dict[str, Callable[..., Any]]:
        """Compile definitions of functions in which a row is written out; the functions by name.

        Args:
            source: the text of the definitions.
            names: what they refer to beyond Python's own names and this type's functions.
            title: what a traceback calls them.
        """
        name = f"<{self.name}: {visible(title)}>"  # compile refuses NUL and lone surrogates
        code = compile(source, name, "exec")
        namespace = dict(names)
        for name in _global_names(code) & (self.own.keys() | RULES.keys()):
            namespace[name] = self._lookup(name)
        exec(code, namespace)  # noqa: S102 - as eval below
        return namespace

    def _lookup(self, name: str) -> Any:
        if name in self.own:
            return self.own[name]
        rule = RULES.get(name)
        if rule and isinstance(rule.value, str) and not rule.value.startswith(f"{name}("):
            return self._function(PARAMETERS[: rule.arity], rule.value)

        def refused(*_: Number) -> Number:
            raise ExactnessError(
                f"{name} has no exact value of type {self.name}: use float(...) or an mpmath or "
                "sympy number"
            )

        return refused

    def _translate(self, source: str) -> ast.Expression:
        """The expression with its literals read as this type; for symbols, undecided tests stay."""
        import ast  # a first gradient in floats does not need it

        arithmetic = self

        class Translate(ast.NodeTransformer):
            def visit_Constant(self, node: ast.Constant) -> ast.expr:
                if arithmetic.literal is None:
                    return node
                name = repr(node.value)
                arithmetic._namespace[name] = arithmetic.literal(node.value)  # type: ignore[arg-type]
                return ast.Name(name, ast.Load())

            def visit_Name(self, node: ast.Name) -> ast.expr:
                refused = node.id in CONSTANTS and node.id not in arithmetic.own
                return self._call(node.id) if refused else node

            def _call(self, name: str, *arguments: ast.expr) -> ast.expr:
                return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])

            def _later(self, *parts: ast.expr) -> list[ast.expr]:
                nothing = ast.arguments([], [], None, [], [], None, [])
                return [ast.Lambda(nothing, each) for each in parts]

            def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
                self.generic_visit(node)
                if not arithmetic.symbolic:
                    return node
                return self._call("choose", node.test, *self._later(node.body, node.orelse))

            def visit_Compare(self, node: ast.Compare) -> ast.expr:
                self.generic_visit(node)
                if not arithmetic.symbolic:
                    return node
                sides = [node.left, *node.comparators]
                tests = [
                    self._call(type(test).__name__, *sides[place : place + 2])
                    for place, test in enumerate(node.ops)
                ]
                return tests[0] if len(tests) == 1 else self._call("And", *self._later(*tests))

            def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
                self.generic_visit(node)
                if not arithmetic.symbolic:
                    return node
                return self._call(type(node.op).__name__, *self._later(*node.values))

        tree: ast.Expression = Translate().visit(ast.parse(source, mode="eval"))
        return ast.fix_missing_locations(tree)


def _global_names(code: CodeType) -> set[str]:
    inner = (each for each in code.co_consts if hasattr(each, "co_names"))
    return set(code.co_names).union(*map(_global_names, inner))


def notation(text: str, parameters: tuple[str, ...], *, condition: bool = False) -> str:
    """A user's expression in the table's own notation: a power is ``pow(x, y)``, which each type has.

    Args:
        text: the expression.
        parameters: the operands, and what else it may name.
        condition: whether it is one on the operands, where a remainder may stand.

    Raises:
        ExpressionError: naming the part that is not in the notation.

    >>> notation("2 * x**0.5", ("x",))
    '2 * pow(x, 0.5)'
    """
    import ast

    counts = HELPERS | {
        name: RULES[name].arity for name in FUNCTION_NAMES if not RULES[name].variadic
    }
    tree = parse(text, names=(*parameters, *CONSTANTS), functions=counts)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and len(node.args) != counts[ast.unparse(node.func)]:
            name = ast.unparse(node.func)
            raise ExpressionError(f"{name} takes {counts[name]} operands: {ast.unparse(node)}")
        if isinstance(node, ast.Mod) and not condition:
            raise ExpressionError(f"{quoted(text)}: % is for a domain only; give functions instead")
        if isinstance(node, ast.IfExp) and not _is_test(node.test):
            test = ast.unparse(node.test)
            raise ExpressionError(
                f"{quoted(test)} is no test: write a comparison, as {shortened(test)} != 0"
            )

    class Powers(ast.NodeTransformer):
        def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
            self.generic_visit(node)
            if not isinstance(node.op, ast.Pow):
                return node
            return ast.Call(ast.Name("pow", ast.Load()), [node.left, node.right], [])

    return ast.unparse(Powers().visit(tree))


def _is_test(node: ast.expr) -> bool:
    import ast

    if isinstance(node, ast.BoolOp):
        return all(map(_is_test, node.values))
    called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
    return isinstance(node, ast.Compare) or called == "normal"
