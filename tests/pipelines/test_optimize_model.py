"""A faster version of a registered model, with everything real: registry, rows, converters, processes."""

import json
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pyarrow as pa
import pytest
from mlflow import MlflowClient

from sparkscore import optimize_model, score
from sparkscore.errors import ConfigError, ModelError, TrustRefused
from sparkscore.records import OptimizationReport
from tests.model.trust.hostile import Touches
from tests.world import MODEL, Registry, World, registry_in, source_rows, tracking

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
pytest.importorskip("onnx", reason="the extra onnx is not installed")
pytest.importorskip("skl2onnx", reason="the extra optimize is not installed")

LATE = {"column": "carrier", "op": "=", "value": "AA"}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """A registry of this module's own: versions are added to it."""
    return registry_in(tmp_path_factory.mktemp("optimized"))


def settings(world: World, shelf: Registry, **optimize: Any) -> Any:
    model = {"uri": f"models:/{MODEL}/1", "tracking_uri": shelf.uri}
    few = {"candidates": ["onnx", "onnx-int8"], "batch_rows": 30, "min_speedup": 0.0, "label": LATE}
    return world.settings(model=model, optimize={**few, **optimize})


def versions(shelf: Registry) -> list[Any]:
    client = MlflowClient(shelf.uri, registry_uri=shelf.uri)
    return sorted(client.search_model_versions(f"name='{MODEL}'"), key=lambda one: int(one.version))


def test_the_faster_version_is_registered_with_its_parent_and_scores_as_the_model_does(
    world: World, shelf: Registry
) -> None:
    report = optimize_model(world.spark, settings(world, shelf, promote="faster"))
    assert (report.status, report.chosen, report.rows) == ("registered", "onnx", 60)
    by_name = {one.name: one for one in report.measured}
    assert by_name["onnx-int8"].status == "not_applicable"
    found = by_name["onnx"].agreement
    assert found is not None
    assert found.max_difference is not None
    assert found.max_difference < 1e-9
    assert found.auc == by_name["parent, sklearn"].agreement.auc  # type: ignore[union-attr]  # it was measured
    new = versions(shelf)[-1]
    assert str(new.version) == report.version
    assert report.parent is not None
    assert new.tags == {
        "sparkscore.parent_version": "1",
        "sparkscore.parent_digest": report.parent.digest,
        "sparkscore.candidate": "onnx",
    }
    ((_, aliases),) = shelf.aliases()
    assert {name: str(version) for name, version in aliases} == {"champion": "1", "faster": report.version}
    assert report.promoted == "faster"
    client = MlflowClient(shelf.uri)
    logged = {one.path for one in client.list_artifacts(str(report.mlflow_run))}
    assert logged >= {"optimization.html", "optimization.json"}
    told = json.loads(Path(client.download_artifacts(str(report.mlflow_run), "optimization.json")).read_text())
    assert {one["name"] for one in told["measured"]} == {"parent, sklearn", "parent, pyfunc", "onnx", "onnx-int8"}
    assert "<svg" in Path(str(report.report)).read_text()
    scored = score(
        world.spark,
        world.settings(model={"uri": f"models:/{MODEL}/{report.version}", "tracking_uri": shelf.uri}),
        as_of="2013-12-31",
    )
    assert scored.status == "published"
    seen = world.predictions()
    np.testing.assert_allclose(seen["prediction"], shelf.expected(source_rows()), rtol=0, atol=1e-9)


def test_without_a_candidate_fast_enough_it_ends_with_4_and_registers_nothing(world: World, shelf: Registry) -> None:
    before = len(versions(shelf))
    with pytest.raises(ModelError, match=r"onnx: .* times as fast, at least 1e\+06") as raised:
        optimize_model(world.spark, settings(world, shelf, min_speedup=1e6, candidates=["onnx"]))
    assert raised.value.exit_code == 4
    assert len(versions(shelf)) == before
    report = raised.value.report
    assert isinstance(report, OptimizationReport)
    assert (report.status, report.chosen) == ("failed", None)
    assert Path(str(report.report)).is_file()


def test_without_rows_to_calibrate_on_nothing_is_loaded(world: World, shelf: Registry) -> None:
    world.write_source(source_rows(0))
    with pytest.raises(ConfigError, match="no rows that meet the filter"):
        optimize_model(world.spark, settings(world, shelf))


def test_a_model_that_is_not_trusted_is_never_loaded(world: World, tmp_path: Path) -> None:
    sentinel, uri = tmp_path / "sentinel", f"sqlite:///{tmp_path}/mlflow.db"
    with tracking(uri):
        mlflow.set_experiment("hostile")
        frame = pa.table({"x1": [1.0], "x2": [2.0]}).to_pandas()
        mlflow.sklearn.log_model(
            HostileModel(sentinel),
            name=MODEL,
            signature=mlflow.models.infer_signature(frame, np.zeros(1)),
            registered_model_name=MODEL,
            serialization_format="cloudpickle",
            pip_requirements=[],
        )
    sentinel.unlink(missing_ok=True)
    model = {"uri": f"models:/{MODEL}/1", "tracking_uri": uri, "trust": {"pickle": "refuse"}}
    with pytest.raises(TrustRefused):
        optimize_model(world.spark, world.settings(model=model))
    assert not sentinel.exists()


def test_params_which_no_graph_takes_are_refused(world: World, shelf: Registry) -> None:
    job = settings(world, shelf)
    job = job.model_copy(update={"model": job.model.model_copy(update={"params": {"top": 3}})})
    with pytest.raises(ConfigError, match=r"model\.params are set"):
        optimize_model(world.spark, job)


class HostileModel(Touches):
    """An estimator whose pickle makes a file."""

    def predict(self, rows: Any) -> Any:
        """Nothing of use."""
        return np.zeros(len(rows))
