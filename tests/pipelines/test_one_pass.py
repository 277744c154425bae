"""One pass over the rows: what tasks compute while they score is what Spark's own jobs give."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, WriterProperties, write_deltalake
from pyspark.sql import SparkSession

from sparkscore.errors import GateFailed, PredictError, TooManyRejects
from sparkscore.ingest import file_ranges
from sparkscore.pipelines.score import score
from sparkscore.pipelines.scoring.plan_preview import preview_plan
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import RunReport
from tests.faults.models import watched_registry
from tests.pipelines.test_chunks import one_file_away
from tests.world import AS_OF, SOURCE, Registry, World, source_rows

FURTHER = pa.schema([*SOURCE, ("hour", pa.int32()), ("note", pa.string()), ("unread", pa.string())])
FILES = 6


def further_rows(rows: int = 60) -> pa.Table:
    """The world's rows with columns that only a gate reads: NULL, NaN and the ends of types among their values."""
    table = source_rows(rows)
    hours = pa.array([None if i % 7 == 0 else i % 24 for i in range(rows)], pa.int32())
    notes = pa.array([None if i % 5 == 0 else "é" * (i % 3) for i in range(rows)])
    table = table.append_column("hour", hours).append_column("note", notes)
    return table.append_column("unread", pa.array(["x" * 50] * rows)).cast(FURTHER)


def with_gaps(table: pa.Table) -> pa.Table:
    """NaN and NULL in an input, which the config fills."""
    x2 = [float("nan") if i % 11 == 0 else None if i % 13 == 0 else x for i, x in enumerate(table["x2"].to_pylist())]
    return table.set_column(3, FURTHER.field("x2"), pa.array(x2, pa.float64()))


INPUT_RULES: list[dict[str, Any]] = [
    {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 10, "max_value": 1_000}},
    {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "hour", "mostly": 0.5}},
    {"type": "expect_column_values_to_be_between", "kwargs": {"column": "hour", "min_value": 0, "max_value": 12}},
    {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "x2", "min_value": -5, "max_value": 5}},
    {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "carrier", "value_set": ["AA"], "mostly": 0.9}},
]
OUTPUT_RULES: list[dict[str, Any]] = [
    {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 10}},
    {"type": "expect_column_values_to_be_between", "kwargs": {"column": "prediction", "min_value": 0.2}},
    {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "label", "min_value": 0, "max_value": 0.1}},
    {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "carrier", "value_set": ["AA", "UA"]}},
]
WATCHED: dict[str, Any] = {
    "profile": {"rows": "all", "segments": ["carrier"]},
    "model": {"missing": {"x2": 0.5}},
    "source": {"where": [{"column": "id", "op": ">=", "value": 2}]},
}
BY_SPARK: dict[str, Any] = {"scoring": {"transport": "arrow"}}


def write_suite(folder: Path, name: str, rules: list[dict[str, Any]], *, severity: str = "warning") -> str:
    file = folder / f"{name}.json"
    file.write_text(json.dumps({"name": name, "expectations": [{**rule, "severity": severity} for rule in rules]}))
    return str(file)


def gates(folder: Path, **further: Any) -> dict[str, Any]:
    return {
        "input": write_suite(folder, "in", INPUT_RULES),
        "output": write_suite(folder, "out", OUTPUT_RULES),
        "before": "never",
        **further,
    }


def merged(*groups: Mapping[str, Any]) -> dict[str, Any]:
    return {name: {k: v for one in groups for k, v in one.get(name, {}).items()} for one in groups for name in one}


def verdicts(world: World, *, as_of: str = AS_OF) -> list[tuple[Any, ...]]:
    """What each rule of the published run has found."""
    row = (
        world.table("predictions_runs")
        .where(f"event = 'published' and as_of = timestamp'{as_of} 00:00:00Z'")
        .collect()[0]
    )
    return sorted(
        (found["gate"], found["suite"], rule["rule"], rule["passed"], rule["observed"], rule["expected"])
        for found in json.loads(row["details"])["verdicts"]
        for rule in found["rules"]
    )


def profile(world: World, report: RunReport) -> pd.DataFrame:
    """What the run's profile holds, without the points, whose place depends on the parts."""
    names = ["log_type", "column_name", "slice_key", "slice_value"]
    frame = world.table("predictions_profile").where(f"run_id = '{report.run_id}'").toPandas()
    kept = [*names, "data_type", "count", "num_nulls", "num_nan", "min", "max", "avg", "stddev", "distinct_count"]
    return frame[kept].sort_values(names, ignore_index=True)


@contextmanager
def spied_phases(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """A block; how many Spark jobs each phase of the runs in it has started."""
    found: dict[str, int] = {}
    phase = Attempt.phase

    @contextmanager
    def spied(attempt: Attempt, name: str) -> Iterator[None]:
        jobs = next_job(attempt.spark)
        with phase(attempt, name):
            yield
            found[name] = found.get(name, 0) + next_job(attempt.spark) - jobs

    with monkeypatch.context() as patch:
        patch.setattr(Attempt, "phase", spied)
        yield found


def next_job(spark: SparkSession) -> int:
    scheduler: Any = spark.sparkContext._jsc.sc().dagScheduler()
    return int(str(scheduler.nextJobId()))


def assert_same(first: World, one: RunReport, second: World, other: RunReport) -> None:
    assert verdicts(first) == verdicts(second)
    assert (one.rows_read, one.rows_scored, one.rows_rejected) == (
        other.rows_read,
        other.rows_scored,
        other.rows_rejected,
    )
    pd.testing.assert_frame_equal(profile(first, one), profile(second, other), rtol=1e-12)


@pytest.fixture
def split_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file is cut into three splits, of which two have no rows."""
    monkeypatch.setattr(file_ranges, "MIN_SPLIT_BYTES", 1)
    monkeypatch.setattr(file_ranges, "MAX_SPLIT_BYTES", 1)


def write_files(world: World, rows: pa.Table) -> World:
    frame = world.spark.createDataFrame(rows).repartitionByRange(FILES, "id")
    frame.write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(world.path("flights"))
    return world


@pytest.fixture(scope="module")
def by_spark(
    spark: SparkSession, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> tuple[World, RunReport]:
    """The run whose gates, counts and profiles are Spark's own jobs."""
    folder = tmp_path_factory.mktemp("by spark")
    registry.alias(1)
    world = write_files(World(spark, folder / "home", registry), with_gaps(further_rows()))
    settings = world.settings(gate=gates(folder), **merged(WATCHED, BY_SPARK))
    return world, score(spark, settings, as_of=AS_OF)


@pytest.mark.usefixtures("split_small")
def test_verdicts_profiles_and_counts_are_those_of_sparks_own_jobs_and_cost_no_job(
    world: World, by_spark: tuple[World, RunReport], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(world, with_gaps(further_rows()))
    with spied_phases(monkeypatch) as jobs:
        report = score(world.spark, world.settings(gate=gates(tmp_path), **WATCHED), as_of=AS_OF)
    assert report.rows_read == 58
    assert_same(world, report, *by_spark)
    assert {name: jobs[name] for name in ("input_gate", "output_gate", "profile")} == dict.fromkeys(
        ("input_gate", "output_gate", "profile"), 0
    )


@pytest.mark.usefixtures("split_small")
def test_what_an_earlier_attempt_has_scored_counts_once_with_what_is_scored_later(
    world: World, by_spark: tuple[World, RunReport], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(world, with_gaps(further_rows()))
    settings = world.settings(gate=gates(tmp_path), **WATCHED)
    with one_file_away(world), pytest.raises(Exception, match="is gone"):
        score(world.spark, settings, as_of=AS_OF)
    with spied_phases(monkeypatch) as jobs:
        report = score(world.spark, settings, as_of=AS_OF)
    assert report.chunks_reused == 1
    assert_same(world, report, *by_spark)
    assert jobs["input_gate"] == jobs["output_gate"] == jobs["profile"] == 0


@pytest.mark.usefixtures("split_small")
def test_a_task_that_dies_after_it_has_written_files_counts_once(
    spark: SparkSession, by_spark: tuple[World, RunReport], tmp_path: Path
) -> None:
    registry, traps = watched_registry(tmp_path / "models")
    world = write_files(World(spark, tmp_path / "home", registry), with_gaps(further_rows()))
    traps.set("die once", after=2)
    report = score(spark, world.settings(gate=gates(tmp_path), **WATCHED), as_of=AS_OF)
    assert len(traps.caught()) == 1
    assert_same(world, report, *by_spark)


def test_another_suite_after_the_scoring_is_judged_over_the_rows(
    world: World, by_spark: tuple[World, RunReport], tmp_path: Path
) -> None:
    write_files(world, with_gaps(further_rows()))
    refusing = {"type": "expect_column_max_to_be_between", "kwargs": {"column": "hour", "max_value": 1}}
    strict = write_suite(tmp_path, "strict", [refusing], severity="critical")
    with pytest.raises(GateFailed, match="hour"):
        score(world.spark, world.settings(gate=gates(tmp_path, input=strict), **WATCHED), as_of=AS_OF)
    assert (world.version(), world.events()) == (-1, ["started", "staged", "failed"])
    report = score(world.spark, world.settings(gate=gates(tmp_path), **WATCHED), as_of=AS_OF)
    assert (report.chunks_reused, report.model_loads) == (1, 0)
    assert_same(world, report, *by_spark)


def test_another_threshold_is_judged_and_profiled_anew(world: World, tmp_path: Path) -> None:
    write_files(world, further_rows())
    labels = {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "label", "min_value": 2}}
    gate = {"output": write_suite(tmp_path, "labels", [labels])}
    for threshold in (0.9, 0.1):
        settings = world.settings(gate=gate, output={"threshold": threshold}, profile={"rows": "all"})
        report = score(world.spark, settings, as_of=AS_OF, replace=True)
        share = (world.predictions()["prediction"] >= threshold).mean()
        assert f"{share:.4g}"[:4] in report.warnings[0]
        found = profile(world, report).set_index(["column_name"])
        assert found.loc["label", "avg"] == pytest.approx(share)


def test_a_sample_of_the_rows_is_the_same_sample(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = source_rows(400)
    properties = WriterProperties(max_row_group_size=90)
    write_deltalake(world.path("flights"), rows, mode="overwrite", writer_properties=properties)
    (file,) = DeltaTable(world.path("flights")).file_uris()
    assert pq.ParquetFile(file).num_row_groups > 1
    groups = {"profile": {"rows": 100, "segments": ["carrier"]}}
    with spied_phases(monkeypatch) as jobs:
        report = score(world.spark, world.settings(**groups), as_of=AS_OF)
    assert jobs["profile"] == 0
    found = profile(world, report)
    other = score(world.spark, world.settings(**merged(groups, BY_SPARK)), as_of="2013-12-30")
    inputs = [frame[frame["log_type"] == "input"].reset_index(drop=True) for frame in (found, profile(world, other))]
    pd.testing.assert_frame_equal(inputs[0], inputs[1], rtol=1e-12)


@pytest.mark.parametrize("before", ["always", "never"])
def test_before_says_whether_the_model_sees_rows_that_the_gate_refuses(
    world: World, tmp_path: Path, before: str
) -> None:
    write_files(world, further_rows())
    refusing = {"type": "expect_column_max_to_be_between", "kwargs": {"column": "x1", "max_value": 0}}
    gate = {"input": write_suite(tmp_path, "in", [refusing], severity="critical"), "before": before}
    with pytest.raises(GateFailed, match="x1"):
        score(world.spark, world.settings(gate=gate), as_of=AS_OF)
    staged = [] if before == "always" else ["staged"]
    assert (world.version(), world.events()) == (-1, ["started", *staged, "failed"])
    assert (world.home / "stage").exists() == bool(staged)


def test_rows_that_break_the_model_and_the_gate_are_told_by_the_gate(spark: SparkSession, tmp_path: Path) -> None:
    registry, traps = watched_registry(tmp_path / "models")
    world = write_files(World(spark, tmp_path / "home", registry), further_rows())
    traps.hate(-2)  # all rows
    refusing = {"type": "expect_column_max_to_be_between", "kwargs": {"column": "x1", "max_value": 0}}
    lenient = {"type": "expect_column_max_to_be_between", "kwargs": {"column": "x1", "max_value": 2}}
    for rule, raised in ((refusing, GateFailed), (lenient, (TooManyRejects, PredictError))):
        gate = {"input": write_suite(tmp_path, "in", [rule], severity="critical"), "before": "never"}
        with pytest.raises(raised):
            score(spark, world.settings(gate=gate), as_of=AS_OF)


def test_a_share_of_rejects_is_of_the_rows_that_the_scan_has_counted(world: World) -> None:
    rows = source_rows(60)
    ids = pa.array([None] * 4 + rows["id"].to_pylist()[4:], pa.int64())
    world.write_source(rows.set_column(0, SOURCE.field("id"), ids))
    where = {"where": [{"column": "carrier", "op": "=", "value": "UA"}]}  # 30 rows, two of them without a key
    with pytest.raises(TooManyRejects, match=r"max_reject_ratio 0\.06 of 30 rows"):
        score(world.spark, world.settings(source=where, scoring={"max_reject_ratio": 0.06}), as_of=AS_OF)
    report = score(world.spark, world.settings(source=where, scoring={"max_reject_ratio": 0.07}), as_of=AS_OF)
    assert (report.rows_read, report.rows_scored, report.rows_rejected) == (30, 28, 2)


def test_the_plan_says_when_the_input_gate_judges_and_why(world: World, tmp_path: Path) -> None:
    write_files(world, further_rows())

    def line(**groups: Any) -> str:
        gate = {"input": write_suite(tmp_path, "in", INPUT_RULES), **groups.pop("gate", {})}
        return dict(preview_plan(world.spark, world.settings(gate=gate, **groups), as_of=AS_OF)[1])["input gate"]

    assert line().startswith("by what the tasks measure while they score: a small table of")
    assert line(gate={"before": "always"}) == "before the model runs: as configured (gate.before: always)"
    assert line(scoring={"batch_timeout": 60}).startswith("before the model runs: scoring.batch_timeout is set")
    assert line(**BY_SPARK) == "before the model runs: only the scan measures while it scores"
