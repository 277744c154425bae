"""`init`: a repository whose tests pass at once, made of names that may be anything."""

import ast
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from databricks.bundles.jobs import Job

from sparkscore.cli import main

pytest.importorskip("copier", reason="the extra init is not installed")
ANSWERS = ("--table", "lake.customers", "--keys", "customer_id, day", "--model", "models:/churn@champion")


def call(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, Mapping[str, Any], str]:
    capfd.readouterr()
    code = main.run_verb("init", words)
    shown = capfd.readouterr()
    assert len(shown.out.splitlines()) == 1
    return code, json.loads(shown.out), shown.err


def test_a_repository_is_made_of_the_answers(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "churn"
    code, result, said = call(capfd, str(folder), *ANSWERS)
    assert (code, result["job"]) == (0, "churn")
    assert set(result["files"]) == {str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file()}
    assert {
        *("conf/job.yaml", "conf/env/dev.yaml", "conf/env/staging.yaml", "conf/env/prod.yaml"),
        *("conf/expectations/source.json", "conf/expectations/predictions.json", "conf/sparkscore.schema.json"),
        *("dags/score_job.py", "databricks.yml", ".github/workflows/ci.yaml", "tests/test_job.py", "README.md"),
    } <= set(result["files"])
    job = yaml.safe_load((folder / "conf" / "job.yaml").read_text())
    assert job["source"] == {"table": "lake.customers", "keys": ["customer_id", "day"]}
    assert job["output"]["table"] == "lake.customers_predictions"
    assert "[[" not in "".join(one.read_text() for one in folder.rglob("*.md"))
    assert "python -m pytest -q" in said
    assert list(tmp_path.iterdir()) == [folder]


def test_its_own_tests_pass_at_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "churn"
    assert call(capfd, str(folder), *ANSWERS)[0] == 0
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


def test_the_dag_and_the_workflow_are_what_their_programs_read(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "churn"
    call(capfd, str(folder), *ANSWERS, "--name", "churn-daily")
    dag = (folder / "dags" / "score_job.py").read_text()
    ast.parse(dag)
    assert 'dag_id="churn-daily"' in dag
    workflow = yaml.safe_load((folder / ".github" / "workflows" / "ci.yaml").read_text())
    assert workflow["jobs"]["check"]["steps"][-1]["run"] == "python -m pytest -q"
    bundle = yaml.safe_load((folder / "databricks.yml").read_text())
    assert bundle["bundle"]["name"] == Job.from_dict(bundle["resources"]["jobs"]["score"]).name == "churn-daily"


def test_an_empty_folder_is_taken_and_any_other_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert call(capfd, str(tmp_path / "empty"), *ANSWERS)[0] == 0
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "mine.txt").write_text("mine")
    code, result, _ = call(capfd, str(taken), *ANSWERS)
    assert (code, [one.name for one in taken.iterdir()]) == (2, ["mine.txt"])
    assert "is not empty: it has mine.txt" in result["error"]["message"]
    file = tmp_path / "a-file"
    file.write_text("mine")
    assert call(capfd, str(file), *ANSWERS)[0] == 2
    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    "words",
    [
        ("--name", "../elsewhere"),
        ("--name", "a\nb"),
        ("--table", "lake.customers; DROP TABLE x"),
        ("--table", "/data/../../etc"),
        ("--keys", "id,"),
        ("--keys", 'id", "x'),
        ("--keys", "[% raw %]"),
        ("--model", "churn"),
        ("--output", "a`b"),
    ],
    ids=" ".join,
)
def test_names_that_are_none_are_refused_and_nothing_is_made(
    words: tuple[str, str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    given = dict(zip(ANSWERS[::2], ANSWERS[1::2], strict=True)) | {words[0]: words[1]}
    code, _, _ = call(capfd, str(tmp_path / "made"), *(word for pair in given.items() for word in pair))
    assert code == 2
    assert list(tmp_path.iterdir()) == []


def test_a_template_of_a_scheduler_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert call(capfd, str(tmp_path / "made"), "--table", "{{ table }}", *ANSWERS[2:])[0] == 2


def test_without_a_terminal_what_is_missing_is_named_and_nobody_asked(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, result, _ = call(capfd, str(tmp_path / "made"), "--table", "lake.customers")
    assert code == 2
    assert "init without --keys, --model" in result["error"]["message"]


def test_help_has_examples_and_no_settings(capfd: pytest.CaptureFixture[str]) -> None:
    assert main.run_verb("init", ["--help"]) == 0
    shown = capfd.readouterr().out
    assert "sparkscore init churn --table" in shown
    assert "--<setting>" not in shown
    assert "--config" not in shown
