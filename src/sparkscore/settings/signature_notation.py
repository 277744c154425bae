"""How a config writes a signature, where the model was logged without one: names and MLflow's types."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

_SCALARS = ("boolean", "integer", "long", "float", "double", "string", "binary", "datetime")
_NESTED = re.compile(r"(array|map)<(.*)>")
SIGNATURE_WORDS = (
    "{name: type, …}, a list of types where the inputs have no names, or one type; a type is one of"
    f" {', '.join(_SCALARS)}, any, array<type>, map<type>, with ? where it is optional, or {{property: type, …}}, or a"
    " list of one of these"
)


def to_signature_specs(notation: Any) -> list[dict[str, Any]]:
    """What MLflow writes into a signature for it: columns with names, without names, or MLflow's own JSON as it is.

    Raises:  ValueError with what cannot be read.
    """
    if isinstance(notation, str) and notation.lstrip().startswith("["):
        return _read_json_specs(notation)
    if isinstance(notation, list | tuple) and (not notation or all(map(_is_mlflow_spec, notation))):
        return _require_types_in_specs([dict(spec) for spec in notation])
    if isinstance(notation, Mapping):
        return [{"name": name, **_type_spec(kind, name)} for name, kind in notation.items()]
    kinds = notation if isinstance(notation, list | tuple) else [notation]
    specs = [_type_spec(kind, str(position)) for position, kind in enumerate(kinds)]
    if any(not spec["required"] for spec in specs):
        raise ValueError("columns without names cannot be optional: give them names")
    return specs


def from_signature_specs(specs: Sequence[Mapping[str, Any]]) -> Any:
    """The specs as a config writes them: with names, by position, or as MLflow's JSON where there are other types."""
    kinds = [_type_notation(spec) for spec in specs]
    if any(kind is None for kind in kinds):
        return json.dumps([dict(spec) for spec in specs])
    names = [spec.get("name") for spec in specs]
    if all(isinstance(name, str) for name in names):
        return dict(zip(names, kinds, strict=True))
    return kinds[0] if len(kinds) == 1 else kinds


def _read_json_specs(text: str) -> list[dict[str, Any]]:
    try:
        specs = json.loads(text)
    except ValueError as error:
        raise ValueError("not the JSON that MLflow writes for a signature") from error
    return _require_types_in_specs(specs)


def _is_mlflow_spec(spec: Any) -> bool:
    return isinstance(spec, Mapping) and isinstance(spec.get("type"), str) and ("name" in spec or "tensor-spec" in spec)


def _require_types_in_specs(specs: Any) -> list[dict[str, Any]]:
    if not specs or not all(isinstance(spec, dict) and "type" in spec for spec in specs):
        raise ValueError("expected a list of columns or tensors, each with its type")
    return specs  # type: ignore[no-any-return]


def _type_spec(kind: Any, where: str) -> dict[str, Any]:
    if isinstance(kind, Mapping):
        if not kind:
            raise ValueError(f"{where} is an object without properties")
        properties = {name: _type_spec(inner, f"{where}.{name}") for name, inner in kind.items()}
        return {"type": "object", "properties": properties, "required": True}
    if isinstance(kind, list | tuple) and len(kind) == 1:
        return {"type": "array", "items": _type_spec(kind[0], where), "required": True}
    if not isinstance(kind, str):
        raise ValueError(f"the type of {where} is {kind!r}; expected {SIGNATURE_WORDS}")
    text = kind.strip()
    return {**_plain_type_spec(text.removesuffix("?").strip(), where), "required": not text.endswith("?")}


def _plain_type_spec(text: str, where: str) -> dict[str, Any]:
    if text in _SCALARS or text == "any":
        return {"type": text}
    match = _NESTED.fullmatch(text)
    if match is None:
        raise ValueError(f"the type of {where} is {text!r}; expected {SIGNATURE_WORDS}")
    inner = _plain_type_spec(match[2].strip(), where)
    return {"type": "array", "items": inner} if match[1] == "array" else {"type": "map", "values": inner}


def _type_notation(spec: Mapping[str, Any]) -> Any:
    """None for what the notation has no words for: tensors, maps of objects, objects that are optional."""
    plain = _plain_type_notation(spec)
    if plain is not None:
        return plain + ("?" if spec.get("required") is False else "")
    if spec.get("required") is False:
        return None
    if spec["type"] == "array":
        inner = _type_notation(spec["items"])
        return None if inner is None else [inner]
    properties = {name: _type_notation(inner) for name, inner in spec.get("properties", {}).items()}
    return None if not properties or None in properties.values() else properties


def _plain_type_notation(spec: Mapping[str, Any]) -> str | None:
    kind = str(spec["type"])
    inner = spec.get("items") or spec.get("values")
    if inner is not None:
        word = _plain_type_notation(inner)
        return None if word is None else f"{kind}<{word}>"
    return kind if kind in _SCALARS or kind == "any" else None
