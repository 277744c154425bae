"""Predictions as a Dagster asset with a partition for each day: each is an as_of.

    dagster dev -f definitions.py

Nothing of sparkscore is imported: Dagster has an environment of its own, and starts ./spark-submit.sh through Pipes
(pipes_verb.py beside this file), which brings versions, rows, rejects and verdicts back. Only exit code 75 is tried
again.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg

ROOT = Path(os.environ.get("JOB_ROOT", "."))
CONFIG = os.environ.get("JOB_CONFIG", "conf/quickstart.yaml")
TABLE = os.environ.get("JOB_TABLE", "flights")
SUITE = os.environ.get("JOB_SUITE", "conf/expectations/flights.json")
CRON = os.environ.get("JOB_CRON", "0 6 * * *")
RETRY_SECONDS = float(os.environ.get("JOB_RETRY_SECONDS", "300"))
TEMPORARY = 75
DAYS = dg.DailyPartitionsDefinition(start_date=os.environ.get("JOB_FIRST_DAY", "2013-10-01"))


def run_verb(context: Any, pipes: dg.PipesSubprocessClient, words: Sequence[str]) -> Iterator[Any]:
    """Run a verb; yields what it reports, then fails where it did: with a retry on exit code 75 alone."""
    program = [sys.executable, str(Path(__file__).with_name("pipes_verb.py")), *words, "--config", CONFIG]
    ran = pipes.run(command=program, context=context, cwd=str(ROOT))
    (ended,) = ran.get_custom_messages()
    for day, told in ended["days"].items():
        context.add_asset_metadata(told, asset_key="predictions", partition_key=day)
    yield from ran.get_results(implicit_materializations=False)
    if ended["exit_code"] == TEMPORARY:
        raise dg.RetryRequested(max_retries=3, seconds_to_wait=RETRY_SECONDS)
    if ended["exit_code"] != 0:
        raise dg.Failure(
            f"{words[0]} ended with exit code {ended['exit_code']}: {ended['message']}", allow_retries=False
        )


flights = dg.AssetSpec("flights", description="The table that is scored.")


@dg.asset_check(asset="flights", blocking=True)
def suite(context: dg.AssetCheckExecutionContext, pipes: dg.PipesSubprocessClient) -> dg.AssetCheckResult:
    """Whether the table keeps the rules of its suite: where it does not, nothing is scored."""
    told = run_verb(context.op_execution_context, pipes, ["gate", "check", TABLE, "--suite", SUITE])
    return next(one for one in told if isinstance(one, dg.AssetCheckResult))  # of exit codes 0 and 3; others raise


@dg.asset(
    deps=[flights],
    partitions_def=DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    check_specs=[
        dg.AssetCheckSpec("gates", asset="predictions", description="The suites that judge the run itself."),
        dg.AssetCheckSpec("sla", asset="predictions", description="The rules of `sla` in the config."),
    ],
)
def predictions(context: dg.AssetExecutionContext, pipes: dg.PipesSubprocessClient) -> Iterator[Any]:
    """The predictions of a day; of a range of days in one Spark application."""
    days = context.partition_keys
    if len(days) == 1:
        yield from run_verb(context, pipes, ["score", "--as-of", days[0]])
    else:
        yield from run_verb(context, pipes, ["backfill", "--from", days[0], "--to", days[-1], "--source-as-it-is"])


daily = dg.define_asset_job(
    "daily", selection=dg.AssetSelection.checks_for_assets("flights") | dg.AssetSelection.assets("predictions")
)


@dg.schedule(job=daily, cron_schedule=CRON, execution_timezone="UTC", default_status=dg.DefaultScheduleStatus.RUNNING)
def every_day(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """A run for the day before the schedule's date. A tick that is tried again after a failure makes none (run_key)."""
    day = f"{context.scheduled_execution_time - timedelta(days=1):%Y-%m-%d}"
    return dg.RunRequest(run_key=day, partition_key=day, tags={"sparkscore/as_of": day})


defs = dg.Definitions(
    assets=[flights, predictions],
    asset_checks=[suite],
    jobs=[daily],
    schedules=[every_day],
    resources={"pipes": dg.PipesSubprocessClient()},
)
