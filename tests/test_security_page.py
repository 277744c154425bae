"""The page on security names tests that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)))
THREATS = [line for line in PAGE.partition("## Models")[2].splitlines() if line.startswith("| ")]


def test_the_page_has_threats_and_tests() -> None:
    assert len(NAMED) > 20


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_test_that_the_page_names_is_there(file: str, name: str) -> None:
    content = (ROOT / file).read_text(encoding="utf-8")
    assert re.search(rf"^ *(?:def|class) {name}\b" if name else r"^ *def test_", content, re.MULTILINE)


@pytest.mark.parametrize("threat", THREATS)
def test_a_threat_has_a_test_or_is_not_covered(threat: str) -> None:
    assert "`tests/" in threat or "not covered" in threat or threat.startswith("| threat |")
