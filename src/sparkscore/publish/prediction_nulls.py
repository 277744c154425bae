"""Which parts of a prediction may be NULL, and NULL instead of NaN in them."""

from collections.abc import Collection, Sequence

import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql import functions as F

from sparkscore.errors import ConfigError
from sparkscore.records import OutputParts, field_path, item_path, prediction_part_paths
from sparkscore.schemas import PREDICTION_COLUMN
from sparkscore.settings.scoring_settings import OutputSettings

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
    value: Column, kind: pa.DataType, nullable: Collection[str], path: str = PREDICTION_COLUMN
) -> Column:
    """The value with NULL for NaN in the parts that may be NULL: there both mean that the model has no answer.

    Jobs:    none.
    """
    if not any(one == path or one.startswith(f"{path}.") for one in nullable):
        return value
    if pa.types.is_floating(kind):
        return F.when(~F.isnan(value), value)
    if pa.types.is_list(kind):
        inner = item_path(path)
        return F.transform(value, lambda item: replace_nan_with_null(item, kind.value_type, nullable, inner))
    if not pa.types.is_struct(kind):
        return value
    fields = [
        replace_nan_with_null(value.getField(field.name), field.type, nullable, field_path(path, field.name)).alias(
            field.name
        )
        for field in kind
    ]
    return F.when(value.isNotNull(), F.struct(*fields))
