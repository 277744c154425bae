"""Reports an attempt to the outside: to the webhook, and in the file that Prometheus reads. Fails no run."""

from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from sparkscore.monitor.alerts import alerts_for_report, unsent_alerts
from sparkscore.monitor.metrics_file import write_metrics
from sparkscore.monitor.webhook import send_alerts
from sparkscore.records import RunEvent, RunReport, Verdict
from sparkscore.redaction.secret_patterns import shorten_redacted

log = structlog.get_logger("sparkscore")

_WEBHOOK_WAIT_S = 2.0
"""How long the end of a run waits for a webhook that has not answered yet."""


def notify_webhook(report: RunReport, url: str | None, *, earlier_events: Sequence[RunEvent]) -> tuple[str, ...]:
    """Send the alerts of a report that were not sent in the `past` of its as_of to the webhook.

    Returns the keys of the alerts that it accepted. Run events keep them, so that no later attempt sends them again.
    """
    if url is None:
        return ()
    sent = {key for event in earlier_events for key in event.parsed_details.get("alerts", ())}
    sending = send_alerts(unsent_alerts(alerts_for_report(report), sent), url)
    return () if sending is None else sending.wait_for_result(_WEBHOOK_WAIT_S).sent_keys


def write_attempt_metrics(report: RunReport, verdicts: Sequence[Verdict], folder: str, *, cores: int) -> None:
    """Write the metrics of a report for Prometheus."""
    try:
        write_metrics(report, folder, at=datetime.now(UTC), verdicts=verdicts, cores=cores)
    except OSError as error:
        log.warning("metrics not written", folder=folder, error=shorten_redacted(str(error), 300))
