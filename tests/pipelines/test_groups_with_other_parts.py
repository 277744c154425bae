"""One model per group beside a stream, challengers and models that are registered later."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from mlflow import MlflowClient

from sparkscore import Settings, retry_rejects, score, stream
from tests.group_models import ALIAS, register_lines, save_lines
from tests.world import AS_OF, Registry, World

SLOPES = {"a": 2.0, "b": 3.0}


@pytest.fixture(scope="module")
def lines(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> MlflowClient:
    """Models of the stores a and b, and one for all of them, which is nobody's champion."""
    folders = save_lines(tmp_path_factory.mktemp("lines"), [*SLOPES.values(), 7.0])
    return register_lines(registry.uri, ["shop-a", "shop-b", "shops"], folders)


def store_settings(world: World, **groups: Any) -> Settings:
    """One model per store; rows of stores without one are rejects."""
    given = {
        "source": {"table": "sales", "keys": ["id"], "passthrough": ["store"]},
        "model": {"uri": "models:/shop-{store}@champion", "by": ["store"]},
        "output": {"table": "predictions", "threshold": None},
        "scoring": {"max_reject_ratio": 1.0},
    }
    return world.settings(**given, **groups)


def append_sales(world: World, stores: str, *, first: int = 0) -> None:
    """A sale in each of these stores, its x the number of the row; one more version of the source."""
    ids = np.arange(first, first + len(stores))
    rows = pa.table({"id": ids, "store": list(stores), "x": ids * 1.0})
    write_deltalake(world.path("sales"), rows, mode="append")


def load_rows(world: World, name: str = "predictions") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = DeltaTable(world.path(name)).to_pyarrow_table().sort_by("id").to_pylist()
    return found


def scored_as(world: World, name: str = "predictions") -> list[tuple[int, str, float]]:
    """Row, model, and the slope that its prediction was made with."""
    return [(row["id"], row["model_name"], round(row["prediction"] / row["id"], 9)) for row in load_rows(world, name)]


def test_each_micro_batch_of_a_stream_looks_up_the_models_of_its_groups(world: World, lines: MlflowClient) -> None:
    settings = store_settings(world, stream={"max_files_per_trigger": 1})
    append_sales(world, "ab", first=1)
    append_sales(world, "bz", first=3)
    first = stream(world.spark, settings)
    assert (first.batches, first.rows_scored) == (2, 3)
    append_sales(world, "a", first=5)
    second = stream(world.spark, settings)
    assert (second.batches, second.rows_scored) == (1, 1)
    assert scored_as(world) == [(1, "shop-a", 2.0), (2, "shop-b", 3.0), (3, "shop-b", 3.0), (5, "shop-a", 2.0)]
    assert [(row["code"], row["run_id"] is not None) for row in rejected(world)] == [("no_model", True)]
    sets = DeltaTable(world.path("predictions_models")).to_pyarrow_table().to_pylist()
    assert len({row["as_of"] for row in sets}) == 3  # one set for each micro-batch


def rejected(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = DeltaTable(world.path("predictions_rejects")).to_pyarrow_table().to_pylist()
    return found


def test_a_challenger_scores_all_groups_beside_the_model_of_each(world: World, lines: MlflowClient) -> None:
    append_sales(world, "aabbz", first=1)
    settings = store_settings(world, challengers=[{"uri": "models:/shops@champion"}])
    report = score(world.spark, settings, as_of=AS_OF)
    assert (report.status, report.rows_scored, report.rows_rejected) == ("published", 4, 1)
    (made,) = report.challengers
    assert (made.status, made.error) == ("published", None)
    assert scored_as(world) == [(1, "shop-a", 2.0), (2, "shop-a", 2.0), (3, "shop-b", 3.0), (4, "shop-b", 3.0)]
    beside = scored_as(world, "predictions_challengers")
    assert {(name, slope) for _, name, slope in beside} == {("shops", 7.0)}
    assert [row for row, _, _ in beside][:4] == [1, 2, 3, 4]


@pytest.mark.slow
def test_a_model_that_is_registered_later_is_for_a_replacement_and_not_for_a_retry_of_rejects(
    world: World, lines: MlflowClient, registry: Registry, tmp_path: Any
) -> None:
    append_sales(world, "aw", first=1)
    settings = store_settings(world)
    report = score(world.spark, settings, as_of=AS_OF)
    assert (report.rows_scored, report.rows_rejected) == (1, 1)
    register_lines(registry.uri, ["shop-w"], save_lines(tmp_path, [5.0]))
    again = retry_rejects(world.spark, settings, run=str(report.run_id))
    assert (again.status, again.exit_code) == ("nothing_to_score", 0)
    assert any("score --replace" in warning for warning in again.warnings), again.warnings
    replaced = score(world.spark, settings, as_of=AS_OF, replace=True)
    assert (replaced.rows_scored, replaced.rows_rejected) == (2, 0)
    assert scored_as(world) == [(1, "shop-a", 2.0), (2, "shop-w", 5.0)]
    lines.delete_registered_model_alias("shop-w", ALIAS)
