"""`doctor` over a whole job: what is in order, and one thing wrong at a time."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sparkscore.errors import UnsupportedSession
from sparkscore.pipelines.diagnosis.engine_checks import check_engine
from sparkscore.pipelines.doctor import diagnose
from sparkscore.records.diagnosis_records import Diagnosis, EnvironmentCheck
from sparkscore.settings import Settings
from tests.world import World, source_rows


@pytest.fixture
def job(world: World) -> World:
    world.write_source(source_rows())
    return world


def check(world: World, settings: Settings | None = None) -> Mapping[str, EnvironmentCheck]:
    found = diagnose(settings or world.settings(), lambda: world.spark)
    return {one.name: one for one in found.checks}


def failures(checks: Mapping[str, EnvironmentCheck]) -> list[str]:
    return [name for name, one in checks.items() if one.status == "fail"]


def test_a_job_that_can_run_has_no_failure_and_nothing_is_changed(job: World) -> None:
    before = sorted(job.home.rglob("*"))
    found = check(job)
    assert failures(found) == []
    assert sorted(job.home.rglob("*")) == before
    assert found["registry"].found == "models:/late@champion is version 1"
    assert found["source"].found.startswith("flights at version ")
    assert found["prediction table"].found.startswith("predictions is not there yet")
    assert found["delta jar"].status == "ok"
    assert found["model's packages"].status == "ok"
    assert {"executors' Python", "executors' packages", "clock of the executors", "shared home", "gpu"} <= set(found)


def test_without_a_config_the_machine_alone_is_looked_at(job: World) -> None:
    found = diagnose(None, lambda: job.spark)
    assert (found.job, found.has_failed) == (None, False)
    assert {"registry", "home"} & {one.name for one in found.checks} == set()


def test_without_spark_it_says_what_only_spark_can_tell(job: World) -> None:
    found = {one.name: one for one in diagnose(job.settings(), None).checks}
    assert failures(found) == []
    assert (found["executors"].status, found["registry"].status, found["home"].status) == ("skip", "ok", "ok")
    assert found["model's packages"].found.endswith("on the driver")


@pytest.mark.parametrize(
    ("changes", "failed", "told"),
    [
        ({"model": {"tracking_uri": "http://me:s3cret-Passw0rd@127.0.0.1:9"}}, "registry", "no answer"),
        ({"model": {"uri": "models:/late@best"}}, "registry", "no alias best"),
        ({"model": {"uri": "models:/late/77"}}, "model", "does not have"),
        ({"model": {"trust": {"names": ["other"]}}}, "model", "the model's name is late"),
        ({"source": {"table": "nothing"}}, "source", "no Delta table"),
        ({"output": {"table": "flights"}}, "prediction table", "of no job"),
        ({"scoring": {"resources": {"gpu": 1}}}, "gpu", "scoring.resources asks for one"),
    ],
)
def test_one_thing_that_is_wrong_is_one_failure_with_its_cure(
    changes: dict[str, Any], failed: str, told: str, job: World
) -> None:
    found = check(job, job.settings(**changes))
    assert failures(found) == [failed]
    assert told in found[failed].found
    assert found[failed].cure != ""
    assert "s3cret-Passw0rd" not in Diagnosis("j", tuple(found.values())).to_json()


def test_a_registry_that_was_not_asked_is_not_told_to_be_in_order(job: World) -> None:
    found = check(job, job.settings(model={"uri": "models:/late/1"}))
    assert (found["registry"].status, found["model"].status) == ("skip", "ok")
    assert "names its version" in found["registry"].found


class TestEngine:
    def test_of_spark_nothing_is_said(self, job: World) -> None:
        assert check_engine(job.settings()) == []

    @pytest.mark.parametrize("package", ["ray", "dask"])
    def test_a_package_that_is_missing_is_a_failure_with_its_extra(
        self, job: World, package: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, package, None)
        monkeypatch.setitem(sys.modules, "distributed", None)
        (found,) = check_engine(job.settings(scoring={"engine": package}))
        assert (found.name, found.status) == ("engine", "fail")
        assert f'pip install "sparkscore[{package}]"' in found.cure

    def test_a_cluster_that_does_not_answer_is_a_failure_of_the_whole(
        self, job: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pytest.importorskip("distributed", reason="the extra dask is not installed: ci/integration.sh engines has it")
        monkeypatch.setattr("sparkscore.engines.dask_connection._CONNECT_TIMEOUT_S", 1)
        there = {"scoring": {"engine": "dask"}, "engine": {"address": "tcp://127.0.0.1:1"}}
        found = check(job, job.settings(**there))
        assert failures(found) == ["engine"]
        assert "start it (dask scheduler)" in found["engine"].cure

    def test_without_an_address_it_starts_with_the_run(self, job: World) -> None:
        pytest.importorskip("distributed", reason="the extra dask is not installed: ci/integration.sh engines has it")
        (found,) = check_engine(job.settings(scoring={"engine": "dask"}))
        assert (found.status, "starts on this machine with the run" in found.found) == ("ok", True)


def test_a_home_that_is_a_file_fails(job: World, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = job.settings(
        source={"table": job.path("flights")}, output={"table": job.path("predictions")}
    ).model_copy(update={"home": str(tmp_path / "file")})
    assert failures(check(job, settings)) == ["home"]


def test_a_session_that_does_not_start_is_a_failure_and_the_rest_is_told(job: World) -> None:
    def start() -> Any:
        raise UnsupportedSession("Spark's JVM did not start", "Java 17 or newer", "set JAVA_HOME")

    found = {one.name: one for one in diagnose(job.settings(), start).checks}
    assert failures(found) == ["session"]
    assert (found["session"].cure, found["executors"].status, found["home"].status) == ("set JAVA_HOME", "skip", "ok")


def test_a_table_of_another_job_is_refused(job: World) -> None:
    job.begin_with()
    found = check(job, job.settings(job="another"))
    assert failures(found) == ["prediction table"]
    assert "of the job late-flights" in found["prediction table"].found
