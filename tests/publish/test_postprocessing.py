"""Post-processing: what a model returned becomes the columns of the prediction table."""

from typing import Any

import pyarrow as pa
import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession

from sparkscore.errors import ConfigError
from sparkscore.publish.postprocessing import (
    check_threshold,
    derive_table_contract,
    is_other_than_probability,
    postprocess_predictions,
)
from sparkscore.records import NO_OUTPUT_PARTS, OutputParts
from sparkscore.schemas import LINEAGE_COLUMNS, TableContract

SOURCE = pa.schema([("id", pa.int64()), ("carrier", pa.string()), ("local", pa.timestamp("us"))])
TWO_CLASSES = pa.list_(pa.float64(), 2)
SCHEMA = "id long, carrier string, extra int, prediction {kind}, _reject struct<code: string, message: string>"


def shape(output: pa.DataType, threshold: float | None = 0.5) -> TableContract:
    return derive_table_contract(SOURCE, keys=["id"], output=output, passthrough=["carrier"], threshold=threshold)


def frame(spark: SparkSession, kind: str, *predictions: object) -> DataFrame:
    rows = [(place, "AA", 7, prediction, None) for place, prediction in enumerate(predictions)]
    return spark.createDataFrame(rows, SCHEMA.format(kind=kind))


def test_the_contract_is_keys_prediction_label_pass_through_and_lineage() -> None:
    names = ("id", "prediction", "label", "carrier", *(column.name for column in LINEAGE_COLUMNS))
    assert shape(TWO_CLASSES).names == names
    assert shape(pa.string(), None).names == tuple(name for name in names if name != "label")


def test_a_column_with_another_name_in_the_source_says_so() -> None:
    names = {"id": "flight", "carrier": "airline"}
    found = derive_table_contract(
        SOURCE, keys=["id"], output=pa.string(), passthrough=["carrier"], threshold=None, names=names
    )
    assert found.names[:3] == ("flight", "prediction", "airline")
    assert [found.columns[index].comment for index in (0, 2)] == [
        "Key of the source row, where it is called id.",
        "Copied from the source, where it is called carrier.",
    ]


@pytest.mark.parametrize(
    ("output", "carried", "field"),
    [
        (pa.struct([("P(late)", pa.float64())]), "carrier", "prediction.P(late)"),
        (pa.list_(pa.struct([("a", pa.struct([("b c", pa.int64())]))])), "carrier", "prediction.a.b c"),
        (pa.float64(), "nested", "nested.x=y"),
    ],
)
def test_a_field_whose_name_plain_tables_refuse_is_refused_before_the_run(
    output: pa.DataType, carried: str, field: str
) -> None:
    source = SOURCE.append(pa.field("nested", pa.struct([("x=y", pa.int64())])))
    with pytest.raises(ConfigError) as caught:
        derive_table_contract(source, keys=["id"], output=output, passthrough=[carried], threshold=None)
    assert caught.value.found == f"fields whose names plain Delta tables cannot hold: {field}"


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (pa.timestamp("us"), "timestamp_ntz"),
        (pa.time64("ns"), "time64[ns]"),
        (pa.duration("us"), "duration[us]"),
    ],
)
@pytest.mark.parametrize("use", ["keys", "passthrough"])
def test_a_column_that_plain_readers_cannot_read_is_refused_as_key_and_as_pass_through(
    kind: pa.DataType, name: str, use: str
) -> None:
    columns: dict[str, Any] = {"keys": ["id"], "passthrough": [], use: ["other"]}
    with pytest.raises(ConfigError) as caught:
        derive_table_contract(SOURCE.append(pa.field("other", kind)), output=pa.string(), threshold=None, **columns)
    assert caught.value.found == f"columns that plain Delta readers cannot read: other ({name})"


def test_keys_are_never_null() -> None:
    assert [column.name for column in shape(pa.float64()).columns if not column.nullable] == [
        "id",
        "as_of",
        "as_of_date",
    ]


def test_of_two_classes_the_second_ones_probability_stands_with_its_label(spark: SparkSession) -> None:
    given = frame(spark, "array<double>", [0.7, 0.3], [0.5, 0.5], [0.1, 0.9], None)
    made = postprocess_predictions(given, shape(TWO_CLASSES), output=TWO_CLASSES, threshold=0.5)
    expected = spark.createDataFrame(
        [(0, 0.3, 0, "AA"), (1, 0.5, 1, "AA"), (2, 0.9, 1, "AA"), (3, None, None, "AA")],
        "id long, prediction double, label int, carrier string",
    )
    assert_df_equality(made.drop("_reject"), expected, ignore_row_order=True)


def test_one_float_is_a_probability_too(spark: SparkSession) -> None:
    made = postprocess_predictions(
        frame(spark, "float", 0.25, 0.75), shape(pa.float32()), output=pa.float32(), threshold=0.5
    )
    assert [(row["prediction"], row["label"]) for row in made.orderBy("id").collect()] == [(0.25, 0), (0.75, 1)]


def test_a_list_that_has_not_two_classes_becomes_null_which_the_output_gate_refuses(spark: SparkSession) -> None:
    kind = pa.list_(pa.float64())
    made = postprocess_predictions(
        frame(spark, "array<double>", [0.2, 0.3, 0.5]), shape(kind), output=kind, threshold=0.5
    )
    assert made.collect()[0]["prediction"] is None


def test_without_a_threshold_nothing_is_changed_and_columns_of_no_contract_are_left_out(spark: SparkSession) -> None:
    kind = pa.list_(pa.float64())
    made = postprocess_predictions(
        frame(spark, "array<double>", [0.2, 0.3, 0.5]), shape(kind, None), output=kind, threshold=None
    )
    assert made.columns == ["id", "prediction", "carrier", "_reject"]
    assert made.collect()[0]["prediction"] == [0.2, 0.3, 0.5]


STRUCT = pa.struct([("a", pa.float64()), ("b", pa.list_(pa.float64()))])
LISTS = pa.list_(pa.float64())


@pytest.mark.parametrize("output", [pa.int64(), pa.string(), pa.list_(pa.string()), pa.list_(LISTS), STRUCT])
def test_a_threshold_on_something_else_than_a_probability_is_refused(output: pa.DataType) -> None:
    with pytest.raises(ConfigError, match="threshold") as caught:
        check_threshold(0.5, output, NO_OUTPUT_PARTS)
    assert "predict_proba" in caught.value.do
    check_threshold(None, output, NO_OUTPUT_PARTS)


def test_a_threshold_on_three_classes_is_refused_where_the_signature_says_so() -> None:
    for size in (1, 2):
        check_threshold(0.5, LISTS, OutputParts(sizes=(("prediction", size),)))
    check_threshold(0.5, LISTS, NO_OUTPUT_PARTS)
    with pytest.raises(ConfigError, match="of 3 numbers") as caught:
        check_threshold(0.5, LISTS, OutputParts(sizes=(("prediction", 3),)))
    assert "predict_proba" not in caught.value.do


def test_a_list_of_one_number_is_a_probability_and_other_lists_are_found(spark: SparkSession) -> None:
    given = frame(spark, "array<double>", [0.7], [0.7, 0.3], None, [], [0.2, 0.3, 0.5])
    made = postprocess_predictions(given, shape(LISTS), output=LISTS, threshold=0.5)
    assert [row["prediction"] for row in made.orderBy("id").collect()] == [0.7, 0.3, None, None, None]
    assert [row["id"] for row in given.where(is_other_than_probability(LISTS)).orderBy("id").collect()] == [3, 4]


NAN = float("nan")


def test_nan_becomes_null_in_the_parts_that_may_be_null_and_in_no_other(spark: SparkSession) -> None:
    kind = "struct<a:double,b:array<double>>"
    given = frame(spark, kind, (NAN, [NAN, 1.0]), None, (None, None))
    for nullable, expected in [
        ({"prediction.b.element"}, [(NAN, [None, 1.0]), None, (None, None)]),
        ({"prediction.a"}, [(None, [NAN, 1.0]), None, (None, None)]),
        ({"prediction"}, [(NAN, [NAN, 1.0]), None, (None, None)]),
    ]:
        made = postprocess_predictions(
            given, shape(STRUCT, None), output=STRUCT, threshold=None, nullable=frozenset(nullable)
        )
        assert made.schema["prediction"].dataType.simpleString() == kind
        assert repr([row["prediction"] and tuple(row["prediction"]) for row in made.orderBy("id").collect()]) == repr(
            expected
        )


def test_a_probability_that_may_be_null_is_null_for_nan_and_has_no_label(spark: SparkSession) -> None:
    given = frame(spark, "double", NAN, 0.75)
    made = postprocess_predictions(
        given, shape(pa.float64()), output=pa.float64(), threshold=0.5, nullable={"prediction"}
    )
    assert [(row["prediction"], row["label"]) for row in made.orderBy("id").collect()] == [(None, None), (0.75, 1)]


def test_a_type_that_plain_readers_cannot_read_is_refused_with_its_column() -> None:
    with pytest.raises(ConfigError, match="local"):
        derive_table_contract(SOURCE, keys=["id"], output=pa.float64(), passthrough=["local"], threshold=None)
    with pytest.raises(ConfigError, match="prediction"):
        shape(pa.timestamp("us"), None)
