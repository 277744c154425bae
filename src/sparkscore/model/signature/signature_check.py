"""Whether params and a source's columns fit a model's signature. Runs on the driver."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import pyarrow as pa

from sparkscore.errors import SignatureError
from sparkscore.model.signature.lossless_casts import is_lossless_cast
from sparkscore.model.signature.mlflow_signature import ModelParam, Signature
from sparkscore.model.signature.number_casts import CAST_TYPES, can_cast_numbers, is_text_type, number_type
from sparkscore.model.signature.open_types import absent_properties, close_input_type, describe_input_type
from sparkscore.records import ModelInput, PinnedModel
from sparkscore.spark.type_mapping import describe_source_type

_MAX_SHOWN_COLUMNS = 20

_PARAM_TYPES: Mapping[str, tuple[type, ...]] = {
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "string": (str,),
    "object": (dict,),
}


def check_model_params(signature: Signature, params: Mapping[str, Any]) -> None:
    """Refuse params that the signature does not have, or of another type: MLflow would only warn.

    Raises:  SignatureError.
    """
    for name, value in params.items():
        param = signature.params.get(name)
        if param is None:
            raise SignatureError(
                f"the model has no param {name}",
                f"one of the model's: {', '.join(signature.params) or 'it has none'}",
                "check model.params",
            )
        if param.properties is not None and isinstance(value, dict):
            _check_object_param(name, value, param.properties)
        if not _is_param_value(value, param):
            expected = f"a list of {param.type}" if param.is_list else f"a {param.type}"
            raise SignatureError(f"the param {name} is {_describe_param(value)}", expected, "check model.params")


def _check_object_param(name: str, value: Mapping[str, Any], properties: Mapping[str, Any]) -> None:
    """Compare with the properties at the top; those inside of them MLflow compares, on the executors."""
    missing = [key for key, spec in properties.items() if spec.get("required") is not False and key not in value]
    problems = [f"it has no {key}" for key in missing]
    problems += [f"{key} is no property of it" for key in value if key not in properties]
    problems += [
        f"{key} is {_describe_param(one)}"
        for key, one in value.items()
        if key in properties and not _is_property_value(one, properties[key])
    ]
    if problems:
        expected = ", ".join(f"{key}: {spec['type']}" for key, spec in properties.items())
        raise SignatureError(f"the param {name}: {'; '.join(problems)}", expected, "check model.params")


def _is_property_value(value: object, spec: Mapping[str, Any]) -> bool:
    return (value is None and spec.get("required") is False) or _is_scalar_of(value, str(spec["type"]))


def _is_param_value(value: object, param: ModelParam) -> bool:
    if isinstance(value, list | tuple):
        return param.is_list and all(_is_scalar_of(one, param.type) for one in value)
    return not param.is_list and _is_scalar_of(value, param.type)


def _is_scalar_of(value: object, kind: str) -> bool:
    is_mistaken_boolean = isinstance(value, bool) and kind != "boolean"
    return isinstance(value, _PARAM_TYPES.get(kind, (object,))) and not is_mistaken_boolean


def _describe_param(value: object) -> str:
    if not isinstance(value, list | tuple):
        return f"a {type(value).__name__}"
    return f"a list of {', '.join(sorted({type(one).__name__ for one in value})) or 'nothing'}"


def match_input_columns(model: PinnedModel, schema: pa.Schema, mapping: Mapping[str, str]) -> tuple[str | None, ...]:
    """The source column of each model input, in the model's order; None for an optional one that the source lacks.

    Needs:   `mapping`: model input -> source column, where names differ; inputs without names are "0", "1", ….
             A tensor (-1, k) without a name takes k columns of numbers, or one column of arrays of k numbers:
             `{"0": column}` alone (`merge_tensor_inputs`). A tensor of more dimensions, or with a name, takes one
             column: of numbers for (-1,) and (-1, 1), else of arrays. How long these are is seen when they are read.
    Runs on: driver.
    Raises:  SignatureError with every problem at once.
    """
    names = tuple(str(position) if one.name is None else one.name for position, one in enumerate(model.inputs))
    problems = [
        f"model.inputs names {name}: no such input{suggest_similar_name(name, names)}"
        for name in mapping
        if name not in names
    ]
    unnamed = [name for name, one in zip(names, model.inputs, strict=True) if one.name is None and name not in mapping]
    problems += _unnamed_input_problems(unnamed, names, is_unmapped_tensor=model.tensor and not mapping)
    for name, one in zip(names, model.inputs, strict=True):
        if name not in unnamed:
            problems += _input_column_problems(name, mapping.get(name, name), one, schema)
    if problems:
        problems += _unused_column_notes(schema, [mapping.get(name, name) for name in names])
        raise SignatureError(
            "\n  ".join([f"the source does not fit {model.name} version {model.version}:", *problems]),
            "a column for each input, of a type that the input's type can hold without loss",
            "map names with model.inputs; cast types in the source, allow casts with model.casts, or train the model on"
            " these types",
        )
    columns = [mapping.get(name, name) for name in names]
    return tuple(column if column in schema.names else None for column in columns)


def absent_input_properties(model: PinnedModel, schema: pa.Schema, columns: Sequence[str | None]) -> list[str]:
    """The optional properties of objects that the source lacks, by the input: `place.label`.

    Needs:   the columns that `match_input_columns` has found.
    """
    names = [str(position) if one.name is None else one.name for position, one in enumerate(model.inputs)]
    return [
        name + path
        for name, one, column in zip(names, model.inputs, columns, strict=True)
        if column is not None and one.optional
        for path in absent_properties(one.type, schema.field(column).type, one.optional)
    ]


def _unnamed_input_problems(missing: Sequence[str], names: Sequence[str], *, is_unmapped_tensor: bool) -> list[str]:
    if is_unmapped_tensor and len(names) > 1:
        each, one = f"{{'0': column, …, '{names[-1]}': column}}", "{'0': column}"
        return [
            f"the {len(names)} inputs have no names: say which columns they are, model.inputs: {each}, "
            f"or which one holds arrays of them, model.inputs: {one}"
        ]
    return [f"input {name} has no name: map it to a column, model.inputs: {{'{name}': column}}" for name in missing]


def _input_column_problems(name: str, column: str, model_input: ModelInput, schema: pa.Schema) -> list[str]:
    label = f"{name}{'' if name == column else f' (column {column})'}: {_format_input_type(model_input)} in the model"
    count = len(schema.get_all_field_indices(column))
    if not count and not model_input.required and name == column:
        return []
    if count != 1:
        return [f"{label}, {'twice' if count else 'missing'} in the source{suggest_similar_name(column, schema.names)}"]
    source, words = schema.field(column).type, describe_source_type(schema.field(column))
    if pa.types.is_null(source) and words != "void":
        return [f"{label}, {words} in the source: a type that Arrow does not have; cast it in the source"]
    target = close_input_type(model_input.type, source, model_input.optional)
    is_wanted = model_input.may_round and can_cast_numbers(source, target)
    if is_wanted or is_lossless_cast(source, target):
        return []
    advice = _casts_advice(name, source, target) or _maps_advice(source, target)
    return [
        f"{label}{_format_integer_range(target)}, {words}{_format_integer_range(source)} in the source: "
        f"no cast keeps every value{advice}"
    ]


def _maps_advice(source: pa.DataType, target: pa.DataType) -> str:
    is_other_key = pa.types.is_map(target) and pa.types.is_map(source) and not pa.types.is_string(source.key_type)
    return "; the keys of a map must be text" if is_other_key else ""


def _casts_advice(name: str, source: pa.DataType, target: pa.DataType) -> str:
    """What allows the cast, where `model.casts` can."""
    kinds = [kind for kind, numbers in CAST_TYPES.items() if numbers == number_type(target)]
    if not kinds or not can_cast_numbers(source, target):
        return ""
    effect = "rounds" if pa.types.is_floating(number_type(target)) else "rejects rows that do not fit"
    effect = "rejects rows whose text is no number" if is_text_type(source) else effect
    return f"; model.casts: {{{name}: {kinds[0]}}} allows one that {effect}"


def _format_integer_range(kind: pa.DataType) -> str:
    """What a type of whole numbers holds."""
    if not pa.types.is_integer(kind):
        return ""
    signed = pa.types.is_signed_integer(kind)
    minimum, maximum = (
        (-(1 << kind.bit_width - 1), (1 << kind.bit_width - 1) - 1) if signed else (0, (1 << kind.bit_width) - 1)
    )
    return f" ({minimum:,} to {maximum:,})"


def _unused_column_notes(schema: pa.Schema, used: Sequence[str]) -> list[str]:
    """Columns among which one that was renamed may be."""
    extra = [name for name in schema.names if name not in used]
    listed = ", ".join(extra[:_MAX_SHOWN_COLUMNS]) + (" …" if len(extra) > _MAX_SHOWN_COLUMNS else "")
    return [f"columns of the source that no input takes: {listed}"] if extra else []


def _format_input_type(model_input: ModelInput) -> str:
    return (
        describe_input_type(model_input.type)
        if not pa.types.is_list(model_input.type) or model_input.shape is None
        else f"{model_input.type} of sizes {model_input.shape}"
    )


def suggest_similar_name(name: str, names: Sequence[str]) -> str:
    """A question with the name that may be meant, for the end of a message; nothing where none is similar."""
    same = [other for other in names if other.lower() == name.lower() and other != name]
    if same:
        return f" (did you mean {same[0]}, which differs in case?)"
    near = get_close_matches(name, names, n=1)
    return f" (did you mean {near[0]}?)" if near and near[0] != name else ""
