"""Late truths joined with what was published, checked against scikit-learn and by hand on the raw rows."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from sklearn import metrics

from sparkscore import evaluate
from sparkscore.errors import ConfigError
from tests.published import PublishedHome, moment

LATER = moment("2014-01-01")


@pytest.fixture
def flights(spark: SparkSession, tmp_path: Path) -> PublishedHome:
    """A home without publications."""
    return PublishedHome(spark, tmp_path / "home", threshold=0.5)


def scored(rows: int, *, seed: int = 0, first: int = 0) -> dict[str, Any]:
    """Rows with scores that have ties."""
    random = np.random.default_rng(seed)
    ids = np.arange(first, first + rows)
    return {
        "id": ids,
        "carrier": [["AA", "UA", None][i % 3] for i in ids],
        "prediction": random.integers(0, 41, rows) / 40,
    }


def truths_of(rows: dict[str, Any], *, seed: int = 1) -> dict[str, Any]:
    """Truths that the scores tell something about."""
    random = np.random.default_rng(seed)
    return {"id": rows["id"], "late": (random.random(len(rows["id"])) < rows["prediction"]).astype(np.int64)}


def test_metrics_are_scikit_learns_for_each_version_window_and_segment(flights: PublishedHome) -> None:
    first, second = scored(300, seed=2), scored(200, seed=3, first=1000)
    flights.publish(first, as_of="2013-12-30")
    flights.publish(second, as_of="2013-12-31", version="2")
    truths = truths_of(first), truths_of(second)
    for one in truths:
        flights.tell_truth(one)
    report = evaluate(flights.spark, flights.settings(performance={"segments": ["carrier"]}), now=LATER)
    assert (report.status, report.exit_code, report.windows_evaluated) == ("evaluated", 0, 2)
    rows = flights.performance()
    assert [(row["model_version"], row["slice_value"]) for row in rows] == [
        (version, value) for version in "12" for value in (None, None, "AA", "UA")
    ]
    for published, truth, version in ((first, truths[0], "1"), (second, truths[1], "2")):
        for value in (..., "AA", None):
            (row,) = [
                row
                for row in rows
                if row["model_version"] == version
                and (
                    row["slice_key"] is None
                    if value is ...
                    else (row["slice_key"], row["slice_value"]) == ("carrier", value)
                )
            ]
            chosen = np.array([value is ... or one == value for one in published["carrier"]])
            y, p = truth["late"][chosen], published["prediction"][chosen]
            assert row["count"] == row["labelled_count"] == len(y)
            assert row["roc_auc_score"] == pytest.approx(metrics.roc_auc_score(y, p), abs=1e-12)
            assert row["average_precision_score"] == pytest.approx(metrics.average_precision_score(y, p), abs=1e-12)
            assert row["log_loss"] == pytest.approx(metrics.log_loss(y, p), abs=1e-9)
            assert row["brier_score"] == pytest.approx(np.mean((y - p) ** 2), abs=1e-12)
            assert row["accuracy_score"] == pytest.approx(metrics.accuracy_score(y, p >= 0.5))
            assert row["precision"] == pytest.approx(metrics.precision_score(y, p >= 0.5))
            assert row["recall"] == pytest.approx(metrics.recall_score(y, p >= 0.5))
            assert row["f1_score"] == pytest.approx(metrics.f1_score(y, p >= 0.5))
            assert sum(one["count"] for one in row["calibration"]) == len(y)
            interval = dict(row["confidence"])["roc_auc_score"]
            assert interval["low"] < row["roc_auc_score"] < interval["high"]


def test_the_same_truths_make_no_new_row_and_the_same_exit_code(flights: PublishedHome) -> None:
    rows = scored(150)
    flights.publish(rows, as_of="2013-12-31")
    flights.tell_truth({"id": rows["id"], "late": 1 - truths_of(rows)["late"]})
    settings = flights.settings(performance={"fail": {"roc_auc": {"min": 0.5}}})
    first = evaluate(flights.spark, settings, now=LATER)
    assert (first.exit_code, len(first.failed)) == (5, 1)
    before = flights.commits()
    again = evaluate(flights.spark, settings, now=LATER + timedelta(days=1))
    assert (again.status, again.exit_code, again.failed) == ("nothing_new", 5, first.failed)
    assert flights.commits() == before


def test_late_and_changed_truths_replace_the_rows_of_their_window_alone(flights: PublishedHome) -> None:
    first, second = scored(40), scored(40, first=100)
    flights.publish(first, as_of="2013-12-30")
    flights.publish(second, as_of="2013-12-31")
    known = pa.array([moment("2013-12-31")] * 20)
    flights.tell_truth({"id": first["id"][:20], "late": np.zeros(20, np.int64), "known": known})
    settings = flights.settings(labels={"known_at": "known"})
    evaluate(flights.spark, settings, now=LATER)
    assert [(row["labelled_count"], row["revision"], row["recall"]) for row in flights.performance()] == [
        (20, 1, None),
        (0, 1, None),
    ]
    flights.tell_truth(
        {"id": first["id"][:10], "late": np.ones(10, np.int64), "known": pa.array([moment("2013-12-31T06:00")] * 10)}
    )
    report = evaluate(flights.spark, settings, now=LATER)
    rows = flights.performance()
    assert [(row["labelled_count"], row["revision"]) for row in rows] == [(20, 2), (0, 1)]
    assert rows[0]["average_precision_score"] is not None
    assert rows[0]["labelled_share"] == 0.5
    assert report.labels is not None
    assert (report.labels.outdated, report.labels.unmatched) == (10, 0)
    assert {row["labels_version"] for row in rows} == {1}


def test_what_cannot_be_joined_is_counted_and_nothing_of_it_is_guessed(flights: PublishedHome) -> None:
    rows = scored(30)
    flights.publish(rows, as_of="2013-12-31")
    flights.tell_truth(
        pa.table(
            {
                "id": pa.array([0, 1, 2, 2, 3, 3, 4, 5, 999, 6], pa.int64()),
                "late": pa.array([1, 0, 1, 1, 1, 0, None, 7, 1, 0], pa.int64()),
                "known": pa.array([moment("2013-12-31")] * 9 + [moment("2015-01-01")]),
            }
        )
    )
    report = evaluate(flights.spark, flights.settings(labels={"known_at": "known"}), now=LATER)
    found = report.labels
    assert found is not None
    assert (found.rows, found.nulls, found.invalid, found.of_future) == (10, 1, 1, 1)
    assert (found.conflicting, found.unmatched) == (1, 1)
    assert flights.performance()[0]["labelled_count"] == 3


def test_a_truth_is_of_the_newest_prediction_before_it_and_of_no_later_one(flights: PublishedHome) -> None:
    for day, score in (("2013-12-01", 0.1), ("2013-12-08", 0.9)):
        flights.publish({"id": [1, 2], "carrier": ["AA", "UA"], "prediction": [score, score]}, as_of=day)
    times = ["2013-11-30", "2013-12-08T00:00:00", "2013-12-07T23:59:59", "2013-12-20"]
    flights.tell_truth({"id": [1, 1, 2, 2], "late": [0, 1, 1, 1], "at": pa.array([moment(text) for text in times])})
    settings = flights.settings(labels={"time": "at", "horizon": "7d"})
    report = evaluate(flights.spark, settings, now=LATER)
    rows = flights.performance()
    assert [(row["labelled_count"], row["recall"]) for row in rows] == [(1, 0.0), (1, 1.0)]
    assert report.labels is not None
    assert report.labels.unmatched == 2


def test_a_window_of_days_is_in_utc_and_holds_its_as_ofs_also_where_clocks_change(flights: PublishedHome) -> None:
    as_ofs = ("2013-10-26T23:00", "2013-10-27T00:00", "2013-10-27T01:00", "2013-10-27T23:59", "2013-10-28T00:00")
    for index, as_of in enumerate(as_ofs):
        flights.publish({"id": [index], "carrier": ["AA"], "prediction": [0.5]}, as_of=as_of)
    flights.tell_truth({"id": np.arange(5), "late": np.ones(5, np.int64)})
    evaluate(flights.spark, flights.settings(labels={"window": "1d"}), now=LATER)
    rows = flights.performance()
    assert [(row["as_of"].isoformat(), row["count"]) for row in rows] == [
        ("2013-10-26T00:00:00+00:00", 1),
        ("2013-10-27T00:00:00+00:00", 3),
        ("2013-10-28T00:00:00+00:00", 1),
    ]
    only = evaluate(flights.spark, flights.settings(labels={"window": "7d"}), as_of="2013-10-27", now=LATER)
    assert [(one.start, one.rows) for one in only.windows] == [("2013-10-21T00:00:00Z", 4)]


@pytest.mark.slow
def test_a_replaced_run_is_evaluated_as_it_is_now(flights: PublishedHome) -> None:
    truths = {"id": np.arange(10), "late": np.ones(10, np.int64)}
    flights.tell_truth(truths)
    for revision, score, version in ((1, 0.1, "1"), (2, 0.9, "2")):
        rows = {"id": np.arange(10), "carrier": ["AA"] * 10, "prediction": [score] * 10}
        run_id = flights.publish(rows, as_of="2013-12-31", revision=revision, version=version)
        evaluate(flights.spark, flights.settings(), now=LATER)
        (row,) = flights.performance()
        assert (row["model_version"], row["recall"], row["run_ids"]) == (version, float(score > 0.5), [run_id])


def test_predictions_without_a_number_are_counted_and_in_no_metric(flights: PublishedHome) -> None:
    flights.publish(
        {"id": [1, 2, 3, 4], "carrier": ["AA"] * 4, "prediction": [0.9, None, float("nan"), 0.2]}, as_of="2013-12-31"
    )
    flights.tell_truth({"id": [1, 2, 3, 4], "late": [True, True, False, False]})
    evaluate(flights.spark, flights.settings(), now=LATER)
    (row,) = flights.performance()
    assert (row["count"], row["labelled_count"], row["null_prediction_count"], row["accuracy_score"]) == (4, 4, 2, 1.0)


@pytest.mark.slow
def test_the_newest_judged_window_decides_and_decay_is_against_the_best_one(flights: PublishedHome) -> None:
    for day, is_right in (("2013-12-01", True), ("2013-12-02", False), ("2013-12-03", True)):
        rows = scored(200, seed=4, first=0 if is_right else 5000)
        rows["id"] = rows["id"] + int(day[-2:]) * 10_000
        flights.publish(rows, as_of=day)
        late = (rows["prediction"] > 0.5) == is_right
        flights.tell_truth({"id": rows["id"], "late": late.astype(np.int64)})
    settings = flights.settings(performance={"fail": {"decay": 0.05}}, labels={"delay": "7d"})
    early = evaluate(flights.spark, settings, now=moment("2013-12-09T12:00"))
    assert (early.exit_code, len(early.failed)) == (5, 1)
    assert "in its best window" in early.failed[0]
    late_one = evaluate(flights.spark, settings, now=moment("2013-12-10T12:00"))
    assert (late_one.exit_code, late_one.windows_evaluated) == (0, 1)
    assert [bool(row["breaches"]) for row in flights.performance()] == [False, True, False]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"truth": "lat"}, "did you mean late"),
        ({"keys": {"id": "flight"}}, "has no column flight"),
        ({"keys": {"id": "name"}}, "of type string"),
        ({"time": "name"}, "a timestamp or a date"),
        ({"table": "nothing"}, "nothing"),
        ({"version": 7}, "7"),
        ({"positive": "yes"}, "late"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_read(
    flights: PublishedHome, labels: dict[str, Any], words: str
) -> None:
    flights.publish({"id": [1], "carrier": ["AA"], "prediction": [0.9]}, as_of="2013-12-31")
    flights.tell_truth({"id": [1], "late": [1], "name": ["a"]})
    with pytest.raises(ConfigError, match=words):
        evaluate(flights.spark, flights.settings(labels=labels), now=LATER)


@pytest.mark.slow
def test_random_histories_are_joined_as_a_plain_loop_joins_them(flights: PublishedHome) -> None:
    """Late, repeated, changed and future truths of keys that some runs have scored."""
    random = np.random.default_rng(12)
    days = [moment(f"2013-12-{day:02}") for day in (1, 4, 9, 15)]
    scores: dict[tuple[int, Any], float] = {}
    for day in days:
        ids = np.flatnonzero(random.random(40) < 0.7)
        own = random.integers(1, 20, len(ids)) / 20
        scores |= {(int(key), day): float(score) for key, score in zip(ids, own, strict=True)}
        flights.publish({"id": ids, "carrier": ["AA"] * len(ids), "prediction": own}, as_of=day.date().isoformat())
    size = 300
    keys, late = random.integers(0, 45, size), random.integers(0, 2, size)
    happened = [days[0] + timedelta(hours=int(hour)) for hour in random.integers(-48, 700, size)]
    known = [at + timedelta(hours=int(hour)) for at, hour in zip(happened, random.integers(0, 500, size), strict=True)]
    flights.tell_truth({"id": keys, "late": late, "at": pa.array(happened), "known": pa.array(known)})
    settings = flights.settings(labels={"time": "at", "known_at": "known", "horizon": "8d"})
    evaluate(flights.spark, settings, now=LATER)
    newest: dict[tuple[int, Any], tuple[Any, int]] = {}
    for key, truth, at, seen in zip(keys.tolist(), late.tolist(), happened, known, strict=True):
        mine = [day for day in days if (key, day) in scores and day <= at]
        if not mine or at - mine[-1] > timedelta(days=8) or max(at, seen) > LATER:
            continue
        newest[key, mine[-1]] = max(
            newest.get((key, mine[-1]), ((days[0] - timedelta(days=99),) * 2, 0)), ((seen, at), truth)
        )
    for row, day in zip(flights.performance(), days, strict=True):
        own_truths = {key: truth for (key, of), (_, truth) in newest.items() if of == day}
        errors = [(scores[key, day] - truth) ** 2 for key, truth in own_truths.items()]
        assert row["labelled_count"] == len(errors) > 5
        assert row["brier_score"] == pytest.approx(np.mean(errors))
