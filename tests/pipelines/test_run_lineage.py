"""The lineage of whole runs: one start and one end per attempt, with what it read, wrote and found."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from sparkscore import score
from sparkscore.errors import ConfigError, GateFailed
from sparkscore.monitor.lineage.lineage_events import lineage_run_id
from sparkscore.pipelines.rollback import rollback
from sparkscore.pipelines.shared import publishing
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import RunReport
from sparkscore.settings import Settings
from tests.world import AS_OF, Registry, World, source_rows

SUITE_ROWS = {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 50}}
SUITE = {
    "name": "flights",
    "expectations": [
        {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "x1"}},
        SUITE_ROWS,
    ],
}
BONUSES = pa.table({"code": ["AA", "UA"], "bonus": [0.25, 0.5]})


class Told:
    """A home with three runs, and the events that lineage got of them."""

    def __init__(self, spark: SparkSession, registry: Registry, home: Path) -> None:
        registry.alias(1)
        self.world = World(spark, home, registry)
        self.world.write_source(source_rows())
        self.world.write_source(BONUSES, name="bonuses")
        home.joinpath("suite.json").write_text(json.dumps(SUITE))
        self.file = home / "lineage" / "events.jsonl"

    def settings(self, **groups: Any) -> Settings:
        source = {
            "keys": ["id"],
            "passthrough": ["carrier"],
            "table": "flights",
            "where": [{"column": "x2", "op": ">=", "value": -2}],
        }
        inputs = {
            "x1": "x1",
            "x2": {"add": ["x2", {"lookup": {"table": "bonuses", "key": {"code": "carrier"}, "value": "bonus"}}]},
        }
        groups.setdefault("output", {"rename": {"carrier": "airline"}})
        groups.setdefault("gate", {"input": str(self.world.home / "suite.json")})
        groups.setdefault("lineage", {"enabled": True, "file": str(self.file), "namespace": "tests"})
        model = {"inputs": inputs}
        return self.world.settings(source=source, model=model, **groups)

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.file.read_text().splitlines()]


@pytest.fixture(scope="module")
def told(spark: SparkSession, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Told:
    return Told(spark, registry, tmp_path_factory.mktemp("lineage") / "home")


@pytest.fixture(scope="module")
def report(told: Told) -> RunReport:
    """A published run, and a second call for it."""
    first = score(told.world.spark, told.settings(), as_of=AS_OF)
    assert score(told.world.spark, told.settings(), as_of=AS_OF).status == "already_published"
    return first


@pytest.fixture(scope="module")
def events(told: Told, report: RunReport) -> list[dict[str, Any]]:
    return told.events()


def test_a_run_has_one_start_and_one_end_and_what_is_published_already_has_none(
    events: list[dict[str, Any]], report: RunReport
) -> None:
    assert [one["eventType"] for one in events] == ["START", "COMPLETE"]
    assert {one["run"]["runId"] for one in events} == {lineage_run_id(str(report.run_id), 1)}
    assert events[0]["job"]["name"] == report.job
    assert not report.warnings


def test_it_tells_what_was_read_at_which_versions(told: Told, events: list[dict[str, Any]]) -> None:
    source, bonuses, model = events[1]["inputs"]
    assert (source["namespace"], source["name"]) == ("file", told.world.path("flights"))
    assert bonuses["name"] == told.world.path("bonuses")
    assert model["facets"]["sparkscore_model"]["name"] == "late"
    assert [one["facets"]["version"]["datasetVersion"] for one in events[1]["inputs"]] == ["0", "0", "1"]
    assert [(one["name"], one["type"]) for one in source["facets"]["schema"]["fields"]] == [
        ("id", "bigint"),
        ("carrier", "string"),
        ("x1", "double"),
        ("x2", "double"),
    ]
    assert source["inputFacets"]["inputStatistics"]["rowCount"] == 60
    judged = source["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert [(one["assertion"], one["success"]) for one in judged] == [
        ("expect_column_values_to_not_be_null", True),
        ("expect_table_row_count_to_be_between", True),
    ]


def test_it_tells_what_was_written_and_what_it_was_made_from(
    told: Told, events: list[dict[str, Any]], report: RunReport
) -> None:
    (table,) = events[1]["outputs"]
    assert table["name"] == told.world.path("predictions")
    assert table["facets"]["version"]["datasetVersion"] == str(report.table_version)
    assert table["outputFacets"]["outputStatistics"]["rowCount"] == 60
    columns = table["facets"]["columnLineage"]["fields"]
    told_of = {
        name: {(one["name"].rpartition("/")[2], one["field"], one["transformations"][0]["subtype"]) for one in found}
        for name, found in ((name, column["inputFields"]) for name, column in columns.items())
    }
    prediction = {
        ("flights", "x1", "TRANSFORMATION"),
        ("flights", "x2", "TRANSFORMATION"),
        ("bonuses", "bonus", "TRANSFORMATION"),
        ("bonuses", "code", "JOIN"),
        ("flights", "carrier", "JOIN"),
    }
    assert told_of == {
        "id": {("flights", "id", "IDENTITY")},
        "airline": {("flights", "carrier", "IDENTITY")},
        "prediction": prediction,
        "label": prediction,
    }
    assert [one["field"] for one in table["facets"]["columnLineage"]["dataset"]] == ["x2"]


def test_a_refused_run_tells_why(told: Told, report: RunReport) -> None:
    before = len(told.events())
    suite = {"name": "more", "expectations": [SUITE_ROWS | {"kwargs": {"min_value": 61}}]}
    told.world.home.joinpath("more.json").write_text(json.dumps(suite))
    gate = {"input": str(told.world.home / "more.json")}
    with pytest.raises(GateFailed):
        score(told.world.spark, told.settings(gate=gate), as_of="2014-01-01")
    start, end = told.events()[before:]
    assert (start["eventType"], end["eventType"]) == ("START", "FAIL")
    assert end["run"]["facets"]["errorMessage"]["message"].startswith("the input gate")
    (judged,) = end["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert judged["success"] is False
    assert "outputStatistics" not in end["outputs"][0]["outputFacets"]


def test_an_attempt_that_died_is_aborted_by_the_next_one(
    told: Told, report: RunReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(told.events())
    with monkeypatch.context() as dying:
        dying.setattr(publishing, "judge_stage", _die)
        with pytest.raises(KeyboardInterrupt):
            score(told.world.spark, told.settings(), as_of="2014-01-02")
    again = score(told.world.spark, told.settings(), as_of="2014-01-02")
    died, lived = (lineage_run_id(str(again.run_id), attempt) for attempt in (1, 2))
    assert [(one["eventType"], one["run"]["runId"]) for one in told.events()[before:]] == [
        ("START", died),
        ("ABORT", died),
        ("START", lived),
        ("COMPLETE", lived),
    ]


def _die(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def test_events_that_nobody_takes_are_a_warning(told: Told, report: RunReport) -> None:
    settings = told.settings(lineage={"enabled": True, "url": "http://127.0.0.1:9", "timeout": 0.5})
    attempt = Attempt.open(told.world.spark, settings, AS_OF)
    assert attempt.lineage is not None
    (published,) = (one for one in attempt.load_as_of_events() if one.event == "published")
    attempt.lineage.report([published])
    finished = attempt.finish("published")
    assert finished.exit_code == 0
    assert finished.warnings[0].startswith("lineage events were not sent: ")


def test_a_run_whose_events_have_no_target_is_refused_before_it_begins(told: Told, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as elsewhere:
        elsewhere.setenv("HOME", str(tmp_path))
        elsewhere.chdir(tmp_path)
        with pytest.raises(ConfigError, match="nothing says where the events go"):
            score(told.world.spark, told.settings(lineage={"enabled": True}), as_of="2014-01-03")


@pytest.mark.slow
def test_a_rollback_reads_the_table_as_it_was_and_is_a_job_of_its_own(told: Told, report: RunReport) -> None:
    output = {"rename": {"carrier": "airline"}, "threshold": 0.6}
    score(told.world.spark, told.settings(output=output), as_of=AS_OF, replace=True)
    before = len(told.events())
    back, _ = rollback(told.world.spark, told.settings(), as_of=AS_OF, to="1")
    start, end = told.events()[before:]
    assert [one["job"]["name"] for one in (start, end)] == ["late-flights.rollback"] * 2
    (table,) = end["inputs"]
    assert table["facets"]["version"]["datasetVersion"] == str(report.table_version)
    assert end["outputs"][0]["facets"]["version"]["datasetVersion"] == str(back.table_version)
    assert "columnLineage" not in end["outputs"][0]["facets"]
