"""Settings as text: environment variables, and flags by the same names. Lists and mappings are YAML."""

import difflib
from collections.abc import Callable, Iterable, Mapping
from types import NoneType
from typing import Any, cast

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource
from pydantic_settings.exceptions import SettingsError

from sparkscore.errors import ConfigError
from sparkscore.executor_variables import HOST_TIMEOUT_VARIABLE, PASSED_VARIABLES_NAME, parse_host_timeout
from sparkscore.settings.layers import iterate_setting_fields
from sparkscore.settings.setting_types import describe_type, setting_takes
from sparkscore.settings.strict_yaml import load_scalars
from sparkscore.settings.yaml_survey import RefusedYaml

VARIABLE_PREFIX = "SPARKSCORE_"
_OTHER_VARIABLES = frozenset({HOST_TIMEOUT_VARIABLE, PASSED_VARIABLES_NAME, "SPARKSCORE_PYTHON", "SPARKSCORE_UI_TOKEN"})
"""What else the documentation tells people to set; the last two are a switch of the scripts, and the token of `ui`."""


def select_setting_variables(settings: type[BaseModel], environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that name settings.

    Raises:  ConfigError for one with our prefix that names none and that nobody else reads, for two that differ in case
             only, and for a time-out of executors that is no number.
    """
    _check_host_timeout(environ.get(HOST_TIMEOUT_VARIABLE))
    own = {name: value for name, value in environ.items() if name not in _OTHER_VARIABLES}
    env = {name: value for name, value in own.items() if name.upper().startswith(VARIABLE_PREFIX)}
    _check_variables(settings, env)
    _refuse_same_names(env, "the environment variables")
    return env


def to_setting_variables(flags: Mapping[str, str]) -> dict[str, str]:
    """Flags by the names of the environment variables that set the same settings.

    Raises:  ConfigError for two that differ in case only.
    """
    _refuse_same_names(flags, "the flags")
    return {VARIABLE_PREFIX + name.replace(".", "__").upper(): value for name, value in flags.items()}


def parse_variables_layer(
    settings: type[BaseModel], mapping: Mapping[str, str], *, spell: Callable[[str], str] = str
) -> dict[str, Any]:
    """The layer that variables write; lists and mappings are YAML, as `read_config_file` gives it.

    `null` is no value for a setting that may have none, as in a file.

    `spell`: turns a variable's name into the name that its author used: `flag_of`.

    Raises:  ConfigError, for a variable that is empty, too.
    """
    _refuse_empty_variables(settings, mapping, spell)
    return _to_nulls(settings, _VariableSource(settings, mapping, spell)())


def flag_of(variable: str) -> str:
    """The flag that sets what a variable sets."""
    return "--" + dotted_name(variable)


def dotted_name(variable: str) -> str:
    """The setting that a variable sets: `source.table`."""
    return variable[len(VARIABLE_PREFIX) :].replace("__", ".").lower()


def _check_host_timeout(text: str | None) -> None:
    """The driver's environment is that of local executors, and of those that inherit it."""
    if text is not None and parse_host_timeout(text) is None:
        raise ConfigError(
            f"the environment variable {HOST_TIMEOUT_VARIABLE} is {text!r}",
            "a number of seconds above 0",
            "correct it, or unset it: then a batch may take ten minutes",
        )


def _refuse_empty_variables(settings: type[BaseModel], mapping: Mapping[str, str], spell: Callable[[str], str]) -> None:
    fields = dict(iterate_setting_fields(settings))
    for variable, text in mapping.items():
        if not text.strip():
            spelled, name = spell(variable), dotted_name(variable)
            field = fields.get(name)
            optional = field is not None and setting_takes(field.annotation, NoneType)
            do = f"give it one, or {'leave it out' if spelled.startswith('--') else 'unset it'}"
            raise ConfigError(
                f"{spelled} is empty",
                "a value" if field is None else describe_type(field.annotation, field.metadata),
                f"{do}; null stands for no value" if optional else do,
            )


def _to_nulls(settings: type[BaseModel], layer: dict[str, Any]) -> dict[str, Any]:
    for name, info in iterate_setting_fields(settings):
        *groups, leaf = name.split(".")
        holder: Any = layer
        for group in groups:
            holder = holder.get(group) if isinstance(holder, dict) else None
        if isinstance(holder, dict) and holder.get(leaf) == "null" and setting_takes(info.annotation, NoneType):
            holder[leaf] = None
    return layer


def _check_variables(settings: type[BaseModel], env: Mapping[str, str]) -> None:
    known = {VARIABLE_PREFIX + name.replace(".", "__").upper() for name, _ in iterate_setting_fields(settings)}
    nameable = sorted(known | _OTHER_VARIABLES)
    groups = {above for name in known for above in _names_above(name)}
    for name in sorted(env):
        if name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), nameable, n=1, cutoff=0.5)
            what = "names a group, not a setting" if name.upper() in groups else "is not a setting"
            raise ConfigError(
                f"the environment variable {name} {what}",
                f"one of {', '.join(sorted(known))}" if not near else near[0],
                "rename or unset it",
            )


def _names_above(variable: str) -> list[str]:
    """The groups that a setting is in, as variables."""
    parts = variable.removeprefix(VARIABLE_PREFIX).split("__")
    return [VARIABLE_PREFIX + "__".join(parts[:count]) for count in range(1, len(parts))]


def _refuse_same_names(names: Iterable[str], what: str) -> None:
    by_setting: dict[str, list[str]] = {}
    for name in names:
        by_setting.setdefault(name.upper(), []).append(name)
    for same in by_setting.values():
        if len(same) > 1:
            raise ConfigError(
                f"{what} {' and '.join(sorted(same))} set the same setting: case makes no difference",
                "each setting once",
                f"remove {'one' if len(same) == 2 else 'all but one'} of them",
            )


class _VariableSource(EnvSettingsSource):
    """Settings written as text: the environment, and flags by the same names. Lists and mappings are YAML."""

    def __init__(self, settings: type[BaseModel], mapping: Mapping[str, str], spell: Callable[[str], str]) -> None:
        self._mapping = {name.lower(): value for name, value in mapping.items()}
        self._spelled = {name.lower(): spell(name) for name in mapping}
        fields = cast(type[BaseSettings], settings)  # the source reads fields and configuration, which every model has
        super().__init__(fields, case_sensitive=False, env_prefix=VARIABLE_PREFIX, env_nested_delimiter="__")

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._mapping

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        suffix = f"_{field_name.lower()}"
        name = next(variable for variable, text in self._mapping.items() if variable.endswith(suffix) and text == value)
        label = self._spelled[name]
        try:
            return load_scalars(value, label, name=dotted_name(name))
        except RefusedYaml as refused:
            raise ConfigError(f"{label}: {refused.found}", refused.expected, refused.do) from refused

    def __call__(self) -> dict[str, Any]:
        try:
            return super().__call__()
        except SettingsError as error:
            raise ConfigError(
                f"a setting cannot be read: {error}", "lists and mappings as YAML or JSON, for example [a, b]"
            ) from error
