"""Types of expressions over a source's columns: what they are, and what is refused with place and cure."""

from typing import Any

import pyarrow as pa
import pytest

from sparkscore.errors import ConfigError
from sparkscore.expressions.derived_inputs import derive_inputs
from sparkscore.expressions.typed_expressions import LookupContent
from sparkscore.records import LookupExpression, find_lookups
from sparkscore.settings.input_expressions import parse_input_source

SCHEMA = pa.schema(
    [
        ("whole", pa.int32()),
        ("long", pa.int64()),
        ("real", pa.float32()),
        ("double", pa.float64()),
        ("money", pa.decimal128(12, 2)),
        ("exact", pa.decimal128(38, 10)),
        ("text", pa.string()),
        ("day", pa.date32()),
        ("time", pa.timestamp("us", "UTC")),
        ("local", pa.timestamp("us")),
        ("list", pa.list_(pa.int64())),
        pa.field("odd", pa.null(), metadata={b"sparkscore.spark_type": b"variant"}),
        pa.field("german", pa.string(), metadata={b"sparkscore.spark_type": b"string collate DE"}),
        ("model.inputs.A", pa.string()),
    ]
)
CONTENT = LookupContent(pa.table({"key0": pa.array([1, 2]), "value": [0.5, 1.5]}))


def derive(**inputs: Any) -> Any:
    parsed: Any = {name: parse_input_source(written) for name, written in inputs.items()}
    contents: dict[LookupExpression, LookupContent] = dict.fromkeys(find_lookups(parsed.values()), CONTENT)
    return derive_inputs(parsed, SCHEMA, contents)


def lookup(key: Any, **more: Any) -> dict[str, Any]:
    return {"lookup": {"table": "t", "key": {"code": key}, "value": "v", **more}}


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ({"add": ["whole", 1]}, pa.int64()),
        ({"add": ["whole", 1.5]}, pa.float64()),
        ({"multiply": ["real", "real"]}, pa.float64()),
        ({"add": ["money", 1]}, pa.decimal128(13, 2)),
        ({"multiply": ["money", "whole"]}, pa.decimal128(23, 2)),
        ({"add": ["money", 0.5]}, pa.float64()),
        ({"divide": ["whole", "whole"]}, pa.float64()),
        ({"coalesce": ["whole", 0]}, pa.int32()),
        ({"coalesce": ["whole", 1 << 40]}, pa.int64()),
        ({"coalesce": ["whole", "long"]}, pa.int64()),
        ({"coalesce": ["real", 0.5]}, pa.float32()),
        ({"coalesce": ["real", 0.1]}, pa.float64()),
        ({"coalesce": ["money", "whole"]}, pa.decimal128(12, 2)),
        ({"part": "hour", "of": "time"}, pa.int32()),
        ({"cast": "text", "to": "timestamp"}, pa.timestamp("us", "UTC")),
        (lookup("whole", default=2), pa.float64()),
    ],
    ids=str,
)
def test_an_expression_has_a_type(written: Any, kind: pa.DataType) -> None:
    (typed,) = derive(a=written).expressions.values()
    assert typed.kind == kind


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ({"add": ["text", 1]}, r"model.inputs.a: add.0: string; expected a number: cast it to double or long"),
        ({"add": ["longs", 1]}, r"add.0: the source has no column longs \(did you mean long\?\)"),
        ({"concat": ["text", " - "]}, r"concat.1: the source has no column  - : correct the name; text .* \{text: …\}"),
        ({"add": ["long", "1e3"]}, r"add.1: the source has no column 1e3: YAML reads it as text"),
        ({"concat": ["text", "whole"]}, r"concat.1: int32; expected text: cast it to string"),
        ({"coalesce": ["text", 0]}, r"coalesce: string and int64; expected values of one type"),
        ({"multiply": ["exact", "money"]}, r"multiply: .* needs 51 digits; at most 38: cast one of them to double"),
        ({"cast": "double", "to": "string"}, r"cast: double to string; expected one of integer, long, float, double"),
        ({"part": "hour", "of": "day"}, r"of: date32\[day\]; expected a timestamp"),
        ({"part": "day", "of": "local", "timezone": "UTC"}, r"which has no time zone; remove timezone"),
        ({"coalesce": ["list", "list"]}, r"coalesce.0: the column list is list<item: int64>"),
        ({"coalesce": ["odd", "odd"]}, r"the column odd is variant; expected numbers, text"),
        ({"concat": ["german", "text"]}, r"the column german is string collate DE"),
        (lookup("text"), r"lookup.key.code: string, and the table's code is int64; expected equal types"),
        (lookup("long", default="x"), r"lookup.default: no value of v, which is double"),
    ],
    ids=str,
)
def test_what_has_no_type_is_refused_with_its_place(written: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        derive(a=written)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ConfigError, match=r"model.inputs.a: add(.|\n)*model.inputs.b: add"):
        derive(a={"add": ["text", 1]}, b={"add": ["day", 1]})


def test_computed_columns_have_names_of_their_own_and_know_what_they_read() -> None:
    derived = derive(a={"add": ["long", {"multiply": ["whole", "long"]}]}, b="text")
    assert derived.columns == {"a": "model.inputs.a'", "b": "text"}
    assert derived.source_columns("model.inputs.a'") == ("long", "whole")
    assert derived.extend_schema(SCHEMA).field("model.inputs.a'").type == pa.int64()
