"""Which parts of a prediction may be NULL, and NULL instead of NaN in them."""

from collections.abc import Collection, Sequence

import pyarrow as pa

from sparkscore.errors import ConfigError
from sparkscore.records import OutputParts, field_path, item_path, prediction_part_paths
from sparkscore.schemas import PREDICTION_COLUMN
from sparkscore.settings.output_settings import OutputSettings
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.sql_texts import struct_text

_MAX_NAMES_SHOWN = 30


def choose_nullable_parts(output: pa.DataType, parts: OutputParts, settings: OutputSettings) -> frozenset[str]:
    """The paths of the parts that may be NULL: the optional ones of the signature, and those that the config opens.

    Needs:   `output.allow_null`: paths, or what follows `prediction.` in one.
    Raises:  ConfigError for a part that the prediction does not have.
    """
    published = output if settings.threshold is None else pa.float64()
    paths, allow_null = list(prediction_part_paths(published)), settings.allow_null
    opened = [_resolve_part(name, paths) for name in allow_null]
    unknown = [name for name, path in zip(allow_null, opened, strict=True) if path is None]
    if unknown:
        shown = ", ".join(path.removeprefix(f"{PREDICTION_COLUMN}.") for path in paths[:_MAX_NAMES_SHOWN])
        raise ConfigError(
            f"output.allow_null names {', '.join(unknown)}: the prediction ({published}) has no such part",
            f"some of: {shown}{' …' if len(paths) > _MAX_NAMES_SHOWN else ''}",
            "check output.allow_null; with output.threshold the prediction is one number",
        )
    return parts.optional | {path for path in opened if path is not None}


def _resolve_part(name: str, paths: Sequence[str]) -> str | None:
    """A field before the whole: a struct may have a field `prediction`."""
    return next((path for path in (field_path(PREDICTION_COLUMN, name), name) if path in paths), None)


def replace_nan_with_null(
    value: str, kind: pa.DataType, nullable: Collection[str], path: str = PREDICTION_COLUMN, depth: int = 0
) -> str:
    """The SQL of a value, with NULL for NaN in the parts that may be NULL: both mean that the model has no answer.

    Needs:   a column's name, a part of one, or a whole expression in brackets.
    """
    if not any(one == path or one.startswith(f"{path}.") for one in nullable):
        return value
    if pa.types.is_floating(kind):
        return f"CASE WHEN NOT isnan({value}) THEN {value} END"
    if pa.types.is_list(kind):
        item = f"_item{depth}"
        inner = replace_nan_with_null(item, kind.value_type, nullable, item_path(path), depth + 1)
        return f"transform({value}, {item} -> {inner})"
    if not pa.types.is_struct(kind):
        return value
    fields = {
        field.name: replace_nan_with_null(
            f"{value}.{quote_identifier(field.name)}", field.type, nullable, field_path(path, field.name), depth
        )
        for field in kind
    }
    return f"CASE WHEN {value} IS NOT NULL THEN {struct_text(fields)} END"
