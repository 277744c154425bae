"""The scheduler's run, from the setting, the environment or Spark's settings."""

from collections.abc import Mapping

import pytest

from sparkscore.monitor.lineage.parent_runs import find_parent_run
from sparkscore.records import ParentRun

RUN, ROOT = "0176a8c2-fe01-7439-87e6-56a1a1b4029f", "0176a8c2-fe01-7439-87e6-56a1a1b4029e"
PARENT = ParentRun("airflow/prod", "daily.score", RUN)


def find(
    setting: str | None = None, environ: Mapping[str, str] | None = None, conf: Mapping[str, str] | None = None
) -> ParentRun | None:
    return find_parent_run(setting, environ or {}, (conf or {}).get)


def test_the_setting_counts_more_than_the_environment() -> None:
    environ = {"OPENLINEAGE_PARENT_ID": f"other/job/{RUN}"}
    assert find(f"airflow/prod/daily.score/{RUN}", environ) == PARENT


def test_the_environment_names_the_outermost_run_too() -> None:
    environ = {
        "OPENLINEAGE_PARENT_ID": f"airflow/prod/daily.score/{RUN}",
        "OPENLINEAGE_ROOT_PARENT_ID": f"airflow/prod/daily/{ROOT}",
    }
    found = find(environ=environ)
    assert found is not None
    assert found.root == ParentRun("airflow/prod", "daily", ROOT)


def test_what_airflow_adds_to_sparks_settings_is_read() -> None:
    conf = {
        "spark.openlineage.parentJobNamespace": "airflow/prod",
        "spark.openlineage.parentJobName": "daily.score",
        "spark.openlineage.parentRunId": RUN,
    }
    assert find(conf=conf) == PARENT


def test_the_variables_of_an_airflow_task_give_the_id_that_airflow_gives_its_events() -> None:
    environ = {
        "AIRFLOW_CTX_DAG_ID": "daily",
        "AIRFLOW_CTX_TASK_ID": "score",
        "AIRFLOW_CTX_TRY_NUMBER": "2",
        "AIRFLOW_CTX_LOGICAL_DATE": "2024-01-31T00:00:00+00:00",
        "AIRFLOW__OPENLINEAGE__NAMESPACE": "prod",
    }
    # generate_static_uuid(2024-01-31, b"prod.daily.score.2.-1"): a UUID of version 7 with the logical date in it
    assert find(environ=environ) == ParentRun("prod", "daily.score", "018d5cd0-bc00-7bd1-9306-31176de6421a")


@pytest.mark.parametrize("text", ["", "no-slashes", "ns/job/no-uuid", f"//{RUN}"])
def test_what_names_no_run_is_no_parent(text: str) -> None:
    assert find(environ={"OPENLINEAGE_PARENT_ID": text}) is None
    assert find(environ={"AIRFLOW_CTX_DAG_ID": "daily"}) is None
