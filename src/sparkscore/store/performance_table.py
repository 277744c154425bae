"""The table of realised performance: its rows as records, and the one commit that replaces those of some windows."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from sparkscore.performance_schemas import LABEL_COUNT_NAMES, PERFORMANCE_CONTRACT
from sparkscore.records import (
    QUALITY_METRICS,
    CalibrationBin,
    ClassQuality,
    DecayFinding,
    LabelCounts,
    Measure,
    PerformanceRow,
    Quality,
    format_commit_note,
)
from sparkscore.redaction.secret_patterns import mask_secrets
from sparkscore.spark.active_session import create_frame
from sparkscore.spark.sql_texts import text_literal, timestamp_literal
from sparkscore.store.guarded_writes import replace_rows_in_table
from sparkscore.store.small_tables import append_small_rows, ensure_small_table, load_small_table
from sparkscore.store.table import Table
from sparkscore.store.table_growth import check_table_owner


def load_performance(table: Table, *, job: str) -> list[PerformanceRow]:
    """All rows, by window; empty without a table.

    Jobs:    none; a small one where only Spark reaches the table.
    Raises:  ForeignTable.
    """
    if not table.exists():
        return []
    check_table_owner(table, job=job)
    rows = [_from_performance_row(row) for row in load_small_table(table)]
    return sorted(rows, key=lambda one: (one.start, one.end, one.model_version, one.slice_key or ""))


def replace_performance(table: Table, rows: Sequence[PerformanceRow], *, job: str, guard_name: str, after: int) -> None:
    """One commit that puts rows in the place of all rows of their windows; skipped where another evaluation has
    committed since the version `after`, -1 for none: whoever calls it looks again.

    Jobs:    none for windows that are new, else one that rewrites files; or small ones where only Spark writes.
    Raises:  ForeignTable, PublishConflict, AccessDenied.
    """
    ensure_small_table(table, PERFORMANCE_CONTRACT, job=job)
    known = {(one.start, one.granularity) for one in load_performance(table, job=job)}
    data = [_to_performance_row(one) for one in rows]
    guard = (f"sparkscore/{guard_name}/performance", after + 1)
    if not known & {(one.start, one.granularity) for one in rows}:
        append_small_rows(table, PERFORMANCE_CONTRACT, data, guard=guard)
        return
    frame = create_frame(table.spark, pa.Table.from_pylist(data, schema=PERFORMANCE_CONTRACT.schema)).coalesce(1)
    condition = _windows_condition(rows)
    note = format_commit_note({"job": job, "evaluated": len(data)})
    replace_rows_in_table(
        lambda: frame, table, choose_rows=lambda: condition, app_id=guard[0], version=guard[1], note=note
    )


def _windows_condition(rows: Sequence[PerformanceRow]) -> str:
    starts = ", ".join(sorted({timestamp_literal(one.start) for one in rows}))
    granularities = ", ".join(sorted({text_literal(one.granularity) for one in rows}))
    return f"as_of IN ({starts}) AND granularity IN ({granularities})"


def _to_performance_row(one: PerformanceRow) -> dict[str, Any]:
    quality, start = one.quality, one.start.astimezone(UTC)
    measures = [(metric.column, quality.measures.get(metric.name)) for metric in QUALITY_METRICS]
    return {
        "window": {"start": start, "end": one.end.astimezone(UTC)},
        "granularity": one.granularity,
        "model_name": one.model_name,
        "model_version": one.model_version,
        "slice_key": one.slice_key,
        "slice_value": one.slice_value,
        "problem_type": one.problem,
        "count": one.rows,
        "labelled_count": one.labelled,
        "labelled_share": one.labelled_share,
        "null_prediction_count": one.null_predictions,
        **{column: measure.value if measure else None for column, measure in measures},
        "confidence": [
            (column, {"low": measure.low, "high": measure.high})
            for column, measure in measures
            if measure is not None and measure.low is not None
        ],
        "calibration": [_slots_of(one) for one in quality.calibration],
        "classes": [_slots_of(one) for one in quality.classes],
        "threshold": one.threshold,
        "k": one.k,
        "decay": [_slots_of(one) for one in one.decays],
        "breaches": list(one.breaches),
        "alerts": list(one.alerts),
        "note": one.note or None,
        "run_ids": list(one.runs),
        "window_id": one.window_id,
        "revision": one.revision,
        "labels_table": mask_secrets(one.labels_table),
        "labels_version": one.labels_version,
        "labels": {name: getattr(one.labels, name) for name in LABEL_COUNT_NAMES},
        "evaluated_at": one.evaluated_at,
        "as_of": start,
        "as_of_date": start.date(),
    }


def _slots_of(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in type(record).__slots__}


def _from_performance_row(row: Mapping[str, Any]) -> PerformanceRow:
    return PerformanceRow(
        start=_to_utc(row["window"]["start"]),
        end=_to_utc(row["window"]["end"]),
        granularity=row["granularity"],
        model_name=row["model_name"],
        model_version=row["model_version"],
        problem=row["problem_type"],
        rows=row["count"],
        quality=_to_quality(row),
        null_predictions=row["null_prediction_count"],
        slice_key=row["slice_key"],
        slice_value=row["slice_value"],
        threshold=row["threshold"],
        k=row["k"],
        decays=tuple(DecayFinding(**one) for one in row["decay"] or ()),
        breaches=tuple(row["breaches"] or ()),
        alerts=tuple(row["alerts"] or ()),
        note=row["note"] or "",
        runs=tuple(row["run_ids"] or ()),
        window_id=row["window_id"],
        revision=row["revision"],
        labels_table=row["labels_table"],
        labels_version=row["labels_version"],
        labels=LabelCounts(**row["labels"]) if row["labels"] else LabelCounts(),
        evaluated_at=None if row["evaluated_at"] is None else _to_utc(row["evaluated_at"]),
    )


def _to_quality(row: Mapping[str, Any]) -> Quality:
    ends = dict(row["confidence"] or ())
    measures = {}
    for metric in QUALITY_METRICS:
        if row[metric.column] is not None:
            interval = ends.get(metric.column) or {"low": None, "high": None}
            measures[metric.name] = Measure(row[metric.column], interval["low"], interval["high"])
    bins = tuple(CalibrationBin(**one) for one in row["calibration"] or ())
    classes = tuple(ClassQuality(**one) for one in row["classes"] or ())
    count = row["labelled_count"] - row["null_prediction_count"]
    return Quality(count, measures, calibration=bins, classes=classes)


def _to_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
