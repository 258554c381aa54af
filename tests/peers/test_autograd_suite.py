"""The scalar part of HIPS autograd's own test suite, run on this engine; see docs/peers.md.

Where a test of theirs draws an array, the shim draws one number.  Every test function of the files
in `RUN` is named there or, with the reason, in `LISTED`.  Those listed are tried too, and have to
fail: one that passes belongs in `RUN`.  Every other file of theirs is in `OTHER_FILES`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from shims import OutOfScopeError, autograd_modules, cases_of, load, seed_anew

RUN = {
    "test_core.py": """
        test_add test_sub test_div test_mul test_pow
        test_eq test_neq test_leq test_geq test_lt test_gt
    """,
    "test_scalar_ops.py": """
        test_abs test_absolute test_sin test_exp test_log test_log2 test_log10 test_log1p test_expm1
        test_exp2 test_neg test_cos test_tan test_cosh test_sinh test_tanh test_arccos test_arcsin
        test_arctan test_arccosh test_arcsinh test_arctanh test_sqrt test_power_arg0 test_power_arg1
        test_power_arg1_zero test_divide_arg0 test_divide_arg1 test_multiply_arg0 test_multiply_arg1
        test_true_divide_arg0 test_true_divide_arg1 test_reciprocal test_negative test_rad2deg
        test_deg2rad test_radians test_degrees test_sinc
    """,
    "test_binary_ops.py": """
        test_mul test_add test_sub test_div test_pow test_arctan2 test_hypot test_comparison_grads
    """,
    "test_tests.py": "test_check_vjp_1st_order_fail",
    "test_graphs.py": """
        test_grad_fanout test_grad_const test_grad_identity test_enclosing_scope_ref
        test_enclosing_scope_ref_2 test_mutating_outgrad test_third_derivative
        test_third_derivative_other_args test_third_derivative_other_args2
        test_assignment_raises_error
    """,
    "test_direct.py": "test_grad test_deriv test_grad_complex_output",
}

MODULO = "% is no operation of this engine"
ARRAYS = "needs arrays: sums over axes, dot products, indexing"
COMPLEX = "needs complex numbers"
DISAGREEMENT = "disagreement, see docs/peers.md: "

LISTED = {
    "test_core.py::test_mod": MODULO,
    "test_scalar_ops.py::test_mod_arg0": MODULO,
    "test_scalar_ops.py::test_mod_arg1": MODULO,
    "test_scalar_ops.py::test_sign": "sign is no operation of this engine",
    "test_binary_ops.py::test_mod": MODULO,
    "test_binary_ops.py::test_comparison_values": DISAGREEMENT + "== of Values is identity",
    "test_tests.py::test_check_vjp_2nd_order_fail": (
        DISAGREEMENT + "a rule is a local derivative, and cannot be wrong in this way"
    ),
    "test_graphs.py::test_hess_vector_prod": ARRAYS,
    "test_graphs.py::test_mutating_outgrad_from_indexing": ARRAYS,
    "test_graphs.py::test_complex_mutating_outgrad_from_indexing": COMPLEX,
    "test_graphs.py::test_complex_separate_real_and_imaginary": COMPLEX,
    "test_graphs.py::test_singleton_array_output": ARRAYS,
    "test_graphs.py::test_singleton_array_output_axis0": ARRAYS,
    "test_graphs.py::test_singleton_array_output_axis1": ARRAYS,
    "test_graphs.py::test_singleton_array_output_axis0_keepdims": ARRAYS,
    "test_graphs.py::test_singleton_array_output_axis1_keepdims": ARRAYS,
    "test_direct.py::test_holomorphic_grad": COMPLEX,
}

OTHER_FILES = {
    "test_builtins.py": "isinstance for their boxes",
    "test_complex.py": "complex numbers",
    "test_dict.py": "derivatives for dictionaries",
    "test_fft.py": "Fourier transforms of arrays",
    "test_jacobian.py": "functions of arrays",
    "test_linalg.py": "linear algebra",
    "test_list.py": "derivatives for lists",
    "test_logic.py": "arrays, complex numbers, and the insides of their table of rules",
    "test_misc.py": "flattening of containers, replay of their trace",
    "test_numpy.py": "functions of arrays",
    "test_performance.py": "holds no test",
    "test_scipy.py": "functions of SciPy",
    "test_systematic.py": "functions of arrays",
    "test_truediv.py": "test_div of test_binary_ops.py once more",
    "test_tuple.py": "derivatives for tuples of arrays",
    "test_ufunc_dispatch.py": "the dispatch of NumPy's ufuncs to their boxes",
    "test_vspaces.py": "their vector spaces",
    "test_wrappers.py": "functions of arrays, and deprecated wrappers",
}

WAYS_TO_FAIL = (OutOfScopeError, AssertionError, TypeError, pytest.fail.Exception)


@pytest.fixture(scope="module", params=["their check", "our check"])
def suite(request, autograd_source):
    """Their test functions, by file and name: with their gradient check, and with ours for it."""
    modules = autograd_modules(autograd_source, our_check=request.param == "our check")
    return {
        file: cases_of(load(autograd_source / "tests" / file, f"autograd_{file[:-3]}", modules))
        for file in RUN
    }


def parameters():
    for file, names in RUN.items():
        for name in names.split():
            yield pytest.param(file, name, id=f"{file}::{name}")
    for listed, reason in LISTED.items():
        mark = pytest.mark.xfail(reason=reason, raises=WAYS_TO_FAIL, strict=True)
        yield pytest.param(*listed.split("::"), id=listed, marks=mark)


@pytest.mark.filterwarnings("error", "ignore::tinygrad_bp.errors.KinkWarning")
@pytest.mark.parametrize(("file", "name"), [*parameters()])
def test_autograd(suite, file, name):
    seed_anew()
    suite[file][name]()


def test_every_test_of_theirs_is_run_or_listed(suite):
    theirs = {f"{file}::{name}" for file, tests in suite.items() for name in tests}
    run = {f"{file}::{name}" for file, names in RUN.items() for name in names.split()}
    assert theirs == run | set(LISTED)
    assert not run & set(LISTED)


def test_every_file_of_theirs_is_run_or_listed(autograd_source):
    theirs = {file.name for file in (autograd_source / "tests").glob("test_*.py")}
    assert theirs == set(RUN) | set(OTHER_FILES)


def test_every_disagreement_is_in_the_documentation():
    page = (Path(__file__).parents[2] / "docs" / "peers.md").read_text(encoding="utf-8")
    for listed, reason in LISTED.items():
        if reason.startswith(DISAGREEMENT):
            assert listed.partition("::")[2] in page
