"""The notebooks run from their first to their last cell, and their pages are those of their text."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ci.notebooks import FOLDER, NAMES, PAGES, SHARED, find_stale_pages, read_cells

ROOT = FOLDER.parent
SLOW_ONES = ("predictions_of_a_key", "drift_and_decay", "champion_and_challenger")


def run_notebook(name: str, out: Path) -> str:
    """Run a notebook as CI does; the text of its page."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYSPARK_SUBMIT", "SPARK_"))}
    done = subprocess.run(
        [sys.executable, "-m", "ci.notebooks", name, "--out", str(out)],
        env=kept,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return (out / f"{name}.md").read_text(encoding="utf-8")


def test_there_are_no_others() -> None:
    others = {SHARED, "read_predictions"}  # the latter is of Databricks: tests/jobs/test_submits.py runs it
    assert {file.stem for file in FOLDER.glob("*.py")} == {*NAMES, *others}


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_has_text_before_its_code(name: str) -> None:
    cells = read_cells((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
    assert cells[0].is_text
    assert cells[0].source.startswith("# # ")
    assert sum(not cell.is_text for cell in cells) >= 4


def test_pages_are_those_of_their_notebooks() -> None:
    assert find_stale_pages() == [], "run python -m ci.notebooks NAME, and commit what it changes"


def test_pictures_are_small_and_all_of_them_are_shown() -> None:
    pictures = {file.name: file.stat().st_size for file in PAGES.glob("*.png")}
    assert max(pictures.values()) < 100_000
    assert sum(pictures.values()) < 1_000_000
    shown = {name for page in PAGES.glob("*.md") for name in re.findall(r"\]\((\S+\.png)\)", page.read_text("utf-8"))}
    assert shown == set(pictures)


def test_the_first_run_runs(tmp_path: Path) -> None:
    page = run_notebook("first_run", tmp_path)
    assert "published 2,000 rows, 0 rejected" in page
    assert "'already_published'" in page
    assert (tmp_path / "first_run-1.png").stat().st_size > 1000


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW_ONES)
def test_the_others_run_too(name: str, tmp_path: Path) -> None:
    page = run_notebook(name, tmp_path)
    assert "![" in page
    expected = {
        "predictions_of_a_key": ("rejected", "filtered", "prediction_before"),
        "drift_and_decay": ("published columns that drifted: 2", "brier_score"),
        "champion_and_challenger": ("promoted", "'2'"),
    }
    for text in expected[name]:
        assert text in page
