"""What the peers' tests import, as thin functions over this engine.

A peer's file is loaded with stand-ins in `sys.modules` under the names that it imports, which are
taken out again once it is loaded.  Of HIPS autograd only the parts that make gradients are replaced:
`make_vjp` and what stands on it.  Its handling of argument numbers (``autograd.wrap_util``) is its
own, unchanged; so is its gradient check (``autograd.test_util``), unless ours is to stand in for it.
"""

from __future__ import annotations

import importlib.util
import math
import operator
import sys
from dataclasses import dataclass
from functools import wraps
from types import ModuleType

import numpy as np
import pytest

import tinygrad_bp
from tinygrad_bp import GradientError
from tinygrad_bp.engine import differentiate, functions
from tinygrad_bp.testing.gradcheck import gradcheck


class OutOfScopeError(Exception):
    """A peer's test called something that this engine does not have."""


class StandIn(ModuleType):
    """A module with the given names; any other name is a function that says it is not there."""

    def __init__(self, name, **names):
        super().__init__(name)
        self.__path__ = []
        vars(self).update(names)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)

        def absent(*args, **kwargs):
            raise OutOfScopeError(f"{self.__name__}.{name}")

        return absent


def load(file, name, modules):
    """The module of a peer's file, loaded with these modules to be imported by it.

    Args:
        file: its path.
        name: what it is to be called.
        modules: the modules, by name.
    """
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        for each, loaded in {**modules, name: module}.items():
            patch.setitem(sys.modules, each, loaded)
        spec.loader.exec_module(module)
    return module


def cases_of(module):
    """The test functions of a peer's module, by name."""
    return {name: each for name, each in vars(module).items() if name.startswith("test")}


# ---- HIPS autograd, for numbers


def autograd_modules(source, *, our_check=False):
    """The modules that HIPS autograd's tests import, by name.

    Args:
        source: the folder of its source distribution, for those that are its own.
        our_check: whether `gradcheck` stands in for its gradient check.
    """
    modules = {
        "autograd": StandIn("autograd"),
        "autograd.core": StandIn(
            "autograd.core", make_vjp=make_vjp, make_jvp=make_jvp, vspace=Space
        ),
        "autograd.numpy": StandIn("autograd.numpy", **NUMPY),
        "autograd.numpy.random": StandIn("autograd.numpy.random", **RANDOM),
        "autograd.tracer": StandIn("autograd.tracer", primitive=primitive),
        "autograd.extend": StandIn("autograd.extend", primitive=primitive, defvjp=defvjp),
    }
    for own in ("util", "wrap_util", "test_util"):
        name = f"autograd.{own}"
        modules[name] = load(source / "autograd" / f"{own}.py", name, modules)
    of_one_argument = modules["autograd.wrap_util"].unary_to_nary
    for operation in (grad, value_and_grad, deriv):
        setattr(modules["autograd"], operation.__name__, of_one_argument(operation))
    if our_check:
        modules["autograd.test_util"].check_grads = of_one_argument(check_grads)
    modules["autograd"].numpy = modules["autograd.numpy"]
    modules["autograd.numpy"].random = modules["autograd.numpy.random"]
    return modules


def value_and_grad(f, x):
    """The value of a function of one argument and its gradient.

    Args:
        f: the function.
        x: the argument: a number, or a tuple of numbers.
    """
    if isinstance(x, tuple):
        return differentiate.value_and_grad(lambda *parts: f(parts))(*x)
    return differentiate.value_and_grad(f)(x)


def grad(f, x):
    """The gradient of a function of one argument."""
    return value_and_grad(f, x)[1]


def deriv(f, x):
    """The derivative of a function of one number."""
    return make_jvp(f, x)(1.0)[1]


def check_grads(f, x, modes=("fwd", "rev"), order=2):
    """Their check by way of ours: the gradient, then the gradient of the gradient.

    Args:
        f: the function of one argument.
        x: the argument: a number, or a tuple of numbers.
        modes: both are one here, for this engine goes backward only.
        order: how many derivatives to check, 1 or 2.
    """
    checked, at = (lambda *parts: f(parts), x) if isinstance(x, tuple) else (f, (x,))
    name = f.__name__
    for _ in range(order):
        try:
            gradcheck(checked, *at)
        except GradientError as error:
            raise AssertionError(f"Derivative (VJP) check of {name} failed") from error
        checked, name = differentiate.grad(checked), f"vjp_{name}"


def make_vjp(f, x):
    """The map from a derivative for ``f(x)`` to one for ``x``, and ``f(x)``."""
    value, gradient = value_and_grad(f, x)
    return lambda g: Space(x).scalar_mul(gradient, g), value


def make_jvp(f, x):
    """The map from a direction for ``x`` to ``f(x)`` and its derivative in that direction.

    This engine goes backward only: the derivative is the gradient's product with the direction.
    """
    value, gradient = value_and_grad(f, x)
    return lambda direction: (value, Space(x).inner_prod(gradient, direction))


@dataclass(frozen=True, init=False)
class Space:
    """The vector space of one number, or of a tuple of them."""

    size: int | None

    def __init__(self, member):
        object.__setattr__(self, "size", len(member) if isinstance(member, tuple) else None)

    def each(self, f, *members):
        return f(*members) if self.size is None else tuple(map(f, *members))

    def add(self, x, y):
        return self.each(operator.add, x, y)

    def scalar_mul(self, x, a):
        return self.each(lambda part: part * a, x)

    def inner_prod(self, x, y):
        products = self.each(operator.mul, x, y)
        return products if self.size is None else sum(products)

    def covector(self, x):
        return x

    def randn(self):
        return self.each(lambda _: randn(), range(self.size or 0))


def primitive(f):
    """An operation whose rules come later, from `defvjp`; `tinygrad_bp.primitive` takes all at once."""

    @wraps(f)
    def operation(*operands):
        return operation.row(*operands)

    return operation


def defvjp(operation, *makers):
    """Give an operation its rules: HIPS's are for a whole product, ours for the local derivative."""

    def local(maker):
        return lambda *operands_and_out: maker(operands_and_out[-1], *operands_and_out[:-1])(1.0)

    operation.row = tinygrad_bp.primitive(
        operation.__name__, operation.__wrapped__, [local(maker) for maker in makers]
    )


random = np.random.RandomState()


def randn(*shape):
    """A number from the normal distribution, where the peer draws a number or an array."""
    return random.randn()


def rand(*shape):
    """A number between 0 and 1, where the peer draws a number or an array."""
    return random.random_sample()


def seed_anew(seed=42):
    """Begin again with the numbers that the peer's own ``conftest.py`` begins each test with."""
    random.seed(seed)


RANDOM = {
    "seed": random.seed,
    "randn": randn,
    "rand": rand,
    "RandomState": lambda seed: StandIn("RandomState", randn=randn, rand=rand),
}

NUMPY = {
    **{name: getattr(functions, name) for name in functions.__all__},
    # other names for what the engine has
    "abs": operator.abs,
    "absolute": operator.abs,
    "negative": operator.neg,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "true_divide": operator.truediv,
    "power": operator.pow,
    "mod": operator.mod,
    # short formulas, as a user would write them
    "exp2": lambda x: 2.0**x,
    "deg2rad": lambda x: x * (math.pi / 180.0),
    "radians": lambda x: x * (math.pi / 180.0),
    "rad2deg": lambda x: x * (180.0 / math.pi),
    "degrees": lambda x: x * (180.0 / math.pi),
    "sinc": lambda x: functions.sin(math.pi * x) / (math.pi * x),
    # of one number
    "sum": lambda x: x,
    "all": bool,
    "allclose": np.allclose,
}
