"""Settings of a job: frozen values, one object per concern. Defaults live here; unknown keys are refused.

Layers, later wins, merged deeply: `--config` files in order < `SPARKSCORE_…` environment < `--dotted.flag`.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator
from pydantic.config import JsonDict

from sparkscore.errors import ConfigError
from sparkscore.records import json_digest
from sparkscore.redaction.known_secrets import register_named_secrets
from sparkscore.settings.frozen_settings import FrozenSettings
from sparkscore.settings.layers import (
    is_uri,
    merge_layers,
    read_config_file,
    refuse_templates,
    resolve_layer_paths,
    to_absolute_path,
)
from sparkscore.settings.monitor_settings import DriftSettings, MonitorSettings, ProfileSettings, SlaSettings
from sparkscore.settings.output_names import explicit_renames, find_rename_problems, map_output_names
from sparkscore.settings.scalar_texts import refuse_other_numbers, separate_texts
from sparkscore.settings.scoring_settings import GateSettings, ModelSettings, OutputSettings, ScoringSettings
from sparkscore.settings.setting_origins import SettingOrigins
from sparkscore.settings.setting_secrets import find_paths_with_credentials, register_layer_secrets
from sparkscore.settings.setting_variables import (
    flag_of,
    parse_variables_layer,
    select_setting_variables,
    to_setting_variables,
)
from sparkscore.settings.settings_errors import to_config_error
from sparkscore.settings.source_settings import SourceSettings

JOB_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
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
    scoring: ScoringSettings = ScoringSettings()
    gate: GateSettings = GateSettings()
    output: OutputSettings
    profile: ProfileSettings = ProfileSettings()
    drift: DriftSettings = DriftSettings()
    sla: SlaSettings = SlaSettings()
    monitor: MonitorSettings = MonitorSettings()

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
        source, segments = self.source, self.profile.segments
        unknown = [name for name in segments if name not in (*source.keys, *source.passthrough)]
        if unknown:
            raise ValueError(
                f"profile.segments names columns that are neither keys nor in source.passthrough: {', '.join(unknown)}"
            )
        sensitive = [name for name in segments if name in source.sensitive]
        if sensitive:
            raise ValueError(
                f"profile.segments are shown, but these columns are in source.sensitive: {', '.join(sensitive)}"
            )
        return self

    @model_validator(mode="after")
    def _check_output_names(self) -> Self:
        problems = find_rename_problems(self._carried_columns, self.output.rename)
        if problems:
            raise ValueError("; ".join(problems))
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
        register_named_secrets({**(os.environ if environ is None else environ), **(flags or {})})
        env = select_setting_variables(cls, os.environ if environ is None else environ)
        flag_variables = to_setting_variables(flags or {})
        here = Path.cwd()
        loaded = [resolve_layer_paths(cls, read_config_file(Path(file)), Path(file).resolve().parent) for file in files]
        loaded.append(resolve_layer_paths(cls, parse_variables_layer(cls, env), here))
        loaded.append(resolve_layer_paths(cls, parse_variables_layer(cls, flag_variables, spell=flag_of), here))
        for layer in loaded:
            register_layer_secrets(layer)
        merged, texts = separate_texts(merge_layers(loaded))
        refuse_templates(merged)
        try:
            settings = cls(**merged)
        except ValidationError as error:
            origins = SettingOrigins.of_layers(loaded, files, (env, flags or {}), texts)
            raise to_config_error(cls, error, origins) from error
        refuse_other_numbers(texts)
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
            "landing": source.landing_digest if source.is_landed else None,
            "reject_null_predictions": sorted(self.output.allow_null) if self.scoring.reject_null_predictions else None,
        }
        return json_digest(
            {
                "where": [condition.model_dump() for condition in source.where],
                "keys": source.keys,
                "passthrough": source.passthrough,
                "inputs": model.inputs,
                "params": model.params,
                "runtime": model.runtime,
                "threshold": threshold,  # the digests of jobs without one are what they were when it counted
                "row_rules": ["null_key", *reject_rules],
                **{name: value for name, value in optional.items() if value is not None},
            }
        )
