"""What the settings say about a model's inputs, through whole runs: the same on every transport."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from mlflow.types import ColSpec, Schema
from mlflow.types.schema import AnyType, DataType, Map, Object, Property

from sparkscore import score
from sparkscore.errors import ConfigError, ModelError
from sparkscore.pipelines.scoring.plan_preview import preview_plan
from sparkscore.settings import Settings
from tests.model.shelf import Answers, Shelf, columns, signature, tensor
from tests.world import AS_OF, World, source_rows

NAN, INF = float("nan"), float("inf")
AMOUNT = Decimal("123456789012345678.123456789012345678")
SOURCE = pa.table(
    {
        "id": pa.array(range(8), pa.int64()),
        "single": pa.array([0.5, 1e300, INF, 2.0, 3.0, 4.0, 5.0, None], pa.float64()),
        "whole": pa.array([2**60 + 1] * 8, pa.int64()),
        "amount": pa.array([AMOUNT] * 8, pa.decimal128(38, 18)),
        "asked": pa.array([1.0, 1.0, 1.0, None, NAN, -INF, 1.0, 1.0], pa.float64()),
        "text": pa.array(["a", "bb", None, "c", "c", "c", None, "c"], pa.string()),
        "tags": pa.array([[("a", 1.0), (f"k{row}", 2.0)] for row in range(8)], pa.map_(pa.string(), pa.float64())),
        "place": pa.array([{"x": row} for row in range(8)], pa.struct([("x", pa.int64())])),
        "extra": pa.array([["e"]] * 8, pa.list_(pa.string())),
    }
)
PLACE = Object([Property("x", DataType.long), Property("label", DataType.string, required=False)])
INPUTS = Schema(
    [
        *columns(single="float", whole="double", amount="double", asked="double", text="string").inputs,
        *columns(given="double?", left_out="long?").inputs,
        ColSpec(Map(DataType.double), "tags"),
        ColSpec(PLACE, "place"),
        ColSpec(AnyType(), "extra"),  # type: ignore[no-untyped-call]
    ]
)


def answer(frame: Any) -> Any:
    if "left_out" in frame:
        raise ValueError("MLflow leaves an optional input out")
    for tags, place, extra in zip(frame["tags"], frame["place"], frame["extra"], strict=True):
        if tags != {"a": 1.0, f"k{place['x']}": 2.0} or list(place) != ["x"] or list(extra) != ["e"]:
            raise ValueError("nested inputs are not what the table holds")
    single = frame["single"].fillna(-1.0).clip(upper=100.0)
    return single + frame["given"] + frame["text"].str.len() + (frame["whole"] == 2.0**60) + (frame["amount"] > 1e17)


def job(world: World, folder: Path, transport: str) -> Settings:
    shelf = Shelf(folder)
    uri = shelf.put("asking", Answers(answer), signature(INPUTS, tensor("float64")))
    return world.settings(
        source={"table": "inputs", "passthrough": []},
        model={
            "uri": uri,
            "tracking_uri": shelf.uri,
            "casts": {"single": "float", "whole": "double", "amount": "double"},
            "missing": {"asked": "reject", "text": "none", "given": 10},
        },
        output={"threshold": None},
        scoring={"transport": transport, "max_reject_ratio": 0.9},
    )


@pytest.mark.parametrize("transport", ["scan", "arrow", "pandas_udf"])
def test_casts_missing_values_and_absent_inputs_are_the_same_on_each(
    world: World, tmp_path: Path, transport: str
) -> None:
    world.write_source(SOURCE, name="inputs")
    report = score(world.spark, job(world, tmp_path, transport), as_of=AS_OF)
    assert (report.transport, report.rows_rejected) == (transport, 4)
    assert world.predictions()[["id", "prediction"]].to_numpy().tolist() == [
        [0, 0.5 + 10 + 1 + 2],
        [2, 100 + 10 + 4 + 2],
        [6, 5 + 10 + 4 + 2],
        [7, -1 + 10 + 1 + 2],
    ]
    rejects = {json.loads(row["key"])["id"]: row for row in world.table("predictions_rejects").collect()}
    assert {key: row["code"] for key, row in rejects.items()} == {
        1: "input_out_of_range",
        **dict.fromkeys((3, 4, 5), "missing_input(asked)"),
    }
    assert rejects[3]["message"] == "the input asked is NULL, NaN or infinite"
    assert rejects[1]["message"] is not None
    assert report.executors["filled_values"] == 5 + 2  # `given` of each row that reaches the model, and two texts
    assert any("model is called without them: left_out" in warning for warning in report.warnings)
    assert any("model gets objects without them: place.label" in warning for warning in report.warnings)
    assert any("3 of 8 rows rejected" in warning for warning in report.warnings)


def test_the_plan_warns_of_an_absent_input(world: World, tmp_path: Path) -> None:
    world.write_source(SOURCE, name="inputs")
    report, lines = preview_plan(world.spark, job(world, tmp_path, "auto"), as_of=AS_OF)
    assert dict(lines)["inputs"] == "single, whole, amount, asked, text, tags, place, extra"
    assert any("called without them: left_out" in warning for warning in report.warnings)


def test_a_variant_is_named_as_key_input_filter_and_in_a_rule(world: World, tmp_path: Path) -> None:
    rows = world.spark.createDataFrame(source_rows()).selectExpr("*", "parse_json('1') v", "array(parse_json('1')) vs")
    rows.write.format("delta").save(world.path("variants"))
    rule = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "v", "min_value": 0}}
    suite = tmp_path / "suite.json"
    suite.write_text(json.dumps({"name": "rules", "expectations": [rule]}))
    wishes: dict[str, dict[str, Any]] = {
        r"keys of a type without exact equality: v \(variant\)": {"source": {"keys": ["v"]}},
        r"plain Delta readers cannot read: vs \(array<variant>\)": {"source": {"passthrough": ["vs"]}},
        r"the filter v =, and the column is of type variant": {"source": {"where": [{"column": "v", "value": 1}]}},
        r"x1 \(column v\): double in the model, variant in the source": {"model": {"inputs": {"x1": "v"}}},
        r"computed on a column of type VariantType": {"gate": {"input": str(suite)}},
    }
    for told, groups in wishes.items():
        source = {"table": "variants", "passthrough": [], **groups.pop("source", {})}
        with pytest.raises(ModelError if "model" in groups else ConfigError, match=told):
            preview_plan(world.spark, world.settings(source=source, **groups), as_of=AS_OF)
