"""Checks of clocks: the driver's against those of the executors, of storage and of the registry's server."""

import os
import time
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from sparkscore.records.diagnosis_records import EnvironmentCheck
from sparkscore.timed_calls import CallTooLong, call_in_time

_WARN_S, _FAIL_S = 30.0, 300.0
"""As_ofs and the events of a run are times of the driver; stores and tokens refuse what is minutes off."""
_PATIENCE_S, _LONGEST_S = 5.0, 15.0
"""For each read of an answer, and for all of it."""


def judge_clock(name: str, ahead_s: float) -> EnvironmentCheck:
    """Whether a clock is so far from the driver's that something will go wrong. Seconds ahead of the driver's."""
    found = f"{abs(ahead_s):,.0f} s {'ahead of' if ahead_s > 0 else 'behind'} the driver's clock"
    cure = "synchronise the clocks: chrony or systemd-timesyncd on each machine"
    if abs(ahead_s) >= _FAIL_S:
        return EnvironmentCheck(name, "fail", f"{found}: stores and tokens refuse that", cure)
    if abs(ahead_s) >= _WARN_S:
        return EnvironmentCheck(name, "warn", f"{found}: times of events are off by as much", cure)
    return EnvironmentCheck(name, "ok", f"within {_WARN_S:.0f} s of the driver's clock")


def measure_skew(told_s: float, before_s: float, after_s: float) -> float:
    """Seconds that a clock is ahead of the driver's, which was read before and after: what is in between is 0."""
    return told_s - before_s if told_s < before_s else max(0.0, told_s - after_s)


def check_server_clock(address: str | None) -> EnvironmentCheck:
    """The clock of the registry's server, by the header Date of an answer, whatever it answers."""
    import requests

    name = "clock of the registry"
    if address is None or not address.startswith(("http://", "https://")):
        return EnvironmentCheck(name, "skip", "no server over HTTP")

    def ask() -> requests.Response:
        trusted = os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or True
        return requests.head(_hide_user(address), timeout=_PATIENCE_S, allow_redirects=False, verify=trusted)

    before = time.time()
    try:  # OSError: a certificate that is not where it should be
        answer = call_in_time(ask, seconds=_LONGEST_S, name="sparkscore-clock")
        told = parsedate_to_datetime(answer.headers["Date"]).timestamp()
    except (requests.RequestException, CallTooLong, OSError, KeyError, ValueError) as error:
        return EnvironmentCheck(name, "skip", f"the server tells no time ({type(error).__name__})")
    return judge_clock(name, measure_skew(told, before - 1, time.time()))  # the header has no fractions


def _hide_user(address: str) -> str:
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
