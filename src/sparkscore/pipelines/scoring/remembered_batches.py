"""The size of batches that an earlier run has found for the same model, so that the next one begins there."""

from collections.abc import Iterable
from dataclasses import replace

import pyarrow as pa
import structlog

from sparkscore.errors import ScanUnsupported
from sparkscore.pipelines.scoring.one_pass import GPU_SETTING
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import BatchLimits, ModelInput, RunEvent
from sparkscore.spark.settable_conf import has_setting

log = structlog.get_logger("sparkscore")

_LEAST_ROWS = 200_000
"""Fewer rows are scored before it matters with which batches the model began."""


def recall_batch_limits(attempt: Attempt, plan: Plan, rows: int | None) -> BatchLimits:
    """The limits of batches by the settings, and by the last run with the same model, runtime and kind of device.

    `rows`: at most so many are scored; None: unknown.

    Jobs:    none; the run events are read where they can matter, and where that needs no job.
    """
    limits = attempt.settings.scoring.batch_limits
    least = least_row_bytes(plan.model.inputs)
    if limits.bytes is not None and limits.bytes < least:
        attempt.warn(
            f"scoring.batch_bytes is {limits.bytes:,}, and a row of the model's inputs has {least:,} bytes or more: the"
            " model gets one row at a time"
        )
    if limits.rows is not None or (rows is not None and rows < _LEAST_ROWS) or not _reads_events_directly(attempt):
        return limits
    found = find_batch_counts(attempt.newest_events, plan.run.pins.model_digest, plan.model.runtime)
    if found is None or ("gpu_s" in found) != has_setting(attempt.spark, GPU_SETTING):
        return limits
    known, most = int(found["batch_rows"]), int(found["batch_rows_min"]) if found.get("batches_halved") else None
    log.info("batches", rows=known, most=most, reason="as an earlier run has found")
    return replace(limits, known_rows=known, most_rows=most)


def least_row_bytes(inputs: Iterable[ModelInput]) -> int:
    """What a row of these inputs has at least: of texts, lists and structs nothing is known."""
    return sum(-(-one.type.bit_width // 8) for one in inputs if pa.types.is_primitive(one.type))


def find_batch_counts(events: Iterable[RunEvent], model_digest: str, runtime: str) -> dict[str, float] | None:
    """What the workers of the last run with this model and runtime counted that had found a size; None: none has.

    Needs:   events, oldest first.
    """
    for event in reversed(list(events)):
        if event.event == "published" and event.pins is not None and event.pins.model_digest == model_digest:
            details = event.parsed_details
            counted: dict[str, float] = details.get("executors") or {}
            if details.get("runtime") == runtime and counted.get("batch_rows"):
                return counted
    return None


def _reads_events_directly(attempt: Attempt) -> bool:
    try:
        return not attempt.runs_table.location.is_coordinated
    except ScanUnsupported:
        return False
