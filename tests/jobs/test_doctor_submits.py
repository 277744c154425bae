"""`jobs/doctor.py` by Spark's own spark-submit on a standalone Spark, whose workers have other packages."""

import os
import sys
from pathlib import Path

import pyspark
import pytest

from tests.jobs.cluster_runs import ROOT, run_program, write_config
from tests.standalone import standalone
from tests.world import World, source_rows

pytestmark = pytest.mark.slow


def test_other_packages_on_executors_are_told_with_the_host(world: World, tmp_path: Path) -> None:
    world.write_source(source_rows())
    other = tmp_path / "other"
    (other / "numpy-1.0.dist-info").mkdir(parents=True)
    (other / "numpy-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 1.0\n")
    config = write_config(world.settings(), tmp_path / "job.yaml")
    with standalone(tmp_path) as address:
        code, result = run_program(
            world.home,
            *(f"{Path(pyspark.__file__).parent}/bin/spark-submit", "--master", address),
            *("--properties-file", "conf/spark/cluster.conf", "--conf", "spark.executor.memory=512m"),
            *("--conf", f"spark.pyspark.driver.python={sys.executable}"),
            *("--conf", f"spark.executorEnv.PYTHONPATH={os.pathsep.join([str(other), f'{ROOT}/src'])}"),
            *("jobs/doctor.py", "--config", config),
            python=sys.executable,
        )
    found = {one["name"]: one for one in result["checks"]}
    assert (code, [name for name, one in found.items() if one["status"] == "fail"]) == (0, [])
    assert found["spark"]["found"].endswith(address)
    assert (found["executors' packages"]["status"], "numpy 1.0 on" in found["executors' packages"]["found"]) == (
        "warn",
        True,
    )
    assert found["shared home"]["status"] == "ok"
