"""Numbers as text in a report. Unknown values are a dash."""

from math import isfinite

from sparkscore.monitor.visible import visible_line

UNKNOWN = "–"


def number_text(value: float | None) -> str:
    """Thousands with commas; three digits that count, where there is a fraction."""
    if value is None or not isfinite(value):
        return UNKNOWN
    if value == round(value) or abs(value) >= 1000:
        return f"{value:,.0f}" if abs(value) < 1e15 else f"{value:.3g}"
    return f"{value:.3g}"


def share_text(part: float | None, total: float | None = 1.0) -> str:
    """A percentage: `12%`, `0.3%`; less than that is shown as less."""
    if part is None or not total:
        return UNKNOWN
    percent = 100 * part / total
    if 0 < percent < 0.1:
        return "< 0.1%"
    return f"{percent:.1f}%" if 0 < percent < 10 or 99 < percent < 100 else f"{percent:.0f}%"


def duration_text(seconds: float | None) -> str:
    """Seconds up to two minutes, then minutes, then hours."""
    if seconds is None:
        return UNKNOWN
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def price_text(price: float) -> str:
    """A price, without its currency."""
    return f"{price:,.2f}" if price >= 1 or price == 0 else f"{price:.2g}"


def rate_text(rows_per_second: float | None) -> str:
    """Rows per second."""
    return UNKNOWN if rows_per_second is None else f"{number_text(round(rows_per_second))} rows/s"


def count_text(count: int, singular: str, plural: str = "") -> str:
    """`1 column`, `3 columns`."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def day_text(moment: str | None) -> str:
    """An as_of without the midnight that most of them have."""
    return (moment or UNKNOWN).removesuffix("T00:00:00Z")


def shorten_name(name: str, max_length: int = 48) -> str:
    """A name that fits next to a picture: the middle is left out, as names often differ at their end."""
    name = visible_line(name)
    half = (max_length - 1) // 2
    return name if len(name) <= max_length else f"{name[:half]}…{name[-half:]}"
