"""The example in conf/examples, by the installed command, with an endpoint on loopback in the place of a real one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from deltalake import DeltaTable

from tests.workloads.endpoints.misbehaving_server import complete, serving

pytestmark = pytest.mark.slow

MODEL = "smollm2-135m"
ROOT = Path(__file__).resolve().parents[3]


def test_the_example_asks_for_each_review_and_publishes_the_answers(tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "PYSPARK_SUBMIT_ARGS"}
    config = ("--config", "conf/examples/language-model.yaml", "--as-of", "2026-01-31")
    with serving(lambda asked: complete("They like it.", model=MODEL), models=[{"id": MODEL}]) as script:
        done = subprocess.run(
            [Path(sys.executable).with_name("sparkscore"), "score", *config, "--llm.base_url", script.url],
            cwd=ROOT,
            env={**environ, "SPARKSCORE_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["status"] == "published"
    assert result["model_counts"]["requests"] == len(script.paid) == 8
    rows = DeltaTable(str(tmp_path / "tables" / "review_summaries")).to_pyarrow_table().to_pylist()
    assert {row["prediction"]["answer"] for row in rows} == {"They like it."}
    assert any("of the desk lamp? Bright, with {three} levels." in one.prompt for one in script.asked)
