"""The terminal stepper: the record of `steps`, looked at one step at a time.

`Screen` says what is to be seen at a step, as lines; `step` shows them, in a
terminal one at a time as the keys ask, and all of them where there is nobody to press a key.  What is
said is said in words and signs; colour only repeats it.
"""

from __future__ import annotations

import math
import os
import select
import shutil
import signal
import sys
import textwrap
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, Self

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from tinygrad_bp.explain.naive import naive
from tinygrad_bp.explain.steps import show, steps, written
from tinygrad_bp.numbers.text import plain, takes_signs
from tinygrad_bp.quoting import first_few, quoted, shortened, visible

try:
    import termios
    import tty
except ImportError:  # pragma: no cover - on Windows a line is read for each key
    termios = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import FrameType

    from tinygrad_bp.engine.value import Value
    from tinygrad_bp.explain.naive import Naive
    from tinygrad_bp.explain.steps import Step, Steps
    from tinygrad_bp.numbers.kernels import Number

KEYS = "n next  b back  j jump  r run to node  f first  l last  h help  q quit"
FEW_KEYS = "h help  q quit"
"""For a terminal in which all of them would take the room of the step."""
HELP = """\
n, space, Enter, right arrow    the next step
b, backspace, left arrow        one step back
j, or a number                  jump: type a step's number
r                               run to node: type a name; the next step that gives it something
f, Home                         the first step
l, End                          the last step
h, ?                            this help, or away with it
q, Esc                          quit"""
_SAME_KEY = {
    **dict.fromkeys((" ", "\r", "\n", "", "[C", "OC", "[B", "OB"), "n"),
    **dict.fromkeys(("p", "\x7f", "\b", "[D", "OD", "[A", "OA"), "b"),
    **dict.fromkeys(("g",), "j"),
    **dict.fromkeys(("[H", "OH", "[1~", "[7~"), "f"),
    **dict.fromkeys(("[F", "OF", "[4~", "[8~"), "l"),
    **dict.fromkeys(("?",), "h"),
    **dict.fromkeys(("\x1b", "\x04"), "q"),
}

WINDOW = 15
"""So many rows of a graph's tree are shown for each step where no terminal's height says how many."""
_NAME = 9  # cells are left to a name, however deep it lies
_BRANCHES = 40  # so many levels have one before them, however far apart the rows shown lie
_BLOCKS = 8  # the bar of the largest contribution
_BARS = 8  # so many contributions have one
_COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "red")
_SIGNS = str.maketrans({"├": "|", "└": "`", "─": "-", "│": "|", "▶": ">", "•": "*", "…": "~"})


class Row(NamedTuple):
    """A row of the tree: a node where it is used.

    Attributes:
        node: the node.
        above: the row of the node that uses it; -1 for the result.
        slot: which of that node's parents it is.
        depth: how many rows are above it.
        last: whether it is the last of these parents.
        again: whether it had a row before, which has all that is below it.
    """

    node: Value
    above: int
    slot: int
    depth: int
    last: bool
    again: bool


def tree(e: Value) -> list[Row]:
    """The graph as a tree: one row for each edge, and what is below a node only once.

    >>> from tinygrad_bp import Value
    >>> x = Value(3.0)
    >>> [(row.depth, row.again) for row in tree(x * x)]
    [(0, False), (1, False), (1, True)]
    """
    rows: list[Row] = []
    seen = set()
    pending = [(e, -1, 0, 0, True)]
    while pending:
        node, above, slot, depth, last = pending.pop()
        rows.append(Row(node, above, slot, depth, last, node in seen))
        if node not in seen:
            seen.add(node)
            place, end = len(rows) - 1, len(node.parents) - 1
            pending += [
                (parent, place, slot, depth + 1, slot == end)
                for slot, parent in reversed([*enumerate(node.parents)])
            ]
    return rows


def spelled(text: str) -> str:
    """The text in ASCII."""
    return plain(text, ascii_only=True).translate(_SIGNS)


def branches(rows: Sequence[Row], row: Row, base: int = 0) -> str:
    """What stands before a row of a tree, from a depth on."""
    parts = []
    if row.depth > base:
        parts.append("└─ " if row.last else "├─ ")
        row = rows[row.above]
    while row.depth > base:
        parts.append("   " if row.last else "│  ")
        row = rows[row.above]
    return "".join(reversed(parts))


def row_name(row: Row, named: Mapping[Value, str]) -> str:
    """A node with its operation, where the tree has what is below it."""
    name = named[row.node]
    rule = row.node.rule
    # The operands of a list have rows of their own below.
    how = rule.name if rule and rule.variadic else written(row.node, named)
    return f"{name} (see above)" if row.again else f"{name} = {how}" if how else name


class _Column(NamedTuple):
    """A column beside the tree."""

    heading: str
    cells: list[Text]
    size: int


class Screen:
    """What is to be seen at each step.

    Args:
        record: the steps.
        wrong: the steps of the wrong way, to be shown beside them.
        ascii_only: spell out every sign that is not ASCII.
    """

    def __init__(
        self, record: Steps, wrong: Naive | None = None, *, ascii_only: bool = False
    ) -> None:
        self.record = record
        self.wrong = wrong
        self.ascii_only = ascii_only
        self._rows = tree(record.e)
        self._place: dict[Value, int] = {}
        for k, row in enumerate(self._rows):
            self._place.setdefault(row.node, k)
        self._edge = {
            (self._rows[row.above].node, row.slot): k for k, row in enumerate(self._rows) if k
        }
        self._computed = {step.node: step.index for step in record[: record.seed]}
        backward = record.seed + 1 + record.edges
        self._learned = {step.node: step for step in record[backward:]}
        self._largest = max(
            (_size(step.contribution) for step in record[record.seed + 1 : backward]), default=0.0
        )

    def __len__(self) -> int:
        return max(len(self.record), len(self.wrong or ()))

    def find(self, name: str, after: int) -> int:
        """The next step that gives the node of that name something.

        Args:
            name: the name, or how it is shown where it has signs that the terminal cannot show.
            after: the step after which to look.

        Raises:
            LookupError: there is no such node, or no such step.
        """
        named = {name: node for node, name in self.record.names.items()}
        known = first_few(named)
        named = {self._spelled(each): node for each, node in named.items()} | named
        if name not in named:
            raise LookupError(f"no node is called {quoted(name)}: there are {known}")
        record = self.wrong or self.record
        for k in range(after + 1, len(record)):
            if record[k].target is named[name]:
                return k
        raise LookupError(f"no later step gives {shortened(name)} anything: look further back")

    # ---- the lines of a step

    def lines(self, k: int, *, width: int | None = None, height: int | None = None) -> list[Text]:
        """The step, its reason, and the tree with the current edge marked.

        Args:
            k: the step's index.
            width: of the terminal, in cells; ``None`` for as wide as it takes.
            height: how many lines there may be; ``None`` for a window of the tree.
        """
        texts = [*self._said(k)]
        said = [part for text in texts for part in _wrapped(text, width)]
        if height is not None and len(said) > height // 2:  # the tree says more than the reason
            said = [
                part for text in texts[: 3 if self.wrong else 2] for part in _wrapped(text, width)
            ]
        room = WINDOW if height is None else height - len(said) - 1
        if room > 2:
            said += [Text(), *self._tree(k, width, room)]
        for line in said:
            line.truncate(width or sys.maxsize, overflow="crop")
        return said[:height]

    def _said(self, k: int) -> Iterator[Text]:
        record, wrong = self.record, self.wrong
        if wrong is None:
            step = record[k]
            yield self.text(f"Step {k + 1} of {len(self)}: {self._phase(step)}", "bold")
            yield self.text(step.text())
            yield self.text(step.reason(), "dim")
            return
        yield self.text(f"Step {k + 1} of {len(self)}: the wrong way and the right way", "bold")
        yield self.text(f"wrong: {wrong[k].text() if k < len(wrong) else 'done'}")
        yield self.text(f"right: {record[k].text() if k < len(record) else 'done'}")
        if k == wrong.first_wrong:
            yield self.text(wrong.explain().splitlines()[0], "red")
        elif k == len(self) - 1:
            for line in wrong.explain().splitlines():
                yield self.text(line, "red" if wrong.first_wrong else "")

    def _phase(self, step: Step) -> str:
        record = self.record
        place, of = {
            "forward": (step.index, record.seed),
            "seed": (0, 1),
            "backward": (step.index - record.seed - 1, record.edges),
            "update": (step.index - record.seed - record.edges - 1, len(self._learned)),
        }[step.kind]
        return step.kind if step.kind == "seed" else f"{step.kind} {place + 1} of {of}"

    def text(self, text: str, style: str = "") -> Text:
        """With no sign that the terminal cannot show, and none that would move its cursor."""
        return Text(self._spelled(text), style)

    def _spelled(self, text: str) -> str:
        return visible(spelled(text) if self.ascii_only else text)

    # ---- the tree

    def _tree(self, k: int, width: int | None, room: int) -> Iterator[Text]:
        marks = self._marks(k)
        focus, size = next(iter(marks)), len(self._rows)
        room -= 1  # the headings
        if size > room:
            room -= 1  # what is not shown is said
        start = max(0, min(focus - room // 2, size - room))
        places = range(start, min(start + room, size))
        yield from self._table(k, places, marks, width)
        if size > room:
            above, below = start, size - places.stop
            yield self.text(f"   not shown: {above} above, {below} below", "dim")

    def _marks(self, k: int) -> dict[int, str]:
        """The rows that the step is about and their marks, the edge first."""
        if self.wrong is None:
            step = self.record[k]
            edge, place = self._focus(step), self._place[step.target]
            return {edge: "▶"} if edge == place else {edge: "▶", place: "•"}
        marks: dict[int, str] = {}
        for sign, record in (("w", self.wrong), ("r", self.record)):
            if k < len(record):
                edge = self._focus(record[k])
                marks[edge] = marks.get(edge, "") + sign
        return marks

    def _focus(self, step: Step) -> int:
        if step.slot is None:
            return self._place[step.target]
        return self._edge[step.node, step.slot]

    def _table(
        self, k: int, places: range, marks: dict[int, str], width: int | None
    ) -> Iterator[Text]:
        rows = [(place, self._rows[place]) for place in places]
        depths = [row.depth for _, row in rows]
        base = max(min(depths), max(depths) - _BRANCHES)
        names = [
            (marks.get(place, ""), branches(self._rows, row, base), self._named(row))
            for place, row in rows
        ]
        shown = [row.node if place in marks or not row.again else None for place, row in rows]
        columns = self._filled(shown, k)
        left = max(7, *(3 + cell_len(prefix + name) for _, prefix, name in names))
        if width is not None:
            while (
                columns
                and min(left, max(20, width // 2)) + sum(2 + each.size for each in columns) > width
            ):
                columns.pop()
            left = min(left, width - sum(2 + each.size for each in columns))
        headings = [Text(each.heading, "dim") for each in columns]
        yield self._line(Text(_fitted("", "", "node", left), "dim"), headings, columns)
        for line, (place, _), parts in zip(range(len(rows)), rows, names, strict=True):
            name = self.text(_fitted(*parts, left), "bold" if place in marks else "")
            yield self._line(name, [each.cells[line] for each in columns], columns)

    def _filled(self, nodes: Sequence[Value | None], k: int) -> list[_Column]:
        """The columns that have anything in them, as wide as they will be at the end."""
        columns = []
        for heading, cell in self._columns().items():
            cells = [Text() if node is None else cell(node, k) for node in nodes]
            later = [cell(node, len(self) - 1) for node in nodes if node is not None]
            size = max(map(cell_len, (heading, *(each.plain for each in [*cells, *later]))))
            size = size if heading in _NUMBERS else len(heading)  # others may be cut
            if any(cells):
                columns.append(_Column(heading, cells, size))
        return columns

    def _line(self, line: Text, cells: Sequence[Text], columns: Sequence[_Column]) -> Text:
        for cell, (heading, _, size) in zip(cells, columns, strict=True):
            space = " " * max(0, size - cell.cell_len)
            line.append("  ")
            for part in (space, cell) if heading in _NUMBERS else (cell, space):
                line.append(part)
        line.rstrip()
        return line

    def _named(self, row: Row) -> str:
        return self._spelled(row_name(row, self.record.names))

    # ---- the columns

    def _columns(self) -> dict[str, Callable[[Value, int], Text]]:
        record, wrong = self.record, self.wrong
        if wrong is None:
            return {
                "value": self._value,
                "grad": lambda node, k: self._grad(record, node, k),
                "got": self._got,
                "contributions": self._bars,
            }
        return {
            "value": self._value,
            "wrong": lambda node, k: self._grad(wrong, node, k),
            "right": lambda node, k: self._grad(record, node, k),
            "": self._verdict,
        }

    def _value(self, node: Value, k: int) -> Text:
        learned = self._learned.get(node)
        if learned and learned.index <= k:
            return self.text(show(learned.data), "bold")
        return self.text("" if self._computed.get(node, -1) > k else show(self.record.number(node)))

    def _grad(self, record: Steps, node: Value, k: int) -> Text:
        k = min(k, len(record) - 1)
        return self.text(show(record.at(k)[node]) if k >= record.seed else "")

    def _got(self, node: Value, k: int) -> Text:
        come, due = self.record.received(node, k)
        hidden = k < self.record.seed or node is self.record.e
        return Text("" if hidden else f"{come} of {due}")

    def _bars(self, node: Value, k: int) -> Text:
        """One bar for each contribution so far, as long as its share of the largest."""
        come, _ = self.record.received(node, k)
        bars = Text()
        bars.append("... " if come > _BARS else "", "dim")
        for step in self.record.into(node, slice(max(0, come - _BARS), come)):
            size = _size(step.contribution)
            if step.kind == "backward" and size:
                sign = "+-"[bool(step.contribution < 0)]  # type: ignore[operator]
                blocks = "█" * max(1, round(size / self._largest * _BLOCKS))
                colour = _COLOURS[(step.ordinal or 0) % len(_COLOURS)]
                bars.append_text(self.text(f"{sign}{blocks} ", colour))
        bars.rstrip()
        return bars

    def _verdict(self, node: Value, k: int) -> Text:
        if self.wrong is None or k < len(self) - 1:
            return Text()
        wrong = {each.leaf for each in self.wrong.answers if each.wrong}
        return Text("<- wrong", "red") if node in wrong else Text()


_NUMBERS = ("value", "grad", "got", "wrong", "right")


def _size(number: Number) -> float:
    """How long a number's bar is; 0 where it is no finite number."""
    try:
        size = abs(float(number))
    except (TypeError, OverflowError):
        return 0.0
    return size if math.isfinite(size) else 0.0


def _wrapped(text: Text, width: int | None) -> list[Text]:
    if width is None or text.cell_len <= width:
        return [text]
    lines = textwrap.wrap(text.plain, max(8, width), subsequent_indent="    ")
    return [Text(line, text.style) for line in lines]


def _fitted(mark: str, prefix: str, name: str, size: int) -> str:
    """As wide as the column: too long a name is cut at the right, then its branch at the left."""
    room = size - 3
    if cell_len(prefix + name) > room:
        prefix = prefix[max(0, len(prefix) - max(0, room - min(cell_len(name), _NAME))) :]
        while name and cell_len(prefix + name) > room - 1:
            name = name[:-1]
        name += "…"
    return f"{mark:2} {prefix}{name}" + " " * (room - cell_len(prefix + name))


# ---- showing them


def step(e: Value, eta: Number | None = None, *, wrong: bool = False) -> None:
    """Look at the backward pass of ``e`` step by step; without a terminal, at all of it.

    Args:
        e: the result.
        eta: the learning rate, for the note's update at the end.
        wrong: show the pass without an order beside it.
    """
    show_steps(steps(e, eta), naive(e) if wrong else None)


def show_steps(record: Steps, wrong: Naive | None = None, *, every: bool = False) -> None:
    """Show a record: one step at a time where there are keys to ask for it, else every step.

    Args:
        record: the steps.
        wrong: the wrong way, to be shown beside them.
        every: show every step in any case.
    """
    screen = Screen(record, wrong, ascii_only=not takes_signs(sys.stdout))
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    if sys.stdin and sys.stdin.isatty() and sys.stdout.isatty() and not every:
        with Keys() as keys:
            _Player(screen, console, keys).play()
        return
    known = sys.stdout and (sys.stdout.isatty() or "COLUMNS" in os.environ)
    width = shutil.get_terminal_size().columns if known else None
    for k in range(len(screen)):
        _print(console, [Text()] * bool(k) + screen.lines(k, width=width))


def _print(console: Console, lines: Sequence[Text]) -> None:
    with console.capture() as captured:  # for rich ends the program where a pipe is closed
        console.print(Text("\n").join(lines))
    _write(captured.get())


class Keys:
    """One key at a time from a terminal, which is set back however it ends.

    Where Python cannot read single keys, a line is read for each.
    """

    def __init__(self) -> None:
        self.single = termios is not None
        self.woken: Callable[[], None] | None = None
        """Called when the shell has woken us after Ctrl-Z."""

    def __enter__(self) -> Self:
        if self.single:
            self._descriptor = sys.stdin.fileno()
            self._before = termios.tcgetattr(self._descriptor)
            tty.setcbreak(self._descriptor, termios.TCSADRAIN)  # keep what was typed ahead
            with suppress(ValueError):  # signals are the main thread's
                self._stopped = signal.signal(signal.SIGTSTP, self._stop)
        return self

    def __exit__(self, *_: object) -> None:
        if self.single:
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)
            with suppress(ValueError, AttributeError):
                signal.signal(signal.SIGTSTP, self._stopped)

    def _stop(self, number: int, _: FrameType | None) -> None:
        """Ctrl-Z: the shell gets its terminal as it was, and we take it again when woken."""
        self.__exit__()
        os.kill(os.getpid(), number)
        self.__enter__()
        if self.woken:
            self.woken()

    def read(self) -> tuple[str, str]:
        """A key, by the letter that stands for it, and what was typed with it.

        At the end of the input it is ``q``.
        """
        if not self.single:
            return _parted(_input("> "))
        key = self._key()
        if key is None:
            return "q", ""
        return ("j", key) if key.isdecimal() else (_SAME_KEY.get(key, key), "")

    def ask(self, prompt: str, begun: str = "") -> str:
        """A line of text; empty if it is given up with Esc."""
        if not self.single:
            return begun or _input(prompt) or ""
        _write(prompt + begun)
        while (key := self._key()) not in (None, "\r", "\n", "\x1b", "\x04"):
            if key in ("\x7f", "\b"):
                _write("\b \b" * bool(begun))
                begun = begun[:-1]
            elif key is not None and len(key) == 1 and key.isprintable():
                _write(key)
                begun += key
        return begun if key in ("\r", "\n") else ""

    def _key(self) -> str | None:
        """One character, or what follows the Esc of a key that has none; ``None`` at the end."""
        key = os.read(self._descriptor, 1)
        if not key:
            return None
        if key == b"\x1b" and select.select([self._descriptor], [], [], 0.05)[0]:
            key = os.read(self._descriptor, 1)
            while key in (b"[", b"O") or (key[:1] == b"[" and not b"@" <= key[-1:] <= b"~"):
                key += os.read(self._descriptor, 1)
        while key[0] >= 0xC0 and len(key) < 2 + (key[0] >= 0xE0) + (key[0] >= 0xF0):
            key += os.read(self._descriptor, 1)
        return key.decode(errors="replace")


def _input(prompt: str) -> str | None:
    try:
        return input(prompt).strip()
    except EOFError:
        return None


def _parted(line: str | None) -> tuple[str, str]:
    """A typed line as a key and the rest: ``r w``, ``j 5``, ``5``."""
    if line is None:
        return "q", ""
    if line.isdecimal():
        return "j", line
    return _SAME_KEY.get(line[:1], line[:1]), line[1:].strip()


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


class _Player:
    """The steps in a terminal, as the keys ask for them."""

    def __init__(self, screen: Screen, console: Console, keys: Keys) -> None:
        self.screen = screen
        self.console = console
        self.keys = keys
        self.place = 0
        self.message = ""
        self.help = False
        self._drawn = 0  # lines to be drawn over
        self._size = shutil.get_terminal_size()
        keys.woken = self._draw_anew

    def play(self) -> None:
        """Until ``q`` is pressed."""
        self._draw()
        while (key := self.keys.read())[0] != "q":
            self._press(*key)
            self._draw()

    def _press(self, key: str, typed: str) -> None:
        end = len(self.screen) - 1
        self.message = ""
        self.help = key == "h" and not self.help
        if key == "n":
            self._go(self.place + 1, "this is the last step: b goes back, q quits")
        elif key == "b":
            self._go(self.place - 1, "this is the first step: n goes on")
        elif key in ("f", "l"):
            self.place = end if key == "l" else 0
        elif key == "j":
            self._jump(self.keys.ask("jump to step: ", typed))
        elif key == "r":
            name = typed or self.keys.ask("run to node: ").strip()
            try:
                self.place = self.screen.find(name, self.place) if name else self.place
            except LookupError as error:
                self.message = str(error)
        elif key != "h":
            self.message = (
                f"no key {key!r}: h for help" if len(key) == 1 else "no such key: h for help"
            )

    def _go(self, place: int, otherwise: str) -> None:
        if 0 <= place < len(self.screen):
            self.place = place
        else:
            self.message = otherwise

    def _jump(self, typed: str) -> None:
        place = int(typed) if typed.isdecimal() and len(typed) < 20 else 0
        if typed:
            self._go(place - 1, f"no step {quoted(typed)}: they go from 1 to {len(self.screen)}")

    def _draw_anew(self) -> None:
        """Below what others have written since."""
        self._drawn = 0
        self._draw()

    def _draw(self) -> None:
        size = shutil.get_terminal_size()
        text = self.screen.text
        footer = _wrapped(text(self.message, "yellow"), size.columns) if self.message else []
        keys = _wrapped(text(KEYS, "dim"), size.columns)
        if len(keys) > max(1, size.lines // 4):
            keys = _wrapped(text(FEW_KEYS, "dim"), size.columns)
        footer += keys
        height = max(1, size.lines - 1 - len(footer))
        if self.help:
            shown = [
                line for each in HELP.splitlines() for line in _wrapped(text(each), size.columns)
            ]
        else:
            shown = self.screen.lines(self.place, width=size.columns, height=max(1, height - 1))
        lines = [*shown[:height], *[Text()] * (height > len(shown)), *footer][: size.lines - 1]
        if self.console.is_terminal and not self.console.is_dumb_terminal:
            if size != self._size:
                _write("\x1b[2J\x1b[H")
            elif self._drawn:
                _write(f"\r\x1b[{self._drawn}A\x1b[J")
        _print(self.console, lines)
        self._drawn, self._size = len(lines), size
