"""Run events as OpenLineage's client has them: its own classes check what they are made of."""

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from openlineage.client.serde import Serde

from sparkscore.monitor.lineage.lineage_events import build_lineage_event, lineage_run_id
from sparkscore.records import (
    ColumnOrigin,
    DatasetName,
    LineageContext,
    LineageDataset,
    LineageField,
    ParentRun,
    PinAdditions,
    Pins,
    ReportedModel,
    RuleVerdict,
    RunEvent,
    RunLineage,
    Verdict,
)
from sparkscore.redaction.known_secrets import register_secret

FACETS = Path(__file__).parents[3] / "docs" / "lineage-facets.json"
AT = datetime(2014, 1, 1, 6, tzinfo=UTC)
PINS = Pins("table-id", 7, "late", "3", "d" * 64, "s" * 64)
SOURCE, TABLE = DatasetName("s3://lake", "flights"), DatasetName("s3://lake", "predictions")
LINEAGE = RunLineage(
    LineageDataset(SOURCE, "TABLE", "7", "delta", (LineageField("id", "bigint"),), DatasetName("gs://b", "a")),
    LineageDataset(TABLE, format="delta", fields=(LineageField("prediction", "double", "Probability."),)),
    models=((LineageDataset(DatasetName("mlflow", "late"), "MODEL", "3"), ReportedModel("late", "3", "", "d" * 64)),),
    rejects=LineageDataset(DatasetName("s3://lake", "predictions_rejects"), format="delta"),
    columns={"prediction": (ColumnOrigin(SOURCE, "x1", "TRANSFORMATION", "x1 of late version 3"),), "model_name": ()},
    filters=(ColumnOrigin(SOURCE, "month", "FILTER"),),
)
CONTEXT = LineageContext("prod", engine_version="4.2.0", model_uri="models:/late@champion")
RULES = (
    RuleVerdict("expect_column_values_to_not_be_null(x1)", True, "0 NULL", "no NULL"),
    RuleVerdict("expect_column_pair_values_to_be_equal(a, b)", False, "3 rows differ", "equal", "warning"),
)


def event(kind: str = "published", *, details: dict[str, Any] | None = None, **more: Any) -> RunEvent:
    made = RunEvent(
        "flights",
        datetime(2013, 12, 31, tzinfo=UTC),
        2,
        1,
        kind,  # type: ignore[arg-type]
        AT,
        "f" * 64,
        PINS,
        rows_read=60,
        rows_scored=58,
        rows_rejected=2,
        table_version=9,
        details=json.dumps(details or {}),
    )
    return replace(made, **more)


def as_json(one: RunEvent, lineage: RunLineage | None = LINEAGE, context: LineageContext = CONTEXT) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Serde.to_json(build_lineage_event(one, lineage, context)))
    return found


def test_a_publication_tells_versions_rows_and_columns() -> None:
    told = as_json(event())
    source, model = told["inputs"]
    table, rejects = told["outputs"]
    assert (told["eventType"], told["eventTime"]) == ("COMPLETE", "2014-01-01T06:00:00Z")
    assert (told["job"]["namespace"], told["job"]["name"]) == ("prod", "flights")
    assert (source["namespace"], source["name"]) == ("s3://lake", "flights")
    assert source["facets"]["version"]["datasetVersion"] == "7"
    assert source["facets"]["symlinks"]["identifiers"] == [{"namespace": "gs://b", "name": "a", "type": "LOCATION"}]
    assert source["inputFacets"]["inputStatistics"]["rowCount"] == 60
    assert model["facets"]["datasetType"]["datasetType"] == "MODEL"
    assert model["facets"]["sparkscore_model"]["digest"] == "d" * 64
    assert table["facets"]["version"]["datasetVersion"] == "9"
    assert table["outputFacets"]["outputStatistics"]["rowCount"] == 58
    assert rejects["outputFacets"]["outputStatistics"]["rowCount"] == 2
    lineage = table["facets"]["columnLineage"]
    (origin,) = lineage["fields"]["prediction"]["inputFields"]
    assert (origin["namespace"], origin["name"], origin["field"]) == ("s3://lake", "flights", "x1")
    assert origin["transformations"][0]["subtype"] == "TRANSFORMATION"
    assert [one["field"] for one in lineage["dataset"]] == ["month"]
    assert "model_name" not in lineage["fields"]


def test_the_time_that_a_run_stands_for_is_its_nominal_time() -> None:
    facets = as_json(event())["run"]["facets"]
    assert facets["nominalTime"]["nominalStartTime"] == "2013-12-31T00:00:00Z"
    assert facets["processing_engine"]["version"] == "4.2.0"
    assert facets["sparkscore_run"]["revision"] == 2


def test_events_of_one_attempt_have_one_id_and_those_of_others_others() -> None:
    start, end = as_json(event("started")), as_json(event(at=AT + timedelta(hours=1)))
    assert start["run"]["runId"] == end["run"]["runId"] == lineage_run_id("f" * 64, 1)
    assert as_json(event(attempt=2))["run"]["runId"] != end["run"]["runId"]
    assert as_json(event(run_id="e" * 64))["run"]["runId"] != end["run"]["runId"]


def test_what_is_sent_again_is_the_same() -> None:
    assert as_json(event()) == as_json(event())


@pytest.mark.parametrize(("kind", "state"), [("started", "START"), ("failed", "FAIL"), ("aborted", "ABORT")])
def test_other_ends_say_nothing_of_rows_that_are_not_there(kind: str, state: str) -> None:
    told = as_json(event(kind))
    (table,) = told["outputs"]
    assert told["eventType"] == state
    assert "outputStatistics" not in table["outputFacets"]
    assert "version" not in table["facets"]


def test_what_gates_found_stands_with_the_data_that_they_judged() -> None:
    verdicts = [Verdict("input", "flights", RULES), Verdict("output", "integrity", RULES[:1])]
    told = as_json(event("failed", details={"verdicts": [asdict(one) for one in verdicts]}))
    first, second = told["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert first == {
        "assertion": "expect_column_values_to_not_be_null",
        "success": True,
        "column": "x1",
        "severity": "error",
        "name": "expect_column_values_to_not_be_null(x1)",
        "expected": "no NULL",
        "actual": "0 NULL",
    }
    assert (second["success"], second["severity"], second.get("column")) == (False, "warn", None)
    (of_output,) = told["outputs"][0]["outputFacets"]["dataQualityAssertions"]["assertions"]
    assert of_output["success"] is True


def test_an_error_is_told_without_secrets() -> None:
    register_secret("hunter2-is-secret")
    message = "cannot reach s3://me:hunter2-is-secret@lake: password=hunter2-is-secret"
    told = as_json(event("failed", error="AccessDenied", message=message))
    assert told["run"]["facets"]["errorMessage"]["message"].startswith("cannot reach")
    assert "hunter2" not in json.dumps(told)


def test_other_verbs_are_jobs_of_their_own() -> None:
    told = as_json(event(details={"verb": "rollback", "of_run": "e" * 64}))
    assert told["job"]["name"] == "flights.rollback"
    assert told["run"]["facets"]["sparkscore_run"]["ofRun"] == "e" * 64


def test_an_increment_tells_since_when_rows_count_as_changed() -> None:
    pins = replace(PINS, scoring_digest=PinAdditions(changes_since=5).add_to_digest("s" * 64))
    assert as_json(event(pins=pins))["run"]["facets"]["sparkscore_run"]["sourceSince"] == 5


def test_the_run_that_started_it_is_its_parent() -> None:
    root = ParentRun("airflow", "daily", lineage_run_id("root", 1))
    parent = ParentRun("airflow", "daily.score", lineage_run_id("parent", 1), root)
    told = as_json(event(), context=replace(CONTEXT, parent=parent))["run"]["facets"]["parent"]
    assert told["job"]["name"] == "daily.score"
    assert told["root"]["run"]["runId"] == root.run_id


def test_where_nothing_is_known_of_inputs_and_outputs_none_are_told() -> None:
    told = as_json(event("aborted"), None)
    assert (told["inputs"], told["outputs"]) == ([], [])


def test_the_facets_of_this_suite_are_as_their_schema_says() -> None:
    schema = json.loads(FACETS.read_text())
    facets = as_json(event(details={"transport": "scan", "runtime": "onnx", "verb": "rejects"}))["run"]["facets"]
    for facet in (facets["sparkscore_run"], facets["sparkscore_model"]):
        name = facet["_schemaURL"].rpartition("/")[2]
        jsonschema.validate(facet, schema | {"$ref": f"#/$defs/{name}"})
