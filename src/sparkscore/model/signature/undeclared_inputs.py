"""The inputs of a model whose signature declares none: whatever columns a caller gives. Executors use it.

They travel as the fields of one struct, so that a batch has one column whatever the number of them is.
"""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.errors import PredictError
from sparkscore.records import ModelInput

_MAX_EXACT_INTEGER = 2**53


def pack_undeclared_columns(columns: Sequence[pa.Array], names: Sequence[str]) -> pa.StructArray:
    """The columns as one struct, in their order."""
    fields = [pa.field(name, column.type) for name, column in zip(names, columns, strict=True)]
    return pa.StructArray.from_arrays(list(columns), fields=fields)


def build_undeclared_frame(packed: pa.StructArray) -> Any:
    """The frame that MLflow hands a model without a signature: the columns in the types that they have.

    Raises:  PredictError for integers beside NULL that doubles, which pandas makes of them, cannot hold.
    """
    from sparkscore.model.signature.pandas_inputs import to_pandas_frame

    columns = [
        _to_pandas_numbers(column, field.name) for field, column in zip(packed.type, packed.flatten(), strict=True)
    ]
    inputs = [
        ModelInput(field.name, column.type, required=True) for field, column in zip(packed.type, columns, strict=True)
    ]
    return to_pandas_frame(columns, inputs)


def _to_pandas_numbers(column: pa.Array, name: str) -> pa.Array:
    """Integers beside NULL as doubles, as pandas has them."""
    if not (column.null_count and pa.types.is_integer(column.type)):
        return column
    if not pc.all(pc.less_equal(pc.abs(column.cast(pa.int64())), _MAX_EXACT_INTEGER), min_count=0).as_py():
        raise PredictError(
            f"the column {name} has integers beyond 2^53 beside NULL, and the model's signature declares no inputs",
            "integers that doubles hold, which pandas makes of integers beside NULL",
            "log the model with a signature whose inputs are long and optional, or fill the NULLs",
        )
    return column.cast(pa.float64())
