"""Batches stay within their bytes, also where a few rows are very long."""

import pyarrow as pa

from sparkscore.ingest.batch_cutting import cut_by_bytes

LONG = "x" * 1000


def test_a_batch_of_very_different_rows_is_cut_by_bytes_and_each_part_says_where_it_ends() -> None:
    texts = [LONG if index in (3, 4, 9) else "a" for index in range(12)]
    batch = pa.record_batch({"id": list(range(12)), "text": texts})
    parts = list(cut_by_bytes(batch, 112, 1300))
    assert [row for part, _ in parts for row in part.column("text").to_pylist()] == texts
    assert all(part.nbytes <= 1300 for part, _ in parts)
    assert [end for _, end in parts] == [100 + part.column("id")[-1].as_py() + 1 for part, _ in parts]


def test_a_row_that_is_longer_than_the_limit_is_a_batch_by_itself() -> None:
    batch = pa.record_batch({"text": [LONG, LONG]})
    assert [(part.num_rows, end) for part, end in cut_by_bytes(batch, 2, 10)] == [(1, 1), (1, 2)]


def test_a_batch_within_the_limit_is_the_same_object() -> None:
    batch = pa.record_batch({"text": ["a", "b"]})
    assert next(cut_by_bytes(batch, 2, 1 << 20))[0] is batch
