import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from sparkscore.model.trust.installed_packages import InstalledPackages, read_installed_packages
from sparkscore.pipelines.diagnosis.executor_survey import ExecutorSurvey, SurveyTask, survey_executors
from sparkscore.pipelines.diagnosis.survey_checks import (
    NEEDED_PACKAGES,
    judge_executor_clocks,
    judge_executor_packages,
    judge_executor_pythons,
    judge_gpus,
    judge_model_packages,
    judge_shared_files,
)

DRIVER = read_installed_packages((*NEEDED_PACKAGES, "scikit-learn"))
PYTHON = ".".join(map(str, sys.version_info[:3]))
SAME = ExecutorSurvey("node-1", "/usr/bin/python3", PYTHON, DRIVER, 0.0, 0, None)


def with_packages(**versions: str) -> ExecutorSurvey:
    return replace(SAME, packages=InstalledPackages(versions, DRIVER.markers))


def test_what_an_executor_of_this_machine_tells_is_what_the_driver_has(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (told,) = survey_executors(spark, NEEDED_PACKAGES, str(tmp_path / "file"))
    assert (told.python, told.sees_file) == (PYTHON, True)
    assert judge_executor_pythons([told]).status == "ok"
    assert judge_executor_packages([told], DRIVER).status == "ok"
    assert judge_executor_clocks([told]).status == "ok"


def test_another_environment_tells_its_own_packages(tmp_path: Path) -> None:
    (tmp_path / "numpy-1.0.dist-info").mkdir()
    (tmp_path / "numpy-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 1.0\n")
    code = (
        "import json; from sparkscore.pipelines.diagnosis.executor_survey import SurveyTask;"
        "print(json.dumps(SurveyTask(('numpy', 'pandas', 'pyarrow'), '/nowhere/file').survey_executor()))"
    )
    environ = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    other = replace(SAME, packages=InstalledPackages.from_dict(told["packages"]), sees_file=told["sees_file"])
    found = judge_executor_packages([SAME, other], DRIVER)
    assert (found.status, "numpy 1.0 on node-1" in found.found) == ("warn", True)
    assert "pack-env" in found.cure
    assert judge_shared_files([other], "/home/me").status == "fail"


def test_a_package_that_every_worker_needs_is_missing() -> None:
    found = judge_executor_packages([with_packages(numpy="2.0", pandas="2.3")], DRIVER)
    assert (found.status, "pyarrow is missing on node-1" in found.found) == ("fail", True)


def test_another_python_than_the_drivers_is_refused_by_spark() -> None:
    found = judge_executor_pythons([replace(SAME, python="3.9.18")])
    assert (found.status, "Python 3.9.18 at /usr/bin/python3 on node-1" in found.found) == ("fail", True)


@pytest.mark.parametrize(("refuses", "status"), [(True, "fail"), (False, "warn")])
def test_other_packages_than_the_models_are_as_bad_as_the_config_says(refuses: bool, status: str) -> None:
    other = with_packages(**{"scikit-learn": "0.1"})
    found = judge_model_packages(
        ["scikit-learn==1.2"], "sklearn", [("executors on node-1", other.packages)], refuses=refuses
    )
    assert (found.status, "scikit-learn" in found.found, "node-1" in found.found) == (status, True, True)
    assert judge_model_packages([], "sklearn", [("the driver", DRIVER)], refuses=refuses).status == "ok"


def test_the_clock_that_is_furthest_is_told() -> None:
    found = judge_executor_clocks([SAME, replace(SAME, host="node-2", ahead_s=-3600)])
    assert (found.status, found.found.startswith("node-2: 3,600 s behind")) == ("fail", True)


class TestGpu:
    def test_none_is_needed_where_none_is_asked_for(self) -> None:
        assert judge_gpus([], 0, None).status == "ok"

    def test_one_that_is_asked_for_is_not_there(self) -> None:
        found = judge_gpus(["model.providers"], 0, None)
        assert (found.status, found.found) == ("fail", "model.providers asks for one, and no device is found")

    def test_tasks_get_one_only_where_spark_knows_of_it(self) -> None:
        found = judge_gpus(["scoring.resources"], 2, None)
        assert (found.status, "spark.executor.resource.gpu.amount" in found.cure) == ("fail", True)
        assert judge_gpus(["scoring.resources"], 2, "1").status == "ok"


def test_the_task_is_light() -> None:
    code = (
        "import sys, sparkscore.pipelines.diagnosis.executor_survey;"
        "print([name for name in ('pyspark', 'mlflow', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert SurveyTask((), None).survey_executor()["sees_file"] is None
