"""The bundle in conf/databricks: as its own package reads it, and what its tasks do with exit codes."""

import copy
import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from databricks.bundles.jobs import Job

from sparkscore.cli import main as command_line
from sparkscore.settings import Settings

BUNDLE = Path(__file__).parents[1] / "conf" / "databricks"
JOBS: dict[str, Any] = yaml.safe_load((BUNDLE / "resources" / "jobs.yml").read_text())["resources"]["jobs"]


class TaskValues:
    """What a task has set, in the place of Databricks' own."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}

    def set(self, key: str, value: str) -> None:
        self.known[key] = value


def read_job(content: Any) -> Job:
    return Job.from_dict(content)


def run_task(argv: list[str]) -> tuple[int, dict[str, str]]:
    spec = importlib.util.spec_from_file_location("run_verb", BUNDLE / "run_verb.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    values = TaskValues()
    return module.main(argv, values), values.known


@pytest.mark.parametrize("name", JOBS)
def test_each_job_is_one_that_the_bundle_s_package_knows(name: str) -> None:
    job = read_job(JOBS[name])
    made: Any = job.as_dict()
    tasks = {task["task_key"]: task for task in made["tasks"]}
    assert list(tasks) == ["score", "is_published", "failed", "maintain"]
    assert tasks["score"]["max_retries"] > 0
    assert tasks["failed"]["max_retries"] == tasks["maintain"]["max_retries"] == 0
    keys = {one["job_cluster_key"] for one in JOBS[name].get("job_clusters", ())}
    keys |= {one["environment_key"] for one in JOBS[name].get("environments", ())}
    used = {task.get("job_cluster_key") or task.get("environment_key") for task in tasks.values()} - {None}
    assert used == keys


@pytest.mark.parametrize(
    ("place", "typo"),
    [
        ((), "max_concurrent_run"),
        (("tasks", 0), "max_retry"),
        (("tasks", 0, "spark_python_task"), "parameter"),
        (("environments", 0, "spec"), "dependancies"),
    ],
)
def test_a_typo_in_the_bundle_would_be_found_at_every_depth(place: tuple[Any, ...], typo: str) -> None:
    job = copy.deepcopy(JOBS["score_serverless"])
    group = job
    for step in place:
        group = group[step]
    group[typo] = 1
    with pytest.raises(ValueError, match=typo):
        read_job(job)


def test_a_condition_that_there_is_not_would_be_found() -> None:
    job = copy.deepcopy(JOBS["score_serverless"])
    job["tasks"][1]["condition_task"]["op"] = "EQUALS"
    with pytest.raises(ValueError, match="EQUALS"):
        read_job(job)


def test_files_and_variables_that_the_bundle_names_are_there() -> None:
    text = (BUNDLE / "resources" / "jobs.yml").read_text()
    bundle = yaml.safe_load((BUNDLE / "databricks.yml").read_text())
    files = {line.rpartition("/")[2].strip('"}') for line in text.split() if "workspace.file_path" in line}
    assert files == {"run_verb.py", "end_with_code.py", "job.yaml"}
    assert all((BUNDLE / file).is_file() for file in files)
    assert {f"${{var.{name}}}" for name in bundle["variables"]} == {word for word in text.split() if "${var." in word}


def test_its_config_is_one(tmp_path: Path) -> None:
    settings = Settings.load(BUNDLE / "job.yaml", environ={})
    assert (settings.source.table, settings.tracking_uri) == ("main.flights.flights", "databricks")


def test_what_no_retry_changes_is_no_failure_of_the_task_but_its_value(tmp_path: Path) -> None:
    code, values = run_task(["score", "--config", str(tmp_path / "nowhere.yaml"), "--as-of", "2013-12-31"])
    assert (code, values["exit_code"]) == (0, "2")
    assert "no config file" in values["message"]


def test_what_a_retry_may_change_fails_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_line, "run_verb", lambda verb, argv: 75)
    assert run_task(["score"]) == (75, {})


def test_the_task_that_follows_fails_with_the_code(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, BUNDLE / "end_with_code.py", "3", "too", "many"], check=False, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stderr) == (
        3,
        "sparkscore ended with 3 (a gate, duplicate keys, too many rejected rows): too many\n",
    )
