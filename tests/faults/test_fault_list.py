"""The list of faults in this package's docstring names tests that are there."""

import re
from pathlib import Path

import pytest

from tests import faults

TESTS = Path(__file__).parents[1]
ROWS = re.findall(r"^ {4}(\S.*?) {2,}(\S.*)$", faults.__doc__ or "", re.MULTILINE)
NAMED = re.compile(r"((?:[a-z_]+/)*test_\w+)(?: \((\w+)\))?")
"""A module, by its path under `tests` or beside this one, and where it says so a class or a part of a test's name."""


def find_module(name: str) -> Path:
    beside, under = Path(__file__).parent / f"{name}.py", TESTS / f"{name}.py"
    return beside if "/" not in name and beside.exists() else under


def test_the_list_has_a_row_for_each_fault() -> None:
    assert len(ROWS) > 50


@pytest.mark.parametrize(("fault", "tests"), ROWS)
def test_a_fault_is_tested_where_the_list_says(fault: str, tests: str) -> None:
    named = NAMED.findall(tests)
    assert named, f"no test of: {fault}"
    for module, part in named:
        assert find_module(module).is_file(), f"{module}: {fault}"
        assert part in find_module(module).read_text(encoding="utf-8"), f"{module} ({part}): {fault}"
