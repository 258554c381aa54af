"""The README and the documentation say what runs."""

from __future__ import annotations

import doctest
import io
import re
import shlex
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tinygrad_bp.cli import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_sessions_run_as_printed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    test = doctest.DocTestParser().get_doctest(
        "\n".join(re.findall(r"```python\n(.*?)```", README, re.DOTALL)),
        {},
        "README",
        "README.md",
        0,
    )
    session = ModuleType("__main__")  # as for a person, whose variables have names
    monkeypatch.setitem(sys.modules, "__main__", session)
    test.globs = vars(session)
    results = doctest.DocTestRunner().run(test, clear_globs=False)
    assert results.attempted > 10
    assert results.failed == 0
    assert [each.name for each in tmp_path.iterdir()] == ["chain.svg"]


CONSOLE = re.findall(r"```console\n\$ tinygrad-bp (.*?)\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize(("command", "printed"), CONSOLE, ids=[each[0][:20] for each in CONSOLE])
def test_the_command_prints_what_the_readme_prints(command, printed, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert main(shlex.split(command)) == 0
    found = capsys.readouterr().out
    error = re.compile("± .*")  # its digits are the platform's
    begun = printed.removesuffix("...\n")
    assert error.sub("", found).startswith(error.sub("", begun))
    assert begun != printed or found == printed


def test_two_commands_do_all_their_own_set_up():
    for name, last in (("main job", "tinygrad-bp demo"), ("tests", "pytest")):
        (command,) = re.findall(rf"<!-- {name} -->\n```sh\n(.*)\n```", README)
        assert command.startswith("python3 -m venv .venv && .venv/bin/pip install ")
        assert command.endswith(f"&& .venv/bin/{last}")


def test_what_is_built_from_the_table_is_the_table(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    import build

    assert (ROOT / "docs" / "operations.md").read_text(encoding="utf-8") == build.operations()
    declared = ROOT / "tinygrad_bp" / "declarations.pyi"
    assert declared.read_text(encoding="utf-8") == build.declarations()
    sys.modules.pop("build")


def test_every_link_leads_somewhere():
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
    for page in pages:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), (page.name, target)


def test_names_in_the_page_on_the_note_exist():
    from tinygrad_bp import note

    text = (ROOT / "docs" / "note.md").read_text(encoding="utf-8")
    tests = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "tests").glob("test_*.py"))
    for name in re.findall(r"`note\.(\w+)`", text):
        assert hasattr(note, name)
    for name in re.findall(r"`(test_\w+)`", text):
        assert f"def {name}(" in tests
