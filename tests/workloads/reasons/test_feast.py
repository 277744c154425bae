"""Feast reads a feature table by its Spark offline store, in an environment of its own: its versions are not ours."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from deltalake import DeltaTable

from sparkscore import score
from tests.world import World, source_rows

pytestmark = pytest.mark.slow
DAYS = ("2013-12-29", "2013-12-31", "2013-12-30")
FEAST = "feast==0.67.0"


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Feast and what it needs; FEAST_PACKAGES names a folder that has them."""
    known = os.environ.get("FEAST_PACKAGES")
    if known:
        return known
    folder = str(tmp_path_factory.mktemp("feast"))
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", folder, FEAST]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    if done.returncode:
        pytest.skip(f"{FEAST} cannot be installed: {done.stderr[-200:]}")
    return folder


def test_historical_features_are_those_that_held_at_each_time(world: World, packages: str, tmp_path: Path) -> None:
    settings = world.settings(output={"feature_table": {"table": "late_features"}})
    for day, first in zip(DAYS, (0, 0, 3), strict=True):
        world.write_source(source_rows(6, first=first))
        world.registry.alias(2 if day == DAYS[2] else 1)
        assert score(world.spark, settings, as_of=day).exit_code == 0
    times = [f"2013-12-{day}T12:00:00Z" for day in (28, 29, 30, 31)]
    entities = [{"id": key, "event_timestamp": time} for key in range(9) for time in times]
    (tmp_path / "entities.json").write_text(json.dumps(entities), encoding="utf-8")
    table = world.path("late_features")
    words = ["-m", "tests.workloads.reasons.feast_reader", table, str(tmp_path), str(tmp_path / "entities.json")]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([packages, os.environ["PYTHONPATH"]])}
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=500, check=False, env=environ
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = {(one["id"], one["event_timestamp"][:19]): one["prediction"] for one in json.loads(done.stdout)}
    rows = DeltaTable(table).to_pyarrow_table().to_pylist()
    for entity in entities:
        moment = str(entity["event_timestamp"])[:19]
        held = [
            row["prediction"]
            for row in rows
            if row["id"] == entity["id"]
            and row["valid_from"].strftime("%Y-%m-%dT%H:%M:%S") <= moment
            and (row["valid_to"] is None or moment < row["valid_to"].strftime("%Y-%m-%dT%H:%M:%S"))
        ]
        assert found[entity["id"], moment] == (pytest.approx(held[0], abs=1e-12) if held else None)
    assert len({value for value in found.values() if value is not None}) > 6
