"""The items whose vectors have the greatest products with a user's: in blocks, exact, ties by position. numpy alone.

A block of items is multiplied in float32. What may still be among the best, given how far float32 can be off, is
multiplied again in float64: the order is that of the exact products, whatever the sizes of the blocks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Positions = npt.NDArray[np.int64]

MAX_USERS_AT_ONCE = 2048
_LARGEST_FLOAT32_PRODUCT = 1e30
"""Products that may be greater are computed in float64 at once."""
_RESCORED_AT_ONCE = 1 << 16
_FIRST_BLOCK_ROWS = 8192
"""Small: it sets the bar that nearly all items of later blocks fail."""


@dataclass(frozen=True, slots=True)
class ItemLimits:
    """Which items a batch's users may get."""

    seen_users: Positions
    """Of each pair of a user and an item that must not be recommended: the user's position in the batch, ascending."""
    seen_items: Positions
    """And the item's position."""
    required: Sequence[tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]] = ()
    """Codes of the users and of all items that have to be equal; a user's -1 allows every item."""

    def slice_users(self, first: int, last: int) -> "ItemLimits":
        """Those of some of the users."""
        low, high = np.searchsorted(self.seen_users, [first, last])
        required = [(users[first:last], items) for users, items in self.required]
        return ItemLimits(self.seen_users[low:high] - first, self.seen_items[low:high], required)


@dataclass(frozen=True, slots=True)
class TopItems:
    """The best items of each user, best first; fewer than asked for where no more are allowed."""

    offsets: Positions
    """(users + 1,): where each user's items begin."""
    items: Positions
    """Positions of items."""
    scores: npt.NDArray[np.float64]


@dataclass(slots=True)
class BlockedItems:
    """The vectors of all items, read in blocks: they may lie in a file that is larger than memory."""

    vectors: Floats
    """(items, d), float32; a memory map as well."""
    memory_bytes: int
    """What a block and its products with the users may take."""
    max_norm: float
    """The greatest length of a vector."""
    blocks: int = 0
    """How many were multiplied."""
    blocks_halved: int = 0
    """How often memory ran out, and blocks became half as large."""
    _limit: int | None = field(default=None, init=False)

    def find_top(self, users: Floats, count: int, limits: ItemLimits) -> TopItems:
        """The `count` best items of each user.

        Needs:   finite vectors (users, d); count >= 1.
        Runs on: executor.
        Raises:  MemoryError where not even one item at a time fits.
        """
        parts = []
        for first in range(0, len(users), MAX_USERS_AT_ONCE):
            last = min(first + MAX_USERS_AT_ONCE, len(users))
            parts.append(self._find_part(users[first:last], count, limits.slice_users(first, last)))
        if not parts:
            return TopItems(np.zeros(1, np.int64), np.zeros(0, np.int64), np.zeros(0))
        sizes = np.concatenate([np.diff(part.offsets) for part in parts])
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
        items, scores = (np.concatenate([getattr(part, name) for part in parts]) for name in ("items", "scores"))
        return TopItems(offsets, items, scores)

    def _find_part(self, users: Floats, count: int, limits: ItemLimits) -> TopItems:
        search = _TopSearch.begin(users, count, limits, self.max_norm)
        first = 0
        while first < len(self.vectors):
            rows = self._choose_rows(search, is_first=first == 0)
            try:
                search.add_block(self.vectors[first : first + rows], first)
            except MemoryError:
                if rows == 1:
                    raise
                self._limit, self.blocks_halved = rows // 2, self.blocks_halved + 1
                continue
            first += rows
            self.blocks += 1
        return search.order_candidates(self.vectors)

    def _choose_rows(self, search: "_TopSearch", *, is_first: bool) -> int:
        item_bytes = search.item_bytes
        rows = max(1, self.memory_bytes // item_bytes)
        rows = min(rows, _FIRST_BLOCK_ROWS) if is_first else rows
        return rows if self._limit is None else min(rows, self._limit)


@dataclass(slots=True)
class _TopSearch:
    """Some users on their way through the blocks."""

    users: Floats
    exact: npt.NDArray[np.float64]
    count: int
    limits: ItemLimits
    margin: npt.NDArray[np.float64]
    """By how much a product can be off, twice, per user."""
    best: Floats
    """(users, count): the greatest products so far."""
    found: list[tuple[Positions, Positions, Floats]]
    """Per block: users, items and products of what may be among the best."""

    @classmethod
    def begin(cls, users: Floats, count: int, limits: ItemLimits, max_norm: float) -> "_TopSearch":
        exact = np.ascontiguousarray(users, np.float64)
        norms = np.sqrt(np.sum(exact * exact, axis=1))
        is_small = bool(np.all(norms * max_norm < _LARGEST_FLOAT32_PRODUCT))
        fast: Floats = exact.astype(np.float32) if is_small else exact
        margin = 4 * (exact.shape[1] + 4) * float(np.finfo(fast.dtype).eps) * norms * max_norm
        best: Floats = np.full((len(exact), count), -np.inf, fast.dtype)
        return cls(fast, exact, count, limits, margin, best, [])

    @property
    def item_bytes(self) -> int:
        """What an item of a block takes: its vector, its product with each user, and whether that is good enough."""
        width = int(self.users.dtype.itemsize)
        return int(self.users.shape[1]) * width + len(self.users) * (width + 2)

    def add_block(self, vectors: Floats, first: int) -> None:
        """Look at the items from this position on."""
        products = self.users @ np.asarray(vectors, self.users.dtype).T
        self._exclude_items(products, first)
        bar = self.best[:, -1].astype(np.float64)
        if first == 0 and products.shape[1] > self.count:
            bar = np.partition(products, -self.count, axis=1)[:, -self.count].astype(np.float64)
        is_good = products >= (bar - self.margin)[:, None]
        is_good &= products > -np.inf
        users, items = np.nonzero(is_good)
        values = products[users, items]
        self.found.append((users, items + first, values))
        self._raise_bar(users, values)

    def _exclude_items(self, products: Floats, first: int) -> None:
        last = first + products.shape[1]
        here = (self.limits.seen_items >= first) & (self.limits.seen_items < last)
        products[self.limits.seen_users[here], self.limits.seen_items[here] - first] = -np.inf
        for users, items in self.limits.required:
            unlike = (users[:, None] != items[None, first:last]) & (users >= 0)[:, None]
            products[unlike] = -np.inf

    def _raise_bar(self, users: Positions, values: Floats) -> None:
        sizes = np.bincount(users, minlength=len(self.users))
        if not len(values):
            return
        padded = np.full((len(self.users), sizes.max()), -np.inf, values.dtype)
        padded[users, np.arange(len(users)) - (np.cumsum(sizes) - sizes)[users]] = values
        both = np.concatenate([self.best, padded], axis=1)
        self.best = -np.sort(-np.partition(both, -self.count, axis=1)[:, -self.count :], axis=1)

    def order_candidates(self, vectors: Floats) -> TopItems:
        """The best of what was found, by the exact products; equal ones by position."""
        users, items, values = (np.concatenate(parts) for parts in zip(*self.found, strict=True))
        still = values >= (self.best[:, -1].astype(np.float64) - self.margin)[users]
        users, items = users[still], items[still]
        scores = np.empty(len(users))
        for start in range(0, len(users), _RESCORED_AT_ONCE):
            part = slice(start, start + _RESCORED_AT_ONCE)
            scores[part] = (self.exact[users[part]] * vectors[items[part]].astype(np.float64)).sum(axis=1)
        order = np.lexsort((items, -scores, users))
        users, items, scores = users[order], items[order], scores[order]
        sizes = np.bincount(users, minlength=len(self.users))
        rank = np.arange(len(users)) - (np.cumsum(sizes) - sizes)[users]
        kept = rank < self.count
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.minimum(sizes, self.count))])
        return TopItems(offsets, items[kept], scores[kept])
