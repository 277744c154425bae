"""The Arrow evaluator by itself: plain values, and nothing of Spark on executors."""

import subprocess
import sys
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from sparkscore.expressions.arrow_evaluator import ArrowDerivation
from sparkscore.expressions.type_inference import TypeInference
from sparkscore.records import Expression
from sparkscore.settings.input_expressions import parse_input_source

ROWS = pa.record_batch(
    {
        "long": pa.array([7, (1 << 63) - 1, None]),
        "double": pa.array([0.5, 0.0, float("nan")]),
        "text": [" 1.5 ", "x", "-2e3"],
        "day": pa.array([date(2013, 2, 28), date(1582, 10, 10), None]),
        "time": pa.array(
            [datetime(2013, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(1969, 12, 31, 23, tzinfo=UTC), None]
        ),
    }
)


@pytest.mark.parametrize(
    ("written", "values"),
    [
        ({"add": ["long", 1]}, [8, None, None]),
        ({"subtract": [0, {"multiply": ["long", 2]}]}, [-14, None, None]),
        ({"divide": [1, "double"]}, ["2.0", None, "nan"]),
        ({"coalesce": ["long", 0]}, [7, (1 << 63) - 1, 0]),
        ({"coalesce": ["double", 9.0]}, ["0.5", "0.0", "nan"]),
        ({"cast": "text", "to": "double"}, ["1.5", None, "-2000.0"]),
        ({"cast": "text", "to": "long"}, [None, None, None]),
        ({"cast": "long", "to": "integer"}, [7, None, None]),
        ({"concat": ["text", {"text": "!"}]}, [" 1.5 !", "x!", "-2e3!"]),
        ({"part": "day_of_week", "of": "day"}, [4, 7, None]),
        ({"part": "week", "of": "time"}, [1, 1, None]),
        ({"part": "hour", "of": "time"}, [23, 23, None]),
        ({"cast": "time", "to": "date"}, [date(2013, 12, 31), date(1969, 12, 31), None]),
    ],
    ids=str,
)
def test_an_expression_has_these_values(written: Any, values: list[Any]) -> None:
    parsed = parse_input_source(written)
    assert isinstance(parsed, Expression)
    derived = ArrowDerivation({"made": TypeInference(ROWS.schema, {}).infer(parsed)})(ROWS)
    assert derived.schema.names == [*ROWS.schema.names, "made"]
    assert [str(one) if isinstance(one, float) else one for one in derived["made"].to_pylist()] == values


def test_executors_import_no_spark_for_it() -> None:
    code = (
        "import sys, sparkscore.expressions.arrow_evaluator; print(*{'pyspark', 'pandas', 'pydantic'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
