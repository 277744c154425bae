"""Ranked lists: whether the relevant items stood among the first k. Sums in, numbers out.

Relevance is 0 or 1: an item is among those of the truth, or it is not. An item that a list repeats counts once, where
it stands first.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sparkscore.monitor.quality.intervals import measure_mean, measure_share
from sparkscore.records import Measure, Quality


@dataclass(frozen=True, slots=True)
class MeanSums:
    """Sum of a value of each row, and of its square; sums of parts of the rows merge by adding up."""

    total: float
    squares: float


RANKING_METRICS = ("ndcg", "precision_at_k", "recall_at_k", "map_at_k", "hit_rate")


def list_values(items: Sequence[object], relevant: Collection[object], k: int) -> Mapping[str, float]:
    """The metrics of one list, with at least one relevant item: gain 1 / log2(place + 1), the ideal list has all
    relevant items first; average precision is divided by the most hits that k places allow."""
    wanted, first = set(relevant), list(dict.fromkeys(items))[:k]
    places = [place for place, item in enumerate(first, 1) if item in wanted]
    most = min(k, len(wanted))
    ideal = math.fsum(1 / math.log2(place + 1) for place in range(1, most + 1))
    return {
        "ndcg": math.fsum(1 / math.log2(place + 1) for place in places) / ideal,
        "precision_at_k": len(places) / k,
        "recall_at_k": len(places) / len(wanted),
        "map_at_k": math.fsum(hit / place for hit, place in enumerate(places, 1)) / most,
        "hit_rate": float(bool(places)),
    }


def measure_lists(count: float, sums: Mapping[str, MeanSums]) -> Quality:
    """The means over the lists, with normal intervals; that of the hit rate is Wilson's."""
    measures = {name: _measure_list_mean(name, sums[name], count) for name in RANKING_METRICS if name in sums}
    return Quality(int(count), measures)


def _measure_list_mean(name: str, sums: MeanSums, count: float) -> Measure:
    if name == "hit_rate":
        return measure_share(sums.total, count)
    return measure_mean(sums.total, sums.squares, count)
