"""Verbs that need no Spark where the logs tell everything: no JVM starts, and the answer is the same."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyspark import SparkContext
from pyspark.sql import SparkSession

from sparkscore.cli import main, verb_session
from sparkscore.errors import SparkNeeded
from sparkscore.spark import session as spark_session
from tests.world import AS_OF, Registry, World, source_rows

SCRIPT = "import sys; from sparkscore.cli.main import main; main(sys.argv[1], sys.argv[2:])"
SLA = ("--sla.published_within_hours", "1")
ANSWERED = [
    ("score", "--as-of", AS_OF),
    ("score", "--as-of", AS_OF, "--dry-run"),
    ("runs",),
    ("check_sla", *SLA, "--sla.source_age_hours", "1"),
]


@pytest.fixture(scope="module")
def published(spark: SparkSession, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A job with a run."""
    registry.alias(1)
    world = World(spark, tmp_path_factory.mktemp("published") / "home", registry)
    world.write_source(source_rows())
    world.begin_with()
    return world


def write_config(world: World, **changes: Any) -> str:
    file = world.home / "job.yaml"
    file.write_text(yaml.safe_dump(json.loads(world.settings(**changes).model_dump_json(exclude_none=True))))
    return str(file)


def run_alone(*words: str, **env: str) -> tuple[int, Mapping[str, Any], str]:
    """Exit code, result and stderr of a command in a process of its own, where no Java can be started."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYSPARK_SUBMIT", "SPARK_"))}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *words],
        env={**kept, "JAVA_HOME": "/nowhere", **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode, json.loads(done.stdout), done.stderr


@pytest.mark.parametrize("words", ANSWERED)
def test_it_says_without_spark_what_it_says_with_it(
    published: World, words: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    config = write_config(published)
    before = sorted(published.home.rglob("*"))
    code, result, said = run_alone(words[0], "--config", config, *words[1:])
    assert "JAVA_HOME" not in said
    assert sorted(published.home.rglob("*")) == before
    capfd.readouterr()
    assert main.run_verb(words[0], ["--config", config, *words[1:]]) == code
    with_spark = json.loads(capfd.readouterr().out)
    assert {**result, "seconds": {}} == {**with_spark, "seconds": {}}
    assert result.get("status") in (None, "already_published", "dry_run")


def test_the_page_of_a_job_is_written_without_spark_too(published: World, capfd: pytest.CaptureFixture[str]) -> None:
    words = ("--job", "--config", write_config(published))
    code, result, said = run_alone("report", *words)
    page = Path(result["report"])
    assert (code, page.is_relative_to(published.home), page.stat().st_size > 1000) == (0, True, True), said
    page.unlink()
    capfd.readouterr()
    assert main.run_verb("report", words) == 0
    assert json.loads(capfd.readouterr().out) == result
    assert page.exists()


@pytest.mark.parametrize(
    ("words", "env"),
    [
        (("score", "--as-of", "2014-06-30"), {}),
        (("score", "--as-of", "2014-06-30", "--dry-run"), {}),
        (("score", "--as-of", AS_OF, "--replace"), {}),
        (("score", "--as-of", AS_OF, "--monitor.metrics", "metrics"), {}),
        (("runs", "--output.table", "lake.predictions"), {}),
        (("runs",), {"HADOOP_CONF_DIR": "/nowhere"}),
        (("runs",), {"PYSPARK_SUBMIT_ARGS": "--conf spark.hadoop.fs.defaultFS=hdfs://host pyspark-shell"}),
    ],
)
def test_what_only_spark_tells_or_does_is_left_to_it(
    published: World, words: tuple[str, ...], env: dict[str, str]
) -> None:
    before = sorted(published.home.rglob("*"))
    code, result, _ = run_alone(words[0], "--config", write_config(published), *words[1:], **env)
    assert (code, result["error"]["class"]) == (2, "UnsupportedSession")  # there is no Java
    assert sorted(published.home.rglob("*")) == before


def test_an_error_is_told_by_the_attempt_that_has_a_session(published: World) -> None:
    """Its alerts and metrics are sent once."""
    config = write_config(published, model={"uri": "models:/absent@champion"})
    code, result, _ = run_alone("score", "--config", config, "--as-of", AS_OF)
    assert (code, result["error"]["class"]) == (2, "UnsupportedSession")


class TestChoice:
    def test_what_needs_spark_is_asked_again_with_a_session(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(spark_session, "can_begin_without_session", lambda: True)
        asked: list[Any] = []

        def answer(spark: Any) -> str:
            asked.append(spark)
            if spark is None:
                raise SparkNeeded("a table")
            return "an answer"

        session: Any = object()
        assert verb_session.answer_with_session("tests", answer, start=lambda _: session) == "an answer"
        assert asked == [None, session]

    def test_what_is_sure_to_need_spark_is_asked_once(self) -> None:
        session: Any = object()
        asked: list[Any] = []
        verb_session.answer_with_session("t", asked.append, start=lambda _: session, is_sure_to_need_it=True)
        assert asked == [session]

    @pytest.mark.parametrize("variable", ["SPARK_REMOTE", "PYSPARK_GATEWAY_PORT", "DATABRICKS_RUNTIME_VERSION"])
    def test_a_session_that_somebody_else_has_prepared_is_used(
        self, variable: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(SparkContext, "_active_spark_context", None)
        monkeypatch.delenv("PYSPARK_SUBMIT_ARGS", raising=False)
        assert spark_session.can_begin_without_session()
        monkeypatch.setenv(variable, "1")
        assert not spark_session.can_begin_without_session()

    @pytest.mark.parametrize("name", ["spark-defaults.conf", "core-site.xml", "spark-env.sh"])
    def test_files_that_may_say_how_storage_is_reached_are_sparks_to_read(
        self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(SparkContext, "_active_spark_context", None)
        monkeypatch.delenv("PYSPARK_SUBMIT_ARGS", raising=False)
        monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
        assert spark_session.can_begin_without_session()
        (tmp_path / name).touch()
        assert not spark_session.can_begin_without_session()
