"""The output gate that is always on."""

from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from sparkscore.errors import DuplicateKeys, GateFailed
from sparkscore.gate.stage_integrity import (
    NO_MISSING_PREDICTIONS_RULE,
    ROWS_READ_RULE,
    UNIQUE_KEYS_RULE,
    check_stage_integrity,
    require_stage_integrity,
)
from sparkscore.schemas import REJECT_TYPE
from sparkscore.spark.type_mapping import arrow_to_spark_type

NULL_KEY = ("null_key", None, "the key id is NULL")


def stage_frame(spark: SparkSession, rows: list[tuple[Any, ...]], *, output: str = "double") -> DataFrame:
    """A staged frame with two keys, one of them with a hostile name."""
    reject = arrow_to_spark_type(REJECT_TYPE).simpleString()
    schema = f"id bigint, `a ``b``.c` string, prediction {output}, carrier string, _reject {reject}"
    return spark.createDataFrame(rows, schema)


def test_a_whole_stage_passes(spark: SparkSession) -> None:
    found = check_stage_integrity(
        stage_frame(spark, [(1, "a", 0.1, "x", None), (1, "b", 0.2, "x", None)]), keys=["id", "a `b`.c"], rows_read=2
    )
    require_stage_integrity(found)
    assert [(rule.rule, rule.passed) for rule in found.verdict.rules] == [
        (UNIQUE_KEYS_RULE, True),
        (ROWS_READ_RULE, True),
        (NO_MISSING_PREDICTIONS_RULE, True),
    ]
    assert (found.verdict.gate, found.verdict.failed_rules, found.duplicates) == ("output", (), ())


def test_of_sensitive_keys_no_example_is_shown(spark: SparkSession) -> None:
    rows = [(1, "secret", 0.1, "x", None)] * 2
    found = check_stage_integrity(
        stage_frame(spark, rows), keys=["id", "a `b`.c"], rows_read=2, sensitive=["a `b`.c", "carrier"]
    )
    assert found.duplicates == ("id=1, a `b`.c=***",)


def test_duplicate_keys_are_refused_naming_at_most_three(spark: SparkSession) -> None:
    rows = [(key, "a", 0.1, "x", None) for key in (5, 4, 3, 2, 1, 5, 4, 3, 2, 5)]
    found = check_stage_integrity(stage_frame(spark, rows), keys=["id", "a `b`.c"], rows_read=10)
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
    found = check_stage_integrity(stage_frame(spark, rows), keys=["id"], rows_read=3)
    require_stage_integrity(found)
    assert found.verdict.rules[1].observed == "1 scored + 2 rejected = 3"


@pytest.mark.parametrize("rows_read", [1, 3])
def test_lost_or_added_rows_are_refused(spark: SparkSession, rows_read: int) -> None:
    found = check_stage_integrity(
        stage_frame(spark, [(1, "a", 0.1, "x", None), (None, "a", None, "x", NULL_KEY)]),
        keys=["id"],
        rows_read=rows_read,
    )
    with pytest.raises(GateFailed, match=rf"1 scored \+ 1 rejected = 2; expected {rows_read} rows read"):
        require_stage_integrity(found)


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
    found = check_stage_integrity(stage_frame(spark, rows, output=output), keys=["id"], rows_read=len(rows))
    with pytest.raises(GateFailed, match=f"{len(bad)} of {len(rows)} scored rows without a prediction; expected none"):
        require_stage_integrity(found)


def test_an_empty_stage_is_whole(spark: SparkSession) -> None:
    require_stage_integrity(check_stage_integrity(stage_frame(spark, []), keys=["id"], rows_read=0))
