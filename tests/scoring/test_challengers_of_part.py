"""Challengers of one part: they get the champion's batches, and nothing of them reaches the champion."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparkscore.records import TableLocation
from sparkscore.schemas import REJECT_TYPE
from sparkscore.scoring import challengers_of_part
from sparkscore.scoring.challengers_of_part import ChallengersOfPart, PassChallenger

SCHEMA = pa.schema([("id", pa.int64()), ("prediction", pa.float64()), ("_reject", REJECT_TYPE)])
Batches = Iterator[pa.RecordBatch]


class Scorer:
    """Stands in for a `StageRowScorer`: it answers with a function of the ids, and counts its calls."""

    def __init__(self, answer: Callable[[pa.Array], pa.Array], *, sensitive: bool = False) -> None:
        self.answer, self.calls, self.schema = answer, list[int](), SCHEMA
        self.counters = SimpleNamespace(take_travelling=lambda: None)
        self.model = SimpleNamespace(sensitive=sensitive)

    def __call__(self, batches: Batches) -> Batches:
        taken = list(batches)
        self.calls.append(sum(batch.num_rows for batch in taken))
        for batch in taken:
            ids = batch.column(0)
            rejects = pa.nulls(len(ids), REJECT_TYPE)
            yield pa.record_batch([ids, self.answer(ids), rejects], schema=SCHEMA)


def halve(ids: pa.Array) -> pa.Array:
    return pa.array([one / 2 for one in ids.to_pylist()])


def fail(ids: pa.Array) -> pa.Array:
    raise ValueError("the value 1234 is odd")


def batches(*sizes: int) -> Batches:
    first = 0
    for size in sizes:
        yield pa.record_batch([pa.array(range(first, first + size), pa.int64())], ["id"])
        first += size


def beside(folder: Path, *scorers: Any, allowed_s: float = 60.0) -> ChallengersOfPart:
    folder.mkdir(exist_ok=True)
    location = TableLocation(str(folder), str(folder))
    found = [PassChallenger(number, scorer, location, allowed_s) for number, scorer in enumerate(scorers)]
    return ChallengersOfPart(found, "id")


def test_each_gets_all_rows_and_writes_files_of_its_own(tmp_path: Path) -> None:
    scorer = Scorer(halve)
    part = beside(tmp_path / "stage", scorer)
    assert [batch.num_rows for batch in part.follow_source(batches(3, 0, 4))] == [3, 0, 4]
    (found,) = part.close()
    assert (found.number, found.error, sum(file.rows for file in found.files)) == (0, None, 7)
    rows = pq.read_table(tmp_path / "stage" / found.files[0].path)
    assert rows["prediction"].to_pylist() == [one / 2 for one in range(7)]
    assert scorer.calls == [7]  # small batches come together


def test_large_batches_are_scored_as_they_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(challengers_of_part, "_GROUP_ROWS", 5)
    scorer = Scorer(halve)
    part = beside(tmp_path / "stage", scorer)
    for _ in part.follow_source(batches(5, 3, 4, 1)):
        pass
    assert scorer.calls == [5, 7]
    part.close()
    assert scorer.calls == [5, 7, 1]


def test_one_that_fails_leaves_no_file_and_the_others_alone(tmp_path: Path) -> None:
    part = beside(tmp_path / "stage", Scorer(fail), Scorer(halve))
    assert len(list(part.follow_source(batches(3)))) == 1
    failed, sound = part.close()
    assert failed.error is not None
    assert "ValueError: the value 1234 is odd" in failed.error["found"]
    assert failed.files == ()
    assert [file.name for file in (tmp_path / "stage").iterdir()] == [sound.files[0].path]


def test_what_it_raises_is_not_shown_of_a_source_with_sensitive_columns(tmp_path: Path) -> None:
    part = beside(tmp_path / "stage", Scorer(fail, sensitive=True))
    list(part.follow_source(batches(3)))
    (failed,) = part.close()
    assert failed.error is not None
    assert "1234" not in str(failed.error)
    assert failed.error["found"] == "ValueError"


def test_one_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    part = beside(tmp_path / "stage", Scorer(halve), allowed_s=0.0)
    list(part.follow_source(batches(3)))
    (late,) = part.close()
    assert late.error is not None
    assert late.error["class"] == "BatchTimeout"
    assert list((tmp_path / "stage").iterdir()) == []


def test_where_the_champion_fails_their_files_of_the_part_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(challengers_of_part, "_GROUP_ROWS", 1)
    part, scorer = beside(tmp_path / "stage", Scorer(halve)), Scorer(halve)
    with pytest.raises(ValueError, match="the champion"), part:  # noqa: PT012  the second batch fails
        for number, _ in enumerate(part.follow_source(batches(2, 2))):
            if number:
                raise ValueError("the champion")
    assert scorer.calls == []
    assert list((tmp_path / "stage").iterdir()) == []
