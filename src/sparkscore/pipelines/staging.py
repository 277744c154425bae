"""The one place where rows are scored: by the fastest transport that is sure, into the stage."""

import structlog

from sparkscore.errors import UnsureScan
from sparkscore.ingest import snapshot as ingest
from sparkscore.pipelines.attempt import Attempt
from sparkscore.pipelines.frames import Way, scored_frame, stage_rows, way_of
from sparkscore.pipelines.pinning import Plan
from sparkscore.publish import stage as stages
from sparkscore.records import FileScan, Stage
from sparkscore.scoring import scan
from sparkscore.scoring.counters import Counters
from sparkscore.scoring.failures import translated
from sparkscore.store.files import prepare

log = structlog.get_logger("sparkscore")


def staged(attempt: Attempt, plan: Plan, counters: Counters) -> Stage:
    """The stage with all rows of the plan, each scored once, in one commit.

    Jobs:    one Spark job that scores. Where a file turns out to be one that only Spark is sure to read, another:
             nothing of the first is committed.
    Raises:  whatever tasks raise.
    """
    way = _known(attempt, way_of(attempt, plan))
    if way.scan is None:
        return _by_spark(attempt, plan, counters, way.transport)
    try:
        return _by_scan(attempt, plan, counters, way.scan)
    except Exception as error:
        unsure = error if isinstance(error, UnsureScan) else translated(error)
        if not isinstance(unsure, UnsureScan):
            raise
        attempt.warn(f"the scan gave way to arrow: {unsure.found}")
        _known(attempt, Way("arrow", f"no scan: {unsure.found}"))
        return _by_spark(attempt, plan, counters, "arrow")


def _known(attempt: Attempt, way: Way) -> Way:
    attempt.know(transport=way.transport, transport_reason=way.reason)
    log.info("transport", transport=way.transport, reason=way.reason)
    return way


def _by_spark(attempt: Attempt, plan: Plan, counters: Counters, transport: str) -> Stage:
    source = ingest.frame(attempt.spark, plan.snapshot)
    frame = scored_frame(attempt, plan, source, counters, transport)
    return stages.written(attempt.spark, frame, plan.run, attempt.settings.stage_uri)


def _by_scan(attempt: Attempt, plan: Plan, counters: Counters, files: FileScan) -> Stage:
    root, rows = attempt.settings.stage_uri, stage_rows(attempt, plan, counters)
    place = stages.place(attempt.spark, plan.run, root)
    if place is None:
        return stages.written(attempt.spark, scan.returned(attempt.spark, files, rows), plan.run, root)
    prepare(place)
    parts = scan.staged(attempt.spark, files, rows, place, key=attempt.settings.source.keys[0])
    return stages.committed(attempt.spark, parts, plan.run, root, place=place, schema=rows.schema)
