"""Settings of the model, of how rows reach it, of the gates and of where predictions go."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field, field_validator

from sparkscore.records import TrustPolicy
from sparkscore.redaction.known_secrets import register_uri_secrets
from sparkscore.settings.export_settings import ExportSettings, find_repeated_exports
from sparkscore.settings.frozen_settings import RELATIVE_PATH_NOTE, FrozenSettings
from sparkscore.settings.trust_settings import TrustSettings

ParamScalar = bool | int | float | str

MAX_RETENTION_DAYS = 365_000
"""A thousand years: a date lies before any of today's by as many days."""

MAX_TIMEOUT_S = 2_592_000
"""Thirty days: watchdogs of Python take no endless time."""


class ModelSettings(FrozenSettings):
    """Which model scores, and how it is run."""

    uri: str = Field(description="models:/<name>@<alias> or models:/<name>/<version>")
    tracking_uri: str | None = Field(
        default=None, description="MLflow server; default: MLFLOW_TRACKING_URI, else sqlite under the home folder"
    )
    inputs: dict[str, str] = Field(
        default_factory=dict, description="maps model inputs to source columns, if names differ"
    )
    casts: dict[str, Literal["integer", "long", "float", "double"]] = Field(
        default_factory=dict,
        description="casts of numbers that may lose digits: {model input: its type}; a row with a number beyond the"
        " type's range is rejected",
    )
    missing: dict[str, bool | int | float | str] = Field(
        default_factory=dict,
        description="what happens to NULL, NaN and infinities: {model input: pass, reject, or the value in their"
        " place}; default: pass",
    )
    params: dict[str, ParamScalar | tuple[ParamScalar, ...]] = Field(
        default_factory=dict, description="params of the model's signature, with lists where it has the shape (-1,)"
    )
    runtime: Literal["auto", "pyfunc", "sklearn", "onnx", "torch"] = Field(
        default="auto", description="the library that executes the model"
    )
    residency: Literal["worker", "executor"] = Field(
        default="worker",
        description="where the model stays loaded: in each Python worker, or in one process per executor",
    )
    requirements: Literal["ignore", "warn", "refuse"] = Field(
        default="warn",
        description="what is done where the model's requirements.txt names other versions than are installed",
    )
    trust: TrustSettings = TrustSettings()

    @property
    def trust_policy(self) -> TrustPolicy:
        """Which models may be loaded."""
        return self.trust.to_policy(requirements=self.requirements)

    @field_validator("uri", "tracking_uri")
    @classmethod
    def _register_uri_secrets(cls, uri: str | None) -> str | None:
        register_uri_secrets(uri)
        return uri


class ScoringSettings(FrozenSettings):
    """How rows reach the model, and which become rejects. What changes no value beyond rounding is not part of a run's
    identity."""

    transport: Literal["auto", "pandas_udf", "arrow", "scan"] = Field(
        default="auto", description="how rows reach the model"
    )
    batch_rows: Annotated[int, Field(ge=1, le=10_000_000)] | Literal["auto"] = Field(
        default="auto", description="rows per Arrow batch"
    )
    chunk_minutes: float = Field(
        default=5, gt=0, description="minutes of scoring after which the finished work is kept for the next attempt"
    )
    deadline: float | None = Field(
        default=None, gt=0, description="minutes that a run may take; then it stops and keeps its chunks (exit 75)"
    )
    batch_timeout: float | None = Field(
        default=None,
        gt=0,
        le=MAX_TIMEOUT_S,
        description="seconds that the model may take for one batch; then the rows of the batch are rejected (residency"
        " executor), or the run stops (residency worker)",
    )
    reject_null_predictions: bool = Field(
        default=False,
        description="reject rows whose prediction, or a part of it that must be there, is NULL or NaN; else such a row"
        " stops the run (exit 3)",
    )
    repeat_rows: int = Field(
        default=8,
        ge=0,
        le=1_000,
        description="rows of a run's first batch that are predicted twice more: a model that is not deterministic is a"
        " warning; 0: none",
    )
    max_rejects: int | None = Field(
        default=None, ge=0, description="more rejected rows than this stop the run (exit 3)"
    )
    max_reject_ratio: float = Field(
        default=0.1, ge=0, le=1, description="a greater share of rejected rows than this stops the run (exit 3)"
    )


class GateSettings(FrozenSettings):
    """Great Expectations suites (JSON) that judge the data."""

    input: str | None = Field(
        default=None,
        description=f"suite that judges the source before the scoring; {RELATIVE_PATH_NOTE}",
        json_schema_extra={"path": True},
    )
    output: str | None = Field(
        default=None,
        description=f"suite that judges the staged predictions before the publish; {RELATIVE_PATH_NOTE}",
        json_schema_extra={"path": True},
    )
    before: Literal["always", "when_cheaper", "never"] = Field(
        default="when_cheaper",
        description="whether the suite of gate.input judges before the model runs; else the tasks that score measure"
        " its rules, and nothing is published before it has judged. when_cheaper: where scoring is known to be quick,"
        " the rows are read once",
    )
    mean_shift: float | None = Field(
        default=None,
        gt=0,
        description="greatest distance between the mean of the predictions and that of the last published run, in"
        " standard deviations of the last run",
    )
    label_shift: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="greatest distance between the shares of the labels and those of the last published run (total"
        " variation distance), 0 to 1",
    )
    shift_severity: Literal["critical", "warning", "info"] = Field(
        default="critical", description="severity of a shift that is too large: critical stops the run"
    )


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

    @field_validator("exports")
    @classmethod
    def _refuse_repeated_exports(cls, exports: tuple[ExportSettings, ...]) -> tuple[ExportSettings, ...]:
        problems = find_repeated_exports(exports)
        if problems:
            raise ValueError("; ".join(problems))
        return exports

    def first_kept_date(self, now: datetime) -> date | None:
        """The first `as_of_date` that retention keeps at a time; None: all of them."""
        return None if self.retention_days is None else now.astimezone(UTC).date() - timedelta(days=self.retention_days)
