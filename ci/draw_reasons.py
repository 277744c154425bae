"""Draws the reasons of some rows of a prediction table as bars: python ci/draw_reasons.py TABLE OUT.svg [KEY …].

Without keys: the rows with the greatest, the median and the least raw score.
"""

import sys
from html import escape
from pathlib import Path

import pandas as pd
from deltalake import DeltaTable

_WIDTH, _LEFT, _LINE, _BAR = 640, 190, 20, 12


def draw_reasons(rows: pd.DataFrame, key: str) -> str:
    """One group of bars per row: contributions to the right raise the raw score, to the left they lower it."""
    most = max(abs(one["contribution"]) for reasons in rows["reasons"] for one in reasons)
    scale, middle, y, parts = (_WIDTH - _LEFT - 140) / (2 * most), _LEFT + (_WIDTH - _LEFT - 60) / 2, 0, []
    for row in rows.itertuples():
        y += 26
        parts.append(
            f'<text x="8" y="{y}" font-weight="bold">{escape(key)} {escape(str(getattr(row, key)))}: raw score'
            f" {row.raw_score:.2f}, average {row.base_value:.2f}</text>"
        )
        for one in row.reasons:
            y += _LINE
            width, value = abs(one["contribution"]) * scale, one["contribution"]
            left, color = (middle, "#c0504d") if value > 0 else (middle - width, "#4f81bd")
            at, anchor = (middle + width + 4, "start") if value > 0 else (middle - width - 4, "end")
            parts.append(f'<text x="{_LEFT - 8}" y="{y}" text-anchor="end">{escape(one["feature"])}</text>')
            parts.append(f'<rect x="{left:.1f}" y="{y - 10}" width="{width:.1f}" height="{_BAR}" fill="{color}"/>')
            parts.append(f'<text x="{at:.1f}" y="{y}" text-anchor="{anchor}">{value:+.2f}</text>')
        y += 8
    line = f'<line x1="{middle:.1f}" x2="{middle:.1f}" y1="8" y2="{y}" stroke="#888"/>'
    body = "\n".join([line, *parts])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y + 10}" font-family="sans-serif"'
        f' font-size="12"><rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n'
    )


def _choose_rows(rows: pd.DataFrame, key: str, wanted: list[str]) -> pd.DataFrame:
    if wanted:
        return rows[rows[key].astype(str).isin(wanted)]
    ordered = rows.sort_values(["raw_score", key], ignore_index=True)
    return ordered.iloc[[len(ordered) - 1, len(ordered) // 2, 0]]


def _main() -> None:
    table, target, *wanted = sys.argv[1:]
    rows = DeltaTable(table).to_pandas()
    key = str(rows.columns[0])
    Path(target).write_text(draw_reasons(_choose_rows(rows, key, wanted), key), encoding="utf-8")


if __name__ == "__main__":
    _main()
