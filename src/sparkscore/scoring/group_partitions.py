"""Brings rows together by the model of their group: small groups share a partition, a large one is split over several.

Runs on the driver.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkscore.scoring.grouped_rows import PLACE_COLUMN
from sparkscore.spark.active_session import create_frame
from sparkscore.spark.identifiers import quote_identifier

_WAVES = 3
"""Partitions of a slot: the last ones even out what was judged wrongly."""
_LOAD_ROWS = 5_000
"""A load of a small model takes as long as so many rows: partitions of many tiny groups are not full of rows."""
_LEAST_ROWS = 20_000
"""Of a partition: a task for less is not worth its start."""
_FIRST_COLUMN, _PIECES_COLUMN, _TASK_COLUMN = "_sparkscore_first", "_sparkscore_pieces", "_sparkscore_task"
_GROUP_COLUMN = "_sparkscore_group_"


@dataclass(frozen=True, slots=True)
class GroupPartitions:
    """In which partitions the rows of each model are."""

    count: int
    spans: Mapping[int, tuple[int, int]]
    """Of the model at each place: the first partition, and over how many its rows are spread."""


def plan_group_partitions(rows: Mapping[int, int], *, slots: int) -> GroupPartitions:
    """Partitions of about the same work; models in order, so that one follows the other in a partition.

    Needs:   `rows` of the model at each place.
    """
    work = sum(rows.values()) + _LOAD_ROWS * len(rows)
    wanted = max(_LEAST_ROWS, -(-work // (slots * _WAVES)))
    spans, partition, filled = dict[int, tuple[int, int]](), 0, 0
    for place in sorted(rows):
        pieces = -(-rows[place] // wanted)
        weight = _LOAD_ROWS + rows[place]
        if filled and filled + weight > wanted + _LOAD_ROWS:
            partition, filled = partition + 1, 0
        spans[place] = (partition, max(1, pieces))
        partition, filled = (partition + pieces, 0) if pieces > 1 else (partition, filled + weight)
    return GroupPartitions(partition + bool(filled) or 1, spans)


def bring_groups_together(
    frame: DataFrame,
    groups: Sequence[Column],
    places: Mapping[tuple[str, ...], int],
    partitions: GroupPartitions,
    *,
    keys: Sequence[str],
) -> DataFrame:
    """The frame with `PLACE_COLUMN`, its rows in these partitions, sorted by it; NULL for groups without a model.

    Which partition a row is in follows from the row alone: a task that is tried again finds the same rows.

    Needs:   `groups`, the texts that `places` tells groups by.
    Jobs:    none; one shuffle, and a broadcast of `places`.
    """
    names = tuple(f"{_GROUP_COLUMN}{number}" for number in range(len(groups)))
    known = create_frame(frame.sparkSession, _to_place_table(names, places, partitions))
    joined = frame.withColumns(dict(zip(names, groups, strict=True))).join(F.broadcast(known), list(names), "left")
    spread = F.xxhash64(*(F.col(quote_identifier(key)) for key in keys))
    task = F.coalesce(
        F.col(_FIRST_COLUMN) + F.pmod(spread, F.col(_PIECES_COLUMN)), F.pmod(spread, F.lit(partitions.count))
    )
    own = [F.col(quote_identifier(name)) for name in frame.columns]
    placed = joined.select(*own, PLACE_COLUMN, task.cast("int").alias(_TASK_COLUMN))
    if hasattr(placed, "repartitionById"):
        together = placed.repartitionById(partitions.count, F.col(_TASK_COLUMN))
    else:  # before Spark 4.1: two of them may share a task
        together = placed.repartition(partitions.count, F.col(_TASK_COLUMN))
    return together.sortWithinPartitions(PLACE_COLUMN).drop(_TASK_COLUMN)


def _to_place_table(
    names: Sequence[str], places: Mapping[tuple[str, ...], int], partitions: GroupPartitions
) -> pa.Table:
    known = [(group, place, *partitions.spans[place]) for group, place in places.items() if place in partitions.spans]
    columns = {name: pa.array([group[at] for group, *_ in known], pa.string()) for at, name in enumerate(names)}
    numbers = {PLACE_COLUMN: 1, _FIRST_COLUMN: 2, _PIECES_COLUMN: 3}
    columns |= {name: pa.array([row[at] for row in known], pa.int32()) for name, at in numbers.items()}
    return pa.table(columns)
