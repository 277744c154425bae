"""The notebooks run from their first to their last cell, and their pages are those of their text."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ci.notebook_pairs import BrokenNotebook, Cell, describe_difference, pair_notebook, read_cells, read_ipynb, to_ipynb
from ci.notebooks import FOLDER, NAMES, PAGES, PAIRED, SHARED, find_broken_pairs, find_stale_pages

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
    assert {file.stem for file in FOLDER.glob("*.py")} == {*PAIRED, SHARED}
    assert {file.stem for file in FOLDER.glob("*.ipynb")} == set(PAIRED)
    assert set(PAIRED) - set(NAMES) == {"read_predictions"}  # of Databricks: tests/jobs/test_submits.py runs it


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_has_text_before_its_code(name: str) -> None:
    cells = read_cells((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
    assert cells[0].is_text
    assert cells[0].source.startswith("# ")
    assert sum(not cell.is_text for cell in cells) >= 4


def test_pages_are_those_of_their_notebooks() -> None:
    assert find_stale_pages() == [], "run python -m ci.notebooks NAME, and commit what it changes"


class TestPairs:
    """Each notebook is a .py, which is reviewed and run, and an .ipynb, which Jupyter and Databricks open."""

    def test_the_two_files_of_each_notebook_have_the_same_cells(self) -> None:
        assert find_broken_pairs() == []

    @pytest.mark.parametrize("name", NAMES)
    def test_jupytext_reads_the_same_cells_from_both(self, name: str) -> None:
        jupytext = pytest.importorskip("jupytext")
        found = [jupytext.read(FOLDER / f"{name}{ending}").cells for ending in (".py", ".ipynb")]
        first, second = ([(cell.cell_type, cell.source) for cell in cells] for cells in found)
        assert first == second

    @pytest.mark.parametrize("name", PAIRED)
    def test_the_notebooks_are_valid_by_jupyters_schema(self, name: str) -> None:
        nbformat = pytest.importorskip("nbformat")
        nbformat.validate(nbformat.read(FOLDER / f"{name}.ipynb", as_version=4))

    def test_an_edit_of_one_file_is_named_with_what_to_do(self) -> None:
        python = "# %% [markdown]\n# # A title\n\n# %%\n1 + 1\n"
        (said,) = describe_difference("n", python, to_ipynb(read_cells(python.replace("1 + 1", "1 + 2"))))
        assert "notebooks/n.py and .ipynb differ from cell 2 on" in said
        assert "--to-ipynb" in said
        assert "--to-py" in said

    def test_outputs_are_named_as_what_differs(self) -> None:
        python = "# %%\n1 + 1\n"
        (said,) = describe_difference("n", python, to_ipynb(read_cells(python)).replace("null", "7"))
        assert "holds outputs or settings" in said

    def test_a_pair_without_its_second_file_says_so(self) -> None:
        (said,) = describe_difference("n", "# %%\n1\n", None)
        assert "n.ipynb is missing" in said

    @pytest.mark.parametrize("name", PAIRED)
    def test_what_is_edited_in_jupyter_comes_into_the_python_file(self, name: str, tmp_path: Path) -> None:
        file = tmp_path / f"{name}.py"
        before = (FOLDER / file.name).read_text("utf-8")
        file.write_text(before)
        edited = [
            *read_cells(before),
            Cell(is_text=True, source="## More\n\nOf this."),
            Cell(is_text=False, source="1"),
        ]
        file.with_suffix(".ipynb").write_text(to_ipynb(edited).replace("null", "7"))
        pair_notebook(file, to_python=True)
        after, ipynb = file.read_text("utf-8"), file.with_suffix(".ipynb").read_text("utf-8")
        assert read_cells(after) == edited
        assert after.replace("\n\n\n", "\n\n").startswith(before.replace("\n\n\n", "\n\n").rstrip("\n"))
        assert [*describe_difference(name, after, ipynb)] == []

    @pytest.mark.parametrize("source", ["%pip install x", "!ls", "1 +", "[\n# %%\n]"])
    def test_a_cell_that_a_python_file_cannot_hold_is_refused(self, source: str, tmp_path: Path) -> None:
        file = tmp_path / "n.py"
        file.write_text("# %%\n1 + 1\n")
        file.with_suffix(".ipynb").write_text(to_ipynb([Cell(is_text=False, source=source)]))
        with pytest.raises(BrokenNotebook):
            pair_notebook(file, to_python=True)
        assert file.read_text() == "# %%\n1 + 1\n"

    @pytest.mark.parametrize("text", ["", "{}", "[]", '{"cells": [{}]}', '{"cells": 3}'])
    def test_what_is_no_notebook_is_refused(self, text: str) -> None:
        with pytest.raises(BrokenNotebook, match="no notebook"):
            read_ipynb(text)


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
