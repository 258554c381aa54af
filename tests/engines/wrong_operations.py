"""Mutations of single operations: how they pass a gradient on, and what they do with plain numbers."""

from __future__ import annotations

import struct

from formulas import ARITHMETIC, FORMULAS
from mutation import CURVED, ONE_OPERAND, PIECEWISE, TWO_OPERANDS, mutation, scalar, where
from right import Scalar

# ---- the gradient


@mutation("assigns its gradient where it should add", FORMULAS)
def assigns(op):
    def give(self, parent, part):
        parent.grad = part

    return where(op, give=give)


@mutation("forgets the upstream gradient", FORMULAS)
def forgets_upstream(op):
    def pass_on(self):
        for parent, local in self.parents:
            self.give(parent, local)

    return where(op, pass_on=pass_on)


@mutation("has the sign wrong", FORMULAS)
def wrong_sign(op):
    def give(self, parent, part):
        parent.grad -= part

    return where(op, give=give)


@mutation(
    "gives only to an operand that has no gradient yet",
    FORMULAS,
    found_by=["repeated operand", "shared node"],
)
def gives_only_first(op):
    def give(self, parent, part):
        parent.grad = parent.grad or part

    return where(op, give=give)


@mutation("is seeded with its value as the root", FORMULAS)
def wrong_as_root(op):
    def seed(self):
        self.grad += self.data

    return where(op, seed=seed)


@mutation(
    "forgets its derivative on a result of its own",
    [op for op in ONE_OPERAND if op not in ("relu", "abs")],  # whose derivative is 1 there
)
def wrong_twice_in_a_row(op):
    def pass_on(self):
        for parent, local in self.parents:
            self.give(parent, (-1.5 if parent.op == op else local) * self.grad)

    return where(op, pass_on=pass_on)


@mutation("gives half to an operand that is used elsewhere", FORMULAS, found_by=["shared node"])
def halves_if_shared(op):
    class Counting(Scalar):
        uses = 0

        @classmethod
        def apply(cls, name, *operands):
            for each in operands:
                if isinstance(each, Scalar):
                    each.uses += 1
            return super().apply(name, *operands)

        def give(self, parent, part):
            super().give(parent, part / 2 if self.op == op and parent.uses > 1 else part)

    return Counting


@mutation("drops one of two equal operands", TWO_OPERANDS, found_by=["repeated operand"])
def drops_equal_operand(op):
    def pass_on(self):
        for parent, local in dict(self.parents).items():
            self.give(parent, local * self.grad)

    return where(op, pass_on=pass_on)


@mutation("gives all to the last operand, as closures over a loop variable do", TWO_OPERANDS)
def loop_variable(op):
    def pass_on(self):
        for _ in self.parents:
            parent, local = self.parents[-1]
            self.give(parent, local * self.grad)

    return where(op, pass_on=pass_on)


@mutation("reads its operands again in the pass", [*CURVED, *PIECEWISE], found_by=["recording"])
def reads_operands_again(op):
    class Stale(Scalar):
        @classmethod
        def apply(cls, name, *operands):
            out = super().apply(name, *operands)
            out.operands = operands
            return out

        def pass_on(self):
            if self.op == op:
                self.parents = Scalar.apply(op, *self.operands).parents
            super().pass_on()

    return Stale


@mutation("drops gradients that are at most 1e-8", FORMULAS, found_by=["tiny gradients"])
def drops_tiny(op):
    def give(self, parent, part):
        if not abs(part) <= 1e-8:
            parent.grad += part

    return where(op, give=give)


@mutation("turns a gradient that is nan into 0", FORMULAS, found_by=["nan gradients"])
def nan_to_zero(op):
    def give(self, parent, part):
        parent.grad += part if part == part else 0.0

    return where(op, give=give)


@mutation("clips gradients to between -1e6 and 1e6", FORMULAS, found_by=["huge gradients"])
def clips(op):
    def give(self, parent, part):
        parent.grad += max(-1e6, min(part, 1e6))

    return where(op, give=give)


@mutation("works in single precision", FORMULAS)
def single_precision(op):
    formula = FORMULAS[op]

    def single(f):
        return lambda *numbers: to_single(f(*numbers))

    changed = formula._replace(
        value=single(formula.value), derivatives=tuple(map(single, formula.derivatives))
    )
    return scalar(formulas={**FORMULAS, op: changed})


def to_single(x):
    try:
        return struct.unpack("f", struct.pack("f", x))[0]
    except OverflowError:
        return x


@mutation("has derivatives in single precision", [*CURVED, "leaky_relu"])
def single_derivatives(op):
    def give(self, parent, part):
        parent.grad += to_single(part)

    return where(op, give=give)


# ---- plain numbers beside nodes


def mutation_of_constants(defect, over):
    """Decorates what stands for an operation of one node and one plain number, given the right one."""

    def add(change):
        @mutation(defect, over, found_by=["sum()", "exponent 0", "powers of 0"])
        def with_constants(op):
            class Constants(Scalar):
                @classmethod
                def apply(cls, name, *operands):
                    nodes = sum(isinstance(each, Scalar) for each in operands)
                    if name == op and nodes == 1:
                        return change(super().apply, name, *operands)
                    return super().apply(name, *operands)

            return Constants

        return change

    return add


@mutation_of_constants("swaps its operands where the plain number is on the left", ["-", "/", "**"])
def swaps_reflected(apply, op, x, y):
    return apply(op, y, x) if isinstance(y, Scalar) else apply(op, x, y)


@mutation_of_constants("needs a gradient of both operands to have one", ARITHMETIC)
def needs_both(apply, op, x, y):
    out = apply(op, x, y)
    out.parents = ()
    return out


@mutation_of_constants("has the gradient of the first operand alone", ["-", "/", "**"])
def first_alone(apply, op, x, y):
    out = apply(op, x, y)
    if isinstance(y, Scalar):
        out.parents = ()
    return out


@mutation_of_constants("truncates plain numbers", ARITHMETIC)
def truncates(apply, op, x, y):
    return apply(op, *(each if isinstance(each, Scalar) else int(each) for each in (x, y)))


@mutation_of_constants("takes no negative plain number", ARITHMETIC)
def absolute(apply, op, x, y):
    return apply(op, *(each if isinstance(each, Scalar) else abs(each) for each in (x, y)))


@mutation_of_constants("takes 0 for a missing operand", ["*", "**"])
def skips_zero(apply, op, x, y):
    return apply(op, x, y) if isinstance(y, Scalar) or y else x


@mutation_of_constants("divides whole numbers without a rest", ["/"])
def whole_division(apply, op, x, y):
    out = apply(op, x, y)
    if isinstance(y, int) and out.data == out.data:
        out.data = out.data // 1
    return out


@mutation_of_constants("is reflected without a derivative", ["-", "/", "**"])
def reflected_slope(apply, op, x, y):
    out = apply(op, x, y)
    if isinstance(y, Scalar):
        out.parents = [(y, 1.0)]
    return out


# ---- in place


IN_PLACE = {
    "+": "__iadd__",
    "-": "__isub__",
    "*": "__imul__",
    "/": "__itruediv__",
    "**": "__ipow__",
}
IN_PLACE_FORMS = [f"a {op}= {other}" for op in IN_PLACE for other in "bn2"]


def in_place(op, change):
    """A Scalar whose operator in place changes the node itself, from the right result and the other operand."""

    def assign(self, other):
        change(self, Scalar.apply(op, Scalar(self.data, self.op, self.parents), other))
        return self

    return scalar(**{IN_PLACE[op]: assign})


@mutation(
    "changes its operand in place, and records nothing",
    IN_PLACE,
    found_by=[*IN_PLACE_FORMS, "old name"],
)
def overwrites(op):
    def change(self, out):
        self.data = out.data

    return in_place(op, change)


@mutation(
    "changes its operand in place, recorded as an operation on what it was",
    IN_PLACE,
    found_by=[*IN_PLACE_FORMS, "old name"],
)
def rerecords(op):
    def change(self, out):
        self.data, self.op, self.parents = out.data, op, out.parents

    return in_place(op, change)
