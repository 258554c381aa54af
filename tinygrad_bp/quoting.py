"""How a message shows what others gave: on one line, with nothing in it that cannot be seen, and short.

This module knows nothing of the others, so that each of them may quote.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

QUOTED = 60
"""So many characters of one thing that was given are shown in a message."""

MESSAGE = 600
"""So many characters a whole message has at most."""

LISTED = 12
"""So many names of a list are."""


def visible(line: str) -> str:
    r"""The text on one line, with nothing in it that cannot be seen.

    Control, format and bidirectional characters, line separators, surrogates and what Unicode has
    not assigned are written as ``U+XXXX``: they could break XML, move a terminal's cursor, or make a
    name look like another.

    >>> visible("a\nb\u202ec"), visible("w")
    ('aU+000AbU+202Ec', 'w')
    """
    if line.isprintable():
        return line
    from unicodedata import category  # few labels need it

    hidden = {c for c in line if category(c)[0] == "C" or category(c) in ("Zl", "Zp")}
    return "".join([f"U+{ord(c):04X}" if c in hidden else c for c in line])


def shown(line: str, limit: int) -> str:
    r"""The text as `visible`, shortened where that has more than ``limit`` characters.

    >>> shown("weight", 4), shown("a\0b", 6)
    ('wei…', 'a…')
    """
    whole = visible(line[: limit + 1])
    if len(whole) <= limit:
        return whole
    fitting = ""
    for character in line:  # no U+XXXX is cut in two
        longer = fitting + visible(character)
        if len(longer) >= limit:
            break
        fitting = longer
    return fitting + "…"


def shortened(text: str, longest: int = QUOTED) -> str:
    """The text; of one that is longer, its beginning and its end.

    >>> shortened("abcdefghijklmnopqrstuvwxyz", 12)
    'abcdefg...yz'
    """
    if len(text) <= longest:
        return text
    end = longest // 5
    return f"{text[: longest - 3 - end]}...{text[-end:]}"


def quoted(what: object, longest: int = QUOTED) -> str:
    r"""What was given as Python writes it, to be named in a message.

    >>> quoted("a\x1b[2J"), quoted(["x"] * 1000)
    ("'a\\x1b[2J'", "['x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x',... 'x', 'x']")
    """
    try:
        return shortened(visible(repr(what)), longest)
    except ValueError:  # a whole number of more digits than Python prints
        return f"<{type(what).__name__} too long to print>"


def first_few(names: Iterable[str]) -> str:
    """The names with commas between; of many, the first few and how many there are.

    >>> first_few("abc"), first_few(map(str, range(1000)))
    ('a, b, c', '0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, ... (1000 in all)')
    """
    known = [shortened(visible(each)) for each in names]
    more = f", ... ({len(known)} in all)" if len(known) > LISTED else ""
    return ", ".join(known[:LISTED]) + more
