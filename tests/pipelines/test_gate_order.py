"""When the input gate judges: by the setting, and by what is known of the cost. No Spark."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sparkscore.pipelines.scoring.gate_order import ScoringCost, choose_gate_order, find_scoring_rate
from sparkscore.records import PinnedModel, Pins, RunEvent

MB = 10**6
PINS = Pins("s", 1, "late", "1", "d", "c")
MODEL = PinnedModel("late", "1", "m-1", "d", "/nowhere", "sklearn", (), False, pa.float64())


def cost(*, rows: int | None = 1_000, events: Sequence[RunEvent] = (), **more: Any) -> ScoringCost:
    values: dict[str, Any] = {"bytes": MB, "slots": 2, "has_gpu": False, "has_batch_timeout": False, **more}
    return ScoringCost(MODEL, rows=rows, load_events=lambda: events, **values)


def staged(rows: int, seconds: float, *, model: str = "late", loads: int = 0, load_s: float = 0.0) -> RunEvent:
    counted = {"rows": rows, "loads": loads, "load_s": load_s}
    details = {"executors": counted, "seconds": {"score_and_stage": seconds}}
    pins = replace(PINS, model_name=model)
    at = datetime(2024, 1, 1, tzinfo=UTC)
    return RunEvent("job", at, 1, 1, "staged", at, pins=pins, details=json.dumps(details))


def is_first(found: ScoringCost | None, *, measured: bool = True) -> bool:
    return choose_gate_order("when_cheaper", found, measured=measured).is_first


@pytest.mark.parametrize(("setting", "first"), [("always", True), ("never", False)])
def test_the_setting_decides_alone(setting: Any, first: bool) -> None:
    for known in (None, cost(), cost(events=[staged(1, 1e6)])):
        order = choose_gate_order(setting, known, measured=False)
        assert (order.is_first, order.reason) == (first, f"as configured (gate.before: {setting})")


def test_where_nothing_is_measured_in_the_pass_the_gate_is_first() -> None:
    assert is_first(None)
    assert is_first(cost(), measured=False)
    assert not is_first(cost())


@pytest.mark.parametrize("slow", [{"has_gpu": True}, {"has_batch_timeout": True}])
def test_what_says_that_the_model_is_slow_puts_the_gate_first(slow: dict[str, bool]) -> None:
    assert is_first(cost(events=[staged(1_000, 0.1)], **slow))


@pytest.mark.parametrize(
    ("rows_per_s", "size", "first"),
    [(1_000, MB, False), (90, MB, True), (90, 1_000 * MB, False), (1, 1_000 * MB, True)],
)
def test_the_last_run_s_pace_is_compared_with_the_cost_of_reading_twice(
    rows_per_s: int, size: int, first: bool
) -> None:
    assert is_first(cost(rows=1_000, bytes=size, events=[staged(rows_per_s, 1.0)])) == first


def test_the_pace_is_that_of_the_last_attempt_that_scored_with_the_model() -> None:
    events = [staged(10, 1.0), staged(500, 1.0), staged(0, 0.1), staged(7, 1.0, model="other")]
    assert find_scoring_rate(events, "late") == 500
    assert find_scoring_rate(events, "nobody's") is None


def test_the_time_in_which_the_model_was_loaded_is_not_of_its_pace() -> None:
    assert find_scoring_rate([staged(1_000, 12.0, loads=2, load_s=20.0)], "late") == 500


def test_without_an_earlier_run_what_is_large_or_unusual_is_judged_first(tmp_path: Path) -> None:
    assert is_first(cost(bytes=100 * MB))
    assert is_first(replace(cost(), model=replace(MODEL, runtime="pyfunc")))
    with (tmp_path / "weights").open("wb") as file:
        file.truncate(200 * MB)
    assert is_first(replace(cost(), model=replace(MODEL, path=str(tmp_path))))
    assert not is_first(cost(rows=None))
