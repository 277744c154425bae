"""What is known of a run's source before a row is scored: how it is read, how many rows it has, or may have."""

import time
from dataclasses import dataclass

from sparkscore.ingest import snapshot as ingest
from sparkscore.pipelines.scoring.transport_choice import TransportChoice
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import FileScan

_SEARCH_S = 1.0


@dataclass(frozen=True, slots=True)
class SourceRows:
    """How many rows a run reads."""

    exact: int | None
    """None where that is known only when they are read: there is one at least."""
    most: int | None
    """At most so many: `exact` where that is known; None where the log does not say."""


def survey_source_rows(attempt: Attempt, plan: Plan, choice: TransportChoice) -> SourceRows:
    """How many rows there are, by the log where it is certain. With a filter the scan counts them while it reads.

    Jobs:    none for a scan where the log or the first rows are enough; else one that counts.
    Raises:  as `ingest.snapshot.count_snapshot_rows`.
    """
    scan = choice.scan
    if scan is not None and plan.snapshot.where and _has_rows(scan):
        return SourceRows(None, scan.rows)
    if scan is not None and not plan.snapshot.where and scan.rows is not None:
        return SourceRows(scan.rows, scan.rows)
    rows = ingest.count_snapshot_rows(attempt.spark, plan.snapshot, source=attempt.open_table(plan.snapshot.table))
    return SourceRows(rows, rows)


def _has_rows(scan: FileScan) -> bool:
    """Whether a row that meets the filter is soon found by the driver; what cannot be read here is told by Spark."""
    until = time.monotonic() + _SEARCH_S
    try:
        for split in scan.splits:
            rows = scan.reader.read_part(split, (0, 0), (1, 0))
            if next(iter(rows), None) is not None:
                return True
            if time.monotonic() > until:
                return False
    except Exception:  # noqa: BLE001  it is read again, by tasks, whose errors tell what is wrong with which file
        return False
    return False
