"""Equal values have equal hashes, and no others: hostile values of every type that a model takes."""

import math
import random
from collections import defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructField, StructType, VariantType, _parse_datatype_string

from sparkscore.errors import ConfigError
from sparkscore.spark.canonical_hash import hash_canonically

VALUES: dict[str, list[Any]] = {
    "string": [None, "", "N", "0:", "1:N", "ä", "a\x00b", "a", "null", "NULL", " a", "a ", "𝄞", "1.0"],
    "double": [None, 0.0, -0.0, math.nan, math.inf, -math.inf, 1.0, 5e-324, 0.1, 0.1 + 2**-56, 1e16, 1e16 + 2],
    "float": [None, 0.0, -0.0, math.nan, 1.5, 16777216.0],
    "bigint": [None, 0, -1, 2**63 - 1, 2**53, 2**53 + 1],
    "boolean": [None, True, False],
    "binary": [None, b"", b"\xff\x00", b"N", b"4E"],
    "decimal(38,18)": [None, Decimal("0"), Decimal("1.000000000000000001"), Decimal("1")],
    "date": [None, date(1, 1, 1), date(9999, 12, 31), date(2013, 1, 1)],
    "timestamp": [None, datetime(2013, 10, 27, 0, 30, tzinfo=UTC), datetime(2013, 10, 27, 1, 30, tzinfo=UTC)],
    "array<string>": [None, [], [None], [""], ["a", "b"], ["ab"], ["b", "a"], ["a", "b", None], ["1:a"]],
    "array<array<double>>": [None, [], [[]], [None], [[math.nan]], [[0.0], []], [[], [0.0]]],
    "struct<`a.b`:int,c:string>": [None, (None, None), (1, "2"), (12, ""), (None, "N"), (1, None)],
    "map<string,array<int>>": [None, {}, {"a": None}, {"a": []}, {"a": [1]}, {"b": [1]}],
}


def test_two_rows_have_one_hash_where_all_their_values_are_equal_and_nowhere_else(spark: SparkSession) -> None:
    schema = StructType([StructField(f"c{place}", _parse_datatype_string(kind)) for place, kind in enumerate(VALUES)])
    # each value once beside NULLs, and mixed rows: each row twice
    rows = [
        tuple(value if at == place else None for at in range(len(VALUES)))
        for place, values in enumerate(VALUES.values())
        for value in values
    ]
    chance = random.Random(7)
    rows += [tuple(chance.choice(values) for values in VALUES.values()) for _ in range(200)]
    frame = spark.createDataFrame([(number, *row) for number, row in enumerate(rows * 2)], _with_number(schema))
    columns = [(F.col(field.name), field.dataType) for field in schema]
    found = frame.select("number", hash_canonically(columns).alias("hash")).collect()
    by_hash, by_value = defaultdict[str, set[int]](set), defaultdict[str, set[int]](set)
    for row in found:
        by_hash[row["hash"]].add(row["number"])
        by_value[repr(rows[row["number"] % len(rows)])].add(row["number"])
    assert sorted(map(sorted, by_hash.values())) == sorted(map(sorted, by_value.values()))
    assert {len(one) for one in by_hash} == {64}


def _with_number(schema: StructType) -> StructType:
    return StructType([StructField("number", _parse_datatype_string("int")), *schema])


def test_neighbours_cannot_lend_bytes_to_each_other(spark: SparkSession) -> None:
    frame = spark.createDataFrame([("ab", "c"), ("a", "bc"), ("", "abc"), (None, "abc")], "a string, b string")
    columns = [(F.col(field.name), field.dataType) for field in frame.schema]
    assert frame.select(hash_canonically(columns)).distinct().count() == 4


def test_no_session_setting_changes_it(spark: SparkSession) -> None:
    query = "SELECT TIMESTAMP'2013-10-27 00:30:00.000001 UTC' AS t, 0.1D AS d, DATE'2013-01-01' AS e"
    found = set()
    for zone, ansi in (("Asia/Tokyo", "true"), ("America/New_York", "false")):
        other = spark.newSession()
        other.conf.set("spark.sql.session.timeZone", zone)
        other.conf.set("spark.sql.ansi.enabled", ansi)
        frame = other.sql(query)
        row = frame.select(hash_canonically([(F.col(one.name), one.dataType) for one in frame.schema])).first()
        assert row is not None
        found.add(row[0])
    assert len(found) == 1


def test_a_type_without_an_order_of_its_parts_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"model\.reuse with an input of type variant"):
        hash_canonically([(F.col("v"), VariantType())])
