"""Recommendations beside numpy's own way, and how the time grows with the items. One process, one thread of BLAS.

  export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
  python -m ci.bench.recommendations [--picture docs/workloads/recommendations.svg]

The other way multiplies all users with all items at once in double precision and sorts what `argpartition` keeps: the
same lists, checked. Turns alternate; the seconds are the median of the turns.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sparkscore.workloads.recommendations.top_items import BlockedItems, ItemLimits

USERS, WIDTH, COUNT, TURNS = 2048, 64, 10, 5
SIZES = (1_000, 10_000, 100_000, 1_000_000)
LARGEST_OF_NUMPY = 100_000
"""More would take 16 GB at once."""


def find_by_numpy(users: Any, items: Any) -> Any:
    """The best items of each user, by all products at once."""
    products = users @ items.T.astype(float)
    best = np.argpartition(-products, COUNT, axis=1)[:, :COUNT]
    order = np.argsort(-np.take_along_axis(products, best, axis=1), axis=1, kind="stable")
    return np.take_along_axis(best, order, axis=1)


def time_turns(ways: Sequence[Callable[[], Any]]) -> list[list[float]]:
    """Seconds of each way in each turn, after one that is not counted."""
    seconds: list[list[float]] = [[] for _ in ways]
    for turn in range(TURNS + 1):
        for times, way in zip(seconds, ways, strict=True):
            started = time.perf_counter()
            way()
            if turn:
                times.append(time.perf_counter() - started)
    return seconds


def compare_size(count: int, source: np.random.Generator) -> tuple[int, float, float | None, str]:
    """Items, our seconds, numpy's (None: too large), and the ratio of both with its spread."""
    users = source.normal(size=(USERS, WIDTH))
    items = source.normal(size=(count, WIDTH)).astype(np.float32)
    norm = float(np.sqrt((items.astype(float) ** 2).sum(axis=1)).max())
    none = ItemLimits(np.zeros(0, np.int64), np.zeros(0, np.int64))

    def ours() -> Any:
        return BlockedItems(items, 64 << 20, norm).find_top(users, COUNT, none).items.reshape(USERS, COUNT)

    if count > LARGEST_OF_NUMPY:
        return count, statistics.median(time_turns([ours])[0]), None, "-"
    if not np.array_equal(ours(), find_by_numpy(users, items)):
        sys.exit("both ways find other items")
    mine, theirs = time_turns([ours, lambda: find_by_numpy(users, items)])
    ratios = [their / my for my, their in zip(mine, theirs, strict=True)]
    spread = f"{statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})"
    return count, statistics.median(mine), statistics.median(theirs), spread


def draw_growth(rows: Sequence[tuple[int, float, float | None, str]]) -> str:
    """Microseconds per user over the number of items, both axes logarithmic."""
    width, height, left, bottom = 560, 260, 70, 40

    def place(count: int, seconds: float) -> tuple[float, float]:
        micros = seconds / USERS * 1e6
        across = (np.log10(count) - 3) / 3
        up = np.log10(micros / 10) / 4
        return left + across * (width - left - 30), height - bottom - up * (height - bottom - 40)

    lines = []
    for name, colour, points in (
        ("sparkscore", "#2a6f97", [(count, mine) for count, mine, _, _ in rows]),
        ("numpy, all at once", "#c1666b", [(count, theirs) for count, _, theirs, _ in rows if theirs is not None]),
    ):
        spots = [place(*point) for point in points]
        path = " ".join(f"{x:.0f},{y:.0f}" for x, y in spots)
        lines.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        lines.extend(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="4" fill="{colour}"/>' for x, y in spots)
        x, y = spots[-1]
        lines.append(f'<text x="{x - 8:.0f}" y="{y - 10:.0f}" fill="{colour}" text-anchor="end">{name}</text>')
    for count in SIZES:
        x, _ = place(count, 1)
        lines.append(f'<text x="{x:.0f}" y="{height - 18}" text-anchor="middle">{count:,}</text>')
    for micros in (10, 100, 1_000, 10_000, 100_000):
        _, y = place(1_000, micros * USERS / 1e6)
        lines.append(f'<text x="{left - 8}" y="{y + 4:.0f}" text-anchor="end">{micros:,}</text>')
    title = "microseconds per user, over the number of items (logarithmic)"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif"'
        f' font-size="11" role="img" aria-label="{title}"><rect width="{width}" height="{height}" fill="#ffffff"/>'
        f'<text x="{left}" y="16">{title}</text>{"".join(lines)}</svg>\n'
    )


def run_comparison(arguments: Sequence[str]) -> None:
    """Print a table of Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args(arguments)
    source = np.random.default_rng(7)
    sys.stdout.write("| items | µs per user | numpy, all at once | numpy takes times |\n|---|---|---|---|\n")
    rows = []
    for count in SIZES:
        rows.append(compare_size(count, source))
        _, mine, theirs, ratio = rows[-1]
        shown = "16 GB" if theirs is None else f"{theirs / USERS * 1e6:,.0f}"
        sys.stdout.write(f"| {count:,} | {mine / USERS * 1e6:,.0f} | {shown} | {ratio} |\n")
    if options.picture:
        options.picture.write_text(draw_growth(rows), encoding="utf-8")


if __name__ == "__main__":
    run_comparison(sys.argv[1:])
