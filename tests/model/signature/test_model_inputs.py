"""Every type of a table against every type of a signature: taken with all its values, or refused before the run."""

import struct
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from mlflow.types import ColSpec, Schema
from mlflow.types.schema import Array, DataType, Object, Property

from sparkscore.errors import SignatureError
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.signature.mlflow_signature import read_mlflow_signature
from sparkscore.model.signature.model_inputs import build_features
from sparkscore.model.signature.open_types import absent_properties
from sparkscore.model.signature.signature_check import match_input_columns
from sparkscore.records import ModelInput, PinnedModel
from tests.model.shelf import signature, tensor

ZONED = datetime(2013, 12, 31, 23, 59, 59, 123456, UTC)
TIMES = [ZONED.replace(tzinfo=None), datetime(1677, 9, 22), datetime(2262, 4, 11)]  # noqa: DTZ001 - what TIMESTAMP_NTZ means

SOURCES: dict[str, tuple[pa.DataType, list[Any]]] = {
    "boolean": (pa.bool_(), [True, False]),
    "byte": (pa.int8(), [-(2**7), 2**7 - 1]),
    "short": (pa.int16(), [-(2**15), 2**15 - 1]),
    "int": (pa.int32(), [-(2**31), 2**31 - 1]),
    "bigint": (pa.int64(), [-(2**63), 2**53 + 1, 2**63 - 1]),
    "float": (pa.float32(), [0.5, -0.0, 3.4028234663852886e38, float("inf"), 2.0**-149]),
    "double": (pa.float64(), [0.1, -0.0, 1.7976931348623157e308, float("-inf"), 5e-324]),
    "decimal(6,2)": (pa.decimal128(6, 2), [Decimal("9999.99"), Decimal("-1234.56")]),
    "decimal(9,0)": (pa.decimal128(9, 0), [Decimal("999999999"), Decimal("-16777217")]),
    "decimal(15,5)": (pa.decimal128(15, 5), [Decimal("9999999999.99999"), Decimal("-0.00001")]),
    "decimal(16,0)": (pa.decimal128(16, 0), [Decimal("9007199254740993")]),
    "decimal(18,0)": (pa.decimal128(18, 0), [Decimal("999999999999999999")]),
    "decimal(38,0)": (pa.decimal128(38, 0), [Decimal("9" * 38)]),
    "string": (pa.string(), ["", "1", "ä"]),
    "binary": (pa.binary(), [b"", b"1"]),
    "date": (pa.date32(), [date(1969, 12, 31), date(2262, 4, 11)]),
    "timestamp": (pa.timestamp("us", tz="UTC"), [moment.replace(tzinfo=UTC) for moment in TIMES]),
    "timestamp_ntz": (pa.timestamp("us"), TIMES),
    "interval": (pa.duration("us"), [timedelta(days=1)]),
    "array<int>": (pa.list_(pa.int32()), [[], [-(2**31), 2**31 - 1]]),
    "array<float>": (pa.list_(pa.float32()), [[0.5], [3.4028234663852886e38]]),
    "array<double>": (pa.list_(pa.float64()), [[0.1], [1.7976931348623157e308]]),
    "array<decimal>": (pa.list_(pa.decimal128(5, 1)), [[Decimal("0.5")]]),
    "array<timestamp>": (pa.list_(pa.timestamp("us", tz="UTC")), [[ZONED]]),
    "array<array<int>>": (pa.list_(pa.list_(pa.int32())), [[[1], []]]),
    "struct<b,a>": (pa.struct([("b", pa.int32()), ("a", pa.float32())]), [{"b": 2**31 - 1, "a": 0.5}]),
    "struct<a,b>": (pa.struct([("a", pa.float64()), ("b", pa.int64())]), [{"a": 0.1, "b": 2**53 + 1}]),
    "struct<a>": (pa.struct([("a", pa.float64())]), [{"a": 0.5}]),
    "struct<a,b,c>": (
        pa.struct([("a", pa.float64()), ("b", pa.int64()), ("c", pa.int64())]),
        [{"a": 0.5, "b": 1, "c": 2}],
    ),
    "map": (pa.map_(pa.string(), pa.int64()), [[("a", 1)]]),
}
"""A name of Spark, its type in Arrow, and values that show what the type can hold."""

RECORD = Object([Property("a", DataType.double), Property("b", DataType.long)])
SIGNED: dict[str, Any] = {kind.name: kind for kind in DataType} | {
    "array<long>": Array(DataType.long),
    "array<double>": Array(DataType.double),
    "array<datetime>": Array(DataType.datetime),
    "array<array<double>>": Array(Array(DataType.double)),
    "object": RECORD,
}
"""Types of MLflow."""


def holds(value: Any, kind: Any, *, nested: bool = False) -> bool:
    """The oracle: whether a type of MLflow has an equal of the value. In plain Python."""
    if isinstance(kind, Array):
        return type(value) is list and all(holds(item, kind.dtype, nested=True) for item in value)
    if isinstance(kind, Object):
        fields = {field.name: field.dtype for field in kind.properties}
        same = isinstance(value, dict) and set(value) == set(fields)
        return same and all(holds(value[name], inner, nested=True) for name, inner in fields.items())
    if isinstance(value, Decimal):
        return not nested and holds_decimal(value, kind)
    plain = {bool: "boolean", str: "string", bytes: "binary", date: "datetime", datetime: "datetime"}
    if type(value) in plain:
        return bool(plain[type(value)] == kind.name)
    if kind.name in ("integer", "long"):
        return type(value) is int and -limit(kind) <= value < limit(kind)
    return isinstance(value, int | float) and kind.name in ("float", "double") and rounded(value, kind) == value


def holds_decimal(value: Decimal, kind: Any) -> bool:
    """Whole numbers fit integers of their size; others a floating type that gives the same digits back."""
    whole = value.as_tuple().exponent == 0
    if kind.name in ("integer", "long"):
        return whole and abs(value) < limit(kind)
    if kind.name not in ("float", "double"):
        return False
    with localcontext(prec=100):
        return Decimal(rounded(float(value), kind)).quantize(value) == value


def limit(kind: Any) -> int:
    return 2**31 if kind.name == "integer" else 2**63


def rounded(value: float, kind: Any) -> float:
    number = float(value)
    if kind.name == "double" or abs(number) > 3.5e38:
        return number
    return float(struct.unpack("f", struct.pack("f", number))[0])


def pinned(*inputs: ModelInput) -> PinnedModel:
    return PinnedModel("late", "3", "", "0" * 64, "", "sklearn", inputs, False, pa.float64())


def shipped(*inputs: ModelInput) -> ShippedModel:
    return ShippedModel("0" * 64, "", "sklearn", inputs, False, pa.float64())


@pytest.mark.parametrize("signed", SIGNED)
@pytest.mark.parametrize("source", SOURCES)
def test_a_type_is_taken_with_all_its_values_or_refused_by_the_columns_name(source: str, signed: str) -> None:
    kind, values = SOURCES[source]
    told = signature(Schema([ColSpec(SIGNED[signed], "x")]), tensor("float64"))
    (one,) = read_mlflow_signature({"signature": told.to_dict()}).inputs
    schema = pa.schema([("column", kind)])
    if not all(holds(value, SIGNED[signed]) for value in values):
        with pytest.raises(SignatureError, match=r"x \(column column\): .* no cast keeps every value"):
            match_input_columns(pinned(one), schema, {"x": "column"})
        return
    assert match_input_columns(pinned(one), schema, {"x": "column"}) == ("column",)
    frame = build_features([pa.array(values, kind)], shipped(one))
    assert isinstance(frame, pd.DataFrame)
    assert [plain(value) for value in frame["x"]] == [expected(value, SIGNED[signed]) for value in values]


def plain(value: Any) -> Any:
    """What the model is given, in Python's own words."""
    if isinstance(value, np.ndarray | list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, pd.Timestamp | np.datetime64):
        return pd.Timestamp(value).to_pydatetime()
    return value.item() if isinstance(value, np.generic) else value


def expected(value: Any, kind: Any) -> Any:
    """The value as the oracle sees it: datetimes without a zone in UTC, dates at midnight, decimals as numbers."""
    if isinstance(value, list):
        return [expected(item, kind.dtype) for item in value]
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - as above
    if isinstance(value, Decimal):
        return int(value) if kind.name in ("integer", "long") else rounded(float(value), kind)
    return value


def test_the_oracle_takes_and_refuses() -> None:
    taken = {
        (source, signed)
        for source, (_, values) in SOURCES.items()
        for signed in SIGNED
        if all(holds(value, SIGNED[signed]) for value in values)
    }
    assert {("bigint", "long"), ("date", "datetime"), ("struct<b,a>", "object")} <= taken
    assert not {("bigint", "double"), ("double", "float"), ("decimal(16,0)", "double"), ("map", "object")} & taken


MAP = pa.map_(pa.string(), pa.int64())


@pytest.mark.parametrize("rows", [slice(None), slice(1, 3), slice(2, 2), slice(3, 4)])
def test_maps_are_dicts_in_any_part_of_a_batch(rows: slice) -> None:
    maps = [{"a": 1, "b": None}, None, {}, {"c": 3}]
    column = pa.array([None if one is None else [*one.items()] for one in maps], MAP)
    frame = build_features([column[rows]], shipped(ModelInput("m", MAP, required=False)))
    assert isinstance(frame, pd.DataFrame)
    assert frame["m"].tolist() == maps[rows]


@pytest.mark.parametrize(
    ("kind", "source", "reason"),
    [
        (MAP, pa.map_(pa.int32(), pa.int64()), "the keys of a map must be text"),
        (MAP, pa.map_(pa.string(), pa.float64()), "no cast keeps every value"),
        (MAP, pa.struct([("a", pa.string())]), "no cast keeps every value"),
        (pa.list_(pa.null()), pa.string(), r"list<any> in the model, string in the source"),
    ],
)
def test_a_map_or_anything_that_does_not_fit_is_refused_by_its_name(
    kind: pa.DataType, source: pa.DataType, reason: str
) -> None:
    with pytest.raises(SignatureError, match=rf"x: .*{reason}"):
        match_input_columns(pinned(ModelInput("x", kind, required=True)), pa.schema([("x", source)]), {})


def test_a_required_property_must_be_there_and_an_optional_one_may_be_left_out() -> None:
    kind = pa.struct([("a", pa.int64()), ("b", pa.string())])
    one = ModelInput("o", kind, required=True, optional=frozenset({".b"}))
    source = pa.struct([("a", pa.int32())])
    assert match_input_columns(pinned(one), pa.schema([("o", source)]), {}) == ("o",)
    frame = build_features([pa.array([{"a": 1}], source)], shipped(one))
    assert isinstance(frame, pd.DataFrame)
    assert frame["o"].tolist() == [{"a": 1}]
    assert [*absent_properties(kind, source, one.optional)] == [".b"]
    with pytest.raises(SignatureError, match="no cast keeps every value"):
        match_input_columns(pinned(one), pa.schema([("o", pa.struct([("b", pa.string())]))]), {})
