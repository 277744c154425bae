"""Resources of the tasks that score, on a standalone Spark with two GPUs that are none."""

import sys
from pathlib import Path

import pytest

from tests.jobs.cluster_runs import ROOT, submit_score, write_config
from tests.standalone import standalone
from tests.world import World

pytestmark = pytest.mark.slow


def test_each_task_that_scores_gets_its_gpu_on_both_transports(world: World, tmp_path: Path) -> None:
    config = write_config(world.settings(model={"residency": "executor"}), tmp_path / "job.yaml")
    conf = {
        "spark.executor.cores": "4",
        "spark.executor.resource.gpu.amount": "2",
        "spark.executorEnv.PYTHONPATH": f"{ROOT}/src",
        "spark.executorEnv.TMPDIR": str(tmp_path),
    }
    options = tuple(word for name, value in conf.items() for word in ("--conf", f"{name}={value}"))
    gpus = ("--scoring.resources", "{gpu: 1, cpus: 2}")
    with standalone(tmp_path, cores=4, gpus=2) as address:

        def run(as_of: str, *words: str) -> tuple[int, dict[str, object]]:
            code, result = submit_score(
                world.home,
                address,
                "--config",
                config,
                "--as-of",
                as_of,
                *words,
                options=options,
                python=sys.executable,
            )
            return code, {"error": result.get("error"), **result["executors"], "transport": result["transport"]}

        code, scan = run("2013-12-29", *gpus)
        assert (code, scan["transport"], "gpu_s" in scan) == (0, "scan", True), scan
        code, arrow = run("2013-12-30", *gpus, "--scoring.transport", "arrow")
        assert (code, arrow["transport"], "gpu_s" in arrow) == (0, "arrow", True), arrow
        code, plain = run("2013-12-31")
        assert (code, "gpu_s" in plain) == (0, False), plain
        code, refused = run("2014-01-01", "--scoring.resources", "{gpu: 3}")
        assert code == 2
        assert "needs to be >= the task resource request amount" in str(refused["error"])
