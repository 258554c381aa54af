"""What is public comes back: from pickle, from a copy, and from another process."""

from __future__ import annotations

import copy
import importlib
import inspect
import pickle
import pkgutil
import subprocess
import sys
from fractions import Fraction

import cloudpickle
import pytest

import tinygrad_bp
import tinygrad_bp.testing
import viz
from tinygrad_bp import (
    RULES,
    Network,
    Value,
    contract,
    derivation,
    errors,
    flow,
    grad,
    hessian,
    jacobian,
    largest_paths,
    naive,
    note,
    order,
    path_sum,
    paths,
    primitive,
    steps,
    tanh,
    training,
    value_and_grad,
)
from tinygrad_bp.engine.operations import FUNCTIONS
from tinygrad_bp.network.samples import read_samples
from tinygrad_bp.testing.conformance import Engine, Finding
from tinygrad_bp.testing.conformance import Report as ConformanceReport
from tinygrad_bp.testing.gradcheck import gradcheck
from tinygrad_bp.testing.strategies import Instruction, Program

WAYS = {
    **{
        f"protocol {number}": lambda each, number=number: pickle.loads(pickle.dumps(each, number))
        for number in range(pickle.HIGHEST_PROTOCOL + 1)
    },
    "pickle in Python": lambda each: pickle._loads(pickle._dumps(each)),
    "cloudpickle": lambda each: pickle.loads(cloudpickle.dumps(each)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}
EVERY_WAY = pytest.mark.parametrize("again", WAYS.values(), ids=WAYS)

# ---- what is found under a name is the same again

TESTING = [
    importlib.import_module(f"tinygrad_bp.testing.{each.name}")
    for each in pkgutil.iter_modules(tinygrad_bp.testing.__path__)
]


def named(module):
    """What a module offers under a name: functions and classes, and modules that can be called."""
    names = getattr(module, "__all__", None) or [
        name
        for name, each in vars(module).items()
        if not name.startswith("_") and getattr(each, "__module__", "") == module.__name__
    ]
    for name in names:
        if callable(getattr(module, name)):
            yield f"{module.__name__}.{name}", getattr(module, name)


NAMED = {
    **{
        name: each
        for module in (tinygrad_bp, note, training, errors, viz, *TESTING)
        for name, each in named(module)
    },
    **{f"row {name}": row for name, row in RULES.items()},
    **{f"function {name}": FUNCTIONS[name] for name in RULES},
    **{f"Value.{name}": getattr(Value, name) for name in vars(Value) if name.startswith("__r")},
}


@pytest.mark.parametrize("name", NAMED)
def test_what_has_a_name_comes_back_as_itself(name):
    for way, again in WAYS.items():
        assert again(NAMED[name]) is NAMED[name], way


def test_the_names_are_those_that_users_import():
    expected = {"tinygrad_bp.tanh", "tinygrad_bp.Network", "tinygrad_bp.training.train", "viz.draw"}
    assert expected <= NAMED.keys()
    assert {tanh.__module__, CUBE.__module__} == {"tinygrad_bp.engine.functions"}


# ---- what is made comes back with all that it holds

x = Value(3.0, "x")
e = tanh(x * 2.0)
NET = Network.random([2, 3, 1], ["tanh", "abs"], seed=1)
RUN = NET.forward([1.0, 2.0], [0.5])
RUN.e.backward()
WEIGHT = NET.w(1, 1, 1)
DATA = read_samples("1,50\n2,70\n3,90\n4,110\n")


def trained():
    trainer = training.Trainer(DATA, hidden=(), eta=0.1)
    for _ in trainer.learn(3):
        pass
    return trainer


def of_run(run):
    return (run.e.data, run.network.weights, run.network.w(1, 1, 1).grad, run.terms(1, 1, 1))


MADE = {  # each with what is looked at
    "Value": (e, lambda e: (e.data, e.parents[0].op, e.local_derivatives)),
    "symbol": (Value(Fraction(1, 3), "x"), lambda v: (v.data, v.label)),
    "Network": (NET, lambda net: (net.weights, net.biases, net.forward([1.0, 1.0]).o(2, 1).data)),
    "Network of functions": (
        Network([[[2.0]]], [[1.0]], [[tanh]]),
        lambda net: net.forward([1.0]).o(1, 1).data,
    ),
    "Run": (RUN, of_run),
    "Term": (RUN.terms(1, 1, 1), list),
    "LargestTerms": (RUN.largest_terms(1, 1, 1, 2), lambda terms: terms),
    "Path": (
        [*paths(RUN.e, WEIGHT)],
        lambda found: [(p.product, p.local_derivatives) for p in found],
    ),
    "largest paths": (
        largest_paths(RUN.e, WEIGHT, 2),
        lambda found: [p.product for p in found],
    ),
    "PathSum": (path_sum(RUN.e, WEIGHT), lambda found: found),
    "Flow": (flow(RUN.e, WEIGHT), lambda found: [*found.values()]),
    "contract": (
        contract(RUN.e, [WEIGHT]),
        lambda rows: [[*row.values()] for row in rows.values()],
    ),
    "Steps": (steps(RUN.e), lambda found: [each.contribution for each in found]),
    "Naive": (naive(e), repr),
    "order": (order(RUN.e), lambda found: [each.node.op for each in found]),
    "Derivation": (derivation(RUN, 1, 1, 1), lambda found: found.to_text()),
    "Derivation of a Value": (derivation(e, x), lambda found: found.to_text()),
    "Dataset": (DATA, lambda data: data),
    "Trainer": (trained(), lambda trainer: (trainer.rows, [*trainer.learn(2)], trainer.report())),
    "Program": (Program((1.0,), (Instruction("neg", (0,)),)), lambda program: program),
    "gradcheck's report": (gradcheck(tanh, 0.5), str),
    "conformance's report": (
        ConformanceReport("engine", (Finding("name", "it holds", "holds"),)),
        str,
    ),
    "Engine": (Engine(Value, "ours"), lambda engine: engine.make(2.0).data),
    "draw": (viz.draw(e), lambda picture: picture.source),
    "network": (viz.network(RUN, weight=(1, 1, 1)), lambda picture: picture.source),
    "frames": (viz.frames(e), lambda frames: [each.source for each in frames]),
    "explore": (viz.explore(e), lambda page: page._repr_html_()),
}


@EVERY_WAY
@pytest.mark.parametrize("name", MADE)
def test_what_is_made_comes_back_with_all_that_it_holds(again, name):
    made, look = MADE[name]
    twin = again(made)
    assert type(twin) is type(made)
    expected = look(copy.deepcopy(made))  # looking may change it, as training does
    assert look(twin) == expected


ERRORS = [each for _, each in named(errors)]


@EVERY_WAY
@pytest.mark.parametrize("error", ERRORS)
def test_an_error_comes_back_with_its_message_and_fields(again, error):
    raised = error("what happened")
    raised.add_note("where")
    raised.report = ("a", "report")
    twin = again(raised)
    assert (type(twin), twin.args, twin.__notes__) == (error, ("what happened",), ["where"])
    assert twin.report == ("a", "report")


# ---- functions that are made

CUBE = primitive("of another name", "x * x * x", ("3.0 * x * x",))


def twice(x):
    return 2 * x


def two(x, out):
    return 2


class Holder:
    @staticmethod
    def thrice(x):
        return 3 * x


TWICE = primitive("twice as a row", twice, (two,))
THRICE = primitive("thrice as a row", Holder.thrice, ("3.0",))
half = primitive("half", lambda x: x / 2, (lambda x, out: 0.5,))


def f(x, n=2):
    """A power."""
    return tanh(x) ** n


@grad
def slope(x):
    return x * x


@EVERY_WAY
@pytest.mark.parametrize(
    "function", [CUBE, TWICE, THRICE, half, slope], ids=["cube", "twice", "thrice", "half", "slope"]
)
def test_a_primitive_and_a_decorated_function_come_back(again, function):
    twin = again(function)
    assert twin(3.0) == function(3.0)
    assert grad(twin)(3.0) == grad(function)(3.0)
    assert (twin.__name__, twin.__doc__) == (function.__name__, function.__doc__)
    net = again(Network([[[2.0]]], [[1.0]], function))
    assert net.forward([2.0]).o(1, 1).data == function(3.0)


def test_a_primitive_of_lambdas_within_a_function_is_refused_by_pickle_as_they_are():
    local = primitive("local", lambda x: x / 2, (lambda x, out: 0.5,))
    with pytest.raises((pickle.PicklingError, AttributeError), match="local"):
        pickle.dumps(local)
    assert pickle.loads(cloudpickle.dumps(local))(3.0) == 1.5
    assert copy.deepcopy(local) is local


@EVERY_WAY
@pytest.mark.parametrize("argnums", [(), (0,), ((0,),)])
@pytest.mark.parametrize("make", [grad, value_and_grad, hessian])
def test_a_derivative_comes_back(again, make, argnums):
    function = make(f, *argnums)
    assert again(function)(0.5, n=3) == function(0.5, n=3)


def test_a_derivative_of_a_derivative_comes_back():
    assert pickle.loads(pickle.dumps(grad(hessian(f, 0))))(0.5) == grad(hessian(f, 0))(0.5)
    assert pickle.loads(pickle.dumps(jacobian(grad(CUBE, (0,)))))(2.0) == ((12.0,),)


def test_a_derivative_is_known_by_its_function():
    slope = grad(f, 0)
    assert repr(slope) == f"grad({f!r}, 0)"
    assert slope.__name__ == "f"
    assert slope.__doc__ == "grad of f: see `grad`.\n\nA power."
    assert [*inspect.signature(slope).parameters] == ["x", "n"]
    assert inspect.signature(CUBE) == inspect.signature(tanh)


def test_a_derivative_in_a_class_is_a_method():
    class Model:
        weight = 3.0

        @grad
        def error(self, x):
            return self.weight * x * x

    assert Model().error(2.0) == 12.0
    assert Model.error(Model(), 2.0) == 12.0


# ---- in other processes

SCRIPT = """
import multiprocessing
from joblib import Parallel, delayed
import tinygrad_bp as bp
from tinygrad_bp import Network, Value, grad, hessian, primitive, tanh
from tinygrad_bp.testing import gradcheck

cube = primitive("cube", "x * x * x", ("3.0 * x * x",))
half = primitive("half", lambda x: x / 2, (lambda x, out: 0.5,))

def f(x, n=2):
    return tanh(x) ** n

def call(task):
    function, *arguments = task
    result = function(*arguments)
    return getattr(result, "data", result)

def error_of(net):
    return net.forward([1.0], [0.5]).e.data

if __name__ == "__main__":
    tasks = [
        (tanh, 0.5), (bp.dot, [1.0], [2.0]), (Value.tanh, Value(1.0)), (bp.softmax, [1.0]),
        (cube, 2.0), (half, 2.0), (grad(f), 2.0), (hessian(cube), 2.0), (bp.path_count, Value(1.0), Value(1.0)),
    ]
    here = [*map(call, tasks)]
    nets = [Network([[[2.0]]], [[1.0]], each) for each in (tanh, "abs", cube, half, f)]
    errors = [*map(error_of, nets)]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(call, tasks) == here
        assert pool.map(error_of, nets) == errors
    local = primitive("local", lambda x: 2 * x, (lambda x, out: 2,))
    with Parallel(2) as run:
        assert run(delayed(call)(task) for task in tasks) == here
        assert run(delayed(error_of)(net) for net in nets) == errors
        assert run(delayed(lambda x: local(tanh(x)))(x) for x in [0.0]) == [0.0]
        assert run(delayed(grad(lambda x: x * x))(x) for x in [0.5]) == [1.0]
        (report,) = run(delayed(gradcheck)(tanh, x) for x in [0.5])
        assert str(report) == str(gradcheck(tanh, 0.5))
    print("all came back")
"""


def test_functions_and_networks_are_sent_to_other_processes(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.stdout, done.stderr) == ("all came back\n", "")
