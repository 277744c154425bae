"""A saved recommender answers through MLflow's own function and through ours alike."""

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from sparkscore import ConfigError, save_recommender
from sparkscore.records import ScoredRows
from sparkscore.workloads.recommendations.recommender_model import Recommender, load_recommender

ITEMS = pa.table(
    {
        "item": ["d", "b", "a", "c"],
        "vector": [[0.0, 2.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]],
        "country": ["de", "de", "fr", None],
        "sold": [1, 5, 5, 9],
    }
)
MORE = {"count": 2, "seen": "seen", "filters": {"country": "country"}, "popularity": "sold"}


def saved(folder: Path, items: Any = ITEMS, **options: Any) -> Recommender:
    save_recommender(folder / "model", items, **options)
    return load_recommender(str(folder / "model" / "data" / "recommender"))


def batch(*rows: tuple[Any, Any, Any]) -> pa.RecordBatch:
    vectors, seen, countries = zip(*rows, strict=True)
    return pa.record_batch(
        [
            pa.array(vectors, pa.list_(pa.float64())),
            pa.array(seen, pa.list_(pa.string())),
            pa.array(countries, pa.string()),
        ],
        ["vector", "seen", "country"],
    )


def names(answer: ScoredRows) -> list[Any]:
    return [[pair["item"] for pair in row] for row in answer.predictions.to_pylist()]


def test_items_come_best_first_and_equal_ones_by_name(tmp_path: Path) -> None:
    answer = saved(tmp_path, **MORE).predict_batch(batch(([1.0, 0.1], None, None), ([0.0, 1.0], [], None)))
    assert names(answer) == [["a", "b"], ["d", "c"]]
    assert answer.predictions.to_pylist()[1] == [{"item": "d", "score": 2.0}, {"item": "c", "score": 1.0}]
    assert (answer.counts["recommended_items"], answer.counts["short_lists"]) == (4, 0)


def test_seen_items_are_left_out_and_names_that_are_no_items_change_nothing(tmp_path: Path) -> None:
    answer = saved(tmp_path, **MORE).predict_batch(batch(([1.0, 0.1], ["a", "zz", None], None)))
    assert names(answer) == [["b", "d"]]


def test_a_filter_allows_the_items_with_the_users_value_alone(tmp_path: Path) -> None:
    answer = saved(tmp_path, **MORE).predict_batch(batch(([1.0, 0.1], None, "fr"), ([1.0, 0.1], None, "it")))
    assert names(answer) == [["a"], []]
    assert answer.counts["short_lists"] == 2


def test_a_user_without_history_gets_what_is_popular_and_allowed(tmp_path: Path) -> None:
    answer = saved(tmp_path, **MORE).predict_batch(
        batch((None, ["c"], None), ([], None, "de"), ([1.0, 0.0], None, None))
    )
    assert names(answer) == [["a", "b"], ["b", "d"], ["a", "b"]]
    assert answer.predictions.to_pylist()[0][0] == {"item": "a", "score": None}
    assert (answer.rejects, answer.counts["users_without_vector"]) == ({}, 2)


def test_without_popularity_such_a_user_is_a_reject_as_are_vectors_that_fit_no_item(tmp_path: Path) -> None:
    answer = saved(tmp_path, count=1, vector="vector").predict_batch(
        batch((None, None, None), ([1.0], None, None), ([1.0, float("nan")], None, None), ([1.0, None], None, None))
    )
    found = {place: reject.code for place, reject in answer.rejects.items()}
    assert found == {0: "no_vector", 1: "wrong_vector_length", 2: "vector_not_finite", 3: "vector_not_finite"}
    assert answer.counts["recommended_items"] == 0


def test_mlflows_own_function_gives_the_same(tmp_path: Path) -> None:
    ours = saved(tmp_path, **MORE).predict_batch(batch(([1.0, 0.1], ["a"], "de")))
    frame = pd.DataFrame({"vector": [np.array([1.0, 0.1])], "seen": [np.array(["a"])], "country": ["de"]})
    theirs = mlflow.pyfunc.load_model(str(tmp_path / "model")).predict(frame)
    assert theirs.predictions.to_pylist() == ours.predictions.to_pylist()


@pytest.mark.parametrize(
    ("items", "options", "text"),
    [
        (ITEMS, {"item": "sku"}, "no column sku"),
        (ITEMS.slice(0, 0), {}, "no items"),
        (pa.concat_tables([ITEMS, ITEMS]), {}, "8 items"),
        (ITEMS, {"count": 0}, "count 0"),
        (ITEMS, {"without_vector": "popular"}, "no popularity"),
        (ITEMS, {"item": "vector"}, "item names of type list"),
        (pa.table({"item": [1, 2], "vector": [[1.0], [1.0, 2.0]]}), {}, "lengths 1, 2"),
        (pa.table({"item": [1], "vector": [[float("inf")]]}), {}, "1 items whose vector"),
    ],
)
def test_items_that_do_not_fit_are_refused_when_they_are_saved(
    tmp_path: Path, items: pa.Table, options: dict[str, Any], text: str
) -> None:
    with pytest.raises(ConfigError, match=text):
        save_recommender(tmp_path / "model", items, **options)
    assert not (tmp_path / "model").exists()
