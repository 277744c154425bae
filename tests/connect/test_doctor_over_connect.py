"""`doctor` over Spark Connect: what the server's executors have, and what only the server knows."""

import json
from pathlib import Path

import pytest

from tests.connect.conftest import make_job, run_client
from tests.world import Registry

pytestmark = pytest.mark.slow


def test_it_looks_at_the_servers_executors(server: str, registry: Registry, tmp_path: Path) -> None:
    job = make_job(tmp_path / "home", registry)
    (told,) = run_client(tmp_path, [["doctor", *job.flags]], server=server)
    found = {one["name"]: one for one in told["result"]["checks"]} if "result" in told else {}
    assert found, json.dumps(told)[:2000]
    assert [name for name, one in found.items() if one["status"] == "fail"] == []
    assert found["java"]["found"] == "Spark Connect: only its server has a Java"
    assert "over Connect" in found["spark"]["found"]
    assert found["executors' Python"]["status"] == "ok"
    assert found["home"]["status"] == "ok"
