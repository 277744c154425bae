"""`init`: a repository whose tests pass at once, made of names that may be anything."""

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from databricks.bundles.jobs import Job

from sparkscore.cli import init_verb, main
from tests.faults.disk import small_disk

copier = pytest.importorskip("copier", reason="the extra init is not installed")
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
        ("--output", "lake.customers"),
        ("--keys", "id, id"),
        ("--keys", "prediction"),
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


def test_the_folder_that_a_shell_is_in_is_filled_and_stays_the_same_folder(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "churn"
    folder.mkdir(mode=0o700)
    monkeypatch.chdir(folder)
    before = folder.stat()
    code, result, _ = call(capfd, ".", *ANSWERS)
    assert (code, result["job"]) == (0, "churn")
    assert (folder.stat().st_ino, folder.stat().st_mode) == (before.st_ino, before.st_mode)
    assert {*result["files"]} == {str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file()}
    assert Path("conf/job.yaml").is_file()


def test_no_folder_at_all_is_refused_and_not_taken_for_the_one_that_a_shell_is_in(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, result, _ = call(capfd, "", *ANSWERS)
    assert (code, [*tmp_path.iterdir()]) == (2, [])
    assert "the folder is empty text" in result["error"]["message"]


def test_of_two_at_once_in_one_empty_folder_the_second_is_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = copier.run_copy

    def meanwhile(*given: Any, **options: Any) -> Any:
        (tmp_path / "mine.txt").touch()
        return original(*given, **options)

    monkeypatch.setattr(copier, "run_copy", meanwhile)
    code, result, _ = call(capfd, str(tmp_path), *ANSWERS)
    assert (code, [one.name for one in tmp_path.iterdir()]) == (2, ["mine.txt"])
    assert "is not empty" in result["error"]["message"]


def test_a_place_that_cannot_be_written_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    code, result, _ = call(capfd, "/proc/none/churn", *ANSWERS)
    assert (code, result["error"]["class"]) == (2, "ConfigError")


def test_an_empty_disk_is_a_folder_like_others_and_a_full_one_is_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with small_disk(tmp_path / "disk", megabytes=1) as disk:
        (disk / "full").write_bytes(bytes(990_000))
        code, result, _ = call(capfd, str(disk / "churn"), *ANSWERS)
        assert (code, [one.name for one in disk.iterdir()]) == (2, ["full"])
        assert "No space left" in result["error"]["message"]
        (disk / "full").unlink()
        assert call(capfd, str(disk), *ANSWERS)[0] == 0


def test_files_have_the_modes_that_a_person_gives_files_whatever_those_of_the_package(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    template = tmp_path / "template"
    shutil.copytree(init_verb._TEMPLATE, template)
    for one in template.rglob("*.*"):
        one.chmod(0o444)
    monkeypatch.setattr(init_verb, "_TEMPLATE", template)
    before = os.umask(0o027)
    try:
        assert call(capfd, str(tmp_path / "churn"), *ANSWERS)[0] == 0
    finally:
        os.umask(before)
    modes = {one.stat().st_mode & 0o777 for one in (tmp_path / "churn").rglob("*") if one.is_file()}
    assert (modes, (tmp_path / "churn").stat().st_mode & 0o777) == ({0o640}, 0o750)


def test_a_table_of_staging_never_lies_within_productions(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert call(capfd, str(tmp_path / "churn"), *ANSWERS, "--output", "/data/predictions/")[0] == 0
    staging = yaml.safe_load((tmp_path / "churn" / "conf" / "env" / "staging.yaml").read_text())
    assert staging["output"]["table"] == "/data/predictions_staging"
    assert staging["shadow"]["against"] == "/data/predictions"


def test_the_next_command_is_one_that_a_shell_takes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    _, _, said = call(capfd, str(tmp_path / "my job; ls"), *ANSWERS)
    assert f"cd '{tmp_path}/my job; ls' && python" in said


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
