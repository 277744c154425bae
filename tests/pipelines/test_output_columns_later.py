"""The verbs beside `score` with the columns of `output.columns`, and what is refused before a run."""

import json
from typing import Any

import pyarrow.parquet as pq
import pytest

from sparkscore import retry_rejects, rollback, score
from sparkscore.errors import ConfigError, PublishConflict, SparkscoreError
from sparkscore.pipelines.migrate import migrate
from sparkscore.pipelines.scoring.plan_preview import preview_plan, sample_predictions
from sparkscore.publish.registered_tables import register_tables
from tests.pipelines.test_output_columns import CHURN, job, write_actions
from tests.world import AS_OF, World


@pytest.mark.slow
def test_a_rollback_a_retry_an_export_a_migration_and_the_next_config_go_on(world: World) -> None:
    """One world for all of them: each is a run or two."""
    write_actions(world, ("high", "call"), ("low", "none"))
    rule = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "x1", "min_value": -0.9}}
    (world.home / "in.json").write_text(
        json.dumps({"name": "in", "expectations": [{**rule, "meta": {"action": "reject"}}]})
    )
    groups: dict[str, Any] = {
        "gate": {"input": str(world.home / "in.json")},
        "scoring": {"max_reject_ratio": 0.5},
    }
    exports = [{"name": "bi", "format": "parquet", "path": str(world.home / "bi")}]
    explode = {"ranked": "ranked_items"}
    settings = job(world, CHURN, output={"exports": exports, "explode": explode}, **groups)
    first = score(world.spark, settings, as_of=AS_OF)
    assert (first.status, first.rows_rejected) == ("published", 9)
    exported = pq.read_table(world.home / "bi").to_pylist()
    assert {row["action"] for row in exported} <= {"none", "wait", "call"}
    assert len(exported) == first.rows_scored

    write_actions(world, ("high", "write"), ("low", "none"))  # newer than what is published
    assert score(world.spark, settings, as_of=AS_OF).status == "already_published"
    retried = retry_rejects(world.spark, settings, run=str(first.run_id))
    assert (retried.status, retried.rows_rejected) == ("nothing_to_score", 9)

    other = job(world, [*CHURN[:3], {"name": "top1", "top": 1}], **groups)
    _, lines = preview_plan(world.spark, other, as_of=AS_OF, replace=True)
    assert dict(lines)["adds columns"] == "top1 array<struct<label:bigint,value:double>>"
    assert dict(lines)["leaves NULL"] == "ranked, band, late, action"
    second = score(world.spark, other, as_of=AS_OF, replace=True)
    assert (second.status, second.model_loads) == ("published", 0)
    assert any("columns that the job does not write: ranked, band, late, action" in one for one in second.warnings)
    assert world.predictions()["band"].isna().all()
    report, changes = rollback(world.spark, settings, as_of=AS_OF)
    assert (report.status, {one: after for one, _, after in changes}["keys changed"]) == (
        "published",
        str(first.rows_scored),
    )
    assert set(world.predictions()["action"]) <= {"none", "wait", "call"}

    assert "ranked_items" in register_tables(world.spark, settings)
    assert world.spark.table("ranked_items").count() == 2 * (first.rows_scored or 0)
    with pytest.raises(ConfigError, match="band"):
        migrate(world.spark, settings, drop_columns=["band"])
    dropped = migrate(world.spark, other, drop_columns=["band"])
    assert dropped.status == "migrated"
    assert "band" not in world.predictions()


@pytest.mark.slow
def test_a_run_whose_attempt_failed_keeps_the_version_of_the_table_that_it_has_pinned(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_actions(world, ("high", "call"))
    settings = job(world, CHURN)

    def lose(*_: object, **__: object) -> None:
        raise PublishConflict("another writer", "none", "again")

    with monkeypatch.context() as broken:
        broken.setattr("sparkscore.pipelines.shared.publishing.publish_run", lose)
        with pytest.raises(PublishConflict):
            score(world.spark, settings, as_of=AS_OF)
    write_actions(world, ("high", "write"))
    report = score(world.spark, settings, as_of=AS_OF)
    assert (report.status, report.model_loads) == ("published", 0)
    runs = world.table("predictions_runs").where("run_id is not null").select("run_id").distinct().collect()
    assert {row["run_id"] for row in runs} == {report.run_id}
    seen = world.predictions()
    assert set(seen[seen["band"] == "high"]["action"]) == {"call"}
    later = score(world.spark, settings, as_of=AS_OF, replace=True)
    assert later.run_id != report.run_id
    seen = world.predictions()
    assert set(seen[seen["band"] == "high"]["action"]) == {"write"}


def test_a_sample_has_the_columns_and_labels_of_the_config_come_first(world: World) -> None:
    settings = job(world, [{"name": "label", "argmax": True}], output={"classes": ["on time", "late"]})
    _, rows = sample_predictions(world.spark, settings, as_of=AS_OF, rows=5)
    assert {row["label"] for row in rows} <= {"on time", "late"}


@pytest.mark.parametrize(
    ("columns", "output", "code", "said"),
    [
        ([{"name": "x", "probability": 7}], {}, 2, "the class 7"),
        ([{"name": "x", "argmax": True}], {"classes": ["a", "b", "c"]}, 2, "holds 2 values, and there are 3 labels"),
        ([{"name": "x", "probability": 1}, {"name": "y", "of": "x", "calibrate": "c.json"}], {}, 2, "no file of the"),
        ([{"name": "x", "lookup": {"table": "none", "key": {"a": "carrier"}, "value": "b"}}], {}, 2, "none"),
        ([{"name": "x", "probability": 1}], {"explode": {"x": "view"}}, 2, "output.explode names x"),
    ],
)
def test_it_is_refused_with_the_right_code_and_nothing_is_written(
    world: World, columns: list[dict[str, Any]], output: dict[str, Any], code: int, said: str
) -> None:
    with pytest.raises(SparkscoreError, match=said) as caught:
        score(world.spark, job(world, columns, output=output), as_of=AS_OF)
    assert (caught.value.exit_code, bool(caught.value.do)) == (code, True)
    assert (world.version(), world.version("predictions_runs")) == (-1, -1)
