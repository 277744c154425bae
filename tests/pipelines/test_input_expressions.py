"""Inputs that are expressions, through whole runs: the same on every transport, pinned with what they look up."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from sparkscore import score
from sparkscore.errors import PinsConflict, SignatureError
from sparkscore.pipelines.scoring.plan_preview import preview_plan
from sparkscore.pipelines.shared.lookup_pinning import pin_lookups
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import PinAdditions, PinnedTable, Pins
from sparkscore.settings import Settings
from tests.model.shelf import Answers, Shelf, columns, signature, tensor
from tests.world import AS_OF, World

SOURCE = pa.table(
    {
        "id": pa.array(range(6), pa.int64()),
        "time_hour": pa.array([datetime(2013, 7, 1, hour, 30, tzinfo=UTC) for hour in range(3, 9)]),
        "count": pa.array([1, 2, 3, None, 5, 6], pa.int32()),
        "price": pa.array([1.5, None, float("nan"), 4.0, 5.0, 6.0]),
        "first": ["Ann", "Bo", "Cy", "Di", None, "Flo"],
        "origin": ["EWR", "JFK", "LGA", "EWR", "XXX", None],
        "written": [" 1.5", "2", "3e0", "+4", "five", "6"],
        "unused": ["-"] * 6,
    }
)
REGIONS = pa.table({"code": ["EWR", "JFK", None, None], "region": [10.0, 20.0, 1.0, 2.0]})
INPUTS = {
    "dep_hour": {"part": "hour", "of": "time_hour", "timezone": "America/New_York"},
    "total": {"add": [{"multiply": ["count", 10]}, 2]},
    "name": {"coalesce": [{"concat": ["first", {"text": "!"}]}, {"text": "?"}]},
    "x": {"cast": "written", "to": "double"},
    "region": {"lookup": {"table": "regions", "key": {"code": "origin"}, "value": "region", "default": -1}},
}
SIGNATURE = columns(dep_hour="integer", total="long?", name="string", x="double", region="double", price="double")


def answer(frame: Any) -> Any:
    if (frame["name"] == "Flo!").any():
        raise ValueError(f"nobody is called {list(frame['name'])}")
    total, price = frame["total"].astype("float64").fillna(0), frame["price"].fillna(0)
    lengths = frame["name"].str.len()
    return frame["dep_hour"] * 1e6 + total * 1e3 + lengths * 100 + frame["x"] + frame["region"] / 1e3 + price / 1e6


EXPECTED = {
    0: 23e6 + 12e3 + 400 + 1.5 + 0.010 + 1.5e-6,
    1: 0e6 + 22e3 + 300 + 2 + 0.020,
    2: 1e6 + 32e3 + 300 + 3 - 0.001,
    3: 2e6 + 0 + 300 + 4 + 0.010 + 4e-6,
}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    made = Shelf(tmp_path_factory.mktemp("models"))
    made.put("reading", Answers(answer), signature(SIGNATURE, tensor("float64")))
    return made


def job(world: World, shelf: Shelf, transport: str = "auto", **groups: Any) -> Settings:
    model = {"uri": "models:/reading/1", "tracking_uri": shelf.uri, "missing": {"x": "reject"}, "inputs": INPUTS}
    return world.settings(
        source={"table": "inputs", "passthrough": [], **groups.pop("source", {})},
        model={**model, **groups.pop("model", {})},
        output={"threshold": None},
        scoring={"transport": transport, "max_reject_ratio": 0.9},
        **groups,
    )


def write_tables(world: World, regions: pa.Table = REGIONS) -> None:
    world.write_source(SOURCE, name="inputs")
    world.write_source(regions, name="regions")


@pytest.mark.parametrize("transport", ["scan", pytest.param("arrow", marks=pytest.mark.slow), "pandas_udf"])
def test_expressions_give_the_model_the_same_on_each_transport(world: World, shelf: Shelf, transport: str) -> None:
    write_tables(world)
    settings = job(world, shelf, transport, source={"sensitive": ["first"]})
    report = score(world.spark, settings, as_of=AS_OF)
    assert (report.transport, report.rows_rejected) == (transport, 2)
    found = world.predictions().set_index("id")["prediction"].to_dict()
    assert found == pytest.approx(EXPECTED, rel=1e-12)
    rejects = {json.loads(row["key"])["id"]: row for row in world.table("predictions_rejects").collect()}
    assert {key: row["code"] for key, row in rejects.items()} == {4: "missing_input(x)", 5: "predict_failed"}
    assert "Flo" not in str(rejects[5])


def test_a_lookup_table_is_pinned_and_a_changed_one_is_another_run(world: World, shelf: Shelf) -> None:
    write_tables(world)
    first = score(world.spark, job(world, shelf), as_of=AS_OF)
    world.write_source(pa.table({"code": ["EWR"], "region": [500.0]}), name="regions")
    again = score(world.spark, job(world, shelf), as_of=AS_OF)
    assert (again.status, again.run_id) == ("already_published", first.run_id)
    assert again.newer == {"lookups": {"regions": 1}}
    replaced = score(world.spark, job(world, shelf), as_of=AS_OF, replace=True)
    assert replaced.run_id != first.run_id
    assert world.predictions()["prediction"][0] == pytest.approx(EXPECTED[0] + 0.490, rel=1e-12)


def test_a_retry_looks_up_what_the_first_attempt_has_pinned(world: World, shelf: Shelf) -> None:
    write_tables(world)
    attempt = Attempt.open(world.spark, job(world, shelf), AS_OF)
    first = pin_lookups(attempt, None)
    keep = Pins("source", 0, "reading", "1", "digest", PinAdditions(tuple(first.tables)).add_to_digest("settings"))
    world.write_source(pa.table({"code": ["EWR"], "region": [500.0]}), name="regions")
    (kept,), (now,) = (pin_lookups(attempt, pins).contents.values() for pins in (keep, None))
    assert (kept.rows.num_rows, now.rows.num_rows) == (2, 1)
    anew = replace(keep, scoring_digest=PinAdditions((PinnedTable("another", 0),)).add_to_digest("settings"))
    with pytest.raises(PinsConflict, match="the lookup table regions was made anew"):
        pin_lookups(attempt, anew)


def test_the_plan_shows_what_is_computed_and_what_is_not_read(world: World, shelf: Shelf) -> None:
    write_tables(world)
    _, lines = preview_plan(world.spark, job(world, shelf), as_of=AS_OF)
    shown = dict(lines)
    assert shown["inputs"] == "time_hour, count, first, written, origin, price"
    assert shown["not read"] == "unused"
    assert 'total (int64) = {"add": [{"multiply": ["count", 10]}, 2]}' in shown["computed"]


def test_a_type_that_the_model_does_not_take_names_the_setting(world: World, shelf: Shelf) -> None:
    write_tables(world)
    inputs = {**INPUTS, "dep_hour": {"cast": "count", "to": "long"}}
    with pytest.raises(SignatureError, match=r"dep_hour \(column model.inputs.dep_hour\): int32 in the model"):
        preview_plan(world.spark, job(world, shelf, model={"inputs": inputs}), as_of=AS_OF)
