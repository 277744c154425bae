"""The JSON Schema of config files, for editors: keys, types, choices and descriptions while one types."""

import json
from collections.abc import Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from sparkscore.settings.job_settings import Settings
from sparkscore.settings.layers import iterate_setting_fields

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_TITLE = "sparkscore: settings of a job"
_DESCRIPTION = (
    "A config file of a sparkscore job, or an overlay of one: nothing is required in a single file."
    " `sparkscore config check` judges all files together."
)


def build_config_schema() -> dict[str, Any]:
    """The schema. No setting is required: a job may be written in several files; entries of lists must be whole."""
    schema = Settings.model_json_schema(by_alias=True)
    definitions = schema.get("$defs", {})
    for group in _group_names():
        definitions.get(group, {}).pop("required", None)
    schema.pop("required", None)
    schema = _tidy_schema(schema)
    schema.pop("description", None)
    return {"$schema": _DRAFT, "title": _TITLE, "description": _DESCRIPTION, **_without(schema, "title")}


def to_schema_text(schema: Mapping[str, Any]) -> str:
    """The schema as it stands in its file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _group_names() -> set[str]:
    """The classes of groups: those that a file may give in part."""
    found: set[str] = set()
    for name, _ in iterate_setting_fields(Settings):
        kind: Any = Settings
        for part in name.split(".")[:-1]:
            kind = kind.model_fields[part].annotation
            found.add(kind.__name__)
    kinds = [kind for _, info in iterate_setting_fields(Settings) for kind in _records_in(info.annotation)]
    listed = {
        kind
        for _, info in iterate_setting_fields(Settings)
        if get_origin(info.annotation) is tuple
        for kind in _records_in(info.annotation)
    }
    return found | {kind.__name__ for kind in kinds if kind not in listed}


def _records_in(annotation: Any) -> list[type[BaseModel]]:
    return [kind for kind in get_args(annotation) if isinstance(kind, type) and issubclass(kind, BaseModel)]


def _tidy_schema(node: Any) -> Any:
    """Without titles that pydantic makes of names, and with the summary of each docstring alone."""
    if isinstance(node, list):
        return [_tidy_schema(one) for one in node]
    if not isinstance(node, dict):
        return node
    tidy: dict[str, Any] = {}
    for name, value in node.items():
        if name in ("properties", "$defs") and isinstance(value, dict):
            tidy[name] = {inner: _tidy_schema(one) for inner, one in value.items()}
        elif name == "description" and isinstance(value, str):
            tidy[name] = " ".join(value.partition("\n\n")[0].split())
        elif not (name == "title" and isinstance(value, str)) and name not in ("path", "expected"):
            tidy[name] = _tidy_schema(value)
    return tidy


def _without(schema: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != name}
