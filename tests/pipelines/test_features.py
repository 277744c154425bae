"""Runs whose rows get features as of their times."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyspark.sql import functions as F

from sparkscore import DuplicateKeys, score, training_frame
from sparkscore.errors import VersionGone
from sparkscore.pipelines.scoring.plan_preview import preview_plan, sample_predictions
from sparkscore.records import ReportedFeatures
from sparkscore.settings import Settings
from tests.world import AS_OF, World, source_rows

ROWS = source_rows(60)


def day(number: int, month: int = 12) -> datetime:
    return datetime(2013, month, number, tzinfo=UTC)


def write_values(
    world: World, values: list[tuple[str | None, datetime, float | None]], *, mode: str = "append"
) -> None:
    """Values of the feature table: x2 by carrier and time."""
    carriers, times, numbers = zip(*values, strict=True)
    columns = {"code": pa.array(carriers, pa.string()), "valid_at": pa.array(times, pa.timestamp("us", "UTC"))}
    world.write_source(pa.table({**columns, "x": pa.array(numbers, pa.float64())}), mode=mode, name="ratings")


def settings_with(world: World, **source: Any) -> Settings:
    ratings = {
        "table": "ratings",
        "keys": {"carrier": "code"},
        "time": "valid_at",
        "ttl": "30d",
        "columns": {"x2": "x"},
    }
    named = {"table": "flights", "keys": ["id"], "passthrough": ["carrier", "x2"], "features": [ratings]}
    return world.settings(source={**named, **source}, model={"missing": {"x2": 0.0}})


@pytest.fixture
def rated(world: World) -> World:
    """The source lacks x2; a feature table has it by carrier. That of UA is too old at the end of the year."""
    world.write_source(ROWS.drop_columns(["x2"]))
    write_values(world, [("AA", day(1), 0.1), ("AA", day(20), 0.2), ("AA", day(31, 10), 9.0), ("UA", day(30, 11), 0.3)])
    return world


def test_a_run_scores_the_values_of_its_as_of_and_says_what_was_joined(rated: World) -> None:
    settings = settings_with(rated)
    plan = dict(preview_plan(rated.spark, settings, as_of=AS_OF)[1])
    assert plan["features"] == "as of 2013-12-31T00:00:00Z: ratings at version 0 (joined when the run begins)"
    _, sampled = sample_predictions(rated.spark, settings, as_of=AS_OF, rows=4)
    report = score(rated.spark, settings, as_of=AS_OF)
    assert report.features == (ReportedFeatures("ratings", 0, 30, 0.5),)
    assert report.rows_rejected == 0
    assert report.source is not None
    assert (report.source.version, report.run_id) == (rated.version("flights"), plan["run"])
    assert [(row["id"], row["x2"]) for row in sampled] == [(0, 0.2), (1, None), (2, 0.2), (3, None)]
    seen = rated.predictions()
    assert seen["x2"].fillna(-1).tolist() == [0.2, -1] * 30
    filled = ROWS.set_column(3, "x2", pa.array([0.2, 0.0] * 30))
    np.testing.assert_allclose(seen["prediction"], rated.registry.expected(filled), rtol=0, atol=1e-12)
    assert set(seen["source_version"]) == {rated.version("flights")}

    write_values(rated, [("UA", day(25), 0.4), ("AA", day(15), 7.0)])
    again = score(rated.spark, settings, as_of=AS_OF)
    assert (again.status, again.newer) == ("already_published", {"features": {"ratings": 1}})
    assert again.features == report.features

    labels = rated.table("flights").withColumn("seen_at", F.lit(day(31)))
    frame = training_frame(rated.spark, settings, labels, event_time="seen_at").orderBy("id").toPandas()
    assert frame["x2"].tolist() == [0.2, 0.4] * 30
    other = settings.output.model_copy(update={"threshold": 0.4})
    replaced = score(rated.spark, settings, as_of=AS_OF, replace=True)
    assert replaced.features == (ReportedFeatures("ratings", 1, 60, 1.0),)
    assert rated.predictions()["x2"].tolist() == frame["x2"].tolist()

    score(rated.spark, settings.model_copy(update={"output": other}), as_of=AS_OF, replace=True)
    landed = DeltaTable(str(rated.home / "landing" / settings.job / "20131231T000000Z"))
    assert landed.version() == 3  # two joins, each written and then adopted: equal pins read what is there


def test_two_values_of_one_time_are_refused_and_nothing_is_published(rated: World) -> None:
    write_values(rated, [("AA", day(20), 0.5), ("UA", day(1), 0.3), ("UA", day(1), 0.3)])
    with pytest.raises(
        DuplicateKeys, match=r"ratings has several values of one valid_at for 1 keys \(carrier\), of which 30"
    ):
        score(rated.spark, settings_with(rated), as_of=AS_OF)
    assert rated.version() == -1


@pytest.mark.slow
def test_an_increment_joins_features_to_the_changed_rows_alone(rated: World) -> None:
    def write_flights(first: int, at: datetime, mode: str) -> None:
        rows = source_rows(4, first=first).drop_columns(["x2"])
        times = pa.array([at] * 4, pa.timestamp("us", "UTC"))
        rated.write_source(rows.append_column("at", times), mode=mode)

    write_flights(0, day(21), "overwrite")
    settings = settings_with(rated, read="changes", event_time="at")
    first = score(rated.spark, settings, as_of="2013-12-30")
    assert (first.rows_scored, first.features) == (4, (ReportedFeatures("ratings", 0, 4, 1.0),))
    write_flights(4, day(31), "append")
    write_values(rated, [("UA", day(31), 0.4)])
    second = score(rated.spark, settings, as_of=AS_OF)
    assert (second.rows_scored, second.features) == (4, (ReportedFeatures("ratings", 1, 4, 1.0),))
    assert rated.predictions()["x2"].tolist() == [0.2, 0.4] * 2
    third = score(rated.spark, settings, as_of="2014-01-01")
    assert (third.exit_code, third.rows_scored or 0) == (0, 0)


def test_a_feature_version_whose_files_were_vacuumed_ends_with_2_and_says_what_to_do(rated: World) -> None:
    (ratings,) = settings_with(rated).source.features
    pinned = [ratings.model_copy(update={"version": 0})]
    gone = DeltaTable(rated.path("ratings")).file_uris()
    write_values(rated, [("AA", day(20), 0.2), ("UA", day(20), 0.3)], mode="overwrite")
    for file in gone:
        Path(file).unlink()
    with pytest.raises(VersionGone, match="ratings") as failed:
        score(rated.spark, settings_with(rated, features=pinned), as_of=AS_OF)
    assert failed.value.exit_code == 2
    assert "--restart" in str(failed.value) or "--restart" in failed.value.do
    assert rated.version() == -1

    report = score(rated.spark, settings_with(rated), as_of=AS_OF)
    assert (report.status, report.features) == ("published", (ReportedFeatures("ratings", 1, 60, 1.0),))
