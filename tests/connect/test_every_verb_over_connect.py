"""Every verb over Spark Connect, next to the same in a classic session: the same answers, the same tables."""

from pathlib import Path
from typing import Any

import pytest

from tests.connect.conftest import Job, make_job, run_client
from tests.world import Registry

pytestmark = pytest.mark.slow

OF_THE_MOMENT = {
    "run_id", "scored_at", "at", "model_id", "attempt", "event_id", "source_id", "source_version", "host", "details",
    "seconds",
}  # fmt: skip


def steps_of(job: Job) -> list[list[str]]:
    """The transports, then each verb."""
    suggested = str(job.home / "suggested.json")
    return [
        *(job.score(day, "--scoring.transport", kind) for day, kind in enumerate(("scan", "arrow", "pandas_udf"), 1)),
        job.score(1, "--replace", "--output.threshold", "0.4", "--scoring.transport", "arrow"),
        job.score(5, "--dry-run"),
        job.score(5, "--sample", "5"),
        ["runs", *job.flags],
        ["rollback", *job.flags, "--as-of", "2013-01-01"],
        ["rejects", *job.flags],
        ["report", *job.flags, "--job"],
        ["maintain", *job.flags, "--dry-run"],
        ["maintain", *job.flags, "--output.retention_days", "100000"],
        ["migrate", *job.flags, "--dry-run"],
        ["check_sla", *job.flags, "--sla.every_hours", "24"],
        ["gate", "suggest", "flights", *job.flags, "--suite", suggested],
        ["gate", "check", "flights", *job.flags, "--suite", str(job.home / "suite.json")],
    ]


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


@pytest.mark.parametrize("table", ["predictions", "predictions_rejects", "predictions_runs", "predictions_profile"])
def test_the_tables_are_those_of_a_classic_session(both: list[tuple[Job, list[dict[str, Any]]]], table: str) -> None:
    def comparable(job: Job) -> list[str]:
        rows = job.rows(table)
        kept = [{name: value for name, value in row.items() if name not in OF_THE_MOMENT} for row in rows]
        return sorted(repr({name: value for name, value in row.items() if not name.startswith("_")}) for row in kept)

    assert (Path(both[0][0].home) / "tables" / table).exists()
    assert comparable(both[0][0]) == comparable(both[1][0])
