"""The two evaluators of expressions give the same value for every row: random trees over random rows."""

import struct
from collections.abc import Callable, Mapping
from decimal import Decimal
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkscore.expressions.arrow_evaluator import ArrowDerivation
from sparkscore.expressions.derived_inputs import bind_zone_offsets
from sparkscore.expressions.number_types import UnfitExpression
from sparkscore.expressions.spark_evaluator import derive_spark_columns
from sparkscore.expressions.type_inference import CAST_TARGETS, TypeInference
from sparkscore.expressions.typed_expressions import LookupContent, TypedExpression
from sparkscore.records import Expression, LookupExpression
from sparkscore.settings.input_expressions import parse_input_source
from tests.examples import examples, more_examples_in_slow

_EDGES = [0, 1, -1, 2, 127, -128, 1 << 15, 1 << 31, -(1 << 31), 1 << 53, (1 << 53) + 1, (1 << 63) - 1, -(1 << 63)]
_DOUBLES = [0.0, -0.0, 1.5, -1.5, 0.1, 1e300, -1e300, 2.0**63, -(2.0**63), 2.0**31, -(2.0**31) - 0.5, 5e-324]
_DOUBLES += [float("nan"), float("inf"), float("-inf")]
_DAYS = [0, -1, 15_000, -141_428, -141_427, -719_162, -719_163, 2_932_896, 2_932_897, -(1 << 31), (1 << 31) - 1, 11_016]
_MICROS = [day * 86_400_000_000 for day in _DAYS[:9]] + [-1, 1_362_899_999_999_999, 1_362_900_000_000_000]
_MICROS += [1_383_458_400_000_000, 253_402_300_799_999_999, -2_717_650_800_000_001, -(1 << 62), (1 << 62)]
_NUMBER_TEXTS = [
    "5",
    "+5",
    " -7\t",
    "007",
    "9223372036854775807",
    "9223372036854775808",
    "1e5",
    "1e-400",
    "1e999",
    "-1E400",
]
_NUMBER_TEXTS += [".5", "5.", "-0", "0x10", "1_000", "NaN", "inf", "5d", "12345678901234567890", "0.1", "4.35", "２"]
_OTHER_TEXTS = ["", " ", "true", "TRUE ", "False", "t", "1", "é", "a\nb", "\0", "5\n", "yes"]
_TIME_TEXTS = [
    "2013-01-01",
    "2013-02-29",
    "2012-02-29",
    "1500-02-29",
    "0000-01-01",
    "0001-01-01",
    "9999-12-31",
    "2013-13-01",
]
_TIME_TEXTS += ["2013-1-1", " 1582-10-10 ", "2013-03-10T10:00", "2013-03-10 10:00:00.5Z", "2013-03-10T24:00:00"]
_TIME_TEXTS += ["2013-03-10T10:00:60", "2013-03-10T23:59:59.123456+05:30", "1969-12-31T23:59:59.999999-18:00"]
_TIME_TEXTS += [
    "2013-03-10T10:00:00+19:00",
    "2013-03-10T10:00:00 UTC",
    "2013-03-10T10:00-00:30",
    "2013-03-10T10",
    "today",
]
_TEXTS = [*_NUMBER_TEXTS, *_OTHER_TEXTS, *_TIME_TEXTS]


_Values = Callable[[Random], Any]


def _integers(bits: int) -> _Values:
    least, most = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    edges = [one for one in _EDGES if least <= one <= most]
    return lambda rng: rng.choice([rng.choice(edges), rng.randint(least, most), rng.randint(-9, 9)])


def _decimals(digits: int, scale: int) -> _Values:
    most = 10**digits - 1
    edges = [0, 1, -1, most, -most, 5]
    return lambda rng: Decimal(f"{rng.choice([rng.choice(edges), rng.randint(-most, most)])}E-{scale}")


def _double(rng: Random) -> float:
    return rng.choice([rng.choice(_DOUBLES), rng.uniform(-10, 10), float(struct.unpack("d", rng.randbytes(8))[0])])


def _real(rng: Random) -> float:
    with np.errstate(over="ignore"):
        return float(np.float32(_double(rng)))


def _text(rng: Random) -> str:
    return rng.choice(
        [rng.choice(_TEXTS), rng.choice(_TEXTS), "".join(rng.choices("0159-+.:TZ eé", k=rng.randint(1, 6)))]
    )


_COLUMNS: Mapping[str, tuple[pa.DataType, _Values]] = {
    "tiny": (pa.int8(), _integers(8)),
    "whole": (pa.int32(), _integers(32)),
    "long": (pa.int64(), _integers(64)),
    "real": (pa.float32(), _real),
    "double": (pa.float64(), _double),
    "money": (pa.decimal128(12, 2), _decimals(12, 2)),
    "exact": (pa.decimal128(30, 10), _decimals(30, 10)),
    "yes": (pa.bool_(), lambda rng: rng.random() < 0.5),
    "text": (pa.string(), _text),
    "a.b`c": (pa.string(), lambda rng: rng.choice(["5", "true", "x", "2013-01-01"])),
    "day": (pa.date32(), lambda rng: rng.choice([rng.choice(_DAYS), rng.randint(-800_000, 3_000_000)])),
    "time": (
        pa.timestamp("us", "UTC"),
        lambda rng: rng.choice([rng.choice(_MICROS), rng.randint(-(1 << 58), 1 << 58)]),
    ),
    "local": (pa.timestamp("us"), lambda rng: rng.choice([rng.choice(_MICROS), rng.randint(-(1 << 58), 1 << 58)])),
}
SCHEMA = pa.schema([(name, kind) for name, (kind, _) in _COLUMNS.items()])
_TABLES = {
    "names": pa.table({"key0": ["5", "true", "", "2013-01-01"], "value": [1.5, None, -0.0, float("nan")]}),
    "pairs": pa.table({"key0": pa.array([0, 0, 1]), "key1": ["5", "", "5"], "value": ["zero", "none", None]}),
}
_DATE_WORDS = ["year", "quarter", "month", "week", "day", "day_of_week", "day_of_year", "hour", "minute", "second"]
_ZONES = [None, None, "UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]


def random_rows(rng: Random, rows: int) -> pa.Table:
    """Rows of every type, each value NULL now and then."""
    columns: list[Any] = [pa.array(range(rows))]
    for kind, value in _COLUMNS.values():
        drawn = [None if rng.random() < 0.15 else value(rng) for _ in range(rows)]
        is_count = pa.types.is_temporal(kind)
        raw = pa.array(drawn, (pa.int32() if pa.types.is_date32(kind) else pa.int64()) if is_count else kind)
        columns.append(raw.view(kind) if is_count else raw)
    return pa.table(columns, schema=SCHEMA.insert(0, pa.field("id", pa.int64())))


def random_tree(rng: Random, levels: int) -> Any:
    """An expression as a config has it; most have types that fit."""
    if not levels or rng.random() < 0.2:
        constant = rng.choice([0, 1, -1, 10, (1 << 63) - 1, 0.0, -0.0, 0.1, 2.5, True, {"text": rng.choice(_TEXTS)}])
        return rng.choice([*_COLUMNS, *_COLUMNS, constant, constant])
    kinds = ["cast", "cast", "add", "multiply", "subtract", "divide", "coalesce", "concat", "part", "lookup", "pairs"]
    return _random_operation(rng, rng.choice(kinds), levels - 1)


def _random_operation(rng: Random, op: str, levels: int) -> Any:  # noqa: PLR0911  one per operation
    def inner(to: str | None = None) -> Any:
        tree = random_tree(rng, levels)
        return {"cast": tree, "to": to} if to else tree

    match op:
        case "cast":
            return inner(rng.choice(list(CAST_TARGETS)))
        case "coalesce":
            return {op: [inner(), inner(rng.choice([None, "double", "string"]))]}
        case "concat":
            return {op: [rng.choice(["text", inner()]), inner("string")]}
        case "part":
            zone, of = (
                rng.choice(_ZONES),
                rng.choice(["day", "time", "time", "local", {"cast": "text", "to": "timestamp"}]),
            )
            return {op: rng.choice(_DATE_WORDS), "of": of, **({"timezone": zone} if zone else {})}
        case "lookup":
            default = rng.choice([None, 2.5, 3])
            return {op: {"table": "names", "key": {"k": inner("string")}, "value": "v", "default": default}}
        case "pairs":
            return {"lookup": {"table": op, "key": {"a": inner("long"), "b": inner()}, "value": "v"}}
    return {
        op: [
            inner(rng.choice([None, "long", "double"]))
            for _ in range(2 if op in ("divide", "subtract") else rng.randint(2, 3))
        ]
    }


class _Contents(dict[LookupExpression, LookupContent]):
    def __missing__(self, lookup: LookupExpression) -> LookupContent:
        return LookupContent(_TABLES[lookup.table])


def infer(written: Any) -> TypedExpression | None:
    """The typed expression, None for what has no types or is a column alone."""
    try:
        parsed = parse_input_source(written)
        return TypeInference(SCHEMA, _Contents()).infer(parsed) if isinstance(parsed, Expression) else None
    except (UnfitExpression, ValueError):
        return None


def by_spark(spark: SparkSession, rows: pa.Table, named: Mapping[str, TypedExpression]) -> pa.Table:
    """The computed columns, by tasks: without a shuffle the planner would compute them, without generated code."""
    frame = derive_spark_columns(spark.createDataFrame(rows).repartition(1), named)
    return frame.select("id", *map(F.col, named)).toArrow().sort_by("id").select(list(named))


def exact(values: pa.ChunkedArray) -> list[object]:
    """The values so that -0.0 is not 0.0, and NaN is NaN."""
    found = values.cast(pa.int64()) if pa.types.is_timestamp(values.type) else values
    found = found.cast(pa.int32()) if pa.types.is_date32(found.type) else found
    return [str(one) if isinstance(one, float) else one for one in found.to_pylist()]


def check_equal(spark: SparkSession, rows: pa.Table, written: list[Any]) -> None:
    """Both evaluators give the same values, of the type that was inferred."""
    named = {f"e{index}": typed for index, one in enumerate(written) if (typed := infer(one)) is not None}
    derived = pa.Table.from_batches(
        [ArrowDerivation(bind_zone_offsets(spark, named))(rows.combine_chunks().to_batches()[0])]
    )
    computed = by_spark(spark, rows, named)
    for name, typed in named.items():
        assert derived.schema.field(name).type == typed.kind
        mine, theirs = exact(derived.column(name)), exact(computed.column(name))
        different = [
            (row, one, other) for row, (one, other) in enumerate(zip(mine, theirs, strict=True)) if one != other
        ]
        assert not different, (written[int(name[1:])], different[:3], rows.slice(different[0][0], 1).to_pylist())


def every_operation() -> list[Any]:
    """Each cast, part and operation once, for each type that has it."""
    casts: list[Any] = [{"cast": name, "to": to} for name in _COLUMNS for to in CAST_TARGETS]
    parts = [{"part": part, "of": of} for part in _DATE_WORDS for of in ("day", "time", "local")]
    zoned = [
        {"part": part, "of": "time", "timezone": zone} for part in ("day", "hour", "minute") for zone in _ZONES[2:]
    ]
    pairs = [
        ("tiny", "long"),
        ("whole", 3),
        ("long", -1),
        ("real", "double"),
        ("money", "exact"),
        ("money", 2),
        ("exact", 0.5),
    ]
    numbers = [{op: [*pair]} for pair in pairs for op in ("add", "subtract", "multiply", "divide")]
    casts += [{"cast": {"cast": of, "to": "float"}, "to": "double"} for of in ("whole", "long", "double", "money")]
    others = [
        {"coalesce": [one, other]}
        for one, other in [("tiny", "long"), ("money", "long"), ("real", 0.0), ("day", "day")]
    ]
    return [*casts, *parts, *zoned, *numbers, *others, {"concat": ["text", "a.b`c", {"text": "é"}]}]


def test_each_operation_has_the_same_values_in_both(spark: SparkSession) -> None:
    rows, trees = random_rows(Random(11), 400), [one for one in every_operation() if infer(one) is not None]
    assert len(trees) > 100
    for first in range(0, len(trees), 20):
        check_equal(spark, rows, trees[first : first + 20])


@pytest.fixture(scope="module")
def compiling(spark: SparkSession) -> SparkSession:
    """A session that generates code for expressions, as those of users do."""
    session = spark.newSession()
    for name, value in (("wholeStage", "true"), ("factoryMode", "FALLBACK")):
        session.conf.set(f"spark.sql.codegen.{name}", value)
    session.conf.set("spark.sql.session.timeZone", "UTC")
    return session


@more_examples_in_slow
@settings(max_examples=examples(5, slow=120), deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 1 << 32))
def test_nested_ones_have_the_same_values_in_both(compiling: SparkSession, seed: int) -> None:
    rng = Random(seed)
    trees = [one for one in (random_tree(rng, rng.randint(1, 3)) for _ in range(100)) if infer(one) is not None]
    check_equal(compiling, random_rows(rng, 40), trees[:10])
