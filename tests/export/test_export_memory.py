"""What an export costs in memory, measured in a process of its own."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from tests.postgres import needs_postgres, serve_postgres

AS_OF = datetime(2013, 12, 31, tzinfo=UTC)
ROWS = 1_000_000
MEASURE = """
import json, os, resource, sys
from datetime import UTC, datetime
from sparkscore.export.database_connection import find_address
from sparkscore.export.database_export import DatabaseExport
from sparkscore.export.folder_export import FolderExport
from sparkscore.ingest.published_rows import open_published_rows
from sparkscore.records import ExportedRun, TableLocation, TableRef
from sparkscore.store.table import Table

def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

table, folder, rows = Table(None, TableRef("p", sys.argv[1])), sys.argv[2], int(sys.argv[3])
run = ExportedRun("late", datetime(2013, 12, 31, tzinfo=UTC), "a" * 64, 1, rows, ("id",))
kind = sys.argv[4]
if kind == "postgresql":
    target = DatabaseExport(find_address(kind, None, (None, "WAREHOUSE")), name="bi", table=("bi",))
else:
    target = FolderExport(TableLocation(folder, folder), name="bi", kind=kind, path=folder)
before = peak_mb()
target.replace_rows(run, open_published_rows(table, run, ()))
print(json.dumps(peak_mb() - before))
"""


@pytest.fixture(scope="module")
def predictions(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("table") / "predictions")
    numbers = np.random.default_rng(1)
    rows = pa.table(
        {
            "id": np.arange(ROWS),
            **{f"x{at}": numbers.normal(size=ROWS) for at in range(20)},
            "run_id": pa.repeat("a" * 64, ROWS),
            "as_of": pa.repeat(pa.scalar(AS_OF, pa.timestamp("us", "UTC")), ROWS),
            "as_of_date": pa.repeat(pa.scalar(AS_OF.date()), ROWS),
        }
    )
    assert rows.nbytes > 200 << 20
    write_deltalake(path, rows, partition_by=["as_of_date"])
    return path


def measured(*words: str, **environ: str) -> float:
    command = [sys.executable, "-c", MEASURE, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environ})
    assert done.returncode == 0, done.stderr[-3000:]
    return float(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_folder_takes_200_mb_of_rows_in_a_part_of_that(predictions: str, tmp_path: Path, kind: str) -> None:
    assert measured(predictions, str(tmp_path), str(ROWS), kind) < 130


@pytest.mark.slow
@needs_postgres
def test_a_database_does_too(predictions: str, tmp_path: Path) -> None:
    with serve_postgres(tmp_path) as server:
        assert measured(predictions, str(tmp_path), str(ROWS), "postgresql", WAREHOUSE=server.uri) < 130
        assert server.run_sql("SELECT count(*) FROM bi") == str(ROWS)
