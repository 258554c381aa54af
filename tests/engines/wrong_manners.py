"""Mutants that do not answer: they end the process, never come back, or reach for what is not theirs."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

from mutation import mutation, scalar
from right import Scalar

PASS = ("pass from a leaf", "a + b")


def in_pass(do):
    """A Scalar that does something before each pass."""

    def backward(self):
        do()
        Scalar.backward(self)

    return scalar(backward=backward)


def in_tanh(do):
    """A Scalar that does something in one function."""

    class Doing(Scalar):
        @classmethod
        def apply(cls, op, *operands):
            if op == "tanh":
                do()
            return super().apply(op, *operands)

    return Doing


def crash():
    ctypes.string_at(0)


def sleep():
    while True:
        time.sleep(3600)


def swallow():
    while True:
        try:
            while True:
                pass
        except BaseException:  # noqa: BLE001 - the defect
            continue


def cancel_alarm():
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    while True:
        pass


def hang_in_c():
    lock = threading.Lock()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM, signal.SIGINT, signal.SIGTERM})
    lock.acquire()
    lock.acquire()


def interrupt():
    raise KeyboardInterrupt


def unprintable():
    class UnprintableError(Exception):
        def __str__(self):
            raise ValueError("no text")

    raise UnprintableError


ENDINGS = {
    "ends the process with os._exit(0)": lambda: os._exit(0),
    "ends the process with os._exit(1)": lambda: os._exit(1),
    "ends the process by sys.exit": lambda: sys.exit(0),
    "kills the process": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "aborts": os.abort,
    "has a segmentation fault": crash,
    "reads standard input": input,
    "raises KeyboardInterrupt": interrupt,
    "raises an error that cannot be printed": unprintable,
    "closes standard output": lambda: os.close(1),
    "raises SystemError": lambda: ctypes.pythonapi.PyErr_BadInternalCall(),
}

HANGS = {
    "sleeps for ever": sleep,
    "hangs, and swallows exceptions": swallow,
    "hangs, and cancels the alarm": cancel_alarm,
    "hangs in C": hang_in_c,
}


def plant(table, *, hangs):
    """Two mutants for each deed: in every pass, and in one function."""
    for defect, do in table.items():
        mutation(f"{defect} in its pass", found_by=PASS, hangs=hangs)(lambda _, do=do: in_pass(do))
        mutation(f"{defect} in tanh", found_by=["tanh"], hangs=hangs)(lambda _, do=do: in_tanh(do))


plant(ENDINGS, hangs=False)
plant(HANGS, hangs=True)
