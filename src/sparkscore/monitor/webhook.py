"""Sends alerts to a webhook in the background: whatever the other side does, the run neither fails nor waits long.

The URL is a secret (who has it can write to the channel): only its host is shown.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from sparkscore.monitor.alerts import Alert, slack_message
from sparkscore.monitor.http_post import post_json, url_host

log = structlog.get_logger("sparkscore")

TIMEOUT_S = 5.0
"""Seconds for both tries together."""
PAUSE_S = 0.3
"""Seconds before the second try."""


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """The outcome of a message."""

    sent_keys: tuple[str, ...] = ()
    """Keys of the alerts that the other side accepted."""
    problem: str | None = None
    """In words, without the URL; None where there was none."""


class AlertDelivery:
    """A message that is being sent, in a thread that ends with the process at the latest. `send_alerts` creates it."""

    def __init__(self, alerts: Sequence[Alert], url: str, *, timeout_s: float) -> None:
        self._sent = DeliveryResult(problem=f"{url_host(url)}: no answer in time")
        arguments = (tuple(alerts), url, time.monotonic() + timeout_s)
        self._thread = threading.Thread(target=self._run, args=arguments, name="sparkscore-webhook", daemon=True)
        self._thread.start()

    def wait_for_result(self, timeout_s: float = 2.0) -> DeliveryResult:
        """Wait for the outcome, at most this long. Never raises; a problem is logged as a warning."""
        self._thread.join(timeout=timeout_s)
        result = self._sent
        if result.problem is not None:
            log.warning("alerts not sent", why=result.problem)
        return result

    def _run(self, alerts: tuple[Alert, ...], url: str, until: float) -> None:
        body = slack_message(alerts)
        failed = post_json(url, body, until=until)
        if failed and failed.again and time.monotonic() + PAUSE_S < until:
            time.sleep(PAUSE_S)
            failed = post_json(url, body, until=until)
        if failed:
            self._sent = DeliveryResult(problem=f"{url_host(url)}: {failed.why}")
        else:
            self._sent = DeliveryResult(tuple(alert.key for alert in alerts))


def send_alerts(alerts: Sequence[Alert], url: str, *, timeout_s: float = TIMEOUT_S) -> AlertDelivery | None:
    """Start sending the alerts, as one message; None if there are none. Never raises.

    If there is no answer, or the server fails, there is one more try, so an alert may be sent twice.
    """
    return AlertDelivery(alerts, url, timeout_s=timeout_s) if alerts else None
