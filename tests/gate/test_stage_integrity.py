"""The output gate that is always on."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession

from sparkscore.errors import DuplicateKeys, GateFailed
from sparkscore.gate.stage_integrity import (
    NO_MISSING_PREDICTIONS_RULE,
    ROWS_READ_RULE,
    UNIQUE_KEYS_RULE,
    StageExpectations,
    StageIntegrity,
    check_stage_integrity,
    require_stage_integrity,
)
from sparkscore.predicates.prediction_masks import missing_predictions_mask
from sparkscore.schemas import REJECT_TYPE
from sparkscore.spark.type_mapping import arrow_to_spark_type, spark_to_arrow_schema

BOTH = ("id", "a `b`.c")
NULL_KEY = ("null_key", None, "the key id is NULL")


def stage_frame(spark: SparkSession, rows: list[tuple[Any, ...]], *, output: str = "double") -> DataFrame:
    """A staged frame with two keys, one of them with a hostile name."""
    reject = arrow_to_spark_type(REJECT_TYPE).simpleString()
    schema = f"id bigint, `a ``b``.c` string, prediction {output}, carrier string, _reject {reject}"
    return spark.createDataFrame(rows, schema)


def judge(frame: DataFrame, keys: Sequence[str] = ("id",), *, rows_read: int, **more: Any) -> StageIntegrity:
    return check_stage_integrity(frame, StageExpectations(keys, rows_read, **more))


def test_a_whole_stage_passes(spark: SparkSession) -> None:
    found = judge(stage_frame(spark, [(1, "a", 0.1, "x", None), (1, "b", 0.2, "x", None)]), BOTH, rows_read=2)
    require_stage_integrity(found)
    assert [(rule.rule, rule.passed) for rule in found.verdict.rules] == [
        (UNIQUE_KEYS_RULE, True),
        (ROWS_READ_RULE, True),
        (NO_MISSING_PREDICTIONS_RULE, True),
    ]
    assert (found.verdict.gate, found.verdict.failed_rules, found.duplicates) == ("output", (), ())


def test_of_sensitive_keys_no_example_is_shown(spark: SparkSession) -> None:
    rows = [(1, "secret", 0.1, "x", None)] * 2
    found = judge(stage_frame(spark, rows), BOTH, rows_read=2, sensitive=["a `b`.c", "carrier"])
    assert found.duplicates == ("id=1, a `b`.c=***",)


def test_duplicate_keys_are_refused_naming_at_most_three(spark: SparkSession) -> None:
    rows = [(key, "a", 0.1, "x", None) for key in (5, 4, 3, 2, 1, 5, 4, 3, 2, 5)]
    found = judge(stage_frame(spark, rows), BOTH, rows_read=10)
    with pytest.raises(DuplicateKeys) as caught:
        require_stage_integrity(found)
    assert caught.value.exit_code == 3
    assert caught.value.found == (
        "duplicate keys among the scored rows: 4 keys on 9 rows, for example "
        "id=2, a `b`.c=a; id=3, a `b`.c=a; id=4, a `b`.c=a"
    )
    assert "source.keys" in caught.value.do
    assert "id=2" not in repr(found.verdict)


def test_rejected_rows_are_outside_uniqueness_and_predictions(spark: SparkSession) -> None:
    rows = [(None, "a", None, "x", NULL_KEY), (None, "a", None, "x", NULL_KEY), (1, "a", 0.5, "x", None)]
    found = judge(stage_frame(spark, rows), rows_read=3)
    require_stage_integrity(found)
    assert found.verdict.rules[1].observed == "1 scored + 2 rejected = 3"


@pytest.mark.parametrize("rows_read", [1, 3])
def test_lost_or_added_rows_are_refused(spark: SparkSession, rows_read: int) -> None:
    found = judge(stage_frame(spark, [(1, "a", 0.1, "x", None), (None, "a", None, "x", NULL_KEY)]), rows_read=rows_read)
    with pytest.raises(GateFailed, match=r"1 scored \+ 1 rejected = 2") as caught:
        require_stage_integrity(found)
    assert caught.value.expected == f"{rows_read} rows read"
    assert "--restart" in caught.value.do


@pytest.mark.parametrize(
    ("output", "good", "bad"),
    [
        ("double", 0.5, [None, float("nan")]),
        ("float", 0.5, [None, float("nan")]),
        ("int", 1, [None]),
        ("string", "a", [None]),
        ("array<double>", [0.5, 0.5], [None, [0.5, None], [float("nan"), 0.5]]),
        (
            "struct<p:double,q:array<float>>",
            (0.5, [0.5]),
            [None, (None, [0.5]), (float("nan"), [0.5]), (0.5, None), (0.5, [None])],
        ),
    ],
)
def test_predictions_that_are_missing_are_counted(spark: SparkSession, output: str, good: Any, bad: list[Any]) -> None:
    rows = [(index, "a", value, "x", None) for index, value in enumerate([good, *bad])]
    found = judge(stage_frame(spark, rows, output=output), rows_read=len(rows))
    with pytest.raises(GateFailed, match=f"{len(bad)} of {len(rows)} scored rows without a prediction"):
        require_stage_integrity(found)


def test_an_empty_stage_is_whole(spark: SparkSession) -> None:
    require_stage_integrity(judge(stage_frame(spark, []), rows_read=0))


PARTS = "struct<p:double,q:array<float>,r:struct<x:string>>"
WHOLE = (0.5, [0.5], ("a",))


def test_of_missing_parts_the_error_names_paths_and_keys_and_says_how_to_go_on(spark: SparkSession) -> None:
    bad = [(None, [0.5], None), (None, [float("nan"), 1.0], ("a",)), None]
    rows = [(index, f"k{index}", value, "x", None) for index, value in enumerate([WHOLE, *bad, None])]
    found = judge(stage_frame(spark, rows, output=PARTS), BOTH, rows_read=5, sensitive=["a `b`.c"])
    with pytest.raises(GateFailed) as caught:
        require_stage_integrity(found)
    assert caught.value.exit_code == 3
    assert caught.value.found == (
        "4 of 5 scored rows without a prediction"
        " (prediction: 2, prediction.p: 2, prediction.q.element: 1, prediction.r: 1),"
        " for example id=1, a `b`.c=***; id=2, a `b`.c=***; id=3, a `b`.c=***"
    )
    opened = "output.allow_null: [prediction, prediction.p, prediction.q.element, prediction.r]"
    assert opened in caught.value.do
    assert "scoring.reject_null_predictions: true" in caught.value.do
    assert "gate.output" not in caught.value.do
    assert "id=1" not in repr(found.verdict)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (None, "prediction"),
        ((None, [0.5], ("a",)), "prediction.p"),
        ((float("nan"), [0.5], ("a",)), "prediction.p"),
        ((0.5, None, ("a",)), "prediction.q"),
        ((0.5, [0.5, None], ("a",)), "prediction.q.element"),
        ((0.5, [0.5], None), "prediction.r"),
        ((0.5, [0.5], (None,)), "prediction.r.x"),
    ],
)
def test_a_part_that_may_be_null_opens_itself_alone_and_arrow_says_the_same(
    spark: SparkSession, value: Any, path: str
) -> None:
    frame = stage_frame(spark, [(1, "a", value, "x", None), (2, "a", WHOLE, "x", None)], output=PARTS)
    kind = spark_to_arrow_schema(frame.schema).field("prediction").type
    predictions = pa.array([_as_dict(value), _as_dict(WHOLE)], kind)
    for other in sorted(
        {"prediction", "prediction.p", "prediction.q", "prediction.q.element", "prediction.r"} - {path}
    ):
        assert missing_predictions_mask(predictions, {other}).to_pylist() == [True, False]
    assert missing_predictions_mask(predictions, {path}).to_pylist() == [False, False]
    assert judge(frame, rows_read=2).missing_parts == (path,)
    require_stage_integrity(judge(frame, rows_read=2, nullable={path}))


def _as_dict(value: Any) -> Any:
    if value is None:
        return None
    return {"p": value[0], "q": value[1], "r": None if value[2] is None else {"x": value[2][0]}}
