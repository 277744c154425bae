"""Predictions as features of other models: a table with valid_from and valid_to beside the publications."""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from sparkscore import ConfigError, rollback, score
from sparkscore.settings import Settings
from tests.world import World, source_rows

DAYS = ("2013-12-29", "2013-12-30", "2013-12-31")


def writing_features(world: World, **more: Any) -> Settings:
    return world.settings(output={"feature_table": {"table": "late_features", **more}})


def moment(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


def intervals(world: World) -> dict[int, list[tuple[str, str | None]]]:
    """The intervals of each key, in order, as days."""
    rows = (
        DeltaTable(world.path("late_features"))
        .to_pyarrow_table()
        .sort_by([("id", "ascending"), ("valid_from", "ascending")])
    )
    found: dict[int, list[tuple[str, str | None]]] = {}
    for row in rows.select(["id", "valid_from", "valid_to"]).to_pylist():
        end = row["valid_to"]
        found.setdefault(row["id"], []).append((f"{row['valid_from']:%m-%d}", None if end is None else f"{end:%m-%d}"))
    return found


def expected(*days: str) -> list[tuple[str, str | None]]:
    return list(zip(days, [*days[1:], None], strict=True))


def run(world: World, day: str, rows: pa.Table, settings: Settings | None = None, **flags: Any) -> None:
    world.write_source(rows)
    report = score(world.spark, settings or writing_features(world), as_of=day, **flags)
    assert (report.exit_code, [one.status for one in report.exports]) == (0, ["exported"])


def test_intervals_follow_publications_back_fills_and_rollbacks(world: World) -> None:
    run(world, DAYS[0], source_rows(6))
    assert intervals(world) == {key: expected("12-29") for key in range(6)}
    run(world, DAYS[2], source_rows(5))
    assert intervals(world) == {**{key: expected("12-29", "12-31") for key in range(5)}, 5: expected("12-29")}

    run(world, DAYS[1], source_rows(4, first=2))  # a back-fill in the middle
    middle = {
        **{key: expected("12-29", "12-31") for key in (0, 1)},
        **{key: expected("12-29", "12-30", "12-31") for key in (2, 3, 4)},
        5: expected("12-29", "12-30"),
    }
    assert intervals(world) == middle
    version = world.version("late_features")
    again = score(world.spark, writing_features(world), as_of=DAYS[1])
    assert (again.status, world.version("late_features")) == ("already_published", version)

    run(world, DAYS[1], source_rows(2), replace=True)
    assert intervals(world) == {
        **{key: expected("12-29", "12-30", "12-31") for key in (0, 1)},
        **{key: expected("12-29", "12-31") for key in (2, 3, 4)},
        5: expected("12-29"),
    }
    report, _ = rollback(world.spark, writing_features(world), as_of=DAYS[1])
    assert [one.status for one in report.exports] == ["exported"]
    assert intervals(world) == middle
    rows = DeltaTable(world.path("late_features")).to_pyarrow_table()
    seen = world.predictions(as_of=DAYS[1]).set_index("id")
    written = rows.to_pandas()
    written = written[written["valid_from"] == moment(DAYS[1])].set_index("id").sort_index()
    assert written["prediction"].to_list() == seen["prediction"].to_list()
    assert set(written["run_id"]) == {report.run_id}


def test_another_job_gets_the_prediction_that_held_at_each_row_s_time(world: World) -> None:
    run(world, DAYS[0], source_rows(4))
    run(world, DAYS[2], source_rows(4))
    world.registry.alias(2)
    run(world, DAYS[1], source_rows(2))
    hours = [datetime(2013, 12, day, 12, tzinfo=UTC) for day in (28, 29, 30, 31)]
    visits = source_rows(16).append_column("person", pa.array([index // 4 for index in range(16)], pa.int64()))
    times = pa.array([hours[index % 4] for index in range(16)], pa.timestamp("us", "UTC"))
    world.write_source(visits.append_column("seen_at", times), name="visits")
    feature = {
        "table": "late_features",
        "keys": {"person": "id"},
        "time": "valid_from",
        "columns": {"before": "prediction"},
    }
    source = {
        "table": "visits",
        "event_time": "seen_at",
        "features": [feature],
        "passthrough": ["person", "seen_at", "before"],
    }
    settings = world.settings(job="visits", source=source, output={"table": "visit_predictions"})
    report = score(world.spark, settings, as_of="2014-01-01")
    assert [(one.rows_matched, one.share) for one in report.features] == [(12, 0.75)]
    seen = DeltaTable(world.path("visit_predictions")).to_pyarrow_table().to_pylist()
    features = DeltaTable(world.path("late_features")).to_pyarrow_table().to_pylist()
    for row in seen:
        held = [one["prediction"] for one in features if one["id"] == row["person"] and is_held(one, row["seen_at"])]
        assert [row["before"]] == (held or [None])


def is_held(feature: dict[str, Any], at: datetime) -> bool:
    return bool(feature["valid_from"] <= at and (feature["valid_to"] is None or at < feature["valid_to"]))


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({"columns": ["run_id"]}, r"output\.feature_table\.columns names run_id"),
        ({"table": "predictions"}, "is the prediction table"),
        ({"table": "flights"}, "belongs to no job of this suite"),
    ],
)
def test_a_feature_table_that_cannot_be_is_refused_before_a_row_is_scored(
    world: World, more: dict[str, Any], found: str
) -> None:
    world.write_source(source_rows(4))
    with pytest.raises(ConfigError, match=found):
        score(world.spark, writing_features(world, **more), as_of=DAYS[0])
    assert world.version() == -1


@pytest.mark.slow
def test_a_feature_table_that_fails_is_made_up_for_by_the_same_command(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write_source(source_rows(4))
    monkeypatch.setattr("sparkscore.publish.feature_table.merge_intervals", _fail)
    report = score(world.spark, writing_features(world), as_of=DAYS[0])
    assert (report.status, report.exit_code, report.rows_scored) == ("published", 75, 4)
    monkeypatch.undo()
    again = score(world.spark, writing_features(world), as_of=DAYS[0])
    assert (again.status, again.exit_code, again.model_loads or 0) == ("already_published", 0, 0)
    assert intervals(world) == {key: expected("12-29") for key in range(4)}


def _fail(*_: Any, **__: Any) -> None:
    raise OSError("no space left")


@pytest.mark.slow
def test_a_key_that_the_source_no_longer_has_gets_a_row_without_values(world: World) -> None:
    """Increments with marks."""
    world.write_source(source_rows(4))
    changes = "SET TBLPROPERTIES (delta.enableChangeDataFeed = true)"
    world.spark.sql(f"ALTER TABLE delta.`{world.path('flights')}` {changes}")
    settings = world.settings(
        source={"read": "changes", "on_delete": "mark"}, output={"feature_table": {"table": "late_features"}}
    )
    assert score(world.spark, settings, as_of=DAYS[0]).exit_code == 0
    world.spark.sql(f"DELETE FROM delta.`{world.path('flights')}` WHERE id = 2")  # noqa: S608
    assert score(world.spark, settings, as_of=DAYS[1]).exit_code == 0
    assert intervals(world) == {**{key: expected("12-29") for key in (0, 1, 3)}, 2: expected("12-29", "12-30")}
    rows = DeltaTable(world.path("late_features")).to_pyarrow_table().to_pylist()
    gone = next(row for row in rows if row["id"] == 2 and row["valid_to"] is None)
    assert (gone["prediction"], gone["_source_deleted"]) == (None, True)
