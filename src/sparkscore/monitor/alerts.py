"""Alerts of a run, and their text in a chat. `monitor.webhook` sends them."""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from sparkscore.errors import MONITORING_BREACH, ExportFailed, GateFailed
from sparkscore.monitor.visible import visible_line
from sparkscore.records import RunReport, json_digest
from sparkscore.redaction.secret_patterns import redact_secrets

AlertKind = Literal["gate_failed", "drift", "sla", "run_failed", "export_failed", "performance"]

ALERT_TITLES: dict[AlertKind, str] = {
    "gate_failed": "gate failed, nothing was published",
    "drift": "drift",
    "sla": "SLA broken",
    "run_failed": "run failed",
    "export_failed": "export failed, the predictions are published",
    "performance": "performance",
}
MAX_ALERT_CHARS = 600
"""Greatest number of characters of one alert: people read it on a phone."""
_CHANNEL_MENTION = re.compile(r"@(?=(?:channel|here|everyone|all)\b)", re.IGNORECASE)
"""Words with which Mattermost, Discord and others notify a whole channel."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. Grain: one per kind and run."""

    kind: AlertKind
    job: str
    as_of: str | None
    run_id: str | None
    text: str

    @property
    def key(self) -> str:
        """The identity of an alert, without the run: a retry with the same outcome may be another run."""
        return json_digest([self.job, self.as_of, self.kind, self.text])[:32]

    @property
    def summary(self) -> str:
        """One line for people."""
        run = f" (run {self.run_id[:12]})" if self.run_id else ""
        return f"{ALERT_TITLES[self.kind]}: {self.job}, {self.as_of or 'no as_of'}: {self.text}{run}"


def alerts_for_report(report: RunReport) -> list[Alert]:
    """The alerts of a finished run, the most severe first; none for a dry run."""
    if report.status == "dry_run":
        return []
    return [
        Alert(kind, report.job, report.as_of, report.run_id, text[:MAX_ALERT_CHARS])
        for kind, text in _alert_reasons(report)
    ]


def _alert_reasons(report: RunReport) -> Iterator[tuple[AlertKind, str]]:
    if report.exit_code == GateFailed.exit_code:
        yield "gate_failed", _alert_error_text(report)
    elif report.status == "failed" and report.exit_code != MONITORING_BREACH:
        yield "run_failed", _alert_error_text(report)
    elif report.exit_code == ExportFailed.exit_code:
        yield "export_failed", _alert_error_text(report)
    if report.drifted:
        yield "drift", f"{report.drifted} column{'s have' if report.drifted > 1 else ' has'} drifted"
    if report.sla_broken:
        yield "sla", "; ".join(report.sla_broken)


def _alert_error_text(report: RunReport) -> str:
    """The class and the first line; the result holds what was expected and what to do."""
    lines = report.error.message.splitlines() if report.error else []
    name = report.error.class_name if report.error else f"exit code {report.exit_code}"
    return f"{name}: {lines[0]}" if lines else name


def unsent_alerts(alerts: Sequence[Alert], sent_keys: Collection[str]) -> list[Alert]:
    """The alerts whose keys were not sent before: a scheduler's retry sends nothing twice."""
    return [alert for alert in alerts if alert.key not in sent_keys]


def slack_message(alerts: Sequence[Alert]) -> bytes:
    """The alerts as one message in the JSON that Slack, and what is compatible with it, takes: a line per alert.

    Quoted text notifies nobody, is not formatted, and no link in it is fetched.

    Source:  Slack, "Formatting text for app surfaces": of a text, only &, < and > are escaped; `mrkdwn` and `unfurl_…`
             are fields of chat.postMessage. A letter without width parts the @ from the mentions of other servers.
    """
    text = "\n".join(_CHANNEL_MENTION.sub("@\u200b", visible_line(redact_secrets(alert.summary))) for alert in alerts)
    for sign, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(sign, escaped)
    as_text = {"mrkdwn": False, "unfurl_links": False, "unfurl_media": False}
    return json.dumps({"text": text} | as_text).encode()
