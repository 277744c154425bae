"""What tasks make of a stage's predictions is what Spark publishes of them."""

from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from sparkscore.publish.postprocessing import postprocess_predictions
from sparkscore.records import ApplyThreshold, AssignBin, DerivedColumn, SelectElement
from sparkscore.stage.output_columns import OutputColumns, OutputSummary
from tests.publish.test_postprocessing import frame, shape
from tests.stage.test_staged_states import IdList

NAN = float("nan")
LISTS = pa.list_(pa.float64())
CASES: list[tuple[str, pa.DataType, list[Any], float | None, bool]] = [
    ("double", pa.float64(), [0.5, NAN, None, 0.2], None, False),
    ("double", pa.float64(), [0.5, NAN, None, 0.2], None, True),
    ("float", pa.float32(), [0.5, NAN, None, 0.1], 0.5, False),
    ("float", pa.float32(), [0.5, NAN, None, 0.1], 0.5, True),
    ("array<double>", LISTS, [[0.1, 0.9], [0.4], [], [0.1, 0.2, 0.7], None, [0.1, None], [0.1, NAN]], 0.5, True),
]


@pytest.mark.parametrize(("kind", "output", "predictions", "threshold", "nullable"), CASES)
def test_predictions_and_labels_are_those_of_spark(
    spark: SparkSession,
    kind: str,
    output: pa.DataType,
    predictions: list[Any],
    threshold: float | None,
    nullable: bool,
) -> None:
    staged = frame(spark, kind, *predictions)
    paths = ("prediction",) if nullable else ()
    published = postprocess_predictions(
        staged, shape(output, threshold), output=output, threshold=threshold, nullable=paths
    )
    expected = published.toArrow()
    made = OutputColumns(threshold, nullable)(staged.toArrow().combine_chunks().to_batches()[0])
    for name in ("prediction", *(["label"] if threshold is not None else [])):
        assert made.column(name).type == expected.schema.field(name).type
        assert str(made.column(name).to_pylist()) == str(expected.column(name).to_pylist())  # NaN is not NaN


def test_another_threshold_is_another_summary_and_the_label_comes_from_the_prediction() -> None:
    inner = IdList("output_gate", columns=("id", "label"))
    one, other = (OutputSummary(inner, OutputColumns(threshold)) for threshold in (0.5, 0.6))
    assert one.fingerprint != other.fingerprint
    assert one.columns == ("id", "prediction")


def test_states_of_older_versions_are_found_and_other_columns_are_other_states() -> None:
    assert repr(OutputColumns(0.5, True)) == "OutputColumns(threshold=0.5, is_nan_null=True)"
    inner = IdList("output_gate", columns=("id", "band"))
    risk = DerivedColumn("risk", pa.float64(), "prediction", LISTS, SelectElement(1))
    band = DerivedColumn("band", pa.string(), "risk", pa.float64(), AssignBin((0.5,), ("low", "high")))
    late = DerivedColumn("late", pa.int32(), "risk", pa.float64(), ApplyThreshold(0.5, "carrier", ("AA",), (0.9,)))
    one, more = (OutputSummary(inner, OutputColumns(None, False, made)) for made in ((risk, band), (risk, band, late)))
    assert one.fingerprint == more.fingerprint  # what the summary does not name is not computed for it
    assert one.fingerprint != OutputSummary(inner, OutputColumns()).fingerprint
    assert more.columns == ("id", "prediction")
    assert OutputColumns(derived=(risk, band, late)).list_stage_columns(["late"]) == ("prediction", "carrier")
