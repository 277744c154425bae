"""Features as of a time, and one model per group with a challenger: over Spark Connect as in a classic session."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml
from deltalake import write_deltalake

from tests.connect.conftest import Job, make_job, round_numbers, run_client
from tests.group_models import register_lines, save_lines
from tests.world import MODEL, Registry, source_rows

pytestmark = pytest.mark.slow

RATINGS = {"table": "ratings", "keys": ["carrier"], "time": "valid_at", "columns": {"x2": "x"}, "ttl": "30d"}
WITH_FEATURES = {
    "source": {
        "table": "bare",
        "keys": ["id"],
        "passthrough": ["carrier", "x2"],
        "event_time": "at",
        "features": [RATINGS],
    },
    "model": {"uri": f"models:/{MODEL}@champion", "missing": {"x2": 0.0}},
    "output": {"table": "featured", "threshold": 0.5},
    "gate": {"input": None},
}
BY_GROUP = {
    "source": {"table": "sales", "keys": ["id"], "passthrough": ["store"]},
    "model": {"uri": "models:/kiosk-{store}@champion", "by": ["store"]},
    "challengers": [{"uri": "models:/kiosk-b/1"}],
    "output": {"table": "sold", "threshold": None},
    "scoring": {"max_reject_ratio": 1.0},
    "gate": {"input": None},
}
SHOWN = {
    "featured": "SELECT id, x2, prediction FROM delta.`{home}/tables/featured`",
    "sold": "SELECT id, model_name, prediction FROM delta.`{home}/tables/sold`",
    "beside": "SELECT id, model_name, prediction FROM delta.`{home}/tables/sold_challengers`",
    "rejects": "SELECT code, count(1) AS rows FROM delta.`{home}/tables/sold_rejects` GROUP BY code",
}


def day(number: int) -> datetime:
    return datetime(2013, 1, number, tzinfo=UTC)


def write_tables(job: Job) -> None:
    """Rows without x2, which has a value for one carrier since the 2nd and for the other since the 4th; sales."""
    rows = source_rows(60).drop_columns(["x2"])
    times = pa.array([day(1 + number % 5) for number in range(60)], pa.timestamp("us", "UTC"))
    write_deltalake(str(job.home / "tables" / "bare"), rows.append_column("at", times))
    since = pa.array([day(2), day(4)], pa.timestamp("us", "UTC"))
    ratings = pa.table({"carrier": ["AA", "UA"], "valid_at": since, "x": [0.1, 0.2]})
    write_deltalake(str(job.home / "tables" / "ratings"), ratings)
    sales = pa.table({"id": np.arange(1, 61), "store": ["a", "b", "z"] * 20, "x": np.arange(1.0, 61)})
    write_deltalake(str(job.home / "tables" / "sales"), sales)


def steps_of(job: Job) -> list[list[str]]:
    """A run of each kind, a retry of rejects and a replacement, then what readers see."""
    for name, config in {"features": WITH_FEATURES, "groups": BY_GROUP}.items():
        (job.home / f"{name}.yaml").write_text(yaml.safe_dump(config))
    features, groups = ("--config", str(job.home / "features.yaml")), ("--config", str(job.home / "groups.yaml"))
    return [
        job.score(6, *features, "--dry-run"),
        job.score(6, *features),
        job.score(6, *features, "--replace", "--output.threshold", "0.4"),
        job.score(7, *groups),
        job.score(7, *groups, "--replace"),
        *(["query", query.format(home=job.home)] for query in SHOWN.values()),
    ]


@pytest.fixture(scope="module")
def both(server: str, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> list[list[dict[str, Any]]]:
    """What the steps told: over Connect, and in a classic session."""
    registry.alias(1)
    register_lines(registry.uri, ["kiosk-a", "kiosk-b"], save_lines(tmp_path_factory.mktemp("lines"), [2.0, 3.0]))
    found = []
    for address in (server, None):
        folder = tmp_path_factory.mktemp("client")
        job = make_job(folder / "home", registry)
        write_tables(job)
        found.append(run_client(folder, steps_of(job), server=address))
    return found


def test_runs_end_and_count_as_in_a_classic_session(both: list[list[dict[str, Any]]]) -> None:
    told = ("status", "rows_read", "rows_scored", "rows_rejected", "features", "transport", "revision")
    connect, classic = ([{name: one["result"].get(name) for name in told} for one in each[:5]] for each in both)
    assert connect == classic
    assert [one["code"] for one in both[0][:5]] == [0] * 5, both[0][:5]
    assert connect[1]["features"][0]["rows_matched"] == 36
    assert (connect[3]["rows_scored"], connect[3]["rows_rejected"]) == (40, 20)


def test_a_challenger_beside_groups_is_published_as_in_a_classic_session(both: list[list[dict[str, Any]]]) -> None:
    made = [[one["result"]["challengers"][0] for one in each[3:5]] for each in both]
    for name in ("status", "rows", "rejects", "error"):
        assert [one.get(name) for one in made[0]] == [one.get(name) for one in made[1]]
    assert {one["status"] for one in made[0]} == {"published"}


def test_rows_are_those_of_a_classic_session(both: list[list[dict[str, Any]]]) -> None:
    for at, name in enumerate(SHOWN, 5):
        connect, classic = (sorted(map(repr, round_numbers(each[at]["rows"]))) for each in both)
        assert connect == classic, name
        assert connect, name
