"""The house: which room may import which, and what `import tinygrad_bp` may cost."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import tinygrad_bp

HOUSE = Path(tinygrad_bp.__file__).parent
FRONT_DOOR = ("demo", "stepper", "repl", "cli", "__main__")
ORDER = (
    *(
        "errors",
        "quoting",
        "exact",
        "expression",
        "rules",
        "floats",
        "sources",
        "kernels",
        "arithmetic",
        "graph",
        "text",
        "notation",
        "kinks",
        "backward",
        "collector",
        "flat",
        "value",
        "made",
        "operations",
        "functions",
    ),
    "expressions",
    *(
        "differentiate",
        "differences",
        "files",
        "modules",
        "delimited",
        "samples",
        "paths",
        "steps",
        "exchange",
        "network",
        "training",
        "note",
        "escaping",
        "formula",
        "report",
        "chain",
        "derivation",
        "program",
        "testing",
    ),
    *FRONT_DOOR,
)
"""From the top of the design's list to the bottom: a room imports only rooms above it."""

STANDARD = sys.stdlib_module_names | {"__future__"}
OPTIONAL = {  # what is not of the standard library, and which rooms may ask for it
    "mpmath": {"arithmetic", "text", "testing"},
    "sympy": {"arithmetic", "formula"},
    "numpy": {"arithmetic"},
    "hypothesis": {"testing"},
    "pytest": {"testing"},
    "rich": {*FRONT_DOOR, "testing"},
    "IPython": {*FRONT_DOOR},
    "torch": {"exchange"},
}


FILES = [path for path in sorted(HOUSE.rglob("*.py")) if path != HOUSE / "__init__.py"]
ROOMS = pytest.mark.parametrize(
    ("room", "path"),
    [(path.relative_to(HOUSE).with_suffix("").parts[0], path) for path in FILES],
    ids=[".".join(path.relative_to(HOUSE).with_suffix("").parts) for path in FILES],
)


def imports(path: Path) -> set[str]:
    """The full names of the modules that a file imports at run time, within functions too."""
    found = set()

    def visit(node):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for other in node.orelse:
                visit(other)
            return
        if isinstance(node, ast.Import):
            found.update(each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found.add(node.module)
            if node.module == "tinygrad_bp":
                found.update(f"tinygrad_bp.{each.name}" for each in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return found


def rooms_imported(path: Path) -> set[str]:
    """The rooms among them, and what the package's front offers traced to its room."""
    found = set()
    for name in imports(path):
        package, _, inner = name.partition(".")
        if package != "tinygrad_bp" or not inner:
            continue
        room = inner.partition(".")[0]
        if room not in ORDER:  # from tinygrad_bp import Value
            offered = getattr(tinygrad_bp, room)
            room = getattr(offered, "__module__", "tinygrad_bp.rules").split(".")[1]
        found.add(room)
    return found


def test_the_reader_of_imports_sees_them_all(tmp_path):
    file = tmp_path / "room.py"
    file.write_text(
        "import os.path\nif TYPE_CHECKING:\n    import typing\nelse:\n    import json\n"
        "def f():\n    from tinygrad_bp import Value\n    from tinygrad_bp.paths import paths\n"
    )
    assert imports(file) == {
        *("os.path", "json", "tinygrad_bp", "tinygrad_bp.Value", "tinygrad_bp.paths")
    }
    assert rooms_imported(file) == {"value", "paths"}


@ROOMS
def test_a_room_imports_only_rooms_above_it(room, path):
    assert room in ORDER, f"give {room} its place in the order"
    above = {*ORDER[: ORDER.index(room)]}
    if room == "testing":
        above.add("testing")
    assert rooms_imported(path) <= above


@ROOMS
def test_only_the_front_door_imports_viz(room, path):
    viz = {name for name in imports(path) if name.partition(".")[0] == "viz"}
    assert not viz or room in FRONT_DOOR


def test_the_note_stands_by_itself():
    assert all(name.partition(".")[0] in STANDARD for name in imports(HOUSE / "note.py"))


def test_the_walk_and_the_pass_know_nothing_of_value():
    assert rooms_imported(HOUSE / "graph.py") == set()
    assert rooms_imported(HOUSE / "backward.py") == {"arithmetic", "floats", "graph", "kinks"}


@ROOMS
def test_a_third_party_package_is_imported_only_where_it_may_be(room, path):
    packages = {name.partition(".")[0] for name in imports(path)}
    for package in packages - STANDARD - {"tinygrad_bp", "viz"}:
        assert room in OPTIONAL.get(package, set()), f"{room} imports {package}"


def loaded_by(program: str) -> set[str]:
    """The modules that a fresh interpreter has loaded for a program."""
    before = f"import sys\nsys.path.insert(0, {str(HOUSE.parent)!r})\n"
    after = "\nimport sys, json\nprint(json.dumps([*sys.modules]))"
    command = [sys.executable, "-I", "-S", "-c", before + program + after]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return {*json.loads(done.stdout)}


GRADIENT = """
from tinygrad_bp import Value, tanh
x = Value(0.5)
y = tanh(x * 2.0 - 0.1) ** 2
y.backward()
assert x.grad
"""


@pytest.mark.parametrize("program", ["import tinygrad_bp", GRADIENT], ids=["import", "gradient"])
def test_the_engine_loads_next_to_nothing(program):
    loaded = loaded_by(program) - loaded_by("")
    packages = {name.partition(".")[0] for name in loaded}
    assert packages <= STANDARD | {"tinygrad_bp"}
    assert not packages & {"typing", "dataclasses", "re", "ast", "fractions", "inspect", "logging"}
    engine = {"errors", "quoting", "exact", "rules", "floats", "kernels", "arithmetic", "text"}
    engine |= {"graph", "backward", "value", "operations", "functions", "made"}
    engine |= {"notation", "sources"} if program is GRADIENT else {"notation"}
    assert {name for name in loaded if name.startswith("tinygrad_bp.")} == {
        f"tinygrad_bp.{room}" for room in engine
    }


def test_the_check_would_see_them():
    assert "fractions" in loaded_by("import fractions")
