"""Settings of a job: frozen values, one object per concern. Defaults live here; unknown keys are refused.

Layers, later wins, merged deeply: `--config` files in order < `SPARKSCORE_…` environment < `--dotted.flag`.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from sparkscore.errors import ConfigError
from sparkscore.records import Condition, FilterOperator, json_digest
from sparkscore.settings import layers
from sparkscore.settings.scalar_texts import refuse_other_numbers, separate_texts
from sparkscore.settings.strict_yaml import PlainScalar, bare_value

JOB_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
_RELATIVE_PATH_NOTE = "relative to the file that names it"
_NULLS = " (to YAML, ~, null and nothing are NULL; in quotes they are text)"


class _FrozenModel(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _truth_is_no_number(cls, value: object, info: ValidationInfo) -> object:
        """pydantic takes true for 1, so that `version: off` would mean version 0."""
        if isinstance(value, bool) and info.field_name is not None:
            types = set(_plain_types(cls.model_fields[info.field_name].annotation))
            if types & {int, float} and bool not in types:
                raise ValueError("expected a number, not true or false")
        return value


def _plain_types(annotation: Any) -> Iterator[Any]:
    inner = get_args(annotation)
    yield from (one for part in inner for one in _plain_types(part)) if inner else (annotation,)


@dataclass(frozen=True, slots=True)
class WrittenTexts:
    """How a filter's values were written. Two filters with equal values are equal, however they were written."""

    texts: tuple[str | None, ...] = field(default=(), compare=False)


class FilterCondition(_FrozenModel):
    """One typed comparison: a column, an operator, a value. Never SQL."""

    column: str
    op: FilterOperator = "="
    value: Any = None
    _written: WrittenTexts = PrivateAttr(default_factory=WrittenTexts)

    @model_validator(mode="wrap")
    @classmethod
    def _remember_texts(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Keep the text of a value that YAML has not read as text, until its column's type is known."""
        if not isinstance(data, dict):
            return handler(data)
        one, value = handler(bare_value(data)), data.get("value")
        scalars = value if isinstance(value, list) else [value]
        texts = (scalar.text if isinstance(scalar, PlainScalar) else None for scalar in scalars)
        one._written = WrittenTexts(tuple(texts))  # noqa: SLF001  of this class
        return one

    @model_validator(mode="after")
    def _value_fits_operator(self) -> Self:
        if self.op in ("is null", "is not null"):
            if self.value is not None:
                raise ValueError(f"{self.op!r} takes no value")
        elif self.op in ("in", "not in"):
            if not isinstance(self.value, list) or not self.value or None in self.value:
                raise ValueError(f"{self.op!r} takes a list of values, none of them null{_NULLS}")
        elif self.value is None or isinstance(self.value, list | dict):
            raise ValueError(f"{self.op!r} takes one value; for NULL use 'is null'{_NULLS}")
        return self

    def condition(self) -> Condition:
        """The record that `ingest` reads."""
        value = tuple(self.value) if isinstance(self.value, list) else self.value
        return Condition(self.column, self.op, value, yaml_texts=() if value is None else self._written.texts)


class SourceSettings(_FrozenModel):
    """What is scored."""

    table: str = Field(
        description="the table to score: catalog name, path, or plain name (a table under the home folder)"
    )
    keys: tuple[str, ...] = Field(min_length=1, description="columns whose values identify a row")
    version: Annotated[int, Field(ge=0)] | Literal["latest", "as_of"] = Field(
        default="latest", description="Delta version: latest, an integer, or as_of (the newest version at that time)"
    )
    where: tuple[FilterCondition, ...] = Field(default=(), description='filter: [{column: month, op: ">=", value: 10}]')
    passthrough: tuple[str, ...] = Field(default=(), description="source columns to copy next to each prediction")
    sensitive: tuple[str, ...] = Field(
        default=(), description="columns whose values appear in no reject, log, error or report"
    )

    @field_validator("keys", "passthrough", "sensitive")
    @classmethod
    def _no_repeats(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"named twice: {', '.join(repeated)}")
        return names

    @model_validator(mode="after")
    def _keys_are_not_passed_through(self) -> Self:
        both = sorted(set(self.keys) & set(self.passthrough))
        if both:
            raise ValueError(f"keys are always in the prediction table; remove from passthrough: {', '.join(both)}")
        return self


class ModelSettings(_FrozenModel):
    """Which model scores, and how it is run."""

    uri: str = Field(description="models:/<name>@<alias> or models:/<name>/<version>")
    tracking_uri: str | None = Field(
        default=None, description="MLflow server; default: MLFLOW_TRACKING_URI, else sqlite under the home folder"
    )
    inputs: dict[str, str] = Field(
        default_factory=dict, description="maps model inputs to source columns, if names differ"
    )
    params: dict[str, bool | int | float | str] = Field(
        default_factory=dict, description="params of the model's signature"
    )
    runtime: Literal["auto", "pyfunc", "sklearn", "onnx", "torch"] = Field(
        default="auto", description="the library that executes the model"
    )
    residency: Literal["worker", "executor"] = Field(
        default="worker",
        description="where the model stays loaded: in each Python worker, or in one process per executor",
    )


class ScoringSettings(_FrozenModel):
    """How rows reach the model. Changes no value beyond rounding, so it is not part of a run's identity."""

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
        description="seconds that the model may take for one batch; then the rows of the batch are rejected (residency"
        " executor), or the run stops (residency worker)",
    )
    max_rejects: int | None = Field(
        default=None, ge=0, description="more rejected rows than this stop the run (exit 3)"
    )
    max_reject_ratio: float = Field(
        default=0.1, ge=0, le=1, description="a greater share of rejected rows than this stops the run (exit 3)"
    )


class GateSettings(_FrozenModel):
    """Great Expectations suites (JSON) that judge the data."""

    input: str | None = Field(
        default=None,
        description=f"suite that judges the source before the scoring; {_RELATIVE_PATH_NOTE}",
        json_schema_extra={"path": True},
    )
    output: str | None = Field(
        default=None,
        description=f"suite that judges the staged predictions before the publish; {_RELATIVE_PATH_NOTE}",
        json_schema_extra={"path": True},
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


class OutputSettings(_FrozenModel):
    """Where predictions go."""

    table: str = Field(description="prediction table: catalog name, path, or plain name under the home folder")
    stage: str | None = Field(
        default=None,
        description="folder of predictions before their publication; default <home>/stage",
        json_schema_extra={"path": True},
    )
    threshold: float | None = Field(
        default=None, ge=0, le=1, description="adds a column label, which is 1 if the probability is at least this"
    )
    retention_days: int | None = Field(
        default=None, ge=1, description="maintain removes predictions, rejects and events of an older as_of"
    )

    def kept_from(self, now: datetime) -> date | None:
        """The first `as_of_date` that retention keeps at this time; None: all dates."""
        return None if self.retention_days is None else now.astimezone(UTC).date() - timedelta(days=self.retention_days)


class ProfileSettings(_FrozenModel):
    """What is stored about the columns of each run."""

    rows: Annotated[int, Field(ge=1)] | Literal["all", "none"] = Field(
        default=1_000_000,
        description="number of source rows to profile, or all, or none; predictions are profiled in full",
    )
    segments: tuple[str, ...] = Field(
        default=(),
        description="columns of keys or passthrough; profiles and drift are also computed for each of their values",
    )


class DriftSettings(_FrozenModel):
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


class SlaSettings(_FrozenModel):
    """Rules about the runs of a job; `check_sla` checks the run events against them."""

    every_hours: float | None = Field(default=None, gt=0, description="hours from one as_of to the next")
    published_within_hours: float | None = Field(default=None, gt=0, description="hours from as_of to its publication")
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
    def promised(self) -> bool:
        """Whether there is any rule."""
        return any(value is not None for name, value in self if name != "fail")


class MonitorSettings(_FrozenModel):
    """Where the results of a run go."""

    report: bool = Field(default=True, description="write an HTML report per run under <home>/reports")
    metrics: str | None = Field(
        default=None,
        description=f"folder of node exporter's textfile collector; {_RELATIVE_PATH_NOTE}",
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


class Settings(BaseSettings):
    """A whole job."""

    model_config = ConfigDict(frozen=True, extra="forbid")  # type: ignore[assignment]

    job: str = Field(description="name of the job, which owns its prediction table", pattern=JOB_NAME)
    home: str = Field(
        default=".sparkscore",
        description="folder of tables, stages, reports and the local registry",
        json_schema_extra={"path": True},
    )
    source: SourceSettings
    model: ModelSettings
    scoring: ScoringSettings = ScoringSettings()
    gate: GateSettings = GateSettings()
    output: OutputSettings
    profile: ProfileSettings = ProfileSettings()
    drift: DriftSettings = DriftSettings()
    sla: SlaSettings = SlaSettings()
    monitor: MonitorSettings = MonitorSettings()

    @model_validator(mode="after")
    def _segments_reach_readers(self) -> Self:
        """The values of a segment are shown, and are columns of the prediction table."""
        source, segments = self.source, self.profile.segments
        strange = [name for name in segments if name not in (*source.keys, *source.passthrough)]
        if strange:
            raise ValueError(
                f"profile.segments names columns that are neither keys nor in source.passthrough: {', '.join(strange)}"
            )
        told = [name for name in segments if name in source.sensitive]
        if told:
            raise ValueError(
                f"profile.segments are shown, but these columns are in source.sensitive: {', '.join(told)}"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load` (or the caller of the constructor) gives: only `load` reads the environment."""
        return (init_settings,)

    @classmethod
    def load(
        cls, *files: str | Path, flags: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None
    ) -> Self:
        """The settings from files, environment and flags.

        Needs:   `flags` by dotted name (`source.table`), values as text; `environ` defaults to the process's.
        Raises:  ConfigError naming the file or variable, what was found, and the nearest right name; for a key that
                 stands twice in one mapping, and for a number that YAML reads in another base than people do.
        """
        env = layers.select_setting_variables(cls, os.environ if environ is None else environ)
        words = layers.to_setting_variables(flags or {})
        read = [
            layers.resolve_layer_paths(cls, layers.read_config_file(Path(file)), Path(file).resolve().parent)
            for file in files
        ]
        read.append(layers.resolve_layer_paths(cls, layers.parse_variables_layer(cls, env), Path.cwd()))
        read.append(
            layers.resolve_layer_paths(cls, layers.parse_variables_layer(cls, words, spell=layers.flag_of), Path.cwd())
        )
        merged, texts = separate_texts(layers.merge_layers(read))
        layers.refuse_templates(merged)
        try:
            settings = cls(**merged)
        except ValidationError as error:
            raise layers.to_config_error(cls, error, files, texts) from error
        refuse_other_numbers(texts)
        return settings

    @property
    def home_uri(self) -> str:
        """The home folder, absolute, or a URI with a scheme."""
        return layers.to_absolute_path(self.home, Path.cwd())

    @property
    def tracking_uri(self) -> str | None:
        """The MLflow server: as configured, else by environment or platform (None), else sqlite in the home.

        Raises:  ConfigError when the home is not a local folder and no server is named.
        """
        if (
            self.model.tracking_uri is not None
            or "MLFLOW_TRACKING_URI" in os.environ
            or "DATABRICKS_RUNTIME_VERSION" in os.environ
        ):
            return self.model.tracking_uri
        if layers.is_uri(self.home_uri):
            raise ConfigError(
                f"no MLflow server is set, and the home {self.home_uri} is not a local folder",
                "model.tracking_uri",
                "set MLFLOW_TRACKING_URI, or model.tracking_uri",
            )
        return f"sqlite:///{self.home_uri}/mlflow.db"

    @property
    def stage_uri(self) -> str:
        """The folder of stages."""
        return self.output.stage or f"{self.home_uri}/stage"

    def scoring_digest(self, rejecting: Sequence[Mapping[str, Any]] = ()) -> str:
        """sha256 over what can change a row or a value of the stage: no paths, transports, gates, monitoring or
        post-processing.

        `rejecting`: the rules of the input gate's suite that reject rows, as data.
        """
        return self._digest_scoring(rejecting, threshold=None)

    def former_scoring_digest(self, rejecting: Sequence[Mapping[str, Any]] = ()) -> str:
        """The digest in the pins of runs that older versions began: it holds the threshold."""
        return self._digest_scoring(rejecting, threshold=self.output.threshold)

    def _digest_scoring(self, rejecting: Sequence[Mapping[str, Any]], *, threshold: float | None) -> str:
        source, model = self.source, self.model
        # only there is a batch that takes too long rejected: with another time-out, or none, it may not be
        ended = {} if model.residency == "worker" else {"batch_timeout": self.scoring.batch_timeout}
        return json_digest(
            {
                "where": [condition.model_dump() for condition in source.where],
                "keys": source.keys,
                "passthrough": source.passthrough,
                "inputs": model.inputs,
                "params": model.params,
                "runtime": model.runtime,
                "threshold": threshold,  # the digests of jobs without one are what they were when it counted
                "row_rules": ["null_key", *rejecting],
                **{name: value for name, value in ended.items() if value is not None},
            }
        )
