"""The assets of conf/orchestration/dagster, by a daemon and a command line of Dagster's own."""

import os
import shutil
import signal
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import Popen
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import dagster as dg
from scheduled_job import ROOT, WORK, ScheduledJob, require, running, say, wait_for

DEFINITIONS = ROOT / "conf" / "orchestration" / "dagster" / "definitions.py"
HOME = WORK / "dagster"
DAY = "2013-12-30"
YESTERDAY = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"


def materialize(environ: Mapping[str, str], name: str, *words: str) -> AbstractContextManager["Popen[bytes]"]:
    """The command line's `asset materialize`, which executes a run in its own process."""
    program = [Path(sys.executable).with_name("dagster"), "asset", "materialize", "-f", DEFINITIONS, *words]
    return running(program, environ, WORK / f"{name}.log")


def await_code(process: "Popen[bytes]") -> int:
    """The exit code of a process, once it has ended."""
    wait_for("the end of a run", lambda: process.poll() is not None, seconds=600)
    return int(process.returncode)


def find_materialization(instance: dg.DagsterInstance, day: str) -> Mapping[str, Any]:
    """The metadata of a partition's newest materialization."""
    chosen = dg.AssetRecordsFilter(asset_key=dg.AssetKey("predictions"), asset_partitions=[day])
    records = instance.fetch_materializations(chosen, limit=1).records
    require(records, f"no materialization of {day}")
    made = records[0].asset_materialization
    return {} if made is None else {name: value.value for name, value in made.metadata.items()}


def find_checks(instance: dg.DagsterInstance, run: str) -> dict[str, bool]:
    """Whether the asset checks of a run passed."""
    records = instance.all_logs(run, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    events = [one.dagster_event for one in records if one.dagster_event is not None]
    return {event.asset_check_evaluation_data.check_name: event.asset_check_evaluation_data.passed for event in events}


def find_newest_run(instance: dg.DagsterInstance) -> dg.DagsterRun:
    """The run that was made last."""
    return instance.get_runs(limit=1)[0]


def read_failure(instance: dg.DagsterInstance, run: str) -> str:
    """Why a step of a run failed; empty where none did."""
    for one in instance.all_logs(run, of_type=dg.DagsterEventType.STEP_FAILURE):
        error = one.dagster_event.step_failure_data.error if one.dagster_event else None
        return error.to_string() if error else ""
    return ""


def count_retries(instance: dg.DagsterInstance, run: str) -> int:
    """How often a step of a run was tried again."""
    return len(instance.all_logs(run, of_type=dg.DagsterEventType.STEP_UP_FOR_RETRY))


def check_refusals(instance: dg.DagsterInstance, environ: Mapping[str, str]) -> None:
    """An unfilled template, which is not tried again."""
    with materialize(
        {**environ, "JOB_CONFIG": "{{ config }}"}, "unfilled", "--select", "predictions", "--partition", DAY
    ) as run:
        require(await_code(run) != 0, "an unfilled template passed")
    newest = find_newest_run(instance).run_id
    failure = read_failure(instance, newest)
    require("exit code 2" in failure and "template" in failure, failure)
    require(count_retries(instance, newest) == 0, "it was tried again")
    say("unfilled template: --config '{{ config }}' ends with 2, which is not tried again")


def check_kill(job: ScheduledJob, instance: dg.DagsterInstance, environ: Mapping[str, str]) -> None:
    """Two runs of one partition at once, of which one is terminated; the other one's 75 is tried again."""
    chosen = ("--select", "predictions", "--partition", DAY)
    job.hold()
    with materialize(environ, "first", *chosen) as first:
        wait_for("the model of the first run", job.is_reached)
        first.send_signal(signal.SIGINT)
        await_code(first)
    wait_for("the end of the first run's process", lambda: not job.find_processes(), seconds=120)
    killed = find_newest_run(instance)
    seen, events = job.show(DAY)
    require(killed.status in (dg.DagsterRunStatus.CANCELED, dg.DagsterRunStatus.FAILURE), killed.status)
    require(not seen and events[0] == "started", (seen, events))
    say(f"killed: terminated while it scored ({killed.status.value}); no process is left, nothing is visible")
    job.block_exports()
    job.release()
    with materialize(environ, "second", *chosen) as second:
        wait_for("a retry", lambda: count_retries(instance, find_newest_run(instance).run_id), seconds=600)
        job.allow_exports()
        require(await_code(second) == 0, "the second run failed")
    newest = find_newest_run(instance).run_id
    require(count_retries(instance, newest) == 1, count_retries(instance, newest))
    events = job.require_once(DAY)
    say(f"run again: exit code 75 was tried again, once; rows once: 60 rows, one publication ({', '.join(events)})")
    told = find_materialization(instance, DAY)
    say(f"metadata: {told}")
    checks = find_checks(instance, newest)
    require(checks == {"gates": True, "sla": False}, checks)
    say(f"late: the asset check sla fails for {DAY}, as a warning: {checks}")


def check_range(job: ScheduledJob, instance: dg.DagsterInstance, environ: Mapping[str, str]) -> None:
    """A back-fill of three partitions, of which one is there, and one is materialized by another run at once."""
    days = [DAY, "2013-12-31", "2014-01-01"]
    with (
        materialize(environ, "range", "--select", "predictions", "--partition-range", f"{days[0]}...{days[-1]}") as run,
        materialize(environ, "other", "--select", "predictions", "--partition", days[1]) as other,
    ):
        codes = [await_code(run), await_code(other)]
    require(codes == [0, 0], codes)
    for day in days:
        job.require_once(day)
    told = find_materialization(instance, days[-1])
    require(told["as_ofs"] == 3, told)
    say(f"back-fill: three partitions in one Spark application, one of which was published before: {told}")
    say(f"started twice: a run of {days[1]} by itself at the same time ends with 0, too; one publication of each")


def check_schedule(job: ScheduledJob, instance: dg.DagsterInstance, environ: Mapping[str, str]) -> None:
    """The schedule: its daemon starts runs of the day before; a further tick's waits for the one that is under way."""
    daemon = [Path(sys.executable).with_name("dagster-daemon"), "run", "-f", DEFINITIONS]
    with running(daemon, {**environ, "JOB_CRON": "* * * * *"}, WORK / "daemon.log"):
        ends = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]

        def is_done() -> bool:
            return instance.get_runs_count(dg.RunsFilter(job_name="daily", statuses=ends)) > 0

        wait_for("a run of the schedule", is_done, seconds=600)
    runs = instance.get_runs(dg.RunsFilter(job_name="daily"))
    waiting = {dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED}
    done = [one for one in runs if one.status not in waiting]  # newest first; those that followed have not begun
    require(done and done[-1].status == dg.DagsterRunStatus.SUCCESS, runs)
    require({one.tags["dagster/partition"] for one in runs} == {YESTERDAY}, runs)
    checks = find_checks(instance, done[-1].run_id)
    require(checks == {"suite": True, "gates": True, "sla": True}, checks)
    job.require_once(YESTERDAY)
    say(f"schedule: the daemon made {len(runs)} runs, one a tick, of {YESTERDAY}; one publication; checks: {checks}")


def main() -> None:
    """All checks, cheap ones first."""
    job = ScheduledJob()
    HOME.mkdir()
    shutil.copy(DEFINITIONS.with_name("dagster.yaml"), HOME)
    environ = os.environ | {
        "DAGSTER_HOME": str(HOME),
        "JOB_ROOT": str(ROOT),
        "JOB_CONFIG": job.config,
        "JOB_SUITE": str(job.folder / "flights.json"),
        "JOB_RETRY_SECONDS": "2",
    }
    environ.pop("PYTHONPATH", None)
    os.environ["DAGSTER_HOME"] = str(HOME)
    instance = dg.DagsterInstance.get()
    check_refusals(instance, environ)
    check_kill(job, instance, environ)
    check_range(job, instance, environ)
    check_schedule(job, instance, environ)


if __name__ == "__main__":
    main()
