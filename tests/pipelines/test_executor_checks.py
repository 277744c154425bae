"""What a run asks of its executors is refused before a row is read."""

from typing import Any

import mlflow
import pytest
from mlflow.models import infer_signature

from sparkscore import score
from sparkscore.errors import ConfigError, ModelError
from sparkscore.pipelines.scoring.plan_preview import preview_plan
from tests.world import AS_OF, World, fitted, source_rows, tracking


@pytest.mark.parametrize(
    ("groups", "found"),
    [
        ({"scoring": {"resources": {"gpu": 1}}}, "knows no resource profiles"),
        ({"model": {"providers": ["cuda"]}}, "model.providers is set, and the runtime of the model is sklearn"),
        ({"model": {"torch": {"compile": True}}}, "model.torch is set, and the runtime of the model is sklearn"),
    ],
)
def test_what_no_task_can_have_stops_the_run_and_writes_nothing(
    world: World, groups: dict[str, dict[str, object]], found: str
) -> None:
    with pytest.raises(ConfigError, match=found):
        score(world.spark, world.settings(**groups), as_of=AS_OF)
    assert world.version() == -1
    assert not list(world.home.glob("stage/*"))


def test_packages_that_the_executors_lack_are_in_the_result_or_stop_the_run(world: World) -> None:
    frame, model = source_rows(5).to_pandas()[["x1", "x2"]], fitted()
    with tracking(world.registry.uri):
        signature, needed = infer_signature(frame, model.predict(frame)), ["absent-package==1"]
        registered = {"name": "needy", "registered_model_name": "needy", "serialization_format": "skops"}
        mlflow.sklearn.log_model(model, signature=signature, pip_requirements=needed, **registered)
    wanted: dict[str, dict[str, Any]] = {"model": {"uri": "models:/needy/1"}, "output": {"threshold": None}}
    report, _ = preview_plan(world.spark, world.settings(**wanted), as_of=AS_OF)
    assert [text for text in report.warnings if "absent-package==1 is needed, and not installed" in text]
    wanted["model"]["requirements"] = "refuse"
    with pytest.raises(ModelError, match="the executors' Python has: absent-package==1"):
        score(world.spark, world.settings(**wanted), as_of=AS_OF)
