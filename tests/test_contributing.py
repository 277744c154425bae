"""What CONTRIBUTING.md names is there."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
_TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
_TOKENS = sorted(set(re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", _TEXT, flags=re.MULTILINE | re.DOTALL))))
_FILE = re.compile(r"[\w./-]+\.(?:py|sh|md|yml|toml|lock)|[\w.-]+(?:/[\w.-]+)*/")
_NAME = re.compile(r"(?:[A-Za-z]+\.)?(_?[A-Za-z]\w*[_A-Z]\w*|[A-Z]\w+)")
_PREFIXES = frozenset({"is_", "has_", "can_"})
"""Beginnings of names, no names."""


def _has_file(name: str) -> bool:
    return (ROOT / name).exists() or ("/" not in name and any((ROOT / "src").rglob(name)))


def _names_in_code() -> Iterator[str]:
    """Everything that functions, classes and assignments define, and the parameters of functions."""
    for folder in ("src", "tests", "ci"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.alias):
                    yield node.name
                elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    yield node.id


@pytest.mark.parametrize("name", [token for token in _TOKENS if _FILE.fullmatch(token)])
def test_a_file_that_is_named_is_there(name: str) -> None:
    assert _has_file(name), f"CONTRIBUTING.md names {name}, which is not there: name the file that took its place"


def test_every_name_of_the_code_is_defined() -> None:
    named = {found[1] for token in _TOKENS if not _FILE.fullmatch(token) and (found := _NAME.fullmatch(token))}
    missing = sorted(named - _PREFIXES - set(_names_in_code()))
    assert not missing, f"CONTRIBUTING.md names {missing}, which nothing defines: name what took their place"
