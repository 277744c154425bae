"""Spark on texts: ours, and what people write around `SentenceTransformer.encode`."""

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from deltalake import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql.functions import pandas_udf

from bench.ways.ours import UNWATCHED, count_days
from bench.ways.serve import Answer, Turn, Way, serve
from bench.ways.session import session
from sparkscore import Settings, score


def start() -> Mapping[str, Way]:
    """One session for all turns."""
    spark, days = session("bench embeddings"), count_days()
    return {
        "udf": lambda turn: embed_by_udf(spark, turn),
        "ours": lambda turn: embed_by_job(spark, turn, next(days).isoformat()),
    }


def embed_by_udf(spark: SparkSession, turn: Turn) -> Answer:
    """An iterator UDF: the model is loaded once per task, `encode` is given each batch of Arrow with its defaults."""
    folder, path = turn["transformer"], str(Path(turn["out"], "embeddings"))

    @pandas_udf("array<float>")  # type: ignore[call-overload]
    def embed(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(folder, device="cpu")
        for texts in batches:
            yield pd.Series(list(model.encode(texts.tolist(), show_progress_bar=False)))

    started = time.monotonic()
    rows = spark.read.format("delta").load(turn["table"])
    rows.select("text_id", embed("text").alias("embedding")).write.parquet(path)
    return {"seconds": time.monotonic() - started, "path": path}


def embed_by_job(spark: SparkSession, turn: Turn, as_of: str) -> Answer:
    """The whole job, to the published table."""
    settings = Settings(
        job="bench",
        home=turn["home"],
        source={"table": turn["table"], "keys": ["text_id"]},
        model={"uri": turn["options"]["uri"], "tracking_uri": turn["tracking_uri"]},
        output={"table": "embeddings"},
        **UNWATCHED,
    )
    report = score(spark, settings, as_of=as_of)
    day = datetime.fromisoformat(as_of).replace(tzinfo=UTC).date().isoformat()
    files = DeltaTable(report.table, version=report.table_version).file_uris([("as_of_date", "=", day)])
    parts = {name: report.seconds[name] for name in ("score_and_stage", "total")}
    notes = {"counts": dict(report.model_counts or {}), "transport": report.transport}
    return {"seconds": report.seconds["total"], "files": files, "parts": parts, "notes": notes}


if __name__ == "__main__":
    serve(start)
