"""What run events say of the size of batches."""

import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from sparkscore.pipelines.scoring.remembered_batches import find_batch_counts, least_row_bytes
from sparkscore.records import ModelInput, Pins, RunEvent

DIGEST = "a" * 64


def event(rows: int | None, *, kind: Any = "published", digest: str = DIGEST, runtime: str = "onnx") -> RunEvent:
    at = datetime(2024, 1, 1, tzinfo=UTC)
    counted = {} if rows is None else {"batch_rows": rows}
    details = json.dumps({"executors": counted, "runtime": runtime})
    pins = Pins("table", 1, "late", "3", digest, "scoring")
    return RunEvent("job", at, 1, 1, kind, at, "run", pins, details=details)


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ([event(1_024), event(4_096)], 4_096),
        ([event(1_024), event(None)], 1_024),  # a stage that was published again: nothing was scored
        ([event(1_024), event(4_096, digest="b" * 64)], 1_024),
        ([event(1_024), event(4_096, runtime="pyfunc")], 1_024),
        ([event(1_024), event(4_096, kind="staged")], 1_024),
        ([event(4_096, digest="b" * 64)], None),
        ([], None),
    ],
)
def test_the_last_run_with_the_same_model_and_runtime_that_found_a_size_is_taken(
    events: list[RunEvent], found: int | None
) -> None:
    counted = find_batch_counts(events, DIGEST, "onnx")
    assert (None if counted is None else counted["batch_rows"]) == found


def test_events_of_older_versions_name_no_runtime() -> None:
    pins = Pins("table", 1, "late", "3", DIGEST, "scoring")
    at = datetime(2024, 1, 1, tzinfo=UTC)
    old = RunEvent("job", at, 1, 1, "published", at, "run", pins, details=json.dumps({"executors": {"rows": 5}}))
    assert find_batch_counts([old, RunEvent("job", at, 1, 1, "published", at)], DIGEST, "onnx") is None


def test_the_least_that_a_row_has_is_what_its_numbers_have() -> None:
    kinds = [pa.float64(), pa.float32(), pa.int8(), pa.bool_(), pa.timestamp("us"), pa.string(), pa.list_(pa.float64())]
    assert least_row_bytes([ModelInput(str(kind), kind, True) for kind in kinds]) == 8 + 4 + 1 + 1 + 8
