"""What pydantic finds wrong with settings, as an error of the config."""

import difflib
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sparkscore.errors import ConfigError
from sparkscore.redaction.secret_patterns import shorten_redacted
from sparkscore.settings.layers import iterate_setting_fields, secret_names
from sparkscore.settings.scalar_texts import ScalarTexts, describe_input, dotted_path
from sparkscore.settings.strict_yaml import bare_value


def to_config_error(
    settings: type[BaseModel], error: ValidationError, files: Sequence[str | Path], texts: ScalarTexts
) -> ConfigError:
    """pydantic's findings in the words of the config, with the nearest right name for each unknown one."""
    names = [name for name, _ in iterate_setting_fields(settings)]
    lines = []
    for found in error.errors():
        where = ".".join(str(part) for part in found["loc"] if str(part).isidentifier() or isinstance(part, int))
        near = difflib.get_close_matches(where, [*names, *settings.model_fields], n=1, cutoff=0.5)
        if found["type"] == "extra_forbidden":
            lines.append(f"unknown setting {where}" + (f" (did you mean {near[0]}?)" if near else ""))
        elif found["type"] == "missing":
            lines.append(f"{where} is missing")
        else:
            lines.append(f"{where}: {found['msg']}{_found_value(settings, found, texts)}")
    source = ", ".join(str(file) for file in files) or "the settings"
    return ConfigError(
        f"{source}: " + "; ".join(dict.fromkeys(lines)),
        "the settings of a job",
        "see conf/quickstart.yaml, or --help for all settings",
    )


def _found_value(settings: type[BaseModel], found: ErrorDetails, texts: ScalarTexts) -> str:
    """What pydantic did not take, and how it was written where YAML has made something else of it."""
    path = dotted_path(found["loc"])
    if not path:
        return ""
    if any(f"{name}.".startswith(f"{path}.") for name in secret_names(settings)):
        return ", found a value that is not shown: there is a secret in it"
    return f", found {describe_input(found, texts) or shorten_redacted(repr(bare_value(found['input'])), 80)}"
