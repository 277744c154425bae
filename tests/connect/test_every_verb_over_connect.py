"""Every verb over Spark Connect, next to the same in a classic session: the same answers, the same tables."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from deltalake import write_deltalake
from pyarrow.csv import read_csv

from tests.connect.conftest import Job, make_job, round_numbers, run_client
from tests.world import MODEL, Registry, source_rows

pytestmark = pytest.mark.slow

OF_THE_MOMENT = {
    "run_id", "scored_at", "at", "model_id", "attempt", "event_id", "source_id", "source_version", "host", "details",
    "seconds", "run_ids", "window_id", "evaluated_at", "champion_run_id",
}  # fmt: skip

TWO_AT_ONCE = {date(2013, 1, 9), date(2013, 1, 10)}
"""Days that are back-filled beside one another, whichever is published first."""
BACKFILLED = ("--from", "2013-01-08", "--to", "2013-01-10", "--source-as-it-is", "--model-as-it-is")


def steps_of(job: Job) -> list[list[str]]:
    """The transports, then each verb; a source that is landed, and exports."""
    suggested = str(job.home / "suggested.json")
    landed = ("--source.table", str(job.home / "files"), "--source.format", "parquet", "--output.table", "landed")
    return [
        *(job.score(day, "--scoring.transport", kind) for day, kind in enumerate(("scan", "arrow", "pandas_udf"), 1)),
        job.score(1, "--replace", "--output.threshold", "0.4", "--scoring.transport", "arrow"),
        job.score(5, "--dry-run"),
        job.score(5, "--sample", "5"),
        job.score(8, "--challengers", f"[{{uri: 'models:/{MODEL}/2'}}]"),
        ["compare", *job.flags],
        ["runs", *job.flags],
        ["rollback", *job.flags, "--as-of", "2013-01-01"],
        ["rejects", *job.flags],
        ["report", *job.flags, "--job"],
        ["maintain", *job.flags, "--dry-run"],
        ["maintain", *job.flags, "--output.retention_days", "100000"],
        ["migrate", *job.flags, "--dry-run"],
        ["check_sla", *job.flags, "--sla.every_hours", "24"],
        ["evaluate", *job.flags, "--labels.table", "truths", "--labels.truth", "late"],
        ["evaluate", *job.flags, "--labels.table", "truths", "--labels.truth", "late"],
        ["backfill", *job.flags, *BACKFILLED, "--parallel", "2"],
        ["backfill", *job.flags, *BACKFILLED],
        ["gate", "suggest", "flights", *job.flags, "--suite", suggested],
        ["gate", "check", "flights", *job.flags, "--suite", str(job.home / "suite.json")],
        job.score(6, *landed),
        job.score(6, *landed),
        job.score(7, *landed, "--config", str(job.home / "exports.yaml")),
        job.score(7, *landed, "--config", str(job.home / "exports.yaml")),
    ]


def settle_row(row: dict[str, Any]) -> dict[str, Any]:
    """Without what depends on last bits (hashes of predictions), or on which of two runs was first."""
    settled = dict(row)
    if settled.get("log_type") == "prediction":
        settled["hashes"] = len(settled["hashes"] or ())
    if "table_version" in settled and settled["as_of"].date() in TWO_AT_ONCE:
        settled["table_version"] = None
    return settled


def write_export_config(job: Job) -> None:
    """Beside a source that is no Delta table."""
    (job.home / "files").mkdir()
    pq.write_table(source_rows(60), job.home / "files" / "part.parquet")
    exports = [{"name": kind, "format": kind, "path": str(job.home / kind)} for kind in ("parquet", "csv")]
    (job.home / "exports.yaml").write_text(yaml.safe_dump({"output": {"exports": exports}}))


def read_exports(job: Job) -> dict[str, list[dict[str, Any]]]:
    """The rows of each export of the last day, by format, without columns of the moment."""
    found = {}
    for kind, read in {"parquet": pq.read_table, "csv": read_csv}.items():
        (pointer,) = (job.home / kind).glob("2013-01-07*/_current.json")
        told = json.loads(pointer.read_text())
        rows = [
            row for file in told["files"] for row in read(pointer.parent / told["folder"] / file["name"]).to_pylist()
        ]
        found[kind] = sorted(
            ({name: value for name, value in row.items() if name not in OF_THE_MOMENT} for row in rows),
            key=lambda row: row["id"],
        )
    return found


@pytest.fixture(scope="module")
def both(
    server: str, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[Job, list[dict[str, Any]]]]:
    """The job and what its steps told: over Connect, and in a classic session."""
    registry.alias(1)
    found = []
    for address in (server, None):
        folder = tmp_path_factory.mktemp("client")
        job = make_job(folder / "home", registry)
        write_export_config(job)
        write_deltalake(str(job.home / "tables" / "truths"), pa.table({"id": range(60), "late": [0, 1] * 30}))
        found.append((job, run_client(folder, steps_of(job), server=address)))
    return found


def test_each_step_ends_as_in_a_classic_session(both: list[tuple[Job, list[dict[str, Any]]]]) -> None:
    (job, connect), (_, classic) = both
    names = [" ".join(step[:2]) for step in steps_of(job)]
    statuses = [
        [(name, one["code"], one["result"].get("status")) for name, one in zip(names, told, strict=True)]
        for told in (connect, classic)
    ]
    assert statuses[0] == statuses[1]
    assert [one["result"]["transport"] for one in connect[:3]] == ["scan", "arrow", "pandas_udf"]


def test_each_transport_counts_as_in_a_classic_session(both: list[tuple[Job, list[dict[str, Any]]]]) -> None:
    counts = [
        [{name: one["result"]["executors"][name] for name in ("rows", "batches", "repeated_rows")} for one in told[:3]]
        for _, told in both
    ]
    assert counts[0] == counts[1]


def test_a_challenger_is_scored_and_compared_as_in_a_classic_session(
    both: list[tuple[Job, list[dict[str, Any]]]],
) -> None:
    (job, connect), (_, classic) = both
    at = [step[0] for step in steps_of(job)].index("compare")
    challengers = [told[at - 1]["result"]["challengers"][0] for told in (connect, classic)]
    for name in ("status", "rows", "rejects", "in_pass", "error"):
        assert challengers[0][name] == challengers[1][name]
    assert (challengers[0]["status"], challengers[0]["rows"]) == ("published", connect[at - 1]["result"]["rows_scored"])
    assert challengers[0]["loads"] > 0  # what tasks count travels with the rows
    compared = [round_numbers(told[at]["result"]) for told in (connect, classic)]
    assert compared[0]["agreement"] == compared[1]["agreement"]
    assert compared[0]["drifts"] == compared[1]["drifts"]


def test_exports_are_those_of_a_classic_session(both: list[tuple[Job, list[dict[str, Any]]]]) -> None:
    exported = [round_numbers(read_exports(job)) for job, _ in both]
    assert exported[0] == exported[1]
    assert len(exported[0]["parquet"]) == len(exported[0]["csv"]) > 50
    statuses = [[one["status"] for one in step["result"]["exports"]] for step in both[0][1][-2:]]
    assert statuses[0] == ["exported", "exported"]
    assert statuses[1] == []


@pytest.mark.parametrize(
    "table",
    [
        "predictions",
        "predictions_rejects",
        "predictions_runs",
        "predictions_profile",
        "predictions_performance",
        "predictions_challengers",
        "landed",
        "landed_rejects",
    ],
)
def test_the_tables_are_those_of_a_classic_session(both: list[tuple[Job, list[dict[str, Any]]]], table: str) -> None:
    def comparable(job: Job) -> list[str]:
        rows = [settle_row(row) for row in round_numbers(job.rows(table))]
        kept = [{name: value for name, value in row.items() if name not in OF_THE_MOMENT} for row in rows]
        return sorted(repr({name: value for name, value in row.items() if not name.startswith("_")}) for row in kept)

    assert (Path(both[0][0].home) / "tables" / table).exists()
    assert comparable(both[0][0]) == comparable(both[1][0])
