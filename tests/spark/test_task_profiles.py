"""Profiles on a standalone Spark: tests/model/host/test_in_spark.py."""

import pytest
from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError
from sparkscore.spark.task_profiles import plan_task_profile


def test_without_resources_the_stage_runs_as_the_session_has_it(spark: SparkSession) -> None:
    planned = plan_task_profile(spark, {})
    assert (planned.profile, planned.slots) == (None, 2)


def test_a_local_master_refuses_a_profile_before_a_job_runs(spark: SparkSession) -> None:
    with pytest.raises(ConfigError, match=r"scoring.resources: the master local\[2,4\]") as refused:
        plan_task_profile(spark, {"gpu": 1})
    assert "standalone" in refused.value.expected
