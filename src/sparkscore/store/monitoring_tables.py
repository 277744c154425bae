"""The profile and drift tables of a job: written once per run, and read by later runs."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sparkscore.records import QUANTILE_LEVELS, ColumnProfile, Drift, Run
from sparkscore.schemas import DRIFT_CONTRACT, PROFILE_CONTRACT, TableContract
from sparkscore.store.direct_commits import AppendGuard
from sparkscore.store.small_tables import append_small_rows, ensure_small_table, load_small_table
from sparkscore.store.table import Table
from sparkscore.store.table_growth import check_table_owner

BASELINE_AS_OF = datetime(1970, 1, 1, tzinfo=UTC)
"""The as_of under which the profile of a model's training data is stored; it has none of its own."""


def keep_profiles(table: Table, run: Run, profiles: Sequence[ColumnProfile]) -> None:
    """Append a run's profiles, once.

    Jobs:    none, or a small one where only Spark writes the table.
    Raises:  ForeignTable, PublishConflict, AccessDenied.
    """
    _append_run_rows(
        table,
        PROFILE_CONTRACT,
        run,
        [_window_columns(run.as_of, "run") | _to_profile_row(one) for one in profiles],
        guard=_monitoring_guard(run, "profile"),
    )


def keep_baseline(table: Table, run: Run, name: str, found: Sequence[ColumnProfile]) -> None:
    """Append the profiles of a model's training data under a name, once, so that later runs do not read it again.

    Jobs:    as `keep_profiles`.
    Raises:  as `keep_profiles`.
    """
    window = {"window": {"start": BASELINE_AS_OF, "end": BASELINE_AS_OF}, "granularity": "baseline"}
    own = {"run_id": name, "as_of": BASELINE_AS_OF, "as_of_date": BASELINE_AS_OF.date()}
    rows = [window | _to_profile_row(one) | own for one in found]
    _append_run_rows(table, PROFILE_CONTRACT, run, rows, guard=(f"sparkscore/{run.identity_job}/{name}", 0))


def keep_drifts(table: Table, run: Run, drifts: Sequence[Drift]) -> None:
    """Append a run's distances, once.

    Jobs:    as `keep_profiles`.
    Raises:  as `keep_profiles`.
    """
    _append_run_rows(
        table,
        DRIFT_CONTRACT,
        run,
        [_window_columns(run.as_of, "run") | _to_drift_row(one) for one in drifts],
        guard=_monitoring_guard(run, "drift"),
    )


def load_profiles(table: Table, *, job: str, runs: Mapping[str, datetime]) -> Mapping[str, tuple[ColumnProfile, ...]]:
    """The profiles of these runs, by run_id, without runs that were not profiled.

    Needs:   the as_of of each run.
    Jobs:    none; a small one where only Spark reaches the table.
    Raises:  ForeignTable.
    """
    found: dict[str, list[ColumnProfile]] = {}
    for row in _load_run_rows(table, job, runs):
        found.setdefault(row["run_id"], []).append(_from_profile_row(row))
    return {run_id: tuple(many) for run_id, many in found.items()}


def load_drifts(table: Table, *, job: str, runs: Mapping[str, datetime]) -> tuple[Drift, ...]:
    """The distances of these runs.

    Needs:   the as_of of each run.
    Jobs:    as `load_profiles`.
    Raises:  ForeignTable.
    """
    return tuple(_from_drift_row(row) for row in _load_run_rows(table, job, runs))


def _append_run_rows(
    table: Table,
    contract: TableContract,
    run: Run,
    rows: list[dict[str, Any]],
    *,
    guard: AppendGuard,
) -> None:
    if not rows:
        return
    ensure_small_table(table, contract, job=run.job)
    lineage = run.lineage_values(scored_at=datetime.now(UTC))
    append_small_rows(table, contract, [lineage | row for row in rows], guard=guard)


def _monitoring_guard(run: Run, what: str) -> AppendGuard:
    return f"{run.txn_app_id}/{what}", run.revision


def _load_run_rows(table: Table, job: str, runs: Mapping[str, datetime]) -> list[dict[str, Any]]:
    if not runs or not table.exists():
        return []
    check_table_owner(table, job=job)
    dates = {as_of.astimezone(UTC).date() for as_of in runs.values()}
    return [row for row in load_small_table(table, where=("as_of_date", dates)) if row["run_id"] in runs]


def _window_columns(as_of: datetime, granularity: str) -> dict[str, Any]:
    return {"window": {"start": as_of, "end": as_of}, "granularity": granularity}


def _to_profile_row(one: ColumnProfile) -> dict[str, Any]:
    return {
        "slice_key": one.slice_key,
        "slice_value": one.slice_value,
        "column_name": one.column,
        "log_type": one.log_type,
        "data_type": one.data_type,
        "sampled_share": one.share,
        "count": one.count,
        "num_nulls": one.nulls,
        "num_nan": one.nans,
        "percent_null": 100 * one.nulls / one.count if one.count else None,
        "min": one.min,
        "max": one.max,
        "avg": one.mean,
        "stddev": one.stddev,
        "median": one.quantile(0.5),
        "quantiles": [one.quantile(level) for level in QUANTILE_LEVELS] if one.points else None,
        "distinct_count": one.distinct,
        "frequent_items": [{"item": item, "count": rows} for item, rows in one.top],
        "points": one.points,
        "weights": one.weights,
        "hashes": one.hashes,
    }


def _from_profile_row(row: Mapping[str, Any]) -> ColumnProfile:
    return ColumnProfile(
        row["column_name"],
        row["log_type"],
        row["data_type"],
        row["count"],
        row["num_nulls"],
        row["num_nan"],
        row["slice_key"],
        row["slice_value"],
        row["min"],
        row["max"],
        row["avg"],
        row["stddev"],
        tuple(row["points"] or ()),
        tuple(row["weights"] or ()),
        row["distinct_count"],
        tuple(row["hashes"] or ()),
        tuple((one["item"], one["count"]) for one in row["frequent_items"] or ()),
        row["sampled_share"],
    )


_DISTANCE_COLUMNS = {
    "psi": "population_stability_index",
    "jensen_shannon": "js_distance",
    "kolmogorov_smirnov": "ks_statistic",
    "wasserstein": "wasserstein_distance",
    "cramers_v": "cramers_v",
}
_DRIFT_COLUMNS = {"column": "column_name", **_DISTANCE_COLUMNS}


def _to_drift_row(one: Drift) -> dict[str, Any]:
    return {_DRIFT_COLUMNS.get(name, name): getattr(one, name) for name in Drift.__slots__}


def _from_drift_row(row: Mapping[str, Any]) -> Drift:
    own = {name: row[_DRIFT_COLUMNS.get(name, name)] for name in Drift.__slots__}
    lists = {name: tuple(own[name] or ()) for name in ("bins", "shares", "shares_cmp")}
    return Drift(**{**own, **lists})
