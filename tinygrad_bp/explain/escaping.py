"""Text for HTML and LaTeX: whatever a label holds, it is shown, and never read as markup.

Invisible characters are shown as ``U+XXXX`` in both, as `tinygrad_bp.quoting.shown` has it.
"""

from __future__ import annotations

import html
import unicodedata

from tinygrad_bp.quoting import shown

LONGEST = 48
"""A label longer than this is shown shortened."""

LONGEST_PROSE = 10_000
"""And so is a sentence, or a line of text, longer than this."""


def for_html(text: str, limit: int = LONGEST) -> str:
    r"""The text for HTML, SVG and MathML: inside an element, or an attribute in quotes.

    >>> for_html("<b>\0")
    '&lt;b&gt;U+0000'
    """
    return html.escape(shown(text, limit))


def for_latex(text: str, limit: int = LONGEST) -> str:
    r"""The text for LaTeX's text mode; a letter that its usual fonts have not is written ``U+XXXX``.

    >>> print(for_latex(r"50% \input{x} é ∂ 日"))
    50\% \textbackslash{}input\{x\} \'{e} $\partial$ U+65E5
    """
    letters = map(_letter_for_latex, unicodedata.normalize("NFC", shown(text, limit)))
    written = "".join(letters).replace(",,", ",{,}")  # which some fonts join to a quotation mark
    if written.startswith(("[", "*")):  # a line break before it would take it for its argument
        written = f"{{{written[0]}}}{written[1:]}"
    return written


_SPECIAL = {
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    '"': r"\textquotedblright{}",
    "|": r"\textbar{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "\xa0": "~",
    **{character: f"\\{character}" for character in "{}$&#_%"},
    **{character: f"{{{character}}}" for character in "-`'"},  # which would join
}
_SIGNS = {
    "∂": r"\partial", "…": r"\dots", "⋯": r"\cdots", "·": r"\cdot", "×": r"\times", "→": r"\to", "−": "-",
    "°": r"^{\circ}", "±": r"\pm", "∞": r"\infty", "√": r"\surd", "≤": r"\leq", "≥": r"\geq", "≠": r"\neq",
    "≈": r"\approx", "∏": r"\prod", "∑": r"\sum", "⁽": "^{(}", "⁾": "^{)}", "′": "'", "∇": r"\nabla",
    **{sign: f"^{{{place}}}" for place, sign in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
    **{sign: f"_{{{place}}}" for place, sign in enumerate("₀₁₂₃₄₅₆₇₈₉")},
}  # fmt: skip
_LETTERS = {
    "ß": r"\ss",
    "æ": r"\ae",
    "Æ": r"\AE",
    "ø": r"\o",
    "Ø": r"\O",
    "œ": r"\oe",
    "Œ": r"\OE",
    "ł": r"\l",
    "Ł": r"\L",
    "–": r"\textendash",
    "—": r"\textemdash",
}
_ACCENTS = dict(zip("\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327",
                    "`'^~=u.\"rHvc", strict=True))  # fmt: skip
_SMALL = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon "
    "phi chi psi omega"
)
_CAPITAL = "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
_GREEK = {
    unicodedata.lookup(
        f"GREEK {case} LETTER {name.upper().replace('LAMBDA', 'LAMDA')}"
    ): rf"\{name}"
    for case, names in (("SMALL", _SMALL), ("CAPITAL", _CAPITAL))
    for name in names.split()
} | dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧο", "ABEZHIKMNOPTXo", strict=True))  # LaTeX writes these as Latin ones


def _letter_for_latex(character: str) -> str:
    if character in _SPECIAL:
        return _SPECIAL[character]
    if character.isascii():
        return character
    if character in _LETTERS:
        return f"{_LETTERS[character]}{{}}"
    sign = _SIGNS.get(character) or greek(character)
    if sign:
        return f"${sign}$"
    parts = unicodedata.normalize("NFD", character)
    if len(parts) == 2 and parts[0].isascii() and parts[0].isalpha() and parts[1] in _ACCENTS:
        return f"\\{_ACCENTS[parts[1]]}{{{parts[0]}}}"
    return f"U+{ord(character):04X}"


def greek(letter: str) -> str:
    r"""A Greek letter for LaTeX's math mode; the empty text for any other text.

    >>> print(greek("λ"), greek("Ω"), greek("Α"), greek("x") == "")
    \lambda \Omega A True
    """
    return _GREEK.get(letter, "")
