"""Running an engine in a process of its own, so that nothing it does takes the report.

The process tries one property after another.  Where it ends or hangs, the property is lost and the
next one has a new process.  An engine that is named, as ``module:name``, is imported there and
nowhere else; one that is given as a Python object is there because the process is forked.
"""

from __future__ import annotations

import faulthandler
import gc
import io
import mmap
import os
import pickle
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
import weakref
from contextlib import suppress
from pathlib import Path
from struct import Struct
from typing import IO, TYPE_CHECKING, Any, NamedTuple, NoReturn, Protocol

from tinygrad_bp.errors import ArgumentError
from tinygrad_bp.testing.engines import check_nodes, load, told
from tinygrad_bp.testing.properties import PROPERTIES
from tinygrad_bp.testing.trial import NOWHERE, try_property

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinygrad_bp.testing.cases import Plan
    from tinygrad_bp.testing.engines import Engine, Spelling
    from tinygrad_bp.testing.trial import Answer

START_LIMIT = 60.0
"""Seconds that the import of an engine may take."""
_FIRST_LINES = 3
_PROGRESS = Struct("<qqq")
"""The number of the case, the place of the statement in it, and how many there were so far."""


class Greeting(NamedTuple):
    """What a process says when its engine is there.

    Attributes:
        name: of the engine.
        spelling: how it is written.
        bits: of its floats.
    """

    name: str
    spelling: Spelling
    bits: int


class Lost(NamedTuple):
    """How a process came to its end while it tried a property.

    Attributes:
        why: in words.
        case: its number.
        place: of the statement in it.
        hangs: whether it had to be ended.
    """

    why: str
    case: int
    place: int
    hangs: bool


class Output(NamedTuple):
    """What an engine has written to standard output and standard error, warnings among it.

    Attributes:
        lines: how many.
        first: the first few.
    """

    lines: int
    first: tuple[str, ...]


# ---- in the process


class _NoInput(io.TextIOBase):
    """Standard input for an engine, which has nothing to read."""

    asked = False

    def readable(self) -> bool:
        return True

    def read(self, *_: Any) -> NoReturn:
        _NoInput.asked = True
        raise EOFError("the engine reads standard input, where there is nothing")

    readline = read


def serve(receive: IO[bytes], send: IO[bytes], counter: str, find: Callable[[], Engine]) -> None:
    """Try the properties that are asked for, until there are no more.

    Args:
        receive: pickled pairs of a name and a `Plan`.
        send: where each pickled answer goes.
        counter: a file that always has in it how far this is.
        find: finds the engine.
    """

    def reply(what: Any) -> None:
        pickle.dump((what, _NoInput.asked), send)
        send.flush()

    usual = sys.getrecursionlimit()
    sys.stdin = _NoInput()
    try:
        engine = find()
        check_nodes(engine)
        reply(Greeting(engine.name, engine.spelling, engine.bits))
    except ArgumentError as error:
        reply(str(error))
        return
    with Path(counter).open("r+b") as file, mmap.mmap(file.fileno(), _PROGRESS.size) as memory:
        ticks = 0

        def announce(case: int, place: int) -> None:
            nonlocal ticks
            ticks += 1
            _PROGRESS.pack_into(memory, 0, case, place, ticks)
            if sys.getrecursionlimit() < usual:  # we need it ourselves
                sys.setrecursionlimit(usual)

        while True:
            try:
                name, plan = pickle.load(receive)  # noqa: S301 - from the process that started this
            except EOFError:
                return
            announce(0, NOWHERE)
            gc.collect()
            gc.freeze()  # which keeps what is remembered of former properties out of collections
            try:
                reply(try_property(PROPERTIES[name], engine, plan, announce))
            except BaseException as error:  # noqa: BLE001 - KeyboardInterrupt, of the engine's own
                case, place, _ = _PROGRESS.unpack_from(memory)
                reply(Lost(told(error), case, place, hangs=False))


def _take_over() -> tuple[IO[bytes], IO[bytes]]:
    """The two pipes of this process; what is written to standard output goes with the errors from now on."""
    receive, send = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    with suppress(ValueError):  # the process that started this ends it
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return receive, send


def main() -> None:
    """What a process runs for an engine that is named."""
    receive, send = _take_over()
    counter, path, folder, settings = pickle.load(receive)  # noqa: S301 - from who started this
    serve(receive, send, counter, lambda: load(path, folder, **settings))
    os._exit(0)  # threads of the engine may go on for ever


# ---- the process seen from outside


class _Process(Protocol):
    """What of `subprocess.Popen` is needed."""

    stdin: Any
    stdout: Any
    stderr: Any

    def kill(self) -> None: ...
    def wait(self) -> int: ...


class _Forked:
    """A copy of this process, with pipes for its standard streams."""

    def __init__(self, work: Callable[[], None]) -> None:
        pipes = [os.pipe() for _ in range(3)]
        (in_read, in_write), (out_read, out_write), (err_read, err_write) = pipes
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which it does not use
            self.pid = os.fork()
        if not self.pid:
            try:
                for fd, standard in ((in_read, 0), (out_write, 1), (err_write, 2)):
                    os.dup2(fd, standard)
                for fd in (in_write, out_read, err_read):
                    os.close(fd)
                sys.stdout = sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
                faulthandler.disable()  # how it ended is told in the report
                gc.freeze()  # what was there before is none of the engine's, and slow to look through
                work()
            finally:
                os._exit(0)
        for fd in (in_read, out_write, err_write):
            os.close(fd)
        self.stdin = os.fdopen(in_write, "wb")
        self.stdout = os.fdopen(out_read, "rb")
        self.stderr = os.fdopen(err_read, "rb")
        self.status: int | None = None

    def kill(self) -> None:
        if self.status is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        if self.status is None:
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.status


class Worker:
    """An engine in a process of its own, which is started when it is needed and whenever it is lost.

    Args:
        engine: the engine, or its path.
        limit: seconds that one case may take.
        folder: where modules are looked for, too.
        settings: of the `Engine`, if it is named by its path.
    """

    def __init__(
        self,
        engine: Engine | str,
        limit: float,
        folder: Path | None = None,
        settings: dict[str, Any] | None = None,
    ) -> None:
        self.engine = engine
        self.limit = limit
        self.folder = folder
        self.settings = settings or {}
        self.reads_input = False
        self._lines: list[str] = []
        self._count = 0
        self._process: _Process | None = None
        self._greeting: Greeting | None = None
        self._replies: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._errors: threading.Thread | None = None
        handle, self._counter = tempfile.mkstemp()
        os.write(handle, bytes(_PROGRESS.size))
        os.close(handle)
        self._finalizer = weakref.finalize(self, _remove, self._counter)

    @property
    def output(self) -> Output:
        """What the engine has written so far."""
        return Output(self._count, tuple(self._lines))

    def greet(self) -> Greeting:
        """Start the process, unless it runs.

        Raises:
            ArgumentError: there is no such engine, or it makes no nodes.
        """
        if self._process is not None and self._greeting is not None:
            return self._greeting
        self._start()
        found: Greeting | Lost | str = self._receive(START_LIMIT)
        if isinstance(found, Lost):
            what = self.engine if isinstance(self.engine, str) else self.engine.name
            raise ArgumentError(f"{what} cannot be imported: {found.why}")
        if isinstance(found, str):
            self.close()
            raise ArgumentError(found)
        self._greeting = found
        return found

    def try_property(self, name: str, plan: Plan) -> Answer | Lost:
        """Try a property in the process."""
        self.greet()
        self._begin()
        try:
            pickle.dump((name, plan), self._stdin)
            self._stdin.flush()
        except OSError:  # it has ended since
            pass
        found: Answer | Lost = self._receive(self.limit)
        return found

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._errors:
                self._errors.join(1.0)
            for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
                with suppress(OSError):
                    stream.close()
            self._process = None
            self._killer.detach()

    # ---- the process

    def _start(self) -> None:
        if isinstance(self.engine, str):
            path = [each or str(Path.cwd()) for each in sys.path]
            code = f"import sys; sys.path[:] = {path!r}; from tinygrad_bp.testing.worker import main; main()"
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                [sys.executable, "-c", code],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            folder = self.folder or Path.cwd()
            pickle.dump((self._counter, self.engine, folder, self.settings), self._stdin)
            self._stdin.flush()
        else:
            engine, counter = self.engine, self._counter
            self._process = _Forked(lambda: serve(*_take_over(), counter, lambda: engine))
        self._killer = weakref.finalize(self, _end, self._process)
        self._replies = queue.SimpleQueue()
        _thread(_read_replies, self._process.stdout, self._replies)
        self._errors = _thread(self._read_errors, self._process.stderr)

    @property
    def _stdin(self) -> Any:
        assert self._process is not None  # noqa: S101 - it was started
        return self._process.stdin

    def _read_errors(self, stream: IO[bytes]) -> None:
        with suppress(OSError, ValueError):
            for line in stream:
                self._count += 1
                if len(self._lines) < _FIRST_LINES:
                    self._lines.append(" ".join(line.decode(errors="replace").split())[:100])

    def _receive(self, limit: float) -> Any:
        """The next reply, or how the process was lost."""
        progress, since = self._progress(), time.monotonic()
        while True:
            try:
                reply = self._replies.get(timeout=limit / 20)
                break
            except queue.Empty:
                if self._progress() != progress:
                    progress, since = self._progress(), time.monotonic()
                elif time.monotonic() - since > limit:
                    self.close()
                    case, place, _ = progress
                    return Lost(f"no answer in {limit:g} seconds", case, place, hangs=True)
        if reply is None:
            case, place, _ = self._progress()
            assert self._process is not None  # noqa: S101 - it was running
            code = self._process.wait()
            self.close()
            return Lost(_ended(code), case, place, hangs=False)
        found, asked = reply
        self.reads_input |= asked
        return found

    def _progress(self) -> tuple[int, int, int]:
        case, place, ticks = _PROGRESS.unpack(Path(self._counter).read_bytes())
        return case, place, ticks

    def _begin(self) -> None:
        with Path(self._counter).open("r+b") as file:  # which the process has mapped
            file.write(_PROGRESS.pack(0, NOWHERE, 0))


def _remove(counter: str) -> None:
    with suppress(OSError):
        Path(counter).unlink()


def _end(process: _Process) -> None:
    process.kill()
    process.wait()


def _thread(target: Callable[..., None], *arguments: Any) -> threading.Thread:
    thread = threading.Thread(target=target, args=arguments, daemon=True)
    thread.start()
    return thread


def _read_replies(stream: IO[bytes], replies: queue.SimpleQueue[Any]) -> None:
    try:
        while True:
            replies.put(pickle.load(stream))  # noqa: S301 - from the process that we started
    except Exception:  # noqa: BLE001 - its end, or what cannot be read as a reply
        replies.put(None)


def _ended(code: int) -> str:
    if code < 0:
        with suppress(ValueError):
            return f"the process was ended by {signal.Signals(-code).name}"
    return f"the process ended with exit code {code}"
