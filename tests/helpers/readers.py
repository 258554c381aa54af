"""What a reader of each format finds in a file: its texts; anything that we never write is an error."""

from __future__ import annotations

import io
import json
import re
import unicodedata
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

from viz.layout import layout


def _words(text):
    return set(text.split())


_DRAWN = _words("svg g title polygon polyline path ellipse text style")
_PAGE = _words("""
    html head meta title style body header h1 h2 h3 p strong span ul noscript main section div button
    input label select fieldset legend footer script table tr th td pre hr
""")
_MATHS = _words("""
    math mrow mi mn mo mtext mfrac msub msup msubsup munderover mtable mtr mtd mroot msqrt
""")


def _check_element(tag, attributes):
    assert tag in _DRAWN | _PAGE | _MATHS, tag
    for name, value in attributes:
        assert not name.startswith("on"), name
        assert name not in ("href", "src", "srcdoc", "action", "{http://www.w3.org/1999/xlink}href")
        assert name != "http-equiv" or value == "Content-Security-Policy"
        assert name != "style" or "url" not in value


def read_xml(source):
    """The texts of an SVG, or of a fragment of HTML with MathML, which is XML too."""
    root = ET.fromstring(source)
    texts = []
    for element in root.iter():
        tag = element.tag.rpartition("}")[2]
        _check_element(tag, element.attrib.items())
        texts += [element.get("aria-label", "")]
        if tag == "style":
            assert "url" not in element.text
        else:
            texts += [element.text or "", element.tail or ""]
    return texts


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.texts, self.data, self.inside = [], [], []

    def handle_starttag(self, tag, attributes):
        _check_element(tag, attributes)
        self.texts += [value for name, value in attributes if name in ("aria-label", "title")]
        self.inside.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        tags = [each for each, _ in self.inside]
        assert tag in tags, tag
        del self.inside[len(tags) - 1 - tags[::-1].index(tag) :]

    def handle_data(self, data):
        tag, attributes = self.inside[-1] if self.inside else ("", {})
        if tag == "script" and attributes.get("type") == "application/json":
            self.data.append(json.loads(data))
        elif tag not in ("script", "style"):
            self.texts.append(data)

    def unknown_decl(self, data):
        raise AssertionError(data)

    def handle_pi(self, data):
        raise AssertionError(data)


def read_html(source):
    """The texts of a page, and those of the data in it."""
    source.encode()
    page = _Page()
    page.feed(source)
    page.close()
    assert {tag for tag, _ in page.inside} <= {"html", "meta"}
    return [*page.texts, *(text for each in page.data for text in strings(each))]


def strings(data):
    """Every text among data, keys too."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for key, value in data.items():
            yield key
            yield from strings(value)
    elif isinstance(data, list):
        for each in data:
            yield from strings(each)


def read_json(source):
    """The texts of JSON in ASCII."""
    source.encode("ascii")

    def refuse(constant):
        raise AssertionError(constant)

    return [*strings(json.loads(source, parse_constant=refuse))]


_DOT_ATTRIBUTES = _words("""
    _gvid name label pos width height tail head lp bb xlp color fillcolor fontcolor fontname fontsize
    shape style margin penwidth rankdir bgcolor nodesep ranksep directed strict _subgraph_cnt objects
    edges arrowsize xdotversion fixedsize layout outputorder place
""")


def read_dot(source):
    """The texts of a graph's nodes and edges, as Graphviz reads it."""
    source.encode()
    graph = json.loads(layout(source, "json0"))
    texts = []
    for place, node in enumerate(graph["objects"]):
        assert node["name"] == f"n{place}"
    for each in (graph, *graph["objects"], *graph.get("edges", ())):
        assert set(each) <= _DOT_ATTRIBUTES, set(each) - _DOT_ATTRIBUTES
        if "label" in each:
            texts += [
                text.replace("\\\\", "\\") for text in ET.fromstring(each["label"]).itertext()
            ]
    return texts


def read_mermaid(source):
    """Nodes with their lines, and edges with their text: every line must be of a known form."""
    head, _, body = source.partition("---\nflowchart LR\n")
    assert re.fullmatch(r'---\ntitle: "(?:[^"\\\n]|\\["\\])*"\n', head)
    nodes, edges = {}, []
    for line in body.split("\n")[:-1]:
        node = re.fullmatch(r'  (n\d+)\(\(?"([^"]*)"\)\)?', line)
        edge = re.fullmatch(r'  (n\d+) --[->](?:\|"([^"]*)"\|)? (n\d+)', line)
        if node:
            nodes[node[1]] = [decoded(each) for each in node[2].split("<br/>")]
        elif edge:
            edges.append((edge[1], edge[3], decoded(edge[2] or "")))
        else:
            look = (
                r"  (linkStyle [\d,]+ [-\w:#,. ]+|classDef lit stroke-width:3px|class [n\d,]+ lit)"
            )
            group = r'  (subgraph g\d+\["[^"]*"\]|end)'
            assert re.fullmatch(f"{look}|{group}", line), line
    return nodes, edges


def decoded(text):
    """What Mermaid shows for a label in its source."""
    return re.sub(r"#(\d+);", lambda code: chr(int(code[1])), text)


def read_mermaid_texts(source):
    """The title of a flowchart, and the texts of its nodes."""
    nodes, _ = read_mermaid(source)
    title = json.loads(source.split("\n")[1].removeprefix("title: "))
    return [title, *(text for lines in nodes.values() for text in lines)]


_TEX_LETTERS = {
    "textbackslash": "\\",
    "textasciicircum": "^",
    "textasciitilde": "~",
    "textquotedblright": '"',
    "textbar": "|",
    "textless": "<",
    "textgreater": ">",
    "ss": "ß", "ae": "æ", "AE": "Æ", "o": "ø", "O": "Ø", "oe": "œ", "OE": "Œ", "l": "ł", "L": "Ł",
    "textendash": "–", "textemdash": "—",
}  # fmt: skip
_TEX_ACCENTS = {
    "`": "\u0300",
    "'": "\u0301",
    "^": "\u0302",
    "~": "\u0303",
    "=": "\u0304",
    "u": "\u0306",
    ".": "\u0307",
    '"': "\u0308",
    "r": "\u030a",
    "H": "\u030b",
    "v": "\u030c",
    "c": "\u0327",
}
_TEX_SIGNS = {
    r"\partial": "∂",
    r"\dots": "…",
    r"\cdots": "⋯",
    r"\cdot": "·",
    r"\times": "×",
    r"\to": "→",
    "-": "−",
    r"^{\circ}": "°",
    r"\pm": "±",
    r"\infty": "∞",
    r"\surd": "√",
    r"\leq": "≤",
    r"\geq": "≥",
    r"\neq": "≠",
    r"\approx": "≈",
    r"\prod": "∏",
    r"\sum": "∑",
    "'": "′",
    r"\nabla": "∇",
    "^{(}": "⁽",
    "^{)}": "⁾",
    **{f"^{{{place}}}": sign for place, sign in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
    **{f"_{{{place}}}": sign for place, sign in enumerate("₀₁₂₃₄₅₆₇₈₉")},
    **dict(zip("ABEZHIKMNOPTXo", "ΑΒΕΖΗΙΚΜΝΟΡΤΧο", strict=True)),
}
_TEX_COMMANDS = _words("""
    documentclass usepackage renewcommand familydefault sfdefault pagestyle begin end allowdisplaybreaks
    setlength parindent par bigskip hrule medskip arraystretch linewidth quad hline footnotesize framebox
    rule fboxsep multicolumn texttt text mathrm operatorname frac partial left right cdot cdots times to
    eta sum tfrac mathopen mathclose hspace approx allowbreak definecolor noindent useasboundingbox path
    node fontsize selectfont bfseries infty
""")
_ENVIRONMENT = re.compile(r"\{(\w+\*?)\}")
_TEX = re.compile(
    r"""\\(?P<letter>[A-Za-z]+)\{\} | \\(?P<accent>[`'^~=."uHvrc])\{(?P<under>[A-Za-z])\}
    | \\(?P<special>[{}$&#_%]) | \{(?P<braced>[-`',\[\]*])\} | \$(?P<sign>\S+?)\$
    | (?P<newline>\\\\) | \\(?P<command>[A-Za-z]+)\*? | \\(?P<thin>,) | (?P<other>[^\\])""",
    re.VERBOSE | re.DOTALL,
)


def read_tex_words(words):
    """What LaTeX's text mode shows, letter by letter: there is no command but for a letter."""
    shown, place = "", 0
    while place < len(words):
        found = _TEX.match(words, place)
        assert found, words[place:]
        letter = _tex_letter(found)
        assert letter is not None, found[0]
        assert found["other"] is None or letter not in "{}$&#^_%-`'", words
        shown += letter
        place = found.end()
    assert ",," not in words
    assert not words.startswith(("[", "*"))
    return shown


def _tex_letter(found):
    """The letter that a token stands for, if it does."""
    if found["letter"] in _TEX_LETTERS:
        return _TEX_LETTERS[found["letter"]]
    if found["accent"]:
        return unicodedata.normalize("NFC", found["under"] + _TEX_ACCENTS[found["accent"]])
    if found["sign"] in _TEX_SIGNS:
        return _TEX_SIGNS[found["sign"]]
    if found["sign"]:
        small, name = found["sign"][1:2].islower(), found["sign"][1:].upper()
        letter = f"GREEK {'SMALL' if small else 'CAPITAL'} LETTER {name.replace('LAMBDA', 'LAMDA')}"
        return unicodedata.lookup(letter) if re.fullmatch(r"\\[A-Za-z]+", found["sign"]) else None
    return (
        found["special"] or found["braced"] or (found["other"] or "").replace("~", "\xa0") or None
    )


def read_tex(source):
    """The text of a LaTeX document, whose groups and environments close, with no command but ours."""
    source.encode("ascii")
    text, depth, opened = "", 0, []
    source = re.sub(r"(?m)^%.*\n", "", source).replace("}%\n", "}\n")
    place = 0
    while place < len(source):
        found = _TEX.match(source, place)
        assert found, source[place : place + 40]
        try:
            letter = _tex_letter(found)
        except KeyError:
            letter = None
        if found["sign"] and letter is None:  # a formula
            found = re.compile(r"(?P<dollar>\$)").match(source, place)
            letter = ""
        elif found["letter"] and letter is None:
            found = re.compile(r"\\(?P<command>[A-Za-z]+)").match(source, place)
        elif found["other"]:
            assert letter not in "#%", source[place : place + 40]
            depth += (letter == "{") - (letter == "}")
            assert depth >= 0
        command = found.groupdict().get("command")
        if command:
            assert command in _TEX_COMMANDS or _is_greek(command), command
            environment = _ENVIRONMENT.match(source, found.end())
            if command == "begin":
                opened.append(environment[1])
            elif command == "end":
                assert opened.pop() == environment[1]
            letter = ""
        text += letter or ""
        place = found.end()
    assert depth == 0
    assert opened == []
    return [spelled(text)]


def spelled(text):
    """The text with every letter that is not ASCII, or a space, as its number."""
    return "".join(
        each if each.isascii() or each == "\xa0" else f"U+{ord(each):04X}" for each in text
    )


def _is_greek(command):
    try:
        unicodedata.lookup(f"GREEK SMALL LETTER {command.upper().replace('LAMBDA', 'LAMDA')}")
    except KeyError:
        return False
    return True


def read_image(content):
    """Nothing: but the image is whole, frame by frame."""
    from PIL import Image

    image = Image.open(io.BytesIO(content))
    for place in range(getattr(image, "n_frames", 1)):
        image.seek(place)
        image.load()


def read_terminal(text):
    """The lines that a terminal is given: with no character that it would obey, and none unseen."""
    text.encode()
    for letter in set(text) - {"\n"}:
        category = unicodedata.category(letter)
        assert category == "Zs" or category[0] not in "CZ", ascii(letter)
    return [text]
