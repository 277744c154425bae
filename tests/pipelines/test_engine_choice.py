"""What another engine cannot do is refused before anything is started, with the way out."""

import sys
from typing import Any

import pytest
from pydantic import ValidationError

from sparkscore.cli.missing_extras import name_missing_extra
from sparkscore.errors import ConfigError, ScanUnsupported
from sparkscore.pipelines.score import score
from sparkscore.pipelines.scoring import engine_choice
from sparkscore.pipelines.scoring.plan_preview import preview_plan
from sparkscore.pipelines.stream import stream
from tests.world import AS_OF, World


@pytest.fixture
def with_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if both packages were there: nothing of them is reached."""
    monkeypatch.setattr(engine_choice, "require_engine_package", lambda name: None)


@pytest.mark.parametrize("package", ["ray", "dask"])
def test_without_its_package_the_error_names_the_extra(
    world: World, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModuleNotFoundError) as raised:
        score(world.spark, world.settings(scoring={"engine": package}), as_of=AS_OF)
    named = name_missing_extra(raised.value)
    assert isinstance(named, ConfigError)
    assert f'pip install "sparkscore[{package}]"' in named.do
    assert world.version() == -1


@pytest.mark.parametrize("verb", [score, preview_plan])
@pytest.mark.parametrize("engine", ["ray", "dask"])
def test_a_source_that_only_spark_reads_is_refused(
    world: World, with_packages: None, engine: str, verb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse_scan(*given: Any, **named: Any) -> Any:
        raise ScanUnsupported("a column is of type variant")

    monkeypatch.setattr("sparkscore.pipelines.scoring.transport_choice.plan_file_scan", refuse_scan)
    with pytest.raises(ConfigError, match="only Spark can: no scan: a column is of type variant") as raised:
        verb(world.spark, world.settings(scoring={"engine": engine}), as_of=AS_OF)
    assert (raised.value.exit_code, raised.value.do) == (2, "use scoring.engine: spark")
    assert not (world.home / "stage").exists()


def test_a_stage_that_only_spark_can_write_is_refused(
    world: World, with_packages: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sparkscore.stage.stage_store.StageStore.location", None)
    with pytest.raises(ConfigError, match=r"only Spark can write to output\.stage"):
        score(world.spark, world.settings(scoring={"engine": "ray"}), as_of=AS_OF)


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        ({"scoring": {"engine": "ray", "transport": "arrow"}}, "use auto or scan"),
        ({"scoring": {"engine": "dask", "transport": "pandas_udf"}}, "use auto or scan"),
        ({"scoring": {"engine": "ray", "resources": {"gpu": 1}}}, "engine.worker_gpus"),
        (
            {"scoring": {"engine": "ray"}, "model": {"by": ["carrier"], "uri": "models:/l-{carrier}@c"}},
            "scoring.engine ray with model.by",
        ),
        ({"scoring": {"engine": "dask"}, "model": {"reuse": True}}, "scoring.engine dask with model.reuse"),
        ({"engine": {"workers": 2}}, "engine.workers has no effect with scoring.engine spark"),
        ({"scoring": {"engine": "dask"}, "engine": {"worker_gpus": 1}}, "use scoring.engine ray"),
        ({"scoring": {"engine": "ray"}, "engine": {"address": "ray://head:10001"}}, "expected host:port"),
        ({"scoring": {"engine": "ray"}, "engine": {"address": "http://head:8265"}}, "expected auto or host:port"),
        ({"scoring": {"engine": "ray"}, "engine": {"address": "local"}}, "expected auto or host:port"),
        ({"scoring": {"engine": "dask"}, "engine": {"address": "tcp://head"}}, "expected tcp://host:port"),
        ({"scoring": {"engine": "dask"}, "engine": {"address": "tcp://me:pass@head:8786"}}, "expected tcp://host:port"),
        ({"scoring": {"engine": "ray"}, "engine": {"worker_gpus": 1.5}}, "whole GPUs, or a share of one"),
        ({"scoring": {"engine": "ray"}, "engine": {"worker_cpus": float("inf")}}, "less than or equal to 10000"),
        ({"scoring": {"engine": "flink"}}, "'spark', 'ray' or 'dask'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(world: World, groups: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        world.settings(**groups)


@pytest.mark.parametrize("engine", ["ray", "dask"])
def test_the_engine_is_no_part_of_what_a_run_is(world: World, engine: str) -> None:
    other = world.settings(scoring={"engine": engine}, engine={"workers": 3})
    assert other.scoring_digest() == world.settings().scoring_digest()


def test_a_stream_is_spark_s(world: World) -> None:
    with pytest.raises(ConfigError, match="for a stream") as raised:
        stream(world.spark, world.settings(scoring={"engine": "ray"}))
    assert raised.value.exit_code == 2
