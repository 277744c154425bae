"""`output.columns` in whole runs: other columns of the same stage are one commit, and everything else goes on."""

import json
from typing import Any

import pytest

from sparkscore import score
from sparkscore.settings import Settings
from tests.world import AS_OF, World

CHURN: list[dict[str, Any]] = [
    {"name": "risk", "probability": 1},
    {"name": "calm", "probability": 0, "round": 3},
    {"name": "label", "argmax": True},
    {"name": "ranked", "top": 2},
    {"name": "band", "bins": {"edges": [0.2, 0.5], "labels": ["low", "medium", "high"]}, "of": "risk"},
    {"name": "late", "threshold": {"default": 0.5, "by": "carrier", "values": {"AA": 0.9}}, "of": "risk"},
    {"name": "action", "lookup": {"table": "actions", "key": {"band": "band"}, "value": "action", "default": "wait"}},
]


def job(world: World, columns: list[dict[str, Any]], **groups: Any) -> Settings:
    output = {"threshold": None, "columns": columns, **groups.pop("output", {})}
    return world.settings(output=output, **groups)


def write_actions(world: World, *rows: tuple[str | None, str]) -> None:
    frame = world.spark.createDataFrame(list(rows), "band string, action string").coalesce(1)
    frame.write.format("delta").mode("overwrite").save(world.path("actions"))


def test_other_columns_of_the_same_stage_cost_one_commit_and_no_prediction(world: World) -> None:
    write_actions(world, ("high", "call"), ("low", "none"))
    first = score(world.spark, job(world, CHURN[:1]), as_of=AS_OF)
    version = world.version()
    (world.home / "out.json").write_text(json.dumps(SUITE))
    gate = {"output": str(world.home / "out.json")}
    again = score(world.spark, job(world, CHURN, gate=gate, profile={"rows": "all"}), as_of=AS_OF, replace=True)
    assert (again.status, again.model_loads, again.chunks_reused) == ("published", 0, first.chunks_reused or 1)
    assert world.version() == version + 2  # the new columns, and the rows
    assert first.run_id != again.run_id
    assert len(list((world.home / "stage" / "late-flights").iterdir())) == 1
    check_values(world)
    profiled = {row["column_name"] for row in world.table("predictions_profile").collect()}
    assert {"risk", "calm", "label", "band", "late", "action"} <= profiled
    assert "ranked" not in profiled


SUITE = {
    "name": "out",
    "expectations": [
        {
            "type": "expect_column_values_to_be_in_set",
            "kwargs": {"column": "band", "value_set": ["low", "medium", "high"]},
        },
        {"type": "expect_column_values_to_be_between", "kwargs": {"column": "risk", "min_value": 0, "max_value": 1}},
    ],
}


def check_values(world: World) -> None:
    seen = world.predictions()
    assert [column for column in seen if column in {one["name"] for one in CHURN}] == [one["name"] for one in CHURN]
    for row in seen.to_dict("records"):
        no, yes = row["prediction"]
        assert row["risk"] == yes
        assert row["calm"] == pytest.approx(no, abs=0.0005)
        assert row["label"] == int(yes > no)
        assert [(one["label"], one["value"]) for one in row["ranked"]] == sorted(
            [(0, no), (1, yes)], key=lambda pair: -pair[1]
        )
        assert row["band"] == ("low" if yes < 0.2 else "medium" if yes < 0.5 else "high")
        assert row["late"] == int(yes >= (0.9 if row["carrier"] == "AA" else 0.5))
        assert row["action"] == {"low": "none", "medium": "wait", "high": "call"}[row["band"]]
