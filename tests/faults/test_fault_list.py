"""The list of faults in this package's docstring names tests that are there."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import faults
from tests.conftest import SLOW

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


def list_tests(module: ast.Module) -> Iterator[tuple[str, str]]:
    """Each test as it is named behind its file, with the source of its decorators, and of what they are named for."""
    named = {
        node.targets[0].id: ast.unparse(node.value)
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    for outer in module.body:
        for node in [outer, *(outer.body if isinstance(outer, ast.ClassDef) else [])]:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
                name = node.name if node is outer else f"{getattr(outer, 'name', '')}::{node.name}"
                decorators = [ast.unparse(one) for one in node.decorator_list]
                yield name, "".join(f"{one} {named.get(one, '')}" for one in decorators)


def is_in_each_run(file: Path, part: str) -> bool:
    """Whether a test of the file, with the part in its name, is not slow, or is a smoke test."""
    text, name = file.read_text(encoding="utf-8"), file.relative_to(TESTS.parent).as_posix()
    listed = [(test, marks) for test, marks in list_tests(ast.parse(text)) if part in test]
    return any("mark.smoke" in marks or not f"{name}::{test}".startswith(SLOW) for test, marks in listed)


@pytest.mark.parametrize(("fault", "tests"), ROWS)
def test_of_each_kind_of_fault_a_test_is_in_each_run_of_ci(fault: str, tests: str) -> None:
    assert any(is_in_each_run(find_module(module), part) for module, part in NAMED.findall(tests)), (
        f"all are slow: {tests}"
    )


@pytest.mark.parametrize("slow", SLOW)
def test_what_is_named_as_slow_is_there(slow: str) -> None:
    file, _, name = slow.partition("::")
    module = ast.parse((TESTS.parent / file).read_text(encoding="utf-8"))
    assert any(test.startswith(name.partition("[")[0]) for test, _ in list_tests(module))
