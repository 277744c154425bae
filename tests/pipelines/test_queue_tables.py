"""Queues: the rows of an as_of to look at first, by expected loss; and thresholds by segment."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from sparkscore import ConfigError, rollback, score
from sparkscore.settings import Settings
from tests.world import AS_OF, World, source_rows

ROWS = source_rows(60).append_column("amount", pa.array([float(index % 5) * 100 for index in range(60)]))


@pytest.fixture
def flights(world: World) -> World:
    world.write_source(ROWS)
    return world


def queueing(world: World, queue: Any = None, **output: Any) -> Settings:
    queue = {"top": 7, "amount": "amount"} if queue is None else queue
    return world.settings(source={"passthrough": ["carrier", "amount"]}, output={"queue": queue, **output})


def queued(world: World) -> pd.DataFrame:
    rows = DeltaTable(world.path("predictions_queue")).to_pyarrow_table()
    found: pd.DataFrame = rows.sort_by([("as_of", "ascending"), ("queue_rank", "ascending")]).to_pandas()
    return found


def expected_queue(world: World, *, top: int = 7) -> list[int]:
    seen = world.predictions()
    loss = seen["prediction"] * seen["amount"]
    return [int(key) for key in seen["id"].to_numpy()[np.lexsort((seen["id"], -loss))][:top]]


def test_the_queue_is_the_first_rows_by_expected_loss_and_follows_publications(flights: World) -> None:
    first = score(flights.spark, queueing(flights), as_of=AS_OF)
    assert [(one.name, one.format, one.status) for one in first.exports] == [("output.queue", "delta", "exported")]
    seen = queued(flights)
    assert seen["id"].to_list() == expected_queue(flights)
    assert seen["queue_rank"].to_list() == list(range(1, 8))
    np.testing.assert_allclose(seen["expected_loss"], seen["prediction"] * seen["amount"], rtol=0, atol=1e-12)
    version = flights.version("predictions_queue")
    again = score(flights.spark, queueing(flights), as_of=AS_OF)
    assert (again.status, flights.version("predictions_queue")) == ("already_published", version)

    flights.registry.alias(2)
    second = score(flights.spark, queueing(flights), as_of=AS_OF, replace=True)
    assert flights.version("predictions_queue") == version + 1
    assert queued(flights)["id"].to_list() == expected_queue(flights)
    assert set(queued(flights)["run_id"]) == {second.run_id}

    report, _ = rollback(flights.spark, queueing(flights), as_of=AS_OF)
    back = queued(flights)
    assert back["id"].to_list() == seen["id"].to_list()
    assert (set(back["run_id"]), flights.version("predictions_queue")) == ({report.run_id}, version + 2)

    score(flights.spark, queueing(flights), as_of="2014-01-01")
    assert queued(flights)["queue_rank"].to_list() == [*range(1, 8), *range(1, 8)]


def test_without_an_amount_the_queue_is_by_the_column_and_equal_rows_are_by_key(flights: World) -> None:
    settings = queueing(flights, {"top": 4, "by": "label"})
    assert score(flights.spark, settings, as_of=AS_OF).exit_code == 0
    seen, published = queued(flights), flights.predictions()
    assert "expected_loss" not in seen.columns
    assert seen["id"].to_list() == published[published["label"] == 1]["id"].to_list()[:4]


def test_another_threshold_of_a_segment_predicts_nothing_again(flights: World) -> None:
    def by_carrier(limit: float) -> Settings:
        threshold = {"default": 0.5, "by": "carrier", "values": {"AA": limit}}
        return queueing(
            flights,
            {"top": 5, "by": "flagged"},
            threshold=None,
            columns=[{"name": "late", "element": 1}, {"name": "flagged", "of": "late", "threshold": threshold}],
        )

    score(flights.spark, by_carrier(0.5), as_of=AS_OF)
    report = score(flights.spark, by_carrier(0.99), as_of=AS_OF, replace=True)
    assert (report.status, report.model_loads, bool(report.chunks_reused)) == ("published", 0, True)
    seen = flights.predictions()
    limits = np.where(seen["carrier"] == "AA", 0.99, 0.5)
    assert seen["flagged"].to_list() == (seen["late"] >= limits).astype(int).to_list()
    assert set(queued(flights)["run_id"]) == {report.run_id}


@pytest.mark.parametrize(
    ("queue", "found"),
    [
        ({"top": 5, "by": "carrier"}, "output.queue.by names carrier, which is a string"),
        ({"top": 5, "amount": "price"}, "output.queue.amount names price, which is not there"),
    ],
)
def test_a_queue_of_what_is_no_number_is_refused_before_a_row_is_scored(
    flights: World, queue: dict[str, Any], found: str
) -> None:
    with pytest.raises(ConfigError, match=found):
        score(flights.spark, queueing(flights, queue), as_of=AS_OF)
    assert flights.version() == -1
