"""The floors: which module may import which, and what `import tinygrad_bp` may cost."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import tinygrad_bp

HOUSE = Path(tinygrad_bp.__file__).parent
FLOORS = (
    ("errors", "files", "quoting", "sources"),
    ("table",),
    ("numbers",),
    ("engine",),
    ("explain",),
    ("network", "training"),
    ("note",),
    ("testing",),
    ("terminal", "repl", "__main__"),
)
"""From the bottom to the top: what stands on a floor imports from its own and from those below."""

FLOOR_OF = {name: floor for floor, names in enumerate(FLOORS) for name in names}
STANDARD = sys.stdlib_module_names | {"__future__"}
OPTIONAL = {  # what is not of the standard library, and what may ask for it
    "mpmath": {"numbers", "testing"},
    "sympy": {"numbers", "explain"},
    "numpy": {"numbers"},
    "hypothesis": {"testing"},
    "pytest": {"testing"},
    "rich": {"terminal", "testing"},
    "IPython": {"terminal"},
    "torch": {"network"},
}


def name_of(path: Path) -> str:
    """The full name of a module of the package."""
    parts = ("tinygrad_bp", *path.relative_to(HOUSE).with_suffix("").parts)
    return ".".join(parts).removesuffix(".__init__")


MODULES = {name_of(path): path for path in sorted(HOUSE.rglob("*.py"))}
EACH = pytest.mark.parametrize(
    ("name", "path"),
    [*MODULES.items()][1:],
    ids=[each.partition(".")[2] for each in [*MODULES][1:]],
)


def part_of(name: str) -> str:
    """The package or module right below ``tinygrad_bp`` that it is in."""
    return name.split(".")[1]


def imports(path: Path) -> set[str]:
    """The full names of all that a file imports, within functions and for type checkers too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found.update(f"{node.module}.{each.name}" for each in node.names)
    return found


def modules_imported(path: Path) -> set[str]:
    """Those of the package's modules; what a package offers is traced to the module that has it."""
    found = set()
    for full in imports(path):
        name = full if full in MODULES else full.rpartition(".")[0]
        if name == "tinygrad_bp" and full != name:  # from tinygrad_bp import Value
            offered = getattr(tinygrad_bp, full.rpartition(".")[2])
            name = getattr(offered, "__module__", "tinygrad_bp.table.rules")
        if name in MODULES:
            found.add(name)
    return found - {"tinygrad_bp", name_of(path)}


def test_the_reader_of_imports_sees_them_all(tmp_path):

    text = (
        "import os.path\nif TYPE_CHECKING:\n    import typing\nelse:\n    import json\n"
        "def f():\n    from tinygrad_bp import Value\n    from tinygrad_bp.explain.paths import paths\n"
    )
    file = tmp_path / "some.py"
    file.write_text(text)
    assert imports(file) >= {"os.path", "typing", "json", "tinygrad_bp.Value"}


@EACH
def test_a_module_imports_only_from_its_floor_and_those_below(name, path):
    part = part_of(name)
    assert part in FLOOR_OF, f"give {part} its floor"
    for other in modules_imported(path):
        assert FLOOR_OF[part_of(other)] <= FLOOR_OF[part], f"{name} imports {other}"


@EACH
def test_only_the_engine_knows_how_a_node_holds_its_operands(name, path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    known = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not known & {"_dx", "_dy", "_mark"} or name.removeprefix("tinygrad_bp.engine.") in (
        *("value", "graph", "quick"),
    )


def test_imports_have_no_circles_those_for_type_checkers_included():
    arrows = {name: modules_imported(path) for name, path in MODULES.items()}
    arrows["tinygrad_bp"] = set()  # the front, which all may ask for what it offers
    *_, last = TopologicalSorter(arrows).static_order()  # CycleError names a circle
    assert last in MODULES


@EACH
def test_only_the_terminal_imports_viz(name, path):
    viz = {each for each in imports(path) if each.partition(".")[0] == "viz"}
    assert not viz or part_of(name) == "terminal"


def test_the_note_stands_by_itself():
    assert all(name.partition(".")[0] in STANDARD for name in imports(HOUSE / "note.py"))


@EACH
def test_a_third_party_package_is_imported_only_where_it_may_be(name, path):
    packages = {each.partition(".")[0] for each in imports(path)}
    for package in packages - STANDARD - {"tinygrad_bp", "viz"}:
        assert part_of(name) in OPTIONAL.get(package, set()), f"{name} imports {package}"


@EACH
def test_each_package_and_module_says_what_it_is_for(name, path):
    assert len(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "") > 20


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
    parts = {name.split(".")[1] for name in loaded if name.startswith("tinygrad_bp.")}
    assert parts - {"sources"} == {"errors", "quoting", "table", "numbers", "engine"}
    later = {"differentiate", "flat", "tape", "collector", "kinks", "expression"}
    assert not {name for name in loaded if name.rpartition(".")[2] in later}


def test_the_check_would_see_them():
    assert "fractions" in loaded_by("import fractions")
