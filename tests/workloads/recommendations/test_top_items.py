"""The best items are those that numpy finds when it sorts all products, whatever the blocks."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkscore.workloads.recommendations.top_items import MAX_USERS_AT_ONCE, BlockedItems, ItemLimits, TopItems

NONE = np.zeros(0, np.int64)
NO_LIMITS = ItemLimits(NONE, NONE)


def find(
    users: object, items: object, count: int, limits: ItemLimits = NO_LIMITS, *, memory: int = 1 << 30
) -> TopItems:
    vectors = np.asarray(items, np.float32)
    norm = float(np.sqrt((vectors.astype(float) ** 2).sum(axis=1)).max(initial=0.0))
    return BlockedItems(vectors, memory, norm).find_top(np.asarray(users, float), count, limits)


def sort_all(users: object, items: object, count: int, forbidden: object = None) -> list[list[int]]:
    """The oracle: every product in double precision, sorted; equal ones by position."""
    given_users, vectors = np.asarray(users, float), np.asarray(items, np.float32).astype(float)
    answer = []
    for place, user in enumerate(given_users):
        scores = (user * vectors).sum(axis=1)
        order = np.lexsort((np.arange(len(vectors)), -scores)).tolist()
        if forbidden is not None:
            order = [at for at in order if not np.asarray(forbidden)[place, at]]
        answer.append(order[:count])
    return answer


def lists(top: TopItems) -> list[list[int]]:
    return [top.items[low:high].tolist() for low, high in zip(top.offsets[:-1], top.offsets[1:], strict=True)]


@st.composite
def problems(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, int, np.ndarray, int]:
    """Few different numbers, so that products are equal often."""
    seed = draw(st.integers(0, 1 << 30))
    users, items, width, count = (draw(st.integers(1, top)) for top in (6, 60, 5, 8))
    source = np.random.default_rng(seed)
    kinds = draw(st.sampled_from([3, 50, 1000]))
    scale = draw(st.sampled_from([1.0, 1e-6, 1e25]))
    matrices = [source.integers(-kinds, kinds + 1, (rows, width)) / 7 * scale for rows in (users, items)]
    forbidden = source.random((users, items)) < draw(st.sampled_from([0.0, 0.3, 1.0]))
    return matrices[0], matrices[1].astype(np.float32), count, forbidden, draw(st.integers(1, 4000))


@given(problems())
def test_blocks_of_any_size_give_what_sorting_all_products_gives(problem: tuple) -> None:  # type: ignore[type-arg]
    users, items, count, forbidden, memory = problem
    pairs = np.nonzero(forbidden)
    found = find(users, items, count, ItemLimits(pairs[0], pairs[1]), memory=memory)
    assert lists(found) == sort_all(users, items, count, forbidden)


def test_many_users_are_taken_in_parts_and_each_gets_its_own() -> None:
    source = np.random.default_rng(1)
    users, items = source.normal(size=(MAX_USERS_AT_ONCE + 3, 4)), source.normal(size=(20, 4))
    found = find(users, items, 3)
    assert lists(found) == sort_all(users, items, 3)


def test_equal_products_come_in_the_order_of_the_items_also_across_blocks() -> None:
    items = np.ones((5000, 8), np.float32) / 3
    assert lists(find(np.ones((2, 8)), items, 4, memory=3000)) == [[0, 1, 2, 3]] * 2


def test_scores_are_products_in_double_precision() -> None:
    source = np.random.default_rng(2)
    users, items = source.normal(size=(3, 64)), source.normal(size=(100, 64)).astype(np.float32)
    found = find(users, items, 5)
    expected = np.sort((users @ items.astype(float).T), axis=1)[:, ::-1][:, :5].ravel()
    np.testing.assert_allclose(found.scores, expected, rtol=1e-12)


def test_only_items_whose_attribute_is_the_users_are_allowed() -> None:
    items = np.arange(6, dtype=np.float32)[:, None]
    required = [(np.array([0, -1, 7], np.int32), np.array([0, 0, 1, 1, -2, -2], np.int32))]
    found = find(np.ones((3, 1)), items, 2, ItemLimits(NONE, NONE, required))
    assert lists(found) == [[1, 0], [5, 4], []]


def test_without_items_left_the_list_is_shorter() -> None:
    found = find(np.ones((2, 1)), [[1.0], [2.0]], 5, ItemLimits(np.array([0, 1, 1]), np.array([1, 0, 1])))
    assert lists(found) == [[0], []]


CODE = """
import resource, numpy as np
from sparkscore.workloads.recommendations.top_items import BlockedItems, ItemLimits
none = np.zeros(0, np.int64)
rng = np.random.default_rng(0)
items = rng.normal(size=(60_000, 8)).astype(np.float32)
users = rng.normal(size=(2_000, 8))
norm = float(np.sqrt((items.astype(float) ** 2).sum(axis=1)).max())
roomy = BlockedItems(items, 8 << 20, norm)
whole = roomy.find_top(users, 5, ItemLimits(none, none))
used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (200 << 20), -1))
narrow = BlockedItems(items, 4 << 30, norm)
few = narrow.find_top(users, 5, ItemLimits(none, none))
assert (few.items == whole.items).all() and (few.scores == whole.scores).all()
print(narrow.blocks_halved)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of address space are those of Linux")
def test_a_block_that_does_not_fit_into_memory_is_halved_and_no_item_is_lost() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 1
