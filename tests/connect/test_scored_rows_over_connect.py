"""Rejects of a model's own, its counts, and the end of its tasks, where tasks have no accumulators."""

from pathlib import Path
from typing import Any

import cloudpickle
import pytest
from mlflow.pyfunc.model import PythonModel

from tests.connect.conftest import make_job, run_client
from tests.model.shelf import Shelf, columns, signature, tensor
from tests.world import Registry, source_rows

pytestmark = pytest.mark.slow
cloudpickle.register_pickle_by_value(__import__(__name__, fromlist=["_"]))  # executors cannot import tests

KEPT = [row["x1"] for row in source_rows(60).to_pylist() if row["x1"] >= -0.98]
"""What the suite lets through."""


class Halves(PythonModel):
    """Half of x1, asynchronously; rows below 0 are rejected."""

    async def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - MLflow warns
        from sparkscore import RowReject, ScoredRows

        values = model_input["x1"].to_numpy()
        rejects = {place: RowReject("below_zero", "x1 is below 0") for place, value in enumerate(values) if value < 0}
        return ScoredRows(values / 2, rejects, {"tokens": 3 * len(values)})

    def end_task(self) -> dict[str, int]:
        """One has ended."""
        return {"tasks": 1}


def test_they_come_with_the_rows_by_every_transport(server: str, registry: Registry, tmp_path: Path) -> None:
    job, shelf = make_job(tmp_path / "home", registry), Shelf(tmp_path / "shelf")
    shelf.folder.mkdir()
    uri = shelf.put("halves", Halves(), signature(columns(x1="double"), tensor("float64")))
    flags = {
        "model.uri": uri,
        "model.tracking_uri": shelf.uri,
        "output.threshold": "null",
        "output.table": "halves",
        "scoring.max_reject_ratio": "0.9",
        "scoring.repeat_rows": "0",
    }
    given = [part for name, value in flags.items() for part in (f"--{name}", value)]
    transports = ("scan", "arrow", "pandas_udf")
    steps = [job.score(day, *given, "--scoring.transport", transport) for day, transport in enumerate(transports, 1)]
    told = run_client(tmp_path, steps, server=server)
    for day, (transport, one) in enumerate(zip(transports, told, strict=True), 1):
        line: dict[str, Any] = one["result"]
        assert (one["code"], line["status"], line["transport"]) == (0, "published", transport)
        counts = line["model_counts"]
        assert counts["tokens"] == 3 * len(KEPT)
        assert counts["tasks"] >= 1
        rejects = [row for row in job.rows("halves_rejects") if row["as_of"].day == day and row["code"] == "below_zero"]
        assert len(rejects) == sum(value < 0 for value in KEPT)
        assert {row["message"] for row in rejects} == {"x1 is below 0"}
