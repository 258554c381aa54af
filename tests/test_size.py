"""Depth and size: a million nodes (thorough) in a small stack, and many threads at once."""

from __future__ import annotations

import copy
import pickle
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from depth import depth

from tinygrad_bp import Value, fsum, gradients, path_count, tanh

SIZE = depth(1_000_000, by_default=100_000)
# Python 3.13 frees a chain by C recursion some ten thousand deep before it goes on iteratively.
SMALL_STACK = (256 if sys.version_info < (3, 13) else 2048) * 1024


def in_a_small_stack(work):
    failures = []

    def guarded():
        try:
            work()
        except BaseException as failure:  # noqa: BLE001 - raised again below
            failures.append(failure)

    before = threading.stack_size(SMALL_STACK)
    try:
        thread = threading.Thread(target=guarded)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    if failures:
        raise failures[0]


def chain(x, size):
    for _ in range(size):
        x = x * 0.9999999
    return x


def comb(x, size):
    v = x
    for _ in range(size // 2):
        v = v * 0.5 + x
    return v


def wide(x, size):
    return fsum([x * 0.5 for _ in range(size)])


@pytest.mark.parametrize(
    ("shape", "paths"),
    [(chain, 1), (comb, SIZE // 2 + 1), (wide, SIZE)],
    ids=["chain", "comb", "wide"],
)
def test_built_passed_recorded_copied_and_freed_in_a_small_stack(shape, paths):
    def work():
        x = Value(1.0)
        e = shape(x, SIZE)
        e.backward()
        assert path_count(e, x) == paths
        assert len(repr(e)) < 200
        (slope,) = gradients(e, [x], create_graph=True)
        assert getattr(slope, "data", slope) == pytest.approx(x.grad, rel=1e-9)
        for again in (pickle.loads(pickle.dumps(e)), copy.deepcopy(e)):
            assert (again.data, again.grad) == (e.data, 1)
            again.backward()

    in_a_small_stack(work)


def test_independent_graphs_in_many_threads_are_safe():
    def train(seed):
        w = Value(0.1 * seed)
        for _ in range(300):
            e = (tanh(w * 0.5 + 1.0) - 0.3 * w) ** 2
            w.grad = 0
            e.backward()
            w.data -= 0.01 * w.grad
        return w.data

    alone = [train(seed) for seed in range(16)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(train, range(16))) == alone
