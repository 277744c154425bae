"""Writes JSON values and times so that equal ones give equal texts."""

import hashlib
import json
from datetime import UTC, datetime


def json_digest(value: object) -> str:
    """The sha256 of a JSON value, 64 hexadecimal digits: keys sorted, no spaces, so equal values have equal digests."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":"), default=str).encode()).hexdigest()


def to_utc_text(time: datetime) -> str:
    """The time in ISO 8601 with a trailing Z, microseconds only where there are any."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
