"""What executors tell of themselves: their Python, packages, clock and GPUs, and whether they see a file."""

import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sparkscore.model.trust.installed_packages import InstalledPackages, read_installed_packages

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_LONGEST_S = 120.0
_TASKS = 16
"""At most: a look at some of the executors."""


@dataclass(frozen=True, slots=True)
class SurveyTask:
    """A task that tells what its Python has. Runs on: executor."""

    packages: tuple[str, ...]
    file: str | None
    """Of this machine; whether the executor sees it."""

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """One row, as JSON."""
        for _ in batches:
            yield pa.RecordBatch.from_pydict({"told": [json.dumps(self.survey_executor())]})

    def survey_executor(self) -> dict[str, Any]:
        """What this process has."""
        return {
            "host": socket.gethostname(),
            "executable": sys.executable,
            "python": ".".join(map(str, sys.version_info[:3])),
            "packages": asdict(read_installed_packages(self.packages)),
            "time": time.time(),
            "gpus": _count_gpus(),
            "sees_file": None if self.file is None else os.path.exists(self.file),  # noqa: PTH110  light
        }


def _count_gpus() -> int:
    """NVIDIA's devices that the process could open."""
    found = [name for name in os.listdir("/dev") if name.startswith("nvidia") and name[6:].isdigit()]  # noqa: PTH208
    return len(found) if shutil.which("nvidia-smi") is not None or found else 0


@dataclass(frozen=True, slots=True)
class ExecutorSurvey:
    """What one Python worker has told."""

    host: str
    executable: str
    python: str
    packages: InstalledPackages
    ahead_s: float
    """Seconds that its clock is ahead of the driver's."""
    gpus: int
    sees_file: bool | None


def survey_executors(spark: "SparkSession", packages: Sequence[str], file: str | None) -> tuple[ExecutorSurvey, ...]:
    """What some executors tell, each Python of each host once.

    Jobs:    one, with a few tasks.
    Runs on: driver.
    Raises:  what the job raises; TemporaryError after two minutes.
    """
    from sparkscore.pipelines.diagnosis.clock_checks import measure_skew
    from sparkscore.spark.background_job import run_in_background
    from sparkscore.spark.package_shipping import ship_package

    ship_package(spark)
    frame = spark.range(0, _TASKS, 1, _TASKS).mapInArrow(SurveyTask(tuple(packages), file), "told string")
    before = time.time()
    with run_in_background(spark, frame.collect) as job:
        rows = job.result(seconds=_LONGEST_S)
    after, found = time.time(), dict[tuple[str, str], ExecutorSurvey]()
    for told in (json.loads(row["told"]) for row in rows):
        found[told["host"], told["executable"]] = ExecutorSurvey(
            told["host"],
            told["executable"],
            told["python"],
            InstalledPackages.from_dict(told["packages"]),
            measure_skew(told["time"], before, after),
            told["gpus"],
            told["sees_file"],
        )
    return tuple(found.values())
