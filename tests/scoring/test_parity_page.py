"""docs/parity.md: what it lists is what tests hold."""

import re
from pathlib import Path

from tests.scoring.model_matrix import PAGE

TESTS = Path(__file__).parents[1]
_BEHAVIOUR = re.compile(
    r"\| (?P<number>\d+) \| `(?P<theirs>\w+)` \| (?P<what>.+) \| (?P<verdict>[a-z ]+) \| .* \| `(?P<test>\w+)` \|"
)


def behaviours() -> list[re.Match[str]]:
    """The rows of the table of MLflow's behaviours."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return [match for line in lines if (match := _BEHAVIOUR.fullmatch(line))]


def test_each_behaviour_has_a_verdict_and_a_test_of_ours() -> None:
    defined = set(re.findall(r"def (test_\w+)\(", "".join(file.read_text() for file in TESTS.rglob("test_*.py"))))
    assert {row["verdict"] for row in behaviours()} == {"same", "differs on purpose"}
    assert [row["test"] for row in behaviours() if row["test"] not in defined] == []


def test_the_page_counts_them_right() -> None:
    rows = behaviours()
    same = sum(row["verdict"] == "same" for row in rows)
    assert [int(row["number"]) for row in rows] == list(range(1, 67))
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    assert f"The {len(rows)} behaviours" in text
    assert f"{same} are the same, {len(rows) - same} differ on purpose." in text


def test_what_differs_says_why() -> None:
    for row in behaviours():
        assert row["verdict"] == "same" or row[0].split(" | ")[4].strip(), row["what"]
