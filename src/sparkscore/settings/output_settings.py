"""Settings of the prediction table: what becomes of predictions, and where they go."""

from datetime import UTC, date, datetime, timedelta

from pydantic import Field, field_validator

from sparkscore.records import json_digest
from sparkscore.settings.derived_table_settings import (
    FEATURE_TABLE_EXPORT,
    QUEUE_EXPORT,
    FeatureTableOutputSettings,
    QueueSettings,
)
from sparkscore.settings.export_settings import ExportSettings, find_repeated_exports
from sparkscore.settings.frozen_settings import FrozenSettings
from sparkscore.settings.output_column_settings import LABELS_EXTRA, OutputColumnSettings, WholeLabel

MAX_RETENTION_DAYS = 365_000
"""A thousand years: a date lies before any of today's by as many days."""


class OutputSettings(FrozenSettings):
    """Where predictions go."""

    table: str = Field(description="prediction table: catalog name, path, or plain name under the home folder")
    stage: str | None = Field(
        default=None,
        description="folder of predictions before their publication; default <home>/stage",
        json_schema_extra={"path": True},
    )
    rename: dict[str, str] = Field(
        default_factory=dict,
        description="names of keys and pass-through columns in the prediction table: {source column: its name there};"
        " default: the source's name, with _ for characters that plain Delta tables refuse",
    )
    threshold: float | None = Field(
        default=None, ge=0, le=1, description="adds a column label, which is 1 if the probability is at least this"
    )
    columns: tuple[OutputColumnSettings, ...] = Field(
        default=(),
        description="columns that are computed from the prediction when a run is published, each from those before it:"
        " [{name: risk, probability: late}]",
    )
    classes: tuple[str, ...] | tuple[WholeLabel, ...] = Field(
        default=(),
        description="labels of the model's classes, in the order of its values; default: what the model's files say",
        json_schema_extra=LABELS_EXTRA,
    )
    explode: dict[str, str] = Field(
        default_factory=dict,
        description="views with one row per item of a list: {column of the prediction table: name of the view}",
    )
    allow_null: tuple[str, ...] = Field(
        default=(),
        description="parts of the prediction that may be NULL: a field, a dotted path (items of a list: element), or"
        " prediction for the whole; besides those that the model's signature calls optional",
    )
    retention_days: int | None = Field(
        default=None,
        ge=1,
        le=MAX_RETENTION_DAYS,
        description="maintain removes predictions, rejects and events of an older as_of",
    )

    exports: tuple[ExportSettings, ...] = Field(
        default=(),
        description="copies for readers that do not read Delta, after each publication:"
        " [{name: bi, format: parquet, path: /data/bi}]",
    )

    queue: QueueSettings | None = Field(
        default=None,
        description="the first rows of each as_of by expected loss, as the table <table>_queue: {top: 500, by: risk,"
        " amount: amount}",
    )
    feature_table: FeatureTableOutputSettings | None = Field(
        default=None,
        description="the predictions as features of other models, with valid_from and valid_to:"
        " {table: delay_features}",
    )

    @field_validator("exports")
    @classmethod
    def _refuse_repeated_exports(cls, exports: tuple[ExportSettings, ...]) -> tuple[ExportSettings, ...]:
        problems = find_repeated_exports(exports)
        if problems:
            raise ValueError("; ".join(problems))
        return exports

    @property
    def export_names(self) -> tuple[str, ...]:
        """The exports and the tables that are made of what is published, by the names that run events keep."""
        derived = {QUEUE_EXPORT: self.queue, FEATURE_TABLE_EXPORT: self.feature_table}
        return (*(one.name for one in self.exports), *(name for name, one in derived.items() if one is not None))

    @property
    def columns_digest(self) -> str | None:
        """sha256 over what computes columns from predictions; None where the config names none."""
        if not self.columns:
            return None
        return json_digest([[one.model_dump(exclude_defaults=True) for one in self.columns], self.classes])

    def first_kept_date(self, now: datetime) -> date | None:
        """The first `as_of_date` that retention keeps at a time; None: all of them."""
        return None if self.retention_days is None else now.astimezone(UTC).date() - timedelta(days=self.retention_days)
