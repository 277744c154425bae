"""Spark jobs that profile: tasks read the files or get the rows, and their states merge on the executors."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from sparkscore.monitor.profile_state import ProfileMerger, ProfileRequest, ProfileState
from sparkscore.monitor.state_merge import partition_state
from sparkscore.records import FileScan
from sparkscore.spark.scan_summaries import count_scan_tasks, map_scan_rows
from sparkscore.spark.session_kind import count_frame_partitions

_MAX_DRIVER_BYTES = 64 << 20
"""States that may be greater together are merged by further tasks first, each of them some slices."""
_SUMMARY_BYTES, _SLICE_SUMMARY_BYTES = 6_200, 1_600
"""Of one column in a state, without texts."""
_MAX_MERGE_TASKS = 64
_UNKNOWN_TASKS = 1000
"""Over Connect, where a frame does not say how many tasks compute it: more than most have."""
_PART_SCHEMA = pa.schema([("task", pa.int32()), ("bucket", pa.int32()), ("state", pa.binary())])


def profile_files(spark: SparkSession, files: FileScan, request: ProfileRequest) -> bytes:
    """The merged state of files that tasks read themselves.

    Jobs:    one Spark job; a stage more where the states of all tasks together are large.
    Raises:  what reading raises: ScanUnsupported, ConfigError.
    """
    if not files.splits:
        return ProfileMerger().to_bytes()
    buckets = count_merge_tasks(request, count_scan_tasks(spark, files))
    return _merge_task_parts(map_scan_rows(spark, files, _RowProfiler(request, buckets), _PART_SCHEMA), buckets)


def profile_rows(rows: DataFrame, request: ProfileRequest) -> bytes:
    """The merged state of a frame's rows, which pass through Spark.

    Jobs:    one Spark job; a stage more, which merges, where there are many slices.
    """
    buckets = count_merge_tasks(request, count_frame_partitions(rows, unknown=_UNKNOWN_TASKS))
    return _merge_task_parts(rows.mapInArrow(_RowProfiler(request, buckets), from_arrow_schema(_PART_SCHEMA)), buckets)


def count_merge_tasks(request: ProfileRequest, tasks: int) -> int:
    """How many tasks merge the states of others; 0 where the driver can hold all of them."""
    slices = len(request.segments) * request.max_state_slices
    greatest = tasks * len(request.columns) * (_SUMMARY_BYTES + slices * _SLICE_SUMMARY_BYTES)
    return 0 if greatest <= _MAX_DRIVER_BYTES else min(_MAX_MERGE_TASKS, 1 + greatest // _MAX_DRIVER_BYTES)


def _merge_task_parts(parts: DataFrame, buckets: int) -> bytes:
    """The state of all parts, in the order of tasks: the same whenever Spark delivers them."""
    merged = parts.repartition(buckets, "bucket").mapInArrow(_merge_parts, parts.schema) if buckets else parts
    return _merge_table(merged.toArrow())


@dataclass(frozen=True, slots=True)
class _RowProfiler:
    """Profiles the rows of a task: a part of its state per bucket."""

    request: ProfileRequest
    buckets: int

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        state = self.request.start()
        for batch in batches:
            state.add(batch)
        yield from _to_parts(state, self.buckets)


def _to_parts(state: ProfileState, buckets: int) -> Iterator[pa.RecordBatch]:
    from pyspark import TaskContext

    context = TaskContext.get()
    task = 0 if context is None else context.partitionId()
    for bucket, part in enumerate(partition_state(state.to_bytes(), max(buckets, 1))):
        yield pa.record_batch([[task], [bucket], [part]], schema=_PART_SCHEMA)


def _merge_parts(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    found = pa.Table.from_batches(batches, _PART_SCHEMA)
    if found.num_rows:
        bucket = found["bucket"][0].as_py()
        yield pa.record_batch([[0], [bucket], [_merge_table(found)]], schema=_PART_SCHEMA)


def _merge_table(parts: pa.Table) -> bytes:
    merger = ProfileMerger()
    for state in parts.sort_by([("bucket", "ascending"), ("task", "ascending")])["state"]:
        merger.add(state.as_py())
    return merger.to_bytes()
