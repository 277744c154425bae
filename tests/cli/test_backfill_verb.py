"""The command of back-fills: its flags, what a person sees, the result line."""

from pathlib import Path

import pytest

from tests.cli.test_main import call, config_of
from tests.world import World

pytestmark = pytest.mark.usefixtures("world")


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--from", "2013-01-01"), "--to is missing"),
        (("--from", "2013-01-01", "--to", "2013-01-31"), "as it was at each as_of, or as it is now"),
        (("--from", "2013-01-01", "--to", "2013-01-31", "--every", "daily"), "the interval 'daily'"),
        (("--from", "2013-01-01", "--to", "2913-01-31", "--source-as-it-is"), "as_of 2913"),
        (("--from", "2013-01-01", "--to", "2099-12-31", "--every", "1mo", "--source-as-it-is"), "in the future"),
        (
            ("--from", "2013-01-01", "--to", "2013-01-31", "--source-as-it-is", "--source-as-it-was"),
            "--source-as-it-was together with",
        ),
        (
            (
                "--from",
                "2013-01-01",
                "--to",
                "2013-01-31",
                "--source-as-it-is",
                "--model-version",
                "1",
                "--model-as-it-is",
            ),
            "--model-as-it-is together with",
        ),
        (("--from", "2013-01-01", "--to", "2013-01-31", "--source-as-it-is"), "no publication before 31 as_ofs"),
    ],
)
def test_what_cannot_be_meant_ends_with_2_before_anything_is_done(
    world: World, words: tuple[str, ...], what: str, capfd: pytest.CaptureFixture[str]
) -> None:
    code, result, said = call(capfd, "backfill", "--config", config_of(world), *words)
    assert (code, result["status"], result["exit_code"], world.version()) == (2, "failed", 2, -1)
    assert what in said


def test_it_shows_its_plan_then_each_run_and_tells_all_of_them_in_one_line(
    world: World, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words: tuple[str, ...] = ("backfill", "--config", config_of(world), "--from", "2013-01-01", "--to", "2013-01-03")
    words += ("--source-as-it-is", "--model-as-it-is", "--result", str(tmp_path / "result.json"))
    code, result, said = call(capfd, *words, "--dry-run")
    assert (code, result["status"], [run["status"] for run in result["runs"]]) == (0, "dry_run", ["planned"] * 3)
    assert "2013-01-01T00:00:00Z to 2013-01-03T00:00:00Z" in said
    assert "to score" in said
    assert world.version() == -1
    code, result, said = call(capfd, *words)
    assert (code, result["status"], result["counts"], result["schema"]) == (0, "backfilled", {"published": 3}, 1)
    assert [run["rows_scored"] for run in result["runs"]] == [60] * 3
    assert "2 of 3: 2013-01-02T00:00:00Z published, 60 rows" in said
    assert "1 left" in said
    assert "3 as_ofs: 3 published; 180 rows" in said
