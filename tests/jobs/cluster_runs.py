"""Runs of verbs by Spark's own spark-submit on a standalone Spark, whose workers have no environment of ours."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from sparkscore.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


def write_config(settings: Settings, file: Path) -> str:
    """The job's config as a file."""
    file.write_text(yaml.safe_dump(json.loads(settings.model_dump_json(exclude_none=True))))
    return str(file)


def run_program(home: Path, *command: str, python: str | None = None) -> tuple[int, Mapping[str, Any]]:
    """Exit code and result of a command. `python`: of the workers, where they run one that is not shipped."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYSPARK_", "SPARK_"))}
    environ |= {"SPARKSCORE_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1", "PYTHONPATH": f"{ROOT}/src"}
    environ |= {"PYSPARK_DRIVER_PYTHON": sys.executable}
    environ |= {} if python is None else {"PYSPARK_PYTHON": python}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=500, check=False)
    assert done.stdout, done.stderr[-3000:]
    return done.returncode, json.loads(done.stdout.splitlines()[-1])


def submit_score(
    home: Path, address: str, *words: str, options: tuple[str, ...] = (), python: str | None = None
) -> tuple[int, Mapping[str, Any]]:
    """Exit code and result of `score` on a standalone Spark; `words` are the job's."""
    import pyspark

    submit = (f"{Path(pyspark.__file__).parent}/bin/spark-submit", "--master", address)
    ours = ("--properties-file", "conf/spark/cluster.conf", "--conf", "spark.executor.memory=512m")
    driver = ("--conf", f"spark.pyspark.driver.python={sys.executable}")
    return run_program(home, *submit, *ours, *driver, *options, "jobs/score.py", *words, python=python)
