"""Those outside who are told of an attempt: the webhook, and the file that Prometheus reads. Fails no run."""

from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from sparkscore.errors import redact_secrets
from sparkscore.monitor.alerts import alerts_for_report, unsent_alerts
from sparkscore.monitor.metrics_file import write_metrics
from sparkscore.monitor.webhook import send_alerts
from sparkscore.records import RunEvent, RunReport, Verdict

log = structlog.get_logger("sparkscore")

_WEBHOOK_WAIT_S = 2.0
"""How long the end of a run waits for a webhook that has not answered yet."""


def notify_webhook(report: RunReport, url: str | None, *, past: Sequence[RunEvent]) -> tuple[str, ...]:
    """Tell the webhook what there is to tell of a report and was not told in the `past` of its as_of.

    The keys of what it has taken: kept in the run events, so that no later attempt of the as_of tells it again.
    """
    if url is None:
        return ()
    before = {key for event in past for key in event.parsed_details.get("alerts", ())}
    sending = send_alerts(unsent_alerts(alerts_for_report(report), before), url)
    return () if sending is None else sending.finish(_WEBHOOK_WAIT_S).told


def write_attempt_metrics(report: RunReport, verdicts: Sequence[Verdict], folder: str, *, cores: int) -> None:
    """Write the metrics of a report."""
    try:
        write_metrics(report, folder, at=datetime.now(UTC), verdicts=verdicts, cores=cores)
    except OSError as error:
        log.warning("no metrics", folder=folder, error=redact_secrets(str(error))[:300])
