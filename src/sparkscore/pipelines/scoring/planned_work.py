"""How much work a run would be: rows, splits, and how long it is likely to take."""

from sparkscore.ingest.snapshot import sum_logged_snapshot_rows
from sparkscore.pipelines.scoring.run_estimates import estimate_run, find_past_runs, select_past_runs
from sparkscore.pipelines.scoring.transport_choice import TransportChoice
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import PlannedWork, RowsKnown


def plan_work(attempt: Attempt, planned: Plan, way: TransportChoice) -> PlannedWork:
    """How many rows there are by the log, and how long past runs took for theirs.

    Jobs:    none beyond those that read the run events.
    """
    snapshot, monitor = planned.snapshot, attempt.settings.monitor
    logged = sum_logged_snapshot_rows(attempt.open_table(snapshot.table), snapshot) if way.scan is None else None
    rows = logged if way.scan is None else way.scan.rows
    increment = attempt.report.increment
    is_part = bool(snapshot.where) or (increment is not None and increment.since is not None)
    known: RowsKnown = "unknown" if rows is None else "at_most" if is_part else "exactly"
    digest = planned.run.pins.model_digest
    past = select_past_runs(find_past_runs(attempt.newest_events), transport=way.transport, model_digest=digest)
    estimate = (
        None
        if rows is None
        else estimate_run(
            past,
            rows=rows,
            cores=attempt.cores,
            model_digest=digest,
            price_core_hour=monitor.price_core_hour,
            price_gpu_hour=monitor.price_gpu_hour,
        )
    )
    return PlannedWork(rows, known, None if way.scan is None else len(way.scan.splits), attempt.cores, estimate)
