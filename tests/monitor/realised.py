"""Rows of realised performance, for tests of what shows them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from sparkscore.monitor.quality.binary_quality import measure_binary, sum_binary_scores
from sparkscore.records import DecayFinding, PerformanceRow

FIRST = datetime(2013, 12, 2, tzinfo=UTC)


def performance_row(week: int = 0, *, version: str = "3", skill: float = 1.0, rows: int = 400) -> PerformanceRow:
    """A week of one model version; more skill tells positives better apart."""
    random = np.random.default_rng(week)
    truths = random.random(rows) < 0.3
    scores = 1 / (1 + np.exp(1 - skill * random.normal(truths * 1.5, 1.0)))
    start = FIRST + timedelta(weeks=week)
    return PerformanceRow(
        start,
        start + timedelta(weeks=1),
        "7d",
        "flight-delay",
        version,
        "binary",
        rows + 100,
        measure_binary(sum_binary_scores(scores, truths, threshold=0.4)),
        threshold=0.4,
        decays=(DecayFinding("roc_auc", "validation", 0.85, 0.8, 0.0588),),
        evaluated_at=FIRST + timedelta(weeks=9),
    )


SLICE = replace(performance_row(2), slice_key="carrier", slice_value="<b>AA</b>", decays=())
ROWS = (
    performance_row(0, version="2"),
    performance_row(1),
    replace(performance_row(2, skill=0.2), breaches=("ROC AUC is 0.6 and was 0.8 in validation",)),
    SLICE,
)
