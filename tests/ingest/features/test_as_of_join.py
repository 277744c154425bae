"""The as-of join against an oracle in plain Python, both ways of it, and what its plan says."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkscore.ingest.features.as_of_join import join_features
from sparkscore.ingest.features.feature_values import FeatureTable, TimeRange, load_values
from sparkscore.records import FLAG_AMBIGUOUS, FLAG_MATCHED, ROW_FLAGS_COLUMN, FeatureJoin, RowTimes
from tests.examples import examples, more_examples_in_slow

START = datetime(2013, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
LARGE, SMALL = None, 1
"""Bytes of a table's files: unknown, so that its values are shuffled; and few enough to travel with the tasks."""


@dataclass(frozen=True)
class Value:
    """A row of a feature table."""

    key: tuple[int | None, str | None]
    time: datetime | None
    known: datetime | None
    value: float | None


@dataclass(frozen=True)
class History:
    """A feature table, and how it is joined."""

    values: Sequence[Value]
    join: FeatureJoin

    def frame(self, spark: SparkSession) -> DataFrame:
        """Its rows."""
        rows = [(*one.key, one.time, one.known, one.value) for one in self.values]
        return spark.createDataFrame(rows, "a int, b string, time timestamp, known timestamp, value double")

    def find(self, key: tuple[int | None, str | None], time: datetime | None) -> tuple[float | None, int]:
        """The oracle: the value of a row, and its flag."""
        columns = len(self.join.keys)
        if time is None or None in key[:columns]:
            return None, 0
        writes = self.join.known_at is not None
        known: dict[tuple[datetime, datetime], set[float | None]] = {}
        for one in self.values:
            written = one.known if writes else one.time
            if one.key[:columns] == key[:columns] and one.time and written and max(one.time, written) <= time:
                known.setdefault((one.time, written), set()).add(one.value)
        if not known:
            return None, 0
        newest = max(known)
        if self.join.ttl_us is not None and time - newest[0] > timedelta(microseconds=self.join.ttl_us):
            return None, 0
        chosen = known[newest]
        ambiguous = FLAG_AMBIGUOUS if len(chosen) > 1 else 0
        return (None if ambiguous else chosen.pop()), FLAG_MATCHED | ambiguous


def random_history(random: Random, number: int, *, rows: int) -> History:
    def moment(share: float) -> datetime | None:
        return None if random.random() < share else START + HOUR * random.randrange(80)

    values = [
        Value(
            (random.choice([*range(4), None]), random.choice(["x", "y", None])),
            moment(0.05),
            moment(0.1),
            random.choice([None, 0.5, 1.5, 2.5, 3.5]),
        )
        for _ in range(rows)
    ]
    keys = random.choice([(("ra", "a"),), (("ra", "a"), ("rb", "b"))])
    ttl = random.choice([None, 3_600_000_000 * random.randrange(1, 40)])
    known = random.choice([None, "known"])
    return History(values, FeatureJoin(f"table {number}", keys, "time", ((f"f{number}", "value"),), known, ttl))


def check_against_oracle(
    spark: SparkSession, random: Random, histories: Sequence[History], sizes: Sequence[int | None], *, count: int
) -> None:
    rows = [
        (
            number,
            random.choice([*range(4), None]),
            random.choice(["x", "y", None]),
            None if random.random() < 0.05 else START + HOUR * random.randrange(-5, 90),
        )
        for number in range(count)
    ]
    frame = spark.createDataFrame(rows, "id int, ra bigint, rb string, at timestamp")
    tables = [FeatureTable(one.join, one.frame(spark), size) for one, size in zip(histories, sizes, strict=True)]
    known = random.choice([None, count])
    found = {row["id"]: row for row in join_features(frame, tables, RowTimes("at"), row_count=known).collect()}
    assert len(found) == count
    for number, a, b, at in rows:
        row = found[number]
        assert (row["ra"], row["rb"]) == (a, b)
        for place, history in enumerate(histories):
            value, flag = history.find((a, b), at)
            assert row[ROW_FLAGS_COLUMN] >> 2 * place & 3 == flag, (place, a, b, at)
            if not flag & FLAG_AMBIGUOUS:  # any of several is right: the run is refused
                assert row[f"f{place}"] == value, (place, a, b, at)


@more_examples_in_slow
@given(st.randoms(use_true_random=False), st.lists(st.sampled_from([LARGE, SMALL]), min_size=3, max_size=3))
@hypothesis_settings(max_examples=examples(2, slow=25))
def test_each_row_gets_the_last_value_that_was_known_at_its_time(
    spark: SparkSession, random: Random, sizes: list[int | None]
) -> None:
    histories = [random_history(random, number, rows=random.choice([0, 3, 250])) for number in range(3)]
    check_against_oracle(spark, random, histories, sizes, count=250)


def joined_values(rows: DataFrame, tables: Sequence[FeatureTable], times: RowTimes) -> list[list[Any]]:
    """What the rows get, by id, without the flags."""
    found = join_features(rows, tables, times).orderBy("id").collect()
    return [list(row)[len(rows.columns) : -1] for row in found]


@pytest.mark.parametrize("size", [LARGE, SMALL])
def test_times_without_a_zone_never_let_a_row_see_what_is_later(spark: SparkSession, size: int | None) -> None:
    """At 2013-11-03 02:00 clocks in New York go back to 01:00: 01:30 is 05:30 and 06:30 in UTC."""
    rows = spark.sql(
        "SELECT id, 'JFK' AS k, at FROM VALUES (1, TIMESTAMP '2013-11-03 05:45:00Z'),"
        " (2, TIMESTAMP '2013-11-03 06:29:59.999999Z'), (3, TIMESTAMP '2013-11-03 06:30:00Z'),"
        " (4, TIMESTAMP '2013-11-02 03:59:59Z'), (5, TIMESTAMP '2013-11-02 04:00:00Z') AS t(id, at)"
    )
    walls = spark.sql("SELECT 'JFK' AS k, TIMESTAMP_NTZ '2013-11-03 01:30:00' AS t, 'wall' AS wall")
    days = spark.sql("SELECT 'JFK' AS k, DATE '2013-11-02' AS t, 'day' AS day")
    wall = FeatureJoin("walls", (("k", "k"),), "t", (("wall", "wall"),), timezone="America/New_York")
    day = FeatureJoin("days", (("k", "k"),), "t", (("day", "day"),), timezone="America/New_York")
    tables = [FeatureTable(wall, walls, size), FeatureTable(day, days, size)]
    expected = [[None, "day"], [None, "day"], ["wall", "day"], [None, None], [None, "day"]]
    assert joined_values(rows, tables, RowTimes("at")) == expected
    # of a row that says 01:30 nobody knows which one it is: the first one
    local = rows.where("id = 3").withColumn("at", F.expr("TIMESTAMP_NTZ '2013-11-03 01:30:00'"))
    assert joined_values(local, tables, RowTimes("at", "America/New_York")) == [[None, "day"]]


def test_tables_of_one_key_share_a_shuffle_and_small_ones_need_none(spark: SparkSession) -> None:
    rows = spark.range(9).selectExpr("id", "id % 3 AS k", "id % 2 AS j", "timestamp_seconds(id) AS at")
    values = spark.range(9).selectExpr("id AS k", "timestamp_seconds(0) AS t", "id * 2 AS v")

    def count_shuffles(*joined: tuple[str, int | None], row_count: int | None = None) -> int:
        tables = [
            FeatureTable(FeatureJoin("t", ((key, "k"),), "t", ((f"f{place}", "v"),)), values, size)
            for place, (key, size) in enumerate(joined)
        ]
        frame = join_features(rows, tables, RowTimes(as_of_us=10**7), row_count=row_count)
        return str(frame._jdf.queryExecution().executedPlan().toString()).count("Exchange")

    assert count_shuffles(("k", LARGE), ("k", LARGE)) == 1
    assert count_shuffles(("k", LARGE), ("j", LARGE), ("k", SMALL)) == 2
    assert count_shuffles(("k", SMALL), ("j", SMALL)) == 0
    assert count_shuffles(("k", LARGE), ("j", LARGE), row_count=9) == 0


def test_values_that_no_row_can_get_are_not_read(spark: SparkSession, tmp_path: Path) -> None:
    """Each day of values is a file of its own; rows of two days, and a time to live of one, need three files."""
    values = spark.range(0, 24, 1, 8).selectExpr(
        "id AS k", "timestamp_seconds(id div 3 * 86400 + id % 3) AS t", "id AS v"
    )
    values.write.format("delta").save(str(tmp_path / "values"))
    join = FeatureJoin("values", (("k", "k"),), "t", (("f", "v"),), known_at="t", ttl_us=86_400_000_000)
    table = FeatureTable(join, spark.read.format("delta").load(str(tmp_path / "values")))
    needed = load_values(table, TimeRange(4 * 86_400_000_000 + 5, 5 * 86_400_000_000 + 5))
    assert len(needed.inputFiles()) == 3
    assert {row["day"] for row in needed.selectExpr("time div 86400000000 AS day").collect()} == {3, 4, 5}
    assert load_values(table, None).collect() == []


def test_a_key_with_most_rows_and_rows_without_a_key_get_their_values(spark: SparkSession) -> None:
    rows = spark.range(20_000).selectExpr(
        "id", "CASE WHEN id % 10 = 0 THEN NULL WHEN id % 50 = 1 THEN id ELSE 7 END AS k", "timestamp_seconds(id) AS at"
    )
    values = spark.range(100).selectExpr("7L AS k", "timestamp_seconds(id * 200) AS t", "id AS v")
    table = FeatureTable(FeatureJoin("t", (("k", "k"),), "t", (("f", "v"),)), values)
    joined = join_features(rows, [table], RowTimes("at"))
    wrong = joined.where("NOT (f <=> CASE WHEN k = 7 THEN id div 200 END)").count()
    assert (wrong, joined.where("f IS NOT NULL").count()) == (0, 20_000 - 2_000 - 400)
