"""What Spark has judged, as executors take it."""

import pyarrow as pa

from sparkscore.gate.reject_reasons import REASON_COLUMN, spark_reject_reasons
from sparkscore.schemas import REJECT_TYPE

SPARKS_TYPE = pa.struct([pa.field(part.name, part.type, nullable=part.name == "error") for part in REJECT_TYPE])
"""Of `when(…, struct(…))`: Spark knows that the code and the message are there."""


def test_reasons_of_spark_have_the_type_of_all_rejects() -> None:
    reasons = pa.array([{"code": "rule", "error": None, "message": "x is 1"}, None], SPARKS_TYPE)
    found = spark_reject_reasons(pa.record_batch([reasons], [REASON_COLUMN]))
    assert found is not None
    assert (found.type, found.to_pylist()) == (REJECT_TYPE, reasons.to_pylist())


def test_of_rows_that_break_no_rule_there_are_none() -> None:
    assert spark_reject_reasons(pa.record_batch([pa.nulls(2, SPARKS_TYPE)], [REASON_COLUMN])) is None
