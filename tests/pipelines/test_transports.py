"""The ways to the model: equal predictions and equal rejects on each; the fastest that is sure, and why."""

import json
import math
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from mlflow.types import ColSpec, Schema
from mlflow.types.schema import Array, DataType, Object, Property

from sparkscore import score
from sparkscore.errors import ConfigError, DuplicateKeys
from sparkscore.pipelines.scoring import plan_preview, staging
from sparkscore.pipelines.scoring.transport_choice import choose_transport
from sparkscore.records import RunReport, Stage, TableLocation
from sparkscore.schemas import LINEAGE_COLUMNS
from sparkscore.stage.stage_store import StageStore
from sparkscore.store.file_commit import create_write_folder
from tests.model.shelf import Answers, Shelf, columns, signature
from tests.world import AS_OF, World, assert_published, source_rows

TRANSPORTS = ("scan", "arrow", "pandas_udf")


def run(world: World, transport: str = "auto", *, as_of: str = AS_OF) -> RunReport:
    return score(world.spark, world.settings(scoring={"transport": transport}), as_of=as_of)


def with_null_keys(rows: pa.Table) -> pa.Table:
    ids = [None if place % 20 == 7 else value for place, value in enumerate(rows["id"].to_pylist())]
    return rows.set_column(0, "id", pa.array(ids, pa.int64()))


@pytest.mark.smoke
def test_predictions_and_rejects_are_the_same_on_each(world: World) -> None:
    world.write_source(with_null_keys(source_rows(60)))
    constant = [column.name for column in LINEAGE_COLUMNS]
    published, rejected = [], []
    for day, transport in enumerate(TRANSPORTS, 1):
        report = run(world, transport, as_of=f"2013-01-0{day}")
        assert (report.transport, report.rows_scored, report.rows_rejected) == (transport, 57, 3)
        published.append(world.predictions(as_of=f"2013-01-0{day}").drop(columns=constant))
        rejects = world.table("predictions_rejects").where(f"run_id = '{report.run_id}'")
        rejected.append(rejects.drop(*constant).toPandas())
    for other in (1, 2):
        pd.testing.assert_frame_equal(published[0], published[other], check_exact=True)
        pd.testing.assert_frame_equal(rejected[0], rejected[other])
    kept = source_rows(60).filter(pa.array([place % 20 != 7 for place in range(60)]))
    np.testing.assert_allclose(published[0]["prediction"], world.registry.expected(kept), rtol=0, atol=1e-12)


LIMIT = 0.95
INNER = Object([Property("n", DataType.long, required=False), Property("t", DataType.datetime)])
NESTED = Schema([ColSpec("double", "score"), ColSpec(INNER, "inner", required=False), ColSpec(Array(INNER), "all")])
OPENED = ["prediction", "all.element"]
BETWEEN = "expect_column_values_to_be_between(x1)"


def nested_answers() -> tuple[Callable[[float, float], Any], Callable[[Any], Any]]:
    """What a model says about one row, and the model: it raises beyond a limit, and leaves out whatever may be missing.

    Made here: executors cannot import tests.
    """
    limit = LIMIT

    def answer_row(x: float, y: float) -> Any:
        from datetime import datetime

        if 0.2 < x < 0.4:
            return None
        inner = {"n": 2**53 + 1 if y > 0 else None, "t": datetime(2013, 6, 30, 12)}  # noqa: DTZ001  MLflow's have no zone
        score = float("nan") if y > limit else x - y
        return {"score": score, "inner": inner if y > -limit else None, "all": [inner, None] if x < 0 else []}

    def answer(frame: Any) -> Any:
        if (frame["x1"] > limit).any():
            raise ValueError(f"x1 is {frame['x1'].max()}")
        return [answer_row(x, y) for x, y in zip(frame["x1"], frame["x2"], strict=True)]

    return answer_row, answer


def reject_code(row: dict[str, Any], answer: Any) -> str | None:
    """Why a row is rejected: the rule on its key, the suite's, the model's error, or what is missing in its answer."""
    reasons = {
        "null_key": row["id"] is None,
        BETWEEN: row["x1"] < -0.9,
        "predict_failed": row["x1"] > LIMIT,
        "null_prediction": answer is not None and math.isnan(answer["score"]),
    }
    return next((code for code, holds in reasons.items() if holds), None)


def untimed(value: Any) -> Any:
    """The same without times, which Python shows in the zone of its process."""
    if isinstance(value, list):
        return [untimed(one) for one in value]
    return {name: untimed(one) for name, one in value.items() if name != "t"} if isinstance(value, dict) else value


@pytest.mark.parametrize("residency", ["worker", "executor"])
def test_rules_errors_null_keys_and_missing_parts_of_nested_predictions_are_the_same_on_each(
    world: World, tmp_path: Path, residency: str
) -> None:
    shelf, (answer_row, answer) = Shelf(tmp_path), nested_answers()
    uri = shelf.put("picky", Answers(answer), signature(columns(x1="double", x2="double"), NESTED))
    rows = with_null_keys(source_rows(80))
    world.write_source(rows)
    bounds = {"column": "x1", "min_value": -0.9}
    rule = {"type": "expect_column_values_to_be_between", "kwargs": bounds, "meta": {"action": "reject"}}
    suite = tmp_path / "suite.json"
    suite.write_text(json.dumps({"name": "rules", "expectations": [rule]}))
    answers = [answer_row(row["x1"], row["x2"]) for row in rows.to_pylist()]
    codes = [reject_code(row, one) for row, one in zip(rows.to_pylist(), answers, strict=True)]
    assert {"null_key", BETWEEN, "predict_failed", "null_prediction", None} == set(codes)
    published, rejected = [], []
    for day, transport in enumerate(TRANSPORTS, 1):
        settings = world.settings(
            scoring={"transport": transport, "max_reject_ratio": 0.9, "reject_null_predictions": True},
            model={"uri": uri, "tracking_uri": shelf.uri, "residency": residency},
            output={"threshold": None, "allow_null": OPENED},
            gate={"input": str(suite)},
        )
        report = score(world.spark, settings, as_of=f"2013-01-0{day}")
        assert (report.transport, report.rows_scored) == (transport, codes.count(None))
        seen = world.table().where(f"run_id = '{report.run_id}'").orderBy("id").select("id", "prediction").collect()
        published.append({row["id"]: row["prediction"] and row["prediction"].asDict(recursive=True) for row in seen})
        rejects = world.table("predictions_rejects").where(f"run_id = '{report.run_id}'")
        rejected.append(sorted(tuple(row) for row in rejects.select("key", "code", "error", "message").collect()))
    ids = rows["id"].to_pylist()
    expected = {key: untimed(one) for key, one, code in zip(ids, answers, codes, strict=True) if code is None}
    assert None in expected.values()
    assert {key: untimed(one) for key, one in published[0].items()} == expected
    assert published[0] == published[1] == published[2]
    assert rejected[0] == rejected[1] == rejected[2]
    kept_aside = [(json.loads(key)["id"], code, error) for key, code, error, _ in rejected[0]]
    errors = {"predict_failed": "ValueError"}
    assert sorted(kept_aside, key=str) == sorted(
        ((key, code, errors.get(code)) for key, code in zip(ids, codes, strict=True) if code is not None), key=str
    )


def test_auto_scans_a_plain_table_and_says_what_it_reads(world: World) -> None:
    report = run(world)
    assert report.transport == "scan"
    assert report.transport_reason is not None
    assert report.transport_reason.startswith("2 files, 0 MB in 1 splits")


def test_auto_leaves_a_table_to_spark_that_only_spark_is_sure_to_read_and_says_why(world: World) -> None:
    world.spark.sql(f"alter table delta.`{world.path('flights')}` add columns (code char(3))")
    settings = world.settings(source={"table": "flights", "keys": ["id"], "passthrough": ["carrier", "code"]})
    report = score(world.spark, settings, as_of=AS_OF)
    assert (report.transport, report.transport_reason) == (
        "arrow",
        "no scan: the column code is of fixed length, which Spark pads",
    )
    assert_published(world, report, source_rows())


def test_a_table_of_databricks_defaults_is_scanned_and_gives_what_spark_gives(world: World) -> None:
    table = f"delta.`{world.path('flights')}`"
    world.spark.sql(
        f"alter table {table} set tblproperties (delta.enableDeletionVectors=true, delta.columnMapping.mode='name')"
    )
    for old, new in (("carrier", "the airline"), ("x1", "other"), ("x2", "x1"), ("other", "x2")):
        world.spark.sql(f"alter table {table} rename column `{old}` to `{new}`")
    world.spark.sql(f"delete from {table} where id % 3 = 1")  # noqa: S608 - of the test's own
    source = {"table": "flights", "keys": ["id"], "passthrough": ["the airline"]}
    published = []
    for day, transport in enumerate(("auto", "arrow"), 1):
        settings = world.settings(scoring={"transport": transport}, source=source)
        report = score(world.spark, settings, as_of=f"2013-01-0{day}")
        assert (report.transport, report.rows_read) == ({"auto": "scan"}.get(transport, transport), 40)
        rows = (
            world.table().where(f"run_id = '{report.run_id}'").orderBy("id").select("id", "the_airline", "prediction")
        )
        published.append([tuple(row) for row in rows.collect()])
    assert published[0] == published[1]
    assert len(published[0]) == 40


def test_a_run_whose_deleted_rows_cannot_be_told_ends_with_2_and_publishes_nothing(world: World) -> None:
    table = f"delta.`{world.path('flights')}`"
    world.spark.sql(f"alter table {table} set tblproperties (delta.enableDeletionVectors=true)")
    world.spark.sql(f"delete from {table} where id = 3")  # noqa: S608 - of the test's own
    (vector,) = Path(world.path("flights")).glob("deletion_vector_*.bin")
    vector.unlink()
    with pytest.raises(ConfigError, match=f"deletion vector {vector.name} of the data file .* is gone") as refused:
        run(world)
    assert refused.value.exit_code == 2
    assert world.events()[-1] == "failed"


def test_the_plan_names_the_transport_and_why(world: World) -> None:
    report, lines = plan_preview.preview_plan(world.spark, world.settings(scoring={"transport": "arrow"}), as_of=AS_OF)
    assert dict(lines)["transport"] == "arrow: as configured"
    assert report.transport == "arrow"


def test_a_file_that_only_spark_reads_makes_the_scan_give_way(world: World) -> None:
    spark = world.spark
    spark.conf.set("spark.sql.parquet.datetimeRebaseModeInWrite", "LEGACY")
    try:
        rows = spark.createDataFrame(source_rows()).selectExpr("*", "date'1500-01-01' day")
        rows.coalesce(1).write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(
            world.path("flights")
        )
    finally:
        spark.conf.unset("spark.sql.parquet.datetimeRebaseModeInWrite")
    report = score(spark, world.settings(source={"passthrough": ["day"]}), as_of=AS_OF)
    assert report.transport == "arrow"
    assert any("Spark reads the files instead" in warning for warning in report.warnings)
    assert set(world.predictions()["day"]) == {date(1500, 1, 1)}
    assert_published(world, report, source_rows())


def test_a_data_file_deleted_under_the_scan_is_a_clear_error_and_nothing_is_published(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = next(Path(world.path("flights")).glob("*.parquet"))
    content = file.read_bytes()
    listing = choose_transport

    def listed_then_deleted(*given: Any, **named: Any) -> Any:
        way = listing(*given, **named)
        file.unlink()
        return way

    monkeypatch.setattr("sparkscore.pipelines.score.choose_transport", listed_then_deleted)
    with pytest.raises(ConfigError, match=f"{file.name} of the pinned version is gone") as caught:
        run(world, "scan")
    assert caught.value.exit_code == 2
    assert world.version() == -1
    monkeypatch.undo()
    file.write_bytes(content)
    assert_published(world, run(world), source_rows())


def test_files_that_a_lost_task_left_in_the_stages_folder_are_in_no_stage(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_an_orphan(location: TableLocation) -> None:
        create_write_folder(location)
        (Path(location.root) / "part-0.parquet").write_bytes(b"half a file")

    monkeypatch.setattr(staging, "create_write_folder", with_an_orphan)
    assert_published(world, run(world, "scan"), source_rows())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_duplicate_keys_are_found_whatever_order_they_come_in(world: World, transport: str) -> None:
    world.write_source(pa.concat_tables([source_rows(40), source_rows(5, first=30)]))
    with pytest.raises(DuplicateKeys, match="5 keys on 10 rows"):
        run(world, transport)


def test_keys_that_ascend_are_proven_unique_by_the_tasks_themselves(world: World) -> None:
    settings = world.settings(scoring={"transport": "scan"})
    seen: list[bool] = []
    original = StageStore.build_record

    def whole(*given: Any, **named: Any) -> Stage:
        stage = original(*given, **named)
        seen.append(stage.keys_ascend)
        return stage

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StageStore, "build_record", whole)
        score(world.spark, settings, as_of="2013-01-01")
        world.write_source(source_rows(60).take(pa.array(np.random.default_rng(0).permutation(60))))
        score(world.spark, settings, as_of="2013-01-02")
    assert seen == [True, False]


def test_a_scan_to_a_store_that_only_spark_writes_to_returns_its_rows_to_spark(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StageStore, "location", None)
    report = run(world)
    assert report.transport == "scan"
    assert_published(world, report, source_rows())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_names_with_dots_and_backticks_are_carried_along(world: World, transport: str) -> None:
    name = "c`a.r"
    world.write_source(source_rows().rename_columns(["id", name, "x1", "x2"]))
    settings = world.settings(scoring={"transport": transport}, source={"passthrough": [name]})
    report = score(world.spark, settings, as_of=AS_OF)
    assert report.transport == transport
    assert world.predictions()[name].tolist() == source_rows()["carrier"].to_pylist()


def test_batches_are_as_long_as_configured_on_each(world: World) -> None:
    for day, transport in enumerate(TRANSPORTS, 1):
        settings = world.settings(scoring={"transport": transport, "batch_rows": 7})
        report = score(world.spark, settings, as_of=f"2013-01-0{day}")
        assert_published(world, report, source_rows(), as_of=f"2013-01-0{day}")
