"""Airflow 3.3: flights are checked, scored and published each day; who reads the predictions is started by them.

Put this file into Airflow's folder of DAGs. The workers need this repository and Java, and for reading `deltalake`; the
connection `spark_default` says on which Spark the jobs run, for example
AIRFLOW_CONN_SPARK_DEFAULT='{"conn_type": "spark", "host": "local[*]"}'.

    FLIGHTS_ROOT    where the repository is
    FLIGHTS_CONFIG  the job's config; default: conf/quickstart.yaml of the repository
    FLIGHTS_SOURCE  the table that is scored, and
    FLIGHTS_SUITE   what it is checked by before; default: those of the quickstart
    FLIGHTS_TABLE   the folder of the prediction table; default: that of the quickstart
"""

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import DAG, Asset, Param, RetryDecision, RetryPolicy, task

ROOT = Path(os.environ.get("FLIGHTS_ROOT", "/opt/sparkscore"))
CONFIG = os.environ.get("FLIGHTS_CONFIG", "conf/quickstart.yaml")
SOURCE = os.environ.get("FLIGHTS_SOURCE", "flights")
SUITE = os.environ.get("FLIGHTS_SUITE", str(ROOT / "conf/expectations/flights.json"))
TABLE = os.environ.get("FLIGHTS_TABLE", str(ROOT / ".sparkscore/tables/flight_delay_predictions"))
PREDICTIONS = Asset("flight_delay_predictions")
AS_OF = "{{ params.as_of or ts }}"  # the logical date; a run without one needs the param
WITHIN_HOURS = "{{ 'null' if dag_run.run_type == 'backfill' else 24 }}"  # a back-fill is late by its nature


class RetryWhatMayPass(RetryPolicy):
    """Retries what is temporary (75) and what was killed: anything else stays the same until somebody changes it."""

    def evaluate(self, exception: BaseException, *_: Any, **__: Any) -> RetryDecision:
        """SparkSubmitHook tells the exit code in its message alone."""
        found = re.search(r"Error code is: (-?\d+)", str(exception))
        code = int(found[1]) if found else None
        if code in {75, 137, 143, -9, -15} or type(exception).__name__ == "AirflowTaskTimeout":
            return RetryDecision.retry(reason=f"exit code {code}: it continues from what was kept")
        return RetryDecision.fail(reason=f"exit code {code}: a retry would end the same way")


def submit(verb: str, *arguments: str, **more: Any) -> SparkSubmitOperator:
    """A task that submits jobs/<verb>.py: the exit code decides what becomes of it."""
    return SparkSubmitOperator(
        task_id=verb,
        spark_binary=str(ROOT / "spark-submit.sh"),
        application=f"jobs/{verb}.py",
        application_args=[*arguments, "--config", CONFIG],
        name=f"flight-delay {verb}",
        retries=3,
        retry_policy=RetryWhatMayPass(),
        execution_timeout=timedelta(hours=2),
        **more,
    )


def tell_as_of(context: Any, result: Any = None) -> None:
    """Readers learn which as_of was published."""
    context["outlet_events"][PREDICTIONS].extra = {"as_of": context["params"]["as_of"] or context["ts"]}


with DAG(
    "flight_delay",
    schedule="@daily",
    start_date=datetime(2013, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=3,  # as_ofs are independent of one another; with source.read: changes it has to be 1
    params={"as_of": Param(None, type=["null", "string"], description="in the place of the logical date")},
    doc_md=__doc__,
):
    gate = submit("gate", "check", SOURCE, "--suite", SUITE)
    score = submit("score", "--as-of", AS_OF, outlets=[PREDICTIONS], post_execute=tell_as_of)
    check_sla = submit(
        "check_sla", "--as-of", AS_OF, "--sla.published_within_hours", WITHIN_HOURS, "--sla.completeness", "0.9"
    )
    gate >> score >> check_sla

# A run that never started tells nobody: this one asks for it.
with DAG(
    "flight_delay_watch",
    schedule="0 * * * *",
    start_date=datetime(2013, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
):
    submit("check_sla", "--sla.every_hours", "24", "--sla.published_within_hours", "24")

# Whoever reads the predictions is started by them, and not by a clock.
with DAG("flight_delay_read", schedule=[PREDICTIONS], start_date=datetime(2013, 1, 1, tzinfo=UTC)):

    @task
    def count_predictions(triggering_asset_events: Any = None) -> dict[str, int]:
        """Predictions by as_of, read without Spark."""
        from deltalake import DeltaTable

        as_ofs = sorted({event.extra["as_of"] for event in triggering_asset_events[PREDICTIONS]})
        table = DeltaTable(TABLE)
        counts = {}
        for as_of in as_ofs:
            moment = datetime.fromisoformat(as_of)
            moment = moment.replace(tzinfo=moment.tzinfo or UTC)
            rows = table.to_pyarrow_table(columns=["as_of"], filters=[("as_of_date", "=", moment.date())])
            counts[as_of] = rows["as_of"].to_pylist().count(moment)
        return counts

    count_predictions()
