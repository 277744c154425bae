"""Predictions of equal inputs are reused where the client has no JVM."""

from pathlib import Path
from typing import Any

import cloudpickle
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from mlflow.pyfunc.model import PythonModel

from tests.connect.conftest import make_job, run_client
from tests.model.shelf import Shelf, columns, signature, tensor
from tests.world import Registry, source_rows

pytestmark = pytest.mark.slow
cloudpickle.register_pickle_by_value(__import__(__name__, fromlist=["_"]))  # executors cannot import tests

ROWS, DIFFERENT = 60, 12


class Counted(PythonModel):
    """Half of x1; counts the rows that it is given."""

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - MLflow warns
        from sparkscore import ScoredRows

        return ScoredRows(model_input["x1"].to_numpy() / 2, {}, {"asked": len(model_input)})


def test_a_run_predicts_each_input_once_and_the_next_one_none(server: str, registry: Registry, tmp_path: Path) -> None:
    job, shelf = make_job(tmp_path / "home", registry), Shelf(tmp_path / "shelf")
    shelf.folder.mkdir()
    uri = shelf.put("counted", Counted(), signature(columns(x1="double"), tensor("float64")))
    rows = source_rows(ROWS)
    few = pa.array([rows["x1"][place % DIFFERENT].as_py() for place in range(ROWS)])
    rows = rows.set_column(rows.schema.get_field_index("x1"), "x1", few)
    write_deltalake(str(job.home / "tables" / "repeated"), rows)
    flags = {
        "source.table": "repeated",
        "model.uri": uri,
        "model.tracking_uri": shelf.uri,
        "model.reuse": "true",
        "gate.input": "null",
        "output.threshold": "null",
        "output.table": "halves",
        "scoring.repeat_rows": "0",
    }
    given = [part for name, value in flags.items() for part in (f"--{name}", value)]
    told = run_client(tmp_path, [job.score(1, *given), job.score(2, *given)], server=server)
    lines: list[dict[str, Any]] = [one["result"] for one in told]
    assert [(one["code"], one["result"]["status"]) for one in told] == [(0, "published")] * 2
    assert [(line["predicted_rows"], line["reused_rows"]) for line in lines] == [
        (DIFFERENT, ROWS - DIFFERENT),
        (0, ROWS),
    ]
    assert lines[0]["model_counts"]["asked"] == DIFFERENT
    for day in (1, 2):
        found = {row["id"]: row["prediction"] for row in job.rows("halves") if row["as_of"].day == day}
        assert found == dict(zip(rows["id"].to_pylist(), [value / 2 for value in few.to_pylist()], strict=True))
