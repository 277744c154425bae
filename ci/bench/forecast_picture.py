"""How near the example's forecasts come, and their picture: `python -m ci.bench.forecast_picture PICTURE`."""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sparkscore.demo.flight_forecasts import HORIZON, SEASON, count_departures
from sparkscore.demo.flights import load_tables
from sparkscore.workloads.forecasts.series_smoothing import SmoothingForm, fit_smoothing, forecast_series

SHOWN, DAYS_BEFORE = "EWR/UA", 42
Floats = npt.NDArray[np.float64]


def draw_forecast(known: Floats, comes: Floats, found: Any) -> str:
    """The last days of a history, what came, the forecast and its interval."""
    width, height, left, bottom = 640, 240, 40, 30
    days, top = DAYS_BEFORE + HORIZON, max(known.max(), found.upper.max()) * 1.05
    low = min(known.min(), found.lower.min()) * 0.9

    def spot(day: int, value: float) -> str:
        x = left + day / (days - 1) * (width - left - 15)
        return f"{x:.1f},{height - bottom - (value - low) / (top - low) * (height - bottom - 30):.1f}"

    ahead = range(DAYS_BEFORE, days)
    band = [spot(day, one) for day, one in zip(ahead, found.upper, strict=True)]
    band += [spot(day, one) for day, one in reversed(list(zip(ahead, found.lower, strict=True)))]
    actual = " ".join(spot(day, one) for day, one in enumerate([*known, *comes]))
    forecast = " ".join(spot(day, one) for day, one in zip(ahead, found.forecast, strict=True))
    title = f"{SHOWN}: departures per day, October 20 to December 31, 2013"
    x = spot(DAYS_BEFORE, low).split(",")[0]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif"'
        f' font-size="11" role="img" aria-label="{title}"><rect width="{width}" height="{height}" fill="#ffffff"/>'
        f'<text x="{left}" y="16">{title}</text><polygon points="{" ".join(band)}" fill="#2a6f97" opacity="0.2"/>'
        f'<polyline points="{actual}" fill="none" stroke="#888888"/>'
        f'<polyline points="{forecast}" fill="none" stroke="#2a6f97" stroke-width="2"/>'
        f'<line x1="{x}" x2="{x}" y1="25" y2="{height - bottom}" stroke="#bbbbbb" stroke-dasharray="3"/>'
        f'<text x="{x}" y="{height - 10}">forecast, with 8 of 10 in the band</text></svg>\n'
    )


def compare_forecasts(picture: Path) -> None:
    """Print the mean errors of all series; write the picture of one."""
    form = SmoothingForm(HORIZON, SEASON, trend=True, damped=True, level=0.8)
    errors, naive, held, seconds = list[float](), list[float](), list[float](), list[float]()
    for name, column in count_departures(load_tables().flights).items():
        known, comes = column.to_numpy()[:-HORIZON], column.to_numpy()[-HORIZON:]
        params = fit_smoothing(known, form)
        started = time.perf_counter()
        found = forecast_series(known, params, form)
        seconds.append(time.perf_counter() - started)
        errors.append(float(np.abs(found.forecast - comes).mean()))
        naive.append(float(np.abs(np.resize(known[-SEASON:], HORIZON) - comes).mean()))
        held.append(float(((found.lower <= comes) & (comes <= found.upper)).mean()))
        if name == SHOWN:
            picture.write_text(draw_forecast(known[-DAYS_BEFORE:], comes, found), encoding="utf-8")
    sys.stdout.write(
        f"{len(errors)} series: mean absolute error {np.mean(errors):.2f}, last week's values {np.mean(naive):.2f};"
        f" {np.mean(held):.0%} in the band; {np.median(seconds) * 1000:.1f} ms per series\n"
    )


if __name__ == "__main__":
    compare_forecasts(Path(sys.argv[1]))
