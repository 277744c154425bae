"""Deleted rows as Delta's own library writes them are the rows that the scan leaves out."""

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from sparkscore.ingest.roaring_bitmap import BitmapDamaged, RoaringBitmap

STARTS = (0, 1, 65_530, 131_072, 5_000_000)
RANGES = st.lists(st.tuples(st.sampled_from(STARTS), st.integers(0, 70_000), st.integers(1, 70_000)), max_size=4)
POSITIONS = st.lists(
    st.tuples(st.sampled_from([0, 60_000, 4_294_967_000, 1 << 40]), st.integers(0, 6_000)), max_size=60
)


def serialize_by_delta(spark: SparkSession, ranges: list[range], positions: list[int], *, runs: bool) -> bytes:
    """By the class that Delta writes them with."""
    jvm: Any = spark._jvm
    package = jvm.org.apache.spark.sql.delta.deletionvectors
    bitmap = package.RoaringBitmapArray()
    for one in ranges:
        bitmap.addRange(jvm.scala.runtime.RichInt(one.start).until(one.stop))
    for position in positions:
        bitmap.add(position)
    if runs:
        bitmap.runOptimize()
    return bytes(bitmap.serializeAsByteArray(package.RoaringBitmapArrayFormat.Portable()))


@settings(max_examples=40, deadline=None)
@given(
    drawn=RANGES,
    positions=POSITIONS,
    runs=st.booleans(),
    cut=st.tuples(st.integers(0, 200_000), st.integers(0, 90_000)),
)
def test_positions_are_those_that_delta_wrote(
    spark: SparkSession,
    drawn: list[tuple[int, int, int]],
    positions: list[tuple[int, int]],
    runs: bool,
    cut: tuple[int, int],
) -> None:
    ranges = [range(start + more, start + more + length) for start, more, length in drawn]
    single = [sum(position) for position in positions]
    bitmap = RoaringBitmap(serialize_by_delta(spark, ranges, single, runs=runs))
    expected = {*single}.union(*ranges)
    assert bitmap.cardinality == len(expected)
    for first in (0, cut[0], 4_294_966_000, (1 << 40) - 7):
        last = first + cut[1]
        found = (np.flatnonzero(bitmap.mask(first, last)) + first).tolist()
        assert found == sorted(one for one in expected if first <= one < last)


@pytest.fixture(scope="module")
def written(spark: SparkSession) -> bytes:
    """A run, a bitset and an array."""
    every_third = list(range(65_536, 95_536, 3))
    return serialize_by_delta(spark, [range(10, 60_000)], [*every_third, 140_000], runs=True)


def test_each_kind_of_container_is_read(written: bytes) -> None:
    bitmap = RoaringBitmap(written)
    assert sorted(one.kind for one in bitmap._containers.values()) == ["array", "bitset", "runs"]
    assert bitmap.cardinality == 59_990 + 10_000 + 1
    assert np.flatnonzero(bitmap.mask(139_990, 150_000)).tolist() == [10]


def test_bytes_that_are_cut_short_or_changed_are_damaged(written: bytes) -> None:
    for end in (*range(60), len(written) - 1):
        with pytest.raises(BitmapDamaged):
            RoaringBitmap(written[:end])
    with pytest.raises(BitmapDamaged, match="bytes too many"):
        RoaringBitmap(written + b"\0")
    with pytest.raises(BitmapDamaged, match="magic number"):
        RoaringBitmap(struct.pack("<i", 1681511376) + written[4:])
