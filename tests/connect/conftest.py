"""One server, and clients of it without Java."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from deltalake import DeltaTable, write_deltalake

from tests.connect.connect_server import connect_server
from tests.world import MODEL, Registry, source_rows

ROOT = Path(__file__).resolve().parents[2]
SUITE = {
    "name": "flights",
    "expectations": [
        {"type": "expect_column_values_to_match_regex", "kwargs": {"column": "carrier", "regex": "^[A-Z]{2}$"}},
        {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "id", "value_set": list(range(1000))}},
        {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "x1", "min_value": -0.98, "max_value": 2},
            "meta": {"action": "reject"},
        },
    ],
}
"""A pattern, a set that is too large for literals, and a rule that rejects."""


@dataclass(frozen=True)
class Job:
    """A home with a source of 60 rows, and a config; its tables are read without Spark."""

    home: Path
    registry: Registry

    @property
    def flags(self) -> list[str]:
        """What each verb is called with."""
        return ["--config", str(self.home / "job.yaml")]

    def score(self, day: int, *more: str) -> list[str]:
        """A run of a day, as a step."""
        return ["score", *self.flags, "--as-of", f"2013-01-0{day}", *more]

    def rows(self, table: str, *, columns: list[str] | None = None) -> list[dict[str, Any]]:
        """All rows of a table."""
        found = DeltaTable(str(self.home / "tables" / table)).to_pyarrow_table(
            columns=None if columns is None else list(columns)
        )
        rows: list[dict[str, Any]] = found.to_pylist()
        return rows


def make_job(home: Path, registry: Registry) -> Job:
    """The home of a job that has not run yet."""
    write_deltalake(str(home / "tables" / "flights"), source_rows(60))
    (home / "suite.json").write_text(json.dumps(SUITE))
    config = {
        "job": "late-flights",
        "home": str(home),
        "source": {"table": "flights", "keys": ["id"], "passthrough": ["carrier"]},
        "model": {"uri": f"models:/{MODEL}@champion", "tracking_uri": registry.uri},
        "output": {"table": "predictions", "threshold": 0.5},
        "gate": {"input": str(home / "suite.json")},
        "monitor": {"mlflow": False},
    }
    (home / "job.yaml").write_text(yaml.safe_dump(config))
    return Job(home, registry)


def run_client(folder: Path, steps: Sequence[Sequence[str]], *, server: str | None) -> list[dict[str, Any]]:
    """What each step told, in a new process: of a server and without Java, else in a classic session."""
    names = ("HOME", "SPARK_SUBMIT_OPTS", "TMPDIR", *(() if server else ("PATH", "JAVA_HOME")))
    environ = {name: os.environ[name] for name in names if name in os.environ}
    environ |= {
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
        "MPLCONFIGDIR": str(folder),
        "GIT_PYTHON_REFRESH": "quiet",
    }
    environ |= {"SPARK_REMOTE": server, "PATH": str(folder / "no-programs")} if server else {}
    (folder / "steps.json").write_text(json.dumps(steps))
    script = Path(__file__).with_name("connect_client.py")
    command = [sys.executable, str(script), str(folder / "steps.json"), str(folder / "told.json")]
    done = subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    told: list[dict[str, Any]] = json.loads((folder / "told.json").read_text())
    return told


def round_numbers(value: Any) -> Any:
    """The same with numbers of nine decimals: another cut of batches may change the last bits of a prediction."""
    if isinstance(value, float):
        return round(value, 9)
    if isinstance(value, Mapping):
        return {name: round_numbers(one) for name, one in value.items()}
    return [round_numbers(one) for one in value] if isinstance(value, list | tuple) else value


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that has Delta, and no package of ours."""
    with connect_server(tmp_path_factory.mktemp("server")) as address:
        yield address
