import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from sparkscore.errors import ModelError
from sparkscore.model.distribution.executor_packages import check_executor_packages, compare_own_packages
from sparkscore.records import PinnedModel, TrustPolicy

_NEEDED = f"numpy=={np.__version__}\nonly-there==2.0\n"


def placed(folder: Path, text: str, **policy: str) -> PinnedModel:
    """A model of which only the requirements matter."""
    (folder / "requirements.txt").write_text(text)
    trust = TrustPolicy(**policy)  # type: ignore[arg-type]
    return PinnedModel("m", "1", "", "d", str(folder), "pyfunc", (), False, pa.float64(), trust=trust)


@pytest.fixture
def other_python(spark: SparkSession, tmp_path: Path) -> Iterator[Path]:
    """Workers of another Python: ours, but for one package more."""
    (tmp_path / "more" / "only_there-2.0.dist-info").mkdir(parents=True)
    (tmp_path / "more" / "only_there-2.0.dist-info" / "METADATA").write_text("Name: only-there\nVersion: 2.0\n")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexport PYTHONPATH="$PYTHONPATH:{tmp_path}/more"\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o700)
    context = spark.sparkContext
    before, context.pythonExec = context.pythonExec, str(python)
    yield python
    context.pythonExec = before


def jobs_of(spark: SparkSession, group: str) -> int:
    spark.sparkContext.setJobGroup(group, group)
    return len(spark.sparkContext.statusTracker().getJobIdsForGroup(group))


def test_where_workers_run_this_python_no_task_is_asked(spark: SparkSession, tmp_path: Path) -> None:
    assert jobs_of(spark, str(tmp_path)) == 0
    (warning,) = check_executor_packages(spark, placed(tmp_path, _NEEDED))
    assert "only-there==2.0 is needed, and not installed" in warning
    assert "numpy" not in warning
    assert jobs_of(spark, str(tmp_path)) == 0


def test_packages_of_another_python_are_those_that_count(
    spark: SparkSession, tmp_path: Path, other_python: Path
) -> None:
    assert jobs_of(spark, str(tmp_path)) == 0
    assert check_executor_packages(spark, placed(tmp_path, _NEEDED, requirements="refuse")) == ()
    check_executor_packages(spark, placed(tmp_path, _NEEDED))
    assert jobs_of(spark, str(tmp_path)) == 1  # for all runs of an application
    with pytest.raises(ModelError, match=r"numpy==1\.0\.1 is needed, and") as refused:
        check_executor_packages(spark, placed(tmp_path, "numpy==1.0.1\nonly-there>=2", requirements="refuse"))
    assert "the executors' Python" in refused.value.found
    assert "only-there" not in refused.value.found
    assert "pack-env" in refused.value.do


def test_a_model_without_requirements_asks_nobody(spark: SparkSession, tmp_path: Path, other_python: Path) -> None:
    jobs_of(spark, str(tmp_path))
    assert check_executor_packages(spark, placed(tmp_path, "# nothing\n-r other.txt\n")) == ()
    assert check_executor_packages(spark, placed(tmp_path, "numpy==1.0.1\n", requirements="ignore")) == ()
    assert jobs_of(spark, str(tmp_path)) == 0


def test_a_worker_that_cannot_be_started_is_a_warning(spark: SparkSession, tmp_path: Path, other_python: Path) -> None:
    other_python.write_text("#!/bin/sh\nexit 3\n")
    (warning,) = check_executor_packages(spark, placed(tmp_path, _NEEDED))
    assert "what packages the executors have is not known" in warning


def test_without_executors_this_process_is_compared(tmp_path: Path) -> None:
    assert "not installed" in compare_own_packages(placed(tmp_path, _NEEDED))[0]
    with pytest.raises(ModelError, match="the driver"):
        compare_own_packages(placed(tmp_path, _NEEDED, requirements="refuse"))


def test_pickles_of_another_python_are_a_warning(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "python_env.yaml").write_text("python: 3.9.7\nbuild_dependencies: []\n")
    assert check_executor_packages(spark, placed(tmp_path, "numpy")) == ()
    (tmp_path / "model.pkl").write_bytes(b"")
    (warning,) = check_executor_packages(spark, placed(tmp_path, "numpy", requirements="refuse"))
    assert "logged with Python 3.9" in warning
    assert check_executor_packages(spark, placed(tmp_path, "numpy", requirements="ignore")) == ()
