"""One micro-batch, one publication: pinned as_of, landed rows, and from then on a run as every other."""

import time
from dataclasses import dataclass, field

from sparkscore.errors import ExportFailed, VersionGone
from sparkscore.pipelines.score import score_attempt
from sparkscore.pipelines.shared.run_attempt import Attempt, StandbyModel
from sparkscore.pipelines.shared.run_history import advise_on_error
from sparkscore.pipelines.streaming.batch_landing import land_batch
from sparkscore.pipelines.streaming.batch_queue import OfferedBatch
from sparkscore.pipelines.streaming.source_watch import SourceWatch
from sparkscore.pipelines.streaming.stream_job import StreamJob
from sparkscore.records import MicroBatch, Pins, RunReport
from sparkscore.settings import Settings
from sparkscore.settings.monitor_settings import ProfileSettings, SlaSettings
from sparkscore.spark.accumulator_registry import AccumulatorUpkeep
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.store.stream_checkpoint import StreamCheckpoint

_GONE_ADVICE = (
    "restore the files; or go on without these rows: --new-checkpoint with --stream.starting_version; keep files for"
    " longer than the stream stands still (delta.deletedFileRetentionDuration)"
)
_ASK_AGAIN_S = 60.0
"""While the registry does not answer, one micro-batch in so many seconds asks it: each question takes ten."""


@dataclass(slots=True)
class RegistryPatience:
    """How long micro-batches go on with the last model while the registry does not answer."""

    limit_s: float
    pins: Pins | None = None
    """Of the last micro-batch that was published."""
    _silent_since: float | None = None
    _asked_at: float = 0.0

    def choose_standby(self) -> StandbyModel | None:
        """The model to go on with; None where there is none, or where the registry was silent for too long."""
        now = time.monotonic()
        if self.pins is None or (self._silent_since is not None and now - self._silent_since > self.limit_s):
            return None
        return StandbyModel(self.pins, self._silent_since is None or now - self._asked_at > _ASK_AGAIN_S)

    def note_answer(self, attempt: Attempt) -> None:
        """Remember whether the registry has answered this attempt, if it was asked."""
        standby, now = attempt.standby, time.monotonic()
        if standby is not None and not standby.asks_registry:
            return
        self._asked_at = now
        if attempt.used_standby:
            self._silent_since = self._silent_since or now
        else:
            self._silent_since = None


@dataclass(slots=True)
class BatchPublisher:
    """Publishes the micro-batches of one stream, one after the other, in one thread."""

    job: StreamJob
    checkpoint: StreamCheckpoint
    watch: SourceWatch
    patience: RegistryPatience = field(init=False)
    upkeep: AccumulatorUpkeep = field(default_factory=AccumulatorUpkeep)

    def __post_init__(self) -> None:
        self.patience = RegistryPatience(self.job.settings.stream.registry_outage_minutes * 60)

    def publish(self, batch: OfferedBatch, *, is_monitored: bool) -> tuple[MicroBatch, RunReport]:
        """The publication of a micro-batch; of one that an earlier stream has published, its report.

        Raises:  what `score` raises, with its report; VersionGone for rows that are not there any more.
        """
        self.upkeep.mark()
        self.watch.refuse_gap(batch.number)
        earlier = self.job.last_batch
        micro = self.checkpoint.pin_batch(batch.number, after=None if earlier is None else earlier.as_of)
        settings = choose_batch_settings(self.job.settings, is_monitored=is_monitored)
        attempt = Attempt.open(self.job.spark, settings, micro.as_of)
        attempt.standby = self.patience.choose_standby()
        following = self.watch.find_next_version(batch.number)
        facts = {"checkpoint": micro.checkpoint, "number": str(micro.number)}
        facts |= {} if following is None else {"next_version": str(following)}
        reading = f"reading {self.job.source.name} as a stream"
        with advise_on_error(_GONE_ADVICE, VersionGone), translate_spark_errors(reading):
            attempt.landed = land_batch(self.job, attempt, batch.rows, facts, is_new=micro.is_new)
        report = score_attempt(attempt)
        _refuse_failed_export(report)
        if attempt.run is not None:
            self.patience.note_answer(attempt)
            self.patience.pins = attempt.run.pins
        return micro, report


def _refuse_failed_export(report: RunReport) -> None:
    """An export that failed ends the stream: the next start finds the micro-batch published, and makes up for it.

    Raises:  ExportFailed.
    """
    if report.exit_code == ExportFailed.exit_code:
        found = "an export failed" if report.error is None else report.error.message.partition("\n")[0]
        raise ExportFailed(
            f"micro-batch of as_of {report.as_of} is published, and {found}",
            "a target that takes the rows",
            "start the stream again: it makes up for the export, and goes on",
        )


def choose_batch_settings(settings: Settings, *, is_monitored: bool) -> Settings:
    """The settings of a micro-batch's run: gates and exports in each, the rest where it is monitored."""
    own = settings.of_micro_batches()
    if is_monitored:
        return own
    quiet = own.monitor.model_copy(update={"report": False, "mlflow": False})
    return own.model_copy(update={"monitor": quiet, "profile": ProfileSettings(rows="none"), "sla": SlaSettings()})
