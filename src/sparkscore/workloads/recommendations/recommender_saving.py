"""Saves item vectors as a recommender. Runs on the driver."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.errors import ConfigError
from sparkscore.workloads.recommendations.recommender_files import (
    ITEM_COLUMN,
    RecommenderOptions,
    WithoutVector,
    write_recommender,
)

_LOADER = "sparkscore.workloads.recommendations.recommender_model"
BATCH_ROWS = 2048
"""Users whose vectors are multiplied with a block of items together."""
_FILTER_TYPES = {pa.string(): "string", pa.int64(): "long"}


def save_recommender(path: str | Path, items: Any, **options: Any) -> None:
    """Save a recommender as an MLflow model in a new folder. Options: those of `log_recommender`.

    Raises:  ConfigError.
    """
    import mlflow

    with _write_item_data(items, **options) as arguments:
        mlflow.pyfunc.save_model(str(path), **arguments)


def log_recommender(name: str, items: Any, *, registered_model_name: str | None = None, **options: Any) -> Any:
    """Log a recommender as an MLflow model: a user's vector -> `array<struct<item, score>>`, the best items.

    `items`: a pyarrow Table or a pandas DataFrame, one row per item. Options:
    `count`: items per user (10). `item`, `item_vector`: its columns with the item's name (text or whole numbers, each
    once) and its vector. `vector`: the job's input with the user's vector, array<float> or array<double>.
    `seen`: the input with items that the user must not get (an array of names). `filters`: input -> column of `items`
    that has to be equal for an item to be allowed; NULL in the input allows all. `popularity`: a column of numbers;
    users without a vector get the most popular items (`without_vector="popular"`, the default where it is given), else
    they are rejects. `memory_bytes`: what a block of items and its products may take (64 MiB).

    The score is the product of both vectors, in double precision, of the items' vectors as floats.

    Returns: MLflow's ModelInfo.
    Jobs:    none.
    Raises:  ConfigError for items or options that do not fit.
    """
    import mlflow

    with _write_item_data(items, **options) as arguments:
        return mlflow.pyfunc.log_model(name=name, registered_model_name=registered_model_name, **arguments)


@contextmanager
def _write_item_data(  # noqa: PLR0913 - what the public functions take
    items: Any,
    *,
    count: int = 10,
    item: str = "item",
    item_vector: str = "vector",
    vector: str = "vector",
    seen: str | None = None,
    filters: Mapping[str, str] | None = None,
    popularity: str | None = None,
    without_vector: WithoutVector | None = None,
    memory_bytes: int = 64 << 20,
) -> Iterator[dict[str, Any]]:
    """The arguments of `mlflow.pyfunc.save_model`, as long as the block lasts."""
    table = items if isinstance(items, pa.Table) else pa.Table.from_pandas(items, preserve_index=False)
    filters = dict(filters or {})
    _check_columns(table, [item, item_vector, *filters.values(), *([popularity] if popularity else [])])
    chosen: WithoutVector = without_vector or ("popular" if popularity else "reject")
    _check_recommender_options(count, memory_bytes, chosen, popularity)
    names = _read_names(table, item)
    order = pc.sort_indices(names)
    attributes = {name: _read_attribute(table, name).take(order) for name in filters.values()}
    popular = (
        table[popularity].cast(pa.float64()) if popularity else pa.chunked_array([pa.nulls(len(table), pa.float64())])
    )
    columns = {ITEM_COLUMN: names.take(order), "_popularity": popular.take(order), **attributes}
    vectors = _read_item_vectors(table[item_vector], item_vector)[order.to_numpy()]
    options = RecommenderOptions(count, vector, seen, filters, chosen, memory_bytes)
    with tempfile.TemporaryDirectory(prefix="sparkscore-recommender-") as folder:
        data = Path(folder, "recommender")
        data.mkdir()
        write_recommender(data, pa.table(columns), vectors, options)
        yield {
            "loader_module": _LOADER,
            "data_path": str(data),
            "signature": _make_recommender_signature(
                options, names.type, {name: one.type for name, one in attributes.items()}
            ),
            "pip_requirements": ["sparkscore"],
            "metadata": {"sparkscore": {"batch_rows": BATCH_ROWS}},
        }


def _check_columns(table: pa.Table, wanted: Sequence[str]) -> None:
    missing = [name for name in wanted if name not in table.column_names]
    if missing:
        raise ConfigError(
            f"the items have no column {', '.join(missing)}",
            f"columns of theirs: {', '.join(table.column_names)}",
            "name the columns by item=, item_vector=, filters= and popularity=",
        )
    if not len(table):
        raise ConfigError("no items", "one at least", "give the table of all items that may be recommended")


def _check_recommender_options(count: int, memory_bytes: int, without_vector: str, popularity: str | None) -> None:
    if count < 1 or memory_bytes < 1:
        raise ConfigError(f"count {count}, memory_bytes {memory_bytes}", "both at least 1", "give greater numbers")
    if without_vector not in ("popular", "reject"):
        raise ConfigError(f"without_vector {without_vector!r:.80}", "popular or reject", "give one of both")
    if without_vector == "popular" and popularity is None:
        raise ConfigError(
            "without_vector popular, and no popularity",
            "a column of numbers",
            "give popularity=, or without_vector=reject",
        )


def _read_names(table: pa.Table, item: str) -> pa.ChunkedArray:
    column = table[item]
    is_whole = pa.types.is_integer(column.type)
    if not is_whole and not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
        raise ConfigError(f"item names of type {column.type}", "text or whole numbers", "cast the column")
    names = column.cast(pa.int64() if is_whole else pa.string())
    if names.null_count or pc.count_distinct(names).as_py() != len(names):
        raise ConfigError(
            f"{len(names):,} items, {names.null_count:,} of them without a name,"
            f" and {pc.count_distinct(names).as_py():,} different names",
            "a name of its own for each",
            "remove what is there twice",
        )
    return names


def _read_attribute(table: pa.Table, name: str) -> pa.ChunkedArray:
    column = table[name]
    return column.cast(pa.int64() if pa.types.is_integer(column.type) else pa.string())


def _read_item_vectors(column: pa.ChunkedArray, name: str) -> Any:
    lengths = pc.unique(pc.list_value_length(column)).to_pylist() if pa.types.is_list(column.type) else []
    if len(lengths) != 1 or not lengths[0]:
        raise ConfigError(
            f"column {name} of type {column.type}, with lengths {', '.join(map(str, lengths[:5])) or 'of none'}",
            "lists of numbers, all of one length",
            "give each item a vector of the same length",
        )
    flat = pc.list_flatten(column).cast(pa.float32())
    vectors = pc.fill_null(flat, float("nan")).to_numpy().reshape(-1, lengths[0])
    if not np.isfinite(vectors).all():
        raise ConfigError(
            f"{int((~np.isfinite(vectors).all(axis=1)).sum()):,} items whose vector holds NULL, NaN or an infinity",
            "finite numbers that a float can hold",
            "remove these items, or repair their vectors",
        )
    return vectors


def _make_recommender_signature(
    options: RecommenderOptions, names: pa.DataType, attributes: Mapping[str, pa.DataType]
) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema
    from mlflow.types.schema import Array, Object, Property

    def name_of(arrow: pa.DataType) -> str:
        return _FILTER_TYPES[arrow]

    inputs = [ColSpec(Array("double"), options.vector, required=False)]
    if options.seen is not None:
        inputs.append(ColSpec(Array(name_of(names)), options.seen, required=False))
    inputs += [ColSpec(name_of(attributes[of]), name, required=False) for name, of in options.filters.items()]
    pair = Object([Property("item", name_of(names)), Property("score", "double", required=False)])
    return ModelSignature(Schema([*inputs]), Schema([ColSpec(Array(pair))]))
