"""Copies of models whose predictions have reasons: equal ones have equal digests, and nothing of the model changes."""

from dataclasses import replace
from pathlib import Path

import mlflow
import pytest
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sparkscore.errors import ModelError
from sparkscore.model.registry.explained_copies import ExplanationRequest, build_explained_copy
from sparkscore.model.registry.model_resolution import PrivateCopy, describe_private_copy
from sparkscore.model.trust.model_digest import compute_model_digest
from sparkscore.records import PinnedModel, TrustPolicy
from sparkscore.workloads.reasons.contributions import Contributions
from sparkscore.workloads.reasons.explained_model import HIDDEN_FEATURE, ExplainedModel
from tests.world import source_rows

ROWS = source_rows(20).to_pandas()[["x1", "x2"]]
ESTIMATOR = make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, (ROWS["x1"] > ROWS["x2"]).astype(int))


@pytest.fixture
def model(tmp_path: Path) -> PinnedModel:
    folder, estimator = tmp_path / "model", ESTIMATOR
    signature = infer_signature(ROWS, estimator.predict_proba(ROWS))
    mlflow.sklearn.save_model(
        estimator, folder, signature=signature, pyfunc_predict_fn="predict_proba", pip_requirements=[]
    )
    copy = PrivateCopy("late", "1", compute_model_digest(folder), folder)
    return describe_private_copy(copy, runtime="auto", params={})


def explain(model: PinnedModel, copies: Path, **changes: object) -> PinnedModel:
    wanted = replace(ExplanationRequest(2, ("x1", "x2")), **changes)  # type: ignore[arg-type]
    found = build_explained_copy(model, wanted, str(copies)).executed
    assert found is not None
    return found


def test_equal_models_and_requests_give_equal_digests_and_others_do_not(model: PinnedModel, tmp_path: Path) -> None:
    first, again = explain(model, tmp_path / "a"), explain(model, tmp_path / "b")
    assert first.digest == again.digest != explain(model, tmp_path / "a", top=1).digest != model.digest
    assert compute_model_digest(model.path) == model.digest
    assert first.trust.digests is None
    listed = replace(model, trust=TrustPolicy(digests=(model.digest,)))
    assert explain(listed, tmp_path / "a").trust.digests == (model.digest, first.digest)


def test_mlflow_loads_the_copy_and_predicts_what_the_model_does_with_reasons(
    model: PinnedModel, tmp_path: Path
) -> None:
    executed = explain(model, tmp_path, hidden=("x2",))
    result = mlflow.pyfunc.load_model(executed.path).predict(ROWS)
    columns, estimator = result.predictions, ESTIMATOR
    assert columns["prediction"].tolist() == estimator.predict_proba(ROWS).tolist()
    assert columns["raw_score"].tolist() == pytest.approx(estimator.decision_function(ROWS), abs=1e-12)
    assert {name for one in columns["reasons"].to_pylist() for name in (r["feature"] for r in one)} == {
        "x1",
        HIDDEN_FEATURE,
    }
    assert set(result.counts) == {"predict_seconds", "explain_seconds"}


def test_a_model_of_another_loader_is_refused(model: PinnedModel, tmp_path: Path) -> None:
    described = {**(model.described or {})}
    flavors = {**described["flavors"], "python_function": {"loader_module": "mlflow.onnx", "data": "model.onnx"}}
    other = replace(model, described={**described, "flavors": flavors})
    with pytest.raises(ModelError, match=r"reasons of a model that mlflow\.onnx loads"):
        explain(other, tmp_path)


def test_contributions_that_do_not_add_up_end_the_run(model: PinnedModel, tmp_path: Path) -> None:
    from sparkscore.errors import PredictError
    from sparkscore.workloads.reasons.explained_model import _load_pyfunc

    loaded = _load_pyfunc(explain(model, tmp_path).path)
    right = loaded.explainer.explain

    def explain_wrongly(rows: object) -> Contributions:
        found = right(rows)
        return Contributions(found.values + 1e-3, found.base_value, found.raw_score)

    wrong = ExplainedModel(
        loaded.inner, loaded.predict_fn, replace(loaded.explainer, explain=explain_wrongly), 2, frozenset()
    )
    with pytest.raises(PredictError, match="differ from the raw score by"):
        wrong.predict(ROWS)
