"""Whether the input gate judges before the model runs, or by what the tasks measure while they score."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from sparkscore.model.distribution.model_cache_limits import folder_bytes
from sparkscore.records import PinnedModel, RunEvent

_SOON_S = 10.0
"""Scoring that takes no longer is worth no second reading, whatever that costs."""
_PASSING_RUNS = 10
"""Of so many runs the gate stops about one: the others would read twice for nothing."""
_FIXED_READING_S = 0.5
_READING_BYTES_PER_S = 100e6
"""Of a slot, in files as they are on disk."""
_SMALL_TABLE_BYTES, _SMALL_MODEL_BYTES = 64 << 20, 100 << 20
_LEAST_SCORING_S = 0.1
_LIGHT_RUNTIMES = ("sklearn", "onnx")


@dataclass(frozen=True, slots=True)
class GateOrder:
    """When the input gate judges."""

    is_first: bool
    """Before the model runs."""
    reason: str


@dataclass(frozen=True, slots=True)
class ScoringCost:
    """What is known of a run before it begins."""

    model: PinnedModel
    bytes: int
    """Of the source's files."""
    rows: int | None
    """At most so many; None where the log does not say."""
    slots: int
    has_gpu: bool
    has_batch_timeout: bool
    load_events: Callable[[], Sequence[RunEvent]]
    """The job's run events of its newest as_ofs; asked for where they decide."""

    @property
    def reading_s(self) -> float:
        """Seconds that reading the source once more takes, about."""
        return _FIXED_READING_S + self.bytes / (_READING_BYTES_PER_S * max(self.slots, 1))


def choose_gate_order(
    setting: Literal["always", "when_cheaper", "never"], cost: ScoringCost | None, *, measured: bool
) -> GateOrder:
    """By `gate.before`; `when_cheaper` compares the cost of scoring with that of reading twice.

    `cost` is None where tasks do not read the files themselves; `measured`: tasks can measure some of the suite.

    Jobs:    none; the run events are read where nothing else decides.
    """
    if setting != "when_cheaper":
        return GateOrder(setting == "always", f"as configured (gate.before: {setting})")
    if cost is None:
        return GateOrder(True, "only the scan measures while it scores")
    if not measured:
        return GateOrder(True, "only Spark computes the rules of the suite")
    if cost.has_batch_timeout or cost.has_gpu:
        known = "scoring.batch_timeout is set" if cost.has_batch_timeout else "tasks have GPUs"
        return GateOrder(True, f"{known}: scoring costs more than reading twice")
    rate = find_scoring_rate(cost.load_events(), cost.model.name)
    return _choose_by_speed(cost, rate) if rate and cost.rows is not None else _choose_by_size(cost)


def find_scoring_rate(events: Sequence[RunEvent], model_name: str) -> float | None:
    """Rows per second of the last attempt that scored with a version of the model; None where there was none.

    Without the time in which the model was loaded: tasks wait for it side by side.
    """
    for event in reversed(events):
        is_scored = event.event in ("staged", "published")
        if is_scored and event.pins is not None and event.pins.model_name == model_name:
            details = event.parsed_details
            counted, seconds = details.get("executors") or {}, (details.get("seconds") or {}).get("score_and_stage")
            if counted.get("rows") and seconds:
                load_s = counted.get("load_s", 0.0) / max(counted.get("loads", 1), 1)
                rows, spent = float(counted["rows"]), float(seconds) - float(load_s)
                return rows / max(spent, _LEAST_SCORING_S)
    return None


def _choose_by_speed(cost: ScoringCost, rate: float) -> GateOrder:
    scoring_s = (cost.rows or 0) / rate
    worth = max(_SOON_S, _PASSING_RUNS * cost.reading_s)
    told = f"scoring takes about {scoring_s:,.0f} s at the last run's pace, reading once more {cost.reading_s:,.1f} s"
    return GateOrder(scoring_s > worth, told)


def _choose_by_size(cost: ScoringCost) -> GateOrder:
    """Nothing tells how fast the model is: what is small and usual is scored at once."""
    if cost.model.runtime not in _LIGHT_RUNTIMES or folder_bytes(cost.model.path) > _SMALL_MODEL_BYTES:
        return GateOrder(True, "no earlier run tells how fast the model is, and it may be slow")
    if cost.bytes > _SMALL_TABLE_BYTES:
        return GateOrder(True, f"no earlier run tells how fast the model is, and there are {cost.bytes / 1e6:,.0f} MB")
    return GateOrder(False, f"a small table of {cost.bytes / 1e6:,.1f} MB")
