"""Holds predictions against their truth: late labels joined with what was published, into `<table>_performance`."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError, PublishConflict
from sparkscore.monitor.quality.evaluation_windows import select_windows
from sparkscore.pipelines.evaluation.evaluation_plan import EvaluationPlan
from sparkscore.pipelines.evaluation.evaluation_run import EvaluationRun
from sparkscore.pipelines.evaluation.performance_judging import (
    build_performance_rows,
    find_deciding_rows,
    judge_performance,
)
from sparkscore.pipelines.evaluation.performance_notices import load_validations, tell_about_performance
from sparkscore.pipelines.evaluation.realised_quality import measure_realised_quality
from sparkscore.pipelines.shared.reported_failures import attach_report_to_failures
from sparkscore.records import EvaluationReport, LabelCounts, PerformanceRow, parse_as_of, to_utc_text
from sparkscore.settings import Settings
from sparkscore.store.performance_table import load_performance, replace_performance
from sparkscore.store.run_events import load_run_index
from sparkscore.store.table_growth import check_table_owner, list_former_jobs

_TRIES = 3
"""Of the commit, where another evaluation was faster."""


def evaluate(
    spark: SparkSession,
    settings: Settings,
    *,
    as_of: str | datetime | None = None,
    first: str | datetime | None = None,
    last: str | datetime | None = None,
    now: datetime | None = None,
) -> EvaluationReport:
    """Evaluate the windows that hold an as_of, or all that overlap the times from `first` to `last`, or all.

    A second call with the same truths and publications does nothing and returns the same exit code. When truths come
    or change, the rows of their windows are replaced. `now` is the time until which truths are known.

    Grain:   the performance table holds one row per (window, granularity, model, version, segment, its value).
    Jobs:    two over predictions and truths, with two classes one more over predictions; one that replaces rows, none
             where all are new.
    Raises:  ConfigError, TableNotFound, ForeignTable, AccessDenied, PublishConflict; the error's report says how far
             it came.
    """
    run = EvaluationRun.open(spark, settings, now=now or datetime.now(UTC))
    with attach_report_to_failures("evaluating the job", run.fail):
        with run.phase("pin"):
            plan = _plan_windows(run, _to_range(as_of, first, last))
        for _ in range(_TRIES):
            outcome = _evaluate_once(run, plan)
            if outcome is not None:
                return outcome
        raise PublishConflict(
            f"other evaluations committed to {run.table.name} first {_TRIES} times", "no conflict", "run it again"
        )


def _to_range(
    as_of: str | datetime | None, first: str | datetime | None, last: str | datetime | None
) -> tuple[datetime | None, datetime | None]:
    if as_of is not None and (first is not None or last is not None):
        raise ConfigError("--as-of beside --from or --to", "one of them", "leave one out")
    begin, end = (None if one is None else parse_as_of(one) for one in (as_of or first, as_of or last))
    if begin is not None and end is not None and end < begin:
        raise ConfigError(
            f"--to {to_utc_text(end)} is before --from {to_utc_text(begin)}", "a range of times", "exchange them"
        )
    return begin, end


def _plan_windows(run: EvaluationRun, span: tuple[datetime | None, datetime | None]) -> EvaluationPlan:
    settings, runs = run.settings, run.runs_table
    plan = EvaluationPlan.open(run.spark, settings, now=run.now)
    check_table_owner(plan.predictions, job=settings.job)
    published = {key.as_of: key.run_id for key in load_run_index(runs, job=settings.job).publications}
    size, granularity = settings.labels.window_size, settings.labels.window
    windows = select_windows(published, size=size, granularity=granularity, first=span[0], last=span[1])
    if published and not windows:
        raise ConfigError(
            "nothing is published for the times that are asked for",
            f"as_ofs from {to_utc_text(min(published))} to {to_utc_text(max(published))}",
            "correct --as-of, --from and --to; `runs` lists the as_ofs",
        )
    run.report = replace(run.report, labels_version=plan.labels_version)
    return replace(plan, windows=windows, runs=published)


def _evaluate_once(run: EvaluationRun, plan: EvaluationPlan) -> EvaluationReport | None:
    """The report; None where another evaluation has committed meanwhile."""
    if not plan.windows:
        return run.finish("nothing_published", (), ())
    after = run.table.refresh().load_newest_version() if run.table.exists() else -1
    stored = load_performance(run.table, job=run.settings.job)
    current = {(row.start, row.granularity): row.window_id for row in stored}
    due = {
        window: as_ofs
        for window, as_ofs in plan.windows.items()
        if current.get((window.start, window.granularity)) != plan.window_id(window, as_ofs)
    }
    run.report = replace(run.report, windows_unchanged=len(plan.windows) - len(due))
    selected = {(window.start, window.granularity) for window in plan.windows}
    if not due:
        own = [row for row in stored if (row.start, row.granularity) in selected]
        run.report = replace(run.report, labels=None, windows_evaluated=0, rows_written=0)
        return run.finish("nothing_new", own, find_deciding_rows(plan, own))
    rows = _measure_windows(run, replace(plan, windows=due), stored)
    with run.phase("store"):
        if rows and not _store_rows(run, plan, rows, after):
            return None
    replaced = {(window.start, window.granularity) for window in due}
    kept = [row for row in stored if (row.start, row.granularity) in selected - replaced]
    deciding = find_deciding_rows(plan, [*kept, *rows])
    tell_about_performance(run, rows, deciding)
    return run.finish("evaluated" if rows else "nothing_new", [*kept, *rows], deciding)


def _measure_windows(
    run: EvaluationRun, plan: EvaluationPlan, stored: Sequence[PerformanceRow]
) -> list[PerformanceRow]:
    with run.phase("measure"):
        slices, labels = measure_realised_quality(plan)
    if labels.invalid and labels.rows == labels.nulls + labels.invalid + labels.of_future:
        run.warn(_describe_unusable_truths(plan, labels))
    at = datetime.now(UTC)
    rows = [replace(row, evaluated_at=at) for row in build_performance_rows(plan, slices, labels, stored)]
    models = sorted({(row.model_name, row.model_version) for row in rows})
    rows = judge_performance(plan, rows, stored, load_validations(run, models))
    evaluated = {(row.start, row.model_name, row.model_version) for row in rows}
    run.report = replace(run.report, labels=labels, windows_evaluated=len(evaluated), rows_written=len(rows))
    return rows


def _describe_unusable_truths(plan: EvaluationPlan, labels: LabelCounts) -> str:
    do = "labels.positive says which value is the positive one" if plan.problem == "binary" else "correct labels.truth"
    kind = "0, 1, true or false" if plan.problem == "binary" else "a finite number"
    column = plan.settings.labels.truth
    return (
        f"none of the {labels.rows:,} rows of {plan.labels.name} has a truth that counts: {labels.invalid:,} of them"
        f" have something else than {kind} in {column}; {do}"
    )


def _store_rows(run: EvaluationRun, plan: EvaluationPlan, rows: Sequence[PerformanceRow], after: int) -> bool:
    """Whether these very rows are in the table: Delta skips the commit where another evaluation was faster."""
    job = run.settings.job
    names = (*list_former_jobs(run.runs_table, plan.predictions), job)
    replace_performance(run.table, rows, job=job, guard_name=names[0], after=after)
    found = {(one.start, one.granularity): one for one in load_performance(run.table.refresh(), job=job)}
    run.report = replace(run.report, table_version=run.table.load_newest_version())
    wanted = {(one.start, one.granularity): one for one in rows}
    return all(key in found and found[key].evaluated_at == one.evaluated_at for key, one in wanted.items())
