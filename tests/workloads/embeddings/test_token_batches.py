"""Which texts go through the network together, and what they are padded to."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkscore.workloads.embeddings.token_batches import pad_tokens, plan_token_batches, pool_tokens

lengths = st.lists(st.integers(1, 300), max_size=60)


@given(lengths, st.integers(1, 2000))
def test_each_text_is_in_one_batch_and_no_batch_is_over_the_budget(sizes: list[int], budget: int) -> None:
    batches = list(plan_token_batches(sizes, budget))
    assert sorted(place for batch in batches for place in batch) == list(range(len(sizes)))
    for batch in batches:
        longest = max(sizes[place] for place in batch)
        assert len(batch) == 1 or longest * len(batch) <= budget


def test_neighbours_in_length_are_together_so_that_little_is_padded() -> None:
    sizes = [3, 200, 4, 190, 3, 210]
    assert [[sizes[place] for place in batch] for batch in plan_token_batches(sizes, 450)] == [
        [3, 3, 4],
        [190, 200],
        [210],
    ]


def test_a_text_that_would_pad_many_others_begins_the_next_batch() -> None:
    """One call more costs less than 20 texts with 30 tokens of padding each."""
    sizes = [10] * 20 + [40]
    assert [len(batch) for batch in plan_token_batches(sizes, 10_000)] == [20, 1]
    assert [len(batch) for batch in plan_token_batches([10, 10, 40], 10_000)] == [3]


def test_padding_is_masked() -> None:
    ids, mask = pad_tokens([[5, 6], [7, 8, 9]], 0)
    assert ids.tolist() == [[5, 6, 0], [7, 8, 9]]
    assert mask.tolist() == [[1, 1, 0], [1, 1, 1]]


@pytest.mark.parametrize(
    ("pooling", "expected"), [("mean", [[2.0, 3.0]]), ("cls", [[1.0, 2.0]]), ("max", [[3.0, 4.0]])]
)
def test_what_is_padded_has_no_part_in_a_vector(pooling: str, expected: list[list[float]]) -> None:
    tokens = np.array([[[1, 2], [3, 4], [900, 900]]], np.float32)
    np.testing.assert_array_equal(pool_tokens(tokens, np.array([[1, 1, 0]]), pooling), expected)
