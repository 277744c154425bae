"""Ours: the main job by its Python interface, up to its stage or to the end; and what its parts cost in plain Spark."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from bench.ways.linked_files import link_files
from bench.ways.serve import Answer, Turn, Way, serve
from bench.ways.session import session
from sparkscore import Settings, score, score_udf
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.pipelines.shared.source_landing import find_landing, land_source
from sparkscore.records import RunReport, Stage

FIRST_DAY = date(2020, 1, 1)


def start() -> Mapping[str, Way]:
    """One session for all turns."""
    spark = session("bench ours")
    days = count_days()
    return {
        "stage": lambda turn: staged(spark, turn, next(days)),
        "job": lambda turn: whole(spark, turn, next(days)),
        "job_alone": lambda turn: run_job(spark, turn, next(days)),
        "flights": lambda turn: flights(spark, turn, next(days)),
        "land": lambda turn: land(spark, turn, next(days)),
    }


def staged(spark: SparkSession, turn: Turn, as_of: date) -> Answer:
    """Pin, read, score, stage; the job is stopped where its stage would be judged."""
    with _until_stage() as seen:
        try:
            score(spark, _settings(turn), as_of=as_of.isoformat())
        except _StagedError:
            report, stage = seen[0]
            _require_way(report, turn)
            output = {"kind": "delta", "path": stage.path, "version": stage.version}
            return _answer(report, report.seconds["score_and_stage"], output)
    raise RuntimeError(f"the job ended without a stage: {seen}")


def run_job(spark: SparkSession, turn: Turn, as_of: date) -> Answer:
    """The whole job and nothing beside it."""
    report = score(spark, _settings(turn), as_of=as_of.isoformat())
    _require_way(report, turn)
    output = {"kind": "delta", "path": report.table, "version": report.table_version, "as_of_date": as_of.isoformat()}
    return _answer(report, report.seconds["total"], output)


def whole(spark: SparkSession, turn: Turn, as_of: date) -> Answer:
    """The whole job; after it, beside it, its parts as plain Spark would do them."""
    settings = _settings(turn)
    with _seen_stage() as seen:
        report = score(spark, settings, as_of=as_of.isoformat())
    _require_way(report, turn)
    stage = seen[0][1]
    plain = (
        {}
        if settings.monitor.report
        else {
            "plain_append": _plain_append(spark, stage, turn["out"], as_of),
            "plain_aggregation_stage": _aggregated(_rows(spark, stage)),
            "plain_merge_from_model": _merge_from_model(spark, turn, as_of),
        }
    )
    output = {"kind": "delta", "path": report.table, "version": report.table_version, "as_of_date": as_of.isoformat()}
    answer = _answer(report, report.seconds["total"], output)
    return {**answer, "parts": {**answer["parts"], **plain}}


def flights(spark: SparkSession, turn: Turn, as_of: date) -> Answer:
    """The quickstart's job, gates and all, under a new as_of."""
    settings = Settings.load(turn["options"]["config"], flags={"home": turn["options"]["home"]}, environ={})
    report = score(spark, settings, as_of=as_of.isoformat())
    return _answer(report, report.seconds["total"], {"kind": "none"})


def land(spark: SparkSession, turn: Turn, as_of: date) -> Answer:
    """The landing of Parquet files, from the question whether they are landed to the answer that they are."""
    values = _settings(turn).model_dump(exclude_unset=True)
    source = {**values["source"], "table": link_files(turn), "format": "parquet"}
    attempt = Attempt.open(spark, Settings(**{**values, "source": source}), as_of)
    started = time.monotonic()
    landed = find_landing(attempt) or land_source(attempt, lambda _: None)
    seconds = time.monotonic() - started
    if attempt.source.load_rows(landed.version).count() != spark.read.parquet(source["table"]).count():
        raise RuntimeError("not all rows are landed")
    return {"seconds": seconds, "rows": None, "output": {"kind": "none"}}


UNWATCHED: Mapping[str, Any] = {"profile": {"rows": "none"}, "monitor": {"report": False, "mlflow": False}}
"""Nothing after the publication: no peer does it, and the case `job` measures what it costs."""


class _StagedError(Exception):
    """The stage is written, and nothing more is wanted."""


@contextmanager
def _seen_stage() -> Iterator[list[tuple[RunReport, Stage]]]:
    """A block in which the stage of a run is seen when it is judged."""
    from sparkscore.pipelines.shared import publishing as page

    judge, seen = vars(page)["judge_stage"], list[tuple[RunReport, Stage]]()

    def judging(attempt: Attempt, plan: Any, stage: Stage, **rest: Any) -> None:
        seen.append((attempt.report, stage))
        judge(attempt, plan, stage, **rest)

    with patch.object(page, "judge_stage", judging):
        yield seen


@contextmanager
def _until_stage() -> Iterator[list[tuple[RunReport, Stage]]]:
    """A block in which a run ends with `_StagedError` where its stage would be judged."""
    from sparkscore.pipelines.shared import publishing as page

    seen = list[tuple[RunReport, Stage]]()

    def judging(attempt: Attempt, _plan: Any, stage: Stage, **_: Any) -> None:
        seen.append((attempt.report, stage))
        raise _StagedError

    with patch.object(page, "judge_stage", judging):
        yield seen


def _settings(turn: Turn) -> Settings:
    options, model = turn["options"], turn["model"]
    return Settings(
        job="bench",
        home=turn["home"],
        source={"table": turn["data"]["path"], "keys": ["id"]},
        model={
            "uri": model["uri"],
            "tracking_uri": model["tracking_uri"],
            "runtime": options.get("runtime", "auto"),
            "residency": options["residency"],
        },
        scoring={
            "transport": options["transport"],
            "batch_rows": options.get("batch_rows", "auto"),
            "chunk_minutes": options.get("chunk_minutes", 5),
        },
        gate={"input": _row_rules(turn)} if "row_rules" in options else {},
        output={"table": "predictions", "threshold": 0.5 if model["classes"] else None},
        **({} if options.get("watched") else UNWATCHED),
    )


def _row_rules(turn: Turn) -> str:
    """A suite that rejects no row: values are there, and within bounds, of one column after another."""
    kinds = ("expect_column_values_to_not_be_null", "expect_column_values_to_be_between")
    rules = [
        {
            "type": kinds[place % 2],
            "kwargs": {"column": turn["data"]["features"][place // 2]} | ({"min_value": -1e9} if place % 2 else {}),
            "meta": {"action": "reject"},
        }
        for place in range(turn["options"]["row_rules"])
    ]
    file = Path(turn["out"], "row_rules.json")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"name": "rows", "expectations": rules}))
    return str(file)


def _require_way(report: RunReport, turn: Turn) -> None:
    asked = turn["options"]["transport"]
    if report.transport not in (asked, None) or report.chunks_reused:
        raise RuntimeError(f"{asked} was asked for, {report.transport} ran: {report.transport_reason}")


def _answer(report: RunReport, seconds: float, output: Mapping[str, Any]) -> Answer:
    notes = {"model_loads": report.model_loads, "transport_reason": report.transport_reason}
    return {
        "seconds": seconds,
        "rows": report.rows_scored,
        "output": output,
        "parts": dict(report.seconds),
        "notes": {**notes, "warnings": list(report.warnings)},
    }


def _rows(spark: SparkSession, stage: Stage) -> DataFrame:
    return spark.read.format("delta").option("versionAsOf", stage.version).load(stage.path)


def _plain_append(spark: SparkSession, stage: Stage, out: str, as_of: date) -> float:
    """Seconds of one append of the stage's rows with as many lineage columns as the prediction table has."""
    rows = _rows(spark, stage).drop("_reject").withColumn("prediction", _scalar(_rows(spark, stage)))
    rows = _with_lineage(rows, as_of)
    path = str(Path(out, "plain_append"))
    rows.limit(0).write.format("delta").partitionBy("as_of_date").save(path)
    started = time.monotonic()
    rows.write.format("delta").mode("append").save(path)
    return round(time.monotonic() - started, 3)


def _merge_from_model(spark: SparkSession, turn: Turn, as_of: date) -> float:
    """Seconds of one MERGE whose source is the source under our own `score_udf`, with the same lineage columns."""
    predict = score_udf(spark, turn["model"]["uri"], tracking_uri=turn["model"]["tracking_uri"])
    source = spark.read.format("delta").load(turn["data"]["path"])
    rows = source.select("id", predict(*predict.input_columns).alias("prediction"))
    rows = _with_lineage(rows.withColumn("prediction", _scalar(rows)), as_of)
    path = str(Path(turn["out"], "plain_merge"))
    rows.limit(0).write.format("delta").partitionBy("as_of_date").save(path)
    on = F.expr(f"t.id = s.id AND t.as_of_date = DATE'{as_of.isoformat()}'")
    started = time.monotonic()
    merge = DeltaTable.forPath(spark, path).alias("t").merge(rows.alias("s"), on)
    merge.whenMatchedUpdateAll().whenNotMatchedInsertAll().execute()
    return round(time.monotonic() - started, 3)


def _with_lineage(rows: DataFrame, as_of: date) -> DataFrame:
    moment = datetime(as_of.year, as_of.month, as_of.day, tzinfo=UTC)
    lineage = {"model_name": "bench", "model_version": "1", "model_id": "m-" + "0" * 32, "run_id": "0" * 64}
    literals = {**lineage, "source_version": 0, "as_of": moment, "scored_at": datetime.now(UTC), "as_of_date": as_of}
    return rows.select("*", *(F.lit(value).alias(name) for name, value in literals.items()))


def _scalar(rows: DataFrame) -> Any:
    """The positive class's probability where the stage holds both classes'."""
    is_list = rows.schema["prediction"].dataType.typeName() == "array"
    return F.get("prediction", F.lit(1)) if is_list else F.col("prediction")


def _aggregated(frame: DataFrame) -> float:
    """Seconds of one Spark aggregation: count, NULLs, min, max and mean of every numeric column."""
    numbers = [name for name, kind in frame.dtypes if kind in ("double", "float", "bigint", "int")]
    parts = [part for name in numbers for part in (F.min(name), F.max(name), F.mean(name), F.count(name))]
    started = time.monotonic()
    frame.agg(F.count(F.lit(1)), *parts).collect()
    return round(time.monotonic() - started, 3)


def count_days() -> Iterator[date]:
    """An as_of for each turn."""
    day = FIRST_DAY
    while True:
        yield day
        day += timedelta(days=1)


if __name__ == "__main__":
    serve(start)
