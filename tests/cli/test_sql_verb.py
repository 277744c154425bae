"""`sql` on the command line: the query in one line of JSON, as text for people, and in a file."""

import json
from pathlib import Path

import pytest

from sparkscore.cli import main

CONFIG = ("--config", str(Path(__file__).resolve().parents[2] / "conf" / "quickstart.yaml"))


def call_sql(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, object], str]:
    code = main.run_verb("sql", [*words, *CONFIG])
    said = capfd.readouterr()
    return code, json.loads(said.out), said.err


def test_the_query_is_the_result_and_is_shown(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "latest.sql"
    code, line, shown = call_sql(capfd, "latest", "--dialect", "duckdb", "--file", str(file))
    assert (code, line["schema"], line["name"], line["dialect"]) == (0, 1, "latest", "duckdb")
    assert 'PARTITION BY "flight_id"' in str(line["sql"])
    assert shown.strip() == str(line["sql"]).strip() == file.read_text().strip()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("nope",), "'nope' is not known"),
        (("latest", "--dialect", "mysql"), "'mysql' is not known"),
        (("latest", "--from", "2013-12-30"), "--from or --to with latest"),
        (("changes", "--to", "soon"), "as_of 'soon' is no date or timestamp"),
        ((), "name is missing"),
    ],
)
def test_what_is_wrong_ends_with_2(capfd: pytest.CaptureFixture[str], words: tuple[str, ...], found: str) -> None:
    code, line, shown = call_sql(capfd, *words)
    assert (code, line["exit_code"]) == (2, 2)
    assert found.lower() in shown.lower()
