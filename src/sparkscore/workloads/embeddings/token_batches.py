"""Which texts go through the network together: neighbours in length, as many as the token budget holds.

Runs on executors.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

CALL_TOKENS = 64
"""Padding that one call more is worth: the network's weights are read once per call, in the time of some tokens."""

TokenIds = npt.NDArray[np.int64]


def plan_token_batches(lengths: Sequence[int], token_budget: int) -> Iterator[npt.NDArray[np.intp]]:
    """Positions, batch by batch, each position once: from the shortest to the longest.

    A batch times its longest is at most the budget; what is longer than the budget is a batch of its own. A text that
    would pad those before it by more than a call costs begins the next batch.
    """
    order = np.argsort(np.asarray(lengths, np.int64), kind="stable")
    ascending = np.asarray(lengths, np.int64)[order].tolist()
    start = 0
    for end in range(1, len(order) + 1):
        texts = end - start
        if (
            end == len(order)
            or ascending[end] * (texts + 1) > token_budget
            or (ascending[end] - ascending[end - 1]) * texts > CALL_TOKENS
        ):
            yield order[start:end]
            start = end


def pad_tokens(pieces: Sequence[Sequence[int]], pad_id: int) -> tuple[TokenIds, TokenIds]:
    """Pieces -> ids and mask (pieces, tokens of the longest); the mask is 1 where a piece has a token."""
    lengths = np.fromiter(map(len, pieces), np.int64, len(pieces))
    mask = (np.arange(lengths.max()) < lengths[:, None]).astype(np.int64)
    ids = np.full(mask.shape, pad_id, np.int64)
    ids[mask.astype(bool)] = np.concatenate([np.asarray(piece, np.int64) for piece in pieces])
    return ids, mask


def pool_tokens(tokens: npt.NDArray[Any], mask: TokenIds, pooling: str) -> npt.NDArray[np.float32]:
    """The network's vectors (texts, tokens, dimension) -> one per text (texts, dimension), padding left out."""
    if pooling == "cls":
        return tokens[:, 0].astype(np.float32)
    if pooling == "max":
        greatest: npt.NDArray[Any] = np.where(mask[:, :, None] == 1, tokens, -np.inf).max(axis=1)
        return greatest.astype(np.float32)
    weights = mask.astype(np.float32)
    weights /= weights.sum(axis=1, keepdims=True)
    means: npt.NDArray[np.float32] = np.matmul(weights[:, None, :], tokens)[:, 0]
    return means
