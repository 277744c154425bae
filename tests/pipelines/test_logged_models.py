"""Runs with a model that no registry names."""

from mlflow import MlflowClient

from sparkscore import score
from sparkscore.pipelines.scoring.plan_preview import preview_plan
from tests.world import AS_OF, MODEL, World


def test_a_run_takes_it_with_a_warning_and_names_it_by_its_uri(world: World) -> None:
    client = MlflowClient(world.registry.uri, registry_uri=world.registry.uri)
    uri = str(client.get_model_version(MODEL, "1").source)
    model_id = uri.removeprefix("models:/")
    settings = world.settings(model={"uri": uri})
    warning = f"no registry names the model {uri}"
    planned, _ = preview_plan(world.spark, settings, as_of=AS_OF)
    assert planned.status == "dry_run"
    assert any(one.startswith(warning) for one in planned.warnings)
    report = score(world.spark, settings, as_of=AS_OF)
    assert report.status == "published"
    assert any(one.startswith(warning) for one in report.warnings)
    rows = world.table().select("model_name", "model_version", "model_id").distinct().collect()
    assert [tuple(row) for row in rows] == [(uri, model_id, model_id)]
    again = score(world.spark, settings, as_of=AS_OF)
    assert (again.status, again.newer) == ("already_published", None)
