"""Computed columns, views of lists, profiles by segment: over Spark Connect as in a classic session."""

from typing import Any

import pyarrow as pa
import pytest
import yaml
from deltalake import write_deltalake

from tests.connect.conftest import Job, make_job, round_numbers, run_client
from tests.world import Registry

pytestmark = pytest.mark.slow

COMPUTED = {
    "profile": {"segments": ["carrier"]},
    "output": {
        "table": "computed",
        "threshold": 0.5,
        "columns": [
            {"name": "percent", "round": 2, "clip": [0.1, 0.9]},
            {"name": "risk", "bins": {"edges": [0.3, 0.6], "labels": ["low", "middle", "high"]}},
            {"name": "strict", "threshold": {"default": 0.5, "by": "carrier", "values": {"AA": 0.7}}},
            {"name": "airline", "lookup": {"table": "airlines", "key": {"code": "carrier"}, "value": "name"}},
        ],
    },
}
LISTS = {
    "output": {
        "table": "default.lists",
        "threshold": None,
        "classes": ["on_time", "late"],
        "columns": [{"name": "first", "argmax": True}, {"name": "best", "top": 2}],
        "explode": {"best": "lists_best", "prediction": "lists_prediction"},
    }
}
SHOWN = {
    "computed": "SELECT id, percent, risk, strict, airline FROM delta.`{home}/tables/computed`",
    "profile": "SELECT column_name, log_type, slice_key, slice_value, count, num_nulls, distinct_count, avg"
    " FROM delta.`{home}/tables/computed_profile`",
    "lists": "SELECT id, first, best FROM default.lists",
    "best": "SELECT id, position, label, value, CAST(as_of_date AS STRING) AS day FROM default.lists_best",
    "items": "SELECT id, position, item FROM default.lists_prediction",
    "latest": "SELECT id, first FROM default.lists_latest",
}


def steps_of(job: Job) -> list[list[str]]:
    """Both ways in which rows are staged, a stage that is published again, then what readers see."""
    for name, config in {"computed": COMPUTED, "lists": LISTS}.items():
        (job.home / f"{name}.yaml").write_text(yaml.safe_dump(config))
    computed, lists = ("--config", str(job.home / "computed.yaml")), ("--config", str(job.home / "lists.yaml"))
    return [
        job.score(1, *computed),
        job.score(1, *computed, "--replace", "--output.threshold", "0.4"),
        job.score(2, *computed, "--scoring.transport", "arrow"),
        job.score(3, *lists),
        job.score(4, *lists, "--output.explode", "{best: lists_best}"),
        *(["query", query.format(home=job.home)] for query in SHOWN.values()),
    ]


@pytest.fixture(scope="module")
def both(server: str, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> list[list[dict[str, Any]]]:
    """What the steps told: over Connect, and in a classic session."""
    registry.alias(1)
    found = []
    for address in (server, None):
        folder = tmp_path_factory.mktemp("client")
        job = make_job(folder / "home", registry)
        write_deltalake(str(job.home / "tables" / "airlines"), pa.table({"code": ["AA"], "name": ["American"]}))
        found.append(run_client(folder, steps_of(job), server=address))
    return found


def test_each_run_is_published_as_in_a_classic_session(both: list[list[dict[str, Any]]]) -> None:
    ends = [[(one["code"], one["result"].get("error"), one["result"]["status"]) for one in told[:5]] for told in both]
    assert ends == [[(0, None, "published")] * 5] * 2


@pytest.mark.parametrize("table", list(SHOWN))
def test_readers_see_the_same_rows(both: list[list[dict[str, Any]]], table: str) -> None:
    place = 5 + list(SHOWN).index(table)
    rows = [sorted(map(repr, round_numbers(told[place]["rows"]))) for told in both]
    assert rows[0] == rows[1]
    assert len(rows[0]) > 20
