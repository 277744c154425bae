"""Settings of a job: frozen values, one object per concern. Defaults live here; unknown keys are refused.

Layers, later wins, merged deeply: `--config` files in order < `SPARKSCORE_…` environment < `--dotted.flag`.
"""

import difflib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource
from pydantic_settings.exceptions import SettingsError

from sparkscore.errors import ConfigError, redacted
from sparkscore.records import Condition, Operator, digest

PREFIX = "SPARKSCORE_"
_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:")
_TEMPLATE = "{{"
_RELATIVE = "relative to the file that names it"


class _Frozen(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")


class FilterCondition(_Frozen):
    """One typed comparison: a column, an operator, a value. Never SQL."""

    column: str
    op: Operator = "="
    value: Any = None

    @model_validator(mode="after")
    def _value_fits_operator(self) -> Self:
        if self.op in ("is null", "is not null"):
            if self.value is not None:
                raise ValueError(f"{self.op!r} takes no value")
        elif self.op in ("in", "not in"):
            if not isinstance(self.value, list) or not self.value or None in self.value:
                raise ValueError(f"{self.op!r} takes a list of values, none of them null")
        elif self.value is None or isinstance(self.value, list | dict):
            raise ValueError(f"{self.op!r} takes one value; for NULL use 'is null'")
        return self

    def condition(self) -> Condition:
        """The record that `ingest` reads."""
        return Condition(self.column, self.op, tuple(self.value) if isinstance(self.value, list) else self.value)


class SourceSettings(_Frozen):
    """What is scored."""

    table: str = Field(description="catalog name, path, or plain name = table under the home folder")
    keys: tuple[str, ...] = Field(min_length=1, description="columns that name a row")
    version: Annotated[int, Field(ge=0)] | Literal["latest", "as_of"] = Field(
        default="latest", description="Delta version: latest, an integer, or as_of (the newest one at that time)"
    )
    where: tuple[FilterCondition, ...] = Field(default=(), description='filter: [{column: month, op: ">=", value: 10}]')
    passthrough: tuple[str, ...] = Field(default=(), description="source columns copied beside the prediction")

    @field_validator("keys", "passthrough")
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


class ModelSettings(_Frozen):
    """Which model scores, and how it is run."""

    uri: str = Field(description="models:/<name>@<alias> or models:/<name>/<version>")
    tracking_uri: str | None = Field(
        default=None, description="MLflow server; default: MLFLOW_TRACKING_URI, else sqlite under the home folder"
    )
    inputs: dict[str, str] = Field(default_factory=dict, description="model input: source column, where names differ")
    params: dict[str, bool | int | float | str] = Field(
        default_factory=dict, description="params of the model's signature"
    )
    runtime: Literal["auto", "pyfunc", "sklearn"] = Field(default="auto", description="what executes the model")
    residency: Literal["worker"] = Field(default="worker", description="where the model stays loaded")


class ScoringSettings(_Frozen):
    """How rows reach the model. Never changes a value beyond rounding, so not part of a run's identity."""

    transport: Literal["auto", "pandas_udf"] = Field(default="auto", description="how rows reach the model")
    batch_rows: Annotated[int, Field(ge=1, le=10_000_000)] | Literal["auto"] = Field(
        default="auto", description="rows per Arrow batch"
    )


class GateSettings(_Frozen):
    """Great Expectations suites (JSON) that judge the data."""

    input: str | None = Field(
        default=None, description=f"suite over the source before scoring; {_RELATIVE}", json_schema_extra={"path": True}
    )
    output: str | None = Field(
        default=None,
        description=f"suite over the staged predictions before the publish; {_RELATIVE}",
        json_schema_extra={"path": True},
    )


class OutputSettings(_Frozen):
    """Where predictions go."""

    table: str = Field(description="prediction table: catalog name, path, or plain name under the home folder")
    stage: str | None = Field(
        default=None,
        description="folder for predictions that are not published yet; default <home>/stage",
        json_schema_extra={"path": True},
    )
    threshold: float | None = Field(
        default=None, ge=0, le=1, description="adds label = 1 where the probability is at least this"
    )


class Settings(BaseSettings):
    """A whole job."""

    model_config = ConfigDict(frozen=True, extra="forbid")  # type: ignore[assignment]

    job: str = Field(
        description="name of the job; owns its prediction table", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
    )
    home: str = Field(
        default=".sparkscore",
        description="folder of tables, stages and the local registry",
        json_schema_extra={"path": True},
    )
    source: SourceSettings
    model: ModelSettings
    scoring: ScoringSettings = ScoringSettings()
    gate: GateSettings = GateSettings()
    output: OutputSettings

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load` (or the caller of the constructor) gives: the environment is read by `load` alone."""
        return (init_settings,)

    @classmethod
    def load(
        cls, *files: str | Path, flags: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None
    ) -> Self:
        """The settings from files, environment and flags.

        Needs:   `flags` by dotted name (`source.table`), values as text; `environ` defaults to the process's.
        Raises:  ConfigError naming the file or variable, what was found, and the nearest right name.
        """
        env = {k: v for k, v in (os.environ if environ is None else environ).items() if k.upper().startswith(PREFIX)}
        _check_variables(env)
        layers = [_located(_read(Path(file)), Path(file).resolve().parent) for file in files]
        words = {PREFIX + name.replace(".", "__").upper(): value for name, value in (flags or {}).items()}
        layers += [_located(_TextSource(cls, mapping)(), Path.cwd()) for mapping in (env, words)]
        merged = _merged(layers)
        _refuse_templates(merged)
        try:
            return cls(**merged)
        except ValidationError as error:
            raise _explained(error, files) from error

    @classmethod
    def leaves(cls) -> Iterator[tuple[str, FieldInfo]]:
        """Dotted name and field of every setting, in order."""
        for name, info in cls.model_fields.items():
            if isinstance(info.annotation, type) and issubclass(info.annotation, _Frozen):
                yield from ((f"{name}.{leaf}", field) for leaf, field in info.annotation.model_fields.items())
            else:
                yield name, info

    @property
    def home_uri(self) -> str:
        """The home folder, absolute, or a URI with a scheme."""
        return _absolute(self.home, Path.cwd())

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
        if _SCHEME.match(self.home_uri):
            raise ConfigError(
                f"no MLflow server for the home {self.home_uri}",
                "model.tracking_uri",
                "set MLFLOW_TRACKING_URI, or model.tracking_uri",
            )
        return f"sqlite:///{self.home_uri}/mlflow.db"

    @property
    def stage_uri(self) -> str:
        """The folder of stages."""
        return self.output.stage or f"{self.home_uri}/stage"

    def scoring_digest(self) -> str:
        """sha256 over the settings that can change a row or a value: no paths, transports, gates or monitoring."""
        source, model = self.source, self.model
        return digest(
            {
                "where": [condition.model_dump() for condition in source.where],
                "keys": source.keys,
                "passthrough": source.passthrough,
                "inputs": model.inputs,
                "params": model.params,
                "runtime": model.runtime,
                "threshold": self.output.threshold,
                "row_rules": ["null_key"],
            }
        )


class _TextSource(EnvSettingsSource):
    """Settings written as text: the environment, and flags by the same names. Lists and mappings are YAML."""

    def __init__(self, settings_cls: type[BaseSettings], mapping: Mapping[str, str]) -> None:
        self._mapping = {name.lower(): value for name, value in mapping.items()}
        super().__init__(settings_cls, case_sensitive=False, env_prefix=PREFIX, env_nested_delimiter="__")

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._mapping

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ValueError(f"{value!r} is not YAML") from error

    def __call__(self) -> dict[str, Any]:
        try:
            return super().__call__()
        except SettingsError as error:
            raise ConfigError(
                f"a setting that cannot be read: {error}", "lists and mappings as YAML or JSON, for example [a, b]"
            ) from error


def _merged(layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """All layers as one mapping, merged at every depth; the later layer wins."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for name, value in layer.items():
            below = merged.get(name)
            merged[name] = _merged([below, value]) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _read(file: Path) -> dict[str, Any]:
    """A YAML file's mapping."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        near = difflib.get_close_matches(file.name, _neighbours(file), n=1)
        raise ConfigError(
            f"no config file at {file}",
            "a YAML file",
            f"check --config; {f'did you mean {near[0]}?' if near else 'the path is relative to the current folder'}",
        ) from error
    except PermissionError as error:
        raise ConfigError(
            f"no permission to read {file}", "a readable YAML file", "check the file's owner and mode"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not YAML: {error}", "a YAML mapping", "see conf/quickstart.yaml") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{file} holds a {type(content).__name__}", "a YAML mapping", "see conf/quickstart.yaml")
    return content


def _neighbours(file: Path) -> list[str]:
    return [entry.name for entry in file.parent.iterdir()] if file.parent.is_dir() else []


def _located(layer: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The layer with its relative paths made absolute: they are relative to the file that names them."""
    located = _merged([layer])
    for name, info in Settings.leaves():
        group, _, leaf = name.rpartition(".")
        holder = located.get(group) if group else located
        value = holder.get(leaf or name) if isinstance(holder, dict) else None
        is_path = bool(isinstance(info.json_schema_extra, dict) and info.json_schema_extra.get("path"))
        if isinstance(value, str) and (is_path or (leaf == "table" and "/" in value)):
            holder[leaf or name] = _absolute(value, folder)  # type: ignore[index]
    return located


def _absolute(path: str, folder: Path) -> str:
    return path if _SCHEME.match(path) else os.path.normpath(folder / Path(path).expanduser())


def _check_variables(env: Mapping[str, str]) -> None:
    known = {PREFIX + name.replace(".", "__").upper() for name, _ in Settings.leaves()}
    groups = {PREFIX + name.upper() for name in Settings.model_fields} - known
    for name in sorted(env):
        if name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), sorted(known), n=1, cutoff=0.5)
            what = "names a group, not a setting" if name.upper() in groups else "is not a setting"
            raise ConfigError(
                f"the environment variable {name} {what}",
                f"one of {', '.join(sorted(known))}" if not near else near[0],
                "rename or unset it",
            )


def _refuse_templates(value: object, where: str = "") -> None:
    """Refuse what a scheduler failed to fill in."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            _refuse_templates(inner, f"{where}.{name}".lstrip("."))
    elif isinstance(value, list | tuple):
        for inner in value:
            _refuse_templates(inner, where)
    elif isinstance(value, str) and _TEMPLATE in value:
        raise ConfigError(
            f"{where} still holds a template: {value}", "a value", "let the scheduler fill it in, or remove the braces"
        )


def _explained(error: ValidationError, files: Sequence[str | Path]) -> ConfigError:
    """pydantic's findings in the words of the config, with the nearest right name for each unknown one."""
    names = [name for name, _ in Settings.leaves()]
    lines = []
    for found in error.errors():
        where = ".".join(str(part) for part in found["loc"] if str(part).isidentifier() or isinstance(part, int))
        near = difflib.get_close_matches(where, [*names, *Settings.model_fields], n=1, cutoff=0.5)
        if found["type"] == "extra_forbidden":
            lines.append(f"unknown setting {where}" + (f" (did you mean {near[0]}?)" if near else ""))
        elif found["type"] == "missing":
            lines.append(f"{where} is missing")
        else:
            lines.append(f"{where}: {found['msg']}, found {redacted(repr(found['input']))[:80]}")
    source = ", ".join(str(file) for file in files) or "the settings"
    return ConfigError(
        f"{source}: " + "; ".join(dict.fromkeys(lines)),
        "the settings of a job",
        "see conf/quickstart.yaml, or --help for all settings",
    )
