"""A run of a stormy day, and the same with less."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

from sparkscore.records import (
    ColumnProfile,
    Drift,
    RejectCount,
    ReportedModel,
    ReportedSource,
    RuleVerdict,
    RunEvent,
    RunPage,
    RunReport,
    SlaRule,
    Verdict,
)

AS_OF = datetime(2013, 12, 9, tzinfo=UTC)
RUN_ID = "ab" * 32
TRAINING, BEFORE = "training data of flight-delay version 3", "run 1f0c9a2b of 2013-12-08"
REPORT = RunReport(
    "flight-delay",
    "2013-12-09T00:00:00Z",
    "published",
    run_id=RUN_ID,
    revision=1,
    attempt=2,
    rows_read=851,
    rows_scored=842,
    rows_rejected=9,
    model=ReportedModel("flight-delay", "3", "m-17", "cd" * 32),
    source=ReportedSource("flights", 41),
    table="flight_delay_predictions",
    table_version=31,
    transport="arrow",
    model_loads=4,
    seconds={"pin": 0.4, "score_and_stage": 2.0, "total": 3.6},
    rows_per_second=421.0,
    executors={"cpu_s": 14.4, "gpu_s": 36.0},
    drifted=1,
)


def profile(points: tuple[float, ...], /, *, slice_value: str | None = None, **facts: Any) -> ColumnProfile:
    """A column of predictions, ten rows at each point."""
    known: dict[str, Any] = {
        "slice_key": None if slice_value is None else "origin",
        "slice_value": slice_value,
        "min": points[0],
        "max": points[-1],
        "mean": sum(points) / len(points),
        "points": points,
        "weights": (10.0,) * len(points),
        "nulls": 0,
        "distinct": 842.0,
    }
    return ColumnProfile("prediction", "prediction", "double", 10 * len(points), nans=0, **(known | facts))


def drift(column: str, psi: float | None, **facts: Any) -> Drift:
    """Of a column with two bins, against the training data."""
    known: dict[str, Any] = {
        "drifted": psi is not None and psi > 0.25,
        "bins": ("low", "high"),
        "shares": (0.9, 0.1),
        "shares_cmp": (0.4, 0.6),
    }
    return Drift(column, "input", "BASELINE", TRAINING, 842, 251_727, psi=psi, **(known | facts))


def event(days: int = 0, kind: Any = "published", **facts: Any) -> RunEvent:
    """What the history tells of a run so many days before."""
    as_of = AS_OF - timedelta(days=days)
    told = {"seconds": {"score_and_stage": 2.0, "total": 3.6}, "drifted": 1} | facts.pop("told", {})
    known: dict[str, Any] = {"run_id": f"{days:02d}ab", "rows_scored": 842, "rows_rejected": 9}
    return RunEvent("flight-delay", as_of, 1, 1, kind, as_of, details=json.dumps(told), **(known | facts))


GATE = Verdict(
    "input",
    "flights.json",
    (
        RuleVerdict("a_rule_that_passes", True, "0% null", "at most 0%"),
        RuleVerdict("a_rule_that_fails", False, "mean 3.9", "6 to 10"),
        RuleVerdict("a_rule_that_warns", False, "max 99", "at most 90", "warning"),
    ),
)
FULL = RunPage(
    REPORT,
    (GATE,),
    (profile((0.2, 0.4, 0.6)), profile((0.6, 0.8), slice_value="EWR")),
    (profile((0.1, 0.2, 0.3)), profile((0.1, 0.2), slice_value="EWR")),
    (
        drift("temp", 1.84),
        drift("hour", 0.02),
        drift("visib", 0.94, slice_key="origin", slice_value="EWR"),
    ),
    (RejectCount(AS_OF, RUN_ID, "null_key", None, 2), RejectCount(AS_OF, RUN_ID, "predict_failed", "KeyError", 7)),
    (SlaRule("published within 6 hours", False, "7.2 hours", "6 hours"),),
    (event(2), event(1, "failed", message="gate"), event(0, run_id=RUN_ID)),
    cores=16,
    price_core_hour=0.5,
    price_gpu_hour=2.0,
)
NOTHING = RunPage(RunReport("flight-delay", None, "published"), (), (), (), (), (), (), ())


def report(**facts: Any) -> RunPage:
    """The full page with other facts in its report."""
    return replace(FULL, report=replace(REPORT, **facts))


class _Read(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.styles = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.styles = tag == "style"
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.styles = False

    def handle_data(self, data: str) -> None:
        if not self.styles:
            self.words.append(data)


def words(html: str) -> str:
    """What a person reads, with single spaces."""
    read = _Read()
    read.feed(html)
    return " ".join(" ".join(read.words).split())


def tags(html: str) -> list[tuple[str, dict[str, str | None]]]:
    """All elements with their attributes."""
    read = _Read()
    read.feed(html)
    return read.tags
