"""A run over Spark Connect, by a client without Java: the same rows, the same errors, published once."""

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tests.connect.conftest import Job, make_job, run_client
from tests.model.shelf import Returns, Shelf, columns, signature
from tests.world import MODEL, Registry, source_rows


class Told(NamedTuple):
    """What the steps of one client have told."""

    job: Job
    run: dict[str, Any]
    again: dict[str, Any]
    next_day: dict[str, Any]
    predicted: dict[str, Any]
    failed: dict[str, Any]
    no_pattern: dict[str, Any]
    no_table: dict[str, Any]
    sessions: dict[str, list[str]]


@pytest.fixture(scope="module")
def told(server: str, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """One process of a client: a run, the same again, `score_udf`, and runs that fail."""
    registry.alias(1)
    folder = tmp_path_factory.mktemp("client")
    job, shelf = make_job(folder / "home", registry), Shelf(tmp_path_factory.mktemp("shelf"))
    short = shelf.put(
        "short",
        Returns(lambda frame: [0.5]),
        signature(columns(x1="double", x2="double"), columns(p="double")),
        pip_requirements=["absent-package==1"],
    )
    (folder / "broken.json").write_text(
        '{"name": "broken", "expectations": [{"type": "expect_column_values_to_match_regex",'
        ' "kwargs": {"column": "carrier", "regex": "("}}]}'
    )
    other = (
        "--model.uri",
        short,
        "--model.tracking_uri",
        shelf.uri,
        "--output.table",
        "other",
        "--output.threshold",
        "null",
    )
    steps = [
        job.score(1),
        job.score(1),
        job.score(5),
        ["score_udf", str(job.home / "tables" / "flights"), f"models:/{MODEL}@champion", registry.uri],
        job.score(2, *other),
        job.score(3, "--gate.input", str(folder / "broken.json")),
        job.score(4, "--source.table", "nothing"),
        ["sessions", str(folder / "broken.json")],
    ]
    return Told(job, *run_client(folder, steps, server=server))


def rows_of_run(told: Told, table: str) -> list[dict[str, Any]]:
    """Those of the first run."""
    return [row for row in told.job.rows(table) if row["run_id"] == told.run["result"]["run_id"]]


def kept_rows() -> pa.Table:
    rows = source_rows(60)
    return rows.filter(pc.greater_equal(rows["x1"], -0.98))


def test_a_run_publishes_the_models_predictions_by_the_scan(told: Told) -> None:
    line, kept = told.run["result"], kept_rows()
    assert (told.run["code"], line["status"], line["transport"]) == (0, "published", "scan")
    assert (line["rows_scored"], line["rows_rejected"]) == (kept.num_rows, 60 - kept.num_rows)
    rows = sorted(rows_of_run(told, "predictions"), key=lambda row: row["id"])
    assert [row["id"] for row in rows] == kept["id"].to_pylist()
    np.testing.assert_allclose(
        [row["prediction"] for row in rows], told.job.registry.expected(kept), rtol=0, atol=1e-12
    )


def test_what_workers_have_counted_reaches_the_client(told: Told) -> None:
    line = told.run["result"]
    assert line["executors"]["rows"] == line["rows_scored"]
    assert line["model_loads"] == line["executors"]["loads"] >= 1
    assert line["executors"]["cpu_s"] > 0


def test_packages_that_the_servers_workers_lack_are_told(told: Told) -> None:
    warnings = told.failed["result"]["warnings"]
    assert [text for text in warnings if "absent-package==1 is needed, and not installed" in text], warnings


def test_rows_that_a_rule_rejects_are_kept_aside(told: Told) -> None:
    assert len(rows_of_run(told, "predictions_rejects")) == told.run["result"]["rows_rejected"] > 0


def test_a_second_call_publishes_nothing(told: Told) -> None:
    assert (told.again["code"], told.again["result"]["status"]) == (0, "already_published")
    assert told.again["result"]["run_id"] == told.run["result"]["run_id"]
    assert [row["event"] for row in rows_of_run(told, "predictions_runs")].count("published") == 1


def test_workers_keep_the_model_for_the_next_run(told: Told) -> None:
    assert (told.next_day["code"], told.next_day["result"]["status"]) == (0, "published")
    assert told.next_day["result"]["model_loads"] == 0


def test_a_run_takes_the_session_of_the_one_before_it_unless_a_new_one_would_be_another(told: Told) -> None:
    unchanged = ["nothing", "a run in another thread", "a run with other batches", "a setting of its own"]
    assert told.sessions == {"same": unchanged, "values": ["true"]}


def test_score_udf_gives_the_models_predictions(told: Told) -> None:
    rows = source_rows(60)
    predicted = [told.predicted[str(number)] for number in rows["id"].to_pylist()]
    np.testing.assert_allclose(predicted, told.job.registry.expected(rows), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("step", "code", "kind", "words"),
    [
        ("failed", 4, "PredictError", "1"),
        ("no_pattern", 2, "ConfigError", "no regular expression of Java: Unclosed group near index 1"),
        ("no_table", 2, "TableNotFound", "nothing"),
    ],
)
def test_a_failure_has_its_own_class_and_exit_code(told: Told, step: str, code: int, kind: str, words: str) -> None:
    found = getattr(told, step)
    assert (found["code"], found["result"]["error"]["class"]) == (code, kind)
    assert words in found["result"]["error"]["message"]
