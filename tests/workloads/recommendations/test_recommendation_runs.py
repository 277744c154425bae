"""Whole jobs: lists of items are published, users that fit no item are rejects, the example runs."""

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

from sparkscore import Settings, log_recommender, score
from sparkscore.demo.flights import load_tables
from sparkscore.demo.plane_routes import build_plane_vectors
from tests import world
from tests.warm_daemon import MORE
from tests.world import UNWATCHED

ROOT = Path(__file__).resolve().parents[3]
WIDTH, USERS, ITEMS = 8, 300, 500
SOURCE = np.random.default_rng(3)
USER_VECTORS, ITEM_VECTORS = SOURCE.normal(size=(USERS, WIDTH)), SOURCE.normal(size=(ITEMS, WIDTH)).astype(np.float32)


@pytest.fixture(scope="module", autouse=True)
def workers_with_mlflow(spark: SparkSession) -> Iterator[None]:
    """MLflow's own function needs it in any worker."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(spark.sparkContext.environment, MORE, "mlflow.pyfunc")
        yield


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A registry with a recommender, items named 1000, 1001, …"""
    folder = tmp_path_factory.mktemp("items")
    items = pa.table({"item": pa.array(range(1000, 1000 + ITEMS)), "vector": ITEM_VECTORS.tolist()})
    with world.tracking(f"sqlite:///{folder}/mlflow.db"):
        mlflow.create_experiment("items", artifact_location=(folder / "artifacts").as_uri())
        mlflow.set_experiment("items")
        log_recommender("model", items, registered_model_name="items", count=7, seen="seen", memory_bytes=1 << 18)
    return f"sqlite:///{folder}/mlflow.db"


@pytest.mark.parametrize("transport", ["scan", pytest.param("arrow", marks=pytest.mark.slow)])
def test_each_user_gets_what_numpy_finds_and_whose_vector_fits_none_is_a_reject(
    spark: SparkSession, uri: str, tmp_path: Path, transport: str
) -> None:
    vectors: list[Any] = [row.tolist() for row in USER_VECTORS]
    vectors[4], vectors[9] = None, [1.0]
    seen = [[1000 + (user * 7) % ITEMS, 5] if user % 3 else None for user in range(USERS)]
    rows = {"user": range(USERS), "vector": vectors, "seen": pa.array(seen, pa.list_(pa.int64()))}
    write_deltalake(str(tmp_path / "users"), pa.table(rows))
    settings: dict[str, Any] = {
        "job": "items",
        "home": str(tmp_path),
        "source": {"table": str(tmp_path / "users"), "keys": ["user"]},
        "model": {"uri": "models:/items/1", "tracking_uri": uri},
        "output": {"table": "best"},
        **UNWATCHED,
    }
    settings["scoring"] = {**UNWATCHED["scoring"], "max_reject_ratio": 0.5, "transport": transport}
    report = score(spark, Settings(**settings), as_of="2026-01-31")
    assert (report.status, report.transport, report.rows_scored, report.rows_rejected) == (
        "published",
        transport,
        USERS - 2,
        2,
    )
    published = DeltaTable(str(tmp_path / "tables" / "best")).to_pyarrow_table().to_pylist()
    products = USER_VECTORS @ ITEM_VECTORS.astype(float).T
    for row in published:
        user = row["user"]
        products[user, [item - 1000 for item in seen[user] or () if item >= 1000]] = -np.inf
        best = np.argsort(-products[user], kind="stable")[:7]
        assert [pair["item"] for pair in row["prediction"]] == (1000 + best).tolist()
        np.testing.assert_allclose([pair["score"] for pair in row["prediction"]], products[user][best], rtol=1e-12)
    counts = report.model_counts or {}
    assert (counts["recommended_items"], counts["users_without_vector"]) == (7 * (USERS - 2), 1)
    assert counts["item_blocks"] > 1


@pytest.mark.slow
def test_the_example_runs_through_spark_submit(tmp_path: Path) -> None:
    home = tmp_path / "home"
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("SPARKSCORE_", "PYSPARK_"))}
    environ |= {"SPARKSCORE_HOME": str(home), "SPARKSCORE_PYTHON": sys.executable}
    told = [sys.executable, "-m", "sparkscore.demo.plane_routes", "--home", str(home)]
    subprocess.run(told, check=True, env=environ, cwd=ROOT, timeout=300)
    words = ["--config", "conf/examples/recommendations.yaml", "--home", str(home), "--as-of", "2014-01-01"]
    done = subprocess.run(
        ["./spark-submit.sh", "jobs/score.py", *words],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    result: Mapping[str, Any] = json.loads(done.stdout)
    users, items = build_plane_vectors(load_tables().flights)
    assert (result["status"], result["rows_scored"], result["rows_rejected"]) == ("published", len(users), 0)
    found = DeltaTable(str(home / "tables" / "plane_routes")).to_pyarrow_table().sort_by("tailnum").to_pylist()
    by_user = users.sort_by("tailnum").to_pylist()
    vectors = np.array(items["vector"].to_pylist(), np.float32).astype(float)
    names = items["item"].to_pylist()
    for user, row in list(zip(by_user, found, strict=True))[::50]:
        order = np.argsort(-(vectors @ np.array(user["vector"])), kind="stable")
        expected = [names[at] for at in order if names[at] not in user["flown"]][:5]
        assert [pair["item"] for pair in row["prediction"]] == expected
