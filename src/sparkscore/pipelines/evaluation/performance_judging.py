"""Metrics of slices become rows of the performance table: beside what they were, and judged by the limits."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sparkscore.monitor.quality.decay import (
    FIRST_METRICS,
    PerformanceLimits,
    find_best_values,
    find_broken_limits,
    find_decays,
)
from sparkscore.monitor.quality.evaluation_windows import EvaluationWindow
from sparkscore.pipelines.evaluation.evaluation_plan import EvaluationPlan
from sparkscore.pipelines.evaluation.slice_quality import SliceQuality
from sparkscore.records import LabelCounts, PerformanceRow, Quality
from sparkscore.settings.performance_settings import Limits, find_decay_limits, list_metric_limits

ModelVersion = tuple[str, str]
Validation = Mapping[ModelVersion, Mapping[str, float]]


def build_performance_rows(
    plan: EvaluationPlan, slices: Sequence[SliceQuality], labels: LabelCounts, stored: Sequence[PerformanceRow]
) -> list[PerformanceRow]:
    """The rows of the evaluated windows, not judged yet; of the next revision where they are not as stored."""
    windows = {window.start: window for window in plan.windows}
    rows = [_build_row(plan, windows[one.key.start], one, labels) for one in slices]
    before = {_row_key(one): one for one in stored}
    return [_with_revision(row, before.get(_row_key(row))) for row in rows]


def _build_row(
    plan: EvaluationPlan, window: EvaluationWindow, one: SliceQuality, labels: LabelCounts
) -> PerformanceRow:
    as_ofs = plan.windows[window]
    return PerformanceRow(
        start=window.start,
        end=window.end,
        granularity=window.granularity,
        model_name=one.key.model_name,
        model_version=one.key.model_version,
        problem=plan.problem,
        rows=one.rows,
        quality=_hide_classes(one.quality)
        if str(plan.settings.labels.truth) in plan.settings.source.sensitive
        else one.quality,
        null_predictions=one.null_predictions,
        slice_key=one.key.slice_key,
        slice_value=one.key.slice_value,
        threshold=plan.threshold if plan.problem == "binary" else None,
        k=plan.settings.performance.k if plan.problem == "ranking" else None,
        note="; ".join(one.quality.notes),
        runs=tuple(plan.runs[as_of] for as_of in as_ofs),
        window_id=plan.window_id(window, as_ofs),
        labels_table=plan.labels.name,
        labels_version=plan.labels_version,
        labels=labels,
    )


def _hide_classes(quality: Quality) -> Quality:
    """Without the names of classes, which are values of a sensitive column."""
    return replace(quality, classes=())


def _row_key(row: PerformanceRow) -> tuple[object, ...]:
    return row.start, row.granularity, row.model_name, row.model_version, row.slice_key, row.slice_value


def _with_revision(row: PerformanceRow, before: PerformanceRow | None) -> PerformanceRow:
    if before is None:
        return row
    return replace(row, revision=before.revision + (0 if _is_same_result(row, before) else 1))


def _is_same_result(row: PerformanceRow, before: PerformanceRow) -> bool:
    """Whether a new evaluation found what the last one did: then only the version of the truths is another."""
    values = {name: one for name, one in row.quality.measures.items() if one.value is not None}
    return (
        (row.rows, row.labelled, row.runs, row.threshold, row.k) == (
            before.rows, before.labelled, before.runs, before.threshold, before.k
        )
        and values == before.quality.measures
    )  # fmt: skip


def judge_performance(
    plan: EvaluationPlan, rows: Sequence[PerformanceRow], stored: Sequence[PerformanceRow], validation: Validation
) -> list[PerformanceRow]:
    """The rows of whole windows with their decay and the limits that they break; slices as they are."""
    kept = [one for one in stored if not any(_is_same_window(one, row) for row in rows)]
    whole = [one for one in (*kept, *rows) if one.is_whole]
    return [_judge_row(plan, row, whole, validation) if row.is_whole else row for row in rows]


def _judge_row(
    plan: EvaluationPlan, row: PerformanceRow, whole: Sequence[PerformanceRow], validation: Validation
) -> PerformanceRow:
    performance, model = plan.settings.performance, (row.model_name, row.model_version)
    earlier = [
        one
        for one in whole
        if (one.model_name, one.model_version) == model and one.granularity == row.granularity and one.start < row.start
    ]
    best = find_best_values(earlier, min_rows=performance.min_rows)
    row = replace(row, decays=find_decays(row, validation=validation.get(model, {}), best=best))
    reason = _unjudged_reason(plan, row)
    if reason:
        return replace(row, note="; ".join(filter(None, (row.note, reason))))
    first = performance.metrics or FIRST_METRICS[row.problem]
    return replace(
        row,
        breaches=find_broken_limits(row, _to_limits(performance.fail, first)),
        alerts=find_broken_limits(row, _to_limits(performance.alerts, first)),
    )


def _to_limits(limits: Limits, first: tuple[str, ...]) -> PerformanceLimits:
    return PerformanceLimits(list_metric_limits(limits), find_decay_limits(limits, first))


def _unjudged_reason(plan: EvaluationPlan, row: PerformanceRow) -> str:
    least = plan.settings.performance.min_rows
    if row.quality.count < least:
        return f"not judged: {row.quality.count:,} rows with a truth, and performance.min_rows is {least:,}"
    if not plan.is_judged(EvaluationWindow(row.start, row.end, row.granularity)):
        return "not judged yet: more truths are expected (labels.delay)"
    return ""


def is_row_judged(plan: EvaluationPlan, row: PerformanceRow) -> bool:
    """Whether limits were held against a row."""
    return row.is_whole and not _unjudged_reason(plan, row)


def find_deciding_rows(plan: EvaluationPlan, rows: Sequence[PerformanceRow]) -> list[PerformanceRow]:
    """The rows that decide on the exit code and on alerts: of the newest window that was judged, each model version.

    What is older has had its say: one bad week does not fail every later evaluation.
    """
    judged = [row for row in rows if is_row_judged(plan, row)]
    newest = max((row.start for row in judged), default=None)
    return [row for row in judged if row.start == newest]


def _is_same_window(one: PerformanceRow, other: PerformanceRow) -> bool:
    return (one.start, one.granularity) == (other.start, other.granularity)
