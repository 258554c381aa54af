"""Labels that would do harm in some format if they were taken for anything but text."""

from __future__ import annotations

from depth import depth

SCRIPT = "<script>alert(1)</script>"
URL = "http://hostile.invalid/x"


def _escaped(form, text):
    return "".join(form.format(ord(each)) for each in text)


BACKSLASHES = [
    *("\\", "\\\\", "\\\\\\", '\\"', "ends with \\", "\\ begins", "C:\\w", r"C:\new\table\users\x"),
    *(r"\1", r"\0", r"\9", r"\99", r"\g<0>", r"\g<1>", r"\g<name>", r"\g<", r"\k<1>", r"(?P<a>\w)"),
    *(r"\alpha", r"\beta_1", r"\frac{1}{2}", r"\d+\s*", r"\x", r"\u", r"\N", r"\N{DIGIT ONE}"),
    *(r"\042\076\074script\076alert(1)\074/script\076", r"\042 onload=\042alert(1)", r"\134\061"),
    *(_escaped("\\{:03o}", f'">{SCRIPT}'), _escaped("\\x{:02x}", SCRIPT), _escaped("\\u{:04x}", SCRIPT)),
    *(_escaped("\\u{{{:x}}}", SCRIPT), _escaped("\\U{:08x}", "<b>"), _escaped("\\{:x} ", "</style>")),
    *(r"\a\b\f\n\r\t\v\0", r"\N \G \E \T \H \L", r"\n\l\r", r"\l", "\\\n", r"\e[31m", r"\033[2J"),
]  # fmt: skip

REPLACEMENTS = [
    *("$1", "$&", "$`", "$'", "$$", "$<name>", "${1}", "${alert(1)}", "$title", "${script}", "$"),
    *("{}", "{0}", "{label}", "{0.__class__}", "{", "}", "{{}}", "{a|b}", "{!r}", "{:>9}", "f'{1}'"),
    *("%s", "%d", "%(label)s", "%", "%%", "%n", "%.2f", "#{1}", "{{7*7}}", "{% raw %}", "<%= 7 %>"),
    *("`${alert(1)}`", "'; alert(1); '", '"; alert(1); "', "__proto__", "constructor", "toString"),
]  # fmt: skip

MARKUP = [
    *("<", ">", "<>", "&", "a & b", "<b>bold</b>", SCRIPT, f"</script>{SCRIPT}", f"</title>{SCRIPT}"),
    *(f"</style>{SCRIPT}", f"</text></svg>{SCRIPT}", f"</textarea></noscript>{SCRIPT}", f'">{SCRIPT}'),
    *(f"'>{SCRIPT}", '" onload="alert(1)', "' onload='alert(1)", ' id="x"', 'class="frame"'),
    *("<img src=x onerror=alert(1)>", f"<img src={URL}>", f'<a href="{URL}">', f"<base href={URL}>"),
    *("<svg onload=alert(1)>", "<svg ", "<g ", "</svg>", "<g><g>", "<use href='#a'/>", "<style>*{display:none}"),
    *("<math><mi>x</mi></math>", "</math></mi>", "<mtext>", f"<iframe src={URL}>", "<meta http-equiv=refresh>"),
    *("<!--", "-->", "<!-- -- >", "<!--<script>", "]]>", "<![CDATA[x", "<?xml?>", "<?php x ?>", "<!DOCTYPE x>"),
    *('<!ENTITY x "y">', "&amp;", "&lt;b&gt;", "&#x41;&#65;&nbsp;", "&x;", "&unknown", "&#0;", "&#xD800;", "&;"),
    *(f"url({URL})", f"@import '{URL}'", "javascript:alert(1)", "*/ alert(1) /*", "// x", "expression(alert(1))"),
]  # fmt: skip

GRAPHS = [
    *('"]; n9 [label="x"];//', "</TD></TR></TABLE>> ]; n9 [label=x", "<<TABLE><TR><TD>x</TD></TR></TABLE>>"),
    *("<port> x", "a:b:c", "a:n", "n0", "n0 -> n1", "graph", "strict", "subgraph", f'URL="{URL}"', "{a|{b|c}}"),
    *('"', '""', "'", '"quoted"', "/* x", "# x", "//", ";", "<>x<>", f"<IMG SRC='{URL}'/>"),
    *(f'"]; click n0 "{URL}"', "end", "1. list", "- item", "+ item", "# heading", "`code` **bold** _it_"),
    *("#quot; #60;", "#lt;", "%%{init: {}}%%", "%% comment", "a --> b", "---\ntitle: x\n---", "classDef x", "[x] |y| {z}"),
]  # fmt: skip

TEX = [
    *(r"\input{/etc/passwd}", r"\end{document}", r"\write18{x}", r"\def\x{\x}\x", r"50% $x$ ~^_& #1 \\"),
    *(r"\]\)$$", r"\verb|x|", r"}}}{{{", r"\begin{tabular}", "^^5cend", "``quote'' -- --- ?` !` ,, << >>"),
    *("[0pt]", "*", "*[1]", r"\\[9pt]", "x_1", "a^b", "~", "^", "_", "#", "$x^2$"),
]  # fmt: skip

INVISIBLE = [
    *("NUL\0", "\0", "ESC\x1b[31m", "\x1b]0;title\x07", "BEL\a", "\b\b\b", "\ttab\nline\r", "a\rb", "\n", "a\n\nb"),
    *("\x7f", "\x80\x9b31m", "\x85", "\x0b\x0c\x1c\x1d\x1e\x1f", "\u2028", "\u2029", "a\u2028b\u2029c"),
    *("\u202eright to left\u202c", "\u202d\u202a\u202b", "\u2066isolate\u2069", "\u200e\u200f\u061c"),
    *("\u200b\u200d\u200c", "\ufeffmark", "soft\xadhyphen", "\u2060\u2061", "\U000e0041\U000e007f", "\u180e"),
    *("\ud800", "\udfff", "\ud800 alone \udfff", "\udc80", "\ud83d\ud83d", "\ufffe", "\uffff", "\U0010ffff\U0001fffe"),
    *("\ue000", "\u0378", "\ufdd0", "\ufff9a\ufffab\ufffb", "x\0" * 300, "\u202e" * 500, "ж" * 39 + "\0"),
]  # fmt: skip

TEXT = [
    *(" ", "   spaces   within   ", " leading", "\xa0", "x" * 500, "long words " * 60, "W" * 39, "W" * 41),
    *("日本語 Ελλάδα é", "👨\u200d👩\u200d👧", "👍🏽", "🇪🇺", "e\u0301\u0327\u0300", "\u0301", "Z" + "\u0335" * 60),
    *("شبكة", "שלום", "ß Ø ł ∂ Σ β Ω ϕ ϛ", "⁽¹⁾ ₂ × − ≈ … ⋯", "ﬁ ﬂ", "\u212b \uff1cb\uff1e", "ⅸ ½", "İ ı ǅ"),
    *("w[1][2,1]", "-x", "--help", "../x", "~/x", "a,b;c", "=1+1", "@x", "+1", "nan", "1e999", "True", "None"),
]  # fmt: skip

_ALL = [*BACKSLASHES, *REPLACEMENTS, *MARKUP, *GRAPHS, *TEX, *INVISIBLE, *TEXT]
LABELS = depth(_ALL, by_default=_ALL[::5])
