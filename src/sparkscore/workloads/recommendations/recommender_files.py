"""The files of a saved recommender: vectors, items, options. Executors read them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

WithoutVector = Literal["popular", "reject"]

_VECTORS, _ITEMS, _OPTIONS = "vectors.npy", "items.arrow", "recommender.json"
ITEM_COLUMN = "item"


@dataclass(frozen=True, slots=True)
class RecommenderOptions:
    """How a recommender was saved."""

    count: int
    """Items per user."""
    vector: str
    """The input with the user's vector."""
    seen: str | None
    """The input with the items that the user must not get; None: there is none."""
    filters: Mapping[str, str]
    """Input -> attribute of the items that has to be equal; NULL allows every item."""
    without_vector: WithoutVector
    """What a user gets whose vector is NULL or empty: the most popular items, or a reject."""
    memory_bytes: int
    """What a block of items and its products with the users may take."""


@dataclass(frozen=True, slots=True)
class ItemTable:
    """All items, by their position: ascending by their name."""

    names: pa.Array
    """string or int64, ascending."""
    vectors: npt.NDArray[np.float32]
    """(items, d), mapped from the file: the workers of an executor share it."""
    attributes: Mapping[str, pa.Array]
    popular: npt.NDArray[np.int64]
    """Positions, the most popular first."""


def write_recommender(folder: Path, items: pa.Table, vectors: Any, options: RecommenderOptions) -> None:
    """Write the files.

    Needs:   items with `item`, `_popularity` and the attributes, ascending by `item`; a vector for each.
    """
    np.save(folder / _VECTORS, np.ascontiguousarray(vectors, np.float32))
    with pa.OSFile(str(folder / _ITEMS), "wb") as sink, pa.ipc.new_file(sink, items.schema) as writer:
        writer.write_table(items)
    (folder / _OPTIONS).write_text(json.dumps(asdict(options), indent=2), encoding="utf-8")


def read_recommender(folder: Path) -> tuple[ItemTable, RecommenderOptions]:
    """What `write_recommender` has written. Runs on: executor."""
    options = RecommenderOptions(**json.loads((folder / _OPTIONS).read_text(encoding="utf-8")))
    with pa.memory_map(str(folder / _ITEMS)) as source:
        table = pa.ipc.open_file(source).read_all().combine_chunks()
    popular = pc.sort_indices(table, [("_popularity", "descending"), (ITEM_COLUMN, "ascending")])
    attributes = {name: _combine_column(table, name) for name in options.filters.values()}
    vectors = np.load(folder / _VECTORS, mmap_mode="r")
    return ItemTable(
        _combine_column(table, ITEM_COLUMN), vectors, attributes, popular.to_numpy().astype(np.int64)
    ), options


def find_items(names: pa.Array, wanted: pa.Array) -> npt.NDArray[np.int64]:
    """The position of each of these in the items; -1 for what is none."""
    found = pc.fill_null(pc.index_in(wanted, value_set=names), -1)
    return np.asarray(found.to_numpy(zero_copy_only=False), np.int64)


def encode_values(values: pa.Array, among: pa.Array) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Codes that are equal where values are: of `values` (-1 for NULL), and of the items' (-2 for NULL)."""
    known = pc.unique(among).drop_null()
    codes = pc.index_in(values, value_set=known)
    unknown = pc.and_(values.is_valid(), codes.is_null())
    user_codes = pc.if_else(unknown, pa.scalar(len(known), pa.int32()), pc.fill_null(codes, -1))
    item_codes = pc.fill_null(pc.index_in(among, value_set=known), -2)
    both = [np.asarray(one.to_numpy(zero_copy_only=False), np.int32) for one in (user_codes, item_codes)]
    return both[0], both[1]


def _combine_column(table: pa.Table, name: str) -> pa.Array:
    column: Sequence[pa.Array] = table[name].chunks
    return column[0] if len(column) == 1 else pa.concat_arrays(column) if column else pa.array([], table[name].type)
