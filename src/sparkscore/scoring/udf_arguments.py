"""What callers give `score_udf`, as a batch of the kernel. Runs on executors: it imports pyarrow only."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.errors import PredictError, SignatureError
from sparkscore.model.signature.lossless_casts import is_lossless_cast
from sparkscore.model.signature.model_inputs import input_names
from sparkscore.model.signature.nested_leaves import change_leaves, has_leaf
from sparkscore.model.signature.number_casts import cast_where_lossless
from sparkscore.model.signature.open_types import close_input_type
from sparkscore.model.signature.undeclared_inputs import pack_undeclared_columns
from sparkscore.records import ModelInput


def to_udf_batch(arguments: Sequence[pa.Array], inputs: Sequence[ModelInput], *, is_tensor: bool) -> pa.RecordBatch:
    """The kernel's batch: one column per model input, from one argument each, or from the only one: a struct with the
    inputs as fields or, for a tensor (-1, k), lists of k.

    Times lose their zone as in a pandas_udf: they are what a clock of the session's zone shows.

    Needs:   no `inputs` where the signature declares none: all arguments make one column, a struct.
    Raises:  SignatureError where a struct lacks an input; PredictError for a list of another length.
    """
    columns = [_drop_time_zones(one) for one in arguments]
    only = columns[0] if len(columns) == 1 else None
    if not inputs:
        return pa.record_batch([_pack_columns(columns)], ["0"])
    if only is not None and pa.types.is_struct(only.type) and not _is_struct_value(only.type, inputs):
        columns = _struct_columns(only, inputs)
    if len(columns) == 1 < len(inputs) and is_tensor and pa.types.is_list(columns[0].type):
        columns = _split_lists(columns[0], len(inputs))
    columns = _add_absent_columns(columns, inputs)[: len(inputs)]
    arrays = [_fit_column(column, one) for column, one in zip(columns, inputs, strict=False)]
    return pa.record_batch(arrays, [str(index) for index in range(len(arrays))])


def _pack_columns(columns: Sequence[pa.Array]) -> pa.StructArray:
    if len(columns) == 1 and pa.types.is_struct(columns[0].type):
        return columns[0]
    return pack_undeclared_columns(columns, [str(index) for index in range(len(columns))])


def _is_struct_value(kind: pa.DataType, inputs: Sequence[ModelInput]) -> bool:
    """Whether the struct is the value of a model's only input, rather than a row of inputs."""
    wanted = inputs[0].type if len(inputs) == 1 else pa.string()
    names = {field.name for field in kind}
    if pa.types.is_struct(wanted) and names == {field.name for field in wanted}:
        return True
    takes_structs = pa.types.is_struct(wanted) or pa.types.is_map(wanted) or pa.types.is_null(wanted)
    return bool(takes_structs) and inputs[0].name not in names


def _struct_columns(rows: pa.StructArray, inputs: Sequence[ModelInput]) -> list[pa.Array]:
    """The fields: by name, for a signature without names by position. Optional inputs may be left out."""
    fields = rows.flatten()
    if any(one.name is None for one in inputs):
        return list(fields)
    names = [field.name for field in rows.type]
    missing = [one.name for one in inputs if one.required and one.name not in names]
    if missing:
        raise SignatureError(
            f"a struct with the fields {', '.join(names)}, without {', '.join(map(str, missing))}",
            f"the model's inputs: {', '.join(input_names(inputs))}",
            "give the struct's fields the inputs' names",
        )
    return [fields[names.index(one.name)] if one.name in names else pa.nulls(len(rows)) for one in inputs]


def _split_lists(lists: pa.ListArray, size: int) -> list[pa.Array]:
    """Lists of k values as k columns."""
    fitting = pc.sum(pc.equal(pc.list_value_length(lists), size), min_count=0).as_py()
    if fitting < len(lists):
        raise PredictError(
            f"{len(lists) - fitting} of {len(lists)} lists of a batch have not {size} items",
            f"lists that make a tensor of shape (rows, {size})",
            "filter these rows, or make the lists equally long",
        )
    values = lists.flatten()
    return [values.take(pa.array(range(at, len(values), size), pa.int64())) for at in range(size)]


def _add_absent_columns(columns: list[pa.Array], inputs: Sequence[ModelInput]) -> list[pa.Array]:
    """NULLs for inputs behind the last argument, which are all optional."""
    absent = inputs[len(columns) :]
    if any(one.required for one in absent):
        return columns
    return [*columns, *(pa.nulls(len(columns[0])) for _ in absent)]


def _drop_time_zones(column: pa.Array) -> pa.Array:
    return change_leaves(column, _to_clock_time) if has_leaf(column.type, _is_zoned) else column


def _is_zoned(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) and kind.tz is not None)


def _to_clock_time(column: pa.Array) -> pa.Array:
    return pc.local_timestamp(column) if _is_zoned(column.type) else column


def _fit_column(column: pa.Array, model_input: ModelInput) -> pa.Array:
    """The column, in the input's type where that is nested and differs in the width of its numbers alone: lists of
    doubles for a model that takes lists of floats."""
    if pa.types.is_decimal(column.type):
        return _narrow_decimals(column, model_input)
    if model_input.may_round or not pa.types.is_nested(model_input.type) or column.type == model_input.type:
        return column
    target = close_input_type(model_input.type, column.type, model_input.optional)
    return cast_where_lossless(column, target, str(model_input.name))


def _narrow_decimals(column: pa.Array, model_input: ModelInput) -> pa.Array:
    """Decimals in the smallest type that holds these ones, where the model's type would not hold all of their type."""
    is_open = pa.types.is_null(model_input.type)
    if is_open or model_input.may_round or is_lossless_cast(column.type, model_input.type):
        return column
    return pa.array(column.to_pylist())
