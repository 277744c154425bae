"""How long to wait before a request is tried once more. Pure. Runs on executors."""

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_FIRST_S = 0.5


def parse_retry_after(text: str | None, now: datetime) -> float | None:
    """The seconds that a `Retry-After` asks for: a number of seconds, or a date; None for anything else."""
    if text is None:
        return None
    text = text.strip()
    if text.replace(".", "", 1).isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def choose_delay(tries: int, *, longest_s: float, asked_s: float | None, source: random.Random) -> float:
    """Seconds before the next try, after `tries` that failed.

    Full jitter: anything up to a limit that doubles, so that tasks do not come back together. What the endpoint has
    asked for is the least; a tenth of it at most comes on top.
    """
    if asked_s is not None:
        return asked_s + source.uniform(0.0, min(0.1 * asked_s, longest_s))
    return source.uniform(0.0, min(longest_s, _FIRST_S * 2.0 ** min(tries, 30)))
