"""Settings of profiles, drift, SLA and of who is notified."""

import re
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator

from sparkscore.errors import ConfigError
from sparkscore.records import parse_utc_time
from sparkscore.redaction.known_secrets import register_webhook
from sparkscore.settings.frozen_settings import RELATIVE_PATH_NOTE, FrozenSettings
from sparkscore.settings.setting_secrets import require_safe_webhook

_RUN_ID = re.compile(r"[0-9a-f]{8,64}")
MAX_HOURS = 8_760_000
"""A thousand years: sums with times of today stay within the calendar."""


class ProfileSettings(FrozenSettings):
    """What is kept of the columns of each run."""

    rows: Annotated[int, Field(ge=1)] | Literal["all", "none"] = Field(
        default=1_000_000,
        description="number of source rows to profile, or all, or none; predictions are profiled in full",
    )
    segments: tuple[str, ...] = Field(
        default=(),
        description="columns of keys or passthrough; profiles and drift are also computed for each of their values",
    )


class DriftSettings(FrozenSettings):
    """What the columns of a run are compared with, and how far they may differ from it."""

    baseline: str | None = Field(
        default=None,
        description="model (the training data that was logged with it), a run_id, or FROM/TO (as_of dates, inclusive)",
    )
    psi: float | None = Field(default=0.25, gt=0, description="greatest population stability index; null: no alert")
    jensen_shannon: float | None = Field(default=None, gt=0, le=1, description="greatest Jensen-Shannon distance")
    kolmogorov_smirnov: float | None = Field(
        default=None, gt=0, le=1, description="greatest Kolmogorov-Smirnov distance"
    )
    wasserstein: float | None = Field(
        default=None, gt=0, description="greatest Wasserstein distance, in standard deviations of the reference"
    )
    cramers_v: float | None = Field(default=None, gt=0, le=1, description="greatest Cramér's V of chi-squared")
    min_rows: int = Field(
        default=500, ge=1, description="with fewer rows than this on either side, drift raises no alert"
    )
    fail: bool = Field(default=False, description="drift ends the published run with exit code 5")

    @field_validator("baseline")
    @classmethod
    def _check_baseline(cls, baseline: str | None) -> str | None:
        """What can name nothing would be found only after the run is published."""
        if baseline is None or baseline == "model" or _RUN_ID.fullmatch(baseline):
            return baseline
        first, _, last = baseline.partition("/")
        try:
            is_window = parse_utc_time(first, what="FROM") <= parse_utc_time(last, what="TO")
        except ConfigError as error:
            raise ValueError(f"{baseline!r} is neither model, nor a run_id, nor FROM/TO") from error
        if not is_window:
            raise ValueError(f"{baseline!r} ends before it begins")
        return baseline


class SlaSettings(FrozenSettings):
    """What readers can rely on; `check_sla` checks the run events against it."""

    every_hours: float | None = Field(default=None, gt=0, le=MAX_HOURS, description="hours from one as_of to the next")
    published_within_hours: float | None = Field(
        default=None, gt=0, le=MAX_HOURS, description="hours from as_of to its publication"
    )
    source_age_hours: float | None = Field(
        default=None, gt=0, description="greatest age of the source's version when the predictions are published"
    )
    duration_minutes: float | None = Field(
        default=None, gt=0, description="minutes from the start of the first attempt to the publication"
    )
    completeness: float | None = Field(
        default=None, gt=0, le=1, description="least share of the source rows with a prediction"
    )
    rows_per_second: float | None = Field(default=None, gt=0, description="least rows scored per second of scoring")
    fail: bool = Field(default=False, description="a broken rule ends the published run with exit code 5")

    @property
    def has_rules(self) -> bool:
        """Whether there is anything to check a run against."""
        return any(value is not None for name, value in self if name != "fail")


class MonitorSettings(FrozenSettings):
    """Who is notified of runs."""

    report: bool = Field(default=True, description="write an HTML report per run under <home>/reports")
    metrics: str | None = Field(
        default=None,
        description=f"folder of node exporter's textfile collector; {RELATIVE_PATH_NOTE}",
        json_schema_extra={"path": True},
    )
    webhook: SecretStr | None = Field(
        default=None,
        description="URL for alerts (Slack-compatible JSON); a secret, so better in SPARKSCORE_MONITOR__WEBHOOK",
        repr=False,
    )
    mlflow: bool = Field(default=True, description="log an MLflow run per scoring run")
    price_core_hour: float | None = Field(
        default=None, ge=0, description="price of one core per hour, in any currency, for the report"
    )
    price_gpu_hour: float | None = Field(
        default=None, ge=0, description="price of one GPU per hour, in the same currency"
    )

    @field_validator("webhook")
    @classmethod
    def _require_safe_webhook(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            register_webhook(url.get_secret_value())
            require_safe_webhook(url.get_secret_value())
        return url
