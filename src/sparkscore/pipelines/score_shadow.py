"""Scores beside production, into a table that nobody reads, and compares the predictions with production's."""

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkscore.errors import MONITORING_BREACH, ConfigError, PinsConflict, TemporaryError
from sparkscore.lifecycle import list_publications
from sparkscore.monitor.comparison.prediction_cells import read_cells
from sparkscore.monitor.drift_detection import measure_drifts
from sparkscore.monitor.report.shadow import shadow_page
from sparkscore.pipelines.comparison.paired_rows import describe_cells, pair_prediction_frames, sum_cells
from sparkscore.pipelines.comparison.shadow_limits import judge_shadow
from sparkscore.pipelines.score import score
from sparkscore.pipelines.shared.attempt_inputs import refuse_default_home
from sparkscore.pipelines.shared.report_codec import SUPERSEDED_BY, model_of_pins
from sparkscore.pipelines.shared.reported_failures import attach_report_to_failures
from sparkscore.pipelines.shared.run_history import advise_on_error
from sparkscore.pipelines.shared.run_pages import report_folder
from sparkscore.pipelines.shared.shadow_job import to_shadow_settings
from sparkscore.pipelines.shared.timed_work import ReportedWork
from sparkscore.records import (
    FOLLOW_UP_EVENTS,
    ComparedPredictions,
    ProgressReporter,
    RunEvent,
    RunReport,
    ShadowReport,
    ShadowSide,
    parse_as_of,
    to_utc_text,
)
from sparkscore.schemas import CHAMPION_RUN_COLUMN
from sparkscore.settings import Settings
from sparkscore.spark.isolated_session import create_run_session
from sparkscore.store.guarded_writes import as_of_condition
from sparkscore.store.hadoop_folders import write_text_file
from sparkscore.store.run_events import load_events
from sparkscore.store.table import Table
from sparkscore.store.table_growth import JOB_PROPERTY

log = structlog.get_logger("sparkscore")

_AGAIN_ADVICE = "run it again with --restart, when no other shadow of this as_of runs"


def score_shadow(
    spark: SparkSession,
    settings: Settings,
    *,
    as_of: str | datetime,
    restart: bool = False,
    progress: ProgressReporter | None = None,
) -> ShadowReport:
    """Score an as_of that production has published once more, beside it, and compare; production stays as it is.

    A shadow reads the version of the source that production has read. It scores anew each time, since the code may be
    another one; one that did not end is continued, unless `restart`.

    Jobs:    those of `score`; one that joins both tables and sums.
    Raises:  as `score`; ConfigError where production has not published the as_of; PinsConflict or TemporaryError where
             another shadow of the as_of has taken this one's place meanwhile.
    """
    run = _ShadowRun.open(spark, settings, as_of)
    with attach_report_to_failures("scoring a shadow", run.fail):
        published = run.find_publication()
        made = run.score_rows(published, restart=restart, progress=progress)
        run.compare_rows(published, made)
        return run.finish()


@dataclass
class _ShadowRun(ReportedWork[ShadowReport]):
    """One shadow beside one publication."""

    spark: SparkSession
    settings: Settings
    moment: datetime
    production: Table
    report: ShadowReport
    started: float = field(default_factory=time.monotonic)

    @classmethod
    def open(cls, spark: SparkSession, settings: Settings, as_of: str | datetime) -> "_ShadowRun":
        refuse_default_home(spark, settings.home)
        moment = parse_as_of(as_of) if isinstance(as_of, str) else as_of
        own = create_run_session(spark)
        name = settings.shadow.against or settings.output.table
        production = Table.from_name(own, name, home=settings.home_uri)
        return cls(own, settings, moment, production, ShadowReport(settings.job, to_utc_text(moment), "failed"))

    def find_publication(self) -> RunEvent:
        """What production has published for the as_of.

        Raises:  ConfigError.
        """
        job = self.production.properties.get(JOB_PROPERTY) if self.production.exists() else None
        events = load_events(self.production.sibling("_runs"), job=job, as_ofs=(self.moment,)) if job else []
        published = list_publications(events)
        if not published or published[-1].pins is None:
            raise ConfigError(
                f"{self.production.name} has no published run for {self.report.as_of} to compare with",
                "an as_of that production has published",
                "name one that `sparkscore runs` lists; where output.table is another table, set shadow.against",
            )
        last = published[-1]
        assert last.pins is not None  # noqa: S101  looked at above
        side = _to_side(last, self.production.name)
        self.report = dataclasses.replace(self.report, production=side)
        return last

    def score_rows(
        self, published: RunEvent, *, restart: bool, progress: ProgressReporter | None
    ) -> tuple[Settings, RunReport]:
        """The shadow's run, published into its own table."""
        shadow = to_shadow_settings(self.settings, source_version=self._find_source_version(published))
        table = Table.from_name(self.spark, shadow.output.table, home=shadow.home_uri)
        events = table.sibling("_runs")
        earlier = load_events(events, job=shadow.job, as_ofs=(self.moment,)) if events.exists() else []
        own = [event for event in earlier if event.event not in FOLLOW_UP_EVENTS]
        with self.phase("score"), advise_on_error(_AGAIN_ADVICE, PinsConflict):
            made = score(
                self.spark,
                shadow,
                as_of=self.moment,
                replace=any(event.event == "published" for event in own),
                restart=restart or _is_begun_anew(own),
                progress=progress,
            )
        side = ShadowSide(
            shadow.output.table,
            made.run_id,
            made.model,
            None if made.source is None else made.source.version,
            made.rows_scored,
            made.rows_rejected,
            made.seconds.get("score_and_stage"),
            made.transport,
        )
        self.report = dataclasses.replace(self.report, shadow=side, warnings=(*self.report.warnings, *made.warnings))
        return shadow, made

    def _find_source_version(self, published: RunEvent) -> int | None:
        """That of production's run, where the shadow reads the same table; else as the config says."""
        source = self.settings.source
        if source.is_landed or source.version != "latest" or source.read != "all" or published.pins is None:
            if source.is_landed or source.read != "all":
                self._warn_of_source("the source has no versions, or the run reads changes")
            return None
        ref = Table.from_name(self.spark, source.table, home=self.settings.home_uri)
        if ref.id != published.pins.source_id:
            self._warn_of_source(f"production has scored another table than {source.table}")
            return None
        return published.pins.source_version

    def _warn_of_source(self, why: str) -> None:
        text = f"the shadow's rows may be others than production's: {why}"
        log.warning(text)
        self.report = dataclasses.replace(self.report, warnings=(*self.report.warnings, text))

    def compare_rows(self, published: RunEvent, made: tuple[Settings, RunReport]) -> None:
        """Compare both runs' rows, judge by the limits, write the page.

        Jobs:    one.
        """
        shadow, run = made
        settings = self.settings
        if run.status == "superseded":
            raise TemporaryError(
                f"another shadow of {self.report.as_of} was published in {shadow.output.table} meanwhile",
                "one shadow of an as_of at a time",
                "run it again when the other one has ended",
            )
        if run.run_id is None or run.status == "nothing_to_score":
            rows = published.rows_scored or 0
            self._judge(paired=0, rows=rows)
            return
        mine = self._load_run_rows(self.production, published.run_id)
        table = Table.from_name(self.spark, shadow.output.table, home=shadow.home_uri)
        theirs = self._load_run_rows(table, run.run_id).withColumn(CHAMPION_RUN_COLUMN, F.lit(published.run_id))
        self._require_keys(mine)
        segments = [name for name in settings.performance_segments if name in mine.columns]
        pairs = pair_prediction_frames(mine, theirs, settings.output_keys, segments, settings.performance.prediction)
        layout = describe_cells(pairs)
        with self.phase("compare"):
            found = read_cells(sum_cells(pairs, layout, segments), layout)
        drifts = measure_drifts(
            found.challenger,
            found.champion,
            drift_type="BASELINE",
            against="production's predictions",
            limits=settings.drift,
        )
        overall = found.agreements[0]
        self.report = dataclasses.replace(self.report, agreement=overall, segments=found.agreements[1:], drifts=drifts)
        self._judge(paired=overall.rows, rows=published.rows_scored or 0)
        self._write_page(found)

    def _load_run_rows(self, table: Table, run_id: str | None) -> DataFrame:
        return table.load_rows().where(as_of_condition(self.moment)).where(F.col("run_id") == F.lit(run_id))

    def _require_keys(self, mine: DataFrame) -> None:
        missing = [name for name in self.settings.output_keys if name not in mine.columns]
        if missing:
            raise ConfigError(
                f"{self.production.name} has no column {', '.join(missing)}, by which rows are compared",
                f"the same keys: it has {', '.join(mine.columns[:30])}",
                "compare with a table of the same keys: output.table or shadow.against",
            )

    def _judge(self, *, paired: int, rows: int) -> None:
        scored = self.report.shadow.rows if self.report.shadow is not None else None
        rules = judge_shadow(self.report.agreement, self.settings.shadow, paired=paired, rows=rows)
        self.report = dataclasses.replace(
            self.report,
            status="compared",
            only_production=max(rows - paired, 0),
            only_shadow=max((scored or 0) - paired, 0),
            rules=rules,
            exit_code=0 if all(one.held for one in rules) else MONITORING_BREACH,
        )

    def _write_page(self, found: ComparedPredictions) -> None:
        """Beside the job's reports. As `write_text_file`."""
        as_of = (self.report.as_of or "").replace(":", "").removesuffix("T000000Z")
        where = f"{report_folder(self.settings)}/shadow-{as_of}.html"
        self.report = dataclasses.replace(self.report, report=where)
        write_text_file(self.spark, where, shadow_page(self.report, found))

    def finish(self) -> ShadowReport:
        """The report, with its seconds."""
        self.report = dataclasses.replace(self.report, seconds=self.elapsed_seconds)
        return self.report


def _is_begun_anew(events: Sequence[RunEvent]) -> bool:
    """Whether no shadow is left that could go on: the last one was published, overtaken, or failed for good.

    Of the first one, too: what its stage holds then is of a shadow with another table.
    """
    if not events:
        return True
    last = events[-1]
    is_overtaken = last.event == "aborted" and SUPERSEDED_BY in last.parsed_details
    has_failed = last.event == "failed" and last.exit_code != TemporaryError.exit_code
    return last.event == "published" or is_overtaken or has_failed


def _to_side(event: RunEvent, table: str) -> ShadowSide:
    details, pins = event.parsed_details, event.pins
    return ShadowSide(
        table,
        event.run_id,
        None if pins is None else model_of_pins(pins, event.model_id or ""),
        None if pins is None else pins.source_version,
        event.rows_scored,
        event.rows_rejected,
        (details.get("seconds") or {}).get("score_and_stage"),
        details.get("transport"),
    )
