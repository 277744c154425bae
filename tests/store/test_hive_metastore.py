"""Tables of a real Hive metastore, on Derby, in a process of its own; and of one that does not answer."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.world import Registry, source_rows

pytestmark = pytest.mark.slow

_ROOT = Path(__file__).parents[2]
_PATIENCE_S = 400


def drive(what: str, folder: Path, *, tracking_uri: str = "", metastore: str = "") -> Any:
    """What the process tells."""
    command = [sys.executable, "-m", "tests.hive_driver", what, str(folder), tracking_uri, metastore]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=_ROOT, env=dict(os.environ), timeout=_PATIENCE_S
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_managed_and_external_tables_are_scanned_with_the_predictions_of_the_path_and_a_view_is_not(
    tmp_path: Path, registry: Registry
) -> None:
    registry.alias(1)
    found = drive("run", tmp_path, tracking_uri=registry.uri)
    assert [found[name]["transport"] for name in ("path", "managed", "external")] == ["scan"] * 3, found
    expected = registry.expected(source_rows()).tolist()
    assert found["path"]["predictions"] == pytest.approx(expected, rel=0, abs=1e-12)
    assert found["managed"]["predictions"] == found["external"]["predictions"] == found["path"]["predictions"]
    assert (found["view"]["exit_code"], "is a view" in found["view"]["error"]) == (2, True)
    assert found["log"] == f"{tmp_path}/ware house/lake.db/predictions_managed"


def test_a_metastore_that_accepts_and_never_answers_ends_with_75(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found = drive("ask", tmp_path, metastore=f"thrift://127.0.0.1:{silent.getsockname()[1]}")
    assert found["exit_code"] == 75
    assert "no answer within 5 s while asking the catalog for lake.flights" in found["error"]


def test_a_metastore_that_is_not_up_ends_with_75(tmp_path: Path) -> None:
    found = drive("ask", tmp_path, metastore="thrift://127.0.0.1:9")
    assert (found["exit_code"], "no answer while" in found["error"]) == (75, True), found
