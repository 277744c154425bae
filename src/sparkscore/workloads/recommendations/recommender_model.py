"""The recommender that MLflow's pyfunc loads: a batch of users -> the best items of each. Runs on executors."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.records.scored_rows import RowReject, ScoredRows
from sparkscore.workloads.recommendations.recommender_files import (
    ItemTable,
    RecommenderOptions,
    encode_values,
    find_items,
    read_recommender,
)
from sparkscore.workloads.recommendations.top_items import BlockedItems, ItemLimits, TopItems

NO_VECTOR = RowReject("no_vector", "the user has no vector")
WRONG_LENGTH = RowReject("wrong_vector_length", "the user's vector has another length than those of the items")
NOT_FINITE = RowReject("vector_not_finite", "the user's vector holds NULL, NaN or an infinity")


def load_recommender(data_path: str) -> "Recommender":
    """A saved recommender."""
    items, options = read_recommender(Path(data_path))
    norms = np.sqrt(np.einsum("ij,ij->i", items.vectors, items.vectors, dtype=np.float64))
    blocks = BlockedItems(items.vectors, options.memory_bytes, float(norms.max(initial=0.0)))
    return Recommender(items, options, blocks)


_load_pyfunc = load_recommender  # the name that MLflow calls


@dataclass(frozen=True, slots=True)
class Recommender:
    """All items, and how they are looked through."""

    items: ItemTable
    options: RecommenderOptions
    blocks: BlockedItems

    def predict(self, model_input: Any, params: Mapping[str, Any] | None = None) -> ScoredRows:
        """As `predict_batch`, for a frame: MLflow's own function calls it."""
        return self.predict_batch(pa.RecordBatch.from_pandas(model_input, preserve_index=False), params)

    def predict_batch(self, batch: pa.RecordBatch, params: Mapping[str, Any] | None = None) -> ScoredRows:
        """The best items of each user: `array<struct<item, score>>`, best first, equal scores by the item's name.

        Shapes:  n users -> n lists of at most `count` items.
        Counts:  recommended_items; users_without_vector; short_lists (users who got fewer than `count`); item_blocks;
                 blocks_halved, how often memory ran out.
        Raises:  MemoryError where not even one item at a time fits.
        """
        if not batch.num_rows:
            return ScoredRows(self._build_lists(TopItems(np.zeros(1, np.int64), np.zeros(0, np.int64), np.zeros(0))))
        vectors, rejects, absent = self._read_vectors(batch.column(self.options.vector))
        limits = self._read_limits(batch)
        before = self.blocks.blocks, self.blocks.blocks_halved
        top = self.blocks.find_top(vectors, self.options.count, limits)
        if len(absent) and self.options.without_vector == "popular":
            top = self._add_popular(top, absent, limits)
        sizes = np.diff(top.offsets)
        is_rejected = np.zeros(len(sizes), bool)
        is_rejected[list(rejects)] = True
        counts = {
            "recommended_items": float(sizes[~is_rejected].sum()),
            "short_lists": float((sizes[~is_rejected] < self.options.count).sum()),
            "users_without_vector": float(len(absent)),
            "item_blocks": float(self.blocks.blocks - before[0]),
            "blocks_halved": float(self.blocks.blocks_halved - before[1]),
        }
        return ScoredRows(self._build_lists(top), rejects, counts)

    def _read_vectors(self, column: pa.Array) -> tuple[npt.NDArray[np.float64], dict[int, RowReject], list[int]]:
        """A vector per user, zeros for those that have none; the users that are rejected; those without a vector."""
        width = self.items.vectors.shape[1]
        lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
        vectors = np.zeros((len(column), width))
        is_whole = lengths == width
        values = column.filter(pa.array(is_whole)).flatten()
        vectors[is_whole] = pc.fill_null(values.cast(pa.float64()), float("nan")).to_numpy().reshape(-1, width)
        is_finite = np.isfinite(vectors).all(axis=1)
        vectors[~is_finite] = 0.0
        absent = np.flatnonzero(lengths == 0).tolist()
        rejects = dict.fromkeys(np.flatnonzero((lengths != width) & (lengths != 0)).tolist(), WRONG_LENGTH)
        rejects |= dict.fromkeys(np.flatnonzero(~is_finite).tolist(), NOT_FINITE)
        if self.options.without_vector == "reject":
            rejects |= dict.fromkeys(absent, NO_VECTOR)
        return vectors, rejects, absent

    def _read_limits(self, batch: pa.RecordBatch) -> ItemLimits:
        required = [
            encode_values(
                batch.column(name).cast(self.items.attributes[attribute].type), self.items.attributes[attribute]
            )
            for name, attribute in self.options.filters.items()
        ]
        none = np.zeros(0, np.int64)
        if self.options.seen is None:
            return ItemLimits(none, none, required)
        seen = batch.column(self.options.seen)
        users = pc.list_parent_indices(seen).to_numpy(zero_copy_only=False).astype(np.int64)
        items = find_items(self.items.names, seen.flatten().cast(self.items.names.type))
        return ItemLimits(users[items >= 0], items[items >= 0], required)

    def _add_popular(self, top: TopItems, absent: list[int], limits: ItemLimits) -> TopItems:
        """The same, with the most popular items that are allowed for users without a vector; their score is NaN."""
        lists = [
            (top.items[low:high], top.scores[low:high])
            for low, high in zip(top.offsets[:-1], top.offsets[1:], strict=True)
        ]
        for place in absent:
            mine = limits.slice_users(place, place + 1)
            is_allowed = np.ones(len(self.items.names), bool)
            is_allowed[mine.seen_items] = False
            for users, items in mine.required:
                is_allowed &= (items == users[0]) | (users[0] < 0)
            popular = self.items.popular[is_allowed[self.items.popular]][: self.options.count]
            lists[place] = popular, np.full(len(popular), np.nan)
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum([len(items) for items, _ in lists])])
        return replace(
            top,
            offsets=offsets,
            items=np.concatenate([items for items, _ in lists]),
            scores=np.concatenate([scores for _, scores in lists]),
        )

    def _build_lists(self, top: TopItems) -> pa.ListArray:
        names = self.items.names.take(pa.array(top.items))
        scores = pa.array(top.scores, pa.float64(), mask=np.isnan(top.scores))
        pairs = pa.StructArray.from_arrays([names, scores], names=["item", "score"])
        return pa.ListArray.from_arrays(pa.array(top.offsets.astype(np.int32)), pairs)
