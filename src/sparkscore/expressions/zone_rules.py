"""The offsets of a time zone as Spark has them, so that tasks without Spark show the same clock. Runs on the driver."""

from collections.abc import Sequence

import numpy as np
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkscore.expressions.zone_offsets import CYCLE_S, CYCLE_START_S, DAY_S, FIRST_S, ZoneOffsets
from sparkscore.spark.active_session import create_frame

_SHORT_STEP_S = 240
_loaded: dict[str, ZoneOffsets] = {}
"""By name: what a process has asked Spark for."""


def load_zone_offsets(spark: SparkSession, timezone: str) -> ZoneOffsets:
    """The offsets by Spark's own rules, looked for day by day.

    Needs:   a session in UTC.
    Jobs:    three small ones, once per process and zone.
    """
    if timezone not in _loaded:
        days = spark.range(FIRST_S // DAY_S, (CYCLE_START_S + CYCLE_S) // DAY_S, numPartitions=2)
        changes = _collect_changes(days.select((F.col("id") * DAY_S).alias("second")), DAY_S, timezone)
        for outer, step in ((DAY_S, _SHORT_STEP_S), (_SHORT_STEP_S, 1)):
            changes = _collect_changes(
                _cut_steps(spark, [second for second, _ in changes], outer, step), step, timezone
            )
        (first,) = spark.range(1).select(_offset_at(F.lit(FIRST_S), timezone)).first() or (0,)
        found = sorted((second + 1, offset) for second, offset in changes)
        starts, offsets = zip((FIRST_S, first), *found, strict=True)
        _loaded[timezone] = ZoneOffsets(np.array(starts, np.int64), np.array(offsets, np.int64))
    return _loaded[timezone]


def _collect_changes(seconds: DataFrame, step: int, timezone: str) -> list[tuple[int, int]]:
    """The seconds whose offset is another one a step later, and that one."""
    second = F.col("second")
    before, after = _offset_at(second, timezone), _offset_at(second + step, timezone)
    rows = seconds.select(second, before.alias("before"), after.alias("after")).where("before != after").collect()
    return [(row["second"], row["after"]) for row in rows]


def _cut_steps(spark: SparkSession, starts: Sequence[int], outer: int, step: int) -> DataFrame:
    frame = create_frame(spark, [(start,) for start in starts], "start long")
    steps = F.sequence(F.col("start"), F.col("start") + (outer - step), F.lit(step).cast("long"))
    return frame.select(F.explode(steps).alias("second"))


def _offset_at(second: Column, timezone: str) -> Column:
    shown = F.unix_seconds(F.from_utc_timestamp(F.timestamp_seconds(second), timezone))
    return (shown - second).cast("long")
