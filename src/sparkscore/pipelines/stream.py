"""The source as a stream: micro-batch by micro-batch, each one publication, with the model resident across all."""

import time
from contextlib import suppress
from dataclasses import dataclass

from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from sparkscore.errors import MESSAGE_HIDDEN, GateFailed, SparkscoreError
from sparkscore.ingest.stream_source import open_stream_rows
from sparkscore.pipelines.score import score
from sparkscore.pipelines.streaming.batch_publishing import BatchPublisher
from sparkscore.pipelines.streaming.batch_queue import BatchQueue, OfferedBatch
from sparkscore.pipelines.streaming.checkpoint_opening import choose_stream_source, open_checkpoint
from sparkscore.pipelines.streaming.source_watch import SourceWatch, read_topic_lag
from sparkscore.pipelines.streaming.stream_failures import translate_stream_failure
from sparkscore.pipelines.streaming.stream_job import StreamJob
from sparkscore.pipelines.streaming.stream_tally import StreamTally
from sparkscore.records import ReportedSource, StreamReport, StreamStatus
from sparkscore.settings import Settings
from sparkscore.spark.py4j_errors import Py4JError
from sparkscore.store.stream_checkpoint import StreamCheckpoint

_WAIT_S = 0.2
_TELL_S = 10.0
"""How often a stream without a micro-batch tells how far it is behind."""


def stream(
    spark: SparkSession, settings: Settings, *, max_batches: int | None = None, new_checkpoint: bool = False
) -> StreamReport:
    """Publish what comes from the source, micro-batch by micro-batch, until there is no more or somebody ends it.

    `max_batches` ends it after so many. `new_checkpoint` begins anew: where `stream.starting_version` says.

    Needs:   a classic session.
    Grain:   one as_of for each micro-batch, ascending with it; the prediction table has one row per (keys, as_of).
    Jobs:    per micro-batch one that reads its rows, one that scores them; those of `score` where gates need more.
    Raises:  what `score` raises, with the StreamReport so far as its report; ConfigError for a checkpoint that was
             lost, or is another's; VersionGone where the source has lost rows that were to come.
    """
    job = StreamJob.open(spark, settings)
    checkpoint = open_checkpoint(job, anew=new_checkpoint)
    run = _StreamRun.of(job, checkpoint, max_batches)
    try:
        status = run.follow_source()
        exit_code = run.monitor_last_batch()
    except Exception as error:
        known = error if isinstance(error, SparkscoreError) else translate_stream_failure(job, error)
        if known is None and settings.source.sensitive:
            known = SparkscoreError(type(error).__name__, do=MESSAGE_HIDDEN)
        code = SparkscoreError.exit_code if known is None else known.exit_code
        report = run.tally.finish("failed", exit_code=code, error=known or error)
        if known is None:
            raise
        known.report = report
        raise known from (None if settings.source.sensitive or known is error else error)
    return run.tally.finish(status, exit_code=exit_code or run.exit_code)


@dataclass(slots=True)
class _StreamRun:
    """One call of `stream`."""

    job: StreamJob
    checkpoint: StreamCheckpoint
    publisher: BatchPublisher
    tally: StreamTally
    max_batches: int | None
    _batches: int = 0
    exit_code: int = 0
    """Of a stream that ends without an error: 5 where the monitoring of a micro-batch found drift or a broken rule."""
    _unmonitored: str | None = None
    """The as_of of the last publication that was not monitored."""

    @classmethod
    def of(cls, job: StreamJob, checkpoint: StreamCheckpoint, max_batches: int | None) -> "_StreamRun":
        report = StreamReport(
            job.settings.job,
            "failed",
            trigger=job.settings.stream.trigger,
            checkpoint=checkpoint.root,
            source=ReportedSource(job.source.name, format=job.source.format),
            table=job.target.path or job.target.name,
        )
        watch = SourceWatch(job.source_table, checkpoint)
        tally = StreamTally(report, job.settings.monitor.metrics)
        return cls(job, checkpoint, BatchPublisher(job, checkpoint, watch), tally, max_batches)

    def follow_source(self) -> StreamStatus:
        """Publish micro-batches until Spark's query ends, or enough are published."""
        self._refuse_lost_versions()
        batches = BatchQueue()
        query = self._start_query(batches)
        told = time.monotonic()
        try:
            while query.isActive and not self._is_enough:
                batch = batches.take(seconds=_WAIT_S)
                if batch is not None:
                    self._work_on(batch)
                    told = time.monotonic()
                elif time.monotonic() - told > _TELL_S:
                    self._tell_lag(query)
                    told = time.monotonic()
            if self._is_enough:
                self._await_commit(query)
                return "stopped"
            self._raise_failure(query)
            self._tell_lag(query)
            return "finished"
        finally:
            batches.close()
            with suppress(Py4JError, OSError):  # Spark is gone: nothing is left to stop
                query.stop()

    @property
    def _is_enough(self) -> bool:
        return self.max_batches is not None and self._batches >= self.max_batches

    def _refuse_lost_versions(self) -> None:
        begun = self.checkpoint.list_batches()
        if begun:
            self.publisher.watch.refuse_gap(begun[-1] + 1)

    def _start_query(self, batches: BatchQueue) -> StreamingQuery:
        stream = self.job.settings.stream
        source = choose_stream_source(self.job, self.checkpoint)
        writer = open_stream_rows(self.job.spark, source).writeStream.foreachBatch(batches.offer)
        writer = writer.option("checkpointLocation", self.checkpoint.spark_folder)
        if stream.interval is None:
            return writer.trigger(availableNow=True).start()
        milliseconds = round(stream.interval.total_seconds() * 1000)
        return writer.trigger(processingTime=f"{milliseconds} milliseconds").start()

    def _work_on(self, batch: OfferedBatch) -> None:
        try:
            self._publish_batch(batch)
        except BaseException:
            batch.settle(is_published=False)
            raise
        self._batches += 1
        batch.settle(is_published=True)

    def _publish_batch(self, batch: OfferedBatch) -> None:
        started, watch = time.monotonic(), self.publisher.watch
        period = self.job.settings.stream.monitored_period
        is_monitored = period is not None and (self._batches + 1) % period == 0
        try:
            micro, report = self.publisher.publish(batch, is_monitored=is_monitored)
        except GateFailed as refused:
            if self.job.settings.stream.on_gate_failure != "quarantine":
                raise
            micro = self.checkpoint.pin_batch(batch.number, after=None)
            seconds = time.monotonic() - started
            self.tally.count_quarantined(micro, refused, seconds=seconds, lag=watch.measure_lag(batch.number))
            return
        seconds, lag = time.monotonic() - started, watch.measure_lag(batch.number)
        following = watch.find_next_version(batch.number)
        self.tally.note_source_version(None if following is None else following - 1)
        self.tally.count_batch(micro, report, seconds=seconds, lag=lag)
        self.exit_code = self.exit_code or report.exit_code
        if report.status in ("published", "already_published"):
            self._unmonitored = None if is_monitored else report.as_of

    def _tell_lag(self, query: StreamingQuery) -> None:
        number = self.tally.report.last_batch
        last = max(self.checkpoint.list_batches("commits"), default=None) if number is None else number
        self.tally.note_lag(self.publisher.watch.measure_lag(last) or read_topic_lag(query))

    def _await_commit(self, query: StreamingQuery) -> None:
        """Wait until the checkpoint knows that the last micro-batch is published: Spark begins another one then, or
        waits for rows."""
        until = time.monotonic() + _TELL_S
        while query.isActive and time.monotonic() < until:
            if self.tally.report.last_batch in self.checkpoint.list_batches("commits"):
                return
            time.sleep(_WAIT_S / 4)

    def _raise_failure(self, query: StreamingQuery) -> None:
        failure = query.exception()
        if failure is not None:
            raise failure

    def monitor_last_batch(self) -> int:
        """Monitor the last publication where no micro-batch after it was; the exit code that it leads to."""
        if self._unmonitored is None or not self._is_monitoring_asked:
            return 0
        report = score(self.job.spark, self.job.settings.of_micro_batches(), as_of=self._unmonitored)
        self.tally.add_warnings(report.warnings)
        self.tally.note_monitoring(report)
        return report.exit_code

    @property
    def _is_monitoring_asked(self) -> bool:
        settings = self.job.settings
        watch = settings.monitor
        return settings.profile.rows != "none" or settings.sla.has_rules or watch.report or watch.mlflow
