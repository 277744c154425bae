"""Settings of a job: frozen values, one object per concern. Defaults live here; unknown keys are refused.

Layers, later wins, merged deeply: `--config` files in order < `SPARKSCORE_…` environment < `--dotted.flag`.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic.config import JsonDict

from sparkscore.errors import ConfigError
from sparkscore.records import json_digest
from sparkscore.schemas import REASON_NAMES
from sparkscore.settings.challenger_settings import ChallengerSettings, find_repeated_challengers
from sparkscore.settings.engine_settings import EngineSettings, find_engine_problem
from sparkscore.settings.exploded_view_settings import find_view_problems
from sparkscore.settings.feature_settings import describe_features
from sparkscore.settings.frozen_settings import FrozenSettings, list_changed_settings
from sparkscore.settings.input_expressions import serialize_input_source
from sparkscore.settings.label_settings import LabelSettings
from sparkscore.settings.layers import is_uri, refuse_templates, to_absolute_path
from sparkscore.settings.lineage_settings import LineageSettings
from sparkscore.settings.llm_settings import ENDPOINT_SCHEME, LlmSettings
from sparkscore.settings.model_settings import ModelSettings
from sparkscore.settings.monitor_settings import DriftSettings, MonitorSettings, ProfileSettings, SlaSettings
from sparkscore.settings.optimize_settings import OptimizeSettings
from sparkscore.settings.output_column_settings import find_output_column_problems
from sparkscore.settings.output_names import explicit_renames, find_rename_problems, map_output_names
from sparkscore.settings.output_settings import OutputSettings
from sparkscore.settings.performance_settings import PerformanceSettings
from sparkscore.settings.promotion_settings import PromotionSettings
from sparkscore.settings.reasons_settings import ReasonsSettings
from sparkscore.settings.scalar_texts import refuse_other_numbers
from sparkscore.settings.scoring_settings import GateSettings, ScoringSettings
from sparkscore.settings.setting_layers import SettingLayers
from sparkscore.settings.setting_secrets import find_paths_with_credentials
from sparkscore.settings.settings_errors import to_config_error
from sparkscore.settings.shadow_settings import ShadowSettings
from sparkscore.settings.source_settings import SourceSettings
from sparkscore.settings.stream_settings import StreamSettings

JOB_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
_MAX_PROBLEMS = 10
_NO_ENDPOINT_SETTINGS = (
    "by",
    "groups",
    "cache_models",
    "params",
    "config",
    "runtime",
    "providers",
    "torch",
    "signature",
)
PROMPT_TEMPLATES = ("llm.prompt", "llm.system")
"""In these, braces are for the rows."""
_NO_CHANCE = (0, "0", "0.0")
"""Temperatures at which equal prompts get equal answers, so that none is paid twice: `model.reuse` is on."""
JOB_NAME_EXTRA: JsonDict = {
    "expected": "up to 128 letters, digits, dots, dashes and underscores; the first is a letter or a digit"
}


class Settings(FrozenSettings):
    """A whole job."""

    job: str = Field(
        description="name of the job, which owns its prediction table",
        pattern=JOB_NAME,
        json_schema_extra=JOB_NAME_EXTRA,
    )
    home: str = Field(
        default=".sparkscore",
        description="folder of tables, stages, reports and the local registry",
        json_schema_extra={"path": True},
    )
    source: SourceSettings
    model: ModelSettings
    llm: LlmSettings = LlmSettings()
    scoring: ScoringSettings = ScoringSettings()
    engine: EngineSettings = EngineSettings()
    gate: GateSettings = GateSettings()
    output: OutputSettings
    reasons: ReasonsSettings | None = Field(
        default=None,
        description="which features have made each prediction what it is, beside it: {top: 3}",
    )
    profile: ProfileSettings = ProfileSettings()
    drift: DriftSettings = DriftSettings()
    sla: SlaSettings = SlaSettings()
    monitor: MonitorSettings = MonitorSettings()
    lineage: LineageSettings = LineageSettings()
    optimize: OptimizeSettings = OptimizeSettings()
    labels: LabelSettings = LabelSettings()
    performance: PerformanceSettings = PerformanceSettings()
    stream: StreamSettings = StreamSettings()
    challengers: tuple[ChallengerSettings, ...] = Field(
        default=(),
        description="models that score the same rows beside the champion, for <table>_challengers:"
        " [{uri: models:/late@challenger}]",
    )

    promotion: PromotionSettings = PromotionSettings()
    shadow: ShadowSettings = ShadowSettings()

    @model_validator(mode="before")
    @classmethod
    def _name_endpoint_model(cls, given: Any) -> Any:
        """A job with a section llm has no `model.uri` of its own, and reuses answers that leave nothing to chance."""
        llm = given.get("llm") if isinstance(given, dict) else None
        model = given.get("model", {}) if isinstance(given, dict) else None
        if not isinstance(llm, Mapping) or not isinstance(model, Mapping) or not llm.get("base_url"):
            return given
        uri = f"{ENDPOINT_SCHEME}{llm.get('model') or ''}"
        if model.get("uri") not in (None, uri):
            raise ValueError("model.uri and llm.base_url: one of them scores; remove the other")
        own = {"uri": uri, "reuse": llm.get("temperature", 0) in _NO_CHANCE}
        return {**given, "model": {**own, **{name: one for name, one in model.items() if name != "uri"}}}

    @model_validator(mode="after")
    def _check_endpoint_model(self) -> Self:
        if self.model.uri.startswith(ENDPOINT_SCHEME) and not self.llm.is_used:
            raise ValueError(f"model.uri {self.model.uri}: an endpoint is set by section llm")
        if self.llm.is_used:
            idle = [name for name in list_changed_settings(self.model) if name in _NO_ENDPOINT_SETTINGS]
            if idle:
                raise ValueError(f"model.{', model.'.join(idle)} has no effect with a section llm")
        return self

    @model_validator(mode="after")
    def _check_engine(self) -> Self:
        engine = self.scoring.engine
        problem = find_engine_problem(engine, self.engine)
        if problem is not None:
            raise ValueError(problem)
        needs_spark = {"model.by": self.model.by, "model.reuse": self.model.reuse, "section llm": self.llm.is_used}
        taken = [name for name, is_set in needs_spark.items() if is_set]
        if engine != "spark" and taken:
            raise ValueError(
                f"scoring.engine {engine} with {taken[0]}, for which Spark brings the rows together; use scoring.engine"
                " spark"
            )
        return self

    @field_validator("challengers")
    @classmethod
    def _refuse_repeated_challengers(
        cls, challengers: tuple[ChallengerSettings, ...]
    ) -> tuple[ChallengerSettings, ...]:
        problems = find_repeated_challengers(challengers)
        if problems:
            raise ValueError("; ".join(problems))
        return challengers

    @model_validator(mode="after")
    def _refuse_credentials_in_paths(self) -> Self:
        """They would stand in results, events, commits and reports, and in the logs of all that reads them."""
        found = find_paths_with_credentials(self)
        if found:
            raise ValueError(
                f"{', '.join(found)}: a URI with credentials in it, which is not shown; expected a URI without them:"
                " give Spark the credentials (spark.hadoop.fs.s3a.access.key, an instance profile, AWS_… variables)"
            )
        return self

    @model_validator(mode="after")
    def _check_segments(self) -> Self:
        """The values of a segment are shown, and are columns of the prediction table."""
        source = self.source
        for setting, segments in (
            ("profile.segments", self.profile.segments),
            ("performance.segments", self.performance.segments or ()),
        ):
            unknown = [name for name in segments if name not in self._carried_columns]
            if unknown:
                raise ValueError(
                    f"{setting} names columns that are neither keys nor in source.passthrough: {', '.join(unknown)}"
                )
            sensitive = [name for name in segments if name in source.sensitive]
            if sensitive:
                raise ValueError(
                    f"{setting} are shown, but these columns are in source.sensitive: {', '.join(sensitive)}"
                )
        return self

    @model_validator(mode="after")
    def _check_label_keys(self) -> Self:
        if self.labels.keys:
            self.labels.key_columns(self.output_keys)
        return self

    @model_validator(mode="after")
    def _check_model_groups(self) -> Self:
        """Groups are shown, in names of models too; and only one transport brings rows together by group."""
        sensitive = [name for name in self.model.by if name in self.source.sensitive]
        if sensitive:
            raise ValueError(
                f"model.by names groups that are shown, and these columns are in source.sensitive:"
                f" {', '.join(sensitive)}"
            )
        if self.model.by and self.scoring.transport not in ("auto", "arrow"):
            raise ValueError(
                f"scoring.transport {self.scoring.transport} does not bring rows together by group; with model.by it is"
                " auto or arrow"
            )
        if self.model.by and self.drift.baseline == "model":
            raise ValueError(
                "drift.baseline model is the training data of one model; with model.by name a run or a window"
            )
        return self

    @model_validator(mode="after")
    def _check_derived_tables(self) -> Self:
        """Rows of an earlier as_of stay in them, whatever the source says of their key later."""
        made = [name for name in ("queue", "feature_table") if getattr(self.output, name) is not None]
        if made and self.source.on_delete == "delete":
            raise ValueError(
                f"output.{made[0]} with source.on_delete delete: rows of deleted keys would stay there; expected keep"
                " or mark"
            )
        return self

    @model_validator(mode="after")
    def _check_reasons(self) -> Self:
        if self.reasons is not None and self.model.by:
            raise ValueError("reasons are of one model, and model.by names one per group")
        if self.reasons is not None and self.model.reuse:
            raise ValueError("model.reuse keeps predictions without their reasons; expected one of both")
        taken = [name for name in self.output_names.values() if name.lower() in self.reason_names]
        if taken:
            raise ValueError(f"reasons make a column {taken[0]}, and the source has one; output.rename names it apart")
        return self

    @model_validator(mode="after")
    def _check_output_names(self) -> Self:
        problems = find_rename_problems(self._carried_columns, self.output.rename)
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @model_validator(mode="after")
    def _check_output_columns(self) -> Self:
        problems = find_output_column_problems(
            self.output.columns,
            carried=(*self.output_names.values(), *self.reason_names),
            has_threshold=self.output.threshold is not None,
            sensitive=self.output_sensitive,
        )
        problems += find_view_problems(self.output)
        if self.output.classes and not self.output.columns:
            problems.append("output.classes has no effect without output.columns")
        if problems:
            raise ValueError("; ".join(problems[:_MAX_PROBLEMS]))
        return self

    @classmethod
    def load(
        cls, *files: str | Path, flags: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None
    ) -> Self:
        """The settings from files, environment and flags.

        Needs:   `flags` by dotted name (`source.table`), values as text; `environ` defaults to the process's.
        Raises:  ConfigError naming the file or variable, what was found, and the nearest right name; for a key that
                 stands twice in one mapping, and for a number that YAML reads in another base than people do.
        """
        merged, origins = SettingLayers.read(cls, files, flags or {}, environ).merge()
        refuse_templates(merged, allowed=PROMPT_TEMPLATES)
        try:
            settings = cls(**merged)
        except ValidationError as error:
            raise to_config_error(cls, error, origins) from error
        refuse_other_numbers(origins.texts)
        return settings

    @property
    def home_uri(self) -> str:
        """The home folder, absolute, or a URI with a scheme."""
        return to_absolute_path(self.home, Path.cwd())

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
        if is_uri(self.home_uri):
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

    @property
    def landing_uri(self) -> str:
        """The folder of what is landed of this job's source."""
        return f"{self.home_uri}/landing/{self.job}"

    @property
    def checkpoint_uri(self) -> str:
        """The folder of the checkpoint of this job's stream."""
        return self.stream.checkpoint or f"{self.home_uri}/checkpoints/{self.job}"

    def of_micro_batches(self) -> Self:
        """The settings of a run over a micro-batch of this job's stream: it is landed already, and has no versions."""
        return self.model_copy(update={"source": self.source.of_micro_batches()})

    @property
    def _carried_columns(self) -> tuple[str, ...]:
        return (*self.source.keys, *self.source.passthrough)

    @property
    def output_names(self) -> dict[str, str]:
        """The name in the prediction table of each key and pass-through column of the source."""
        return map_output_names(self._carried_columns, self.output.rename)

    @property
    def output_keys(self) -> tuple[str, ...]:
        """The keys as the stage and the prediction table name them."""
        names = self.output_names
        return tuple(names[key] for key in self.source.keys)

    @property
    def reason_names(self) -> tuple[str, ...]:
        """The columns of the prediction table that reasons add."""
        return () if self.reasons is None else REASON_NAMES

    @property
    def performance_segments(self) -> tuple[str, ...]:
        """The columns of the prediction table by whose values performance is measured."""
        segments, names = self.performance.segments, self.output_names
        return tuple(names[name] for name in (self.profile.segments if segments is None else segments))

    @property
    def output_sensitive(self) -> tuple[str, ...]:
        """The sensitive columns, by their names in the prediction table if they are there."""
        names = self.output_names
        return tuple(names.get(column, column) for column in self.source.sensitive)

    def scoring_digest(self, reject_rules: Sequence[Mapping[str, Any]] = ()) -> str:
        """sha256 over what can change a row or a value of the stage: no paths, transports, gates, monitoring or
        post-processing.

        `reject_rules`: the rules of the input gate's suite that reject rows, as data.
        """
        return self._digest_scoring(reject_rules, threshold=None)

    def former_scoring_digest(self, reject_rules: Sequence[Mapping[str, Any]] = ()) -> str:
        """The digest in the pins of runs that older versions began: it holds the threshold."""
        return self._digest_scoring(reject_rules, threshold=self.output.threshold)

    def _digest_scoring(self, reject_rules: Sequence[Mapping[str, Any]], *, threshold: float | None) -> str:
        source, model = self.source, self.model
        # only there is a batch that takes too long rejected: with another time-out, or none, it may not be
        timeout = {} if model.residency == "worker" else {"batch_timeout": self.scoring.batch_timeout}
        optional = {
            **timeout,
            "rename": explicit_renames(self._carried_columns, self.output.rename) or None,
            "casts": model.casts or None,
            "missing": model.missing or None,
            "providers": model.accelerator_options.onnx_digest,
            "torch": model.accelerator_options.torch_digest,
            "config": model.config or None,
            "files": model.files,
            "signature": model.signature.to_parts() or None,
            "by": model.by or None,
            "groups": None if model.groups is None else model.groups.table,
            "reasons": None if self.reasons is None else [self.reasons.model_dump(), sorted(source.sensitive)],
            "landing": source.landing_digest if source.is_landed else None,
            "features": describe_features(source.features, source.event_time, source.event_timezone),
            "reject_null_predictions": sorted(self.output.allow_null) if self.scoring.reject_null_predictions else None,
        }
        return json_digest(
            {
                "where": [condition.model_dump() for condition in source.where],
                "keys": source.keys,
                "passthrough": source.passthrough,
                "inputs": {name: serialize_input_source(source) for name, source in model.inputs.items()},
                "params": model.params,
                "runtime": model.runtime,
                "threshold": threshold,  # the digests of jobs without one are what they were when it counted
                "row_rules": ["null_key", *reject_rules],
                **{name: value for name, value in optional.items() if value is not None},
            }
        )
