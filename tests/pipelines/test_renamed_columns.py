"""Columns whose names plain Delta tables refuse, or that are reserved: from the source to readers."""

import json
from pathlib import Path
from typing import Any

import pytest

from sparkscore import retry_rejects, rollback, score
from sparkscore.errors import ConfigError
from sparkscore.pipelines.scoring.plan_preview import preview_plan, sample_predictions
from sparkscore.settings import Settings
from tests.model.shelf import Answers, Shelf, columns, signature, tensor
from tests.world import AS_OF, World, source_rows

KEY, CARRIED, INPUT, NAMED = "Order No", "a,b;{c}(d)\te=", "x 1", "prediction"


@pytest.fixture
def mapped(world: World) -> World:
    """A source with column mapping, whose names no plain table can have, and one that is reserved."""
    names = {"id": KEY, "carrier": CARRIED, "x1": INPUT}
    rows = world.spark.createDataFrame(source_rows()).selectExpr("*", "x2 > 0 as prediction", "id as unread")
    table = world.path("orders")
    rows.limit(0).write.format("delta").option("delta.columnMapping.mode", "name").save(table)
    rows.write.format("delta").mode("append").save(table)
    for name, other in names.items():
        world.spark.sql(f"alter table delta.`{table}` rename column {name} to `{other}`")
    return world


def answer(frame: Any) -> Any:
    return frame["x 1"].to_numpy()


def job(world: World, folder: Path, transport: str, **groups: Any) -> Settings:
    """A job with a rule that rejects rows, and with profiles."""
    shelf = Shelf(folder)
    uri = shelf.put("echo", Answers(answer), signature(columns(**{INPUT: "double"}), tensor("float64")))
    rule = {
        "type": "expect_column_values_to_be_between",
        "kwargs": {"column": INPUT, "min_value": -0.9},
        "meta": {"action": "reject"},
    }
    truth = {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": NAMED, "value_set": [True, False]}}
    carrier = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "a_b__c__d__e_"}}
    for name, rules in (("in", [rule, truth]), ("out", [carrier])):
        (folder / f"{name}.json").write_text(json.dumps({"name": name, "expectations": rules}))
    given: dict[str, Any] = {
        "source": {
            "table": "orders",
            "keys": [KEY],
            "passthrough": [CARRIED, NAMED],
            "where": [{"column": KEY, "op": "<", "value": 50}],
        },
        "model": {"uri": uri, "tracking_uri": shelf.uri},
        "output": {"table": "orders_scored", "threshold": None, "rename": {NAMED: "was_late"}},
        "gate": {"input": str(folder / "in.json"), "output": str(folder / "out.json")},
        "scoring": {"transport": transport, "max_reject_ratio": 0.5},
        "profile": {"rows": "all", "segments": [CARRIED, NAMED]},
    }
    return world.settings(**{**given, **groups})


@pytest.mark.parametrize("transport", ["arrow", "pandas_udf"])
def test_names_that_no_plain_table_can_have_reach_readers_on_every_transport(
    mapped: World, tmp_path: Path, transport: str
) -> None:
    settings = job(mapped, tmp_path, transport)
    report = score(mapped.spark, settings, as_of=AS_OF)
    expected = source_rows(50).to_pandas().rename(columns={"carrier": "a_b__c__d__e_", "id": "Order_No"})
    expected["was_late"] = expected["x2"] > 0
    bad = expected["x1"] < -0.9
    assert 2 <= bad.sum() < 10
    assert (report.transport, report.rows_rejected) == (transport, bad.sum())
    kept = expected[~bad].reset_index(drop=True)
    table = mapped.table("orders_scored")
    found = table.toPandas().sort_values("Order_No", ignore_index=True)
    assert found["prediction"].tolist() == kept["x1"].tolist()
    for name in ("Order_No", "a_b__c__d__e_", "was_late"):
        assert found[name].tolist() == kept[name].tolist()
    assert table.schema["Order_No"].metadata["comment"] == "Key of the source row, where it is called Order No."
    rejects = mapped.table("orders_scored_rejects").select("key").collect()
    assert {json.loads(row["key"])["Order_No"] for row in rejects} == set(expected[bad]["Order_No"])
    slices = mapped.table("orders_scored_profile").select("slice_key", "log_type").distinct().collect()
    assert {(row["slice_key"], row["log_type"]) for row in slices} == {
        (name, kind) for name in (CARRIED, NAMED, None) for kind in ("input", "prediction")
    }


def test_rejects_are_scored_again_and_a_rollback_finds_its_rows_under_such_names(mapped: World, tmp_path: Path) -> None:
    settings = job(mapped, tmp_path, "arrow", profile={"rows": "none"})
    first = score(mapped.spark, settings, as_of=AS_OF)
    again = retry_rejects(mapped.spark, settings, run=str(first.run_id))
    assert (again.status, again.rows_rejected) == ("nothing_to_score", first.rows_rejected)
    score(mapped.spark, settings, as_of=AS_OF, replace=True)
    report, lines = rollback(mapped.spark, settings, as_of=AS_OF)
    assert report.status == "published"
    assert ("keys changed", "", "0") in lines


def test_the_plan_says_which_columns_have_other_names_and_which_are_not_read(mapped: World, tmp_path: Path) -> None:
    _, lines = preview_plan(mapped.spark, job(mapped, tmp_path, "auto"), as_of=AS_OF)
    told = dict(lines)
    assert told["renamed"] == f"{KEY} as Order_No, {CARRIED} as a_b__c__d__e_, prediction as was_late"
    assert told["not read"] == "x2, unread"


def test_a_sample_hides_a_sensitive_column_under_its_other_name(mapped: World, tmp_path: Path) -> None:
    settings = job(mapped, tmp_path, "auto", profile={"rows": "none"})
    source = settings.source.model_copy(update={"sensitive": (CARRIED,)})
    _, rows = sample_predictions(mapped.spark, settings.model_copy(update={"source": source}), as_of=AS_OF, rows=3)
    assert {row["a_b__c__d__e_"] for row in rows} == {"***"}


def test_a_reserved_name_is_refused_before_the_run_and_the_message_names_the_setting(
    mapped: World, tmp_path: Path
) -> None:
    settings = job(mapped, tmp_path, "auto", output={"table": "orders_scored", "threshold": None})
    with pytest.raises(
        ConfigError, match=r"reserved names: prediction\n.*\n.*output.rename: ..prediction.: source_pre"
    ):
        preview_plan(mapped.spark, settings, as_of=AS_OF)


def test_a_scan_writes_the_stage_under_the_other_names(world: World) -> None:
    rename = {"id": "flight", "carrier": "airline"}
    settings = world.settings(output={"rename": rename}, scoring={"transport": "scan"})
    report = score(world.spark, settings, as_of=AS_OF)
    assert report.transport == "scan"
    found = world.table().toPandas().sort_values("flight", ignore_index=True)
    assert found["flight"].tolist() == source_rows()["id"].to_pylist()
    assert found["airline"].tolist() == source_rows()["carrier"].to_pylist()
