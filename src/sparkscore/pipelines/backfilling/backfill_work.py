"""A back-fill under way: its session, its plan, and its report, which changes as runs end."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from pyspark.sql import SparkSession

from sparkscore.errors import ErrorSummary, SparkNeeded, SparkscoreError, VersionGone
from sparkscore.pipelines.backfilling.as_of_runs import AsOfRuns
from sparkscore.pipelines.backfilling.backfill_plan import PAST_INCREMENT, JobPast, plan_backfill
from sparkscore.pipelines.backfilling.backfill_request import BackfillRequest, describe_as_ofs
from sparkscore.pipelines.shared.attempt_inputs import refuse_default_home
from sparkscore.records import (
    BackfillChoices,
    BackfilledRun,
    BackfillReport,
    BackfillStatus,
    PlannedAsOf,
    count_statuses,
    most_serious_code,
    to_utc_text,
)
from sparkscore.settings import Settings
from sparkscore.spark.isolated_session import create_isolated_session
from sparkscore.spark.session_settings import TIME_TRAVEL_LIMIT
from sparkscore.store.table import Table

RunListener = Callable[[BackfillReport, BackfilledRun], None]
"""Told of each run as it ends, with what the back-fill has come to."""
_UNPLANNED_STATUS = {"skip": "already_published", "leave_out": "left_out", "missing": "missing"}


@dataclass
class BackfillWork:
    """What is known of a back-fill while it is under way."""

    session: SparkSession | None
    """One that reads versions of the source that are older than Delta's limit of a week."""
    settings: Settings
    target: Table
    report: BackfillReport
    started: float = field(default_factory=time.monotonic)

    @classmethod
    def open(cls, spark: SparkSession | None, settings: Settings) -> "BackfillWork":
        """A back-fill of a job, of which nothing is known yet.

        Raises:  NameRefused; ConfigError for the default home on a cluster.
        """
        own = None if spark is None else create_isolated_session(spark, {TIME_TRAVEL_LIMIT: "false"}, with_files=True)
        if own is not None:
            refuse_default_home(own, settings.home)
        target = Table.from_name(own, settings.output.table, home=settings.home_uri)
        return cls(own, settings, target, BackfillReport(settings.job, "failed", table=target.path or target.name))

    def describe_request(self, as_ofs: Sequence[datetime], every: str, choices: BackfillChoices) -> BackfillRequest:
        """What was asked for, checked; the report says it.

        Raises:  ConfigError.
        """
        self.report = replace(
            self.report,
            first=to_utc_text(as_ofs[0]),
            last=to_utc_text(as_ofs[-1]),
            every=every,
            parallel=choices.parallel,
            as_ofs=len(as_ofs),
        )
        request = BackfillRequest.of(self.settings, as_ofs, choices)
        self.report = replace(self.report, source=request.source_label, model=request.model_label)
        return request

    def plan_as_ofs(self, request: BackfillRequest, *, is_shown_only: bool) -> list[PlannedAsOf]:
        """The as_ofs that need a run; the report has all of them.

        Raises:  as `plan_backfill`; VersionGone for as_ofs without a source version, unless they are to be skipped, or
                 the plan is only shown.
        """
        settings = request.settings
        source = Table.from_name(self.session, settings.source.table, home=settings.home_uri)
        planned = plan_backfill(request, JobPast.load(self.target.sibling("_runs"), request), source)
        runs = [BackfilledRun.of_plan(one, _UNPLANNED_STATUS.get(one.action, "planned")) for one in planned]
        self.report = replace(self.report, runs=tuple(runs), seconds={"plan": self._elapsed_seconds})
        refusal = None if request.choices.skip_missing else _missing_versions_error(planned, settings)
        if refusal is not None and not is_shown_only:
            raise refusal
        if refusal is not None:
            self.report = replace(self.report, warnings=(f"it would end with {refusal.exit_code}: {refusal.found}",))
        left_out = [one.as_of for one in planned if one.action == "leave_out"]
        if left_out:
            text = (
                f"{len(left_out):,} as_ofs are left out: {describe_as_ofs(left_out, request.as_ofs)}: {PAST_INCREMENT}"
            )
            self.report = replace(self.report, warnings=(*self.report.warnings, text))
        return [one for one in planned if one.is_work]

    def make_runs(self, request: BackfillRequest, to_do: Sequence[PlannedAsOf], listener: RunListener | None) -> None:
        """Make the runs; the report has what came of each.

        Raises:  SparkNeeded without a session; an error of the class of the most serious failure.
        """
        if self.session is None:
            raise SparkNeeded(self.settings.job)

        def keep_run(run: BackfilledRun) -> None:
            self._keep_run(run)
            if listener is not None:
                listener(self.report, run)

        runs = AsOfRuns(self.session, request)
        runs.make_runs(to_do, keep_run)
        if runs.errors:
            raise _most_serious_error(runs.errors, len(to_do))

    def finish(self, status: BackfillStatus) -> BackfillReport:
        """The report of a back-fill of which no run has failed."""
        codes = tuple(run.exit_code for run in self.report.runs)
        self.report = replace(self._summed_report, status=status, exit_code=most_serious_code(codes))
        return self.report

    def fail(self, error: SparkscoreError) -> BackfillReport:
        """The report of one that an error ends."""
        summary = ErrorSummary.from_error(error)
        self.report = replace(self._summed_report, status="failed", exit_code=error.exit_code, error=summary)
        return self.report

    def _keep_run(self, run: BackfilledRun) -> None:
        runs = tuple(run if one.as_of == run.as_of else one for one in self.report.runs)
        self.report = replace(self.report, runs=runs)
        self.report = self._summed_report

    @property
    def _summed_report(self) -> BackfillReport:
        """The report with its totals: of the runs that were made now."""
        runs, seconds = self.report.runs, self._elapsed_seconds
        made = [run for run in runs if run.is_made_now]
        scored = sum(run.rows_scored or 0 for run in made)
        return replace(
            self.report,
            counts=count_statuses(runs),
            rows_read=sum(run.rows_read or 0 for run in made),
            rows_scored=scored,
            rows_rejected=sum(run.rows_rejected or 0 for run in made),
            model_loads=sum(run.model_loads or 0 for run in runs),
            rows_per_second=round(scored / max(seconds, 1e-9)) if made else None,
            seconds={**self.report.seconds, "total": seconds},
        )

    @property
    def _elapsed_seconds(self) -> float:
        return round(time.monotonic() - self.started, 3)


def _missing_versions_error(planned: Sequence[PlannedAsOf], settings: Settings) -> VersionGone | None:
    """The error that names all as_ofs without a source version; None where each has one."""
    missing = [one for one in planned if one.action == "missing"]
    if not missing:
        return None
    all_of_them = [one.as_of for one in planned]
    reasons = dict.fromkeys(one.reason for one in missing)
    texts = []
    for reason in reasons:
        mine = [one for one in missing if one.reason == reason]
        versions = sorted({one.source_version for one in mine if one.source_version is not None})
        named = (
            "" if not versions else f", version {versions[0]}" + ("" if len(versions) == 1 else f" to {versions[-1]}")
        )
        texts.append(f"{describe_as_ofs([one.as_of for one in mine], all_of_them)} ({reason}{named})")
    return VersionGone(
        f"{len(missing):,} of {len(planned):,} as_ofs have no version of {settings.source.table} left:"
        f" {'; '.join(texts)}",
        "a readable version of the source for each as_of",
        "--skip-missing back-fills the others, --source-as-it-is scores the source as it is now; for the next time keep"
        " more: delta.logRetentionDuration and delta.deletedFileRetentionDuration of the source",
    )


def _most_serious_error(errors: dict[str, Exception], runs: int) -> SparkscoreError:
    """The error of a back-fill whose runs failed with these: of the class that decides its exit code."""
    known = {
        as_of: error if isinstance(error, SparkscoreError) else SparkscoreError(f"{type(error).__name__}: {error}")
        for as_of, error in sorted(errors.items())
    }
    code = most_serious_code(tuple(error.exit_code for error in known.values()))
    as_of, worst = next((as_of, error) for as_of, error in known.items() if error.exit_code == code)
    return type(worst)(
        f"{len(errors):,} of {runs:,} runs failed; the first of the most serious ones, {as_of}: {worst.found}",
        worst.expected,
        worst.do or "the result line has the error of each; the same command goes on with what is not published",
    )
