"""What tasks of a scan report of the parts that they have scored, and how that reaches the driver."""

import dataclasses
import json
from typing import Any, Protocol

import pyarrow as pa
from pyspark.accumulators import Accumulator, AccumulatorParam
from pyspark.sql import DataFrame, SparkSession

from sparkscore.records import ChallengerPart, ScoredPart, StagedFile
from sparkscore.scoring.counters import Counters
from sparkscore.spark.session_kind import is_connect_session

REPORT_SCHEMA = pa.schema([("report", pa.binary())])
_HEADER = b"sparkscore.report"


class PartReporter(Protocol):
    """A task's side. Pickled into every task."""

    def report_part(self, part: ScoredPart, counters: Counters) -> bytes | None:
        """Report a part, and what was counted since the last report; what the task has to return as a row of it.

        Runs on: executor.
        """


class PartReports(Protocol):
    """The driver's side: what tasks have reported so far, each once, of the first successful attempt of a task."""

    @property
    def reporter(self) -> PartReporter:
        """What tasks report with."""

    def run_tasks(self, frame: DataFrame) -> None:
        """Run the job whose tasks report: rows of `REPORT_SCHEMA`."""

    def take_new_reports(self) -> list[ScoredPart]:
        """What tasks have reported since the last call."""


def open_part_reports(spark: SparkSession, counters: Counters) -> PartReports:
    """Reports by an accumulator, which has them as soon as a task ends; over Connect as rows of the job's result."""
    return StreamedReports(counters) if is_connect_session(spark) else AccumulatedReports(spark)


class AccumulatedReports:
    """Reports that Spark's accumulators carry, as they carry the counts."""

    def __init__(self, spark: SparkSession) -> None:
        self._reports: Accumulator[list[ScoredPart]] = spark.sparkContext.accumulator([], _ListAppendParam())
        self._taken_count = 0

    @property
    def reporter(self) -> PartReporter:
        """What tasks report with."""
        return AccumulatorReporter(self._reports)

    def run_tasks(self, frame: DataFrame) -> None:
        """Run the job."""
        frame.collect()

    def take_new_reports(self) -> list[ScoredPart]:
        """What tasks have reported since the last call."""
        reports = self._reports.value[self._taken_count :]
        self._taken_count += len(reports)
        return reports


@dataclasses.dataclass(frozen=True, slots=True)
class AccumulatorReporter:
    """Adds to an accumulator."""

    reports: "Accumulator[list[ScoredPart]]"

    def report_part(self, part: ScoredPart, counters: Counters) -> None:
        """Runs on: executor."""
        self.reports.add([part])


class StreamedReports:
    """Reports that come as rows, task by task, in the order of the tasks."""

    def __init__(self, counters: Counters) -> None:
        self._counters, self._new = counters, list[ScoredPart]()

    @property
    def reporter(self) -> PartReporter:
        """What tasks report with."""
        return RowReporter()

    def run_tasks(self, frame: DataFrame) -> None:
        """Run the job: one, whose rows the server sends as they come."""
        for row in frame.toLocalIterator():
            part, counts = decode_part_report(bytes(row["report"]))
            self._counters.add_travelled(counts)
            self._new.append(part)

    def take_new_reports(self) -> list[ScoredPart]:
        """What tasks have reported since the last call."""
        count = len(self._new)
        taken, self._new[:count] = self._new[:count], []
        return taken


@dataclasses.dataclass(frozen=True, slots=True)
class RowReporter:
    """Makes a row of it."""

    def report_part(self, part: ScoredPart, counters: Counters) -> bytes:
        """Runs on: executor."""
        return encode_part_report(part, counters.take_travelling() or "{}")


def encode_part_report(part: ScoredPart, counts: str) -> bytes:
    """A report as bytes of Arrow, whose reader runs no code. Runs on: executor."""
    files = [_file_to_header(file) for file in part.files]
    beside = [{**dataclasses.asdict(one), "files": [*map(_file_to_header, one.files)]} for one in part.challengers]
    header = {**dataclasses.asdict(part), "files": files, "counts": counts, "challengers": beside}
    keys = pa.array([key for file in part.files for key in (file.first, file.last)])
    schema = pa.schema([("key", keys.type)], metadata={_HEADER: json.dumps(header).encode()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as stream:
        stream.write_batch(pa.record_batch([keys], schema=schema))
    return bytes(sink.getvalue())


def decode_part_report(content: bytes) -> tuple[ScoredPart, str]:
    """What `encode_part_report` has encoded."""
    with pa.ipc.open_stream(content) as stream:
        header: dict[str, Any] = json.loads(stream.schema.metadata[_HEADER])
        keys = stream.read_all().column(0).to_pylist()
    counts = header.pop("counts")
    files = tuple(
        StagedFile(**{**file, "first": keys[2 * index], "last": keys[2 * index + 1]})
        for index, file in enumerate(header.pop("files"))
    )
    layout, spans = header.pop("layout"), tuple(map(tuple, header.pop("spans")))
    beside = tuple(
        ChallengerPart(**{**one, "files": tuple(StagedFile(**file) for file in one["files"])})
        for one in header.pop("challengers")
    )
    part = ScoredPart(
        **{**header, "first": tuple(header["first"]), "last": tuple(header["last"]), "spans": spans},
        files=files,
        layout=None if layout is None else (layout[0], layout[1]),
        challengers=beside,
    )
    return part, counts


def _file_to_header(file: StagedFile) -> dict[str, Any]:
    """The file without its keys, which JSON could change."""
    return {**dataclasses.asdict(file), "first": None, "last": None}


class _ListAppendParam(AccumulatorParam[list[Any]]):
    def zero(self, value: list[Any]) -> list[Any]:
        return []

    def addInPlace(self, value1: list[Any], value2: list[Any]) -> list[Any]:  # noqa: N802  Spark's name
        value1.extend(value2)
        return value1
