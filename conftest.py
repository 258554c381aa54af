"""How all tests run: how deep, from which seed, and in how many processes; see CONTRIBUTING.md."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import depth
import pytest
from hypothesis import settings


def pytest_addoption(parser):
    """Add the option."""
    parser.getgroup("tinygrad-bp").addoption(
        "--thorough",
        action="store_true",
        help="as many examples and as large graphs as the tests know, drawn with the date as seed",
    )


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist and Hypothesis read their options
def pytest_cmdline_main(config):
    """Choose the seed of a thorough run, and a process for each core unless a file is named."""
    option = config.option
    if hasattr(config, "workerinput"):  # one of these processes
        option.hypothesis_seed = config.workerinput["hypothesis_seed"]
        return
    if option.thorough and option.hypothesis_seed is None:
        option.hypothesis_seed = f"{datetime.now(UTC):%Y%m%d}"
    folders = all(Path(each).is_dir() for each in config.args)
    xdist = config.pluginmanager.hasplugin("xdist")
    if xdist and folders and option.numprocesses is None and option.dist == "no":
        option.numprocesses, option.dist = "logical", "worksteal"
        option.maxprocesses = option.maxprocesses or 4  # large graphs take memory


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_configure_node(node):
    """Give each process the seed."""
    node.workerinput["hypothesis_seed"] = node.config.option.hypothesis_seed


def pytest_configure(config):
    """Set depth and seed; without a seed all examples are always the same."""
    seed = config.option.hypothesis_seed
    depth.THOROUGH = config.option.thorough
    settings.register_profile(
        "tests",
        max_examples=depth.depth(100, by_default=20),
        derandomize=seed is None,
        deadline=None,
        database=None,
        print_blob=True,
    )
    settings.load_profile("tests")
    os.environ.setdefault("FUZZ_SEED", seed or "1986")  # test_fuzz.py runs by itself too
    os.environ.setdefault("FUZZ_INPUTS", depth.depth("20000", by_default="600"))


def pytest_sessionstart(session):
    """Say the seed at once, for a run that does not come to its end."""
    if reporter := session.config.pluginmanager.get_plugin("terminalreporter"):
        pytest_terminal_summary(reporter)


def pytest_terminal_summary(terminalreporter):
    """Say how the same examples are drawn again."""
    option = terminalreporter.config.option
    if option.hypothesis_seed is not None:
        options = "--thorough " * option.thorough + f"--hypothesis-seed={option.hypothesis_seed}"
        terminalreporter.write_line(f"the same examples again: pytest {options}")
