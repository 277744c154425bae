"""Post-processing: what a model returned becomes the columns of the prediction table."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType

import pyarrow as pa
from pyspark.sql import DataFrame

from sparkscore.errors import ConfigError
from sparkscore.publish.column_expressions import append_derived_columns
from sparkscore.publish.prediction_nulls import replace_nan_with_null
from sparkscore.records import DerivedColumn, OutputParts
from sparkscore.schemas import (
    BINARY_CLASSES,
    LABEL_COLUMN,
    MODEL_LINEAGE,
    PREDICTION_COLUMN,
    REJECT_COLUMN,
    REJECT_TYPE,
    RESERVED_NAMES,
    ContractColumn,
    TableContract,
    prediction_contract,
)
from sparkscore.settings.output_names import is_plain_name
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.sql_texts import double_literal, name_expression
from sparkscore.spark.type_mapping import describe_source_type
from sparkscore.store.table_contracts import is_plain_type


def check_threshold(threshold: float | None, output: pa.DataType, parts: OutputParts) -> None:
    """Refuse a threshold on anything but a probability.

    Raises:  ConfigError where the signature says that the model does not return one number per row, or two.
    """
    size = dict(parts.sizes).get(PREDICTION_COLUMN)
    if threshold is None or (_is_probability_type(output) and size in (None, 1, BINARY_CLASSES)):
        return
    returned = f"{output}" if size is None else f"{output} of {size} numbers"
    has_more_classes = _is_probability_type(output) and size is not None and size > BINARY_CLASSES
    raise ConfigError(
        f"output.threshold={threshold} with a model that returns {returned}",
        "a model that returns one floating number per row, or the probabilities of two classes",
        "remove output.threshold: prediction holds the probabilities of all classes, and readers take the greatest"
        if has_more_classes
        else "remove output.threshold, or log the model with pyfunc_predict_fn='predict_proba'",
    )


def derive_table_contract(  # noqa: PLR0913  what a job says of its table, each a plain value
    source: pa.Schema,
    *,
    keys: Sequence[str],
    output: pa.DataType,
    passthrough: Sequence[str],
    threshold: float | None,
    names: Mapping[str, str] = MappingProxyType({}),
    derived: Sequence[DerivedColumn] = (),
    marks_deleted: bool = False,
    beside: Sequence[ContractColumn] = (),
) -> TableContract:
    """The prediction table of a job, for a source and a model's output.

    Needs:   `names`, source column -> column of the table, where they differ; a threshold that `check_threshold` takes;
             `derived` as `plan_output_columns` makes them; `beside`, what else the model returns of a row.
    Raises:  ConfigError for a type or a field's name that plain readers cannot read.
    """
    key_columns = [_copy_column(source.field(key), names, "Key of the source row", nullable=False) for key in keys]
    copied = [_copy_column(source.field(name), names, "Copied from the source") for name in passthrough]
    _refuse_other_than_plain_columns(
        [*(source.field(name) for name in (*keys, *passthrough)), pa.field(PREDICTION_COLUMN, output)]
    )
    computed = [ContractColumn(one.name, one.type, one.comment, is_derived=True) for one in derived]
    return prediction_contract(
        key_columns,
        to_delta_type(output),
        copied,
        threshold=threshold,
        derived=computed,
        marks_deleted=marks_deleted,
        beside=beside,
    )


def _copy_column(field: pa.Field, names: Mapping[str, str], meaning: str, *, nullable: bool = True) -> ContractColumn:
    name = names.get(field.name, field.name)
    comment = f"{meaning}." if name == field.name else f"{meaning}, where it is called {field.name}."
    return ContractColumn(name, field.type, comment, nullable=nullable)


def _refuse_other_than_plain_columns(columns: Sequence[pa.Field]) -> None:
    unreadable = [f"{one.name} ({describe_source_type(one)})" for one in columns if not is_plain_type(one.type)]
    if unreadable:
        raise ConfigError(
            f"columns that plain Delta readers cannot read: {', '.join(unreadable)}",
            "types of Delta's reader version 1; timestamps with a zone, which Spark calls timestamp",
            "cast them in the source (CAST(local AS TIMESTAMP) reads the session's zone, or write them as text), name"
            " another key, or leave them out of source.passthrough",
        )
    unwritable = [field for one in columns for field in _unwritable_fields(one.name, one.type)]
    if unwritable:
        raise ConfigError(
            f"fields whose names plain Delta tables cannot hold: {', '.join(unwritable)}",
            "names without spaces, line breaks, tabs and any of ,;{}()=",
            "rename the fields in the source; for fields of prediction name the model's outputs otherwise, and log it"
            " again",
        )


def _unwritable_fields(path: str, kind: pa.DataType) -> Iterator[str]:
    """The fields of structs inside a column whose names plain Delta tables refuse."""
    children = [kind.field(index) for index in range(kind.num_fields)] if pa.types.is_nested(kind) else []
    for child in children:
        inner = f"{path}.{child.name}" if pa.types.is_struct(kind) else path
        if pa.types.is_struct(kind) and not is_plain_name(child.name):
            yield inner
        yield from _unwritable_fields(inner, child.type)


def stage_schema(contract: TableContract, *, output: pa.DataType, names_models: bool = False) -> pa.Schema:
    """The contract of a job's stage: columns that are neither constant for a run nor computed from other columns.

    Grain:   one row per source row: `prediction` as the model returned it, or `_reject`.
    Adds:    with `names_models` the columns of `MODEL_LINEAGE`: each row says which model scored it.
    """
    named = (PREDICTION_COLUMN, *(MODEL_LINEAGE if names_models else ()))
    own = [
        column
        for column in contract.columns
        if (column.name not in RESERVED_NAMES and not column.is_derived) or column.name in named
    ]
    fields = [pa.field(one.name, to_delta_type(output) if one.name == PREDICTION_COLUMN else one.type) for one in own]
    return pa.schema([*fields, pa.field(REJECT_COLUMN, REJECT_TYPE)])


def postprocess_predictions(
    frame: DataFrame,
    contract: TableContract,
    *,
    output: pa.DataType,
    threshold: float | None,
    nullable: Collection[str] = (),
    derived: Sequence[DerivedColumn] = (),
) -> DataFrame:
    """A stage's rows with exactly the contract's own columns, and `_reject` if the stage has it.

    Needs:   keys, `prediction` as the model returned it, pass-through.
    Adds:    `label` (0 or 1, NULL where the prediction is) with a threshold; `prediction` is a probability then.
             In the parts that `nullable` names NaN becomes NULL. Then the derived columns.
    Jobs:    none.
    """
    kind = output if threshold is None else pa.float64()
    value = quote_identifier(PREDICTION_COLUMN) if threshold is None else _positive_probability(output)
    computed = {PREDICTION_COLUMN: replace_nan_with_null(value, kind, nullable)}
    if threshold is not None:
        computed[LABEL_COLUMN] = f"CAST({computed[PREDICTION_COLUMN]} >= {double_literal(threshold)} AS INT)"
    made = {one.name for one in derived}
    own = [name for name in contract.names if name in computed or name in made or name not in RESERVED_NAMES]
    own += [name for name in MODEL_LINEAGE if name in frame.columns]
    reject = [name for name in frame.columns if name == REJECT_COLUMN]
    published = frame.selectExpr(
        *(
            name_expression(computed.get(name, quote_identifier(name)), name)
            for name in (*own, *reject)
            if name not in made
        )
    )
    if not derived:
        return published
    return append_derived_columns(published, derived).selectExpr(*map(quote_identifier, (*own, *reject)))


def _is_probability_type(output: pa.DataType) -> bool:
    if pa.types.is_fixed_size_list(output) and output.list_size != BINARY_CLASSES:
        return False
    value = output.value_type if pa.types.is_list(output) or pa.types.is_fixed_size_list(output) else output
    return bool(pa.types.is_floating(value))


def _positive_probability(output: pa.DataType) -> str:
    """The probability of the positive class: the only number, or the second of two. NULL for other lists, which
    `is_other_than_probability` finds."""
    column = quote_identifier(PREDICTION_COLUMN)
    if not pa.types.is_floating(output):
        column = f"CASE WHEN size({column}) IN (1, {BINARY_CLASSES}) THEN get({column}, size({column}) - 1) END"
    return f"CAST({column} AS DOUBLE)"


def is_other_than_probability(output: pa.DataType) -> str:
    """Whether a prediction is a list of neither one nor two numbers, as SQL: no threshold can say anything about it.

    Needs:   a stage's `prediction`, of type `output`.
    """
    if pa.types.is_floating(output):
        return "false"
    column = quote_identifier(PREDICTION_COLUMN)
    return f"{column} IS NOT NULL AND size({column}) NOT IN (1, {BINARY_CLASSES})"


def to_delta_type(output: pa.DataType) -> pa.DataType:
    """Delta knows lists of any length only."""
    return pa.list_(output.value_type) if pa.types.is_fixed_size_list(output) else output
