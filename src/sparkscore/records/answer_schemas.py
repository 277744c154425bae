"""JSON schemas of answers as types of MLflow, and answers as values of them. Pure."""

from collections.abc import Mapping
from typing import Any

_SCALARS = {"string": "string", "integer": "long", "number": "double", "boolean": "boolean"}


def to_mlflow_type(schema: Mapping[str, Any], at: str = "json_schema") -> dict[str, Any]:
    """The type of what meets a schema, in the notation of MLflow's signatures: `{type: string}`.

    Objects need their properties, lists their items; a property may be left out unless it is in `required`.

    Raises:  ValueError for what has no single type.
    """
    kind = _find_type(schema, at)
    if kind in _SCALARS:
        return {"type": _SCALARS[kind]}
    if kind == "array":
        items = schema.get("items")
        if not isinstance(items, Mapping):
            raise ValueError(f"{at} is an array without items; expected items: {{type: …}}")
        return {"type": "array", "items": to_mlflow_type(items, f"{at}.items")}
    properties = schema.get("properties")
    if not isinstance(properties, Mapping) or not properties:
        raise ValueError(f"{at} is an object without properties; expected properties: {{name: {{type: …}}}}")
    required = _list_required(schema)
    return {
        "type": "object",
        "properties": {
            str(name): {
                **to_mlflow_type(_require_schema(one, f"{at}.{name}"), f"{at}.{name}"),
                "required": name in required and not _is_nullable(one),
            }
            for name, one in properties.items()
        },
    }


def fit_to_schema(value: Any, schema: Mapping[str, Any]) -> Any:
    """A value that meets a schema, as a value of its type: numbers are what the schema says, properties that it does
    not name are left out, absent ones are None."""
    if value is None:
        return None
    kind = _find_type(schema, "json_schema")
    if kind == "object":
        properties = schema["properties"].items()
        return {str(name): fit_to_schema(value.get(name), one) for name, one in properties}
    if kind == "array":
        return [fit_to_schema(one, schema["items"]) for one in value]
    return {"integer": int, "number": float}.get(kind, lambda plain: plain)(value)


def _find_type(schema: Mapping[str, Any], at: str) -> str:
    kind = schema.get("type")
    kinds = [one for one in (kind if isinstance(kind, list | tuple) else [kind]) if one != "null"]
    known = (*_SCALARS, "array", "object")
    if len(kinds) != 1 or kinds[0] not in known:
        raise ValueError(f"{at} has no single type; expected type: one of {', '.join(known)}, or a list with null")
    return str(kinds[0])


def _list_required(schema: Mapping[str, Any]) -> tuple[str, ...]:
    required = schema.get("required", ())
    return tuple(required) if isinstance(required, list | tuple) else ()


def _is_nullable(schema: Mapping[str, Any]) -> bool:
    kind = schema.get("type")
    return isinstance(kind, list | tuple) and "null" in kind


def _require_schema(schema: object, at: str) -> Mapping[str, Any]:
    if not isinstance(schema, Mapping):
        raise ValueError(f"{at} is no schema; expected {{type: …}}")
    return schema
